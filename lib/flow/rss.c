/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Does a port's RSS compute our hash? Kernels take a frame's RSS hash only when its
 * packet_type says TCP or UDP outside of any tunnel; all else they hash themselves.
 */

#include <string.h>

#include <rte_ethdev.h>

#include "flow_int.h"

#define RSS_NEEDED                                                                                 \
	(RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |                             \
	                RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP)
/* Types that leave the hash of plain TCP and UDP as it is. The _EX types would take the
 * addresses of mobile IPv6 headers.
 */
#define RSS_HARMLESS                                                                               \
	(RSS_NEEDED | RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_SCTP |   \
	                RTE_ETH_RSS_NONFRAG_IPV4_OTHER | RTE_ETH_RSS_IPV6 |                        \
	                RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_SCTP |                    \
	                RTE_ETH_RSS_NONFRAG_IPV6_OTHER | RTE_ETH_RSS_L2_PAYLOAD |                  \
	                RTE_ETH_RSS_LEVEL_OUTERMOST)

static bool
same_function(const struct rte_eth_rss_conf *rss)
{
#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
	return rss->algorithm == RTE_ETH_HASH_FUNCTION_DEFAULT ||
	       rss->algorithm == RTE_ETH_HASH_FUNCTION_TOEPLITZ;
#else
	/* Without rte_flow rules a port has its default function, Toeplitz. */
	(void)rss;
	return true;
#endif
}

bool
flow_rss_possible(const struct tp_flow_conf *conf)
{
	return conf->policy == TP_FLOW_L34 && conf->fn == TP_FLOW_TOEPLITZ && !conf->symmetric;
}

bool
tp_flow_rss_same(const struct tp_flow *flow, uint16_t port_id)
{
	uint8_t key[UINT8_MAX];
	struct rte_eth_dev_info info;
	struct rte_eth_rss_conf rss = { .rss_key = key };
	const struct tp_flow_conf *conf = &flow->conf;

	if (!flow_rss_possible(conf))
		return false;
	if (rte_eth_dev_info_get(port_id, &info) != 0)
		return false;
	/* Some drivers with keys of the usual length do not tell it. */
	rss.rss_key_len = info.hash_key_size > 0 ? info.hash_key_size : TP_FLOW_KEY_LEN;
	if (rte_eth_dev_rss_hash_conf_get(port_id, &rss) != 0)
		return false;
	if ((rss.rss_hf & RSS_NEEDED) != RSS_NEEDED || (rss.rss_hf & ~RSS_HARMLESS) != 0)
		return false;
	return same_function(&rss) && rss.rss_key_len >= TP_FLOW_KEY_LEN &&
	       memcmp(key, conf->key, TP_FLOW_KEY_LEN) == 0;
}

/* Does the port's hash cover what ours does? Only where it says that it found TCP or UDP, and
 * those as they lie in the frame, not in a tunnel.
 */
static inline bool
has_our_hash(const struct rte_mbuf *m)
{
	uint32_t type = m->packet_type & (RTE_PTYPE_L4_MASK | RTE_PTYPE_TUNNEL_MASK);

	return (m->ol_flags & RTE_MBUF_F_RX_RSS_HASH) != 0 &&
	       (type == RTE_PTYPE_L4_TCP || type == RTE_PTYPE_L4_UDP);
}

/* Frames that the port left to us. */
static uint64_t
hash_rest(const struct tp_flow *flow, struct rte_mbuf *const *pkts, uint64_t rest, uint32_t *hash)
{
	uint32_t sorted[TP_BURST_MAX];
	struct rte_mbuf *left[TP_BURST_MAX];
	uint8_t index[TP_BURST_MAX];
	uint64_t special = 0, seen;
	uint16_t nb = 0;

	for (; rest != 0; rest &= rest - 1) {
		index[nb] = (uint8_t)__builtin_ctzll(rest);
		left[nb] = pkts[index[nb]];
		nb++;
	}
	seen = flow->burst_all(flow, left, nb, sorted);
	for (uint16_t i = 0; i < nb; i++) {
		hash[index[i]] = sorted[i];
		special |= (seen >> i & 1) << index[i];
	}
	return special;
}

uint64_t
flow_burst_rss(const struct tp_flow *flow, struct rte_mbuf **pkts, uint16_t nb_pkts, uint32_t *hash)
{
	uint64_t rest = 0;

	for (uint16_t i = 0; i < nb_pkts; i++) {
		hash[i] = pkts[i]->hash.rss;
		rest |= (uint64_t)!has_our_hash(pkts[i]) << i;
	}
	return rest == 0 ? 0 : hash_rest(flow, pkts, rest, hash);
}
