/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Migration in the daemon (app/teampmd/migrate.c): where connections may be by what control knows of
 * the members, what is told of ends, and when a busy lcore sheds some. The engine is a real one.
 */

#include "app.h"
#include "manage.h"
#include "test_toe.h"

static struct daemon d;
static struct tp_member members[FAKE_MEMBERS];

static int
setup(void **state)
{
	struct control *c = &d.control;
	int rc = toe_setup(state);

	memset(&d, 0, sizeof(d));
	memset(members, 0, sizeof(members));
	d.toe = team.toe;
	c->daemon = &d;
	for (uint8_t i = 0; i < FAKE_MEMBERS; i++) {
		c->slot[i].used = true;
		c->slot[i].member = &members[i];
		c->team.member[i].used = c->team.member[i].enabled = c->team.member[i].link = true;
	}
	migrate_init(c);
	return rc;
}

#define app_test(f) cmocka_unit_test_setup_teardown(f, setup, toe_teardown)

static uint32_t
usable(void)
{
	migrate_step(&d.control, team.now);
	return atomic_load(&team.toe->usable);
}

/* ---- places ------------------------------------------------------------------------- */

static void
test_a_member_without_link_takes_none(void **state)
{
	struct tp_team_member *m = &d.control.team.member[1];

	(void)state;
	assert_int_equal(usable(), 7);
	m->link = false;
	assert_int_equal(usable(), 5);
	m->link = true;
	m->enabled = false;
	assert_int_equal(usable(), 5);
	m->enabled = true;
	m->fenced = true;
	assert_int_equal(usable(), 5);
	m->fenced = false;
	m->used = false;
	assert_int_equal(usable(), 5);
	m->used = true;
	assert_int_equal(usable(), 7);
}

/* Its connections leave it, each with what it has in flight. */
static void
test_connections_leave_a_dead_link(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);
	uint32_t len = 100;

	(void)state;
	usable();
	toe_post(id, toe_send_bytes, &len);
	toe_settle();
	fake_forget(&team);
	d.control.team.member[1].link = false;
	for (unsigned int i = 0; i < 8; i++) {
		usable();
		toe_settle();
	}
	assert_true(WORD_MEMBER(word_of_id(id)) != 1);
	assert_int_equal(fake_last(&team, 1024)->len, 100); /* probed at once */
	assert_int_equal(told.closed, 0);
}

static void
test_a_drained_member_is_left_in_peace(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 2);

	(void)state;
	d.control.slot[2].draining = true;
	assert_int_equal(usable(), 3);
	for (unsigned int i = 0; i < 8; i++) {
		usable();
		toe_settle();
	}
	assert_true(WORD_MEMBER(word_of_id(id)) != 2);
	assert_int_equal(team.nb_sent, 0); /* its link is well: no probe */
	/* Without a link it is no drain any more, but down. */
	d.control.team.member[2].link = false;
	assert_int_equal(usable(), 3);
	d.control.team.member[2].link = true;
	d.control.slot[2].draining = false;
	assert_int_equal(usable(), 7);
}

/* A slot that nobody uses says nothing of the engine's member. */
static void
test_free_slots_have_no_place(void **state)
{
	(void)state;
	assert_int_equal(usable(), 7);
	d.control.slot[0].used = false;
	d.control.team.member[0].link = false;
	assert_int_equal(usable(), 7);
}

/* ---- ends ------------------------------------------------------------------------------ */

static const char *
last_event(void)
{
	assert_true(d.control.nb_events > 0);
	return d.control.events[(d.control.nb_events - 1) % NB_EVENTS].text;
}

/* Claim B6. */
static void
test_a_reset_is_told(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 7, 0);

	(void)state;
	fake_hear(&team, &p);
	fake_say(&team, &p, 0, TP_TCP_RST, 0);
	toe_settle();
	for (unsigned int i = 0; i < 4; i++)
		migrate_step(&d.control, team.now);
	assert_int_equal(d.control.nb_events, 1);
	assert_string_equal(last_event(),
	                "connection 10.0.0.1:80 10.0.0.2:1031 ended: the peer reset it");
	assert_true(d.control.migrate.last_end.id == id);
	assert_true(d.control.migrate.last_end_ns != 0);
}

static void
end(uint16_t rport, enum tp_tcp_reason reason)
{
	struct tp_toe_end e = { .id = rport, .reason = reason };

	e.key = (struct tp_tcp_key){ .laddr = { 0x20, 1, [15] = 1 },
		.raddr = { 0x20, 1, [15] = 2 },
		.lport = rte_cpu_to_be_16(443),
		.rport = rte_cpu_to_be_16(rport) };
	team.toe->manager->on_end(team.toe->manager->on_end_arg, &e);
}

static void
test_ends_over_v6(void **state)
{
	(void)state;
	end(40000, TP_TCP_R_KEEPALIVE);
	assert_string_equal(last_event(), "connection [2001::1]:443 [2001::2]:40000 ended: "
	                                  "the peer answered no keepalive probe");
}

/* So many a second one by one, but the newest is known always. */
static void
test_a_flood_of_ends_is_told_in_short(void **state)
{
	struct migrate *m = &d.control.migrate;
	unsigned int nb = 0;

	(void)state;
	/* The second may change meanwhile, once. */
	for (uint16_t i = 1; i <= 40; i++)
		end(i, TP_TCP_R_RESET);
	assert_in_range(d.control.nb_events, 5, 10);
	for (unsigned int i = 0; i < d.control.nb_events; i++)
		nb += strstr(d.control.events[i].text, "only counted") != NULL;
	assert_in_range(nb, 1, 2);
	assert_non_null(strstr(d.control.events[4].text, " (more this second are only counted)"));
	assert_true(m->last_end.id == 40);
	/* A second later it begins anew. */
	nb = d.control.nb_events;
	m->ends_second--;
	end(50, TP_TCP_R_RESET);
	assert_int_equal(d.control.nb_events, nb + 1);
	assert_null(strstr(last_event(), "only counted"));
}

/* ---- busy lcores --------------------------------------------------------------------------- */

#define CONNS 16

static void
open_some(uint8_t member)
{
	struct fake_peer p;

	for (uint16_t i = 0; i < CONNS; i++)
		toe_conn(&p, i, member);
}

static void
worked(uint8_t member, uint64_t busy, uint64_t total)
{
	members[member].load.busy_cycles += busy;
	members[member].load.total_cycles += total;
}

/* Control's turns until nothing moves. @return connections on member 0 */
static uint32_t
left(void)
{
	for (unsigned int i = 0; i < 8; i++) {
		migrate_step(&d.control, team.now);
		toe_settle();
	}
	return tp_toe_nb_conns(team.toe, 0);
}

static void
test_a_busy_lcore_sheds_some(void **state)
{
	(void)state;
	usable();
	open_some(0);
	d.control.migrate.rebalance = true;
	d.control.migrate.load_due = 0;
	worked(0, 950, 1000);
	worked(1, 100, 1000);
	worked(2, 500, 1000);
	/* A quarter of them at most, all to the idlest. */
	assert_int_equal(left(), CONNS - CONNS / 4);
	assert_int_equal(tp_toe_nb_conns(team.toe, 1), CONNS / 4);
	/* What it did before that counts no more, nor does it look again within a second. */
	worked(0, 950, 1000);
	assert_int_equal(left(), CONNS - CONNS / 4);
	team.now += TP_NS_PER_S - 1;
	assert_int_equal(left(), CONNS - CONNS / 4);
	worked(0, 0, 1000);
	team.now += 1;
	assert_int_equal(left(), CONNS - CONNS / 4); /* 475 of 1000 */
}

static void
test_none_is_shed_unless_asked(void **state)
{
	(void)state;
	usable();
	open_some(0);
	d.control.migrate.load_due = 0;
	worked(0, 950, 1000);
	assert_int_equal(left(), CONNS);
	/* But how busy it was is noted: a later order begins from there. */
	d.control.migrate.rebalance = true;
	worked(0, 100, 1000);
	team.now += TP_NS_PER_S;
	assert_int_equal(left(), CONNS);
	assert_int_equal(d.control.migrate.busy_last[0], 1050);
	assert_int_equal(d.control.migrate.total_last[0], 2000);
}

/* Nothing goes to a member that takes none, however idle. */
static void
test_none_is_shed_to_a_dead_link(void **state)
{
	(void)state;
	d.control.team.member[1].link = false;
	usable();
	open_some(0);
	d.control.migrate.rebalance = true;
	d.control.migrate.load_due = 0;
	worked(0, 950, 1000);
	worked(1, 0, 1000);
	worked(2, 500, 1000);
	assert_true(left() < CONNS);
	assert_int_equal(tp_toe_nb_conns(team.toe, 1), 0);
	assert_true(tp_toe_nb_conns(team.toe, 2) > 0);
}

/* A lcore that was replaced counts from zero: no load, rather than an absurd one. */
static void
test_counters_that_fall_say_nothing(void **state)
{
	(void)state;
	usable();
	open_some(0);
	d.control.migrate.rebalance = true;
	d.control.migrate.load_due = 0;
	d.control.migrate.busy_last[0] = d.control.migrate.total_last[0] = 5000;
	worked(0, 4500, 5100);
	assert_int_equal(left(), CONNS);
	assert_int_equal(d.control.migrate.busy_last[0], 4500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		app_test(test_a_member_without_link_takes_none),
		app_test(test_connections_leave_a_dead_link),
		app_test(test_a_drained_member_is_left_in_peace),
		app_test(test_free_slots_have_no_place),
		app_test(test_a_reset_is_told),
		app_test(test_ends_over_v6),
		app_test(test_a_flood_of_ends_is_told_in_short),
		app_test(test_a_busy_lcore_sheds_some),
		app_test(test_none_is_shed_unless_asked),
		app_test(test_none_is_shed_to_a_dead_link),
		app_test(test_counters_that_fall_say_nothing),
	};

	return toe_run(tests);
}
