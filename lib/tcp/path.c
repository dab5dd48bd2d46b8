/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

void
tp_tcp_icmp(struct tp_tcp_env *env, struct tp_tcp_conn *c, enum tp_tcp_icmp kind, uint32_t seq,
                uint16_t mtu, uint64_t now)
{
	now = tcp_clock(c, now);
	/* RFC 5927 4.1: only what is in flight can have caused it. */
	if (c->state == TP_TCP_CLOSED || !tp_seq_leq(c->snd_una, seq) ||
	                !tp_seq_lt(seq, c->snd_nxt))
		return;
	switch (kind) {
	case TP_TCP_ICMP_MTU:
		tcp_pmtu_icmp(env, c, mtu, now);
		break;
	case TP_TCP_ICMP_HARD:
		/* RFC 5927 5.2: an established connection outlives it. */
		if (c->state <= TP_TCP_SYN_RCVD)
			tcp_closed(env, c, TP_TCP_R_UNREACHABLE);
		else
			c->events |= TP_TCP_EV_SOFT_ERR;
		break;
	case TP_TCP_ICMP_SOFT:
		c->events |= TP_TCP_EV_SOFT_ERR;
		break;
	}
}

void
tp_tcp_path_changed(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	now = tcp_clock(c, now);
	if (c->state == TP_TCP_CLOSED)
		return;
	tcp_recovery_exempt(env, c, now);
}
