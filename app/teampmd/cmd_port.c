/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>

#include "capture.h"
#include "cmd_int.h"
#include "front.h"

/* ---- members ------------------------------------------------------------- */

static int
run_team_add(struct cmd_ctx *x)
{
	uint16_t port_id;
	int rc = cmd_port_id(x, x->argv[3], &port_id);

	return rc != 0 ? rc : op_add(x->d, port_id, &x->err);
}

static int
remove_member(struct cmd_ctx *x, uint16_t port_id, uint8_t member, bool detach)
{
	capture_forget(x->d, port_id);
	return op_del(x->d, member, detach, &x->err);
}

static int
run_team_remove(struct cmd_ctx *x)
{
	uint16_t port_id;
	uint8_t member;
	int rc = cmd_port_id(x, x->argv[3], &port_id);

	if (rc == 0)
		rc = cmd_member_id(x, x->argv[3], &member);
	return rc != 0 ? rc : remove_member(x, port_id, member, false);
}

/** Ports of "0,2,3" as a bitmap. */
static int
parse_portlist(struct cmd_ctx *x, const char *text, bool *wanted)
{
	char item[16];
	uint16_t port_id;
	int rc;

	memset(wanted, 0, RTE_MAX_ETHPORTS * sizeof(*wanted));
	if (strcmp(text, "none") == 0)
		return 0;
	for (;;) {
		size_t len = strcspn(text, ",");

		snprintf(item, sizeof(item), "%.*s", (int)RTE_MIN(len, sizeof(item)), text);
		rc = cmd_port_id(x, item, &port_id);
		if (rc != 0)
			return rc;
		wanted[port_id] = true;
		if (text[len] == '\0')
			return 0;
		text += len + 1;
	}
}

static int
run_portlist(struct cmd_ctx *x)
{
	bool wanted[RTE_MAX_ETHPORTS];
	uint16_t port_id;
	int rc = parse_portlist(x, x->argv[2], wanted);

	RTE_ETH_FOREACH_DEV(port_id) {
		uint8_t member = member_of_port(x->d, port_id);

		if (rc == 0 && member != TP_MEMBER_NONE && !wanted[port_id])
			rc = remove_member(x, port_id, member, false);
	}
	RTE_ETH_FOREACH_DEV(port_id) {
		if (rc == 0 && wanted[port_id] && member_of_port(x->d, port_id) == TP_MEMBER_NONE)
			rc = op_add(x->d, port_id, &x->err);
	}
	return rc;
}

/* ---- attach and detach --------------------------------------------------- */

static int
add_attached(struct cmd_ctx *x, const char *devargs, bool spare)
{
	struct rte_dev_iterator it;
	uint16_t port_id;
	int nb = 0, rc = 0;

	RTE_ETH_FOREACH_MATCHING_DEV(port_id, devargs, &it)
	{
		if (member_of_port(x->d, port_id) != TP_MEMBER_NONE)
			continue;
		if (!spare && rc == 0)
			rc = op_add(x->d, port_id, &x->err);
		fprintf(x->out, "port %u\n", port_id);
		nb++;
	}
	if (nb == 0)
		return cmd_fail(x, -ENODEV, "'%.100s' made no port", devargs);
	return rc;
}

static bool
device_exists(const char *devargs)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	uint16_t port_id;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(devargs, ","), devargs);
	return rte_eth_dev_get_port_by_name(name, &port_id) == 0;
}

static int
run_attach(struct cmd_ctx *x)
{
	const char *devargs = x->argv[2];
	int rc;

	if (device_exists(devargs))
		return cmd_fail(x, -EEXIST,
		                "'%.100s': there is a port of that name; see 'show "
		                "port summary', 'team add port'",
		                devargs);
	rc = rte_dev_probe(devargs);
	if (rc < 0)
		return cmd_fail(x, -EIO,
		                "port attach %.100s: %s; a driver's name or a PCI address "
		                "is wanted, with ,key=value arguments",
		                devargs, rc == -EFAULT ? "no bus knows it" : strerror(-rc));
	rc = add_attached(x, devargs, cmd_has(x, 3, "spare") != 0);
	if (rc == 0)
		front_note_attach(devargs);
	return rc;
}

/** A device with several ports goes as a whole. */
static int
check_siblings(struct cmd_ctx *x, uint16_t port_id, const struct rte_device *dev)
{
	struct rte_eth_dev_info info;
	uint16_t other;

	RTE_ETH_FOREACH_DEV(other) {
		if (other == port_id || rte_eth_dev_info_get(other, &info) != 0)
			continue;
		if (info.device == dev)
			return cmd_fail(x, -EBUSY, "port %u is on the same device as port %u",
			                other, port_id);
	}
	return 0;
}

static int
is_host(struct control *c, void *arg)
{
	return c->has_host && c->host_port.port_id == *(const uint16_t *)arg;
}

static int
close_port(struct cmd_ctx *x, uint16_t port_id)
{
	uint8_t member = member_of_port(x->d, port_id);

	if (member != TP_MEMBER_NONE)
		return remove_member(x, port_id, member, true);
	port_stop_dev(port_id);
	port_close_dev(port_id);
	return 0;
}

static int
run_detach(struct cmd_ctx *x)
{
	struct rte_eth_dev_info info;
	char name[RTE_ETH_NAME_MAX_LEN] = "";
	uint16_t port_id;
	int rc = cmd_port_id(x, x->argv[2], &port_id);

	if (rc != 0)
		return rc;
	if (control_call(&x->d->control, is_host, &port_id))
		return cmd_fail(x, -EBUSY, "port %u is the host port; 'set host' another one first",
		                port_id);
	rc = rte_eth_dev_info_get(port_id, &info);
	if (rc != 0)
		return cmd_fail(x, rc, "port %u: %s", port_id, strerror(-rc));
	snprintf(name, sizeof(name), "%s", rte_dev_name(info.device));
	rc = check_siblings(x, port_id, info.device);
	if (rc == 0)
		rc = close_port(x, port_id);
	if (rc != 0)
		return rc;
	front_note_detach(name);
	rc = rte_dev_remove((struct rte_device *)(uintptr_t)info.device);
	if (rc != 0)
		return cmd_fail(x, rc, "port %u is closed, its device %s stays: %s", port_id, name,
		                strerror(-rc));
	return 0;
}

/* ---- the host port ------------------------------------------------------- */

static int
host_port_id(struct control *c, void *arg)
{
	*(int *)arg = c->has_host ? c->host_port.port_id : -1;
	return 0;
}

static bool
is_present_host(struct daemon *d, const char *name)
{
	int port_id = -1;

	control_call(&d->control, host_port_id, &port_id);
	return port_id == (name[0] == '\0' ? -1 : port_find(name));
}

static int
run_host(struct cmd_ctx *x)
{
	const char *name = strcmp(x->argv[2], "none") == 0 ? "" : x->argv[2];

	if (name[0] != '\0' && port_find(name) < 0)
		return cmd_fail(x, -EINVAL,
		                "'%.60s' is no port's name or id, nor 'none'; see "
		                "'show port summary'",
		                name);
	if (is_present_host(x->d, name))
		return 0; /* to open it again would cut the host off for nothing */
	return op_set_host(x->d, name, &x->err);
}

const struct cmd cmd_port[] = {
	{ "port attach <DEVARGS> [spare]",
	                "Make a port of a device, like net_null1 or 0000:03:00.0, and a member of "
	                "the "
	                "team unless it is to be spare",
	                run_attach },
	{ "port detach <PORT>", "Take a port out of the team, close it, remove its device",
	                run_detach },
	{ "team add port <PORT>", "Make a port a member of the team", run_team_add },
	{ "team remove port <PORT>", "Take a member out of the team; its port is restored",
	                run_team_remove },
	{ "set portlist <PORT,...|none>", "Make these ports the members, and no others",
	                run_portlist },
	{ "set host <NAME|none>", "Use another host port, by name or id", run_host },
	{ NULL, NULL, NULL },
};
