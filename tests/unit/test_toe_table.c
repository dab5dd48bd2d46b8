/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The flow table: it takes as many keys as there are handles, whatever the keys. */

#include <string.h>

#include "test_eal.h"
#include "toe_int.h"

#define NB_HANDLES 300000

static struct table table;
static struct handle *handles;

static void
name(uint32_t index)
{
	struct tp_tcp_key *key = &handles[index].key;

	memset(key, 0, sizeof(*key));
	memcpy(key->raddr, &index, sizeof(index));
	key->lport = 80;
}

static uint64_t
hash(uint32_t index)
{
	return table_hash(&table, &handles[index].key);
}

static uint32_t
look_up(uint32_t index)
{
	return table_lookup(&table, handles, hash(index), &handles[index].key);
}

static int
setup(void **state)
{
	(void)state;
	assert_int_equal(table_init(&table, NB_HANDLES), 0);
	handles = tp_mem_map(NB_HANDLES * sizeof(handles[0]));
	assert_non_null(handles);
	for (uint32_t i = 0; i < NB_HANDLES; i++)
		name(i);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	tp_mem_unmap(handles, NB_HANDLES * sizeof(handles[0]));
	table_fini(&table);
	return 0;
}

static void
test_every_handle_finds_a_slot(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < NB_HANDLES; i++) {
		assert_int_equal(look_up(i), NO_INDEX);
		assert_int_equal(table_insert(&table, handles, hash(i), i), i);
	}
	for (uint32_t i = 0; i < NB_HANDLES; i++)
		assert_int_equal(look_up(i), i);
}

static void
test_removed_ones_leave_the_others(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < NB_HANDLES; i++)
		assert_int_equal(table_insert(&table, handles, hash(i), i), i);
	for (uint32_t i = 0; i < NB_HANDLES; i += 2)
		table_remove(&table, hash(i), i);
	for (uint32_t i = 0; i < NB_HANDLES; i++)
		assert_int_equal(look_up(i), i % 2 == 0 ? NO_INDEX : i);
	for (uint32_t i = 0; i < NB_HANDLES; i += 2)
		assert_int_equal(table_insert(&table, handles, hash(i), i), i);
}

static void
test_a_key_is_there_once(void **state)
{
	uint32_t nb = NB_HANDLES / 2;

	(void)state;
	for (uint32_t i = 0; i < nb; i++)
		assert_int_equal(table_insert(&table, handles, hash(i), i), i);
	for (uint32_t i = 0; i < nb; i++) {
		uint32_t got, again = nb + i;

		handles[again].key = handles[i].key;
		got = table_insert(&table, handles, hash(again), again);
		/* Whichever has the lower slot. */
		assert_true(got == i || got == again);
		assert_true(look_up(i) == got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_handle_finds_a_slot, setup, teardown),
		cmocka_unit_test_setup_teardown(
		                test_removed_ones_leave_the_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_key_is_there_once, setup, teardown),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
