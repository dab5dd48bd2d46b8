/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Messages between threads that must not be lost: each is taken from a pool, pushed on a list that
 * only grows until its reader takes all of it.
 */

#include "toe_int.h"

struct mail *
mail_new(struct tp_toe *toe, enum mail_op op, uint32_t handle)
{
	struct mail *mail;

	if (rte_mempool_get(toe->mails, (void **)&mail) != 0)
		return NULL;
	mail->op = op;
	mail->handle = handle;
	return mail;
}

void
mail_free(struct tp_toe *toe, struct mail *mail)
{
	rte_mempool_put(toe->mails, mail);
}

/* release, by being sequentially consistent: the reader sees what is in it. */
void
mail_put(struct mailbox *box, struct mail *mail)
{
	struct mail *old = atomic_load_explicit(&box->head, memory_order_relaxed);

	do {
		mail->next = old;
	} while (!atomic_compare_exchange_weak(&box->head, &old, mail));
}

struct mail *
mail_take(struct mailbox *box)
{
	struct mail *mail, *list = NULL;

	if (likely(atomic_load_explicit(&box->head, memory_order_relaxed) == NULL))
		return NULL;
	mail = atomic_exchange_explicit(&box->head, NULL, memory_order_acquire);
	while (mail != NULL) {
		struct mail *older = mail->next;

		mail->next = list;
		list = mail;
		mail = older;
	}
	return list;
}

/* Noted before they are out of the box, so that they are never nowhere: a freeze in between leaves them in
 * both (mail_return).
 * @return the oldest; `newer` leads to the others
 */
static struct mail *
letters_take(struct tp_toe_shard *s)
{
	struct mail *mail = atomic_load_explicit(&s->mail.head, memory_order_acquire);

	if (likely(mail == NULL))
		return NULL;
	do {
		atomic_store_explicit(&s->letters, mail, memory_order_relaxed);
		atomic_signal_fence(memory_order_seq_cst); /* read after a freeze only */
	} while (!atomic_compare_exchange_weak(&s->mail.head, &mail, NULL));
	mail->newer = NULL;
	for (; mail->next != NULL; mail = mail->next)
		mail->next->newer = mail;
	return mail;
}

/* Out of the hands: the oldest one, which is done. */
static void
letter_done(struct tp_toe_shard *s, struct mail *mail)
{
	if (mail->newer != NULL)
		mail->newer->next = NULL;
	else
		atomic_store_explicit(&s->letters, NULL, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

struct mail *
mail_return(struct tp_toe_shard *s)
{
	struct mail *held = atomic_exchange(&s->letters, NULL);
	struct mail *list = atomic_exchange(&s->mail.head, NULL), *last = NULL;

	for (struct mail *at = list; at != NULL && at != held; at = at->next)
		last = at;
	if (last == NULL)
		return held;
	last->next = held;
	return list;
}

/* @return false: not now, as there is no slot */
static bool
wake(struct tp_toe_shard *s, uint32_t index)
{
	_Atomic uint64_t *at = &s->toe->handle[index].word;
	uint64_t word = atomic_load_explicit(at, memory_order_acquire);

	if (WORD_STATE(word) == HANDLE_OWN && WORD_MEMBER(word) == s->member) {
		posts_of(s, index);
		return true;
	}
	return !may_take(s, word) || conn_take(s, index, word) != NULL ||
	       !may_take(s, atomic_load(at));
}

unsigned int
mail_run(struct tp_toe_shard *s)
{
	struct mail *mail = letters_take(s), *next;
	unsigned int n = 0;

	for (; mail != NULL; mail = next, n++) {
		bool done = true;

		next = mail->newer;
		if (mail->op == MAIL_PULL)
			pull_begin(s, mail->handle, mail->word);
		else
			done = wake(s, mail->handle);
		/* Only now: twice does no harm. */
		letter_done(s, mail);
		if (done)
			mail_free(s->toe, mail);
		else
			mail_put(&s->mail, mail);
	}
	return n;
}
