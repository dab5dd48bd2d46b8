/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 7323: timestamps, what they let through (PAWS), and what may set them. */

#include "test_tcp.h"

#define DAY (86400 * TP_NS_PER_S)

static uint64_t
mib(const struct tcp_fix *f, enum tp_tcp_mib counter)
{
	return f->env.mib[counter];
}

/* RFC 7323 5.3 R1: dropped, and answered; a RST passes. */
static void
old_timestamps_are_dropped(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t ts;

	tcp_state(f, TP_TCP_ESTABLISHED);
	ts = f->c.ts_recent;
	tcp_in(f, SEG(.len = 10, .opts = TP_TCP_O_TS, .ts_val = ts - 1, .ts_ecr = f->ts_ours));
	tcp_expect(f, SEG(.seq = 1, .ack = 1));
	assert_int_equal(mib(f, TP_TCP_M_PAWS_DROP), 1);
	assert_int_equal(f->c.ts_recent, ts);
	tcp_in(f, SEG(.len = 10, .opts = TP_TCP_O_TS, .ts_val = ts, .ts_ecr = f->ts_ours));
	assert_int_equal(f->c.rcv_nxt, f->irs + 11);
	tcp_in(f, SEG(.seq = 11, .flags = TP_TCP_RST, .opts = TP_TCP_O_TS, .ts_val = ts - 1));
	assert_int_equal(f->c.state, TP_TCP_CLOSED);
}

/* RFC 7323 5.5: after 24 days the clock may have wrapped. */
static void
a_very_old_timestamp_says_nothing(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t ts;

	tcp_state(f, TP_TCP_ESTABLISHED);
	ts = f->c.ts_recent;
	f->now += 25 * DAY;
	tcp_in(f, SEG(.len = 10, .opts = TP_TCP_O_TS, .ts_val = ts - 1, .ts_ecr = f->ts_ours));
	assert_int_equal(f->c.rcv_nxt, f->irs + 11);
	assert_int_equal(f->c.ts_recent, ts - 1);
}

/* RFC 7323 3.2. */
static void
a_segment_without_its_timestamp_is_dropped(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	f->no_ts = true;
	tcp_in(f, SEG(.len = 10));
	tcp_expect_none(f);
	assert_int_equal(f->c.rcv_nxt, f->irs + 1);
	tcp_in(f, SEG(.flags = TP_TCP_RST));
	assert_int_equal(f->c.state, TP_TCP_CLOSED);
}

/* RFC 7323 4.3 (2): only what stands at or before the last ACK. */
static void
timestamps_behind_a_gap_do_not_count(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t ts;

	tcp_state(f, TP_TCP_ESTABLISHED);
	ts = f->c.ts_recent;
	tcp_in(f, SEG(.seq = 101, .len = 10, .opts = TP_TCP_O_TS, .ts_val = ts + 5));
	assert_int_equal(f->c.ts_recent, ts);
	tcp_in(f, SEG(.seq = 1, .len = 10, .opts = TP_TCP_O_TS, .ts_val = ts + 3));
	assert_int_equal(f->c.ts_recent, ts + 3);
	/* Not yet acknowledged: of the two the earlier one, for the delayed ACK. */
	tcp_in(f, SEG(.seq = 11, .len = 90, .opts = TP_TCP_O_TS, .ts_val = ts + 9));
	f->no_output = true;
	tcp_in(f, SEG(.seq = 111, .len = 10, .opts = TP_TCP_O_TS, .ts_val = ts + 10));
	assert_int_equal(f->c.ts_recent, ts + 10);
	tcp_in(f, SEG(.seq = 121, .len = 10, .opts = TP_TCP_O_TS, .ts_val = ts + 11));
	assert_int_equal(f->c.ts_recent, ts + 10);
}

/* 2.2; RFC 9293 MUST-1: the field has no sign. */
static void
the_window_is_scaled(void **state)
{
	struct tcp_fix *f = *state;

	f->peer.wscale = 3;
	tcp_state(f, TP_TCP_ESTABLISHED);
	assert_int_equal(f->c.snd_wnd, 65535); /* that of the SYN-ACK is not */
	tcp_in(f, SEG(.wnd = 1000));
	assert_int_equal(f->c.snd_wnd, 8000);
}

/* RFC 7323 3.2: every segment then has one, and echoes the peer's last. */
static void
timestamps_are_echoed(void **state)
{
	struct tcp_fix *f = *state;
	const struct tcp_out *o;

	tcp_state(f, TP_TCP_ESTABLISHED);
	f->now += 5 * TP_NS_PER_MS;
	tcp_write(f, 10);
	o = tcp_expect(f, SEG(.len = 10, .flags = TP_TCP_ACK | TP_TCP_PSH));
	assert_int_equal(o->seg.opts, TP_TCP_O_TS);
	assert_int_equal(o->seg.ts_val, TCP_FIX_TS + 5);
	assert_int_equal(o->seg.ts_ecr, f->c.ts_recent);
}

/* 4.3 (2), and RFC 5961 5.2: a blind segment that has guessed a number in the window, but no ACK, is no
 * clock; else all that the peer sends would be old from then on.
 */
static void
what_is_not_believed_is_no_clock(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t ts, wild;

	tcp_state(f, TP_TCP_ESTABLISHED);
	ts = f->c.ts_recent;
	wild = ts + 0x40000000;
	f->no_verify = true;
	tcp_in(f, SEG(.seq = 0, .len = 2, .flags = TP_TCP_RST, .opts = TP_TCP_O_TS,
	                          .ts_val = wild));
	tcp_in(f, SEG(.ack = 5000, .len = 10, .opts = TP_TCP_O_TS, .ts_val = wild));
	tcp_in(f, SEG(.flags = TP_TCP_SYN, .opts = TP_TCP_O_TS, .ts_val = wild));
	tcp_in(f, SEG(.len = 10, .flags = TP_TCP_PSH, .opts = TP_TCP_O_TS, .ts_val = wild));
	assert_int_equal(f->c.state, TP_TCP_ESTABLISHED);
	assert_int_equal(f->c.ts_recent, ts);
	assert_int_equal(mib(f, TP_TCP_M_CHALLENGE_ACK), 3);
	tcp_in(f, SEG(.len = 10));
	assert_int_equal(f->c.rcv_nxt, f->irs + 11);
}

/* What is believed is, in every state: TIME_WAIT needs the last one (RFC 6191). */
static void
each_state_keeps_the_clock(void **state)
{
	static const enum tp_tcp_state states[] = { TP_TCP_SYN_RCVD, TP_TCP_FIN_WAIT_1,
		TP_TCP_FIN_WAIT_2, TP_TCP_CLOSE_WAIT, TP_TCP_CLOSING, TP_TCP_TIME_WAIT };
	struct tcp_fix *f = *state;
	uint32_t ts;

	for (unsigned int i = 0; i < RTE_DIM(states); i++) {
		f->ts_ours = 0;
		tcp_state(f, states[i]);
		ts = f->c.ts_recent + 7;
		tcp_in(f, SEG(.seq = f->c.rcv_nxt - f->irs, .ack = f->c.snd_nxt - f->iss,
		                          .opts = TP_TCP_O_TS, .ts_val = ts, .ts_ecr = f->ts_ours));
		assert_int_equal(f->c.ts_recent, ts);
		tp_tcp_fini(&f->env, &f->c);
	}
}

/* 3.2: a RST should have them, too. */
static void
a_rst_has_them(void **state)
{
	struct tcp_fix *f = *state;
	const struct tcp_out *rst;
	uint32_t ts;

	tcp_state(f, TP_TCP_ESTABLISHED);
	ts = f->c.ts_recent;
	f->now += TP_NS_PER_S;
	tp_tcp_abort(&f->env, &f->c, TP_TCP_R_ABORT, f->now);
	tcp_done(f);
	rst = tcp_expect(f, SEG(.ack = 1, .flags = TP_TCP_RST | TP_TCP_ACK));
	assert_true(rst->seg.opts & TP_TCP_O_TS);
	assert_int_equal(rst->seg.ts_ecr, ts);
	assert_int_equal(rst->seg.ts_val, (uint32_t)(f->now / TP_NS_PER_MS) + f->c.ts_off);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(old_timestamps_are_dropped),
		TCP_TEST(a_very_old_timestamp_says_nothing),
		TCP_TEST(a_segment_without_its_timestamp_is_dropped),
		TCP_TEST(timestamps_behind_a_gap_do_not_count),
		TCP_TEST(the_window_is_scaled),
		TCP_TEST(timestamps_are_echoed),
		TCP_TEST(what_is_not_believed_is_no_clock),
		TCP_TEST(each_state_keeps_the_clock),
		TCP_TEST(a_rst_has_them),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
