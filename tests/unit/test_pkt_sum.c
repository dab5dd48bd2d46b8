/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The sum of RFC 1071, by whichever unit, against the sum word by word; and whether the checksum of a
 * packet holds.
 */

#include <stdlib.h>
#include <string.h>

#include "pkt_int.h"
#include "test_eal.h"
#include "test_frames.h"

#define MAX_OFF 67
#define MAX_LEN 400
#define LONGEST (1 << 20)

static uint16_t
sum_slowly(const uint8_t *p, uint32_t len)
{
	uint64_t sum = 0;
	uint16_t word;

	for (uint32_t i = 0; i < len; i += sizeof(word)) {
		word = 0;
		memcpy(&word, p + i, RTE_MIN(len - i, sizeof(word)));
		sum += word;
		sum = (sum & UINT16_MAX) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static void
fill(uint8_t *p, uint32_t len, bool ones)
{
	uint32_t x = 12345;

	for (uint32_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = ones ? 0xff : x >> 24;
	}
}

static void
compare(const uint8_t *p, uint32_t len)
{
	assert_int_equal(pkt_sum(p, len), sum_slowly(p, len));
}

static void
test_all_lengths_and_alignments(void **state)
{
	uint8_t data[MAX_OFF + MAX_LEN];

	(void)state;
	for (int ones = 0; ones < 2; ones++) {
		fill(data, sizeof(data), ones);
		for (uint32_t off = 0; off < MAX_OFF; off++)
			for (uint32_t len = 0; len <= MAX_LEN; len++)
				compare(data + off, len);
	}
}

static void
test_no_carry_is_lost(void **state)
{
	uint8_t *data = malloc(LONGEST);

	(void)state;
	assert_non_null(data);
	fill(data, LONGEST, true);
	compare(data, LONGEST);
	compare(data, LONGEST - 1);
	fill(data, LONGEST, false);
	compare(data, LONGEST);
	compare(data + 1, LONGEST - 1);
	memset(data, 0, LONGEST);
	compare(data, LONGEST);
	free(data);
}

/* ---- of a packet ---------------------------------------------------------------- */

static struct frame f;

static uint32_t
sum_off(uint8_t proto)
{
	return f.l4 + (proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6 : 2);
}

static uint8_t *
ip_of(void)
{
	return f.b + (f.ip4 != 0 ? f.ip4 : f.ip6);
}

/* With its checksum, and padding behind it. */
static void
make(bool v4, uint8_t proto, uint32_t payload)
{
	uint32_t len;
	uint16_t sum;

	frame_reset(&f);
	frame_eth(&f);
	if (v4)
		frame_ip4(&f, proto, 4);
	else
		frame_ip6(&f, proto);
	if (proto == IPPROTO_TCP)
		frame_tcp(&f, 0);
	else if (proto == IPPROTO_UDP)
		frame_udp(&f);
	else
		frame_icmp(&f, 128);
	frame_payload(&f, payload);
	frame_end(&f);
	len = f.len - f.l4;
	sum = ~frame_sum(f.b + f.l4, len, frame_pseudo(ip_of(), proto, len));
	frame_be16(f.b + sum_off(proto), sum != 0 ? sum : UINT16_MAX);
	frame_pad(&f, f.len + 5);
}

/* In segments of at most piece bytes; parsed before byte `flip` was damaged (0: none). */
static bool
holds(uint32_t piece, uint32_t flip)
{
	struct rte_mbuf *m = test_mbuf(f.b, RTE_MIN(f.len, piece));
	struct tp_pkt_info info;
	bool ok;

	for (uint32_t at = piece; at < f.len; at += piece)
		assert_int_equal(rte_pktmbuf_chain(m,
		                                 test_mbuf(f.b + at, RTE_MIN(f.len - at, piece))),
		                0);
	tp_pkt_parse(m, &info);
	assert_int_equal(info.flags & (TP_PKT_F_L4 | TP_PKT_F_BAD), TP_PKT_F_L4);
	if (flip != 0) {
		struct rte_mbuf *seg = m;
		uint32_t off = flip;

		for (; off >= seg->data_len; seg = seg->next)
			off -= seg->data_len;
		*rte_pktmbuf_mtod_offset(seg, uint8_t *, off) ^= 0x10;
	}
	ok = tp_pkt_cksum_ok(m, &info);
	rte_pktmbuf_free(m);
	return ok;
}

static const struct {
	bool v4;
	uint8_t proto;
} kinds[] = {
	{ true, IPPROTO_TCP },
	{ true, IPPROTO_UDP },
	{ false, IPPROTO_TCP },
	{ false, IPPROTO_UDP },
	{ false, IPPROTO_ICMPV6 },
};

static void
test_checksum_of_a_packet_holds(void **state)
{
	static const uint32_t pieces[] = { 1, 2, 7, 15, 61, 2048 };

	(void)state;
	for (unsigned int k = 0; k < RTE_DIM(kinds); k++) {
		for (uint32_t payload = 0; payload < 18; payload++) {
			make(kinds[k].v4, kinds[k].proto, payload);
			for (unsigned int i = 0; i < RTE_DIM(pieces); i++)
				assert_true(holds(pieces[i], 0));
		}
	}
}

/* The addresses count, what lies behind the packet does not. */
static void
test_each_damaged_byte_is_seen(void **state)
{
	uint32_t addrs;

	(void)state;
	for (unsigned int k = 0; k < RTE_DIM(kinds); k++) {
		make(kinds[k].v4, kinds[k].proto, 9);
		addrs = ip_of() - f.b + (kinds[k].v4 ? 12 : 8);
		for (uint32_t at = addrs; at < addrs + (kinds[k].v4 ? 8 : 32); at++)
			assert_false(holds(2048, at));
		for (uint32_t at = f.l4; at < f.len - 5; at++) {
			assert_false(holds(2048, at));
			assert_false(holds(11, at));
		}
		for (uint32_t at = f.len - 5; at < f.len; at++)
			assert_true(holds(2048, at));
	}
}

/* RFC 768: without one it is right; RFC 8200 8.1: over IPv6 it must have one. */
static void
test_datagram_without_checksum(void **state)
{
	(void)state;
	make(true, IPPROTO_UDP, 9);
	frame_be16(f.b + sum_off(IPPROTO_UDP), 0);
	assert_true(holds(2048, 0));
	assert_true(holds(5, 0));
	make(false, IPPROTO_UDP, 9);
	frame_be16(f.b + sum_off(IPPROTO_UDP), 0);
	assert_false(holds(2048, 0));
	make(true, IPPROTO_TCP, 9);
	frame_be16(f.b + sum_off(IPPROTO_TCP), 0);
	assert_false(holds(2048, 0));
}

/* A sum of zero is sent as ones. */
static void
test_datagram_whose_sum_is_zero(void **state)
{
	(void)state;
	for (int v4 = 0; v4 < 2; v4++) {
		make(v4, IPPROTO_UDP, 2);
		/* The payload takes what is missing to all ones. */
		frame_be16(f.b + f.l4 + 8,
		                frame_sum(f.b + f.l4 + 8, 2, frame_get16(f.b + f.l4 + 6)));
		frame_be16(f.b + f.l4 + 6, UINT16_MAX);
		assert_true(holds(2048, 0));
		assert_false(holds(2048, f.l4 + 6));
	}
}

/* Shorter than what was parsed: not right, and not read beyond. */
static void
test_packet_that_is_not_there(void **state)
{
	struct tp_pkt_info info;
	struct rte_mbuf *m;

	(void)state;
	for (int v4 = 0; v4 < 2; v4++) {
		make(v4, IPPROTO_TCP, 9);
		m = test_mbuf(f.b, f.len);
		tp_pkt_parse(m, &info);
		assert_true(tp_pkt_cksum_ok(m, &info));
		rte_pktmbuf_trim(m, f.len - info.l3_off - 19);
		assert_false(tp_pkt_cksum_ok(m, &info));
		rte_pktmbuf_free(m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_lengths_and_alignments),
		cmocka_unit_test(test_no_carry_is_lost),
		cmocka_unit_test(test_checksum_of_a_packet_holds),
		cmocka_unit_test(test_each_damaged_byte_is_seen),
		cmocka_unit_test(test_datagram_without_checksum),
		cmocka_unit_test(test_datagram_whose_sum_is_zero),
		cmocka_unit_test(test_packet_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
