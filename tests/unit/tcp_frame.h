/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * What stands between the TCP engine and a wire, for whoever drives it in a test: keys of
 * connections, and IP and Ethernet headers around the segments that tp_tcp_output() makes.
 */
#ifndef TCP_FRAME_H
#define TCP_FRAME_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "tp_tcp.h"

/** A key between host addresses 10.0.0.`a` and 10.0.0.`b`, or 2001:db8::`a` and ::`b`. */
static inline struct tp_tcp_key
tcp_frame_key(bool v6, uint8_t a, uint16_t lport, uint8_t b, uint16_t rport)
{
	static const uint8_t v4_net[16] = { [10] = 0xff, [11] = 0xff, [12] = 10 };
	static const uint8_t v6_net[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	struct tp_tcp_key key;

	memcpy(key.laddr, v6 ? v6_net : v4_net, sizeof(key.laddr));
	memcpy(key.raddr, key.laddr, sizeof(key.raddr));
	key.laddr[15] = a;
	key.raddr[15] = b;
	key.lport = rte_cpu_to_be_16(lport);
	key.rport = rte_cpu_to_be_16(rport);
	return key;
}

/** The same connection as the other end sees it. */
static inline struct tp_tcp_key
tcp_frame_flip(const struct tp_tcp_key *key)
{
	struct tp_tcp_key other = { .lport = key->rport, .rport = key->lport };

	memcpy(other.laddr, key->raddr, sizeof(other.laddr));
	memcpy(other.raddr, key->laddr, sizeof(other.raddr));
	return other;
}

/** Length of Ethernet and IP header. */
static inline uint16_t
tcp_frame_hdr_len(const struct tp_tcp_key *key)
{
	return RTE_ETHER_HDR_LEN + (tp_tcp_key_is_v4(key) ? 20 : 40);
}

static inline void
tcp_frame_ip4(struct rte_ipv4_hdr *ip, const struct tp_tcp_key *key, uint16_t l4_len, uint8_t ecn)
{
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = ecn,
		.total_length = rte_cpu_to_be_16(20 + l4_len),
		.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_TCP,
	};
	memcpy(&ip->src_addr, key->laddr + 12, 4);
	memcpy(&ip->dst_addr, key->raddr + 12, 4);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static inline void
tcp_frame_ip6(struct rte_ipv6_hdr *ip, const struct tp_tcp_key *key, uint16_t l4_len, uint8_t ecn)
{
	*ip = (struct rte_ipv6_hdr){
		.vtc_flow = rte_cpu_to_be_32(6u << 28 | (uint32_t)ecn << 20),
		.payload_len = rte_cpu_to_be_16(l4_len),
		.proto = IPPROTO_TCP,
		.hop_limits = 64,
	};
	memcpy(ip->src_addr, key->laddr, 16);
	memcpy(ip->dst_addr, key->raddr, 16);
}

/** Fill in Ethernet and IP header and the TCP checksum of a whole frame in one piece of memory.
 * @param frame headers not yet there, TCP header at tcp_frame_hdr_len(key)
 * @param len of the frame
 * @param key as its sender sees it
 * @param ecn codepoint for the IP header
 */
static inline void
tcp_frame_fill(uint8_t *frame, uint32_t len, const struct tp_tcp_key *key, uint8_t ecn)
{
	static const uint8_t macs[12] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 };
	uint16_t hdr_len = tcp_frame_hdr_len(key);
	struct rte_tcp_hdr *th = (struct rte_tcp_hdr *)(frame + hdr_len);
	void *ip = frame + RTE_ETHER_HDR_LEN;
	bool v4 = tp_tcp_key_is_v4(key);

	assert(len >= hdr_len + sizeof(*th) && len - RTE_ETHER_HDR_LEN <= UINT16_MAX);
	memcpy(frame, macs, sizeof(macs));
	frame[12] = v4 ? 0x08 : 0x86;
	frame[13] = v4 ? 0x00 : 0xdd;
	th->cksum = 0;
	if (v4) {
		tcp_frame_ip4(ip, key, len - hdr_len, ecn);
		th->cksum = rte_ipv4_udptcp_cksum(ip, th);
	} else {
		tcp_frame_ip6(ip, key, len - hdr_len, ecn);
		th->cksum = rte_ipv6_udptcp_cksum(ip, th);
	}
}

/** Copy a segment that tp_tcp_output() made into a frame. The segment stays the caller's.
 * @param frame [size] out
 * @return length of the frame, 0: it does not fit
 */
static inline uint32_t
tcp_frame_copy(const struct rte_mbuf *m, const struct tp_tcp_key *key, uint8_t *frame,
                uint32_t size)
{
	uint32_t at = tcp_frame_hdr_len(key);

	if (at + m->pkt_len > size)
		return 0;
	for (const struct rte_mbuf *s = m; s != NULL; s = s->next) {
		memcpy(frame + at, rte_pktmbuf_mtod(s, const void *), s->data_len);
		at += s->data_len;
	}
	tcp_frame_fill(frame, at, key, tp_tcp_ecn_codepoint(m));
	return at;
}

#endif /* TCP_FRAME_H */
