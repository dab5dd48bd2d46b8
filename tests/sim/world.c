/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Wires and daemon come and go. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>

#include "control_int.h"
#include "host_int.h"
#include "sim.h"

struct rte_mempool *sim_pool;

/* Names of wires whose buffers a frozen lcore still holds cannot be used again. */
static unsigned int world_number;

static uint32_t
one_node(int node, int other)
{
	return node == other ? 10 : 20;
}

/* What front and main would do while an operation waits. */
static void
pump(struct daemon *d)
{
	(void)d;
	if (fiber_current != NULL)
		fiber_yield();
	else
		sim_round();
}

static int
thread_state(struct daemon *d, uint8_t member, uint64_t *cpu_ns, bool *blocked)
{
	(void)d;
	*cpu_ns = sim_cpu_ns(&sim->actor[member], blocked);
	return 0;
}

static int
make_wire(uint8_t index)
{
	struct wire_state *w = &sim->wire[index];
	struct tp_wire_conf conf = sim->set.wire[index];
	char name[TP_WIRE_NAME_MAX + 1];
	enum tp_wire_end near = index == SIM_HOST_WIRE ? TP_WIRE_B : TP_WIRE_A;
	int rc;

	conf.tap = ledger_tap;
	conf.tap_arg = w;
	snprintf(name, sizeof(name), "s%u_%u", world_number % 100000, index);
	w->index = index;
	w->wire = tp_wire_create(name, &conf, 0);
	if (w->wire == NULL)
		return -rte_errno;
	w->near = tp_wire_port(w->wire, near);
	w->far = tp_wire_port(w->wire, !near);
	rc = tp_wire_start(w->wire, sim_pool);
	return rc == 0 ? rte_eth_dev_stop(w->near) : rc;
}

static void
set_options(struct options *opt)
{
	const struct setup *set = &sim->set;

	opt->no_start = true;
	opt->has_mac = true;
	opt->mac = (struct rte_ether_addr){ { 2, 0, 0, 0, 0, 0xaa } };
	opt->nb_rxd = opt->nb_txd = 64;
	opt->burst = set->burst;
	opt->mbcache = 32;
	opt->ring_size = set->ring_size;
	opt->team = set->team;
	snprintf(opt->host, sizeof(opt->host), "%u", sim->wire[SIM_HOST_WIRE].near);
	for (uint8_t i = 0; i < set->nb_at_start; i++)
		opt->ports[opt->nb_ports++] = sim->wire[i].near;
}

static void
wrap_ring(struct rte_ring *r, uint32_t at)
{
	if (r == NULL)
		return;
	r->prod.head = r->prod.tail = at;
	r->cons.head = r->cons.tail = at;
}

/* Everything that counts up without end is about to wrap. */
static void
wind_up(struct daemon *d)
{
	struct control *c = &d->control;

	for (unsigned int i = 0; i < TP_NB_NODES; i++)
		for (unsigned int k = 0; k < TP_NB_NODES; k++)
			wrap_ring(d->fabric->ring[i][k], UINT32_MAX - 40);
	d->host->stash.head = d->host->stash.end = UINT32_MAX - 9;
	atomic_store(&d->host->guard, (UINT64_C(0x7fffffff) - 5) << 32);
	c->role_seq = UINT32_MAX - 5;
	c->team.version = UINT32_MAX - 5;
	FOREACH_SLOT(c, s)
		atomic_store(&s->member->port_req, UINT32_MAX - 5);
	FOREACH_SLOT(c, s)
		atomic_store(&s->member->port_ack, UINT32_MAX - 5);
	control_hand_over(c, TP_MEMBER_NONE);
}

int
world_build(void)
{
	struct error_text err = { "" };
	struct daemon *d = &sim->d;
	int rc = 0;

	world_number++;
	tp_clock_set_virtual(sim->now);
	for (uint8_t i = 0; i < sim->set.nb_wires && rc == 0; i++)
		rc = make_wire(i);
	if (rc == 0)
		rc = make_wire(SIM_HOST_WIRE);
	if (rc != 0) {
		fprintf(stderr, "wires: %s\n", strerror(-rc));
		return rc;
	}
	d->simulated = true;
	d->pump = pump;
	d->distance = one_node;
	d->thread = thread_state;
	d->grace_ns = sim->set.grace_ns;
	set_options(&d->opt);
	rc = daemon_init(d, &err);
	if (rc != 0) {
		fprintf(stderr, "daemon: %s\n", err.text);
		return rc;
	}
	if (sim->set.near_wrap)
		wind_up(d);
	atomic_store(&d->control_runs, true);
	return peers_init();
}

void
world_take_down(void)
{
	for (unsigned int i = 0; i < NB_ACTORS; i++)
		if (sim->actor[i].fiber.busy)
			fiber_abandon(&sim->actor[i].fiber);
	atomic_store(&sim->d.control_runs, false);
	/* The daemon has left them, and would close them in a way that wires do not bear. */
	for (uint8_t i = 0; i <= SIM_MAX_WIRES; i++)
		tp_wire_destroy(sim->wire[i].wire);
	daemon_fini(&sim->d);
}

struct slot *
world_slot_of_wire(uint8_t wire)
{
	struct control *c = &sim->d.control;

	FOREACH_SLOT(c, s)
		if (s->port.port_id == sim->wire[wire].near)
			return s;
	return NULL;
}

uint8_t
world_wire_of_port(uint16_t port_id)
{
	uint8_t i = 0;

	while (i < SIM_HOST_WIRE && (sim->wire[i].wire == NULL || sim->wire[i].near != port_id))
		i++;
	return i;
}
