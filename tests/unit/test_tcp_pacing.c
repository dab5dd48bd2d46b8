/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Pacing: a window is spread over its round trip. */

#include "test_tcp_send.h"

static void
start(struct tcp_fix *f, uint32_t cwnd, bool slow_start)
{
	send_start(f);
	assert_int_equal(tp_tcp_set(&f->env, &f->c, TP_TCP_OPT_PACING, 1, f->now), 0);
	f->c.cwnd = cwnd * SEND_MSS;
	f->c.ssthresh = slow_start ? UINT32_MAX : cwnd * SEND_MSS;
}

/* 125 % of a window in a round trip in congestion avoidance, never more than a millisecond's worth
 * (here two segments) at once. */
static void
rate(struct tcp_fix *f, bool slow_start, uint32_t percent)
{
	uint64_t begin, end;
	uint32_t burst = 0, nb = 0;

	start(f, 100, slow_start);
	begin = f->now;
	send_write(f, 100);
	while (nb < 100) {
		burst = 0;
		while (tcp_nb_out(f) > 0) {
			tcp_pop(f);
			burst++;
		}
		assert_in_range(burst, 1, 2);
		nb += burst;
		if (nb < 100)
			tcp_tick(f);
	}
	end = f->now;
	/* The last burst leaves at the end. */
	assert_in_range((end - begin) * percent / 100, SEND_RTT * 97 / 100, SEND_RTT);
}

static void
test_congestion_avoidance(void **state)
{
	rate(*state, false, 125);
}

static void
test_slow_start(void **state)
{
	rate(*state, true, 200);
}

/* No round trip known yet: the initial window goes out at once. */
static void
test_before_a_sample(void **state)
{
	struct tcp_fix *f = *state;

	start(f, 10, true);
	f->c.srtt_us = 0;
	send_write(f, 10);
	send_expect(f, 0, 10);
}

/* A pause earns no burst, and costs no time. */
static void
test_after_a_pause(void **state)
{
	struct tcp_fix *f = *state;

	start(f, 100, false);
	send_write(f, 2);
	send_expect(f, 0, 2);
	f->now += 200 * MS;
	tcp_in(f, SEND_ACK(2));
	send_write(f, 20);
	send_expect(f, 2, 2);
	assert_true(f->c.pace_ns > f->now);
	assert_true(tp_tcp_next(&f->c) <= f->c.pace_ns);
}

/* A window that is worth more than two segments a millisecond leaves in such pieces: TSO. */
static void
test_fast_path(void **state)
{
	struct tcp_fix *f = *state;

	start(f, 100, false);
	f->conf.tso_max = 65000;
	f->c.srtt_us = 10000; /* 10 segments a ms */
	send_write(f, 100);
	assert_in_range(tcp_pop(f)->seg.len, 9 * SEND_MSS, 10 * SEND_MSS);
}

/* Off: nothing waits. */
static void
test_off(void **state)
{
	struct tcp_fix *f = *state;

	start(f, 100, false);
	assert_int_equal(tp_tcp_set(&f->env, &f->c, TP_TCP_OPT_PACING, 0, f->now), 0);
	send_write(f, 100);
	send_expect(f, 0, 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(test_congestion_avoidance),
		TCP_TEST(test_slow_start),
		TCP_TEST(test_before_a_sample),
		TCP_TEST(test_after_a_pause),
		TCP_TEST(test_fast_path),
		TCP_TEST(test_off),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
