/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_errno.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "loadgen.h"

#define MAGIC RTE_BE16(0x7470)
#define FIRST_PORT 1024

struct headers {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
} __rte_packed __rte_aligned(2);

struct mark_wire {
	rte_be16_t magic;
	rte_be16_t trial;
	rte_be16_t flow;
	rte_be32_t seq;
	rte_be64_t tsc;
} __rte_packed;

static_assert(sizeof(struct headers) + sizeof(struct mark_wire) + RTE_ETHER_CRC_LEN <=
                                LOADGEN_MIN_FRAME,
                "the mark fits the smallest frame");

struct loadgen_flows {
	uint32_t nb;
	struct headers headers[]; /* lengths and checksum are zero */
};

/* Many addresses on both ends and many ports, none of which changes with all others. */
static void
flow_headers(struct headers *h, uint32_t flow, const struct rte_ether_addr *team_mac,
                const struct rte_ether_addr *peer_mac)
{
	bool to_host = flow & 1;
	uint32_t n = flow >> 1;
	rte_be32_t host_ip = rte_cpu_to_be_32(RTE_IPV4(10, 77, 0, 1) + (n & 0xf));
	rte_be32_t peer_ip = rte_cpu_to_be_32(RTE_IPV4(10, 78, 0, 1) + (n >> 4));
	rte_be16_t host_port = rte_cpu_to_be_16(FIRST_PORT + n * 7);
	rte_be16_t peer_port = rte_cpu_to_be_16(FIRST_PORT + n * 3);

	memset(h, 0, sizeof(*h));
	h->eth.src_addr = to_host ? *peer_mac : *team_mac;
	h->eth.dst_addr = to_host ? *team_mac : *peer_mac;
	h->eth.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	h->ip.version_ihl = RTE_IPV4_VHL_DEF;
	h->ip.time_to_live = 64;
	h->ip.next_proto_id = IPPROTO_UDP;
	h->ip.src_addr = to_host ? peer_ip : host_ip;
	h->ip.dst_addr = to_host ? host_ip : peer_ip;
	h->udp.src_port = to_host ? peer_port : host_port;
	h->udp.dst_port = to_host ? host_port : peer_port;
}

struct loadgen_flows *
loadgen_flows_make(uint32_t nb_flows, const struct rte_ether_addr *team_mac,
                const struct rte_ether_addr *peer_mac)
{
	struct loadgen_flows *flows;

	if (nb_flows < 2 || nb_flows > LOADGEN_MAX_FLOWS || (nb_flows & 1)) {
		rte_errno = EINVAL;
		return NULL;
	}
	flows = malloc(sizeof(*flows) + nb_flows * sizeof(flows->headers[0]));
	if (flows == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	flows->nb = nb_flows;
	for (uint32_t i = 0; i < nb_flows; i++)
		flow_headers(&flows->headers[i], i, team_mac, peer_mac);
	return flows;
}

void
loadgen_flows_free(struct loadgen_flows *flows)
{
	free(flows);
}

uint16_t
loadgen_frame_len(uint16_t frame, uint32_t seq)
{
	static const uint16_t imix[12] = { 64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 594, 64 };

	return frame == LOADGEN_IMIX ? imix[seq % RTE_DIM(imix)] : frame;
}

void
loadgen_frame_write(const struct loadgen_flows *flows, struct rte_mbuf *m, uint16_t len,
                const struct loadgen_mark *mark)
{
	struct headers *h = rte_pktmbuf_mtod(m, struct headers *);
	struct mark_wire *w = (struct mark_wire *)(h + 1);

	len -= RTE_ETHER_CRC_LEN;
	*h = flows->headers[mark->flow];
	h->ip.total_length = rte_cpu_to_be_16(len - sizeof(h->eth));
	h->ip.hdr_checksum = rte_ipv4_cksum(&h->ip);
	h->udp.dgram_len = rte_cpu_to_be_16(len - sizeof(h->eth) - sizeof(h->ip));
	*w = (struct mark_wire){
		.magic = MAGIC,
		.trial = rte_cpu_to_be_16(mark->trial),
		.flow = rte_cpu_to_be_16(mark->flow),
		.seq = rte_cpu_to_be_32(mark->seq),
		.tsc = rte_cpu_to_be_64(mark->tsc),
	};
	m->data_len = len;
	m->pkt_len = len;
}

static bool
same_headers(const struct headers *got, const struct headers *sent)
{
	return rte_is_same_ether_addr(&got->eth.src_addr, &sent->eth.src_addr) &&
	       rte_is_same_ether_addr(&got->eth.dst_addr, &sent->eth.dst_addr) &&
	       got->eth.ether_type == sent->eth.ether_type &&
	       got->ip.src_addr == sent->ip.src_addr && got->ip.dst_addr == sent->ip.dst_addr &&
	       got->udp.src_port == sent->udp.src_port && got->udp.dst_port == sent->udp.dst_port;
}

enum loadgen_verdict
loadgen_frame_read(const struct loadgen_flows *flows, const struct rte_mbuf *m, uint16_t frame,
                struct loadgen_mark *mark)
{
	const struct headers *h = rte_pktmbuf_mtod(m, const struct headers *);
	const struct mark_wire *w = (const struct mark_wire *)(h + 1);

	if (rte_pktmbuf_data_len(m) < sizeof(*h) + sizeof(*w) || w->magic != MAGIC)
		return LOADGEN_OTHER;
	*mark = (struct loadgen_mark){
		.trial = rte_be_to_cpu_16(w->trial),
		.flow = rte_be_to_cpu_16(w->flow),
		.seq = rte_be_to_cpu_32(w->seq),
		.tsc = rte_be_to_cpu_64(w->tsc),
	};
	if (mark->flow >= flows->nb || !same_headers(h, &flows->headers[mark->flow]) ||
	                m->pkt_len + RTE_ETHER_CRC_LEN != loadgen_frame_len(frame, mark->seq))
		return LOADGEN_CORRUPT;
	return LOADGEN_OURS;
}
