/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** The TCP offload engine of a team: a shard of connections for each member, one flow table, one
 * set of listeners, one handle for each connection, and the API of its users.
 *
 * A connection is worked on by one lcore only, its owner's. Users are called on that lcore
 * (struct tp_toe_user) and may there use the functions that take a struct tp_toe_call. From any
 * other thread, or for another connection, tp_toe_post() brings a function to the owner, wherever
 * the connection is by then.
 */
#ifndef TP_TOE_H
#define TP_TOE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>

#include "tp_core.h"
#include "tp_inet.h"
#include "tp_pkt.h"
#include "tp_tcp.h"
#include "tp_wheel.h"

/** Name of a connection for its users: generation in the upper half, index of its handle in the
 * lower. An old one names nothing (-ESTALE), it never names another connection.
 */
typedef uint64_t tp_toe_id;
#define TP_TOE_ID_NONE UINT64_C(0)

/* ---- what is counted, for each shard ------------------------------------ */

#define TP_TOE_COUNTERS(X)                                                                         \
	X(RX_SEGS, "toe_rx_segments", "TCP segments for the team's own addresses")                 \
	X(RX_HOST, "toe_rx_to_host", "of these left to the host: no listener, no connection")      \
	X(RX_FOREIGN, "toe_rx_foreign", "forwarded to the member that owns the connection")        \
	X(RX_FORWARDED, "toe_rx_forwarded", "received from the member where they arrived")         \
	X(RX_STALE, "toe_rx_stale", "dropped: for a connection that ended a moment ago")           \
	X(RX_HOPS, "toe_rx_hops", "dropped: forwarded too often")                                  \
	X(RX_BAD, "toe_rx_bad", "dropped: bad IP or TCP header or checksum")                       \
	X(RX_REFUSED, "toe_rx_refused", "answered with RST: nobody listens")                       \
	X(RX_REFUSE_LIMIT, "toe_rx_refuse_limit", "not answered with RST: rate limited")           \
	X(RX_UNREACH, "toe_rx_unreach", "dropped: other protocol than TCP, and there is no host")  \
	X(RX_BACKLOG, "toe_rx_backlog", "SYNs dropped: backlog full and cookies off")              \
	X(RX_NO_CONN, "toe_rx_no_conn", "SYNs dropped: no free connection, handle or table slot")  \
	X(RX_RACE, "toe_rx_race", "same SYN on two members at once: left to the other")            \
	X(TX_NO_ROUTE, "toe_tx_no_route", "segments dropped: no route")                            \
	X(TX_UNRESOLVED, "toe_tx_unresolved", "segments dropped: neighbour not known yet")         \
	X(TX_NO_HEADROOM, "toe_tx_no_headroom", "segments dropped: no room for headers")           \
	X(CONNS_OPENED, "toe_conns_opened", "connections that began here")                         \
	X(CONNS_CLOSED, "toe_conns_closed", "connections that ended here")                         \
	X(CONNS_PREMATURE, "toe_conns_premature", "of these not closed by both sides")             \
	X(POSTED, "toe_posted", "functions carried out for other threads")                         \
	X(POST_STALE, "toe_post_stale", "functions told that their connection is gone")            \
	X(MOVE_ASKED, "toe_move_asked", "connections that asked control to follow their packets")  \
	X(MOVED_OUT, "toe_moved_out", "connections released to another member")                    \
	X(MOVED_IN, "toe_moved_in", "connections adopted from another member")                     \
	X(MOVE_ARRIVAL, "toe_move_arrival", "of those released: packets arrived elsewhere")        \
	X(MOVE_COMMAND, "toe_move_command", "of those released: told to")                          \
	X(MOVE_LINK, "toe_move_link", "of those released: the port is down")                       \
	X(MOVE_DRAIN, "toe_move_drain", "of those released: the member is drained or leaves")      \
	X(MOVE_LOAD, "toe_move_load", "of those released: the lcore is busy")                      \
	X(MOVE_HARVEST, "toe_move_harvest", "adopted from a member whose lcore runs no more")      \
	X(MOVE_REFUSED, "toe_move_refused", "requests for a connection that was not there")        \
	X(MOVE_VOID, "toe_move_void", "requests that came to nothing")                             \
	X(MOVE_NO_SLOT, "toe_move_no_slot", "not adopted: no room, or too many at once")           \
	X(MOVE_PROBED, "toe_move_probed", "sent at once as their port died")                       \
	X(RX_HELD, "toe_rx_held", "kept until their connection was here")                          \
	X(RX_HOLD_FULL, "toe_rx_hold_full", "dropped: too many were kept")                         \
	X(PARKED, "toe_parked", "idle connections parked")                                         \
	X(RELOADED, "toe_reloaded", "parked connections taken back")                               \
	X(TORN, "toe_torn", "connections lost as their lcore froze at work on them")

enum tp_toe_counter {
#define X(id, name, text) TP_TOE_C_##id,
	TP_TOE_COUNTERS(X)
#undef X
	                TP_TOE_NB_COUNTERS,
};

const char *tp_toe_counter_name(enum tp_toe_counter counter);
const char *tp_toe_counter_text(enum tp_toe_counter counter);

/** Why a connection moves. */
enum tp_toe_why {
	TP_TOE_WHY_ARRIVAL, /**< its packets arrive there (claims B1, B8) */
	TP_TOE_WHY_COMMAND,
	TP_TOE_WHY_LINK,  /**< its member's port is down */
	TP_TOE_WHY_DRAIN, /**< its member is emptied, or leaves */
	TP_TOE_WHY_LOAD,  /**< its member's lcore is busy */
	TP_TOE_NB_WHYS,
};

/** How long connections were nobody's, and how many packets were kept for them: counts by
 * logarithm, four steps to a power of two. Owner w, any r.
 */
#define TP_TOE_NB_STEPS 128
struct tp_toe_pauses {
	uint32_t pause_us[TP_TOE_NB_STEPS]; /**< released to adopted */
	uint32_t held[TP_TOE_NB_STEPS];     /**< packets */
	uint32_t pause_max_us, held_max;
	uint32_t pause_last_us; /**< of the newest, adopted at: */
	uint64_t last_ns;
};
/** @return the step that counts such a value; the least value of a step */
unsigned int tp_toe_step_of(uint32_t value);
uint32_t tp_toe_step_value(unsigned int step);

/* ---- the team's engine -------------------------------------------------- */

struct tp_toe;
struct tp_toe_shard;

/** What a member does for its shard; arg is the shard's. All on the member's lcore. */
struct tp_toe_ops {
	/** Frames that transmit() surely takes. */
	uint16_t (*room)(void *arg);
	/** Whole Ethernet frames with intent; consumed. */
	void (*transmit)(void *arg, struct rte_mbuf **pkts, uint16_t nb_pkts);
	/** To another member's shard, tp_meta filled in; consumed. */
	void (*forward)(void *arg, uint8_t member, struct rte_mbuf **pkts, uint16_t nb_pkts);
	/** To control, tp_meta filled in (TP_WHY_RESOLVE); consumed. */
	void (*control)(void *arg, struct rte_mbuf **pkts, uint16_t nb_pkts);
};

/** When connections move, and when they are parked. */
struct tp_toe_move_conf {
	uint8_t after;          /**< foreign segments in a row; 0: they stay. Default 3 */
	uint32_t hysteresis_ms; /**< between two moves, more if they are often. Default 100 */
	uint64_t idle_ns; /**< parked after so long without a segment; 0: never. Default 60 s */
};
#define TP_TOE_HYSTERESIS_MAX_MS 3600000

/** Sizes and knobs; checked by tp_toe_create(). */
struct tp_toe_conf {
	uint32_t max_conns;     /**< of the team, and of one shard; 64..16 Mi. Default 65536 */
	uint32_t max_listeners; /**< default 64 */
	uint32_t refuse_rate;   /**< RSTs a second and shard, default 1000 */
	bool syn_cookies;       /**< when a backlog is full; default on */
	bool has_host;          /**< what nobody wants goes to the host, not refused */
	bool answer;            /**< answer echo requests, and without a host packets that nobody
				 * wants by ICMP errors: --neigh toe */
	uint64_t held_max;      /**< bytes a shard's connections may keep; 0: no limit */
	int park_socket_id;     /**< NUMA node of parked connections: the host's */
	struct tp_toe_move_conf move;
	struct tp_tcp_conf tcp;
};
void tp_toe_conf_default(struct tp_toe_conf *conf);

/** Everything for the team's shards. Control, before its workers run.
 * @param inet addresses, routes and neighbours; outlives it
 * @param qsbr readers are the workers by member index
 * @param member_of which member the bucket map proposes for a flow's hash; any worker
 * @return NULL with rte_errno; *why says what was wrong with conf
 */
struct tp_toe *tp_toe_create(const struct tp_toe_conf *conf, struct tp_inet *inet,
                struct rte_rcu_qsbr *qsbr, uint8_t (*member_of)(void *arg, uint32_t hash),
                void *member_of_arg, const char **why);
/** The MTU of the team, for connections from now on. Control. */
void tp_toe_set_mtu(struct tp_toe *toe, uint16_t mtu);
/** No worker may run; all shards are freed. */
void tp_toe_free(struct tp_toe *toe);

/** A member's shard, on its NUMA node. Control.
 * @param pool headers and copies
 * @param pool_indirect may be NULL: data is copied
 * @param mac source of what it sends, read at each packet
 * @return NULL with rte_errno
 */
struct tp_toe_shard *tp_toe_shard_create(struct tp_toe *toe, uint8_t member, int socket_id,
                struct rte_mempool *pool, struct rte_mempool *pool_indirect,
                const struct rte_ether_addr *mac, const struct tp_toe_ops *ops, void *arg);
/** Ends its connections (TP_TCP_R_ABORT, without a segment) and frees it. Control, when the lcore
 * of that member runs no more. @return connections that were ended
 */
uint32_t tp_toe_shard_free(struct tp_toe_shard *shard);
/** What another member received for this shard, or asks of it: kinds FOREIGN and MESSAGE, from a
 * ring. Owner lcore.
 * @param pkts [nb_pkts] consumed
 */
void tp_toe_foreign(
                struct tp_toe_shard *shard, struct rte_mbuf **pkts, uint16_t nb_pkts, uint64_t now);

/** Received frames: those of our addresses and of our protocol are consumed. Owner lcore.
 * @param pkts [nb_pkts] in: frames that the place rules let through; out: the rest, for the host
 * @param info [nb_pkts] their parse results; kept beside pkts
 * @return how many are left
 */
uint16_t tp_toe_input(struct tp_toe_shard *shard, struct rte_mbuf **pkts, struct tp_pkt_info *info,
                uint16_t nb_pkts, uint64_t now);
/** Timers, posted functions, users' calls, transmission. Once a turn of the lcore.
 * @return work done
 */
unsigned int tp_toe_step(struct tp_toe_shard *shard, uint64_t now);

/* ---- users -------------------------------------------------------------- */

/** Where a call into a user happens: valid until it returns. */
struct tp_toe_call {
	struct tp_toe_shard *shard;
	tp_toe_id id;
	void *arg; /**< of the connection; the user may change it */
	uint64_t now;
	struct tp_tcp_conn *conn; /**< for the functions below; NULL: the connection is gone */
};

/** A user: what it wants to be told. All on the lcore that owns the connection; NULL: not told. */
struct tp_toe_user {
	const char *name;
	/** A connection is established, either way. call->arg is the listener's, or what connect
	 * was given. */
	void (*on_accept)(struct tp_toe_call *call);
	/** Data in order. @param data chain, the callee's now; credit it by tp_toe_consumed() */
	void (*on_data)(struct tp_toe_call *call, struct rte_mbuf *data);
	/** There is room again after tp_toe_send() had refused. */
	void (*on_writable)(struct tp_toe_call *call);
	/** The peer sends no more. NULL: it is closed then. */
	void (*on_eof)(struct tp_toe_call *call);
	/** The connection is over, and its id names nothing any more; also called if it never was
	 * established. TIME_WAIT goes on without its user. */
	void (*on_close)(struct tp_toe_call *call, enum tp_tcp_reason reason);
	/** It was moved here from another member. */
	void (*on_moved)(struct tp_toe_call *call, uint8_t from);
};

/** What to listen on. */
struct tp_toe_listen {
	const struct tp_toe_user *user; /**< outlives the listener and its connections */
	void *arg;                      /**< of its connections, to begin with */
	uint8_t addr[16];               /**< IPv4-mapped or IPv6; all zero: all, both families */
	uint16_t port;                  /**< host order */
	uint32_t backlog;               /**< connections in SYN_RCVD of a shard; 0: 1024 */
};
/** One listener serves all members (RFC 9293 3.10.1). A specific address goes before a wildcard.
 * Control. @return 0, -EADDRINUSE, -ENOSPC, -EINVAL
 */
int tp_toe_listen(struct tp_toe *toe, const struct tp_toe_listen *how);
/** Accept no more; connections stay. Control. @return 0 or -ENOENT */
int tp_toe_unlisten(struct tp_toe *toe, const uint8_t addr[16], uint16_t port);

/** Whom to connect to. */
struct tp_toe_connect {
	const struct tp_toe_user *user;
	void *arg;
	uint8_t raddr[16]; /**< IPv4-mapped or IPv6 */
	uint8_t laddr[16]; /**< one of the team's; all zero: chosen (RFC 9293 3.9.1.1, RFC 6724) */
	uint16_t rport;
	uint16_t lport; /**< 0: chosen (RFC 6056) from the range of tp_toe_set_ports() */
	uint8_t member; /**< TP_MEMBER_NONE: the bucket map proposes one */
};
/** Active open, on the member that the bucket map proposes. Any thread. on_accept or on_close
 * follows. @return the id; TP_TOE_ID_NONE with rte_errno: EHOSTUNREACH (no address of that
 *   family), EADDRNOTAVAIL (no free port), ENOBUFS
 */
tp_toe_id tp_toe_connect(struct tp_toe *toe, const struct tp_toe_connect *how);
/** Local ports of active opens, default 49152..65535. Control, before the first. */
int tp_toe_set_ports(struct tp_toe *toe, uint16_t low, uint16_t high);

/* In a call, on the owner's lcore. */

/** As tp_tcp_send(). */
int tp_toe_send(struct tp_toe_call *call, struct rte_mbuf *m, bool push);
uint32_t tp_toe_send_space(const struct tp_toe_call *call);
/** Ask for on_writable as if tp_toe_send() had refused; for a user that found no buffer, too. */
void tp_toe_want_space(struct tp_toe_call *call);
/** The member that owns the connection. */
uint8_t tp_toe_member(const struct tp_toe_call *call);
/** Has the peer sent all it will (on_eof)? */
static inline bool
tp_toe_at_eof(const struct tp_toe_call *call)
{
	return call->conn == NULL || (call->conn->flags & TP_TCP_F_FIN_RCVD) != 0;
}
/** A buffer to send in, of the shard's pool; NULL: none. */
struct rte_mbuf *tp_toe_alloc(struct tp_toe_call *call);
void tp_toe_consumed(struct tp_toe_call *call, uint32_t len_bytes);
/** Half close: send no more. */
void tp_toe_shutdown(struct tp_toe_call *call);
void tp_toe_close(struct tp_toe_call *call);
void tp_toe_abort(struct tp_toe_call *call);
int tp_toe_set(struct tp_toe_call *call, enum tp_tcp_opt opt, uint64_t value);
/** Carry fn to the lcore that owns the connection. Any thread. fn is called exactly once, with
 * call->conn NULL when the connection is gone.
 * @return 0, or -ENOBUFS: not posted
 */
int tp_toe_post(struct tp_toe *toe, tp_toe_id id,
                void (*fn)(struct tp_toe_call *call, void *fn_arg), void *fn_arg);

/** Does the id name a connection, wherever that is: in a shard, between two, parked? Any thread. */
bool tp_toe_names(const struct tp_toe *toe, tp_toe_id id);

/* ---- migration: control's part ------------------------------------------- */

/** What a member's connections have to do, as far as control knows. */
enum tp_toe_place {
	TP_TOE_ACTIVE, /**< it takes connections */
	TP_TOE_DOWN,   /**< its port is dead, its lcore runs: all go elsewhere, what is in flight at
			* once by the port that its member uses now (ops.transmit) */
	TP_TOE_DRAIN,  /**< all go elsewhere, at leisure */
};
/** Tell a member's state; nothing happens if it was that already. Control. */
void tp_toe_set_place(struct tp_toe *toe, uint8_t member, enum tp_toe_place place);
/** The lcore of a member runs no more: frozen in the middle of its work, or its loop has ended.
 * Others adopt its connections, at once by arrival, all others as tp_toe_manage() goes on; the one
 * that it was working on when it froze is torn and ends. Control.
 */
void tp_toe_fence(struct tp_toe *toe, uint8_t member);
/** After tp_toe_fence(): is everything out of its memory, or nobody there to take it? Then
 * tp_toe_let_go() and tp_toe_shard_free(). Any thread that is no worker.
 */
bool tp_toe_left(struct tp_toe *toe, uint8_t member);
/** After tp_toe_fence(): what is still in that member's memory stays there; tp_toe_manage() does not
 * look at it any more, so that another thread may free it. Control.
 */
void tp_toe_let_go(struct tp_toe *toe, uint8_t member);
/** Make memory for what a member would have to take if the others failed, and for what is parked
 * next, so that no lcore waits for a fresh page: up to 2 MB of it, which takes 0.1 to 5 ms. To be
 * called now and then, until it returns false, by the one thread that creates and frees shards; the
 * caller may be that one only while no lcore waits for it.
 * @return false: there is nothing to make now
 */
bool tp_toe_prepare(struct tp_toe *toe);
/** Change the knobs. Control. @return 0 or -EINVAL */
int tp_toe_set_move(struct tp_toe *toe, const struct tp_toe_move_conf *conf);
void tp_toe_get_move(const struct tp_toe *toe, struct tp_toe_move_conf *conf);
/** Requests of connections that want to move, wakes, what dead members left, ends to report: once
 * a turn of control. @return work done
 */
unsigned int tp_toe_manage(struct tp_toe *toe, uint64_t now);
/** Move one connection to a member. Any thread. @return 0; -ENODEV: no such member takes any;
 * -ENOBUFS. Whether it is gone by then shows in tp_toe_snapshot()
 */
int tp_toe_move(struct tp_toe *toe, tp_toe_id id, uint8_t to);
/** Release up to so many of a member's connections to another one: its lcore is busy. Control. */
void tp_toe_shed(struct tp_toe *toe, uint8_t member, uint8_t to, uint32_t nb);

/** How busy a member's lcore is. */
struct tp_toe_load {
	uint8_t member;
	uint32_t busy_permille;
	uint32_t nb_conns;
};
/** Connections that should go from one to another. */
struct tp_toe_shift {
	uint8_t from, to;
	uint32_t nb;
};
/** Are some better off elsewhere? Pure. @param load [nb] members that take connections */
bool tp_toe_rebalance(const struct tp_toe_load *load, uint8_t nb, struct tp_toe_shift *shift);

/** A connection that ended before both sides had closed it (claim B6). */
struct tp_toe_end {
	tp_toe_id id;
	struct tp_tcp_key key;
	uint8_t member;
	enum tp_tcp_reason reason;
};
/** Have fn called for each, from tp_toe_manage(). Control, before the first connection. */
void tp_toe_on_end(
                struct tp_toe *toe, void (*fn)(void *arg, const struct tp_toe_end *end), void *arg);

/* ---- looking ------------------------------------------------------------ */

/** A connection, as `show conn` has it. */
struct tp_toe_conn_info {
	tp_toe_id id;
	struct tp_tcp_key key;
	uint8_t member;  /**< owner */
	uint8_t arrival; /**< member that received its last segment (claim B9) */
	char user[16];
	struct tp_tcp_info tcp;
};
/** Ask every shard for its connections: each fills in what it has, in slices between bursts.
 * Not a worker; blocks until all have answered or gone.
 * @param filter which are wanted, on the owner's lcore; NULL: all
 * @param arg for filter; a shard that answers too late still uses it, so it must not go away
 * @param info [max] out
 * @param total out: how many there were that passed the filter
 * @return how many are in info
 */
uint32_t tp_toe_snapshot(struct tp_toe *toe,
                bool (*filter)(const struct tp_toe_conn_info *info, void *arg), void *arg,
                struct tp_toe_conn_info *info, uint32_t max, uint32_t *total);
/** A listener, as `show listen` has it. */
struct tp_toe_listener_info {
	uint8_t addr[16];
	uint16_t port;
	char user[16];
	uint32_t backlog;
	uint32_t pending;  /**< connections in SYN_RCVD, all shards */
	uint64_t accepted; /**< all shards */
};
/** @return how many there are; info is filled up to max. Control or front. */
uint32_t tp_toe_listeners(struct tp_toe *toe, struct tp_toe_listener_info *info, uint32_t max);
/** Sums over all shards. Any thread; single values do not tear. */
void tp_toe_counters(const struct tp_toe *toe, uint64_t counters[TP_TOE_NB_COUNTERS],
                uint64_t mib[TP_TCP_NB_MIB]);
/** Sums of the shards' tp_inet_worker_mib(). Any thread; single values do not tear. */
void tp_toe_inet_mib(const struct tp_toe *toe, uint64_t mib[TP_INET_NB_MIB]);
/** Sum over all shards. Any thread. */
void tp_toe_get_pauses(const struct tp_toe *toe, struct tp_toe_pauses *sum);
/** Connections that ended prematurely, by reason. Any thread. */
void tp_toe_ends(const struct tp_toe *toe, uint64_t ends[TP_TCP_NB_REASONS]);
/** Parked connections now. */
uint32_t tp_toe_nb_parked(const struct tp_toe *toe);
/** Parked connections; `member` is where they were, last segments and sizes are those of then.
 * Not a worker. @return how many are in info
 */
uint32_t tp_toe_parked(struct tp_toe *toe,
                bool (*filter)(const struct tp_toe_conn_info *info, void *arg), void *arg,
                struct tp_toe_conn_info *info, uint32_t max, uint32_t *total);
/** Connections of one shard now. */
uint32_t tp_toe_nb_conns(const struct tp_toe *toe, uint8_t member);

#endif
