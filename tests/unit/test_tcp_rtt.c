/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 6298, and RFC 7323 4 (timestamps as a clock): the retransmission timeout. */

#include <math.h>

#include "test_tcp_send.h"

static void
poke(struct tcp_fix *f)
{
	tcp_poke_established(f);
	f->conf.min_rto_ns = TP_NS_PER_MS; /* else the minimum hides the rest */
}

static void
sample_ms(struct tcp_fix *f, uint32_t ms)
{
	tcp_rtt_sample(&f->env, &f->c, ms * MS, f->now);
}

/* (2.1) */
static void
test_before_any_sample(void **state)
{
	struct tcp_fix *f = *state;

	poke(f);
	f->c.rto_us = 0;
	assert_int_equal(tcp_rto_ns(&f->env, &f->c), TP_NS_PER_S);
}

/* (2.2) */
static void
test_first_sample(void **state)
{
	struct tcp_fix *f = *state;

	poke(f);
	sample_ms(f, 100);
	assert_int_equal(f->c.srtt_us, 100000);
	assert_int_equal(f->c.rttvar_us, 50000);
	assert_int_equal(f->c.rto_us, 300000);
}

/* (2.3), in real numbers beside it, with a flight of one: each sample has its full weight. */
static void
test_further_samples(void **state)
{
	static const uint32_t ms[] = { 100, 120, 80, 300, 90, 95, 100, 500, 100, 1, 2, 3 };
	struct tcp_fix *f = *state;
	double srtt = 0, rttvar = 0;

	poke(f);
	for (uint32_t i = 0; i < RTE_DIM(ms); i++) {
		double r = ms[i] * 1000.0;

		rttvar = i == 0 ? r / 2 : 0.75 * rttvar + 0.25 * fabs(srtt - r);
		srtt = i == 0 ? r : 0.875 * srtt + 0.125 * r;
		sample_ms(f, ms[i]);
		assert_true(fabs(f->c.srtt_us - srtt) < 10);
		assert_true(fabs(f->c.rttvar_us - rttvar) < 10);
		assert_true(fabs(f->c.rto_us - (srtt + 4 * rttvar)) < 50);
	}
}

/* RFC 7323 G: many samples in a round trip do not forget the variance faster. */
static void
test_samples_of_a_window(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t rttvar;

	poke(f);
	sample_ms(f, 100);
	sample_ms(f, 200);
	rttvar = f->c.rttvar_us;
	f->c.snd_nxt = f->c.snd_una + 64 * 1460;
	for (int i = 0; i < 8; i++) /* a quarter of what the window brings */
		sample_ms(f, f->c.srtt_us / 1000);
	assert_true(f->c.rttvar_us > rttvar * 9 / 10);
	/* A jump counts in full. */
	sample_ms(f, 1000);
	assert_true(f->c.rttvar_us > rttvar * 2);
}

/* (2.4), (2.5) */
static void
test_bounds(void **state)
{
	struct tcp_fix *f = *state;

	poke(f);
	f->conf.min_rto_ns = 200 * MS;
	for (int i = 0; i < 50; i++)
		sample_ms(f, 1);
	assert_int_equal(f->c.rto_us, 200000);
	for (int i = 0; i < 50; i++)
		sample_ms(f, 100000000);
	assert_int_equal(f->c.rto_us, f->conf.max_rto_ns / 1000);
}

/* G: a variance of nothing still leaves a clock tick. */
static void
test_granularity(void **state)
{
	struct tcp_fix *f = *state;

	poke(f);
	for (int i = 0; i < 100; i++)
		sample_ms(f, 50);
	assert_true(f->c.rto_us >= 51000);
	assert_true(f->c.rto_us < 52000);
}

/* (5.5), RFC 9293 MUST-19: twice as long each time, up to the maximum; RFC 6298 5 and Karn: it stays until a sample
 * comes. */
static void
test_backoff(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	send_write(f, 2);
	send_expect(f, 0, 2);
	f->now += 10 * MS;
	for (uint64_t rto = 300; rto < 120000; rto *= 2) {
		while (f->c.rexmit_kind == TP_TCP_REXMIT_TLP)
			tcp_tick(f);
		assert_int_equal(tcp_rto_ns(&f->env, &f->c), rto * MS);
		tcp_tick(f);
	}
	assert_int_equal(tcp_rto_ns(&f->env, &f->c), 120 * TP_NS_PER_S);
	tcp_flush(f);
	/* It answers what was sent again: no sample, no shorter timeout. */
	tcp_in(f, SEND_ACK(1));
	assert_int_equal(f->c.nb_rexmit, 0);
	assert_int_equal(tcp_rto_ns(&f->env, &f->c), 120 * TP_NS_PER_S);
	assert_int_equal(f->c.srtt_us, 100000);
	tcp_in(f, SEND_ACK(2));
	send_write(f, 1);
	f->now += 100 * MS;
	tcp_in(f, SEND_ACK(3));
	assert_in_range(f->c.rto_us, 100000, 300000);
}

/* 3 (Karn), RFC 9293 MUST-18: what was sent twice gives no sample... */
static void
test_karn(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	f->c.flags &= ~TP_TCP_F_SACK; /* no tail loss probe */
	send_write(f, 1);
	tcp_tick(f);
	f->now += 7 * MS;
	tcp_in(f, SEND_ACK(1));
	assert_int_equal(f->c.srtt_us, 100000);
}

/* ... but a timestamp does (RFC 7323 4.1). */
static void
test_timestamp(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t first;

	send_start(f);
	f->c.flags &= ~TP_TCP_F_SACK;
	f->c.flags |= TP_TCP_F_TS;
	f->c.snd_mss = 1448;
	tcp_write(f, 1448);
	first = f->ts_ours;
	tcp_tick(f); /* 300 ms */
	f->now += 60 * MS;
	assert_int_equal(f->ts_ours - first, 300);
	tcp_in(f, SEG(.ack = 1449));
	assert_int_equal(f->c.srtt_us, 100000 + (60000 - 100000) / 8);
}

/* A timestamp from the future or of 0 is none. */
static void
test_timestamp_lies(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	f->c.flags &= ~TP_TCP_F_SACK;
	f->c.flags |= TP_TCP_F_TS;
	tcp_write(f, 200);
	tcp_tick(f);
	tcp_in(f, SEG(.ack = 101, .opts = TP_TCP_O_TS, .ts_val = f->ts_irs,
	                          .ts_ecr = f->ts_ours + 1000));
	assert_int_equal(f->c.srtt_us, 100000);
	tcp_in(f, SEG(.ack = 201, .opts = TP_TCP_O_TS, .ts_val = f->ts_irs));
	assert_int_equal(f->c.srtt_us, 100000);
}

/* (5.1) to (5.3): started by the first segment, restarted by an ACK of new data, off at the end. */
static void
test_timer(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	f->c.flags &= ~TP_TCP_F_SACK;
	assert_int_equal(tp_tcp_next(&f->c), TP_NEVER);
	send_write(f, 1);
	assert_int_equal(f->c.rexmit_ns, f->now + 300 * MS);
	f->now += 50 * MS;
	send_write(f, 1);
	assert_int_equal(f->c.rexmit_ns, f->now + 250 * MS);
	f->now += 50 * MS;
	tcp_in(f, SEND_ACK(1));
	assert_int_equal(f->c.rexmit_ns, f->now + tcp_rto_ns(&f->env, &f->c));
	tcp_in(f, SEND_ACK(2));
	assert_int_equal(f->c.rexmit_kind, TP_TCP_REXMIT_NONE);
	assert_int_equal(f->c.rexmit_ns, TP_NEVER);
}

/* (5.7): after a SYN that was lost, three seconds. */
static void
test_syn_lost(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn_ack;

	f->conf.timestamps = false;
	f->peer.opts &= ~TP_TCP_O_TS;
	tcp_syn_sent(f);
	assert_int_equal(tcp_tick(f), TP_NS_PER_S);
	assert_int_equal(f->env.mib[TP_TCP_M_RETRANS_SEGS], 1);
	syn_ack = tcp_peer_syn(f, TP_TCP_ACK);
	tcp_in(f, &syn_ack);
	assert_int_equal(f->c.state, TP_TCP_ESTABLISHED);
	assert_int_equal(f->c.srtt_us, 0);
	assert_int_equal(tcp_rto_ns(&f->env, &f->c), 3 * TP_NS_PER_S);
}

/* R2 (RFC 9293 3.8.3): it gives up at last. */
static void
test_gives_up(void **state)
{
	struct tcp_fix *f = *state;
	uint64_t begin = f->now;

	send_start(f);
	send_write(f, 1);
	while (f->c.state != TP_TCP_CLOSED)
		tcp_tick(f);
	assert_int_equal(f->c.reason, TP_TCP_R_TIMEOUT);
	assert_true(tcp_events(f) & TP_TCP_EV_CLOSED);
	assert_true(f->now - begin > 100 * TP_NS_PER_S);
	assert_int_equal(f->env.mib[TP_TCP_M_TIMEOUTS], f->conf.retries);
	assert_int_equal(f->env.mib[TP_TCP_M_ABORT_TIMEOUT], 1);
}

/* RFC 5482: the user's timeout ends it, to the millisecond. */
static void
test_user_timeout(void **state)
{
	struct tcp_fix *f = *state;
	uint64_t begin = f->now;

	send_start(f);
	f->c.flags &= ~TP_TCP_F_SACK;
	f->c.user_timeout_ms = 5000;
	send_write(f, 1);
	while (f->c.state != TP_TCP_CLOSED)
		tcp_tick(f);
	assert_int_equal(f->now - begin, 5 * TP_NS_PER_S);
	assert_int_equal(f->c.reason, TP_TCP_R_TIMEOUT);
}

/* The minimum forgets what is older than ten seconds; nothing but single transmissions enter. */
static void
test_min_rtt(void **state)
{
	struct tcp_fix *f = *state;

	poke(f);
	tcp_rtt_min(&f->c, 50 * MS, f->now);
	tcp_rtt_min(&f->c, 80 * MS, f->now + 9 * TP_NS_PER_S);
	assert_int_equal(f->c.min_rtt_us, 50000);
	tcp_rtt_min(&f->c, 80 * MS, f->now + 10 * TP_NS_PER_S);
	assert_int_equal(f->c.min_rtt_us, 80000);
	tcp_rtt_min(&f->c, 20 * MS, f->now + 11 * TP_NS_PER_S);
	assert_int_equal(f->c.min_rtt_us, 20000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(test_before_any_sample),
		TCP_TEST(test_first_sample),
		TCP_TEST(test_further_samples),
		TCP_TEST(test_samples_of_a_window),
		TCP_TEST(test_bounds),
		TCP_TEST(test_granularity),
		TCP_TEST(test_backoff),
		TCP_TEST(test_karn),
		TCP_TEST(test_timestamp),
		TCP_TEST(test_timestamp_lies),
		TCP_TEST(test_timer),
		TCP_TEST(test_syn_lost),
		TCP_TEST(test_gives_up),
		TCP_TEST(test_user_timeout),
		TCP_TEST(test_min_rtt),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
