/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The list of topics; version and memory. */

#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_mempool.h>
#include <rte_version.h>

#include "capture.h"
#include "show.h"
#include "show_int.h"

json_t *
show_version(struct daemon *d, const char *arg, struct error_text *err)
{
	(void)d;
	(void)arg;
	(void)err;
	return json_pack("{s:s s:s}", "teampmd", TEAMPMD_VERSION, "dpdk", rte_version());
}

static void
add_pool(struct rte_mempool *pool, void *arg)
{
	json_array_append_new(
	                arg, json_pack("{s:s s:I s:I s:I s:i s:I}", "pool", pool->name, "size",
	                                     (json_int_t)pool->size, "available",
	                                     (json_int_t)rte_mempool_avail_count(pool), "in_use",
	                                     (json_int_t)rte_mempool_in_use_count(pool), "socket",
	                                     pool->socket_id, "element_bytes",
	                                     (json_int_t)(pool->elt_size + pool->header_size +
	                                                     pool->trailer_size)));
}

json_t *
show_memory(struct daemon *d, const char *arg, struct error_text *err)
{
	json_t *pools = json_array(), *heaps = json_array();
	struct rte_malloc_socket_stats st;

	(void)d;
	(void)arg;
	(void)err;
	rte_mempool_walk(add_pool, pools);
	for (unsigned int i = 0; i < rte_socket_count(); i++) {
		int node = rte_socket_id_by_idx(i);

		if (rte_malloc_get_socket_stats(node, &st) == 0)
			json_array_append_new(heaps,
			                json_pack("{s:i s:I s:I s:I}", "socket", node, "bytes",
			                                (json_int_t)st.heap_totalsz_bytes,
			                                "allocated",
			                                (json_int_t)st.heap_allocsz_bytes,
			                                "largest_free",
			                                (json_int_t)st.greatest_free_size));
	}
	return json_pack("{s:o s:o}", "pools", pools, "heaps", heaps);
}

const struct topic topics[] = {
	{ "team", "The team: mode, primary, host port, members' four facts", show_team, NULL },
	{ "port", "What a port is and how it is used. Parameter: port id or all", show_port, NULL },
	{ "summary", "All ports in short", show_summary, NULL },
	{ "list", "All ports in short", show_summary, NULL },
	{ "stats", "Counters and drops of a port. Parameter: port id or all", show_stats, NULL },
	{ "xstats", "Extended statistics of a port's ethdev. Parameter: port id or all",
	                show_xstats, NULL },
	{ "bucket", "Buckets, bytes and share of load of each member", show_bucket, NULL },
	{ "bucket_map", NULL, show_bucket_map, NULL },
	{ "lcore", "Lcores and how busy they are", show_lcore, NULL },
	{ "config", "The running configuration as commands", show_config, text_lines },
	{ "events", "What happened", show_events, NULL },
	{ "announce", "Announcements after a failover", show_announce, NULL },
	{ "version", "Versions of teampmd and DPDK", show_version, NULL },
	{ "memory", "Pools of packet buffers and the heap", show_memory, NULL },
	{ "capture", "The capture in progress", show_capture, NULL },
	{ "conn", "TCP connections. Parameter: a filter like state=ESTABLISHED", show_conn, NULL },
	{ "conn_summary", "TCP connections by state and by member", show_conn_summary, NULL },
	{ "conn_parked", "TCP connections that are parked. Parameter: a filter", show_conn_parked,
	                NULL },
	{ "migrate", "How connections moved between members", show_migrate, NULL },
	{ "listen", "TCP ports that are served", show_listen, NULL },
	{ "tcp", "Counters of the offload engine", show_tcp, NULL },
	{ "client", "What the load client has reached", show_client, NULL },
	{ "neigh", "Neighbours of the offload engine", show_neigh, NULL },
	{ "route", "Routes of the offload engine", show_route, NULL },
	{ "addr", "Addresses of the offload engine, and counters of IP", show_addr, NULL },
	{ NULL, NULL, NULL, NULL },
};

const struct topic *
topic_find(const char *name)
{
	for (const struct topic *t = topics; t->name != NULL; t++)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}
