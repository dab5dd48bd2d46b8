/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** The table of what the host uses, from inside. */
#ifndef ANNOUNCE_INT_H
#define ANNOUNCE_INT_H

#include "tp_team.h"

/** Ethernet, two tags, and the longest IPv4 header, or IPv6 with some extension headers. */
#define ANN_HDR_MAX 128
/** Sources of a group that are remembered; with more of them all are asked for. */
#define ANN_SOURCES 16
#define ANN_AGE (600 * TP_NS_PER_S)

/** An address in use, or a free slot. */
struct ann_addr {
	bool used;
	bool own;    /**< the daemon's: never ages, follows the team's MAC */
	bool router; /**< IPv6: neighbours would forget their router if it denied to be one */
	uint8_t family;
	uint16_t vid;
	struct rte_ether_addr mac;
	uint8_t addr[16];
	uint64_t seen;
};

/** A group that was joined, or a free slot. */
struct ann_group {
	bool used;
	bool exclude; /**< filter mode (RFC 3376 4.2.12): all sources but these */
	uint8_t family;
	uint8_t type; /**< of the message that it was reported by */
	uint8_t nb_sources;
	uint8_t hdr_len; /**< of hdr, all before the message */
	uint8_t l3_off;
	uint16_t vid;
	uint64_t seen;
	uint8_t group[16];
	uint8_t source[ANN_SOURCES][16];
	uint8_t hdr[ANN_HDR_MAX];
};

struct tp_announce {
	struct rte_ether_addr mac; /**< the team's when last told; all zero before */
	struct ann_addr addr[TP_ANNOUNCE_MAX];
	struct ann_group group[TP_ANNOUNCE_MAX];
};

/** A frame that is being learned from. */
struct ann_frame {
	const struct rte_mbuf *m;
	struct tp_pkt_info info;
	uint64_t now;
	uint16_t vid;
	bool tag_offloaded; /**< the tag is beside the frame */
	uint16_t tci;
	uint16_t l4_off;
	struct rte_ether_addr src;
};

static inline uint8_t
ann_addr_len(uint8_t family)
{
	return family == 4 ? 4 : 16;
}

static inline bool
ann_is_old(uint64_t seen, uint64_t now)
{
	return now > seen && now - seen > ANN_AGE;
}

/** @return buf with the len bytes at off, or NULL: beyond the packet */
const void *ann_look(const struct ann_frame *f, uint32_t off, uint32_t len, void *buf);

/** Tell the team's MAC; what was learned with the one before follows. */
void ann_set_mac(struct tp_announce *ann, const struct rte_ether_addr *mac);

/** Learn from IGMP or MLD. */
void ann_learn_groups(struct tp_announce *ann, const struct ann_frame *f);
/** Those that are reported with the old MAC are from now on with the new one. */
void ann_groups_new_mac(struct tp_announce *ann, const struct rte_ether_addr *old,
                const struct rte_ether_addr *mac);

#endif
