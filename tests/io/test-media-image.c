/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Medium image on small ext4 file systems of its own (loop devices), with
 * blocks of a page and of 1K.
 */
#include <pthread.h>
#include <sys/wait.h>

#include "io-test.h"
#include "io/media.h"

/* An ext4 of @size MiB in a file of a tmpfs, mounted; all go together. */
struct ext4 {
	struct temp_mount t;
	char dir[96];
};

static int run(const char *fmt, ...)
{
	char cmd[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd);
}

static void ext4_mount(struct ext4 *e, unsigned int mib, unsigned int block)
{
	temp_mount(&e->t, "size=256m");
	snprintf(e->dir, sizeof(e->dir), "%s/mnt", e->t.dir);
	assert_int_equal(mkdir(e->dir, 0700), 0);
	assert_int_equal(run("truncate -s %uM %s/img", mib, e->t.dir), 0);
	assert_int_equal(run("mkfs.ext4 -q -F -m 0 -b %u -O ^has_journal %s/img", block,
			     e->t.dir), 0);
	assert_int_equal(run("mount -o loop %s/img %s", e->t.dir, e->dir), 0);
}

static void ext4_unmount(struct ext4 *e)
{
	assert_int_equal(run("umount %s", e->dir), 0);
	temp_unmount(&e->t);
}

static struct media *open_medium(int fd)
{
	struct media *m;
	char why[128] = "";

	if (media_open(&m, fd, why, sizeof(why)))
		fail_msg("media_open: %s", why);
	assert_int_equal(m->kind, MEDIA_IMAGE);
	assert_string_equal(m->ops->name, "image");
	assert_true(m->memfd >= 0);
	return m;
}

static struct dax_iomap iomap(struct media *m, uint64_t pos, uint64_t len, unsigned int flags)
{
	struct dax_iomap io = { .error = -1 };

	assert_int_equal(m->ops->iomap(m, pos, len, flags, &io), 0);
	assert_int_equal(io.error, 0);
	return io;
}

static void assert_extent(struct dax_iomap io, enum dax_iomap_type type, uint64_t length,
			  bool is_new)
{
	assert_int_equal(io.type, type);
	assert_int_equal(io.length, length);
	assert_int_equal(!!(io.flags & DAX_IOMAP_F_NEW), is_new);
}

static bool present(int fd, uint64_t pos)
{
	return lseek(fd, (off_t)pos, SEEK_DATA) == (off_t)pos;
}

/* What is loaded is what the file has, one page a page, holes are zeros. */
static void fill(void **state)
{
	struct ext4 e;
	struct media *m;
	uint64_t before;
	int fd;

	ext4_mount(&e, 16, 4096);
	fd = temp_file(e.dir, 2 * WINDOW + 5000);
	file_fill(fd, PAGE, PAGE, 'a');
	file_fill(fd, 2 * WINDOW, 5000, 'z');
	assert_int_equal(fsync(fd), 0);
	before = allocated(fd);
	m = open_medium(fd);
	assert_int_equal(m->ops->fill(m, PAGE, PAGE, 0), 0);
	assert_int_equal(allocated(m->memfd), PAGE);
	assert_true(file_is(m->memfd, PAGE, PAGE, 'a'));
	assert_int_equal(m->ops->fill(m, 3 * PAGE, PAGE, 0), 0);
	assert_true(present(m->memfd, 3 * PAGE));
	assert_true(file_is(m->memfd, 3 * PAGE, PAGE, 0));
	assert_int_equal(allocated(m->memfd), 2 * PAGE);

	/* A page of the memory is never overwritten, in a window neither. */
	file_fill(m->memfd, PAGE, PAGE, 'D');
	assert_int_equal(m->ops->fill(m, PAGE, PAGE, 0), 0);
	assert_int_equal(m->ops->fill(m, 0, WINDOW, 0), 0);
	assert_true(file_is(m->memfd, PAGE, PAGE, 'D'));
	assert_int_equal(allocated(m->memfd), WINDOW);

	/* At the end of file, and past it. */
	assert_int_equal(m->ops->fill(m, 2 * WINDOW, WINDOW, 0), 0);
	assert_true(file_is(m->memfd, 2 * WINDOW, 5000, 'z'));
	assert_int_equal(allocated(m->memfd), WINDOW + 2 * PAGE);
	assert_int_equal(m->ops->fill(m, 3 * WINDOW, PAGE, 0), -EFAULT);
	assert_int_equal(allocated(fd), before);
	media_close(m);
	close(fd);
	ext4_unmount(&e);
}

static void iomap_cases(unsigned int block)
{
	struct dax_iomap io;
	struct media *m;
	struct ext4 e;
	int fd;

	ext4_mount(&e, 16, block);
	fd = temp_file(e.dir, 4 * WINDOW);
	file_fill(fd, 0, WINDOW, 'a');
	file_fill(fd, 2 * WINDOW + 7 * PAGE, PAGE, 'b');
	assert_int_equal(fsync(fd), 0);
	m = open_medium(fd);

	/* A worker gets an answer where no question to the disk is needed. */
	assert_int_equal(m->ops->iomap(m, 0, PAGE, MEDIA_NOWAIT, &io), -EAGAIN);
	assert_int_equal(m->ops->iomap(m, 0, WINDOW, MEDIA_NOWAIT, &io), -EAGAIN);
	assert_extent(iomap(m, 0, PAGE, MEDIA_NOWAIT | MEDIA_PRESENT), DAX_IOMAP_MAPPED,
		      PAGE, false);
	assert_extent(iomap(m, 0, WINDOW, 0), DAX_IOMAP_MAPPED, WINDOW, false);
	assert_extent(iomap(m, 5 * PAGE, PAGE, MEDIA_NOWAIT | MEDIA_WRITE), DAX_IOMAP_MAPPED,
		      PAGE, false);
	assert_int_equal(iomap(m, 5 * PAGE, PAGE, MEDIA_NOWAIT).pfn, 5);

	/* Holes: told, and allocated where they are to be written. */
	assert_extent(iomap(m, WINDOW, WINDOW, 0), DAX_IOMAP_HOLE, WINDOW, false);
	assert_extent(iomap(m, WINDOW, PAGE, 0), DAX_IOMAP_HOLE, PAGE, false);
	assert_int_equal(allocated(fd), WINDOW + PAGE);
	assert_int_equal(m->ops->iomap(m, WINDOW, PAGE, MEDIA_NOWAIT | MEDIA_WRITE, &io), -EAGAIN);
	assert_extent(iomap(m, WINDOW, WINDOW, MEDIA_WRITE), DAX_IOMAP_MAPPED, WINDOW, true);
	assert_int_equal(allocated(fd), 2 * WINDOW + PAGE);
	assert_extent(iomap(m, 3 * WINDOW, PAGE, MEDIA_WRITE), DAX_IOMAP_MAPPED, PAGE, true);
	assert_int_equal(allocated(fd), 2 * WINDOW + 2 * PAGE);

	/* A window that is not a hole as a whole is not completed. */
	assert_extent(iomap(m, 2 * WINDOW, WINDOW, 0), DAX_IOMAP_HOLE, 7 * PAGE, false);
	assert_extent(iomap(m, 2 * WINDOW, WINDOW, MEDIA_WRITE), DAX_IOMAP_MAPPED,
		      7 * PAGE, true);
	assert_int_equal(allocated(fd), 2 * WINDOW + 2 * PAGE);

	/* What was known is forgotten when the file changes. */
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, WINDOW), 0);
	assert_int_equal(m->ops->punch(m, 0, WINDOW), 0);
	assert_int_equal(m->ops->iomap(m, 0, PAGE, MEDIA_NOWAIT, &io), -EAGAIN);
	assert_extent(iomap(m, 0, PAGE, 0), DAX_IOMAP_HOLE, PAGE, false);
	media_close(m);
	close(fd);
	ext4_unmount(&e);
}

static void extents(void **state)
{
	iomap_cases(4096);
	iomap_cases(1024);
}

/* A page of which some blocks are data is data, and gets the other blocks. */
static void small_blocks(void **state)
{
	struct media *m;
	struct ext4 e;
	int fd;

	ext4_mount(&e, 16, 1024);
	fd = temp_file(e.dir, 4 * PAGE);
	assert_int_equal(pwrite(fd, "x", 1, PAGE + 2048), 1);
	assert_int_equal(pwrite(fd, "y", 1, 2 * PAGE), 1);
	assert_int_equal(fsync(fd), 0);
	m = open_medium(fd);
	assert_extent(iomap(m, 0, PAGE, 0), DAX_IOMAP_HOLE, PAGE, false);
	assert_extent(iomap(m, PAGE, PAGE, 0), DAX_IOMAP_MAPPED, PAGE, false);
	assert_extent(iomap(m, 2 * PAGE, PAGE, 0), DAX_IOMAP_MAPPED, PAGE, false);
	assert_int_equal(m->ops->fill(m, PAGE, PAGE, 0), 0);
	assert_true(file_is(m->memfd, PAGE + 2048, 1, 'x'));
	assert_int_equal(iomap(m, PAGE, PAGE, MEDIA_WRITE).type, DAX_IOMAP_MAPPED);
	assert_int_equal(allocated(fd), PAGE + 1024);
	media_close(m);
	close(fd);
	ext4_unmount(&e);
}

/* Only what is in the memory goes to the file, and it is there after a crash. */
static void write_back(void **state)
{
	struct media *m;
	struct ext4 e;
	char path[128];
	int fd;

	ext4_mount(&e, 16, 4096);
	snprintf(path, sizeof(path), "%s/file", e.dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	file_fill(fd, 0, WINDOW + 5000, 'a');
	m = open_medium(fd);
	assert_string_equal(m->name, "file");
	assert_int_equal(m->ops->fill(m, PAGE, PAGE, 0), 0);
	file_fill(m->memfd, PAGE, PAGE, 'D');
	assert_int_equal(m->ops->fill(m, WINDOW, WINDOW, 0), 0);
	file_fill(m->memfd, WINDOW + 4096, 904, 'T');
	assert_true(file_is(fd, PAGE, PAGE, 'a'));
	assert_int_equal(m->ops->writeback(m, 0, 2 * WINDOW), 0);
	assert_true(file_is(fd, 0, PAGE, 'a'));
	assert_true(file_is(fd, PAGE, PAGE, 'D'));
	assert_true(file_is(fd, 2 * PAGE, WINDOW - 2 * PAGE, 'a'));
	assert_true(file_is(fd, WINDOW + 4096, 904, 'T'));
	assert_int_equal(media_size(m), WINDOW + 5000);
	assert_int_equal(m->ops->writeback(m, 8 * WINDOW, PAGE), 0);
	media_close(m);

	/* Durable: the device holds it, without an unmount in between. */
	assert_int_equal(run("cp %s/img %s/copy && mkdir %s/two && mount -o loop,ro %s/copy %s/two",
			     e.t.dir, e.t.dir, e.t.dir, e.t.dir, e.t.dir), 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/two/file", e.t.dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(file_is(fd, PAGE, PAGE, 'D'));
	assert_true(file_is(fd, WINDOW + 4096, 904, 'T'));
	close(fd);
	assert_int_equal(run("umount %s/two", e.t.dir), 0);
	ext4_unmount(&e);
}

/* Many stores, one sync; the pages between them stay as they are. */
static void store_sync(void **state)
{
	struct media *m;
	struct ext4 e;
	int fd, i;

	ext4_mount(&e, 16, 4096);
	fd = temp_file(e.dir, WINDOW);
	file_fill(fd, 0, WINDOW, 'a');
	m = open_medium(fd);
	assert_int_equal(m->ops->fill(m, 0, WINDOW, 0), 0);
	file_fill(m->memfd, 0, WINDOW, 'D');
	for (i = 0; i < 512; i += 2)
		assert_int_equal(m->ops->store(m, (uint64_t)i * PAGE, PAGE), 0);
	assert_int_equal(m->ops->sync(m, 0, UINT64_MAX), 0);
	assert_int_equal(m->ops->sync(m, PAGE + 1, UINT64_MAX), 0);
	for (i = 0; i < 512; i++)
		assert_true(file_is(fd, (uint64_t)i * PAGE, PAGE, i & 1 ? 'a' : 'D'));
	media_close(m);
	close(fd);
	ext4_unmount(&e);
}

/* Threads that fill and store, each its pages, while the file grows. */
#define WORKERS 3

struct user {
	pthread_t thread;
	struct media *m;
	unsigned int nr;
};

static void *use(void *arg)
{
	struct user *u = arg;
	struct media *m = u->m;
	struct dax_iomap io;
	uint64_t pos;
	int i;

	for (i = 0; i < 300; i++) {
		pos = (uint64_t)(i * 7 % 170 * WORKERS + (int)u->nr) * PAGE;
		if (m->ops->iomap(m, pos, PAGE, MEDIA_WRITE, &io) || io.error ||
		    m->ops->fill(m, pos, PAGE, 0) || m->ops->store(m, pos, PAGE))
			return m;
	}
	return NULL;
}

static void together(void **state)
{
	struct user user[WORKERS];
	struct media *m;
	struct ext4 e;
	void *failed;
	int fd, i;

	ext4_mount(&e, 64, 4096);
	fd = temp_file(e.dir, WINDOW);
	file_fill(fd, 0, WINDOW, 'a');
	m = open_medium(fd);
	for (i = 0; i < WORKERS; i++) {
		user[i] = (struct user){ .m = m, .nr = (unsigned int)i };
		assert_int_equal(pthread_create(&user[i].thread, NULL, use, &user[i]), 0);
	}
	for (i = 2; i < 20; i++) {
		assert_int_equal(ftruncate(fd, i * (off_t)WINDOW), 0);
		assert_int_equal(m->ops->resize(m), 0);
		assert_int_equal(m->ops->fill(m, (uint64_t)(i - 1) * WINDOW, PAGE, 0), 0);
	}
	for (i = 0; i < WORKERS; i++) {
		pthread_join(user[i].thread, &failed);
		assert_null(failed);
	}
	assert_int_equal(m->ops->sync(m, 0, UINT64_MAX), 0);
	assert_true(file_is(fd, 0, WINDOW, 'a'));
	media_close(m);
	close(fd);
	ext4_unmount(&e);
}

/* Room that is gone is the error of the iomap, or else of the write-back. */
static void full(void **state)
{
	struct dax_iomap io;
	struct media *m;
	struct ext4 e;
	int fd, hog;

	ext4_mount(&e, 16, 4096);
	fd = temp_file(e.dir, 4 * WINDOW);
	hog = temp_file(e.dir, 0);
	m = open_medium(fd);
	assert_int_equal(m->ops->fill(m, 0, PAGE, 0), 0);
	file_fill(m->memfd, 0, PAGE, 'D');
	run("head -c 64M /dev/zero > %s/hog 2>/dev/null", e.dir);
	sync();
	run("head -c 64M /dev/zero > %s/hog2 2>/dev/null", e.dir);
	assert_int_equal(m->ops->iomap(m, WINDOW, WINDOW, MEDIA_WRITE, &io), 0);
	assert_int_equal(io.error, -ENOSPC);
	assert_int_equal(m->ops->iomap(m, 0, PAGE, MEDIA_WRITE | MEDIA_PRESENT, &io), 0);
	assert_int_equal(io.error, -ENOSPC);
	assert_int_equal(m->ops->writeback(m, 0, PAGE), -ENOSPC);
	assert_int_equal(run("rm %s/hog %s/hog2", e.dir, e.dir), 0);
	assert_int_equal(m->ops->writeback(m, 0, PAGE), 0);
	assert_true(file_is(fd, 0, PAGE, 'D'));
	media_close(m);
	close(hog);
	close(fd);
	ext4_unmount(&e);
}

/*
 * The device fails: the write-back that asked is told. It is a loop device on a
 * sparse file of a tmpfs that is full, so that blocks never written cannot be.
 */
static void device_error(void **state)
{
	struct media *m;
	struct ext4 e;
	int fd, ret;

	ext4_mount(&e, 64, 4096);
	fd = temp_file(e.dir, 0);
	assert_int_equal(fallocate(fd, 0, 0, 8 * WINDOW), 0);
	assert_int_equal(fsync(fd), 0);
	m = open_medium(fd);
	assert_int_equal(m->ops->fill(m, WINDOW, PAGE, 0), 0);
	file_fill(m->memfd, WINDOW, PAGE, 'D');
	run("head -c 1G /dev/zero > %s/hog 2>/dev/null", e.t.dir);
	/* The file system has the block, the device has not: msync() tells. */
	ret = m->ops->writeback(m, WINDOW, PAGE);
	assert_true(ret == -EIO || ret == -ENOSPC);
	assert_int_equal(run("rm %s/hog", e.t.dir), 0);
	/* The memory still has it: the next one succeeds. */
	assert_int_equal(m->ops->writeback(m, WINDOW, PAGE), 0);
	assert_true(file_is(fd, WINDOW, PAGE, 'D'));
	media_close(m);
	close(fd);
	ext4_unmount(&e);
}

/* Cut short and grown by others while the medium is in use: no signal. */
static void size_changes(void **state)
{
	struct dax_iomap io;
	struct media *m;
	struct ext4 e;
	int fd;

	ext4_mount(&e, 32, 4096);
	fd = temp_file(e.dir, 0);
	m = open_medium(fd);
	assert_int_equal(m->ops->fill(m, 0, PAGE, 0), -EFAULT);
	assert_int_equal(m->ops->iomap(m, 0, PAGE, 0, &io), 0);
	assert_int_equal(m->ops->writeback(m, 0, PAGE), 0);
	file_fill(fd, 0, 2 * WINDOW, 'a');
	assert_int_equal(m->ops->fill(m, 0, PAGE, 0), -EFAULT);
	assert_int_equal(m->ops->resize(m), 0);
	assert_int_equal(m->ops->fill(m, 0, WINDOW, 0), 0);
	assert_true(file_is(m->memfd, 0, WINDOW, 'a'));

	/* Behind our back: what is gone reads as zeros, is not written back. */
	file_fill(m->memfd, 0, WINDOW, 'D');
	assert_int_equal(ftruncate(fd, PAGE + 100), 0);
	assert_int_equal(m->ops->fill(m, WINDOW, PAGE, 0), 0);
	assert_true(file_is(m->memfd, WINDOW, PAGE, 0));
	assert_int_equal(m->ops->fill(m, 2 * WINDOW - PAGE, PAGE, 0), 0);
	assert_int_equal(m->ops->writeback(m, 0, 2 * WINDOW), 0);
	assert_int_equal(media_size(m), PAGE + 100);
	assert_true(file_is(fd, 0, PAGE + 100, 'D'));
	assert_int_equal(allocated(fd), 2 * PAGE);

	/* Told of it: the memory ends there too, and grows again with zeros. */
	assert_int_equal(m->ops->resize(m), 0);
	assert_int_equal(m->ops->fill(m, 2 * PAGE, PAGE, 0), -EFAULT);
	assert_int_equal(ftruncate(fd, 8 * WINDOW), 0);
	assert_int_equal(m->ops->resize(m), 0);
	assert_true(file_is(m->memfd, PAGE + 100, PAGE - 100, 0));
	file_fill(fd, 7 * WINDOW, PAGE, 'q');
	assert_int_equal(m->ops->fill(m, 7 * WINDOW, PAGE, 0), 0);
	assert_true(file_is(m->memfd, 7 * WINDOW, PAGE, 'q'));
	media_close(m);
	close(fd);
	ext4_unmount(&e);
}

/* A file that loses its end again and again while it is written back. */
static void truncate_race(void **state)
{
	struct media *m;
	struct ext4 e;
	int fd, i, status;
	pid_t pid;

	ext4_mount(&e, 32, 4096);
	fd = temp_file(e.dir, 2 * WINDOW);
	m = open_medium(fd);
	assert_int_equal(m->ops->fill(m, 0, 2 * WINDOW, 0), 0);
	file_fill(m->memfd, 0, 2 * WINDOW, 'D');
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		for (i = 0; i < 200; i++)
			if (ftruncate(fd, i & 1 ? 2 * (off_t)WINDOW : (off_t)PAGE))
				_exit(1);
		_exit(0);
	}
	do {
		assert_int_equal(m->ops->writeback(m, 0, 2 * WINDOW), 0);
	} while (!waitpid(pid, &status, WNOHANG));
	assert_int_equal(status, 0);
	assert_int_equal(m->ops->writeback(m, 0, 2 * WINDOW), 0);
	assert_true(file_is(fd, 0, 2 * WINDOW, 'D'));
	media_close(m);
	close(fd);
	ext4_unmount(&e);
}

/*
 * The same with a persist function that touches the mapping itself. (The only
 * test here that uses the guard: cmocka sets SIGBUS anew for each test.)
 */
static void truncate_race_persist(void **state)
{
	setenv("PMEM2_FORCE_GRANULARITY", "CACHE_LINE", 1);
	truncate_race(state);
	unsetenv("PMEM2_FORCE_GRANULARITY");
}

static void punch(void **state)
{
	struct media *m;
	struct ext4 e;
	int fd;

	ext4_mount(&e, 16, 4096);
	fd = temp_file(e.dir, WINDOW + 5000);
	file_fill(fd, 0, WINDOW + 5000, 'a');
	m = open_medium(fd);
	assert_int_equal(m->ops->fill(m, 0, WINDOW, 0), 0);
	assert_int_equal(m->ops->fill(m, WINDOW, WINDOW, 0), 0);
	file_fill(m->memfd, 0, 8 * PAGE, 'D');
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   PAGE + 100, 2 * PAGE), 0);
	assert_int_equal(m->ops->punch(m, PAGE + 100, 2 * PAGE), 0);
	assert_true(file_is(m->memfd, PAGE, 100, 'D'));
	assert_true(file_is(m->memfd, PAGE + 100, PAGE - 100, 0));
	assert_false(present(m->memfd, 2 * PAGE));
	assert_true(file_is(m->memfd, 3 * PAGE, 100, 0));
	assert_true(file_is(m->memfd, 3 * PAGE + 100, PAGE - 100, 'D'));
	assert_int_equal(m->ops->fill(m, 2 * PAGE, PAGE, 0), 0);
	assert_true(file_is(m->memfd, 2 * PAGE, PAGE, 0));

	/* Everything from there on has moved; the size stays ours to follow. */
	file_fill(fd, WINDOW, 5000, 'n');
	assert_int_equal(m->ops->punch(m, WINDOW, 1ull << 40), 0);
	assert_int_equal(m->ops->punch(m, 1ull << 40, PAGE), 0);
	assert_int_equal(m->ops->fill(m, WINDOW, WINDOW, 0), 0);
	assert_true(file_is(m->memfd, WINDOW, 5000, 'n'));
	assert_int_equal(lseek(m->memfd, 0, SEEK_END), WINDOW + 5000);
	media_close(m);
	close(fd);
	ext4_unmount(&e);
}

/*
 * A huge folio of the memory that somebody holds cannot be split by a punch: its
 * pages stay, and must be the file's new contents and not zeros.
 */
static void punch_held(void **state)
{
	char *reserve, *map;
	struct iovec iov;
	struct media *m;
	struct ext4 e;
	int fd, fds[2];

	ext4_mount(&e, 16, 4096);
	fd = temp_file(e.dir, 2 * WINDOW);
	file_fill(fd, 0, 2 * WINDOW, 'a');
	m = open_medium(fd);
	assert_int_equal(m->ops->fill(m, 0, WINDOW, 0), 0);
	reserve = mmap(NULL, 2 * WINDOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(reserve, MAP_FAILED);
	map = (char *)(((uintptr_t)reserve + WINDOW - 1) & ~(uintptr_t)(WINDOW - 1));
	map = mmap(map, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, m->memfd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	/* EAGAIN as long as the pages wait in some CPU's list. */
	while (madvise(map, WINDOW, 25 /* MADV_COLLAPSE */) && errno == EAGAIN)
		sched_yield();
	assert_int_equal(pipe(fds), 0);
	iov = (struct iovec){ map, PAGE };
	assert_int_equal(vmsplice(fds[1], &iov, 1, 0), PAGE);
	file_fill(fd, 4 * PAGE, PAGE, 'n');
	assert_int_equal(m->ops->punch(m, 4 * PAGE, PAGE), 0);
	if (!present(m->memfd, 4 * PAGE))
		assert_int_equal(m->ops->fill(m, 4 * PAGE, PAGE, 0), 0);
	assert_true(file_is(m->memfd, 4 * PAGE, PAGE, 'n'));
	assert_true(file_is(m->memfd, 5 * PAGE, PAGE, 'a'));
	close(fds[0]);
	close(fds[1]);
	munmap(reserve, 2 * WINDOW);
	media_close(m);
	close(fd);
	ext4_unmount(&e);
}

static void readonly(void **state)
{
	struct dax_iomap io;
	struct media *m;
	char path[128];
	struct ext4 e;
	int fd;

	ext4_mount(&e, 16, 4096);
	snprintf(path, sizeof(path), "%s/file", e.dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	file_fill(fd, 0, 3 * PAGE, 'a');
	close(fd);
	assert_int_equal(run("mount -o remount,ro %s", e.dir), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	m = open_medium(fd);
	assert_true(m->readonly);
	assert_int_equal(m->ops->fill(m, PAGE, PAGE, 0), 0);
	assert_true(file_is(m->memfd, PAGE, PAGE, 'a'));
	assert_int_equal(m->ops->iomap(m, 0, PAGE, MEDIA_WRITE, &io), 0);
	assert_int_equal(io.error, -EROFS);
	assert_int_equal(m->ops->writeback(m, 0, 3 * PAGE), 0);
	media_close(m);
	close(fd);
	ext4_unmount(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fill),
		cmocka_unit_test(extents),
		cmocka_unit_test(small_blocks),
		cmocka_unit_test(write_back),
		cmocka_unit_test(store_sync),
		cmocka_unit_test(together),
		cmocka_unit_test(full),
		cmocka_unit_test(device_error),
		cmocka_unit_test(size_changes),
		cmocka_unit_test(truncate_race),
		cmocka_unit_test(truncate_race_persist),
		cmocka_unit_test(punch),
		cmocka_unit_test(punch_held),
		cmocka_unit_test(readonly),
	};

	private_mounts();
	if (access("/dev/loop-control", F_OK))
		skip_all("no loop devices (/dev/loop-control)");
	if (system("command -v mkfs.ext4 >/dev/null"))
		skip_all("no mkfs.ext4");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
