/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 6675 5 (by RACK), congestion states, RFC 5681 3.1 and 4.3 (timeouts), RFC 5682 (F-RTO), RFC
 * 3522 and 3708 (undo), RFC 3168 6.1.2 (ECE), and losses that are no sign of congestion. */

#include "test_tcp_send.h"

/* Run the timer until it was the RTO's. */
static void
timeout(struct tcp_fix *f)
{
	uint64_t before = f->env.mib[TP_TCP_M_TIMEOUTS];

	while (f->env.mib[TP_TCP_M_TIMEOUTS] == before)
		tcp_tick(f);
}

/* ---- Disorder, Recovery ---- */

static void
test_disorder_and_back(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 10);
	send_sack(f, 0, 1, 2);
	assert_int_equal(f->c.ca, TP_TCP_CA_DISORDER);
	tcp_in(f, SEND_ACK(2));
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
	assert_int_equal(f->c.ssthresh, UINT32_MAX);
}

/* RFC 6675 5: one reduction until all that was out is acknowledged. */
static void
test_recovery(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 20);
	send_sack(f, 0, 1, 10);
	tcp_flush(f);
	assert_int_equal(f->c.ca, TP_TCP_CA_RECOVERY);
	assert_int_equal(f->c.ssthresh, 14 * SEND_MSS);
	f->now += SEND_RTT;
	send_sack(f, 1, 11, 20); /* one more hole, in the same window */
	assert_int_equal(f->c.ssthresh, 14 * SEND_MSS);
	tcp_in(f, SEND_ACK(20));
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
	assert_int_equal(f->c.cwnd, 14 * SEND_MSS);
	assert_int_equal(f->env.mib[TP_TCP_M_RECOVERY], 1);
}

/* RFC 5681 3.1: FlightSize counts, not a window that nobody used. */
static void
test_flight_size(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 10);
	f->c.cwnd = 1000 * SEND_MSS;
	send_sack(f, 0, 1, 10);
	assert_int_equal(f->c.ssthresh, 7 * SEND_MSS);
}

/* ---- timeouts ---- */

static void
test_timeout(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	f->c.flags &= ~TP_TCP_F_SACK;
	send_flight(f, 10);
	timeout(f);
	send_expect(f, 0, 1);
	assert_int_equal(f->c.ca, TP_TCP_CA_LOSS);
	assert_int_equal(f->c.cwnd, SEND_MSS);
	assert_int_equal(f->c.ssthresh, 7 * SEND_MSS);
	/* RFC 5681 3.1: the second one for the same segment leaves ssthresh. */
	timeout(f);
	send_expect(f, 0, 1);
	assert_int_equal(f->c.ssthresh, 7 * SEND_MSS);
	/* Slow start from one. */
	tcp_in(f, SEND_ACK(1));
	send_expect(f, 1, 2);
	tcp_in(f, SEND_ACK(2));
	send_expect(f, 3, 2);
	tcp_in(f, SEND_ACK(10));
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
}

/* With SACK nothing is sent again that arrived. */
static void
test_timeout_with_sack(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 10);
	send_sack(f, 0, 3, 5);
	tcp_flush(f);
	f->c.frto = 0;
	tcp_run(f, 10 * MS);
	f->c.rexmit_kind = TP_TCP_REXMIT_RTO;
	f->c.rexmit_ns = f->now;
	timeout(f);
	tcp_flush(f);
	f->c.frto = 0;
	assert_int_equal(f->c.sacked_out, 2 * SEND_MSS);
	for (uint32_t i = 1; i < 10; i++) {
		f->now += SEND_RTT;
		if (i != 4 && i != 5) /* the peer's next ACK jumps over them */
			send_sack(f, i == 3 ? 5 : i, 3, 5);
	}
	while (tcp_nb_out(f) > 0) {
		uint32_t seq = tcp_pop(f)->seg.seq;

		assert_true(seq != S(3) && seq != S(4));
	}
}

/* ---- RFC 5682 ---- */

/* 2.1 steps 2 (b), 3 (b): two new ACKs answer originals: needless; window and threshold are back. */
static void
test_frto_spurious(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	f->c.flags &= ~TP_TCP_F_SACK;
	send_flight(f, 10);
	send_write(f, 10);
	tcp_flush(f);
	timeout(f);
	send_expect(f, 0, 1);
	tcp_in(f, SEND_ACK(1)); /* of the original, which was late */
	send_expect(f, 10, 2);  /* new data, not the next of the window */
	tcp_in(f, SEND_ACK(2));
	assert_int_equal(f->env.mib[TP_TCP_M_SPURIOUS_UNDO], 1);
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
	assert_int_equal(f->c.lost_out, 0);
	assert_int_equal(f->c.ssthresh, UINT32_MAX);
	assert_true(f->c.cwnd >= 10 * SEND_MSS);
}

/* Step 3 (a): a duplicate: it was a loss. */
static void
test_frto_loss(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	f->c.flags &= ~TP_TCP_F_SACK;
	send_flight(f, 10);
	send_write(f, 10);
	tcp_flush(f);
	timeout(f);
	send_expect(f, 0, 1);
	tcp_in(f, SEND_ACK(1));
	send_expect(f, 10, 2);
	tcp_in(f, SEND_ACK(1));
	assert_int_equal(f->c.ca, TP_TCP_CA_LOSS);
	assert_int_equal(f->c.frto, TCP_FRTO_NONE);
	assert_true(f->c.cwnd <= 3 * SEND_MSS);
	send_expect(f, 1, 1);
	tcp_in(f, SEND_ACK(2));
	tcp_expect(f, SEG(.seq = S(2), .len = SEND_MSS));
	assert_int_equal(f->env.mib[TP_TCP_M_SPURIOUS_UNDO], 0);
}

/* Step 2 (a): nothing new to ask with. */
static void
test_frto_no_new_data(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	f->c.flags &= ~TP_TCP_F_SACK;
	send_flight(f, 10);
	timeout(f);
	send_expect(f, 0, 1);
	tcp_in(f, SEND_ACK(1));
	send_expect(f, 1, 2);
	assert_int_equal(f->c.frto, TCP_FRTO_NONE);
}

/* 3.1: a SACK of what was sent only once says it at the first ACK. */
static void
test_frto_sack(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 10);
	f->c.tlp_out = true; /* no probe now */
	f->c.rexmit_kind = TP_TCP_REXMIT_RTO;
	timeout(f);
	send_expect(f, 0, 1);
	f->now += 10 * MS;
	tcp_in(f, SEND_ACK(3));
	assert_int_equal(f->env.mib[TP_TCP_M_SPURIOUS_UNDO], 1);
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
	assert_true(f->c.cwnd >= 10 * SEND_MSS);
}

/* ---- undo ---- */

/* RFC 3708: each retransmission was reported twice: there was no loss. */
static void
test_undo_by_dsack(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t cwnd;

	send_start_flight(f, 10);
	cwnd = f->c.cwnd;
	send_sack(f, 0, 2, 10);
	tcp_expect(f, SEG(.seq = S(0), .len = SEND_MSS));
	tcp_expect(f, SEG(.seq = S(1), .len = SEND_MSS));
	f->now += 10 * MS;
	tcp_in(f, SEND_ACK(10)); /* the originals, late */
	assert_true(f->c.cwnd < cwnd);
	f->now += 90 * MS;
	tcp_in(f, SEND_ACK(10, .nb_sack = 1, .sack = { SACK(0, 1) }));
	assert_int_equal(f->env.mib[TP_TCP_M_SPURIOUS_UNDO], 0);
	tcp_in(f, SEND_ACK(10, .nb_sack = 1, .sack = { SACK(1, 2) }));
	assert_int_equal(f->env.mib[TP_TCP_M_SPURIOUS_UNDO], 1);
	assert_true(f->c.cwnd >= cwnd);
	assert_int_equal(f->c.ssthresh, UINT32_MAX);
}

/* RFC 3522: the timestamp of what was sent first comes back. */
static void
test_undo_by_timestamp(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t original;

	send_start(f);
	f->c.flags |= TP_TCP_F_TS;
	send_flight(f, 10);
	original = f->ts_ours;
	send_sack(f, 0, 1, 10);
	send_expect(f, 0, 1);
	assert_int_equal(f->c.ca, TP_TCP_CA_RECOVERY);
	f->now += 5 * MS;
	tcp_in(f, SEND_ACK(10, .opts = TP_TCP_O_TS, .ts_val = f->ts_irs + f->now / MS,
	                          .ts_ecr = original));
	assert_int_equal(f->env.mib[TP_TCP_M_SPURIOUS_UNDO], 1);
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
	assert_int_equal(f->c.ssthresh, UINT32_MAX);
	assert_true(f->c.cwnd >= 10 * SEND_MSS);
}

/* A true loss: the retransmission's own timestamp comes back. */
static void
test_no_undo(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	f->c.flags |= TP_TCP_F_TS;
	send_flight(f, 10);
	send_sack(f, 0, 1, 10);
	send_expect(f, 0, 1);
	f->now += SEND_RTT;
	tcp_in(f, SEND_ACK(10));
	assert_int_equal(f->env.mib[TP_TCP_M_SPURIOUS_UNDO], 0);
	assert_int_equal(f->c.cwnd, 7 * SEND_MSS);
}

/* ---- RFC 3168 6.1.2 ---- */

/* ---- exempt ---- */

/* The member died with all of the window: one segment goes out at once, its ACK finds the rest, and
 * the window is what it was. */
static void
test_path_changed(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t una, out = 1, acks, rounds = 0;

	send_start(f);
	f->c.ssthresh = 15 * SEND_MSS;
	f->c.cubic = (struct tp_tcp_cubic){ .w_max = 15 * SEND_MSS };
	send_flight(f, 20);
	f->now += 20 * MS;
	tp_tcp_path_changed(&f->env, &f->c, f->now);
	tcp_collect(f);
	send_expect(f, 0, 1);
	for (una = 0; una < 20; rounds++) {
		f->now += SEND_RTT;
		for (acks = out, out = 0; acks > 0; acks--)
			tcp_in(f, SEND_ACK(++una));
		out = tcp_nb_out(f);
		assert_in_range(out, una < 20, 2 * una + 1); /* slow start, no burst */
		tcp_flush(f);
	}
	assert_true(rounds < 7);
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
	assert_int_equal(f->c.cwnd, 20 * SEND_MSS);
	assert_int_equal(f->c.ssthresh, 15 * SEND_MSS);
	assert_int_equal(f->env.mib[TP_TCP_M_TIMEOUTS], 0);
	assert_int_equal(f->env.mib[TP_TCP_M_RECOVERY], 0);
}

/* Only the ACKs were on their way: nothing is lost, one segment too many was sent. */
static void
test_path_changed_nothing_lost(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 20);
	tp_tcp_path_changed(&f->env, &f->c, f->now);
	tcp_collect(f);
	send_expect(f, 0, 1);
	f->now += MS;
	tcp_in(f, SEND_ACK(20));
	f->now += SEND_RTT;
	tcp_in(f, SEND_ACK(20, .nb_sack = 1, .sack = { SACK(0, 1) }));
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
	assert_int_equal(f->c.cwnd, 20 * SEND_MSS);
	assert_int_equal(f->c.ssthresh, UINT32_MAX);
}

/* What is sent over the new path counts as ever. */
static void
test_path_changed_then_loss(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 20);
	tp_tcp_path_changed(&f->env, &f->c, f->now);
	tcp_collect(f);
	send_expect(f, 0, 1);
	timeout(f);
	send_expect(f, 0, 1);
	assert_int_equal(f->c.ca, TP_TCP_CA_LOSS);
	assert_int_equal(f->c.ssthresh, 14 * SEND_MSS);
	assert_false(f->c.flags & TP_TCP_F_EXEMPT);
}

/* What was SACKed arrived, even where the ACK stands: the peer has it, or takes it back (RFC 2018 8).
 */
static void
test_path_changed_behind_sack(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 6);
	f->now += SEND_RTT;
	tcp_in(f, SEND_ACK(0, .nb_sack = 1, .sack = { SACK(2, 4) }));
	tcp_in(f, SEND_ACK(2));
	tcp_flush(f);
	assert_int_equal(f->c.tx_head->flags & TP_TCP_REC_SACKED, TP_TCP_REC_SACKED);
	tp_tcp_path_changed(&f->env, &f->c, f->now);
	tcp_collect(f);
	send_expect(f, 4, 1);
	tcp_in(f, SEND_ACK(2, .nb_sack = 1, .sack = { SACK(4, 5) }));
	timeout(f);
	send_expect(f, 2, 1);
}

/* Nothing in flight, nothing to do; a SYN is sent again. */
static void
test_path_changed_idle(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn_ack;

	send_start(f);
	tp_tcp_path_changed(&f->env, &f->c, f->now);
	tcp_collect(f);
	tcp_expect_none(f);
	tp_tcp_fini(&f->env, &f->c);
	tcp_state(f, TP_TCP_SYN_SENT);
	tp_tcp_path_changed(&f->env, &f->c, f->now);
	tcp_collect(f);
	tcp_expect(f, SEG(.seq = 0, .flags = TP_TCP_SYN));
	/* That was no recovery: data begins as ever. */
	syn_ack = tcp_peer_syn(f, TP_TCP_ACK);
	tcp_in(f, &syn_ack);
	assert_int_equal(f->c.state, TP_TCP_ESTABLISHED);
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
	assert_false(f->c.flags & TP_TCP_F_EXEMPT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(test_disorder_and_back),
		TCP_TEST(test_recovery),
		TCP_TEST(test_flight_size),
		TCP_TEST(test_timeout),
		TCP_TEST(test_timeout_with_sack),
		TCP_TEST(test_frto_spurious),
		TCP_TEST(test_frto_loss),
		TCP_TEST(test_frto_no_new_data),
		TCP_TEST(test_frto_sack),
		TCP_TEST(test_undo_by_dsack),
		TCP_TEST(test_undo_by_timestamp),
		TCP_TEST(test_no_undo),
		TCP_TEST(test_path_changed),
		TCP_TEST(test_path_changed_nothing_lost),
		TCP_TEST(test_path_changed_then_loss),
		TCP_TEST(test_path_changed_behind_sack),
		TCP_TEST(test_path_changed_idle),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
