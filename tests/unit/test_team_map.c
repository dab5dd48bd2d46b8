/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <string.h>

#include "test_team.h"

struct counts {
	uint32_t of[TP_MAX_MEMBERS];
	uint32_t none;
};

static struct counts
count(const struct tp_team *team)
{
	struct counts c = { 0 };

	for (uint32_t b = 0; b < team->conf.nb_buckets; b++) {
		if (team->map[b] == TP_MEMBER_NONE)
			c.none++;
		else
			c.of[team->map[b]]++;
	}
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		assert_int_equal(tp_team_nb_buckets_of(team, i), c.of[i]);
	return c;
}

static void
start(struct fixture *f, uint32_t nb_buckets, uint8_t nb_members)
{
	fixture_defaults(f);
	f->conf.nb_buckets = nb_buckets;
	fixture_start(f);
	add_up(f, nb_members);
}

static void
assert_even(const struct tp_team *team, uint32_t mask)
{
	struct counts c = count(team);
	uint32_t min = UINT32_MAX, max = 0;

	assert_int_equal(c.none, 0);
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		if (!(mask & RTE_BIT32(i))) {
			assert_int_equal(c.of[i], 0);
			continue;
		}
		min = RTE_MIN(min, c.of[i]);
		max = RTE_MAX(max, c.of[i]);
	}
	assert_in_range(max - min, 0, 1);
}

static uint32_t
mask_of(uint8_t nb)
{
	return nb == 32 ? UINT32_MAX : RTE_BIT32(nb) - 1;
}

static const uint32_t sizes[] = { 256, 1024, 65536 };
static const uint8_t nb_members[] = { 1, 2, 3, 4, 5, 7, 8, 16, 31, 32 };

static void
test_even_shares_at_every_size(void **state)
{
	static struct fixture f;

	(void)state;
	for (size_t s = 0; s < RTE_DIM(sizes); s++)
		for (size_t n = 0; n < RTE_DIM(nb_members); n++) {
			memset(&f, 0, sizeof(f));
			start(&f, sizes[s], nb_members[n]);
			assert_even(&f.team, mask_of(nb_members[n]));
		}
}

static void
test_nobody_has_nothing(void **state)
{
	static struct fixture f;

	(void)state;
	start(&f, 1024, 0);
	assert_int_equal(count(&f.team).none, 1024);
	add_up(&f, 1);
	assert_int_equal(count(&f.team).of[0], 1024);
	watch(&f, 0, false);
	assert_int_equal(count(&f.team).none, 1024);
}

/* The loss of any one moves its buckets alone, evenly; its return moves at most its fair share,
 * and only to it. */
static void
test_loss_and_return_move_the_least(void **state)
{
	static struct fixture f;
	static uint8_t before[TP_MAX_BUCKETS];

	(void)state;
	for (size_t n = 1; n < RTE_DIM(nb_members); n++) {
		const uint8_t nb = nb_members[n];

		memset(&f, 0, sizeof(f));
		start(&f, 1024, nb);
		for (uint8_t lost = 0; lost < nb; lost++) {
			uint32_t moved = 0;

			memcpy(before, f.team.map, sizeof(before));
			watch(&f, lost, false);
			for (uint32_t b = 0; b < 1024; b++)
				if (before[b] != lost)
					assert_int_equal(f.team.map[b], before[b]);
			assert_even(&f.team, mask_of(nb) & ~RTE_BIT32(lost));

			memcpy(before, f.team.map, sizeof(before));
			watch(&f, lost, true);
			for (uint32_t b = 0; b < 1024; b++) {
				if (f.team.map[b] == before[b])
					continue;
				assert_int_equal(f.team.map[b], lost);
				moved++;
			}
			assert_in_range(moved, 1024 / nb, (1024 + nb - 1) / nb);
			assert_even(&f.team, mask_of(nb));
		}
	}
}

static void
test_weights(void **state)
{
	static const uint32_t weight[] = { 100, 200, 100, 0 };
	const struct tp_member_conf heavy = { .weight = 200 };
	static struct fixture f;
	struct counts c;

	(void)state;
	start(&f, 1024, 0);
	for (uint8_t i = 0; i < 4; i++) {
		add(&f, i, 0, weight[i]);
		watch(&f, i, true);
	}
	c = count(&f.team);
	assert_int_equal(c.of[0], 256);
	assert_int_equal(c.of[1], 512);
	assert_int_equal(c.of[2], 256);
	assert_int_equal(c.of[3], 0);
	poll_at(&f, f.now);
	assert_int_equal(tp_team_set_member(&f.team, 0, &heavy, f.now), 0);
	assert_int_not_equal(poll_at(&f, f.now) & TP_TEAM_ACT_DIST, 0);
	c = count(&f.team);
	assert_in_range(c.of[0], 409, 410);
	assert_in_range(c.of[1], 409, 410);
	assert_in_range(c.of[2], 204, 205);
}

static void
test_weight_zero_only_if_nobody_else(void **state)
{
	static struct fixture f;

	(void)state;
	start(&f, 1024, 0);
	add(&f, 0, 0, 0);
	add(&f, 1, 0, 0);
	add(&f, 2, 0, 50);
	watch(&f, 0, true);
	watch(&f, 1, true);
	assert_even(&f.team, 0x3);
	watch(&f, 2, true);
	assert_even(&f.team, 0x4);
	watch(&f, 2, false);
	assert_even(&f.team, 0x3);
}

/* In mode load the shares are uneven on purpose; the same promises hold. */
static void
test_load_keeps_what_the_rebalancer_did(void **state)
{
	static struct fixture f;
	static uint8_t before[TP_MAX_BUCKETS];
	uint32_t moved = 0;

	(void)state;
	fixture_defaults(&f);
	f.conf.mode = TP_MODE_LOAD;
	fixture_start(&f);
	add_up(&f, 4);
	for (uint32_t b = 0; b < 1024; b++)
		f.team.map[b] = b < 700 ? 0 : 1 + b % 3;
	memcpy(before, f.team.map, sizeof(before));
	watch(&f, 3, false);
	for (uint32_t b = 0; b < 1024; b++)
		if (before[b] != 3)
			assert_int_equal(f.team.map[b], before[b]);
	assert_int_equal(count(&f.team).of[0], 700); /* the orphans went to the others */
	memcpy(before, f.team.map, sizeof(before));
	watch(&f, 3, true);
	for (uint32_t b = 0; b < 1024; b++) {
		if (f.team.map[b] == before[b])
			continue;
		assert_int_equal(before[b], 0); /* from who has the most */
		assert_int_equal(f.team.map[b], 3);
		moved++;
	}
	assert_int_equal(moved, 256);
	f.conf.mode = TP_MODE_HASH;
	assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
	assert_even(&f.team, 0xf);
}

/* Twice as many buckets: each flow stays, but for what evens the shares. */
static void
test_number_of_buckets_changes(void **state)
{
	static struct fixture f;
	static struct tp_team old;
	uint32_t moved = 0;

	(void)state;
	start(&f, 256, 3);
	old = f.team;
	f.conf.nb_buckets = 4096;
	assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
	assert_even(&f.team, 0x7);
	for (uint32_t hash = 1, i = 0; i < 100000; i++, hash = hash * 1664525 + 1013904223)
		moved += old.map[tp_bucket_of(hash, 256)] != f.team.map[tp_bucket_of(hash, 4096)];
	assert_in_range(moved, 0, 100000 / 256);
	f.conf.nb_buckets = 256;
	assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
	assert_even(&f.team, 0x7);
	for (uint32_t b = 0, same = 0; b < 256; b++) {
		same += f.team.map[b] == old.map[b];
		if (b == 255)
			assert_in_range(same, 250, 256);
	}
	for (uint32_t b = 256; b < TP_MAX_BUCKETS; b++)
		assert_int_equal(f.team.map[b], TP_MEMBER_NONE);
}

static void
test_bucket_of_spreads_weak_hashes(void **state)
{
	static const uint32_t step[] = { 1, 2, 4, 256, 65536, 1 << 22 };

	(void)state;
	for (size_t s = 0; s < RTE_DIM(step); s++) {
		uint32_t hit[256] = { 0 }, worst = 0;

		for (uint32_t i = 0; i < 1024; i++) {
			const uint32_t b = tp_bucket_of(i * step[s], 256);

			assert_in_range(b, 0, 255);
			worst = RTE_MAX(worst, ++hit[b]);
		}
		assert_in_range(worst, 4, 16);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_even_shares_at_every_size),
		cmocka_unit_test(test_nobody_has_nothing),
		cmocka_unit_test(test_loss_and_return_move_the_least),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_weight_zero_only_if_nobody_else),
		cmocka_unit_test(test_load_keeps_what_the_rebalancer_did),
		cmocka_unit_test(test_number_of_buckets_changes),
		cmocka_unit_test(test_bucket_of_spreads_weak_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
