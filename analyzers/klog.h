/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of the kernel log, whatever put a prefix in front of them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Past "<4>", "[   12.345678]", "[   T12]", "Nov 21 05:00:00 host kernel: " and blanks. *ret_t_ns
 * gets the kernel's own time stamp when the line has one, else stays as it was. */
const char *wring_klog_text(const char *line, int64_t *ret_t_ns);

/* Calls fn for each line of a record: a printk of several lines reaches /dev/kmsg as one record
 * with "\x0a" in the place of its newlines. Lines are cut at 1023 bytes. */
typedef void wring_klog_line_fn(void *arg, const char *line);
void wring_klog_split(const char *record, wring_klog_line_fn *fn, void *arg);
