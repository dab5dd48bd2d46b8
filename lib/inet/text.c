/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tp_inet.h"

static const struct tp_name mib[] = { TP_INET_MIB(TP_NAME_ROW) };

const char *
tp_inet_mib_name(enum tp_inet_mib counter)
{
	return TP_NAME_AT(mib, counter)->name;
}

const char *
tp_inet_mib_text(enum tp_inet_mib counter)
{
	return TP_NAME_AT(mib, counter)->text;
}

const char *
tp_inet_addr_state_name(enum tp_inet_addr_state state)
{
	static const char *const names[] = {
		[TP_INET_TENTATIVE] = "tentative",
		[TP_INET_PREFERRED] = "preferred",
		[TP_INET_DUPLICATE] = "duplicate",
	};

	return names[state];
}

const char *
tp_inet_neigh_state_name(enum tp_inet_neigh_state state)
{
	static const char *const names[] = {
		[TP_INET_NEIGH_FREE] = "free",
		[TP_INET_NEIGH_INCOMPLETE] = "incomplete",
		[TP_INET_NEIGH_REACHABLE] = "reachable",
		[TP_INET_NEIGH_STALE] = "stale",
		[TP_INET_NEIGH_DELAY] = "delay",
		[TP_INET_NEIGH_PROBE] = "probe",
		[TP_INET_NEIGH_FAILED] = "failed",
	};

	return names[state];
}
