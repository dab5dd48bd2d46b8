/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* ARP (RFC 826, 5227) and ND (RFC 4861, 4862) frames as they come from the wire: checked, then
 * answered, and what they say is handed on.
 */

#include <netinet/icmp6.h>
#include <netinet/in.h>

#include <rte_arp.h>

#include "inet_int.h"

#define ND_HOP_LIMIT 255
/* Longer ND messages than this are read no further: none has so many options. */
#define ND_MAX 1232
#define OPT_SRC_LLADDR 1
#define OPT_DST_LLADDR 2
#define NA_F_ROUTER 0x80
#define NA_F_SOLICITED 0x40
#define NA_F_OVERRIDE 0x20

/* A frame and where it came from. */
struct heard {
	struct tp_inet *inet;
	uint8_t member;
	uint64_t now;
	struct rte_ether_addr eth_src;
};

/* ---- answers ------------------------------------------------------------------------ */

/* @return the address of ours that is asked for, if it is for us to answer */
static struct inet_addr *
answerable(const struct heard *h, const uint8_t target[TP_INET_LEN])
{
	struct inet_addr *a = inet_addr_find(h->inet, target);

	if (a == NULL || a->state != TP_INET_PREFERRED || !h->inet->conf.answer)
		return NULL;
	if (!inet_bucket_take(&h->inet->answers, h->now)) {
		h->inet->mib[TP_INET_M_NEIGH_ANSWER_LIMIT]++;
		return NULL;
	}
	return a;
}

static void
answer_arp(const struct heard *h, const struct inet_addr *a, const struct rte_arp_ipv4 *arp)
{
	const struct tp_inet_conf *conf = &h->inet->conf;

	h->inet->mib[TP_INET_M_NEIGH_ANSWERED]++;
	inet_send(h->inet,
	                tp_pkt_build_arp(conf->pool, RTE_ARP_OP_REPLY, conf->vlan_tci,
	                                &arp->arp_sha, &conf->mac, tp_inet_v4(a->addr),
	                                &arp->arp_sha, arp->arp_sip),
	                h->member);
}

/* RFC 4861 7.2.4: who asks from :: gets its answer by the group of all nodes. */
static void
answer_ns(const struct heard *h, const struct inet_addr *a, const uint8_t src[TP_INET_LEN],
                const struct rte_ether_addr *mac)
{
	static const struct rte_ether_addr all_nodes_mac = { { 0x33, 0x33, 0, 0, 0, 1 } };
	static const uint8_t all_nodes[TP_INET_LEN] = { 0xff, 0x02, [15] = 1 };
	const struct tp_inet_conf *conf = &h->inet->conf;
	bool probe = inet_is_zero(src);

	h->inet->mib[TP_INET_M_NEIGH_ANSWERED]++;
	inet_send(h->inet,
	                tp_pkt_build_na(conf->pool, conf->vlan_tci, probe ? &all_nodes_mac : mac,
	                                &conf->mac, a->addr, probe ? all_nodes : src, a->addr,
	                                NA_F_OVERRIDE | (probe ? 0 : NA_F_SOLICITED)),
	                h->member);
}

/* ---- ARP --------------------------------------------------------------------------- */

static bool
is_arp_good(const struct rte_arp_hdr *arp)
{
	uint16_t op = rte_be_to_cpu_16(arp->arp_opcode);

	return arp->arp_hardware == RTE_BE16(RTE_ARP_HRD_ETHER) &&
	       arp->arp_protocol == RTE_BE16(RTE_ETHER_TYPE_IPV4) &&
	       arp->arp_hlen == RTE_ETHER_ADDR_LEN && arp->arp_plen == sizeof(rte_be32_t) &&
	       (op == RTE_ARP_OP_REQUEST || op == RTE_ARP_OP_REPLY) &&
	       rte_is_valid_assigned_ether_addr(&arp->arp_data.arp_sha);
}

/* RFC 5227 2.1.1: someone uses, or probes for, an address of ours. @return true: done with it */
static bool
arp_conflict(const struct heard *h, const struct rte_arp_ipv4 *arp, bool request)
{
	uint8_t addr[TP_INET_LEN];
	struct inet_addr *a;

	tp_inet_map_v4(addr, arp->arp_sip != 0 ? arp->arp_sip : arp->arp_tip);
	a = inet_addr_find(h->inet, addr);
	if (a == NULL)
		return false;
	if (arp->arp_sip != 0) {
		inet_addr_conflict(h->inet, a, &arp->arp_sha, h->now);
		return true;
	}
	/* A probe for an address that is ours is answered. */
	if (!request || a->state != TP_INET_TENTATIVE)
		return false;
	inet_addr_conflict(h->inet, a, &arp->arp_sha, h->now);
	return true;
}

static void
heard_arp(const struct heard *h, const struct rte_arp_hdr *arp)
{
	const struct rte_arp_ipv4 *d = &arp->arp_data;
	bool request = arp->arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST);
	uint8_t sender[TP_INET_LEN], target[TP_INET_LEN];
	enum inet_hint hint = INET_HINT_UPDATE;
	struct inet_addr *ours;

	if (!is_arp_good(arp)) {
		h->inet->mib[TP_INET_M_NEIGH_INVALID]++;
		return;
	}
	if (rte_is_same_ether_addr(&d->arp_sha, &h->inet->conf.mac) || arp_conflict(h, d, request))
		return;
	tp_inet_map_v4(sender, d->arp_sip);
	tp_inet_map_v4(target, d->arp_tip);
	ours = inet_addr_find(h->inet, target);
	if (ours != NULL)
		hint = request ? INET_HINT_QUESTION : INET_HINT_ANSWER;
	if (d->arp_sip != 0)
		inet_neigh_heard(h->inet, sender, &d->arp_sha, hint, false, h->now);
	if (ours != NULL && request && answerable(h, target) != NULL)
		answer_arp(h, ours, d);
}

/* ---- ND ------------------------------------------------------------------------------ */

/* An ND message that was checked; len bytes, at least 24. */
struct nd {
	const uint8_t *src, *dst;
	const uint8_t *msg;
	uint32_t len;
	struct rte_ether_addr lladdr; /* of the option that belongs to its type */
	bool has_lladdr;
};

/* RFC 4861 4.6: lengths in units of 8, none 0. An address that no host has would make us send to
 * whom its sender chooses.
 */
static bool
read_options(struct nd *nd, uint32_t from, uint8_t wanted)
{
	uint32_t off, len;

	for (off = from; off + 2 <= nd->len; off += len) {
		len = nd->msg[off + 1] * 8u;
		if (len == 0 || off + len > nd->len)
			return false;
		if (nd->msg[off] == wanted && len == 8) {
			memcpy(&nd->lladdr, nd->msg + off + 2, sizeof(nd->lladdr));
			nd->has_lladdr = true;
		}
	}
	return off == nd->len && (!nd->has_lladdr || rte_is_valid_assigned_ether_addr(&nd->lladdr));
}

/* RFC 4861 7.1.1 */
static bool
is_ns_good(struct nd *nd)
{
	bool probe = inet_is_zero(nd->src);

	if (nd->len < sizeof(struct nd_neighbor_solicit) || nd->msg[8] == 0xff ||
	                !read_options(nd, sizeof(struct nd_neighbor_solicit), OPT_SRC_LLADDR))
		return false;
	if (!probe)
		return inet_is_unicast(nd->src);
	return !nd->has_lladdr && nd->dst[0] == 0xff && nd->dst[11] == 1 && nd->dst[12] == 0xff;
}

static void
heard_ns(const struct heard *h, struct nd *nd)
{
	const uint8_t *target = nd->msg + offsetof(struct nd_neighbor_solicit, nd_ns_target);
	struct inet_addr *ours = inet_addr_find(h->inet, target);
	bool probe = inet_is_zero(nd->src);

	if (!is_ns_good(nd)) {
		h->inet->mib[TP_INET_M_NEIGH_INVALID]++;
		return;
	}
	if (probe && ours != NULL && ours->state == TP_INET_TENTATIVE) {
		inet_addr_conflict(h->inet, ours, &h->eth_src, h->now);
		return;
	}
	if (nd->has_lladdr)
		inet_neigh_heard(h->inet, nd->src, &nd->lladdr,
		                ours != NULL ? INET_HINT_QUESTION : INET_HINT_UPDATE, false,
		                h->now);
	if (ours != NULL && answerable(h, target) != NULL)
		answer_ns(h, ours, nd->src, nd->has_lladdr ? &nd->lladdr : &h->eth_src);
}

/* RFC 4861 7.1.2, 7.2.5 */
static void
heard_na(const struct heard *h, struct nd *nd)
{
	const uint8_t *target = nd->msg + offsetof(struct nd_neighbor_advert, nd_na_target);
	enum inet_hint hint = INET_HINT_WEAK;
	struct inet_addr *ours;
	uint8_t flags = nd->msg[4];
	uint64_t word;

	if (nd->len < sizeof(struct nd_neighbor_advert) || target[0] == 0xff ||
	                (nd->dst[0] == 0xff && (flags & NA_F_SOLICITED)) ||
	                !read_options(nd, sizeof(struct nd_neighbor_advert), OPT_DST_LLADDR)) {
		h->inet->mib[TP_INET_M_NEIGH_INVALID]++;
		return;
	}
	ours = inet_addr_find(h->inet, target);
	if (ours != NULL) {
		inet_addr_conflict(h->inet, ours, &h->eth_src, h->now);
		return;
	}
	if (flags & NA_F_SOLICITED)
		hint = INET_HINT_ANSWER;
	else if (flags & NA_F_OVERRIDE)
		hint = INET_HINT_UPDATE;
	/* Only the answer to a question that was asked of one host alone may leave its MAC out. */
	if (!nd->has_lladdr && (inet_neigh_find(h->inet, target, &word) == NO_INDEX ||
	                                       word_state(word) != TP_INET_NEIGH_PROBE)) {
		h->inet->mib[TP_INET_M_NEIGH_IGNORED]++;
		return;
	}
	inet_neigh_heard(h->inet, target, nd->has_lladdr ? &nd->lladdr : &h->eth_src, hint,
	                flags & NA_F_ROUTER, h->now);
}

/* RFC 4861 6.1.2 */
static void
heard_ra(const struct heard *h, struct nd *nd)
{
	if (nd->len < sizeof(struct nd_router_advert) || !inet_is_link_local(nd->src) ||
	                !read_options(nd, sizeof(struct nd_router_advert), OPT_SRC_LLADDR)) {
		h->inet->mib[TP_INET_M_NEIGH_INVALID]++;
		return;
	}
	if (!h->inet->conf.accept_ra) {
		h->inet->mib[TP_INET_M_RA_IGNORED]++;
		return;
	}
	inet_router_heard(h->inet);
	inet_route_advertised(h->inet, nd->src, nd->msg[6] << 8 | nd->msg[7], h->now);
}

static void
heard_nd(const struct heard *h, const struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	uint8_t copy[sizeof(struct rte_ipv6_hdr) + ND_MAX];
	const struct rte_ipv6_hdr *ip;
	uint32_t len = info->end_off - info->l4_off;
	struct nd nd;

	/* ND behind extension headers is nobody's honest ND (RFC 6980). */
	ip = len > ND_MAX || info->l4_off != info->l3_off + sizeof(*ip)
	                     ? NULL
	                     : rte_pktmbuf_read(m, info->l3_off, sizeof(*ip) + len, copy);
	if (ip == NULL || ip->hop_limits != ND_HOP_LIMIT ||
	                rte_be_to_cpu_16(ip->payload_len) != len) {
		h->inet->mib[TP_INET_M_NEIGH_INVALID]++;
		return;
	}
	nd = (struct nd){ .src = ip->src_addr,
		.dst = ip->dst_addr,
		.msg = (const uint8_t *)(ip + 1),
		.len = len };
	if (len < 8 || nd.msg[1] != 0 || rte_ipv6_udptcp_cksum_verify(ip, nd.msg) != 0) {
		h->inet->mib[TP_INET_M_NEIGH_INVALID]++;
		return;
	}
	switch (nd.msg[0]) {
	case ND_NEIGHBOR_SOLICIT:
		heard_ns(h, &nd);
		break;
	case ND_NEIGHBOR_ADVERT:
		heard_na(h, &nd);
		break;
	case ND_ROUTER_ADVERT:
		heard_ra(h, &nd);
		break;
	}
}

/* ---- frames --------------------------------------------------------------------------- */

/* In the team's VLAN; a priority tag is none. */
static bool
is_our_vlan(const struct tp_inet *inet, const struct tp_pkt_info *info)
{
	uint16_t vid = info->flags & TP_PKT_F_VLAN ? info->vlan_tci & VID_MASK : 0;

	return (info->flags & TP_PKT_F_QINQ) == 0 && vid == (inet->conf.vlan_tci & VID_MASK);
}

void
tp_inet_heard(struct tp_inet *inet, const struct rte_mbuf *m, const struct tp_pkt_info *info,
                uint8_t member, uint64_t now)
{
	struct heard h = { .inet = inet, .member = member, .now = now };
	const struct rte_ether_hdr *eth;
	const struct rte_arp_hdr *arp;
	union {
		struct rte_ether_hdr eth;
		struct rte_arp_hdr arp;
	} copy;

	if ((info->flags & TP_PKT_F_NEIGH) == 0 || (info->flags & TP_PKT_F_BAD) ||
	                !is_our_vlan(inet, info))
		return;
	eth = rte_pktmbuf_read(m, 0, sizeof(*eth), &copy);
	if (eth == NULL || !rte_is_valid_assigned_ether_addr(&eth->src_addr) ||
	                rte_is_same_ether_addr(&eth->src_addr, &inet->conf.mac))
		return;
	h.eth_src = eth->src_addr;
	if (info->l3 == TP_L3_IPV6) {
		heard_nd(&h, m, info);
		return;
	}
	arp = rte_pktmbuf_read(m, info->l3_off, sizeof(*arp), &copy);
	if (arp != NULL)
		heard_arp(&h, arp);
}
