/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 3042, limited transmit: the first two duplicates let new data out, with and without SACK. */

#include "test_tcp_send.h"

/* Without SACK. */
static void
start(struct tcp_fix *f)
{
	send_start(f);
	f->c.flags &= ~TP_TCP_F_SACK;
}

static void
dups(struct tcp_fix *f, uint32_t una, uint32_t nb)
{
	while (nb-- > 0)
		tcp_in(f, SEND_ACK(una));
}

/* RFC 3042: the first two duplicates let a new segment out each, without cwnd. */
static void
test_limited_transmit(void **state)
{
	struct tcp_fix *f = *state;

	start(f);
	send_write(f, 20);
	send_expect(f, 0, 10);
	dups(f, 0, 1);
	send_expect(f, 10, 1);
	dups(f, 0, 1);
	send_expect(f, 11, 1);
	assert_int_equal(f->c.cwnd, 10 * SEND_MSS);
	assert_int_equal(f->c.ca, TP_TCP_CA_DISORDER);
	/* An ACK of new data ends it. */
	tcp_in(f, SEND_ACK(12));
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
	assert_int_equal(f->c.dupacks, 0);
}

/* What is SACKed has left the network: the same, and no more than the window takes. */
static void
test_with_sack(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	send_write(f, 20);
	send_expect(f, 0, 10);
	f->now += SEND_RTT;
	send_sack(f, 0, 1, 2);
	send_expect(f, 10, 1);
	send_sack(f, 0, 1, 3);
	send_expect(f, 11, 1);
	assert_int_equal(f->c.cwnd, 10 * SEND_MSS);
	assert_int_equal(f->c.ca, TP_TCP_CA_DISORDER);
	assert_int_equal(f->env.mib[TP_TCP_M_RETRANS_SEGS], 0);
}

/* 2: only as far as the peer's window allows. */
static void
test_within_the_window(void **state)
{
	struct tcp_fix *f = *state;

	start(f);
	f->c.snd_wscale = 0;
	f->c.snd_wnd = 10 * SEND_MSS;
	send_write(f, 20);
	send_expect(f, 0, 10);
	tcp_in(f, SEND_ACK(0, .wnd = 10 * SEND_MSS));
	assert_int_equal(f->c.dupacks, 1);
	tcp_expect_none(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(test_limited_transmit),
		TCP_TEST(test_with_sack),
		TCP_TEST(test_within_the_window),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
