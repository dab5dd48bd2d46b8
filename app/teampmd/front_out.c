/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "front.h"

/* What a pipe takes at once after poll() said it is writable: PIPE_BUF. A terminal may have less
 * room, but never blocks a writer that poll() let through for as little as this. */
#define WRITE_CHUNK 1024

static bool
writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1;
}

static int
outq_grow(struct outq *q, size_t need)
{
	char *data;
	size_t size = q->size > 0 ? q->size : 4096;

	while (size < need)
		size *= 2;
	if (size == q->size)
		return 0;
	data = realloc(q->data, size);
	if (data == NULL)
		return -ENOMEM;
	q->data = data;
	q->size = size;
	return 0;
}

void
outq_add(struct outq *q, const char *text, size_t len, size_t max)
{
	if (len == 0 || q->broken)
		return;
	if (q->off > 0) {
		memmove(q->data, q->data + q->off, q->len - q->off);
		q->len -= q->off;
		q->off = 0;
	}
	if (q->len + len > max || outq_grow(q, q->len + len) != 0) {
		q->dropped += len;
		return;
	}
	memcpy(q->data + q->len, text, len);
	q->len += len;
}

size_t
outq_unsent(const struct outq *q)
{
	return q->len - q->off;
}

void
outq_flush(struct outq *q, uint64_t now)
{
	while (!q->broken && outq_unsent(q) > 0) {
		ssize_t n = -1;

		errno = EAGAIN;
		if (writable(q->fd))
			n = write(q->fd, q->data + q->off, RTE_MIN(outq_unsent(q), WRITE_CHUNK));
		if (n > 0) {
			q->off += n;
			q->stalled_at = 0;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			q->stalled_at = q->stalled_at != 0 ? q->stalled_at : now;
			return;
		} else if (errno != EINTR) {
			q->broken = true;
		}
	}
	q->stalled_at = 0;
	q->len = q->off = 0;
}

void
outq_free(struct outq *q)
{
	free(q->data);
	*q = (struct outq){ .fd = -1 };
}

void
complain(const char *fmt, ...)
{
	char text[APP_TEXT_LEN * 2];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	n = RTE_MIN(n, (int)sizeof(text) - 2);
	text[n++] = '\n';
	if (writable(STDERR_FILENO) && write(STDERR_FILENO, text, n) < 0)
		return; /* nobody to tell */
}
