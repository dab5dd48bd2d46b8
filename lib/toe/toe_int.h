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
 *
 * Connections that follow their packets:
 *
 *   decide.c    whether one moves            pull.c    what arrives while it is on its way
 *   move.c      release and adopt            sweep.c   all of a member, in slices
 *   park.c      idle ones, in a record       manage.c  control's part
 *   harvest.c   what a dead lcore leaves     mail.c    messages that are never lost
 *   memory.c    pages ahead of their use
 */
#ifndef TOE_INT_H
#define TOE_INT_H

#include <pthread.h>

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

/* Where a context lies: bits 31..24 the member whose shard it is, or WHERE_PARKED, 23..0 the slot, or
 * the record. NO_INDEX: nowhere yet. It changes hands with the word: who owns the handle writes it, who
 * won the word reads it. */
#define WHERE_PARKED 0xfe
#define WHERE(shard, slot) ((uint32_t)(shard) << 24 | (slot))
#define WHERE_SHARD(where) ((uint8_t)((where) >> 24))
#define WHERE_SLOT(where) ((where)&0xffffff)

struct post;

struct handle {
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint64_t word;
	_Atomic(struct post *) posts; /* newest first; any thread pushes, the owner takes all */
	struct tp_tcp_key key;        /* written before the table shows it, by its first owner */
	_Atomic uint32_t where;       /* its context; owner */
	_Atomic uint32_t
	                next; /* in the list of free ones; in use: when it moved last, ms (owner) */
	uint8_t arrival;      /* member that received the last segment (claim B9); owner */
	uint8_t run;          /* segments received there in a row, saturating; owner */
	uint8_t user : 6;     /* index in tp_toe.users; owner */
	uint8_t level : 2;    /* how often it moved lately; owner */
	uint8_t listener;     /* index in the listeners, while in SYN_RCVD; or NO_LISTENER */
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

/* ---- from lcore to lcore -------------------------------------------------- */

/* Never lost: a list that any thread pushes on and one takes whole. */
enum mail_op {
	MAIL_ASK,    /* owner to control: the connection wants to member `to` */
	MAIL_PULL,   /* control to `to`: fetch it, if its word is still this one */
	MAIL_WAKE,   /* control to a member: take it out of the park */
	MAIL_PARKED, /* owner to control: parked, and has to be woken at `until` */
	MAIL_END,    /* owner to control: ended prematurely */
};
struct mail {
	struct mail *next;  /* older */
	struct mail *newer; /* of those in a lcore's hands */
	uint8_t op;
	uint8_t to;
	uint8_t member;
	uint8_t reason; /* enum tp_tcp_reason */
	uint32_t handle;
	union {
		uint64_t word;
		uint64_t until;
		tp_toe_id id;
	};
	struct tp_tcp_key key;
};
struct mailbox {
	alignas(RTE_CACHE_LINE_SIZE) _Atomic(struct mail *) head; /* newest first */
};

/* What travels on rings behind forwarded packets, in a mbuf of kind MESSAGE: a request may be lost. */
enum toe_op {
	TOE_OP_REQ, /* release the connection to me */
};
struct toe_req {
	uint64_t word; /* as the new owner saw it */
	uint32_t handle;
	uint8_t to;
};

/* ---- a connection on its way here ------------------------------------------- */

/* Packets held for each. */
#define HOLD_MAX 128
#define NB_PULLS 4096
#define PULL_WAYS 4

struct pull {
	uint32_t handle;
	uint16_t place; /* among those in use */
	uint8_t nb_held;
	bool active;
	uint64_t word;  /* of the owner that we ask */
	uint64_t since; /* ns */
	struct rte_mbuf *held[HOLD_MAX];
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
	/* Migration: what control says, read by all. */
	_Atomic uint32_t alive;  /* members whose lcores run: all others are fenced, or not there */
	_Atomic uint32_t usable; /* members that may take connections */
	_Atomic uint32_t dead;   /* members whose contexts anybody may take */
	_Atomic uint8_t after;   /* foreign segments in a row before it moves; 0: never */
	_Atomic uint32_t hysteresis; /* ms */
	_Atomic uint64_t idle_ns;    /* of no segment before it is parked; TP_NEVER: never */
	struct manager *manager;     /* control */
	struct tally *tally;
	/* Connections of each member; owner w, any r. Not in the shards, which may go meanwhile. */
	struct {
		alignas(RTE_CACHE_LINE_SIZE) _Atomic uint32_t nb;
	} conns[TP_MAX_MEMBERS];
	struct rte_mempool *mails;
	struct mailbox to_control;
	struct park *park;
	/* Not in the shards, which may go while any thread posts. */
	struct {
		alignas(RTE_CACHE_LINE_SIZE) _Atomic(struct post *) head; /* newest first */
	} bells[TP_MAX_MEMBERS + 1];
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint64_t free_handles; /* list head */
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint64_t cookie_until; /* ns: ACKs may bring cookies */
};

/* Handles that are out of the table, until no reader can have seen them there. */
#ifndef LIMBO_SIZE /* fuzzers have few */
#define LIMBO_SIZE 4096
#endif
struct limbo {
	struct {
		uint32_t handle;
		uint64_t token;
	} of[LIMBO_SIZE];
	uint32_t head, tail;
};

/* Handles of connections that ended a moment ago. */
struct ended {
	uint32_t handle;
	uint64_t until;
};
#define NB_ENDED 4096

#define TX_BURST 64
/* Slots beyond the connections: contexts that were released and are not copied yet. */
#ifndef SLOTS_AWAY
#define SLOTS_AWAY 8192
#endif

struct tp_toe_shard {
	/* owner */
	struct tp_toe *toe;
	uint8_t member;
	unsigned int reader; /* this thread's number in qsbr */
	int thread;          /* debug builds: whose it is, or 0 */
	int socket_id;
	const struct tp_toe_ops *ops;
	void *arg;
	struct tp_tcp_env env;
	struct tp_inet_worker *inet;
	struct tp_tcp_conn *conn; /* [max] */
	uint32_t max;
	/* Bytes whose pages are there; whoever calls tp_toe_prepare(). */
	size_t conn_ready, link_ready, pull_ready;
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
	struct limbo limbo;
	struct ended ended[NB_ENDED];
	uint32_t ended_head, ended_tail;
	uint16_t nb_tx;
	struct rte_mbuf *tx[TX_BURST];
	uint64_t ctr[TP_TOE_NB_COUNTERS];     /* any r */
	uint64_t ended_by[TP_TCP_NB_REASONS]; /* prematurely; any r */
	/* The handle that is worked on, or NO_INDEX. Owner w; control reads it when the lcore is frozen,
	 * so that the order in which the owner writes it is enough. */
	_Atomic uint32_t cur;
	/* Posts of a handle that it has taken and not begun, newest first; how often the first one of them
	 * had been used. Bells and letters that it has taken, the same way. As cur. */
	_Atomic(struct post *) hand;
	_Atomic uint32_t hand_use;
	_Atomic(struct post *) ringing;
	_Atomic(struct mail *) letters;
	/* A slot without a connection of ours, or 0: its context was released, and this is its link in a
	 * list, one that adopts, or ours of those given back; or it is free, and this is the next one. */
	_Atomic uint32_t *link;    /* [max] */
	_Atomic uint32_t adopting; /* rest of the inbox; owner, or control when it is dead */
	uint32_t given;            /* rest of returned; owner */
	uint32_t nb_pulls;
	uint64_t pull_due; /* ns */
	struct pull *pull; /* [NB_PULLS] */
	uint16_t pulling[NB_PULLS];
	uint32_t sweep; /* bits of enum sweep that are under way */
	uint32_t sweep_at;
	uint8_t sweep_why; /* enum tp_toe_why */
	uint8_t shed_to;
	uint32_t shed_left;
	struct tp_toe_pauses pauses; /* any r */
	/* any thread */
	alignas(RTE_CACHE_LINE_SIZE) _Atomic(struct snapshot *) snapshot;
	_Atomic uint32_t orders; /* enum sweep, by bits; ctl w, like what they are about: */
	_Atomic uint8_t order_why, order_shed_to;
	_Atomic uint32_t order_shed;
	struct mailbox mail;
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint32_t inbox; /* contexts released to this member */
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint32_t returned; /* slots given back */
	/* Of our slots, by member: put into its inbox (by the owner, by control), and taken out of
	 * there. Control makes them equal when that member is dead. */
	uint32_t listed[TP_MAX_MEMBERS], listed_by_ctl[TP_MAX_MEMBERS];
	_Atomic uint32_t unlisted[TP_MAX_MEMBERS];
};

/* Links of slots: where + 2, LINK_END, or LINK_NONE (it is in no list, nor away). */
#define LINK_NONE 0
#define LINK_END 1
#define LINK(where) ((where) + 2)
#define LINK_WHERE(link) ((link)-2)

/* What a member does to all its connections. */
enum sweep {
	SWEEP_PROBE = 1,  /* those with data in flight send at once: their port is dead */
	SWEEP_REHOME = 2, /* all go to other members */
	SWEEP_REARM = 4,  /* timers anew: a setting has changed */
	SWEEP_SHED = 8,   /* some go to one other member */
	SWEEP_STOP = 16,  /* no more of REHOME and SHED */
};

static inline void
working_on(struct tp_toe_shard *s, uint32_t handle)
{
	atomic_store_explicit(&s->cur, handle, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst); /* read after a freeze only */
}

/* Debug builds: a connection is written to by one lcore only, its owner's (claim B2). Panics if not. */
#ifdef NDEBUG
#define check_owner(s, index) ((void)0)
#else
void check_owner(struct tp_toe_shard *s, uint32_t index);
#endif

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

/* ---- memory.c ----------------------------------------------------------- */

/* Zero, of that NUMA node, no page there yet; tp_mem_unmap(). @return NULL with errno */
void *memory_map(size_t len, int socket_id);
/* Contexts that a shard has memory for beyond those that the team has. */
#define CONNS_AHEAD 8192

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
/* @return index, or NO_INDEX; its word stays FREE, so that nobody else looks at it, until it is given to
 * a member */
uint32_t handle_pop(struct tp_toe *toe, uint8_t member);
void handle_give(struct tp_toe *toe, uint32_t index, uint8_t member);
/* Both. @return index, its word {new generation, 0, OWN, member}; or NO_INDEX */
uint32_t handle_alloc(struct tp_toe *toe, uint8_t member);
/* The owner changes the word; others may have raised its epoch. */
void word_leave(struct handle *h, uint32_t generations, enum handle_state state, uint8_t member);
/* Out of use, and of the table: free once no reader has it. Owner. */
void handle_retire(struct tp_toe_shard *s, uint32_t index);
/* The same for a word that is FREE already. @param reader the caller's number in qsbr */
void limbo_add(struct tp_toe *toe, struct limbo *limbo, uint32_t index, unsigned int reader);
uint32_t limbo_reclaim(struct tp_toe *toe, struct limbo *limbo);
/* The connection has ended, its segments may still be on their way: for a while they meet neither a
 * listener nor a RST. Owner. */
void handle_quarantine(struct tp_toe_shard *s, uint32_t index);
/* Retire those whose time is over. */
void quarantine_step(struct tp_toe_shard *s);
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
uint32_t slot_alloc(struct tp_toe_shard *s);
void slot_free(struct tp_toe_shard *s, uint32_t slot);
/* The free slot that comes after this free one, or NO_INDEX. */
static inline uint32_t
slot_next(const struct tp_toe_shard *s, uint32_t slot)
{
	uint32_t link = atomic_load_explicit(&s->link[slot], memory_order_relaxed);

	return link != LINK_END ? LINK_WHERE(link) : NO_INDEX;
}
/* Is the context in that slot on its way to another member? */
static inline bool
slot_away(const struct tp_toe_shard *s, uint32_t slot)
{
	return atomic_load_explicit(&s->link[slot], memory_order_relaxed) != LINK_NONE;
}
static inline uint32_t
conns_of(const struct tp_toe_shard *s)
{
	return atomic_load_explicit(&s->toe->conns[s->member].nb, memory_order_relaxed);
}
static inline void
conns_count(struct tp_toe_shard *s, int more)
{
	atomic_store_explicit(
	                &s->toe->conns[s->member].nb, conns_of(s) + more, memory_order_relaxed);
}
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
	uint32_t slot = WHERE_SLOT(h->where);
	const struct tp_tcp_conn *c;

	if (WORD_STATE(word) != HANDLE_OWN || WORD_MEMBER(word) != s->member || slot >= s->max)
		return;
	c = &s->conn[slot];
	for (size_t off = 0; off < sizeof(*c); off += RTE_CACHE_LINE_SIZE)
		rte_prefetch0(RTE_PTR_ADD(c, off));
	rte_prefetch0(&s->dirty_next[slot]);
	rte_prefetch0(&s->link[slot]);
	tp_wheel_prefetch(s->wheel, slot);
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

/* ---- mail.c --------------------------------------------------------------- */

/* @return NULL: none is free */
struct mail *mail_new(struct tp_toe *toe, enum mail_op op, uint32_t handle);
void mail_put(struct mailbox *box, struct mail *mail);
/* All, oldest first. */
struct mail *mail_take(struct mailbox *box);
/* What control wants of a member. */
unsigned int mail_run(struct tp_toe_shard *s);
/* Control. All that a lcore which froze has got or had in its hands, in any order. */
struct mail *mail_return(struct tp_toe_shard *s);
void mail_free(struct tp_toe *toe, struct mail *mail);

/* ---- decide.c --------------------------------------------------------------- */

/* What is known when a segment of ours arrived on another member. */
struct move_view {
	uint8_t after;       /* knob: segments in a row; 0: never */
	uint32_t hysteresis; /* knob: ms */
	uint8_t run;         /* segments in a row on that member */
	uint8_t level;       /* of how often it moved lately */
	uint32_t since_ms;   /* since it moved, or asked to */
};
#define MOVE_LEVEL_MAX 3
/* Should it ask to move now? */
bool decide_move(const struct move_view *view);
/* @return the level after a move, since_ms after the one before */
uint8_t decide_level(const struct move_view *view);

/* ---- move.c ----------------------------------------------------------------- */

/* Let go of a connection for member `to`, which finds it in its inbox.
 * @param word the handle's, as whoever wants it saw it; 0: whatever it is
 * @return false: it is not ours, changed meanwhile, has ended, or `to` takes none */
bool conn_release(struct tp_toe_shard *s, uint32_t index, uint64_t word, uint8_t to,
                enum tp_toe_why why);
/* Win a connection that waits (XFER for us, PARK, a dead member's) and adopt it.
 * @return NULL: somebody else was first, or there is no slot (counted) */
struct tp_tcp_conn *conn_take(struct tp_toe_shard *s, uint32_t index, uint64_t word);
/* May this member take it, by the word? */
bool may_take(const struct tp_toe_shard *s, uint64_t word);
/* Contexts that were released to us; slots that were given back to us. */
unsigned int inbox_run(struct tp_toe_shard *s);
void returned_run(struct tp_toe_shard *s);
/* Owner of the slot. */
void inbox_push(struct tp_toe *toe, struct tp_toe_shard *to, uint32_t where);
/* Control. */
void inbox_assign(struct tp_toe *toe, struct tp_toe_shard *to, uint32_t where);
/* Is any of its slots in an inbox? Its lcore runs no more. */
bool is_listed(const struct tp_toe_shard *s);
void give_back(struct tp_toe *toe, uint32_t where);
/* A foreign segment was recorded: should its connection follow? */
void conn_consider(struct tp_toe_shard *s, uint32_t index);
/* A home for the connection of this handle, whoever has that; NONE: there is no other. */
uint8_t home_for(const struct tp_toe *toe, uint32_t index, uint8_t not_this);

/* ---- pull.c ------------------------------------------------------------------- */

void pull_begin(struct tp_toe_shard *s, uint32_t index, uint64_t word);
struct pull *pull_find(struct tp_toe_shard *s, uint32_t index);
/* Keep a packet until the connection is here; consumed. */
void pull_hold(struct tp_toe_shard *s, struct pull *p, struct rte_mbuf *m, uint8_t ingress);
/* It is here. */
void pull_done(struct tp_toe_shard *s, struct pull *p);
/* Requests again, and those that came to nothing. */
void pulls_run(struct tp_toe_shard *s);
void pulls_free(struct tp_toe_shard *s);
/* A request from another member. */
void pull_asked(struct tp_toe_shard *s, struct rte_mbuf *m);

/* ---- sweep.c ------------------------------------------------------------------ */

unsigned int sweep_run(struct tp_toe_shard *s);

/* ---- park.c ------------------------------------------------------------------- */

struct park *park_create(uint32_t nb, int socket_id);
void park_free(struct park *park);
/* When it may be parked; TP_NEVER. */
uint64_t park_due(const struct tp_toe_shard *s, const struct tp_tcp_conn *c);
/* When it has to be looked at, if nothing happens to it. */
static inline uint64_t
next_look(const struct tp_toe_shard *s, const struct tp_tcp_conn *c)
{
	uint64_t next = tp_tcp_next(c), due = park_due(s, c);

	return RTE_MIN(next, due);
}
/* @return false: it stays */
bool park_conn(struct tp_toe_shard *s, struct tp_tcp_conn *c);
/* Bring it back from its record. @return the member where it was */
uint8_t park_load(struct tp_toe_shard *s, const struct handle *h, uint32_t record,
                struct tp_tcp_conn *c);
/* The record is empty. */
void park_drop(struct tp_toe *toe, uint32_t record);
/* Make a piece of what so many connections may need soon, by extend().
 * @return was there one to make? */
bool park_prepare(struct tp_toe *toe, uint32_t nb_conns,
                bool (*extend)(void *mem, size_t *ready, size_t wanted));

/* ---- manage.c, harvest.c -------------------------------------------------------- */

/* In place of a context that cannot be trusted; whoever owns the handle. */
void tombstone(struct tp_toe *toe, uint32_t index, struct tp_tcp_conn *c);
struct manager *manager_create(struct tp_toe *toe);
/* That member's shard is no more, or a new one. */
void manager_forget(struct tp_toe *toe, uint8_t member);
void manager_absent(struct tp_toe *toe, uint8_t member, bool absent);
void manager_free(struct manager *m);
/* One slice of what dead members left. */
unsigned int harvest_step(struct tp_toe *toe);
static inline struct tp_toe_shard *
shard_of(const struct tp_toe *toe, uint8_t member)
{
	return member < TP_MAX_MEMBERS
	                       ? atomic_load_explicit(&toe->shard[member], memory_order_acquire)
	                       : NULL;
}
/* One that runs; @return NULL: none */
struct tp_toe_shard *shard_alive(const struct tp_toe *toe, uint8_t member);

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
bool input_icmp(struct tp_toe_shard *s, struct rte_mbuf *m, const struct tp_pkt_info *info,
                uint8_t hops);
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
/* A segment whose connection has this handle: to it, wherever it is; consumed.
 * @return false: it has ended */
bool route(struct tp_toe_shard *s, uint32_t index, struct rte_mbuf *m,
                const struct tp_pkt_info *info, uint8_t ingress, uint8_t hops);
/* The same for one that waited on a ring, or here: the handle was of that generation then, and may be
 * another connection's by now. @return false: as above */
bool route_waited(struct tp_toe_shard *s, uint32_t index, uint32_t generation, struct rte_mbuf *m,
                const struct tp_pkt_info *info, uint8_t ingress, uint8_t hops);
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

#define NB_POSTS 8191

/* A function on its way. It hangs on its handle, and follows it to whoever owns it. The one that
 * found the list empty also rings: it hangs on the bells of the owner's shard as well, and is freed
 * when all have let go. */
struct post {
	struct post *next;       /* of the same handle; older */
	struct post *next_bell;  /* of the same shard; older */
	struct post *newer;      /* of those in a lcore's hands */
	struct post *newer_bell; /* the same */
	void (*fn)(struct tp_toe_call *call, void *arg);
	void *arg;
	tp_toe_id id;
	_Atomic uint32_t refs;
	_Atomic uint32_t use; /* another one each time it is posted, and when it is carried out */
	_Atomic bool rung;    /* it is among somebody's bells */
};
/* The bells of control, which alone speaks for handles that nobody owns: it never freezes. */
#define BELLS_CONTROL TP_MAX_MEMBERS
/* @return how many were carried out */
unsigned int posts_run(struct tp_toe_shard *s);
/* Those of a connection that is here. */
unsigned int posts_of(struct tp_toe_shard *s, uint32_t index);
/* Who is there for a handle: its owner, or the one that waits for it; a parked one, anybody; or NONE. */
uint8_t answerer(const struct tp_toe *toe, uint64_t word);
/* Control. The bells of a member that does not answer; something waits at a handle whose bell is lost. */
void bells_pass_on(struct tp_toe *toe, uint8_t member);
void posts_wake(struct tp_toe *toe, uint32_t index);
/* Control. What a lcore that froze had in its hands and had not begun; the bells that it had. */
void posts_return(struct tp_toe *toe, struct tp_toe_shard *s);
void bells_return(struct tp_toe *toe, struct tp_toe_shard *s);
/* The first function of a handle that nobody else has: open it, on that member. From now on it is that
 * member's.
 * @param p of the pool of posts; consumed */
void post_open(struct tp_toe *toe, uint32_t index, uint8_t member, struct post *p, void *arg);

/* ---- look.c ------------------------------------------------------------- */

/* What shards counted that are no more: no sum ever falls. */
struct tally {
	pthread_mutex_t lock; /* who looks at shards from other threads; who takes one away */
	uint64_t ctr[TP_TOE_NB_COUNTERS];
	uint64_t mib[TP_TCP_NB_MIB];
	uint64_t inet_mib[TP_INET_NB_MIB];
	uint64_t ended_by[TP_TCP_NB_REASONS];
	uint64_t accepted[MAX_LISTENERS];
	struct tp_toe_pauses pauses;
};
struct tally *tally_create(void);
void tally_free(struct tally *tally);
/* The shard's last act: what it counted stays, who asked it is answered, nobody sees it any more. */
void shard_hide(struct tp_toe_shard *s);

/* One slice of what others ask. */
unsigned int snapshot_step(struct tp_toe_shard *s);

#endif
