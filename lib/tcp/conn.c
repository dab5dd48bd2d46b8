/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

#define HDRS_V4 40 /* IP and TCP without options */
#define HDRS_V6 60
#define TS_OPTION 12
/* What a hostile peer may make of our segments: not less (RFC 9293 3.7.1 sets no limit). */
#define MSS_MIN 48
#define MSS_FLOOR 8

/* ---- beginning --------------------------------------------------------------------- */

static uint8_t
scale_for(uint32_t rcv_buf)
{
	uint8_t scale = 0;

	while (scale < TCP_MAX_WSCALE && rcv_buf >> scale > UINT16_MAX)
		scale++;
	return scale;
}

static uint32_t
flags_for(const struct tp_tcp_conf *conf, bool v6)
{
	return (conf->timestamps ? TP_TCP_F_TS : 0) | (conf->sack ? TP_TCP_F_SACK : 0) |
	       (conf->window_scale ? TP_TCP_F_WSCALE : 0) | (conf->ecn ? TP_TCP_F_ECN : 0) |
	       (conf->nodelay ? TP_TCP_F_NODELAY : 0) | (conf->quickack ? TP_TCP_F_QUICKACK : 0) |
	       (conf->keepalive ? TP_TCP_F_KEEPALIVE : 0) | (conf->pacing ? TP_TCP_F_PACING : 0) |
	       (v6 ? TP_TCP_F_IS_V6 : 0);
}

static void
init_timers(struct tp_tcp_conn *c, uint64_t now)
{
	c->rexmit_ns = TP_NEVER;
	c->delack_ns = TP_NEVER;
	c->keep_ns = TP_NEVER;
	c->last_now = now;
	c->rcvd_ns = now;
	c->opened_ns = now;
}

static void
init_numbers(const struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	c->iss = tcp_isn(env->secret, &c->key, now);
	c->snd_una = c->iss;
	c->snd_nxt = c->iss;
	c->ts_off = tcp_ts_offset(env->secret, &c->key);
}

void
tp_tcp_conn_init(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_key *key,
                uint64_t now)
{
	const struct tp_tcp_conf *conf = env->conf;
	bool v6 = !tp_tcp_key_is_v4(key);

	/* All but what belongs to the owner of the engine. */
	memset(c, 0, offsetof(struct tp_tcp_conn, owner_word));
	c->key = *key;
	c->flags = flags_for(conf, v6);
	c->cc = conf->cc;
	c->rcv_buf = conf->rcv_buf;
	c->snd_buf = conf->snd_buf;
	c->rcv_wscale = conf->window_scale ? scale_for(conf->rcv_buf) : 0;
	c->pmtu = conf->mtu;
	c->peer_mss = v6 ? TCP_MSS_DEFAULT_V6 : TCP_MSS_DEFAULT_V4;
	c->user_timeout_ms = conf->user_timeout_ns / TP_NS_PER_MS;
	c->flags |= c->user_timeout_ms != 0 ? TP_TCP_F_UTO_USER : 0;
	c->rto_us = conf->init_rto_ns / TP_NS_PER_US;
	c->ssthresh = UINT32_MAX;
	init_timers(c, now);
	init_numbers(env, c, now);
	tcp_mss_update(c);
	c->cwnd = c->snd_mss;
}

void
tcp_mss_update(struct tp_tcp_conn *c)
{
	uint32_t hdrs = c->flags & TP_TCP_F_IS_V6 ? HDRS_V6 : HDRS_V4;
	uint32_t mss = c->pmtu > hdrs ? c->pmtu - hdrs : 0;

	mss = RTE_MIN(mss, RTE_MAX((uint32_t)c->peer_mss, (uint32_t)MSS_MIN));
	/* RFC 6691 3: options come out of it. */
	if (c->flags & TP_TCP_F_TS)
		mss -= RTE_MIN(mss, (uint32_t)TS_OPTION);
	c->snd_mss = RTE_MAX(mss, (uint32_t)MSS_FLOOR);
}

void
tp_tcp_connect(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	tcp_clock(c, now);
	tcp_set_state(env, c, TP_TCP_SYN_SENT);
}

void
tp_tcp_accept(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_seg *syn, uint64_t now)
{
	now = tcp_clock(c, now);
	c->flags |= TP_TCP_F_PASSIVE;
	c->rcvd_ns = now;
	c->segs_in++;
	tcp_count(env, TP_TCP_M_IN_SEGS);
	/* RFC 3168 6.1.1: both bits ask for it. */
	if ((syn->flags & (TP_TCP_ECE | TP_TCP_CWR)) != (TP_TCP_ECE | TP_TCP_CWR))
		c->flags &= ~TP_TCP_F_ECN;
	tcp_take_syn(env, c, syn);
	rte_pktmbuf_free(syn->data);
	syn->data = NULL;
	tcp_set_state(env, c, TP_TCP_SYN_RCVD);
}

void
tcp_established(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	tcp_set_state(env, c, TP_TCP_ESTABLISHED);
	tcp_mss_update(c);
	tcp_cc_init(env, c);
	c->events |= TP_TCP_EV_ESTABLISHED;
	if (c->flags & TP_TCP_F_KEEPALIVE)
		c->keep_ns = now + env->conf->keep_idle_ns;
	if (c->flags & TP_TCP_F_FIN_WANTED)
		tcp_set_state(env, c, TP_TCP_FIN_WAIT_1);
}

/* ---- states -------------------------------------------------------------------------- */

static void
count_state(struct tp_tcp_env *env, enum tp_tcp_state old, enum tp_tcp_state new)
{
	if (new == TP_TCP_SYN_SENT)
		tcp_count(env, TP_TCP_M_ACTIVE_OPENS);
	if (new == TP_TCP_SYN_RCVD && old == TP_TCP_CLOSED)
		tcp_count(env, TP_TCP_M_PASSIVE_OPENS);
	if (new != TP_TCP_CLOSED)
		return;
	if (old == TP_TCP_SYN_SENT || old == TP_TCP_SYN_RCVD)
		tcp_count(env, TP_TCP_M_ATTEMPT_FAILS);
	if (old == TP_TCP_ESTABLISHED || old == TP_TCP_CLOSE_WAIT)
		tcp_count(env, TP_TCP_M_ESTAB_RESETS);
}

void
tcp_set_state(struct tp_tcp_env *env, struct tp_tcp_conn *c, enum tp_tcp_state state)
{
	count_state(env, c->state, state);
	c->state = state;
}

/* Nothing is sent any more but what flags say. */
static void
stop_sending(struct tp_tcp_env *env, struct tp_tcp_conn *c)
{
	tcp_txq_free(env, c);
	c->rexmit_kind = TP_TCP_REXMIT_NONE;
	c->rexmit_ns = TP_NEVER;
	c->flags &= ~(TP_TCP_F_PROBE_NOW | TP_TCP_F_TLP_NOW | TP_TCP_F_WANT_SPACE);
}

void
tcp_closed(struct tp_tcp_env *env, struct tp_tcp_conn *c, enum tp_tcp_reason reason)
{
	if (c->state == TP_TCP_CLOSED)
		return;
	stop_sending(env, c);
	tcp_reass_free(env, c);
	c->delack_ns = TP_NEVER;
	c->keep_ns = TP_NEVER;
	c->flags &= ~TP_TCP_F_ACK_NOW;
	c->reason = reason;
	c->events |= TP_TCP_EV_CLOSED;
	tcp_set_state(env, c, TP_TCP_CLOSED);
}

void
tcp_time_wait(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	if (c->state != TP_TCP_TIME_WAIT) {
		stop_sending(env, c);
		tcp_reass_free(env, c);
		tcp_set_state(env, c, TP_TCP_TIME_WAIT);
	}
	c->keep_ns = now + 2 * env->conf->msl_ns;
}

void
tcp_fin_wait_2(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	if (c->flags & TP_TCP_F_NO_READER)
		c->keep_ns = now + 2 * env->conf->msl_ns;
}

/* The limit is another one each second: how many came through tells a blind attacker nothing
 * (RFC 5961 7; CVE-2016-5696).
 */
static void
refill_challenges(struct tp_tcp_env *env, uint64_t sec)
{
	uint64_t random = tcp_siphash(env->secret->isn, &sec, sizeof(sec));

	env->challenge_sec = sec;
	env->challenge_left = TCP_CHALLENGES_PER_S / 2 + random % TCP_CHALLENGES_PER_S;
}

bool
tcp_challenge_ack(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	uint64_t sec = now / TP_NS_PER_S;

	if (env->challenge_sec != sec)
		refill_challenges(env, sec);
	if (env->challenge_left == 0) {
		tcp_count(env, TP_TCP_M_CHALLENGE_LIMIT);
		return false;
	}
	env->challenge_left--;
	tcp_count(env, TP_TCP_M_CHALLENGE_ACK);
	c->flags |= TP_TCP_F_ACK_NOW;
	return true;
}

/* ---- end ------------------------------------------------------------------------------- */

bool
tp_tcp_may_reopen(const struct tp_tcp_conn *c, const struct tp_tcp_seg *syn)
{
	bool ts = (c->flags & TP_TCP_F_TS) != 0;

	if (c->state != TP_TCP_TIME_WAIT ||
	                (syn->flags & (TP_TCP_SYN | TP_TCP_ACK | TP_TCP_RST)) != TP_TCP_SYN)
		return false;
	/* RFC 6191 2: a later timestamp, or timestamps where there were none. */
	if (syn->opts & TP_TCP_O_TS) {
		if (!ts || tp_seq_gt(syn->ts_val, c->ts_recent))
			return true;
		if (syn->ts_val != c->ts_recent)
			return false;
	}
	return tp_seq_gt(syn->seq, c->rcv_nxt);
}

void
tp_tcp_fini(struct tp_tcp_env *env, struct tp_tcp_conn *c)
{
	tcp_txq_free(env, c);
	tcp_reass_free(env, c);
	rte_pktmbuf_free(c->rcv_head);
	env->held_bytes -= c->rcv_unread;
	memset(c, 0, sizeof(*c));
}
