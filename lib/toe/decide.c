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

/* Busier than this, and so much busier than another, in 1/1000. */
#define BUSY 800
#define BUSIER 300
/* At most this part of a member's connections in one go: loads follow late. */
#define SHED_PART 4

bool
tp_toe_rebalance(const struct tp_toe_load *load, uint8_t nb, struct tp_toe_shift *shift)
{
	const struct tp_toe_load *from = load, *to = load;
	uint32_t diff;

	for (uint8_t i = 1; i < nb; i++) {
		if (load[i].busy_permille > from->busy_permille)
			from = &load[i];
		if (load[i].busy_permille < to->busy_permille)
			to = &load[i];
	}
	if (nb < 2 || from->busy_permille < BUSY ||
	                from->busy_permille - to->busy_permille < BUSIER)
		return false;
	diff = from->busy_permille - to->busy_permille;
	*shift = (struct tp_toe_shift){
		.from = from->member,
		.to = to->member,
		/* Half of the difference, as all connections were alike. */
		.nb = RTE_MIN((uint64_t)from->nb_conns * diff / (2 * from->busy_permille),
		                (uint64_t)from->nb_conns / SHED_PART),
	};
	return shift->nb > 0;
}
