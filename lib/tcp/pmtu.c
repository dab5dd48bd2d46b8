/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

/* RFC 4821 7.7: timeouts in a row before the size is in doubt. */
#define BLACKHOLE_TIMEOUTS 3
/* RFC 4821 7.2: where the search begins; RFC 8200 5 for IPv6. */
#define BASE_MTU_V4 1024
#define BASE_MTU_V6 1280
/* A path that takes less is not served: attackers would like tiny segments (RFC 5927 7). */
#define FLOOR_MTU_V4 552
/* The search ends when so little is left to gain. */
#define SEARCH_STEP 32
/* RFC 1191 6.3, RFC 8201 4: a path may be another one by then. */
#define AGE_MS (10 * 60 * 1000)

static uint16_t
floor_mtu(const struct tp_tcp_conn *c)
{
	return c->flags & TP_TCP_F_IS_V6 ? BASE_MTU_V6 : FLOOR_MTU_V4;
}

static uint16_t
headers(const struct tp_tcp_conn *c)
{
	return c->flags & TP_TCP_F_IS_V6 ? 40 + 20 : 20 + 20;
}

/* All of a data segment that is not payload. */
static uint16_t
overhead(const struct tp_tcp_conn *c)
{
	return headers(c) + (c->flags & TP_TCP_F_TS ? 12 : 0);
}

void
tcp_pmtu_timeout(struct tp_tcp_env *env, struct tp_tcp_conn *c)
{
	uint16_t base = c->flags & TP_TCP_F_IS_V6 ? BASE_MTU_V6 : BASE_MTU_V4, mtu;

	if (!env->conf->mtu_probing || c->nb_rexmit < BLACKHOLE_TIMEOUTS ||
	                c->state <= TP_TCP_SYN_RCVD)
		return;
	mtu = c->pmtu > base ? base : RTE_MAX(c->pmtu / 2, floor_mtu(c));
	if (mtu >= c->pmtu)
		return;
	tcp_count(env, TP_TCP_M_BLACKHOLE);
	if (!(c->flags & TP_TCP_F_MTU_PROBING))
		c->probe_high = c->pmtu;
	c->flags |= TP_TCP_F_MTU_PROBING;
	c->probe_low = mtu;
	c->pmtu = mtu;
	c->mtu_ms = tcp_ms(c->last_now);
	tcp_mss_update(c);
}

static bool
search_is_over(const struct tp_tcp_conn *c)
{
	return c->probe_high < c->probe_low + SEARCH_STEP;
}

/* RFC 4821 7.7: after a time it begins again, up to what both ends can. */
static void
search_again(const struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	uint32_t most = RTE_MIN((uint32_t)env->conf->mtu, (uint32_t)c->peer_mss + headers(c));

	if (!env->conf->mtu_probing || tcp_ms(now) - c->mtu_ms < AGE_MS)
		return;
	c->mtu_ms = tcp_ms(now);
	c->probe_low = c->pmtu;
	c->probe_high = RTE_MAX(most, (uint32_t)c->pmtu);
}

/* RFC 4821 7.3 to 7.5: the middle of the range, when all is well and more data follows that
 * shows a loss. */
uint32_t
tcp_pmtu_probe(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	uint32_t len, wnd = c->snd_una + c->snd_wnd - c->snd_nxt;

	if (likely(!(c->flags & TP_TCP_F_MTU_PROBING)))
		return 0;
	if ((c->flags & TP_TCP_F_MTU_PROBE) || c->ca != TP_TCP_CA_OPEN || c->nb_rexmit > 0)
		return 0;
	if (search_is_over(c))
		search_again(env, c, now);
	if (search_is_over(c))
		return 0;
	len = c->probe_low + (c->probe_high - c->probe_low + 1) / 2 - overhead(c);
	if (len <= c->snd_mss || len + overhead(c) - headers(c) > c->peer_mss)
		return 0;
	if (tcp_unsent(c) < len + 2u * c->snd_mss || wnd > c->snd_wnd || wnd < len ||
	                tcp_send_quota(c, now) < len)
		return 0;
	return len;
}

void
tcp_pmtu_probe_acked(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint32_t len_bytes)
{
	uint32_t mtu = len_bytes + overhead(c);

	c->flags &= ~TP_TCP_F_MTU_PROBE;
	if (mtu <= c->pmtu || mtu > UINT16_MAX)
		return;
	tcp_count(env, TP_TCP_M_PMTU_SUCCESS);
	c->probe_low = mtu;
	c->pmtu = mtu;
	c->mtu_ms = tcp_ms(c->last_now);
	tcp_mss_update(c);
}

void
tcp_pmtu_probe_lost(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint32_t len_bytes)
{
	uint32_t mtu = len_bytes + overhead(c);

	c->flags &= ~TP_TCP_F_MTU_PROBE;
	tcp_count(env, TP_TCP_M_PMTU_FAIL);
	c->probe_high = RTE_MAX(RTE_MIN(mtu - 1, c->probe_high), c->probe_low);
	c->mtu_ms = tcp_ms(c->last_now);
}

/* RFC 1191 5: routers that do not say it. */
static uint16_t
plateau_below(uint16_t mtu)
{
	static const uint16_t plateaus[] = { 32000, 17914, 8166, 4352, 2002, 1492, 1006, 552 };

	for (uint32_t i = 0; i < RTE_DIM(plateaus); i++)
		if (plateaus[i] < mtu)
			return plateaus[i];
	return mtu;
}

/* What was sent larger is gone; the router said why, so it is no sign of congestion. */
static void
oversize_lost(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint16_t old_mss, uint64_t now)
{
	struct tcp_ack ack = { .now = now };
	struct tp_tcp_rec *rec;

	if (c->snd_mss >= old_mss)
		return;
	for (rec = c->tx_head; rec != NULL; rec = rec->next) {
		if (tcp_rec_bytes(rec) <= c->snd_mss || tcp_rec_is_out_of_play(rec))
			continue;
		tcp_rec_mark(c, rec, TP_TCP_REC_EXEMPT, 0);
		tcp_mark_lost(env, c, rec, &ack);
	}
	tcp_recovery_lost(env, c, &ack, now);
}

void
tcp_pmtu_icmp(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint16_t mtu, uint64_t now)
{
	uint16_t old_mss = c->snd_mss;

	if (mtu == 0)
		mtu = plateau_below(c->pmtu);
	/* RFC 8201 4: less than IPv6's minimum is a lie. */
	if ((c->flags & TP_TCP_F_IS_V6) && mtu < BASE_MTU_V6)
		return;
	mtu = RTE_MAX(mtu, floor_mtu(c));
	if (mtu >= c->pmtu)
		return;
	tcp_count(env, TP_TCP_M_PMTU_ICMP);
	c->pmtu = mtu;
	c->mtu_ms = tcp_ms(now);
	if (env->conf->mtu_probing) {
		/* Nothing to search for yet. */
		c->flags |= TP_TCP_F_MTU_PROBING;
		c->probe_high = c->probe_low = mtu;
	}
	tcp_mss_update(c);
	oversize_lost(env, c, old_mss, now);
}
