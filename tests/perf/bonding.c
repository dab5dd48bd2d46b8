/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "bonding.h"

#include <errno.h>
#include <stdio.h>

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_eth_bond.h>
#include <rte_ethdev.h>

#define NB_DESC 512
#define BALANCE_MODE 2

static unsigned int nb_null, nb_bonds;

static int
port_start(uint16_t port_id, struct rte_mempool *pool)
{
	const struct rte_eth_conf conf = { 0 };
	int rc = rte_eth_dev_configure(port_id, 1, 1, &conf);

	if (rc == 0)
		rc = rte_eth_rx_queue_setup(port_id, 0, NB_DESC, SOCKET_ID_ANY, NULL, pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(port_id, 0, NB_DESC, SOCKET_ID_ANY, NULL);
	return rc < 0 ? rc : rte_eth_dev_start(port_id);
}

static int
null_port(void)
{
	uint16_t port_id;
	char name[32];
	int rc;

	snprintf(name, sizeof(name), "net_null%u", nb_null++);
	rc = rte_vdev_init(name, NULL);
	if (rc == 0)
		rc = rte_eth_dev_get_port_by_name(name, &port_id);
	return rc < 0 ? rc : port_id;
}

int
bonding_null_port(struct rte_mempool *pool)
{
	int port_id = null_port();
	int rc = port_id < 0 ? port_id : port_start((uint16_t)port_id, pool);

	return rc < 0 ? rc : port_id;
}

/* Members join by an alarm of the bonding driver. */
int
bonding_wait_active(const struct bonding *bond)
{
	uint16_t active[RTE_MAX_ETHPORTS];

	for (int ms = 0; ms < 2000; ms += 10) {
		if (rte_eth_bond_active_slaves_get(bond->port_id, active, RTE_DIM(active)) ==
		                bond->nb_members)
			return 0;
		rte_delay_us_sleep(10000);
	}
	return -ETIMEDOUT;
}

int
bonding_create(struct bonding *bond, uint8_t nb_members, uint8_t policy, struct rte_mempool *pool)
{
	char name[32];
	int rc, member;

	snprintf(name, sizeof(name), "net_bonding%u", nb_bonds++);
	rc = rte_eth_bond_create(name, BALANCE_MODE, 0);
	if (rc < 0)
		return rc;
	bond->port_id = (uint16_t)rc;
	bond->nb_members = nb_members;
	for (uint8_t i = 0; i < nb_members; i++) {
		member = null_port();
		if (member < 0)
			return member;
		bond->member[i] = (uint16_t)member;
		rc = rte_eth_bond_slave_add(bond->port_id, bond->member[i]);
		if (rc < 0)
			return -EINVAL;
	}
	if (rte_eth_bond_xmit_policy_set(bond->port_id, policy) != 0)
		return -EINVAL;
	rc = port_start(bond->port_id, pool);
	return rc < 0 ? rc : bonding_wait_active(bond);
}
