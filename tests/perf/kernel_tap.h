/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * A transfer from the kernel's TCP to the kernel's TCP, each in a network namespace of its own behind
 * a tap device, whose frames are the caller's to carry. All functions: one thread.
 */
#ifndef KERNEL_TAP_H
#define KERNEL_TAP_H

#include <stdint.h>

#include <rte_ether.h>

enum kernel_end { KERNEL_RECEIVER, KERNEL_SENDER, KERNEL_NB_ENDS };

struct kernel_tap;

/** Make both namespaces and devices (MTU 1500) and start the transfer, in two threads.
 * @param window bytes that the receiver lets be in flight, or about so many
 * @return NULL with errno
 */
struct kernel_tap *kernel_tap_start(uint32_t window);
/** Non-blocking descriptor of an end's device: whole Ethernet frames. */
int kernel_tap_fd(const struct kernel_tap *k, enum kernel_end end);
const struct rte_ether_addr *kernel_tap_mac(const struct kernel_tap *k, enum kernel_end end);
/** Bytes received until now. */
uint64_t kernel_tap_received(const struct kernel_tap *k);
/** Forget gaps until now; from now on the longest one counts. */
void kernel_tap_gap_begin(struct kernel_tap *k);
/** The first one that ends after this moment is the last one that counts. */
void kernel_tap_gap_end(struct kernel_tap *k);
/** Longest time without data between both, ns; one that still lasts counts. */
uint64_t kernel_tap_gap(const struct kernel_tap *k);
/** End the transfer, with whatever is in flight. */
void kernel_tap_stop(struct kernel_tap *k);

#endif /* KERNEL_TAP_H */
