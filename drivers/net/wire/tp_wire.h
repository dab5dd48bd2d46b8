/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** Test link: two ethdev ports joined by a wire that delays, loses, reorders, duplicates,
 * corrupts, serialises and breaks. Time is tp_clock_now(), so it runs on the real clock and on
 * a virtual one.
 *
 * A frame is copied into the wire's own pool when the port takes it, as a NIC does by DMA: the
 * sender's mbuf is free again at the sender's next Rx or Tx call, and the receiver gets a fresh
 * mbuf with no flags, no hash, no dynamic fields and `port` set. Everything random is decided
 * when the port takes the frame, so one seed and one order of frames give one result, however
 * often the other end polls.
 *
 * Each end has one queue each way. One lcore at a time uses an end; the two ends may be two
 * lcores, which then share only single-producer single-consumer rings and atomic words. All
 * other functions: one thread (control or the test), at any time unless said otherwise.
 */
#ifndef TP_WIRE_H
#define TP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "tp_core.h"

/** What Ethernet adds to each frame on the medium: FCS, preamble, inter-frame gap. */
#define TP_WIRE_OVERHEAD_BYTES 24
/** Longest name of a wire: the ports are called net_ring_<name>a and net_ring_<name>b. */
#define TP_WIRE_NAME_MAX 12

enum tp_wire_end { TP_WIRE_A, TP_WIRE_B, TP_WIRE_NB_ENDS };

/** A direction has the number of the end that sends. */
enum tp_wire_dir { TP_WIRE_A_TO_B, TP_WIRE_B_TO_A, TP_WIRE_NB_DIRS };

/** What one direction does to frames. All zero but mtu: an ideal wire. */
struct tp_wire_dir_conf {
	uint64_t delay_ns;     /**< propagation: 0 */
	uint64_t jitter_ns;    /**< up to as much more, uniform; alone it keeps the order: 0 */
	uint64_t reorder_ns;   /**< extra delay of a frame chosen by reorder_ppm: 0 */
	uint64_t rate_bps;     /**< of the medium, TP_WIRE_OVERHEAD_BYTES included; 0: no limit */
	uint32_t queue_bytes;  /**< frames that wait to be serialised, without overhead; 0: any */
	uint32_t queue_frames; /**< likewise; 0: any */
	uint32_t loss_ppm;     /**< frames lost, in a million: 0 */
	uint32_t reorder_ppm;  /**< frames held back by reorder_ns: 0 */
	uint32_t dup_ppm;      /**< frames that arrive twice: 0 */
	uint32_t corrupt_ppm;  /**< frames with one bit flipped: 0 */
	uint32_t mtu;      /**< larger packets are lost (Ethernet header and tags apart): 9000 */
	uint32_t swallow;  /**< with backpressure and no link: frames that the port takes all the
				* same (descriptors of a NIC), and loses: 512 */
	bool backpressure; /**< where a frame finds no room: false, it is dropped and counted;
				* true, rte_eth_tx_burst() takes fewer */
};

/** What happened to a frame, for the tap. */
enum tp_wire_event {
	TP_WIRE_SENT,      /**< the port took it (m: the sender's) */
	TP_WIRE_DELIVERED, /**< the other end's Rx returns it (m: the receiver's) */
	TP_WIRE_LOST,      /**< loss_ppm, mtu, no link, cut, or no room */
};

/** Called on the lcore of the end that sends (SENT, most LOST) or receives (DELIVERED, LOST in
 * flight). @param m borrowed, not to be changed
 */
typedef void (*tp_wire_tap)(void *arg, enum tp_wire_dir dir, enum tp_wire_event event,
                const struct rte_mbuf *m, uint64_t now);

struct tp_wire_conf {
	struct tp_wire_dir_conf dir[TP_WIRE_NB_DIRS];
	uint64_t seed;      /**< of the random numbers: 1 */
	uint32_t nb_frames; /**< each way, in flight or held by the receiver, at most; a power of
			     * two, 64..65536: 4096 */
	tp_wire_tap tap;    /**< NULL: none */
	void *tap_arg;
};

/** Counters of one direction, in frames. sent + dup is the sum of delivered, all losses and
 * in_flight. */
struct tp_wire_stats {
	uint64_t sent; /**< taken by the port */
	uint64_t sent_bytes;
	uint64_t delivered; /**< returned by Rx, duplicates included */
	uint64_t delivered_bytes;
	uint64_t dup;        /**< additional copies */
	uint64_t reordered;  /**< held back by reorder_ns */
	uint64_t corrupted;  /**< with a flipped bit */
	uint64_t lost;       /**< by loss_ppm */
	uint64_t lost_link;  /**< no carrier or cut: when sent, or on the way */
	uint64_t drop_queue; /**< waiting to be serialised: full */
	uint64_t drop_ring;  /**< the receiver does not poll: its ring is full */
	uint64_t drop_mbuf;  /**< the wire's pool is empty: the receiver holds too many */
	uint64_t drop_mtu;   /**< too big */
	uint64_t bad_intent; /**< of those sent, with an offload request that nobody satisfied */
	uint64_t not_taken;  /**< frames that rte_eth_tx_burst() refused (backpressure) */
	uint64_t in_flight;  /**< taken, neither delivered nor lost yet */
};

struct tp_wire;

/** An ideal wire in both directions. */
void tp_wire_conf_default(struct tp_wire_conf *conf);
/** Set knobs of one direction from text: `delay=1ms,jitter=50us,rate=10G,loss=100,...`. Times take
 * ns, us, ms, s (ns alone); rates K, M, G (bit/s); the rest are plain numbers: loss, dup, corrupt
 * and reorder in ppm, reorder_by a time, queue_bytes, queue_frames, mtu, swallow, backpressure 0|1.
 * @param why [why_len] out: what was wrong
 * @return 0 or -EINVAL, then conf is as it was
 */
int tp_wire_conf_parse(struct tp_wire_dir_conf *conf, const char *text, char *why, size_t why_len);

/** Make a wire and its two ports, not yet configured. Carrier is up.
 * @param name at most TP_WIRE_NAME_MAX characters, unique in the process
 * @return the wire; NULL with rte_errno
 */
struct tp_wire *tp_wire_create(const char *name, const struct tp_wire_conf *conf, int socket_id);
/** Close and remove both ports and free all frames on the wire. Nobody may use the ports, and all
 * delivered mbufs must have been freed. The ports must not be detached in any other way: ethdev
 * would keep their callbacks. NULL is allowed. */
void tp_wire_destroy(struct tp_wire *w);
/** Configure both ports with one queue pair and start them, for tests that have no other code
 * for that. @param mp for the Rx queues (net_ring wants one; frames do not come from it)
 * @return 0 or -errno
 */
int tp_wire_start(struct tp_wire *w, struct rte_mempool *mp);
/** @return ethdev port id of an end */
uint16_t tp_wire_port(const struct tp_wire *w, enum tp_wire_end end);

/** Cable in or out: link status of both ends follows at once. What is on the way when the cable is
 * pulled, or sent while it is out, is lost. A port that is stopped or set link-down takes its
 * peer's link down likewise, at the next Rx or Tx call of either end, or tp_wire_sync(). */
void tp_wire_set_carrier(struct tp_wire *w, bool up);
/** Link up, path dead: one direction loses everything (also what is on its way), and neither end's
 * link status shows it. */
void tp_wire_set_cut(struct tp_wire *w, enum tp_wire_dir dir, bool cut);
/** Let the link status of both ends follow from carrier and from each other, as every Rx and Tx
 * call does; for an end that nobody polls. */
void tp_wire_sync(struct tp_wire *w);
/** New knobs for frames taken from now on; those on their way keep their time.
 * @return 0 or -EINVAL
 */
int tp_wire_set_conf(struct tp_wire *w, enum tp_wire_dir dir, const struct tp_wire_dir_conf *conf);
/** Knobs as last set. */
void tp_wire_get_conf(const struct tp_wire *w, enum tp_wire_dir dir, struct tp_wire_dir_conf *conf);

/** Counters now. Exact when both ends are at rest. */
void tp_wire_get_stats(const struct tp_wire *w, enum tp_wire_dir dir, struct tp_wire_stats *stats);
/** When the next frame in flight is due at the receiving end, TP_NEVER when there is none: where
 * a virtual clock may jump to. Only while both ends are at rest. */
uint64_t tp_wire_next(const struct tp_wire *w);

#endif
