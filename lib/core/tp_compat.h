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

/** A thread that is no lcore. fn: uint32_t or void * (void *), by release: declare it with
 * TP_CTRL_THREAD_FN. @return 0 or -errno
 */
#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
#define TP_CTRL_THREAD_FN(fn, arg) uint32_t fn(void *arg)
#define tp_ctrl_thread_t rte_thread_t
#define tp_ctrl_thread(id, name, fn, arg) rte_thread_create_control(id, name, fn, arg)
#define tp_ctrl_thread_join(id) rte_thread_join(id, NULL)
#else
#define TP_CTRL_THREAD_FN(fn, arg) void *fn(void *arg)
#define tp_ctrl_thread_t pthread_t
#define tp_ctrl_thread(id, name, fn, arg) rte_ctrl_thread_create(id, name, NULL, fn, arg)
#define tp_ctrl_thread_join(id) pthread_join(id, NULL)
#endif

#endif
