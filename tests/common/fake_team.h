/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * The TCP engine of a team on one thread, for unit tests and fuzzers: its members' egress only writes
 * down what leaves, what goes to another member waits in a small ring, its peers are segments made by
 * hand, and time is what the test says. Whatever cannot be made ends the process.
 */
#ifndef FAKE_TEAM_H
#define FAKE_TEAM_H

#include "tp_toe.h"

#define FAKE_MEMBERS 3
#define FAKE_RING 256
#define FAKE_SENT 512
#define FAKE_TEXT (1 << 20)
/** Port of the team that a peer speaks to, if it does not say. */
#define FAKE_PORT 80
#define FAKE_MSS 1460
#define FAKE_BEGIN_NS (1000 * TP_NS_PER_S)

/** A segment that left. */
struct fake_sent {
	uint8_t member; /**< whose egress it was */
	uint8_t flags;  /**< TP_TCP_* */
	uint16_t lport, rport;
	uint32_t laddr; /**< of ours, IPv4, host order */
	uint16_t len;   /**< bytes of data */
	uint32_t seq, ack;
	uint32_t at; /**< of its data in fake_team.text */
};

struct fake_member {
	struct fake_team *team;
	uint8_t index;
	bool stopped; /**< its lcore runs no more: fake_turns() leaves it out */
	bool full;    /**< the ring to it: what comes is dropped */
	uint16_t room;
	uint32_t nb_lost; /**< dropped, as its ring was full */
	struct tp_toe_shard *shard;
	uint16_t nb_ring;
	struct rte_mbuf *ring[FAKE_RING];
};

struct fake_team {
	struct rte_mempool *pool;
	struct rte_rcu_qsbr *qsbr; /**< without readers: grace periods are over at once */
	struct tp_inet *inet;
	struct tp_toe *toe;
	uint64_t now;
	uint8_t home; /**< what the bucket map proposes, for all flows */
	struct fake_member member[FAKE_MEMBERS];
	uint32_t nb_sent; /**< since fake_forget() */
	struct fake_sent sent[FAKE_SENT];
	uint32_t nb_text;
	uint8_t text[FAKE_TEXT];
};

/** A host at 10.0.0.2, one connection. */
struct fake_peer {
	uint16_t port;
	uint16_t to;  /**< of the team; 0: FAKE_PORT */
	uint32_t seq; /**< its next */
	uint32_t ack; /**< what it has received */
};

/** 10.0.0.1/24, FAKE_MEMBERS members, and a neighbour.
 * @param t out; its time begins at FAKE_BEGIN_NS
 * @param pool the caller's
 * @param conf NULL: the defaults, for few connections
 */
void fake_team_open(struct fake_team *t, struct rte_mempool *pool, const struct tp_toe_conf *conf);
/** For few connections. */
void fake_team_conf(struct tp_toe_conf *conf);
/** Ends what is left. */
void fake_team_close(struct fake_team *t);
void fake_member_open(struct fake_team *t, uint8_t index);
void fake_wait(struct fake_team *t, uint64_t ns);

/** What waits in its ring, then a step of its lcore. */
void fake_turn(struct fake_team *t, uint8_t member);
/** All that run, then control; so often. */
void fake_turns(struct fake_team *t, unsigned int nb);
/** Everything that left is forgotten. */
void fake_forget(struct fake_team *t);
/** The newest that left to this port; NULL: none since fake_forget(). */
const struct fake_sent *fake_last(const struct fake_team *t, uint16_t rport);
/** How many that left to this port have all these flags. */
uint32_t fake_nb_sent(const struct fake_team *t, uint16_t rport, uint8_t flags);

/** The data that left to this port, in order, what was sent again left out.
 * @return octets, or size when there are more
 */
uint32_t fake_text(const struct fake_team *t, uint16_t rport, void *text, uint32_t size);

/** A segment of the peer as a received frame; the peer's numbers stay as they are. */
struct rte_mbuf *fake_segment(
                struct fake_team *t, const struct fake_peer *p, uint8_t flags, uint16_t len);
/** A frame arrives on a member. @return false: the engine did not want it (it is freed) */
bool fake_arrive(struct fake_team *t, uint8_t member, struct rte_mbuf *m);
/** The peer sends on, with an ACK of what it has. */
void fake_say(struct fake_team *t, struct fake_peer *p, uint8_t member, uint8_t flags,
                uint16_t len);
/** The same with data of its own. */
void fake_write(struct fake_team *t, struct fake_peer *p, uint8_t member, const void *data,
                uint16_t len);
/** The peer acknowledges all data and FINs that left for it; nothing arrives by that yet. */
void fake_hear(struct fake_team *t, struct fake_peer *p);
/** Its SYN arrives on that member, and what completes the handshake too. */
void fake_open_conn(struct fake_team *t, struct fake_peer *p, uint8_t member);

#endif
