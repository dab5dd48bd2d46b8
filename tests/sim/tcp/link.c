/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The link: cuts large segments as egress would, then loses, delays, doubles, damages. */

#include <stdlib.h>
#include <string.h>

#include "../../unit/tcp_frame.h"
#include "tcpsim.h"

/* ---- a heap of packets, by time ------------------------------------------------ */

static bool
before(const struct packet *a, const struct packet *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void
heap_push(struct world *w, struct packet *p)
{
	unsigned int i = w->nb_heap++;

	if (w->nb_heap > w->size_heap) {
		w->size_heap = w->size_heap * 2 + 64;
		w->heap = realloc(w->heap, w->size_heap * sizeof(w->heap[0]));
		if (w->heap == NULL)
			abort();
	}
	p->order = w->order++;
	for (; i > 0 && before(p, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = p;
}

static struct packet *
heap_pop(struct world *w)
{
	struct packet *first = w->heap[0], *last = w->heap[--w->nb_heap];
	unsigned int i = 0;

	for (unsigned int child = 1; child < w->nb_heap; child = 2 * i + 1) {
		if (child + 1 < w->nb_heap && before(w->heap[child + 1], w->heap[child]))
			child++;
		if (!before(w->heap[child], last))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	if (w->nb_heap > 0)
		w->heap[i] = last;
	return first;
}

struct packet *
link_first(const struct world *w)
{
	return w->nb_heap > 0 ? w->heap[0] : NULL;
}

void
world_clear(struct world *w)
{
	while (w->nb_heap > 0)
		free(w->heap[--w->nb_heap]);
	free(w->heap);
	w->heap = NULL;
	w->size_heap = 0;
}

static struct packet *
packet_new(unsigned int to, const uint8_t *frame, uint32_t len)
{
	struct packet *p = calloc(1, sizeof(*p) + len);

	if (p == NULL)
		abort();
	p->to = to;
	p->len = len;
	if (len > 0)
		memcpy(p->frame, frame, len);
	return p;
}

/* ---- on the way ------------------------------------------------------------------ */

static bool
is_cut(const struct link_conf *lc, uint64_t now)
{
	for (int i = 0; i < MAX_CUTS; i++)
		if (now >= lc->cut[i].from && now < lc->cut[i].to)
			return true;
	return false;
}

static uint16_t
mtu_now(const struct world *w, const struct link_conf *lc)
{
	return lc->mtu_later > 0 && w->now >= lc->mtu_at ? lc->mtu_later : lc->mtu;
}

static bool
is_lost(struct world *w, const struct link_conf *lc, struct link_state *ls)
{
	if (ls->in_burst > 0) {
		ls->in_burst--;
		return true;
	}
	if (!rng_ppm(&w->rng, lc->loss))
		return false;
	if (lc->burst > 1)
		ls->in_burst = rng_between(&w->rng, 0, lc->burst - 1);
	return true;
}

/* When the last bit has left; 0: the queue is full. Marks for ECN. */
static uint64_t
queue(struct world *w, const struct link_conf *lc, struct link_state *ls, struct packet *p, bool v4)
{
	uint64_t start = RTE_MAX(ls->busy_until, w->now), waits;
	uint8_t *tos = p->frame + RTE_ETHER_HDR_LEN + 1;

	if (lc->rate_bps == 0)
		return w->now;
	waits = (start - w->now) * lc->rate_bps / 8 / S;
	if (waits + p->len > lc->queue_bytes)
		return 0;
	/* ECN: the two low bits of IPv4's second byte; bits 4 and 5 of IPv6's. */
	if (lc->ce_bytes > 0 && waits > lc->ce_bytes && (v4 ? *tos & 3 : *tos >> 4 & 3) != 0) {
		*tos |= v4 ? 3 : 0x30;
		ls->marked++;
		if (v4) {
			struct rte_ipv4_hdr *ip = (void *)(p->frame + RTE_ETHER_HDR_LEN);

			ip->hdr_checksum = 0;
			ip->hdr_checksum = rte_ipv4_cksum(ip);
		}
	}
	ls->busy_until = start + (uint64_t)p->len * 8 * S / lc->rate_bps;
	return ls->busy_until;
}

/* Behind the IP header, where TCP's checksum finds it: fewer than 16 bits in a row. */
static void
damage(struct world *w, struct packet *p, uint32_t hdr_len)
{
	uint32_t bits = (p->len - hdr_len) * 8, at = rng_between(&w->rng, 0, bits - 1);
	uint32_t n = rng_one_in(&w->rng, 2) ? 1 : rng_between(&w->rng, 1, 15);

	p->frame[hdr_len + at / 8] ^= 0x80 >> at % 8;
	for (uint32_t i = at + 1; i < at + n && i < bits; i++)
		if (rng_one_in(&w->rng, 2))
			p->frame[hdr_len + i / 8] ^= 0x80 >> i % 8;
}

static void
icmp_too_big(struct world *w, struct end *e, const uint8_t *tcp, uint16_t mtu)
{
	struct packet *p = packet_new(e->host, NULL, 0);

	memcpy(&p->seq, tcp + 4, 4);
	p->seq = rte_be_to_cpu_32(p->seq);
	p->mtu = mtu;
	p->flow = e->flow;
	p->at = w->now + w->set->link[e->host].delay_ns;
	heap_push(w, p);
}

/* Times of arrival; jitter keeps the order, reordering does not. */
static void
schedule(struct world *w, const struct link_conf *lc, struct link_state *ls, struct packet *p,
                uint64_t leaves, bool calm)
{
	p->at = leaves + lc->delay_ns;
	if (lc->jitter_ns > 0 && !calm)
		p->at += rng_between(&w->rng, 0, lc->jitter_ns);
	if (!calm && rng_ppm(&w->rng, lc->reorder)) {
		p->at += rng_between(&w->rng, 0, lc->reorder_ns);
	} else {
		p->at = RTE_MAX(p->at, ls->last_at);
		ls->last_at = p->at;
	}
	heap_push(w, p);
}

static const char *
trouble(struct world *w, struct end *e, const struct link_conf *lc, struct link_state *ls,
                const struct packet *p, uint32_t hdr_len)
{
	const uint8_t *tcp = p->frame + hdr_len;

	if (is_cut(lc, w->now))
		return "cut off";
	if (p->len - RTE_ETHER_HDR_LEN > mtu_now(w, lc)) {
		if (lc->icmp)
			icmp_too_big(w, e, tcp, mtu_now(w, lc));
		return "too big";
	}
	if (w->set->drop != NULL && w->set->drop(w->set->drop_arg, e->host, tcp, p->len - hdr_len))
		return "dropped";
	if (w->now < w->set->calm_at && is_lost(w, lc, ls))
		return "lost";
	return NULL;
}

/* A frame as a port sends it. */
static void
transmit(struct world *w, struct end *e, const uint8_t *frame, uint32_t len)
{
	const struct link_conf *lc = &w->set->link[e->host];
	struct link_state *ls = &w->link[e->host];
	uint32_t hdr_len = tcp_frame_hdr_len(&e->key);
	bool calm = w->now >= w->set->calm_at;
	struct packet *p = packet_new(!e->host, frame, len);
	const char *fate = trouble(w, e, lc, ls, p, hdr_len);
	uint64_t leaves;

	ls->sent++;
	e->nb_frames++;
	e->wire_bytes += len;
	leaves = fate == NULL ? queue(w, lc, ls, p, !w->set->v6) : 0;
	if (fate == NULL && leaves == 0) {
		fate = "queue full";
		ls->queue_lost++;
	}
	watch_trace(w, e->host, p->frame, p->len, fate);
	trail_add(w, p->frame, p->len);
	if (fate != NULL) {
		ls->lost++;
		free(p);
		return;
	}
	if (!calm && rng_ppm(&w->rng, lc->dup)) {
		struct packet *twin = packet_new(!e->host, p->frame, p->len);

		twin->at = leaves + lc->delay_ns +
		           rng_log(&w->rng, 1, lc->reorder_ns + 3 * lc->delay_ns + 1);
		heap_push(w, twin);
	}
	if (!calm && rng_ppm(&w->rng, lc->corrupt)) {
		damage(w, p, hdr_len);
	} else if (!calm && rng_ppm(&w->rng, lc->truncate)) {
		p->len = rng_between(&w->rng, 1, p->len - 1);
	}
	schedule(w, lc, ls, p, leaves, calm);
}

/* Segments of a large one: what tso_segsz asks of a port (RFC 3168 6.1: CWR in the first only). */
static void
cut(struct world *w, struct end *e, const uint8_t *frame, uint32_t len, uint16_t segsz)
{
	static uint8_t piece[FRAME_MAX];
	uint32_t l4 = tcp_frame_hdr_len(&e->key), hdr = l4 + (frame[l4 + 12] >> 4) * 4, seq;
	uint8_t ecn = w->set->v6 ? frame[RTE_ETHER_HDR_LEN + 1] >> 4 & 3
	                         : frame[RTE_ETHER_HDR_LEN + 1] & 3;

	memcpy(&seq, frame + l4 + 4, 4);
	for (uint32_t at = 0; at < len - hdr; at += segsz) {
		uint32_t n = RTE_MIN(len - hdr - at, (uint32_t)segsz);
		rte_be32_t be = rte_cpu_to_be_32(rte_be_to_cpu_32(seq) + at);

		memcpy(piece, frame, hdr);
		memcpy(piece + hdr, frame + hdr + at, n);
		memcpy(piece + l4 + 4, &be, 4);
		if (at + n < len - hdr)
			piece[l4 + 13] &= ~(TP_TCP_FIN | TP_TCP_PSH);
		if (at > 0)
			piece[l4 + 13] &= ~TP_TCP_CWR;
		tcp_frame_fill(piece, hdr + n, &e->key, ecn);
		transmit(w, e, piece, hdr + n);
	}
}

void
link_send(struct world *w, struct end *e, struct rte_mbuf *m)
{
	static uint8_t frame[FRAME_MAX];
	uint16_t segsz = m->ol_flags & RTE_MBUF_F_TX_TCP_SEG ? m->tso_segsz : 0;
	uint32_t len = tcp_frame_copy(m, &e->key, frame, sizeof(frame));
	uint32_t l4 = tcp_frame_hdr_len(&e->key);

	if (len == 0)
		world_fail(w, "a segment of %u bytes", m->pkt_len);
	else if (!(m->ol_flags & RTE_MBUF_F_TX_TCP_CKSUM))
		world_fail(w, "a segment without a wish for a checksum");
	rte_pktmbuf_free(m);
	if (world_failed(w))
		return;
	e->nb_out++;
	watch_sent(w, e, frame + l4, len - l4, segsz);
	if (segsz > 0)
		cut(w, e, frame, len, segsz);
	else
		transmit(w, e, frame, len);
}

/* ---- arrival ------------------------------------------------------------------------ */

/* As a port hands it over: in buffers of any size. NULL: no buffer. */
static struct rte_mbuf *
receive(struct world *w, const struct packet *p)
{
	struct rte_mbuf *head = NULL, *tail = NULL;

	for (uint32_t at = 0; at < p->len;) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pools[p->to][POOL_RX]);
		uint32_t n = RTE_MIN(p->len - at, (uint32_t)w->set->rx_piece);

		if (m == NULL) {
			rte_pktmbuf_free(head);
			return NULL;
		}
		memcpy(rte_pktmbuf_append(m, n), p->frame + at, n);
		if (head == NULL) {
			head = m;
		} else {
			tail->next = m;
			head->nb_segs++;
			head->pkt_len += n;
		}
		tail = m;
		at += n;
	}
	return head;
}

/* @return the end that gets it, or NULL: freed */
static struct end *
parse(struct world *w, struct rte_mbuf *m, unsigned int to, struct tp_tcp_seg *seg)
{
	uint16_t base = rte_be_to_cpu_16(w->end[0][to].key.lport);
	struct tp_pkt_info info;
	const uint8_t *port;
	uint16_t flow;

	tp_pkt_parse(m, &info);
	if ((info.flags & (TP_PKT_F_L4 | TP_PKT_F_BAD)) != TP_PKT_F_L4 ||
	                info.l4_proto != IPPROTO_TCP) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	port = rte_pktmbuf_read(m, info.l4_off + 2, 2, &flow);
	flow = (port[0] << 8 | port[1]) - base;
	w->host[to].nb_in++;
	memset(seg, 0, sizeof(*seg));
	if (tp_tcp_parse(m, &info, seg) < 0) {
		w->host[to].nb_in_err++;
		rte_pktmbuf_free(m);
		return NULL;
	}
	if (flow >= w->set->nb_flows) {
		world_fail(w, "damage to the ports went unnoticed");
		rte_pktmbuf_free(seg->data);
		return NULL;
	}
	return &w->end[flow][to];
}

void
link_deliver(struct world *w)
{
	struct packet *p = heap_pop(w);
	struct tp_tcp_seg seg;
	struct rte_mbuf *m;
	struct end *e;

	if (p->len == 0) {
		end_icmp(&w->end[p->flow][p->to], p->seq, p->mtu);
	} else if ((m = receive(w, p)) != NULL) {
		e = parse(w, m, p->to, &seg);
		if (e != NULL)
			end_input(e, &seg);
	}
	free(p);
}
