/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The engine of a team from inside.
 *
 *   toe.c       create, free, settings       table.c   4-tuple -> handle, team-wide
 *   shard.c     connections of a member      handle.c  the word that says who owns a connection
 *   listen.c    listeners, users             input.c   from the wire to the connection
 *   open.c      SYNs, active opens           step.c    what a turn of the lcore does
 *   user.c      the users' functions         post.c    from any thread to the owner
 *   look.c      snapshots, counters
 */
#ifndef TOE_INT_H
#define TOE_INT_H

#include <rte_prefetch.h>
#include <rte_spinlock.h>

#include "tp_toe.h"

/* ---- handles ------------------------------------------------------------ */

/* The word of a handle (protocols, release and adopt): bits 63..40 generation, 39..16 epoch, 15..8
 * state, 7..0 member. Changed by CAS only. */
enum handle_state {
	HANDLE_FREE, /* nobody's */
	HANDLE_OWN,  /* the member's */
	HANDLE_XFER, /* released, waits for the member */
	HANDLE_PARK, /* released, waits for anyone */
	HANDLE_DEAD, /* ended, quarantined */
};
#define WORD_MEMBER(w) ((uint8_t)(w))
#define WORD_STATE(w) ((enum handle_state)(uint8_t)((w) >> 8))
#define WORD_EPOCH(w) ((uint32_t)((w) >> 16) & 0xffffff)
#define WORD_GENERATION(w) ((uint32_t)((w) >> 40))
static inline uint64_t
word_make(uint32_t generation, uint32_t epoch, enum handle_state state, uint8_t member)
{
	return (uint64_t)(generation & 0xffffff) << 40 | (uint64_t)(epoch & 0xffffff) << 16 |
	       (uint64_t)state << 8 | member;
}

#define NO_INDEX UINT32_MAX
#define NO_LISTENER 0xff

struct post;

struct handle {
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint64_t word;
	_Atomic(struct post *) posts; /* newest first; any thread pushes, the owner takes all */
	struct tp_tcp_key key;        /* written before the table shows it, by its first owner */
	uint32_t slot;                /* where it is in its owner's shard; owner */
	_Atomic uint32_t next;        /* in the list of free ones */
	uint8_t arrival;              /* member that received the last segment (claim B9); owner */
	uint8_t nb_foreign;           /* received elsewhere in a row, saturating; owner */
	uint8_t user;                 /* index in tp_toe.users */
	uint8_t listener; /* index in the listeners, while in SYN_RCVD; or NO_LISTENER */
};
static_assert(sizeof(struct handle) == RTE_CACHE_LINE_SIZE, "one line");

/* Head of a lock-free list of handles: bits 63..32 a tag against ABA, 31..0 index. */
#define HEAD_INDEX(h) ((uint32_t)(h))
#define HEAD_NEXT(h, index) ((((h) >> 32) + 1) << 32 | (index))

/* ---- the flow table ----------------------------------------------------- */

#define TABLE_WAYS 8

/* A slot: bits 63..32 tag (of the hash), 31..0 handle's index + 1; 0: free. */
struct table_bucket {
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint64_t way[TABLE_WAYS];
};

struct table {
	struct table_bucket *bucket;
	uint32_t nb_buckets;
	uint64_t secret[3];
	size_t bytes;
	_Atomic uint32_t reach; /* choices of a hash that may hold something; only grows */
};

/* ---- listeners ---------------------------------------------------------- */

struct listener {
	uint8_t addr[16];
	rte_be16_t port;
	bool any; /* address */
	uint8_t user;
	uint8_t index; /* stays the same while it exists: counters of the shards */
	void *arg;
	uint32_t backlog;
};

/* Immutable once published. */
struct listeners {
	uint32_t nb;
	struct listener l[];
};

/* ---- everything --------------------------------------------------------- */

#define MAX_USERS 64
#define MAX_LISTENERS 64

struct tp_toe {
	struct tp_toe_conf conf;
	struct tp_inet *inet;
	struct rte_rcu_qsbr *qsbr;
	uint8_t (*member_of)(void *arg, uint32_t hash);
	void *member_of_arg;
	struct tp_tcp_secret secret;
	struct rte_mempool *recs;
	struct rte_mempool *posts;
	struct table table;
	struct handle *handle;
	uint32_t nb_handles;
	size_t handle_bytes;
	_Atomic(struct listeners *) listeners;

	_Atomic(const struct tp_toe_user *) users[MAX_USERS];
	uint8_t nobody; /* user of connections in TIME_WAIT */
	_Atomic uint16_t port_low, port_high;
	_Atomic uint32_t port_tries;
	_Atomic(struct tp_toe_shard *) shard[TP_MAX_MEMBERS];
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint64_t free_handles; /* list head */
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint64_t cookie_until; /* ns: ACKs may bring cookies */
	_Atomic uint32_t nb_conns;
};

/* Handles that are out of the table, until no reader can have seen them there. */
struct limbo {
	uint32_t handle;
	uint64_t token;
};
#define LIMBO_SIZE 4096

/* Handles of connections that ended a moment ago. */
struct ended {
	uint32_t handle;
	uint64_t until;
};
#define NB_ENDED 4096

#define TX_BURST 64

struct tp_toe_shard {
	/* owner */
	struct tp_toe *toe;
	uint8_t member;
	unsigned int reader; /* this thread's number in qsbr */
	int socket_id;
	const struct tp_toe_ops *ops;
	void *arg;
	struct tp_tcp_env env;
	struct tp_inet_worker *inet;
	struct tp_tcp_conn *conn; /* [max] */
	uint32_t max;
	uint32_t nb_conns; /* any r */
	uint32_t free_slot;
	uint32_t nb_fresh;      /* slots never used begin here */
	uint32_t evict_at;      /* where the search for a TIME_WAIT goes on */
	struct tp_wheel *wheel; /* ids are slots */
	void *wheel_mem;
	const struct rte_ether_addr *mac;
	/* Connections to look at before the turn ends: a list by slots, in order of arrival. */
	uint32_t *dirty_next; /* [max] slot, DIRTY_END, or 0xffffffff: not in the list */
	uint32_t dirty_first, dirty_last;
	uint64_t now;
	uint64_t frag_due;
	uint64_t refuse_sec;
	uint32_t refuse_left;
	uint32_t pending[MAX_LISTENERS]; /* in SYN_RCVD; any r */
	uint64_t accepted[MAX_LISTENERS];
	struct limbo limbo[LIMBO_SIZE];
	uint32_t limbo_head, limbo_tail;
	struct ended ended[NB_ENDED];
	uint32_t ended_head, ended_tail;
	uint16_t nb_tx;
	struct rte_mbuf *tx[TX_BURST];
	uint64_t ctr[TP_TOE_NB_COUNTERS]; /* any r */
	/* any thread */
	alignas(RTE_CACHE_LINE_SIZE) _Atomic(struct post *) bells; /* newest first */
	_Atomic(struct snapshot *) snapshot;
};

#define DIRTY_END (NO_INDEX - 1)

/* What the owner of the engine has in a connection: owner_word is the handle's index, the first
 * word of data the user's argument, the second the way to the peer. */
static inline struct tp_inet_dst *
conn_dst(struct tp_tcp_conn *c)
{
	return (struct tp_inet_dst *)&c->owner_data[1];
}
static inline void **
conn_arg(struct tp_tcp_conn *c)
{
	return (void **)&c->owner_data[0];
}
static inline struct handle *
conn_handle(struct tp_toe_shard *s, const struct tp_tcp_conn *c)
{
	return &s->toe->handle[c->owner_word];
}

/* ---- table.c ------------------------------------------------------------ */

int table_init(struct table *t, uint32_t nb_handles);
void table_fini(struct table *t);
uint64_t table_hash(const struct table *t, const struct tp_tcp_key *key);
void table_prefetch(const struct table *t, uint64_t hash);
/* @return index of the handle that most likely has the key, looked at by its tag only; or NO_INDEX */
uint32_t table_guess(const struct table *t, uint64_t hash);
/* @return index of the handle, or NO_INDEX */
uint32_t table_lookup(const struct table *t, const struct handle *handles, uint64_t hash,
                const struct tp_tcp_key *key);
/* Any number of threads at once. @return the handle that is now in the table for this key: index,
 * or that of another one that was there or came at the same time; NO_INDEX: full */
uint32_t table_insert(struct table *t, const struct handle *handles, uint64_t hash, uint32_t index);
void table_remove(struct table *t, uint64_t hash, uint32_t index);

/* ---- handle.c ----------------------------------------------------------- */

int handles_init(struct tp_toe *toe);
void handles_fini(struct tp_toe *toe);
/* @return index, its word {new generation, 0, OWN, member}; or NO_INDEX */
uint32_t handle_alloc(struct tp_toe *toe, uint8_t member);
/* Out of use, and of the table: free once no reader has it. Owner. */
void handle_retire(struct tp_toe_shard *s, uint32_t index);
/* The connection has ended, its segments may still be on their way: for a while they meet neither a
 * listener nor a RST. Owner. */
void handle_quarantine(struct tp_toe_shard *s, uint32_t index);
/* Retire those whose time is over. */
void quarantine_step(struct tp_toe_shard *s);
/* Give back those that no reader can have. @return how many */
uint32_t handles_reclaim(struct tp_toe_shard *s);
void handle_free(struct tp_toe *toe, uint32_t index);
static inline tp_toe_id
handle_id(const struct tp_toe *toe, uint32_t index)
{
	uint64_t word = atomic_load_explicit(&toe->handle[index].word, memory_order_relaxed);

	return (uint64_t)(WORD_GENERATION(word) + 1) << 32 | index;
}
/* Lists of handles. */
void list_push(struct tp_toe *toe, _Atomic uint64_t *head, uint32_t index);
uint32_t list_pop(struct tp_toe *toe, _Atomic uint64_t *head);

/* ---- shard.c ------------------------------------------------------------ */

/* A fresh connection for this key, with a new handle, in the table. @return NULL: no memory, or
 * another member was first (counted) */
struct tp_tcp_conn *conn_new(
                struct tp_toe_shard *s, const struct tp_tcp_key *key, uint8_t user, void *arg);
/* The same with a handle that is there; it stays the caller's on failure.
 * @param other out: the handle that has the key, or NO_INDEX: no memory */
struct tp_tcp_conn *conn_place(struct tp_toe_shard *s, uint32_t index, const struct tp_tcp_key *key,
                uint8_t user, void *arg, uint32_t *other);
void conn_free(struct tp_toe_shard *s, struct tp_tcp_conn *c);
void conn_dirty(struct tp_toe_shard *s, struct tp_tcp_conn *c);
static inline uint32_t
conn_slot(const struct tp_toe_shard *s, const struct tp_tcp_conn *c)
{
	return c - s->conn;
}

/* Bring in what work on a connection touches: so many cache misses at once, not one by one.
 * @param index of a handle, which is in the cache already
 */
static inline void
conn_prefetch(const struct tp_toe_shard *s, uint32_t index)
{
	const struct handle *h = &s->toe->handle[index];
	uint64_t word = atomic_load_explicit(&h->word, memory_order_relaxed);
	const struct tp_tcp_conn *c;

	if (WORD_STATE(word) != HANDLE_OWN || WORD_MEMBER(word) != s->member || h->slot >= s->max)
		return;
	c = &s->conn[h->slot];
	for (size_t off = 0; off < sizeof(*c); off += RTE_CACHE_LINE_SIZE)
		rte_prefetch0(RTE_PTR_ADD(c, off));
	rte_prefetch0(&s->dirty_next[h->slot]);
	tp_wheel_prefetch(s->wheel, h->slot);
}

/* ---- listen.c ----------------------------------------------------------- */

/* @return the listener for a SYN, the most specific one, or NULL. Worker, RCU reader */
const struct listener *listener_find(
                const struct tp_toe *toe, const uint8_t laddr[16], rte_be16_t port);
/* @return index, or -ENOSPC. Any thread */
int user_index(struct tp_toe *toe, const struct tp_toe_user *user);
static inline const struct tp_toe_user *
user_get(const struct tp_toe *toe, uint8_t index)
{
	return atomic_load_explicit(&toe->users[index], memory_order_acquire);
}

/* ---- input.c, open.c, foreign.c ----------------------------------------- */

/* @return false: not an IP packet */
/* Is it a SYN that answers none? */
bool begins(const struct rte_mbuf *m, const struct tp_pkt_info *info);
bool key_of(const struct rte_mbuf *m, const struct tp_pkt_info *info, struct tp_tcp_key *key);
/* A TCP segment for one of our addresses. @return false: it is not ours, m is the caller's */
bool input_tcp(struct tp_toe_shard *s, struct rte_mbuf *m, const struct tp_pkt_info *info,
                const struct tp_tcp_key *key, uint64_t hash);
/* A segment of a connection that is here. */
void input_conn(struct tp_toe_shard *s, struct tp_tcp_conn *c, struct rte_mbuf *m,
                const struct tp_pkt_info *info, uint8_t arrival);
bool input_icmp(struct tp_toe_shard *s, struct rte_mbuf *m, const struct tp_pkt_info *info);
/* This is the member that puts it together; consumed. */
void fragment_here(struct tp_toe_shard *s, struct rte_mbuf *m, const struct tp_pkt_info *info);
/* A segment whose key is in no table. @return false: not ours, m is the caller's */
bool open_input(struct tp_toe_shard *s, struct rte_mbuf *m, const struct tp_pkt_info *info,
                const struct tp_tcp_key *key);
/* A SYN for a TIME_WAIT that may end early (RFC 6191). @return true: it did, seg is consumed */
bool open_again(struct tp_toe_shard *s, struct tp_tcp_conn *c, struct tp_tcp_seg *seg);
/* An active open comes to its owner. */
void open_active(struct tp_toe_shard *s, uint32_t index, void *arg);
/* The connection is established. */
void open_settled(struct tp_toe_shard *s, struct tp_tcp_conn *c);
/* To the shard that owns the connection; consumed. */
void foreign_send(struct tp_toe_shard *s, uint32_t index, uint64_t word, struct rte_mbuf *m,
                uint8_t ingress, uint8_t hops);

/* ---- step.c ------------------------------------------------------------- */

/* TCP segments for one destination get their headers and go out. @param segs consumed */
void transmit(struct tp_toe_shard *s, struct tp_tcp_conn *c, struct rte_mbuf **segs, uint16_t nb);
/* A segment that belongs to no connection: a RST, a SYN-ACK with a cookie. */
void transmit_reply(struct tp_toe_shard *s, const struct tp_tcp_key *key, struct rte_mbuf *seg);
/* A whole frame. */
void transmit_frame(struct tp_toe_shard *s, struct rte_mbuf *m);
void transmit_flush(struct tp_toe_shard *s);

/* ---- post.c ------------------------------------------------------------- */

/* A function on its way. It hangs on its handle, and follows it to whoever owns it. The one that
 * found the list empty also rings: it hangs on the bells of the owner's shard as well, and is freed
 * when all have let go. */
struct post {
	struct post *next;      /* of the same handle; older */
	struct post *next_bell; /* of the same shard */
	void (*fn)(struct tp_toe_call *call, void *arg);
	void *arg;
	tp_toe_id id;
	_Atomic uint32_t refs;
	_Atomic bool rung; /* it is among somebody's bells */
};
/* @return how many were carried out */
unsigned int posts_run(struct tp_toe_shard *s);
/* The handle is FREE by now: tell those that wait for it. */
void posts_void(struct tp_toe *toe, struct handle *h);

/* ---- look.c ------------------------------------------------------------- */

/* One slice of what others ask. */
unsigned int snapshot_step(struct tp_toe_shard *s);

#endif
