/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libkmod 30 is not used here: it aborts on a damaged module (assertion in elf_get_section_header(), found by flipping
 * bytes of zram.ko), and a truncated build is no reason for a recorder to die. It also takes a module's name from
 * its path, which a module inside a package does not have. */
#include "harness/vm/kernel.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "harness/base/util.h"

struct image {
	const uint8_t *p;
	size_t len;
};

/* Copies a structure out of the file, which promises neither bounds nor alignment. */
static bool fetch(const struct image *i, uint64_t at, void *ret, size_t size)
{
	if (at > i->len || size > i->len - at)
		return false;
	memcpy(ret, i->p + at, size);
	return true;
}

static bool section(const struct image *i, const Elf64_Ehdr *eh, unsigned n, Elf64_Shdr *ret)
{
	uint64_t at = eh->e_shoff + (uint64_t)n * sizeof(*ret);

	return eh->e_shoff <= i->len && fetch(i, at, ret, sizeof(*ret)) &&
	       ret->sh_offset <= i->len && ret->sh_size <= i->len - ret->sh_offset;
}

static bool has_name(const struct image *i, const Elf64_Shdr *names, const Elf64_Shdr *s, const char *name)
{
	size_t n = strlen(name) + 1;

	return s->sh_name < names->sh_size && names->sh_size - s->sh_name >= n &&
	       !memcmp(i->p + names->sh_offset + s->sh_name, name, n);
}

static bool find_section(const struct image *i, const char *name, Elf64_Shdr *ret)
{
	Elf64_Shdr names;
	Elf64_Ehdr eh;

	if (!fetch(i, 0, &eh, sizeof(eh)) || memcmp(eh.e_ident, ELFMAG, SELFMAG) ||
	    eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_ident[EI_DATA] != ELFDATA2LSB ||
	    eh.e_shentsize != sizeof(names) || !section(i, &eh, eh.e_shstrndx, &names))
		return false;
	for (unsigned n = 1; n < eh.e_shnum; n++)
		if (section(i, &eh, n, ret) && ret->sh_type == SHT_PROGBITS && has_name(i, &names, ret, name))
			return true;
	return false;
}

int wring_modinfo_depends(const void *elf, size_t len, char **ret, struct wring_err *err)
{
	static const char key[] = "depends=";
	struct image i = { elf, len };
	const char *p, *end;
	Elf64_Shdr s;

	if (!find_section(&i, ".modinfo", &s))
		return wring_err_set(err, -EBADMSG, "not a kernel module (no 64-bit ELF with .modinfo)");
	p = (const char *)i.p + s.sh_offset;
	end = p + s.sh_size;
	/* Strings, each with its NUL, sometimes with more NULs in between. */
	while (p < end) {
		size_t n = strnlen(p, (size_t)(end - p));

		if (n >= sizeof(key) - 1 && !memcmp(p, key, sizeof(key) - 1)) {
			*ret = strndup(p + sizeof(key) - 1, n - (sizeof(key) - 1));
			return *ret ? 0 : wring_err_set(err, -ENOMEM, "out of memory");
		}
		p += n + 1;
	}
	return wring_err_set(err, -EBADMSG, "not a kernel module (no depends= in .modinfo)");
}
