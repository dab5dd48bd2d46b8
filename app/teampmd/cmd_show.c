/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <string.h>

#include "front.h"
#include "show.h"

/** `show A B` is topic A_B of telemetry, or shorter. */
struct topic_of {
	const char *word[2];
	const char *topic;
};

static const struct topic_of topic_of[] = {
	{ { "team", NULL }, "team" },
	{ { "port", "info" }, "port" },
	{ { "port", "stats" }, "stats" },
	{ { "port", "xstats" }, "xstats" },
	{ { "port", "summary" }, "summary" },
	{ { "bucket", NULL }, "bucket" },
	{ { "bucket", "map" }, "bucket_map" },
	{ { "lcore", NULL }, "lcore" },
	{ { "config", NULL }, "config" },
	{ { "events", NULL }, "events" },
	{ { "announce", NULL }, "announce" },
	{ { "version", NULL }, "version" },
	{ { "memory", NULL }, "memory" },
	{ { "capture", NULL }, "capture" },
	{ { "conn", NULL }, "conn" },
	{ { "conn", "where" }, "conn" },
	{ { "conn", "summary" }, "conn_summary" },
	{ { "conn", "parked" }, "conn_parked" },
	{ { "migrate", NULL }, "migrate" },
	{ { "listen", NULL }, "listen" },
	{ { "tcp", NULL }, "tcp" },
	{ { "client", NULL }, "client" },
	{ { "neigh", NULL }, "neigh" },
	{ { "route", NULL }, "route" },
	{ { "addr", NULL }, "addr" },
};

static const struct topic *
find(const char *word, const char *next)
{
	for (unsigned int i = 0; i < RTE_DIM(topic_of); i++) {
		const char *second = topic_of[i].word[1];

		if (strcmp(word, topic_of[i].word[0]) != 0)
			continue;
		if (second == NULL ? next == NULL : next != NULL && strcmp(next, second) == 0)
			return topic_find(topic_of[i].topic);
	}
	return NULL;
}

static int
run_show(struct cmd_ctx *x)
{
	const char *arg = x->argc > 3 ? x->argv[3] : NULL;
	const struct topic *t = find(x->argv[1], x->argc > 2 ? x->argv[2] : NULL);
	json_t *json;

	if (t == NULL)
		return -ENOENT;
	json = t->get(x->d, arg, &x->err);
	if (json == NULL)
		return -EINVAL;
	if (x->json) {
		json_dumpf(json, x->out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
		fputc('\n', x->out);
	} else if (t->text != NULL) {
		t->text(json, x->out);
	} else {
		text_render(json, x->out);
	}
	json_decref(json);
	return 0;
}

static int
run_clear(struct cmd_ctx *x)
{
	uint16_t port_id;
	int rc;

	if (strcmp(x->argv[3], "all") == 0) {
		stats_clear(x->d, -1);
		RTE_ETH_FOREACH_DEV(port_id)
			rte_eth_stats_reset(port_id);
		return 0;
	}
	rc = cmd_port_id(x, x->argv[3], &port_id);
	if (rc != 0)
		return rc;
	stats_clear(x->d, port_id);
	rte_eth_stats_reset(port_id);
	return 0;
}

const struct cmd cmd_show[] = {
	{ "show team [json]", "Show mode, MAC, host port, primary and the members' four facts",
	                run_show },
	{ "show port info <PORT|all> [json]", "Show what a port is and how the team uses it",
	                run_show },
	{ "show port summary [all] [json]", "List all ports", run_show },
	{ "show port stats <PORT|all> [json]",
	                "Show counters since the last clear, drops by reason, and the ethdev's own",
	                run_show },
	{ "show port xstats <PORT|all> [json]", "Show the ethdev's extended statistics", run_show },
	{ "clear port stats <PORT|all>", "Count from zero again", run_clear },
	{ "show bucket [json]", "Show buckets, bytes and share of load of each member", run_show },
	{ "show bucket map [json]", "Show which port each bucket goes to", run_show },
	{ "show lcore [json]", "Show lcores, their idle policy and how busy they are", run_show },
	{ "show config [json]", "Show the running configuration as commands that recreate it",
	                run_show },
	{ "show events [json]", "Show what happened: links, elections, fences, operations",
	                run_show },
	{ "show announce [json]",
	                "Show the addresses and groups that are announced after a failover",
	                run_show },
	{ "show capture [json]", "Show the capture in progress", run_show },
	{ "show memory [json]", "Show pools of packet buffers and the heap", run_show },
	{ "show conn [json]", "Show the TCP connections of the offload engine", run_show },
	{ "show conn where <FILTER> [json]",
	                "Show those that pass all of state=STATE, member=PORT, port=N, "
	                "addr=ADDRESS, user=NAME, joined by commas",
	                run_show },
	{ "show conn summary [json]", "Count TCP connections by state and by member", run_show },
	{ "show conn parked [json]", "Show the TCP connections that are parked", run_show },
	{ "show migrate [json]",
	                "Show when connections move, how many did and why, how long that took, and "
	                "how "
	                "many ended prematurely",
	                run_show },
	{ "show listen [json]", "Show the TCP ports that are served", run_show },
	{ "show tcp [json]", "Show the counters of the offload engine", run_show },
	{ "show client [json]", "Show what the load client has reached", run_show },
	{ "show neigh [json]", "Show the neighbours of the offload engine", run_show },
	{ "show route [json]", "Show the routes of the offload engine", run_show },
	{ "show addr [json]", "Show the team's IP addresses and the counters of IP", run_show },
	{ "show version [json]", "Show the versions of teampmd and DPDK", run_show },
	{ NULL, NULL, NULL },
};
