#pragma once
/*
 * Private to core: what AddressSanitizer, ThreadSanitizer and valgrind must know about stacks. All
 * of it is empty in an ordinary build (valgrind's are a few instructions when a stack is made).
 */
#include <stddef.h>

#if defined __SANITIZE_ADDRESS__
#define HAVE_ASAN 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#if defined __SANITIZE_THREAD__
#define HAVE_TSAN 1
#elif defined __has_feature
#if __has_feature(thread_sanitizer)
#define HAVE_TSAN 1
#endif
#endif

#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define SANITIZER_STACK_FACTOR 4
#define NO_SANITIZE            __attribute__((no_sanitize_address))
#define asan_unpoison(p, n)    __asan_unpoison_memory_region((p), (n))
/* keep NULL: the old context ends. */
#define asan_switch_begin(keep, bottom, size)                                                      \
    __sanitizer_start_switch_fiber((keep), (bottom), (size))
#define asan_switch_end(kept, bottom, size)                                                        \
    __sanitizer_finish_switch_fiber((kept), (bottom), (size))
#else
#define SANITIZER_STACK_FACTOR 1
#define NO_SANITIZE
#define asan_unpoison(p, n)                   ((void)0)
#define asan_switch_begin(keep, bottom, size) ((void)0)
#define asan_switch_end(kept, bottom, size)   ((void)0)
#endif

#ifdef HAVE_TSAN
#include <sanitizer/tsan_interface.h>
#define tsan_fiber_new()     __tsan_create_fiber(0)
#define tsan_fiber_free(f)   __tsan_destroy_fiber(f)
#define tsan_fiber_current() __tsan_get_current_fiber()
#define tsan_switch(f)       __tsan_switch_to_fiber((f), 0)
#else
#define tsan_fiber_new()     NULL
#define tsan_fiber_free(f)   ((void)(f))
#define tsan_fiber_current() NULL
#define tsan_switch(f)       ((void)(f))
#endif

#if defined __has_include
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define valgrind_stack(low, high) VALGRIND_STACK_REGISTER((low), (high))
#define valgrind_stack_gone(id)   VALGRIND_STACK_DEREGISTER(id)
#endif
#endif
#ifndef valgrind_stack
#define valgrind_stack(low, high) 0
#define valgrind_stack_gone(id)   ((void)(id))
#endif
