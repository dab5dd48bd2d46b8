/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Multicast groups that the host has joined, learned from the reports it sends, so that the
 * reports can be repeated where the switch has not heard them. Of IGMPv3 and MLDv2 the state of
 * each group is kept (filter mode and sources), as the reports are mostly differences.
 */

#include <netinet/in.h>
#include <string.h>

#include <rte_ip.h>

#include "announce_int.h"

#define IGMP_V1_REPORT 0x12
#define IGMP_V2_REPORT 0x16
#define IGMP_V2_LEAVE 0x17
#define IGMP_V3_REPORT 0x22
#define MLD_V1_REPORT 131
#define MLD_V1_DONE 132
#define MLD_V2_REPORT 143

/* Record types (RFC 3376 4.2.12, RFC 3810 5.2.12). */
enum {
	REC_IS_INCLUDE = 1,
	REC_IS_EXCLUDE,
	REC_TO_INCLUDE,
	REC_TO_EXCLUDE,
	REC_ALLOW,
	REC_BLOCK,
};

/* A record's or report's head: all before the group's address. */
#define REC_HEAD 4
#define REPORT_HEAD 8
/* More records than fit a frame of 1500 bytes are a lie. */
#define MAX_RECORDS 192

/* ---- the table ---------------------------------------------------------------- */

static bool
is_group(uint8_t family, const uint8_t *addr)
{
	return family == 4 ? addr[0] >= 224 && addr[0] < 240 : addr[0] == 0xff;
}

static struct ann_group *
find_group(struct tp_announce *ann, uint16_t vid, uint8_t family, const uint8_t *group)
{
	for (uint32_t i = 0; i < TP_ANNOUNCE_MAX; i++) {
		struct ann_group *g = &ann->group[i];

		if (g->used && g->vid == vid && g->family == family &&
		                memcmp(g->group, group, ann_addr_len(family)) == 0)
			return g;
	}
	return NULL;
}

static struct ann_group *
new_group(struct tp_announce *ann)
{
	struct ann_group *oldest = &ann->group[0];

	for (uint32_t i = 0; i < TP_ANNOUNCE_MAX; i++) {
		struct ann_group *g = &ann->group[i];

		if (!g->used)
			return g;
		if (g->seen < oldest->seen)
			oldest = g;
	}
	return oldest;
}

/* All before the message, with the tag in its place. @return false: too long */
static bool
keep_header(struct ann_group *g, const struct ann_frame *f)
{
	const uint16_t macs = 2 * RTE_ETHER_ADDR_LEN;
	uint8_t *p = g->hdr, buf[ANN_HDR_MAX];
	const void *from;

	if (f->l4_off + sizeof(struct rte_vlan_hdr) > ANN_HDR_MAX)
		return false;
	from = ann_look(f, 0, f->l4_off, buf);
	if (from == NULL)
		return false;
	memcpy(p, from, macs);
	p += macs;
	if (f->tag_offloaded) {
		const uint8_t tag[] = { 0x81, 0x00, f->tci >> 8, f->tci & 0xff };

		memcpy(p, tag, sizeof(tag));
		p += sizeof(tag);
	}
	memcpy(p, (const uint8_t *)from + macs, f->l4_off - macs);
	p += f->l4_off - macs;
	g->hdr_len = p - g->hdr;
	g->l3_off = f->info.l3_off + (f->tag_offloaded ? sizeof(struct rte_vlan_hdr) : 0);
	return true;
}

/* @return the group's entry, made if need be; NULL: refused */
static struct ann_group *
touch_group(struct tp_announce *ann, const struct ann_frame *f, uint8_t family, uint8_t type,
                const uint8_t *group)
{
	struct ann_group *g = find_group(ann, f->vid, family, group);

	if (g == NULL) {
		g = new_group(ann);
		memset(g, 0, sizeof(*g));
		g->vid = f->vid;
		g->family = family;
		memcpy(g->group, group, ann_addr_len(family));
	}
	g->type = type;
	g->seen = f->now;
	g->used = keep_header(g, f);
	return g->used ? g : NULL;
}

static void
forget_group(struct tp_announce *ann, const struct ann_frame *f, uint8_t family,
                const uint8_t *group)
{
	struct ann_group *g = find_group(ann, f->vid, family, group);

	if (g != NULL)
		g->used = false;
}

/* ---- IGMPv3 and MLDv2 --------------------------------------------------------- */

static void
add_source(struct ann_group *g, const uint8_t *source)
{
	const uint8_t len = ann_addr_len(g->family);

	for (uint8_t i = 0; i < g->nb_sources; i++)
		if (memcmp(g->source[i], source, len) == 0)
			return;
	if (g->nb_sources == ANN_SOURCES) {
		/* Rather ask for too much: the next query brings the whole truth. */
		g->exclude = true;
		g->nb_sources = 0;
		return;
	}
	memcpy(g->source[g->nb_sources++], source, len);
}

static void
del_source(struct ann_group *g, const uint8_t *source)
{
	const uint8_t len = ann_addr_len(g->family);

	for (uint8_t i = 0; i < g->nb_sources; i++) {
		if (memcmp(g->source[i], source, len) != 0)
			continue;
		memcpy(g->source[i], g->source[--g->nb_sources], len);
		return;
	}
}

/* One source of a record: RFC 3376 5.1, from the sender's state to ours. */
static void
apply_source(struct ann_group *g, uint8_t rec, const uint8_t *source)
{
	const bool listed = rec != REC_ALLOW && rec != REC_BLOCK;

	/* ALLOW takes from what is excluded and adds to what is included; BLOCK the reverse. */
	if (listed || (rec == REC_ALLOW) != g->exclude)
		add_source(g, source);
	else
		del_source(g, source);
}

/* @return length of the record, 0 when it is malformed */
static uint32_t
learn_record(struct tp_announce *ann, const struct ann_frame *f, uint8_t family, uint8_t type,
                uint32_t off)
{
	const uint8_t len = ann_addr_len(family);
	uint8_t buf[REC_HEAD + 16], src_buf[16];
	const uint8_t *rec = ann_look(f, off, REC_HEAD + len, buf);
	struct ann_group *g;
	uint32_t nb, total;
	uint8_t kind;

	if (rec == NULL || rec[0] < REC_IS_INCLUDE || rec[0] > REC_BLOCK ||
	                !is_group(family, rec + REC_HEAD))
		return 0;
	kind = rec[0];
	nb = rec[2] << 8 | rec[3];
	total = REC_HEAD + len + nb * len + rec[1] * 4u;
	if (off + total > f->info.end_off)
		return 0;
	g = touch_group(ann, f, family, type, rec + REC_HEAD);
	if (g == NULL)
		return total;
	if (kind <= REC_TO_EXCLUDE) {
		g->exclude = kind == REC_IS_EXCLUDE || kind == REC_TO_EXCLUDE;
		g->nb_sources = 0;
	}
	for (uint32_t i = 0; i < nb; i++) {
		const uint8_t *source = ann_look(f, off + REC_HEAD + len + i * len, len, src_buf);
		const bool was_exclude = g->exclude;

		if (source == NULL)
			return 0;
		apply_source(g, kind, source);
		if (g->exclude != was_exclude)
			break; /* too many of them */
	}
	g->used = g->exclude || g->nb_sources > 0;
	return total;
}

static void
learn_records(struct tp_announce *ann, const struct ann_frame *f, uint8_t family, uint8_t type)
{
	uint32_t off = f->l4_off + REPORT_HEAD, len;
	uint8_t buf[REPORT_HEAD];
	const uint8_t *head = ann_look(f, f->l4_off, REPORT_HEAD, buf);
	uint16_t nb;

	if (head == NULL)
		return;
	nb = head[6] << 8 | head[7];
	for (uint16_t i = 0; i < nb && i < MAX_RECORDS; i++, off += len) {
		len = learn_record(ann, f, family, type, off);
		if (len == 0)
			return;
	}
}

/* ---- all versions ------------------------------------------------------------- */

static void
learn_igmp(struct tp_announce *ann, const struct ann_frame *f)
{
	uint8_t buf[8];
	const uint8_t *igmp = ann_look(f, f->l4_off, sizeof(buf), buf);
	struct ann_group *g;

	if (igmp == NULL)
		return;
	if (igmp[0] == IGMP_V3_REPORT) {
		learn_records(ann, f, 4, igmp[0]);
	} else if (!is_group(4, igmp + 4)) {
		return;
	} else if (igmp[0] == IGMP_V1_REPORT || igmp[0] == IGMP_V2_REPORT) {
		g = touch_group(ann, f, 4, igmp[0], igmp + 4);
		if (g != NULL)
			g->nb_sources = 0;
	} else if (igmp[0] == IGMP_V2_LEAVE) {
		forget_group(ann, f, 4, igmp + 4);
	}
}

static void
learn_mld(struct tp_announce *ann, const struct ann_frame *f)
{
	uint8_t buf[24];
	const uint8_t *mld = ann_look(f, f->l4_off, 4, buf);
	struct ann_group *g;
	uint8_t type;

	if (mld == NULL || mld[1] != 0)
		return;
	type = mld[0];
	if (type == MLD_V2_REPORT) {
		learn_records(ann, f, 6, type);
		return;
	}
	mld = ann_look(f, f->l4_off, sizeof(buf), buf);
	if (mld == NULL || !is_group(6, mld + 8))
		return;
	if (type == MLD_V1_REPORT) {
		g = touch_group(ann, f, 6, type, mld + 8);
		if (g != NULL)
			g->nb_sources = 0;
	} else if (type == MLD_V1_DONE) {
		forget_group(ann, f, 6, mld + 8);
	}
}

void
ann_learn_groups(struct tp_announce *ann, const struct ann_frame *frame)
{
	struct ann_frame f = *frame;
	const struct rte_ipv4_hdr *ip;
	struct rte_ipv4_hdr buf;

	if (f.info.l3 == TP_L3_IPV6) {
		f.l4_off = f.info.l4_off;
		learn_mld(ann, &f);
		return;
	}
	ip = ann_look(&f, f.info.l3_off, sizeof(buf), &buf);
	if (ip == NULL)
		return;
	f.l4_off = f.info.l3_off + rte_ipv4_hdr_len(ip);
	learn_igmp(ann, &f);
}

void
ann_groups_new_mac(struct tp_announce *ann, const struct rte_ether_addr *old,
                const struct rte_ether_addr *mac)
{
	for (uint32_t i = 0; i < TP_ANNOUNCE_MAX; i++) {
		uint8_t *src = ann->group[i].hdr + RTE_ETHER_ADDR_LEN;

		if (memcmp(src, old, sizeof(*old)) == 0)
			memcpy(src, mac, sizeof(*mac));
	}
}

/* ---- reports ------------------------------------------------------------------ */

/* @return bytes of the message; its checksum is 0 */
static uint16_t
write_message(const struct ann_group *g, uint8_t *p)
{
	const uint8_t len = ann_addr_len(g->family);

	memset(p, 0, REPORT_HEAD + REC_HEAD);
	p[0] = g->type;
	if (g->type == MLD_V1_REPORT || g->type == IGMP_V1_REPORT || g->type == IGMP_V2_REPORT) {
		p += g->family == 4 ? 4 : 8;
		memcpy(p, g->group, len);
		return (g->family == 4 ? 4 : 8) + len;
	}
	p[7] = 1; /* record */
	p += REPORT_HEAD;
	p[0] = g->exclude ? REC_IS_EXCLUDE : REC_IS_INCLUDE;
	p[3] = g->nb_sources;
	p += REC_HEAD;
	memcpy(p, g->group, len);
	for (uint8_t i = 0; i < g->nb_sources; i++)
		memcpy(p + len + i * len, g->source[i], len);
	return REPORT_HEAD + REC_HEAD + len + g->nb_sources * len;
}

static void
finish_igmp(uint8_t *l3, uint16_t l3_len, uint8_t *msg, uint16_t len)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)l3;
	const uint16_t cksum = ~rte_raw_cksum(msg, len);

	memcpy(msg + 2, &cksum, sizeof(cksum));
	ip->total_length = rte_cpu_to_be_16(l3_len + len);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static void
finish_mld(uint8_t *l3, uint16_t l3_len, uint8_t *msg, uint16_t len)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)l3;
	struct rte_ipv6_hdr pseudo = *ip; /* as if there were no extension headers */
	uint16_t cksum;

	ip->payload_len = rte_cpu_to_be_16(l3_len - sizeof(*ip) + len);
	pseudo.payload_len = rte_cpu_to_be_16(len);
	pseudo.proto = IPPROTO_ICMPV6;
	cksum = rte_ipv6_udptcp_cksum(&pseudo, msg);
	memcpy(msg + 2, &cksum, sizeof(cksum));
}

static struct rte_mbuf *
build_report(const struct ann_group *g, struct rte_mempool *mp)
{
	alignas(4) uint8_t msg[REPORT_HEAD + REC_HEAD + 16 + ANN_SOURCES * 16];
	const uint16_t len = write_message(g, msg), l3_len = g->hdr_len - g->l3_off;
	alignas(4) uint8_t l3[ANN_HDR_MAX];
	struct rte_mbuf *m = rte_pktmbuf_alloc(mp);
	uint8_t *p;

	if (m == NULL)
		return NULL;
	p = (uint8_t *)rte_pktmbuf_append(m, RTE_MAX(g->hdr_len + len, 60));
	if (p == NULL) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	memcpy(l3, g->hdr + g->l3_off, l3_len);
	if (g->family == 4)
		finish_igmp(l3, l3_len, msg, len);
	else
		finish_mld(l3, l3_len, msg, len);
	memset(p, 0, m->pkt_len);
	memcpy(p, g->hdr, g->l3_off);
	memcpy(p + g->l3_off, l3, l3_len);
	memcpy(p + g->hdr_len, msg, len);
	return m;
}

uint16_t
tp_announce_build_reports(struct tp_announce *ann, uint64_t now, const struct rte_ether_addr *mac,
                struct rte_mempool *mp, struct rte_mbuf **pkts, uint16_t max)
{
	uint16_t n = 0;

	ann_set_mac(ann, mac);
	for (uint32_t i = 0; i < TP_ANNOUNCE_MAX && n < max; i++) {
		struct ann_group *g = &ann->group[i];

		if (g->used && ann_is_old(g->seen, now))
			g->used = false;
		if (!g->used)
			continue;
		pkts[n] = build_report(g, mp);
		if (pkts[n] == NULL)
			break;
		n++;
	}
	return n;
}
