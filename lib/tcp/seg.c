/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "tcp_int.h"

#define TCP_HDR_MAX 60
/* As if it had come in one packet. */
#define JOINED_MAX UINT16_MAX
#define IP_ECN_MASK 3
#define IP_ECN_CE 3

struct rte_mbuf *
tcp_chain_skip(struct rte_mbuf *m, uint32_t n)
{
	struct rte_mbuf *next;

	while (m != NULL && n >= m->data_len) {
		next = m->next;
		n -= m->data_len;
		rte_pktmbuf_free_seg(m);
		m = next;
	}
	if (m != NULL) {
		m->data_off += n;
		m->data_len -= n;
	}
	return m;
}

struct rte_mbuf *
tcp_chain_cut(struct rte_mbuf *m, uint32_t n)
{
	struct rte_mbuf *last = m;

	if (n == 0) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	while (n > last->data_len) {
		n -= last->data_len;
		last = last->next;
	}
	last->data_len = n;
	rte_pktmbuf_free(last->next);
	last->next = NULL;
	return m;
}

/* RFC 3168 5: the last two bits of TOS or of traffic class. */
static bool
is_ce(const struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	uint8_t copy[2];
	const uint8_t *ip = rte_pktmbuf_read(m, info->l3_off, sizeof(copy), copy);

	if (ip == NULL)
		return false;
	if (info->l3 == TP_L3_IPV4)
		return (ip[1] & IP_ECN_MASK) == IP_ECN_CE;
	return (ip[1] >> 4 & IP_ECN_MASK) == IP_ECN_CE;
}

static bool
cksum_ok(const struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	switch (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) {
	case RTE_MBUF_F_RX_L4_CKSUM_GOOD:
	case RTE_MBUF_F_RX_L4_CKSUM_NONE: /* not filled in, but what it covers is known good */
		return true;
	case RTE_MBUF_F_RX_L4_CKSUM_BAD:
		return false;
	default:
		return tp_pkt_cksum_ok(m, info);
	}
}

/* A port that coalesces (LRO) says how long the segments were. */
static uint16_t
nb_coalesced(const struct rte_mbuf *m, uint32_t len)
{
	if (!(m->ol_flags & RTE_MBUF_F_RX_LRO) || m->tso_segsz == 0 || len == 0)
		return 1;
	return (len + m->tso_segsz - 1) / m->tso_segsz;
}

static void
parse_header(const struct rte_tcp_hdr *tcp, uint8_t hdr_len, struct tp_tcp_seg *seg)
{
	seg->seq = rte_be_to_cpu_32(tcp->sent_seq);
	seg->ack = rte_be_to_cpu_32(tcp->recv_ack);
	seg->wnd = rte_be_to_cpu_16(tcp->rx_win);
	seg->urg_ptr = rte_be_to_cpu_16(tcp->tcp_urp);
	seg->flags = tcp->tcp_flags;
	seg->opts = 0;
	seg->nb_sack = 0;
	if (hdr_len > sizeof(*tcp))
		tcp_options_parse((const uint8_t *)(tcp + 1), hdr_len - sizeof(*tcp), seg);
}

static void
take_payload(struct rte_mbuf *m, uint32_t off, struct tp_tcp_seg *seg)
{
	seg->data = seg->last = NULL;
	if (seg->len == 0) {
		rte_pktmbuf_free(m);
		return;
	}
	m = tcp_chain_cut(tcp_chain_skip(m, off), seg->len);
	m->pkt_len = seg->len;
	seg->data = m;
	seg->last = rte_pktmbuf_lastseg(m);
}

int
tp_tcp_parse(struct rte_mbuf *m, const struct tp_pkt_info *info, struct tp_tcp_seg *seg)
{
	uint16_t hdr_len = info->data_off - info->l4_off;
	const struct rte_tcp_hdr *tcp;
	uint8_t copy[TCP_HDR_MAX];

	if (hdr_len < sizeof(*tcp) || hdr_len > sizeof(copy) || info->end_off < info->data_off)
		return -EBADMSG;
	tcp = rte_pktmbuf_read(m, info->l4_off, hdr_len, copy);
	if (tcp == NULL || !cksum_ok(m, info))
		return -EBADMSG;
	parse_header(tcp, hdr_len, seg);
	seg->len = info->end_off - info->data_off;
	seg->is_v6 = info->l3 == TP_L3_IPV6;
	seg->ce = is_ce(m, info);
	seg->nb_coalesced = nb_coalesced(m, seg->len);
	take_payload(m, info->data_off, seg);
	return 0;
}

/* Nothing but text in order, and not so little that it would be copied: what any other segment says is
 * its own. */
static bool
is_plain(const struct tp_tcp_seg *seg)
{
	return seg->len > TCP_COPY_MAX && (seg->flags & ~TP_TCP_PSH) == TP_TCP_ACK && !seg->ce &&
	       (seg->opts & ~TP_TCP_O_TS) == 0;
}

static bool
same_words(const struct tp_tcp_seg *a, const struct tp_tcp_seg *b)
{
	if (a->opts != b->opts)
		return false;
	if ((a->opts & TP_TCP_O_TS) && (a->ts_val != b->ts_val || a->ts_ecr != b->ts_ecr))
		return false;
	return a->ack == b->ack && a->wnd == b->wnd;
}

bool
tp_tcp_join(struct tp_tcp_seg *seg, struct tp_tcp_seg *next)
{
	if (next->seq != seg->seq + seg->len || !is_plain(seg) || !is_plain(next) ||
	                !same_words(seg, next) || seg->len + next->len > JOINED_MAX)
		return false;
	seg->last->next = next->data;
	seg->last = next->last;
	seg->data->pkt_len += next->len;
	seg->len += next->len;
	seg->flags |= next->flags;
	seg->nb_coalesced += next->nb_coalesced;
	next->data = NULL;
	return true;
}
