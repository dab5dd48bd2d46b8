/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 3168: who may use ECN, what is marked, how CE is told and answered. */

#include "test_tcp_send.h"

#define MSS 1448

static uint64_t
mib(const struct tcp_fix *f, enum tp_tcp_mib counter)
{
	return f->env.mib[counter];
}

/* RFC 3168 6.1.1 to 6.1.5: new data only, CWR once. */
static void
only_new_data_is_ect(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t next;

	f->conf.tso_max = 0;
	f->peer.flags = TP_TCP_ECE;
	tcp_syn_sent(f);
	assert_int_equal(tcp_pop(f)->ecn, 0);
	tcp_in(f, &(struct tp_tcp_seg){ .seq = 0,
	                          .ack = 1,
	                          .flags = TP_TCP_SYN | TP_TCP_ACK | TP_TCP_ECE,
	                          .wnd = 65535,
	                          .nb_coalesced = 1,
	                          .opts = TP_TCP_O_MSS | TP_TCP_O_SACK_PERM | TP_TCP_O_TS,
	                          .ts_val = f->ts_irs + f->now / TP_NS_PER_MS,
	                          .mss = 1460 });
	assert_int_equal(tcp_expect(f, SEG())->ecn, 0);
	tcp_write(f, 4 * MSS);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(tcp_expect(f, SEG(.seq = 1 + i * MSS, .len = MSS))->ecn, 2);
	tcp_in(f, SEG(.ack = 1 + MSS, .flags = TP_TCP_ACK | TP_TCP_ECE));
	tcp_write(f, 4 * MSS);
	tcp_in(f, SEG(.ack = 1 + 4 * MSS));
	assert_int_equal(tcp_expect(f, SEG(.seq = 1 + 4 * MSS, .len = MSS,
	                                               .flags = TP_TCP_ACK | TP_TCP_CWR))
	                                 ->ecn,
	                2);
	tcp_expect(f, SEG(.seq = 1 + 5 * MSS, .len = MSS));
	tcp_flush(f);
	next = f->c.snd_nxt - f->iss;
	tcp_run(f, 5 * TP_NS_PER_S);
	assert_true(tcp_nb_out(f) > 1);
	while (tcp_nb_out(f) > 0) {
		const struct tcp_out *o = tcp_pop(f);

		assert_int_equal(o->ecn, o->seg.seq == next ? 2 : 0); /* the tail loss probe */
	}
}

/* RFC 3168 6.1.1.1. */
static void
a_syn_is_repeated_without_ecn(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_SYN_SENT);
	assert_int_equal(tcp_tick(f), TP_NS_PER_S);
	tcp_expect(f, SEG(.seq = 0, .flags = TP_TCP_SYN));
}

/* RFC 3168 6.1.3: ECE on every ACK until CWR. */
static void
congestion_is_echoed_until_heard(void **state)
{
	struct tcp_fix *f = *state;

	f->peer.flags = TP_TCP_ECE;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.len = 10, .ce = true));
	tcp_run(f, 40 * TP_NS_PER_MS);
	tcp_expect(f, SEG(.ack = 11, .flags = TP_TCP_ACK | TP_TCP_ECE));
	tcp_in(f, SEG(.seq = 11, .len = 10));
	tcp_in(f, SEG(.seq = 21, .len = 10));
	tcp_expect(f, SEG(.ack = 31, .flags = TP_TCP_ACK | TP_TCP_ECE));
	tcp_in(f, SEG(.seq = 31, .len = 10, .flags = TP_TCP_ACK | TP_TCP_CWR));
	tcp_in(f, SEG(.seq = 41, .len = 10));
	tcp_expect(f, SEG(.ack = 51));
	assert_int_equal(mib(f, TP_TCP_M_ECN_CE_RECV), 1);
}

static void
without_ecn_ce_says_nothing(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.len = 10, .ce = true));
	tcp_in(f, SEG(.seq = 11, .len = 10));
	tcp_expect(f, SEG(.ack = 21));
}

static void
test_ece(void **state)
{
	struct tcp_fix *f = *state;
	const uint8_t ece = TP_TCP_ACK | TP_TCP_ECE;
	const struct tcp_out *out;

	send_start(f);
	f->c.flags |= TP_TCP_F_ECN;
	send_flight(f, 20);
	send_write(f, 60);
	tcp_flush(f);
	tcp_in(f, SEND_ACK(1, .flags = ece));
	assert_int_equal(f->c.ca, TP_TCP_CA_CWR);
	assert_int_equal(f->c.ssthresh, 14 * SEND_MSS);
	/* Once in a window. */
	for (uint32_t i = 2; i <= 20; i++)
		tcp_in(f, SEND_ACK(i, .flags = ece));
	assert_int_equal(f->c.ssthresh, 14 * SEND_MSS);
	assert_int_equal(f->env.mib[TP_TCP_M_ECN_ECE_RECV], 20);
	/* The first new segment says CWR, the others do not; nothing is sent again. */
	out = tcp_pop(f);
	assert_int_equal(out->seg.seq, S(20));
	assert_true(out->seg.flags & TP_TCP_CWR);
	while (tcp_nb_out(f) > 0)
		assert_false(tcp_pop(f)->seg.flags & TP_TCP_CWR);
	assert_int_equal(f->c.retrans_segs, 0);
	assert_in_range(tcp_in_flight(&f->c), 13 * SEND_MSS, 14 * SEND_MSS);
	/* The next window may be marked again. */
	tcp_in(f, SEND_ACK(21));
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
	tcp_in(f, SEND_ACK(22, .flags = ece));
	assert_int_equal(f->c.ca, TP_TCP_CA_CWR);
	assert_true(f->c.ssthresh < 14 * SEND_MSS);
}

static void
test_ece_not_agreed(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 20);
	tcp_in(f, SEND_ACK(1, .flags = TP_TCP_ACK | TP_TCP_ECE));
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
}

/* A loss in CWR is repaired without a second reduction. */
static void
test_loss_in_cwr(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	f->c.flags |= TP_TCP_F_ECN;
	send_flight(f, 20);
	tcp_in(f, SEND_ACK(1, .flags = TP_TCP_ACK | TP_TCP_ECE));
	send_sack(f, 1, 2, 10);
	tcp_expect(f, SEG(.seq = S(1), .len = SEND_MSS));
	assert_int_equal(f->c.ca, TP_TCP_CA_RECOVERY);
	assert_int_equal(f->c.ssthresh, 14 * SEND_MSS);
}

/* 6.1.1: who has sent a SYN without it must not use it, even if the peer answers the first one. */
static void
a_repeated_syn_ends_the_offer(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn_ack;

	f->peer.flags = TP_TCP_ECE;
	tcp_state(f, TP_TCP_SYN_SENT);
	tcp_tick(f);
	tcp_flush(f);
	syn_ack = tcp_peer_syn(f, TP_TCP_ACK);
	assert_true(syn_ack.flags & TP_TCP_ECE);
	tcp_in(f, &syn_ack);
	assert_int_equal(f->c.state, TP_TCP_ESTABLISHED);
	tcp_flush(f);
	tcp_write(f, 100);
	assert_int_equal(tcp_expect(f, SEG(.len = 100))->ecn, 0);
	tcp_in(f, SEG(.ack = 101, .len = 10, .ce = true));
	tcp_run(f, 40 * TP_NS_PER_MS);
	tcp_expect(f, SEG(.seq = 101, .ack = 11));
}

/* 6.1.1: the peer's SYN comes again without it: the answer has none, and data neither. */
static void
a_peer_may_take_its_offer_back(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn;

	f->peer.flags = TP_TCP_ECE | TP_TCP_CWR;
	tcp_syn_rcvd(f);
	tcp_expect(f, SEG(.seq = 0, .flags = TP_TCP_SYN | TP_TCP_ACK | TP_TCP_ECE));
	syn = tcp_peer_syn(f, 0);
	tcp_in(f, &syn);
	tcp_expect(f, SEG(.seq = 0, .flags = TP_TCP_SYN | TP_TCP_ACK | TP_TCP_ECE));
	syn = tcp_peer_syn(f, 0);
	syn.flags = TP_TCP_SYN;
	tcp_in(f, &syn);
	tcp_expect(f, SEG(.seq = 0, .flags = TP_TCP_SYN | TP_TCP_ACK));
	tcp_in(f, SEG());
	tcp_write(f, 100);
	assert_int_equal(tcp_expect(f, SEG(.len = 100))->ecn, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(only_new_data_is_ect),
		TCP_TEST(a_syn_is_repeated_without_ecn),
		TCP_TEST(congestion_is_echoed_until_heard),
		TCP_TEST(without_ecn_ce_says_nothing),
		TCP_TEST(test_ece),
		TCP_TEST(test_ece_not_agreed),
		TCP_TEST(test_loss_in_cwr),
		TCP_TEST(a_repeated_syn_ends_the_offer),
		TCP_TEST(a_peer_may_take_its_offer_back),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
