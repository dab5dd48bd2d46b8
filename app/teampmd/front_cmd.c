/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What commands share. */

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "front.h"

const struct cmd_section cmd_sections[] = {
	{ "Running", cmd_run },
	{ "Ports and members", cmd_port },
	{ "Team", cmd_team },
	{ "Members and link watches", cmd_member },
	{ "TCP", cmd_toe },
	{ "Migration", cmd_migrate },
	{ "Looking", cmd_show },
	{ "Capture", cmd_capture },
	{ NULL, NULL },
};

int
cmd_fail(struct cmd_ctx *x, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(x->err.text, sizeof(x->err.text), fmt, ap);
	va_end(ap);
	return err;
}

int
cmd_number(struct cmd_ctx *x, const char *what, const char *text, int64_t min, int64_t max,
                int64_t *value)
{
	const char *digits = text + (text[0] == '-');
	char *end = NULL;
	long long v = 0;

	errno = 0;
	if (isdigit((unsigned char)digits[0]))
		v = strtoll(text, &end, 0);
	if (end == NULL || *end != '\0' || errno != 0 || v < min || v > max)
		return cmd_fail(x, -EINVAL, "%s '%.40s' is not a number from %lld to %lld", what,
		                text, (long long)min, (long long)max);
	*value = v;
	return 0;
}

int
cmd_port_id(struct cmd_ctx *x, const char *text, uint16_t *port_id)
{
	int64_t v;
	int rc = cmd_number(x, "port", text, 0, RTE_MAX_ETHPORTS - 1, &v);

	if (rc != 0)
		return rc;
	if (!rte_eth_dev_is_valid_port(v))
		return cmd_fail(x, -EINVAL, "there is no port %lld; see 'show port summary'",
		                (long long)v);
	*port_id = v;
	return 0;
}

bool
cmd_on(const char *text)
{
	return strcmp(text, "on") == 0;
}

int
cmd_has(const struct cmd_ctx *x, int from, const char *word)
{
	for (int i = from; i < x->argc; i++)
		if (strcmp(x->argv[i], word) == 0)
			return i;
	return 0;
}

/* ---- devices attached at run time ---------------------------------------- */

#define ATTACHED_MAX RTE_MAX_ETHPORTS

static char *attached[ATTACHED_MAX];

const char *
front_attached(unsigned int i)
{
	return i < ATTACHED_MAX ? attached[i] : NULL;
}

void
front_note_attach(const char *devargs)
{
	unsigned int i = 0;

	while (i < ATTACHED_MAX && attached[i] != NULL)
		i++;
	if (i < ATTACHED_MAX)
		attached[i] = strdup(devargs);
}

void
front_note_detach(const char *name)
{
	size_t len = strlen(name);

	for (unsigned int i = 0; i < ATTACHED_MAX && attached[i] != NULL; i++) {
		if (strncmp(attached[i], name, len) != 0 || strchr(",", attached[i][len]) == NULL)
			continue;
		free(attached[i]);
		memmove(&attached[i], &attached[i + 1],
		                (ATTACHED_MAX - i - 1) * sizeof(attached[0]));
		attached[ATTACHED_MAX - 1] = NULL;
		return;
	}
}
