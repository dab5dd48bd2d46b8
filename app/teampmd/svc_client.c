/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Load on a server: rr sends a message and waits for one as long (echo), without end; crr does so
 * once on each connection; stream sends as fast as the peer takes it (discard). A message is the
 * beginning of the services' sequence; an answer that is not the same is counted. One run at a time.
 */

#include <errno.h>
#include <string.h>

#include <rte_errno.h>

#include "service.h"

struct client_conn {
	uint64_t begun_ns; /* of the transaction; of the connection for crr */
	uint32_t got;
	uint32_t to_send; /* of the message: what did not fit yet */
	bool differs;     /* the answer, from the message */
};

static uint8_t content[SERVICE_CONTENT_LEN];

static struct {
	struct tp_toe *toe;
	struct client_conf conf;
	struct rte_mempool *conns;
	_Atomic uint64_t end_ns; /* nothing new begins from then on */
	_Atomic uint32_t nb_open;
	_Atomic uint64_t transactions, bytes_out, bytes_in, failed, wrong, latency_sum_ns,
	                latency_max_ns;
	uint64_t begun_ns;
	_Atomic uint64_t ended_ns;
} run;

static const char *const kind_names[CLIENT_NB_KINDS] = { "rr", "crr", "stream" };

static void
add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static bool
over(uint64_t now)
{
	return now >= atomic_load_explicit(&run.end_ns, memory_order_relaxed);
}

static int
begin_one(void)
{
	struct tp_toe_connect how = {
		.user = &svc_client, .rport = run.conf.port, .member = TP_MEMBER_NONE
	};
	struct client_conn *conn;

	if (rte_mempool_get(run.conns, (void **)&conn) != 0)
		return -ENOBUFS;
	memset(conn, 0, sizeof(*conn));
	conn->begun_ns = tp_clock_now();
	how.arg = conn;
	memcpy(how.raddr, run.conf.addr, sizeof(how.raddr));
	atomic_fetch_add(&run.nb_open, 1);
	if (tp_toe_connect(run.toe, &how) != TP_TOE_ID_NONE)
		return 0;
	atomic_fetch_sub(&run.nb_open, 1);
	rte_mempool_put(run.conns, conn);
	return -rte_errno;
}

/* ---- sending --------------------------------------------------------------- */

/* @return false: no room, or no buffer: on_writable goes on */
static bool
send_some(struct tp_toe_call *call, uint32_t *left)
{
	while (*left > 0) {
		struct rte_mbuf *m = tp_toe_alloc(call);
		uint32_t len, at;

		if (m == NULL) {
			tp_toe_want_space(call);
			return false;
		}
		at = (run.conf.size - *left) % SERVICE_CONTENT_LEN;
		len = RTE_MIN(*left, rte_pktmbuf_tailroom(m));
		len = RTE_MIN(len, SERVICE_CONTENT_LEN - at);
		memcpy(rte_pktmbuf_append(m, len), content + at, len);
		if (tp_toe_send(call, m, *left == len) != 0) {
			rte_pktmbuf_free(m);
			return false;
		}
		*left -= len;
		add(&run.bytes_out, len);
	}
	return true;
}

static void
client_go_on(struct tp_toe_call *call)
{
	struct client_conn *conn = call->arg;

	while (send_some(call, &conn->to_send) && run.conf.kind == CLIENT_STREAM) {
		if (over(call->now)) {
			tp_toe_close(call);
			return;
		}
		add(&run.transactions, 1);
		conn->to_send = run.conf.size;
	}
}

static void
begin_transaction(struct tp_toe_call *call)
{
	struct client_conn *conn = call->arg;

	if (run.conf.kind != CLIENT_CRR)
		conn->begun_ns = call->now;
	conn->got = 0;
	conn->differs = false;
	conn->to_send = run.conf.size;
	client_go_on(call);
}

/* ---- receiving --------------------------------------------------------------- */

static void
end_transaction(struct tp_toe_call *call)
{
	struct client_conn *conn = call->arg;
	uint64_t ns = call->now - conn->begun_ns;

	add(&run.transactions, 1);
	add(&run.wrong, conn->differs);
	add(&run.latency_sum_ns, ns);
	if (ns > atomic_load_explicit(&run.latency_max_ns, memory_order_relaxed))
		atomic_store_explicit(&run.latency_max_ns, ns, memory_order_relaxed);
	if (run.conf.kind == CLIENT_CRR || over(call->now))
		tp_toe_close(call);
	else
		begin_transaction(call);
}

static bool
is_content(const uint8_t *p, uint32_t len, uint32_t at)
{
	uint32_t n;

	for (at %= SERVICE_CONTENT_LEN; len > 0; p += n, len -= n, at = 0) {
		n = RTE_MIN(len, SERVICE_CONTENT_LEN - at);
		if (memcmp(p, content + at, n) != 0)
			return false;
	}
	return true;
}

static bool
is_answer(const struct rte_mbuf *m, uint32_t at)
{
	for (; m != NULL; at += m->data_len, m = m->next) {
		if (!is_content(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, at))
			return false;
	}
	return true;
}

static void
client_data(struct tp_toe_call *call, struct rte_mbuf *data)
{
	struct client_conn *conn = call->arg;
	uint32_t len = data->pkt_len;

	if (run.conf.kind != CLIENT_STREAM && !is_answer(data, conn->got))
		conn->differs = true;
	rte_pktmbuf_free(data);
	tp_toe_consumed(call, len);
	add(&run.bytes_in, len);
	if (run.conf.kind == CLIENT_STREAM)
		return;
	conn->got += len;
	if (conn->got >= run.conf.size)
		end_transaction(call);
}

static void
client_close(struct tp_toe_call *call, enum tp_tcp_reason reason)
{
	rte_mempool_put(run.conns, call->arg);
	if (reason != TP_TCP_R_DONE && !over(call->now))
		add(&run.failed, 1);
	if (run.conf.kind == CLIENT_CRR && !over(call->now))
		begin_one();
	if (atomic_fetch_sub(&run.nb_open, 1) == 1)
		atomic_store(&run.ended_ns, call->now);
}

const struct tp_toe_user svc_client = {
	.name = "client",
	.on_accept = begin_transaction,
	.on_data = client_data,
	.on_writable = client_go_on,
	.on_close = client_close,
};

/* ---- from the commands ----------------------------------------------------------- */

int
client_kind_parse(const char *name)
{
	for (int i = 0; i < CLIENT_NB_KINDS; i++) {
		if (strcmp(kind_names[i], name) == 0)
			return i;
	}
	return -EINVAL;
}

int
client_start(struct tp_toe *toe, const struct client_conf *conf, uint32_t max_conns)
{
	uint64_t now = tp_clock_now();
	int rc = 0;

	if (atomic_load(&run.nb_open) > 0)
		return -EBUSY;
	if (run.conns == NULL)
		run.conns = tp_pool_create_objects("client", 2 * max_conns,
		                sizeof(struct client_conn), 64, SOCKET_ID_ANY);
	if (run.conns == NULL)
		return -ENOMEM;
	service_content(content);
	run.toe = toe;
	run.conf = *conf;
	run.begun_ns = now;
	run.transactions = run.bytes_out = run.bytes_in = run.failed = run.wrong = 0;
	run.latency_sum_ns = run.latency_max_ns = run.ended_ns = 0;
	atomic_store(&run.end_ns, now + conf->seconds * TP_NS_PER_S);
	for (uint32_t i = 0; i < conf->nb_conns && rc == 0; i++)
		rc = begin_one();
	if (rc != 0)
		client_stop();
	return rc;
}

void
client_stop(void)
{
	atomic_store(&run.end_ns, 0);
}

void
client_result(uint64_t now, struct client_result *out)
{
	uint64_t end = atomic_load(&run.ended_ns);

	*out = (struct client_result){
		.conf = run.conf,
		.kind = kind_names[run.conf.kind],
		.nb_open = atomic_load(&run.nb_open),
		.transactions = run.transactions,
		.bytes_out = run.bytes_out,
		.bytes_in = run.bytes_in,
		.failed = run.failed,
		.wrong = run.wrong,
		.latency_max_ns = run.latency_max_ns,
	};
	if (run.transactions > 0)
		out->latency_mean_ns = run.latency_sum_ns / run.transactions;
	if (run.begun_ns > 0)
		out->elapsed_ns = (end > 0 && out->nb_open == 0 ? end : now) - run.begun_ns;
}
