/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What people and telemetry read of enumerators: a name of its own for each, and a clause. */

#include <ctype.h>
#include <string.h>

#include "front.h"
#include "test_eal.h"

typedef const char *(*name_fn)(unsigned int i);

/* One function for each table, so that all have one type. */
#define OF(table, type)                                                                            \
	static const char *table##_of(unsigned int i)                                              \
	{                                                                                          \
		return table((type)i);                                                             \
	}
/* clang-format off */
OF(tp_drop_name, enum tp_drop)
OF(tp_drop_text, enum tp_drop)
OF(tp_counter_name, enum tp_counter)
OF(tp_counter_text, enum tp_counter)
OF(tp_tcp_mib_name, enum tp_tcp_mib)
OF(tp_tcp_mib_text, enum tp_tcp_mib)
OF(tp_tcp_reason_name, enum tp_tcp_reason)
OF(tp_tcp_reason_text, enum tp_tcp_reason)
OF(tp_inet_mib_name, enum tp_inet_mib)
OF(tp_inet_mib_text, enum tp_inet_mib)
OF(tp_toe_counter_name, enum tp_toe_counter)
OF(tp_toe_counter_text, enum tp_toe_counter)
/* clang-format on */

static const struct {
	name_fn name, text;
	unsigned int nb;
} tables[] = {
	{ tp_drop_name_of, tp_drop_text_of, TP_NB_DROPS },
	{ tp_counter_name_of, tp_counter_text_of, TP_NB_COUNTERS },
	{ tp_tcp_mib_name_of, tp_tcp_mib_text_of, TP_TCP_NB_MIB },
	{ tp_tcp_reason_name_of, tp_tcp_reason_text_of, TP_TCP_NB_REASONS },
	{ tp_inet_mib_name_of, tp_inet_mib_text_of, TP_INET_NB_MIB },
	{ tp_toe_counter_name_of, tp_toe_counter_text_of, TP_TOE_NB_COUNTERS },
};

static void
check_name(const char *name)
{
	assert_non_null(name);
	for (const char *c = name; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && *c != '_')
			fail_msg("'%s' is no name for telemetry", name);
	assert_in_range(strlen(name), 1, 40);
}

static void
check_text(const char *name, const char *text)
{
	assert_non_null(text);
	if (strlen(text) < 4 || strchr(text, '\n') != NULL || text[strlen(text) - 1] == '.')
		fail_msg("%s: '%s' is not one clause", name, text);
}

static void
test_each_has_a_name_and_a_clause(void **state)
{
	(void)state;
	for (unsigned int t = 0; t < RTE_DIM(tables); t++) {
		for (unsigned int i = 0; i < tables[t].nb; i++) {
			check_name(tables[t].name(i));
			check_text(tables[t].name(i), tables[t].text(i));
			for (unsigned int k = 0; k < i; k++)
				assert_string_not_equal(tables[t].name(i), tables[t].name(k));
		}
	}
}

static void
test_others_are_unknown(void **state)
{
	(void)state;
	for (unsigned int t = 0; t < RTE_DIM(tables); t++) {
		assert_string_equal(tables[t].name(tables[t].nb), "?");
		assert_string_equal(tables[t].text(UINT32_MAX), "?");
	}
}

/* Each part of the sum counts once, and no pool is smaller than drivers need. */
static void
test_pool_size_is_a_sum(void **state)
{
	struct tp_pool_need need = { 10000, 2000, 300, 40, 5 };
	struct tp_pool_need none = { 0 };

	(void)state;
	assert_int_equal(tp_pool_size(&need), 12345);
	assert_int_equal(tp_pool_size(&none), 512);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_has_a_name_and_a_clause),
		cmocka_unit_test(test_others_are_unknown),
		cmocka_unit_test(test_pool_size_is_a_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
