/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_control.h"
#include "front.h"
#include "test_eal.h"

static struct front front;
static int peer; /* the client's end */
static uint64_t now;

static int
group_setup(void **state)
{
	int rc = test_eal_setup(state);

	signal(SIGPIPE, SIG_IGN);
	return rc;
}

static int
setup(void **state)
{
	int fd[2];

	memset(&front, 0, sizeof(front));
	now = TP_NS_PER_S;
	front.d = fake_daemon(1);
	front.lang = language_new(cmd_sections);
	front.console.fd = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) != 0)
		return -1;
	peer = fd[1];
	*state = session_new(&front, SESSION_SOCKET, fd[0], "test");
	return *state != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	session_free(*state);
	close(peer);
	outq_free(&front.console);
	language_free(front.lang);
	fake_daemon_end(front.d);
	return 0;
}

static void
client_sends(const char *text, size_t len)
{
	assert_int_equal(write(peer, text, len), len);
}

static const char *
client_gets(void)
{
	static char buf[1 << 20];
	size_t used = 0;
	ssize_t n;

	while ((n = read(peer, buf + used, sizeof(buf) - used - 1)) > 0)
		used += n;
	buf[used] = '\0';
	return buf;
}

/** @return what the session answers to text */
static const char *
ask(struct session *s, const char *text)
{
	client_sends(text, strlen(text));
	assert_true(session_run(s, true, now));
	return client_gets();
}

static void
test_answers_have_status_and_lengths(void **state)
{
	assert_string_equal(ask(*state, "start\n"), "0 0 0\n");
	assert_string_equal(ask(*state, "bogus\n"), "2 0 35\nunknown command 'bogus'; try 'help'");
	assert_string_equal(ask(*state, "help start\n"),
	                "0 82 0\n  start\n      Let traffic through; members are enabled and the "
	                "primary is elected\n");
}

static void
test_failures_have_status_1(void **state)
{
	fake_fail_next(-EIO, "it broke");
	assert_string_equal(ask(*state, "stop\n"), "1 0 8\nit broke");
	fake_fail_next(-EIO, "");
	assert_string_equal(ask(*state, "stop\n"), "1 0 18\nInput/output error");
	fake_fail_next(-EINVAL, "it was wrong");
	assert_string_equal(ask(*state, "stop\n"), "2 0 12\nit was wrong");
}

static void
test_lines_come_in_pieces(void **state)
{
	assert_string_equal(ask(*state, "st"), "");
	assert_string_equal(ask(*state, "art\r"), "");
	assert_string_equal(ask(*state, "\nstop\nsta"), "0 0 0\n0 0 0\n");
	assert_string_equal(fake_last(), "op_stop");
	assert_string_equal(ask(*state, "rt\n"), "0 0 0\n");
}

static void
test_empty_lines_get_no_answer(void **state)
{
	assert_string_equal(ask(*state, "\n\n# comment\n   \nstart # now\n"), "0 0 0\n");
}

static void
test_last_line_needs_no_newline(void **state)
{
	client_sends("stop", 4);
	shutdown(peer, SHUT_WR);
	assert_true(session_run(*state, true, now));
	assert_false(session_run(*state, true, now));
	assert_string_equal(client_gets(), "0 0 0\n");
}

static void
test_overlong_lines_are_skipped(void **state)
{
	struct session *s = *state;
	char text[FRONT_LINE_MAX * 3];

	memset(text, 'x', sizeof(text));
	memcpy(text + sizeof(text) - 7, "\nstart\n", 7);
	client_sends(text, sizeof(text));
	for (int i = 0; i < 10; i++)
		assert_true(session_run(s, true, now));
	assert_string_equal(client_gets(),
	                "2 0 44\ncommand line is too long: at most 4096 bytes0 0 0\n");
}

static void
test_nul_bytes_are_refused(void **state)
{
	client_sends("start\0x\n", 8);
	assert_true(session_run(*state, true, now));
	assert_string_equal(client_gets(), "2 0 29\ncommand line holds a NUL byte");
}

static void
test_gone_client_ends_the_session(void **state)
{
	close(peer);
	peer = -1;
	for (int i = 0; i < 3; i++)
		if (!session_run(*state, true, now))
			return;
	fail_msg("the session goes on");
}

static void
test_client_that_does_not_read(void **state)
{
	static const char line[] = "help\n";
	struct session *s = *state;
	size_t most = 0, sent = 0;

	while (write(peer, line, sizeof(line) - 1) > 0 && sent < 20000) {
		assert_true(session_run(s, session_in_fd(s) >= 0, now));
		most = RTE_MAX(most, outq_unsent(session_outq(s)));
		sent++;
	}
	/* It is not read from any more, and what waits is bounded: one answer over the limit. */
	assert_int_equal(session_in_fd(s), -1);
	assert_false(session_ready(s));
	assert_true(most > SESSION_UNSENT_MAX);
	assert_true(most < 2 * SESSION_UNSENT_MAX);
	/* In the end it is given up. */
	assert_true(session_run(s, false, now + (SESSION_STALL_S - 1) * TP_NS_PER_S));
	assert_false(session_run(s, false, now + (SESSION_STALL_S + 1) * TP_NS_PER_S));
}

static void
test_client_that_reads_again(void **state)
{
	static const char line[] = "help\n";
	struct session *s = *state;
	size_t asked = 0, answers = 0;

	while (session_in_fd(s) >= 0) {
		client_sends(line, sizeof(line) - 1);
		asked++;
		assert_true(session_run(s, true, now));
	}
	for (int i = 0; i < 1000 && answers < asked; i++) {
		const char *p = client_gets();

		for (; (p = strstr(p, "  start\n")) != NULL; p++)
			answers++;
		assert_true(session_run(s, session_in_fd(s) >= 0, now + 10 * TP_NS_PER_S));
	}
	assert_int_equal(answers, asked);
	assert_true(session_run(s, false, now + 100 * TP_NS_PER_S));
}

/* ---- command files ------------------------------------------------------- */

static int
file_with(const char *text)
{
	char path[] = "/tmp/tp-test-session-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/** Run a file. @return what it left on standard error */
static const char *
run_file(const char *text)
{
	static char err[1024];
	int pipes[2], saved = dup(STDERR_FILENO);
	struct session *s = session_new(&front, SESSION_FILE, file_with(text), "x.cmd");
	ssize_t n;

	assert_non_null(s);
	assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
	dup2(pipes[1], STDERR_FILENO);
	for (int i = 0; i < 100 && session_run(s, session_in_fd(s) >= 0, now); i++)
		;
	dup2(saved, STDERR_FILENO);
	session_free(s);
	n = read(pipes[0], err, sizeof(err) - 1);
	err[RTE_MAX(n, 0)] = '\0';
	close(pipes[0]);
	close(pipes[1]);
	close(saved);
	return err;
}

static void
test_files_run_to_their_end(void **state)
{
	(void)state;
	assert_string_equal(run_file("# header\n\nset team mode load\n  start\nset team updelay 5"),
	                "");
	assert_int_equal(front.d->control.team.conf.updelay_ms, 5);
	assert_false(atomic_load(&front.d->quit));
}

static void
test_files_stop_at_unknown_commands(void **state)
{
	(void)state;
	assert_string_equal(run_file("start\n\nfoo 1\nstop\n"),
	                "x.cmd:3: unknown command 'foo'; try 'help'\n");
	assert_string_equal(fake_last(), "op_start");
	assert_true(atomic_load(&front.d->quit));
	assert_int_equal(atomic_load(&front.d->exit_code), 2);
}

static void
test_files_stop_at_failures(void **state)
{
	(void)state;
	fake_fail_next(-EIO, "no such luck");
	assert_string_equal(run_file("start\nstop\n"), "x.cmd:1: no such luck\n");
	assert_int_equal(atomic_load(&front.d->exit_code), 1);
}

/* ---- the socket ---------------------------------------------------------- */

static int
connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), rc;

	strcpy(addr.sun_path, path);
	rc = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	if (rc == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static void
test_socket_of_a_dead_daemon_is_replaced(void **state)
{
	char dir[] = "/tmp/tp-test-socket-XXXXXX", path[64], used[APP_TEXT_LEN];
	struct error_text err;
	int first, second, fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	first = socket_listen(path, used, &err);
	assert_true(first >= 0);
	assert_string_equal(used, path);
	assert_int_equal(socket_listen(path, used, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "another teampmd listens there"));
	close(first); /* as a killed daemon leaves it */
	assert_int_equal(connect_to(path), -ECONNREFUSED);
	second = socket_listen(path, used, &err);
	assert_true(second >= 0);
	fd = connect_to(path);
	assert_true(fd >= 0);
	close(fd);
	close(second);
	unlink(path);
	rmdir(dir);
}

static void
test_socket_paths_are_checked(void **state)
{
	char path[] = "/tmp/tp-test-socket-XXXXXX", used[APP_TEXT_LEN], longer[200];
	struct error_text err;

	(void)state;
	close(mkstemp(path));
	assert_int_equal(socket_listen(path, used, &err), -EEXIST);
	assert_non_null(strstr(err.text, "exists and is no socket"));
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(socket_listen(longer, used, &err), -ENAMETOOLONG);
	assert_int_equal(socket_listen("/nonexistent/s", used, &err), -ENOENT);
}

#define HELP_QUIT                                                                                  \
	"0 71 0\n  quit\n      Stop traffic, restore and close all ports, end the daemon\n"

/* Another session's operation waits for something: looking goes on, changes keep their turn. */
static void
test_only_looks_while_an_operation_waits(void **state)
{
	struct session *s = *state;

	front.pending = true;
	assert_string_equal(ask(s, "help quit\nstart\nhelp quit\n"), HELP_QUIT);
	assert_false(session_ready(s));
	assert_true(session_run(s, false, now));
	assert_string_equal(client_gets(), "");
	front.pending = false;
	assert_true(session_ready(s));
	assert_string_equal(ask(s, ""), "0 0 0\n" HELP_QUIT);
	assert_string_equal(fake_last(), "op_start");
}

static void
test_client_that_left_still_gets_its_command_done(void **state)
{
	struct session *s = *state;

	front.pending = true;
	assert_string_equal(ask(s, "stop\n"), "");
	shutdown(peer, SHUT_WR);
	assert_true(session_run(s, true, now));
	assert_true(session_run(s, true, now));
	front.pending = false;
	assert_false(session_run(s, false, now));
	assert_string_equal(client_gets(), "0 0 0\n");
	assert_string_equal(fake_last(), "op_stop");
}

/** How often the prompt is in what the console has to get. */
static int
nb_prompts(void)
{
	const char *p = front.console.data;
	int n = 0;

	for (size_t i = 0; i + 10 <= front.console.len; i++)
		n += memcmp(p + i, "teampmd> ", 9) == 0;
	return n;
}

/* At the prompt, too; the next one comes when its command is done. */
static void
test_prompt_looks_while_an_operation_waits(void **state)
{
	int fd[2];
	struct session *s;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	s = session_new(&front, SESSION_TTY, fd[0], "tty");
	assert_non_null(s);
	front.pending = true;
	assert_true(session_served(s));
	assert_int_equal(write(fd[1], "help quit\nstart\nstop\n", 21), 21);
	for (int i = 0; i < 3; i++)
		assert_true(session_run(s, i == 0, now));
	assert_non_null(memmem(front.console.data, front.console.len, "Stop traffic", 12));
	assert_string_not_equal(fake_last(), "op_start");
	assert_false(session_ready(s));
	front.pending = false;
	for (int i = 0; i < 3; i++)
		assert_true(session_run(s, false, now));
	assert_string_equal(fake_last(), "op_stop");
	assert_in_range(nb_prompts(), 3, 4);
	session_free(s);
	close(fd[0]);
	close(fd[1]);
}

/** A pipe that holds text, as of `echo ... | teampmd -i`. @return its reading end */
static int
pipe_with(const char *text)
{
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], text, strlen(text)), strlen(text));
	close(fd[1]);
	return fd[0];
}

/* So does a prompt that is fed from a pipe. What waits is carried out though the pipe has ended. */
static void
test_pipe_looks_while_an_operation_waits(void **state)
{
	int fd = pipe_with("help quit\nstart\n");
	struct session *s = session_new(&front, SESSION_LINES, fd, "stdin");

	(void)state;
	assert_non_null(s);
	front.pending = true;
	assert_true(session_served(s));
	assert_true(session_run(s, true, now));
	assert_true(session_run(s, true, now));
	assert_non_null(memmem(front.console.data, front.console.len, "Stop traffic", 12));
	assert_string_not_equal(fake_last(), "op_start");
	front.pending = false;
	assert_false(session_run(s, false, now));
	assert_string_equal(fake_last(), "op_start");
	session_free(s);
	close(fd);
}

/* Nobody who wants the end waits for an operation: not who asks by teamctl, nor a pipe. */
static void
test_quit_waits_for_no_operation(void **state)
{
	int fd = pipe_with("quit\n");
	struct session *s = session_new(&front, SESSION_LINES, fd, "stdin");

	front.pending = true;
	assert_string_equal(ask(*state, "quit\n"), "0 0 0\n");
	assert_true(atomic_exchange(&front.d->quit, false));
	assert_true(session_run(s, true, now));
	assert_true(atomic_exchange(&front.d->quit, false));
	front.pending = false;
	session_free(s);
	close(fd);
}

static void
test_files_wait_for_operations(void **state)
{
	struct session *file = session_new(&front, SESSION_FILE, file_with("stop\n"), "x.cmd");

	front.pending = true;
	assert_true(session_served(*state));
	assert_false(session_served(file));
	front.pending = false;
	assert_true(session_served(file));
	session_free(file);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers_have_status_and_lengths),
		TEST(test_failures_have_status_1),
		TEST(test_lines_come_in_pieces),
		TEST(test_empty_lines_get_no_answer),
		TEST(test_last_line_needs_no_newline),
		TEST(test_overlong_lines_are_skipped),
		TEST(test_nul_bytes_are_refused),
		TEST(test_gone_client_ends_the_session),
		TEST(test_client_that_does_not_read),
		TEST(test_client_that_reads_again),
		TEST(test_only_looks_while_an_operation_waits),
		TEST(test_client_that_left_still_gets_its_command_done),
		TEST(test_prompt_looks_while_an_operation_waits),
		TEST(test_pipe_looks_while_an_operation_waits),
		TEST(test_quit_waits_for_no_operation),
		TEST(test_files_wait_for_operations),
		TEST(test_files_run_to_their_end),
		TEST(test_files_stop_at_unknown_commands),
		TEST(test_files_stop_at_failures),
		cmocka_unit_test(test_socket_of_a_dead_daemon_is_replaced),
		cmocka_unit_test(test_socket_paths_are_checked),
	};

	return cmocka_run_group_tests(tests, group_setup, test_eal_teardown);
}
