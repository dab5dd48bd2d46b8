/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** A whole daemon on one thread and a virtual clock: control, the members' lcores and the front
 * are fibers whose steps stop in the middle at random points; ports are ends of wires, at whose
 * other ends peers send and receive. One seed decides everything. See README.md.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "app.h"
#include "fiber.h"
#include "tp_wire.h"

#define SIM_MAX_WIRES 8
#define SIM_MAX_FLOWS 64
/** The host's wire, behind those of the members. */
#define SIM_HOST_WIRE SIM_MAX_WIRES
#define SIM_NONE UINT32_MAX
/** Frames up to this MTU can leave by any member at any time. */
#define SIM_SAFE_MTU 600
/** Neighbours of the host, by all wires. */
#define SIM_NB_NEIGHBOURS 4
/** Of each direction: one for each neighbour, one for broadcasts and groups. */
#define NB_EXTRA_FLOWS (2 * (SIM_NB_NEIGHBOURS + 1))

/* ==== random numbers ====================================================== */

struct rng {
	uint64_t s;
};

void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
/** Uniform below n; 0 for n = 0. */
uint64_t rng_below(struct rng *r, uint64_t n);
/** Uniform from lo to hi. */
uint64_t rng_between(struct rng *r, uint64_t lo, uint64_t hi);
/** True once in n times. */
bool rng_one_in(struct rng *r, uint64_t n);

/* ==== the ledger: where each frame is ===================================== */

enum sim_kind {
	SIM_DATA,  /**< of a flow: in order */
	SIM_NEIGH, /**< ARP, ND: leaves by the member that was asked */
	SIM_GROUP, /**< IGMP */
	SIM_FLOOD, /**< broadcast towards the host, a copy on each wire */
	SIM_ECHO,  /**< what the team is said to have sent, back from the net: goes nowhere */
};

/** A frame that a peer sent. */
struct frame {
	uint64_t in_at;     /**< when the daemon read it last */
	uint32_t order[2];  /**< the flow's count then; of the copies not yet out, oldest first */
	uint32_t flood;     /**< number of the first copy of a broadcast, or SIM_NONE */
	uint32_t out_wires; /**< those that took it */
	uint16_t flow;
	uint8_t kind;    /**< enum sim_kind */
	uint8_t nb_in;   /**< times the daemon read it (wires duplicate) */
	uint8_t nb_out;  /**< times a port of the daemon took it */
	uint8_t nb_drop; /**< times it was dropped with a reason */
	uint8_t reason;  /**< the last one */
	uint8_t want;    /**< of a broadcast: members that are to send it */
	uint8_t nb_seen; /**< of the first copy: how many the host got */
	uint32_t asked;  /**< wires by one of which a reply must leave; 0: by any */
	bool to_host;
	bool broadcast; /**< it goes to every member, as was in force when it was handed out */
	bool unordered; /**< mode round-robin was */
	bool big;       /**< larger than what some members may take */
};

/** A flow of one direction. */
struct flow {
	bool to_host;
	uint8_t wire;  /**< to the host: where it arrives */
	uint8_t shape; /**< how its frames look */
	uint16_t vlan, vlan_inner;
	uint32_t src, dst;
	uint16_t sport, dport;
	uint32_t nb_in;                        /**< frames the daemon read */
	uint32_t last;                         /**< order of the last one that left the team */
	uint8_t last_wire;                     /**< by which it left */
	uint64_t last_at;                      /**< when */
	uint64_t last_there;                   /**< when it is at the far end at the latest */
	uint32_t wire_last[SIM_MAX_WIRES + 1]; /**< order of the last one by one wire */
	uint16_t partner; /**< of a neighbour's requests: the flow of the replies */
	uint8_t asked;    /**< of replies: the wire of the newest request, or SIM_HOST_WIRE */
};

struct ledger {
	struct frame *frame;
	uint32_t nb_frames, max_frames;
	struct flow flow[2 * SIM_MAX_FLOWS + NB_EXTRA_FLOWS];
	uint16_t nb_flows;
	uint32_t in_hand[TP_BURST_MAX]; /**< read from the host and not yet distributed */
	uint32_t nb_in_hand;
	uint64_t in[2], out[2], drop[2]; /**< of frames with a good mark; [1]: towards the host */
	uint64_t bad_in[2], bad_out[2], bad_drop[2]; /**< corrupted on a wire */
	uint64_t by_reason[TP_NB_DROPS];             /**< all drops, copies included */
	uint64_t other_out; /**< frames of the daemon's own: probes, announcements */
	uint64_t far[2];    /**< good frames that arrived at a peer */
	uint64_t sent[2];   /**< frames of flows that a peer made */
	uint64_t nb_reordered;
};

/* ==== actors ============================================================== */

enum sim_hang {
	HANG_DESCHED, /**< waits for a CPU */
	HANG_SPIN,    /**< uses its CPU and does not get on */
	HANG_BLOCKED, /**< sleeps in the kernel */
};

#define ACTOR_CONTROL TP_MAX_MEMBERS
#define ACTOR_FRONT (TP_MAX_MEMBERS + 1)
#define NB_ACTORS (TP_MAX_MEMBERS + 2)
#define ACTOR_NONE NB_ACTORS

struct actor {
	struct fiber fiber;
	uint32_t plan;       /**< stop at this many points from now; 0: at none */
	uint64_t now;        /**< its step began then */
	unsigned int work;   /**< what its step returned */
	bool stops;          /**< its steps may stop in the middle */
	bool hang_pending;   /**< hang at the next stop */
	uint8_t hang;        /**< enum sim_hang */
	uint64_t hang_until; /**< stands still until then; 0: no */
	uint64_t hang_len;
	uint64_t hang_since;
	uint64_t off_cpu_ns; /**< time that it did not have a CPU */
	uint64_t freeze_at;  /**< the signal arrives then; 0: none sent */
	uint64_t nb_steps;
};

/* ==== the world ============================================================ */

/** What a bench does to the world and sees of it (tests/perf/bench_failover.c). Functions may be
 * NULL.
 */
struct sim_hooks {
	/** Frames a second that the host sends, evenly and flow after flow, from sim->send_from on;
	 * 0: bursts at random */
	uint64_t host_rate;
	void (*round)(void);         /**< before each round, until all is well */
	void (*turn)(uint8_t actor); /**< before an actor's turn */
	/** A good frame leaves by a member: before the ledger notes it */
	void (*leaves)(const struct frame *f, uint8_t wire);
	void (*end)(void); /**< all has settled, and was checked */
};

/** What the seed decided before the start. */
struct setup {
	uint64_t seed;
	bool fair; /**< in each round everybody has one turn: lcores of one speed */
	const struct sim_hooks *hooks; /**< NULL: none */
	uint8_t nb_wires;
	uint8_t nb_at_start; /**< members; the others may be added */
	uint16_t burst;
	uint32_t ring_size;
	uint32_t wire_frames;
	uint64_t start_ns;     /**< of the clock */
	uint64_t events_ns;    /**< how long things happen */
	uint64_t quiet_ns;     /**< and how long the team may then settle */
	uint64_t grace_ns;     /**< of a hung lcore that holds up others */
	uint32_t max_dt_ns;    /**< between turns */
	uint32_t stop_one_in;  /**< steps that stop in the middle */
	uint32_t event_gap_ns; /**< mean */
	uint32_t command_gap_ns;
	uint32_t frame_gap_ns[2];
	uint16_t nb_flows[2];
	uint16_t max_len;
	bool timed_wires; /**< constant delay and jitter tell when a frame arrives */
	bool corrupts;    /**< wires flip bits */
	bool near_wrap;
	uint32_t events;   /**< mask of what may happen, see scenario.c */
	uint32_t commands; /**< likewise */
	bool neighbours;   /**< ARP, ND and IGMP too */
	bool floods;       /**< broadcasts to the host on all wires */
	bool probing;      /**< ARP watch */
	struct tp_team_conf team;
	struct tp_member_conf member[SIM_MAX_WIRES];
	struct tp_link_conf link;
	struct tp_wire_conf wire[SIM_MAX_WIRES + 1];
};

struct wire_state {
	struct tp_wire *wire;
	uint16_t near, far;    /**< port ids: the daemon's, the peer's */
	uint8_t index;         /**< SIM_HOST_WIRE for the host's */
	uint64_t carrier_back; /**< no carrier until then; 0: it has one */
	uint64_t cut_back[TP_WIRE_NB_DIRS];
	uint64_t slow_back; /**< slow until then */
	uint64_t left_at;   /**< its member last lost all at once, not lazily */
};

struct sim {
	struct setup set;
	struct daemon d;
	struct rng sched, traffic, chaos;
	uint64_t now;
	uint64_t t0, t_events_end;
	bool verbose;
	bool healing; /**< nothing bad happens any more */
	bool healed;  /**< and the front has put right what users broke */
	bool quiet;   /**< nobody sends any more */
	bool leaving; /**< the front takes all members out */
	struct wire_state wire[SIM_MAX_WIRES + 1];
	struct actor actor[NB_ACTORS];
	struct actor *running; /**< whose turn it is */
	struct ledger ledger;
	uint32_t nb_idle; /**< turns without work */
	uint64_t next_event, next_command, next_frame[2];
	uint64_t send_from; /**< the host sends evenly from then on; 0: not yet */
	bool front_done;    /**< the command is complete */
	void (*command)(void);
	void (*planned)(void);                 /**< the next command; NULL: as the seed says */
	uint8_t inside;                        /**< actor in the host port, or ACTOR_NONE */
	uint8_t at_egress[TP_MAX_MEMBERS + 1]; /**< actor there, or ACTOR_NONE; last: host port's */
	uint64_t deaf_until;                   /**< the host does not read */
	uint64_t grab_until;                   /**< the daemon's pool is empty */
	struct rte_mbuf *grabbed;              /**< its buffers, chained */
	uint64_t places;                       /**< digest of who accepts what */
	uint64_t place_at;                     /**< who accepts broadcasts last changed */
	uint64_t announce_owed;                /**< a primary came then that must announce; 0: no */
	uint8_t announce_by;                   /**< its member */
	uint64_t own_lost_at;                  /**< a frame of the daemon's own was lost last */
	uint64_t nb_hangs;
	bool handing_out; /**< somebody hands out the stash */
	uint64_t nb_frozen;
	uint64_t nb_stops, nb_rounds, nb_events, nb_commands;
	uint64_t gone[TP_NB_DROPS]; /**< counters of members that have left */
	uint64_t gone_c[TP_NB_COUNTERS];
	struct tp_counters last[TP_MAX_MEMBERS];
	char failure[512];
};

extern struct sim *sim;
/** Of the peers; outlives worlds. */
extern struct rte_mempool *sim_pool;

/** Note a violation; the first one counts. */
void sim_fail(const char *fmt, ...) __rte_format_printf(1, 2);
void sim_note(const char *fmt, ...) __rte_format_printf(1, 2);
static inline bool
sim_failed(void)
{
	return sim->failure[0] != '\0';
}

/* sim.c */
/** Everything from a seed: build, run, check, take down. Once in a process.
 * @return true if nothing was wrong
 */
bool sim_run(const struct setup *set, bool verbose);
/** A point at which a step may stop. */
void sim_point(void);
/** One turn for some actors. @return work done */
void sim_round(void);
uint8_t sim_actor_id(const struct actor *a);

/* world.c */
int world_build(void);
void world_take_down(void);
struct slot *world_slot_of_wire(uint8_t wire);
uint8_t world_wire_of_port(uint16_t port_id);

uint64_t sim_cpu_ns(const struct actor *a, bool *blocked);

/* ledger.c */
void ledger_init(void);
void ledger_fini(void);
/** Write the mark of a new frame at its end; the frame is whole but for it. @return its number */
uint32_t ledger_mark(struct rte_mbuf *m, uint16_t flow, uint8_t kind);
/** A broadcast of which each wire gets a copy: mark them, the first one first. */
uint32_t ledger_mark_flood(struct rte_mbuf *m, uint16_t flow, uint32_t first);
/** A neighbour's request was noted by a member. */
void ledger_asked(const struct tp_member *me, const struct rte_mbuf *m);
/** The member at that port joins or leaves: who asked by it asked by none. */
void ledger_forget_asked(uint16_t port_id);
/** What was read from the host is distributed: by whom the neighbours asked is decided. */
void ledger_distributed(void);
/** Number and kind of a frame. @return NULL when it has no good mark */
const struct frame *ledger_look(const struct rte_mbuf *m);
/** What the stash holds is about to be handed out. */
void ledger_hand_out(const struct tp_host *h);
/** A distribution came into force. @param losers members that lost all at once */
void ledger_moved(uint32_t losers);
void ledger_drop(enum tp_drop reason, struct rte_mbuf *const *pkts, uint16_t nb_pkts);
void ledger_tap(void *arg, enum tp_wire_dir dir, enum tp_wire_event event, const struct rte_mbuf *m,
                uint64_t now);
/** All that the daemon read is out, or dropped with a reason. */
void ledger_check(void);
uint32_t ledger_nb_held(void);
/** What frozen lcores had in hand is lost: so many frames at most. */
uint32_t ledger_may_miss(void);

/* peers.c */
/** Bytes behind the headers that a frame needs for its mark. */
#define MARK_LEN 12
/** Of the ARP watch. */
#define SIM_TARGET_IP RTE_BE32(RTE_IPV4(10, 9, 0, 254))
int peers_init(void);
/** Does it claim the host's address for the team? */
bool peers_is_announcement(const struct rte_mbuf *m);
/** Has the daemon learned that address? */
bool peers_host_is_known(void);
unsigned int peers_step(void);
uint64_t peers_next(void);

/* scenario.c */
void scenario_make(struct setup *set, uint64_t seed);
/** What happens to wires and lcores, when it is time. */
void scenario_events(void);
/** Bring all wires and lcores back. */
void scenario_heal(void);
uint64_t scenario_next(void);

/* commands.c */
/** The next command for the front, if it is time. */
void scenario_command(void);

/* check.c */
/** After the end of all traffic: has the team settled? */
void check_settled(void);
void check_counters(void);
void check_mbufs(void);
/** Frames on wires that somebody polls, but for probes. */
uint64_t check_in_flight(void);

#endif
