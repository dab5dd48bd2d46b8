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

extern const struct tp_toe_user svc_chargen, svc_discard, svc_echo, svc_http;
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

#endif
