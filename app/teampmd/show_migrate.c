/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What `show migrate` shows. */

#include <inttypes.h>
#include <string.h>

#include "show.h"
#include "show_int.h"

/* ---- histograms ------------------------------------------------------------------- */

static uint64_t
total_of(const uint32_t steps[TP_TOE_NB_STEPS])
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < TP_TOE_NB_STEPS; i++)
		n += steps[i];
	return n;
}

/* Greatest value of the step below which that part of all lie. */
static uint32_t
quantile(const uint32_t steps[TP_TOE_NB_STEPS], uint32_t permille)
{
	uint64_t rank = (total_of(steps) * permille + 999) / 1000, n = 0;

	for (unsigned int i = 0; i + 1 < TP_TOE_NB_STEPS; i++) {
		n += steps[i];
		if (n >= rank)
			return tp_toe_step_value(i + 1) - 1;
	}
	return UINT32_MAX;
}

static json_t *
histogram(const uint32_t steps[TP_TOE_NB_STEPS], uint32_t max)
{
	uint64_t n = total_of(steps);

	return json_pack("{s:I s:I s:I s:I}", "count", (json_int_t)n, "p50",
	                (json_int_t)(n > 0 ? RTE_MIN(quantile(steps, 500), max) : 0), "p99",
	                (json_int_t)(n > 0 ? RTE_MIN(quantile(steps, 990), max) : 0), "max",
	                (json_int_t)max);
}

/* ---- the topic ----------------------------------------------------------------------- */

static json_t *
knobs(struct daemon *d)
{
	struct tp_toe_move_conf conf;

	tp_toe_get_move(d->toe, &conf);
	return json_pack("{s:s s:i s:I s:I s:b}", "migrate", conf.after > 0 ? "auto" : "off",
	                "migrate_after", d->control.migrate.after, "migrate_hysteresis_ms",
	                (json_int_t)conf.hysteresis_ms, "idle_timeout_s",
	                (json_int_t)(conf.idle_ns / TP_NS_PER_S), "toe_rebalance",
	                d->control.migrate.rebalance);
}

static json_t *
counts(const uint64_t c[TP_TOE_NB_COUNTERS])
{
	json_t *out = json_object();

	for (unsigned int i = TP_TOE_C_MOVE_ASKED; i < TP_TOE_NB_COUNTERS; i++)
		json_object_set_new(out, tp_toe_counter_name(i), json_integer(c[i]));
	return out;
}

static json_t *
ends(struct daemon *d)
{
	uint64_t n[TP_TCP_NB_REASONS];
	json_t *out = json_object();

	tp_toe_ends(d->toe, n);
	for (unsigned int i = 0; i < TP_TCP_NB_REASONS; i++) {
		if (n[i] > 0)
			json_object_set_new(out, tp_tcp_reason_name(i), json_integer(n[i]));
	}
	return out;
}

json_t *
show_migrate(struct daemon *d, const char *arg, struct error_text *err)
{
	uint64_t c[TP_TOE_NB_COUNTERS], mib[TP_TCP_NB_MIB];
	struct tp_toe_pauses pauses;
	json_t *pause;

	(void)arg;
	if (d->toe == NULL) {
		snprintf(err->text, sizeof(err->text),
		                "the team has no address: there is no offload engine");
		return NULL;
	}
	tp_toe_counters(d->toe, c, mib);
	tp_toe_get_pauses(d->toe, &pauses);
	pause = histogram(pauses.pause_us, pauses.pause_max_us);
	json_object_set_new(pause, "last", json_integer(pauses.pause_last_us));
	return json_pack("{s:o s:o s:I s:o s:o s:o}", "knobs", knobs(d), "counters", counts(c),
	                "parked_now", (json_int_t)tp_toe_nb_parked(d->toe), "pause_us", pause,
	                "held_packets", histogram(pauses.held, pauses.held_max), "premature_ends",
	                ends(d));
}
