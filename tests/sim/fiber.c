/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "fiber.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#endif

#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define __sanitizer_start_switch_fiber(save, bottom, size) ((void)(save))
#define __sanitizer_finish_switch_fiber(fake, bottom, size) ((void)(fake))
#define __asan_unpoison_memory_region(addr, size) ((void)(addr))
#endif

#define STACK_SIZE ((size_t)1 << 20)

struct fiber *fiber_current;

#ifndef __x86_64__
#error "switching stacks is written for x86-64 only, as DPDK's vector paths are"
#endif

/* Save what a function must preserve on one stack, go on with what was saved on another. Unlike
 * swapcontext() it makes no system call, and AddressSanitizer has no opinion of its own about it.
 */
void fiber_switch(void **save, void *to);
asm(".text\n"
    ".globl fiber_switch\n"
    ".type fiber_switch, @function\n"
    "fiber_switch:\n"
    "	endbr64\n"
    "	push %rbp\n"
    "	push %rbx\n"
    "	push %r12\n"
    "	push %r13\n"
    "	push %r14\n"
    "	push %r15\n"
    "	mov %rsp, (%rdi)\n"
    "	mov %rsi, %rsp\n"
    "	pop %r15\n"
    "	pop %r14\n"
    "	pop %r13\n"
    "	pop %r12\n"
    "	pop %rbx\n"
    "	pop %rbp\n"
    "	ret\n"
    ".size fiber_switch, .-fiber_switch\n");
#define NB_SAVED 6

int
fiber_init(struct fiber *f)
{
	void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (stack == MAP_FAILED)
		return -ENOMEM;
	*f = (struct fiber){ .stack = stack };
	return 0;
}

void
fiber_fini(struct fiber *f)
{
	__asan_unpoison_memory_region(f->stack, STACK_SIZE);
	munmap(f->stack, STACK_SIZE);
	f->stack = NULL;
}

static void
fiber_main(void)
{
	struct fiber *f = fiber_current;

	__sanitizer_finish_switch_fiber(NULL, &f->back_stack, &f->back_size);
	f->work(f->arg);
	f->busy = false;
	/* NULL: this stack will not be returned to. */
	__sanitizer_start_switch_fiber(NULL, f->back_stack, f->back_size);
	fiber_switch(&f->here, f->there);
}

static void
enter(struct fiber *f)
{
	void *fake = NULL;

	fiber_current = f;
	__sanitizer_start_switch_fiber(&fake, f->stack, STACK_SIZE);
	fiber_switch(&f->there, f->here);
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
	fiber_current = NULL;
}

void
fiber_start(struct fiber *f, void (*work)(void *arg), void *arg)
{
	uintptr_t *top = (uintptr_t *)(f->stack + STACK_SIZE);

	f->work = work;
	f->arg = arg;
	f->busy = true;
	/* As if fiber_main() had been called from address 0: rsp + 8 is then a multiple of 16. */
	*--top = 0;
	*--top = (uintptr_t)fiber_main;
	f->here = top - NB_SAVED;
	enter(f);
}

void
fiber_resume(struct fiber *f)
{
	enter(f);
}

void
fiber_yield(void)
{
	struct fiber *f = fiber_current;

	__sanitizer_start_switch_fiber(&f->fake, f->back_stack, f->back_size);
	fiber_switch(&f->here, f->there);
	__sanitizer_finish_switch_fiber(f->fake, &f->back_stack, &f->back_size);
}

void
fiber_abandon(struct fiber *f)
{
	f->busy = false;
	__asan_unpoison_memory_region(f->stack, STACK_SIZE);
}
