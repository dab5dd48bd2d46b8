/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** The control socket: its default path and its protocol, for teampmd and teamctl.
 *
 * A client sends command lines, each ended by a newline, at most CTL_LINE_MAX bytes. For each
 * non-empty line, in order, the daemon answers with a header line
 * "STATUS OUT_LENGTH ERROR_LENGTH\n" (decimal), OUT_LENGTH bytes of what the command printed and
 * ERROR_LENGTH bytes of why it failed.
 */
#ifndef CTLPATH_H
#define CTLPATH_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CTL_LINE_MAX 4096

enum ctl_status {
	CTL_OK,
	CTL_FAILED, /**< the command failed */
	CTL_USAGE,  /**< no such command or a bad argument */
};

#define CTL_DIR_ROOT "/run/teampmd"
#define CTL_SOCKET_NAME "control"

/** Directory of the socket: root's, or the user's own. */
static inline void
ctl_default_dir(char *dir, size_t size)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0)
		snprintf(dir, size, CTL_DIR_ROOT);
	else if (runtime != NULL && runtime[0] == '/')
		snprintf(dir, size, "%s/teampmd", runtime);
	else
		snprintf(dir, size, "/tmp/teampmd-%u", (unsigned int)geteuid());
}

#endif
