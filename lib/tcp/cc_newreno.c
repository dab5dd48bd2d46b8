/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

/* RFC 5681 3.1: a segment a window, counted in bytes (RFC 3465). */
static void
newreno_grow(struct tp_tcp_conn *c, uint32_t acked, uint64_t now)
{
	(void)now;
	if (c->cwnd < c->ssthresh)
		acked = tcp_slow_start(c, acked);
	if (acked == 0)
		return;
	c->cubic.acked += acked;
	if (c->cubic.acked < c->cwnd)
		return;
	c->cubic.acked -= c->cwnd;
	tcp_cwnd_add(c, c->snd_mss);
}

/* RFC 5681 3.1 (4) */
static uint32_t
newreno_reduce(struct tp_tcp_conn *c, uint32_t flight, uint64_t now)
{
	(void)now;
	c->cubic.acked = 0;
	return RTE_MAX(flight / 2, 2u * c->snd_mss);
}

static void
newreno_timeout(struct tp_tcp_conn *c, uint64_t now)
{
	(void)now;
	c->cubic.acked = 0;
}

static void
newreno_undo(struct tp_tcp_conn *c, uint64_t now)
{
	(void)now;
	tcp_cc_restore(c);
}

const struct tcp_cc_ops tcp_cc_newreno = {
	.name = "newreno",
	.grow = newreno_grow,
	.reduce = newreno_reduce,
	.timeout = newreno_timeout,
	.undo = newreno_undo,
};
