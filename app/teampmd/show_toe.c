/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The offload engine: connections, listeners, counters; neighbours, routes and addresses. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "service.h"
#include "show.h"
#include "show_int.h"

/* Connections listed at most; `show conn summary` counts all. */
#define MAX_CONNS 4096
#define ADDR_LEN (INET6_ADDRSTRLEN + 8)

static json_t *
no_engine(struct error_text *err)
{
	snprintf(err->text, sizeof(err->text),
	                "the team has no address: there is no offload engine (--ip ADDR/LEN)");
	return NULL;
}

static const char *
addr_text(const uint8_t addr[16], char *buf, size_t len)
{
	if (tp_inet_is_v4(addr))
		return inet_ntop(AF_INET, addr + 12, buf, len);
	return inet_ntop(AF_INET6, addr, buf, len);
}

static void
end_text(const uint8_t addr[16], uint16_t port, char *buf, size_t len)
{
	char text[INET6_ADDRSTRLEN];

	addr_text(addr, text, sizeof(text));
	snprintf(buf, len, tp_inet_is_v4(addr) ? "%s:%u" : "[%s]:%u", text, port);
}

/* ---- filters ---------------------------------------------------------------- */

/* `key=value[,key=value...]`: all of them. */
struct filter {
	int state;  /* -1: any */
	int member; /* member index; -1: any */
	int port;   /* either end's; -1: any */
	bool has_addr;
	uint8_t addr[16]; /* either end's */
	char user[16];    /* empty: any */
};

static bool
passes(const struct tp_toe_conn_info *info, void *arg)
{
	const struct filter *f = arg;

	if (f->state >= 0 && info->tcp.state != f->state)
		return false;
	if (f->member >= 0 && info->member != f->member)
		return false;
	if (f->port >= 0 && ntohs(info->key.lport) != f->port && ntohs(info->key.rport) != f->port)
		return false;
	if (f->has_addr && memcmp(f->addr, info->key.laddr, 16) != 0 &&
	                memcmp(f->addr, info->key.raddr, 16) != 0)
		return false;
	return f->user[0] == '\0' || strcmp(f->user, info->user) == 0;
}

static int
parse_state(const char *text)
{
	for (int i = 0; i < TP_TCP_NB_STATES; i++) {
		if (strcasecmp(text, tp_tcp_state_name(i)) == 0)
			return i;
	}
	return -1;
}

bool
show_parse_addr(const char *text, uint8_t addr[16])
{
	struct in_addr v4;

	if (inet_pton(AF_INET6, text, addr) == 1)
		return true;
	if (inet_pton(AF_INET, text, &v4) != 1)
		return false;
	tp_inet_map_v4(addr, v4.s_addr);
	return true;
}

static bool
parse_number(const char *text, int max, int *out)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || v > max)
		return false;
	*out = v;
	return true;
}

static bool
parse_term(struct daemon *d, char *term, struct filter *f)
{
	char *value = strchr(term, '=');
	int port;

	if (value == NULL)
		return false;
	*value++ = '\0';
	if (strcmp(term, "state") == 0)
		return (f->state = parse_state(value)) >= 0;
	if (strcmp(term, "port") == 0)
		return parse_number(value, UINT16_MAX, &f->port);
	if (strcmp(term, "addr") == 0)
		return f->has_addr = show_parse_addr(value, f->addr);
	if (strcmp(term, "user") == 0 && strlen(value) < sizeof(f->user)) {
		strcpy(f->user, value);
		return true;
	}
	if (strcmp(term, "member") != 0 || !parse_number(value, RTE_MAX_ETHPORTS - 1, &port))
		return false;
	f->member = d->control.slot_of_port[port];
	return true;
}

static bool
parse_filter(struct daemon *d, const char *arg, struct filter *f, struct error_text *err)
{
	char buf[APP_TEXT_LEN], *save = NULL;

	*f = (struct filter){ .state = -1, .member = -1, .port = -1 };
	if (arg == NULL)
		return true;
	snprintf(buf, sizeof(buf), "%s", arg);
	for (char *s = strtok_r(buf, ",", &save); s != NULL; s = strtok_r(NULL, ",", &save)) {
		if (parse_term(d, s, f))
			continue;
		snprintf(err->text, sizeof(err->text),
		                "filter '%s': not of state=STATE, member=PORT, port=N, "
		                "addr=ADDRESS, user=NAME, joined by commas",
		                arg);
		return false;
	}
	return true;
}

/* ---- connections -------------------------------------------------------------- */

static json_t *
conn_json(struct daemon *d, const struct tp_toe_conn_info *info)
{
	char local[ADDR_LEN], remote[ADDR_LEN], id[24];
	const struct tp_tcp_info *tcp = &info->tcp;

	end_text(info->key.laddr, ntohs(info->key.lport), local, sizeof(local));
	end_text(info->key.raddr, ntohs(info->key.rport), remote, sizeof(remote));
	snprintf(id, sizeof(id), "%" PRIx64, info->id);
	return json_pack("{s:s s:s s:s s:s s:s s:i s:i s:I s:I s:I s:I s:I s:I s:I s:I}", "id", id,
	                "state", tp_tcp_state_name(tcp->state), "local", local, "remote", remote,
	                "user", info->user, "owner", d->control.slot[info->member].port.port_id,
	                "last_arrival", d->control.slot[info->arrival].port.port_id, "rtt_us",
	                (json_int_t)tcp->rtt_us, "cwnd", (json_int_t)tcp->cwnd, "mss",
	                (json_int_t)tcp->snd_mss, "unacked", (json_int_t)tcp->unacked, "retrans",
	                (json_int_t)tcp->total_retrans, "idle_ms", (json_int_t)tcp->idle_ms,
	                "bytes_in", (json_int_t)tcp->bytes_in, "bytes_out",
	                (json_int_t)tcp->bytes_out);
}

typedef uint32_t (*conns_fn)(struct tp_toe *toe,
                bool (*filter)(const struct tp_toe_conn_info *info, void *arg), void *arg,
                struct tp_toe_conn_info *info, uint32_t max, uint32_t *total);

static json_t *
list_conns(struct daemon *d, const char *arg, conns_fn conns, struct error_text *err)
{
	struct tp_toe_conn_info *info;
	json_t *list;
	/* A shard that is late may still look at it; show_lock() makes this the only one to write it. */
	static struct filter filter;
	uint32_t nb, total;

	if (d->toe == NULL)
		return no_engine(err);
	if (!parse_filter(d, arg, &filter, err))
		return NULL;
	info = calloc(MAX_CONNS, sizeof(*info));
	if (info == NULL)
		return show_no_memory(err);
	list = json_array();
	nb = conns(d->toe, passes, &filter, info, MAX_CONNS, &total);
	for (uint32_t i = 0; i < nb; i++)
		json_array_append_new(list, conn_json(d, &info[i]));
	free(info);
	return json_pack("{s:I s:I s:o}", "connections", (json_int_t)total, "listed",
	                (json_int_t)nb, "list", list);
}

json_t *
show_conn(struct daemon *d, const char *arg, struct error_text *err)
{
	return list_conns(d, arg, tp_toe_snapshot, err);
}

json_t *
show_conn_parked(struct daemon *d, const char *arg, struct error_text *err)
{
	return list_conns(d, arg, tp_toe_parked, err);
}

static bool
count_state(const struct tp_toe_conn_info *info, void *arg)
{
	_Atomic uint32_t *count = arg;

	atomic_fetch_add_explicit(&count[info->tcp.state], 1, memory_order_relaxed);
	return false;
}

json_t *
show_conn_summary(struct daemon *d, const char *arg, struct error_text *err)
{
	static _Atomic uint32_t count[TP_TCP_NB_STATES];
	json_t *states, *members;
	struct tp_toe_conn_info none;
	uint32_t total;

	(void)arg;
	if (d->toe == NULL)
		return no_engine(err);
	states = json_object();
	members = json_array();
	/* show_lock() makes this the only one to count. */
	for (unsigned int i = 0; i < TP_TCP_NB_STATES; i++)
		atomic_store(&count[i], 0);
	tp_toe_snapshot(d->toe, count_state, count, &none, 0, &total);
	for (unsigned int i = 0; i < TP_TCP_NB_STATES; i++) {
		if (count[i] > 0)
			json_object_set_new(states, tp_tcp_state_name(i), json_integer(count[i]));
	}
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		if (d->control.slot[i].used)
			json_array_append_new(members,
			                json_pack("{s:i s:I}", "port",
			                                d->control.slot[i].port.port_id,
			                                "connections",
			                                (json_int_t)tp_toe_nb_conns(d->toe, i)));
	}
	return json_pack("{s:o s:I s:o}", "states", states, "parked",
	                (json_int_t)tp_toe_nb_parked(d->toe), "members", members);
}

json_t *
show_listen(struct daemon *d, const char *arg, struct error_text *err)
{
	static const uint8_t any[16];
	struct tp_toe_listener_info info[64];
	json_t *list;
	char addr[ADDR_LEN];
	uint32_t nb;

	(void)arg;
	if (d->toe == NULL)
		return no_engine(err);
	list = json_array();
	nb = RTE_MIN(tp_toe_listeners(d->toe, info, RTE_DIM(info)), RTE_DIM(info));
	for (uint32_t i = 0; i < nb; i++) {
		end_text(info[i].addr, info[i].port, addr, sizeof(addr));
		if (memcmp(info[i].addr, any, sizeof(any)) == 0)
			snprintf(addr, sizeof(addr), "*:%u", info[i].port);
		json_array_append_new(list, json_pack("{s:s s:s s:I s:I s:I}", "local", addr,
		                                            "user", info[i].user, "pending",
		                                            (json_int_t)info[i].pending, "backlog",
		                                            (json_int_t)info[i].backlog, "accepted",
		                                            (json_int_t)info[i].accepted));
	}
	return list;
}

json_t *
show_tcp(struct daemon *d, const char *arg, struct error_text *err)
{
	uint64_t counters[TP_TOE_NB_COUNTERS], mib[TP_TCP_NB_MIB];
	json_t *out;

	(void)arg;
	if (d->toe == NULL)
		return no_engine(err);
	out = json_object();
	tp_toe_counters(d->toe, counters, mib);
	for (unsigned int i = 0; i < TP_TOE_NB_COUNTERS; i++)
		json_object_set_new(out, tp_toe_counter_name(i), json_integer(counters[i]));
	for (unsigned int i = 0; i < TP_TCP_NB_MIB; i++)
		json_object_set_new(out, tp_tcp_mib_name(i), json_integer(mib[i]));
	return out;
}

/* ---- the IP host: copied on control's lcore -------------------------------------- */

struct inet_copy {
	struct tp_inet_neigh_info *neigh;
	struct tp_inet_route_info route[TP_INET_MAX_ROUTES];
	struct tp_inet_addr_info addr[TP_INET_MAX_ADDRS];
	uint64_t mib[TP_INET_NB_MIB];
	uint32_t nb_neighs, nb_routes, nb_addrs;
};
#define MAX_NEIGHS 32768

static int
copy_inet(struct control *c, void *arg)
{
	struct tp_inet *inet = c->daemon->inet;
	struct inet_copy *copy = arg;

	copy->nb_neighs = tp_inet_neighs(inet, tp_clock_now(), copy->neigh, MAX_NEIGHS);
	copy->nb_routes = tp_inet_routes(inet, copy->route, TP_INET_MAX_ROUTES);
	copy->nb_addrs = tp_inet_addrs(inet, copy->addr, TP_INET_MAX_ADDRS);
	memcpy(copy->mib, tp_inet_mib(inet), sizeof(copy->mib));
	return 0;
}

static struct inet_copy *
inet_take(struct daemon *d, struct error_text *err)
{
	struct inet_copy *copy;

	if (d->inet == NULL) {
		no_engine(err);
		return NULL;
	}
	copy = calloc(1, sizeof(*copy));
	if (copy != NULL)
		copy->neigh = calloc(MAX_NEIGHS, sizeof(copy->neigh[0]));
	if (copy == NULL || copy->neigh == NULL) {
		free(copy);
		show_no_memory(err);
		return NULL;
	}
	control_call(&d->control, copy_inet, copy);
	return copy;
}

static void
inet_drop(struct inet_copy *copy)
{
	free(copy->neigh);
	free(copy);
}

json_t *
show_neigh(struct daemon *d, const char *arg, struct error_text *err)
{
	struct inet_copy *copy = inet_take(d, err);
	json_t *list;
	char addr[INET6_ADDRSTRLEN];

	(void)arg;
	if (copy == NULL)
		return NULL;
	list = json_array();
	for (uint32_t i = 0; i < copy->nb_neighs; i++) {
		const struct tp_inet_neigh_info *n = &copy->neigh[i];

		json_array_append_new(
		                list, json_pack("{s:s s:o s:s s:b s:i}", "address",
		                                      addr_text(n->addr, addr, sizeof(addr)), "mac",
		                                      show_mac(&n->mac), "state",
		                                      tp_inet_neigh_state_name(n->state), "router",
		                                      n->router, "waiting", n->nb_pending));
	}
	inet_drop(copy);
	return list;
}

json_t *
show_route(struct daemon *d, const char *arg, struct error_text *err)
{
	static const uint8_t none[16];
	struct inet_copy *copy = inet_take(d, err);
	json_t *list;
	char prefix[INET6_ADDRSTRLEN], gateway[INET6_ADDRSTRLEN], text[ADDR_LEN];

	(void)arg;
	if (copy == NULL)
		return NULL;
	list = json_array();
	for (uint32_t i = 0; i < copy->nb_routes; i++) {
		const struct tp_inet_route_info *r = &copy->route[i];

		snprintf(text, sizeof(text), "%s/%u", addr_text(r->prefix, prefix, sizeof(prefix)),
		                r->prefix_len);
		json_array_append_new(list,
		                json_pack("{s:s s:s s:s}", "prefix", text, "via",
		                                memcmp(r->gateway, none, sizeof(none)) == 0
		                                                ? "on the link"
		                                                : addr_text(r->gateway, gateway,
		                                                                  sizeof(gateway)),
		                                "from",
		                                r->connected    ? "address"
		                                : r->advertised ? "router"
		                                                : "command"));
	}
	inet_drop(copy);
	return list;
}

json_t *
show_addr(struct daemon *d, const char *arg, struct error_text *err)
{
	struct inet_copy *copy = inet_take(d, err);
	json_t *list, *mib;
	char addr[INET6_ADDRSTRLEN], text[ADDR_LEN];
	uint64_t members[TP_INET_NB_MIB];

	(void)arg;
	if (copy == NULL)
		return NULL;
	list = json_array();
	mib = json_object();
	for (uint32_t i = 0; i < copy->nb_addrs; i++) {
		const struct tp_inet_addr_info *a = &copy->addr[i];

		snprintf(text, sizeof(text), "%s/%u", addr_text(a->addr, addr, sizeof(addr)),
		                a->prefix_len);
		json_array_append_new(
		                list, json_pack("{s:s s:s s:I}", "address", text, "state",
		                                      tp_inet_addr_state_name(a->state),
		                                      "conflicts", (json_int_t)a->nb_conflicts));
	}
	tp_toe_inet_mib(d->toe, members);
	for (unsigned int i = 0; i < TP_INET_NB_MIB; i++)
		json_object_set_new(
		                mib, tp_inet_mib_name(i), json_integer(copy->mib[i] + members[i]));
	inet_drop(copy);
	return json_pack("{s:o s:o}", "addresses", list, "counters", mib);
}

json_t *
show_client(struct daemon *d, const char *arg, struct error_text *err)
{
	struct client_result r;
	char to[ADDR_LEN];
	double s;

	(void)d;
	(void)arg;
	(void)err;
	client_result(tp_clock_now(), &r);
	s = r.elapsed_ns / 1e9;
	end_text(r.conf.addr, r.conf.port, to, sizeof(to));
	return json_pack("{s:s s:s s:I s:I s:I s:I s:I s:I s:I s:f s:f s:f s:f s:f}", "client",
	                r.kind, "to", r.conf.port != 0 ? to : "", "size", (json_int_t)r.conf.size,
	                "open", (json_int_t)r.nb_open, "transactions", (json_int_t)r.transactions,
	                "bytes_out", (json_int_t)r.bytes_out, "bytes_in", (json_int_t)r.bytes_in,
	                "failed", (json_int_t)r.failed, "wrong", (json_int_t)r.wrong, "seconds", s,
	                "transactions_per_s", s > 0 ? r.transactions / s : 0.0, "mbps_out",
	                s > 0 ? r.bytes_out * 8 / s / 1e6 : 0.0, "latency_mean_us",
	                r.latency_mean_ns / 1e3, "latency_max_us", r.latency_max_ns / 1e3);
}
