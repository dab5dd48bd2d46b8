/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What a member leaves whose lcore runs no more: frozen in the middle of its work, or stopped. Its
 * memory is still there and nobody writes it. The connection that it was working on is torn: it ends and
 * its user is told. All others may be taken by anyone from then on (toe.dead): at once by who gets a
 * packet for them, and, in slices, by the members to which control assigns them.
 */

#include <string.h>

#include "manage.h"
#include "trace.h"

/* Handles looked at in one turn. */
#define HARVEST_SLICE 2048

/* In place of a context that cannot be trusted: one that has ended, and says so to its peer. Words are
 * never half written; should the numbers be wrong, the peer asks what that was (RFC 5961 3), and gets the
 * answer that nobody is here.
 */
void
tombstone(struct tp_toe *toe, uint32_t index, struct tp_tcp_conn *c)
{
	uint32_t flags = c->flags & TP_TCP_F_IS_V6, seq = c->snd_nxt, ack = c->rcv_nxt;
	bool synchronised = c->state >= TP_TCP_SYN_RCVD;
	void *arg = *conn_arg(c);

	memset(c, 0, sizeof(*c));
	if (synchronised)
		flags |= TP_TCP_F_RST_WANTED | TP_TCP_F_RST_ACK;
	c->flags = flags;
	c->rst_seq = seq;
	c->rst_ack = ack;
	c->owner_word = index;
	*conn_arg(c) = arg;
	c->state = TP_TCP_CLOSED;
	c->events = TP_TCP_EV_CLOSED;
	c->reason = TP_TCP_R_TORN;
	c->key = toe->handle[index].key;
}

/* Is the handle's context where it says? Between its begin and the end of its set-up it is not. */
static struct tp_tcp_conn *
context_of(struct tp_toe_shard *s, uint32_t index)
{
	uint32_t where = s->toe->handle[index].where;
	struct tp_tcp_conn *c;

	if (where == NO_INDEX || WHERE_SHARD(where) != s->member || WHERE_SLOT(where) >= s->max)
		return NULL;
	c = &s->conn[WHERE_SLOT(where)];
	return c->owner_word == index ? c : NULL;
}

/* Was it about to work on one that is another's, or everybody's? */
static void
bury_other(struct tp_toe_shard *s, uint32_t index, uint64_t word)
{
	/* Released, and maybe not in an inbox yet: whom it waits for has to be told. */
	if (WORD_STATE(word) == HANDLE_XFER &&
	                WHERE_SHARD(s->toe->handle[index].where) == s->member)
		posts_wake(s->toe, index);
}

static void
bury(struct tp_toe_shard *s)
{
	uint32_t index = atomic_load_explicit(&s->cur, memory_order_acquire);
	struct handle *h;
	struct tp_tcp_conn *c;
	uint64_t word;

	if (index == NO_INDEX)
		return;
	h = &s->toe->handle[index];
	word = atomic_load(&h->word);
	if (WORD_STATE(word) != HANDLE_OWN || WORD_MEMBER(word) != s->member) {
		bury_other(s, index, word);
		return;
	}
	if (h->where == NO_INDEX)
		return; /* it had not begun */
	if (WHERE_SHARD(h->where) != s->member) {
		/* It had just won it, and what it copied is still there; or it had just written its
		 * record. */
		atomic_compare_exchange_strong(&h->word, &word,
		                word_make(WORD_GENERATION(word), WORD_EPOCH(word) + 1, HANDLE_PARK,
		                                s->member));
		return;
	}
	c = context_of(s, index);
	if (c == NULL)
		return;
	s->ctr[TP_TOE_C_TORN]++;
	toe_trace_torn(s->member, index);
	tombstone(s->toe, index, c);
}

/* Those on their way to it: whoever gets a packet for them takes them, or they are assigned anew. Slots
 * of those that it had adopted from the list already go back.
 */
static void
disband(struct tp_toe *toe, uint32_t link, uint32_t end)
{
	while (link != LINK_END && link != end) {
		uint32_t where = LINK_WHERE(link);
		struct tp_toe_shard *from = shard_of(toe, WHERE_SHARD(where));

		link = atomic_load_explicit(&from->link[WHERE_SLOT(where)], memory_order_acquire);
		if (toe->handle[from->conn[WHERE_SLOT(where)].owner_word].where != where)
			give_back(toe, where);
	}
}

/* None is in its lists now, whatever it had in its hands and had not counted. */
static void
unlist_all(struct tp_toe *toe, uint8_t reader)
{
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		struct tp_toe_shard *s = shard_of(toe, i);

		if (s != NULL)
			atomic_store(&s->unlisted[reader],
			                s->listed[reader] + s->listed_by_ctl[reader]);
	}
}

/* That member's handle of a connection that has ended. */
static void
retire(struct tp_toe *toe, uint32_t index, uint8_t member)
{
	struct handle *h = &toe->handle[index];
	uint64_t word = atomic_load(&h->word);

	if (WORD_STATE(word) != HANDLE_DEAD || WORD_MEMBER(word) != member ||
	                !atomic_compare_exchange_strong(&h->word, &word,
	                                word_make(WORD_GENERATION(word) + 1, 0, HANDLE_FREE,
	                                                TP_MEMBER_NONE)))
		return;
	table_remove(&toe->table, table_hash(&toe->table, &h->key), index);
	limbo_add(toe, &toe->manager->limbo, index, RTE_QSBR_THRID_INVALID);
}

/* What it would have freed later. */
static void
inherit(struct tp_toe *toe, struct tp_toe_shard *s)
{
	for (; s->limbo.tail != s->limbo.head; s->limbo.tail++)
		limbo_add(toe, &toe->manager->limbo, s->limbo.of[s->limbo.tail % LIMBO_SIZE].handle,
		                RTE_QSBR_THRID_INVALID);
	for (; s->ended_tail != s->ended_head; s->ended_tail++)
		retire(toe, s->ended[s->ended_tail % NB_ENDED].handle, s->member);
}

/* Those that were to wake something wake it elsewhere. */
static void
forward_mail(struct tp_toe *toe, struct tp_toe_shard *s)
{
	for (struct mail *mail = mail_return(s), *next; mail != NULL; mail = next) {
		next = mail->next;
		if (mail->op == MAIL_WAKE)
			posts_wake(toe, mail->handle);
		mail_free(toe, mail);
	}
}

void
tp_toe_fence(struct tp_toe *toe, uint8_t member)
{
	struct manager *m = toe->manager;

	if (shard_alive(toe, member) == NULL)
		return;
	atomic_fetch_and(&toe->usable, ~RTE_BIT32(member));
	atomic_fetch_and(&toe->alive, ~RTE_BIT32(member));
	manager_absent(toe, member, true);
	m->fencing |= RTE_BIT32(member);
	m->harvest_token = rte_rcu_qsbr_start(toe->qsbr);
}

/* ---- the background ------------------------------------------------------------------ */

/* Whoever saw that member alive, and released something to it, has put it there: so nobody but us touches
 * its lists any more. Nor did anybody before: what it had noted and not taken is there as it was.
 */
static void
take_apart(struct tp_toe *toe, uint8_t member)
{
	struct tp_toe_shard *s = shard_of(toe, member);
	uint32_t rest;

	bury(s);
	rest = atomic_exchange(&s->adopting, LINK_END);
	disband(toe, atomic_exchange(&s->inbox, LINK_END), rest);
	disband(toe, rest, LINK_END);
	unlist_all(toe, member);
	inherit(toe, s);
	posts_return(toe, s);
	bells_return(toe, s);
	forward_mail(toe, s);
	toe->manager->harvesting |= RTE_BIT32(member);
	toe->manager->harvest_left = toe->nb_handles; /* all, from where it is */
	/* Last: now others may take what is in it. */
	atomic_fetch_or(&toe->dead, RTE_BIT32(member));
}

/* It never became one, or nothing of it is left. */
static void
end(struct tp_toe *toe, uint32_t index, uint64_t word)
{
	struct handle *h = &toe->handle[index];

	if (!atomic_compare_exchange_strong(&h->word, &word,
	                    word_make(WORD_GENERATION(word) + 1, WORD_EPOCH(word) + 1, HANDLE_FREE,
	                                    TP_MEMBER_NONE)))
		return;
	table_remove(&toe->table, table_hash(&toe->table, &h->key), index);
	h->where = NO_INDEX;
	limbo_add(toe, &toe->manager->limbo, index, RTE_QSBR_THRID_INVALID);
}

/* An active open that was not begun: to somebody else, or nowhere if nobody waits for it. */
static void
assign_open(struct tp_toe *toe, uint32_t index, uint64_t word, uint8_t to)
{
	struct handle *h = &toe->handle[index];

	if (atomic_load(&h->posts) == NULL) {
		end(toe, index, word);
		return;
	}
	if (atomic_compare_exchange_strong(&h->word, &word,
	                    word_make(WORD_GENERATION(word), WORD_EPOCH(word) + 1, HANDLE_OWN, to)))
		posts_wake(toe, index);
}

/* To a living member's inbox; its slot lies in a dead one. */
static void
assign(struct tp_toe *toe, struct handle *h, uint64_t word, uint8_t dead)
{
	uint32_t alive = atomic_load(&toe->alive), where = h->where, index = h - toe->handle;
	uint8_t to = home_for(toe, index, dead);

	/* Better one whose port is down than nobody. */
	if (shard_alive(toe, to) == NULL && alive != 0)
		to = __builtin_ctz(alive);
	if (shard_alive(toe, to) == NULL)
		return;
	if (where == NO_INDEX)
		assign_open(toe, index, word, to);
	else if (WHERE_SHARD(where) == dead && context_of(shard_of(toe, dead), index) == NULL)
		end(toe, index, word);
	else if (atomic_compare_exchange_strong(&h->word, &word,
	                         word_make(WORD_GENERATION(word), WORD_EPOCH(word) + 1, HANDLE_XFER,
	                                         to)))
		inbox_assign(toe, shard_of(toe, to), where);
}

static void
harvest_one(struct tp_toe *toe, uint32_t index)
{
	struct handle *h = &toe->handle[index];
	struct manager *m = toe->manager;
	uint64_t word = atomic_load(&h->word);
	uint8_t member = WORD_MEMBER(word), from = WHERE_SHARD(h->where);
	bool its = member < TP_MAX_MEMBERS && (m->harvesting & RTE_BIT32(member));

	switch (WORD_STATE(word)) {
	case HANDLE_PARK:
		/* A record needs no home. */
		if (WHERE_SHARD(h->where) < TP_MAX_MEMBERS)
			assign(toe, h, word, WHERE_SHARD(h->where));
		break;
	case HANDLE_OWN:
	case HANDLE_XFER:
		/* Or an open that was posted to it when it had gone already. */
		if (its || (h->where == NO_INDEX && shard_of(toe, member) == NULL))
			assign(toe, h, word, member);
		/* It may have been released as its lcore froze, and be in no inbox. */
		else if (WORD_STATE(word) == HANDLE_XFER && from < TP_MAX_MEMBERS &&
		                (m->harvesting & RTE_BIT32(from)))
			posts_wake(toe, index);
		break;
	case HANDLE_DEAD:
		/* It froze between the end and its list of ended ones. */
		if (its)
			retire(toe, index, member);
		break;
	case HANDLE_FREE:
		break;
	}
	/* The bell for them may be what it had in its hands. */
	if (atomic_load(&h->posts) != NULL)
		posts_wake(toe, index);
}

unsigned int
harvest_step(struct tp_toe *toe)
{
	struct manager *m = toe->manager;
	uint32_t n;

	limbo_reclaim(toe, &m->limbo);
	if (unlikely(m->wake_again && m->harvest_left == 0)) {
		/* There was no mail for somebody: look at all once more. */
		m->wake_again = false;
		m->harvest_left = toe->nb_handles;
	}
	if (likely(m->fencing == 0 && m->harvest_left == 0))
		return 0;
	if (rte_rcu_qsbr_check(toe->qsbr, m->harvest_token, false) != 1)
		return 0;
	for (; m->fencing != 0; m->fencing &= m->fencing - 1)
		take_apart(toe, __builtin_ctz(m->fencing));
	n = RTE_MIN(m->harvest_left, (uint32_t)HARVEST_SLICE);
	for (uint32_t i = 0; i < n; i++) {
		harvest_one(toe, m->harvest_at++);
		if (m->harvest_at == toe->nb_handles)
			m->harvest_at = 0;
	}
	m->harvest_left -= n;
	return n;
}

/* Is a context of it in this member's memory, or its handle this member's? */
static bool
needs(const struct handle *h, uint8_t member)
{
	uint64_t word = atomic_load(&h->word);

	if (WORD_STATE(word) == HANDLE_FREE)
		return false;
	return (WORD_MEMBER(word) == member && WORD_STATE(word) != HANDLE_PARK) ||
	       (WORD_STATE(word) != HANDLE_DEAD && WHERE_SHARD(h->where) == member);
}

void
tp_toe_let_go(struct tp_toe *toe, uint8_t member)
{
	if (member >= TP_MAX_MEMBERS)
		return;
	toe->manager->fencing &= ~RTE_BIT32(member);
	toe->manager->harvesting &= ~RTE_BIT32(member);
}

bool
tp_toe_left(struct tp_toe *toe, uint8_t member)
{
	if ((atomic_load(&toe->alive) & ~RTE_BIT32(member)) == 0)
		return true;
	if ((atomic_load(&toe->dead) & RTE_BIT32(member)) == 0 || is_listed(shard_of(toe, member)))
		return false;
	for (uint32_t i = 0; i < toe->nb_handles; i++) {
		if (needs(&toe->handle[i], member))
			return false;
	}
	return true;
}
