/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "front.h"
#include "test_eal.h"

static struct language *lang;

static int
setup(void **state)
{
	(void)state;
	lang = language_new(cmd_sections);
	return lang != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	language_free(lang);
	return 0;
}

static int
parse(const char *text, struct cmd_line *line, struct error_text *err)
{
	err->text[0] = '\0';
	return language_parse(lang, text, line, err);
}

/** A line that a syntax allows: every optional word or none, the n-th of each choice. */
static void
sample(const char *syntax, bool optional, unsigned int n, char *out)
{
	bool in_group = false;

	for (const char *p = syntax; *p != '\0';) {
		size_t len = strcspn(p, " []");

		if (*p == '[' || *p == ']') {
			in_group = *p++ == '[';
			continue;
		}
		if (in_group && !optional) {
			p += len + (p[len] == ' ');
			continue;
		}
		if (len > 0 && *p == '<') {
			out += sprintf(out, "7");
		} else if (len > 0) {
			const char *word = p, *end = p + len, *bar;

			for (unsigned int i = 0; i < n; i++) {
				bar = memchr(word, '|', end - word);
				word = bar != NULL ? bar + 1 : p;
			}
			bar = memchr(word, '|', end - word);
			out += sprintf(out, "%.*s", (int)((bar != NULL ? bar : end) - word), word);
		}
		p += len;
		if (*p == ' ') {
			*out++ = ' ';
			p++;
		}
	}
	*out = '\0';
}

static void
test_every_form_means_its_command(void **state)
{
	struct error_text err;
	struct cmd_line line;
	char text[FRONT_LINE_MAX];

	(void)state;
	for (const struct cmd_section *s = cmd_sections; s->title != NULL; s++)
		for (const struct cmd *cmd = s->cmds; cmd->syntax != NULL; cmd++)
			for (unsigned int i = 0; i < 12; i++) {
				sample(cmd->syntax, i % 2 == 1, i / 2, text);
				if (parse(text, &line, &err) != 0)
					fail_msg("'%s': %s", text, err.text);
				assert_ptr_equal(line.cmd, cmd);
			}
}

static void
test_every_command_has_help(void **state)
{
	(void)state;
	for (const struct cmd_section *s = cmd_sections; s->title != NULL; s++)
		for (const struct cmd *cmd = s->cmds; cmd->syntax != NULL; cmd++) {
			assert_non_null(cmd->run);
			assert_true(strlen(cmd->help) > 10);
			assert_int_not_equal(cmd->help[strlen(cmd->help) - 1], '.');
			assert_null(strchr(cmd->help, '\n'));
		}
}

static void
test_words_and_quotes(void **state)
{
	struct error_text err;
	struct cmd_line line;

	(void)state;
	assert_int_equal(parse("  capture\tstart \"a b#c\" filter \"tcp port 80\"  # why", &line,
	                                 &err),
	                0);
	assert_int_equal(line.argc, 5);
	assert_string_equal(line.argv[2], "a b#c");
	assert_string_equal(line.argv[4], "tcp port 80");
	assert_false(line.json);
	assert_int_equal(parse("help set  team ", &line, &err), 0);
	assert_string_equal(line.argv[1], "set  team");
	assert_int_equal(parse("capture start \"\"", &line, &err), 0);
	assert_string_equal(line.argv[2], "");
}

static void
test_json_is_taken_off(void **state)
{
	struct error_text err;
	struct cmd_line line;

	(void)state;
	assert_int_equal(parse("show port info 0 json", &line, &err), 0);
	assert_true(line.json);
	assert_int_equal(line.argc, 4);
	assert_int_equal(parse("show port info json", &line, &err), 0);
	assert_false(line.json); /* it stands where the port belongs */
	assert_string_equal(line.argv[3], "json");
}

static void
test_nothing_to_do(void **state)
{
	struct error_text err;
	struct cmd_line line;

	(void)state;
	assert_int_equal(parse("", &line, &err), 1);
	assert_int_equal(parse(" \t ", &line, &err), 1);
	assert_int_equal(parse("# start", &line, &err), 1);
	assert_int_equal(parse("  # start", &line, &err), 1);
}

static void
test_what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "foo", "unknown command 'foo'; try 'help'" },
		{ "foo bar # x", "unknown command 'foo'; try 'help'" },
		{ "START", "unknown command 'START'; try 'help'" },
		{ "sta", "unknown command 'sta'; try 'help'" },
		{ "set team mode", "incomplete command 'set team mode': expected "
		                   "hash|load|active-backup|round-robin|broadcast" },
		{ "set team mode fast", "bad argument 'fast' after 'set team mode': expected "
		                        "hash|load|active-backup|round-robin|broadcast" },
		{ "start now", "unexpected 'now' after 'start'" },
		{ "show port stats 0 text", "bad argument 'text' after 'show port stats 0': "
		                            "expected json" },
		{ "capture start \"x",
		                "bad argument '\"x' after 'capture start': expected <FILE>" },
		{ "capture start \"x\"y", "bad argument '\"x\"y' after 'capture start': "
		                          "expected <FILE>" },
		{ "set team", "incomplete command 'set team': expected one of those that "
		              "'help set team' shows" },
		{ "set team mode \x01", "control character 0x01 in column 15 of a command" },
		{ "port attach", "incomplete command 'port attach': expected <DEVARGS>" },
	};
	struct error_text err;
	struct cmd_line line;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		assert_int_equal(parse(cases[i].text, &line, &err), -EINVAL);
		assert_string_equal(err.text, cases[i].says);
	}
}

static void
test_long_lines(void **state)
{
	char text[FRONT_LINE_MAX + 10];
	struct error_text err;
	struct cmd_line line;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[FRONT_LINE_MAX - 2] = '\0';
	assert_int_equal(parse(text, &line, &err), -EINVAL);
	assert_string_equal(err.text,
	                "unknown command 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'; try 'help'");
	text[FRONT_LINE_MAX - 2] = 'a';
	text[FRONT_LINE_MAX - 1] = '\0';
	assert_int_equal(parse(text, &line, &err), -EINVAL);
	assert_non_null(strstr(err.text, "too long: at most 4094"));
	memset(text, ' ', sizeof(text));
	memcpy(text, "help", 4);
	memset(text + 5, 'b', FRONT_LINE_MAX - 8);
	text[FRONT_LINE_MAX - 3] = '\0';
	assert_int_equal(parse(text, &line, &err), 0);
	assert_int_equal(strlen(line.argv[1]), FRONT_LINE_MAX - 8);
}

static void
test_many_words(void **state)
{
	struct error_text err;
	struct cmd_line line;
	char text[FRONT_LINE_MAX] = "start";

	(void)state;
	for (int i = 0; i < 1000; i++)
		strcat(text, " x");
	assert_int_equal(parse(text, &line, &err), -EINVAL);
	assert_string_equal(err.text, "unexpected 'x' after 'start'");
}

/** All that is offered behind buf, with commas between. */
static void
complete(const char *buf, char *out, size_t size)
{
	char dst[256];
	int state = 0, rc;

	out[0] = '\0';
	rc = language_complete(lang, buf, &state, dst, sizeof(dst));
	if (rc == 2) {
		snprintf(out, size, "+%s", dst);
		return;
	}
	while (rc == 1) {
		strncat(out, dst, size - strlen(out) - 1);
		strncat(out, ",", size - strlen(out) - 1);
		rc = language_complete(lang, buf, &state, dst, sizeof(dst));
	}
}

static void
test_completion(void **state)
{
	char out[4096];

	(void)state;
	complete("set tea", out, sizeof(out));
	assert_string_equal(out, "+m ");
	complete("set team mode ac", out, sizeof(out));
	assert_string_equal(out, "+tive-backup ");
	complete("set team m", out, sizeof(out));
	assert_non_null(strstr(out, "mode"));
	assert_non_null(strstr(out, "mtu"));
	assert_null(strstr(out, "updelay"));
	complete("bogus ", out, sizeof(out));
	assert_string_equal(out, "");
}

static char *
help(const char *words, unsigned int *nb)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	*nb = language_help(lang, out, words);
	fclose(out);
	return text;
}

static void
test_help_shows_what_is_asked(void **state)
{
	unsigned int nb, all = 0;
	char *text = help("set watch", &nb);

	(void)state;
	assert_non_null(strstr(text, "set watch <PORT> poll_us <US>"));
	assert_null(strstr(text, "set team"));
	free(text);
	text = help(NULL, &nb);
	for (const struct cmd_section *s = cmd_sections; s->title != NULL; s++) {
		assert_non_null(strstr(text, s->title));
		for (const struct cmd *cmd = s->cmds; cmd->syntax != NULL; cmd++, all++)
			assert_non_null(strstr(text, cmd->syntax));
	}
	assert_int_equal(nb, all);
	free(text);
	text = help("bogus", &nb);
	assert_int_equal(nb, 0);
	assert_string_equal(text, "");
	free(text);
}

static void
test_manual_has_every_command(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	language_manual(cmd_sections, out);
	fclose(out);
	for (const struct cmd_section *s = cmd_sections; s->title != NULL; s++)
		for (const struct cmd *cmd = s->cmds; cmd->syntax != NULL; cmd++) {
			assert_non_null(strstr(text, cmd->syntax));
			assert_non_null(strstr(text, cmd->help));
		}
	free(text);
}

static int
run_nothing(struct cmd_ctx *x)
{
	(void)x;
	return 0;
}

static void
test_impossible_syntax_is_refused(void **state)
{
	static const struct cmd too_many[] = {
		{ "a [b] [c] [d] [e] [f] [g]", "More optional words than can be", run_nothing },
		{ NULL, NULL, NULL },
	};
	const struct cmd_section sections[] = { { "X", too_many }, { NULL, NULL } };

	(void)state;
	assert_null(language_new(sections));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_form_means_its_command),
		cmocka_unit_test(test_every_command_has_help),
		cmocka_unit_test(test_words_and_quotes),
		cmocka_unit_test(test_json_is_taken_off),
		cmocka_unit_test(test_nothing_to_do),
		cmocka_unit_test(test_what_is_wrong_is_said),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_many_words),
		cmocka_unit_test(test_completion),
		cmocka_unit_test(test_help_shows_what_is_asked),
		cmocka_unit_test(test_manual_has_every_command),
		cmocka_unit_test(test_impossible_syntax_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
