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

#include "host_int.h"
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

static uint32_t
new_frame(uint16_t flow, uint8_t kind)
{
	struct ledger *l = &sim->ledger;

	if (l->nb_frames == l->max_frames) {
		l->max_frames *= 2;
		l->frame = realloc(l->frame, l->max_frames * sizeof(*l->frame));
	}
	l->frame[l->nb_frames] = (struct frame){
		.flow = flow,
		.kind = kind,
		.to_host = l->flow[flow].to_host,
		.flood = SIM_NONE,
	};
	return l->nb_frames++;
}

static void
write_mark(struct rte_mbuf *m, uint32_t uid)
{
	struct mark mark = { .magic = MAGIC, .uid = uid };
	char *at = rte_pktmbuf_mtod_offset(m, char *, m->pkt_len - MARK_LEN);

	memcpy(at, &mark, offsetof(struct mark, crc));
	mark.crc = frame_crc(m, m->pkt_len - sizeof(mark.crc));
	memcpy(at, &mark, sizeof(mark));
	sim->ledger.frame[uid].big = m->pkt_len > RTE_ETHER_HDR_LEN + SIM_SAFE_MTU;
}

uint32_t
ledger_mark(struct rte_mbuf *m, uint16_t flow, uint8_t kind)
{
	uint32_t uid = new_frame(flow, kind);

	write_mark(m, uid);
	return uid;
}

uint32_t
ledger_mark_flood(struct rte_mbuf *m, uint16_t flow, uint32_t first)
{
	uint32_t uid = ledger_mark(m, flow, SIM_FLOOD);

	sim->ledger.frame[uid].flood = first == SIM_NONE ? uid : first;
	return sim->ledger.frame[uid].flood;
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

/* What mode it is handed out in decides how it may leave. */
static void
note_mode(struct frame *f)
{
	const struct tp_dist *dist = sim->d.host->dist;

	f->unordered |= dist != NULL && dist->mode == TP_MODE_ROUND_ROBIN;
	f->broadcast = dist != NULL && dist->mode == TP_MODE_BROADCAST;
	f->want = f->broadcast ? dist->nb_alive : 1;
}

/* A reply must leave by the wire by which its neighbour asked last before the holder looked that up,
 * at some point between reading the reply and distributing it; if that wire's member is in use then,
 * and the mode leaves a choice at all.
 */
static void
note_reply(uint32_t uid, uint16_t flow)
{
	const struct tp_dist *dist = sim->d.host->dist;
	struct frame *f = &sim->ledger.frame[uid];
	uint8_t wire = sim->ledger.flow[flow].asked;
	const struct slot *s = wire == SIM_HOST_WIRE ? NULL : world_slot_of_wire(wire);

	if (f->flow != flow || f->kind != SIM_NEIGH)
		return;
	if (s == NULL || dist == NULL || tp_modes[dist->mode].single || f->broadcast ||
	                (dist->alive_mask & RTE_BIT32(s->member->id)) == 0)
		f->asked = UINT32_MAX;
	else
		f->asked |= RTE_BIT32(wire);
}

void
ledger_asked(const struct tp_member *me, const struct rte_mbuf *m)
{
	struct ledger *l = &sim->ledger;
	uint16_t replies;
	uint32_t uid;

	if (mark_read(m, &uid) != MARK_GOOD || l->frame[uid].kind != SIM_NEIGH)
		return;
	replies = l->flow[l->frame[uid].flow].partner;
	l->flow[replies].asked = world_wire_of_port(me->port_id);
	for (uint32_t i = 0; i < l->nb_in_hand; i++)
		note_reply(l->in_hand[i], replies);
}

void
ledger_forget_asked(uint16_t port_id)
{
	uint8_t wire = world_wire_of_port(port_id);

	for (uint16_t i = 0; i < sim->ledger.nb_flows; i++)
		if (sim->ledger.flow[i].asked == wire)
			sim->ledger.flow[i].asked = SIM_HOST_WIRE;
}

void
ledger_distributed(void)
{
	sim->ledger.nb_in_hand = 0;
}

const struct frame *
ledger_look(const struct rte_mbuf *m)
{
	uint32_t uid;

	return mark_read(m, &uid) == MARK_GOOD ? &sim->ledger.frame[uid] : NULL;
}

static void
frame_in(const struct rte_mbuf *m, uint8_t wire)
{
	bool to_host = wire != SIM_HOST_WIRE;
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
	if (!to_host) {
		note_mode(f);
		f->asked = 0;
		note_reply(uid, f->flow);
		l->in_hand[l->nb_in_hand++ % TP_BURST_MAX] = uid;
	}
	if (f->to_host != to_host)
		sim_fail("frame %u of flow %u arrived from the wrong side", uid, f->flow);
}

/* ---- out of it ---------------------------------------------------------------- */

/* When a bucket moves lazily, its frames must not overtake each other on the wires either. */
static void
check_arrival(struct flow *flow, uint32_t uid, uint8_t wire)
{
	const struct tp_wire_dir_conf *conf = &sim->set.wire[wire].dir[TP_WIRE_A_TO_B];
	uint64_t there = sim->now + conf->delay_ns;

	if (flow->last_wire != wire && sim->set.timed_wires &&
	                sim->wire[flow->last_wire].left_at < flow->last_at &&
	                flow->last_there > there)
		sim_fail("frame %u overtakes an earlier one by %" PRIu64
		         " ns on its way by wire %u instead of %u",
		                uid, flow->last_there - there, wire, flow->last_wire);
	flow->last_wire = wire;
	flow->last_at = sim->now;
	flow->last_there = there + conf->jitter_ns;
}

static void
check_order(struct frame *f, uint32_t uid, uint32_t order, uint8_t wire)
{
	struct flow *flow = &sim->ledger.flow[f->flow];

	if (f->kind != SIM_DATA || f->unordered)
		return;
	if (!f->broadcast) {
		sim->ledger.nb_reordered += order <= flow->last;
		if (order <= flow->last)
			sim_fail("frame %u of flow %u leaves by wire %u behind a later one "
			         "(number %u after %u)",
			                uid, f->flow, wire, order, flow->last);
		flow->last = RTE_MAX(flow->last, order);
		if (!f->to_host)
			check_arrival(flow, uid, wire);
	}
	if (order <= flow->wire_last[wire])
		sim_fail("frame %u of flow %u leaves by wire %u behind a later one there "
		         "(number %u after %u)",
		                uid, f->flow, wire, order, flow->wire_last[wire]);
	flow->wire_last[wire] = RTE_MAX(flow->wire_last[wire], order);
}

/* Did a member fail, or all change places, since the frame was read? Then it may have been taken
 * back from the wire where it belonged.
 */
static bool
taken_back(const struct frame *f)
{
	for (uint32_t mask = f->asked; mask != 0; mask &= mask - 1)
		if (sim->wire[rte_bsf32(mask)].left_at >= f->in_at)
			return true;
	return false;
}

/* Replies leave where the neighbour asked (design, the walk of a packet). A wire that flips bits may
 * have made one neighbour's request another's.
 */
static void
check_reply(const struct frame *f, uint32_t uid, uint8_t wire)
{
	if (f->kind != SIM_NEIGH || f->to_host || f->broadcast || f->asked == UINT32_MAX ||
	                sim->set.corrupts || (f->asked & RTE_BIT32(wire)) || taken_back(f))
		return;
	sim_fail("reply %u leaves by wire %u, the neighbour asked by (mask) %#x", uid, wire,
	                f->asked);
}

/* Of the copies of a broadcast the host gets one. */
static void
check_flood(struct frame *f)
{
	struct frame *first = &sim->ledger.frame[f->flood];

	first->nb_seen++;
	/* Around a change of the primary copies may be on their way. */
	if (first->nb_seen > 1 && !sim->set.corrupts && first->in_at > sim->place_at &&
	                !sim->d.control.team.conf.all_members_active)
		sim_fail("the host got %u copies of broadcast %u", first->nb_seen, f->flood);
}

/* A new primary owes the neighbours word of where the host's address is now. */
static void
note_own(const struct rte_mbuf *m, uint8_t wire)
{
	const struct slot *s = sim->announce_owed == 0 ? NULL : world_slot_of_wire(wire);

	if (s != NULL && s->member->id == sim->announce_by && peers_is_announcement(m))
		sim->announce_owed = 0;
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
		else
			note_own(m, wire);
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
	if (f->kind == SIM_ECHO)
		sim_fail("the host got frame %u, which has its own address as source", uid);
	if (f->broadcast && (f->out_wires & RTE_BIT32(wire)))
		sim_fail("frame %u of flow %u left by wire %u twice", uid, f->flow, wire);
	if (!f->broadcast && f->nb_out + f->nb_drop > f->nb_in)
		sim_fail("frame %u of flow %u left %u times (dropped %u times), read %u times", uid,
		                f->flow, f->nb_out, f->nb_drop, f->nb_in);
	if (f->broadcast && f->nb_out + f->nb_drop > f->want)
		sim_fail("frame %u of flow %u left %u times (dropped %u times) of %u", uid, f->flow,
		                f->nb_out, f->nb_drop, f->want);
	f->out_wires |= RTE_BIT32(wire);
	if (!to_host && sim->set.hooks != NULL && sim->set.hooks->leaves != NULL)
		sim->set.hooks->leaves(f, wire);
	check_order(f, uid, order, wire);
	check_reply(f, uid, wire);
	if (f->flood != SIM_NONE)
		check_flood(f);
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
		frame_in(m, w->index);
	else if (event == TP_WIRE_DELIVERED)
		frame_arrived(m, host);
}

/* ---- dropped -------------------------------------------------------------------- */

/* What may be lost within the daemon, and when. */
static bool
may_drop(const struct frame *f, enum tp_drop reason)
{
	const struct tp_dist *dist = sim->d.host->dist;

	switch (reason) {
	case TP_DROP_TX_RING_FULL:
		return !sim->handing_out || f->broadcast;
	case TP_DROP_TX_NO_MEMBER:
		return dist->nb_alive == 0;
	case TP_DROP_TX_PORT_STOPPED:
		return f->broadcast || f->to_host || sim->nb_frozen > 0 ||
		       sim->d.control.primary == TP_MEMBER_NONE;
	case TP_DROP_TX_TOO_BIG:
	case TP_DROP_TX_NO_MBUF:
		return f->big;
	case TP_DROP_RX_PLACE:
	case TP_DROP_RX_VLAN:
	case TP_DROP_RX_FENCED:
	case TP_DROP_HOST_RING_FULL:
	case TP_DROP_HOST_NONE:
		return f->to_host;
	case TP_DROP_RX_OWN_MAC:
		return f->kind == SIM_ECHO;
	case TP_DROP_HOST_TX_FULL:
		return f->to_host && sim->d.control.host_halted;
	default:
		return false;
	}
}

static void
drop_one(enum tp_drop reason, const struct rte_mbuf *m)
{
	bool to_host = m->port != sim->wire[SIM_HOST_WIRE].near;
	struct ledger *l = &sim->ledger;
	struct frame *f;
	uint32_t uid;

	/* A copy for control, or a frame of its own. */
	if (m->pool == sim->d.pool[0]) {
		sim->own_lost_at = sim->now;
		return;
	}
	switch (mark_read(m, &uid)) {
	case MARK_NONE:
		return;
	case MARK_BAD:
		l->bad_drop[to_host]++;
		return;
	}
	f = &l->frame[uid];
	l->drop[f->to_host]++;
	f->nb_drop++;
	f->reason = reason;
	if (!may_drop(f, reason))
		sim_fail("frame %u of flow %u to the %s is dropped: %s", uid, f->flow,
		                f->to_host ? "host" : "net", tp_drop_name(reason));
	if (f->broadcast)
		return;
	f->order[0] = f->order[1];
	if (f->nb_out + f->nb_drop > f->nb_in)
		sim_fail("frame %u of flow %u dropped (%s) though it had left", uid, f->flow,
		                tp_drop_name(reason));
}

void
ledger_drop(enum tp_drop reason, struct rte_mbuf *const *pkts, uint16_t nb_pkts)
{
	sim->ledger.by_reason[reason] += nb_pkts;
	for (uint16_t i = 0; i < nb_pkts; i++)
		drop_one(reason, pkts[i]);
}

/* ---- the team changes under way -------------------------------------------------- */

void
ledger_hand_out(const struct tp_host *h)
{
	const struct host_stash *s = &h->stash;
	uint32_t uid;

	for (uint32_t i = s->head; i != s->end; i++)
		if (mark_read(s->slot[i & s->mask], &uid) == MARK_GOOD)
			note_mode(&sim->ledger.frame[uid]);
}

void
ledger_moved(uint32_t losers)
{
	for (uint8_t i = 0; i < sim->set.nb_wires; i++) {
		const struct slot *s = world_slot_of_wire(i);

		if (s == NULL || (losers & RTE_BIT32(s->member->id)))
			sim->wire[i].left_at = sim->now;
	}
}

/* ---- the sums --------------------------------------------------------------------- */

static bool
is_balanced(const struct frame *f)
{
	return f->nb_in == 0 || f->nb_out + f->nb_drop == (f->broadcast ? f->want : f->nb_in);
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

/* What a frozen lcore had in hand is lost: a burst in each of its hands, and its egress' hold. */
uint32_t
ledger_may_miss(void)
{
	return sim->nb_frozen * (2 * TP_BURST_MAX + TP_EGRESS_HOLD);
}

void
ledger_check(void)
{
	const struct ledger *l = &sim->ledger;
	uint32_t nb = ledger_nb_held();

	for (uint32_t i = 0; i < l->nb_frames && nb > ledger_may_miss(); i++) {
		const struct frame *f = &l->frame[i];

		if (is_balanced(f))
			continue;
		sim_fail("%u frames are neither out nor dropped; frame %u of flow %u to the %s, "
		         "read at %" PRIu64
		         ", was read %u times, left %u times, dropped %u times, want %u",
		                nb, i, f->flow, f->to_host ? "host" : "net", f->in_at - sim->t0,
		                f->nb_in, f->nb_out, f->nb_drop, f->want);
		return;
	}
	for (unsigned int i = 0; i < 2; i++) {
		if (sim->nb_frozen == 0 && l->bad_in[i] != l->bad_out[i] + l->bad_drop[i])
			sim_fail("of %" PRIu64 " frames corrupted on wires %" PRIu64
			         " left and %" PRIu64 " were dropped",
			                l->bad_in[i], l->bad_out[i], l->bad_drop[i]);
	}
}
