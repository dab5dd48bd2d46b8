/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>

#include "tcp_int.h"

/* A SYN cookie (RFC 4987 3.6): 5 bits of time, 3 bits of MSS, 24 bits of a keyed hash over those and
 * all numbers of the SYN. What else must be remembered goes into the low bits of our timestamp, which
 * the peer echoes; without timestamps, neither scaling nor SACK.
 */
#define TICK_NS (64 * TP_NS_PER_S)
#define TICKS 2 /* a cookie is good for this one and the one before */
#define NO_WSCALE 15
#define TS_WSCALE 0x0f
#define TS_SACK 0x10
#define TS_ECN 0x20
#define TS_BITS 0x3f

static const uint16_t mss_steps[8] = { 216, 536, 1220, 1360, 1440, 1460, 4036, 8940 };

static uint8_t
mss_step(uint16_t mss)
{
	uint8_t step = 0;

	while (step + 1u < RTE_DIM(mss_steps) && mss_steps[step + 1] <= mss)
		step++;
	return step;
}

static uint32_t
cookie(const struct tp_tcp_env *env, const struct tp_tcp_key *key, uint32_t irs, uint64_t tick,
                uint8_t step)
{
	struct {
		uint64_t tick;
		struct tp_tcp_key key;
		uint32_t irs;
		uint32_t step;
		uint32_t zero;
	} in = { .tick = tick, .key = *key, .irs = irs, .step = step };
	uint32_t hash;

	static_assert(sizeof(in) == 8 + sizeof(struct tp_tcp_key) + 12, "no holes");
	hash = tcp_siphash(env->secret->cookie, &in, sizeof(in));
	return (uint32_t)(tick & 0x1f) << 27 | (uint32_t)step << 24 | (hash & 0xffffff);
}

/* Not later than it is now, or the peer would drop what we say next (RFC 7323 5.3). */
static void
hide_in_timestamp(struct tp_tcp_conn *c, uint64_t now)
{
	uint32_t ts = tcp_ts_now(c, now), value = ts & ~TS_BITS;

	value |= c->flags & TP_TCP_F_WSCALE ? c->snd_wscale : NO_WSCALE;
	value |= c->flags & TP_TCP_F_SACK ? TS_SACK : 0;
	value |= c->flags & TP_TCP_F_ECN ? TS_ECN : 0;
	if (tp_seq_gt(value, ts))
		value -= TS_BITS + 1;
	c->ts_off += value - ts;
}

struct rte_mbuf *
tp_tcp_cookie_reply(struct tp_tcp_env *env, const struct tp_tcp_key *key,
                const struct tp_tcp_seg *syn, uint64_t now)
{
	struct tp_tcp_conn c;
	struct rte_mbuf *m;

	memset(&c, 0, sizeof(c));
	tp_tcp_conn_init(env, &c, key, now);
	if ((syn->flags & (TP_TCP_ECE | TP_TCP_CWR)) != (TP_TCP_ECE | TP_TCP_CWR))
		c.flags &= ~TP_TCP_F_ECN;
	tcp_take_syn(env, &c, syn);
	c.iss = cookie(env, key, syn->seq, now / TICK_NS, mss_step(c.peer_mss));
	if (c.flags & TP_TCP_F_TS)
		hide_in_timestamp(&c, now);
	else
		c.flags &= ~(TP_TCP_F_WSCALE | TP_TCP_F_SACK | TP_TCP_F_ECN);
	c.state = TP_TCP_SYN_RCVD;
	m = tcp_make_syn(env, &c, now);
	if (m != NULL) {
		tcp_count(env, TP_TCP_M_COOKIES_SENT);
		tcp_count(env, TP_TCP_M_OUT_SEGS);
	}
	return m;
}

/* @return its MSS step, or -EINVAL */
static int
cookie_check(const struct tp_tcp_env *env, const struct tp_tcp_key *key,
                const struct tp_tcp_seg *ack, uint64_t now)
{
	uint32_t value = ack->ack - 1;
	uint64_t tick = now / TICK_NS;
	uint8_t step = value >> 24 & 7;

	if ((ack->flags & (TP_TCP_ACK | TP_TCP_SYN | TP_TCP_RST)) != TP_TCP_ACK)
		return -EINVAL;
	for (int i = 0; i < TICKS && tick >= (uint64_t)i; i++)
		if (value == cookie(env, key, ack->seq - 1, tick - i, step))
			return step;
	return -EINVAL;
}

/* The SYN, as far as it is known again. */
static struct tp_tcp_seg
remembered_syn(const struct tp_tcp_seg *ack, uint8_t step)
{
	uint32_t bits = ack->ts_ecr & TS_BITS;
	struct tp_tcp_seg syn = {
		.seq = ack->seq - 1,
		.flags = TP_TCP_SYN,
		.opts = TP_TCP_O_MSS,
		.mss = mss_steps[step],
		.wnd = ack->wnd,
	};

	if (!(ack->opts & TP_TCP_O_TS))
		return syn;
	syn.opts |= TP_TCP_O_TS;
	syn.ts_val = ack->ts_val;
	if ((bits & TS_WSCALE) != NO_WSCALE) {
		syn.opts |= TP_TCP_O_WSCALE;
		syn.wscale = bits & TS_WSCALE;
	}
	if (bits & TS_SACK)
		syn.opts |= TP_TCP_O_SACK_PERM;
	if (bits & TS_ECN)
		syn.flags |= TP_TCP_ECE | TP_TCP_CWR;
	return syn;
}

int
tp_tcp_cookie_open(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_key *key,
                const struct tp_tcp_seg *ack, uint64_t now)
{
	int step = cookie_check(env, key, ack, now);
	struct tp_tcp_seg syn;

	if (step < 0) {
		tcp_count(env, TP_TCP_M_COOKIES_FAILED);
		return -EINVAL;
	}
	tcp_count(env, TP_TCP_M_COOKIES_RECV);
	tp_tcp_conn_init(env, c, key, now);
	syn = remembered_syn(ack, step);
	c->flags |= TP_TCP_F_PASSIVE | TP_TCP_F_COOKIE;
	if (!(syn.flags & TP_TCP_ECE))
		c->flags &= ~TP_TCP_F_ECN;
	tcp_take_syn(env, c, &syn);
	c->iss = ack->ack - 1;
	c->snd_una = ack->ack;
	c->snd_nxt = ack->ack;
	c->snd_wl2 = c->iss;
	tcp_set_state(env, c, TP_TCP_SYN_RCVD);
	tcp_established(env, c, now);
	return 0;
}
