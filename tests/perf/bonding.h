/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * DPDK's net_bonding as the peer of a bench: mode balance over net_null members.
 */
#ifndef BONDING_H
#define BONDING_H

#include <stdint.h>

#include <rte_mempool.h>

#define BONDING_MAX_MEMBERS 8

struct bonding {
	uint16_t port_id;
	uint8_t nb_members;
	uint16_t member[BONDING_MAX_MEMBERS];
};

/** A started net_null port. pool is for its (unused) receive queue.
 * @return its port id, or -errno */
int bonding_null_port(struct rte_mempool *pool);

/** A started bonding device over nb_members net_null ports of its own.
 * @param policy BALANCE_XMIT_POLICY_*
 * @return 0, or -errno (also when not all members become active) */
int bonding_create(
                struct bonding *bond, uint8_t nb_members, uint8_t policy, struct rte_mempool *pool);

/** Wait until all members of a started device are active; after a stop or a change of mode, too.
 * @return 0 or -ETIMEDOUT */
int bonding_wait_active(const struct bonding *bond);

#endif /* BONDING_H */
