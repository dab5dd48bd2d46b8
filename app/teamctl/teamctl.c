/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* teamctl: command lines to a running teampmd. */

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ctlpath.h"

/* Not running, bad options, no such command. */
#define EXIT_USAGE 2

static const char usage_text[] =
                "Usage: teamctl [-s SOCKET] [-j] [COMMAND...]\n"
                "  -s, --socket SOCKET  the daemon's control socket; default: see teamctl(8)\n"
                "  -j, --json           let `show` print JSON\n"
                "  -h, --help           print this; `teamctl help` lists the commands\n"
                "Without a command, commands are read from standard input, one a line.\n"
                "Exit status: 0 done, 1 the command failed, 2 usage or no daemon.\n";

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int
try_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, rc;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

/** An ordinary user's own daemon first, then root's. */
static int
open_default(char *path, size_t size)
{
	char dir[96];
	int fd;

	ctl_default_dir(dir, sizeof(dir));
	snprintf(path, size, "%s/" CTL_SOCKET_NAME, dir);
	fd = try_connect(path);
	if (fd >= 0 || geteuid() == 0)
		return fd;
	snprintf(path, size, CTL_DIR_ROOT "/" CTL_SOCKET_NAME);
	return try_connect(path);
}

static int
open_socket(const char *path)
{
	char tried[128];
	int fd;

	if (path == NULL) {
		fd = open_default(tried, sizeof(tried));
		path = tried;
	} else {
		fd = try_connect(path);
	}
	if (fd < 0)
		fprintf(stderr, "teamctl: %s: %s%s\n", path, strerror(-fd),
		                fd == -ENOENT || fd == -ECONNREFUSED ? "; is teampmd running?"
		                                                     : "");
	return fd;
}

static int
send_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= n;
	}
	return 0;
}

/** Copy a part of an answer to a stream. */
static int
copy_part(FILE *in, size_t len, FILE *out)
{
	char buf[4096];

	while (len > 0) {
		size_t n = fread(buf, 1, len < sizeof(buf) ? len : sizeof(buf), in);

		if (n == 0)
			return -EPIPE;
		fwrite(buf, 1, n, out);
		len -= n;
	}
	return 0;
}

static int
gone(void)
{
	fprintf(stderr, "teamctl: teampmd closed the connection\n");
	return EXIT_USAGE;
}

/** @return the command's status, or EXIT_USAGE when the daemon is gone */
static int
read_answer(FILE *in)
{
	char head[64];
	unsigned int status;
	size_t out_len, err_len;

	if (fgets(head, sizeof(head), in) == NULL ||
	                sscanf(head, "%u %zu %zu", &status, &out_len, &err_len) != 3 ||
	                status > CTL_USAGE || copy_part(in, out_len, stdout) != 0)
		return gone();
	fflush(stdout);
	if (err_len == 0)
		return status;
	fputs("teamctl: ", stderr);
	if (copy_part(in, err_len, stderr) != 0)
		return gone();
	fputc('\n', stderr);
	return status;
}

/** Such a line gets no answer. */
static bool
is_empty(const char *line)
{
	line += strspn(line, " \t\r\n");
	return *line == '\0' || *line == '#';
}

/** @param line [CTL_LINE_MAX] a command, its end of line optional; room for " json" is left */
static int
run_line(FILE *sock, char *line, bool json)
{
	size_t len = strcspn(line, "\r\n");
	const char *word = line + strspn(line, " \t");

	if (is_empty(line))
		return 0;
	snprintf(line + len, CTL_LINE_MAX - len, "%s\n",
	                json && strncmp(word, "show ", 5) == 0 ? " json" : "");
	if (send_all(fileno(sock), line, strlen(line)) != 0)
		return gone();
	return read_answer(sock);
}

static int
run_stdin(FILE *sock, bool json)
{
	char line[CTL_LINE_MAX];
	const int size = sizeof(line) - sizeof(" json\n");
	bool tty = isatty(STDIN_FILENO);
	int worst = 0, rc;

	for (;;) {
		if (tty) {
			fputs("teamctl> ", stdout);
			fflush(stdout);
		}
		if (fgets(line, size, stdin) == NULL)
			return worst;
		if (strchr(line, '\n') == NULL && !feof(stdin)) {
			fprintf(stderr, "teamctl: a line is longer than %d bytes\n", size - 1);
			return EXIT_USAGE;
		}
		rc = run_line(sock, line, json);
		if (rc > worst && !tty)
			worst = rc;
	}
}

/** The words as one line; those with blanks get their quotes back. */
static int
join(char *line, size_t size, int argc, char **argv)
{
	size_t used = 0;

	line[0] = '\0';
	for (int i = 0; i < argc; i++) {
		bool quote = argc > 1 && (argv[i][0] == '\0' || strpbrk(argv[i], " \t#") != NULL);

		if (strpbrk(argv[i], "\r\n") != NULL || (quote && strchr(argv[i], '"') != NULL)) {
			fprintf(stderr,
			                "teamctl: '%s' cannot be passed on: a word with blanks may "
			                "hold no "
			                "quotation mark, and none a line break\n",
			                argv[i]);
			return -EINVAL;
		}
		used += snprintf(line + used, size - used, "%s%s%s%s", i > 0 ? " " : "",
		                quote ? "\"" : "", argv[i], quote ? "\"" : "");
		if (used >= size) {
			fprintf(stderr, "teamctl: the command is longer than %zu bytes\n", size);
			return -E2BIG;
		}
	}
	return 0;
}

int
main(int argc, char **argv)
{
	const char *path = NULL;
	char line[CTL_LINE_MAX];
	bool json = false;
	FILE *sock;
	int c, fd, rc;

	while ((c = getopt_long(argc, argv, "+s:jh", long_options, NULL)) != -1) {
		if (c == 's') {
			path = optarg;
		} else if (c == 'j') {
			json = true;
		} else {
			fputs(usage_text, c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : EXIT_USAGE;
		}
	}
	if (join(line, sizeof(line) - sizeof(" json\n"), argc - optind, argv + optind) != 0)
		return EXIT_USAGE;
	fd = open_socket(path);
	sock = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (sock == NULL)
		return EXIT_USAGE;
	rc = optind < argc ? run_line(sock, line, json) : run_stdin(sock, json);
	fclose(sock);
	return rc;
}
