/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of the edges share: cmocka, exit 77, temporary mounts in a
 * mount namespace of the test's own (so that none outlives it), files.
 */
#ifndef UDAX_TESTS_IO_TEST_H
#define UDAX_TESTS_IO_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE	4096ull
#define WINDOW	(2ull << 20)

/* Ends the test program: this machine lacks @what. */
static inline void __attribute__((noreturn)) skip_all(const char *what)
{
	printf("skipped: %s\n", what);
	exit(77);
}

/* A mount namespace of our own; the mounts go when the test does. */
static inline void private_mounts(void)
{
	if (geteuid())
		skip_all("mounting needs root");
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		skip_all("no mount namespace of our own (unshare, mount)");
}

struct temp_mount {
	char dir[64];
};

static inline void temp_mount(struct temp_mount *t, const char *options)
{
	snprintf(t->dir, sizeof(t->dir), "/tmp/udax-test-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	assert_int_equal(mount("udax-test", t->dir, "tmpfs", 0, options), 0);
}

static inline void temp_unmount(struct temp_mount *t)
{
	assert_int_equal(umount2(t->dir, MNT_DETACH), 0);
	assert_int_equal(rmdir(t->dir), 0);
}

/* A new file of @size bytes, without a name. */
static inline int temp_file(const char *dir, uint64_t size)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

/* Bytes that are allocated in the file. */
static inline uint64_t allocated(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* All of [pos, pos+len) is @byte, read by read(2). */
static inline bool file_is(int fd, uint64_t pos, uint64_t len, char byte)
{
	char buf[PAGE];
	uint64_t n, i;

	while (len) {
		n = len < PAGE ? len : PAGE;
		if (pread(fd, buf, n, (off_t)pos) != (ssize_t)n)
			return false;
		for (i = 0; i < n; i++)
			if (buf[i] != byte)
				return false;
		pos += n;
		len -= n;
	}
	return true;
}

static inline void file_fill(int fd, uint64_t pos, uint64_t len, char byte)
{
	char buf[PAGE];
	uint64_t n;

	memset(buf, byte, sizeof(buf));
	while (len) {
		n = len < PAGE ? len : PAGE;
		assert_int_equal(pwrite(fd, buf, n, (off_t)pos), n);
		pos += n;
		len -= n;
	}
}

#endif
