// SPDX-License-Identifier: GPL-2.0-or-later
/* Tasks of `group` get no huge page for anonymous memory, however much is free. */
#include "fault.h"
#include <linux/huge_mm.h>

static struct folio *no_huge(gfp_t gfp, int order, struct vm_area_struct *vma, unsigned long addr, bool hugepage);
static struct fault_hook hooks[] = { FAULT_HOOK("vma_alloc_folio_noprof|vma_alloc_folio", no_huge) };

static struct folio *no_huge(gfp_t gfp, int order, struct vm_area_struct *vma, unsigned long addr, bool hugepage)
{
	if (order == HPAGE_PMD_ORDER && fault_in_task() && fault_now())
		return NULL;
	return FAULT_REAL(hooks[0], no_huge)(gfp, order, vma, addr, hugepage);
}
FAULT_MODULE(hooks, "no huge pages");
