/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Scatter with AVX-512: buckets, members and the sorted order of the whole burst in registers,
 * one byte for each frame. Each member's frames are found by one comparison; compressing
 * consecutive numbers by that mask lists them, and a rotation puts the list behind those of the
 * members before. Single stores to sorted places would take one cycle each, and more.
 */

#include <immintrin.h>

#include "scatter_int.h"

#define LANES 16

/* Buckets of 32 frames, in order, as words. */
static __rte_always_inline __m512i
buckets_of(const uint32_t *hash, __m128i shift)
{
	const __m512i mix = _mm512_set1_epi32((int)TP_BUCKET_MIX);
	const __m512i in_order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
	__m512i lo = _mm512_mullo_epi32(_mm512_loadu_si512(hash), mix);
	__m512i hi = _mm512_mullo_epi32(_mm512_loadu_si512(hash + LANES), mix);

	lo = _mm512_srl_epi32(lo, shift);
	hi = _mm512_srl_epi32(hi, shift);
	return _mm512_permutexvar_epi64(in_order, _mm512_packus_epi32(lo, hi));
}

/* Members of 64 frames in a map of 256, which fits four registers.
 * @param bucket bytes
 */
static __rte_always_inline __m512i
look_up_256(const uint8_t *map, __m512i bucket)
{
	__m512i lower = _mm512_permutex2var_epi8(
	                _mm512_loadu_si512(map), bucket, _mm512_loadu_si512(map + 64));
	__m512i upper = _mm512_permutex2var_epi8(
	                _mm512_loadu_si512(map + 128), bucket, _mm512_loadu_si512(map + 192));

	return _mm512_mask_blend_epi8(_mm512_movepi8_mask(bucket), lower, upper);
}

/* Members of 16 frames in any map; the three bytes behind each are read, too. */
static __rte_always_inline __m128i
look_up_any(const uint8_t *map, __m256i bucket)
{
	return _mm512_cvtepi32_epi8(_mm512_i32gather_epi32(_mm512_cvtepu16_epi32(bucket), map, 1));
}

static __rte_always_inline __m256i
look_up_32(const uint8_t *map, uint32_t nb_buckets, __m512i bucket)
{
	__m128i lo, hi;

	if (nb_buckets == 256)
		return _mm512_castsi512_si256(look_up_256(
		                map, _mm512_castsi256_si512(_mm512_cvtepi16_epi8(bucket))));
	lo = look_up_any(map, _mm512_castsi512_si256(bucket));
	hi = look_up_any(map, _mm512_extracti64x4_epi64(bucket, 1));
	return _mm256_inserti128_si256(_mm256_castsi128_si256(lo), hi, 1);
}

/* Buckets and members of the burst, bytes in order. */
static __rte_always_inline __m512i
members_of(const uint8_t *map, uint32_t nb_buckets, const uint32_t *hash, uint16_t nb_pkts,
                uint16_t *bucket)
{
	const __m128i shift = _mm_cvtsi32_si128(32 - (int)rte_bsf32(nb_buckets));
	__m512i b = buckets_of(hash, shift);
	__m256i lo = look_up_32(map, nb_buckets, b), hi;

	_mm512_storeu_si512(bucket, b);
	if (nb_pkts <= 2 * LANES)
		return _mm512_castsi256_si512(lo);
	b = buckets_of(hash + 2 * LANES, shift);
	hi = look_up_32(map, nb_buckets, b);
	_mm512_storeu_si512(bucket + 2 * LANES, b);
	return _mm512_inserti64x4(_mm512_castsi256_si512(lo), hi, 1);
}

alignas(64) static const uint8_t rising[TP_BURST_MAX] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
	13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35,
	36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58,
	59, 60, 61, 62, 63 };

/* Put the frames in `lanes` behind the first `next` in order. Bytes not yet in use are zero. */
static __rte_always_inline __m512i
append(__m512i order, __mmask64 lanes, uint16_t next)
{
	const __m512i from_0 = _mm512_load_si512(rising);
	__m512i rotation = _mm512_sub_epi8(from_0, _mm512_set1_epi8((char)next));
	__m512i list = _mm512_maskz_compress_epi8(lanes, from_0);

	return _mm512_or_si512(order, _mm512_permutexvar_epi8(rotation, list));
}

/* Pick eight of 32 pointers by indices. */
static __rte_always_inline __m512i
pick8(const __m512i p[4], __m512i index)
{
	__mmask8 upper = _mm512_test_epi64_mask(index, _mm512_set1_epi64(16));

	return _mm512_mask_blend_epi64(upper, _mm512_permutex2var_epi64(p[0], index, p[1]),
	                _mm512_permutex2var_epi64(p[2], index, p[3]));
}

/* The usual full burst. All loads go before all stores, which may look alike in their low
 * address bits.
 */
static __rte_always_inline void
reorder_32(struct rte_mbuf *const *pkts, __m512i order, struct rte_mbuf **to)
{
	const __m128i lo = _mm512_castsi512_si128(order);
	const __m128i hi = _mm512_extracti32x4_epi32(order, 1);
	__m512i p[4];

#pragma GCC unroll 4
	for (int i = 0; i < 4; i++)
		p[i] = _mm512_loadu_si512(&pkts[8 * i]);
	_mm512_storeu_si512(&to[0], pick8(p, _mm512_cvtepu8_epi64(lo)));
	_mm512_storeu_si512(&to[8], pick8(p, _mm512_cvtepu8_epi64(_mm_unpackhi_epi64(lo, lo))));
	_mm512_storeu_si512(&to[16], pick8(p, _mm512_cvtepu8_epi64(hi)));
	_mm512_storeu_si512(&to[24], pick8(p, _mm512_cvtepu8_epi64(_mm_unpackhi_epi64(hi, hi))));
}

/* Any other. Writes up to seven pointers more than nb; all of them are frames of the burst. */
static __rte_always_inline void
reorder(struct rte_mbuf *const *pkts, __m512i order, uint16_t nb, struct rte_mbuf **to)
{
	alignas(64) uint8_t index[TP_BURST_MAX];
	__m512i eight;

	_mm512_store_si512(index, order);
	for (uint16_t i = 0; i < nb; i += 8) {
		eight = _mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)&index[i]));
		_mm512_storeu_si512(&to[i], _mm512_i64gather_epi64(eight, pkts, sizeof(*pkts)));
	}
}

/* Which members 32 frames have. */
static __rte_always_inline uint32_t
seen_in(__m256i member, __mmask32 valid)
{
	const __m512i one = _mm512_set1_epi32(1);
	__m512i lo = _mm512_cvtepu8_epi32(_mm256_castsi256_si128(member));
	__m512i hi = _mm512_cvtepu8_epi32(_mm256_extracti128_si256(member, 1));

	/* TP_MEMBER_NONE shifts the bit out. */
	lo = _mm512_maskz_sllv_epi32((__mmask16)valid, one, lo);
	hi = _mm512_maskz_sllv_epi32((__mmask16)(valid >> 16), one, hi);
	return (uint32_t)_mm512_reduce_or_epi32(_mm512_or_si512(lo, hi));
}

/* Put frames in order by member, but for those of none.
 * @param first out: where each member's frames begin
 * @return frames in order
 */
static __rte_always_inline uint16_t
sort_64(__m512i member, uint8_t nb_members, __mmask64 valid, __m512i *order, uint16_t *first)
{
	const __m512i one = _mm512_set1_epi8(1);
	__m512i number = _mm512_setzero_si512();
	__mmask64 mine;
	uint16_t next = 0;

	for (uint8_t i = 0; i < nb_members; i++) {
		mine = _mm512_mask_cmpeq_epi8_mask(valid, member, number);
		first[i] = next;
		*order = append(*order, mine, next);
		next += (uint16_t)__builtin_popcountll(mine);
		number = _mm512_add_epi8(number, one);
	}
	return next;
}

/* The same for 32 frames or less: a register has room for them twice, so that one comparison and
 * one list serve two members. Writes one of first[] too many when they are odd.
 */
static __rte_always_inline uint16_t
sort_32(__m512i member, uint8_t nb_members, __mmask64 valid, __m512i *order, uint16_t *first)
{
	const __m512i two = _mm512_set1_epi8(2);
	__m512i number = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi8(1), 1);
	__m512i twice = _mm512_shuffle_i64x2(member, member, 0x44);
	__mmask64 both = valid | valid << 32, mine;
	uint16_t next = 0;

	for (uint8_t i = 0; i < nb_members; i += 2) {
		mine = _mm512_mask_cmpeq_epi8_mask(both, twice, number);
		first[i] = next;
		first[i + 1] = next + (uint16_t)__builtin_popcount((uint32_t)mine);
		*order = append(*order, mine, next);
		next += (uint16_t)__builtin_popcountll(mine);
		number = _mm512_add_epi8(number, two);
	}
	*order = _mm512_and_si512(*order, _mm512_set1_epi8(2 * LANES - 1));
	return next;
}

void
scatter_avx512(const uint8_t *map, uint32_t nb_buckets, uint8_t nb_members,
                struct rte_mbuf *const *pkts, const uint32_t *hash, uint16_t nb_pkts,
                struct tp_scatter *out)
{
	const __mmask64 valid = _bzhi_u64(UINT64_MAX, nb_pkts);
	__m512i member = members_of(map, nb_buckets, hash, nb_pkts, out->bucket);
	uint32_t mask = seen_in(_mm512_castsi512_si256(member), (__mmask32)valid);
	__m512i order = _mm512_setzero_si512();
	__mmask64 none;
	uint16_t next;

	if (nb_pkts <= 2 * LANES) {
		next = sort_32(member, nb_members, valid, &order, out->first);
	} else {
		next = sort_64(member, nb_members, valid, &order, out->first);
		mask |= seen_in(_mm512_extracti64x4_epi64(member, 1), (__mmask32)(valid >> 32));
	}
	/* The rest of first; what is written behind it is written again below. */
	_mm512_storeu_si512(&out->first[nb_members], _mm512_set1_epi16((short)next));
	if (unlikely(next < nb_pkts)) {
		none = _mm512_mask_cmpeq_epi8_mask(
		                valid, member, _mm512_set1_epi8((char)TP_MEMBER_NONE));
		order = append(order, none, next);
	}
	out->first[SLOT_NONE] = next;
	out->first[NB_SLOTS] = nb_pkts;
	out->mask = mask;
	if (nb_pkts == 2 * LANES)
		reorder_32(pkts, order, out->pkts);
	else
		reorder(pkts, order, nb_pkts, out->pkts);
}
