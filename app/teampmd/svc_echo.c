/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Echo (RFC 862): the buffers that came in go out, nothing is copied. What does not fit in the send
 * buffer waits with the connection, uncredited: so the peer's window closes until its own reading
 * makes room.
 */

#include <errno.h>

#include "service.h"

static void
echo_data(struct tp_toe_call *call, struct rte_mbuf *data)
{
	uint32_t len = data->pkt_len;

	if (call->arg != NULL) {
		rte_pktmbuf_chain(call->arg, data);
		return;
	}
	if (tp_toe_send(call, data, true) == 0) {
		tp_toe_consumed(call, len);
		return;
	}
	call->arg = data;
}

static void
echo_writable(struct tp_toe_call *call)
{
	struct rte_mbuf *data = call->arg;
	uint32_t len;
	int rc;

	if (data == NULL)
		return;
	len = data->pkt_len;
	rc = tp_toe_send(call, data, true);
	if (rc == -ENOBUFS)
		return;
	call->arg = NULL;
	if (rc == 0)
		tp_toe_consumed(call, len);
	else
		rte_pktmbuf_free(data);
	if (tp_toe_at_eof(call))
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
