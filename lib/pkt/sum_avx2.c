/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <immintrin.h>

#include <rte_ip.h>

#include "pkt_int.h"

/* Lanes of 32 bits take so many sums of two 16-bit words without a carry. */
#define MAX_LEN (32u * 1024 * 32)

static uint64_t
sum_lanes(__m256i v)
{
	const __m256i low = _mm256_set1_epi64x(UINT32_MAX);
	uint64_t lane[4];

	v = _mm256_add_epi64(_mm256_and_si256(v, low), _mm256_srli_epi64(v, 32));
	_mm256_storeu_si256((__m256i *)lane, v);
	return lane[0] + lane[1] + lane[2] + lane[3];
}

/* The even words of a vector in its 32-bit lanes, plus the odd ones. */
static inline __m256i
words(__m256i v)
{
	return _mm256_add_epi32(
	                _mm256_and_si256(v, _mm256_set1_epi32(0xffff)), _mm256_srli_epi32(v, 16));
}

uint16_t
pkt_sum_avx2(const void *data, uint32_t len)
{
	__m256i acc[2] = { _mm256_setzero_si256(), _mm256_setzero_si256() };
	const __m256i *v = data;
	uint64_t sum;

	assert(len <= MAX_LEN);
	for (; len >= 2 * sizeof(*v); v += 2, len -= 2 * sizeof(*v)) {
		acc[0] = _mm256_add_epi32(acc[0], words(_mm256_loadu_si256(v)));
		acc[1] = _mm256_add_epi32(acc[1], words(_mm256_loadu_si256(v + 1)));
	}
	sum = sum_lanes(acc[0]) + sum_lanes(acc[1]) + rte_raw_cksum(v, len);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (sum & UINT16_MAX) + (sum >> 16);
}
