/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The offload engine in the daemon: set-up, its shards as members come and go, and control's part
 * of it: neighbours, routes, by whose port connections send.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_random.h>

#include "control_int.h"
#include "ops_int.h"
#include "service.h"

/* What a member leaves is adopted by the others in slices of their turns. */
#define LEAVE_TIMEOUT_NS (10 * TP_NS_PER_S)
/* Frames of neighbour discovery sent in one turn. */
#define FRAMES_A_TURN 16

static bool
neigh_toe(const struct daemon *d)
{
	if (d->opt.neigh == NEIGH_AUTO)
		return d->opt.host[0] == '\0';
	return d->opt.neigh == NEIGH_TOE;
}

static uint8_t
member_of(void *arg, uint32_t hash)
{
	const struct daemon *d = arg;

	return atomic_load_explicit(&d->toe_map[hash >> 24], memory_order_relaxed);
}

static int
make_inet(struct daemon *d, struct error_text *err)
{
	struct tp_inet_conf conf;
	uint64_t now = tp_clock_now();

	tp_inet_conf_default(&conf);
	conf.pool = d->pool[rte_socket_id()];
	conf.qsbr = d->qsbr;
	conf.socket_id = rte_socket_id();
	conf.mac = d->control.mac;
	if (rte_is_zero_ether_addr(&conf.mac))
		rte_eth_random_addr(conf.mac.addr_bytes); /* until the first member joins */
	conf.mtu = d->control.mtu;
	conf.answer = neigh_toe(d);
	conf.link_local = conf.answer;
	conf.seed = rte_rand();
	d->inet = tp_inet_create(&conf, now);
	if (d->inet == NULL)
		return op_fail(err, -rte_errno, "neighbour tables");
	for (uint8_t i = 0; i < d->opt.nb_ips; i++) {
		uint8_t addr[TP_INET_LEN];
		int rc;

		ip_address(&d->opt.ip[i], addr);
		rc = tp_inet_addr_add(d->inet, addr, d->opt.ip[i].len, now);
		if (rc != 0)
			return op_fail(err, rc, "--ip");
	}
	return 0;
}

static int
services_start(struct daemon *d, struct error_text *err)
{
	for (uint8_t i = 0; i < d->opt.nb_services; i++) {
		const struct service_option *svc = &d->opt.service[i];
		int rc = service_listen(d->toe, svc->name, svc->port, d->opt.max_conns);

		if (rc == 0)
			continue;
		snprintf(err->text, sizeof(err->text), "--service %s:%u: %s", svc->name, svc->port,
		                strerror(-rc));
		return rc;
	}
	return 0;
}

int
toe_init(struct daemon *d, struct error_text *err)
{
	struct tp_toe_conf conf;
	const char *why;
	int rc;

	memset(d->toe_map, TP_MEMBER_NONE, sizeof(d->toe_map));
	if (d->opt.nb_ips == 0)
		return 0;
	rc = make_inet(d, err);
	if (rc != 0)
		return rc;
	tp_toe_conf_default(&conf);
	conf.max_conns = d->opt.max_conns;
	conf.has_host = d->opt.host[0] != '\0';
	conf.answer = neigh_toe(d);
	conf.held_max = TOE_HELD_BYTES;
	conf.park_socket_id =
	                d->control.has_host ? d->control.host_port.socket_id : (int)rte_socket_id();
	conf.tcp.mtu = d->control.mtu;
	d->toe = tp_toe_create(&conf, d->inet, d->qsbr, member_of, d, &why);
	if (d->toe == NULL) {
		snprintf(err->text, sizeof(err->text), "offload engine: %s: %s",
		                why != NULL ? why : "memory", rte_strerror(rte_errno));
		return -rte_errno;
	}
	migrate_init(&d->control);
	tp_toe_set_ports(d->toe, d->opt.toe_port_low, d->opt.toe_port_high);
	return services_start(d, err);
}

void
toe_fini(struct daemon *d)
{
	tp_toe_free(d->toe);
	d->toe = NULL;
	tp_inet_free(d->inet);
	d->inet = NULL;
}

/* ---- members -------------------------------------------------------------- */

int
toe_join(struct daemon *d, struct worker *w, struct error_text *err)
{
	struct tp_member *m = w->member;
	struct control *c = &d->control;
	uint32_t peers = 0;
	int rc;

	atomic_store(&w->toe_via, TP_MEMBER_NONE);
	if (d->toe == NULL)
		return 0;
	tp_inet_set_mac(d->inet, &c->mac, tp_clock_now());
	FOREACH_SLOT(c, s) {
		rc = tp_fabric_join(
		                d->fabric, m->id, slot_id(c, s), d->opt.ring_size, m->socket_id);
		if (rc != 0)
			return op_fail(err, rc, "rings between members");
		peers |= RTE_BIT32(slot_id(c, s));
	}
	w->toe = tp_toe_shard_create(d->toe, m->id, m->socket_id, m->pool,
	                d->pool_indirect[m->socket_id], &m->mac, &worker_toe_ops, w);
	if (w->toe == NULL)
		return op_fail(err, -rte_errno, "connections of the member");
	atomic_store_explicit(&w->toe_peers, peers, memory_order_release);
	FOREACH_SLOT(c, s)
		atomic_fetch_or_explicit(
		                &s->worker->toe_peers, RTE_BIT32(m->id), memory_order_release);
	return 0;
}

static int
fence(struct control *c, void *arg)
{
	const struct worker *w = arg;

	tp_toe_fence(c->daemon->toe, w->member->id);
	return 0;
}

static int
let_go(struct control *c, void *arg)
{
	const struct worker *w = arg;

	tp_toe_let_go(c->daemon->toe, w->member->id);
	return 0;
}

/* Control has its hands in the memory of a shard that is about to go: it does what it is asked. */
static void
ask_control(struct daemon *d, int (*fn)(struct control *c, void *arg), struct worker *w)
{
	while (control_call(&d->control, fn, w) == -EBUSY)
		op_nap(d);
}

void
toe_leave(struct worker *w, bool rehome)
{
	struct daemon *d = w->daemon;
	uint64_t deadline = tp_clock_now() + LEAVE_TIMEOUT_NS;

	if (w->toe == NULL)
		return;
	ask_control(d, fence, w);
	while (rehome && !tp_toe_left(d->toe, w->member->id)) {
		if (tp_clock_now() > deadline) {
			fprintf(stderr, "teampmd: connections of member %u find no other home\n",
			                w->member->id);
			break;
		}
		op_nap(d);
	}
	ask_control(d, let_go, w);
	tp_toe_shard_free(w->toe);
	w->toe = NULL;
}

/* ---- control's part --------------------------------------------------------- */

/* By which port a member's connections send: its own while that is in use, else the primary's. */
static uint8_t
via_of(const struct control *c, uint8_t member)
{
	bool single = tp_modes[c->team.conf.mode].single;

	if (member == c->team.primary)
		return member;
	return single || !c->team.member[member].distributing ? c->team.primary : member;
}

void
toe_distribute(struct control *c)
{
	struct daemon *d = c->daemon;
	uint32_t step = c->team.conf.nb_buckets / RTE_DIM(d->toe_map);

	if (d->toe == NULL)
		return;
	for (unsigned int i = 0; i < RTE_DIM(d->toe_map); i++)
		atomic_store_explicit(&d->toe_map[i],
		                tp_modes[c->team.conf.mode].map ? c->team.map[i * step]
		                                                : c->team.primary,
		                memory_order_relaxed);
	FOREACH_SLOT(c, s)
		atomic_store_explicit(&s->worker->toe_via, via_of(c, slot_id(c, s)),
		                memory_order_relaxed);
}

void
toe_heard(struct control *c, uint8_t member, const struct rte_mbuf *m, uint64_t now)
{
	struct tp_pkt_info info;

	if (c->daemon->inet == NULL)
		return;
	tp_pkt_parse(m, &info);
	tp_inet_heard(c->daemon->inet, m, &info, member, now);
}

static bool
may_send(const struct control *c, uint8_t member)
{
	return member < TP_MAX_MEMBERS && c->slot[member].used &&
	       c->team.member[member].distributing;
}

static void
send_by_all(struct control *c, struct rte_mbuf *m)
{
	FOREACH_SLOT(c, s) {
		struct rte_mbuf *copy;

		if (!may_send(c, slot_id(c, s)))
			continue;
		copy = tp_pkt_copy(m, s->member->pool);
		if (copy != NULL)
			control_send(c, slot_id(c, s), copy);
	}
	rte_pktmbuf_free(m);
}

static void
send_frame(struct control *c, const struct tp_inet_frame *frame)
{
	uint8_t member = frame->member;

	if (member == TP_INET_MEMBER_ALL && tp_modes[c->team.conf.mode].announce_all) {
		send_by_all(c, frame->m);
		return;
	}
	if (!may_send(c, member) || via_of(c, member) != member)
		member = c->team.primary;
	if (member == TP_MEMBER_NONE) {
		c->ctr.drop[TP_DROP_TX_NO_MEMBER]++;
		rte_pktmbuf_free(frame->m);
		return;
	}
	control_send(c, member, frame->m);
}

static enum tp_inet_addr_state
state_before(const struct control *c, const uint8_t addr[TP_INET_LEN])
{
	for (uint32_t i = 0; i < c->nb_own; i++) {
		if (memcmp(c->own[i].addr, addr, TP_INET_LEN) == 0)
			return c->own[i].state;
	}
	return TP_INET_TENTATIVE;
}

/* Nothing is served at an address before it is known to be ours, nor while somebody else has it. */
static void
tell_own(struct control *c, const struct tp_inet_addr_info *addr, uint64_t now)
{
	char text[INET6_ADDRSTRLEN], rival[RTE_ETHER_ADDR_FMT_SIZE];
	bool v4 = tp_inet_is_v4(addr->addr);

	if (state_before(c, addr->addr) == addr->state)
		return;
	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? addr->addr + 12 : addr->addr, text, sizeof(text));
	snprintf(rival, sizeof(rival), "%02x:%02x:%02x:%02x:%02x:%02x",
	                RTE_ETHER_ADDR_BYTES(&addr->rival));
	if (addr->state == TP_INET_PREFERRED)
		control_event(c, now, "address %s is the team's", text);
	else if (addr->state == TP_INET_DUPLICATE)
		control_event(c, now, "address %s is in use by %s, tried again later", text, rival);
}

/* After a failover only what is ours is announced: an address that is still being claimed may be
 * another's, and its neighbours would believe us. The link-local one is known to nobody by heart.
 */
static void
announce_own(struct control *c, uint64_t now)
{
	struct tp_inet_addr_info addr[TP_INET_MAX_ADDRS];
	uint32_t nb = tp_inet_addrs(c->daemon->inet, addr, RTE_DIM(addr));

	for (uint32_t i = 0; i < nb; i++)
		tell_own(c, &addr[i], now);
	memcpy(c->own, addr, nb * sizeof(addr[0]));
	c->nb_own = nb;
	for (uint32_t i = 0; i < nb; i++) {
		bool v4 = tp_inet_is_v4(addr[i].addr);
		const uint8_t *bytes = v4 ? addr[i].addr + 12 : addr[i].addr;
		uint8_t family = v4 ? 4 : 6;

		if (addr[i].link_local)
			continue;
		if (addr[i].state == TP_INET_PREFERRED)
			tp_announce_add_own(c->announce, 0, family, bytes);
		else
			tp_announce_del_own(c->announce, 0, family, bytes);
	}
	c->announced_version = tp_inet_version(c->daemon->inet);
}

void
toe_report(struct control *c, uint64_t now)
{
	if (c->daemon->inet != NULL)
		tp_inet_report(c->daemon->inet, now);
}

unsigned int
toe_control_step(struct control *c, uint64_t now)
{
	struct tp_inet *inet = c->daemon->inet;
	struct tp_inet_frame frames[FRAMES_A_TURN];
	unsigned int n = 0;
	uint16_t nb;

	n += migrate_step(c, now);
	if (tp_inet_next(inet) <= now)
		n += tp_inet_step(inet, now);
	if (unlikely(tp_inet_version(inet) != c->announced_version))
		announce_own(c, now);
	nb = tp_inet_take(inet, frames, FRAMES_A_TURN);
	for (uint16_t i = 0; i < nb; i++)
		send_frame(c, &frames[i]);
	return n + nb;
}
