/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** Link watches: is a member's link good? Any combination of watches per member; the link is up
 * while all of them say so. Delays and damping are not done here but in tp_team.
 *
 * Control only, except where said. Nothing blocks: no lock, no request to the kernel that waits
 * for one (the watches listen and peek). Time is the parameter `now`, so tests run on a virtual
 * clock.
 */
#ifndef TP_LINK_H
#define TP_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "tp_core.h"

enum tp_link_watch {
	TP_LINK_LSC,     /**< the port's link status event */
	TP_LINK_POLL,    /**< rte_eth_link_get_nowait() every poll_us */
	TP_LINK_NETLINK, /**< IFF_RUNNING of the kernel interface behind the port */
	TP_LINK_ARP,     /**< ARP probes and their replies */
	TP_LINK_ND,      /**< neighbour solicitations and their advertisements */
	TP_LINK_TX,      /**< no Tx progress with packets pending */
	TP_LINK_HEART,   /**< the member's loop does not turn though its thread could */
	TP_LINK_NB_WATCHES,
};

/** Bit of a watch in a mask. */
#define TP_LINK_W(watch) (1u << (watch))
#define TP_LINK_W_ALL (TP_LINK_W(TP_LINK_NB_WATCHES) - 1)
#define TP_LINK_MAX_TARGETS 16
/** Probes that one tp_link_poll() may ask to be sent. */
#define TP_LINK_MAX_OUT (2 * TP_LINK_MAX_TARGETS)

/** Knobs, each with its default. */
struct tp_link_conf {
	uint32_t watches;     /**< TP_LINK_W() mask: tp_link_default(); 0: always up */
	uint32_t poll_us;     /**< lsc, poll, netlink look this often, 10..1000000: 500 */
	uint32_t interval_ms; /**< between probes, 1..60000: 100 */
	uint32_t missed_max;  /**< intervals in a row without a valid reply, 1..255: 2 */
	uint32_t tx_ms;       /**< without Tx progress, 1..60000: 100 */
	uint32_t heart_ms;    /**< deadline of the loop counter, 8..60000: 200 */
	bool validate;     /**< only replies to our probes count, else any received frame: true */
	bool all_targets;  /**< every target must reply, else any one: false */
	uint16_t vlan_tci; /**< tag of probes; 0: untagged */
	uint8_t nb_ip4, nb_ip6;
	rte_be32_t src_ip4;  /**< sender of ARP probes; 0: an RFC 5227 probe, which leaves no trace
			       * in the target's table */
	uint8_t src_ip6[16]; /**< sender of solicitations; ::, the link-local one of the MAC */
	rte_be32_t ip4[TP_LINK_MAX_TARGETS];
	uint8_t ip6[TP_LINK_MAX_TARGETS][16];
};

/** What a link needs of its surroundings. */
struct tp_link_ctx {
	uint16_t port_id;
	struct rte_mempool *pool;  /**< for probes; may be NULL without arp and nd */
	struct rte_ether_addr mac; /**< source of probes, to which replies come: best one of the
				    * member's own, as a MAC that all members use makes a switch
				    * learn it on each of them in turn */
	/** CPU time of the member's thread so far, and whether it is blocked in the kernel now
	 * (tp_link_thread_read()). May be NULL without heart. @return 0 or -errno */
	int (*thread)(void *arg, uint64_t *cpu_ns, bool *blocked);
	void *thread_arg;
};

/** The member's counters as control reads them now. */
struct tp_link_in {
	bool running;        /**< its loop is supposed to turn */
	uint64_t heart;      /**< turns of its loop */
	uint64_t tx_packets; /**< frames its port took */
	uint64_t rx_packets; /**< frames its port received */
	uint32_t tx_pending; /**< frames that wait for the port */
};

/** Probes to be sent by the member as they are. */
struct tp_link_out {
	uint16_t nb_pkts;
	struct rte_mbuf *pkts[TP_LINK_MAX_OUT]; /**< the caller's */
};

struct tp_link_verdict {
	bool up;
	bool removed;        /**< port or interface is gone for good (hot unplug, deletion) */
	uint32_t speed_mbps; /**< 0: unknown */
	uint32_t down;       /**< TP_LINK_W() mask of the watches that say down */
	uint64_t since;      /**< when `up` last changed */
};

struct tp_link;

/** Defaults of every knob; watches by tp_link_default(). */
void tp_link_conf_default(struct tp_link_conf *conf, uint16_t port_id);
/** @param why [why_len] out: one clause that names the bad value and what would be right
 * @return 0 or -EINVAL
 */
int tp_link_conf_check(const struct tp_link_conf *conf, char *why, size_t why_len);

/** The watch that tells the truth about a port: netlink for net_af_packet and net_af_xdp, lsc for
 * ports that raise the event (net_tap claims to, and does not), poll for all others. lsc wants
 * intr_conf.lsc in the port's configuration.
 * @return TP_LINK_W() mask
 */
uint32_t tp_link_default(uint16_t port_id);

/** Start watching a configured port. May be called on another thread than control; waits for the
 * kernel's RTNL lock once when netlink is among the watches.
 * @return the link; NULL with rte_errno: EINVAL (conf), ENODEV (no such port, or netlink without
 *   a kernel interface), ENOTSUP (lsc on a port without), ...
 */
struct tp_link *tp_link_create(
                const struct tp_link_ctx *ctx, const struct tp_link_conf *conf, uint64_t now);
/** NULL is allowed. */
void tp_link_destroy(struct tp_link *link);

/** Look. At any time, and cheap when nothing is due.
 * @param in may be NULL when neither tx, heart nor an unvalidated probe is watched
 * @param out filled with 0..TP_LINK_MAX_OUT probes. NULL: none are made
 * @return true when up, removed, speed or the mask `down` changed
 */
bool tp_link_poll(struct tp_link *link, uint64_t now, const struct tp_link_in *in,
                struct tp_link_out *out);
/** An ARP or ND frame that the member received. Hostile input: anything but a valid reply to a
 * probe of ours is ignored and counted.
 * @param m borrowed
 * @return true when it was one
 */
bool tp_link_frame(struct tp_link *link, const struct rte_mbuf *m, uint64_t now);
struct tp_link_verdict tp_link_verdict(const struct tp_link *link);
/** When tp_link_poll() has something to do; TP_NEVER. (The lsc event comes at any time.) */
uint64_t tp_link_next(const struct tp_link *link);
/** Another source for probes from now on. */
void tp_link_set_mac(struct tp_link *link, const struct rte_ether_addr *mac);

/** Counters of one link. */
struct tp_link_stats {
	uint64_t changes; /**< of `up` */
	uint64_t probes;  /**< made */
	uint64_t replies; /**< valid ones */
	uint64_t ignored; /**< ARP and ND frames that were none */
	uint64_t no_mbuf; /**< probes not made */
	uint64_t events;  /**< link status events raised by the port */
	uint64_t resyncs; /**< times the netlink socket overflowed and flags were read anew */
	uint64_t late;    /**< times the loop stood still past the deadline without being hung:
			         * descheduled */
};
struct tp_link_stats tp_link_stats(const struct tp_link *link);

/* ---- names ---------------------------------------------------------------- */

/** @return "lsc", "poll", ...; static */
const char *tp_link_watch_name(enum tp_link_watch watch);
/** Watches from text: names separated by blanks or commas, or "none". @return 0 or -EINVAL */
int tp_link_mask_parse(const char *text, uint32_t *mask);
/** The other way round. @return buf */
const char *tp_link_mask_format(uint32_t mask, char *buf, size_t len);

/* ---- heart: hung is not descheduled ----------------------------------------- */

enum tp_link_pulse {
	TP_LINK_BEATS, /**< the counter moved */
	TP_LINK_STILL, /**< it stands still, which may be for want of a CPU */
	TP_LINK_HUNG,  /**< it stands still though its thread ran, or was blocked, all the time */
};

/** State of the decision; all zero at first. */
struct tp_link_heart {
	uint64_t count;         /**< loop counter when last seen to move */
	uint64_t since;         /**< first time it was seen to stand still */
	uint64_t cpu_ns;        /**< CPU time of its thread then */
	uint64_t blocked_since; /**< first of the looks in a row that found it blocked */
	uint64_t looked;        /**< last look */
	bool still;             /**< since and cpu_ns are valid */
	bool blocked;           /**< at the last look */
	bool seen;              /**< count is valid */
};

/** Decide, pure. Hung is a loop whose counter stands still while its thread used as much CPU time
 * as the deadline, or was found blocked in the kernel at every look for that long. Two looks further
 * apart than half the deadline do not tell what was between them: the looker itself was late.
 * @param cpu_ns, blocked of the thread now; read only when count did not move
 */
enum tp_link_pulse tp_link_heart_check(struct tp_link_heart *h, uint64_t count, uint64_t cpu_ns,
                bool blocked, uint64_t now, uint64_t deadline_ns);

/** A thread as the kernel sees it. */
struct tp_link_thread {
	int stat_fd;
	pid_t tid;
};
/** @param tid of a thread of this process @return 0 or -errno */
int tp_link_thread_open(struct tp_link_thread *t, pid_t tid);
void tp_link_thread_close(struct tp_link_thread *t);
/** CPU time so far (its CPU clock), and whether it is neither running nor ready to run
 * (/proc/self/task/TID/stat). The shape of tp_link_ctx.thread; arg is struct tp_link_thread *.
 * @return 0, or -ESRCH when the thread is gone
 */
int tp_link_thread_read(void *arg, uint64_t *cpu_ns, bool *blocked);

#endif
