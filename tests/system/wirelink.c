/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A bad cable for system tests: what comes in at one interface goes through drivers/net/wire and out
 * at the other, both ways.
 *
 *   wirelink EAL-OPTIONS -- FORTH BACK
 *
 * The EAL options make two ports; FORTH and BACK are texts of tp_wire_conf_parse() for the direction
 * from the first to the second, and back. It says "ready" once, and at the end (SIGTERM) what became
 * of the frames, as JSON.
 */

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

#include "tp_wire.h"

#define BURST 32
#define NB_FRAMES 16384
#define IDLE_US 20

static volatile sig_atomic_t stopped;

static void
on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static void
die(const char *what)
{
	fprintf(stderr, "wirelink: %s\n", what);
	exit(EXIT_FAILURE);
}

static void
port_start(uint16_t port, struct rte_mempool *mp)
{
	struct rte_eth_conf conf = { 0 };

	if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
	                rte_eth_rx_queue_setup(port, 0, 512, SOCKET_ID_ANY, NULL, mp) != 0 ||
	                rte_eth_tx_queue_setup(port, 0, 512, SOCKET_ID_ANY, NULL) != 0 ||
	                rte_eth_dev_start(port) != 0)
		die("a port does not start");
	rte_eth_promiscuous_enable(port);
}

/* @return frames moved; what the port does not take waits for it, as in a switch */
static uint16_t
move(uint16_t from, uint16_t to)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n = rte_eth_rx_burst(from, 0, pkts, BURST), sent = 0;

	while (sent < n && !stopped)
		sent += rte_eth_tx_burst(to, 0, pkts + sent, n - sent);
	rte_pktmbuf_free_bulk(pkts + sent, n - sent);
	return n;
}

static void
run(const struct tp_wire *w, const uint16_t port[TP_WIRE_NB_ENDS])
{
	uint32_t n;

	while (!stopped) {
		n = 0;
		for (int end = 0; end < TP_WIRE_NB_ENDS; end++) {
			n += move(port[end], tp_wire_port(w, end));
			n += move(tp_wire_port(w, end), port[end]);
		}
		if (n == 0)
			usleep(IDLE_US);
	}
}

static void
report(const struct tp_wire *w)
{
	struct tp_wire_stats s;

	for (int dir = 0; dir < TP_WIRE_NB_DIRS; dir++) {
		tp_wire_get_stats(w, dir, &s);
		printf("%s{\"sent\": %" PRIu64 ", \"delivered\": %" PRIu64 ", \"lost\": %" PRIu64
		       ", \"reordered\": %" PRIu64 ", \"dup\": %" PRIu64 ", \"corrupted\": %" PRIu64
		       ", \"dropped\": %" PRIu64 "}%s\n",
		                dir == 0 ? "[" : " ", s.sent, s.delivered, s.lost, s.reordered,
		                s.dup, s.corrupted,
		                s.drop_queue + s.drop_ring + s.drop_mbuf + s.drop_mtu,
		                dir == 0 ? "," : "]");
	}
}

int
main(int argc, char **argv)
{
	uint16_t port[TP_WIRE_NB_ENDS], nb = 0, id;
	struct tp_wire_conf conf;
	struct rte_mempool *mp;
	struct tp_wire *w;
	char why[128];
	int used = rte_eal_init(argc, argv);

	if (used < 0 || argc - used != TP_WIRE_NB_DIRS + 1)
		die("usage: wirelink EAL-OPTIONS -- FORTH BACK");
	argv += used + 1;
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	tp_clock_init();
	tp_wire_conf_default(&conf);
	conf.nb_frames = NB_FRAMES;
	for (int dir = 0; dir < TP_WIRE_NB_DIRS; dir++)
		if (tp_wire_conf_parse(&conf.dir[dir], argv[dir], why, sizeof(why)) != 0)
			die(why);
	RTE_ETH_FOREACH_DEV(id)
		if (nb < TP_WIRE_NB_ENDS)
			port[nb++] = id;
	mp = rte_pktmbuf_pool_create("frames", 8191, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	w = mp != NULL ? tp_wire_create("link", &conf, 0) : NULL;
	if (nb < TP_WIRE_NB_ENDS || w == NULL || tp_wire_start(w, mp) != 0)
		die("two ports and a wire cannot be had");
	for (int end = 0; end < TP_WIRE_NB_ENDS; end++)
		port_start(port[end], mp);
	printf("ready\n");
	fflush(stdout);
	run(w, port);
	report(w);
	return 0;
}
