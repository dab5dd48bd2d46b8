/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What everybody who sees the wire may demand of every segment; what was sent, in words. */

#include <inttypes.h>
#include <string.h>

#include "../../unit/tcp_frame.h"
#include "tcpsim.h"

/* ---- content ----------------------------------------------------------------------- */

static uint64_t
word(const struct end *writer, uint64_t n)
{
	uint64_t z = (n + 1) * UINT64_C(0x9e3779b97f4a7c15) + writer->host * 77 + writer->flow;

	return z ^ z >> 29;
}

void
stream_fill(const struct end *writer, uint64_t offset, uint8_t *to, uint32_t len)
{
	for (uint32_t i = 0; i < len;) {
		uint64_t v = word(writer, (offset + i) / 8);
		uint32_t from = (offset + i) % 8, n = RTE_MIN(8 - from, len - i);

		memcpy(to + i, (const uint8_t *)&v + from, n);
		i += n;
	}
}

bool
stream_same(const struct end *writer, uint64_t offset, const uint8_t *at, uint32_t len)
{
	for (uint32_t i = 0; i < len;) {
		uint64_t v = word(writer, (offset + i) / 8);
		uint32_t from = (offset + i) % 8, n = RTE_MIN(8 - from, len - i);

		if (memcmp(at + i, (const uint8_t *)&v + from, n) != 0)
			return false;
		i += n;
	}
	return true;
}

/* ---- a header, read without the engine's help ------------------------------------------- */

struct header {
	uint32_t seq, ack, len, wnd, hdr_len;
	uint8_t flags;
	bool mss_on, wscale_on, ts_on, sack_ok;
	uint16_t mss;
	uint8_t wscale, nb_sack;
	uint32_t ts_val, ts_ecr;
	uint32_t sack[4][2];
};

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static void
read_option(struct header *h, const uint8_t *o, uint8_t len)
{
	if (o[0] == 2 && len == 4) {
		h->mss_on = true;
		h->mss = o[2] << 8 | o[3];
	} else if (o[0] == 3 && len == 3) {
		h->wscale_on = true;
		h->wscale = o[2];
	} else if (o[0] == 4 && len == 2) {
		h->sack_ok = true;
	} else if (o[0] == 8 && len == 10) {
		h->ts_on = true;
		h->ts_val = be32(o + 2);
		h->ts_ecr = be32(o + 6);
	} else if (o[0] == 5 && len >= 10 && len <= 34 && len % 8 == 2) {
		h->nb_sack = len / 8;
		for (int i = 0; i < h->nb_sack; i++) {
			h->sack[i][0] = be32(o + 2 + 8 * i);
			h->sack[i][1] = be32(o + 6 + 8 * i);
		}
	}
}

/* @return NULL, or what is wrong with it */
static const char *
read_header(const uint8_t *t, uint32_t l4_len, struct header *h)
{
	*h = (struct header){ .seq = be32(t + 4),
		.ack = be32(t + 8),
		.flags = t[13],
		.wnd = t[14] << 8 | t[15],
		.hdr_len = (t[12] >> 4) * 4 };
	if (h->hdr_len < 20 || h->hdr_len > l4_len)
		return "header length";
	h->len = l4_len - h->hdr_len;
	for (uint32_t at = 20; at < h->hdr_len;) {
		if (t[at] == 0)
			break;
		if (t[at] == 1) {
			at++;
			continue;
		}
		if (at + 2 > h->hdr_len || t[at + 1] < 2 || at + t[at + 1] > h->hdr_len)
			return "option length";
		read_option(h, t + at, t[at + 1]);
		at += t[at + 1];
	}
	return NULL;
}

/* ---- what must hold ------------------------------------------------------------------- */

static const struct end *
other(const struct end *e)
{
	return &e->w->end[e->flow][!e->host];
}

/* Bytes that the sender's window field counts in. */
static uint8_t
scale(const struct end *from, uint8_t flags)
{
	if (flags & TP_TCP_SYN || !from->watch.wscale_on || !other(from)->watch.wscale_on)
		return 0;
	return from->watch.wscale;
}

static const char *
check_syn(struct end *e, const struct header *h)
{
	struct watch *wa = &e->watch;
	bool cookie = e->w->set->open == OPEN_COOKIE && e->host == 1;

	if (wa->syn && !cookie && h->seq != wa->iss)
		return "another initial sequence number";
	if (h->len > 0)
		return "a SYN with data";
	wa->syn = true;
	wa->iss = h->seq;
	if (!wa->max_sent || cookie || tp_seq_lt(wa->max_sent, h->seq + 1))
		wa->max_sent = h->seq + 1;
	wa->mss = h->mss_on ? h->mss : e->w->set->v6 ? 1220 : 536;
	wa->wscale = h->wscale;
	wa->wscale_on = h->wscale_on;
	wa->ts = h->ts_on;
	if (!h->mss_on)
		return "a SYN without MSS";
	if (h->wscale > 14)
		return "a window scale above 14";
	return NULL;
}

/* Data and FIN: what it is, and whether it may be sent. */
static const char *
check_data(struct end *e, const struct header *h, const uint8_t *data, uint16_t segsz)
{
	struct watch *wa = &e->watch;
	const struct tp_tcp_conf *conf = &e->w->set->conf[e->host];
	uint32_t end = h->seq + h->len + (h->flags & TP_TCP_FIN), rel = h->seq - wa->iss - 1;
	uint32_t piece = segsz > 0 ? segsz : h->len;
	uint32_t ip = tcp_frame_hdr_len(&e->key) - RTE_ETHER_HDR_LEN;

	if (tp_seq_gt(h->seq, wa->max_sent) || (int32_t)rel < -1)
		return "numbers that leave a gap";
	if (h->len > 0 && (int32_t)rel >= 0 && !stream_same(e, rel, data, h->len))
		return "bytes that were not written";
	if (ip + h->hdr_len + piece > conf->mtu)
		return "larger than the MTU";
	if (piece + h->hdr_len - 20 > other(e)->watch.mss)
		return "larger than the peer's MSS";
	if (segsz > 0 && h->len > conf->tso_max)
		return "larger than tso_max";
	if (wa->edge_known && h->len > 1 && tp_seq_gt(h->seq + h->len, wa->edge_got))
		return "beyond the peer's window";
	if (tp_seq_gt(end, wa->max_sent))
		wa->max_sent = end;
	return NULL;
}

static const char *
check_sack(const struct end *e, const struct header *h)
{
	for (int i = 0; i < h->nb_sack; i++) {
		const uint32_t *b = h->sack[i];

		if (tp_seq_geq(b[0], b[1]) || tp_seq_gt(b[1], other(e)->watch.max_sent))
			return "a SACK block of nothing that was sent";
		if (i > 0 && tp_seq_lt(b[0], h->ack))
			return "a SACK block below the ACK";
		/* RFC 2883 4: below the ACK, or in the block that follows. */
		if (i == 0 && tp_seq_gt(b[1], h->ack) && tp_seq_lt(b[0], h->ack))
			return "a SACK block across the ACK";
	}
	return NULL;
}

static const char *
check_ack(struct end *e, const struct header *h)
{
	struct watch *wa = &e->watch;
	uint32_t edge = h->ack + (h->wnd << scale(e, h->flags)), unit = 1u << scale(e, 0);

	if (tp_seq_gt(h->ack, other(e)->watch.max_sent))
		return "an ACK of what was never sent";
	if (wa->ack && tp_seq_lt(h->ack, wa->ack_sent))
		return "an ACK that goes back";
	/* RFC 7323 2.4: by less than it can say. */
	if (wa->ack && tp_seq_lt(edge + unit - 1, wa->edge_sent))
		return "a window that shrinks";
	wa->ack_sent = h->ack;
	wa->edge_sent = wa->ack ? tp_seq_max(edge, wa->edge_sent) : edge;
	wa->ack = true;
	return check_sack(e, h);
}

static const char *
check_stamp(struct end *e, const struct header *h)
{
	struct watch *wa = &e->watch;
	bool agreed = wa->ts && other(e)->watch.ts;

	if (!(h->flags & TP_TCP_SYN) && agreed != h->ts_on)
		return agreed ? "no timestamp" : "a timestamp that was not agreed";
	if (h->ts_on && !(h->flags & TP_TCP_SYN) && tp_seq_lt(h->ts_val, wa->ts_sent))
		return "a timestamp that goes back";
	if (h->ts_on)
		wa->ts_sent = h->ts_val;
	return NULL;
}

static const char *
check_rst(struct end *e)
{
	e->watch.nb_rst++;
	/* What comes late is refused by nobody in particular. */
	if (e->w->set->gentle && e->c != NULL)
		return "a reset";
	return NULL;
}

void
watch_sent(struct world *w, struct end *e, const uint8_t *tcp, uint32_t l4_len, uint16_t segsz)
{
	struct header h;
	const char *what = read_header(tcp, l4_len, &h);

	if (what == NULL && (h.flags & TP_TCP_RST)) {
		what = check_rst(e);
	} else if (what == NULL) {
		if (h.flags & TP_TCP_SYN)
			what = check_syn(e, &h);
		else if (!(h.flags & TP_TCP_ACK))
			what = "no ACK";
		else
			what = check_data(e, &h, tcp + h.hdr_len, segsz);
		if (what == NULL)
			what = check_stamp(e, &h);
		if (what == NULL && (h.flags & TP_TCP_ACK))
			what = check_ack(e, &h);
	}
	if (what != NULL)
		world_fail(w, "%c.%u sends %s", 'A' + e->host, e->flow, what);
}

void
watch_got(struct end *e, const struct tp_tcp_seg *seg)
{
	uint32_t edge = seg->ack + ((uint32_t)seg->wnd << scale(other(e), seg->flags));

	if ((seg->flags & (TP_TCP_ACK | TP_TCP_RST)) != TP_TCP_ACK)
		return;
	if (!e->watch.edge_known || tp_seq_gt(edge, e->watch.edge_got))
		e->watch.edge_got = edge;
	e->watch.edge_known = true;
}

/* ---- trace and capture ------------------------------------------------------------------ */

static void
pcap_write(FILE *f, uint64_t now, const uint8_t *frame, uint32_t len)
{
	uint32_t head[4] = { now / S, now % S, len, len };

	fwrite(head, sizeof(head), 1, f);
	fwrite(frame, len, 1, f);
}

FILE *
watch_pcap_open(const char *path)
{
	/* Nanoseconds, Ethernet (draft-ietf-opsawg-pcap). */
	static const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, figures, snaplen, linktype;
	} head = { 0xa1b23c4d, 2, 4, 0, 0, FRAME_MAX, 1 };
	FILE *f = fopen(path, "wb");

	if (f != NULL)
		fwrite(&head, sizeof(head), 1, f);
	return f;
}

static void
print_flags(uint8_t flags)
{
	static const char letters[] = "FSRP.UEW";

	printf("[");
	for (int i = 0; i < 8; i++)
		if (flags & 1 << i)
			putchar(letters[i]);
	printf("]");
}

static void
print_segment(const struct world *w, unsigned int from, const struct header *h, unsigned int flow)
{
	const struct watch *me = &w->end[flow][from].watch, *peer = &w->end[flow][!from].watch;
	uint32_t seq = h->seq - me->iss;

	printf("%.6f %c.%u > %c.%u: ", w->now / 1e9, 'A' + from, flow, 'B' - from, flow);
	print_flags(h->flags);
	printf(" seq %" PRIu32, seq);
	if (h->len > 0)
		printf(":%" PRIu32, seq + h->len);
	if (h->flags & TP_TCP_ACK)
		printf(" ack %" PRIu32, h->ack - peer->iss);
	printf(" win %" PRIu32, h->wnd << scale(&w->end[flow][from], h->flags));
	if (h->mss_on)
		printf(" mss %u", h->mss);
	if (h->wscale_on)
		printf(" wscale %u", h->wscale);
	if (h->sack_ok)
		printf(" sackOK");
	if (h->ts_on)
		printf(" TS %" PRIu32 " ecr %" PRIu32, h->ts_val, h->ts_ecr);
	for (int i = 0; i < h->nb_sack; i++)
		printf(" sack %" PRIu32 ":%" PRIu32, h->sack[i][0] - peer->iss,
		                h->sack[i][1] - peer->iss);
	printf(" length %" PRIu32, h->len);
}

void
watch_trace(struct world *w, unsigned int from, const uint8_t *frame, uint32_t len,
                const char *fate)
{
	uint32_t l4 = tcp_frame_hdr_len(&w->end[0][0].key);
	unsigned int base = rte_be_to_cpu_16(w->end[0][from].key.lport);
	struct header h;

	if (w->pcap != NULL && fate == NULL)
		pcap_write(w->pcap, w->now, frame, len);
	if (!w->trace || read_header(frame + l4, len - l4, &h) != NULL)
		return;
	print_segment(w, from, &h, (frame[l4] << 8 | frame[l4 + 1]) - base);
	if (fate != NULL)
		printf("  <- %s", fate);
	printf("\n");
}

void
watch_note(struct end *e, const char *what)
{
	trail_add(e->w, what, strlen(what));
	if (e->w->trace)
		printf("%.6f %c.%u %s (%s)\n", e->w->now / 1e9, 'A' + e->host, e->flow, what,
		                e->c != NULL ? tp_tcp_state_name(e->c->state) : "no connection");
}
