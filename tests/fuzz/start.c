/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "start.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_eal.h>

#include "../common/eal_dir.h"

void
fuzz_start(const char *more)
{
	/* EAL keeps pointers into its arguments. */
	static char line[200];
	char *args[16], prefix[32];
	int nb = 0;

	eal_dir_own(prefix, sizeof(prefix), "tp-fuzz");
	snprintf(line, sizeof(line),
	                "fuzz --no-huge --no-shconf --no-pci --no-telemetry --log-level=1 %s "
	                "--file-prefix=%s --lcores=0@%d",
	                more, prefix, sched_getcpu());
	for (char *p = strtok(line, " "); p != NULL; p = strtok(NULL, " ")) {
		CHECK(nb < (int)RTE_DIM(args));
		args[nb++] = p;
	}
	CHECK(rte_eal_init(nb, args) >= 0);
}
