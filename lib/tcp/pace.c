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

/* At once: two segments, or a millisecond's worth, so that large segments stay worth it. */
uint32_t
tcp_pace_quota(const struct tp_tcp_conn *c, uint32_t room, uint64_t now)
{
	uint64_t ms_bytes;

	if (c->srtt_us == 0)
		return room;
	if (now < c->pace_ns)
		return 0;
	ms_bytes = (uint64_t)c->cwnd * 1000 / c->srtt_us;
	return RTE_MIN((uint64_t)room, RTE_MAX(ms_bytes, 2u * c->snd_mss));
}
