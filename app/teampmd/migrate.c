/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Migration in the daemon: where connections may be, as control sees it, what it hears of ends, and
 * moving some off a busy lcore.
 */

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "control_int.h"

/* Ends that are told one by one, in a second; all are counted. */
#define ENDS_A_SECOND 5
/* The lcores' loads are compared so often. */
#define LOAD_PERIOD_NS TP_NS_PER_S

static enum tp_toe_place
place_of(const struct control *c, const struct slot *s)
{
	const struct tp_team_member *m = &c->team.member[slot_id(c, s)];

	if (!m->used || !m->enabled || !m->link || m->fenced)
		return TP_TOE_DOWN;
	return s->draining ? TP_TOE_DRAIN : TP_TOE_ACTIVE;
}

static void
end_text(const uint8_t addr[16], rte_be16_t port, char *text, size_t size)
{
	char ip[INET6_ADDRSTRLEN];

	if (tp_inet_is_v4(addr))
		snprintf(text, size, "%s:%u", inet_ntop(AF_INET, addr + 12, ip, sizeof(ip)),
		                ntohs(port));
	else
		snprintf(text, size, "[%s]:%u", inet_ntop(AF_INET6, addr, ip, sizeof(ip)),
		                ntohs(port));
}

/* Claim B6. */
static void
on_end(void *arg, const struct tp_toe_end *end)
{
	struct control *c = arg;
	struct migrate *m = &c->migrate;
	uint64_t now = tp_clock_now();
	char local[64], remote[64];

	if (now / TP_NS_PER_S != m->ends_second) {
		m->ends_second = now / TP_NS_PER_S;
		m->nb_ends = 0;
	}
	m->last_end = *end;
	m->last_end_ns = now;
	if (m->nb_ends++ >= ENDS_A_SECOND)
		return;
	end_text(end->key.laddr, end->key.lport, local, sizeof(local));
	end_text(end->key.raddr, end->key.rport, remote, sizeof(remote));
	control_event(c, now, "connection %s %s ended: %s%s", local, remote,
	                tp_tcp_reason_text(end->reason),
	                m->nb_ends == ENDS_A_SECOND ? " (more this second are only counted)" : "");
}

void
migrate_init(struct control *c)
{
	struct tp_toe_move_conf conf;

	tp_toe_get_move(c->daemon->toe, &conf);
	c->migrate.after = conf.after;
	tp_toe_on_end(c->daemon->toe, on_end, c);
}

/* ---- busy lcores --------------------------------------------------------------- */

static uint32_t
busy_permille(struct migrate *m, uint8_t member, const struct tp_load *load)
{
	uint64_t busy = load->busy_cycles - m->busy_last[member];
	uint64_t total = load->total_cycles - m->total_last[member];

	m->busy_last[member] = load->busy_cycles;
	m->total_last[member] = load->total_cycles;
	return total == 0 || busy > total ? 0 : busy * 1000 / total;
}

static void
rebalance(struct control *c, uint64_t now)
{
	struct tp_toe_load load[TP_MAX_MEMBERS];
	struct tp_toe_shift shift;
	uint8_t nb = 0;

	if (now < c->migrate.load_due)
		return;
	c->migrate.load_due = now + LOAD_PERIOD_NS;
	FOREACH_SLOT(c, s) {
		uint8_t id = slot_id(c, s);
		uint32_t busy = busy_permille(&c->migrate, id, &s->member->load);

		if (place_of(c, s) == TP_TOE_ACTIVE)
			load[nb++] = (struct tp_toe_load){ .member = id,
				.busy_permille = busy,
				.nb_conns = tp_toe_nb_conns(c->daemon->toe, id) };
	}
	if (!c->migrate.rebalance || !tp_toe_rebalance(load, nb, &shift))
		return;
	tp_toe_shed(c->daemon->toe, shift.from, shift.to, shift.nb);
}

/* ---- the turn -------------------------------------------------------------------- */

unsigned int
migrate_step(struct control *c, uint64_t now)
{
	FOREACH_SLOT(c, s)
		tp_toe_set_place(c->daemon->toe, slot_id(c, s), place_of(c, s));
	rebalance(c, now);
	return tp_toe_manage(c->daemon->toe, now);
}
