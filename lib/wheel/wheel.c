/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>

#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>

#include "tp_wheel.h"

#define LEVEL_BITS 6
#define NB_LEVELS 8
#define NB_SLOTS (1u << LEVEL_BITS)
#define NB_HEADS (NB_LEVELS * NB_SLOTS)
/* An entry in no list. */
#define NO_SLOT NB_HEADS
/* 48 bits hold any deadline: 2^64 ns are 2^45 ticks. */
#define TICK_NEVER ((UINT64_C(1) << (LEVEL_BITS * NB_LEVELS)) - 1)

/* In a circular list with its slot's head, which is an entry too. An entry may be in a slot that
 * comes before its tick, or have no tick any more: the slot puts it right.
 */
struct entry {
	uint32_t next;
	uint32_t prev;
	uint64_t tick : 48;
	uint64_t slot : 16; /* level * NB_SLOTS + digit, or NO_SLOT */
};
static_assert(sizeof(struct entry) == 16, "four to a cache line");

struct tp_wheel {
	uint64_t tick; /* all slots before it are empty */
	uint32_t capacity;
	uint32_t nb_armed;
	uint32_t sorting; /* slot above level 0 that began at `tick` and is not empty, or NO_SLOT */
	uint64_t used[NB_LEVELS]; /* bit: the slot has entries */
	struct entry entry[];     /* capacity, then the heads */
};

/* ---- lists ------------------------------------------------------------------- */

static inline uint32_t
head_of(const struct tp_wheel *w, uint32_t slot)
{
	return w->capacity + slot;
}

static inline bool
is_empty(const struct tp_wheel *w, uint32_t slot)
{
	return w->entry[head_of(w, slot)].next == head_of(w, slot);
}

static inline void
take_out(struct tp_wheel *w, struct entry *e)
{
	uint32_t slot = e->slot;

	w->entry[e->prev].next = e->next;
	w->entry[e->next].prev = e->prev;
	e->slot = NO_SLOT;
	if (is_empty(w, slot))
		w->used[slot / NB_SLOTS] &= ~(UINT64_C(1) << slot % NB_SLOTS);
}

/* The slot of a tick: at the level of the highest digit in which it differs from the present one,
 * so that a slot's digit is always ahead of the wheel's at that level. A past tick is due now.
 */
static inline uint32_t
slot_of(const struct tp_wheel *w, uint64_t tick)
{
	uint32_t level;

	if (tick <= w->tick)
		return w->tick % NB_SLOTS;
	level = (63 - __builtin_clzll(tick ^ w->tick)) / LEVEL_BITS;
	return level * NB_SLOTS + (tick >> level * LEVEL_BITS) % NB_SLOTS;
}

static inline void
put_in(struct tp_wheel *w, struct entry *e)
{
	uint32_t slot = slot_of(w, e->tick);
	uint32_t head = head_of(w, slot);
	uint32_t id = e - w->entry;

	e->slot = slot;
	e->next = head;
	e->prev = w->entry[head].prev;
	w->entry[e->prev].next = id;
	w->entry[head].prev = id;
	w->used[slot / NB_SLOTS] |= UINT64_C(1) << slot % NB_SLOTS;
}

/* First tick of a slot that has entries. */
static inline uint64_t
slot_tick(const struct tp_wheel *w, uint32_t slot)
{
	uint32_t shift = slot / NB_SLOTS * LEVEL_BITS;

	return ((w->tick >> shift & ~(uint64_t)(NB_SLOTS - 1)) | slot % NB_SLOTS) << shift;
}

/* The first slot that has entries: all of a level come before those of the next one.
 * @return NO_SLOT: nothing is queued
 */
static inline uint32_t
first_slot(const struct tp_wheel *w)
{
	if (w->sorting != NO_SLOT && !is_empty(w, w->sorting))
		return w->sorting;
	for (uint32_t level = 0; level < NB_LEVELS; level++)
		if (w->used[level] != 0)
			return level * NB_SLOTS + __builtin_ctzll(w->used[level]);
	return NO_SLOT;
}

/* ---- set up -------------------------------------------------------------------- */

size_t
tp_wheel_size(uint32_t capacity)
{
	return sizeof(struct tp_wheel) + ((size_t)capacity + NB_HEADS) * sizeof(struct entry);
}

struct tp_wheel *
tp_wheel_init(void *mem, uint32_t capacity, uint64_t now)
{
	struct tp_wheel *w = mem;

	*w = (struct tp_wheel){
		.tick = now >> TP_WHEEL_TICK_SHIFT, .capacity = capacity, .sorting = NO_SLOT
	};
	for (uint32_t i = 0; i < capacity; i++)
		w->entry[i] = (struct entry){ .tick = TICK_NEVER, .slot = NO_SLOT };
	for (uint32_t i = capacity; i < capacity + NB_HEADS; i++)
		w->entry[i] = (struct entry){ .next = i, .prev = i };
	return w;
}

struct tp_wheel *
tp_wheel_create(uint32_t capacity, int socket_id, uint64_t now)
{
	void *mem;

	if (capacity == 0 || capacity > TP_WHEEL_MAX) {
		rte_errno = EINVAL;
		return NULL;
	}
	mem = rte_malloc_socket(
	                "tp_wheel", tp_wheel_size(capacity), RTE_CACHE_LINE_SIZE, socket_id);
	if (mem == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	return tp_wheel_init(mem, capacity, now);
}

void
tp_wheel_free(struct tp_wheel *w)
{
	rte_free(w);
}

/* ---- deadlines ------------------------------------------------------------------ */

void
tp_wheel_arm(struct tp_wheel *w, uint32_t id, uint64_t deadline_ns)
{
	struct entry *e = &w->entry[id];
	/* Rounded up: no deadline fires early. */
	uint64_t tick = (deadline_ns >> TP_WHEEL_TICK_SHIFT) +
	                ((deadline_ns & (TP_WHEEL_TICK_NS - 1)) != 0);

	assert(id < w->capacity);
	if (deadline_ns == TP_NEVER) {
		tp_wheel_cancel(w, id);
		return;
	}
	w->nb_armed += e->tick == TICK_NEVER;
	e->tick = tick;
	if (e->slot != NO_SLOT) {
		if (slot_tick(w, e->slot) <= tick)
			return;
		take_out(w, e);
	}
	put_in(w, e);
}

void
tp_wheel_cancel(struct tp_wheel *w, uint32_t id)
{
	struct entry *e = &w->entry[id];

	assert(id < w->capacity);
	w->nb_armed -= e->tick != TICK_NEVER;
	e->tick = TICK_NEVER;
}

void
tp_wheel_prefetch(const struct tp_wheel *w, uint32_t id)
{
	rte_prefetch0(&w->entry[id]);
}

bool
tp_wheel_armed(const struct tp_wheel *w, uint32_t id)
{
	return w->entry[id].tick != TICK_NEVER;
}

uint32_t
tp_wheel_count(const struct tp_wheel *w)
{
	return w->nb_armed;
}

uint64_t
tp_wheel_next(const struct tp_wheel *w)
{
	uint32_t slot = first_slot(w);

	if (slot == NO_SLOT || w->nb_armed == 0)
		return TP_NEVER;
	return slot_tick(w, slot) << TP_WHEEL_TICK_SHIFT;
}

/* Take the first entry of a slot, which is not empty, to where it belongs.
 * @return it is due: it is in no slot any more, and disarmed
 */
static bool
sort_first(struct tp_wheel *w, uint32_t slot, uint32_t *id)
{
	struct entry *e;

	*id = w->entry[head_of(w, slot)].next;
	e = &w->entry[*id];
	__builtin_prefetch(&w->entry[e->next]);
	take_out(w, e);
	if (e->tick == TICK_NEVER)
		return false;
	/* One that is due only now goes to level 0 first: ids come by rising ticks. */
	if (slot >= NB_SLOTS || e->tick > w->tick) {
		put_in(w, e);
		return false;
	}
	e->tick = TICK_NEVER;
	w->nb_armed--;
	return true;
}

uint32_t
tp_wheel_expire(struct tp_wheel *w, uint64_t now, uint32_t *ids, uint32_t max)
{
	uint64_t target = now >> TP_WHEEL_TICK_SHIFT;
	uint64_t budget = 4 * (uint64_t)max + 64;
	uint32_t nb = 0, slot;

	while (nb < max && budget-- > 0) {
		slot = first_slot(w);
		if (slot != w->sorting)
			w->sorting = NO_SLOT;
		if (slot == NO_SLOT || slot_tick(w, slot) > target) {
			w->tick = RTE_MAX(w->tick, target);
			break;
		}
		w->tick = RTE_MAX(w->tick, slot_tick(w, slot));
		if (slot >= NB_SLOTS)
			w->sorting = slot;
		nb += sort_first(w, slot, &ids[nb]);
	}
	return nb;
}
