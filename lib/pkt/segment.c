/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Segmentation in software. rte_gso of DPDK 22.11 knows no IPv6, no checksums, and sets CWR
 * in each segment, so that both families are cut here, in one way.
 */

#include <netinet/in.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_random.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "pkt_int.h"

#define FRAG_UNIT RTE_IPV4_HDR_OFFSET_UNITS

static bool
is_udp(const struct pkt_cutter *c)
{
	return (c->in.flags & RTE_MBUF_F_TX_UDP_SEG) != 0;
}

static bool
is_v4(const struct pkt_cutter *c)
{
	return (c->in.flags & RTE_MBUF_F_TX_IPV4) != 0;
}

/* ---- beginning -------------------------------------------------------------- */

/* Step over n bytes of the chain. */
static void
advance(struct pkt_cutter *c, uint32_t n)
{
	c->seg_off += n;
	while (c->seg->next != NULL && c->seg_off >= c->seg->data_len) {
		c->seg_off -= c->seg->data_len;
		c->seg = c->seg->next;
	}
}

/* Fragment header behind the IPv6 header (RFC 8200 4.5). The identification must only not
 * repeat soon for this pair of addresses.
 */
static void
add_frag_hdr(struct pkt_cutter *c)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(c->hdr + c->in.l2_len);
	struct rte_ipv6_fragment_ext frag = { .next_header = ip->proto,
		.id = (rte_be32_t)rte_rand() };

	ip->proto = IPPROTO_FRAGMENT;
	memcpy(ip + 1, &frag, sizeof(frag));
	c->hdr_len += sizeof(frag);
}

/* The UDP header is payload of the first fragment; its checksum covers all of them. */
static void
start_udp(struct pkt_cutter *c)
{
	c->udp_cksum = pkt_udp_cksum(c->m, &c->in, c->hdr + c->in.l2_len);
	c->step = RTE_ALIGN_FLOOR(c->in.segsz, FRAG_UNIT);
	c->attach = false;
	c->piece.flags &= ~RTE_MBUF_F_TX_L4_MASK;
	c->piece.l4_len = 0;
	if (!is_v4(c)) {
		add_frag_hdr(c);
		c->piece.flags = 0;
		c->piece.l3_len = 0;
	}
}

void
pkt_cut_start(struct pkt_cutter *c, const struct tp_egress *eg, struct rte_mbuf *m,
                const struct pkt_intent *in, uint32_t end, bool attach)
{
	const void *hdr;

	c->eg = eg;
	c->m = m;
	c->in = c->piece = *in;
	c->piece.flags &= ~PKT_F_SEG;
	c->piece.segsz = 0;
	c->seg = m;
	c->seg_off = 0;
	c->pos = 0;
	c->nb = 0;
	c->step = in->segsz;
	c->attach = attach;
	c->hdr_len = in->l2_len + in->l3_len + (is_udp(c) ? 0 : in->l4_len);
	c->len = end - c->hdr_len;
	hdr = rte_pktmbuf_read(m, 0, c->hdr_len, c->hdr);
	if (hdr != c->hdr)
		memcpy(c->hdr, hdr, c->hdr_len);
	advance(c, c->hdr_len);
	if (is_udp(c))
		start_udp(c);
}

uint32_t
pkt_cut_l3_len(const struct pkt_cutter *c)
{
	return c->hdr_len - c->in.l2_len + RTE_MIN(c->len, c->step);
}

/* ---- one piece --------------------------------------------------------------- */

static struct rte_mbuf *
link_segment(struct rte_mbuf *head, struct rte_mbuf *last, struct rte_mempool *mp)
{
	struct rte_mbuf *seg = rte_pktmbuf_alloc(mp);

	if (seg == NULL)
		return NULL;
	seg->data_off = 0;
	last->next = seg;
	head->nb_segs++;
	return seg;
}

/* Payload left in the source's current segment, at most len. */
static uint32_t
at_hand(const struct pkt_cutter *c, uint32_t len)
{
	return c->seg_off < c->seg->data_len ? RTE_MIN(len, c->seg->data_len - c->seg_off) : 0;
}

static bool
copy_payload(struct pkt_cutter *c, struct rte_mbuf *head, uint32_t len)
{
	struct rte_mbuf *last = head;
	uint32_t n, room;

	while (len > 0) {
		room = last->buf_len - last->data_off - last->data_len;
		n = RTE_MIN(at_hand(c, len), room);
		if (room == 0) {
			last = link_segment(head, last, c->eg->pool);
			if (last == NULL)
				return false;
			continue;
		}
		if (n == 0)
			return false;
		memcpy(rte_pktmbuf_mtod_offset(last, char *, last->data_len),
		                rte_pktmbuf_mtod_offset(c->seg, char *, c->seg_off), n);
		last->data_len += n;
		head->pkt_len += n;
		len -= n;
		advance(c, n);
	}
	return true;
}

static bool
attach_payload(struct pkt_cutter *c, struct rte_mbuf *head, uint32_t len)
{
	struct rte_mbuf *last = head;
	uint32_t n;

	while (len > 0) {
		n = at_hand(c, len);
		if (n == 0)
			return false;
		last = link_segment(head, last, c->eg->pool_indirect);
		if (last == NULL)
			return false;
		rte_pktmbuf_attach(last, c->seg);
		last->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
		last->data_off = c->seg->data_off + c->seg_off;
		last->data_len = n;
		head->pkt_len += n;
		len -= n;
		advance(c, n);
	}
	return true;
}

static struct rte_mbuf *
new_piece(struct pkt_cutter *c, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(c->eg->pool);
	char *hdr;
	bool ok;

	if (m == NULL)
		return NULL;
	hdr = rte_pktmbuf_append(m, c->hdr_len);
	if (hdr != NULL) {
		memcpy(hdr, c->hdr, c->hdr_len);
		ok = c->attach ? attach_payload(c, m, len) : copy_payload(c, m, len);
	}
	if (hdr == NULL || !ok) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	m->port = c->m->port;
	m->vlan_tci = c->m->vlan_tci;
	m->vlan_tci_outer = c->m->vlan_tci_outer;
	m->ol_flags |= c->m->ol_flags & PKT_F_TAG;
	rte_mbuf_dynfield_copy(m, c->m);
	return m;
}

static void
fix_tcp(const struct pkt_cutter *c, struct rte_mbuf *m, uint32_t len)
{
	struct rte_ipv4_hdr *ip4 = rte_pktmbuf_mtod_offset(m, void *, c->in.l2_len);
	struct rte_ipv6_hdr *ip6 = (struct rte_ipv6_hdr *)ip4;
	struct rte_tcp_hdr *tcp = RTE_PTR_ADD(ip4, c->in.l3_len);
	uint32_t l3_total = c->in.l3_len + c->in.l4_len + len;

	if (is_v4(c)) {
		ip4->total_length = rte_cpu_to_be_16(l3_total);
		ip4->packet_id = rte_cpu_to_be_16(rte_be_to_cpu_16(ip4->packet_id) + c->nb);
	} else {
		ip6->payload_len = rte_cpu_to_be_16(l3_total - sizeof(*ip6));
	}
	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + c->pos);
	if (c->pos + len < c->len)
		tcp->tcp_flags &= ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
	/* RFC 3168 6.1.2: a window reduction is told once. */
	if (c->nb > 0)
		tcp->tcp_flags &= ~RTE_TCP_CWR_FLAG;
}

static void
fix_udp(const struct pkt_cutter *c, struct rte_mbuf *m, uint32_t len)
{
	struct rte_ipv4_hdr *ip4 = rte_pktmbuf_mtod_offset(m, void *, c->in.l2_len);
	struct rte_ipv6_hdr *ip6 = (struct rte_ipv6_hdr *)ip4;
	struct rte_ipv6_fragment_ext *frag = (struct rte_ipv6_fragment_ext *)(ip6 + 1);
	uint16_t more = c->pos + len < c->len ? 1 : 0;
	struct rte_udp_hdr *udp;

	if (is_v4(c)) {
		ip4->total_length = rte_cpu_to_be_16(c->in.l3_len + len);
		ip4->fragment_offset &= RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
		ip4->fragment_offset |= rte_cpu_to_be_16(
		                c->pos / FRAG_UNIT | more << RTE_IPV4_HDR_MF_SHIFT);
	} else {
		ip6->payload_len = rte_cpu_to_be_16(sizeof(*frag) + len);
		frag->frag_data = rte_cpu_to_be_16(RTE_IPV6_SET_FRAG_DATA(c->pos, more));
	}
	if (c->pos == 0) {
		udp = rte_pktmbuf_mtod_offset(m, struct rte_udp_hdr *, c->hdr_len);
		udp->dgram_cksum = c->udp_cksum;
	}
}

struct rte_mbuf *
pkt_cut_next(struct pkt_cutter *c)
{
	uint32_t len = RTE_MIN(c->len - c->pos, (uint32_t)c->step);
	struct rte_mbuf *m = new_piece(c, len);

	if (m == NULL)
		return NULL;
	if (!is_udp(c))
		fix_tcp(c, m, len);
	else if (m->data_len >= c->hdr_len + sizeof(struct rte_udp_hdr) || c->pos > 0)
		fix_udp(c, m, len);
	else {
		rte_pktmbuf_free(m);
		return NULL;
	}
	c->pos += len;
	c->nb++;
	return m;
}
