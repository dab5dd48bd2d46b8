/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 5927: what ICMP may do to a connection, and whom to believe (RFC 9293 3.9.2.2). */

#include "test_tcp_send.h"

static void
icmp(struct tcp_fix *f, enum tp_tcp_icmp kind, uint32_t seq, uint16_t mtu)
{
	tp_tcp_icmp(&f->env, &f->c, kind, f->iss + seq, mtu, f->now);
	tcp_done(f);
}

/* RFC 5927 5.2: hard errors end what is not yet established, and nothing else. */
static void
test_hard_and_soft(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	send_write(f, 1);
	tcp_events(f);
	icmp(f, TP_TCP_ICMP_HARD, S(0), 0);
	assert_int_equal(f->c.state, TP_TCP_ESTABLISHED);
	assert_int_equal(tcp_events(f), TP_TCP_EV_SOFT_ERR);
	tp_tcp_fini(&f->env, &f->c);
	tcp_state(f, TP_TCP_SYN_SENT);
	icmp(f, TP_TCP_ICMP_SOFT, 0, 0);
	assert_int_equal(f->c.state, TP_TCP_SYN_SENT);
	icmp(f, TP_TCP_ICMP_HARD, 5, 0); /* not our SYN's number */
	assert_int_equal(f->c.state, TP_TCP_SYN_SENT);
	icmp(f, TP_TCP_ICMP_HARD, 0, 0);
	assert_int_equal(f->c.state, TP_TCP_CLOSED);
	assert_int_equal(f->c.reason, TP_TCP_R_UNREACHABLE);
}

/* RFC 9293 MUST-47, MUST-54, MUST-56: what is transient is told, and ends nothing, in no state. */
static void
test_soft_errors_are_told(void **state)
{
	struct tcp_fix *f = *state;

	for (int s = TP_TCP_SYN_SENT; s < TP_TCP_TIME_WAIT; s++) {
		if (s == TP_TCP_FIN_WAIT_2)
			continue; /* nothing is in flight that it could speak of */
		f->ts_ours = 0;
		f->written = 0;
		tcp_state(f, s);
		if (s == TP_TCP_ESTABLISHED || s == TP_TCP_CLOSE_WAIT)
			tcp_write(f, 10);
		tcp_events(f);
		icmp(f, TP_TCP_ICMP_SOFT, f->c.snd_una - f->iss, 0);
		assert_int_equal(f->c.state, s);
		assert_int_equal(tcp_events(f), TP_TCP_EV_SOFT_ERR);
		tcp_flush(f);
		tp_tcp_fini(&f->env, &f->c);
	}
}

/* RFC 5927 4: a number that is not in flight was not ours. */
static void
test_only_what_is_in_flight(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	send_write(f, 2);
	tcp_in(f, SEND_ACK(1));
	tcp_events(f);
	icmp(f, TP_TCP_ICMP_SOFT, S(1) - 1, 0);
	icmp(f, TP_TCP_ICMP_SOFT, S(2), 0);
	assert_int_equal(tcp_events(f), 0);
	icmp(f, TP_TCP_ICMP_SOFT, S(2) - 1, 0);
	assert_int_equal(tcp_events(f), TP_TCP_EV_SOFT_ERR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(test_hard_and_soft),
		TCP_TEST(test_soft_errors_are_told),
		TCP_TEST(test_only_what_is_in_flight),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
