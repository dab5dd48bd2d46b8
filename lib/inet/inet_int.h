/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What the files of the module share. */
#ifndef INET_INT_H
#define INET_INT_H

#include <stdatomic.h>

#include <rte_ip.h>
#include <rte_jhash.h>

#include "tp_inet.h"
#include "tp_wheel.h"

#define VID_MASK 0xfff
#define MAPPED_BITS 96 /* of an IPv4-mapped address before the IPv4 one */
#define NO_INDEX UINT32_MAX

/* ---- time and chance --------------------------------------------------------- */

/* So many events a second, in bursts of an eighth of that and at least ten. */
struct inet_bucket {
	uint64_t filled_ns;
	uint32_t per_s; /* 0: no limit */
	uint32_t left;
};

void inet_bucket_init(struct inet_bucket *b, uint32_t per_s, uint64_t now);
bool inet_bucket_take(struct inet_bucket *b, uint64_t now);

/* ---- addresses as bytes --------------------------------------------------------- */

/* Compare the first bits of two addresses, both of 128. */
bool inet_same_prefix(const uint8_t *a, const uint8_t *b, uint8_t bits);
/* A host's own address: not zero, not multicast, broadcast or loopback. */
bool inet_is_unicast(const uint8_t addr[TP_INET_LEN]);
static inline bool
inet_is_link_local(const uint8_t addr[TP_INET_LEN])
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}
static inline bool
inet_same(const uint8_t a[TP_INET_LEN], const uint8_t b[TP_INET_LEN])
{
	return memcmp(a, b, TP_INET_LEN) == 0;
}
static inline bool
inet_is_zero(const uint8_t addr[TP_INET_LEN])
{
	static const uint8_t zero[TP_INET_LEN];

	return inet_same(addr, zero);
}
/* Prefix length in an address of 128 bits. */
static inline uint8_t
inet_bits(const uint8_t addr[TP_INET_LEN], uint8_t prefix_len)
{
	return tp_inet_is_v4(addr) ? prefix_len + MAPPED_BITS : prefix_len;
}

/* ---- what control publishes ------------------------------------------------------- */

struct view_addr {
	uint8_t addr[TP_INET_LEN];
	uint8_t bits; /* of the prefix, of 128 */
	bool usable;
};

/* Routes of both families. To make one takes milliseconds, so that there are two: one that views
 * use, and one to be filled for the next.
 */
struct inet_fibs {
	struct rte_fib *fib4; /* values are indices of next_hop */
	struct rte_fib6 *fib6;
	uint32_t nb;
	uint8_t next_hop[TP_INET_MAX_ROUTES][TP_INET_LEN]; /* zero: on the link */
	/* What to take out before it is filled anew. */
	uint8_t prefix[TP_INET_MAX_ROUTES][TP_INET_LEN];
	uint8_t prefix_len[TP_INET_MAX_ROUTES];
};
#define NB_FIBS 2

/* Addresses and routes; never changed after it was published. */
struct inet_view {
	uint32_t version;
	uint16_t vlan_tci;
	uint16_t mtu;
	uint16_t nb_addrs;
	const struct inet_fibs *fibs;
	struct view_addr addr[TP_INET_MAX_ADDRS];

	/* Control's. */
	struct inet_view *next;
	uint64_t token; /* of the grace period that it waits for */
};

/* A neighbour's word, as workers read it: MAC, generation, state from the top. A generation tells
 * one use of an entry from another.
 */
#define WORD_STATE_BITS 3
#define WORD_GEN_BITS 13
#define WORD_GEN_MASK ((UINT64_C(1) << WORD_GEN_BITS) - 1)
static_assert(TP_INET_NB_NEIGH_STATES <= 1 << WORD_STATE_BITS, "a state has its bits");

static inline uint8_t
word_state(uint64_t word)
{
	return word & ((1 << WORD_STATE_BITS) - 1);
}
static inline uint16_t
word_gen(uint64_t word)
{
	return word >> WORD_STATE_BITS & WORD_GEN_MASK;
}
static inline struct rte_ether_addr
word_mac(uint64_t word)
{
	struct rte_ether_addr mac;
	rte_be64_t be = rte_cpu_to_be_64(word);

	memcpy(&mac, &be, sizeof(mac));
	return mac;
}
static inline uint64_t
word_of(const struct rte_ether_addr *mac, uint16_t gen, uint8_t state)
{
	rte_be64_t be = 0;

	memcpy(&be, mac, sizeof(*mac));
	return rte_be_to_cpu_64(be) | (gen & WORD_GEN_MASK) << WORD_STATE_BITS | state;
}

#define USE_USED 1u      /* a packet went out to it while it was STALE */
#define USE_CONFIRMED 2u /* an upper layer heard from it */

/* An entry: what workers see of it in the first half. */
struct inet_neigh {
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint64_t word; /* ctl w, workers r */
	_Atomic uint64_t addr[2];                           /* changes while FREE only */
	_Atomic uint32_t use;                               /* USE_*: workers set, ctl clears */

	/* Control's. */
	uint16_t pend_first, pend_last; /* plus one */
	uint8_t nb_pend;
	uint8_t nb_sent; /* questions since the state began */
	uint8_t member;  /* who wants it: asked there first */
	bool router;
	uint64_t confirmed_ns; /* TP_NEVER: never */
	uint64_t changed_ns;   /* its MAC */
	uint64_t used_ns;
};
static_assert(sizeof(struct inet_neigh) == RTE_CACHE_LINE_SIZE, "one line each");

/* ---- control ------------------------------------------------------------------------ */

struct inet_addr {
	bool used;
	bool link_local;
	uint8_t prefix_len; /* of its family */
	uint8_t state;      /* enum tp_inet_addr_state */
	uint8_t nb_sent;    /* probes while TENTATIVE, announcements while PREFERRED */
	uint8_t addr[TP_INET_LEN];
	uint32_t nb_conflicts;
	uint64_t defended_ns;
	struct rte_ether_addr rival;
};

struct inet_route {
	bool used;
	bool advertised;
	uint8_t prefix_len; /* of its family */
	uint8_t prefix[TP_INET_LEN];
	uint8_t gateway[TP_INET_LEN]; /* zero: on the link */
	uint64_t expires;
};

struct inet_pend {
	struct rte_mbuf *m;
	uint16_t next; /* plus one */
};

#define NB_OUT 256 /* frames that wait for tp_inet_take(), a power of two */

/* Words {tag of the address, learned at, MTU}: see pmtu.c. */
#define NB_PMTU 1024

struct tp_inet {
	_Atomic(struct inet_view *) view; /* ctl w, workers r */
	struct inet_neigh *neigh;         /* [conf.nb_neighs] */
	_Atomic uint64_t *pmtu;           /* [NB_PMTU] anyone w and r: hints */
	struct tp_inet_conf conf;         /* seed, nb_neighs: read only; the rest is control's */

	/* Control's. */
	alignas(RTE_CACHE_LINE_SIZE) struct inet_view *retired; /* oldest last */
	uint32_t version;
	bool dirty;      /* something changed and is not published yet */
	bool new_routes; /* ... among them routes */
	struct inet_fibs *fibs[NB_FIBS];
	struct tp_wheel *wheel;
	uint64_t rng;
	uint32_t nb_incomplete;
	uint8_t nb_reports;     /* since the groups changed */
	uint8_t nb_router_asks; /* since the beginning, or as many as there may be */
	struct inet_bucket answers;
	struct inet_bucket questions;
	struct inet_addr addr[TP_INET_MAX_ADDRS];
	struct inet_route route[TP_INET_MAX_ROUTES];
	struct inet_pend *pend; /* [conf.nb_pending] */
	uint16_t pend_free;     /* plus one */
	uint16_t out_first, nb_out;
	struct tp_inet_frame out[NB_OUT];
	uint64_t mib[TP_INET_NB_MIB];
};

/* Ids in the wheel: neighbours, then addresses, routes, and one each for reports of groups and
 * solicitations of routers.
 */
static inline uint32_t
addr_timer(const struct tp_inet *inet, const struct inet_addr *a)
{
	return inet->conf.nb_neighs + (a - inet->addr);
}
static inline uint32_t
route_timer(const struct tp_inet *inet, const struct inet_route *r)
{
	return inet->conf.nb_neighs + TP_INET_MAX_ADDRS + (r - inet->route);
}

static inline uint32_t
report_timer(const struct tp_inet *inet)
{
	return inet->conf.nb_neighs + TP_INET_MAX_ADDRS + TP_INET_MAX_ROUTES;
}
static inline uint32_t
solicit_timer(const struct tp_inet *inet)
{
	return report_timer(inet) + 1;
}
static inline uint32_t
nb_timers(const struct tp_inet *inet)
{
	return report_timer(inet) + 2;
}

static inline const struct inet_view *
inet_view(const struct tp_inet *inet)
{
	return atomic_load_explicit(
	                &((struct tp_inet *)(uintptr_t)inet)->view, memory_order_acquire);
}

/* Keyed: nobody outside can choose who collides. @param shift of the seed: another hash */
static inline uint32_t
inet_hash(const struct tp_inet *inet, const uint8_t addr[TP_INET_LEN], unsigned int shift)
{
	uint32_t key[TP_INET_LEN / 4];

	memcpy(key, addr, sizeof(key));
	return rte_jhash_32b(key, RTE_DIM(key), (uint32_t)(inet->conf.seed >> shift));
}

/* inet.c */
/* A random time of at least `from` and less than `from + span`. */
uint64_t inet_random_ns(struct tp_inet *inet, uint64_t from, uint64_t span);
/* Queue a frame for tp_inet_take(). @param m consumed; NULL is counted */
void inet_send(struct tp_inet *inet, struct rte_mbuf *m, uint8_t member);
/* Make a new view public, at once or, while workers still read older routes, by a later step.
 * @return 0, or -ENOMEM: then each step tries again
 */
int inet_publish(struct tp_inet *inet);
/* The same after routes have changed. */
static inline int
inet_publish_routes(struct tp_inet *inet)
{
	inet->new_routes = true;
	return inet_publish(inet);
}

/* addr.c */
struct inet_addr *inet_addr_find(struct tp_inet *inet, const uint8_t addr[TP_INET_LEN]);
void inet_addr_timer(struct tp_inet *inet, struct inet_addr *a, uint64_t now);
/* Someone with this MAC says that an address of ours is its own. */
void inet_addr_conflict(struct tp_inet *inet, struct inet_addr *a, const struct rte_ether_addr *mac,
                uint64_t now);
/* Address to ask a neighbour from: in use, with the neighbour in its prefix if possible. */
const struct inet_addr *inet_addr_for(const struct tp_inet *inet, const uint8_t neigh[TP_INET_LEN]);
/* Is it in a prefix of one of our addresses? */
bool inet_addr_on_link(const struct tp_inet *inet, const uint8_t addr[TP_INET_LEN]);
int inet_addr_link_local(struct tp_inet *inet, uint64_t now);

/* route.c */
/* @return 0 or -ENOMEM */
int inet_fibs_create(struct tp_inet *inet);
void inet_fibs_free(struct tp_inet *inet);
/* Fill one with the present routes. */
void inet_fibs_fill(const struct tp_inet *inet, struct inet_fibs *f);
/* @param next_hop out: a gateway, or the address itself @return 0 or -ENETUNREACH */
int inet_route_lookup(const struct inet_view *v, const uint8_t addr[TP_INET_LEN],
                uint8_t next_hop[TP_INET_LEN]);
void inet_route_timer(struct tp_inet *inet, struct inet_route *r);
/* A router says for how long it is one (RFC 4861 6.3.4). */
void inet_route_advertised(struct tp_inet *inet, const uint8_t router[TP_INET_LEN],
                uint16_t lifetime_s, uint64_t now);

/* mcast.c */
/* The set of addresses is another one: so are their groups. */
void inet_mcast_changed(struct tp_inet *inet, uint64_t now);
void inet_report_timer(struct tp_inet *inet, uint64_t now);
void inet_solicit_timer(struct tp_inet *inet, uint64_t now);
/* A router advertised itself: no more need to ask. */
void inet_router_heard(struct tp_inet *inet);

/* neigh_tab.c */
/* Any lcore. @param word out: as it was @return index or NO_INDEX */
uint32_t inet_neigh_find(
                const struct tp_inet *inet, const uint8_t addr[TP_INET_LEN], uint64_t *word);
/* Give an address an entry, FREE still; control. @param evict others may make room
 * @return index or NO_INDEX
 */
uint32_t inet_neigh_claim(
                struct tp_inet *inet, const uint8_t addr[TP_INET_LEN], bool evict, uint64_t now);

/* neigh.c */
/* What a frame said of an address. */
enum inet_hint {
	INET_HINT_ANSWER,   /* reply to our question, maybe */
	INET_HINT_UPDATE,   /* said without being asked; replaces what is known */
	INET_HINT_WEAK,     /* the same, but it replaces nothing (NA without override flag) */
	INET_HINT_QUESTION, /* it asked for one of our addresses */
};
void inet_neigh_heard(struct tp_inet *inet, const uint8_t addr[TP_INET_LEN],
                const struct rte_ether_addr *mac, enum inet_hint hint, bool router, uint64_t now);
void inet_neigh_timer(struct tp_inet *inet, uint32_t index, uint64_t now);
/* Take what waits for an entry. */
void inet_neigh_drop(struct tp_inet *inet, struct inet_neigh *n, enum tp_inet_mib why);
void inet_neigh_set(struct tp_inet *inet, struct inet_neigh *n, uint8_t state,
                const struct rte_ether_addr *mac);
void inet_neigh_free(struct tp_inet *inet, struct inet_neigh *n, enum tp_inet_mib why);

/* ---- a member's half -------------------------------------------------------------- */

struct rte_ip_frag_tbl;
struct inet_frags;

struct tp_inet_worker {
	struct tp_inet_worker_conf conf;
	struct inet_bucket echoes;
	struct inet_bucket errors;
	struct inet_frags *frags; /* NULL: none are put together */
	uint64_t mib[TP_INET_NB_MIB];
};

/* frag.c */
struct inet_frags *inet_frags_create(const struct tp_inet_worker_conf *conf);
void inet_frags_free(struct inet_frags *f);

/* icmp.c */
/* Sum over an ICMP message, pseudo header included for IPv6: 0xffff when its checksum is right. */
uint16_t inet_icmp_sum(const struct rte_mbuf *m, const struct tp_pkt_info *info,
                const uint8_t src[TP_INET_LEN], const uint8_t dst[TP_INET_LEN]);

#endif
