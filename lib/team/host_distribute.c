/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* From the host port to the members (claims A1, A3): each mode chooses, one function sends. */

#include <rte_byteorder.h>
#include <rte_prefetch.h>

#include "host_int.h"

/* Rx flags that mean work before the frame may leave by a port (tp_pkt_rx_to_intent()). The
 * GOOD bit of a checksum alone means none.
 */
#define RX_WORK                                                                                    \
	(RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED | RTE_MBUF_F_RX_LRO |           \
	                RTE_MBUF_F_RX_L4_CKSUM_BAD | RTE_MBUF_F_TX_OFFLOAD_MASK)

/* Straight to our own egress, unless older frames wait on our ring or it is not ours just now. */
static bool
send_own(struct tp_host *h, struct tp_member *me, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	if (!rte_ring_empty(host_ring(h, me->id)) || member_halted(me) ||
	                tp_egress_room(&me->egress) < nb_pkts || !txg_enter(me))
		return false;
	tp_egress_burst(&me->egress, pkts, nb_pkts);
	txg_leave(me);
	me->ctr.c[TP_C_TX_OWN] += nb_pkts;
	return true;
}

static void
send_to(struct tp_host *h, struct tp_member *me, uint8_t to, struct rte_mbuf **pkts,
                uint16_t nb_pkts)
{
	uint16_t n;

	if (to == me->id && send_own(h, me, pkts, nb_pkts))
		return;
	n = tp_fabric_send(host_ring(h, to), pkts, nb_pkts, &me->ctr, TP_DROP_TX_RING_FULL);
	me->ctr.c[to == me->id ? TP_C_TX_OWN : TP_C_TX_FORWARDED] += n;
}

/* ---- the modes ------------------------------------------------------------ */

/* What a lazy move and the rebalancer want to know of each bucket. */
static void
note_buckets(struct tp_host *h, const struct tp_scatter *sc, const uint32_t *len, uint16_t nb_pkts,
                uint64_t now)
{
	for (uint16_t i = 0; i < nb_pkts; i++) {
		h->seen_ns[sc->bucket[i]] = now;
		h->bytes[sc->bucket[i]] += len[i];
	}
}

static void
send_scattered(struct tp_host *h, struct tp_member *me, struct tp_scatter *sc)
{
	uint16_t none = sc->first[TP_MAX_MEMBERS];

	for (uint32_t mask = sc->mask; mask != 0; mask &= mask - 1) {
		uint8_t to = rte_bsf32(mask);

		send_to(h, me, to, &sc->pkts[sc->first[to]], sc->first[to + 1] - sc->first[to]);
	}
	tp_drop_burst(&me->ctr, TP_DROP_TX_NO_MEMBER, &sc->pkts[none],
	                sc->first[TP_MAX_MEMBERS + 1] - none);
}

static void
by_map(struct tp_host *h, struct tp_member *me, struct rte_mbuf **pkts, const uint32_t *hash,
                uint16_t nb_pkts, uint64_t now)
{
	const struct tp_dist *d = h->dist;
	bool note = h->nb_lazy > 0 || d->mode == TP_MODE_LOAD;
	uint32_t len[TP_BURST_MAX];
	struct tp_scatter sc;

	if (unlikely(note)) {
		for (uint16_t i = 0; i < nb_pkts; i++)
			len[i] = pkts[i]->pkt_len;
	}
	tp_team_scatter(h->map, d->nb_buckets, h->nb_members, pkts, hash, nb_pkts, &sc);
	if (unlikely(note))
		note_buckets(h, &sc, len, nb_pkts, now);
	send_scattered(h, me, &sc);
}

static void
by_turns(struct tp_host *h, struct tp_member *me, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	const struct tp_dist *d = h->dist;
	struct rte_mbuf *mine[TP_BURST_MAX];

	for (uint16_t k = 0; k < d->nb_alive && k < nb_pkts; k++) {
		uint16_t n = 0;

		for (uint16_t i = k; i < nb_pkts; i += d->nb_alive)
			mine[n++] = pkts[i];
		send_to(h, me, d->alive[(h->rr_next + k) % d->nb_alive], mine, n);
	}
	h->rr_next = (h->rr_next + nb_pkts) % d->nb_alive;
}

static void
to_all(struct tp_host *h, struct tp_member *me, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	const struct tp_dist *d = h->dist;
	struct rte_mbuf *copy[TP_BURST_MAX];

	for (uint16_t i = 0; i < nb_pkts; i++)
		rte_pktmbuf_refcnt_update(pkts[i], d->nb_alive - 1);
	for (uint8_t k = 0; k < d->nb_alive; k++) {
		memcpy(copy, pkts, nb_pkts * sizeof(*pkts));
		send_to(h, me, d->alive[k], copy, nb_pkts);
	}
}

static void
choose(struct tp_host *h, struct tp_member *me, struct rte_mbuf **pkts, const uint32_t *hash,
                uint16_t nb_pkts, uint64_t now)
{
	const struct tp_dist *d = h->dist;

	if (tp_modes[d->mode].map)
		by_map(h, me, pkts, hash, nb_pkts, now);
	else if (d->nb_alive == 0 || (tp_modes[d->mode].single && d->active == TP_MEMBER_NONE))
		tp_drop_burst(&me->ctr, TP_DROP_TX_NO_MEMBER, pkts, nb_pkts);
	else if (tp_modes[d->mode].single)
		send_to(h, me, d->active, pkts, nb_pkts);
	else if (d->mode == TP_MODE_BROADCAST)
		to_all(h, me, pkts, nb_pkts);
	else
		by_turns(h, me, pkts, nb_pkts);
}

/* ---- what is special about some frames ------------------------------------ */

/* A copy for control of what tells which addresses and groups the host uses. */
static void
snoop(struct tp_member *me, const struct rte_mbuf *m)
{
	struct rte_ring *ring = me->fabric->ring[me->id][TP_NODE_CONTROL];
	struct rte_mbuf *copy = tp_pkt_copy(m, me->pool);

	if (copy == NULL)
		return;
	*tp_meta(copy) = (struct tp_meta){
		.kind = TP_KIND_FRAME,
		.ingress = TP_MEMBER_NONE,
		.why = TP_WHY_SNOOP,
	};
	tp_fabric_send(ring, &copy, 1, &me->ctr, TP_DROP_CTL_RING_FULL);
}

/* @return the member that the frame must leave by, or TP_MEMBER_NONE: as the mode chooses */
static uint8_t
examine(struct tp_host *h, struct tp_member *me, const struct rte_mbuf *m, uint64_t now)
{
	const struct tp_dist *d = h->dist;
	struct tp_pkt_info info;
	uint8_t to;

	tp_pkt_parse(m, &info);
	if ((info.flags & (TP_PKT_F_NEIGH | TP_PKT_F_GROUP)) == 0)
		return TP_MEMBER_NONE;
	snoop(me, m);
	if (tp_modes[d->mode].single || d->mode == TP_MODE_BROADCAST)
		return TP_MEMBER_NONE;
	to = host_asked_by(h, m, &info, now);
	return to < TP_MAX_MEMBERS && (d->alive_mask & RTE_BIT32(to)) ? to : TP_MEMBER_NONE;
}

/* @return frames left for the mode to choose a member for, moved up with their hashes */
static uint16_t
examine_special(struct tp_host *h, struct tp_member *me, struct rte_mbuf **pkts, uint32_t *hash,
                uint16_t nb_pkts, uint64_t special, uint64_t now)
{
	uint16_t left = 0;

	for (uint16_t i = 0; i < nb_pkts; i++) {
		uint8_t to = special & RTE_BIT64(i) ? examine(h, me, pkts[i], now) : TP_MEMBER_NONE;

		if (to != TP_MEMBER_NONE) {
			send_to(h, me, to, &pkts[i], 1);
			continue;
		}
		hash[left] = hash[i];
		pkts[left++] = pkts[i];
	}
	return left;
}

/* Frames whose EtherType or protocol can be of interest, for the modes that do not hash. */
static uint64_t
find_special(struct rte_mbuf **pkts, uint32_t *hash, uint16_t nb_pkts)
{
	uint64_t special = 0;

	memset(hash, 0, nb_pkts * sizeof(*hash));
	for (uint16_t i = 0; i < nb_pkts; i++) {
		const struct rte_mbuf *m = pkts[i];
		const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
		uint16_t type;

		if (unlikely(m->data_len < 34))
			continue;
		type = (uint16_t)p[12] << 8 | p[13];
		if (likely(type == RTE_ETHER_TYPE_IPV4 && p[23] != IPPROTO_IGMP))
			continue;
		if (type == RTE_ETHER_TYPE_IPV6 && p[20] != IPPROTO_ICMPV6 &&
		                p[20] != IPPROTO_HOPOPTS)
			continue;
		special |= RTE_BIT64(i);
	}
	return special;
}

/* @return frames left; those with requests that cannot be met are dropped */
static uint16_t
fix_intent(struct tp_member *me, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < nb_pkts; i++) {
		if (likely(tp_pkt_rx_to_intent(pkts[i], NULL) == 0))
			pkts[n++] = pkts[i];
		else
			tp_drop_burst(&me->ctr, TP_DROP_TX_BAD_INTENT, &pkts[i], 1);
	}
	return n;
}

void
host_distribute(struct tp_host *h, struct tp_member *me, struct rte_mbuf **pkts, uint16_t nb_pkts,
                uint64_t flags, uint64_t now)
{
	alignas(RTE_CACHE_LINE_SIZE) uint32_t hash[TP_BURST_MAX];
	uint64_t special;

	if (unlikely(flags & RX_WORK)) {
		nb_pkts = fix_intent(me, pkts, nb_pkts);
		if (nb_pkts == 0)
			return;
	}
	if (tp_modes[h->dist->mode].map)
		special = tp_flow_hash_burst(h->dist->flow, pkts, nb_pkts, hash);
	else
		special = find_special(pkts, hash, nb_pkts);
	if (unlikely(special != 0))
		nb_pkts = examine_special(h, me, pkts, hash, nb_pkts, special, now);
	if (nb_pkts > 0)
		choose(h, me, pkts, hash, nb_pkts, now);
}

/* How many frames every ring that might be chosen still takes. */
static uint32_t
hand_out_room(struct tp_host *h)
{
	const struct tp_dist *d = h->dist;
	uint32_t room = h->burst;

	for (uint8_t k = 0; k < d->nb_alive; k++)
		room = RTE_MIN(room, rte_ring_free_count(host_ring(h, d->alive[k])));
	return room;
}

/* One full ring must not hold up the others: does the oldest frame have room where it belongs? */
static bool
oldest_fits(struct tp_host *h)
{
	const struct host_stash *s = &h->stash;
	struct rte_mbuf *oldest = s->slot[s->head & s->mask];
	uint32_t hash[TP_BURST_MAX];
	uint8_t to;

	if (!tp_modes[h->dist->mode].map)
		return false;
	tp_flow_hash_burst(h->dist->flow, &oldest, 1, hash);
	to = h->map[tp_bucket_of(hash[0], h->dist->nb_buckets)];
	return to == TP_MEMBER_NONE || rte_ring_free_count(host_ring(h, to)) > 0;
}

uint16_t
host_hand_out(struct tp_host *h, struct tp_member *me, uint64_t now)
{
	struct host_stash *s = &h->stash;
	alignas(RTE_CACHE_LINE_SIZE) uint32_t hash[TP_BURST_MAX];
	struct rte_mbuf *pkts[TP_BURST_MAX];
	uint16_t n = RTE_MIN(stash_count(s), hand_out_room(h));

	if (n == 0 && stash_count(s) > 0 && oldest_fits(h))
		n = 1;

	for (uint16_t i = 0; i < n; i++)
		pkts[i] = s->slot[(s->head + i) & s->mask];
	if (n == 0)
		return 0;
	stash_set_head(s, s->head + n);
	me->ctr.c[TP_C_TX_DRAINED] += n;
	if (tp_modes[h->dist->mode].map)
		tp_flow_hash_burst(h->dist->flow, pkts, n, hash);
	choose(h, me, pkts, hash, n, now);
	return n;
}
