/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * What tests of link watches have in common: a port of net_null, or one end of a wire.
 */
#ifndef TEST_LINK_H
#define TEST_LINK_H

#include <rte_bus_vdev.h>
#include <rte_ethdev.h>

#include "test_eal.h"
#include "tp_link.h"
#include "tp_wire.h"

/** cmocka group fixtures: EAL, and a port of net_null. @param port out: its id */
static inline int
test_link_null_setup(void **state, uint16_t *port)
{
	if (test_eal_setup(state) < 0 || rte_vdev_init("net_null0", "") < 0)
		return -1;
	return rte_eth_dev_get_port_by_name("net_null0", port);
}

static inline int
test_link_null_teardown(void **state)
{
	rte_vdev_uninit("net_null0");
	return test_eal_teardown(state);
}

/** Part of a test's set-up: a started wire on the virtual clock. @return NULL: it failed */
static inline struct tp_wire *
test_link_wire(void **state)
{
	struct tp_wire_conf conf;
	struct tp_wire *wire;

	tp_clock_set_virtual(1000);
	tp_wire_conf_default(&conf);
	conf.nb_frames = 64;
	test_pool();
	if (test_mbufs_setup(state) < 0)
		return NULL;
	wire = tp_wire_create("t", &conf, SOCKET_ID_ANY);
	if (wire == NULL || tp_wire_start(wire, test_pool()) < 0)
		return NULL;
	return wire;
}

/** A test's tear-down. @param watched set to NULL */
static inline int
test_link_wire_end(void **state, struct tp_wire *wire, struct tp_link **watched)
{
	tp_link_destroy(*watched);
	*watched = NULL;
	tp_wire_destroy(wire);
	return test_mbufs_teardown(state);
}

#endif /* TEST_LINK_H */
