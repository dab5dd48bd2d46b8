/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Topics about ports: port, list, stats, xstats. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"
#include "show_int.h"

/* Counters when they were cleared; under show_lock(). */
static struct {
	uint16_t port_id;
	bool used;
	struct tp_counters ctr;
} baseline[TP_MAX_MEMBERS];
static struct tp_counters control_baseline;
static uint64_t host_baseline[TP_NB_COUNTERS];

typedef json_t *port_fn(struct daemon *d, const struct snap *s, uint16_t port_id);

/** One port's object, or an array of all ports' for "all" or NULL. */
static json_t *
for_ports(struct daemon *d, const char *arg, port_fn *fn, struct error_text *err)
{
	struct snap *s;
	json_t *json = NULL;
	char *end = NULL;
	unsigned long id;
	uint16_t port_id;

	s = snap_take(d);
	if (s == NULL)
		return show_no_memory(err);
	if (arg == NULL || strcmp(arg, "all") == 0) {
		json = json_array();
		RTE_ETH_FOREACH_DEV(port_id)
			json_array_append_new(json, fn(d, s, port_id));
	} else {
		id = strtoul(arg, &end, 10);
		if (arg[0] >= '0' && arg[0] <= '9' && *end == '\0' && id < RTE_MAX_ETHPORTS &&
		                rte_eth_dev_is_valid_port(id))
			json = fn(d, s, id);
		else
			snprintf(err->text, sizeof(err->text),
			                "'%.40s' is no port; see 'show port summary'", arg);
	}
	free(s);
	return json;
}

static const char *
role_of(const struct snap *s, uint16_t port_id)
{
	const struct snap_member *m = snap_member_of(s, port_id);

	if (m != NULL)
		return m - s->member == s->primary ? "primary" : "secondary";
	return s->has_host && s->host_port.port_id == port_id ? "host" : "spare";
}

/** What the daemon knows about a port that it uses. */
static const struct port *
port_of(const struct snap *s, uint16_t port_id)
{
	const struct snap_member *m = snap_member_of(s, port_id);

	if (m != NULL)
		return &m->port;
	return s->has_host && s->host_port.port_id == port_id ? &s->host_port : NULL;
}

/* ---- port ---------------------------------------------------------------- */

static void
add_ethdev(json_t *json, uint16_t port_id)
{
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac = { { 0 } };
	struct rte_eth_link link = { 0 };
	char name[RTE_ETH_NAME_MAX_LEN] = "";
	uint16_t mtu = 0;

	rte_eth_dev_get_name_by_port(port_id, name);
	rte_eth_macaddr_get(port_id, &mac);
	rte_eth_link_get_nowait(port_id, &link);
	rte_eth_dev_get_mtu(port_id, &mtu);
	json_object_set_new(json, "port", json_integer(port_id));
	json_object_set_new(json, "name", json_string(name));
	if (rte_eth_dev_info_get(port_id, &info) == 0)
		json_object_set_new(json, "driver", json_string(info.driver_name));
	json_object_set_new(json, "mac", show_mac(&mac));
	json_object_set_new(json, "socket", json_integer(rte_eth_dev_socket_id(port_id)));
	json_object_set_new(json, "mtu", json_integer(mtu));
	json_object_set_new(json, "port_link", json_boolean(link.link_status));
	json_object_set_new(json, "speed_mbps",
	                json_integer(link.link_speed == UINT32_MAX ? 0 : link.link_speed));
	json_object_set_new(json, "full_duplex", json_boolean(link.link_duplex));
	json_object_set_new(json, "promisc", json_boolean(rte_eth_promiscuous_get(port_id) == 1));
	json_object_set_new(json, "allmulti", json_boolean(rte_eth_allmulticast_get(port_id) == 1));
}

static json_t *
port_json(struct daemon *d, const struct snap *s, uint16_t port_id)
{
	const struct snap_member *m = snap_member_of(s, port_id);
	const struct port *p = port_of(s, port_id);
	json_t *json = json_object();

	(void)d;
	add_ethdev(json, port_id);
	json_object_set_new(json, "role", json_string(role_of(s, port_id)));
	if (p != NULL) {
		json_object_set_new(json, "original_mac", show_mac(&p->orig_mac));
		json_object_set_new(json, "rx_descriptors", json_integer(p->nb_rxd));
		json_object_set_new(json, "tx_descriptors", json_integer(p->nb_txd));
		json_object_set_new(json, "if_index", json_integer(p->if_index));
		json_object_set_new(json, "started", json_boolean(p->started));
	}
	if (m != NULL) {
		json_object_set_new(json, "lcore", json_integer(m->lcore_id));
		json_object_set_new(json, "enabled", json_boolean(m->facts.enabled));
		json_object_set_new(json, "link", json_boolean(m->facts.link));
		json_object_set_new(json, "collecting", json_boolean(m->facts.collecting));
		json_object_set_new(json, "distributing", json_boolean(m->facts.distributing));
		json_object_set_new(json, "fenced", json_boolean(m->facts.fenced));
		json_object_set_new(json, "forced_down", json_boolean(m->forced_down));
		json_object_set_new(json, "prio", json_integer(m->facts.conf.prio));
		json_object_set_new(json, "weight", json_integer(m->facts.conf.weight));
		json_object_set_new(json, "buckets", json_integer(m->nb_buckets));
		json_object_set_new(json, "failures", json_integer(m->facts.failures));
		json_object_set_new(json, "watch", show_watch(&m->watch));
	}
	return json;
}

json_t *
show_port(struct daemon *d, const char *arg, struct error_text *err)
{
	return for_ports(d, arg, port_json, err);
}

static json_t *
summary_json(struct daemon *d, const struct snap *s, uint16_t port_id)
{
	json_t *json = json_object(), *all = port_json(d, s, port_id);
	static const char *const keys[] = { "port", "name", "driver", "mac", "role", "port_link",
		"speed_mbps", "mtu", "socket" };

	for (unsigned int i = 0; i < RTE_DIM(keys); i++)
		json_object_set(json, keys[i], json_object_get(all, keys[i]));
	json_decref(all);
	return json;
}

json_t *
show_summary(struct daemon *d, const char *arg, struct error_text *err)
{
	(void)arg;
	return for_ports(d, NULL, summary_json, err);
}

/* ---- stats --------------------------------------------------------------- */

static uint64_t
since(uint64_t now, uint64_t base)
{
	return now >= base ? now - base : now;
}

void
stats_since_clear(const struct snap_member *m, uint8_t member, struct tp_counters *out)
{
	*out = m->ctr;
	if (!baseline[member].used || baseline[member].port_id != m->port.port_id)
		return;
	for (unsigned int i = 0; i < TP_NB_COUNTERS; i++)
		out->c[i] = since(m->ctr.c[i], baseline[member].ctr.c[i]);
	for (unsigned int i = 0; i < TP_NB_DROPS; i++)
		out->drop[i] = since(m->ctr.drop[i], baseline[member].ctr.drop[i]);
}

void
stats_clear(struct daemon *d, int port_id)
{
	struct snap *s = snap_take(d);

	for (uint8_t i = 0; s != NULL && i < TP_MAX_MEMBERS; i++) {
		const struct snap_member *m = &s->member[i];

		if (!m->used || (port_id >= 0 && m->port.port_id != port_id))
			continue;
		baseline[i].used = true;
		baseline[i].port_id = m->port.port_id;
		baseline[i].ctr = m->ctr;
	}
	if (s != NULL && (port_id < 0 || (s->has_host && s->host_port.port_id == port_id))) {
		control_baseline = s->ctr;
		snap_host_counters(s, host_baseline);
	}
	free(s);
}

static bool
is_host_counter(enum tp_counter i)
{
	return i == TP_C_HOST_RX || i == TP_C_HOST_RX_BYTES || i == TP_C_HOST_TX ||
	       i == TP_C_HOST_TX_BYTES;
}

static json_t *
ethdev_stats(uint16_t port_id)
{
	struct rte_eth_stats st = { 0 };

	rte_eth_stats_get(port_id, &st);
	return json_pack("{s:I s:I s:I s:I s:I s:I s:I s:I}", "ipackets", (json_int_t)st.ipackets,
	                "opackets", (json_int_t)st.opackets, "ibytes", (json_int_t)st.ibytes,
	                "obytes", (json_int_t)st.obytes, "imissed", (json_int_t)st.imissed,
	                "ierrors", (json_int_t)st.ierrors, "oerrors", (json_int_t)st.oerrors,
	                "rx_nombuf", (json_int_t)st.rx_nombuf);
}

static void
add_drops(json_t *json, const uint64_t *drop, const uint64_t *base)
{
	json_t *drops = json_object();

	for (unsigned int i = 0; i < TP_NB_DROPS; i++)
		json_object_set_new(drops, tp_drop_name(i),
		                json_integer(since(drop[i], base == NULL ? 0 : base[i])));
	json_object_set_new(json, "drops", drops);
}

static void
add_counters(json_t *json, const struct tp_counters *ctr)
{
	for (unsigned int i = 0; i < TP_NB_COUNTERS; i++)
		json_object_set_new(json, tp_counter_name(i), json_integer(ctr->c[i]));
	add_drops(json, ctr->drop, NULL);
}

/** What is dropped when a port is changed or taken away is dropped by control. */
static void
add_host_counters(json_t *json, const struct snap *s)
{
	uint64_t sum[TP_NB_COUNTERS];

	snap_host_counters(s, sum);
	for (unsigned int i = 0; i < TP_NB_COUNTERS; i++)
		if (is_host_counter(i))
			json_object_set_new(json, tp_counter_name(i),
			                json_integer(since(sum[i], host_baseline[i])));
	add_drops(json, s->ctr.drop, control_baseline.drop);
}

static json_t *
stats_json(struct daemon *d, const struct snap *s, uint16_t port_id)
{
	const struct snap_member *m = snap_member_of(s, port_id);
	char name[RTE_ETH_NAME_MAX_LEN] = "";
	struct tp_counters ctr;
	json_t *json;

	(void)d;
	rte_eth_dev_get_name_by_port(port_id, name);
	json = json_pack("{s:i s:s s:s}", "port", port_id, "name", name, "role",
	                role_of(s, port_id));
	if (m != NULL) {
		stats_since_clear(m, m - s->member, &ctr);
		add_counters(json, &ctr);
	} else if (s->has_host && s->host_port.port_id == port_id) {
		add_host_counters(json, s);
	}
	json_object_set_new(json, "ethdev", ethdev_stats(port_id));
	return json;
}

json_t *
show_stats(struct daemon *d, const char *arg, struct error_text *err)
{
	return for_ports(d, arg, stats_json, err);
}

/* ---- xstats -------------------------------------------------------------- */

static void
add_xstats(json_t *json, uint16_t port_id, int nb)
{
	struct rte_eth_xstat_name *names = calloc(nb, sizeof(*names));
	struct rte_eth_xstat *values = calloc(nb, sizeof(*values));
	int nb_names = 0, nb_values = 0;

	if (names != NULL && values != NULL) {
		nb_names = rte_eth_xstats_get_names(port_id, names, nb);
		nb_values = rte_eth_xstats_get(port_id, values, nb);
	}
	for (int i = 0; i < nb_values && i < nb; i++)
		if (values[i].id < (uint64_t)nb_names)
			json_object_set_new(json, names[values[i].id].name,
			                json_integer(values[i].value));
	free(names);
	free(values);
}

static json_t *
xstats_json(struct daemon *d, const struct snap *s, uint16_t port_id)
{
	json_t *json = json_object(), *list = json_object();
	int nb = rte_eth_xstats_get(port_id, NULL, 0);

	(void)d;
	json_object_set_new(json, "port", json_integer(port_id));
	json_object_set_new(json, "role", json_string(role_of(s, port_id)));
	if (nb > 0)
		add_xstats(list, port_id, nb);
	json_object_set_new(json, "xstats", list);
	return json;
}

json_t *
show_xstats(struct daemon *d, const char *arg, struct error_text *err)
{
	return for_ports(d, arg, xstats_json, err);
}
