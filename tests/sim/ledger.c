/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Double-entry book-keeping of frames. Each carries a mark at its very end: its number and a
 * checksum of all of it. The taps of the wires and the wrapped tp_drop_burst() tell where it is;
 * in the end what went into the daemon must have come out of it or been dropped with a reason, and
 * what came out of it must be unharmed and in order.
 */

#include <stdlib.h>
#include <string.h>

#include <rte_hash_crc.h>

#include "sim.h"

#define MAGIC UINT32_C(0x7ea3c0de)

struct mark {
	uint32_t magic;
	uint32_t uid;
	uint32_t crc;
} __rte_packed;
static_assert(sizeof(struct mark) == MARK_LEN, "what peers leave room for");

enum { MARK_GOOD, MARK_BAD, MARK_NONE };

void
ledger_init(void)
{
	struct ledger *l = &sim->ledger;

	l->max_frames = 16384;
	l->frame = calloc(l->max_frames, sizeof(*l->frame));
}

void
ledger_fini(void)
{
	free(sim->ledger.frame);
	sim->ledger.frame = NULL;
}

static uint32_t
frame_crc(const struct rte_mbuf *m, uint32_t len)
{
	uint32_t crc = 0;

	for (; m != NULL && len > 0; m = m->next) {
		uint32_t n = RTE_MIN(len, (uint32_t)m->data_len);

		crc = rte_hash_crc(rte_pktmbuf_mtod(m, const void *), n, crc);
		len -= n;
	}
	return crc;
}

void
ledger_mark(struct rte_mbuf *m, uint16_t flow, uint8_t kind)
{
	struct ledger *l = &sim->ledger;
	struct mark mark = { .magic = MAGIC, .uid = l->nb_frames };
	char *at = rte_pktmbuf_mtod_offset(m, char *, m->pkt_len - MARK_LEN);

	if (l->nb_frames == l->max_frames) {
		l->max_frames *= 2;
		l->frame = realloc(l->frame, l->max_frames * sizeof(*l->frame));
	}
	l->frame[l->nb_frames++] = (struct frame){
		.flow = flow,
		.kind = kind,
		.to_host = l->flow[flow].to_host,
	};
	memcpy(at, &mark, offsetof(struct mark, crc));
	mark.crc = frame_crc(m, m->pkt_len - sizeof(mark.crc));
	memcpy(at, &mark, sizeof(mark));
}

/* Bit errors of the wires can be anywhere, also in the mark: what is as long as no frame of the
 * daemon's own and has no good mark is a broken one of ours.
 */
static int
mark_read(const struct rte_mbuf *m, uint32_t *uid)
{
	const struct mark *mark;
	struct mark buf;

	if (m->pkt_len < MARK_LEN)
		return MARK_NONE;
	mark = rte_pktmbuf_read(m, m->pkt_len - MARK_LEN, MARK_LEN, &buf);
	buf = *mark;
	*uid = buf.uid;
	if (buf.crc == frame_crc(m, m->pkt_len - sizeof(buf.crc)) && buf.magic == MAGIC)
		return buf.uid < sim->ledger.nb_frames ? MARK_GOOD : MARK_BAD;
	/* One bit is wrong: it can be in magic, or elsewhere. */
	return __builtin_popcount(buf.magic ^ MAGIC) <= 1 ? MARK_BAD : MARK_NONE;
}

/* ---- into the daemon -------------------------------------------------------- */

static void
frame_in(const struct rte_mbuf *m, bool to_host)
{
	struct ledger *l = &sim->ledger;
	struct frame *f;
	uint32_t uid;

	switch (mark_read(m, &uid)) {
	case MARK_NONE:
		return; /* of the peers' own: replies to probes */
	case MARK_BAD:
		l->bad_in[to_host]++;
		return;
	}
	f = &l->frame[uid];
	l->in[to_host]++;
	f->in_at = sim->now;
	f->order[RTE_MIN(f->nb_in - f->nb_out - f->nb_drop, 1)] = ++l->flow[f->flow].nb_in;
	f->nb_in++;
	f->broadcast = !to_host && sim->d.control.team.conf.mode == TP_MODE_BROADCAST;
	if (f->to_host != to_host)
		sim_fail("frame %u of flow %u arrived from the wrong side", uid, f->flow);
}

/* ---- out of it ---------------------------------------------------------------- */

static void
check_order(struct frame *f, uint32_t uid, uint32_t order, uint8_t wire)
{
	struct flow *flow = &sim->ledger.flow[f->flow];

	if (f->kind != SIM_DATA || f->in_at < sim->unordered_until)
		return;
	if (!f->broadcast) {
		if (order <= flow->last)
			sim_fail("frame %u of flow %u leaves by wire %u behind a later one "
			         "(number %u after %u)",
			                uid, f->flow, wire, order, flow->last);
		flow->last = RTE_MAX(flow->last, order);
	}
	if (order <= flow->wire_last[wire])
		sim_fail("frame %u of flow %u leaves by wire %u behind a later one there "
		         "(number %u after %u)",
		                uid, f->flow, wire, order, flow->wire_last[wire]);
	flow->wire_last[wire] = RTE_MAX(flow->wire_last[wire], order);
}

static void
frame_out(const struct rte_mbuf *m, uint8_t wire)
{
	bool to_host = wire == SIM_HOST_WIRE;
	struct ledger *l = &sim->ledger;
	uint32_t uid, order;
	struct frame *f;

	switch (mark_read(m, &uid)) {
	case MARK_NONE:
		l->other_out++;
		if (to_host)
			sim_fail("the host got a frame that no peer sent");
		return;
	case MARK_BAD:
		l->bad_out[to_host]++;
		return;
	}
	f = &l->frame[uid];
	l->out[to_host]++;
	order = f->order[0];
	if (!f->broadcast)
		f->order[0] = f->order[1];
	f->nb_out++;
	if (f->to_host != to_host)
		sim_fail("frame %u of flow %u went back to where it came from", uid, f->flow);
	if (f->broadcast && (f->out_wires & RTE_BIT32(wire)))
		sim_fail("frame %u of flow %u left by wire %u twice", uid, f->flow, wire);
	if (!f->broadcast && f->nb_out + f->nb_drop > f->nb_in)
		sim_fail("frame %u of flow %u left %u times (dropped %u times), read %u times", uid,
		                f->flow, f->nb_out, f->nb_drop, f->nb_in);
	f->out_wires |= RTE_BIT32(wire);
	check_order(f, uid, order, wire);
}

static void
frame_arrived(const struct rte_mbuf *m, bool at_host)
{
	uint32_t uid;

	if (mark_read(m, &uid) == MARK_GOOD)
		sim->ledger.far[at_host]++;
}

/* The daemon's ends: B of the host's wire, A of the members'. */
void
ledger_tap(void *arg, enum tp_wire_dir dir, enum tp_wire_event event, const struct rte_mbuf *m,
                uint64_t now)
{
	const struct wire_state *w = arg;
	bool host = w->index == SIM_HOST_WIRE;
	bool from_daemon = dir == (host ? TP_WIRE_B_TO_A : TP_WIRE_A_TO_B);

	(void)now;
	if (event == TP_WIRE_SENT && from_daemon)
		frame_out(m, w->index);
	else if (event == TP_WIRE_DELIVERED && !from_daemon)
		frame_in(m, !host);
	else if (event == TP_WIRE_DELIVERED)
		frame_arrived(m, host);
}

/* ---- dropped -------------------------------------------------------------------- */

void
ledger_drop(enum tp_drop reason, struct rte_mbuf *const *pkts, uint16_t nb_pkts)
{
	struct ledger *l = &sim->ledger;
	uint32_t uid;

	l->by_reason[reason] += nb_pkts;
	for (uint16_t i = 0; i < nb_pkts; i++) {
		bool to_host = pkts[i]->port != sim->wire[SIM_HOST_WIRE].near;
		struct frame *f;
		int mark;

		/* A copy for control, or a frame of its own. */
		if (pkts[i]->pool == sim->d.pool[0])
			continue;
		mark = mark_read(pkts[i], &uid);
		if (mark == MARK_NONE)
			continue;
		if (mark == MARK_BAD) {
			l->bad_drop[to_host]++;
			continue;
		}
		f = &l->frame[uid];
		l->drop[f->to_host]++;
		f->nb_drop++;
		f->reason = reason;
		if (!f->broadcast) {
			f->order[0] = f->order[1];
			if (f->nb_out + f->nb_drop > f->nb_in)
				sim_fail("frame %u of flow %u dropped (%s) though it had left", uid,
				                f->flow, tp_drop_name(reason));
		}
	}
}

/* ---- the sums --------------------------------------------------------------------- */

static bool
is_balanced(const struct frame *f)
{
	if (f->broadcast)
		return f->nb_in == 0 || f->nb_out + f->nb_drop >= f->nb_in;
	return f->nb_out + f->nb_drop == f->nb_in;
}

uint32_t
ledger_nb_held(void)
{
	const struct ledger *l = &sim->ledger;
	uint32_t nb = 0;

	for (uint32_t i = 0; i < l->nb_frames; i++)
		nb += !is_balanced(&l->frame[i]);
	return nb;
}

void
ledger_check(void)
{
	const struct ledger *l = &sim->ledger;
	uint32_t nb = ledger_nb_held();

	for (uint32_t i = 0; i < l->nb_frames && nb > 0 && sim->nb_frozen == 0; i++) {
		const struct frame *f = &l->frame[i];

		if (is_balanced(f))
			continue;
		sim_fail("%u frames are neither out nor dropped; frame %u of flow %u to the %s, "
		         "read at %" PRIu64 ", was read %u times, left %u times, dropped %u times",
		                nb, i, f->flow, f->to_host ? "host" : "net", f->in_at, f->nb_in,
		                f->nb_out, f->nb_drop);
		return;
	}
	for (unsigned int i = 0; i < 2; i++) {
		if (sim->nb_frozen == 0 && l->bad_in[i] != l->bad_out[i] + l->bad_drop[i])
			sim_fail("of %" PRIu64 " frames corrupted on wires %" PRIu64
			         " left and %" PRIu64 " were dropped",
			                l->bad_in[i], l->bad_out[i], l->bad_drop[i]);
	}
}
