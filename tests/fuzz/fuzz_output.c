/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stress-ng and fio print, from any bytes: figures are finite, named and few. */
#include <math.h>
#include <string.h>

#include "analyzers/output.h"
#include "tests/fuzz/fuzz.h"

static void check(int (*parse)(const char *text, size_t len, struct wring_figures *f), const char *text, size_t len)
{
	struct wring_figures f = { .n = 0 };
	int r = parse(text, len, &f);

	FUZZ_CHECK(r <= 0 && f.n <= WRING_MAX_FIGURES);
	for (size_t i = 0; i < f.n; i++)
		FUZZ_CHECK(f.rows[i].n && isfinite(f.rows[i].value / f.rows[i].n) && strlen(f.rows[i].name) < sizeof(f.rows[i].name));
	FUZZ_CHECK(isfinite(f.ops_per_s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(wring_stress_ng_parse, (const char *)data, size);
	check(wring_fio_parse, (const char *)data, size);
	return 0;
}
