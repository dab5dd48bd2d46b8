/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Parse and hash bursts with 128-bit vectors, for the units below AVX-512: first all frames
 * are classified, four at a time and without a branch, then all IPv4 tuples are hashed, then
 * all IPv6 tuples. A burst that mixes them costs no more mispredicted branches than one that
 * does not. Included by one file for each unit, which is compiled with that unit's flags and
 * defines hash_list(), Toeplitz of nb tuples of len bytes each, at p[], of which 16 bytes are
 * readable at least.
 *
 * Frames that are nothing plain are left to flow_hash_one(), as in burst_avx512.c.
 */
#ifndef FLOW_BURST_NARROW_H
#define FLOW_BURST_NARROW_H

#include <netinet/in.h>
#include <smmintrin.h>
#include <string.h>

#include "flow_int.h"

#define HEAD_OFF 10
#define HEAD_NEED 42
#define IPV6_NEED 58
#define TAG_LEN 4

#define IPV4_SRC 26
#define IPV6_SRC 22

#define STRIPPED (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

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

static const uint8_t zeros[64];

static __rte_always_inline uint16_t
load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static __rte_always_inline uint32_t
load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static __rte_always_inline uint64_t
load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

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

/* @param d bytes 10..25 of four frames, as four planes */
static __rte_always_inline struct kinds
classify_planes(const __m128i d[4])
{
	__m128i type = _mm_or_si128(_mm_srli_epi32(d[0], 16), _mm_slli_epi32(d[1], 16));
	__m128i v4 = equal(_mm_and_si128(type, _mm_set1_epi32(0x00ffffff)), 0x00450008);
	__m128i v6 = equal(_mm_and_si128(type, _mm_set1_epi32(0x00f0ffff)), 0x0060dd86);
	__m128i proto = _mm_and_si128(
	                _mm_blendv_epi8(_mm_srli_epi32(d[3], 8), _mm_srli_epi32(d[2], 16), v6),
	                _mm_set1_epi32(UINT8_MAX));
	__m128i ports = _mm_or_si128(
	                _mm_or_si128(equal(proto, IPPROTO_TCP), equal(proto, IPPROTO_UDP)),
	                equal(proto, IPPROTO_SCTP));
	__m128i icmpv6 = equal(proto, IPPROTO_ICMPV6);
	__m128i no_frag = _mm_or_si128(none_of(d[2], (int)0xff3f0000), v6);

	/* Total length below 32, payload below 8: are there ports at all? */
	v4 = _mm_andnot_si128(none_of(d[1], (int)0xe0ff0000), v4);
	v6 = _mm_andnot_si128(none_of(d[2], 0xf8ff), v6);
	v6 = _mm_and_si128(v6, _mm_or_si128(ports, icmpv6));
	return (struct kinds){
		.v4 = bits_of(v4),
		.v6 = bits_of(v6),
		.ports = bits_of(_mm_and_si128(ports, no_frag)),
		.special = bits_of(_mm_or_si128(_mm_and_si128(v4, equal(proto, IPPROTO_IGMP)),
		                _mm_and_si128(v6, icmpv6))),
	};
}

static __rte_always_inline struct kinds
classify_4(const uint8_t *const p[4])
{
	__m128i f[4], lo01, lo23, hi01, hi23, d[4];

	for (unsigned int i = 0; i < 4; i++)
		f[i] = _mm_loadu_si128((const __m128i *)(p[i] + HEAD_OFF));
	lo01 = _mm_unpacklo_epi32(f[0], f[1]);
	lo23 = _mm_unpacklo_epi32(f[2], f[3]);
	hi01 = _mm_unpackhi_epi32(f[0], f[1]);
	hi23 = _mm_unpackhi_epi32(f[2], f[3]);
	d[0] = _mm_unpacklo_epi64(lo01, lo23);
	d[1] = _mm_unpackhi_epi64(lo01, lo23);
	d[2] = _mm_unpacklo_epi64(hi01, hi23);
	d[3] = _mm_unpackhi_epi64(hi01, hi23);
	return classify_planes(d);
}

/* Put bit j of each mask of `from` to bit i. */
static __rte_always_inline void
add_kinds(struct kinds *k, unsigned int i, const struct kinds *from, unsigned int j)
{
	k->v4 |= (from->v4 >> j & 1) << i;
	k->v6 |= (from->v6 >> j & 1) << i;
	k->ports |= (from->ports >> j & 1) << i;
	k->special |= (from->special >> j & 1) << i;
}

static bool
has_tag(const struct rte_mbuf *m, const uint8_t *p)
{
	/* With a stripped tag before it this is a second one: odd. */
	return load16(p + 2 * RTE_ETHER_ADDR_LEN) == RTE_BE16(RTE_ETHER_TYPE_VLAN) &&
	       (m->ol_flags & STRIPPED) == 0;
}

/* Among frames that are nothing plain, those with one tag are classified again behind it. */
static __rte_noinline void
classify_tagged(struct burst *b, struct rte_mbuf *const *pkts, uint64_t lanes)
{
	const uint8_t *p[4] = { zeros, zeros, zeros, zeros };
	unsigned int index[4], n = 0;
	struct kinds k;

	for (; lanes != 0; lanes &= lanes - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(lanes);

		if (has_tag(pkts[i], b->p[i])) {
			b->tag[i] = TAG_LEN;
			b->p[i] += TAG_LEN;
			p[n] = b->p[i];
			index[n++] = i;
		}
		if (n < 4 && (lanes & (lanes - 1)) != 0)
			continue;
		k = classify_4(p);
		while (n > 0) {
			n--;
			add_kinds(&b->k, index[n], &k, n);
			p[n] = zeros;
		}
	}
}

/* Frames too short for a load are read from zeros. */
static __rte_always_inline void
classify(struct burst *b, struct rte_mbuf *const *pkts, uint16_t nb_pkts, uint64_t all)
{
	static const struct rte_mbuf nothing; /* without data: odd */
	struct kinds k = { 0 }, k4;
	uint64_t rest;

	memset(b->tag, 0, sizeof(b->tag));
	for (unsigned int i = 0; i < nb_pkts; i += 4) {
		for (unsigned int j = i; j < i + 4; j++) {
			const struct rte_mbuf *m = j < nb_pkts ? pkts[j] : &nothing;
			const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);

			b->p[j] = m->data_len >= HEAD_NEED ? data : zeros;
		}
		k4 = classify_4(&b->p[i]);
		k.v4 |= k4.v4 << i;
		k.v6 |= k4.v6 << i;
		k.ports |= k4.ports << i;
		k.special |= k4.special << i;
	}
	b->k = k;
	rest = all & ~(k.v4 | k.v6);
	if (unlikely(rest != 0))
		classify_tagged(b, pkts, rest);
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

/* Hash plain frames of one shape. @return those that turn out to end too early */
static __rte_always_inline uint64_t
crc_lanes(const struct shape shape, const struct burst *b, struct rte_mbuf *const *pkts,
                uint64_t lanes, uint32_t *hash)
{
	uint64_t cut = 0;

	for (; lanes != 0; lanes &= lanes - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(lanes);

		if (shape.v6 && unlikely(pkts[i]->data_len < IPV6_NEED + b->tag[i])) {
			cut |= UINT64_C(1) << i;
			continue;
		}
		hash[i] = crc_frame(shape, b, i);
	}
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

		if (shape.v6 && unlikely(pkts[i]->data_len < IPV6_NEED + b->tag[i])) {
			cut |= UINT64_C(1) << i;
			continue;
		}
		p[nb] = tuple_of(shape, b, i, room[nb]);
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
	const uint64_t all = nb_pkts < TP_BURST_MAX ? (UINT64_C(1) << nb_pkts) - 1 : UINT64_MAX;
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
	for (; unlikely(odd != 0); odd &= odd - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(odd);

		special |= (uint64_t)flow_hash_one(flow, pkts[i], &hash[i]) << i;
	}
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
