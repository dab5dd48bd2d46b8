/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* From planes of headers to tuples: what tuple.c does for one frame, for 16. Bytes of the
 * headers by plane:
 *
 *	plane	from	IPv4				IPv6
 *	mac 0	0	destination MAC
 *	mac 1	4	destination MAC, source MAC
 *	mac 2	8	source MAC
 *	head 0	10	- - type type			- - type type
 *	head 1	14	version tos length length	version class flow flow
 *	head 2	18	id id fragment fragment		length length next hop
 *	head 3	22	ttl protocol - -		source
 *	head 4	26	source				source
 *	head 5	30	destination			source
 *	head 6	34	ports				source
 *	head 7	38	-				destination
 *	tail 0	42	-				destination
 *	tail 1	46	-				destination
 *	tail 2	50	-				destination
 *	tail 3	54	-				ports
 */
#ifndef FLOW_PLANES_AVX512_H
#define FLOW_PLANES_AVX512_H

#include "avx512_int.h"

/* What a kernel is made for; a constant wherever it is passed. */
struct shape {
	uint8_t policy;
	bool symmetric;
	bool careful; /* frames may be shorter than what is loaded for IPv6 */
};

struct planes {
	__m512i mac[4], head[8], tail[4];
	__m512i vlan_id; /* big endian in the low half, zero without a tag */
};

/* Kinds of frames among 16. */
struct kinds {
	__mmask16 v4, v6; /* plain ones */
	__mmask16 ports;  /* that have ports */
	__mmask16 special;
};

static __rte_always_inline bool
shape_has_addrs(const struct shape shape)
{
	return shape.policy != TP_FLOW_L2 && shape.policy != TP_FLOW_VLAN_SRCMAC;
}

static __rte_always_inline bool
shape_has_macs(const struct shape shape)
{
	return shape.policy == TP_FLOW_L23 || !shape_has_addrs(shape);
}

/* ---- symmetry -------------------------------------------------------------- */

static __rte_always_inline void
swap_lanes(__mmask16 lanes, __m512i *a, __m512i *b)
{
	__m512i was = *a;

	*a = _mm512_mask_mov_epi32(*a, lanes, *b);
	*b = _mm512_mask_mov_epi32(*b, lanes, was);
}

/* Lanes whose source port is the larger one, in the order that tuple.c has. */
static __rte_always_inline __mmask16
ports_descend(__m512i ports)
{
	return _mm512_cmpgt_epu32_mask(_mm512_rol_epi32(ports, 16), ports);
}

/* Put the smaller of two endpoints first.
 * @param src, dst [nb_words] addresses
 * @param ports NULL: without
 */
static __rte_always_inline void
sort_endpoints(__m512i *src, __m512i *dst, int nb_words, __m512i *ports)
{
	__mmask16 descend = ports != NULL ? ports_descend(*ports) : 0;

#pragma GCC unroll 4
	for (int w = nb_words - 1; w >= 0; w--)
		descend = _mm512_cmpgt_epu32_mask(src[w], dst[w]) |
		          _mm512_mask_cmpeq_epu32_mask(descend, src[w], dst[w]);
#pragma GCC unroll 4
	for (int w = 0; w < nb_words; w++)
		swap_lanes(descend, &src[w], &dst[w]);
	if (ports != NULL)
		*ports = _mm512_mask_rol_epi32(*ports, descend, *ports, 16);
}

/* The same for two MAC addresses that lie in three words. */
static __rte_always_inline void
sort_macs(__m512i mac[3])
{
	const __m512i high = _mm512_set1_epi32((int)0xffff0000);
	__m512i src_first = _mm512_shrdi_epi32(mac[1], mac[2], 16);
	__m512i middle = _mm512_shrdi_epi32(mac[2], mac[0], 16);
	__m512i dst_last = _mm512_shrdi_epi32(mac[0], mac[1], 16);
	__mmask16 descend = _mm512_cmpgt_epu32_mask(
	                _mm512_slli_epi32(mac[1], 16), _mm512_and_si512(mac[2], high));

	descend = _mm512_cmpgt_epu32_mask(mac[0], src_first) |
	          _mm512_mask_cmpeq_epu32_mask(descend, mac[0], src_first);
	mac[0] = _mm512_mask_mov_epi32(mac[0], descend, src_first);
	mac[1] = _mm512_mask_mov_epi32(mac[1], descend, middle);
	mac[2] = _mm512_mask_mov_epi32(mac[2], descend, dst_last);
}

/* ---- tuples ---------------------------------------------------------------- */

/* Put the MAC addresses behind the first n words of a tuple. */
static __rte_always_inline int
add_macs(const struct shape shape, const struct planes *x, __m512i *t, int n)
{
	t[n] = x->mac[0];
	t[n + 1] = x->mac[1];
	t[n + 2] = x->mac[2];
	if (shape.symmetric)
		sort_macs(&t[n]);
	return n + 3;
}

/* Tuples of policies that hash no addresses of layer 3. @return words */
static __rte_always_inline int
tuple_l2(const struct shape shape, const struct planes *x, __m512i *t)
{
	const __m512i high = _mm512_set1_epi32((int)0xffff0000);

	if (shape.policy == TP_FLOW_VLAN_SRCMAC) {
		t[0] = _mm512_or_si512(_mm512_and_si512(x->mac[1], high), x->vlan_id);
		t[1] = x->mac[2];
		return 2;
	}
	add_macs(shape, x, t, 0);
	t[3] = _mm512_srli_epi32(x->head[0], 16);
	return 4;
}

/* @return words */
static __rte_always_inline int
tuple_ipv4(const struct shape shape, const struct planes *x, const struct kinds *k, __m512i *t)
{
	if (shape.policy == TP_FLOW_DST) {
		t[0] = x->head[5];
		return 1;
	}
	t[0] = x->head[4];
	t[1] = x->head[5];
	if (shape.policy == TP_FLOW_L23) {
		if (shape.symmetric)
			sort_endpoints(&t[0], &t[1], 1, NULL);
		return add_macs(shape, x, t, 2);
	}
	t[2] = _mm512_maskz_mov_epi32(k->ports, x->head[6]);
	if (shape.symmetric)
		sort_endpoints(&t[0], &t[1], 1, &t[2]);
	return 3;
}

/* @return words */
static __rte_always_inline int
tuple_ipv6(const struct shape shape, const struct planes *x, const struct kinds *k, __m512i *t)
{
	const __m512i dst[4] = { x->head[7], x->tail[0], x->tail[1], x->tail[2] };
	int n = shape.policy == TP_FLOW_DST ? 0 : 4;

#pragma GCC unroll 4
	for (int w = 0; w < 4; w++) {
		t[w] = x->head[3 + w];
		t[n + w] = dst[w];
	}
	if (shape.policy == TP_FLOW_DST)
		return 4;
	if (shape.policy == TP_FLOW_L23) {
		if (shape.symmetric)
			sort_endpoints(&t[0], &t[4], 4, NULL);
		return add_macs(shape, x, t, 8);
	}
	t[8] = _mm512_maskz_mov_epi32(k->ports, x->tail[3]);
	if (shape.symmetric)
		sort_endpoints(&t[0], &t[4], 4, &t[8]);
	return 9;
}

/* ---- hashes ---------------------------------------------------------------- */

/* No IPv6 among the 16 frames, or a policy that makes no difference. */
static __rte_always_inline __m512i
hash_ipv4(const struct tp_flow *flow, struct low_bytes low, const struct shape shape,
                const struct planes *x, const struct kinds *k)
{
	__m512i t[5];
	int n = shape_has_addrs(shape) ? tuple_ipv4(shape, x, k, t) : tuple_l2(shape, x, t);

	return toeplitz_planes(flow, low, t, n);
}

/* IPv4 and IPv6. Zeros behind a shorter tuple change nothing.
 * @param v6 lanes with IPv6 addresses, whether plain or not: known earlier than k->v6
 */
static __rte_always_inline __m512i
hash_any(const struct tp_flow *flow, struct low_bytes low, const struct shape shape,
                const struct planes *x, const struct kinds *k, __mmask16 v6)
{
	__m512i t[FLOW_TUPLE_MAX / 4], t4[5];
	int n = tuple_ipv6(shape, x, k, t);
	int n4 = tuple_ipv4(shape, x, k, t4);

#pragma GCC unroll 11
	for (int w = 0; w < n; w++)
		t[w] = w < n4 ? _mm512_mask_blend_epi32(v6, t4[w], t[w])
		              : _mm512_maskz_mov_epi32(v6, t[w]);
	return toeplitz_planes(flow, low, t, n);
}

#endif
