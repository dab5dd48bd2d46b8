/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

void
tcp_marks_init(struct tp_tcp_conn *c, uint32_t seq)
{
	c->recover_point = seq;
	c->cwnd_full_seq = seq;
	c->rack_fack = seq;
	c->rack_end_seq = seq;
	c->rack_reo_wnd_mult = 1;
	c->rack_reo_wnd_persist = TCP_RACK_PERSIST;
}

bool
tcp_ack_note_again(const struct tp_tcp_conn *c, struct tcp_ack *ack, const struct tp_tcp_rec *rec)
{
	uint32_t sent_ts = tcp_ts_now(c, rec->sent_ns);

	/* A SACK's echo is that of the last segment in order, older than all above the hole. */
	if (ack->has_ts && !ack->in_sack && tp_seq_lt(ack->ts_ecr, sent_ts)) {
		if (rec->seq == ack->prior_una && rec->nb_sent == 2)
			ack->spurious_ts = true;
		return false;
	}
	return tcp_since(rec->sent_ns, ack->now) >= c->min_rtt_us * TP_NS_PER_US;
}

/* RFC 6298 4 (Karn) and RFC 7323 4.1: by the record if it was sent once, else by the echo. What was
 * sent once may have been received long ago, and only its ACK was lost: an ACK that answers a
 * retransmission says nothing of it, and one that reports a duplicate has an old echo.
 */
static void
ack_rtt(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tcp_ack *ack)
{
	uint32_t ms;

	if (likely(ack->has_rtt && !ack->again)) {
		tcp_rtt_sample(env, c, tcp_since(ack->oldest_sent_ns, ack->now), ack->now);
		if (ack->has_newest && !ack->newest_retrans)
			tcp_rtt_min(c, tcp_since(ack->newest_sent_ns, ack->now), ack->now);
		c->nb_rexmit = 0;
		return;
	}
	if (!ack->moved)
		return;
	ms = tcp_ts_now(c, ack->now) - ack->ts_ecr;
	if (ack->has_ts && !ack->dsack && ms <= INT32_MAX) {
		tcp_rtt_sample(env, c, RTE_MAX(ms, 1u) * TP_NS_PER_MS, ack->now);
		c->nb_rexmit = 0;
	} else if (c->nb_rexmit > 0) {
		/* The backoff stays until a sample comes (RFC 6298 5). */
		c->rto_us = tcp_rto_ns(env, c) / TP_NS_PER_US;
		c->nb_rexmit = 0;
	}
}

/* RFC 5681 2: something is outstanding, and the ACK says nothing else. */
static bool
ack_is_dup(const struct tp_tcp_conn *c, const struct tp_tcp_seg *seg, const struct tcp_ack *ack,
                bool wnd_update)
{
	return !ack->moved && !wnd_update && seg->len == 0 && (c->tx_head != NULL || c->tlp_out) &&
	       !(seg->flags & (TP_TCP_SYN | TP_TCP_FIN));
}

static void
ack_timer(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tcp_ack *ack, uint64_t reo_ns)
{
	if (unlikely(reo_ns > 0)) {
		c->rexmit_kind = TP_TCP_REXMIT_REO;
		c->rexmit_ns = ack->now + reo_ns;
	} else if (ack->moved) {
		tcp_rexmit_arm(env, c, ack->now);
	} else if (c->rexmit_kind == TP_TCP_REXMIT_REO ||
	                (c->rexmit_kind == TP_TCP_REXMIT_TLP && c->sacked_out > 0)) {
		tcp_rexmit_arm_rto(env, c, ack->now);
	}
}

/* Nothing is outstanding, or a segment with data repeats the last ACK. A late DSACK, or the answer
 * to a probe, still teaches something. */
static bool
ack_is_empty(const struct tp_tcp_conn *c, const struct tp_tcp_seg *seg)
{
	if (seg->nb_sack > 0 || c->tlp_out)
		return false;
	return c->tx_head == NULL ||
	       (seg->ack == c->snd_una && seg->len > 0 && !(seg->flags & TP_TCP_ECE));
}

void
tcp_ack_process(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *seg,
                bool wnd_update, uint64_t now)
{
	struct tcp_ack ack;

	if (ack_is_empty(c, seg))
		return;
	ack = (struct tcp_ack){
		.now = now,
		.prior_una = c->snd_una,
		.ts_ecr = seg->ts_ecr,
		.has_ts = (c->flags & TP_TCP_F_TS) && (seg->opts & TP_TCP_O_TS) && seg->ts_ecr != 0,
		.moved = tp_seq_gt(seg->ack, c->snd_una),
		.has_sack = seg->nb_sack > 0,
		.ece = (seg->flags & (TP_TCP_ECE | TP_TCP_SYN)) == TP_TCP_ECE &&
		       (c->flags & TP_TCP_F_ECN),
	};
	ack.dup = ack_is_dup(c, seg, &ack, wnd_update);
	if (ack.moved) {
		tcp_txq_acked(env, c, seg->ack, &ack);
		c->first_rexmit_ns = 0;
		c->flags &= ~TP_TCP_F_TLP_NOW;
		if (unlikely(c->flags & TP_TCP_F_URG_SEND) && tp_seq_geq(c->snd_una, c->snd_up))
			c->flags &= ~TP_TCP_F_URG_SEND;
	}
	if (seg->nb_sack > 0 && (c->flags & TP_TCP_F_SACK))
		tcp_sack_update(env, c, seg, &ack);
	if (unlikely(ack.probe_acked > 0))
		tcp_pmtu_probe_acked(env, c, ack.probe_acked);
	ack_rtt(env, c, &ack);
	tcp_rack_update(c, &ack, now);
	if (unlikely(c->tlp_out))
		tcp_tlp_ack(env, c, seg, &ack, now);
	ack_timer(env, c, &ack, tcp_recovery_ack(env, c, &ack, now));
}
