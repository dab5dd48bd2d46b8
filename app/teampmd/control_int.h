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
	for (struct slot *s = (c)->slot; s < (c)->slot + TP_MAX_MEMBERS; s++)                      \
		if (s->used)

static inline uint8_t
slot_id(const struct control *c, const struct slot *s)
{
	return s - c->slot;
}

/** Carry out what the engine decided. control_act.c @return work done */
unsigned int control_decide(struct control *c, uint64_t now);
/** Publish the distribution once the last one is in force. */
unsigned int control_publish(struct control *c);
/** Run the hand-over: end the host port's epoch, write the role registers (claim A10). */
void control_hand_over(struct control *c, uint8_t primary);
/** Ask a member's lcore to leave its port alone, or to use it again. */
void control_halt(struct slot *s, bool halt);
/** Has it obeyed (or no lcore that could touch the port)? */
bool control_halted(const struct slot *s);
/** Send a frame by one member; consumed. */
void control_send(struct control *c, uint8_t member, struct rte_mbuf *m);

/** Link watches and heart beats. control_watch.c @return work done */
unsigned int control_watch(struct control *c, uint64_t now);
/** A frame that a watch may want. */
void control_watch_frame(struct slot *s, struct rte_mbuf *m, uint64_t now);

#endif
