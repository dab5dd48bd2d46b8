/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Ends: by the user, by the peer, by both at once; what comes afterwards. */

#include <errno.h>

#include "test_tcp.h"

#define FIN_ACK (TP_TCP_FIN | TP_TCP_ACK)
#define TWO_MSL (60 * TP_NS_PER_S)

static const char *
state_of(const struct tcp_fix *f)
{
	return tp_tcp_state_name(f->c.state);
}
#define assert_state(f, name) assert_string_equal(state_of(f), name)

/* ---- the ways through the diagram (RFC 9293 figure 5) --------------------------------- */

/* RFC 9293 figure 12. */
static void
the_user_closes_first(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_shutdown(f);
	tcp_expect(f, SEG(.seq = 1, .flags = FIN_ACK));
	assert_state(f, "FIN_WAIT_1");
	tcp_in(f, SEG(.ack = 2));
	assert_state(f, "FIN_WAIT_2");
	tcp_expect_none(f);
	tcp_in(f, SEG(.ack = 2, .flags = FIN_ACK));
	assert_state(f, "TIME_WAIT");
	tcp_expect(f, SEG(.seq = 2, .ack = 2));
	assert_int_equal(tcp_events(f), TP_TCP_EV_EOF);
	/* RFC 9293 MUST-13: two MSL. */
	assert_int_equal(tcp_tick(f), TWO_MSL);
	assert_state(f, "CLOSED");
	assert_int_equal(f->c.reason, TP_TCP_R_DONE);
	assert_int_equal(tcp_events(f), TP_TCP_EV_CLOSED);
	tcp_expect_none(f);
	assert_int_equal(tp_tcp_next(&f->c), TP_NEVER);
}

static void
the_peer_closes_first(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.flags = FIN_ACK));
	tcp_expect(f, SEG(.seq = 1, .ack = 2));
	assert_state(f, "CLOSE_WAIT");
	assert_int_equal(tcp_events(f), TP_TCP_EV_EOF);
	/* A half-open connection still sends. */
	tcp_write(f, 10);
	tcp_expect(f, SEG(.seq = 1, .ack = 2, .len = 10));
	tcp_in(f, SEG(.seq = 2, .ack = 11));
	tcp_shutdown(f);
	tcp_expect(f, SEG(.seq = 11, .ack = 2, .flags = FIN_ACK));
	assert_state(f, "LAST_ACK");
	tcp_in(f, SEG(.seq = 2, .ack = 12));
	assert_state(f, "CLOSED");
	assert_int_equal(f->c.reason, TP_TCP_R_DONE);
	tcp_expect_none(f);
}

/* RFC 9293 figure 13. */
static void
both_close_at_once(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_FIN_WAIT_1);
	tcp_in(f, SEG(.ack = 1, .flags = FIN_ACK));
	assert_state(f, "CLOSING");
	tcp_expect(f, SEG(.seq = 2, .ack = 2));
	tcp_in(f, SEG(.seq = 2, .ack = 2));
	assert_state(f, "TIME_WAIT");
	tcp_expect_none(f);
}

static void
a_fin_that_acks_ours_ends_in_time_wait(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_FIN_WAIT_1);
	tcp_in(f, SEG(.ack = 2, .flags = FIN_ACK));
	assert_state(f, "TIME_WAIT");
	tcp_expect(f, SEG(.seq = 2, .ack = 2));
}

/* RFC 9293 3.10.4: what was sent before goes before. */
static void
fin_follows_all_data(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	f->no_output = true;
	tcp_write(f, 100);
	tcp_shutdown(f);
	f->no_output = false;
	tcp_done(f);
	tcp_expect(f, SEG(.seq = 1, .len = 100, .flags = FIN_ACK | TP_TCP_PSH));
	assert_int_equal(tp_tcp_send(&f->env, &f->c, NULL, true, f->now), -EPIPE);
	tcp_in(f, SEG(.ack = 101));
	assert_state(f, "FIN_WAIT_1");
	tcp_in(f, SEG(.ack = 102));
	assert_state(f, "FIN_WAIT_2");
}

static void
fin_waits_for_the_window(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.len = 1, .wnd = 100));
	f->no_output = true;
	tcp_write(f, 100);
	tcp_shutdown(f);
	f->no_output = false;
	tcp_done(f);
	tcp_expect(f, SEG(.seq = 1, .ack = 2, .len = 100));
	tcp_expect_none(f);
	tcp_in(f, SEG(.seq = 2, .ack = 101, .wnd = 0));
	tcp_expect_none(f);
	tcp_in(f, SEG(.seq = 2, .ack = 101, .wnd = 1));
	tcp_expect(f, SEG(.seq = 101, .ack = 2, .flags = FIN_ACK));
}

/* Data and FIN in one segment, and FIN behind a gap. */
static void
the_peers_fin_waits_for_its_place(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.seq = 101, .len = 50, .flags = FIN_ACK));
	assert_state(f, "ESTABLISHED");
	tcp_expect(f, SEG(.ack = 1, .nb_sack = 1, .sack = { { 101, 152 } }));
	tcp_in(f, SEG(.seq = 1, .len = 100));
	assert_state(f, "CLOSE_WAIT");
	tcp_expect(f, SEG(.ack = 152));
	assert_int_equal(tcp_read(f), 150);
	assert_int_equal(tcp_events(f), TP_TCP_EV_DATA | TP_TCP_EV_EOF);
}

static void
a_fin_is_taken_once(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_CLOSE_WAIT);
	tcp_in(f, SEG(.seq = 1, .flags = FIN_ACK));
	tcp_expect(f, SEG(.ack = 2));
	assert_int_equal(tcp_events(f), 0);
	assert_state(f, "CLOSE_WAIT");
}

/* Half close: the user only reads, for as long as the peer likes. */
static void
half_closed_it_still_receives(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_FIN_WAIT_2);
	assert_int_equal(tp_tcp_next(&f->c), TP_NEVER);
	tcp_run(f, 3600 * TP_NS_PER_S);
	tcp_in(f, SEG(.ack = 2, .len = 1000));
	tcp_in(f, SEG(.seq = 1001, .ack = 2, .len = 1000));
	tcp_expect(f, SEG(.seq = 2, .ack = 2001));
	assert_int_equal(tcp_read(f), 2000);
	tcp_in(f, SEG(.seq = 2001, .ack = 2, .flags = FIN_ACK));
	assert_state(f, "TIME_WAIT");
}

/* ---- closed both ways --------------------------------------------------------------------- */

/* RFC 9293 3.6.1, SHLD-3: data that nobody will read gets a RST. */
static void
data_after_close_gets_a_rst(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_close(f);
	tcp_expect(f, SEG(.seq = 1, .flags = FIN_ACK));
	tcp_in(f, SEG(.ack = 2, .len = 10));
	tcp_expect(f, SEG(.seq = 2, .ack = 1, .flags = TP_TCP_RST | TP_TCP_ACK));
	assert_state(f, "CLOSED");
	assert_int_equal(f->c.reason, TP_TCP_R_ABORT);
	assert_int_equal(f->env.mib[TP_TCP_M_ABORT_DATA], 1);
	assert_int_equal(f->env.mib[TP_TCP_M_OUT_RSTS], 1);
}

static void
close_with_unread_data_is_a_rst(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.len = 10));
	tcp_close(f);
	tcp_expect(f, SEG(.seq = 1, .ack = 11, .flags = TP_TCP_RST | TP_TCP_ACK));
	tcp_expect_none(f);
	assert_state(f, "CLOSED");
}

static void
fin_wait_2_without_reader_ends(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_close(f);
	tcp_in(f, SEG(.ack = 2));
	assert_state(f, "FIN_WAIT_2");
	assert_int_equal(tcp_tick(f), TWO_MSL);
	assert_state(f, "CLOSED");
	assert_int_equal(f->c.reason, TP_TCP_R_TIMEOUT);
	tp_tcp_fini(&f->env, &f->c);
	/* The reader goes later. */
	f->ts_ours = 0;
	tcp_state(f, TP_TCP_FIN_WAIT_2);
	tcp_close(f);
	assert_int_equal(tcp_tick(f), TWO_MSL);
	assert_state(f, "CLOSED");
}

/* RFC 9293 3.10.4: SYN-SENT. */
static void
closing_before_the_answer(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_SYN_SENT);
	tcp_close(f);
	assert_state(f, "CLOSED");
	tcp_expect_none(f);
	assert_int_equal(tcp_events(f), TP_TCP_EV_CLOSED);
}

/* RFC 9293 3.10.4: queued until ESTABLISHED. */
static void
closing_before_established(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_SYN_RCVD);
	tcp_close(f);
	tcp_expect_none(f);
	tcp_in(f, SEG());
	assert_state(f, "FIN_WAIT_1");
	tcp_expect(f, SEG(.seq = 1, .flags = FIN_ACK));
}

/* ---- abort ----------------------------------------------------------------------------------- */

/* RFC 9293 3.10.5: by state. */
static void
abort_sends_a_rst_where_the_peer_waits(void **state)
{
	static const struct {
		enum tp_tcp_state state;
		bool rst;
	} cases[] = {
		{ TP_TCP_SYN_SENT, false },
		{ TP_TCP_SYN_RCVD, true },
		{ TP_TCP_ESTABLISHED, true },
		{ TP_TCP_FIN_WAIT_1, true },
		{ TP_TCP_FIN_WAIT_2, true },
		{ TP_TCP_CLOSE_WAIT, true },
		{ TP_TCP_CLOSING, false },
		{ TP_TCP_LAST_ACK, false },
		{ TP_TCP_TIME_WAIT, false },
	};
	struct tcp_fix *f = *state;

	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		f->ts_ours = 0;
		tcp_state(f, cases[i].state);
		uint32_t nxt = f->c.snd_nxt - f->iss, rcv = f->c.rcv_nxt - f->irs;

		tcp_abort(f);
		if (cases[i].rst)
			tcp_expect(f, SEG(.seq = nxt, .ack = rcv,
			                              .flags = TP_TCP_RST | TP_TCP_ACK));
		tcp_expect_none(f);
		assert_state(f, "CLOSED");
		assert_int_equal(f->c.reason, TP_TCP_R_ABORT);
		tp_tcp_fini(&f->env, &f->c);
	}
}

static void
queues_go_with_the_connection(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 50000);
	tcp_in(f, SEG(.seq = 1001, .len = 100));
	tcp_in(f, SEG(.seq = 1, .len = 100));
	tcp_flush(f);
	tcp_abort(f);
	tcp_expect(f, SEG(.seq = f->c.snd_nxt - f->iss, .ack = 101,
	                              .flags = TP_TCP_RST | TP_TCP_ACK));
	assert_int_equal(f->c.snd_queued, 0);
	/* What was in order may still be read. */
	assert_int_equal(tcp_read(f), 100);
	assert_int_equal(f->env.held_bytes, 0);
}

/* ---- TIME_WAIT -------------------------------------------------------------------------------- */

/* RFC 9293 3.10.7.4, eighth: the peer's FIN again: answered, and the clock starts anew. */
static void
time_wait_answers_a_repeated_fin(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_TIME_WAIT);
	tcp_run(f, TWO_MSL / 2);
	tcp_in(f, SEG(.ack = 2, .flags = FIN_ACK));
	tcp_expect(f, SEG(.seq = 2, .ack = 2));
	assert_int_equal(tcp_tick(f), TWO_MSL);
	assert_state(f, "CLOSED");
}

/* ---- what belongs to nobody ------------------------------------------------------------------- */

/* RFC 9293 3.10.7.1. */
static void
segments_for_nobody_are_refused(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_key key = tcp_frame_key(true, 1, 80, 2, 5555);
	const struct {
		struct tp_tcp_seg in;
		uint8_t flags; /* 0: no answer */
		uint32_t seq, ack;
	} cases[] = {
		{ { .seq = 5, .flags = TP_TCP_SYN }, TP_TCP_RST | TP_TCP_ACK, 0, 6 },
		{ { .seq = 5, .flags = TP_TCP_FIN, .len = 3 }, TP_TCP_RST | TP_TCP_ACK, 0, 9 },
		{ { .seq = 5, .ack = 77, .flags = TP_TCP_ACK, .len = 3 }, TP_TCP_RST, 77, 0 },
		{ { .seq = UINT32_MAX, .flags = TP_TCP_SYN }, TP_TCP_RST | TP_TCP_ACK, 0, 0 },
		{ { .seq = 5, .flags = TP_TCP_RST }, 0, 0, 0 },
		{ { .seq = 5, .flags = TP_TCP_RST | TP_TCP_ACK }, 0, 0, 0 },
	};

	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		struct rte_mbuf *m = tp_tcp_refuse(&f->env, &key, &cases[i].in);
		const struct rte_tcp_hdr *tcp;

		assert_true((m != NULL) == (cases[i].flags != 0));
		if (m == NULL)
			continue;
		tcp = rte_pktmbuf_mtod(m, const struct rte_tcp_hdr *);
		assert_int_equal(m->data_len, 20);
		assert_int_equal(m->l4_len, 20);
		assert_true(m->ol_flags & RTE_MBUF_F_TX_IPV6);
		assert_int_equal(tcp->tcp_flags, cases[i].flags);
		assert_int_equal(rte_be_to_cpu_32(tcp->sent_seq), cases[i].seq);
		assert_int_equal(rte_be_to_cpu_32(tcp->recv_ack), cases[i].ack);
		assert_int_equal(tcp->src_port, key.lport);
		assert_int_equal(tp_tcp_ecn_codepoint(m), 0);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(f->env.mib[TP_TCP_M_OUT_RSTS], 4);
}

static void
a_closed_connection_says_nothing(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_CLOSED);
	tcp_in(f, SEG(.len = 10));
	tcp_shutdown(f);
	tcp_close(f);
	tcp_abort(f);
	tcp_expect_none(f);
	assert_int_equal(tcp_events(f), 0);
	assert_int_equal(tp_tcp_next(&f->c), TP_NEVER);
	assert_int_equal(tp_tcp_send(&f->env, &f->c, NULL, true, f->now), -ENOTCONN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(the_user_closes_first),
		TCP_TEST(the_peer_closes_first),
		TCP_TEST(both_close_at_once),
		TCP_TEST(a_fin_that_acks_ours_ends_in_time_wait),
		TCP_TEST(fin_follows_all_data),
		TCP_TEST(fin_waits_for_the_window),
		TCP_TEST(the_peers_fin_waits_for_its_place),
		TCP_TEST(a_fin_is_taken_once),
		TCP_TEST(half_closed_it_still_receives),
		TCP_TEST(data_after_close_gets_a_rst),
		TCP_TEST(close_with_unread_data_is_a_rst),
		TCP_TEST(fin_wait_2_without_reader_ends),
		TCP_TEST(closing_before_the_answer),
		TCP_TEST(closing_before_established),
		TCP_TEST(abort_sends_a_rst_where_the_peer_waits),
		TCP_TEST(queues_go_with_the_connection),
		TCP_TEST(time_wait_answers_a_repeated_fin),
		TCP_TEST(segments_for_nobody_are_refused),
		TCP_TEST(a_closed_connection_says_nothing),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
