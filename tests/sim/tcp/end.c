/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* One end of a connection: the engine's owner, as tp_tcp.h wants it, and an application. */

#include <string.h>

#include "../../unit/tcp_frame.h"
#include "tcpsim.h"

#define PORT_0 40000
#define PORT_1 65000
/* Segments of one call that may go out at one instant. */
#define OUTPUT_MAX 100000

static uint64_t
now(const struct end *e)
{
	return host_now(e->w, e->host);
}

static struct end *
peer(const struct end *e)
{
	return &e->w->end[e->flow][!e->host];
}

void
end_init(struct world *w, unsigned int flow, unsigned int host)
{
	struct end *e = &w->end[flow][host];
	uint16_t lport = (host ? PORT_1 : PORT_0) + flow, rport = (host ? PORT_0 : PORT_1) + flow;

	*e = (struct end){
		.w = w,
		.host = host,
		.flow = flow,
		.app = &w->set->app[flow][host],
		.key = tcp_frame_key(w->set->v6, 1 + host, lport, 2 - host, rport),
		.write_at = TP_NEVER,
		.read_at = TP_NEVER,
		.wake_at = TP_NEVER,
		.timer_late = rng_one_in(&w->rng_app, 2) ? 0 : rng_log(&w->rng_app, 1, MS),
	};
	if (host == 0 || w->set->open == OPEN_BOTH)
		e->wake_at = e->app->start_ns;
}

/* ---- the owner ---------------------------------------------------------------------- */

static void
output(struct end *e)
{
	struct rte_mbuf *pkts[16];
	uint16_t want = rng_between(&e->w->rng_app, 1, RTE_DIM(pkts)), n;
	unsigned int total = 0;

	do {
		end_shift(e);
		n = tp_tcp_output(end_env(e), e->c, now(e), pkts, want);
		total += n;
		for (uint16_t i = 0; i < n; i++)
			link_send(e->w, e, pkts[i]);
	} while (n == want && total < OUTPUT_MAX && !world_failed(e->w));
	if (total >= OUTPUT_MAX)
		world_fail(e->w, "output without end");
}

/* The check walks all queues: with thousands of small writes it would be all that we do. */
static void
check(struct end *e)
{
	const char *what = "nothing";

	if (++e->nb_checks > 500 && e->nb_checks % 8 != 0)
		return;
	if (tp_tcp_conn_check(e->c, &what) < 0)
		world_fail(e->w, "%c.%u: check: %s", 'A' + e->host, e->flow, what);
}

static void
closed(struct end *e)
{
	static const struct tp_tcp_conn zero;

	e->reason = e->c->reason;
	e->closed = true;
	e->done_ns = e->w->now;
	e->write_at = e->read_at = e->wake_at = TP_NEVER;
	watch_note(e, tp_tcp_reason_name(e->reason));
	if (e->c->state != TP_TCP_CLOSED)
		world_fail(e->w, "closed in state %s", tp_tcp_state_name(e->c->state));
	if (tp_tcp_next(e->c) != TP_NEVER)
		world_fail(e->w, "closed, with a timer");
	end_shift(e);
	tp_tcp_fini(end_env(e), e->c);
	if (memcmp(e->c, &zero, sizeof(zero)) != 0)
		world_fail(e->w, "something is left after the end");
	end_conn_free(e);
}

static void
take(struct end *e)
{
	struct rte_mbuf *m;
	uint32_t len = 0;

	end_shift(e);
	m = tp_tcp_recv(e->c);
	for (const struct rte_mbuf *s = m; s != NULL; s = s->next) {
		if (!stream_same(peer(e), e->read + len, rte_pktmbuf_mtod(s, void *), s->data_len))
			world_fail(e->w, "%c.%u: wrong bytes behind %" PRIu64, 'A' + e->host,
			                e->flow, e->read + len);
		len += s->data_len;
	}
	if (m == NULL)
		return;
	if (m->pkt_len != len)
		world_fail(e->w, "pkt_len %u of %u bytes", m->pkt_len, len);
	rte_pktmbuf_free(m);
	if (e->read == 0)
		e->first_byte_ns = e->w->now;
	e->last_byte_ns = e->w->now;
	e->read += len;
	if (e->half_ns == 0 && e->read >= peer(e)->app->total / 2) {
		e->half_ns = e->w->now;
		e->half_read = e->read;
	}
	e->unconsumed += len;
	e->to_echo += len;
	if (e->read > peer(e)->written)
		world_fail(e->w, "more bytes came than were written");
}

static void
events(struct end *e)
{
	uint8_t ev = tp_tcp_events(e->c);
	struct world *w = e->w;

	if (ev & TP_TCP_EV_ESTABLISHED) {
		if (e->established)
			world_fail(w, "established twice");
		e->established = true;
		e->write_at = w->now;
		watch_note(e, "established");
	}
	if (ev & TP_TCP_EV_WRITABLE) {
		if (tp_tcp_send_space(e->c) == 0 && !e->gone && !e->shut)
			world_fail(w, "writable, but without room");
		e->write_at = w->now;
	}
	if ((ev & TP_TCP_EV_EOF) && e->eof)
		world_fail(w, "end of file twice");
	if (ev & TP_TCP_EV_EOF) {
		/* All is there, and nothing waits for us any more: it may end at any time. */
		e->eof = true;
		take(e);
	}
	if ((ev & (TP_TCP_EV_DATA | TP_TCP_EV_EOF)) && !e->asleep && e->read_at == TP_NEVER)
		e->read_at = w->now;
	if (e->c->state != TP_TCP_CLOSED)
		e->last_state = e->c->state;
	if (ev & TP_TCP_EV_CLOSED)
		closed(e);
}

/* After each call of the engine. */
static void
settle(struct end *e)
{
	check(e);
	output(e);
	if (world_failed(e->w))
		return;
	check(e);
	tp_tcp_info(e->c, now(e), &e->info);
	events(e);
	end_shift(e);
}

static void
segment_out(struct end *e, struct rte_mbuf *m)
{
	e->w->host[e->host].nb_refused += m != NULL;
	if (m != NULL)
		link_send(e->w, e, m);
}

/* A connection, not yet opened, whose numbers and timestamps wrap soon more often than not. */
static void
prepare(struct end *e)
{
	struct rng *r = &e->w->rng_app;
	struct tp_tcp_conn *c;

	end_conn_new(e);
	c = e->c;
	e->used = true;
	tp_tcp_conn_init(end_env(e), c, &e->key, now(e));
	if (rng_one_in(r, 3))
		return;
	c->iss = c->snd_una = c->snd_nxt = -(uint32_t)rng_log(r, 1, 1 << 20);
	c->ts_off = -(uint32_t)(now(e) / MS) - (uint32_t)rng_log(r, 1, 1 << 17);
}

static void
listener(struct end *e, struct tp_tcp_seg *seg)
{
	bool cookies = e->w->set->open == OPEN_COOKIE;

	if ((seg->flags & (TP_TCP_SYN | TP_TCP_ACK | TP_TCP_RST)) == TP_TCP_SYN) {
		if (cookies) {
			segment_out(e, tp_tcp_cookie_reply(end_env(e), &e->key, seg, now(e)));
			rte_pktmbuf_free(seg->data);
			return;
		}
		prepare(e);
		end_shift(e);
		tp_tcp_accept(end_env(e), e->c, seg, now(e));
		settle(e);
		return;
	}
	end_conn_new(e);
	if (cookies && (seg->flags & (TP_TCP_ACK | TP_TCP_RST)) == TP_TCP_ACK &&
	                tp_tcp_cookie_open(end_env(e), e->c, &e->key, seg, now(e)) == 0) {
		e->used = true;
		e->watch.iss = e->c->iss;
		e->watch.max_sent = e->c->iss + 1;
		end_shift(e);
		tp_tcp_input(end_env(e), e->c, seg, now(e));
		settle(e);
		return;
	}
	end_conn_free(e);
	/* A cookie holds the first numbers only: what overtakes them has to come again. */
	if (!cookies)
		segment_out(e, tp_tcp_refuse(end_env(e), &e->key, seg));
	rte_pktmbuf_free(seg->data);
}

/* ---- attacks and changes, none of which may hurt --------------------------------------- */

/* RFC 5961: what somebody who sees nothing of the connection may send. */
static void
forge(struct end *e)
{
	struct rng *r = &e->w->rng_app;
	struct tp_tcp_conn *c = e->c;
	uint32_t off = rng_one_in(r, 2) ? rng_log(r, 1, 1 << 30)
	                                : -(uint32_t)rng_log(r, 1, 1 << 30);
	struct tp_tcp_seg seg = { .nb_coalesced = 1,
		.is_v6 = e->w->set->v6,
		.seq = c->rcv_nxt + off,
		.ack = c->snd_nxt + 1 + rng_log(r, 1, 1 << 20),
		.wnd = rng_next(r),
		.flags = TP_TCP_ACK };

	if (c->state < TP_TCP_ESTABLISHED || c->state > TP_TCP_LAST_ACK)
		return;
	switch (rng_between(r, 0, 3)) {
	case 0:
		seg.flags = TP_TCP_RST;
		break;
	case 1:
		seg.flags = TP_TCP_RST | TP_TCP_ACK;
		break;
	case 2:
		seg.flags = TP_TCP_SYN;
		break;
	default:
		break;
	}
	tp_tcp_input(end_env(e), c, &seg, now(e));
	settle(e);
}

static void
knob(struct end *e)
{
	struct rng *r = &e->w->rng_app;
	static const enum tp_tcp_opt flags[] = { TP_TCP_OPT_NODELAY, TP_TCP_OPT_QUICKACK,
		TP_TCP_OPT_PACING };
	int rc = 0;

	switch (rng_between(r, 0, 3)) {
	case 0:
		rc = tp_tcp_set(end_env(e), e->c, flags[rng_between(r, 0, 2)], rng_one_in(r, 2),
		                now(e));
		break;
	case 1:
		rc = tp_tcp_set(end_env(e), e->c, TP_TCP_OPT_CC,
		                rng_between(r, 0, TP_TCP_NB_CC - 1), now(e));
		break;
	case 2:
		rc = tp_tcp_set(end_env(e), e->c, TP_TCP_OPT_RCV_BUF, rng_log(r, 4096, 1 << 20),
		                now(e));
		break;
	default:
		rc = tp_tcp_set(end_env(e), e->c, TP_TCP_OPT_SND_BUF, rng_log(r, 4096, 1 << 20),
		                now(e));
		break;
	}
	if (rc < 0)
		world_fail(e->w, "a setting is refused: %d", rc);
	settle(e);
}

static void
upset(struct end *e)
{
	const struct setup *set = e->w->set;
	struct rng *r = &e->w->rng_app;

	end_shift(e);
	if (e->c != NULL && rng_ppm(r, set->attack))
		forge(e);
	end_shift(e);
	if (e->c != NULL && rng_ppm(r, set->knobs))
		knob(e);
	if (e->c != NULL && rng_ppm(r, set->path_changed)) {
		end_shift(e);
		tp_tcp_path_changed(end_env(e), e->c, now(e));
		settle(e);
	}
}

void
end_input(struct end *e, struct tp_tcp_seg *seg)
{
	e->nb_segs++;
	watch_got(e, seg);
	if (e->c != NULL) {
		end_shift(e);
		tp_tcp_input(end_env(e), e->c, seg, now(e));
		settle(e);
	} else if (e->w->set->open == OPEN_BOTH && !e->used) {
		rte_pktmbuf_free(seg->data);
	} else if (e->used || e->host == 0) {
		segment_out(e, tp_tcp_refuse(end_env(e), &e->key, seg));
		rte_pktmbuf_free(seg->data);
	} else {
		listener(e, seg);
	}
	if (!world_failed(e->w))
		upset(e);
}

void
end_icmp(struct end *e, uint32_t seq, uint16_t mtu)
{
	if (e->c == NULL)
		return;
	watch_note(e, "ICMP too big");
	end_shift(e);
	tp_tcp_icmp(end_env(e), e->c, TP_TCP_ICMP_MTU, seq, mtu, now(e));
	settle(e);
}

/* ---- the application ------------------------------------------------------------------- */

static struct rte_mbuf *
chunk(struct end *e, uint32_t len)
{
	struct rte_mbuf *head = NULL, *tail = NULL;
	struct rng *r = &e->w->rng_app;
	uint16_t piece = rng_one_in(r, 4) ? rng_log(r, 1, 2048) : 2048;

	piece = RTE_MAX(piece, len / 256 + 1);
	for (uint32_t done = 0; done < len;) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pools[e->host][POOL_APP]);
		uint32_t n = RTE_MIN(len - done, (uint32_t)piece);

		if (m == NULL) {
			rte_pktmbuf_free(head);
			return NULL;
		}
		m->data_off = 0;
		stream_fill(e, e->written + done, (uint8_t *)rte_pktmbuf_append(m, n), n);
		if (head == NULL) {
			head = m;
		} else {
			tail->next = m;
			head->nb_segs++;
			head->pkt_len += n;
		}
		tail = m;
		done += n;
	}
	return head;
}

static uint32_t
next_chunk(struct end *e)
{
	const struct app_conf *app = e->app;

	if (app->echo)
		return e->to_echo;
	if (e->rest > 0)
		return e->rest;
	if (app->pingpong && e->read < e->written)
		return 0;
	if (app->split)
		return 4;
	return RTE_MIN(rng_log(&e->w->rng_app, app->chunk_min, app->chunk_max),
	                app->total - e->written);
}

/* Sending is over. */
static void
finish_writing(struct end *e)
{
	bool all = e->app->echo ? e->eof && e->to_echo == 0 : e->written == e->app->total;

	if (e->shut || !all)
		return;
	e->shut = true;
	watch_note(e, "shutdown");
	end_shift(e);
	tp_tcp_shutdown(end_env(e), e->c, now(e));
	settle(e);
}

static void
plan_write(struct end *e)
{
	const struct app_conf *app = e->app;
	struct rng *r = &e->w->rng_app;

	e->write_at = e->w->now;
	if (app->steady)
		e->write_at += app->pause_ns;
	else if (app->pause_ns > 0 && rng_ppm(r, app->pause))
		e->write_at += rng_log(r, 1, app->pause_ns);
}

static void
write_some(struct end *e)
{
	uint32_t len = next_chunk(e), space = tp_tcp_send_space(e->c);
	struct rte_mbuf *m;
	int rc;

	if (len == 0)
		return;
	if (len > space && space > 0 && rng_one_in(&e->w->rng_app, 2))
		len = space;
	m = chunk(e, len);
	if (m == NULL) {
		e->write_at = e->w->now + 10 * MS;
		return;
	}
	end_shift(e);
	rc = tp_tcp_send(end_env(e), e->c, m, e->app->message || e->written + len == e->app->total,
	                now(e));
	if (rc == 0) {
		e->written += len;
		e->to_echo -= RTE_MIN(e->to_echo, len);
		if (e->app->split)
			e->rest = e->rest > 0 ? 0 : e->app->chunk_max - 4;
		plan_write(e);
		if (len > space)
			world_fail(e->w, "%u bytes taken, but there was room for %u", len, space);
	} else {
		rte_pktmbuf_free(m);
		if (rc != -ENOBUFS && e->established)
			world_fail(e->w, "tp_tcp_send: %d", rc);
		if (rc == -ENOBUFS && len <= space)
			world_fail(e->w, "no room for %u of %u bytes", len, space);
		/* A chunk that never fits is made smaller. */
		if (rc == -ENOBUFS && space > 0)
			e->write_at = e->w->now + MS;
	}
	settle(e);
}

static void
step_write(struct end *e)
{
	e->write_at = TP_NEVER;
	if (e->shut || e->gone)
		return;
	write_some(e);
	if (e->c != NULL && !world_failed(e->w))
		finish_writing(e);
}

static void
consume(struct end *e)
{
	uint64_t max = e->app->read_max > 0 ? e->app->read_max : e->unconsumed;
	uint32_t len = RTE_MIN(e->unconsumed, max);

	if (len > 0) {
		e->unconsumed -= len;
		end_shift(e);
		tp_tcp_consumed(end_env(e), e->c, len, now(e));
		settle(e);
	}
	if (e->c != NULL && e->unconsumed > 0)
		e->read_at = e->w->now + rng_between(&e->w->rng_app, 0, e->app->read_ns);
}

/* Both directions are done. */
static void
finish(struct end *e)
{
	if (!e->eof || e->gone)
		return;
	if (e->read != peer(e)->written)
		world_fail(e->w, "%c.%u: end of file behind %" PRIu64 " of %" PRIu64 " bytes",
		                'A' + e->host, e->flow, e->read, peer(e)->written);
	if (!e->shut || e->unconsumed > 0)
		return;
	e->gone = true;
	end_shift(e);
	tp_tcp_close(end_env(e), e->c, now(e));
	settle(e);
}

static void
step_read(struct end *e)
{
	const struct app_conf *app = e->app;

	e->read_at = TP_NEVER;
	if (e->gone)
		return;
	if (app->sleep_at > 0 && e->read >= app->sleep_at && !e->slept) {
		e->slept = e->asleep = true;
		e->read_at = e->w->now + app->sleep_ns;
		watch_note(e, "reader sleeps");
		return;
	}
	e->asleep = false;
	take(e);
	consume(e);
	if (e->c != NULL && (app->echo || app->pingpong) && e->write_at == TP_NEVER)
		e->write_at = e->w->now;
	if (e->c != NULL && !world_failed(e->w))
		finish(e);
}

/* Connect, then perhaps end before time. */
static void
step_wake(struct end *e)
{
	const struct app_conf *app = e->app;

	e->wake_at = TP_NEVER;
	if (!e->used) {
		prepare(e);
		end_shift(e);
		tp_tcp_connect(end_env(e), e->c, now(e));
		if (app->early)
			e->write_at = e->w->now;
		settle(e);
	} else if (e->c != NULL && !e->gone) {
		e->gone = true;
		watch_note(e, app->end == APP_ABORT ? "abort" : "close");
		take(e);
		end_shift(e);
		if (app->end == APP_ABORT)
			tp_tcp_abort(end_env(e), e->c, TP_TCP_R_ABORT, now(e));
		else
			tp_tcp_close(end_env(e), e->c, now(e));
		settle(e);
	}
}

void
end_give_up(struct end *e)
{
	if (e->c == NULL)
		return;
	e->gone = true;
	watch_note(e, "gives up");
	end_shift(e);
	tp_tcp_abort(end_env(e), e->c, TP_TCP_R_ABORT, now(e));
	settle(e);
}

/* ---- time --------------------------------------------------------------------------------- */

static uint64_t
timer_at(const struct end *e)
{
	uint64_t at = e->c != NULL ? tp_tcp_next(e->c) : TP_NEVER;

	if (at == TP_NEVER)
		return TP_NEVER;
	at = at > e->w->host[e->host].clock ? at - e->w->host[e->host].clock : 0;
	return RTE_MAX(at + e->timer_late, e->w->now);
}

uint64_t
end_next(const struct end *e)
{
	uint64_t at = RTE_MIN(e->wake_at, timer_at(e));

	if (e->used && !e->closed && e->app->end != APP_NORMAL && e->app->end_at > 0 && !e->gone)
		at = RTE_MIN(at, RTE_MAX(e->app->end_at, e->w->now));
	return RTE_MIN(at, RTE_MIN(e->write_at, e->read_at));
}

static void
step_timer(struct end *e)
{
	end_shift(e);
	tp_tcp_timer(end_env(e), e->c, now(e));
	settle(e);
	if (e->c == NULL || tp_tcp_next(e->c) > now(e))
		e->nb_spins = 0;
	else if (++e->nb_spins > 100)
		world_fail(e->w, "%c.%u: the timer does not move on", 'A' + e->host, e->flow);
}

void
end_step(struct end *e)
{
	struct world *w = e->w;
	bool over = e->app->end != APP_NORMAL && e->used && !e->gone && e->app->end_at <= w->now;

	if (e->wake_at <= w->now || over)
		step_wake(e);
	else if (timer_at(e) <= w->now)
		step_timer(e);
	else if (e->read_at <= w->now)
		step_read(e);
	else if (e->write_at <= w->now)
		step_write(e);
}
