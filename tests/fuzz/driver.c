/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs a fuzz target without libFuzzer: FUZZER CORPUS [COUNT [SEED]]. CORPUS is a folder (or one
 * file). All its files are run as they are, then COUNT mutations of them. Seed and count say
 * exactly what is run. On a crash nothing is kept; run the same again with --last=FILE before
 * CORPUS to keep each input in FILE. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define MAX_BYTES 16384
#define MAX_FILES 512

struct input { uint8_t *p; size_t len; char *name; };
struct corpus { struct input files[MAX_FILES]; size_t n; };

/* What turns up in scenario files, frames and numbers. */
static const char *const words[] = {
	"${",
	"}",
	"$",
	"$$",
	"\n",
	"\n\t",
	" ;",
	"#",
	"[",
	"]",
	" = ",
	"=",
	"[group ",
	"[phase ",
	"do =",
	"\r",
	"\t",
	".help",
	"count = 2\n",
	"deferred = yes\n",
	"${a}",
	"../",
	"/",
	".",
	"0",
	"1",
	"9223372036854775807",
	"18446744073709551616",
	"1e3",
	"0x10",
	"1.5",
	"-1",
	"K",
	"G",
	"ms",
	"h",
	"start ",
	"mark x\n",
	"\xff\xff\xff",
	"\x80",
	"\xc3\xa9",
	"WRNG",
};

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static size_t pick(uint64_t *state, size_t n)
{
	return n ? (size_t)(next_random(state) % n) : 0;
}

static void insert(uint8_t *buf, size_t *len, size_t at, const void *p, size_t n)
{
	if (*len + n > MAX_BYTES)
		return;
	memmove(buf + at + n, buf + at, *len - at);
	memcpy(buf + at, p, n);
	*len += n;
}

static void erase(uint8_t *buf, size_t *len, size_t at, size_t n)
{
	if (n > *len - at)
		n = *len - at;
	memmove(buf + at, buf + at + n, *len - at - n);
	*len -= n;
}

static void mutate(const struct corpus *c, uint64_t *rnd, uint8_t *buf, size_t *len)
{
	const struct input *other = &c->files[pick(rnd, c->n)];
	size_t at = pick(rnd, *len + 1), n = 1 + pick(rnd, 32), from;
	const char *word;
	uint8_t copy[256];

	switch (pick(rnd, 7)) {
	case 0: /* a bit */
		if (at < *len)
			buf[at] ^= (uint8_t)(1u << pick(rnd, 8));
		break;
	case 1: /* a byte */
		if (at < *len)
			buf[at] = (uint8_t)next_random(rnd);
		break;
	case 2:
		erase(buf, len, at, n);
		break;
	case 3:
		word = words[pick(rnd, sizeof(words) / sizeof(words[0]))];
		insert(buf, len, at, word, strlen(word));
		break;
	case 4: /* a piece of a file, this one or another */
		from = pick(rnd, other->len + 1);
		n = 1 + pick(rnd, 200);
		insert(buf, len, at, other->p + from,
		       n < other->len - from ? n : other->len - from);
		break;
	case 5: /* a piece of itself */
		from = pick(rnd, *len + 1);
		n = n < *len - from ? n : *len - from;
		memcpy(copy, buf + from, n);
		insert(buf, len, at, copy, n);
		break;
	default: /* the same byte many times */
		memset(copy, (int)pick(rnd, 256), sizeof(copy));
		insert(buf, len, at, copy, 1 + pick(rnd, sizeof(copy)));
	}
}

static int add_file(struct corpus *c, const char *path)
{
	struct input *in = &c->files[c->n];
	FILE *f = c->n < MAX_FILES ? fopen(path, "re") : NULL;

	if (!f)
		return -errno;
	in->p = malloc(MAX_BYTES);
	in->name = strdup(path);
	if (!in->p || !in->name)
		abort();
	in->len = fread(in->p, 1, MAX_BYTES, f);
	fclose(f);
	c->n++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct input *)a)->name, ((const struct input *)b)->name);
}

static int read_corpus(struct corpus *c, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	char file[4096];
	int r = 0;

	if (!dir)
		return errno == ENOTDIR ? add_file(c, path) : -errno;
	while (!r && (e = readdir(dir))) {
		if (*e->d_name == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		r = add_file(c, file);
	}
	closedir(dir);
	qsort(c->files, c->n, sizeof(c->files[0]),
	      by_name); /* the order must not depend on the file system */
	return r ? r : c->n ? 0 : -ENOENT;
}

static void keep(const char *path, const uint8_t *buf, size_t len)
{
	FILE *f = fopen(path, "we");

	if (!f || fwrite(buf, 1, len, f) != len)
		perror(path);
	if (f)
		fclose(f);
}

static void run(const struct corpus *c, uint64_t count, uint64_t seed, const char *last)
{
	static uint8_t buf[MAX_BYTES];

	for (size_t i = 0; i < c->n; i++)
		LLVMFuzzerTestOneInput(c->files[i].p, c->files[i].len);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t rnd = seed * 0x100000001b3ULL + i;
		const struct input *in = &c->files[pick(&rnd, c->n)];
		size_t len = in->len, times = 1 + pick(&rnd, 1 + pick(&rnd, 8));

		memcpy(buf, in->p, len);
		while (times--)
			mutate(c, &rnd, buf, &len);
		if (last)
			keep(last, buf, len);
		LLVMFuzzerTestOneInput(buf, len);
	}
}

int main(int argc, char **argv)
{
	static struct corpus c;
	const char *last = NULL;
	uint64_t count, seed;
	int r;

	if (argc > 1 && !strncmp(argv[1], "--last=", 7)) {
		last = argv[1] + 7;
		argv++;
		argc--;
	}
	if (argc < 2 || argc > 4) {
		fprintf(stderr, "usage: FUZZER [--last=FILE] CORPUS [COUNT [SEED]]\n");
		return 2;
	}
	count = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000;
	seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	r = read_corpus(&c, argv[1]);
	if (r) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-r));
		return 2;
	}
	run(&c, count, seed, last);
	printf("%zu files, %" PRIu64 " mutations, seed %" PRIu64 ": fine\n", c.n, count, seed);
	for (size_t i = 0; i < c.n; i++) {
		free(c.files[i].p);
		free(c.files[i].name);
	}
	return 0;
}
