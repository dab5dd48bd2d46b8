/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** The outside of the daemon: one thread that reads command lines from the prompt, a file and
 * the control socket, runs them one at a time and writes what they print. It touches the team
 * only through control_call(); no peer that stops reading can stall it.
 */
#ifndef FRONT_H
#define FRONT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_lcore.h>

#include "app.h"

struct front;
struct language;
struct session;

/* ==== commands =========================================================== */

/** Longest command line, its end of line included. */
#define FRONT_LINE_MAX 4096
/** Most words in a command line. */
#define FRONT_WORDS_MAX 32

/** A command being run. */
struct cmd_ctx {
	struct daemon *d;
	const struct language *lang;
	int argc;                /**< words of the line, "json" at its end left out */
	const char *const *argv; /**< quotes removed; valid until the command ends */
	bool json;               /**< the line ended in "json" */
	FILE *out;               /**< what the command prints */
	struct error_text err;   /**< why it failed; one line, no newline */
};

/** One command of the language; each cmd_<module>.c exports an array that ends with an entry
 * without syntax. A syntax is words with blanks between them: `word`, `one|of|these`,
 * `<ARGUMENT>` (one word, or anything in double quotes), `<ARGUMENT...>` (the rest of the line),
 * `[optional words]`.
 */
struct cmd {
	const char *syntax;
	const char *help; /**< one sentence, no full stop, no newline */
	/** Front thread. @return 0, or -errno with x->err filled (empty: strerror); -EINVAL means
	 * that the line was wrong, not the world */
	int (*run)(struct cmd_ctx *x);
};

extern const struct cmd cmd_run[];     /**< start, stop, quit, help */
extern const struct cmd cmd_show[];    /**< show, clear */
extern const struct cmd cmd_toe[];     /**< services, connections, routes */
extern const struct cmd cmd_migrate[]; /**< set migrate, drain member, move conn */
extern const struct cmd cmd_team[];    /**< set team */
extern const struct cmd cmd_member[];  /**< set member, set watch, set link-up */
extern const struct cmd cmd_port[];    /**< port attach, team add, set host */
extern const struct cmd cmd_capture[]; /**< capture */

/** The arrays of commands in the order of the manual; ends with an entry without title. */
struct cmd_section {
	const char *title;
	const struct cmd *cmds;
};
extern const struct cmd_section cmd_sections[];

/** Say why a command failed (printf-like). @return err, for `return cmd_fail(...)` */
int cmd_fail(struct cmd_ctx *x, int err, const char *fmt, ...) __rte_format_printf(3, 4);
/** A whole number within bounds, decimal or 0x. @return 0 or -EINVAL with x->err filled */
int cmd_number(struct cmd_ctx *x, const char *what, const char *text, int64_t min, int64_t max,
                int64_t *value);
/** Decimal port id that is an ethdev. @return 0 or -errno with x->err filled */
int cmd_port_id(struct cmd_ctx *x, const char *text, uint16_t *port_id);
/** Likewise, a port that is a member. @param member out: its index */
int cmd_member_id(struct cmd_ctx *x, const char *text, uint8_t *member);
/** "on" or "off". */
bool cmd_on(const char *text);
/** Is the word among the line's, from argv[from] on? @return its index or 0 */
int cmd_has(const struct cmd_ctx *x, int from, const char *word);

/* ==== the language: commands on librte_cmdline ============================ */

/** Make all commands known to librte_cmdline. @return NULL with errno */
struct language *language_new(const struct cmd_section *sections);
void language_free(struct language *lang);

/** A line taken apart. */
struct cmd_line {
	const struct cmd *cmd;
	bool json;
	int argc;
	const char *argv[FRONT_WORDS_MAX];
	char text[FRONT_LINE_MAX]; /**< holds the words */
};

/** Find the command that a line means.
 * @param text NUL-terminated, without end of line
 * @param err out: one line that says what is wrong and what would be right
 * @return 0; 1 for an empty line or a comment; -EINVAL
 */
int language_parse(struct language *lang, const char *text, struct cmd_line *line,
                struct error_text *err);
/** Completion as rdline wants it. */
int language_complete(
                struct language *lang, const char *buf, int *state, char *dst, unsigned int size);
/** Print the commands that begin with word, or all (NULL). @return how many */
unsigned int language_help(const struct language *lang, FILE *out, const char *word);
/** Print the manual's page of commands, docs/cli.md. */
void language_manual(const struct cmd_section *sections, FILE *out);

/** Devices attached at run time, for `show config`. Front, or under show_lock().
 * @param i from 0 on @return devargs, or NULL behind the last one
 */
const char *front_attached(unsigned int i);
void front_note_attach(const char *devargs);
/** @param name of the device */
void front_note_detach(const char *name);

/* ==== output ============================================================== */

/** What is to be written to a descriptor, without ever blocking on it. */
struct outq {
	int fd;
	bool broken; /**< the reader is gone */
	char *data;
	size_t len, off, size;
	uint64_t stalled_at; /**< since when nothing was taken; 0: not stalled */
	uint64_t dropped;    /**< bytes that found the queue full */
};

/** Queue bytes, or all of them are dropped when it holds more than max already. */
void outq_add(struct outq *q, const char *text, size_t len, size_t max);
/** Write what the descriptor takes at once. */
void outq_flush(struct outq *q, uint64_t now);
size_t outq_unsent(const struct outq *q);
void outq_free(struct outq *q);
/** One line for standard error; dropped if that would block. */
void complain(const char *fmt, ...) __rte_format_printf(1, 2);

/* ==== sessions ============================================================ */

enum session_kind {
	SESSION_FILE,   /**< --cmdline-file: stops the daemon at the first error */
	SESSION_LINES,  /**< standard input that is no terminal */
	SESSION_TTY,    /**< standard input with editing, completion and history */
	SESSION_SOCKET, /**< a client of the control socket */
};

/** Most sessions at a time. */
#define FRONT_SESSIONS_MAX 34
/** While a session has more than this unsent it reads no further commands. */
#define SESSION_UNSENT_MAX (64 * 1024)
/** What one may have unsent at all. */
#define SESSION_QUEUE_MAX (8 * 1024 * 1024)
/** A client that takes nothing for this long while there is something to send is closed. */
#define SESSION_STALL_S 30

/** @param in, out descriptors, closed with the session where kind is FILE or SOCKET
 * @param name for errors: file name
 * @return NULL with errno
 */
struct session *session_new(struct front *front, enum session_kind kind, int fd, const char *name);
/** Close and free. */
void session_free(struct session *s);
/** Descriptor to poll for input, or -1. */
int session_in_fd(const struct session *s);
/** What it writes to. */
struct outq *session_outq(struct session *s);
/** May it run now? While an operation waits neither a command file nor the session that asked for
 * the operation; commands of the others that change something wait, too, but for `quit`. */
bool session_served(const struct session *s);
/** There is something to do without waiting for input. */
bool session_ready(const struct session *s);
enum session_kind session_kind(const struct session *s);
/** Read, run and write as far as possible without blocking. @return false: the session is over */
bool session_run(struct session *s, bool readable, uint64_t now);

/* ==== the thread ========================================================== */

struct front {
	struct daemon *d;
	struct language *lang;
	struct session *session[FRONT_SESSIONS_MAX];
	struct outq console; /**< standard output */
	int listen_fd;
	int stop_fd; /**< eventfd */
	char socket_path[APP_TEXT_LEN];
	bool prompt_due; /**< start the prompt once the command file is done */
	bool pending;    /**< an operation waits: other sessions look or quit, and change nothing */
	uint64_t stats_due;
	struct stats_period *stats;
	bool short_of_memory; /**< tp_toe_prepare() has more to do */
	tp_ctrl_thread_t thread;
	_Atomic bool ended; /**< thread w */
};

/** Listen on the control socket; the stale one of a daemon that was killed is replaced.
 * @param path empty: the default
 * @param used [APP_TEXT_LEN] out: the path
 * @return descriptor or -errno with err filled
 */
int socket_listen(const char *path, char *used, struct error_text *err);
/** Accept a client, non-blocking. @return descriptor or -errno */
int socket_accept(int listen_fd);

#endif
