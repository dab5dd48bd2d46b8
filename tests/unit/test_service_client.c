/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Load clients (app/teampmd/svc_client.c) against a peer that answers by hand. */

#include "test_service.h"

#define SERVER 7

static struct client_result result;

static struct client_conf
client(enum client_kind kind)
{
	return (struct client_conf){ .kind = kind,
		.addr = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2 },
		.port = SERVER,
		.size = 10,
		.nb_conns = 1,
		.seconds = 60 };
}

static void
start(const struct client_conf *c)
{
	assert_int_equal(client_start(team.toe, c, conf.max_conns), 0);
	toe_settle();
}

/* The server takes the connection that was begun last. */
static void
take_it(void)
{
	const struct fake_sent *syn = fake_last(&team, SERVER);

	assert_non_null(syn);
	assert_true(syn->flags & TP_TCP_SYN);
	peer = (struct fake_peer){ .port = SERVER, .to = syn->lport, .seq = 500 };
	fake_hear(&team, &peer);
	fake_forget(&team);
	fake_say(&team, &peer, 0, TP_TCP_SYN | TP_TCP_ACK, 0);
	toe_settle();
}

static void
look(void)
{
	client_result(team.now, &result);
}

/* Nothing is left of a run for the next test. */
static int
teardown(void **state)
{
	int rc;

	client_stop();
	rc = toe_teardown(state);
	look();
	return result.nb_open == 0 ? rc : -1;
}

#define client_test(f) cmocka_unit_test_setup_teardown(f, toe_setup, teardown)

static void
answer(uint16_t len)
{
	fake_hear(&team, &peer);
	fake_forget(&team);
	fake_say(&team, &peer, 0, TP_TCP_ACK | TP_TCP_PSH, len);
	toe_settle();
}

static void
test_kinds_have_names(void **state)
{
	(void)state;
	assert_int_equal(client_kind_parse("rr"), CLIENT_RR);
	assert_int_equal(client_kind_parse("crr"), CLIENT_CRR);
	assert_int_equal(client_kind_parse("stream"), CLIENT_STREAM);
	assert_int_equal(client_kind_parse("r"), -EINVAL);
}

static void
test_rr_asks_again_when_it_is_answered(void **state)
{
	struct client_conf c = client(CLIENT_RR);

	(void)state;
	start(&c);
	take_it();
	assert_int_equal(team.nb_text, 10);
	fake_wait(&team, 3 * MS);
	answer(4);
	assert_int_equal(team.nb_text, 0);
	answer(6); /* now it is complete */
	assert_int_equal(team.nb_text, 10);
	fake_wait(&team, MS);
	answer(10);
	look();
	assert_string_equal(result.kind, "rr");
	assert_int_equal(result.nb_open, 1);
	assert_int_equal(result.transactions, 2);
	assert_int_equal(result.bytes_out, 30);
	assert_int_equal(result.bytes_in, 20);
	assert_int_equal(result.latency_max_ns, 3 * MS);
	assert_int_equal(result.latency_mean_ns, 2 * MS);
	assert_int_equal(result.elapsed_ns, 4 * MS);
	assert_int_equal(result.failed, 0);
}

/* The message comes back, in two pieces; then with one octet changed. */
static void
test_an_answer_that_differs_is_wrong(void **state)
{
	static uint8_t content[SERVICE_CONTENT_LEN];
	struct client_conf c = client(CLIENT_RR);

	(void)state;
	service_content(content);
	start(&c);
	take_it();
	assert_memory_equal(team.text, content, 10);
	fake_hear(&team, &peer);
	fake_write(&team, &peer, 0, content, 4);
	fake_write(&team, &peer, 0, content + 4, 6);
	toe_settle();
	look();
	assert_int_equal(result.transactions, 1);
	assert_int_equal(result.wrong, 0);
	content[9] ^= 1;
	fake_write(&team, &peer, 0, content, 10);
	toe_settle();
	look();
	assert_int_equal(result.transactions, 2);
	assert_int_equal(result.wrong, 1);
	content[9] ^= 1;
	fake_write(&team, &peer, 0, content, 10);
	toe_settle();
	look();
	assert_int_equal(result.transactions, 3);
	assert_int_equal(result.wrong, 1);
}

static void
test_rr_closes_when_its_time_is_over(void **state)
{
	struct client_conf c = client(CLIENT_RR);

	(void)state;
	start(&c);
	take_it();
	fake_wait(&team, 60 * SEC - MS);
	toe_settle();
	assert_int_equal(client_start(team.toe, &c, conf.max_conns), -EBUSY);
	fake_wait(&team, MS);
	answer(10);
	assert_int_equal(fake_nb_sent(&team, SERVER, TP_TCP_FIN), 1);
	answer(0);
	fake_say(&team, &peer, 0, TP_TCP_ACK | TP_TCP_FIN, 0);
	toe_settle();
	look();
	assert_int_equal(result.nb_open, 0);
	assert_int_equal(result.failed, 0);
	assert_int_equal(result.transactions, 1);
	fake_wait(&team, 10 * SEC);
	look();
	assert_int_equal(result.elapsed_ns, 60 * SEC); /* not what went by since then */
}

static void
test_a_reset_is_counted_as_failed(void **state)
{
	struct client_conf c = client(CLIENT_RR);

	(void)state;
	start(&c);
	take_it();
	answer(10);
	fake_say(&team, &peer, 0, TP_TCP_RST | TP_TCP_ACK, 0);
	toe_settle();
	look();
	assert_int_equal(result.failed, 1);
	assert_int_equal(result.nb_open, 0);
	assert_int_equal(result.transactions, 1);
	/* The next run begins at nothing. */
	start(&c);
	look();
	assert_int_equal(result.failed, 0);
	assert_int_equal(result.transactions, 0);
	assert_int_equal(result.nb_open, 1);
}

static void
test_crr_connects_anew_for_each(void **state)
{
	struct client_conf c = client(CLIENT_CRR);
	uint16_t first;

	(void)state;
	start(&c);
	take_it();
	first = peer.to;
	answer(10);
	assert_int_equal(fake_nb_sent(&team, SERVER, TP_TCP_FIN), 1);
	answer(0);
	fake_forget(&team);
	fake_say(&team, &peer, 0, TP_TCP_ACK | TP_TCP_FIN, 0);
	toe_settle();
	assert_int_equal(fake_nb_sent(&team, SERVER, TP_TCP_SYN), 1);
	take_it();
	assert_int_not_equal(peer.to, first);
	answer(10);
	look();
	assert_int_equal(result.transactions, 2);
	assert_int_equal(result.failed, 0);
	assert_int_equal(result.nb_open, 1);
	/* Begins nothing more. */
	client_stop();
	answer(0);
	fake_forget(&team);
	fake_say(&team, &peer, 0, TP_TCP_ACK | TP_TCP_FIN, 0);
	toe_settle();
	assert_int_equal(fake_nb_sent(&team, SERVER, TP_TCP_SYN), 0);
	look();
	assert_int_equal(result.nb_open, 0);
}

static void
test_stream_sends_as_fast_as_it_is_taken(void **state)
{
	struct client_conf c = client(CLIENT_STREAM);
	uint64_t first;

	(void)state;
	conf.tcp.snd_buf = 16384;
	toe_reopen();
	c.size = 1000;
	start(&c);
	take_it();
	look();
	first = result.bytes_out;
	assert_true(first >= 10000);
	assert_int_equal(result.transactions, first / 1000);
	answer(0);
	answer(0);
	look();
	assert_true(result.bytes_out > first);
	assert_int_equal(result.bytes_in, 0);
	fake_wait(&team, 61 * SEC);
	for (unsigned int i = 0; i < 300 && fake_nb_sent(&team, SERVER, TP_TCP_FIN) == 0; i++)
		answer(0);
	assert_int_equal(fake_nb_sent(&team, SERVER, TP_TCP_FIN), 1);
}

static void
test_so_many_at_once(void **state)
{
	struct client_conf c = client(CLIENT_RR);

	(void)state;
	c.nb_conns = 5;
	start(&c);
	assert_int_equal(fake_nb_sent(&team, SERVER, TP_TCP_SYN), 5);
	look();
	assert_int_equal(result.nb_open, 5);
}

static void
test_nobody_there_to_connect(void **state)
{
	struct client_conf c = client(CLIENT_RR);

	(void)state;
	for (uint8_t i = 0; i < FAKE_MEMBERS; i++)
		toe_stop(i);
	assert_int_equal(client_start(team.toe, &c, conf.max_conns), -ENETDOWN);
	look();
	assert_int_equal(result.nb_open, 0);
	assert_true(result.elapsed_ns < 3600 * TP_NS_PER_S); /* none has ended: until now */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		client_test(test_kinds_have_names),
		client_test(test_rr_asks_again_when_it_is_answered),
		client_test(test_an_answer_that_differs_is_wrong),
		client_test(test_rr_closes_when_its_time_is_over),
		client_test(test_a_reset_is_counted_as_failed),
		client_test(test_crr_connects_anew_for_each),
		client_test(test_stream_sends_as_fast_as_it_is_taken),
		client_test(test_so_many_at_once),
		client_test(test_nobody_there_to_connect),
	};

	return toe_run(tests);
}
