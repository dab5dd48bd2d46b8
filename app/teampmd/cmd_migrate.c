/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Commands of migration: when connections move and are parked, and moving them by hand. */

#include <errno.h>
#include <string.h>

#include "cmd_int.h"
#include "front.h"
#include "show.h"

#define SECONDS_MAX (365 * 86400)

static int
no_engine(struct cmd_ctx *x)
{
	return cmd_fail(x, -ENODEV,
	                "the team has no address: there is no offload engine (--ip ADDR/LEN)");
}

/* ---- knobs ------------------------------------------------------------------------ */

struct knobs_call {
	struct tp_toe_move_conf conf;
	uint8_t after; /**< for when they may move again */
	bool set_rebalance, rebalance;
};

static int
set_knobs(struct control *c, void *arg)
{
	const struct knobs_call *call = arg;

	if (call->set_rebalance) {
		c->migrate.rebalance = call->rebalance;
		return 0;
	}
	c->migrate.after = call->after;
	return tp_toe_set_move(c->daemon->toe, &call->conf);
}

/* The knobs as they are, to change one. @return 0 or -errno, x->err filled */
static int
read_knobs(struct cmd_ctx *x, struct knobs_call *call)
{
	*call = (struct knobs_call){ .after = x->d->control.migrate.after };
	if (x->d->toe == NULL)
		return no_engine(x);
	tp_toe_get_move(x->d->toe, &call->conf);
	return 0;
}

static int
apply(struct cmd_ctx *x, struct knobs_call *call)
{
	return control_call(&x->d->control, set_knobs, call);
}

static int
run_migrate(struct cmd_ctx *x)
{
	struct knobs_call call;

	if (read_knobs(x, &call) != 0)
		return -ENODEV;
	call.conf.after = strcmp(x->argv[2], "auto") == 0 ? call.after : 0;
	return apply(x, &call);
}

static int
run_after(struct cmd_ctx *x)
{
	struct knobs_call call;
	int64_t value;

	if (read_knobs(x, &call) != 0)
		return -ENODEV;
	if (cmd_number(x, "migrate_after", x->argv[2], 1, 255, &value) != 0)
		return -EINVAL;
	call.after = value;
	if (call.conf.after != 0)
		call.conf.after = value;
	return apply(x, &call);
}

static int
run_hysteresis(struct cmd_ctx *x)
{
	struct knobs_call call;
	int64_t value;

	if (read_knobs(x, &call) != 0)
		return -ENODEV;
	if (cmd_number(x, "migrate_hysteresis", x->argv[2], 0, TP_TOE_HYSTERESIS_MAX_MS, &value) !=
	                0)
		return -EINVAL;
	call.conf.hysteresis_ms = value;
	return apply(x, &call);
}

static int
run_idle(struct cmd_ctx *x)
{
	struct knobs_call call;
	int64_t value;

	if (read_knobs(x, &call) != 0)
		return -ENODEV;
	if (cmd_number(x, "idle_timeout", x->argv[2], 0, SECONDS_MAX, &value) != 0)
		return -EINVAL;
	call.conf.idle_ns = value * TP_NS_PER_S;
	return apply(x, &call);
}

static int
run_rebalance(struct cmd_ctx *x)
{
	struct knobs_call call = { .set_rebalance = true,
		.rebalance = strcmp(x->argv[2], "on") == 0 };

	if (x->d->toe == NULL)
		return no_engine(x);
	return apply(x, &call);
}

/* ---- by hand ------------------------------------------------------------------------ */

struct drain_call {
	uint8_t member;
	bool drain;
};

static int
set_drain(struct control *c, void *arg)
{
	const struct drain_call *call = arg;

	c->slot[call->member].draining = call->drain;
	return 0;
}

static int
run_drain(struct cmd_ctx *x)
{
	struct drain_call call = { .drain = strcmp(x->argv[0], "drain") == 0 };

	if (x->d->toe == NULL)
		return no_engine(x);
	if (cmd_member_id(x, x->argv[2], &call.member) != 0)
		return -EINVAL;
	return control_call(&x->d->control, set_drain, &call);
}

static int
run_move(struct cmd_ctx *x)
{
	uint8_t member;
	tp_toe_id id;
	int rc;

	if (x->d->toe == NULL)
		return no_engine(x);
	if (cmd_member_id(x, x->argv[4], &member) != 0)
		return -EINVAL;
	rc = cmd_conn_id(x, x->argv[2], &id);
	if (rc != 0)
		return rc;
	switch (tp_toe_move(x->d->toe, id, member)) {
	case 0:
		return 0;
	case -ENODEV:
		return cmd_fail(x, -ENODEV, "port %s takes no connections now", x->argv[4]);
	default:
		return cmd_fail(x, -ENOBUFS, "too many requests at once");
	}
}

const struct cmd cmd_migrate[] = {
	{ "set migrate auto|off",
	                "Let connections follow their packets to the member that receives them, or "
	                "stay where they are unless that fails",
	                run_migrate },
	{ "set migrate_after <N>",
	                "Move a connection after so many of its segments in a row, 1 to 255, came "
	                "to one other member",
	                run_after },
	{ "set migrate_hysteresis <MS>",
	                "Let a connection move again after so many ms, and more if it moves often",
	                run_hysteresis },
	{ "set idle_timeout <S>",
	                "Park connections that received nothing for so many seconds; 0 is never",
	                run_idle },
	{ "set toe_rebalance on|off", "Move connections off lcores that are busy", run_rebalance },
	{ "drain member <PORT>", "Move all connections away from a member, and take no more there",
	                run_drain },
	{ "undrain member <PORT>", "Let a member take connections again", run_drain },
	{ "move conn <ID> to <PORT>", "Move a TCP connection to another member", run_move },
	{ NULL, NULL, NULL },
};
