/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tp_link.h"

/* The CPU clock of a thread by its tid, as pthread_getcpuclockid() makes it of a pthread_t: that
 * one must not outlive its thread, a tid may.
 */
#define THREAD_CPU_CLOCK(tid) ((clockid_t)(~(unsigned int)(tid) << 3 | 6u))

int
tp_link_thread_open(struct tp_link_thread *t, pid_t tid)
{
	char path[48];

	t->tid = tid;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	t->stat_fd = open(path, O_RDONLY | O_CLOEXEC);
	return t->stat_fd < 0 ? -errno : 0;
}

void
tp_link_thread_close(struct tp_link_thread *t)
{
	close(t->stat_fd);
	t->stat_fd = -1;
}

int
tp_link_thread_read(void *arg, uint64_t *cpu_ns, bool *blocked)
{
	const struct tp_link_thread *t = arg;
	struct timespec ts;
	char text[128];
	const char *state;
	ssize_t n;

	if (clock_gettime(THREAD_CPU_CLOCK(t->tid), &ts) < 0)
		return -ESRCH;
	*cpu_ns = (uint64_t)ts.tv_sec * TP_NS_PER_S + (uint64_t)ts.tv_nsec;
	n = pread(t->stat_fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return -ESRCH;
	text[n] = '\0';
	/* "tid (name) state ...": the name, at most 15 characters, may hold anything. */
	state = strrchr(text, ')');
	if (state == NULL || state[1] != ' ')
		return -ESRCH;
	*blocked = state[2] != 'R';
	return 0;
}
