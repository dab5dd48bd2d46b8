/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A host has several owners of connections, each with settings and counts of its own; connections go
 * from one to another, or into a record and back, between any two calls of the engine. What decides
 * on that has random numbers of its own: nothing else may change by it.
 */

#include <stdlib.h>
#include <string.h>

#include "tcpsim.h"

struct tp_tcp_env *
end_env(const struct end *e)
{
	return &e->w->host[e->host].env[e->shard];
}

void
end_conn_new(struct end *e)
{
	size_t size = RTE_ALIGN_CEIL(sizeof(*e->c), alignof(struct tp_tcp_conn));

	e->shard = rng_between(&e->w->rng_move, 0, NB_SHARDS - 1);
	e->c = aligned_alloc(alignof(struct tp_tcp_conn), size);
	if (e->c == NULL)
		abort();
	memset(e->c, 0, sizeof(*e->c));
}

/* Nobody may look at it again. */
static void
forget(struct tp_tcp_conn *c)
{
	memset(c, 0xa5, sizeof(*c));
	free(c);
}

void
end_conn_free(struct end *e)
{
	if (e->c != NULL)
		forget(e->c);
	e->c = NULL;
}

static void
move(struct end *e)
{
	struct tp_tcp_conn *from = e->c;

	tp_tcp_export(end_env(e), from);
	end_conn_new(e);
	memset(e->c, 0x5a, sizeof(*e->c));
	tp_tcp_adopt(end_env(e), e->c, from, host_now(e->w, e->host));
	forget(from);
	e->w->nb_moves++;
}

static void
park(struct end *e)
{
	const struct tp_tcp_key key = e->c->key;
	struct tp_tcp_parked rec;

	memset(&rec, 0x5a, sizeof(rec));
	tp_tcp_park(e->c, &rec);
	forget(e->c);
	end_conn_new(e);
	memset(e->c, 0x5a, sizeof(*e->c));
	memset(e->c->owner_data, 0, sizeof(e->c->owner_data));
	e->c->owner_word = 0;
	tp_tcp_unpark(end_env(e), e->c, &key, &rec, host_now(e->w, e->host));
	e->w->nb_parked++;
}

void
end_shift(struct end *e)
{
	struct rng *r = &e->w->rng_move;

	if (e->c == NULL)
		return;
	switch (e->w->set->moves) {
	case MOVES_NONE:
		break;
	case MOVES_SOME:
		if (rng_one_in(r, 16))
			move(e);
		break;
	case MOVES_ALL:
		move(e);
		if (rng_one_in(r, 4))
			move(e);
		break;
	case MOVES_PARK:
		if (tp_tcp_parkable(e->c))
			park(e);
		else if (rng_one_in(r, 8))
			move(e);
		break;
	}
}

uint64_t
host_mib(const struct world *w, unsigned int host, enum tp_tcp_mib counter)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < NB_SHARDS; i++)
		sum += w->host[host].env[i].mib[counter];
	return sum;
}

/* ---- what happened --------------------------------------------------------------------- */

static void
trail_push(struct trail *t, uint64_t value)
{
	if (t->nb == t->size) {
		t->size = t->size * 2 + 1024;
		t->at = realloc(t->at, t->size * sizeof(t->at[0]));
		if (t->at == NULL)
			abort();
	}
	t->at[t->nb++] = value;
}

void
trail_add(struct world *w, const void *what, uint32_t len)
{
	struct rng hash = { w->now };
	const uint8_t *p = what;
	uint64_t word;

	if (w->set->trail == NULL)
		return;
	for (; len > 0; p += sizeof(word)) {
		uint32_t n = RTE_MIN(len, (uint32_t)sizeof(word));

		word = len;
		memcpy(&word, p, n);
		hash.s = rng_next(&hash) ^ word;
		len -= n;
	}
	trail_push(w->set->trail, w->now);
	trail_push(w->set->trail, rng_next(&hash));
}

bool
trail_same(const struct trail *a, const struct trail *b, uint64_t *when)
{
	size_t nb = RTE_MIN(a->nb, b->nb), i = 0;

	while (i < nb && a->at[i] == b->at[i])
		i++;
	if (i == a->nb && i == b->nb)
		return true;
	i &= ~(size_t)1;
	*when = i < nb ? RTE_MIN(a->at[i], b->at[i]) : nb > 0 ? a->at[nb - 2] : 0;
	return false;
}
