/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * What a connection of the TCP engine needs of the outside, for fuzzers of it.
 */
#ifndef FUZZ_TCP_ENV_H
#define FUZZ_TCP_ENV_H

#include "start.h"
#include "tp_tcp.h"

extern struct rte_mempool *pool, *indirect, *recs;
extern const struct tp_tcp_secret secret;

/** EAL and the pools. */
void tcp_env_start(uint32_t nb_mbufs, uint32_t nb_recs);
/** Data in buffers of so many octets, 16..2048, each. @return NULL: none are left */
struct rte_mbuf *tcp_env_payload(uint32_t len, uint32_t piece);
/** All that the connection has to send is sent, and freed; its events are taken.
 * @param max segments that may be
 * @param check is given each before it is freed, and NULL after each burst; may be NULL
 */
void tcp_env_output(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now, uint32_t max,
                void (*check)(const struct rte_mbuf *m));
/** Everything has come back. */
void tcp_env_all_back(void);

#endif
