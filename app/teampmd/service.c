/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "service.h"

#include <errno.h>
#include <string.h>

#include "app.h"
#include "ops_int.h"

static const struct service services[] = {
	{ "echo", "sends back what it receives (RFC 862)", &svc_echo, NULL },
	{ "discard", "receives and forgets (RFC 863)", &svc_discard, NULL },
	{ "chargen", "sends without end (RFC 864)", &svc_chargen, NULL },
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

int
service_listen(struct tp_toe *toe, const char *name, uint16_t port)
{
	const struct service *svc = service_find(name);
	struct tp_toe_listen how = { .port = port };
	int rc;

	if (svc == NULL)
		return -ENOENT;
	rc = svc->init != NULL ? svc->init() : 0;
	if (rc != 0)
		return rc;
	how.user = svc->user;
	return tp_toe_listen(toe, &how);
}

int
services_start(struct daemon *d, struct error_text *err)
{
	for (uint8_t i = 0; i < d->opt.nb_services; i++) {
		const struct service_option *svc = &d->opt.service[i];
		int rc = service_listen(d->toe, svc->name, svc->port);

		if (rc == 0)
			continue;
		snprintf(err->text, sizeof(err->text), "--service %s:%u: %s", svc->name, svc->port,
		                strerror(-rc));
		return rc;
	}
	return 0;
}
