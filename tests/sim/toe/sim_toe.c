/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Two teams talk TCP to each other, every packet arriving on a member chosen at random: whatever
 * the switch between them does, all streams are equal, nobody sees a reset and nothing is left over.
 * Three seeds of four also move connections about: they follow their packets, are moved by command,
 * parked, their members lose their ports, are drained, stopped, or freeze at any point of their work and
 * are replaced. Only a connection that its lcore was at work on as it froze may end. One thread, virtual
 * time, one seed.
 *
 * Usage: sim_toe [--seed N] [--seeds N] [--trace]
 */

#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include "../../common/eal_dir.h"
#include "flow.h"

#define MAX_SHARDS 4
#define NB_FLOWS 24
#define ECHO_PORT 7
#define HASTY_PORT 8
#define NB_REUSES 3
/* The client's end keeps late segments away for less than that. */
#define QUARANTINE_NS (200 * TP_NS_PER_MS)
#define QUEUE_LEN 8192
#define MAX_MESSAGE 60000
#define STEP_NS (20 * TP_NS_PER_US)
#define HORIZON_NS (600 * TP_NS_PER_S)
#define POOL_SIZE 32767

static uint64_t rng_state;
static bool tracing;
static uint64_t now_ns;
static struct rte_mempool *pool, *pool_indirect, *pool_wire;
static const char *failed;

static uint64_t
rng_below(uint64_t n)
{
	return flow_random(&rng_state, n);
}

static void
fail(const char *what)
{
	if (failed == NULL)
		failed = what;
}

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			fail(#cond);                                                               \
	} while (0)

/* ---- the teams and what is between them ------------------------------------------ */

struct queue {
	struct rte_mbuf *m[QUEUE_LEN];
	uint64_t at[QUEUE_LEN]; /* arrival, ns */
	uint8_t member[QUEUE_LEN];
	uint32_t nb;
};

struct side {
	struct tp_inet *inet;
	struct tp_toe *toe;
	struct rte_rcu_qsbr *qsbr;
	struct rte_ether_addr mac;
	uint8_t nb_shards;
	struct shard {
		struct side *side;
		uint8_t member;
		struct tp_toe_shard *toe;
		struct rte_mbuf *in[QUEUE_LEN]; /* from the other members */
		uint32_t nb_in;
		struct rte_mbuf *ctl[64]; /* for control: to be resolved */
		uint32_t nb_ctl;
		uint32_t freeze_in; /* calls out of the engine until it freezes; 0: never */
		bool dead;          /* its lcore runs no more */
		bool down;          /* its port is dead */
		bool drained;
		uint64_t back_at; /* when a dead one is replaced, a port comes back */
	} shard[MAX_SHARDS];
	struct queue wire; /* towards this side */
	uint8_t last_member;
	struct side *peer;
};

static struct side side[2];
static struct {
	uint32_t loss_permille, dup_permille, delay_us, jitter_us;
} net;
static struct {
	bool on;
	uint32_t permille; /* of a disturbance in a step */
	uint32_t ring_full_permille;
	bool freezes, sticky;
	uint32_t nb_moves, nb_frozen;
} chaos;
static jmp_buf frozen;

static uint32_t
nb_alive(const struct side *s)
{
	uint32_t n = 0;

	for (uint8_t i = 0; i < s->nb_shards; i++)
		n += !s->shard[i].dead && !s->shard[i].down && !s->shard[i].drained;
	return n;
}

/* The engine calls out: here its lcore may freeze for good. */
static void
maybe_freeze(struct shard *sh)
{
	if (sh->freeze_in > 0 && --sh->freeze_in == 0 && nb_alive(sh->side) > 1)
		longjmp(frozen, 1);
}

static void
wire_put(struct side *to, struct rte_mbuf *m)
{
	struct queue *q = &to->wire;

	if (q->nb == QUEUE_LEN) {
		rte_pktmbuf_free(m);
		return;
	}
	q->m[q->nb] = m;
	q->at[q->nb] = now_ns + (net.delay_us + rng_below(net.jitter_us + 1)) * TP_NS_PER_US;
	if (chaos.sticky && rng_below(200) != 0)
		q->member[q->nb++] = to->last_member;
	else
		q->member[q->nb++] = to->last_member = rng_below(to->nb_shards);
}

/* What egress and the wire would make of it: one buffer, good checksums. */
static void
send_frame(struct side *from, struct rte_mbuf *m)
{
	struct rte_mbuf *copy = flow_on_wire(m, pool_wire);

	CHECK(copy != NULL);
	if (copy == NULL)
		return;
	if (rng_below(1000) < net.loss_permille) {
		rte_pktmbuf_free(copy);
		return;
	}
	if (rng_below(1000) < net.dup_permille) {
		struct rte_mbuf *again = tp_pkt_copy(copy, pool_wire);

		CHECK(again != NULL);
		if (again != NULL) {
			again->ol_flags = copy->ol_flags;
			wire_put(from->peer, again);
		}
	}
	wire_put(from->peer, copy);
}

static uint16_t
op_room(void *arg)
{
	(void)arg;
	return rng_below(8) == 0 ? rng_below(4) : 512;
}

static void
op_transmit(void *arg, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct shard *sh = arg;

	maybe_freeze(sh);
	for (uint16_t i = 0; i < nb_pkts; i++)
		send_frame(sh->side, pkts[i]);
}

static void
op_forward(void *arg, uint8_t member, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct shard *sh = arg, *to = &sh->side->shard[member];

	maybe_freeze(sh);
	for (uint16_t i = 0; i < nb_pkts; i++) {
		if (to->nb_in == QUEUE_LEN || rng_below(1000) < chaos.ring_full_permille)
			rte_pktmbuf_free(pkts[i]);
		else
			to->in[to->nb_in++] = pkts[i];
	}
}

static void
op_control(void *arg, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct shard *sh = arg;

	for (uint16_t i = 0; i < nb_pkts; i++) {
		if (sh->nb_ctl == RTE_DIM(sh->ctl))
			rte_pktmbuf_free(pkts[i]);
		else
			sh->ctl[sh->nb_ctl++] = pkts[i];
	}
}

static const struct tp_toe_ops ops = { op_room, op_transmit, op_forward, op_control };

static uint8_t
member_of(void *arg, uint32_t hash)
{
	const struct side *s = arg;

	return ((uint64_t)hash * s->nb_shards) >> 32;
}

/* ---- users: an echo server, and clients that know what they have to get back --------- */

struct flow {
	uint32_t number;
	uint32_t length; /* bytes to send, and to get back */
	uint32_t sent, got;
	bool done;
	enum tp_tcp_reason reason;
	struct rte_mbuf *held; /* server: not yet sent back */
	tp_toe_id id;
};

static struct flow flows[NB_FLOWS], served[4 * NB_FLOWS];
static uint32_t nb_flows, nb_served, nb_done, nb_served_done, nb_lost;

/* In a user's call: its lcore may freeze there. */
static void
maybe_freeze_in(struct tp_toe_call *call)
{
	const struct side *s = &side[call->arg >= (void *)served &&
	                             call->arg < (void *)(served + RTE_DIM(served))];

	maybe_freeze((struct shard *)(uintptr_t)&s->shard[tp_toe_member(call)]);
}

/* The connection has moved: what its user knows of it did not. */
static void
on_moved(struct tp_toe_call *call, uint8_t from)
{
	CHECK(call->conn != NULL && call->arg != NULL && from != tp_toe_member(call));
	chaos.nb_moves++;
}

static void
client_send(struct tp_toe_call *call)
{
	struct flow *f = call->arg;

	while (f->sent < f->length) {
		uint32_t len = RTE_MIN(f->length - f->sent, 1 + rng_below(2000));
		struct rte_mbuf *m = tp_toe_alloc(call);

		CHECK(m != NULL);
		if (m == NULL)
			return;
		flow_fill((uint8_t *)rte_pktmbuf_append(m, len), len, f->number, f->sent);
		if (tp_toe_send(call, m, true) != 0) {
			rte_pktmbuf_free(m);
			return;
		}
		f->sent += len;
	}
	tp_toe_shutdown(call);
}

static void
client_data(struct tp_toe_call *call, struct rte_mbuf *data)
{
	struct flow *f = call->arg;

	CHECK(flow_is(data, f->number, f->got));
	f->got += data->pkt_len;
	tp_toe_consumed(call, data->pkt_len);
	rte_pktmbuf_free(data);
	maybe_freeze_in(call);
}

static void
client_close(struct tp_toe_call *call, enum tp_tcp_reason reason)
{
	struct flow *f = call->arg;

	CHECK(!f->done);
	f->done = true;
	f->reason = reason;
	nb_done++;
	nb_lost += reason != TP_TCP_R_DONE;
	if (tracing && reason != TP_TCP_R_DONE)
		printf("  %" PRIu64 " client %s\n", now_ns, tp_tcp_reason_name(reason));
}

static const struct tp_toe_user client = {
	.name = "client",
	.on_accept = client_send,
	.on_data = client_data,
	.on_writable = client_send,
	.on_close = client_close,
	.on_moved = on_moved,
};

static void
server_accept(struct tp_toe_call *call)
{
	CHECK(nb_served < RTE_DIM(served));
	maybe_freeze((struct shard *)(uintptr_t)&side[1].shard[tp_toe_member(call)]);
	call->arg = &served[nb_served++ % RTE_DIM(served)];
	((struct flow *)call->arg)->id = call->id;
}

static void
server_go_on(struct tp_toe_call *call)
{
	struct flow *f = call->arg;

	flow_echo(call, &f->held);
}

static void
server_data(struct tp_toe_call *call, struct rte_mbuf *data)
{
	struct flow *f = call->arg;

	flow_echo_data(call, &f->held, data);
}

static void
server_close(struct tp_toe_call *call, enum tp_tcp_reason reason)
{
	struct flow *f = call->arg;

	if (f == NULL)
		return; /* it was never accepted */
	nb_served_done++;
	nb_lost += reason != TP_TCP_R_DONE;
	if (tracing && reason != TP_TCP_R_DONE)
		printf("  %" PRIu64 " server %s\n", now_ns, tp_tcp_reason_name(reason));
	rte_pktmbuf_free(f->held);
	f->held = NULL;
}

static const struct tp_toe_user server = {
	.name = "server",
	.on_accept = server_accept,
	.on_data = server_data,
	.on_writable = server_go_on,
	.on_eof = server_go_on,
	.on_close = server_close,
	.on_moved = on_moved,
};

/* One that closes at once, so that TIME_WAIT is the server's. */
static enum tp_tcp_reason hasty_end;

static void
hasty_close(struct tp_toe_call *call, enum tp_tcp_reason reason)
{
	(void)call;
	hasty_end = reason;
}

static const struct tp_toe_user hasty_server = { .name = "hasty", .on_accept = tp_toe_close };
static const struct tp_toe_user hasty_client = { .name = "hasty", .on_close = hasty_close };

/* ---- one run ----------------------------------------------------------------------- */

static void
shard_open(struct shard *sh)
{
	sh->dead = sh->down = sh->drained = false;
	sh->freeze_in = 0;
	sh->toe = tp_toe_shard_create(sh->side->toe, sh->member, SOCKET_ID_ANY, pool, pool_indirect,
	                &sh->side->mac, &ops, sh);
	CHECK(sh->toe != NULL);
}

static uint32_t nb_ends;

static void
on_end(void *arg, const struct tp_toe_end *end)
{
	const struct side *s = arg;

	nb_ends++;
	if (tracing)
		printf("  %" PRIu64 " side %u member %u: port %u ends: %s\n", now_ns, s == &side[1],
		                end->member, rte_be_to_cpu_16(end->key.rport),
		                tp_tcp_reason_name(end->reason));
}

static void
side_open(struct side *s, uint8_t index, bool v6)
{
	struct tp_inet_conf iconf;
	struct tp_toe_conf conf;
	const char *why;
	uint8_t addr[16] = { 0xfd, [15] = index + 1 };

	memset(s, 0, sizeof(*s));
	s->peer = &side[!index];
	s->mac = (struct rte_ether_addr){ { 2, 0, 0, 0, 0, index + 1 } };
	s->qsbr = rte_zmalloc("qsbr", rte_rcu_qsbr_get_memsize(MAX_SHARDS), RTE_CACHE_LINE_SIZE);
	rte_rcu_qsbr_init(s->qsbr, MAX_SHARDS);
	tp_inet_conf_default(&iconf);
	iconf.pool = pool;
	iconf.qsbr = s->qsbr;
	iconf.mac = s->mac;
	iconf.mtu = 1500;
	iconf.answer = true;
	iconf.dad_probes = 0;
	iconf.seed = rng_below(UINT64_MAX);
	s->inet = tp_inet_create(&iconf, now_ns);
	if (!v6)
		tp_inet_map_v4(addr, rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, index + 1)));
	CHECK(s->inet != NULL && tp_inet_addr_add(s->inet, addr, v6 ? 64 : 24, now_ns) == 0);
	tp_toe_conf_default(&conf);
	conf.max_conns = 256;
	conf.tcp.tso_max = 0;
	conf.tcp.sack = rng_below(4) != 0;
	conf.tcp.timestamps = rng_below(4) != 0;
	conf.tcp.cc = rng_below(TP_TCP_NB_CC);
	/* A RST of what was torn may be lost, and its peer wait for ever. */
	conf.tcp.keepalive = chaos.on;
	conf.tcp.keep_idle_ns = 2 * TP_NS_PER_S;
	conf.tcp.keep_intvl_ns = TP_NS_PER_S;
	conf.move.after = chaos.on ? rng_below(4) : 0;
	conf.move.hysteresis_ms = rng_below(3) * rng_below(20);
	conf.move.idle_ns = chaos.on ? rng_below(2) * rng_below(20 * TP_NS_PER_MS) : 0;
	s->toe = tp_toe_create(&conf, s->inet, s->qsbr, member_of, s, &why);
	CHECK(s->toe != NULL);
	tp_toe_on_end(s->toe, on_end, s);
	s->nb_shards = 1 + rng_below(MAX_SHARDS);
	for (uint8_t i = 0; i < s->nb_shards; i++) {
		s->shard[i].side = s;
		s->shard[i].member = i;
		shard_open(&s->shard[i]);
	}
}

static void
side_close(struct side *s)
{
	for (uint8_t i = 0; i < s->nb_shards; i++) {
		struct shard *sh = &s->shard[i];

		CHECK(tp_toe_nb_conns(s->toe, i) == 0);
		tp_toe_shard_free(sh->toe);
		rte_pktmbuf_free_bulk(sh->in, sh->nb_in);
		rte_pktmbuf_free_bulk(sh->ctl, sh->nb_ctl);
	}
	rte_pktmbuf_free_bulk(s->wire.m, s->wire.nb);
	tp_toe_free(s->toe);
	tp_inet_free(s->inet);
	rte_free(s->qsbr);
}

/* A burst of one member. */
static void
receive(struct side *s, struct shard *sh, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct tp_pkt_info info[TP_BURST_MAX];
	uint16_t nb = 0;

	for (uint16_t i = 0; i < nb_pkts; i++) {
		tp_pkt_parse(pkts[i], &info[nb]);
		if (info[nb].flags & TP_PKT_F_NEIGH) {
			tp_inet_heard(s->inet, pkts[i], &info[nb], sh->member, now_ns);
			rte_pktmbuf_free(pkts[i]);
			continue;
		}
		pkts[nb++] = pkts[i];
	}
	nb = tp_toe_input(sh->toe, pkts, info, nb, now_ns);
	rte_pktmbuf_free_bulk(pkts, nb);
}

static void
die(struct shard *sh)
{
	if (tracing)
		printf("  %" PRIu64 " side %u member %u dies\n", now_ns, sh->side == &side[1],
		                sh->member);
	sh->dead = true;
	sh->back_at = now_ns + rng_below(50 * TP_NS_PER_MS);
	rte_pktmbuf_free_bulk(sh->in, sh->nb_in);
	sh->nb_in = 0;
	tp_toe_fence(sh->side->toe, sh->member);
}

/* A switch does not use a port that is dead, after a while. */
static void
deliver(struct side *s, struct shard *volatile sh, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	if (nb_pkts == 0)
		return;
	if (sh->dead || sh->down) {
		if (rng_below(4) == 0) {
			rte_pktmbuf_free_bulk(pkts, nb_pkts);
			return;
		}
		for (uint8_t i = 0; i < s->nb_shards && (sh->dead || sh->down); i++)
			sh = &s->shard[i];
	}
	if (setjmp(frozen) == 0) {
		receive(s, sh, pkts, nb_pkts);
	} else {
		chaos.nb_frozen++;
		die(sh);
	}
}

static bool
may_freeze(const struct side *s)
{
	for (uint8_t i = 0; i < s->nb_shards; i++)
		if (s->shard[i].freeze_in > 0)
			return true;
	return false;
}

static bool
deliver_due(struct side *s)
{
	struct queue *q = &s->wire;
	uint32_t kept = 0, nb = q->nb;
	struct rte_mbuf *burst[TP_BURST_MAX];
	struct shard *of = NULL, *sh;
	uint16_t nb_burst = 0;
	bool any = false;

	/* Answers go to the other side's queue, never to this one. */
	for (uint32_t i = 0; i < nb; i++) {
		if (q->at[i] <= now_ns) {
			any = true;
			sh = &s->shard[q->member[i]];
			/* One that freezes has one packet in its hands. */
			if (sh != of || nb_burst == TP_BURST_MAX || may_freeze(s)) {
				deliver(s, of, burst, nb_burst);
				nb_burst = 0;
			}
			of = sh;
			burst[nb_burst++] = q->m[i];
			continue;
		}
		q->m[kept] = q->m[i];
		q->at[kept] = q->at[i];
		q->member[kept++] = q->member[i];
	}
	deliver(s, of, burst, nb_burst);
	q->nb = kept;
	return any;
}

static bool
control_step(struct side *s)
{
	struct tp_inet_frame frames[16];
	uint16_t n;

	for (uint8_t i = 0; i < s->nb_shards; i++) {
		for (uint32_t k = 0; k < s->shard[i].nb_ctl; k++)
			tp_inet_pend(s->inet, s->shard[i].ctl[k], now_ns);
		s->shard[i].nb_ctl = 0;
	}
	tp_inet_step(s->inet, now_ns);
	tp_toe_manage(s->toe, now_ns);
	n = tp_inet_take(s->inet, frames, RTE_DIM(frames));
	for (uint16_t i = 0; i < n; i++)
		send_frame(s, frames[i].m);
	return n > 0;
}

static bool
shard_step(struct shard *sh)
{
	uint32_t n = rng_below(4) != 0 ? sh->nb_in : rng_below(sh->nb_in + 1);
	struct rte_mbuf *batch[TP_BURST_MAX];

	n = RTE_MIN(n, (uint32_t)TP_BURST_MAX);
	memcpy(batch, sh->in, n * sizeof(batch[0]));
	memmove(sh->in, sh->in + n, (sh->nb_in - n) * sizeof(sh->in[0]));
	sh->nb_in -= n;
	if (n > 0)
		tp_toe_foreign(sh->toe, batch, n, now_ns);
	return tp_toe_step(sh->toe, now_ns) > 0 || sh->nb_in > 0;
}

static tp_toe_id
any_flow(const struct side *s)
{
	const struct flow *f = s == &side[0]   ? &flows[rng_below(nb_flows)]
	                       : nb_served > 0 ? &served[rng_below(nb_served)]
	                                       : NULL;

	return f != NULL ? f->id : TP_TOE_ID_NONE;
}

static void
disturb(struct side *s)
{
	struct shard *sh = &s->shard[rng_below(s->nb_shards)];
	bool last = nb_alive(s) <= 1 && !sh->down && !sh->drained;
	unsigned int what = rng_below(8);

	if (tracing)
		printf("  %" PRIu64 " disturb side %u member %u: %u\n", now_ns, s == &side[1],
		                sh->member, what);
	switch (what) {
	case 0:
		if (!last && !sh->dead && !sh->down) {
			tp_toe_set_place(s->toe, sh->member, TP_TOE_DOWN);
			sh->down = true;
			sh->back_at = now_ns + rng_below(30 * TP_NS_PER_MS);
		}
		break;
	case 1:
		if (!last && !sh->dead && !sh->down) {
			tp_toe_set_place(s->toe, sh->member, TP_TOE_DRAIN);
			sh->drained = true;
			sh->back_at = now_ns + rng_below(30 * TP_NS_PER_MS);
		}
		break;
	case 2:
		if (!last && !sh->dead && !sh->down)
			die(sh);
		break;
	case 3:
		if (chaos.freezes && !last && !sh->dead && !sh->down && sh->freeze_in == 0)
			sh->freeze_in = 1 + rng_below(20);
		break;
	case 4:
		tp_toe_shed(s->toe, sh->member, rng_below(s->nb_shards), 1 + rng_below(8));
		break;
	default:
		tp_toe_move(s->toe, any_flow(s), rng_below(s->nb_shards));
	}
}

static void
come_back(struct side *s)
{
	for (uint8_t i = 0; i < s->nb_shards; i++) {
		struct shard *sh = &s->shard[i];

		if (now_ns < sh->back_at)
			continue;
		if (!sh->dead && (sh->down || sh->drained)) {
			sh->down = sh->drained = false;
			tp_toe_set_place(s->toe, i, TP_TOE_ACTIVE);
		}
		if (sh->dead && tp_toe_left(s->toe, i)) {
			if (tracing)
				printf("  %" PRIu64 " side %u member %u is replaced\n", now_ns,
				                s == &side[1], i);
			CHECK(tp_toe_shard_free(sh->toe) == 0);
			shard_open(sh);
		}
	}
}

/* A turn of its lcore, maybe its last. */
static bool
shard_turn(struct shard *sh)
{
	struct shard *volatile it = sh;

	if (setjmp(frozen) == 0)
		return shard_step(it);
	chaos.nb_frozen++;
	die(it);
	return true;
}

static bool
side_step(struct side *s)
{
	bool any = deliver_due(s);
	uint8_t first = rng_below(s->nb_shards);

	any = control_step(s) || any;
	if (chaos.on && rng_below(1000) < chaos.permille && nb_done < nb_flows)
		disturb(s);
	if (chaos.on)
		come_back(s);
	for (uint8_t k = 0; k < s->nb_shards; k++) {
		struct shard *sh = &s->shard[(first + k) % s->nb_shards];

		any |= !sh->dead && shard_turn(sh);
	}
	return any;
}

static void
post_nothing(struct tp_toe_call *call, void *arg)
{
	(void)call;
	++*(uint32_t *)arg;
}

static void
begin_flows(bool v6)
{
	uint32_t nb = 1 + rng_below(NB_FLOWS);

	for (nb_flows = 0; nb_flows < nb; nb_flows++) {
		struct flow *f = &flows[nb_flows];
		struct tp_toe_connect how = { .user = &client,
			.arg = f,
			.raddr = { 0xfd, [15] = 2 },
			.rport = ECHO_PORT,
			.member = TP_MEMBER_NONE };

		if (!v6)
			tp_inet_map_v4(how.raddr, rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 2)));
		*f = (struct flow){ .number = nb_flows, .length = rng_below(MAX_MESSAGE) };
		f->id = tp_toe_connect(side[0].toe, &how);
		CHECK(f->id != TP_TOE_ID_NONE);
	}
}

static void
run_until_ended(void)
{
	uint64_t end = now_ns + HORIZON_NS;

	for (hasty_end = TP_TCP_R_NONE; hasty_end == TP_TCP_R_NONE && now_ns < end;) {
		side_step(&side[0]);
		side_step(&side[1]);
		now_ns += STEP_NS;
		tp_clock_set_virtual(now_ns);
	}
}

/* RFC 6191: from the same port again and again, while the server's end is in TIME_WAIT. */
static void
reuse_port(bool v6)
{
	uint64_t counters[TP_TOE_NB_COUNTERS], mib[TP_TCP_NB_MIB];
	struct tp_toe_connect how = { .user = &hasty_client,
		.raddr = { 0xfd, [15] = 2 },
		.rport = HASTY_PORT,
		.lport = 20000,
		.member = TP_MEMBER_NONE };

	if (!v6)
		tp_inet_map_v4(how.raddr, rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 2)));
	for (int i = 0; i < NB_REUSES && failed == NULL; i++) {
		CHECK(tp_toe_connect(side[0].toe, &how) != TP_TOE_ID_NONE);
		run_until_ended();
		CHECK(hasty_end == TP_TCP_R_DONE || chaos.nb_frozen > 0);
		now_ns += QUARANTINE_NS;
		tp_clock_set_virtual(now_ns);
		side_step(&side[0]);
	}
	tp_toe_counters(side[1].toe, counters, mib);
	if (net.loss_permille == 0 && net.dup_permille == 0 && !chaos.on)
		CHECK(mib[TP_TCP_M_TW_REUSE] == NB_REUSES - 1 && counters[TP_TOE_C_RX_RACE] == 0);
}

static uint32_t
conns_left(void)
{
	uint32_t n = 0;

	for (unsigned int k = 0; k < 2; k++)
		for (uint8_t i = 0; i < side[k].nb_shards; i++)
			n += side[k].shard[i].dead ? 1 : tp_toe_nb_conns(side[k].toe, i);
	for (unsigned int k = 0; k < 2; k++)
		n += tp_toe_nb_parked(side[k].toe);
	return n;
}

static void
check_counters(void)
{
	for (unsigned int k = 0; k < 2; k++) {
		uint64_t counters[TP_TOE_NB_COUNTERS], mib[TP_TCP_NB_MIB];

		tp_toe_counters(side[k].toe, counters, mib);
		/* Only late copies, after the end, may meet nobody. */
		CHECK(chaos.on || mib[TP_TCP_M_OUT_RSTS] == counters[TP_TOE_C_RX_REFUSED]);
		CHECK(counters[TP_TOE_C_RX_REFUSED] == 0 || net.loss_permille > 0 ||
		                net.dup_permille > 0 || net.jitter_us > 0 || chaos.on);
		/* A copy of a SYN that waited on a ring for a busy lcore until its connection had
		 * ended begins another one, which its peer refuses. */
		CHECK(chaos.nb_frozen > 0 ||
		                counters[TP_TOE_C_CONNS_PREMATURE] ==
		                                (chaos.on && net.dup_permille > 0
		                                                                ? mib[TP_TCP_M_ATTEMPT_FAILS]
		                                                                : 0));
		CHECK(chaos.on || counters[TP_TOE_C_RX_HOPS] == 0);
		CHECK(side[k].nb_shards == 1 || counters[TP_TOE_C_RX_FOREIGN] > 0 || chaos.on ||
		                counters[TP_TOE_C_RX_SEGS] < 20);
		if (tracing)
			for (unsigned int i = 0; i < TP_TOE_NB_COUNTERS; i++)
				printf("  side %u %s %" PRIu64 "\n", k, tp_toe_counter_name(i),
				                counters[i]);
	}
}

/* Nothing happens before the next packet arrives; timers have a grain of half a millisecond. */
static uint64_t
until_next(void)
{
	uint64_t wait = nb_done == nb_flows ? 10 * TP_NS_PER_MS : TP_NS_PER_MS / 2;

	for (unsigned int k = 0; k < 2; k++) {
		for (uint32_t i = 0; i < side[k].wire.nb; i++)
			wait = RTE_MIN(wait, side[k].wire.at[i] - now_ns);
	}
	return RTE_MAX(wait, UINT64_C(1));
}

static void
run_until_quiet(void)
{
	uint64_t end = now_ns + HORIZON_NS;

	while (now_ns < end && failed == NULL) {
		bool any = side_step(&side[0]);

		any = side_step(&side[1]) || any;

		if (!any && nb_done == nb_flows && conns_left() == 0)
			break;
		now_ns += any ? STEP_NS : until_next();
		tp_clock_set_virtual(now_ns);
	}
}

static uint32_t nb_leaked, nb_leaked_indirect, nb_leaked_wire;
static uint64_t total_moves, total_frozen;

static void
one_seed(uint64_t seed)
{
	static uint32_t posted;
	bool v6;

	rng_state = seed;
	rte_srand(seed);
	now_ns = TP_NS_PER_S + rng_below(TP_NS_PER_S);
	tp_clock_set_virtual(now_ns);
	failed = NULL;
	nb_flows = nb_done = nb_served = nb_served_done = nb_lost = posted = 0;
	memset(&chaos, 0, sizeof(chaos));
	chaos.on = seed % 4 != 0;
	if (chaos.on) {
		chaos.permille = 1 + rng_below(100);
		chaos.ring_full_permille = rng_below(3) == 0 ? rng_below(50) : 0;
		chaos.freezes = rng_below(3) == 0;
		chaos.sticky = rng_below(2) == 0;
	}
	memset(served, 0, sizeof(served));
	net.loss_permille = rng_below(3) == 0 ? rng_below(100) : 0;
	net.dup_permille = rng_below(3) == 0 ? rng_below(100) : 0;
	net.delay_us = rng_below(500);
	net.jitter_us = rng_below(2) == 0 ? 0 : rng_below(300);
	v6 = rng_below(2) == 0;
	if (tracing)
		printf("  loss %u dup %u delay %u jitter %u\n", net.loss_permille, net.dup_permille,
		                net.delay_us, net.jitter_us);
	side_open(&side[0], 0, v6);
	side_open(&side[1], 1, v6);
	side[0].peer = &side[1];
	side[1].peer = &side[0];
	CHECK(tp_toe_listen(side[1].toe,
	                      &(struct tp_toe_listen){ .user = &server, .port = ECHO_PORT }) == 0);
	CHECK(tp_toe_listen(side[1].toe, &(struct tp_toe_listen){ .user = &hasty_server,
	                                                 .port = HASTY_PORT }) == 0);
	reuse_port(v6);
	begin_flows(v6);
	/* One for a connection that never was. */
	CHECK(tp_toe_post(side[0].toe, UINT64_C(5) << 32 | 3, post_nothing, &posted) == 0);
	run_until_quiet();
	CHECK(posted == 1);
	CHECK(nb_done == nb_flows);
	if (tracing)
		printf("  flows %u done %u served %u done %u lost %u frozen %u\n", nb_flows,
		                nb_done, nb_served, nb_served_done, nb_lost, chaos.nb_frozen);
	CHECK(nb_served_done == nb_served && nb_served + chaos.nb_frozen >= nb_flows);
	/* Both ends of a connection that was torn, and one whose end was. */
	CHECK(nb_lost <= 2 * chaos.nb_frozen);
	for (uint32_t i = 0; i < nb_flows; i++)
		CHECK(flows[i].reason != TP_TCP_R_DONE || flows[i].got == flows[i].length);
	check_counters();
	side_close(&side[0]);
	side_close(&side[1]);
	/* What a frozen lcore had in its hands is gone. */
	CHECK(chaos.nb_frozen > 0 || rte_mempool_in_use_count(pool) == nb_leaked);
	CHECK(chaos.nb_frozen > 0 || rte_mempool_in_use_count(pool_indirect) == nb_leaked_indirect);
	CHECK(chaos.nb_frozen > 0 || rte_mempool_in_use_count(pool_wire) == nb_leaked_wire);
	nb_leaked = rte_mempool_in_use_count(pool);
	nb_leaked_indirect = rte_mempool_in_use_count(pool_indirect);
	nb_leaked_wire = rte_mempool_in_use_count(pool_wire);
	total_moves += chaos.nb_moves;
	total_frozen += chaos.nb_frozen;
}

static int
start(void)
{
	static char prefix[32];
	const char *argv[] = { "sim_toe", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--file-prefix", prefix, "-m", "512", "--lcores", "0", "--log-level", "user1:4",
		"--log-level", "lib.eal:4" };

	eal_dir_own(prefix, sizeof(prefix), "tp-sim-toe");
	if (rte_eal_init(RTE_DIM(argv), (char **)(uintptr_t)argv) < 0 || tp_meta_init() != 0)
		return -1;
	pool = tp_pool_create("sim", POOL_SIZE, 0, TP_POOL_DATA_ROOM, 0);
	pool_wire = tp_pool_create("wire", POOL_SIZE, 0, TP_POOL_DATA_ROOM, 0);
	pool_indirect = tp_pool_create("indirect", POOL_SIZE, 0, 0, 0);
	return pool != NULL && pool_wire != NULL && pool_indirect != NULL ? 0 : -1;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "seed", required_argument, NULL, 's' },
		{ "seeds", required_argument, NULL, 'n' }, { "trace", no_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 } };
#ifdef __SANITIZE_ADDRESS__
	uint64_t seed = 1, seeds = 40;
#else
	uint64_t seed = 1, seeds = 300;
#endif
	unsigned int nb_failed = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 0), seeds = 1;
		else if (c == 'n')
			seeds = strtoull(optarg, NULL, 0);
		else if (c == 't')
			tracing = true;
		else
			return 2;
	}
	setlinebuf(stdout);
	if (start() != 0) {
		fprintf(stderr, "sim_toe: no EAL or no memory: %s\n", rte_strerror(rte_errno));
		return 2;
	}
	for (uint64_t i = seed; i < seed + seeds; i++) {
		one_seed(i);
		if (failed == NULL)
			continue;
		nb_failed++;
		printf("in use %u %u %u\n", rte_mempool_in_use_count(pool),
		                rte_mempool_in_use_count(pool_indirect),
		                rte_mempool_in_use_count(pool_wire));
		printf("seed %" PRIu64 " failed at %" PRIu64
		       " ns: %s\n  replay: sim_toe --seed %" PRIu64 " --trace\n",
		                i, now_ns, failed, i);
	}
	printf("%" PRIu64 " moves, %" PRIu64 " lcores frozen\n", total_moves, total_frozen);
	printf("%" PRIu64 " passed, %u failed\n", seeds - nb_failed, nb_failed);
	return nb_failed > 0;
}
