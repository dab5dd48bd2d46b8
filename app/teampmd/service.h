/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** Services and load clients on the offload engine: users of tp_toe.h, one file each. */
#ifndef SERVICE_H
#define SERVICE_H

#include "tp_toe.h"

/** A service by name. */
struct service {
	const char *name;
	const char *help; /**< one clause */
	const struct tp_toe_user *user;
	/** Make what it needs for so many connections, before its first listener; may be called
	 * again; NULL: nothing. @return 0 or -errno
	 */
	int (*init)(uint32_t max_conns);
};

extern const struct tp_toe_user svc_chargen, svc_discard, svc_echo, svc_http, svc_client;
int svc_http_init(uint32_t max_conns);

/** What services send when they have to send something: octet i is that of i modulo this, a prime,
 * so that no power of two hides in it.
 */
#define SERVICE_CONTENT_LEN 65521u
/** The sequence: high octets of x, x' = x * 1103515245 + 12345 modulo 2^32, from x = 1 on. */
void service_content(uint8_t content[SERVICE_CONTENT_LEN]);

/** @return the service, or NULL */
const struct service *service_find(const char *name);
/** @return "echo, discard, ..."; static */
const char *service_names(void);
/** Begin to serve on a port, all addresses. Control. @return 0 or what tp_toe_listen() says */
int service_listen(struct tp_toe *toe, const char *name, uint16_t port, uint32_t max_conns);

/* ==== load clients ======================================================= */

enum client_kind {
	CLIENT_RR,     /**< request and response, again and again */
	CLIENT_CRR,    /**< connect, request, response, close */
	CLIENT_STREAM, /**< send only */
	CLIENT_NB_KINDS,
};

struct client_conf {
	uint8_t kind;     /**< enum client_kind */
	uint8_t addr[16]; /**< IPv4-mapped or IPv6 */
	uint16_t port;
	uint32_t size;     /**< bytes of a message, >= 1 */
	uint32_t nb_conns; /**< at the same time */
	uint32_t seconds;
};

/** What a run has reached, or reached. */
struct client_result {
	struct client_conf conf;
	const char *kind;
	uint32_t nb_open;      /**< connections; 0: it has ended */
	uint64_t transactions; /**< messages for stream */
	uint64_t bytes_out, bytes_in;
	uint64_t failed; /**< connections that ended before their time */
	uint64_t wrong;  /**< transactions whose answer was not the message */
	uint64_t latency_mean_ns, latency_max_ns;
	uint64_t elapsed_ns;
};

/** @return enum client_kind or -EINVAL */
int client_kind_parse(const char *name);
/** Begin a run. One thread at a time, not a worker. @return 0; -EBUSY: one is running */
int client_start(struct tp_toe *toe, const struct client_conf *conf, uint32_t max_conns);
/** Let what is under way come to its end, begin nothing more. */
void client_stop(void);
void client_result(uint64_t now, struct client_result *out);

#endif
