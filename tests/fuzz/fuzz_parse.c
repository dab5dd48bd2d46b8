/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Frames as they come from a wire or a guest, cut into segments anyhow, with whatever flags:
 * parsed, turned to intent, sent by a port that can do this or that. Input: struct control,
 * then the frame.
 */

#include <netinet/in.h>
#include <sanitizer/asan_interface.h>
#include <string.h>

#include <rte_ethdev.h>

#include "start.h"
#include "tp_pkt.h"

#define PORT 0
#define FRAME_MAX 3000
#define NB_MBUFS 4095

struct control {
	uint8_t seg_len;  /* bytes in a segment, less one */
	uint8_t flags[6]; /* ol_flags: the 24 lowest bits, which are Rx, and the 24 highest */
	uint8_t segsz[2];
	uint8_t offloads; /* bits of offload[] */
	uint8_t port;     /* PORT_* */
	uint8_t mtu;      /* in units of 16, plus 68 */
	uint8_t room;     /* frames the port takes before it refuses some */
};

#define PORT_SEGS 0x03   /* 0 any, else as many segments in a frame */
#define PORT_ATTACH 0x04 /* there is a pool for indirect mbufs */
#define PORT_SHARED 0x08 /* others hold the frame, too */
#define PORT_INTENT 0x10 /* flags are intent, not what a port said */

static const uint64_t offload[] = { RTE_ETH_TX_OFFLOAD_IPV4_CKSUM, RTE_ETH_TX_OFFLOAD_TCP_CKSUM,
	RTE_ETH_TX_OFFLOAD_UDP_CKSUM, RTE_ETH_TX_OFFLOAD_SCTP_CKSUM, RTE_ETH_TX_OFFLOAD_TCP_TSO,
	RTE_ETH_TX_OFFLOAD_VLAN_INSERT };

static struct rte_mempool *source, *pool, *indirect;
static struct tp_counters ctr;
static struct tp_egress eg;
static uint16_t room;
static uint64_t asked;      /* of the frame in hand */
static unsigned asked_tags; /* how many are to be inserted */

/* ---- the port: takes what it gets and checks it ---------------------------------- */

/* RFC 1071, in the simplest way. */
static uint32_t
sum(const uint8_t *p, uint32_t len, uint32_t acc)
{
	for (uint32_t i = 0; i < len; i++)
		acc += i % 2 == 0 ? p[i] << 8 : p[i];
	while (acc >> 16 != 0)
		acc = (acc & 0xffff) + (acc >> 16);
	return acc;
}

/* Frames that software checksummed must pass their receiver's check. */
static void
check_sums(struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	static uint8_t copy[UINT16_MAX];
	const uint8_t *b, *ip;
	uint32_t len = info->end_off - info->l4_off, acc;

	b = rte_pktmbuf_read(m, 0, info->end_off, copy);
	CHECK(b != NULL);
	ip = b + info->l3_off;
	if ((asked & RTE_MBUF_F_TX_IP_CKSUM) != 0 && info->l3 == TP_L3_IPV4 &&
	                info->l4_proto != 0 && (m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) == 0)
		CHECK(sum(ip, (ip[0] & 15) * 4, 0) == 0xffff);
	if ((asked & RTE_MBUF_F_TX_L4_MASK) == 0 || (m->ol_flags & RTE_MBUF_F_TX_L4_MASK) != 0 ||
	                (info->flags & TP_PKT_F_FRAG) != 0)
		return;
	CHECK((info->flags & (TP_PKT_F_L4 | TP_PKT_F_BAD)) == TP_PKT_F_L4);
	if (info->l4_proto == IPPROTO_SCTP)
		return;
	acc = info->l3 == TP_L3_IPV4 ? sum(ip + 12, 8, 0) : sum(ip + 8, 32, 0);
	CHECK(sum(b + info->l4_off, len, acc + info->l4_proto + len) == 0xffff);
}

static void
check_sent(struct rte_mbuf *m)
{
	struct tp_pkt_info info;
	const char *why;

	CHECK(rte_mbuf_check(m, 1, &why) == 0);
	CHECK(m->nb_segs <= RTE_MAX(eg.max_segs, eg.max_segs_tso));
	CHECK((m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK & eg.soft_flags) == 0);
	tp_pkt_parse(m, &info);
	if ((m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0)
		CHECK(m->pkt_len - info.l3_off <= eg.mtu + 2 * sizeof(struct rte_vlan_hdr));
	if (m->ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IP_CKSUM)) {
		CHECK(m->l2_len == info.l3_off || asked_tags > 0);
		CHECK(m->l2_len + m->l3_len + m->l4_len <= m->data_len);
	}
	/* With more than two tags the parser sees no IP any more. */
	if (asked_tags == 0)
		check_sums(m, &info);
}

static uint16_t
port_tx(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	uint16_t nb = RTE_MIN(nb_pkts, room);

	(void)queue;
	for (uint16_t i = 0; i < nb; i++) {
		check_sent(pkts[i]);
		rte_pktmbuf_free(pkts[i]);
	}
	room -= nb;
	return nb;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct rte_eth_conf conf = { 0 };

	(void)argc;
	(void)argv;
	fuzz_start("-m 256 --vdev=net_null0");
	source = rte_pktmbuf_pool_create("source", NB_MBUFS, 0, 0, 256 + 128, SOCKET_ID_ANY);
	pool = rte_pktmbuf_pool_create("pool", NB_MBUFS, 0, 0, 2048 + 128, SOCKET_ID_ANY);
	indirect = rte_pktmbuf_pool_create("indirect", NB_MBUFS, 0, 0, 0, SOCKET_ID_ANY);
	CHECK(source != NULL && pool != NULL && indirect != NULL);
	CHECK(rte_eth_dev_configure(PORT, 1, 1, &conf) == 0);
	CHECK(rte_eth_tx_queue_setup(PORT, 0, 64, SOCKET_ID_ANY, NULL) == 0);
	CHECK(rte_eth_rx_queue_setup(PORT, 0, 64, SOCKET_ID_ANY, NULL, pool) == 0);
	CHECK(rte_eth_dev_start(PORT) == 0);
	rte_eth_fp_ops[PORT].tx_pkt_burst = port_tx;
	return 0;
}

/* ---- one frame -------------------------------------------------------------------- */

/* Bytes behind a segment's data are poisoned: nothing may read them. */
static struct rte_mbuf *
new_segment(const uint8_t *data, uint16_t len)
{
	struct rte_mbuf *m = rte_mbuf_raw_alloc(source);
	uint16_t end;

	CHECK(m != NULL);
	__asan_unpoison_memory_region(m->buf_addr, m->buf_len);
	rte_pktmbuf_reset(m);
	memcpy(rte_pktmbuf_append(m, len), data, len);
	end = m->data_off + len;
	__asan_poison_memory_region((char *)m->buf_addr + end, m->buf_len - end);
	return m;
}

static struct rte_mbuf *
new_frame(const uint8_t *data, size_t size, uint16_t seg_len)
{
	struct rte_mbuf *m = new_segment(data, RTE_MIN(size, seg_len));
	size_t n;

	for (size_t at = seg_len; at < size; at += n) {
		n = RTE_MIN(size - at, (size_t)seg_len);
		CHECK(rte_pktmbuf_chain(m, new_segment(data + at, n)) == 0);
	}
	return m;
}

static void
check_info(const struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	CHECK(info->end_off <= m->pkt_len);
	CHECK(info->l3_off <= m->pkt_len);
	if (info->l3 == TP_L3_IPV4)
		CHECK(info->l3_off + 20u <= m->pkt_len);
	if (info->l3 == TP_L3_IPV6)
		CHECK(info->l3_off + 40u <= m->pkt_len);
	if (info->l3 != TP_L3_IPV4 && info->l3 != TP_L3_IPV6)
		CHECK(info->l4_proto == 0 && (info->flags & TP_PKT_F_L4) == 0);
	if (info->flags & TP_PKT_F_FRAG)
		CHECK((info->flags & TP_PKT_F_L4) == 0);
	if (info->flags & TP_PKT_F_QINQ)
		CHECK((info->flags & TP_PKT_F_VLAN) != 0);
	if (info->flags & TP_PKT_F_L4) {
		CHECK(info->l3_off < info->l4_off && info->l4_off < info->data_off);
		CHECK(info->data_off <= info->end_off);
	}
}

/* However the frame is cut, parsing gives the same. */
static void
fuzz_parse(const uint8_t *data, size_t size, struct rte_mbuf *m)
{
	struct tp_pkt_info info, other;
	struct rte_mbuf whole = { .ol_flags = m->ol_flags,
		.vlan_tci = m->vlan_tci,
		.vlan_tci_outer = m->vlan_tci_outer };
	uint8_t *exact = malloc(size);

	CHECK(exact != NULL || size == 0);
	memcpy(exact, data, size);
	whole.buf_addr = exact;
	whole.data_len = whole.pkt_len = size;
	whole.nb_segs = 1;
	tp_pkt_parse(&whole, &info);
	check_info(&whole, &info);
	tp_pkt_parse_burst(&m, 1, &other);
	CHECK(memcmp(&info, &other, sizeof(info)) == 0);
	free(exact);
}

/* @return false: to be dropped */
static bool
fuzz_intent(struct rte_mbuf *m)
{
	uint64_t rx = RTE_MBUF_F_FIRST_FREE - 1;

	if (tp_pkt_rx_to_intent(m, NULL) != 0)
		return false;
	CHECK((m->ol_flags & rx) == 0);
	if (m->ol_flags & RTE_MBUF_F_TX_L4_MASK)
		CHECK(m->l2_len + m->l3_len + m->l4_len <= m->pkt_len);
	if (m->ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG)) {
		CHECK(m->tso_segsz != 0);
		CHECK((m->ol_flags & RTE_MBUF_F_TX_L4_MASK) != 0);
	}
	return true;
}

static void
set_up_port(const struct control *c)
{
	CHECK(tp_egress_init(&eg, PORT, 0, 0, pool, c->port & PORT_ATTACH ? indirect : NULL,
	                      &ctr) == 0);
	for (unsigned int i = 0; i < RTE_DIM(offload); i++)
		if (c->offloads & 1 << i)
			eg.offloads |= offload[i];
	if (eg.offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM)
		eg.soft_flags &= ~RTE_MBUF_F_TX_IP_CKSUM;
	if (eg.offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO)
		eg.soft_flags &= ~RTE_MBUF_F_TX_TCP_SEG;
	if (eg.offloads & RTE_ETH_TX_OFFLOAD_VLAN_INSERT)
		eg.soft_flags &= ~RTE_MBUF_F_TX_VLAN;
	eg.mtu = 68 + c->mtu * 16;
	eg.max_segs = eg.max_segs_tso = c->port & PORT_SEGS ? c->port & PORT_SEGS : UINT16_MAX;
	room = c->room;
}

/* Every buffer comes back, however the frame ends. */
static void
fuzz_egress(struct rte_mbuf *m)
{
	asked = m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK;
	asked_tags = asked & RTE_MBUF_F_TX_QINQ ? 2 : asked & RTE_MBUF_F_TX_VLAN ? 1 : 0;
	tp_egress_burst(&eg, &m, 1);
	room = UINT16_MAX;
	tp_egress_flush(&eg);
	CHECK(eg.nb_hold == 0);
}

static void
check_untouched(struct rte_mbuf *m, const uint8_t *data, size_t size)
{
	CHECK(m->pkt_len == size);
	for (struct rte_mbuf *seg = m; seg != NULL; seg = seg->next) {
		CHECK(memcmp(rte_pktmbuf_mtod(seg, void *), data, seg->data_len) == 0);
		data += seg->data_len;
	}
	rte_pktmbuf_free(m);
}

static uint64_t
flags_of(const struct control *c)
{
	uint64_t flags = 0;

	for (unsigned int i = 0; i < sizeof(c->flags); i++)
		flags |= (uint64_t)c->flags[i] << (i < 3 ? i * 8 : 16 + i * 8);
	/* Where the data lies is no matter of what was said of it. */
	return flags & ~(RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rte_mbuf *m, *other = NULL;
	struct control c;

	if (size < sizeof(c) || size > sizeof(c) + FRAME_MAX)
		return -1;
	memcpy(&c, data, sizeof(c));
	m = new_frame(data + sizeof(c), size - sizeof(c), c.seg_len + 1);
	m->ol_flags = flags_of(&c);
	m->tso_segsz = c.segsz[0] << 8 | c.segsz[1];
	m->vlan_tci = 0x1001;
	m->vlan_tci_outer = 0x1002;
	fuzz_parse(data + sizeof(c), size - sizeof(c), m);
	if ((c.port & PORT_INTENT) == 0 && !fuzz_intent(m)) {
		rte_pktmbuf_free(m);
		return 0;
	}
	if (c.port & PORT_SHARED) {
		other = m;
		for (struct rte_mbuf *seg = m; seg != NULL; seg = seg->next)
			rte_mbuf_refcnt_update(seg, 1);
	}
	set_up_port(&c);
	fuzz_egress(m);
	if (other != NULL)
		check_untouched(other, data + sizeof(c), size - sizeof(c));
	CHECK(rte_mempool_avail_count(source) == NB_MBUFS);
	CHECK(rte_mempool_avail_count(pool) == NB_MBUFS);
	CHECK(rte_mempool_avail_count(indirect) == NB_MBUFS);
	return 0;
}
