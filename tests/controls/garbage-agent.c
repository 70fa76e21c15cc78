// SPDX-License-Identifier: GPL-3.0-or-later
/* Stands in for wring-agent in a guest, and sends what is no record stream. */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

int main(void)
{
	char junk[65536];
	int fd;

	memset(junk, 0xa5, sizeof(junk));
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	while ((fd = open("/dev/vport1p1", O_WRONLY)) < 0 && (fd = open("/dev/vport0p1", O_WRONLY)) < 0)
		usleep(10000);
	for (;;)
		if (write(fd, junk, sizeof(junk)) < 0)
			pause();
}
