/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** Steps that can stop in the middle: each actor of the simulator has a stack of its own, and
 * only one of them runs at a time, on one thread. Knows about AddressSanitizer.
 */
#ifndef FIBER_H
#define FIBER_H

#include <stdbool.h>
#include <stddef.h>

struct fiber {
	void *here;  /**< its stack pointer while it does not run */
	void *there; /**< that of who let it run */
	char *stack;
	bool busy; /**< in the middle of its work */
	void (*work)(void *arg);
	void *arg;
	void *fake;             /**< AddressSanitizer's stack of the fiber */
	const void *back_stack; /**< who let it run: for AddressSanitizer */
	size_t back_size;
};

/** The fiber that runs, NULL: none. */
extern struct fiber *fiber_current;

/** Make a stack, once. @return 0 or -ENOMEM */
int fiber_init(struct fiber *f);
void fiber_fini(struct fiber *f);
/** Run work until it ends or yields; f is not busy. */
void fiber_start(struct fiber *f, void (*work)(void *arg), void *arg);
/** Let a busy fiber go on until it ends or yields. */
void fiber_resume(struct fiber *f);
/** Stop the fiber that runs; fiber_resume() goes on here. */
void fiber_yield(void);
/** Give up what a fiber was doing: it never goes on. */
void fiber_abandon(struct fiber *f);

#endif
