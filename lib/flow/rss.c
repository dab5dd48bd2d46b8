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
tp_flow_rss_same(const struct tp_flow *flow, uint16_t port_id)
{
	uint8_t key[UINT8_MAX];
	struct rte_eth_dev_info info;
	struct rte_eth_rss_conf rss = { .rss_key = key };
	const struct tp_flow_conf *conf = &flow->conf;

	if (conf->policy != TP_FLOW_L34 || conf->fn != TP_FLOW_TOEPLITZ || conf->symmetric)
		return false;
	if (rte_eth_dev_info_get(port_id, &info) != 0 || info.hash_key_size < TP_FLOW_KEY_LEN)
		return false;
	rss.rss_key_len = info.hash_key_size;
	if (rte_eth_dev_rss_hash_conf_get(port_id, &rss) != 0)
		return false;
	if ((rss.rss_hf & RSS_NEEDED) != RSS_NEEDED || (rss.rss_hf & ~RSS_HARMLESS) != 0)
		return false;
	return same_function(&rss) && rss.rss_key_len >= TP_FLOW_KEY_LEN &&
	       memcmp(key, conf->key, TP_FLOW_KEY_LEN) == 0;
}
