/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "notify.h"

#define PERIOD_NS (500 * TP_NS_PER_MS) /* half of what manager_start() asks */

/* The service manager: a datagram socket in the abstract name space. */
static int manager = -1;

static int
manager_start(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char name[64], pid[16];
	int len = snprintf(name, sizeof(name), "@tp-test-notify-%d", getpid());

	(void)state;
	memcpy(addr.sun_path, name, len);
	addr.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (manager < 0 || bind(manager, (struct sockaddr *)&addr,
	                                   offsetof(struct sockaddr_un, sun_path) + len) != 0)
		return -1;
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "1000000", 1);
	setenv("WATCHDOG_PID", pid, 1);
	return 0;
}

static int
manager_stop(void **state)
{
	(void)state;
	close(manager);
	return 0;
}

static void
assert_got(const char *message)
{
	char got[128];
	ssize_t len = recv(manager, got, sizeof(got) - 1, 0);

	if (message == NULL) {
		assert_int_equal(len, -1);
		return;
	}
	assert_true(len >= 0);
	got[len] = '\0';
	assert_string_equal(got, message);
}

static void
no_hearts(uint64_t *hearts)
{
	for (unsigned int i = 0; i < NOTIFY_HEARTS; i++)
		hearts[i] = NOTIFY_NO_HEART;
}

static void
test_messages_arrive(void **state)
{
	struct notify n;

	(void)state;
	assert_int_equal(notify_open(&n, 0), 0);
	notify_send(&n, "READY=1");
	assert_got("READY=1");
	notify_close(&n);
	notify_send(&n, "STOPPING=1");
	assert_got(NULL);
}

static void
test_environment_is_not_passed_on(void **state)
{
	struct notify n;

	(void)state;
	assert_int_equal(notify_open(&n, 0), 0);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("WATCHDOG_USEC"));
	assert_null(getenv("WATCHDOG_PID"));
	notify_close(&n);
}

static void
test_fed_twice_a_period_while_hearts_beat(void **state)
{
	uint64_t hearts[NOTIFY_HEARTS], now = 7;
	struct notify n;

	(void)state;
	no_hearts(hearts);
	hearts[0] = UINT64_MAX - 2;
	hearts[NOTIFY_HEARTS - 1] = 0;
	assert_int_equal(notify_open(&n, now), 0);
	assert_false(notify_feed(&n, hearts, now + PERIOD_NS - 1));
	assert_true(notify_feed(&n, hearts, now + PERIOD_NS));
	assert_got("WATCHDOG=1");
	hearts[0]++;
	hearts[NOTIFY_HEARTS - 1]++;
	assert_false(notify_feed(&n, hearts, now + 2 * PERIOD_NS - 1));
	assert_got(NULL);
	assert_true(notify_feed(&n, hearts, now + 2 * PERIOD_NS));
	assert_got("WATCHDOG=1");
	notify_close(&n);
}

static void
test_one_silent_heart_starves_it(void **state)
{
	uint64_t hearts[NOTIFY_HEARTS];
	struct notify n;

	(void)state;
	no_hearts(hearts);
	hearts[0] = 10;
	hearts[5] = 20;
	assert_int_equal(notify_open(&n, 0), 0);
	assert_true(notify_feed(&n, hearts, PERIOD_NS));
	hearts[0]++;
	assert_false(notify_feed(&n, hearts, 2 * PERIOD_NS));
	assert_false(notify_feed(&n, hearts, 9 * PERIOD_NS));
	hearts[5]++;
	assert_true(notify_feed(&n, hearts, 9 * PERIOD_NS + 1));
	notify_close(&n);
}

static void
test_hearts_come_and_go(void **state)
{
	uint64_t hearts[NOTIFY_HEARTS];
	struct notify n;

	(void)state;
	no_hearts(hearts);
	hearts[0] = 1;
	assert_int_equal(notify_open(&n, 0), 0);
	assert_true(notify_feed(&n, hearts, PERIOD_NS));
	hearts[0] = 2;
	hearts[3] = 0; /* added */
	assert_true(notify_feed(&n, hearts, 2 * PERIOD_NS));
	hearts[0] = 3;
	hearts[3] = NOTIFY_NO_HEART; /* removed */
	assert_true(notify_feed(&n, hearts, 3 * PERIOD_NS));
	notify_close(&n);
}

static void
test_no_manager_no_work(void **state)
{
	uint64_t hearts[NOTIFY_HEARTS];
	struct notify n;

	(void)state;
	no_hearts(hearts);
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_open(&n, 0), 0);
	assert_int_equal(n.fd, -1);
	notify_send(&n, "READY=1");
	assert_false(notify_feed(&n, hearts, 10 * PERIOD_NS));
	assert_got(NULL);
}

static void
open_with(const char *name, const char *value, int rc, uint64_t period_ns)
{
	struct notify n;
	void *state = NULL;

	manager_stop(&state);
	assert_int_equal(manager_start(&state), 0);
	setenv(name, value, 1);
	assert_int_equal(notify_open(&n, 0), rc);
	assert_int_equal(n.period_ns, period_ns);
	notify_close(&n);
}

static void
test_bad_environment(void **state)
{
	char longest[200];

	(void)state;
	memset(longest, '/', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	open_with("WATCHDOG_PID", "1", 0, 0);
	open_with("WATCHDOG_PID", "x", 0, 0);
	open_with("WATCHDOG_USEC", "0", 0, 0);
	open_with("WATCHDOG_USEC", "-5", 0, 0);
	open_with("WATCHDOG_USEC", "10s", 0, 0);
	open_with("WATCHDOG_USEC", "99999999999999999999", 0, 0);
	open_with("WATCHDOG_USEC", "18446744073709551615", 0, 0);
	open_with("WATCHDOG_USEC", "2000000", 0, 1000 * TP_NS_PER_MS);
	open_with("NOTIFY_SOCKET", "", -EINVAL, 0);
	open_with("NOTIFY_SOCKET", "relative", -EINVAL, 0);
	open_with("NOTIFY_SOCKET", "@", -EINVAL, 0);
	open_with("NOTIFY_SOCKET", longest, -EINVAL, 0);
	open_with("NOTIFY_SOCKET", "/nonexistent/socket", -ENOENT, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_messages_arrive, manager_start, manager_stop),
		cmocka_unit_test_setup_teardown(
		                test_environment_is_not_passed_on, manager_start, manager_stop),
		cmocka_unit_test_setup_teardown(test_fed_twice_a_period_while_hearts_beat,
		                manager_start, manager_stop),
		cmocka_unit_test_setup_teardown(
		                test_one_silent_heart_starves_it, manager_start, manager_stop),
		cmocka_unit_test_setup_teardown(
		                test_hearts_come_and_go, manager_start, manager_stop),
		cmocka_unit_test_setup_teardown(
		                test_no_manager_no_work, manager_start, manager_stop),
		cmocka_unit_test_setup_teardown(test_bad_environment, manager_start, manager_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
