/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The http service on a connection of the engine (app/teampmd/svc_http.c). */

#include <stdlib.h>

#include "test_service.h"

static uint8_t sequence[SERVICE_CONTENT_LEN];

static int
setup(void **state)
{
	int rc = toe_setup(state);

	service_content(sequence);
	serve("http");
	peer_open();
	fake_forget(&team);
	return rc;
}

/* The pool of the service keeps its objects: count mbufs only. */
#define http_test(f) cmocka_unit_test_setup_teardown(f, setup, toe_teardown)

static const char *
body_of(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

static const char *
ask(const char *request)
{
	peer_say(request);
	peer_read(50);
	return peer_heard();
}

static void
test_bytes_are_the_sequence(void **state)
{
	const char *got = ask("GET /bytes/1000 HTTP/1.1\r\n\r\n");

	(void)state;
	assert_true(strncmp(got, "HTTP/1.1 200 OK\r\n", 17) == 0);
	assert_true(has(got, "\r\nContent-Length: 1000\r\n"));
	assert_true(has(got, "\r\nContent-Type: application/octet-stream\r\n"));
	assert_false(has(got, "Connection: close"));
	assert_memory_equal(body_of(got), sequence, 1000);
}

/* Beyond one turn of the sequence, and in as many pieces as the window allows. */
static void
test_many_bytes_are_the_sequence_again_and_again(void **state)
{
	const uint32_t len = 200 * 1024;
	static uint8_t got[300000];
	const uint8_t *body;
	uint32_t nb;

	(void)state;
	peer_say("GET /bytes/200K HTTP/1.1\r\n\r\n");
	peer_read(400);
	nb = fake_text(&team, peer.port, got, sizeof(got));
	assert_non_null(memmem(got, 200, "Content-Length: 204800\r\n", 24));
	assert_true(nb > len);
	body = got + nb - len;
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(body[i], sequence[i % SERVICE_CONTENT_LEN]);
}

static void
test_head_has_no_body(void **state)
{
	const char *got = ask("HEAD /bytes/1000 HTTP/1.1\r\n\r\n");

	(void)state;
	assert_true(has(got, "Content-Length: 1000\r\n"));
	assert_string_equal(body_of(got), "");
	got = ask("HEAD /nothing HTTP/1.1\r\n\r\n");
	assert_true(has(got, "404 Not Found"));
	assert_string_equal(body_of(got), "");
}

static void
test_sizes(void **state)
{
	static const struct {
		const char *path, *length;
	} rows[] = {
		{ "0", "Content-Length: 0\r\n" },
		{ "1K", "Content-Length: 1024\r\n" },
		{ "1M", "Content-Length: 1048576\r\n" },
		{ "2G", "Content-Length: 2147483648\r\n" },
		{ "9223372036854775807", "Content-Length: 9223372036854775807\r\n" },
		{ "9223372036854775808", "404" },
		{ "99999999999999999999", "404" },
		{ "8589934591G", "Content-Length: 9223372035781033984\r\n" },
		{ "8589934592G", "404" },
		{ "", "404" },
		{ "K", "404" },
		{ "-1", "404" },
		{ "+1", "404" },
		{ "1k", "404" },
		{ "1KK", "404" },
		{ "1K1", "404" },
		{ "1x", "404" },
		{ "%31", "404" },
	};
	char request[96];

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		snprintf(request, sizeof(request), "HEAD /bytes/%s HTTP/1.1\r\n\r\n", rows[i].path);
		if (!has(ask(request), rows[i].length))
			fail_msg("/bytes/%s: not %s", rows[i].path, rows[i].length);
	}
}

static void
test_sink_counts_and_sums(void **state)
{
	const char *got;

	(void)state;
	/* CRC32C of 32 octets of zero, and of nine digits (RFC 3720 B.4). */
	got = ask("POST /sink HTTP/1.1\r\nContent-Length: 9\r\n\r\n123456789");
	assert_string_equal(body_of(got), "{\"length\": 9, \"crc32c\": \"e3069283\"}\n");
	assert_true(has(got, "Content-Type: application/json\r\n"));
	got = ask("PUT /sink HTTP/1.1\r\nTransfer-Encoding: "
	          "chunked\r\n\r\n4\r\n1234\r\n5\r\n56789\r\n"
	          "0\r\n\r\n");
	assert_string_equal(body_of(got), "{\"length\": 9, \"crc32c\": \"e3069283\"}\n");
	got = ask("PUT /sink HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
	assert_string_equal(body_of(got), "{\"length\": 0, \"crc32c\": \"00000000\"}\n");
}

static void
test_a_body_in_pieces(void **state)
{
	const char *got;

	(void)state;
	peer_say("POST /sink HTTP/1.1\r\nContent-Le");
	peer_say("ngth: 9\r\n\r\n1234");
	peer_say("5");
	assert_string_equal(peer_heard(), "");
	got = ask("6789");
	assert_string_equal(body_of(got), "{\"length\": 9, \"crc32c\": \"e3069283\"}\n");
}

static void
test_expect_is_answered_before_the_body(void **state)
{
	const char *got;

	(void)state;
	got = ask("PUT /sink HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n");
	assert_string_equal(got, "HTTP/1.1 100 Continue\r\n\r\n");
	assert_true(has(ask("123456789"), "e3069283"));
	/* Names that only begin or end like it, and no body to wait for. */
	got = ask("PUT /sink HTTP/1.1\r\nContent-Length: 1\r\nExpected: 1\r\nXExpect: 1\r\n\r\n");
	assert_string_equal(got, "");
	ask("1");
	got = ask("GET /info HTTP/1.1\r\nexpect: 100-continue\r\n\r\n");
	assert_false(has(got, "100 Continue"));
	got = ask("PUT /sink HTTP/1.1\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n");
	assert_false(has(got, "100 Continue"));
	/* In two pieces. */
	peer_say("PUT /sink HTTP/1.1\r\nContent-Length: 1\r\nExp");
	got = ask("ect: 100-continue\r\n\r\n");
	assert_true(has(got, "100 Continue"));
}

static void
test_info_says_who_serves(void **state)
{
	const char *got = ask("GET /info HTTP/1.1\r\n\r\n");
	char member[32];

	(void)state;
	assert_true(has(body_of(got), "\"server\": \"teampmd\""));
	snprintf(member, sizeof(member), "\"member\": %u}", 0);
	assert_true(has(body_of(got), member));
	assert_true(has(ask("GET / HTTP/1.1\r\n\r\n"), "\"server\": \"teampmd\""));
}

static void
test_info_after_a_move(void **state)
{
	uint64_t id;

	(void)state;
	id = strtoull(strstr(ask("GET /info HTTP/1.1\r\n\r\n"), "\"connection\": \"") + 15, NULL,
	                16);
	assert_int_equal(tp_toe_move(team.toe, id, 2), 0);
	toe_settle();
	assert_true(has(ask("GET /info HTTP/1.1\r\n\r\n"), "\"member\": 2}"));
}

static void
test_what_is_not_there(void **state)
{
	static const char *const requests[] = {
		"GET /sink HTTP/1.1\r\n\r\n",
		"PUT /bytes/5 HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
		"POST /info HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
		"PUT /sinks HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
		"GET /bytes HTTP/1.1\r\n\r\n",
		"DELETE / HTTP/1.1\r\n\r\n",
	};

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(requests); i++) {
		if (!has(ask(requests[i]), "HTTP/1.1 404 Not Found"))
			fail_msg("%s", requests[i]);
	}
	/* The connection is still there. */
	assert_true(has(ask("GET /info HTTP/1.1\r\n\r\n"), "200 OK"));
}

static void
test_a_url_that_is_too_long(void **state)
{
	char request[400];

	(void)state;
	snprintf(request, sizeof(request), "GET /bytes/%0300d HTTP/1.1\r\n\r\n", 5);
	assert_true(has(ask(request), "HTTP/1.1 "));
	assert_true(has(ask("GET /info HTTP/1.1\r\n\r\n"), "200 OK"));
}

static void
test_requests_in_one_go_are_answered_in_order(void **state)
{
	const char *got, *first, *second, *third;

	(void)state;
	got = ask("HEAD /bytes/3 HTTP/1.1\r\n\r\nHEAD /bytes/44 HTTP/1.1\r\n\r\n"
	          "POST /sink HTTP/1.1\r\nContent-Length: 1\r\n\r\n1GET /info HTTP/1.1\r\n\r\n");
	first = strstr(got, "Content-Length: 3\r\n");
	assert_non_null(first);
	second = strstr(first, "Content-Length: 44\r\n");
	assert_non_null(second);
	third = strstr(second, "\"length\": 1");
	assert_non_null(third);
	assert_true(has(third, "\"member\""));
}

static void
test_close_is_said_and_done(void **state)
{
	const char *got = ask("GET /info HTTP/1.1\r\nConnection: close\r\n\r\nGET /info "
	                      "HTTP/1.1\r\n\r\n");

	(void)state;
	assert_true(has(got, "Connection: close\r\n"));
	/* What comes behind it has no answer. */
	assert_false(has(strstr(got, "member"), "200 OK"));
	toe_settle();
	peer_close();
	fake_hear(&team, &peer);
	fake_say(&team, &peer, 0, TP_TCP_ACK, 0);
	toe_settle();
	assert_int_equal(counted(0, TP_TOE_C_CONNS_PREMATURE), 0);
}

static void
test_http_1_0_closes(void **state)
{
	(void)state;
	peer_say("GET /bytes/5 HTTP/1.0\r\n\r\n");
	peer_read(50);
	assert_int_equal(fake_nb_sent(&team, peer.port, TP_TCP_FIN), 1);
	assert_true(has(peer_heard(), "Connection: close\r\n"));
}

static void
test_garbage_is_refused_and_closed(void **state)
{
	const char *got;

	(void)state;
	peer_say("\x16\x03\x01 hello\r\n\r\n");
	peer_read(50);
	assert_int_equal(fake_nb_sent(&team, peer.port, TP_TCP_FIN), 1);
	got = peer_heard();
	assert_true(strncmp(got, "HTTP/1.1 400 Bad Request\r\n", 26) == 0);
	assert_true(has(got, "Connection: close\r\n"));
}

/* The peer is done asking: the answer is finished, then it is closed. */
static void
test_half_close_after_the_request(void **state)
{
	(void)state;
	peer_say("GET /bytes/40K HTTP/1.1\r\n\r\n");
	peer_close();
	peer_read(200);
	assert_int_equal(fake_nb_sent(&team, peer.port, TP_TCP_FIN), 1);
	assert_true(fake_last(&team, peer.port)->flags & (TP_TCP_FIN | TP_TCP_ACK));
	toe_settle();
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 0);
	assert_int_equal(counted(0, TP_TOE_C_CONNS_PREMATURE), 0);
}

/* A peer that asks and does not read stops itself: what it asks waits unparsed, uncredited. */
static void
test_who_does_not_read_is_not_answered_without_end(void **state)
{
	char request[1200] = "";

	(void)state;
	conf.tcp.snd_buf = 8192;
	toe_reopen();
	serve("http");
	peer_open();
	fake_forget(&team);
	for (unsigned int i = 0; i < 20; i++)
		strcat(request, "GET /bytes/1K HTTP/1.1\r\n\r\n");
	peer_say(request);
	assert_in_range(fake_text(&team, peer.port, team.text + FAKE_TEXT / 2, FAKE_TEXT / 2), 1,
	                8192);
	peer_read(200);
	assert_in_range(fake_text(&team, peer.port, team.text + FAKE_TEXT / 2, FAKE_TEXT / 2),
	                20 * 1024, 20 * 1200);
}

static void
test_what_waits_goes_with_the_connection(void **state)
{
	(void)state;
	peer_say("GET /bytes/1M HTTP/1.1\r\n\r\n");
	peer_say("GET /bytes/1M HTTP/1.1\r\n\r\n");
	fake_say(&team, &peer, 0, TP_TCP_RST | TP_TCP_ACK, 0);
	toe_settle();
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		http_test(test_bytes_are_the_sequence),
		http_test(test_many_bytes_are_the_sequence_again_and_again),
		http_test(test_head_has_no_body),
		http_test(test_sizes),
		http_test(test_sink_counts_and_sums),
		http_test(test_a_body_in_pieces),
		http_test(test_expect_is_answered_before_the_body),
		http_test(test_info_says_who_serves),
		http_test(test_info_after_a_move),
		http_test(test_what_is_not_there),
		http_test(test_a_url_that_is_too_long),
		http_test(test_requests_in_one_go_are_answered_in_order),
		http_test(test_close_is_said_and_done),
		http_test(test_http_1_0_closes),
		http_test(test_garbage_is_refused_and_closed),
		http_test(test_half_close_after_the_request),
		http_test(test_who_does_not_read_is_not_answered_without_end),
		http_test(test_what_waits_goes_with_the_connection),
	};

	return toe_run(tests);
}
