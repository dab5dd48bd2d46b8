/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctlpath.h"
#include "front.h"

#define BACKLOG 8

static int
fail(struct error_text *err, int rc, const char *path, const char *why)
{
	snprintf(err->text, sizeof(err->text), "--control-socket %.120s: %.100s", path, why);
	return rc;
}

/** The default directory must be ours alone: /tmp is everybody's. */
static int
default_path(char *path, struct error_text *err)
{
	char dir[APP_TEXT_LEN - sizeof("/" CTL_SOCKET_NAME)];
	struct stat st;

	ctl_default_dir(dir, sizeof(dir));
	if (mkdir(dir, geteuid() == 0 ? 0755 : 0700) != 0 && errno != EEXIST)
		return fail(err, -errno, dir, strerror(errno));
	if (lstat(dir, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	                (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return fail(err, -EPERM, dir, "not a directory that only this user may write to");
	snprintf(path, APP_TEXT_LEN, "%s/" CTL_SOCKET_NAME, dir);
	return 0;
}

/** Remove the socket of a daemon that is gone. */
static int
clear_path(const struct sockaddr_un *addr, struct error_text *err)
{
	struct stat st;
	int fd, rc;

	if (lstat(addr->sun_path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return fail(err, -EEXIST, addr->sun_path, "exists and is no socket");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(err, -errno, addr->sun_path, strerror(errno));
	rc = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ? 0 : -errno;
	close(fd);
	if (rc == 0 || rc == -EAGAIN)
		return fail(err, -EADDRINUSE, addr->sun_path,
		                "another teampmd listens there; give each its own");
	if (rc != -ECONNREFUSED)
		return fail(err, rc, addr->sun_path, strerror(-rc));
	if (unlink(addr->sun_path) != 0 && errno != ENOENT)
		return fail(err, -errno, addr->sun_path, strerror(errno));
	return 0;
}

static int
bind_listen(const struct sockaddr_un *addr, struct error_text *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t old;
	int rc;

	if (fd < 0)
		return fail(err, -errno, addr->sun_path, strerror(errno));
	old = umask(0117);
	rc = bind(fd, (const struct sockaddr *)addr, sizeof(*addr));
	umask(old);
	if (rc == 0)
		rc = listen(fd, BACKLOG);
	if (rc == 0)
		return fd;
	rc = fail(err, -errno, addr->sun_path, strerror(errno));
	close(fd);
	return rc;
}

int
socket_listen(const char *path, char *used, struct error_text *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int rc;

	snprintf(used, APP_TEXT_LEN, "%s", path);
	if (path[0] == '\0') {
		rc = default_path(used, err);
		if (rc != 0)
			return rc;
	}
	if (strlen(used) >= sizeof(addr.sun_path))
		return fail(err, -ENAMETOOLONG, used, "path is longer than 107 bytes");
	strcpy(addr.sun_path, used);
	rc = clear_path(&addr, err);
	return rc != 0 ? rc : bind_listen(&addr, err);
}

int
socket_accept(int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return fd >= 0 ? fd : -errno;
}
