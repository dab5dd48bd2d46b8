/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A reply to an ARP request or neighbour solicitation leaves by the member where the request
 * arrived: neighbours that have one interface for each of our links learn us on each of them.
 * The member's lcore notes who asked, the primary's looks it up when the host replies. Entries
 * are single words, so that a lost race costs one retry of the neighbour and nothing else.
 */

#include <string.h>

#include <rte_arp.h>
#include <rte_jhash.h>

#include "host_int.h"

/* A host's stack replies at once; later it is another question. */
#define ASKED_MAX_MS 2000
#define AT_MS_MASK UINT32_C(0xffffff)

#define ND_NS 135
#define ND_NA 136

struct asked {
	uint32_t tag;   /* of who asked (upper half of the word) */
	uint32_t at_ms; /* 24 bits */
	uint8_t member;
};

static uint64_t
asked_word(const struct asked *a)
{
	return (uint64_t)a->tag << 32 | (a->at_ms & AT_MS_MASK) << 8 | a->member;
}

/* The address of who asks (of a request) or of who is answered (of a reply). @return its tag,
 * 0: neither
 */
static uint32_t
neigh_tag(const struct rte_mbuf *m, const struct tp_pkt_info *info, bool reply)
{
	uint8_t buf[sizeof(struct rte_ipv6_hdr)];
	uint32_t addr[4];
	const struct rte_arp_hdr *arp;
	const struct rte_ipv6_hdr *ip6;
	const uint8_t *type;

	if (info->l3 == TP_L3_ARP) {
		arp = rte_pktmbuf_read(m, info->l3_off, sizeof(*arp), buf);
		if (arp == NULL || arp->arp_opcode != rte_cpu_to_be_16(reply ? RTE_ARP_OP_REPLY
		                                                             : RTE_ARP_OP_REQUEST))
			return 0;
		return rte_jhash_1word(reply ? arp->arp_data.arp_tip : arp->arp_data.arp_sip,
		                       info->vlan_tci & 0xfff) |
		       1;
	}
	if (info->l3 != TP_L3_IPV6 || (info->flags & TP_PKT_F_L4) == 0)
		return 0;
	type = rte_pktmbuf_read(m, info->l4_off, 1, buf);
	if (type == NULL || *type != (reply ? ND_NA : ND_NS))
		return 0;
	ip6 = rte_pktmbuf_read(m, info->l3_off, sizeof(*ip6), buf);
	if (ip6 == NULL)
		return 0;
	memcpy(addr, reply ? ip6->dst_addr : ip6->src_addr, sizeof(addr));
	return rte_jhash_32b(addr, RTE_DIM(addr), info->vlan_tci & 0xfff) | 1;
}

void
tp_host_asked(struct tp_member *me, const struct rte_mbuf *m, const struct tp_pkt_info *info,
                uint64_t now)
{
	struct asked a = {
		.tag = neigh_tag(m, info, false),
		.at_ms = now / TP_NS_PER_MS,
		.member = me->id,
	};

	if (a.tag != 0)
		atomic_store_explicit(&me->host->asked[a.tag % HOST_NB_ASKED], asked_word(&a),
		                memory_order_relaxed);
}

uint8_t
host_asked_by(struct tp_host *h, const struct rte_mbuf *m, const struct tp_pkt_info *info,
                uint64_t now)
{
	uint32_t tag = neigh_tag(m, info, true);
	uint32_t age_ms;
	uint64_t word;

	if (tag == 0)
		return TP_MEMBER_NONE;
	word = atomic_load_explicit(&h->asked[tag % HOST_NB_ASKED], memory_order_relaxed);
	/* Our turn may have begun before the neighbour asked: then it is in the future. */
	age_ms = (uint32_t)(now / TP_NS_PER_MS) - (uint32_t)(word >> 8) + ASKED_MAX_MS;
	if ((uint32_t)(word >> 32) != tag || (age_ms & AT_MS_MASK) > 2 * ASKED_MAX_MS)
		return TP_MEMBER_NONE;
	return (uint8_t)word;
}

void
host_forget_asked(struct tp_host *h, uint8_t member)
{
	for (unsigned int i = 0; i < HOST_NB_ASKED; i++) {
		uint64_t word = atomic_load_explicit(&h->asked[i], memory_order_relaxed);

		/* Another member's newer word stays. */
		if (word != 0 && (uint8_t)word == member)
			atomic_compare_exchange_strong_explicit(&h->asked[i], &word, 0,
			                memory_order_relaxed, memory_order_relaxed);
	}
}
