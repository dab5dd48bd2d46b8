/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** Hierarchical timer wheel: one deadline for each of a fixed number of ids.
 *
 * Eight levels of 64 slots over ticks of 0.524 ms, so that any deadline has a place. An entry is 16
 * bytes, found by its id; nothing points to it. Arming, arming again and cancelling are O(1), and
 * only a store when the entry's present slot comes before the new deadline: the entry is put where
 * it belongs when that slot comes. No deadline fires early; late by one tick and the time between
 * two calls at most.
 *
 * Pure: no clock, `now` in. One lcore at a time.
 */
#ifndef TP_WHEEL_H
#define TP_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tp_core.h"

/** log2 of a tick's ns. */
#define TP_WHEEL_TICK_SHIFT 19
#define TP_WHEEL_TICK_NS (UINT64_C(1) << TP_WHEEL_TICK_SHIFT)
/** Most ids. */
#define TP_WHEEL_MAX (UINT32_C(1) << 31)

struct tp_wheel;

/** Bytes of memory for so many ids: 16 each, and less than 10 KiB for the wheel. */
size_t tp_wheel_size(uint32_t capacity);
/** Set up in the caller's memory: nothing is armed.
 * @param mem tp_wheel_size(capacity) bytes, aligned to a cache line; the caller's to free
 * @param capacity ids are 0..capacity-1; at most TP_WHEEL_MAX
 */
struct tp_wheel *tp_wheel_init(void *mem, uint32_t capacity, uint64_t now);
/** The same in memory of that NUMA node. @return NULL with rte_errno (EINVAL, ENOMEM) */
struct tp_wheel *tp_wheel_create(uint32_t capacity, int socket_id, uint64_t now);
/** For what tp_wheel_create() made. */
void tp_wheel_free(struct tp_wheel *w);

/** Set the deadline of an id, whether it had one or not.
 * @param deadline_ns absolute; a past one is due at once; TP_NEVER cancels
 */
void tp_wheel_arm(struct tp_wheel *w, uint32_t id, uint64_t deadline_ns);
/** The id has no deadline any more: it will not be reported. */
void tp_wheel_cancel(struct tp_wheel *w, uint32_t id);
/** Its deadline will be set or cancelled soon: a hint to the cache. */
void tp_wheel_prefetch(const struct tp_wheel *w, uint32_t id);
/** Has it a deadline that was not reported yet? */
bool tp_wheel_armed(const struct tp_wheel *w, uint32_t id);
/** Ids that have one. */
uint32_t tp_wheel_count(const struct tp_wheel *w);

/** Take ids that are due; each is disarmed. Looks at no more than 4 * max + 64 entries, whatever
 * time has passed: what remains is taken by the next calls, for as long as tp_wheel_next() is not
 * later than now.
 * @param ids [max] out, by rising ticks; those of one tick, and past ones, in no particular order
 * @return how many
 */
uint32_t tp_wheel_expire(struct tp_wheel *w, uint64_t now, uint32_t *ids, uint32_t max);
/** @return ns before which nothing will be due: when to call tp_wheel_expire() next; TP_NEVER when
 * nothing is armed. It may turn out that nothing was due then (a deadline that was moved or
 * cancelled).
 */
uint64_t tp_wheel_next(const struct tp_wheel *w);

#endif
