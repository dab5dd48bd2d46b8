/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "loadgen.h"

/* A generator that was kept from its CPU makes up for this much at most: more would be a burst at
 * a rate that nobody asked for. What is beyond counts as missed. */
#define MAX_BEHIND 256
#define MAX_SEQS (UINT32_C(1) << 30)

/* One port to send by, and its own flows: first, first + step, ... */
struct source {
	uint16_t port;
	uint32_t first, step, next;
};

struct run {
	struct loadgen *g;
	const struct loadgen_ask *ask;
	struct loadgen_result *res;
	struct source source[2 * LOADGEN_MAX_MEMBERS]; /* served in turns */
	uint32_t nb_sources, turn;
	uint32_t seq;     /* next number */
	double period;    /* cycles between two frames */
	uint64_t due_tsc; /* of frame number 0, later by what was missed */
};

static void
add_source(struct run *r, uint16_t port, uint32_t first, uint32_t step)
{
	r->source[r->nb_sources++] = (struct source){ port, first, step, first };
}

/* Odd flows go to the host; those of one member stay with it, as behind a switch. */
static void
make_sources(struct run *r)
{
	const struct loadgen *g = r->g;

	for (uint16_t i = 0; i < g->nb_members; i++) {
		if (r->ask->direction & LOADGEN_TX)
			add_source(r, g->host, 2 * i, 2 * g->nb_members);
		if (r->ask->direction & LOADGEN_RX)
			add_source(r, g->member[i], 2 * i + 1, 2 * g->nb_members);
	}
}

static void
write_burst(struct run *r, struct source *s, struct rte_mbuf **pkts, uint32_t nb)
{
	struct loadgen_mark mark = { .trial = r->g->trial, .tsc = rte_rdtsc() };

	for (uint32_t i = 0; i < nb; i++) {
		uint16_t len = loadgen_frame_len(r->ask->frame, r->seq);

		mark.flow = s->next;
		mark.seq = r->seq++;
		loadgen_frame_write(r->g->flows, pkts[i], len, &mark);
		r->res->bytes += len;
		s->next += s->step;
		if (s->next >= r->g->nb_flows)
			s->next = s->first;
	}
}

/* A full ring refuses frames that are due: the team was not ready for them, they are lost. */
static void
send_burst(struct run *r, uint32_t nb)
{
	struct source *s = &r->source[r->turn++ % r->nb_sources];
	struct rte_mbuf *pkts[LOADGEN_BURST];
	uint16_t sent;

	if (rte_pktmbuf_alloc_bulk(r->g->pool, pkts, nb) != 0) {
		/* All our buffers wait in rings that nobody empties. */
		r->res->refused += nb;
		r->res->offered += nb;
		r->seq += nb;
		return;
	}
	write_burst(r, s, pkts, nb);
	sent = rte_eth_tx_burst(s->port, 0, pkts, nb);
	r->res->offered += nb;
	r->res->refused += nb - sent;
	rte_pktmbuf_free_bulk(pkts + sent, nb - sent);
}

/* Frames that should have been sent by now and were not. */
static uint64_t
frames_behind(const struct run *r, uint64_t now)
{
	uint64_t due;

	if (now < r->due_tsc)
		return 0;
	due = (uint64_t)((double)(now - r->due_tsc) / r->period) + 1;
	return due > r->seq ? due - r->seq : 0;
}

static uint32_t
frames_due(struct run *r, uint64_t now)
{
	uint64_t behind = frames_behind(r, now);

	if (behind > MAX_BEHIND) {
		uint64_t missed = behind - MAX_BEHIND;

		r->res->missed += missed;
		r->due_tsc += (uint64_t)((double)missed * r->period);
		behind = MAX_BEHIND;
	}
	return RTE_MIN(behind, (uint64_t)LOADGEN_BURST);
}

static uint32_t
receive_port(struct run *r, uint16_t port, bool to_host, uint16_t member)
{
	struct loadgen_tally *t = &r->res->tally;
	struct rte_mbuf *pkts[LOADGEN_BURST];
	struct loadgen_mark mark;
	uint16_t nb = rte_eth_rx_burst(port, 0, pkts, LOADGEN_BURST);
	uint64_t now = nb > 0 ? rte_rdtsc() : 0;

	for (uint16_t i = 0; i < nb; i++) {
		enum loadgen_verdict v =
		                loadgen_frame_read(r->g->flows, pkts[i], r->ask->frame, &mark);

		if (v == LOADGEN_OTHER)
			t->other++;
		else if (mark.trial != r->g->trial)
			t->stale++;
		else if (v == LOADGEN_CORRUPT)
			t->corrupt++;
		else
			loadgen_tally_add(t, &mark, to_host, member, r->seq, now);
	}
	rte_pktmbuf_free_bulk(pkts, nb);
	return nb;
}

static uint32_t
receive(struct run *r)
{
	const struct loadgen *g = r->g;
	uint32_t nb = receive_port(r, g->host, true, 0);

	for (uint16_t i = 0; i < g->nb_members; i++)
		nb += receive_port(r, g->member[i], false, i);
	return nb;
}

/* Until all is back, or nothing has come for a while. */
static void
settle(struct run *r)
{
	uint64_t patience = rte_get_tsc_hz() / 1000 * r->ask->settle_ms;
	uint64_t last = rte_rdtsc();

	while (r->res->tally.received + r->res->refused < r->res->offered &&
	                rte_rdtsc() - last < patience) {
		if (receive(r) > 0)
			last = rte_rdtsc();
	}
}

/* What was left on the rings by a trial before this one. */
static void
drain(struct run *r)
{
	uint64_t end = rte_rdtsc() + rte_get_tsc_hz() / 1000;

	while (rte_rdtsc() < end)
		receive(r);
}

static void
run_trial(struct run *r)
{
	uint64_t hz = rte_get_tsc_hz(), start, end, now;

	drain(r);
	r->period = (double)hz / r->ask->pps;
	start = rte_rdtsc();
	r->due_tsc = start;
	end = start + hz / 1000 * r->ask->ms;
	for (now = start; now < end && r->seq < r->res->tally.nb_seqs; now = rte_rdtsc()) {
		uint32_t due = frames_due(r, now);

		if (due > 0)
			send_burst(r, RTE_MIN(due, r->res->tally.nb_seqs - r->seq));
		receive(r);
	}
	r->res->missed += frames_behind(r, now);
	r->res->seconds = (double)(now - start) / (double)hz;
	settle(r);
}

int
loadgen_trial(struct loadgen *g, const struct loadgen_ask *ask, struct loadgen_result *result)
{
	struct run r = { .g = g, .ask = ask, .res = result };
	double nb = ask->pps * ask->ms / 1000 + LOADGEN_BURST;
	int rc;

	if (!(ask->pps >= 1) || ask->ms == 0 || nb > MAX_SEQS || g->nb_members == 0 ||
	                g->nb_flows < 2u * g->nb_members)
		return -EINVAL;
	if (ask->frame != LOADGEN_IMIX &&
	                (ask->frame < LOADGEN_MIN_FRAME || ask->frame > LOADGEN_MAX_FRAME))
		return -EINVAL;
	memset(result, 0, sizeof(*result));
	rc = loadgen_tally_init(&result->tally, nb, g->nb_flows);
	if (rc != 0)
		return rc;
	g->trial++;
	make_sources(&r);
	run_trial(&r);
	return 0;
}
