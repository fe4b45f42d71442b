/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A case is a function that runs as a program under the shim, with what it must
 * say to udaxd. It runs with three directories as its world: dirs.pmem
 * (managed, in memory), dirs.disk (managed, not in memory, or NULL) and dirs.other.
 */
#ifndef UDAX_TESTS_SHIM_CASES_H
#define UDAX_TESTS_SHIM_CASES_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fake.h"

#define PAGE 4096ul
#define PMD (2ul << 20)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct dirs {
	const char *pmem, *disk, *other;
};

extern struct dirs dirs;

struct test_case {
	const char *name;
	void (*run)(void);
	enum fake_manner manner;
	const char *log;	/* what udaxd saw; NULL: of no interest */
	const char *err;	/* what stderr holds; "": nothing; NULL: no interest */
	int status;		/* exit status */
	bool image;		/* needs dirs.disk */
	const char *setting;	/* one more NAME=VALUE for its environment */
};

extern const struct test_case map_cases[], change_cases[], file_cases[],
	process_cases[], session_cases[];
extern const size_t nr_map_cases, nr_change_cases, nr_file_cases,
	nr_process_cases, nr_session_cases;

/* In the program: says what failed and where, and ends it. */
void fail_at(const char *file, int line, const char *what);
#define CHECK(x) ((x) ? (void)0 : fail_at(__FILE__, __LINE__, #x))

/* A new file of @size bytes, byte i of page p is pattern(p); opened with @flags. */
int make_file(const char *dir, const char *name, size_t size, int flags);
const char *path_of(const char *dir, const char *name);
char pattern(size_t page);
/* mmap that must succeed. */
char *map_file(int fd, size_t len, int prot, int flags, off_t off);
/* Pages from @page on, @n of them, read as the file's at @p. */
void check_pages(const char *p, size_t page, size_t n);

#endif
