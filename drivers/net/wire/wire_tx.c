/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The sending end: a frame is taken, copied, and its fate and time are decided here. */
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ring.h>

#include "wire_int.h"

#define AIR_BURST 64
#define PPM 1000000u
/* Requests that a port without offloads cannot satisfy. */
#define INTENT                                                                                     \
	(RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_OUTER_IP_CKSUM |           \
	                RTE_MBUF_F_TX_OUTER_UDP_CKSUM | RTE_MBUF_F_TX_TCP_SEG |                    \
	                RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_QINQ)

/* ---- random numbers: xoroshiro128+, seeded by splitmix64 ------------------ */

static uint64_t
splitmix(uint64_t *x)
{
	uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint64_t
rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

static uint64_t
draw(struct wire_dir *d)
{
	uint64_t a = d->rng[0], b = d->rng[1], r = a + b;

	b ^= a;
	d->rng[0] = rotl(a, 24) ^ b ^ b << 16;
	d->rng[1] = rotl(b, 37);
	return r;
}

/* Uniform below n. */
static uint64_t
draw_below(struct wire_dir *d, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)draw(d) * n) >> 64);
}

static bool
chance(struct wire_dir *d, uint32_t ppm)
{
	return ppm > 0 && draw_below(d, PPM) < ppm;
}

void
wire_seed(struct wire_dir *d, uint64_t seed)
{
	uint64_t x = seed ^ (uint64_t)d->dir << 63;

	d->rng[0] = splitmix(&x);
	d->rng[1] = splitmix(&x);
}

/* ---- frames ---------------------------------------------------------------- */

/* Sender's mbufs that the port has read by now. */
void
wire_reclaim(struct wire_dir *d)
{
	struct rte_mbuf *done[AIR_BURST];
	unsigned int n;

	while ((n = rte_ring_sc_dequeue_burst(d->desc, (void **)done, AIR_BURST, NULL)) > 0)
		rte_pktmbuf_free_bulk(done, n);
}

/* Add a segment to copy when its last one is full. @return where to write, room > 0; or NULL */
static char *
copy_room(struct rte_mbuf *copy, struct rte_mbuf **last, struct rte_mempool *pool, uint16_t *room)
{
	struct rte_mbuf *m = *last;

	if (rte_pktmbuf_tailroom(m) == 0) {
		m = rte_pktmbuf_alloc(pool);
		if (m == NULL)
			return NULL;
		m->data_off = 0;
		(*last)->next = m;
		*last = m;
		copy->nb_segs++;
	}
	*room = rte_pktmbuf_tailroom(m);
	return rte_pktmbuf_mtod_offset(m, char *, m->data_len);
}

static struct rte_mbuf *
frame_copy(const struct rte_mbuf *m, struct rte_mempool *pool)
{
	struct rte_mbuf *copy = rte_pktmbuf_alloc(pool), *last = copy;
	uint16_t off = 0, room, n;
	char *to;

	if (copy == NULL)
		return NULL;
	while (m != NULL) {
		if (off == m->data_len) {
			m = m->next;
			off = 0;
			continue;
		}
		to = copy_room(copy, &last, pool, &room);
		if (to == NULL) {
			rte_pktmbuf_free(copy);
			return NULL;
		}
		n = RTE_MIN(room, (uint16_t)(m->data_len - off));
		memcpy(to, rte_pktmbuf_mtod_offset(m, const char *, off), n);
		last->data_len += n;
		copy->pkt_len += n;
		off += n;
	}
	return copy;
}

static void
frame_flip(struct wire_dir *d, struct rte_mbuf *m)
{
	uint64_t bit = draw_below(d, (uint64_t)m->pkt_len * 8);
	uint32_t off = bit / 8;

	while (off >= m->data_len) {
		off -= m->data_len;
		m = m->next;
	}
	*rte_pktmbuf_mtod_offset(m, uint8_t *, off) ^= 1u << bit % 8;
}

/* Length of the packet behind Ethernet header and at most two tags. */
static uint32_t
frame_l3_len(const struct rte_mbuf *m)
{
	uint32_t off = offsetof(struct rte_ether_hdr, ether_type);
	const rte_be16_t *type;
	rte_be16_t buf;

	for (unsigned int tags = 0;; tags++) {
		type = rte_pktmbuf_read(m, off, sizeof(buf), &buf);
		if (type == NULL)
			return 0;
		off += sizeof(buf);
		if (tags == 2 || (*type != RTE_BE16(RTE_ETHER_TYPE_VLAN) &&
		                                 *type != RTE_BE16(RTE_ETHER_TYPE_QINQ)))
			return m->pkt_len - off;
		off += sizeof(rte_be16_t);
	}
}

/* ---- the medium ------------------------------------------------------------ */

static uint32_t
nb_waiting(struct wire_dir *d, uint64_t now)
{
	struct wire_wait *first;

	while (d->wait_head != d->wait_tail) {
		first = &d->wait[d->wait_head & (d->nb_frames - 1)];
		if (first->done > now)
			break;
		d->wait_bytes -= first->len;
		d->wait_head++;
	}
	return d->wait_tail - d->wait_head;
}

static bool
queue_full(struct wire_dir *d, uint32_t len, uint64_t now)
{
	const struct tp_wire_dir_conf *c = &d->conf;
	uint32_t n = nb_waiting(d, now);

	if (c->rate_bps == 0)
		return false;
	return n == d->nb_frames || (c->queue_frames != 0 && n >= c->queue_frames) ||
	       (c->queue_bytes != 0 && n > 0 && d->wait_bytes + len > c->queue_bytes);
}

/* @return when the last bit of a frame has been sent */
static uint64_t
serialise(struct wire_dir *d, uint32_t len, uint64_t now)
{
	unsigned __int128 bits_ns;

	if (d->conf.rate_bps == 0)
		return RTE_MAX(now, d->line_free);
	if (d->line_free <= now) {
		d->line_free = now;
		d->line_rest = 0;
	}
	bits_ns = (unsigned __int128)(len + TP_WIRE_OVERHEAD_BYTES) * 8 * TP_NS_PER_S +
	          d->line_rest;
	d->line_free += (uint64_t)(bits_ns / d->conf.rate_bps);
	d->line_rest = (uint64_t)(bits_ns % d->conf.rate_bps);
	d->wait[d->wait_tail++ & (d->nb_frames - 1)] = (struct wire_wait){ d->line_free, len };
	d->wait_bytes += len;
	return d->line_free;
}

/* ---- taking frames ---------------------------------------------------------- */

/* What one Tx call gathers for the air. */
struct take {
	struct wire_dir *d;
	uint64_t now;
	uint32_t path;
	uint32_t room; /* in the air */
	uint16_t nb_out;
	struct rte_mbuf *out[AIR_BURST];
};

static void
air_flush(struct take *t)
{
	rte_ring_sp_enqueue_bulk(t->d->air, (void **)t->out, t->nb_out, NULL);
	t->nb_out = 0;
}

static void
air_put(struct take *t, struct rte_mbuf *m, uint64_t due)
{
	*wire_stamp(m) = (struct wire_stamp){ due, t->d->seq++, t->path / PATH_EPOCH_1 };
	t->room--;
	t->out[t->nb_out++] = m;
	if (t->nb_out == AIR_BURST)
		air_flush(t);
}

static void
take(struct take *t, const struct rte_mbuf *m)
{
	struct tp_wire_stats *s = &t->d->tx;

	s->sent++;
	s->sent_bytes += m->pkt_len;
	s->bad_intent += (m->ol_flags & INTENT) != 0;
	wire_tap(t->d, TP_WIRE_SENT, m, t->now);
}

/* A frame that goes no further, though the port takes it. */
static bool
lose(struct take *t, const struct rte_mbuf *m, uint64_t *counter)
{
	take(t, m);
	(*counter)++;
	wire_tap(t->d, TP_WIRE_LOST, m, t->now);
	return true;
}

static bool
no_room(struct take *t, const struct rte_mbuf *m, uint64_t *counter)
{
	if (t->d->conf.backpressure)
		return false;
	return lose(t, m, counter);
}

static bool
take_without_link(struct take *t, const struct rte_mbuf *m)
{
	struct wire_dir *d = t->d;

	if (d->conf.backpressure && d->swallowed >= d->conf.swallow)
		return false;
	d->swallowed++;
	return lose(t, m, &d->tx.lost_link);
}

static void
launch(struct take *t, struct rte_mbuf *copy, uint64_t sent_at)
{
	const struct tp_wire_dir_conf *c = &t->d->conf;
	struct wire_dir *d = t->d;
	struct rte_mbuf *twin;
	uint64_t due = sent_at + c->delay_ns;

	if (c->jitter_ns > 0)
		due += draw_below(d, c->jitter_ns + 1);
	due = d->last_due = RTE_MAX(due, d->last_due);
	if (chance(d, c->corrupt_ppm) && copy->pkt_len > 0) {
		frame_flip(d, copy);
		d->tx.corrupted++;
	}
	if (chance(d, c->reorder_ppm)) {
		due += c->reorder_ns;
		d->tx.reordered++;
	}
	air_put(t, copy, due);
	if (!chance(d, c->dup_ppm) || t->room == 0)
		return;
	twin = frame_copy(copy, d->pool);
	if (twin != NULL) {
		d->tx.dup++;
		air_put(t, twin, due);
	}
}

/* @return false when the port refuses the frame */
static bool
take_frame(struct take *t, const struct rte_mbuf *m)
{
	struct wire_dir *d = t->d;
	struct rte_mbuf *copy;
	uint64_t sent_at;

	if (t->path & PATH_NO_LINK)
		return take_without_link(t, m);
	d->swallowed = 0;
	if (frame_l3_len(m) > d->conf.mtu)
		return lose(t, m, &d->tx.drop_mtu);
	if (queue_full(d, m->pkt_len, t->now))
		return no_room(t, m, &d->tx.drop_queue);
	if (t->room == 0)
		return no_room(t, m, &d->tx.drop_ring);
	copy = frame_copy(m, d->pool);
	if (copy == NULL)
		return no_room(t, m, &d->tx.drop_mbuf);

	sent_at = serialise(d, m->pkt_len, t->now);
	if (t->path & PATH_CUT || chance(d, d->conf.loss_ppm)) {
		rte_pktmbuf_free(copy);
		return lose(t, m, t->path & PATH_CUT ? &d->tx.lost_link : &d->tx.lost);
	}
	take(t, m);
	launch(t, copy, sent_at);
	return true;
}

/* Tx callback: what it returns net_ring then puts into the descriptors, where wire_reclaim()
 * finds it; so it must fit.
 */
uint16_t
wire_tx(uint16_t port_id, uint16_t queue, struct rte_mbuf *pkts[], uint16_t nb_pkts, void *arg)
{
	struct wire_end *e = arg;
	struct wire_dir *d = &e->wire->dir[e->end];
	struct take t = { .d = d, .now = tp_clock_now() };
	uint16_t n, max;

	(void)port_id;
	(void)queue;
	wire_sync_end(e->wire, e->end);
	wire_reclaim(d);
	wire_conf_refresh(d);
	t.path = atomic_load_explicit(&d->path, memory_order_acquire);
	t.room = rte_ring_free_count(d->air);
	max = RTE_MIN((unsigned int)nb_pkts, rte_ring_free_count(d->desc));
	n = 0;
	while (n < max && take_frame(&t, pkts[n]))
		n++;
	if (t.nb_out > 0)
		air_flush(&t);
	d->tx.not_taken += nb_pkts - n;
	return n;
}
