/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The wheel, by cases and against a model that keeps every deadline in an array. */

#include <errno.h>
#include <stdlib.h>

#include <rte_errno.h>

#include "test_eal.h"
#include "tp_wheel.h"

#define TICK TP_WHEEL_TICK_NS
#define NB_IDS 500
/* Not a multiple of anything, and level 0 is about to wrap. */
#define START (UINT64_C(0x123456789abfff) * 5)

static struct tp_wheel *wheel;
static void *memory;
static uint32_t ids[NB_IDS];

static void
start(uint32_t capacity, uint64_t now)
{
	memory = aligned_alloc(RTE_CACHE_LINE_SIZE,
	                RTE_ALIGN(tp_wheel_size(capacity), RTE_CACHE_LINE_SIZE));
	assert_non_null(memory);
	wheel = tp_wheel_init(memory, capacity, now);
}

static int
teardown(void **state)
{
	(void)state;
	free(memory);
	memory = NULL;
	return 0;
}

/* ---- cases --------------------------------------------------------------------- */

static void
test_size(void **state)
{
	(void)state;
	assert_int_equal(tp_wheel_size(1001) - tp_wheel_size(1000), 16);
	assert_true(tp_wheel_size(0) < 10 * 1024);
}

static void
test_never_early_one_tick_late(void **state)
{
	const uint64_t in[] = { 1, TICK - 1, TICK, TICK + 1, 64 * TICK, 65 * TICK - 1,
		4096 * TICK + 7, TP_NS_PER_S, 3600 * TP_NS_PER_S,
		UINT64_C(86400) * 400 * TP_NS_PER_S };
	uint64_t due;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(in); i++) {
		start(1, START);
		due = START + in[i];
		tp_wheel_arm(wheel, 0, due);
		assert_true(tp_wheel_armed(wheel, 0));
		assert_true(tp_wheel_next(wheel) < due + TICK);
		assert_int_equal(tp_wheel_expire(wheel, due - 1, ids, NB_IDS), 0);
		assert_int_equal(tp_wheel_expire(wheel, due + TICK, ids, NB_IDS), 1);
		assert_int_equal(ids[0], 0);
		assert_false(tp_wheel_armed(wheel, 0));
		assert_int_equal(tp_wheel_next(wheel), TP_NEVER);
		teardown(NULL);
	}
}

static void
test_past_deadline_is_due_at_once(void **state)
{
	(void)state;
	start(2, START);
	tp_wheel_arm(wheel, 1, START - 1000 * TICK);
	tp_wheel_arm(wheel, 0, 0);
	assert_true(tp_wheel_next(wheel) <= START);
	assert_int_equal(tp_wheel_expire(wheel, START, ids, NB_IDS), 2);
}

static void
test_later_deadline_holds(void **state)
{
	(void)state;
	start(1, START);
	tp_wheel_arm(wheel, 0, START + 10 * TICK);
	tp_wheel_arm(wheel, 0, START + 5000 * TICK);
	assert_int_equal(tp_wheel_count(wheel), 1);
	for (uint64_t t = 0; t < 5000; t += 7)
		assert_int_equal(tp_wheel_expire(wheel, START + t * TICK, ids, NB_IDS), 0);
	assert_int_equal(tp_wheel_expire(wheel, START + 5001 * TICK, ids, NB_IDS), 1);
}

static void
test_earlier_deadline_holds(void **state)
{
	(void)state;
	start(2, START);
	tp_wheel_arm(wheel, 1, START + 500000 * TICK);
	tp_wheel_arm(wheel, 0, START + 500000 * TICK);
	tp_wheel_arm(wheel, 0, START + 3 * TICK);
	assert_int_equal(tp_wheel_expire(wheel, START + 4 * TICK, ids, NB_IDS), 1);
	assert_int_equal(ids[0], 0);
	assert_true(tp_wheel_armed(wheel, 1));
}

static void
test_cancel(void **state)
{
	(void)state;
	start(3, START);
	for (uint32_t i = 0; i < 3; i++)
		tp_wheel_arm(wheel, i, START + (i + 1) * TICK);
	tp_wheel_cancel(wheel, 1);
	tp_wheel_cancel(wheel, 1);
	tp_wheel_arm(wheel, 2, TP_NEVER);
	assert_int_equal(tp_wheel_count(wheel), 1);
	assert_false(tp_wheel_armed(wheel, 1));
	assert_int_equal(tp_wheel_expire(wheel, START + TP_NS_PER_S, ids, NB_IDS), 1);
	assert_int_equal(ids[0], 0);
	assert_int_equal(tp_wheel_next(wheel), TP_NEVER);
	tp_wheel_arm(wheel, 1, START + 2 * TP_NS_PER_S);
	assert_int_equal(tp_wheel_expire(wheel, START + 3 * TP_NS_PER_S, ids, NB_IDS), 1);
	assert_int_equal(ids[0], 1);
}

/* However many come due at once, a call takes its share only, and all come. */
static void
test_bounded(void **state)
{
	const uint32_t capacity = 100000;
	uint64_t now = START + 3600 * TP_NS_PER_S;
	uint32_t total = 0, calls = 0, nb;
	bool *seen = calloc(capacity, 1);

	(void)state;
	assert_non_null(seen);
	start(capacity, START);
	for (uint32_t i = 0; i < capacity; i++)
		tp_wheel_arm(wheel, i, START + 1800 * TP_NS_PER_S + i % 3 * TICK);
	while (tp_wheel_next(wheel) <= now) {
		nb = tp_wheel_expire(wheel, now, ids, 100);
		assert_in_range(nb, 0, 100);
		for (uint32_t i = 0; i < nb; i++) {
			assert_false(seen[ids[i]]);
			seen[ids[i]] = true;
		}
		total += nb;
		calls++;
	}
	assert_int_equal(total, capacity);
	assert_int_equal(tp_wheel_count(wheel), 0);
	/* Every entry goes down from level 3 in at most four steps of which 464 are taken a call. */
	assert_in_range(calls, capacity / 100, capacity / 100 * 2);
	free(seen);
}

/* What is armed between two calls that sort a slot in part is not lost and not early. */
static void
test_arm_while_sorting(void **state)
{
	const uint32_t capacity = 5000;
	uint64_t boundary = (START / TICK / 4096 + 1) * 4096 * TICK;
	uint32_t total = 0, calls = 0;

	(void)state;
	start(capacity, START);
	for (uint32_t i = 0; i < capacity - 2; i++)
		tp_wheel_arm(wheel, i, boundary + (2 + i % 4000) * TICK);
	assert_int_equal(tp_wheel_expire(wheel, boundary, ids, 10), 0);
	tp_wheel_arm(wheel, capacity - 1, boundary);
	tp_wheel_arm(wheel, capacity - 2, boundary + 4096 * 64 * TICK);
	assert_true(tp_wheel_next(wheel) <= boundary);
	for (; total == 0 && calls < 1000; calls++)
		total = tp_wheel_expire(wheel, boundary, ids, 10);
	/* A call looks at 104 entries. */
	assert_in_range(calls, (capacity - 2) / 104 - 1, (capacity - 2) / 104 + 1);
	assert_int_equal(total, 1);
	assert_int_equal(ids[0], capacity - 1);
	for (calls = 0; calls < 1000; calls++)
		total += tp_wheel_expire(wheel, boundary + 4002 * TICK, ids, 10);
	assert_int_equal(total, capacity - 1);
	assert_true(tp_wheel_armed(wheel, capacity - 2));
}

static void
test_clock_back(void **state)
{
	(void)state;
	start(1, START);
	tp_wheel_arm(wheel, 0, START + 100 * TICK);
	assert_int_equal(tp_wheel_expire(wheel, START + 50 * TICK, ids, 1), 0);
	assert_int_equal(tp_wheel_expire(wheel, START, ids, 1), 0);
	assert_int_equal(tp_wheel_expire(wheel, START + 101 * TICK, ids, 1), 1);
}

static void
test_create(void **state)
{
	(void)state;
	assert_null(tp_wheel_create(0, SOCKET_ID_ANY, START));
	assert_int_equal(rte_errno, EINVAL);
	assert_null(tp_wheel_create(TP_WHEEL_MAX + 1, SOCKET_ID_ANY, START));
	assert_int_equal(rte_errno, EINVAL);
	assert_null(tp_wheel_create(TP_WHEEL_MAX, SOCKET_ID_ANY, START));
	assert_int_equal(rte_errno, ENOMEM);
	wheel = tp_wheel_create(10, SOCKET_ID_ANY, START);
	assert_non_null(wheel);
	tp_wheel_arm(wheel, 9, START);
	assert_int_equal(tp_wheel_expire(wheel, START + TICK, ids, 1), 1);
	tp_wheel_free(wheel);
}

/* ---- against the model ----------------------------------------------------------- */

struct model {
	uint64_t deadline[NB_IDS]; /* TP_NEVER: not armed */
	uint64_t now;
	uint64_t rng;
};

static uint64_t
draw(struct model *m)
{
	m->rng ^= m->rng << 13;
	m->rng ^= m->rng >> 7;
	m->rng ^= m->rng << 17;
	return m->rng;
}

/* Any order of magnitude is as likely as another, up to weeks. */
static uint64_t
draw_span(struct model *m)
{
	return draw(m) >> (12 + draw(m) % 50);
}

static void
change(struct model *m)
{
	uint32_t id = draw(m) % NB_IDS;
	uint64_t span = draw_span(m);

	switch (draw(m) % 8) {
	case 0:
		m->deadline[id] = TP_NEVER;
		tp_wheel_cancel(wheel, id);
		return;
	case 1:
		m->deadline[id] = m->now - RTE_MIN(span, m->now);
		break;
	default:
		m->deadline[id] = m->now + span;
	}
	tp_wheel_arm(wheel, id, m->deadline[id]);
}

static bool
is_due(const struct model *m, uint32_t id)
{
	return m->deadline[id] != TP_NEVER && (m->deadline[id] + TICK - 1) / TICK <= m->now / TICK;
}

static uint64_t
earliest(const struct model *m, uint32_t *nb)
{
	uint64_t min = TP_NEVER;

	*nb = 0;
	for (uint32_t i = 0; i < NB_IDS; i++) {
		min = RTE_MIN(min, m->deadline[i]);
		*nb += m->deadline[i] != TP_NEVER;
	}
	return min;
}

static void
compare(struct model *m, uint32_t max)
{
	uint64_t next, min;
	uint32_t nb;

	do {
		nb = tp_wheel_expire(wheel, m->now, ids, max);
		for (uint32_t i = 0; i < nb; i++) {
			assert_true(is_due(m, ids[i]));
			m->deadline[ids[i]] = TP_NEVER;
		}
		/* Now and then something changes in the middle. */
		if (draw(m) % 4 == 0)
			change(m);
		next = tp_wheel_next(wheel);
	} while (next <= m->now);
	min = earliest(m, &nb);
	assert_int_equal(tp_wheel_count(wheel), nb);
	assert_true(min == TP_NEVER || next <= min + TICK);
	for (uint32_t i = 0; i < NB_IDS; i++) {
		assert_false(is_due(m, i));
		assert_int_equal(tp_wheel_armed(wheel, i), m->deadline[i] != TP_NEVER);
	}
}

static void
test_model(void **state)
{
	struct model m = { .now = START };

	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		m.rng = seed * UINT64_C(0x9e3779b97f4a7c15);
		m.now = draw(&m) >> (2 + draw(&m) % 40);
		for (uint32_t i = 0; i < NB_IDS; i++)
			m.deadline[i] = TP_NEVER;
		start(NB_IDS, m.now);
		for (int turn = 0; turn < 400; turn++) {
			for (uint32_t n = draw(&m) % 60; n > 0; n--)
				change(&m);
			m.now += draw_span(&m) >> 6;
			compare(&m, 1 + draw(&m) % 50);
		}
		teardown(NULL);
	}
}

/* A hint: of an id with a deadline, one without, and the last one. */
static void
test_prefetch_changes_nothing(void **state)
{
	size_t len = tp_wheel_size(NB_IDS);
	void *before = malloc(len);

	(void)state;
	assert_non_null(before);
	start(NB_IDS, START);
	tp_wheel_arm(wheel, 7, START + 3 * TICK);
	memcpy(before, memory, len);
	tp_wheel_prefetch(wheel, 7);
	tp_wheel_prefetch(wheel, 0);
	tp_wheel_prefetch(wheel, NB_IDS - 1);
	assert_memory_equal(memory, before, len);
	assert_int_equal(tp_wheel_count(wheel), 1);
	free(before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_never_early_one_tick_late),
		cmocka_unit_test_teardown(test_past_deadline_is_due_at_once, teardown),
		cmocka_unit_test_teardown(test_later_deadline_holds, teardown),
		cmocka_unit_test_teardown(test_earlier_deadline_holds, teardown),
		cmocka_unit_test_teardown(test_cancel, teardown),
		cmocka_unit_test_teardown(test_bounded, teardown),
		cmocka_unit_test_teardown(test_arm_while_sorting, teardown),
		cmocka_unit_test_teardown(test_clock_back, teardown),
		cmocka_unit_test_teardown(test_prefetch_changes_nothing, teardown),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
