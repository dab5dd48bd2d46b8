/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Fragments of TCP segments. rte_ip_frag puts them together; before that each is checked for what
 * that library takes on trust: where it ends, and its length.
 */

#include <netinet/in.h>

#include <rte_ip_frag.h>
#include <rte_log.h>
#include <rte_malloc.h>

#include "inet_int.h"

#define NB_WAYS 8
#define V6_MORE 0x0001
#define V6_OFF_MASK 0xfff8

struct inet_frags {
	struct rte_ip_frag_tbl *table;
	struct rte_ip_frag_death_row dead;
};

/* Where a fragment belongs. */
struct piece {
	uint8_t src[TP_INET_LEN], dst[TP_INET_LEN];
	uint32_t id;
	uint32_t hdr_len; /* of L3, the fragment header included */
	uint32_t off;     /* bytes */
	uint32_t len;
	bool more;
};

/* Without the line that the library prints for each table. */
static struct rte_ip_frag_tbl *
create_table(const struct tp_inet_worker_conf *conf)
{
	uint32_t nb_buckets = rte_align32pow2(RTE_MAX(conf->nb_frags / NB_WAYS, 1));
	int level = rte_log_get_level(RTE_LOGTYPE_USER1);
	struct rte_ip_frag_tbl *table;

	if (level > (int)RTE_LOG_NOTICE)
		rte_log_set_level(RTE_LOGTYPE_USER1, RTE_LOG_NOTICE);
	table = rte_ip_frag_table_create(nb_buckets, NB_WAYS,
	                RTE_MIN(conf->nb_frags, nb_buckets * NB_WAYS), conf->frag_ns,
	                conf->socket_id);
	rte_log_set_level(RTE_LOGTYPE_USER1, level);
	return table;
}

struct inet_frags *
inet_frags_create(const struct tp_inet_worker_conf *conf)
{
	struct inet_frags *f = rte_zmalloc_socket(
	                "tp_inet_frags", sizeof(*f), RTE_CACHE_LINE_SIZE, conf->socket_id);

	if (f == NULL)
		return NULL;
	f->table = create_table(conf);
	if (f->table == NULL) {
		rte_free(f);
		return NULL;
	}
	return f;
}

void
inet_frags_free(struct inet_frags *f)
{
	if (f == NULL)
		return;
	rte_ip_frag_free_death_row(&f->dead, 0);
	rte_ip_frag_table_destroy(f->table);
	rte_free(f);
}

/* ---- reading ------------------------------------------------------------------------ */

static bool
read_v4(const struct rte_mbuf *m, const struct tp_pkt_info *info, struct piece *p)
{
	const struct rte_ipv4_hdr *ip;
	struct rte_ipv4_hdr copy;
	uint16_t field;

	ip = rte_pktmbuf_read(m, info->l3_off, sizeof(*ip), &copy);
	if (ip == NULL)
		return false;
	field = rte_be_to_cpu_16(ip->fragment_offset);
	p->id = ip->packet_id;
	p->hdr_len = (ip->version_ihl & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
	p->off = (field & RTE_IPV4_HDR_OFFSET_MASK) * RTE_IPV4_HDR_OFFSET_UNITS;
	p->more = field & RTE_IPV4_HDR_MF_FLAG;
	return true;
}

/* Only where the fragment header is the first one, as senders of TCP have it. */
static bool
read_v6(const struct rte_mbuf *m, const struct tp_pkt_info *info, struct piece *p)
{
	struct {
		struct rte_ipv6_hdr ip;
		struct rte_ipv6_fragment_ext ext;
	} copy;
	const struct rte_ipv6_fragment_ext *ext;
	const struct rte_ipv6_hdr *ip;
	uint16_t field;

	ip = rte_pktmbuf_read(m, info->l3_off, sizeof(copy), &copy);
	if (ip == NULL || ip->proto != IPPROTO_FRAGMENT)
		return false;
	ext = (const struct rte_ipv6_fragment_ext *)(ip + 1);
	field = rte_be_to_cpu_16(ext->frag_data);
	p->id = ext->id;
	p->hdr_len = sizeof(copy);
	p->off = field & V6_OFF_MASK;
	p->more = field & V6_MORE;
	return true;
}

static bool
read_piece(const struct rte_mbuf *m, const struct tp_pkt_info *info, struct piece *p)
{
	bool v4 = info->l3 == TP_L3_IPV4;

	if ((info->flags & TP_PKT_F_FRAG) == 0 || (info->flags & TP_PKT_F_BAD) ||
	                info->l4_proto != IPPROTO_TCP || !tp_inet_ends(m, info, p->src, p->dst))
		return false;
	if (!(v4 ? read_v4(m, info, p) : read_v6(m, info, p)) ||
	                info->l3_off + p->hdr_len > info->end_off)
		return false;
	p->len = info->end_off - info->l3_off - p->hdr_len;
	return true;
}

bool
tp_inet_is_tcp_frag(const struct tp_inet *inet, const struct rte_mbuf *m,
                const struct tp_pkt_info *info)
{
	struct piece p;

	return read_piece(m, info, &p) && tp_inet_is_local(inet, p.dst);
}

uint32_t
tp_inet_frag_hash(const struct tp_inet *inet, const struct rte_mbuf *m,
                const struct tp_pkt_info *info)
{
	struct piece p;
	uint32_t key[9];

	if (!read_piece(m, info, &p))
		return 0;
	memcpy(key, p.src, sizeof(p.src));
	memcpy(key + 4, p.dst, sizeof(p.dst));
	key[8] = p.id;
	return rte_jhash_32b(key, RTE_DIM(key), (uint32_t)(inet->conf.seed >> 24));
}

/* ---- putting together ------------------------------------------------------------------- */

/* What could end behind the largest packet, is empty, or does not end where another can begin. */
static bool
is_piece_good(const struct rte_mbuf *m, const struct tp_pkt_info *info, const struct piece *p)
{
	return p->len > 0 && (!p->more || p->len % RTE_IPV4_HDR_OFFSET_UNITS == 0) &&
	       p->hdr_len + p->off + p->len <= UINT16_MAX &&
	       m->data_len >= info->l3_off + p->hdr_len && m->pkt_len >= info->end_off;
}

static struct rte_mbuf *
assemble(struct inet_frags *f, struct rte_mbuf *m, const struct tp_pkt_info *info, uint64_t now)
{
	void *l3 = rte_pktmbuf_mtod_offset(m, void *, info->l3_off);
	struct rte_ipv6_hdr *ip6 = l3;

	if (info->l3 == TP_L3_IPV4)
		return rte_ipv4_frag_reassemble_packet(f->table, &f->dead, m, now, l3);
	return rte_ipv6_frag_reassemble_packet(
	                f->table, &f->dead, m, now, ip6, (struct rte_ipv6_fragment_ext *)(ip6 + 1));
}

/* What was known of the first fragment alone is no longer true. */
static void
make_fresh(struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, info->l3_off);

	m->ol_flags &= ~(RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_IP_CKSUM_MASK |
	                 RTE_MBUF_F_RX_RSS_HASH);
	m->packet_type = 0;
	m->l2_len = m->l3_len = m->l4_len = 0;
	if (info->l3 == TP_L3_IPV4) {
		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
	}
}

struct rte_mbuf *
tp_inet_reassemble(struct tp_inet_worker *w, struct rte_mbuf *m, const struct tp_pkt_info *info,
                uint64_t now)
{
	struct inet_frags *f = w->frags;
	struct piece p;
	uint32_t dead;

	w->mib[TP_INET_M_REASM_REQDS]++;
	if (f == NULL || !read_piece(m, info, &p) || !is_piece_good(m, info, &p)) {
		w->mib[TP_INET_M_REASM_FAILS]++;
		rte_pktmbuf_free(m);
		return NULL;
	}
	if (m->pkt_len > info->end_off)
		rte_pktmbuf_trim(m, m->pkt_len - info->end_off);
	m->l2_len = info->l3_off;
	m->l3_len = p.hdr_len;
	m = assemble(f, m, info, now);
	dead = f->dead.cnt;
	w->mib[TP_INET_M_REASM_FAILS] += dead;
	rte_ip_frag_free_death_row(&f->dead, 0);
	if (m == NULL)
		return NULL;
	make_fresh(m, info);
	w->mib[TP_INET_M_REASM_OKS]++;
	return m;
}

void
tp_inet_frag_expire(struct tp_inet_worker *w, uint64_t now)
{
	struct inet_frags *f = w->frags;

	if (f == NULL)
		return;
	rte_ip_frag_table_del_expired_entries(f->table, &f->dead, now);
	w->mib[TP_INET_M_REASM_FAILS] += f->dead.cnt;
	rte_ip_frag_free_death_row(&f->dead, 0);
}
