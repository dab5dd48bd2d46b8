/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 6928 (initial window), RFC 5681 4.1 (idle restart). */

#include "test_tcp_send.h"

static void
established_with(struct tcp_fix *f, uint16_t mss)
{
	f->conf.timestamps = false;
	f->conf.mtu = 9000;
	f->peer.opts &= ~TP_TCP_O_TS;
	f->peer.mss = mss;
	tcp_state(f, TP_TCP_ESTABLISHED);
	assert_int_equal(f->c.snd_mss, mss);
}

/* RFC 6928 2: min(10 * MSS, max(2 * MSS, 14600)) */
static void
test_initial_window(void **state)
{
	static const struct {
		uint16_t mss;
		uint32_t window;
	} cases[] = { { 1460, 14600 }, { 536, 5360 }, { 4000, 14600 }, { 8960, 17920 } };
	struct tcp_fix *f = *state;

	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		established_with(f, cases[i].mss);
		assert_int_equal(f->c.cwnd, cases[i].window);
		tp_tcp_fini(&f->env, &f->c);
	}
}

/* It is what goes out at once. */
static void
test_first_flight(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.tso_max = 0;
	established_with(f, 1460);
	send_write(f, 30);
	send_expect(f, 0, 10);
}

/* RFC 5681 3.1: one segment after a SYN that was lost. */
static void
test_after_lost_syn(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn_ack;

	tcp_syn_sent(f);
	tcp_tick(f);
	syn_ack = tcp_peer_syn(f, TP_TCP_ACK);
	tcp_in(f, &syn_ack);
	assert_int_equal(f->c.cwnd, f->c.snd_mss);
}

/* RFC 5681 4.1: after an idle RTO the window says nothing about the path any more. */
static void
test_idle_restart(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 40);
	tcp_in(f, SEND_ACK(40));
	f->c.cwnd = 40 * SEND_MSS;
	tcp_run(f, tcp_rto_ns(&f->env, &f->c) + 2 * MS);
	send_write(f, 40);
	send_expect(f, 40, 10);
	assert_int_equal(f->env.mib[TP_TCP_M_IDLE_RESTART], 1);
	assert_int_equal(f->c.ssthresh, UINT32_MAX);
}

/* ssthresh remembers what had been reached (RFC 2861 3). */
static void
test_idle_restart_keeps_ssthresh(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 40);
	f->c.ssthresh = 20 * SEND_MSS;
	tcp_in(f, SEND_ACK(40));
	f->c.cwnd = 40 * SEND_MSS;
	tcp_run(f, 10 * TP_NS_PER_S);
	send_write(f, 1);
	assert_int_equal(f->c.cwnd, 10 * SEND_MSS);
	assert_int_equal(f->c.ssthresh, 30 * SEND_MSS);
}

/* Not while something is in flight, not after less, and never upwards. */
static void
test_no_restart(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 40);
	tcp_in(f, SEND_ACK(40));
	f->c.cwnd = 40 * SEND_MSS;
	tcp_run(f, 20 * MS);
	send_write(f, 40);
	send_expect(f, 40, 40);
	tcp_in(f, SEND_ACK(80));
	f->c.cwnd = 4 * SEND_MSS;
	tcp_run(f, 10 * TP_NS_PER_S);
	send_write(f, 10);
	send_expect(f, 80, 4);
	assert_int_equal(f->env.mib[TP_TCP_M_IDLE_RESTART], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(test_initial_window),
		TCP_TEST(test_first_flight),
		TCP_TEST(test_after_lost_syn),
		TCP_TEST(test_idle_restart),
		TCP_TEST(test_idle_restart_keeps_ssthresh),
		TCP_TEST(test_no_restart),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
