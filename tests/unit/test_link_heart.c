/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Hung is not descheduled: the decision, the watch, and reading real threads. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "test_link.h"

#define MS TP_NS_PER_MS
#define DEADLINE (50 * MS)

/* ---- the decision ------------------------------------------------------------ */

static void
test_beats_while_the_counter_moves(void **state)
{
	struct tp_link_heart h = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(tp_link_heart_check(&h, UINT64_MAX - 50 + i, 0, true, i * 100 * MS,
		                                 DEADLINE),
		                TP_LINK_BEATS);
}

/* Standing still at t = 0; one look each 10 ms, in which the thread used cpu_ms. */
static enum tp_link_pulse
stand_still(unsigned int looks, unsigned int cpu_ms, bool blocked)
{
	struct tp_link_heart h = { 0 };
	enum tp_link_pulse pulse = TP_LINK_BEATS;

	tp_link_heart_check(&h, 7, 0, false, 0, DEADLINE);
	for (unsigned int i = 0; i < looks; i++)
		pulse = tp_link_heart_check(
		                &h, 7, (1000 + i * cpu_ms) * MS, blocked, i * 10 * MS, DEADLINE);
	return pulse;
}

static void
test_spinning_loop_is_hung_after_the_deadline(void **state)
{
	(void)state;
	assert_int_equal(stand_still(5, 10, false), TP_LINK_STILL);
	assert_int_equal(stand_still(6, 10, false), TP_LINK_HUNG);
}

static void
test_descheduled_loop_is_never_hung(void **state)
{
	(void)state;
	assert_int_equal(stand_still(6, 0, false), TP_LINK_STILL);
	assert_int_equal(stand_still(1000, 0, false), TP_LINK_STILL);
	/* With half a CPU it takes twice as long. */
	assert_int_equal(stand_still(10, 5, false), TP_LINK_STILL);
	assert_int_equal(stand_still(11, 5, false), TP_LINK_HUNG);
}

static void
test_blocked_loop_is_hung(void **state)
{
	struct tp_link_heart h = { 0 };

	(void)state;
	assert_int_equal(stand_still(5, 0, true), TP_LINK_STILL);
	assert_int_equal(stand_still(6, 0, true), TP_LINK_HUNG);
	/* Blocked now and then is not blocked all the time. */
	tp_link_heart_check(&h, 7, 0, true, 0, DEADLINE);
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(tp_link_heart_check(&h, 7, 0, i % 4 != 3, i * 10 * MS, DEADLINE),
		                TP_LINK_STILL);
	/* One late look is not enough to know. */
	h = (struct tp_link_heart){ 0 };
	tp_link_heart_check(&h, 7, 0, true, 0, DEADLINE);
	assert_int_equal(tp_link_heart_check(&h, 7, 0, true, 900 * MS, DEADLINE), TP_LINK_STILL);
	assert_int_equal(tp_link_heart_check(&h, 7, 0, true, 910 * MS, DEADLINE), TP_LINK_STILL);
	assert_int_equal(tp_link_heart_check(&h, 7, 0, true, 990 * MS, DEADLINE), TP_LINK_STILL);
}

static void
test_loop_that_ran_on_and_then_blocked_is_hung(void **state)
{
	struct tp_link_heart h = { 0 };

	(void)state;
	tp_link_heart_check(&h, 7, 0, false, 0, DEADLINE);
	for (uint64_t t = 10; t <= 30; t += 10)
		assert_int_equal(tp_link_heart_check(&h, 7, t * MS, false, t * MS, DEADLINE),
		                TP_LINK_STILL);
	for (uint64_t t = 40; t < 90; t += 10)
		assert_int_equal(tp_link_heart_check(&h, 7, 30 * MS, true, t * MS, DEADLINE),
		                TP_LINK_STILL);
	assert_int_equal(
	                tp_link_heart_check(&h, 7, 30 * MS, true, 90 * MS, DEADLINE), TP_LINK_HUNG);
}

static void
test_a_beat_starts_it_anew(void **state)
{
	struct tp_link_heart h = { 0 };

	(void)state;
	tp_link_heart_check(&h, 7, 0, false, 0, DEADLINE);
	tp_link_heart_check(&h, 7, 0, false, 10 * MS, DEADLINE);
	assert_int_equal(tp_link_heart_check(&h, 8, 90 * MS, true, 90 * MS, DEADLINE),
	                TP_LINK_BEATS);
	assert_int_equal(tp_link_heart_check(&h, 8, 91 * MS, true, 91 * MS, DEADLINE),
	                TP_LINK_STILL);
	assert_int_equal(tp_link_heart_check(&h, 8, 140 * MS, true, 140 * MS, DEADLINE),
	                TP_LINK_STILL);
	assert_int_equal(tp_link_heart_check(&h, 8, 141 * MS, true, 141 * MS, DEADLINE),
	                TP_LINK_HUNG);
}

/* ---- the watch ---------------------------------------------------------------- */

struct fake_thread {
	uint64_t cpu_ns;
	bool blocked;
	int rc;
	unsigned int reads;
};

static int
fake_read(void *arg, uint64_t *cpu_ns, bool *blocked)
{
	struct fake_thread *t = arg;

	t->reads++;
	*cpu_ns = t->cpu_ns;
	*blocked = t->blocked;
	return t->rc;
}

static uint16_t port;
static struct fake_thread thread;
static struct tp_link *watched;
static struct tp_link_in in;
static uint64_t now;

static int
group_setup(void **state)
{
	return test_link_null_setup(state, &port);
}

static int
setup(void **state)
{
	struct tp_link_ctx ctx = { .port_id = port, .thread = fake_read, .thread_arg = &thread };
	struct tp_link_conf conf;

	(void)state;
	tp_link_conf_default(&conf, port);
	conf.watches = TP_LINK_W(TP_LINK_HEART);
	conf.heart_ms = 50;
	thread = (struct fake_thread){ .cpu_ns = 5 * MS };
	in = (struct tp_link_in){ .running = true };
	now = 0;
	watched = tp_link_create(&ctx, &conf, now);
	return watched == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	tp_link_destroy(watched);
	return 0;
}

static bool
pass(unsigned int ms, unsigned int beats_per_ms, bool runs)
{
	for (unsigned int i = 0; i < ms; i++) {
		now += MS;
		in.heart += beats_per_ms;
		if (runs)
			thread.cpu_ns += MS;
		tp_link_poll(watched, now, &in, NULL);
	}
	return tp_link_verdict(watched).up;
}

static void
test_watch_asks_the_thread_only_in_doubt(void **state)
{
	(void)state;
	assert_true(pass(500, 100, true));
	assert_int_equal(thread.reads, 0);
	assert_true(pass(40, 0, true));
	assert_in_range(thread.reads, 1, 10);
}

static void
test_watch_fences_the_hung_only(void **state)
{
	(void)state;
	pass(100, 100, true);
	assert_true(pass(300, 0, false)); /* descheduled */
	assert_int_equal(tp_link_stats(watched).late, 1);
	assert_true(pass(20, 100, true));
	assert_false(pass(70, 0, true));
	assert_int_equal(tp_link_verdict(watched).down, TP_LINK_W(TP_LINK_HEART));
	assert_true(pass(10, 1, true)); /* it does move: the caller decides what that means */
	assert_int_equal(tp_link_stats(watched).late, 1);
}

static void
test_watch_ignores_a_loop_that_is_not_to_run(void **state)
{
	(void)state;
	thread.blocked = true;
	in.running = false;
	assert_true(pass(500, 0, false));
	in.running = true;
	assert_true(pass(40, 0, false));
	assert_false(pass(40, 0, false));
	in.running = false;
	assert_true(pass(10, 0, false));
}

static void
test_thread_that_is_gone_is_hung(void **state)
{
	(void)state;
	pass(10, 10, true);
	thread.rc = -ESRCH;
	assert_false(pass(70, 0, false));
}

/* ---- real threads -------------------------------------------------------------- */

struct real {
	pthread_t id;
	_Atomic pid_t tid;
	_Atomic bool stop;
	bool spin;
};

static void *
real_main(void *arg)
{
	static const struct timespec nap = { .tv_nsec = 1000000 };
	struct real *r = arg;

	/* A name that would mislead a careless reader of stat. */
	prctl(PR_SET_NAME, "a) S (b) R ", 0, 0, 0);
	atomic_store(&r->tid, gettid());
	while (!atomic_load(&r->stop))
		if (!r->spin)
			nanosleep(&nap, NULL);
	return NULL;
}

static void
real_start(struct real *r, struct tp_link_thread *t, bool spin)
{
	*r = (struct real){ .spin = spin };
	assert_int_equal(pthread_create(&r->id, NULL, real_main, r), 0);
	while (atomic_load(&r->tid) == 0)
		sched_yield();
	assert_int_equal(tp_link_thread_open(t, atomic_load(&r->tid)), 0);
}

static void
test_real_threads_are_told_apart(void **state)
{
	static const struct timespec nap = { .tv_nsec = 3000000 };
	struct tp_link_thread t;
	struct real r;
	uint64_t first, cpu_ns;
	unsigned int nb_blocked = 0;
	bool blocked;

	(void)state;
	real_start(&r, &t, true);
	assert_int_equal(tp_link_thread_read(&t, &first, &blocked), 0);
	assert_false(blocked);
	do {
		nanosleep(&nap, NULL);
		assert_int_equal(tp_link_thread_read(&t, &cpu_ns, &blocked), 0);
		assert_false(blocked);
	} while (cpu_ns - first < 2 * MS);
	atomic_store(&r.stop, true);
	pthread_join(r.id, NULL);
	assert_int_equal(tp_link_thread_read(&t, &cpu_ns, &blocked), -ESRCH);
	tp_link_thread_close(&t);
	assert_int_equal(tp_link_thread_open(&t, r.tid), -ENOENT);

	real_start(&r, &t, false);
	for (unsigned int i = 0; i < 50; i++) {
		assert_int_equal(tp_link_thread_read(&t, &cpu_ns, &blocked), 0);
		nb_blocked += blocked;
		nanosleep(&nap, NULL);
	}
	assert_true(nb_blocked > 25);
	assert_true(cpu_ns < 50 * MS);
	atomic_store(&r.stop, true);
	pthread_join(r.id, NULL);
	tp_link_thread_close(&t);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beats_while_the_counter_moves),
		cmocka_unit_test(test_spinning_loop_is_hung_after_the_deadline),
		cmocka_unit_test(test_descheduled_loop_is_never_hung),
		cmocka_unit_test(test_blocked_loop_is_hung),
		cmocka_unit_test(test_loop_that_ran_on_and_then_blocked_is_hung),
		cmocka_unit_test(test_a_beat_starts_it_anew),
		T(test_watch_asks_the_thread_only_in_doubt),
		T(test_watch_fences_the_hung_only),
		T(test_watch_ignores_a_loop_that_is_not_to_run),
		T(test_thread_that_is_gone_is_hung),
		cmocka_unit_test(test_real_threads_are_told_apart),
	};

	return cmocka_run_group_tests(tests, group_setup, test_link_null_teardown);
}
