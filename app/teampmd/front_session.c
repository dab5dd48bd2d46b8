/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <cmdline_rdline.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "ctlpath.h"
#include "front.h"
#include "show.h"

#define PROMPT "teampmd> "
/* Commands of one session before the others get their turn. */
#define RUN_BURST 16

struct session {
	struct front *front;
	enum session_kind kind;
	int in;
	struct outq own;   /**< what a socket's client has to get */
	struct outq *outq; /**< own, or standard output */
	char name[APP_TEXT_LEN];
	unsigned int line_no;
	char input[FRONT_LINE_MAX];
	size_t input_len;
	bool overlong; /**< what comes up to the next newline belongs to a line too long */
	bool eof;
	bool over; /**< nothing more is to be read */
	bool busy; /**< its command is being carried out */
	bool due;  /**< line holds a command that must wait for another session's operation */
	struct cmd_line line;
	struct cmd_ctx ctx;
	char *out_text;
	size_t out_len;
	struct rdline *rdl;
	struct termios termios;
	bool raw;
};

static bool
throttled(const struct session *s)
{
	return outq_unsent(s->outq) > SESSION_UNSENT_MAX;
}

/* ---- answers ------------------------------------------------------------- */

static void
answer_socket(struct session *s, enum ctl_status status, const char *err)
{
	char head[64];
	size_t err_len = strlen(err);
	int n = snprintf(head, sizeof(head), "%d %zu %zu\n", status, s->out_len, err_len);

	outq_add(s->outq, head, n, SIZE_MAX);
	outq_add(s->outq, s->out_text, s->out_len, SIZE_MAX);
	outq_add(s->outq, err, err_len, SIZE_MAX);
}

static void
answer_console(struct session *s, const char *err)
{
	outq_add(s->outq, s->out_text, s->out_len, SESSION_QUEUE_MAX);
	if (err[0] == '\0')
		return;
	if (s->kind == SESSION_TTY) {
		outq_add(s->outq, err, strlen(err), SESSION_QUEUE_MAX);
		outq_add(s->outq, "\n", 1, SESSION_QUEUE_MAX);
	} else {
		complain("%s:%u: %s", s->name, s->line_no, err);
	}
}

/** A command file that cannot be carried out ends the daemon. */
static void
give_up(struct session *s, enum ctl_status status)
{
	struct daemon *d = s->front->d;

	s->over = true;
	s->input_len = 0;
	atomic_store(&d->exit_code, status == CTL_USAGE ? 2 : 1);
	atomic_store(&d->quit, true);
}

static void
answer(struct session *s, int rc)
{
	enum ctl_status status = rc == 0 ? CTL_OK : rc == -EINVAL ? CTL_USAGE : CTL_FAILED;
	struct error_text *err = &s->ctx.err;

	if (rc != 0 && err->text[0] == '\0')
		snprintf(err->text, sizeof(err->text), "%s", strerror(-rc));
	if (rc == 0)
		err->text[0] = '\0';
	if (s->kind == SESSION_SOCKET)
		answer_socket(s, status, err->text);
	else
		answer_console(s, err->text);
	if (s->kind == SESSION_FILE && rc != 0)
		give_up(s, status);
}

/* ---- commands ------------------------------------------------------------ */

static void
run_command(struct session *s)
{
	struct cmd_ctx *x = &s->ctx;
	int rc = -ENOMEM;

	x->argc = s->line.argc;
	x->argv = s->line.argv;
	x->json = s->line.json;
	x->out = open_memstream(&s->out_text, &s->out_len);
	if (x->out != NULL) {
		s->busy = true;
		show_lock();
		rc = s->line.cmd->run(x);
		show_unlock();
		s->busy = false;
		fclose(x->out);
	}
	answer(s, rc);
	free(s->out_text);
	s->out_text = NULL;
	s->out_len = 0;
}

/** May the command run while another session's operation waits? Looking changes nothing, and the end
 * gives that operation up as a signal would.
 */
static bool
runs_meanwhile(const struct cmd *cmd)
{
	return strncmp(cmd->syntax, "show ", 5) == 0 || strncmp(cmd->syntax, "help", 4) == 0 ||
	       strcmp(cmd->syntax, "quit") == 0;
}

static void
run_line(struct session *s, const char *text)
{
	int rc;

	s->ctx = (struct cmd_ctx){ .d = s->front->d, .lang = s->front->lang };
	rc = language_parse(s->front->lang, text, &s->line, &s->ctx.err);
	if (rc == 0 && s->front->pending && !runs_meanwhile(s->line.cmd))
		s->due = true;
	else if (rc == 0)
		run_command(s);
	else if (rc < 0)
		answer(s, rc);
}

static void
refuse_line(struct session *s, const char *why)
{
	s->ctx = (struct cmd_ctx){ .d = s->front->d };
	snprintf(s->ctx.err.text, sizeof(s->ctx.err.text), "%s", why);
	answer(s, -EINVAL);
}

/* ---- lines --------------------------------------------------------------- */

static void
consume(struct session *s, size_t n)
{
	memmove(s->input, s->input + n, s->input_len - n);
	s->input_len -= n;
}

static void
finish_line(struct session *s, size_t len, size_t used)
{
	char text[FRONT_LINE_MAX + 1];
	bool overlong = s->overlong;

	s->line_no++;
	s->overlong = false;
	memcpy(text, s->input, len);
	if (len > 0 && text[len - 1] == '\r')
		len--;
	text[len] = '\0';
	consume(s, used);
	if (overlong)
		refuse_line(s, "command line is too long: at most " RTE_STR(
		                               FRONT_LINE_MAX) " bytes");
	else if (memchr(text, '\0', len) != NULL)
		refuse_line(s, "command line holds a NUL byte");
	else
		run_line(s, text);
}

/** @return true if there was a whole line */
static bool
take_line(struct session *s)
{
	char *newline = memchr(s->input, '\n', s->input_len);

	if (newline != NULL) {
		finish_line(s, newline - s->input, newline - s->input + 1);
		return true;
	}
	if (s->input_len == sizeof(s->input)) {
		s->overlong = true;
		s->input_len = 0;
	}
	if (s->eof && (s->input_len > 0 || s->overlong)) {
		finish_line(s, s->input_len, s->input_len);
		return true;
	}
	return false;
}

/* ---- the terminal -------------------------------------------------------- */

static int
tty_write_char(struct rdline *rdl, char c)
{
	struct session *s = rdline_get_opaque(rdl);

	outq_add(s->outq, &c, 1, SESSION_QUEUE_MAX);
	return 1;
}

static void
tty_validate(struct rdline *rdl, const char *buf, unsigned int size)
{
	struct session *s = rdline_get_opaque(rdl);
	size_t len = strcspn(buf, "\r\n");
	char text[FRONT_LINE_MAX];
	char *last = rdline_get_history_item(rdl, 0);

	(void)size;
	snprintf(text, sizeof(text), "%.*s", (int)len, buf);
	if (len > 0 && (last == NULL || strncmp(last, text, len) != 0 || last[len] != '\n'))
		rdline_add_history(rdl, buf);
	s->line_no++;
	run_line(s, text);
}

static int
tty_complete(struct rdline *rdl, const char *buf, char *dst, unsigned int size, int *state)
{
	struct session *s = rdline_get_opaque(rdl);

	return language_complete(s->front->lang, buf, state, dst, size);
}

static void
tty_end(struct session *s)
{
	s->over = true;
	s->input_len = 0;
	atomic_store(&s->front->d->quit, true);
}

static bool
tty_take(struct session *s)
{
	size_t n = 0;

	while (n < s->input_len && !s->over && !s->due && !throttled(s)) {
		int rc = rdline_char_in(s->rdl, s->input[n++]);

		if (rc == RDLINE_RES_EOF || rc == RDLINE_RES_EXITED)
			tty_end(s);
		else if (rc == RDLINE_RES_VALIDATED && !s->over && !s->due)
			rdline_newline(s->rdl, PROMPT);
	}
	if (s->over)
		return false;
	consume(s, n);
	if (s->eof && s->input_len == 0)
		tty_end(s);
	return n > 0;
}

static int
tty_open(struct session *s)
{
	struct termios raw;

	s->rdl = rdline_new(tty_write_char, tty_validate, tty_complete, s);
	if (s->rdl == NULL)
		return -ENOMEM;
	if (tcgetattr(s->in, &s->termios) == 0) {
		raw = s->termios;
		raw.c_lflag &= ~(ICANON | ECHO | ISIG);
		s->raw = tcsetattr(s->in, TCSANOW, &raw) == 0;
	}
	rdline_newline(s->rdl, PROMPT);
	return 0;
}

/* ---- sessions ------------------------------------------------------------ */

struct session *
session_new(struct front *front, enum session_kind kind, int fd, const char *name)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->front = front;
	s->kind = kind;
	s->in = fd;
	s->own.fd = fd;
	s->outq = kind == SESSION_SOCKET ? &s->own : &front->console;
	snprintf(s->name, sizeof(s->name), "%s", name);
	if (kind == SESSION_TTY && tty_open(s) != 0) {
		free(s);
		errno = ENOMEM;
		return NULL;
	}
	return s;
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	if (s->raw)
		tcsetattr(s->in, TCSANOW, &s->termios);
	if (s->rdl != NULL)
		rdline_free(s->rdl);
	if (s->kind == SESSION_FILE || s->kind == SESSION_SOCKET)
		close(s->in);
	outq_free(&s->own);
	free(s);
}

int
session_in_fd(const struct session *s)
{
	bool wanted = !s->eof && !s->over && !throttled(s);

	return wanted && s->input_len < sizeof(s->input) ? s->in : -1;
}

struct outq *
session_outq(struct session *s)
{
	return s->outq;
}

enum session_kind
session_kind(const struct session *s)
{
	return s->kind;
}

bool
session_served(const struct session *s)
{
	if (!s->front->pending)
		return true;
	/* Of a command file each line counts on those before it, and its end starts the team. */
	return !s->busy && s->kind != SESSION_FILE;
}

bool
session_ready(const struct session *s)
{
	if (throttled(s))
		return false;
	if (s->due)
		return !s->front->pending;
	if (s->over)
		return outq_unsent(&s->own) == 0;
	if (s->kind == SESSION_TTY)
		return s->input_len > 0 || s->eof;
	return s->eof || memchr(s->input, '\n', s->input_len) != NULL;
}

static void
read_input(struct session *s)
{
	ssize_t n;

	if (s->input_len == sizeof(s->input))
		return;
	n = read(s->in, s->input + s->input_len, sizeof(s->input) - s->input_len);
	if (n > 0)
		s->input_len += n;
	else if (n == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK))
		s->eof = true;
}

static void
run_input(struct session *s)
{
	for (int i = 0; i < RUN_BURST && !s->over && !s->due && !throttled(s); i++)
		if (!(s->kind == SESSION_TTY ? tty_take(s) : take_line(s)))
			break;
}

/** The command that had to wait, once nobody is in its way. */
static void
run_due(struct session *s)
{
	if (!s->due || s->front->pending)
		return;
	s->due = false;
	run_command(s);
	if (s->kind == SESSION_TTY && !s->over)
		rdline_newline(s->rdl, PROMPT);
}

static bool
is_dead(const struct session *s, uint64_t now)
{
	const struct outq *q = &s->own;

	if (s->kind != SESSION_SOCKET)
		return false;
	return q->broken ||
	       (q->stalled_at != 0 && now - q->stalled_at > SESSION_STALL_S * TP_NS_PER_S);
}

bool
session_run(struct session *s, bool readable, uint64_t now)
{
	if (readable)
		read_input(s);
	run_due(s);
	run_input(s);
	outq_flush(s->outq, now);
	if (is_dead(s, now))
		return false;
	if (s->eof && s->input_len == 0 && !s->overlong && !s->due)
		s->over = true;
	return !(s->over && outq_unsent(&s->own) == 0);
}
