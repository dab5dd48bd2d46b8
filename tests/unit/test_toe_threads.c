/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Connections move between real threads: three of them each run one member of two teams that talk to
 * each other, one is control, one the application. Packets arrive anywhere, connections are moved, shed,
 * drained, parked, aborted and posted to, members stop and are replaced. Never are two threads in the
 * same connection's user, each stream comes back as it was sent, each end is told once, each posted
 * function runs once, and nothing is left in the end. Under the thread sanitizer (tests/tsan/run.sh) what a
 * user keeps without atomics shows that each move hands over all that was written before.
 */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_ring.h>

#include "flow.h"
#include "test_eal.h"

#define NB_THREADS 3
#define CONTROL NB_THREADS /* also sends */
#define NB_FLOWS 32
#define ECHO_PORT 7
#define MESSAGE_MAX 20000
#define NB_ROUNDS 3 /* of one connection; between them it waits for its application */
#define POOL_SIZE 16383
#define RING_SIZE 1024
#define QUIET_NS (20 * TP_NS_PER_S)
#define NB_OLD 64

static uint64_t run_ns = 5 * TP_NS_PER_S;

/* ---- pools that the thread sanitizer sees through ------------------------------- */

#ifdef __SANITIZE_THREAD__
/* The drivers of pools are in a library that was not built with it. */
struct stack {
	atomic_flag busy;
	unsigned int nb;
	void *obj[];
};

static int
stack_alloc(struct rte_mempool *mp)
{
	mp->pool_data = calloc(1, sizeof(struct stack) + mp->size * sizeof(void *));
	return mp->pool_data != NULL ? 0 : -ENOMEM;
}

static void
stack_free(struct rte_mempool *mp)
{
	free(mp->pool_data);
}

static void
stack_lock(struct stack *s)
{
	while (atomic_flag_test_and_set_explicit(&s->busy, memory_order_acquire))
		sched_yield();
}

static int
stack_put(struct rte_mempool *mp, void *const *obj, unsigned int n)
{
	struct stack *s = mp->pool_data;

	stack_lock(s);
	memcpy(&s->obj[s->nb], obj, n * sizeof(*obj));
	s->nb += n;
	atomic_flag_clear_explicit(&s->busy, memory_order_release);
	return 0;
}

static int
stack_get(struct rte_mempool *mp, void **obj, unsigned int n)
{
	struct stack *s = mp->pool_data;
	int rc = -ENOBUFS;

	stack_lock(s);
	if (s->nb >= n) {
		s->nb -= n;
		memcpy(obj, &s->obj[s->nb], n * sizeof(*obj));
		rc = 0;
	}
	atomic_flag_clear_explicit(&s->busy, memory_order_release);
	return rc;
}

static unsigned int
stack_count(const struct rte_mempool *mp)
{
	return ((const struct stack *)mp->pool_data)->nb;
}

static void
pools_seen(void)
{
	for (uint32_t i = 0; i < rte_mempool_ops_table.num_ops; i++) {
		struct rte_mempool_ops *ops = &rte_mempool_ops_table.ops[i];

		ops->alloc = stack_alloc;
		ops->free = stack_free;
		ops->enqueue = stack_put;
		ops->dequeue = stack_get;
		ops->get_count = stack_count;
	}
}
#else
static void
pools_seen(void)
{
}
#endif

/* ---- two teams ---------------------------------------------------------------------- */

enum place {
	RUNS,
	STOP,    /* control to the thread */
	STOPPED, /* the answer: it does not touch the shard any more */
};

struct member {
	struct side *side;
	uint8_t index;
	struct tp_toe_shard *toe;
	_Atomic int place;
	uint64_t back_ns; /* control's: when it is to change again */
	bool drained, fenced;
	struct rte_ring *wire[NB_THREADS + 1]; /* from the other team's */
	struct rte_ring *fabric[NB_THREADS];   /* from the other members */
	struct rte_ring *resolve, *neigh;      /* to control */
};

struct side {
	struct tp_inet *inet;
	struct tp_toe *toe;
	struct rte_rcu_qsbr *qsbr;
	struct rte_ether_addr mac;
	struct member member[NB_THREADS];
	struct side *peer;
};

static struct side side[2];
static struct rte_mempool *pool, *pool_indirect, *pool_wire;
static _Atomic bool stop_threads, ending;
static _Thread_local uint64_t rng_state;
static _Thread_local uint8_t self;

static uint64_t
rng_below(uint64_t n)
{
	return flow_random(&rng_state, n);
}

static _Atomic(const char *) failed;

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			atomic_store(&failed, #cond);                                              \
	} while (0)

static void
put(struct rte_ring *r, struct rte_mbuf *m)
{
	if (rte_ring_sp_enqueue(r, m) != 0)
		rte_pktmbuf_free(m);
}

/* What egress and the wire make of it; most packets go where the last one went. */
static void
send_frame(struct side *from, struct rte_mbuf *m)
{
	static _Thread_local uint8_t last;
	struct rte_mbuf *copy = flow_on_wire(m, pool_wire);

	if (copy == NULL)
		return;
	if (rng_below(32) == 0)
		last = rng_below(NB_THREADS);
	put(from->peer->member[last].wire[self], copy);
}

static uint16_t
op_room(void *arg)
{
	(void)arg;
	return 256;
}

static void
op_transmit(void *arg, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct member *m = arg;

	for (uint16_t i = 0; i < nb_pkts; i++)
		send_frame(m->side, pkts[i]);
}

static void
op_forward(void *arg, uint8_t to, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct member *m = arg;

	for (uint16_t i = 0; i < nb_pkts; i++)
		put(m->side->member[to].fabric[m->index], pkts[i]);
}

static void
op_control(void *arg, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct member *m = arg;

	for (uint16_t i = 0; i < nb_pkts; i++)
		put(m->resolve, pkts[i]);
}

static const struct tp_toe_ops ops = { op_room, op_transmit, op_forward, op_control };

static uint8_t
member_of(void *arg, uint32_t hash)
{
	(void)arg;
	return ((uint64_t)hash * NB_THREADS) >> 32;
}

/* ---- users --------------------------------------------------------------------------- */

enum { IDLE, LIVE, OVER };

/* A connection from its user's side. All but the atomics is its owner's, whichever thread that is. */
struct flow {
	_Atomic int busy;  /* threads in it */
	_Atomic int state; /* of the client's; the application's while it is not LIVE */
	_Atomic uint64_t id;
	uint32_t number, length, sent, got, rounds;
	bool aborted;
	enum tp_tcp_reason reason;
	struct rte_mbuf *held; /* server: not yet sent back */
};

static struct flow flows[NB_FLOWS];
static _Atomic uint32_t nb_opened, nb_served, nb_served_ended, nb_aborts, nb_broken, nb_moved;
static _Atomic uint32_t nb_posted, nb_ran, nb_gone;

static struct flow *
enter(struct tp_toe_call *call)
{
	struct flow *f = call->arg;

	CHECK(atomic_fetch_add_explicit(&f->busy, 1, memory_order_relaxed) == 0);
	return f;
}

static void
leave(struct flow *f)
{
	CHECK(atomic_fetch_sub_explicit(&f->busy, 1, memory_order_relaxed) == 1);
}

static void
client_push(struct tp_toe_call *call, struct flow *f)
{
	while (f->sent < f->length) {
		uint32_t len = RTE_MIN(f->length - f->sent, 1 + rng_below(1800));
		struct rte_mbuf *m = tp_toe_alloc(call);

		if (m == NULL) {
			tp_toe_want_space(call);
			return;
		}
		flow_fill((uint8_t *)rte_pktmbuf_append(m, len), len, f->number, f->sent);
		if (tp_toe_send(call, m, true) != 0) {
			rte_pktmbuf_free(m);
			return;
		}
		f->sent += len;
	}
}

static void
client_send(struct tp_toe_call *call)
{
	struct flow *f = enter(call);

	client_push(call, f);
	leave(f);
}

static void
client_data(struct tp_toe_call *call, struct rte_mbuf *data)
{
	struct flow *f = enter(call);

	CHECK(flow_is(data, f->number, f->got));
	f->got += data->pkt_len;
	CHECK(f->got <= f->sent);
	tp_toe_consumed(call, data->pkt_len);
	rte_pktmbuf_free(data);
	leave(f);
}

static void
client_close(struct tp_toe_call *call, enum tp_tcp_reason reason)
{
	struct flow *f = enter(call);

	f->reason = reason;
	leave(f);
	CHECK(atomic_exchange(&f->state, OVER) == LIVE);
}

static void
moved(struct tp_toe_call *call, uint8_t from)
{
	struct flow *f = enter(call);

	CHECK(from != tp_toe_member(call));
	atomic_fetch_add_explicit(&nb_moved, 1, memory_order_relaxed);
	leave(f);
}

static const struct tp_toe_user client = {
	.name = "client",
	.on_accept = client_send,
	.on_data = client_data,
	.on_writable = client_send,
	.on_close = client_close,
	.on_moved = moved,
};

static void
server_accept(struct tp_toe_call *call)
{
	call->arg = calloc(1, sizeof(struct flow));
	CHECK(call->arg != NULL);
	atomic_fetch_add_explicit(&nb_served, 1, memory_order_relaxed);
}

static void
server_go_on(struct tp_toe_call *call)
{
	struct flow *f = enter(call);

	flow_echo(call, &f->held);
	leave(f);
}

static void
server_data(struct tp_toe_call *call, struct rte_mbuf *data)
{
	struct flow *f = enter(call);

	flow_echo_data(call, &f->held, data);
	leave(f);
}

static void
server_close(struct tp_toe_call *call, enum tp_tcp_reason reason)
{
	struct flow *f = call->arg;

	if (f == NULL)
		return; /* it was never accepted */
	enter(call);
	if (reason != TP_TCP_R_DONE)
		atomic_fetch_add_explicit(&nb_broken, 1, memory_order_relaxed);
	rte_pktmbuf_free(f->held);
	free(f);
	atomic_fetch_add_explicit(&nb_served_ended, 1, memory_order_relaxed);
}

static const struct tp_toe_user server = {
	.name = "server",
	.on_accept = server_accept,
	.on_data = server_data,
	.on_writable = server_go_on,
	.on_eof = server_go_on,
	.on_close = server_close,
	.on_moved = moved,
};

/* ---- the application -------------------------------------------------------------------- */

/* A posted function, which must run once. */
struct ticket {
	_Atomic uint32_t runs;
	bool abort;
};

static void
ticket_run(struct tp_toe_call *call, void *arg)
{
	struct ticket *t = arg;
	struct flow *f;

	CHECK(atomic_fetch_add(&t->runs, 1) == 0);
	atomic_fetch_add(call->conn != NULL ? &nb_ran : &nb_gone, 1);
	if (call->conn == NULL) {
		free(t);
		return;
	}
	f = enter(call);
	if (t->abort) {
		f->aborted = true;
		atomic_fetch_add(&nb_aborts, 1);
		tp_toe_abort(call);
	} else if (f->got == f->length && f->sent == f->length && f->rounds < NB_ROUNDS) {
		/* All came back: the next round, or the end. */
		if (++f->rounds == NB_ROUNDS)
			tp_toe_shutdown(call);
		else
			f->length += rng_below(MESSAGE_MAX);
		client_push(call, f);
	}
	leave(f);
	free(t);
}

static void
app_post(uint64_t id, bool abort)
{
	struct ticket *t = calloc(1, sizeof(*t));

	CHECK(t != NULL);
	t->abort = abort;
	if (tp_toe_post(side[0].toe, id, ticket_run, t) == 0)
		atomic_fetch_add(&nb_posted, 1);
	else
		free(t);
}

static void
app_open(struct flow *f)
{
	static uint32_t number;
	struct tp_toe_connect how = {
		.user = &client, .arg = f, .rport = ECHO_PORT, .member = TP_MEMBER_NONE
	};
	uint64_t id;

	tp_inet_map_v4(how.raddr, rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 2)));
	f->number = number++;
	f->length = rng_below(MESSAGE_MAX);
	f->sent = f->got = f->rounds = 0;
	f->aborted = false;
	atomic_store(&f->state, LIVE);
	id = tp_toe_connect(side[0].toe, &how);
	if (id == TP_TOE_ID_NONE) {
		atomic_store(&f->state, IDLE);
		return;
	}
	atomic_store(&f->id, id);
	atomic_fetch_add(&nb_opened, 1);
}

static void
app_end(struct flow *f)
{
	/* A connect that found its member gone, or no port. */
	bool broken = f->reason != TP_TCP_R_DONE;

	CHECK(!broken || f->aborted || f->reason == TP_TCP_R_MEMORY);
	CHECK(broken || (f->got == f->length && f->rounds == NB_ROUNDS));
	atomic_store(&f->state, IDLE);
}

static void *
app_thread(void *arg)
{
	uint64_t old[NB_OLD] = { 0 };
	uint32_t nb_live = 1;

	(void)arg;
	rng_state = 4711;
	while (!atomic_load(&ending) || (nb_live > 0 && !atomic_load(&stop_threads))) {
		nb_live = 0;
		for (struct flow *f = flows; f < flows + NB_FLOWS; f++) {
			int state = atomic_load(&f->state);

			if (state == OVER)
				app_end(f);
			if (state != LIVE && !atomic_load(&ending))
				app_open(f);
			if (state != LIVE)
				continue;
			nb_live++;
			if (rng_below(8) != 0)
				continue;
			old[rng_below(NB_OLD)] = atomic_load(&f->id);
			app_post(atomic_load(&f->id), rng_below(500) == 0);
			if (rng_below(16) == 0)
				app_post(old[rng_below(NB_OLD)], false);
		}
		rte_delay_us_sleep(200);
	}
	return NULL;
}

/* ---- a member's thread ---------------------------------------------------------------- */

static unsigned int
receive(struct member *m, struct rte_ring *r, uint64_t now)
{
	struct rte_mbuf *pkts[TP_BURST_MAX];
	struct tp_pkt_info info[TP_BURST_MAX];
	unsigned int n = rte_ring_sc_dequeue_burst(r, (void **)pkts, TP_BURST_MAX, NULL);
	uint16_t nb = 0, rest;

	for (unsigned int i = 0; i < n; i++) {
		tp_pkt_parse(pkts[i], &info[nb]);
		if (info[nb].flags & TP_PKT_F_NEIGH)
			put(m->neigh, pkts[i]);
		else
			pkts[nb++] = pkts[i];
	}
	rest = nb > 0 ? tp_toe_input(m->toe, pkts, info, nb, now) : 0;
	rte_pktmbuf_free_bulk(pkts, rest);
	return n;
}

static unsigned int
member_turn(struct member *m, uint64_t now)
{
	struct rte_mbuf *pkts[TP_BURST_MAX];
	unsigned int work = 0, n;

	if (atomic_load_explicit(&m->place, memory_order_acquire) != RUNS) {
		int asked = STOP;

		if (atomic_compare_exchange_strong(&m->place, &asked, STOPPED))
			rte_rcu_qsbr_thread_offline(m->side->qsbr, m->index);
		return 0;
	}
	rte_rcu_qsbr_thread_online(m->side->qsbr, m->index);
	for (unsigned int from = 0; from <= NB_THREADS; from++)
		work += receive(m, m->wire[from], now);
	for (unsigned int from = 0; from < NB_THREADS; from++) {
		n = rte_ring_sc_dequeue_burst(m->fabric[from], (void **)pkts, TP_BURST_MAX, NULL);
		if (n > 0)
			tp_toe_foreign(m->toe, pkts, n, now);
		work += n;
	}
	work += tp_toe_step(m->toe, now);
	rte_rcu_qsbr_quiescent(m->side->qsbr, m->index);
	return work;
}

static void *
member_thread(void *arg)
{
	self = (uintptr_t)arg;
	rng_state = self;
	for (unsigned int i = 0; i < 2; i++)
		rte_rcu_qsbr_thread_register(side[i].qsbr, self);
	while (!atomic_load_explicit(&stop_threads, memory_order_acquire)) {
		uint64_t now = tp_clock_now();
		unsigned int work = member_turn(&side[0].member[self], now) +
		                    member_turn(&side[1].member[self], now);

		if (work == 0)
			sched_yield();
	}
	for (unsigned int i = 0; i < 2; i++) {
		rte_rcu_qsbr_thread_offline(side[i].qsbr, self);
		rte_rcu_qsbr_thread_unregister(side[i].qsbr, self);
	}
	return NULL;
}

/* ---- control -------------------------------------------------------------------------- */

static void
member_open(struct member *m)
{
	m->toe = tp_toe_shard_create(m->side->toe, m->index, SOCKET_ID_ANY, pool, pool_indirect,
	                &m->side->mac, &ops, m);
	CHECK(m->toe != NULL);
	m->drained = m->fenced = false;
	m->back_ns = 0;
	atomic_store_explicit(&m->place, RUNS, memory_order_release);
}

static void
drain_ring(struct rte_ring *r)
{
	struct rte_mbuf *m;

	while (rte_ring_sc_dequeue(r, (void **)&m) == 0)
		rte_pktmbuf_free(m);
}

static unsigned int
nb_usable(const struct side *s)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < NB_THREADS; i++)
		n += atomic_load(&s->member[i].place) == RUNS && !s->member[i].drained;
	return n;
}

/* What was begun to a member goes on, in the end until all of them run. */
static void
mend(struct member *m, uint64_t now)
{
	struct tp_toe *toe = m->side->toe;

	if (now < m->back_ns)
		return;
	if (m->drained) {
		tp_toe_set_place(toe, m->index, TP_TOE_ACTIVE);
		m->drained = false;
	}
	if (atomic_load(&m->place) != STOPPED)
		return;
	if (!m->fenced) {
		tp_toe_fence(toe, m->index);
		m->fenced = true;
	}
	if (!tp_toe_left(toe, m->index))
		return;
	CHECK(tp_toe_shard_free(m->toe) == 0);
	member_open(m);
}

static void
disturb(struct side *s, uint64_t now)
{
	struct member *m = &s->member[rng_below(NB_THREADS)];
	bool whole = atomic_load(&m->place) == RUNS && !m->drained;

	switch (rng_below(32)) {
	case 0:
	case 1:
		if (!whole || nb_usable(s) == 1)
			return;
		m->drained = true;
		m->back_ns = now + rng_below(20 * TP_NS_PER_MS);
		tp_toe_set_place(s->toe, m->index, rng_below(2) == 0 ? TP_TOE_DOWN : TP_TOE_DRAIN);
		return;
	case 2:
		if (!whole || nb_usable(s) == 1)
			return;
		m->back_ns = now + rng_below(10 * TP_NS_PER_MS);
		atomic_store(&m->place, STOP);
		return;
	case 3:
	case 4:
		tp_toe_shed(s->toe, m->index, rng_below(NB_THREADS), 1 + rng_below(8));
		return;
	default:
		if (s == &side[0])
			tp_toe_move(s->toe, atomic_load(&flows[rng_below(NB_FLOWS)].id),
			                rng_below(NB_THREADS));
	}
}

static void
control_turn(struct side *s, uint64_t now)
{
	struct tp_inet_frame frames[16];
	struct tp_pkt_info info;
	struct rte_mbuf *pkt;
	uint16_t n;

	for (unsigned int i = 0; i < NB_THREADS; i++) {
		struct member *m = &s->member[i];

		while (rte_ring_sc_dequeue(m->resolve, (void **)&pkt) == 0)
			tp_inet_pend(s->inet, pkt, now);
		while (rte_ring_sc_dequeue(m->neigh, (void **)&pkt) == 0) {
			tp_pkt_parse(pkt, &info);
			tp_inet_heard(s->inet, pkt, &info, i, now);
			rte_pktmbuf_free(pkt);
		}
		mend(m, now);
	}
	tp_inet_step(s->inet, now);
	tp_toe_manage(s->toe, now);
	n = tp_inet_take(s->inet, frames, RTE_DIM(frames));
	for (uint16_t i = 0; i < n; i++)
		send_frame(s, frames[i].m);
}

static bool
all_gone(void)
{
	for (unsigned int k = 0; k < 2; k++) {
		if (tp_toe_nb_parked(side[k].toe) != 0)
			return false;
		for (unsigned int i = 0; i < NB_THREADS; i++) {
			if (atomic_load(&side[k].member[i].place) != RUNS ||
			                tp_toe_nb_conns(side[k].toe, i) != 0)
				return false;
		}
	}
	return atomic_load(&nb_posted) == atomic_load(&nb_ran) + atomic_load(&nb_gone);
}

/* @return false: something did not come to its end */
static bool
control(void)
{
	uint64_t now = tp_clock_now(), end = now + run_ns, due = 0;
	bool gone = false;

	self = CONTROL;
	rng_state = 42;
	while (now < end + QUIET_NS && atomic_load(&failed) == NULL && !gone) {
		now = tp_clock_now();
		if (now >= end)
			atomic_store(&ending, true);
		else if (now >= due) {
			disturb(&side[rng_below(2)], now);
			due = now + rng_below(500 * TP_NS_PER_US);
		}
		control_turn(&side[0], now);
		control_turn(&side[1], now);
		gone = now >= end && all_gone();
		rte_delay_us_sleep(50);
	}
	return gone;
}

/* ---- one run ---------------------------------------------------------------------------- */

static struct rte_ring *
ring(void)
{
	static unsigned int nb;
	char name[16];
	struct rte_ring *r;

	snprintf(name, sizeof(name), "ring_%u", nb++);
	r = rte_ring_create(name, RING_SIZE, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	assert_non_null(r);
	return r;
}

static void
side_open(struct side *s, uint8_t index)
{
	struct tp_inet_conf iconf;
	struct tp_toe_conf conf;
	const char *why = NULL;
	uint8_t addr[16];

	s->peer = &side[!index];
	s->mac = (struct rte_ether_addr){ { 2, 0, 0, 0, 0, index + 1 } };
	s->qsbr = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(NB_THREADS), RTE_CACHE_LINE_SIZE);
	assert_non_null(s->qsbr);
	assert_int_equal(rte_rcu_qsbr_init(s->qsbr, NB_THREADS), 0);
	tp_inet_conf_default(&iconf);
	iconf.pool = pool;
	iconf.qsbr = s->qsbr;
	iconf.mac = s->mac;
	iconf.mtu = 1500;
	iconf.answer = true;
	iconf.dad_probes = 0;
	s->inet = tp_inet_create(&iconf, tp_clock_now());
	assert_non_null(s->inet);
	tp_inet_map_v4(addr, rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, index + 1)));
	assert_int_equal(tp_inet_addr_add(s->inet, addr, 24, tp_clock_now()), 0);
	tp_toe_conf_default(&conf);
	conf.max_conns = 1024;
	conf.tcp.tso_max = 0;
	conf.tcp.msl_ns = 5 * TP_NS_PER_MS;
	conf.move = (struct tp_toe_move_conf){
		.after = 2, .hysteresis_ms = 1, .idle_ns = 2 * TP_NS_PER_MS
	};
	s->toe = tp_toe_create(&conf, s->inet, s->qsbr, member_of, s, &why);
	assert_non_null(s->toe);
	for (uint8_t i = 0; i < NB_THREADS; i++) {
		struct member *m = &s->member[i];

		m->side = s;
		m->index = i;
		for (unsigned int from = 0; from <= NB_THREADS; from++)
			m->wire[from] = ring();
		for (unsigned int from = 0; from < NB_THREADS; from++)
			m->fabric[from] = ring();
		m->resolve = ring();
		m->neigh = ring();
		member_open(m);
	}
}

static void
side_close(struct side *s)
{
	for (uint8_t i = 0; i < NB_THREADS; i++) {
		struct member *m = &s->member[i];

		for (unsigned int from = 0; from <= NB_THREADS; from++)
			drain_ring(m->wire[from]);
		for (unsigned int from = 0; from < NB_THREADS; from++)
			drain_ring(m->fabric[from]);
		drain_ring(m->resolve);
		drain_ring(m->neigh);
		tp_toe_shard_free(m->toe);
	}
	tp_toe_free(s->toe);
	tp_inet_free(s->inet);
	rte_free(s->qsbr);
}

static void
test_moves_between_threads(void **state)
{
	pthread_t thread[NB_THREADS], app;
	bool gone;

	(void)state;
	pools_seen();
	pool = tp_pool_create("threads", POOL_SIZE, 0, TP_POOL_DATA_ROOM, 0);
	pool_wire = tp_pool_create("wire", POOL_SIZE, 0, TP_POOL_DATA_ROOM, 0);
	pool_indirect = tp_pool_create("indirect", POOL_SIZE, 0, 0, 0);
	assert_true(pool != NULL && pool_wire != NULL && pool_indirect != NULL);
	side_open(&side[0], 0);
	side_open(&side[1], 1);
	assert_int_equal(tp_toe_listen(side[1].toe, &(struct tp_toe_listen){ .user = &server,
	                                                            .port = ECHO_PORT }),
	                0);
	for (uintptr_t i = 0; i < NB_THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, member_thread, (void *)i), 0);
	assert_int_equal(pthread_create(&app, NULL, app_thread, NULL), 0);
	gone = control();
	atomic_store(&stop_threads, true);
	pthread_join(app, NULL);
	for (unsigned int i = 0; i < NB_THREADS; i++)
		pthread_join(thread[i], NULL);
	print_message("%u connections, %u aborted, %u moves, %u posts, %u of them too late\n",
	                nb_opened, nb_aborts, nb_moved, nb_posted, nb_gone);
	if (failed != NULL)
		fail_msg("%s", failed);
	assert_true(gone);
	assert_int_equal(nb_served, nb_served_ended);
	assert_true(nb_broken <= nb_aborts);
	assert_true(nb_opened > NB_FLOWS && nb_moved > NB_FLOWS && nb_ran > NB_FLOWS);
	side_close(&side[0]);
	side_close(&side[1]);
	assert_int_equal(test_pools_out(), 0);
}

static int
group_setup(void **state)
{
	const char *seconds = getenv("TP_THREADS_SECONDS");

	if (test_eal_setup(state) != 0 || tp_meta_init() != 0)
		return -1;
	tp_clock_init();
	if (seconds != NULL)
		run_ns = strtoul(seconds, NULL, 10) * TP_NS_PER_S;
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves_between_threads),
	};

	return cmocka_run_group_tests(tests, group_setup, test_eal_teardown);
}
