/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files: a memfd holds the bytes, the simulated file system what is allocated
 * where. A thread for each file answers udaxd's questions for extents.
 */
#include "cli/live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/sock.h"

#define CHUNK (1u << 20)

static void failed(struct replay *r, int err, const char *what)
{
	if (err)
		replay_fail(r, err, what);
}

/* ---------------------------------------------------------------- extents */

static void look_up(struct live_file *lf, struct udax_extent *e)
{
	struct dax_iomap iomap;

	simfs_iomap(&lf->file->fs, e->pos, e->len, e->write, &iomap);
	e->error = iomap.error;
	e->type = iomap.type;
	e->flags = iomap.flags;
	e->len = iomap.length;
	e->pfn = iomap.pfn;
}

static void *oracle_main(void *arg)
{
	struct live_file *lf = arg;
	struct live *l = live_of(lf->r);
	struct udax_extent e;
	unsigned int nfds = 0;

	while (sock_recv(lf->extents, &e, sizeof(e), NULL, &nfds, 0) ==
	       sizeof(e)) {
		pthread_mutex_lock(&l->fs_lock);
		if (e.len)
			look_up(lf, &e);
		else
			lf->file->fs.dirty = false;
		pthread_mutex_unlock(&l->fs_lock);
		if (sock_send(lf->extents, &e, sizeof(e), NULL, 0, 0))
			break;
	}
	return NULL;
}

/* udaxd has the other end from here on, and with it the last word. */
static int become_file_system(struct live *l, struct live_file *lf)
{
	struct udax_msg m = { .fs.what = UDAX_FS_EXTENTS };
	int pair[2], fds[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	fds[0] = lf->fd;
	fds[1] = pair[1];
	lf->extents = pair[0];
	err = live_call(l, &m, UDAX_OP_FS, fds, 2);
	close(pair[1]);
	if (!err)
		err = -pthread_create(&lf->oracle, NULL, oracle_main, lf);
	if (err)
		close(pair[0]);
	return err;
}

int live_create(struct replay *r, struct replay_file *file)
{
	struct live_file *lf = calloc(1, sizeof(*lf));
	int err;

	if (!lf)
		return -ENOMEM;
	lf->r = r;
	lf->file = file;
	lf->buffer = -1;
	lf->fd = memfd_create("udax-replay", MFD_CLOEXEC);
	err = lf->fd < 0 || ftruncate(lf->fd, file->fs.size) ? -errno : 0;
	if (!err)
		err = become_file_system(live_of(r), lf);
	if (err) {
		if (lf->fd >= 0)
			close(lf->fd);
		free(lf);
		return err;
	}
	file->driver = lf;
	return 0;
}

void live_destroy(struct replay *r, struct replay_file *file)
{
	struct live_file *lf = live_file(file);

	shutdown(lf->extents, SHUT_RDWR);
	pthread_join(lf->oracle, NULL);
	close(lf->extents);
	close(lf->fd);
	if (lf->buffer >= 0)
		close(lf->buffer);
	free(lf);
}

/* ------------------------------------------------------------------ bytes */

void live_zero(struct replay *r, struct replay_file *file, uint64_t off,
	       uint64_t len)
{
	if (fallocate(live_file(file)->fd,
		      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len))
		failed(r, -errno, "cannot punch a file");
}

static void write_all(struct replay *r, int fd, const void *buf, uint64_t len,
		      uint64_t off)
{
	const char *at = buf;

	while (len) {
		ssize_t n = pwrite(fd, at, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			failed(r, n ? -errno : -EIO, "cannot write a file");
			return;
		}
		at += n;
		off += n;
		len -= n;
	}
}

static void from_buffer(struct replay *r, struct live_file *lf, uint64_t off,
			uint64_t end)
{
	char buf[DAX_PAGE_SIZE];
	ssize_t n;

	for (; off < end && !r->error; off += n) {
		n = end - off < sizeof(buf) ? end - off : sizeof(buf);
		if (pread(lf->buffer, buf, n, off) != n)
			failed(r, -EIO, "cannot read a buffer");
		else
			write_all(r, lf->fd, buf, n, off);
	}
}

void live_resize(struct replay *r, struct replay_file *file)
{
	const struct udax_fs_msg fs = { .what = UDAX_FS_RESIZED };
	struct live_file *lf = live_file(file);
	int fd = lf->fd;

	if (ftruncate(fd, file->fs.size))
		failed(r, -errno, "cannot set a file's size");
	from_buffer(r, lf, lf->late, lf->late_end);
	lf->late = lf->late_end = 0;
	failed(r, live_fs_call(live_of(r), &fs, fd), "udaxd has gone");
}

/* The next data at or behind @pos, @len bytes at most; false: none. */
static bool next_data(int fd, uint64_t *pos, uint64_t *len)
{
	off_t data = lseek(fd, *pos, SEEK_DATA), hole;

	if (data < 0)
		return false;
	hole = lseek(fd, data, SEEK_HOLE);
	*pos = data;
	if (hole > data && (uint64_t)(hole - data) < *len)
		*len = hole - data;
	return true;
}

void live_collapse(struct replay *r, struct replay_file *file, uint64_t off,
		   uint64_t len)
{
	int fd = live_file(file)->fd;
	uint64_t pos = off + len, n = CHUNK, left;
	char *buf = malloc(CHUNK);

	if (!buf) {
		failed(r, -ENOMEM, "no memory");
		return;
	}
	live_zero(r, file, off, len);
	for (; !r->error && next_data(fd, &pos, &n); pos += n, n = CHUNK) {
		live_read(r, file, pos, buf, n);
		write_all(r, fd, buf, n, pos - len);
		/* What it has left, less what it lies on now. */
		left = n < len ? n : len;
		live_zero(r, file, pos + n - left, left);
	}
	free(buf);
	live_resize(r, file);
}

void live_fill(struct replay *r, struct replay_file *file, uint64_t off,
	       uint8_t byte, uint64_t len)
{
	char *buf = malloc(CHUNK);
	uint64_t done, n;

	if (!buf) {
		failed(r, -ENOMEM, "no memory");
		return;
	}
	memset(buf, byte, CHUNK);
	for (done = 0; done < len && !r->error; done += n) {
		n = len - done < CHUNK ? len - done : CHUNK;
		write_all(r, live_file(file)->fd, buf, n, off + done);
	}
	free(buf);
}

void live_read(struct replay *r, struct replay_file *file, uint64_t off,
	       void *dst, uint64_t len)
{
	char *at = dst;

	while (len) {
		ssize_t n = pread(live_file(file)->fd, at, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			failed(r, n ? -errno : -EIO, "cannot read a file");
			return;
		}
		at += n;
		off += n;
		len -= n;
	}
}

/* ----------------------------------- system calls with mapped buffers */

/* What a system call has in between, at the offsets of the file. */
static int buffer(struct replay *r, struct live_file *lf)
{
	if (lf->buffer < 0)
		lf->buffer = memfd_create("udax-replay-buffer", MFD_CLOEXEC);
	if (lf->buffer < 0)
		failed(r, -errno, "cannot make a buffer");
	return lf->buffer;
}

/* The bytes from @addr to the end of its page, @len at most. */
static uint64_t in_page(uint64_t addr, uint64_t len)
{
	uint64_t n = DAX_PAGE_SIZE - (addr & (DAX_PAGE_SIZE - 1));

	return n < len ? n : len;
}

/*
 * A fault on the file that is being written would find its inode locked if udaxd
 * had to allocate there, and what lies behind the end is not mapped before all
 * is written: live_resize() has that.
 */
static uint64_t write_page(struct replay *r, struct live_file *lf, uint64_t off,
			   uint64_t len, uint64_t addr)
{
	uint64_t size = lf->file->fs.size, end;
	ssize_t n = pwrite(buffer(r, lf), (void *)addr, len, off);

	n = n > 0 ? n : 0;
	end = (size + DAX_PAGE_SIZE - 1) & ~(DAX_PAGE_SIZE - 1);
	end = off + n < end ? off + n : end;
	from_buffer(r, lf, off, end);
	if (end < off + n) {
		if (!lf->late_end)
			lf->late = off > end ? off : end;
		lf->late_end = off + n;
	}
	return n;
}

uint64_t live_write_from(struct replay *r, struct replay_file *file,
			 uint64_t off, uint64_t len, uint64_t addr)
{
	struct live *l = live_of(r);
	uint64_t done = 0, part, n;

	l->in_kernel = true;
	do {	/* a page at a time, for it may be the file's own */
		part = in_page(addr + done, len - done);
		n = write_page(r, live_file(file), off + done, part,
			       addr + done);
		done += n;
	} while (n == part && done < len && !r->error);
	live_settle(r);
	if (n < part)
		live_refused(r, addr + done, false);
	l->in_kernel = false;
	return done;
}

/* To one page. What of a private mapping is there the kernel copies by itself. */
static uint64_t read_page(struct replay *r, struct live_file *lf, uint64_t off,
			  uint64_t len, uint64_t addr)
{
	char buf[DAX_PAGE_SIZE];
	bool private = live_is_private(r, addr);
	bool copied = private && live_is_copy(addr);
	long faults = live_count_faults();
	ssize_t n;

	live_read(r, lf->file, off, buf, len);
	write_all(r, buffer(r, lf), buf, len, off);
	live_log_seen(live_of(r), gettid());
	n = pread(lf->buffer, (void *)addr, len, off);
	faults = live_count_faults() - faults;
	live_settle(r);
	if (n > 0 && private && faults &&
	    !live_log_seen(live_of(r), gettid()).all)
		live_copied(r, addr, copied);
	n = n > 0 ? n : 0;
	if ((uint64_t)n < len)
		live_refused(r, addr + n, true);
	return n;
}

uint64_t live_read_into(struct replay *r, struct replay_file *file,
			uint64_t off, uint64_t len, uint64_t addr)
{
	struct live *l = live_of(r);
	uint64_t done = 0, part, n;

	l->in_kernel = true;
	do {
		part = in_page(addr + done, len - done);
		n = read_page(r, live_file(file), off + done, part,
			      addr + done);
		done += n;
	} while (n == part && done < len && !r->error);
	l->in_kernel = false;
	return done;
}
