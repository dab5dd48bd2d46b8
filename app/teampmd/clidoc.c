/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Prints docs/cli.md; see scripts/gen-cli-doc.sh. */

#include "front.h"

int
main(void)
{
	language_manual(cmd_sections, stdout);
	return 0;
}
