/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What users do to the team. Runs on the front's fiber, through the same operations as the
 * daemon's commands, one after another.
 */

#include <errno.h>
#include <string.h>

#include "control_int.h"
#include "sim.h"

/* May fail for want of memory while there is none. */
static void
expect(int rc, const char *what, const struct error_text *err)
{
	sim_note("%s: %d %s", what, rc, rc == 0 ? "" : err->text);
	if (rc != 0 && sim->grab_until == 0)
		sim_fail("%s: %s (%d)", what, err->text, rc);
}

static struct slot *
some_member(void)
{
	return world_slot_of_wire(rng_below(&sim->chaos, sim->set.nb_wires));
}

static uint8_t
id_of(const struct slot *s)
{
	return slot_id(&sim->d.control, s);
}

/* ---- members -------------------------------------------------------------------- */

/* With the knobs and watches that the seed gave it. */
static void
set_up(uint8_t wire)
{
	struct slot *s = world_slot_of_wire(wire);
	struct error_text err = { "" };

	expect(op_set_member(&sim->d, id_of(s), &sim->set.member[wire], &err), "set member", &err);
	expect(op_set_watch(&sim->d, id_of(s), &sim->set.link, &err), "set watch", &err);
}

static void
add(void)
{
	uint8_t wire = rng_below(&sim->chaos, sim->set.nb_wires);
	struct error_text err = { "" };
	int rc;

	if (world_slot_of_wire(wire) != NULL)
		return;
	rc = op_add(&sim->d, sim->wire[wire].near, &err);
	expect(rc, "add", &err);
	if (rc == 0)
		set_up(wire);
}

static void
count_gone(uint8_t id)
{
	for (unsigned int i = 0; i < TP_NB_DROPS; i++)
		sim->gone[i] += sim->last[id].drop[i];
	for (unsigned int i = 0; i < TP_NB_COUNTERS; i++)
		sim->gone_c[i] += sim->last[id].c[i];
}

static void
del_one(struct slot *s)
{
	struct error_text err = { "" };
	uint8_t id = id_of(s);
	int rc = op_del(&sim->d, id, false, &err);

	expect(rc, "del", &err);
	if (rc == 0)
		count_gone(id);
}

static void
del(void)
{
	struct slot *s = some_member();

	if (s != NULL)
		del_one(s);
}

static void
set_link(void)
{
	struct slot *s = some_member();
	struct error_text err = { "" };
	bool up;

	if (s == NULL)
		return;
	up = s->forced_down;
	expect(op_set_link(&sim->d, id_of(s), up, &err), up ? "set link-up" : "set link-down",
	                &err);
}

static void
set_member(void)
{
	struct tp_member_conf conf = {
		.prio = (int32_t)rng_between(&sim->chaos, 0, 4) - 2,
		.weight = rng_between(&sim->chaos, 0, 300),
	};
	struct slot *s = some_member();
	struct error_text err = { "" };

	if (s != NULL)
		expect(op_set_member(&sim->d, id_of(s), &conf, &err), "set member", &err);
}

static void
set_watch(void)
{
	struct tp_link_conf conf = sim->set.link;
	struct slot *s = some_member();
	struct error_text err = { "" };

	conf.poll_us = rng_between(&sim->chaos, 100, 1000);
	if (rng_one_in(&sim->chaos, 2))
		conf.watches ^= TP_LINK_W(TP_LINK_TX);
	if (s != NULL)
		expect(op_set_watch(&sim->d, id_of(s), &conf, &err), "set watch", &err);
}

/* ---- the team ---------------------------------------------------------------------- */

static void
set_conf(const struct tp_team_conf *conf, const char *what)
{
	struct error_text err = { "" };

	sim_note("%s: mode %s, %u buckets", what, tp_modes[conf->mode].name, conf->nb_buckets);
	/* It keeps a bounded number of old hash functions until they are out of use. */
	if (op_set_conf(&sim->d, conf, &err) == -EBUSY)
		return;
	expect(0, what, &err);
}

static void
set_mode(void)
{
	struct tp_team_conf conf = sim->d.control.team.conf;

	conf.mode = rng_below(&sim->chaos, TP_NB_MODES);
	set_conf(&conf, "set mode");
}

static void
set_policy(void)
{
	struct tp_team_conf conf = sim->d.control.team.conf;

	conf.flow.policy = rng_below(&sim->chaos, TP_FLOW_NB_POLICIES);
	conf.flow.fn = rng_below(&sim->chaos, TP_FLOW_NB_FNS);
	set_conf(&conf, "set policy");
}

static void
set_buckets(void)
{
	struct tp_team_conf conf = sim->d.control.team.conf;

	conf.nb_buckets = 256u << rng_below(&sim->chaos, 4);
	set_conf(&conf, "set buckets");
}

static void
set_primary(void)
{
	struct tp_team_conf conf = sim->d.control.team.conf;

	conf.primary = rng_below(&sim->chaos, sim->set.nb_wires);
	conf.primary_reselect = rng_below(&sim->chaos, TP_RESELECT_FAILURE + 1);
	set_conf(&conf, "set primary");
}

static void
start_or_stop(void)
{
	struct error_text err = { "" };

	if (sim->d.control.running)
		expect(op_stop(&sim->d, &err), "stop", &err);
	else
		expect(op_start(&sim->d, &err), "start", &err);
}

/* ---- ports --------------------------------------------------------------------------- */

static void
set_host(bool have)
{
	struct error_text err = { "" };
	char name[8] = "";

	if (have)
		snprintf(name, sizeof(name), "%u", sim->wire[SIM_HOST_WIRE].near);
	expect(op_set_host(&sim->d, name, &err), have ? "set host" : "set host none", &err);
	if (have)
		tp_wire_sync(sim->wire[SIM_HOST_WIRE].wire);
}

static void
toggle_host(void)
{
	set_host(!sim->d.control.has_host);
}

static void
set_mtu(void)
{
	struct error_text err = { "" };

	expect(op_set_mtu(&sim->d, rng_between(&sim->chaos, SIM_SAFE_MTU, 1600), &err), "set mtu",
	                &err);
}

static void
set_promisc(void)
{
	struct error_text err = { "" };

	expect(op_set_promisc(&sim->d, !sim->d.control.promisc, &err), "set promisc", &err);
}

static void
set_vlan(void)
{
	uint16_t vlan = rng_between(&sim->chaos, 1, 4094);
	struct error_text err = { "" };

	expect(op_set_vlan(&sim->d, vlan, true, &err), "set vlan", &err);
	expect(op_set_vlan_filter(&sim->d, rng_one_in(&sim->chaos, 2), &err), "vlan filter", &err);
}

/* ---- when ------------------------------------------------------------------------------ */

static void (*const commands[])(void) = {
	add,
	add,
	del,
	set_link,
	set_member,
	set_watch,
	set_mode,
	set_policy,
	set_buckets,
	set_primary,
	start_or_stop,
	toggle_host,
	set_mtu,
	set_promisc,
	set_vlan,
};

static void
begin(void)
{
	struct error_text err = { "" };

	for (uint8_t i = 0; i < sim->set.nb_at_start; i++)
		set_up(i);
	expect(op_start(&sim->d, &err), "start", &err);
}

/* What the user has to put right when all else is well again. */
static void
heal(void)
{
	struct control *c = &sim->d.control;
	struct error_text err = { "" };

	FOREACH_SLOT(c, s) {
		if (s->port.removed)
			del_one(s);
		else if (s->forced_down)
			expect(op_set_link(&sim->d, id_of(s), true, &err), "set link-up", &err);
	}
	for (uint8_t i = 0; i < sim->set.nb_wires; i++)
		if (world_slot_of_wire(i) == NULL) {
			expect(op_add(&sim->d, sim->wire[i].near, &err), "add", &err);
			set_up(i);
		}
	if (!c->has_host)
		set_host(true);
	if (!c->running)
		expect(op_start(&sim->d, &err), "start", &err);
	for (uint8_t i = 0; i < sim->set.nb_wires; i++)
		tp_wire_sync(sim->wire[i].wire);
	sim->healed = true;
}

/* Also the way in which ports are given back: the ends of wires must not be closed. */
static void
leave(void)
{
	struct control *c = &sim->d.control;
	struct error_text err = { "" };

	FOREACH_SLOT(c, s)
		del_one(s);
	expect(op_set_host(&sim->d, "", &err), "set host none", &err);
	sim->leaving = false;
}

void
scenario_command(void)
{
	unsigned int what;

	if (sim->leaving) {
		sim->command = leave;
	} else if (sim->healing) {
		sim->command = sim->healed ? NULL : heal;
	} else if (sim->nb_commands == 0) {
		sim->command = begin;
	} else if (sim->planned != NULL) {
		sim->command = sim->planned;
		sim->planned = NULL;
	} else if (sim->now >= sim->next_command) {
		what = rng_below(&sim->chaos, RTE_DIM(commands));
		if (sim->set.commands & RTE_BIT32(what))
			sim->command = commands[what];
		sim->next_command = sim->now +
		                    rng_below(&sim->chaos, 2 * (uint64_t)sim->set.command_gap_ns);
	}
	sim->nb_commands += sim->command != NULL;
}
