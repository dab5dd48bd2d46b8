/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 4821: path MTU when routers say nothing; RFC 1191 and 8201: when they do. */

#include "test_tcp_send.h"

static void
icmp(struct tcp_fix *f, enum tp_tcp_icmp kind, uint32_t seq, uint16_t mtu)
{
	tp_tcp_icmp(&f->env, &f->c, kind, f->iss + seq, mtu, f->now);
	tcp_done(f);
}

/* ---- ICMP ---- */

/* What was too big goes out again at once, smaller; the window stays, it was no congestion. */
static void
test_too_big(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	send_write(f, 10);
	send_expect(f, 0, 10);
	icmp(f, TP_TCP_ICMP_MTU, S(0), 1000);
	assert_int_equal(f->c.pmtu, 1000);
	assert_int_equal(f->c.snd_mss, 960);
	assert_int_equal(f->env.mib[TP_TCP_M_PMTU_ICMP], 1);
	tcp_expect(f, SEG(.seq = 1, .len = 960));
	for (uint32_t una = 961; una < S(10); una += 960) {
		f->now += SEND_RTT / 10;
		tcp_in(f, SEG(.ack = una));
		while (tcp_nb_out(f) > 0)
			assert_in_range(tcp_pop(f)->seg.len, 1, 960);
	}
	tcp_in(f, SEND_ACK(10));
	assert_int_equal(f->c.ssthresh, UINT32_MAX);
	assert_int_equal(f->c.cwnd, 10 * SEND_MSS);
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
}

/* The first router's word got lost: the next one is about what a timeout sent again, which does not
 * wait for another timeout. */
static void
test_too_big_again(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t una = 961;

	send_start(f);
	send_write(f, 3);
	send_expect(f, 0, 3);
	while (f->env.mib[TP_TCP_M_TIMEOUTS] == 0)
		tcp_tick(f);
	tcp_expect(f, SEG(.seq = S(2), .len = SEND_MSS)); /* the probe before it */
	tcp_expect(f, SEG(.seq = 1, .len = SEND_MSS));
	tcp_expect_none(f);
	f->now += SEND_RTT / 2;
	icmp(f, TP_TCP_ICMP_MTU, S(0), 1000);
	tcp_expect(f, SEG(.seq = 1, .len = 960));
	for (; una < S(3); una += 960) {
		f->now += SEND_RTT;
		tcp_in(f, SEG(.ack = una));
		while (tcp_nb_out(f) > 0)
			assert_in_range(tcp_pop(f)->seg.len, 1, 960);
	}
	tcp_in(f, SEND_ACK(3));
	assert_int_equal(f->env.mib[TP_TCP_M_TIMEOUTS], 1);
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
}

/* RFC 5927 4: only if the number that it quotes is in flight. */
static void
test_not_in_flight(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	icmp(f, TP_TCP_ICMP_MTU, S(0), 1000);
	send_flight(f, 10);
	tcp_in(f, SEND_ACK(4));
	icmp(f, TP_TCP_ICMP_MTU, S(4) - 1, 1000);
	icmp(f, TP_TCP_ICMP_MTU, S(10), 1000);
	assert_int_equal(f->c.pmtu, 1500);
	tcp_expect_none(f);
	icmp(f, TP_TCP_ICMP_MTU, S(4), 1000);
	assert_int_equal(f->c.pmtu, 1000);
}

/* Larger or as large: nothing new. Smaller than any sane path: not so small. */
static void
test_bounds(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	send_write(f, 3);
	icmp(f, TP_TCP_ICMP_MTU, S(0), 1500);
	icmp(f, TP_TCP_ICMP_MTU, S(0), 9000);
	assert_int_equal(f->c.pmtu, 1500);
	icmp(f, TP_TCP_ICMP_MTU, S(0), 68);
	assert_int_equal(f->c.pmtu, 552);
}

/* RFC 8201 4: IPv6 has a minimum, and a router that says less lies. */
static void
test_bounds_v6(void **state)
{
	struct tcp_fix *f = *state;

	f->v6 = true;
	send_start(f);
	f->c.snd_mss = 1440;
	send_write(f, 3);
	icmp(f, TP_TCP_ICMP_MTU, 1, 1279);
	assert_int_equal(f->c.pmtu, 1500);
	icmp(f, TP_TCP_ICMP_MTU, 1, 1280);
	assert_int_equal(f->c.pmtu, 1280);
	assert_int_equal(f->c.snd_mss, 1220);
}

/* RFC 1191 5: an old router does not say how much. */
static void
test_plateaus(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	send_write(f, 3);
	icmp(f, TP_TCP_ICMP_MTU, S(0), 0);
	assert_int_equal(f->c.pmtu, 1492);
	icmp(f, TP_TCP_ICMP_MTU, S(0), 0);
	assert_int_equal(f->c.pmtu, 1006);
}

/* ---- RFC 4821 ---- */

static void
timeouts(struct tcp_fix *f, uint32_t nb)
{
	while (f->env.mib[TP_TCP_M_TIMEOUTS] < nb)
		tcp_tick(f);
}

/* 7.7: full segments vanish: smaller ones, down to what every path takes. */
static void
test_black_hole(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	f->conf.mtu_probing = true;
	send_write(f, 5);
	timeouts(f, 2);
	assert_int_equal(f->c.pmtu, 1500);
	timeouts(f, 3);
	assert_int_equal(f->c.pmtu, 1024);
	assert_int_equal(f->c.snd_mss, 984);
	assert_int_equal(f->env.mib[TP_TCP_M_BLACKHOLE], 1);
	assert_int_equal(f->out[f->nb_out - 1].seg.len, 984);
	timeouts(f, 4);
	assert_int_equal(f->c.pmtu, 552);
	timeouts(f, 6);
	assert_int_equal(f->c.pmtu, 552);
	assert_int_equal(f->env.mib[TP_TCP_M_BLACKHOLE], 2);
}

static void
test_black_hole_off(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	send_write(f, 5);
	timeouts(f, 6);
	assert_int_equal(f->c.pmtu, 1500);
}

/* A path that takes so much: the peer is an ideal one that acknowledges what fits. All is acknowledged
 * up to `una`.
 */
static void
flow(struct tcp_fix *f, uint16_t path, uint32_t una, int rounds)
{
	uint32_t cwnd;

	for (int i = 0; i < rounds; i++) {
		uint32_t end = una, lost = 0, lost_end = 0;

		f->c.cwnd = RTE_MAX(f->c.cwnd, 20 * SEND_MSS);
		cwnd = f->c.cwnd;
		if (f->written + 1 - una < 20 * SEND_MSS)
			tcp_write(f, 20 * SEND_MSS);
		f->now += SEND_RTT;
		while (tcp_nb_out(f) > 0) {
			const struct tp_tcp_seg *seg = &tcp_pop(f)->seg;

			if (seg->len + 40 > path) {
				lost = seg->seq;
				lost_end = seg->seq + seg->len;
			} else {
				end = RTE_MAX(end, seg->seq + seg->len);
			}
		}
		tcp_flush(f);
		if (lost == 0) {
			tcp_in(f, SEG(.ack = una = RTE_MAX(end, una)));
			continue;
		}
		/* The probe went, what followed it came: repaired without a response. */
		assert_true(end > lost_end);
		tcp_in(f, SEG(.ack = lost, .nb_sack = 1, .sack = { { lost_end, end } }));
		una = end;
		tcp_flush(f);
		f->now += SEND_RTT;
		tcp_in(f, SEG(.ack = una));
		assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
		assert_true(f->c.cwnd >= cwnd);
	}
}

static uint16_t
search(struct tcp_fix *f, uint16_t path)
{
	send_start(f);
	f->conf.mtu_probing = true;
	send_write(f, 5);
	timeouts(f, 3);
	tcp_in(f, SEG(.ack = S(5)));
	tcp_flush(f);
	flow(f, path, S(5), 60);
	assert_true(f->env.mib[TP_TCP_M_PMTU_SUCCESS] > 0);
	return f->c.pmtu;
}

/* 7.3 to 7.6: probes find what the path takes, and their loss costs nothing. */
static void
test_search(void **state)
{
	struct tcp_fix *f = *state;
	uint16_t mtu = search(f, 1400);

	assert_in_range(mtu, 1400 - 32, 1400);
	assert_in_range(f->env.mib[TP_TCP_M_PMTU_FAIL], 1, 5); /* no size twice */
	assert_int_equal(f->c.snd_mss, mtu - 40);
}

/* It was no black hole, only an outage: back to all of it. */
static void
test_search_to_the_end(void **state)
{
	struct tcp_fix *f = *state;

	assert_in_range(search(f, 1500), 1500 - 32, 1500);
	assert_int_equal(f->env.mib[TP_TCP_M_PMTU_FAIL], 0);
}

/* RFC 8201 4: what a router said holds for ten minutes; then probes ask whether it still does. */
static void
test_age(void **state)
{
	struct tcp_fix *f = *state;
	uint64_t lowered;

	send_start(f);
	f->conf.mtu_probing = true;
	send_write(f, 5);
	icmp(f, TP_TCP_ICMP_MTU, S(0), 1000);
	lowered = f->now;
	tcp_in(f, SEG(.ack = S(5)));
	tcp_flush(f);
	f->now = lowered + 9 * 60 * TP_NS_PER_S;
	flow(f, 1500, S(5), 10);
	assert_int_equal(f->c.pmtu, 1000);
	tcp_in(f, SEG(.ack = f->c.snd_nxt - f->iss));
	while (f->c.snd_una != f->c.snd_nxt)
		tcp_in(f, SEG(.ack = f->c.snd_nxt - f->iss));
	tcp_flush(f);
	f->now = lowered + 10 * 60 * TP_NS_PER_S;
	flow(f, 1400, f->c.snd_una - f->iss, 60);
	assert_in_range(f->c.pmtu, 1400 - 32, 1400);
	assert_in_range(f->env.mib[TP_TCP_M_PMTU_FAIL], 1, 5);
}

static void
test_age_without_probing(void **state)
{
	struct tcp_fix *f = *state;

	send_start(f);
	send_write(f, 5);
	icmp(f, TP_TCP_ICMP_MTU, S(0), 1000);
	tcp_in(f, SEG(.ack = S(5)));
	tcp_flush(f);
	f->now += 20 * 60 * TP_NS_PER_S;
	flow(f, 1500, S(5), 10);
	assert_int_equal(f->c.pmtu, 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(test_too_big),
		TCP_TEST(test_too_big_again),
		TCP_TEST(test_not_in_flight),
		TCP_TEST(test_bounds),
		TCP_TEST(test_bounds_v6),
		TCP_TEST(test_plateaus),
		TCP_TEST(test_black_hole),
		TCP_TEST(test_black_hole_off),
		TCP_TEST(test_search),
		TCP_TEST(test_search_to_the_end),
		TCP_TEST(test_age),
		TCP_TEST(test_age_without_probing),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
