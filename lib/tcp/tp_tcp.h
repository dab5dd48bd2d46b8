/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** The TCP engine (RFC 9293): a segment came; what may I send; when must you call me.
 *
 * Pure: it reads no clock, sends nothing and logs nothing. A connection is one struct without
 * pointers into its shard, touched by one lcore at a time; everything that it refers to (mbufs,
 * records) lives in pools that any lcore may use, so that a copy of the struct *is* the move of
 * the connection.
 *
 * Input and user calls only note what has to be sent; tp_tcp_output() makes it. After each call
 * the owner takes the events, calls tp_tcp_output() until it returns less than asked for, and arms
 * its timer at tp_tcp_next(). All functions: owner lcore.
 */
#ifndef TP_TCP_H
#define TP_TCP_H

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "tp_core.h"
#include "tp_pkt.h"

/* ---- sequence numbers --------------------------------------------------- */

/** Compare modulo 2^32 (RFC 9293 3.4): true if a is before b. */
static inline bool
tp_seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}
static inline bool
tp_seq_leq(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}
static inline bool
tp_seq_gt(uint32_t a, uint32_t b)
{
	return tp_seq_lt(b, a);
}
static inline bool
tp_seq_geq(uint32_t a, uint32_t b)
{
	return tp_seq_leq(b, a);
}
static inline uint32_t
tp_seq_max(uint32_t a, uint32_t b)
{
	return tp_seq_lt(a, b) ? b : a;
}
static inline uint32_t
tp_seq_min(uint32_t a, uint32_t b)
{
	return tp_seq_lt(a, b) ? a : b;
}

/* ---- words -------------------------------------------------------------- */

/** RFC 9293 3.3.2. A listener is no connection: it belongs to the owner of the engine. */
#define TP_TCP_STATES(X)                                                                           \
	X(CLOSED)                                                                                  \
	X(SYN_SENT)                                                                                \
	X(SYN_RCVD)                                                                                \
	X(ESTABLISHED)                                                                             \
	X(FIN_WAIT_1)                                                                              \
	X(FIN_WAIT_2)                                                                              \
	X(CLOSE_WAIT)                                                                              \
	X(CLOSING)                                                                                 \
	X(LAST_ACK)                                                                                \
	X(TIME_WAIT)

enum tp_tcp_state {
#define X(name) TP_TCP_##name,
	TP_TCP_STATES(X)
#undef X
	                TP_TCP_NB_STATES,
};

/** Why a connection ended; all but DONE are premature (docs/claims.md B6). */
#define TP_TCP_REASONS(X)                                                                          \
	X(NONE, "none", "it has not ended")                                                        \
	X(DONE, "done", "both sides closed")                                                       \
	X(RESET, "reset", "the peer reset it")                                                     \
	X(REFUSED, "refused", "the peer refused it")                                               \
	X(TIMEOUT, "timeout", "retransmission exhausted or user timeout (RFC 5482)")               \
	X(KEEPALIVE, "keepalive", "the peer answered no keepalive probe")                          \
	X(UNREACHABLE, "unreachable", "ICMP says that the peer cannot be reached")                 \
	X(ABORT, "abort", "aborted by its user")                                                   \
	X(MEMORY, "memory", "no memory for it")                                                    \
	X(TORN, "torn", "its owner froze in the middle of an update")

enum tp_tcp_reason {
#define X(name, word, text) TP_TCP_R_##name,
	TP_TCP_REASONS(X)
#undef X
	                TP_TCP_NB_REASONS,
};

/** Events counted for each shard: enumerator, name (TCP-MIB, RFC 4022, or Linux's TcpExt where
 * one exists), text.
 */
#define TP_TCP_MIB(X)                                                                              \
	X(ACTIVE_OPENS, "ActiveOpens", "SYN_SENT from CLOSED")                                     \
	X(PASSIVE_OPENS, "PassiveOpens", "SYN_RCVD from LISTEN")                                   \
	X(ATTEMPT_FAILS, "AttemptFails", "CLOSED from SYN_SENT or SYN_RCVD")                       \
	X(ESTAB_RESETS, "EstabResets", "CLOSED from ESTABLISHED or CLOSE_WAIT")                    \
	X(IN_SEGS, "InSegs", "segments received")                                                  \
	X(OUT_SEGS, "OutSegs", "segments sent, retransmissions not counted")                       \
	X(RETRANS_SEGS, "RetransSegs", "segments sent again")                                      \
	X(IN_ERRS, "InErrs", "bad header or checksum")                                             \
	X(OUT_RSTS, "OutRsts", "segments sent with RST")                                           \
	X(HP_HITS, "TCPHPHits", "in-order segments taken by the short path")                       \
	X(OOO_QUEUED, "TCPOFOQueue", "segments kept out of order")                                 \
	X(OOO_DROP, "TCPOFODrop", "segments out of order, dropped for memory")                     \
	X(RCV_COALESCE, "TCPRcvCoalesce", "segments received as part of a larger one")             \
	X(DUP_DATA, "TCPDuplicateData", "segments without new data")                               \
	X(OUT_OF_WINDOW, "TCPOutOfWindow", "segments outside of the window")                       \
	X(PAWS_DROP, "PAWSEstab", "old timestamp (RFC 7323 5)")                                    \
	X(NO_ACK_DROP, "TCPNoAck", "segments without ACK where one is needed")                     \
	X(ACK_UNSENT, "TCPAckUnsent", "ACK of what was never sent")                                \
	X(CHALLENGE_ACK, "TCPChallengeACK", "challenge ACKs sent (RFC 5961)")                      \
	X(CHALLENGE_LIMIT, "TCPACKSkippedChallenge", "challenge ACKs not sent, rate limited")      \
	X(DELAYED_ACK, "DelayedACKs", "ACKs sent by the delayed ACK timer")                        \
	X(DSACK_SENT, "TCPDSACKOldSent", "DSACK blocks sent (RFC 2883)")                           \
	X(DSACK_RECV, "TCPDSACKRecv", "DSACK blocks received")                                     \
	X(SACK_INVALID, "TCPSACKDiscard", "SACK blocks that make no sense")                        \
	X(SACK_RENEGING, "TCPSACKReneging", "peer took back what it had SACKed")                   \
	X(RECOVERY, "TCPSackRecovery", "fast recoveries begun with SACK")                          \
	X(RENO_RECOVERY, "TCPRenoRecovery", "fast recoveries begun without SACK")                  \
	X(SPURIOUS_UNDO, "TCPSpuriousUndo", "congestion responses taken back")                     \
	X(TIMEOUTS, "TCPTimeouts", "retransmission timeouts")                                      \
	X(LOSS_PROBES, "TCPLossProbes", "tail loss probes sent (RFC 8985 7)")                      \
	X(LOSS_PROBE_RECOVERY, "TCPLossProbeRecovery", "losses that a probe repaired")             \
	X(PERSIST_PROBES, "TCPWinProbe", "zero window probes sent")                                \
	X(KEEPALIVES, "TCPKeepAlive", "keepalive probes sent")                                     \
	X(ECN_CE_RECV, "TCPECNCeRecv", "segments received with CE")                                \
	X(ECN_ECE_RECV, "TCPECNEceRecv", "congestion signals by ECE (RFC 3168)")                   \
	X(COOKIES_SENT, "SyncookiesSent", "SYN-ACKs with a cookie (RFC 4987 3.6)")                 \
	X(COOKIES_RECV, "SyncookiesRecv", "ACKs with a good cookie")                               \
	X(COOKIES_FAILED, "SyncookiesFailed", "ACKs with a bad cookie")                            \
	X(TW_REUSE, "TWRecycled", "TIME_WAIT ended early by a new SYN (RFC 6191)")                 \
	X(PMTU_ICMP, "TCPMTUPIcmp", "path MTU lowered by ICMP")                                    \
	X(PMTU_FAIL, "TCPMTUPFail", "path MTU probes lost (RFC 4821)")                             \
	X(PMTU_SUCCESS, "TCPMTUPSuccess", "path MTU probes acknowledged")                          \
	X(BLACKHOLE, "TCPMTUBlackhole", "segments made smaller after timeouts")                    \
	X(IDLE_RESTART, "TCPSlowStartIdle", "slow start after an idle period")                     \
	X(NO_MBUF, "TCPMemoryDrop", "no buffer to send or keep something")                         \
	X(ABORT_DATA, "TCPAbortOnData", "data received after the user had closed")                 \
	X(ABORT_TIMEOUT, "TCPAbortOnTimeout", "ended by timeout")

enum tp_tcp_mib {
#define X(id, name, text) TP_TCP_M_##id,
	TP_TCP_MIB(X)
#undef X
	                TP_TCP_NB_MIB,
};

const char *tp_tcp_state_name(enum tp_tcp_state state);
const char *tp_tcp_reason_name(enum tp_tcp_reason reason);
const char *tp_tcp_reason_text(enum tp_tcp_reason reason);
const char *tp_tcp_mib_name(enum tp_tcp_mib counter);
const char *tp_tcp_mib_text(enum tp_tcp_mib counter);

/* ---- a segment, parsed -------------------------------------------------- */

#define TP_TCP_FIN 0x01
#define TP_TCP_SYN 0x02
#define TP_TCP_RST 0x04
#define TP_TCP_PSH 0x08
#define TP_TCP_ACK 0x10
#define TP_TCP_URG 0x20
#define TP_TCP_ECE 0x40
#define TP_TCP_CWR 0x80

/** Blocks that fit beside timestamps are three; four without. */
#define TP_TCP_MAX_SACK 4

/** Options that were there (tp_tcp_seg.opts). */
#define TP_TCP_O_MSS 0x01
#define TP_TCP_O_WSCALE 0x02
#define TP_TCP_O_SACK_PERM 0x04
#define TP_TCP_O_SACK 0x08
#define TP_TCP_O_TS 0x10
#define TP_TCP_O_UTO 0x20 /**< user timeout (RFC 5482) */

/** A span of sequence numbers, left edge in, right edge out. */
struct tp_tcp_span {
	uint32_t left;
	uint32_t right;
};

/** What a received segment says, in host order. */
struct tp_tcp_seg {
	uint32_t seq;
	uint32_t ack;
	uint32_t len;     /**< bytes of payload, SYN and FIN not counted */
	uint16_t wnd;     /**< as received, not scaled */
	uint16_t urg_ptr; /**< as received */
	uint8_t flags;    /**< TP_TCP_FIN.. */
	uint8_t opts;     /**< TP_TCP_O_* */
	uint8_t wscale;   /**< shift, <= 14 (RFC 7323 2.3) */
	uint8_t nb_sack;
	uint16_t mss;
	uint16_t uto; /**< RFC 5482: granularity bit and value */
	uint32_t ts_val;
	uint32_t ts_ecr;
	bool ce; /**< IP said congestion experienced (RFC 3168) */
	bool is_v6;
	uint16_t nb_coalesced; /**< segments that were put together to this one, >= 1 */
	struct tp_tcp_span sack[TP_TCP_MAX_SACK];
	/** Payload only, exactly len bytes, several buffers possible; NULL if len is 0. */
	struct rte_mbuf *data;
	struct rte_mbuf *last; /**< of the buffers of data; NULL: it is to be looked for */
};

/** Parse the TCP header and options of a frame, defensively: an option with a lying length ends
 * the list (what stood before it counts), unknown ones are skipped (RFC 9293 3.1, MUST-6, MUST-7).
 * Then the frame is trimmed to its payload (padding of Ethernet goes, too), which seg->data
 * takes; without payload it is freed and seg->data is NULL.
 * @param m consumed on success
 * @param info result of tp_pkt_parse_burst(), with TP_PKT_F_L4 and protocol TCP
 * @return 0; -EBADMSG: header length wrong, or checksum wrong (computed if the port did not)
 */
int tp_tcp_parse(struct rte_mbuf *m, const struct tp_pkt_info *info, struct tp_tcp_seg *seg);

/** Receive coalescing: two segments of a connection that came one right after the other are one for the
 * engine, if they say the same of all but the next bytes: in order, ACK and PSH the only flags, same
 * acknowledgment, window and timestamps, no other option, no CE, and more than a few bytes.
 * @param seg gets the payload of next, and counts its segments
 * @param next its payload is gone, if true
 * @return false: they say different things, or would be longer than an IP packet; both are as before
 */
bool tp_tcp_join(struct tp_tcp_seg *seg, struct tp_tcp_seg *next);

/** Ends of a connection as its own host sees them; IPv4 addresses are IPv4-mapped (RFC 4291
 * 2.5.5.2), so that a key is one string of bytes.
 */
struct tp_tcp_key {
	uint8_t laddr[16];
	uint8_t raddr[16];
	rte_be16_t lport;
	rte_be16_t rport;
};
static_assert(sizeof(struct tp_tcp_key) == 36, "no holes");

static inline bool
tp_tcp_key_is_v4(const struct tp_tcp_key *key)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(key->raddr, mapped, sizeof(mapped)) == 0;
}

/* ---- what connections share --------------------------------------------- */

enum tp_tcp_cc {
	TP_TCP_CC_CUBIC,   /**< RFC 9438, the default */
	TP_TCP_CC_NEWRENO, /**< RFC 5681, 6582 */
	TP_TCP_NB_CC,
};

/** Settings of new connections; read only while connections use it. */
struct tp_tcp_conf {
	uint8_t cc;               /**< enum tp_tcp_cc */
	bool timestamps;          /**< RFC 7323 */
	bool sack;                /**< RFC 2018 */
	bool window_scale;        /**< RFC 7323 */
	bool ecn;                 /**< RFC 3168 */
	bool nodelay;             /**< Nagle's algorithm off */
	bool quickack;            /**< no delayed ACKs */
	bool pacing;              /**< spread a window over the round trip */
	bool mtu_probing;         /**< RFC 4821 after timeouts */
	bool keepalive;           /**< off by default (RFC 9293 MUST-25) */
	uint8_t syn_retries;      /**< SYN and SYN-ACK, default 7 (MUST-23: three minutes) */
	uint8_t retries;          /**< retransmissions of data, default 15 (R2 >= 100 s) */
	uint8_t keep_probes;      /**< default 9 */
	uint16_t mtu;             /**< of the team: the smallest of its members' */
	uint32_t rcv_buf;         /**< bytes a connection may keep or have unconsumed */
	uint32_t snd_buf;         /**< bytes it may have queued to send */
	uint32_t tso_max;         /**< bytes of a segment that egress cuts; 0: one MSS */
	uint64_t keep_idle_ns;    /**< default 2 h (MUST-28) */
	uint64_t keep_intvl_ns;   /**< default 75 s */
	uint64_t user_timeout_ns; /**< 0: by retries only */
	uint64_t msl_ns;          /**< TIME_WAIT lasts two; default 30 s */
	uint64_t delack_ns;       /**< default 40 ms, < 500 ms (MUST-40) */
	uint64_t min_rto_ns;      /**< default 200 ms */
	uint64_t max_rto_ns;      /**< default 120 s, >= 60 s (RFC 6298 2.5) */
	uint64_t init_rto_ns;     /**< default 1 s */
};

/** All defaults, for an MTU of 1500. */
void tp_tcp_conf_default(struct tp_tcp_conf *conf);
/** @return 0, or -EINVAL with *what naming the first bad field */
int tp_tcp_conf_check(const struct tp_tcp_conf *conf, const char **what);

/** The same on all members of a team, so that any of them can answer for another. Control
 * writes it before the first connection.
 */
struct tp_tcp_secret {
	uint64_t isn[2];    /**< RFC 6528 */
	uint64_t cookie[2]; /**< RFC 4987 */
	uint64_t ts[2];     /**< offset of timestamps (RFC 7323 5.4) */
	uint64_t port[2];   /**< RFC 6056 */
};

/** A piece of data that is in flight, or waits out of order. From a pool that all lcores may
 * use: it moves with its connection.
 */
struct tp_tcp_rec {
	struct tp_tcp_rec *next; /**< higher sequence numbers */
	struct tp_tcp_rec *prev;
	/** Sent: the buffer of the send queue where it begins. Received: its data. */
	struct rte_mbuf *data;
	union {
		uint64_t sent_ns;           /**< last transmission (RFC 8985 Segment.xmit_ts) */
		struct rte_mbuf *data_tail; /**< received: last buffer of data */
	};
	uint32_t seq;
	uint32_t len;      /**< sequence numbers, SYN and FIN included */
	uint32_t off;      /**< sent: where it begins in that buffer */
	uint32_t nb_segs;  /**< received: segments in it */
	uint8_t flags;     /**< TP_TCP_REC_* */
	uint8_t nb_sent;   /**< transmissions, saturating */
	uint8_t tcp_flags; /**< SYN, FIN */
	uint8_t pad[13];
};
static_assert(sizeof(struct tp_tcp_rec) == RTE_CACHE_LINE_SIZE, "one line");

#define TP_TCP_REC_SACKED 0x01
#define TP_TCP_REC_LOST 0x02
#define TP_TCP_REC_RETRANS 0x04 /**< sent again, and that copy may be in flight */
#define TP_TCP_REC_EXEMPT 0x08  /**< swallowed by a dead port: no sign of congestion */
#define TP_TCP_REC_PROBE 0x10   /**< a path MTU probe */

/** What the connections of one lcore use. Owner. */
struct tp_tcp_env {
	const struct tp_tcp_conf *conf;
	const struct tp_tcp_secret *secret;
	struct rte_mempool *pool;          /**< headers, and copies */
	struct rte_mempool *pool_indirect; /**< payload by reference; NULL: copied */
	struct rte_mempool *recs;          /**< struct tp_tcp_rec */
	uint64_t challenge_sec;            /**< second in which challenge_left was filled */
	uint32_t challenge_left;           /**< RFC 5961 7 */
	uint64_t held_bytes;               /**< payload received and not consumed, of all its
					    * connections (tp_tcp_held()) */
	uint64_t held_max;                 /**< beyond it windows shrink; 0: no limit */
	uint64_t mib[TP_TCP_NB_MIB];
};

/** Make a pool of records. Control. @return the pool, or NULL with rte_errno */
struct rte_mempool *tp_tcp_rec_pool_create(
                const char *name, uint32_t nb, uint32_t cache_size, int socket_id);

/* ---- a connection ------------------------------------------------------- */

/** What the owner must look at (tp_tcp_conn.events; tp_tcp_events() takes them). */
#define TP_TCP_EV_ESTABLISHED 0x01
#define TP_TCP_EV_DATA 0x02     /**< tp_tcp_recv() has something */
#define TP_TCP_EV_WRITABLE 0x04 /**< room again, after tp_tcp_send() had refused */
#define TP_TCP_EV_EOF 0x08      /**< the peer sends no more; tp_tcp_recv() has all of it */
#define TP_TCP_EV_CLOSED 0x10   /**< state CLOSED: `reason` says why; tp_tcp_fini() it */
#define TP_TCP_EV_URGENT 0x20   /**< urgent data announced (RFC 9293 3.8.5) */
#define TP_TCP_EV_SOFT_ERR 0x40 /**< ICMP said something transient (RFC 5461) */

#define TP_TCP_F_TS 0x0001             /**< timestamps agreed */
#define TP_TCP_F_SACK 0x0002           /**< SACK agreed */
#define TP_TCP_F_WSCALE 0x0004         /**< window scaling agreed */
#define TP_TCP_F_ECN 0x0008            /**< ECN agreed */
#define TP_TCP_F_ECE_SEND 0x0010       /**< CE seen, CWR not yet (RFC 3168 6.1.3) */
#define TP_TCP_F_CWR_SEND 0x0020       /**< say CWR with the next new data */
#define TP_TCP_F_ACK_NOW 0x0040        /**< an ACK must go out */
#define TP_TCP_F_FIN_WANTED 0x0080     /**< user closed: FIN behind what is queued */
#define TP_TCP_F_FIN_SENT 0x0100       /**< once at least; snd_nxt is behind it */
#define TP_TCP_F_FIN_RCVD 0x0200       /**< rcv_nxt is behind it */
#define TP_TCP_F_NODELAY 0x0400        /**< no Nagle */
#define TP_TCP_F_PASSIVE 0x0800        /**< it came from LISTEN */
#define TP_TCP_F_NO_READER 0x1000      /**< closed both ways: data gets a RST (RFC 9293 3.6.1) */
#define TP_TCP_F_RST_WANTED 0x2000     /**< send a RST with rst_seq, rst_ack */
#define TP_TCP_F_WANT_SPACE 0x4000     /**< tp_tcp_send() had refused */
#define TP_TCP_F_PUSH 0x8000           /**< the queue ends a message */
#define TP_TCP_F_KEEPALIVE 0x10000     /**< probes when idle */
#define TP_TCP_F_PROBE_NOW 0x20000     /**< zero window or keepalive probe must go out */
#define TP_TCP_F_QUICKACK 0x40000      /**< no delayed ACKs */
#define TP_TCP_F_IS_V6 0x80000         /**< header lengths */
#define TP_TCP_F_PACING 0x100000       /**< pace_ns counts */
#define TP_TCP_F_URG_RCVD 0x200000     /**< rcv_up holds */
#define TP_TCP_F_RST_ACK 0x400000      /**< the wanted RST carries ACK */
#define TP_TCP_F_MTU_PROBING 0x800000  /**< searching (RFC 4821) */
#define TP_TCP_F_TLP_RETRANS 0x1000000 /**< the probe was a retransmission (RFC 8985 7.3) */
#define TP_TCP_F_TLP_NOW 0x2000000     /**< a tail loss probe must go out */
#define TP_TCP_F_COOKIE 0x4000000      /**< made from a SYN cookie */
#define TP_TCP_F_EXEMPT 0x8000000      /**< this recovery repairs what is no sign of congestion */
#define TP_TCP_F_MTU_PROBE 0x10000000  /**< a record with PROBE is in flight */
#define TP_TCP_F_URG_SEND 0x20000000   /**< snd_up holds and is not yet acknowledged */
#define TP_TCP_F_TLP_BLIND 0x40000000  /**< no RTT was measured since a probe (RFC 8985 7.3) */
#define TP_TCP_F_UTO_USER 0x80000000u  /**< the user chose its timeout: the peer may not */

/** Congestion state, as Linux names it. */
enum tp_tcp_ca {
	TP_TCP_CA_OPEN,
	TP_TCP_CA_DISORDER, /**< SACKs or duplicate ACKs, no loss yet: limited transmit (RFC 3042) */
	TP_TCP_CA_CWR,      /**< reducing for ECE */
	TP_TCP_CA_RECOVERY, /**< fast recovery until recover_point */
	TP_TCP_CA_LOSS,     /**< after a timeout, until recover_point */
};

/** What the one retransmission timer waits for; they exclude each other. */
enum tp_tcp_rexmit {
	TP_TCP_REXMIT_NONE,
	TP_TCP_REXMIT_RTO,
	TP_TCP_REXMIT_TLP,     /**< RFC 8985 7 */
	TP_TCP_REXMIT_REO,     /**< RACK's reordering window (RFC 8985 6.2 step 5) */
	TP_TCP_REXMIT_PERSIST, /**< RFC 9293 3.8.6.1 */
	TP_TCP_REXMIT_SPACE,   /**< nothing to send, but its user found no buffer: WRITABLE */
};

/** A chain of buffers. */
struct tp_tcp_queue {
	struct rte_mbuf *head; /**< by mbuf->next; only `next` and `data_len` hold */
	struct rte_mbuf *tail;
};

/** Congestion control's state; bytes, ms of the clock, which wrap. The first slow start needs none
 * of what CUBIC needs later (RFC 9406 4.3).
 */
struct tp_tcp_cubic {
	union {
		struct {                   /**< ssthresh is a number: RFC 9438 4 */
			uint32_t epoch_ms; /**< valid if cwnd_epoch is not 0 */
			uint32_t w_max;
			uint32_t cwnd_epoch; /**< cwnd at the epoch's start; 0: no epoch */
			uint32_t w_est;
			uint32_t k_ms;
		};
		struct { /**< ssthresh is UINT32_MAX: HyStart++, RFC 9406 4.2 */
			uint32_t window_end;
			uint32_t last_min_rtt_us;
			uint32_t cur_min_rtt_us;
			uint32_t css_base_rtt_us; /**< 0: not in conservative slow start */
			uint16_t nb_rtt;          /**< samples in this round */
			uint16_t css_rounds;
		};
	};
	uint32_t acked; /**< not yet turned into growth */
	uint32_t cwnd_prior;
	uint32_t w_max_prior;
	uint32_t ssthresh_prior;
};

/** A connection. Zero is CLOSED. */
struct tp_tcp_conn {
	/* Line 0: every segment, both ways. */
	alignas(RTE_CACHE_LINE_SIZE) uint8_t state; /**< enum tp_tcp_state */
	uint8_t ca;                                 /**< enum tp_tcp_ca */
	uint8_t events;                             /**< TP_TCP_EV_* */
	uint8_t reason;                             /**< enum tp_tcp_reason */
	uint32_t flags;                             /**< TP_TCP_F_* */
	uint32_t snd_una;
	uint32_t snd_nxt; /**< next new number; retransmission does not move it back */
	uint32_t snd_wnd; /**< bytes, scaled */
	uint32_t snd_wl1;
	uint32_t snd_wl2;
	uint32_t rcv_nxt;
	uint32_t rcv_adv;    /**< right edge that was advertised; never moves back */
	uint32_t rcv_unread; /**< bytes handed over or waiting, in order, not yet consumed */
	uint32_t ts_recent;  /**< RFC 7323 4.3 */
	uint32_t last_ack_sent;
	uint16_t snd_mss; /**< payload of a full segment, options of every segment taken off */
	uint8_t snd_wscale;
	uint8_t rcv_wscale;
	uint32_t rcv_unacked;      /**< bytes received since the last ACK went out */
	struct rte_mbuf *rcv_head; /**< in order, for the owner to take: one chain */

	/* Line 1: Rx of data, and the timers that Rx and Tx move. */
	alignas(RTE_CACHE_LINE_SIZE) struct rte_mbuf *rcv_tail;
	struct tp_tcp_rec *ooo_head; /**< received out of order: sorted blocks with gaps between;
				      * its prev is the last one */
	uint64_t rexmit_ns;          /**< deadline of rexmit_kind, or TP_NEVER */
	uint64_t delack_ns;          /**< delayed ACK, or TP_NEVER */
	uint64_t rcvd_ns;            /**< last segment received: keepalive, parking, PAWS' age */
	uint64_t last_now;           /**< its clock never goes backwards */
	uint32_t ts_off;             /**< added to the millisecond clock */
	uint32_t rcv_buf;            /**< bytes */
	uint32_t snd_queued;         /**< bytes in the send queue, from snd_una on */
	uint8_t rexmit_kind;         /**< enum tp_tcp_rexmit */
	uint8_t nb_rexmit;           /**< timeouts (or window probes) in a row */
	uint8_t nb_probes;           /**< keepalive probes without answer */
	uint8_t dupacks;             /**< without SACK: RFC 5681 3.2 */

	/* Line 2: Tx of data. */
	alignas(RTE_CACHE_LINE_SIZE) struct tp_tcp_rec *tx_head; /**< sent, from snd_una on */
	struct tp_tcp_rec *tx_tail;
	struct tp_tcp_queue snd;  /**< all that is queued, from snd_una on */
	struct rte_mbuf *snd_cur; /**< buffer of snd that holds snd_nxt's byte; NULL: none is new */
	uint32_t snd_cur_off;     /**< its offset there */
	uint32_t snd_head_off;    /**< bytes of snd.head that are acknowledged */
	uint32_t cwnd;            /**< bytes */
	uint32_t ssthresh;        /**< bytes */
	uint32_t sacked_out;      /**< bytes of records with SACKED */
	uint32_t lost_out;        /**< bytes of records with LOST */

	/* Line 3: RTT, RACK, PRR. */
	alignas(RTE_CACHE_LINE_SIZE) uint32_t retrans_out; /**< bytes of records with RETRANS */
	uint32_t srtt_us;                                  /**< RFC 6298; 0: no sample yet */
	uint32_t rttvar_us;
	uint32_t rto_us;        /**< without backoff */
	uint32_t min_rtt_us;    /**< over the last ten seconds or so */
	uint32_t recover_point; /**< snd_nxt when recovery (or CWR, LOSS) began */
	uint32_t min_rtt_ms;    /**< when it was measured, on the clock's ms, which wrap */
	uint32_t cwnd_full_seq; /**< snd_nxt when cwnd was last filled: only then it may grow */
	uint64_t rack_xmit_ns;  /**< RFC 8985 5.2 RACK.xmit_ts */
	uint32_t rack_end_seq;
	uint32_t rack_rtt_us;
	uint32_t rack_fack;     /**< highest number SACKed or acknowledged */
	uint32_t prr_delivered; /**< RFC 6937 */
	uint32_t prr_out;
	uint32_t recover_fs; /**< flight size when recovery began */

	/* Line 4: reordering, TLP, undo, delivery. */
	alignas(RTE_CACHE_LINE_SIZE) uint32_t rack_dsack_round;
	uint8_t rack_reo_wnd_mult;
	uint8_t rack_reo_wnd_persist;
	bool rack_reordering_seen;
	bool rack_dsack_round_valid;
	bool tlp_out;           /**< a probe is out, tlp_end_seq holds */
	uint8_t cc;             /**< enum tp_tcp_cc */
	uint8_t frto;           /**< RFC 5682: step, 0 none */
	uint8_t nb_sack_recent; /**< entries of sack_recent */
	uint32_t undo_marker;   /**< snd_una when the response began; undo_valid */
	uint32_t undo_retrans;  /**< retransmissions not yet known to be needless */
	bool undo_valid;
	bool dsack_pending;             /**< dsack holds */
	uint16_t nb_ooo;                /**< segments in ooo_head */
	uint32_t mtu_ms;                /**< path MTU was lowered, or its search ended; wraps */
	uint32_t sent_ms;               /**< last data sent: idle restart (RFC 5681 4.1); wraps */
	uint64_t pace_ns;               /**< next data not before */
	uint64_t first_rexmit_ns;       /**< begin of a row of timeouts: user timeout */
	struct tp_tcp_rec *rexmit_hint; /**< none before it waits to be sent again; NULL: unknown */
	struct tp_tcp_span dsack;       /**< duplicate to report */

	/* Line 5: congestion control, numbers of the beginning. */
	alignas(RTE_CACHE_LINE_SIZE) struct tp_tcp_cubic cubic;
	uint32_t tlp_end_seq; /**< RFC 8985 7.1 */
	uint32_t rcv_up;      /**< urgent pointer */
	uint32_t iss;
	uint32_t irs;
	uint32_t snd_wnd_max; /**< largest window seen: SWS avoidance (RFC 9293 3.8.6.2.1) */
	uint64_t keep_ns;     /**< keepalive, end of TIME_WAIT or of FIN_WAIT_2; TP_NEVER */

	/* Line 6: rarely. */
	alignas(RTE_CACHE_LINE_SIZE) struct tp_tcp_key key;
	uint32_t rst_seq;
	union {
		uint32_t rst_ack; /**< CLOSED */
		uint32_t snd_up;  /**< open: urgent pointer to send (URG_SEND) */
	};
	uint16_t peer_mss;   /**< from its SYN, or the default (RFC 9293 3.7.1) */
	uint16_t pmtu;       /**< bytes of IP packet that the path takes */
	uint16_t probe_high; /**< RFC 4821: search range, bytes of IP packet */
	uint16_t probe_low;
	uint32_t user_timeout_ms; /**< 0: by retries */
	uint32_t sack_recent[2];  /**< left edges of blocks that changed last, but for the newest */

	/* Line 7: statistics, and what belongs to the owner of the engine. */
	alignas(RTE_CACHE_LINE_SIZE) uint64_t bytes_in;
	uint64_t bytes_out; /**< acknowledged */
	uint64_t opened_ns;
	uint32_t segs_in;
	uint32_t segs_out;
	uint32_t retrans_segs;
	uint32_t snd_buf;     /**< bytes that may be queued */
	uint32_t sack_newest; /**< a number in the block that changed last */
	uint32_t owner_word;  /**< not touched by the engine, like: */
	uint64_t owner_data[2];
};

static_assert(offsetof(struct tp_tcp_conn, rcv_tail) == 1 * RTE_CACHE_LINE_SIZE, "Rx line");
static_assert(offsetof(struct tp_tcp_conn, tx_head) == 2 * RTE_CACHE_LINE_SIZE, "Tx line");
static_assert(offsetof(struct tp_tcp_conn, retrans_out) == 3 * RTE_CACHE_LINE_SIZE, "RTT line");
static_assert(offsetof(struct tp_tcp_conn, bytes_in) == 7 * RTE_CACHE_LINE_SIZE, "owner's line");
static_assert(sizeof(struct tp_tcp_conn) == 8 * RTE_CACHE_LINE_SIZE, "512 bytes");

/* ---- opening ------------------------------------------------------------ */

/** Prepare a connection that is CLOSED, from the settings in env.
 * @param key its ends; decides ISN and timestamp offset
 */
void tp_tcp_conn_init(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_key *key,
                uint64_t now);
/** Active open: SYN_SENT (RFC 9293 3.10.1). */
void tp_tcp_connect(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);
/** Passive open by a SYN that a listener wants: SYN_RCVD (RFC 9293 3.10.7.2). Its data, if it
 * has some, is freed: the peer sends it again.
 */
void tp_tcp_accept(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_seg *syn,
                uint64_t now);
/** SYN-ACK that holds all state in its numbers (RFC 4987 3.6): from its TCP header on.
 * @return the segment, or NULL when the pool is empty
 */
struct rte_mbuf *tp_tcp_cookie_reply(struct tp_tcp_env *env, const struct tp_tcp_key *key,
                const struct tp_tcp_seg *syn, uint64_t now);
/** Is this ACK an answer to such a SYN-ACK? Then c is prepared and ESTABLISHED; give it the
 * segment by tp_tcp_input() next.
 * @return 0, or -EINVAL (c untouched)
 */
int tp_tcp_cookie_open(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_key *key,
                const struct tp_tcp_seg *ack, uint64_t now);
/** May a SYN end this TIME_WAIT, so that a new connection takes its place (RFC 6191, RFC 9293
 * 3.6.1)? Then tp_tcp_fini(), tp_tcp_conn_init() and tp_tcp_accept().
 */
bool tp_tcp_may_reopen(const struct tp_tcp_conn *c, const struct tp_tcp_seg *syn);
/** RST for a segment that belongs to nobody (RFC 9293 3.10.7.1), from its TCP header on.
 * @param seg its data is not consumed
 * @return NULL when it gets none (it is a RST itself) or the pool is empty
 */
struct rte_mbuf *tp_tcp_refuse(
                struct tp_tcp_env *env, const struct tp_tcp_key *key, const struct tp_tcp_seg *seg);
/** Ephemeral port to try (RFC 6056 3.3.3). @return host order, low <= port <= high */
uint16_t tp_tcp_port_choose(const struct tp_tcp_secret *secret, const struct tp_tcp_key *key,
                uint16_t low, uint16_t high, uint32_t attempt);

/* ---- running ------------------------------------------------------------ */

/** A segment arrived (RFC 9293 3.10.7.3, 3.10.7.4).
 * @param seg its data is consumed
 */
void tp_tcp_input(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_seg *seg,
                uint64_t now);
/** Make what may be sent now: retransmissions, new data, FIN, ACK, RST, probes. Each begins with
 * its TCP header (l4_len is set) in a buffer of its own that has the pool's whole headroom for
 * lower headers. ol_flags have RTE_MBUF_F_TX_TCP_CKSUM and the IP version, and TCP_SEG with
 * tso_segsz when larger than one segment. Data of the send queue is attached by reference.
 * @param pkts [nb] out
 * @return how many; less than nb: nothing more may be sent now
 */
uint16_t tp_tcp_output(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now,
                struct rte_mbuf **pkts, uint16_t nb);
/** ECN codepoint for the IP header of a segment that tp_tcp_output() made (RFC 3168 6.1): ECT(0)
 * (2) for new data of a connection that agreed, else 0.
 */
uint8_t tp_tcp_ecn_codepoint(const struct rte_mbuf *m);
/** @return absolute ns of the next deadline, TP_NEVER when there is none */
uint64_t tp_tcp_next(const struct tp_tcp_conn *c);
/** Run what is due. Early calls do nothing. */
void tp_tcp_timer(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);
/** @return and clear the events */
static inline uint8_t
tp_tcp_events(struct tp_tcp_conn *c)
{
	uint8_t ev = c->events;

	c->events = 0;
	return ev;
}

enum tp_tcp_icmp {
	TP_TCP_ICMP_MTU,  /**< packet too big, fragmentation needed */
	TP_TCP_ICMP_HARD, /**< protocol or port unreachable */
	TP_TCP_ICMP_SOFT, /**< network or host unreachable, time exceeded */
};
/** ICMP error that quotes a segment of this connection; ignored unless seq is in flight
 * (RFC 5927 4). Hard errors end only connections that are not yet synchronised (RFC 5927 5).
 * @param mtu next hop's, 0 unknown
 */
void tp_tcp_icmp(struct tp_tcp_env *env, struct tp_tcp_conn *c, enum tp_tcp_icmp kind, uint32_t seq,
                uint16_t mtu, uint64_t now);
/** The member that sent for it died, and what is in flight may have been swallowed by its port:
 * probe at once without waiting for the RTO; what turns out lost is no sign of congestion.
 */
void tp_tcp_path_changed(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);

/* ---- the user ----------------------------------------------------------- */

/** Queue data, without copying: the buffers must stay unchanged until they are freed.
 * @param m chain, consumed on success; no buffer in it is shared with another chain's links
 * @param push no more follows soon: send what is there
 * @return 0; -ENOBUFS: more than the send buffer takes (WRITABLE follows); -EPIPE: closed for
 *   sending; -ENOTCONN
 */
int tp_tcp_send(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct rte_mbuf *m, bool push,
                uint64_t now);
/** What is queued by now ends with urgent data (RFC 9293 3.8.5; new users should not, RFC 6093 5): the
 * peer is told where it ends until it has it.
 * @return 0; -EINVAL: nothing is queued; -EPIPE; -ENOTCONN
 */
int tp_tcp_urgent(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);
/** Bytes that tp_tcp_send() would take. */
uint32_t tp_tcp_send_space(const struct tp_tcp_conn *c);
/** Let WRITABLE follow as if tp_tcp_send() had refused: what the user has to send found no buffer.
 * With an ACK that makes room; where nothing is queued that would bring one, after some ms.
 */
static inline void
tp_tcp_want_space(struct tp_tcp_conn *c)
{
	c->flags |= TP_TCP_F_WANT_SPACE;
}
/** Take all data that is there in order: one chain, the caller's now, pkt_len and nb_segs set;
 * NULL: none. The window opens only by tp_tcp_consumed().
 */
struct rte_mbuf *tp_tcp_recv(struct tp_tcp_conn *c);
/** The user is done with so many bytes that it took. */
void tp_tcp_consumed(
                struct tp_tcp_env *env, struct tp_tcp_conn *c, uint32_t len_bytes, uint64_t now);
/** Send no more: FIN behind what is queued (RFC 9293 3.10.4). */
void tp_tcp_shutdown(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);
/** Neither send nor receive any more: data that still comes gets a RST. */
void tp_tcp_close(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);
/** RST at once (RFC 9293 3.10.5); CLOSED with this reason. */
void tp_tcp_abort(struct tp_tcp_env *env, struct tp_tcp_conn *c, enum tp_tcp_reason reason,
                uint64_t now);
/** Free all that it holds; the struct is zero afterwards. Any state. */
void tp_tcp_fini(struct tp_tcp_env *env, struct tp_tcp_conn *c);

enum tp_tcp_opt {
	TP_TCP_OPT_NODELAY,      /**< bool */
	TP_TCP_OPT_QUICKACK,     /**< bool */
	TP_TCP_OPT_KEEPALIVE,    /**< bool */
	TP_TCP_OPT_USER_TIMEOUT, /**< ms */
	TP_TCP_OPT_CC,           /**< enum tp_tcp_cc */
	TP_TCP_OPT_RCV_BUF,      /**< bytes */
	TP_TCP_OPT_SND_BUF,      /**< bytes */
	TP_TCP_OPT_PACING,       /**< bool */
};
/** @return 0, or -EINVAL */
int tp_tcp_set(struct tp_tcp_env *env, struct tp_tcp_conn *c, enum tp_tcp_opt opt, uint64_t value,
                uint64_t now);

/** Like Linux' TCP_INFO. */
struct tp_tcp_info {
	uint8_t state, ca;
	uint8_t opts; /**< agreed: TP_TCP_O_*, and 0x80 for ECN */
	uint8_t snd_wscale, rcv_wscale, nb_rexmit, nb_probes;
	uint32_t rto_us, rtt_us, rttvar_us, min_rtt_us;
	uint32_t snd_mss, pmtu, cwnd, ssthresh, snd_wnd, rcv_wnd;
	uint32_t unacked, sacked, lost, retrans; /**< bytes */
	uint32_t queued;                         /**< bytes not yet sent */
	uint32_t total_retrans;                  /**< segments */
	uint32_t idle_ms;                        /**< since something was received */
	uint64_t bytes_in, bytes_out;
	uint32_t segs_in, segs_out;
};
void tp_tcp_info(const struct tp_tcp_conn *c, uint64_t now, struct tp_tcp_info *info);

/** @return when the last segment was received, ns */
static inline uint64_t
tp_tcp_rcvd(const struct tp_tcp_conn *c)
{
	return c->rcvd_ns;
}

/** @return its part of held_bytes: what moves from one shard's count to the other's with it */
uint64_t tp_tcp_held(const struct tp_tcp_conn *c);

/* ---- moving and parking ------------------------------------------------------ */

/** The connection leaves this owner, at any instant (docs/claims.md B4): what env counts of it is
 * taken out. The struct itself is not changed, holds no pointer to itself or to env, and may be read
 * until tp_tcp_adopt() has copied it, by another lcore, too; then it is garbage: forget it, without
 * tp_tcp_fini(). Old owner's lcore.
 */
void tp_tcp_export(struct tp_tcp_env *env, struct tp_tcp_conn *c);
/** It goes on here: queues, timers, events and what waits to be sent as they were; deadlines are
 * absolute, so ask tp_tcp_next(). Its clock goes on from the later of `now` and its own. Nothing is
 * sent because of the move. New owner's lcore.
 * @param env uses the same pool of records, secrets and settings as the one it came from; packet
 *   pools may be others
 * @param to [1] out, all of it, the owner's words included; not `from`
 * @param from exported; not written
 */
void tp_tcp_adopt(struct tp_tcp_env *env, struct tp_tcp_conn *to, const struct tp_tcp_conn *from,
                uint64_t now);

/** A connection that waits for nothing, in the room of two lines with its owner's words (docs/claims.md
 * B5). Bits of its fields mean what move.c says; plain ones are for whoever keeps it.
 */
struct tp_tcp_parked {
	uint64_t keep_ns; /**< keepalive is due, absolute ns; TP_NEVER: it is off */
	uint64_t rcvd_ns; /**< last segment received */
	uint64_t bytes_in : 40;
	uint64_t srtt : 24; /**< this and all other round trips: us */
	uint64_t bytes_out : 40;
	uint64_t rttvar : 24;
	uint32_t flags;
	uint32_t snd_una;
	uint32_t rcv_nxt;
	uint32_t rcv_wnd;
	uint32_t ts_recent;
	uint32_t ts_off;
	uint32_t cwnd;
	union {
		struct {
			uint32_t ssthresh;
			uint32_t w_max;
			uint32_t cwnd_prior;
		};
		struct {
			uint32_t last_min_rtt : 24;
			uint32_t css_rounds : 8;
			uint32_t cur_min_rtt : 24;
			uint32_t nb_rtt : 8;
			uint32_t css_base_rtt : 24;
		};
	};
	uint32_t min_rtt : 24;
	uint32_t snd_wscale : 4;
	uint32_t rcv_wscale : 4;
	uint16_t rto; /**< a number in 16 bits, like: */
	uint16_t rcv_buf;
	uint16_t snd_buf;
	uint16_t user_timeout;
	uint16_t opened_s; /**< before rcvd_ns */
	uint16_t snd_wnd;
	uint16_t snd_wnd_max;
	uint16_t peer_mss;
	uint16_t pmtu;
	uint16_t probe_high;
	uint16_t last_ms;    /**< its clock, after rcvd_ns */
	uint16_t sent_ms;    /**< before its clock */
	uint16_t min_rtt_ms; /**< before rcvd_ns */
	uint8_t rack_mult;
	uint8_t rack_persist;
};
static_assert(sizeof(struct tp_tcp_parked) == 104, "128 with the owner's words and some more");

/** May it be parked: ESTABLISHED, CLOSE_WAIT or FIN_WAIT_2 (unless it is to end there), nothing
 * queued, in flight, unread, out of order, to be told or to be sent, and no clock but keepalive's?
 */
bool tp_tcp_parkable(const struct tp_tcp_conn *c);
/** Write down a connection that is parkable; it holds nothing and may be forgotten without
 * tp_tcp_fini(). Its key and its owner's words are kept by the caller. Approximate from then on: when
 * it was opened, buffer sizes and timeouts that are not those of the settings (1/1000); forgotten:
 * counts of segments, what only undoes an old loss.
 */
void tp_tcp_park(const struct tp_tcp_conn *c, struct tp_tcp_parked *rec);
/** It goes on as if it had not been parked.
 * @param c out; the owner's words in it are not touched
 * @param key its ends, as when it was parked
 */
void tp_tcp_unpark(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_key *key,
                const struct tp_tcp_parked *rec, uint64_t now);

/** Check every field that has a range and every relation between fields and queues; walks the
 * queues, bounded. For debug builds, fuzzing and adoption of a frozen shard.
 * @param what out: the first thing that is wrong
 * @return 0 or -EINVAL
 */
int tp_tcp_conn_check(const struct tp_tcp_conn *c, const char **what);

#endif
