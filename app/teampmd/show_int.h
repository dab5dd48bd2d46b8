/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** What the files of show share. */
#ifndef SHOW_INT_H
#define SHOW_INT_H

#include "show.h"

/** "02:00:00:00:00:01" */
json_t *show_mac(const struct rte_ether_addr *mac);
/** Link watches and their knobs as an object. */
json_t *show_watch(const struct tp_link_conf *conf);
/** @return NULL, err filled */
json_t *show_no_memory(struct error_text *err);

/** An address of either family; IPv4 becomes IPv4-mapped. @return false: it is none */
bool show_parse_addr(const char *text, uint8_t addr[16]);

#endif
