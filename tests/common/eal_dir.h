/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * EAL makes a directory for each --file-prefix and leaves it behind. A program that says
 * --no-shconf and --no-telemetry has nothing in it.
 */
#ifndef TEST_EAL_DIR_H
#define TEST_EAL_DIR_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_eal.h>

static inline void
eal_dir_remove(void)
{
	rmdir(rte_eal_get_runtime_dir());
}

/** Before rte_eal_init(): remove its directory when the process exits.
 * @param prefix [size] out: a --file-prefix that no other process has
 */
static inline void
eal_dir_own(char *prefix, size_t size, const char *name)
{
	snprintf(prefix, size, "%s-%d", name, getpid());
	atexit(eal_dir_remove);
}

#endif
