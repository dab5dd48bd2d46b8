/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The HTTP service with a connection that is made up here: what tp_toe.h promises its users, with
 * a small send buffer, a peer that reads now and then, buffers that run out. Input: struct control,
 * then what the peer sends. It is given twice: whole, to a peer that reads at once, and in pieces as
 * control says. Both have to get the same answers, these have to be HTTP with the right content, and
 * once the peer has sent and read all it wants the service has to end.
 */

#include <http_parser.h>
#include <sanitizer/asan_interface.h>
#include <string.h>

#include "service.h"
#include "start.h"

#define NB_MBUFS 255
#define IN_MAX 8192
#define SEG_MAX 1024
#define OUT_MAX 65536u /* longer answers are cut off */
#define SND_MIN 4096   /* of the send buffer */

struct control {
	uint8_t piece;   /* octets that come at once, less one */
	uint8_t segment; /* of them in a buffer, less one */
	uint8_t snd_buf; /* beyond SND_MIN, in units of 32 */
	uint8_t reads;   /* octets that the peer reads after each piece, in units of 16 */
	uint8_t missing; /* buffers that others have, less NB_MBUFS - 16; 0..239: none */
	uint8_t end;     /* END_* */
};

#define END_EARLY 0x01 /* closed from outside before the peer has read all */

static struct rte_mempool *pool;
static void *taken[NB_MBUFS];

/* The connection. */
static struct {
	struct tp_toe_call call;
	struct tp_tcp_conn conn;
	uint32_t snd_buf, queued;
	uint32_t delivered, consumed;
	bool want_space, shut, closed, aborted, refused;
	uint32_t len;
	uint8_t out[OUT_MAX];
} c;

/* ---- what the service calls ------------------------------------------------------------- */

static uint8_t
octet(uint64_t at)
{
	return (at % SERVICE_CONTENT_LEN) * 7;
}

void
service_content(uint8_t content[SERVICE_CONTENT_LEN])
{
	for (uint32_t i = 0; i < SERVICE_CONTENT_LEN; i++)
		content[i] = octet(i);
}

int
tp_toe_send(struct tp_toe_call *call, struct rte_mbuf *m, bool push)
{
	uint32_t len = m->pkt_len, keep;

	(void)push;
	CHECK(call == &c.call && !c.closed && !c.aborted);
	CHECK(len > 0 && m->nb_segs == 1);
	if (c.shut)
		return -EPIPE;
	if (len > c.snd_buf - c.queued) {
		c.want_space = true;
		return -ENOBUFS;
	}
	c.queued += len;
	keep = RTE_MIN(len, OUT_MAX - c.len);
	memcpy(c.out + c.len, rte_pktmbuf_mtod(m, void *), keep);
	c.len += keep;
	rte_pktmbuf_free(m);
	return 0;
}

uint32_t
tp_toe_send_space(const struct tp_toe_call *call)
{
	CHECK(call == &c.call);
	return c.snd_buf - c.queued;
}

void
tp_toe_want_space(struct tp_toe_call *call)
{
	CHECK(call == &c.call);
	c.want_space = true;
}

uint8_t
tp_toe_member(const struct tp_toe_call *call)
{
	CHECK(call == &c.call);
	return 3;
}

struct rte_mbuf *
tp_toe_alloc(struct tp_toe_call *call)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	CHECK(call == &c.call);
	if (m == NULL)
		c.refused = true;
	else
		__asan_unpoison_memory_region(m->buf_addr, m->buf_len);
	return m;
}

void
tp_toe_consumed(struct tp_toe_call *call, uint32_t len_bytes)
{
	CHECK(call == &c.call);
	c.consumed += len_bytes;
	CHECK(c.consumed <= c.delivered);
}

void
tp_toe_shutdown(struct tp_toe_call *call)
{
	CHECK(call == &c.call);
	c.shut = true;
}

void
tp_toe_close(struct tp_toe_call *call)
{
	CHECK(call == &c.call);
	/* Closing with octets that were not read would be a RST, and take the answer with it. */
	CHECK(c.consumed == c.delivered);
	c.closed = true;
}

void
tp_toe_abort(struct tp_toe_call *call)
{
	CHECK(call == &c.call);
	c.aborted = true;
}

/* ---- the peer ---------------------------------------------------------------------------- */

static bool
over(void)
{
	return c.closed || c.aborted || c.len == OUT_MAX;
}

static void
peer_reads(uint32_t nb)
{
	c.queued -= RTE_MIN(nb, c.queued);
	if (!c.want_space || c.queued > c.snd_buf / 2 || over())
		return;
	c.want_space = false;
	svc_http.on_writable(&c.call);
}

/* Octets behind a segment's data are poisoned: nothing may read them. */
static struct rte_mbuf *
new_segment(const uint8_t *data, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint32_t end;

	if (m == NULL)
		return NULL;
	__asan_unpoison_memory_region(m->buf_addr, m->buf_len);
	memcpy(rte_pktmbuf_append(m, len), data, len);
	end = m->data_off + len;
	__asan_poison_memory_region((char *)m->buf_addr + end, m->buf_len - end);
	return m;
}

/* @return how many of them found buffers: as much as a segment is received */
static uint32_t
peer_sends(const uint8_t *data, uint32_t len, uint32_t seg_len)
{
	struct rte_mbuf *head = NULL, *m;
	uint32_t at, n;

	for (at = 0; at < len; at += n) {
		n = RTE_MIN(len - at, seg_len);
		m = new_segment(data + at, n);
		if (m == NULL)
			break;
		if (head == NULL)
			head = m;
		else
			CHECK(rte_pktmbuf_chain(head, m) == 0);
	}
	if (head == NULL)
		return 0;
	c.delivered += at;
	svc_http.on_data(&c.call, head);
	return at;
}

static void
peer_sends_all(const uint8_t *data, uint32_t size, const struct control *how)
{
	uint32_t piece = how->piece + 1, got;

	for (uint32_t at = 0; at < size && !over(); at += got) {
		got = peer_sends(data + at, RTE_MIN(size - at, piece), how->segment + 1);
		peer_reads(how->reads * 16);
		if (got == 0) { /* it sends again when there is memory */
			peer_reads(UINT32_MAX);
			got = peer_sends(data + at, 1, 1);
			if (got == 0)
				return;
		}
	}
}

/* Buffers that others have come back, the peer reads until nothing is left. */
static void
peer_ends(void **others, uint32_t nb_others)
{
	if (nb_others > 0)
		rte_mempool_put_bulk(pool, others, nb_others);
	c.conn.flags |= TP_TCP_F_FIN_RCVD;
	if (!over())
		svc_http.on_eof(&c.call);
	/* What it has sent may itself hold the last buffer. */
	while (!over() && (c.queued > 0 || (c.want_space && !c.refused)))
		peer_reads(UINT32_MAX);
}

/* ---- what it got -------------------------------------------------------------------------- */

struct heard {
	uint64_t body;
	bool octets; /* the body is the sequence */
	bool ended;
};

static int
heard_begin(http_parser *p)
{
	*(struct heard *)p->data = (struct heard){ .ended = false };
	return 0;
}

static int
heard_value(http_parser *p, const char *at, size_t len)
{
	static const char type[] = "application/octet-stream";
	struct heard *h = p->data;

	h->octets |= len == sizeof(type) - 1 && memcmp(at, type, len) == 0;
	return 0;
}

static int
heard_body(http_parser *p, const char *at, size_t len)
{
	struct heard *h = p->data;

	for (size_t i = 0; h->octets && i < len; i++)
		CHECK((uint8_t)at[i] == octet(h->body + i));
	h->body += len;
	return 0;
}

static int
heard_end(http_parser *p)
{
	struct heard *h = p->data;

	CHECK(p->status_code == 100 || p->status_code == 200 || p->status_code == 400 ||
	                p->status_code == 404);
	h->ended = true;
	return 0;
}

/* Answers to HEAD cannot be told from those to GET. */
static void
check_answers(const uint8_t *data, size_t size, bool whole)
{
	static const http_parser_settings settings = {
		.on_message_begin = heard_begin,
		.on_header_value = heard_value,
		.on_body = heard_body,
		.on_message_complete = heard_end,
	};
	struct heard h = { .ended = true };
	http_parser p = { .data = &h };

	if (memmem(data, size, "HEAD", 4) != NULL)
		return;
	http_parser_init(&p, HTTP_RESPONSE);
	CHECK(http_parser_execute(&p, &settings, (const char *)c.out, c.len) == c.len);
	CHECK(HTTP_PARSER_ERRNO(&p) == HPE_OK);
	CHECK(!whole || h.ended);
}

/* ---- one input ---------------------------------------------------------------------------- */

static void
run(const uint8_t *data, uint32_t size, const struct control *how, uint32_t snd_buf)
{
	uint32_t missing = how->missing < 240 ? 0 : NB_MBUFS - 256 + how->missing;

	c.call = (struct tp_toe_call){ .id = 0x1234, .conn = &c.conn };
	c.conn.flags = 0;
	c.snd_buf = snd_buf;
	c.queued = c.delivered = c.consumed = c.len = 0;
	c.want_space = c.shut = c.closed = c.aborted = c.refused = false;
	svc_http.on_accept(&c.call);
	if (missing > 0)
		CHECK(rte_mempool_get_bulk(pool, taken, missing) == 0);
	peer_sends_all(data, size, how);
	if (how->end & END_EARLY && missing == 0) {
		/* as it is */
	} else {
		peer_ends(taken, missing);
		CHECK(over() || c.refused);
		CHECK(!c.aborted || c.refused);
	}
	c.call.conn = NULL;
	c.delivered = UINT32_MAX;
	svc_http.on_close(&c.call, TP_TCP_R_RESET);
	CHECK(rte_mempool_avail_count(pool) == NB_MBUFS);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_start("-m 64");
	CHECK(tp_meta_init() == 0);
	pool = rte_pktmbuf_pool_create("pool", NB_MBUFS, 0, 0, SEG_MAX + 128, SOCKET_ID_ANY);
	CHECK(pool != NULL && svc_http_init(64) == 0);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct control whole = { .piece = 255, .segment = 255, .reads = 255 };
	static uint8_t first[OUT_MAX];
	struct control how;
	uint32_t len;

	if (size < sizeof(how))
		return 0;
	memcpy(&how, data, sizeof(how));
	data += sizeof(how);
	size = RTE_MIN(size - sizeof(how), (size_t)IN_MAX);
	run(data, size, &whole, 1 << 20);
	check_answers(data, size, c.len < OUT_MAX);
	memcpy(first, c.out, c.len);
	len = c.len;
	run(data, size, &how, SND_MIN + how.snd_buf * 32);
	CHECK(c.len <= len && memcmp(first, c.out, c.len) == 0);
	CHECK(c.len == len || c.refused || how.end & END_EARLY);
	return 0;
}
