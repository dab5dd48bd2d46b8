/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Messages between the members of a team: requests for connections with any word, handle and member,
 * garbage in their place, foreign segments with any handle, in between SYNs, moves, drains, parkings and
 * members that stop. Input: any number of commands of eight bytes. Whatever comes, each living handle
 * says where its context is, and one slot in use is one connection.
 */

#include <string.h>

#include "fake_team.h"
#include "start.h"
#include "toe_int.h"

#define NB_MBUFS 4095
#define PEERS 8
#define HANDLES 16
#define NB_CHECKED 128 /* beyond them only at the end */
#define MAX_SIZE 2048

struct command {
	uint8_t what; /* enum, and flags */
	uint8_t member, peer, to;
	uint8_t garbage[4];
};

enum {
	ARRIVE,  /* a segment */
	FOREIGN, /* ... from another member */
	REQUEST, /* for a handle, with its word, maybe spoilt */
	GARBAGE, /* in place of one */
	MOVE,
	POST,
	CONNECT,
	PLACE, /* active, down or drained */
	STOP,  /* frozen, or replaced */
	TURN,  /* time goes by */
	NB_WHATS,
};
#define WILD 0x80 /* any handle */

static struct rte_mempool *pool;
static struct fake_team team;
static struct tp_toe *toe;
static bool torn; /* a connection was */
static const struct tp_toe_user user = { .name = "fuzz" };

static void
make_pool(void)
{
	rte_mempool_free(pool);
	pool = rte_pktmbuf_pool_create("pool", NB_MBUFS, 0, 0, 2048 + 128, SOCKET_ID_ANY);
	CHECK(pool != NULL);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_start("-m 512");
	CHECK(tp_meta_init() == 0);
	make_pool();
	return 0;
}

/* ---- what goes in --------------------------------------------------------------------- */

/* The peer's numbers follow what was sent to it, more or less. */
static struct rte_mbuf *
segment(const struct command *c)
{
	struct fake_peer p = { .port = 1024 + c->peer % PEERS, .seq = c->garbage[0] & 3 };

	fake_hear(&team, &p);
	if (c->garbage[0] & 0x80)
		p.ack++;
	return fake_segment(&team, &p, c->garbage[1] & 1 ? c->garbage[2] : TP_TCP_SYN,
	                c->garbage[0] >> 2 & 15);
}

/* The first handles are the first to be given away. */
static uint32_t
any_handle(const struct command *c)
{
	uint32_t wild;

	memcpy(&wild, c->garbage, sizeof(wild));
	return c->what & WILD ? wild : c->peer % HANDLES;
}

static void
in_foreign(const struct command *c)
{
	struct rte_mbuf *m = segment(c);

	*tp_meta(m) = (struct tp_meta){ .kind = TP_KIND_FOREIGN,
		.ingress = c->to % FAKE_MEMBERS,
		.hops = c->garbage[3],
		.handle = any_handle(c) };
	tp_toe_foreign(team.member[c->member].shard, &m, 1, team.now);
}

/* A request: its word is the handle's, maybe spoilt. */
static void
in_request(const struct command *c, bool garbage)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct toe_req req = { .handle = any_handle(c), .to = c->to };
	struct tp_msg msg = { .module = TP_MODULE_TOE, .op = TOE_OP_REQ, .len = sizeof(req) };

	CHECK(m != NULL);
	if (req.handle < toe->nb_handles)
		req.word = atomic_load(&toe->handle[req.handle].word);
	if (c->garbage[0] & 1)
		req.word ^= UINT64_C(1) << (c->garbage[1] % 64);
	memcpy(msg.body, &req, sizeof(req));
	if (garbage) {
		((uint8_t *)&msg)[c->garbage[1] % sizeof(msg)] = c->garbage[2];
		memcpy(msg.body + c->garbage[0] % 16, c->garbage, sizeof(c->garbage));
	}
	memcpy(rte_pktmbuf_append(m, sizeof(msg)), &msg, sizeof(msg));
	if (garbage && (c->garbage[3] & 1))
		rte_pktmbuf_trim(m, c->garbage[3] % sizeof(msg));
	*tp_meta(m) = (struct tp_meta){ .kind = TP_KIND_MESSAGE, .ingress = c->to };
	tp_toe_foreign(team.member[c->member].shard, &m, 1, team.now);
}

/* It froze at work on any connection, or on none. */
static void
freeze(const struct command *c)
{
	struct tp_toe_shard *s = team.member[c->member].shard;

	if (c->garbage[0] & 1) {
		atomic_store(&s->cur, c->peer % HANDLES);
		torn = true;
	}
	team.member[c->member].stopped = true;
	tp_toe_fence(toe, c->member);
}

static void
stop_or_replace(const struct command *c)
{
	if (shard_alive(toe, c->member) != NULL) {
		if (__builtin_popcount(atomic_load(&toe->alive)) > 1)
			freeze(c);
		return;
	}
	if (!tp_toe_left(toe, c->member))
		return;
	CHECK(tp_toe_shard_free(team.member[c->member].shard) == 0);
	rte_pktmbuf_free_bulk(team.member[c->member].ring, team.member[c->member].nb_ring);
	fake_member_open(&team, c->member);
}

static void
abort_some(struct tp_toe_call *call, void *arg)
{
	(void)arg;
	if (call->id & 1)
		tp_toe_abort(call);
}

static void
connect_to(const struct command *c)
{
	struct tp_toe_connect how = { .user = &user,
		.rport = 1024 + c->peer % PEERS,
		.lport = c->garbage[0] & 1 ? 0 : FAKE_PORT,
		.member = c->to };

	tp_inet_map_v4(how.raddr, rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 2)));
	tp_toe_connect(toe, &how);
}

static void
turn(const struct command *c)
{
	fake_wait(&team, (uint64_t)c->garbage[0] * c->garbage[0] * TP_NS_PER_MS / 16);
	team.member[c->member].full = c->garbage[1] & 1;
	team.member[c->member].room = c->garbage[2] & 1 ? c->garbage[3] % 4 : 64;
	if (team.nb_sent > FAKE_SENT / 2)
		fake_forget(&team);
	fake_turns(&team, 1);
}

/* What happens on a lcore that runs. */
static void
on_member(const struct command *c, int what)
{
	if (shard_alive(toe, c->member) == NULL)
		return;
	if (what == ARRIVE)
		fake_arrive(&team, c->member, segment(c));
	else if (what == FOREIGN)
		in_foreign(c);
	else
		in_request(c, what == GARBAGE);
}

static void
carry_out(const struct command *c)
{
	int what = (c->what & ~WILD) % NB_WHATS;

	switch (what) {
	case ARRIVE:
	case FOREIGN:
	case REQUEST:
	case GARBAGE:
		on_member(c, what);
		break;
	case MOVE:
		tp_toe_move(toe, handle_id(toe, c->peer % HANDLES), c->to);
		break;
	case POST:
		tp_toe_post(toe, handle_id(toe, c->peer % HANDLES), abort_some, NULL);
		break;
	case CONNECT:
		connect_to(c);
		break;
	case PLACE:
		tp_toe_set_place(toe, c->member, c->to % 3);
		break;
	case STOP:
		stop_or_replace(c);
		break;
	case TURN:
		turn(c);
		break;
	}
}

/* ---- what must hold --------------------------------------------------------------------- */

static const struct tp_tcp_conn *
context_of(uint32_t index, uint32_t where)
{
	const struct tp_toe_shard *s = shard_of(toe, WHERE_SHARD(where));

	CHECK(s != NULL && WHERE_SLOT(where) < s->max);
	CHECK(s->conn[WHERE_SLOT(where)].owner_word == index);
	return &s->conn[WHERE_SLOT(where)];
}

/* @return is it in somebody's memory? */
static bool
check_handle(uint32_t index)
{
	const struct handle *h = &toe->handle[index];
	uint64_t word = atomic_load(&h->word);
	uint32_t where = h->where;
	const char *what = NULL;

	if (WORD_STATE(word) == HANDLE_FREE || WORD_STATE(word) == HANDLE_DEAD)
		return false;
	if (where == NO_INDEX) {
		CHECK(WORD_STATE(word) == HANDLE_OWN); /* not opened yet */
		return false;
	}
	if (WHERE_SHARD(where) == WHERE_PARKED) {
		CHECK(WORD_STATE(word) == HANDLE_PARK);
		return false;
	}
	CHECK(WORD_STATE(word) != HANDLE_OWN || WORD_MEMBER(word) == WHERE_SHARD(where));
	CHECK(tp_tcp_conn_check(context_of(index, where), &what) == 0 || torn);
	return WORD_STATE(word) == HANDLE_OWN && shard_alive(toe, WORD_MEMBER(word)) != NULL;
}

/* The first ones are those in use. */
static void
check(uint32_t nb_handles)
{
	uint32_t nb = 0, counted = 0;

	for (uint32_t i = 0; i < nb_handles; i++)
		nb += check_handle(i);
	for (uint8_t i = 0; i < FAKE_MEMBERS; i++)
		counted += shard_alive(toe, i) != NULL ? tp_toe_nb_conns(toe, i) : 0;
	CHECK(nb == counted);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tp_toe_conf conf;
	struct command c;

	if (size > MAX_SIZE)
		return -1;
	fake_team_conf(&conf);
	conf.move.idle_ns = TP_NS_PER_MS;
	fake_team_open(&team, pool, &conf);
	toe = team.toe;
	torn = false;
	CHECK(tp_toe_listen(toe, &(struct tp_toe_listen){ .user = &user, .port = FAKE_PORT }) == 0);
	for (; size >= sizeof(c); data += sizeof(c), size -= sizeof(c)) {
		memcpy(&c, data, sizeof(c));
		c.member %= FAKE_MEMBERS;
		carry_out(&c);
		check(NB_CHECKED);
	}
	check(toe->nb_handles);
	fake_team_close(&team);
	/* What a torn connection had is gone. */
	if (rte_mempool_in_use_count(pool) != 0) {
		CHECK(torn);
		make_pool();
	}
	return 0;
}
