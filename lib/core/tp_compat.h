/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** Differences between DPDK releases, 22.11 and later, in one place. */
#ifndef TP_COMPAT_H
#define TP_COMPAT_H

#include <rte_version.h>

#if RTE_VERSION < RTE_VERSION_NUM(22, 11, 0, 0)
#error "teampmd needs DPDK 22.11 or later"
#endif

#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
#define tp_tel_dict_u64 rte_tel_data_add_dict_uint
#define tp_tel_array_u64 rte_tel_data_add_array_uint
#else
#define tp_tel_dict_u64 rte_tel_data_add_dict_u64
#define tp_tel_array_u64 rte_tel_data_add_array_u64
#endif

#endif
