/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** The host port from inside: guards, stash, and the modes' ways to distribute. */
#ifndef HOST_INT_H
#define HOST_INT_H

#include <rte_bitops.h>
#include <rte_byteorder.h>
#include <rte_ethdev.h>

#include "tp_team.h"

/** Neighbours that asked lately; a power of two. */
#define HOST_NB_ASKED 256

/** A bucket that is to move once its last frame has left the old ring for longer than the skew. */
struct host_lazy {
	uint32_t bucket;
	uint32_t mark;      /**< producer position of the old ring behind the last frame */
	uint64_t seen_ns;   /**< that frame's time */
	uint64_t passed_ns; /**< when the old ring had run past mark; TP_NEVER: not yet */
	bool armed;         /**< all but bucket are valid */
};

/** Frames taken back, oldest at head. Taking back and handing out each move head alone, by one
 * store behind the frames: a holder that is frozen at any point leaves no half of either.
 */
struct host_stash {
	struct rte_mbuf **slot;
	uint32_t mask; /**< slots - 1 */
	uint32_t head; /**< free-running index of the oldest */
	uint32_t end;  /**< behind the newest; stays, as frames come and go at the head */
};

static inline uint32_t
stash_count(const struct host_stash *s)
{
	return s->end - s->head;
}

/** The one store; what the frozen lcore's program did before it is in memory by then. */
static inline void
stash_set_head(struct host_stash *s, uint32_t head)
{
	atomic_signal_fence(memory_order_release);
	s->head = head;
	atomic_signal_fence(memory_order_release);
}

struct tp_host {
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint64_t guard; /**< {epoch, holder} */
	/* control w, holder r */
	alignas(RTE_CACHE_LINE_SIZE) _Atomic(struct tp_dist *) published;
	_Atomic uint32_t member_mask;
	_Atomic(struct tp_member *) member[TP_MAX_MEMBERS];
	struct tp_fabric *fabric;
	struct tp_dist *dist_buf[2];
	uint16_t burst;
	_Atomic uint16_t port_id;

	/* holder w */
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint32_t applied;
	struct tp_dist *dist; /**< in force; NULL before the first */
	uint8_t nb_members;   /**< highest member in map plus one */
	uint32_t rr_next;
	uint32_t nb_lazy;
	uint32_t lazy_next; /**< where the next look at lazy[] begins */
	struct host_stash stash;
	struct tp_egress egress; /**< towards the host port */
	struct host_lazy *lazy;  /**< [TP_MAX_BUCKETS] */
	uint64_t *seen_ns;       /**< [TP_MAX_BUCKETS] last frame, while someone wants to know */
	uint64_t *bytes;         /**< [TP_MAX_BUCKETS] mode load */
	_Atomic uint64_t asked[HOST_NB_ASKED]; /**< members w, holder r; see host_neigh.c */
	uint8_t map[TP_MAX_BUCKETS + 64];      /**< in force; slack for vector loads */
};

/** Leave a guard whose busy is the lowest byte: a plain store to that byte alone, so that what
 * others set in the rest of the word meanwhile stays, without a locked instruction (as Linux leaves
 * its queued spinlock). Only the one who is busy.
 */
static inline void
guard_leave(void *word, size_t size)
{
	size_t busy = RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN ? 0 : size - 1;

	__atomic_store_n((uint8_t *)word + busy, 0, __ATOMIC_RELEASE);
}

/** Try to become the consumer of a member's egress; never waits. */
static inline bool
txg_enter(struct tp_member *m)
{
	uint32_t idle = 0;

	return atomic_compare_exchange_strong_explicit(&m->tx_guard, &idle, TP_TXG_BUSY,
	                memory_order_acquire, memory_order_relaxed);
}

static inline void
txg_leave(struct tp_member *m)
{
	guard_leave(&m->tx_guard, sizeof(m->tx_guard));
}

static inline bool
member_halted(const struct tp_member *m)
{
	return atomic_load_explicit(&m->port_ack, memory_order_relaxed) & TP_PORT_HALT;
}

static inline struct rte_ring *
host_ring(const struct tp_host *h, uint8_t member)
{
	return h->fabric->ring[TP_NODE_HOST][member];
}

/** Distribute a burst that came from the host port.
 * @param pkts [nb_pkts] consumed
 * @param flags every flag that is set in ol_flags of one of them
 */
void host_distribute(struct tp_host *h, struct tp_member *me, struct rte_mbuf **pkts,
                uint16_t nb_pkts, uint64_t flags, uint64_t now);
/** The member by which a reply to a neighbour is to leave: where it asked, or TP_MEMBER_NONE. */
uint8_t host_asked_by(struct tp_host *h, const struct rte_mbuf *m, const struct tp_pkt_info *info,
                uint64_t now);
/** Who asked by a member that leaves asked by none: another may get its number. Control. */
void host_forget_asked(struct tp_host *h, uint8_t member);
/** Hand out from the stash what fits, in order. @return frames handed out */
uint16_t host_hand_out(struct tp_host *h, struct tp_member *me, uint64_t now);

/** Bring a published distribution into force; see host_apply.c. */
void host_apply(struct tp_host *h, struct tp_member *me, uint64_t now);

#endif
