/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Toeplitz of ready tuples with AVX-512 and GFNI. */

#include <string.h>

#include "avx512_int.h"

#define LANES 16

/* 12 bytes: 16 tuples are three registers. Word w of tuple i stands at word 3i + w, so each
 * plane takes a lane from each register in turn; the lanes taken never collide.
 */
static __rte_always_inline __m512i
v4_plane(const __m512i z[3], unsigned int w)
{
	/* Register r has word w of a tuple in lanes l with 16r + l = w mod 3. */
	static const uint16_t third[3] = { 0x9249, 0x2492, 0x4924 };
	const __m512i lane3 = _mm512_setr_epi32(
	                0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 42, 45);
	__m512i b = _mm512_mask_blend_epi32(third[(w + 2) % 3], z[0], z[1]);

	b = _mm512_mask_blend_epi32(third[(w + 1) % 3], b, z[2]);
	return _mm512_permutexvar_epi32(_mm512_add_epi32(lane3, _mm512_set1_epi32(w)), b);
}

static __rte_always_inline __m512i
hash16_v4(const struct tp_flow *flow, struct low_bytes low, const uint8_t *tuples)
{
	__m512i z[3], t[3];

#pragma GCC unroll 3
	for (int r = 0; r < 3; r++)
		z[r] = _mm512_loadu_si512(tuples + r * sizeof(__m512i));
#pragma GCC unroll 3
	for (int w = 0; w < 3; w++)
		t[w] = v4_plane(z, w);
	return toeplitz_planes(flow, low, t, 3);
}

static __rte_always_inline __m512i
hash16_v6(const struct tp_flow *flow, struct low_bytes low, const uint8_t *tuples)
{
	const __m512i stride = _mm512_mullo_epi32(_mm512_set1_epi32(36),
	                _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
	__m512i z[2][4], t[9];

#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++)
		z[i / 8][i % 4] = load_half(z[i / 8][i % 4], tuples + 36 * i, i / 4 % 2);
	planes_of_halves(z, t);
	t[8] = _mm512_i32gather_epi32(stride, tuples + 32, 1);
	return toeplitz_planes(flow, low, t, 9);
}

/* Bytes q..q-3 of a tuple, for one group; what would lie before it comes from behind it. */
#define FROM(q) ((q)&63) | (((q)-1) & 63) << 8 | (((q)-2) & 63) << 16 | (((q)-3) & 63) << 24

/* A tuple with zeros behind it. It may just have been put together, and a load that spans stores
 * under way has to wait for all of them: the usual ones are loaded as tuple.c stores them.
 */
static __rte_always_inline __m512i
load_tuple(const uint8_t *tuple, uint16_t len)
{
	const __m128i *p = (const __m128i *)tuple;
	__m512i bytes;

	if (len == 12 || len == 16)
		return _mm512_zextsi128_si512(_mm_set_epi64x(
		                (long long)(len == 12 ? load32(tuple + 8) : load64(tuple + 8)),
		                (long long)load64(tuple)));
	if (len != 36)
		return _mm512_maskz_loadu_epi8(_bzhi_u64(UINT64_MAX, len), tuple);
	bytes = _mm512_zextsi256_si512(_mm256_loadu2_m128i(p + 1, p));
	return _mm512_inserti32x4(bytes, _mm_loadu_si32(p + 2), 2);
}

/* One tuple: a register holds eight windows, one in each group of eight bytes.
 * Window s gets bytes s..s-3, which add to bytes 0..3 of the hash.
 */
static __rte_always_inline uint32_t
hash_one(const struct tp_flow *flow, const uint8_t *tuple, uint16_t len)
{
	const __mmask64 four_each = UINT64_C(0x0f0f0f0f0f0f0f0f);
	const __m512i bytes = load_tuple(tuple, len);
	__m512i from = _mm512_setr_epi64(
	                FROM(0), FROM(1), FROM(2), FROM(3), FROM(4), FROM(5), FROM(6), FROM(7));
	__m512i sum = _mm512_setzero_si512(), windows;
	__m256i half;
	__m128i quarter;

	for (unsigned int s = 0; s < len + 3u; s += 8) {
		windows = _mm512_maskz_permutexvar_epi8(four_each, from, bytes);
		sum = _mm512_xor_si512(
		                sum, _mm512_gf2p8affine_epi64_epi8(windows,
		                                     _mm512_load_si512(&flow->matrix[s]), 0));
		from = _mm512_add_epi8(from, _mm512_set1_epi8(8));
	}
	half = _mm256_xor_si256(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
	quarter = _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
	quarter = _mm_xor_si128(quarter, _mm_unpackhi_epi64(quarter, quarter));
	return __builtin_bswap32((uint32_t)_mm_cvtsi128_si32(quarter));
}

void
flow_toeplitz_avx512(const struct tp_flow *flow, const uint8_t *tuples, uint16_t len, uint16_t nb,
                uint32_t *hash)
{
	const struct low_bytes low = low_bytes();
	uint8_t rest[LANES * 36];
	__m512i h;
	uint16_t i;

	if (nb == 1 || (len != 12 && len != 36)) {
		for (i = 0; i < nb; i++, tuples += len)
			hash[i] = hash_one(flow, tuples, len);
		return;
	}
	for (i = 0; i + LANES <= nb; i += LANES, tuples += LANES * len) {
		h = len == 12 ? hash16_v4(flow, low, tuples) : hash16_v6(flow, low, tuples);
		_mm512_storeu_si512(&hash[i], h);
	}
	if (i == nb)
		return;
	memset(rest, 0, sizeof(rest));
	memcpy(rest, tuples, (size_t)(nb - i) * len);
	h = len == 12 ? hash16_v4(flow, low, rest) : hash16_v6(flow, low, rest);
	_mm512_mask_storeu_epi32(&hash[i], (__mmask16)((1u << (nb - i)) - 1), h);
}
