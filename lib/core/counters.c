/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tp_core.h"

static const char *const drop_names[TP_NB_DROPS][2] = {
#define X(id, name, text) [TP_DROP_##id] = { name, text },
	TP_DROP_REASONS(X)
#undef X
};

static const char *const counter_names[TP_NB_COUNTERS][2] = {
#define X(id, name, text) [TP_C_##id] = { name, text },
	TP_COUNTERS(X)
#undef X
};

const char *
tp_drop_name(enum tp_drop reason)
{
	return reason < TP_NB_DROPS ? drop_names[reason][0] : "unknown";
}

const char *
tp_drop_text(enum tp_drop reason)
{
	return reason < TP_NB_DROPS ? drop_names[reason][1] : "unknown";
}

const char *
tp_counter_name(enum tp_counter counter)
{
	return counter < TP_NB_COUNTERS ? counter_names[counter][0] : "unknown";
}

const char *
tp_counter_text(enum tp_counter counter)
{
	return counter < TP_NB_COUNTERS ? counter_names[counter][1] : "unknown";
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
