/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* --stats-period: what happened since the last time. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "show.h"

struct stats_period {
	struct snap *last;
	uint64_t started;
};

struct stats_period *
stats_period_new(void)
{
	struct stats_period *p = calloc(1, sizeof(*p));

	if (p != NULL)
		p->started = tp_clock_now();
	return p;
}

void
stats_period_free(struct stats_period *p)
{
	if (p == NULL)
		return;
	free(p->last);
	free(p);
}

/** Member as it was, or NULL if the slot had another port. */
static const struct snap_member *
member_before(const struct snap *last, uint8_t id, uint16_t port_id)
{
	const struct snap_member *m = last != NULL ? &last->member[id] : NULL;

	return m != NULL && m->used && m->port.port_id == port_id ? m : NULL;
}

static uint64_t
delta(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

/** What a member counted since the last time. */
static void
counters_delta(const struct snap_member *m, const struct snap_member *before,
                struct tp_counters *out)
{
	*out = m->ctr;
	if (before == NULL)
		return;
	for (unsigned int i = 0; i < TP_NB_COUNTERS; i++)
		out->c[i] = delta(m->ctr.c[i], before->ctr.c[i]);
	for (unsigned int i = 0; i < TP_NB_DROPS; i++)
		out->drop[i] = delta(m->ctr.drop[i], before->ctr.drop[i]);
}

static double
busy_percent(const struct tp_load *now, const struct tp_load *before)
{
	uint64_t total = now->total_cycles - (before != NULL ? before->total_cycles : 0);
	uint64_t busy = now->busy_cycles - (before != NULL ? before->busy_cycles : 0);

	return total == 0 || busy > total ? 0.0 : 100.0 * busy / total;
}

static void
rates(FILE *out, const char *what, uint64_t total, uint64_t packets, uint64_t bytes, double s)
{
	fprintf(out, "  %-9s %14" PRIu64 " packets  %12.0f pps  %14.0f bps\n", what, total,
	                packets / s, bytes * 8 / s);
}

static void
drops(FILE *out, const struct tp_counters *total, const struct tp_counters *d)
{
	bool any = false;

	for (unsigned int i = 0; i < TP_NB_DROPS; i++) {
		if (total->drop[i] == 0)
			continue;
		fprintf(out, "%s %s %" PRIu64 " (+%" PRIu64 ")", any ? "," : "  drops    ",
		                tp_drop_name(i), total->drop[i], d->drop[i]);
		any = true;
	}
	if (any)
		fputc('\n', out);
}

static const char *
yes(bool fact, const char *name)
{
	return fact ? name : "-";
}

static void
print_member(FILE *out, const struct snap *s, const struct snap *last, uint8_t id, double seconds,
                uint64_t all_tx)
{
	const struct snap_member *m = &s->member[id];
	const struct snap_member *before = member_before(last, id, m->port.port_id);
	struct tp_counters d;
	double share;

	counters_delta(m, before, &d);
	share = all_tx == 0 ? 0.0 : 100.0 * d.c[TP_C_TX_BYTES] / all_tx;
	fprintf(out, "port %u %s: %s, %s/%s/%s/%s, buckets %u, share %.1f %%, busy %.1f %%\n",
	                m->port.port_id, m->port.name, id == s->primary ? "primary" : "secondary",
	                yes(m->facts.link, "link"), yes(m->facts.collecting, "collecting"),
	                yes(m->facts.distributing, "distributing"), yes(m->facts.fenced, "fenced"),
	                m->nb_buckets, share,
	                busy_percent(&m->load, before != NULL ? &before->load : NULL));
	rates(out, "Rx", m->ctr.c[TP_C_RX_PACKETS], d.c[TP_C_RX_PACKETS], d.c[TP_C_RX_BYTES],
	                seconds);
	rates(out, "Tx", m->ctr.c[TP_C_TX_PACKETS], d.c[TP_C_TX_PACKETS], d.c[TP_C_TX_BYTES],
	                seconds);
	drops(out, &m->ctr, &d);
}

/** What all members sent since the last time. */
static uint64_t
tx_bytes(const struct snap *s, const struct snap *last)
{
	struct tp_counters d;
	uint64_t bytes = 0;

	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		if (!s->member[i].used)
			continue;
		counters_delta(&s->member[i], member_before(last, i, s->member[i].port.port_id),
		                &d);
		bytes += d.c[TP_C_TX_BYTES];
	}
	return bytes;
}

static void
print_host(FILE *out, const struct snap *s, const struct snap *last, double seconds)
{
	uint64_t now[TP_NB_COUNTERS], before[TP_NB_COUNTERS] = { 0 };

	if (!s->has_host)
		return;
	snap_host_counters(s, now);
	if (last != NULL)
		snap_host_counters(last, before);
	fprintf(out, "host port %u %s: carrier %s, stash %u\n", s->host_port.port_id,
	                s->host_port.name, s->carrier ? "on" : "off", s->host.nb_stash);
	rates(out, "from host", now[TP_C_HOST_RX], now[TP_C_HOST_RX] - before[TP_C_HOST_RX],
	                now[TP_C_HOST_RX_BYTES] - before[TP_C_HOST_RX_BYTES], seconds);
	rates(out, "to host", now[TP_C_HOST_TX], now[TP_C_HOST_TX] - before[TP_C_HOST_TX],
	                now[TP_C_HOST_TX_BYTES] - before[TP_C_HOST_TX_BYTES], seconds);
}

void
stats_period_print(struct stats_period *p, struct daemon *d, FILE *out)
{
	const char *clear = isatty(STDOUT_FILENO) && !d->opt.interactive ? "\033[2J\033[H" : "";
	struct snap *s = snap_take(d);
	uint64_t from, bytes;
	double seconds;

	if (s == NULL)
		return;
	from = p->last != NULL ? p->last->now : p->started;
	seconds = s->now > from ? (s->now - from) / 1e9 : 1.0;
	bytes = tx_bytes(s, p->last);
	fprintf(out, "%s==== %.1f s, %s, mode %s ====\n", clear, (s->now - p->started) / 1e9,
	                s->running ? "running" : "stopped",
	                s->conf.mode < TP_NB_MODES ? tp_modes[s->conf.mode].name : "?");
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		if (s->member[i].used)
			print_member(out, s, p->last, i, seconds, bytes);
	print_host(out, s, p->last, seconds);
	free(p->last);
	p->last = s;
}
