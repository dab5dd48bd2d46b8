/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <netinet/in.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_ip.h>

#include "tp_pkt.h"

#define ETH_MIN_LEN 60 /* without FCS */
#define ND_HOP_LIMIT 255
#define ND_NS 135
#define ND_NA 136
#define ND_OPT_SRC_LLADDR 1
#define ND_OPT_DST_LLADDR 2

/* Neighbour solicitation and advertisement (RFC 4861 4.3, 4.4). */
struct nd_msg {
	uint8_t type;
	uint8_t code;
	rte_be16_t cksum;
	uint8_t flags;
	uint8_t reserved[3];
	uint8_t target[16];
};

/* Source or target link-layer address option (RFC 4861 4.6.1). */
struct nd_opt {
	uint8_t type;
	uint8_t len_8; /* in units of 8 bytes */
	struct rte_ether_addr addr;
};

struct nd_frame {
	struct rte_ipv6_hdr ip;
	struct nd_msg msg;
	struct nd_opt opt;
};
static_assert(sizeof(struct nd_frame) == 40 + 24 + 8, "no holes");

/* A frame of zeroes with its Ethernet header filled in.
 * @param payload out: len bytes behind the header
 */
static struct rte_mbuf *
new_frame(struct rte_mempool *mp, const struct rte_ether_addr *dst,
                const struct rte_ether_addr *src, uint16_t vlan_tci, uint16_t type, uint16_t len,
                void **payload)
{
	uint16_t hdr_len = sizeof(struct rte_ether_hdr);
	struct rte_ether_hdr *eth;
	struct rte_vlan_hdr *tag;
	struct rte_mbuf *m;

	m = rte_pktmbuf_alloc(mp);
	if (m == NULL)
		return NULL;
	if (vlan_tci != 0)
		hdr_len += sizeof(*tag);
	len = RTE_MAX(hdr_len + len, ETH_MIN_LEN);
	eth = (struct rte_ether_hdr *)rte_pktmbuf_append(m, len);
	if (eth == NULL) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	memset(eth, 0, len);
	eth->dst_addr = *dst;
	eth->src_addr = *src;
	eth->ether_type = rte_cpu_to_be_16(vlan_tci != 0 ? RTE_ETHER_TYPE_VLAN : type);
	if (vlan_tci != 0) {
		tag = (struct rte_vlan_hdr *)(eth + 1);
		tag->vlan_tci = rte_cpu_to_be_16(vlan_tci);
		tag->eth_proto = rte_cpu_to_be_16(type);
	}
	*payload = RTE_PTR_ADD(eth, hdr_len);
	return m;
}

struct rte_mbuf *
tp_pkt_build_arp(struct rte_mempool *mp, uint16_t op, uint16_t vlan_tci,
                const struct rte_ether_addr *eth_dst, const struct rte_ether_addr *sha,
                rte_be32_t spa, const struct rte_ether_addr *tha, rte_be32_t tpa)
{
	struct rte_arp_hdr *arp;
	struct rte_mbuf *m;
	void *payload;

	m = new_frame(mp, eth_dst, sha, vlan_tci, RTE_ETHER_TYPE_ARP, sizeof(*arp), &payload);
	if (m == NULL)
		return NULL;
	arp = payload;
	arp->arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER);
	arp->arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	arp->arp_hlen = RTE_ETHER_ADDR_LEN;
	arp->arp_plen = sizeof(rte_be32_t);
	arp->arp_opcode = rte_cpu_to_be_16(op);
	arp->arp_data.arp_sha = *sha;
	arp->arp_data.arp_sip = spa;
	arp->arp_data.arp_tha = *tha;
	arp->arp_data.arp_tip = tpa;
	return m;
}

/* The ND message in f->msg and, with opt_type, the address option; lengths and checksum. */
static void
finish_nd(struct nd_frame *f, const uint8_t src[16], const uint8_t dst[16], uint8_t opt_type,
                const struct rte_ether_addr *addr)
{
	uint16_t len = sizeof(f->msg);

	if (opt_type != 0) {
		f->opt = (struct nd_opt){ .type = opt_type, .len_8 = 1, .addr = *addr };
		len += sizeof(f->opt);
	}
	f->ip.vtc_flow = RTE_BE32(0x60000000);
	f->ip.payload_len = rte_cpu_to_be_16(len);
	f->ip.proto = IPPROTO_ICMPV6;
	f->ip.hop_limits = ND_HOP_LIMIT;
	memcpy(f->ip.src_addr, src, 16);
	memcpy(f->ip.dst_addr, dst, 16);
	f->msg.cksum = rte_ipv6_udptcp_cksum(&f->ip, &f->msg);
}

struct rte_mbuf *
tp_pkt_build_ns(struct rte_mempool *mp, uint16_t vlan_tci, const struct rte_ether_addr *eth_src,
                const uint8_t src[16], const uint8_t target[16])
{
	static const uint8_t unspecified[16];
	const uint8_t group[16] = { 0xff, 0x02, [11] = 0x01, 0xff, target[13], target[14],
		target[15] };
	const struct rte_ether_addr eth_dst = { { 0x33, 0x33, 0xff, target[13], target[14],
		        target[15] } };
	bool dad = memcmp(src, unspecified, sizeof(unspecified)) == 0;
	struct nd_frame *f;
	struct rte_mbuf *m;
	void *payload;

	m = new_frame(mp, &eth_dst, eth_src, vlan_tci, RTE_ETHER_TYPE_IPV6,
	                dad ? offsetof(struct nd_frame, opt) : sizeof(*f), &payload);
	if (m == NULL)
		return NULL;
	f = payload;
	f->msg.type = ND_NS;
	memcpy(f->msg.target, target, sizeof(f->msg.target));
	finish_nd(f, src, group, dad ? 0 : ND_OPT_SRC_LLADDR, eth_src);
	return m;
}

struct rte_mbuf *
tp_pkt_build_na(struct rte_mempool *mp, uint16_t vlan_tci, const struct rte_ether_addr *eth_dst,
                const struct rte_ether_addr *eth_src, const uint8_t src[16], const uint8_t dst[16],
                const uint8_t target[16], uint8_t flags)
{
	struct nd_frame *f;
	struct rte_mbuf *m;
	void *payload;

	m = new_frame(mp, eth_dst, eth_src, vlan_tci, RTE_ETHER_TYPE_IPV6, sizeof(*f), &payload);
	if (m == NULL)
		return NULL;
	f = payload;
	f->msg.type = ND_NA;
	f->msg.flags = flags;
	memcpy(f->msg.target, target, sizeof(f->msg.target));
	finish_nd(f, src, dst, ND_OPT_DST_LLADDR, eth_src);
	return m;
}

struct rte_mbuf *
tp_pkt_copy(const struct rte_mbuf *m, struct rte_mempool *mp)
{
	if (m->pkt_len + RTE_PKTMBUF_HEADROOM > rte_pktmbuf_data_room_size(mp))
		return NULL;
	return rte_pktmbuf_copy(m, mp, 0, UINT32_MAX);
}
