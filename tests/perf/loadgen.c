/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* loadgen [EAL options]: the first port is joined to a team's host port, the others to its
 * members. Commands come on standard input, a JSON object goes out for each:
 *   link                                            which ports are up
 *   trial DIRECTION FRAME PPS MS SETTLE_MS          tx, rx or both; bytes with FCS or imix
 *   quit
 */

#include "loadgen.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#define NB_MBUFS 32767
#define NB_DESC 1024
#define DEFAULT_FLOWS 2048

static const struct rte_ether_addr team_mac = { { 0x02, 0x77, 0, 0, 0, 0x01 } };
static const struct rte_ether_addr peer_mac = { { 0x02, 0x77, 0, 0, 0, 0x02 } };

static int
start_port(uint16_t port_id, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = { 0 };
	uint16_t nb_rxd = NB_DESC, nb_txd = NB_DESC;
	int rc = rte_eth_dev_configure(port_id, 1, 1, &conf);

	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(port_id, &nb_rxd, &nb_txd);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(port_id, 0, nb_rxd, SOCKET_ID_ANY, NULL, pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(port_id, 0, nb_txd, SOCKET_ID_ANY, NULL);
	if (rc == 0)
		rc = rte_eth_dev_start(port_id);
	return rc;
}

static int
start_ports(struct loadgen *g)
{
	uint16_t port_id, nb = 0;

	RTE_ETH_FOREACH_DEV(port_id) {
		int rc = start_port(port_id, g->pool);

		if (rc != 0) {
			fprintf(stderr, "loadgen: port %u does not start: %s\n", port_id,
			                strerror(-rc));
			return rc;
		}
		if (nb == 0)
			g->host = port_id;
		else if (nb <= LOADGEN_MAX_MEMBERS)
			g->member[g->nb_members++] = port_id;
		nb++;
	}
	if (g->nb_members == 0 || nb > LOADGEN_MAX_MEMBERS + 1) {
		fprintf(stderr, "loadgen: %u ports: a host port and 1 to %d members are wanted\n",
		                nb, LOADGEN_MAX_MEMBERS);
		return -EINVAL;
	}
	return 0;
}

static int
make_loadgen(struct loadgen *g)
{
	memset(g, 0, sizeof(*g));
	g->nb_flows = DEFAULT_FLOWS;
	g->flows = loadgen_flows_make(g->nb_flows, &team_mac, &peer_mac);
	g->pool = rte_pktmbuf_pool_create(
	                "loadgen", NB_MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (g->flows == NULL || g->pool == NULL) {
		fprintf(stderr, "loadgen: no memory: %s\n", rte_strerror(rte_errno));
		return -ENOMEM;
	}
	return start_ports(g);
}

static void
stop_ports(void)
{
	uint16_t port_id;

	RTE_ETH_FOREACH_DEV(port_id) {
		rte_eth_dev_stop(port_id);
		rte_eth_dev_close(port_id);
	}
}

/* ---- answers ------------------------------------------------------------- */

static void
answer(FILE *out, json_t *json)
{
	json_dumpf(json, out, JSON_COMPACT | JSON_PRESERVE_ORDER);
	fputc('\n', out);
	fflush(out);
	json_decref(json);
}

static void
answer_error(FILE *out, const char *what)
{
	answer(out, json_pack("{s:s}", "error", what));
}

static json_t *
link_json(void)
{
	json_t *up = json_array();
	uint16_t port_id;

	RTE_ETH_FOREACH_DEV(port_id) {
		struct rte_eth_link link = { 0 };

		rte_eth_link_get_nowait(port_id, &link);
		json_array_append_new(up, json_boolean(link.link_status));
	}
	return json_pack("{s:o}", "up", up);
}

static json_t *
microseconds(uint64_t cycles)
{
	return json_real((double)cycles * 1e6 / (double)rte_get_tsc_hz());
}

static json_t *
latency_json(const struct loadgen_latency *l)
{
	json_t *json = json_object();

	if (l->count == 0)
		return json;
	json_object_set_new(json, "min", microseconds(l->min));
	json_object_set_new(json, "mean", microseconds(l->sum / l->count));
	json_object_set_new(json, "p50", microseconds(loadgen_latency_at(l, 0.5)));
	json_object_set_new(json, "p99", microseconds(loadgen_latency_at(l, 0.99)));
	json_object_set_new(json, "max", microseconds(l->max));
	return json;
}

static json_t *
result_json(const struct loadgen *g, const struct loadgen_result *r)
{
	const struct loadgen_tally *t = &r->tally;
	json_t *json = json_object(), *member = json_array();
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{ "offered", r->offered },
		{ "received", t->received },
		{ "lost", r->offered - t->received },
		{ "refused", r->refused },
		{ "missed", r->missed },
		{ "bytes", r->bytes },
		{ "duplicated", t->duplicated },
		{ "reordered", t->reordered },
		{ "corrupt", t->corrupt },
		{ "misdirected", t->misdirected },
		{ "stale", t->stale },
		{ "other", t->other },
	};

	for (size_t i = 0; i < RTE_DIM(counts); i++)
		json_object_set_new(json, counts[i].name, json_integer(counts[i].value));
	json_object_set_new(json, "seconds", json_real(r->seconds));
	for (uint16_t i = 0; i < g->nb_members; i++)
		json_array_append_new(member, json_integer(t->member[i]));
	json_object_set_new(json, "member", member);
	json_object_set_new(json, "latency_us", latency_json(&t->latency));
	return json;
}

/* ---- commands ------------------------------------------------------------ */

static bool
parse_trial(const char *line, struct loadgen_ask *ask)
{
	char direction[8], frame[8], *end;

	if (sscanf(line, "trial %7s %7s %lf %" SCNu32 " %" SCNu32, direction, frame, &ask->pps,
	                    &ask->ms, &ask->settle_ms) != 5)
		return false;
	if (strcmp(direction, "tx") == 0)
		ask->direction = LOADGEN_TX;
	else if (strcmp(direction, "rx") == 0)
		ask->direction = LOADGEN_RX;
	else if (strcmp(direction, "both") == 0)
		ask->direction = LOADGEN_BOTH;
	else
		return false;
	ask->frame = strtoul(frame, &end, 10);
	if (strcmp(frame, "imix") == 0)
		ask->frame = LOADGEN_IMIX;
	else if (*end != '\0' || ask->frame == LOADGEN_IMIX)
		return false;
	return true;
}

static void
do_trial(struct loadgen *g, const char *line, FILE *out)
{
	static struct loadgen_result result; /* too large for a stack */
	struct loadgen_ask ask = { 0 };
	int rc;

	if (!parse_trial(line, &ask)) {
		answer_error(out, "not: trial tx|rx|both FRAME|imix PPS MS SETTLE_MS");
		return;
	}
	rc = loadgen_trial(g, &ask, &result);
	if (rc != 0) {
		answer_error(out, strerror(-rc));
		return;
	}
	answer(out, result_json(g, &result));
	loadgen_tally_fini(&result.tally);
}

static void
serve(struct loadgen *g, FILE *out)
{
	char line[128];

	while (fgets(line, sizeof(line), stdin) != NULL && strcmp(line, "quit\n") != 0) {
		if (strcmp(line, "link\n") == 0)
			answer(out, link_json());
		else if (strncmp(line, "trial ", 6) == 0)
			do_trial(g, line, out);
		else
			answer_error(out, "no such command; there are link, trial and quit");
	}
}

/* EAL and drivers print on stdout too: that goes to stderr. */
static FILE *
take_stdout(void)
{
	int fd = dup(STDOUT_FILENO);

	if (fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return NULL;
	return fdopen(fd, "w");
}

int
main(int argc, char **argv)
{
	FILE *out = take_stdout();
	struct loadgen g;
	int rc;

	if (out == NULL || rte_eal_init(argc, argv) < 0) {
		fprintf(stderr, "loadgen: EAL does not start: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	rc = make_loadgen(&g);
	if (rc == 0)
		serve(&g, out);
	stop_ports();
	loadgen_flows_free(g.flows);
	rte_mempool_free(g.pool);
	rte_eal_cleanup();
	fclose(out);
	return rc == 0 ? 0 : 1;
}
