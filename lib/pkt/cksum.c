/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <netinet/in.h>
#include <string.h>

#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_sctp.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "pkt_int.h"

/* The part of m's first segment from off on that is within the next len bytes. */
static inline uint32_t
piece_len(const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	return RTE_MIN(len, m->data_len - off);
}

/* One's complement sum of len bytes at off, not inverted. rte_raw_cksum_mbuf() of DPDK 22.11
 * loses carries where a segment ends at an odd byte.
 */
static uint32_t
sum_chain(const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	uint32_t done = 0, sum = 0, n;
	uint16_t part;

	for (; m != NULL && done < len; m = m->next) {
		if (off >= m->data_len) {
			off -= m->data_len;
			continue;
		}
		n = piece_len(m, off, len - done);
		part = pkt_sum(rte_pktmbuf_mtod_offset(m, const void *, off), n);
		sum += done & 1 ? rte_bswap16(part) : part;
		done += n;
		off = 0;
	}
	return sum;
}

/* Pseudo header of RFC 9293 3.1 and RFC 8200 8.1, with the protocol that extension headers
 * lead to.
 */
static uint32_t
sum_pseudo(const void *ip, bool v4, uint8_t proto, uint32_t l4_len)
{
	uint32_t sum = (uint32_t)rte_cpu_to_be_16(proto) + rte_cpu_to_be_16(l4_len);
	const struct rte_ipv4_hdr *ip4 = ip;
	const struct rte_ipv6_hdr *ip6 = ip;

	if (v4)
		return sum + rte_raw_cksum(&ip4->src_addr, 8);
	return sum + rte_raw_cksum(ip6->src_addr, 32);
}

static uint16_t
fold(uint32_t sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	return (sum >> 16) + sum;
}

/* Bytes from the transport header to the end of the packet, as IP tells them. */
static uint32_t
l4_total(const void *ip, bool v4, uint16_t l3_len)
{
	const struct rte_ipv4_hdr *ip4 = ip;
	const struct rte_ipv6_hdr *ip6 = ip;

	if (v4)
		return rte_be_to_cpu_16(ip4->total_length) - l3_len;
	return sizeof(*ip6) + rte_be_to_cpu_16(ip6->payload_len) - l3_len;
}

static uint32_t
crc32c(const uint8_t *p, uint32_t len, uint32_t crc)
{
	uint64_t word;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		crc = rte_hash_crc_8byte(word, crc);
	}
	for (; len > 0; p++, len--)
		crc = rte_hash_crc_1byte(*p, crc);
	return crc;
}

/* RFC 9260 6.8 and appendix A: CRC32c with the field as zero, sent low byte first. */
static uint32_t
sctp_crc(const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	uint32_t crc = UINT32_MAX, n;

	for (; m != NULL && len > 0; m = m->next) {
		if (off >= m->data_len) {
			off -= m->data_len;
			continue;
		}
		n = piece_len(m, off, len);
		crc = crc32c(rte_pktmbuf_mtod_offset(m, const uint8_t *, off), n, crc);
		len -= n;
		off = 0;
	}
	return rte_cpu_to_le_32(~crc);
}

static void
soft_l4(struct rte_mbuf *m, uint64_t l4, const void *ip, bool v4)
{
	uint32_t off = m->l2_len + m->l3_len;
	void *hdr = rte_pktmbuf_mtod_offset(m, void *, off);
	uint32_t len = l4_total(ip, v4, m->l3_len);
	struct rte_tcp_hdr *tcp = hdr;
	struct rte_udp_hdr *udp = hdr;
	struct rte_sctp_hdr *sctp = hdr;
	uint16_t sum;

	switch (l4) {
	case RTE_MBUF_F_TX_TCP_CKSUM:
		tcp->cksum = 0;
		sum = fold(sum_chain(m, off, len) + sum_pseudo(ip, v4, IPPROTO_TCP, len));
		tcp->cksum = ~sum;
		break;
	case RTE_MBUF_F_TX_UDP_CKSUM:
		udp->dgram_cksum = 0;
		sum = fold(sum_chain(m, off, len) + sum_pseudo(ip, v4, IPPROTO_UDP, len));
		/* RFC 768: zero says that there is none. */
		udp->dgram_cksum = sum == UINT16_MAX ? sum : ~sum;
		break;
	case RTE_MBUF_F_TX_SCTP_CKSUM:
		sctp->cksum = 0;
		sctp->cksum = sctp_crc(m, off, len);
		break;
	}
}

void
pkt_soft_cksum(struct rte_mbuf *m, uint64_t flags)
{
	void *ip = rte_pktmbuf_mtod_offset(m, void *, m->l2_len);
	bool v4 = (m->ol_flags & RTE_MBUF_F_TX_IPV4) != 0;
	struct rte_ipv4_hdr *ip4 = ip;

	if (flags & RTE_MBUF_F_TX_L4_MASK)
		soft_l4(m, flags & RTE_MBUF_F_TX_L4_MASK, ip, v4);
	if (flags & RTE_MBUF_F_TX_IP_CKSUM) {
		ip4->hdr_checksum = 0;
		ip4->hdr_checksum = rte_ipv4_cksum(ip4);
	}
}

rte_be16_t
pkt_udp_cksum(const struct rte_mbuf *m, const struct pkt_intent *in, const void *ip)
{
	uint32_t off = in->l2_len + in->l3_len;
	bool v4 = (in->flags & RTE_MBUF_F_TX_IPV4) != 0;
	uint32_t len = l4_total(ip, v4, in->l3_len);
	uint16_t sum;

	/* All but the field itself, the last two bytes of the header. */
	sum = fold(sum_chain(m, off, 6) + sum_chain(m, off + 8, len - 8) +
	                sum_pseudo(ip, v4, IPPROTO_UDP, len));
	return sum == UINT16_MAX ? sum : (uint16_t)~sum;
}

bool
tp_pkt_cksum_ok(const struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	uint32_t len = info->end_off - info->l4_off, sum;
	bool v4 = info->l3 == TP_L3_IPV4;
	struct rte_ipv6_hdr ip_copy;
	struct rte_udp_hdr udp_copy;
	const struct rte_udp_hdr *udp;
	const void *ip;

	ip = rte_pktmbuf_read(m, info->l3_off,
	                v4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr), &ip_copy);
	if (ip == NULL)
		return false;
	if (info->l4_proto == IPPROTO_UDP && v4) {
		udp = rte_pktmbuf_read(m, info->l4_off, sizeof(*udp), &udp_copy);
		if (udp != NULL && udp->dgram_cksum == 0)
			return true;
	}
	sum = sum_chain(m, info->l4_off, len) + sum_pseudo(ip, v4, info->l4_proto, len);
	return fold(sum) == UINT16_MAX;
}
