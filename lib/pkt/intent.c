/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <netinet/in.h>

#include <rte_tcp.h>

#include "pkt_int.h"

#define RX_FLAGS (RTE_MBUF_F_FIRST_FREE - 1)
#define RX_STRIPPED (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

/* A sender that asks for less would have us make thousands of packets of one; Linux sends
 * no TCP segment below this either (tcp_min_snd_mss).
 */
#define SEGSZ_MIN 48

#define L3_LEN_MAX 511 /* 9 bits in an mbuf */

/* ---- does it fit ----------------------------------------------------------- */

static uint64_t
l4_flag(const struct tp_pkt_info *info)
{
	/* A length that lies, or that we cannot tell, has no checksum. */
	if ((info->flags & TP_PKT_F_L4) == 0 || (info->flags & TP_PKT_F_BAD) != 0 ||
	                (info->flags & TP_PKT_F_ROUTED) != 0 || info->end_off == UINT16_MAX ||
	                info->l4_off - info->l3_off > L3_LEN_MAX)
		return 0;
	switch (info->l4_proto) {
	case IPPROTO_TCP:
		return RTE_MBUF_F_TX_TCP_CKSUM;
	case IPPROTO_UDP:
		return RTE_MBUF_F_TX_UDP_CKSUM;
	case IPPROTO_SCTP:
		return RTE_MBUF_F_TX_SCTP_CKSUM;
	default:
		return 0;
	}
}

/* One that l4_flag() accepted. @return the flag, or 0: send it whole */
static uint64_t
seg_flag(const struct rte_mbuf *m, const struct tp_pkt_info *info, uint16_t segsz)
{
	const struct rte_tcp_hdr *tcp;
	struct rte_tcp_hdr copy;
	uint16_t ip_len = info->l3 == TP_L3_IPV4 ? 20 : 40;

	if (segsz < SEGSZ_MIN)
		return 0;
	if (info->l4_proto == IPPROTO_UDP) {
		/* Which options a fragment repeats is up to each option: leave those. */
		if (info->l4_off - info->l3_off != ip_len || info->end_off - info->l4_off <= segsz)
			return 0;
		return RTE_MBUF_F_TX_UDP_SEG;
	}
	if (info->l4_proto != IPPROTO_TCP || info->end_off - info->data_off <= segsz)
		return 0;
	tcp = rte_pktmbuf_read(m, info->l4_off, sizeof(copy), &copy);
	if (tcp == NULL || (tcp->tcp_flags & (RTE_TCP_SYN_FLAG | RTE_TCP_RST_FLAG)) != 0)
		return 0;
	return RTE_MBUF_F_TX_TCP_SEG;
}

/* @return bytes of IPv4 header that can be checksummed, or 0 */
static uint16_t
ipv4_hdr_len(const struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	const uint8_t *vhl;
	uint8_t copy;
	uint16_t len;

	if (info->l3 != TP_L3_IPV4)
		return 0;
	vhl = rte_pktmbuf_read(m, info->l3_off, sizeof(copy), &copy);
	if (vhl == NULL)
		return 0;
	len = (*vhl & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
	return len < 20 || info->l3_off + len > info->end_off ? 0 : len;
}

int
pkt_intent_fit(const struct rte_mbuf *m, const struct tp_pkt_info *info, uint64_t wish,
                struct pkt_intent *in)
{
	uint64_t l4 = l4_flag(info);

	*in = (struct pkt_intent){ .l2_len = info->l3_off };
	if ((wish & RTE_MBUF_F_TX_L4_MASK) != 0 && l4 == 0)
		return -EINVAL;
	if ((wish & PKT_F_SEG) != 0 && l4 != 0)
		in->flags |= seg_flag(m, info, m->tso_segsz);
	if (in->flags != 0)
		in->segsz = m->tso_segsz;
	if ((wish & RTE_MBUF_F_TX_L4_MASK) != 0 || in->flags != 0) {
		in->flags |= l4;
		in->l3_len = info->l4_off - info->l3_off;
		in->l4_len = info->data_off - info->l4_off;
	}
	if ((wish & RTE_MBUF_F_TX_IP_CKSUM) != 0 || (in->flags & PKT_F_SEG) != 0) {
		in->l3_len = RTE_MAX(in->l3_len, ipv4_hdr_len(m, info));
		if (info->l3 == TP_L3_IPV4 && in->l3_len != 0)
			in->flags |= RTE_MBUF_F_TX_IP_CKSUM;
	}
	if (in->flags != 0)
		in->flags |= info->l3 == TP_L3_IPV4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
	return 0;
}

void
pkt_intent_set(struct rte_mbuf *m, const struct pkt_intent *in)
{
	m->ol_flags = (m->ol_flags & ~RTE_MBUF_F_TX_OFFLOAD_MASK) | in->flags;
	m->tx_offload = rte_mbuf_tx_offload(in->l2_len, in->l3_len, in->l4_len, in->segsz, 0, 0, 0);
}

/* ---- from what was received ------------------------------------------------- */

/* Partial checksums and coalesced frames, as Tx flags; which L4 does not matter yet. */
static uint64_t
rx_wish(uint64_t ol_flags)
{
	uint64_t wish = ol_flags & (PKT_F_SEG | PKT_F_CKSUM);

	if ((ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE)
		wish |= RTE_MBUF_F_TX_TCP_CKSUM;
	if ((ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_NONE)
		wish |= RTE_MBUF_F_TX_IP_CKSUM;
	if (ol_flags & RTE_MBUF_F_RX_LRO)
		wish |= RTE_MBUF_F_TX_TCP_SEG;
	return wish;
}

/* Tags taken off the frame go back on. */
static uint64_t
rx_tags(struct rte_mbuf *m)
{
	switch (m->ol_flags & RX_STRIPPED) {
	case RX_STRIPPED:
		return RTE_MBUF_F_TX_QINQ;
	case RTE_MBUF_F_RX_QINQ_STRIPPED: /* the inner one is still in the frame */
		m->vlan_tci = m->vlan_tci_outer;
		return RTE_MBUF_F_TX_VLAN;
	case RTE_MBUF_F_RX_VLAN_STRIPPED:
		return RTE_MBUF_F_TX_VLAN;
	default:
		return 0;
	}
}

int
tp_pkt_rx_to_intent(struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	uint64_t wish = rx_wish(m->ol_flags);
	uint64_t tags = rx_tags(m);
	struct tp_pkt_info parsed;
	struct pkt_intent in;
	int rc;

	if (wish == 0) {
		m->ol_flags &= ~(RX_FLAGS | RTE_MBUF_F_TX_OFFLOAD_MASK);
		m->ol_flags |= tags;
		return 0;
	}
	if (info == NULL) {
		tp_pkt_parse(m, &parsed);
		info = &parsed;
	}
	rc = pkt_intent_fit(m, info, wish, &in);
	if (rc < 0)
		return rc;
	pkt_intent_set(m, &in);
	m->ol_flags = (m->ol_flags & ~RX_FLAGS) | tags;
	return 0;
}
