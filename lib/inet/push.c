/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Headers in front of a TCP segment. The way to the destination is eight bytes in the connection;
 * with them the headers are a few stores, and the neighbour's MAC is always the present one.
 */

#include <netinet/in.h>

#include "inet_int.h"

#define TTL 64
#define WORD_NONE 0 /* an entry's word is never that: FREE is not handed out */

/* ---- the way ---------------------------------------------------------------------- */

/* Look the way up. @return the neighbour's word, WORD_NONE: none is known */
static __rte_noinline uint64_t
find_way(const struct tp_inet *inet, const struct inet_view *v, struct tp_inet_dst *dst,
                const uint8_t raddr[TP_INET_LEN], bool *has_route)
{
	uint8_t next_hop[TP_INET_LEN];
	uint64_t word;
	uint32_t i;

	*dst = (struct tp_inet_dst){ .version = v->version };
	*has_route = inet_route_lookup(v, raddr, next_hop) == 0;
	if (!*has_route)
		return WORD_NONE;
	i = inet_neigh_find(inet, next_hop, &word);
	if (i == NO_INDEX)
		return WORD_NONE;
	dst->neigh = i + 1;
	dst->gen = word_gen(word);
	return word;
}

/* @return the neighbour's word, WORD_NONE: look it up again */
static inline uint64_t
known_way(const struct tp_inet *inet, const struct inet_view *v, const struct tp_inet_dst *dst)
{
	uint64_t word;

	if (dst->neigh == 0 || dst->version != v->version)
		return WORD_NONE;
	word = atomic_load_explicit(&inet->neigh[dst->neigh - 1].word, memory_order_relaxed);
	if (word_gen(word) != dst->gen || word_state(word) == TP_INET_NEIGH_FREE)
		return WORD_NONE;
	return word;
}

static inline void
note_use(const struct tp_inet *inet, const struct tp_inet_dst *dst, uint32_t flag)
{
	_Atomic uint32_t *use = &inet->neigh[dst->neigh - 1].use;

	/* It is set far more often than cleared: a load leaves the line where it is. */
	if ((atomic_load_explicit(use, memory_order_relaxed) & flag) == 0)
		atomic_fetch_or_explicit(use, flag, memory_order_relaxed);
}

void
tp_inet_confirm(const struct tp_inet_worker *w, const struct tp_inet_dst *dst)
{
	const struct tp_inet *inet = w->conf.inet;

	if (known_way(inet, inet_view(inet), dst) != WORD_NONE)
		note_use(inet, dst, USE_CONFIRMED);
}

/* ---- headers ---------------------------------------------------------------------- */

static inline void
write_eth(uint8_t *p, const struct inet_view *v, const struct rte_ether_addr *src,
                const struct rte_ether_addr *dst, rte_be16_t type)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)p;
	struct rte_vlan_hdr *tag = (struct rte_vlan_hdr *)(eth + 1);

	eth->dst_addr = *dst;
	eth->src_addr = *src;
	eth->ether_type = type;
	if (v->vlan_tci != 0) {
		eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
		tag->vlan_tci = rte_cpu_to_be_16(v->vlan_tci);
		tag->eth_proto = type;
	}
}

static inline void
write_ipv4(void *p, const uint8_t *laddr, const uint8_t *raddr, uint8_t tos, uint16_t len)
{
	struct rte_ipv4_hdr *ip = p;

	/* An identification of 0: with DF it means nothing (RFC 6864 4.1). */
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = tos,
		.total_length = rte_cpu_to_be_16(sizeof(*ip) + len),
		.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = TTL,
		.next_proto_id = IPPROTO_TCP,
		.src_addr = tp_inet_v4(laddr),
		.dst_addr = tp_inet_v4(raddr),
	};
}

static inline void
write_ipv6(void *p, const uint8_t *laddr, const uint8_t *raddr, uint8_t tos, uint16_t len)
{
	struct rte_ipv6_hdr *ip = p;

	ip->vtc_flow = rte_cpu_to_be_32(UINT32_C(6) << 28 | (uint32_t)tos << 20);
	ip->payload_len = rte_cpu_to_be_16(len);
	ip->proto = IPPROTO_TCP;
	ip->hop_limits = TTL;
	memcpy(ip->src_addr, laddr, TP_INET_LEN);
	memcpy(ip->dst_addr, raddr, TP_INET_LEN);
}

static enum tp_inet_verdict
hand_to_control(struct tp_inet_worker *w, struct rte_mbuf *m)
{
	*tp_meta(m) = (struct tp_meta){
		.kind = TP_KIND_FRAME, .why = TP_WHY_RESOLVE, .ingress = w->conf.member
	};
	w->mib[TP_INET_M_OUT_ASK]++;
	return TP_INET_ASK;
}

static enum tp_inet_verdict
push_headers(const struct tp_inet_worker *w, const struct inet_view *v, const uint8_t *laddr,
                const uint8_t *raddr, uint8_t tos, const struct rte_ether_addr *mac,
                struct rte_mbuf *m)
{
	bool v4 = tp_inet_is_v4(raddr);
	uint16_t l2_len = RTE_ETHER_HDR_LEN + (v->vlan_tci != 0 ? sizeof(struct rte_vlan_hdr) : 0);
	uint16_t l3_len = v4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr);
	uint32_t len = m->pkt_len;
	char *p;

	if (len + l3_len > UINT16_MAX)
		return TP_INET_NO_ROOM;
	p = rte_pktmbuf_prepend(m, l2_len + l3_len);
	if (p == NULL)
		return TP_INET_NO_ROOM;
	m->l2_len = l2_len;
	m->l3_len = l3_len;
	write_eth((uint8_t *)p, v, w->conf.mac, mac,
	                v4 ? RTE_BE16(RTE_ETHER_TYPE_IPV4) : RTE_BE16(RTE_ETHER_TYPE_IPV6));
	m->ol_flags &= ~(RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_IP_CKSUM);
	if (v4) {
		write_ipv4(p + l2_len, laddr, raddr, tos, len);
		m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	} else {
		write_ipv6(p + l2_len, laddr, raddr, tos, len);
		m->ol_flags |= RTE_MBUF_F_TX_IPV6;
	}
	return TP_INET_SEND;
}

enum tp_inet_verdict
tp_inet_push(struct tp_inet_worker *w, struct tp_inet_dst *dst, const uint8_t laddr[TP_INET_LEN],
                const uint8_t raddr[TP_INET_LEN], uint8_t tos, struct rte_mbuf *m)
{
	const struct tp_inet *inet = w->conf.inet;
	const struct inet_view *v = inet_view(inet);
	uint64_t word = known_way(inet, v, dst);
	struct rte_ether_addr mac = { 0 };
	enum tp_inet_verdict verdict;
	bool has_route = true;

	if (unlikely(word == WORD_NONE))
		word = find_way(inet, v, dst, raddr, &has_route);
	if (unlikely(!has_route)) {
		w->mib[TP_INET_M_OUT_NO_ROUTES]++;
		return TP_INET_UNREACH;
	}
	switch (word_state(word)) {
	case TP_INET_NEIGH_FAILED:
		w->mib[TP_INET_M_OUT_DEAD]++;
		return TP_INET_UNREACH;
	case TP_INET_NEIGH_STALE:
		note_use(inet, dst, USE_USED);
		break;
	}
	if (word_state(word) != TP_INET_NEIGH_INCOMPLETE)
		mac = word_mac(word);
	verdict = push_headers(w, v, laddr, raddr, tos, &mac, m);
	if (unlikely(verdict == TP_INET_SEND && rte_is_zero_ether_addr(&mac)))
		return hand_to_control(w, m);
	return verdict;
}
