/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Addresses that the host uses, learned from ARP and ND that it sends, for gratuitous ARP and
 * unsolicited neighbour advertisements after a failover.
 */

#include <errno.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include "announce_int.h"

#define VID_MASK 0x0fff
#define ND_RA 134
#define ND_NS 135
#define ND_NA 136
#define ND_OPT_SRC_LLADDR 1
#define ND_OPT_DST_LLADDR 2
#define ND_F_ROUTER 0x80
#define ND_F_OVERRIDE 0x20
#define ND_HOP_LIMIT 255
#define ND_MAX_OPTS 16

/* What a frame says: this address is at that MAC. */
struct binding {
	uint8_t family;
	bool router;
	uint8_t addr[16];
	struct rte_ether_addr mac;
};

struct tp_announce *
tp_announce_create(int socket_id)
{
	struct tp_announce *ann = rte_zmalloc_socket("tp_announce", sizeof(*ann), 0, socket_id);

	if (ann == NULL)
		rte_errno = ENOMEM;
	return ann;
}

void
tp_announce_free(struct tp_announce *ann)
{
	rte_free(ann);
}

/* ---- reading frames ------------------------------------------------------- */

/* Always a copy: in the frame a header may lie at any address. */
static const void *
copy_out(const struct rte_mbuf *m, uint32_t off, uint32_t len, void *buf)
{
	const void *p = rte_pktmbuf_read(m, off, len, buf);

	if (p != NULL && p != buf)
		memcpy(buf, p, len);
	return p != NULL ? buf : NULL;
}

const void *
ann_look(const struct ann_frame *f, uint32_t off, uint32_t len, void *buf)
{
	if (f->info.end_off != 0 && off + len > f->info.end_off)
		return NULL;
	return copy_out(f->m, off, len, buf);
}

static bool
is_mac_valid(const struct rte_ether_addr *mac)
{
	return !rte_is_zero_ether_addr(mac) && !rte_is_multicast_ether_addr(mac);
}

static bool
is_ipv4_valid(const uint8_t *addr)
{
	return addr[0] != 0 && addr[0] != 127 && addr[0] < 224;
}

static bool
is_ipv6_valid(const uint8_t *addr)
{
	static const uint8_t low[15];

	/* Neither ::, ::1 nor a group. */
	return addr[0] != 0xff && (memcmp(addr, low, sizeof(low)) != 0 || addr[15] > 1);
}

/* @return false: not a frame to learn from */
static bool
open_frame(struct ann_frame *f, const struct rte_mbuf *m, uint64_t now)
{
	const struct rte_ether_hdr *eth;
	struct rte_ether_hdr buf;

	*f = (struct ann_frame){ .m = m, .now = now };
	tp_pkt_parse(m, &f->info);
	/* The frame may be on its way out already, its tag a request to the port. */
	f->tag_offloaded = (m->ol_flags & (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_TX_VLAN)) != 0;
	if ((f->info.flags & (TP_PKT_F_QINQ | TP_PKT_F_FRAG | TP_PKT_F_RUNT)) ||
	                (m->ol_flags & RTE_MBUF_F_TX_QINQ))
		return false;
	if (f->tag_offloaded)
		f->tci = m->vlan_tci;
	else if (f->info.flags & TP_PKT_F_VLAN)
		f->tci = f->info.vlan_tci;
	f->vid = f->tci & VID_MASK;
	eth = copy_out(m, 0, sizeof(buf), &buf);
	if (eth == NULL)
		return false;
	f->src = eth->src_addr;
	return is_mac_valid(&f->src);
}

static bool
read_arp(const struct ann_frame *f, struct binding *b)
{
	const struct rte_arp_hdr *arp;
	struct rte_arp_hdr buf;

	arp = copy_out(f->m, f->info.l3_off, sizeof(buf), &buf);
	if (arp == NULL || (arp->arp_opcode != RTE_BE16(RTE_ARP_OP_REQUEST) &&
	                                   arp->arp_opcode != RTE_BE16(RTE_ARP_OP_REPLY)))
		return false;
	b->family = 4;
	memcpy(b->addr, &arp->arp_data.arp_sip, 4);
	b->mac = arp->arp_data.arp_sha;
	return is_ipv4_valid(b->addr) && is_mac_valid(&b->mac);
}

/* Find an address option (RFC 4861 4.6.1). @return false when the options are malformed */
static bool
read_nd_options(const struct ann_frame *f, uint32_t off, uint8_t type, struct rte_ether_addr *mac)
{
	for (int n = 0; off < f->info.end_off; n++) {
		uint8_t buf[8];
		const uint8_t *opt = n < ND_MAX_OPTS ? ann_look(f, off, sizeof(buf), buf) : NULL;

		if (opt == NULL || opt[1] == 0)
			return false;
		if (opt[0] == type && opt[1] == 1)
			memcpy(mac, opt + 2, sizeof(*mac));
		off += opt[1] * 8u;
	}
	return off == f->info.end_off;
}

static bool
read_nd(const struct ann_frame *f, struct binding *b)
{
	/* Where the options begin, by type (RFC 4861 4.2, 4.3, 4.4). */
	static const uint8_t fixed_len[] = { [ND_RA] = 16, [ND_NS] = 24, [ND_NA] = 24 };
	const struct rte_ipv6_hdr *ip;
	struct rte_ipv6_hdr ip_buf;
	const uint8_t *nd;
	uint8_t nd_buf[24], type;

	ip = ann_look(f, f->info.l3_off, sizeof(ip_buf), &ip_buf);
	nd = ann_look(f, f->info.l4_off, 4, nd_buf);
	if (ip == NULL || nd == NULL || ip->hop_limits != ND_HOP_LIMIT || nd[1] != 0)
		return false;
	type = nd[0];
	if (type != ND_RA && type != ND_NS && type != ND_NA)
		return false;
	nd = ann_look(f, f->info.l4_off, fixed_len[type], nd_buf);
	if (nd == NULL)
		return false;
	b->family = 6;
	b->router = type == ND_RA || (type == ND_NA && (nd[4] & ND_F_ROUTER) != 0);
	b->mac = f->src;
	memcpy(b->addr, type == ND_NA ? nd + 8 : ip->src_addr, 16);
	return read_nd_options(f, f->info.l4_off + fixed_len[type],
	                       type == ND_NA ? ND_OPT_DST_LLADDR : ND_OPT_SRC_LLADDR, &b->mac) &&
	       is_ipv6_valid(b->addr) && is_mac_valid(&b->mac);
}

static bool
read_binding(const struct ann_frame *f, struct binding *b)
{
	memset(b, 0, sizeof(*b));
	if ((f->info.flags & TP_PKT_F_NEIGH) == 0)
		return false;
	return f->info.l3 == TP_L3_ARP ? read_arp(f, b) : read_nd(f, b);
}

/* ---- the table -------------------------------------------------------------- */

static struct ann_addr *
find_addr(struct tp_announce *ann, uint16_t vid, uint8_t family, const uint8_t *addr)
{
	for (uint32_t i = 0; i < TP_ANNOUNCE_MAX; i++) {
		struct ann_addr *a = &ann->addr[i];

		if (a->used && a->vid == vid && a->family == family &&
		                memcmp(a->addr, addr, ann_addr_len(family)) == 0)
			return a;
	}
	return NULL;
}

/* A free slot, or that of who was not seen for the longest time; NULL: all are our own. */
static struct ann_addr *
new_addr(struct tp_announce *ann)
{
	struct ann_addr *oldest = NULL;

	for (uint32_t i = 0; i < TP_ANNOUNCE_MAX; i++) {
		struct ann_addr *a = &ann->addr[i];

		if (!a->used)
			return a;
		if (!a->own && (oldest == NULL || a->seen < oldest->seen))
			oldest = a;
	}
	return oldest;
}

static void
learn(struct tp_announce *ann, const struct ann_frame *f, const struct binding *b)
{
	struct ann_addr *a = find_addr(ann, f->vid, b->family, b->addr);

	if (a == NULL) {
		a = new_addr(ann);
		if (a == NULL)
			return;
		*a = (struct ann_addr){ .used = true, .family = b->family, .vid = f->vid };
		memcpy(a->addr, b->addr, sizeof(a->addr));
	}
	a->mac = b->mac;
	a->router |= b->router;
	a->seen = f->now;
}

void
tp_announce_snoop(struct tp_announce *ann, const struct rte_mbuf *m, uint64_t now)
{
	struct ann_frame f;
	struct binding b;

	if (!open_frame(&f, m, now))
		return;
	if (f.info.flags & TP_PKT_F_GROUP)
		ann_learn_groups(ann, &f);
	else if (read_binding(&f, &b))
		learn(ann, &f, &b);
}

void
tp_announce_heard(struct tp_announce *ann, const struct rte_mbuf *m)
{
	struct ann_frame f;
	struct ann_addr *a;
	struct binding b;

	if (!open_frame(&f, m, 0) || !read_binding(&f, &b))
		return;
	a = find_addr(ann, f.vid, b.family, b.addr);
	if (a != NULL && !a->own && !rte_is_same_ether_addr(&a->mac, &b.mac))
		a->used = false;
}

int
tp_announce_add_own(struct tp_announce *ann, uint16_t vid, uint8_t family, const uint8_t *addr)
{
	struct ann_addr *a;

	if (vid > VID_MASK || (family != 4 && family != 6) ||
	                !(family == 4 ? is_ipv4_valid(addr) : is_ipv6_valid(addr)))
		return -EINVAL;
	a = find_addr(ann, vid, family, addr);
	if (a == NULL)
		a = new_addr(ann);
	if (a == NULL)
		return -ENOSPC;
	*a = (struct ann_addr){ .used = true, .own = true, .family = family, .vid = vid };
	memcpy(a->addr, addr, ann_addr_len(family));
	return 0;
}

int
tp_announce_del_own(struct tp_announce *ann, uint16_t vid, uint8_t family, const uint8_t *addr)
{
	struct ann_addr *a = NULL;

	if (family == 4 || family == 6)
		a = find_addr(ann, vid, family, addr);
	if (a == NULL || !a->own)
		return -ENOENT;
	a->used = false;
	return 0;
}

/* ---- announcements ------------------------------------------------------------ */

/* What was learned with the team's MAC goes with it; others keep theirs (hosts behind a bridge). */
void
ann_set_mac(struct tp_announce *ann, const struct rte_ether_addr *mac)
{
	if (rte_is_same_ether_addr(&ann->mac, mac))
		return;
	for (uint32_t i = 0; i < TP_ANNOUNCE_MAX; i++)
		if (rte_is_same_ether_addr(&ann->addr[i].mac, &ann->mac))
			ann->addr[i].mac = *mac;
	ann_groups_new_mac(ann, &ann->mac, mac);
	ann->mac = *mac;
}

static struct rte_mbuf *
build_one(const struct tp_announce *ann, const struct ann_addr *a, struct rte_mempool *mp)
{
	static const struct rte_ether_addr all_nodes_mac = { { 0x33, 0x33, 0, 0, 0, 1 } };
	static const struct rte_ether_addr broadcast = { { 255, 255, 255, 255, 255, 255 } };
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
	static const struct rte_ether_addr zero;
	const struct rte_ether_addr *mac = a->own ? &ann->mac : &a->mac;
	rte_be32_t ip;

	if (a->family == 6)
		return tp_pkt_build_na(mp, a->vid, &all_nodes_mac, mac, a->addr, all_nodes, a->addr,
		                ND_F_OVERRIDE | (a->router ? ND_F_ROUTER : 0));
	memcpy(&ip, a->addr, sizeof(ip));
	return tp_pkt_build_arp(mp, RTE_ARP_OP_REQUEST, a->vid, &broadcast, mac, ip, &zero, ip);
}

uint16_t
tp_announce_build(struct tp_announce *ann, uint64_t now, const struct rte_ether_addr *mac,
                struct rte_mempool *mp, struct rte_mbuf **pkts, uint16_t max)
{
	uint16_t n = 0;

	ann_set_mac(ann, mac);
	for (uint32_t i = 0; i < TP_ANNOUNCE_MAX && n < max; i++) {
		struct ann_addr *a = &ann->addr[i];

		if (a->used && !a->own && ann_is_old(a->seen, now))
			a->used = false;
		if (!a->used)
			continue;
		pkts[n] = build_one(ann, a, mp);
		if (pkts[n] == NULL)
			break;
		n++;
	}
	return n;
}

uint32_t
tp_announce_dump(const struct tp_announce *ann, uint64_t now, struct tp_announce_entry *entries,
                uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < TP_ANNOUNCE_MAX && n < max; i++) {
		const struct ann_addr *a = &ann->addr[i];

		if (!a->used || (!a->own && ann_is_old(a->seen, now)))
			continue;
		entries[n] = (struct tp_announce_entry){ .own = a->own,
			.family = a->family,
			.vid = a->vid,
			.mac = a->own ? ann->mac : a->mac,
			.age = a->own || now < a->seen ? 0 : now - a->seen };
		memcpy(entries[n++].addr, a->addr, sizeof(a->addr));
	}
	for (uint32_t i = 0; i < TP_ANNOUNCE_MAX && n < max; i++) {
		const struct ann_group *g = &ann->group[i];

		if (!g->used || ann_is_old(g->seen, now))
			continue;
		entries[n] = (struct tp_announce_entry){ .group = true,
			.family = g->family,
			.vid = g->vid,
			.age = now < g->seen ? 0 : now - g->seen };
		memcpy(&entries[n].mac, g->hdr + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
		memcpy(entries[n++].addr, g->group, sizeof(g->group));
	}
	return n;
}
