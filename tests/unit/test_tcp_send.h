/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * A connection that sends segments of SEND_MSS bytes to a peer whose ACKs the test writes: no
 * timestamps, SACK agreed, Nagle off, no TSO, a window of 1 MiB, cwnd of ten segments, a round trip
 * of SEND_RTT that was measured. Segment i (from 0) has the numbers S(i) to S(i + 1).
 */
#ifndef TEST_TCP_SEND_H
#define TEST_TCP_SEND_H

#include "tcp_int.h"
#include "test_tcp.h"

#define SEND_MSS 1460u
#define SEND_RTT (100 * TP_NS_PER_MS)
#define MS TP_NS_PER_MS
#define S(i) (1u + (i)*SEND_MSS)

static inline void
send_start(struct tcp_fix *f)
{
	f->conf.tso_max = 0;
	f->conf.mtu_probing = false;
	tcp_poke_established(f);
	f->c.flags |= TP_TCP_F_NODELAY;
	f->c.snd_wscale = 4;
	f->c.snd_wnd = f->c.snd_wnd_max = 65535u << 4;
	tcp_marks_init(&f->c, f->iss);
	tcp_cc_init(&f->env, &f->c);
	tcp_rtt_sample(&f->env, &f->c, SEND_RTT, f->now);
	tcp_rtt_min(&f->c, SEND_RTT, f->now);
	f->c.sent_ms = tcp_ms(f->now); /* not idle */
	/* As if the variance had settled. */
	f->c.rttvar_us = 12500;
	f->c.rto_us = 300000;
}

/** All segments before this one. */
#define SEND_ACK(nb, ...) SEG(.ack = S(nb), __VA_ARGS__)
/** A block of segments i to j - 1. */
#define SACK(i, j)                                                                                 \
	{                                                                                          \
		S(i), S(j)                                                                         \
	}

/** An ACK of what is before una, with one block. */
static inline void
send_sack(struct tcp_fix *f, uint32_t una, uint32_t i, uint32_t j)
{
	tcp_in(f, SEND_ACK(una, .nb_sack = 1, .sack = { SACK(i, j) }));
}

static inline void
send_write(struct tcp_fix *f, uint32_t nb)
{
	tcp_write(f, nb * SEND_MSS);
}

/** n segments from segment i on came out, nothing else. */
static inline void
send_expect_at(struct tcp_fix *f, uint32_t i, uint32_t n, const char *file, int line)
{
	for (; n > 0; n--, i++)
		tcp_expect_at(f, SEG(.seq = S(i), .len = SEND_MSS), file, line);
	tcp_expect_none_at(f, file, line);
}
#define send_expect(f, i, n) send_expect_at(f, i, n, __FILE__, __LINE__)

/** nb segments are out for a round trip. */
static inline void
send_flight(struct tcp_fix *f, uint32_t nb)
{
	f->c.cwnd = RTE_MAX(f->c.cwnd, nb * SEND_MSS);
	send_write(f, nb);
	send_expect(f, 0, nb);
	f->now += SEND_RTT;
}

static inline void
send_start_flight(struct tcp_fix *f, uint32_t nb)
{
	send_start(f);
	send_flight(f, nb);
}

static inline uint32_t
send_segs(uint32_t bytes)
{
	assert_int_equal(bytes % SEND_MSS, 0);
	return bytes / SEND_MSS;
}

/** The record that holds a relative number. */
static inline struct tp_tcp_rec *
send_rec(struct tcp_fix *f, uint32_t seq)
{
	struct tp_tcp_rec *rec = f->c.tx_head;

	while (rec != NULL && tp_seq_leq(rec->seq + rec->len, f->iss + seq))
		rec = rec->next;
	assert_non_null(rec);
	return rec;
}

#endif
