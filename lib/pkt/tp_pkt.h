/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** Packets: bounded parsing (once, in bulk), building, checksums, and the egress stage
 * that satisfies a packet's intent on any port.
 */
#ifndef TP_PKT_H
#define TP_PKT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "tp_core.h"

/* ---- parsing ------------------------------------------------------------ */

/** Deepest network layer that is really there: the bytes named are within the frame. */
enum tp_l3 {
	TP_L3_NONE, /**< unknown EtherType, LLC, or not even an Ethernet header */
	TP_L3_IPV4, /**< 20 bytes of header (RFC 791), version 4 */
	TP_L3_IPV6, /**< 40 bytes of header (RFC 8200), version 6 */
	TP_L3_ARP,  /**< 28 bytes, what ARP has for Ethernet and IPv4 (RFC 826) */
	TP_L3_FCOE, /**< 14 bytes of FCoE and 24 of Fibre Channel header (FC-BB-5) */
	TP_L3_SLOW, /**< IEEE 802.3 slow protocols (LACP, marker): the subtype */
	TP_L3_LLDP, /**< IEEE 802.1AB: the first TLV's header */
};

#define TP_PKT_F_RUNT 0x0001      /**< shorter than an Ethernet header */
#define TP_PKT_F_MULTICAST 0x0002 /**< group destination MAC, broadcast included */
#define TP_PKT_F_BROADCAST 0x0004
#define TP_PKT_F_VLAN 0x0008       /**< one tag at least (in the frame, or stripped) */
#define TP_PKT_F_QINQ 0x0010       /**< two tags */
#define TP_PKT_F_FRAG 0x0020       /**< IP fragment, the first one included: no ports */
#define TP_PKT_F_BAD 0x0040        /**< truncated or lying header below what is reported */
#define TP_PKT_F_LINK_LOCAL 0x0080 /**< destination 01-80-C2-00-00-0X (IEEE 802.1Q 8.6.3) */
#define TP_PKT_F_L4 0x0100         /**< the L4 header at l4_off is whole */
#define TP_PKT_F_NEIGH 0x0200      /**< ARP, or ICMPv6 types 133..137 (ND) */
#define TP_PKT_F_GROUP 0x0400      /**< IGMP, or ICMPv6 MLD (130..132, 143) */
#define TP_PKT_F_ROUTED 0x0800     /**< IPv6 routing header that names a later destination */

/** What parsing one frame found. Offsets are bytes from the start of the frame. */
struct tp_pkt_info {
	uint16_t flags;          /**< TP_PKT_F_* */
	uint8_t l3;              /**< enum tp_l3 */
	uint8_t l4_proto;        /**< IANA protocol number after extension headers; 0 unknown */
	uint16_t l3_off;         /**< network header; also the length of Ethernet and tags */
	uint16_t l4_off;         /**< transport header; whole when TP_PKT_F_L4, else only as much
				  * of it as lies before end_off; valid when l4_proto is not 0 and
				  * the packet is no TP_PKT_F_FRAG */
	uint16_t data_off;       /**< first byte behind the transport header, when TP_PKT_F_L4 */
	uint16_t end_off;        /**< end of the packet by its IP length; padding lies behind it.
				  * At most 65535, also when the packet is longer */
	uint16_t vlan_tci;       /**< outermost tag */
	uint16_t vlan_tci_inner; /**< second tag, when TP_PKT_F_QINQ */
};
static_assert(sizeof(struct tp_pkt_info) == 16, "four to a cache line");

/** Parse whole frames: Ethernet II, 802.1Q and QinQ (0x8100, 0x88a8, 0x9100; at most two
 * tags, stripped ones included), IPv4 with options, IPv6 with extension headers (at most 8),
 * TCP, UDP, SCTP, ICMP, ARP, FCoE. Never reads beyond pkt_len; headers may span segments. A
 * truncated or lying header gives the deepest layer that is really there and TP_PKT_F_BAD.
 * An IPv6 atomic fragment (RFC 6946) is no fragment. Any thread.
 * @param pkts [nb_pkts] borrowed; data_len of a frame's segments add up to its pkt_len
 * @param info [nb_pkts] out
 */
void tp_pkt_parse_burst(struct rte_mbuf *const *pkts, uint16_t nb_pkts, struct tp_pkt_info *info);

/** The same for one frame. */
void tp_pkt_parse(const struct rte_mbuf *m, struct tp_pkt_info *info);
/** The same; faster for frames that are anything but whole untagged TCP and UDP packets without
 * options, slower for those.
 */
void tp_pkt_parse_odd(const struct rte_mbuf *m, struct tp_pkt_info *info);

/** Is the checksum of the packet's TCP, UDP or ICMPv6 right? Computed, whatever the port said; a UDP
 * datagram over IPv4 without checksum is right. Any thread.
 * @param info result of parsing m, with TP_PKT_F_L4 and without TP_PKT_F_BAD
 */
bool tp_pkt_cksum_ok(const struct rte_mbuf *m, const struct tp_pkt_info *info);

/* ---- building ----------------------------------------------------------- */

/** ARP packet (RFC 826) as an Ethernet frame, at least 60 bytes.
 * @param op RTE_ARP_OP_REQUEST or RTE_ARP_OP_REPLY
 * @param vlan_tci 0: untagged
 * @return the frame, or NULL when the pool is empty
 */
struct rte_mbuf *tp_pkt_build_arp(struct rte_mempool *mp, uint16_t op, uint16_t vlan_tci,
                const struct rte_ether_addr *eth_dst, const struct rte_ether_addr *sha,
                rte_be32_t spa, const struct rte_ether_addr *tha, rte_be32_t tpa);
/** Neighbour solicitation (RFC 4861 4.3) to the solicited-node group of target.
 * @param src source address, or :: for a DAD probe (then without option)
 */
struct rte_mbuf *tp_pkt_build_ns(struct rte_mempool *mp, uint16_t vlan_tci,
                const struct rte_ether_addr *eth_src, const uint8_t src[16],
                const uint8_t target[16]);
/** Neighbour advertisement (RFC 4861 4.4). Unsolicited: dst is ff02::1.
 * @param flags bits R, S, O as in the first byte behind the checksum (0x80, 0x40, 0x20)
 */
struct rte_mbuf *tp_pkt_build_na(struct rte_mempool *mp, uint16_t vlan_tci,
                const struct rte_ether_addr *eth_dst, const struct rte_ether_addr *eth_src,
                const uint8_t src[16], const uint8_t dst[16], const uint8_t target[16],
                uint8_t flags);
/** Deep copy into one segment of mp. @return NULL when the pool is empty or too small */
struct rte_mbuf *tp_pkt_copy(const struct rte_mbuf *m, struct rte_mempool *mp);

/* ---- intent and egress -------------------------------------------------- */

/** Turn what a receiving port said of a frame into intent for transmission: a partial
 * checksum (virtio, vhost) becomes a checksum request, a coalesced frame (LRO) a segmentation
 * request, a stripped VLAN tag an insertion request; all other Rx flags are cleared, also
 * that of the RSS hash. vhost's legacy way to say the same with Tx flags is understood.
 * Lengths are set from the frame's real headers. A segmentation request that does not fit
 * the frame is removed: the frame is then sent whole, if the MTU lets it. Owner of the mbuf,
 * which is not shared.
 * @param info parse result of m, or NULL: parsed only if needed
 * @return 0, or -EINVAL when the frame must be dropped (TX_BAD_INTENT): it has a partial
 *   checksum, but no whole TCP, UDP or SCTP packet that it could belong to
 */
int tp_pkt_rx_to_intent(struct rte_mbuf *m, const struct tp_pkt_info *info);

/** Frames that an egress stage may hold back when the port takes no more. */
#define TP_EGRESS_HOLD 512

/** The egress stage of a port: satisfies each frame's intent in hardware or software and
 * transmits. One lcore at a time.
 *
 * Intent is: RTE_MBUF_F_TX_IP_CKSUM, _TCP_CKSUM, _UDP_CKSUM, _SCTP_CKSUM, _TCP_SEG (tso_segsz:
 * TCP payload of a segment), _UDP_SEG (tso_segsz: IP payload of a fragment), _VLAN (vlan_tci),
 * _QINQ (vlan_tci inner, vlan_tci_outer). Lengths and flags are checked against the frame,
 * checksum fields need no preparation. Anything else asked for is TX_BAD_INTENT.
 */
struct tp_egress {
	uint16_t port_id;
	uint16_t queue_id;
	uint16_t mtu;             /**< bytes of L3; larger frames without intent are dropped */
	uint16_t nb_hold;         /**< frames in hold */
	uint16_t hold_first;      /**< index of the oldest one */
	uint16_t max_segs;        /**< segments of a frame that the port takes */
	uint16_t max_segs_tso;    /**< the same for a frame that the port itself segments */
	uint64_t offloads;        /**< RTE_ETH_TX_OFFLOAD_* that are enabled on the port */
	uint64_t soft_flags;      /**< RTE_MBUF_F_TX_* that software must satisfy here;
				   * of L4 checksums `offloads` tells */
	struct rte_mempool *pool; /**< for copies, and for the headers of segments */
	struct rte_mempool *pool_indirect;     /**< for segments' payload, or NULL: it is copied */
	enum tp_counter c_packets, c_bytes;    /**< which counters count what the port took */
	enum tp_drop drop_full;                /**< reason when port and hold are full */
	struct tp_counters *ctr;               /**< of the lcore that transmits */
	struct rte_mbuf *hold[TP_EGRESS_HOLD]; /**< taken, not yet transmitted, in order */
};

/** Set up for a configured port; hold is empty, the MTU is the port's, counters are
 * TX_PACKETS and TX_BYTES, drop_full is TX_PORT_FULL: change them afterwards. Control.
 * @param offloads enabled on the port, a part of its tx_offload_capa
 * @param ctr may be NULL here, must be set before the first burst
 * @return 0; -EINVAL: no such queue, or no pool; -ENOTSUP: the port cannot do
 *   what offloads says; or what ethdev says of the port
 */
int tp_egress_init(struct tp_egress *eg, uint16_t port_id, uint16_t queue_id, uint64_t offloads,
                struct rte_mempool *pool, struct rte_mempool *pool_indirect,
                struct tp_counters *ctr);
/** Transmit in order, behind what is held. Frames that the port does not take are held; when
 * the hold is full they are dropped and counted. A frame that others hold too (refcnt > 1,
 * or a clone) is copied before it is edited.
 * @param pkts [nb_pkts] consumed
 * @return frames the port took, those from the hold and segments included
 */
uint16_t tp_egress_burst(struct tp_egress *eg, struct rte_mbuf **pkts, uint16_t nb_pkts);
/** Try again what is held. @return frames the port took */
uint16_t tp_egress_flush(struct tp_egress *eg);
/** Room in the hold: how many plain frames tp_egress_burst() surely loses none of. */
static inline uint16_t
tp_egress_room(const struct tp_egress *eg)
{
	return TP_EGRESS_HOLD - eg->nb_hold;
}
/** Take all held frames back, oldest first; what is left of their intent still stands, so that
 * another port's egress can send them. @param pkts [TP_EGRESS_HOLD] out @return how many
 */
uint16_t tp_egress_take_back(struct tp_egress *eg, struct rte_mbuf **pkts);

#endif
