/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * One connection of the TCP engine, and a peer that says what the test wants.
 *
 * All numbers in tests are relative, as tcpdump prints them: the engine's SYN and the peer's have
 * 0, the first byte of data has 1. The real ones begin shortly before they wrap, like timestamps.
 * After each call the connection is checked and what it sends is collected, parsed from whole
 * frames, in order; payload is compared with what tcp_write() had written.
 *
 *	static void
 *	test_ack(void **state)
 *	{
 *		struct tcp_fix *f = *state;
 *
 *		tcp_state(f, TP_TCP_ESTABLISHED);
 *		tcp_write(f, 100);
 *		tcp_expect(f, SEG(.seq = 1, .ack = 1, .len = 100, .flags = TP_TCP_ACK | TP_TCP_PSH));
 *		tcp_in(f, SEG(.ack = 101));
 *		assert_int_equal(f->c.snd_una, f->iss + 101);
 *	}
 *	... cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown) with TCP_TEST(test_ack)
 */
#ifndef TEST_TCP_H
#define TEST_TCP_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tcp_frame.h"
#include "test_eal.h"

#define TCP_FIX_OUT 512
#define TCP_FIX_FRAME 65600
/** ISN of the engine, of the peer, and the peer's timestamps at time 0: all wrap soon. */
#define TCP_FIX_ISS UINT32_C(0xfffffc00)
#define TCP_FIX_IRS UINT32_C(0xfffffe00)
#define TCP_FIX_TS UINT32_C(0xffffff00)

/** A segment as a test writes it: an ACK of everything that an idle, established connection has,
 * unless fields are overridden. Numbers are relative; wnd is as on the wire, not scaled.
 */
#define SEG(...)                                                                                   \
	(&(struct tp_tcp_seg){ .seq = 1,                                                           \
	                .ack = 1,                                                                  \
	                .flags = TP_TCP_ACK,                                                       \
	                .wnd = 65535,                                                              \
	                .nb_coalesced = 1,                                                         \
	                __VA_ARGS__ })

/** What the engine sent: numbers relative, data freed. */
struct tcp_out {
	struct tp_tcp_seg seg;
	uint64_t now;    /**< when */
	uint8_t ecn;     /**< tp_tcp_ecn_codepoint() */
	uint16_t segsz;  /**< tso_segsz, 0 without TSO */
	uint8_t hdr[60]; /**< TCP header as on the wire */
};

struct tcp_fix {
	/* Change before tcp_state(). */
	struct tp_tcp_conf conf;   /**< defaults */
	struct tp_tcp_seg peer;    /**< SYN or SYN-ACK of the peer: options, window */
	bool v6;                   /**< false */
	bool passive;              /**< the peer opens; false */
	uint32_t iss, irs, ts_irs; /**< TCP_FIX_* */
	/* Change at any time. */
	uint64_t now;   /**< ns */
	bool no_output; /**< do not collect after each call */
	bool no_check;  /**< no tp_tcp_conn_check() after each call */
	bool no_ts;     /**< do not add timestamps to segments of the peer */
	bool no_verify; /**< payload that the engine sends is not compared */
	/* Read. */
	struct tp_tcp_secret secret;
	struct tp_tcp_env env;
	struct tp_tcp_conn c;
	struct tp_tcp_key key;
	uint8_t events;   /**< all since tcp_events() */
	uint32_t written; /**< bytes that tcp_write() queued */
	uint32_t read;    /**< bytes that tcp_read() got */
	uint32_t ts_ours; /**< last timestamp that the engine sent, as on the wire */
	uint32_t nb_out, nb_popped;
	struct tcp_out out[TCP_FIX_OUT];
	unsigned int pools_out;
};

/* ---- pools, group fixtures ---------------------------------------------- */

static struct rte_mempool *tcp_fix_indirect, *tcp_fix_recs;

static inline int
tcp_group_setup(void **state)
{
	if (test_eal_setup(state) < 0)
		return -1;
	tcp_fix_indirect = rte_pktmbuf_pool_create("indirect", 4095, 0, 0, 0, SOCKET_ID_ANY);
	tcp_fix_recs = rte_mempool_create("recs", 4095, sizeof(struct tp_tcp_rec), 0, 0, NULL, NULL,
	                NULL, NULL, SOCKET_ID_ANY, 0);
	return tcp_fix_indirect == NULL || tcp_fix_recs == NULL ? -1 : 0;
}

static inline int
tcp_group_teardown(void **state)
{
	unsigned int out = test_pools_out();

	rte_mempool_free(tcp_fix_indirect);
	rte_mempool_free(tcp_fix_recs);
	return test_eal_teardown(state) < 0 || out != 0 ? -1 : 0;
}

/* ---- content of streams ------------------------------------------------- */

/** Byte of a stream; offset 0 is sequence number 1. The peer's has side 1, the engine's 0. */
static inline uint8_t
tcp_byte(int side, uint32_t offset)
{
	return offset * 7 + (offset >> 8) * 13 + side * 101;
}

/** len bytes of a stream, in buffers of at most `piece` bytes. */
static inline struct rte_mbuf *
tcp_payload(int side, uint32_t offset, uint32_t len, uint16_t piece)
{
	struct rte_mbuf *head = NULL, *tail = NULL;

	for (uint32_t done = 0; done < len;) {
		uint32_t n = RTE_MIN(len - done, (uint32_t)piece);
		struct rte_mbuf *m = rte_pktmbuf_alloc(test_pool());
		uint8_t *p;

		assert_non_null(m);
		p = (uint8_t *)rte_pktmbuf_append(m, n);
		assert_non_null(p);
		for (uint32_t i = 0; i < n; i++)
			p[i] = tcp_byte(side, offset + done + i);
		if (head == NULL) {
			head = m;
		} else {
			tail->next = m;
			head->nb_segs++;
			head->pkt_len += n;
		}
		tail = m;
		done += n;
	}
	return head;
}

/* ---- setup --------------------------------------------------------------- */

static inline int
tcp_fix_setup(void **state)
{
	struct tcp_fix *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->pools_out = test_pools_out();
	tp_tcp_conf_default(&f->conf);
	f->peer = (struct tp_tcp_seg){
		.opts = TP_TCP_O_MSS | TP_TCP_O_WSCALE | TP_TCP_O_SACK_PERM | TP_TCP_O_TS,
		.mss = 1460,
		.wnd = 65535,
		.nb_coalesced = 1,
	};
	f->iss = TCP_FIX_ISS;
	f->irs = TCP_FIX_IRS;
	f->ts_irs = TCP_FIX_TS;
	f->now = 1000 * TP_NS_PER_S;
	f->secret = (struct tp_tcp_secret){ { 1, 2 }, { 3, 4 }, { 5, 6 }, { 7, 8 } };
	f->env = (struct tp_tcp_env){
		.conf = &f->conf,
		.secret = &f->secret,
		.pool = test_pool(),
		.pool_indirect = tcp_fix_indirect,
		.recs = tcp_fix_recs,
	};
	*state = f;
	return 0;
}

static inline int
tcp_fix_teardown(void **state)
{
	struct tcp_fix *f = *state;
	unsigned int out;

	tp_tcp_fini(&f->env, &f->c);
	out = test_pools_out();
	if (out != f->pools_out)
		fprintf(stderr, "buffers or records out: %u before, %u after\n", f->pools_out, out);
	if (f->env.held_bytes != 0)
		fprintf(stderr, "held_bytes is %" PRIu64 " at the end\n", f->env.held_bytes);
	out = out != f->pools_out || f->env.held_bytes != 0;
	free(f);
	return out ? -1 : 0;
}

#define TCP_TEST(function)                                                                         \
	cmocka_unit_test_setup_teardown(function, tcp_fix_setup, tcp_fix_teardown)

/* ---- what comes out ------------------------------------------------------ */

static inline void
tcp_relative(const struct tcp_fix *f, struct tp_tcp_seg *seg)
{
	seg->seq -= f->iss;
	if (seg->flags & TP_TCP_ACK)
		seg->ack -= f->irs;
	for (int i = 0; i < seg->nb_sack; i++) {
		seg->sack[i].left -= f->irs;
		seg->sack[i].right -= f->irs;
	}
}

/* Byte seq - 1 of the engine's stream and on; keepalive probes may hold garbage before that. */
static inline void
tcp_verify(const struct tcp_fix *f, const struct tp_tcp_seg *seg)
{
	uint32_t at = seg->seq - 1;

	for (const struct rte_mbuf *m = seg->data; m != NULL; m = m->next)
		for (uint16_t i = 0; i < m->data_len; i++, at++) {
			if ((int32_t)at < 0 || f->no_verify)
				continue;
			if (*rte_pktmbuf_mtod_offset(m, uint8_t *, i) != tcp_byte(0, at))
				fail_msg("byte %" PRIu32 " of what was sent is wrong", at);
		}
}

/** Parse a segment that the engine made as its peer would; the numbers stay as they are.
 * @param m freed
 */
static inline void
tcp_parse_out(const struct tcp_fix *f, struct rte_mbuf *m, struct tp_tcp_seg *seg)
{
	static uint8_t frame[TCP_FIX_FRAME];
	uint32_t len = tcp_frame_copy(m, &f->key, frame, sizeof(frame));
	uint32_t at = RTE_MIN(len, 2048u - RTE_PKTMBUF_HEADROOM);
	struct tp_pkt_info info;
	struct rte_mbuf *rx, *tail;

	assert_int_not_equal(len, 0);
	assert_int_equal(m->l4_len, (frame[tcp_frame_hdr_len(&f->key) + 12] >> 4) * 4);
	assert_true(m->ol_flags & RTE_MBUF_F_TX_TCP_CKSUM);
	assert_true(m->ol_flags & (f->v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4));
	assert_int_equal(rte_pktmbuf_headroom(m), RTE_PKTMBUF_HEADROOM);
	rte_pktmbuf_free(m);
	rx = tail = test_mbuf(frame, at);
	while (at < len) {
		uint32_t n = RTE_MIN(len - at, 1500u);

		tail->next = test_mbuf(frame + at, n);
		tail = tail->next;
		rx->nb_segs++;
		rx->pkt_len += n;
		at += n;
	}
	tp_pkt_parse(rx, &info);
	assert_true(info.flags & TP_PKT_F_L4);
	memset(seg, 0, sizeof(*seg));
	assert_int_equal(tp_tcp_parse(rx, &info, seg), 0);
}

static inline void
tcp_collect_one(struct tcp_fix *f, struct rte_mbuf *m)
{
	struct tcp_out *o = &f->out[f->nb_out];

	assert_in_range(f->nb_out, 0, TCP_FIX_OUT - 1);
	f->nb_out++;
	*o = (struct tcp_out){ .now = f->now, .ecn = tp_tcp_ecn_codepoint(m) };
	o->segsz = m->ol_flags & RTE_MBUF_F_TX_TCP_SEG ? m->tso_segsz : 0;
	memcpy(o->hdr, rte_pktmbuf_mtod(m, void *), m->l4_len);
	tcp_parse_out(f, m, &o->seg);
	if (o->seg.opts & TP_TCP_O_TS)
		f->ts_ours = o->seg.ts_val;
	tcp_relative(f, &o->seg);
	tcp_verify(f, &o->seg);
	rte_pktmbuf_free(o->seg.data);
	o->seg.data = NULL;
}

static inline void
tcp_check(struct tcp_fix *f)
{
	const char *what = NULL;

	if (!f->no_check && tp_tcp_conn_check(&f->c, &what) != 0)
		fail_msg("the connection is inconsistent: %s", what);
	f->events |= tp_tcp_events(&f->c);
}

/** Take what the connection sends now. */
static inline void
tcp_collect(struct tcp_fix *f)
{
	struct rte_mbuf *pkts[8];
	uint16_t n;

	tcp_check(f);
	do {
		n = tp_tcp_output(&f->env, &f->c, f->now, pkts, RTE_DIM(pkts));
		for (uint16_t i = 0; i < n; i++)
			tcp_collect_one(f, pkts[i]);
		tcp_check(f);
	} while (n == RTE_DIM(pkts));
}

static inline void
tcp_done(struct tcp_fix *f)
{
	if (f->no_output)
		tcp_check(f);
	else
		tcp_collect(f);
}

/** The next segment that was sent and not yet looked at; fails when there is none. */
static inline const struct tcp_out *
tcp_pop(struct tcp_fix *f)
{
	if (f->nb_popped == f->nb_out)
		fail_msg("nothing was sent");
	return &f->out[f->nb_popped++];
}

static inline uint32_t
tcp_nb_out(const struct tcp_fix *f)
{
	return f->nb_out - f->nb_popped;
}

/** Forget what was sent. */
static inline void
tcp_flush(struct tcp_fix *f)
{
	f->nb_out = f->nb_popped = 0;
}

static inline void
tcp_print(const char *who, const struct tp_tcp_seg *s, FILE *to)
{
	fprintf(to, "%s flags %02x seq %" PRIu32 " ack %" PRIu32 " len %" PRIu32 " wnd %u", who,
	                s->flags, s->seq, s->ack, s->len, s->wnd);
	for (int i = 0; i < s->nb_sack; i++)
		fprintf(to, " %" PRIu32 ":%" PRIu32, s->sack[i].left, s->sack[i].right);
	fprintf(to, "\n");
}

/** The next segment that was sent has these flags, numbers, length and SACK blocks. (Its window,
 * MSS and timestamps are not compared: look at the result. PSH is compared only when `want` has it.)
 */
static inline const struct tcp_out *
tcp_expect_at(struct tcp_fix *f, const struct tp_tcp_seg *want, const char *file, int line)
{
	const struct tcp_out *o = f->nb_popped < f->nb_out ? &f->out[f->nb_popped++] : NULL;
	uint8_t care = want->flags & TP_TCP_PSH ? 0xff : (uint8_t)~TP_TCP_PSH;
	bool same = o != NULL && (o->seg.flags & care) == (want->flags & care) &&
	            o->seg.seq == want->seq && o->seg.len == want->len &&
	            (!(want->flags & TP_TCP_ACK) || o->seg.ack == want->ack) &&
	            o->seg.nb_sack == want->nb_sack;

	for (int i = 0; same && i < want->nb_sack; i++)
		same = o->seg.sack[i].left == want->sack[i].left &&
		       o->seg.sack[i].right == want->sack[i].right;
	if (!same) {
		tcp_print("want", want, stdout);
		if (o != NULL)
			tcp_print("sent", &o->seg, stdout);
		else
			printf("sent nothing\n");
		_fail(file, line);
	}
	return o;
}
#define tcp_expect(f, want) tcp_expect_at(f, want, __FILE__, __LINE__)

static inline void
tcp_expect_none_at(struct tcp_fix *f, const char *file, int line)
{
	if (f->nb_popped == f->nb_out)
		return;
	for (uint32_t i = f->nb_popped; i < f->nb_out; i++)
		tcp_print("sent", &f->out[i].seg, stdout);
	_fail(file, line);
}
#define tcp_expect_none(f) tcp_expect_none_at(f, __FILE__, __LINE__)

/* ---- what goes in --------------------------------------------------------- */

/** A segment of the peer as the engine gets it: absolute numbers, data made of the peer's stream,
 * timestamps as agreed. Options in `rel->opts` are taken as they are: with TP_TCP_O_TS the values
 * are real ones, too.
 */
static inline struct tp_tcp_seg
tcp_absolute(const struct tcp_fix *f, const struct tp_tcp_seg *rel)
{
	struct tp_tcp_seg seg = *rel;

	if (seg.len > 0 && seg.data == NULL)
		seg.data = tcp_payload(1, seg.seq - !(seg.flags & TP_TCP_SYN), seg.len, 1500);
	seg.seq += f->irs;
	if (seg.flags & TP_TCP_ACK)
		seg.ack += f->iss;
	seg.is_v6 = f->v6;
	if (seg.nb_sack > 0)
		seg.opts |= TP_TCP_O_SACK;
	for (int i = 0; i < seg.nb_sack; i++) {
		seg.sack[i].left += f->iss;
		seg.sack[i].right += f->iss;
	}
	if ((f->c.flags & TP_TCP_F_TS) && !(seg.opts & TP_TCP_O_TS) && !f->no_ts &&
	                !(seg.flags & TP_TCP_RST)) {
		seg.opts |= TP_TCP_O_TS;
		seg.ts_val = f->ts_irs + f->now / TP_NS_PER_MS;
		seg.ts_ecr = f->ts_ours;
	}
	return seg;
}

/** The peer sends this. */
static inline void
tcp_in(struct tcp_fix *f, const struct tp_tcp_seg *rel)
{
	struct tp_tcp_seg seg = tcp_absolute(f, rel);

	tp_tcp_input(&f->env, &f->c, &seg, f->now);
	tcp_done(f);
}

/* ---- time ------------------------------------------------------------------ */

/** Time passes; timers run when they are due. */
static inline void
tcp_run(struct tcp_fix *f, uint64_t ns)
{
	uint64_t end = f->now + ns;

	for (int i = 0; tp_tcp_next(&f->c) <= end; i++) {
		assert_in_range(i, 0, 100000);
		f->now = RTE_MAX(f->now, tp_tcp_next(&f->c));
		tp_tcp_timer(&f->env, &f->c, f->now);
		tcp_done(f);
	}
	f->now = end;
	tcp_done(f);
}

/** Go to the next deadline and run it. @return ns that passed */
static inline uint64_t
tcp_tick(struct tcp_fix *f)
{
	uint64_t next = tp_tcp_next(&f->c), before = f->now;

	assert_int_not_equal(next, TP_NEVER);
	f->now = RTE_MAX(f->now, next);
	tp_tcp_timer(&f->env, &f->c, f->now);
	tcp_done(f);
	return f->now - before;
}

/* ---- the user ----------------------------------------------------------------- */

/** Queue so many bytes, or fail. */
static inline void
tcp_write(struct tcp_fix *f, uint32_t len)
{
	struct rte_mbuf *m = tcp_payload(0, f->written, len, 1500);

	assert_int_equal(tp_tcp_send(&f->env, &f->c, m, true, f->now), 0);
	f->written += len;
	tcp_done(f);
}

/** Take what there is and compare it with the peer's stream; not yet consumed. @return bytes */
static inline uint32_t
tcp_take(struct tcp_fix *f)
{
	struct rte_mbuf *m = tp_tcp_recv(&f->c);
	uint32_t len = 0;

	if (m == NULL)
		return 0;
	assert_int_equal(rte_mbuf_check(m, 1, &(const char *){ NULL }), 0);
	for (const struct rte_mbuf *s = m; s != NULL; s = s->next)
		for (uint16_t i = 0; i < s->data_len; i++, len++)
			if (*rte_pktmbuf_mtod_offset(s, uint8_t *, i) != tcp_byte(1, f->read + len))
				fail_msg("byte %" PRIu32 " of what came is wrong", f->read + len);
	assert_int_equal(m->pkt_len, len);
	rte_pktmbuf_free(m);
	f->read += len;
	return len;
}

/** tcp_take(), and it is consumed. */
static inline uint32_t
tcp_read(struct tcp_fix *f)
{
	uint32_t len = tcp_take(f);

	if (len > 0)
		tp_tcp_consumed(&f->env, &f->c, len, f->now);
	tcp_done(f);
	return len;
}

static inline void
tcp_shutdown(struct tcp_fix *f)
{
	tp_tcp_shutdown(&f->env, &f->c, f->now);
	tcp_done(f);
}

static inline void
tcp_close(struct tcp_fix *f)
{
	tp_tcp_close(&f->env, &f->c, f->now);
	tcp_done(f);
}

static inline void
tcp_abort(struct tcp_fix *f)
{
	tp_tcp_abort(&f->env, &f->c, TP_TCP_R_ABORT, f->now);
	tcp_done(f);
}

/** @return and forget the events so far */
static inline uint8_t
tcp_events(struct tcp_fix *f)
{
	uint8_t ev = f->events;

	f->events = 0;
	return ev;
}

/* ---- states ------------------------------------------------------------------- */

/** CLOSED, prepared, with the fixture's numbers. */
static inline void
tcp_init(struct tcp_fix *f)
{
	f->key = tcp_frame_key(f->v6, 1, 40000, 2, 80);
	f->peer.is_v6 = f->v6;
	tp_tcp_conn_init(&f->env, &f->c, &f->key, f->now);
	f->c.iss = f->c.snd_una = f->c.snd_nxt = f->iss;
	f->c.ts_off = TCP_FIX_TS - f->now / TP_NS_PER_MS;
}

/* The peer's SYN or SYN-ACK. */
static inline struct tp_tcp_seg
tcp_peer_syn(struct tcp_fix *f, uint8_t flags)
{
	struct tp_tcp_seg syn = f->peer;

	syn.flags |= TP_TCP_SYN | flags;
	syn.seq = 0;
	syn.ack = 1;
	if (syn.opts & TP_TCP_O_TS) {
		syn.ts_val = f->ts_irs + f->now / TP_NS_PER_MS;
		syn.ts_ecr = flags & TP_TCP_ACK ? f->ts_ours : 0;
	}
	return syn;
}

static inline void
tcp_syn_sent(struct tcp_fix *f)
{
	tcp_init(f);
	tp_tcp_connect(&f->env, &f->c, f->now);
	tcp_done(f);
}

/** Take the peer's SYN as a listener does. */
static inline void
tcp_syn_rcvd(struct tcp_fix *f)
{
	struct tp_tcp_seg syn;

	tcp_init(f);
	syn = tcp_peer_syn(f, 0);
	syn = tcp_absolute(f, &syn);
	tp_tcp_accept(&f->env, &f->c, &syn, f->now);
	tcp_done(f);
}

static inline void
tcp_established_state(struct tcp_fix *f)
{
	struct tp_tcp_seg syn_ack;

	if (f->passive) {
		tcp_syn_rcvd(f);
		tcp_in(f, SEG(.seq = 1));
		return;
	}
	tcp_syn_sent(f);
	syn_ack = tcp_peer_syn(f, TP_TCP_ACK);
	tcp_in(f, &syn_ack);
}

/* Behind ESTABLISHED: by what the user and the peer do. */
static inline void
tcp_closing_state(struct tcp_fix *f, enum tp_tcp_state state)
{
	bool user_first = state != TP_TCP_CLOSE_WAIT && state != TP_TCP_LAST_ACK;

	if (user_first)
		tcp_shutdown(f);
	if (state == TP_TCP_FIN_WAIT_2 || state == TP_TCP_TIME_WAIT)
		tcp_in(f, SEG(.ack = 2));
	if (state == TP_TCP_CLOSING || !user_first)
		tcp_in(f, SEG(.flags = TP_TCP_FIN | TP_TCP_ACK));
	if (state == TP_TCP_TIME_WAIT)
		tcp_in(f, SEG(.ack = 2, .flags = TP_TCP_FIN | TP_TCP_ACK));
	if (state == TP_TCP_LAST_ACK)
		tcp_shutdown(f);
}

/** Bring it there by the shortest way and forget what it sent. From ESTABLISHED on the peer's next
 * number is 1, the engine's too; a FIN takes 1.
 */
static inline void
tcp_state(struct tcp_fix *f, enum tp_tcp_state state)
{
	if (state == TP_TCP_CLOSED)
		tcp_init(f);
	else if (state == TP_TCP_SYN_SENT)
		tcp_syn_sent(f);
	else if (state == TP_TCP_SYN_RCVD)
		tcp_syn_rcvd(f);
	else
		tcp_established_state(f);
	if (state > TP_TCP_ESTABLISHED)
		tcp_closing_state(f, state);
	assert_string_equal(tp_tcp_state_name(f->c.state), tp_tcp_state_name(state));
	tcp_flush(f);
	tcp_events(f);
}

/** ESTABLISHED without the engine's help, field by field: for tests of single files of the engine.
 * No options are agreed but SACK; the window is open, cwnd is ten segments of 1460 bytes.
 */
static inline void
tcp_poke_established(struct tcp_fix *f)
{
	struct tp_tcp_conn *c = &f->c;

	f->key = tcp_frame_key(f->v6, 1, 40000, 2, 80);
	*c = (struct tp_tcp_conn){
		.state = TP_TCP_ESTABLISHED,
		.flags = TP_TCP_F_SACK | (f->v6 ? TP_TCP_F_IS_V6 : 0),
		.iss = f->iss,
		.snd_una = f->iss + 1,
		.snd_nxt = f->iss + 1,
		.snd_wnd = 1 << 20,
		.snd_wnd_max = 1 << 20,
		.snd_wl1 = f->irs,
		.snd_wl2 = f->iss,
		.irs = f->irs,
		.rcv_nxt = f->irs + 1,
		.rcv_adv = f->irs + 1 + 65535,
		.last_ack_sent = f->irs + 1,
		.snd_mss = 1460,
		.peer_mss = 1460,
		.pmtu = 1500,
		.rexmit_ns = TP_NEVER,
		.delack_ns = TP_NEVER,
		.keep_ns = TP_NEVER,
		.rcvd_ns = f->now,
		.last_now = f->now,
		.rcv_buf = 1 << 20,
		.snd_buf = 1 << 20,
		.cwnd = 10 * 1460,
		.ssthresh = UINT32_MAX,
		.rto_us = 1000000,
		.rack_reo_wnd_mult = 1,
		.rack_fack = f->iss + 1,
		.recover_point = f->iss + 1,
		.opened_ns = f->now,
		.key = f->key,
	};
}

#endif /* TEST_TCP_H */
