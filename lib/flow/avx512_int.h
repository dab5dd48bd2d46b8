/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Toeplitz hashes of 16 tuples at a time, one tuple in each lane of 32 bits.
 *
 * Byte j of a tuple adds to byte k of its hash an 8x8 bit matrix times the byte, and that
 * matrix is made of key bits 8(j+k)..8(j+k)+14: it depends on s = j + k alone. So the four
 * bytes j = s-3..s share matrix s, and one GF2P8AFFINEQB takes 16 such windows at once.
 * A window that is not aligned to 32 bits is blended from two neighbours without a shift;
 * windows of equal misalignment are summed up first and rotated into place once.
 */
#ifndef FLOW_AVX512_INT_H
#define FLOW_AVX512_INT_H

#include <immintrin.h>

#include "flow_int.h"

/* Hide from the compiler where a value comes from. It would else turn a choice between two
 * pointers into branches with loads in both arms, which can no longer be operands of other
 * instructions; or move loads to where registers are short.
 */
#define hide(value) asm("" : "+r"(value))

/* Masks of bytes 0..o-1 of each 32 bits, kept in registers for a burst. */
struct low_bytes {
	__mmask64 of[4];
};

static __rte_always_inline struct low_bytes
low_bytes(void)
{
	struct low_bytes low;

#pragma GCC unroll 4
	for (unsigned int o = 0; o < 4; o++) {
		low.of[o] = UINT64_C(0x1111111111111111) * ((1u << o) - 1);
		asm("" : "+k"(low.of[o]));
	}
	return low;
}

static __rte_always_inline __m512i
xor3(__m512i a, __m512i b, __m512i c)
{
	return _mm512_ternarylogic_epi32(a, b, c, 0x96);
}

/* Bytes times a matrix. GCC 12 knows no broadcast operand here and would spend one more
 * instruction on each.
 */
static __rte_always_inline __m512i
affine(const struct tp_flow *flow, __m512i bytes, int window)
{
	__m512i out;

	asm("vgf2p8affineqb $0, %2%{1to8%}, %1, %0"
	                : "=v"(out)
	                : "v"(bytes), "m"(flow->matrix[window]));
	return out;
}

/* The same for some bytes, into sum. */
static __rte_always_inline __m512i
mask_affine(const struct tp_flow *flow, __m512i sum, __mmask64 which, __m512i bytes, int window)
{
	asm("vgf2p8affineqb $0, %3%{1to8%}, %2, %0%{%1%}"
	                : "+v"(sum)
	                : "Yk"(which), "v"(bytes), "m"(flow->matrix[window]));
	return sum;
}

/* Window of tuple bytes 4w+o..4w+o+3 times its matrix, each byte left where it stood.
 * @param t [n] planes: 32 bits of 16 tuples
 * @param w 0..n-2, or n-1 with o = 0
 */
static __rte_always_inline __m512i
window(const struct tp_flow *flow, struct low_bytes low, const __m512i *t, int w, int o)
{
	__m512i bytes = o == 0 ? t[w] : _mm512_mask_blend_epi8(low.of[o], t[w], t[w + 1]);

	return affine(flow, bytes, 4 * w + o + 3);
}

/* The two windows that reach over the edges of the tuple: the first o bytes and the last 4-o.
 * They fill each other's gaps.
 */
static __rte_always_inline __m512i
edges(const struct tp_flow *flow, struct low_bytes low, const __m512i *t, int n, int o)
{
	__m512i last = affine(flow, t[n - 1], 4 * (n - 1) + o + 3);

	return mask_affine(flow, last, low.of[o], t[0], o - 1);
}

/* All windows of one misalignment. */
static __rte_always_inline __m512i
windows(const struct tp_flow *flow, struct low_bytes low, const __m512i *t, int n, int o)
{
	__m512i sum = o == 0 ? window(flow, low, t, n - 1, 0) : edges(flow, low, t, n, o);
	int w;

	/* The loop vanishes: n is a constant where this is inlined. */
#pragma GCC unroll 8
	for (w = 0; w + 2 < n; w += 2)
		sum = xor3(sum, window(flow, low, t, w, o), window(flow, low, t, w + 1, o));
	if (w < n - 1)
		sum = _mm512_xor_si512(sum, window(flow, low, t, w, o));
	return sum;
}

/* @param t [n] planes
 * @return hashes, in the order of the lanes
 */
static __rte_always_inline __m512i
toeplitz_planes(const struct tp_flow *flow, struct low_bytes low, const __m512i *t, int n)
{
	__m512i h0 = windows(flow, low, t, n, 0);
	__m512i h1 = _mm512_ror_epi32(windows(flow, low, t, n, 1), 8);
	__m512i h2 = _mm512_ror_epi32(windows(flow, low, t, n, 2), 16);
	__m512i h3 = _mm512_ror_epi32(windows(flow, low, t, n, 3), 24);

	return _mm512_xor_si512(h0, xor3(h1, h2, h3));
}

/* Transpose 4x4 words within each quarter of four registers. */
static __rte_always_inline void
transpose(const __m512i z[4], __m512i out[4])
{
	__m512i lo01 = _mm512_unpacklo_epi32(z[0], z[1]);
	__m512i lo23 = _mm512_unpacklo_epi32(z[2], z[3]);
	__m512i hi01 = _mm512_unpackhi_epi32(z[0], z[1]);
	__m512i hi23 = _mm512_unpackhi_epi32(z[2], z[3]);

	out[0] = _mm512_unpacklo_epi64(lo01, lo23);
	out[1] = _mm512_unpackhi_epi64(lo01, lo23);
	out[2] = _mm512_unpacklo_epi64(hi01, hi23);
	out[3] = _mm512_unpackhi_epi64(hi01, hi23);
}

/* Put 16 bytes from p into quarter q. */
static __rte_always_inline __m512i
load_quarter(__m512i z, const uint8_t *p, int q)
{
	__m128i bytes = _mm_loadu_si128((const __m128i *)p);

	if (q == 0)
		return _mm512_castsi128_si512(bytes);
	return _mm512_mask_broadcast_i32x4(z, (__mmask16)(0xf << 4 * q), bytes);
}

/* Put 32 bytes from p into half h. */
static __rte_always_inline __m512i
load_half(__m512i z, const uint8_t *p, int h)
{
	__m256i bytes = _mm256_loadu_si256((const __m256i *)p);

	return h == 0 ? _mm512_castsi256_si512(bytes) : _mm512_inserti64x4(z, bytes, 1);
}

/* Planes of 32 bytes from each of 16 places, lane i of a plane for place i.
 * @param z place i is half (i / 4) % 2 of z[i / 8][i % 4]
 */
static __rte_always_inline void
planes_of_halves(const __m512i z[2][4], __m512i plane[8])
{
	__m512i t[2][4];

	transpose(z[0], t[0]);
	transpose(z[1], t[1]);
	/* Now each half has four places' first words in its first quarter, the others in its
	 * second.
	 */
#pragma GCC unroll 4
	for (int w = 0; w < 4; w++) {
		plane[w] = _mm512_shuffle_i32x4(t[0][w], t[1][w], 0x88);
		plane[4 + w] = _mm512_shuffle_i32x4(t[0][w], t[1][w], 0xdd);
	}
}

#endif
