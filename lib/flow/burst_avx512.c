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
 * IPv6 extensions, two tags) are left to hash_odd(). A frame too short for a load is
 * read from a block of zeros instead: nothing beyond data_len is touched.
 */

#include <netinet/in.h>
#include <string.h>

#include "kernel_int.h"
#include "planes_avx512.h"

#define LANES_ALL 0xffff

/* Where loads begin; HEAD_NEED and TAIL_NEED are where they end. */
#define HEAD_OFF 10
#define TAIL_OFF 42

/* Words of the planes as they are loaded, little endian. Constants in memory can be operands;
 * the compiler would build each in a register with an instruction on the busiest port.
 */
static const struct words {
	uint32_t ipv4_mask, ipv4; /* type type version */
	uint32_t ipv6_mask, ipv6;
	uint32_t type_mask, tag;
	uint32_t ipv4_len_32; /* any of these bits: total length at least 32 */
	uint32_t ipv6_len_8;  /* payload length at least 8 */
	uint32_t ipv4_frag;   /* more fragments, offset */
	uint32_t byte_mask;   /* lowest byte */
	uint32_t low_ports;   /* bit n: protocol n has ports, n < 32 */
	uint32_t sctp, igmp, icmpv6;
	uint32_t one;
} the_words = {
	.ipv4_mask = 0x00ffffff,
	.ipv4 = 0x00450008,
	.ipv6_mask = 0x00f0ffff,
	.ipv6 = 0x0060dd86,
	.type_mask = 0x0000ffff,
	.tag = 0x00000081,
	.ipv4_len_32 = 0xe0ff0000,
	.ipv6_len_8 = 0x0000f8ff,
	.ipv4_frag = 0xff3f0000,
	.byte_mask = 0x000000ff,
	.low_ports = 1 << IPPROTO_TCP | 1 << IPPROTO_UDP,
	.sctp = IPPROTO_SCTP,
	.igmp = IPPROTO_IGMP,
	.icmpv6 = IPPROTO_ICMPV6,
	.one = 1,
};

#define WORD(name) _mm512_set1_epi32((int)words_hidden()->name)

static __rte_always_inline const struct words *
words_hidden(void)
{
	const struct words *w = &the_words;

	hide(w);
	return w;
}

/* ---- loads ----------------------------------------------------------------- */

/* 16 frames as loaded. */
struct group {
	struct rte_mbuf *const *pkts;
	const uint8_t *p[LANES]; /* the beginning of each frame, or zeros */
	struct planes x;
};

/* Find the frames and load bytes 10..41 of each, the first 16, too, or but the first 26, as the
 * policy needs.
 */
static __rte_always_inline void
load_frames(const struct shape shape, struct rte_mbuf *const *pkts, struct group *g)
{
	struct planes *x = &g->x;
	const uint8_t **p = g->p;
	uint16_t need = shape.careful ? HEAD_NEED : TAIL_NEED;
	__m512i macs[4], quarters[4], halves[2][4];

	g->pkts = pkts;
	hide(need);
#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++) {
		int r = i % 4, q = i / 4;

		p[i] = frame_of(pkts[i], need);
		if (shape_has_macs(shape))
			macs[r] = load_quarter(macs[r], p[i], q);
		if (shape_has_addrs(shape))
			halves[q / 2][r] = load_half(halves[q / 2][r], p[i] + HEAD_OFF, q % 2);
		else
			quarters[r] = load_quarter(quarters[r], p[i] + HEAD_OFF, q);
	}
	if (shape_has_macs(shape))
		transpose(macs, x->mac);
	if (shape_has_addrs(shape))
		planes_of_halves(halves, x->head);
	else
		transpose(quarters, x->head);
}

/* Bytes 42..57 of each frame; all zero where the frame ends before. */
static __rte_always_inline void
load_tails(const struct shape shape, struct rte_mbuf *const *pkts, const uint8_t *const *p,
                __m512i tail[4])
{
	uint16_t need = TAIL_NEED;
	__m512i z[4];

	hide(need);
#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++) {
		const uint8_t *q = shape.careful ? frame_of(pkts[i], need) : p[i];

		z[i % 4] = load_quarter(z[i % 4], q + TAIL_OFF, i / 4);
	}
	transpose(z, tail);
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

/* Lanes whose frame had a tag that is in the mbuf now. Most ports strip none. */
static __rte_always_inline __mmask16
find_stripped(struct rte_mbuf *const *pkts)
{
	uint64_t flags = 0;
	uint32_t lanes = 0;

#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++)
		flags |= pkts[i]->ol_flags;
	if ((flags & STRIPPED) == 0)
		return 0;
#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++)
		lanes |= (uint32_t)((pkts[i]->ol_flags & STRIPPED) != 0) << i;
	return (__mmask16)lanes;
}

/* ---- classification -------------------------------------------------------- */

/* EtherType and version in one word: bytes type type version -. */
static __rte_always_inline __m512i
type_words(const struct planes *x)
{
	return _mm512_shrdi_epi32(x->head[0], x->head[1], 16);
}

/* Version 4, header of 20 bytes. */
static __rte_always_inline __mmask16
are_ipv4(__m512i words)
{
	return _mm512_cmpeq_epi32_mask(_mm512_and_si512(words, WORD(ipv4_mask)), WORD(ipv4));
}

static __rte_always_inline __mmask16
are_ipv6(__m512i words)
{
	return _mm512_cmpeq_epi32_mask(_mm512_and_si512(words, WORD(ipv6_mask)), WORD(ipv6));
}

static __rte_always_inline __mmask16
are_tagged(__m512i words)
{
	return _mm512_cmpeq_epi32_mask(_mm512_and_si512(words, WORD(type_mask)), WORD(tag));
}

/* Zeros were loaded. */
static __rte_always_inline __mmask16
are_nothing(__m512i words)
{
	return _mm512_testn_epi32_mask(words, WORD(type_mask));
}

/* Lanes whose protocol has ports. */
static __rte_always_inline __mmask16
have_ports(__m512i proto)
{
	/* Protocols from 32 on shift the bit out. */
	__m512i bit = _mm512_sllv_epi32(WORD(one), proto);

	return _mm512_test_epi32_mask(bit, WORD(low_ports)) |
	       _mm512_cmpeq_epi32_mask(proto, WORD(sctp));
}

/* Look at the lanes that are IPv4 or IPv6 by type and version. Note which have ports, and drop
 * those that are not plain: a total length below 32 or a payload below 8 bytes (are there ports
 * at all?), IPv6 that begins with anything but TCP, UDP, SCTP or ICMPv6.
 */
static __rte_always_inline void
classify(const struct planes *x, struct kinds *k, bool any_v6)
{
	__m512i proto = _mm512_srli_epi32(x->head[3], 8);
	__mmask16 frag = _mm512_mask_test_epi32_mask(k->v4, x->head[2], WORD(ipv4_frag));
	__mmask16 ports, icmpv6;

	if (any_v6)
		proto = _mm512_mask_srli_epi32(proto, k->v6, x->head[2], 16);
	proto = _mm512_and_si512(proto, WORD(byte_mask));
	ports = have_ports(proto);
	k->ports = ports & ~frag;
	k->special = _mm512_mask_cmpeq_epi32_mask(k->v4, proto, WORD(igmp));
	k->v4 = _mm512_mask_test_epi32_mask(k->v4, x->head[1], WORD(ipv4_len_32));
	if (!any_v6)
		return;
	icmpv6 = _mm512_mask_cmpeq_epi32_mask(k->v6, proto, WORD(icmpv6));
	k->special |= icmpv6;
	k->v6 = _mm512_mask_test_epi32_mask(k->v6, x->head[2], WORD(ipv6_len_8)) & (ports | icmpv6);
}

/* ---- tags ------------------------------------------------------------------ */

/* In tagged lanes let each plane take the place of the one before it. */
static __rte_always_inline void
skip_tags(const struct shape shape, __mmask16 tagged, struct planes *x)
{
	int nb = shape_has_addrs(shape) ? 7 : 3;

	/* The tag without priority: big endian 0x0fff. */
	x->vlan_id = _mm512_maskz_and_epi32(tagged, x->head[1], _mm512_set1_epi32(0xff0f));
#pragma GCC unroll 8
	for (int i = 0; i < nb; i++)
		x->head[i] = _mm512_mask_mov_epi32(x->head[i], tagged, x->head[i + 1]);
}

/* The same for what IPv6 needs; the last plane comes from bytes 58..61, zero where the frame
 * ends before.
 */
static __rte_always_inline void
skip_tags_ipv6(__mmask16 tagged, struct rte_mbuf *const *pkts, struct planes *x)
{
	x->head[7] = _mm512_mask_mov_epi32(x->head[7], tagged, x->tail[0]);
#pragma GCC unroll 4
	for (int i = 0; i < 3; i++)
		x->tail[i] = _mm512_mask_mov_epi32(x->tail[i], tagged, x->tail[i + 1]);
	/* By way of memory the vector would have to wait until the words are stored. */
	for (uint32_t lanes = tagged; lanes != 0; lanes &= lanes - 1) {
		const uint8_t *p = frame_of(pkts[rte_bsf32(lanes)], TAIL_NEED + TAG_LEN);

		x->tail[3] = _mm512_mask_set1_epi32(x->tail[3], (__mmask16)(lanes & -lanes),
		                (int)load32(p + TAIL_NEED));
	}
}

/* ---- bursts ---------------------------------------------------------------- */

/* IPv6 is among the 16 frames: load the rest of its headers. Lanes whose frame ends too early
 * have no ports then, nor an ICMPv6 type; so have a few whole ones, which are odd likewise.
 */
static __rte_always_inline __m512i
hash_with_ipv6(const struct tp_flow *flow, struct low_bytes low, const struct shape shape,
                struct group *g, __mmask16 tagged, struct kinds *k)
{
	struct rte_mbuf *const *pkts = g->pkts;
	struct planes *x = &g->x;
	__mmask16 v6 = k->v6;

	classify(x, k, true);
	if (!shape_has_addrs(shape)) {
		if (shape.careful || tagged != 0)
			k->v6 &= find_long(pkts, tagged != 0 ? TAIL_NEED + TAG_LEN : TAIL_NEED);
		return hash_ipv4(flow, low, shape, x, k);
	}
	load_tails(shape, pkts, g->p, x->tail);
	tagged &= v6;
	if (tagged != 0)
		skip_tags_ipv6(tagged, pkts, x);
	k->v6 = _mm512_mask_test_epi32_mask(k->v6, x->tail[3], x->tail[3]);
	return hash_any(flow, low, shape, x, k, v6);
}

/* Anything but plain untagged IPv4 is among the 16 frames. */
static __rte_always_inline __m512i
hash_mixed(const struct tp_flow *flow, struct low_bytes low, const struct shape shape,
                struct group *g, __m512i words, struct kinds *k)
{
	struct planes *x = &g->x;
	__mmask16 tagged = are_tagged(words);

	if (tagged != 0) {
		tagged &= ~find_stripped(g->pkts);
		skip_tags(shape, tagged, x);
		words = type_words(x);
		k->v4 = are_ipv4(words);
	}
	k->v6 = are_ipv6(words);
	if (k->v6 != 0)
		return hash_with_ipv6(flow, low, shape, g, tagged, k);
	classify(x, k, false);
	return hash_ipv4(flow, low, shape, x, k);
}

/* @param done in, out: in none, out the lanes that are hashed; the rest are odd
 * @return false: some frames are too short for this kernel, but not for a careful one
 */
static __rte_always_inline bool
hash16(const struct tp_flow *flow, struct low_bytes low, const struct shape shape, struct group *g,
                uint32_t *hash, __mmask16 *done, __mmask16 *special)
{
	struct kinds k = { 0 };
	__m512i h, words;

	g->x.vlan_id = _mm512_setzero_si512();
	words = type_words(&g->x);
	k.v4 = are_ipv4(words);
	if (k.v4 == LANES_ALL) {
		classify(&g->x, &k, false);
		h = hash_ipv4(flow, low, shape, &g->x, &k);
	} else {
		if (!shape.careful && are_nothing(words) != 0)
			return false;
		hide(g->pkts);
		h = hash_mixed(flow, low, shape, g, words, &k);
	}
	_mm512_storeu_si512(hash, h);
	*done = k.v4 | k.v6;
	*special = k.special & *done;
	/* The id of a stripped tag is nowhere in the planes. */
	if (shape.policy == TP_FLOW_VLAN_SRCMAC)
		*done &= ~find_stripped(g->pkts);
	return true;
}

typedef void (*hash16_fn)(const struct tp_flow *flow, struct rte_mbuf *const *pkts, uint32_t *hash,
                __mmask16 *done, __mmask16 *special);

/* Frames first..first+15 of a burst. */
static __rte_always_inline void
hash_group(const struct tp_flow *flow, struct low_bytes low, const struct shape shape,
                hash16_fn careful, struct group *g, uint16_t first, uint32_t *hash, uint64_t *odd,
                uint64_t *special)
{
	__mmask16 done, seen;

	if (!hash16(flow, low, shape, g, &hash[first], &done, &seen))
		careful(flow, g->pkts, &hash[first], &done, &seen);
	*odd |= (uint64_t)(uint16_t)~done << first;
	*special |= (uint64_t)seen << first;
}

/* Two groups are loaded before either is hashed: each works while the other waits for its loads, and
 * more than that when headers are in no cache.
 */
static __rte_always_inline uint64_t
hash_burst(const struct tp_flow *flow, const struct shape shape, hash16_fn careful,
                struct rte_mbuf **pkts, uint16_t nb_pkts, uint32_t *hash)
{
	const struct low_bytes low = low_bytes();
	struct rte_mbuf *last[LANES];
	struct group a, b;
	uint64_t special = 0, odd = 0;
	uint16_t i;

	for (i = 0; i + 2 * LANES <= nb_pkts; i += 2 * LANES) {
		load_frames(shape, &pkts[i], &a);
		load_frames(shape, &pkts[i + LANES], &b);
		hash_group(flow, low, shape, careful, &a, i, hash, &odd, &special);
		hash_group(flow, low, shape, careful, &b, i + LANES, hash, &odd, &special);
	}
	for (; i < nb_pkts; i += LANES) {
		load_frames(shape, group_of(pkts, i, nb_pkts, last), &a);
		hash_group(flow, low, shape, careful, &a, i, hash, &odd, &special);
	}
	odd &= all_of(nb_pkts);
	if (unlikely(odd != 0))
		special |= hash_odd(flow, pkts, odd, hash);
	return special;
}

/* One kernel each, and one for 16 frames of which some are short. FCoE frames are odd, so that
 * FC is L34 here.
 */
#define KERNEL(name, policy, symmetric)                                                            \
	static __rte_noinline void name##_careful(const struct tp_flow *flow,                      \
	                struct rte_mbuf *const *pkts, uint32_t *hash, __mmask16 *done,             \
	                __mmask16 *special)                                                        \
	{                                                                                          \
		const struct shape shape = { policy, symmetric, true };                            \
		struct group g;                                                                    \
                                                                                                   \
		load_frames(shape, pkts, &g);                                                      \
		hash16(flow, low_bytes(), shape, &g, hash, done, special);                         \
	}                                                                                          \
	static uint64_t name(const struct tp_flow *flow, struct rte_mbuf **pkts, uint16_t nb_pkts, \
	                uint32_t *hash)                                                            \
	{                                                                                          \
		return hash_burst(flow, (struct shape){ policy, symmetric, false },                \
		                name##_careful, pkts, nb_pkts, hash);                              \
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
