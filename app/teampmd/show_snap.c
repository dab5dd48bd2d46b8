/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <stdlib.h>
#include <string.h>

#include "show.h"

static void
copy_member(const struct control *c, uint8_t id, struct snap_member *m)
{
	const struct slot *slot = &c->slot[id];

	m->used = slot->used;
	if (!slot->used)
		return;
	m->forced_down = slot->forced_down;
	m->draining = slot->draining;
	m->facts = c->team.member[id];
	m->port = slot->port;
	m->watch = slot->link_conf;
	m->nb_buckets = tp_team_nb_buckets_of(&c->team, id);
	if (slot->member != NULL) {
		m->ctr = slot->member->ctr;
		m->load = slot->member->load;
	}
	if (slot->worker != NULL) {
		m->active = atomic_load(&slot->worker->active);
		m->frozen = atomic_load(&slot->worker->frozen);
		m->tid = atomic_load(&slot->worker->tid);
		m->lcore_id = slot->worker->lcore_id;
		m->idle = slot->worker->idle;
	}
}

static int
copy_control(struct control *c, void *arg)
{
	struct snap *s = arg;

	s->now = tp_clock_now();
	s->unpublished = c->dist_dirty || (c->team.pending & TP_TEAM_ACT_DIST) != 0;
	s->running = c->running;
	s->carrier = c->team.carrier;
	s->has_host = c->has_host;
	s->promisc = c->promisc;
	s->allmulti = c->allmulti;
	s->mtu_set = c->mtu_set;
	s->vlan_filter_on = c->vlan_filter_on;
	s->primary = c->team.primary;
	s->idle = c->idle;
	s->mtu = c->mtu;
	s->mac = c->mac;
	s->nb_mcast = c->nb_mcast;
	memcpy(s->mcast, c->mcast, sizeof(s->mcast));
	memcpy(s->vlan_filter, c->vlan_filter, sizeof(s->vlan_filter));
	s->conf = c->team.conf;
	s->flow_conf = c->flow != NULL ? *tp_flow_conf(c->flow) : c->team.conf.flow;
	s->primary_changes = c->team.primary_changes;
	s->primary_since = c->team.primary_since;
	s->host_port = c->host_port;
	s->ctr = c->ctr;
	s->left = c->left;
	s->load = c->load;
	tp_host_info(c->daemon->host, &s->host);
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		copy_member(c, i, &s->member[i]);
	return 0;
}

struct snap *
snap_take(struct daemon *d)
{
	struct snap *snap = NULL;

	if (posix_memalign((void **)&snap, alignof(struct snap), sizeof(*snap)) != 0)
		return NULL;
	memset(snap, 0, sizeof(*snap));
	control_call(&d->control, copy_control, snap);
	return snap;
}

const struct snap_member *
snap_member_of(const struct snap *snap, uint16_t port_id)
{
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		if (snap->member[i].used && snap->member[i].port.port_id == port_id)
			return &snap->member[i];
	return NULL;
}

int
snap_port_of(const struct snap *snap, uint8_t member)
{
	if (member >= TP_MAX_MEMBERS || !snap->member[member].used)
		return -1;
	return snap->member[member].port.port_id;
}

void
snap_host_counters(const struct snap *s, uint64_t *sum)
{
	memcpy(sum, s->left.c, sizeof(s->left.c));
	for (uint8_t m = 0; m < TP_MAX_MEMBERS; m++)
		for (unsigned int i = 0; s->member[m].used && i < TP_NB_COUNTERS; i++)
			sum[i] += s->member[m].ctr.c[i];
}
