/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analyzers/report/shell.h"

#include <inttypes.h>
#include <string.h>
#include "analyzers/report/text.h"
#include "harness/base/units.h"
#include "harness/base/util.h"

static const char *param(const struct wring_load *l, const char *key, const char *def)
{
	const char *v = wring_setting_get(&l->params, key);

	return v ? v : def;
}

static uint64_t size_param(const struct wring_load *l, const char *key, uint64_t def)
{
	const char *v = wring_setting_get(&l->params, key);
	uint64_t size;

	return v && !wring_parse_size(v, &size, NULL) && size ? size : def;
}

/* How many, when one is charged so many bytes (docs/workloads.md). */
static uint64_t count(const struct wring_load *l, uint64_t each)
{
	uint64_t objects = size_param(l, "objects", 0), n = size_param(l, "footprint", 64 << 20) / each;

	return objects ? objects : n ? n : 1;
}

/* A test of a name is a lookup without a process of its own. */
static void dentry(const struct wring_load *l, FILE *out)
{
	uint64_t len = size_param(l, "name-length", 200);
	bool positive = !strcmp(param(l, "kind", "negative"), "positive");

	fprintf(out, "\tpad=$(printf '%%0%" PRIu64 "d' 0)\n\ti=0\n\twhile [ $i -lt %" PRIu64 " ]; do\n", len > 12 ? len - 10 : 2, count(l, 464));
	fputs(positive ? "\t\t: >\"$1/$pad$i\"\n" : "\t\t[ -e \"$1/$pad$i\" ]\n", out);
	fputs("\t\ti=$((i + 1))\n\tdone\n", out);
}

static void inode(const struct wring_load *l, FILE *out)
{
	fprintf(out, "\ti=0\n\twhile [ $i -lt %" PRIu64 " ]; do\n\t\t: >\"$1/$i\"\n\t\ti=$((i + 1))\n\tdone\n\tsync\n", count(l, 1400));
	if (!strcmp(param(l, "kind", ""), "pinned"))
		fputs("\ttail -f \"$1\"/[0-9]* >/dev/null 2>&1 & # keeps them open\n\tkids=\"$kids $!\"\n", out);
}

static void file(const struct wring_load *l, FILE *out)
{
	uint64_t chunk = size_param(l, "chunk", 1 << 20);
	bool is_read = !strcmp(param(l, "kind", "write"), "read");

	fprintf(out, "\ti=0\n\twhile [ $i -lt %" PRIu64 " ]; do\n\t\tdd if=/dev/zero of=\"$1/$i\" bs=%" PRIu64 " count=1 2>/dev/null\n", count(l, chunk),
		chunk);
	fputs("\t\ti=$((i + 1))\n\tdone\n", out);
	if (is_read)
		fputs("\tsync\n\tcat \"$1\"/* >/dev/null\n", out);
}

/* A variable of the shell is anonymous memory. */
static void anon(const struct wring_load *l, FILE *out)
{
	fprintf(out, "\theld=$(head -c %" PRIu64 " /dev/zero | tr '\\0' x)\n", size_param(l, "footprint", 64 << 20));
}

static void shmem(const struct wring_load *l, FILE *out)
{
	fprintf(out, "\t[ -d \"$1/shm\" ] || { mkdir \"$1/shm\" && mount -t tmpfs shm \"$1/shm\"; }\n\thead -c %" PRIu64 " /dev/zero >\"$1/shm/held\"\n",
		size_param(l, "footprint", 64 << 20));
}

static void pin(const struct wring_load *l, FILE *out)
{
	const char *kind = param(l, "kind", "none");

	if (!strcmp(kind, "none"))
		fputs("\t: # nothing is pinned\n", out);
	else
		fprintf(out, "\thead -c %" PRIu64 " /dev/zero >\"$T/pin.$load.$$.$(cat \"$T/pins\" | wc -l)\" # stays behind, on tmpfs\n\techo >>\"$T/pins\"\n",
			size_param(l, "size", 16384));
}

static void null(const struct wring_load *l, FILE *out)
{
	(void)l;
	fputs("\t: # it only idles\n", out);
}

static void fork_(const struct wring_load *l, FILE *out)
{
	fprintf(out, "\ti=0\n\twhile [ $i -lt %" PRIu64 " ]; do\n\t\tsleep 100000 &\n\t\tkids=\"$kids $!\"\n\t\ti=$((i + 1))\n\tdone\n", count(l, 110200));
}

static void stress_ng(const struct wring_load *l, FILE *out)
{
	_cleanup_free_ char *stressor = wring_text_word(param(l, "stressor", "vm")), *args = wring_text_clean(param(l, "args", ""), true);
	_cleanup_free_ char *ops = wring_text_word(param(l, "ops", "0")), *n = wring_text_word(param(l, "instances", "1"));

	fprintf(out, "\tcd \"$1\" && stress-ng --%s %s", stressor ? stressor : "", n ? n : "1");
	if (ops && strcmp(ops, "0"))
		fprintf(out, " --%s-ops %s", stressor ? stressor : "", ops);
	for (char *save = NULL, *word = strtok_r(args, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		_cleanup_free_ char *quoted = wring_text_shell(word);

		fprintf(out, " %s", quoted ? quoted : "");
	}
	fputc('\n', out);
}

static void fio(const struct wring_load *l, FILE *out)
{
	_cleanup_free_ char *job = strdup(param(l, "job", ""));

	fputs("\tprintf '%s\\n'", out);
	for (char *save = NULL, *line = strtok_r(job, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		_cleanup_free_ char *quoted = wring_text_shell(line);

		fprintf(out, " %s", quoted ? quoted : "");
	}
	fprintf(out, " >\"$1/job.fio\"\n\tgrep -q '^\\[' \"$1/job.fio\" || sed -i '1i [job]' \"$1/job.fio\"\n\tcd \"$1\" && fio job.fio\n");
}

static const struct { const char *workload; void (*write)(const struct wring_load *l, FILE *out); } plain[] = {
	{ "dentry", dentry }, { "inode", inode }, { "file", file }, { "anon", anon }, { "shmem", shmem }, { "pin", pin }, { "null", null },
	{ "fork", fork_ }, { "stress-ng", stress_ng }, { "fio", fio },
};

/* Not the same, but the same kind of memory. */
static const struct { const char *workload, *kind, *args; } nearest[] = {
	{ "fd", "epoll", "--epoll 1" },	      { "fd", NULL, "--eventfd 1" },	    { "kmalloc", "semget", "--sem-sysv 1" },
	{ "kmalloc", "xattr", "--xattr 1" },  { "kmalloc", "keyctl", "--key 1" },   { "kmalloc", NULL, "--msg 1" },
	{ "pipe", NULL, "--pipe 1" },	      { "sock-tcp", NULL, "--sock 1" },	    { "sock-udp", NULL, "--udp 1" },
	{ "sock-unix", NULL, "--sockpair 1" }, { "sock-traffic", NULL, "--sock 1" }, { "pagetable", NULL, "--mmap 1" },
	{ "rcu-free", NULL, "--rename 1" },   { "vma", NULL, "--mprotect 1" },
	{ "thp", NULL, "--vm 1 --vm-keep --vm-madvise hugepage" },
};

/* The options of stress-ng, or NULL. */
static const char *nearest_to(const struct wring_load *l)
{
	for (size_t i = 0; i < WRING_ARRAY_SIZE(nearest); i++)
		if (!strcmp(nearest[i].workload, l->workload) && (!nearest[i].kind || !strcmp(param(l, "kind", ""), nearest[i].kind)))
			return nearest[i].args;
	return NULL;
}

static bool is_plain(const struct wring_load *l, size_t *ret)
{
	for (*ret = 0; *ret < WRING_ARRAY_SIZE(plain); ++*ret)
		if (!strcmp(plain[*ret].workload, l->workload))
			return true;
	return false;
}

void wring_shell_load(const struct wring_load *l, FILE *out)
{
	const char *args = nearest_to(l);
	size_t i;

	if (is_plain(l, &i))
		plain[i].write(l, out);
	else if (args)
		fprintf(out, "\tcommand -v stress-ng >/dev/null || return\n\tcd \"$1\" && stress-ng %s --timeout 20s\n", args);
	else
		fputs("\t:\n", out);
}

void wring_shell_note(const struct wring_load *l, FILE *out)
{
	_cleanup_free_ char *name = wring_text_word(l->name), *workload = wring_text_word(l->workload);
	const char *args = nearest_to(l);
	size_t k;

	if (is_plain(l, &k))
		return;
	fprintf(out, "left_out 'the load %s, %s", name ? name : "", workload ? workload : "");
	for (size_t i = 0; i < l->params.n; i++) {
		_cleanup_free_ char *key = wring_text_word(l->params.rows[i].key), *value = wring_text_word(l->params.rows[i].value);

		fprintf(out, " %s=%s", key ? key : "", value ? value : "");
	}
	if (args)
		fprintf(out, ", which no shell makes; the nearest that stress-ng has, where it is installed, for 20 s: %s'\n", args);
	else
		fputs(", which no shell makes'\n", out);
}
