/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What follows from the team to its ports: host port, MAC, MTU, promiscuity, multicast, VLANs. */

#include <errno.h>
#include <string.h>

#include "control_int.h"
#include "ops_int.h"

/* ---- the host port -------------------------------------------------------------- */

struct host_change {
	const struct port *port; /**< NULL: none */
};

static int
change_host(struct control *c, void *arg)
{
	struct host_change *ch = arg;
	struct daemon *d = c->daemon;
	int rc, node;

	tp_host_purge(d->host, &c->ctr);
	c->has_host = ch->port != NULL;
	if (ch->port == NULL)
		return tp_host_set_port(d->host, RTE_MAX_ETHPORTS, 0, NULL, NULL);
	c->host_port = *ch->port;
	port_set_carrier(&c->host_port, c->team.carrier);
	node = c->host_port.socket_id;
	rc = tp_host_set_port(d->host, c->host_port.port_id, c->host_port.tx_offloads,
	                d->pool[node], d->pool_indirect[node]);
	if (rc == 0)
		tp_host_set_mtu(d->host, c->host_port.mtu);
	return rc;
}

static int
check_host(struct daemon *d, const char *name, struct error_text *err)
{
	int port_id = port_find(name);

	if (port_id < 0) {
		snprintf(err->text, sizeof(err->text),
		                "host port '%s': no such port; try `show port summary all`", name);
		return port_id;
	}
	if (d->control.slot_of_port[port_id] != TP_MEMBER_NONE) {
		snprintf(err->text, sizeof(err->text), "host port '%s' is a member of the team",
		                name);
		return -EBUSY;
	}
	return port_id;
}

/* Open a port as host port and put it to use. */
static int
open_host(struct daemon *d, uint16_t port_id, struct error_text *err)
{
	struct control *c = &d->control;
	struct port fresh = { .used = false };
	struct host_change ch = { .port = &fresh };
	int rc = port_open(d, &fresh, port_id, err);

	if (rc == 0 && !rte_is_zero_ether_addr(&c->mac))
		port_take_mac(&fresh, &c->mac);
	if (rc == 0 && c->mtu_set)
		rc = port_set_mtu(&fresh, c->mtu, err);
	if (rc == 0) {
		rc = control_call(c, change_host, &ch);
		if (rc != 0)
			op_fail(err, rc, "host port");
	}
	if (rc != 0) {
		port_close(&fresh, false);
		return rc;
	}
	/* Whether the NIC's RSS hash can be used is a matter of which NIC it is. */
	if (tp_flow_conf(c->flow)->trust_rss || tp_flow_rss_same(c->flow, port_id))
		rc = op_renew_flow(d, err);
	return rc;
}

int
op_set_host(struct daemon *d, const char *name, struct error_text *err)
{
	struct control *c = &d->control;
	struct host_change none = { .port = NULL };
	struct port old = c->host_port;
	bool had = c->has_host;
	int rc, port_id = name[0] == '\0' ? -1 : check_host(d, name, err);

	if (name[0] != '\0' && port_id < 0)
		return port_id;
	rc = op_quiesce_host(d, err);
	if (rc != 0)
		return rc;
	control_call(c, change_host, &none);
	if (had)
		port_close(&old, false);
	if (port_id >= 0)
		rc = open_host(d, port_id, err);
	op_resume_host(d);
	return rc;
}

/* ---- MAC -------------------------------------------------------------------------- */

static int
change_mac(struct control *c, void *arg)
{
	c->mac = *(const struct rte_ether_addr *)arg;
	return 0;
}

int
op_set_mac(struct daemon *d, const struct rte_ether_addr *mac, struct error_text *err)
{
	struct control *c = &d->control;
	int rc;

	if (!rte_is_valid_assigned_ether_addr(mac))
		return op_fail(err, -EINVAL, "not a unicast MAC address");
	control_call(c, change_mac, (void *)(uintptr_t)mac);
	if (c->has_host)
		port_take_mac(&c->host_port, mac);
	FOREACH_SLOT(c, s) {
		rc = op_quiesce(d, slot_id(c, s), err);
		if (rc != 0)
			return rc;
		s->member->mac = *mac;
		port_take_mac(&s->port, mac);
		op_resume(d, slot_id(c, s));
	}
	return 0;
}

/* ---- MTU -------------------------------------------------------------------------- */

static int
note_mtu(struct control *c, void *arg)
{
	c->mtu = *(const uint16_t *)arg;
	c->mtu_set = true;
	if (c->daemon->toe != NULL) {
		tp_inet_set_mtu(c->daemon->inet, c->mtu);
		tp_toe_set_mtu(c->daemon->toe, c->mtu);
	}
	return 0;
}

static int
member_mtu(struct daemon *d, uint8_t member, uint16_t mtu, struct error_text *err)
{
	struct slot *s = &d->control.slot[member];
	int rc = op_quiesce(d, member, err);

	if (rc != 0)
		return rc;
	rc = port_set_mtu(&s->port, mtu, err);
	if (rc == 0)
		s->member->egress.mtu = mtu;
	op_resume(d, member);
	return rc;
}

static int
host_mtu(struct daemon *d, uint16_t mtu, struct error_text *err)
{
	int rc = op_quiesce_host(d, err);

	if (rc == 0)
		rc = port_set_mtu(&d->control.host_port, mtu, err);
	if (rc == 0)
		tp_host_set_mtu(d->host, mtu);
	op_resume_host(d);
	return rc;
}

/* Larger: members first, so that no frame is too big for one; smaller: the host first. */
static int
all_mtus(struct daemon *d, uint16_t mtu, struct error_text *err)
{
	struct control *c = &d->control;
	bool larger = mtu >= c->mtu;
	int rc = 0;

	if (c->has_host && !larger)
		rc = host_mtu(d, mtu, err);
	FOREACH_SLOT(c, s) {
		if (rc == 0)
			rc = member_mtu(d, slot_id(c, s), mtu, err);
	}
	if (rc == 0 && c->has_host && larger)
		rc = host_mtu(d, mtu, err);
	return rc;
}

/* One port refused: those that did not keep what they had. */
static void
undo_mtus(struct daemon *d, uint16_t mtu)
{
	struct control *c = &d->control;
	struct error_text ignored;

	FOREACH_SLOT(c, s) {
		if (s->port.mtu != mtu)
			member_mtu(d, slot_id(c, s), mtu, &ignored);
	}
	if (c->has_host && c->host_port.mtu != mtu)
		host_mtu(d, mtu, &ignored);
}

int
op_set_mtu(struct daemon *d, uint16_t mtu, struct error_text *err)
{
	int rc;

	if (mtu < RTE_ETHER_MIN_MTU || mtu > MTU_MAX) {
		snprintf(err->text, sizeof(err->text), "MTU %u: not from %d to %d", mtu,
		                RTE_ETHER_MIN_MTU, MTU_MAX);
		return -EINVAL;
	}
	rc = all_mtus(d, mtu, err);
	if (rc == 0)
		control_call(&d->control, note_mtu, &mtu);
	else
		undo_mtus(d, d->control.mtu);
	return rc;
}

/* ---- promiscuity, multicast, VLANs --------------------------------------------------- */

int
op_set_promisc(struct daemon *d, bool on, struct error_text *err)
{
	struct control *c = &d->control;
	int rc;

	c->promisc = on;
	FOREACH_SLOT(c, s) {
		rc = port_set_promisc(&s->port, on);
		if (rc != 0 && rc != -ENOTSUP)
			return op_fail(err, rc, "promiscuous mode");
	}
	return 0;
}

static uint32_t
mcast_find(const struct control *c, const struct rte_ether_addr *addr)
{
	uint32_t i = 0;

	while (i < c->nb_mcast && !rte_is_same_ether_addr(&c->mcast[i], addr))
		i++;
	return i;
}

int
op_set_mcast(struct daemon *d, const struct rte_ether_addr *addr, bool add, struct error_text *err)
{
	struct control *c = &d->control;
	uint32_t at = mcast_find(c, addr);
	int rc;

	if (!rte_is_multicast_ether_addr(addr))
		return op_fail(err, -EINVAL, "not a multicast MAC address");
	if (add == (at < c->nb_mcast)) {
		snprintf(err->text, sizeof(err->text), "this multicast address %s",
		                add ? "was added already" : "was never added");
		return add ? -EEXIST : -ENOENT;
	}
	if (add && c->nb_mcast == RTE_DIM(c->mcast)) {
		snprintf(err->text, sizeof(err->text), "there are %zu multicast addresses already",
		                RTE_DIM(c->mcast));
		return -ENOSPC;
	}
	if (add)
		c->mcast[c->nb_mcast++] = *addr;
	else
		c->mcast[at] = c->mcast[--c->nb_mcast];
	FOREACH_SLOT(c, s) {
		rc = port_set_mcast(&s->port, c->mcast, c->nb_mcast);
		if (rc != 0 && rc != -ENOTSUP)
			return op_fail(err, rc, "multicast list");
	}
	return 0;
}

void
op_publish_filter(struct control *c)
{
	const uint64_t *filter = c->vlan_filter_on ? c->vlan_filter : NULL;

	FOREACH_SLOT(c, s)
		atomic_store_explicit(&s->member->vlan_filter, filter, memory_order_release);
}

int
op_set_vlan_filter(struct daemon *d, bool on, struct error_text *err)
{
	(void)err;
	d->control.vlan_filter_on = on;
	op_publish_filter(&d->control);
	return 0;
}

int
op_set_vlan(struct daemon *d, uint16_t vlan_id, bool add, struct error_text *err)
{
	struct control *c = &d->control;
	uint64_t bit = RTE_BIT64(vlan_id % 64);
	int rc;

	if (vlan_id > 4095)
		return op_fail(err, -EINVAL, "VLAN id not from 0 to 4095");
	if (add)
		c->vlan_filter[vlan_id / 64] |= bit;
	else
		c->vlan_filter[vlan_id / 64] &= ~bit;
	FOREACH_SLOT(c, s) {
		rc = port_vlan_filter(&s->port, vlan_id, add);
		if (rc != 0)
			return op_fail(err, rc, "VLAN filter");
	}
	return 0;
}
