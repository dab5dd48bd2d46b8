/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

/* RFC 7323 5.5: a timestamp that old says nothing. */
#define TS_RECENT_MAX_NS (24 * 86400 * TP_NS_PER_S)
/* RFC 5482 3.1: what a peer may ask for. */
#define UTO_MIN_S 100
#define UTO_MAX_S 3600

/* ---- what several steps need ------------------------------------------------- */

static inline uint32_t
seg_len(const struct tp_tcp_seg *seg)
{
	return seg->len + (seg->flags & TP_TCP_SYN ? 1 : 0) + (seg->flags & TP_TCP_FIN ? 1 : 0);
}

static void
want_rst(struct tp_tcp_conn *c, uint32_t seq)
{
	c->rst_seq = seq;
	c->flags |= TP_TCP_F_RST_WANTED;
	c->flags &= ~TP_TCP_F_RST_ACK;
}

static inline bool
fin_acked(const struct tp_tcp_conn *c)
{
	return (c->flags & TP_TCP_F_FIN_SENT) != 0 && c->snd_una == c->snd_nxt;
}

static void
window_opens(struct tp_tcp_conn *c)
{
	if (c->rexmit_kind != TP_TCP_REXMIT_PERSIST || c->snd_wnd == 0)
		return;
	c->rexmit_kind = TP_TCP_REXMIT_NONE;
	c->rexmit_ns = TP_NEVER;
	c->nb_rexmit = 0;
}

/* RFC 9293 3.10.7.4: only from segments that are newer than the last that did. What acknowledges
 * more is newer than all before, even where its text is sent again: were its window ignored, the
 * old one would begin at the new SND.UNA and end beyond what the peer has ever offered.
 * @return the window changed
 */
static inline bool
update_send_window(struct tp_tcp_conn *c, const struct tp_tcp_seg *seg)
{
	uint32_t wnd = (uint32_t)seg->wnd << c->snd_wscale;
	bool changed = wnd != c->snd_wnd;

	if (tp_seq_leq(seg->ack, c->snd_una) &&
	                (tp_seq_gt(c->snd_wl1, seg->seq) ||
	                                (c->snd_wl1 == seg->seq &&
	                                                tp_seq_gt(c->snd_wl2, seg->ack))))
		return false;
	c->snd_wl1 = seg->seq;
	c->snd_wl2 = seg->ack;
	if (!changed)
		return false;
	c->snd_wnd = wnd;
	if (wnd > c->snd_wnd_max)
		c->snd_wnd_max = wnd;
	window_opens(c);
	return true;
}

static inline void
process_ack(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *seg,
                uint64_t now)
{
	bool update = update_send_window(c, seg);

	tcp_ack_process(env, c, seg, update, now);
	tcp_tell_writable(c);
}

/* RFC 9293 3.8.6.3, RFC 5681 4.2: every second segment, and at once what tells of a gap. */
static inline void
program_ack(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *seg,
                uint32_t advanced, uint64_t now)
{
	bool second = c->rcv_unacked > 0 || seg->nb_coalesced > 1 || advanced == 0;

	c->rcv_unacked += advanced;
	c->bytes_in += advanced;
	if (second || (c->flags & TP_TCP_F_QUICKACK))
		c->flags |= TP_TCP_F_ACK_NOW;
	else
		c->delack_ns = now + env->conf->delack_ns;
}

/* ---- the short path ------------------------------------------------------------ */

/* Is it what a connection that runs well gets: next in order, ACK, the options agreed on? */
static inline bool
is_expected(const struct tp_tcp_conn *c, const struct tp_tcp_seg *seg)
{
	const uint32_t unusual = TP_TCP_F_ECE_SEND | TP_TCP_F_NO_READER | TP_TCP_F_FIN_RCVD;
	uint8_t opts = c->flags & TP_TCP_F_TS ? TP_TCP_O_TS : 0;

	return c->state == TP_TCP_ESTABLISHED && (seg->flags & ~TP_TCP_PSH) == TP_TCP_ACK &&
	       seg->seq == c->rcv_nxt && seg->opts == opts && !seg->ce &&
	       (c->flags & unusual) == 0 && c->ooo_head == NULL &&
	       seg->len <= c->rcv_adv - c->rcv_nxt &&
	       (opts == 0 || tp_seq_geq(seg->ts_val, c->ts_recent)) &&
	       seg->ack - c->snd_una <= c->snd_nxt - c->snd_una;
}

static void
input_expected(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_seg *seg, uint64_t now)
{
	uint32_t advanced;

	tcp_count(env, TP_TCP_M_HP_HITS);
	if ((c->flags & TP_TCP_F_TS) && tp_seq_leq(seg->seq, c->last_ack_sent))
		c->ts_recent = seg->ts_val;
	if (seg->len == 0 || seg->ack != c->snd_una ||
	                (uint32_t)seg->wnd << c->snd_wscale != c->snd_wnd)
		process_ack(env, c, seg, now);
	if (seg->len == 0)
		return;
	advanced = tcp_reass(env, c, seg);
	program_ack(env, c, seg, advanced, now);
}

/* ---- RFC 9293 3.10.7.3: SYN-SENT ------------------------------------------------- */

/* What was offered and is not taken up is off (RFC 7323 2.2, 3.2, RFC 2018 2, RFC 3168 6.1.1). */
static void
agree_options(struct tp_tcp_conn *c, const struct tp_tcp_seg *syn)
{
	if (!(syn->opts & TP_TCP_O_TS))
		c->flags &= ~TP_TCP_F_TS;
	if (!(syn->opts & TP_TCP_O_SACK_PERM))
		c->flags &= ~TP_TCP_F_SACK;
	if (!(syn->opts & TP_TCP_O_WSCALE))
		c->flags &= ~TP_TCP_F_WSCALE;
	c->snd_wscale = c->flags & TP_TCP_F_WSCALE ? syn->wscale : 0;
	if (!(c->flags & TP_TCP_F_WSCALE))
		c->rcv_wscale = 0;
	if (c->flags & TP_TCP_F_TS)
		c->ts_recent = syn->ts_val;
	if (syn->opts & TP_TCP_O_MSS)
		c->peer_mss = syn->mss;
}

/* RFC 5482 3: the peer proposes; what our user said goes first. */
static void
check_uto(struct tp_tcp_conn *c, const struct tp_tcp_seg *seg)
{
	uint32_t s = seg->uto & 0x7fff;

	if (!(seg->opts & TP_TCP_O_UTO) || (c->flags & TP_TCP_F_UTO_USER) || s == 0)
		return;
	if (seg->uto & 0x8000)
		s *= 60;
	c->user_timeout_ms = RTE_MAX(UTO_MIN_S, RTE_MIN(s, (uint32_t)UTO_MAX_S)) * 1000;
}

void
tcp_take_syn(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *syn)
{
	agree_options(c, syn);
	check_uto(c, syn);
	tcp_mss_update(c);
	c->irs = syn->seq;
	c->rcv_nxt = syn->seq + 1;
	c->rcv_up = c->rcv_nxt;
	c->last_ack_sent = c->rcv_nxt;
	c->rcv_adv = c->rcv_nxt;
	/* Our SYN can say no more (RFC 7323 2.2). */
	c->rcv_adv += RTE_MIN(tcp_rcv_wnd(env, c), (uint32_t)UINT16_MAX);
	c->snd_wnd = syn->wnd;
	c->snd_wnd_max = RTE_MAX(c->snd_wnd_max, c->snd_wnd);
	c->snd_wl1 = syn->seq;
	c->snd_wl2 = syn->ack;
}

static void check_urg(struct tp_tcp_conn *c, const struct tp_tcp_seg *seg);
static void check_text(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_seg *seg,
                uint64_t now);
static void check_fin(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now);

/* Our SYN is acknowledged: ESTABLISHED. */
static void
syn_sent_established(
                struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_seg *seg, uint64_t now)
{
	/* RFC 3168 6.1.1: ECE alone answers a SYN that offered ECN; who has also sent one that did not
	 * must not use it. */
	if ((seg->flags & (TP_TCP_ECE | TP_TCP_CWR)) != TP_TCP_ECE || c->retrans_segs > 0)
		c->flags &= ~TP_TCP_F_ECN;
	tcp_ack_process(env, c, seg, true, now);
	tcp_established(env, c, now);
	c->flags |= TP_TCP_F_ACK_NOW;
	seg->seq++;
	seg->flags &= ~TP_TCP_SYN;
	check_urg(c, seg);
	check_text(env, c, seg, now);
	check_fin(env, c, now);
}

static void
input_syn_sent(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_seg *seg, uint64_t now)
{
	bool ack = (seg->flags & TP_TCP_ACK) != 0;

	/* First, check the ACK bit. */
	if (ack && (seg->ack != c->snd_nxt || seg->ack == c->iss)) {
		if (!(seg->flags & TP_TCP_RST))
			want_rst(c, seg->ack);
		return;
	}
	/* Second, check the RST bit. */
	if (seg->flags & TP_TCP_RST) {
		if (ack)
			tcp_closed(env, c, TP_TCP_R_REFUSED);
		return;
	}
	/* Third, security: not here. Fourth, check the SYN bit. */
	if (!(seg->flags & TP_TCP_SYN))
		return;
	tcp_take_syn(env, c, seg);
	if (ack) {
		syn_sent_established(env, c, seg, now);
		return;
	}
	/* Simultaneous open: our SYN again, now with an ACK. ECN is not agreed on that way. */
	c->flags &= ~TP_TCP_F_ECN;
	c->flags |= TP_TCP_F_ACK_NOW;
	tcp_set_state(env, c, TP_TCP_SYN_RCVD);
}

/* ---- RFC 9293 3.10.7.4, first: sequence number ------------------------------------- */

/* RFC 7323 5.3 R1. A RST passes. */
static bool
paws_ok(const struct tp_tcp_conn *c, const struct tp_tcp_seg *seg, uint64_t rcvd_before)
{
	if (!(c->flags & TP_TCP_F_TS) || (seg->flags & TP_TCP_RST))
		return true;
	return tp_seq_geq(seg->ts_val, c->ts_recent) ||
	       c->last_now - rcvd_before > TS_RECENT_MAX_NS;
}

/* Table 6. What ends at the right edge is taken, as all that a peer with a full window can say
 * stands there; a segment at RCV.NXT is, too, when the window is closed: its ACK and RST count, its
 * text is cut off (MUST-66).
 */
static bool
in_window(const struct tp_tcp_conn *c, const struct tp_tcp_seg *seg)
{
	uint32_t len = seg_len(seg);

	if (seg->seq == c->rcv_nxt)
		return true;
	if (len == 0)
		return tp_seq_geq(seg->seq, c->rcv_nxt) && tp_seq_leq(seg->seq, c->rcv_adv);
	return tp_seq_lt(seg->seq, c->rcv_adv) && tp_seq_gt(seg->seq + len, c->rcv_nxt);
}

/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, unless it is a RST. Segments without text are answered within
 * a limit, lest two ends that disagree answer each other for ever, and SYNs, which anybody can send
 * (RFC 5961 4.2, 7), unless it is the one that opens.
 */
static void
answer_unacceptable(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *seg,
                uint64_t now)
{
	struct tp_tcp_span old = { seg->seq, seg->seq + seg_len(seg) };
	bool syn = (seg->flags & TP_TCP_SYN) != 0, limited;

	if (seg->flags & TP_TCP_RST)
		return;
	limited = syn ? c->state != TP_TCP_SYN_RCVD : seg->len == 0 && !(seg->flags & TP_TCP_FIN);
	tcp_count(env, TP_TCP_M_OUT_OF_WINDOW);
	if (c->state == TP_TCP_TIME_WAIT && (seg->flags & TP_TCP_FIN))
		tcp_time_wait(env, c, now);
	if (limited) {
		tcp_challenge_ack(env, c, now);
		return;
	}
	c->flags |= TP_TCP_F_ACK_NOW;
	if (seg->len > 0 && tp_seq_leq(old.right, c->rcv_nxt) && (c->flags & TP_TCP_F_SACK)) {
		tcp_count(env, TP_TCP_M_DUP_DATA);
		c->dsack = old;
		c->dsack_pending = true;
	}
}

static bool
check_seq(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_seg *seg,
                uint64_t rcvd_before, uint64_t now)
{
	/* Both SYNs crossed: the peer's, repeated with an ACK, is to be taken as that ACK. */
	if (c->state == TP_TCP_SYN_RCVD &&
	                (seg->flags & (TP_TCP_SYN | TP_TCP_ACK)) == (TP_TCP_SYN | TP_TCP_ACK) &&
	                seg->seq == c->irs) {
		seg->seq++;
		seg->flags &= ~TP_TCP_SYN;
		seg->wnd >>= c->snd_wscale; /* RFC 7323 2.2: it was not scaled */
	}
	/* RFC 3168 6.1.1: its SYN came again, and does not offer ECN any more. */
	if (c->state == TP_TCP_SYN_RCVD && (seg->flags & (TP_TCP_SYN | TP_TCP_ACK)) == TP_TCP_SYN &&
	                seg->seq == c->irs && !(seg->flags & TP_TCP_ECE))
		c->flags &= ~TP_TCP_F_ECN;
	/* RFC 7323 3.2: without the timestamp that was agreed on, it is dropped. */
	if ((c->flags & TP_TCP_F_TS) && !(seg->opts & TP_TCP_O_TS) && !(seg->flags & TP_TCP_RST)) {
		tcp_count(env, TP_TCP_M_PAWS_DROP);
		return false;
	}
	if (!paws_ok(c, seg, rcvd_before)) {
		tcp_count(env, TP_TCP_M_PAWS_DROP);
		answer_unacceptable(env, c, seg, now);
		return false;
	}
	if (!in_window(c, seg)) {
		answer_unacceptable(env, c, seg, now);
		return false;
	}
	return true;
}

/* ---- second: RST --------------------------------------------------------------------- */

/* RFC 5961 3.2: exactly the next number, or a challenge. @return go on */
static bool
check_rst(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *seg, uint64_t now)
{
	enum tp_tcp_reason reason = TP_TCP_R_RESET;

	if (!(seg->flags & TP_TCP_RST))
		return true;
	if (seg->seq != c->rcv_nxt) {
		tcp_challenge_ack(env, c, now);
		return false;
	}
	if (c->state == TP_TCP_SYN_RCVD && !(c->flags & TP_TCP_F_PASSIVE))
		reason = TP_TCP_R_REFUSED;
	if (c->state == TP_TCP_TIME_WAIT)
		reason = TP_TCP_R_DONE;
	tcp_closed(env, c, reason);
	return false;
}

/* ---- fourth: SYN (third, security, is not there) ---------------------------------------- */

/* RFC 5961 4.2. One that came from LISTEN goes back there. @return go on */
static bool
check_syn(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *seg, uint64_t now)
{
	if (!(seg->flags & TP_TCP_SYN))
		return true;
	if (c->state == TP_TCP_SYN_RCVD && (c->flags & TP_TCP_F_PASSIVE))
		tcp_closed(env, c, TP_TCP_R_RESET);
	else
		tcp_challenge_ack(env, c, now);
	return false;
}

/* ---- fifth: ACK -------------------------------------------------------------------------- */

/* RFC 7323 4.3 (2). Only now: a blind segment that has guessed nothing but a number in the window
 * would make all that the peer sends look old. */
static void
note_timestamp(struct tp_tcp_conn *c, const struct tp_tcp_seg *seg)
{
	if ((c->flags & TP_TCP_F_TS) && (seg->opts & TP_TCP_O_TS) &&
	                tp_seq_leq(seg->seq, c->last_ack_sent))
		c->ts_recent = seg->ts_val;
}

/* @return go on */
static bool
ack_syn_rcvd(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *seg,
                uint64_t now)
{
	if (tp_seq_leq(seg->ack, c->snd_una) || tp_seq_gt(seg->ack, c->snd_nxt)) {
		want_rst(c, seg->ack);
		return false;
	}
	note_timestamp(c, seg);
	c->snd_wl1 = seg->seq;
	c->snd_wl2 = seg->ack;
	process_ack(env, c, seg, now);
	if (c->state == TP_TCP_SYN_RCVD)
		tcp_established(env, c, now);
	return true;
}

/* Now that our FIN may be acknowledged. @return go on */
static bool
ack_of_fin(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	if (!fin_acked(c))
		return true;
	switch (c->state) {
	case TP_TCP_FIN_WAIT_1:
		tcp_set_state(env, c, TP_TCP_FIN_WAIT_2);
		tcp_fin_wait_2(env, c, now);
		break;
	case TP_TCP_CLOSING:
		tcp_time_wait(env, c, now);
		return false;
	case TP_TCP_LAST_ACK:
		tcp_closed(env, c, TP_TCP_R_DONE);
		return false;
	}
	return true;
}

/* @return go on */
static bool
check_ack(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *seg, uint64_t now)
{
	if (!(seg->flags & TP_TCP_ACK)) {
		tcp_count(env, TP_TCP_M_NO_ACK_DROP);
		return false;
	}
	if (c->state == TP_TCP_SYN_RCVD)
		return ack_syn_rcvd(env, c, seg, now);
	/* RFC 5961 5.2: nothing that we sent lately. */
	if (tp_seq_gt(seg->ack, c->snd_nxt) ||
	                tp_seq_lt(seg->ack, c->snd_una - RTE_MAX(c->snd_wnd_max, 1u))) {
		tcp_count(env, TP_TCP_M_ACK_UNSENT);
		tcp_challenge_ack(env, c, now);
		return false;
	}
	note_timestamp(c, seg);
	if (c->state == TP_TCP_TIME_WAIT)
		return true;
	if (tp_seq_geq(seg->ack, c->snd_una))
		process_ack(env, c, seg, now);
	return ack_of_fin(env, c, now);
}

/* ---- sixth, seventh, eighth: URG, text, FIN -------------------------------------------------- */

static bool
may_receive(const struct tp_tcp_conn *c)
{
	return c->state == TP_TCP_ESTABLISHED || c->state == TP_TCP_FIN_WAIT_1 ||
	       c->state == TP_TCP_FIN_WAIT_2;
}

static void
check_urg(struct tp_tcp_conn *c, const struct tp_tcp_seg *seg)
{
	uint32_t up = seg->seq + seg->urg_ptr;

	if (!(seg->flags & TP_TCP_URG) || !may_receive(c))
		return;
	if ((c->flags & TP_TCP_F_URG_RCVD) && tp_seq_leq(up, c->rcv_up))
		return;
	c->rcv_up = up;
	c->flags |= TP_TCP_F_URG_RCVD;
	c->events |= TP_TCP_EV_URGENT;
}

/* RFC 3168 6.1.3: until the sender says CWR, every ACK repeats what CE said. */
static void
check_ecn(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *seg)
{
	if (!(c->flags & TP_TCP_F_ECN))
		return;
	if (seg->flags & TP_TCP_CWR)
		c->flags &= ~TP_TCP_F_ECE_SEND;
	if (seg->ce) {
		tcp_count(env, TP_TCP_M_ECN_CE_RECV);
		c->flags |= TP_TCP_F_ECE_SEND;
	}
}

static void
check_text(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_seg *seg, uint64_t now)
{
	bool gap = c->ooo_head != NULL;
	uint32_t advanced;

	if (seg_len(seg) == 0 || !may_receive(c))
		return;
	/* RFC 9293 3.6.1: nobody will ever read it. */
	if ((c->flags & TP_TCP_F_NO_READER) && tp_seq_gt(seg->seq + seg->len, c->rcv_nxt)) {
		tcp_count(env, TP_TCP_M_ABORT_DATA);
		tp_tcp_abort(env, c, TP_TCP_R_ABORT, now);
		return;
	}
	advanced = tcp_reass(env, c, seg);
	if (gap || c->ooo_head != NULL || (c->flags & TP_TCP_F_FIN_RCVD))
		c->flags |= TP_TCP_F_ACK_NOW;
	program_ack(env, c, seg, advanced, now);
}

static void
check_fin(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	if (!(c->flags & TP_TCP_F_FIN_RCVD) || !may_receive(c))
		return;
	c->events |= TP_TCP_EV_EOF;
	switch (c->state) {
	case TP_TCP_ESTABLISHED:
		tcp_set_state(env, c, TP_TCP_CLOSE_WAIT);
		break;
	case TP_TCP_FIN_WAIT_1:
		tcp_set_state(env, c, TP_TCP_CLOSING);
		break;
	case TP_TCP_FIN_WAIT_2:
		tcp_time_wait(env, c, now);
		break;
	}
}

static void
input_steps(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_seg *seg,
                uint64_t rcvd_before, uint64_t now)
{
	if (!check_seq(env, c, seg, rcvd_before, now))
		return;
	if (!check_rst(env, c, seg, now))
		return;
	if (!check_syn(env, c, seg, now))
		return;
	if (!check_ack(env, c, seg, now))
		return;
	check_urg(c, seg);
	check_ecn(env, c, seg);
	check_uto(c, seg);
	check_text(env, c, seg, now);
	check_fin(env, c, now);
}

void
tp_tcp_input(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_seg *seg, uint64_t now)
{
	uint64_t rcvd_before = c->rcvd_ns;

	now = tcp_clock(c, now);
	c->rcvd_ns = now;
	c->nb_probes = 0;
	c->segs_in += seg->nb_coalesced;
	env->mib[TP_TCP_M_IN_SEGS] += seg->nb_coalesced;
	if (seg->nb_coalesced > 1)
		env->mib[TP_TCP_M_RCV_COALESCE] += seg->nb_coalesced;
	if (likely(is_expected(c, seg)))
		input_expected(env, c, seg, now);
	else if (c->state == TP_TCP_SYN_SENT)
		input_syn_sent(env, c, seg, now);
	else if (c->state != TP_TCP_CLOSED)
		input_steps(env, c, seg, rcvd_before, now);
	if (unlikely(seg->data != NULL)) {
		rte_pktmbuf_free(seg->data);
		seg->data = NULL;
	}
}
