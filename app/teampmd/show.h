/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** What can be looked at: one JSON object per topic, made from a snapshot that control copies.
 * `show`, `show ... json` and telemetry all give these objects.
 */
#ifndef SHOW_H
#define SHOW_H

#include <jansson.h>

#include "app.h"

struct rte_tel_data;

/* ==== snapshots =========================================================== */

struct snap_member {
	bool used;
	bool forced_down;
	bool draining;
	bool active; /**< its lcore's loop runs */
	bool frozen;
	struct tp_team_member facts;
	struct port port;
	struct tp_link_conf watch;
	struct tp_counters ctr;
	struct tp_load load;
	uint32_t nb_buckets; /**< in the target map */
	unsigned int lcore_id;
	int tid;
	uint8_t idle;
};

/** The team at one instant between two steps of control. */
struct snap {
	uint64_t now;
	bool unpublished; /**< the engine decided what no distribution says yet */
	bool running, carrier, has_host, promisc, allmulti, mtu_set, vlan_filter_on;
	uint8_t primary; /**< member or TP_MEMBER_NONE */
	uint8_t idle;    /**< of control's lcore */
	uint16_t mtu;
	struct rte_ether_addr mac;
	struct rte_ether_addr mcast[64];
	uint32_t nb_mcast;
	uint64_t vlan_filter[64];
	struct tp_team_conf conf;
	struct tp_flow_conf flow_conf; /**< with the vector unit in use */
	uint64_t primary_changes, primary_since;
	struct port host_port;
	struct tp_host_info host;
	struct tp_counters ctr;  /**< of control */
	struct tp_counters left; /**< of members that are gone */
	struct tp_load load;
	struct snap_member member[TP_MAX_MEMBERS];
};

/** Take a snapshot. Any thread but control. @return to be freed, or NULL */
struct snap *snap_take(struct daemon *d);
/** @return member of a port, or NULL */
const struct snap_member *snap_member_of(const struct snap *snap, uint16_t port_id);
/** @return port id of a member, -1 for TP_MEMBER_NONE */
int snap_port_of(const struct snap *snap, uint8_t member);
/** What was counted of the host port, TP_C_HOST_*: by whoever was primary, so all members added up,
 * those that are gone too.
 * @param sum [TP_NB_COUNTERS] out
 */
void snap_host_counters(const struct snap *snap, uint64_t *sum);

/* ==== topics ============================================================== */

/** What `show TOPIC [ARGUMENT]` and /teampmd/TOPIC[,ARGUMENT] give. */
struct topic {
	const char *name; /**< of telemetry: /teampmd/name */
	const char *help; /**< of telemetry; NULL: too much for it */
	/** @param arg NULL, or a port's id or "all"
	 * @return an object or array, or NULL with err filled */
	json_t *(*get)(struct daemon *d, const char *arg, struct error_text *err);
	/** Its text form; NULL: text_render() */
	void (*text)(const json_t *json, FILE *out);
};

extern const struct topic topics[]; /**< ends with an entry without name */
const struct topic *topic_find(const char *name);

/** Render a topic's object as text: pairs, and tables for arrays of flat objects. */
void text_render(const json_t *json, FILE *out);
/** Fill telemetry's data from an object or array. Nested ones become containers, an array of
 * objects a dictionary by the value of each one's first member, true and false 1 and 0, null an
 * empty string; what telemetry's limits do not allow is cut off.
 * @return 0 or -errno
 */
int telemetry_fill(struct rte_tel_data *data, const json_t *json);

/* The topics, as struct topic has them. Front, or telemetry's threads, under show_lock(). */
json_t *show_team(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_bucket(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_bucket_map(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_lcore(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_announce(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_events(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_port(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_summary(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_stats(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_xstats(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_config(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_version(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_memory(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_conn(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_conn_parked(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_migrate(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_conn_summary(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_listen(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_tcp(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_client(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_neigh(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_route(struct daemon *d, const char *arg, struct error_text *err);
json_t *show_addr(struct daemon *d, const char *arg, struct error_text *err);
void text_lines(const json_t *json, FILE *out);

/** Count from here: for one port, or all (-1). Front. */
void stats_clear(struct daemon *d, int port_id);
/** Counters of a member since the last clear. */
void stats_since_clear(const struct snap_member *m, uint8_t member, struct tp_counters *out);

/** Ethdevs may not come or go while somebody asks them: held by the front while a command runs
 * and by telemetry while it answers.
 */
void show_lock(void);
void show_unlock(void);

int telemetry_start(struct daemon *d);
/** Answer no more. @return false: a request is being answered, try again */
bool telemetry_stop(void);

/* ==== periodic statistics ================================================= */

struct stats_period;
struct stats_period *stats_period_new(void);
void stats_period_free(struct stats_period *p);
/** Print what happened since the last call. */
void stats_period_print(struct stats_period *p, struct daemon *d, FILE *out);

#endif
