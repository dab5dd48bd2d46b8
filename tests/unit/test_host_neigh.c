/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Which member a reply to a neighbour leaves by: the one where it asked. */

#include <rte_arp.h>

#include "host_int.h"
#include "test_eal.h"

#define MS TP_NS_PER_MS
#define NOBODY TP_MEMBER_NONE

static const struct rte_ether_addr mac[2] = { { { 2, 0, 0, 0, 0, 1 } }, { { 2, 0, 0, 0, 0, 2 } } };
static const uint8_t ip6[2][16] = { { 0xfe, 0x80, [15] = 1 }, { 0xfe, 0x80, [15] = 2 } };
#define IP(n) RTE_BE32(RTE_IPV4(10, 0, 0, n))

static struct tp_host *host;
static struct tp_member member[3];

static int
setup(void **state)
{
	(void)state;
	host = tp_host_create(NULL, 64, 32, 0);
	assert_non_null(host);
	memset(member, 0, sizeof(member));
	for (uint8_t i = 0; i < RTE_DIM(member); i++) {
		member[i].id = i;
		member[i].host = host;
	}
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	tp_host_free(host);
	return 0;
}

static struct rte_mbuf *
arp(uint16_t op, uint16_t vlan)
{
	bool reply = op == RTE_ARP_OP_REPLY;

	return tp_pkt_build_arp(test_pool(), op, vlan, &mac[reply], &mac[!reply], IP(2 - reply),
	                &mac[reply], IP(1 + reply));
}

/* The neighbour, 10.0.0.2 or fe80::2, asks the host by way of member by at that time. */
static void
asks(uint8_t by, struct rte_mbuf *m, uint64_t now)
{
	struct tp_pkt_info info;

	tp_pkt_parse(m, &info);
	tp_host_asked(&member[by], m, &info, now);
	rte_pktmbuf_free(m);
}

static uint8_t
replies(struct rte_mbuf *m, uint64_t now)
{
	struct tp_pkt_info info;
	uint8_t by;

	tp_pkt_parse(m, &info);
	by = host_asked_by(host, m, &info, now);
	rte_pktmbuf_free(m);
	return by;
}

#define ARP_ASKS(by, now) asks(by, arp(RTE_ARP_OP_REQUEST, 0), now)
#define ARP_REPLY(now) replies(arp(RTE_ARP_OP_REPLY, 0), now)

static void
test_reply_leaves_where_the_newest_request_came(void **state)
{
	(void)state;
	assert_int_equal(ARP_REPLY(0), NOBODY);
	ARP_ASKS(1, 5 * MS);
	assert_int_equal(ARP_REPLY(5 * MS), 1);
	ARP_ASKS(2, 6 * MS);
	assert_int_equal(ARP_REPLY(7 * MS), 2);
	assert_int_equal(replies(arp(RTE_ARP_OP_REPLY, 7), 7 * MS), NOBODY); /* another VLAN */
	assert_int_equal(replies(arp(RTE_ARP_OP_REQUEST, 0), 7 * MS), NOBODY);
	assert_int_equal(ARP_REPLY(2006 * MS), 2);
	assert_int_equal(ARP_REPLY(2007 * MS), NOBODY);
}

static void
test_advertisement_leaves_where_the_solicitation_came(void **state)
{
	struct rte_mbuf *na;

	(void)state;
	asks(2, tp_pkt_build_ns(test_pool(), 0, &mac[1], ip6[1], ip6[0]), 5 * MS);
	na = tp_pkt_build_na(test_pool(), 0, &mac[1], &mac[0], ip6[0], ip6[1], ip6[0], 0x60);
	assert_int_equal(replies(na, 5 * MS), 2);
	na = tp_pkt_build_na(test_pool(), 0, &mac[1], &mac[0], ip6[0], ip6[0], ip6[0], 0x60);
	assert_int_equal(replies(na, 5 * MS), NOBODY);
}

/* The primary's turn began earlier than that of the member which received the request. */
static void
test_asked_after_the_turn_began(void **state)
{
	(void)state;
	ARP_ASKS(1, 5 * MS);
	assert_int_equal(ARP_REPLY(5 * MS - 1), 1);
	assert_int_equal(ARP_REPLY(4 * MS), 1);
}

/* The word has 24 bits for the time: over four hours. */
static void
test_time_wraps(void **state)
{
	const uint64_t wrap = (UINT64_C(1) << 24) * MS;

	(void)state;
	ARP_ASKS(1, wrap - MS);
	assert_int_equal(ARP_REPLY(wrap - 2 * MS), 1);
	assert_int_equal(ARP_REPLY(wrap + MS), 1);
	assert_int_equal(ARP_REPLY(wrap + 3000 * MS), NOBODY);
	ARP_ASKS(2, wrap + MS);
	assert_int_equal(ARP_REPLY(wrap - MS), 2);
}

/* Another port may be member 1 next. */
static void
test_member_that_leaves_is_forgotten(void **state)
{
	(void)state;
	ARP_ASKS(1, 5 * MS);
	asks(2, arp(RTE_ARP_OP_REQUEST, 7), 5 * MS);
	tp_host_set_member(host, 1, NULL);
	assert_int_equal(ARP_REPLY(5 * MS), NOBODY);
	assert_int_equal(replies(arp(RTE_ARP_OP_REPLY, 7), 5 * MS), 2);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_reply_leaves_where_the_newest_request_came),
		T(test_advertisement_leaves_where_the_solicitation_came),
		T(test_asked_after_the_turn_began),
		T(test_time_wraps),
		T(test_member_that_leaves_is_forgotten),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
