/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <time.h>

#include <rte_cycles.h>

#include "tp_core.h"

/* ns = cycles * mult >> 32; 64.32 fixed point, good for centuries in 128 bits. */
static uint64_t clock_mult;
static uint64_t clock_origin;
static uint64_t clock_base_ns;
static bool clock_is_virtual;
static uint64_t clock_virtual_ns;

void
tp_clock_init(void)
{
	struct timespec ts;

	clock_mult = (uint64_t)(((unsigned __int128)TP_NS_PER_S << 32) / rte_get_tsc_hz());
	clock_gettime(CLOCK_MONOTONIC, &ts);
	clock_base_ns = (uint64_t)ts.tv_sec * TP_NS_PER_S + ts.tv_nsec;
	clock_origin = rte_rdtsc();
	clock_is_virtual = false;
}

uint64_t
tp_clock_cycles_to_ns(uint64_t cycles)
{
	return (uint64_t)(((unsigned __int128)cycles * clock_mult) >> 32);
}

uint64_t
tp_clock_now(void)
{
	if (unlikely(clock_is_virtual))
		return clock_virtual_ns;
	return clock_base_ns + tp_clock_cycles_to_ns(rte_rdtsc() - clock_origin);
}

void
tp_clock_set_virtual(uint64_t now_ns)
{
	clock_is_virtual = true;
	clock_virtual_ns = now_ns;
}
