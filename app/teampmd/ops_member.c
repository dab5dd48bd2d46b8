/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Members come and go. */

#include <errno.h>
#include <numa.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "control_int.h"
#include "ops_int.h"

RTE_LOG_REGISTER_SUFFIX(placement_log, placement, NOTICE)

static bool
lcore_taken(const struct daemon *d, unsigned int lcore_id)
{
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		if (d->control.slot[i].used && d->worker[i].lcore_id == lcore_id)
			return true;
		/* One that was frozen never comes back. */
		if (atomic_load(&d->worker[i].frozen) && d->worker[i].lcore_id == lcore_id)
			return true;
	}
	return false;
}

/* A free worker lcore, on the port's NUMA node where there is one. */
static int
pick_lcore(const struct daemon *d, int socket_id)
{
	unsigned int lcore_id, any = RTE_MAX_LCORE;

	RTE_LCORE_FOREACH_WORKER(lcore_id) {
		if (lcore_taken(d, lcore_id))
			continue;
		if ((int)rte_lcore_to_socket_id(lcore_id) == socket_id)
			return lcore_id;
		if (any == RTE_MAX_LCORE)
			any = lcore_id;
	}
	if (any == RTE_MAX_LCORE)
		return d->simulated ? (int)rte_get_main_lcore() : -ENOSPC;
	rte_log(RTE_LOG_WARNING, placement_log,
	                "teampmd: no free lcore on NUMA node %d: lcore %u crosses nodes\n",
	                socket_id, any);
	return any;
}

static uint32_t
node_distance(const struct daemon *d, int socket_id)
{
	int home = d->control.has_host ? d->control.host_port.socket_id : (int)rte_socket_id();

	if (d->distance != NULL)
		return d->distance(home, socket_id);
	return numa_available() < 0 ? 10 : numa_distance(home, socket_id);
}

static struct tp_member *
make_member(struct daemon *d, uint8_t id, const struct port *p, unsigned int lcore_id)
{
	struct tp_member *m = rte_zmalloc_socket(
	                "tp_member", sizeof(*m), RTE_CACHE_LINE_SIZE, p->socket_id);
	int rc;

	if (m == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	m->id = id;
	m->port_id = p->port_id;
	m->socket_id = p->socket_id;
	m->lcore_id = lcore_id;
	m->fabric = d->fabric;
	m->host = d->host;
	m->pool = d->pool[p->socket_id];
	rc = tp_egress_init(&m->egress, p->port_id, 0, p->tx_offloads, m->pool,
	                d->pool_indirect[p->socket_id], &m->ctr);
	if (rc == 0)
		rc = tp_fabric_join(d->fabric, id, TP_NODE_HOST, d->opt.ring_size, p->socket_id);
	if (rc == 0)
		rc = tp_fabric_join(
		                d->fabric, id, TP_NODE_CONTROL, CONTROL_RING_SIZE, p->socket_id);
	if (rc != 0) {
		rte_free(m);
		rte_errno = -rc;
		return NULL;
	}
	return m;
}

/* The team's MAC is the first member's unless it was given one. */
static void
adopt_mac(struct control *c, struct slot *s)
{
	if (rte_is_zero_ether_addr(&c->mac)) {
		c->mac = s->port.orig_mac;
		if (rte_is_zero_ether_addr(&c->mac))
			rte_eth_random_addr(c->mac.addr_bytes);
		if (c->has_host)
			port_take_mac(&c->host_port, &c->mac);
	}
	s->member->mac = c->mac;
	if (c->team.conf.fail_over_mac != TP_FOM_NONE)
		s->port.set_mac_ok = true; /* it keeps its own until it is the active one */
	else
		port_take_mac(&s->port, &c->mac);
}

static int
join(struct control *c, void *arg)
{
	struct slot *s = arg;
	uint8_t id = slot_id(c, s);
	struct tp_member_conf conf = { .prio = 0, .weight = 100 };
	uint64_t now = tp_clock_now();
	int rc;

	rc = tp_team_add(&c->team, id, s->port.port_id, node_distance(c->daemon, s->port.socket_id),
	                &conf, now);
	if (rc != 0)
		return rc;
	s->used = true;
	s->wanted = true;
	s->carrier = true;
	s->fresh = true;
	control_halt(s, true);
	c->slot_of_port[s->port.port_id] = id;
	tp_host_set_member(c->daemon->host, id, s->member);
	s->worker->idle = idle_decide(c->daemon, s->worker->lcore_id);
	atomic_store(&s->worker->run, true);
	if (!c->daemon->simulated)
		rc = rte_eal_remote_launch(worker_main, s->worker, s->worker->lcore_id);
	control_event(c, now, "port %u (%s) joins on lcore %u", s->port.port_id, s->port.name,
	                s->worker->lcore_id);
	if (c->running)
		tp_team_enable(&c->team, id, true, now);
	op_publish_filter(c);
	control_obey_watch(c, s, now);
	/* Its own role word must carry the present sequence. */
	control_hand_over(c, c->primary);
	return rc;
}

/* Not the team's MAC, which one member brought along: a switch that hears it from a member would send
 * the team's frames there.
 */
static struct rte_ether_addr
probe_mac(const struct control *c, const struct slot *s)
{
	const struct rte_ether_addr *team = &s->member->mac;
	struct rte_ether_addr mac = s->port.orig_mac;

	if (c->team.conf.fail_over_mac == TP_FOM_ACTIVE)
		return mac;
	if (!rte_is_zero_ether_addr(&mac) && !rte_is_same_ether_addr(&mac, team))
		return mac;
	mac = *team;
	mac.addr_bytes[0] |= RTE_ETHER_LOCAL_ADMIN_ADDR;
	mac.addr_bytes[1] ^= 0x80;
	mac.addr_bytes[2] ^= slot_id(c, s) + 1;
	return mac;
}

struct tp_link *
op_make_link(const struct control *c, struct slot *s, const struct tp_link_conf *conf)
{
	const uint32_t probes = TP_LINK_W(TP_LINK_ARP) | TP_LINK_W(TP_LINK_ND);
	struct tp_link_ctx ctx = {
		.port_id = s->port.port_id,
		.pool = s->member->pool,
		.mac = probe_mac(c, s),
		.thread = control_thread_read,
		.thread_arg = s,
	};

	if ((conf->watches & probes) != 0 && port_hear_mac(&s->port, &ctx.mac) != 0)
		rte_log(RTE_LOG_WARNING, placement_log,
		                "teampmd: port %u (%s) may not hear the replies to its probes\n",
		                s->port.port_id, s->port.name);
	return tp_link_create(&ctx, conf, tp_clock_now());
}

static void
prepare_worker(struct daemon *d, struct slot *s, unsigned int lcore_id)
{
	struct worker *w = s->worker;

	memset(w, 0, sizeof(*w));
	w->member = s->member;
	w->daemon = d;
	w->lcore_id = lcore_id;
	w->burst = d->opt.burst;
}

static int
add_port(struct daemon *d, struct slot *s, uint16_t port_id, struct error_text *err)
{
	struct control *c = &d->control;
	uint8_t id = slot_id(c, s);
	int rc, lcore_id;

	rc = port_open(d, &s->port, port_id, err);
	if (rc != 0)
		return rc;
	port_warn_kernel(&s->port);
	lcore_id = pick_lcore(d, s->port.socket_id);
	if (lcore_id < 0) {
		snprintf(err->text, sizeof(err->text),
		                "port %u: no lcore left for it; EAL's --lcores gives more",
		                port_id);
		return lcore_id;
	}
	s->member = make_member(d, id, &s->port, lcore_id);
	if (s->member == NULL)
		return op_fail(err, -rte_errno, "member");
	s->worker = &d->worker[id];
	prepare_worker(d, s, lcore_id);
	adopt_mac(c, s);
	rc = toe_join(d, s->worker, err);
	if (rc != 0)
		return rc;
	if (c->mtu_set)
		rc = port_set_mtu(&s->port, c->mtu, err);
	if (c->promisc)
		port_set_promisc(&s->port, true);
	if (c->nb_mcast > 0)
		port_set_mcast(&s->port, c->mcast, c->nb_mcast);
	s->member->egress.mtu = c->mtu;
	tp_link_conf_default(&s->link_conf, s->port.port_id);
	if (!d->simulated)
		s->link_conf.watches |= TP_LINK_W(TP_LINK_HEART);
	s->link = op_make_link(c, s, &s->link_conf);
	if (rc == 0 && s->link == NULL)
		rc = op_fail(err, -rte_errno, "link watches");
	return rc;
}

static void
drop_slot(struct slot *s, bool detach)
{
	if (s->worker != NULL)
		toe_leave(s->worker, false);
	tp_link_destroy(s->link);
	if (s->thread.tid != 0)
		tp_link_thread_close(&s->thread);
	port_close(&s->port, detach);
	rte_free(s->member);
	memset(s, 0, sizeof(*s));
}

int
op_add(struct daemon *d, uint16_t port_id, struct error_text *err)
{
	struct control *c = &d->control;
	struct slot *s = c->slot;
	int rc;

	if (port_id >= RTE_MAX_ETHPORTS || !rte_eth_dev_is_valid_port(port_id))
		return op_fail(err, -ENODEV, "no such port");
	if (c->slot_of_port[port_id] != TP_MEMBER_NONE ||
	                (c->has_host && c->host_port.port_id == port_id)) {
		snprintf(err->text, sizeof(err->text), "port %u is in use already", port_id);
		return -EBUSY;
	}
	while (s < c->slot + TP_MAX_MEMBERS && s->used)
		s++;
	if (s == c->slot + TP_MAX_MEMBERS)
		return op_fail(err, -ENOSPC, "team has 32 members");
	rc = add_port(d, s, port_id, err);
	if (rc == 0) {
		rc = control_call(c, join, s);
		if (rc != 0)
			op_fail(err, rc, "joining the team");
	}
	if (rc != 0)
		drop_slot(s, false);
	return rc;
}

/* ---- leaving -------------------------------------------------------------------- */

static int
leave(struct control *c, void *arg)
{
	struct slot *s = arg;
	uint8_t id = slot_id(c, s);
	uint64_t now = tp_clock_now();

	tp_team_del(&c->team, id, now);
	atomic_store(&s->worker->run, false);
	tp_host_set_member(c->daemon->host, id, NULL);
	c->slot_of_port[s->port.port_id] = TP_MEMBER_NONE;
	control_event(c, now, "port %u (%s) leaves", s->port.port_id, s->port.name);
	return 0;
}

static int
worker_gone(struct control *c, void *arg)
{
	struct slot *s = arg;

	(void)c;
	return !atomic_load(&s->worker->active) || atomic_load(&s->worker->frozen);
}

/* What still waits in the slot's rings; with no primary nobody took it back. */
static void
purge_rings(struct control *c, uint8_t id)
{
	struct tp_fabric *fab = c->daemon->fabric;
	struct rte_mbuf *pkts[TP_BURST_MAX];
	unsigned int n;

	for (unsigned int peer = 0; peer < TP_NB_NODES; peer++) {
		struct rte_ring *both[] = { fab->ring[peer][id], fab->ring[id][peer] };

		/* Those to other members are theirs to empty. */
		for (unsigned int k = 0; k < (peer < TP_MAX_MEMBERS ? 1 : 2); k++) {
			while (both[k] != NULL &&
			                (n = rte_ring_sc_dequeue_burst(both[k], (void **)pkts,
			                                 TP_BURST_MAX, NULL)) > 0)
				tp_drop_burst(&c->ctr, TP_DROP_TX_PORT_STOPPED, pkts, n);
		}
	}
}

void
op_purge(struct control *c, struct slot *s)
{
	tp_member_purge(s->member);
	purge_rings(c, slot_id(c, s));
}

static int
forget(struct control *c, void *arg)
{
	struct slot *s = arg;

	op_purge(c, s);
	for (unsigned int i = 0; i < TP_NB_COUNTERS; i++)
		c->left.c[i] += s->member->ctr.c[i];
	s->used = false;
	return 0;
}

int
op_del(struct daemon *d, uint8_t member, bool detach, struct error_text *err)
{
	struct slot *s = &d->control.slot[member];
	int rc = op_quiesce(d, member, err);

	if (rc != 0)
		return rc;
	rc = op_quiesce_host(d, err);
	if (rc != 0) {
		op_resume(d, member);
		return rc;
	}
	control_call(&d->control, leave, s);
	rc = op_wait(d, worker_gone, s);
	if (rc == 0 && !d->simulated && !atomic_load(&s->worker->frozen))
		rte_eal_wait_lcore(s->worker->lcore_id);
	if (rc == 0)
		toe_leave(s->worker, true);
	if (rc == 0)
		control_call(&d->control, forget, s);
	op_resume_host(d);
	if (rc != 0) /* it may still use its rings and its port: they stay its */
		return op_fail(err, rc, "its lcore does not end");
	drop_slot(s, detach);
	return 0;
}

/* ---- the end ----------------------------------------------------------------------- */

#define END_TIMEOUT_MS 10000

/* @return false if a lcore does not end: its port, and what it shares with others, stay its */
static bool
end_workers(struct daemon *d)
{
	unsigned int ms = 0;
	bool all = true;

	FOREACH_SLOT(&d->control, s)
		atomic_store(&s->worker->run, false);
	FOREACH_SLOT(&d->control, s) {
		/* One that hangs had its time already. */
		for (; ms < END_TIMEOUT_MS && !s->hung && !worker_gone(&d->control, s); ms++)
			rte_delay_us_sleep(1000);
		if (!worker_gone(&d->control, s)) {
			fprintf(stderr, "teampmd: port %u (%s): lcore %u does not end\n",
			                s->port.port_id, s->port.name, s->worker->lcore_id);
			all = false;
		} else if (!d->simulated && !atomic_load(&s->worker->frozen)) {
			rte_eal_wait_lcore(s->worker->lcore_id);
		}
	}
	return all;
}

int
op_close_all(struct daemon *d)
{
	struct control *c = &d->control;
	uint16_t port_id;

	control_hand_over(c, TP_MEMBER_NONE);
	if (!end_workers(d)) {
		FOREACH_SLOT(c, s)
			port_restore(&s->port);
		if (c->has_host)
			port_restore(&c->host_port);
		return -EBUSY;
	}
	FOREACH_SLOT(c, s) {
		tp_member_purge(s->member);
		drop_slot(s, true);
	}
	if (c->has_host)
		port_close(&c->host_port, true);
	c->has_host = false;
	/* Ports that left the team still hold buffers, and the pools are about to go. */
	RTE_ETH_FOREACH_DEV(port_id)
		port_close_dev(port_id);
	return 0;
}
