/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The joints between the engine's files.
 *
 *   seg.c, option.c        a segment from a frame; options, both ways
 *   input.c                the numbered steps of RFC 9293 3.10.7
 *   ack.c                  step 5: what an ACK teaches, once, for all below
 *     txq.c                what is sent and not yet acknowledged, as records
 *     sack.c rtt.c         scoreboard, RFC 6298
 *     rack.c tlp.c         RFC 8985
 *     recovery.c prr.c     congestion states, undo, RFC 6937
 *     cc.c cc_*.c          how cwnd grows and shrinks
 *   reass.c window.c       what is received; the window that is offered
 *   output.c               the one place that makes segments
 *   rexmit.c pace.c        what it may send, and send again, and its timer
 *   timer.c                the one place that looks at deadlines
 *   isn.c cookie.c port.c  keyed hashes; SYN cookies
 *   conn.c user.c pmtu.c path.c move.c check.c info.c conf.c text.c
 */
#ifndef TCP_INT_H
#define TCP_INT_H

#include "tp_tcp.h"

/* RFC 9293 3.7.1: without an MSS option. */
#define TCP_MSS_DEFAULT_V4 536
#define TCP_MSS_DEFAULT_V6 1220
/* RFC 5961 7: challenge ACKs of a shard in a second. */
#define TCP_CHALLENGES_PER_S 1000
#define TCP_MAX_WSCALE 14

/* A small segment holds a whole buffer: up to so many bytes are copied behind what waits already. */
#define TCP_COPY_MAX 256
/* Not counted per byte, but per buffer: segments that a connection may keep out of order. */
#define TCP_MAX_OOO 4096

/* A connection's clock never goes backwards. */
static inline uint64_t
tcp_clock(struct tp_tcp_conn *c, uint64_t now)
{
	if (now > c->last_now)
		c->last_now = now;
	return c->last_now;
}

static inline void
tcp_count(struct tp_tcp_env *env, enum tp_tcp_mib counter)
{
	env->mib[counter]++;
}

/* Milliseconds of the clock, which wrap: for spans of less than 49 days. */
static inline uint32_t
tcp_ms(uint64_t now)
{
	return (uint32_t)(now / TP_NS_PER_MS);
}

/* Bytes queued behind snd_nxt: not yet sent. */
static inline uint32_t
tcp_unsent(const struct tp_tcp_conn *c)
{
	if (c->state <= TP_TCP_SYN_RCVD)
		return c->snd_queued;
	if (c->flags & TP_TCP_F_FIN_SENT)
		return 0;
	return c->snd_queued - (c->snd_nxt - c->snd_una);
}

static inline void
tcp_tell_writable(struct tp_tcp_conn *c)
{
	if ((c->flags & TP_TCP_F_WANT_SPACE) == 0 || c->snd_queued > c->snd_buf / 2)
		return;
	c->flags &= ~TP_TCP_F_WANT_SPACE;
	c->events |= TP_TCP_EV_WRITABLE;
}

/* ---- what an ACK taught (ack.c fills it, the rest reads or adds) -------- */

struct tcp_ack {
	uint64_t now;
	uint32_t prior_una;
	uint32_t prior_flight;   /* bytes in flight before */
	uint32_t acked;          /* bytes cumulatively acknowledged that were not SACKed before */
	uint32_t sacked;         /* bytes newly SACKed */
	uint32_t lost;           /* bytes newly marked lost */
	uint32_t lost_congested; /* of these, what is a sign of congestion */
	uint32_t probe_acked;    /* bytes of a path MTU probe that arrived; 0: none */
	uint64_t oldest_sent_ns; /* first delivered record that was sent only once (has_rtt) */
	uint64_t newest_sent_ns; /* of the newest record that this ACK delivers (has_newest) */
	uint32_t newest_end_seq;
	uint32_t ts_ecr;      /* if has_ts */
	uint32_t dsack_right; /* right edge of the duplicate, if dsack */
	bool again;           /* it delivers something that was sent more than once */
	bool has_rtt;         /* Karn: something delivered was sent only once */
	bool has_newest;      /* something delivered may drive RACK */
	bool newest_retrans;  /* that record had been sent more than once */
	bool has_ts;
	bool in_sack;  /* what is noted now, a SACK block covers */
	bool moved;    /* snd_una advanced */
	bool dup;      /* a duplicate ACK of RFC 5681 2 */
	bool has_sack; /* it has SACK blocks, or a DSACK */
	bool dsack;    /* it reports a duplicate (RFC 2883) */
	bool ece;
	bool original;    /* it delivers what was sent before recover_point and only once */
	bool spurious_ts; /* RFC 3522 (Eifel): it answers the original, by its timestamp */
};

/* ---- txq.c -------------------------------------------------------------- */

/* Bytes in flight (RFC 6675's pipe, from counters): sent - sacked - lost + retransmitted. */
uint32_t tcp_in_flight(const struct tp_tcp_conn *c);
/* A record for the next len bytes of the queue and these flags, at snd_nxt, which moves behind
 * it, like snd_cur. NULL: no record left (counted). */
struct tp_tcp_rec *tcp_txq_append(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint32_t len_bytes,
                uint8_t tcp_flags, uint64_t now);
/* Cut a record in two at len sequence numbers. @return 0, or -ENOMEM (unchanged) */
int tcp_txq_split(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_rec *rec,
                uint32_t len);
/* Payload of a record: len without SYN and FIN. Its first byte is rec->off in rec->data. */
static inline uint32_t
tcp_rec_bytes(const struct tp_tcp_rec *rec)
{
	return rec->len - !!(rec->tcp_flags & TP_TCP_SYN) - !!(rec->tcp_flags & TP_TCP_FIN);
}
/* It arrived, or waits to be sent again. */
static inline bool
tcp_rec_is_out_of_play(const struct tp_tcp_rec *rec)
{
	if (rec->flags & TP_TCP_REC_SACKED)
		return true;
	return (rec->flags & (TP_TCP_REC_LOST | TP_TCP_REC_RETRANS)) == TP_TCP_REC_LOST;
}
/* Release what is acknowledged: records, and the buffers before ack_seq; snd_una becomes ack_seq,
 * snd_queued and bytes_out follow. Adds to ack. */
void tcp_txq_acked(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint32_t ack_seq,
                struct tcp_ack *ack);
/* A SACKed record joins the one before it if that is SACKed, too; rec may be gone. */
void tcp_txq_merge_sacked(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_rec *rec);
/* Put buffers at the queue's end: snd_queued grows, snd_cur points to the first new byte. */
void tcp_txq_queue(struct tp_tcp_conn *c, struct rte_mbuf *m);
void tcp_txq_free(struct tp_tcp_env *env, struct tp_tcp_conn *c);
/* Change a record's marks: counters follow. */
void tcp_rec_mark(struct tp_tcp_conn *c, struct tp_tcp_rec *rec, uint8_t set, uint8_t clear);

/* ---- ack.c and what it calls -------------------------------------------- */

/* RFC 9293 3.10.7.4 step 5 for SND.UNA <= SEG.ACK <= SND.NXT: release, scoreboard, RTT, loss,
 * congestion, timers; the send window is updated by the caller (input.c), before. Also for the ACK
 * of a SYN, in SYN_SENT and SYN_RCVD, before tcp_cc_init(): cwnd is one MSS then and does not
 * grow. nb_rexmit goes to 0 when snd_una moves. */
void tcp_ack_process(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *seg,
                bool wnd_update, uint64_t now);
/* Numbers that are compared with snd_una start at seq: at the SYN, or when a cookie opens. */
void tcp_marks_init(struct tp_tcp_conn *c, uint32_t seq);
/* A record that was sent more than once was delivered. @return whether RACK may use it */
bool tcp_ack_note_again(
                const struct tp_tcp_conn *c, struct tcp_ack *ack, const struct tp_tcp_rec *rec);
/* RFC 2018, 2883: validate blocks, mark records. */
void tcp_sack_update(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *seg,
                struct tcp_ack *ack);
void tcp_rtt_sample(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t rtt_ns, uint64_t now);
/* Minimum of the last seconds, from what was sent once. */
void tcp_rtt_min(struct tp_tcp_conn *c, uint64_t rtt_ns, uint64_t now);
/* RTO that the samples so far make, in us (RFC 6298 2). */
uint32_t tcp_rto_of(const struct tp_tcp_conf *conf, const struct tp_tcp_conn *c);
/* RTO with its backoff, in ns. */
uint64_t tcp_rto_ns(const struct tp_tcp_env *env, const struct tp_tcp_conn *c);
/* Take back all SACKs: the peer has (RFC 2018 8). */
void tcp_sack_forget(struct tp_tcp_env *env, struct tp_tcp_conn *c);

/* rack.c, RFC 8985 6.2: steps 1, 2 and DSACK rounds; steps 4 and 5.
 * @return ns until the reordering timer, 0: not needed */
#define TCP_RACK_PERSIST 16
void tcp_rack_update(struct tp_tcp_conn *c, struct tcp_ack *ack, uint64_t now);
uint64_t tcp_rack_detect(
                struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tcp_ack *ack, uint64_t now);
/* A timeout; the end of a recovery. */
void tcp_rack_timeout(
                struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tcp_ack *ack, uint64_t now);
void tcp_rack_recovered(struct tp_tcp_conn *c);
void tcp_mark_lost(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_rec *rec,
                struct tcp_ack *ack);

/* tlp.c, RFC 8985 7: when, what was sent, and what an ACK says of it. */
bool tcp_tlp_allowed(const struct tp_tcp_conn *c);
uint64_t tcp_tlp_pto_ns(const struct tp_tcp_conn *c);
void tcp_tlp_sent(struct tp_tcp_env *env, struct tp_tcp_conn *c, bool again);
void tcp_tlp_ack(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *seg,
                const struct tcp_ack *ack, uint64_t now);

/* Values of tp_tcp_conn.frto (RFC 5682): the timeout's retransmission is out; new data is. */
enum tcp_frto {
	TCP_FRTO_NONE,
	TCP_FRTO_WAIT,
	TCP_FRTO_PROBE,
};

/* recovery.c: enter and leave Disorder, CWR, Recovery, Loss; undo; cwnd.
 * @return ns until the reordering timer, 0: not needed */
uint64_t tcp_recovery_ack(
                struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tcp_ack *ack, uint64_t now);
/* Something was marked lost without an ACK. */
void tcp_recovery_lost(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tcp_ack *ack,
                uint64_t now);
void tcp_enter_loss(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);
void tcp_undo(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);
/* What is in flight is no sign of congestion should it be lost; its first segment goes out again
 * at once. */
void tcp_recovery_exempt(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);
/* The one reduction of a window that a lost probe repaired (RFC 8985 7.4.2 case 2). */
void tcp_reduce_once(struct tp_tcp_conn *c, uint64_t now);
/* PRR (RFC 6937): begin, and cwnd after an ACK in recovery. */
void tcp_prr_begin(struct tp_tcp_conn *c, uint32_t flight);
void tcp_prr_ack(struct tp_tcp_conn *c, uint32_t delivered, bool retransmit);
/* RFC 8985 3: a was sent after b, ends as tie-break. */
static inline bool
tcp_sent_after(uint64_t sent_a, uint32_t end_a, uint64_t sent_b, uint32_t end_b)
{
	return sent_a > sent_b || (sent_a == sent_b && tp_seq_gt(end_a, end_b));
}
/* Time since a transmission, which may carry some ns of order (rexmit.c). */
static inline uint64_t
tcp_since(uint64_t sent_ns, uint64_t now)
{
	return now > sent_ns ? now - sent_ns : 0;
}
/* A record that was not SACKed before is delivered up to end_seq: feeds RTT and RACK
 * (RFC 8985 6.2 steps 2 and 3). In order of sequence numbers. */
static inline void
tcp_ack_note(struct tp_tcp_conn *c, struct tcp_ack *ack, const struct tp_tcp_rec *rec,
                uint32_t end_seq)
{
	bool again = rec->nb_sent > 1;

	ack->again |= again;
	if (!again) {
		if (!ack->has_rtt)
			ack->oldest_sent_ns = rec->sent_ns;
		ack->has_rtt = true;
		if (tp_seq_lt(end_seq, c->rack_fack))
			c->rack_reordering_seen = true;
		if (tp_seq_leq(end_seq, c->recover_point))
			ack->original = true;
	}
	c->rack_fack = tp_seq_max(c->rack_fack, end_seq);
	if (unlikely(again) && !tcp_ack_note_again(c, ack, rec))
		return;
	if (ack->has_newest && !tcp_sent_after(rec->sent_ns, end_seq, ack->newest_sent_ns,
	                                       ack->newest_end_seq))
		return;
	ack->has_newest = true;
	ack->newest_sent_ns = rec->sent_ns;
	ack->newest_end_seq = end_seq;
	ack->newest_retrans = again;
}

/* ---- what output.c asks, and tells -------------------------------------- */

/* Bytes that congestion control lets out now, new or again: cwnd, PRR, limited transmit, pacing. */
uint32_t tcp_send_quota(const struct tp_tcp_conn *c, uint64_t now);
/* The next lost record that is to be sent again, or the one that a tail loss probe repeats;
 * NULL: none. It may be longer than the quota or than a segment: tcp_txq_split(). */
struct tp_tcp_rec *tcp_retransmit_next(struct tp_tcp_conn *c);
/* A record was handed to the owner for transmission, the first time or again: marks, times, bytes
 * out, PRR, pacing, the retransmission timer. As long as TLP_NOW is set it was the probe; this
 * clears it. Segments (segs_out, retrans_segs, and those of the MIB) are counted by output.c. */
void tcp_sent(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_rec *rec, uint64_t now);
/* (Re)arm the retransmission timer for what is in flight: RTO or tail loss probe; none if
 * nothing is. */
void tcp_rexmit_arm(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);
/* The RTO, from the oldest transmission on. */
void tcp_rexmit_arm_rto(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);
/* rexmit_ns came with kind RTO, TLP or REO; also for SYN and SYN-ACK. Gives up by tcp_closed() after
 * so many (syn_retries, retries) or user_timeout_ms. PERSIST is timer.c's: output.c arms it when
 * nothing is in flight and something waits, and an ACK that changes nothing of that leaves it. */
void tcp_rexmit_expired(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);

/* pace.c: what may leave at once; when the next may. */
uint32_t tcp_pace_quota(const struct tp_tcp_conn *c, uint32_t room, uint64_t now);
void tcp_pace_sent(struct tp_tcp_conn *c, uint32_t len_bytes, uint64_t now);

/* ---- congestion control (cc.c, cc_newreno.c, cc_cubic.c) ---------------- */

struct tcp_cc_ops {
	const char *name;
	/* Grow on `acked` bytes delivered while not in recovery and limited by cwnd. */
	void (*grow)(struct tp_tcp_conn *c, uint32_t acked, uint64_t now);
	/* @return ssthresh after a loss or ECE, from the flight size (RFC 5681 3.1, RFC 9438 4.6) */
	uint32_t (*reduce)(struct tp_tcp_conn *c, uint32_t flight, uint64_t now);
	/* After a timeout: what else has to be forgotten. */
	void (*timeout)(struct tp_tcp_conn *c, uint64_t now);
	/* A reduction was needless: what was before. */
	void (*undo)(struct tp_tcp_conn *c, uint64_t now);
};
extern const struct tcp_cc_ops tcp_cc_newreno, tcp_cc_cubic;
const struct tcp_cc_ops *tcp_cc(const struct tp_tcp_conn *c);
/* Another algorithm takes over: what it can use stays. */
void tcp_cc_switch(struct tp_tcp_conn *c, enum tp_tcp_cc cc);
/* IW10 (RFC 6928), ssthresh without limit; at the end of the handshake, when MSS is known. */
void tcp_cc_init(struct tp_tcp_env *env, struct tp_tcp_conn *c);
/* What undo brings back. */
void tcp_cc_save(struct tp_tcp_conn *c);
void tcp_cc_restore(struct tp_tcp_conn *c);
void tcp_cwnd_add(struct tp_tcp_conn *c, uint32_t bytes);
/* RFC 5681 3.1, RFC 9406. @return bytes left for congestion avoidance */
uint32_t tcp_slow_start(struct tp_tcp_conn *c, uint32_t acked);
/* cwnd shrinks after an idle period of an RTO (RFC 5681 4.1). Before new data is sent. */
void tcp_cc_idle_restart(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);

/* ---- the rest, by file -------------------------------------------------- */

/* option.c. @return bytes, a multiple of four */
uint8_t tcp_options_syn(const struct tp_tcp_env *env, const struct tp_tcp_conn *c, uint64_t now,
                uint8_t out[40]);
/* With as many SACK blocks as there are and as `room` bytes take. */
uint8_t tcp_options(const struct tp_tcp_conn *c, uint64_t now, uint32_t room, uint8_t out[40]);
/* Only those that every segment has, for which snd_mss leaves room. */
uint8_t tcp_options_data(const struct tp_tcp_conn *c, uint64_t now, uint8_t out[40]);
/* Bytes that tcp_options() adds for SACK. */
uint8_t tcp_sack_len(const struct tp_tcp_conn *c, uint32_t room);
/* Payload of a full segment that reports what is out of order (RFC 6691 3); snd_mss: it is too small
 * for that. */
uint16_t tcp_mss_beside_sack(const struct tp_tcp_conn *c);
static inline bool
tcp_sack_waits(const struct tp_tcp_conn *c)
{
	return (c->ooo_head != NULL || c->dsack_pending) && (c->flags & TP_TCP_F_SACK);
}
void tcp_options_parse(const uint8_t *opt, uint8_t len, struct tp_tcp_seg *seg);
/* Millisecond clock of timestamps (RFC 7323 4.1). */
uint32_t tcp_ts_now(const struct tp_tcp_conn *c, uint64_t now);

/* reass.c: trim to the window, put in order or keep; SACK blocks to report. Consumes seg->data.
 * A FIN that is next in order sets F_FIN_RCVD and counts in rcv_nxt.
 * @return bytes by which rcv_nxt advanced (data only) */
uint32_t tcp_reass(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_seg *seg);
uint8_t tcp_reass_blocks(const struct tp_tcp_conn *c, struct tp_tcp_span blocks[TP_TCP_MAX_SACK]);
void tcp_reass_free(struct tp_tcp_env *env, struct tp_tcp_conn *c);
/* A chain without its first n bytes, n <= all; NULL: nothing is left. */
struct rte_mbuf *tcp_chain_skip(struct rte_mbuf *m, uint32_t n);
/* A chain cut behind n bytes. */
struct rte_mbuf *tcp_chain_cut(struct rte_mbuf *m, uint32_t n);

/* window.c: what to advertise; never moves the right edge back (RFC 9293 3.8.6, SWS avoidance). */
uint32_t tcp_rcv_wnd(const struct tp_tcp_env *env, const struct tp_tcp_conn *c);

/* output.c: SYN or, in SYN_RCVD, SYN-ACK; changes nothing. NULL: no buffer (counted). */
struct rte_mbuf *tcp_make_syn(struct tp_tcp_env *env, const struct tp_tcp_conn *c, uint64_t now);

/* input.c: the peer's SYN: its numbers, options, window. */
void tcp_take_syn(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *syn);

/* conn.c: the one door for states; counts (TCP-MIB). */
void tcp_set_state(struct tp_tcp_env *env, struct tp_tcp_conn *c, enum tp_tcp_state state);
/* CLOSED, with its event; frees queues. */
void tcp_closed(struct tp_tcp_env *env, struct tp_tcp_conn *c, enum tp_tcp_reason reason);
/* TIME_WAIT begins, or begins anew. */
void tcp_time_wait(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);
/* In FIN_WAIT_2 nobody waits for ever for a peer whose data nobody reads. */
void tcp_fin_wait_2(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);
/* The handshake is done: peer's options agreed, cwnd, timers. */
void tcp_established(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);
/* RFC 5961 7. @return false if the limit is reached (counted) */
bool tcp_challenge_ack(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);
/* snd_mss from pmtu, peer_mss and the options that every segment has. */
void tcp_mss_update(struct tp_tcp_conn *c);

/* pmtu.c. Black hole: after so many timeouts the segment's size is in doubt (RFC 4821 7.7). */
void tcp_pmtu_timeout(struct tp_tcp_env *env, struct tp_tcp_conn *c);
/* Payload of a path MTU probe to be sent now as one segment, longer than snd_mss (RFC 4821 7.3):
 * output.c appends a record of that size, sets TP_TCP_REC_PROBE in it before tcp_sent(); 0: none. */
uint32_t tcp_pmtu_probe(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);
/* It arrived, with so many bytes; it was lost, which is no sign of congestion (RFC 4821 7.6). */
void tcp_pmtu_probe_acked(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint32_t len_bytes);
void tcp_pmtu_probe_lost(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint32_t len_bytes);
/* A router says that packets must be smaller; 0: it does not say how small. */
void tcp_pmtu_icmp(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint16_t mtu, uint64_t now);

/* isn.c: SipHash-2-4. */
uint64_t tcp_siphash(const uint64_t key[2], const void *data, uint32_t len_bytes);
uint32_t tcp_isn(const struct tp_tcp_secret *s, const struct tp_tcp_key *key, uint64_t now);
uint32_t tcp_ts_offset(const struct tp_tcp_secret *s, const struct tp_tcp_key *key);

#endif
