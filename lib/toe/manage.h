/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What control keeps for migration: manage.c, harvest.c. */
#ifndef TOE_MANAGE_H
#define TOE_MANAGE_H

#include "toe_int.h"

struct manager {
	uint64_t now;
	_Atomic uint8_t place[TP_MAX_MEMBERS]; /* enum tp_toe_place */
	uint64_t drain_due;
	/* Parked connections that must be woken: ids are handles. */
	struct tp_wheel *wheel; /* NULL: there was none yet */
	void *wheel_mem;
	uint32_t nb;
	void (*on_end)(void *arg, const struct tp_toe_end *end);
	void *on_end_arg;
	/* These by control, and by whoever frees a shard: bits of members. */
	_Atomic uint32_t absent; /* members fenced or gone: bells may still be rung for them */
	/* Harvest: members to be taken apart, dead ones, the next handle to look at, those left to look at
	 * in this round. */
	_Atomic uint32_t fencing;
	_Atomic uint32_t harvesting;
	uint32_t harvest_at, harvest_left;
	bool wake_again;        /* somebody could not be woken: no mail was free */
	uint64_t harvest_token; /* of qsbr: it begins when all living ones know */
	struct limbo limbo;
};

#endif
