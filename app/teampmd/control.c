/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* One turn of control, and the door through which other threads ask it. */

#include <errno.h>
#include <semaphore.h>
#include <stdarg.h>
#include <string.h>

#include <rte_errno.h>

#include "control_int.h"

RTE_LOG_REGISTER_DEFAULT(control_log, NOTICE)

#define NB_REQUESTS 64
/* Requests served in one turn: a burst of `show` must not delay the link watches. */
#define REQUESTS_A_TURN 4

struct request {
	int (*fn)(struct control *c, void *arg);
	void *arg;
	int result;
	sem_t done;
};

void
control_event(struct control *c, uint64_t now, const char *fmt, ...)
{
	struct event *ev = &c->events[c->nb_events % NB_EVENTS];
	va_list ap;

	ev->at_ns = now;
	va_start(ap, fmt);
	vsnprintf(ev->text, sizeof(ev->text), fmt, ap);
	va_end(ap);
	c->nb_events++;
	rte_log(RTE_LOG_NOTICE, control_log, "teampmd: %" PRIu64 ".%06" PRIu64 " %s\n",
	                now / TP_NS_PER_S, now % TP_NS_PER_S / TP_NS_PER_US, ev->text);
}

/* ---- requests from other threads ------------------------------------------- */

int
control_call(struct control *c, int (*fn)(struct control *c, void *arg), void *arg)
{
	struct request req = { .fn = fn, .arg = arg };

	if (!atomic_load_explicit(&c->daemon->control_runs, memory_order_acquire))
		return fn(c, arg);
	sem_init(&req.done, 0, 0);
	if (rte_ring_mp_enqueue(c->requests, &req) != 0) {
		sem_destroy(&req.done);
		return -EBUSY;
	}
	while (sem_wait(&req.done) != 0)
		continue; /* EINTR */
	sem_destroy(&req.done);
	return req.result;
}

static unsigned int
control_requests(struct control *c)
{
	struct request *req;
	unsigned int n;

	for (n = 0; n < REQUESTS_A_TURN; n++) {
		if (rte_ring_sc_dequeue(c->requests, (void **)&req) != 0)
			break;
		req->result = req->fn(c, req->arg);
		sem_post(&req->done);
	}
	return n;
}

/* ---- frames from members ---------------------------------------------------- */

static void
control_frame(struct control *c, struct slot *s, struct rte_mbuf *m, uint64_t now)
{
	switch (tp_meta(m)->why) {
	case TP_WHY_SNOOP:
		tp_announce_snoop(c->announce, m, now);
		break;
	case TP_WHY_NEIGH:
		tp_announce_heard(c->announce, m);
		toe_heard(c, slot_id(c, s), m, now);
		if (tp_link_frame(s->link, m, now))
			control_obey_watch(c, s, now);
		break;
	case TP_WHY_RESOLVE:
		tp_inet_pend(c->daemon->inet, m, now);
		return;
	default:
		c->ctr.drop[TP_DROP_CTL_UNHANDLED]++;
	}
	rte_pktmbuf_free(m);
}

static unsigned int
control_frames(struct control *c, uint64_t now)
{
	struct rte_mbuf *pkts[TP_BURST_MAX];
	unsigned int total = 0;

	FOREACH_SLOT(c, s) {
		struct rte_ring *ring = c->daemon->fabric->ring[slot_id(c, s)][TP_NODE_CONTROL];
		unsigned int n = rte_ring_sc_dequeue_burst(ring, (void **)pkts, TP_BURST_MAX, NULL);

		for (unsigned int i = 0; i < n; i++)
			control_frame(c, s, pkts[i], now);
		total += n;
	}
	return total;
}

/* ---- the turn ----------------------------------------------------------------- */

unsigned int
tp_control_step(struct control *c, uint64_t now)
{
	unsigned int n = control_requests(c);

	n += control_frames(c, now);
	n += control_watch(c, now);
	n += control_decide(c, now);
	n += control_publish(c);
	if (c->daemon->inet != NULL)
		n += toe_control_step(c, now);
	return n;
}

int
control_init(struct daemon *d, struct error_text *err)
{
	struct control *c = &d->control;

	memset(c, 0, sizeof(*c));
	c->daemon = d;
	memset(c->slot_of_port, TP_MEMBER_NONE, sizeof(c->slot_of_port));
	tp_team_init(&c->team, &d->opt.team, tp_clock_now());
	c->flow = tp_flow_create(&d->opt.team.flow, rte_socket_id());
	c->announce = tp_announce_create(rte_socket_id());
	c->requests = rte_ring_create("requests", NB_REQUESTS, rte_socket_id(), RING_F_SC_DEQ);
	if (c->flow == NULL || c->announce == NULL || c->requests == NULL) {
		snprintf(err->text, sizeof(err->text), "control: %s", rte_strerror(rte_errno));
		return -rte_errno;
	}
	if (d->opt.has_mac)
		c->mac = d->opt.mac;
	c->mtu = RTE_ETHER_MTU;
	c->primary = TP_MEMBER_NONE;
	/* Its watches look every 500 us: no reason to burn a CPU unless told to. */
	c->idle = d->opt.idle == IDLE_AUTO ? IDLE_SLEEP : d->opt.idle;
	control_fence_install();
	if (notify_open(&c->notify, tp_clock_now()) != 0)
		fprintf(stderr, "teampmd: NOTIFY_SOCKET cannot be used\n");
	return 0;
}

void
control_serve(struct control *c)
{
	while (control_requests(c) > 0)
		continue;
}

void
control_fini(struct control *c)
{
	control_serve(c);
	notify_close(&c->notify);
	tp_announce_free(c->announce);
	tp_flow_free(c->flow);
	while (c->nb_retired > 0)
		tp_flow_free(c->retired[--c->nb_retired]);
	rte_ring_free(c->requests);
	c->requests = NULL;
}
