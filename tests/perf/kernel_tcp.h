/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * The peer of the TCP benches: the kernel's TCP over loopback, both ends on one CPU. All functions:
 * one thread, which stays on its CPU.
 */
#ifndef KERNEL_TCP_H
#define KERNEL_TCP_H

#include <stdbool.h>
#include <stdint.h>

/** Go into a network namespace of one's own, whose loopback has an MTU of 1500 and, unless they are
 * wanted, no segmentation offload: what our wires have. It ends with the process.
 * @return 0; or -errno: the host's loopback will be used as it is
 */
int kernel_tcp_namespace(void);
/** Segmentation offloads (TSO, GSO, GRO) of that namespace's loopback. @return 0 or -errno */
int kernel_tcp_offloads(bool on);

struct kernel_tcp;
/** @param nb_conns connections to have; 0: only a listener @return NULL with errno */
struct kernel_tcp *kernel_tcp_open(uint32_t nb_conns);
void kernel_tcp_close(struct kernel_tcp *k);

/** Each connection in turn: one byte there, then all servers one byte back, then all clients read.
 * Nobody ever waits, nor asks which socket is ready: the least that the kernel can need.
 * @return cycles for a transaction; NAN: a call failed
 */
double kernel_tcp_rr(struct kernel_tcp *k, uint32_t nb_transactions);
/** The same as programs do it, with the servers in a thread of their own on the calling thread's CPU:
 * one connection is waited for in recv(), more in epoll_wait(). From the first call on the servers'
 * ends are that thread's.
 */
double kernel_tcp_rr_threads(struct kernel_tcp *k, uint32_t nb_transactions);
/** Connect, request, response; the server closes, then the client. */
double kernel_tcp_crr(struct kernel_tcp *k, uint32_t nb_transactions);
/** Send over the first connection and receive. @return ns for each byte */
double kernel_tcp_stream(struct kernel_tcp *k, uint64_t nb_bytes);

#endif /* KERNEL_TCP_H */
