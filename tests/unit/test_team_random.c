/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Random events, with what must hold after each of them. The seed of a failing run is printed;
 * TP_TEST_SEED=N runs that one alone.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_team.h"

#define NB_SEEDS 150
#define NB_EVENTS 300

struct run {
	struct fixture f;
	uint64_t rnd;
	uint64_t trace; /**< of all actions: the same seed gives the same one */
	uint64_t bytes[TP_MAX_BUCKETS];
	uint8_t before[TP_MAX_BUCKETS];
};

static uint32_t
rnd(struct run *r, uint32_t below)
{
	r->rnd = r->rnd * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(r->rnd >> 33) % below;
}

static uint32_t
distributing(const struct tp_team *team)
{
	uint32_t mask = 0;

	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		if (team->member[i].distributing)
			mask |= RTE_BIT32(i);
	return mask;
}

static void
check_members(const struct tp_team *team)
{
	const uint32_t mask = distributing(team);

	if (team->primary == TP_MEMBER_NONE)
		assert_int_equal(mask, 0);
	else
		assert_true(mask & RTE_BIT32(team->primary));
	assert_int_equal(team->carrier,
	                __builtin_popcount(mask) >= (int)RTE_MAX(1u, team->conf.min_links));
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		const struct tp_team_member *m = &team->member[i];

		assert_int_equal(m->distributing, m->used && m->enabled && m->link && !m->fenced);
		assert_int_equal(m->collecting,
		                m->distributing ||
		                                (m->used && m->enabled && !m->fenced &&
		                                                team->conf.mode !=
		                                                                TP_MODE_ACTIVE_BACKUP));
		assert_true(m->used || !m->link);
	}
	for (uint32_t b = 0; b < team->conf.nb_buckets; b++)
		assert_true(mask == 0 ? team->map[b] == TP_MEMBER_NONE
		                      : team->map[b] < TP_MAX_MEMBERS &&
		                                                (mask & RTE_BIT32(team->map[b])));
}

/* In mode load shares are uneven on purpose; else equal weights have equal shares. */
static void
check_balance(const struct tp_team *team)
{
	if (team->conf.mode == TP_MODE_LOAD)
		return;
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		for (uint8_t k = i + 1; k < TP_MAX_MEMBERS; k++) {
			const struct tp_team_member *a = &team->member[i], *b = &team->member[k];

			if (!a->distributing || !b->distributing ||
			                a->conf.weight != b->conf.weight)
				continue;
			assert_in_range(1 + tp_team_nb_buckets_of(team, i) -
			                                tp_team_nb_buckets_of(team, k),
			                0, 2);
		}
}

/* Members that were lost and nobody else: only their buckets moved. */
static void
check_moves(struct run *r, uint32_t before)
{
	const struct tp_team *team = &r->f.team;
	const uint32_t after = distributing(team);
	uint32_t weighted = 0;

	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		if (team->member[i].distributing && team->member[i].conf.weight > 0)
			weighted |= RTE_BIT32(i);
	if (before == after || (after & ~before) != 0)
		return;
	for (uint32_t b = 0; b < team->conf.nb_buckets; b++) {
		const uint8_t was = r->before[b];

		if (was != TP_MEMBER_NONE && (after & RTE_BIT32(was)) != 0)
			assert_int_equal(team->map[b], was);
	}
	if (weighted == 0 || team->conf.mode == TP_MODE_LOAD)
		return;
	for (uint32_t b = 0; b < team->conf.nb_buckets; b++)
		assert_true(weighted & RTE_BIT32(team->map[b]));
}

static void
poll_and_trace(struct run *r)
{
	struct fixture *f = &r->f;

	poll_at(f, f->now);
	r->trace = (r->trace ^ f->act.what ^ (uint64_t)f->act.primary << 32 ^
	                           (uint64_t)f->act.announce << 8 ^ (uint64_t)f->act.changed << 16 ^
	                           f->act.carrier) *
	           UINT64_C(1099511628211);
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		assert_int_equal(
		                f->act.accept[i] != TP_ACCEPT_NONE && !f->team.member[i].collecting,
		                0);
		r->trace = (r->trace ^ f->act.accept[i]) * UINT64_C(1099511628211);
	}
	if (f->act.what & TP_TEAM_ACT_ANNOUNCE)
		assert_int_not_equal(f->act.announce, 0);
	if (f->act.what & TP_TEAM_ACT_REBALANCE) {
		for (uint32_t b = 0; b < f->team.conf.nb_buckets; b++)
			r->bytes[b] = rnd(r, 100000);
		r->trace += tp_team_rebalance(&f->team, r->bytes, NULL, f->now);
	}
}

static void
change_conf(struct run *r)
{
	struct tp_team_conf *conf = &r->f.conf;

	switch (rnd(r, 8)) {
	case 0:
		conf->mode = rnd(r, TP_NB_MODES);
		break;
	case 1:
		conf->nb_buckets = TP_MIN_BUCKETS << rnd(r, 4);
		break;
	case 2:
		conf->primary = rnd(r, 2) ? rnd(r, 8) : TP_MEMBER_NONE;
		break;
	case 3:
		conf->primary_reselect = rnd(r, 3);
		break;
	case 4:
		conf->updelay_ms = rnd(r, 500);
		conf->downdelay_ms = rnd(r, 300);
		break;
	case 5:
		conf->flap_max = rnd(r, 5);
		break;
	case 6:
		conf->num_peer_notif = rnd(r, 4);
		conf->resend_igmp = rnd(r, 4);
		break;
	default:
		conf->min_links = rnd(r, 4);
	}
	assert_int_equal(tp_team_set_conf(&r->f.team, conf, r->f.now), 0);
}

/* @return whether it may move buckets for other reasons than the loss of a member */
static bool
one_event(struct run *r)
{
	struct tp_team *team = &r->f.team;
	const uint8_t i = rnd(r, 8);
	const struct tp_member_conf conf = { .prio = (int32_t)rnd(r, 5) - 2,
		.weight = rnd(r, 3) ? 100 : rnd(r, 3) * 50 };
	const uint32_t what = rnd(r, 20);

	if (what < 8)
		tp_team_watch(team, i, rnd(r, 3) != 0, rnd(r, 3) * 10000, r->f.now);
	else if (what < 10)
		tp_team_add(team, i, rnd(r, 64), rnd(r, 2) ? 10 : 20, &conf, r->f.now);
	else if (what < 11)
		tp_team_del(team, i, r->f.now);
	else if (what < 14)
		tp_team_enable(team, i, rnd(r, 4) != 0, r->f.now);
	else if (what < 16)
		tp_team_fence(team, i, rnd(r, 3) == 0, r->f.now);
	else if (what < 17)
		tp_team_set_member(team, i, &conf, r->f.now);
	else if (what < 18)
		change_conf(r);
	else
		poll_and_trace(r);
	return what >= 16;
}

/* Let all delays pass; the engine must come to rest, or to the rebalancer's beat. */
static void
come_to_rest(struct run *r)
{
	struct tp_team *team = &r->f.team;
	unsigned int turns = 0;

	poll_and_trace(r);
	r->f.conf.mode = TP_MODE_HASH; /* ends the beat */
	assert_int_equal(tp_team_set_conf(team, &r->f.conf, r->f.now), 0);
	for (uint64_t next = tp_team_next(team); next != TP_NEVER; next = tp_team_next(team)) {
		assert_true(next >= r->f.now);
		r->f.now = next;
		poll_and_trace(r);
		assert_true(tp_team_next(team) > r->f.now);
		assert_in_range(++turns, 0, 200);
	}
	check_members(team);
	check_balance(team);
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		assert_int_equal(team->member[i].link,
		                team->member[i].enabled && team->member[i].watch_up);
}

static uint64_t running; /**< seed, 0: none */

static int
tell_seed(void **state)
{
	(void)state;
	if (running != 0)
		printf("to see it again: TP_TEST_SEED=%ju\n", (uintmax_t)running);
	return 0;
}

static uint64_t
run_seed(uint64_t seed)
{
	static struct run r;

	memset(&r, 0, sizeof(r));
	r.rnd = seed;
	fixture_defaults(&r.f);
	r.f.conf.mode = rnd(&r, TP_NB_MODES);
	r.f.conf.nb_buckets = 256;
	fixture_start(&r.f);
	for (int i = 0; i < NB_EVENTS; i++) {
		const uint32_t before = distributing(&r.f.team);
		bool moves;

		memcpy(r.before, r.f.team.map, sizeof(r.before));
		r.f.now += MS(rnd(&r, 100));
		moves = one_event(&r);
		check_members(&r.f.team);
		check_balance(&r.f.team);
		if (!moves)
			check_moves(&r, before);
		assert_true(tp_team_next(&r.f.team) >= r.f.team.now || r.f.team.pending == 0);
	}
	come_to_rest(&r);
	return r.trace;
}

static void
test_random_events(void **state)
{
	const char *only = getenv("TP_TEST_SEED");
	const uint64_t first = only != NULL ? strtoull(only, NULL, 0) : 1;
	const uint64_t last = only != NULL ? first : NB_SEEDS;
	uint64_t differ = 0, trace = 0;

	(void)state;
	for (uint64_t seed = first; seed <= last; seed++) {
		uint64_t again;

		running = seed;
		again = trace;
		trace = run_seed(seed);
		differ |= trace ^ again;
		assert_int_equal(run_seed(seed), trace);
	}
	running = 0;
	assert_int_not_equal(differ, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_random_events, tell_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
