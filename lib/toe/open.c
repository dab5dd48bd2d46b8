/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* How connections begin: SYNs for listeners, cookies, active opens. */

#include <errno.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_errno.h>

#include "toe_int.h"

/* For so long after a cookie was sent its ACK may come (RFC 4987 3.6: a minute or two). */
#define COOKIE_NS (120 * TP_NS_PER_S)
/* Ports tried for an active open before giving up. */
#define PORT_TRIES 64

static void
reply(struct tp_toe_shard *s, const struct tp_tcp_key *key, struct rte_mbuf *segment)
{
	if (segment != NULL)
		transmit_reply(s, key, segment);
}

/* Nobody wants it: RST, so many a second. */
static void
refuse(struct tp_toe_shard *s, const struct tp_tcp_key *key, const struct tp_tcp_seg *seg)
{
	uint64_t sec = s->now / TP_NS_PER_S;

	if (sec != s->refuse_sec) {
		s->refuse_sec = sec;
		s->refuse_left = s->toe->conf.refuse_rate;
	}
	if (s->refuse_left == 0) {
		s->ctr[TP_TOE_C_RX_REFUSE_LIMIT]++;
		return;
	}
	s->refuse_left--;
	s->ctr[TP_TOE_C_RX_REFUSED]++;
	reply(s, key, tp_tcp_refuse(&s->env, key, seg));
}

static void
send_cookie(struct tp_toe_shard *s, const struct tp_tcp_key *key, struct tp_tcp_seg *syn)
{
	if (!s->toe->conf.syn_cookies) {
		s->ctr[TP_TOE_C_RX_BACKLOG]++;
		return;
	}
	atomic_store_explicit(&s->toe->cookie_until, s->now + COOKIE_NS, memory_order_relaxed);
	reply(s, key, tp_tcp_cookie_reply(&s->env, key, syn, s->now));
}

/* @return the connection, or NULL: the packet went to who was first, or nowhere. */
static void
passive(struct tp_toe_shard *s, const struct listener *l, const struct tp_tcp_key *key,
                struct tp_tcp_seg *syn)
{
	struct tp_tcp_conn *c;

	if (s->pending[l->index] >= l->backlog) {
		send_cookie(s, key, syn);
		return;
	}
	/* A second member that has the same SYN answers the same, or not at all: the peer sends
	 * it again if this was the loser. */
	c = conn_new(s, key, l->user, l->arg);
	if (c == NULL)
		return;
	conn_handle(s, c)->listener = l->index;
	s->pending[l->index]++;
	tp_tcp_accept(&s->env, c, syn, s->now);
	syn->data = NULL;
	conn_dirty(s, c);
}

/* While cookies are out, what brings none may be data that overtook its ACK: no RST for that.
 * @return false: no cookies are out
 */
static bool
cookie(struct tp_toe_shard *s, const struct listener *l, const struct tp_tcp_key *key,
                struct tp_tcp_seg *ack)
{
	struct tp_tcp_conn probe = { .state = TP_TCP_CLOSED }, *c;

	if (s->now > atomic_load_explicit(&s->toe->cookie_until, memory_order_relaxed))
		return false;
	if (tp_tcp_cookie_open(&s->env, &probe, key, ack, s->now) != 0)
		return true;
	tp_tcp_fini(&s->env, &probe);
	c = conn_new(s, key, l->user, l->arg);
	if (c == NULL)
		return true;
	if (tp_tcp_cookie_open(&s->env, c, key, ack, s->now) != 0) {
		c->reason = TP_TCP_R_MEMORY;
		conn_free(s, c);
		return true;
	}
	s->accepted[l->index]++;
	tp_tcp_input(&s->env, c, ack, s->now);
	ack->data = NULL;
	conn_dirty(s, c);
	return true;
}

bool
open_input(struct tp_toe_shard *s, struct rte_mbuf *m, const struct tp_pkt_info *info,
                const struct tp_tcp_key *key)
{
	const struct listener *l = listener_find(s->toe, key->laddr, key->lport);
	struct tp_tcp_seg seg;

	if (l == NULL && s->toe->conf.has_host)
		return false;
	/* RFC 9293 3.9.2.3: no SYN from where no host can be is answered, nor anything else. */
	if (!tp_inet_is_unicast(key->raddr) || tp_inet_is_local(s->toe->inet, key->raddr)) {
		s->ctr[TP_TOE_C_RX_BAD]++;
		rte_pktmbuf_free(m);
		return true;
	}
	if (tp_tcp_parse(m, info, &seg) != 0) {
		s->ctr[TP_TOE_C_RX_BAD]++;
		rte_pktmbuf_free(m);
		return true;
	}
	if (seg.flags & TP_TCP_RST)
		s->ctr[TP_TOE_C_RX_STALE]++;
	else if (l != NULL && (seg.flags & (TP_TCP_SYN | TP_TCP_ACK)) == TP_TCP_SYN)
		passive(s, l, key, &seg);
	else if (l == NULL || (seg.flags & (TP_TCP_SYN | TP_TCP_ACK)) != TP_TCP_ACK ||
	                !cookie(s, l, key, &seg))
		refuse(s, key, &seg);
	rte_pktmbuf_free(seg.data);
	return true;
}

bool
open_again(struct tp_toe_shard *s, struct tp_tcp_conn *c, struct tp_tcp_seg *seg)
{
	struct tp_tcp_key key = conn_handle(s, c)->key;
	const struct listener *l = listener_find(s->toe, key.laddr, key.lport);
	uint32_t index = c->owner_word;

	if (l == NULL || !tp_tcp_may_reopen(c, seg))
		return false;
	s->env.mib[TP_TCP_M_TW_REUSE]++;
	c->reason = TP_TCP_R_DONE;
	conn_free(s, c);
	/* Quarantined, it would still hold the key. */
	table_remove(&s->toe->table, table_hash(&s->toe->table, &key), index);
	passive(s, l, &key, seg);
	rte_pktmbuf_free(seg->data);
	return true;
}

void
open_settled(struct tp_toe_shard *s, struct tp_tcp_conn *c)
{
	struct handle *h = conn_handle(s, c);

	if (h->listener == NO_LISTENER)
		return;
	s->pending[h->listener]--;
	s->accepted[h->listener]++;
	h->listener = NO_LISTENER;
}

/* ---- active ---------------------------------------------------------------- */

int
tp_toe_set_ports(struct tp_toe *toe, uint16_t low, uint16_t high)
{
	if (low == 0 || low > high)
		return -EINVAL;
	atomic_store(&toe->port_low, low);
	atomic_store(&toe->port_high, high);
	return 0;
}

/* A local port that no connection to this peer has. @return false: none found */
static bool
choose_port(struct tp_toe *toe, struct tp_tcp_key *key)
{
	uint16_t low = atomic_load(&toe->port_low), high = atomic_load(&toe->port_high);

	for (unsigned int i = 0; i < PORT_TRIES; i++) {
		uint16_t port = tp_tcp_port_choose(&toe->secret, key, low, high,
		                atomic_fetch_add(&toe->port_tries, 1));

		key->lport = rte_cpu_to_be_16(port);
		if (table_lookup(&toe->table, toe->handle, table_hash(&toe->table, key), key) ==
		                NO_INDEX)
			return true;
	}
	return false;
}

/* It never became a connection. */
static void
active_failed(struct tp_toe_shard *s, uint32_t index, void *arg)
{
	struct handle *h = &s->toe->handle[index];
	const struct tp_toe_user *user = user_get(s->toe, h->user);
	struct tp_toe_call call = {
		.shard = s, .id = handle_id(s->toe, index), .arg = arg, .now = s->now
	};

	handle_retire(s, index);
	if (user->on_close != NULL)
		user->on_close(&call, TP_TCP_R_MEMORY);
}

/* RFC 9293 3.9.1.1: the address that its user named, or IP's choice. */
static bool
choose_address(const struct tp_inet *inet, struct tp_tcp_key *key)
{
	static const uint8_t none[16];
	uint8_t any[16];

	if (memcmp(key->laddr, none, sizeof(none)) == 0)
		return tp_inet_source(inet, key->raddr, key->laddr) == 0;
	return tp_inet_source(inet, key->raddr, any) == 0 && tp_inet_is_local(inet, key->laddr) &&
	       tp_inet_is_v4(key->laddr) == tp_inet_is_v4(key->raddr);
}

void
open_active(struct tp_toe_shard *s, uint32_t index, void *arg)
{
	struct handle *h = &s->toe->handle[index];
	struct tp_tcp_key key = h->key;
	struct tp_tcp_conn *c;
	uint32_t other;

	if (!choose_address(s->toe->inet, &key) || (key.lport == 0 && !choose_port(s->toe, &key))) {
		active_failed(s, index, arg);
		return;
	}
	c = conn_place(s, index, &key, h->user, arg, &other);
	if (c == NULL) {
		active_failed(s, index, arg);
		return;
	}
	tp_tcp_connect(&s->env, c, s->now);
	conn_dirty(s, c);
}

tp_toe_id
tp_toe_connect(struct tp_toe *toe, const struct tp_toe_connect *how)
{
	uint8_t member = how->member;
	int user = user_index(toe, how->user);
	struct post *first;
	struct handle *h;
	uint32_t index;
	tp_toe_id id;

	if (user < 0 || how->rport == 0) {
		rte_errno = EINVAL;
		return TP_TOE_ID_NONE;
	}
	if (member == TP_MEMBER_NONE)
		member = toe->member_of(toe->member_of_arg,
		                atomic_fetch_add(&toe->port_tries, 1) * UINT32_C(0x9e3779b1));
	/* Of those that may be had any will do: it follows its packets. */
	if (how->member == TP_MEMBER_NONE && shard_alive(toe, member) == NULL &&
	                atomic_load(&toe->usable) != 0)
		member = __builtin_ctz(atomic_load(&toe->usable));
	if (shard_alive(toe, member) == NULL) {
		rte_errno = ENETDOWN;
		return TP_TOE_ID_NONE;
	}
	if (rte_mempool_get(toe->posts, (void **)&first) != 0) {
		rte_errno = ENOBUFS;
		return TP_TOE_ID_NONE;
	}
	index = handle_pop(toe, member);
	if (index == NO_INDEX) {
		rte_mempool_put(toe->posts, first);
		rte_errno = ENOBUFS;
		return TP_TOE_ID_NONE;
	}
	h = &toe->handle[index];
	memset(&h->key, 0, sizeof(h->key));
	memcpy(h->key.raddr, how->raddr, sizeof(h->key.raddr));
	memcpy(h->key.laddr, how->laddr, sizeof(h->key.laddr));
	h->key.rport = rte_cpu_to_be_16(how->rport);
	h->key.lport = rte_cpu_to_be_16(how->lport);
	h->user = user;
	id = handle_id(toe, index);
	post_open(toe, index, member, first, how->arg);
	return id;
}
