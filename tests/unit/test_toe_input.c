/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A burst of packets (lib/toe/input.c): segments that follow each other are one for the engine, and
 * whatever stands between them is not overtaken.
 */

#include "test_toe.h"

#define MAX 16
#define LEN 1000
#define HEARD 40000
#define SMALL 256 /* what the engine copies rather than chains, at most */

static struct rte_mbuf *burst[MAX];
static uint16_t nb_burst;

/* What the user was given, of all connections. */
static uint8_t heard[HEARD];
static uint32_t nb_heard;

static void
hear(struct tp_toe_call *call, struct rte_mbuf *data)
{
	uint32_t len = data->pkt_len;

	assert_true(nb_heard + len <= HEARD);
	for (const struct rte_mbuf *m = data; m != NULL; m = m->next) {
		memcpy(heard + nb_heard, rte_pktmbuf_mtod(m, void *), m->data_len);
		nb_heard += m->data_len;
	}
	rte_pktmbuf_free(data);
	tp_toe_consumed(call, len);
}

static const struct tp_toe_user hearer = {
	.name = "hearer", .on_accept = toe_accepted, .on_data = hear, .on_eof = toe_eof
};

#define HEARER_PORT 81

static uint8_t
octet(uint32_t at)
{
	return at * 7 + at / 251;
}

static struct rte_mbuf *
frame_of(struct fake_peer *p, uint8_t flags, uint16_t len)
{
	struct rte_mbuf *m = fake_segment(&team, p, flags, len);
	uint8_t *text = rte_pktmbuf_mtod_offset(m, uint8_t *, m->data_len - len);

	/* Its first octet is 1001: the SYN had 1000. */
	for (uint16_t i = 0; i < len; i++)
		text[i] = octet(p->seq - 1001 + i);
	return m;
}

/* The next frame of the burst. */
static struct rte_mbuf *
next(struct fake_peer *p, uint8_t flags, uint16_t len)
{
	struct rte_mbuf *m = frame_of(p, flags, len);

	p->seq += len + ((flags & TP_TCP_FIN) != 0);
	assert_true(nb_burst < MAX);
	burst[nb_burst++] = m;
	return m;
}

static void
arrive(uint8_t member)
{
	struct tp_pkt_info info[MAX];
	uint16_t n;

	tp_pkt_parse_burst(burst, nb_burst, info);
	n = tp_toe_input(shard(member), burst, info, nb_burst, team.now);
	assert_int_equal(n, 0);
	nb_burst = 0;
	toe_settle();
}

static void
expect_heard(uint32_t len)
{
	assert_int_equal(nb_heard, len);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(heard[i], octet(i));
}

static uint64_t
mib(uint8_t member, enum tp_tcp_mib what)
{
	return shard(member)->env.mib[what];
}

static struct fake_peer
peer_to_hearer(uint16_t n, uint8_t member)
{
	struct fake_peer p = { .port = 1024 + n, .seq = 1000, .to = HEARER_PORT };

	fake_open_conn(&team, &p, member);
	fake_forget(&team);
	return p;
}

static int
input_setup(void **state)
{
	int rc = toe_setup(state);

	nb_burst = 0;
	nb_heard = 0;
	assert_int_equal(tp_toe_listen(team.toe, &(struct tp_toe_listen){ .user = &hearer,
	                                                         .port = HEARER_PORT }),
	                0);
	return rc;
}

static void
test_what_follows_is_one_segment(void **state)
{
	struct fake_peer p = peer_to_hearer(0, 0);
	uint64_t before = mib(0, TP_TCP_M_IN_SEGS);

	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		next(&p, TP_TCP_ACK | (i == 4 ? TP_TCP_PSH : 0), LEN);
	arrive(0);
	expect_heard(5 * LEN);
	assert_int_equal(mib(0, TP_TCP_M_RCV_COALESCE), 5);
	assert_int_equal(mib(0, TP_TCP_M_HP_HITS), 1);
	assert_int_equal(mib(0, TP_TCP_M_IN_SEGS) - before, 5);
	assert_int_equal(handle_of(told.id)->run, 1 + 5);
	/* RFC 9293 3.8.6.3: more than one segment is acknowledged at once, by one ACK. */
	assert_int_equal(team.nb_sent, 1);
	assert_int_equal(team.sent[0].ack, p.seq);
}

static void
test_one_packet_is_as_it_was(void **state)
{
	struct fake_peer p = peer_to_hearer(0, 0);

	(void)state;
	next(&p, TP_TCP_ACK, LEN);
	arrive(0);
	expect_heard(LEN);
	assert_int_equal(mib(0, TP_TCP_M_RCV_COALESCE), 0);
}

/* Bytes that would be copied behind each other are not chained: a peer may not hold a buffer by each. */
static void
test_small_ones_stay_alone(void **state)
{
	struct fake_peer p = peer_to_hearer(0, 0);

	(void)state;
	next(&p, TP_TCP_ACK, SMALL);
	next(&p, TP_TCP_ACK, SMALL);
	arrive(0);
	assert_int_equal(mib(0, TP_TCP_M_RCV_COALESCE), 0);
	next(&p, TP_TCP_ACK, SMALL + 1);
	next(&p, TP_TCP_ACK, SMALL + 1);
	arrive(0);
	assert_int_equal(mib(0, TP_TCP_M_RCV_COALESCE), 2);
	expect_heard(4 * SMALL + 2);
}

static void
test_connections_in_turn_are_apart(void **state)
{
	struct fake_peer p = peer_to_hearer(0, 0), q;

	(void)state;
	toe_conn(&q, 1, 0);
	next(&p, TP_TCP_ACK, LEN);
	next(&q, TP_TCP_ACK, LEN);
	next(&p, TP_TCP_ACK, LEN);
	next(&p, TP_TCP_ACK, LEN);
	next(&q, TP_TCP_ACK, LEN);
	next(&q, TP_TCP_ACK, LEN);
	next(&q, TP_TCP_ACK, LEN);
	arrive(0);
	expect_heard(3 * LEN);
	assert_int_equal(told.bytes, 4 * LEN);
	assert_int_equal(mib(0, TP_TCP_M_RCV_COALESCE), 2 + 3);
}

/* What cannot join ends the run, and comes behind it. */
static void
test_an_end_comes_behind_the_text(void **state)
{
	struct fake_peer p = peer_to_hearer(0, 0);

	(void)state;
	next(&p, TP_TCP_ACK, LEN);
	next(&p, TP_TCP_ACK, LEN);
	next(&p, TP_TCP_ACK | TP_TCP_FIN, LEN);
	arrive(0);
	expect_heard(3 * LEN);
	assert_int_equal(told.eofs, 1);
	assert_int_equal(mib(0, TP_TCP_M_RCV_COALESCE), 2);
}

static void
test_a_gap_a_repeat_and_a_broken_one(void **state)
{
	struct fake_peer p = peer_to_hearer(0, 0);
	struct fake_peer again = p;
	struct rte_mbuf *m;

	(void)state;
	next(&p, TP_TCP_ACK, LEN);
	next(&again, TP_TCP_ACK, LEN);
	next(&p, TP_TCP_ACK, LEN);
	m = next(&p, TP_TCP_ACK, LEN);
	m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_BAD | RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	next(&p, TP_TCP_ACK, LEN);
	arrive(0);
	assert_int_equal(nb_heard, 2 * LEN);
	assert_int_equal(counted(0, TP_TOE_C_RX_BAD), 1);
	assert_int_equal(mib(0, TP_TCP_M_OOO_QUEUED), 1);
	/* What is missing comes at last. */
	p.seq -= 2 * LEN;
	next(&p, TP_TCP_ACK, LEN);
	arrive(0);
	expect_heard(4 * LEN);
}

/* Between two of them one of a connection that another member has. */
static void
test_one_of_another_member_between(void **state)
{
	struct fake_peer p = peer_to_hearer(0, 0), q;

	(void)state;
	toe_conn(&q, 1, 1);
	next(&p, TP_TCP_ACK, LEN);
	next(&q, TP_TCP_ACK, LEN);
	next(&p, TP_TCP_ACK, LEN);
	next(&p, TP_TCP_ACK, LEN);
	arrive(0);
	expect_heard(3 * LEN);
	assert_int_equal(counted(0, TP_TOE_C_RX_FOREIGN), 1);
	assert_int_equal(told.bytes, LEN);
	assert_int_equal(mib(0, TP_TCP_M_RCV_COALESCE), 2);
}

/* The window ends inside: what it allows is taken, as if they had come one by one. */
static void
test_beyond_the_window(void **state)
{
	struct fake_peer p = peer_to_hearer(0, 0);
	struct tp_tcp_conn *c = conn_of(told.id);
	uint32_t room = 2 * LEN + 300;

	(void)state;
	c->rcv_adv = c->rcv_nxt + room;
	for (unsigned int i = 0; i < 4; i++)
		next(&p, TP_TCP_ACK, LEN);
	arrive(0);
	expect_heard(room);
}

#define input_test(f) cmocka_unit_test_setup_teardown(f, input_setup, toe_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		input_test(test_what_follows_is_one_segment),
		input_test(test_one_packet_is_as_it_was),
		input_test(test_small_ones_stay_alone),
		input_test(test_connections_in_turn_are_apart),
		input_test(test_an_end_comes_behind_the_text),
		input_test(test_a_gap_a_repeat_and_a_broken_one),
		input_test(test_one_of_another_member_between),
		input_test(test_beyond_the_window),
	};

	return toe_run(tests);
}
