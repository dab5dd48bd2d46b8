/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What a user does to its connection, on the owner's lcore. A call whose connection is gone does
 * nothing.
 */

#include <errno.h>

#include "toe_int.h"

int
tp_toe_send(struct tp_toe_call *call, struct rte_mbuf *m, bool push)
{
	if (call->conn == NULL)
		return -ENOTCONN;
	return tp_tcp_send(&call->shard->env, call->conn, m, push, call->now);
}

uint32_t
tp_toe_send_space(const struct tp_toe_call *call)
{
	return call->conn != NULL ? tp_tcp_send_space(call->conn) : 0;
}

void
tp_toe_want_space(struct tp_toe_call *call)
{
	if (call->conn != NULL)
		tp_tcp_want_space(call->conn);
}

uint8_t
tp_toe_member(const struct tp_toe_call *call)
{
	return call->shard != NULL ? call->shard->member : TP_MEMBER_NONE;
}

struct rte_mbuf *
tp_toe_alloc(struct tp_toe_call *call)
{
	return call->shard != NULL ? rte_pktmbuf_alloc(call->shard->env.pool) : NULL;
}

void
tp_toe_consumed(struct tp_toe_call *call, uint32_t len_bytes)
{
	if (call->conn != NULL)
		tp_tcp_consumed(&call->shard->env, call->conn, len_bytes, call->now);
}

void
tp_toe_shutdown(struct tp_toe_call *call)
{
	if (call->conn != NULL)
		tp_tcp_shutdown(&call->shard->env, call->conn, call->now);
}

void
tp_toe_close(struct tp_toe_call *call)
{
	if (call->conn != NULL)
		tp_tcp_close(&call->shard->env, call->conn, call->now);
}

void
tp_toe_abort(struct tp_toe_call *call)
{
	if (call->conn != NULL)
		tp_tcp_abort(&call->shard->env, call->conn, TP_TCP_R_ABORT, call->now);
}

int
tp_toe_set(struct tp_toe_call *call, enum tp_tcp_opt opt, uint64_t value)
{
	if (call->conn == NULL)
		return -ENOTCONN;
	return tp_tcp_set(&call->shard->env, call->conn, opt, value, call->now);
}
