/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 5482: the user timeout option of the peer. */

#include "test_tcp.h"

static void
option(struct tcp_fix *f, uint16_t uto)
{
	tcp_in(f, SEG(.opts = TP_TCP_O_UTO | TP_TCP_O_TS, .uto = uto, .ts_val = f->c.ts_recent));
}

/* RFC 5482 3.1: within limits, and only where the user did not say otherwise. */
static void
the_peer_proposes_a_user_timeout(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.opts = TP_TCP_O_UTO | TP_TCP_O_TS, .uto = 0x8005, .ts_val = f->c.ts_recent));
	assert_int_equal(f->c.user_timeout_ms, 300000);
	/* It may change its mind. */
	option(f, 600);
	assert_int_equal(f->c.user_timeout_ms, 600000);
}

/* 3.1: CHANGEABLE is over once the user, or who set all up, chose. */
static void
what_the_user_chose_stays(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	option(f, 300);
	assert_int_equal(tp_tcp_set(&f->env, &f->c, TP_TCP_OPT_USER_TIMEOUT, 150000, f->now), 0);
	option(f, 600);
	assert_int_equal(f->c.user_timeout_ms, 150000);
	/* No choice of its own any more. */
	tp_tcp_set(&f->env, &f->c, TP_TCP_OPT_USER_TIMEOUT, 0, f->now);
	option(f, 600);
	assert_int_equal(f->c.user_timeout_ms, 600000);
	tp_tcp_fini(&f->env, &f->c);
	f->conf.user_timeout_ns = 20 * TP_NS_PER_S;
	f->ts_ours = 0;
	tcp_state(f, TP_TCP_ESTABLISHED);
	option(f, 600);
	assert_int_equal(f->c.user_timeout_ms, 20000);
}

/* 3.1: L_LIMIT and U_LIMIT; zero is reserved. */
static void
there_are_limits(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	option(f, 0);
	assert_int_equal(f->c.user_timeout_ms, 0);
	option(f, 0x8000);
	assert_int_equal(f->c.user_timeout_ms, 0);
	option(f, 1);
	assert_int_equal(f->c.user_timeout_ms, 100000);
	option(f, 0xffff);
	assert_int_equal(f->c.user_timeout_ms, 3600000);
}

/* 3.2: it may come with a SYN. */
static void
a_syn_may_bring_it(void **state)
{
	struct tcp_fix *f = *state;

	f->peer.opts |= TP_TCP_O_UTO;
	f->peer.uto = 200;
	tcp_syn_rcvd(f);
	assert_int_equal(f->c.user_timeout_ms, 200000);
	tp_tcp_fini(&f->env, &f->c);
	f->ts_ours = 0;
	tcp_state(f, TP_TCP_ESTABLISHED);
	assert_int_equal(f->c.user_timeout_ms, 200000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(the_peer_proposes_a_user_timeout),
		TCP_TEST(what_the_user_chose_stays),
		TCP_TEST(there_are_limits),
		TCP_TEST(a_syn_may_bring_it),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
