/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 6528: keyed hashes: SipHash itself, ISN, timestamp offset. */

#include "tcp_int.h"
#include "test_tcp.h"

static const uint64_t key_0f[2] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };

/* Vectors of the reference implementation: key 00..0f, message 00, 01, 02.. */
static void
siphash_gives_the_reference_vectors(void **state)
{
	static const struct {
		uint32_t len;
		uint64_t hash;
	} vector[] = {
		{ 0, UINT64_C(0x726fdb47dd0e0e31) },
		{ 1, UINT64_C(0x74f839c593dc67fd) },
		{ 2, UINT64_C(0x0d6c8009d9a94f5a) },
		{ 3, UINT64_C(0x85676696d7fb7e2d) },
		{ 4, UINT64_C(0xcf2794e0277187b7) },
		{ 7, UINT64_C(0xab0200f58b01d137) },
		{ 8, UINT64_C(0x93f5f5799a932462) },
		{ 15, UINT64_C(0xa129ca6149be45e5) },
	};
	uint8_t message[16];

	(void)state;
	for (unsigned int i = 0; i < sizeof(message); i++)
		message[i] = i;
	for (unsigned int i = 0; i < RTE_DIM(vector); i++)
		assert_true(tcp_siphash(key_0f, message, vector[i].len) == vector[i].hash);
}

static const struct tp_tcp_secret secret = { { 1, 2 }, { 3, 4 }, { 5, 6 }, { 7, 8 } };

/* RFC 9293 MUST-8: a clock of about 4 us. MUST-9, RFC 6528: other ends, or another secret, other
 * offset.
 */
static void
isn_ticks_and_depends_on_the_ends(void **state)
{
	struct tp_tcp_key a = tcp_frame_key(false, 1, 1000, 2, 80);
	struct tp_tcp_key b = tcp_frame_key(false, 1, 1001, 2, 80);
	struct tp_tcp_secret other = secret;
	uint32_t isn = tcp_isn(&secret, &a, 5 * TP_NS_PER_S);

	(void)state;
	assert_int_equal(tcp_isn(&secret, &a, 5 * TP_NS_PER_S + 4000) - isn, 1);
	assert_int_equal(tcp_isn(&secret, &a, 6 * TP_NS_PER_S) - isn, 250000);
	assert_int_not_equal(tcp_isn(&secret, &b, 5 * TP_NS_PER_S), isn);
	other.isn[1]++;
	assert_int_not_equal(tcp_isn(&other, &a, 5 * TP_NS_PER_S), isn);
}

/* RFC 7323 5.4, RFC 6191: the next connection between the same ends goes on with the same clock. */
static void
timestamp_offset_is_that_of_the_ends(void **state)
{
	struct tp_tcp_key a = tcp_frame_key(true, 1, 1000, 2, 80);
	struct tp_tcp_key b = tcp_frame_key(true, 1, 1000, 3, 80);

	(void)state;
	assert_int_equal(tcp_ts_offset(&secret, &a), tcp_ts_offset(&secret, &a));
	assert_int_not_equal(tcp_ts_offset(&secret, &a), tcp_ts_offset(&secret, &b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_gives_the_reference_vectors),
		cmocka_unit_test(isn_ticks_and_depends_on_the_ends),
		cmocka_unit_test(timestamp_offset_is_that_of_the_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
