/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tp_tcp.h"

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
	static const char *const names[] = {
#define X(id, name, text) name,
		TP_TCP_REASONS(X)
#undef X
	};

	return (unsigned int)reason < RTE_DIM(names) ? names[reason] : "?";
}

const char *
tp_tcp_reason_text(enum tp_tcp_reason reason)
{
	static const char *const texts[] = {
#define X(id, name, text) text,
		TP_TCP_REASONS(X)
#undef X
	};

	return (unsigned int)reason < RTE_DIM(texts) ? texts[reason] : "?";
}

const char *
tp_tcp_mib_name(enum tp_tcp_mib counter)
{
	static const char *const names[] = {
#define X(id, name, text) name,
		TP_TCP_MIB(X)
#undef X
	};

	return (unsigned int)counter < RTE_DIM(names) ? names[counter] : "?";
}

const char *
tp_tcp_mib_text(enum tp_tcp_mib counter)
{
	static const char *const texts[] = {
#define X(id, name, text) text,
		TP_TCP_MIB(X)
#undef X
	};

	return (unsigned int)counter < RTE_DIM(texts) ? texts[counter] : "?";
}
