/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Hashes of ready tuples: 12 bytes (IPv4 addresses and ports) or 36 bytes (IPv6), bursts of 32
 * back to back, all in the first-level cache. Peers: DPDK's rte_thash_gfni_bulk(), built here
 * with the flags that its header wants, rte_softrss_be() and rte_hash_crc(). Every contender
 * must give the values of the others.
 */

#include <errno.h>
#include <string.h>

#include <rte_hash_crc.h>
#include <rte_thash.h>

#include "bench.h"
#include "peer_gfni.h"
#include "tp_flow.h"
#include "traffic.h"

#define NB_BURSTS 16
#define NB_TUPLES (NB_BURSTS * BENCH_BURST)
#define RUN_BURSTS 512
#define V4_LEN 12
#define V6_LEN 36

struct scene {
	struct tp_flow *flow;
	uint16_t len;
	unsigned int burst;                                     /* next one */
	uint8_t key[TP_FLOW_KEY_LEN];                           /* as rte_softrss_be() wants it */
	uint8_t tuples[NB_TUPLES * V6_LEN] __rte_cache_aligned; /* packed, wire order */
	uint32_t words[NB_TUPLES][V6_LEN / 4];                  /* host order */
	uint8_t *pointers[NB_TUPLES];
	uint32_t hash[BENCH_BURST];
};

enum peer {
	PEER_GFNI,
	PEER_SOFTRSS,
	PEER_CRC,
};

struct hash_case {
	const char *name;
	uint16_t len;
	uint8_t fn, isa;
	enum peer peer;
	double goal;
};

static const struct hash_case cases[] = {
	{ "toeplitz-v4-gfni", V4_LEN, TP_FLOW_TOEPLITZ, TP_FLOW_ISA_AVX512, PEER_GFNI, 1.5 },
	{ "toeplitz-v4-avx2", V4_LEN, TP_FLOW_TOEPLITZ, TP_FLOW_ISA_AVX2, PEER_SOFTRSS, 4 },
	{ "toeplitz-v4-scalar", V4_LEN, TP_FLOW_TOEPLITZ, TP_FLOW_ISA_SCALAR, PEER_SOFTRSS, 10 },
	{ "toeplitz-v6-gfni", V6_LEN, TP_FLOW_TOEPLITZ, TP_FLOW_ISA_AVX512, PEER_GFNI, 3.3 },
	{ "toeplitz-v6-avx2", V6_LEN, TP_FLOW_TOEPLITZ, TP_FLOW_ISA_AVX2, PEER_SOFTRSS, 11 },
	{ "toeplitz-v6-scalar", V6_LEN, TP_FLOW_TOEPLITZ, TP_FLOW_ISA_SCALAR, PEER_SOFTRSS, 26 },
	{ "crc32c-v4-sse42", V4_LEN, TP_FLOW_CRC32C, TP_FLOW_ISA_SSE42, PEER_CRC, 1.6 },
	{ "crc32c-v4-scalar", V4_LEN, TP_FLOW_CRC32C, TP_FLOW_ISA_SCALAR, PEER_CRC, 0 },
	{ "crc32c-v6-sse42", V6_LEN, TP_FLOW_CRC32C, TP_FLOW_ISA_SSE42, PEER_CRC, 3.7 },
	{ "crc32c-v6-scalar", V6_LEN, TP_FLOW_CRC32C, TP_FLOW_ISA_SCALAR, PEER_CRC, 0 },
};

static uint64_t gfni_matrix[TP_FLOW_KEY_LEN];

/* ---- contenders --------------------------------------------------------------- */

static unsigned int
next_burst(struct scene *s)
{
	s->burst = (s->burst + 1) % NB_BURSTS;
	return s->burst * BENCH_BURST;
}

static void
burst_ours(void *ctx)
{
	struct scene *s = ctx;
	unsigned int i = next_burst(s);

	tp_flow_hash_tuples(s->flow, s->tuples + i * s->len, s->len, BENCH_BURST, s->hash);
	bench_keep(s->hash);
}

static void
burst_gfni(void *ctx)
{
	struct scene *s = ctx;
	unsigned int i = next_burst(s);

	peer_gfni_bulk(gfni_matrix, s->len, &s->pointers[i], s->hash, BENCH_BURST);
	bench_keep(s->hash);
}

static void
burst_softrss(void *ctx)
{
	struct scene *s = ctx;
	unsigned int i = next_burst(s);

	for (unsigned int k = 0; k < BENCH_BURST; k++)
		s->hash[k] = rte_softrss_be(s->words[i + k], s->len / 4, s->key);
	bench_keep(s->hash);
}

static void
burst_crc(void *ctx)
{
	struct scene *s = ctx;
	unsigned int i = next_burst(s);

	/* CRC32C proper inverts once more. */
	for (unsigned int k = 0; k < BENCH_BURST; k++)
		s->hash[k] = ~rte_hash_crc(s->tuples + (i + k) * s->len, s->len, UINT32_MAX);
	bench_keep(s->hash);
}

static const struct {
	const char *name;
	bench_burst_fn burst;
} peers[] = {
	[PEER_GFNI] = { "rte_thash_gfni_bulk", burst_gfni },
	[PEER_SOFTRSS] = { "rte_softrss_be", burst_softrss },
	[PEER_CRC] = { "rte_hash_crc", burst_crc },
};

/* ---- runs ---------------------------------------------------------------------- */

static double
run_ours(void *ctx)
{
	return bench_stream(burst_ours, ctx, RUN_BURSTS, BENCH_BURST);
}

static double
run_gfni(void *ctx)
{
	return bench_stream(burst_gfni, ctx, RUN_BURSTS, BENCH_BURST);
}

static double
run_softrss(void *ctx)
{
	return bench_stream(burst_softrss, ctx, RUN_BURSTS, BENCH_BURST);
}

static double
run_crc(void *ctx)
{
	return bench_stream(burst_crc, ctx, RUN_BURSTS, BENCH_BURST);
}

/* Do both give the same for every burst? */
static bool
agree(struct scene *s, enum peer peer)
{
	uint32_t ours[BENCH_BURST];

	for (s->burst = 0; s->burst < NB_BURSTS - 1;) {
		burst_ours(s);
		memcpy(ours, s->hash, sizeof(ours));
		s->burst--;
		peers[peer].burst(s);
		if (memcmp(ours, s->hash, sizeof(ours)) != 0)
			return false;
	}
	return true;
}

static void
fill(struct scene *s, uint16_t len)
{
	s->len = len;
	for (size_t i = 0; i < sizeof(s->tuples); i++)
		s->tuples[i] = (uint8_t)traffic_random(i);
	for (unsigned int i = 0; i < NB_TUPLES; i++) {
		s->pointers[i] = s->tuples + i * len;
		for (unsigned int w = 0; w < len / 4u; w++) {
			memcpy(&s->words[i][w], s->pointers[i] + 4 * w, 4);
			s->words[i][w] = rte_be_to_cpu_32(s->words[i][w]);
		}
	}
	rte_convert_rss_key(
	                (const uint32_t *)tp_flow_key_default, (uint32_t *)s->key, TP_FLOW_KEY_LEN);
	rte_thash_complete_matrix(gfni_matrix, tp_flow_key_default, TP_FLOW_KEY_LEN);
}

static void
run_case(struct bench *b, struct scene *s, const struct hash_case *c)
{
	double (*const runs[])(void *ctx) = { run_gfni, run_softrss, run_crc };
	struct tp_flow_conf conf = { .fn = c->fn, .isa = c->isa };
	struct bench_contender by[] = { { run_ours, s }, { runs[c->peer], s } };
	const struct bench_result result = {
		.case_name = c->name,
		.unit = "cycles/tuple",
		.peer = peers[c->peer].name,
		.goal = c->goal,
	};

	memcpy(conf.key, tp_flow_key_default, sizeof(conf.key));
	s->flow = tp_flow_create(&conf, SOCKET_ID_ANY);
	if (s->flow == NULL) {
		bench_skip(b, c->name, "not on this CPU");
		return;
	}
	fill(s, c->len);
	if (!agree(s, c->peer))
		bench_fail(b, c->name, "the peer gives other values");
	if (bench_interleave(b, by, RTE_DIM(by)) < 0)
		bench_fail(b, c->name, "a run gave no figure");
	bench_report_stats(b, &result, &by[0].stat, &by[1].stat);
	tp_flow_free(s->flow);
}

int
main(int argc, char **argv)
{
	static struct scene s;
	struct bench b;
	int rc = bench_init(&b, "hash", argc, argv, NULL);

	if (rc != 0)
		return bench_exit_code(rc);
	for (size_t i = 0; i < RTE_DIM(cases); i++)
		if (bench_wants(&b, cases[i].name))
			run_case(&b, &s, &cases[i]);
	return bench_fini(&b);
}
