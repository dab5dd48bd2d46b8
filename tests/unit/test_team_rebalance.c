/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "test_team.h"

#define NB 1024

static struct fixture f;
static uint64_t bytes[NB];

static int
setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	memset(bytes, 0, sizeof(bytes));
	fixture_defaults(&f);
	f.conf.mode = TP_MODE_LOAD;
	fixture_start(&f);
	add_up(&f, 4);
	poll_at(&f, f.now);
	return 0;
}

static uint64_t
load_of(uint8_t member)
{
	uint64_t load = 0;

	for (uint32_t b = 0; b < NB; b++)
		if (f.team.map[b] == member)
			load += bytes[b];
	return load;
}

static void
own(uint32_t bucket, uint8_t member, uint64_t nb_bytes)
{
	f.team.map[bucket] = member;
	bytes[bucket] = nb_bytes;
}

/* All buckets to one member, without bytes: tests place what counts. */
static void
clear_map(uint8_t member)
{
	memset(f.team.map, member, NB);
}

static uint32_t
rebalance(void)
{
	return tp_team_rebalance(&f.team, bytes, NULL, f.now);
}

static void
test_even_load_is_left_alone(void **state)
{
	(void)state;
	for (uint32_t b = 0; b < NB; b++)
		bytes[b] = 10000;
	assert_int_equal(rebalance(), 0);
	assert_int_equal(poll_after(&f, 0) & TP_TEAM_ACT_DIST, 0);
}

static void
test_only_in_mode_load_with_members(void **state)
{
	(void)state;
	clear_map(0);
	for (uint32_t b = 0; b < NB; b++)
		bytes[b] = 10000;
	f.team.conf.mode = TP_MODE_HASH;
	assert_int_equal(rebalance(), 0);
	f.team.conf.mode = TP_MODE_LOAD;
	for (uint8_t i = 0; i < 4; i++)
		watch(&f, i, false);
	assert_int_equal(rebalance(), 0);
}

static void
test_the_fewest_moves(void **state)
{
	(void)state;
	clear_map(3);
	/* 0: 40+20+30, 1: 30, 2: 30+... : one move of 30 from 0 would do less than 20 to 3. */
	own(0, 0, 400000);
	own(1, 0, 200000);
	for (uint32_t b = 2; b < 102; b++)
		own(b, 0, 1000);
	own(200, 1, 500000);
	own(300, 2, 500000);
	own(400, 3, 300000);
	assert_int_equal(rebalance(), 1); /* the 200000, not two hundred small ones */
	assert_int_equal(f.team.map[1], 3);
	assert_int_equal(load_of(0), 500000);
	assert_int_not_equal(poll_after(&f, 0) & TP_TEAM_ACT_DIST, 0);
	assert_int_equal(rebalance(), 0);
}

static void
test_within_the_threshold_nothing_moves(void **state)
{
	(void)state;
	clear_map(3);
	for (uint8_t i = 0; i < 4; i++)
		for (uint32_t b = 0; b < 100; b++)
			own(100 * i + b, i, 1000);
	bytes[0] += 3900; /* 3 % above a mean of 100975 is 104004 */
	assert_int_equal(rebalance(), 0);
	bytes[0] += 300;
	assert_int_not_equal(rebalance(), 0);
}

static void
test_a_bucket_above_the_mean_stays_alone(void **state)
{
	(void)state;
	for (uint32_t b = 0; b < NB; b++)
		own(b, b % 4, b % 4 == 1 ? 2000 : 1000);
	bytes[0] = 2000000;
	for (int i = 0; i < 20; i++)
		rebalance();
	assert_int_equal(f.team.map[0], 0);
	assert_int_equal(load_of(0), 2000000);
	for (uint8_t i = 1; i < 4; i++) /* and the others share the rest */
		assert_in_range(load_of(i), 426333 * 98 / 100, 426333 * 102 / 100);
	assert_int_equal(rebalance(), 0);
	/* Also when nothing is left to take from it. */
	for (uint32_t b = 0; b < NB; b++)
		if (f.team.map[b] != 0)
			f.team.map[b] = 1;
	for (int i = 0; i < 30; i++)
		rebalance();
	assert_int_equal(load_of(0), 2000000);
	for (uint8_t i = 1; i < 4; i++)
		assert_in_range(load_of(i), 426333 * 98 / 100, 426333 * 102 / 100);
}

static void
test_capacity_is_speed_times_weight(void **state)
{
	const struct tp_member_conf half = { .weight = 50 };

	(void)state;
	tp_team_watch(&f.team, 0, true, 40000, f.now); /* 4 : 1 : 1/2 : 1 of unknown speed */
	assert_int_equal(tp_team_set_member(&f.team, 2, &half, f.now), 0);
	tp_team_watch(&f.team, 3, true, 0, f.now);
	for (uint32_t b = 0; b < NB; b++)
		bytes[b] = 10000;
	for (int i = 0; i < 30; i++)
		rebalance();
	for (uint8_t i = 0; i < 4; i++) {
		const double share[] = { 4 / 6.5, 1 / 6.5, 0.5 / 6.5, 1 / 6.5 };

		assert_in_range(load_of(i), share[i] * NB * 10000 * 0.96,
		                share[i] * NB * 10000 * 1.04);
	}
}

static void
test_noise_of_an_idle_team_moves_nothing(void **state)
{
	(void)state;
	clear_map(0);
	for (uint32_t b = 0; b < 10; b++)
		bytes[b] = 1400;
	assert_int_equal(rebalance(), 0);
	bytes[10] = 1400;
	assert_int_not_equal(rebalance(), 0);
}

static double
worst(void)
{
	uint64_t max = 0, sum = 0;

	for (uint8_t i = 0; i < 4; i++) {
		max = RTE_MAX(max, load_of(i));
		sum += load_of(i);
	}
	return 4.0 * max / sum;
}

/* Would any one move of the fullest member's buckets make the fullest one clearly less full? */
static bool
can_be_better(void)
{
	uint8_t full = 0, empty = 0;

	for (uint8_t i = 1; i < 4; i++) {
		full = load_of(i) > load_of(full) ? i : full;
		empty = load_of(i) < load_of(empty) ? i : empty;
	}
	for (uint32_t b = 0; b < NB; b++)
		if (f.team.map[b] == full && load_of(empty) + bytes[b] < load_of(full) * 99 / 100)
			return true;
	return false;
}

/* Each call lowers the maximum or does nothing, and it ends: no oscillation. */
static void
test_random_loads_settle(void **state)
{
	unsigned int uneven = 0;

	(void)state;
	for (unsigned int seed = 1; seed <= 200; seed++) {
		double before, after;
		int calls = 0;

		srand(seed);
		for (uint32_t b = 0; b < NB; b++) {
			f.team.map[b] = rand() % (seed % 2 ? 4 : 2);
			bytes[b] = 1000000 / (1 + rand() % 1000);
		}
		after = worst();
		do {
			before = after;
			if (rebalance() == 0)
				break;
			after = worst();
			if (after >= before)
				fail_msg("seed %u: %f -> %f", seed, before, after);
		} while (++calls < 100);
		if (calls == 100)
			fail_msg("seed %u does not settle", seed);
		if (worst() > 1.03) {
			uneven++;
			if (can_be_better())
				fail_msg("seed %u: stops at %f", seed, worst());
		}
		assert_int_equal(rebalance(), 0);
	}
	assert_in_range(uneven, 0, 4); /* a few cannot be helped without exchanging buckets */
}

static void
test_moves_that_do_not_happen_are_given_up(void **state)
{
	uint8_t actual[NB];
	int tries = 0;

	(void)state;
	clear_map(3);
	own(0, 0, 600000); /* never idle, nor is the next one */
	own(1, 0, 500000);
	own(2, 0, 100000);
	own(200, 1, 700000);
	own(300, 2, 700000);
	own(400, 3, 200000);
	memcpy(actual, f.team.map, NB);
	assert_int_equal(tp_team_rebalance(&f.team, bytes, actual, f.now), 1);
	assert_int_equal(f.team.map[1], 3);
	for (int i = 0; i < 100; i++) {
		poll_after(&f, 100);
		memcpy(actual + 2, f.team.map + 2, NB - 2);
		tries += f.team.map[1] != 0;
		tp_team_rebalance(&f.team, bytes, actual, f.now);
		if (i == 0) {
			assert_int_equal(f.team.map[1], 0); /* back, and others are tried */
			assert_int_not_equal(poll_after(&f, 0) & TP_TEAM_ACT_DIST, 0);
		}
	}
	assert_int_equal(f.team.map[2], 3);
	assert_in_range(tries, 2, 6); /* it gets another chance, but not all the time */
}

static void
test_a_dead_members_buckets_are_not_given_back(void **state)
{
	uint8_t actual[NB];

	(void)state;
	memcpy(actual, f.team.map, NB);
	watch(&f, 0, false);
	assert_int_equal(tp_team_rebalance(&f.team, bytes, actual, f.now), 0);
	assert_int_equal(tp_team_nb_buckets_of(&f.team, 0), 0);
}

/* Rebalance until nothing moves, as control does each interval. */
static void
settle(void)
{
	int calls = 0;

	while (rebalance() > 0)
		assert_in_range(++calls, 1, 100);
}

/* Most and least load of the members that are up, as a ratio. */
static double
unevenness(unsigned int nb_up)
{
	uint64_t most = 0, least = UINT64_MAX;
	unsigned int n = 0;

	for (uint8_t i = 0; i < 4; i++) {
		if (!f.team.member[i].distributing)
			continue;
		most = RTE_MAX(most, load_of(i));
		least = RTE_MIN(least, load_of(i));
		n++;
	}
	assert_int_equal(n, nb_up);
	return (double)most / least;
}

/* What Open vSwitch asks of its bonds: load is even again after each change of a link, whose buckets
 * go by number and know nothing of bytes.
 */
static void
test_even_again_after_links_change(void **state)
{
	static const struct {
		uint8_t member;
		bool up;
		unsigned int nb_up;
	} changes[] = { { 1, false, 3 }, { 3, false, 2 }, { 1, true, 3 }, { 3, true, 4 },
		{ 0, false, 3 }, { 0, true, 4 } };
	unsigned int uneven = 0;

	(void)state;
	for (uint32_t b = 0; b < NB; b++)
		bytes[b] = 1000000 / (1 + b * 7 % 1000);
	settle();
	for (unsigned int i = 0; i < RTE_DIM(changes); i++) {
		watch(&f, changes[i].member, changes[i].up);
		poll_after(&f, 1000);
		uneven += unevenness(changes[i].nb_up) > 1.1;
		settle();
		if (unevenness(changes[i].nb_up) > 1.06)
			fail_msg("change %u: %f", i, unevenness(changes[i].nb_up));
		if (!changes[i].up)
			assert_int_equal(load_of(changes[i].member), 0);
	}
	assert_int_not_equal(uneven, 0); /* else there was nothing to do */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_even_again_after_links_change, setup),
		cmocka_unit_test_setup(test_even_load_is_left_alone, setup),
		cmocka_unit_test_setup(test_only_in_mode_load_with_members, setup),
		cmocka_unit_test_setup(test_the_fewest_moves, setup),
		cmocka_unit_test_setup(test_within_the_threshold_nothing_moves, setup),
		cmocka_unit_test_setup(test_a_bucket_above_the_mean_stays_alone, setup),
		cmocka_unit_test_setup(test_capacity_is_speed_times_weight, setup),
		cmocka_unit_test_setup(test_noise_of_an_idle_team_moves_nothing, setup),
		cmocka_unit_test_setup(test_random_loads_settle, setup),
		cmocka_unit_test_setup(test_moves_that_do_not_happen_are_given_up, setup),
		cmocka_unit_test_setup(test_a_dead_members_buckets_are_not_given_back, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
