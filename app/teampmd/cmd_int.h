/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** What commands and `show config` share: knobs by name. */
#ifndef CMD_INT_H
#define CMD_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "front.h"

/** A knob that is a whole number: `set team NAME <N>`, `set watch PORT NAME <N>`. */
struct knob {
	const char *name;
	size_t offset; /**< in struct tp_team_conf or tp_link_conf */
	uint8_t size;  /**< 1 or 4 */
	int64_t min, max;
};
/* Both end with an entry without name. */
extern const struct knob team_knobs[];
extern const struct knob watch_knobs[];
uint32_t knob_get(const struct knob *k, const void *conf);
void knob_set(const struct knob *k, void *conf, uint32_t value);

/** The id of a connection that is there. @return 0 or -errno with x->err filled */
int cmd_conn_id(struct cmd_ctx *x, const char *text, tp_toe_id *id);
/** A port's member index. @return it, or TP_MEMBER_NONE */
uint8_t member_of_port(struct daemon *d, uint16_t port_id);

#endif
