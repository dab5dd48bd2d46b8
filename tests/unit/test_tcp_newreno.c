/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 6582, NewReno, and what it stands on, RFC 5681 (slow start, congestion avoidance, fast
 * retransmit): loss without SACK. */

#include "test_tcp_send.h"

static void
start(struct tcp_fix *f)
{
	f->conf.cc = TP_TCP_CC_NEWRENO;
	send_start(f);
	f->c.cc = TP_TCP_CC_NEWRENO;
	f->c.flags &= ~TP_TCP_F_SACK;
}

static void
dups(struct tcp_fix *f, uint32_t at, int nb)
{
	while (nb-- > 0)
		tcp_in(f, SEND_ACK(at));
}

/* RFC 9293 MUST-19, RFC 5681 3.1: one more segment for each that is acknowledged. */
static void
test_slow_start(void **state)
{
	struct tcp_fix *f = *state;

	start(f);
	f->c.cwnd = 4 * SEND_MSS;
	send_write(f, 40);
	send_expect(f, 0, 4);
	for (uint32_t i = 1; i <= 4; i++) {
		tcp_in(f, SEND_ACK(i));
		assert_int_equal(f->c.cwnd, (4 + i) * SEND_MSS);
		send_expect(f, 2 * i + 2, 2);
	}
}

/* RFC 5681 3.1: a segment a round trip, counted in bytes. */
static void
test_congestion_avoidance(void **state)
{
	struct tcp_fix *f = *state;

	start(f);
	f->c.ssthresh = 8 * SEND_MSS;
	f->c.cwnd = 8 * SEND_MSS;
	send_write(f, 60);
	tcp_flush(f);
	for (uint32_t i = 1; i < 8; i++)
		tcp_in(f, SEND_ACK(i));
	assert_int_equal(f->c.cwnd, 8 * SEND_MSS);
	tcp_in(f, SEND_ACK(8));
	assert_int_equal(f->c.cwnd, 9 * SEND_MSS);
	for (uint32_t i = 9; i < 17; i++)
		tcp_in(f, SEND_ACK(i));
	assert_int_equal(f->c.cwnd, 9 * SEND_MSS);
	tcp_in(f, SEND_ACK(17));
	assert_int_equal(f->c.cwnd, 10 * SEND_MSS);
}

/* cwnd that is not used does not grow (RFC 7661 4). */
static void
test_not_limited_by_cwnd(void **state)
{
	struct tcp_fix *f = *state;

	start(f);
	for (uint32_t i = 0; i < 20; i++) {
		send_write(f, 1);
		tcp_in(f, SEND_ACK(i + 1));
	}
	assert_int_equal(f->c.cwnd, 10 * SEND_MSS);
}

/* RFC 5681 2: what has data, or another window, or nothing outstanding is no duplicate. */
static void
test_what_is_no_duplicate(void **state)
{
	struct tcp_fix *f = *state;

	start(f);
	dups(f, 0, 1);
	assert_int_equal(f->c.dupacks, 0);
	send_write(f, 10);
	tcp_in(f, SEG(.seq = 1, .len = 10));
	tcp_in(f, SEG(.seq = 11, .wnd = 60000));
	tcp_in(f, SEG(.seq = 11, .wnd = 60001));
	assert_int_equal(f->c.dupacks, 0);
	tcp_in(f, SEG(.seq = 11, .wnd = 60001));
	assert_int_equal(f->c.dupacks, 1);
}

/* RFC 5681 3.2: the third sends the hole at once, and the window is halved. */
static void
test_fast_retransmit(void **state)
{
	struct tcp_fix *f = *state;

	start(f);
	send_write(f, 10);
	send_expect(f, 0, 10);
	dups(f, 0, 2);
	tcp_expect_none(f);
	dups(f, 0, 1);
	send_expect(f, 0, 1);
	assert_int_equal(f->c.ca, TP_TCP_CA_RECOVERY);
	assert_int_equal(f->c.ssthresh, 5 * SEND_MSS);
	assert_int_equal(f->env.mib[TP_TCP_M_RENO_RECOVERY], 1);
	/* No second time. */
	dups(f, 0, 4);
	tcp_expect_none(f);
	assert_int_equal(f->c.ssthresh, 5 * SEND_MSS);
	/* RFC 6582 3.2 step 3, full: min(ssthresh, FlightSize + SMSS) */
	tcp_in(f, SEND_ACK(10));
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
	assert_int_equal(f->c.cwnd, 2 * SEND_MSS);
}

/* RFC 5681 (4): never less than two segments. */
static void
test_ssthresh_floor(void **state)
{
	struct tcp_fix *f = *state;

	start(f);
	f->c.cwnd = 4 * SEND_MSS;
	send_write(f, 4);
	send_expect(f, 0, 4);
	f->c.cwnd = 3 * SEND_MSS;
	dups(f, 0, 3);
	assert_int_equal(f->c.ssthresh, 2 * SEND_MSS);
}

/* RFC 6582 3.2 step 3, partial: each tells of one more hole, sent at once; one response in all. */
static void
test_partial_acks(void **state)
{
	struct tcp_fix *f = *state;

	start(f);
	send_write(f, 10);
	send_expect(f, 0, 10);
	dups(f, 0, 7); /* of ten, 0, 4 and 7 are lost */
	send_expect(f, 0, 1);
	f->now += SEND_RTT;
	tcp_in(f, SEND_ACK(4));
	send_expect(f, 4, 1);
	assert_int_equal(f->c.ca, TP_TCP_CA_RECOVERY);
	f->now += SEND_RTT;
	tcp_in(f, SEND_ACK(7));
	send_expect(f, 7, 1);
	f->now += SEND_RTT;
	tcp_in(f, SEND_ACK(10));
	tcp_expect_none(f);
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
	assert_int_equal(f->c.ssthresh, 5 * SEND_MSS);
	assert_int_equal(f->env.mib[TP_TCP_M_RENO_RECOVERY], 1);
	assert_int_equal(f->env.mib[TP_TCP_M_TIMEOUTS], 0);
}

/* In recovery each further duplicate lets out what PRR allows: half as much as is delivered. */
static void
test_new_data_in_recovery(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t nb;

	start(f);
	send_write(f, 60);
	send_expect(f, 0, 10);
	dups(f, 0, 2);
	send_expect(f, 10, 2); /* limited transmit */
	dups(f, 0, 1);
	send_expect(f, 0, 1);
	for (nb = 0; f->c.dupacks < 11; nb += tcp_nb_out(f), tcp_flush(f))
		dups(f, 0, 1);
	/* All of the window was delivered but for the hole: what is in flight is half of it. */
	assert_in_range(tcp_in_flight(&f->c), 5 * SEND_MSS, 6 * SEND_MSS);
	assert_in_range(nb, 3, 5);
}

/* RFC 6582 3.2 step 2: duplicates that answer what was sent again cause no second response. */
static void
test_recover_guards(void **state)
{
	struct tcp_fix *f = *state;

	start(f);
	send_write(f, 10);
	send_expect(f, 0, 10);
	dups(f, 0, 3);
	tcp_flush(f);
	tcp_in(f, SEND_ACK(10));
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
	send_write(f, 10);
	tcp_flush(f);
	dups(f, 10, 3); /* una == recover */
	assert_int_equal(f->c.ca, TP_TCP_CA_DISORDER);
	assert_int_equal(f->c.retrans_segs, 1);
	/* Beyond recover it is a loss again. */
	tcp_in(f, SEND_ACK(11));
	tcp_flush(f);
	dups(f, 11, 2);
	tcp_flush(f);
	dups(f, 11, 1);
	tcp_expect(f, SEG(.seq = S(11), .len = SEND_MSS));
	assert_int_equal(f->c.ca, TP_TCP_CA_RECOVERY);
}

/* Half the number space later the same guard must not block. */
static void
test_recover_does_not_stay_behind(void **state)
{
	struct tcp_fix *f = *state;

	start(f);
	for (uint32_t i = 0; i < 3; i++) {
		/* As if a gigabyte had been acknowledged meanwhile. */
		f->c.snd_una = f->c.snd_nxt += 1u << 30;
		f->c.cwnd_full_seq += 1u << 30;
		f->iss += 1u << 30;
		send_write(f, 2);
		tcp_in(f, SEG(.ack = 1 + f->written));
	}
	tcp_flush(f);
	send_write(f, 6);
	tcp_flush(f);
	for (int i = 0; i < 3; i++)
		tcp_in(f, SEG(.ack = 1 + f->written - 6 * SEND_MSS));
	assert_int_equal(f->c.ca, TP_TCP_CA_RECOVERY);
}

/* A timeout in the middle of it. */
static void
test_timeout_in_recovery(void **state)
{
	struct tcp_fix *f = *state;

	start(f);
	send_write(f, 10);
	send_expect(f, 0, 10);
	dups(f, 0, 3);
	send_expect(f, 0, 1);
	tcp_tick(f);
	send_expect(f, 0, 1);
	assert_int_equal(f->c.ca, TP_TCP_CA_LOSS);
	assert_int_equal(f->c.dupacks, 0);
	assert_int_equal(f->c.cwnd, SEND_MSS);
	/* RFC 6582 4: no fast retransmit of what the timeout covers. */
	dups(f, 0, 5);
	tcp_expect_none(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(test_slow_start),
		TCP_TEST(test_congestion_avoidance),
		TCP_TEST(test_not_limited_by_cwnd),
		TCP_TEST(test_what_is_no_duplicate),
		TCP_TEST(test_fast_retransmit),
		TCP_TEST(test_ssthresh_floor),
		TCP_TEST(test_partial_acks),
		TCP_TEST(test_new_data_in_recovery),
		TCP_TEST(test_recover_guards),
		TCP_TEST(test_recover_does_not_stay_behind),
		TCP_TEST(test_timeout_in_recovery),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
