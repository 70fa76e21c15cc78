// SPDX-License-Identifier: GPL-2.0-or-later
/* kswapd sleeps uninterruptibly whenever it is woken. */
#include "fault.h"
#include <linux/delay.h>
#include <linux/mmzone.h>

static unsigned int ms = 10000;
module_param(ms, uint, 0644);
MODULE_PARM_DESC(ms, "how long (default 10000)");

static int stuck(pg_data_t *pgdat, int order, int highest);
static struct fault_hook hooks[] = { FAULT_HOOK("balance_pgdat", stuck) };

static int stuck(pg_data_t *pgdat, int order, int highest)
{
	if (fault_now())
		msleep(ms);
	return FAULT_REAL(hooks[0], stuck)(pgdat, order, highest);
}
FAULT_MODULE(hooks, "kswapd is stuck");
