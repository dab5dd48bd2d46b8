/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Commands of the offload engine: services, connections, routes. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_int.h"
#include "service.h"
#include "show.h"
#include "show_int.h"

static int
no_engine(struct cmd_ctx *x)
{
	snprintf(x->err.text, sizeof(x->err.text),
	                "the team has no address: there is no offload engine (--ip ADDR/LEN)");
	return -ENODEV;
}

static const char *
reason(int rc)
{
	switch (rc) {
	case -ENOENT:
		return "there is none";
	case -EADDRINUSE:
		return "it is served already; see 'show listen'";
	case -ENOSPC:
		return "there are too many already";
	default:
		return strerror(-rc);
	}
}

static int
failed(struct cmd_ctx *x, int rc, const char *what, const char *value)
{
	return rc == 0 ? 0 : cmd_fail(x, rc, "%s %s: %s", what, value, reason(rc));
}

/* ---- services ---------------------------------------------------------------- */

struct service_call {
	const char *name;
	uint16_t port;
};

static int
listen_call(struct control *c, void *arg)
{
	const struct service_call *call = arg;

	return service_listen(c->daemon->toe, call->name, call->port, c->daemon->opt.max_conns);
}

static int
unlisten_call(struct control *c, void *arg)
{
	static const uint8_t any[16];
	const struct service_call *call = arg;

	return tp_toe_unlisten(c->daemon->toe, any, call->port);
}

static bool
parse_port(struct cmd_ctx *x, const char *text, uint16_t *port)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text >= '0' && *text <= '9' && *end == '\0' && v > 0 && v <= UINT16_MAX) {
		*port = v;
		return true;
	}
	snprintf(x->err.text, sizeof(x->err.text), "port %s: not a number from 1 to 65535", text);
	return false;
}

static int
run_add_service(struct cmd_ctx *x)
{
	struct service_call call = { .name = x->argv[2] };

	if (x->d->toe == NULL)
		return no_engine(x);
	if (service_find(call.name) == NULL) {
		snprintf(x->err.text, sizeof(x->err.text), "no service '%s'; there are %s",
		                call.name, service_names());
		return -ENOENT;
	}
	if (!parse_port(x, x->argv[4], &call.port))
		return -EINVAL;
	return failed(x, control_call(&x->d->control, listen_call, &call), "port", x->argv[4]);
}

static int
run_del_service(struct cmd_ctx *x)
{
	struct service_call call = { 0 };

	if (x->d->toe == NULL)
		return no_engine(x);
	if (!parse_port(x, x->argv[2], &call.port))
		return -EINVAL;
	return failed(x, control_call(&x->d->control, unlisten_call, &call), "port", x->argv[2]);
}

/* ---- connections --------------------------------------------------------------- */

int
cmd_conn_id(struct cmd_ctx *x, const char *text, tp_toe_id *id)
{
	char *end;

	errno = 0;
	*id = strtoull(text, &end, 16);
	if (*text == '\0' || *end != '\0' || errno != 0 || *id == TP_TOE_ID_NONE)
		return cmd_fail(x, -EINVAL, "'%.40s' is no connection's id as 'show conn' gives it",
		                text);
	if (!tp_toe_names(x->d->toe, *id))
		return cmd_fail(x, -ENOENT, "there is no connection %.40s; see 'show conn'", text);
	return 0;
}

static void
abort_one(struct tp_toe_call *call, void *arg)
{
	(void)arg;
	tp_toe_abort(call);
}

/* Those in the shards and those that are parked. */
static int
clear_some(struct cmd_ctx *x, bool (*filter)(const struct tp_toe_conn_info *info, void *arg))
{
	struct tp_toe_conn_info *info;
	uint32_t max = x->d->opt.max_conns, nb, total;

	info = calloc(max, sizeof(*info));
	if (info == NULL)
		return -ENOMEM;
	nb = tp_toe_snapshot(x->d->toe, filter, NULL, info, max, &total);
	nb += tp_toe_parked(x->d->toe, filter, NULL, &info[nb], max - nb, &total);
	for (uint32_t i = 0; i < nb; i++) {
		while (tp_toe_post(x->d->toe, info[i].id, abort_one, NULL) == -ENOBUFS)
			continue; /* the workers give them back */
	}
	free(info);
	fprintf(x->out, "%u connections\n", nb);
	return 0;
}

static int
run_clear_conn(struct cmd_ctx *x)
{
	tp_toe_id id;
	int rc;

	if (x->d->toe == NULL)
		return no_engine(x);
	if (strcmp(x->argv[2], "all") == 0)
		return clear_some(x, NULL);
	rc = cmd_conn_id(x, x->argv[2], &id);
	if (rc != 0)
		return rc;
	return failed(x, tp_toe_post(x->d->toe, id, abort_one, NULL), "connection", x->argv[2]);
}

/* ---- routes ---------------------------------------------------------------------- */

struct route_call {
	uint8_t prefix[16], gateway[16];
	uint8_t len;
};

static int
route_add(struct control *c, void *arg)
{
	const struct route_call *r = arg;

	return tp_inet_route_add(c->daemon->inet, r->prefix, r->len, r->gateway);
}

static int
route_del(struct control *c, void *arg)
{
	const struct route_call *r = arg;

	return tp_inet_route_del(c->daemon->inet, r->prefix, r->len);
}

static bool
parse_prefix(struct cmd_ctx *x, const char *text, struct route_call *r)
{
	char buf[64], *slash, *end;
	unsigned long len;

	snprintf(buf, sizeof(buf), "%s", text);
	slash = strchr(buf, '/');
	if (slash != NULL) {
		*slash++ = '\0';
		len = strtoul(slash, &end, 10);
		if (*slash >= '0' && *slash <= '9' && *end == '\0' &&
		                show_parse_addr(buf, r->prefix) &&
		                len <= (tp_inet_is_v4(r->prefix) ? 32 : 128)) {
			r->len = len;
			return true;
		}
	}
	snprintf(x->err.text, sizeof(x->err.text),
	                "prefix %s: not like 10.0.0.0/8, 0.0.0.0/0 or 2001:db8::/32", text);
	return false;
}

static int
run_add_route(struct cmd_ctx *x)
{
	struct route_call r;
	int rc;

	if (x->d->inet == NULL)
		return no_engine(x);
	if (!parse_prefix(x, x->argv[2], &r))
		return -EINVAL;
	if (!show_parse_addr(x->argv[4], r.gateway)) {
		snprintf(x->err.text, sizeof(x->err.text), "gateway %s: not an address",
		                x->argv[4]);
		return -EINVAL;
	}
	rc = control_call(&x->d->control, route_add, &r);
	if (rc == -EINVAL)
		return cmd_fail(x, rc,
		                "route %s via %s: wanted are a prefix with no bit set behind its "
		                "length, and another host's address of the same family",
		                x->argv[2], x->argv[4]);
	return failed(x, rc, "route", x->argv[2]);
}

static int
run_del_route(struct cmd_ctx *x)
{
	struct route_call r;

	if (x->d->inet == NULL)
		return no_engine(x);
	if (!parse_prefix(x, x->argv[2], &r))
		return -EINVAL;
	return failed(x, control_call(&x->d->control, route_del, &r), "route", x->argv[2]);
}

/* ---- load clients ------------------------------------------------------------------ */

static bool
parse_count(struct cmd_ctx *x, const char *what, const char *text, int64_t max, uint32_t *out)
{
	int64_t v;

	if (cmd_number(x, what, text, 1, max, &v) != 0)
		return false;
	*out = v;
	return true;
}

static int
run_client(struct cmd_ctx *x)
{
	struct client_conf conf = { .kind = client_kind_parse(x->argv[2]) };
	int rc;

	if (x->d->toe == NULL)
		return no_engine(x);
	if (!show_parse_addr(x->argv[4], conf.addr)) {
		snprintf(x->err.text, sizeof(x->err.text), "address %s: not one", x->argv[4]);
		return -EINVAL;
	}
	if (!parse_port(x, x->argv[6], &conf.port) ||
	                !parse_count(x, "size", x->argv[8], 1 << 20, &conf.size) ||
	                !parse_count(x, "conns", x->argv[10], x->d->opt.max_conns,
	                                &conf.nb_conns) ||
	                !parse_count(x, "seconds", x->argv[12], 86400, &conf.seconds))
		return -EINVAL;
	rc = client_start(x->d->toe, &conf, x->d->opt.max_conns);
	if (rc == -EBUSY)
		return cmd_fail(x, rc, "a client is running; `del client` ends it");
	return failed(x, rc, "client", x->argv[2]);
}

static bool
of_client(const struct tp_toe_conn_info *info, void *arg)
{
	(void)arg;
	return strcmp(info->user, svc_client.name) == 0;
}

static int
run_stop_client(struct cmd_ctx *x)
{
	if (x->d->toe == NULL)
		return no_engine(x);
	client_stop();
	return clear_some(x, of_client);
}

const struct cmd cmd_toe[] = {
	{ "add client rr|crr|stream to <ADDRESS> port <N> size <BYTES> conns <N> seconds <S>",
	                "Load a server: messages to an echo service and back (rr), with a "
	                "connection "
	                "for each (crr), or to a discard service (stream)",
	                run_client },
	{ "del client", "End the load, and reset what is left of its connections",
	                run_stop_client },
	{ "add service <NAME> port <N>",
	                "Serve echo, discard, chargen or http on a TCP port of the team",
	                run_add_service },
	{ "del service <N>", "Serve no more on that TCP port; its connections stay",
	                run_del_service },
	{ "clear conn <ID|all>", "Reset a TCP connection of the team, or all", run_clear_conn },
	{ "add route <PREFIX> via <GATEWAY>",
	                "Reach a prefix by a gateway; 0.0.0.0/0 is IPv4's "
	                "default, ::/0 IPv6's",
	                run_add_route },
	{ "del route <PREFIX>", "Forget a route", run_del_route },
	{ NULL, NULL, NULL },
};
