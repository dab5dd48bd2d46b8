/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The sum of RFC 1071, by whichever unit, against the sum word by word. */

#include <stdlib.h>
#include <string.h>

#include "pkt_int.h"
#include "test_eal.h"

#define MAX_OFF 67
#define MAX_LEN 400
#define LONGEST (1 << 20)

static uint16_t
sum_slowly(const uint8_t *p, uint32_t len)
{
	uint64_t sum = 0;
	uint16_t word;

	for (uint32_t i = 0; i < len; i += sizeof(word)) {
		word = 0;
		memcpy(&word, p + i, RTE_MIN(len - i, sizeof(word)));
		sum += word;
		sum = (sum & UINT16_MAX) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static void
fill(uint8_t *p, uint32_t len, bool ones)
{
	uint32_t x = 12345;

	for (uint32_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = ones ? 0xff : x >> 24;
	}
}

static void
compare(const uint8_t *p, uint32_t len)
{
	assert_int_equal(pkt_sum(p, len), sum_slowly(p, len));
}

static void
test_all_lengths_and_alignments(void **state)
{
	uint8_t data[MAX_OFF + MAX_LEN];

	(void)state;
	for (int ones = 0; ones < 2; ones++) {
		fill(data, sizeof(data), ones);
		for (uint32_t off = 0; off < MAX_OFF; off++)
			for (uint32_t len = 0; len <= MAX_LEN; len++)
				compare(data + off, len);
	}
}

static void
test_no_carry_is_lost(void **state)
{
	uint8_t *data = malloc(LONGEST);

	(void)state;
	assert_non_null(data);
	fill(data, LONGEST, true);
	compare(data, LONGEST);
	compare(data, LONGEST - 1);
	fill(data, LONGEST, false);
	compare(data, LONGEST);
	compare(data + 1, LONGEST - 1);
	memset(data, 0, LONGEST);
	compare(data, LONGEST);
	free(data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_lengths_and_alignments),
		cmocka_unit_test(test_no_carry_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
