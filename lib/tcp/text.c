/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tp_tcp.h"

static const struct tp_name reasons[] = { TP_TCP_REASONS(TP_NAME_ROW) };
static const struct tp_name mib[] = { TP_TCP_MIB(TP_NAME_ROW) };

const char *
tp_tcp_state_name(enum tp_tcp_state state)
{
	static const char *const names[] = {
#define X(name) #name,
		TP_TCP_STATES(X)
#undef X
	};

	return (unsigned int)state < RTE_DIM(names) ? names[state] : "?";
}

const char *
tp_tcp_reason_name(enum tp_tcp_reason reason)
{
	return TP_NAME_AT(reasons, reason)->name;
}

const char *
tp_tcp_reason_text(enum tp_tcp_reason reason)
{
	return TP_NAME_AT(reasons, reason)->text;
}

const char *
tp_tcp_mib_name(enum tp_tcp_mib counter)
{
	return TP_NAME_AT(mib, counter)->name;
}

const char *
tp_tcp_mib_text(enum tp_tcp_mib counter)
{
	return TP_NAME_AT(mib, counter)->text;
}
