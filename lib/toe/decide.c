/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Whether a connection follows its packets. Pure. */

#include "toe_int.h"

/* Each level waits so many times as long as the one before. */
#define LEVEL_SHIFT 2
/* Moves that are further apart than so many times the wait do not count as often. */
#define CALM 4

static uint64_t
wait_ms(const struct move_view *view)
{
	return (uint64_t)view->hysteresis << (view->level * LEVEL_SHIFT);
}

/* A switch that sprays one flow over all members sends some in a row to one of them now and then:
 * each move makes the next one wait longer.
 */
bool
decide_move(const struct move_view *view)
{
	return view->after != 0 && view->run >= view->after && view->since_ms >= wait_ms(view);
}

uint8_t
decide_level(const struct move_view *view)
{
	if (view->since_ms > CALM * wait_ms(view))
		return 0;
	return RTE_MIN(view->level + 1, MOVE_LEVEL_MAX);
}
