/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * A paced generator and sink for a team that runs in another process: what scripts/pktgen.sh uses
 * where Pktgen-DPDK is not installed. One thread: frames, bookkeeping, and the trial that joins
 * them. Every frame carries its number and the time it was sent, so that the sink knows which were
 * lost, doubled, reordered, changed or sent to the wrong side, and how long each took.
 */
#ifndef LOADGEN_H
#define LOADGEN_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#define LOADGEN_MAX_FLOWS 8192
#define LOADGEN_MAX_MEMBERS 32
#define LOADGEN_BURST 32
#define LOADGEN_MIN_FRAME 64 /**< with FCS, as everywhere in this file */
#define LOADGEN_MAX_FRAME 1518
#define LOADGEN_IMIX 0 /**< as frame size: 7 of 64, 4 of 594, 1 of 1518 bytes in 12 */
#define LOADGEN_NO_FLOW UINT32_MAX

/* ---- frames (loadgen_frame.c) -------------------------------------------- */

/** What a frame says of itself, in host byte order. */
struct loadgen_mark {
	uint16_t trial;
	uint16_t flow;
	uint32_t seq;
	uint64_t tsc; /**< when it was sent */
};

/** Headers of all flows, and the MACs that they go to. */
struct loadgen_flows;

/** UDP over IPv4; even flows leave the host, odd ones come to it.
 * @param nb_flows 2..LOADGEN_MAX_FLOWS, even
 * @param team_mac,peer_mac the two ends: source and destination of even flows
 * @return NULL with rte_errno; free with loadgen_flows_free() */
struct loadgen_flows *loadgen_flows_make(uint32_t nb_flows, const struct rte_ether_addr *team_mac,
                const struct rte_ether_addr *peer_mac);
void loadgen_flows_free(struct loadgen_flows *flows);

/** Bytes with FCS of frame number seq. @param frame a size, or LOADGEN_IMIX */
uint16_t loadgen_frame_len(uint16_t frame, uint32_t seq);

/** Write a frame. @param m one segment, room for len bytes; its data is written anew
 * @param len with FCS; the mbuf gets 4 bytes less */
void loadgen_frame_write(const struct loadgen_flows *flows, struct rte_mbuf *m, uint16_t len,
                const struct loadgen_mark *mark);

enum loadgen_verdict {
	LOADGEN_OURS,    /**< mark is filled in */
	LOADGEN_OTHER,   /**< no frame of a generator */
	LOADGEN_CORRUPT, /**< one of ours with changed headers or length */
};

/** Read a frame from the wire; any content is fine.
 * @param frame size that the trial sends, or LOADGEN_IMIX */
enum loadgen_verdict loadgen_frame_read(const struct loadgen_flows *flows, const struct rte_mbuf *m,
                uint16_t frame, struct loadgen_mark *mark);

/* ---- bookkeeping (loadgen_tally.c) --------------------------------------- */

/* A histogram of latencies: 32 steps to an octave, so 3 % at most between a value and its step. */
#define LOADGEN_STEPS 32
#define LOADGEN_OCTAVES 48

struct loadgen_latency {
	uint64_t count, sum, min, max;
	uint32_t step[LOADGEN_STEPS * LOADGEN_OCTAVES];
};

void loadgen_latency_add(struct loadgen_latency *l, uint64_t cycles);

/** The value below which this part of all values lies. @param part 0..1 @return 0 for none */
uint64_t loadgen_latency_at(const struct loadgen_latency *l, double part);

/** What arrived in one trial. */
struct loadgen_tally {
	uint64_t received;    /**< each number once */
	uint64_t duplicated;  /**< the same number again */
	uint64_t reordered;   /**< number lower than one before it in its flow (RFC 4737 3.1) */
	uint64_t corrupt;     /**< changed headers or length, or a number never sent */
	uint64_t misdirected; /**< on the side that it was sent from */
	uint64_t stale;       /**< of an earlier trial */
	uint64_t other;       /**< not ours: the team's own announcements */
	uint64_t member[LOADGEN_MAX_MEMBERS]; /**< received (once) by member; frames to the host are
	                                           not in it */
	struct loadgen_latency latency;
	/* Bookkeeping: seen[] has a bit for each number, last[] the highest number of each flow. */
	uint64_t *seen;
	uint32_t *last;
	uint32_t nb_seqs, nb_flows;
};

/** @param nb_seqs numbers that a trial may use
 * @return 0 or -ENOMEM; free with loadgen_tally_fini() */
int loadgen_tally_init(struct loadgen_tally *t, uint32_t nb_seqs, uint32_t nb_flows);
void loadgen_tally_fini(struct loadgen_tally *t);

/** Count one arrival of this trial. @param to_host it arrived at the host's side
 * @param member where it arrived otherwise @param nb_sent numbers given out so far */
void loadgen_tally_add(struct loadgen_tally *t, const struct loadgen_mark *mark, bool to_host,
                uint16_t member, uint32_t nb_sent, uint64_t now);

/* ---- a trial (loadgen_trial.c) ------------------------------------------- */

enum loadgen_direction {
	LOADGEN_TX = 1,   /**< host to members */
	LOADGEN_RX = 2,   /**< members to host */
	LOADGEN_BOTH = 3, /**< half and half */
};

struct loadgen {
	uint16_t host;                        /**< port towards the team's host port */
	uint16_t member[LOADGEN_MAX_MEMBERS]; /**< ports towards the members */
	uint16_t nb_members;
	uint16_t trial; /**< number of the last one */
	struct rte_mempool *pool;
	struct loadgen_flows *flows;
	uint32_t nb_flows;
};

struct loadgen_ask {
	enum loadgen_direction direction;
	uint16_t frame; /**< bytes with FCS, or LOADGEN_IMIX */
	double pps;
	uint32_t ms;        /**< how long frames are sent */
	uint32_t settle_ms; /**< silence after which what is missing is lost */
};

struct loadgen_result {
	uint64_t offered; /**< frames that fell due while the generator was there to send them */
	uint64_t refused; /**< of these: the ring to the team was full; they are lost */
	uint64_t missed;  /**< due while the generator was kept from its CPU: never offered */
	uint64_t bytes;   /**< offered, with FCS */
	double seconds;   /**< time in which they were offered */
	struct loadgen_tally tally;
};

/** One trial (RFC 2544 23, 24): send at a rate, wait for what is on its way, count. Calling thread
 * only. @param result out; its tally is to be freed with loadgen_tally_fini()
 * @return 0, -EINVAL for a request outside the limits, -ENOMEM */
int loadgen_trial(struct loadgen *g, const struct loadgen_ask *ask, struct loadgen_result *result);

#endif /* LOADGEN_H */
