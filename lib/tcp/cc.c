/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

/* Beyond this a window is no number any more that sums of windows fit. */
#define CWND_MAX (UINT32_C(1) << 30)
/* RFC 5681 3.1: less than an RTO of 3 s is taken back when a SYN was lost (RFC 6298 5.7). */
#define RTO_SYN_LOST_US 3000000

/* RFC 9406 4.3 */
#define HYSTART_MIN_RTT_THRESH_US 4000
#define HYSTART_MAX_RTT_THRESH_US 16000
#define HYSTART_MIN_RTT_DIVISOR 8
#define HYSTART_NB_SAMPLES 8
#define HYSTART_CSS_DIVISOR 4
#define HYSTART_CSS_ROUNDS 5
#define HYSTART_L 8
/* RFC 3465 2.3: after a timeout what an ACK covers may have left the network long ago. */
#define LOSS_L 1

static const struct tcp_cc_ops *const ccs[TP_TCP_NB_CC] = {
	[TP_TCP_CC_CUBIC] = &tcp_cc_cubic,
	[TP_TCP_CC_NEWRENO] = &tcp_cc_newreno,
};

const struct tcp_cc_ops *
tcp_cc(const struct tp_tcp_conn *c)
{
	return ccs[c->cc < TP_TCP_NB_CC ? c->cc : TP_TCP_CC_CUBIC];
}

/* RFC 6928 2 */
static uint32_t
initial_window(const struct tp_tcp_conn *c)
{
	return RTE_MIN(10u * c->snd_mss, RTE_MAX(2u * c->snd_mss, 14600u));
}

static void
hystart_begin(struct tp_tcp_conn *c)
{
	c->cubic.window_end = c->snd_nxt;
	c->cubic.last_min_rtt_us = UINT32_MAX;
	c->cubic.cur_min_rtt_us = UINT32_MAX;
	c->cubic.css_base_rtt_us = 0;
	c->cubic.nb_rtt = 0;
	c->cubic.css_rounds = 0;
}

/* The words of the first slow start become those of congestion avoidance. */
static void
hystart_end(struct tp_tcp_conn *c)
{
	c->cubic.epoch_ms = 0;
	c->cubic.w_max = 0;
	c->cubic.cwnd_epoch = 0;
	c->cubic.w_est = 0;
	c->cubic.k_ms = 0;
}

void
tcp_cc_switch(struct tp_tcp_conn *c, enum tp_tcp_cc cc)
{
	if (c->cc == cc)
		return;
	c->cc = cc;
	c->cubic.acked = 0;
	if (c->ssthresh != UINT32_MAX)
		hystart_end(c);
}

void
tcp_cc_init(struct tp_tcp_env *env, struct tp_tcp_conn *c)
{
	bool lost = c->retrans_segs > 0;

	(void)env;
	tcp_marks_init(c, c->snd_una - 1);
	c->ca = TP_TCP_CA_OPEN;
	c->dupacks = 0;
	c->cwnd = lost ? c->snd_mss : initial_window(c);
	c->ssthresh = UINT32_MAX;
	c->cubic.acked = 0;
	hystart_begin(c);
	if (lost && c->srtt_us == 0)
		c->rto_us = RTE_MAX(c->rto_us, (uint32_t)RTO_SYN_LOST_US);
}

void
tcp_cc_idle_restart(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	uint32_t idle_ms = tcp_ms(now) - c->sent_ms;
	uint32_t restart = initial_window(c);

	if (c->tx_head != NULL || c->cwnd <= restart || idle_ms < tcp_rto_ns(env, c) / TP_NS_PER_MS)
		return;
	tcp_count(env, TP_TCP_M_IDLE_RESTART);
	if (c->ssthresh != UINT32_MAX) {
		c->ssthresh = RTE_MAX(c->ssthresh, c->cwnd - c->cwnd / 4);
		c->cubic.cwnd_epoch = 0;
	} else {
		hystart_begin(c);
	}
	c->cwnd = restart;
	/* Sent at once by the next output, which must not restart it again. */
	c->sent_ms = tcp_ms(now);
}

void
tcp_cc_save(struct tp_tcp_conn *c)
{
	c->cubic.cwnd_prior = c->cwnd;
	c->cubic.ssthresh_prior = c->ssthresh;
	if (c->ssthresh == UINT32_MAX)
		hystart_end(c);
	c->cubic.w_max_prior = c->cubic.w_max;
	c->cubic.acked = 0;
}

void
tcp_cc_restore(struct tp_tcp_conn *c)
{
	c->cwnd = RTE_MAX(c->cwnd, c->cubic.cwnd_prior);
	c->ssthresh = RTE_MAX(c->ssthresh, c->cubic.ssthresh_prior);
	if (c->ssthresh == UINT32_MAX) {
		hystart_begin(c);
	} else {
		c->cubic.w_max = c->cubic.w_max_prior;
		c->cubic.cwnd_epoch = 0;
	}
}

void
tcp_cwnd_add(struct tp_tcp_conn *c, uint32_t bytes)
{
	c->cwnd = RTE_MIN(c->cwnd + RTE_MIN(bytes, CWND_MAX), CWND_MAX);
}

/* RFC 9406 4.2: the end of a round. @return false: conservative slow start lasted long enough */
static bool
hystart_round(struct tp_tcp_conn *c)
{
	struct tp_tcp_cubic *h = &c->cubic;

	if (tp_seq_lt(c->snd_una, h->window_end))
		return true;
	h->window_end = c->snd_nxt;
	h->last_min_rtt_us = h->cur_min_rtt_us;
	h->cur_min_rtt_us = UINT32_MAX;
	h->nb_rtt = 0;
	return h->css_base_rtt_us == 0 || ++h->css_rounds < HYSTART_CSS_ROUNDS;
}

static void
hystart_rtt(struct tp_tcp_conn *c)
{
	struct tp_tcp_cubic *h = &c->cubic;
	uint32_t thresh;

	h->cur_min_rtt_us = RTE_MIN(h->cur_min_rtt_us, c->rack_rtt_us);
	if (h->nb_rtt < UINT16_MAX)
		h->nb_rtt++;
	if (h->nb_rtt < HYSTART_NB_SAMPLES)
		return;
	if (h->css_base_rtt_us != 0) {
		/* The delay was a passing one: slow start again. */
		if (h->cur_min_rtt_us < h->css_base_rtt_us) {
			h->css_base_rtt_us = 0;
			h->css_rounds = 0;
		}
		return;
	}
	if (h->last_min_rtt_us == UINT32_MAX)
		return;
	thresh = RTE_MIN(RTE_MAX(h->last_min_rtt_us / HYSTART_MIN_RTT_DIVISOR,
	                                 HYSTART_MIN_RTT_THRESH_US),
	                HYSTART_MAX_RTT_THRESH_US);
	if (h->cur_min_rtt_us >= h->last_min_rtt_us + thresh)
		h->css_base_rtt_us = h->cur_min_rtt_us;
}

/* @return what of n bytes counts now */
static uint32_t
hystart(struct tp_tcp_conn *c, uint32_t n)
{
	hystart_rtt(c);
	if (c->cubic.css_base_rtt_us != 0)
		n /= HYSTART_CSS_DIVISOR;
	if (!hystart_round(c)) {
		hystart_end(c);
		c->ssthresh = c->cwnd;
		return 0;
	}
	return n;
}

uint32_t
tcp_slow_start(struct tp_tcp_conn *c, uint32_t acked)
{
	uint32_t l = c->ca == TP_TCP_CA_LOSS ? LOSS_L : HYSTART_L;
	uint32_t n = RTE_MIN(acked, l * c->snd_mss), room;

	if (c->ssthresh == UINT32_MAX)
		n = hystart(c, n);
	room = c->ssthresh - c->cwnd;
	tcp_cwnd_add(c, RTE_MIN(n, room));
	return n > room ? n - room : 0;
}
