/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plug-ins: one file defines one const struct and registers a pointer to it in a linker section; the
 * registry walks the section. The files must be listed in a program's own _SOURCES: the linker silently
 * drops such objects from a static library (tests/meta/registry.bats compares with the folder). */
#pragma once
#include <stddef.h>

#if defined(__has_attribute) && __has_attribute(retain)
#define WRING_RETAIN __attribute__((used, retain))
#else
#define WRING_RETAIN __attribute__((used))
#endif

#define WRING_REGISTER(kind, object) \
	static const struct wring_##kind *const wring_reg_##kind \
	WRING_RETAIN __attribute__((section("wring_" #kind "s"))) = &(object)

/* Declares wring_KINDs(size_t *n): all registered pointers, in link order (callers sort by name to print). */
#define WRING_REGISTRY(kind) \
	extern const struct wring_##kind *const __start_wring_##kind##s[] __attribute__((weak)); \
	extern const struct wring_##kind *const __stop_wring_##kind##s[] __attribute__((weak)); \
	static inline const struct wring_##kind *const *wring_##kind##s(size_t *n) \
	{ \
		*n = (size_t)(__stop_wring_##kind##s - __start_wring_##kind##s); \
		return __start_wring_##kind##s; \
	}
