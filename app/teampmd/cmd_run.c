/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>

#include "front.h"

/** What is as it should be is no failure: scripts may say so twice. */
static int
done_already(struct cmd_ctx *x, int rc)
{
	if (rc != -EALREADY)
		return rc;
	fprintf(x->out, "%s\n", x->err.text);
	return 0;
}

static int
run_start(struct cmd_ctx *x)
{
	x->d->start_due = false;
	return done_already(x, op_start(x->d, &x->err));
}

static int
run_stop(struct cmd_ctx *x)
{
	x->d->start_due = false;
	return done_already(x, op_stop(x->d, &x->err));
}

static int
run_quit(struct cmd_ctx *x)
{
	atomic_store(&x->d->quit, true);
	return 0;
}

static int
run_help(struct cmd_ctx *x)
{
	const char *words = x->argc > 1 ? x->argv[1] : NULL;

	if (language_help(x->lang, x->out, words) == 0)
		return cmd_fail(x, -EINVAL, "no command begins with '%.40s'; try 'help'", words);
	return 0;
}

const struct cmd cmd_run[] = {
	{ "start", "Let traffic through; members are enabled and the primary is elected",
	                run_start },
	{ "stop", "Stop traffic: rings are drained, members disabled, ports stay open", run_stop },
	{ "quit", "Stop traffic, restore and close all ports, end the daemon", run_quit },
	{ "help [<WORDS...>]", "Show the commands, or those that begin with these words",
	                run_help },
	{ NULL, NULL, NULL },
};
