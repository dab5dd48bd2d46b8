/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* One turn of a member's lcore. */

#include "app.h"

/* What a received burst was sorted into. */
struct sorted {
	struct rte_mbuf *host[TP_BURST_MAX];
	struct tp_pkt_info info[TP_BURST_MAX]; /* of those for the host */
	struct rte_mbuf *control[TP_BURST_MAX];
	uint16_t nb_host;
	uint16_t nb_control;
};

/* Obey control: the role word, and the request to leave the port alone. */
static uint64_t
worker_obey(struct tp_member *m)
{
	uint64_t role = atomic_load_explicit(&m->role, memory_order_acquire);
	uint32_t req = atomic_load_explicit(&m->port_req, memory_order_acquire);

	atomic_store_explicit(&m->seen, TP_ROLE_SEQ(role), memory_order_release);
	if (unlikely(req != atomic_load_explicit(&m->port_ack, memory_order_relaxed)))
		atomic_store_explicit(&m->port_ack, req, memory_order_release);
	return role;
}

static void
give_control(struct tp_member *m, struct rte_mbuf *pkt, enum tp_why why, struct sorted *out)
{
	*tp_meta(pkt) = (struct tp_meta){ .kind = TP_KIND_FRAME, .ingress = m->id, .why = why };
	out->control[out->nb_control++] = pkt;
}

static bool
vlan_refused(const struct tp_member *m, const struct tp_pkt_info *info)
{
	const uint64_t *filter = atomic_load_explicit(&m->vlan_filter, memory_order_acquire);
	uint16_t id = info->vlan_tci & 0xfff;

	if (filter == NULL || (info->flags & TP_PKT_F_VLAN) == 0)
		return false;
	return (filter[id / 64] & RTE_BIT64(id % 64)) == 0;
}

/* By place, not by content: which member got it decides, so that the host sees it once. */
static enum tp_drop
refuse(const struct tp_member *m, const struct rte_mbuf *pkt, const struct tp_pkt_info *info)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(pkt, const struct rte_ether_hdr *);
	uint8_t accept = atomic_load_explicit(&m->rx_accept, memory_order_relaxed);

	if (info->flags & TP_PKT_F_RUNT)
		return TP_DROP_RX_RUNT;
	if (rte_is_same_ether_addr(&eth->src_addr, &m->mac))
		return TP_DROP_RX_OWN_MAC;
	if (info->flags & TP_PKT_F_LINK_LOCAL)
		return TP_DROP_RX_LINK_LOCAL;
	if (!atomic_load_explicit(&m->collecting, memory_order_relaxed))
		return TP_DROP_RX_FENCED;
	if ((accept & (info->flags & TP_PKT_F_MULTICAST ? TP_ACCEPT_MULTICAST
	                                                : TP_ACCEPT_UNICAST)) == 0)
		return TP_DROP_RX_PLACE;
	if (vlan_refused(m, info))
		return TP_DROP_RX_VLAN;
	return TP_NB_DROPS;
}

/* Neighbour traffic interests control too, for its probes and for what it announces: it gets a
 * copy, the host the frame.
 */
static void
copy_neigh(struct tp_member *m, const struct rte_mbuf *pkt, struct sorted *out)
{
	struct rte_mbuf *copy = tp_pkt_copy(pkt, m->pool);

	if (copy != NULL)
		give_control(m, copy, TP_WHY_NEIGH, out);
}

static void
classify(struct tp_member *m, struct rte_mbuf *pkt, const struct tp_pkt_info *info, uint64_t now,
                struct sorted *out)
{
	enum tp_drop why;

	if (unlikely(info->flags & TP_PKT_F_NEIGH)) {
		copy_neigh(m, pkt, out);
		tp_host_asked(m, pkt, info, now);
	}
	why = refuse(m, pkt, info);
	if (unlikely(why != TP_NB_DROPS)) {
		tp_drop_burst(&m->ctr, why, &pkt, 1);
		return;
	}
	out->info[out->nb_host] = *info;
	out->host[out->nb_host++] = pkt;
}

/* What no connection and no listener wants goes to the host, if there is one. */
static void
deliver(struct worker *w, struct sorted *out, uint64_t now)
{
	struct tp_member *m = w->member;
	uint16_t n = 0;

	if (w->toe != NULL)
		out->nb_host = tp_toe_input(w->toe, out->host, out->info, out->nb_host, now);
	for (uint16_t i = 0; i < out->nb_host; i++) {
		struct rte_mbuf *pkt = out->host[i];

		if (likely(tp_pkt_rx_to_intent(pkt, &out->info[i]) == 0))
			out->host[n++] = pkt;
		else
			tp_drop_burst(&m->ctr, TP_DROP_TX_BAD_INTENT, &pkt, 1);
	}
	if (n > 0)
		tp_host_input(m, out->host, n);
}

static unsigned int
worker_rx(struct worker *w, uint64_t now)
{
	struct tp_member *m = w->member;
	struct tp_pkt_info info[TP_BURST_MAX];
	struct rte_mbuf *pkts[TP_BURST_MAX];
	struct sorted out;
	uint16_t n;

	if (unlikely(atomic_load_explicit(&m->port_ack, memory_order_relaxed) & TP_PORT_HALT))
		return 0;
	n = rte_eth_rx_burst(m->port_id, 0, pkts, w->burst);
	if (n == 0)
		return 0;
	tp_pkt_parse_burst(pkts, n, info);
	m->ctr.c[TP_C_RX_PACKETS] += n;
	out.nb_host = out.nb_control = 0; /* its arrays need no zeros */
	for (uint16_t i = 0; i < n; i++) {
		m->ctr.c[TP_C_RX_BYTES] += pkts[i]->pkt_len;
		classify(m, pkts[i], &info[i], now, &out);
	}
	deliver(w, &out, now);
	if (unlikely(out.nb_control > 0))
		m->ctr.c[TP_C_RX_CTL] += tp_fabric_send(m->fabric->ring[m->id][TP_NODE_CONTROL],
		                out.control, out.nb_control, &m->ctr, TP_DROP_CTL_RING_FULL);
	return n;
}

unsigned int
tp_worker_step(struct worker *w, uint64_t now)
{
	struct tp_member *m = w->member;
	uint64_t role = worker_obey(m);
	unsigned int n = worker_rx(w, now);

	if (role & TP_ROLE_PRIMARY)
		n += tp_host_step(m->host, m, now);
	if (w->toe != NULL)
		n += worker_toe(w, now);
	n += tp_member_transmit(m, w->burst);
	/* Only this lcore writes it: no locked instruction needed. */
	atomic_store_explicit(&m->heart, atomic_load_explicit(&m->heart, memory_order_relaxed) + 1,
	                memory_order_relaxed);
	return n;
}
