/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The running configuration, as the commands that recreate it in a daemon started with the same
 * EAL arguments. */

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_int.h"
#include "front.h"
#include "show.h"
#include "show_int.h"

static void line(json_t *list, const char *fmt, ...) __rte_format_printf(2, 3);

static void
line(json_t *list, const char *fmt, ...)
{
	char text[FRONT_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(list, json_string(text));
}

static const char *
on_off(bool on)
{
	return on ? "on" : "off";
}

static void
mac_line(json_t *list, const char *words, const struct rte_ether_addr *mac)
{
	json_t *text = show_mac(mac);

	line(list, "%s %s", words, json_string_value(text));
	json_decref(text);
}

/* ---- ports --------------------------------------------------------------- */

static void
ports_lines(json_t *list, const struct snap *s)
{
	char ports[8 * TP_MAX_MEMBERS] = "";
	const char *devargs;
	size_t used = 0;

	for (unsigned int i = 0; (devargs = front_attached(i)) != NULL; i++)
		line(list, "port attach \"%s\" spare", devargs);
	line(list, "set host %s", s->has_host ? s->host_port.name : "none");
	for (uint16_t port = 0; port < RTE_MAX_ETHPORTS; port++)
		if (snap_member_of(s, port) != NULL)
			used += snprintf(ports + used, sizeof(ports) - used, "%s%u",
			                used > 0 ? "," : "", port);
	line(list, "set portlist %s", used > 0 ? ports : "none");
}

/* ---- the team ------------------------------------------------------------ */

static void
key_line(json_t *list, const uint8_t *key)
{
	char hex[2 * TP_FLOW_KEY_LEN + 1];

	for (int i = 0; i < TP_FLOW_KEY_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", key[i]);
	if (memcmp(key, tp_flow_key_default, TP_FLOW_KEY_LEN) == 0)
		snprintf(hex, sizeof(hex), "default");
	line(list, "set team hash-key %s", hex);
}

static void
primary_line(json_t *list, const struct snap *s)
{
	int port = snap_port_of(s, s->conf.primary);

	if (port < 0)
		line(list, "set team primary none");
	else
		line(list, "set team primary %d", port);
}

static void
conf_lines(json_t *list, const struct snap *s)
{
	const struct tp_team_conf *c = &s->conf;

	line(list, "set team mode %s", c->mode < TP_NB_MODES ? tp_modes[c->mode].name : "?");
	line(list, "set team hash-policy %s", tp_flow_policy_name(c->flow.policy));
	line(list, "set team hash-function %s", tp_flow_fn_name(c->flow.fn));
	key_line(list, c->flow.key);
	line(list, "set team symmetric %s", on_off(c->flow.symmetric));
	for (const struct knob *k = team_knobs; k->name != NULL; k++)
		line(list, "set team %s %" PRIu32, k->name, knob_get(k, c));
	line(list, "set team flap %u %u %u", c->flap_max, c->flap_window_ms, c->flap_hold_ms);
	primary_line(list, s);
	line(list, "set team primary_reselect %s", tp_reselect_name(c->primary_reselect));
	line(list, "set team fail_over_mac %s", tp_fail_over_mac_name(c->fail_over_mac));
	line(list, "set team all_members_active %s", on_off(c->all_members_active));
}

static void
filter_lines(json_t *list, const struct snap *s)
{
	if (!rte_is_zero_ether_addr(&s->mac))
		mac_line(list, "set team mac", &s->mac);
	if (s->mtu_set)
		line(list, "set team mtu %u", s->mtu);
	line(list, "set team promisc %s", on_off(s->promisc));
	for (uint32_t i = 0; i < s->nb_mcast; i++)
		mac_line(list, "set team mcast_addr add", &s->mcast[i]);
	for (unsigned int id = 0; id < 4096; id++)
		if ((s->vlan_filter[id / 64] & RTE_BIT64(id % 64)) != 0)
			line(list, "set team vlan add %u", id);
	line(list, "set team vlan filter %s", on_off(s->vlan_filter_on));
}

/* ---- members ------------------------------------------------------------- */

/** "10.0.0.1,10.0.0.2" or "none". */
static const char *
ip_list(int family, const void *ips, uint8_t nb, char *buf, size_t size)
{
	size_t each = family == AF_INET ? 4 : 16, used = 0;
	char ip[INET6_ADDRSTRLEN];

	for (uint8_t i = 0; i < nb; i++) {
		inet_ntop(family, (const uint8_t *)ips + i * each, ip, sizeof(ip));
		used += snprintf(buf + used, size - used, "%s%s", i > 0 ? "," : "", ip);
	}
	return nb > 0 ? buf : "none";
}

static const char *
mask_list(uint32_t mask, char *buf, size_t size)
{
	tp_link_mask_format(mask, buf, size);
	for (char *p = buf; *p != '\0'; p++)
		if (*p == ' ')
			*p = ',';
	return buf;
}

json_t *
show_watch(const struct tp_link_conf *w)
{
	json_t *watches = json_array(), *ip4 = json_array(), *ip6 = json_array();
	char buf[INET6_ADDRSTRLEN];

	for (unsigned int i = 0; i < TP_LINK_NB_WATCHES; i++)
		if ((w->watches & TP_LINK_W(i)) != 0)
			json_array_append_new(watches, json_string(tp_link_watch_name(i)));
	for (uint8_t i = 0; i < w->nb_ip4; i++)
		json_array_append_new(ip4,
		                json_string(ip_list(AF_INET, &w->ip4[i], 1, buf, sizeof(buf))));
	for (uint8_t i = 0; i < w->nb_ip6; i++)
		json_array_append_new(ip6,
		                json_string(ip_list(AF_INET6, w->ip6[i], 1, buf, sizeof(buf))));
	return json_pack("{s:o s:I s:I s:I s:I s:I s:b s:b s:i s:o s:o}", "watches", watches,
	                "poll_us", (json_int_t)w->poll_us, "interval_ms",
	                (json_int_t)w->interval_ms, "missed_max", (json_int_t)w->missed_max,
	                "tx_ms", (json_int_t)w->tx_ms, "heart_ms", (json_int_t)w->heart_ms,
	                "validate", w->validate, "all_targets", w->all_targets, "vlan", w->vlan_tci,
	                "arp_targets", ip4, "nd_targets", ip6);
}

/** Watches with their knobs; those at their default are left out. */
static void
watch_lines(json_t *list, uint16_t port, const struct tp_link_conf *w)
{
	char buf[TP_LINK_MAX_TARGETS * INET6_ADDRSTRLEN];
	struct tp_link_conf def;

	tp_link_conf_default(&def, port);
	for (const struct knob *k = watch_knobs; k->name != NULL; k++)
		if (knob_get(k, w) != knob_get(k, &def))
			line(list, "set watch %u %s %" PRIu32, port, k->name, knob_get(k, w));
	if (w->nb_ip4 > 0)
		line(list, "set watch %u arp_targets %s", port,
		                ip_list(AF_INET, w->ip4, w->nb_ip4, buf, sizeof(buf)));
	if (w->nb_ip6 > 0)
		line(list, "set watch %u nd_targets %s", port,
		                ip_list(AF_INET6, w->ip6, w->nb_ip6, buf, sizeof(buf)));
	if (w->src_ip4 != 0)
		line(list, "set watch %u arp_source %s", port,
		                ip_list(AF_INET, &w->src_ip4, 1, buf, sizeof(buf)));
	if (memcmp(w->src_ip6, def.src_ip6, sizeof(def.src_ip6)) != 0)
		line(list, "set watch %u nd_source %s", port,
		                ip_list(AF_INET6, w->src_ip6, 1, buf, sizeof(buf)));
	if (w->validate != def.validate)
		line(list, "set watch %u arp_validate %s", port, on_off(w->validate));
	if (w->all_targets != def.all_targets)
		line(list, "set watch %u arp_all_targets %s", port, on_off(w->all_targets));
	if (w->vlan_tci != 0)
		line(list, "set watch %u vlan %u", port, w->vlan_tci);
	line(list, "set watch %u %s", port, mask_list(w->watches, buf, sizeof(buf)));
}

static void
member_lines(json_t *list, const struct snap_member *m)
{
	uint16_t port = m->port.port_id;

	line(list, "set member %u prio %d", port, m->facts.conf.prio);
	line(list, "set member %u weight %u", port, m->facts.conf.weight);
	watch_lines(list, port, &m->watch);
	if (m->forced_down)
		line(list, "set link-down port %u", port);
	if (m->draining)
		line(list, "drain member %u", port);
}

/* ---- the offload engine ---------------------------------------------------- */

static const char *
text_of(const json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}

/* Knobs of migration that are not as they are at first. */
static void
move_lines(json_t *list, struct daemon *d)
{
	struct tp_toe_move_conf now;
	struct tp_toe_conf usual;

	tp_toe_conf_default(&usual);
	tp_toe_get_move(d->toe, &now);
	if (d->control.migrate.after != usual.move.after)
		line(list, "set migrate_after %u", d->control.migrate.after);
	if (now.after == 0)
		line(list, "set migrate off");
	if (now.hysteresis_ms != usual.move.hysteresis_ms)
		line(list, "set migrate_hysteresis %u", now.hysteresis_ms);
	if (now.idle_ns != usual.move.idle_ns)
		line(list, "set idle_timeout %" PRIu64, now.idle_ns / TP_NS_PER_S);
	if (d->control.migrate.rebalance)
		line(list, "set toe_rebalance on");
}

static void
engine_lines(json_t *list, struct daemon *d)
{
	struct error_text err;
	json_t *routes, *services, *row;
	size_t i;

	if (d->toe == NULL)
		return;
	routes = show_route(d, NULL, &err);
	json_array_foreach(routes, i, row)
	{
		if (strcmp(text_of(row, "from"), "command") == 0)
			line(list, "add route %s via %s", text_of(row, "prefix"),
			                text_of(row, "via"));
	}
	json_decref(routes);
	services = show_listen(d, NULL, &err);
	json_array_foreach(services, i, row)
	{
		line(list, "add service %s port %s", text_of(row, "user"),
		                strrchr(text_of(row, "local"), ':') + 1);
	}
	json_decref(services);
	move_lines(list, d);
}

json_t *
show_config(struct daemon *d, const char *arg, struct error_text *err)
{
	struct snap *s = snap_take(d);
	json_t *list = json_array();

	(void)arg;
	if (s == NULL)
		return show_no_memory(err);
	ports_lines(list, s);
	conf_lines(list, s);
	filter_lines(list, s);
	/* By port: slots depend on who came when. */
	for (uint16_t port = 0; port < RTE_MAX_ETHPORTS; port++)
		if (snap_member_of(s, port) != NULL)
			member_lines(list, snap_member_of(s, port));
	engine_lines(list, d);
	line(list, s->running ? "start" : "stop");
	free(s);
	return list;
}
