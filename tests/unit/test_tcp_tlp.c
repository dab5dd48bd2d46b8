/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 8985 7: tail loss probes. */

#include "test_tcp_send.h"

/* 7.2: two round trips, and for a single segment the peer's delayed ACK; bounded by the RTO. */
static void
test_when(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	send_write(f, 2);
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_TLP);
	assert_int_equal(f->c.rexmit_ns, f->now + 2 * SEND_RTT);
	/* New data moves it. */
	f->now += 30 * MS;
	send_write(f, 1);
	assert_int_equal(f->c.rexmit_ns, f->now + 2 * SEND_RTT);
	f->now += 30 * MS;
	tcp_in(f, SEND_ACK(2));
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_TLP);
	assert_int_equal(f->c.rexmit_ns, f->now + tcp_rto_ns(&f->env, &f->c));
	f->c.rto_us = 10000000;
	assert_int_equal(tcp_tlp_pto_ns(&f->c), 2 * f->c.srtt_us * TP_NS_PER_US + 200 * MS);
	f->c.srtt_us = 0;
	assert_int_equal(tcp_tlp_pto_ns(&f->c), TP_NS_PER_S);
}

/* Data that trickles must not keep the probe away for ever. */
static void
test_not_for_ever(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	for (int i = 0; i < 8; i++) {
		send_write(f, 1);
		tcp_run(f, 40 * MS);
	}
	assert_int_equal(f->env.mib[TP_TCP_M_LOSS_PROBES], 1);
}

/* 7.2: not without SACK, not when something was SACKed, not in recovery. */
static void
test_when_not(void **state)
{
	struct tcp_fix *f = *state;

	send_start_flight(f, 10);
	tcp_in(f, SEND_ACK(0, .nb_sack = 1, .sack = { SACK(1, 2) }));
	assert_int_not_equal(f->c.rexmit_kind, TP_TCP_REXMIT_TLP);
	tcp_in(f, SEND_ACK(2));
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_TLP);
	f->c.flags &= ~TP_TCP_F_SACK;
	tcp_in(f, SEND_ACK(3));
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_RTO);
}

/* 7.3: new data first. */
static void
test_probe_is_new_data(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	f->c.cwnd = 2 * SEND_MSS;
	send_write(f, 4);
	send_expect(f, 0, 2);
	assert_int_equal(tcp_tick(f), 2 * SEND_RTT);
	send_expect(f, 2, 1); /* beyond cwnd */
	assert_int_equal(f->c.cwnd, 2 * SEND_MSS);
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_RTO);
	assert_int_equal(f->env.mib[TP_TCP_M_LOSS_PROBES], 1);
	/* 7.4: it was new, and it came: nothing to respond to. */
	f->now += SEND_RTT;
	tcp_in(f, SEND_ACK(3));
	assert_false(f->c.tlp_out);
	assert_int_equal(f->c.ssthresh, UINT32_MAX);
}

/* 7.3: else the last segment, not a whole large one, and only one until it is answered. */
static void
test_probe_is_last_segment(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	f->conf.tso_max = 65000;
	send_write(f, 5);
	tcp_flush(f);
	assert_ptr_equal(f->c.tx_head, f->c.tx_tail);
	tcp_tick(f);
	send_expect(f, 4, 1);
	assert_int_equal(tcp_in_flight(&f->c), 6 * SEND_MSS);
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_RTO);
	tcp_tick(f);
	assert_int_equal(f->env.mib[TP_TCP_M_LOSS_PROBES], 1);
	assert_int_equal(f->env.mib[TP_TCP_M_TIMEOUTS], 1);
}

/* What can be probed with is a FIN, too. */
static void
test_probe_is_fin(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	send_write(f, 1);
	tcp_shutdown(f);
	tcp_flush(f);
	tcp_tick(f);
	tcp_expect(f, SEG(.seq = S(1), .flags = TP_TCP_FIN | TP_TCP_ACK));
	tcp_expect_none(f);
}

static void
probe(struct tcp_fix *f)
{
	send_start(f);
	send_write(f, 5);
	send_expect(f, 0, 5);
	tcp_tick(f);
	send_expect(f, 4, 1);
	assert_true(f->c.tlp_out);
	f->now += SEND_RTT;
}

/* 7.4.2 case 1: a DSACK says that both arrived: no loss. */
static void
test_both_arrived(void **state)
{
	struct tcp_fix *f = *state;

	probe(f);
	tcp_in(f, SEND_ACK(5));
	assert_true(f->c.tlp_out);
	tcp_in(f, SEND_ACK(5, .nb_sack = 1, .sack = { SACK(4, 5) }));
	assert_false(f->c.tlp_out);
	assert_int_equal(f->c.ssthresh, UINT32_MAX);
	assert_int_equal(f->c.cwnd, 10 * SEND_MSS);
	assert_int_equal(f->env.mib[TP_TCP_M_LOSS_PROBE_RECOVERY], 0);
}

/* 7.4.2 case 2: one loss, repaired by the probe: the congestion response is not saved. */
static void
test_one_loss_repaired(void **state)
{
	struct tcp_fix *f = *state;

	probe(f);
	tcp_in(f, SEND_ACK(5));
	send_write(f, 1);
	tcp_flush(f);
	f->now += SEND_RTT;
	tcp_in(f, SEND_ACK(6));
	assert_false(f->c.tlp_out);
	assert_int_equal(f->env.mib[TP_TCP_M_LOSS_PROBE_RECOVERY], 1);
	assert_true(f->c.ssthresh < 10 * SEND_MSS);
	assert_true(f->c.cwnd <= f->c.ssthresh);
}

/* 7.4.2 case 3: a duplicate ACK without SACK answers the probe. */
static void
test_duplicate_answers(void **state)
{
	struct tcp_fix *f = *state;

	probe(f);
	tcp_in(f, SEND_ACK(5));
	tcp_in(f, SEND_ACK(5));
	assert_false(f->c.tlp_out);
	assert_int_equal(f->c.ssthresh, UINT32_MAX);
}

/* 9.1: the whole tail is lost but the probe: its SACK starts the repair, without a timeout. */
static void
test_tail_loss(void **state)
{
	struct tcp_fix *f = *state;

	probe(f);
	tcp_in(f, SEND_ACK(2, .nb_sack = 1, .sack = { SACK(4, 5) }));
	assert_int_equal(f->c.ca, TP_TCP_CA_RECOVERY);
	tcp_expect(f, SEG(.seq = S(2), .len = SEND_MSS));
	f->now += SEND_RTT;
	tcp_in(f, SEND_ACK(3, .nb_sack = 1, .sack = { SACK(4, 5) }));
	f->now += SEND_RTT;
	tcp_in(f, SEND_ACK(5));
	assert_int_equal(f->env.mib[TP_TCP_M_TIMEOUTS], 0);
	assert_null(f->c.tx_head);
}

/* 7.3: not twice without a measurement between (Karn: what the probe repeats tells no time), or a
 * path that became longer would never be noticed.
 */
static void
test_measured_between(void **state)
{
	struct tcp_fix *f = *state;

	probe(f);
	tcp_in(f, SEND_ACK(5));
	tcp_in(f, SEND_ACK(5, .nb_sack = 1, .sack = { SACK(4, 5) }));
	assert_false(f->c.tlp_out);
	send_write(f, 2);
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_RTO);
	f->now += SEND_RTT;
	tcp_in(f, SEND_ACK(6));
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_TLP);
	f->now += SEND_RTT;
	tcp_in(f, SEND_ACK(7));
	send_write(f, 2);
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_TLP);
}

/* 7.2 excludes fast recovery and RTO recovery; a window that shrinks for ECE is neither. */
static void
test_in_cwr(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	f->c.flags |= TP_TCP_F_ECN;
	send_flight(f, 6);
	tcp_in(f, SEND_ACK(2, .flags = TP_TCP_ACK | TP_TCP_ECE));
	assert_int_equal(f->c.ca, TP_TCP_CA_CWR);
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_TLP);
	assert_int_equal(tcp_tick(f), 2 * f->c.srtt_us * TP_NS_PER_US);
	tcp_expect(f, SEG(.seq = S(5), .len = SEND_MSS));
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_RTO);
	/* The tail was lost: it is repaired without a timeout, nor a second reduction. */
	f->now += SEND_RTT;
	uint32_t ssthresh = f->c.ssthresh;
	tcp_in(f, SEND_ACK(2, .nb_sack = 1, .sack = { SACK(5, 6) }));
	assert_int_equal(f->c.ca, TP_TCP_CA_RECOVERY);
	assert_int_equal(f->c.ssthresh, ssthresh);
	assert_int_equal(f->env.mib[TP_TCP_M_TIMEOUTS], 0);
}

/* A probe that the ACK overtakes is not sent. */
static void
test_late_timer(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	send_write(f, 2);
	tcp_flush(f);
	f->no_output = true;
	tcp_run(f, 2 * SEND_RTT);
	assert_true(f->c.flags & TP_TCP_F_TLP_NOW);
	f->no_output = false;
	tcp_in(f, SEND_ACK(2));
	tcp_expect_none(f);
	assert_int_equal(f->env.mib[TP_TCP_M_LOSS_PROBES], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(test_when),
		TCP_TEST(test_not_for_ever),
		TCP_TEST(test_when_not),
		TCP_TEST(test_probe_is_new_data),
		TCP_TEST(test_probe_is_last_segment),
		TCP_TEST(test_probe_is_fin),
		TCP_TEST(test_both_arrived),
		TCP_TEST(test_one_loss_repaired),
		TCP_TEST(test_duplicate_answers),
		TCP_TEST(test_tail_loss),
		TCP_TEST(test_measured_between),
		TCP_TEST(test_in_cwr),
		TCP_TEST(test_late_timer),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
