/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* ICMP (RFC 792, RFC 1122 3.2.2) and ICMPv6 (RFC 4443) for the team: echo requests become their
 * replies, errors give up whom they are about.
 */

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include "inet_int.h"

#define ICMP_HDR_LEN 8
/* Of the quoted transport header, RFC 792: ports and TCP's sequence number. */
#define QUOTE_L4_LEN 8
#define QUOTE_MAX_EXT 4
#define TTL 64
#define MIN_MTU_V4 68
#define MIN_MTU_V6 1280
#define EXT_FRAG_OFF_MASK 0xfff8

/* ---- checksum ------------------------------------------------------------------------ */

uint16_t
inet_icmp_sum(const struct rte_mbuf *m, const struct tp_pkt_info *info,
                const uint8_t src[TP_INET_LEN], const uint8_t dst[TP_INET_LEN])
{
	uint32_t len = info->end_off - info->l4_off;
	struct {
		uint8_t src[TP_INET_LEN], dst[TP_INET_LEN];
		rte_be32_t len, proto;
	} pseudo = { .len = rte_cpu_to_be_32(len), .proto = RTE_BE32(IPPROTO_ICMPV6) };
	uint16_t sum, pseudo_sum = 0;

	if (rte_raw_cksum_mbuf(m, info->l4_off, len, &sum) != 0)
		return 0;
	if (info->l3 == TP_L3_IPV6) {
		memcpy(pseudo.src, src, TP_INET_LEN);
		memcpy(pseudo.dst, dst, TP_INET_LEN);
		pseudo_sum = rte_raw_cksum(&pseudo, sizeof(pseudo));
	}
	return __rte_raw_cksum_reduce((uint32_t)sum + pseudo_sum);
}

/* ---- errors --------------------------------------------------------------------------- */

static int
kind_v4(uint8_t type, uint8_t code)
{
	if (type == ICMP_TIME_EXCEEDED)
		return TP_INET_E_TIME;
	/* Redirects and source quench (RFC 6633) are not for us; nothing else is an error. */
	if (type != ICMP_DEST_UNREACH || code > ICMP_PREC_CUTOFF)
		return -1;
	switch (code) {
	case ICMP_PROT_UNREACH:
		return TP_INET_E_PROTO;
	case ICMP_PORT_UNREACH:
		return TP_INET_E_PORT;
	case ICMP_FRAG_NEEDED:
		return TP_INET_E_MTU;
	default:
		return TP_INET_E_NET;
	}
}

static int
kind_v6(uint8_t type, uint8_t code)
{
	switch (type) {
	case ICMP6_DST_UNREACH:
		return code == ICMP6_DST_UNREACH_NOPORT ? TP_INET_E_PORT : TP_INET_E_NET;
	case ICMP6_PACKET_TOO_BIG:
		return TP_INET_E_MTU;
	case ICMP6_TIME_EXCEEDED:
		return TP_INET_E_TIME;
	case ICMP6_PARAM_PROB:
		return code == ICMP6_PARAMPROB_NEXTHEADER ? TP_INET_E_PROTO : -1;
	default:
		return -1;
	}
}

/* The MTU of the next hop, 0: none that makes sense was told. */
static uint16_t
error_mtu(const uint8_t icmp[ICMP_HDR_LEN], bool v4)
{
	uint32_t mtu;

	if (v4) {
		mtu = icmp[6] << 8 | icmp[7];
		return mtu < MIN_MTU_V4 ? 0 : mtu;
	}
	mtu = (uint32_t)icmp[4] << 24 | icmp[5] << 16 | icmp[6] << 8 | icmp[7];
	return mtu < MIN_MTU_V6 ? 0 : RTE_MIN(mtu, (uint32_t)UINT16_MAX);
}

/* @return where the quoted transport header is, 0: there is none */
static uint32_t
quote_v4(const struct rte_mbuf *m, uint32_t off, uint32_t end, struct tp_inet_error *err)
{
	const struct rte_ipv4_hdr *ip;
	struct rte_ipv4_hdr copy;
	uint32_t hdr_len;

	ip = off + sizeof(*ip) > end ? NULL : rte_pktmbuf_read(m, off, sizeof(*ip), &copy);
	if (ip == NULL || ip->version_ihl >> 4 != 4)
		return 0;
	hdr_len = (ip->version_ihl & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
	if (hdr_len < sizeof(*ip) ||
	                (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)) != 0)
		return 0;
	err->proto = ip->next_proto_id;
	tp_inet_map_v4(err->laddr, ip->src_addr);
	tp_inet_map_v4(err->raddr, ip->dst_addr);
	return off + hdr_len;
}

static uint32_t
quote_v6(const struct rte_mbuf *m, uint32_t off, uint32_t end, struct tp_inet_error *err)
{
	const struct rte_ipv6_hdr *ip;
	struct rte_ipv6_hdr copy;
	const uint8_t *ext;
	uint8_t ext_copy[8];

	ip = off + sizeof(*ip) > end ? NULL : rte_pktmbuf_read(m, off, sizeof(*ip), &copy);
	if (ip == NULL || (ip->vtc_flow & RTE_BE32(0xf0000000)) != RTE_BE32(0x60000000))
		return 0;
	err->proto = ip->proto;
	memcpy(err->laddr, ip->src_addr, TP_INET_LEN);
	memcpy(err->raddr, ip->dst_addr, TP_INET_LEN);
	off += sizeof(*ip);
	/* We send none; a router on the way may have put some in. */
	for (int n = 0; n < QUOTE_MAX_EXT; n++) {
		bool frag = err->proto == IPPROTO_FRAGMENT;

		if (!frag && err->proto != IPPROTO_HOPOPTS && err->proto != IPPROTO_DSTOPTS &&
		                err->proto != IPPROTO_ROUTING)
			break;
		ext = off + sizeof(ext_copy) > end
		                      ? NULL
		                      : rte_pktmbuf_read(m, off, sizeof(ext_copy), ext_copy);
		if (ext == NULL || (frag && ((ext[2] << 8 | ext[3]) & EXT_FRAG_OFF_MASK) != 0))
			return 0;
		err->proto = ext[0];
		off += frag ? sizeof(ext_copy) : (ext[1] + 1) * 8u;
	}
	return off;
}

bool
tp_inet_icmp_parse(
                const struct rte_mbuf *m, const struct tp_pkt_info *info, struct tp_inet_error *err)
{
	bool v4 = info->l3 == TP_L3_IPV4;
	uint8_t dst[TP_INET_LEN], copy[ICMP_HDR_LEN];
	const uint8_t *p;
	uint32_t off;
	int kind;

	*err = (struct tp_inet_error){ 0 };
	if ((info->flags & TP_PKT_F_L4) == 0 ||
	                info->l4_proto != (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return false;
	p = rte_pktmbuf_read(m, info->l4_off, ICMP_HDR_LEN, copy);
	if (p == NULL || !tp_inet_ends(m, info, err->from, dst))
		return false;
	kind = v4 ? kind_v4(p[0], p[1]) : kind_v6(p[0], p[1]);
	if (kind < 0)
		return false;
	err->kind = kind;
	if (kind == TP_INET_E_MTU)
		err->mtu = error_mtu(p, v4);
	off = info->l4_off + ICMP_HDR_LEN;
	off = v4 ? quote_v4(m, off, info->end_off, err) : quote_v6(m, off, info->end_off, err);
	if (off == 0 || off + QUOTE_L4_LEN > info->end_off ||
	                (err->proto != IPPROTO_TCP && err->proto != IPPROTO_UDP))
		return false;
	p = rte_pktmbuf_read(m, off, QUOTE_L4_LEN, copy);
	if (p == NULL)
		return false;
	memcpy(&err->lport, p, sizeof(err->lport));
	memcpy(&err->rport, p + 2, sizeof(err->rport));
	if (err->proto == IPPROTO_TCP)
		err->seq = (uint32_t)p[4] << 24 | p[5] << 16 | p[6] << 8 | p[7];
	return true;
}

static enum tp_inet_icmp
input_error(struct tp_inet_worker *w, const struct rte_mbuf *m, const struct tp_pkt_info *info,
                const uint8_t src[TP_INET_LEN], const uint8_t dst[TP_INET_LEN],
                struct tp_inet_error *err)
{
	static const enum tp_inet_mib counter[TP_INET_NB_E_KINDS] = {
		[TP_INET_E_MTU] = TP_INET_M_IN_TOO_BIG,
		[TP_INET_E_PORT] = TP_INET_M_IN_UNREACH,
		[TP_INET_E_PROTO] = TP_INET_M_IN_UNREACH,
		[TP_INET_E_NET] = TP_INET_M_IN_UNREACH,
		[TP_INET_E_TIME] = TP_INET_M_IN_TIME,
	};

	if (!tp_inet_icmp_parse(m, info, err))
		return TP_INET_ICMP_OTHER;
	if (inet_icmp_sum(m, info, src, dst) != 0xffff) {
		w->mib[TP_INET_M_IN_ICMP_ERRS]++;
		return TP_INET_ICMP_DROP;
	}
	/* It came to the address that the quoted packet is said to come from. */
	if (!inet_same(err->laddr, dst))
		return TP_INET_ICMP_OTHER;
	w->mib[counter[err->kind]]++;
	return TP_INET_ICMP_ERROR;
}

/* ---- echo --------------------------------------------------------------------------------- */

/* The sum of the message without its type's word changes by that word (RFC 1624): a message that
 * was damaged on its way here is one on its way back, too.
 */
static void
turn_icmp(uint8_t *icmp, uint8_t type)
{
	rte_be16_t was, is, sum;
	uint32_t acc;

	memcpy(&was, icmp, sizeof(was));
	icmp[0] = type;
	memcpy(&is, icmp, sizeof(is));
	memcpy(&sum, icmp + 2, sizeof(sum));
	acc = (uint16_t)~sum + (uint32_t)(uint16_t)~was + is;
	sum = ~__rte_raw_cksum_reduce(acc);
	memcpy(icmp + 2, &sum, sizeof(sum));
}

static void
turn_ip(void *l3, bool v4)
{
	struct rte_ipv4_hdr *ip4 = l3;
	struct rte_ipv6_hdr *ip6 = l3;
	uint8_t addr[TP_INET_LEN];
	rte_be32_t addr4;

	if (v4) {
		addr4 = ip4->src_addr;
		ip4->src_addr = ip4->dst_addr;
		ip4->dst_addr = addr4;
		ip4->time_to_live = TTL;
		ip4->hdr_checksum = 0;
		ip4->hdr_checksum = rte_ipv4_cksum(ip4);
		return;
	}
	memcpy(addr, ip6->src_addr, TP_INET_LEN);
	memcpy(ip6->src_addr, ip6->dst_addr, TP_INET_LEN);
	memcpy(ip6->dst_addr, addr, TP_INET_LEN);
	ip6->hop_limits = TTL;
}

/* Plain headers, all in the first buffer. */
static bool
is_plain(const struct rte_mbuf *m, const struct tp_pkt_info *info, bool v4)
{
	uint16_t l3_len = v4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr);

	return info->l4_off == info->l3_off + l3_len && m->data_len >= info->l4_off + ICMP_HDR_LEN;
}

static enum tp_inet_icmp
answer_echo(struct tp_inet_worker *w, struct rte_mbuf *m, const struct tp_pkt_info *info,
                const uint8_t src[TP_INET_LEN], uint64_t now)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	bool v4 = info->l3 == TP_L3_IPV4;

	if (!is_plain(m, info, v4))
		return TP_INET_ICMP_OTHER;
	w->mib[TP_INET_M_IN_ECHOS]++;
	if (!inet_is_unicast(src) || tp_inet_is_configured(w->conf.inet, src) ||
	                !rte_is_valid_assigned_ether_addr(&eth->src_addr) ||
	                tp_pkt_rx_to_intent(m, info) < 0) {
		w->mib[TP_INET_M_IN_ICMP_ERRS]++;
		return TP_INET_ICMP_DROP;
	}
	if (!inet_bucket_take(&w->echoes, now)) {
		w->mib[TP_INET_M_ECHO_LIMIT]++;
		return TP_INET_ICMP_DROP;
	}
	eth->dst_addr = eth->src_addr;
	eth->src_addr = *w->conf.mac;
	turn_ip(RTE_PTR_ADD(eth, info->l3_off), v4);
	turn_icmp(RTE_PTR_ADD(eth, info->l4_off), v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY);
	w->mib[TP_INET_M_OUT_ECHO_REPS]++;
	return TP_INET_ICMP_REPLY;
}

enum tp_inet_icmp
tp_inet_icmp_input(struct tp_inet_worker *w, struct rte_mbuf *m, const struct tp_pkt_info *info,
                bool answer, uint64_t now, struct tp_inet_error *err)
{
	bool v4 = info->l3 == TP_L3_IPV4;
	uint8_t src[TP_INET_LEN], dst[TP_INET_LEN], copy;
	const uint8_t *type;

	if ((info->flags & TP_PKT_F_L4) == 0 ||
	                (info->flags & (TP_PKT_F_NEIGH | TP_PKT_F_GROUP | TP_PKT_F_BAD)) ||
	                info->l4_proto != (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) ||
	                !tp_inet_ends(m, info, src, dst) || !tp_inet_is_local(w->conf.inet, dst))
		return TP_INET_ICMP_OTHER;
	type = rte_pktmbuf_read(m, info->l4_off, 1, &copy);
	if (type == NULL)
		return TP_INET_ICMP_OTHER;
	if (*type == (v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST))
		return answer ? answer_echo(w, m, info, src, now) : TP_INET_ICMP_OTHER;
	return input_error(w, m, info, src, dst, err);
}
