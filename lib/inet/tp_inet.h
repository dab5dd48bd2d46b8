/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** The team as an IP host: its addresses, neighbours, routes, ICMP, headers in front of a
 * segment, reassembly.
 *
 * Control's half is an engine: frames heard and `now` in, frames to send out
 * (tp_inet_take()); it reads no clock. Workers read what control has published: one view of
 * addresses and routes, replaced as a whole and freed after a grace period of conf->qsbr, and one
 * 64-bit word for each neighbour. While workers may still read older routes, what changes is seen
 * by them, and by the functions below, after one of the next steps. A call of a worker must lie between two of its quiescent states.
 *
 * All addresses are 16 bytes in wire order; an IPv4 address is IPv4-mapped (RFC 4291 2.5.5.2), as
 * in tp_tcp_key.
 */
#ifndef TP_INET_H
#define TP_INET_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "tp_core.h"
#include "tp_pkt.h"

struct rte_rcu_qsbr;

/** Bytes of an address. */
#define TP_INET_LEN 16
/** Addresses of a team, link-local included. */
#define TP_INET_MAX_ADDRS 32
/** Routes, connected prefixes included. */
#define TP_INET_MAX_ROUTES 256

/* ---- addresses as bytes -------------------------------------------------- */

static inline bool
tp_inet_is_v4(const uint8_t addr[TP_INET_LEN])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(addr, mapped, sizeof(mapped)) == 0;
}

/** IPv4 to IPv4-mapped. */
static inline void
tp_inet_map_v4(uint8_t addr[TP_INET_LEN], rte_be32_t ip)
{
	memset(addr, 0, 10);
	addr[10] = addr[11] = 0xff;
	memcpy(addr + 12, &ip, sizeof(ip));
}

/** The IPv4 address in an IPv4-mapped one. */
static inline rte_be32_t
tp_inet_v4(const uint8_t addr[TP_INET_LEN])
{
	rte_be32_t ip;

	memcpy(&ip, addr + 12, sizeof(ip));
	return ip;
}

/** May a host have it? Not unspecified, loopback, multicast, broadcast, class E. */
bool tp_inet_is_unicast(const uint8_t addr[TP_INET_LEN]);

/* ---- counters ------------------------------------------------------------ */

/** Events: enumerator, name (IP-MIB, RFC 4293, or Linux's where one exists), text. */
#define TP_INET_MIB(X)                                                                             \
	X(IN_ECHOS, "IcmpInEchos", "echo requests for the team")                                   \
	X(OUT_ECHO_REPS, "IcmpOutEchoReps", "echo replies sent")                                   \
	X(ECHO_LIMIT, "IcmpEchoLimited", "echo requests not answered, rate limited")               \
	X(IN_ICMP_ERRS, "IcmpInErrors", "ICMP messages that make no sense, or a wrong checksum")   \
	X(IN_UNREACH, "IcmpInDestUnreachs", "destination unreachable about our segments")          \
	X(IN_TOO_BIG, "IcmpInPktTooBigs", "packet too big, or fragmentation needed")               \
	X(IN_TIME, "IcmpInTimeExcds", "time exceeded about our segments")                          \
	X(OUT_UNREACH, "IcmpOutDestUnreachs", "destination unreachable sent")                      \
	X(OUT_LIMIT, "IcmpOutRateLimited", "ICMP errors not sent, rate limited")                   \
	X(OUT_NO_ROUTES, "IpOutNoRoutes", "packets without a route")                               \
	X(OUT_ASK, "NeighAsk", "packets given to control to find their neighbour")                 \
	X(OUT_DEAD, "NeighFailed", "packets to a neighbour that answers nobody")                   \
	X(NEIGH_NEW, "NeighCreated", "neighbour entries made")                                     \
	X(NEIGH_EVICT, "NeighEvicted", "entries that made room for others")                        \
	X(NEIGH_FULL, "NeighTableFull", "neighbours that found no room")                           \
	X(NEIGH_SOLICIT, "NeighSolicits", "ARP requests and NS sent for neighbours")               \
	X(NEIGH_IGNORED, "NeighIgnored", "ARP and ND frames that nobody had asked for")            \
	X(NEIGH_INVALID, "NeighInvalid", "ARP and ND frames that break their RFC")                 \
	X(NEIGH_ANSWERED, "NeighAnswered", "ARP replies and NA sent to who asked")                 \
	X(NEIGH_ANSWER_LIMIT, "NeighAnswerLimited", "questions not answered, rate limited")        \
	X(PEND_DROP, "NeighPendingDrops", "packets that found the queue of their entry full")      \
	X(PEND_EXPIRED, "NeighPendingExpired", "packets whose neighbour did not answer")           \
	X(DAD_CONFLICT, "AddrConflicts", "frames that claim one of our addresses")                 \
	X(RA_IGNORED, "RouterAdvIgnored", "router advertisements not used")                        \
	X(REASM_REQDS, "IpReasmReqds", "TCP fragments received for the team")                      \
	X(REASM_OKS, "IpReasmOKs", "packets put together")                                         \
	X(REASM_FAILS, "IpReasmFails", "fragments refused, or thrown away by time or space")       \
	X(NO_MBUF, "NoMbuf", "no buffer for a frame of our own")

enum tp_inet_mib {
#define X(id, name, text) TP_INET_M_##id,
	TP_INET_MIB(X)
#undef X
	                TP_INET_NB_MIB,
};

const char *tp_inet_mib_name(enum tp_inet_mib counter);
const char *tp_inet_mib_text(enum tp_inet_mib counter);

/* ---- the team's half: control -------------------------------------------- */

struct tp_inet_conf {
	struct rte_mempool *pool; /**< for frames of control's own */
	/** Grace periods of the workers; NULL: there are none, old views go at once (tests). */
	struct rte_rcu_qsbr *qsbr;
	int socket_id;
	struct rte_ether_addr mac; /**< the team's */
	uint16_t vlan_tci;         /**< 0: untagged */
	uint16_t mtu;              /**< of the team: the smallest of its members' */
	uint16_t nb_neighs;        /**< entries, a power of two, 64..32768; default 1024 */
	uint16_t nb_pending;       /**< packets that wait for neighbours, all in all; default 256 */
	uint8_t nb_pending_each;   /**< ... and for one; default 8 */
	bool answer;               /**< --neigh toe: answer ARP and NS, run DAD */
	bool accept_ra;            /**< default routers from RA (RFC 4861 6.3); default off */
	bool link_local;          /**< make fe80:: from the MAC (RFC 4291 appendix A); default on */
	bool mld;                 /**< report the groups of IPv6 addresses (RFC 3810); default on */
	uint8_t dad_probes;       /**< ARP probes (RFC 5227: 3); 0: no DAD for both families */
	uint64_t dad_wait_ns;     /**< first probe within; RFC 5227 PROBE_WAIT, RFC 4862: 1 s */
	uint64_t dad_interval_ns; /**< between probes at least, at most twice; 1 s */
	uint64_t retrans_ns;      /**< RetransTimer (RFC 4861 10): 1 s */
	uint64_t reachable_ns;    /**< BaseReachableTime: 30 s, used with factor 0.5..1.5 */
	uint64_t seed;            /**< of hashes and random times; not guessable from outside */
};

/** All defaults; pool, mac and seed are the caller's to fill in. */
void tp_inet_conf_default(struct tp_inet_conf *conf);

/** Control's state and what it publishes. Members' lcores use it by the functions below that say
 * "any lcore".
 */
struct tp_inet;

/** @return NULL with rte_errno (EINVAL: bad conf) */
struct tp_inet *tp_inet_create(const struct tp_inet_conf *conf, uint64_t now);
/** Free all, packets that wait included. No worker may run. */
void tp_inet_free(struct tp_inet *inet);

/** The team's MAC changed: entries stay, the link-local address is replaced. Control. */
int tp_inet_set_mac(struct tp_inet *inet, const struct rte_ether_addr *mac, uint64_t now);
/** Control. */
int tp_inet_set_mtu(struct tp_inet *inet, uint16_t mtu);

/* Addresses. */

enum tp_inet_addr_state {
	TP_INET_TENTATIVE, /**< DAD runs: not used */
	TP_INET_PREFERRED, /**< ours */
	TP_INET_DUPLICATE, /**< someone else has it: not used, tried again later */
	TP_INET_NB_ADDR_STATES,
};

/** An address, for `show`. */
struct tp_inet_addr_info {
	uint8_t addr[TP_INET_LEN];
	uint8_t prefix_len; /**< of its family: 0..32, 0..128 */
	uint8_t state;      /**< enum tp_inet_addr_state */
	bool link_local;    /**< made from the MAC */
	uint32_t nb_conflicts;
	struct rte_ether_addr rival; /**< who claimed it last, when nb_conflicts is not 0 */
};

/** @return "tentative", ...; static */
const char *tp_inet_addr_state_name(enum tp_inet_addr_state state);

/** Give the team an address and a route to its prefix; DAD begins (RFC 5227, RFC 4862 5.4), unless
 * another answers or DAD is off: then it is ours at once. Control.
 * @param prefix_len of its family: 1..32, 1..128
 * @return 0; -EINVAL: no unicast address; -EEXIST; -ENOSPC
 */
int tp_inet_addr_add(struct tp_inet *inet, const uint8_t addr[TP_INET_LEN], uint8_t prefix_len,
                uint64_t now);
/** @return 0 or -ENOENT */
int tp_inet_addr_del(struct tp_inet *inet, const uint8_t addr[TP_INET_LEN]);
/** Control. @param info [max] out; TP_INET_MAX_ADDRS holds all @return how many */
uint32_t tp_inet_addrs(const struct tp_inet *inet, struct tp_inet_addr_info *info, uint32_t max);
/** Raised by every change of addresses, their states and routes. Any lcore. */
uint32_t tp_inet_version(const struct tp_inet *inet);

/** Announce all addresses in use, and report their groups, by every member: after a failover.
 * Control.
 */
void tp_inet_announce(struct tp_inet *inet, uint64_t now);
/** Only the groups (RFC 3810), as if they had changed: switches that snoop learn the new place.
 * Control.
 */
void tp_inet_report(struct tp_inet *inet, uint64_t now);

/* Routes. */

/** A route, for `show`. */
struct tp_inet_route_info {
	uint8_t prefix[TP_INET_LEN];
	uint8_t prefix_len;           /**< of its family */
	uint8_t gateway[TP_INET_LEN]; /**< all zero: on the link */
	bool connected;               /**< comes from an address */
	bool advertised;              /**< comes from a router, until expires */
	uint64_t expires;             /**< ns, TP_NEVER */
};

/** Route a prefix by a gateway; ::ffff:0:0 with length 0 is IPv4's default, :: with 0 IPv6's. One
 * gateway a prefix: a second one replaces the first. Control.
 * @param gateway same family, unicast, not our own; NULL: on the link
 * @return 0; -EINVAL; -ENOSPC
 */
int tp_inet_route_add(struct tp_inet *inet, const uint8_t prefix[TP_INET_LEN], uint8_t prefix_len,
                const uint8_t *gateway);
/** @return 0 or -ENOENT; connected routes go with their address only */
int tp_inet_route_del(struct tp_inet *inet, const uint8_t prefix[TP_INET_LEN], uint8_t prefix_len);
/** Control. @param info [max] out; TP_INET_MAX_ROUTES holds all @return how many */
uint32_t tp_inet_routes(const struct tp_inet *inet, struct tp_inet_route_info *info, uint32_t max);

/* Neighbours. */

/** RFC 4861 7.3.2, for both families. FAILED answers nobody for a while, so that packets to it
 * cost nothing.
 */
enum tp_inet_neigh_state {
	TP_INET_NEIGH_FREE,
	TP_INET_NEIGH_INCOMPLETE,
	TP_INET_NEIGH_REACHABLE,
	TP_INET_NEIGH_STALE,
	TP_INET_NEIGH_DELAY,
	TP_INET_NEIGH_PROBE,
	TP_INET_NEIGH_FAILED,
	TP_INET_NB_NEIGH_STATES,
};

/** @return "incomplete", ...; static */
const char *tp_inet_neigh_state_name(enum tp_inet_neigh_state state);

/** An entry, for `show`. */
struct tp_inet_neigh_info {
	uint8_t addr[TP_INET_LEN];
	struct rte_ether_addr mac; /**< not in INCOMPLETE and FAILED */
	uint8_t state;             /**< enum tp_inet_neigh_state */
	bool router;               /**< RFC 4861 IsRouter */
	uint16_t nb_pending;
	uint64_t confirmed_ns; /**< age: ns since it was last known to be right; TP_NEVER: never */
};

/** Control. @param info [max] out; conf.nb_neighs holds all @return how many */
uint32_t tp_inet_neighs(const struct tp_inet *inet, uint64_t now, struct tp_inet_neigh_info *info,
                uint32_t max);
/** Forget all entries; packets that wait are dropped. Control. */
void tp_inet_neigh_flush(struct tp_inet *inet);

/* Running. */

/** Every member that may send, instead of one. */
#define TP_INET_MEMBER_ALL 0xfe

/** A frame to send as it is. */
struct tp_inet_frame {
	struct rte_mbuf *m;
	/** Member to send it by; TP_MEMBER_NONE: one of the caller's choice; TP_INET_MEMBER_ALL. A
	 * member that cannot send any more: one of the caller's choice, too.
	 */
	uint8_t member;
};

/** An ARP or ND frame (RS, RA included) was received (TP_WHY_NEIGH). Hostile input: replies count
 * only when we had asked, or change an entry that exists. Control.
 * @param m borrowed
 * @param info its parse result
 * @param member where it arrived: answers leave there
 */
void tp_inet_heard(struct tp_inet *inet, const struct rte_mbuf *m, const struct tp_pkt_info *info,
                uint8_t member, uint64_t now);
/** A packet whose neighbour is not known (TP_WHY_RESOLVE, tp_meta.ingress: who wants to send it):
 * sent by that member as soon as the neighbour is known. Control.
 * @param m consumed; its destination MAC is not filled in
 */
void tp_inet_pend(struct tp_inet *inet, struct rte_mbuf *m, uint64_t now);
/** Run what is due; bounded work. Control. @return timers that ran */
unsigned int tp_inet_step(struct tp_inet *inet, uint64_t now);
/** @return ns when tp_inet_step() must be called next at the latest, TP_NEVER: not at all */
uint64_t tp_inet_next(const struct tp_inet *inet);
/** Take frames to send. Control. @param frames [max] out, their mbufs are the caller's
 * @return how many; fewer than max: there are no more
 */
uint16_t tp_inet_take(struct tp_inet *inet, struct tp_inet_frame *frames, uint16_t max);
/** Control's counters; single values may be read by any thread. */
const uint64_t *tp_inet_mib(const struct tp_inet *inet);

/* ---- a member's half: its lcore ------------------------------------------- */

/** Rate limits, fragments and counters of one lcore. Owner. */
struct tp_inet_worker;

struct tp_inet_worker_conf {
	const struct tp_inet *inet;
	const struct rte_ether_addr *mac; /**< source of what it sends; read at each packet */
	struct rte_mempool *pool;         /**< for ICMP errors */
	uint8_t member;
	int socket_id;
	uint32_t echo_per_s;  /**< echo replies; 0: no limit; default 10000 */
	uint32_t error_per_s; /**< ICMP errors (RFC 1812 4.3.2.8, RFC 4443 2.4); default 100 */
	uint16_t nb_frags;    /**< packets in reassembly; 0: none is; default 256 */
	uint64_t frag_ns;     /**< ... for so long; default 5 s */
};

/** All defaults; inet, mac, pool and member are the caller's to fill in. */
void tp_inet_worker_conf_default(struct tp_inet_worker_conf *conf);
/** @param conf copied @return NULL with rte_errno */
struct tp_inet_worker *tp_inet_worker_create(const struct tp_inet_worker_conf *conf);
/** Free it and the fragments it holds. */
void tp_inet_worker_free(struct tp_inet_worker *w);
/** The worker's counters; single values may be read by any thread. */
const uint64_t *tp_inet_worker_mib(const struct tp_inet_worker *w);

/* Where to, where from. Any lcore. */

/** Is it an address of the team that is in use (PREFERRED)? */
bool tp_inet_is_local(const struct tp_inet *inet, const uint8_t addr[TP_INET_LEN]);
/** Is it an address of the team whatever its state? Then it is none of the host's. */
bool tp_inet_is_configured(const struct tp_inet *inet, const uint8_t addr[TP_INET_LEN]);
/** Destination of a received packet, mapped. @return false: neither IPv4 nor IPv6 */
bool tp_inet_ends(const struct rte_mbuf *m, const struct tp_pkt_info *info,
                uint8_t src[TP_INET_LEN], uint8_t dst[TP_INET_LEN]);
/** Is the checksum of its IPv4 header right (RFC 1122 3.2.1.2)? As the port said, or computed; IPv6
 * has none. Any lcore.
 */
bool tp_inet_hdr_ok(const struct rte_mbuf *m, const struct tp_pkt_info *info);
/** Source address for a new connection (RFC 6724 5: same scope, then longest matching prefix).
 * @param laddr out
 * @return 0; -ENETUNREACH: no route; -EADDRNOTAVAIL: no address in use of that family;
 *   -EINVAL: raddr is no unicast address, or is our own
 */
int tp_inet_source(const struct tp_inet *inet, const uint8_t raddr[TP_INET_LEN],
                uint8_t laddr[TP_INET_LEN]);
/** Bytes of IP packet that the way to raddr is thought to take: the team's MTU, or a smaller one
 * that was learned less than ten minutes ago (RFC 1191 6.3, RFC 8201 4). A hint.
 */
uint16_t tp_inet_pmtu(const struct tp_inet *inet, const uint8_t raddr[TP_INET_LEN], uint64_t now);
/** Learn that, from an ICMP error which the connection believed. Values below 552 (IPv4) and 1280
 * (IPv6) become those.
 */
void tp_inet_pmtu_learn(const struct tp_inet *inet, const uint8_t raddr[TP_INET_LEN], uint16_t mtu,
                uint64_t now);

/* Sending. */

/** Way to a remote address, kept with its connection; all zero: not looked up yet. Renewed by
 * tp_inet_push() when neighbours, addresses or routes have changed.
 */
struct tp_inet_dst {
	uint16_t neigh;   /**< entry, plus one */
	uint16_t gen;     /**< of that entry */
	uint32_t version; /**< of addresses and routes */
};
static_assert(sizeof(struct tp_inet_dst) == 8, "fits a word of a connection");

enum tp_inet_verdict {
	TP_INET_SEND = 1, /**< headers are in front: give it to the member's own egress */
	TP_INET_ASK,      /**< ... but for the destination MAC: give it to control's ring; its
			   * tp_meta is filled in (TP_KIND_FRAME, TP_WHY_RESOLVE) */
	TP_INET_UNREACH,  /**< no route, or the neighbour does not answer: drop it */
	TP_INET_NO_ROOM,  /**< no headroom for the headers: drop it */
};

/** Put Ethernet (with the team's VLAN) and IPv4 or IPv6 header in front of a TCP segment: DF,
 * TTL 64, lengths, tos; l2_len, l3_len, and RTE_MBUF_F_TX_IP_CKSUM and _IPV4, or _IPV6, are set.
 * Owner of the connection.
 * @param dst of the connection, updated
 * @param laddr, raddr its ends, same family
 * @param tos DSCP and ECN as in the header
 * @param m begins with its TCP header, l4_len is set; stays the caller's
 */
enum tp_inet_verdict tp_inet_push(struct tp_inet_worker *w, struct tp_inet_dst *dst,
                const uint8_t laddr[TP_INET_LEN], const uint8_t raddr[TP_INET_LEN], uint8_t tos,
                struct rte_mbuf *m);
/** The peer acknowledged new data: its neighbour is reachable (RFC 4861 7.3.1). Owner of the
 * connection; call it as often as is convenient.
 */
void tp_inet_confirm(const struct tp_inet_worker *w, const struct tp_inet_dst *dst);

/* ICMP. */

/** What an error message says. */
enum tp_inet_error_kind {
	TP_INET_E_MTU,   /**< mtu holds, 0: not told */
	TP_INET_E_PORT,  /**< port unreachable */
	TP_INET_E_PROTO, /**< protocol unreachable; IPv6: unknown next header */
	TP_INET_E_NET,   /**< network or host unreachable, prohibited, no route */
	TP_INET_E_TIME,  /**< time exceeded, in transit or in reassembly */
	TP_INET_NB_E_KINDS,
};

/** An ICMP error about a segment that we sent. Not yet believed: see RFC 5927. */
struct tp_inet_error {
	uint8_t kind;               /**< enum tp_inet_error_kind */
	uint8_t proto;              /**< of the quoted packet: TCP or UDP */
	uint16_t mtu;               /**< of the next hop, bytes; below 68 or 1280: 0 */
	uint8_t laddr[TP_INET_LEN]; /**< quoted source: ours */
	uint8_t raddr[TP_INET_LEN]; /**< quoted destination */
	rte_be16_t lport;
	rte_be16_t rport;
	uint32_t seq;              /**< TCP: sequence number of the quoted segment, host order */
	uint8_t from[TP_INET_LEN]; /**< who sent the error */
};

enum tp_inet_icmp {
	TP_INET_ICMP_OTHER = 1, /**< not the TOE's business: to the host */
	TP_INET_ICMP_REPLY,     /**< the frame is now an echo reply: send it by this member */
	TP_INET_ICMP_ERROR,     /**< *err holds: give it to the connection; the host too, if the
				 * connection is not known */
	TP_INET_ICMP_DROP,      /**< counted: drop it */
};

/** ICMP or ICMPv6 (but no ND, no MLD) for one of the team's addresses: echo (RFC 1122 3.2.2.6, RFC
 * 4443 4.2) is answered in place, errors are parsed. Worker.
 * @param m stays the caller's; edited for REPLY, intent set for egress
 * @param answer answer echo requests: --neigh toe
 */
enum tp_inet_icmp tp_inet_icmp_input(struct tp_inet_worker *w, struct rte_mbuf *m,
                const struct tp_pkt_info *info, bool answer, uint64_t now,
                struct tp_inet_error *err);
/** Parse the quoted packet of an ICMP error, without checking who it is for. Bounded; any lcore.
 * @return false: no error, or the quote is too short or of another protocol
 */
bool tp_inet_icmp_parse(const struct rte_mbuf *m, const struct tp_pkt_info *info,
                struct tp_inet_error *err);
/** Make "port unreachable" or "protocol unreachable" for a received packet (RFC 1122 3.2.2, RFC
 * 4443 2.4 and 3.1), unless it was multicast, broadcast, itself an ICMP error or not the first
 * fragment, or the rate is exceeded. Worker.
 * @param m borrowed, in one piece as received
 * @param kind TP_INET_E_PORT or TP_INET_E_PROTO
 * @return a whole frame back to the sender, intent set, or NULL
 */
struct rte_mbuf *tp_inet_unreach(struct tp_inet_worker *w, const struct rte_mbuf *m,
                const struct tp_pkt_info *info, enum tp_inet_error_kind kind, uint64_t now);

/* Fragments. */

/** Is it a fragment of a TCP segment for one of the team's addresses? Any lcore. */
bool tp_inet_is_tcp_frag(const struct tp_inet *inet, const struct rte_mbuf *m,
                const struct tp_pkt_info *info);
/** Hash of {source, destination, identification}, keyed: all fragments of a packet have the same,
 * whichever member receives them. The member that puts them together is chosen by it. Any lcore.
 */
uint32_t tp_inet_frag_hash(const struct tp_inet *inet, const struct rte_mbuf *m,
                const struct tp_pkt_info *info);
/** Put a TCP segment together (RFC 791 3.2, RFC 8200 4.5; overlaps never complete, RFC 5722). The
 * member that tp_inet_frag_hash() names.
 * @param m a fragment (tp_inet_is_tcp_frag()), consumed
 * @return the whole frame, to be parsed again, several buffers; or NULL: it waits or was refused
 */
struct rte_mbuf *tp_inet_reassemble(struct tp_inet_worker *w, struct rte_mbuf *m,
                const struct tp_pkt_info *info, uint64_t now);
/** Throw away what waits for too long. Call it now and then, once a millisecond or less. Worker. */
void tp_inet_frag_expire(struct tp_inet_worker *w, uint64_t now);

#endif
