/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_env.h"

struct rte_mempool *pool, *indirect, *recs;
const struct tp_tcp_secret secret = { { 1, 2 }, { 3, 4 }, { 5, 6 }, { 7, 8 } };

void
tcp_env_start(uint32_t nb_mbufs, uint32_t nb_recs)
{
	fuzz_start("-m 128");
	pool = rte_pktmbuf_pool_create("pool", nb_mbufs, 0, 0, 2048 + 128, SOCKET_ID_ANY);
	indirect = rte_pktmbuf_pool_create("indirect", nb_mbufs, 0, 0, 0, SOCKET_ID_ANY);
	recs = tp_tcp_rec_pool_create("recs", nb_recs, 0, SOCKET_ID_ANY);
	CHECK(pool != NULL && indirect != NULL && recs != NULL);
}

struct rte_mbuf *
tcp_env_payload(uint32_t len, uint32_t piece)
{
	struct rte_mbuf *head = NULL, **at = &head;

	piece = RTE_MIN(RTE_MAX(piece, 16u), 2048u);
	for (uint32_t n; len > 0; len -= n, at = &(*at)->next) {
		n = RTE_MIN(len, piece);
		*at = rte_pktmbuf_alloc(pool);
		if (*at == NULL) {
			rte_pktmbuf_free(head);
			return NULL;
		}
		memset(rte_pktmbuf_append(*at, n), 0x5a, n);
	}
	return head;
}

void
tcp_env_output(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now, uint32_t max,
                void (*check)(const struct rte_mbuf *m))
{
	struct rte_mbuf *pkts[16];
	uint32_t nb = 0;
	uint16_t n;

	do {
		n = tp_tcp_output(env, c, now, pkts, RTE_DIM(pkts));
		if (check != NULL)
			check(NULL);
		for (uint16_t i = 0; i < n; i++) {
			if (check != NULL)
				check(pkts[i]);
			rte_pktmbuf_free(pkts[i]);
		}
		nb += n;
		CHECK(nb < max);
	} while (n == RTE_DIM(pkts));
	tp_tcp_events(c);
}

void
tcp_env_all_back(void)
{
	CHECK(rte_mempool_in_use_count(pool) == 0);
	CHECK(rte_mempool_in_use_count(indirect) == 0);
	CHECK(rte_mempool_in_use_count(recs) == 0);
}
