/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 2883: duplicates are reported, and reports of them believed within limits. */

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

/* RFC 2883 4: the first block says what came twice. */
static void
duplicates_are_reported_first(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.seq = 1, .len = 100));
	tcp_in(f, SEG(.seq = 101, .len = 100));
	tcp_flush(f);
	/* 4.1.1: below the ACK. */
	tcp_in(f, SEG(.seq = 101, .len = 100));
	tcp_expect(f, SEG(.ack = 201, .nb_sack = 1, .sack = { { 101, 201 } }));
	tcp_in(f, SEG(.seq = 301, .len = 100));
	tcp_expect(f, SEG(.ack = 201, .nb_sack = 1, .sack = { { 301, 401 } }));
	/* 4.1.3: within a block. */
	tcp_in(f, SEG(.seq = 301, .len = 50));
	tcp_expect(f, SEG(.ack = 201, .nb_sack = 2, .sack = { { 301, 351 }, { 301, 401 } }));
	/* 4.2.1: partly new. */
	tcp_in(f, SEG(.seq = 351, .len = 100));
	tcp_expect(f, SEG(.ack = 201, .nb_sack = 2, .sack = { { 351, 401 }, { 301, 451 } }));
	/* Once. */
	tcp_in(f, SEG(.seq = 451, .len = 10));
	tcp_expect(f, SEG(.ack = 201, .nb_sack = 1, .sack = { { 301, 461 } }));
	tcp_in(f, SEG(.seq = 151, .len = 150));
	tcp_expect(f, SEG(.ack = 461, .nb_sack = 1, .sack = { { 151, 201 } }));
	assert_int_equal(tcp_read(f), 460);
	assert_int_equal(f->env.mib[TP_TCP_M_DSACK_SENT], 4);
}

/* RFC 2883 4.1: below the ACK. It counts only where something was sent twice. */
static void
test_dsack_below_ack(void **state)
{
	struct tcp_fix *f = *state;

	start(f, 5);
	tcp_in(f, SEND_ACK(2, .nb_sack = 1, .sack = { SACK(0, 1) }));
	assert_int_equal(f->env.mib[TP_TCP_M_DSACK_RECV], 1);
	assert_int_equal(f->c.rack_reo_wnd_mult, 1);
	f->c.retrans_segs = 1;
	tcp_in(f, SEND_ACK(2, .nb_sack = 1, .sack = { SACK(0, 1) }));
	assert_int_equal(f->c.rack_reo_wnd_mult, 2);
	assert_int_equal(f->c.sacked_out, 0);
	assert_int_equal(f->env.mib[TP_TCP_M_SACK_INVALID], 0);
}

/* RFC 2883 4.2: inside of the second block. */
static void
test_dsack_in_second_block(void **state)
{
	struct tcp_fix *f = *state;

	start(f, 8);
	f->c.retrans_segs = 1;
	tcp_in(f, SEG(.nb_sack = 2, .sack = { SACK(4, 5), SACK(3, 6) }));
	assert_int_equal(f->env.mib[TP_TCP_M_DSACK_RECV], 1);
	assert_int_equal(f->c.rack_reo_wnd_mult, 2);
	assert_int_equal(f->c.sacked_out, 3 * SEND_MSS);
	/* Not a duplicate: outside. */
	tcp_in(f, SEG(.nb_sack = 2, .sack = { SACK(6, 7), SACK(3, 6) }));
	assert_int_equal(f->env.mib[TP_TCP_M_DSACK_RECV], 1);
}

/* A DSACK of ages ago is a lie. */
static void
test_dsack_too_old(void **state)
{
	struct tcp_fix *f = *state;

	start(f, 3);
	f->c.retrans_segs = 1;
	tcp_in(f, SEG(.nb_sack = 1, .sack = { { 1 - (1u << 25), 1 - (1u << 25) + 100 } }));
	assert_int_equal(f->c.rack_reo_wnd_mult, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(duplicates_are_reported_first),
		TCP_TEST(test_dsack_below_ack),
		TCP_TEST(test_dsack_in_second_block),
		TCP_TEST(test_dsack_too_old),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
