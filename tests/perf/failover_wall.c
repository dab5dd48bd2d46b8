/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The daemon's own loops on lcores, on the real clock. A thread is host, network, and whoever pulls
 * a cable; the wires' taps say when a flow leaves by another member.
 */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_errno.h>
#include <rte_ethdev.h>

#include "control_int.h"
#include "failover.h"
#include "tp_wire.h"
#include "traffic.h"

#define NB_MEMBERS 2
#define HOST NB_MEMBERS
#define NB_WIRES (NB_MEMBERS + 1)
#define NB_FLOWS 64
#define BURST 16
#define GAP_NS 20000
#define FLOW_AT 60 /* in a frame: its last bytes, behind its headers */
#define NONE UINT8_MAX
#define STEADY_NS (2 * TP_NS_PER_MS)
#define PATIENCE_NS (2 * TP_NS_PER_S)

struct scene {
	struct daemon d;
	struct tp_wire *wire[NB_WIRES];
	uint16_t near[NB_WIRES], far[NB_WIRES];
	struct rte_mempool *pool;
	uint32_t next_flow;
	_Atomic uint8_t owner[NB_FLOWS]; /* member by which it left last */
	_Atomic uint8_t dead;            /* member whose flows are waited for, or NONE */
	_Atomic uint64_t first_ns;       /* when one of them left by another; 0: not yet */
	struct failover_wall *out;
	unsigned int nb, nb_out;
	uint32_t poll_us;
	char *why;
	unsigned int why_len;
};

static struct scene *scene;

static int
fail(int rc, const char *what)
{
	snprintf(scene->why, scene->why_len, "%s: %s", what, strerror(-rc));
	return rc;
}

/* ---- wires ------------------------------------------------------------------------- */

static void
tap(void *arg, enum tp_wire_dir dir, enum tp_wire_event event, const struct rte_mbuf *m,
                uint64_t now)
{
	uint8_t wire = (uint8_t)(uintptr_t)arg, was;
	uint64_t none = 0;
	uint32_t flow;

	if (dir != TP_WIRE_A_TO_B || event != TP_WIRE_SENT || m->pkt_len != FLOW_AT + sizeof(flow))
		return;
	memcpy(&flow, rte_pktmbuf_mtod_offset(m, const void *, FLOW_AT), sizeof(flow));
	was = atomic_exchange_explicit(&scene->owner[flow % NB_FLOWS], wire, memory_order_relaxed);
	if (was != wire && was == atomic_load_explicit(&scene->dead, memory_order_acquire))
		atomic_compare_exchange_strong(&scene->first_ns, &none, now);
}

static int
make_wire(unsigned int i)
{
	struct tp_wire_conf conf;
	char name[TP_WIRE_NAME_MAX + 1];
	int rc;

	tp_wire_conf_default(&conf);
	if (i != HOST) {
		conf.tap = tap;
		conf.tap_arg = (void *)(uintptr_t)i;
	}
	snprintf(name, sizeof(name), "wall%u", i);
	scene->wire[i] = tp_wire_create(name, &conf, 0);
	if (scene->wire[i] == NULL)
		return -rte_errno;
	scene->near[i] = tp_wire_port(scene->wire[i], TP_WIRE_A);
	scene->far[i] = tp_wire_port(scene->wire[i], TP_WIRE_B);
	rc = tp_wire_start(scene->wire[i], scene->pool);
	return rc == 0 ? rte_eth_dev_stop(scene->near[i]) : rc;
}

/* ---- host and network ------------------------------------------------------------------ */

static void
send_burst(void)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t sent;

	if (rte_pktmbuf_alloc_bulk(scene->pool, pkts, BURST) != 0)
		return;
	for (unsigned int i = 0; i < BURST; i++) {
		uint32_t flow = scene->next_flow++ % NB_FLOWS;

		traffic_frame(pkts[i], TRAFFIC_V4, flow);
		pkts[i]->data_len = FLOW_AT + sizeof(flow);
		pkts[i]->pkt_len = pkts[i]->data_len;
		memcpy(rte_pktmbuf_mtod_offset(pkts[i], void *, FLOW_AT), &flow, sizeof(flow));
	}
	sent = rte_eth_tx_burst(scene->far[HOST], 0, pkts, BURST);
	rte_pktmbuf_free_bulk(pkts + sent, BURST - sent);
}

static void
receive_all(void)
{
	struct rte_mbuf *pkts[64];
	uint16_t n;

	for (unsigned int i = 0; i < NB_WIRES; i++)
		while ((n = rte_eth_rx_burst(scene->far[i], 0, pkts, RTE_DIM(pkts))) > 0)
			rte_pktmbuf_free_bulk(pkts, n);
}

static void
turn(bool sends)
{
	struct timespec ts = { .tv_nsec = GAP_NS };

	if (sends)
		send_burst();
	receive_all();
	nanosleep(&ts, NULL);
}

/* ---- one switch ---------------------------------------------------------------------------- */

/* Runs on control. */
static int
is_steady(struct control *c, void *arg)
{
	struct tp_host_info info;

	(void)arg;
	tp_host_info(c->daemon->host, &info);
	for (uint8_t i = 0; i < NB_MEMBERS; i++)
		if (!c->team.member[i].distributing)
			return 0;
	return control_settled(c) && info.nb_lazy == 0 && info.nb_stash == 0;
}

/* Runs on control: why is it not steady? */
static int
describe(struct control *c, void *arg)
{
	const struct event *last = &c->events[(c->nb_events - 1) % NB_EVENTS];
	struct tp_host_info info;

	(void)arg;
	tp_host_info(c->daemon->host, &info);
	snprintf(scene->why, scene->why_len,
	                "the team does not settle: distributing %d %d, primary %d, %u buckets to "
	                "move, %u frames in the stash, distribution %u of %u in force, last: %s",
	                c->team.member[0].distributing, c->team.member[1].distributing, c->primary,
	                info.nb_lazy, info.nb_stash, info.version, info.published, last->text);
	return 0;
}

/* Without traffic, so that buckets are idle and move. A parked port is not polled, and a NIC tells of
 * its link all the same; who finds a wire's end at work leaves that to it.
 */
static bool
wait_steady(void)
{
	uint64_t end = tp_clock_now() + PATIENCE_NS;

	while (control_call(&scene->d.control, is_steady, NULL) == 0) {
		if (tp_clock_now() > end)
			return false;
		for (unsigned int i = 0; i < NB_MEMBERS; i++)
			tp_wire_sync(scene->wire[i]);
		turn(false);
	}
	return true;
}

static void
run_for(uint64_t ns)
{
	uint64_t end = tp_clock_now() + ns;

	while (tp_clock_now() < end)
		turn(true);
}

struct seen {
	uint64_t after, at;
};

/* Runs on control: when it noted that a watch said "down". */
static int
find_event(struct control *c, void *arg)
{
	struct seen *s = arg;

	for (uint64_t i = c->nb_events; i > 0 && i + NB_EVENTS > c->nb_events; i--) {
		const struct event *ev = &c->events[(i - 1) % NB_EVENTS];

		if (ev->at_ns < s->after)
			break;
		if (strstr(ev->text, "watch says down") != NULL)
			s->at = ev->at_ns;
	}
	return 0;
}

static int
primary_of(struct control *c, void *arg)
{
	(void)arg;
	return c->primary;
}

/* @return false when nothing was seen */
static bool
measure(uint8_t dead, struct failover_wall *out)
{
	uint64_t cut, end;
	struct seen seen = { .at = 0 };

	run_for(STEADY_NS + (uint64_t)rand() % TP_NS_PER_MS);
	out->primary = control_call(&scene->d.control, primary_of, NULL) == dead;
	atomic_store(&scene->first_ns, 0);
	atomic_store(&scene->dead, dead);
	cut = tp_clock_now();
	end = cut + PATIENCE_NS;
	tp_wire_set_carrier(scene->wire[dead], false);
	while (atomic_load(&scene->first_ns) == 0 && tp_clock_now() < end)
		turn(true);
	atomic_store(&scene->dead, NONE);
	seen.after = cut;
	control_call(&scene->d.control, find_event, &seen);
	tp_wire_set_carrier(scene->wire[dead], true);
	if (seen.at == 0 || atomic_load(&scene->first_ns) < seen.at)
		return false;
	out->detect = (double)(seen.at - cut) / TP_NS_PER_US;
	out->switchs = (double)(atomic_load(&scene->first_ns) - seen.at) / TP_NS_PER_US;
	return true;
}

/* Ports leave the team by the daemon's own operations: wires must not be closed otherwise. */
static void
leave(void)
{
	struct error_text err = { "" };

	for (uint8_t i = 0; i < NB_MEMBERS; i++)
		if (op_del(&scene->d, i, false, &err) != 0)
			snprintf(scene->why, scene->why_len, "del: %s", err.text);
	op_set_host(&scene->d, "", &err);
	atomic_store(&scene->d.quit, true);
}

static void *
peers_main(void *arg)
{
	uint8_t primary;

	(void)arg;
	/* Sleeps as long as asked, as a host's interrupts would. */
	prctl(PR_SET_TIMERSLACK, 1);
	while (!atomic_load(&scene->d.control_runs))
		turn(false);
	/* One that is not seen is tried again, but not for ever. */
	for (unsigned int i = 0; i < 2 * scene->nb && scene->nb_out < scene->nb; i++) {
		if (!wait_steady()) {
			control_call(&scene->d.control, describe, NULL);
			break;
		}
		primary = control_call(&scene->d.control, primary_of, NULL);
		scene->nb_out += measure(i % 2 == 0 ? primary : NB_MEMBERS - 1 - primary,
		                &scene->out[scene->nb_out]);
	}
	leave();
	return NULL;
}

/* ---- the daemon -------------------------------------------------------------------------- */

static void
set_options(struct options *opt)
{
	opt->has_mac = true;
	opt->mac = (struct rte_ether_addr){ { 2, 0, 0, 0, 0, 0xaa } };
	opt->nb_rxd = opt->nb_txd = 512;
	opt->burst = 32;
	opt->mbcache = 128;
	opt->ring_size = 1024;
	tp_team_conf_default(&opt->team);
	opt->team.nb_buckets = TP_MIN_BUCKETS;
	snprintf(opt->host, sizeof(opt->host), "%u", scene->near[HOST]);
	for (unsigned int i = 0; i < NB_MEMBERS; i++)
		opt->ports[opt->nb_ports++] = scene->near[i];
}

static int
start_daemon(struct error_text *err)
{
	struct daemon *d = &scene->d;
	struct tp_link_conf conf;
	int rc;

	set_options(&d->opt);
	rc = daemon_init(d, err);
	for (uint8_t i = 0; i < NB_MEMBERS && rc == 0; i++) {
		conf = d->control.slot[i].link_conf;
		conf.watches = TP_LINK_W(TP_LINK_POLL) | TP_LINK_W(TP_LINK_HEART);
		conf.poll_us = scene->poll_us;
		rc = op_set_watch(d, i, &conf, err);
	}
	return rc;
}

static int
run_daemon(void)
{
	struct error_text err = { "" };
	pthread_t peers;
	int rc = start_daemon(&err);

	if (rc != 0) {
		snprintf(scene->why, scene->why_len, "%s", err.text);
		return rc;
	}
	rc = -pthread_create(&peers, NULL, peers_main, NULL);
	if (rc != 0)
		return fail(rc, "thread");
	daemon_run(&scene->d);
	pthread_join(peers, NULL);
	return 0;
}

int
failover_wall(unsigned int nb, uint32_t poll_us, struct failover_wall *out, char *why,
                unsigned int why_len)
{
	unsigned int n;
	int rc = 0;

	scene = calloc(1, sizeof(*scene));
	if (scene == NULL)
		return -ENOMEM;
	scene->out = out;
	scene->nb = nb;
	scene->poll_us = poll_us;
	scene->why = why;
	scene->why_len = why_len;
	atomic_store(&scene->dead, NONE);
	memset(scene->owner, NONE, sizeof(scene->owner));
	scene->pool = rte_pktmbuf_pool_create("wall", 4095, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	for (unsigned int i = 0; i < NB_WIRES && rc == 0; i++)
		rc = make_wire(i);
	if (scene->pool == NULL || rc != 0)
		return fail(rc != 0 ? rc : -ENOMEM, "wires");
	rc = run_daemon();
	/* After a failure ports may be anybody's: the process is about to end. */
	if (rc != 0)
		return rc;
	for (unsigned int i = 0; i < NB_WIRES; i++)
		tp_wire_destroy(scene->wire[i]);
	daemon_fini(&scene->d);
	rte_mempool_free(scene->pool);
	n = scene->nb_out;
	free(scene);
	return (int)n;
}
