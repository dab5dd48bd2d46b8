/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

/* Bytes that may still come. Beyond one half of what the shard may hold, every connection's share
 * shrinks with what is left of the other half.
 */
static uint32_t
room(const struct tp_tcp_env *env, const struct tp_tcp_conn *c)
{
	uint64_t free = c->rcv_buf > c->rcv_unread ? c->rcv_buf - c->rcv_unread : 0;
	uint64_t half = env->held_max / 2, left;

	if (half > 0) {
		left = env->held_max > env->held_bytes ? env->held_max - env->held_bytes : 0;
		if (left < half)
			free = free * left / half;
	}
	return RTE_MIN(free, (uint64_t)UINT16_MAX << c->rcv_wscale);
}

/* RFC 9293 3.8.6.2.2: the right edge moves by one MSS or half of the buffer at least, or not at all.
 * Where it stays, it is rounded up to what scaling can say as long as there is room for that, else
 * down (RFC 7323 2.4); we keep taking what it once was.
 */
uint32_t
tcp_rcv_wnd(const struct tp_tcp_env *env, const struct tp_tcp_conn *c)
{
	uint32_t open = tp_seq_gt(c->rcv_adv, c->rcv_nxt) ? c->rcv_adv - c->rcv_nxt : 0;
	uint32_t max = room(env, c), unit = 1u << c->rcv_wscale;
	uint32_t step = RTE_MIN(c->rcv_buf / 2, c->snd_mss);

	if (max >= open + step)
		return max & ~(unit - 1);
	if (RTE_ALIGN_CEIL(open, unit) <= max)
		return RTE_ALIGN_CEIL(open, unit);
	return open & ~(unit - 1);
}
