/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include "io/uffd.h"
#include "io/uffd_own.h"

/* User mode only: it needs no privilege then, and the kernel never waits here. */
static int make(void)
{
	uint64_t granted;
	int fd = uffd_open(-1, true), ret;

	if (fd < 0)
		return fd;
	ret = uffd_api(fd, UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM |
		       UFFD_FEATURE_SIGBUS, 0, &granted);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

int uffd_own(void)
{
	/* Process and descriptor: a forked child's copy works on the parent's memory. */
	static _Atomic uint64_t own;
	uint64_t is = atomic_load(&own), me = (uint64_t)getpid() << 32;
	int fd;

	if ((is & ~(uint64_t)UINT32_MAX) == me)
		return (int)(uint32_t)is;
	fd = make();
	if (fd < 0 || atomic_compare_exchange_strong(&own, &is, me | (uint32_t)fd))
		return fd;
	close(fd);	/* another thread was faster */
	return (int)(uint32_t)is;
}
