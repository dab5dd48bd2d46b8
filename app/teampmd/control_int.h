/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** Control from inside. All of it runs on the control lcore. */
#ifndef CONTROL_INT_H
#define CONTROL_INT_H

#include <rte_bitops.h>

#include "app.h"

/** Slots of rings between control and a member: probes and snooped frames, no traffic. */
#define CONTROL_RING_SIZE 256

/** Put a member's slot to its initial state with no port. */
#define FOREACH_SLOT(c, s)                                                                         \
	for (__typeof__(&(c)->slot[0]) s = (c)->slot; s < (c)->slot + TP_MAX_MEMBERS; s++)         \
		if (s->used)

static inline uint8_t
slot_id(const struct control *c, const struct slot *s)
{
	return s - c->slot;
}

/** Carry out what the engine decided. control_act.c @return work done */
unsigned int control_decide(struct control *c, uint64_t now);
/** No member has the host port's epoch and none is inside any more. Gives back what a drain that
 * did not end had revoked: there is nobody to end it, and without its Tx guard a member cannot even
 * send the probes that would bring it back.
 */
bool control_nobody(const struct control *c);
/** What the engine decided last is published and in force. */
bool control_settled(const struct control *c);
/** Publish the distribution once the last one is in force. */
unsigned int control_publish(struct control *c);
/** Run the hand-over: end the host port's epoch, write the role registers (claim A10). */
void control_hand_over(struct control *c, uint8_t primary);
/** Ask a member's lcore to leave its port alone, or to use it again. */
void control_halt(struct slot *s, bool halt);
/** Let it use the port again, unless that is to be left alone for another reason. */
void control_unhalt(struct slot *s);
/** Has it obeyed (or no lcore that could touch the port)? */
bool control_halted(const struct slot *s);
/** Send a frame by one member; consumed. */
void control_send(struct control *c, uint8_t member, struct rte_mbuf *m);

/** Link watches and heart beats. control_watch.c @return work done */
unsigned int control_watch(struct control *c, uint64_t now);
/** Tell the engine what a member's watches say now. */
void control_obey_watch(struct control *c, struct slot *s, uint64_t now);
/** The shape of tp_link_ctx.thread; arg is struct slot *. */
int control_thread_read(void *arg, uint64_t *cpu_ns, bool *blocked);
/** Nobody balances to the member any more, and what waited for it was taken back. */
bool control_left_out(const struct control *c, uint8_t member);
/** One look at a member's fence. control_fence.c */
void control_fence(struct control *c, struct slot *s, uint64_t now);
void control_fence_install(void);

#endif
