/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

/* RFC 5681 3.2 */
#define DUP_THRESH 3

static bool
is_reducing(const struct tp_tcp_conn *c)
{
	return c->ca >= TP_TCP_CA_CWR;
}

/* RFC 5681's FlightSize, without what limited transmit added. */
static uint32_t
flight_size(const struct tp_tcp_conn *c, uint32_t una)
{
	return RTE_MIN(c->snd_nxt - una,
	                c->flags & TP_TCP_F_EXEMPT ? c->cubic.cwnd_prior : c->cwnd);
}

/* A state that lasts until all that is sent by now is acknowledged. */
static void
episode_begin(struct tp_tcp_conn *c, enum tp_tcp_ca ca)
{
	c->ca = ca;
	c->recover_point = c->snd_nxt;
	c->flags &= ~TP_TCP_F_TLP_NOW;
	c->frto = 0;
}

static void
undo_arm(struct tp_tcp_conn *c, uint32_t una)
{
	c->undo_valid = true;
	c->undo_marker = una;
	c->undo_retrans = 0;
}

/* The one reduction of an episode; says CWR if the peer listens (RFC 3168 6.1.2). */
static void
reduce(struct tp_tcp_conn *c, uint32_t flight, uint64_t now)
{
	if (c->flags & TP_TCP_F_EXEMPT) {
		c->flags &= ~TP_TCP_F_EXEMPT;
		c->cwnd = c->cubic.cwnd_prior;
		c->ssthresh = c->cubic.ssthresh_prior;
	}
	tcp_cc_save(c);
	c->ssthresh = tcp_cc(c)->reduce(c, flight, now);
	if (c->flags & TP_TCP_F_ECN)
		c->flags |= TP_TCP_F_CWR_SEND;
}

void
tcp_reduce_once(struct tp_tcp_conn *c, uint64_t now)
{
	if (is_reducing(c))
		return;
	reduce(c, flight_size(c, c->snd_una), now);
	c->undo_valid = false;
	c->cwnd = RTE_MIN(c->cwnd, c->ssthresh);
}

/* ---- Recovery ----------------------------------------------------------- */

static void
enter_exempt(struct tp_tcp_conn *c)
{
	tcp_cc_save(c);
	c->flags |= TP_TCP_F_EXEMPT;
	c->ssthresh = c->cwnd;
	c->undo_valid = false;
	tcp_prr_begin(c, c->snd_nxt - c->snd_una);
	episode_begin(c, TP_TCP_CA_RECOVERY);
}

static void
enter_recovery(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tcp_ack *ack,
                uint64_t now)
{
	uint32_t una = ack->moved ? ack->prior_una : c->snd_una;

	if (ack->lost_congested == 0) {
		if (c->ca != TP_TCP_CA_CWR)
			enter_exempt(c);
		else
			episode_begin(c, TP_TCP_CA_RECOVERY);
		return;
	}
	tcp_count(env, c->flags & TP_TCP_F_SACK ? TP_TCP_M_RECOVERY : TP_TCP_M_RENO_RECOVERY);
	/* CWR has reduced for this window. */
	if (c->ca != TP_TCP_CA_CWR) {
		reduce(c, flight_size(c, una), now);
		tcp_prr_begin(c, c->snd_nxt - una);
	}
	undo_arm(c, c->snd_una);
	episode_begin(c, TP_TCP_CA_RECOVERY);
}

/* In an exempt recovery something was lost for another reason after all. */
static void
exempt_ends(struct tp_tcp_conn *c, uint64_t now)
{
	reduce(c, flight_size(c, c->snd_una), now);
	tcp_prr_begin(c, c->snd_nxt - c->snd_una);
	undo_arm(c, c->snd_una);
	episode_begin(c, TP_TCP_CA_RECOVERY);
}

/* Something was marked lost. @return whether a recovery begins, whose first retransmission waits
 * for nothing */
static bool
lost(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tcp_ack *ack, uint64_t now)
{
	if (ack->lost == 0 || c->ca == TP_TCP_CA_LOSS)
		return false;
	if (c->ca == TP_TCP_CA_RECOVERY) {
		if ((c->flags & TP_TCP_F_EXEMPT) && ack->lost_congested > 0)
			exempt_ends(c, now);
		return false;
	}
	enter_recovery(env, c, ack, now);
	return true;
}

void
tcp_recovery_lost(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tcp_ack *ack,
                uint64_t now)
{
	bool first = lost(env, c, ack, now);

	if (c->ca == TP_TCP_CA_RECOVERY)
		tcp_prr_ack(c, 0, first);
}

void
tcp_recovery_exempt(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	struct tp_tcp_rec *first = NULL, *rec;
	struct tcp_ack ack = { .now = now };

	for (rec = c->tx_head; rec != NULL; rec = rec->next) {
		if (rec->flags & TP_TCP_REC_SACKED)
			continue;
		tcp_rec_mark(c, rec, TP_TCP_REC_EXEMPT, 0);
		if (first == NULL)
			first = rec;
	}
	if (first == NULL)
		return;
	if (tcp_rec_bytes(first) > c->snd_mss)
		tcp_txq_split(env, c, first, c->snd_mss);
	tcp_mark_lost(env, c, first, &ack);
	if (c->state <= TP_TCP_SYN_RCVD)
		return;
	tcp_recovery_lost(env, c, &ack, now);
	c->cwnd = RTE_MAX(c->cwnd, tcp_in_flight(c) + c->snd_mss);
}

/* ---- Loss --------------------------------------------------------------- */

/* All that is out was sent before its member died: no sign of congestion, but nothing clocks
 * any more; PRR begins anew from one segment. */
static bool
loss_is_exempt(const struct tp_tcp_conn *c, const struct tcp_ack *ack)
{
	return ack->lost > 0 && ack->lost_congested == 0 && c->ca != TP_TCP_CA_LOSS &&
	       c->state > TP_TCP_SYN_RCVD;
}

/* RFC 5681 3.1 (4): not again for what a timeout has sent before. */
static void
loss_reduce(struct tp_tcp_conn *c, uint32_t flight, uint64_t now)
{
	if (c->ca == TP_TCP_CA_LOSS && c->nb_rexmit > 1)
		return;
	if (!is_reducing(c) || !c->undo_valid) {
		reduce(c, flight, now);
		undo_arm(c, c->snd_una);
	} else {
		/* What undo brings back is the window before the first of the two. */
		c->ssthresh = tcp_cc(c)->reduce(c, flight, now);
	}
	tcp_cc(c)->timeout(c, now);
}

void
tcp_enter_loss(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	bool again = c->ca == TP_TCP_CA_LOSS && tp_seq_lt(c->snd_una, c->recover_point);
	uint32_t flight = flight_size(c, c->snd_una);
	struct tcp_ack ack = { .now = now };

	/* What is SACKed at snd_una the peer has thrown away (RFC 2018 8). */
	if (c->tx_head->flags & TP_TCP_REC_SACKED)
		tcp_sack_forget(env, c);
	c->dupacks = 0;
	c->tlp_out = false;
	c->flags &= ~TP_TCP_F_TLP_NOW;
	tcp_rack_timeout(env, c, &ack, now);
	if (c->state <= TP_TCP_SYN_RCVD) {
		c->cwnd = c->snd_mss;
		return;
	}
	if (loss_is_exempt(c, &ack)) {
		if (!(c->flags & TP_TCP_F_EXEMPT))
			enter_exempt(c);
		tcp_prr_begin(c, c->snd_nxt - c->snd_una);
		tcp_prr_ack(c, 0, true);
		return;
	}
	loss_reduce(c, flight, now);
	episode_begin(c, TP_TCP_CA_LOSS);
	/* RFC 5682 2.1: not when an earlier timeout's repair still goes on. */
	c->frto = again ? TCP_FRTO_NONE : TCP_FRTO_WAIT;
	c->cwnd = tcp_in_flight(c) + c->snd_mss;
}

/* RFC 5682 2.1 and 3.1: was the timeout needless? */
static void
frto_ack(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tcp_ack *ack, uint64_t now)
{
	bool done = tp_seq_geq(c->snd_una, c->recover_point);

	if ((c->flags & TP_TCP_F_SACK) && ack->original) {
		/* 3.1: what only the first transmission can have delivered */
		tcp_undo(env, c, now);
		return;
	}
	if (c->frto == TCP_FRTO_WAIT) {
		/* step 2: (b) new data decides, (a) or there is none to ask with */
		if (ack->moved && !done && tcp_unsent(c) > 0 &&
		                tp_seq_lt(c->snd_nxt, c->snd_una + c->snd_wnd))
			c->frto = TCP_FRTO_PROBE;
		else if (ack->moved || ack->dup || ack->sacked > 0)
			c->frto = TCP_FRTO_NONE;
	} else if (ack->moved && !(c->flags & TP_TCP_F_SACK)) {
		tcp_undo(env, c, now); /* step 3 (b) */
	} else if (ack->moved || ack->dup || ack->sacked > 0) {
		/* step 3 (a): conventional, with a window of three: two are the new data */
		c->cwnd = RTE_MIN(RTE_MAX(c->cwnd, tcp_in_flight(c) + c->snd_mss), 3u * c->snd_mss);
		c->frto = TCP_FRTO_NONE;
	}
}

/* ---- Undo --------------------------------------------------------------- */

void
tcp_undo(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	struct tp_tcp_rec *rec;

	tcp_count(env, TP_TCP_M_SPURIOUS_UNDO);
	for (rec = c->lost_out > 0 ? c->tx_head : NULL; rec != NULL; rec = rec->next)
		tcp_rec_mark(c, rec, 0, TP_TCP_REC_LOST);
	tcp_cc(c)->undo(c, now);
	c->undo_valid = false;
	c->frto = TCP_FRTO_NONE;
	c->dupacks = 0;
	if (is_reducing(c))
		c->ca = c->sacked_out > 0 ? TP_TCP_CA_DISORDER : TP_TCP_CA_OPEN;
}

/* RFC 3522 (the echo answers the original) or RFC 3708 (all retransmissions were reported
 * twice). */
static bool
may_undo(const struct tp_tcp_conn *c, const struct tcp_ack *ack)
{
	if (!c->undo_valid)
		return false;
	if (ack->spurious_ts && ack->moved && is_reducing(c))
		return true;
	return ack->dsack && c->undo_retrans == 0;
}

/* ---- an ACK ------------------------------------------------------------- */

static void
recovery_end(struct tp_tcp_conn *c)
{
	if (c->flags & TP_TCP_F_EXEMPT) {
		c->flags &= ~TP_TCP_F_EXEMPT;
		c->cwnd = c->cubic.cwnd_prior;
		c->ssthresh = c->cubic.ssthresh_prior;
	} else if (c->flags & TP_TCP_F_SACK) {
		c->cwnd = c->ssthresh;
	} else {
		/* RFC 6582 3.2 step 3, full acknowledgment (1): no burst */
		c->cwnd = RTE_MIN(c->ssthresh,
		                RTE_MAX(tcp_in_flight(c), (uint32_t)c->snd_mss) + c->snd_mss);
	}
	tcp_rack_recovered(c);
}

/* @return whether an episode ended */
static bool
leave_if_done(struct tp_tcp_conn *c)
{
	switch (c->ca) {
	case TP_TCP_CA_CWR:
		/* CWR has to reach the peer: the next byte's ACK says so (RFC 3168 6.1.2). */
		if (tp_seq_leq(c->snd_una, c->recover_point))
			return false;
		c->cwnd = RTE_MIN(c->cwnd, c->ssthresh);
		break;
	case TP_TCP_CA_RECOVERY:
		if (tp_seq_lt(c->snd_una, c->recover_point))
			return false;
		c->dupacks = 0;
		recovery_end(c);
		break;
	case TP_TCP_CA_LOSS:
		if (tp_seq_lt(c->snd_una, c->recover_point))
			return false;
		tcp_rack_recovered(c);
		break;
	default:
		return false;
	}
	c->frto = TCP_FRTO_NONE;
	c->ca = TP_TCP_CA_OPEN;
	return true;
}

static void
head_lost(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tcp_ack *ack)
{
	struct tp_tcp_rec *head = c->tx_head;

	if (head == NULL || (head->flags & TP_TCP_REC_LOST))
		return;
	if (tcp_rec_bytes(head) > c->snd_mss)
		tcp_txq_split(env, c, head, c->snd_mss);
	tcp_mark_lost(env, c, head, ack);
}

/* Duplicate ACKs that new data answers have left the window; in recovery the peer still holds what
 * the others stand for. @return bytes delivered that were not counted before (RFC 6937 3) */
static uint32_t
dupacks_moved(struct tp_tcp_conn *c, const struct tcp_ack *ack)
{
	uint32_t segs = (ack->acked + c->snd_mss - 1) / RTE_MAX(c->snd_mss, 1);
	uint32_t gone = RTE_MIN(c->dupacks, segs > 0 ? segs - 1 : 0);

	c->dupacks = is_reducing(c) ? c->dupacks - gone : 0;
	return ack->acked - RTE_MIN(ack->acked, gone * c->snd_mss);
}

/* Without SACK: RFC 5681 3.2 and RFC 6582 3.2. @return bytes delivered, as far as ACKs tell */
static uint32_t
newreno_ack(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tcp_ack *ack)
{
	if (ack->moved) {
		uint32_t delivered = dupacks_moved(c, ack);

		/* Partial: the next hole begins here. */
		if (c->ca == TP_TCP_CA_RECOVERY)
			head_lost(env, c, ack);
		return delivered;
	}
	/* After a timeout all of them are taken for lost. */
	if (!ack->dup || c->tx_head == NULL || c->ca == TP_TCP_CA_LOSS)
		return 0;
	if (c->dupacks < UINT8_MAX)
		c->dupacks++;
	/* Step 2: recover keeps duplicates of what was sent again from a second response. */
	if (c->dupacks >= DUP_THRESH && c->ca <= TP_TCP_CA_CWR &&
	                (c->ca == TP_TCP_CA_CWR || tp_seq_gt(c->snd_una, c->recover_point)))
		head_lost(env, c, ack);
	return c->snd_mss;
}

static void
grow(struct tp_tcp_conn *c, const struct tcp_ack *ack, uint64_t now)
{
	if (ack->acked == 0)
		return;
	if (tp_seq_gt(c->snd_una, c->cwnd_full_seq)) {
		/* The user or the peer limits, not cwnd: no growth (RFC 7661), no epoch. */
		c->cwnd_full_seq = c->snd_una - 1;
		if (c->ssthresh != UINT32_MAX)
			c->cubic.cwnd_epoch = 0;
		return;
	}
	tcp_cc(c)->grow(c, ack->acked, now);
}

static void
cwnd_ack(struct tp_tcp_conn *c, const struct tcp_ack *ack, uint32_t delivered, bool first,
                uint64_t now)
{
	switch (c->ca) {
	case TP_TCP_CA_CWR:
	case TP_TCP_CA_RECOVERY:
		tcp_prr_ack(c, delivered, first);
		break;
	case TP_TCP_CA_LOSS:
		/* What RACK finds lost only now was part of the window at the timeout. */
		c->cwnd = RTE_MAX(c->cwnd - RTE_MIN(c->cwnd, ack->lost), (uint32_t)c->snd_mss);
		if (ack->acked > 0)
			tcp_cc(c)->grow(c, ack->acked, now);
		break;
	default:
		grow(c, ack, now);
	}
}

/* ECE, once per window (RFC 3168 6.1.2). */
static void
ecn_ack(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tcp_ack *ack, uint64_t now)
{
	uint32_t flight = flight_size(c, ack->prior_una);

	tcp_count(env, TP_TCP_M_ECN_ECE_RECV);
	if (is_reducing(c) || c->tx_head == NULL)
		return;
	reduce(c, flight, now);
	c->undo_valid = false;
	tcp_prr_begin(c, c->snd_nxt - ack->prior_una);
	episode_begin(c, TP_TCP_CA_CWR);
}

static void
disorder(struct tp_tcp_conn *c)
{
	bool late = c->sacked_out > 0 || c->dupacks > 0 || c->lost_out > 0;

	if (!is_reducing(c))
		c->ca = late ? TP_TCP_CA_DISORDER : TP_TCP_CA_OPEN;
}

uint64_t
tcp_recovery_ack(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tcp_ack *ack, uint64_t now)
{
	bool reno = !(c->flags & TP_TCP_F_SACK), first, left;
	uint32_t delivered = ack->acked + ack->sacked;
	uint64_t reo = 0;

	/* Only a SYN is out: a timeout sends it again, nothing else. */
	if (unlikely(c->state <= TP_TCP_SYN_RCVD))
		return 0;
	/* Keep it near, or it would be ahead after half the number space. */
	if (!is_reducing(c) && ack->moved && tp_seq_gt(c->snd_una, c->recover_point))
		c->recover_point = c->snd_una - 1;
	if (likely(c->ca == TP_TCP_CA_OPEN && (c->sacked_out | c->lost_out | c->retrans_out) == 0 &&
	                    !ack->dup && !ack->dsack && !ack->ece)) {
		grow(c, ack, now);
		return 0;
	}
	if (may_undo(c, ack))
		tcp_undo(env, c, now);
	left = leave_if_done(c);
	if (c->frto != TCP_FRTO_NONE)
		frto_ack(env, c, ack, now);
	if (reno)
		delivered = newreno_ack(env, c, ack);
	else
		reo = tcp_rack_detect(env, c, ack, now);
	first = lost(env, c, ack, now);
	if (ack->ece)
		ecn_ack(env, c, ack, now);
	disorder(c);
	/* The ACK that ends an episode has set cwnd. */
	if (!left || c->ca >= TP_TCP_CA_CWR)
		cwnd_ack(c, ack, delivered, first, now);
	return reo;
}
