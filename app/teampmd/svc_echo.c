/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Echo (RFC 862): the buffers that came in go out, nothing is copied. What does not fit in the send
 * buffer waits with the connection, uncredited: so the peer's window closes until its own reading
 * makes room.
 */

#include <errno.h>

#include "service.h"

/* Buffer by buffer, as all of them may be more than the send buffer takes at once. */
static void
send_waiting(struct tp_toe_call *call)
{
	struct rte_mbuf *m = call->arg;
	int rc = 0;

	while (m != NULL) {
		struct rte_mbuf *next = m->next;
		uint32_t len = m->data_len;

		m->next = NULL;
		m->nb_segs = 1;
		m->pkt_len = len;
		rc = tp_toe_send(call, m, next == NULL);
		if (rc != 0) {
			m->next = next;
			break;
		}
		tp_toe_consumed(call, len);
		m = next;
	}
	if (rc != 0 && rc != -ENOBUFS) {
		rte_pktmbuf_free(m);
		m = NULL;
	}
	call->arg = m;
}

static void
echo_data(struct tp_toe_call *call, struct rte_mbuf *data)
{
	struct rte_mbuf *waiting = call->arg;

	if (waiting != NULL) {
		rte_pktmbuf_lastseg(waiting)->next = data;
		return;
	}
	call->arg = data;
	send_waiting(call);
}

static void
echo_writable(struct tp_toe_call *call)
{
	if (call->arg == NULL)
		return;
	send_waiting(call);
	if (call->arg == NULL && tp_toe_at_eof(call))
		tp_toe_close(call);
}

static void
echo_eof(struct tp_toe_call *call)
{
	/* What still waits is lost by a close now: the peer has to take it first. */
	if (call->arg == NULL)
		tp_toe_close(call);
}

static void
echo_close(struct tp_toe_call *call, enum tp_tcp_reason reason)
{
	(void)reason;
	rte_pktmbuf_free(call->arg);
	call->arg = NULL;
}

const struct tp_toe_user svc_echo = {
	.name = "echo",
	.on_data = echo_data,
	.on_writable = echo_writable,
	.on_eof = echo_eof,
	.on_close = echo_close,
};
