/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Fragments of TCP segments for the team. */

#include "test_inet.h"

#define DATA 3000

static struct frame f;
static uint8_t packet[20 + DATA]; /* TCP header and data */

struct piece {
	uint16_t off, len; /* len 0: to the end */
	bool more;
};

static int
setup(void **state)
{
	for (uint32_t i = 0; i < sizeof(packet); i++)
		packet[i] = i * 31 + (i >> 8);
	packet[12] = 0x50;
	return inet_setup(state);
}

static struct rte_mbuf *
fragment(bool v4, uint32_t id, uint16_t off, uint16_t len, bool more)
{
	uint8_t *p;

	frame_reset(&f);
	frame_eth(&f);
	if (v4) {
		frame_ip4(&f, IPPROTO_TCP, 0);
		memcpy(f.b + f.ip4 + 16, OURS4 + 12, 4);
		frame_be16(f.b + f.ip4 + 4, id);
		frame_be16(f.b + f.ip4 + 6, off / 8 | (more ? 0x2000 : 0));
	} else {
		frame_ip6(&f, IPPROTO_FRAGMENT);
		memcpy(f.b + f.ip6 + 24, OURS6, 16);
		f.b[f.ip6 + 23] = 9; /* 2001:db8::9 */
		p = frame_ext(&f, IPPROTO_FRAGMENT, IPPROTO_TCP, 8);
		frame_be16(p + 2, off | more);
		frame_be32(p + 4, id);
	}
	memcpy(frame_add(&f, len), packet + off, len);
	frame_end(&f);
	return test_mbuf(f.b, f.len);
}

static struct rte_mbuf *
reassemble(struct rte_mbuf *m)
{
	struct tp_pkt_info info;

	tp_pkt_parse(m, &info);
	assert_true(tp_inet_is_tcp_frag(inet, m, &info));
	return tp_inet_reassemble(worker, m, &info, now);
}

static void
check_whole(struct rte_mbuf *m, bool v4)
{
	uint8_t copy[sizeof(packet)];
	struct tp_pkt_info info;
	const uint8_t *b;

	assert_non_null(m);
	tp_pkt_parse(m, &info);
	assert_int_equal(info.flags & (TP_PKT_F_L4 | TP_PKT_F_FRAG | TP_PKT_F_BAD), TP_PKT_F_L4);
	assert_int_equal(info.l4_proto, IPPROTO_TCP);
	assert_int_equal(info.end_off - info.l4_off, sizeof(packet));
	assert_int_equal(info.end_off, m->pkt_len);
	b = rte_pktmbuf_read(m, info.l4_off, sizeof(packet), copy);
	assert_memory_equal(b, packet, sizeof(packet));
	if (v4)
		assert_true(frame_ip4_ok(rte_pktmbuf_mtod_offset(m, const uint8_t *, 14)));
	assert_int_equal(m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK, 0);
	rte_pktmbuf_free(m);
}

static void
test_in_any_order(void **state)
{
	static const uint8_t orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 },
		{ 2, 0, 1 }, { 2, 1, 0 } };
	const uint16_t offs[4] = { 0, 1200, 2400, sizeof(packet) };

	(void)state;
	start();
	for (int i = 0; i < 12; i++) {
		struct rte_mbuf *m = NULL;
		bool v4 = i < 6;

		for (int k = 0; k < 3; k++) {
			uint8_t n = orders[i % 6][k];

			assert_null(m);
			m = fragment(v4, i, offs[n], offs[n + 1] - offs[n], n < 2);
			m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
			m = reassemble(m);
		}
		check_whole(m, v4);
	}
	assert_int_equal(wmib(TP_INET_M_REASM_OKS), 12);
	assert_int_equal(wmib(TP_INET_M_REASM_REQDS), 36);
	assert_int_equal(wmib(TP_INET_M_REASM_FAILS), 0);
}

/* Ethernet's padding behind a short fragment is not part of it. */
static void
test_padding(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	start();
	m = fragment(true, 7, 3016, sizeof(packet) - 3016, false);
	memset(rte_pktmbuf_append(m, 60 - m->pkt_len), 0xa5, 1);
	assert_null(reassemble(m));
	assert_null(reassemble(fragment(true, 7, 0, 1512, true)));
	check_whole(reassemble(fragment(true, 7, 1512, 1504, true)), true);
}

static void
test_not_mixed(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	start();
	assert_null(reassemble(fragment(true, 1, 0, 1200, true)));
	assert_null(reassemble(fragment(true, 2, 1200, sizeof(packet) - 1200, false)));
	m = fragment(true, 1, 1200, sizeof(packet) - 1200, false);
	rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14)->src_addr ^= RTE_BE32(1);
	assert_null(reassemble(m));
	check_whole(reassemble(fragment(true, 1, 1200, sizeof(packet) - 1200, false)), true);
}

static void
test_time(void **state)
{
	unsigned int held;

	(void)state;
	start();
	held = test_pools_out();
	assert_null(reassemble(fragment(true, 1, 0, 1200, true)));
	assert_null(reassemble(fragment(false, 1, 0, 1200, true)));
	assert_int_equal(test_pools_out(), held + 2);
	now += 4 * SEC;
	tp_inet_frag_expire(worker, now);
	assert_int_equal(test_pools_out(), held + 2);
	now += 2 * SEC;
	tp_inet_frag_expire(worker, now);
	assert_int_equal(test_pools_out(), held);
	assert_int_equal(wmib(TP_INET_M_REASM_FAILS), 2);
	assert_null(reassemble(fragment(true, 1, 1200, sizeof(packet) - 1200, false)));
}

/* The TCP header itself in pieces, the most pieces that there may be. */
static void
test_tiny(void **state)
{
	const uint16_t offs[] = { 0, 8, 16, 24, 32, 40, 1200, 2400, sizeof(packet) };

	(void)state;
	start();
	for (int v4 = 0; v4 < 2; v4++) {
		for (uint32_t i = 0; i + 2 < RTE_DIM(offs); i++)
			assert_null(reassemble(
			                fragment(v4, 3, offs[i], offs[i + 1] - offs[i], true)));
		check_whole(reassemble(fragment(v4, 3, 2400, sizeof(packet) - 2400, false)), v4);
	}
}

/* However many begin, so many wait. */
static void
test_bounded(void **state)
{
	unsigned int held;

	(void)state;
	start();
	held = test_pools_out();
	for (uint32_t i = 0; i < 3000; i++)
		assert_null(reassemble(fragment(true, i, 0, 8, true)));
	assert_true(test_pools_out() <= held + 256);
	/* And so many pieces of one. */
	now += 10 * SEC;
	tp_inet_frag_expire(worker, now);
	assert_int_equal(test_pools_out(), held);
	for (uint32_t i = 0; i < 50; i++)
		assert_null(reassemble(fragment(true, 1, 8 * i, 8, true)));
	assert_true(test_pools_out() <= held + 8);
}

static void
expect_refused(struct rte_mbuf *m)
{
	uint64_t fails = wmib(TP_INET_M_REASM_FAILS);
	struct tp_pkt_info info;

	tp_pkt_parse(m, &info);
	assert_null(tp_inet_reassemble(worker, m, &info, now));
	assert_int_equal(wmib(TP_INET_M_REASM_FAILS), fails + 1);
}

static void
test_refused(void **state)
{
	unsigned int held;

	(void)state;
	start();
	held = test_pools_out();
	expect_refused(fragment(true, 1, 0, 1201, true)); /* the next cannot begin there */
	expect_refused(fragment(false, 1, 0, 1201, true));
	expect_refused(fragment(true, 1, 800, 0, true)); /* empty */
	/* Behind the largest packet: RFC 791's length has 16 bits. */
	for (int v4 = 0; v4 < 2; v4++) {
		struct rte_mbuf *m = fragment(v4, 1, 0, 1200, false);

		if (v4)
			frame_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 20), 0x1fff);
		else
			frame_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 56), 0xfff8);
		expect_refused(m);
	}
	assert_int_equal(test_pools_out(), held);
}

/* RFC 5722, and for IPv4 as well: what overlaps never becomes a segment. */
static void
test_overlap(void **state)
{
	(void)state;
	start();
	for (int v4 = 0; v4 < 2; v4++) {
		/* Twice the same bytes, a hole as long. */
		assert_null(reassemble(fragment(v4, 5, 0, 1200, true)));
		assert_null(reassemble(fragment(v4, 5, 800, 800, true)));
		assert_null(reassemble(fragment(v4, 5, 2000, sizeof(packet) - 2000, false)));
		assert_null(reassemble(fragment(v4, 5, 1600, 400, true)));
		/* Longer than all. */
		assert_null(reassemble(fragment(v4, 6, 0, 1200, true)));
		assert_null(reassemble(fragment(v4, 6, 400, 1200, true)));
		assert_null(reassemble(fragment(v4, 6, 1200, sizeof(packet) - 1200, false)));
	}
	assert_int_equal(wmib(TP_INET_M_REASM_OKS), 0);
}

static void
test_is_tcp_frag(void **state)
{
	struct tp_pkt_info info;
	struct rte_mbuf *m;

	(void)state;
	start();
	for (int i = 0; i < 6; i++) {
		m = fragment(i % 2, 1, 0, 1200, i < 4);
		if (i == 2)
			rte_pktmbuf_mtod_offset(m, uint8_t *, 54)[0] = IPPROTO_UDP;
		if (i == 3)
			rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14)->next_proto_id =
			                IPPROTO_UDP;
		tp_pkt_parse(m, &info);
		assert_int_equal(tp_inet_is_tcp_frag(inet, m, &info), i < 2);
		rte_pktmbuf_free(m);
	}
	tp_inet_addr_del(inet, OURS4);
	m = fragment(true, 1, 0, 1200, true);
	tp_pkt_parse(m, &info);
	assert_false(tp_inet_is_tcp_frag(inet, m, &info));
	rte_pktmbuf_free(m);
}

/* All pieces of a packet meet on one member, packets spread over all. */
static void
test_hash(void **state)
{
	uint32_t seen[4] = { 0 }, hash[2];
	struct tp_pkt_info info;
	struct rte_mbuf *m;

	(void)state;
	start();
	for (uint32_t id = 0; id < 400; id++) {
		for (int k = 0; k < 2; k++) {
			m = fragment(id % 2, id, k * 1200, 1200, k == 0);
			tp_pkt_parse(m, &info);
			hash[k] = tp_inet_frag_hash(inet, m, &info);
			rte_pktmbuf_free(m);
		}
		assert_int_equal(hash[0], hash[1]);
		seen[hash[0] % 4]++;
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(seen[i], 60, 140);
}

#define frag_test(t) cmocka_unit_test_setup_teardown(t, setup, inet_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		frag_test(test_in_any_order),
		frag_test(test_padding),
		frag_test(test_tiny),
		frag_test(test_not_mixed),
		frag_test(test_time),
		frag_test(test_bounded),
		frag_test(test_refused),
		frag_test(test_overlap),
		frag_test(test_is_tcp_frag),
		frag_test(test_hash),
	};

	return cmocka_run_group_tests(tests, inet_group_setup, test_eal_teardown);
}
