/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** What operations share. All on the thread that runs the operation. */
#ifndef OPS_INT_H
#define OPS_INT_H

#include "app.h"

/** Fill err with "what: reason". @return rc */
int op_fail(struct error_text *err, int rc, const char *what);
/** Enable or disable every member that may be. Control. */
void op_enable_all(struct control *c, bool on);
/** Nothing waits between host port and members, and nobody is inside. Control. */
bool op_drained(const struct control *c);
/** Let others do something for some 200 us. Not while anything is half done: they may look at it. */
void op_nap(struct daemon *d);
/** Ask control until done() returns true.
 * @return 0, -ETIMEDOUT, or -ECANCELED when the daemon ends
 */
int op_wait(struct daemon *d, int (*done)(struct control *c, void *arg), void *arg);
/** Take a member out of the distribution and make its lcore leave the port alone. */
int op_quiesce(struct daemon *d, uint8_t member, struct error_text *err);
/** The other way; op_quiesce() does so itself when it fails. */
void op_resume(struct daemon *d, uint8_t member);
/** Drop what waits for the member and from it. Control, while its lcore leaves the port alone and
 * nobody serves the host port. */
void op_purge(struct control *c, struct slot *s);
/** Make whoever serves the host port leave it, until op_resume_host(); if it fails it is resumed. */
int op_quiesce_host(struct daemon *d, struct error_text *err);
void op_resume_host(struct daemon *d);
/** The hash for a configuration; it trusts the host port's RSS hash where that is the same. */
struct tp_flow *op_make_flow(struct daemon *d, const struct tp_flow_conf *conf);
/** Make it anew after the host port changed. */
int op_renew_flow(struct daemon *d, struct error_text *err);
/** Watches of a member. @return NULL with rte_errno */
struct tp_link *op_make_link(
                const struct control *c, struct slot *s, const struct tp_link_conf *conf);
/** Give every member the VLAN filter that is in force. */
void op_publish_filter(struct control *c);

#endif
