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

/* release: the reader sees what is in it. Sequentially consistent with `alive`: whoever puts
 * something for a member that is not by then finds that out (move.c). */
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

unsigned int
mail_run(struct tp_toe_shard *s)
{
	struct mail *mail = mail_take(&s->mail), *next;
	unsigned int n = 0;

	for (; mail != NULL; mail = next, n++) {
		uint64_t word = atomic_load_explicit(
		                &s->toe->handle[mail->handle].word, memory_order_acquire);

		next = mail->next;
		if (mail->op == MAIL_PULL)
			pull_begin(s, mail->handle, mail->word);
		else if (WORD_STATE(word) == HANDLE_OWN && WORD_MEMBER(word) == s->member)
			posts_of(s, mail->handle);
		else if (may_take(s, word))
			conn_take(s, mail->handle, word);
		mail_free(s->toe, mail);
	}
	return n;
}
