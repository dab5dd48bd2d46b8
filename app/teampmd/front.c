/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "front.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture.h"
#include "show.h"

/* Looks at clients that take nothing, and at nothing else. */
#define IDLE_POLL_NS TP_NS_PER_S
/* Memory for connections: up to 2 GB a second. */
#define MEMORY_POLL_NS TP_NS_PER_MS
/* What is left to write when the daemon ends gets this long. */
#define FLUSH_MS 500
/* An operation that waits looks that often whether it may go on. */
#define MEANWHILE_NS (200 * TP_NS_PER_US)
/* Statistics are skipped while this much is unsent. */
#define STATS_UNSENT_MAX (256 * 1024)

static struct front the_front = { .listen_fd = -1, .stop_fd = -1 };

/* ---- sessions ------------------------------------------------------------ */

static struct session **
free_slot(struct front *front)
{
	for (unsigned int i = 0; i < FRONT_SESSIONS_MAX; i++)
		if (front->session[i] == NULL)
			return &front->session[i];
	return NULL;
}

static int
add_session(struct front *front, enum session_kind kind, int fd, const char *name)
{
	struct session **slot = free_slot(front);

	if (slot == NULL)
		return -EMFILE;
	*slot = session_new(front, kind, fd, name);
	return *slot != NULL ? 0 : -ENOMEM;
}

static void
accept_client(struct front *front)
{
	int fd = socket_accept(front->listen_fd);

	if (fd >= 0 && add_session(front, SESSION_SOCKET, fd, "teamctl") != 0)
		close(fd);
}

static void
start_prompt(struct front *front)
{
	enum session_kind kind = isatty(STDIN_FILENO) ? SESSION_TTY : SESSION_LINES;

	front->prompt_due = false;
	if (add_session(front, kind, STDIN_FILENO, "stdin") != 0)
		complain("teampmd: no memory for the prompt");
}

/** Traffic begins with all that the command file says in force, unless it said itself. */
static void
start_if_due(struct daemon *d)
{
	struct error_text err = { "" };

	if (d->start_due && op_start(d, &err) != 0)
		complain("teampmd: start: %s", err.text);
	d->start_due = false;
}

/** A session ended: of the console, what follows it. */
static void
end_session(struct front *front, struct session **slot)
{
	enum session_kind kind = session_kind(*slot);

	session_free(*slot);
	*slot = NULL;
	if (kind == SESSION_LINES)
		atomic_store(&front->d->quit, true);
	if (kind != SESSION_FILE || atomic_load(&front->d->quit))
		return;
	start_if_due(front->d);
	if (front->prompt_due)
		start_prompt(front);
}

/* ---- the loop ------------------------------------------------------------ */

/** What poll() is asked, and to whom each answer belongs. */
struct poll_set {
	struct pollfd fd[2 * FRONT_SESSIONS_MAX + 3];
	nfds_t nb;
	int in_of[FRONT_SESSIONS_MAX]; /**< index in fd, or -1 */
	int listen;
};

static int
poll_add(struct poll_set *set, int fd, short events)
{
	if (fd < 0)
		return -1;
	set->fd[set->nb] = (struct pollfd){ .fd = fd, .events = events };
	return set->nb++;
}

static bool
poll_has(const struct poll_set *set, int i)
{
	return i >= 0 && set->fd[i].revents != 0;
}

static uint64_t
ns_until(uint64_t due, uint64_t now)
{
	return due <= now ? 0 : due - now;
}

/** Fill the set. @return time-out in ns */
static uint64_t
poll_prepare(struct front *front, struct poll_set *set, uint64_t now)
{
	uint64_t timeout = RTE_MIN(ns_until(front->stats_due, now), ns_until(capture_due(), now));

	set->nb = 0;
	poll_add(set, front->stop_fd, POLLIN);
	set->listen = poll_add(set, free_slot(front) != NULL ? front->listen_fd : -1, POLLIN);
	if (outq_unsent(&front->console) > 0)
		poll_add(set, front->console.fd, POLLOUT);
	for (unsigned int i = 0; i < FRONT_SESSIONS_MAX; i++) {
		struct session *s = front->session[i];

		set->in_of[i] = -1;
		if (s == NULL || !session_served(s))
			continue;
		set->in_of[i] = poll_add(set, session_in_fd(s), POLLIN);
		if (session_outq(s) != &front->console && outq_unsent(session_outq(s)) > 0)
			poll_add(set, session_outq(s)->fd, POLLOUT);
		if (session_ready(s))
			timeout = 0;
	}
	if (front->short_of_memory)
		timeout = RTE_MIN(timeout, MEMORY_POLL_NS);
	return RTE_MIN(timeout, front->pending ? MEANWHILE_NS : IDLE_POLL_NS);
}

static void
print_stats(struct front *front, uint64_t now)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	if (now < front->stats_due)
		return;
	front->stats_due = now + front->d->opt.stats_period_s * TP_NS_PER_S;
	out = open_memstream(&text, &len);
	if (out == NULL)
		return;
	stats_period_print(front->stats, front->d, out);
	fclose(out);
	outq_add(&front->console, text, len, STATS_UNSENT_MAX);
	free(text);
}

static void
front_turn(struct front *front)
{
	struct poll_set set;
	uint64_t now = tp_clock_now();
	uint64_t ns = poll_prepare(front, &set, now);
	struct timespec timeout = { ns / TP_NS_PER_S, ns % TP_NS_PER_S };

	if (ppoll(set.fd, set.nb, &timeout, NULL) < 0)
		set.nb = 0;
	now = tp_clock_now();
	if (set.nb > 0 && poll_has(&set, set.listen))
		accept_client(front);
	for (unsigned int i = 0; i < FRONT_SESSIONS_MAX; i++) {
		bool readable = set.nb > 0 && poll_has(&set, set.in_of[i]);
		struct session *s = front->session[i];

		if (s != NULL && session_served(s) && !session_run(s, readable, now))
			end_session(front, &front->session[i]);
	}
	show_lock();
	capture_poll();
	show_unlock();
	/* This thread may wait for a page, and it is the one that frees shards. */
	front->short_of_memory = front->d->toe != NULL && tp_toe_prepare(front->d->toe);
	print_stats(front, now);
	outq_flush(&front->console, now);
}

/** A command on this thread waits for something: who only wants to look need not wait with it. */
static void
meanwhile(struct daemon *d)
{
	(void)d;
	the_front.pending = true;
	show_unlock();
	front_turn(&the_front);
	show_lock();
	the_front.pending = false;
}

static bool
stop_asked(const struct front *front)
{
	struct pollfd p = { .fd = front->stop_fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static bool
front_unsent(struct front *front)
{
	if (outq_unsent(&front->console) > 0 && !front->console.broken)
		return true;
	for (unsigned int i = 0; i < FRONT_SESSIONS_MAX; i++)
		if (front->session[i] != NULL && outq_unsent(session_outq(front->session[i])) > 0)
			return true;
	return false;
}

/** Last words get some time; nobody may hold up the end. */
static void
front_flush(struct front *front)
{
	for (int ms = 0; ms < FLUSH_MS && front_unsent(front); ms++) {
		if (ms > 0)
			usleep(1000);
		outq_flush(&front->console, tp_clock_now());
		for (unsigned int i = 0; i < FRONT_SESSIONS_MAX; i++)
			if (front->session[i] != NULL)
				outq_flush(session_outq(front->session[i]), tp_clock_now());
	}
}

static TP_CTRL_THREAD_FN(front_main, arg)
{
	struct front *front = arg;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	/* Before its loop runs, control belongs to the main thread. */
	while (!atomic_load(&front->d->control_runs) && !stop_asked(front))
		usleep(1000);
	while (!stop_asked(front))
		front_turn(front);
	show_lock();
	capture_close(front->d);
	show_unlock();
	front_flush(front);
	atomic_store(&front->ended, true);
	return 0;
}

/* ---- start and stop ------------------------------------------------------ */

/* A directory opens like a file, and reads as nothing. */
static int
open_commands(const char *path, struct error_text *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		return fd;
	rc = fd < 0 ? -errno : -EISDIR;
	if (fd >= 0)
		close(fd);
	snprintf(err->text, sizeof(err->text), "--cmdline-file %.150s: %s", path, strerror(-rc));
	return rc;
}

static int
open_sources(struct front *front, struct error_text *err)
{
	const struct options *opt = &front->d->opt;
	int fd;

	front->listen_fd = socket_listen(opt->control_socket, front->socket_path, err);
	if (front->listen_fd < 0) {
		front->socket_path[0] = '\0';
		return front->listen_fd;
	}
	front->prompt_due = opt->interactive;
	if (opt->cmdline_file[0] != '\0') {
		fd = open_commands(opt->cmdline_file, err);
		if (fd < 0)
			return fd;
		if (add_session(front, SESSION_FILE, fd, opt->cmdline_file) == 0)
			return 0;
		close(fd);
		return -ENOMEM;
	}
	if (front->prompt_due)
		start_prompt(front);
	return 0;
}

static void
front_close(struct front *front)
{
	for (unsigned int i = 0; i < FRONT_SESSIONS_MAX; i++) {
		session_free(front->session[i]);
		front->session[i] = NULL;
	}
	if (front->listen_fd >= 0)
		close(front->listen_fd);
	if (front->socket_path[0] != '\0')
		unlink(front->socket_path);
	if (front->stop_fd >= 0)
		close(front->stop_fd);
	stats_period_free(front->stats);
	language_free(front->lang);
	outq_free(&front->console);
	*front = (struct front){ .listen_fd = -1, .stop_fd = -1 };
}

static int
front_open(struct front *front, struct daemon *d, struct error_text *err)
{
	*front = (struct front){
		.d = d,
		.listen_fd = -1,
		.console = { .fd = STDOUT_FILENO },
		.stats_due = TP_NEVER,
		.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.lang = language_new(cmd_sections),
	};
	if (front->stop_fd < 0 || front->lang == NULL)
		return -errno;
	if (d->opt.stats_period_s > 0) {
		front->stats = stats_period_new();
		front->stats_due = tp_clock_now() + d->opt.stats_period_s * TP_NS_PER_S;
		if (front->stats == NULL)
			return -ENOMEM;
	}
	return open_sources(front, err);
}

int
front_start(struct daemon *d, struct error_text *err)
{
	struct front *front = &the_front;
	int rc;

	err->text[0] = '\0';
	signal(SIGPIPE, SIG_IGN);
	rc = front_open(front, d, err);
	d->meanwhile = meanwhile;
	if (rc == 0)
		rc = telemetry_start(d);
	if (rc == 0)
		rc = tp_ctrl_thread(&front->thread, "teampmd-front", front_main, front);
	if (rc == 0)
		return 0;
	while (!telemetry_stop())
		usleep(1000);
	front_close(front);
	if (err->text[0] == '\0')
		snprintf(err->text, sizeof(err->text), "front thread: %s", strerror(-rc));
	return rc;
}

void
front_stop(struct daemon *d)
{
	struct front *front = &the_front;
	uint64_t one = 1;

	if (front->d == NULL)
		return;
	while (write(front->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
	/* They may be waiting for control, whose loop has ended. */
	while (!telemetry_stop() || !atomic_load(&front->ended)) {
		control_serve(&d->control);
		usleep(1000);
	}
	tp_ctrl_thread_join(front->thread);
	d->meanwhile = NULL;
	front_close(front);
}
