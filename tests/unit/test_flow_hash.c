/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The functions on ready tuples, on every vector unit, and what tp_flow_create() refuses. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_errno.h>
#include <rte_memory.h>
#include <rte_random.h>
#include <rte_thash.h>

#include "test_eal.h"
#include "tp_flow.h"

#define MAX_TUPLES 64
#define V4_LEN 12
#define V6_LEN 36

static struct tp_flow_conf
conf_of(uint8_t fn, uint8_t isa)
{
	struct tp_flow_conf conf = { .fn = fn, .isa = isa };

	memcpy(conf.key, tp_flow_key_default, sizeof(conf.key));
	return conf;
}

/* NULL and a line why where this CPU lacks the unit. */
static struct tp_flow *
flow_or_skip(const struct tp_flow_conf *conf)
{
	struct tp_flow *flow = tp_flow_create(conf, SOCKET_ID_ANY);

	if (flow == NULL) {
		assert_int_equal(rte_errno, ENOTSUP);
		print_message("skipped: no %s on this CPU\n", tp_flow_isa_name(conf->isa));
	}
	return flow;
}

static void
random_bytes(uint8_t *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)rte_rand();
}

static uint32_t
softrss(const uint8_t *tuple, unsigned int len, const uint8_t *key)
{
	uint32_t aligned[TP_FLOW_KEY_LEN / 4], converted[TP_FLOW_KEY_LEN / 4];
	uint32_t words[V6_LEN / 4];

	memcpy(aligned, key, sizeof(aligned));
	rte_convert_rss_key(aligned, converted, TP_FLOW_KEY_LEN);
	for (unsigned int i = 0; i < len / 4; i++) {
		memcpy(&words[i], tuple + 4 * i, 4);
		words[i] = rte_be_to_cpu_32(words[i]);
	}
	return rte_softrss_be(words, len / 4, (const uint8_t *)converted);
}

/* Bit by bit, as the polynomial is written. */
static uint32_t
crc32c_bitwise(const uint8_t *data, unsigned int len)
{
	uint32_t crc = UINT32_MAX;

	for (unsigned int i = 0; i < 8 * len; i++) {
		uint32_t bit = (data[i / 8] >> (i % 8)) & 1;

		crc = (crc ^ bit) & 1 ? crc >> 1 ^ UINT32_C(0x82f63b78) : crc >> 1;
	}
	return ~crc;
}

static void
check_random(uint8_t fn, uint8_t isa, uint16_t len)
{
	struct tp_flow_conf conf = conf_of(fn, isa);
	uint8_t tuples[MAX_TUPLES * V6_LEN];
	uint32_t hash[MAX_TUPLES], want;
	struct tp_flow *flow;

	for (int round = 0; round < 40; round++) {
		uint16_t nb = 1 + rte_rand() % MAX_TUPLES;

		random_bytes(conf.key, sizeof(conf.key));
		random_bytes(tuples, sizeof(tuples));
		flow = flow_or_skip(&conf);
		if (flow == NULL)
			return;
		memset(hash, 0, sizeof(hash));
		tp_flow_hash_tuples(flow, tuples, len, nb, hash);
		for (uint16_t i = 0; i < nb; i++) {
			want = fn == TP_FLOW_TOEPLITZ ? softrss(tuples + i * len, len, conf.key)
			                              : crc32c_bitwise(tuples + i * len, len);
			assert_int_equal(hash[i], want);
		}
		for (uint16_t i = nb; i < MAX_TUPLES; i++)
			assert_int_equal(hash[i], 0);
		tp_flow_free(flow);
	}
}

static void
toeplitz_is_softrss(void **state)
{
	(void)state;
	for (uint8_t isa = 0; isa < TP_FLOW_NB_ISAS; isa++) {
		check_random(TP_FLOW_TOEPLITZ, isa, V4_LEN);
		check_random(TP_FLOW_TOEPLITZ, isa, V6_LEN);
	}
}

static void
crc32c_is_bitwise(void **state)
{
	(void)state;
	for (uint8_t isa = 0; isa < TP_FLOW_NB_ISAS; isa++) {
		check_random(TP_FLOW_CRC32C, isa, V4_LEN);
		check_random(TP_FLOW_CRC32C, isa, V6_LEN);
	}
}

/* Microsoft, "Verifying the RSS Hash Calculation". */
static void
toeplitz_microsoft_vectors(void **state)
{
	static const uint8_t v4[V4_LEN] = { 66, 9, 149, 187, 161, 142, 100, 80, 2794 >> 8,
		2794 & 0xff, 1766 >> 8, 1766 & 0xff };
	static const uint8_t v6[V6_LEN] = { 0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x1f, 0xff, 0, 0, 0,
		0, 0, 0, 0, 7, 0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1,
		2794 >> 8, 2794 & 0xff, 1766 >> 8, 1766 & 0xff };
	uint32_t hash[MAX_TUPLES];

	(void)state;
	for (uint8_t isa = 0; isa < TP_FLOW_NB_ISAS; isa++) {
		struct tp_flow_conf conf = conf_of(TP_FLOW_TOEPLITZ, isa);
		struct tp_flow *flow = flow_or_skip(&conf);

		if (flow == NULL)
			continue;
		tp_flow_hash_tuples(flow, v4, V4_LEN, 1, hash);
		assert_int_equal(hash[0], 0x51ccc178);
		tp_flow_hash_tuples(flow, v6, V6_LEN, 1, hash);
		assert_int_equal(hash[0], 0x40207d3d);
		tp_flow_free(flow);
	}
}

/* RFC 3720 B.4. */
static void
crc32c_rfc3720_vectors(void **state)
{
	uint8_t zeros[32] = { 0 }, ones[32], rising[32], falling[32];
	const struct {
		const uint8_t *data;
		uint32_t crc;
	} vectors[] = { { zeros, 0x8a9136aa }, { ones, 0x62a8ab43 }, { rising, 0x46dd794e },
		{ falling, 0x113fdb5c } };
	uint32_t hash[MAX_TUPLES];

	(void)state;
	for (uint8_t i = 0; i < 32; i++) {
		ones[i] = 0xff;
		rising[i] = i;
		falling[i] = 31 - i;
	}
	for (uint8_t isa = 0; isa < TP_FLOW_NB_ISAS; isa++) {
		struct tp_flow_conf conf = conf_of(TP_FLOW_CRC32C, isa);
		struct tp_flow *flow = flow_or_skip(&conf);

		for (size_t i = 0; flow != NULL && i < RTE_DIM(vectors); i++) {
			tp_flow_hash_tuples(flow, vectors[i].data, 32, 1, hash);
			assert_int_equal(hash[0], vectors[i].crc);
		}
		tp_flow_free(flow);
	}
}

static void
create_refuses(void **state)
{
	struct tp_flow_conf conf;

	(void)state;
	conf = conf_of(TP_FLOW_NB_FNS, TP_FLOW_ISA_BEST);
	assert_null(tp_flow_create(&conf, SOCKET_ID_ANY));
	assert_int_equal(rte_errno, EINVAL);
	conf = conf_of(TP_FLOW_CRC32C, TP_FLOW_ISA_BEST + 1);
	assert_null(tp_flow_create(&conf, SOCKET_ID_ANY));
	assert_int_equal(rte_errno, EINVAL);
	conf = conf_of(TP_FLOW_CRC32C, TP_FLOW_ISA_BEST);
	conf.policy = TP_FLOW_NB_POLICIES;
	assert_null(tp_flow_create(&conf, SOCKET_ID_ANY));
	assert_int_equal(rte_errno, EINVAL);
	tp_flow_free(NULL);
}

static void
conf_tells_what_is_used(void **state)
{
	struct tp_flow_conf conf = conf_of(TP_FLOW_TOEPLITZ, TP_FLOW_ISA_BEST);
	struct tp_flow *flow = tp_flow_create(&conf, SOCKET_ID_ANY);

	(void)state;
	assert_non_null(flow);
	assert_true(tp_flow_conf(flow)->isa < TP_FLOW_NB_ISAS);
	assert_int_equal(tp_flow_conf(flow)->isa, tp_flow_isa_best());
	conf.isa = tp_flow_conf(flow)->isa;
	assert_memory_equal(tp_flow_conf(flow), &conf, sizeof(conf));
	print_message("best unit here: %s\n", tp_flow_isa_name(conf.isa));
	tp_flow_free(flow);
}

static void
best_unit_is_the_last_that_is_supported(void **state)
{
	enum tp_flow_isa best = tp_flow_isa_best();

	(void)state;
	assert_true(tp_flow_isa_supported(TP_FLOW_ISA_SCALAR));
	assert_true(tp_flow_isa_supported(best));
	for (unsigned int isa = best + 1; isa < TP_FLOW_NB_ISAS; isa++)
		assert_false(tp_flow_isa_supported(isa));
	for (unsigned int isa = TP_FLOW_ISA_SCALAR; isa < TP_FLOW_NB_ISAS; isa++) {
		struct tp_flow_conf conf = conf_of(TP_FLOW_TOEPLITZ, isa);
		struct tp_flow *flow = tp_flow_create(&conf, SOCKET_ID_ANY);

		assert_int_equal(flow != NULL, tp_flow_isa_supported(isa));
		tp_flow_free(flow);
	}
}

static void
names_round_trip(void **state)
{
	(void)state;
	for (int i = 0; i < TP_FLOW_NB_POLICIES; i++)
		assert_int_equal(tp_flow_policy_parse(tp_flow_policy_name(i)), i);
	for (int i = 0; i < TP_FLOW_NB_FNS; i++)
		assert_int_equal(tp_flow_fn_parse(tp_flow_fn_name(i)), i);
	for (int i = 0; i < TP_FLOW_NB_ISAS; i++)
		assert_non_null(tp_flow_isa_name(i));
	assert_int_equal(tp_flow_policy_parse("l35"), -EINVAL);
	assert_int_equal(tp_flow_fn_parse(""), -EINVAL);
	assert_null(tp_flow_policy_name(TP_FLOW_NB_POLICIES));
	assert_null(tp_flow_fn_name(TP_FLOW_NB_FNS));
	assert_null(tp_flow_isa_name(TP_FLOW_ISA_BEST));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(toeplitz_is_softrss),
		cmocka_unit_test(crc32c_is_bitwise),
		cmocka_unit_test(toeplitz_microsoft_vectors),
		cmocka_unit_test(crc32c_rfc3720_vectors),
		cmocka_unit_test(create_refuses),
		cmocka_unit_test(conf_tells_what_is_used),
		cmocka_unit_test(best_unit_is_the_last_that_is_supported),
		cmocka_unit_test(names_round_trip),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
