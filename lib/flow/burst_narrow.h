/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Parse and hash bursts with 128-bit vectors, for the units below AVX-512: first all frames
 * are classified, without a branch, then all IPv4 tuples are hashed, then all IPv6 tuples. A burst
 * that mixes them costs no more mispredicted branches than one that does not. Included by one file
 * for each unit, which is compiled with that unit's flags and defines hash_list(), Toeplitz of nb
 * tuples of len bytes each, at p[], of which 16 bytes are readable at least.
 *
 * A first look takes whole TCP and UDP packets only, 16 at a time; a second one takes what that
 * leaves, behind a tag, too. Frames that are nothing plain then are left to hash_odd(), as in
 * burst_avx512.c.
 */
#ifndef FLOW_BURST_NARROW_H
#define FLOW_BURST_NARROW_H

#include <netinet/in.h>
#include <smmintrin.h>
#include <string.h>

#include "kernel_int.h"

#define HEAD_OFF 12

#define IPV4_SRC 26
#define IPV6_SRC 22

/* Kinds of frames. Bit i of a mask stands for frame i. */
struct kinds {
	uint64_t v4, v6; /* plain ones */
	uint64_t ports;  /* that have ports */
	uint64_t special;
};

/* A burst as classified. */
struct burst {
	struct kinds k;
	/* Where each frame began if it had no tag: offsets of layers 3 and 4 count from here. */
	const uint8_t *p[TP_BURST_MAX];
	uint8_t tag[TP_BURST_MAX]; /* bytes of tag */
};

/* ---- classification -------------------------------------------------------- */

static __rte_always_inline __m128i
equal(__m128i words, int value)
{
	return _mm_cmpeq_epi32(words, _mm_set1_epi32(value));
}

static __rte_always_inline __m128i
none_of(__m128i words, int bits)
{
	return equal(_mm_and_si128(words, _mm_set1_epi32(bits)), 0);
}

static __rte_always_inline uint64_t
bits_of(__m128i mask)
{
	return (unsigned int)_mm_movemask_ps(_mm_castsi128_ps(mask));
}

/* Bytes 12..23 of four frames, as three planes:
 *
 *	plane	IPv4				IPv6
 *	0	type type version tos		type type version class
 *	1	length length id id		flow flow length length
 *	2	fragment fragment ttl protocol	next hop - -
 */
static __rte_always_inline void
load_planes(const uint8_t *const p[4], __m128i d[3])
{
	__m128i f[4], lo01, lo23;

#pragma GCC unroll 4
	for (unsigned int i = 0; i < 4; i++)
		f[i] = _mm_loadu_si128((const __m128i *)(p[i] + HEAD_OFF));
	lo01 = _mm_unpacklo_epi32(f[0], f[1]);
	lo23 = _mm_unpacklo_epi32(f[2], f[3]);
	d[0] = _mm_unpacklo_epi64(lo01, lo23);
	d[1] = _mm_unpackhi_epi64(lo01, lo23);
	d[2] = _mm_unpacklo_epi64(_mm_unpackhi_epi32(f[0], f[1]), _mm_unpackhi_epi32(f[2], f[3]));
}

/* Version 4, header of 20 bytes. */
static __rte_always_inline __m128i
have_ipv4(const __m128i d[3])
{
	return equal(_mm_and_si128(d[0], _mm_set1_epi32(0x00ffffff)), 0x00450008);
}

/* Version 6. */
static __rte_always_inline __m128i
have_ipv6(const __m128i d[3])
{
	return equal(_mm_and_si128(d[0], _mm_set1_epi32(0x00f0ffff)), 0x0060dd86);
}

/* The same with a total length of at least 32: are there ports at all? */
static __rte_always_inline __m128i
are_ipv4(const __m128i d[3])
{
	return _mm_andnot_si128(none_of(d[1], 0x0000e0ff), have_ipv4(d));
}

/* The same with a payload of at least 8 bytes. */
static __rte_always_inline __m128i
are_ipv6(const __m128i d[3])
{
	return _mm_andnot_si128(none_of(d[1], (int)0xf8ff0000), have_ipv6(d));
}

/* @param words 0 but for the protocol in the highest byte */
static __rte_always_inline __m128i
are_tcp_udp(__m128i words)
{
	return _mm_or_si128(equal(words, IPPROTO_TCP << 24), equal(words, IPPROTO_UDP << 24));
}

/* Sixteen masks of 32 bits, as bits. */
static __rte_always_inline uint64_t
bits_of_16(const __m128i m[4])
{
	__m128i lo = _mm_packs_epi32(m[0], m[1]), hi = _mm_packs_epi32(m[2], m[3]);

	return (unsigned int)_mm_movemask_epi8(_mm_packs_epi16(lo, hi));
}

/* The first look: TCP and UDP in whole packets. What differs between versions is chosen by masks
 * before it is compared, so that both are looked at for little more than one.
 */
static __rte_always_inline void
classify_16(const uint8_t *const *p, uint64_t *v4, uint64_t *v6)
{
	const __m128i len4 = _mm_set1_epi32(0x0000e0ff), len6 = _mm_set1_epi32((int)0xf8ff0000);
	const __m128i whole = _mm_set1_epi32((int)0xff00ff3f);
	__m128i is[4], is6[4], d[3], is4, bits, proto;

#pragma GCC unroll 4
	for (unsigned int i = 0; i < 4; i++) {
		load_planes(&p[4 * i], d);
		is4 = have_ipv4(d);
		is6[i] = have_ipv6(d);
		bits = _mm_or_si128(_mm_and_si128(is4, len4), _mm_and_si128(is6[i], len6));
		bits = _mm_and_si128(bits, d[1]);
		proto = _mm_blendv_epi8(d[2], _mm_slli_epi32(d[2], 24), is6[i]);
		is[i] = are_tcp_udp(_mm_and_si128(proto, whole));
		is[i] = _mm_andnot_si128(equal(bits, 0), is[i]);
		is6[i] = _mm_and_si128(is6[i], is[i]);
	}
	*v6 = bits_of_16(is6);
	*v4 = bits_of_16(is) & ~*v6;
}

/* Kinds under construction: of each frame one bit of 64, in either half of a register. */
struct marks {
	__m128i v4, v6, ports, special;
};

/* Mark those of four frames whose 32 bits are set. @param bit of frames 0 and 1, 2 and 3 */
static __rte_always_inline __m128i
mark(__m128i marks, const __m128i bit[2], __m128i are)
{
	marks = _mm_or_si128(marks, _mm_and_si128(_mm_unpacklo_epi32(are, are), bit[0]));
	return _mm_or_si128(marks, _mm_and_si128(_mm_unpackhi_epi32(are, are), bit[1]));
}

static __rte_always_inline uint64_t
marked(__m128i marks)
{
	return (uint64_t)_mm_cvtsi128_si64(_mm_or_si128(marks, _mm_unpackhi_epi64(marks, marks)));
}

/* The second look. @param bit as for mark() */
static __rte_always_inline void
classify_4(const uint8_t *const p[4], const __m128i bit[2], struct marks *marks)
{
	__m128i d[3], v4, v6, proto, ports, icmpv6, no_frag;

	load_planes(p, d);
	v4 = are_ipv4(d);
	v6 = are_ipv6(d);
	proto = _mm_blendv_epi8(_mm_srli_epi32(d[2], 24),
	                _mm_and_si128(d[2], _mm_set1_epi32(UINT8_MAX)), v6);
	ports = _mm_or_si128(_mm_or_si128(equal(proto, IPPROTO_TCP), equal(proto, IPPROTO_UDP)),
	                equal(proto, IPPROTO_SCTP));
	icmpv6 = equal(proto, IPPROTO_ICMPV6);
	no_frag = _mm_or_si128(none_of(d[2], 0x0000ff3f), v6);
	v6 = _mm_and_si128(v6, _mm_or_si128(ports, icmpv6));
	marks->v4 = mark(marks->v4, bit, v4);
	marks->v6 = mark(marks->v6, bit, v6);
	marks->ports = mark(marks->ports, bit, _mm_and_si128(ports, no_frag));
	marks->special = mark(marks->special, bit,
	                _mm_or_si128(_mm_and_si128(v4, equal(proto, IPPROTO_IGMP)),
	                                _mm_and_si128(v6, icmpv6)));
}

/* @return bytes of tag to skip: with a stripped tag before it, this is a second one, and odd */
static __rte_always_inline uint8_t
tag_of(const struct rte_mbuf *m, const uint8_t *p)
{
	bool tagged = load16(p + 2 * RTE_ETHER_ADDR_LEN) == RTE_BE16(RTE_ETHER_TYPE_VLAN);

	return (uint8_t)((tagged & ((m->ol_flags & STRIPPED) == 0)) * TAG_LEN);
}

/* Frames that the first look did not take; tagged ones behind their tag. Always four, the last one
 * again where there are less: how many there are no CPU can predict.
 */
static __rte_noinline void
classify_rest(struct burst *b, struct rte_mbuf *const *pkts, uint64_t lanes)
{
	const uint64_t last = UINT64_C(1) << (63 - __builtin_clzll(lanes));
	struct marks marks = { 0 };
	const uint8_t *p[4];
	unsigned int index[4];
	__m128i bits[2];
	uint64_t bit[4];

	while (lanes != 0) {
#pragma GCC unroll 4
		for (unsigned int j = 0; j < 4; j++, lanes &= lanes - 1) {
			index[j] = (unsigned int)__builtin_ctzll(lanes | last);
			bit[j] = lanes & -lanes;
			p[j] = b->p[index[j]];
		}
#pragma GCC unroll 4
		for (unsigned int j = 0; j < 4; j++) {
			b->tag[index[j]] = tag_of(pkts[index[j]], p[j]);
			p[j] += b->tag[index[j]];
			b->p[index[j]] = p[j];
		}
		bits[0] = _mm_set_epi64x((long long)bit[1], (long long)bit[0]);
		bits[1] = _mm_set_epi64x((long long)bit[3], (long long)bit[2]);
		classify_4(p, bits, &marks);
	}
	b->k.v4 |= marked(marks.v4);
	b->k.v6 |= marked(marks.v6);
	b->k.ports |= marked(marks.ports);
	b->k.special |= marked(marks.special);
}

/* Frames too short for a load are read from zeros. */
static __rte_always_inline void
classify(struct burst *b, struct rte_mbuf *const *pkts, uint16_t nb_pkts, uint64_t all)
{
	struct rte_mbuf *last[LANES], *const *group;
	uint64_t v4, v6, rest;

	memset(b->tag, 0, sizeof(b->tag));
	memset(&b->k, 0, sizeof(b->k));
	for (uint16_t i = 0; i < nb_pkts; i += LANES) {
		group = group_of(pkts, i, nb_pkts, last);
#pragma GCC unroll 4
		for (unsigned int j = 0; j < LANES; j++)
			b->p[i + j] = frame_of(group[j], HEAD_NEED);
		classify_16(&b->p[i], &v4, &v6);
		b->k.v4 |= v4 << i;
		b->k.v6 |= v6 << i;
	}
	b->k.ports = b->k.v4 | b->k.v6;
	rest = all & ~b->k.ports;
	if (unlikely(rest != 0))
		classify_rest(b, pkts, rest);
}

/* ---- tuples ---------------------------------------------------------------- */

/* What a kernel is made for; a constant wherever it is passed. */
struct shape {
	uint8_t policy;
	uint8_t fn;
	bool v6;
	bool ports;
};

/* The tuple of the plain frame i, as flow_tuple() has it but without zeros at its end.
 * @param room [FLOW_TUPLE_MAX] to put it together where it is not in one piece
 */
static __rte_always_inline const uint8_t *
tuple_of(const struct shape shape, const struct burst *b, unsigned int i, uint8_t *room)
{
	const uint8_t *p = b->p[i], *frame = p - b->tag[i];
	const uint16_t src = shape.v6 ? IPV6_SRC : IPV4_SRC, len = shape.v6 ? 16 : 4;

	switch (shape.policy) {
	case TP_FLOW_L23:
		memcpy(room, p + src, 2 * len);
		memcpy(room + 2 * len, frame, 2 * RTE_ETHER_ADDR_LEN);
		return room;
	case TP_FLOW_L2:
		memcpy(room, frame, 2 * RTE_ETHER_ADDR_LEN);
		memcpy(room + 12, p + 12, 2);
		return room;
	case TP_FLOW_DST:
		return p + src + len;
	default:
		return p + src;
	}
}

/* Its length. */
static __rte_always_inline uint16_t
tuple_len(const struct shape shape)
{
	uint16_t addr_len = shape.v6 ? 16 : 4;

	switch (shape.policy) {
	case TP_FLOW_L23:
		return 2 * addr_len + 2 * RTE_ETHER_ADDR_LEN;
	case TP_FLOW_L2:
		return 14;
	case TP_FLOW_DST:
		return addr_len;
	default:
		return 2 * addr_len + (shape.ports ? 4 : 0);
	}
}

/* ---- hashes ---------------------------------------------------------------- */

/* CRC32C over len bytes, a multiple of 4 and a constant. */
static __rte_always_inline uint64_t
crc_add(uint64_t crc, const uint8_t *p, uint16_t len)
{
	for (; len >= 8; len -= 8, p += 8)
		crc = _mm_crc32_u64(crc, load64(p));
	if (len > 0)
		crc = _mm_crc32_u32((uint32_t)crc, load32(p));
	return crc;
}

/* CRC32C of the tuple of the plain frame i, from where it lies. */
static __rte_always_inline uint32_t
crc_frame(const struct shape shape, const struct burst *b, unsigned int i)
{
	const uint8_t *p = b->p[i], *frame = p - b->tag[i];
	const uint16_t src = shape.v6 ? IPV6_SRC : IPV4_SRC, len = shape.v6 ? 16 : 4;
	uint64_t crc = UINT32_MAX;
	uint32_t ports = 0;

	switch (shape.policy) {
	case TP_FLOW_L23:
		crc = crc_add(crc, p + src, 2 * len);
		crc = crc_add(crc, frame, 2 * RTE_ETHER_ADDR_LEN);
		break;
	case TP_FLOW_L2:
		crc = crc_add(crc, frame, 2 * RTE_ETHER_ADDR_LEN);
		crc = _mm_crc32_u32((uint32_t)crc, load16(p + 2 * RTE_ETHER_ADDR_LEN));
		break;
	case TP_FLOW_DST:
		crc = crc_add(crc, p + src + len, len);
		break;
	default:
		crc = crc_add(crc, p + src, 2 * len);
		if (shape.ports)
			ports = load32(p + src + 2 * len);
		crc = _mm_crc32_u32((uint32_t)crc, ports);
	}
	return ~(uint32_t)crc;
}

/* Does the plain frame i end before its ports? Of IPv4 no plain one does. */
static __rte_always_inline bool
is_cut(const struct shape shape, const struct burst *b, struct rte_mbuf *const *pkts,
                unsigned int i)
{
	return shape.v6 && unlikely(pkts[i]->data_len < TAIL_NEED + b->tag[i]);
}

static __rte_always_inline uint64_t
crc_lane(const struct shape shape, const struct burst *b, struct rte_mbuf *const *pkts,
                unsigned int i, uint32_t *hash)
{
	if (is_cut(shape, b, pkts, i))
		return UINT64_C(1) << i;
	hash[i] = crc_frame(shape, b, i);
	return 0;
}

/* Hash plain frames of one shape. @return those that turn out to end too early */
static __rte_always_inline uint64_t
crc_lanes(const struct shape shape, const struct burst *b, struct rte_mbuf *const *pkts,
                uint64_t lanes, uint32_t *hash)
{
	unsigned int i = 0;
	uint64_t cut = 0;

	/* Loops of few turns end as predicted, and to count is cheaper than to search for bits. */
	for (; shape.ports && (lanes & UINT8_MAX) == UINT8_MAX; lanes >>= 8, i += 8) {
#pragma GCC unroll 8
		for (unsigned int j = 0; j < 8; j++)
			cut |= crc_lane(shape, b, pkts, i + j, hash);
	}
	for (; lanes != 0; lanes &= lanes - 1)
		cut |= crc_lane(shape, b, pkts, i + (unsigned int)__builtin_ctzll(lanes), hash);
	return cut;
}

/* The same with Toeplitz. */
static __rte_always_inline uint64_t
toeplitz_lanes(const struct tp_flow *flow, const struct shape shape, const struct burst *b,
                struct rte_mbuf *const *pkts, uint64_t lanes, uint32_t *hash)
{
	uint8_t room[TP_BURST_MAX][FLOW_TUPLE_MAX + 4], index[TP_BURST_MAX];
	const uint8_t *p[TP_BURST_MAX];
	uint32_t sorted[TP_BURST_MAX];
	uint64_t cut = 0;
	uint16_t nb = 0;

	for (; lanes != 0; lanes &= lanes - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(lanes);

		if (is_cut(shape, b, pkts, i)) {
			cut |= UINT64_C(1) << i;
			continue;
		}
		p[nb] = tuple_of(shape, b, i, room[nb]);
		/* 16 bytes are read, and behind tags they may go beyond a short frame. */
		if (!shape.v6 && b->tag[i] != 0 && p[nb] != room[nb]) {
			memcpy(room[nb], p[nb], tuple_len(shape));
			p[nb] = room[nb];
		}
		index[nb++] = (uint8_t)i;
	}
	if (nb > 0)
		hash_list(flow, p, tuple_len(shape), nb, sorted);
	for (uint16_t n = 0; n < nb; n++)
		hash[index[n]] = sorted[n];
	return cut;
}

static __rte_always_inline uint64_t
hash_lanes(const struct tp_flow *flow, const struct shape shape, const struct burst *b,
                struct rte_mbuf *const *pkts, uint64_t lanes, uint32_t *hash)
{
	if (shape.fn == TP_FLOW_CRC32C)
		return crc_lanes(shape, b, pkts, lanes, hash);
	return toeplitz_lanes(flow, shape, b, pkts, lanes, hash);
}

static __rte_always_inline uint64_t
hash_burst(const struct tp_flow *flow, uint8_t policy, uint8_t fn, struct rte_mbuf **pkts,
                uint16_t nb_pkts, uint32_t *hash)
{
	const uint64_t all = all_of(nb_pkts);
	struct burst b;
	uint64_t odd, special;

	classify(&b, pkts, nb_pkts, all);
	odd = all & ~(b.k.v4 | b.k.v6);
	odd |= hash_lanes(flow, (struct shape){ policy, fn, false, true }, &b, pkts,
	                b.k.v4 & b.k.ports, hash);
	odd |= hash_lanes(flow, (struct shape){ policy, fn, true, true }, &b, pkts,
	                b.k.v6 & b.k.ports, hash);
	odd |= hash_lanes(flow, (struct shape){ policy, fn, false, false }, &b, pkts,
	                b.k.v4 & ~b.k.ports, hash);
	odd |= hash_lanes(flow, (struct shape){ policy, fn, true, false }, &b, pkts,
	                b.k.v6 & ~b.k.ports, hash);
	special = b.k.special & ~odd;
	if (unlikely(odd != 0))
		special |= hash_odd(flow, pkts, odd, hash);
	return special;
}

/* One kernel each. FCoE frames are odd, so that FC is L34 here. */
#define KERNEL(name, policy, fn)                                                                   \
	static uint64_t name(const struct tp_flow *flow, struct rte_mbuf **pkts, uint16_t nb_pkts, \
	                uint32_t *hash)                                                            \
	{                                                                                          \
		return hash_burst(flow, policy, fn, pkts, nb_pkts, hash);                          \
	}

KERNEL(l34_toeplitz, TP_FLOW_L34, TP_FLOW_TOEPLITZ)
KERNEL(l34_crc32c, TP_FLOW_L34, TP_FLOW_CRC32C)
KERNEL(l23_toeplitz, TP_FLOW_L23, TP_FLOW_TOEPLITZ)
KERNEL(l23_crc32c, TP_FLOW_L23, TP_FLOW_CRC32C)
KERNEL(l2_toeplitz, TP_FLOW_L2, TP_FLOW_TOEPLITZ)
KERNEL(l2_crc32c, TP_FLOW_L2, TP_FLOW_CRC32C)
KERNEL(dst_toeplitz, TP_FLOW_DST, TP_FLOW_TOEPLITZ)
KERNEL(dst_crc32c, TP_FLOW_DST, TP_FLOW_CRC32C)

/* Without symmetry; NULL: nothing better than the scalar path. */
static const flow_burst_fn kernels[TP_FLOW_NB_POLICIES][TP_FLOW_NB_FNS] = {
	[TP_FLOW_L34] = { l34_toeplitz, l34_crc32c },
	[TP_FLOW_L23] = { l23_toeplitz, l23_crc32c },
	[TP_FLOW_L2] = { l2_toeplitz, l2_crc32c },
	[TP_FLOW_DST] = { dst_toeplitz, dst_crc32c },
	[TP_FLOW_FC] = { l34_toeplitz, l34_crc32c },
};

static flow_burst_fn
kernel_for(const struct tp_flow_conf *conf)
{
	flow_burst_fn kernel = kernels[conf->policy][conf->fn];

	return kernel == NULL || conf->symmetric ? flow_burst_scalar : kernel;
}

#endif
