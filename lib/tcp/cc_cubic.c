/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <math.h>

#include "tcp_int.h"

/* RFC 9438 4.6, 5.1 */
#define BETA_NUM 7
#define BETA_DEN 10
#define CUBIC_C 0.4
/* Equation 4: 3 * (1 - beta) / (1 + beta) */
#define ALPHA (9.0 / 17.0)
/* Growth is computed so many times a window: rounding and cost stay small. */
#define STEPS_LOG2 4

/* Equation 1, in bytes; below 0 far before K. */
static double
w_cubic(const struct tp_tcp_conn *c, uint32_t t_ms)
{
	double d = ((double)t_ms - c->cubic.k_ms) / 1000;

	return CUBIC_C * d * d * d * c->snd_mss + c->cubic.w_max;
}

/* Equation 2 */
static void
epoch_begin(struct tp_tcp_conn *c, uint64_t now)
{
	struct tp_tcp_cubic *q = &c->cubic;

	q->epoch_ms = tcp_ms(now);
	q->cwnd_epoch = c->cwnd;
	q->w_est = c->cwnd;
	q->k_ms = 0;
	if (q->w_max > c->cwnd) {
		double segs = (double)(q->w_max - c->cwnd) / RTE_MAX(c->snd_mss, 1);

		q->k_ms = (uint32_t)(1000 * cbrt(segs / CUBIC_C) + 0.5);
	} else {
		q->w_max = c->cwnd;
	}
}

/* 4.3: what Reno would have reached. @return bytes */
static double
w_est_add(struct tp_tcp_conn *c, uint32_t acked)
{
	double alpha = c->cubic.w_est >= c->cubic.cwnd_prior ? 1.0 : ALPHA;
	double w_est = c->cubic.w_est + alpha * c->snd_mss * acked / c->cwnd;

	c->cubic.w_est = (uint32_t)(w_est + 0.5);
	return w_est;
}

/* 4.2 to 4.5 */
static void
cubic_step(struct tp_tcp_conn *c, uint32_t acked, uint64_t now)
{
	uint32_t t_ms = tcp_ms(now) - c->cubic.epoch_ms;
	double w_est = w_est_add(c, acked), target;

	if (w_cubic(c, t_ms) < w_est) {
		if (w_est > c->cwnd)
			tcp_cwnd_add(c, (uint32_t)(w_est - c->cwnd));
		return;
	}
	target = w_cubic(c, t_ms + c->srtt_us / 1000);
	target = RTE_MIN(target, 1.5 * c->cwnd);
	if (target > c->cwnd)
		tcp_cwnd_add(c, (uint32_t)((target - c->cwnd) * acked / c->cwnd + 0.5));
}

static void
cubic_grow(struct tp_tcp_conn *c, uint32_t acked, uint64_t now)
{
	if (c->cwnd < c->ssthresh)
		acked = tcp_slow_start(c, acked);
	if (acked == 0)
		return;
	if (c->cubic.cwnd_epoch == 0)
		epoch_begin(c, now);
	c->cubic.acked += acked;
	if (c->cubic.acked < c->cwnd >> STEPS_LOG2)
		return;
	cubic_step(c, c->cubic.acked, now);
	c->cubic.acked = 0;
}

/* 4.6, 4.7 */
static uint32_t
cubic_reduce(struct tp_tcp_conn *c, uint32_t flight, uint64_t now)
{
	struct tp_tcp_cubic *q = &c->cubic;

	(void)now;
	if (c->cwnd < q->w_max)
		q->w_max = (uint64_t)c->cwnd * (BETA_DEN + BETA_NUM) / (2 * BETA_DEN);
	else
		q->w_max = c->cwnd;
	q->cwnd_epoch = 0;
	return RTE_MAX((uint32_t)((uint64_t)flight * BETA_NUM / BETA_DEN), 2u * c->snd_mss);
}

/* 4.8: the first congestion avoidance after a timeout begins at its plateau. */
static void
cubic_timeout(struct tp_tcp_conn *c, uint64_t now)
{
	(void)now;
	c->cubic.w_max = 0;
	c->cubic.cwnd_epoch = 0;
}

/* 4.9 */
static void
cubic_undo(struct tp_tcp_conn *c, uint64_t now)
{
	(void)now;
	tcp_cc_restore(c);
}

const struct tcp_cc_ops tcp_cc_cubic = {
	.name = "cubic",
	.grow = cubic_grow,
	.reduce = cubic_reduce,
	.timeout = cubic_timeout,
	.undo = cubic_undo,
};
