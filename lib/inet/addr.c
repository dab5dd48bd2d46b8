/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The team's addresses and their claim: probing (RFC 5227 2.1, RFC 4862 5.4), announcing (RFC 5227
 * 2.3, RFC 4861 7.2.6), defending (RFC 5227 2.4 (c)).
 */

#include <errno.h>

#include <rte_arp.h>

#include "inet_int.h"

#define NB_ANNOUNCEMENTS 2 /* ANNOUNCE_NUM */
#define ANNOUNCE_INTERVAL_NS (2 * TP_NS_PER_S)
#define DEFEND_INTERVAL_NS (10 * TP_NS_PER_S)
#define RETRY_NS (60 * TP_NS_PER_S) /* RATE_LIMIT_INTERVAL */
#define NB_PROBES_V6 1              /* DupAddrDetectTransmits */
#define ND_F_OVERRIDE 0x20

static const struct rte_ether_addr broadcast = { { 255, 255, 255, 255, 255, 255 } };
static const struct rte_ether_addr no_mac;

struct inet_addr *
inet_addr_find(struct tp_inet *inet, const uint8_t addr[TP_INET_LEN])
{
	for (uint32_t i = 0; i < TP_INET_MAX_ADDRS; i++)
		if (inet->addr[i].used && inet_same(inet->addr[i].addr, addr))
			return &inet->addr[i];
	return NULL;
}

bool
inet_addr_on_link(const struct tp_inet *inet, const uint8_t addr[TP_INET_LEN])
{
	for (uint32_t i = 0; i < TP_INET_MAX_ADDRS; i++) {
		const struct inet_addr *a = &inet->addr[i];

		if (a->used && inet_same_prefix(a->addr, addr, inet_bits(a->addr, a->prefix_len)))
			return true;
	}
	return false;
}

const struct inet_addr *
inet_addr_for(const struct tp_inet *inet, const uint8_t neigh[TP_INET_LEN])
{
	const struct inet_addr *best = NULL;

	for (uint32_t i = 0; i < TP_INET_MAX_ADDRS; i++) {
		const struct inet_addr *a = &inet->addr[i];

		if (!a->used || a->state != TP_INET_PREFERRED ||
		                tp_inet_is_v4(a->addr) != tp_inet_is_v4(neigh))
			continue;
		if (inet_same_prefix(a->addr, neigh, inet_bits(a->addr, a->prefix_len)))
			return a;
		if (best == NULL)
			best = a;
	}
	return best;
}

/* ---- claiming --------------------------------------------------------------------- */

static uint8_t
nb_probes(const struct tp_inet *inet, const struct inet_addr *a)
{
	if (tp_inet_is_v4(a->addr))
		return inet->conf.dad_probes;
	return RTE_MIN(inet->conf.dad_probes, NB_PROBES_V6);
}

static void
send_probe(struct tp_inet *inet, const struct inet_addr *a)
{
	static const uint8_t unspecified[TP_INET_LEN];
	const struct tp_inet_conf *conf = &inet->conf;
	struct rte_mbuf *m;

	if (tp_inet_is_v4(a->addr))
		m = tp_pkt_build_arp(conf->pool, RTE_ARP_OP_REQUEST, conf->vlan_tci, &broadcast,
		                &conf->mac, 0, &no_mac, tp_inet_v4(a->addr));
	else
		m = tp_pkt_build_ns(conf->pool, conf->vlan_tci, &conf->mac, unspecified, a->addr);
	inet_send(inet, m, TP_MEMBER_NONE);
}

static void
announce(struct tp_inet *inet, const struct inet_addr *a)
{
	static const struct rte_ether_addr all_nodes_mac = { { 0x33, 0x33, 0, 0, 0, 1 } };
	static const uint8_t all_nodes[TP_INET_LEN] = { 0xff, 0x02, [15] = 1 };
	const struct tp_inet_conf *conf = &inet->conf;
	rte_be32_t ip = tp_inet_v4(a->addr);
	struct rte_mbuf *m;

	if (tp_inet_is_v4(a->addr))
		m = tp_pkt_build_arp(conf->pool, RTE_ARP_OP_REQUEST, conf->vlan_tci, &broadcast,
		                &conf->mac, ip, &no_mac, ip);
	else
		m = tp_pkt_build_na(conf->pool, conf->vlan_tci, &all_nodes_mac, &conf->mac, a->addr,
		                all_nodes, a->addr, ND_F_OVERRIDE);
	inet_send(inet, m, TP_INET_MEMBER_ALL);
}

static void
arm(struct tp_inet *inet, const struct inet_addr *a, uint64_t at)
{
	tp_wheel_arm(inet->wheel, addr_timer(inet, a), at);
}

static void
make_ours(struct tp_inet *inet, struct inet_addr *a, uint64_t now)
{
	a->state = TP_INET_PREFERRED;
	a->nb_sent = 0;
	/* A view that could not be made is made by a later step. */
	inet_publish(inet);
	if (inet->conf.answer)
		arm(inet, a, now);
}

static void
start_claim(struct tp_inet *inet, struct inet_addr *a, uint64_t now)
{
	a->state = TP_INET_TENTATIVE;
	a->nb_sent = 0;
	if (!inet->conf.answer || nb_probes(inet, a) == 0) {
		make_ours(inet, a, now);
		return;
	}
	arm(inet, a, inet_random_ns(inet, now, inet->conf.dad_wait_ns));
}

static void
next_probe(struct tp_inet *inet, struct inet_addr *a, uint64_t now)
{
	uint64_t interval = inet->conf.dad_interval_ns;

	if (a->nb_sent == nb_probes(inet, a)) {
		make_ours(inet, a, now);
		return;
	}
	send_probe(inet, a);
	a->nb_sent++;
	if (!tp_inet_is_v4(a->addr))
		arm(inet, a, now + interval);
	else if (a->nb_sent < nb_probes(inet, a))
		arm(inet, a, inet_random_ns(inet, now + interval, interval));
	else
		arm(inet, a, now + 2 * interval);
}

void
inet_addr_timer(struct tp_inet *inet, struct inet_addr *a, uint64_t now)
{
	switch (a->state) {
	case TP_INET_TENTATIVE:
		next_probe(inet, a, now);
		break;
	case TP_INET_PREFERRED:
		announce(inet, a);
		if (++a->nb_sent < NB_ANNOUNCEMENTS)
			arm(inet, a, now + ANNOUNCE_INTERVAL_NS);
		break;
	case TP_INET_DUPLICATE:
		start_claim(inet, a, now);
		break;
	}
}

/* While it is ours it stays ours: a server cannot give its address away, but it does not answer
 * each claim either, as two that do so would flood the link (RFC 5227 2.4 (c)).
 */
void
inet_addr_conflict(struct tp_inet *inet, struct inet_addr *a, const struct rte_ether_addr *mac,
                uint64_t now)
{
	if (!inet->conf.answer)
		return;
	a->nb_conflicts++;
	a->rival = *mac;
	inet->mib[TP_INET_M_DAD_CONFLICT]++;
	if (a->state == TP_INET_TENTATIVE) {
		a->state = TP_INET_DUPLICATE;
		inet_publish(inet); /* members use it neither way, but its owner wants to know */
		arm(inet, a, now + RETRY_NS);
	} else if (a->state == TP_INET_PREFERRED &&
	                (a->defended_ns == 0 || now >= a->defended_ns + DEFEND_INTERVAL_NS)) {
		a->defended_ns = now;
		announce(inet, a);
	}
}

void
tp_inet_announce(struct tp_inet *inet, uint64_t now)
{
	if (!inet->conf.answer)
		return;
	for (uint32_t i = 0; i < TP_INET_MAX_ADDRS; i++)
		if (inet->addr[i].used && inet->addr[i].state == TP_INET_PREFERRED)
			announce(inet, &inet->addr[i]);
	tp_inet_report(inet, now);
}

void
tp_inet_report(struct tp_inet *inet, uint64_t now)
{
	inet_mcast_changed(inet, now);
}

/* ---- the set ------------------------------------------------------------------------- */

static struct inet_addr *
new_addr(struct tp_inet *inet)
{
	for (uint32_t i = 0; i < TP_INET_MAX_ADDRS; i++)
		if (!inet->addr[i].used)
			return &inet->addr[i];
	return NULL;
}

static int
add(struct tp_inet *inet, const uint8_t addr[TP_INET_LEN], uint8_t prefix_len, bool link_local,
                uint64_t now)
{
	struct inet_addr *a;
	int rc;

	if (inet_addr_find(inet, addr) != NULL)
		return -EEXIST;
	a = new_addr(inet);
	if (a == NULL)
		return -ENOSPC;
	*a = (struct inet_addr){ .used = true, .link_local = link_local, .prefix_len = prefix_len };
	memcpy(a->addr, addr, TP_INET_LEN);
	rc = inet_publish_routes(inet);
	if (rc < 0) {
		a->used = false;
		return rc;
	}
	if (!tp_inet_is_v4(addr))
		inet_mcast_changed(inet, now);
	start_claim(inet, a, now);
	return 0;
}

int
tp_inet_addr_add(struct tp_inet *inet, const uint8_t addr[TP_INET_LEN], uint8_t prefix_len,
                uint64_t now)
{
	if (!inet_is_unicast(addr) || prefix_len == 0 ||
	                prefix_len > (tp_inet_is_v4(addr) ? 32 : 128))
		return -EINVAL;
	return add(inet, addr, prefix_len, false, now);
}

int
tp_inet_addr_del(struct tp_inet *inet, const uint8_t addr[TP_INET_LEN])
{
	struct inet_addr *a = inet_addr_find(inet, addr);

	if (a == NULL)
		return -ENOENT;
	a->used = false;
	tp_wheel_cancel(inet->wheel, addr_timer(inet, a));
	inet_publish_routes(inet);
	return 0;
}

/* fe80:: and the MAC as modified EUI-64 (RFC 4291 appendix A). */
static void
link_local_of(uint8_t addr[TP_INET_LEN], const struct rte_ether_addr *mac)
{
	const uint8_t *b = mac->addr_bytes;
	const uint8_t bytes[TP_INET_LEN] = { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, b[0] ^ 2, b[1], b[2],
		0xff, 0xfe, b[3], b[4], b[5] };

	memcpy(addr, bytes, TP_INET_LEN);
}

int
inet_addr_link_local(struct tp_inet *inet, uint64_t now)
{
	uint8_t addr[TP_INET_LEN];
	struct inet_addr *a;
	int rc;

	if (!inet->conf.link_local)
		return 0;
	link_local_of(addr, &inet->conf.mac);
	a = inet_addr_find(inet, addr);
	if (a != NULL)
		return 0;
	for (uint32_t i = 0; i < TP_INET_MAX_ADDRS; i++)
		if (inet->addr[i].used && inet->addr[i].link_local)
			tp_inet_addr_del(inet, inet->addr[i].addr);
	rc = add(inet, addr, 64, true, now);
	return rc;
}

uint32_t
tp_inet_addrs(const struct tp_inet *inet, struct tp_inet_addr_info *info, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < TP_INET_MAX_ADDRS && n < max; i++) {
		const struct inet_addr *a = &inet->addr[i];

		if (!a->used)
			continue;
		info[n] = (struct tp_inet_addr_info){ .prefix_len = a->prefix_len,
			.state = a->state,
			.link_local = a->link_local,
			.nb_conflicts = a->nb_conflicts,
			.rival = a->rival };
		memcpy(info[n++].addr, a->addr, TP_INET_LEN);
	}
	return n;
}

/* ---- what workers ask ------------------------------------------------------------------ */

static const struct view_addr *
view_find(const struct inet_view *v, const uint8_t addr[TP_INET_LEN])
{
	for (uint16_t i = 0; i < v->nb_addrs; i++)
		if (inet_same(v->addr[i].addr, addr))
			return &v->addr[i];
	return NULL;
}

bool
tp_inet_is_configured(const struct tp_inet *inet, const uint8_t addr[TP_INET_LEN])
{
	return view_find(inet_view(inet), addr) != NULL;
}

bool
tp_inet_is_local(const struct tp_inet *inet, const uint8_t addr[TP_INET_LEN])
{
	const struct view_addr *a = view_find(inet_view(inet), addr);

	return a != NULL && a->usable;
}

static uint8_t
common_bits(const uint8_t *a, const uint8_t *b)
{
	uint8_t bits = 0;

	while (bits < 128 && inet_same_prefix(a, b, bits + 1))
		bits++;
	return bits;
}

int
tp_inet_source(const struct tp_inet *inet, const uint8_t raddr[TP_INET_LEN],
                uint8_t laddr[TP_INET_LEN])
{
	const struct inet_view *v = inet_view(inet);
	const struct view_addr *best = NULL;
	uint8_t next_hop[TP_INET_LEN];
	uint8_t bits, best_bits = 0;

	if (!inet_is_unicast(raddr) || view_find(v, raddr) != NULL)
		return -EINVAL;
	if (inet_route_lookup(v, raddr, next_hop) < 0)
		return -ENETUNREACH;
	for (uint16_t i = 0; i < v->nb_addrs; i++) {
		const struct view_addr *a = &v->addr[i];

		if (!a->usable || tp_inet_is_v4(a->addr) != tp_inet_is_v4(raddr) ||
		                inet_is_link_local(a->addr) != inet_is_link_local(raddr))
			continue;
		bits = common_bits(a->addr, raddr);
		if (best == NULL || bits > best_bits) {
			best = a;
			best_bits = bits;
		}
	}
	if (best == NULL)
		return -EADDRNOTAVAIL;
	memcpy(laddr, best->addr, TP_INET_LEN);
	return 0;
}

bool
tp_inet_hdr_ok(const struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	const struct rte_ipv4_hdr *ip;
	uint8_t copy[60];
	uint32_t len;

	if (info->l3 != TP_L3_IPV4)
		return true;
	switch (m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) {
	case RTE_MBUF_F_RX_IP_CKSUM_GOOD:
	case RTE_MBUF_F_RX_IP_CKSUM_NONE: /* not filled in, but what it covers is known good */
		return true;
	case RTE_MBUF_F_RX_IP_CKSUM_BAD:
		return false;
	}
	ip = rte_pktmbuf_read(m, info->l3_off, sizeof(*ip), copy);
	len = ip != NULL ? rte_ipv4_hdr_len(ip) : 0;
	if (len < sizeof(*ip))
		return false;
	ip = rte_pktmbuf_read(m, info->l3_off, len, copy);
	return ip != NULL && rte_raw_cksum(ip, len) == 0xffff;
}

bool
tp_inet_ends(const struct rte_mbuf *m, const struct tp_pkt_info *info, uint8_t src[TP_INET_LEN],
                uint8_t dst[TP_INET_LEN])
{
	struct rte_ipv6_hdr copy;
	const struct rte_ipv4_hdr *ip4;
	const struct rte_ipv6_hdr *ip6;

	if (info->l3 == TP_L3_IPV4) {
		ip4 = rte_pktmbuf_read(m, info->l3_off, sizeof(*ip4), &copy);
		if (ip4 == NULL)
			return false;
		tp_inet_map_v4(src, ip4->src_addr);
		tp_inet_map_v4(dst, ip4->dst_addr);
		return true;
	}
	if (info->l3 != TP_L3_IPV6)
		return false;
	ip6 = rte_pktmbuf_read(m, info->l3_off, sizeof(*ip6), &copy);
	if (ip6 == NULL)
		return false;
	memcpy(src, ip6->src_addr, TP_INET_LEN);
	memcpy(dst, ip6->dst_addr, TP_INET_LEN);
	return true;
}
