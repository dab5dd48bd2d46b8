/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Packets of connections that another member owns (lib/toe/foreign.c, input.c): they reach their owner,
 * which knows where they arrived (claim B9).
 */

#include <netinet/in.h>

#include "test_frames.h"
#include "test_toe.h"

static void
say_to(struct fake_peer *p, uint8_t member)
{
	fake_say(&team, p, member, TP_TCP_ACK | TP_TCP_PSH, 1);
}

static void
test_goes_to_the_owner_with_handle_word_and_place(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);
	const struct tp_meta *meta;

	(void)state;
	say_to(&p, 2);
	assert_int_equal(team.member[1].nb_ring, 1);
	meta = tp_meta(team.member[1].ring[0]);
	assert_int_equal(meta->kind, TP_KIND_FOREIGN);
	assert_int_equal(meta->ingress, 2);
	assert_int_equal(meta->hops, 1);
	assert_int_equal(meta->handle, (uint32_t)id);
	assert_int_equal(meta->epoch, WORD_EPOCH(word_of_id(id)));
	assert_int_equal(meta->generation, WORD_GENERATION(word_of_id(id)));
	assert_int_equal(counted(2, TP_TOE_C_RX_FOREIGN), 1);
	fake_turn(&team, 1);
	assert_int_equal(told.bytes, 1);
	assert_int_equal(told.member, 1);
	assert_int_equal(counted(1, TP_TOE_C_RX_FORWARDED), 1);
}

static void
test_the_owner_knows_where_it_arrived(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);
	const struct handle *h = handle_of(id);

	(void)state;
	team.toe->after = 0;
	assert_int_equal(h->arrival, 1);
	say_to(&p, 2);
	fake_turn(&team, 1);
	assert_int_equal(h->arrival, 2);
	assert_int_equal(h->run, 1);
	for (unsigned int i = 0; i < 3; i++)
		say_to(&p, 2);
	fake_turn(&team, 1);
	assert_int_equal(h->run, 4);
	say_to(&p, 0);
	fake_turn(&team, 1);
	assert_int_equal(h->arrival, 0);
	assert_int_equal(h->run, 1);
	say_to(&p, 1);
	assert_int_equal(h->arrival, 1);
	for (unsigned int i = 0; i < 300; i++)
		say_to(&p, 1);
	assert_int_equal(h->run, UINT8_MAX);
}

static void
deliver(struct rte_mbuf *m, uint8_t member, uint32_t handle, uint8_t ingress, uint8_t hops)
{
	bool there = handle < team.toe->nb_handles;

	*tp_meta(m) = (struct tp_meta){
		.kind = TP_KIND_FOREIGN,
		.generation = there ? WORD_GENERATION(word_of_id(handle)) : 0,
		.handle = handle,
		.ingress = ingress,
		.hops = hops,
	};
	tp_toe_foreign(shard(member), &m, 1, team.now);
}

static void
test_it_follows_three_hops_and_no_more(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	deliver(fake_segment(&team, &p, TP_TCP_ACK, 1), 0, (uint32_t)id, 2, 2);
	assert_int_equal(team.member[1].nb_ring, 1);
	assert_int_equal(tp_meta(team.member[1].ring[0])->hops, 3);
	assert_int_equal(tp_meta(team.member[1].ring[0])->ingress, 2);
	deliver(fake_segment(&team, &p, TP_TCP_ACK, 1), 0, (uint32_t)id, 2, 3);
	assert_int_equal(team.member[1].nb_ring, 1);
	assert_int_equal(counted(0, TP_TOE_C_RX_HOPS), 1);
	/* At the owner the number of hops does not matter. */
	deliver(fake_segment(&team, &p, TP_TCP_ACK, 1), 1, (uint32_t)id, 2, 3);
	toe_settle();
	assert_int_equal(told.bytes, 1);
}

/* It ended, and its handle is free, while a packet for it waits on a ring. */
static tp_toe_id
ended_meanwhile(void)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	toe_post(id, toe_call_abort, NULL);
	say_to(&p, 2);
	assert_int_equal(team.member[1].nb_ring, 1);
	tp_toe_step(shard(1), team.now);
	assert_word(id, FREE, TP_MEMBER_NONE);
	return id;
}

static void
test_a_handle_of_another_connection_is_stale(void **state)
{
	struct fake_peer q;
	tp_toe_id id = ended_meanwhile();

	(void)state;
	fake_say(&team, &(struct fake_peer){ .port = 2000, .seq = 9 }, 1, TP_TCP_SYN, 0);
	assert_word(id, OWN, 1);
	fake_turn(&team, 1);
	assert_int_equal(counted(1, TP_TOE_C_RX_FORWARDED), 1);
	assert_int_equal(counted(1, TP_TOE_C_RX_STALE), 1);
	assert_int_equal(told.bytes, 0);
	/* The next one on that handle gets its own. */
	toe_conn(&q, 1, 0);
	say_to(&q, 2);
	toe_settle();
	assert_int_equal(told.bytes, 1);
}

/* Another thread has just got the handle, and still has to write whom it connects to: what it said of the
 * one before may not be looked at. */
static void
test_a_handle_that_is_being_used_again_is_stale(void **state)
{
	tp_toe_id id = ended_meanwhile();

	(void)state;
	assert_int_equal(handle_alloc(team.toe, 2), (uint32_t)id);
	fake_turn(&team, 1);
	assert_int_equal(team.member[2].nb_ring, 0);
	assert_int_equal(counted(1, TP_TOE_C_RX_STALE), 1);
	word_leave(handle_of(id), 1, HANDLE_FREE, TP_MEMBER_NONE);
	handle_free(team.toe, (uint32_t)id);
}

/* In TIME_WAIT its generation is the next one: its user's id is old, its segments are not. */
static void
test_it_is_the_same_one_in_time_wait(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	toe_post(id, toe_call_close, NULL);
	toe_settle();
	fake_hear(&team, &p);
	fake_say(&team, &p, 1, TP_TCP_ACK | TP_TCP_FIN, 0);
	/* Its FIN once more, which is on the ring when the first one is seen. */
	p.seq--;
	fake_say(&team, &p, 2, TP_TCP_ACK | TP_TCP_FIN, 0);
	tp_toe_step(shard(1), team.now);
	assert_int_equal(conn_of(id)->state, TP_TCP_TIME_WAIT);
	assert_int_equal(tp_meta(team.member[1].ring[0])->generation + 1,
	                WORD_GENERATION(word_of_id(id)));
	fake_forget(&team);
	fake_turn(&team, 1);
	assert_int_equal(counted(1, TP_TOE_C_RX_STALE), 0);
	assert_int_equal(fake_nb_sent(&team, p.port, TP_TCP_ACK), 1);
}

static void
test_a_handle_out_of_range_is_stale(void **state)
{
	struct fake_peer p;

	(void)state;
	toe_conn(&p, 0, 1);
	deliver(fake_segment(&team, &p, TP_TCP_ACK, 1), 1, team.toe->nb_handles, 2, 1);
	deliver(fake_segment(&team, &p, TP_TCP_ACK, 1), 1, NO_INDEX, 2, 1);
	assert_int_equal(counted(1, TP_TOE_C_RX_STALE), 2);
	assert_int_equal(told.bytes, 0);
}

/* The handle it came with is old, but a SYN begins the next one. */
/* A router's word about a segment of the team to that peer. */
static struct rte_mbuf *
too_big(const struct fake_peer *p)
{
	struct frame f;
	struct rte_mbuf *m;
	uint8_t *quote;

	frame_reset(&f);
	frame_eth(&f);
	frame_ip4(&f, IPPROTO_ICMP, 0);
	frame_be32(f.b + f.ip4 + 12, 0x0a000002);
	frame_be32(f.b + f.ip4 + 16, 0x0a000001);
	frame_icmp(&f, 3);
	f.b[f.l4 + 1] = 4;
	frame_be16(f.b + f.l4 + 6, 1300);
	quote = frame_add(&f, 28);
	quote[0] = 0x45;
	frame_be16(quote + 2, 1500);
	quote[8] = 64;
	quote[9] = IPPROTO_TCP;
	frame_be32(quote + 12, 0x0a000001);
	frame_be32(quote + 16, 0x0a000002);
	frame_be16(quote + 20, FAKE_PORT);
	frame_be16(quote + 22, p->port);
	frame_be32(quote + 24, p->ack);
	frame_end(&f);
	frame_be16(f.b + f.l4 + 2, ~frame_sum(f.b + f.l4, f.len - f.l4, 0));
	m = test_mbuf(f.b, f.len);
	m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	return m;
}

static void
test_an_icmp_error_hops_as_often(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	fake_arrive(&team, 0, too_big(&p));
	assert_int_equal(team.member[1].nb_ring, 1);
	assert_int_equal(tp_meta(team.member[1].ring[0])->hops, 1);
	deliver(too_big(&p), 0, (uint32_t)id, 2, 2);
	assert_int_equal(team.member[1].nb_ring, 2);
	assert_int_equal(tp_meta(team.member[1].ring[1])->hops, 3);
	deliver(too_big(&p), 0, (uint32_t)id, 2, 3);
	assert_int_equal(team.member[1].nb_ring, 2);
	assert_int_equal(counted(0, TP_TOE_C_RX_HOPS), 1);
}

static void
test_a_syn_that_comes_late_is_the_next_ones(void **state)
{
	struct fake_peer p, q = { .port = 3000, .seq = 9 };
	struct rte_mbuf *m[2];
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	m[0] = fake_segment(&team, &q, TP_TCP_SYN, 0);
	q.port++;
	/* A SYN-ACK does not. */
	m[1] = fake_segment(&team, &q, TP_TCP_SYN | TP_TCP_ACK, 0);
	for (unsigned int i = 0; i < RTE_DIM(m); i++)
		*tp_meta(m[i]) = (struct tp_meta){
			.kind = TP_KIND_FOREIGN,
			.generation = WORD_GENERATION(word_of_id(id)) - 1,
			.handle = (uint32_t)id,
			.ingress = 2,
			.hops = 1,
		};
	tp_toe_foreign(shard(1), m, RTE_DIM(m), team.now);
	toe_settle();
	assert_int_equal(fake_nb_sent(&team, 3000, TP_TCP_SYN | TP_TCP_ACK), 1);
	assert_null(fake_last(&team, 3001));
	assert_int_equal(counted(1, TP_TOE_C_RX_STALE), 1);
}

static void
test_a_bad_checksum_is_counted(void **state)
{
	struct fake_peer p;
	struct rte_mbuf *m;

	(void)state;
	toe_conn(&p, 0, 1);
	m = fake_segment(&team, &p, TP_TCP_ACK, 1);
	m->ol_flags = 0;
	*rte_pktmbuf_mtod_offset(m, uint8_t *, m->data_len - 1) ^= 1;
	fake_arrive(&team, 1, m);
	toe_settle();
	assert_int_equal(counted(1, TP_TOE_C_RX_BAD), 1);
	assert_int_equal(told.bytes, 0);
}

static void
test_another_hosts_frames_are_left_alone(void **state)
{
	struct fake_peer p = { .port = 2000 };
	struct rte_mbuf *m = fake_segment(&team, &p, TP_TCP_SYN, 0);

	(void)state;
	rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->dst_addr.addr_bytes[5] ^= 0x40;
	assert_false(fake_arrive(&team, 0, m));
	assert_int_equal(counted(0, TP_TOE_C_RX_SEGS), 0);
}

/* Bursts go in stages: the order of a connection's segments stays, and what is not ours comes back in
 * order. */
static void
test_a_burst_of_all_kinds(void **state)
{
	struct fake_peer here, there, host = { .port = 4000, .seq = 1 };
	struct rte_mbuf *pkts[12];
	struct tp_pkt_info info[12];
	uint16_t rest;

	(void)state;
	conf.has_host = true;
	toe_reopen();
	toe_conn(&here, 0, 0);
	toe_conn(&there, 1, 1);
	assert_int_equal(tp_toe_unlisten(team.toe, (uint8_t[16]){ 0 }, FAKE_PORT), 0);
	for (unsigned int i = 0; i < RTE_DIM(pkts); i += 3) {
		pkts[i] = fake_segment(&team, &here, TP_TCP_ACK, 10);
		pkts[i + 1] = fake_segment(&team, &there, TP_TCP_ACK, 20);
		pkts[i + 2] = fake_segment(&team, &host, TP_TCP_SYN, 0);
		here.seq += 10;
		there.seq += 20;
		host.port++;
	}
	for (unsigned int i = 0; i < RTE_DIM(pkts); i++)
		tp_pkt_parse(pkts[i], &info[i]);
	rest = tp_toe_input(shard(0), pkts, info, RTE_DIM(pkts), team.now);
	assert_int_equal(rest, 4);
	for (unsigned int i = 0; i < rest; i++) {
		assert_int_equal(rte_pktmbuf_mtod(pkts[i], const uint8_t *)[35], 4000 % 256 + i);
		assert_int_equal(info[i].l4_off, 34);
		rte_pktmbuf_free(pkts[i]);
	}
	assert_int_equal(team.member[1].nb_ring, 4);
	toe_settle();
	assert_int_equal(told.bytes, 4 * 10 + 4 * 20);
	assert_int_equal(counted(0, TP_TOE_C_RX_SEGS), 12 + 2);
	assert_int_equal(counted(0, TP_TOE_C_RX_HOST), 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		toe_test(test_goes_to_the_owner_with_handle_word_and_place),
		toe_test(test_the_owner_knows_where_it_arrived),
		toe_test(test_it_follows_three_hops_and_no_more),
		toe_test(test_a_handle_of_another_connection_is_stale),
		toe_test(test_a_handle_that_is_being_used_again_is_stale),
		toe_test(test_it_is_the_same_one_in_time_wait),
		toe_test(test_a_handle_out_of_range_is_stale),
		toe_test(test_an_icmp_error_hops_as_often),
		toe_test(test_a_syn_that_comes_late_is_the_next_ones),
		toe_test(test_a_bad_checksum_is_counted),
		toe_test(test_another_hosts_frames_are_left_alone),
		toe_test(test_a_burst_of_all_kinds),
	};

	return toe_run(tests);
}
