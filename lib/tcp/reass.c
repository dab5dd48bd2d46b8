/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

/* What the window does not allow, and what was received before, is cut off; the rest is next in
 * order, or kept. Runs that were received out of order are blocks, one record each, with gaps
 * between them.
 */

static inline uint32_t
rec_end(const struct tp_tcp_rec *rec)
{
	return rec->seq + rec->len;
}

/* A peer that sends single bytes takes no more buffers than others. */
static inline bool
copy_behind(struct rte_mbuf *tail, struct rte_mbuf *m, uint32_t len)
{
	if (len > TCP_COPY_MAX || m->next != NULL || rte_pktmbuf_tailroom(tail) < len ||
	                !RTE_MBUF_DIRECT(tail) || rte_mbuf_refcnt_read(tail) != 1)
		return false;
	memcpy(rte_pktmbuf_mtod_offset(tail, void *, tail->data_len),
	                rte_pktmbuf_mtod(m, const void *), len);
	tail->data_len += len;
	rte_pktmbuf_free_seg(m);
	return true;
}

/* ---- in order --------------------------------------------------------------- */

static inline void
append(struct tp_tcp_conn *c, struct rte_mbuf *head, struct rte_mbuf *tail, uint32_t len)
{
	if (c->rcv_head == NULL) {
		c->rcv_head = head;
		c->rcv_tail = tail;
	} else if (!copy_behind(c->rcv_tail, head, len)) {
		c->rcv_tail->next = head;
		c->rcv_tail = tail;
	}
	c->rcv_nxt += len;
	c->rcv_unread += len;
	c->events |= TP_TCP_EV_DATA;
}

static void
fin_received(struct tp_tcp_conn *c)
{
	c->flags |= TP_TCP_F_FIN_RCVD;
	c->rcv_nxt++;
	c->rcv_adv = tp_seq_max(c->rcv_adv, c->rcv_nxt);
}

/* ---- blocks ------------------------------------------------------------------ */

static void
unlink_block(struct tp_tcp_conn *c, struct tp_tcp_rec *rec)
{
	struct tp_tcp_rec *last = c->ooo_head->prev;

	if (rec->next != NULL)
		rec->next->prev = rec->prev;
	else
		last = rec->prev;
	if (rec != c->ooo_head)
		rec->prev->next = rec->next;
	else
		c->ooo_head = rec->next;
	if (c->ooo_head != NULL)
		c->ooo_head->prev = last;
	else
		c->nb_sack_recent = 0;
	c->nb_ooo -= rec->nb_segs;
}

static void
drop_block(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_rec *rec)
{
	unlink_block(c, rec);
	env->held_bytes -= tcp_rec_bytes(rec);
	rte_pktmbuf_free(rec->data);
	rte_mempool_put(env->recs, rec);
}

void
tcp_reass_free(struct tp_tcp_env *env, struct tp_tcp_conn *c)
{
	while (c->ooo_head != NULL)
		drop_block(env, c, c->ooo_head);
}

/* The last block that begins at or before seq. */
static struct tp_tcp_rec *
find_block(const struct tp_tcp_conn *c, uint32_t seq)
{
	struct tp_tcp_rec *rec = c->ooo_head;

	if (rec == NULL || tp_seq_gt(rec->seq, seq))
		return NULL;
	for (rec = rec->prev; tp_seq_gt(rec->seq, seq); rec = rec->prev)
		;
	return rec;
}

static void
link_block(struct tp_tcp_conn *c, struct tp_tcp_rec *prev, struct tp_tcp_rec *rec)
{
	struct tp_tcp_rec *head = c->ooo_head;

	rec->next = prev != NULL ? prev->next : head;
	rec->prev = prev != NULL ? prev : head != NULL ? head->prev : rec;
	if (prev != NULL)
		prev->next = rec;
	else
		c->ooo_head = rec;
	if (rec->next != NULL)
		rec->next->prev = rec;
	else
		c->ooo_head->prev = rec;
}

/* Behind prev, which ends where next begins. */
static void
merge_blocks(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_rec *prev,
                struct tp_tcp_rec *next)
{
	unlink_block(c, next);
	if (next->data == NULL) {
		/* a FIN alone */
	} else if (prev->data == NULL) {
		prev->data = next->data;
		prev->data_tail = next->data_tail;
	} else if (!copy_behind(prev->data_tail, next->data, tcp_rec_bytes(next))) {
		prev->data_tail->next = next->data;
		prev->data_tail = next->data_tail;
	}
	prev->len += next->len;
	prev->tcp_flags |= next->tcp_flags;
	prev->nb_segs += next->nb_segs;
	c->nb_ooo += next->nb_segs;
	rte_mempool_put(env->recs, next);
}

/* ---- what SACK reports --------------------------------------------------------- */

static void
note_duplicate(struct tp_tcp_conn *c, uint32_t left, uint32_t right)
{
	if (!(c->flags & TP_TCP_F_SACK))
		return;
	/* RFC 2883 4: the first of several that one ACK would have to report. */
	if (!c->dsack_pending)
		c->dsack = (struct tp_tcp_span){ left, right };
	c->dsack_pending = true;
}

static void
note_newest(struct tp_tcp_conn *c, const struct tp_tcp_rec *block)
{
	uint32_t old = c->sack_newest;

	if (tp_seq_lt(old, block->seq) || tp_seq_geq(old, rec_end(block))) {
		c->sack_recent[1] = c->sack_recent[0];
		c->sack_recent[0] = old;
		if (c->nb_sack_recent < RTE_DIM(c->sack_recent))
			c->nb_sack_recent++;
	}
	c->sack_newest = block->seq;
}

static uint8_t
add_block(const struct tp_tcp_rec *rec, struct tp_tcp_span *blocks, uint8_t nb, uint8_t first)
{
	for (uint8_t i = first; i < nb; i++)
		if (blocks[i].left == rec->seq)
			return nb;
	blocks[nb] = (struct tp_tcp_span){ rec->seq, rec_end(rec) };
	return nb + 1;
}

static uint8_t
add_block_of(const struct tp_tcp_conn *c, uint32_t seq, struct tp_tcp_span *blocks, uint8_t nb,
                uint8_t first)
{
	const struct tp_tcp_rec *rec = find_block(c, seq);

	if (rec == NULL || tp_seq_geq(seq, rec_end(rec)))
		return nb;
	return add_block(rec, blocks, nb, first);
}

/* RFC 2018 4: the block that changed last first, then those reported before; RFC 2883 4: in front of
 * them a duplicate.
 */
uint8_t
tcp_reass_blocks(const struct tp_tcp_conn *c, struct tp_tcp_span blocks[TP_TCP_MAX_SACK])
{
	uint8_t max = c->flags & TP_TCP_F_TS ? 3 : TP_TCP_MAX_SACK, nb = 0, first;

	if (!(c->flags & TP_TCP_F_SACK))
		return 0;
	if (c->dsack_pending)
		blocks[nb++] = c->dsack;
	first = nb;
	if (c->ooo_head == NULL)
		return nb;
	nb = add_block_of(c, c->sack_newest, blocks, nb, first);
	for (uint8_t i = 0; i < c->nb_sack_recent && nb < max; i++)
		nb = add_block_of(c, c->sack_recent[i], blocks, nb, first);
	for (const struct tp_tcp_rec *r = c->ooo_head; r != NULL && nb < max; r = r->next)
		nb = add_block(r, blocks, nb, first);
	return nb;
}

/* ---- out of order --------------------------------------------------------------- */

/* A piece of the stream on its way into the queues. */
struct piece {
	uint32_t seq;
	uint32_t len; /* bytes of data */
	bool fin;
	struct rte_mbuf *data;
	struct rte_mbuf *last; /* of data's, or NULL */
};

static inline uint32_t
piece_end(const struct piece *p)
{
	return p->seq + p->len + p->fin;
}

static void
piece_drop(struct piece *p)
{
	rte_pktmbuf_free(p->data);
	*p = (struct piece){ 0 };
}

static inline struct rte_mbuf *
piece_last(const struct piece *p)
{
	return p->last != NULL ? p->last : rte_pktmbuf_lastseg(p->data);
}

static void
piece_skip(struct piece *p, uint32_t n)
{
	p->data = tcp_chain_skip(p->data, n);
	p->seq += n;
	p->len -= n;
}

static void
piece_cut(struct piece *p, uint32_t len)
{
	if (len == p->len)
		return;
	p->data = tcp_chain_cut(p->data, len);
	p->last = NULL;
	p->len = len;
}

/* What a block before it has already. @return false: nothing is new */
static bool
trim_by_previous(struct tp_tcp_conn *c, const struct tp_tcp_rec *prev, struct piece *p)
{
	uint32_t have;

	if (prev == NULL || tp_seq_leq(rec_end(prev), p->seq))
		return true;
	have = rec_end(prev) - p->seq;
	if (tp_seq_geq(rec_end(prev), piece_end(p)) || have > p->len) {
		note_duplicate(c, p->seq, piece_end(p));
		piece_drop(p);
		return false;
	}
	note_duplicate(c, p->seq, rec_end(prev));
	piece_skip(p, have);
	return true;
}

/* Blocks that it covers go; one that it reaches into stays. */
static void
trim_by_next(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_rec *next,
                struct piece *p)
{
	struct tp_tcp_rec *after;

	for (; next != NULL && tp_seq_lt(next->seq, piece_end(p)); next = after) {
		after = next->next;
		note_duplicate(c, next->seq, tp_seq_min(rec_end(next), piece_end(p)));
		if (tp_seq_gt(rec_end(next), piece_end(p))) {
			p->fin = false;
			piece_cut(p, next->seq - p->seq);
			return;
		}
		drop_block(env, c, next);
	}
}

static struct tp_tcp_rec *
new_block(struct tp_tcp_env *env, const struct piece *p)
{
	struct tp_tcp_rec *rec;

	if (rte_mempool_get(env->recs, (void **)&rec) != 0) {
		tcp_count(env, TP_TCP_M_NO_MBUF);
		return NULL;
	}
	*rec = (struct tp_tcp_rec){
		.data = p->data,
		.data_tail = p->data != NULL ? piece_last(p) : NULL,
		.seq = p->seq,
		.len = p->len + p->fin,
		.tcp_flags = p->fin ? TP_TCP_FIN : 0,
		.nb_segs = 1,
	};
	return rec;
}

static void
keep_new(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_rec *prev, struct piece *p)
{
	struct tp_tcp_rec *rec = new_block(env, p);

	if (rec == NULL) {
		tcp_count(env, TP_TCP_M_OOO_DROP);
		piece_drop(p);
		return;
	}
	link_block(c, prev, rec);
	c->nb_ooo++;
	env->held_bytes += p->len;
	tcp_count(env, TP_TCP_M_OOO_QUEUED);
	if (prev != NULL && rec_end(prev) == rec->seq && !(prev->tcp_flags & TP_TCP_FIN)) {
		merge_blocks(env, c, prev, rec);
		rec = prev;
	}
	if (rec->next != NULL && rec_end(rec) == rec->next->seq && !(rec->tcp_flags & TP_TCP_FIN))
		merge_blocks(env, c, rec, rec->next);
	note_newest(c, rec);
}

static bool
may_keep(const struct tp_tcp_env *env, const struct tp_tcp_conn *c, uint32_t len)
{
	return c->nb_ooo < TCP_MAX_OOO &&
	       (env->held_max == 0 || env->held_bytes + len <= env->held_max);
}

static void
keep(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct piece *p)
{
	struct tp_tcp_rec *prev;

	if (!may_keep(env, c, p->len)) {
		tcp_count(env, TP_TCP_M_OOO_DROP);
		piece_drop(p);
		return;
	}
	prev = find_block(c, p->seq);
	if (!trim_by_previous(c, prev, p))
		return;
	trim_by_next(env, c, prev != NULL ? prev->next : c->ooo_head, p);
	if (p->len > 0 || p->fin)
		keep_new(env, c, prev, p);
	else
		piece_drop(p);
}

/* Blocks that are in order now. */
static void
join_blocks(struct tp_tcp_env *env, struct tp_tcp_conn *c)
{
	struct tp_tcp_rec *rec;
	uint32_t have;

	while ((rec = c->ooo_head) != NULL && tp_seq_leq(rec->seq, c->rcv_nxt)) {
		have = c->rcv_nxt - rec->seq;
		if (have > tcp_rec_bytes(rec) || (c->flags & TP_TCP_F_FIN_RCVD)) {
			drop_block(env, c, rec);
			continue;
		}
		if (have > 0)
			note_duplicate(c, rec->seq, c->rcv_nxt);
		unlink_block(c, rec);
		env->held_bytes -= have;
		rec->data = tcp_chain_skip(rec->data, have);
		if (rec->data != NULL)
			append(c, rec->data, rec->data_tail, tcp_rec_bytes(rec) - have);
		if (rec->tcp_flags & TP_TCP_FIN)
			fin_received(c);
		rte_mempool_put(env->recs, rec);
	}
}

/* ---- a segment ------------------------------------------------------------------- */

/* What was received before goes, and is reported. @return false: nothing is new */
static bool
trim_left(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct piece *p)
{
	uint32_t old = c->rcv_nxt - p->seq;

	if (tp_seq_geq(p->seq, c->rcv_nxt))
		return true;
	note_duplicate(c, p->seq, tp_seq_min(piece_end(p), c->rcv_nxt));
	if (old >= p->len + p->fin) {
		tcp_count(env, TP_TCP_M_DUP_DATA);
		piece_drop(p);
		return false;
	}
	piece_skip(p, old);
	return true;
}

/* A FIN needs no room: it may stand at the very edge. */
static void
trim_right(struct tp_tcp_conn *c, struct piece *p)
{
	if (tp_seq_leq(p->seq + p->len, c->rcv_adv))
		return;
	p->fin = false;
	piece_cut(p, tp_seq_lt(p->seq, c->rcv_adv) ? c->rcv_adv - p->seq : 0);
}

/* With the shard at its limit, what fills a hole is taken in exchange for what lies behind it (RFC
 * 2018 8 allows that), and one segment of a connection whose user has read all.
 */
static bool
may_take(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint32_t len)
{
	if (env->held_max == 0 || env->held_bytes + len <= env->held_max)
		return true;
	if (c->ooo_head == NULL)
		return c->rcv_unread == 0;
	tcp_reass_free(env, c);
	return true;
}

static void
take(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct piece *p)
{
	if (!may_take(env, c, p->len)) {
		tcp_count(env, TP_TCP_M_NO_MBUF);
		piece_drop(p);
		return;
	}
	if (p->len > 0) {
		env->held_bytes += p->len;
		append(c, p->data, piece_last(p), p->len);
	}
	if (p->fin)
		fin_received(c);
	if (c->ooo_head != NULL)
		join_blocks(env, c);
}

uint32_t
tcp_reass(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_seg *seg)
{
	struct piece p = { seg->seq, seg->len, (seg->flags & TP_TCP_FIN) != 0, seg->data,
		seg->last };
	uint32_t before = c->rcv_nxt;

	seg->data = NULL;
	if (!trim_left(env, c, &p))
		return 0;
	trim_right(c, &p);
	if (p.len == 0 && !p.fin)
		piece_drop(&p);
	else if (p.seq == c->rcv_nxt)
		take(env, c, &p);
	else
		keep(env, c, &p);
	return c->rcv_nxt - before - (c->flags & TP_TCP_F_FIN_RCVD ? 1 : 0);
}
