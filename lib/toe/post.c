/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Functions for connections of other lcores. They hang on the handle, so that they follow a
 * connection that moves, in order; the owner is told by a bell. Whoever finds the handle without a
 * connection tells those that wait that it is gone: the owner after it has freed the handle, or the
 * poster that comes later than that. One of the two sees the other, as each first writes (word,
 * list) and then reads (list, word).
 */

#include <errno.h>

#include "manage.h"
#include "toe_int.h"

static void
post_release(struct tp_toe *toe, struct post *p)
{
	if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
		rte_mempool_put(toe->posts, p);
}

/* Call a shard to the handle of this post. Nothing to do if its bell waits already: who answers it
 * first takes it down, then looks at the handle, where the post is by now.
 */
static void
ring_bell(struct tp_toe *toe, uint8_t member, struct post *p)
{
	_Atomic(struct post *) *bells = &toe->bells[member].head;
	struct post *old;

	if (atomic_exchange(&p->rung, true))
		return;
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	old = atomic_load_explicit(bells, memory_order_relaxed);
	do {
		p->next_bell = old;
	} while (!atomic_compare_exchange_weak_explicit(
	                bells, &old, p, memory_order_release, memory_order_relaxed));
}

/* Oldest first. */
static struct post *
take_posts(struct handle *h)
{
	struct post *p = atomic_exchange(&h->posts, NULL), *list = NULL;

	while (p != NULL) {
		struct post *older = p->next;

		p->next = list;
		list = p;
		p = older;
	}
	return list;
}

static void
push_post(struct handle *h, struct post *p, bool *was_empty)
{
	struct post *old = atomic_load_explicit(&h->posts, memory_order_relaxed);

	do {
		p->next = old;
	} while (!atomic_compare_exchange_weak(&h->posts, &old, p));
	*was_empty = old == NULL;
}

static bool
names(uint64_t word, tp_toe_id id)
{
	return WORD_STATE(word) != HANDLE_FREE && WORD_STATE(word) != HANDLE_DEAD &&
	       WORD_GENERATION(word) + 1 == (uint32_t)(id >> 32);
}

uint8_t
answerer(const struct tp_toe *toe, uint64_t word)
{
	uint32_t alive = atomic_load(&toe->alive);
	uint8_t member = WORD_MEMBER(word);

	if (member < TP_MAX_MEMBERS && (alive & RTE_BIT32(member)))
		return member;
	return WORD_STATE(word) == HANDLE_PARK && alive != 0 ? __builtin_ctz(alive)
	                                                     : TP_MEMBER_NONE;
}

/* Put one back that is for another lcore now. */
static void
post_again(struct tp_toe *toe, struct handle *h, struct post *p)
{
	uint8_t member;
	bool was_empty;

	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	push_post(h, p, &was_empty);
	member = answerer(toe, atomic_load(&h->word));
	if (member != TP_MEMBER_NONE)
		ring_bell(toe, member, p);
	post_release(toe, p);
}

static void
run_gone(struct tp_toe *toe, struct post *p)
{
	struct tp_toe_call call = { .id = p->id };

	if (p->fn != NULL)
		p->fn(&call, p->arg);
	post_release(toe, p);
}

void
posts_void(struct tp_toe *toe, struct handle *h)
{
	struct post *p = take_posts(h), *next;

	for (; p != NULL; p = next) {
		uint64_t word = atomic_load(&h->word);
		next = p->next;
		if (!names(word, p->id)) {
			run_gone(toe, p);
			continue;
		}
		/* The handle lives again, and this is for the new one. */
		post_again(toe, h, p);
	}
}

bool
tp_toe_names(const struct tp_toe *toe, tp_toe_id id)
{
	return (uint32_t)id < toe->nb_handles &&
	       names(atomic_load(&toe->handle[(uint32_t)id].word), id);
}

int
tp_toe_post(struct tp_toe *toe, tp_toe_id id, void (*fn)(struct tp_toe_call *call, void *fn_arg),
                void *fn_arg)
{
	struct handle *h;
	struct post *p;
	bool was_empty;
	uint64_t word;
	uint8_t member;

	if ((uint32_t)id >= toe->nb_handles || rte_mempool_get(toe->posts, (void **)&p) != 0)
		return -ENOBUFS;
	h = &toe->handle[(uint32_t)id];
	p->fn = fn;
	p->arg = fn_arg;
	p->id = id;
	/* One reference is ours until we have rung: it may be carried out at once. */
	atomic_store_explicit(&p->refs, 2, memory_order_relaxed);
	atomic_store_explicit(&p->rung, false, memory_order_relaxed);
	push_post(h, p, &was_empty);
	word = atomic_load(&h->word);
	if (!names(word, id)) {
		posts_void(toe, h);
	} else if (was_empty) {
		member = answerer(toe, word);
		if (member != TP_MEMBER_NONE)
			ring_bell(toe, member, p);
	}
	post_release(toe, p);
	return 0;
}

/* The function that is none either: release the connection to the member that is the argument. */
static void
move(struct tp_toe_call *call, void *arg)
{
	(void)call;
	(void)arg;
}

int
tp_toe_move(struct tp_toe *toe, tp_toe_id id, uint8_t to)
{
	if (shard_alive(toe, to) == NULL)
		return -ENODEV;
	return tp_toe_post(toe, id, move, (void *)(uintptr_t)to);
}

static void
run_one(struct tp_toe_shard *s, uint32_t index, struct post *p)
{
	struct tp_toe *toe = s->toe;
	struct handle *h = &toe->handle[index];
	struct tp_toe_call call = { .shard = s, .id = p->id, .now = s->now };
	uint64_t word = atomic_load_explicit(&h->word, memory_order_acquire);

	if (!names(word, p->id)) {
		s->ctr[TP_TOE_C_POST_STALE]++;
		run_gone(toe, p);
		return;
	}
	s->ctr[TP_TOE_C_POSTED]++;
	if (p->fn == NULL) {
		open_active(s, index, p->arg);
	} else if (p->fn == move) {
		conn_release(s, index, 0, (uint8_t)(uintptr_t)p->arg, TP_TOE_WHY_COMMAND);
	} else if (h->where == NO_INDEX) {
		run_gone(toe, p); /* an active open that is not there yet: posted before it could know */
		return;
	} else {
		working_on(s, index);
		call.conn = &s->conn[WHERE_SLOT(h->where)];
		call.arg = *conn_arg(call.conn);
		p->fn(&call, p->arg);
		*conn_arg(call.conn) = call.arg;
		conn_dirty(s, call.conn);
	}
	post_release(toe, p);
}

static bool
owns(const struct tp_toe_shard *s, const struct handle *h)
{
	uint64_t word = atomic_load_explicit(&h->word, memory_order_acquire);

	return WORD_STATE(word) == HANDLE_OWN && WORD_MEMBER(word) == s->member;
}

/* Noted before they are off the handle, so that they are never nowhere: a freeze in between leaves them
 * in both places (posts_return).
 * @return the oldest; `newer` leads to the others
 */
static struct post *
hand_take(struct tp_toe_shard *s, struct handle *h)
{
	struct post *p = atomic_load(&h->posts);

	do {
		atomic_store_explicit(&s->hand, p, memory_order_relaxed);
		atomic_signal_fence(memory_order_seq_cst);
	} while (p != NULL && !atomic_compare_exchange_weak(&h->posts, &p, NULL));
	if (p == NULL)
		return NULL;
	p->newer = NULL;
	for (; p->next != NULL; p = p->next)
		p->next->newer = p;
	return p;
}

/* The oldest one is begun: if the lcore freezes now its connection is torn. */
static void
hand_begin(struct tp_toe_shard *s, uint32_t index, struct post *p)
{
	working_on(s, index);
	if (p->newer != NULL)
		p->newer->next = NULL;
	else
		atomic_store_explicit(&s->hand, NULL, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

static bool
hangs_on(struct handle *h, const struct post *p)
{
	const struct post *at = atomic_load(&h->posts);

	for (unsigned int n = 0; n < NB_POSTS && at != NULL && at != p; n++)
		at = at->next;
	return at == p;
}

void
posts_return(struct tp_toe *toe, struct tp_toe_shard *s)
{
	struct post *list = atomic_exchange(&s->hand, NULL), *none, *newer, *last;
	struct handle *h;

	if (list == NULL)
		return;
	h = &toe->handle[(uint32_t)list->id];
	if (hangs_on(h, list))
		return; /* not taken yet */
	do {
		/* Behind those that came since. */
		newer = last = atomic_exchange(&h->posts, NULL);
		if (newer != NULL) {
			while (last->next != NULL)
				last = last->next;
			last->next = list;
			list = newer;
		}
		none = NULL;
	} while (!atomic_compare_exchange_strong(&h->posts, &none, list));
}

unsigned int
posts_of(struct tp_toe_shard *s, uint32_t index)
{
	struct handle *h = &s->toe->handle[index];
	struct post *p, *next;
	unsigned int n = 0;

	for (p = hand_take(s, h); p != NULL; p = next, n++) {
		next = p->newer;
		hand_begin(s, index, p);
		/* One of them may have moved it. */
		if (names(atomic_load(&h->word), p->id) && !owns(s, h))
			post_again(s->toe, h, p);
		else
			run_one(s, index, p);
	}
	return n;
}

void
bells_pass_on(struct tp_toe *toe, uint8_t member)
{
	struct post *bell, *next;

	if (likely(atomic_load_explicit(&toe->bells[member].head, memory_order_relaxed) == NULL))
		return;
	bell = atomic_exchange(&toe->bells[member].head, NULL);
	for (; bell != NULL; bell = next) {
		next = bell->next_bell;
		atomic_store(&bell->rung, false);
		posts_wake(toe, (uint32_t)bell->id);
		post_release(toe, bell);
	}
}

void
posts_wake(struct tp_toe *toe, uint32_t index)
{
	struct handle *h = &toe->handle[index];
	uint64_t word = atomic_load(&h->word);
	uint8_t member = answerer(toe, word);
	struct mail *mail;

	if (WORD_STATE(word) == HANDLE_FREE || WORD_STATE(word) == HANDLE_DEAD) {
		posts_void(toe, h);
		return;
	}
	/* Else it is on its way to somebody, who will look. */
	if (member == TP_MEMBER_NONE)
		return;
	mail = mail_new(toe, MAIL_WAKE, index);
	if (mail != NULL)
		mail_put(&shard_of(toe, member)->mail, mail);
	else
		toe->manager->wake_again = true;
}

/* A bell: the handle is ours, waits for us, has gone elsewhere, or is gone. */
static unsigned int
answer(struct tp_toe_shard *s, struct post *bell)
{
	struct tp_toe *toe = s->toe;
	uint32_t index = (uint32_t)bell->id;
	struct handle *h = &toe->handle[index];
	unsigned int n = 1;
	uint64_t word;

	atomic_store(&bell->rung, false); /* before anything is looked at */
	word = atomic_load(&h->word);
	if (WORD_STATE(word) == HANDLE_OWN && WORD_MEMBER(word) == s->member) {
		n += posts_of(s, index);
	} else if (may_take(s, word)) {
		conn_take(s, index, word); /* what waits is carried out as it settles */
	} else if (WORD_STATE(word) == HANDLE_OWN || WORD_STATE(word) == HANDLE_XFER) {
		uint8_t owner = answerer(toe, word);

		if (owner != TP_MEMBER_NONE)
			ring_bell(toe, owner, bell);
	} else {
		posts_void(toe, h);
	}
	post_release(toe, bell);
	return n;
}

unsigned int
posts_run(struct tp_toe_shard *s)
{
	_Atomic(struct post *) *bells = &s->toe->bells[s->member].head;
	struct post *bell, *next, *list = NULL;
	unsigned int n = 0;

	if (likely(atomic_load_explicit(bells, memory_order_relaxed) == NULL))
		return 0;
	bell = atomic_exchange_explicit(bells, NULL, memory_order_acquire);
	for (; bell != NULL; bell = next) {
		next = bell->next_bell;
		bell->next_bell = list;
		list = bell;
		rte_prefetch0(&s->toe->handle[(uint32_t)bell->id]);
	}
	for (bell = list; bell != NULL && bell->next_bell != NULL; bell = bell->next_bell)
		conn_prefetch(s, (uint32_t)bell->id);
	for (bell = list; bell != NULL; bell = next) {
		next = bell->next_bell;
		n += answer(s, bell);
	}
	return n;
}
