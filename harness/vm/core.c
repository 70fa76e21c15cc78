/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QEMU's dump of a guest, made into what Debian 12's readers of kernel dumps take. */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "harness/base/util.h"
#include "harness/vm/inside.h"

enum { MAX_NOTES = 1 << 20 };
#define TEXT_MAP 0xffffffff80000000ULL /* __START_KERNEL_map, and how long it is at most */
#define TEXT_BYTES (1ULL << 30)

/* A number of the kernel's vmcoreinfo; false: it is not there. */
static bool info(const char *notes, size_t len, const char *key, int base, uint64_t *ret)
{
	const char *p = memmem(notes, len, key, strlen(key));

	if (p)
		*ret = strtoull(p + strlen(key), NULL, base);
	return p;
}

/* The kernel's text and data under the addresses it uses for them, as in the dumps a crashed kernel's successor makes: drgn 0.0.22 and
 * gdb begin there. QEMU can look for virtual addresses itself ("paging"), but then cuts off what is on the second node. */
static bool text_segment(int fd, const Elf64_Phdr *p, size_t n, Elf64_Phdr *ret)
{
	_cleanup_free_ char *notes = NULL;
	uint64_t stext, phys_base, pa;
	size_t len = 0;

	for (size_t i = 0; i < n && !notes; i++)
		if (p[i].p_type == PT_NOTE && p[i].p_filesz < MAX_NOTES) {
			len = p[i].p_filesz;
			notes = calloc(1, len + 1);
			if (!notes || pread(fd, notes, len, (off_t)p[i].p_offset) != (ssize_t)len)
				return false;
		}
	if (!notes || !info(notes, len, "SYMBOL(_stext)=", 16, &stext) || !info(notes, len, "NUMBER(phys_base)=", 10, &phys_base) || stext < TEXT_MAP)
		return false;
	pa = stext - TEXT_MAP + phys_base;
	for (size_t i = 0; i < n; i++) {
		uint64_t in = pa - p[i].p_paddr, room = TEXT_MAP + TEXT_BYTES - stext;

		if (p[i].p_type != PT_LOAD || pa < p[i].p_paddr || in >= p[i].p_filesz)
			continue;
		room = p[i].p_filesz - in < room ? p[i].p_filesz - in : room;
		*ret = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = p[i].p_offset + in, .p_vaddr = stext, .p_paddr = pa, .p_filesz = room, .p_memsz = room };
		return true;
	}
	return false;
}

/* QEMU 7.2 puts section headers, which nobody needs, before the program headers, and a wrong size into the header. crash 8.0.2 and
 * makedumpfile 1.7.2 look for the program headers right behind the header, where other cores have them. */
int wring_core_mend(int fd)
{
	_cleanup_free_ Elf64_Phdr *p = NULL;
	Elf64_Ehdr h;
	size_t bytes;

	if (pread(fd, &h, sizeof(h), 0) != sizeof(h) || memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_phoff < sizeof(h))
		return -EBADMSG;
	bytes = h.e_phnum * sizeof(*p);
	p = malloc(bytes + sizeof(*p));
	if (!p || pread(fd, p, bytes, (off_t)h.e_phoff) != (ssize_t)bytes)
		return p ? -EBADMSG : -ENOMEM;
	/* The room is where the section headers were. */
	if (h.e_phoff >= sizeof(h) + sizeof(*p) && text_segment(fd, p, h.e_phnum, &p[h.e_phnum])) {
		h.e_phnum++;
		bytes += sizeof(*p);
	}
	h.e_ehsize = h.e_phoff = sizeof(h);
	h.e_shoff = h.e_shnum = h.e_shentsize = h.e_shstrndx = 0;
	return pwrite(fd, &h, sizeof(h), 0) == sizeof(h) && pwrite(fd, p, bytes, sizeof(h)) == (ssize_t)bytes ? 0 : -errno;
}
