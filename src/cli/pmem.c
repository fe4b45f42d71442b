/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether files of a directory can be served, as far as its file system tells. */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "cli/cli.h"
#include "cli/run.h"

/* File systems whose files the kernel makes up: there are no pages to map. */
static const struct {
	long magic;
	const char *name;
} made_up[] = {
	{ PROC_SUPER_MAGIC, "proc" },
	{ SYSFS_MAGIC, "sysfs" },
	{ CGROUP_SUPER_MAGIC, "cgroup" },
	{ CGROUP2_SUPER_MAGIC, "cgroup2" },
	{ DEBUGFS_MAGIC, "debugfs" },
	{ TRACEFS_MAGIC, "tracefs" },
	{ SECURITYFS_MAGIC, "securityfs" },
	{ DEVPTS_SUPER_MAGIC, "devpts" },
	{ BPF_FS_MAGIC, "bpf" },
	{ EFIVARFS_MAGIC, "efivarfs" },
};

static int refuse(const char *dir, const char *why)
{
	complain("--pmem %s: cannot be served: %s", dir, why);
	return EXIT_CANNOT;
}

int pmem_check(const char *dir, const char *media)
{
	bool memory, image = media && !strcmp(media, "image");
	struct statfs fs;

	if (statfs(dir, &fs))
		return refuse(dir, strerror(errno));
	for (size_t i = 0; i < sizeof(made_up) / sizeof(made_up[0]); i++)
		if (fs.f_type == made_up[i].magic)
			return refuse(dir, "the kernel makes its files up, they have no pages");
	if (fs.f_type == HUGETLBFS_MAGIC && fs.f_bsize != 2 << 20)
		return refuse(dir, "hugetlbfs with pages of another size than 2M");
	memory = fs.f_type == TMPFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC;
	if (!memory && media && !strcmp(media, "direct"))
		return refuse(dir, "--media direct needs a tmpfs or a hugetlbfs");
	if (memory && image)
		return refuse(dir, "--media image is not for tmpfs and hugetlbfs");
	return -1;
}
