/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 6056: which port an active open tries. */

#include "tcp_int.h"
#include "test_tcp.h"

static const struct tp_tcp_secret secret = { { 1, 2 }, { 3, 4 }, { 5, 6 }, { 7, 8 } };

/* RFC 6056 3.3.3: every port in the range once, from a place that nobody else can guess. */
static void
ports_fill_the_range(void **state)
{
	struct tp_tcp_key a = tcp_frame_key(false, 1, 0, 2, 80);
	struct tp_tcp_key b = tcp_frame_key(false, 1, 0, 3, 80);
	bool seen[100] = { false };
	uint32_t same = 0;
	uint16_t port;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		port = tp_tcp_port_choose(&secret, &a, 40000, 40099, i);
		assert_in_range(port, 40000, 40099);
		assert_false(seen[port - 40000]);
		seen[port - 40000] = true;
		same += port == tp_tcp_port_choose(&secret, &b, 40000, 40099, i);
	}
	assert_int_not_equal(same, 100);
	a.lport = 1234;
	assert_int_equal(tp_tcp_port_choose(&secret, &a, 40000, 40099, 99), port);
	assert_int_equal(tp_tcp_port_choose(&secret, &a, 7, 7, 12345), 7);
	assert_in_range(tp_tcp_port_choose(&secret, &a, 1, 65535, UINT32_MAX), 1, 65535);
}

/* 3.3.3: other ends, or another secret, begin elsewhere; nothing else does. */
static void
only_the_secret_tells_where_it_begins(void **state)
{
	struct tp_tcp_secret other = secret;
	uint32_t moved = 0, spread[8] = { 0 };

	(void)state;
	other.port[0]++;
	for (uint32_t i = 0; i < 240; i++) {
		struct tp_tcp_key key = tcp_frame_key(i & 1, 1, 0, i + 2, 80);
		uint16_t port = tp_tcp_port_choose(&secret, &key, 32768, 65535, 0);

		assert_int_equal(tp_tcp_port_choose(&secret, &key, 32768, 65535, 0), port);
		moved += port != tp_tcp_port_choose(&other, &key, 32768, 65535, 0);
		spread[(port - 32768) >> 12]++;
	}
	assert_in_range(moved, 230, 240);
	for (uint32_t i = 0; i < RTE_DIM(spread); i++)
		assert_in_range(spread[i], 10, 60);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_fill_the_range),
		cmocka_unit_test(only_the_secret_tells_where_it_begins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
