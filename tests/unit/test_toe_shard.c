/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A member's shard and its end (lib/toe/shard.c). */

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test_toe.h"

static uint32_t
close_member(uint8_t member)
{
	struct tp_toe_shard *s = shard(member);

	team.member[member].shard = NULL;
	return tp_toe_shard_free(s);
}

static void
test_two_shards_for_one_member(void **state)
{
	static const struct rte_ether_addr mac;

	(void)state;
	assert_null(tp_toe_shard_create(
	                team.toe, 0, SOCKET_ID_ANY, test_pool(), NULL, &mac, shard(0)->ops, NULL));
	assert_int_equal(rte_errno, EINVAL);
	assert_null(tp_toe_shard_create(team.toe, TP_MAX_MEMBERS, SOCKET_ID_ANY, test_pool(), NULL,
	                &mac, shard(0)->ops, NULL));
	assert_int_equal(rte_errno, EINVAL);
	close_member(0);
	fake_member_open(&team, 0);
}

static void
test_bad_sizes_are_named(void **state)
{
	const char *why = NULL;

	(void)state;
	conf.max_conns = 63;
	assert_null(tp_toe_create(&conf, team.inet, team.qsbr, NULL, NULL, &why));
	assert_int_equal(rte_errno, EINVAL);
	assert_string_equal(why, "max_conns");
	conf.max_conns = 1 << 24;
	assert_null(tp_toe_create(&conf, team.inet, team.qsbr, NULL, NULL, &why));
	assert_string_equal(why, "max_conns");
	fake_team_conf(&conf);
	conf.max_listeners = 0;
	assert_null(tp_toe_create(&conf, team.inet, team.qsbr, NULL, NULL, &why));
	assert_string_equal(why, "max_listeners");
	conf.max_listeners = MAX_LISTENERS + 1;
	assert_null(tp_toe_create(&conf, team.inet, team.qsbr, NULL, NULL, &why));
	assert_string_equal(why, "max_listeners");
	fake_team_conf(&conf);
	conf.move.hysteresis_ms = TP_TOE_HYSTERESIS_MAX_MS + 1;
	assert_null(tp_toe_create(&conf, team.inet, team.qsbr, NULL, NULL, &why));
	assert_string_equal(why, "hysteresis_ms");
}

static void
test_its_end_ends_its_connections(void **state)
{
	struct fake_peer p[3];

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		toe_conn(&p[i], i, i % 2);
	assert_int_equal(close_member(0), 2);
	assert_int_equal(told.closed, 2);
	assert_int_equal(told.reason, TP_TCP_R_ABORT);
	assert_int_equal(team.nb_sent, 0);
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 0);
	assert_int_equal(tp_toe_nb_conns(team.toe, 1), 1);
	toe_settle();
	assert_int_equal(told.nb_ends, 2);
	assert_int_equal(told.end.reason, TP_TCP_R_ABORT);
}

/* Its user has ended it just before, and the lcore did not come to it any more. */
static void
test_its_end_is_told_for_what_had_closed(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	fake_say(&team, &p, 0, TP_TCP_ACK | TP_TCP_PSH, 10);
	toe_post(id, toe_call_abort, NULL);
	assert_int_equal(close_member(0), 1);
	assert_int_equal(told.closed, 1);
	assert_int_equal(told.reason, TP_TCP_R_ABORT);
	assert_word(id, FREE, TP_MEMBER_NONE);
}

static void
test_a_reset_before_its_end_stays_the_reason(void **state)
{
	struct fake_peer p;

	(void)state;
	toe_conn(&p, 0, 0);
	fake_say(&team, &p, 0, TP_TCP_RST | TP_TCP_ACK, 0);
	assert_int_equal(told.closed, 0);
	assert_int_equal(close_member(0), 1);
	assert_int_equal(told.closed, 1);
	assert_int_equal(told.reason, TP_TCP_R_RESET);
}

static void
test_what_is_on_its_way_from_it_ends_too(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	assert_true(conn_release(shard(0), (uint32_t)id, 0, 1, TP_TOE_WHY_COMMAND));
	fake_turn(&team, 1);
	assert_word(id, OWN, 1);
	assert_int_equal(close_member(0), 0); /* it was adopted before */
	assert_int_equal(told.closed, 0);
	fake_say(&team, &p, 1, TP_TCP_ACK | TP_TCP_PSH, 10);
	toe_settle();
	assert_int_equal(told.bytes, 10);
}

static void
test_slots_are_used_again(void **state)
{
	struct fake_peer p;

	(void)state;
	for (unsigned int i = 0; i < 3 * conf.max_conns; i++) {
		toe_conn(&p, i, 0);
		fake_say(&team, &p, 0, TP_TCP_RST | TP_TCP_ACK, 0);
		toe_settle();
	}
	assert_int_equal(told.accepted, 3 * conf.max_conns);
	assert_int_equal(told.closed, 3 * conf.max_conns);
	assert_int_equal(shard(0)->nb_fresh, 1);
	assert_int_equal(counted(0, TP_TOE_C_CONNS_OPENED), 3 * conf.max_conns);
	assert_int_equal(counted(0, TP_TOE_C_CONNS_CLOSED), 3 * conf.max_conns);
}

/* Egress takes so many a turn: the rest is sent later, by all of them in turn. */
static void
test_no_room_to_send(void **state)
{
	uint32_t len = 100;
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	team.member[0].room = 0;
	toe_post(id, toe_send_bytes, &len);
	toe_settle();
	assert_int_equal(team.nb_sent, 0);
	team.member[0].room = 1;
	toe_settle();
	assert_int_equal(team.nb_sent, 1);
	assert_int_equal(fake_last(&team, p.port)->len, 100);
}

/* ---- why they end (claim B6) ------------------------------------------------------------ */

static void
assert_ended(tp_toe_id id, const struct fake_peer *p, uint8_t member, enum tp_tcp_reason reason)
{
	uint64_t ends[TP_TCP_NB_REASONS];

	assert_int_equal(told.closed, 1);
	assert_string_equal(tp_tcp_reason_name(told.reason), tp_tcp_reason_name(reason));
	assert_int_equal(told.nb_ends, 1);
	assert_true(told.end.id == id);
	assert_int_equal(told.end.member, member);
	assert_int_equal(told.end.key.rport, rte_cpu_to_be_16(p->port));
	assert_string_equal(tp_tcp_reason_name(told.end.reason), tp_tcp_reason_name(reason));
	tp_toe_ends(team.toe, ends);
	for (unsigned int i = 0; i < TP_TCP_NB_REASONS; i++)
		assert_int_equal(ends[i], i == reason);
	assert_int_equal(counted(member, TP_TOE_C_CONNS_PREMATURE), 1);
	assert_int_equal(counted(member, TP_TOE_C_CONNS_CLOSED), 1);
	assert_int_equal(tp_toe_nb_conns(team.toe, member), 0);
}

static void
test_ends_by_the_peers_reset(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	fake_say(&team, &p, 2, TP_TCP_RST | TP_TCP_ACK, 0);
	toe_settle();
	assert_ended(id, &p, 1, TP_TCP_R_RESET);
	assert_int_equal(team.nb_sent, 0);
}

static void
test_ends_by_its_user(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	toe_post(id, toe_call_abort, NULL);
	toe_settle();
	assert_ended(id, &p, 1, TP_TCP_R_ABORT);
	assert_int_equal(fake_nb_sent(&team, p.port, TP_TCP_RST), 1);
}

static void
test_ends_when_nothing_is_acknowledged(void **state)
{
	uint32_t len = 100;
	struct fake_peer p;
	tp_toe_id id;

	(void)state;
	conf.tcp.retries = 3;
	toe_reopen();
	id = toe_conn(&p, 0, 1);
	toe_post(id, toe_send_bytes, &len);
	for (unsigned int i = 0; i < 100 && told.closed == 0; i++) {
		toe_settle();
		fake_wait(&team, SEC);
	}
	toe_settle();
	assert_ended(id, &p, 1, TP_TCP_R_TIMEOUT);
}

static void
test_ends_when_no_probe_is_answered(void **state)
{
	struct fake_peer p;
	tp_toe_id id;

	(void)state;
	conf.tcp.keepalive = true;
	conf.tcp.keep_idle_ns = 10 * SEC;
	conf.tcp.keep_intvl_ns = SEC;
	conf.tcp.keep_probes = 2;
	toe_reopen();
	id = toe_conn(&p, 0, 1);
	for (unsigned int i = 0; i < 100 && told.closed == 0; i++) {
		toe_settle();
		fake_wait(&team, SEC);
	}
	toe_settle();
	assert_ended(id, &p, 1, TP_TCP_R_KEEPALIVE);
}

static void
test_ends_when_it_is_torn(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	team.home = 2;
	atomic_store(&shard(1)->cur, (uint32_t)id);
	toe_stop(1);
	toe_settle();
	assert_ended(id, &p, 2, TP_TCP_R_TORN);
	assert_int_equal(counted(1, TP_TOE_C_TORN), 1);
}

/* Both sides have closed: that is no event. */
static void
test_a_proper_end_is_no_event(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	fake_say(&team, &p, 1, TP_TCP_ACK | TP_TCP_FIN, 0);
	toe_settle();
	assert_int_equal(told.eofs, 1);
	toe_post(id, toe_call_close, NULL);
	toe_settle();
	fake_hear(&team, &p);
	fake_say(&team, &p, 1, TP_TCP_ACK, 0);
	toe_settle();
	assert_int_equal(told.closed, 1);
	assert_int_equal(told.reason, TP_TCP_R_DONE);
	assert_int_equal(told.nb_ends, 0);
	assert_int_equal(counted(1, TP_TOE_C_CONNS_PREMATURE), 0);
	assert_int_equal(counted(1, TP_TOE_C_CONNS_CLOSED), 1);
}

/* TIME_WAIT is told as the end at once; what comes after that is nobody's. */
static void
test_time_wait_goes_on_without_its_user(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	toe_post(id, toe_call_close, NULL);
	toe_settle();
	fake_hear(&team, &p);
	fake_say(&team, &p, 1, TP_TCP_ACK | TP_TCP_FIN, 0);
	toe_settle();
	assert_int_equal(told.closed, 1);
	assert_int_equal(told.reason, TP_TCP_R_DONE);
	assert_int_equal(tp_toe_nb_conns(team.toe, 1), 1);
	assert_word(id, OWN, 1);
	assert_true(handle_id(team.toe, (uint32_t)id) != id); /* its id names it no more */
	fake_wait(&team, 2 * conf.tcp.msl_ns + SEC);
	toe_settle();
	assert_int_equal(tp_toe_nb_conns(team.toe, 1), 0);
	assert_int_equal(told.closed, 1);
	assert_int_equal(told.nb_ends, 0);
}

static void
test_ends_without_a_letter_are_counted(void **state)
{
	static void *all[32768];
	uint64_t ends[TP_TCP_NB_REASONS];
	unsigned int nb = 0;
	struct fake_peer p;

	(void)state;
	toe_conn(&p, 0, 1);
	while (nb < RTE_DIM(all) && rte_mempool_get(team.toe->mails, &all[nb]) == 0)
		nb++;
	fake_say(&team, &p, 1, TP_TCP_RST | TP_TCP_ACK, 0);
	toe_settle();
	assert_int_equal(told.closed, 1);
	assert_int_equal(told.nb_ends, 0);
	tp_toe_ends(team.toe, ends);
	assert_int_equal(ends[TP_TCP_R_RESET], 1);
	rte_mempool_put_bulk(team.toe->mails, all, nb);
}

/* Those that are there keep theirs. */
static void
test_mtu_is_for_new_connections(void **state)
{
	struct fake_peer p[2];
	tp_toe_id old = toe_conn(&p[0], 0, 1), young;

	(void)state;
	assert_int_equal(conn_of(old)->pmtu, 1500);
	tp_toe_set_mtu(team.toe, 1280);
	young = toe_conn(&p[1], 1, 1);
	assert_int_equal(conn_of(young)->pmtu, 1280);
	assert_int_equal(conn_of(old)->pmtu, 1500);
	tp_toe_set_mtu(team.toe, 9000);
	young = toe_conn(&p[0], 2, 0);
	assert_int_equal(conn_of(young)->pmtu, 9000);
}

/* Memory is made ahead only where there is someone to take over, and something to be taken. */
static void
test_memory_is_made_ahead(void **state)
{
	struct fake_peer p;
	size_t ready[FAKE_MEMBERS];
	unsigned int calls = 0;

	(void)state;
	assert_false(tp_toe_prepare(team.toe)); /* no connection */
	for (uint8_t i = 0; i < FAKE_MEMBERS; i++)
		ready[i] = shard(i)->conn_ready;
	toe_conn(&p, 0, 1);
	/* Each call is one piece; all of it is bounded by the tables. */
	while (tp_toe_prepare(team.toe))
		assert_true(++calls < 1000);
	assert_true(calls > 0);
	for (uint8_t i = 0; i < FAKE_MEMBERS; i++) {
		assert_true(shard(i)->conn_ready > ready[i]);
		assert_true(shard(i)->conn_ready >= 2 * sizeof(shard(i)->conn[0]));
	}
	assert_false(tp_toe_prepare(team.toe)); /* until more is needed */
}

static void
test_nothing_is_made_ahead_for_one_alone(void **state)
{
	struct fake_peer p;

	(void)state;
	toe_conn(&p, 0, 1);
	toe_stop(0);
	toe_stop(2);
	assert_false(tp_toe_prepare(team.toe));
}

/* Sums of all shards, those that have gone too. */
static void
test_inet_counters_outlive_a_shard(void **state)
{
	uint64_t mib[TP_INET_NB_MIB], before[TP_INET_NB_MIB];

	(void)state;
	tp_toe_inet_mib(team.toe, before);
	/* Owned by the workers; here is one thread. */
	((uint64_t *)(uintptr_t)tp_inet_worker_mib(shard(0)->inet))[TP_INET_M_IN_ECHOS] += 3;
	((uint64_t *)(uintptr_t)tp_inet_worker_mib(shard(2)->inet))[TP_INET_M_IN_ECHOS] += 4;
	((uint64_t *)(uintptr_t)tp_inet_worker_mib(shard(2)->inet))[TP_INET_NB_MIB - 1] += 5;
	for (unsigned int round = 0; round < 2; round++) {
		memset(mib, 0xee, sizeof(mib));
		tp_toe_inet_mib(team.toe, mib);
		for (unsigned int i = 0; i < TP_INET_NB_MIB; i++)
			assert_int_equal(mib[i] - before[i], i == TP_INET_M_IN_ECHOS   ? 7
			                                     : i == TP_INET_NB_MIB - 1 ? 5
			                                                               : 0);
		if (round == 0)
			close_member(2);
	}
}

#ifdef NDEBUG
static void
test_a_stranger_is_told_off(void **state)
{
	(void)state;
	print_message("skipped: owners are checked in debug builds\n");
	skip();
}
#else
/* In a child, which is to abort. */
static bool
is_told_off(void *(*work)(void *), void *arg, bool other_thread)
{
	pid_t pid = fork();
	pthread_t thread;
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		fclose(stderr);
		signal(SIGABRT, SIG_DFL);
		if (other_thread && pthread_create(&thread, NULL, work, arg) == 0)
			pthread_join(thread, NULL);
		else
			work(arg);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void *
take_a_turn(void *arg)
{
	fake_turn(&team, *(uint8_t *)arg);
	return NULL;
}

static void *
meddle(void *arg)
{
	check_owner(shard(1), (uint32_t) * (tp_toe_id *)arg);
	return NULL;
}

/* Claim B2: a connection is written to by its owner only, on its thread. */
static void
test_a_stranger_is_told_off(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	uint8_t member = 0;

	(void)state;
	assert_true(is_told_off(meddle, &id, false));
	fake_say(&team, &p, 0, TP_TCP_ACK | TP_TCP_PSH, 1);
	assert_true(is_told_off(take_a_turn, &member, true));
	assert_false(is_told_off(take_a_turn, &member, false));
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		toe_test(test_two_shards_for_one_member),
		toe_test(test_bad_sizes_are_named),
		toe_test(test_its_end_ends_its_connections),
		toe_test(test_its_end_is_told_for_what_had_closed),
		toe_test(test_a_reset_before_its_end_stays_the_reason),
		toe_test(test_what_is_on_its_way_from_it_ends_too),
		toe_test(test_slots_are_used_again),
		toe_test(test_no_room_to_send),
		toe_test(test_ends_by_the_peers_reset),
		toe_test(test_ends_by_its_user),
		toe_test(test_ends_when_nothing_is_acknowledged),
		toe_test(test_ends_when_no_probe_is_answered),
		toe_test(test_ends_when_it_is_torn),
		toe_test(test_a_proper_end_is_no_event),
		toe_test(test_time_wait_goes_on_without_its_user),
		toe_test(test_ends_without_a_letter_are_counted),
		toe_test(test_mtu_is_for_new_connections),
		toe_test(test_memory_is_made_ahead),
		toe_test(test_nothing_is_made_ahead_for_one_alone),
		toe_test(test_inet_counters_outlive_a_shard),
		toe_test(test_a_stranger_is_told_off),
	};

	return toe_run(tests);
}
