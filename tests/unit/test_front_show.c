/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_telemetry.h>

#include "../common/eal_dir.h"
#include "fake_control.h"
#include "show.h"
#include "test_eal.h"

static char *
render(json_t *json)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(json);
	text_render(json, out);
	fclose(out);
	json_decref(json);
	return text;
}

static void
test_text_of_pairs_and_tables(void **state)
{
	char *text = render(json_pack("{s:s s:b s:f s:{s:i} s:[s,s] s:[{s:i s:s},{s:i s:s}]}",
	                "name", "x", "up", 1, "load", 12.34, "inner", "n", 5, "list", "a", "b",
	                "rows", "id", 1, "text", "one", "id", 22, "text", "two"));

	(void)state;
	assert_string_equal(text, "name  x\n"
	                          "up    yes\n"
	                          "load  12.3\n"
	                          "list  a,b\n"
	                          "inner:\n"
	                          "  n  5\n"
	                          "rows:\n"
	                          "  id  text\n"
	                          "   1  one\n"
	                          "  22  two\n");
	free(text);
}

static void
test_text_of_what_is_empty(void **state)
{
	char *text = render(json_array());

	(void)state;
	assert_string_equal(text, "none\n");
	free(text);
	text = render(json_pack("{s:i s:[] s:{s:i}}", "a", 1, "none", "drops", "x", 0));
	assert_string_equal(text, "a     1\nnone  -\ndrops:\n  none\n");
	free(text);
}

static void
test_text_of_uneven_rows(void **state)
{
	char *text = render(json_pack("[{s:i s:i},{s:i}]", "a", 1, "b", 2, "a", 333));

	(void)state;
	assert_string_equal(text, "  a  b\n  1  2\n333  -\n");
	free(text);
}

static void
test_text_of_long_cells_is_cut(void **state)
{
	char *big = calloc(1, 5001), *text;

	(void)state;
	memset(big, 'x', 5000);
	text = render(json_pack("[{s:s}]", "a", big));
	assert_true(strlen(text) < 1000);
	free(text);
	free(big);
}

/* ---- telemetry, asked over its socket ------------------------------------ */

static json_t *shown;

static int
on_test(const char *cmd, const char *params, struct rte_tel_data *data)
{
	(void)cmd;
	(void)params;
	return telemetry_fill(data, shown) == 0 ? 0 : -1;
}

static int
tel_connect(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char hello[1024];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/dpdk_telemetry.v2",
	                rte_eal_get_runtime_dir());
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_true(read(fd, hello, sizeof(hello)) > 0);
	return fd;
}

/** @return the answer to a telemetry request, or NULL if it is no JSON */
static json_t *
tel_ask(const char *request, const char *name)
{
	static char buf[65536];
	int fd = tel_connect();
	json_t *all, *one;
	ssize_t n;

	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	assert_true(n > 0);
	buf[n] = '\0';
	all = json_loads(buf, 0, NULL);
	if (all == NULL)
		fail_msg("%s: no JSON: %s", request, buf);
	one = json_incref(json_object_get(all, name));
	json_decref(all);
	return one;
}

/** What telemetry makes of an object. */
static json_t *
through(json_t *json)
{
	json_t *answer;

	assert_non_null(json);
	shown = json;
	answer = tel_ask("/test", "/test");
	json_decref(json);
	return answer;
}

static void
expect(json_t *given, const char *wanted)
{
	json_t *got = through(given), *want = json_loads(wanted, 0, NULL);

	if (!json_equal(got, want))
		fail_msg("got %s, wanted %s", json_dumps(got, 0), wanted);
	json_decref(got);
	json_decref(want);
}

static void
test_telemetry_of_all_types(void **state)
{
	(void)state;
	expect(json_pack("{s:i s:i s:b s:b s:s s:n s:f}", "n", 5, "neg", -7, "t", 1, "f", 0, "s",
	                       "x", "z", "r", 99.9),
	                "{\"n\":5,\"neg\":-7,\"t\":1,\"f\":0,\"s\":\"x\",\"z\":\"\",\"r\":99}");
	expect(json_pack("{s:I}", "big", (json_int_t)INT64_MAX), "{\"big\":9223372036854775807}");
	expect(json_pack("[i,i,i]", 1, -2, 3), "[1,-2,3]");
	expect(json_pack("[s,s]", "a", "b"), "[\"a\",\"b\"]");
	expect(json_pack("{s:{s:i s:{s:i}} s:[i,i]}", "o", "a", 1, "p", "b", 2, "l", 3, 4),
	                "{\"o\":{\"a\":1,\"p\":{\"b\":2}},\"l\":[3,4]}");
}

static void
test_telemetry_of_objects_in_arrays(void **state)
{
	(void)state;
	expect(json_pack("[{s:i s:s},{s:i s:s}]", "port", 3, "n", "x", "port", -1, "n", "y"),
	                "{\"3\":{\"port\":3,\"n\":\"x\"},\"_1\":{\"port\":-1,\"n\":\"y\"}}");
	expect(json_pack("{s:[{s:s}]}", "m", "name", "a-b c"),
	                "{\"m\":{\"a_b_c\":{\"name\":\"a-b c\"}}}");
}

static void
test_telemetry_limits(void **state)
{
	json_t *list = json_array(), *dict = json_object(), *got;
	char name[16], text[1000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	got = through(json_pack("{s:s}", "s", text));
	assert_int_equal(strlen(json_string_value(json_object_get(got, "s"))),
	                RTE_TEL_MAX_STRING_LEN - 1);
	json_decref(got);
	for (int i = 0; i < 2000; i++)
		json_array_append_new(list, json_integer(i));
	got = through(list);
	assert_int_equal(json_array_size(got), RTE_TEL_MAX_ARRAY_ENTRIES);
	json_decref(got);
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		json_object_set_new(dict, name, json_integer(i));
	}
	got = through(dict);
	assert_int_equal(json_object_size(got), RTE_TEL_MAX_DICT_ENTRIES);
	json_decref(got);
}

static void
test_telemetry_of_scalars_fails(void **state)
{
	(void)state;
	assert_true(json_is_null(through(json_integer(1))));
}

static bool
of_engine(const char *topic)
{
	static const char *const names[] = { "conn", "conn_summary", "listen", "tcp", "neigh",
		"route", "addr", "conn_parked", "migrate" };

	for (unsigned int i = 0; i < RTE_DIM(names); i++) {
		if (strcmp(names[i], topic) == 0)
			return true;
	}
	return false;
}

/** Every topic answers, also with more members and events than its buffer holds. */
static void
test_telemetry_topics(void **state)
{
	struct daemon *d = fake_daemon(2);
	char request[64];
	json_t *got;

	(void)state;
	for (d->control.nb_events = 0; d->control.nb_events < 1000; d->control.nb_events++)
		memset(d->control.events[d->control.nb_events % NB_EVENTS].text, 'e', 100);
	assert_int_equal(telemetry_start(d), 0);
	for (const struct topic *t = topics; t->name != NULL; t++) {
		if (t->help == NULL)
			continue;
		snprintf(request, sizeof(request), "/teampmd/%s", t->name);
		got = tel_ask(request, request);
		if (of_engine(t->name)) /* this team has no address */
			assert_true(json_is_null(got));
		else
			assert_true(json_is_object(got) || json_is_array(got));
		json_decref(got);
	}
	got = tel_ask("/teampmd/port,1", "/teampmd/port");
	assert_int_equal(json_integer_value(json_object_get(got, "port")), 1);
	json_decref(got);
	assert_true(json_is_null(tel_ask("/teampmd/port,77", "/teampmd/port")));
	assert_true(json_is_null(tel_ask("/teampmd/port,x", "/teampmd/port")));
	assert_true(telemetry_stop());
	assert_true(json_is_null(tel_ask("/teampmd/team", "/teampmd/team")));
	fake_daemon_end(d);
}

static int
start_with_telemetry(void **state)
{
	/* EAL keeps pointers into its arguments, and writes to them. */
	static char args[][32] = { "test", "--no-huge", "--no-pci", "-m", "64", "--no-shconf",
		"--log-level=lib.eal:4", "--file-prefix", "" };
	char *argv[RTE_DIM(args) + 1] = { NULL };

	(void)state;
	eal_dir_own(args[RTE_DIM(args) - 1], sizeof(args[0]), "tp-test");
	for (unsigned int i = 0; i < RTE_DIM(args); i++)
		argv[i] = args[i];
	if (rte_eal_init(RTE_DIM(args), argv) < 0)
		return -1;
	return rte_telemetry_register_cmd("/test", on_test, "What the test shows");
}

static int
end(void **state)
{
	(void)state;
	rte_eal_cleanup();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_of_pairs_and_tables),
		cmocka_unit_test(test_text_of_what_is_empty),
		cmocka_unit_test(test_text_of_uneven_rows),
		cmocka_unit_test(test_text_of_long_cells_is_cut),
		cmocka_unit_test(test_telemetry_of_all_types),
		cmocka_unit_test(test_telemetry_of_objects_in_arrays),
		cmocka_unit_test(test_telemetry_limits),
		cmocka_unit_test(test_telemetry_of_scalars_fails),
		cmocka_unit_test(test_telemetry_topics),
	};

	return cmocka_run_group_tests(tests, start_with_telemetry, end);
}
