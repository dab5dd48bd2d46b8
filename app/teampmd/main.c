/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "app.h"
#include "ctlpath.h"

/* Exit codes: stopped as asked, failed, usage. */
#define EXIT_USAGE 2
#define MAX_ARGS 256

static struct daemon the_daemon;

static void
on_signal(int sig)
{
	(void)sig;
	atomic_store_explicit(&the_daemon.quit, true, memory_order_release);
}

static void
catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
}

/* --help and --version must work without huge pages, ports or rights. @return it, or NULL */
static char *
only_asks(int argc, char **argv)
{
	static const char *const asks[] = { "--help", "-h", "--version", "-v" };

	for (int i = 1; i < argc; i++) {
		for (unsigned int k = 0; k < RTE_DIM(asks); k++) {
			if (strcmp(argv[i], asks[k]) == 0)
				return argv[i];
		}
	}
	return NULL;
}

/* The lock by which EAL lets in one primary process at a time: with --no-shconf and --in-memory, which
 * take none, somebody else may have it.
 */
static bool
runtime_dir_is_anothers(const char *dir)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/config", dir);
	fd = open(path, O_RDWR | O_CLOEXEC); /* closing it would end a lock of ours */
	return fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* EAL leaves its directory behind, with what only a process that runs can use; it would clean up
 * at the next start with the same --file-prefix, which may never come. Where others have files in
 * it, it stays.
 */
static void
remove_runtime_dir(void)
{
	static const char *const ours[] = { "config", "hugepage_info", "fbarray_*" };
	const char *dir = rte_eal_get_runtime_dir();
	char pattern[PATH_MAX];
	glob_t found;

	if (rte_eal_process_type() == RTE_PROC_SECONDARY || runtime_dir_is_anothers(dir))
		return;
	for (unsigned int i = 0; i < RTE_DIM(ours); i++) {
		snprintf(pattern, sizeof(pattern), "%s/%s", dir, ours[i]);
		if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
			continue;
		for (size_t k = 0; k < found.gl_pathc; k++)
			unlink(found.gl_pathv[k]);
		globfree(&found);
	}
	rmdir(dir);
	/* An ordinary user's directory for all of this is ours alone where it is in /tmp. */
	ctl_default_dir(pattern, sizeof(pattern) - sizeof("/dpdk"));
	if (geteuid() == 0 || strncmp(pattern, "/tmp/", 5) != 0)
		return;
	strcat(pattern, "/dpdk");
	rmdir(pattern);
	pattern[strlen(pattern) - strlen("/dpdk")] = '\0';
	rmdir(pattern);
}

static void
cleanup(void)
{
	port_rest_interrupts();
	rte_eal_cleanup();
}

/* EAL would wait for all its lcores. */
static void
fini(struct daemon *d, int rc)
{
	if (daemon_fini(d))
		return;
	fflush(NULL);
	_exit(rc);
}

static int
run(struct daemon *d)
{
	struct error_text err = { "" };
	int rc = daemon_init(d, &err);

	if (rc == 0)
		rc = front_start(d, &err);
	if (rc != 0) {
		fprintf(stderr, "teampmd: %s\n", err.text);
		fini(d, EXIT_FAILURE);
		return EXIT_FAILURE;
	}
	rc = daemon_run(d);
	front_stop(d);
	fini(d, rc);
	return rc;
}

/* An ordinary user's without XDG_RUNTIME_DIR are in /tmp/dpdk, which is whose who was first. */
static void
choose_runtime_dir(void)
{
	char dir[APP_TEXT_LEN];
	struct stat st;

	if (geteuid() == 0 || getenv("RUNTIME_DIRECTORY") != NULL ||
	                getenv("XDG_RUNTIME_DIR") != NULL || lstat("/tmp/dpdk", &st) != 0 ||
	                st.st_uid == geteuid())
		return;
	ctl_default_dir(dir, sizeof(dir));
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return;
	if (lstat(dir, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return;
	setenv("RUNTIME_DIRECTORY", dir, 0);
	fprintf(stderr,
	                "teampmd: /tmp/dpdk is another user's; DPDK's tools need "
	                "RUNTIME_DIRECTORY=%s\n",
	                dir);
}

/* EAL answers a wrong option with pages of usage, behind which the line that says why is lost. */
static int
eal_init(int argc, char **argv)
{
	FILE *out = stdout, *nowhere = fopen("/dev/null", "w");
	int rc;

	for (int i = 1; i < argc; i++) {
		if (strstr(argv[i], "help") != NULL && nowhere != NULL) {
			fclose(nowhere);
			nowhere = NULL;
		}
	}
	if (nowhere != NULL)
		stdout = nowhere;
	rc = rte_eal_init(argc, argv);
	stdout = out;
	if (nowhere != NULL)
		fclose(nowhere);
	return rc;
}

int
main(int argc, char **argv)
{
	char *eal_argv[MAX_ARGS], *ask = only_asks(argc, argv);
	struct error_text err;
	int eal_argc, used, rc;

	if (ask != NULL) {
		args_parse(2, (char *[]){ argv[0], ask, NULL }, &the_daemon.opt);
		return EXIT_SUCCESS;
	}
	catch_signals();
	eal_argc = args_eal(argc, argv, eal_argv, MAX_ARGS);
	if (eal_argc < 0) {
		fprintf(stderr, "teampmd: more than %d arguments\n", MAX_ARGS - 8);
		return EXIT_USAGE;
	}
	atexit(remove_runtime_dir); /* runs after EAL's own handlers, which come later */
	choose_runtime_dir();
	used = eal_init(eal_argc, eal_argv);
	if (used < 0) {
		fprintf(stderr, "teampmd: EAL did not start%s%s; see its messages above%s\n",
		                rte_errno != 0 ? ": " : "",
		                rte_errno != 0 ? rte_strerror(rte_errno) : "",
		                rte_errno == EINVAL ? "; options of teampmd itself stand behind --"
		                                    : "");
		return EXIT_FAILURE;
	}
	/* EAL installs none of its own, but vdevs may have. */
	catch_signals();
	if (port_check_vdevs(&err) != 0) {
		fprintf(stderr, "teampmd: %s\n", err.text);
		cleanup();
		return EXIT_FAILURE;
	}
	rc = args_parse(eal_argc - used, eal_argv + used, &the_daemon.opt);
	rc = rc == 0 ? run(&the_daemon) : rc < 0 ? EXIT_USAGE : EXIT_SUCCESS;
	cleanup();
	return rc;
}
