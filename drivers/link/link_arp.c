/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* ARP probes (RFC 826, RFC 5227 2.1.1): a target that replies to this member's MAC proves the path
 * there and back.
 */
#include <errno.h>

#include <rte_arp.h>

#include "link_int.h"

static void
arp_poll(struct tp_link *link, const struct link_look *look)
{
	static const struct rte_ether_addr unknown,
	                broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	const struct tp_link_conf *c = &link->conf;

	if (!link_probe_due(link, &link->arp, TP_LINK_ARP, c->nb_ip4, look))
		return;
	for (unsigned int i = 0; i < c->nb_ip4; i++)
		link_probe_send(link,
		                tp_pkt_build_arp(link->ctx.pool, RTE_ARP_OP_REQUEST, c->vlan_tci,
		                                &broadcast, &link->ctx.mac, c->src_ip4, &unknown,
		                                c->ip4[i]),
		                look->out);
}

static int
arp_open(struct tp_link *link, uint64_t now)
{
	if (link->ctx.pool == NULL)
		return -EINVAL;
	link_probe_open(link, &link->arp, TP_LINK_ARP, now);
	return 0;
}

/* @return the reply within the frame, or NULL when it is none for us */
static const struct rte_arp_hdr *
arp_reply(const struct tp_link *link, const struct rte_mbuf *m, struct rte_arp_hdr *buf)
{
	const struct rte_arp_hdr *arp;
	struct tp_pkt_info info;

	tp_pkt_parse(m, &info);
	if (info.l3 != TP_L3_ARP || (info.flags & (TP_PKT_F_BAD | TP_PKT_F_MULTICAST)) != 0)
		return NULL;
	if (!link_same_vlan(link, &info))
		return NULL;
	arp = rte_pktmbuf_read(m, info.l3_off, sizeof(*arp), buf);
	if (arp == NULL || arp->arp_hardware != RTE_BE16(RTE_ARP_HRD_ETHER) ||
	                arp->arp_protocol != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
	                arp->arp_hlen != RTE_ETHER_ADDR_LEN || arp->arp_plen != sizeof(rte_be32_t))
		return NULL;
	return arp->arp_opcode == RTE_BE16(RTE_ARP_OP_REPLY) ? arp : NULL;
}

static bool
arp_frame(struct tp_link *link, const struct rte_mbuf *m, uint64_t now)
{
	const struct tp_link_conf *c = &link->conf;
	const struct rte_arp_hdr *arp;
	struct rte_arp_hdr buf;

	(void)now;
	arp = arp_reply(link, m, &buf);
	if (arp == NULL || arp->arp_data.arp_tip != c->src_ip4 ||
	                !rte_is_same_ether_addr(&arp->arp_data.arp_tha, &link->ctx.mac) ||
	                !rte_is_valid_assigned_ether_addr(&arp->arp_data.arp_sha) ||
	                rte_is_same_ether_addr(&arp->arp_data.arp_sha, &link->ctx.mac))
		return false;
	for (unsigned int i = 0; i < c->nb_ip4; i++) {
		if (arp->arp_data.arp_sip == c->ip4[i]) {
			link_probe_answer(link, &link->arp, TP_LINK_ARP, c->nb_ip4, i);
			return true;
		}
	}
	return false;
}

const struct link_watch link_arp = {
	.name = "arp",
	.open = arp_open,
	.poll = arp_poll,
	.frame = arp_frame,
};
