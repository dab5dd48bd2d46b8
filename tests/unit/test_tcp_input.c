/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 9293 3.10.7.3 and 3.10.7.4: the steps, each by what it must let through and what not. */

#include "test_tcp.h"

#define DAY (86400 * TP_NS_PER_S)

static uint64_t
mib(const struct tcp_fix *f, enum tp_tcp_mib counter)
{
	return f->env.mib[counter];
}

/* ---- opening ------------------------------------------------------------------------ */

/* RFC 9293 figure 6. */
static void
active_open(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn_ack;

	tcp_syn_sent(f);
	tcp_expect(f, SEG(.seq = 0, .flags = TP_TCP_SYN | TP_TCP_ECE | TP_TCP_CWR));
	tcp_expect_none(f);
	syn_ack = tcp_peer_syn(f, TP_TCP_ACK);
	tcp_in(f, &syn_ack);
	tcp_expect(f, SEG(.seq = 1, .ack = 1));
	tcp_expect_none(f);
	assert_int_equal(f->c.state, TP_TCP_ESTABLISHED);
	assert_int_equal(tcp_events(f), TP_TCP_EV_ESTABLISHED);
	assert_int_equal(mib(f, TP_TCP_M_ACTIVE_OPENS), 1);
	assert_int_equal(f->c.snd_mss, 1448);
	assert_int_equal(f->c.cwnd, 10 * 1448);
}

static void
passive_open(void **state)
{
	struct tcp_fix *f = *state;

	tcp_syn_rcvd(f);
	tcp_expect(f, SEG(.seq = 0, .ack = 1, .flags = TP_TCP_SYN | TP_TCP_ACK));
	tcp_in(f, SEG(.seq = 1, .ack = 1));
	tcp_expect_none(f);
	assert_int_equal(f->c.state, TP_TCP_ESTABLISHED);
	assert_int_equal(tcp_events(f), TP_TCP_EV_ESTABLISHED);
	assert_int_equal(mib(f, TP_TCP_M_PASSIVE_OPENS), 1);
}

/* RFC 9293 MUST-10, figure 7: both SYNs cross, both ends then repeat theirs with an ACK. */
static void
simultaneous_open(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn;

	tcp_syn_sent(f);
	tcp_flush(f);
	syn = tcp_peer_syn(f, 0);
	tcp_in(f, &syn);
	assert_int_equal(f->c.state, TP_TCP_SYN_RCVD);
	tcp_expect(f, SEG(.seq = 0, .ack = 1, .flags = TP_TCP_SYN | TP_TCP_ACK));
	tcp_expect_none(f);
	syn = tcp_peer_syn(f, TP_TCP_ACK);
	tcp_in(f, &syn);
	assert_int_equal(f->c.state, TP_TCP_ESTABLISHED);
	tcp_expect_none(f);
	tcp_write(f, 10);
	tcp_expect(f, SEG(.len = 10));
}

/* RFC 9293 3.10.7.3, first: <SEQ=SEG.ACK><CTL=RST>, and the state stays. */
static void
syn_sent_refuses_an_ack_of_something_else(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_SYN_SENT);
	for (uint32_t ack = 0; ack < 4; ack += 2) {
		tcp_in(f, SEG(.seq = 0, .ack = ack, .flags = TP_TCP_SYN | TP_TCP_ACK));
		tcp_expect(f, SEG(.seq = ack, .flags = TP_TCP_RST));
		tcp_in(f, SEG(.seq = 0, .ack = ack, .flags = TP_TCP_RST | TP_TCP_ACK));
		tcp_expect_none(f);
	}
	assert_int_equal(f->c.state, TP_TCP_SYN_SENT);
}

static void
syn_sent_takes_a_rst_only_with_its_ack(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_SYN_SENT);
	tcp_in(f, SEG(.seq = 0, .flags = TP_TCP_RST));
	assert_int_equal(f->c.state, TP_TCP_SYN_SENT);
	tcp_in(f, SEG(.seq = 0, .ack = 1, .flags = TP_TCP_RST | TP_TCP_ACK));
	assert_int_equal(f->c.state, TP_TCP_CLOSED);
	assert_int_equal(f->c.reason, TP_TCP_R_REFUSED);
	assert_int_equal(tcp_events(f), TP_TCP_EV_CLOSED);
	assert_int_equal(mib(f, TP_TCP_M_ATTEMPT_FAILS), 1);
	tcp_expect_none(f);
}

static void
syn_sent_ignores_what_has_neither_syn_nor_rst(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_SYN_SENT);
	tcp_in(f, SEG(.seq = 0, .ack = 1));
	tcp_expect_none(f);
	assert_int_equal(f->c.state, TP_TCP_SYN_SENT);
}

/* RFC 9293 3.10.7.3, fourth: text and FIN of the SYN-ACK count. */
static void
a_syn_ack_may_bring_data_and_fin(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn_ack;

	tcp_state(f, TP_TCP_SYN_SENT);
	syn_ack = tcp_peer_syn(f, TP_TCP_ACK | TP_TCP_FIN);
	syn_ack.len = 20;
	tcp_in(f, &syn_ack);
	tcp_expect(f, SEG(.seq = 1, .ack = 22));
	assert_int_equal(f->c.state, TP_TCP_CLOSE_WAIT);
	assert_int_equal(tcp_read(f), 20);
	assert_int_equal(tcp_events(f), TP_TCP_EV_ESTABLISHED | TP_TCP_EV_DATA | TP_TCP_EV_EOF);
}

/* RFC 9293 3.10.7.4, fifth: <SEQ=SEG.ACK><CTL=RST>. */
static void
syn_rcvd_refuses_an_ack_of_something_else(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_SYN_RCVD);
	tcp_in(f, SEG(.ack = 0));
	tcp_expect(f, SEG(.seq = 0, .flags = TP_TCP_RST));
	tcp_in(f, SEG(.ack = 2));
	tcp_expect(f, SEG(.seq = 2, .flags = TP_TCP_RST));
	assert_int_equal(f->c.state, TP_TCP_SYN_RCVD);
}

/* RFC 9293 MUST-11: whether it came from LISTEN decides. */
static void
syn_rcvd_and_rst(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn;

	tcp_state(f, TP_TCP_SYN_RCVD);
	tcp_in(f, SEG(.seq = 1, .flags = TP_TCP_RST));
	assert_int_equal(f->c.state, TP_TCP_CLOSED);
	assert_int_equal(f->c.reason, TP_TCP_R_RESET);
	tp_tcp_fini(&f->env, &f->c);
	f->ts_ours = 0;
	tcp_state(f, TP_TCP_SYN_SENT);
	syn = tcp_peer_syn(f, 0);
	tcp_in(f, &syn);
	tcp_in(f, SEG(.seq = 1, .flags = TP_TCP_RST));
	assert_int_equal(f->c.state, TP_TCP_CLOSED);
	assert_int_equal(f->c.reason, TP_TCP_R_REFUSED);
}

static void
syn_rcvd_repeats_its_answer(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn;

	tcp_state(f, TP_TCP_SYN_RCVD);
	syn = tcp_peer_syn(f, 0);
	tcp_in(f, &syn);
	tcp_expect(f, SEG(.seq = 0, .ack = 1, .flags = TP_TCP_SYN | TP_TCP_ACK));
	tcp_expect_none(f);
	assert_int_equal(f->c.state, TP_TCP_SYN_RCVD);
}

/* ---- first: sequence number ------------------------------------------------------------ */

/* RFC 9293 3.4, table 6, MUST-66. */
static void
what_lies_outside_of_the_window_is_answered(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	uint32_t edge = f->c.rcv_adv - f->irs;

	tcp_in(f, SEG(.seq = edge, .len = 1));
	tcp_expect(f, SEG(.seq = 1, .ack = 1));
	tcp_in(f, SEG(.seq = edge + 1));
	tcp_expect(f, SEG(.seq = 1, .ack = 1));
	tcp_in(f, SEG(.seq = 0));
	tcp_expect(f, SEG(.seq = 1, .ack = 1));
	tcp_in(f, SEG(.seq = edge + 1, .flags = TP_TCP_RST));
	tcp_expect_none(f);
	assert_int_equal(mib(f, TP_TCP_M_OUT_OF_WINDOW), 3);
	assert_int_equal(f->c.rcv_nxt, f->irs + 1);
	assert_int_equal(f->c.state, TP_TCP_ESTABLISHED);
}

/* RFC 9293 MUST-66: with a window of zero ACK, URG and RST count still; the text does not. */
static void
a_closed_window_lets_acks_through(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.rcv_buf = 1000;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.seq = 1, .len = 1000));
	tcp_in(f, SEG(.seq = 1001, .len = 1, .flags = TP_TCP_ACK));
	tcp_write(f, 100);
	tcp_flush(f);
	assert_int_equal(f->c.rcv_adv, f->c.rcv_nxt);
	tcp_in(f, SEG(.seq = 1001, .ack = 101, .len = 100, .urg_ptr = 3,
	                          .flags = TP_TCP_ACK | TP_TCP_URG));
	assert_int_equal(f->c.snd_una, f->iss + 101);
	assert_true(tcp_events(f) & TP_TCP_EV_URGENT);
	tcp_expect(f, SEG(.seq = 101, .ack = 1001));
	tcp_in(f, SEG(.seq = 1001, .flags = TP_TCP_RST));
	assert_int_equal(f->c.state, TP_TCP_CLOSED);
	assert_int_equal(tcp_read(f), 1000);
}

/* ---- second: RST, fourth: SYN ------------------------------------------------------------- */

static void
a_rst_ends_every_state(void **state)
{
	static const enum tp_tcp_state states[] = { TP_TCP_ESTABLISHED, TP_TCP_FIN_WAIT_1,
		TP_TCP_FIN_WAIT_2, TP_TCP_CLOSE_WAIT, TP_TCP_CLOSING, TP_TCP_LAST_ACK,
		TP_TCP_TIME_WAIT };
	struct tcp_fix *f = *state;

	for (unsigned int i = 0; i < RTE_DIM(states); i++) {
		f->ts_ours = 0;
		tcp_state(f, states[i]);
		tcp_in(f, SEG(.seq = f->c.rcv_nxt - f->irs, .flags = TP_TCP_RST));
		assert_int_equal(f->c.state, TP_TCP_CLOSED);
		assert_int_equal(f->c.reason,
		                states[i] == TP_TCP_TIME_WAIT ? TP_TCP_R_DONE : TP_TCP_R_RESET);
		tcp_expect_none(f);
		tp_tcp_fini(&f->env, &f->c);
	}
}

/* ---- fifth: ACK ------------------------------------------------------------------------------ */

static void
no_ack_no_data(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.len = 10, .flags = TP_TCP_PSH));
	tcp_expect_none(f);
	assert_int_equal(f->c.rcv_nxt, f->irs + 1);
	assert_int_equal(mib(f, TP_TCP_M_NO_ACK_DROP), 1);
}

/* RFC 9293 3.10.7.4: SND.WL1, SND.WL2. */
static void
old_segments_do_not_move_the_window(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.seq = 1, .len = 10, .wnd = 5000));
	assert_int_equal(f->c.snd_wnd, 5000);
	tcp_in(f, SEG(.seq = 11, .wnd = 6000));
	assert_int_equal(f->c.snd_wnd, 6000);
	tcp_in(f, SEG(.seq = 10, .len = 1, .wnd = 1000));
	assert_int_equal(f->c.snd_wnd, 6000);
}

/* Text that the peer sends again has an old number, but its ACK and window may be the newest. */
static void
an_old_number_with_a_new_ack_moves_the_window(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 3000);
	tcp_flush(f);
	tcp_in(f, SEG(.seq = 11, .ack = 1, .wnd = 5000));
	assert_int_equal(f->c.snd_wnd, 5000);
	tcp_in(f, SEG(.seq = 1, .ack = 2001, .len = 10, .wnd = 3000));
	assert_int_equal(f->c.snd_una, f->iss + 2001);
	assert_int_equal(f->c.snd_wnd, 3000);
	/* Of equal ACKs the highest number is the newest again. */
	tcp_in(f, SEG(.seq = 11, .ack = 2001, .wnd = 4000));
	assert_int_equal(f->c.snd_wnd, 4000);
}

/* ---- sixth, seventh: URG, text ------------------------------------------------------------------- */

/* RFC 9293 MUST-30..33, MUST-62: urgent data of any length, the user is told, and where the octet
 * behind it is.
 */
static void
urgent_data_is_announced(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.len = 10, .urg_ptr = 5, .flags = TP_TCP_ACK | TP_TCP_URG));
	assert_int_equal(tcp_events(f), TP_TCP_EV_URGENT | TP_TCP_EV_DATA);
	assert_int_equal(f->c.rcv_up, f->irs + 6);
	tcp_in(f, SEG(.seq = 11, .len = 10, .urg_ptr = 0, .flags = TP_TCP_ACK | TP_TCP_URG));
	assert_int_equal(tcp_events(f), TP_TCP_EV_URGENT | TP_TCP_EV_DATA);
	tcp_in(f, SEG(.seq = 21, .len = 10, .urg_ptr = 65535, .flags = TP_TCP_ACK | TP_TCP_URG));
	assert_int_equal(f->c.rcv_up, f->irs + 21 + 65535);
	assert_int_equal(tcp_read(f), 30);
}

/* RFC 9293 MUST-40, MUST-58, SHLD-18: every second segment, and after less than 0.5 s. */
static void
acks_are_delayed(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.len = 1448));
	tcp_expect_none(f);
	tcp_in(f, SEG(.seq = 1449, .len = 1448));
	tcp_expect(f, SEG(.ack = 2897));
	tcp_in(f, SEG(.seq = 2897, .len = 10));
	tcp_expect_none(f);
	assert_int_equal(tcp_tick(f), 40 * TP_NS_PER_MS);
	tcp_expect(f, SEG(.ack = 2907));
	assert_int_equal(mib(f, TP_TCP_M_DELAYED_ACK), 1);
	assert_int_equal(mib(f, TP_TCP_M_HP_HITS), 3);
	assert_int_equal(tcp_read(f), 2906);
	tcp_expect_none(f);
	assert_int_equal(tp_tcp_next(&f->c), TP_NEVER);
}

/* RFC 9293 MUST-59: what waits is all taken before anything is acknowledged. */
static void
a_burst_gets_one_ack(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	f->no_output = true;
	tcp_in(f, SEG(.seq = 1449, .len = 1448));
	tcp_in(f, SEG(.seq = 2897, .len = 1448));
	f->no_output = false;
	tcp_in(f, SEG(.len = 1448));
	tcp_expect(f, SEG(.ack = 4345));
	tcp_expect_none(f);
}

static void
quickack_and_coalesced_segments_are_acked_at_once(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.len = 2896, .nb_coalesced = 2));
	tcp_expect(f, SEG(.ack = 2897));
	tp_tcp_set(&f->env, &f->c, TP_TCP_OPT_QUICKACK, 1, f->now);
	tcp_in(f, SEG(.seq = 2897, .len = 10));
	tcp_expect(f, SEG(.ack = 2907));
}

/* Data that goes out takes the ACK along. */
static void
acks_ride_on_data(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.len = 10));
	tcp_write(f, 10);
	tcp_expect(f, SEG(.seq = 1, .ack = 11, .len = 10));
	assert_int_equal(f->c.delack_ns, TP_NEVER);
	tcp_in(f, SEG(.seq = 11, .ack = 11, .len = 10));
	tcp_expect_none(f);
}

/* The numbers wrap in the middle of a segment, in each direction, on the short path. */
static void
a_stream_crosses_the_wrap(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t seq = 1, acked = 1;

	tcp_state(f, TP_TCP_ESTABLISHED);
	for (int i = 0; i < 20; i++) {
		tcp_in(f, SEG(.seq = seq, .ack = acked, .len = 1000));
		seq += 1000;
		assert_int_equal(tcp_read(f), 1000);
		tcp_write(f, 900);
		tcp_expect(f, SEG(.seq = acked, .ack = seq, .len = 900));
		acked += 900;
	}
	tcp_in(f, SEG(.seq = seq, .ack = acked));
	assert_true(f->c.rcv_nxt < f->irs && f->c.snd_una < f->iss);
	assert_true(f->c.snd_una == f->c.snd_nxt);
	assert_int_equal(mib(f, TP_TCP_M_HP_HITS), 21);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(active_open),
		TCP_TEST(passive_open),
		TCP_TEST(simultaneous_open),
		TCP_TEST(syn_sent_refuses_an_ack_of_something_else),
		TCP_TEST(syn_sent_takes_a_rst_only_with_its_ack),
		TCP_TEST(syn_sent_ignores_what_has_neither_syn_nor_rst),
		TCP_TEST(a_syn_ack_may_bring_data_and_fin),
		TCP_TEST(syn_rcvd_refuses_an_ack_of_something_else),
		TCP_TEST(syn_rcvd_and_rst),
		TCP_TEST(syn_rcvd_repeats_its_answer),
		TCP_TEST(what_lies_outside_of_the_window_is_answered),
		TCP_TEST(a_closed_window_lets_acks_through),
		TCP_TEST(a_rst_ends_every_state),
		TCP_TEST(no_ack_no_data),
		TCP_TEST(old_segments_do_not_move_the_window),
		TCP_TEST(an_old_number_with_a_new_ack_moves_the_window),
		TCP_TEST(urgent_data_is_announced),
		TCP_TEST(acks_are_delayed),
		TCP_TEST(a_burst_gets_one_ack),
		TCP_TEST(quickack_and_coalesced_segments_are_acked_at_once),
		TCP_TEST(acks_ride_on_data),
		TCP_TEST(a_stream_crosses_the_wrap),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
