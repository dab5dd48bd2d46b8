/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** What every module stands on: time, drop reasons and counters, what travels
 * on rings, buffer pools and lcore loads.
 *
 * Ownership tags used in all structures: "ctl w, worker r" names the one lcore
 * that writes a field and who may read it. "owner" is the lcore of the member
 * that the structure belongs to.
 */
#ifndef TP_CORE_H
#define TP_CORE_H

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_ring.h>

#include "tp_compat.h"

/** Members of a team; a member's index fits a byte of the bucket map. */
#define TP_MAX_MEMBERS 32
/** No member. */
#define TP_MEMBER_NONE 0xff
/** Largest burst: one bit of a 64-bit mask for each packet. */
#define TP_BURST_MAX 64

/* ---- time ------------------------------------------------------------- */

/** Nanoseconds, one origin for all lcores: at tp_clock_init() it is CLOCK_MONOTONIC, so that times
 * in events compare with those of other programs; from then on the TSC counts. Deadlines are
 * absolute values of it. Engines get it as the parameter `now` and read no clock themselves.
 */
#define TP_NS_PER_US UINT64_C(1000)
#define TP_NS_PER_MS UINT64_C(1000000)
#define TP_NS_PER_S UINT64_C(1000000000)
/** A deadline that never comes. */
#define TP_NEVER UINT64_MAX

/** Set the origin to this instant. Once, after rte_eal_init() and before any other thread. */
void tp_clock_init(void);
/** Current time in ns. Any thread. */
uint64_t tp_clock_now(void);
/** Replace the TSC by a clock that only tp_clock_set_virtual() moves (simulator, tests).
 * @param now_ns first value
 */
void tp_clock_set_virtual(uint64_t now_ns);
/** TSC cycles to ns and back, by the measured TSC rate. */
uint64_t tp_clock_cycles_to_ns(uint64_t cycles);

/* ---- drop reasons and counters ---------------------------------------- */

/** What people read of an enumerator: a short name, and one clause. */
struct tp_name {
	const char *name, *text;
};
/** A row of a table of them, from a list X(id, name, text) like those below. */
#define TP_NAME_ROW(id, name, text) { name, text },
/** @return a row of a table, static; "?" for what is not in it */
#define TP_NAME_AT(table, i) tp_name_at(table, RTE_DIM(table), (unsigned int)(i))

static inline const struct tp_name *
tp_name_at(const struct tp_name *table, unsigned int nb, unsigned int i)
{
	static const struct tp_name unknown = { "?", "?" };

	return i < nb ? &table[i] : &unknown;
}

/** Every reason to give up a packet: enumerator, counter name, text. */
#define TP_DROP_REASONS(X)                                                                         \
	X(RX_OWN_MAC, "rx_own_mac", "received a frame with our own source MAC")                    \
	X(RX_PLACE, "rx_place", "received where this mode accepts no such frame")                  \
	X(RX_RUNT, "rx_runt", "received less than an Ethernet header")                             \
	X(RX_VLAN, "rx_vlan", "received with a VLAN that the team's filter refuses")               \
	X(RX_FENCED, "rx_fenced", "received by a member that is not collecting")                   \
	X(RX_LINK_LOCAL, "rx_link_local", "link-local control frame that nobody handles")          \
	X(HOST_RING_FULL, "rx_host_ring_full", "ring to the host port was full")                   \
	X(HOST_TX_FULL, "rx_host_tx_full", "host port did not take the frame")                     \
	X(HOST_NONE, "rx_host_none", "no host port to deliver to")                                 \
	X(CTL_RING_FULL, "rx_ctl_ring_full", "ring to control was full")                           \
	X(CTL_UNHANDLED, "rx_ctl_unhandled", "control had no use for the frame")                   \
	X(TX_RING_FULL, "tx_ring_full", "ring to the chosen member was full")                      \
	X(TX_NO_MEMBER, "tx_no_member", "no member is distributing")                               \
	X(TX_PORT_FULL, "tx_port_full", "port did not take the frame and the hold was full")       \
	X(TX_PORT_STOPPED, "tx_port_stopped", "frame waited on a port that was stopped")           \
	X(TX_BAD_INTENT, "tx_bad_intent", "offload request does not fit the frame")                \
	X(TX_NO_MBUF, "tx_no_mbuf", "no buffer to segment, copy or linearise into")                \
	X(TX_TOO_BIG, "tx_too_big", "frame is larger than the member's MTU")                       \
	X(FOREIGN_RING_FULL, "rx_foreign_full", "ring to the connection's owner was full")         \
	X(MSG_STALE, "msg_stale", "message of an old epoch or to a module without handler")

enum tp_drop {
#define X(id, name, text) TP_DROP_##id,
	TP_DROP_REASONS(X)
#undef X
	                TP_NB_DROPS,
};

/** Events that are no drop: enumerator, counter name, text. */
#define TP_COUNTERS(X)                                                                             \
	X(RX_PACKETS, "rx_good_packets", "frames received")                                        \
	X(RX_BYTES, "rx_good_bytes", "bytes received")                                             \
	X(TX_PACKETS, "tx_good_packets", "frames the port took")                                   \
	X(TX_BYTES, "tx_good_bytes", "bytes the port took")                                        \
	X(RX_HOST, "rx_to_host", "frames passed towards the host port")                            \
	X(RX_CTL, "rx_to_control", "frames passed to control")                                     \
	X(RX_FOREIGN, "rx_foreign", "frames of a connection that another member owns")             \
	X(HOST_RX, "host_rx_packets", "frames read from the host port")                            \
	X(HOST_RX_BYTES, "host_rx_bytes", "bytes read from the host port")                         \
	X(HOST_TX, "host_tx_packets", "frames the host port took")                                 \
	X(HOST_TX_BYTES, "host_tx_bytes", "bytes the host port took")                              \
	X(TX_OWN, "tx_own", "frames balanced to this member itself while primary")                 \
	X(TX_FORWARDED, "tx_forwarded", "frames put on rings to other members while primary")      \
	X(TX_DRAINED, "tx_drained", "frames taken back from a ring and handed out again")          \
	X(TX_CTL, "tx_from_control", "frames sent for control")                                    \
	X(TX_TOE, "tx_toe", "frames sent for connections")                                         \
	X(TX_GSO, "tx_gso_segments", "segments made in software")                                  \
	X(TX_CKSUM, "tx_sw_cksum", "frames whose checksum was computed in software")               \
	X(TX_LINEAR, "tx_linearised", "frames copied because the port takes one segment only")     \
	X(GUARD_LOST, "guard_lost", "turns as primary in which the host port was not ours")

enum tp_counter {
#define X(id, name, text) TP_C_##id,
	TP_COUNTERS(X)
#undef X
	                TP_NB_COUNTERS,
};

/** Counters of one member. Owner w; any thread may read single values (a 64-bit
 * load never tears; the set is not one instant).
 */
struct tp_counters {
	alignas(RTE_CACHE_LINE_SIZE) uint64_t c[TP_NB_COUNTERS];
	uint64_t drop[TP_NB_DROPS];
};

/** @return the counter's name, e.g. "rx_own_mac"; static. */
const char *tp_drop_name(enum tp_drop reason);
/** @return one clause that explains the reason; static. */
const char *tp_drop_text(enum tp_drop reason);
const char *tp_counter_name(enum tp_counter counter);
const char *tp_counter_text(enum tp_counter counter);

/** Free packets and count why. Owner lcore.
 * @param pkts [nb_pkts] consumed
 */
void tp_drop_burst(struct tp_counters *ctr, enum tp_drop reason, struct rte_mbuf **pkts,
                uint16_t nb_pkts);

/* ---- what travels on rings -------------------------------------------- */

enum tp_kind {
	TP_KIND_TX = 1,  /**< transmit it as it is, do not balance again */
	TP_KIND_HOST,    /**< for the host port */
	TP_KIND_FOREIGN, /**< of a connection that the receiver of this element owns */
	TP_KIND_FRAME,   /**< for control: a frame, `ingress` says from where */
	TP_KIND_MESSAGE, /**< struct tp_msg in the mbuf's data */
};

/** Why control gets a frame (tp_meta.why). */
enum tp_why {
	TP_WHY_SLOW = 1, /**< slow protocols (LACP, marker), received */
	TP_WHY_LLDP,     /**< LLDP, received */
	TP_WHY_NEIGH,    /**< copy of an ARP or ND frame, received */
	TP_WHY_SNOOP,    /**< copy of an ARP, ND, IGMP or MLD frame that the host sent */
	TP_WHY_RESOLVE,  /**< to be sent; its neighbour is not known (tp_inet_pend()) */
};

/** Dynamic field of every mbuf on a ring. Written by who enqueues, read by who dequeues. */
struct tp_meta {
	uint8_t kind;    /**< enum tp_kind */
	uint8_t ingress; /**< member that received it, or TP_MEMBER_NONE (from the host) */
	uint8_t hops;    /**< times it was forwarded between members */
	uint8_t why;     /**< enum tp_why for TP_KIND_FRAME */
	union {
		uint32_t bucket;     /**< bucket it was balanced by */
		uint32_t generation; /**< of the handle, for TP_KIND_FOREIGN */
	};
	uint32_t handle; /**< connection, for TP_KIND_FOREIGN */
	uint32_t epoch;  /**< of the handle or of the message's subject */
};

/** Offset of the dynfield; valid after tp_meta_init(). */
extern int tp_meta_offset;
/** Register the dynfield. Once, after rte_eal_init(). @return 0 or -errno */
int tp_meta_init(void);

static inline struct tp_meta *
tp_meta(struct rte_mbuf *m)
{
	return RTE_MBUF_DYNFIELD(m, tp_meta_offset, struct tp_meta *);
}

/** Envelope of a message; each module defines its ops and its handler. */
struct tp_msg {
	uint8_t module; /**< enum tp_module */
	uint8_t op;     /**< of that module */
	uint16_t len;   /**< bytes of body in use */
	uint32_t epoch; /**< an old one is ignored and counted */
	uint8_t body[48];
};
static_assert(sizeof(struct tp_msg) == 56, "an envelope is 8 + 48 bytes");

enum tp_module {
	TP_MODULE_TEAM = 1,
	TP_MODULE_LACP,
	TP_MODULE_TOE,
	TP_NB_MODULES,
};

/* ---- fabric ------------------------------------------------------------ */

/** Ends of a ring: members by index, then control and the host port. The rings of
 * the host port belong to the host port: whoever holds its guard is their producer
 * (TP_NODE_HOST to a member) or consumer (a member to TP_NODE_HOST).
 */
#define TP_NODE_CONTROL TP_MAX_MEMBERS
#define TP_NODE_HOST (TP_MAX_MEMBERS + 1)
#define TP_NB_NODES (TP_MAX_MEMBERS + 2)

/** Single-producer single-consumer rings. Control creates; a ring lives until
 * tp_fabric_free(), also when its member goes (the next one in that slot takes it over).
 */
struct tp_fabric {
	struct rte_ring *ring[TP_NB_NODES][TP_NB_NODES]; /**< [from][to]; ctl w, others r */
	char name[16];
};

/** @param name prefix of ring names, unique in the process */
struct tp_fabric *tp_fabric_create(const char *name);
/** Make sure that the rings between two ends exist in both directions. Control only.
 * @param size power of two, elements
 * @return 0 or -errno
 */
int tp_fabric_join(struct tp_fabric *fab, unsigned int a, unsigned int b, unsigned int size,
                int socket_id);
/** Free all packets on all rings; no worker may run. @return packets freed */
unsigned int tp_fabric_drain(struct tp_fabric *fab);
/** Drain and free. */
void tp_fabric_free(struct tp_fabric *fab);

/** Give the rings of an end that was frozen at any point of its work back to the next one there:
 * a burst that it had begun to put counts as not put, one that it had begun to take as not taken.
 * Control, while nobody works at that end.
 */
void tp_fabric_mend(struct tp_fabric *fab, unsigned int node);

/** Put a burst on a ring; what does not fit is dropped and counted. Producer's lcore.
 * @param pkts [nb_pkts] consumed
 * @return packets that fit
 */
uint16_t tp_fabric_send(struct rte_ring *ring, struct rte_mbuf **pkts, uint16_t nb_pkts,
                struct tp_counters *ctr, enum tp_drop reason_when_full);

/* ---- pools ------------------------------------------------------------- */

/** Default data room: a frame of 2048 bytes behind the headroom. */
#define TP_POOL_DATA_ROOM (2048 + RTE_PKTMBUF_HEADROOM)

/** What a pool has to cover; the sum is the pool's size. */
struct tp_pool_need {
	uint32_t nb_desc;  /**< Rx and Tx descriptors of all ports that use it */
	uint32_t nb_ring;  /**< ring slots that its packets may wait in */
	uint32_t nb_cache; /**< caches: lcores x cache size x 1.5 */
	uint32_t nb_burst; /**< bursts in hand, stash and hold */
	uint32_t nb_held;  /**< held TCP bytes / data room */
};

/** @return mbufs: the sum of all parts, at least 512 */
uint32_t tp_pool_size(const struct tp_pool_need *need);

/** Make a packet pool with lock-free ops on a NUMA node. Without huge pages its
 * objects lie packed on transparent huge pages, as one mbuf in each 4 KiB page makes
 * L1 sets alias. Pools live until exit.
 * @param nb_mbufs number of mbufs
 * @param cache_size per-lcore cache, <= RTE_MEMPOOL_CACHE_MAX_SIZE
 * @param data_room bytes a segment holds, headroom included
 * @return the pool, or NULL with rte_errno
 */
struct rte_mempool *tp_pool_create(const char *name, uint32_t nb_mbufs, uint32_t cache_size,
                uint16_t data_room, int socket_id);

/** The same in EAL's memory, which other processes map: net_virtio_user and zero-copy net_memif
 * hand out addresses in it. Without huge pages it is slower, and takes from EAL's -m.
 */
struct rte_mempool *tp_pool_create_shared(const char *name, uint32_t nb_mbufs, uint32_t cache_size,
                uint16_t data_room, int socket_id);

/** A pool of plain objects, with lock-free ops, too; its memory is no DMA memory. Their bytes are
 * zero when each is taken the first time. @return the pool, or NULL with rte_errno
 */
struct rte_mempool *tp_pool_create_objects(const char *name, uint32_t nb, uint32_t obj_size,
                uint32_t cache_size, int socket_id);

/** Anonymous memory, zero, on a 2 MiB boundary so that the kernel can back it with huge pages; what
 * is not touched costs nothing, and it is on the NUMA node of who touches it first. @return it, or
 * NULL with errno
 */
void *tp_mem_map(size_t len_bytes);
/** @param mem may be NULL */
void tp_mem_unmap(void *mem, size_t len_bytes);

/* ---- lcore loads ------------------------------------------------------- */

/** Load of one lcore. Owner w, any r. */
struct tp_load {
	alignas(RTE_CACHE_LINE_SIZE) uint64_t loops; /**< turns; also the heart beat */
	uint64_t busy_loops;                         /**< turns that did work */
	uint64_t busy_cycles;                        /**< TSC cycles in such turns */
	uint64_t total_cycles;                       /**< TSC cycles since the loop began */
	uint64_t sleeps;                             /**< times the idle policy gave up the CPU */
	uint64_t longest_cycles; /**< of a turn: a driver that blocked, or a CPU that others had */
};

#endif
