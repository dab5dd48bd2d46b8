/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire_int.h"

#define PPM 1000000u
#define MAX_TIME_NS (3600 * TP_NS_PER_S)
#define MAX_RATE_BPS UINT64_C(10000000000000)

static const struct tp_wire_dir_conf dir_default = { .mtu = 9000, .swallow = 512 };

void
tp_wire_conf_default(struct tp_wire_conf *conf)
{
	*conf = (struct tp_wire_conf){
		.dir = { dir_default, dir_default },
		.seed = 1,
		.nb_frames = 4096,
	};
}

int
wire_conf_check(const struct tp_wire_dir_conf *c)
{
	if (c->delay_ns > MAX_TIME_NS || c->jitter_ns > MAX_TIME_NS || c->reorder_ns > MAX_TIME_NS)
		return -EINVAL;
	if (c->loss_ppm > PPM || c->dup_ppm > PPM || c->corrupt_ppm > PPM || c->reorder_ppm > PPM)
		return -EINVAL;
	return c->rate_bps > MAX_RATE_BPS ? -EINVAL : 0;
}

int
tp_wire_set_conf(struct tp_wire *w, enum tp_wire_dir dir, const struct tp_wire_dir_conf *conf)
{
	struct wire_dir *d = &w->dir[dir];
	union wire_conf u = { .word = { 0 } };
	uint32_t version;

	if (wire_conf_check(conf) < 0)
		return -EINVAL;
	u.c = *conf;
	version = atomic_load_explicit(&d->conf_version, memory_order_relaxed);
	atomic_store_explicit(&d->conf_version, version + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (unsigned int i = 0; i < WIRE_CONF_WORDS; i++)
		atomic_store_explicit(&d->conf_word[i], u.word[i], memory_order_relaxed);
	atomic_store_explicit(&d->conf_version, version + 2, memory_order_release);
	return 0;
}

/* Try once: @return false when a writer is at work */
static bool
conf_read(const struct wire_dir *d, uint32_t version, union wire_conf *u)
{
	if (version & 1)
		return false;
	for (unsigned int i = 0; i < WIRE_CONF_WORDS; i++)
		u->word[i] = atomic_load_explicit(&d->conf_word[i], memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&d->conf_version, memory_order_relaxed) == version;
}

void
wire_conf_refresh(struct wire_dir *d)
{
	uint32_t version = atomic_load_explicit(&d->conf_version, memory_order_acquire);
	union wire_conf u;

	if (version == d->conf_seen || !conf_read(d, version, &u))
		return;
	d->conf = u.c;
	d->conf_seen = version;
	/* The line is busy until then at the old rate; the fraction means nothing at the new. */
	d->line_rest = 0;
}

void
tp_wire_get_conf(const struct tp_wire *w, enum tp_wire_dir dir, struct tp_wire_dir_conf *conf)
{
	const struct wire_dir *d = &w->dir[dir];
	union wire_conf u;

	/* The caller is the thread that writes. */
	conf_read(d, atomic_load_explicit(&d->conf_version, memory_order_acquire), &u);
	*conf = u.c;
}

/* ---- text ------------------------------------------------------------------- */

struct unit {
	const char *name;
	double factor;
};

static const struct unit time_units[] = {
	{ "", 1 },
	{ "ns", 1 },
	{ "us", 1e3 },
	{ "ms", 1e6 },
	{ "s", 1e9 },
	{ NULL, 0 },
};
static const struct unit rate_units[] = {
	{ "", 1 },
	{ "K", 1e3 },
	{ "M", 1e6 },
	{ "G", 1e9 },
	{ NULL, 0 },
};
static const struct unit plain_units[] = { { "", 1 }, { NULL, 0 } };

struct knob {
	const char *name;
	const struct unit *units;
	size_t offset;
	size_t size;
	double max;
};

#define KNOB(text, units, field, max)                                                              \
	{                                                                                          \
		text, units, offsetof(struct tp_wire_dir_conf, field),                             \
		                sizeof(((struct tp_wire_dir_conf *)0)->field), max                 \
	}
static const struct knob knobs[] = {
	KNOB("delay", time_units, delay_ns, MAX_TIME_NS),
	KNOB("jitter", time_units, jitter_ns, MAX_TIME_NS),
	KNOB("reorder_by", time_units, reorder_ns, MAX_TIME_NS),
	KNOB("rate", rate_units, rate_bps, MAX_RATE_BPS),
	KNOB("queue_bytes", plain_units, queue_bytes, UINT32_MAX),
	KNOB("queue_frames", plain_units, queue_frames, UINT32_MAX),
	KNOB("loss", plain_units, loss_ppm, PPM),
	KNOB("reorder", plain_units, reorder_ppm, PPM),
	KNOB("dup", plain_units, dup_ppm, PPM),
	KNOB("corrupt", plain_units, corrupt_ppm, PPM),
	KNOB("mtu", plain_units, mtu, UINT16_MAX),
	KNOB("swallow", plain_units, swallow, UINT32_MAX),
	KNOB("backpressure", plain_units, backpressure, 1),
};

static int
parse_value(const struct knob *k, const char *text, uint64_t *value)
{
	size_t digits = strspn(text, "0123456789.");
	char *end;
	double x = strtod(text, &end);

	/* No sign, exponent, "inf" or hexadecimal. */
	if (digits == 0 || end != text + digits)
		return -EINVAL;
	for (const struct unit *u = k->units; u->name != NULL; u++) {
		if (strcmp(end, u->name) != 0)
			continue;
		x = round(x * u->factor);
		if (!(x >= 0 && x <= k->max))
			return -ERANGE;
		*value = (uint64_t)x;
		return 0;
	}
	return -EINVAL;
}

static void
knob_set(const struct knob *k, struct tp_wire_dir_conf *conf, uint64_t value)
{
	void *field = (char *)conf + k->offset;

	if (k->size == sizeof(uint64_t))
		*(uint64_t *)field = value;
	else if (k->size == sizeof(uint32_t))
		*(uint32_t *)field = (uint32_t)value;
	else
		*(bool *)field = value != 0;
}

static int
parse_knob(struct tp_wire_dir_conf *conf, char *item, char *why, size_t why_len)
{
	char *value = strchr(item, '=');
	uint64_t number;
	int rc;

	if (value == NULL) {
		snprintf(why, why_len, "'%s' is not NAME=VALUE", item);
		return -EINVAL;
	}
	*value++ = '\0';
	for (unsigned int i = 0; i < RTE_DIM(knobs); i++) {
		if (strcmp(item, knobs[i].name) != 0)
			continue;
		rc = parse_value(&knobs[i], value, &number);
		if (rc == 0)
			knob_set(&knobs[i], conf, number);
		else
			snprintf(why, why_len, "%s '%s' is %s (0 to %.0f)", item, value,
			                rc == -ERANGE ? "out of range" : "not a number",
			                knobs[i].max);
		return rc == 0 ? 0 : -EINVAL;
	}
	snprintf(why, why_len, "a wire has no '%s'", item);
	return -EINVAL;
}

int
tp_wire_conf_parse(struct tp_wire_dir_conf *conf, const char *text, char *why, size_t why_len)
{
	struct tp_wire_dir_conf c = *conf;
	char *copy = strdup(text), *item, *save = NULL;
	int rc = copy == NULL ? -ENOMEM : 0;

	for (item = rc == 0 ? strtok_r(copy, ",", &save) : NULL; item != NULL && rc == 0;
	                item = strtok_r(NULL, ",", &save))
		rc = parse_knob(&c, item, why, why_len);
	if (rc == 0)
		*conf = c;
	free(copy);
	return rc;
}
