/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

struct rte_mempool *
tp_tcp_rec_pool_create(const char *name, uint32_t nb, uint32_t cache_size, int socket_id)
{
	return tp_pool_create_objects(name, nb, sizeof(struct tp_tcp_rec), cache_size, socket_id);
}

/* Without SACK each duplicate ACK says that one segment, not which, has left the network (RFC 6937
 * 3 for DeliveredData; RFC 6582 inflates cwnd instead). */
static uint32_t
left_by_dupacks(const struct tp_tcp_conn *c)
{
	return c->flags & TP_TCP_F_SACK ? 0 : (uint32_t)c->dupacks * c->snd_mss;
}

uint32_t
tcp_in_flight(const struct tp_tcp_conn *c)
{
	uint32_t out = c->snd_nxt - c->snd_una + c->retrans_out;
	uint32_t left = c->sacked_out + c->lost_out + left_by_dupacks(c);

	return left < out ? out - left : 0;
}

/* The position len_bytes behind (*m, *off); NULL behind the last byte. */
static void
position_advance(struct rte_mbuf **m, uint32_t *off, uint32_t len_bytes)
{
	*off += len_bytes;
	while (*m != NULL && *off >= (*m)->data_len) {
		*off -= (*m)->data_len;
		*m = (*m)->next;
	}
	assert(*m != NULL || *off == 0);
}

struct tp_tcp_rec *
tcp_txq_append(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint32_t len_bytes, uint8_t tcp_flags,
                uint64_t now)
{
	struct tp_tcp_rec *rec;
	void *obj;

	if (unlikely(rte_mempool_get(env->recs, &obj) < 0)) {
		env->mib[TP_TCP_M_NO_MBUF]++;
		return NULL;
	}
	rec = obj;
	rec->next = NULL;
	rec->prev = c->tx_tail;
	rec->data = len_bytes > 0 ? c->snd_cur : NULL;
	rec->off = c->snd_cur_off;
	rec->sent_ns = now;
	rec->seq = c->snd_nxt;
	rec->tcp_flags = tcp_flags & (TP_TCP_SYN | TP_TCP_FIN);
	rec->len = len_bytes + !!(tcp_flags & TP_TCP_SYN) + !!(tcp_flags & TP_TCP_FIN);
	rec->nb_segs = 0;
	rec->flags = 0;
	rec->nb_sent = 0;
	if (tcp_flags & TP_TCP_SYN)
		tcp_marks_init(c, rec->seq);
	if (c->tx_tail != NULL)
		c->tx_tail->next = rec;
	else
		c->tx_head = rec;
	c->tx_tail = rec;
	c->snd_nxt += rec->len;
	if (len_bytes > 0)
		position_advance(&c->snd_cur, &c->snd_cur_off, len_bytes);
	return rec;
}

/* The fate of a part says nothing of the size of the whole. */
static void
probe_forget(struct tp_tcp_conn *c, struct tp_tcp_rec *rec)
{
	rec->flags &= ~TP_TCP_REC_PROBE;
	c->flags &= ~TP_TCP_F_MTU_PROBE;
}

int
tcp_txq_split(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_rec *rec, uint32_t len)
{
	uint32_t skipped = len - !!(rec->tcp_flags & TP_TCP_SYN);
	struct tp_tcp_rec *rest;
	void *obj;

	assert(len > 0 && len < rec->len);
	if (rte_mempool_get(env->recs, &obj) < 0) {
		env->mib[TP_TCP_M_NO_MBUF]++;
		return -ENOMEM;
	}
	if (rec->flags & TP_TCP_REC_PROBE)
		probe_forget(c, rec);
	rest = obj;
	*rest = *rec;
	rest->seq += len;
	rest->len -= len;
	rest->tcp_flags &= ~TP_TCP_SYN;
	if (rest->data != NULL)
		position_advance(&rest->data, &rest->off, skipped);
	rest->prev = rec;
	if (rest->next != NULL)
		rest->next->prev = rest;
	else
		c->tx_tail = rest;
	rec->next = rest;
	rec->len = len;
	rec->tcp_flags &= ~TP_TCP_FIN;
	return 0;
}

void
tcp_rec_mark(struct tp_tcp_conn *c, struct tp_tcp_rec *rec, uint8_t set, uint8_t clear)
{
	uint8_t flags = (rec->flags & ~clear) | set;
	uint8_t on = flags & ~rec->flags, off = rec->flags & ~flags;

	c->sacked_out += (on & TP_TCP_REC_SACKED ? rec->len : 0) -
	                 (off & TP_TCP_REC_SACKED ? rec->len : 0);
	c->lost_out += (on & TP_TCP_REC_LOST ? rec->len : 0) -
	               (off & TP_TCP_REC_LOST ? rec->len : 0);
	c->retrans_out += (on & TP_TCP_REC_RETRANS ? rec->len : 0) -
	                  (off & TP_TCP_REC_RETRANS ? rec->len : 0);
	rec->flags = flags;
	if (c->rexmit_hint != NULL && tp_seq_lt(rec->seq, c->rexmit_hint->seq) &&
	                ((on & TP_TCP_REC_LOST) || (off & TP_TCP_REC_RETRANS)))
		c->rexmit_hint = rec;
}

static void
rec_unlink(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_rec *rec)
{
	if (rec->prev != NULL)
		rec->prev->next = rec->next;
	else
		c->tx_head = rec->next;
	if (rec->next != NULL)
		rec->next->prev = rec->prev;
	else
		c->tx_tail = rec->prev;
	if (unlikely(c->rexmit_hint == rec))
		c->rexmit_hint = rec->next;
	rte_mempool_put(env->recs, rec);
}

void
tcp_txq_merge_sacked(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_rec *rec)
{
	struct tp_tcp_rec *prev = rec->prev;

	if (prev == NULL || !(prev->flags & rec->flags & TP_TCP_REC_SACKED))
		return;
	if (prev->data == NULL) {
		prev->data = rec->data;
		prev->off = rec->off;
	}
	prev->len += rec->len;
	prev->tcp_flags |= rec->tcp_flags;
	prev->nb_sent = RTE_MAX(prev->nb_sent, rec->nb_sent);
	prev->sent_ns = RTE_MAX(prev->sent_ns, rec->sent_ns);
	rec_unlink(env, c, rec);
}

/* Numbers below `to` of a record are acknowledged: what that teaches, and its marks. */
static void
rec_acked(struct tp_tcp_conn *c, struct tp_tcp_rec *rec, uint32_t len, struct tcp_ack *ack)
{
	uint8_t marks = TP_TCP_REC_SACKED | TP_TCP_REC_LOST | TP_TCP_REC_RETRANS;

	if (!(rec->flags & TP_TCP_REC_SACKED)) {
		ack->acked += len;
		tcp_ack_note(c, ack, rec, rec->seq + len);
	}
	if (likely(!(rec->flags & marks)))
		return;
	c->sacked_out -= rec->flags & TP_TCP_REC_SACKED ? len : 0;
	c->lost_out -= rec->flags & TP_TCP_REC_LOST ? len : 0;
	c->retrans_out -= rec->flags & TP_TCP_REC_RETRANS ? len : 0;
}

/* The record that ack_seq points into begins there now. @return bytes of payload cut off */
static uint32_t
rec_trim(struct tp_tcp_conn *c, struct tp_tcp_rec *rec, uint32_t ack_seq, struct tcp_ack *ack)
{
	uint32_t len = ack_seq - rec->seq;
	uint32_t bytes = len - !!(rec->tcp_flags & TP_TCP_SYN);

	rec_acked(c, rec, len, ack);
	rec->tcp_flags &= ~TP_TCP_SYN;
	if (unlikely(rec->flags & TP_TCP_REC_PROBE))
		probe_forget(c, rec);
	rec->seq = ack_seq;
	rec->len -= len;
	if (rec->data != NULL)
		position_advance(&rec->data, &rec->off, bytes);
	return bytes;
}

static void
buffers_free(struct tp_tcp_conn *c, uint32_t len_bytes)
{
	struct rte_mbuf *m = c->snd.head, *next;
	uint32_t off = c->snd_head_off + len_bytes;

	while (m != NULL && off >= m->data_len) {
		next = m->next;
		off -= m->data_len;
		rte_pktmbuf_free_seg(m);
		m = next;
	}
	c->snd.head = m;
	if (m == NULL)
		c->snd.tail = NULL;
	c->snd_head_off = off;
	c->snd_queued -= len_bytes;
	c->bytes_out += len_bytes;
}

void
tcp_txq_acked(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint32_t ack_seq, struct tcp_ack *ack)
{
	struct tp_tcp_rec *rec = c->tx_head, *next;
	uint32_t bytes = 0;

	while (rec != NULL && tp_seq_leq(rec->seq + rec->len, ack_seq)) {
		next = rec->next;
		if (next != NULL)
			rte_prefetch0(next);
		rec_acked(c, rec, rec->len, ack);
		if (unlikely(rec->flags & TP_TCP_REC_PROBE))
			ack->probe_acked = rec->len;
		bytes += tcp_rec_bytes(rec);
		if (unlikely(c->rexmit_hint == rec))
			c->rexmit_hint = next;
		rte_mempool_put(env->recs, rec);
		rec = next;
	}
	c->tx_head = rec;
	if (rec == NULL) {
		c->tx_tail = NULL;
	} else {
		rec->prev = NULL;
		if (tp_seq_lt(rec->seq, ack_seq))
			bytes += rec_trim(c, rec, ack_seq, ack);
	}
	c->snd_una = ack_seq;
	if (bytes > 0)
		buffers_free(c, bytes);
}

void
tcp_txq_queue(struct tp_tcp_conn *c, struct rte_mbuf *m)
{
	struct rte_mbuf *next;

	for (; m != NULL; m = next) {
		next = m->next;
		if (unlikely(m->data_len == 0)) {
			rte_pktmbuf_free_seg(m);
			continue;
		}
		m->next = NULL;
		if (c->snd.tail != NULL)
			c->snd.tail->next = m;
		else
			c->snd.head = m;
		c->snd.tail = m;
		if (c->snd_cur == NULL) {
			c->snd_cur = m;
			c->snd_cur_off = 0;
		}
		c->snd_queued += m->data_len;
	}
}

void
tcp_txq_free(struct tp_tcp_env *env, struct tp_tcp_conn *c)
{
	struct tp_tcp_rec *rec = c->tx_head, *next;
	struct rte_mbuf *m = c->snd.head, *m_next;

	for (; rec != NULL; rec = next) {
		next = rec->next;
		rte_mempool_put(env->recs, rec);
	}
	for (; m != NULL; m = m_next) {
		m_next = m->next;
		rte_pktmbuf_free_seg(m);
	}
	c->tx_head = c->tx_tail = c->rexmit_hint = NULL;
	c->snd.head = c->snd.tail = c->snd_cur = NULL;
	c->snd_cur_off = c->snd_head_off = c->snd_queued = 0;
	c->sacked_out = c->lost_out = c->retrans_out = 0;
}
