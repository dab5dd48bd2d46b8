/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 6937, proportional rate reduction with the slow start reduction bound. */

#include "test_tcp_send.h"

/* Only numbers: a connection with this pipe and ssthresh, in segments. */
static void
numbers(struct tp_tcp_conn *c, uint32_t pipe, uint32_t ssthresh, uint32_t recover_fs)
{
	*c = (struct tp_tcp_conn){ .snd_mss = SEND_MSS, .flags = TP_TCP_F_SACK };
	c->snd_nxt = pipe * SEND_MSS;
	c->ssthresh = ssthresh * SEND_MSS;
	tcp_prr_begin(c, recover_fs * SEND_MSS);
}

/* Deliver a segment, send what is allowed. @return segments sent */
static uint32_t
step(struct tp_tcp_conn *c, uint32_t delivered, uint32_t lost)
{
	uint32_t pipe = tcp_in_flight(c), n;

	c->sacked_out += delivered * SEND_MSS;
	c->lost_out += lost * SEND_MSS;
	tcp_prr_ack(c, delivered * SEND_MSS, false);
	pipe = tcp_in_flight(c);
	n = c->cwnd > pipe ? (c->cwnd - pipe) / SEND_MSS : 0;
	c->prr_out += n * SEND_MSS;
	c->snd_nxt += n * SEND_MSS;
	return n;
}

/* RFC 6937 4, the example with one lost segment of 20: "PRR" row: XXxXxX.. ssthresh = 10, so every
 * second delivered segment lets one out, and at the end the window is ssthresh. */
static void
test_one_loss_of_twenty(void **state)
{
	struct tp_tcp_conn c;
	uint32_t sent = 0;

	(void)state;
	numbers(&c, 20, 10, 20);
	c.lost_out = SEND_MSS;
	for (uint32_t i = 1; i <= 19; i++) {
		sent += step(&c, 1, 0);
		/* CEIL(prr_delivered * ssthresh / RecoverFS) */
		if (tcp_in_flight(&c) > c.ssthresh)
			assert_int_equal(sent, (i + 1) / 2);
	}
	assert_int_equal(tcp_in_flight(&c), 10 * SEND_MSS);
}

/* Equation of the proportional part for other ratios: CUBIC's 0.7. */
static void
test_proportional(void **state)
{
	struct tp_tcp_conn c;
	uint32_t sent = 0;

	(void)state;
	numbers(&c, 100, 70, 100);
	for (uint32_t i = 1; tcp_in_flight(&c) > c.ssthresh + SEND_MSS; i++) {
		sent += step(&c, 1, 0);
		assert_int_equal(sent, (i * 70 + 99) / 100);
	}
	assert_in_range(tcp_in_flight(&c), 70 * SEND_MSS, 71 * SEND_MSS);
}

/* RFC 6937 4, the second example: 15 of 20 lost. PRR-SSRB: pipe 4 is below ssthresh, and each
 * delivered segment lets out one more than it is itself: slow start, no burst. */
static void
test_burst_loss(void **state)
{
	struct tp_tcp_conn c;
	uint32_t sent = 0, n;

	(void)state;
	numbers(&c, 20, 10, 20);
	n = step(&c, 1, 15); /* the ACK that starts recovery */
	assert_int_equal(n, 2);
	sent += n;
	for (uint32_t i = 2; i <= 4; i++) {
		n = step(&c, 1, 0);
		sent += n;
		/* max(prr_delivered - prr_out, DeliveredData) + MSS */
		assert_int_equal(n, 2);
	}
	assert_int_equal(sent, 8);
	/* Up to ssthresh, not beyond. */
	while (tcp_in_flight(&c) < c.ssthresh)
		step(&c, 1, 0);
	assert_int_equal(tcp_in_flight(&c), c.ssthresh);
	assert_int_equal(step(&c, 1, 0), 1);
}

/* A pause of the sender may be made up for. */
static void
test_banked(void **state)
{
	struct tp_tcp_conn c;

	(void)state;
	numbers(&c, 4, 20, 20);
	for (int i = 0; i < 3; i++) { /* delivered, but the user has nothing to send */
		c.sacked_out += SEND_MSS;
		tcp_prr_ack(&c, SEND_MSS, false);
	}
	assert_int_equal(c.cwnd - tcp_in_flight(&c), 4 * SEND_MSS);
}

/* The whole engine: of 20, the first is lost; ACKs clock out half as many. */
static void
test_engine(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t again = 0, new = 0;

	f->conf.cc = TP_TCP_CC_NEWRENO;
	send_start(f);
	f->c.cc = TP_TCP_CC_NEWRENO;
	f->c.cwnd = 20 * SEND_MSS;
	send_write(f, 60);
	send_expect(f, 0, 20);
	f->now += SEND_RTT;
	for (uint32_t i = 2; i <= 20; i++) {
		tcp_in(f, SEND_ACK(0, .nb_sack = 1, .sack = { SACK(1, i) }));
		while (tcp_nb_out(f) > 0) {
			if (tcp_pop(f)->seg.seq == S(0))
				again++;
			else
				new ++;
		}
	}
	assert_int_equal(again, 1);
	assert_int_equal(f->c.ssthresh, 10 * SEND_MSS);
	assert_in_range(tcp_in_flight(&f->c), 9 * SEND_MSS, 10 * SEND_MSS);
	f->now += SEND_RTT;
	tcp_in(f, SEG(.ack = f->c.recover_point - f->iss));
	assert_int_equal(f->c.ca, TP_TCP_CA_OPEN);
	assert_int_equal(f->c.cwnd, 10 * SEND_MSS);
	assert_in_range(new, 9, 11);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(test_one_loss_of_twenty),
		TCP_TEST(test_proportional),
		TCP_TEST(test_burst_loss),
		TCP_TEST(test_banked),
		TCP_TEST(test_engine),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
