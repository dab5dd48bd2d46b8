/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "tcp_int.h"

/* Payload up to this is copied behind its header: cheaper than a buffer by reference. */
#define COPY_MAX 192
/* Payload in more pieces than this is copied, too: few ports send so many. */
#define PIECES_MAX 16
/* Timestamps, with two NOPs. */
#define LEN_TS 12
/* IP's codepoint for ECN-capable transport, ECT(0). */
#define ECT0 2

uint8_t
tp_tcp_ecn_codepoint(const struct rte_mbuf *m)
{
	return m->hash.usr;
}

/* ---- headers ---------------------------------------------------------------------- */

static inline struct rte_mbuf *
new_buffer(struct tp_tcp_env *env, struct rte_mempool *pool)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	if (unlikely(m == NULL))
		tcp_count(env, TP_TCP_M_NO_MBUF);
	return m;
}

static inline struct rte_tcp_hdr *
header_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, struct rte_tcp_hdr *);
}

static inline uint8_t *
options_of(struct rte_mbuf *m)
{
	return (uint8_t *)(header_of(m) + 1);
}

/* Header and opt_len bytes of options, which are there already. */
static inline void
put_header(struct rte_mbuf *m, const struct tp_tcp_key *key, bool v6, uint32_t seq, uint32_t ack,
                uint8_t flags, uint16_t wnd, uint8_t opt_len)
{
	struct rte_tcp_hdr *tcp = header_of(m);
	uint16_t len = sizeof(*tcp) + opt_len;

	tcp->src_port = key->lport;
	tcp->dst_port = key->rport;
	tcp->sent_seq = rte_cpu_to_be_32(seq);
	tcp->recv_ack = rte_cpu_to_be_32(ack);
	tcp->data_off = len / 4 << 4;
	tcp->tcp_flags = flags;
	tcp->rx_win = rte_cpu_to_be_16(wnd);
	tcp->cksum = 0;
	tcp->tcp_urp = 0;
	m->data_len = len;
	m->pkt_len = len;
	m->tx_offload = 0;
	m->l4_len = len;
	m->hash.usr = 0;
	m->ol_flags = RTE_MBUF_F_TX_TCP_CKSUM | (v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
}

/* RFC 9293 3.8.5: an offset to the octet behind, as far as it can say. */
static inline void
put_urgent(struct rte_mbuf *m, const struct tp_tcp_conn *c, uint32_t seq)
{
	struct rte_tcp_hdr *tcp = header_of(m);

	if (likely(!(c->flags & TP_TCP_F_URG_SEND)) || tp_seq_geq(seq, c->snd_up))
		return;
	tcp->tcp_flags |= TP_TCP_URG;
	tcp->tcp_urp = rte_cpu_to_be_16(RTE_MIN(c->snd_up - seq, (uint32_t)UINT16_MAX));
}

static inline bool
is_v6(const struct tp_tcp_conn *c)
{
	return (c->flags & TP_TCP_F_IS_V6) != 0;
}

static inline uint16_t
wire_window(const struct tp_tcp_env *env, const struct tp_tcp_conn *c)
{
	return tcp_rcv_wnd(env, c) >> c->rcv_wscale;
}

/* An ACK of all that was received is on its way, with this window. */
static inline void
acked(struct tp_tcp_conn *c, uint16_t wnd)
{
	uint32_t edge = c->rcv_nxt + ((uint32_t)wnd << c->rcv_wscale);

	c->rcv_adv = tp_seq_max(c->rcv_adv, edge);
	c->last_ack_sent = c->rcv_nxt;
	c->rcv_unacked = 0;
	c->delack_ns = TP_NEVER;
	c->flags &= ~TP_TCP_F_ACK_NOW;
}

static inline void
count_sent(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint32_t nb)
{
	c->segs_out += nb;
	env->mib[TP_TCP_M_OUT_SEGS] += nb;
}

static inline uint8_t
ece(const struct tp_tcp_conn *c)
{
	return c->flags & TP_TCP_F_ECE_SEND ? TP_TCP_ECE : 0;
}

/* ---- payload ------------------------------------------------------------------------ */

static void
put_back(struct rte_mbuf *head, struct rte_mbuf *tail, struct rte_mbuf *m)
{
	tail->next = m;
	head->nb_segs++;
	head->pkt_len += m->data_len;
}

/* What lies in several buffers, or behind off, in one piece after another. */
struct reader {
	const struct rte_mbuf *m;
	uint32_t off;
};

static inline void
reader_settle(struct reader *r)
{
	while (r->off >= r->m->data_len) {
		r->off -= r->m->data_len;
		r->m = r->m->next;
	}
}

static void
copy_out(struct reader *r, uint8_t *to, uint32_t len)
{
	uint32_t n;

	for (; len > 0; to += n, len -= n) {
		reader_settle(r);
		n = RTE_MIN(len, r->m->data_len - r->off);
		rte_memcpy(to, rte_pktmbuf_mtod_offset(r->m, const uint8_t *, r->off), n);
		r->off += n;
	}
}

/* Behind the header as far as there is room, the rest in more buffers. @return false: no buffer */
static bool
copy_payload(struct tp_tcp_env *env, struct rte_mbuf *m, struct reader r, uint32_t len)
{
	struct rte_mbuf *tail = m, *more;
	uint32_t n = RTE_MIN(len, (uint32_t)rte_pktmbuf_tailroom(m));

	copy_out(&r, rte_pktmbuf_mtod_offset(m, uint8_t *, m->data_len), n);
	m->data_len += n;
	m->pkt_len += n;
	for (len -= n; len > 0; len -= n) {
		more = new_buffer(env, env->pool);
		if (more == NULL)
			return false;
		n = RTE_MIN(len, (uint32_t)rte_pktmbuf_tailroom(more));
		copy_out(&r, rte_pktmbuf_mtod(more, uint8_t *), n);
		more->data_len = n;
		put_back(m, tail, more);
		tail = more;
	}
	return true;
}

static bool
attach_payload(struct tp_tcp_env *env, struct rte_mbuf *m, struct reader r, uint32_t len)
{
	struct rte_mbuf *tail = m, *more;
	uint32_t n;

	for (; len > 0; len -= n, r.off += n) {
		reader_settle(&r);
		n = RTE_MIN(len, r.m->data_len - r.off);
		/* Attaching sets every field. */
		more = rte_mbuf_raw_alloc(env->pool_indirect);
		if (unlikely(more == NULL)) {
			tcp_count(env, TP_TCP_M_NO_MBUF);
			return false;
		}
		rte_pktmbuf_attach(more, (struct rte_mbuf *)(uintptr_t)r.m);
		more->data_off += r.off;
		more->data_len = n;
		more->nb_segs = 1;
		put_back(m, tail, more);
		tail = more;
	}
	return true;
}

static bool
in_few_pieces(struct reader r, uint32_t len)
{
	uint32_t have;

	for (int i = 0; i < PIECES_MAX; i++, r.m = r.m->next, r.off = 0) {
		have = r.m->data_len - r.off;
		if (have >= len)
			return true;
		len -= have;
	}
	return false;
}

static inline bool
put_payload(struct tp_tcp_env *env, struct rte_mbuf *m, const struct rte_mbuf *src, uint32_t off,
                uint32_t len)
{
	struct reader r = { src, off };

	if (len == 0)
		return true;
	reader_settle(&r);
	if (len <= COPY_MAX || env->pool_indirect == NULL || !in_few_pieces(r, len))
		return copy_payload(env, m, r, len);
	return attach_payload(env, m, r, len);
}

/* ---- RST, SYN, ACK --------------------------------------------------------------------- */

static struct rte_mbuf *
make_rst(struct tp_tcp_env *env, struct rte_mbuf *m, const struct tp_tcp_key *key, uint32_t seq,
                uint32_t ack, uint8_t ack_flag, uint8_t opt_len)
{
	put_header(m, key, !tp_tcp_key_is_v4(key), seq, ack, TP_TCP_RST | ack_flag, 0, opt_len);
	tcp_count(env, TP_TCP_M_OUT_SEGS);
	tcp_count(env, TP_TCP_M_OUT_RSTS);
	return m;
}

struct rte_mbuf *
tp_tcp_refuse(struct tp_tcp_env *env, const struct tp_tcp_key *key, const struct tp_tcp_seg *seg)
{
	uint32_t len = seg->len;
	struct rte_mbuf *m;

	if (seg->flags & TP_TCP_RST)
		return NULL;
	m = new_buffer(env, env->pool);
	if (m == NULL)
		return NULL;
	if (seg->flags & TP_TCP_ACK)
		return make_rst(env, m, key, seg->ack, 0, 0, 0);
	len += (seg->flags & TP_TCP_SYN ? 1 : 0) + (seg->flags & TP_TCP_FIN ? 1 : 0);
	return make_rst(env, m, key, 0, seg->seq + len, TP_TCP_ACK, 0);
}

/* One that ends what was agreed on has timestamps (RFC 7323 3.2), one that refuses has not. */
static struct rte_mbuf *
send_rst(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	bool ack = (c->flags & TP_TCP_F_RST_ACK) != 0;
	struct rte_mbuf *m = new_buffer(env, env->pool);

	if (m == NULL)
		return NULL;
	make_rst(env, m, &c->key, c->rst_seq, ack ? c->rst_ack : 0, ack ? TP_TCP_ACK : 0,
	                ack ? tcp_options_data(c, now, options_of(m)) : 0);
	c->segs_out++;
	c->flags &= ~(TP_TCP_F_RST_WANTED | TP_TCP_F_RST_ACK);
	return m;
}

/* RFC 3168 6.1.1: a SYN asks with both bits, a SYN-ACK answers with one; 6.1.1.1: the SYN is repeated
 * without.
 */
static uint8_t
syn_flags(const struct tp_tcp_conn *c)
{
	bool ecn = (c->flags & TP_TCP_F_ECN) != 0;

	if (c->state == TP_TCP_SYN_RCVD)
		return TP_TCP_SYN | TP_TCP_ACK | (ecn ? TP_TCP_ECE : 0);
	return TP_TCP_SYN | (ecn && c->snd_nxt == c->iss ? TP_TCP_ECE | TP_TCP_CWR : 0);
}

struct rte_mbuf *
tcp_make_syn(struct tp_tcp_env *env, const struct tp_tcp_conn *c, uint64_t now)
{
	uint32_t wnd = RTE_MIN(tcp_rcv_wnd(env, c), (uint32_t)UINT16_MAX);
	struct rte_mbuf *m = new_buffer(env, env->pool);
	uint8_t opt_len, flags = syn_flags(c);

	if (m == NULL)
		return NULL;
	opt_len = tcp_options_syn(env, c, now, options_of(m));
	put_header(m, &c->key, is_v6(c), c->iss, flags & TP_TCP_ACK ? c->rcv_nxt : 0, flags, wnd,
	                opt_len);
	return m;
}

/* The first time, again, or because the peer's SYN came again. */
static struct rte_mbuf *
send_syn(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	struct tp_tcp_rec *rec = tcp_retransmit_next(c);
	bool first = c->snd_nxt == c->iss;
	struct rte_mbuf *m;

	if (rec == NULL && !first && !(c->flags & TP_TCP_F_ACK_NOW))
		return NULL;
	m = tcp_make_syn(env, c, now);
	if (m == NULL)
		return NULL;
	if (first)
		rec = tcp_txq_append(env, c, 0, TP_TCP_SYN, now);
	if (first && rec == NULL) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	c->flags &= ~TP_TCP_F_ACK_NOW;
	if (first) {
		count_sent(env, c, 1);
	} else {
		c->segs_out++;
		c->retrans_segs++;
		tcp_count(env, TP_TCP_M_RETRANS_SEGS);
	}
	if (rec != NULL)
		tcp_sent(env, c, rec, now);
	return m;
}

static inline void
dsack_told(struct tp_tcp_env *env, struct tp_tcp_conn *c)
{
	if (likely(!c->dsack_pending))
		return;
	c->dsack_pending = false;
	tcp_count(env, TP_TCP_M_DSACK_SENT);
}

/* @param probe a number that the peer has already: it must answer (RFC 9293 3.8.4) */
static struct rte_mbuf *
send_ack(struct tp_tcp_env *env, struct tp_tcp_conn *c, bool probe, uint64_t now)
{
	struct rte_mbuf *m = new_buffer(env, env->pool);
	uint16_t wnd = wire_window(env, c);
	uint8_t opt_len;

	if (m == NULL)
		return NULL;
	opt_len = tcp_options(c, now, UINT32_MAX, options_of(m));
	put_header(m, &c->key, is_v6(c), c->snd_nxt - probe, c->rcv_nxt, TP_TCP_ACK | ece(c), wnd,
	                opt_len);
	put_urgent(m, c, c->snd_nxt - probe);
	dsack_told(env, c);
	acked(c, wnd);
	count_sent(env, c, 1);
	return m;
}

/* ---- data and FIN ------------------------------------------------------------------------ */

static inline bool
has_sack(const struct tp_tcp_conn *c, const struct rte_mbuf *m)
{
	return m->l4_len > sizeof(struct rte_tcp_hdr) + (c->flags & TP_TCP_F_TS ? LEN_TS : 0);
}

/* A segment with data is on its way: what it says beside it. */
static inline void
data_told(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct rte_mbuf *m, uint16_t wnd)
{
	if (unlikely(c->dsack_pending) && has_sack(c, m))
		dsack_told(env, c);
	acked(c, wnd);
}

/* Payload of a full segment of new data. */
static inline uint32_t
mss_now(const struct tp_tcp_conn *c)
{
	return likely(!tcp_sack_waits(c)) ? c->snd_mss : tcp_mss_beside_sack(c);
}

/* Bytes that a segment with so much payload leaves for SACK: what is larger is cut to full ones. */
static inline uint32_t
sack_room(const struct tp_tcp_conn *c, uint32_t len, uint32_t mss)
{
	if (len > mss)
		return c->snd_mss - mss;
	return len < c->snd_mss ? c->snd_mss - len : 0;
}

/* A segment, not yet sent: nothing has changed.
 * @param mss of the pieces, where it is cut; 0: it is not, whatever its size
 */
static inline struct rte_mbuf *
make_data(struct tp_tcp_env *env, const struct tp_tcp_conn *c, const struct tp_tcp_rec *at,
                uint8_t flags, uint16_t wnd, uint32_t mss, uint64_t now)
{
	struct rte_mbuf *m = new_buffer(env, env->pool);
	uint8_t opt_len;

	if (m == NULL)
		return NULL;
	if (likely(!tcp_sack_waits(c)))
		opt_len = tcp_options_data(c, now, options_of(m));
	else
		opt_len = tcp_options(
		                c, now, mss > 0 ? sack_room(c, at->len, mss) : 0, options_of(m));
	put_header(m, &c->key, is_v6(c), at->seq, c->rcv_nxt, flags | TP_TCP_ACK | ece(c), wnd,
	                opt_len);
	put_urgent(m, c, at->seq);
	if (!put_payload(env, m, at->data, at->off, at->len)) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	if (mss > 0 && at->len > mss) {
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
		m->tso_segsz = mss;
	}
	return m;
}

static inline uint32_t
nb_segments(uint32_t len, uint32_t mss)
{
	return len <= mss ? 1 : (len + mss - 1) / mss;
}

/* Bytes of a segment that egress may cut, a multiple of the MSS; urgent data is not cut, as the pointer
 * counts from each segment.
 */
static inline uint32_t
segment_max(const struct tp_tcp_env *env, const struct tp_tcp_conn *c, uint32_t len, uint32_t mss)
{
	uint32_t max = RTE_MIN(len, env->conf->tso_max);

	if (unlikely(c->flags & TP_TCP_F_URG_SEND))
		return mss;
	return max < 2u * mss ? mss : max - max % mss;
}

static inline bool
fin_waits(const struct tp_tcp_conn *c)
{
	return (c->flags & (TP_TCP_F_FIN_WANTED | TP_TCP_F_FIN_SENT)) == TP_TCP_F_FIN_WANTED &&
	       c->state >= TP_TCP_ESTABLISHED;
}

/* The window that is left, 0 when it shrank below what is in flight. */
static inline uint32_t
usable_window(const struct tp_tcp_conn *c)
{
	uint32_t edge = c->snd_una + c->snd_wnd;

	return tp_seq_gt(edge, c->snd_nxt) ? edge - c->snd_nxt : 0;
}

/* RFC 9293 3.8.6.2.1 and 3.7.4 (Nagle): may less than a full segment go? */
static inline bool
may_send_part(const struct tp_tcp_conn *c, uint32_t len, uint32_t unsent)
{
	if (c->flags & TP_TCP_F_FIN_WANTED && len == unsent)
		return true;
	if (!(c->flags & TP_TCP_F_NODELAY) && c->snd_una != c->snd_nxt)
		return false;
	return (len == unsent && (c->flags & TP_TCP_F_PUSH)) || len >= c->snd_wnd_max / 2;
}

/* @param force the timer of 3.8.6.2.1 (4), or a tail loss probe: one segment, as long as it may be
 * @return bytes of new data that may go now
 */
static inline uint32_t
sendable(const struct tp_tcp_env *env, const struct tp_tcp_conn *c, uint32_t unsent, uint32_t mss,
                bool force, uint64_t now)
{
	uint32_t wnd = usable_window(c), len, part;

	if (force)
		return RTE_MIN(RTE_MIN(unsent, wnd), mss);
	len = RTE_MIN(RTE_MIN(unsent, wnd), tcp_send_quota(c, now));
	if (len > mss)
		len = RTE_MIN(len, segment_max(env, c, UINT32_MAX, mss));
	if (len < mss)
		return len > 0 && may_send_part(c, len, unsent) ? len : 0;
	part = len % mss;
	/* What follows full segments has them in flight before it. */
	if (part > 0 && !(len == unsent && (c->flags & (TP_TCP_F_NODELAY | TP_TCP_F_FIN_WANTED)) &&
	                                may_send_part(c, len, unsent)))
		len -= part;
	return len;
}

static inline void
sent_fin(struct tp_tcp_env *env, struct tp_tcp_conn *c)
{
	c->flags |= TP_TCP_F_FIN_SENT;
	if (c->state == TP_TCP_CLOSE_WAIT)
		tcp_set_state(env, c, TP_TCP_LAST_ACK);
}

static struct rte_mbuf *
send_new(struct tp_tcp_env *env, struct tp_tcp_conn *c, bool force, uint64_t now)
{
	uint32_t unsent = tcp_unsent(c), mss = mss_now(c), len, probe;
	bool fin = fin_waits(c);
	struct tp_tcp_rec at, *rec;
	uint8_t flags = 0;
	struct rte_mbuf *m;
	uint16_t wnd;

	if (unsent == 0 && !fin)
		return NULL;
	if (c->snd_una == c->snd_nxt)
		tcp_cc_idle_restart(env, c, now);
	probe = likely(!(c->flags & TP_TCP_F_MTU_PROBING)) || force ? 0
	                                                            : tcp_pmtu_probe(env, c, now);
	len = probe > 0 ? probe : sendable(env, c, unsent, mss, force, now);
	/* FIN has a number of its own, which must be in the window, too. */
	fin = fin && len == unsent && usable_window(c) > len;
	if (len == 0 && !fin)
		return NULL;
	if (len > 0 && len == unsent)
		flags |= TP_TCP_PSH;
	if (len > 0 && (c->flags & TP_TCP_F_CWR_SEND))
		flags |= TP_TCP_CWR;
	if (fin)
		flags |= TP_TCP_FIN;
	at.seq = c->snd_nxt;
	at.data = c->snd_cur;
	at.off = c->snd_cur_off;
	at.len = len;
	wnd = wire_window(env, c);
	/* A probe is one packet, larger than any before (RFC 4821 7.3). */
	m = make_data(env, c, &at, flags, wnd, probe > 0 ? 0 : mss, now);
	if (m == NULL)
		return NULL;
	rec = tcp_txq_append(env, c, len, flags & TP_TCP_FIN, now);
	if (rec == NULL) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	if (len > 0 && (c->flags & TP_TCP_F_ECN))
		m->hash.usr = ECT0;
	if (probe > 0)
		rec->flags |= TP_TCP_REC_PROBE;
	if (flags & TP_TCP_CWR)
		c->flags &= ~TP_TCP_F_CWR_SEND;
	if (fin)
		sent_fin(env, c);
	data_told(env, c, m, wnd);
	count_sent(env, c, probe > 0 ? 1 : nb_segments(len, mss));
	tcp_sent(env, c, rec, now);
	return m;
}

/* The part of rec that may go again now: all, its beginning, or, as a tail loss probe, its last
 * segment. NULL: none.
 */
static struct tp_tcp_rec *
part_to_repeat(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_rec *rec, bool probe,
                uint64_t now)
{
	uint32_t quota = probe ? c->snd_mss : tcp_send_quota(c, now), len = tcp_rec_bytes(rec), max;

	if (quota == 0)
		return NULL;
	max = segment_max(env, c, quota, c->snd_mss);
	if (len <= max)
		return rec;
	if (probe)
		return tcp_txq_split(env, c, rec, len - max) == 0 ? rec->next : NULL;
	return tcp_txq_split(env, c, rec, max) == 0 ? rec : NULL;
}

static struct rte_mbuf *
send_again(struct tp_tcp_env *env, struct tp_tcp_conn *c, bool probe, uint64_t now)
{
	struct tp_tcp_rec *rec = tcp_retransmit_next(c), at;
	struct rte_mbuf *m;
	uint8_t flags;
	uint32_t nb;
	uint16_t wnd;

	if (rec != NULL)
		rec = part_to_repeat(env, c, rec, probe, now);
	if (rec == NULL)
		return NULL;
	at = *rec;
	at.len = tcp_rec_bytes(rec);
	flags = (rec->tcp_flags & TP_TCP_FIN) | (rec->next == NULL ? TP_TCP_PSH : 0);
	wnd = wire_window(env, c);
	m = make_data(env, c, &at, flags, wnd, c->snd_mss, now);
	if (m == NULL)
		return NULL;
	data_told(env, c, m, wnd);
	nb = nb_segments(at.len, c->snd_mss);
	c->segs_out += nb;
	c->retrans_segs += nb;
	env->mib[TP_TCP_M_RETRANS_SEGS] += nb;
	tcp_sent(env, c, rec, now);
	return m;
}

/* RFC 8985 7.3: new data if the window lets it, else the last segment again. */
static struct rte_mbuf *
send_loss_probe(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	struct rte_mbuf *m = send_new(env, c, true, now);

	if (m == NULL)
		m = send_again(env, c, true, now);
	c->flags &= ~TP_TCP_F_TLP_NOW;
	return m;
}

/* The persist timer or keepalive ran out: what the window lets through, or a question. */
static struct rte_mbuf *
send_probe(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	bool waits = tcp_unsent(c) > 0 || fin_waits(c);
	struct rte_mbuf *m = NULL;

	if (c->snd_una == c->snd_nxt) {
		if (waits)
			m = send_new(env, c, true, now);
		if (m == NULL) {
			m = send_ack(env, c, true, now);
			env->mib[TP_TCP_M_PERSIST_PROBES] += m != NULL && waits;
		}
	}
	c->flags &= ~TP_TCP_F_PROBE_NOW;
	return m;
}

/* ---- what is next ---------------------------------------------------------------------- */

/* What is out of order is to be told, and data would not do it: without SACK only an ACK without data is
 * a duplicate (RFC 5681 2), and what is sent again is as long as it was.
 */
static bool
ack_goes_first(const struct tp_tcp_conn *c)
{
	if (likely(c->ooo_head == NULL && !c->dsack_pending))
		return false;
	return c->lost_out > 0 || (c->flags & TP_TCP_F_TLP_NOW) || mss_now(c) == c->snd_mss;
}

static struct rte_mbuf *
next_segment(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	struct rte_mbuf *m = NULL;

	if (unlikely(c->flags & TP_TCP_F_RST_WANTED))
		return send_rst(env, c, now);
	if (c->state == TP_TCP_CLOSED)
		return NULL;
	if (c->state == TP_TCP_SYN_SENT || c->state == TP_TCP_SYN_RCVD)
		return send_syn(env, c, now);
	if ((c->flags & TP_TCP_F_ACK_NOW) && ack_goes_first(c))
		return send_ack(env, c, false, now);
	if (c->flags & TP_TCP_F_TLP_NOW)
		m = send_loss_probe(env, c, now);
	if (m == NULL && c->lost_out > 0)
		m = send_again(env, c, false, now);
	if (m == NULL)
		m = send_new(env, c, false, now);
	if (m == NULL && (c->flags & TP_TCP_F_PROBE_NOW))
		m = send_probe(env, c, now);
	if (m == NULL && (c->flags & TP_TCP_F_ACK_NOW))
		m = send_ack(env, c, false, now);
	return m;
}

/* A user that found no buffer to fill tries again after so long. */
#define SPACE_NS (10 * TP_NS_PER_MS)

/* Something is to be sent, nothing is in flight that would bring an ACK: ask again after a while
 * (RFC 9293 3.8.6.1). The same helps when there was no buffer, for us or for the user.
 */
static void
arm_persist(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now)
{
	if (c->rexmit_kind != TP_TCP_REXMIT_NONE || c->state == TP_TCP_CLOSED)
		return;
	if (tcp_unsent(c) > 0 || fin_waits(c) || c->state <= TP_TCP_SYN_RCVD) {
		c->rexmit_kind = TP_TCP_REXMIT_PERSIST;
		c->rexmit_ns = now + tcp_rto_ns(env, c);
	} else if (c->flags & TP_TCP_F_WANT_SPACE) {
		c->rexmit_kind = TP_TCP_REXMIT_SPACE;
		c->rexmit_ns = now + SPACE_NS;
	}
}

uint16_t
tp_tcp_output(struct tp_tcp_env *env, struct tp_tcp_conn *c, uint64_t now, struct rte_mbuf **pkts,
                uint16_t nb)
{
	uint16_t n = 0;

	now = tcp_clock(c, now);
	while (n < nb && (pkts[n] = next_segment(env, c, now)) != NULL)
		n++;
	if (n == nb)
		return n;
	arm_persist(env, c, now);
	if (unlikely((c->flags & TP_TCP_F_ACK_NOW) && c->delack_ns == TP_NEVER))
		c->delack_ns = now + env->conf->delack_ns; /* there was no buffer */
	return n;
}
