/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Packets of connections that another member owns: forwarded with the handle and its generation, so
 * that the receiver need not look it up, and knows when it is too late. On a ring nothing keeps a
 * handle from being used again: what else it says may be another connection's, or half of it.
 */

#include <netinet/in.h>

#include "toe_int.h"

/* A packet that follows its connection around gives up after so many members. */
#define MAX_HOPS 3

void
foreign_send(struct tp_toe_shard *s, uint32_t index, uint64_t word, struct rte_mbuf *m,
                uint8_t ingress, uint8_t hops)
{
	enum handle_state state = WORD_STATE(word);

	if (hops >= MAX_HOPS || (state != HANDLE_OWN && state != HANDLE_XFER) ||
	                WORD_MEMBER(word) == s->member) {
		s->ctr[hops >= MAX_HOPS ? TP_TOE_C_RX_HOPS : TP_TOE_C_RX_STALE]++;
		rte_pktmbuf_free(m);
		return;
	}
	*tp_meta(m) = (struct tp_meta){
		.kind = TP_KIND_FOREIGN,
		.ingress = ingress,
		.hops = hops + 1,
		.generation = WORD_GENERATION(word),
		.handle = index,
		.epoch = WORD_EPOCH(word),
	};
	s->ctr[TP_TOE_C_RX_FOREIGN]++;
	s->ops->forward(s->arg, WORD_MEMBER(word), &m, 1);
}

/* In TIME_WAIT a connection goes on under the next generation, where the table has it. */
static bool
lives_on(struct tp_toe_shard *s, uint32_t index, struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	struct tp_toe *toe = s->toe;
	struct tp_tcp_key key;

	return key_of(m, info, &key) &&
	       table_lookup(&toe->table, toe->handle, table_hash(&toe->table, &key), &key) == index;
}

bool
route_waited(struct tp_toe_shard *s, uint32_t index, uint32_t generation, struct rte_mbuf *m,
                const struct tp_pkt_info *info, uint8_t ingress, uint8_t hops)
{
	uint64_t word = atomic_load_explicit(&s->toe->handle[index].word, memory_order_acquire);

	/* Of this generation now, it stays of this connection until our next quiescent state. */
	if (unlikely(WORD_GENERATION(word) != generation) && !lives_on(s, index, m, info))
		return false;
	return route(s, index, m, info, ingress, hops);
}

static void
deliver(struct tp_toe_shard *s, struct rte_mbuf *m, const struct tp_pkt_info *info,
                const struct tp_meta *meta)
{
	struct tp_tcp_key key;

	if (route_waited(s, meta->handle, meta->generation, m, info, meta->ingress, meta->hops))
		return;
	/* It ended while this packet was on the ring. Only our own detour made it late: no RST for
	 * that, the peer sees an end it knows of. A SYN is the next one's.
	 */
	if (!begins(m, info) || !key_of(m, info, &key) ||
	                !input_tcp(s, m, info, &key, table_hash(&s->toe->table, &key))) {
		s->ctr[TP_TOE_C_RX_STALE]++;
		rte_pktmbuf_free(m);
	}
}

static void
foreign_one(struct tp_toe_shard *s, struct rte_mbuf *m)
{
	struct tp_meta meta = *tp_meta(m);
	struct tp_pkt_info info;

	if (unlikely(meta.kind == TP_KIND_MESSAGE)) {
		pull_asked(s, m);
		return;
	}
	s->ctr[TP_TOE_C_RX_FORWARDED]++;
	tp_pkt_parse(m, &info);
	if (info.flags & TP_PKT_F_FRAG) {
		fragment_here(s, m, &info);
		return;
	}
	if (info.l4_proto == IPPROTO_TCP && (info.flags & TP_PKT_F_L4) &&
	                meta.handle < s->toe->nb_handles) {
		deliver(s, m, &info, &meta);
		return;
	}
	if (info.l4_proto == IPPROTO_TCP || !input_icmp(s, m, &info, meta.hops)) {
		s->ctr[TP_TOE_C_RX_STALE]++;
		rte_pktmbuf_free(m);
	}
}

void
tp_toe_foreign(struct tp_toe_shard *s, struct rte_mbuf **pkts, uint16_t nb_pkts, uint64_t now)
{
	s->now = now;
	for (uint16_t i = 0; i < nb_pkts; i++)
		foreign_one(s, pkts[i]);
	working_on(s, NO_INDEX);
}
