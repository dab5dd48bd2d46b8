/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 2018, the sender: blocks, the scoreboard. */

#include "test_tcp_send.h"

static void
start(struct tcp_fix *f, uint32_t nb)
{
	send_start(f);
	f->no_output = true;
	f->c.cwnd = 1 << 20;
	tcp_txq_queue(&f->c, tcp_payload(0, 0, nb * SEND_MSS, 1500));
	for (uint32_t i = 0; i < nb; i++)
		tcp_sent(&f->env, &f->c, tcp_txq_append(&f->env, &f->c, SEND_MSS, 0, f->now),
		                f->now);
	f->now += SEND_RTT;
}

/* One large record. */
static void
start_tso(struct tcp_fix *f, uint32_t nb)
{
	send_start(f);
	f->no_output = true;
	f->c.cwnd = 1 << 20;
	tcp_txq_queue(&f->c, tcp_payload(0, 0, nb * SEND_MSS, 1500));
	tcp_sent(&f->env, &f->c, tcp_txq_append(&f->env, &f->c, nb * SEND_MSS, 0, f->now), f->now);
	f->now += SEND_RTT;
}

static void
assert_sacked(struct tcp_fix *f, uint32_t i, uint32_t j, bool sacked)
{
	for (uint32_t at = S(i); at < S(j); at += SEND_MSS / 4)
		assert_int_equal(!!(send_rec(f, at)->flags & TP_TCP_REC_SACKED), sacked);
}

static void
test_blocks_mark(void **state)
{
	struct tcp_fix *f = *state;

	start(f, 20);
	tcp_in(f, SEG(.nb_sack = 2, .sack = { SACK(10, 12), SACK(4, 5) }));
	assert_int_equal(f->c.sacked_out, 3 * SEND_MSS);
	assert_sacked(f, 0, 4, false);
	assert_sacked(f, 4, 5, true);
	assert_sacked(f, 5, 10, false);
	assert_sacked(f, 10, 12, true);
	assert_sacked(f, 12, 20, false);
	tcp_in(f, SEG(.nb_sack = 2, .sack = { SACK(4, 6), SACK(9, 13) }));
	assert_int_equal(f->c.sacked_out, 6 * SEND_MSS);
	/* Neighbours are one record by now. */
	assert_int_equal(send_rec(f, S(9))->len, 4 * SEND_MSS);
	assert_int_equal(send_rec(f, S(4))->len, 2 * SEND_MSS);
	tcp_in(f, SEG(.nb_sack = 1, .sack = { SACK(3, 14) }));
	assert_int_equal(send_rec(f, S(3))->len, 11 * SEND_MSS);
	assert_int_equal(f->c.sacked_out, 11 * SEND_MSS);
	tcp_in(f, SEND_ACK(14));
	assert_int_equal(f->c.sacked_out, 0);
	assert_int_equal((uint32_t)f->c.bytes_out, 14 * SEND_MSS);
}

static void
test_part_of_a_large_record(void **state)
{
	struct tcp_fix *f = *state;

	start_tso(f, 10);
	tcp_in(f, SEG(.nb_sack = 1, .sack = { SACK(3, 7) }));
	assert_int_equal(f->c.sacked_out, 4 * SEND_MSS);
	assert_sacked(f, 0, 3, false);
	assert_sacked(f, 3, 7, true);
	assert_sacked(f, 7, 10, false);
	tcp_in(f, SEG(.nb_sack = 1, .sack = { SACK(8, 10) }));
	assert_int_equal(f->c.sacked_out, 6 * SEND_MSS);
}

/* Cuts only where segments began, or a peer could have a record for each byte. */
static void
test_no_crumbs(void **state)
{
	struct tcp_fix *f = *state;

	start_tso(f, 10);
	tcp_in(f, SEG(.nb_sack = 1, .sack = { { S(3) + 1, S(6) - 1 } }));
	assert_int_equal(f->c.sacked_out, SEND_MSS);
	assert_sacked(f, 4, 5, true);
	for (uint32_t i = 1; i < SEND_MSS - 1; i += 2)
		tcp_in(f, SEG(.nb_sack = 1, .sack = { { S(8) + i, S(8) + i + 1 } }));
	assert_int_equal(f->c.sacked_out, SEND_MSS);
}

static void
test_nonsense_is_counted(void **state)
{
	static const struct tp_tcp_span bad[] = {
		{ S(3), S(3) },   /* empty */
		{ S(4), S(3) },   /* backwards */
		{ S(3), S(21) },  /* never sent */
		{ S(30), S(31) }, /* likewise */
		{ S(3) + (1u << 31), S(5) + (1u << 31) },
	};
	struct tcp_fix *f = *state;

	start(f, 20);
	for (uint32_t i = 0; i < RTE_DIM(bad); i++) {
		tcp_in(f, SEG(.nb_sack = 2, .sack = { SACK(5, 6), bad[i] }));
		assert_int_equal(f->env.mib[TP_TCP_M_SACK_INVALID], i + 1);
		assert_int_equal(f->c.sacked_out, SEND_MSS);
	}
}

/* RFC 2018 8: at a timeout what is SACKed at snd_una the peer has thrown away. */
static void
test_reneging(void **state)
{
	struct tcp_fix *f = *state;

	start(f, 6);
	tcp_in(f, SEG(.nb_sack = 1, .sack = { SACK(2, 6) }));
	assert_int_equal(f->c.sacked_out, 4 * SEND_MSS);
	/* Two arrive, but the ACK does not cover the rest. */
	tcp_in(f, SEND_ACK(2));
	f->no_output = false;
	tcp_flush(f);
	tcp_run(f, 5 * TP_NS_PER_S);
	assert_int_equal(f->env.mib[TP_TCP_M_SACK_RENEGING], 1);
	assert_int_equal(f->c.sacked_out, 0);
	tcp_expect(f, SEG(.seq = S(2), .len = SEND_MSS));
}

/* Without SACK agreed, blocks mean nothing. */
static void
test_not_agreed(void **state)
{
	struct tcp_fix *f = *state;

	start(f, 6);
	f->c.flags &= ~TP_TCP_F_SACK;
	tcp_in(f, SEG(.nb_sack = 1, .sack = { SACK(2, 6) }));
	assert_int_equal(f->c.sacked_out, 0);
}

/* Any blocks, in any order: the board is the union of those that make sense. */
static void
test_random_blocks(void **state)
{
	struct tcp_fix *f = *state;
	bool want[40];
	uint32_t sum;

	for (unsigned int seed = 1; seed <= 60; seed++) {
		f->iss = TCP_FIX_ISS - seed * 977;
		if (seed % 2)
			start(f, 40);
		else
			start_tso(f, 40);
		memset(want, 0, sizeof(want));
		for (int n = 0; n < 25; n++) {
			struct tp_tcp_seg seg = *SEG(.nb_sack = 1 + rand_r(&seed) % 4);

			for (int i = 0; i < seg.nb_sack; i++) {
				uint32_t a = 1 + rand_r(&seed) % 38;
				uint32_t b = a + 1 + rand_r(&seed) % (39 - a);

				seg.sack[i] = (struct tp_tcp_span)SACK(a, b);
				memset(&want[a], true, b - a);
			}
			tcp_in(f, &seg);
			for (uint32_t i = sum = 0; i < 40; i++) {
				assert_sacked(f, i, i + 1, want[i]);
				sum += want[i] * SEND_MSS;
			}
			assert_int_equal(f->c.sacked_out, sum);
		}
		tcp_in(f, SEND_ACK(40));
		assert_null(f->c.tx_head);
		tp_tcp_fini(&f->env, &f->c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(test_blocks_mark),
		TCP_TEST(test_part_of_a_large_record),
		TCP_TEST(test_no_crumbs),
		TCP_TEST(test_nonsense_is_counted),
		TCP_TEST(test_reneging),
		TCP_TEST(test_not_agreed),
		TCP_TEST(test_random_blocks),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
