/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What is sent, when, and how it is built. */

#include <errno.h>

#include "test_tcp.h"

#define PSH_ACK (TP_TCP_PSH | TP_TCP_ACK)
#define MSS 1448

static void
write_some(struct tcp_fix *f, uint32_t len, bool push)
{
	struct rte_mbuf *m = tcp_payload(0, f->written, len, 1500);

	assert_int_equal(tp_tcp_send(&f->env, &f->c, m, push, f->now), 0);
	f->written += len;
	tcp_done(f);
}

/* ---- segments ---------------------------------------------------------------------------- */

/* TSO by intent: one segment for egress to cut, a multiple of the MSS (RFC 9293 MUST-61: PSH). */
static void
large_segments_are_left_to_egress(void **state)
{
	struct tcp_fix *f = *state;
	const struct tcp_out *o;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 5 * MSS + 100);
	o = tcp_expect(f, SEG(.len = 5 * MSS));
	assert_int_equal(o->segsz, MSS);
	assert_false(o->seg.flags & TP_TCP_PSH);
	tcp_expect_none(f); /* Nagle keeps the rest */
	assert_int_equal(f->c.segs_out, 2 + 5);
	tcp_in(f, SEG(.ack = 1 + 5 * MSS));
	o = tcp_expect(f, SEG(.seq = 1 + 5 * MSS, .len = 100, .flags = PSH_ACK));
	assert_int_equal(o->segsz, 0);
}

static void
without_tso_each_is_one_mss(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.tso_max = 0;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 3 * MSS);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(tcp_expect(f, SEG(.seq = 1 + i * MSS, .len = MSS))->segsz, 0);
	assert_true(f->out[f->nb_out - 1].seg.flags & TP_TCP_PSH);
	tcp_expect_none(f);
}

static void
cwnd_and_window_are_kept(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 20 * MSS);
	tcp_expect(f, SEG(.len = 10 * MSS)); /* RFC 6928 */
	tcp_expect_none(f);
	tcp_in(f, SEG(.ack = 1 + 10 * MSS, .wnd = 3 * MSS + 10));
	/* RFC 9293 SHLD-28: no silly window. */
	tcp_expect(f, SEG(.seq = 1 + 10 * MSS, .len = 3 * MSS));
	tcp_expect_none(f);
	/* RFC 9293 MUST-34, SHLD-15: the window shrinks, nothing new goes. */
	tcp_in(f, SEG(.ack = 1 + 11 * MSS, .wnd = 100));
	tcp_expect_none(f);
	assert_int_equal(f->c.snd_wnd, 100);
}

static void
payload_goes_by_reference(void **state)
{
	struct tcp_fix *f = *state;
	struct rte_mbuf *m, *pkts[4];

	tcp_state(f, TP_TCP_ESTABLISHED);
	f->no_output = true;
	m = tcp_payload(0, 0, 2000, 1000);
	uint8_t *where = rte_pktmbuf_mtod(m, uint8_t *);

	assert_int_equal(tp_tcp_send(&f->env, &f->c, m, true, f->now), 0);
	assert_int_equal(tp_tcp_output(&f->env, &f->c, f->now, pkts, 4), 1);
	assert_int_equal(pkts[0]->pkt_len, 32 + MSS);
	assert_int_equal(pkts[0]->nb_segs, 3);
	assert_int_equal(pkts[0]->data_len, 32);
	assert_int_equal(rte_pktmbuf_headroom(pkts[0]), RTE_PKTMBUF_HEADROOM);
	assert_ptr_equal(rte_pktmbuf_mtod(pkts[0]->next, uint8_t *), where);
	assert_int_equal(pkts[0]->next->next->data_len, MSS - 1000);
	assert_true(RTE_MBUF_CLONED(pkts[0]->next));
	rte_pktmbuf_free(pkts[0]);
}

/* Without indirect buffers, or in too many pieces, it is copied. */
static void
payload_is_copied_where_it_must(void **state)
{
	struct tcp_fix *f = *state;
	struct rte_mbuf *m;

	f->conf.nodelay = true;
	tcp_state(f, TP_TCP_ESTABLISHED);
	m = tcp_payload(0, 0, 4000, 10);
	assert_int_equal(tp_tcp_send(&f->env, &f->c, m, true, f->now), 0);
	tcp_done(f);
	tcp_expect(f, SEG(.len = 4000));
	f->env.pool_indirect = NULL;
	f->written = 4000;
	tcp_write(f, 5000);
	tcp_expect(f, SEG(.seq = 4001, .len = 5000));
	f->env.pool_indirect = tcp_fix_indirect;
}

/* The last bytes of one buffer, the first of the next, and again from the middle. */
static void
segments_start_anywhere(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t seq = 1;

	f->conf.nodelay = true;
	tcp_state(f, TP_TCP_ESTABLISHED);
	for (uint32_t len = 1; len < 900; len += 37) {
		tcp_write(f, len);
		tcp_expect(f, SEG(.seq = seq, .len = len));
		seq += len;
		tcp_in(f, SEG(.ack = seq - len / 2));
		tcp_in(f, SEG(.ack = seq));
		tcp_expect_none(f);
	}
}

/* ---- Nagle and silly windows ------------------------------------------------------------- */

/* RFC 9293 SHLD-7 */
static void
nagle_holds_small_segments(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 10);
	tcp_expect(f, SEG(.len = 10, .flags = PSH_ACK));
	tcp_write(f, 10);
	tcp_write(f, 20);
	tcp_expect_none(f);
	tcp_in(f, SEG(.ack = 11));
	tcp_expect(f, SEG(.seq = 11, .len = 30));
	/* A full segment goes at once. */
	tcp_write(f, MSS);
	tcp_expect(f, SEG(.seq = 41, .len = MSS));
}

/* RFC 9293 MUST-17: it can be switched off. */
static void
nodelay_sends_at_once(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tp_tcp_set(&f->env, &f->c, TP_TCP_OPT_NODELAY, 1, f->now);
	tcp_write(f, 10);
	tcp_write(f, 20);
	tcp_expect(f, SEG(.len = 10));
	tcp_expect(f, SEG(.seq = 11, .len = 20));
	tcp_write(f, MSS + 5);
	tcp_expect(f, SEG(.seq = 31, .len = MSS + 5));
}

/* RFC 9293 MUST-60, 3.8.6.2.1: more follows; but not for ever. */
static void
what_is_not_pushed_waits_a_while(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	write_some(f, 100, false);
	tcp_expect_none(f);
	assert_int_not_equal(tp_tcp_next(&f->c), TP_NEVER);
	write_some(f, 100, true);
	tcp_expect(f, SEG(.len = 200));
	tcp_in(f, SEG(.ack = 201));
	write_some(f, 100, false);
	tcp_expect_none(f);
	assert_in_range(tcp_tick(f), 1, TP_NS_PER_S);
	tcp_expect(f, SEG(.seq = 201, .len = 100));
}

/* RFC 9293 MUST-38, 3.8.6.2.1 (3): half of the largest window is enough. */
static void
a_peer_with_a_small_window_gets_its_half(void **state)
{
	struct tcp_fix *f = *state;

	f->peer.wnd = 1000;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 4000);
	tcp_expect(f, SEG(.len = 1000));
	tcp_in(f, SEG(.ack = 1001, .wnd = 499));
	tcp_expect_none(f);
	tcp_in(f, SEG(.ack = 1001, .wnd = 500));
	tcp_expect(f, SEG(.seq = 1001, .len = 500));
}

/* RFC 9293 3.8.6.2.1 (3): also when it is all there is, and not pushed. */
static void
half_of_a_small_window_needs_no_push(void **state)
{
	struct tcp_fix *f = *state;

	f->peer.wnd = 1000;
	tcp_state(f, TP_TCP_ESTABLISHED);
	write_some(f, 499, false);
	tcp_expect_none(f);
	write_some(f, 1, false);
	tcp_expect(f, SEG(.len = 500));
}

/* ---- again ---------------------------------------------------------------------------------- */

static void
a_lost_segment_is_sent_again(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.tso_max = 0;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 10 * MSS);
	tcp_flush(f);
	f->now += 20 * TP_NS_PER_MS;
	tcp_in(f, SEG(.ack = 1, .nb_sack = 1, .sack = { { 1 + MSS, 1 + 5 * MSS } }));
	tcp_expect(f, SEG(.seq = 1, .len = MSS));
	assert_int_equal(f->c.snd_nxt, f->iss + 1 + 10 * MSS);
	assert_int_equal(f->c.retrans_segs, 1);
	assert_int_equal(f->env.mib[TP_TCP_M_RETRANS_SEGS], 1);
}

/* Of a large segment only the part that is lost, cut to what cwnd lets out. */
static void
a_timeout_repeats_one_segment(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 10 * MSS);
	tcp_flush(f);
	tcp_tick(f); /* tail loss probe */
	tcp_expect(f, SEG(.seq = 1 + 9 * MSS, .len = MSS));
	tcp_tick(f);
	tcp_expect(f, SEG(.seq = 1, .len = MSS));
	tcp_expect_none(f);
	assert_int_equal(f->env.mib[TP_TCP_M_TIMEOUTS], 1);
}

/* A smaller MSS cuts what was sent larger. */
static void
a_smaller_path_cuts_what_is_sent_again(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.tso_max = 0;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 3 * MSS);
	tcp_flush(f);
	tp_tcp_icmp(&f->env, &f->c, TP_TCP_ICMP_MTU, f->iss + 1, 1000, f->now);
	tcp_done(f);
	assert_int_equal(f->c.snd_mss, 948);
	/* As ACKs let them out: each as long as the path takes, or the rest of what was one. */
	for (uint32_t seq = 1; seq < 1 + 3 * MSS;) {
		uint32_t len = (seq - 1) % MSS == 0 ? 948 : 500;

		tcp_expect(f, SEG(.seq = seq, .len = len));
		seq += len;
		tcp_in(f, SEG(.ack = seq));
	}
	tcp_expect_none(f);
	assert_int_equal(f->c.snd_queued, 0);
}

static void
a_lost_fin_is_sent_again(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 100);
	tcp_shutdown(f);
	tcp_flush(f);
	tcp_in(f, SEG(.ack = 101));
	for (int i = 0; i < 3; i++) {
		tcp_tick(f);
		tcp_expect(f, SEG(.seq = 101, .flags = TP_TCP_FIN | TP_TCP_ACK));
		tcp_expect_none(f);
	}
	tcp_in(f, SEG(.ack = 102));
	assert_int_equal(f->c.state, TP_TCP_FIN_WAIT_2);
}

/* ---- ECN ----------------------------------------------------------------------------------------- */

/* ---- nothing left ------------------------------------------------------------------------------------ */

static unsigned int
take_all(struct rte_mempool *mp, void **objs, unsigned int max)
{
	unsigned int nb = 0;

	while (nb < max && rte_mempool_get(mp, &objs[nb]) == 0)
		nb++;
	return nb;
}

/* Whatever is missing, the data goes later. */
static void
missing_buffers_only_delay(void **state)
{
	static void *objs[8192];
	struct tcp_fix *f = *state;
	struct rte_mempool *pools[] = { test_pool(), tcp_fix_indirect, tcp_fix_recs };
	uint32_t seq = 1;

	tcp_state(f, TP_TCP_ESTABLISHED);
	for (unsigned int i = 0; i < RTE_DIM(pools); i++) {
		uint64_t failed = f->env.mib[TP_TCP_M_NO_MBUF];
		struct rte_mbuf *m = tcp_payload(0, f->written, 1000, 1500);
		unsigned int nb = take_all(pools[i], objs, RTE_DIM(objs));

		assert_int_equal(tp_tcp_send(&f->env, &f->c, m, true, f->now), 0);
		f->written += 1000;
		tcp_done(f);
		tcp_expect_none(f);
		assert_true(f->env.mib[TP_TCP_M_NO_MBUF] > failed);
		assert_int_equal(f->c.snd_nxt - f->iss, seq);
		rte_mempool_put_bulk(pools[i], objs, nb);
		tcp_tick(f);
		tcp_expect(f, SEG(.seq = seq, .len = 1000));
		seq += 1000;
		tcp_in(f, SEG(.ack = seq));
	}
}

static void
a_missing_buffer_only_delays_acks_and_syns(void **state)
{
	static void *objs[8192];
	struct tcp_fix *f = *state;
	unsigned int nb = take_all(test_pool(), objs, RTE_DIM(objs));

	tcp_syn_sent(f);
	tcp_expect_none(f);
	rte_mempool_put_bulk(test_pool(), objs, nb);
	tcp_tick(f);
	tcp_expect(f, SEG(.seq = 0, .flags = TP_TCP_SYN | TP_TCP_ECE | TP_TCP_CWR));
	nb = take_all(test_pool(), objs, RTE_DIM(objs));
	tcp_in(f, &(struct tp_tcp_seg){ .seq = 0,
	                          .ack = 1,
	                          .flags = TP_TCP_SYN | TP_TCP_ACK,
	                          .wnd = 65535,
	                          .nb_coalesced = 1 });
	assert_int_equal(f->c.state, TP_TCP_ESTABLISHED);
	tcp_expect_none(f);
	rte_mempool_put_bulk(test_pool(), objs, nb);
	tcp_tick(f);
	tcp_expect(f, SEG());
}

/* ---- the send buffer ------------------------------------------------------------------------------------ */

static void
a_full_buffer_says_when_there_is_room(void **state)
{
	struct tcp_fix *f = *state;
	struct rte_mbuf *m;

	f->conf.snd_buf = 10000;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 9000);
	assert_int_equal(tp_tcp_send_space(&f->c), 1000);
	m = tcp_payload(0, f->written, 1001, 1500);
	assert_int_equal(tp_tcp_send(&f->env, &f->c, m, true, f->now), -ENOBUFS);
	rte_pktmbuf_free(m);
	tcp_in(f, SEG(.ack = 1 + 2 * MSS));
	assert_int_equal(tcp_events(f) & TP_TCP_EV_WRITABLE, 0);
	tcp_in(f, SEG(.ack = 1 + 4 * MSS));
	assert_int_equal(tcp_events(f) & TP_TCP_EV_WRITABLE, TP_TCP_EV_WRITABLE);
	tcp_in(f, SEG(.ack = 1 + 6 * MSS));
	assert_int_equal(tcp_events(f) & TP_TCP_EV_WRITABLE, 0);
}

/* RFC 9293 3.10.2: data before the handshake waits for it. */
static void
data_waits_for_the_handshake(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn_ack;

	tcp_syn_sent(f);
	tcp_write(f, 100);
	tcp_shutdown(f);
	tcp_flush(f);
	syn_ack = tcp_peer_syn(f, TP_TCP_ACK);
	tcp_in(f, &syn_ack);
	tcp_expect(f, SEG(.seq = 1, .len = 100, .flags = TP_TCP_FIN | PSH_ACK));
	tcp_expect_none(f);
	assert_int_equal(f->c.state, TP_TCP_FIN_WAIT_1);
}

/* As many as asked for, and the rest with the next call. */
static void
output_stops_where_it_is_told(void **state)
{
	struct tcp_fix *f = *state;
	struct rte_mbuf *pkts[10];

	f->conf.tso_max = 0;
	tcp_state(f, TP_TCP_ESTABLISHED);
	f->no_output = true;
	tcp_write(f, 5 * MSS);
	assert_int_equal(tp_tcp_output(&f->env, &f->c, f->now, pkts, 2), 2);
	assert_int_equal(tp_tcp_output(&f->env, &f->c, f->now, pkts + 2, 8), 3);
	assert_int_equal(tp_tcp_output(&f->env, &f->c, f->now, pkts + 5, 5), 0);
	rte_pktmbuf_free_bulk(pkts, 5);
}

/* RFC 9293 3.8.5: each segment counts to the octet behind the urgent data, until the peer has it. */
static void
urgent_data_is_pointed_to(void **state)
{
	struct tcp_fix *f = *state;
	const struct tcp_out *o;

	tcp_state(f, TP_TCP_ESTABLISHED);
	assert_int_equal(tp_tcp_urgent(&f->env, &f->c, f->now), -EINVAL);
	f->no_output = true;
	tcp_write(f, 3 * MSS);
	assert_int_equal(tp_tcp_urgent(&f->env, &f->c, f->now), 0);
	tcp_write(f, MSS);
	f->no_output = false;
	tcp_collect(f);
	for (uint32_t i = 0; i < 4; i++) {
		o = tcp_pop(f);
		assert_int_equal(o->seg.seq, 1 + i * MSS);
		assert_int_equal(o->seg.len, MSS);
		assert_int_equal(!(o->seg.flags & TP_TCP_URG), i == 3);
		assert_int_equal(o->seg.urg_ptr, i == 3 ? 0 : (3 - i) * MSS);
	}
	assert_false(tp_tcp_parkable(&f->c));
	tcp_in(f, SEG(.ack = 1 + MSS));
	tcp_tick(f);
	tcp_flush(f);
	tcp_tick(f);
	o = tcp_pop(f);
	assert_int_equal(o->seg.seq, 1 + MSS);
	assert_int_equal(o->seg.urg_ptr, 2 * MSS);
	assert_true(o->seg.flags & TP_TCP_URG);
	tcp_in(f, SEG(.ack = 1 + 3 * MSS));
	assert_int_equal(f->c.flags & TP_TCP_F_URG_SEND, 0);
	tcp_in(f, SEG(.ack = 1 + 4 * MSS));
	tcp_shutdown(f);
	assert_int_equal(tp_tcp_urgent(&f->env, &f->c, f->now), -EPIPE);
}

/* Farther than the pointer can say; with a window of zero the peer is told all the same. */
static void
urgent_data_far_away(void **state)
{
	struct tcp_fix *f = *state;
	const struct tcp_out *o;

	f->conf.snd_buf = 200000;
	f->peer.wnd = 0;
	f->peer.opts &= ~TP_TCP_O_WSCALE;
	tcp_state(f, TP_TCP_ESTABLISHED);
	f->no_output = true;
	tcp_write(f, 100000);
	assert_int_equal(tp_tcp_urgent(&f->env, &f->c, f->now), 0);
	f->no_output = false;
	tcp_collect(f);
	tcp_expect_none(f);
	tcp_in(f, SEG(.wnd = 0, .len = 100));
	tcp_in(f, SEG(.seq = 101, .wnd = 0, .len = 100));
	o = tcp_pop(f);
	assert_int_equal(o->seg.len, 0);
	assert_true(o->seg.flags & TP_TCP_URG);
	assert_int_equal(o->seg.urg_ptr, UINT16_MAX);
	tcp_read(f);
}

static void
urgent_data_waits_for_the_handshake(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg syn_ack;
	const struct tcp_out *o;

	tcp_state(f, TP_TCP_SYN_SENT);
	tcp_write(f, 10);
	assert_int_equal(tp_tcp_urgent(&f->env, &f->c, f->now), 0);
	tcp_collect(f);
	syn_ack = tcp_peer_syn(f, TP_TCP_ACK);
	tcp_in(f, &syn_ack);
	o = tcp_pop(f);
	assert_int_equal(o->seg.len, 10);
	assert_int_equal(o->seg.urg_ptr, 10);
}

/* ---- SACK beside data (RFC 2018 4, RFC 6691 3) ----------------------------------------------- */

/* With timestamps, and N blocks. */
#define BESIDE(n) (MSS - 4 - 8 * (n))

/* Full segments are shorter by the blocks, those that egress cuts, too; the rest has room anyway. */
static void
data_reports_what_is_out_of_order(void **state)
{
	struct tcp_fix *f = *state;
	const struct tcp_out *o;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.seq = 1001, .len = 100));
	tcp_expect(f, SEG(.nb_sack = 1, .sack = { { 1001, 1101 } }));
	tcp_write(f, 4 * BESIDE(1));
	o = tcp_expect(f, SEG(.len = 4 * BESIDE(1), .nb_sack = 1, .sack = { { 1001, 1101 } }));
	assert_int_equal(o->segsz, BESIDE(1));
	assert_int_equal(f->c.segs_out, 2 + 1 + 4);
	tcp_in(f, SEG(.seq = 3001, .len = 100, .ack = 1 + 4 * BESIDE(1)));
	tcp_flush(f);
	tcp_write(f, 100);
	tcp_expect(f, SEG(.seq = 1 + 4 * BESIDE(1), .len = 100, .nb_sack = 2,
	                              .sack = { { 3001, 3101 }, { 1001, 1101 } }));
	tcp_in(f, SEG(.len = 1000, .ack = 101 + 4 * BESIDE(1)));
	tcp_flush(f);
	tcp_in(f, SEG(.seq = 1101, .len = 1900, .ack = 101 + 4 * BESIDE(1)));
	tcp_flush(f);
	tcp_write(f, 2 * MSS);
	o = tcp_expect(f, SEG(.seq = 101 + 4 * BESIDE(1), .ack = 3101, .len = 2 * MSS));
	assert_int_equal(o->segsz, MSS);
}

/* A packet is never larger than the path takes, whatever the blocks. */
static void
blocks_fit_in_the_packet(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.tso_max = 0;
	tcp_state(f, TP_TCP_ESTABLISHED);
	for (uint32_t i = 1; i <= 5; i++) {
		tcp_in(f, SEG(.seq = 1001 * i, .len = 100));
		tcp_flush(f);
		tcp_write(f, 2 * MSS);
		for (const struct tcp_out *o; tcp_nb_out(f) > 0;) {
			o = tcp_pop(f);
			assert_int_equal(o->seg.nb_sack, RTE_MIN(i, 3u));
			assert_in_range((o->hdr[12] >> 4) * 4u + o->seg.len, 32 + 100,
			                20 + 12 + MSS);
		}
		tcp_in(f, SEG(.ack = f->c.snd_nxt - f->iss));
		tcp_flush(f);
	}
}

/* What arrives while more waits to be sent needs no segment of its own. */
static void
data_takes_the_report_along(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	f->no_output = true;
	tcp_in(f, SEG(.seq = 1001, .len = 100));
	assert_true(f->c.flags & TP_TCP_F_ACK_NOW);
	f->no_output = false;
	tcp_write(f, 100);
	tcp_expect(f, SEG(.len = 100, .nb_sack = 1, .sack = { { 1001, 1101 } }));
	tcp_expect_none(f);
	assert_false(f->c.flags & TP_TCP_F_ACK_NOW);
}

/* RFC 2883 4: a duplicate is reported once, by data as well. */
static void
data_reports_a_duplicate(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.len = 100));
	tcp_run(f, TP_NS_PER_S);
	tcp_flush(f);
	f->no_output = true;
	tcp_in(f, SEG(.len = 100));
	f->no_output = false;
	tcp_write(f, 100);
	tcp_expect(f, SEG(.ack = 101, .len = 100, .nb_sack = 1, .sack = { { 1, 101 } }));
	assert_int_equal(f->env.mib[TP_TCP_M_DSACK_SENT], 1);
	tcp_write(f, MSS);
	tcp_in(f, SEG(.seq = 101, .ack = 101));
	tcp_expect(f, SEG(.seq = 101, .ack = 101, .len = MSS));
	assert_int_equal(f->env.mib[TP_TCP_M_DSACK_SENT], 1);
}

/* RFC 5681 2: without SACK, what carries data is no duplicate ACK. */
static void
without_sack_a_gap_is_told_by_an_ack_alone(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.sack = false;
	tcp_state(f, TP_TCP_ESTABLISHED);
	f->no_output = true;
	tcp_in(f, SEG(.seq = 1001, .len = 100));
	f->no_output = false;
	tcp_write(f, 3 * MSS);
	tcp_expect(f, SEG(.ack = 1));
	tcp_expect(f, SEG(.len = 3 * MSS));
	tcp_expect_none(f);
}

/* What is sent again is what it was; the report goes before it. */
static void
what_goes_again_is_not_cut_for_the_report(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.tso_max = 0;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 5 * MSS);
	tcp_flush(f);
	f->now += 20 * TP_NS_PER_MS;
	tcp_in(f, SEG(.seq = 1001, .len = 100, .nb_sack = 1, .sack = { { 1 + MSS, 1 + 5 * MSS } }));
	tcp_expect(f, SEG(.seq = 1 + 5 * MSS, .nb_sack = 1, .sack = { { 1001, 1101 } }));
	tcp_expect(f, SEG(.seq = 1, .len = MSS));
	tcp_expect_none(f);
}

/* Segments of which the blocks would be more than a small part: an ACK tells. */
static void
small_segments_have_no_room(void **state)
{
	struct tcp_fix *f = *state;

	f->peer.mss = 88;
	tcp_state(f, TP_TCP_ESTABLISHED);
	f->no_output = true;
	tcp_in(f, SEG(.seq = 1001, .len = 100));
	f->no_output = false;
	tcp_write(f, 3 * 76);
	tcp_expect(f, SEG(.nb_sack = 1, .sack = { { 1001, 1101 } }));
	assert_int_equal(tcp_expect(f, SEG(.len = 3 * 76))->segsz, 76);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(large_segments_are_left_to_egress),
		TCP_TEST(without_tso_each_is_one_mss),
		TCP_TEST(cwnd_and_window_are_kept),
		TCP_TEST(payload_goes_by_reference),
		TCP_TEST(payload_is_copied_where_it_must),
		TCP_TEST(segments_start_anywhere),
		TCP_TEST(nagle_holds_small_segments),
		TCP_TEST(nodelay_sends_at_once),
		TCP_TEST(what_is_not_pushed_waits_a_while),
		TCP_TEST(a_peer_with_a_small_window_gets_its_half),
		TCP_TEST(half_of_a_small_window_needs_no_push),
		TCP_TEST(a_lost_segment_is_sent_again),
		TCP_TEST(a_timeout_repeats_one_segment),
		TCP_TEST(a_smaller_path_cuts_what_is_sent_again),
		TCP_TEST(a_lost_fin_is_sent_again),
		TCP_TEST(missing_buffers_only_delay),
		TCP_TEST(a_missing_buffer_only_delays_acks_and_syns),
		TCP_TEST(a_full_buffer_says_when_there_is_room),
		TCP_TEST(data_waits_for_the_handshake),
		TCP_TEST(output_stops_where_it_is_told),
		TCP_TEST(urgent_data_is_pointed_to),
		TCP_TEST(urgent_data_far_away),
		TCP_TEST(urgent_data_waits_for_the_handshake),
		TCP_TEST(data_reports_what_is_out_of_order),
		TCP_TEST(blocks_fit_in_the_packet),
		TCP_TEST(data_takes_the_report_along),
		TCP_TEST(data_reports_a_duplicate),
		TCP_TEST(without_sack_a_gap_is_told_by_an_ack_alone),
		TCP_TEST(what_goes_again_is_not_cut_for_the_report),
		TCP_TEST(small_segments_have_no_room),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
