/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** The kernel's interface behind a port, where ethdev has no call for what is wanted, or a driver
 * does not do it well. Any thread but members' lcores; each call may wait for the kernel's RTNL
 * lock.
 */
#ifndef NETIF_H
#define NETIF_H

#include <stdbool.h>
#include <stdint.h>

/** IFLA_CARRIER, for interfaces whose carrier is ours to say (a TAP). @return 0 or -errno */
int netif_set_carrier(uint32_t if_index, bool on);
/** @return MTU in bytes, 0: not known */
uint16_t netif_mtu(uint32_t if_index);
/** @return 0 or -errno */
int netif_set_mtu(uint32_t if_index, uint16_t mtu);

#endif
