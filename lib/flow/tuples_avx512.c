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

void
flow_toeplitz_avx512(const struct tp_flow *flow, const uint8_t *tuples, uint16_t len, uint16_t nb,
                uint32_t *hash)
{
	const struct low_bytes low = low_bytes();
	uint8_t rest[LANES * 36];
	__m512i h;
	uint16_t i;

	if (len != 12 && len != 36) {
		flow_toeplitz_scalar(flow, tuples, len, nb, hash);
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
