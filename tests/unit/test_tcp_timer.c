/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Clocks: persist, keepalive, user timeout, and that none runs without reason. */

#include "test_tcp.h"

#define MSS 1448

static uint64_t
mib(const struct tcp_fix *f, enum tp_tcp_mib counter)
{
	return f->env.mib[counter];
}

/* The window is shut, and something waits for it. */
static void
shut_window(struct tcp_fix *f)
{
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.wnd = 0));
	tcp_write(f, 2000);
	tcp_expect_none(f);
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_PERSIST);
}

/* RFC 9293 MUST-35, MUST-36, SHLD-29 (after an RTO), SHLD-30 (backoff). */
static void
a_shut_window_is_probed(void **state)
{
	struct tcp_fix *f = *state;
	uint64_t wait, last;

	shut_window(f);
	last = tcp_tick(f);
	assert_in_range(last, 100 * TP_NS_PER_MS, TP_NS_PER_S);
	tcp_expect(f, SEG(.seq = 0));
	for (int i = 0; i < 5; i++) {
		tcp_in(f, SEG(.wnd = 0));
		wait = tcp_tick(f);
		assert_in_range(wait, last * 3 / 2, last * 5 / 2);
		last = wait;
		tcp_expect(f, SEG(.seq = 0));
		tcp_expect_none(f);
	}
	assert_int_equal(mib(f, TP_TCP_M_PERSIST_PROBES), 6);
	/* It opens: at once, and the clock begins anew. */
	tcp_in(f, SEG(.wnd = 5000));
	tcp_expect(f, SEG(.seq = 1, .len = MSS));
	assert_int_equal(f->c.nb_rexmit, 0);
}

/* RFC 9293 MUST-37: as long as the peer answers, for days. */
static void
a_window_may_stay_shut_for_days(void **state)
{
	struct tcp_fix *f = *state;
	uint64_t end;

	shut_window(f);
	end = f->now + 3 * 86400 * TP_NS_PER_S;
	while (f->now < end) {
		assert_in_range(tcp_tick(f), 1, 120 * TP_NS_PER_S);
		tcp_flush(f);
		tcp_in(f, SEG(.wnd = 0));
	}
	assert_int_equal(f->c.state, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.wnd = 5000));
	tcp_expect(f, SEG(.seq = 1, .len = MSS));
}

static void
a_peer_that_answers_no_probe_is_gone(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.retries = 5;
	shut_window(f);
	for (int i = 0; i < 5; i++)
		tcp_tick(f);
	assert_int_equal(tcp_nb_out(f), 5);
	tcp_flush(f);
	tcp_tick(f);
	assert_int_equal(f->c.state, TP_TCP_CLOSED);
	assert_int_equal(f->c.reason, TP_TCP_R_TIMEOUT);
	assert_int_equal(mib(f, TP_TCP_M_ABORT_TIMEOUT), 1);
	tcp_expect(f, SEG(.seq = 1, .flags = TP_TCP_RST | TP_TCP_ACK));
}

/* A probe, too, is answered by an end with a shut window. */
static void
our_shut_window_answers_probes(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.rcv_buf = 1000;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.len = 1000));
	tcp_in(f, SEG(.seq = 1001, .len = 1));
	assert_int_equal(tcp_expect(f, SEG(.ack = 1001))->seg.wnd, 0);
	tcp_in(f, SEG(.seq = 1000));
	assert_int_equal(tcp_expect(f, SEG(.ack = 1001))->seg.wnd, 0);
	assert_int_equal(tcp_read(f), 1000);
}

/* ---- keepalive ---------------------------------------------------------------------------- */

/* RFC 9293 MUST-25: off unless asked for. */
static void
no_keepalive_by_default(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	assert_int_equal(tp_tcp_next(&f->c), TP_NEVER);
}

/* RFC 9293 MUST-26, MUST-28 (two hours), 3.8.4: SEG.SEQ = SND.NXT-1. */
static void
an_idle_peer_is_asked(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.keepalive = true;
	tcp_state(f, TP_TCP_ESTABLISHED);
	f->now += 3600 * TP_NS_PER_S;
	tcp_in(f, SEG(.len = 10));
	tcp_run(f, 40 * TP_NS_PER_MS);
	tcp_flush(f);
	assert_int_equal(f->c.keep_ns - f->now + 40 * TP_NS_PER_MS, 3600 * TP_NS_PER_S);
	tcp_tick(f); /* it sees that something had come */
	tcp_expect_none(f);
	assert_int_equal(tcp_tick(f), 3600 * TP_NS_PER_S);
	tcp_expect(f, SEG(.seq = 0, .ack = 11));
	tcp_in(f, SEG(.seq = 11));
	assert_int_equal(f->c.nb_probes, 0);
	tcp_tick(f);
	assert_int_equal(tcp_tick(f), 7200 * TP_NS_PER_S - 75 * TP_NS_PER_S);
	tcp_expect(f, SEG(.seq = 0, .ack = 11));
}

/* RFC 9293 MUST-24: its user asks for it; MUST-29: not after one lost probe. */
static void
a_peer_that_never_answers_is_dead(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.keep_probes = 3;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tp_tcp_set(&f->env, &f->c, TP_TCP_OPT_KEEPALIVE, 1, f->now);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(tcp_tick(f), (i == 0 ? 7200 : 75) * TP_NS_PER_S);
		tcp_expect(f, SEG(.seq = 0));
		assert_int_equal(f->c.state, TP_TCP_ESTABLISHED);
	}
	tcp_tick(f);
	assert_int_equal(f->c.state, TP_TCP_CLOSED);
	assert_int_equal(f->c.reason, TP_TCP_R_KEEPALIVE);
	tcp_expect(f, SEG(.seq = 1, .flags = TP_TCP_RST | TP_TCP_ACK));
	assert_int_equal(mib(f, TP_TCP_M_KEEPALIVES), 3);
}

/* RFC 9293 MUST-27: only when nothing else is sent. */
static void
data_in_flight_needs_no_keepalive(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.keepalive = true;
	f->conf.keep_idle_ns = TP_NS_PER_S;
	f->conf.retries = 15;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 100);
	tcp_run(f, 20 * TP_NS_PER_S);
	assert_int_equal(mib(f, TP_TCP_M_KEEPALIVES), 0);
	tp_tcp_set(&f->env, &f->c, TP_TCP_OPT_KEEPALIVE, 0, f->now);
	assert_int_equal(f->c.keep_ns, TP_NEVER);
}

/* RFC 5482: a user timeout ends it earlier. */
static void
user_timeout_ends_keepalive_and_persist(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.user_timeout_ns = 10 * TP_NS_PER_S;
	f->conf.keepalive = true;
	f->conf.keep_idle_ns = 5 * TP_NS_PER_S;
	f->conf.keep_intvl_ns = 5 * TP_NS_PER_S;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_run(f, 10 * TP_NS_PER_S);
	assert_int_equal(f->c.state, TP_TCP_CLOSED);
	assert_int_equal(f->c.reason, TP_TCP_R_KEEPALIVE);
	tp_tcp_fini(&f->env, &f->c);
	f->ts_ours = 0;
	f->conf.keepalive = false;
	shut_window(f);
	tcp_run(f, 25 * TP_NS_PER_S);
	assert_int_equal(f->c.state, TP_TCP_CLOSED);
	assert_int_equal(f->c.reason, TP_TCP_R_TIMEOUT);
}

/* ---- retransmission, as far as the engine's core drives it --------------------------------------- */

/* RFC 9293 MUST-22: SYN by its own limit; the user hears. */
static void
an_unanswered_syn_ends(void **state)
{
	struct tcp_fix *f = *state;
	uint64_t begin = f->now;

	f->conf.syn_retries = 6;
	tcp_state(f, TP_TCP_SYN_SENT);
	for (int i = 0; i < 6; i++) {
		tcp_tick(f);
		tcp_expect(f, SEG(.seq = 0, .flags = TP_TCP_SYN));
	}
	tcp_tick(f);
	assert_int_equal(f->c.state, TP_TCP_CLOSED);
	assert_int_equal(f->c.reason, TP_TCP_R_TIMEOUT);
	assert_int_equal(f->now - begin, 127 * TP_NS_PER_S);
	assert_int_equal(tcp_events(f), TP_TCP_EV_CLOSED);
	assert_int_equal(tp_tcp_next(&f->c), TP_NEVER);
}

/* RFC 9293 MUST-23: R2 of a SYN is three minutes at least, and of a SYN-ACK, unless settings say less. */
static void
a_syn_is_repeated_for_three_minutes(void **state)
{
	static const enum tp_tcp_state states[] = { TP_TCP_SYN_SENT, TP_TCP_SYN_RCVD };
	struct tcp_fix *f = *state;
	uint64_t begin, last;

	for (unsigned int i = 0; i < RTE_DIM(states); i++) {
		begin = last = f->now;
		tcp_state(f, states[i]);
		while (f->c.state != TP_TCP_CLOSED) {
			last = f->now;
			tcp_tick(f);
		}
		assert_true(last - begin >= 120 * TP_NS_PER_S);
		assert_true(f->now - begin >= 180 * TP_NS_PER_S);
		tcp_flush(f);
		tp_tcp_fini(&f->env, &f->c);
	}
}

/* RFC 9293 MUST-20 (c), MUST-21: R2 by the settings, or by the user (further above). */
static void
unanswered_data_ends(void **state)
{
	struct tcp_fix *f = *state;
	uint64_t begin;

	tcp_state(f, TP_TCP_ESTABLISHED);
	begin = f->now;
	tcp_write(f, 100);
	while (f->c.state != TP_TCP_CLOSED) {
		tcp_tick(f);
		tcp_flush(f);
	}
	assert_int_equal(f->c.reason, TP_TCP_R_TIMEOUT);
	/* RFC 9293 3.8.3: R2 is at least 100 s. */
	assert_true(f->now - begin >= 100 * TP_NS_PER_S);
}

/* Timers that were early change nothing; time never runs backwards. */
static void
early_calls_do_nothing(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_conn before;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 100);
	tcp_flush(f);
	before = f->c;
	tp_tcp_timer(&f->env, &f->c, f->now);
	tp_tcp_timer(&f->env, &f->c, f->now - TP_NS_PER_S);
	assert_memory_equal(&f->c, &before, sizeof(before));
	tp_tcp_timer(&f->env, &f->c, f->now + 5);
	f->now -= 5;
	tcp_in(f, SEG(.ack = 101));
	assert_int_equal(f->c.last_now, before.last_now + 5);
}

static void
nothing_to_do_needs_no_timer(void **state)
{
	static const enum tp_tcp_state idle[] = { TP_TCP_ESTABLISHED, TP_TCP_CLOSE_WAIT,
		TP_TCP_FIN_WAIT_2 };
	struct tcp_fix *f = *state;

	for (unsigned int i = 0; i < RTE_DIM(idle); i++) {
		f->ts_ours = 0;
		tcp_state(f, idle[i]);
		assert_int_equal(tp_tcp_next(&f->c), TP_NEVER);
		tp_tcp_fini(&f->env, &f->c);
	}
}

/* A user that found no buffer hears of it though nothing is in flight whose ACK would tell; as long as
 * it asks again, again; and its connection is not parked meanwhile.
 */
static void
a_user_without_buffers_is_told(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	for (int i = 0; i < 3; i++) {
		tp_tcp_want_space(&f->c);
		tcp_done(f);
		assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_SPACE);
		assert_false(tp_tcp_parkable(&f->c));
		assert_in_range(tcp_tick(f), TP_NS_PER_MS, 100 * TP_NS_PER_MS);
		assert_int_equal(tcp_events(f), TP_TCP_EV_WRITABLE);
	}
	assert_int_equal(tp_tcp_next(&f->c), TP_NEVER);
	tcp_expect_none(f);
}

/* With something in flight its ACK tells, and no clock. */
static void
an_ack_tells_a_user_without_buffers(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tp_tcp_want_space(&f->c);
	tcp_done(f);
	tcp_write(f, 100);
	assert_int_not_equal(f->c.rexmit_kind, TP_TCP_REXMIT_SPACE);
	assert_int_equal(tcp_events(f), 0);
	tcp_in(f, SEG(.ack = 101));
	assert_int_equal(tcp_events(f), TP_TCP_EV_WRITABLE);
	assert_int_equal(tp_tcp_next(&f->c), TP_NEVER);
}

/* What was queued meanwhile and waits for the peer's window leaves no room: it is told by an ACK. */
static void
a_full_queue_is_not_writable(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.snd_buf = 1000;
	f->peer.wnd = 0;
	f->passive = true;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.wnd = 0));
	tp_tcp_want_space(&f->c);
	tcp_done(f);
	tcp_write(f, 1000);
	tcp_tick(f);
	assert_int_equal(tcp_events(f), 0);
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_PERSIST);
	tcp_in(f, SEG(.wnd = 2000));
	tcp_in(f, SEG(.ack = 1001));
	assert_int_equal(tcp_events(f), TP_TCP_EV_WRITABLE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(a_shut_window_is_probed),
		TCP_TEST(a_window_may_stay_shut_for_days),
		TCP_TEST(a_peer_that_answers_no_probe_is_gone),
		TCP_TEST(our_shut_window_answers_probes),
		TCP_TEST(no_keepalive_by_default),
		TCP_TEST(an_idle_peer_is_asked),
		TCP_TEST(a_peer_that_never_answers_is_dead),
		TCP_TEST(data_in_flight_needs_no_keepalive),
		TCP_TEST(user_timeout_ends_keepalive_and_persist),
		TCP_TEST(an_unanswered_syn_ends),
		TCP_TEST(a_syn_is_repeated_for_three_minutes),
		TCP_TEST(unanswered_data_ends),
		TCP_TEST(early_calls_do_nothing),
		TCP_TEST(nothing_to_do_needs_no_timer),
		TCP_TEST(a_user_without_buffers_is_told),
		TCP_TEST(an_ack_tells_a_user_without_buffers),
		TCP_TEST(a_full_queue_is_not_writable),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
