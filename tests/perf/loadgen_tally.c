/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "loadgen.h"

#define STEP_BITS 5
static_assert(1 << STEP_BITS == LOADGEN_STEPS, "steps are a power of two");

/* Values below LOADGEN_STEPS are their own step; above, the highest STEP_BITS + 1 bits name it. */
static uint32_t
step_of(uint64_t value)
{
	uint32_t octave;

	if (value < LOADGEN_STEPS)
		return value;
	octave = 63 - __builtin_clzll(value) - STEP_BITS;
	return RTE_MIN((octave << STEP_BITS) + (uint32_t)(value >> octave),
	                (uint32_t)(LOADGEN_STEPS * LOADGEN_OCTAVES - 1));
}

static uint64_t
step_value(uint32_t step)
{
	uint32_t octave = step >> STEP_BITS;

	if (octave <= 1)
		return step;
	return (uint64_t)(LOADGEN_STEPS + (step & (LOADGEN_STEPS - 1))) << (octave - 1);
}

void
loadgen_latency_add(struct loadgen_latency *l, uint64_t cycles)
{
	if (l->count == 0 || cycles < l->min)
		l->min = cycles;
	l->max = RTE_MAX(l->max, cycles);
	l->count++;
	l->sum += cycles;
	l->step[step_of(cycles)]++;
}

uint64_t
loadgen_latency_at(const struct loadgen_latency *l, double part)
{
	uint64_t below = 0;

	for (uint32_t i = 0; i < RTE_DIM(l->step); i++) {
		below += l->step[i];
		if (below > 0 && (double)below >= part * (double)l->count)
			return RTE_MAX(l->min, RTE_MIN(step_value(i), l->max));
	}
	return 0;
}

int
loadgen_tally_init(struct loadgen_tally *t, uint32_t nb_seqs, uint32_t nb_flows)
{
	memset(t, 0, sizeof(*t));
	t->nb_seqs = nb_seqs;
	t->nb_flows = nb_flows;
	t->seen = calloc(nb_seqs / 64 + 1, sizeof(*t->seen));
	t->last = malloc(nb_flows * sizeof(*t->last));
	if (t->seen == NULL || t->last == NULL) {
		loadgen_tally_fini(t);
		return -ENOMEM;
	}
	memset(t->last, 0xff, nb_flows * sizeof(*t->last));
	return 0;
}

void
loadgen_tally_fini(struct loadgen_tally *t)
{
	free(t->seen);
	free(t->last);
	t->seen = NULL;
	t->last = NULL;
}

static bool
seen_before(struct loadgen_tally *t, uint32_t seq)
{
	uint64_t bit = UINT64_C(1) << (seq % 64);
	bool seen = t->seen[seq / 64] & bit;

	t->seen[seq / 64] |= bit;
	return seen;
}

void
loadgen_tally_add(struct loadgen_tally *t, const struct loadgen_mark *mark, bool to_host,
                uint16_t member, uint32_t nb_sent, uint64_t now)
{
	uint32_t *last;

	if (mark->seq >= RTE_MIN(nb_sent, t->nb_seqs) || mark->flow >= t->nb_flows) {
		t->corrupt++;
		return;
	}
	if (to_host != (mark->flow & 1)) {
		t->misdirected++;
		return;
	}
	if (seen_before(t, mark->seq)) {
		t->duplicated++;
		return;
	}
	last = &t->last[mark->flow];
	if (*last != UINT32_MAX && mark->seq < *last)
		t->reordered++;
	else
		*last = mark->seq;
	t->received++;
	if (!to_host)
		t->member[member]++;
	loadgen_latency_add(&t->latency, now > mark->tsc ? now - mark->tsc : 0);
}
