/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A connection that another member owns and that shall come here: its packets are kept from now on, and
 * its owner is asked for it, behind all that was forwarded to it before.
 */

#include <string.h>

#include "toe_int.h"

/* Requests are asked again so often, as a full ring may have swallowed one; given up after so long. */
#define ASK_AGAIN_NS TP_NS_PER_MS
#define GIVE_UP_NS (200 * TP_NS_PER_MS)

static struct pull *
set_of(struct tp_toe_shard *s, uint32_t index)
{
	return &s->pull[index % (NB_PULLS / PULL_WAYS) * PULL_WAYS];
}

struct pull *
pull_find(struct tp_toe_shard *s, uint32_t index)
{
	struct pull *set;
	uint64_t word;

	if (likely(s->nb_pulls == 0))
		return NULL;
	set = set_of(s, index);
	word = atomic_load_explicit(&s->toe->handle[index].word, memory_order_acquire);
	for (unsigned int i = 0; i < PULL_WAYS; i++) {
		/* Of another generation it was for one that has ended, and is about to be void. */
		if (set[i].active && set[i].handle == index &&
		                WORD_GENERATION(set[i].word) == WORD_GENERATION(word))
			return &set[i];
	}
	return NULL;
}

static void
ask_owner(struct tp_toe_shard *s, const struct pull *p)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(s->env.pool);
	struct tp_msg *msg;
	struct toe_req req = { .word = p->word, .handle = p->handle, .to = s->member };

	if (m == NULL)
		return; /* the next time */
	msg = (struct tp_msg *)rte_pktmbuf_append(m, sizeof(*msg));
	*msg = (struct tp_msg){ .module = TP_MODULE_TOE,
		.op = TOE_OP_REQ,
		.len = sizeof(req),
		.epoch = WORD_EPOCH(p->word) };
	memcpy(msg->body, &req, sizeof(req));
	*tp_meta(m) = (struct tp_meta){
		.kind = TP_KIND_MESSAGE,
		.ingress = s->member,
		.handle = p->handle,
		.epoch = WORD_EPOCH(p->word),
	};
	s->ops->forward(s->arg, WORD_MEMBER(p->word), &m, 1);
}

void
pull_begin(struct tp_toe_shard *s, uint32_t index, uint64_t word)
{
	struct pull *set = set_of(s, index), *p = NULL;
	uint64_t now_word = atomic_load_explicit(&s->toe->handle[index].word, memory_order_acquire);

	if (now_word != word || WORD_STATE(word) != HANDLE_OWN || WORD_MEMBER(word) == s->member ||
	                pull_find(s, index) != NULL)
		return;
	for (unsigned int i = 0; i < PULL_WAYS && p == NULL; i++) {
		if (!set[i].active)
			p = &set[i];
	}
	if (p == NULL) {
		s->ctr[TP_TOE_C_MOVE_NO_SLOT]++;
		return;
	}
	p->handle = index;
	p->word = word;
	p->since = s->now;
	p->nb_held = 0;
	p->active = true;
	p->place = s->nb_pulls;
	s->pulling[s->nb_pulls++] = p - s->pull;
	if (s->nb_pulls == 1)
		s->pull_due = s->now + ASK_AGAIN_NS;
	ask_owner(s, p);
}

static void
pull_end(struct tp_toe_shard *s, struct pull *p)
{
	struct pull *last = &s->pull[s->pulling[--s->nb_pulls]];

	s->pulling[p->place] = last - s->pull;
	last->place = p->place;
	p->active = false;
	s->pauses.held[tp_toe_step_of(p->nb_held)]++;
	s->pauses.held_max = RTE_MAX(s->pauses.held_max, p->nb_held);
}

void
pull_hold(struct tp_toe_shard *s, struct pull *p, struct rte_mbuf *m, uint8_t ingress)
{
	if (p->nb_held == HOLD_MAX) {
		s->ctr[TP_TOE_C_RX_HOLD_FULL]++;
		rte_pktmbuf_free(m);
		return;
	}
	*tp_meta(m) = (struct tp_meta){ .kind = TP_KIND_FOREIGN, .ingress = ingress };
	p->held[p->nb_held++] = m;
	s->ctr[TP_TOE_C_RX_HELD]++;
}

/* Those packets, in order, to wherever their connection is now. The entry is no more, so that none is
 * kept again; its array is still that of the moment, as nothing begins a pull here.
 */
static void
run_held(struct tp_toe_shard *s, struct pull *p)
{
	pull_end(s, p);
	for (uint16_t i = 0; i < p->nb_held; i++) {
		struct rte_mbuf *m = p->held[i];
		struct tp_pkt_info info;

		tp_pkt_parse(m, &info);
		if (route_waited(s, p->handle, WORD_GENERATION(p->word), m, &info,
		                    tp_meta(m)->ingress, 0))
			continue;
		s->ctr[TP_TOE_C_RX_STALE]++;
		rte_pktmbuf_free(m);
	}
}

void
pull_done(struct tp_toe_shard *s, struct pull *p)
{
	run_held(s, p);
}

/* Asked long enough: the owner may not have the request at all, or be late. Only if the word is raised
 * before it comes to it does it keep the connection.
 */
static void
give_up(struct tp_toe_shard *s, struct pull *p)
{
	uint64_t word = p->word;

	if (!atomic_compare_exchange_strong(&s->toe->handle[p->handle].word, &word,
	                    word_make(WORD_GENERATION(word), WORD_EPOCH(word) + 1, HANDLE_OWN,
	                                    WORD_MEMBER(word))))
		return; /* it has come to it */
	s->ctr[TP_TOE_C_MOVE_VOID]++;
	run_held(s, p);
}

void
pulls_run(struct tp_toe_shard *s)
{
	if (likely(s->nb_pulls == 0) || s->now < s->pull_due)
		return;
	s->pull_due = s->now + ASK_AGAIN_NS;
	for (uint32_t i = s->nb_pulls; i-- > 0;) {
		struct pull *p = &s->pull[s->pulling[i]];
		uint64_t word = atomic_load_explicit(
		                &s->toe->handle[p->handle].word, memory_order_acquire);

		if (word != p->word) {
			/* On its way to us it comes by the inbox; else it will not come. */
			if (WORD_STATE(word) == HANDLE_XFER && WORD_MEMBER(word) == s->member &&
			                WORD_GENERATION(word) == WORD_GENERATION(p->word))
				continue;
			s->ctr[TP_TOE_C_MOVE_VOID]++;
			run_held(s, p);
		} else if (s->now - p->since >= GIVE_UP_NS) {
			give_up(s, p);
		} else {
			ask_owner(s, p);
		}
		/* Held packets may have taken a connection, and that ended another entry. */
		i = RTE_MIN(i, s->nb_pulls);
	}
}

void
pulls_free(struct tp_toe_shard *s)
{
	while (s->nb_pulls > 0) {
		struct pull *p = &s->pull[s->pulling[0]];

		rte_pktmbuf_free_bulk(p->held, p->nb_held);
		pull_end(s, p);
	}
}

void
pull_asked(struct tp_toe_shard *s, struct rte_mbuf *m)
{
	const struct tp_msg *msg;
	struct toe_req req;

	if (m->nb_segs != 1 || m->data_len != sizeof(*msg))
		goto bad;
	msg = rte_pktmbuf_mtod(m, const struct tp_msg *);
	if (msg->module != TP_MODULE_TOE || msg->op != TOE_OP_REQ || msg->len != sizeof(req))
		goto bad;
	memcpy(&req, msg->body, sizeof(req));
	if (req.handle >= s->toe->nb_handles || req.word == 0)
		goto bad;
	if (!conn_release(s, req.handle, req.word, req.to, TP_TOE_WHY_ARRIVAL))
		s->ctr[TP_TOE_C_MOVE_REFUSED]++;
	rte_pktmbuf_free(m);
	return;
bad:
	s->ctr[TP_TOE_C_RX_BAD]++;
	rte_pktmbuf_free(m);
}
