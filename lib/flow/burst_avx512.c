/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Parse and hash 16 frames at a time with AVX-512 and GFNI.
 *
 * A few loads of 16 bytes from each frame and a transposition give planes, registers that hold
 * the same 32 bits of 16 frames (planes_avx512.h has the list). In lanes whose frame is tagged
 * all planes move down by one, so that the same places serve tagged and plain frames.
 *
 * Frames that are nothing plain (short, in small segments, other EtherTypes, IPv4 options,
 * IPv6 extensions, two tags) are left to flow_hash_one(). A frame too short for a load is
 * read from a block of zeros instead: nothing beyond data_len is touched.
 */

#include <netinet/in.h>

#include "planes_avx512.h"

#define LANES 16
#define LANES_ALL 0xffff

/* Where loads begin, and how many bytes of frame they need. */
#define HEAD_OFF 10
#define HEAD_NEED 42
#define TAIL_OFF 42
#define TAIL_NEED 58
#define TAG_LEN 4

#define STRIPPED (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

alignas(64) static const uint8_t zeros[64];

/* ---- loads ----------------------------------------------------------------- */

/* The beginning of each frame, or zeros. */
static __rte_always_inline void
find_frames(struct rte_mbuf *const *pkts, const uint8_t *p[LANES])
{
#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++) {
		const uint8_t *data = rte_pktmbuf_mtod(pkts[i], const uint8_t *);

		p[i] = pkts[i]->data_len >= HEAD_NEED ? data : zeros;
	}
}

/* Lanes whose frame has len bytes. */
static __rte_always_inline __mmask16
find_long(struct rte_mbuf *const *pkts, uint16_t len)
{
	uint32_t lanes = 0;

#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++)
		lanes |= (uint32_t)(pkts[i]->data_len >= len) << i;
	return (__mmask16)lanes;
}

/* Lanes whose frame had a tag that is in the mbuf now. */
static __rte_always_inline __mmask16
find_stripped(struct rte_mbuf *const *pkts)
{
	uint32_t lanes = 0;

#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++)
		lanes |= (uint32_t)((pkts[i]->ol_flags & STRIPPED) != 0) << i;
	return (__mmask16)lanes;
}

/* Load bytes 42..57 of each frame. @return lanes whose frame is that long */
static __rte_always_inline __mmask16
load_tails(struct rte_mbuf *const *pkts, const uint8_t *const p[LANES], __m512i tail[4])
{
	const uint8_t *q[LANES];
	uint32_t lanes = 0;

#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++) {
		bool there = pkts[i]->data_len >= TAIL_NEED;

		lanes |= (uint32_t)there << i;
		q[i] = there ? p[i] + TAIL_OFF : zeros;
	}
	load_planes(q, 0, tail);
	return (__mmask16)lanes;
}

/* ---- classification -------------------------------------------------------- */

/* EtherType and version in one word: bytes type type version -. */
static __rte_always_inline __m512i
type_words(const struct planes *x)
{
	return _mm512_shrdi_epi32(x->head[0], x->head[1], 16);
}

static __rte_always_inline __mmask16
masked_equals(__m512i words, uint32_t mask, uint32_t value)
{
	return _mm512_cmpeq_epi32_mask(_mm512_and_si512(words, _mm512_set1_epi32((int)mask)),
	                _mm512_set1_epi32((int)value));
}

/* Version 4, header of 20 bytes. */
static __rte_always_inline __mmask16
are_ipv4(__m512i words)
{
	return masked_equals(words, 0x00ffffff, 0x00450008);
}

static __rte_always_inline __mmask16
are_ipv6(__m512i words)
{
	return masked_equals(words, 0x00f0ffff, 0x0060dd86);
}

static __rte_always_inline __mmask16
are_tagged(__m512i words)
{
	return masked_equals(words, 0x0000ffff, 0x00000081);
}

/* Lanes whose protocol has ports. */
static __rte_always_inline __mmask16
have_ports(__m512i proto)
{
	/* Protocols from 32 on shift the bit out. */
	__m512i bit = _mm512_sllv_epi32(_mm512_set1_epi32(1), proto);
	__mmask16 low = _mm512_test_epi32_mask(
	                bit, _mm512_set1_epi32(1 << IPPROTO_TCP | 1 << IPPROTO_UDP));

	return low | _mm512_cmpeq_epi32_mask(proto, _mm512_set1_epi32(IPPROTO_SCTP));
}

/* IPv4 lanes: drop those with a total length below 32 (are there ports at all?), note ports
 * and fragments.
 */
static __rte_always_inline void
classify_ipv4(const struct planes *x, struct kinds *k)
{
	__m512i proto = _mm512_and_si512(
	                _mm512_srli_epi32(x->head[3], 8), _mm512_set1_epi32(UINT8_MAX));
	__mmask16 whole = _mm512_testn_epi32_mask(x->head[2], _mm512_set1_epi32((int)0xff3f0000));

	k->v4 = _mm512_mask_test_epi32_mask(k->v4, x->head[1], _mm512_set1_epi32((int)0xe0ff0000));
	k->ports = k->v4 & whole & have_ports(proto);
	k->special = _mm512_mask_cmpeq_epi32_mask(k->v4, proto, _mm512_set1_epi32(IPPROTO_IGMP));
}

/* IPv6 lanes: drop those with a payload below 8 or that begin with anything but TCP, UDP,
 * SCTP or ICMPv6.
 */
static __rte_always_inline void
classify_ipv6(const struct planes *x, struct kinds *k)
{
	__m512i next = _mm512_and_si512(
	                _mm512_srli_epi32(x->head[2], 16), _mm512_set1_epi32(UINT8_MAX));
	__mmask16 ports = have_ports(next);
	__mmask16 icmp = _mm512_cmpeq_epi32_mask(next, _mm512_set1_epi32(IPPROTO_ICMPV6));

	k->v6 = _mm512_mask_test_epi32_mask(
	                k->v6 & (ports | icmp), x->head[2], _mm512_set1_epi32(0xf8ff));
	k->ports |= k->v6 & ports;
	k->special |= k->v6 & icmp;
}

/* ---- tags ------------------------------------------------------------------ */

/* In tagged lanes let each plane take the place of the one before it. */
static __rte_always_inline void
skip_tags(__mmask16 tagged, struct planes *x)
{
	/* The tag without priority: big endian 0x0fff. */
	x->vlan_id = _mm512_maskz_and_epi32(tagged, x->head[1], _mm512_set1_epi32(0xff0f));
#pragma GCC unroll 8
	for (int i = 0; i < 7; i++)
		x->head[i] = _mm512_mask_mov_epi32(x->head[i], tagged, x->head[i + 1]);
}

/* The same for what IPv6 needs; the last plane comes from bytes 58..61, which are known to be
 * there.
 */
static __rte_always_inline void
skip_tags_ipv6(__mmask16 tagged, const uint8_t *const p[LANES], struct planes *x)
{
	alignas(64) uint32_t last[LANES];

	_mm512_store_si512(last, _mm512_setzero_si512());
	for (uint32_t lanes = tagged; lanes != 0; lanes &= lanes - 1) {
		unsigned int i = rte_bsf32(lanes);

		last[i] = *(const unaligned_uint32_t *)(p[i] + TAIL_NEED);
	}
	x->head[7] = _mm512_mask_mov_epi32(x->head[7], tagged, x->tail[0]);
#pragma GCC unroll 4
	for (int i = 0; i < 3; i++)
		x->tail[i] = _mm512_mask_mov_epi32(x->tail[i], tagged, x->tail[i + 1]);
	x->tail[3] = _mm512_mask_mov_epi32(x->tail[3], tagged, _mm512_load_si512(last));
}

/* ---- bursts ---------------------------------------------------------------- */

/* The IPv6 lanes among 16: find out which are plain and long enough, and load the rest of
 * their headers.
 */
static __rte_always_inline void
complete_ipv6(const struct shape shape, struct rte_mbuf *const *pkts, const uint8_t *const *p,
                __mmask16 tagged, struct planes *x, struct kinds *k)
{
	if (tagged != 0)
		k->v6 &= ~tagged | find_long(pkts, TAIL_NEED + TAG_LEN);
	if (shape_has_addrs(shape))
		k->v6 &= load_tails(pkts, p, x->tail);
	else
		k->v6 &= find_long(pkts, TAIL_NEED);
	classify_ipv6(x, k);
	tagged &= k->v6;
	if (tagged != 0 && shape_has_addrs(shape))
		skip_tags_ipv6(tagged, p, x);
}

/* Anything but plain untagged IPv4 is among the 16 frames. */
static __rte_always_inline __m512i
hash_mixed(const struct tp_flow *flow, const struct shape shape, struct rte_mbuf *const *pkts,
                const uint8_t *const p[LANES], struct planes *x, struct kinds *k)
{
	__m512i words = type_words(x);
	__mmask16 tagged = are_tagged(words);

	if (tagged != 0) {
		tagged &= ~find_stripped(pkts);
		skip_tags(tagged, x);
		words = type_words(x);
	}
	k->v4 = are_ipv4(words);
	k->v6 = are_ipv6(words);
	classify_ipv4(x, k);
	if (k->v6 != 0)
		complete_ipv6(shape, pkts, p, tagged, x, k);
	if (k->v6 == 0 || !shape_has_addrs(shape))
		return hash_ipv4(flow, shape, x, k);
	return hash_any(flow, shape, x, k);
}

static __rte_always_inline void
load_frames(const struct shape shape, const uint8_t *const *p, struct planes *x)
{
	if (shape_has_macs(shape))
		load_planes(p, 0, x->mac);
	load_planes(p, HEAD_OFF, &x->head[0]);
	if (shape_has_addrs(shape))
		load_planes(p, HEAD_OFF + 16, &x->head[4]);
	else
		x->head[4] = x->head[5] = x->head[6] = x->head[7] = _mm512_setzero_si512();
	x->vlan_id = _mm512_setzero_si512();
}

/* @return lanes done; the rest are odd */
static __rte_always_inline __mmask16
hash16(const struct tp_flow *flow, const struct shape shape, struct rte_mbuf *const *pkts,
                uint32_t *hash, __mmask16 *special)
{
	const uint8_t *p[LANES];
	struct planes x;
	struct kinds k = { 0 };
	__m512i h;

	find_frames(pkts, p);
	load_frames(shape, p, &x);
	k.v4 = are_ipv4(type_words(&x));
	if (k.v4 == LANES_ALL) {
		classify_ipv4(&x, &k);
		h = hash_ipv4(flow, shape, &x, &k);
	} else {
		h = hash_mixed(flow, shape, pkts, p, &x, &k);
	}
	_mm512_storeu_si512(hash, h);
	*special = k.special;
	/* The id of a stripped tag is nowhere in the planes. */
	if (shape.policy == TP_FLOW_VLAN_SRCMAC)
		return (k.v4 | k.v6) & ~find_stripped(pkts);
	return k.v4 | k.v6;
}

/* Frames that the vector code left over. @return those that control may want to see */
static __rte_noinline uint64_t
hash_odd(const struct tp_flow *flow, struct rte_mbuf *const *pkts, uint64_t odd, uint32_t *hash)
{
	uint64_t special = 0;

	for (; odd != 0; odd &= odd - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(odd);

		special |= (uint64_t)flow_hash_one(flow, pkts[i], &hash[i]) << i;
	}
	return special;
}

static __rte_always_inline uint64_t
hash_burst(const struct tp_flow *flow, const struct shape shape, struct rte_mbuf **pkts,
                uint16_t nb_pkts, uint32_t *hash)
{
	static struct rte_mbuf nothing; /* without data: odd */
	struct rte_mbuf *last[LANES];
	uint64_t special = 0, odd = 0;
	__mmask16 done, group;
	uint16_t i;

	for (i = 0; i + LANES <= nb_pkts; i += LANES) {
		done = hash16(flow, shape, &pkts[i], &hash[i], &group);
		odd |= (uint64_t)(uint16_t)~done << i;
		special |= (uint64_t)(group & done) << i;
	}
	if (i < nb_pkts) {
		for (uint16_t j = 0; j < LANES; j++)
			last[j] = i + j < nb_pkts ? pkts[i + j] : &nothing;
		done = hash16(flow, shape, last, &hash[i], &group);
		odd |= (uint64_t)(uint16_t)~done << i;
		odd &= (UINT64_C(1) << nb_pkts) - 1;
		special |= (uint64_t)(group & done) << i;
	}
	if (unlikely(odd != 0))
		special |= hash_odd(flow, pkts, odd, hash);
	return special;
}

/* One kernel each; FCoE frames are odd, so that FC is L34 here. */
#define KERNEL(name, policy, symmetric)                                                            \
	static uint64_t name(const struct tp_flow *flow, struct rte_mbuf **pkts, uint16_t nb_pkts, \
	                uint32_t *hash)                                                            \
	{                                                                                          \
		return hash_burst(flow, (struct shape){ policy, symmetric }, pkts, nb_pkts, hash); \
	}

KERNEL(l34, TP_FLOW_L34, false)
KERNEL(l34_symmetric, TP_FLOW_L34, true)
KERNEL(l23, TP_FLOW_L23, false)
KERNEL(l23_symmetric, TP_FLOW_L23, true)
KERNEL(l2, TP_FLOW_L2, false)
KERNEL(l2_symmetric, TP_FLOW_L2, true)
KERNEL(dst, TP_FLOW_DST, false)
KERNEL(vlan_srcmac, TP_FLOW_VLAN_SRCMAC, false)

static const flow_burst_fn kernels[TP_FLOW_NB_POLICIES][2] = {
	[TP_FLOW_L34] = { l34, l34_symmetric },
	[TP_FLOW_L23] = { l23, l23_symmetric },
	[TP_FLOW_L2] = { l2, l2_symmetric },
	[TP_FLOW_DST] = { dst, dst },
	[TP_FLOW_VLAN_SRCMAC] = { vlan_srcmac, vlan_srcmac },
	[TP_FLOW_FC] = { l34, l34_symmetric },
};

flow_burst_fn
flow_burst_avx512(const struct tp_flow_conf *conf)
{
	return kernels[conf->policy][conf->symmetric];
}
