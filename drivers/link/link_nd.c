/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Neighbour solicitations (RFC 4861 4.3) and what a valid advertisement is (7.1.2). */
#include <errno.h>
#include <string.h>

#include <rte_ip.h>

#include "link_int.h"

#define ICMPV6 58
#define ND_NA 136
#define ND_HOP_LIMIT 255
#define ND_SOLICITED 0x40
/* Options of an advertisement that we are ready to check. */
#define NA_MAX_LEN 256

struct nd_na {
	uint8_t type, code;
	rte_be16_t cksum;
	uint8_t flags;
	uint8_t reserved[3];
	uint8_t target[16];
};
static_assert(sizeof(struct nd_na) == 24, "as on the wire");

/* RFC 4291 appendix A: the link-local address of a MAC. */
static void
link_local(const struct rte_ether_addr *mac, uint8_t addr[16])
{
	const uint8_t *b = mac->addr_bytes;
	const uint8_t ll[16] = { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, b[0] ^ 2, b[1], b[2], 0xff, 0xfe,
		b[3], b[4], b[5] };

	memcpy(addr, ll, sizeof(ll));
}

static void
nd_source(const struct tp_link *link, uint8_t addr[16])
{
	static const uint8_t any[16];

	if (memcmp(link->conf.src_ip6, any, sizeof(any)) == 0)
		link_local(&link->ctx.mac, addr);
	else
		memcpy(addr, link->conf.src_ip6, sizeof(any));
}

static void
nd_poll(struct tp_link *link, const struct link_look *look)
{
	const struct tp_link_conf *c = &link->conf;
	uint8_t src[16];

	if (!link_probe_due(link, &link->nd, TP_LINK_ND, c->nb_ip6, look))
		return;
	nd_source(link, src);
	for (unsigned int i = 0; i < c->nb_ip6; i++)
		link_probe_send(link,
		                tp_pkt_build_ns(link->ctx.pool, c->vlan_tci, &link->ctx.mac, src,
		                                c->ip6[i]),
		                look->out);
}

static int
nd_open(struct tp_link *link, uint64_t now)
{
	if (link->ctx.pool == NULL)
		return -EINVAL;
	link_probe_open(link, &link->nd, TP_LINK_ND, now);
	return 0;
}

/* Every option has a length of at least one and ends within the message. */
static bool
options_whole(const uint8_t *opt, uint16_t len)
{
	while (len > 0) {
		if (len < 8 || opt[1] == 0 || opt[1] * 8 > len)
			return false;
		len -= opt[1] * 8;
		opt += opt[1] * 8;
	}
	return true;
}

/* @param na [NA_MAX_LEN] out, aligned: the message @return its length, 0 when it is none */
static uint16_t
nd_message(const struct tp_link *link, const struct rte_mbuf *m, struct rte_ipv6_hdr *ip, void *na)
{
	struct tp_pkt_info info;
	const void *p;
	uint16_t len;

	tp_pkt_parse(m, &info);
	if (info.l3 != TP_L3_IPV6 || info.l4_proto != ICMPV6 || (info.flags & TP_PKT_F_L4) == 0 ||
	                (info.flags & (TP_PKT_F_BAD | TP_PKT_F_FRAG | TP_PKT_F_MULTICAST)) != 0 ||
	                !link_same_vlan(link, &info))
		return 0;
	len = info.end_off - info.l4_off;
	/* Behind extension headers the pseudo-header is not what rte_ip computes; nobody sends
	 * such an advertisement.
	 */
	if (info.l4_off != info.l3_off + sizeof(*ip) || len < sizeof(struct nd_na) ||
	                len > NA_MAX_LEN)
		return 0;
	p = rte_pktmbuf_read(m, info.l3_off, sizeof(*ip), ip);
	if (p == NULL)
		return 0;
	if (p != ip)
		memcpy(ip, p, sizeof(*ip));
	p = rte_pktmbuf_read(m, info.l4_off, len, na);
	if (p == NULL)
		return 0;
	if (p != na)
		memcpy(na, p, len);
	return len;
}

/* RFC 4861 7.1.2, and an answer to us. */
static bool
na_valid(const struct tp_link *link, const struct rte_ipv6_hdr *ip, const struct nd_na *na,
                uint16_t len)
{
	uint8_t src[16];

	nd_source(link, src);
	return ip->payload_len == rte_cpu_to_be_16(len) && ip->hop_limits == ND_HOP_LIMIT &&
	       na->type == ND_NA && na->code == 0 && (na->flags & ND_SOLICITED) != 0 &&
	       na->target[0] != 0xff && memcmp(ip->dst_addr, src, sizeof(src)) == 0 &&
	       options_whole((const uint8_t *)(na + 1), len - sizeof(*na)) &&
	       rte_ipv6_udptcp_cksum_verify(ip, na) == 0;
}

static bool
nd_frame(struct tp_link *link, const struct rte_mbuf *m, uint64_t now)
{
	const struct tp_link_conf *c = &link->conf;
	alignas(8) uint8_t na[NA_MAX_LEN];
	struct rte_ipv6_hdr ip;
	uint16_t len = nd_message(link, m, &ip, na);

	(void)now;
	if (len == 0 || !na_valid(link, &ip, (const struct nd_na *)na, len))
		return false;
	for (unsigned int i = 0; i < c->nb_ip6; i++) {
		if (memcmp(((const struct nd_na *)na)->target, c->ip6[i], 16) == 0) {
			link_probe_answer(link, &link->nd, TP_LINK_ND, c->nb_ip6, i);
			return true;
		}
	}
	return false;
}

const struct link_watch link_nd = {
	.name = "nd",
	.open = nd_open,
	.poll = nd_poll,
	.frame = nd_frame,
};
