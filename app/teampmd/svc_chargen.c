/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Chargen (RFC 864): lines of 72 printable characters without end, as fast as the peer reads. The
 * argument is the number of the next character.
 */

#include "service.h"

#define LINE_LEN 74 /* with CR and LF */
#define FIRST_CHAR 32
#define NB_CHARS 95

static uint8_t
character(uint64_t at)
{
	uint64_t line = at / LINE_LEN;
	uint32_t column = at % LINE_LEN;

	if (column >= LINE_LEN - 2)
		return column == LINE_LEN - 2 ? '\r' : '\n';
	return FIRST_CHAR + (line + column) % NB_CHARS;
}

static void
chargen_fill(struct tp_toe_call *call)
{
	uint64_t at = (uintptr_t)call->arg;

	for (;;) {
		struct rte_mbuf *m = tp_toe_alloc(call);
		uint16_t len;
		uint8_t *text;

		if (m == NULL) {
			tp_toe_want_space(call);
			break;
		}
		len = rte_pktmbuf_tailroom(m);
		text = (uint8_t *)rte_pktmbuf_append(m, len);
		for (uint16_t i = 0; i < len; i++)
			text[i] = character(at + i);
		if (tp_toe_send(call, m, false) != 0) {
			rte_pktmbuf_free(m);
			break;
		}
		at += len;
	}
	call->arg = (void *)(uintptr_t)at;
}

const struct tp_toe_user svc_chargen = {
	.name = "chargen",
	.on_accept = chargen_fill,
	.on_writable = chargen_fill,
};
