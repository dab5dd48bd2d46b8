/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

/* The clocks of a connection:
 *   rexmit_ns  by rexmit_kind: RTO, tail loss probe, RACK's reordering window, persist, or buffers
 *   delack_ns  a delayed ACK
 *   keep_ns    keepalive; in TIME_WAIT, and in FIN_WAIT_2 without reader, its end
 *   pace_ns    more may be sent
 */

uint64_t
tp_tcp_next(const struct tp_tcp_conn *c)
{
	uint64_t next = RTE_MIN(RTE_MIN(c->rexmit_ns, c->delack_ns), c->keep_ns);

	if (unlikely(c->state == TP_TCP_CLOSED))
		return TP_NEVER;
	if ((c->flags & TP_TCP_F_PACING) && c->pace_ns > c->last_now &&
	                (tcp_unsent(c) > 0 || c->lost_out > 0))
		next = RTE_MIN(next, c->pace_ns);
	return next;
}

static void
give_up(struct tp_tcp_env *env, struct tp_tcp_conn *c, enum tp_tcp_reason reason, uint64_t now)
{
	tcp_count(env, TP_TCP_M_ABORT_TIMEOUT);
	tp_tcp_abort(env, c, reason, now);
}

static bool
user_timeout_over(const struct tp_tcp_conn *c, uint64_t now)
{
	return c->user_timeout_ms != 0 && now - c->rcvd_ns >= c->user_timeout_ms * TP_NS_PER_MS;
}

/* As long as the peer answers, the window may stay closed (RFC 9293 3.8.6.1, MUST-37). */
static void
persist_expired(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	c->rexmit_kind = TP_TCP_REXMIT_NONE;
	c->rexmit_ns = TP_NEVER;
	if (c->nb_probes >= env->conf->retries || (c->nb_probes > 0 && user_timeout_over(c, now))) {
		give_up(env, c, TP_TCP_R_TIMEOUT, now);
		return;
	}
	c->nb_probes++;
	if (c->nb_rexmit < UINT8_MAX)
		c->nb_rexmit++;
	c->flags |= TP_TCP_F_PROBE_NOW;
}

/* There may be buffers now: the user tries, and asks again if there are none. What it has queued in
 * the meantime, and could not be sent, may have filled the queue.
 */
static void
space_expired(struct tp_tcp_conn *c)
{
	c->rexmit_kind = TP_TCP_REXMIT_NONE;
	c->rexmit_ns = TP_NEVER;
	tcp_tell_writable(c);
}

/* RFC 9293 3.8.4. Whatever arrives pushes it away, which is noticed only here; what is in flight
 * asks by itself.
 */
static void
keepalive_expired(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	const struct tp_tcp_conf *conf = env->conf;

	if (c->snd_queued > 0 || c->snd_una != c->snd_nxt) {
		c->keep_ns = now + conf->keep_idle_ns;
		return;
	}
	if (c->nb_probes == 0 && now < c->rcvd_ns + conf->keep_idle_ns) {
		c->keep_ns = c->rcvd_ns + conf->keep_idle_ns;
		return;
	}
	if (c->nb_probes >= conf->keep_probes || (c->nb_probes > 0 && user_timeout_over(c, now))) {
		give_up(env, c, TP_TCP_R_KEEPALIVE, now);
		return;
	}
	c->nb_probes++;
	c->flags |= TP_TCP_F_PROBE_NOW;
	c->keep_ns = now + conf->keep_intvl_ns;
	tcp_count(env, TP_TCP_M_KEEPALIVES);
}

static void
keep_expired(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	if (c->state == TP_TCP_TIME_WAIT)
		tcp_closed(env, c, TP_TCP_R_DONE);
	else if (c->state == TP_TCP_FIN_WAIT_2 && (c->flags & TP_TCP_F_NO_READER))
		give_up(env, c, TP_TCP_R_TIMEOUT, now);
	else
		keepalive_expired(env, c, now);
}

void
tp_tcp_timer(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	now = tcp_clock(c, now);
	if (now >= c->rexmit_ns) {
		if (c->rexmit_kind == TP_TCP_REXMIT_PERSIST)
			persist_expired(env, c, now);
		else if (c->rexmit_kind == TP_TCP_REXMIT_SPACE)
			space_expired(c);
		else
			tcp_rexmit_expired(env, c, now);
	}
	if (now >= c->delack_ns) {
		c->delack_ns = TP_NEVER;
		if (!(c->flags & TP_TCP_F_ACK_NOW))
			tcp_count(env, TP_TCP_M_DELAYED_ACK);
		c->flags |= TP_TCP_F_ACK_NOW;
	}
	if (now >= c->keep_ns)
		keep_expired(env, c, now);
}
