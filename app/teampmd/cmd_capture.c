/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <string.h>

#include "capture.h"
#include "cmd_int.h"
#include "front.h"

static int
ports_in_use(struct control *c, void *arg)
{
	struct capture_conf *conf = arg;

	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		if (c->slot[i].used)
			conf->port[conf->nb_ports++] = c->slot[i].port.port_id;
	if (c->has_host)
		conf->port[conf->nb_ports++] = c->host_port.port_id;
	return 0;
}

static int
host_port(struct control *c, void *arg)
{
	struct capture_conf *conf = arg;

	if (c->has_host)
		conf->port[conf->nb_ports++] = c->host_port.port_id;
	return c->has_host ? 0 : -ENOENT;
}

static int
choose_ports(struct cmd_ctx *x, const char *which, struct capture_conf *conf)
{
	struct capture_conf all = { .nb_ports = 0 };
	uint16_t port_id;
	int rc;

	if (strcmp(which, "all") == 0)
		return control_call(&x->d->control, ports_in_use, conf);
	if (strcmp(which, "host") == 0) {
		rc = control_call(&x->d->control, host_port, conf);
		return rc == 0 ? 0 : cmd_fail(x, -EINVAL, "there is no host port");
	}
	rc = cmd_port_id(x, which, &port_id);
	if (rc != 0)
		return rc;
	control_call(&x->d->control, ports_in_use, &all);
	for (uint16_t i = 0; i < all.nb_ports; i++)
		if (all.port[i] == port_id)
			conf->port[conf->nb_ports++] = port_id;
	if (conf->nb_ports == 0)
		return cmd_fail(x, -EINVAL, "port %u is neither a member nor the host port",
		                port_id);
	return 0;
}

static int
run_start(struct cmd_ctx *x)
{
	struct capture_conf conf = { .file = x->argv[2], .snaplen = CAPTURE_SNAPLEN_MAX };
	const char *which = "all";
	int64_t snaplen;
	int rc;

	for (int i = 3; i + 1 < x->argc; i += 2) {
		if (strcmp(x->argv[i], "port") == 0) {
			which = x->argv[i + 1];
		} else if (strcmp(x->argv[i], "filter") == 0) {
			conf.filter = x->argv[i + 1];
		} else {
			rc = cmd_number(x, "snaplen", x->argv[i + 1], 14, CAPTURE_SNAPLEN_MAX,
			                &snaplen);
			if (rc != 0)
				return rc;
			conf.snaplen = snaplen;
		}
	}
	rc = choose_ports(x, which, &conf);
	if (rc == 0 && conf.nb_ports == 0)
		return cmd_fail(x, -ENOENT, "the team has no port to capture on");
	return rc != 0 ? rc : capture_start(x->d, &conf, &x->err);
}

static int
run_stop(struct cmd_ctx *x)
{
	return capture_stop(x->d, &x->err);
}

const struct cmd cmd_capture[] = {
	{ "capture start <FILE> [port <PORT|host|all>] [filter <EXPRESSION>] [snaplen <BYTES>]",
	                "Write packets of the ports in use now to a pcapng file, those that match "
	                "a "
	                "libpcap filter, like \"tcp port 80\"",
	                run_start },
	{ "capture stop", "End the capture and close its file", run_stop },
	{ NULL, NULL, NULL },
};
