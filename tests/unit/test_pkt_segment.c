/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <rte_ip.h>

#include "test_port.h"
#include "tp_pkt.h"

#define FIN_PSH_CWR_ACK 0x99
#define WANT_SEG (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM)
#define DATA_LEN 10000
#define TCP_OPT_LEN 12

static struct test_port port;
static struct rte_mempool *indirect;
static struct tp_counters ctr;
static struct tp_egress eg;
static struct frame in, out;

static int
setup(void **state)
{
	(void)state;
	port = test_port_open(1024);
	memset(&ctr, 0, sizeof(ctr));
	assert_int_equal(tp_egress_init(&eg, port.id, 0, RTE_ETH_TX_OFFLOAD_MULTI_SEGS, test_pool(),
	                                 NULL, &ctr),
	                0);
	return test_mbufs_setup(state);
}

static int
teardown(void **state)
{
	test_port_close(&port);
	return test_mbufs_teardown(state);
}

/* ---- TCP ------------------------------------------------------------------------- */

static void
make_tcp4(void)
{
	frame_reset(&in);
	frame_eth(&in);
	frame_ip4(&in, IPPROTO_TCP, 8);
	frame_tcp(&in, TCP_OPT_LEN)[13] = FIN_PSH_CWR_ACK;
	frame_payload(&in, DATA_LEN);
	frame_end(&in);
	frame_pad(&in, in.len + 3);
}

static void
make_tcp6(void)
{
	frame_reset(&in);
	frame_eth(&in);
	frame_tag(&in, 0x8100, 7);
	frame_ip6(&in, IPPROTO_DSTOPTS);
	frame_ext(&in, IPPROTO_DSTOPTS, IPPROTO_TCP, 16);
	frame_tcp(&in, TCP_OPT_LEN)[13] = FIN_PSH_CWR_ACK;
	frame_payload(&in, DATA_LEN);
	frame_end(&in);
}

/* Headers of segment i, which has len bytes of payload from pos on. */
static void
check_tcp_headers(uint32_t i, uint32_t pos, uint32_t len)
{
	uint32_t l3 = in.ip4 ? in.ip4 : in.ip6;
	const uint8_t *ip = out.b + l3, *tcp = out.b + in.l4;
	uint8_t flags = FIN_PSH_CWR_ACK;

	assert_int_equal(out.len, in.l4 + 20 + TCP_OPT_LEN + len);
	/* All that does not change. */
	assert_memory_equal(out.b, in.b, l3);
	assert_memory_equal(tcp + 20, in.b + in.l4 + 20, TCP_OPT_LEN);
	assert_memory_equal(tcp, in.b + in.l4, 4);
	if (in.ip4) {
		assert_int_equal(frame_get16(ip + 2), out.len - l3);
		assert_int_equal(frame_get16(ip + 4), (uint16_t)(0xfffe + i));
		assert_memory_equal(ip + 12, in.b + l3 + 12, 16);
		assert_true(frame_ip4_ok(ip));
	} else {
		assert_int_equal(frame_get16(ip + 4), out.len - l3 - 40);
		assert_memory_equal(ip + 6, in.b + l3 + 6, 50);
	}
	assert_int_equal(frame_get32(tcp + 4), (uint32_t)(0xfffffff0 + pos));
	if (i > 0)
		flags &= ~0x80;
	if (pos + len < DATA_LEN)
		flags &= ~0x09;
	assert_int_equal(tcp[13], flags);
}

/* What the port got is the input's byte stream.
 * @param l4_sum checks the transport checksum
 */
static void
check_tcp_stream(uint16_t mss, bool (*l4_sum)(const uint8_t *ip, const uint8_t *tcp, uint32_t len))
{
	uint32_t pos = 0, len, data = in.l4 + 20 + TCP_OPT_LEN;
	struct rte_mbuf *m;

	for (uint32_t i = 0; (m = test_port_take(&port)) != NULL; i++) {
		len = RTE_MIN((uint32_t)mss, DATA_LEN - pos);
		frame_from_mbuf(&out, m);
		check_tcp_headers(i, pos, len);
		assert_memory_equal(out.b + data, in.b + data + pos, len);
		assert_true(l4_sum(out.b + (in.ip4 ? in.ip4 : in.ip6), out.b + in.l4,
		                out.len - in.l4));
		pos += len;
	}
	assert_int_equal(pos, DATA_LEN);
}

static bool
tcp_sum_whole(const uint8_t *ip, const uint8_t *tcp, uint32_t len)
{
	return frame_l4_ok(ip, IPPROTO_TCP, tcp, len);
}

/* Of the pseudo header only, for hardware to go on with. */
static bool
tcp_sum_pseudo(const uint8_t *ip, const uint8_t *tcp, uint32_t len)
{
	return frame_get16(tcp + 16) == frame_pseudo(ip, IPPROTO_TCP, len);
}

static void
send_tcp(uint32_t seg_len, uint16_t mss)
{
	struct rte_mbuf *m = frame_mbuf(&in, seg_len);
	uint32_t nb = (DATA_LEN + mss - 1) / mss;

	memset(&ctr, 0, sizeof(ctr));
	m->ol_flags = WANT_SEG;
	m->tso_segsz = mss;
	assert_int_equal(tp_egress_burst(&eg, &m, 1), nb);
	assert_int_equal(ctr.c[TP_C_TX_GSO], nb);
	assert_int_equal(ctr.c[TP_C_TX_PACKETS], nb);
}

static const uint32_t seg_lens[] = { 20, 66, 67, 1024, 1999 };
static const uint16_t sizes[] = { 48, 536, 1000, 1412 };

static void
tcp_segments_make_the_same_stream(void **state)
{
	static void (*const make[])(void) = { make_tcp4, make_tcp6 };

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(make) * RTE_DIM(seg_lens) * RTE_DIM(sizes); i++) {
		make[i % 2]();
		send_tcp(seg_lens[i / 2 % RTE_DIM(seg_lens)], sizes[i / 2 / RTE_DIM(seg_lens)]);
		assert_int_equal(ctr.c[TP_C_TX_CKSUM], ctr.c[TP_C_TX_GSO]);
		check_tcp_stream(sizes[i / 2 / RTE_DIM(seg_lens)], tcp_sum_whole);
	}
}

/* Where the port does checksums, payload is attached and headers are prepared. */
static void
attached_payload_makes_the_same_stream(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	eg.pool_indirect = indirect;
	eg.offloads |= RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	for (unsigned int i = 0; i < RTE_DIM(seg_lens) * RTE_DIM(sizes); i++) {
		make_tcp4();
		send_tcp(seg_lens[i % RTE_DIM(seg_lens)], sizes[i / RTE_DIM(seg_lens)]);
		check_tcp_stream(sizes[i / RTE_DIM(seg_lens)], tcp_sum_pseudo);
	}
	send_tcp(1024, 1000);
	m = test_port_take(&port);
	assert_true(RTE_MBUF_CLONED(m->next));
	assert_int_equal(m->ol_flags & RTE_MBUF_F_TX_L4_MASK, RTE_MBUF_F_TX_TCP_CKSUM);
	assert_int_equal(m->l2_len + m->l3_len + m->l4_len, 14 + 28 + 32);
	rte_pktmbuf_free(m);
}

static void
segments_take_tags_and_metadata_along(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	make_tcp4();
	m = frame_mbuf(&in, 1500);
	m->ol_flags = WANT_SEG | RTE_MBUF_F_TX_VLAN;
	m->vlan_tci = 0x2003;
	m->tso_segsz = 1000;
	*tp_meta(m) = (struct tp_meta){ .bucket = 77 };
	eg.soft_flags &= ~RTE_MBUF_F_TX_VLAN;
	assert_int_equal(tp_egress_burst(&eg, &m, 1), 10);
	while ((m = test_port_take(&port)) != NULL) {
		assert_int_equal(m->ol_flags, RTE_MBUF_F_TX_VLAN);
		assert_int_equal(m->vlan_tci, 0x2003);
		assert_int_equal(tp_meta(m)->bucket, 77);
		rte_pktmbuf_free(m);
	}
}

/* A port that segments gets the frame whole. */
static void
a_port_that_segments_does_it_itself(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	make_tcp4();
	eg.soft_flags &= ~(RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IP_CKSUM);
	eg.offloads |= RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	m = frame_mbuf(&in, 1999);
	m->ol_flags = WANT_SEG;
	m->tso_segsz = 1000;
	assert_int_equal(tp_egress_burst(&eg, &m, 1), 1);
	m = test_port_take(&port);
	assert_int_equal(m->ol_flags, WANT_SEG | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM);
	assert_int_equal(m->l3_len, 28);
	frame_from_mbuf(&out, m);
	assert_int_equal(out.len, in.len);
	/* The pseudo header of segmentation has no length. */
	assert_int_equal(frame_get16(out.b + in.l4 + 16),
	                frame_pseudo(out.b + in.ip4, IPPROTO_TCP, 0));

	/* More segments than it takes: software. */
	eg.max_segs_tso = 4;
	m = frame_mbuf(&in, 1999);
	m->ol_flags = WANT_SEG;
	m->tso_segsz = 1000;
	assert_int_equal(tp_egress_burst(&eg, &m, 1), 10);
	/* And those that would not fit the MTU: nobody. */
	eg.max_segs_tso = UINT16_MAX;
	m = frame_mbuf(&in, 1999);
	m->ol_flags = WANT_SEG;
	m->tso_segsz = 1441;
	assert_int_equal(tp_egress_burst(&eg, &m, 1), 0);
	assert_int_equal(ctr.drop[TP_DROP_TX_TOO_BIG], 1);
}

/* virtio segments, but leaves the IPv4 checksum to us. */
static void
header_checksum_of_a_frame_that_the_port_segments(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	make_tcp4();
	eg.soft_flags &= ~RTE_MBUF_F_TX_TCP_SEG;
	eg.offloads |= RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	m = frame_mbuf(&in, 1999);
	m->ol_flags = WANT_SEG;
	m->tso_segsz = 1000;
	assert_int_equal(tp_egress_burst(&eg, &m, 1), 1);
	frame_from_mbuf(&out, test_port_take(&port));
	assert_true(frame_ip4_ok(out.b + in.ip4));
}

static void
segments_larger_than_the_mtu_are_dropped(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	make_tcp4();
	for (uint16_t mss = 1440; mss <= 1441; mss++) {
		m = frame_mbuf(&in, 1999);
		m->ol_flags = WANT_SEG;
		m->tso_segsz = mss;
		assert_int_equal(tp_egress_burst(&eg, &m, 1), mss == 1440 ? 7 : 0);
	}
	assert_int_equal(ctr.drop[TP_DROP_TX_TOO_BIG], 1);
}

/* ---- fragments of UDP ---------------------------------------------------------------- */

static uint8_t datagram[DATA_LEN + 8];

static void
make_udp(bool v4)
{
	frame_reset(&in);
	frame_eth(&in);
	if (v4)
		frame_ip4(&in, IPPROTO_UDP, 0);
	else
		frame_ip6(&in, IPPROTO_UDP);
	frame_udp(&in);
	frame_payload(&in, DATA_LEN);
	frame_end(&in);
}

/* @return bytes of datagram in the fragment that is in `out` */
static uint32_t
take_fragment4(uint32_t pos)
{
	const uint8_t *ip = out.b + 14;
	uint16_t field = frame_get16(ip + 6);
	uint32_t len = frame_get16(ip + 2) - 20;

	assert_true(frame_ip4_ok(ip));
	assert_int_equal(out.len, 34 + len);
	assert_int_equal((field & 0x1fff) * 8, pos);
	assert_int_equal(field & 0x2000, pos + len < sizeof(datagram) ? 0x2000 : 0);
	assert_int_equal(frame_get16(ip + 4), 0xfffe);
	memcpy(datagram + pos, out.b + 34, len);
	return len;
}

static uint32_t
take_fragment6(uint32_t pos)
{
	static uint32_t id;
	const uint8_t *ip = out.b + 14, *frag = ip + 40;
	uint16_t field = frame_get16(frag + 2);
	uint32_t len = frame_get16(ip + 4) - 8;

	assert_int_equal(out.len, 14 + 40 + 8 + len);
	assert_int_equal(ip[6], IPPROTO_FRAGMENT);
	assert_int_equal(frag[0], IPPROTO_UDP);
	assert_int_equal(field & 0xfff8, pos);
	assert_int_equal(field & 7, pos + len < sizeof(datagram) ? 1 : 0);
	if (pos == 0)
		id = frame_get32(frag + 4);
	assert_int_equal(frame_get32(frag + 4), id);
	memcpy(datagram + pos, frag + 8, len);
	return len;
}

static void
check_datagram(bool v4, uint16_t step)
{
	struct rte_mbuf *m;
	uint32_t pos = 0, len;

	while ((m = test_port_take(&port)) != NULL) {
		assert_int_equal(m->ol_flags, 0);
		frame_from_mbuf(&out, m);
		assert_memory_equal(out.b, in.b, 14);
		len = v4 ? take_fragment4(pos) : take_fragment6(pos);
		assert_true(len <= step);
		pos += len;
		assert_true(pos == sizeof(datagram) || len == RTE_ALIGN_FLOOR(step, 8));
	}
	assert_int_equal(pos, sizeof(datagram));
	assert_memory_equal(datagram, in.b + in.l4, 6);
	assert_memory_equal(datagram + 8, in.b + in.l4 + 8, DATA_LEN);
	assert_true(frame_l4_ok(in.b + 14, IPPROTO_UDP, datagram, sizeof(datagram)));
}

static void
udp_fragments_make_the_same_datagram(void **state)
{
	static const uint16_t steps[] = { 48, 999, 1000, 1452 };
	struct rte_mbuf *m;

	(void)state;
	/* Fragments carry the whole datagram's checksum: nothing the port could help with. */
	eg.pool_indirect = indirect;
	eg.offloads |= RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	for (unsigned int i = 0; i < RTE_DIM(seg_lens) * RTE_DIM(steps) * 2; i++) {
		make_udp(i % 2);
		m = frame_mbuf(&in, seg_lens[i / 2 % RTE_DIM(seg_lens)]);
		m->ol_flags = RTE_MBUF_F_TX_UDP_SEG;
		m->tso_segsz = steps[i / 2 / RTE_DIM(seg_lens)];
		assert_true(tp_egress_burst(&eg, &m, 1) > 1);
		check_datagram(i % 2, steps[i / 2 / RTE_DIM(seg_lens)]);
	}
}

static void
do_not_fragment_stays(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	make_udp(true);
	frame_be16(in.b + in.ip4 + 6, 0x4000);
	m = frame_mbuf(&in, 1999);
	m->ol_flags = RTE_MBUF_F_TX_UDP_SEG;
	m->tso_segsz = 1480;
	assert_int_equal(tp_egress_burst(&eg, &m, 1), 7);
	frame_from_mbuf(&out, test_port_take(&port));
	assert_int_equal(frame_get16(out.b + 20), 0x6000);
}

/* ---- buffers ------------------------------------------------------------------------- */

static void
no_buffers_is_one_drop(void **state)
{
	struct rte_mempool *few =
	                rte_pktmbuf_pool_create("few", 5, 0, 0, 2048 + 128, SOCKET_ID_ANY);
	struct rte_mbuf *m;

	(void)state;
	assert_non_null(few);
	make_tcp4();
	for (int attach = 0; attach < 2; attach++) {
		memset(&ctr, 0, sizeof(ctr));
		eg.pool = attach ? test_pool() : few;
		eg.pool_indirect = attach ? few : NULL;
		eg.offloads |= attach ? RTE_ETH_TX_OFFLOAD_TCP_CKSUM : 0;
		m = frame_mbuf(&in, 1999);
		m->ol_flags = WANT_SEG;
		m->tso_segsz = 1000;
		tp_egress_burst(&eg, &m, 1);
		assert_int_equal(ctr.drop[TP_DROP_TX_NO_MBUF], 1);
		assert_in_range(ctr.c[TP_C_TX_PACKETS], 2, 5);
		assert_int_equal(ctr.c[TP_C_TX_PACKETS], rte_ring_count(port.ring));
		while ((m = test_port_take(&port)) != NULL)
			rte_pktmbuf_free(m);
		assert_int_equal(test_pool_count(few), 5);
	}
	rte_mempool_free(few);
}

static void
a_pool_of_small_buffers_makes_chains(void **state)
{
	struct rte_mempool *small =
	                rte_pktmbuf_pool_create("small", 511, 0, 0, 128 + 200, SOCKET_ID_ANY);

	(void)state;
	assert_non_null(small);
	make_tcp4();
	eg.pool = small;
	send_tcp(1999, 1000);
	check_tcp_stream(1000, tcp_sum_whole);
	/* For a port that takes one segment only they are too small. */
	eg.max_segs = 1;
	memset(&ctr, 0, sizeof(ctr));
	struct rte_mbuf *m = frame_mbuf(&in, 1999);
	m->ol_flags = WANT_SEG;
	m->tso_segsz = 5000;
	eg.mtu = 9000;
	assert_int_equal(tp_egress_burst(&eg, &m, 1), 0);
	assert_int_equal(ctr.drop[TP_DROP_TX_NO_MBUF], 2);
	rte_mempool_free(small);
}

static void
a_pool_too_small_for_headers_is_no_pool(void **state)
{
	struct rte_mempool *tiny =
	                rte_pktmbuf_pool_create("tiny", 63, 0, 0, 128 + 36, SOCKET_ID_ANY);
	struct rte_mbuf *m;

	(void)state;
	assert_non_null(tiny);
	eg.pool = tiny;
	for (int udp = 0; udp < 2; udp++) {
		if (udp)
			make_udp(true);
		else
			make_tcp4();
		m = frame_mbuf(&in, 1999);
		m->ol_flags = udp ? RTE_MBUF_F_TX_UDP_SEG : WANT_SEG;
		m->tso_segsz = 1000;
		assert_int_equal(tp_egress_burst(&eg, &m, 1), 0);
	}
	assert_int_equal(ctr.drop[TP_DROP_TX_NO_MBUF], 2);
	rte_mempool_free(tiny);
}

/* ---- */

static int
group_setup(void **state)
{
	int rc = test_eal_setup(state);

	if (rc != 0)
		return rc;
	indirect = rte_pktmbuf_pool_create("indirect", 2047, 0, 0, 0, SOCKET_ID_ANY);
	return indirect == NULL || tp_meta_init() != 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tcp_segments_make_the_same_stream),
		TEST(attached_payload_makes_the_same_stream),
		TEST(segments_take_tags_and_metadata_along),
		TEST(a_port_that_segments_does_it_itself),
		TEST(header_checksum_of_a_frame_that_the_port_segments),
		TEST(segments_larger_than_the_mtu_are_dropped),
		TEST(udp_fragments_make_the_same_datagram),
		TEST(do_not_fragment_stays),
		TEST(no_buffers_is_one_drop),
		TEST(a_pool_of_small_buffers_makes_chains),
		TEST(a_pool_too_small_for_headers_is_no_pool),
	};

	return cmocka_run_group_tests(tests, group_setup, test_eal_teardown);
}
