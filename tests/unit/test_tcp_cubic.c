/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 9438: CUBIC against its own equations, in real numbers. */

#include <math.h>

#include "test_tcp_send.h"

#define C 0.4
#define BETA 0.7
#define ALPHA (3 * (1 - BETA) / (1 + BETA))

/* Congestion avoidance from here on: windows in segments. */
static void
start(struct tp_tcp_conn *c, uint32_t cwnd, uint32_t w_max, uint32_t rtt_ms)
{
	*c = (struct tp_tcp_conn){
		.snd_mss = SEND_MSS,
		.cwnd = cwnd * SEND_MSS,
		.ssthresh = cwnd * SEND_MSS,
		.srtt_us = rtt_ms * 1000,
		.cubic = { .w_max = w_max * SEND_MSS, .cwnd_prior = w_max * SEND_MSS },
	};
}

/* A millisecond in which a share of the window is acknowledged, in whole ACKs of two segments. */
static void
run_ms(struct tp_tcp_conn *c, uint64_t now, double *credit)
{
	*credit += (double)c->cwnd / (c->srtt_us / 1000.0);
	for (; *credit >= 2 * SEND_MSS; *credit -= 2 * SEND_MSS)
		tcp_cc_cubic.grow(c, 2 * SEND_MSS, now);
}

static double
segs(const struct tp_tcp_conn *c)
{
	return (double)c->cwnd / SEND_MSS;
}

#define assert_near(got, want, percent)                                                            \
	do {                                                                                       \
		double g_ = (got), w_ = (want);                                                    \
		if (fabs(g_ - w_) > fabs(w_) * (percent) / 100)                                    \
			fail_msg("%g is not within %g %% of %g", g_, (double)(percent), w_);       \
	} while (0)

/* 4.2 to 4.5: concave to W_max, a plateau at K, convex beyond. */
static void
curve(uint32_t w_max, uint32_t rtt_ms, uint32_t end_ms)
{
	double k = cbrt(w_max * (1 - BETA) / C), credit = 0, t;
	struct tp_tcp_conn c;
	uint64_t now = 77 * TP_NS_PER_S;

	start(&c, w_max * BETA, w_max, rtt_ms);
	for (uint32_t ms = 0; ms < end_ms; ms++, now += MS) {
		run_ms(&c, now, &credit);
		t = ms / 1000.0;
		if (ms > 5 * rtt_ms)
			assert_near(segs(&c), C * pow(t - k, 3) + w_max, 1);
	}
	assert_near(c.cubic.k_ms, k * 1000, 0.1);
}

static void
test_curve(void **state)
{
	(void)state;
	curve(1000, 100, 15000);
	curve(1000, 50, 15000);
	curve(5000, 80, 20000);
	curve(20000, 150, 30000);
}

/* 4.3: where Reno would be faster, as fast as Reno: alpha a round trip, 1 beyond the window before
 * the loss. */
static void
test_reno_friendly(void **state)
{
	double credit = 0, want = 14, rounds;
	struct tp_tcp_conn c;
	uint64_t now = 5 * TP_NS_PER_S;

	(void)state;
	start(&c, 14, 20, 10);
	for (uint32_t ms = 0; ms < 400; ms++, now += MS) {
		run_ms(&c, now, &credit);
		rounds = 1 / 10.0;
		want += (want >= 20 ? 1 : ALPHA) * rounds;
		if (ms > 20)
			assert_near(segs(&c), want, 3);
	}
	assert_true(segs(&c) > 45);
}

/* 4.2: growth is never more than half the window in a round trip. */
static void
test_target_is_bounded(void **state)
{
	double credit = 0;
	struct tp_tcp_conn c;
	uint32_t before;

	(void)state;
	start(&c, 100, 100, 100);
	tcp_cc_cubic.grow(&c, SEND_MSS, 0);
	c.cubic.epoch_ms -= 600000; /* the curve is far above */
	before = c.cwnd;
	for (uint32_t ms = 0; ms < 100; ms++)
		run_ms(&c, ms * MS, &credit);
	assert_true(c.cwnd > before * 5 / 4);
	assert_true(c.cwnd <= before * 7 / 4); /* compound interest */
}

/* 4.6 and 4.7: multiplicative decrease, and fast convergence. */
static void
test_reduce(void **state)
{
	struct tp_tcp_conn c;

	(void)state;
	start(&c, 100, 80, 100);
	assert_int_equal(tcp_cc_cubic.reduce(&c, 100 * SEND_MSS, 0), 70 * SEND_MSS);
	assert_int_equal(c.cubic.w_max, 100 * SEND_MSS);
	assert_int_equal(c.cubic.cwnd_epoch, 0);
	c.cwnd = 60 * SEND_MSS; /* before it had got back: make room */
	assert_int_equal(tcp_cc_cubic.reduce(&c, 60 * SEND_MSS, 0), 42 * SEND_MSS);
	assert_int_equal(c.cubic.w_max, 51 * SEND_MSS);
	assert_int_equal(tcp_cc_cubic.reduce(&c, SEND_MSS, 0), 2 * SEND_MSS);
}

/* 4.8: after a timeout, K is 0 and W_max the window where congestion avoidance begins. */
static void
test_timeout(void **state)
{
	struct tp_tcp_conn c;

	(void)state;
	start(&c, 100, 80, 100);
	c.ssthresh = tcp_cc_cubic.reduce(&c, 100 * SEND_MSS, 0);
	tcp_cc_cubic.timeout(&c, 0);
	c.ca = TP_TCP_CA_LOSS;
	c.cwnd = SEND_MSS;
	for (int i = 0; i < 69; i++) {
		assert_int_equal(c.cubic.cwnd_epoch, 0);
		tcp_cc_cubic.grow(&c, 2 * SEND_MSS, 0);
	}
	assert_int_equal(c.cwnd, 70 * SEND_MSS);
	c.ca = TP_TCP_CA_OPEN;
	tcp_cc_cubic.grow(&c, SEND_MSS, 0);
	assert_int_equal(c.cubic.k_ms, 0);
	assert_int_equal(c.cubic.w_max, 70 * SEND_MSS);
}

/* 4.9: a needless reduction is taken back. */
static void
test_undo(void **state)
{
	struct tp_tcp_conn c;

	(void)state;
	start(&c, 100, 80, 100);
	c.ssthresh = 90 * SEND_MSS;
	tcp_cc_save(&c);
	c.ssthresh = tcp_cc_cubic.reduce(&c, 100 * SEND_MSS, 0);
	c.cwnd = 70 * SEND_MSS;
	tcp_cc_cubic.undo(&c, 0);
	assert_int_equal(c.cwnd, 100 * SEND_MSS);
	assert_int_equal(c.ssthresh, 90 * SEND_MSS);
	assert_int_equal(c.cubic.w_max, 80 * SEND_MSS);
}

/* 4.2: time in which the user limits is no time of the curve. */
static void
test_idle_is_not_the_curves(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t before;

	send_start(f);
	f->c.ssthresh = f->c.cwnd = 20 * SEND_MSS;
	f->c.cubic = (struct tp_tcp_cubic){ .w_max = 20 * SEND_MSS };
	send_write(f, 40);
	tcp_flush(f);
	for (uint32_t i = 1; i <= 40; i++) {
		f->now += 5 * MS;
		tcp_in(f, SEND_ACK(i));
	}
	before = f->c.cwnd;
	for (uint32_t i = 0; i < 100; i++) { /* ten seconds of a segment each */
		send_write(f, 1);
		f->now += 100 * MS;
		tcp_in(f, SEND_ACK(41 + i));
	}
	assert_int_equal(f->c.cwnd, before);
	assert_int_equal(f->c.cubic.cwnd_epoch, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(test_curve),
		TCP_TEST(test_reno_friendly),
		TCP_TEST(test_target_is_bounded),
		TCP_TEST(test_reduce),
		TCP_TEST(test_timeout),
		TCP_TEST(test_undo),
		TCP_TEST(test_idle_is_not_the_curves),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
