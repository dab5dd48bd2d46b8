/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * A team on a virtual clock for the tests of the engine. No EAL.
 */
#ifndef TEST_TEAM_H
#define TEST_TEAM_H

/* cmocka.h needs these first. */
#include <setjmp.h> /* IWYU pragma: keep */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tp_team.h"

#define MS(n) ((uint64_t)(n)*TP_NS_PER_MS)

/* Near the wrap of 32-bit milliseconds, so that no narrow time passes by luck. */
#define T0 MS(UINT32_C(0xfffff000))

struct fixture {
	struct tp_team team;
	struct tp_team_conf conf;
	struct tp_team_actions act;
	uint64_t now;
};

static inline void
fixture_start(struct fixture *f)
{
	char why[128] = "";

	assert_int_equal(tp_team_conf_check(&f->conf, why, sizeof(why)), 0);
	f->now = T0;
	tp_team_init(&f->team, &f->conf, f->now);
}

static inline void
fixture_defaults(struct fixture *f)
{
	tp_team_conf_default(&f->conf);
	f->conf.num_peer_notif = 0;
	f->conf.resend_igmp = 0;
}

/** Member i on port 10 + i, enabled, link down. */
static inline void
add(struct fixture *f, uint8_t i, int32_t prio, uint32_t weight)
{
	const struct tp_member_conf conf = { .prio = prio, .weight = weight };

	assert_int_equal(tp_team_add(&f->team, i, 10 + i, 10, &conf, f->now), 0);
	tp_team_enable(&f->team, i, true, f->now);
}

static inline void
watch(struct fixture *f, uint8_t i, bool up)
{
	tp_team_watch(&f->team, i, up, up ? 10000 : 0, f->now);
}

/** nb members of weight 100 and prio 0, all up. */
static inline void
add_up(struct fixture *f, uint8_t nb)
{
	for (uint8_t i = 0; i < nb; i++) {
		add(f, i, 0, 100);
		watch(f, i, true);
	}
}

static inline uint32_t
poll_at(struct fixture *f, uint64_t now)
{
	f->now = now;
	tp_team_poll(&f->team, now, &f->act);
	return f->act.what;
}

static inline uint32_t
poll_after(struct fixture *f, uint64_t ms)
{
	return poll_at(f, f->now + MS(ms));
}

#endif /* TEST_TEAM_H */
