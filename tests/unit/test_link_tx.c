/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A port that takes nothing though frames wait. */
#include <rte_ethdev.h>

#include "test_link.h"

#define MS TP_NS_PER_MS

static uint16_t port;
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
	struct tp_link_ctx ctx = { .port_id = port };
	struct tp_link_conf conf;

	(void)state;
	tp_link_conf_default(&conf, port);
	conf.watches = TP_LINK_W(TP_LINK_TX);
	conf.tx_ms = 80;
	now = 1000 * MS;
	/* Close to their wrap, as a counter may be. */
	in = (struct tp_link_in){ .running = true, .tx_packets = UINT64_MAX - 1 };
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

/* Turn control's loop every millisecond. @return up at the end */
static bool
pass(unsigned int ms, uint32_t pending, unsigned int sent_per_ms)
{
	in.tx_pending = pending;
	for (unsigned int i = 0; i < ms; i++) {
		now += MS;
		in.tx_packets += sent_per_ms;
		tp_link_poll(watched, now, &in, NULL);
	}
	return tp_link_verdict(watched).up;
}

static void
test_idle_and_busy_ports_are_up(void **state)
{
	(void)state;
	assert_true(pass(500, 0, 0));
	assert_true(pass(500, 10, 1));
	assert_true(pass(500, 0, 3));
	assert_int_equal(tp_link_stats(watched).changes, 0);
}

static void
test_stuck_port_goes_down_after_its_time(void **state)
{
	(void)state;
	pass(20, 0, 1);
	assert_true(pass(79, 5, 0));
	assert_false(pass(22, 5, 0)); /* looked at every 10 ms */
	assert_int_equal(tp_link_verdict(watched).down, TP_LINK_W(TP_LINK_TX));
	assert_false(pass(3000, 5, 0));
	/* It moves again. */
	assert_true(pass(11, 4, 1));
}

static void
test_short_stalls_do_not_add_up(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 10; i++) {
		assert_true(pass(60, 5, 0));
		assert_true(pass(11, 5, 1));
	}
	for (unsigned int i = 0; i < 10; i++) {
		assert_true(pass(60, 5, 0));
		assert_true(pass(11, 0, 0));
	}
}

static void
test_drained_port_is_tried_again_after_a_second(void **state)
{
	(void)state;
	assert_false(pass(110, 5, 0));
	/* Its frames were given to others: no reason to believe in it yet. */
	assert_false(pass(990, 0, 0));
	assert_true(pass(40, 0, 0));
	assert_int_equal(tp_link_stats(watched).changes, 2);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_idle_and_busy_ports_are_up),
		T(test_stuck_port_goes_down_after_its_time),
		T(test_short_stalls_do_not_add_up),
		T(test_drained_port_is_tried_again_after_a_second),
	};

	return cmocka_run_group_tests(tests, group_setup, test_link_null_teardown);
}
