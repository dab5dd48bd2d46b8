/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_net.h>

#include "pkt_int.h"

#define INTENT (PKT_F_CKSUM | PKT_F_SEG | PKT_F_TAG | PKT_F_IP)

/* ---- set-up ---------------------------------------------------------------- */

/* net_tap segments with rte_gso: no IPv6, and no segment that fills the MTU. */
static uint64_t
usable_offloads(const struct rte_eth_dev_info *dev, uint64_t offloads)
{
	if (strcmp(dev->driver_name, "net_tap") == 0)
		offloads &= ~RTE_ETH_TX_OFFLOAD_TCP_TSO;
	return offloads;
}

/* Fragmentation of UDP and double tags are left to no port: too few do the former (it is
 * not segmentation into datagrams), too few agree on the latter's outer EtherType.
 */
static uint64_t
soft_flags(uint64_t offloads)
{
	uint64_t soft = RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_QINQ;

	if ((offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) == 0)
		soft |= RTE_MBUF_F_TX_IP_CKSUM;
	if ((offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO) == 0)
		soft |= RTE_MBUF_F_TX_TCP_SEG;
	if ((offloads & RTE_ETH_TX_OFFLOAD_VLAN_INSERT) == 0)
		soft |= RTE_MBUF_F_TX_VLAN;
	return soft;
}

/* Drivers that gather a chain themselves, and do not say so. */
static bool
takes_chains(const struct rte_eth_dev_info *dev)
{
	return strcmp(dev->driver_name, "net_pcap") == 0 ||
	       strcmp(dev->driver_name, "net_null") == 0;
}

static void
set_max_segs(struct tp_egress *eg, const struct rte_eth_dev_info *dev)
{
	const struct rte_eth_desc_lim *lim = &dev->tx_desc_lim;

	eg->max_segs = eg->max_segs_tso = 1;
	if ((eg->offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) == 0 && !takes_chains(dev))
		return;
	eg->max_segs = lim->nb_mtu_seg_max != 0 ? lim->nb_mtu_seg_max : UINT16_MAX;
	eg->max_segs_tso = lim->nb_seg_max != 0 ? lim->nb_seg_max : UINT16_MAX;
}

int
tp_egress_init(struct tp_egress *eg, uint16_t port_id, uint16_t queue_id, uint64_t offloads,
                struct rte_mempool *pool, struct rte_mempool *pool_indirect,
                struct tp_counters *ctr)
{
	struct rte_eth_dev_info dev;
	uint16_t mtu;
	int rc;

	rc = rte_eth_dev_info_get(port_id, &dev);
	if (rc == 0)
		rc = rte_eth_dev_get_mtu(port_id, &mtu);
	if (rc != 0)
		return rc;
	if (queue_id >= dev.nb_tx_queues || pool == NULL)
		return -EINVAL;
	if ((offloads & ~dev.tx_offload_capa) != 0)
		return -ENOTSUP;
	*eg = (struct tp_egress){
		.port_id = port_id,
		.queue_id = queue_id,
		.mtu = mtu,
		.offloads = usable_offloads(&dev, offloads),
		.pool = pool,
		.pool_indirect = pool_indirect,
		.c_packets = TP_C_TX_PACKETS,
		.c_bytes = TP_C_TX_BYTES,
		.drop_full = TP_DROP_TX_PORT_FULL,
		.ctr = ctr,
	};
	eg->soft_flags = soft_flags(eg->offloads);
	set_max_segs(eg, &dev);
	return 0;
}

/* ---- to the port, behind what is held --------------------------------------- */

static uint64_t
bytes_of(struct rte_mbuf *const *pkts, uint16_t nb_pkts)
{
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < nb_pkts; i++)
		bytes += pkts[i]->pkt_len;
	return bytes;
}

/* @param bytes of all of pkts: what the port took must not be looked at any more */
static uint16_t
port_send(struct tp_egress *eg, struct rte_mbuf **pkts, uint16_t nb_pkts, uint64_t bytes)
{
	uint16_t nb = rte_eth_tx_burst(eg->port_id, eg->queue_id, pkts, nb_pkts);

	eg->ctr->c[eg->c_packets] += nb;
	eg->ctr->c[eg->c_bytes] += bytes - bytes_of(pkts + nb, nb_pkts - nb);
	return nb;
}

static void
hold_put(struct tp_egress *eg, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	uint16_t nb = RTE_MIN(nb_pkts, tp_egress_room(eg));

	for (uint16_t i = 0; i < nb; i++, eg->nb_hold++)
		eg->hold[(eg->hold_first + eg->nb_hold) % TP_EGRESS_HOLD] = pkts[i];
	tp_drop_burst(eg->ctr, eg->drop_full, pkts + nb, nb_pkts - nb);
}

static uint16_t
send_or_hold(struct tp_egress *eg, struct rte_mbuf **pkts, uint16_t nb_pkts, uint64_t bytes)
{
	uint16_t nb = eg->nb_hold == 0 ? port_send(eg, pkts, nb_pkts, bytes) : 0;

	if (nb < nb_pkts)
		hold_put(eg, pkts + nb, nb_pkts - nb);
	return nb;
}

uint16_t
tp_egress_flush(struct tp_egress *eg)
{
	uint16_t total = 0, run, nb;

	while (eg->nb_hold > 0) {
		run = RTE_MIN(eg->nb_hold, TP_EGRESS_HOLD - eg->hold_first);
		run = RTE_MIN(run, TP_BURST_MAX);
		nb = port_send(eg, eg->hold + eg->hold_first, run,
		                bytes_of(eg->hold + eg->hold_first, run));
		eg->hold_first = (eg->hold_first + nb) % TP_EGRESS_HOLD;
		eg->nb_hold -= nb;
		total += nb;
		if (nb < run)
			break;
	}
	return total;
}

uint16_t
tp_egress_take_back(struct tp_egress *eg, struct rte_mbuf **pkts)
{
	uint16_t nb = eg->nb_hold;

	for (uint16_t i = 0; i < nb; i++)
		pkts[i] = eg->hold[(eg->hold_first + i) % TP_EGRESS_HOLD];
	eg->nb_hold = 0;
	return nb;
}

/* ---- frames that are ready, collected to bursts ------------------------------- */

struct outbox {
	struct tp_egress *eg;
	uint16_t nb;
	uint16_t sent; /* frames the port took */
	struct rte_mbuf *pkts[TP_BURST_MAX];
};

static void
drop(struct tp_egress *eg, enum tp_drop reason, struct rte_mbuf *m)
{
	tp_drop_burst(eg->ctr, reason, &m, 1);
}

/* Let the driver see the frames first, as it may have wishes of its own for offloads. */
static void
prepare(struct outbox *out)
{
	struct tp_egress *eg = out->eg;
	uint16_t ok = 0;

	for (;;) {
		ok += rte_eth_tx_prepare(eg->port_id, eg->queue_id, out->pkts + ok, out->nb - ok);
		if (ok >= out->nb)
			return;
		drop(eg, TP_DROP_TX_BAD_INTENT, out->pkts[ok]);
		out->nb--;
		memmove(out->pkts + ok, out->pkts + ok + 1, (out->nb - ok) * sizeof(out->pkts[0]));
	}
}

static void
outbox_send(struct outbox *out)
{
	prepare(out);
	out->sent += send_or_hold(out->eg, out->pkts, out->nb, bytes_of(out->pkts, out->nb));
	out->nb = 0;
}

static void
outbox_put(struct outbox *out, struct rte_mbuf *m)
{
	out->pkts[out->nb++] = m;
	if (out->nb == RTE_DIM(out->pkts))
		outbox_send(out);
}

/* ---- satisfying intent ------------------------------------------------------- */

static uint64_t
l4_offload(uint64_t flags)
{
	switch (flags & RTE_MBUF_F_TX_L4_MASK) {
	case RTE_MBUF_F_TX_TCP_CKSUM:
		return RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	case RTE_MBUF_F_TX_UDP_CKSUM:
		return RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	case RTE_MBUF_F_TX_SCTP_CKSUM:
		return RTE_ETH_TX_OFFLOAD_SCTP_CKSUM;
	default:
		return 0;
	}
}

/* What of an intent software has to do. Drivers and rte_net take the pseudo header's protocol
 * from the IPv6 header, so that frames with extension headers are not left to them.
 */
static uint64_t
soft_part(const struct tp_egress *eg, const struct pkt_intent *in)
{
	bool ext = (in->flags & RTE_MBUF_F_TX_IPV6) != 0 &&
	           in->l3_len != sizeof(struct rte_ipv6_hdr);
	uint64_t soft = in->flags & eg->soft_flags;

	if (ext || (l4_offload(in->flags) & ~eg->offloads) != 0)
		soft |= in->flags & (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG);
	return soft;
}

static uint16_t
tag_bytes(uint64_t flags)
{
	if (flags & RTE_MBUF_F_TX_QINQ)
		return 2 * sizeof(struct rte_vlan_hdr);
	return flags & RTE_MBUF_F_TX_VLAN ? sizeof(struct rte_vlan_hdr) : 0;
}

static struct rte_mbuf *
replace(struct tp_egress *eg, struct rte_mbuf *m, uint16_t max_segs)
{
	struct rte_mbuf *copy;

	copy = max_segs == 1 ? tp_pkt_copy(m, eg->pool)
	                     : rte_pktmbuf_copy(m, eg->pool, 0, UINT32_MAX);
	rte_pktmbuf_free(m);
	if (copy != NULL && copy->nb_segs > max_segs) {
		rte_pktmbuf_free(copy);
		copy = NULL;
	}
	if (copy == NULL)
		eg->ctr->drop[TP_DROP_TX_NO_MBUF]++;
	return copy;
}

/* Also to take a request back that did not fit. */
static bool
is_edited(const struct rte_mbuf *m, const struct pkt_intent *in)
{
	return (in->flags | (m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK)) != 0;
}

/* A frame the port can take and, when something is to be written, that may be written to.
 * @param m consumed
 * @return m or a copy; NULL: dropped and counted
 */
static struct rte_mbuf *
make_fit(struct tp_egress *eg, struct rte_mbuf *m, const struct pkt_intent *in, uint64_t tags)
{
	uint16_t max_segs = in->flags & PKT_F_SEG ? eg->max_segs_tso : eg->max_segs;

	if (m->nb_segs > max_segs) {
		eg->ctr->c[TP_C_TX_LINEAR]++;
		return replace(eg, m, max_segs);
	}
	if (!is_edited(m, in))
		return m;
	if (!RTE_MBUF_DIRECT(m) || rte_mbuf_refcnt_read(m) > 1 ||
	                m->data_len < in->l2_len + in->l3_len + in->l4_len ||
	                rte_pktmbuf_headroom(m) < tag_bytes(tags))
		return replace(eg, m, max_segs);
	return m;
}

/* IEEE 802.1Q: the inner tag first, then the outer one of a service VLAN. */
static int
insert_tags(struct rte_mbuf *m, uint64_t tags)
{
	struct rte_ether_hdr *eth;
	int rc;

	rc = rte_vlan_insert(&m);
	if (rc != 0 || (tags & RTE_MBUF_F_TX_QINQ) == 0)
		return rc;
	m->vlan_tci = m->vlan_tci_outer;
	rc = rte_vlan_insert(&m);
	if (rc != 0)
		return rc;
	eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_QINQ);
	m->ol_flags &= ~RTE_MBUF_F_TX_QINQ;
	return 0;
}

static void
do_checksums(struct tp_egress *eg, struct rte_mbuf *m, uint64_t soft)
{
	if (soft & PKT_F_CKSUM) {
		pkt_soft_cksum(m, soft & PKT_F_CKSUM);
		m->ol_flags &= ~(soft & PKT_F_CKSUM);
		eg->ctr->c[TP_C_TX_CKSUM]++;
	}
	if (m->ol_flags & (PKT_F_CKSUM | PKT_F_SEG))
		rte_net_intel_cksum_prepare(m);
	else
		m->ol_flags &= ~PKT_F_IP;
}

/* All but segmentation. @param m consumed */
static void
finish(struct outbox *out, struct rte_mbuf *m, const struct pkt_intent *in)
{
	struct tp_egress *eg = out->eg;
	uint64_t tags = m->ol_flags & PKT_F_TAG;

	m = make_fit(eg, m, in, tags);
	if (m == NULL)
		return;
	if (is_edited(m, in)) {
		pkt_intent_set(m, in);
		m->ol_flags |= tags;
		do_checksums(eg, m, soft_part(eg, in));
		if ((tags & eg->soft_flags) != 0 && insert_tags(m, tags) != 0) {
			drop(eg, TP_DROP_TX_BAD_INTENT, m);
			return;
		}
	}
	outbox_put(out, m);
}

/* @param m consumed */
static void
segment(struct outbox *out, struct rte_mbuf *m, const struct pkt_intent *in, uint32_t end)
{
	struct tp_egress *eg = out->eg;
	struct rte_mbuf *piece;
	struct pkt_cutter c;
	bool attach;

	/* A checksum made in software reads all bytes anyway, best from one segment. */
	attach = eg->pool_indirect != NULL && eg->max_segs > 1 &&
	         (soft_part(eg, in) & RTE_MBUF_F_TX_L4_MASK) == 0;
	pkt_cut_start(&c, eg, m, in, end, attach);
	if (pkt_cut_l3_len(&c) > eg->mtu) {
		drop(eg, TP_DROP_TX_TOO_BIG, m);
		return;
	}
	while (!pkt_cut_done(&c)) {
		piece = pkt_cut_next(&c);
		if (piece == NULL) {
			eg->ctr->drop[TP_DROP_TX_NO_MBUF]++;
			break;
		}
		eg->ctr->c[TP_C_TX_GSO]++;
		finish(out, piece, &c.piece);
	}
	rte_pktmbuf_free(m);
}

static bool
port_segments(const struct tp_egress *eg, const struct rte_mbuf *m, const struct pkt_intent *in)
{
	return (soft_part(eg, in) & PKT_F_SEG) == 0 && m->nb_segs <= eg->max_segs_tso;
}

/* Bytes of L3 in the largest frame that leaves the port for m. */
static uint32_t
l3_len_out(const struct rte_mbuf *m, const struct pkt_intent *in)
{
	if (in->flags & PKT_F_SEG)
		return in->l3_len + in->l4_len + in->segsz;
	return m->pkt_len - in->l2_len;
}

/* @param m consumed */
static void
satisfy(struct outbox *out, struct rte_mbuf *m)
{
	uint64_t asked = m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK;
	struct tp_egress *eg = out->eg;
	struct tp_pkt_info info;
	struct pkt_intent in;

	tp_pkt_parse(m, &info);
	if ((asked & ~INTENT) != 0 || pkt_intent_fit(m, &info, asked, &in) < 0)
		drop(eg, TP_DROP_TX_BAD_INTENT, m);
	else if ((in.flags & PKT_F_SEG) != 0 && !port_segments(eg, m, &in))
		segment(out, m, &in, info.end_off);
	else if (l3_len_out(m, &in) > eg->mtu)
		drop(eg, TP_DROP_TX_TOO_BIG, m);
	else
		finish(out, m, &in);
}

/* ---- bursts ------------------------------------------------------------------ */

static inline bool
is_plain(const struct tp_egress *eg, const struct rte_mbuf *m)
{
	return (m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK) == 0 && m->nb_segs <= eg->max_segs &&
	       m->pkt_len <= (uint32_t)eg->mtu + RTE_ETHER_HDR_LEN;
}

/* Can all frames go out as they are? One pass without a branch for each; frames of more than one
 * segment are left to is_plain(). @param bytes out: of all
 */
static bool
all_plain(const struct tp_egress *eg, struct rte_mbuf *const *pkts, uint16_t nb_pkts,
                uint64_t *bytes)
{
	const uint64_t max_len = (uint64_t)eg->mtu + RTE_ETHER_HDR_LEN;
	uint64_t flags = 0, sum = 0, excess = 0;
	uint16_t segs = 0;

	for (uint16_t i = 0; i < nb_pkts; i++) {
		const struct rte_mbuf *m = pkts[i];

		flags |= m->ol_flags;
		segs |= m->nb_segs;
		sum += m->pkt_len;
		excess |= max_len - m->pkt_len; /* too long: the highest bit */
	}
	*bytes = sum;
	return (flags & RTE_MBUF_F_TX_OFFLOAD_MASK) == 0 && segs <= 1 && (int64_t)excess >= 0;
}

/* @return the frames from the start on that can go out as they are; bytes: of those */
static uint16_t
count_plain(const struct tp_egress *eg, struct rte_mbuf *const *pkts, uint16_t nb_pkts,
                uint64_t *bytes)
{
	uint64_t sum = 0;
	uint16_t i;

	if (likely(all_plain(eg, pkts, nb_pkts, bytes)))
		return nb_pkts;
	for (i = 0; i < nb_pkts && is_plain(eg, pkts[i]); i++)
		sum += pkts[i]->pkt_len;
	*bytes = sum;
	return i;
}

uint16_t
tp_egress_burst(struct tp_egress *eg, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	uint16_t sent = eg->nb_hold > 0 ? tp_egress_flush(eg) : 0;
	struct outbox out;
	uint64_t bytes;
	uint16_t nb;

	nb = count_plain(eg, pkts, nb_pkts, &bytes);
	if (nb > 0)
		sent += send_or_hold(eg, pkts, nb, bytes);
	if (nb == nb_pkts)
		return sent;
	out.eg = eg;
	out.nb = out.sent = 0;
	for (uint16_t i = nb; i < nb_pkts; i++) {
		if (is_plain(eg, pkts[i]))
			outbox_put(&out, pkts[i]);
		else
			satisfy(&out, pkts[i]);
	}
	outbox_send(&out);
	return sent + out.sent;
}
