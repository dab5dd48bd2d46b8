/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Frames from the link at a team that has neighbours in several states, packets that wait, and an
 * address that it is just claiming: ARP, ND, ICMP, fragments. Input: any number of {struct control,
 * frame}.
 */

#include <netinet/in.h>
#include <sanitizer/asan_interface.h>
#include <string.h>

#include "start.h"
#include "tp_inet.h"

#define NB_MBUFS 2047
#define FRAME_MAX 2000
#define NB_FRAMES 64
#define NB_NEIGHS 64
#define MAPPED                                                                                     \
	{                                                                                          \
		[10] = 0xff, [11] = 0xff, [12] = 10                                                \
	}

struct control {
	uint8_t len[2];  /* of the frame */
	uint8_t seg_len; /* bytes in a segment, less one */
	uint8_t flags;   /* CTL_* */
	uint8_t wait;    /* before it, in units of 0.1 s squared */
};

#define CTL_SUM 0x01     /* with the right ICMPv6 checksum */
#define CTL_PUSH 0x02    /* something is sent before */
#define CTL_CONFIRM 0x04 /* ... and acknowledged */

static const struct rte_ether_addr our_mac = { { 2, 0, 0, 0, 0, 1 } };
static struct rte_mempool *source, *pool;
static struct tp_inet *inet;
static struct tp_inet_worker *worker;
static uint64_t now = 1000 * TP_NS_PER_S;

/* ---- set up ------------------------------------------------------------------------ */

static void
address(uint8_t addr[TP_INET_LEN], bool v4, uint8_t last)
{
	static const uint8_t v4_prefix[TP_INET_LEN] = MAPPED;
	static const uint8_t v6_prefix[TP_INET_LEN] = { 0x20, 0x01, 0x0d, 0xb8 };

	memcpy(addr, v4 ? v4_prefix : v6_prefix, TP_INET_LEN);
	addr[15] = last;
}

static void
run_until(uint64_t until)
{
	uint64_t next;

	while ((next = tp_inet_next(inet)) <= until) {
		now = RTE_MAX(now, next);
		tp_inet_step(inet, now);
	}
	now = until;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct tp_inet_worker_conf wc;
	struct tp_inet_conf conf;
	uint8_t addr[TP_INET_LEN];

	(void)argc;
	(void)argv;
	fuzz_start("-m 256");
	CHECK(tp_meta_init() == 0);
	source = rte_pktmbuf_pool_create("source", NB_MBUFS, 0, 0, 256 + 128, SOCKET_ID_ANY);
	pool = rte_pktmbuf_pool_create("pool", NB_MBUFS, 0, 0, 2048 + 128, SOCKET_ID_ANY);
	CHECK(source != NULL && pool != NULL);
	tp_inet_conf_default(&conf);
	conf.pool = pool;
	conf.mac = our_mac;
	conf.seed = 1;
	conf.nb_neighs = NB_NEIGHS;
	conf.nb_pending = 16;
	conf.accept_ra = true;
	inet = tp_inet_create(&conf, now);
	CHECK(inet != NULL);
	for (int v4 = 0; v4 < 2; v4++) {
		address(addr, v4, 1);
		CHECK(tp_inet_addr_add(inet, addr, v4 ? 24 : 64, now) == 0);
	}
	run_until(now + 100 * TP_NS_PER_S);
	tp_inet_worker_conf_default(&wc);
	wc.inet = inet;
	wc.mac = &our_mac;
	wc.pool = pool;
	worker = tp_inet_worker_create(&wc);
	CHECK(worker != NULL);
	return 0;
}

/* ---- what goes in ---------------------------------------------------------------------- */

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

/* A checksum would keep the fuzzer out. */
static void
fix_sum(uint8_t *frame, size_t size)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(frame + RTE_ETHER_HDR_LEN);
	uint8_t *icmp = (uint8_t *)(ip + 1);
	uint16_t sum = 0;

	if (size < RTE_ETHER_HDR_LEN + sizeof(*ip) + 8 || ip->proto != IPPROTO_ICMPV6 ||
	                rte_be_to_cpu_16(ip->payload_len) > size - RTE_ETHER_HDR_LEN - sizeof(*ip))
		return;
	memcpy(icmp + 2, &sum, sizeof(sum));
	sum = rte_ipv6_udptcp_cksum(ip, icmp);
	memcpy(icmp + 2, &sum, sizeof(sum));
}

/* ---- what comes out --------------------------------------------------------------------- */

static void
check_frame(struct rte_mbuf *m)
{
	struct tp_pkt_info info;
	const char *why;

	CHECK(rte_mbuf_check(m, 1, &why) == 0);
	tp_pkt_parse(m, &info);
	CHECK((info.flags & (TP_PKT_F_BAD | TP_PKT_F_RUNT)) == 0);
	CHECK(memcmp(rte_pktmbuf_mtod_offset(m, void *, 6), &our_mac, 6) == 0);
	CHECK(!rte_is_zero_ether_addr(rte_pktmbuf_mtod(m, struct rte_ether_addr *)));
}

static void
take_frames(void)
{
	struct tp_inet_frame frames[NB_FRAMES];
	uint16_t nb;

	do {
		nb = tp_inet_take(inet, frames, NB_FRAMES);
		for (uint16_t i = 0; i < nb; i++) {
			check_frame(frames[i].m);
			rte_pktmbuf_free(frames[i].m);
		}
	} while (nb == NB_FRAMES);
}

static void
check_state(void)
{
	struct tp_inet_neigh_info info[NB_NEIGHS];
	uint32_t nb = tp_inet_neighs(inet, now, info, NB_NEIGHS);
	struct tp_inet_addr_info addrs[TP_INET_MAX_ADDRS];

	for (uint32_t i = 0; i < nb; i++) {
		bool has_mac = info[i].state != TP_INET_NEIGH_INCOMPLETE &&
		               info[i].state != TP_INET_NEIGH_FAILED;

		CHECK(info[i].state != TP_INET_NEIGH_FREE &&
		                info[i].state < TP_INET_NB_NEIGH_STATES);
		CHECK(has_mac == rte_is_valid_assigned_ether_addr(&info[i].mac));
		CHECK(!rte_is_same_ether_addr(&info[i].mac, &our_mac));
		CHECK(info[i].nb_pending == 0 || info[i].state == TP_INET_NEIGH_INCOMPLETE);
		for (uint32_t k = 0; k < i; k++)
			CHECK(memcmp(info[i].addr, info[k].addr, TP_INET_LEN) != 0);
	}
	/* Nobody can take away what is ours; what is claimed is another matter. */
	nb = tp_inet_addrs(inet, addrs, RTE_DIM(addrs));
	CHECK(nb == 3 || nb == 4);
	for (uint32_t i = 0; i < nb; i++)
		CHECK(addrs[i].state == TP_INET_PREFERRED || addrs[i].addr[15] == 77);
}

/* ---- one step ---------------------------------------------------------------------------- */

static void
push(uint8_t which)
{
	struct tp_inet_dst dst = { 0 };
	uint8_t laddr[TP_INET_LEN], raddr[TP_INET_LEN];
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	bool v4 = which & 0x80;

	CHECK(m != NULL);
	memset(rte_pktmbuf_append(m, 20), 0x50, 20);
	m->l4_len = 20;
	address(laddr, v4, 1);
	address(raddr, v4, 2 + which % 8);
	if (which & CTL_CONFIRM)
		tp_inet_confirm(worker, &dst);
	switch (tp_inet_push(worker, &dst, laddr, raddr, 0, m)) {
	case TP_INET_ASK:
		tp_inet_pend(inet, m, now);
		return;
	case TP_INET_SEND:
		check_frame(m);
		if (which & CTL_CONFIRM)
			tp_inet_confirm(worker, &dst);
		break;
	default:
		break;
	}
	rte_pktmbuf_free(m);
}

/* What a member would do with it. */
static void
receive(struct rte_mbuf *m)
{
	struct tp_inet_error err;
	struct tp_pkt_info info;
	struct rte_mbuf *answer;

	tp_pkt_parse(m, &info);
	tp_inet_heard(inet, m, &info, 0, now);
	answer = tp_inet_unreach(
	                worker, m, &info, m->pkt_len % 2 ? TP_INET_E_PORT : TP_INET_E_PROTO, now);
	if (answer != NULL)
		check_frame(answer);
	rte_pktmbuf_free(answer);
	if (tp_inet_is_tcp_frag(inet, m, &info)) {
		tp_inet_frag_hash(inet, m, &info);
		m = tp_inet_reassemble(worker, m, &info, now);
		if (m == NULL)
			return;
		tp_pkt_parse(m, &info);
		CHECK((info.flags & TP_PKT_F_FRAG) == 0 && info.end_off == m->pkt_len);
	}
	switch (tp_inet_icmp_input(worker, m, &info, true, now, &err)) {
	case TP_INET_ICMP_ERROR:
		CHECK(err.kind < TP_INET_NB_E_KINDS);
		CHECK(tp_inet_is_local(inet, err.laddr));
		if (err.kind == TP_INET_E_MTU)
			tp_inet_pmtu_learn(inet, err.raddr, err.mtu, now);
		CHECK(tp_inet_pmtu(inet, err.raddr, now) >= 552);
		break;
	case TP_INET_ICMP_REPLY:
		check_frame(m);
		break;
	default:
		break;
	}
	rte_pktmbuf_free(m);
}

/* All that waits comes back, and what was learned is forgotten. */
static void
clean_up(void)
{
	static const uint8_t any[TP_INET_LEN];
	uint8_t claimed[TP_INET_LEN];

	address(claimed, true, 77);
	CHECK(tp_inet_addr_del(inet, claimed) == 0);
	tp_inet_neigh_flush(inet);
	tp_inet_route_del(inet, any, 0);
	run_until(now + 60 * TP_NS_PER_S);
	tp_inet_frag_expire(worker, now);
	take_frames();
	CHECK(rte_mempool_avail_count(source) == NB_MBUFS);
	CHECK(rte_mempool_avail_count(pool) == NB_MBUFS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t frame[FRAME_MAX], claimed[TP_INET_LEN];
	struct control c;
	size_t len;

	address(claimed, true, 77);
	CHECK(tp_inet_addr_add(inet, claimed, 24, now) == 0);
	while (size >= sizeof(c)) {
		memcpy(&c, data, sizeof(c));
		data += sizeof(c);
		size -= sizeof(c);
		len = RTE_MIN(RTE_MIN((size_t)(c.len[0] << 8 | c.len[1]), size), (size_t)FRAME_MAX);
		memcpy(frame, data, len);
		data += len;
		size -= len;
		run_until(now + c.wait * c.wait * TP_NS_PER_S / 10);
		if (c.flags & CTL_PUSH)
			push(c.flags);
		if (c.flags & CTL_SUM)
			fix_sum(frame, len);
		receive(new_frame(frame, len, c.seg_len + 1));
		check_state();
		take_frames();
	}
	clean_up();
	return 0;
}
