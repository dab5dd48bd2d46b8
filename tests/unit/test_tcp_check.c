/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The check of a connection finds what is wrong; settings have limits; information is what it is. */

#include <errno.h>

#include <rte_errno.h>

#include "test_tcp.h"

/* A connection with everything: data sent and not, received in and out of order. */
static void
full_connection(struct tcp_fix *f)
{
	f->conf.tso_max = 0;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 20000);
	tcp_in(f, SEG(.len = 100, .ack = 1449));
	tcp_in(f, SEG(.seq = 201, .len = 100, .ack = 1449));
	tcp_in(f, SEG(.seq = 401, .len = 100, .ack = 1449));
	tcp_in(f, SEG(.seq = 101, .ack = 1449, .nb_sack = 1,
	                          .sack = { { 1 + 2 * 1448, 1 + 3 * 1448 } }));
}

static void
expect_wrong(struct tcp_fix *f, const char *file, int line)
{
	const char *what = NULL;

	if (tp_tcp_conn_check(&f->c, &what) != -EINVAL || what == NULL) {
		printf("nothing was found wrong\n");
		_fail(file, line);
	}
	assert_int_equal(tp_tcp_conn_check(&f->c, NULL), -EINVAL);
}

/* Spoil a field, look, and put it right again. */
#define SPOIL(field, value)                                                                        \
	do {                                                                                       \
		__typeof__(field) good = (field);                                                  \
		(field) = (value);                                                                 \
		expect_wrong(f, __FILE__, __LINE__);                                               \
		(field) = good;                                                                    \
		assert_int_equal(tp_tcp_conn_check(&f->c, NULL), 0);                               \
	} while (0)

static void
spoiled_fields_are_found(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_conn *c = &f->c;

	full_connection(f);
	SPOIL(c->state, TP_TCP_NB_STATES);
	SPOIL(c->state, TP_TCP_TIME_WAIT);
	SPOIL(c->state, TP_TCP_CLOSE_WAIT);
	SPOIL(c->state, TP_TCP_CLOSED);
	SPOIL(c->ca, TP_TCP_CA_LOSS + 1);
	SPOIL(c->reason, TP_TCP_NB_REASONS);
	SPOIL(c->cc, TP_TCP_NB_CC);
	SPOIL(c->rexmit_kind, TP_TCP_REXMIT_SPACE + 1);
	SPOIL(c->rexmit_kind, TP_TCP_REXMIT_NONE);
	SPOIL(c->rexmit_ns, TP_NEVER);
	SPOIL(c->snd_wscale, 15);
	SPOIL(c->rcv_wscale, 15);
	SPOIL(c->snd_mss, 0);
	SPOIL(c->cwnd, 0);
	SPOIL(c->rcv_buf, 0);
	SPOIL(c->snd_una, c->snd_una + 1);
	SPOIL(c->snd_una, c->snd_nxt + 1);
	SPOIL(c->snd_nxt, c->snd_nxt - 1);
	SPOIL(c->rcv_nxt, c->rcv_adv + 1);
	SPOIL(c->rcv_nxt, c->ooo_head->seq);
	SPOIL(c->rcv_unread, 0);
	SPOIL(c->tx_head->next->flags, TP_TCP_REC_SACKED | TP_TCP_REC_LOST);
	SPOIL(c->nb_ooo, 7);
	SPOIL(c->nb_sack_recent, 3);
	SPOIL(c->snd_queued, c->snd_queued - 1);
	SPOIL(c->snd_head_off, c->snd_head_off + 1);
	SPOIL(c->snd_cur_off, c->snd_cur_off + 1);
	SPOIL(c->sacked_out, 0);
	SPOIL(c->lost_out, c->lost_out + 1);
	SPOIL(c->retrans_out, c->retrans_out + 1);
	SPOIL(c->flags, c->flags | TP_TCP_F_FIN_SENT);
	SPOIL(c->flags, c->flags | TP_TCP_F_FIN_WANTED);
	SPOIL(c->flags, c->flags | TP_TCP_F_FIN_RCVD);
	SPOIL(c->flags, c->flags | UINT32_C(1) << 31);
	SPOIL(c->events, 0x80);
	SPOIL(c->events, TP_TCP_EV_CLOSED);
	SPOIL(c->reason, TP_TCP_R_RESET);
	SPOIL(c->frto, 3);
	SPOIL(c->snd_mss, 7);
	SPOIL(c->snd_wnd, UINT32_C(65536) << 14);
	SPOIL(c->snd_wnd_max, UINT32_MAX);
	SPOIL(c->rcvd_ns, c->last_now + 1);
	SPOIL(c->opened_ns, c->last_now + 1);
	SPOIL(c->first_rexmit_ns, c->last_now + TP_NS_PER_S);
	SPOIL(c->rexmit_hint, c->ooo_head);
}

/* Division by it would follow. */
static void
a_recovery_has_a_flight_size(void **state)
{
	struct tcp_fix *f = *state;

	full_connection(f);
	f->now += TP_NS_PER_S;
	tcp_in(f, SEG(.seq = 101, .ack = 1449, .nb_sack = 1,
	                          .sack = { { 1 + 2 * 1448, 1 + 5 * 1448 } }));
	assert_int_equal(f->c.ca, TP_TCP_CA_RECOVERY);
	SPOIL(f->c.recover_fs, 0);
}

static void
bytes_that_are_no_bool_are_found(void **state)
{
	static const size_t bools[] = {
		offsetof(struct tp_tcp_conn, rack_reordering_seen),
		offsetof(struct tp_tcp_conn, rack_dsack_round_valid),
		offsetof(struct tp_tcp_conn, tlp_out),
		offsetof(struct tp_tcp_conn, undo_valid),
		offsetof(struct tp_tcp_conn, dsack_pending),
	};
	struct tcp_fix *f = *state;

	full_connection(f);
	for (size_t i = 0; i < RTE_DIM(bools); i++) {
		uint8_t *byte = (uint8_t *)&f->c + bools[i];

		SPOIL(*byte, 2);
	}
}

/* Nothing but a SYN can be out before it is open; when it is over, nothing. */
static void
queues_before_and_after_are_found(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_rec rec = { .len = 1 };

	tcp_state(f, TP_TCP_SYN_SENT);
	SPOIL(f->c.snd_una, f->c.snd_una - 1);
	SPOIL(f->c.snd_nxt, f->c.snd_nxt + 1);
	SPOIL(f->c.ooo_head, &rec);
	SPOIL(f->c.state, TP_TCP_ESTABLISHED);
	tcp_abort(f);
	assert_int_equal(f->c.state, TP_TCP_CLOSED);
	SPOIL(f->c.tx_tail, &rec);
	SPOIL(f->c.rexmit_hint, &rec);
}

static void
spoiled_queues_are_found(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_conn *c = &f->c;
	struct tp_tcp_rec *rec;

	full_connection(f);
	rec = c->tx_head;
	SPOIL(rec->seq, rec->seq + 1);
	SPOIL(rec->len, rec->len - 1);
	SPOIL(rec->len, 0);
	SPOIL(rec->off, rec->off + 1);
	SPOIL(rec->data, c->snd.tail);
	SPOIL(rec->flags, rec->flags ^ TP_TCP_REC_SACKED);
	SPOIL(rec->tcp_flags, TP_TCP_FIN);
	SPOIL(rec->tcp_flags, TP_TCP_SYN);
	SPOIL(rec->tcp_flags, TP_TCP_PSH);
	SPOIL(rec->sent_ns, c->last_now + TP_NS_PER_S);
	SPOIL(rec->next, NULL);
	SPOIL(rec->next->prev, NULL);
	SPOIL(rec->next, rec);
	SPOIL(c->tx_tail, rec);
	SPOIL(c->snd.tail, c->snd.head);
	SPOIL(c->snd.head->next, NULL);
	SPOIL(c->snd.head->next, c->snd.head);
	SPOIL(c->rcv_tail, NULL);
	SPOIL(c->rcv_head->next, c->rcv_head);
	rec = c->ooo_head;
	SPOIL(rec->len, rec->len + 1);
	SPOIL(rec->seq, rec->next->seq + 1);
	SPOIL(rec->next->seq, rec->seq + rec->len);
	SPOIL(rec->next, NULL);
	SPOIL(rec->prev, NULL);
	SPOIL(rec->next->prev, NULL);
	SPOIL(rec->data_tail, NULL);
	SPOIL(rec->tcp_flags, TP_TCP_SYN);
	SPOIL(rec->next->seq, c->rcv_adv - 10);
}

/* Zero is CLOSED. */
static void
a_zero_connection_is_right(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_info info;

	assert_int_equal(tp_tcp_conn_check(&f->c, NULL), 0);
	assert_int_equal(tp_tcp_next(&f->c), TP_NEVER);
	tp_tcp_info(&f->c, f->now, &info);
	assert_int_equal(info.state, TP_TCP_CLOSED);
	tp_tcp_fini(&f->env, &f->c);
}

/* A copy of the struct is the connection: nothing points to where it was. */
static void
a_copy_goes_on(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_conn copy;

	full_connection(f);
	copy = f->c;
	memset(&f->c, 0xa5, sizeof(f->c));
	f->c = copy;
	tcp_flush(f);
	tcp_in(f, SEG(.seq = 101, .len = 100, .ack = 1449));
	tcp_in(f, SEG(.seq = 301, .len = 100, .ack = 2897));
	assert_int_equal(tcp_read(f), 500);
	tcp_run(f, 10 * TP_NS_PER_S);
	assert_int_equal(f->c.snd_queued, 20000 - (f->c.snd_una - f->iss - 1));
}

static void
init_keeps_the_owners_words(void **state)
{
	struct tcp_fix *f = *state;

	f->c.owner_word = 7;
	f->c.owner_data[0] = 8;
	f->c.owner_data[1] = 9;
	tcp_init(f);
	assert_int_equal(f->c.owner_word, 7);
	assert_int_equal(f->c.owner_data[0], 8);
	assert_int_equal(f->c.owner_data[1], 9);
}

/* ---- settings -------------------------------------------------------------------------------- */

static void
settings_have_limits(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_conf *conf = &f->conf;
	const char *what;

#define BAD(field, value, name)                                                                    \
	do {                                                                                       \
		__typeof__(conf->field) good = conf->field;                                        \
		what = NULL;                                                                       \
		conf->field = (value);                                                             \
		assert_int_equal(tp_tcp_conf_check(conf, &what), -EINVAL);                         \
		assert_string_equal(what, name);                                                   \
		conf->field = good;                                                                \
		assert_int_equal(tp_tcp_conf_check(conf, &what), 0);                               \
	} while (0)
	BAD(cc, TP_TCP_NB_CC, "cc");
	BAD(mtu, 67, "mtu");
	BAD(rcv_buf, 0, "rcv_buf");
	BAD(rcv_buf, (1u << 30) + 1, "rcv_buf");
	BAD(snd_buf, 0, "snd_buf");
	BAD(tso_max, 65536, "tso_max");
	BAD(syn_retries, 0, "syn_retries");
	BAD(retries, 0, "retries");
	BAD(keep_probes, 0, "keep_probes");
	BAD(delack_ns, 500 * TP_NS_PER_MS, "delack"); /* RFC 9293 MUST-40 */
	BAD(max_rto_ns, 59 * TP_NS_PER_S, "max_rto"); /* RFC 6298 2.5 */
	BAD(min_rto_ns, 121 * TP_NS_PER_S, "min_rto");
	BAD(init_rto_ns, 1, "init_rto");
	BAD(msl_ns, 0, "msl");
	BAD(keep_idle_ns, 0, "keep_idle");
	BAD(keep_intvl_ns, TP_NEVER, "keep_intvl");
	BAD(user_timeout_ns, TP_NEVER, "user_timeout");
#undef BAD
	/* RFC 9293 MUST-28, RFC 6298, RFC 9438. */
	assert_int_equal(conf->keep_idle_ns, 7200 * TP_NS_PER_S);
	assert_int_equal(conf->cc, TP_TCP_CC_CUBIC);
}

static void
options_have_limits(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
#define SET(opt, value) tp_tcp_set(&f->env, &f->c, TP_TCP_OPT_##opt, value, f->now)
	assert_int_equal(SET(CC, TP_TCP_NB_CC), -EINVAL);
	assert_int_equal(SET(CC, TP_TCP_CC_NEWRENO), 0);
	assert_int_equal(f->c.cc, TP_TCP_CC_NEWRENO);
	assert_int_equal(SET(RCV_BUF, 0), -EINVAL);
	assert_int_equal(SET(RCV_BUF, 1 << 16), 0);
	assert_int_equal(f->c.rcv_buf, 1 << 16);
	assert_int_equal(SET(SND_BUF, UINT64_C(1) << 40), -EINVAL);
	assert_int_equal(SET(SND_BUF, 5), 0);
	assert_int_equal(tp_tcp_send_space(&f->c), 5);
	assert_int_equal(SET(USER_TIMEOUT, UINT64_C(1) << 32), -EINVAL);
	assert_int_equal(SET(USER_TIMEOUT, 5000), 0);
	assert_int_equal(f->c.user_timeout_ms, 5000);
	assert_int_equal(SET(PACING, 1), 0);
	assert_true(f->c.flags & TP_TCP_F_PACING);
	assert_int_equal(tp_tcp_set(&f->env, &f->c, 99, 1, f->now), -EINVAL);
#undef SET
}

static void
information_is_what_it_is(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_info info;

	full_connection(f);
	f->now += 7 * TP_NS_PER_MS;
	tp_tcp_info(&f->c, f->now, &info);
	assert_int_equal(info.state, TP_TCP_ESTABLISHED);
	assert_int_equal(info.opts, TP_TCP_O_TS | TP_TCP_O_SACK_PERM | TP_TCP_O_WSCALE);
	assert_int_equal(info.unacked, f->c.snd_nxt - f->c.snd_una);
	assert_int_equal(info.unacked + info.queued, 20000 - 1448);
	assert_int_equal(info.bytes_out, 1448);
	assert_int_equal(info.bytes_in, 100);
	assert_int_equal(info.sacked, 1448);
	assert_int_equal(info.idle_ms, 7);
	assert_int_equal(info.segs_in, 5);
	assert_int_equal(info.snd_mss, 1448);
	assert_int_equal(info.pmtu, 1500);
}

/* RFC 9293 3.4: half of the numbers are before, half behind. */
static void
numbers_compare_across_the_wrap(void **state)
{
	static const uint32_t from[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff };
	static const uint32_t by[] = { 1, 2, 0x7ffffffe, 0x7fffffff };

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(from); i++) {
		uint32_t a = from[i];

		assert_false(tp_seq_lt(a, a));
		assert_false(tp_seq_gt(a, a));
		assert_true(tp_seq_leq(a, a) && tp_seq_geq(a, a));
		assert_int_equal(tp_seq_max(a, a), a);
		assert_int_equal(tp_seq_min(a, a), a);
		for (unsigned int k = 0; k < RTE_DIM(by); k++) {
			uint32_t b = a + by[k];

			assert_true(tp_seq_lt(a, b) && tp_seq_leq(a, b));
			assert_true(tp_seq_gt(b, a) && tp_seq_geq(b, a));
			assert_false(tp_seq_lt(b, a) || tp_seq_leq(b, a));
			assert_false(tp_seq_gt(a, b) || tp_seq_geq(a, b));
			assert_int_equal(tp_seq_max(a, b), b);
			assert_int_equal(tp_seq_max(b, a), b);
			assert_int_equal(tp_seq_min(a, b), a);
			assert_int_equal(tp_seq_min(b, a), a);
		}
	}
}

static void
records_have_a_pool(void **state)
{
	struct rte_mempool *mp = tp_tcp_rec_pool_create("few", 3, 0, SOCKET_ID_ANY);
	struct tp_tcp_rec *rec[4];

	(void)state;
	assert_non_null(mp);
	assert_true(mp->elt_size >= sizeof(struct tp_tcp_rec));
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(rte_mempool_get(mp, (void **)&rec[i]), 0);
		memset(rec[i], 0xee, sizeof(*rec[i]));
	}
	assert_int_not_equal(rte_mempool_get(mp, (void **)&rec[3]), 0);
	rte_mempool_put_bulk(mp, (void **)rec, 3);
	assert_null(tp_tcp_rec_pool_create("few", 3, 0, SOCKET_ID_ANY));
	assert_int_equal(rte_errno, EEXIST);
	rte_mempool_free(mp);
	assert_null(tp_tcp_rec_pool_create("none", 0, 0, SOCKET_ID_ANY));
	assert_int_equal(rte_errno, EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TCP_TEST(spoiled_fields_are_found),
		TCP_TEST(spoiled_queues_are_found),
		TCP_TEST(a_recovery_has_a_flight_size),
		TCP_TEST(bytes_that_are_no_bool_are_found),
		TCP_TEST(queues_before_and_after_are_found),
		TCP_TEST(a_zero_connection_is_right),
		TCP_TEST(a_copy_goes_on),
		TCP_TEST(init_keeps_the_owners_words),
		TCP_TEST(settings_have_limits),
		TCP_TEST(options_have_limits),
		TCP_TEST(information_is_what_it_is),
		cmocka_unit_test(numbers_compare_across_the_wrap),
		cmocka_unit_test(records_have_a_pool),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
