/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * floor: how far from the raw userfaultfd loop is udaxd? The same program
 * touches the same file native, over raw loops, and under udaxd, a round of each
 * in turn, so that a change of the machine's speed hits all alike. Ratios are taken
 * round by round.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "floor.h"

#define TMPFS_MAGIC_NUMBER 0x01021994
#define ROUNDS 11
#define QUICK_ROUNDS 3

/* Without a variant's name --only chooses groups alone, and the reverse. */
bool floor_wanted(const struct floor *f, const char *variant)
{
	const char *only = f->opts->only;
	bool by_variant = false;
	unsigned int i, j;

	for (i = 0; only && i < floor_nr_groups; i++)
		for (j = 0; j < MAX_VARIANTS && floor_groups[i].variants[j].name; j++)
			by_variant |= name_listed(only,
						  floor_groups[i].variants[j].name);
	return !by_variant || name_listed(only, variant);
}

static bool group_wanted(const struct floor *f, const struct group *g)
{
	const char *only = f->opts->only;
	bool by_group = false;
	unsigned int i;

	for (i = 0; only && i < floor_nr_groups; i++)
		by_group |= name_listed(only, floor_groups[i].name);
	return !by_group || name_listed(only, g->name);
}

/* A file whose pages are all there; @huge: every 2M of it one folio. */
static int make_file(const char *path, uint64_t size, bool huge)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), ret = 0;
	char *p;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, size) || fallocate(fd, 0, 0, size))
		ret = -errno;
	if (!ret && huge) {
		p = map_aligned(fd, size);
		ret = p == MAP_FAILED ? -errno : collapse_range(p, size);
		if (p != MAP_FAILED)
			munmap(p, size);
	}
	close(fd);
	return ret;
}

static int make_files(struct floor *f)
{
	struct statfs sf;
	int ret;

	if (statfs(f->opts->dir, &sf) || sf.f_type != TMPFS_MAGIC_NUMBER) {
		fprintf(stderr, "udax-bench: %s is not a tmpfs directory\n",
			f->opts->dir);
		return -ENOTDIR;
	}
	snprintf(f->dir, sizeof(f->dir), "%.200s/udax-bench.XXXXXX", f->opts->dir);
	if (!mkdtemp(f->dir)) {
		ret = -errno;
		f->dir[0] = '\0';
	} else {
		snprintf(f->small, sizeof(f->small), "%s/small", f->dir);
		snprintf(f->huge, sizeof(f->huge), "%s/huge", f->dir);
		ret = make_file(f->small, FLOOR_SMALL_SIZE, false);
		if (!ret)
			ret = make_file(f->huge, FLOOR_HUGE_SIZE, true);
	}
	if (ret)
		fprintf(stderr, "udax-bench: files in %s: %s\n", f->opts->dir,
			strerror(-ret));
	return ret;
}

/* userfaultfd with the features that the raw loop needs; else why not. */
static bool can_run(void)
{
	if (access("/dev/userfaultfd", F_OK) && geteuid()) {
		fputs("udax-bench: userfaultfd needs root here\n", stderr);
		return false;
	}
	return true;
}

static int run_groups(struct floor *f)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < floor_nr_groups && !ret; i++) {
		const struct group *g = &floor_groups[i];

		if (!group_wanted(f, g))
			continue;
		if (g->pinning != ALL_ON_ONE && f->nr_cpus < g->threads) {
			printf("%s: left out, it needs %u CPUs\n", g->name,
			       g->threads);
			continue;
		}
		f->g = g;
		ret = floor_run_group(f);
		if (!ret)
			floor_report_group(f);
		floor_end_group(f);
	}
	return ret;
}

int floor_open(struct floor *f, const struct bench_opts *opts)
{
	int ret;

	memset(f, 0, sizeof(*f));
	if (!can_run())
		return -EPERM;
	f->opts = opts;
	f->rounds = opts->repeat ? opts->repeat : opts->quick ? QUICK_ROUNDS : ROUNDS;
	f->nr_cpus = cpus_allowed(f->cpus, 64);
	ret = make_files(f);
	if (ret)
		floor_close(f);
	return ret;
}

void floor_close(struct floor *f)
{
	if (!f->dir[0])
		return;
	unlink(f->small);
	unlink(f->huge);
	rmdir(f->dir);
	f->dir[0] = '\0';
}

int floor_run(const struct bench_opts *opts, json_t *report)
{
	struct floor *f = malloc(sizeof(*f));
	int ret = f ? floor_open(f, opts) : -ENOMEM;

	if (!ret) {
		f->report = report;
		f->raw = json_array();
		json_object_set_new(report, "groups", f->raw);
		f->have_udax = !udax_find(&f->tree);
		if (!f->have_udax)
			puts("The udax variants are left out.");
		ret = run_groups(f);
		floor_close(f);
	}
	if (!ret)
		floor_report_end(f);
	free(f);
	return ret == -ENOTDIR || ret == -EPERM ? BENCH_CANNOT :
		ret ? BENCH_FAIL : BENCH_OK;
}
