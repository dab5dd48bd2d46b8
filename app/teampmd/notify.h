/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** Telling the service manager how we are (sd_notify(3)'s protocol: datagrams to the socket in
 * NOTIFY_SOCKET), and feeding its watchdog while every heart beats. One thread at a time; without
 * a service manager everything here does nothing.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "tp_core.h"

/** Hearts watched: one for each member, and control's. */
#define NOTIFY_HEARTS (TP_MAX_MEMBERS + 1)
/** The value of a heart that does not exist (any more). */
#define NOTIFY_NO_HEART UINT64_MAX

struct notify {
	int fd;                       /**< connected socket, -1: nobody listens */
	uint64_t period_ns;           /**< feed this often, 0: no watchdog */
	uint64_t due;                 /**< when to look next */
	uint64_t seen[NOTIFY_HEARTS]; /**< hearts at the last feeding */
};

/** Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and take them out of the environment.
 * Feeds twice as often as the service manager asks.
 * @return 0; -errno when there is a socket that cannot be used (then as if there were none)
 */
int notify_open(struct notify *n, uint64_t now);
void notify_close(struct notify *n);

/** Send a message: "READY=1", "STOPPING=1", "STATUS=...". Never blocks; a message that the
 * service manager has no room for is lost.
 */
void notify_send(struct notify *n, const char *message);

/** Feed the watchdog if it is time to, and if every heart has beaten since it was last fed.
 * @param hearts [NOTIFY_HEARTS] turns of each loop, or NOTIFY_NO_HEART
 * @param now as for notify_open(), nanoseconds
 * @return whether it was fed
 */
bool notify_feed(struct notify *n, const uint64_t *hearts, uint64_t now);

#endif
