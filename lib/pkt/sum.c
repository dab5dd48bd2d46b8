/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The sum behind Internet checksums (RFC 1071), by the widest unit that the CPU has. DPDK's own is
 * compiled for the oldest one: 1448 bytes take it 150 cycles instead of 50.
 */

#include <rte_cpuflags.h>
#include <rte_ip.h>

#include "pkt_int.h"

/* Below it, what is in front of the loop costs more than the loop saves. */
#define WIDE_MIN 128

static uint16_t
sum_dpdk(const void *p, uint32_t len)
{
	return rte_raw_cksum(p, len);
}

static uint16_t (*sum_wide)(const void *p, uint32_t len) = sum_dpdk;

uint16_t
pkt_sum(const void *p, uint32_t len)
{
	return len < WIDE_MIN ? rte_raw_cksum(p, len) : sum_wide(p, len);
}

RTE_INIT(choose_sum)
{
#ifdef RTE_ARCH_X86_64
	/* CPUID tells what the CPU has; the builtin asks, too, whether the kernel saves it. */
	if (rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX2) == 1 && __builtin_cpu_supports("avx2"))
		sum_wide = pkt_sum_avx2;
#endif
}
