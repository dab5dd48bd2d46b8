/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 8985, RACK: what is lost, and when; the reordering window. */

#include "test_tcp_send.h"

static bool
is_lost(struct tcp_fix *f, uint32_t i)
{
	return send_rec(f, S(i))->flags & TP_TCP_REC_LOST;
}

/* 3.2, 9.1: three SACKed segments without reordering ever seen: the hole is sent at once. */
static void
test_three_sacked(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 10);
	send_sack(f, 0, 1, 3);
	tcp_expect_none(f);
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_REO);
	send_sack(f, 0, 1, 4);
	send_expect(f, 0, 1);
	assert_int_equal(f->c.ca, TP_TCP_CA_RECOVERY);
	assert_int_equal(f->env.mib[TP_TCP_M_RECOVERY], 1);
}

/* 6.2 steps 4 and 5: with fewer, a quarter of the minimum round trip is waited. */
static void
test_reordering_timer(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 3);
	send_sack(f, 0, 1, 2);
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_REO);
	assert_int_equal(f->c.rexmit_ns, f->now + SEND_RTT / 4);
	tcp_run(f, SEND_RTT / 4 - 1);
	tcp_expect_none(f);
	tcp_run(f, 1);
	send_expect(f, 0, 1);
	assert_int_equal(f->c.ca, TP_TCP_CA_RECOVERY);
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_RTO);
}

/* What arrives in time is not lost: no response, and from then on reordering is known. */
static void
test_reordered_not_lost(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 10);
	send_sack(f, 0, 1, 3);
	f->now += 10 * MS;
	tcp_in(f, SEND_ACK(3));
	assert_true(f->c.rack_reordering_seen);
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
	tcp_expect_none(f);
	/* Even three and more SACKed segments wait now. */
	send_sack(f, 3, 4, 9);
	tcp_expect_none(f);
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_REO);
	tcp_run(f, SEND_RTT / 2);
	tcp_expect(f, SEG(.seq = S(3), .len = SEND_MSS));
}

/* In one ACK, what is acknowledged in order is older than what is SACKed: no reordering. */
static void
test_one_ack_is_no_reordering(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 10);
	send_sack(f, 3, 4, 6);
	assert_false(f->c.rack_reordering_seen);
	tcp_in(f, SEND_ACK(3, .nb_sack = 2, .sack = { SACK(8, 9), SACK(4, 7) }));
	assert_false(f->c.rack_reordering_seen);
}

/* 9.2: time, not order: a copy that is lost is found by what was sent behind it. */
static void
test_lost_retransmission(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 10);
	send_write(f, 20);
	tcp_flush(f);
	send_sack(f, 0, 1, 10); /* 0 again at t = 100 ms, 10 to ... behind it */
	tcp_expect(f, SEG(.seq = S(0), .len = SEND_MSS));
	f->now += MS;
	send_sack(f, 0, 1, 10);
	f->c.cwnd = tcp_in_flight(&f->c) + SEND_MSS;
	tcp_run(f, 0);
	tcp_flush(f);
	assert_int_equal(send_rec(f, S(0))->nb_sent, 2);
	f->now += SEND_RTT;
	/* One that was sent later is SACKed a round trip later. */
	send_sack(f, 0, 1, f->c.snd_nxt - f->iss == S(11) ? 11 : 12);
	assert_int_equal(send_rec(f, S(0))->nb_sent, 3);
	tcp_expect(f, SEG(.seq = S(0), .len = SEND_MSS));
	assert_int_equal(f->env.mib[TP_TCP_M_TIMEOUTS], 0);
}

/* 6.2 step 2: a copy that seems to be answered faster than the path can is not what arrived. */
static void
test_original_answers(void **state)
{
	struct tcp_fix *f = *state;
	uint64_t xmit;

	send_start_flight(f, 10);
	send_sack(f, 0, 1, 4);
	send_expect(f, 0, 1);
	xmit = f->c.rack_xmit_ns;
	f->now += 5 * MS;
	send_sack(f, 1, 2, 4); /* the original of 0 was only late */
	assert_int_equal(f->c.rack_xmit_ns, xmit);
}

/* Several losses in a window: found by one SACK. */
static void
test_many_losses(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 20);
	tcp_in(f, SEND_ACK(2, .nb_sack = 3, .sack = { SACK(19, 20), SACK(9, 10), SACK(4, 5) }));
	for (uint32_t i = 2; i < 19; i++)
		assert_int_equal(is_lost(f, i), i != 4 && i != 9);
	assert_int_equal(f->c.ca, TP_TCP_CA_RECOVERY);
}

/* The tail is younger than all that is SACKed: in flight, not lost. */
static void
test_tail_is_not_lost(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	f->c.cwnd = 20 * SEND_MSS;
	send_write(f, 10);
	f->now += 50 * MS;
	send_write(f, 10);
	tcp_flush(f);
	f->now += 50 * MS;
	send_sack(f, 0, 5, 9);
	assert_true(is_lost(f, 0) && is_lost(f, 4));
	for (uint32_t i = 9; i < 20; i++)
		assert_false(is_lost(f, i));
}

/* 6.2 step 4: each round with a DSACK widens the window by a quarter of the minimum round trip, not
 * each DSACK; never beyond SRTT. */
static void
test_dsack_rounds(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	f->c.retrans_segs = 1;
	f->c.cwnd = 100 * SEND_MSS;
	send_write(f, 40);
	tcp_flush(f);
	send_sack(f, 2, 0, 1);
	send_sack(f, 3, 1, 2);
	assert_int_equal(f->c.rack_reo_wnd_mult, 2);
	send_write(f, 10);
	tcp_flush(f);
	f->now += SEND_RTT;
	send_sack(f, 39, 4, 5);
	assert_int_equal(f->c.rack_reo_wnd_mult, 2);
	send_sack(f, 40, 4, 5); /* the round is over */
	assert_int_equal(f->c.rack_reo_wnd_mult, 3);
	assert_int_equal(f->c.rack_reo_wnd_persist, TCP_RACK_PERSIST);
	f->c.rack_reo_wnd_mult = 200;
	send_sack(f, 40, 41, 42);
	assert_true(f->c.rexmit_kind == TP_TCP_REXMIT_REO);
	assert_true(f->c.rexmit_ns <= f->now + f->c.srtt_us * TP_NS_PER_US);
}

/* Sixteen recoveries without a DSACK make the window small again. */
static void
test_window_resets(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t at = 0;

	send_start(f);
	f->c.rack_reo_wnd_mult = 5;
	f->c.rack_reo_wnd_persist = TCP_RACK_PERSIST;
	for (int i = 0; i < TCP_RACK_PERSIST; i++, at += 5) {
		assert_int_equal(f->c.rack_reo_wnd_mult, 5);
		f->c.cwnd = 10 * SEND_MSS;
		send_write(f, 5);
		f->now += SEND_RTT;
		send_sack(f, at, at + 1, at + 5);
		f->now += SEND_RTT;
		assert_int_equal(f->c.ca, TP_TCP_CA_RECOVERY);
		tcp_in(f, SEND_ACK(at + 5));
		assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
		tcp_flush(f);
	}
	assert_int_equal(f->c.rack_reo_wnd_mult, 1);
}

/* 6.3: a timeout takes the first for lost, and what is older than a round trip; not the rest. */
static void
test_timeout_marks(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	f->c.cwnd = 20 * SEND_MSS;
	send_write(f, 3);
	f->now += 250 * MS;
	f->c.rexmit_kind = TP_TCP_REXMIT_RTO;
	f->c.rexmit_ns = f->now + 50 * MS;
	f->c.rack_rtt_us = 100000;
	send_write(f, 3);
	tcp_flush(f);
	f->no_output = true;
	tcp_run(f, 50 * MS);
	assert_int_equal(f->c.ca, TP_TCP_CA_LOSS);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(is_lost(f, i), i < 3);
}

/* Neither ties nor wraps confuse who was sent first. */
static void
test_sent_after(void **state)
{
	(void)state;
	assert_true(tcp_sent_after(2, 0, 1, 100));
	assert_false(tcp_sent_after(1, 100, 2, 0));
	assert_true(tcp_sent_after(1, 5, 1, UINT32_MAX - 5));
	assert_false(tcp_sent_after(1, 5, 1, 5));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(test_three_sacked),
		TCP_TEST(test_reordering_timer),
		TCP_TEST(test_reordered_not_lost),
		TCP_TEST(test_one_ack_is_no_reordering),
		TCP_TEST(test_lost_retransmission),
		TCP_TEST(test_original_answers),
		TCP_TEST(test_many_losses),
		TCP_TEST(test_tail_is_not_lost),
		TCP_TEST(test_dsack_rounds),
		TCP_TEST(test_window_resets),
		TCP_TEST(test_timeout_marks),
		TCP_TEST(test_sent_after),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
