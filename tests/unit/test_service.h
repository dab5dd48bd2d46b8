/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * A service on FAKE_PORT of a team (test_toe.h) and a peer that talks to it.
 */
#ifndef TEST_SERVICE_H
#define TEST_SERVICE_H

#include "service.h"
#include "test_toe.h"

static const uint8_t any_addr[16];
static struct fake_peer peer;

/** The named service in place of the fixture's. */
static inline void
serve(const char *name)
{
	assert_int_equal(tp_toe_unlisten(team.toe, any_addr, FAKE_PORT), 0);
	assert_int_equal(service_listen(team.toe, name, FAKE_PORT, conf.max_conns), 0);
}

/** A new connection to it. */
static inline void
peer_open(void)
{
	static uint16_t port = 10000;

	peer = (struct fake_peer){ .port = port++, .seq = 1 };
	fake_open_conn(&team, &peer, 0);
	fake_hear(&team, &peer);
	fake_say(&team, &peer, 0, TP_TCP_ACK, 0);
	toe_settle();
}

/** The peer takes all that is sent to it, at most so many times. */
static inline void
peer_read(unsigned int rounds)
{
	uint32_t before;

	do {
		before = team.nb_sent;
		fake_hear(&team, &peer);
		fake_say(&team, &peer, 0, TP_TCP_ACK, 0);
		fake_wait(&team, MS);
		toe_settle();
	} while (team.nb_sent != before && --rounds > 0);
}

static inline void
peer_say(const char *text)
{
	fake_write(&team, &peer, 0, text, strlen(text));
	toe_settle();
}

static inline void
peer_close(void)
{
	fake_say(&team, &peer, 0, TP_TCP_ACK | TP_TCP_FIN, 0);
	toe_settle();
}

/** All that it was told so far, and forgotten now. @return static */
static inline const char *
peer_heard(void)
{
	static char text[FAKE_TEXT + 1];

	fake_hear(&team, &peer);
	text[fake_text(&team, peer.port, text, FAKE_TEXT)] = '\0';
	fake_forget(&team);
	return text;
}

static inline bool
has(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

#endif
