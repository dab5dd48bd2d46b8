/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Active opens (lib/toe/open.c). */

#include "test_toe.h"

static struct tp_toe_connect
to_peer(uint16_t rport)
{
	return (struct tp_toe_connect){ .user = &toe_user,
		.raddr = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2 },
		.rport = rport,
		.lport = FAKE_PORT,
		.member = TP_MEMBER_NONE };
}

static tp_toe_id
connect_to(uint16_t rport)
{
	struct tp_toe_connect how = to_peer(rport);

	return tp_toe_connect(team.toe, &how);
}

/* The peer answers a SYN. */
static void
answer(uint16_t rport, uint8_t member, uint8_t flags)
{
	struct fake_peer p = { .port = rport, .seq = 500 };

	fake_hear(&team, &p);
	fake_say(&team, &p, member, flags, 0);
	toe_settle();
}

static void
test_opens_on_the_member_that_the_map_proposes(void **state)
{
	tp_toe_id id;

	(void)state;
	team.home = 2;
	id = connect_to(4000);
	assert_word(id, OWN, 2);
	toe_settle();
	assert_int_equal(fake_nb_sent(&team, 4000, TP_TCP_SYN), 1);
	assert_int_equal(fake_last(&team, 4000)->member, 2);
	assert_int_equal(fake_last(&team, 4000)->lport, FAKE_PORT);
	assert_int_equal(told.accepted, 0);
	answer(4000, 2, TP_TCP_SYN | TP_TCP_ACK);
	assert_int_equal(told.accepted, 1);
	assert_true(told.id == id);
}

static void
test_opens_on_the_member_that_is_asked_for(void **state)
{
	struct tp_toe_connect how = to_peer(4000);
	tp_toe_id id;

	(void)state;
	team.home = 2;
	how.member = 1;
	id = tp_toe_connect(team.toe, &how);
	assert_word(id, OWN, 1);
}

static void
test_the_answer_may_come_to_any_member(void **state)
{
	tp_toe_id id = connect_to(4000);

	(void)state;
	toe_settle();
	answer(4000, 1, TP_TCP_SYN | TP_TCP_ACK);
	assert_int_equal(told.accepted, 1);
	assert_int_equal(told.member, 0);
	assert_word(id, OWN, 0);
}

static void
test_a_refusal_is_told(void **state)
{
	(void)state;
	assert_true(connect_to(4000) != TP_TOE_ID_NONE);
	toe_settle();
	answer(4000, 0, TP_TCP_RST | TP_TCP_ACK);
	assert_int_equal(told.accepted, 0);
	assert_int_equal(told.closed, 1);
	assert_int_equal(told.reason, TP_TCP_R_REFUSED);
}

static void
test_bad_arguments_are_refused(void **state)
{
	struct tp_toe_connect how = to_peer(0);

	(void)state;
	assert_true(tp_toe_connect(team.toe, &how) == TP_TOE_ID_NONE);
	assert_int_equal(rte_errno, EINVAL);
	how = to_peer(4000);
	how.member = FAKE_MEMBERS;
	assert_true(tp_toe_connect(team.toe, &how) == TP_TOE_ID_NONE);
	assert_int_equal(rte_errno, ENETDOWN);
}

static void
test_a_dead_members_share_goes_to_another(void **state)
{
	struct tp_toe_connect how = to_peer(4000);
	tp_toe_id id;

	(void)state;
	team.home = 0;
	toe_stop(0);
	id = tp_toe_connect(team.toe, &how);
	assert_word(id, OWN, 1);
	how.member = 0; /* nobody else will do */
	assert_true(tp_toe_connect(team.toe, &how) == TP_TOE_ID_NONE);
	assert_int_equal(rte_errno, ENETDOWN);
}

/* RFC 9293 MUST-43: a local address of the user's choice; it has to be one of the team's. MUST-44: else
 * IP is asked; MUST-45: all that is sent has it.
 */
static void
test_its_user_may_name_the_address(void **state)
{
	static const uint8_t second[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 77 };
	struct tp_toe_connect how = to_peer(4000);

	(void)state;
	assert_int_equal(tp_inet_addr_add(team.inet, second, 24, team.now), 0);
	fake_wait(&team, 10 * SEC);
	fake_forget(&team);
	assert_true(tp_toe_connect(team.toe, &how) != TP_TOE_ID_NONE);
	toe_settle();
	assert_int_equal(fake_last(&team, 4000)->laddr, RTE_IPV4(10, 0, 0, 1));
	how = to_peer(4001);
	memcpy(how.laddr, second, sizeof(second));
	assert_true(tp_toe_connect(team.toe, &how) != TP_TOE_ID_NONE);
	toe_settle();
	assert_int_equal(fake_nb_sent(&team, 4001, TP_TCP_SYN), 1);
	assert_int_equal(fake_last(&team, 4001)->laddr, RTE_IPV4(10, 0, 0, 77));
	assert_int_equal(told.closed, 0);
	how = to_peer(4002);
	memcpy(how.laddr, second, sizeof(second));
	how.laddr[15] = 78;
	assert_true(tp_toe_connect(team.toe, &how) != TP_TOE_ID_NONE);
	toe_settle();
	assert_int_equal(fake_nb_sent(&team, 4002, TP_TCP_SYN), 0);
	assert_int_equal(told.closed, 1);
}

static void
test_no_address_of_that_family(void **state)
{
	struct tp_toe_connect how = {
		.user = &toe_user, .raddr = { 0x20, 1, [15] = 1 }, .rport = 4000, .member = 0
	};
	tp_toe_id id = tp_toe_connect(team.toe, &how);

	(void)state;
	assert_true(id != TP_TOE_ID_NONE);
	toe_settle();
	assert_int_equal(told.closed, 1);
	assert_int_equal(told.reason, TP_TCP_R_MEMORY);
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 0);
	assert_word(id, FREE, TP_MEMBER_NONE);
}

static void
test_the_same_ends_twice(void **state)
{
	(void)state;
	assert_true(connect_to(4000) != TP_TOE_ID_NONE);
	assert_true(connect_to(4000) != TP_TOE_ID_NONE);
	toe_settle();
	assert_int_equal(told.closed, 1);
	assert_int_equal(told.reason, TP_TCP_R_MEMORY);
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 1);
	assert_int_equal(fake_nb_sent(&team, 4000, TP_TCP_SYN), 1);
}

static void
test_ports_are_of_the_range(void **state)
{
	struct tp_toe_connect how = to_peer(4000);

	(void)state;
	assert_int_equal(tp_toe_set_ports(team.toe, 0, 10), -EINVAL);
	assert_int_equal(tp_toe_set_ports(team.toe, 11, 10), -EINVAL);
	assert_int_equal(tp_toe_set_ports(team.toe, 2000, 2003), 0);
	how.lport = 0;
	for (unsigned int i = 0; i < 4; i++)
		assert_true(tp_toe_connect(team.toe, &how) != TP_TOE_ID_NONE);
	toe_settle();
	assert_int_equal(told.closed, 0);
	assert_int_equal(team.nb_sent, 4);
	for (unsigned int i = 0; i < 4; i++) {
		assert_in_range(team.sent[i].lport, 2000, 2003);
		for (unsigned int k = 0; k < i; k++)
			assert_int_not_equal(team.sent[i].lport, team.sent[k].lport);
	}
	assert_true(tp_toe_connect(team.toe, &how) != TP_TOE_ID_NONE);
	toe_settle();
	assert_int_equal(told.closed, 1); /* all are taken */
}

/* Each that is not opened keeps its post: then there is no other. */
static void
test_no_post_left(void **state)
{
	static struct rte_mempool *posts;
	void *all[8192];
	unsigned int nb = 0;
	uint32_t free_before = HEAD_INDEX(atomic_load(&team.toe->free_handles));

	(void)state;
	posts = team.toe->posts;
	while (nb < RTE_DIM(all) && rte_mempool_get(posts, &all[nb]) == 0)
		nb++;
	assert_true(connect_to(4000) == TP_TOE_ID_NONE);
	assert_int_equal(rte_errno, ENOBUFS);
	assert_int_equal(HEAD_INDEX(atomic_load(&team.toe->free_handles)), free_before);
	rte_mempool_put_bulk(posts, all, nb);
	assert_true(connect_to(4000) != TP_TOE_ID_NONE);
}

static void
test_no_handle_left(void **state)
{
	uint64_t head = atomic_load(&team.toe->free_handles);

	(void)state;
	atomic_store(&team.toe->free_handles, NO_INDEX);
	assert_true(connect_to(4000) == TP_TOE_ID_NONE);
	assert_int_equal(rte_errno, ENOBUFS);
	atomic_store(&team.toe->free_handles, head);
}

/* Posted before the lcore came to the open: there is no connection to call it with. */
static void
count_gone(struct tp_toe_call *call, void *arg)
{
	assert_null(call->conn);
	++*(unsigned int *)arg;
}

static void
test_an_open_that_fails_tells_those_that_wait_for_it(void **state)
{
	unsigned int gone = 0;
	tp_toe_id id;

	(void)state;
	assert_true(connect_to(4000) != TP_TOE_ID_NONE);
	toe_settle();
	id = connect_to(4000);
	toe_post(id, count_gone, &gone);
	toe_settle();
	assert_int_equal(gone, 1);
	assert_int_equal(told.closed, 1);
}

/* Neither the functions nor the handles may run out without a trace. */
static void
test_nothing_is_left_of_what_could_not_begin(void **state)
{
	uint32_t nb = rte_mempool_avail_count(team.toe->posts), free_one;
	void **all = calloc(nb, sizeof(*all));

	(void)state;
	assert_non_null(all);
	assert_int_equal(rte_mempool_get_bulk(team.toe->posts, all, nb), 0);
	assert_true(connect_to(4000) == TP_TOE_ID_NONE);
	assert_int_equal(rte_errno, ENOBUFS);
	rte_mempool_put_bulk(team.toe->posts, all, nb);
	free(all);
	/* As if it had never been touched: else who looks at what a dead member leaves frees it again. */
	free_one = HEAD_INDEX(atomic_load(&team.toe->free_handles));
	assert_word(free_one, FREE, TP_MEMBER_NONE);
	nb = 0;
	while (list_pop(team.toe, &team.toe->free_handles) != NO_INDEX)
		nb++;
	assert_int_equal(nb, team.toe->nb_handles);
	assert_true(connect_to(4000) == TP_TOE_ID_NONE);
	assert_int_equal(rte_errno, ENOBUFS);
	assert_int_equal(rte_mempool_in_use_count(team.toe->posts), 0);
	while (nb-- > 0)
		handle_free(team.toe, nb);
}

/* Control looks at a handle that is not given to its member yet, for one that had it before: what opens it
 * stays. */
static void
test_an_open_waits_for_its_member(void **state)
{
	struct tp_toe_connect how = to_peer(4000);
	struct post *first;
	uint32_t index;

	(void)state;
	how.member = 1;
	assert_int_equal(rte_mempool_get(team.toe->posts, (void **)&first), 0);
	index = handle_pop(team.toe, 1);
	assert_word(index, FREE, TP_MEMBER_NONE);
	handle_of(index)->key = (struct tp_tcp_key){ .rport = rte_cpu_to_be_16(4000) };
	memcpy(handle_of(index)->key.raddr, how.raddr, sizeof(how.raddr));
	post_open(team.toe, index, 1, first, NULL);
	/* A moment earlier. */
	atomic_store(&handle_of(index)->word, word_make(WORD_GENERATION(word_of_id(index)), 0,
	                                                      HANDLE_FREE, TP_MEMBER_NONE));
	posts_wake(team.toe, index);
	assert_ptr_equal(atomic_load(&handle_of(index)->posts), first);
	handle_give(team.toe, index, 1);
	toe_settle();
	assert_int_equal(fake_nb_sent(&team, 4000, TP_TCP_SYN), 1);
	assert_int_equal(fake_last(&team, 4000)->member, 1);
	assert_int_equal(rte_mempool_in_use_count(team.toe->posts), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		toe_test(test_opens_on_the_member_that_the_map_proposes),
		toe_test(test_opens_on_the_member_that_is_asked_for),
		toe_test(test_the_answer_may_come_to_any_member),
		toe_test(test_a_refusal_is_told),
		toe_test(test_bad_arguments_are_refused),
		toe_test(test_a_dead_members_share_goes_to_another),
		toe_test(test_no_address_of_that_family),
		toe_test(test_its_user_may_name_the_address),
		toe_test(test_the_same_ends_twice),
		toe_test(test_ports_are_of_the_range),
		toe_test(test_no_post_left),
		toe_test(test_no_handle_left),
		toe_test(test_an_open_that_fails_tells_those_that_wait_for_it),
		toe_test(test_nothing_is_left_of_what_could_not_begin),
		toe_test(test_an_open_waits_for_its_member),
	};

	return toe_run(tests);
}
