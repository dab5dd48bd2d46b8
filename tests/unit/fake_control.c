/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "fake_control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus_vdev.h>

static struct daemon the_daemon;
static struct tp_member members[TP_MAX_MEMBERS];
static char last[APP_TEXT_LEN];
static int fail_rc;
static const char *fail_why;

const char *const idle_names[NB_IDLE_POLICIES] = { "auto", "poll", "pause", "sleep" };

/* ---- control ------------------------------------------------------------- */

int
control_call(struct control *c, int (*fn)(struct control *c, void *arg), void *arg)
{
	return fn(c, arg);
}

void
control_serve(struct control *c)
{
	(void)c;
}

static int note(struct error_text *err, const char *fmt, ...) __rte_format_printf(2, 3);

static int
note(struct error_text *err, const char *fmt, ...)
{
	int rc = fail_rc;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(last, sizeof(last), fmt, ap);
	va_end(ap);
	if (rc != 0)
		snprintf(err->text, sizeof(err->text), "%s", fail_why);
	fail_rc = 0;
	return rc;
}

const char *
fake_last(void)
{
	return last;
}

void
fake_fail_next(int rc, const char *why)
{
	fail_rc = rc;
	fail_why = why;
}

/* ---- operations ---------------------------------------------------------- */

int
op_start(struct daemon *d, struct error_text *err)
{
	int rc = note(err, "op_start");

	if (rc == 0)
		d->control.running = true;
	return rc;
}

int
op_stop(struct daemon *d, struct error_text *err)
{
	int rc = note(err, "op_stop");

	if (rc == 0)
		d->control.running = false;
	return rc;
}

int
op_set_conf(struct daemon *d, const struct tp_team_conf *conf, struct error_text *err)
{
	int rc = note(err, "op_set_conf");

	if (rc == 0)
		rc = tp_team_conf_check(conf, err->text, sizeof(err->text));
	if (rc == 0)
		d->control.team.conf = *conf;
	return rc;
}

int
op_set_member(struct daemon *d, uint8_t member, const struct tp_member_conf *conf,
                struct error_text *err)
{
	int rc = note(err, "op_set_member %u", member);

	if (rc == 0)
		d->control.team.member[member].conf = *conf;
	return rc;
}

int
op_set_watch(struct daemon *d, uint8_t member, const struct tp_link_conf *conf,
                struct error_text *err)
{
	int rc = note(err, "op_set_watch %u", member);

	if (rc == 0)
		rc = tp_link_conf_check(conf, err->text, sizeof(err->text));
	if (rc == 0)
		d->control.slot[member].link_conf = *conf;
	return rc;
}

int
op_add(struct daemon *d, uint16_t port_id, struct error_text *err)
{
	struct control *c = &d->control;
	uint8_t id = 0;
	int rc = note(err, "op_add %u", port_id);

	if (rc != 0)
		return rc;
	while (c->slot[id].used)
		id++;
	c->slot[id].used = true;
	c->slot[id].member = &members[id];
	c->slot[id].worker = &d->worker[id];
	c->slot[id].port.port_id = port_id;
	rte_eth_dev_get_name_by_port(port_id, c->slot[id].port.name);
	tp_link_conf_default(&c->slot[id].link_conf, port_id);
	c->slot_of_port[port_id] = id;
	return tp_team_add(&c->team, id, port_id, 10, &(struct tp_member_conf){ .weight = 100 }, 0);
}

int
op_del(struct daemon *d, uint8_t member, bool detach, struct error_text *err)
{
	struct control *c = &d->control;
	int rc = note(err, "op_del %u%s", member, detach ? " detach" : "");

	if (rc != 0)
		return rc;
	c->slot_of_port[c->slot[member].port.port_id] = TP_MEMBER_NONE;
	c->slot[member].used = false;
	return tp_team_del(&c->team, member, 0);
}

int
op_set_link(struct daemon *d, uint8_t member, bool up, struct error_text *err)
{
	int rc = note(err, "op_set_link %u %s", member, up ? "up" : "down");

	if (rc == 0)
		d->control.slot[member].forced_down = !up;
	return rc;
}

int
op_set_mtu(struct daemon *d, uint16_t mtu, struct error_text *err)
{
	int rc = note(err, "op_set_mtu %u", mtu);

	if (rc == 0) {
		d->control.mtu = mtu;
		d->control.mtu_set = true;
	}
	return rc;
}

int
op_set_promisc(struct daemon *d, bool on, struct error_text *err)
{
	int rc = note(err, "op_set_promisc %s", on ? "on" : "off");

	if (rc == 0)
		d->control.promisc = on;
	return rc;
}

int
op_set_mcast(struct daemon *d, const struct rte_ether_addr *addr, bool add, struct error_text *err)
{
	struct control *c = &d->control;
	int rc = note(err, "op_set_mcast %s", add ? "add" : "remove");

	if (rc == 0 && add && c->nb_mcast < RTE_DIM(c->mcast))
		c->mcast[c->nb_mcast++] = *addr;
	else if (rc == 0 && !add && c->nb_mcast > 0)
		c->nb_mcast--;
	return rc;
}

int
op_set_vlan_filter(struct daemon *d, bool on, struct error_text *err)
{
	int rc = note(err, "op_set_vlan_filter %s", on ? "on" : "off");

	if (rc == 0)
		d->control.vlan_filter_on = on;
	return rc;
}

int
op_set_vlan(struct daemon *d, uint16_t vlan_id, bool add, struct error_text *err)
{
	uint64_t *word = &d->control.vlan_filter[vlan_id / 64];
	int rc = note(err, "op_set_vlan %s %u", add ? "add" : "rm", vlan_id);

	if (rc == 0 && add)
		*word |= RTE_BIT64(vlan_id % 64);
	else if (rc == 0)
		*word &= ~RTE_BIT64(vlan_id % 64);
	return rc;
}

int
op_set_host(struct daemon *d, const char *name, struct error_text *err)
{
	struct control *c = &d->control;
	int rc = note(err, "op_set_host %s", name);

	if (rc != 0)
		return rc;
	c->has_host = name[0] != '\0';
	if (c->has_host) {
		c->host_port.port_id = port_find(name);
		rte_eth_dev_get_name_by_port(c->host_port.port_id, c->host_port.name);
	}
	return 0;
}

int
op_set_mac(struct daemon *d, const struct rte_ether_addr *mac, struct error_text *err)
{
	int rc = note(err, "op_set_mac");

	if (rc == 0)
		d->control.mac = *mac;
	return rc;
}

int
port_find(const char *name)
{
	char *end;
	unsigned long id = strtoul(name, &end, 10);
	uint16_t port_id;

	if (*end == '\0' && id < RTE_MAX_ETHPORTS && rte_eth_dev_is_valid_port(id))
		return id;
	return rte_eth_dev_get_port_by_name(name, &port_id) == 0 ? port_id : -ENODEV;
}

int
port_stop_dev(uint16_t port_id)
{
	return rte_eth_dev_stop(port_id);
}

int
port_close_dev(uint16_t port_id)
{
	return rte_eth_dev_close(port_id);
}

/* ---- the daemon ---------------------------------------------------------- */

/* Four ports: members, a host port, one to spare. */
static void
make_ports(void)
{
	char name[24];

	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "net_null%d", i);
		if (port_find(name) < 0 && rte_vdev_init(name, "") != 0)
			abort();
	}
}

struct daemon *
fake_daemon(unsigned int nb)
{
	struct daemon *d = &the_daemon;
	struct error_text err;

	make_ports();
	memset(d, 0, sizeof(*d));
	memset(members, 0, sizeof(members));
	memset(d->control.slot_of_port, TP_MEMBER_NONE, sizeof(d->control.slot_of_port));
	d->control.daemon = d;
	d->control.mtu = RTE_ETHER_MTU;
	tp_team_conf_default(&d->opt.team);
	tp_team_init(&d->control.team, &d->opt.team, 0);
	d->fabric = tp_fabric_create("fake");
	d->host = d->fabric != NULL ? tp_host_create(d->fabric, 64, 32, 0) : NULL;
	if (d->host == NULL)
		abort();
	for (unsigned int i = 0; i < nb; i++)
		op_add(d, i, &err);
	last[0] = '\0';
	return d;
}

void
fake_daemon_end(struct daemon *d)
{
	tp_host_free(d->host);
	tp_fabric_free(d->fabric);
	d->host = NULL;
	d->fabric = NULL;
}
