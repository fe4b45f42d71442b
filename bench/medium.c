/* SPDX-License-Identifier: BSD-3-Clause */
#include "medium.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "stats.h"

#define PAGES (256 << 10)	/* a sparse file of 1G */
#define Z99 2.326347874		/* of the normal distribution */

static const char *fs_name(const char *dir)
{
	struct statfs sf;

	if (statfs(dir, &sf))
		return "unknown";
	switch ((unsigned long)sf.f_type) {
	case 0xef53:
		return "ext4";
	case 0x58465342:
		return "xfs";
	case 0x9123683e:
		return "btrfs";
	case 0x794c7630:
		return "overlay";
	case 0x01021994:
		return "tmpfs";
	default:
		return "other";
	}
}

static int measure(int fd, uint64_t *alloc, uint64_t *read, struct rng *r,
		   unsigned int count)
{
	uint64_t start, page;
	unsigned int i;

	for (i = 0; i < count; i++) {
		page = rng_below(r, PAGES);
		start = clock_ns(CLOCK_MONOTONIC);
		if (fallocate(fd, 0, page * 4096, 4096))
			return -errno;
		alloc[i] = clock_ns(CLOCK_MONOTONIC) - start;
		start = clock_ns(CLOCK_MONOTONIC);
		if (lseek(fd, page * 4096, SEEK_HOLE) < 0)
			return -errno;
		read[i] = clock_ns(CLOCK_MONOTONIC) - start;
	}
	return 0;
}

static double sigma(uint64_t p50, uint64_t p99)
{
	return p50 && p99 > p50 ? log((double)p99 / p50) / Z99 : 0;
}

static void describe(struct medium *m)
{
	snprintf(m->hold, sizeof(m->hold), "alloc=lognorm:%lluns:%.3f,read=lognorm:%lluns:%.3f",
		 (unsigned long long)m->alloc_p50, sigma(m->alloc_p50, m->alloc_p99),
		 (unsigned long long)m->read_p50, sigma(m->read_p50, m->read_p99));
}

int medium_measure(struct medium *m, uint64_t seed, unsigned int count)
{
	uint64_t *alloc = calloc(count, sizeof(*alloc));
	uint64_t *read = calloc(count, sizeof(*read));
	struct rng r = rng_seed(seed, 0);
	const char *tmp = getenv("TMPDIR");
	int fd, ret;

	memset(m, 0, sizeof(*m));
	if (!alloc || !read)
		abort();
	snprintf(m->dir, sizeof(m->dir), "%s", tmp ? tmp : "/var/tmp");
	snprintf(m->fs, sizeof(m->fs), "%s", fs_name(m->dir));
	fd = open(m->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ret = fd < 0 || ftruncate(fd, (off_t)PAGES * 4096) ? -errno : 0;
	if (!ret)
		ret = measure(fd, alloc, read, &r, count);
	if (!ret) {
		sort_u64(alloc, count);
		sort_u64(read, count);
		m->alloc_p50 = quantile(alloc, count, 0.5);
		m->alloc_p99 = quantile(alloc, count, 0.99);
		m->read_p50 = quantile(read, count, 0.5);
		m->read_p99 = quantile(read, count, 0.99);
		describe(m);
	}
	if (fd >= 0)
		close(fd);
	free(read);
	free(alloc);
	return ret;
}

json_t *medium_json(const struct medium *m)
{
	return json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:s}", "dir", m->dir, "fs", m->fs,
			 "alloc_p50_ns", (json_int_t)m->alloc_p50,
			 "alloc_p99_ns", (json_int_t)m->alloc_p99,
			 "read_p50_ns", (json_int_t)m->read_p50,
			 "read_p99_ns", (json_int_t)m->read_p99, "hold", m->hold);
}
