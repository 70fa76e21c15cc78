/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a dying kernel prints, from any bytes: who stood where, and names for addresses. */
#include <string.h>
#include <sys/mman.h>

#include "analyzers/post-mortem.h"
#include "harness/vm/kernel.h"
#include "tests/fuzz/fuzz.h"

static char map_path[40];

static void make_map(void)
{
	int fd = memfd_create("System.map", 0);

	for (unsigned i = 0; i < 2000; i++)
		dprintf(fd, "%016llx T %s%u\n", 0xffffffff81000000ULL + i * 0x120, i % 3 ? "shrink_" : "dup", i % 3 ? i : 7);
	dprintf(fd, "ffffffff82000000 T asm_exc_divide_error\nffffffff83000000 T _end\n");
	snprintf(map_path, sizeof(map_path), "/proc/self/fd/%d", fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wring_kernel k = { .system_map = map_path };
	char *text = strndup((const char *)data, size), *more, buf[900];
	struct wring_post_mortem p;

	if (!*map_path)
		make_map();
	if (!text)
		return 0;
	wring_post_mortem_of(text, &p);
	FUZZ_CHECK(p.n <= sizeof(p.rows) / sizeof(*p.rows) && p.from <= strlen(text));
	for (size_t i = 0; i < p.n; i++)
		FUZZ_CHECK(*p.rows[i].who && *p.rows[i].where && !strchr(p.rows[i].where, '\n'));
	wring_post_mortem_text(&p, buf, sizeof(buf));
	FUZZ_CHECK(strlen(buf) < sizeof(buf));
	more = wring_kernel_symbolise(&k, text);
	FUZZ_CHECK(more && strlen(more) >= strlen(text));
	free(more);
	free(text);
	return 0;
}
