/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Command lines: the input's lines are parsed, completed and, where they touch no file and no
 * device, run against a control without lcores. */

#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "fake_control.h"
#include "front.h"
#include "start.h"

/* More candidates than the language has are a loop without end. */
#define CANDIDATES_MAX 10000

static struct language *lang;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_start("-m 64");
	lang = language_new(cmd_sections);
	CHECK(lang != NULL);
	return 0;
}

/** One line that can be shown to somebody. */
static void
check_error(const struct error_text *err)
{
	size_t len = strnlen(err->text, sizeof(err->text));

	CHECK(len > 0 && len < sizeof(err->text));
	for (size_t i = 0; i < len; i++)
		CHECK(!iscntrl((unsigned char)err->text[i]));
}

static bool
in_section(const struct cmd *cmd, const struct cmd *section)
{
	for (; section->syntax != NULL; section++)
		if (section == cmd)
			return true;
	return false;
}

static void
run(struct daemon *d, const struct cmd_line *line)
{
	struct cmd_ctx x = {
		.d = d, .lang = lang, .argc = line->argc, .argv = line->argv, .json = line->json
	};
	char *out = NULL;
	size_t len;
	json_t *json;
	int rc;

	if (in_section(line->cmd, cmd_capture) || in_section(line->cmd, cmd_port))
		return; /* files and devices */
	x.out = open_memstream(&out, &len);
	CHECK(x.out != NULL);
	rc = line->cmd->run(&x);
	fclose(x.out);
	CHECK(rc <= 0);
	if (rc != 0 && x.err.text[0] != '\0')
		check_error(&x.err);
	if (rc == 0 && line->json) {
		json = json_loads(out, 0, NULL);
		CHECK(json != NULL);
		json_decref(json);
	}
	free(out);
}

static void
complete(const char *text)
{
	char dst[512];
	int state = 0, nb = 0;

	if (strlen(text) >= 500)
		return; /* rdline's lines are shorter */
	while (language_complete(lang, text, &state, dst, sizeof(dst)) == 1) {
		CHECK(memchr(dst, '\0', sizeof(dst)) != NULL);
		CHECK(++nb < CANDIDATES_MAX);
	}
}

static void
one_line(struct daemon *d, const char *text)
{
	struct error_text err = { "" };
	struct cmd_line line;
	int rc = language_parse(lang, text, &line, &err);

	CHECK(rc == 0 || rc == 1 || rc < 0);
	if (rc < 0)
		check_error(&err);
	if (rc == 0) {
		CHECK(line.argc > 0 && line.argc <= FRONT_WORDS_MAX);
		for (int i = 0; i < line.argc; i++)
			CHECK(line.argv[i] >= line.text &&
			                line.argv[i] + strlen(line.argv[i]) <
			                                line.text + sizeof(line.text));
		run(d, &line);
	}
	complete(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct daemon *d = fake_daemon(2);
	char *text = malloc(size + 1), *save = NULL;

	CHECK(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	                line = strtok_r(NULL, "\n", &save))
		one_line(d, line);
	free(text);
	fake_daemon_end(d);
	return 0;
}
