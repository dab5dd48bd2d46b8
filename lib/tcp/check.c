/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>

#include "tcp_int.h"

/* Buffers that a chain may have: the walk ends, whatever it points to. */
#define CHAIN_MAX (1u << 22)

#define WND_MAX (UINT32_C(65535) << TCP_MAX_WSCALE)
/* Less is the mark of a packet that cannot be (tcp_mss_update()). */
#define MSS_MIN 8
/* Transmissions of one instant are some ns apart (rexmit.c). */
#define SENT_SLACK_NS TP_NS_PER_MS

/* Each check returns NULL, or what is wrong. */
#define MUST(condition, what)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return what;                                                               \
	} while (0)

struct chain {
	uint64_t bytes;
	const struct rte_mbuf *last;
};

/* @return false: it never ends */
static bool
walk(const struct rte_mbuf *m, struct chain *chain)
{
	uint32_t nb = 0;

	*chain = (struct chain){ 0 };
	for (; m != NULL; m = m->next) {
		if (nb++ == CHAIN_MAX)
			return false;
		chain->bytes += m->data_len;
		chain->last = m;
	}
	return true;
}

static inline uint32_t
rec_end(const struct tp_tcp_rec *rec)
{
	return rec->seq + rec->len;
}

static inline bool
has(const struct tp_tcp_conn *c, uint32_t flag)
{
	return (c->flags & flag) != 0;
}

/* ---- single fields ----------------------------------------------------------------- */

static const char *
check_ranges(const struct tp_tcp_conn *c)
{
	MUST(c->state < TP_TCP_NB_STATES, "state");
	MUST(c->ca <= TP_TCP_CA_LOSS, "ca");
	MUST(c->reason < TP_TCP_NB_REASONS, "reason");
	MUST(c->cc < TP_TCP_NB_CC, "cc");
	MUST(c->rexmit_kind <= TP_TCP_REXMIT_SPACE, "rexmit_kind");
	MUST(c->snd_wscale <= TCP_MAX_WSCALE, "snd_wscale");
	MUST(c->rcv_wscale <= TCP_MAX_WSCALE, "rcv_wscale");
	MUST(c->snd_mss >= MSS_MIN, "snd_mss");
	MUST(c->snd_wnd <= WND_MAX, "snd_wnd");
	MUST(c->snd_wnd_max <= WND_MAX, "snd_wnd_max");
	MUST(c->rcv_buf > 0 && c->rcv_buf <= 1u << 30, "rcv_buf");
	MUST(c->snd_buf > 0 && c->snd_buf <= 1u << 30, "snd_buf");
	MUST(c->nb_sack_recent <= RTE_DIM(c->sack_recent), "nb_sack_recent");
	return NULL;
}

#define EVENTS_ALL (TP_TCP_EV_SOFT_ERR | (TP_TCP_EV_SOFT_ERR - 1))

static const char *
check_marks(const struct tp_tcp_conn *c)
{
	MUST(!(c->flags & TP_TCP_F_UTO_USER) || c->user_timeout_ms != 0, "a timeout of the user");
	MUST((c->events & ~EVENTS_ALL) == 0, "events");
	MUST(!(c->events & TP_TCP_EV_CLOSED), "told to be closed");
	MUST(c->reason == TP_TCP_R_NONE, "a reason, but no end");
	MUST(c->frto <= TCP_FRTO_PROBE, "frto");
	MUST(c->ca < TP_TCP_CA_CWR || c->ca == TP_TCP_CA_LOSS || c->recover_fs > 0, "recover_fs");
	return NULL;
}

/* As bytes: whoever reads another one as bool may do anything. */
static bool
is_bool(const bool *field)
{
	uint8_t byte;

	memcpy(&byte, field, sizeof(byte));
	return byte <= 1;
}

static const char *
check_bools(const struct tp_tcp_conn *c)
{
	MUST(is_bool(&c->rack_reordering_seen), "rack_reordering_seen");
	MUST(is_bool(&c->rack_dsack_round_valid), "rack_dsack_round_valid");
	MUST(is_bool(&c->tlp_out), "tlp_out");
	MUST(is_bool(&c->undo_valid), "undo_valid");
	MUST(is_bool(&c->dsack_pending), "dsack_pending");
	return NULL;
}

/* All in its past. */
static const char *
check_times(const struct tp_tcp_conn *c)
{
	MUST(c->rcvd_ns <= c->last_now, "rcvd_ns");
	MUST(c->opened_ns <= c->last_now, "opened_ns");
	MUST(c->first_rexmit_ns <= c->last_now + SENT_SLACK_NS, "first_rexmit_ns");
	return NULL;
}

static const char *
check_numbers(const struct tp_tcp_conn *c)
{
	MUST(tp_seq_leq(c->snd_una, c->snd_nxt), "snd_una beyond snd_nxt");
	MUST(c->state < TP_TCP_SYN_RCVD || tp_seq_leq(c->rcv_nxt, c->rcv_adv),
	                "rcv_nxt beyond rcv_adv");
	MUST(c->cwnd > 0, "cwnd");
	MUST((c->rexmit_kind == TP_TCP_REXMIT_NONE) == (c->rexmit_ns == TP_NEVER),
	                "rexmit_kind and its deadline");
	return NULL;
}

static const char *
check_state(const struct tp_tcp_conn *c)
{
	bool both = c->state == TP_TCP_CLOSING || c->state == TP_TCP_TIME_WAIT ||
	            c->state == TP_TCP_LAST_ACK;
	bool fin_sent = c->state == TP_TCP_FIN_WAIT_2 || c->state == TP_TCP_LAST_ACK ||
	                c->state == TP_TCP_TIME_WAIT;

	MUST(!fin_sent || has(c, TP_TCP_F_FIN_SENT), "a state behind FIN without FIN_SENT");
	MUST(!has(c, TP_TCP_F_FIN_SENT) || has(c, TP_TCP_F_FIN_WANTED), "FIN that nobody wanted");
	MUST(has(c, TP_TCP_F_FIN_RCVD) == (both || c->state == TP_TCP_CLOSE_WAIT),
	                "FIN_RCVD and the state");
	MUST(c->state != TP_TCP_TIME_WAIT || c->keep_ns != TP_NEVER, "TIME_WAIT without end");
	MUST(c->state != TP_TCP_ESTABLISHED || !has(c, TP_TCP_F_FIN_WANTED),
	                "ESTABLISHED with FIN_WANTED");
	MUST(c->tx_tail == NULL || !(c->tx_tail->tcp_flags & TP_TCP_FIN) ==
	                                                !has(c, TP_TCP_F_FIN_SENT),
	                "FIN_SENT and the last record");
	return NULL;
}

/* Before it is open only a SYN can be out, and nothing in. */
static const char *
check_opening(const struct tp_tcp_conn *c)
{
	if (c->state > TP_TCP_SYN_RCVD)
		return NULL;
	MUST(c->snd_una == c->iss && c->snd_nxt - c->iss <= 1, "more than a SYN is out");
	MUST(c->ooo_head == NULL && c->rcv_head == NULL, "data before it is open");
	return NULL;
}

/* ---- what is sent -------------------------------------------------------------------- */

struct marks {
	uint32_t sacked, lost, retrans;
};

static void
add_marks(struct marks *sum, const struct tp_tcp_rec *rec)
{
	sum->sacked += rec->flags & TP_TCP_REC_SACKED ? rec->len : 0;
	sum->lost += rec->flags & TP_TCP_REC_LOST ? rec->len : 0;
	sum->retrans += rec->flags & TP_TCP_REC_RETRANS ? rec->len : 0;
}

/* A record and what it points to, at position (*m, *off) of the queue, which moves behind it. */
static const char *
check_rec(const struct tp_tcp_conn *c, const struct tp_tcp_rec *rec, const struct rte_mbuf **m,
                uint32_t *off)
{
	bool syn = (rec->tcp_flags & TP_TCP_SYN) != 0, fin = (rec->tcp_flags & TP_TCP_FIN) != 0;
	uint32_t bytes = rec->len - syn - fin;

	MUST((rec->tcp_flags & ~(TP_TCP_SYN | TP_TCP_FIN)) == 0, "a record's TCP flags");
	MUST(rec->len > 0 && rec->len >= (uint32_t)syn + fin, "a record's length");
	MUST(rec->sent_ns <= c->last_now + SENT_SLACK_NS, "a record from the future");
	MUST(tp_seq_leq(rec_end(rec), c->snd_nxt), "a record beyond snd_nxt");
	MUST(!syn || rec->seq == c->iss, "SYN elsewhere than at its number");
	MUST(!syn || c->state <= TP_TCP_SYN_RCVD, "a SYN that is out when it is open");
	MUST(!fin || rec_end(rec) == c->snd_nxt, "FIN before the end");
	MUST(!fin || has(c, TP_TCP_F_FIN_SENT), "FIN without FIN_SENT");
	MUST(!(rec->flags & TP_TCP_REC_SACKED) ||
	                                !(rec->flags & (TP_TCP_REC_LOST | TP_TCP_REC_RETRANS)),
	                "a record that arrived and is lost");
	if (bytes == 0) {
		MUST(rec->data == NULL, "data of nothing");
		return NULL;
	}
	MUST(rec->data == *m && rec->off == *off, "a record's data elsewhere than in the queue");
	for (*off += bytes; *m != NULL && *off >= (*m)->data_len; *m = (*m)->next)
		*off -= (*m)->data_len;
	MUST(*m != NULL || *off == 0, "more sent than queued");
	return NULL;
}

static const char *
check_sent(const struct tp_tcp_conn *c)
{
	const struct tp_tcp_rec *rec = c->tx_head, *prev = NULL;
	const struct rte_mbuf *m = c->snd.head;
	uint32_t seq = c->snd_una, off = c->snd_head_off;
	bool hint = c->rexmit_hint == NULL;
	struct marks sum = { 0 };
	const char *wrong;

	for (; rec != NULL; prev = rec, rec = rec->next) {
		MUST(rec->seq == seq, "a gap between records");
		MUST(prev == NULL || rec->prev == prev, "a record's link back");
		wrong = check_rec(c, rec, &m, &off);
		MUST(wrong == NULL, wrong);
		add_marks(&sum, rec);
		hint |= rec == c->rexmit_hint;
		seq = rec_end(rec);
	}
	MUST(hint, "rexmit_hint");
	MUST(c->tx_tail == prev, "tx_tail");
	MUST(seq == c->snd_nxt, "records that do not reach snd_nxt");
	MUST(c->snd_cur == m && (m == NULL || c->snd_cur_off == off), "snd_cur");
	MUST(sum.sacked == c->sacked_out, "sacked_out");
	MUST(sum.lost == c->lost_out, "lost_out");
	MUST(sum.retrans == c->retrans_out, "retrans_out");
	return NULL;
}

static const char *
check_send_queue(const struct tp_tcp_conn *c)
{
	struct chain chain;

	MUST(walk(c->snd.head, &chain), "a send queue without end");
	MUST(c->snd.tail == chain.last, "the send queue's tail");
	MUST(chain.bytes == (uint64_t)c->snd_queued + c->snd_head_off, "snd_queued");
	MUST(c->snd.head == NULL || c->snd_head_off < c->snd.head->data_len, "snd_head_off");
	return NULL;
}

/* ---- what is received ------------------------------------------------------------------ */

static const char *
check_received(const struct tp_tcp_conn *c)
{
	struct chain chain;

	MUST(walk(c->rcv_head, &chain), "a receive queue without end");
	MUST(c->rcv_head == NULL || c->rcv_tail == chain.last, "the receive queue's tail");
	MUST(chain.bytes <= c->rcv_unread, "rcv_unread");
	return NULL;
}

static const char *
check_block(const struct tp_tcp_conn *c, const struct tp_tcp_rec *rec)
{
	bool fin = (rec->tcp_flags & TP_TCP_FIN) != 0;
	struct chain chain;

	MUST((rec->tcp_flags & ~TP_TCP_FIN) == 0, "a block's TCP flags");
	MUST(rec->len > 0, "an empty block");
	MUST(tp_seq_leq(rec_end(rec) - fin, c->rcv_adv), "a block beyond the window");
	MUST(walk(rec->data, &chain), "a block without end");
	MUST(chain.bytes == rec->len - fin, "a block's length");
	MUST(chain.last == NULL || chain.last == rec->data_tail, "a block's tail");
	return NULL;
}

static const char *
check_blocks(const struct tp_tcp_conn *c)
{
	const struct tp_tcp_rec *rec = c->ooo_head, *prev = NULL;
	uint32_t end = c->rcv_nxt, nb = 0;
	const char *wrong;

	for (; rec != NULL; prev = rec, rec = rec->next) {
		MUST(tp_seq_gt(rec->seq, end) || (prev != NULL && prev->tcp_flags & TP_TCP_FIN),
		                "blocks without a gap");
		MUST(prev == NULL || rec->prev == prev, "a block's link back");
		wrong = check_block(c, rec);
		MUST(wrong == NULL, wrong);
		end = rec_end(rec);
		nb += rec->nb_segs;
	}
	MUST(c->ooo_head == NULL || c->ooo_head->prev == prev, "the last block");
	MUST(nb == c->nb_ooo, "nb_ooo");
	return NULL;
}

/* ---- all --------------------------------------------------------------------------------- */

static const char *
check_closed(const struct tp_tcp_conn *c)
{
	MUST(c->tx_head == NULL && c->snd.head == NULL && c->snd_queued == 0,
	                "CLOSED with a queue");
	MUST(c->tx_tail == NULL && c->snd.tail == NULL && c->snd_cur == NULL &&
	                                c->rexmit_hint == NULL,
	                "CLOSED with the rest of a queue");
	MUST(c->ooo_head == NULL, "CLOSED with blocks");
	return check_received(c);
}

int
tp_tcp_conn_check(const struct tp_tcp_conn *c, const char **what)
{
	static const char *(*const checks[])(const struct tp_tcp_conn *) = {
		check_ranges,
		check_marks,
		check_bools,
		check_times,
		check_numbers,
		check_state,
		check_opening,
		check_send_queue,
		check_sent,
		check_received,
		check_blocks,
	};
	const char *wrong = NULL;

	if (c->state == TP_TCP_CLOSED) {
		wrong = check_closed(c);
	} else {
		for (unsigned int i = 0; i < RTE_DIM(checks) && wrong == NULL; i++)
			wrong = checks[i](c);
	}
	if (wrong == NULL)
		return 0;
	if (what != NULL)
		*what = wrong;
	return -EINVAL;
}
