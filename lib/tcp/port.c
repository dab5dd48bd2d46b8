/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

/* RFC 6056 3.3.3: the offset depends on all but the local port, whoever looks for another port
 * counts up from there.
 */
uint16_t
tp_tcp_port_choose(const struct tp_tcp_secret *secret, const struct tp_tcp_key *key, uint16_t low,
                uint16_t high, uint32_t attempt)
{
	struct tp_tcp_key ends = *key;
	uint32_t nb = (uint32_t)high - low + 1;

	ends.lport = 0;
	return low + ((uint32_t)tcp_siphash(secret->port, &ends, sizeof(ends)) + attempt) % nb;
}
