/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <rte_errno.h>

#include "tp_core.h"

int tp_meta_offset = -1;

int
tp_meta_init(void)
{
	static const struct rte_mbuf_dynfield field = {
		.name = "teampmd_meta",
		.size = sizeof(struct tp_meta),
		.align = alignof(struct tp_meta),
	};

	tp_meta_offset = rte_mbuf_dynfield_register(&field);
	return tp_meta_offset < 0 ? -rte_errno : 0;
}
