/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A path, or '@' and a name in the abstract name space. */
static int
socket_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd, rc;

	if ((path[0] != '/' && path[0] != '@') || len < 2 || len >= sizeof(addr.sun_path))
		return -EINVAL;
	memcpy(addr.sun_path, path, len);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, offsetof(struct sockaddr_un, sun_path) + len) ==
	                0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static bool
parse_u64(const char *text, uint64_t *out)
{
	char *end;

	if (text == NULL || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

static uint64_t
watchdog_period_ns(void)
{
	const char *whose = getenv("WATCHDOG_PID");
	uint64_t usec, pid;

	if (!parse_u64(getenv("WATCHDOG_USEC"), &usec) || usec == 0 ||
	                usec > UINT64_MAX / TP_NS_PER_US)
		return 0;
	if (whose != NULL && (!parse_u64(whose, &pid) || pid != (uint64_t)getpid()))
		return 0;
	return usec * TP_NS_PER_US / 2;
}

int
notify_open(struct notify *n, uint64_t now)
{
	const char *path = getenv("NOTIFY_SOCKET");
	int rc = 0;

	*n = (struct notify){ .fd = -1 };
	for (unsigned int i = 0; i < NOTIFY_HEARTS; i++)
		n->seen[i] = NOTIFY_NO_HEART;
	if (path != NULL) {
		n->fd = socket_connect(path);
		rc = n->fd < 0 ? n->fd : 0;
	}
	if (n->fd >= 0)
		n->period_ns = watchdog_period_ns();
	else
		n->fd = -1;
	n->due = now + n->period_ns;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return rc;
}

void
notify_close(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
	n->period_ns = 0;
}

void
notify_send(struct notify *n, const char *message)
{
	if (n->fd >= 0)
		(void)!send(n->fd, message, strlen(message), MSG_NOSIGNAL);
}

/* A heart that came, or went, since the last feeding tells nothing yet. */
static bool
all_beat(const struct notify *n, const uint64_t *hearts)
{
	for (unsigned int i = 0; i < NOTIFY_HEARTS; i++)
		if (hearts[i] != NOTIFY_NO_HEART && hearts[i] == n->seen[i])
			return false;
	return true;
}

bool
notify_feed(struct notify *n, const uint64_t *hearts, uint64_t now)
{
	if (n->period_ns == 0 || now < n->due || !all_beat(n, hearts))
		return false;
	memcpy(n->seen, hearts, sizeof(n->seen));
	n->due = now + n->period_ns;
	notify_send(n, "WATCHDOG=1");
	return true;
}
