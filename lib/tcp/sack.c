/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

/* RFC 2883 4: the first block is a duplicate's if the ACK covers it, or the second block does.
 * One that is older than any window, or where nothing was ever sent twice, is the network's. */
static bool
sack_is_dup(const struct tp_tcp_conn *c, const struct tp_tcp_seg *seg)
{
	const struct tp_tcp_span *b = &seg->sack[0];

	if (!tp_seq_lt(b->left, b->right))
		return false;
	if (tp_seq_leq(b->right, seg->ack))
		return true;
	return seg->nb_sack > 1 && tp_seq_geq(b->left, seg->sack[1].left) &&
	       tp_seq_leq(b->right, seg->sack[1].right) && tp_seq_leq(b->right, c->snd_nxt);
}

static void
sack_dup(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_span *b,
                struct tcp_ack *ack)
{
	uint32_t len = b->right - b->left;

	tcp_count(env, TP_TCP_M_DSACK_RECV);
	if (c->retrans_segs == 0 || len > c->snd_wnd_max ||
	                c->snd_nxt - b->left > (uint64_t)c->snd_wnd_max * 2)
		return;
	ack->dsack = true;
	ack->dsack_right = b->right;
	if (c->undo_valid && tp_seq_geq(b->left, c->undo_marker))
		c->undo_retrans -= RTE_MIN(len, c->undo_retrans);
}

/* Blocks that make sense (RFC 2018 3, 4), by their left edges. @return how many */
static uint8_t
sack_blocks(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *seg,
                struct tcp_ack *ack, struct tp_tcp_span blocks[TP_TCP_MAX_SACK])
{
	uint8_t nb = 0, i = 0, at;

	if (sack_is_dup(c, seg)) {
		sack_dup(env, c, &seg->sack[0], ack);
		i = 1;
	}
	for (; i < RTE_MIN(seg->nb_sack, TP_TCP_MAX_SACK); i++) {
		struct tp_tcp_span b = seg->sack[i];

		if (!tp_seq_lt(b.left, b.right) || tp_seq_gt(b.right, c->snd_nxt) ||
		                tp_seq_lt(b.left, ack->prior_una)) {
			tcp_count(env, TP_TCP_M_SACK_INVALID);
			continue;
		}
		b.left = tp_seq_max(b.left, c->snd_una);
		if (tp_seq_geq(b.left, b.right))
			continue;
		for (at = nb++; at > 0 && tp_seq_lt(b.left, blocks[at - 1].left); at--)
			blocks[at] = blocks[at - 1];
		blocks[at] = b;
	}
	return nb;
}

/* Cut a record so that one piece is inside the block. The cuts are where segments of it began:
 * others would let a peer make as many records as it likes.
 * @return the piece; NULL: none is inside
 */
static struct tp_tcp_rec *
sack_cut(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_rec *rec,
                const struct tp_tcp_span *b)
{
	uint32_t mss = RTE_MAX(c->snd_mss, 1), end = rec->seq + rec->len, at;

	if (tp_seq_lt(rec->seq, b->left)) {
		at = RTE_ALIGN_MUL_CEIL(b->left - rec->seq, mss);
		if (at >= rec->len || tp_seq_geq(rec->seq + at, b->right) ||
		                tcp_txq_split(env, c, rec, at) < 0)
			return NULL;
		rec = rec->next;
	}
	if (tp_seq_gt(end, b->right)) {
		at = RTE_ALIGN_MUL_FLOOR(b->right - rec->seq, mss);
		if (at == 0 || at >= rec->len || tcp_txq_split(env, c, rec, at) < 0)
			return NULL;
	}
	return rec;
}

static void
sack_mark(struct tp_tcp_conn *c, struct tp_tcp_rec *rec, struct tcp_ack *ack)
{
	tcp_ack_note(c, ack, rec, rec->seq + rec->len);
	ack->sacked += rec->len;
	if (rec->flags & TP_TCP_REC_PROBE)
		ack->probe_acked = rec->len;
	tcp_rec_mark(c, rec, TP_TCP_REC_SACKED,
	                TP_TCP_REC_LOST | TP_TCP_REC_RETRANS | TP_TCP_REC_PROBE);
}

/* Mark what a block covers, from rec on. @return where the next block may begin */
static struct tp_tcp_rec *
sack_block(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_rec *rec,
                const struct tp_tcp_span *b, struct tcp_ack *ack)
{
	struct tp_tcp_rec *piece, *prev;

	while (rec != NULL && tp_seq_leq(rec->seq + rec->len, b->left))
		rec = rec->next;
	while (rec != NULL && tp_seq_lt(rec->seq, b->right)) {
		if (rec->flags & TP_TCP_REC_SACKED) {
			rec = rec->next;
			continue;
		}
		piece = rec;
		if (tp_seq_lt(rec->seq, b->left) || tp_seq_gt(rec->seq + rec->len, b->right)) {
			piece = sack_cut(env, c, rec, b);
			if (piece == NULL) {
				rec = rec->next;
				continue;
			}
		}
		sack_mark(c, piece, ack);
		rec = piece->next;
		prev = piece->prev;
		if (prev != NULL && (prev->flags & TP_TCP_REC_SACKED))
			tcp_txq_merge_sacked(env, c, piece);
		if (rec != NULL && (rec->flags & TP_TCP_REC_SACKED)) {
			prev = rec->prev;
			tcp_txq_merge_sacked(env, c, rec);
			rec = prev->next;
		}
	}
	return rec;
}

void
tcp_sack_update(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *seg,
                struct tcp_ack *ack)
{
	struct tp_tcp_span blocks[TP_TCP_MAX_SACK];
	struct tp_tcp_rec *rec = c->tx_head;
	uint8_t nb = sack_blocks(env, c, seg, ack, blocks);

	ack->in_sack = true;
	for (uint8_t i = 0; i < nb && rec != NULL; i++) {
		/* Blocks may overlap: begin one record early. */
		if (rec->prev != NULL)
			rec = rec->prev;
		rec = sack_block(env, c, rec, &blocks[i], ack);
		if (rec == NULL)
			rec = c->tx_tail;
	}
}

void
tcp_sack_forget(struct tp_tcp_env *env, struct tp_tcp_conn *c)
{
	struct tp_tcp_rec *rec;

	tcp_count(env, TP_TCP_M_SACK_RENEGING);
	for (rec = c->tx_head; rec != NULL; rec = rec->next)
		tcp_rec_mark(c, rec, 0, TP_TCP_REC_SACKED);
}
