/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Release and adopt (claims B4, B8, B10): a context hangs on its handle while nobody owns it. The old
 * owner writes it, then changes the word and puts the slot into the new one's inbox; the new one wins
 * the word, copies the context into a slot of its own, on its own NUMA node, and gives the old slot
 * back. Every change is one CAS on the word (protocols, release and adopt).
 */

#include <string.h>

#include "toe_int.h"
#include "trace.h"

/* Contexts adopted, slots taken back, in one turn: a few us. */
#define ADOPT_SLICE 32
#define RETURN_SLICE 64
/* Connections between one that is adopted and one whose context, then whose handle is brought in. */
#define FAR 6
#define NEAR 3
/* While a connection is nobody's its handle says when it was released, in us that wrap. */
#define STAMP(now) ((uint32_t)((now) / TP_NS_PER_US))

static uint32_t
now_ms(const struct tp_toe_shard *s)
{
	return (uint32_t)(s->now / TP_NS_PER_MS);
}

/* ---- steps of the histograms ------------------------------------------------- */

unsigned int
tp_toe_step_of(uint32_t value)
{
	unsigned int log;

	if (value < 4)
		return value;
	log = 31 - __builtin_clz(value);
	return log * 4 + (value >> (log - 2) & 3) - 4;
}

uint32_t
tp_toe_step_value(unsigned int step)
{
	unsigned int log = (step + 4) / 4;

	return step < 4 ? step : UINT32_C(1) << log | (step & 3) << (log - 2);
}

/* ---- who is there ------------------------------------------------------------ */

struct tp_toe_shard *
shard_alive(const struct tp_toe *toe, uint8_t member)
{
	if (member >= TP_MAX_MEMBERS || (atomic_load(&toe->alive) & RTE_BIT32(member)) == 0)
		return NULL;
	return shard_of(toe, member);
}

bool
may_take(const struct tp_toe_shard *s, uint64_t word)
{
	switch (WORD_STATE(word)) {
	case HANDLE_PARK:
		return true;
	case HANDLE_XFER:
		return WORD_MEMBER(word) == s->member;
	case HANDLE_OWN:
		return WORD_MEMBER(word) != s->member &&
		       atomic_load(&s->toe->dead) & RTE_BIT32(WORD_MEMBER(word));
	case HANDLE_FREE:
	case HANDLE_DEAD:
		break;
	}
	return false;
}

uint8_t
home_for(const struct tp_toe *toe, uint32_t index, uint8_t not_this)
{
	uint32_t usable = atomic_load_explicit(&toe->usable, memory_order_relaxed);
	uint8_t member;

	usable &= not_this < TP_MAX_MEMBERS ? ~RTE_BIT32(not_this) : UINT32_MAX;
	if ((usable & (usable - 1)) != 0) {
		/* Not by its key, which only its owner may read: control asks, too. */
		member = toe->member_of(toe->member_of_arg, index * UINT32_C(0x9e3779b1));
		if (member < TP_MAX_MEMBERS && (usable & RTE_BIT32(member)))
			return member;
	}
	return usable != 0 ? __builtin_ctz(usable) : TP_MEMBER_NONE;
}

/* ---- slots on their way -------------------------------------------------------- */

static struct tp_tcp_conn *
context_at(const struct tp_toe *toe, uint32_t where)
{
	return &shard_of(toe, WHERE_SHARD(where))->conn[WHERE_SLOT(where)];
}

static _Atomic uint32_t *
link_of(const struct tp_toe *toe, uint32_t where)
{
	return &shard_of(toe, WHERE_SHARD(where))->link[WHERE_SLOT(where)];
}

/* Push slots that are linked already, from the link `first` to the slot `last`. */
static void
list_splice(struct tp_toe *toe, _Atomic uint32_t *head, uint32_t first, uint32_t last)
{
	_Atomic uint32_t *link = link_of(toe, last);
	uint32_t old = atomic_load_explicit(head, memory_order_relaxed);

	do {
		atomic_store_explicit(link, old, memory_order_relaxed);
	} while (!atomic_compare_exchange_weak(head, &old, first));
}

static void
slot_push(struct tp_toe *toe, _Atomic uint32_t *head, uint32_t where)
{
	list_splice(toe, head, LINK(where), where);
}

/* Slots of a member have left the list of another one's inbox. */
static void
unlisted(const struct tp_toe *toe, uint8_t member, uint8_t reader, uint32_t nb)
{
	atomic_fetch_add_explicit(
	                &shard_of(toe, member)->unlisted[reader], nb, memory_order_release);
}

static uint32_t
next_of(const struct tp_toe *toe, uint32_t where)
{
	return atomic_load_explicit(link_of(toe, where), memory_order_relaxed);
}

void
inbox_push(struct tp_toe *toe, struct tp_toe_shard *to, uint32_t where)
{
	shard_of(toe, WHERE_SHARD(where))->listed[to->member]++;
	slot_push(toe, &to->inbox, where);
}

void
inbox_assign(struct tp_toe *toe, struct tp_toe_shard *to, uint32_t where)
{
	shard_of(toe, WHERE_SHARD(where))->listed_by_ctl[to->member]++;
	slot_push(toe, &to->inbox, where);
}

bool
is_listed(const struct tp_toe_shard *s)
{
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		if (s->listed[i] + s->listed_by_ctl[i] !=
		                atomic_load_explicit(&s->unlisted[i], memory_order_acquire))
			return true;
	}
	return false;
}

void
give_back(struct tp_toe *toe, uint32_t where)
{
	slot_push(toe, &shard_of(toe, WHERE_SHARD(where))->returned, where);
}

void
returned_run(struct tp_toe_shard *s)
{
	if (s->given == LINK_END) {
		if (likely(atomic_load_explicit(&s->returned, memory_order_relaxed) == LINK_END))
			return;
		s->given = atomic_exchange_explicit(&s->returned, LINK_END, memory_order_acquire);
	}
	for (unsigned int n = 0; n < RETURN_SLICE && s->given != LINK_END; n++) {
		uint32_t slot = WHERE_SLOT(LINK_WHERE(s->given));

		s->given = atomic_load_explicit(&s->link[slot], memory_order_relaxed);
		atomic_store_explicit(&s->link[slot], LINK_NONE, memory_order_relaxed);
		/* The rest is as it was: whoever takes the slot writes all of it. */
		s->conn[slot].state = TP_TCP_CLOSED;
		s->conn[slot].events = 0;
		slot_free(s, slot);
	}
}

/* ---- release ------------------------------------------------------------------- */

static void
count_release(struct tp_toe_shard *s, enum tp_toe_why why)
{
	static const enum tp_toe_counter counters[TP_TOE_NB_WHYS] = {
		[TP_TOE_WHY_ARRIVAL] = TP_TOE_C_MOVE_ARRIVAL,
		[TP_TOE_WHY_COMMAND] = TP_TOE_C_MOVE_COMMAND,
		[TP_TOE_WHY_LINK] = TP_TOE_C_MOVE_LINK,
		[TP_TOE_WHY_DRAIN] = TP_TOE_C_MOVE_DRAIN,
		[TP_TOE_WHY_LOAD] = TP_TOE_C_MOVE_LOAD,
	};

	s->ctr[TP_TOE_C_MOVED_OUT]++;
	s->ctr[counters[why]]++;
}

/* What the old owner has of it besides the context. */
static void
detach(struct tp_toe_shard *s, const struct handle *h, uint32_t slot)
{
	if (h->listener != NO_LISTENER)
		s->pending[h->listener]--;
	tp_wheel_cancel(s->wheel, slot);
	conns_count(s, -1);
}

static void
attach(struct tp_toe_shard *s, const struct handle *h)
{
	if (h->listener != NO_LISTENER)
		s->pending[h->listener]++;
	conns_count(s, 1);
}

bool
conn_release(struct tp_toe_shard *s, uint32_t index, uint64_t word, uint8_t to, enum tp_toe_why why)
{
	struct tp_toe *toe = s->toe;
	struct handle *h = &toe->handle[index];
	struct tp_toe_shard *q = shard_alive(toe, to);
	uint32_t where, moved_ms;
	struct tp_tcp_conn *c;

	if (word == 0)
		word = atomic_load_explicit(&h->word, memory_order_acquire);
	if (q == NULL || to == s->member || WORD_STATE(word) != HANDLE_OWN ||
	                WORD_MEMBER(word) != s->member ||
	                atomic_load_explicit(&h->word, memory_order_acquire) != word)
		return false;
	where = h->where;
	if (where == NO_INDEX)
		return false; /* an active open that waits for its port */
	c = &s->conn[WHERE_SLOT(where)];
	if (c->state == TP_TCP_CLOSED)
		return false;
	working_on(s, index);
	tp_tcp_export(&s->env, c);
	detach(s, h, WHERE_SLOT(where));
	moved_ms = atomic_load_explicit(&h->next, memory_order_relaxed);
	atomic_store_explicit(&h->next, STAMP(s->now), memory_order_relaxed);
	atomic_store_explicit(&s->link[WHERE_SLOT(where)], LINK_END, memory_order_relaxed);
	if (!atomic_compare_exchange_strong(&h->word, &word,
	                    word_make(WORD_GENERATION(word), WORD_EPOCH(word) + 1, HANDLE_XFER,
	                                    to))) {
		/* Whoever asked for it has given up at this very moment. */
		atomic_store_explicit(&s->link[WHERE_SLOT(where)], LINK_NONE, memory_order_relaxed);
		s->env.held_bytes += tp_tcp_held(c);
		atomic_store_explicit(&h->next, moved_ms, memory_order_relaxed);
		attach(s, h);
		conn_dirty(s, c);
		return false;
	}
	/* If it is fenced by now control finds it there, which waits until this turn is over (harvest.c). */
	inbox_push(toe, q, where);
	count_release(s, why);
	toe_trace_release(index, s->member, to, why);
	return true;
}

/* ---- adopt --------------------------------------------------------------------- */

static void
pause_count(struct tp_toe_pauses *pauses, uint32_t us, uint64_t now)
{
	pauses->pause_last_us = us;
	pauses->last_ns = now;
	pauses->pause_us[tp_toe_step_of(us)]++;
	pauses->pause_max_us = RTE_MAX(pauses->pause_max_us, us);
}

static void
tell_moved(struct tp_toe_shard *s, struct tp_tcp_conn *c, uint8_t from)
{
	const struct tp_toe_user *user = user_get(s->toe, conn_handle(s, c)->user);
	struct tp_toe_call call = {
		.shard = s,
		.id = handle_id(s->toe, c->owner_word),
		.arg = *conn_arg(c),
		.now = s->now,
		.conn = c,
	};

	/* Before on_accept it is nobody's. */
	if (user->on_moved == NULL || from == s->member || c->state <= TP_TCP_SYN_RCVD ||
	                (c->events & TP_TCP_EV_ESTABLISHED))
		return;
	user->on_moved(&call, from);
	*conn_arg(c) = call.arg;
}

/* Copy the context here. @return the member it comes from */
static uint8_t
bring(struct tp_toe_shard *s, uint32_t index, bool released, struct tp_tcp_conn *c)
{
	struct tp_toe *toe = s->toe;
	struct handle *h = &toe->handle[index];
	struct tp_tcp_conn *from;
	const char *what;
	uint32_t us;

	if (WHERE_SHARD(h->where) == WHERE_PARKED) {
		uint8_t home = park_load(s, h, WHERE_SLOT(h->where), c);

		c->owner_word = index;
		s->ctr[TP_TOE_C_RELOADED]++;
		return home;
	}
	from = context_at(toe, h->where);
	if (unlikely(atomic_load(&toe->dead) & RTE_BIT32(WHERE_SHARD(h->where))) &&
	                tp_tcp_conn_check(from, &what) != 0) {
		s->ctr[TP_TOE_C_TORN]++;
		toe_trace_torn(WHERE_SHARD(h->where), index);
		tombstone(toe, index, from);
	}
	tp_tcp_adopt(&s->env, c, from, s->now);
	s->ctr[TP_TOE_C_MOVED_IN]++;
	if (released) {
		us = STAMP(s->now) - atomic_load_explicit(&h->next, memory_order_relaxed);
		/* Clocks of lcores are read at different times in a turn. */
		us = us > UINT32_MAX / 2 ? 0 : us;
		pause_count(&s->pauses, us, s->now);
	}
	return WHERE_SHARD(h->where);
}

struct tp_tcp_conn *
conn_take(struct tp_toe_shard *s, uint32_t index, uint64_t word)
{
	struct tp_toe *toe = s->toe;
	struct handle *h = &toe->handle[index];
	struct pull *p = pull_find(s, index);
	uint32_t slot = slot_alloc(s), where;
	struct tp_tcp_conn *c;
	uint8_t from;

	if (slot == NO_INDEX) {
		s->ctr[TP_TOE_C_MOVE_NO_SLOT]++;
		return NULL;
	}
	working_on(s, index);
	if (!atomic_compare_exchange_strong(&h->word, &word,
	                    word_make(WORD_GENERATION(word), WORD_EPOCH(word) + 1, HANDLE_OWN,
	                                    s->member))) {
		slot_free(s, slot);
		return NULL;
	}
	where = h->where;
	if (where == NO_INDEX) {
		/* An active open that its member did not come to. */
		slot_free(s, slot);
		posts_of(s, index);
		return NULL;
	}
	check_owner(s, index);
	c = &s->conn[slot];
	from = bring(s, index,
	                WORD_STATE(word) == HANDLE_XFER &&
	                                shard_alive(toe, WHERE_SHARD(where)) != NULL,
	                c);
	c->owner_data[1] = 0;
	attach(s, h);
	/* Until now the old place has all of it, after this the new one (harvest.c). */
	h->where = WHERE(s->member, slot);
	if (WHERE_SHARD(where) == WHERE_PARKED) {
		park_drop(toe, WHERE_SLOT(where));
	} else {
		if (WORD_STATE(word) != HANDLE_XFER)
			give_back(toe, where);
		if (atomic_load(&toe->dead) & RTE_BIT32(WHERE_SHARD(where)))
			s->ctr[TP_TOE_C_MOVE_HARVEST]++;
	}
	h->run = 0;
	atomic_store_explicit(&h->next, now_ms(s), memory_order_relaxed);
	toe_trace_adopt(index, from, s->member);
	tell_moved(s, c, from);
	/* Most have nothing to do but to wait. */
	if (tp_tcp_parkable(c) && atomic_load(&h->posts) == NULL)
		tp_wheel_arm(s->wheel, slot, next_look(s, c));
	else
		conn_dirty(s, c);
	if (p != NULL)
		pull_done(s, p);
	return c;
}

/* Slots of one member that are given back together. */
struct bundle {
	uint8_t member;
	uint32_t nb, first, last; /* first: a link */
};

static void
bundle_flush(const struct tp_toe_shard *s, struct bundle *b)
{
	struct tp_toe *toe = s->toe;

	if (b->nb == 0)
		return;
	list_splice(toe, &shard_of(toe, b->member)->returned, b->first, b->last);
	unlisted(toe, b->member, s->member, b->nb);
	b->nb = 0;
}

static void
bundle_add(const struct tp_toe_shard *s, struct bundle *b, uint32_t where)
{
	if (b->nb > 0 && b->member != WHERE_SHARD(where))
		bundle_flush(s, b);
	if (b->nb++ == 0) {
		b->member = WHERE_SHARD(where);
		b->first = LINK_END;
		b->last = where;
	}
	atomic_store_explicit(link_of(s->toe, where), b->first, memory_order_relaxed);
	b->first = LINK(where);
}

/* What a slice of the inbox will touch. */
struct slice {
	uint32_t where[ADOPT_SLICE]; /* contexts */
	uint32_t slot[ADOPT_SLICE];  /* free slots, in the order of their use */
	unsigned int nb;
};

static void
slice_fill(const struct tp_toe_shard *s, uint32_t link, struct slice *sl)
{
	uint32_t slot = s->free_slot, fresh = s->nb_fresh;

	for (sl->nb = 0; sl->nb < ADOPT_SLICE && link != LINK_END; sl->nb++) {
		sl->where[sl->nb] = LINK_WHERE(link);
		link = next_of(s->toe, LINK_WHERE(link));
		sl->slot[sl->nb] = slot != NO_INDEX ? slot : fresh++;
		slot = slot != NO_INDEX ? slot_next(s, slot) : NO_INDEX;
	}
}

/* Bring in what comes soon after the i-th: contexts there and here, then handles. */
static void
slice_ahead(const struct tp_toe_shard *s, const struct slice *sl, unsigned int i)
{
	const struct tp_tcp_conn *from, *to;
	uint32_t slot;

	if (i + FAR < sl->nb) {
		from = context_at(s->toe, sl->where[i + FAR]);
		slot = sl->slot[i + FAR];
		to = &s->conn[RTE_MIN(slot, s->max - 1)];
		for (size_t off = 0; off < sizeof(*to); off += RTE_CACHE_LINE_SIZE) {
			rte_prefetch0(RTE_PTR_ADD(from, off));
			__builtin_prefetch(RTE_PTR_ADD(to, off), 1);
		}
	}
	if (i + NEAR < sl->nb) {
		from = context_at(s->toe, sl->where[i + NEAR]);
		slot = RTE_MIN(sl->slot[i + NEAR], s->max - 1);
		__builtin_prefetch(&s->toe->handle[from->owner_word], 1);
		__builtin_prefetch(&s->dirty_next[slot], 1);
		tp_wheel_prefetch(s->wheel, slot);
	}
}

/* It is noted before it is out of the inbox: should the lcore freeze in between, it is in both, and what
 * is in the inbox then ends with what was noted (disband).
 */
static uint32_t
inbox_take(struct tp_toe_shard *s)
{
	uint32_t link = atomic_load_explicit(&s->inbox, memory_order_acquire);

	do {
		atomic_store_explicit(&s->adopting, link, memory_order_relaxed);
		atomic_signal_fence(memory_order_seq_cst); /* read after a freeze only */
	} while (!atomic_compare_exchange_weak(&s->inbox, &link, LINK_END));
	return link;
}

unsigned int
inbox_run(struct tp_toe_shard *s)
{
	struct tp_toe *toe = s->toe;
	uint32_t link = atomic_load_explicit(&s->adopting, memory_order_relaxed);
	struct bundle bundle = { 0 };
	unsigned int n = 0;
	struct slice sl;

	if (link == LINK_END) {
		if (likely(atomic_load_explicit(&s->inbox, memory_order_relaxed) == LINK_END))
			return 0;
		link = inbox_take(s);
	}
	slice_fill(s, link, &sl);
	for (unsigned int i = 0; i < FAR; i++)
		slice_ahead(s, &sl, i - FAR);
	for (; n < sl.nb; n++) {
		uint32_t where = LINK_WHERE(link), index = context_at(toe, where)->owner_word;
		struct handle *h = &toe->handle[index];
		uint64_t word = atomic_load_explicit(&h->word, memory_order_acquire);

		slice_ahead(s, &sl, n);

		/* Else a packet brought it here before. */
		if (WORD_STATE(word) == HANDLE_XFER && WORD_MEMBER(word) == s->member &&
		                h->where == where && conn_take(s, index, word) == NULL)
			break;
		link = next_of(toe, where);
		atomic_store_explicit(&s->adopting, link, memory_order_relaxed);
		bundle_add(s, &bundle, where);
	}
	bundle_flush(s, &bundle);
	return n;
}

/* ---- who asks ------------------------------------------------------------------- */

void
conn_consider(struct tp_toe_shard *s, uint32_t index)
{
	struct tp_toe *toe = s->toe;
	struct handle *h = &toe->handle[index];
	struct move_view view = {
		.after = atomic_load_explicit(&toe->after, memory_order_relaxed),
		.hysteresis = atomic_load_explicit(&toe->hysteresis, memory_order_relaxed),
		.run = h->run,
		.level = h->level,
		.since_ms = now_ms(s) - atomic_load_explicit(&h->next, memory_order_relaxed),
	};
	struct mail *ask;

	/* What cannot be had is not asked for: that would make it wait for longer and longer. */
	if (!decide_move(&view) || !(atomic_load_explicit(&toe->usable, memory_order_relaxed) &
	                                           RTE_BIT32(h->arrival)))
		return;
	ask = mail_new(toe, MAIL_ASK, index);
	if (ask == NULL)
		return; /* the next segment asks again */
	/* It asks no more until the wait is over, whatever becomes of this. */
	h->level = decide_level(&view);
	atomic_store_explicit(&h->next, now_ms(s), memory_order_relaxed);
	ask->word = atomic_load_explicit(&h->word, memory_order_relaxed);
	ask->to = h->arrival;
	s->ctr[TP_TOE_C_MOVE_ASKED]++;
	toe_trace_ask(index, s->member, h->arrival);
	mail_put(&toe->to_control, ask);
}
