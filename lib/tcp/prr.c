/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

void
tcp_prr_begin(struct tp_tcp_conn *c, uint32_t flight)
{
	c->prr_delivered = 0;
	c->prr_out = 0;
	c->recover_fs = RTE_MAX(flight, 1u);
}

/* RFC 6937 3, with the slow start reduction bound. The share is rounded up to segments, as in its
 * examples: less than one would not be sent. @return sndcnt, bytes, possibly below 0 */
static int64_t
prr_sndcnt(const struct tp_tcp_conn *c, uint32_t pipe, uint32_t delivered)
{
	int64_t limit;

	if (pipe > c->ssthresh) {
		uint64_t share = (uint64_t)c->prr_delivered * c->ssthresh / c->recover_fs;

		limit = (int64_t)share - c->prr_out;
		return limit > 0 ? (int64_t)RTE_ALIGN_MUL_CEIL(limit, (int64_t)c->snd_mss) : 0;
	}
	limit = RTE_MAX((int64_t)c->prr_delivered - c->prr_out, (int64_t)delivered) + c->snd_mss;
	return RTE_MIN((int64_t)(c->ssthresh - pipe), limit);
}

void
tcp_prr_ack(struct tp_tcp_conn *c, uint32_t delivered, bool retransmit)
{
	uint32_t pipe = tcp_in_flight(c);
	int64_t sndcnt;

	c->prr_delivered += delivered;
	sndcnt = prr_sndcnt(c, pipe, delivered);
	if (retransmit)
		sndcnt = RTE_MAX(sndcnt, (int64_t)c->snd_mss);
	c->cwnd = pipe + RTE_MAX(sndcnt, 0);
}
