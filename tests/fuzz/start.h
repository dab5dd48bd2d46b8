/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * What every fuzzer begins with.
 */
#ifndef FUZZ_START_H
#define FUZZ_START_H

#include <stddef.h>
#include <stdint.h>

#include "../common/check.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Start EAL without privileges, huge pages and shared files, on the CPU that we are on.
 * @param more arguments, parted by one blank each: "-m 64"
 */
void fuzz_start(const char *more);

#endif
