/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

/* The RTO bound of a user timeout: it ends the connection, not the next backoff. */
static uint64_t
user_deadline(const struct tp_tcp_conn *c)
{
	if (c->user_timeout_ms == 0 || c->first_rexmit_ns == 0)
		return TP_NEVER;
	return c->first_rexmit_ns + c->user_timeout_ms * TP_NS_PER_MS;
}

static void
arm(struct tp_tcp_conn *c, enum tp_tcp_rexmit kind, uint64_t at)
{
	c->rexmit_kind = kind;
	c->rexmit_ns = at;
}

void
tcp_rexmit_arm(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	uint64_t rto = tcp_rto_ns(env, c);

	if (c->tx_head == NULL) {
		if (c->rexmit_kind != TP_TCP_REXMIT_PERSIST)
			arm(c, TP_TCP_REXMIT_NONE, TP_NEVER);
	} else if (tcp_tlp_allowed(c)) {
		arm(c, TP_TCP_REXMIT_TLP, now + RTE_MIN(tcp_tlp_pto_ns(c), rto));
	} else {
		arm(c, TP_TCP_REXMIT_RTO, RTE_MIN(now + rto, user_deadline(c)));
	}
}

/* The RTO counts from the oldest transmission, but not into the past. */
void
tcp_rexmit_arm_rto(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	uint64_t at = c->tx_head->sent_ns + tcp_rto_ns(env, c);

	at = RTE_MAX(at, now + c->srtt_us * TP_NS_PER_US);
	arm(c, TP_TCP_REXMIT_RTO, RTE_MIN(at, user_deadline(c)));
}

/* New data moves the probe (RFC 8985 7.2), but never behind the RTO of what is oldest: data that
 * trickles would keep both away. An RTO that runs stays (RFC 6298 5.1). */
static void
sent_timer(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_rec *rec, bool again,
                uint64_t now)
{
	uint64_t bound;

	if (again && rec == c->tx_head) {
		tcp_rexmit_arm(env, c, now);
		return;
	}
	switch (c->rexmit_kind) {
	case TP_TCP_REXMIT_NONE:
	case TP_TCP_REXMIT_PERSIST:
	case TP_TCP_REXMIT_SPACE:
		tcp_rexmit_arm(env, c, now);
		break;
	case TP_TCP_REXMIT_TLP:
		bound = c->tx_head->sent_ns + tcp_rto_ns(env, c);
		c->rexmit_ns = RTE_MIN(now + tcp_tlp_pto_ns(c), RTE_MAX(bound, now));
		break;
	default:
		break;
	}
}

static void
sent_again(struct tp_tcp_conn *c, struct tp_tcp_rec *rec)
{
	if (c->undo_valid)
		c->undo_retrans += rec->len;
	tcp_rec_mark(c, rec, TP_TCP_REC_RETRANS, TP_TCP_REC_EXEMPT);
}

/* RFC 8985 6.2 orders transmissions of the same instant by number, but new data may go out, then
 * something again, then more that is new: some ns tell which was last. */
static uint64_t
sent_at(const struct tp_tcp_conn *c, const struct tp_tcp_rec *rec, bool again, uint64_t now)
{
	const struct tp_tcp_rec *last = again ? c->tx_tail : rec->prev;

	if (likely(!again && c->retrans_out == 0) || last == NULL || last->sent_ns < now)
		return now;
	return last->sent_ns + (again ? 1 : 2);
}

void
tcp_sent(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_rec *rec, uint64_t now)
{
	bool again = rec->nb_sent > 0;

	rec->sent_ns = sent_at(c, rec, again, now);
	if (rec->nb_sent < UINT8_MAX)
		rec->nb_sent++;
	c->sent_ms = tcp_ms(now);
	if (unlikely(again))
		sent_again(c, rec);
	else if (tcp_in_flight(c) + c->snd_mss > c->cwnd)
		c->cwnd_full_seq = c->snd_nxt;
	if (unlikely(rec->flags & TP_TCP_REC_PROBE))
		c->flags |= TP_TCP_F_MTU_PROBE;
	if (c->ca >= TP_TCP_CA_CWR)
		c->prr_out += rec->len;
	if (unlikely(c->flags & TP_TCP_F_TLP_NOW)) {
		tcp_tlp_sent(env, c, again);
		tcp_rexmit_arm(env, c, now);
	}
	if (c->flags & TP_TCP_F_PACING)
		tcp_pace_sent(c, rec->len, now);
	sent_timer(env, c, rec, again, now);
}

uint32_t
tcp_send_quota(const struct tp_tcp_conn *c, uint64_t now)
{
	uint32_t flight, room;

	if (unlikely(c->state <= TP_TCP_SYN_RCVD))
		return UINT32_MAX;
	flight = tcp_in_flight(c);
	room = c->cwnd > flight ? c->cwnd - flight : 0;
	if (unlikely(c->flags & TP_TCP_F_TLP_NOW))
		return RTE_MAX(room, (uint32_t)c->snd_mss);
	if (c->flags & TP_TCP_F_PACING)
		return tcp_pace_quota(c, room, now);
	return room;
}

struct tp_tcp_rec *
tcp_retransmit_next(struct tp_tcp_conn *c)
{
	const uint8_t mask = TP_TCP_REC_LOST | TP_TCP_REC_RETRANS | TP_TCP_REC_SACKED;
	struct tp_tcp_rec *rec;

	if (c->flags & TP_TCP_F_TLP_NOW)
		return c->tx_tail;
	if (likely(c->lost_out == 0))
		return NULL;
	/* RFC 5682 2.1 step 2 (b): new data first. */
	if (c->frto == TCP_FRTO_PROBE && c->ca == TP_TCP_CA_LOSS)
		return NULL;
	rec = c->rexmit_hint != NULL ? c->rexmit_hint : c->tx_head;
	while (rec != NULL && (rec->flags & mask) != TP_TCP_REC_LOST)
		rec = rec->next;
	c->rexmit_hint = rec != NULL ? rec : c->tx_tail;
	return rec;
}

/* ---- expiry ------------------------------------------------------------- */

/* RFC 9293 3.8.3 R2, RFC 5482. */
static bool
gives_up(const struct tp_tcp_env *env, const struct tp_tcp_conn *c, uint64_t now)
{
	bool opening = c->state <= TP_TCP_SYN_RCVD;
	uint8_t retries = opening ? env->conf->syn_retries : env->conf->retries;

	if (c->user_timeout_ms > 0)
		return now >= user_deadline(c);
	return c->nb_rexmit >= retries;
}

static void
expired_rto(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	if (c->first_rexmit_ns == 0)
		c->first_rexmit_ns = RTE_MAX(c->tx_head->sent_ns, 1u);
	if (gives_up(env, c, now)) {
		tcp_count(env, TP_TCP_M_ABORT_TIMEOUT);
		tcp_closed(env, c, TP_TCP_R_TIMEOUT);
		return;
	}
	tcp_count(env, TP_TCP_M_TIMEOUTS);
	if (c->nb_rexmit < UINT8_MAX)
		c->nb_rexmit++;
	tcp_pmtu_timeout(env, c);
	tcp_enter_loss(env, c, now);
	tcp_rexmit_arm(env, c, now);
}

static void
expired_reo(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	struct tcp_ack ack = { .now = now };
	uint64_t timeout = tcp_rack_detect(env, c, &ack, now);

	if (ack.lost > 0)
		tcp_recovery_lost(env, c, &ack, now);
	if (timeout > 0)
		arm(c, TP_TCP_REXMIT_REO, now + timeout);
	else
		tcp_rexmit_arm_rto(env, c, now);
}

void
tcp_rexmit_expired(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	if (c->tx_head == NULL) {
		tcp_rexmit_arm(env, c, now);
		return;
	}
	switch (c->rexmit_kind) {
	case TP_TCP_REXMIT_TLP:
		c->flags |= TP_TCP_F_TLP_NOW;
		arm(c, TP_TCP_REXMIT_RTO, now + tcp_rto_ns(env, c));
		break;
	case TP_TCP_REXMIT_REO:
		expired_reo(env, c, now);
		break;
	case TP_TCP_REXMIT_RTO:
		expired_rto(env, c, now);
		break;
	default:
		break;
	}
}
