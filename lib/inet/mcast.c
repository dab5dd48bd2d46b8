/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What the team tells routers and switches as an IPv6 host: the groups that its addresses listen to
 * (RFC 4291 2.7.1, RFC 3810), or switches that snoop keep solicitations from it; and that it wants
 * to hear of routers (RFC 4861 6.3.7).
 */

#include <netinet/in.h>

#include "inet_int.h"

#define MLD_REPORT 143
#define MLD_IS_EXCLUDE 2
#define MLD_TO_EXCLUDE 4
#define ROBUSTNESS 2
#define REPORT_AGAIN_NS TP_NS_PER_S
/* Not on query, but always before what a querier taught a switch is forgotten (RFC 3810 9.4). */
#define REPORT_INTERVAL_NS (60 * TP_NS_PER_S)
#define ROUTER_SOLICIT 133
#define ND_HOP_LIMIT 255
#define MAX_RTR_SOLICITATIONS 3
#define RTR_SOLICITATION_INTERVAL_NS (4 * TP_NS_PER_S)

struct mld_record {
	uint8_t type;
	uint8_t aux_len;
	rte_be16_t nb_sources;
	uint8_t group[TP_INET_LEN];
};

struct mld_report {
	uint8_t type, code;
	uint16_t cksum;
	uint16_t reserved;
	rte_be16_t nb_records;
	struct mld_record record[TP_INET_MAX_ADDRS];
};

struct rs {
	uint8_t type, code;
	uint16_t cksum;
	uint32_t reserved;
	uint8_t opt_type, opt_len_8;
	struct rte_ether_addr mac;
};

/* An address in use that source and link have in common. */
static const uint8_t *
link_local(const struct tp_inet *inet)
{
	for (uint32_t i = 0; i < TP_INET_MAX_ADDRS; i++) {
		const struct inet_addr *a = &inet->addr[i];

		if (a->used && a->state == TP_INET_PREFERRED && inet_is_link_local(a->addr))
			return a->addr;
	}
	return NULL;
}

/* A frame to a group of the link: headers, then ext_len bytes of extension, then the message, whose
 * checksum is at its third byte.
 */
static void
send_group(struct tp_inet *inet, const struct rte_ipv6_hdr *ip, const void *ext, uint16_t ext_len,
                const void *msg, uint16_t len)
{
	uint16_t tag = inet->conf.vlan_tci != 0 ? sizeof(struct rte_vlan_hdr) : 0;
	struct rte_mbuf *m = rte_pktmbuf_alloc(inet->conf.pool);
	struct rte_ether_hdr *eth = NULL;
	struct tp_pkt_info info;
	uint8_t *p;

	if (m != NULL)
		eth = (void *)rte_pktmbuf_append(
		                m, sizeof(*eth) + tag + sizeof(*ip) + ext_len + len);
	if (eth == NULL) {
		rte_pktmbuf_free(m);
		inet->mib[TP_INET_M_NO_MBUF]++;
		return;
	}
	eth->dst_addr = (struct rte_ether_addr){ { 0x33, 0x33, ip->dst_addr[12], ip->dst_addr[13],
		        ip->dst_addr[14], ip->dst_addr[15] } };
	eth->src_addr = inet->conf.mac;
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV6);
	p = (uint8_t *)(eth + 1);
	if (tag != 0) {
		eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
		*(struct rte_vlan_hdr *)p = (struct rte_vlan_hdr){
			.vlan_tci = rte_cpu_to_be_16(inet->conf.vlan_tci),
			.eth_proto = RTE_BE16(RTE_ETHER_TYPE_IPV6),
		};
		p += tag;
	}
	memcpy(p, ip, sizeof(*ip));
	memcpy(p + sizeof(*ip), ext, ext_len);
	p += sizeof(*ip) + ext_len;
	memcpy(p, msg, len);
	tp_pkt_parse(m, &info);
	*(uint16_t *)(p + 2) = ~inet_icmp_sum(m, &info, ip->src_addr, ip->dst_addr);
	inet_send(inet, m, TP_INET_MEMBER_ALL);
}

/* ---- groups ------------------------------------------------------------------------ */

static uint16_t
fill_report(const struct tp_inet *inet, struct mld_report *r, uint8_t type)
{
	uint16_t nb = 0;

	*r = (struct mld_report){ .type = MLD_REPORT };
	for (uint32_t i = 0; i < TP_INET_MAX_ADDRS; i++) {
		const uint8_t *a = inet->addr[i].addr;

		if (!inet->addr[i].used || tp_inet_is_v4(a))
			continue;
		r->record[nb++] = (struct mld_record){
			.type = type,
			.group = { 0xff, 0x02, [11] = 0x01, 0xff, a[13], a[14], a[15] },
		};
	}
	r->nb_records = rte_cpu_to_be_16(nb);
	return nb;
}

static uint16_t
send_report(struct tp_inet *inet, uint8_t type)
{
	/* Router alert (RFC 2711), padded. */
	static const uint8_t hop_by_hop[8] = { IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0 };
	struct rte_ipv6_hdr ip = { .vtc_flow = RTE_BE32(0x60000000),
		.proto = IPPROTO_HOPOPTS,
		.hop_limits = 1,
		.dst_addr = { 0xff, 0x02, [15] = 0x16 } };
	const uint8_t *src = link_local(inet);
	struct mld_report report;
	uint16_t nb = fill_report(inet, &report, type);
	uint16_t len = offsetof(struct mld_report, record) + nb * sizeof(report.record[0]);

	if (nb == 0)
		return 0;
	/* From :: as long as there is no address (RFC 3810 5.2.13). */
	if (src != NULL)
		memcpy(ip.src_addr, src, TP_INET_LEN);
	ip.payload_len = rte_cpu_to_be_16(sizeof(hop_by_hop) + len);
	send_group(inet, &ip, hop_by_hop, sizeof(hop_by_hop), &report, len);
	return nb;
}

void
inet_mcast_changed(struct tp_inet *inet, uint64_t now)
{
	inet->nb_reports = 0;
	if (inet->conf.answer && inet->conf.mld)
		tp_wheel_arm(inet->wheel, report_timer(inet), now);
}

void
inet_report_timer(struct tp_inet *inet, uint64_t now)
{
	bool change = inet->nb_reports < ROBUSTNESS;

	if (send_report(inet, change ? MLD_TO_EXCLUDE : MLD_IS_EXCLUDE) == 0)
		return;
	if (change)
		inet->nb_reports++;
	tp_wheel_arm(inet->wheel, report_timer(inet),
	                now + (inet->nb_reports < ROBUSTNESS ? REPORT_AGAIN_NS
	                                                     : REPORT_INTERVAL_NS));
}

/* ---- routers ------------------------------------------------------------------------- */

void
inet_solicit_timer(struct tp_inet *inet, uint64_t now)
{
	struct rte_ipv6_hdr ip = { .vtc_flow = RTE_BE32(0x60000000),
		.payload_len = RTE_BE16(sizeof(struct rs)),
		.proto = IPPROTO_ICMPV6,
		.hop_limits = ND_HOP_LIMIT,
		.dst_addr = { 0xff, 0x02, [15] = 2 } };
	const struct rs rs = {
		.type = ROUTER_SOLICIT, .opt_type = 1, .opt_len_8 = 1, .mac = inet->conf.mac
	};
	const uint8_t *src = link_local(inet);

	if (inet->nb_router_asks >= MAX_RTR_SOLICITATIONS)
		return;
	tp_wheel_arm(inet->wheel, solicit_timer(inet), now + RTR_SOLICITATION_INTERVAL_NS);
	/* The address may still be tentative. */
	if (src == NULL)
		return;
	inet->nb_router_asks++;
	memcpy(ip.src_addr, src, TP_INET_LEN);
	send_group(inet, &ip, "", 0, &rs, sizeof(rs));
}

void
inet_router_heard(struct tp_inet *inet)
{
	inet->nb_router_asks = MAX_RTR_SOLICITATIONS;
	tp_wheel_cancel(inet->wheel, solicit_timer(inet));
}
