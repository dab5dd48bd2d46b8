/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Discard (RFC 863): a user that wants nothing. */

#include "service.h"

const struct tp_toe_user svc_discard = { .name = "discard" };
