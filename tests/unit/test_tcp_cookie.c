/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 4987 3.6, SYN cookies: nothing is kept, and everything comes back. */

#include <errno.h>

#include "test_tcp.h"

#define PEER_SEQ UINT32_C(0xffffffff)

/* The peer's SYN, and what it gets: the SYN-ACK, parsed. */
static struct tp_tcp_seg
ask(struct tcp_fix *f, struct tp_tcp_seg *syn)
{
	struct tp_tcp_seg reply;
	struct rte_mbuf *m;

	f->key = tcp_frame_key(f->v6, 1, 80, 2, 40000);
	*syn = f->peer;
	syn->flags = TP_TCP_SYN | f->peer.flags;
	syn->seq = PEER_SEQ;
	syn->ts_val = 77;
	m = tp_tcp_cookie_reply(&f->env, &f->key, syn, f->now);
	assert_non_null(m);
	tcp_parse_out(f, m, &reply);
	assert_int_equal(reply.flags & (TP_TCP_SYN | TP_TCP_ACK), TP_TCP_SYN | TP_TCP_ACK);
	assert_int_equal(reply.ack, PEER_SEQ + 1);
	return reply;
}

static struct tp_tcp_seg
answer(const struct tp_tcp_seg *syn, const struct tp_tcp_seg *reply)
{
	struct tp_tcp_seg ack = {
		.seq = syn->seq + 1,
		.ack = reply->seq + 1,
		.flags = TP_TCP_ACK,
		.wnd = 1000,
		.nb_coalesced = 1,
		.is_v6 = syn->is_v6,
	};

	if (reply->opts & TP_TCP_O_TS) {
		ack.opts = TP_TCP_O_TS;
		ack.ts_val = 78;
		ack.ts_ecr = reply->ts_val;
	}
	return ack;
}

static void
all_options_come_back(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn, reply, ack;

	f->peer.wscale = 9;
	f->peer.flags = TP_TCP_ECE | TP_TCP_CWR;
	reply = ask(f, &syn);
	assert_int_equal(reply.opts,
	                TP_TCP_O_MSS | TP_TCP_O_TS | TP_TCP_O_SACK_PERM | TP_TCP_O_WSCALE);
	assert_true(reply.flags & TP_TCP_ECE);
	assert_int_equal(reply.ts_ecr, 77);
	f->now += 20 * TP_NS_PER_MS;
	ack = answer(&syn, &reply);
	assert_int_equal(tp_tcp_cookie_open(&f->env, &f->c, &f->key, &ack, f->now), 0);
	assert_int_equal(f->c.state, TP_TCP_ESTABLISHED);
	assert_int_equal(
	                f->c.flags & (TP_TCP_F_TS | TP_TCP_F_SACK | TP_TCP_F_WSCALE | TP_TCP_F_ECN),
	                TP_TCP_F_TS | TP_TCP_F_SACK | TP_TCP_F_WSCALE | TP_TCP_F_ECN);
	assert_true(f->c.flags & TP_TCP_F_COOKIE);
	assert_int_equal(f->c.snd_wscale, 9);
	assert_int_equal(f->c.snd_mss, 1448);
	tp_tcp_input(&f->env, &f->c, &ack, f->now);
	tcp_done(f);
	assert_int_equal(f->c.snd_wnd, 1000 << 9);
	assert_int_equal(tcp_events(f), TP_TCP_EV_ESTABLISHED);
	assert_int_equal(f->env.mib[TP_TCP_M_COOKIES_SENT], 1);
	assert_int_equal(f->env.mib[TP_TCP_M_COOKIES_RECV], 1);
	assert_int_equal(f->env.mib[TP_TCP_M_PASSIVE_OPENS], 1);
}

/* Then data flows both ways; our timestamps do not go back. */
static void
such_a_connection_works(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn, reply, ack;

	for (int ms = 0; ms < 130; ms++) {
		f->now += TP_NS_PER_MS;
		reply = ask(f, &syn);
		ack = answer(&syn, &reply);
		ack.len = 5;
		ack.data = tcp_payload(1, 0, 5, 1500);
		assert_int_equal(tp_tcp_cookie_open(&f->env, &f->c, &f->key, &ack, f->now), 0);
		f->iss = reply.seq;
		f->irs = syn.seq;
		f->written = f->read = 0;
		tp_tcp_input(&f->env, &f->c, &ack, f->now);
		tcp_done(f);
		assert_int_equal(tcp_read(f), 5);
		tcp_write(f, 100);
		assert_true(tp_seq_geq(
		                tcp_expect(f, SEG(.seq = 1, .ack = 6, .len = 100))->seg.ts_val,
		                reply.ts_val));
		tp_tcp_fini(&f->env, &f->c);
		tcp_flush(f);
	}
}

/* Without timestamps only the MSS comes back, rounded down. */
static void
without_timestamps_the_mss_comes_back(void **state)
{
	static const struct {
		uint16_t said, known;
	} cases[] = { { 1, 216 }, { 536, 536 }, { 1219, 536 }, { 1459, 1440 }, { 1460, 1460 },
		{ 9000, 1460 } };
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn, reply, ack;

	f->peer.opts &= ~TP_TCP_O_TS;
	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		f->peer.mss = cases[i].said;
		reply = ask(f, &syn);
		assert_int_equal(reply.opts, TP_TCP_O_MSS);
		assert_int_equal(reply.mss, 1460);
		ack = answer(&syn, &reply);
		assert_int_equal(tp_tcp_cookie_open(&f->env, &f->c, &f->key, &ack, f->now), 0);
		assert_int_equal(f->c.snd_mss, cases[i].known);
		assert_int_equal(f->c.flags & (TP_TCP_F_TS | TP_TCP_F_SACK | TP_TCP_F_WSCALE), 0);
		tp_tcp_fini(&f->env, &f->c);
	}
}

static void
a_cookie_is_good_for_two_minutes(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn, reply = ask(f, &syn), ack = answer(&syn, &reply);

	f->now += 64 * TP_NS_PER_S;
	assert_int_equal(tp_tcp_cookie_open(&f->env, &f->c, &f->key, &ack, f->now), 0);
	tp_tcp_fini(&f->env, &f->c);
	/* Also when the number of ticks that it holds has come round again. */
	for (int i = 2; i < 70; i++) {
		f->now += 64 * TP_NS_PER_S;
		assert_int_equal(
		                tp_tcp_cookie_open(&f->env, &f->c, &f->key, &ack, f->now), -EINVAL);
	}
	assert_int_equal(f->c.state, TP_TCP_CLOSED);
	assert_int_equal(f->env.mib[TP_TCP_M_COOKIES_FAILED], 68);
}

static void
nothing_of_it_can_be_changed(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn, reply = ask(f, &syn), ack = answer(&syn, &reply), bad;
	struct tp_tcp_key key;

	for (int bit = 0; bit < 32; bit++) {
		bad = ack;
		bad.ack = ((ack.ack - 1) ^ 1u << bit) + 1;
		assert_int_equal(
		                tp_tcp_cookie_open(&f->env, &f->c, &f->key, &bad, f->now), -EINVAL);
		bad = ack;
		bad.seq ^= 1u << bit;
		assert_int_equal(
		                tp_tcp_cookie_open(&f->env, &f->c, &f->key, &bad, f->now), -EINVAL);
	}
	for (unsigned int i = 0; i < sizeof(key); i++) {
		key = f->key;
		((uint8_t *)&key)[i] ^= 1;
		assert_int_equal(tp_tcp_cookie_open(&f->env, &f->c, &key, &ack, f->now), -EINVAL);
	}
	bad = ack;
	bad.flags = TP_TCP_ACK | TP_TCP_RST;
	assert_int_equal(tp_tcp_cookie_open(&f->env, &f->c, &f->key, &bad, f->now), -EINVAL);
	bad.flags = TP_TCP_ACK | TP_TCP_SYN;
	assert_int_equal(tp_tcp_cookie_open(&f->env, &f->c, &f->key, &bad, f->now), -EINVAL);
	f->secret.cookie[0]++;
	assert_int_equal(tp_tcp_cookie_open(&f->env, &f->c, &f->key, &ack, f->now), -EINVAL);
}

/* Any member of the team with the same secret takes it. */
static void
another_shard_takes_it(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn, reply, ack;
	struct tp_tcp_env other;

	f->v6 = f->peer.is_v6 = true;
	reply = ask(f, &syn);
	ack = answer(&syn, &reply);
	other = f->env;
	memset(other.mib, 0, sizeof(other.mib));
	assert_int_equal(tp_tcp_cookie_open(&other, &f->c, &f->key, &ack, f->now), 0);
	assert_int_equal(other.mib[TP_TCP_M_COOKIES_RECV], 1);
	assert_int_equal(f->c.snd_mss, 1428);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(all_options_come_back),
		TCP_TEST(such_a_connection_works),
		TCP_TEST(without_timestamps_the_mss_comes_back),
		TCP_TEST(a_cookie_is_good_for_two_minutes),
		TCP_TEST(nothing_of_it_can_be_changed),
		TCP_TEST(another_shard_takes_it),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
