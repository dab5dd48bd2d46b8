/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Listeners and who is accepted, by the team's API (lib/toe/listen.c, open.c). */

#include <rte_ip.h>
#include <rte_tcp.h>

#include "test_toe.h"

static const uint8_t any[16];
static const uint8_t ours[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1 };

static int
listen_on(const uint8_t addr[16], uint16_t port, uint32_t backlog)
{
	struct tp_toe_listen how = { .user = &toe_user, .port = port, .backlog = backlog };

	memcpy(how.addr, addr, sizeof(how.addr));
	return tp_toe_listen(team.toe, &how);
}

static void
test_bad_arguments_are_refused(void **state)
{
	(void)state;
	assert_int_equal(listen_on(any, 0, 0), -EINVAL);
	assert_int_equal(tp_toe_listen(team.toe, &(struct tp_toe_listen){ .port = 7 }), -EINVAL);
	assert_int_equal(tp_toe_listeners(team.toe, NULL, 0), 1);
}

static void
test_an_address_and_port_is_taken_once(void **state)
{
	(void)state;
	assert_int_equal(listen_on(any, FAKE_PORT, 0), -EADDRINUSE);
	assert_int_equal(listen_on(ours, FAKE_PORT, 0), 0);
	assert_int_equal(listen_on(ours, FAKE_PORT, 0), -EADDRINUSE);
	assert_int_equal(listen_on(any, FAKE_PORT + 1, 0), 0);
}

static void
test_so_many_listeners_and_no_more(void **state)
{
	uint16_t port = 1000;

	(void)state;
	conf.max_listeners = 3;
	toe_reopen();
	assert_int_equal(listen_on(any, port++, 0), 0);
	assert_int_equal(listen_on(any, port++, 0), 0);
	assert_int_equal(listen_on(any, port, 0), -ENOSPC);
	assert_int_equal(tp_toe_unlisten(team.toe, any, FAKE_PORT), 0);
	assert_int_equal(listen_on(any, port, 0), 0);
}

static void
test_all_indices_are_given_once(void **state)
{
	uint64_t seen = 0;

	(void)state;
	for (uint16_t i = 1; i < MAX_LISTENERS; i++)
		assert_int_equal(listen_on(any, 1000 + i, 0), 0);
	assert_int_equal(listen_on(any, 2000, 0), -ENOSPC);
	for (uint32_t i = 0; i < MAX_LISTENERS; i++)
		seen |= UINT64_C(1) << atomic_load(&team.toe->listeners)->l[i].index;
	assert_true(~seen == 0);
}

static void
test_users_are_as_many_as_there_is_room_for(void **state)
{
	static struct tp_toe_user users[MAX_USERS + 1];
	int given = 0;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(users); i++)
		users[i] = (struct tp_toe_user){ .name = "one of many" };
	while (given < MAX_USERS && user_index(team.toe, &users[given]) >= 0)
		given++;
	assert_int_equal(given, MAX_USERS - 2); /* nobody, and the fixture's */
	assert_int_equal(user_index(team.toe, &users[0]), 2);
	assert_int_equal(tp_toe_listen(team.toe, &(struct tp_toe_listen){ .user = &users[given],
	                                                         .port = 7 }),
	                -ENOSPC);
}

static void
test_unlisten_refuses_the_next_and_keeps_those_there(void **state)
{
	struct fake_peer p, late = { .port = 3000, .seq = 5 };
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	assert_int_equal(tp_toe_unlisten(team.toe, ours, FAKE_PORT), -ENOENT);
	assert_int_equal(tp_toe_unlisten(team.toe, any, FAKE_PORT + 1), -ENOENT);
	assert_int_equal(tp_toe_unlisten(team.toe, any, FAKE_PORT), 0);
	assert_int_equal(tp_toe_unlisten(team.toe, any, FAKE_PORT), -ENOENT);
	fake_say(&team, &late, 1, TP_TCP_SYN, 0);
	assert_int_equal(counted(1, TP_TOE_C_RX_REFUSED), 1);
	toe_settle();
	assert_non_null(fake_last(&team, late.port));
	assert_true(fake_last(&team, late.port)->flags & TP_TCP_RST);
	fake_say(&team, &p, 0, TP_TCP_ACK | TP_TCP_PSH, 10);
	toe_settle();
	assert_int_equal(told.bytes, 10);
	assert_word(id, OWN, 0);
}

/* RFC 9293 MUST-41: one open connection leaves the listener to the next. */
static void
test_one_listen_covers_all_members(void **state)
{
	struct tp_toe_listener_info info;
	struct fake_peer p;

	(void)state;
	for (uint8_t i = 0; i < FAKE_MEMBERS; i++) {
		tp_toe_id id = toe_conn(&p, i, i);

		assert_word(id, OWN, i);
	}
	assert_int_equal(tp_toe_listeners(team.toe, &info, 1), 1);
	assert_int_equal(info.port, FAKE_PORT);
	assert_int_equal(info.accepted, FAKE_MEMBERS);
	assert_int_equal(info.pending, 0);
	assert_int_equal(info.backlog, 1024);
	assert_string_equal(info.user, "test");
	assert_memory_equal(info.addr, any, 16);
}

/* RFC 9293 MUST-42: both listen for the same port. */
static void
test_an_address_goes_before_the_wildcard(void **state)
{
	static unsigned int specific;
	static const struct tp_toe_user other = { .name = "other" };
	struct tp_toe_listen how = { .user = &other, .port = FAKE_PORT, .arg = &specific };
	struct fake_peer p = { .port = 2000, .seq = 1 };
	struct tp_toe_listener_info info[2];

	(void)state;
	memcpy(how.addr, ours, sizeof(ours));
	assert_int_equal(tp_toe_listen(team.toe, &how), 0);
	fake_open_conn(&team, &p, 0);
	assert_int_equal(told.accepted, 0);
	assert_int_equal(tp_toe_listeners(team.toe, info, 2), 2);
	assert_int_equal(info[0].accepted, 0);
	assert_int_equal(info[1].accepted, 1);
	assert_memory_equal(info[1].addr, ours, 16);
}

/* A SYN_RCVD counts for its listener until it is established, or ends. */
static void
test_pending_is_what_is_not_accepted_yet(void **state)
{
	struct fake_peer p = { .port = 2000, .seq = 1 }, q = { .port = 2001, .seq = 1 };
	struct tp_toe_listener_info info;

	(void)state;
	fake_say(&team, &p, 0, TP_TCP_SYN, 0);
	fake_say(&team, &q, 1, TP_TCP_SYN, 0);
	fake_turns(&team, 1);
	tp_toe_listeners(team.toe, &info, 1);
	assert_int_equal(info.pending, 2);
	assert_int_equal(told.accepted, 0);
	fake_hear(&team, &p);
	fake_say(&team, &p, 0, TP_TCP_ACK, 0);
	fake_say(&team, &q, 1, TP_TCP_RST, 0);
	toe_settle();
	tp_toe_listeners(team.toe, &info, 1);
	assert_int_equal(info.pending, 0);
	assert_int_equal(info.accepted, 1);
	assert_int_equal(told.accepted, 1);
}

/* @return SYN-ACKs for so many SYNs at a backlog of two */
static uint32_t
syn_acks(uint16_t nb)
{
	uint32_t n = 0;

	toe_reopen();
	assert_int_equal(tp_toe_unlisten(team.toe, any, FAKE_PORT), 0);
	assert_int_equal(listen_on(any, FAKE_PORT, 2), 0);
	for (uint16_t i = 0; i < nb; i++) {
		struct fake_peer p = { .port = 2000 + i, .seq = 1 };

		fake_say(&team, &p, 0, TP_TCP_SYN, 0);
		fake_turns(&team, 1);
		n += fake_nb_sent(&team, p.port, TP_TCP_SYN | TP_TCP_ACK);
	}
	return n;
}

static void
test_full_backlog_without_cookies_drops(void **state)
{
	(void)state;
	conf.syn_cookies = false;
	assert_int_equal(syn_acks(4), 2);
	assert_int_equal(counted(0, TP_TOE_C_RX_BACKLOG), 2);
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 2);
}

static void
test_full_backlog_answers_with_a_cookie(void **state)
{
	struct fake_peer p = { .port = 2003, .seq = 2 };

	(void)state;
	conf.syn_cookies = true;
	assert_int_equal(syn_acks(4), 4);
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 2);
	/* Its ACK comes to another member, which knows it all the same. */
	fake_hear(&team, &p);
	fake_say(&team, &p, 1, TP_TCP_ACK, 0);
	fake_turns(&team, 1);
	assert_int_equal(told.accepted, 1);
	assert_int_equal(tp_toe_nb_conns(team.toe, 1), 1);
	/* One that brings none gets nothing. */
	fake_forget(&team);
	p = (struct fake_peer){ .port = 2050, .seq = 2, .ack = 77 };
	fake_say(&team, &p, 1, TP_TCP_ACK, 0);
	toe_settle();
	assert_null(fake_last(&team, 2050));
}

static void
test_refusals_are_so_many_a_second(void **state)
{
	struct fake_peer p = { .port = 2000, .seq = 1 };

	(void)state;
	conf.refuse_rate = 3;
	toe_reopen();
	for (unsigned int i = 0; i < 5; i++)
		fake_arrive(&team, 0, fake_segment(&team, &p, TP_TCP_ACK, 0));
	assert_int_equal(counted(0, TP_TOE_C_RX_REFUSED), 3);
	assert_int_equal(counted(0, TP_TOE_C_RX_REFUSE_LIMIT), 2);
	toe_settle();
	assert_int_equal(fake_nb_sent(&team, 2000, TP_TCP_RST), 3);
	fake_wait(&team, SEC);
	fake_arrive(&team, 0, fake_segment(&team, &p, TP_TCP_ACK, 0));
	assert_int_equal(counted(0, TP_TOE_C_RX_REFUSED), 4);
}

/* No RST for a RST. */
static void
test_a_reset_for_nobody_is_dropped(void **state)
{
	struct fake_peer p = { .port = 2000, .seq = 1 };

	(void)state;
	assert_true(fake_arrive(&team, 0, fake_segment(&team, &p, TP_TCP_RST, 0)));
	toe_settle();
	assert_int_equal(team.nb_sent, 0);
	assert_int_equal(counted(0, TP_TOE_C_RX_STALE), 1);
}

/* A segment from anywhere, with good checksums. */
static struct rte_mbuf *
segment_from(uint32_t addr, uint8_t flags)
{
	struct fake_peer p = { .port = 2000, .seq = 1 };
	struct rte_mbuf *m = fake_segment(&team, &p, flags, 0);
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(
	                m, struct rte_ipv4_hdr *, sizeof(struct rte_ether_hdr));
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);

	ip->src_addr = rte_cpu_to_be_32(addr);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	tcp->cksum = 0;
	tcp->cksum = rte_ipv4_udptcp_cksum(ip, tcp);
	return m;
}

/* RFC 9293 MUST-63, MUST-57 (RFC 1122 3.2.1.3): no connection, no RST, for what no host can have sent. */
static void
test_what_no_host_can_have_sent_is_dropped(void **state)
{
	static const uint32_t from[] = { RTE_IPV4(224, 0, 0, 1), RTE_IPV4(255, 255, 255, 255),
		RTE_IPV4(127, 0, 0, 1), 0, RTE_IPV4(10, 0, 0, 1) };

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(from); i++) {
		assert_true(fake_arrive(&team, 0, segment_from(from[i], TP_TCP_SYN)));
		assert_true(fake_arrive(&team, 0, segment_from(from[i], TP_TCP_ACK)));
	}
	toe_settle();
	assert_int_equal(team.nb_sent, 0);
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 0);
	assert_int_equal(counted(0, TP_TOE_C_RX_BAD), 2 * RTE_DIM(from));
	assert_true(fake_arrive(&team, 0, segment_from(RTE_IPV4(10, 0, 0, 2), TP_TCP_SYN)));
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 1);
}

/* RFC 9293 MUST-57: a SYN to a group or to all is nobody's connection, whatever its MAC. */
static void
test_groups_have_no_connections(void **state)
{
	struct fake_peer p = { .port = 2000, .seq = 1 };
	struct rte_mbuf *m = fake_segment(&team, &p, TP_TCP_SYN, 0);

	(void)state;
	memset(rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->dst_addr.addr_bytes, 0xff, 6);
	assert_false(fake_arrive(&team, 0, m));
	m = fake_segment(&team, &p, TP_TCP_SYN, 0);
	rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, sizeof(struct rte_ether_hdr))->dst_addr =
	                RTE_BE32(RTE_IPV4(224u, 0, 0, 1));
	assert_false(fake_arrive(&team, 0, m));
	toe_settle();
	assert_int_equal(team.nb_sent, 0);
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 0);
}

static void
test_what_nobody_wants_is_the_hosts(void **state)
{
	struct fake_peer p = { .port = 2000, .seq = 1 };

	(void)state;
	conf.has_host = true;
	toe_reopen();
	assert_int_equal(tp_toe_unlisten(team.toe, any, FAKE_PORT), 0);
	assert_false(fake_arrive(&team, 0, fake_segment(&team, &p, TP_TCP_SYN, 0)));
	assert_int_equal(counted(0, TP_TOE_C_RX_HOST), 1);
	assert_int_equal(counted(0, TP_TOE_C_RX_REFUSED), 0);
}

/* The same SYN on two members: one connection. */
static void
test_a_syn_on_two_members_makes_one_connection(void **state)
{
	struct fake_peer p = { .port = 2000, .seq = 1 };

	(void)state;
	fake_arrive(&team, 0, fake_segment(&team, &p, TP_TCP_SYN, 0));
	fake_arrive(&team, 1, fake_segment(&team, &p, TP_TCP_SYN, 0));
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 1);
	assert_int_equal(tp_toe_nb_conns(team.toe, 1), 0);
	assert_int_equal(counted(1, TP_TOE_C_RX_FOREIGN), 1);
}

static void
test_no_room_for_another_one(void **state)
{
	struct fake_peer p;

	(void)state;
	for (uint16_t i = 0; i < conf.max_conns; i++)
		toe_conn(&p, i, 0);
	p = (struct fake_peer){ .port = 5000, .seq = 1 };
	fake_say(&team, &p, 0, TP_TCP_SYN, 0);
	toe_settle();
	assert_null(fake_last(&team, 5000));
	assert_int_equal(counted(0, TP_TOE_C_RX_NO_CONN), 1);
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), conf.max_conns);
}

/* A new connection needs the room of one that is over but for TIME_WAIT. */
static void
test_time_wait_makes_room(void **state)
{
	struct fake_peer p, first;
	tp_toe_id id = toe_conn(&first, 0, 0);

	(void)state;
	for (uint16_t i = 1; i < conf.max_conns; i++)
		toe_conn(&p, i, 0);
	toe_post(id, toe_call_close, NULL);
	toe_settle();
	fake_hear(&team, &first);
	fake_say(&team, &first, 0, TP_TCP_ACK | TP_TCP_FIN, 0);
	toe_settle();
	assert_int_equal(told.reason, TP_TCP_R_DONE);
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), conf.max_conns);
	toe_conn(&p, 500, 0);
	assert_int_equal(counted(0, TP_TOE_C_CONNS_CLOSED), 1);
	assert_int_equal(counted(0, TP_TOE_C_CONNS_PREMATURE), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		toe_test(test_bad_arguments_are_refused),
		toe_test(test_an_address_and_port_is_taken_once),
		toe_test(test_so_many_listeners_and_no_more),
		toe_test(test_all_indices_are_given_once),
		toe_test(test_users_are_as_many_as_there_is_room_for),
		toe_test(test_unlisten_refuses_the_next_and_keeps_those_there),
		toe_test(test_one_listen_covers_all_members),
		toe_test(test_an_address_goes_before_the_wildcard),
		toe_test(test_pending_is_what_is_not_accepted_yet),
		toe_test(test_full_backlog_without_cookies_drops),
		toe_test(test_full_backlog_answers_with_a_cookie),
		toe_test(test_refusals_are_so_many_a_second),
		toe_test(test_a_reset_for_nobody_is_dropped),
		toe_test(test_what_no_host_can_have_sent_is_dropped),
		toe_test(test_groups_have_no_connections),
		toe_test(test_what_nobody_wants_is_the_hosts),
		toe_test(test_a_syn_on_two_members_makes_one_connection),
		toe_test(test_no_room_for_another_one),
		toe_test(test_time_wait_makes_room),
	};

	return toe_run(tests);
}
