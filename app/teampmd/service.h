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
	/** Make what it needs, once, before its first listener; NULL: nothing. @return 0 or -errno */
	int (*init)(void);
};

extern const struct tp_toe_user svc_chargen, svc_discard, svc_echo;

/** @return the service, or NULL */
const struct service *service_find(const char *name);
/** @return "echo, discard, ..."; static */
const char *service_names(void);
/** Begin to serve on a port, all addresses. Control. @return 0 or what tp_toe_listen() says */
int service_listen(struct tp_toe *toe, const char *name, uint16_t port);

#endif
