/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <rte_byteorder.h>

#include "tcp_int.h"

/* SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012). */

#define ROTL(x, n) ((x) << (n) | (x) >> (64 - (n)))

static inline void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = ROTL(v[1], 13) ^ v[0];
	v[0] = ROTL(v[0], 32);
	v[2] += v[3];
	v[3] = ROTL(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = ROTL(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = ROTL(v[1], 17) ^ v[2];
	v[2] = ROTL(v[2], 32);
}

static inline void
sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

static uint64_t
load_le(const uint8_t *p, uint32_t len)
{
	uint64_t word = 0;

	memcpy(&word, p, len);
	return rte_le_to_cpu_64(word);
}

uint64_t
tcp_siphash(const uint64_t key[2], const void *data, uint32_t len_bytes)
{
	uint64_t v[4] = {
		key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573),
	};
	const uint8_t *p = data;
	uint32_t left = len_bytes;

	for (; left >= 8; left -= 8, p += 8)
		sip_word(v, load_le(p, 8));
	sip_word(v, load_le(p, left) | (uint64_t)len_bytes << 56);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* RFC 6528 3: ISN = M + F(localip, localport, remoteip, remoteport, secretkey); M ticks every
 * 4 us (RFC 9293 3.4.1).
 */
uint32_t
tcp_isn(const struct tp_tcp_secret *s, const struct tp_tcp_key *key, uint64_t now)
{
	return (uint32_t)(now / (4 * TP_NS_PER_US)) +
	       (uint32_t)tcp_siphash(s->isn, key, sizeof(*key));
}

/* RFC 7323 5.4: another offset for each pair of ends, the same for its next connection, so that
 * RFC 6191 can compare.
 */
uint32_t
tcp_ts_offset(const struct tp_tcp_secret *s, const struct tp_tcp_key *key)
{
	return tcp_siphash(s->ts, key, sizeof(*key));
}
