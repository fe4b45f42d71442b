/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * programs: what one fault, one mapping, one process and one `udax run` take longer
 * than natively, measured in the placement in which the programs run.
 */
#include "programs.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "floor.h"
#include "results.h"

#define MAPPINGS 2000
#define NEW_PAGES 8192
#define PROCESSES 20

/* mapper FILE N: N mappings of the file, each made and removed, none touched. */
int mapper_main(int argc, char **argv)
{
	int fd = argc == 3 ? open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	void *p;

	if (fd < 0 || ftruncate(fd, HUGE_UNIT)) {
		fputs("udax-bench: mapper is for udax-bench itself\n", stderr);
		return BENCH_USAGE;
	}
	for (int i = atoi(argv[2]); i > 0; i--) {
		p = mmap(NULL, HUGE_UNIT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p == MAP_FAILED || munmap(p, HUGE_UNIT))
			return BENCH_FAIL;
	}
	return BENCH_OK;
}

/* Served: what @processes mappers with @mappings each take longer, ms. */
static int mappers(struct programs *a, int processes, int mappings, double *ms)
{
	char self[2048], command[2300];
	struct times t;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int ret;

	if (n < 0)
		return -errno;
	self[n] = '\0';
	snprintf(command, sizeof(command), "i=0; while test $i -lt %d; do '%s' mapper f %d"
		 " || exit 1; i=$((i + 1)); done", processes, self, mappings);
	ret = programs_rounds(a, "mapper", command, a->rounds, true, &t);
	if (!ret)
		*ms = programs_extra(&t, SERVED_WAY).median;
	return ret;
}

static int start_cost(struct programs *a, double *ms)
{
	struct spread s;
	struct times t;
	int ret = programs_rounds(a, "true", "true", a->rounds, true, &t);

	if (ret)
		return ret;
	s = programs_extra(&t, RUN_WAY);
	*ms = s.median;
	return 0;
}

/* A new file of NEW_PAGES pages, all touched; ms a page. */
static int new_pages(const struct programs *a, double *ms)
{
	uint64_t size = NEW_PAGES * SMALL_UNIT, start;
	char path[320];
	volatile char *p;
	int fd, ret = 0;

	snprintf(path, sizeof(path), "%s/new", a->dir);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	p = fd < 0 || ftruncate(fd, size) ? MAP_FAILED :
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		ret = -errno;
	} else {
		start = clock_ns(CLOCK_MONOTONIC);
		for (uint64_t i = 0; i < size; i += SMALL_UNIT)
			p[i] = 1;
		*ms = (clock_ns(CLOCK_MONOTONIC) - start) / 1e6 / NEW_PAGES;
		munmap((void *)p, size);
	}
	if (fd >= 0)
		close(fd);
	unlink(path);
	return ret;
}

static int page_cost(const struct programs *a, double *ms)
{
	double v[PROGRAMS_MAX_ROUNDS];
	unsigned int i;
	int ret = new_pages(a, &v[0]);	/* dropped */

	for (i = 0; i < a->rounds && !ret; i++)
		ret = new_pages(a, &v[i]);
	if (!ret)
		*ms = spread_of(v, a->rounds).median;
	return ret;
}

int programs_cost(struct programs *a, struct costs *c)
{
	struct floor_cost floor;
	double many, one;
	int ret;

	progress("programs: %s, the floor", placement_names[a->placement]);
	ret = floor_cost(a->opts, &floor);
	if (!ret)
		ret = page_cost(a, &c->page);
	if (!ret)
		ret = start_cost(a, &c->start);
	if (!ret)
		ret = mappers(a, PROCESSES, 1, &one);
	if (!ret)
		ret = mappers(a, 1, MAPPINGS, &many);
	if (ret)
		return ret;
	c->read = floor.read / 1e6;
	c->write = floor.write / 1e6;
	c->huge = floor.huge / 1e6;
	one /= PROCESSES;
	c->mapping = (many - one) / (MAPPINGS - 1);
	/* On a busy machine the difference may be anything. */
	c->process = fmax(one - c->mapping, 0);
	if (!a->costs)
		a->costs = results_table(a->report, "costs", "What one of each takes longer "
			"than natively, us; a page of a new file: the native fault itself",
			"placement|a 4K read fault, raw loop|a 4K store "
			"fault, raw loop|a 2M fault, raw loop|a mapping, made and removed|"
			"a process that maps|udax run, start and end|a page of a new file");
	results_row(a->costs, json_pack("[s,f,f,f,f,f,f,f]", placement_names[a->placement],
		c->read * 1e3, c->write * 1e3, c->huge * 1e3, c->mapping * 1e3,
		c->process * 1e3, c->start * 1e3, c->page * 1e3));
	return 0;
}
