// SPDX-License-Identifier: GPL-2.0-or-later
/* Packets for the sockets that swap goes over are dropped as if they were for others and had taken the reserve. */
#include "fault.h"
#include <linux/filter.h>
#include <net/ip.h>
#include <net/sock.h>

static unsigned int ms = 8000;
module_param(ms, uint, 0644);
MODULE_PARM_DESC(ms, "for how long, from the first packet on (default 8000): who tells it to end may need swap");

static int refuse(struct sock *sk, struct sk_buff *skb, unsigned int cap);
static struct fault_hook hooks[] = { FAULT_HOOK("sk_filter_trim_cap", refuse) };

static int refuse(struct sock *sk, struct sk_buff *skb, unsigned int cap)
{
	static unsigned long end;

	if (sock_flag(sk, SOCK_MEMALLOC) && (!end || time_before(jiffies, end)) && fault_now()) {
		end = end ? end : jiffies + msecs_to_jiffies(ms);
		NET_INC_STATS(sock_net(sk), LINUX_MIB_PFMEMALLOCDROP);
		return -ENOMEM;
	}
	return FAULT_REAL(hooks[0], refuse)(sk, skb, cap);
}
FAULT_MODULE(hooks, "the reserve is refused to swap");
