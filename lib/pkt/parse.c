/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <netinet/in.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_prefetch.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "tp_pkt.h"

#define ETHER_TYPE_FCOE 0x8906
#define ETHER_TYPE_QINQ_OLD 0x9100
#define FCOE_HDRS_LEN (14 + 24)
#define ARP_LEN sizeof(struct rte_arp_hdr)
#define IP_FRAG_BITS (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)
#define IPV6_FRAG_BITS 0xfff9 /* offset and M, without the two reserved bits */
#define IPV6_MAX_EXT 8
#define SCTP_HDR_LEN 12
#define ICMP_HDR_LEN 8
#define IGMP_HDR_LEN 8

#define STRIPPED (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

/** Frames whose headers are fetched ahead of the one that is parsed. */
#define PREFETCH_AHEAD 4

/* A frame and how far it may be read: to its end, later to the end its IP header tells. */
struct reader {
	const struct rte_mbuf *m;
	uint32_t end;
};

/* n bytes at off, in place or, when they span segments, copied. NULL: not all there. */
static inline const void *
look(const struct reader *r, uint32_t off, uint32_t n, void *copy)
{
	return off + n > r->end ? NULL : rte_pktmbuf_read(r->m, off, n, copy);
}

/* Believe the length that an IP header tells, as far as the frame goes. */
static void
set_end(struct reader *r, struct tp_pkt_info *info, uint32_t end)
{
	if (end > r->end)
		info->flags |= TP_PKT_F_BAD;
	else
		r->end = end;
	info->end_off = RTE_MIN(r->end, (uint32_t)UINT16_MAX);
}

/* ---- Ethernet ------------------------------------------------------------- */

static uint16_t
eth_dst_flags(const struct rte_ether_addr *dst)
{
	static const uint8_t link_local[] = { 0x01, 0x80, 0xc2, 0x00, 0x00 };

	if (!rte_is_multicast_ether_addr(dst))
		return 0;
	if (rte_is_broadcast_ether_addr(dst))
		return TP_PKT_F_MULTICAST | TP_PKT_F_BROADCAST;
	if (memcmp(dst, link_local, sizeof(link_local)) == 0 && dst->addr_bytes[5] < 0x10)
		return TP_PKT_F_MULTICAST | TP_PKT_F_LINK_LOCAL;
	return TP_PKT_F_MULTICAST;
}

/* Tags are noted from the outermost inwards. */
static void
note_tag(struct tp_pkt_info *info, uint16_t tci)
{
	if ((info->flags & TP_PKT_F_VLAN) == 0) {
		info->flags |= TP_PKT_F_VLAN;
		info->vlan_tci = tci;
	} else {
		info->flags |= TP_PKT_F_QINQ;
		info->vlan_tci_inner = tci;
	}
}

static bool
is_tag(rte_be16_t type)
{
	return type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || type == RTE_BE16(RTE_ETHER_TYPE_QINQ) ||
	       type == RTE_BE16(ETHER_TYPE_QINQ_OLD);
}

/* @return the EtherType behind the tags, 0 when a tag is cut off */
static rte_be16_t
parse_tags(const struct reader *r, struct tp_pkt_info *info, rte_be16_t type)
{
	const struct rte_vlan_hdr *tag;
	struct rte_vlan_hdr copy;

	if (r->m->ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED)
		note_tag(info, r->m->vlan_tci_outer);
	if (r->m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
		note_tag(info, r->m->vlan_tci);
	while (is_tag(type) && (info->flags & TP_PKT_F_QINQ) == 0) {
		tag = look(r, info->l3_off, sizeof(*tag), &copy);
		if (tag == NULL) {
			info->flags |= TP_PKT_F_BAD;
			return 0;
		}
		note_tag(info, rte_be_to_cpu_16(tag->vlan_tci));
		info->l3_off += sizeof(*tag);
		type = tag->eth_proto;
	}
	return type;
}

/* ---- transport ------------------------------------------------------------ */

/* @return bytes of TCP header, 0 when its offset field lies */
static uint32_t
tcp_len(const struct reader *r, uint32_t off)
{
	const struct rte_tcp_hdr *tcp;
	struct rte_tcp_hdr copy;
	uint32_t len;

	tcp = look(r, off, sizeof(*tcp), &copy);
	if (tcp == NULL)
		return 0;
	len = (tcp->data_off >> 4) * 4;
	return len < sizeof(*tcp) || off + len > r->end ? 0 : len;
}

/* A UDP length beyond the packet leaves a whole header, so that only BAD tells. */
static uint32_t
udp_len(const struct reader *r, struct tp_pkt_info *info, uint32_t off)
{
	const struct rte_udp_hdr *udp;
	struct rte_udp_hdr copy;
	uint32_t dgram_len;

	udp = look(r, off, sizeof(*udp), &copy);
	if (udp == NULL)
		return 0;
	dgram_len = rte_be_to_cpu_16(udp->dgram_len);
	if (dgram_len < sizeof(*udp) || off + dgram_len > r->end)
		info->flags |= TP_PKT_F_BAD;
	return sizeof(*udp);
}

static uint32_t
icmpv6_len(const struct reader *r, struct tp_pkt_info *info, uint32_t off)
{
	const uint8_t *type;
	uint8_t copy[ICMP_HDR_LEN];

	type = look(r, off, ICMP_HDR_LEN, copy);
	if (type == NULL)
		return 0;
	if (info->l3 == TP_L3_IPV6 && *type >= 133 && *type <= 137)
		info->flags |= TP_PKT_F_NEIGH;
	if (info->l3 == TP_L3_IPV6 && ((*type >= 130 && *type <= 132) || *type == 143))
		info->flags |= TP_PKT_F_GROUP;
	return ICMP_HDR_LEN;
}

static void
parse_igmp(const struct reader *r, struct tp_pkt_info *info, uint32_t off)
{
	if (off + IGMP_HDR_LEN > r->end)
		info->flags |= TP_PKT_F_BAD;
	else if (info->l3 == TP_L3_IPV4)
		info->flags |= TP_PKT_F_GROUP;
}

static void
parse_l4(const struct reader *r, struct tp_pkt_info *info, uint32_t off)
{
	uint32_t len;

	info->l4_off = off;
	switch (info->l4_proto) {
	case IPPROTO_TCP:
		len = tcp_len(r, off);
		break;
	case IPPROTO_UDP:
		len = udp_len(r, info, off);
		break;
	case IPPROTO_SCTP:
		len = off + SCTP_HDR_LEN > r->end ? 0 : SCTP_HDR_LEN;
		break;
	case IPPROTO_ICMP:
		len = off + ICMP_HDR_LEN > r->end ? 0 : ICMP_HDR_LEN;
		break;
	case IPPROTO_ICMPV6:
		len = icmpv6_len(r, info, off);
		break;
	case IPPROTO_IGMP:
		parse_igmp(r, info, off);
		return;
	default:
		return;
	}
	if (len == 0) {
		info->flags |= TP_PKT_F_BAD;
		return;
	}
	info->flags |= TP_PKT_F_L4;
	info->data_off = off + len;
}

/* ---- network -------------------------------------------------------------- */

static void
parse_ipv4(struct reader *r, struct tp_pkt_info *info)
{
	const struct rte_ipv4_hdr *ip;
	struct rte_ipv4_hdr copy;
	uint32_t hdr_len, total_len;

	ip = look(r, info->l3_off, sizeof(*ip), &copy);
	if (ip == NULL || ip->version_ihl >> 4 != 4) {
		info->flags |= TP_PKT_F_BAD;
		return;
	}
	info->l3 = TP_L3_IPV4;
	hdr_len = (ip->version_ihl & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
	total_len = rte_be_to_cpu_16(ip->total_length);
	if (hdr_len < sizeof(*ip) || total_len < hdr_len || info->l3_off + hdr_len > r->end) {
		info->flags |= TP_PKT_F_BAD;
		return;
	}
	set_end(r, info, info->l3_off + total_len);
	info->l4_proto = ip->next_proto_id;
	if (ip->fragment_offset & RTE_BE16(IP_FRAG_BITS))
		info->flags |= TP_PKT_F_FRAG;
	else
		parse_l4(r, info, info->l3_off + hdr_len);
}

static bool
is_ext(uint8_t proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_DSTOPTS ||
	       proto == IPPROTO_FRAGMENT || proto == IPPROTO_AH;
}

static uint32_t
ext_len(uint8_t proto, uint8_t len_field)
{
	if (proto == IPPROTO_FRAGMENT)
		return 8;
	return proto == IPPROTO_AH ? (len_field + 2) * 4 : (len_field + 1) * 8;
}

/* Walk IPv6 extension headers (RFC 8200 4).
 * @param proto in: the first header's type; out: what follows the last
 * @return where that is, 0 when the chain is cut off or longer than the limit
 */
static uint32_t
skip_ext(const struct reader *r, struct tp_pkt_info *info, uint32_t off, uint8_t *proto)
{
	const uint8_t *ext;
	uint8_t copy[8];

	for (int n = 0; is_ext(*proto); n++) {
		ext = n < IPV6_MAX_EXT ? look(r, off, sizeof(copy), copy) : NULL;
		if (ext == NULL)
			return 0;
		if (*proto == IPPROTO_ROUTING && ext[3] != 0)
			info->flags |= TP_PKT_F_ROUTED;
		if (*proto == IPPROTO_FRAGMENT && ((ext[2] << 8 | ext[3]) & IPV6_FRAG_BITS) != 0)
			info->flags |= TP_PKT_F_FRAG;
		off += ext_len(*proto, ext[1]);
		if (off > r->end)
			return 0;
		*proto = ext[0];
		/* What a fragment holds need not begin with a header. */
		if (info->flags & TP_PKT_F_FRAG)
			break;
	}
	return off;
}

static void
parse_ipv6(struct reader *r, struct tp_pkt_info *info)
{
	const struct rte_ipv6_hdr *ip;
	struct rte_ipv6_hdr copy;
	uint32_t off;
	uint8_t proto;

	ip = look(r, info->l3_off, sizeof(*ip), &copy);
	if (ip == NULL || (ip->vtc_flow & RTE_BE32(0xf0000000)) != RTE_BE32(0x60000000)) {
		info->flags |= TP_PKT_F_BAD;
		return;
	}
	info->l3 = TP_L3_IPV6;
	proto = ip->proto;
	off = info->l3_off + sizeof(*ip);
	set_end(r, info, off + rte_be_to_cpu_16(ip->payload_len));
	off = skip_ext(r, info, off, &proto);
	if (off == 0) {
		info->flags |= TP_PKT_F_BAD;
		return;
	}
	info->l4_proto = proto;
	if ((info->flags & TP_PKT_F_FRAG) == 0)
		parse_l4(r, info, off);
}

static void
parse_arp(const struct reader *r, struct tp_pkt_info *info)
{
	/* Hardware Ethernet, protocol IPv4, and the lengths of their addresses. */
	static const uint8_t ours[] = { 0, 1, 0x08, 0, RTE_ETHER_ADDR_LEN, sizeof(rte_be32_t) };
	uint8_t copy[sizeof(ours)];
	const uint8_t *arp;

	if (info->l3_off + ARP_LEN > r->end) {
		info->flags |= TP_PKT_F_BAD;
		return;
	}
	info->l3 = TP_L3_ARP;
	arp = look(r, info->l3_off, sizeof(copy), copy);
	if (arp != NULL && memcmp(arp, ours, sizeof(ours)) == 0)
		info->flags |= TP_PKT_F_NEIGH;
	else
		info->flags |= TP_PKT_F_BAD;
}

/* Protocols of which only the presence of their first bytes counts. */
static void
parse_fixed(const struct reader *r, struct tp_pkt_info *info, enum tp_l3 l3, uint32_t len)
{
	if (info->l3_off + len > r->end)
		info->flags |= TP_PKT_F_BAD;
	else
		info->l3 = l3;
}

/* ---- frames --------------------------------------------------------------- */

static void
parse_l3(struct reader *r, struct tp_pkt_info *info, rte_be16_t type)
{
	switch (type) {
	case RTE_BE16(RTE_ETHER_TYPE_IPV4):
		parse_ipv4(r, info);
		break;
	case RTE_BE16(RTE_ETHER_TYPE_IPV6):
		parse_ipv6(r, info);
		break;
	case RTE_BE16(RTE_ETHER_TYPE_ARP):
		parse_arp(r, info);
		break;
	case RTE_BE16(ETHER_TYPE_FCOE):
		parse_fixed(r, info, TP_L3_FCOE, FCOE_HDRS_LEN);
		break;
	case RTE_BE16(RTE_ETHER_TYPE_SLOW):
		parse_fixed(r, info, TP_L3_SLOW, 1);
		break;
	case RTE_BE16(RTE_ETHER_TYPE_LLDP):
		parse_fixed(r, info, TP_L3_LLDP, 2);
		break;
	}
}

/* Out of line, so that the short way needs no registers saved. */
__rte_noinline void
tp_pkt_parse_odd(const struct rte_mbuf *m, struct tp_pkt_info *info)
{
	struct reader r = { .m = m, .end = m->pkt_len };
	struct rte_ether_hdr eth;
	const void *at;

	*info = (struct tp_pkt_info){ .end_off = RTE_MIN(r.end, (uint32_t)UINT16_MAX) };
	at = look(&r, 0, sizeof(eth), &eth);
	if (at == NULL) {
		info->flags = TP_PKT_F_RUNT;
		return;
	}
	/* A frame may begin at an odd address; the header's type may not. */
	if (at != &eth)
		memcpy(&eth, at, sizeof(eth));
	info->flags = eth_dst_flags(&eth.dst_addr);
	info->l3_off = sizeof(eth);
	parse_l3(&r, info, parse_tags(&r, info, eth.ether_type));
}

/* ---- plain frames ----------------------------------------------------------- */

/* What tells IPv4 without options and IPv6 without extension headers, where things are, as
 * offsets into the frame, and what is the same for all such frames.
 */
struct plain {
	rte_be32_t mask, value; /* of EtherType and the first two bytes of the header */
	rte_be16_t frag_mask;   /* at FRAG_AT */
	uint8_t len_at;         /* 16 bits of length */
	uint8_t len_from;       /* what that length is counted from */
	uint8_t proto_at;
	uint8_t l4_off;
	struct tp_pkt_info info;
};

#define TYPE_AT (2 * RTE_ETHER_ADDR_LEN)
#define FRAG_AT (RTE_ETHER_HDR_LEN + offsetof(struct rte_ipv4_hdr, fragment_offset))
#define PLAIN_INFO(l3_, hdr_len)                                                                   \
	{                                                                                          \
		.flags = TP_PKT_F_L4, .l3 = l3_, .l3_off = RTE_ETHER_HDR_LEN,                      \
		.l4_off = RTE_ETHER_HDR_LEN + hdr_len                                              \
	}

static const struct plain plain[] = {
	{
	                .mask = RTE_BE32(0xffffff00),
	                .value = RTE_BE32(RTE_ETHER_TYPE_IPV4 << 16 | RTE_IPV4_VHL_DEF << 8),
	                .frag_mask = RTE_BE16(IP_FRAG_BITS),
	                .len_at = RTE_ETHER_HDR_LEN + offsetof(struct rte_ipv4_hdr, total_length),
	                .len_from = RTE_ETHER_HDR_LEN,
	                .proto_at = RTE_ETHER_HDR_LEN +
	                            offsetof(struct rte_ipv4_hdr, next_proto_id),
	                .l4_off = RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr),
	                .info = PLAIN_INFO(TP_L3_IPV4, sizeof(struct rte_ipv4_hdr)),
	},
	{
	                .mask = RTE_BE32(0xfffff000),
	                .value = RTE_BE32((uint32_t)RTE_ETHER_TYPE_IPV6 << 16 | 0x6000),
	                .len_at = RTE_ETHER_HDR_LEN + offsetof(struct rte_ipv6_hdr, payload_len),
	                .len_from = RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv6_hdr),
	                .proto_at = RTE_ETHER_HDR_LEN + offsetof(struct rte_ipv6_hdr, proto),
	                .l4_off = RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv6_hdr),
	                .info = PLAIN_INFO(TP_L3_IPV6, sizeof(struct rte_ipv6_hdr)),
	},
};

static inline rte_be16_t
wire16_at(const uint8_t *p)
{
	rte_be16_t be;

	memcpy(&be, p, sizeof(be));
	return be;
}

static inline rte_be32_t
wire32_at(const uint8_t *p)
{
	rte_be32_t be;

	memcpy(&be, p, sizeof(be));
	return be;
}

/* The bulk of all traffic: untagged unicast TCP and UDP, whole, without IP options and
 * extension headers, headers in the first segment. What it takes it reports just as
 * tp_pkt_parse_odd() does, which takes the rest. IPv4 or IPv6, TCP or UDP: which one is next no CPU
 * can predict, so that the only branches are those that plain frames never take.
 */
static inline bool
parse_plain(const struct rte_mbuf *m, struct tp_pkt_info *info)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *), *l4;
	uint32_t end, hdr_len, dgram_len;
	const struct plain *is;
	bool tcp, udp, ok;

	if (m->data_len < plain[0].l4_off + sizeof(struct rte_tcp_hdr) ||
	                (m->ol_flags & STRIPPED) != 0 || (p[0] & RTE_ETHER_GROUP_ADDR) != 0)
		return false;
	is = &plain[p[TYPE_AT] == RTE_ETHER_TYPE_IPV6 >> 8];
	if (m->data_len < is->l4_off + sizeof(struct rte_tcp_hdr))
		return false;

	l4 = p + is->l4_off;
	end = is->len_from + rte_be_to_cpu_16(wire16_at(p + is->len_at));
	tcp = p[is->proto_at] == IPPROTO_TCP;
	udp = p[is->proto_at] == IPPROTO_UDP;
	hdr_len = tcp * (l4[offsetof(struct rte_tcp_hdr, data_off)] >> 4) * 4 + udp * 8;
	dgram_len = rte_be_to_cpu_16(wire16_at(l4 + offsetof(struct rte_udp_hdr, dgram_len)));
	ok = (wire32_at(p + TYPE_AT) & is->mask) == is->value;
	ok &= (wire16_at(p + FRAG_AT) & is->frag_mask) == 0;
	ok &= (end <= m->pkt_len) & (end <= UINT16_MAX);
	/* Of any other protocol hdr_len is 0. */
	ok &= (hdr_len >= 8u + tcp * 12) & (is->l4_off + hdr_len <= end);
	ok &= tcp | ((dgram_len >= 8) & (is->l4_off + dgram_len <= end));
	if (!ok)
		return false;
	*info = is->info;
	info->l4_proto = p[is->proto_at];
	info->data_off = is->l4_off + hdr_len;
	info->end_off = end;
	return true;
}

void
tp_pkt_parse(const struct rte_mbuf *m, struct tp_pkt_info *info)
{
	if (!parse_plain(m, info))
		tp_pkt_parse_odd(m, info);
}

void
tp_pkt_parse_burst(struct rte_mbuf *const *pkts, uint16_t nb_pkts, struct tp_pkt_info *info)
{
	for (uint16_t i = 0; i < nb_pkts; i++) {
		if (i + PREFETCH_AHEAD < nb_pkts)
			rte_prefetch0(rte_pktmbuf_mtod(pkts[i + PREFETCH_AHEAD], const void *));
		tp_pkt_parse(pkts[i], &info[i]);
	}
}
