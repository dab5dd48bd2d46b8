/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The table of commands, as librte_cmdline wants it: each form of a syntax (with and without its
 * optional words) becomes one cmdline_inst. Tokens hand over where their word stands, the
 * commands themselves look at what it says: so an error can name value and bounds. */

#include <cmdline.h>
#include <cmdline_parse.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "front.h"

#define GROUPS_MAX 5
#define FORM_TEXT_LEN 512
/* Longest list of alternatives worth a line. */
#define EXPECT_LEN 100

/** A word of a syntax. */
struct token {
	struct cmdline_token_hdr hdr;
	const char *text; /**< in form.text: "a|b" or "<ARG>" */
	unsigned int len;
	bool is_arg;
	bool rest;
};

/** Where a word of the line stands: the result of parsing a token. */
struct word {
	const char *text;
	unsigned int len;
};

/** One form of a command's syntax. */
struct form {
	struct language *lang;
	const struct cmd *cmd;
	char text[FORM_TEXT_LEN];
	unsigned int nb_tokens;
	struct token token[FRONT_WORDS_MAX];
	char help[2 * FORM_TEXT_LEN];
	cmdline_parse_inst_t *inst;
};

struct language {
	const struct cmd_section *sections;
	struct form **form;
	unsigned int nb_forms;
	cmdline_parse_inst_t **ctx;
	struct cmdline *cl;
	const struct form *hit; /**< of the line being parsed */
	struct word hit_word[FRONT_WORDS_MAX];
};

/** The command ends here: end of line, or a comment. */
static bool
is_end(char c)
{
	return c == '\0' || c == '#' || c == '\n' || c == '\r';
}

/* ---- tokens ------------------------------------------------------------- */

/** i-th alternative of a token. @return its length, 0: there is none */
static unsigned int
token_choice(const struct token *t, unsigned int i, const char **text)
{
	const char *end = t->text + t->len;
	const char *p = t->text;

	if (t->is_arg)
		return 0;
	for (; i > 0; i--) {
		p = memchr(p, '|', end - p);
		if (p == NULL)
			return 0;
		p++;
	}
	*text = p;
	for (const char *q = p; q < end; q++)
		if (*q == '|')
			return q - p;
	return end - p;
}

static unsigned int
word_len(const char *src)
{
	unsigned int n = 0;

	while (!cmdline_isendoftoken(src[n]))
		n++;
	return n;
}

static int
parse_choice(const struct token *t, const char *src, struct word *word)
{
	unsigned int n = word_len(src), len;
	const char *choice;

	for (unsigned int i = 0; (len = token_choice(t, i, &choice)) != 0; i++)
		if (len == n && memcmp(choice, src, n) == 0) {
			*word = (struct word){ choice, n };
			return n;
		}
	return -1;
}

static int
parse_quoted(const char *src, struct word *word)
{
	const char *end = strchr(src + 1, '"');

	if (end == NULL || !cmdline_isendoftoken(end[1]))
		return -1;
	*word = (struct word){ src + 1, end - src - 1 };
	return end + 1 - src;
}

static int
parse_rest(const char *src, struct word *word)
{
	unsigned int n = 0;

	while (!is_end(src[n]))
		n++;
	while (n > 0 && isblank((unsigned char)src[n - 1]))
		n--;
	*word = (struct word){ src, n };
	return n > 0 ? (int)n : -1;
}

static int
token_parse(const struct token *t, const char *src, struct word *word)
{
	if (!t->is_arg)
		return parse_choice(t, src, word);
	if (src[0] == '"')
		return parse_quoted(src, word);
	if (t->rest)
		return parse_rest(src, word);
	*word = (struct word){ src, word_len(src) };
	return word->len > 0 ? (int)word->len : -1;
}

static int
op_parse(cmdline_parse_token_hdr_t *hdr, const char *src, void *res, unsigned int size)
{
	const struct token *t = container_of(hdr, struct token, hdr);
	struct word word;
	int n = token_parse(t, src, &word);

	if (n < 0 || res == NULL)
		return n;
	if (size < sizeof(word))
		return -1;
	memcpy(res, &word, sizeof(word));
	return n;
}

static int
op_complete_nb(cmdline_parse_token_hdr_t *hdr)
{
	const struct token *t = container_of(hdr, struct token, hdr);
	const char *text;
	int nb = 0;

	while (token_choice(t, nb, &text) != 0)
		nb++;
	return nb;
}

static int
op_complete_elt(cmdline_parse_token_hdr_t *hdr, int i, char *dst, unsigned int size)
{
	const struct token *t = container_of(hdr, struct token, hdr);
	const char *text;
	unsigned int len = token_choice(t, i, &text);

	if (len == 0 || len + 1 > size)
		return -1;
	snprintf(dst, size, "%.*s", (int)len, text);
	return 0;
}

static int
op_help(cmdline_parse_token_hdr_t *hdr, char *dst, unsigned int size)
{
	const struct token *t = container_of(hdr, struct token, hdr);

	snprintf(dst, size, "%.*s", (int)t->len, t->text);
	return 0;
}

static struct cmdline_token_ops token_ops = {
	.parse = op_parse,
	.complete_get_nb = op_complete_nb,
	.complete_get_elt = op_complete_elt,
	.get_help = op_help,
};

/* ---- from syntax to forms ------------------------------------------------ */

/** The syntax with those optional groups whose bit is set. */
static int
form_text(const char *syntax, unsigned int groups, char *text)
{
	unsigned int group = 0, n = 0;
	bool in_group = false;

	for (const char *p = syntax; *p != '\0'; p++) {
		if (*p == '[') {
			in_group = true;
		} else if (*p == ']') {
			in_group = false;
			group++;
		} else if (!in_group || (groups & (1u << group)) != 0) {
			if (n + 1 >= FORM_TEXT_LEN)
				return -E2BIG;
			text[n++] = *p;
		}
	}
	text[n] = '\0';
	return 0;
}

static int
form_tokens(struct form *f)
{
	const char *p = f->text;

	while (*(p += strspn(p, " ")) != '\0') {
		struct token *t = &f->token[f->nb_tokens];

		if (f->nb_tokens == FRONT_WORDS_MAX)
			return -E2BIG;
		t->hdr.ops = &token_ops;
		t->hdr.offset = f->nb_tokens * sizeof(struct word);
		t->text = p;
		t->len = strcspn(p, " ");
		t->is_arg = p[0] == '<';
		t->rest = t->is_arg && t->len > 4 && memcmp(p + t->len - 4, "...>", 4) == 0;
		f->nb_tokens++;
		p += t->len;
	}
	return 0;
}

/** librte_cmdline found the command: note it, language_parse() goes on. */
static void
form_hit(void *parsed, struct cmdline *cl, void *data)
{
	const struct form *f = data;

	(void)cl;
	f->lang->hit = f;
	memcpy(f->lang->hit_word, parsed, f->nb_tokens * sizeof(struct word));
}

static void
form_free(struct form *f)
{
	if (f == NULL)
		return;
	free(f->inst);
	free(f);
}

static struct form *
form_new(struct language *lang, const struct cmd *cmd, unsigned int groups)
{
	struct form *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->lang = lang;
	f->cmd = cmd;
	if (form_text(cmd->syntax, groups, f->text) != 0 || form_tokens(f) != 0)
		goto fail;
	f->inst = calloc(1, sizeof(*f->inst) + (f->nb_tokens + 1) * sizeof(f->inst->tokens[0]));
	if (f->inst == NULL)
		goto fail;
	snprintf(f->help, sizeof(f->help), "%s: %s", f->text, cmd->help);
	f->inst->f = form_hit;
	f->inst->data = f;
	f->inst->help_str = f->help;
	for (unsigned int i = 0; i < f->nb_tokens; i++)
		f->inst->tokens[i] = &f->token[i].hdr;
	return f;
fail:
	form_free(f);
	return NULL;
}

static int
language_add(struct language *lang, const struct cmd *cmd)
{
	unsigned int nb_groups = 0;

	for (const char *p = cmd->syntax; *p != '\0'; p++)
		nb_groups += *p == '[';
	if (nb_groups > GROUPS_MAX)
		return -E2BIG;
	for (unsigned int groups = 0; groups < 1u << nb_groups; groups++) {
		struct form **form = realloc(lang->form, (lang->nb_forms + 1) * sizeof(*form));

		if (form == NULL)
			return -ENOMEM;
		lang->form = form;
		form[lang->nb_forms] = form_new(lang, cmd, groups);
		if (form[lang->nb_forms] == NULL)
			return -ENOMEM;
		lang->nb_forms++;
	}
	return 0;
}

struct language *
language_new(const struct cmd_section *sections)
{
	struct language *lang = calloc(1, sizeof(*lang));

	if (lang == NULL)
		return NULL;
	lang->sections = sections;
	for (; sections->title != NULL; sections++)
		for (const struct cmd *cmd = sections->cmds; cmd->syntax != NULL; cmd++)
			if (language_add(lang, cmd) != 0)
				goto fail;
	lang->ctx = calloc(lang->nb_forms + 1, sizeof(*lang->ctx));
	if (lang->ctx == NULL)
		goto fail;
	for (unsigned int i = 0; i < lang->nb_forms; i++)
		lang->ctx[i] = lang->form[i]->inst;
	lang->cl = cmdline_new(lang->ctx, "", -1, -1);
	if (lang->cl != NULL)
		return lang;
fail:
	language_free(lang);
	errno = ENOMEM;
	return NULL;
}

void
language_free(struct language *lang)
{
	if (lang == NULL)
		return;
	if (lang->cl != NULL)
		cmdline_free(lang->cl);
	for (unsigned int i = 0; i < lang->nb_forms; i++)
		form_free(lang->form[i]);
	free(lang->form);
	free(lang->ctx);
	free(lang);
}

/* ---- what is wrong with a line ------------------------------------------- */

/** How far a form follows a line. */
struct follow {
	unsigned int nb;  /**< words that fit */
	const char *next; /**< the first one that does not, or the end */
	const char *end;  /**< behind the last one that does */
};

static void
form_follow(const struct form *f, const char *text, struct follow *out)
{
	struct word word;
	int n;

	*out = (struct follow){ 0, text, text };
	for (;;) {
		out->next += strspn(out->next, " \t");
		if (out->nb == f->nb_tokens || is_end(*out->next))
			return;
		n = token_parse(&f->token[out->nb], out->next, &word);
		if (n < 0)
			return;
		out->next += n;
		out->end = out->next;
		out->nb++;
	}
}

/** Add to a list "a, b, c" what is not in it yet. */
static void
list_add(char *list, size_t size, const struct token *t)
{
	char item[EXPECT_LEN + 1];
	size_t used = strlen(list);
	char *at;

	snprintf(item, sizeof(item), "%.*s", (int)t->len, t->text);
	for (at = list; (at = strstr(at, item)) != NULL; at++)
		if ((at == list || at[-1] == ' ') && strchr(",", at[strlen(item)]) != NULL)
			return;
	snprintf(list + used, size - used, "%s%s", used > 0 ? ", " : "", item);
}

static void
expected(const struct language *lang, const char *text, unsigned int nb, char *list, size_t size)
{
	struct follow at;

	list[0] = '\0';
	for (unsigned int i = 0; i < lang->nb_forms; i++) {
		const struct form *f = lang->form[i];

		form_follow(f, text, &at);
		if (at.nb == nb && nb < f->nb_tokens)
			list_add(list, size, &f->token[nb]);
	}
}

/** As much of a word as is fit for one line of an error. */
static void
printable(const char *word, unsigned int len, char *out, size_t size)
{
	unsigned int n = 0;

	while (n < len && n + 1 < size && isprint((unsigned char)word[n])) {
		out[n] = word[n];
		n++;
	}
	out[n] = '\0';
	if (n < len && n >= 3)
		memcpy(out + n - 3, "...", 3);
}

static void
explain(const struct language *lang, const char *text, struct error_text *err)
{
	char list[1024], word[40], before[80];
	struct follow best = { 0, text + strspn(text, " \t"), text }, at;

	for (unsigned int i = 0; i < lang->nb_forms; i++) {
		form_follow(lang->form[i], text, &at);
		if (at.nb > best.nb)
			best = at;
	}
	printable(best.next, word_len(best.next), word, sizeof(word));
	if (best.nb == 0) {
		snprintf(err->text, sizeof(err->text), "unknown command '%s'; try 'help'", word);
		return;
	}
	text += strspn(text, " \t");
	printable(text, best.end - text, before, sizeof(before));
	expected(lang, text, best.nb, list, sizeof(list));
	if (strlen(list) > EXPECT_LEN)
		snprintf(list, sizeof(list), "one of those that 'help %s' shows", before);
	if (is_end(*best.next))
		snprintf(err->text, sizeof(err->text), "incomplete command '%s': expected %.*s",
		                before, EXPECT_LEN, list);
	else if (list[0] == '\0')
		snprintf(err->text, sizeof(err->text), "unexpected '%s' after '%s'", word, before);
	else
		snprintf(err->text, sizeof(err->text),
		                "bad argument '%s' after '%s': expected %.*s", word, before,
		                EXPECT_LEN, list);
}

/* ---- lines --------------------------------------------------------------- */

static int
check_text(const char *text, struct error_text *err)
{
	size_t len = strlen(text);

	if (len + 2 > FRONT_LINE_MAX) {
		snprintf(err->text, sizeof(err->text),
		                "command line of %zu bytes is too long: at most %d", len,
		                FRONT_LINE_MAX - 2);
		return -EINVAL;
	}
	for (size_t i = 0; i < len; i++)
		if (iscntrl((unsigned char)text[i]) && text[i] != '\t') {
			snprintf(err->text, sizeof(err->text),
			                "control character 0x%02x in column %zu of a command",
			                (unsigned char)text[i], i + 1);
			return -EINVAL;
		}
	return 0;
}

static void
fill_line(const struct form *f, const struct word *words, struct cmd_line *line)
{
	char *p = line->text;

	line->cmd = f->cmd;
	line->argc = f->nb_tokens;
	for (int i = 0; i < line->argc; i++) {
		line->argv[i] = p;
		memcpy(p, words[i].text, words[i].len);
		p += words[i].len;
		*p++ = '\0';
	}
	line->json = !f->token[line->argc - 1].is_arg &&
	             strcmp(line->argv[line->argc - 1], "json") == 0;
	if (line->json)
		line->argc--;
}

int
language_parse(struct language *lang, const char *text, struct cmd_line *line,
                struct error_text *err)
{
	char buf[FRONT_LINE_MAX];
	int rc = check_text(text, err);

	if (rc != 0)
		return rc;
	snprintf(buf, sizeof(buf), "%s\n", text);
	lang->hit = NULL;
	rc = cmdline_parse(lang->cl, buf);
	if (rc >= 0 && lang->hit == NULL)
		return 1;
	if (rc < 0) {
		explain(lang, text, err);
		return -EINVAL;
	}
	fill_line(lang->hit, lang->hit_word, line);
	return 0;
}

int
language_complete(struct language *lang, const char *buf, int *state, char *dst, unsigned int size)
{
	return cmdline_complete(lang->cl, buf, state, dst, size);
}

/* ---- help ---------------------------------------------------------------- */

static bool
help_wanted(const struct language *lang, const struct cmd *cmd, const char *words)
{
	struct follow at;

	if (words == NULL)
		return true;
	for (unsigned int i = 0; i < lang->nb_forms; i++) {
		if (lang->form[i]->cmd != cmd)
			continue;
		form_follow(lang->form[i], words, &at);
		if (at.nb > 0 && is_end(*at.next))
			return true;
	}
	return false;
}

unsigned int
language_help(const struct language *lang, FILE *out, const char *words)
{
	unsigned int nb = 0;

	for (const struct cmd_section *s = lang->sections; s->title != NULL; s++) {
		bool titled = words != NULL;

		for (const struct cmd *cmd = s->cmds; cmd->syntax != NULL; cmd++) {
			if (!help_wanted(lang, cmd, words))
				continue;
			if (!titled)
				fprintf(out, "%s%s\n", nb > 0 ? "\n" : "", s->title);
			titled = true;
			fprintf(out, "  %s\n      %s\n", cmd->syntax, cmd->help);
			nb++;
		}
	}
	return nb;
}

void
language_manual(const struct cmd_section *sections, FILE *out)
{
	fprintf(out, "# The command language\n\n"
	             "Generated from the commands' help by `scripts/gen-cli-doc.sh`; do not "
	             "edit.\n\n"
	             "The prompt (`-i`), `--cmdline-file`, the files in `config/` and `teamctl` "
	             "speak this language. A line is one command; `#` begins a comment. "
	             "`one|of|these` is a choice, `<ARGUMENT>` a word (in double quotes it may "
	             "hold blanks), `[...]` may be left out. Every `show` takes `json` at its "
	             "end. `<PORT>` is an ethdev's id as `show port summary` lists it.\n");
	for (; sections->title != NULL; sections++) {
		fprintf(out, "\n## %s\n\n", sections->title);
		for (const struct cmd *cmd = sections->cmds; cmd->syntax != NULL; cmd++)
			fprintf(out, "- `%s`: %s.\n", cmd->syntax, cmd->help);
	}
}
