/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * Two teams that talk TCP to each other: inet, toe and shards of both, without the daemon around
 * them. Main lcore only but for what says otherwise, real clock.
 */
#ifndef TOE_PAIR_H
#define TOE_PAIR_H

#include <stdint.h>

#include "bench.h"
#include "tp_toe.h"
#include "tp_wire.h"

/** What is between the two. */
enum pair_link {
	/** A wire port each: egress with checksums in software, a copy of each frame in place of
	 * DMA, checksums verified in software. */
	PAIR_WIRE,
	/** Buffers change hands; whoever receives is told that the checksums are good. As ports
	 * that compute and verify them, without the cost of a port. */
	PAIR_MEMORY,
	/** The same by a ring for each shard, so that the server's shards may have lcores of their own. */
	PAIR_RINGS,
};

#define PAIR_MAX_SHARDS 2
#define PAIR_QUEUE 8192 /* frames in flight towards a side, at most */

struct pair;
struct pair_side;

struct pair_shard {
	struct pair_side *side;
	uint8_t member;
	struct tp_toe_shard *toe;
	struct rte_ring *foreign; /**< from the side's other shard */
	struct rte_ring *rx;      /**< PAIR_RINGS: what it receives */
};

struct pair_side {
	struct pair *pair;
	struct pair_side *peer;
	uint8_t nb_shards;
	uint8_t arrive_at; /**< which shard receives what comes in; may change at any time */
	/** PAIR_RINGS: which shard receives this one; NULL: arrive_at. */
	uint8_t (*steer)(const struct rte_mbuf *m);
	/** PAIR_RINGS: what becomes of what a shard sends, consumed; NULL: to the peer's rings. Who
	 * receives it puts it on a shard's rx. */
	void (*transmit)(struct pair_shard *sh, struct rte_mbuf **pkts, uint16_t nb_pkts);
	bool asked; /**< control has something to do before its next deadline */
	uint16_t port_id;
	struct rte_ether_addr mac;
	uint8_t addr[16];
	struct rte_rcu_qsbr *qsbr;
	struct tp_inet *inet;
	struct tp_toe *toe;
	struct pair_shard shard[PAIR_MAX_SHARDS];
	struct tp_egress egress;
	struct tp_counters ctr;
	struct rte_mbuf *in[PAIR_QUEUE]; /**< PAIR_MEMORY: towards this side */
	uint32_t in_head, in_tail;
};

/** client connects, server listens; names only. */
struct pair {
	enum pair_link link;
	uint16_t burst;
	struct pair_side client, server;
	struct tp_wire *wire;
	struct rte_mempool *pool, *pool_indirect;
};

/** bench_init() with what pairs need: clock and fields of mbufs. */
int pair_bench_init(struct bench *b, const char *name, int argc, char **argv,
                const char *const *eal_args);

struct pair_conf {
	enum pair_link link;
	uint8_t client_shards, server_shards; /**< 0: 1 */
	uint32_t nb_conns;                    /**< of each side; at least 1024 are provided for */
	uint32_t nb_mbufs;                    /**< 0: 16383 */
	uint16_t burst;                       /**< 0: 32 */
	uint32_t snd_buf, rcv_buf;            /**< 0: the engine's default */
	const struct tp_toe_move_conf *move;  /**< NULL: connections stay, and are not parked */
};

/** Both teams, with addresses of each other. One CPU's worth of memory.
 * @return NULL with rte_errno
 */
struct pair *pair_create(const struct pair_conf *conf);
/** Ends what is still connected. Nothing is left of it but the wire's port names. */
void pair_free(struct pair *p);
/** What a side's control has to do: neighbours, and migration of a team of several. */
void pair_control_turn(struct pair_side *s, uint64_t now);
/** One turn of a shard: receive, send. The lcore that it is given to. @return work done */
unsigned int pair_shard_turn(struct pair_shard *sh, uint64_t now);
/** One turn of the lcore for a whole side: control, then its shards. @return work done */
unsigned int pair_side_turn(struct pair_side *s, uint64_t now);
/** The same for both sides, at the present time. */
unsigned int pair_turn(struct pair *p);
/** The server listens on a port; both sides' connections belong to user. */
int pair_listen(struct pair *p, const struct tp_toe_user *user, uint16_t port);
/** The client connects. @param lport 0: chosen */
tp_toe_id pair_connect(struct pair *p, const struct tp_toe_user *user, void *arg, uint16_t lport,
                uint16_t rport);
/** The same for so many connections, over as many services as that takes, all established at the end.
 * The first thing to do with a pair.
 * @param client its on_accept adds 1 to *nb_established
 */
bool pair_connect_many(struct pair *p, const struct tp_toe_user *client,
                const struct tp_toe_user *server, uint32_t nb, const uint64_t *nb_established);
/** Send one byte: a function that may be posted, arg is not used. Panics if it cannot. */
void pair_send_byte(struct tp_toe_call *call, void *arg);
/** on_data: what came goes back, as it is: the next request, or the response. */
void pair_bounce(struct tp_toe_call *call, struct rte_mbuf *data);
/** To be called by on_data: what came is taken and thrown away. @return octets */
uint32_t pair_discard(struct tp_toe_call *call, struct rte_mbuf *data);
/** What both teams have lost since the start: drops of egress, queue and wire, and connections that
 * ended early. 0 in a good run.
 */
uint64_t pair_losses(const struct pair *p);

#endif /* TOE_PAIR_H */
