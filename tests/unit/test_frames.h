/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * Frames for tests, written byte by byte, so that what is tested does not also make them.
 * Call frame_eth() first, then layers from the outside in, then frame_end().
 */
#ifndef TEST_FRAMES_H
#define TEST_FRAMES_H

#include <assert.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

/** Bytes of a frame; zero-initialise or frame_reset(). */
struct frame {
	uint32_t len;
	uint32_t ip4, ip6, udp; /**< offsets of headers with lengths to fill in, 0: none */
	uint32_t l4;            /**< offset of the transport header */
	uint8_t b[70000];
};

static inline uint8_t *
frame_add(struct frame *f, uint32_t n)
{
	uint8_t *p = f->b + f->len;

	assert(f->len + n <= sizeof(f->b));
	memset(p, 0, n);
	f->len += n;
	return p;
}

static inline void
frame_be16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static inline void
frame_be32(uint8_t *p, uint32_t v)
{
	frame_be16(p, v >> 16);
	frame_be16(p + 2, v);
}

static inline uint16_t
frame_get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static inline uint32_t
frame_get32(const uint8_t *p)
{
	return (uint32_t)frame_get16(p) << 16 | frame_get16(p + 2);
}

/** Begin anew. */
static inline void
frame_reset(struct frame *f)
{
	f->len = f->ip4 = f->ip6 = f->udp = f->l4 = 0;
}

/** MAC addresses, 02:00:00:00:00:01 to :02. */
static inline void
frame_eth(struct frame *f)
{
	static const uint8_t macs[12] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 };

	memcpy(frame_add(f, sizeof(macs)), macs, sizeof(macs));
}

static inline void
frame_tag(struct frame *f, uint16_t tpid, uint16_t tci)
{
	uint8_t *p = frame_add(f, 4);

	frame_be16(p, tpid);
	frame_be16(p + 2, tci);
}

static inline void
frame_type(struct frame *f, uint16_t type)
{
	frame_be16(frame_add(f, 2), type);
}

/** EtherType and IPv4 header, 10.0.0.1 to 10.1.0.2, with opt_len bytes of no-operation. */
static inline void
frame_ip4(struct frame *f, uint8_t proto, uint8_t opt_len)
{
	uint8_t *p;

	frame_type(f, 0x0800);
	f->ip4 = f->len;
	p = frame_add(f, 20 + opt_len);
	p[0] = 0x40 | (20 + opt_len) / 4;
	frame_be16(p + 4, 0xfffe); /* identification, about to wrap */
	p[8] = 64;
	p[9] = proto;
	frame_be32(p + 12, 0x0a000001);
	frame_be32(p + 16, 0x0a010002);
	memset(p + 20, 1, opt_len);
	f->l4 = f->len;
}

/** EtherType and IPv6 header, 2001:db8::1 to 2001:db8::2. */
static inline void
frame_ip6(struct frame *f, uint8_t next)
{
	static const uint8_t net[4] = { 0x20, 0x01, 0x0d, 0xb8 };
	uint8_t *p;

	frame_type(f, 0x86dd);
	f->ip6 = f->len;
	p = frame_add(f, 40);
	p[0] = 0x60;
	p[6] = next;
	p[7] = 64;
	memcpy(p + 8, net, sizeof(net));
	p[23] = 1;
	memcpy(p + 24, net, sizeof(net));
	p[39] = 2;
	f->l4 = f->len;
}

/** An IPv6 extension header of len bytes (a multiple of 8; AH: of 4) before next.
 * @return its first byte
 */
static inline uint8_t *
frame_ext(struct frame *f, uint8_t type, uint8_t next, uint16_t len)
{
	uint8_t *p = frame_add(f, len);

	p[0] = next;
	if (type != IPPROTO_FRAGMENT)
		p[1] = type == IPPROTO_AH ? len / 4 - 2 : len / 8 - 1;
	f->l4 = f->len;
	return p;
}

static inline uint8_t *
frame_tcp(struct frame *f, uint8_t opt_len)
{
	uint8_t *p = frame_add(f, 20 + opt_len);

	frame_be16(p, 40000);
	frame_be16(p + 2, 80);
	frame_be32(p + 4, 0xfffffff0); /* sequence number, about to wrap */
	frame_be32(p + 8, 77);
	p[12] = (20 + opt_len) / 4 << 4;
	p[13] = 0x10;
	frame_be16(p + 14, 500);
	memset(p + 20, 1, opt_len);
	return p;
}

static inline void
frame_udp(struct frame *f)
{
	uint8_t *p = frame_add(f, 8);

	f->udp = p - f->b;
	frame_be16(p, 40000);
	frame_be16(p + 2, 53);
}

static inline void
frame_sctp(struct frame *f)
{
	uint8_t *p = frame_add(f, 12);

	frame_be16(p, 40000);
	frame_be16(p + 2, 3868);
	frame_be32(p + 4, 0x12345678);
}

static inline void
frame_icmp(struct frame *f, uint8_t type)
{
	frame_add(f, 8)[0] = type;
}

/** len bytes that differ from their neighbours. */
static inline void
frame_payload(struct frame *f, uint32_t len)
{
	uint8_t *p = frame_add(f, len);

	for (uint32_t i = 0; i < len; i++)
		p[i] = i * 7 + (i >> 8) * 13;
}

/** Fill in lengths; call before frame_pad(). */
static inline void
frame_end(struct frame *f)
{
	if (f->ip4 != 0)
		frame_be16(f->b + f->ip4 + 2, f->len - f->ip4);
	if (f->ip6 != 0)
		frame_be16(f->b + f->ip6 + 4, f->len - f->ip6 - 40);
	if (f->udp != 0)
		frame_be16(f->b + f->udp + 4, f->len - f->udp);
}

/** Padding that is not zero, up to len bytes of frame. */
static inline void
frame_pad(struct frame *f, uint32_t len)
{
	if (f->len < len)
		memset(frame_add(f, len - f->len), 0xa5, len - f->len);
}

/* ---- checking ------------------------------------------------------------------ */

/** One's complement sum (RFC 1071), two bytes at a time, on top of sum. */
static inline uint16_t
frame_sum(const uint8_t *p, uint32_t len, uint32_t sum)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/** Does the header's checksum hold? */
static inline int
frame_ip4_ok(const uint8_t *ip)
{
	return frame_sum(ip, (ip[0] & 15) * 4, 0) == 0xffff;
}

/** Sum of the pseudo header, IPv4 or IPv6 by the version in the header. */
static inline uint16_t
frame_pseudo(const uint8_t *ip, uint8_t proto, uint32_t len)
{
	if (ip[0] >> 4 == 4)
		return frame_sum(ip + 12, 8, proto + len);
	return frame_sum(ip + 8, 32, proto + len);
}

/** Does the TCP, UDP or ICMPv6 checksum of len bytes at l4 hold? */
static inline int
frame_l4_ok(const uint8_t *ip, uint8_t proto, const uint8_t *l4, uint32_t len)
{
	return frame_sum(l4, len, frame_pseudo(ip, proto, len)) == 0xffff;
}

/** CRC32c bit by bit, as SCTP has it (RFC 9260 appendix A). */
static inline uint32_t
frame_crc32c(const uint8_t *p, uint32_t len)
{
	uint32_t crc = 0xffffffff;

	for (uint32_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

#endif
