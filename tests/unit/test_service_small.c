/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The services by name, and echo, discard and chargen (app/teampmd/service.c, svc_*.c). */

#include "test_service.h"

static void
test_services_have_names(void **state)
{
	(void)state;
	assert_string_equal(service_names(), "echo, discard, chargen, http");
	assert_ptr_equal(service_find("echo")->user, &svc_echo);
	assert_ptr_equal(service_find("http")->user, &svc_http);
	assert_null(service_find("ech"));
	assert_null(service_find(""));
}

static void
test_listening_needs_a_name_and_a_port(void **state)
{
	(void)state;
	assert_int_equal(service_listen(team.toe, "gopher", 70, 64), -ENOENT);
	assert_int_equal(service_listen(team.toe, "echo", 0, 64), -EINVAL);
	assert_int_equal(service_listen(team.toe, "echo", 7, 64), 0);
	assert_int_equal(service_listen(team.toe, "discard", 7, 64), -EADDRINUSE);
}

/* docs/services.md's sequence. */
static void
test_content_is_the_sequence(void **state)
{
	static uint8_t content[SERVICE_CONTENT_LEN];
	uint64_t x = 1;

	(void)state;
	service_content(content);
	for (uint32_t i = 0; i < SERVICE_CONTENT_LEN; i++) {
		assert_int_equal(content[i], x >> 24);
		x = (x * 1103515245 + 12345) % (UINT64_C(1) << 32);
	}
}

static void
test_echo_says_what_it_heard(void **state)
{
	(void)state;
	serve("echo");
	peer_open();
	fake_forget(&team);
	peer_say("hello");
	assert_string_equal(peer_heard(), "hello");
	peer_say("over");
	peer_say(" and out");
	peer_read(5);
	assert_string_equal(peer_heard(), "over and out");
	peer_close();
	assert_int_equal(fake_nb_sent(&team, peer.port, TP_TCP_FIN), 1);
	fake_hear(&team, &peer);
	fake_say(&team, &peer, 0, TP_TCP_ACK, 0);
	toe_settle();
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 0);
	assert_int_equal(counted(0, TP_TOE_C_CONNS_PREMATURE), 0);
}

/* The send buffer is full: what comes then waits, and goes out before the end. */
static void
test_echo_keeps_what_does_not_fit(void **state)
{
	static char text[64 * 1000 + 1];
	char part[1001] = "";
	uint32_t nb;

	(void)state;
	conf.tcp.snd_buf = 4096;
	toe_reopen();
	serve("echo");
	peer_open();
	fake_forget(&team);
	memset(part, 'x', 1000);
	for (unsigned int i = 0; i < 12; i++) {
		part[0] = 'a' + i;
		peer_say(part);
	}
	peer_close();
	assert_int_equal(fake_nb_sent(&team, peer.port, TP_TCP_FIN), 0);
	nb = fake_text(&team, peer.port, text, sizeof(text));
	assert_in_range(nb, 1, 11000);
	peer_read(100);
	nb = fake_text(&team, peer.port, text, sizeof(text));
	assert_int_equal(nb, 12000);
	for (unsigned int i = 0; i < 12; i++)
		assert_int_equal(text[i * 1000], 'a' + i);
	assert_int_equal(fake_nb_sent(&team, peer.port, TP_TCP_FIN), 1);
}

static void
test_echo_lets_go_of_what_waits(void **state)
{
	char part[1001] = "";

	(void)state;
	conf.tcp.snd_buf = 4096;
	toe_reopen();
	serve("echo");
	peer_open();
	memset(part, 'x', 1000);
	for (unsigned int i = 0; i < 12; i++)
		peer_say(part);
	fake_say(&team, &peer, 0, TP_TCP_RST | TP_TCP_ACK, 0);
	toe_settle();
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 0);
}

static void
test_discard_says_nothing(void **state)
{
	char part[1001] = "";

	(void)state;
	serve("discard");
	peer_open();
	fake_forget(&team);
	memset(part, 'x', 1000);
	/* More than a window. */
	for (unsigned int i = 0; i < 2000; i++) {
		peer_say(part);
		fake_hear(&team, &peer);
		fake_forget(&team);
	}
	assert_int_equal(team.nb_text, 0);
	toe_settle();
	fake_wait(&team, SEC);
	toe_settle();
	assert_int_equal(fake_last(&team, peer.port) != NULL ? fake_last(&team, peer.port)->ack
	                                                     : peer.seq,
	                peer.seq);
}

static void
test_chargen_turns_its_alphabet(void **state)
{
	const char *got;

	(void)state;
	serve("chargen");
	peer_open();
	peer_read(10);
	got = peer_heard();
	assert_true(strlen(got) > 100 * 74);
	for (unsigned int line = 0; line < 100; line++) {
		const char *p = got + line * 74;

		assert_int_equal(p[0], 32 + line % 95);
		assert_int_equal(p[71], 32 + (line + 71) % 95);
		assert_int_equal(p[72], '\r');
		assert_int_equal(p[73], '\n');
	}
	fake_say(&team, &peer, 0, TP_TCP_RST | TP_TCP_ACK, 0);
	toe_settle();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		toe_test(test_services_have_names),
		toe_test(test_listening_needs_a_name_and_a_port),
		toe_test(test_content_is_the_sequence),
		toe_test(test_echo_says_what_it_heard),
		toe_test(test_echo_keeps_what_does_not_fit),
		toe_test(test_echo_lets_go_of_what_waits),
		toe_test(test_discard_says_nothing),
		toe_test(test_chargen_turns_its_alphabet),
	};

	return toe_run(tests);
}
