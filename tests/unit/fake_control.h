/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** A control without lcores behind the front: operations check and store what they are given,
 * note their name, and fail on request.
 */
#ifndef FAKE_CONTROL_H
#define FAKE_CONTROL_H

#include "app.h"

/** A daemon with nb members on ports 0 to nb - 1 and default knobs; needs EAL. Ports are
 * net_null devices, made once. One at a time. @return static */
struct daemon *fake_daemon(unsigned int nb);
/** Free what the daemon holds. */
void fake_daemon_end(struct daemon *d);
/** Name of the last operation ("op_set_mtu 1400"), "" after fake_daemon(). */
const char *fake_last(void);
/** Let the next operation fail. */
void fake_fail_next(int rc, const char *why);

#endif
