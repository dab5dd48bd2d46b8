/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Operations on the team: straight-line code on the caller's thread, see app.h. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <rte_errno.h>

#include "control_int.h"
#include "ops_int.h"

/* An operation waits this long for lcores to acknowledge, then says so. One that hangs is fenced long
 * before; this is for those that the kernel lets wait for a CPU, which may take it seconds.
 */
#define OP_TIMEOUT_NS (10 * TP_NS_PER_S)
/* `stop` waits this long for ports that take nothing; what is left then is dropped and counted. */
#define DRAIN_TIMEOUT_NS (2 * TP_NS_PER_S)
#define OP_POLL_US 200

int
op_fail(struct error_text *err, int rc, const char *what)
{
	snprintf(err->text, sizeof(err->text), "%s: %s", what, rte_strerror(-rc));
	return rc;
}

void
op_nap(struct daemon *d)
{
	if (d->pump != NULL)
		d->pump(d);
	else if (d->meanwhile != NULL)
		d->meanwhile(d);
	else
		usleep(OP_POLL_US);
}

static int
wait_until(struct daemon *d, int (*done)(struct control *c, void *arg), void *arg,
                uint64_t deadline)
{
	while (!control_call(&d->control, done, arg)) {
		if (tp_clock_now() > deadline)
			return -ETIMEDOUT;
		/* Before the loops start nobody holds anything; behind their end control gives no
		 * more orders, and lcores that still run may hold what they will.
		 */
		if (d->pump == NULL && !atomic_load(&d->control_runs))
			return d->has_run ? -ECANCELED : 0;
		op_nap(d);
	}
	return 0;
}

int
op_wait(struct daemon *d, int (*done)(struct control *c, void *arg), void *arg)
{
	return wait_until(d, done, arg, tp_clock_now() + OP_TIMEOUT_NS);
}

/* An operation's wait failed. @return rc */
static int
not_let_go(struct error_text *err, int rc, const char *what)
{
	if (rc == -ECANCELED)
		snprintf(err->text, sizeof(err->text), "%s: the daemon ends", what);
	else
		snprintf(err->text, sizeof(err->text),
		                "%s: its lcore did not let go of it within %u s", what,
		                (unsigned int)(OP_TIMEOUT_NS / TP_NS_PER_S));
	return rc;
}

/* ---- start and stop ----------------------------------------------------------- */

/* A stopped team's ports are left alone until it runs again. */
static int
rest(struct control *c, void *arg)
{
	(void)arg;
	FOREACH_SLOT(c, s) {
		if (c->running || !s->wanted)
			continue;
		s->fresh = true;
		control_halt(s, true);
	}
	return 0;
}

static int
all_halted(struct control *c, void *arg)
{
	(void)arg;
	FOREACH_SLOT(c, s) {
		if (!control_halted(s))
			return 0;
	}
	return 1;
}

/* What a port did not take, or nobody gave to the host any more: at the next start it is stale. */
static int
purge_all(struct control *c, void *arg)
{
	(void)arg;
	FOREACH_SLOT(c, s)
		op_purge(c, s);
	return 0;
}

void
op_enable_all(struct control *c, bool on)
{
	uint64_t now = tp_clock_now();

	c->running = on;
	FOREACH_SLOT(c, s)
		tp_team_enable(&c->team, slot_id(c, s), on && s->wanted && !s->forced_down, now);
	control_event(c, now, on ? "start" : "stop");
}

static int
enable_all(struct control *c, void *arg)
{
	op_enable_all(c, *(const bool *)arg);
	return 0;
}

int
op_start(struct daemon *d, struct error_text *err)
{
	bool on = true;

	if (d->control.running) {
		snprintf(err->text, sizeof(err->text), "already started");
		return -EALREADY;
	}
	return control_call(&d->control, enable_all, &on);
}

/* Nothing waits between host port and members, and nobody is inside. */
bool
op_drained(const struct control *c)
{
	if (!control_nobody(c))
		return false;
	FOREACH_SLOT(c, s) {
		struct rte_ring *ring = c->daemon->fabric->ring[TP_NODE_HOST][slot_id(c, s)];

		if (!s->parked && (!rte_ring_empty(ring) || s->member->egress.nb_hold > 0))
			return false;
	}
	return true;
}

static int
is_drained(struct control *c, void *arg)
{
	(void)arg;
	return op_drained(c);
}

int
op_stop(struct daemon *d, struct error_text *err)
{
	bool on = false;
	int rc;

	if (!d->control.running) {
		snprintf(err->text, sizeof(err->text), "already stopped");
		return -EALREADY;
	}
	control_call(&d->control, enable_all, &on);
	wait_until(d, is_drained, NULL, tp_clock_now() + DRAIN_TIMEOUT_NS);
	control_call(&d->control, rest, NULL);
	rc = op_wait(d, all_halted, NULL);
	if (rc == 0)
		return control_call(&d->control, purge_all, NULL);
	return not_let_go(err, rc, "a port");
}

/* ---- quiesce one port --------------------------------------------------------- */

struct quiesce {
	uint8_t member;
	bool halt;
	bool wanted;
	uint32_t version; /**< distribution without this member */
};

static int
disable_one(struct control *c, void *arg)
{
	struct quiesce *q = arg;
	struct slot *s = &c->slot[q->member];

	s->wanted = q->wanted;
	tp_team_enable(&c->team, q->member, c->running && q->wanted && !s->forced_down,
	                tp_clock_now());
	return 0;
}

static int
left_out(struct control *c, void *arg)
{
	return control_left_out(c, ((struct quiesce *)arg)->member);
}

static int
halt_one(struct control *c, void *arg)
{
	struct quiesce *q = arg;
	struct slot *s = &c->slot[q->member];

	if (q->halt)
		control_halt(s, true);
	else
		control_unhalt(s);
	return 0;
}

static int
is_halted(struct control *c, void *arg)
{
	return control_halted(&c->slot[((struct quiesce *)arg)->member]);
}

static int
port_not_let_go(struct daemon *d, uint8_t member, struct error_text *err, int rc)
{
	char what[16];

	snprintf(what, sizeof(what), "port %u", d->control.slot[member].port.port_id);
	return not_let_go(err, rc, what);
}

int
op_quiesce(struct daemon *d, uint8_t member, struct error_text *err)
{
	struct quiesce q = { .member = member, .halt = true, .wanted = false };
	int rc;

	control_call(&d->control, disable_one, &q);
	rc = op_wait(d, left_out, &q);
	if (rc == 0) {
		control_call(&d->control, halt_one, &q);
		rc = op_wait(d, is_halted, &q);
	}
	if (rc != 0) {
		port_not_let_go(d, member, err, rc);
		op_resume(d, member);
	}
	return rc;
}

void
op_resume(struct daemon *d, uint8_t member)
{
	struct quiesce q = { .member = member, .halt = false, .wanted = true };

	control_call(&d->control, halt_one, &q);
	control_call(&d->control, disable_one, &q);
}

/* The host port: end the epoch, give no new one, wait until nobody is inside. */
static int
evict_all(struct control *c, void *arg)
{
	(void)arg;
	c->host_halted = true; /* an election meanwhile must not give the role away */
	control_hand_over(c, TP_MEMBER_NONE);
	return 0;
}

static int
host_idle(struct control *c, void *arg)
{
	(void)arg;
	return tp_host_idle(c->daemon->host);
}

static int
readmit(struct control *c, void *arg)
{
	(void)arg;
	c->host_halted = false;
	control_hand_over(c, c->primary);
	return 0;
}

int
op_quiesce_host(struct daemon *d, struct error_text *err)
{
	int rc;

	control_call(&d->control, evict_all, NULL);
	rc = op_wait(d, host_idle, NULL);
	if (rc != 0) {
		not_let_go(err, rc, "host port");
		op_resume_host(d);
	}
	return rc;
}

void
op_resume_host(struct daemon *d)
{
	control_call(&d->control, readmit, NULL);
}

/* ---- knobs --------------------------------------------------------------------- */

static int
change_flow(struct control *c, void *arg)
{
	if (c->nb_retired == RTE_DIM(c->retired))
		return -EBUSY;
	c->retired[c->nb_retired++] = c->flow;
	c->flow = arg;
	c->dist_dirty = true;
	return 0;
}

struct conf_change {
	const struct tp_team_conf *conf;
	struct tp_flow *flow;
};

static int
change_conf(struct control *c, void *arg)
{
	struct conf_change *ch = arg;
	int rc;

	if (ch->flow != NULL && c->nb_retired == RTE_DIM(c->retired))
		return -EBUSY;
	rc = tp_team_set_conf(&c->team, ch->conf, tp_clock_now());
	return rc == 0 && ch->flow != NULL ? change_flow(c, ch->flow) : rc;
}

struct tp_flow *
op_make_flow(struct daemon *d, const struct tp_flow_conf *conf)
{
	struct tp_flow_conf trusting = *conf;
	struct tp_flow *flow = tp_flow_create(conf, rte_socket_id());

	if (flow == NULL || !d->control.has_host ||
	                !tp_flow_rss_same(flow, d->control.host_port.port_id))
		return flow;
	tp_flow_free(flow);
	trusting.trust_rss = true;
	return tp_flow_create(&trusting, rte_socket_id());
}

int
op_renew_flow(struct daemon *d, struct error_text *err)
{
	struct tp_flow *flow = op_make_flow(d, &d->control.team.conf.flow);
	int rc = flow == NULL ? -rte_errno : control_call(&d->control, change_flow, flow);

	if (rc == 0)
		return 0;
	tp_flow_free(flow);
	return op_fail(err, rc, "hash function");
}

int
op_set_conf(struct daemon *d, const struct tp_team_conf *conf, struct error_text *err)
{
	struct conf_change ch = { .conf = conf };
	int rc;

	if (tp_team_conf_check(conf, err->text, sizeof(err->text)) != 0)
		return -EINVAL;
	if (memcmp(&conf->flow, &d->control.team.conf.flow, sizeof(conf->flow)) != 0) {
		ch.flow = op_make_flow(d, &conf->flow);
		if (ch.flow == NULL)
			return op_fail(err, -rte_errno, "hash function");
	}
	rc = control_call(&d->control, change_conf, &ch);
	if (rc != 0) {
		tp_flow_free(ch.flow);
		return op_fail(err, rc, "team");
	}
	return 0;
}

struct member_change {
	uint8_t member;
	const struct tp_member_conf *conf;
	const struct tp_link_conf *link;
	bool up;
};

static int
change_member(struct control *c, void *arg)
{
	struct member_change *ch = arg;

	return tp_team_set_member(&c->team, ch->member, ch->conf, tp_clock_now());
}

int
op_set_member(struct daemon *d, uint8_t member, const struct tp_member_conf *conf,
                struct error_text *err)
{
	struct member_change ch = { .member = member, .conf = conf };
	int rc;

	if (tp_member_conf_check(conf, err->text, sizeof(err->text)) != 0)
		return -EINVAL;
	rc = control_call(&d->control, change_member, &ch);
	return rc == 0 ? 0 : op_fail(err, rc, "member");
}

struct watch_change {
	struct slot *slot;
	struct tp_link *link;
	const struct tp_link_conf *conf;
};

static int
change_watch(struct control *c, void *arg)
{
	struct watch_change *ch = arg;

	RTE_SWAP(ch->slot->link, ch->link);
	ch->slot->link_conf = *ch->conf;
	control_obey_watch(c, ch->slot, tp_clock_now());
	return 0;
}

static int
watch_failed(struct error_text *err, const struct port *p, int rc)
{
	const char *why = rc == -ENODEV    ? "netlink: no kernel interface is behind it"
	                  : rc == -ENOTSUP ? "lsc: its driver has no such event"
	                                   : rte_strerror(-rc);

	snprintf(err->text, sizeof(err->text), "port %u (%s): watch %s", p->port_id, p->name, why);
	return rc;
}

int
op_set_watch(struct daemon *d, uint8_t member, const struct tp_link_conf *conf,
                struct error_text *err)
{
	struct watch_change ch = { .slot = &d->control.slot[member], .conf = conf };

	if (tp_link_conf_check(conf, err->text, sizeof(err->text)) != 0)
		return -EINVAL;
	ch.link = op_make_link(&d->control, ch.slot, conf);
	if (ch.link == NULL)
		return watch_failed(err, &ch.slot->port, -rte_errno);
	control_call(&d->control, change_watch, &ch);
	tp_link_destroy(ch.link); /* the old one */
	return 0;
}

static int
force_link(struct control *c, void *arg)
{
	struct member_change *ch = arg;
	struct slot *s = &c->slot[ch->member];
	uint64_t now = tp_clock_now();

	s->forced_down = !ch->up;
	tp_team_enable(&c->team, ch->member, c->running && s->wanted && ch->up, now);
	control_event(c, now, "port %u set link-%s", s->port.port_id, ch->up ? "up" : "down");
	return 0;
}

int
op_set_link(struct daemon *d, uint8_t member, bool up, struct error_text *err)
{
	struct member_change ch = { .member = member, .up = up };
	struct quiesce q = { .member = member };
	struct slot *s = &d->control.slot[member];
	int rc, drained;

	/* First the port, when it is to come up; last, when it goes, so that it is drained. */
	if (up) {
		rc = rte_eth_dev_set_link_up(s->port.port_id);
		if (rc != 0 && rc != -ENOTSUP)
			return op_fail(err, rc, "link-up");
		return control_call(&d->control, force_link, &ch);
	}
	control_call(&d->control, force_link, &ch);
	drained = op_wait(d, left_out, &q);
	rc = rte_eth_dev_set_link_down(s->port.port_id);
	if (rc != 0 && rc != -ENOTSUP)
		return op_fail(err, rc, "link-down");
	return drained == 0 ? 0 : port_not_let_go(d, member, err, drained);
}
