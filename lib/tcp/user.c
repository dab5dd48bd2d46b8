/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>

#include "tcp_int.h"

/* ---- sending ---------------------------------------------------------------------- */

uint32_t
tp_tcp_send_space(const struct tp_tcp_conn *c)
{
	return c->snd_buf > c->snd_queued ? c->snd_buf - c->snd_queued : 0;
}

static bool
may_send(const struct tp_tcp_conn *c)
{
	if (c->flags & TP_TCP_F_FIN_WANTED)
		return false;
	return c->state == TP_TCP_SYN_SENT || c->state == TP_TCP_SYN_RCVD ||
	       c->state == TP_TCP_ESTABLISHED || c->state == TP_TCP_CLOSE_WAIT;
}

static uint64_t
chain_len(const struct rte_mbuf *m)
{
	uint64_t len = 0;

	for (; m != NULL; m = m->next)
		len += m->data_len;
	return len;
}

int
tp_tcp_send(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct rte_mbuf *m, bool push,
                uint64_t now)
{
	uint64_t len;

	(void)env;
	tcp_clock(c, now);
	if (!may_send(c))
		return c->state == TP_TCP_CLOSED ? -ENOTCONN : -EPIPE;
	len = m->next == NULL ? m->data_len : chain_len(m);
	if (len > tp_tcp_send_space(c)) {
		c->flags |= TP_TCP_F_WANT_SPACE;
		return -ENOBUFS;
	}
	if (push)
		c->flags |= TP_TCP_F_PUSH;
	else
		c->flags &= ~TP_TCP_F_PUSH;
	tcp_txq_queue(c, m);
	return 0;
}

int
tp_tcp_urgent(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	uint32_t begin = c->state <= TP_TCP_SYN_RCVD ? c->iss + 1 : c->snd_una;

	(void)env;
	tcp_clock(c, now);
	if (!may_send(c))
		return c->state == TP_TCP_CLOSED ? -ENOTCONN : -EPIPE;
	if (c->snd_queued == 0)
		return -EINVAL;
	c->snd_up = begin + c->snd_queued;
	c->flags |= TP_TCP_F_URG_SEND;
	return 0;
}

/* ---- receiving --------------------------------------------------------------------- */

/* More pieces than an mbuf can count stay for the next call. */
struct rte_mbuf *
tp_tcp_recv(struct tp_tcp_conn *c)
{
	struct rte_mbuf *head = c->rcv_head, *last = head;
	uint32_t nb = 1, len;

	if (head == NULL)
		return NULL;
	for (len = last->data_len; last->next != NULL && nb < UINT16_MAX; nb++) {
		last = last->next;
		len += last->data_len;
	}
	c->rcv_head = last->next;
	if (c->rcv_head == NULL)
		c->rcv_tail = NULL;
	else
		c->events |= TP_TCP_EV_DATA;
	last->next = NULL;
	head->nb_segs = nb;
	head->pkt_len = len;
	return head;
}

/* A peer that knows of more than this sends, and learns by the ACKs. */
#define WINDOW_SMALL_SEGS 16u

/* RFC 9293 3.8.6.2.2: the peer is told when a small window is at least twice what it knows. */
void
tp_tcp_consumed(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint32_t len_bytes, uint64_t now)
{
	uint32_t known, wnd;

	tcp_clock(c, now);
	len_bytes = RTE_MIN(len_bytes, c->rcv_unread);
	c->rcv_unread -= len_bytes;
	env->held_bytes -= len_bytes;
	if (c->state < TP_TCP_ESTABLISHED || (c->flags & TP_TCP_F_FIN_RCVD))
		return;
	known = c->rcv_adv - c->rcv_nxt;
	if (known > RTE_MIN(c->rcv_buf / 2, WINDOW_SMALL_SEGS * c->snd_mss))
		return;
	wnd = tcp_rcv_wnd(env, c);
	if (wnd > known && wnd / 2 >= known)
		c->flags |= TP_TCP_F_ACK_NOW;
}

/* ---- ending ------------------------------------------------------------------------- */

void
tp_tcp_shutdown(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	tcp_clock(c, now);
	if (c->state == TP_TCP_CLOSED || (c->flags & TP_TCP_F_FIN_WANTED))
		return;
	c->flags |= TP_TCP_F_FIN_WANTED;
	if (c->state == TP_TCP_ESTABLISHED)
		tcp_set_state(env, c, TP_TCP_FIN_WAIT_1);
}

void
tp_tcp_close(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	now = tcp_clock(c, now);
	c->flags |= TP_TCP_F_NO_READER;
	/* RFC 9293 3.10.4: SYN-SENT. */
	if (c->state == TP_TCP_SYN_SENT) {
		tcp_closed(env, c, TP_TCP_R_ABORT);
		return;
	}
	/* RFC 9293 3.6.1 (SHLD-3): data that nobody will read is lost, and the peer is told. */
	if (c->rcv_head != NULL) {
		tcp_count(env, TP_TCP_M_ABORT_DATA);
		tp_tcp_abort(env, c, TP_TCP_R_ABORT, now);
		return;
	}
	tp_tcp_shutdown(env, c, now);
	if (c->state == TP_TCP_FIN_WAIT_2)
		tcp_fin_wait_2(env, c, now);
}

/* RFC 9293 3.10.5. */
void
tp_tcp_abort(struct tp_tcp_env *env, struct tp_tcp_conn *c, enum tp_tcp_reason reason, uint64_t now)
{
	tcp_clock(c, now);
	switch (c->state) {
	case TP_TCP_SYN_RCVD:
	case TP_TCP_ESTABLISHED:
	case TP_TCP_FIN_WAIT_1:
	case TP_TCP_FIN_WAIT_2:
	case TP_TCP_CLOSE_WAIT:
		c->rst_seq = c->snd_nxt;
		c->rst_ack = c->rcv_nxt;
		c->flags |= TP_TCP_F_RST_WANTED | TP_TCP_F_RST_ACK;
		break;
	}
	tcp_closed(env, c, reason);
}

/* ---- options -------------------------------------------------------------------------- */

static void
set_flag(struct tp_tcp_conn *c, uint32_t flag, bool on)
{
	c->flags = on ? c->flags | flag : c->flags & ~flag;
}

static void
set_keepalive(struct tp_tcp_env *env, struct tp_tcp_conn *c, bool on, uint64_t now)
{
	set_flag(c, TP_TCP_F_KEEPALIVE, on);
	if (c->state < TP_TCP_ESTABLISHED || c->state == TP_TCP_TIME_WAIT ||
	                (c->state == TP_TCP_FIN_WAIT_2 && (c->flags & TP_TCP_F_NO_READER)))
		return;
	c->nb_probes = 0;
	c->keep_ns = on ? now + env->conf->keep_idle_ns : TP_NEVER;
}

static int
set_cc(struct tp_tcp_conn *c, uint64_t value)
{
	if (value >= TP_TCP_NB_CC)
		return -EINVAL;
	tcp_cc_switch(c, value);
	return 0;
}

static int
set_buf(uint32_t *buf, uint64_t value)
{
	if (value == 0 || value > 1u << 30)
		return -EINVAL;
	*buf = value;
	return 0;
}

int
tp_tcp_set(struct tp_tcp_env *env, struct tp_tcp_conn *c, enum tp_tcp_opt opt, uint64_t value,
                uint64_t now)
{
	now = tcp_clock(c, now);
	switch (opt) {
	case TP_TCP_OPT_NODELAY:
		set_flag(c, TP_TCP_F_NODELAY, value != 0);
		return 0;
	case TP_TCP_OPT_QUICKACK:
		set_flag(c, TP_TCP_F_QUICKACK, value != 0);
		return 0;
	case TP_TCP_OPT_KEEPALIVE:
		set_keepalive(env, c, value != 0, now);
		return 0;
	case TP_TCP_OPT_USER_TIMEOUT:
		if (value > UINT32_MAX)
			return -EINVAL;
		c->user_timeout_ms = value;
		set_flag(c, TP_TCP_F_UTO_USER, value != 0);
		return 0;
	case TP_TCP_OPT_CC:
		return set_cc(c, value);
	case TP_TCP_OPT_RCV_BUF:
		return set_buf(&c->rcv_buf, value);
	case TP_TCP_OPT_SND_BUF:
		return set_buf(&c->snd_buf, value);
	case TP_TCP_OPT_PACING:
		set_flag(c, TP_TCP_F_PACING, value != 0);
		return 0;
	}
	return -EINVAL;
}
