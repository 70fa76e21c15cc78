/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a dying kernel said, with what its build tree knows: lines of the source behind the frames of a stack, names for addresses. */
#include <ctype.h>
#include <fcntl.h>
#include <string.h>

#include "harness/base/util.h"
#include "harness/vm/child.h"
#include "harness/vm/kernel.h"

enum { MAX_SPOTS = 8192, NAME_BYTES = 128, WHERE_BYTES = 300 };

struct symbol { uint64_t at; const char *name; };
struct place { uint64_t at; char *where; };
struct map {
	char *text;                /* of System.map, with a NUL behind each name */
	struct symbol *rows;       /* by address */
	const struct symbol **named; /* by name */
	size_t n;
	uint64_t moved;            /* by this the text of the running kernel is off what the map says */
	struct place *places;      /* by address */
	size_t n_places;
};

/* ---- System.map ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct symbol *const *)a)->name, (*(const struct symbol *const *)b)->name);
}

static int by_address(const void *a, const void *b)
{
	uint64_t x = ((const struct symbol *)a)->at, y = ((const struct symbol *)b)->at;

	return x < y ? -1 : x > y;
}

/* "ffffffff81000000 T _stext" */
static bool read_map(struct map *m)
{
	size_t lines = 0;
	char *save = NULL;

	for (const char *p = m->text; *p; p++)
		lines += *p == '\n';
	m->rows = calloc(lines + 1, sizeof(*m->rows));
	m->named = calloc(lines + 1, sizeof(*m->named));
	for (char *p = m->rows && m->named ? strtok_r(m->text, "\n", &save) : NULL; p; p = strtok_r(NULL, "\n", &save)) {
		char *end;
		uint64_t at = strtoull(p, &end, 16);

		if (end == p + 16 && end[0] == ' ' && end[1] && end[2] == ' ')
			m->rows[m->n++] = (struct symbol){ at, end + 3 };
	}
	if (m->n < 1000) /* Debian's package has a file that says where the real one is */
		return false;
	qsort(m->rows, m->n, sizeof(*m->rows), by_address);
	for (size_t i = 0; i < m->n; i++)
		m->named[i] = &m->rows[i];
	qsort(m->named, m->n, sizeof(const struct symbol *), by_name);
	return true;
}

/* The first of that name. */
static const struct symbol *const *find_name(const struct map *m, const char *name)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(m->named[mid]->name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->n && !strcmp(m->named[lo]->name, name) ? (const struct symbol *const *)&m->named[lo] : NULL;
}

static const struct symbol *find_address(const struct map *m, uint64_t at)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (m->rows[mid].at <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && lo < m->n ? &m->rows[lo - 1] : NULL;
}

static uint64_t size_of(const struct map *m, const struct symbol *s)
{
	const struct symbol *next = s;

	while (next < m->rows + m->n && next->at == s->at)
		next++;
	return next < m->rows + m->n ? next->at - s->at : 0;
}

/* Names are not unique; name and size mostly are. A size that no such name has means another build than the one at hand. */
static uint64_t address_of(const struct map *m, const char *name, uint64_t offset, uint64_t size)
{
	const struct symbol *const *s = find_name(m, name);

	for (; s && s < (const struct symbol *const *)m->named + m->n && !strcmp((*s)->name, name); s++)
		if (size_of(m, *s) == size)
			return (*s)->at + offset;
	return 0;
}

/* ---- addresses in a line ---- */

struct spot { uint64_t at; bool is_named; };

/* "schedule+0x27/0xc0", but not of a module. */
static bool named_spot(const struct map *m, const char *line, size_t len, struct spot *ret)
{
	const char *plus = memmem(line, len, "+0x", 3), *from = plus, *mod;
	char name[NAME_BYTES], *end;
	uint64_t offset, size;

	while (plus && from > line && (isalnum((unsigned char)from[-1]) || strchr("_.$", from[-1])))
		from--;
	if (!plus || from == plus || plus - from >= NAME_BYTES)
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(plus - from), from);
	offset = strtoull(plus + 1, &end, 16);
	if (strncmp(end, "/0x", 3))
		return false;
	size = strtoull(end + 1, &end, 16);
	mod = end < line + len ? memchr(end, '[', (size_t)(line + len - end)) : NULL;
	if (mod && mod == end + 1)
		return false;
	ret->at = address_of(m, name, offset, size);
	ret->is_named = true;
	/* A frame is where a call returns to: the call is before it. */
	if (ret->at && offset && !memmem(line, len, "RIP:", 4))
		ret->at--;
	return ret->at;
}

/* An address alone: of a kernel without kallsyms, or read by us. */
static bool bare_spot(const struct map *m, const char *line, size_t len, struct spot *ret)
{
	static const char *const before[] = { "[wring: CPU ", "[<", " 0x", ":0x" };
	const char *p = NULL;
	const struct symbol *s;
	uint64_t at;

	for (size_t i = 0; i < WRING_ARRAY_SIZE(before) && !p; i++) {
		p = memmem(line, len, before[i], strlen(before[i]));
		p = p ? memmem(p, len - (size_t)(p - line), "ffffffff", 8) : NULL;
	}
	if (!p || memmem(line, len, "Kernel Offset", 13))
		return false;
	at = strtoull(p, NULL, 16) - m->moved;
	s = find_address(m, at);
	*ret = (struct spot){ at, false };
	return s && at - s->at < 1 << 20;
}

static bool find_spot(const struct map *m, const char *line, size_t len, struct spot *ret)
{
	return named_spot(m, line, len, ret) || bare_spot(m, line, len, ret);
}

/* Where the kernel was put (KASLR), as a panic says it, or as we found it. */
static uint64_t find_move(const struct map *m, const char *text)
{
	static const char panic[] = "Kernel Offset: 0x", read[] = "[wring: divide error handler: ";
	const struct symbol *const *s = find_name(m, "asm_exc_divide_error");
	const char *p = strstr(text, panic);

	if (p)
		return strtoull(p + sizeof(panic) - 1, NULL, 16);
	p = strstr(text, read);
	return p && s ? strtoull(p + sizeof(read) - 1, NULL, 16) - (*s)->at : 0;
}

/* ---- lines of the source ---- */

static int by_place(const void *a, const void *b)
{
	uint64_t x = ((const struct place *)a)->at, y = ((const struct place *)b)->at;

	return x < y ? -1 : x > y;
}

static struct place *find_place(const struct map *m, uint64_t at)
{
	const struct place key = { .at = at };

	return m->n_places ? bsearch(&key, m->places, m->n_places, sizeof(key), by_place) : NULL;
}

/* "0xffffffff81000000", then a line for the address and for each function it was inlined into. `strip`: what is before the path
 * within the tree. */
static void read_places(struct map *m, char *output, const char *strip)
{
	struct place *now = NULL;
	char *save = NULL;

	for (char *p = strtok_r(output, "\n", &save); p; p = strtok_r(NULL, "\n", &save)) {
		char *all;

		if (!strncmp(p, "0x", 2)) {
			now = find_place(m, strtoull(p, NULL, 16));
			continue;
		}
		p[strcspn(p, " ")] = '\0'; /* "(discriminator 3)" */
		if (!now || *p == '?' || strstr(p, ":?") || (now->where && strlen(now->where) + strlen(p) > WHERE_BYTES))
			continue;
		if (!strncmp(p, strip, strlen(strip)))
			p += strlen(strip);
		all = now->where ? wring_strf("%s %s", now->where, p) : strdup(p);
		free(now->where);
		now->where = all;
	}
}

/* The path of init/main.c tells what is before all others. */
static char *find_strip(char *const *argv)
{
	_cleanup_free_ char *output = NULL;
	char *end;

	if (wring_child_run(argv, NULL, 0, &output) || !output)
		return strdup("");
	end = strstr(output, "init/main.c:");
	if (end)
		*end = '\0';
	return strdup(end ? output : "");
}

static void ask_addr2line(struct map *m, const char *vmlinux)
{
	const struct symbol *const *start = find_name(m, "start_kernel");
	_cleanup_free_ char *program = NULL, *output = NULL, *strip = NULL, *first = start ? wring_strf("0x%llx", (unsigned long long)(*start)->at) : NULL;
	char **argv = calloc(m->n_places + 6, sizeof(*argv));
	size_t n = 5;

	if (argv && first && !wring_child_find("addr2line", NULL, &program, NULL)) {
		char *one[] = { program, (char *)"-e", (char *)vmlinux, first, NULL };

		strip = find_strip(one);
		memcpy(argv, (char *[]){ program, (char *)"-a", (char *)"-i", (char *)"-e", (char *)vmlinux }, 5 * sizeof(*argv));
		for (size_t i = 0; i < m->n_places; i++)
			if (!(argv[n++] = wring_strf("0x%llx", (unsigned long long)m->places[i].at)))
				break;
		if (strip && argv[n - 1] && !wring_child_run(argv, NULL, 0, &output) && output)
			read_places(m, output, strip);
	}
	for (size_t i = 5; argv && i < n; i++)
		free(argv[i]);
	free(argv);
}

/* ---- the whole text ---- */

/* Calls `each` for every line, with the length of what is to be read of it, and the whole of it. */
static void walk(struct map *m, const char *text, void (*each)(struct map *m, const char *line, size_t len, size_t whole, void *data), void *data)
{
	for (size_t len, whole; *text; text += whole) {
		len = strcspn(text, "\r\n");
		whole = len + strspn(text + len, "\r\n");
		each(m, text, len, whole, data);
	}
}

static void note_place(struct map *m, const char *line, size_t len, size_t whole, void *data)
{
	struct spot s;

	(void)data, (void)whole;
	if (m->n_places < MAX_SPOTS && find_spot(m, line, len, &s))
		m->places[m->n_places++].at = s.at;
}

static void write_line(struct map *m, const char *line, size_t len, size_t whole, void *data)
{
	FILE *f = data;
	struct spot s;
	bool found = find_spot(m, line, len, &s);
	const struct place *p = found ? find_place(m, s.at) : NULL;
	const struct symbol *name = found && !s.is_named ? find_address(m, s.at) : NULL;

	fwrite(line, 1, len, f);
	if (name)
		fprintf(f, " %s+0x%llx", name->name, (unsigned long long)(s.at - name->at));
	if (p && p->where)
		fprintf(f, " (%s)", p->where);
	fwrite(line + len, 1, whole - len, f);
}

static void sort_places(struct map *m)
{
	size_t n = 0;

	qsort(m->places, m->n_places, sizeof(*m->places), by_place);
	for (size_t i = 0; i < m->n_places; i++)
		if (!i || m->places[i].at != m->places[n - 1].at)
			m->places[n++].at = m->places[i].at;
	m->n_places = n;
}

char *wring_kernel_symbolise(const struct wring_kernel *k, const char *text)
{
	struct map m = { .places = calloc(MAX_SPOTS, sizeof(struct place)) };
	char *ret = NULL;
	size_t len;
	FILE *f = NULL;

	if (m.places && k->system_map && !wring_read_file(AT_FDCWD, k->system_map, &m.text, NULL) && read_map(&m)) {
		m.moved = find_move(&m, text);
		walk(&m, text, note_place, NULL);
		sort_places(&m);
		if (k->vmlinux && m.n_places)
			ask_addr2line(&m, k->vmlinux);
		f = open_memstream(&ret, &len);
	}
	if (f) {
		walk(&m, text, write_line, f);
		if (fclose(f))
			free(WRING_TAKE_PTR(ret));
	}
	for (size_t i = 0; m.places && i < m.n_places; i++)
		free(m.places[i].where);
	free(m.places);
	free(m.named);
	free(m.rows);
	free(m.text);
	return ret;
}

const char *wring_kernel_vmlinux(const struct wring_kernel *k)
{
	return k->vmlinux;
}
