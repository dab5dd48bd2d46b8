/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tp_core.h"

static const struct tp_name drops[] = { TP_DROP_REASONS(TP_NAME_ROW) };
static const struct tp_name counters[] = { TP_COUNTERS(TP_NAME_ROW) };

const char *
tp_drop_name(enum tp_drop reason)
{
	return TP_NAME_AT(drops, reason)->name;
}

const char *
tp_drop_text(enum tp_drop reason)
{
	return TP_NAME_AT(drops, reason)->text;
}

const char *
tp_counter_name(enum tp_counter counter)
{
	return TP_NAME_AT(counters, counter)->name;
}

const char *
tp_counter_text(enum tp_counter counter)
{
	return TP_NAME_AT(counters, counter)->text;
}

void
tp_drop_burst(struct tp_counters *ctr, enum tp_drop reason, struct rte_mbuf **pkts,
                uint16_t nb_pkts)
{
	if (nb_pkts == 0)
		return;
	ctr->drop[reason] += nb_pkts;
	rte_pktmbuf_free_bulk(pkts, nb_pkts);
}
