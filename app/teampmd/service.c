/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct service services[] = {
	{ "echo", "sends back what it receives (RFC 862)", &svc_echo, NULL },
	{ "discard", "receives and forgets (RFC 863)", &svc_discard, NULL },
	{ "chargen", "sends without end (RFC 864)", &svc_chargen, NULL },
	{ "http", "HTTP/1.1: GET /bytes/N, PUT /sink, GET /info", &svc_http, svc_http_init },
};

const struct service *
service_find(const char *name)
{
	for (unsigned int i = 0; i < RTE_DIM(services); i++) {
		if (strcmp(services[i].name, name) == 0)
			return &services[i];
	}
	return NULL;
}

const char *
service_names(void)
{
	static char names[128];
	size_t at = 0;

	for (unsigned int i = 0; i < RTE_DIM(services) && at < sizeof(names); i++)
		at += snprintf(names + at, sizeof(names) - at, "%s%s", i > 0 ? ", " : "",
		                services[i].name);
	return names;
}

void
service_content(uint8_t content[SERVICE_CONTENT_LEN])
{
	uint32_t x = 1;

	for (uint32_t i = 0; i < SERVICE_CONTENT_LEN; i++) {
		content[i] = x >> 24;
		x = x * UINT32_C(1103515245) + 12345;
	}
}

int
service_listen(struct tp_toe *toe, const char *name, uint16_t port, uint32_t max_conns)
{
	const struct service *svc = service_find(name);
	struct tp_toe_listen how = { .port = port };
	int rc;

	if (svc == NULL)
		return -ENOENT;
	rc = svc->init != NULL ? svc->init(max_conns) : 0;
	if (rc != 0)
		return rc;
	how.user = svc->user;
	return tp_toe_listen(toe, &how);
}
