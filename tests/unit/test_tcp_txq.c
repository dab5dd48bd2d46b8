/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Records of what is sent, and the send queue: append, split, acknowledge, free, mark. */

#include <errno.h>

#include "test_tcp_send.h"

static void
poke(struct tcp_fix *f)
{
	tcp_poke_established(f);
	f->no_output = true;
}

static void
queue(struct tcp_fix *f, uint32_t len, uint16_t piece)
{
	tcp_txq_queue(&f->c, tcp_payload(0, f->written, len, piece));
	f->written += len;
}

static struct tp_tcp_rec *
append(struct tcp_fix *f, uint32_t len, uint8_t flags)
{
	struct tp_tcp_rec *rec;

	if (flags & TP_TCP_FIN)
		f->c.flags |= TP_TCP_F_FIN_WANTED | TP_TCP_F_FIN_SENT;
	rec = tcp_txq_append(&f->env, &f->c, len, flags, f->now);
	assert_non_null(rec);
	tcp_sent(&f->env, &f->c, rec, f->now);
	return rec;
}

static struct tcp_ack
acked(struct tcp_fix *f, uint32_t seq)
{
	struct tcp_ack ack = { .now = f->now, .prior_una = f->c.snd_una };

	tcp_txq_acked(&f->env, &f->c, f->iss + seq, &ack);
	return ack;
}

static void
check(struct tcp_fix *f)
{
	const char *what = NULL;

	f->c.state = f->c.flags & TP_TCP_F_FIN_SENT ? TP_TCP_FIN_WAIT_1 : TP_TCP_ESTABLISHED;
	if (tp_tcp_conn_check(&f->c, &what) != 0)
		fail_msg("%s", what);
}

/* Payload of a record, byte for byte. */
static void
assert_data(struct tcp_fix *f, const struct tp_tcp_rec *rec)
{
	uint32_t at = rec->seq - f->iss - 1, left = tcp_rec_bytes(rec), off = rec->off;

	for (const struct rte_mbuf *m = rec->data; left > 0; m = m->next, off = 0)
		for (; off < m->data_len && left > 0; off++, left--, at++)
			assert_int_equal(*rte_pktmbuf_mtod_offset(m, uint8_t *, off),
			                tcp_byte(0, at));
}

static void
test_append_crosses_buffers(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_rec *rec;

	poke(f);
	queue(f, 3000, 700);
	rec = append(f, 1460, 0);
	assert_int_equal(rec->seq, f->iss + 1);
	assert_int_equal(rec->len, 1460);
	assert_data(f, rec);
	assert_data(f, append(f, 1, 0));
	assert_data(f, append(f, 1539, TP_TCP_FIN));
	assert_int_equal(f->c.tx_tail->len, 1540);
	assert_null(f->c.snd_cur);
	assert_int_equal(f->c.snd_nxt, f->iss + 3002);
	check(f);
	/* What is queued behind the end is new again. */
	f->c.flags &= ~(TP_TCP_F_FIN_WANTED | TP_TCP_F_FIN_SENT);
}

static void
test_queue_drops_empty_buffers(void **state)
{
	struct tcp_fix *f = *state;
	struct rte_mbuf *m;

	poke(f);
	m = tcp_payload(0, 0, 10, 10);
	m->next = rte_pktmbuf_alloc(test_pool());
	m->next->next = tcp_payload(0, 10, 5, 5);
	m->nb_segs = 3;
	tcp_txq_queue(&f->c, m);
	tcp_txq_queue(&f->c, rte_pktmbuf_alloc(test_pool()));
	assert_int_equal(f->c.snd_queued, 15);
	assert_data(f, append(f, 15, 0));
	check(f);
}

static void
test_ack_of_whole_records(void **state)
{
	struct tcp_fix *f = *state;
	struct tcp_ack ack;

	poke(f);
	queue(f, 5000, 999);
	for (int i = 0; i < 5; i++)
		append(f, 1000, 0);
	ack = acked(f, 3001);
	assert_int_equal(ack.acked, 3000);
	assert_int_equal(f->c.snd_una, f->iss + 3001);
	assert_int_equal(f->c.snd_queued, 2000);
	assert_int_equal(f->c.snd_head_off, 3000 - 3 * 999);
	assert_int_equal(f->c.bytes_out, 3000);
	assert_data(f, f->c.tx_head);
	check(f);
	acked(f, 5001);
	assert_null(f->c.tx_head);
	assert_null(f->c.tx_tail);
	assert_null(f->c.snd.head);
	assert_null(f->c.snd.tail);
	check(f);
}

/* A segment of TSO is one record; its peer acknowledges any part. */
static void
test_ack_of_a_part(void **state)
{
	struct tcp_fix *f = *state;

	poke(f);
	queue(f, 9000, 1400);
	append(f, 9000, 0);
	for (uint32_t seq = 1; seq < 9001; seq += 89) {
		acked(f, seq);
		assert_int_equal(f->c.tx_head->seq, f->iss + seq);
		assert_data(f, f->c.tx_head);
		check(f);
	}
}

static void
test_syn_and_fin_are_numbers(void **state)
{
	struct tcp_fix *f = *state;
	struct tcp_ack ack;

	poke(f);
	f->c.snd_una = f->c.snd_nxt = f->iss;
	append(f, 0, TP_TCP_SYN);
	queue(f, 10, 10);
	append(f, 10, TP_TCP_FIN);
	ack = acked(f, 1);
	assert_int_equal(ack.acked, 1);
	assert_int_equal(f->c.snd_queued, 10);
	acked(f, 11); /* all but FIN */
	assert_int_equal(f->c.snd_queued, 0);
	assert_int_equal(f->c.tx_head->len, 1);
	assert_int_equal(tcp_rec_bytes(f->c.tx_head), 0);
	check(f);
	acked(f, 12);
	assert_int_equal(f->c.bytes_out, 10);
	assert_null(f->c.tx_head);
}

static void
test_split_keeps_marks_and_data(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_rec *rec;

	poke(f);
	queue(f, 4000, 1111);
	rec = append(f, 4000, TP_TCP_FIN);
	tcp_rec_mark(&f->c, rec, TP_TCP_REC_LOST, 0);
	assert_int_equal(tcp_txq_split(&f->env, &f->c, rec, 1500), 0);
	assert_int_equal(rec->len, 1500);
	assert_int_equal(rec->tcp_flags, 0);
	assert_int_equal(rec->next->len, 2501);
	assert_int_equal(rec->next->tcp_flags, TP_TCP_FIN);
	assert_ptr_equal(f->c.tx_tail, rec->next);
	assert_int_equal(f->c.lost_out, 4001);
	assert_data(f, rec);
	assert_data(f, rec->next);
	check(f);
	assert_int_equal(tcp_txq_split(&f->env, &f->c, rec, 1), 0);
	assert_int_equal(tcp_txq_split(&f->env, &f->c, f->c.tx_tail, 2500), 0);
	assert_int_equal(tcp_rec_bytes(f->c.tx_tail), 0);
	check(f);
}

static void
test_marks_are_counted(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_rec *rec;

	poke(f);
	queue(f, 3000, 1000);
	append(f, 1000, 0);
	rec = append(f, 1000, 0);
	append(f, 1000, 0);
	assert_int_equal(tcp_in_flight(&f->c), 3000);
	tcp_rec_mark(&f->c, rec, TP_TCP_REC_LOST, 0);
	tcp_rec_mark(&f->c, rec, TP_TCP_REC_LOST, 0);
	assert_int_equal(tcp_in_flight(&f->c), 2000);
	tcp_rec_mark(&f->c, rec, TP_TCP_REC_RETRANS, 0);
	assert_int_equal(tcp_in_flight(&f->c), 3000);
	tcp_rec_mark(&f->c, rec, TP_TCP_REC_SACKED, TP_TCP_REC_LOST | TP_TCP_REC_RETRANS);
	assert_int_equal(tcp_in_flight(&f->c), 2000);
	assert_int_equal(f->c.lost_out | f->c.retrans_out, 0);
	check(f);
	acked(f, 1501); /* a part of it */
	assert_int_equal(f->c.sacked_out, 500);
	check(f);
}

static void
test_sacked_neighbours_merge(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_rec *rec[4];

	poke(f);
	queue(f, 4000, 1700);
	for (int i = 0; i < 4; i++)
		rec[i] = append(f, 1000, 0);
	tcp_rec_mark(&f->c, rec[1], TP_TCP_REC_SACKED, 0);
	tcp_txq_merge_sacked(&f->env, &f->c, rec[1]); /* its neighbour is not */
	assert_int_equal(rec[0]->len, 1000);
	tcp_rec_mark(&f->c, rec[2], TP_TCP_REC_SACKED, 0);
	tcp_txq_merge_sacked(&f->env, &f->c, rec[2]);
	assert_int_equal(rec[1]->len, 2000);
	assert_ptr_equal(rec[1]->next, rec[3]);
	assert_ptr_equal(rec[3]->prev, rec[1]);
	assert_data(f, rec[1]);
	check(f);
}

/* What waits to be sent again is found without a walk, whatever is marked in between. */
static void
test_retransmit_hint(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_rec *rec[6];

	poke(f);
	queue(f, 6000, 6000 / 4);
	for (int i = 0; i < 6; i++)
		rec[i] = append(f, 1000, 0);
	assert_null(tcp_retransmit_next(&f->c));
	tcp_rec_mark(&f->c, rec[2], TP_TCP_REC_LOST, 0);
	tcp_rec_mark(&f->c, rec[4], TP_TCP_REC_LOST, 0);
	assert_ptr_equal(tcp_retransmit_next(&f->c), rec[2]);
	tcp_sent(&f->env, &f->c, rec[2], f->now);
	assert_ptr_equal(tcp_retransmit_next(&f->c), rec[4]);
	tcp_rec_mark(&f->c, rec[1], TP_TCP_REC_LOST, 0);
	assert_ptr_equal(tcp_retransmit_next(&f->c), rec[1]);
	tcp_sent(&f->env, &f->c, rec[1], f->now);
	assert_ptr_equal(tcp_retransmit_next(&f->c), rec[4]);
	/* The copy is lost, too. */
	tcp_rec_mark(&f->c, rec[2], 0, TP_TCP_REC_RETRANS);
	assert_ptr_equal(tcp_retransmit_next(&f->c), rec[2]);
	acked(f, 4001); /* the hint's record goes */
	assert_ptr_equal(tcp_retransmit_next(&f->c), rec[4]);
	tcp_sent(&f->env, &f->c, rec[4], f->now);
	assert_null(tcp_retransmit_next(&f->c));
	tcp_rec_mark(&f->c, rec[5], TP_TCP_REC_LOST, 0);
	assert_ptr_equal(tcp_retransmit_next(&f->c), rec[5]);
	check(f);
}

static void
test_no_record_left(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_rec *rec;
	void *objs[4096];
	unsigned int nb;

	poke(f);
	queue(f, 3000, 1000);
	rec = append(f, 2000, 0);
	for (nb = 0; rte_mempool_get(f->env.recs, &objs[nb]) == 0;)
		nb++;
	assert_null(tcp_txq_append(&f->env, &f->c, 1000, 0, f->now));
	assert_int_equal(tcp_txq_split(&f->env, &f->c, rec, 1000), -ENOMEM);
	assert_int_equal(f->env.mib[TP_TCP_M_NO_MBUF], 2);
	check(f);
	rte_mempool_put_bulk(f->env.recs, objs, nb);
}

static void
test_all_is_freed(void **state)
{
	struct tcp_fix *f = *state;

	poke(f);
	queue(f, 3000, 700);
	append(f, 1000, 0);
	tcp_rec_mark(&f->c, append(f, 1000, 0), TP_TCP_REC_LOST, 0);
	tcp_txq_free(&f->env, &f->c);
	assert_int_equal(test_pools_out(), f->pools_out);
	f->c.snd_una = f->c.snd_nxt;
	check(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(test_append_crosses_buffers),
		TCP_TEST(test_queue_drops_empty_buffers),
		TCP_TEST(test_ack_of_whole_records),
		TCP_TEST(test_ack_of_a_part),
		TCP_TEST(test_syn_and_fin_are_numbers),
		TCP_TEST(test_split_keeps_marks_and_data),
		TCP_TEST(test_marks_are_counted),
		TCP_TEST(test_sacked_neighbours_merge),
		TCP_TEST(test_retransmit_hint),
		TCP_TEST(test_no_record_left),
		TCP_TEST(test_all_is_freed),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
