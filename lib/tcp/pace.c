/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

/* Faster than a window a round trip, so that pacing never limits; twice while cwnd doubles. */
#define PACE_CA_PERCENT 125
#define PACE_SS_PERCENT 200

/* @return ns that so many bytes take at the pace; 0: not known yet */
static uint64_t
pace_ns(const struct tp_tcp_conn *c, uint32_t len_bytes)
{
	uint32_t percent = c->cwnd < c->ssthresh ? PACE_SS_PERCENT : PACE_CA_PERCENT;

	return (uint64_t)c->srtt_us * len_bytes * (100 * TP_NS_PER_US) /
	       ((uint64_t)RTE_MAX(c->cwnd, 1u) * percent);
}

void
tcp_pace_sent(struct tp_tcp_conn *c, uint32_t len_bytes, uint64_t now)
{
	c->pace_ns = RTE_MAX(c->pace_ns, now) + pace_ns(c, len_bytes);
}

/* At once: two segments, or a millisecond's worth, so that large segments stay worth it; less as
 * long as what went before is ahead of the pace. */
uint32_t
tcp_pace_quota(const struct tp_tcp_conn *c, uint32_t room, uint64_t now)
{
	uint64_t burst, whole, ahead, quota;

	if (c->srtt_us == 0)
		return room;
	burst = RTE_MAX((uint64_t)c->cwnd * 1000 / c->srtt_us, 2u * c->snd_mss);
	whole = pace_ns(c, burst);
	ahead = c->pace_ns > now ? c->pace_ns - now : 0;
	if (ahead >= whole)
		return 0;
	quota = burst * (whole - ahead) / whole;
	/* Less than a segment is not worth one. */
	return quota < c->snd_mss ? 0 : RTE_MIN((uint64_t)room, quota);
}
