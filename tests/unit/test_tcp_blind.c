/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 5961: what someone can do who sees nothing of a connection but guesses its ends. */

#include "test_tcp.h"

static uint64_t
mib(const struct tcp_fix *f, enum tp_tcp_mib counter)
{
	return f->env.mib[counter];
}

/* 3.2; RFC 9293 MUST-12: the user is told. */
static void
only_the_exact_rst_counts(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.seq = 2, .flags = TP_TCP_RST));
	tcp_expect(f, SEG(.seq = 1, .ack = 1));
	tcp_in(f, SEG(.seq = 0, .flags = TP_TCP_RST));
	tcp_expect_none(f);
	assert_int_equal(mib(f, TP_TCP_M_CHALLENGE_ACK), 1);
	assert_int_equal(f->c.state, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.seq = 1, .flags = TP_TCP_RST));
	assert_int_equal(f->c.state, TP_TCP_CLOSED);
	assert_int_equal(f->c.reason, TP_TCP_R_RESET);
	assert_int_equal(tcp_events(f), TP_TCP_EV_CLOSED);
	assert_int_equal(mib(f, TP_TCP_M_ESTAB_RESETS), 1);
	tcp_expect_none(f);
}

/* RFC 5961 4.2: whatever its number. */
static void
a_syn_is_challenged(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.seq = 1, .flags = TP_TCP_SYN));
	tcp_expect(f, SEG(.seq = 1, .ack = 1));
	tcp_in(f, SEG(.seq = 0x40000000, .flags = TP_TCP_SYN));
	tcp_expect(f, SEG(.seq = 1, .ack = 1));
	assert_int_equal(f->c.state, TP_TCP_ESTABLISHED);
}

/* RFC 5961 7. */
static void
challenges_are_limited(void **state)
{
	struct tcp_fix *f = *state;
	uint64_t sent;

	tcp_state(f, TP_TCP_ESTABLISHED);
	for (int i = 0; i < 3000; i++) {
		tcp_in(f, SEG(.seq = 2, .flags = TP_TCP_RST));
		tcp_flush(f);
	}
	sent = mib(f, TP_TCP_M_CHALLENGE_ACK);
	assert_in_range(sent, 500, 1500);
	assert_int_equal(mib(f, TP_TCP_M_CHALLENGE_LIMIT), 3000 - sent);
	f->now += TP_NS_PER_S;
	tcp_in(f, SEG(.seq = 2, .flags = TP_TCP_RST));
	tcp_expect(f, SEG());
}

/* RFC 9293 3.10.7.4, fifth; RFC 5961 5.2. */
static void
acks_of_what_was_not_sent(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.ack = 2, .len = 10));
	tcp_expect(f, SEG(.seq = 1, .ack = 1));
	assert_int_equal(f->c.rcv_nxt, f->irs + 1);
	/* As old as the largest window: a duplicate. Older: an attack. */
	tcp_in(f, SEG(.ack = 1 - 65535, .len = 10));
	assert_int_equal(f->c.rcv_nxt, f->irs + 11);
	tcp_in(f, SEG(.seq = 11, .ack = 0 - 65535, .len = 10));
	tcp_expect(f, SEG(.seq = 1, .ack = 11));
	assert_int_equal(f->c.rcv_nxt, f->irs + 11);
	assert_int_equal(mib(f, TP_TCP_M_ACK_UNSENT), 2);
}

/* 4.2, 7: SYNs from anywhere do not make us flood the peer, in no state behind the handshake. */
static void
answers_to_syns_are_limited(void **state)
{
	static const enum tp_tcp_state states[] = { TP_TCP_ESTABLISHED, TP_TCP_FIN_WAIT_2,
		TP_TCP_CLOSE_WAIT, TP_TCP_TIME_WAIT };
	struct tcp_fix *f = *state;
	uint32_t nb;

	for (unsigned int i = 0; i < RTE_DIM(states); i++) {
		f->ts_ours = 0;
		tcp_state(f, states[i]);
		tcp_flush(f);
		f->env.challenge_left = 5;
		f->env.challenge_sec = f->now / TP_NS_PER_S;
		for (nb = 0; nb < 20; nb++)
			tcp_in(f, SEG(.seq = 0x40000000 + nb, .len = nb & 1, .flags = TP_TCP_SYN));
		assert_int_equal(tcp_nb_out(f), 5);
		assert_int_equal(f->c.state, states[i]);
		tp_tcp_fini(&f->env, &f->c);
	}
}

/* But a SYN that is repeated because the answer was lost gets it again: RFC 9293 3.10.7.4. */
static void
the_handshake_is_not_limited(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn;

	tcp_state(f, TP_TCP_SYN_RCVD);
	f->env.challenge_left = 0;
	f->env.challenge_sec = f->now / TP_NS_PER_S;
	for (int i = 0; i < 3; i++) {
		syn = tcp_peer_syn(f, 0);
		tcp_in(f, &syn);
		tcp_expect(f, SEG(.seq = 0, .ack = 1, .flags = TP_TCP_SYN | TP_TCP_ACK));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(only_the_exact_rst_counts),
		TCP_TEST(a_syn_is_challenged),
		TCP_TEST(challenges_are_limited),
		TCP_TEST(acks_of_what_was_not_sent),
		TCP_TEST(answers_to_syns_are_limited),
		TCP_TEST(the_handshake_is_not_limited),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
