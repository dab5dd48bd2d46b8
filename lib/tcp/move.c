/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

/* ---- to another lcore ----------------------------------------------------------------- */

void
tp_tcp_export(struct tp_tcp_env *env, struct tp_tcp_conn *c)
{
	env->held_bytes -= tp_tcp_held(c);
}

void
tp_tcp_adopt(struct tp_tcp_env *env, struct tp_tcp_conn *to, const struct tp_tcp_conn *from,
                uint64_t now)
{
	*to = *from;
	env->held_bytes += tp_tcp_held(to);
	/* A pace that is over by now has still to be noticed, by tp_tcp_next(). */
	if (to->pace_ns <= to->last_now)
		tcp_clock(to, now);
}

/* ---- what a record holds in less room --------------------------------------------------- */

/* Flags that nothing to be sent means are off, and so can say something else in a record. */
#define TRANSIENT                                                                                  \
	(TP_TCP_F_ACK_NOW | TP_TCP_F_RST_WANTED | TP_TCP_F_RST_ACK | TP_TCP_F_PROBE_NOW |          \
	                TP_TCP_F_TLP_NOW | TP_TCP_F_EXEMPT | TP_TCP_F_MTU_PROBE)
#define PARKED_CWR TP_TCP_F_ACK_NOW           /* ca is CWR */
#define PARKED_TLP TP_TCP_F_TLP_NOW           /* tlp_out */
#define PARKED_REORDERING TP_TCP_F_RST_WANTED /* rack_reordering_seen */
#define PARKED_RECOVERED TP_TCP_F_RST_ACK     /* recover_point is snd_una, not before it */
#define PARKED_WND TP_TCP_F_PROBE_NOW         /* snd_wnd is shifted by its scale */
#define PARKED_WND_MAX TP_TCP_F_MTU_PROBE     /* snd_wnd_max is */
#define PARKED_HYSTART TP_TCP_F_EXEMPT        /* ssthresh is UINT32_MAX */

/* rack_persist has cc in its upper bits. */
#define PERSIST_BITS 5
static_assert(TCP_RACK_PERSIST < 1 << PERSIST_BITS && TP_TCP_NB_CC <= 8, "they fit");

/* Eleven bits and a shift: exact to a part in a thousand, rounded up. */
#define ROUGH_BITS 11

static uint16_t
rough(uint32_t value)
{
	uint32_t shift = 0, bits = value;

	if (value >> ROUGH_BITS != 0) {
		shift = 32 - __builtin_clz(value) - ROUGH_BITS;
		bits = (value >> shift) + ((value & ((1u << shift) - 1)) != 0);
	}
	if (bits >> ROUGH_BITS != 0) {
		bits >>= 1;
		shift++;
	}
	return shift << ROUGH_BITS | bits;
}

static uint32_t
from_rough(uint16_t r)
{
	uint64_t value = (uint64_t)(r & ((1u << ROUGH_BITS) - 1)) << (r >> ROUGH_BITS);

	return RTE_MIN(value, UINT32_MAX);
}

/* What it most likely was, if that says the same. */
static uint32_t
from_rough_like(uint16_t r, uint32_t likely_value)
{
	return rough(likely_value) == r ? likely_value : from_rough(r);
}

static uint64_t
at_most(uint64_t value, uint64_t max)
{
	return RTE_MIN(value, max);
}

#define MAX_16 ((UINT64_C(1) << 16) - 1)
#define MAX_24 ((UINT64_C(1) << 24) - 1)
#define MAX_40 ((UINT64_C(1) << 40) - 1)

/* ---- to a record ------------------------------------------------------------------------ */

static bool
nothing_queued(const struct tp_tcp_conn *c)
{
	return c->snd_una == c->snd_nxt && c->tx_head == NULL && c->snd.head == NULL &&
	       c->rcv_head == NULL && c->rcv_unread == 0 && c->ooo_head == NULL;
}

static bool
nothing_wanted(const struct tp_tcp_conn *c)
{
	return c->events == 0 && (c->flags & TRANSIENT) == 0 && c->nb_probes == 0 &&
	       c->nb_rexmit == 0 && c->rexmit_kind == TP_TCP_REXMIT_NONE &&
	       c->delack_ns == TP_NEVER && c->last_ack_sent == c->rcv_nxt;
}

/* An urgent pointer that was announced and has not come by stays in mind. */
static bool
nothing_announced(const struct tp_tcp_conn *c)
{
	if (c->flags & TP_TCP_F_URG_SEND)
		return false;
	return !(c->flags & TP_TCP_F_URG_RCVD) || tp_seq_leq(c->rcv_up, c->rcv_nxt);
}

bool
tp_tcp_parkable(const struct tp_tcp_conn *c)
{
	bool ca = c->ca == TP_TCP_CA_OPEN ||
	          (c->ca == TP_TCP_CA_CWR && c->recover_point == c->snd_una);

	switch (c->state) {
	case TP_TCP_ESTABLISHED:
	case TP_TCP_CLOSE_WAIT:
		/* A FIN that waits is something to be sent. */
		if (c->flags & TP_TCP_F_FIN_WANTED)
			return false;
		break;
	case TP_TCP_FIN_WAIT_2:
		/* Its end is near. */
		if (c->flags & TP_TCP_F_NO_READER)
			return false;
		break;
	default:
		return false;
	}
	return ca && nothing_queued(c) && nothing_wanted(c) && nothing_announced(c);
}

static uint16_t
park_window(uint32_t wnd, uint8_t wscale)
{
	return wnd <= UINT16_MAX ? wnd : wnd >> wscale;
}

static uint32_t
park_flags(const struct tp_tcp_conn *c)
{
	return (c->flags & ~TRANSIENT) | (c->ca == TP_TCP_CA_CWR ? PARKED_CWR : 0) |
	       (c->tlp_out ? PARKED_TLP : 0) | (c->rack_reordering_seen ? PARKED_REORDERING : 0) |
	       (c->recover_point == c->snd_una ? PARKED_RECOVERED : 0) |
	       (c->snd_wnd > UINT16_MAX ? PARKED_WND : 0) |
	       (c->snd_wnd_max > UINT16_MAX ? PARKED_WND_MAX : 0) |
	       (c->ssthresh == UINT32_MAX ? PARKED_HYSTART : 0);
}

static void
park_cc(const struct tp_tcp_conn *c, struct tp_tcp_parked *rec)
{
	const struct tp_tcp_cubic *q = &c->cubic;

	if (c->ssthresh != UINT32_MAX) {
		rec->ssthresh = c->ssthresh;
		rec->w_max = q->w_max;
		rec->cwnd_prior = q->cwnd_prior;
		return;
	}
	rec->last_min_rtt = at_most(q->last_min_rtt_us, MAX_24);
	rec->cur_min_rtt = at_most(q->cur_min_rtt_us, MAX_24);
	rec->css_base_rtt = at_most(q->css_base_rtt_us, MAX_24);
	rec->css_rounds = at_most(q->css_rounds, UINT8_MAX);
	rec->nb_rtt = at_most(q->nb_rtt, UINT8_MAX);
}

static void
park_times(const struct tp_tcp_conn *c, struct tp_tcp_parked *rec)
{
	uint32_t sent = tcp_ms(c->last_now) - c->sent_ms;
	uint32_t min = tcp_ms(c->rcvd_ns) - c->min_rtt_ms;
	uint64_t opened = c->rcvd_ns > c->opened_ns ? c->rcvd_ns - c->opened_ns : 0;

	rec->keep_ns = c->keep_ns;
	rec->rcvd_ns = c->rcvd_ns;
	rec->last_ms = at_most(c->last_now / TP_NS_PER_MS - c->rcvd_ns / TP_NS_PER_MS, MAX_16);
	rec->sent_ms = at_most(sent, MAX_16);
	rec->min_rtt_ms = at_most(min, MAX_16);
	rec->opened_s = rough(at_most(opened / TP_NS_PER_S, UINT32_MAX));
}

void
tp_tcp_park(const struct tp_tcp_conn *c, struct tp_tcp_parked *rec)
{
	*rec = (struct tp_tcp_parked){
		.bytes_in = at_most(c->bytes_in, MAX_40),
		.bytes_out = at_most(c->bytes_out, MAX_40),
		.srtt = at_most(c->srtt_us, MAX_24),
		.rttvar = at_most(c->rttvar_us, MAX_24),
		.flags = park_flags(c),
		.snd_una = c->snd_una,
		.rcv_nxt = c->rcv_nxt,
		.rcv_wnd = c->rcv_adv - c->rcv_nxt,
		.ts_recent = c->ts_recent,
		.ts_off = c->ts_off,
		.cwnd = c->cwnd,
		.min_rtt = at_most(c->min_rtt_us, MAX_24),
		.rto = rough(c->rto_us),
		.rcv_buf = rough(c->rcv_buf),
		.snd_buf = rough(c->snd_buf),
		.user_timeout = rough(c->user_timeout_ms),
		.snd_wnd = park_window(c->snd_wnd, c->snd_wscale),
		.snd_wnd_max = park_window(c->snd_wnd_max, c->snd_wscale),
		.peer_mss = c->peer_mss,
		.pmtu = c->pmtu,
		.probe_high = c->probe_high,
		.snd_wscale = c->snd_wscale,
		.rcv_wscale = c->rcv_wscale,
		.rack_mult = c->rack_reo_wnd_mult,
		.rack_persist = c->cc << PERSIST_BITS | c->rack_reo_wnd_persist,
	};
	park_times(c, rec);
	park_cc(c, rec);
}

/* ---- and back ----------------------------------------------------------------------------- */

static uint8_t
unpark_state(uint32_t flags)
{
	if (flags & TP_TCP_F_FIN_SENT)
		return TP_TCP_FIN_WAIT_2;
	return flags & TP_TCP_F_FIN_RCVD ? TP_TCP_CLOSE_WAIT : TP_TCP_ESTABLISHED;
}

/* Nothing is in flight: all marks are where numbers are. Segments with older numbers than RCV.NXT
 * have nothing to say of the window any more.
 */
static void
unpark_numbers(struct tp_tcp_conn *c, const struct tp_tcp_parked *rec)
{
	c->snd_una = rec->snd_una;
	c->snd_nxt = rec->snd_una;
	c->snd_wl1 = rec->rcv_nxt;
	c->snd_wl2 = rec->snd_una;
	c->rcv_nxt = rec->rcv_nxt;
	c->rcv_adv = rec->rcv_nxt + rec->rcv_wnd;
	c->rcv_up = rec->rcv_nxt;
	c->last_ack_sent = rec->rcv_nxt;
	c->sack_newest = rec->rcv_nxt;
	c->iss = rec->snd_una - 1 - (uint32_t)rec->bytes_out - !!(rec->flags & TP_TCP_F_FIN_SENT);
	c->irs = rec->rcv_nxt - 1 - (uint32_t)rec->bytes_in - !!(rec->flags & TP_TCP_F_FIN_RCVD);
	c->recover_point = rec->snd_una - !(rec->flags & PARKED_RECOVERED);
	c->cwnd_full_seq = rec->snd_una - 1;
	c->tlp_end_seq = rec->snd_una;
	c->rack_end_seq = rec->snd_una;
	c->rack_fack = rec->snd_una;
}

static void
unpark_windows(const struct tp_tcp_conf *conf, struct tp_tcp_conn *c,
                const struct tp_tcp_parked *rec)
{
	c->snd_wscale = rec->snd_wscale;
	c->rcv_wscale = rec->rcv_wscale;
	c->snd_wnd = (uint32_t)rec->snd_wnd << (rec->flags & PARKED_WND ? c->snd_wscale : 0);
	c->snd_wnd_max = (uint32_t)rec->snd_wnd_max
	                 << (rec->flags & PARKED_WND_MAX ? c->snd_wscale : 0);
	c->rcv_buf = from_rough_like(rec->rcv_buf, conf->rcv_buf);
	c->snd_buf = from_rough_like(rec->snd_buf, conf->snd_buf);
	c->peer_mss = rec->peer_mss;
	c->pmtu = rec->pmtu;
	c->probe_high = rec->probe_high;
	c->probe_low = rec->flags & TP_TCP_F_MTU_PROBING ? rec->pmtu : 0;
}

static void
unpark_times(struct tp_tcp_conn *c, const struct tp_tcp_parked *rec, uint64_t now)
{
	uint64_t last = rec->rcvd_ns;

	if (rec->last_ms > 0)
		last = (last / TP_NS_PER_MS + rec->last_ms) * TP_NS_PER_MS;
	c->rcvd_ns = rec->rcvd_ns;
	c->opened_ns = rec->rcvd_ns -
	               RTE_MIN(from_rough(rec->opened_s) * TP_NS_PER_S, rec->rcvd_ns);
	c->sent_ms = tcp_ms(last) - rec->sent_ms;
	c->min_rtt_ms = tcp_ms(rec->rcvd_ns) - rec->min_rtt_ms;
	c->mtu_ms = tcp_ms(rec->rcvd_ns);
	c->last_now = RTE_MAX(last, now);
	c->keep_ns = rec->keep_ns;
	c->rexmit_ns = TP_NEVER;
	c->delack_ns = TP_NEVER;
}

/* A timeout's backoff stays (RFC 6298 5); else the RTO is what the samples say. */
static void
unpark_rtt(const struct tp_tcp_conf *conf, struct tp_tcp_conn *c, const struct tp_tcp_parked *rec)
{
	uint64_t likely_rto = conf->init_rto_ns / TP_NS_PER_US;

	c->srtt_us = rec->srtt;
	c->rttvar_us = rec->rttvar;
	c->min_rtt_us = rec->min_rtt;
	c->rack_rtt_us = rec->srtt;
	if (c->srtt_us > 0)
		likely_rto = tcp_rto_of(conf, c);
	c->rto_us = from_rough_like(rec->rto, RTE_MIN(likely_rto, UINT32_MAX));
}

static uint32_t
unpark_min_rtt(uint32_t rtt_us)
{
	return rtt_us == MAX_24 ? UINT32_MAX : rtt_us;
}

/* A round of the first slow start ends with the next ACK; later a new epoch begins (RFC 9438 4.2,
 * 5.8).
 */
static void
unpark_cc(struct tp_tcp_conn *c, const struct tp_tcp_parked *rec)
{
	struct tp_tcp_cubic *q = &c->cubic;

	c->cwnd = rec->cwnd;
	c->recover_fs = rec->flags & PARKED_CWR ? rec->cwnd : 0;
	if (!(rec->flags & PARKED_HYSTART)) {
		c->ssthresh = rec->ssthresh;
		q->w_max = rec->w_max;
		q->cwnd_prior = rec->cwnd_prior;
		return;
	}
	c->ssthresh = UINT32_MAX;
	q->window_end = rec->snd_una;
	q->last_min_rtt_us = unpark_min_rtt(rec->last_min_rtt);
	q->cur_min_rtt_us = unpark_min_rtt(rec->cur_min_rtt);
	q->css_base_rtt_us = rec->css_base_rtt;
	q->css_rounds = rec->css_rounds;
	q->nb_rtt = rec->nb_rtt;
}

void
tp_tcp_unpark(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_key *key,
                const struct tp_tcp_parked *rec, uint64_t now)
{
	/* All but what belongs to the owner of the engine. */
	memset(c, 0, offsetof(struct tp_tcp_conn, owner_word));
	c->key = *key;
	c->state = unpark_state(rec->flags);
	c->ca = rec->flags & PARKED_CWR ? TP_TCP_CA_CWR : TP_TCP_CA_OPEN;
	c->flags = rec->flags & ~TRANSIENT;
	c->ts_recent = rec->ts_recent;
	c->ts_off = rec->ts_off;
	c->tlp_out = (rec->flags & PARKED_TLP) != 0;
	c->cc = rec->rack_persist >> PERSIST_BITS;
	c->rack_reordering_seen = (rec->flags & PARKED_REORDERING) != 0;
	c->rack_reo_wnd_mult = rec->rack_mult;
	c->rack_reo_wnd_persist = rec->rack_persist & ((1 << PERSIST_BITS) - 1);
	c->user_timeout_ms = from_rough_like(
	                rec->user_timeout, env->conf->user_timeout_ns / TP_NS_PER_MS);
	c->bytes_in = rec->bytes_in;
	c->bytes_out = rec->bytes_out;
	unpark_numbers(c, rec);
	unpark_windows(env->conf, c, rec);
	unpark_times(c, rec, now);
	unpark_rtt(env->conf, c, rec);
	unpark_cc(c, rec);
	tcp_mss_update(c);
}
