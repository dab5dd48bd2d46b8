/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Topics about the team: team, bucket, lcore, announce, events. */

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "show.h"
#include "show_int.h"

json_t *
show_mac(const struct rte_ether_addr *mac)
{
	char text[RTE_ETHER_ADDR_FMT_SIZE];

	rte_ether_format_addr(text, sizeof(text), mac);
	for (char *p = text; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'F')
			*p += 'a' - 'A';
	return json_string(text);
}

json_t *
show_no_memory(struct error_text *err)
{
	snprintf(err->text, sizeof(err->text), "no memory");
	return NULL;
}

static double
percent(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0.0 : 100.0 * part / whole;
}

/* ---- team ---------------------------------------------------------------- */

static uint64_t
ms_ago(uint64_t now, uint64_t then)
{
	return now > then ? (now - then) / TP_NS_PER_MS : 0;
}

static json_t *
member_json(const struct snap *s, uint8_t id)
{
	const struct snap_member *m = &s->member[id];
	const struct tp_team_member *f = &m->facts;
	uint64_t damped = f->damped_until > s->now ? f->damped_until - s->now : 0;

	return json_pack("{s:i s:s s:s s:b s:b s:b s:b s:b s:I s:I s:I s:I s:I s:I s:I}", /* */
	                "port", m->port.port_id, "name", m->port.name, "role",
	                id == s->primary ? "primary" : "secondary", "enabled", f->enabled, "link",
	                f->link, "collecting", f->collecting, "distributing", f->distributing,
	                "fenced", f->fenced, "speed_mbps", (json_int_t)f->speed_mbps, "prio",
	                (json_int_t)f->conf.prio, "weight", (json_int_t)f->conf.weight, "buckets",
	                (json_int_t)m->nb_buckets, "failures", (json_int_t)f->failures,
	                "changed_ms_ago", (json_int_t)ms_ago(s->now, f->changed_at), "damped_ms",
	                (json_int_t)(damped / TP_NS_PER_MS));
}

static json_t *
host_json(const struct snap *s)
{
	return json_pack("{s:i s:s s:s s:i s:I s:I s:I}", /* */
	                "port", s->has_host ? s->host_port.port_id : -1, "name",
	                s->has_host ? s->host_port.name : "", "driver",
	                s->has_host ? s->host_port.driver : "", "holder",
	                snap_port_of(s, s->host.holder), "guard_epoch",
	                (json_int_t)s->host.guard_epoch, "stash", (json_int_t)s->host.nb_stash,
	                "lazy_buckets", (json_int_t)s->host.nb_lazy);
}

static json_t *
team_json(const struct snap *s)
{
	const struct tp_team_conf *c = &s->conf;
	json_t *members = json_array();
	uint64_t held = s->primary == TP_MEMBER_NONE ? 0 : ms_ago(s->now, s->primary_since);

	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		if (s->member[i].used)
			json_array_append_new(members, member_json(s, i));
	return json_pack(
	                "{s:b s:s s:s s:s s:s s:b s:I s:b s:o s:i s:b s:i s:I s:I s:I s:I s:o s:o}",
	                "running", s->running, "mode",
	                c->mode < TP_NB_MODES ? tp_modes[c->mode].name : "?", "hash_policy",
	                tp_flow_policy_name(c->flow.policy), "hash_function",
	                tp_flow_fn_name(c->flow.fn), "hash_units",
	                s->flow_conf.isa < TP_FLOW_NB_ISAS ? tp_flow_isa_name(s->flow_conf.isa)
	                                                   : "best",
	                "symmetric", c->flow.symmetric, "buckets", (json_int_t)c->nb_buckets,
	                "carrier", s->carrier, "mac", show_mac(&s->mac), "mtu", s->mtu, "promisc",
	                s->promisc, "primary", snap_port_of(s, s->primary), "primary_ms",
	                (json_int_t)held, "primary_changes", (json_int_t)s->primary_changes,
	                "published", (json_int_t)s->host.published, "applied",
	                (json_int_t)s->host.version, "host", host_json(s), "members", members);
}

json_t *
show_team(struct daemon *d, const char *arg, struct error_text *err)
{
	struct snap *s = snap_take(d);
	json_t *json;

	(void)arg;
	if (s == NULL)
		return show_no_memory(err);
	json = team_json(s);
	free(s);
	return json != NULL ? json : show_no_memory(err);
}

/* ---- buckets ------------------------------------------------------------- */

/** What the buckets of each member carried, by the map in force. */
struct bucket_sums {
	uint32_t nb[TP_MAX_MEMBERS + 1];
	uint64_t bytes[TP_MAX_MEMBERS + 1];
	uint64_t all_bytes;
};

static uint32_t
sum_buckets(const struct tp_host *host, struct bucket_sums *sum)
{
	uint32_t nb = 0;
	const uint8_t *map = tp_host_map(host, &nb);
	const uint64_t *bytes = tp_host_bucket_bytes(host);

	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; map != NULL && bytes != NULL && i < nb; i++) {
		uint8_t m = RTE_MIN(map[i], TP_MAX_MEMBERS);

		sum->nb[m]++;
		sum->bytes[m] += bytes[i];
		sum->all_bytes += bytes[i];
	}
	return nb;
}

json_t *
show_bucket(struct daemon *d, const char *arg, struct error_text *err)
{
	struct snap *s = snap_take(d);
	json_t *members = json_array(), *json;
	struct bucket_sums sum;
	bool settled;
	uint32_t nb;

	(void)arg;
	if (s == NULL)
		return show_no_memory(err);
	nb = sum_buckets(d->host, &sum);
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		if (!s->member[i].used)
			continue;
		json_array_append_new(
		                members, json_pack("{s:i s:I s:I s:I s:f}", "port",
		                                         s->member[i].port.port_id, "buckets",
		                                         (json_int_t)s->member[i].nb_buckets,
		                                         "in_force", (json_int_t)sum.nb[i], "bytes",
		                                         (json_int_t)sum.bytes[i], "share_percent",
		                                         percent(sum.bytes[i], sum.all_bytes)));
	}
	settled = !s->unpublished && s->host.version == s->host.published && s->host.nb_lazy == 0;
	json = json_pack("{s:I s:I s:I s:I s:I s:I s:b s:o}", "buckets", (json_int_t)nb,
	                "unassigned", (json_int_t)sum.nb[TP_MAX_MEMBERS], "lazy",
	                (json_int_t)s->host.nb_lazy, "stash", (json_int_t)s->host.nb_stash,
	                "published", (json_int_t)s->host.published, "applied",
	                (json_int_t)s->host.version, "settled", settled, "members", members);
	free(s);
	return json;
}

json_t *
show_bucket_map(struct daemon *d, const char *arg, struct error_text *err)
{
	struct snap *s = snap_take(d);
	json_t *json = json_array();
	uint32_t nb = 0;
	const uint8_t *map = tp_host_map(d->host, &nb);
	const uint64_t *bytes = tp_host_bucket_bytes(d->host);

	(void)arg;
	if (s == NULL)
		return show_no_memory(err);
	for (uint32_t i = 0; map != NULL && i < nb; i++)
		json_array_append_new(
		                json, json_pack("{s:I s:i s:I}", "bucket", (json_int_t)i, "port",
		                                      snap_port_of(s, map[i]), "bytes",
		                                      (json_int_t)(bytes != NULL ? bytes[i] : 0)));
	free(s);
	return json;
}

/* ---- lcores -------------------------------------------------------------- */

static int
cpu_of(unsigned int lcore_id)
{
	rte_cpuset_t set = rte_lcore_cpuset(lcore_id);

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			return cpu;
	return -1;
}

static json_t *
lcore_json(unsigned int lcore_id, const char *role, int port, uint8_t idle, const char *state,
                const struct tp_load *load)
{
	return json_pack("{s:I s:i s:s s:i s:s s:s s:f s:I s:I s:I}", /* */
	                "lcore", (json_int_t)lcore_id, "cpu", cpu_of(lcore_id), "role", role,
	                "port", port, "state", state, "idle",
	                idle < NB_IDLE_POLICIES ? idle_names[idle] : "?", "busy_percent",
	                percent(load->busy_cycles, load->total_cycles), "loops",
	                (json_int_t)load->loops, "sleeps", (json_int_t)load->sleeps,
	                "longest_turn_us",
	                (json_int_t)(1e6 * load->longest_cycles / rte_get_tsc_hz()));
}

static const char *
lcore_state(const struct snap_member *m)
{
	if (m->frozen)
		return "frozen";
	if (m->facts.fenced)
		return "fenced";
	return m->active ? "running" : "stopped";
}

json_t *
show_lcore(struct daemon *d, const char *arg, struct error_text *err)
{
	struct snap *s = snap_take(d);
	json_t *json = json_array();

	(void)arg;
	if (s == NULL)
		return show_no_memory(err);
	json_array_append_new(json, lcore_json(rte_get_main_lcore(), "control", -1, s->idle,
	                                            "running", &s->load));
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		const struct snap_member *m = &s->member[i];

		if (m->used)
			json_array_append_new(json,
			                lcore_json(m->lcore_id,
			                                i == s->primary ? "primary" : "secondary",
			                                m->port.port_id, m->idle, lcore_state(m),
			                                &m->load));
	}
	free(s);
	return json;
}

/* ---- announcements and events -------------------------------------------- */

struct announce_copy {
	struct tp_team_conf conf;
	uint8_t announce_left, igmp_left;
	uint32_t nb;
	struct tp_announce_entry entry[2 * TP_ANNOUNCE_MAX];
};

static int
copy_announce(struct control *c, void *arg)
{
	struct announce_copy *a = arg;

	a->conf = c->team.conf;
	a->announce_left = c->team.announce_left;
	a->igmp_left = c->team.igmp_left;
	if (c->announce != NULL)
		a->nb = tp_announce_dump(c->announce, tp_clock_now(), a->entry, RTE_DIM(a->entry));
	return 0;
}

static json_t *
entry_json(const struct tp_announce_entry *e)
{
	char addr[INET6_ADDRSTRLEN];

	inet_ntop(e->family == 4 ? AF_INET : AF_INET6, e->addr, addr, sizeof(addr));
	return json_pack("{s:s s:s s:i s:o s:b s:I}", "address", addr, "kind",
	                e->group ? "group" : "address", "vlan", e->vid, "mac", show_mac(&e->mac),
	                "own", e->own, "age_ms", (json_int_t)(e->age / TP_NS_PER_MS));
}

json_t *
show_announce(struct daemon *d, const char *arg, struct error_text *err)
{
	struct announce_copy a = { .nb = 0 };
	json_t *entries = json_array();

	(void)arg;
	(void)err;
	control_call(&d->control, copy_announce, &a);
	for (uint32_t i = 0; i < a.nb; i++)
		json_array_append_new(entries, entry_json(&a.entry[i]));
	return json_pack("{s:i s:I s:i s:i s:i s:o}", "num_peer_notif", a.conf.num_peer_notif,
	                "peer_notif_delay_ms", (json_int_t)a.conf.peer_notif_delay_ms,
	                "resend_igmp", a.conf.resend_igmp, "announcements_left", a.announce_left,
	                "reports_left", a.igmp_left, "entries", entries);
}

struct events_copy {
	struct event event[NB_EVENTS];
	uint64_t nb;
};

static int
copy_events(struct control *c, void *arg)
{
	struct events_copy *e = arg;

	memcpy(e->event, c->events, sizeof(e->event));
	e->nb = c->nb_events;
	return 0;
}

json_t *
show_events(struct daemon *d, const char *arg, struct error_text *err)
{
	struct events_copy *e = calloc(1, sizeof(*e));
	json_t *json = json_array();

	(void)arg;
	if (e == NULL)
		return show_no_memory(err);
	control_call(&d->control, copy_events, e);
	for (uint64_t i = e->nb > NB_EVENTS ? e->nb - NB_EVENTS : 0; i < e->nb; i++) {
		const struct event *ev = &e->event[i % NB_EVENTS];

		json_array_append_new(
		                json, json_pack("{s:I s:I s:s}", "number", (json_int_t)i, "at_us",
		                                      (json_int_t)(ev->at_ns / TP_NS_PER_US),
		                                      "text", ev->text));
	}
	free(e);
	return json;
}
