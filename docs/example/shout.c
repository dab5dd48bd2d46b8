/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A TCP server on the native API (lib/toe/tp_toe.h), whole: it sends back in capitals what it gets,
 * on the first port that EAL has, without a kernel's stack and without the daemon.
 *
 *   build-release/docs/shout --no-huge -m 128 --no-pci --vdev net_tap0,iface=shout0 -- 10.99.0.1 24 7
 *   ip link set shout0 address 02:99:00:00:00:02 up    # the port has the MAC that was there
 *   ip addr add 10.99.0.2/24 dev shout0; nc 10.99.0.1 7
 *
 * The first part is all that a service of the daemon is (app/teampmd/svc_*.c); the second is what the
 * daemon does for it, with one thread as control and as the only member's lcore.
 */

#include <arpa/inet.h>
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "tp_toe.h"

/* ==== the service =========================================================== */

/* All of these are called on the lcore that owns the connection, never two at once for one
 * connection. call->arg is the service's own word of it: here what could not be sent yet.
 */

static void
shout(struct rte_mbuf *data)
{
	for (struct rte_mbuf *m = data; m != NULL; m = m->next) {
		char *text = rte_pktmbuf_mtod(m, char *);

		for (uint16_t i = 0; i < m->data_len; i++)
			text[i] = toupper((unsigned char)text[i]);
	}
}

/* Nothing is copied: the buffers that came from the wire go back to it. Crediting what was received
 * only when it is sent makes a peer that does not read stop itself: its window closes.
 */
static void
send_held(struct tp_toe_call *call)
{
	struct rte_mbuf *held = call->arg;
	uint32_t len = held->pkt_len;

	if (tp_toe_send(call, held, true) != 0)
		return; /* no room: on_writable follows; or the connection ends: on_close */
	call->arg = NULL;
	tp_toe_consumed(call, len);
}

static void
on_data(struct tp_toe_call *call, struct rte_mbuf *data)
{
	shout(data);
	if (call->arg == NULL)
		call->arg = data;
	else
		rte_pktmbuf_chain(call->arg, data);
	send_held(call);
}

static void
on_writable(struct tp_toe_call *call)
{
	if (call->arg != NULL)
		send_held(call);
	if (call->arg == NULL && tp_toe_at_eof(call))
		tp_toe_close(call);
}

/* The peer has said all it will; it may still read. */
static void
on_eof(struct tp_toe_call *call)
{
	if (call->arg == NULL)
		tp_toe_close(call);
}

static void
on_close(struct tp_toe_call *call, enum tp_tcp_reason reason)
{
	rte_pktmbuf_free(call->arg);
	printf("connection %" PRIx64 ": %s\n", call->id, tp_tcp_reason_name(reason));
}

static const struct tp_toe_user shouter = {
	.name = "shout",
	.on_data = on_data,
	.on_writable = on_writable,
	.on_eof = on_eof,
	.on_close = on_close,
};

/* ==== what the daemon does ==================================================== */

#define BURST 32

static struct tp_egress egress;
static struct tp_counters counters;
static struct rte_ether_addr mac;
static struct tp_inet *inet;
static struct tp_toe *toe;
static struct tp_toe_shard *shard;
static volatile sig_atomic_t ended;

static uint16_t
room(void *arg)
{
	(void)arg;
	return tp_egress_room(&egress);
}

static void
transmit(void *arg, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	(void)arg;
	tp_egress_burst(&egress, pkts, nb_pkts);
}

/* There is no other member. */
static void
forward(void *arg, uint8_t member, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	(void)arg;
	(void)member;
	rte_pktmbuf_free_bulk(pkts, nb_pkts);
}

/* Control is this thread, too. */
static void
to_control(void *arg, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	(void)arg;
	for (uint16_t i = 0; i < nb_pkts; i++)
		tp_inet_pend(inet, pkts[i], tp_clock_now());
}

static const struct tp_toe_ops ops = {
	.room = room,
	.transmit = transmit,
	.forward = forward,
	.control = to_control,
};

static uint8_t
member_of(void *arg, uint32_t hash)
{
	(void)arg;
	(void)hash;
	return 0;
}

static void
die(const char *what)
{
	fprintf(stderr, "shout: %s: %s\n", what, rte_strerror(rte_errno));
	exit(1);
}

static struct rte_mempool *
open_port(uint16_t port)
{
	struct rte_mempool *pool = tp_pool_create("pkts", 8191, 64, 2048 + 128, SOCKET_ID_ANY);
	struct rte_eth_conf conf = { 0 };

	if (pool == NULL)
		die("packet buffers");
	if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
	                rte_eth_rx_queue_setup(port, 0, 512, SOCKET_ID_ANY, NULL, pool) != 0 ||
	                rte_eth_tx_queue_setup(port, 0, 512, SOCKET_ID_ANY, NULL) != 0 ||
	                rte_eth_dev_start(port) != 0 || rte_eth_macaddr_get(port, &mac) != 0)
		die("port");
	if (tp_egress_init(&egress, port, 0, 0, pool, NULL, &counters) != 0)
		die("egress");
	return pool;
}

static void
open_engine(struct rte_mempool *pool, const uint8_t addr[TP_INET_LEN], uint8_t prefix_len)
{
	struct rte_rcu_qsbr *qsbr =
	                rte_zmalloc("qsbr", rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
	struct tp_inet_conf iconf;
	struct tp_toe_conf conf;
	const char *why = NULL;

	if (qsbr == NULL || rte_rcu_qsbr_init(qsbr, 1) != 0)
		die("RCU");
	tp_inet_conf_default(&iconf);
	iconf.pool = pool;
	iconf.qsbr = qsbr;
	iconf.mac = mac;
	iconf.seed = rte_rdtsc();
	inet = tp_inet_create(&iconf, tp_clock_now());
	if (inet == NULL || tp_inet_addr_add(inet, addr, prefix_len, tp_clock_now()) != 0)
		die("address");
	tp_toe_conf_default(&conf);
	conf.answer = true;
	toe = tp_toe_create(&conf, inet, qsbr, member_of, NULL, &why);
	if (toe == NULL)
		die(why != NULL ? why : "engine");
	shard = tp_toe_shard_create(toe, 0, SOCKET_ID_ANY, pool, NULL, &mac, &ops, NULL);
	if (shard == NULL)
		die("connections");
}

/* A member's turn: what came in, then timers and what follows from all that. */
static void
member_turn(uint16_t port, uint64_t now)
{
	struct rte_mbuf *pkts[BURST];
	struct tp_pkt_info info[BURST];
	uint16_t n = rte_eth_rx_burst(port, 0, pkts, BURST);

	tp_pkt_parse_burst(pkts, n, info);
	for (uint16_t i = 0; i < n; i++) {
		if (info[i].flags & TP_PKT_F_NEIGH)
			tp_inet_heard(inet, pkts[i], &info[i], 0, now);
	}
	n = tp_toe_input(shard, pkts, info, n, now);
	rte_pktmbuf_free_bulk(pkts, n); /* what the engine does not want */
	tp_toe_step(shard, now);
	tp_egress_flush(&egress);
}

/* Control's: neighbours and addresses. */
static void
control_turn(uint64_t now)
{
	struct tp_inet_frame frames[BURST];
	uint16_t n;

	if (tp_inet_next(inet) <= now)
		tp_inet_step(inet, now);
	n = tp_inet_take(inet, frames, BURST);
	for (uint16_t i = 0; i < n; i++)
		tp_egress_burst(&egress, &frames[i].m, 1);
}

static void
on_signal(int number)
{
	(void)number;
	ended = 1;
}

static void
parse_address(const char *text, uint8_t addr[TP_INET_LEN])
{
	struct in_addr v4;

	if (inet_pton(AF_INET6, text, addr) == 1)
		return;
	if (inet_pton(AF_INET, text, &v4) != 1) {
		fprintf(stderr, "shout: %s: not an address\n", text);
		exit(2);
	}
	tp_inet_map_v4(addr, v4.s_addr);
}

int
main(int argc, char **argv)
{
	struct tp_toe_listen how = { .user = &shouter };
	uint8_t addr[TP_INET_LEN];
	int n = rte_eal_init(argc, argv);

	if (n < 0)
		die("EAL");
	if (argc - n != 4) {
		fprintf(stderr, "usage: shout [EAL options] -- ADDRESS PREFIX-LENGTH PORT\n");
		return 2;
	}
	parse_address(argv[n + 1], addr);
	how.port = atoi(argv[n + 3]);
	tp_clock_init();
	if (tp_meta_init() != 0)
		die("mbuf field");
	open_engine(open_port(0), addr, atoi(argv[n + 2]));
	if (tp_toe_listen(toe, &how) != 0)
		die("listen");
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	setlinebuf(stdout);
	printf("%s listens on port %u\n", argv[n + 1], how.port);
	while (!ended) {
		uint64_t now = tp_clock_now();

		member_turn(0, now);
		control_turn(now);
	}
	tp_toe_shard_free(shard);
	tp_toe_free(toe);
	tp_inet_free(inet);
	rte_eth_dev_stop(0);
	rte_eal_cleanup();
	return 0;
}
