/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <stdlib.h>

#include "test_port.h"
#include "tp_pkt.h"

#define WHOLE UINT32_MAX
#define MULTI RTE_ETH_TX_OFFLOAD_MULTI_SEGS

static struct test_port port; /* takes 15 frames */
static struct tp_counters ctr;
static struct tp_egress eg;
static struct frame in, out;

static int
setup(void **state)
{
	(void)state;
	port = test_port_open(16);
	memset(&ctr, 0, sizeof(ctr));
	assert_int_equal(tp_egress_init(&eg, port.id, 0, MULTI, test_pool(), NULL, &ctr), 0);
	return test_mbufs_setup(state);
}

static int
teardown(void **state)
{
	test_port_close(&port);
	return test_mbufs_teardown(state);
}

static void
make_udp4(uint32_t len)
{
	frame_reset(&in);
	frame_eth(&in);
	frame_ip4(&in, IPPROTO_UDP, 0);
	frame_udp(&in);
	frame_payload(&in, len);
	frame_end(&in);
}

/* ---- set-up ------------------------------------------------------------------ */

static void
init_refuses_what_cannot_work(void **state)
{
	struct tp_egress e;

	(void)state;
	assert_int_equal(tp_egress_init(&e, RTE_MAX_ETHPORTS - 1, 0, 0, test_pool(), NULL, &ctr),
	                -ENODEV);
	assert_int_equal(tp_egress_init(&e, port.id, 1, 0, test_pool(), NULL, &ctr), -EINVAL);
	assert_int_equal(tp_egress_init(&e, port.id, 0, 0, NULL, NULL, &ctr), -EINVAL);
	assert_int_equal(tp_egress_init(&e, port.id, 0, RTE_ETH_TX_OFFLOAD_TCP_TSO, test_pool(),
	                                 NULL, &ctr),
	                -ENOTSUP);
}

static void
init_sets_all(void **state)
{
	(void)state;
	assert_int_equal(eg.mtu, RTE_ETHER_MTU);
	assert_int_equal(eg.drop_full, TP_DROP_TX_PORT_FULL);
	assert_int_equal(eg.c_packets, TP_C_TX_PACKETS);
	assert_int_equal(eg.c_bytes, TP_C_TX_BYTES);
	assert_int_equal(tp_egress_room(&eg), TP_EGRESS_HOLD);
	assert_int_equal(eg.max_segs, UINT16_MAX);
	assert_int_equal(tp_egress_init(&eg, port.id, 0, 0, test_pool(), NULL, NULL), 0);
	assert_int_equal(eg.max_segs, 1);
	assert_int_equal(eg.max_segs_tso, 1);
}

/* ---- order and the hold --------------------------------------------------------- */

static uint32_t next_in, next_out; /* numbers that frames carry */

static struct rte_mbuf *
numbered(void)
{
	uint8_t b[60] = { 2 };

	frame_be32(b + 14, next_in++);
	return test_mbuf(b, sizeof(b));
}

static void
send_numbered(uint16_t nb)
{
	struct rte_mbuf *pkts[TP_BURST_MAX];

	for (uint16_t i = 0; i < nb; i++)
		pkts[i] = numbered();
	tp_egress_burst(&eg, pkts, nb);
}

/* Take up to nb frames off the wire: the next ones in order. */
static uint32_t
take_numbered(uint32_t nb)
{
	struct rte_mbuf *m;
	uint32_t i;

	for (i = 0; i < nb && (m = test_port_take(&port)) != NULL; i++) {
		frame_from_mbuf(&out, m);
		assert_int_equal(frame_get32(out.b + 14), next_out++);
	}
	return i;
}

static void
plain_frames_go_straight_out(void **state)
{
	(void)state;
	next_in = next_out = 0;
	send_numbered(10);
	assert_int_equal(ctr.c[TP_C_TX_PACKETS], 10);
	assert_int_equal(ctr.c[TP_C_TX_BYTES], 600);
	assert_int_equal(eg.nb_hold, 0);
	assert_int_equal(take_numbered(16), 10);
}

static void
what_the_port_refuses_waits(void **state)
{
	(void)state;
	next_in = next_out = 0;
	send_numbered(20);
	assert_int_equal(ctr.c[TP_C_TX_PACKETS], 15);
	assert_int_equal(ctr.c[TP_C_TX_BYTES], 900);
	assert_int_equal(eg.nb_hold, 5);
	assert_int_equal(tp_egress_room(&eg), TP_EGRESS_HOLD - 5);
	assert_int_equal(tp_egress_flush(&eg), 0);
	assert_int_equal(take_numbered(3), 3);
	assert_int_equal(tp_egress_flush(&eg), 3);
	assert_int_equal(take_numbered(1), 1);
	/* A burst tries what is held, and goes behind it. */
	send_numbered(1);
	assert_int_equal(eg.nb_hold, 2);
	assert_int_equal(take_numbered(16), 15);
	assert_int_equal(tp_egress_flush(&eg), 2);
	assert_int_equal(take_numbered(16), 2);
	assert_int_equal(next_out, 21);
	assert_int_equal(ctr.c[TP_C_TX_BYTES], 21 * 60);
}

/* A port that has room at one moment and none at the next, as descriptors come back. */
static uint16_t
fickle_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	(void)queue;
	nb_pkts = random() % 2 == 0 ? 0 : random() % (nb_pkts + 1);
	return rte_ring_enqueue_burst(port.ring, (void *const *)pkts, nb_pkts, NULL);
}

/* Bursts, drains and flushes at random: order is kept, all frames are accounted for. */
static void
nothing_overtakes_what_is_held(void **state)
{
	uint32_t dropped;

	(void)state;
	srandom(2);
	rte_eth_fp_ops[port.id].tx_pkt_burst = fickle_burst;
	next_in = next_out = 0;
	for (int i = 0; i < 20000; i++) {
		uint32_t room = tp_egress_room(&eg);

		send_numbered(RTE_MIN(room, random() % 33));
		if (random() % 8 == 0)
			take_numbered(random() % 64);
		else
			take_numbered(random() % 20);
		if (random() % 4 == 0)
			tp_egress_flush(&eg);
	}
	while (eg.nb_hold > 0) {
		tp_egress_flush(&eg);
		take_numbered(16);
	}
	take_numbered(16);
	dropped = ctr.drop[TP_DROP_TX_PORT_FULL];
	assert_int_equal(dropped, 0);
	assert_int_equal(next_out, next_in);
	assert_int_equal(ctr.c[TP_C_TX_PACKETS], next_in);
	assert_int_equal(ctr.c[TP_C_TX_BYTES], next_in * 60ull);
}

static void
a_full_hold_drops_the_newest(void **state)
{
	(void)state;
	next_in = next_out = 0;
	eg.drop_full = TP_DROP_HOST_TX_FULL;
	for (int i = 0; i < 10; i++)
		send_numbered(60);
	assert_int_equal(eg.nb_hold, TP_EGRESS_HOLD);
	assert_int_equal(ctr.drop[TP_DROP_HOST_TX_FULL], 600 - 15 - TP_EGRESS_HOLD);
	do {
		tp_egress_flush(&eg);
	} while (take_numbered(16) != 0);
	assert_int_equal(next_out, 15 + TP_EGRESS_HOLD);
}

static void
held_frames_can_be_taken_back(void **state)
{
	struct rte_mbuf *pkts[TP_EGRESS_HOLD];

	(void)state;
	next_in = next_out = 0;
	/* Until the hold goes round its end. */
	for (int i = 0; i < 9; i++)
		send_numbered(57);
	for (int i = 0; i < 20; i++) {
		take_numbered(16);
		tp_egress_flush(&eg);
	}
	for (int i = 0; i < 6; i++)
		send_numbered(50);
	take_numbered(16);
	assert_true(eg.hold_first + eg.nb_hold > TP_EGRESS_HOLD);
	assert_int_equal(tp_egress_take_back(&eg, pkts), next_in - next_out);
	assert_int_equal(tp_egress_room(&eg), TP_EGRESS_HOLD);
	assert_int_equal(tp_egress_flush(&eg), 0);
	assert_int_equal(tp_egress_take_back(&eg, pkts + (next_in - next_out)), 0);
	for (uint32_t i = 0; next_out < next_in; i++) {
		frame_from_mbuf(&out, pkts[i]);
		assert_int_equal(frame_get32(out.b + 14), next_out++);
	}
}

/* Frames that need work keep their place among those that do not. */
static void
order_holds_across_both_paths(void **state)
{
	struct rte_mbuf *pkts[64];

	(void)state;
	next_in = next_out = 0;
	for (unsigned int i = 0; i < RTE_DIM(pkts); i++) {
		pkts[i] = numbered();
		if (i % 3 == 1) {
			pkts[i]->ol_flags = RTE_MBUF_F_TX_VLAN;
			pkts[i]->vlan_tci = i;
		}
	}
	assert_int_equal(tp_egress_burst(&eg, pkts, RTE_DIM(pkts)), 15);
	for (unsigned int i = 0; i < RTE_DIM(pkts); i++) {
		tp_egress_flush(&eg);
		frame_from_mbuf(&out, test_port_take(&port));
		assert_int_equal(frame_get32(out.b + (i % 3 == 1 ? 18 : 14)), i);
	}
}

/* What was segmented for one port and then held goes out by another. */
static void
intent_left_in_held_frames_still_stands(void **state)
{
	struct rte_mbuf *m, *pkts[TP_EGRESS_HOLD];

	(void)state;
	next_in = next_out = 0;
	frame_reset(&in);
	frame_eth(&in);
	frame_ip4(&in, IPPROTO_TCP, 0);
	frame_tcp(&in, 0);
	frame_payload(&in, 8000);
	frame_end(&in);
	send_numbered(15);
	eg.offloads |= RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	m = frame_mbuf(&in, 1500);
	m->ol_flags = RTE_MBUF_F_TX_TCP_SEG;
	m->tso_segsz = 1000;
	assert_int_equal(tp_egress_burst(&eg, &m, 1), 0);
	assert_int_equal(tp_egress_take_back(&eg, pkts), 8);
	assert_int_equal(take_numbered(16), 15);

	eg.offloads &= ~RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	assert_int_equal(tp_egress_burst(&eg, pkts, 8), 8);
	for (uint32_t i = 0; i < 8; i++) {
		frame_from_mbuf(&out, test_port_take(&port));
		assert_int_equal(out.len, 54 + 1000);
		assert_int_equal(frame_get32(out.b + 38), (uint32_t)(0xfffffff0 + i * 1000));
		assert_true(frame_l4_ok(out.b + 14, IPPROTO_TCP, out.b + 34, 1020));
	}
}

/* ---- checksums ------------------------------------------------------------------- */

static void
make_kind(uint8_t proto, bool v4, uint32_t len)
{
	frame_reset(&in);
	frame_eth(&in);
	if (v4) {
		frame_ip4(&in, proto, 4);
	} else {
		frame_ip6(&in, IPPROTO_HOPOPTS);
		frame_ext(&in, IPPROTO_HOPOPTS, proto, 8);
	}
	if (proto == IPPROTO_TCP)
		frame_tcp(&in, 8);
	else if (proto == IPPROTO_UDP)
		frame_udp(&in);
	else
		frame_sctp(&in);
	frame_payload(&in, len);
	frame_end(&in);
	/* Whatever was in the fields is not used. */
	memset(in.b + in.l4 +
	                                (proto == IPPROTO_TCP                  ? 16
	                                                : proto == IPPROTO_UDP ? 6
	                                                                       : 8),
	                0x5a, proto == IPPROTO_SCTP ? 4 : 2);
}

static bool
l4_ok(uint8_t proto, uint32_t end)
{
	uint32_t l3 = in.ip4 ? in.ip4 : in.ip6, crc;

	if (proto != IPPROTO_SCTP)
		return frame_l4_ok(out.b + l3, proto, out.b + in.l4, end - in.l4);
	memcpy(&crc, out.b + in.l4 + 8, 4);
	memset(out.b + in.l4 + 8, 0, 4);
	return rte_le_to_cpu_32(crc) == frame_crc32c(out.b + in.l4, end - in.l4);
}

/* RFC 9293 MUST-2. */
static void
checksums_are_made_in_software(void **state)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	static const uint32_t seg_lens[] = { 7, 63, 64, 333, 2000 };
	struct rte_mbuf *m;
	uint32_t len, end;
	uint8_t proto;

	(void)state;
	for (int i = 0; i < 3 * 2 * 5 * 20; i++) {
		proto = protos[i % 3];
		len = i / 30 * 61;
		make_kind(proto, i / 3 % 2, len);
		end = in.len;
		frame_pad(&in, end + i % 5);
		m = frame_mbuf(&in, seg_lens[i / 6 % 5]);
		m->ol_flags = RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IP_CKSUM;
		assert_int_equal(tp_egress_burst(&eg, &m, 1), 1);
		assert_int_equal(ctr.c[TP_C_TX_CKSUM], i + 1);
		m = test_port_take(&port);
		assert_int_equal(m->ol_flags, 0);
		frame_from_mbuf(&out, m);
		assert_int_equal(out.len, in.len);
		assert_true(l4_ok(proto, end));
		if (in.ip4)
			assert_true(frame_ip4_ok(out.b + in.ip4));
	}
}

/* RFC 768: a sum of zero is sent as ones, since zero says that there is none. */
static void
udp_checksum_is_never_zero(void **state)
{
	struct rte_mbuf *m;
	uint16_t sum;

	(void)state;
	make_udp4(2);
	memset(in.b + in.l4 + 8, 0, 2);
	sum = frame_sum(in.b + in.l4, 10, frame_pseudo(in.b + in.ip4, IPPROTO_UDP, 10));
	frame_be16(in.b + in.l4 + 8, ~sum);
	m = frame_mbuf(&in, WHOLE);
	m->ol_flags = RTE_MBUF_F_TX_UDP_CKSUM;
	tp_egress_burst(&eg, &m, 1);
	frame_from_mbuf(&out, test_port_take(&port));
	assert_int_equal(frame_get16(out.b + in.l4 + 6), 0xffff);
}

static void
hardware_gets_a_prepared_frame(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	eg.offloads |= RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	eg.soft_flags &= ~RTE_MBUF_F_TX_IP_CKSUM;
	make_udp4(100);
	/* Headers across segments: copied, as hardware wants them in one. */
	m = frame_mbuf(&in, 30);
	m->ol_flags = RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IP_CKSUM;
	tp_egress_burst(&eg, &m, 1);
	m = test_port_take(&port);
	assert_int_equal(m->ol_flags,
	                RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_IPV4);
	assert_int_equal(m->l2_len, 14);
	assert_int_equal(m->l3_len, 20);
	assert_true(m->data_len >= 42);
	frame_from_mbuf(&out, m);
	assert_int_equal(frame_get16(out.b + in.l4 + 6),
	                frame_pseudo(out.b + in.ip4, IPPROTO_UDP, 108));
	assert_int_equal(ctr.c[TP_C_TX_CKSUM], 0);

	/* Extension headers: software. */
	make_kind(IPPROTO_UDP, false, 100);
	m = frame_mbuf(&in, WHOLE);
	m->ol_flags = RTE_MBUF_F_TX_UDP_CKSUM;
	tp_egress_burst(&eg, &m, 1);
	frame_from_mbuf(&out, test_port_take(&port));
	assert_true(l4_ok(IPPROTO_UDP, out.len));
	assert_int_equal(ctr.c[TP_C_TX_CKSUM], 1);
}

/* ---- tags -------------------------------------------------------------------------- */

static void
send_tags(struct rte_mbuf *m, uint64_t flags)
{
	m->ol_flags |= flags;
	m->vlan_tci = 0x6001;
	m->vlan_tci_outer = 0x0002;
	assert_int_equal(tp_egress_burst(&eg, &m, 1), 1);
}

static void
tags_are_inserted(void **state)
{
	static const uint8_t one[] = { 0x81, 0, 0x60, 1, 8, 0 };
	static const uint8_t two[] = { 0x88, 0xa8, 0, 2, 0x81, 0, 0x60, 1, 8, 0 };
	struct rte_mbuf *m;

	(void)state;
	make_udp4(50);
	send_tags(frame_mbuf(&in, 5), RTE_MBUF_F_TX_VLAN);
	m = test_port_take(&port);
	assert_int_equal(m->ol_flags, 0);
	frame_from_mbuf(&out, m);
	assert_int_equal(out.len, in.len + 4);
	assert_memory_equal(out.b, in.b, 12);
	assert_memory_equal(out.b + 12, one, sizeof(one));
	assert_memory_equal(out.b + 18, in.b + 14, in.len - 14);

	send_tags(frame_mbuf(&in, WHOLE), RTE_MBUF_F_TX_QINQ | RTE_MBUF_F_TX_UDP_CKSUM);
	m = test_port_take(&port);
	assert_int_equal(m->ol_flags, 0);
	frame_from_mbuf(&out, m);
	assert_int_equal(out.len, in.len + 8);
	assert_memory_equal(out.b + 12, two, sizeof(two));
	assert_true(frame_l4_ok(out.b + 22, IPPROTO_UDP, out.b + 42, 58));
}

static void
tags_are_left_to_a_port_that_inserts_them(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	make_udp4(50);
	eg.soft_flags &= ~RTE_MBUF_F_TX_VLAN;
	send_tags(frame_mbuf(&in, WHOLE), RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_UDP_CKSUM);
	m = test_port_take(&port);
	assert_int_equal(m->ol_flags, RTE_MBUF_F_TX_VLAN);
	assert_int_equal(m->vlan_tci, 0x6001);
	frame_from_mbuf(&out, m);
	assert_int_equal(out.len, in.len);
}

static void
no_headroom_for_tags_is_a_copy(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	make_udp4(50);
	m = frame_mbuf(&in, WHOLE);
	assert_non_null(rte_pktmbuf_prepend(m, RTE_PKTMBUF_HEADROOM - 6));
	memcpy(rte_pktmbuf_mtod(m, void *), in.b, in.len);
	rte_pktmbuf_trim(m, RTE_PKTMBUF_HEADROOM - 6);
	send_tags(m, RTE_MBUF_F_TX_QINQ);
	frame_from_mbuf(&out, test_port_take(&port));
	assert_memory_equal(out.b + 22, in.b + 14, in.len - 14);
}

static void
a_runt_takes_no_tag(void **state)
{
	struct rte_mbuf *m = test_mbuf("short", 5);

	(void)state;
	m->ol_flags = RTE_MBUF_F_TX_VLAN;
	assert_int_equal(tp_egress_burst(&eg, &m, 1), 0);
	assert_int_equal(ctr.drop[TP_DROP_TX_BAD_INTENT], 1);
}

/* ---- buffers of others ---------------------------------------------------------------- */

static void
check_untouched(struct rte_mbuf *m)
{
	assert_int_equal(m->ol_flags & RTE_MBUF_F_TX_L4_MASK, RTE_MBUF_F_TX_UDP_CKSUM);
	assert_int_equal(m->l2_len, 0);
	frame_from_mbuf(&out, m);
	assert_int_equal(out.len, in.len);
	assert_memory_equal(out.b, in.b, in.len);
}

static void
shared_frames_are_not_edited(void **state)
{
	struct rte_mbuf *m, *sent;

	(void)state;
	for (int hw = 0; hw < 2; hw++) {
		if (hw)
			eg.offloads |= RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
		make_udp4(1000);
		m = frame_mbuf(&in, 600);
		rte_mbuf_refcnt_update(m, 1);
		rte_mbuf_refcnt_update(m->next, 1);
		send_tags(m, RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_VLAN);
		sent = test_port_take(&port);
		assert_ptr_not_equal(sent, m);
		assert_int_equal(rte_mbuf_refcnt_read(m), 1);
		frame_from_mbuf(&out, sent);
		assert_int_equal(out.len, in.len + 4);
		check_untouched(m);
	}
}

static void
clones_are_not_edited(void **state)
{
	struct rte_mbuf *m, *clone;

	(void)state;
	make_udp4(1000);
	m = frame_mbuf(&in, WHOLE);
	m->ol_flags = RTE_MBUF_F_TX_UDP_CKSUM;
	clone = rte_pktmbuf_clone(m, test_pool());
	assert_non_null(clone);
	send_tags(clone, RTE_MBUF_F_TX_VLAN);
	frame_from_mbuf(&out, test_port_take(&port));
	assert_true(frame_l4_ok(out.b + 18, IPPROTO_UDP, out.b + 38, 1008));
	check_untouched(m);
}

/* Nothing to edit: no copy either. */
static void
shared_plain_frames_go_as_they_are(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	make_udp4(1000);
	m = frame_mbuf(&in, WHOLE);
	rte_mbuf_refcnt_update(m, 1);
	assert_int_equal(tp_egress_burst(&eg, &m, 1), 1);
	assert_ptr_equal(test_port_take(&port), m);
	rte_pktmbuf_free(m);
	rte_pktmbuf_free(m);
}

static void
one_segment_where_the_port_takes_one(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	eg.max_segs = 1;
	make_udp4(1400);
	m = frame_mbuf(&in, 100);
	assert_int_equal(tp_egress_burst(&eg, &m, 1), 1);
	assert_int_equal(ctr.c[TP_C_TX_LINEAR], 1);
	m = test_port_take(&port);
	assert_int_equal(m->nb_segs, 1);
	frame_from_mbuf(&out, m);
	assert_int_equal(out.len, in.len);
	assert_memory_equal(out.b, in.b, in.len);
	/* Or not at all. */
	eg.mtu = 4000;
	make_udp4(3000);
	m = frame_mbuf(&in, 100);
	assert_int_equal(tp_egress_burst(&eg, &m, 1), 0);
	assert_int_equal(ctr.drop[TP_DROP_TX_NO_MBUF], 1);
}

/* A limit above one is met with full segments. */
static void
few_segments_where_the_port_takes_few(void **state)
{
	static const struct {
		uint32_t len, seg_len;
		uint16_t nb_out;
	} rows[] = { { 3000, 1600, 2 }, { 3000, 1100, 2 }, { 1400, 500, 1 }, { 4900, 1000, 0 } };
	struct rte_mbuf *m;

	(void)state;
	eg.max_segs = 2;
	eg.mtu = 9000;
	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		make_udp4(rows[i].len);
		m = frame_mbuf(&in, rows[i].seg_len);
		assert_int_equal(tp_egress_burst(&eg, &m, 1), rows[i].nb_out != 0);
		if (rows[i].nb_out == 0)
			continue;
		m = test_port_take(&port);
		assert_int_equal(m->nb_segs, rows[i].nb_out);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(ctr.c[TP_C_TX_LINEAR], 3);
	assert_int_equal(ctr.drop[TP_DROP_TX_NO_MBUF], 1);
}

static void
an_empty_pool_is_counted(void **state)
{
	struct rte_mempool *none =
	                rte_pktmbuf_pool_create("none", 1, 0, 0, 2048 + 128, SOCKET_ID_ANY);
	struct rte_mbuf *held, *m;

	(void)state;
	assert_non_null(none);
	held = rte_pktmbuf_alloc(none);
	eg.pool = none;
	make_udp4(1000);
	for (uint32_t seg_len = 20; seg_len < 2000; seg_len += 1900) {
		m = frame_mbuf(&in, seg_len);
		m->ol_flags = RTE_MBUF_F_TX_UDP_CKSUM;
		assert_int_equal(tp_egress_burst(&eg, &m, 1), seg_len > 1000);
	}
	assert_int_equal(ctr.drop[TP_DROP_TX_NO_MBUF], 1);
	/* And it works again when buffers are back. */
	rte_pktmbuf_free(held);
	m = frame_mbuf(&in, 20);
	m->ol_flags = RTE_MBUF_F_TX_UDP_CKSUM;
	assert_int_equal(tp_egress_burst(&eg, &m, 1), 1);
	while ((m = test_port_take(&port)) != NULL)
		rte_pktmbuf_free(m);
	rte_mempool_free(none);
}

/* ---- what must not leave ---------------------------------------------------------------- */

static void
frames_larger_than_the_mtu_are_dropped(void **state)
{
	static const struct {
		uint32_t len; /* of L3 */
		uint8_t tags;
		uint16_t sent;
	} rows[] = { { 1500, 0, 1 }, { 1501, 0, 0 }, { 1500, 1, 1 }, { 1501, 1, 0 }, { 1500, 2, 1 },
		{ 1501, 2, 0 } };
	struct rte_mbuf *m;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		memset(&ctr, 0, sizeof(ctr));
		frame_reset(&in);
		frame_eth(&in);
		for (int t = 0; t < rows[i].tags; t++)
			frame_tag(&in, 0x8100, 1);
		frame_ip4(&in, IPPROTO_UDP, 0);
		frame_payload(&in, rows[i].len - 20);
		frame_end(&in);
		m = frame_mbuf(&in, WHOLE);
		assert_int_equal(tp_egress_burst(&eg, &m, 1), rows[i].sent);
		assert_int_equal(ctr.drop[TP_DROP_TX_TOO_BIG], !rows[i].sent);
	}
	/* A tag that is yet to be inserted does not count either. */
	m = frame_mbuf(&in, WHOLE);
	rte_pktmbuf_trim(m, 1);
	send_tags(m, RTE_MBUF_F_TX_VLAN);
}

static void
bad_intent_is_dropped(void **state)
{
	static const uint64_t bad[] = { RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_OUTER_IP_CKSUM,
		RTE_MBUF_F_TX_TUNNEL_VXLAN, RTE_MBUF_F_TX_SEC_OFFLOAD, RTE_MBUF_F_TX_MACSEC,
		RTE_MBUF_F_TX_TCP_CKSUM };
	struct rte_mbuf *m;

	(void)state;
	frame_reset(&in);
	frame_eth(&in);
	frame_ip4(&in, IPPROTO_ICMP, 0);
	frame_icmp(&in, 8);
	frame_end(&in);
	for (unsigned int i = 0; i < RTE_DIM(bad); i++) {
		m = frame_mbuf(&in, WHOLE);
		m->ol_flags = bad[i];
		assert_int_equal(tp_egress_burst(&eg, &m, 1), 0);
		assert_int_equal(ctr.drop[TP_DROP_TX_BAD_INTENT], i + 1);
	}
}

/* Segmentation of what is no TCP is left out, and the request with it. */
static void
requests_that_do_not_fit_are_taken_back(void **state)
{
	struct rte_mbuf *m, *sent;

	(void)state;
	frame_reset(&in);
	frame_eth(&in);
	frame_type(&in, 0x88b5);
	frame_payload(&in, 100);
	m = frame_mbuf(&in, WHOLE);
	m->ol_flags = RTE_MBUF_F_TX_TCP_SEG;
	m->tso_segsz = 50;
	rte_mbuf_refcnt_update(m, 1);
	assert_int_equal(tp_egress_burst(&eg, &m, 1), 1);
	sent = test_port_take(&port);
	assert_int_equal(sent->ol_flags, 0);
	assert_ptr_not_equal(sent, m);
	assert_int_equal(m->ol_flags, RTE_MBUF_F_TX_TCP_SEG);
	rte_pktmbuf_free(sent);
	rte_pktmbuf_free(m);
}

/* A driver that prepares no frame with an odd tag. */
static uint16_t
refuse_odd(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	uint16_t i;

	(void)queue;
	for (i = 0; i < nb_pkts && pkts[i]->vlan_tci % 2 == 0; i++)
		;
	return i;
}

static void
frames_the_driver_refuses_are_dropped_alone(void **state)
{
	struct rte_mbuf *pkts[10];

	(void)state;
	rte_eth_fp_ops[port.id].tx_pkt_prepare = refuse_odd;
	eg.soft_flags &= ~RTE_MBUF_F_TX_VLAN;
	next_in = 0;
	for (unsigned int i = 0; i < RTE_DIM(pkts); i++) {
		pkts[i] = numbered();
		pkts[i]->ol_flags = RTE_MBUF_F_TX_VLAN;
		pkts[i]->vlan_tci = i < 3 || i == 9 ? 1 : 0;
	}
	assert_int_equal(tp_egress_burst(&eg, pkts, RTE_DIM(pkts)), 6);
	assert_int_equal(ctr.drop[TP_DROP_TX_BAD_INTENT], 4);
	next_out = 3;
	assert_int_equal(take_numbered(16), 6);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(init_refuses_what_cannot_work),
		TEST(init_sets_all),
		TEST(plain_frames_go_straight_out),
		TEST(what_the_port_refuses_waits),
		TEST(nothing_overtakes_what_is_held),
		TEST(a_full_hold_drops_the_newest),
		TEST(held_frames_can_be_taken_back),
		TEST(order_holds_across_both_paths),
		TEST(intent_left_in_held_frames_still_stands),
		TEST(checksums_are_made_in_software),
		TEST(udp_checksum_is_never_zero),
		TEST(hardware_gets_a_prepared_frame),
		TEST(tags_are_inserted),
		TEST(tags_are_left_to_a_port_that_inserts_them),
		TEST(no_headroom_for_tags_is_a_copy),
		TEST(a_runt_takes_no_tag),
		TEST(shared_frames_are_not_edited),
		TEST(clones_are_not_edited),
		TEST(shared_plain_frames_go_as_they_are),
		TEST(one_segment_where_the_port_takes_one),
		TEST(few_segments_where_the_port_takes_few),
		TEST(an_empty_pool_is_counted),
		TEST(frames_larger_than_the_mtu_are_dropped),
		TEST(bad_intent_is_dropped),
		TEST(requests_that_do_not_fit_are_taken_back),
		TEST(frames_the_driver_refuses_are_dropped_alone),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
