/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* poll and lsc on one end of a wire; hot unplug. */
#include <rte_ethdev.h>

#include "test_link.h"

#define US TP_NS_PER_US
#define MS TP_NS_PER_MS

/* What a driver calls to raise an event; exported, but not in an installed header. */
struct rte_eth_dev *rte_eth_dev_allocated(const char *name);
int rte_eth_dev_callback_process(
                struct rte_eth_dev *dev, enum rte_eth_event_type event, void *ret_param);

static struct tp_wire *wire;
static struct tp_link *watched;
static struct tp_link_ctx ctx;
static struct tp_link_conf conf;

static int
setup(void **state)
{
	wire = test_link_wire(state);
	if (wire == NULL)
		return -1;
	ctx = (struct tp_link_ctx){ .port_id = tp_wire_port(wire, TP_WIRE_A) };
	tp_link_conf_default(&conf, ctx.port_id);
	return 0;
}

static int
teardown(void **state)
{
	return test_link_wire_end(state, wire, &watched);
}

static void
raise_event(enum rte_eth_event_type event)
{
	char name[RTE_ETH_NAME_MAX_LEN];

	assert_int_equal(rte_eth_dev_get_name_by_port(ctx.port_id, name), 0);
	rte_eth_dev_callback_process(rte_eth_dev_allocated(name), event, NULL);
}

/* net_ring has no such event; the tests above raise it for it. */
static void
claim_lsc(bool on)
{
	struct rte_eth_dev_info info;
	uint32_t *flags;

	assert_int_equal(rte_eth_dev_info_get(ctx.port_id, &info), 0);
	flags = (uint32_t *)(uintptr_t)info.dev_flags;
	*flags = on ? *flags | RTE_ETH_DEV_INTR_LSC : *flags & ~RTE_ETH_DEV_INTR_LSC;
}

static void
start(uint64_t now)
{
	watched = tp_link_create(&ctx, &conf, now);
	assert_non_null(watched);
}

static void
test_poll_sees_it_at_the_next_look(void **state)
{
	struct tp_link_verdict v;

	(void)state;
	start(1000 * US);
	assert_int_equal(tp_link_next(watched), 1500 * US);
	assert_true(tp_link_verdict(watched).up);
	assert_int_equal(tp_link_verdict(watched).speed_mbps, 10000);
	tp_wire_set_carrier(wire, false);
	assert_false(tp_link_poll(watched, 1499 * US, NULL, NULL));
	assert_true(tp_link_verdict(watched).up);
	assert_true(tp_link_poll(watched, 1500 * US, NULL, NULL));
	v = tp_link_verdict(watched);
	assert_false(v.up || v.removed);
	assert_int_equal(v.down, TP_LINK_W(TP_LINK_POLL));
	assert_int_equal(v.since, 1500 * US);
	assert_false(tp_link_poll(watched, 2000 * US, NULL, NULL)); /* no change */
	assert_int_equal(tp_link_verdict(watched).since, 1500 * US);
	tp_wire_set_carrier(wire, true);
	tp_wire_sync(wire);
	assert_true(tp_link_poll(watched, 2500 * US, NULL, NULL));
	assert_true(tp_link_verdict(watched).up);
	assert_int_equal(tp_link_stats(watched).changes, 2);
}

static void
test_starts_down_without_carrier(void **state)
{
	(void)state;
	tp_wire_set_carrier(wire, false);
	start(7);
	assert_false(tp_link_verdict(watched).up);
	assert_int_equal(tp_link_verdict(watched).since, 7);
	assert_int_equal(tp_link_stats(watched).changes, 0);
}

static void
test_lsc_event_is_seen_at_once(void **state)
{
	(void)state;
	claim_lsc(true);
	assert_int_equal(tp_link_default(ctx.port_id), TP_LINK_W(TP_LINK_LSC));
	conf.watches = TP_LINK_W(TP_LINK_LSC);
	start(0);
	assert_true(tp_link_verdict(watched).up);
	tp_wire_set_carrier(wire, false);
	assert_false(tp_link_poll(watched, 10 * US, NULL, NULL)); /* not asked: no event yet */
	raise_event(RTE_ETH_EVENT_INTR_LSC);
	assert_true(tp_link_poll(watched, 11 * US, NULL, NULL));
	assert_false(tp_link_verdict(watched).up);
	assert_int_equal(tp_link_stats(watched).events, 1);
	/* An event that got lost costs 100 ms. */
	tp_wire_set_carrier(wire, true);
	tp_wire_sync(wire);
	assert_false(tp_link_poll(watched, 100 * MS, NULL, NULL));
	assert_true(tp_link_poll(watched, 100 * MS + 11 * US, NULL, NULL));
	assert_true(tp_link_verdict(watched).up);
	/* Nobody listens after the end. */
	tp_link_destroy(watched);
	watched = NULL;
	raise_event(RTE_ETH_EVENT_INTR_LSC);
	raise_event(RTE_ETH_EVENT_INTR_RMV);
	claim_lsc(false);
}

static void
test_hot_unplug_is_final(void **state)
{
	struct tp_link_verdict v;

	(void)state;
	start(0);
	raise_event(RTE_ETH_EVENT_INTR_RMV);
	assert_true(tp_link_poll(watched, 1, NULL, NULL));
	v = tp_link_verdict(watched);
	assert_true(v.removed);
	assert_false(v.up);
	assert_int_equal(v.down, 0);
	tp_link_poll(watched, 10 * MS, NULL, NULL);
	assert_true(tp_link_verdict(watched).removed);
}

static void
test_port_that_vanished_is_removed(void **state)
{
	(void)state;
	start(0);
	tp_wire_destroy(wire);
	wire = NULL;
	assert_true(tp_link_poll(watched, 1 * MS, NULL, NULL));
	assert_true(tp_link_verdict(watched).removed);
	assert_false(tp_link_verdict(watched).up);
}

static void
test_two_watches_must_agree(void **state)
{
	(void)state;
	claim_lsc(true);
	conf.watches = TP_LINK_W(TP_LINK_LSC) | TP_LINK_W(TP_LINK_POLL);
	start(0);
	tp_wire_set_carrier(wire, false);
	assert_true(tp_link_poll(watched, 500 * US, NULL, NULL));
	assert_int_equal(tp_link_verdict(watched).down, TP_LINK_W(TP_LINK_POLL));
	raise_event(RTE_ETH_EVENT_INTR_LSC);
	assert_true(tp_link_poll(watched, 501 * US, NULL, NULL));
	assert_int_equal(tp_link_verdict(watched).down,
	                TP_LINK_W(TP_LINK_POLL) | TP_LINK_W(TP_LINK_LSC));
	tp_wire_set_carrier(wire, true);
	tp_wire_sync(wire);
	assert_true(tp_link_poll(watched, 1001 * US, NULL, NULL));
	assert_false(tp_link_verdict(watched).up);
	raise_event(RTE_ETH_EVENT_INTR_LSC);
	assert_true(tp_link_poll(watched, 1002 * US, NULL, NULL));
	assert_true(tp_link_verdict(watched).up);
	claim_lsc(false);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_poll_sees_it_at_the_next_look),
		T(test_starts_down_without_carrier),
		T(test_lsc_event_is_seen_at_once),
		T(test_hot_unplug_is_final),
		T(test_port_that_vanished_is_removed),
		T(test_two_watches_must_agree),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
