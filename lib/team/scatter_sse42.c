/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Scatter for CPUs without AVX-512: one comparison finds a member's frames, and a table turns
 * eight bits of that mask into a list of their numbers. Each list is stored over the idle end of
 * the one before it, so that nothing depends on how long a list is: no branch to mispredict, as a
 * loop over set bits has for each member, and no chain of counters in memory, as a counting sort
 * has.
 */

#include <smmintrin.h>

#include <rte_common.h>

#include "scatter_int.h"

#define CHUNK 8
#define NB_HALVES (TP_BURST_MAX / 32)

/* numbers[mask]: which bits are set, in order; zeros behind them. */
alignas(64) static uint8_t numbers[1 << CHUNK][CHUNK];

RTE_INIT(fill_numbers)
{
	for (unsigned int mask = 0; mask < RTE_DIM(numbers); mask++) {
		unsigned int n = 0;

		for (uint8_t bit = 0; bit < CHUNK; bit++)
			if (mask & 1u << bit)
				numbers[mask][n++] = bit;
	}
}

/* Buckets of eight frames. */
static __rte_always_inline __m128i
buckets_of(const uint32_t *hash, __m128i shift)
{
	const __m128i mix = _mm_set1_epi32((int)TP_BUCKET_MIX);
	__m128i lo = _mm_mullo_epi32(_mm_loadu_si128((const __m128i *)hash), mix);
	__m128i hi = _mm_mullo_epi32(_mm_loadu_si128((const __m128i *)(hash + 4)), mix);

	return _mm_packus_epi32(_mm_srl_epi32(lo, shift), _mm_srl_epi32(hi, shift));
}

/* Members of 16 frames. */
static __rte_always_inline __m128i
look_up_16(const uint8_t *map, const uint16_t *bucket)
{
	__m128i lo = _mm_setzero_si128(), hi = lo;

#define INSERT(i)                                                                                  \
	do {                                                                                       \
		lo = _mm_insert_epi8(lo, map[bucket[i]], i);                                       \
		hi = _mm_insert_epi8(hi, map[bucket[8 + i]], i);                                   \
	} while (0)
	INSERT(0);
	INSERT(1);
	INSERT(2);
	INSERT(3);
	INSERT(4);
	INSERT(5);
	INSERT(6);
	INSERT(7);
#undef INSERT
	return _mm_unpacklo_epi64(lo, hi);
}

/* Members of 32 frames, in two registers. */
static __rte_always_inline void
members_of(const uint8_t *map, const uint32_t *hash, __m128i shift, uint16_t *bucket,
                __m128i member[2])
{
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++)
		_mm_storeu_si128((__m128i *)&bucket[8 * i], buckets_of(&hash[8 * i], shift));
	member[0] = look_up_16(map, bucket);
	member[1] = look_up_16(map, bucket + 16);
}

/* Append the frames of `mask`, of those from number `from` on. @return frames in order */
static __rte_always_inline uint32_t
append(uint8_t *order, uint32_t next, uint32_t mask, uint8_t from)
{
#pragma GCC unroll 4
	for (unsigned int c = 0; c < 32 / CHUNK; c++, mask >>= CHUNK) {
		uint8_t eight = (uint8_t)mask;
		__m128i list = _mm_loadl_epi64((const __m128i *)numbers[eight]);

		list = _mm_add_epi8(list, _mm_set1_epi8((char)(from + c * CHUNK)));
		_mm_storel_epi64((__m128i *)&order[next], list);
		next += (uint32_t)__builtin_popcount(eight);
	}
	return next;
}

static __rte_always_inline uint32_t
mask_of(const __m128i member[2], __m128i number)
{
	uint32_t lo = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(member[0], number));
	uint32_t hi = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(member[1], number));

	return lo | hi << 16;
}

/* Sort numbers of frames by member.
 * @param halves a constant: how many times 32 frames there may be
 * @param valid [halves] bits of the frames that are there
 */
static __rte_always_inline void
sort(const __m128i (*member)[2], int halves, const uint32_t *valid, uint16_t nb_pkts,
                uint8_t nb_members, uint8_t *order, struct tp_scatter *out)
{
	const __m128i one = _mm_set1_epi8(1);
	__m128i number = _mm_setzero_si128();
	uint32_t next = 0, mask = 0;

	for (uint8_t i = 0; i < nb_members; i++) {
		uint32_t first = next;

		out->first[i] = (uint16_t)first;
		for (int h = 0; h < halves; h++)
			next = append(order, next, mask_of(member[h], number) & valid[h],
			                (uint8_t)(32 * h));
		mask |= (uint32_t)(next != first) << i;
		number = _mm_add_epi8(number, one);
	}
	for (unsigned int i = nb_members; i < NB_SLOTS; i++)
		out->first[i] = (uint16_t)next;
	out->mask = mask;
	out->first[NB_SLOTS] = nb_pkts;
	if (likely(next == nb_pkts))
		return;
	/* What no member gets. */
	number = _mm_set1_epi8((char)TP_MEMBER_NONE);
	for (int h = 0; h < halves; h++)
		next = append(order, next, mask_of(member[h], number) & valid[h],
		                (uint8_t)(32 * h));
}

/* The pointers that `order` lists. Eight a turn: a loop of few turns ends as predicted. */
static __rte_always_inline void
pick(struct rte_mbuf *const *pkts, const uint8_t *order, uint16_t nb, struct rte_mbuf **to)
{
	uint16_t i = 0;

	for (; i + CHUNK <= nb; i += CHUNK) {
#pragma GCC unroll 8
		for (unsigned int j = 0; j < CHUNK; j++)
			to[i + j] = pkts[order[i + j]];
	}
	for (; i < nb; i++)
		to[i] = pkts[order[i]];
}

void
scatter_sse42(const uint8_t *map, uint32_t nb_buckets, uint8_t nb_members,
                struct rte_mbuf *const *pkts, const uint32_t *hash, uint16_t nb_pkts,
                struct tp_scatter *out)
{
	const __m128i shift = _mm_cvtsi32_si128(32 - (int)rte_bsf32(nb_buckets));
	const uint64_t valid = nb_pkts < 64 ? (UINT64_C(1) << nb_pkts) - 1 : UINT64_MAX;
	const uint32_t half[NB_HALVES] = { (uint32_t)valid, (uint32_t)(valid >> 32) };
	uint8_t order[TP_BURST_MAX + CHUNK];
	__m128i member[NB_HALVES][2];

	members_of(map, hash, shift, out->bucket, member[0]);
	if (nb_pkts <= 32) {
		sort(member, 1, half, nb_pkts, nb_members, order, out);
	} else {
		members_of(map, hash + 32, shift, out->bucket + 32, member[1]);
		sort(member, 2, half, nb_pkts, nb_members, order, out);
	}
	pick(pkts, order, nb_pkts, out->pkts);
}
