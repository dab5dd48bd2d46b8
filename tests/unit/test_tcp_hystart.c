/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 9406, HyStart++: the first slow start ends when the path's queue grows. */

#include "test_tcp_send.h"

/* One round: all of a window is acknowledged, each ACK with this round trip. */
static void
round_of(struct tp_tcp_conn *c, uint32_t rtt_us)
{
	uint32_t acks = c->cwnd / SEND_MSS;

	c->snd_nxt = c->snd_una + c->cwnd;
	c->rack_rtt_us = rtt_us;
	while (acks-- > 0) {
		c->snd_una += SEND_MSS;
		c->snd_nxt += SEND_MSS;
		tcp_cc(c)->grow(c, SEND_MSS, 0);
	}
}

static void
start(struct tcp_fix *f)
{
	send_start(f);
	f->c.cwnd = 16 * SEND_MSS;
}

/* No delay: the window doubles each round. */
static void
test_doubles(void **state)
{
	struct tcp_fix *f = *state;

	start(f);
	for (int i = 1; i < 6; i++) {
		round_of(&f->c, 50000 + i * 100);
		assert_int_equal(f->c.cwnd, (16u << i) * SEND_MSS);
	}
	assert_int_equal(f->c.ssthresh, UINT32_MAX);
}

/* 4.2: an eighth more, within 4 and 16 ms: conservative slow start, a quarter as fast, and after
 * five rounds of it congestion avoidance. */
static void
test_delay_ends_it(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t before;

	start(f);
	round_of(&f->c, 50000);
	round_of(&f->c, 55000); /* not an eighth */
	assert_int_equal(f->c.cubic.css_base_rtt_us, 0);
	before = f->c.cwnd;
	round_of(&f->c, 62000);
	assert_int_not_equal(f->c.cubic.css_base_rtt_us, 0);
	assert_true(f->c.cwnd < before * 3 / 2);
	for (int i = 0; i < 5 && f->c.ssthresh == UINT32_MAX; i++) {
		before = f->c.cwnd;
		round_of(&f->c, 62000);
		assert_true(f->c.cwnd <= before + before / 4 + SEND_MSS);
	}
	assert_true(f->c.ssthresh != UINT32_MAX);
}

/* The delay was a passing one: slow start again. */
static void
test_false_alarm(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t before;

	start(f);
	round_of(&f->c, 50000);
	round_of(&f->c, 60000);
	assert_int_not_equal(f->c.cubic.css_base_rtt_us, 0);
	round_of(&f->c, 50000);
	assert_int_equal(f->c.cubic.css_base_rtt_us, 0);
	before = f->c.cwnd;
	round_of(&f->c, 50000);
	assert_int_equal(f->c.cwnd, 2 * before);
	assert_int_equal(f->c.ssthresh, UINT32_MAX);
}

/* Less than eight samples decide nothing. */
static void
test_few_samples(void **state)
{
	struct tcp_fix *f = *state;

	start(f);
	f->c.cwnd = 3 * SEND_MSS;
	round_of(&f->c, 50000);
	round_of(&f->c, 500000);
	assert_int_equal(f->c.cubic.css_base_rtt_us, 0);
}

/* A large ACK counts as eight segments at most (4.2, L without pacing). */
static void
test_large_ack(void **state)
{
	struct tcp_fix *f = *state;

	start(f);
	f->c.rack_rtt_us = 50000;
	tcp_cc(&f->c)->grow(&f->c, 16 * SEND_MSS, 0);
	assert_int_equal(f->c.cwnd, 24 * SEND_MSS);
}

/* Only the first slow start (4.3): after a loss its words are CUBIC's. */
static void
test_not_later(void **state)
{
	struct tcp_fix *f = *state;

	start(f);
	round_of(&f->c, 50000);
	tcp_cc_save(&f->c);
	assert_int_equal(f->c.cubic.w_max, 0);
	assert_int_equal(f->c.cubic.cwnd_epoch, 0);
	assert_int_equal(f->c.cubic.ssthresh_prior, UINT32_MAX);
	f->c.ssthresh = tcp_cc(&f->c)->reduce(&f->c, f->c.cwnd, 0);
	/* The loss was none: it goes on. */
	tcp_cc(&f->c)->undo(&f->c, 0);
	assert_int_equal(f->c.ssthresh, UINT32_MAX);
	assert_int_equal(f->c.cubic.last_min_rtt_us, UINT32_MAX);
	assert_int_equal(f->c.cubic.window_end, f->c.snd_nxt);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(test_doubles),
		TCP_TEST(test_delay_ends_it),
		TCP_TEST(test_false_alarm),
		TCP_TEST(test_few_samples),
		TCP_TEST(test_large_ack),
		TCP_TEST(test_not_later),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
