/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What intent, segmentation and egress share. */
#ifndef PKT_INT_H
#define PKT_INT_H

#include "tp_pkt.h"

#define PKT_F_SEG (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG)
#define PKT_F_CKSUM (RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK)
#define PKT_F_TAG (RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_QINQ)
#define PKT_F_IP (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6)

/* ---- intent.c -------------------------------------------------------------- */

/* What can be asked for a frame: flags and lengths as in struct rte_mbuf. */
struct pkt_intent {
	uint64_t flags;
	uint16_t l2_len, l3_len, l4_len, segsz;
};

/* Fit a wish for checksums (PKT_F_CKSUM, any L4 flag for whichever the frame has) and
 * segmentation (any of PKT_F_SEG) to the headers that are really there.
 * @param info parse result of m
 * @return 0; -EINVAL: a checksum that this frame cannot have. Segmentation that does not
 *   fit is left out.
 */
int pkt_intent_fit(const struct rte_mbuf *m, const struct tp_pkt_info *info, uint64_t wish,
                struct pkt_intent *in);
/* Write it into the mbuf; flags other than Tx offloads stay. */
void pkt_intent_set(struct rte_mbuf *m, const struct pkt_intent *in);

/* ---- cksum.c --------------------------------------------------------------- */

/* Compute and store the checksums that m asks for with `flags` (a part of PKT_F_CKSUM).
 * m has checked intent, all its headers in the first segment, and is not shared.
 */
void pkt_soft_cksum(struct rte_mbuf *m, uint64_t flags);
/* Checksum of a UDP datagram as it goes into the header. m is only read.
 * @param ip its IP header, contiguous
 */
rte_be16_t pkt_udp_cksum(const struct rte_mbuf *m, const struct pkt_intent *in, const void *ip);

/* ---- sum.c ------------------------------------------------------------------- */

/* One's complement sum of 16-bit words as they lie in memory, the last byte of an odd length being
 * the first of a word; not inverted. At most 1 MiB. */
uint16_t pkt_sum(const void *p, uint32_t len);
/* The same; sum_avx2.c, for CPUs that have it. */
uint16_t pkt_sum_avx2(const void *p, uint32_t len);

/* ---- segment.c ------------------------------------------------------------- */

/* Unfragmentable headers that are copied to each piece; l2_len, l3_len, l4_len are 7, 9 and
 * 8 bits wide in an mbuf. A fragment header may be added.
 */
#define PKT_HDRS_MAX (127 + 511 + 255 + 8)

/* Cuts one frame into pieces: TCP segments or fragments of a UDP datagram. */
struct pkt_cutter {
	const struct tp_egress *eg;
	struct rte_mbuf *m;      /* borrowed; only read, though its data may be attached to */
	struct pkt_intent in;    /* of m */
	struct pkt_intent piece; /* of each piece */
	struct rte_mbuf *seg;    /* where the payload goes on */
	uint32_t seg_off;
	uint32_t pos, len;    /* bytes of payload: cut off so far, all */
	uint16_t step;        /* bytes of payload in a piece */
	uint16_t nb;          /* pieces so far */
	uint16_t hdr_len;     /* what each piece begins with */
	rte_be16_t udp_cksum; /* of the whole datagram */
	bool attach;          /* payload is attached, not copied */
	alignas(2) uint8_t hdr[PKT_HDRS_MAX];
};

/* Begin.
 * @param in fitted to m, with one of PKT_F_SEG
 * @param end bytes of the frame without padding
 * @param attach payload into mbufs of eg->pool_indirect instead of copying it
 */
void pkt_cut_start(struct pkt_cutter *c, const struct tp_egress *eg, struct rte_mbuf *m,
                const struct pkt_intent *in, uint32_t end, bool attach);
/* Bytes of L3 of the largest piece. */
uint32_t pkt_cut_l3_len(const struct pkt_cutter *c);
static inline bool
pkt_cut_done(const struct pkt_cutter *c)
{
	return c->pos == c->len;
}
/* @return the next piece: c->piece still has to be satisfied; NULL: no buffers */
struct rte_mbuf *pkt_cut_next(struct pkt_cutter *c);

#endif
