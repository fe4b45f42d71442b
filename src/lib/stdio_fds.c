/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/stdio_fds.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

void stdio_fds_open(void)
{
	/* Neither can be used: input cannot be read, nor output written. */
	static const int mode[] = { O_WRONLY, O_RDONLY, O_RDONLY };

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", mode[fd] | O_CLOEXEC) != fd)
			_exit(125);
}

bool stdout_is_written(void)
{
	return !fflush(stdout) && !ferror(stdout);
}
