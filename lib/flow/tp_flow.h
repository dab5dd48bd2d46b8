/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** Flow hashes of frames: which fields (policy), which function, on which vector units. */
#ifndef TP_FLOW_H
#define TP_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "tp_core.h"

/** Fields that a policy hashes; a frame without them hashes on what is there, down to its
 * MAC addresses.
 */
enum tp_flow_policy {
	TP_FLOW_L34,         /**< IP addresses and TCP/UDP/SCTP ports; fragments without ports */
	TP_FLOW_L23,         /**< MAC and IP addresses */
	TP_FLOW_L2,          /**< MAC addresses and EtherType */
	TP_FLOW_DST,         /**< destination IP address, or FC D_ID in FCoE (claims A4, A5) */
	TP_FLOW_VLAN_SRCMAC, /**< VLAN and source MAC */
	TP_FLOW_FC,          /**< FCoE: S_ID, D_ID, OX_ID; else as L34 */
	TP_FLOW_NB_POLICIES,
};

enum tp_flow_fn {
	TP_FLOW_TOEPLITZ,
	TP_FLOW_CRC32C,
	TP_FLOW_NB_FNS,
};

/** Vector units, in rising order of preference. */
enum tp_flow_isa {
	TP_FLOW_ISA_SCALAR,
	TP_FLOW_ISA_SSE42,
	TP_FLOW_ISA_AVX2,
	TP_FLOW_ISA_AVX512, /**< AVX-512 BW, VL, DQ, VBMI and GFNI */
	TP_FLOW_NB_ISAS,
	TP_FLOW_ISA_BEST = TP_FLOW_NB_ISAS, /**< the best this CPU has */
};

/** May code for this unit run here? By what the CPU has and the kernel saves. Any thread; before
 * rte_eal_init() too.
 */
bool tp_flow_isa_supported(enum tp_flow_isa isa);
/** @return the most preferred unit that is supported */
enum tp_flow_isa tp_flow_isa_best(void);

/** Bytes of a Toeplitz key: 40 as NICs have it covers the 36 bytes of an IPv6 tuple. */
#define TP_FLOW_KEY_LEN 40
/** Microsoft's verification key, the default of most NICs. */
extern const uint8_t tp_flow_key_default[TP_FLOW_KEY_LEN];

struct tp_flow_conf {
	uint8_t policy; /**< enum tp_flow_policy */
	uint8_t fn;     /**< enum tp_flow_fn */
	uint8_t isa;    /**< enum tp_flow_isa; TP_FLOW_ISA_BEST unless testing */
	bool symmetric; /**< sort the two endpoints first, so that both directions match */
	bool trust_rss; /**< use mbuf.hash.rss where RTE_MBUF_F_RX_RSS_HASH is set: only when
			    * the port's RSS computes this very function, see tp_flow_rss_same().
			    * Believed for TCP and UDP by packet_type; without effect but for
			    * L34, Toeplitz, not symmetric */
	uint8_t key[TP_FLOW_KEY_LEN]; /**< Toeplitz key, big endian as on the wire */
};

/** A prepared hash. Read-only after tp_flow_init(); any thread. Opaque tables inside. */
struct tp_flow;

/** @return prepared tables on the NUMA node, or NULL with rte_errno (EINVAL: bad conf;
 * ENOTSUP: this CPU lacks conf->isa)
 */
struct tp_flow *tp_flow_create(const struct tp_flow_conf *conf, int socket_id);
void tp_flow_free(struct tp_flow *flow);
/** @return what is really used (never TP_FLOW_ISA_BEST) */
const struct tp_flow_conf *tp_flow_conf(const struct tp_flow *flow);

/** Parse and hash a burst in one go. Any thread; touches each header once.
 * @param pkts [nb_pkts] borrowed, nb_pkts <= TP_BURST_MAX
 * @param hash [TP_BURST_MAX] out: host order; Toeplitz of the tuple is bit-exact with
 *   rte_softrss_be. All of the array may be overwritten.
 * @return bit i set: frame i is one that control may want to see: IGMP, ICMPv6, or neither
 *   IPv4 nor IPv6 (ARP, slow protocols, LLDP, ...)
 */
uint64_t tp_flow_hash_burst(const struct tp_flow *flow, struct rte_mbuf **pkts, uint16_t nb_pkts,
                uint32_t *hash);

/** Hash ready tuples, as rte_softrss_be does. Any thread.
 * @param tuples [nb] tuples of len bytes each, wire order, packed
 * @param len 12 (IPv4, ports) or 36 (IPv6, ports)
 * @param hash [nb] out
 */
void tp_flow_hash_tuples(const struct tp_flow *flow, const uint8_t *tuples, uint16_t len,
                uint16_t nb, uint32_t *hash);

/** Does the port's RSS (key, hash types, function, as configured now) give the same hash for
 * every frame that it marks with RTE_MBUF_F_RX_RSS_HASH? Control.
 */
bool tp_flow_rss_same(const struct tp_flow *flow, uint16_t port_id);

/** Names as in the command language ("l34", "toeplitz", "avx512"). @return static text or NULL */
const char *tp_flow_policy_name(enum tp_flow_policy policy);
const char *tp_flow_fn_name(enum tp_flow_fn fn);
const char *tp_flow_isa_name(enum tp_flow_isa isa);
/** @return the enumerator or -EINVAL */
int tp_flow_policy_parse(const char *name);
int tp_flow_fn_parse(const char *name);

#endif
