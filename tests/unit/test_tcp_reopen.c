/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 6191: a SYN may end TIME_WAIT early. */

#include "test_tcp.h"

/* RFC 6191 2, RFC 9293 3.6.1 (MAY-2). */
static void
time_wait_may_be_reopened(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn = { .flags = TP_TCP_SYN, .opts = TP_TCP_O_TS };
	uint32_t ts, seq;

	tcp_state(f, TP_TCP_TIME_WAIT);
	ts = f->c.ts_recent;
	seq = f->c.rcv_nxt;
#define MAY(v, s) (syn.ts_val = (v), syn.seq = (s), tp_tcp_may_reopen(&f->c, &syn))
	assert_true(MAY(ts + 1, seq - 1000));
	assert_false(MAY(ts, seq));
	assert_true(MAY(ts, seq + 1));
	assert_false(MAY(ts - 1, seq + 1));
	syn.opts = 0;
	assert_false(MAY(0, seq));
	assert_true(MAY(0, seq + 1));
	f->c.flags &= ~TP_TCP_F_TS;
	syn.opts = TP_TCP_O_TS;
	assert_true(MAY(1, seq - 5));
	syn.flags |= TP_TCP_ACK;
	assert_false(MAY(1, seq + 5));
	syn.flags = TP_TCP_SYN | TP_TCP_RST;
	assert_false(MAY(1, seq + 5));
	syn.flags = TP_TCP_SYN;
	f->c.state = TP_TCP_LAST_ACK;
	assert_false(MAY(1, seq + 5));
	f->c.state = TP_TCP_TIME_WAIT;
#undef MAY
}

/* The numbers and timestamps wrap. */
static void
it_counts_across_the_wrap(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn = { .flags = TP_TCP_SYN, .opts = TP_TCP_O_TS };

	tcp_state(f, TP_TCP_TIME_WAIT);
	f->c.ts_recent = UINT32_MAX;
	f->c.rcv_nxt = UINT32_MAX;
	syn.ts_val = 0;
	syn.seq = 5;
	assert_true(tp_tcp_may_reopen(&f->c, &syn));
	syn.ts_val = UINT32_MAX;
	assert_true(tp_tcp_may_reopen(&f->c, &syn));
	syn.ts_val = UINT32_MAX - 1;
	assert_false(tp_tcp_may_reopen(&f->c, &syn));
	syn.opts = 0;
	assert_true(tp_tcp_may_reopen(&f->c, &syn));
	f->c.rcv_nxt = 5;
	assert_false(tp_tcp_may_reopen(&f->c, &syn));
	f->c.rcv_nxt = f->irs + 2;
	f->c.ts_recent = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(time_wait_may_be_reopened),
		TCP_TEST(it_counts_across_the_wrap),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
