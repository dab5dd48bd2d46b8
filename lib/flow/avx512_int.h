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

/* Bytes 0..o-1 of each 32 bits. */
static inline __mmask64
low_bytes(unsigned int o)
{
	return UINT64_C(0x1111111111111111) * ((1u << o) - 1);
}

static inline __m512i
xor3(__m512i a, __m512i b, __m512i c)
{
	return _mm512_ternarylogic_epi32(a, b, c, 0x96);
}

/* Window of tuple bytes 4w+o..4w+o+3 times its matrix, each byte left where it stood.
 * @param t [n] planes: 32 bits of 16 tuples
 * @param w -1..n-1; bytes outside of the tuple are zero
 */
static __rte_always_inline __m512i
window(const uint64_t *matrix, const __m512i *t, int n, int w, unsigned int o)
{
	const __m512i m = _mm512_set1_epi64((long long)matrix[4 * w + (int)o + 3]);

	if (o == 0)
		return _mm512_gf2p8affine_epi64_epi8(t[w], m, 0);
	if (w < 0)
		return _mm512_maskz_gf2p8affine_epi64_epi8(low_bytes(o), t[0], m, 0);
	if (w == n - 1)
		return _mm512_maskz_gf2p8affine_epi64_epi8(~low_bytes(o), t[w], m, 0);
	return _mm512_gf2p8affine_epi64_epi8(
	                _mm512_mask_blend_epi8(low_bytes(o), t[w], t[w + 1]), m, 0);
}

/* All windows of one misalignment. */
static __rte_always_inline __m512i
windows(const uint64_t *matrix, const __m512i *t, int n, unsigned int o)
{
	int w = o == 0 ? 0 : -1;
	__m512i sum = window(matrix, t, n, w++, o);

	/* Both loops vanish: n and o are constants where this is inlined. */
#pragma GCC unroll 8
	for (; w + 1 < n; w += 2)
		sum = xor3(sum, window(matrix, t, n, w, o), window(matrix, t, n, w + 1, o));
	if (w < n)
		sum = _mm512_xor_si512(sum, window(matrix, t, n, w, o));
	return sum;
}

/* @param matrix [FLOW_NB_WINDOWS]
 * @param t [n] planes
 * @return hashes, in the order of the lanes
 */
static __rte_always_inline __m512i
toeplitz_planes(const uint64_t *matrix, const __m512i *t, int n)
{
	__m512i h0 = windows(matrix, t, n, 0);
	__m512i h1 = _mm512_ror_epi32(windows(matrix, t, n, 1), 8);
	__m512i h2 = _mm512_ror_epi32(windows(matrix, t, n, 2), 16);
	__m512i h3 = _mm512_ror_epi32(windows(matrix, t, n, 3), 24);

	return _mm512_xor_si512(h0, xor3(h1, h2, h3));
}

/* Turn four 32-bit words of 16 frames into four planes: z[r] holds the words of frames
 * r, r+4, r+8, r+12 in its quarters, so that lane i of a plane is frame i.
 */
static __rte_always_inline void
transpose(const __m512i z[4], __m512i plane[4])
{
	__m512i lo01 = _mm512_unpacklo_epi32(z[0], z[1]);
	__m512i lo23 = _mm512_unpacklo_epi32(z[2], z[3]);
	__m512i hi01 = _mm512_unpackhi_epi32(z[0], z[1]);
	__m512i hi23 = _mm512_unpackhi_epi32(z[2], z[3]);

	plane[0] = _mm512_unpacklo_epi64(lo01, lo23);
	plane[1] = _mm512_unpackhi_epi64(lo01, lo23);
	plane[2] = _mm512_unpacklo_epi64(hi01, hi23);
	plane[3] = _mm512_unpackhi_epi64(hi01, hi23);
}

/* 16 bytes from each of four places, into the quarters of a register. */
static __rte_always_inline __m512i
load4(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d)
{
	__m512i z = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)a));

	z = _mm512_inserti32x4(z, _mm_loadu_si128((const __m128i *)b), 1);
	z = _mm512_inserti32x4(z, _mm_loadu_si128((const __m128i *)c), 2);
	return _mm512_inserti32x4(z, _mm_loadu_si128((const __m128i *)d), 3);
}

/* Planes of the 16 bytes at `off` from each of 16 places. */
static __rte_always_inline void
load_planes(const uint8_t *const *p, int off, __m512i plane[4])
{
	__m512i z[4];

#pragma GCC unroll 4
	for (int r = 0; r < 4; r++)
		z[r] = load4(p[r] + off, p[r + 4] + off, p[r + 8] + off, p[r + 12] + off);
	transpose(z, plane);
}

#endif
