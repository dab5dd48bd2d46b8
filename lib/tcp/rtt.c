/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

#define MIN_RTT_WINDOW_MS 10000
/* RFC 6298 2: clock granularity G. */
#define RTT_GRANULARITY_US 1000

/* RFC 7323 G: with several samples in a round trip each weighs less, so that the memory stays as
 * long as that of RFC 6298. @return log2 of how many are expected, rounded up */
static uint32_t
samples_log2(const struct tp_tcp_conn *c)
{
	uint32_t nb = (c->snd_nxt - c->snd_una) / (2 * RTE_MAX(c->snd_mss, 1));

	return nb < 2 ? 0 : 32 - __builtin_clz(nb - 1);
}

uint32_t
tcp_rto_of(const struct tp_tcp_conf *conf, const struct tp_tcp_conn *c)
{
	uint64_t rto = c->srtt_us +
	               RTE_MAX((uint64_t)RTT_GRANULARITY_US, 4 * (uint64_t)c->rttvar_us);

	rto = RTE_MAX(rto, conf->min_rto_ns / TP_NS_PER_US);
	return RTE_MIN(rto, conf->max_rto_ns / TP_NS_PER_US);
}

void
tcp_rtt_sample(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t rtt_ns, uint64_t now)
{
	uint64_t max_us = env->conf->max_rto_ns / TP_NS_PER_US;
	int64_t r = RTE_MIN(RTE_MAX(rtt_ns / TP_NS_PER_US, 1u), max_us), err;

	(void)now;
	c->flags &= ~TP_TCP_F_TLP_BLIND;
	if (c->srtt_us == 0) {
		c->srtt_us = r;
		c->rttvar_us = r / 2;
	} else {
		err = r - c->srtt_us;
		/* It rises at once, or a burst of samples after a jump would leave it low; the mean
		 * follows in full, too, as its rounding would swallow a lighter sample. */
		if (llabs(err) > c->rttvar_us)
			c->rttvar_us += (llabs(err) - c->rttvar_us) / 4;
		else
			c->rttvar_us -= (c->rttvar_us - llabs(err)) >> (2 + samples_log2(c));
		c->srtt_us = RTE_MAX(c->srtt_us + err / 8, 1);
	}
	c->rto_us = tcp_rto_of(env->conf, c);
}

void
tcp_rtt_min(struct tp_tcp_conn *c, uint64_t rtt_ns, uint64_t now)
{
	uint32_t rtt_us = RTE_MIN(RTE_MAX(rtt_ns / TP_NS_PER_US, 1u), UINT32_MAX);
	uint32_t now_ms = tcp_ms(now);

	if (c->min_rtt_us != 0 && rtt_us > c->min_rtt_us &&
	                now_ms - c->min_rtt_ms < MIN_RTT_WINDOW_MS)
		return;
	c->min_rtt_us = rtt_us;
	c->min_rtt_ms = now_ms;
}

uint64_t
tcp_rto_ns(const struct tp_tcp_env *env, const struct tp_tcp_conn *c)
{
	uint64_t rto = c->rto_us * TP_NS_PER_US;

	if (rto == 0)
		rto = env->conf->init_rto_ns;
	/* RFC 6298 5.5 */
	rto <<= RTE_MIN(c->nb_rexmit, 16);
	return RTE_MIN(rto, env->conf->max_rto_ns);
}
