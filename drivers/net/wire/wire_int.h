/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#ifndef WIRE_INT_H
#define WIRE_INT_H

#include <stdatomic.h>

#include <rte_ethdev.h>

#include "tp_wire.h"

/* A frame's way is a word per direction: why it is dead, and an epoch that is raised whenever it
 * dies, so that what was on the way then is known to be lost however soon it lives again.
 */
#define PATH_NO_LINK 1u
#define PATH_CUT 2u
#define PATH_DEAD (PATH_NO_LINK | PATH_CUT)
#define PATH_EPOCH_1 4u

/* Written at the start of the headroom of each frame in flight. */
struct wire_stamp {
	uint64_t due;
	uint64_t seq;
	uint32_t epoch;
};
static_assert(sizeof(struct wire_stamp) <= RTE_PKTMBUF_HEADROOM, "stamp fits the headroom");

static inline struct wire_stamp *
wire_stamp(const struct rte_mbuf *m)
{
	return m->buf_addr;
}

/* Knobs as words, written under an odd/even version by one thread, copied by the sender. */
#define WIRE_CONF_WORDS ((sizeof(struct tp_wire_dir_conf) + 7) / 8)
union wire_conf {
	struct tp_wire_dir_conf c;
	uint64_t word[WIRE_CONF_WORDS];
};

/* A frame that waits to be serialised, or is being. */
struct wire_wait {
	uint64_t done; /* when its last bit has left */
	uint32_t len;
};

/* One direction. */
struct wire_dir {
	/* any thread */
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint32_t path;
	_Atomic uint32_t conf_version;
	_Atomic uint64_t conf_word[WIRE_CONF_WORDS];

	/* constant */
	struct tp_wire *wire;
	enum tp_wire_dir dir;
	struct rte_mempool *pool;
	struct rte_ring *air;  /* sender to receiver; Rx ring of the receiving port */
	struct rte_ring *desc; /* sender's mbufs until its next call; Tx ring of its port */
	uint32_t nb_frames;

	/* sender's lcore */
	alignas(RTE_CACHE_LINE_SIZE) struct tp_wire_dir_conf conf;
	uint32_t conf_seen;
	uint64_t rng[2];
	uint64_t seq;
	uint64_t line_free; /* when the medium has sent all that was taken */
	uint64_t line_rest; /* fraction of a ns beyond it, in 1/rate_bps */
	uint64_t last_due;
	uint32_t wait_head, wait_tail; /* free-running, of wait[] */
	uint32_t wait_bytes;
	uint32_t swallowed; /* frames taken since the link was lost */
	struct wire_wait *wait;
	struct tp_wire_stats tx;

	/* receiver's lcore */
	alignas(RTE_CACHE_LINE_SIZE) struct rte_mbuf **heap; /* by due, then seq */
	uint32_t nb_heap;
	struct tp_wire_stats rx;
};

struct wire_end {
	uint16_t port_id;
	bool forced; /* we hold its link status down; under sync_busy */
	const struct rte_eth_rxtx_callback *rx_cb, *tx_cb;
	struct tp_wire *wire;
	enum tp_wire_end end;
	char dev_name[32];
};

struct tp_wire {
	struct wire_dir dir[TP_WIRE_NB_DIRS];
	struct wire_end end[TP_WIRE_NB_ENDS];
	_Atomic bool carrier;
	atomic_flag sync_busy;
	tp_wire_tap tap;
	void *tap_arg;
	char name[TP_WIRE_NAME_MAX + 1];
};

static inline void
wire_tap(const struct wire_dir *d, enum tp_wire_event event, const struct rte_mbuf *m, uint64_t now)
{
	if (d->wire->tap != NULL)
		d->wire->tap(d->wire->tap_arg, d->dir, event, m, now);
}

/* wire_conf.c */
int wire_conf_check(const struct tp_wire_dir_conf *conf);
/* Take over new knobs if there are any. Sender's lcore. */
void wire_conf_refresh(struct wire_dir *d);

/* wire_carrier.c: what an end's Rx and Tx calls do about the link. */
void wire_sync_end(struct tp_wire *w, enum tp_wire_end end);

/* wire_tx.c */
uint16_t wire_tx(uint16_t port_id, uint16_t queue, struct rte_mbuf *pkts[], uint16_t nb_pkts,
                void *arg);
void wire_reclaim(struct wire_dir *d);
void wire_seed(struct wire_dir *d, uint64_t seed);

/* wire_rx.c */
uint16_t wire_rx(uint16_t port_id, uint16_t queue, struct rte_mbuf *pkts[], uint16_t nb_pkts,
                uint16_t max_pkts, void *arg);
uint64_t wire_next_due(const struct wire_dir *d);
/* Free everything in flight; both ends at rest. */
void wire_drain(struct wire_dir *d);

#endif
