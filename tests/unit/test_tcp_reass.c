/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What is received out of order, in pieces, twice; the window that is offered; memory. */

#include "test_tcp.h"

static void
expect_window(struct tcp_fix *f, uint32_t ack, uint32_t wnd)
{
	const struct tcp_out *o = tcp_expect(f, SEG(.ack = ack));

	assert_int_equal((uint32_t)o->seg.wnd << f->c.rcv_wscale, wnd);
}

/* ---- order ------------------------------------------------------------------------------ */

/* RFC 2018 4: the block that changed last first. RFC 5681 4.2: at once. */
static void
gaps_are_reported_newest_first(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.seq = 1001, .len = 100));
	tcp_expect(f, SEG(.ack = 1, .nb_sack = 1, .sack = { { 1001, 1101 } }));
	tcp_in(f, SEG(.seq = 3001, .len = 100));
	tcp_expect(f, SEG(.ack = 1, .nb_sack = 2, .sack = { { 3001, 3101 }, { 1001, 1101 } }));
	tcp_in(f, SEG(.seq = 2001, .len = 100));
	tcp_expect(f, SEG(.ack = 1, .nb_sack = 3,
	                              .sack = { { 2001, 2101 }, { 3001, 3101 }, { 1001, 1101 } }));
	/* A block that grows goes to the front; of four, three fit beside timestamps. */
	tcp_in(f, SEG(.seq = 1101, .len = 100));
	tcp_expect(f, SEG(.ack = 1, .nb_sack = 3,
	                              .sack = { { 1001, 1201 }, { 2001, 2101 }, { 3001, 3101 } }));
	tcp_in(f, SEG(.seq = 4001, .len = 100));
	tcp_expect(f, SEG(.ack = 1, .nb_sack = 3,
	                              .sack = { { 4001, 4101 }, { 1001, 1201 }, { 2001, 2101 } }));
	/* The first gap closes. */
	tcp_in(f, SEG(.seq = 1, .len = 1000));
	tcp_expect(f, SEG(.ack = 1201, .nb_sack = 3,
	                              .sack = { { 4001, 4101 }, { 2001, 2101 }, { 3001, 3101 } }));
	assert_int_equal(tcp_read(f), 1200);
	assert_int_equal(f->env.held_bytes, 300);
	assert_int_equal(tp_tcp_held(&f->c), 300);
	assert_int_equal(f->env.mib[TP_TCP_M_OOO_QUEUED], 5);
}

static void
without_timestamps_four_blocks_fit(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.timestamps = false;
	tcp_state(f, TP_TCP_ESTABLISHED);
	for (uint32_t i = 1; i <= 5; i++)
		tcp_in(f, SEG(.seq = i * 1000, .len = 100));
	f->nb_popped = f->nb_out - 1;
	tcp_expect(f, SEG(.ack = 1, .nb_sack = 4,
	                              .sack = { { 5000, 5100 }, { 4000, 4100 }, { 3000, 3100 },
	                                              { 1000, 1100 } }));
}

static void
without_sack_none_is_reported(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.sack = false;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.seq = 1001, .len = 100));
	tcp_expect(f, SEG(.ack = 1));
	tcp_in(f, SEG(.seq = 1001, .len = 100));
	tcp_expect(f, SEG(.ack = 1));
}

/* Any pieces in any order, overlapping anyhow, give the stream. */
static void
random_pieces_give_the_stream(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t x = 12345, seq, len;

	tcp_state(f, TP_TCP_ESTABLISHED);
	for (int round = 0; round < 30; round++) {
		uint32_t begin = f->read + 1, end = begin + 3000;

		while (f->read + 1 < end) {
			x = x * 1664525 + 1013904223;
			seq = begin - 50 + (x >> 8) % 3050;
			len = 1 + (x >> 20) % 400;
			if ((int32_t)seq < 1)
				continue;
			if (seq + len > end)
				len = seq < end ? end - seq : 1;
			tcp_in(f, SEG(.seq = seq, .len = len));
			if (x >> 30 == 0)
				tcp_read(f);
			tcp_flush(f);
			if ((x >> 16) % 16 == 0)
				tcp_read(f);
		}
		tcp_read(f);
	}
	assert_int_equal(f->read, 90000);
	assert_null(f->c.ooo_head);
	assert_int_equal(f->env.held_bytes, 0);
}

static void
a_run_out_of_order_is_one_record(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	for (uint32_t i = 1; i < 20; i++)
		tcp_in(f, SEG(.seq = 1 + i * 100, .len = 100));
	assert_null(f->c.ooo_head->next);
	assert_int_equal(f->c.nb_ooo, 19);
	tcp_in(f, SEG(.seq = 1, .len = 100));
	assert_int_equal(tcp_read(f), 2000);
	assert_int_equal(f->c.nb_ooo, 0);
}

/* RFC 9293 3.10.7.4: what is beyond the window is cut off. */
static void
text_is_trimmed_to_the_window(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.rcv_buf = 10000;
	tcp_state(f, TP_TCP_ESTABLISHED);
	assert_int_equal(f->c.rcv_adv, f->irs + 10001);
	tcp_in(f, SEG(.seq = 9001, .len = 1400, .flags = TP_TCP_ACK | TP_TCP_FIN));
	tcp_expect(f, SEG(.ack = 1, .nb_sack = 1, .sack = { { 9001, 10001 } }));
	for (uint32_t seq = 1; seq < 9000; seq += 1000)
		tcp_in(f, SEG(.seq = seq, .len = 1000));
	assert_int_equal(f->c.state, TP_TCP_ESTABLISHED);
	assert_int_equal(tcp_read(f), 10000);
}

/* Several segments that were joined to one, of which the window does not allow the last: what comes then
 * is put behind the last buffer that is left. */
static void
joined_text_is_trimmed_to_the_window(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_seg seg;

	f->conf.rcv_buf = 10000;
	tcp_state(f, TP_TCP_ESTABLISHED);
	seg = tcp_absolute(f, SEG(.seq = 1, .len = 14000, .nb_coalesced = 10));
	seg.last = rte_pktmbuf_lastseg(seg.data);
	assert_true(seg.last != seg.data);
	tp_tcp_input(&f->env, &f->c, &seg, f->now);
	assert_int_equal(f->c.rcv_nxt, f->c.rcv_adv);
	f->c.rcv_adv += 1000;
	tcp_in(f, SEG(.seq = 10001, .len = 1000));
	assert_int_equal(tcp_read(f), 11000);
}

/* ---- the window -------------------------------------------------------------------------------- */

/* RFC 9293 SHLD-14: the right edge stays; MUST-39: it moves by an MSS at least. */
static void
the_window_closes_and_opens(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.rcv_buf = 8000;
	f->conf.quickack = true;
	f->no_output = false;
	tcp_state(f, TP_TCP_ESTABLISHED);
	for (uint32_t i = 0; i < 8; i++) {
		tcp_in(f, SEG(.seq = 1 + i * 1000, .len = 1000));
		expect_window(f, 1001 + i * 1000, 7000 - i * 1000);
	}
	assert_int_equal(tcp_take(f), 8000);
	/* Less than an MSS is not offered. */
	tp_tcp_consumed(&f->env, &f->c, 1447, f->now);
	tcp_done(f);
	tcp_expect_none(f);
	tcp_in(f, SEG(.seq = 8001, .len = 1));
	expect_window(f, 8001, 0);
	tp_tcp_consumed(&f->env, &f->c, 1, f->now);
	tcp_done(f);
	expect_window(f, 8001, 1448);
	tp_tcp_consumed(&f->env, &f->c, 6552, f->now);
	tcp_done(f);
	expect_window(f, 8001, 8000);
}

/* RFC 9293 3.8.6.2.2: with a buffer of less than two segments, half of it. */
static void
a_small_buffer_opens_by_halves(void **state)
{
	struct tcp_fix *f = *state;

	f->conf.rcv_buf = 1000;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.len = 1000));
	assert_int_equal(tcp_take(f), 1000);
	tcp_run(f, TP_NS_PER_S);
	expect_window(f, 1001, 0);
	tp_tcp_consumed(&f->env, &f->c, 499, f->now);
	tcp_done(f);
	tcp_expect_none(f);
	tp_tcp_consumed(&f->env, &f->c, 1, f->now);
	tcp_done(f);
	expect_window(f, 1001, 500);
}

/* The edge on the wire: acknowledged number plus scaled window. */
static void
scaling_never_moves_the_edge_far_back(void **state)
{
	struct tcp_fix *f = *state;
	uint32_t edge = 0, seq = 1, x = 1;

	f->conf.rcv_buf = 1 << 20;
	f->conf.quickack = true;
	tcp_state(f, TP_TCP_ESTABLISHED);
	for (int i = 0; i < 3900; i++) {
		x = x * 1664525 + 1013904223;
		uint32_t len = 1 + (x >> 20) % 1400;

		if (len > f->c.rcv_adv - f->c.rcv_nxt)
			break;
		tcp_in(f, SEG(.seq = seq, .len = len));
		seq += len;
		const struct tcp_out *o = tcp_pop(f);
		uint32_t e = o->seg.ack + ((uint32_t)o->seg.wnd << f->c.rcv_wscale);

		/* RFC 7323 2.4: by less than the unit, and only where no room is left. */
		if (edge > 0 && e < edge) {
			assert_true(edge - e < 1u << f->c.rcv_wscale);
			assert_true(f->c.rcv_buf - f->c.rcv_unread <
			                f->c.rcv_adv - f->c.rcv_nxt + (1u << f->c.rcv_wscale));
		}
		edge = RTE_MAX(edge, e);
		tcp_flush(f);
	}
	assert_true(f->c.rcv_unread <= f->c.rcv_buf);
	assert_in_range(f->c.rcv_unread, (1 << 20) - 1500, 1 << 20);
}

/* ---- memory --------------------------------------------------------------------------------------- */

static void
a_full_shard_shrinks_windows(void **state)
{
	struct tcp_fix *f = *state;

	f->env.held_max = 20000;
	f->conf.rcv_buf = 64000;
	f->conf.quickack = true;
	tcp_state(f, TP_TCP_ESTABLISHED);
	f->env.held_bytes += 15000; /* other connections' */
	tcp_in(f, SEG(.len = 1000));
	/* The edge stays where it was, although only 4/10 of the share is left. */
	expect_window(f, 1001, 63000);
	f->env.held_bytes -= 15000;
}

static void
beyond_the_limit_gaps_are_not_kept(void **state)
{
	struct tcp_fix *f = *state;

	f->env.held_max = 5000;
	tcp_state(f, TP_TCP_ESTABLISHED);
	f->env.held_bytes += 4500;
	tcp_in(f, SEG(.seq = 1001, .len = 400));
	tcp_expect(f, SEG(.ack = 1, .nb_sack = 1, .sack = { { 1001, 1401 } }));
	tcp_in(f, SEG(.seq = 2001, .len = 400));
	tcp_expect(f, SEG(.ack = 1, .nb_sack = 1, .sack = { { 1001, 1401 } }));
	assert_int_equal(f->env.mib[TP_TCP_M_OOO_DROP], 1);
	/* What fills the gap takes the place of what lies behind it. */
	tcp_in(f, SEG(.seq = 1, .len = 1000));
	tcp_expect(f, SEG(.ack = 1001));
	assert_null(f->c.ooo_head);
	/* One more is not kept until the user has read. */
	tcp_in(f, SEG(.seq = 1001, .len = 1000));
	tcp_expect(f, SEG(.ack = 1001));
	assert_int_equal(tcp_read(f), 1000);
	tcp_in(f, SEG(.seq = 1001, .len = 1000));
	assert_int_equal(tcp_read(f), 1000);
	f->env.held_bytes -= 4500;
}

static void
without_records_gaps_are_not_kept(void **state)
{
	struct tcp_fix *f = *state;
	void *recs[4096];
	unsigned int nb = 0;

	tcp_state(f, TP_TCP_ESTABLISHED);
	while (rte_mempool_get(f->env.recs, &recs[nb]) == 0)
		nb++;
	tcp_in(f, SEG(.seq = 1001, .len = 400));
	tcp_expect(f, SEG(.ack = 1));
	assert_int_equal(f->env.mib[TP_TCP_M_OOO_DROP], 1);
	assert_int_equal(f->env.mib[TP_TCP_M_NO_MBUF], 1);
	tcp_in(f, SEG(.seq = 1, .len = 1000));
	assert_int_equal(tcp_read(f), 1000);
	rte_mempool_put_bulk(f->env.recs, recs, nb);
}

/* Single bytes take no buffer each, in order or not. */
static void
small_segments_share_buffers(void **state)
{
	struct tcp_fix *f = *state;
	unsigned int before;

	tcp_state(f, TP_TCP_ESTABLISHED);
	before = test_pools_out();
	for (uint32_t i = 0; i < 300; i++)
		tcp_in(f, SEG(.seq = 1 + i * 3, .len = 3));
	assert_in_range(test_pools_out() - before, 1, 2);
	assert_int_equal(tcp_read(f), 900);
	for (uint32_t i = 1; i < 300; i++)
		tcp_in(f, SEG(.seq = 901 + i * 3, .len = 3));
	assert_in_range(test_pools_out() - before, 2, 3);
	tcp_in(f, SEG(.seq = 901, .len = 3));
	assert_int_equal(tcp_read(f), 900);
	assert_int_equal(tcp_read(f), 0);
	/* But not into a buffer that somebody else holds, too. */
	tcp_in(f, SEG(.seq = 1801, .len = 10));
	rte_mbuf_refcnt_update(f->c.rcv_tail, 1);
	struct rte_mbuf *held = f->c.rcv_tail;

	tcp_in(f, SEG(.seq = 1811, .len = 10));
	assert_int_equal(held->data_len, 10);
	assert_int_equal(tcp_read(f), 20);
	rte_pktmbuf_free(held);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(gaps_are_reported_newest_first),
		TCP_TEST(without_timestamps_four_blocks_fit),
		TCP_TEST(without_sack_none_is_reported),
		TCP_TEST(random_pieces_give_the_stream),
		TCP_TEST(a_run_out_of_order_is_one_record),
		TCP_TEST(text_is_trimmed_to_the_window),
		TCP_TEST(joined_text_is_trimmed_to_the_window),
		TCP_TEST(the_window_closes_and_opens),
		TCP_TEST(a_small_buffer_opens_by_halves),
		TCP_TEST(scaling_never_moves_the_edge_far_back),
		TCP_TEST(a_full_shard_shrinks_windows),
		TCP_TEST(beyond_the_limit_gaps_are_not_kept),
		TCP_TEST(without_records_gaps_are_not_kept),
		TCP_TEST(small_segments_share_buffers),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
