/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Toeplitz of ready tuples with AVX2: eight at a time, one in each lane of 32 bits, by the same
 * windows as avx512_int.h describes. In place of a matrix each window has two tables of 16
 * entries, one for the low and one for the high half of a byte, and PSHUFB looks 32 bytes up at
 * a time.
 */

#include <immintrin.h>
#include <string.h>

#include "flow_int.h"

#define LANES 8

/* 32 bits of eight tuples, split into half bytes. */
struct halves {
	__m256i low, high;
};

static __rte_always_inline struct halves
split(__m256i words)
{
	const __m256i nibble = _mm256_set1_epi8(0x0f);

	return (struct halves){ _mm256_and_si256(words, nibble),
		_mm256_and_si256(_mm256_srli_epi32(words, 4), nibble) };
}

static __rte_always_inline __m256i
keep(__m256i words, uint32_t bytes)
{
	return _mm256_and_si256(words, _mm256_set1_epi32((int)bytes));
}

/* Bytes 0..o-1 of b, the others of a. */
static __rte_always_inline __m256i
blend(__m256i a, __m256i b, int o)
{
	const uint32_t low = (1u << 8 * o) - 1;

	if (o == 2)
		return _mm256_blend_epi16(a, b, 0x55);
	return _mm256_or_si256(keep(a, ~low), keep(b, low));
}

/* Sum up what a window adds. */
static __rte_always_inline __m256i
look_up(const struct tp_flow *flow, __m256i sum, struct halves x, int window)
{
	const uint8_t(*table)[16] = flow->nibble[window];
	__m256i low = _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)table[0]));
	__m256i high = _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)table[1]));

	sum = _mm256_xor_si256(sum, _mm256_shuffle_epi8(low, x.low));
	return _mm256_xor_si256(sum, _mm256_shuffle_epi8(high, x.high));
}

/* All windows of one misalignment o = 1..3, each byte left where it stood. */
static __rte_always_inline __m256i
windows(const struct tp_flow *flow, const struct halves *t, int n, int o)
{
	const uint32_t low = (1u << 8 * o) - 1;
	struct halves x = { keep(t[0].low, low), keep(t[0].high, low) };
	__m256i sum = look_up(flow, _mm256_setzero_si256(), x, o - 1);

#pragma GCC unroll 8
	for (int w = 0; w + 1 < n; w++) {
		x.low = blend(t[w].low, t[w + 1].low, o);
		x.high = blend(t[w].high, t[w + 1].high, o);
		sum = look_up(flow, sum, x, 4 * w + o + 3);
	}
	x.low = keep(t[n - 1].low, ~low);
	x.high = keep(t[n - 1].high, ~low);
	return look_up(flow, sum, x, 4 * (n - 1) + o + 3);
}

/* Rotate each word to the right by o bytes. */
static __rte_always_inline __m256i
rotate(__m256i words, int o)
{
	return _mm256_or_si256(
	                _mm256_srli_epi32(words, 8 * o), _mm256_slli_epi32(words, 32 - 8 * o));
}

/* @param t [n] planes
 * @return hashes, in the order of the lanes
 */
static __rte_always_inline __m256i
toeplitz_planes(const struct tp_flow *flow, const __m256i *planes, int n)
{
	struct halves t[9];
	__m256i sum = _mm256_setzero_si256();

#pragma GCC unroll 9
	for (int w = 0; w < n; w++)
		t[w] = split(planes[w]);
#pragma GCC unroll 9
	for (int w = 0; w < n; w++)
		sum = look_up(flow, sum, t[w], 4 * w + 3);
#pragma GCC unroll 3
	for (int o = 1; o < 4; o++)
		sum = _mm256_xor_si256(sum, rotate(windows(flow, t, n, o), o));
	return sum;
}

/* Transpose 4x4 words within each half of four registers. */
static __rte_always_inline void
transpose(const __m256i z[4], __m256i out[4])
{
	__m256i lo01 = _mm256_unpacklo_epi32(z[0], z[1]);
	__m256i lo23 = _mm256_unpacklo_epi32(z[2], z[3]);
	__m256i hi01 = _mm256_unpackhi_epi32(z[0], z[1]);
	__m256i hi23 = _mm256_unpackhi_epi32(z[2], z[3]);

	out[0] = _mm256_unpacklo_epi64(lo01, lo23);
	out[1] = _mm256_unpackhi_epi64(lo01, lo23);
	out[2] = _mm256_unpacklo_epi64(hi01, hi23);
	out[3] = _mm256_unpackhi_epi64(hi01, hi23);
}

/* Planes of 16 bytes from each of eight tuples: register r has tuples r and r+4. */
static __rte_always_inline void
load_planes(const uint8_t *tuples, uint16_t len, __m256i plane[4])
{
	__m256i z[4];

#pragma GCC unroll 4
	for (int r = 0; r < 4; r++)
		z[r] = _mm256_loadu2_m128i((const __m128i *)(tuples + (r + 4) * len),
		                (const __m128i *)(tuples + r * len));
	transpose(z, plane);
}

/* Eight tuples of 12 bytes; reads four bytes more. */
static __rte_always_inline __m256i
hash8_v4(const struct tp_flow *flow, const uint8_t *tuples)
{
	__m256i t[4];

	load_planes(tuples, 12, t);
	return toeplitz_planes(flow, t, 3);
}

static __rte_always_inline __m256i
hash8_v6(const struct tp_flow *flow, const uint8_t *tuples)
{
	const __m256i stride = _mm256_setr_epi32(0, 36, 72, 108, 144, 180, 216, 252);
	__m256i t[9];

	load_planes(tuples, 36, &t[0]);
	load_planes(tuples + 16, 36, &t[4]);
	t[8] = _mm256_i32gather_epi32((const int *)(tuples + 32), stride, 1);
	return toeplitz_planes(flow, t, 9);
}

void
flow_toeplitz_avx2(const struct tp_flow *flow, const uint8_t *tuples, uint16_t len, uint16_t nb,
                uint32_t *hash)
{
	uint8_t rest[LANES * 36 + 4];
	uint32_t last[LANES];
	__m256i h;
	uint16_t i;

	if (len != 12 && len != 36) {
		flow_toeplitz_scalar(flow, tuples, len, nb, hash);
		return;
	}
	/* The last eight go through a copy, so that nothing behind the tuples is read. */
	for (i = 0; i + LANES < nb; i += LANES, tuples += LANES * len) {
		h = len == 12 ? hash8_v4(flow, tuples) : hash8_v6(flow, tuples);
		_mm256_storeu_si256((__m256i *)&hash[i], h);
	}
	memset(rest, 0, sizeof(rest));
	memcpy(rest, tuples, (size_t)(nb - i) * len);
	h = len == 12 ? hash8_v4(flow, rest) : hash8_v6(flow, rest);
	_mm256_storeu_si256((__m256i *)last, h);
	memcpy(&hash[i], last, (nb - i) * sizeof(*hash));
}
