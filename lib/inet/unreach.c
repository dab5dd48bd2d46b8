/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* ICMP errors that the team sends (RFC 1122 3.2.2, RFC 1812 4.3.2.7, RFC 4443 2.4). */

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include "inet_int.h"

#define ICMP_HDR_LEN 8
#define TTL 64
#define MAX_V4 576 /* bytes of the whole error (RFC 1812 4.3.2.3) */
#define MAX_V6 1280
#define NEXT_HEADER_OFF 6 /* in the IPv6 header */

/* Nobody gets an error for what was sent to many, or is itself an error, or may have a sender that
 * is not one.
 */
static bool
may_answer(const struct tp_inet_worker *w, const struct rte_mbuf *m, const struct tp_pkt_info *info,
                const uint8_t src[TP_INET_LEN], const uint8_t dst[TP_INET_LEN])
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	return (info->flags & (TP_PKT_F_MULTICAST | TP_PKT_F_FRAG | TP_PKT_F_BAD)) == 0 &&
	       info->l4_proto != IPPROTO_ICMP && info->l4_proto != IPPROTO_ICMPV6 &&
	       info->l4_proto != 0 && m->data_len >= info->l3_off &&
	       rte_is_valid_assigned_ether_addr(&eth->src_addr) && inet_is_unicast(src) &&
	       tp_inet_is_local(w->conf.inet, dst) && !tp_inet_is_configured(w->conf.inet, src);
}

/* @return the ICMP header's place in a frame of len bytes of quote, NULL: no buffer */
static uint8_t *
new_error(struct tp_inet_worker *w, const struct rte_mbuf *m, const struct tp_pkt_info *info,
                uint16_t l3_len, uint16_t len, struct rte_mbuf **out)
{
	const struct rte_ether_hdr *from = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct inet_view *v = inet_view(w->conf.inet);
	uint16_t l2_len = RTE_ETHER_HDR_LEN + (v->vlan_tci != 0 ? sizeof(struct rte_vlan_hdr) : 0);
	struct rte_ether_hdr *eth;
	struct rte_vlan_hdr *tag;
	const void *quote;
	uint8_t *icmp;

	*out = rte_pktmbuf_alloc(w->conf.pool);
	eth = *out == NULL ? NULL
	                   : (void *)rte_pktmbuf_append(*out, l2_len + l3_len + ICMP_HDR_LEN + len);
	if (eth == NULL) {
		rte_pktmbuf_free(*out);
		w->mib[TP_INET_M_NO_MBUF]++;
		return NULL;
	}
	memset(eth, 0, l2_len + l3_len + ICMP_HDR_LEN);
	eth->dst_addr = from->src_addr;
	eth->src_addr = *w->conf.mac;
	eth->ether_type = info->l3 == TP_L3_IPV4 ? RTE_BE16(RTE_ETHER_TYPE_IPV4)
	                                         : RTE_BE16(RTE_ETHER_TYPE_IPV6);
	if (v->vlan_tci != 0) {
		tag = (struct rte_vlan_hdr *)(eth + 1);
		tag->vlan_tci = rte_cpu_to_be_16(v->vlan_tci);
		tag->eth_proto = eth->ether_type;
		eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
	}
	icmp = (uint8_t *)eth + l2_len + l3_len;
	quote = rte_pktmbuf_read(m, info->l3_off, len, icmp + ICMP_HDR_LEN);
	if (quote != icmp + ICMP_HDR_LEN)
		memcpy(icmp + ICMP_HDR_LEN, quote, len);
	return icmp;
}

static struct rte_mbuf *
unreach_v4(struct tp_inet_worker *w, const struct rte_mbuf *m, const struct tp_pkt_info *info,
                enum tp_inet_error_kind kind, const uint8_t *src, const uint8_t *dst)
{
	const uint16_t room = MAX_V4 - sizeof(struct rte_ipv4_hdr) - ICMP_HDR_LEN;
	uint16_t len = RTE_MIN((uint16_t)(info->end_off - info->l3_off), room);
	struct rte_ipv4_hdr *ip;
	struct rte_mbuf *out;
	uint8_t *icmp = new_error(w, m, info, sizeof(*ip), len, &out);
	uint16_t sum;

	if (icmp == NULL)
		return NULL;
	icmp[0] = ICMP_DEST_UNREACH;
	icmp[1] = kind == TP_INET_E_PORT ? ICMP_PORT_UNREACH : ICMP_PROT_UNREACH;
	sum = ~rte_raw_cksum(icmp, ICMP_HDR_LEN + len);
	memcpy(icmp + 2, &sum, sizeof(sum));
	ip = (struct rte_ipv4_hdr *)(icmp - sizeof(*ip));
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(sizeof(*ip) + ICMP_HDR_LEN + len),
		.time_to_live = TTL,
		.next_proto_id = IPPROTO_ICMP,
		.src_addr = tp_inet_v4(dst),
		.dst_addr = tp_inet_v4(src),
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	return out;
}

static struct rte_mbuf *
unreach_v6(struct tp_inet_worker *w, const struct rte_mbuf *m, const struct tp_pkt_info *info,
                enum tp_inet_error_kind kind, const uint8_t *src, const uint8_t *dst)
{
	const uint16_t room = MAX_V6 - sizeof(struct rte_ipv6_hdr) - ICMP_HDR_LEN;
	uint16_t len = RTE_MIN((uint16_t)(info->end_off - info->l3_off), room);
	struct rte_ipv6_hdr *ip;
	struct rte_mbuf *out;
	uint8_t *icmp = new_error(w, m, info, sizeof(*ip), len, &out);
	uint16_t sum;

	if (icmp == NULL)
		return NULL;
	icmp[0] = kind == TP_INET_E_PORT ? ICMP6_DST_UNREACH : ICMP6_PARAM_PROB;
	icmp[1] = kind == TP_INET_E_PORT ? ICMP6_DST_UNREACH_NOPORT : ICMP6_PARAMPROB_NEXTHEADER;
	if (kind == TP_INET_E_PROTO)
		icmp[7] = NEXT_HEADER_OFF;
	ip = (struct rte_ipv6_hdr *)(icmp - sizeof(*ip));
	ip->vtc_flow = RTE_BE32(0x60000000);
	ip->payload_len = rte_cpu_to_be_16(ICMP_HDR_LEN + len);
	ip->proto = IPPROTO_ICMPV6;
	ip->hop_limits = TTL;
	memcpy(ip->src_addr, dst, TP_INET_LEN);
	memcpy(ip->dst_addr, src, TP_INET_LEN);
	sum = rte_ipv6_udptcp_cksum(ip, icmp);
	memcpy(icmp + 2, &sum, sizeof(sum));
	return out;
}

struct rte_mbuf *
tp_inet_unreach(struct tp_inet_worker *w, const struct rte_mbuf *m, const struct tp_pkt_info *info,
                enum tp_inet_error_kind kind, uint64_t now)
{
	bool v4 = info->l3 == TP_L3_IPV4;
	uint8_t src[TP_INET_LEN], dst[TP_INET_LEN];
	struct rte_mbuf *out;

	if ((kind != TP_INET_E_PORT && kind != TP_INET_E_PROTO) ||
	                !tp_inet_ends(m, info, src, dst) || !may_answer(w, m, info, src, dst))
		return NULL;
	/* The pointer must name the field that has the unknown protocol. */
	if (!v4 && kind == TP_INET_E_PROTO &&
	                info->l4_off != info->l3_off + sizeof(struct rte_ipv6_hdr))
		return NULL;
	if (!inet_bucket_take(&w->errors, now)) {
		w->mib[TP_INET_M_OUT_LIMIT]++;
		return NULL;
	}
	out = v4 ? unreach_v4(w, m, info, kind, src, dst) : unreach_v6(w, m, info, kind, src, dst);
	if (out != NULL)
		w->mib[TP_INET_M_OUT_UNREACH]++;
	return out;
}
