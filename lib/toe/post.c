/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Functions for connections of other lcores. They hang on the handle, so that they follow a
 * connection that moves, in order; the owner is told by a bell. Those that wait when the connection has
 * ended are told so by control: whoever answers their bell finds that the handle is nobody's, and passes
 * the bell on; whoever posts too late rings there himself. Whatever a lcore takes off a list is noted
 * first: should it freeze, control puts back what it had not begun.
 */

#include <assert.h>
#include <errno.h>

#include "manage.h"
#include "toe_int.h"

static void
post_release(struct tp_toe *toe, struct post *p)
{
	uint32_t refs = atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel);

	assert(refs > 0);
	if (refs == 1)
		rte_mempool_put(toe->posts, p);
}

/* One reference is the caller's until it has rung: it may be carried out at once. */
static void
post_init(struct post *p, tp_toe_id id, void (*fn)(struct tp_toe_call *call, void *arg), void *arg)
{
	p->fn = fn;
	p->arg = arg;
	p->id = id;
	atomic_store_explicit(&p->refs, 2, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->use, 1, memory_order_relaxed);
	atomic_store_explicit(&p->rung, false, memory_order_relaxed);
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

	atomic_fetch_add_explicit(&p->use, 1, memory_order_relaxed);
	if (p->fn != NULL)
		p->fn(&call, p->arg);
	post_release(toe, p);
}

/* Will it be for the connection of this handle, which begins in a moment (post_open)? */
static bool
will_name(uint64_t word, tp_toe_id id)
{
	return WORD_STATE(word) == HANDLE_FREE && WORD_GENERATION(word) + 1 == (uint32_t)(id >> 32);
}

/* The handle was nobody's: tell those that wait for it. Control, or no lcore runs. */
static void
posts_void(struct tp_toe *toe, struct handle *h)
{
	struct post *p = take_posts(h), *next;

	for (; p != NULL; p = next) {
		uint64_t word = atomic_load(&h->word);

		next = p->next;
		/* The handle lives again, or is about to, and this is for the new one. */
		if (names(word, p->id) || will_name(word, p->id))
			post_again(toe, h, p);
		else
			run_gone(toe, p);
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
	struct tp_toe_call gone = { .id = id };
	struct handle *h;
	struct post *p;
	bool was_empty;
	uint64_t word;
	uint8_t member;

	if ((uint32_t)id >= toe->nb_handles)
		return -ENOBUFS;
	h = &toe->handle[(uint32_t)id];
	if (!names(atomic_load(&h->word), id)) {
		fn(&gone, fn_arg);
		return 0;
	}
	if (rte_mempool_get(toe->posts, (void **)&p) != 0)
		return -ENOBUFS;
	post_init(p, id, fn, fn_arg);
	push_post(h, p, &was_empty);
	word = atomic_load(&h->word);
	member = names(word, id) ? answerer(toe, word) : BELLS_CONTROL;
	if ((was_empty || member == BELLS_CONTROL) && member != TP_MEMBER_NONE)
		ring_bell(toe, member, p);
	post_release(toe, p);
	return 0;
}

void
post_open(struct tp_toe *toe, uint32_t index, uint8_t member, struct post *p, void *arg)
{
	struct handle *h = &toe->handle[index];
	bool was_empty;

	post_init(p, handle_id(toe, index), NULL, arg);
	/* First this: without it the handle of a member that is not there is taken for an open that was
	 * not completed (harvest.c). */
	push_post(h, p, &was_empty);
	handle_give(toe, index, member);
	member = answerer(toe, atomic_load(&h->word));
	ring_bell(toe, member != TP_MEMBER_NONE ? member : BELLS_CONTROL, p);
	post_release(toe, p);
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
	if (p->fn == move) {
		conn_release(s, index, 0, (uint8_t)(uintptr_t)p->arg, TP_TOE_WHY_COMMAND);
	} else if (h->where == NO_INDEX) {
		run_gone(toe, p); /* an active open that is not there yet: posted before it could know */
		return;
	} else {
		working_on(s, index);
		check_owner(s, index);
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

/* The use is never that of another one. */
static void
hand_note(struct tp_toe_shard *s, struct post *p)
{
	uint32_t use = atomic_load_explicit(&p->use, memory_order_relaxed);

	atomic_store_explicit(&s->hand, NULL, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst); /* read after a freeze only */
	atomic_store_explicit(&s->hand_use, use, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&s->hand, p, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

/* Noted before they are off the handle, so that they are never nowhere: a freeze in between leaves them
 * in both places (posts_return). Control may have taken them meanwhile, if they are an earlier
 * connection's: then they have been used once more.
 * @return the oldest; `newer` leads to the others
 */
static struct post *
hand_take(struct tp_toe_shard *s, struct handle *h)
{
	struct post *p = atomic_load(&h->posts);

	for (bool taken = false; p != NULL && !taken;) {
		hand_note(s, p);
		taken = atomic_compare_exchange_weak(&h->posts, &p, NULL);
	}
	if (p == NULL) {
		atomic_store_explicit(&s->hand, NULL, memory_order_relaxed);
		return NULL;
	}
	p->newer = NULL;
	for (; p->next != NULL; p = p->next)
		p->next->newer = p;
	return p;
}

/* The oldest one is out of it. */
static void
hand_cut(struct tp_toe_shard *s, struct post *p)
{
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

	if (list == NULL || atomic_load(&list->use) != atomic_load(&s->hand_use))
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

/* An active open stays in the hand until it is done: should the lcore freeze before there is a connection
 * it begins again, elsewhere.
 */
static void
open_one(struct tp_toe_shard *s, uint32_t index, struct post *p)
{
	if (s->toe->handle[index].where == NO_INDEX)
		open_active(s, index, p->arg);
	s->ctr[TP_TOE_C_POSTED]++;
	hand_cut(s, p);
	post_release(s->toe, p);
}

unsigned int
posts_of(struct tp_toe_shard *s, uint32_t index)
{
	struct handle *h = &s->toe->handle[index];
	struct post *p, *next;
	unsigned int n = 0;

	for (p = hand_take(s, h); p != NULL; p = next, n++) {
		bool named = names(atomic_load(&h->word), p->id), ours = owns(s, h);

		next = p->newer;
		working_on(s, index);
		if (p->fn == NULL && named && ours) {
			open_one(s, index, p);
			continue;
		}
		/* Begun: if the lcore freezes now its connection is torn. */
		hand_cut(s, p);
		/* One of them may have moved it. */
		if (named && !ours)
			post_again(s->toe, h, p);
		else
			run_one(s, index, p);
	}
	return n;
}

static void
pass_on(struct tp_toe *toe, struct post *bell, const struct post *end)
{
	struct post *next;

	for (; bell != NULL && bell != end; bell = next) {
		next = bell->next_bell;
		atomic_store(&bell->rung, false);
		posts_wake(toe, (uint32_t)bell->id);
		post_release(toe, bell);
	}
}

void
bells_pass_on(struct tp_toe *toe, uint8_t member)
{
	_Atomic(struct post *) *bells = &toe->bells[member].head;

	if (unlikely(atomic_load_explicit(bells, memory_order_relaxed) != NULL))
		pass_on(toe, atomic_exchange(bells, NULL), NULL);
}

void
bells_return(struct tp_toe *toe, struct tp_toe_shard *s)
{
	struct post *held = atomic_exchange(&s->ringing, NULL);

	/* What it had noted may not have been taken yet. */
	pass_on(toe, atomic_exchange(&toe->bells[s->member].head, NULL), held);
	pass_on(toe, held, NULL);
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
	if (member == TP_MEMBER_NONE) {
		/* Else it is on its way to somebody, who will look. */
		toe->manager->wake_again |= h->where == NO_INDEX && atomic_load(&toe->alive) != 0;
		return;
	}
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
		/* What waits is carried out as it settles. */
		if (conn_take(s, index, word) == NULL && may_take(s, atomic_load(&h->word)))
			ring_bell(toe, s->member, bell); /* there is no slot now */
	} else if (WORD_STATE(word) == HANDLE_OWN || WORD_STATE(word) == HANDLE_XFER) {
		uint8_t owner = answerer(toe, word);

		if (owner != TP_MEMBER_NONE)
			ring_bell(toe, owner, bell);
	} else {
		ring_bell(toe, BELLS_CONTROL, bell);
	}
	post_release(toe, bell);
	return n;
}

/* Noted as hand_take() does, oldest first. Nobody else takes them. */
static struct post *
bells_take(struct tp_toe_shard *s)
{
	_Atomic(struct post *) *bells = &s->toe->bells[s->member].head;
	struct post *bell = atomic_load_explicit(bells, memory_order_acquire);

	do {
		atomic_store_explicit(&s->ringing, bell, memory_order_relaxed);
		atomic_signal_fence(memory_order_seq_cst);
	} while (!atomic_compare_exchange_weak(bells, &bell, NULL));
	bell->newer_bell = NULL;
	for (;; bell = bell->next_bell) {
		rte_prefetch0(&s->toe->handle[(uint32_t)bell->id]);
		if (bell->next_bell == NULL)
			return bell;
		bell->next_bell->newer_bell = bell;
	}
}

static void
bell_cut(struct tp_toe_shard *s, struct post *bell)
{
	if (bell->newer_bell != NULL)
		bell->newer_bell->next_bell = NULL;
	else
		atomic_store_explicit(&s->ringing, NULL, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

unsigned int
posts_run(struct tp_toe_shard *s)
{
	struct post *bell, *next, *list;
	unsigned int n = 0;

	if (likely(atomic_load_explicit(&s->toe->bells[s->member].head, memory_order_relaxed) ==
	                    NULL))
		return 0;
	list = bells_take(s);
	for (bell = list; bell->newer_bell != NULL; bell = bell->newer_bell)
		conn_prefetch(s, (uint32_t)bell->id);
	for (bell = list; bell != NULL; bell = next) {
		next = bell->newer_bell;
		bell_cut(s, bell);
		n += answer(s, bell);
	}
	return n;
}
