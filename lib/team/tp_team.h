/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** Teaming: the pure engine that decides (who is distributing, who is primary, which bucket
 * belongs to whom), the words through which control and members agree, and the host port's
 * distribution, which only the primary runs.
 */
#ifndef TP_TEAM_H
#define TP_TEAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "tp_core.h"
#include "tp_flow.h"
#include "tp_pkt.h"

#define TP_MIN_BUCKETS 256
#define TP_MAX_BUCKETS 65536

/* ==== configuration ====================================================== */

enum tp_mode_id {
	TP_MODE_HASH, /**< default */
	TP_MODE_LOAD,
	TP_MODE_ACTIVE_BACKUP,
	TP_MODE_ROUND_ROBIN,
	TP_MODE_BROADCAST,
	TP_NB_MODES,
};

/** From which members a frame may reach the host, by place and not by content. */
enum tp_accept {
	TP_ACCEPT_NONE = 0,
	TP_ACCEPT_UNICAST = 1,
	TP_ACCEPT_MULTICAST = 2, /**< and broadcast */
	TP_ACCEPT_ALL = 3,
};

/** What a mode is: policy, no code on the packet path. One const object each. */
struct tp_mode {
	const char *name;
	bool map;             /**< chooses by bucket map */
	bool lazy;            /**< planned moves wait until a bucket is idle */
	bool single;          /**< of the distributing members only the primary is used */
	uint8_t rx_primary;   /**< enum tp_accept of the primary */
	uint8_t rx_secondary; /**< of the other collecting members */
	bool announce_all;    /**< announcements leave by every member, else by the primary */
};

/** The modes, indexed by enum tp_mode_id. */
extern const struct tp_mode tp_modes[TP_NB_MODES];
/** @return enum tp_mode_id, or -EINVAL */
int tp_mode_parse(const char *name);

/** primary_reselect, as in Linux bonding. */
enum tp_reselect {
	TP_RESELECT_ALWAYS,  /**< the best candidate becomes primary at once */
	TP_RESELECT_BETTER,  /**< only if its speed is higher than the present one's */
	TP_RESELECT_FAILURE, /**< only when the present one fails */
};

/** fail_over_mac, as in Linux bonding. */
enum tp_fail_over_mac {
	TP_FOM_NONE,   /**< all members have the team's MAC */
	TP_FOM_ACTIVE, /**< the team's MAC is that of the active member */
	TP_FOM_FOLLOW, /**< the active member takes the team's MAC, a backup has its own */
};

/** Knobs of the team; each with its default beside it (tp_team_conf_default()). */
struct tp_team_conf {
	uint8_t mode;                 /**< enum tp_mode_id: hash */
	uint8_t primary;              /**< preferred member, or TP_MEMBER_NONE (default) */
	uint8_t primary_reselect;     /**< enum tp_reselect: always */
	uint8_t fail_over_mac;        /**< enum tp_fail_over_mac: none */
	bool all_members_active;      /**< accept from backups too: false */
	uint8_t num_peer_notif;       /**< announcements after a failover, 0..255: 1 */
	uint32_t peer_notif_delay_ms; /**< between them: 100 */
	uint8_t resend_igmp;          /**< membership reports after a failover, 0..255: 1 */
	uint32_t min_links;           /**< carrier only with as many distributing members: 0 */
	uint32_t updelay_ms;          /**< link must be up this long before it counts: 0 */
	uint32_t downdelay_ms;        /**< likewise for down: 0 */
	uint32_t flap_max; /**< more failures (<= 15) than this in flap_window_ms ...: 0 = off */
	uint32_t flap_window_ms; /**< 10000 */
	uint32_t flap_hold_ms;   /**< ... keep a member out for this long: 30000 */
	uint32_t nb_buckets;     /**< power of two, TP_MIN_BUCKETS..TP_MAX_BUCKETS: 1024 */
	uint32_t skew_us;        /**< a planned move waits for a bucket idle this long: 2000 */
	uint32_t rebalance_interval_ms; /**< mode load: 100 */
	uint32_t rebalance_threshold;   /**< percent over the mean that is tolerated: 3 */
	struct tp_flow_conf flow;       /**< l34, toeplitz, default key */
};

/** Knobs of a member. */
struct tp_member_conf {
	int32_t prio;    /**< higher is better: 0 */
	uint32_t weight; /**< share of buckets relative to the others', 0..1000: 100 */
};

void tp_team_conf_default(struct tp_team_conf *conf);
/** @param why [why_len] out: one clause that names the bad value and what would be right; may be
 *   NULL with why_len 0
 * @return 0 or -EINVAL
 */
int tp_team_conf_check(const struct tp_team_conf *conf, char *why, size_t why_len);
int tp_member_conf_check(const struct tp_member_conf *conf, char *why, size_t why_len);
/** Names as in the command language ("always", "active"). @return static text or NULL */
const char *tp_reselect_name(enum tp_reselect reselect);
const char *tp_fail_over_mac_name(enum tp_fail_over_mac fom);
/** @return the enumerator or -EINVAL */
int tp_reselect_parse(const char *name);
int tp_fail_over_mac_parse(const char *name);

/* ==== the pure engine ==================================================== */

/** Facts about a member as the engine sees them. Control w; others see copies. */
struct tp_team_member {
	bool used;
	struct tp_member_conf conf;
	uint16_t port_id;    /**< last tie-break: lowest wins, but the present primary stays */
	uint32_t speed_mbps; /**< 0: unknown */
	uint32_t distance;   /**< NUMA distance of its node to the host port's */
	bool enabled;        /**< administratively: start/stop, set link-down */
	bool watch_up;       /**< what the link watches say now, before delays and damping */
	bool link;           /**< fact 1: up, after updelay, downdelay and damping */
	bool collecting; /**< fact 2: what it receives counts; on an aggregation without link, too */
	bool distributing;     /**< fact 3: it may transmit for the host */
	bool fenced;           /**< fact 4: its lcore is not to be trusted */
	uint64_t watch_at;     /**< when watch_up or enabled last changed */
	uint64_t link_due;     /**< when a delayed change of link takes effect; TP_NEVER: none */
	uint64_t damped_until; /**< flap damping keeps it out until then; 0: not damped */
	uint64_t failures;     /**< times link went down, other than by command */
	uint64_t changed_at;   /**< when link last changed */
	uint8_t nb_flaps;      /**< entries of flap_at in use */
	uint64_t flap_at[16];  /**< the last failures' times, oldest first */
};

#define TP_TEAM_ACT_PRIMARY 0x01   /**< actions.primary changed: run the hand-over */
#define TP_TEAM_ACT_DIST 0x02      /**< publish the distribution: tp_team_fill_dist() */
#define TP_TEAM_ACT_ACCEPT 0x04    /**< write the members' rx_accept */
#define TP_TEAM_ACT_CARRIER 0x08   /**< actions.carrier changed (min_links) */
#define TP_TEAM_ACT_ANNOUNCE 0x10  /**< send announcements on actions.announce */
#define TP_TEAM_ACT_IGMP 0x20      /**< repeat membership reports on actions.announce */
#define TP_TEAM_ACT_REBALANCE 0x40 /**< read bytes per bucket, call tp_team_rebalance() */
#define TP_TEAM_ACT_MEMBER 0x80    /**< some member's four facts changed: actions.changed */

/** What control has to do. Filled by tp_team_poll(). */
struct tp_team_actions {
	uint32_t what;                  /**< TP_TEAM_ACT_* */
	uint8_t primary;                /**< present primary or TP_MEMBER_NONE */
	bool carrier;                   /**< host port's link should be up */
	uint32_t announce;              /**< mask of members */
	uint32_t changed;               /**< mask of members whose facts changed */
	uint8_t accept[TP_MAX_MEMBERS]; /**< enum tp_accept */
};

struct tp_dist;

/** The engine. Control only; events and `now` in, actions out; no I/O. */
struct tp_team {
	struct tp_team_conf conf;
	struct tp_team_member member[TP_MAX_MEMBERS];
	uint8_t primary;       /**< member or TP_MEMBER_NONE */
	bool force_primary;    /**< conf.primary was just set or added: it wins once, however */
	bool carrier;          /**< min_links, and one at least, are distributing */
	uint32_t pending;      /**< TP_TEAM_ACT_* not yet reported */
	uint32_t changed;      /**< members whose facts changed since the last poll */
	uint32_t version;      /**< of the distribution */
	uint64_t now;          /**< latest time seen; time never goes back */
	uint64_t announce_due; /**< next announcement; TP_NEVER: none */
	uint64_t igmp_due;
	uint8_t announce_left;
	uint8_t igmp_left;
	uint64_t rebalance_due; /**< mode load */
	uint64_t primary_changes;
	uint64_t primary_since;
	uint8_t map[TP_MAX_BUCKETS];  /**< target: bucket -> member or TP_MEMBER_NONE */
	uint8_t rest[TP_MAX_BUCKETS]; /**< mode load: calls for which a bucket is left alone */
};

/** Start with a checked configuration and no members. */
void tp_team_init(struct tp_team *team, const struct tp_team_conf *conf, uint64_t now);
/** Change knobs; keeps members, moves only the buckets it must. @return 0 or -EINVAL */
int tp_team_set_conf(struct tp_team *team, const struct tp_team_conf *conf, uint64_t now);
/** A member comes: not enabled, link down. @return 0, -EBUSY (index in use), -EINVAL */
int tp_team_add(struct tp_team *team, uint8_t member, uint16_t port_id, uint32_t distance,
                const struct tp_member_conf *conf, uint64_t now);
/** A member goes; its buckets are orphaned. */
int tp_team_del(struct tp_team *team, uint8_t member, uint64_t now);
int tp_team_set_member(struct tp_team *team, uint8_t member, const struct tp_member_conf *conf,
                uint64_t now);
/** Administrative start/stop of a member. */
void tp_team_enable(struct tp_team *team, uint8_t member, bool enable, uint64_t now);
/** The link watches' combined verdict and the speed that the port reports. updelay, and damping,
 * are ignored while no member at all distributes: the one that has waited longest is used.
 */
void tp_team_watch(
                struct tp_team *team, uint8_t member, bool up, uint32_t speed_mbps, uint64_t now);
/** Its lcore was fenced, or readmitted. */
void tp_team_fence(struct tp_team *team, uint8_t member, bool fenced, uint64_t now);
/** Delays, damping, repetitions: collect what is to be done by now. May be called at any time. */
void tp_team_poll(struct tp_team *team, uint64_t now, struct tp_team_actions *act);
/** @return when tp_team_poll() wants to be called at the latest; TP_NEVER */
uint64_t tp_team_next(const struct tp_team *team);

/** Election (claim A10): conf.primary, then highest prio, then speed, then smallest distance,
 * then lowest port id among distributing members. A present primary that still distributes
 * stays unless the best candidate is better in more than the port id and primary_reselect
 * lets it take over; conf.primary takes over once after it was set or added.
 * @return member or TP_MEMBER_NONE
 */
uint8_t tp_team_elect(const struct tp_team *team);

/** Mode load (claim A7): move the fewest buckets that bring the members' load relative to their
 * speed x weight within the threshold.
 * @param bytes [nb_buckets] sent per bucket since the last call
 * @param actual [nb_buckets] where the holder sends each bucket now: as long as it is not idle, a
 *   bucket stays where it was. Moves that were not done by the next call are given up, and such
 *   buckets are left alone for a while. NULL: all moves are done at once
 *   (call only when the holder has applied the last distribution, or with NULL)
 * @return moves made in team->map; TP_TEAM_ACT_DIST is pending if there were any
 */
uint32_t tp_team_rebalance(
                struct tp_team *team, const uint64_t *bytes, const uint8_t *actual, uint64_t now);

/** Buckets that a member has in the target map. */
uint32_t tp_team_nb_buckets_of(const struct tp_team *team, uint8_t member);

/* ==== the distribution: from control to the holder of the host port ====== */

/** What the primary distributes by: an immutable snapshot. Control fills a free one and publishes
 * its address; the holder acknowledges the version, then the older one is free again.
 */
struct tp_dist {
	uint32_t version;
	uint8_t mode;     /**< enum tp_mode_id */
	uint8_t active;   /**< the one member that single modes use, or NONE */
	uint8_t nb_alive; /**< length of alive[] */
	bool lazy;
	uint8_t alive[TP_MAX_MEMBERS]; /**< members to send by, ascending: all that distribute, in
					* single modes the active one */
	uint32_t alive_mask;
	uint32_t nb_buckets;
	uint64_t skew_ns;
	const struct tp_flow *flow;  /**< control owns; lives while a version that names it does */
	uint8_t map[TP_MAX_BUCKETS]; /**< bucket -> member of alive[], or TP_MEMBER_NONE if there is
				      * none; in single modes the active one everywhere */
};

/** Fill a snapshot of what the engine decided; version is raised. dist->flow is the caller's. */
void tp_team_fill_dist(struct tp_team *team, struct tp_dist *dist);

/** Odd, 2^32 divided by the golden ratio. */
#define TP_BUCKET_MIX UINT32_C(0x9e3779b1)

/** Bucket of a hash: mixed first, so that weak low bits of the hash do no harm.
 * @param nb_buckets power of two
 */
static inline uint32_t
tp_bucket_of(uint32_t hash, uint32_t nb_buckets)
{
	return (uint32_t)(((uint64_t)(hash * TP_BUCKET_MIX) * nb_buckets) >> 32);
}

/** A burst sorted by member. Vectors that are stored over the edge of a cache line cost twice. */
struct tp_scatter {
	uint16_t first[TP_MAX_MEMBERS + 2]; /**< frames of member i: pkts[first[i]..first[i+1]);
					     * slot TP_MAX_MEMBERS: frames without a member */
	uint32_t mask;                      /**< members that got a frame */
	/** In arrival order per member; slack is scratch for vector stores. */
	alignas(RTE_CACHE_LINE_SIZE) struct rte_mbuf *pkts[TP_BURST_MAX + 64];
	/** [arrival index] bucket of each frame. */
	alignas(RTE_CACHE_LINE_SIZE) uint16_t bucket[TP_BURST_MAX + 64];
};

/** Hash -> bucket -> member -> sorted burst (claims A4, A6). Vector path chosen once.
 * @param map [nb_buckets] members < nb_members, or TP_MEMBER_NONE; readable for 64 bytes
 *   beyond nb_buckets
 * @param nb_members highest member index in the map plus one
 * @param hash [nb_pkts], readable to TP_BURST_MAX; best at the beginning of a cache line
 */
void tp_team_scatter(const uint8_t *map, uint32_t nb_buckets, uint8_t nb_members,
                struct rte_mbuf *const *pkts, const uint32_t *hash, uint16_t nb_pkts,
                struct tp_scatter *out);
/** Choose the vector unit that scatters; without this call it is the best that this CPU has. For
 * tests and benches, while no worker runs.
 * @return 0, -EINVAL, or -ENOTSUP: this CPU lacks it
 */
int tp_team_scatter_isa(enum tp_flow_isa isa);

/* ==== words between lcores (protocols.md of the design) ================== */

/** Role register of a member: bit 63 primary, bits 62..32 epoch, bits 31..0 seq. Control w. */
#define TP_ROLE_PRIMARY (UINT64_C(1) << 63)
#define TP_ROLE_EPOCH(word) ((uint32_t)(((word) >> 32) & 0x7fffffff))
#define TP_ROLE_SEQ(word) ((uint32_t)(word))
static inline uint64_t
tp_role_word(bool primary, uint32_t epoch, uint32_t seq)
{
	return (primary ? TP_ROLE_PRIMARY : 0) | (uint64_t)(epoch & 0x7fffffff) << 32 | seq;
}

/** Host port's guard: bits 62..32 epoch (control raises), bits 7..0 busy: 0, or who holds it.
 * Taken by CAS {epoch, 0} -> {epoch, TP_GUARD_HOLDER(me)}, left by clearing the busy byte alone.
 * It says who, because control clears the busy of a frozen lcore, and by the time frozen is seen
 * that lcore may have left and the new primary be inside (tests/model, MUT_ANON_BUSY).
 */
#define TP_GUARD_BUSY UINT64_C(0xff)
#define TP_GUARD_HOLDER(member) ((uint64_t)(member) + 1)
#define TP_GUARD_EPOCH_1 (UINT64_C(1) << 32)

/** Tx guard of a member's egress and host ring; busy has the lowest byte for itself. */
#define TP_TXG_BUSY 1u        /**< the consumer is at work */
#define TP_TXG_REVOKED 0x100u /**< the holder of the host port wants everything back */

/** Request to leave a port alone: bits 31..1 sequence, bit 0 halt. The owner acknowledges by
 * copying the word to port_ack; while halted it touches neither Rx nor Tx of the port.
 */
#define TP_PORT_HALT 1u

/** A member as control and its lcore share it. */
struct tp_member {
	/* line 0: ctl w, owner r */
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint64_t role; /**< role register (claims A2, A10) */
	_Atomic uint32_t port_req;                          /**< see TP_PORT_HALT */
	_Atomic uint8_t rx_accept;                          /**< enum tp_accept */
	_Atomic bool collecting;
	_Atomic(const uint64_t *) vlan_filter; /**< [64] bitmap of accepted VLANs; NULL: all */
	uint8_t id;                            /**< index in the team */
	uint16_t port_id;
	int socket_id;
	unsigned int lcore_id;
	struct tp_fabric *fabric;
	struct tp_host *host;
	struct rte_mempool *pool;
	struct rte_ether_addr mac; /**< the team's; changed only while the port is halted */

	/* line 1: owner w, ctl r */
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint32_t seen; /**< seq of the role word it obeys */
	_Atomic uint32_t port_ack;                          /**< port_req it obeys */
	_Atomic uint64_t heart;                             /**< turns of its loop */

	/* line 2: owner and the holder of the host port */
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint32_t tx_guard; /**< TP_TXG_* */

	/* owner's, or the holder's while it has revoked */
	alignas(RTE_CACHE_LINE_SIZE) struct tp_egress egress;
	struct tp_counters ctr; /**< owner w, any r */
	struct tp_load load;    /**< owner w, any r */
};

/* ==== the host port: only the primary works here ========================= */

/** The host port and its distribution. All but its words belong to the holder of the guard. */
struct tp_host;

/** Where the host port stands; a copy for `show`. */
struct tp_host_info {
	uint16_t port_id;   /**< RTE_MAX_ETHPORTS: none */
	uint32_t version;   /**< distribution in force */
	uint32_t published; /**< distribution that control last published */
	uint32_t nb_stash;  /**< frames taken back and not yet handed out */
	uint32_t nb_lazy;   /**< buckets that wait to be idle before they move */
	uint32_t guard_epoch;
	uint8_t holder; /**< member inside right now, or TP_MEMBER_NONE */
};

/** @param fabric rings to and from TP_NODE_HOST are its
 * @param ring_size of those rings; bounds the stash
 * @return NULL with rte_errno
 */
struct tp_host *tp_host_create(
                struct tp_fabric *fabric, uint32_t ring_size, uint16_t burst, int socket_id);
/** Frees what is still in the stash. No worker may run. */
void tp_host_free(struct tp_host *host);

/** Name the members whose rings and guards the holder works on, or forget one (NULL). Control;
 * a member may be forgotten once a distribution without it is applied and the guard was raised.
 */
void tp_host_set_member(struct tp_host *host, uint8_t id, struct tp_member *member);

/** Set or remove (port_id RTE_MAX_ETHPORTS) the port. Control, while nobody can hold the guard:
 * tp_host_raise() done, tp_host_idle() seen, no new role written.
 */
int tp_host_set_port(struct tp_host *host, uint16_t port_id, uint64_t tx_offloads,
                struct rte_mempool *pool, struct rte_mempool *pool_indirect);
/** Let frames of this size through to the port, when it is another than ethdev says. Control, under
 * the same conditions.
 */
void tp_host_set_mtu(struct tp_host *host, uint16_t mtu);

/** Drop what the port has not taken, before it changes. Control, while nobody can hold the guard. */
void tp_host_purge(struct tp_host *host, struct tp_counters *ctr);

/** Take the host port from whoever has it: the present epoch ends (protocols, hand-over).
 * Control. @return the new epoch, for the next primary's role word
 */
uint32_t tp_host_raise(struct tp_host *host);
/** Nobody is inside. Control; stays true only while no member has the present epoch. */
bool tp_host_idle(const struct tp_host *host);
/** Give back the Tx guards that a drain has revoked and not yet given back, because it waits for a
 * lcore: whoever is next inside begins it anew. Until then nothing is put on the rings, so what
 * waits there may leave as it is. Control, while nobody can hold the guard.
 */
void tp_host_let_go(struct tp_host *host);
/** A frozen lcore will not leave: clear its hold of the guard. Control, after `frozen` is seen.
 * What it had in hand is lost, and what a drain had taken back of one ring only in part. Rings and
 * Tx guards that it may have stopped at are mended; the host port's queues are not.
 * @return true if it was inside
 */
bool tp_host_evict(struct tp_host *host, uint8_t member);

/** A snapshot that may be filled and published, or NULL while the last one is not applied yet.
 * @param nobody no member has the present epoch and tp_host_idle() was seen: then the last one
 *   may be written over
 */
struct tp_dist *tp_host_spare(struct tp_host *host, bool nobody);
/** Publish a filled snapshot (from tp_host_spare()). Control; release order. */
void tp_host_publish(struct tp_host *host, struct tp_dist *dist);
/** Version that the holder distributes by; acquire order. Any thread. */
uint32_t tp_host_applied(const struct tp_host *host);

/** One turn of the primary (claims A1-A3): take the guard with the epoch of its role word, apply
 * what control published, hand frames of the members to the host port (without one they are
 * dropped, TP_DROP_HOST_NONE), then the stash or a burst of the host port to the members. Never
 * waits. Member's lcore.
 * @return frames moved
 */
unsigned int tp_host_step(struct tp_host *host, struct tp_member *me, uint64_t now);

/** Frames that a member has received for the host: put on its ring to the host port.
 * @param pkts [nb_pkts] consumed
 */
void tp_host_input(struct tp_member *me, struct rte_mbuf **pkts, uint16_t nb_pkts);

/** Note that a neighbour asked for one of the host's addresses by way of this member, so that the
 * reply leaves by it. Member's lcore.
 * @param m an ARP or ND frame (TP_PKT_F_NEIGH), borrowed; anything but a request is ignored
 */
void tp_host_asked(struct tp_member *me, const struct rte_mbuf *m, const struct tp_pkt_info *info,
                uint64_t now);

/** Transmit what waits for a member: its hold, its ring from the host port, frames of control.
 * Does nothing while the holder has revoked its Tx guard or the port is halted. Owner's lcore.
 * @return frames moved
 */
unsigned int tp_member_transmit(struct tp_member *me, uint16_t burst);

/** Take hold of the member's egress to send by it directly, until tp_member_close(). Owner's lcore.
 * @return false: the port is halted, or the holder of the host port has revoked the Tx guard
 */
bool tp_member_open(struct tp_member *me);
void tp_member_close(struct tp_member *me);

/** Throw away what waits for a member whose port is stopped: hold and ring from control. Owner's
 * lcore, or control when that lcore does not run.
 */
void tp_member_purge(struct tp_member *me);

/** Bytes per bucket since the counters began (mode load), and the member of each bucket as it is
 * now. Any thread; single values do not tear. Valid until tp_host_free().
 */
const uint64_t *tp_host_bucket_bytes(const struct tp_host *host);
const uint8_t *tp_host_map(const struct tp_host *host, uint32_t *nb_buckets);
void tp_host_info(const struct tp_host *host, struct tp_host_info *info);

/* ==== announcements ====================================================== */

/** What the host uses, learned from what it sends, bounded and aged (10 minutes): addresses, for
 * gratuitous ARP (RFC 5227) and unsolicited neighbour advertisements (RFC 4861 7.2.6), and
 * multicast groups, for membership reports, after a failover. Per VLAN; frames with two tags
 * teach nothing. When full, what was not seen for longest is replaced. Control only.
 */
struct tp_announce;

/** Most addresses, and most groups. */
#define TP_ANNOUNCE_MAX 64

/** @return NULL with rte_errno */
struct tp_announce *tp_announce_create(int socket_id);
void tp_announce_free(struct tp_announce *ann);

/** Learn from a frame that the host sent: the sender of ARP, the source of NS and RA, the target of
 * NA; IGMPv1/2/3 and MLDv1/2 reports, leave and done. Frames that do not make sense are ignored.
 * @param m borrowed; any frame
 */
void tp_announce_snoop(struct tp_announce *ann, const struct rte_mbuf *m, uint64_t now);
/** Forget an address that, as a received frame says, someone else has now: it must not be
 * claimed again. @param m borrowed; any frame
 */
void tp_announce_heard(struct tp_announce *ann, const struct rte_mbuf *m);
/** An address of the daemon itself: never ages, never makes room, has the team's MAC.
 * @param vid 0: untagged
 * @param family 4 or 6
 * @param addr [4 or 16] in wire order
 * @return 0, -EINVAL, -ENOSPC (all are the daemon's)
 */
int tp_announce_add_own(struct tp_announce *ann, uint16_t vid, uint8_t family, const uint8_t *addr);
/** @return 0 or -ENOENT */
int tp_announce_del_own(struct tp_announce *ann, uint16_t vid, uint8_t family, const uint8_t *addr);

/** Announce every address: ARP request for itself as a broadcast, NA with the override flag to
 * ff02::1. An address keeps the MAC it was learned with, unless that was the team's until now.
 * @param mac the team's
 * @param pkts [max] out: the caller's
 * @return frames; fewer than there are addresses when max or the pool is too small
 */
uint16_t tp_announce_build(struct tp_announce *ann, uint64_t now, const struct rte_ether_addr *mac,
                struct rte_mempool *mp, struct rte_mbuf **pkts, uint16_t max);
/** The same for membership reports: one report of the present state for each group, in the
 * version that the host last used.
 */
uint16_t tp_announce_build_reports(struct tp_announce *ann, uint64_t now,
                const struct rte_ether_addr *mac, struct rte_mempool *mp, struct rte_mbuf **pkts,
                uint16_t max);

/** One address or group, for `show`. */
struct tp_announce_entry {
	bool group;
	bool own;
	uint8_t family; /**< 4 or 6 */
	uint16_t vid;   /**< 0: untagged */
	struct rte_ether_addr mac;
	uint8_t addr[16]; /**< wire order */
	uint64_t age;     /**< ns since it was last seen */
};

/** @param entries [max] out; 2 * TP_ANNOUNCE_MAX hold all @return how many */
uint32_t tp_announce_dump(const struct tp_announce *ann, uint64_t now,
                struct tp_announce_entry *entries, uint32_t max);

#endif
