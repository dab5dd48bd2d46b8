/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* HTTP/1.1 with keep-alive and pipelining (RFC 9112), parsed by http_parser:
 *
 *   GET /bytes/N      N octets (suffix K, M, G: times 1024...) of docs/services.md's sequence
 *   PUT|POST /sink    length and CRC32C of the body, as JSON
 *   GET /info         who serves this, as JSON
 *
 * Requests are answered one after the other: what follows waits, not parsed and not credited, until
 * the answer before it is in the send buffer.
 */

#include <errno.h>
#include <http_parser.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_hash_crc.h>

#include "service.h"

#define URL_MAX 128
#define EXPECT "expect"
#define CRC_INIT UINT32_C(0xffffffff)
/* All that one request is answered with at once: at most so many octets. */
#define ANSWER_MAX 2048
/* Contexts in the caches of other lcores do not help the one that needs one. */
#define CACHE_SIZE 64
#define SPARE (TP_MAX_MEMBERS * 2 * CACHE_SIZE)

struct http {
	http_parser parser;
	struct tp_toe_call *call; /* while one is under way */
	struct rte_mbuf *in;      /* received and not yet parsed */
	uint64_t body_at;         /* of the answer: next octet */
	uint64_t body_end;
	uint64_t got; /* octets of the request's body */
	uint32_t crc;
	uint16_t url_len;
	uint8_t matched; /* characters of "expect" in the present header's name */
	bool name_done;  /* that name has ended */
	bool expect;
	bool failed; /* could not answer: the connection ends */
	bool last;   /* close after this answer */
	char url[URL_MAX];
};

static struct rte_mempool *https;
static uint8_t content[SERVICE_CONTENT_LEN];

/* ---- answers --------------------------------------------------------------- */

static void
answer(struct http *h, const char *text, int len)
{
	struct rte_mbuf *m = tp_toe_alloc(h->call);

	if (m == NULL || len < 0 || len > rte_pktmbuf_tailroom(m)) {
		rte_pktmbuf_free(m);
		h->failed = true;
		return;
	}
	memcpy(rte_pktmbuf_append(m, len), text, len);
	if (tp_toe_send(h->call, m, true) == 0)
		return;
	rte_pktmbuf_free(m);
	h->failed = true;
}

static void
answer_text(struct http *h, const char *status, const char *type, const char *body)
{
	char text[1024];

	answer(h, text,
	                snprintf(text, sizeof(text),
	                                "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	                                "%s\r\n%s",
	                                status, type, strlen(body),
	                                h->last ? "Connection: close\r\n" : "",
	                                h->parser.method == HTTP_HEAD ? "" : body));
}

static void
answer_bytes(struct http *h, uint64_t len)
{
	char text[256];

	answer(h, text,
	                snprintf(text, sizeof(text),
	                                "HTTP/1.1 200 OK\r\nContent-Type: "
	                                "application/octet-stream\r\n"
	                                "Content-Length: %" PRIu64 "\r\n%s\r\n",
	                                len, h->last ? "Connection: close\r\n" : ""));
	h->body_at = 0;
	h->body_end = h->parser.method == HTTP_HEAD ? 0 : len;
}

static void
answer_sink(struct http *h)
{
	char body[96];

	snprintf(body, sizeof(body), "{\"length\": %" PRIu64 ", \"crc32c\": \"%08" PRIx32 "\"}\n",
	                h->got, ~h->crc);
	answer_text(h, "200 OK", "application/json", body);
}

static void
answer_info(struct http *h)
{
	char body[160];

	snprintf(body, sizeof(body),
	                "{\"server\": \"teampmd\", \"connection\": \"%" PRIx64 "\", "
	                "\"member\": %u}\n",
	                h->call->id, tp_toe_member(h->call));
	answer_text(h, "200 OK", "application/json", body);
}

/* "123", "64K", "1G". @return false: no such number */
static bool
parse_size(const char *text, uint64_t *len)
{
	static const char units[] = "KMG";
	const char *unit;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*len = strtoull(text, &end, 10);
	if (errno != 0 || *len > INT64_MAX) /* clients count in signed ones */
		return false;
	if (*end == '\0')
		return true;
	unit = strchr(units, *end);
	if (unit == NULL || end[1] != '\0' || *len > UINT64_MAX >> 31)
		return false;
	*len <<= 10 * (unit - units + 1);
	return true;
}

static void
answer_request(struct http *h)
{
	unsigned int method = h->parser.method;
	bool get = method == HTTP_GET || method == HTTP_HEAD;
	uint64_t len;

	h->url[h->url_len] = '\0';
	if (get && strncmp(h->url, "/bytes/", 7) == 0 && parse_size(h->url + 7, &len))
		answer_bytes(h, len);
	else if ((method == HTTP_PUT || method == HTTP_POST) && strcmp(h->url, "/sink") == 0)
		answer_sink(h);
	else if (get && (strcmp(h->url, "/info") == 0 || strcmp(h->url, "/") == 0))
		answer_info(h);
	else
		answer_text(h, "404 Not Found", "text/plain",
		                "There are GET /bytes/N, PUT or POST /sink, GET /info.\n");
}

/* ---- requests ---------------------------------------------------------------- */

static int
on_begin(http_parser *p)
{
	struct http *h = p->data;

	h->url_len = 0;
	h->got = 0;
	h->crc = CRC_INIT;
	h->matched = 0;
	h->name_done = false;
	h->expect = false;
	return 0;
}

/* One that is too long names nothing that is here. */
static int
on_url(http_parser *p, const char *at, size_t len)
{
	struct http *h = p->data;
	size_t room = URL_MAX - 1 - h->url_len;

	memcpy(h->url + h->url_len, at, RTE_MIN(len, room));
	h->url_len += RTE_MIN(len, room);
	return 0;
}

static int
on_header_name(http_parser *p, const char *at, size_t len)
{
	struct http *h = p->data;

	if (h->name_done) {
		h->matched = 0;
		h->name_done = false;
	}
	for (size_t i = 0; i < len; i++) {
		if (h->matched < sizeof(EXPECT) - 1 && (at[i] | 0x20) == EXPECT[h->matched])
			h->matched++;
		else
			h->matched = UINT8_MAX;
	}
	return 0;
}

static int
on_header_value(http_parser *p, const char *at, size_t len)
{
	struct http *h = p->data;

	(void)at;
	h->name_done = true;
	if (h->matched == sizeof(EXPECT) - 1 && len > 0)
		h->expect = true;
	return 0;
}

static int
on_headers_complete(http_parser *p)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct http *h = p->data;

	/* ULLONG_MAX: it has none. */
	bool length = p->content_length > 0 && p->content_length != ULLONG_MAX;

	if (h->expect && (p->flags & F_CHUNKED || length))
		answer(h, go_on, sizeof(go_on) - 1);
	return 0;
}

/* CRC32C (RFC 3720 12.1) of octets at any address: rte_hash_crc() reads words where they lie. */
static uint32_t
crc32c(const char *p, size_t len, uint32_t crc)
{
	for (; len >= sizeof(uint64_t); len -= sizeof(uint64_t), p += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, p, sizeof(word));
		crc = rte_hash_crc_8byte(word, crc);
	}
	for (; len > 0; len--)
		crc = rte_hash_crc_1byte(*p++, crc);
	return crc;
}

static int
on_body(http_parser *p, const char *at, size_t len)
{
	struct http *h = p->data;

	h->crc = crc32c(at, len, h->crc);
	h->got += len;
	return 0;
}

static int
on_complete(http_parser *p)
{
	struct http *h = p->data;

	h->last = !http_should_keep_alive(p);
	answer_request(h);
	/* The next one is not for now. */
	http_parser_pause(p, 1);
	return 0;
}

static const http_parser_settings settings = {
	.on_message_begin = on_begin,
	.on_url = on_url,
	.on_header_field = on_header_name,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_complete,
};

/* ---- the connection ------------------------------------------------------------ */

/* @return false: the send buffer is full, or there is no buffer: on_writable goes on */
static bool
fill(struct http *h)
{
	while (h->body_at < h->body_end) {
		uint32_t from = h->body_at % SERVICE_CONTENT_LEN, len;
		struct rte_mbuf *m;

		if (tp_toe_send_space(h->call) == 0)
			return tp_toe_want_space(h->call), false;
		m = tp_toe_alloc(h->call);
		if (m == NULL)
			return tp_toe_want_space(h->call), false;
		len = RTE_MIN(rte_pktmbuf_tailroom(m), SERVICE_CONTENT_LEN - from);
		len = RTE_MIN(len, h->body_end - h->body_at);
		len = RTE_MIN(len, tp_toe_send_space(h->call));
		memcpy(rte_pktmbuf_append(m, len), content + from, len);
		if (tp_toe_send(h->call, m, h->body_at + len == h->body_end) != 0) {
			rte_pktmbuf_free(m);
			return false;
		}
		h->body_at += len;
	}
	return true;
}

/* Parse the first buffer. @return false: no sense can be made of it */
static bool
parse(struct http *h)
{
	struct rte_mbuf *m = h->in;
	size_t n = http_parser_execute(
	                &h->parser, &settings, rte_pktmbuf_mtod(m, const char *), m->data_len);
	enum http_errno err = HTTP_PARSER_ERRNO(&h->parser);

	if (err == HPE_PAUSED)
		http_parser_pause(&h->parser, 0);
	else if (err != HPE_OK)
		return false;
	tp_toe_consumed(h->call, n);
	if (n < m->data_len) {
		m->data_off += n;
		m->data_len -= n;
		return true;
	}
	h->in = m->next;
	rte_pktmbuf_free_seg(m);
	return true;
}

static void
refuse(struct http *h)
{
	/* The parser calls all HEAD that begins like it: without a body it is right for both. */
	bool head = h->parser.method == HTTP_HEAD;

	h->last = true;
	answer_text(h, "400 Bad Request", "text/plain",
	                head ? "" : "This is no HTTP/1.1 request.\n");
}

static void
forget_input(struct http *h)
{
	for (struct rte_mbuf *m = h->in, *next; m != NULL; m = next) {
		next = m->next;
		tp_toe_consumed(h->call, m->data_len);
		rte_pktmbuf_free_seg(m);
	}
	h->in = NULL;
}

/* What comes behind the last request is read and forgotten until the peer closes, too: a RST could
 * overtake the answer (RFC 9112 9.6).
 */
static void
finish(struct http *h)
{
	forget_input(h);
	if (tp_toe_at_eof(h->call))
		tp_toe_close(h->call);
	else
		tp_toe_shutdown(h->call);
}

/* Requests wait until their answer finds room: a peer that asks and does not read stops itself. */
static bool
has_room(struct http *h)
{
	if (tp_toe_send_space(h->call) >= ANSWER_MAX)
		return true;
	tp_toe_want_space(h->call);
	return false;
}

static void
go_on(struct tp_toe_call *call)
{
	struct http *h = call->arg;

	if (h == NULL)
		return;
	h->call = call;
	while (!h->failed && fill(h) && !h->last && h->in != NULL && has_room(h)) {
		if (!parse(h))
			refuse(h);
	}
	if (h->failed)
		tp_toe_abort(call);
	else if (h->body_at == h->body_end && (h->last || (h->in == NULL && tp_toe_at_eof(call))))
		finish(h);
}

static void
http_accept(struct tp_toe_call *call)
{
	struct http *h;

	if (rte_mempool_get(https, (void **)&h) != 0) {
		call->arg = NULL;
		tp_toe_abort(call);
		return;
	}
	memset(h, 0, sizeof(*h));
	http_parser_init(&h->parser, HTTP_REQUEST);
	h->parser.data = h;
	call->arg = h;
}

static void
http_data(struct tp_toe_call *call, struct rte_mbuf *data)
{
	struct http *h = call->arg;

	if (h == NULL) {
		rte_pktmbuf_free(data);
		return;
	}
	if (h->in == NULL)
		h->in = data;
	else
		rte_pktmbuf_lastseg(h->in)->next = data;
	go_on(call);
}

static void
http_close(struct tp_toe_call *call, enum tp_tcp_reason reason)
{
	struct http *h = call->arg;

	(void)reason;
	if (h == NULL)
		return;
	h->call = call;
	forget_input(h);
	rte_mempool_put(https, h);
	call->arg = NULL;
}

const struct tp_toe_user svc_http = {
	.name = "http",
	.on_accept = http_accept,
	.on_data = http_data,
	.on_writable = go_on,
	.on_eof = go_on,
	.on_close = http_close,
};

int
svc_http_init(uint32_t max_conns)
{
	if (https != NULL)
		return 0;
	service_content(content);
	https = tp_pool_create_objects("svc_http", max_conns + SPARE, sizeof(struct http),
	                CACHE_SIZE, SOCKET_ID_ANY);
	return https != NULL ? 0 : -ENOMEM;
}
