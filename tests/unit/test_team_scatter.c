/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Scatter is a stable partition of the burst by what the map says. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_random.h>

#include "test_eal.h"
#include "tp_team.h"

#define MAP_SLACK 64

/* Addresses only; scatter looks at no mbuf. */
static struct rte_mbuf frames[TP_BURST_MAX];

struct scene {
	uint8_t *map; /* [nb_buckets], in a block of its own so that ASan sees over-reads */
	uint32_t nb_buckets;
	uint8_t nb_members;
	uint16_t nb_pkts;
	struct rte_mbuf *pkts[TP_BURST_MAX];
	uint32_t hash[TP_BURST_MAX];
	struct tp_scatter out;
};

static void
scene_make(struct scene *s, uint32_t nb_buckets, uint8_t nb_members, unsigned int none_percent)
{
	s->nb_buckets = nb_buckets;
	s->nb_members = nb_members;
	s->map = malloc(nb_buckets + MAP_SLACK);
	memset(s->map, 0xee, nb_buckets + MAP_SLACK);
	for (uint32_t b = 0; b < nb_buckets; b++)
		s->map[b] = rte_rand() % 100 < none_percent ? TP_MEMBER_NONE
		                                            : rte_rand() % nb_members;
}

static void
scene_fill(struct scene *s, uint16_t nb_pkts)
{
	s->nb_pkts = nb_pkts;
	for (unsigned int i = 0; i < TP_BURST_MAX; i++) {
		s->pkts[i] = &frames[i];
		s->hash[i] = (uint32_t)rte_rand();
	}
	memset(&s->out, 0xa5, sizeof(s->out));
	tp_team_scatter(s->map, s->nb_buckets, s->nb_members, s->pkts, s->hash, nb_pkts, &s->out);
}

/* The definition, written down a second time. */
static void
scene_check(const struct scene *s)
{
	const struct tp_scatter *out = &s->out;
	uint16_t pos = 0;

	for (unsigned int slot = 0; slot <= TP_MAX_MEMBERS; slot++) {
		uint8_t member = slot == TP_MAX_MEMBERS ? TP_MEMBER_NONE : slot;

		assert_int_equal(out->first[slot], pos);
		for (uint16_t i = 0; i < s->nb_pkts; i++) {
			uint32_t bucket = tp_bucket_of(s->hash[i], s->nb_buckets);

			assert_int_equal(out->bucket[i], bucket);
			if (s->map[bucket] == member)
				assert_ptr_equal(out->pkts[pos++], s->pkts[i]);
		}
		if (slot < TP_MAX_MEMBERS)
			assert_int_equal(out->mask >> slot & 1, pos > out->first[slot]);
	}
	assert_int_equal(out->first[TP_MAX_MEMBERS + 1], pos);
	assert_int_equal(pos, s->nb_pkts);
}

static void
check_partition(void)
{
	static const uint32_t sizes[] = { 256, 512, 1024, 4096, 65536 };
	static const unsigned int nones[] = { 0, 0, 10, 100 };
	struct scene s;

	for (size_t z = 0; z < RTE_DIM(sizes); z++) {
		for (unsigned int round = 0; round < 4 * TP_MAX_MEMBERS; round++) {
			scene_make(&s, sizes[z], 1 + round % TP_MAX_MEMBERS,
			                nones[round / TP_MAX_MEMBERS]);
			for (uint16_t nb = 0; nb <= TP_BURST_MAX; nb++) {
				scene_fill(&s, nb);
				scene_check(&s);
			}
			free(s.map);
		}
	}
}

static void
partition_is_stable(void **state)
{
	(void)state;
	for (unsigned int isa = 0; isa < TP_FLOW_NB_ISAS; isa++) {
		int rc = tp_team_scatter_isa(isa);

		if (rc == 0) {
			check_partition();
			continue;
		}
		assert_int_equal(rc, -ENOTSUP);
		assert_false(tp_flow_isa_supported(isa));
		print_message("skipped: no %s on this CPU\n", tp_flow_isa_name(isa));
	}
	assert_int_equal(tp_team_scatter_isa(TP_FLOW_ISA_BEST), 0);
	assert_int_equal(tp_team_scatter_isa(TP_FLOW_ISA_BEST + 1), -EINVAL);
}

static void
bucket_stays_below_count(void **state)
{
	(void)state;
	for (uint32_t nb = TP_MIN_BUCKETS; nb <= TP_MAX_BUCKETS; nb *= 2)
		for (int i = 0; i < 10000; i++)
			assert_in_range(tp_bucket_of((uint32_t)rte_rand(), nb), 0, nb - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(partition_is_stable),
		cmocka_unit_test(bucket_stays_below_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
