/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <netinet/in.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>

#include "flow_int.h"

/* FC-BB-5: the FC header stands behind 14 bytes of FCoE. */
#define FCOE_HDR_LEN 14
#define FC_D_ID 1
#define FC_S_ID 5
#define FC_OX_ID 16
#define FC_HDR_LEN 24
#define FC_ID_LEN 3

#define VLAN_ID_MASK 0x0fff
#define PORT_LEN 2

/* Copy n bytes from the frame; they were found to be there. n is a constant wherever this matters,
 * so that a few moves do it.
 */
static __rte_always_inline void
pull(const struct rte_mbuf *m, uint32_t off, uint32_t n, uint8_t *to)
{
	const void *from = rte_pktmbuf_read(m, off, n, to);

	if (from != to)
		memcpy(to, from, n);
}

/* For symmetric hashes the smaller endpoint stands first. Any order does; this one compares
 * as the kernels do: little-endian words of 32 bits, the first one first, then of 16.
 */
static int
order(const uint8_t *a, const uint8_t *b, size_t len)
{
	rte_le32_t wa, wb;

	for (; len > 0; a += sizeof(wa), b += sizeof(wb), len -= RTE_MIN(len, sizeof(wa))) {
		wa = wb = 0;
		memcpy(&wa, a, RTE_MIN(len, sizeof(wa)));
		memcpy(&wb, b, RTE_MIN(len, sizeof(wb)));
		if (wa != wb)
			return rte_le_to_cpu_32(wa) < rte_le_to_cpu_32(wb) ? -1 : 1;
	}
	return 0;
}

static void
swap(uint8_t *a, uint8_t *b, size_t len)
{
	uint8_t t[16];

	memcpy(t, a, len);
	memcpy(a, b, len);
	memcpy(b, t, len);
}

static bool
has_ports(const struct tp_pkt_info *info)
{
	if ((info->flags & TP_PKT_F_FRAG) != 0)
		return false;
	if (info->l4_proto != IPPROTO_TCP && info->l4_proto != IPPROTO_UDP &&
	                info->l4_proto != IPPROTO_SCTP)
		return false;
	return info->l4_off + 2 * PORT_LEN <= info->end_off;
}

static uint16_t
tuple_l2(const struct tp_flow_conf *conf, const struct rte_mbuf *m, const struct tp_pkt_info *info,
                uint8_t *tuple)
{
	rte_be16_t type;
	uint32_t mac_end;
	uint64_t end;

	if (info->flags & TP_PKT_F_RUNT) {
		memset(tuple, 0, 16);
		pull(m, 0, RTE_MIN(m->pkt_len, 2u * RTE_ETHER_ADDR_LEN), tuple);
		return 16;
	}
	pull(m, 0, 8, tuple);
	pull(m, 8, sizeof(mac_end), (uint8_t *)&mac_end);
	/* The EtherType is the last thing before the network layer. A length is none: it would
	 * scatter the frames of one flow.
	 */
	pull(m, info->l3_off - 2u, sizeof(type), (uint8_t *)&type);
	if (rte_be_to_cpu_16(type) < RTE_ETHER_TYPE_IPV4)
		type = 0;
	/* One store, as it will be one load. */
	end = rte_le_to_cpu_32(mac_end) | (uint64_t)rte_le_to_cpu_16(type) << 32;
	end = rte_cpu_to_le_64(end);
	memcpy(tuple + 8, &end, sizeof(end));
	if (conf->symmetric && order(tuple, tuple + 6, 6) > 0)
		swap(tuple, tuple + 6, 6);
	return 16;
}

/* Source and destination address, then the ports. */
static __rte_always_inline uint16_t
tuple_l34(const struct tp_flow_conf *conf, const struct rte_mbuf *m, const struct tp_pkt_info *info,
                uint16_t addr_off, uint16_t addr_len, uint8_t *tuple)
{
	uint8_t *ports = tuple + 2 * addr_len;
	int cmp;

	pull(m, addr_off, 2u * addr_len, tuple);
	memset(ports, 0, 2 * PORT_LEN);
	if (has_ports(info))
		pull(m, info->l4_off, 2 * PORT_LEN, ports);
	if (conf->symmetric) {
		cmp = order(tuple, tuple + addr_len, addr_len);
		if (cmp > 0)
			swap(tuple, tuple + addr_len, addr_len);
		if (cmp > 0 || (cmp == 0 && order(ports, ports + PORT_LEN, PORT_LEN) > 0))
			swap(ports, ports + PORT_LEN, PORT_LEN);
	}
	return 2 * addr_len + 2 * PORT_LEN;
}

static __rte_always_inline uint16_t
tuple_l23(const struct tp_flow_conf *conf, const struct rte_mbuf *m, uint16_t addr_off,
                uint16_t addr_len, uint8_t *tuple)
{
	uint8_t *mac = tuple + 2 * addr_len;

	pull(m, addr_off, 2u * addr_len, tuple);
	pull(m, 0, 2 * RTE_ETHER_ADDR_LEN, mac);
	if (conf->symmetric) {
		if (order(tuple, tuple + addr_len, addr_len) > 0)
			swap(tuple, tuple + addr_len, addr_len);
		if (order(mac, mac + 6, 6) > 0)
			swap(mac, mac + 6, 6);
	}
	return 2 * addr_len + 2 * RTE_ETHER_ADDR_LEN;
}

/* @param addr_off where the source address begins
 * @param len bytes of an address, a constant
 */
static __rte_always_inline uint16_t
tuple_ip(const struct tp_flow_conf *conf, const struct rte_mbuf *m, const struct tp_pkt_info *info,
                uint16_t addr_off, uint16_t len, uint8_t *tuple)
{
	if (conf->policy == TP_FLOW_DST) {
		pull(m, addr_off + len, len, tuple);
		return len;
	}
	if (conf->policy == TP_FLOW_L23)
		return tuple_l23(conf, m, addr_off, len, tuple);
	return tuple_l34(conf, m, info, addr_off, len, tuple);
}

static uint16_t
tuple_ipv4(const struct tp_flow_conf *conf, const struct rte_mbuf *m,
                const struct tp_pkt_info *info, uint8_t *tuple)
{
	return tuple_ip(conf, m, info, info->l3_off + offsetof(struct rte_ipv4_hdr, src_addr), 4,
	                tuple);
}

static uint16_t
tuple_ipv6(const struct tp_flow_conf *conf, const struct rte_mbuf *m,
                const struct tp_pkt_info *info, uint8_t *tuple)
{
	return tuple_ip(conf, m, info, info->l3_off + offsetof(struct rte_ipv6_hdr, src_addr), 16,
	                tuple);
}

static uint16_t
tuple_fcoe(const struct tp_flow_conf *conf, const struct rte_mbuf *m,
                const struct tp_pkt_info *info, uint8_t *tuple)
{
	uint8_t fc[FC_HDR_LEN];

	memset(tuple, 0, 12);
	pull(m, info->l3_off + FCOE_HDR_LEN, FC_HDR_LEN, fc);
	if (conf->policy == TP_FLOW_DST) {
		memcpy(tuple + 1, fc + FC_D_ID, FC_ID_LEN);
		return 4;
	}
	memcpy(tuple + 1, fc + FC_S_ID, FC_ID_LEN);
	memcpy(tuple + 5, fc + FC_D_ID, FC_ID_LEN);
	memcpy(tuple + 8, fc + FC_OX_ID, 2);
	if (conf->symmetric && order(tuple, tuple + 4, 4) > 0)
		swap(tuple, tuple + 4, 4);
	return 12;
}

static uint16_t
tuple_vlan_srcmac(const struct rte_mbuf *m, const struct tp_pkt_info *info, uint8_t *tuple)
{
	uint16_t id = info->vlan_tci & VLAN_ID_MASK;

	tuple[0] = id >> 8;
	tuple[1] = (uint8_t)id;
	pull(m, RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN, tuple + 2);
	return 8;
}

uint16_t
flow_tuple(const struct tp_flow_conf *conf, const struct rte_mbuf *m,
                const struct tp_pkt_info *info, uint8_t *tuple)
{
	if (info->flags & TP_PKT_F_RUNT)
		return tuple_l2(conf, m, info, tuple);
	switch (conf->policy) {
	case TP_FLOW_L34:
	case TP_FLOW_L23:
	case TP_FLOW_DST:
	case TP_FLOW_FC:
		if (info->l3 == TP_L3_IPV4)
			return tuple_ipv4(conf, m, info, tuple);
		if (info->l3 == TP_L3_IPV6)
			return tuple_ipv6(conf, m, info, tuple);
		if (info->l3 == TP_L3_FCOE &&
		                (conf->policy == TP_FLOW_DST || conf->policy == TP_FLOW_FC))
			return tuple_fcoe(conf, m, info, tuple);
		break;
	case TP_FLOW_VLAN_SRCMAC:
		return tuple_vlan_srcmac(m, info, tuple);
	}
	return tuple_l2(conf, m, info, tuple);
}

static bool
special(const struct tp_pkt_info *info)
{
	switch (info->l3) {
	case TP_L3_IPV4:
		return info->l4_proto == IPPROTO_IGMP;
	case TP_L3_IPV6:
		return info->l4_proto == IPPROTO_ICMPV6;
	default:
		return true;
	}
}

bool
flow_hash_parsed(const struct tp_flow *flow, const struct rte_mbuf *m,
                const struct tp_pkt_info *info, uint32_t *hash)
{
	uint8_t tuple[FLOW_TUPLE_MAX];
	uint16_t len = flow_tuple(&flow->conf, m, info, tuple);

	flow->tuples(flow, tuple, len, 1, hash);
	return special(info);
}
