/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Making a hash ready, and the choice of vector unit: by CPUID, once. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cpuflags.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include "flow_int.h"

const uint8_t tp_flow_key_default[TP_FLOW_KEY_LEN] = {
	0x6d,
	0x5a,
	0x56,
	0xda,
	0x25,
	0x5b,
	0x0e,
	0xc2,
	0x41,
	0x67,
	0x25,
	0x3d,
	0x43,
	0xa3, //
	0x8f,
	0xb0,
	0xd0,
	0xca,
	0x2b,
	0xcb,
	0xae,
	0x7b,
	0x30,
	0xb4,
	0x77,
	0xcb,
	0x2d,
	0xa3, //
	0x80,
	0x30,
	0xf2,
	0x0c,
	0x6a,
	0x42,
	0xb7,
	0x3b,
	0xbe,
	0xac,
	0x01,
	0xfa,
};

static bool
has_scalar(void)
{
	return true;
}

static bool
has_all(const enum rte_cpu_flag_t *flags, size_t nb_flags)
{
	for (size_t i = 0; i < nb_flags; i++)
		if (rte_cpu_get_flag_enabled(flags[i]) != 1)
			return false;
	return true;
}

/* Every flag that a variant of this module or of lib/team is compiled with (meson.build). CPUID
 * tells what the CPU has; __builtin_cpu_supports() asks, too, whether the kernel saves it.
 */
static bool
has_sse42(void)
{
	static const enum rte_cpu_flag_t flags[] = { RTE_CPUFLAG_SSE4_2, RTE_CPUFLAG_POPCNT };

	return has_all(flags, RTE_DIM(flags));
}

static bool
has_avx2(void)
{
	static const enum rte_cpu_flag_t flags[] = { RTE_CPUFLAG_AVX2, RTE_CPUFLAG_BMI1,
		RTE_CPUFLAG_BMI2, RTE_CPUFLAG_POPCNT };

	return has_all(flags, RTE_DIM(flags)) && __builtin_cpu_supports("avx2");
}

static bool
has_avx512(void)
{
	static const enum rte_cpu_flag_t flags[] = { RTE_CPUFLAG_AVX512F, RTE_CPUFLAG_AVX512BW,
		RTE_CPUFLAG_AVX512VL, RTE_CPUFLAG_AVX512DQ, RTE_CPUFLAG_AVX512VBMI,
		RTE_CPUFLAG_AVX512VBMI2, RTE_CPUFLAG_GFNI, RTE_CPUFLAG_BMI2, RTE_CPUFLAG_POPCNT };

	/* CRC has no wider version: the AVX2 kernels serve it. */
	return has_avx2() && has_all(flags, RTE_DIM(flags)) && __builtin_cpu_supports("avx512f");
}

static flow_burst_fn
scalar_burst(const struct tp_flow_conf *conf)
{
	(void)conf;
	return flow_burst_scalar;
}

/* What a vector unit brings. */
struct flow_isa {
	const char *name;
	bool (*supported)(void);
	flow_burst_fn (*burst[TP_FLOW_NB_FNS])(const struct tp_flow_conf *conf);
	flow_tuples_fn tuples[TP_FLOW_NB_FNS];
};

static const struct flow_isa isas[TP_FLOW_NB_ISAS] = {
	[TP_FLOW_ISA_SCALAR] = {
		.name = "scalar",
		.supported = has_scalar,
		.burst = { scalar_burst, scalar_burst },
		.tuples = { flow_toeplitz_scalar, flow_crc32c_scalar },
	},
	[TP_FLOW_ISA_SSE42] = {
		.name = "sse42",
		.supported = has_sse42,
		.burst = { flow_burst_sse42, flow_burst_sse42 },
		.tuples = { flow_toeplitz_scalar, flow_crc32c_sse42 },
	},
	[TP_FLOW_ISA_AVX2] = {
		.name = "avx2",
		.supported = has_avx2,
		.burst = { flow_burst_avx2, flow_burst_avx2 },
		.tuples = { flow_toeplitz_avx2, flow_crc32c_sse42 },
	},
	[TP_FLOW_ISA_AVX512] = {
		.name = "avx512",
		.supported = has_avx512,
		/* CRC has no use for wider vectors. */
		.burst = { flow_burst_avx512, flow_burst_avx2 },
		.tuples = { flow_toeplitz_avx512, flow_crc32c_sse42 },
	},
};

static const char *const policy_names[TP_FLOW_NB_POLICIES] = {
	[TP_FLOW_L34] = "l34",
	[TP_FLOW_L23] = "l23",
	[TP_FLOW_L2] = "l2",
	[TP_FLOW_DST] = "dst",
	[TP_FLOW_VLAN_SRCMAC] = "vlan+srcmac",
	[TP_FLOW_FC] = "fc",
};

static const char *const fn_names[TP_FLOW_NB_FNS] = {
	[TP_FLOW_TOEPLITZ] = "toeplitz",
	[TP_FLOW_CRC32C] = "crc32c",
};

bool
tp_flow_isa_supported(enum tp_flow_isa isa)
{
	return isa < TP_FLOW_NB_ISAS && isas[isa].supported();
}

enum tp_flow_isa
tp_flow_isa_best(void)
{
	unsigned int isa = TP_FLOW_NB_ISAS - 1;

	while (!tp_flow_isa_supported(isa))
		isa--;
	return isa;
}

static int
check(const struct tp_flow_conf *conf)
{
	if (conf->policy >= TP_FLOW_NB_POLICIES || conf->fn >= TP_FLOW_NB_FNS ||
	                conf->isa > TP_FLOW_ISA_BEST)
		return EINVAL;
	if (conf->isa != TP_FLOW_ISA_BEST && !tp_flow_isa_supported(conf->isa))
		return ENOTSUP;
	return 0;
}

struct tp_flow *
tp_flow_create(const struct tp_flow_conf *conf, int socket_id)
{
	struct tp_flow *flow;
	int rc = check(conf);

	if (rc != 0) {
		rte_errno = rc;
		return NULL;
	}
	flow = rte_zmalloc_socket("tp_flow", sizeof(*flow), RTE_CACHE_LINE_SIZE, socket_id);
	if (flow == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	flow->conf = *conf;
	if (conf->isa == TP_FLOW_ISA_BEST)
		flow->conf.isa = tp_flow_isa_best();
	flow->conf.trust_rss &= flow_rss_possible(conf);
	flow->burst_all = isas[flow->conf.isa].burst[conf->fn](&flow->conf);
	flow->burst = flow->conf.trust_rss ? flow_burst_rss : flow->burst_all;
	flow->tuples = isas[flow->conf.isa].tuples[conf->fn];
	if (conf->fn == TP_FLOW_TOEPLITZ)
		flow_toeplitz_tables(flow);
	else
		flow_crc32c_tables(flow);
	return flow;
}

void
tp_flow_free(struct tp_flow *flow)
{
	rte_free(flow);
}

const struct tp_flow_conf *
tp_flow_conf(const struct tp_flow *flow)
{
	return &flow->conf;
}

uint64_t
tp_flow_hash_burst(const struct tp_flow *flow, struct rte_mbuf **pkts, uint16_t nb_pkts,
                uint32_t *hash)
{
	return flow->burst(flow, pkts, nb_pkts, hash);
}

void
tp_flow_hash_tuples(const struct tp_flow *flow, const uint8_t *tuples, uint16_t len, uint16_t nb,
                uint32_t *hash)
{
	flow->tuples(flow, tuples, len, nb, hash);
}

/* ---- names ----------------------------------------------------------------- */

const char *
tp_flow_policy_name(enum tp_flow_policy policy)
{
	return policy < TP_FLOW_NB_POLICIES ? policy_names[policy] : NULL;
}

const char *
tp_flow_fn_name(enum tp_flow_fn fn)
{
	return fn < TP_FLOW_NB_FNS ? fn_names[fn] : NULL;
}

const char *
tp_flow_isa_name(enum tp_flow_isa isa)
{
	return isa < TP_FLOW_NB_ISAS ? isas[isa].name : NULL;
}

static int
find_name(const char *const *names, int nb, const char *name)
{
	for (int i = 0; i < nb; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -EINVAL;
}

int
tp_flow_policy_parse(const char *name)
{
	return find_name(policy_names, TP_FLOW_NB_POLICIES, name);
}

int
tp_flow_fn_parse(const char *name)
{
	return find_name(fn_names, TP_FLOW_NB_FNS, name);
}
