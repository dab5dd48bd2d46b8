/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <string.h>

#include "team_int.h"

const struct tp_mode tp_modes[TP_NB_MODES] = {
	[TP_MODE_HASH] = {
		.name = "hash",
		.map = true,
		.lazy = true,
		.rx_primary = TP_ACCEPT_ALL,
		.rx_secondary = TP_ACCEPT_ALL,
		.announce_all = true,
	},
	[TP_MODE_LOAD] = {
		.name = "load",
		.map = true,
		.lazy = true,
		.rx_primary = TP_ACCEPT_ALL,
		.rx_secondary = TP_ACCEPT_ALL,
		.announce_all = true,
	},
	[TP_MODE_ACTIVE_BACKUP] = {
		.name = "active-backup",
		.single = true,
		.rx_primary = TP_ACCEPT_ALL,
		.rx_secondary = TP_ACCEPT_NONE,
	},
	[TP_MODE_ROUND_ROBIN] = {
		.name = "round-robin",
		.rx_primary = TP_ACCEPT_ALL,
		.rx_secondary = TP_ACCEPT_ALL,
		.announce_all = true,
	},
	[TP_MODE_BROADCAST] = {
		.name = "broadcast",
		.rx_primary = TP_ACCEPT_ALL,
		.rx_secondary = TP_ACCEPT_UNICAST,
		.announce_all = true,
	},
};

int
tp_mode_parse(const char *name)
{
	for (int i = 0; i < TP_NB_MODES; i++)
		if (strcmp(tp_modes[i].name, name) == 0)
			return i;
	return -EINVAL;
}

uint8_t
team_accept(const struct tp_team *team, uint8_t member)
{
	const struct tp_mode *mode = team_mode(team);

	if (!team->member[member].collecting)
		return TP_ACCEPT_NONE;
	if (member == team->primary)
		return mode->rx_primary;
	if (mode->single && team->conf.all_members_active)
		return TP_ACCEPT_ALL;
	return mode->rx_secondary;
}
