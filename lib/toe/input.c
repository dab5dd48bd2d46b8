/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* From the wire to the connection (claims B1, B8): every received packet is examined; whose
 * connection is it, and is it here. In stages over the burst, so that the cache misses of one
 * packet overlap with those of the others.
 */

#include <netinet/in.h>
#include <string.h>

#include <rte_prefetch.h>
#include <rte_tcp.h>

#include "toe_int.h"

/* Fewer packets have nothing to overlap with. */
#define PREFETCH_MIN 4
/* Times that a connection may change hands under a packet. */
#define ROUTE_TRIES 4

/* What a packet of the burst turned out to be. */
enum what {
	NOT_OURS,
	SEGMENT,
	FRAGMENT,
	ICMP,
	BROKEN,   /* for our address, with a header that is damaged */
	UNWANTED, /* for our address, no TCP, and nobody else is there */
};

struct burst {
	struct tp_tcp_key key[TP_BURST_MAX];
	uint64_t hash[TP_BURST_MAX];
	uint8_t what[TP_BURST_MAX];
	uint16_t nb_pkts;
	/* Receive coalescing: the connection whose next segment may join the one that is held. */
	struct tp_tcp_conn *held_by;
	struct tp_tcp_seg *held;
	struct tp_tcp_seg seg[2];
};

bool
key_of(const struct rte_mbuf *m, const struct tp_pkt_info *info, struct tp_tcp_key *key)
{
	uint16_t ports[2];
	const uint16_t *p;

	if (!tp_inet_ends(m, info, key->raddr, key->laddr))
		return false;
	p = rte_pktmbuf_read(m, info->l4_off, sizeof(ports), ports);
	if (p == NULL)
		return false;
	memcpy(&key->rport, &p[0], sizeof(key->rport));
	memcpy(&key->lport, &p[1], sizeof(key->lport));
	return true;
}

bool
begins(const struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	struct rte_tcp_hdr hdr;
	const struct rte_tcp_hdr *tcp = rte_pktmbuf_read(m, info->l4_off, sizeof(hdr), &hdr);

	return tcp != NULL &&
	       (tcp->tcp_flags & (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG)) == RTE_TCP_SYN_FLAG;
}

static bool
is_icmp(const struct tp_pkt_info *info)
{
	if (info->flags & (TP_PKT_F_FRAG | TP_PKT_F_NEIGH | TP_PKT_F_GROUP))
		return false;
	return info->l4_proto == (info->l3 == TP_L3_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static bool
is_unwanted(const struct tp_toe_shard *s, const struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	const struct tp_toe_conf *conf = &s->toe->conf;
	uint8_t src[TP_INET_LEN], dst[TP_INET_LEN];

	return conf->answer && !conf->has_host &&
	       (info->flags & (TP_PKT_F_NEIGH | TP_PKT_F_GROUP)) == 0 &&
	       tp_inet_ends(m, info, src, dst) && tp_inet_is_local(s->toe->inet, dst);
}

static enum what
classify(const struct tp_toe_shard *s, const struct rte_mbuf *m, const struct tp_pkt_info *info,
                struct tp_tcp_key *key)
{
	if (info->l3 != TP_L3_IPV4 && info->l3 != TP_L3_IPV6)
		return NOT_OURS;
	/* Nor is what a switch floods and a promiscuous port takes: whoever it is for answers. */
	if (!rte_is_same_ether_addr(
	                    &rte_pktmbuf_mtod(m, const struct rte_ether_hdr *)->dst_addr, s->mac))
		return NOT_OURS;
	if (info->l4_proto == IPPROTO_TCP && (info->flags & TP_PKT_F_L4)) {
		if (key_of(m, info, key) && tp_inet_is_local(s->toe->inet, key->laddr))
			return SEGMENT;
		return NOT_OURS;
	}
	if (tp_inet_is_tcp_frag(s->toe->inet, m, info))
		return FRAGMENT;
	if (is_icmp(info) && tp_inet_ends(m, info, key->raddr, key->laddr) &&
	                tp_inet_is_local(s->toe->inet, key->laddr))
		return ICMP;
	if (is_unwanted(s, m, info))
		return UNWANTED;
	return NOT_OURS;
}

/* The word behind an index, and with it where the packet belongs. */
static uint64_t
word_of(const struct tp_toe *toe, uint32_t index)
{
	return atomic_load_explicit(&toe->handle[index].word, memory_order_acquire);
}

/* @return false: it was none, and is gone */
static bool
parse(struct tp_toe_shard *s, struct rte_mbuf *m, const struct tp_pkt_info *info,
                struct tp_tcp_seg *seg)
{
	if (likely(tp_tcp_parse(m, info, seg) == 0))
		return true;
	s->ctr[TP_TOE_C_RX_BAD]++;
	s->env.mib[TP_TCP_M_IN_ERRS]++;
	rte_pktmbuf_free(m);
	return false;
}

static void
input_segment(struct tp_toe_shard *s, struct tp_tcp_conn *c, struct tp_tcp_seg *seg,
                uint8_t arrival)
{
	struct handle *h = conn_handle(s, c);
	uint32_t una;

	working_on(s, c->owner_word);
	check_owner(s, c->owner_word);
	h->run = arrival == h->arrival ? RTE_MIN(h->run + seg->nb_coalesced, UINT8_MAX)
	                               : RTE_MIN(seg->nb_coalesced, UINT8_MAX);
	h->arrival = arrival; /* claim B9 */
	if (unlikely(c->state == TP_TCP_TIME_WAIT) && (seg->flags & TP_TCP_SYN) &&
	                open_again(s, c, seg))
		return;
	una = c->snd_una;
	tp_tcp_input(&s->env, c, seg, s->now);
	if (c->snd_una != una)
		tp_inet_confirm(s->inet, conn_dst(c));
	conn_dirty(s, c);
	if (arrival != s->member)
		conn_consider(s, c->owner_word);
}

void
input_conn(struct tp_toe_shard *s, struct tp_tcp_conn *c, struct rte_mbuf *m,
                const struct tp_pkt_info *info, uint8_t arrival)
{
	struct tp_tcp_seg seg;

	if (parse(s, m, info, &seg))
		input_segment(s, c, &seg, arrival);
}

/* ---- receive coalescing: within a burst, so that nothing waits ------------------------ */

static void
held_end(struct tp_toe_shard *s, struct burst *b)
{
	struct tp_tcp_conn *c = b->held_by;

	if (c == NULL)
		return;
	b->held_by = NULL;
	input_segment(s, c, b->held, s->member);
}

/* Of a connection that is here, the i-th of the burst: it joins what is held, or is held if it looks as
 * if the next one could join it. */
static void
input_burst(struct tp_toe_shard *s, struct tp_tcp_conn *c, struct rte_mbuf *m,
                const struct tp_pkt_info *info, struct burst *b, uint16_t i)
{
	struct tp_tcp_seg *seg = &b->seg[b->held == &b->seg[0]];

	if (!parse(s, m, info, seg))
		return;
	if (b->held_by == c && tp_tcp_join(b->held, seg))
		return;
	held_end(s, b);
	if (i + 1 < b->nb_pkts && b->what[i + 1] == SEGMENT && b->hash[i + 1] == b->hash[i]) {
		b->held_by = c;
		b->held = seg;
		return;
	}
	input_segment(s, c, seg, s->member);
}

/* For one that has ended: late, unless the next one begins, which may not wait. */
static bool
input_dead(struct tp_toe_shard *s, uint32_t index, struct rte_mbuf *m,
                const struct tp_pkt_info *info, const struct tp_tcp_key *key, uint64_t hash)
{
	if (begins(m, info)) {
		table_remove(&s->toe->table, hash, index);
		return open_input(s, m, info, key);
	}
	s->ctr[TP_TOE_C_RX_STALE]++;
	rte_pktmbuf_free(m);
	return true;
}

static bool
is_here(const struct tp_toe_shard *s, uint32_t index)
{
	uint64_t word = word_of(s->toe, index);

	return WORD_STATE(word) == HANDLE_OWN && WORD_MEMBER(word) == s->member;
}

/* Of a connection that is not here, if index is one's at all. */
static bool
input_stranger(struct tp_toe_shard *s, uint32_t index, struct rte_mbuf *m,
                const struct tp_pkt_info *info, const struct tp_tcp_key *key, uint64_t hash)
{
	if (index == NO_INDEX)
		return open_input(s, m, info, key);
	if (route(s, index, m, info, s->member, 0))
		return true;
	return input_dead(s, index, m, info, key, hash);
}

bool
input_tcp(struct tp_toe_shard *s, struct rte_mbuf *m, const struct tp_pkt_info *info,
                const struct tp_tcp_key *key, uint64_t hash)
{
	struct tp_toe *toe = s->toe;
	uint32_t index = table_lookup(&toe->table, toe->handle, hash, key);

	if (index == NO_INDEX || !is_here(s, index))
		return input_stranger(s, index, m, info, key, hash);
	input_conn(s, &s->conn[WHERE_SLOT(toe->handle[index].where)], m, info, s->member);
	return true;
}

/* Its owner may change while we look: whoever wins the word has it. */
bool
route(struct tp_toe_shard *s, uint32_t index, struct rte_mbuf *m, const struct tp_pkt_info *info,
                uint8_t ingress, uint8_t hops)
{
	struct pull *p;

	for (unsigned int tries = 0; tries < ROUTE_TRIES; tries++) {
		uint64_t word = word_of(s->toe, index);
		uint32_t where;

		if (WORD_STATE(word) == HANDLE_DEAD || WORD_STATE(word) == HANDLE_FREE)
			return false;
		if (WORD_STATE(word) == HANDLE_OWN && WORD_MEMBER(word) == s->member) {
			where = s->toe->handle[index].where;
			if (where == NO_INDEX)
				return false; /* an active open that is not there yet */
			input_conn(s, &s->conn[WHERE_SLOT(where)], m, info, ingress);
			return true;
		}
		if (may_take(s, word)) {
			/* What was kept for it ran at once, and may have ended it. */
			conn_take(s, index, word);
			continue;
		}
		p = pull_find(s, index);
		if (p != NULL)
			pull_hold(s, p, m, ingress);
		else
			foreign_send(s, index, word, m, ingress, hops);
		return true;
	}
	s->ctr[TP_TOE_C_RX_STALE]++;
	rte_pktmbuf_free(m);
	return true;
}

/* An error about one of our segments, if it is (RFC 5927); for another member's connection it
 * goes there as it came. */
static bool
input_icmp_error(struct tp_toe_shard *s, struct rte_mbuf *m, const struct tp_inet_error *err,
                uint8_t hops)
{
	static const enum tp_tcp_icmp kinds[TP_INET_NB_E_KINDS] = {
		[TP_INET_E_MTU] = TP_TCP_ICMP_MTU,
		[TP_INET_E_PORT] = TP_TCP_ICMP_HARD,
		[TP_INET_E_PROTO] = TP_TCP_ICMP_HARD,
		[TP_INET_E_NET] = TP_TCP_ICMP_SOFT,
		[TP_INET_E_TIME] = TP_TCP_ICMP_SOFT,
	};
	struct tp_toe *toe = s->toe;
	struct tp_tcp_key key = { .lport = err->lport, .rport = err->rport };
	struct tp_tcp_conn *c;
	uint32_t index;
	uint64_t word;

	if (err->proto != IPPROTO_TCP)
		return false;
	memcpy(key.laddr, err->laddr, sizeof(key.laddr));
	memcpy(key.raddr, err->raddr, sizeof(key.raddr));
	index = table_lookup(&toe->table, toe->handle, table_hash(&toe->table, &key), &key);
	if (index == NO_INDEX)
		return false;
	word = word_of(toe, index);
	if (may_take(s, word)) {
		conn_take(s, index, word);
		word = word_of(toe, index);
	}
	if (WORD_STATE(word) != HANDLE_OWN || WORD_MEMBER(word) != s->member ||
	                toe->handle[index].where == NO_INDEX) {
		foreign_send(s, index, word, m, s->member, hops);
		return true;
	}
	c = &s->conn[WHERE_SLOT(toe->handle[index].where)];
	working_on(s, index);
	check_owner(s, index);
	tp_tcp_icmp(&s->env, c, kinds[err->kind], err->seq, err->mtu, s->now);
	conn_dirty(s, c);
	rte_pktmbuf_free(m);
	return true;
}

bool
input_icmp(struct tp_toe_shard *s, struct rte_mbuf *m, const struct tp_pkt_info *info, uint8_t hops)
{
	struct tp_inet_error err;

	switch (tp_inet_icmp_input(s->inet, m, info, s->toe->conf.answer, s->now, &err)) {
	case TP_INET_ICMP_REPLY:
		transmit_frame(s, m);
		return true;
	case TP_INET_ICMP_ERROR:
		return input_icmp_error(s, m, &err, hops);
	case TP_INET_ICMP_DROP:
		rte_pktmbuf_free(m);
		return true;
	case TP_INET_ICMP_OTHER:
		break;
	}
	return false;
}

/* Fragments meet on the member that their hash names. */
static void
input_fragment(struct tp_toe_shard *s, struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	uint32_t hash = tp_inet_frag_hash(s->toe->inet, m, info);
	uint8_t to = s->toe->member_of(s->toe->member_of_arg, hash);

	if (to == s->member || to == TP_MEMBER_NONE) {
		fragment_here(s, m, info);
		return;
	}
	*tp_meta(m) = (struct tp_meta){
		.kind = TP_KIND_FOREIGN, .ingress = s->member, .handle = NO_INDEX
	};
	s->ctr[TP_TOE_C_RX_FOREIGN]++;
	s->ops->forward(s->arg, to, &m, 1);
}

void
fragment_here(struct tp_toe_shard *s, struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	struct tp_pkt_info whole;
	struct tp_tcp_key key;

	m = tp_inet_reassemble(s->inet, m, info, s->now);
	if (m == NULL)
		return;
	tp_pkt_parse(m, &whole);
	if ((whole.flags & TP_PKT_F_L4) == 0 || whole.l4_proto != IPPROTO_TCP ||
	                !key_of(m, &whole, &key) ||
	                !input_tcp(s, m, &whole, &key, table_hash(&s->toe->table, &key))) {
		s->ctr[TP_TOE_C_RX_BAD]++;
		rte_pktmbuf_free(m);
	}
}

/* RFC 1122 3.2.2.1, 4.1.3.1; RFC 4443 3.1, 3.4. What is damaged has no sender to be told. */
static struct rte_mbuf *
answer_unwanted(struct tp_toe_shard *s, const struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	switch (info->l4_proto) {
	case IPPROTO_UDP:
		if ((info->flags & (TP_PKT_F_L4 | TP_PKT_F_BAD)) != TP_PKT_F_L4 ||
		                !tp_pkt_cksum_ok(m, info))
			return NULL;
		return tp_inet_unreach(s->inet, m, info, TP_INET_E_PORT, s->now);
	case IPPROTO_TCP:
	case IPPROTO_NONE:
		return NULL;
	default:
		return tp_inet_unreach(s->inet, m, info, TP_INET_E_PROTO, s->now);
	}
}

static void
input_unwanted(struct tp_toe_shard *s, struct rte_mbuf *m, const struct tp_pkt_info *info)
{
	struct rte_mbuf *answer = answer_unwanted(s, m, info);

	s->ctr[TP_TOE_C_RX_UNREACH]++;
	rte_pktmbuf_free(m);
	if (answer != NULL)
		transmit_frame(s, answer);
}

/* Stage 1: what is each, and where in the table would it be. @return is anything ours? */
static bool
look(struct tp_toe_shard *s, struct rte_mbuf *const *pkts, const struct tp_pkt_info *info,
                uint16_t nb_pkts, struct burst *b)
{
	bool any = false;

	for (uint16_t i = 0; i < nb_pkts; i++) {
		b->what[i] = classify(s, pkts[i], &info[i], &b->key[i]);
		if (b->what[i] != NOT_OURS && unlikely(!tp_inet_hdr_ok(pkts[i], &info[i])))
			b->what[i] = BROKEN;
		any |= b->what[i] != NOT_OURS;
		if (b->what[i] != SEGMENT)
			continue;
		s->ctr[TP_TOE_C_RX_SEGS]++;
		b->hash[i] = table_hash(&s->toe->table, &b->key[i]);
	}
	return any;
}

/* Stage 2: table, handles, connections, each for the whole burst before the next. */
static void
prefetch(const struct tp_toe_shard *s, const struct burst *b, uint16_t nb_pkts)
{
	uint32_t index[TP_BURST_MAX];

	for (uint16_t i = 0; i < nb_pkts; i++) {
		if (b->what[i] == SEGMENT)
			table_prefetch(&s->toe->table, b->hash[i]);
	}
	for (uint16_t i = 0; i < nb_pkts; i++) {
		index[i] = b->what[i] == SEGMENT ? table_guess(&s->toe->table, b->hash[i])
		                                 : NO_INDEX;
		if (index[i] != NO_INDEX)
			rte_prefetch0(&s->toe->handle[index[i]]);
	}
	for (uint16_t i = 0; i < nb_pkts; i++) {
		if (index[i] != NO_INDEX)
			conn_prefetch(s, index[i]);
	}
}

static bool
deliver_segment(struct tp_toe_shard *s, struct rte_mbuf *m, const struct tp_pkt_info *info,
                struct burst *b, uint16_t i)
{
	struct tp_toe *toe = s->toe;
	uint32_t index = table_lookup(&toe->table, toe->handle, b->hash[i], &b->key[i]);

	if (likely(index != NO_INDEX && is_here(s, index))) {
		input_burst(s, &s->conn[WHERE_SLOT(toe->handle[index].where)], m, info, b, i);
		return true;
	}
	held_end(s, b);
	if (input_stranger(s, index, m, info, &b->key[i], b->hash[i]))
		return true;
	s->ctr[TP_TOE_C_RX_HOST]++;
	return false;
}

/* Stage 3: hand over. @return false: the host may have it */
static bool
deliver(struct tp_toe_shard *s, struct rte_mbuf *m, const struct tp_pkt_info *info, struct burst *b,
                uint16_t i)
{
	if (b->what[i] != SEGMENT)
		held_end(s, b);
	switch ((enum what)b->what[i]) {
	case SEGMENT:
		return deliver_segment(s, m, info, b, i);
	case FRAGMENT:
		input_fragment(s, m, info);
		return true;
	case ICMP:
		return input_icmp(s, m, info, 0);
	case BROKEN:
		s->ctr[TP_TOE_C_RX_BAD]++;
		rte_pktmbuf_free(m);
		return true;
	case UNWANTED:
		input_unwanted(s, m, info);
		return true;
	case NOT_OURS:
		break;
	}
	return false;
}

uint16_t
tp_toe_input(struct tp_toe_shard *s, struct rte_mbuf **pkts, struct tp_pkt_info *info,
                uint16_t nb_pkts, uint64_t now)
{
	struct burst b;
	uint16_t rest = 0;

	b.nb_pkts = nb_pkts;
	b.held_by = NULL;
	b.held = NULL;
	s->now = now;
	if (!look(s, pkts, info, nb_pkts, &b))
		return nb_pkts;
	if (nb_pkts >= PREFETCH_MIN)
		prefetch(s, &b, nb_pkts);
	for (uint16_t i = 0; i < nb_pkts; i++) {
		if (deliver(s, pkts[i], &info[i], &b, i))
			continue;
		pkts[rest] = pkts[i];
		info[rest++] = info[i];
	}
	held_end(s, &b);
	working_on(s, NO_INDEX);
	return rest;
}
