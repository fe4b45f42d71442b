/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shim-random SEED STEPS FILE [noio]: random changes of the address space and of
 * the file, with stores and loads between them. What it prints must not depend
 * on who serves the faults: results, errors, signals and bytes, but no address.
 * noio: no read(2) or write(2) of the file.
 *
 * Mappings lie in an arena of PROT_NONE slots, or where the kernel puts them; a
 * hole in the arena is filled at once, or some other mapping might land there.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define SLOTS 8
#define SLOT_PAGES 2048ul	/* 8M */
#define FILE_PAGES 1536ul	/* 6M */

static uint64_t state;
static int rw, ro;
static const char *path;
static bool io;
static char *arena;

struct slot {
	char *addr;		/* of what is mapped */
	size_t pages;		/* 0: nothing */
	bool loose;		/* outside the arena */
};

static struct slot slots[SLOTS];

static uint64_t draw(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

static sigjmp_buf back;
static volatile sig_atomic_t expected;

static void on_fault(int sig)
{
	if (!expected)
		abort();
	siglongjmp(back, sig);
}

/* A byte, or 1000 + the signal. */
static int load(const volatile char *p)
{
	int sig = sigsetjmp(back, 1);
	int v;

	expected = 1;
	v = sig ? 1000 + sig : (unsigned char)*p;
	expected = 0;
	return v;
}

static int store(volatile char *p, char v)
{
	int sig = sigsetjmp(back, 1);

	expected = 1;
	if (!sig)
		*p = v;
	expected = 0;
	return sig ? 1000 + sig : 0;
}

static uint64_t hash_slots(void)
{
	uint64_t h = 1469598103934665603u;
	size_t i, page;

	for (i = 0; i < SLOTS; i++)
		for (page = 0; page < slots[i].pages; page += 1 + page % 3) {
			h ^= (uint64_t)load(slots[i].addr + page * PAGE + page % PAGE);
			h *= 1099511628211u;
		}
	return h;
}

static void done(const char *what, long ret)
{
	printf("%s %ld %d\n", what, ret, ret < 0 ? errno : 0);
}

static char *home(size_t i)
{
	return arena + i * SLOT_PAGES * PAGE;
}

/* Nothing is left of the slot, and nobody else gets its place. */
static void empty(size_t i)
{
	if (slots[i].loose)
		munmap(slots[i].addr, slots[i].pages * PAGE);
	mmap(home(i), SLOT_PAGES * PAGE, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	slots[i] = (struct slot){ home(i), 0, false };
}

static void do_map(size_t i)
{
	size_t pages = 1 + draw(draw(2) ? SLOT_PAGES : 16), off = draw(FILE_PAGES);
	int type = (int)draw(4), prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED;
	int fd = rw;
	char *p;

	if (type == 1) {
		flags = MAP_PRIVATE;
		fd = draw(2) ? ro : rw;
	} else if (type == 2) {
		fd = ro;
		prot = PROT_READ;
	} else if (type == 3) {
		prot = draw(2) ? PROT_READ : PROT_NONE;
	}
	if (draw(3) == 0)
		off &= ~511ul;
	if (draw(4) == 0)
		flags |= MAP_POPULATE;
	empty(i);
	if (draw(2))
		p = mmap(home(i), pages * PAGE, prot, flags | MAP_FIXED, fd,
			 (off_t)(off * PAGE));
	else
		p = mmap(NULL, pages * PAGE - draw(PAGE), prot, flags, fd,
			 (off_t)(off * PAGE));
	done("map", p == MAP_FAILED ? -1 : 0);
	if (p != MAP_FAILED)
		slots[i] = (struct slot){ p, pages, p != home(i) };
}

/* A part of the slot becomes another part of the file, or anonymous, or nothing. */
static void do_over(size_t i, size_t at, size_t n)
{
	char *p = slots[i].addr + at * PAGE;
	size_t off = draw(FILE_PAGES);

	switch (draw(4)) {
	case 0:
		done("munmap", munmap(p, n * PAGE));
		p = mmap(p, n * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
			 MAP_NORESERVE | MAP_FIXED, -1, 0);
		break;
	case 1:
		p = mmap(p, n * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 2:
		p = mmap(p, n * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, rw,
			 (off_t)(off * PAGE));
		break;
	default:
		p = mmap(p, n * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, ro,
			 (off_t)(off * PAGE));
	}
	done("over", p == MAP_FAILED ? -1 : 0);
}

/* To the slot's own place, to wherever it fits, or smaller. */
static void do_remap(size_t i, size_t at)
{
	struct slot *s = &slots[i];
	size_t k = (i + 1) % SLOTS, to;
	char *p;

	switch (draw(3)) {
	case 0:
		to = 1 + draw(s->pages);
		p = mremap(s->addr, s->pages * PAGE, to * PAGE, 0);
		done("shrink", p == MAP_FAILED ? -1 : 0);
		if (p == MAP_FAILED)
			return;
		if (!s->loose && to < s->pages)
			mmap(p + to * PAGE, (s->pages - to) * PAGE, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		s->pages = to;
		return;
	case 1:
		to = s->pages + 1 + draw(600);
		p = mremap(s->addr, s->pages * PAGE, to * PAGE, MREMAP_MAYMOVE);
		done("grow", p == MAP_FAILED ? -1 : 0);
		if (p == MAP_FAILED)
			return;
		if (!s->loose)
			mmap(home(i), s->pages * PAGE, PROT_NONE, MAP_PRIVATE |
			     MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
		*s = (struct slot){ p, to, true };
		return;
	default:
		empty(k);
		to = 1 + draw(SLOT_PAGES - at < s->pages ? SLOT_PAGES - at : s->pages);
		p = mremap(s->addr, s->pages * PAGE, to * PAGE,
			   MREMAP_MAYMOVE | MREMAP_FIXED, home(k) + at * PAGE);
		done("move", p == MAP_FAILED ? -1 : 0);
		if (p == MAP_FAILED) {
			/* Some of it may have gone: what is there now? */
			empty(k);
			s->pages = s->loose ? 0 : s->pages;
			s->loose = false;
			empty(i);
			return;
		}
		slots[k] = (struct slot){ home(k), at + to, false };
		s->pages = s->loose ? 0 : s->pages;
		s->loose = false;
		empty(i);
	}
}

static void do_advise(char *p, size_t len)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_WILLNEED, MADV_REMOVE, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE, MADV_RANDOM, MADV_NORMAL, MADV_POPULATE_READ,
		MADV_COLD, MADV_PAGEOUT, MADV_FREE,
	};
	size_t i = draw(sizeof(advice) / sizeof(*advice));
	int ret = madvise(p, len, advice[i]);

	/* Of no consequence, and the kernel's to refuse (CONFIG_*, VMA kinds). */
	if (advice[i] == MADV_DONTNEED || advice[i] == MADV_REMOVE)
		done(advice[i] == MADV_REMOVE ? "remove" : "dontneed", ret);
}

static void do_protect(char *p, size_t len)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE };

	done("mprotect", mprotect(p, len, prots[draw(3)]));
}

/* The child sees what the parent does; what it stores, the parent sees. */
static void do_fork(char *p, size_t n)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		uint64_t h = hash_slots();

		h ^= (uint64_t)store(p + draw(n) * PAGE, (char)draw(256));
		munmap(p, PAGE);
		_exit((int)(h & 127));
	}
	waitpid(pid, &status, 0);
	done("fork", status);
}

static void do_file(void)
{
	size_t at = draw(FILE_PAGES) * PAGE, n = (1 + draw(700)) * PAGE;
	int fd;

	switch (draw(6)) {
	case 0:
	case 1:
		done("ftruncate", ftruncate(rw, (off_t)(at + draw(3) * 100)));
		break;
	case 2:
		done("truncate", truncate(path, (off_t)(at + n)));
		break;
	case 3:
		done("punch", fallocate(rw, 3, (off_t)at, (off_t)n));
		break;
	case 4:
		done("allocate", posix_fallocate(rw, (off_t)at, (off_t)n / 4));
		break;
	default:
		fd = draw(4) ? -1 : open(path, O_RDWR | O_TRUNC);
		if (fd >= 0)
			close(fd);
		done("grow", ftruncate(rw, FILE_PAGES * PAGE));
	}
}

static void do_io(char *p)
{
	static char buf[3 * PAGE];
	off_t at = (off_t)(draw(FILE_PAGES * PAGE));

	memset(buf, (int)draw(256), sizeof(buf));
	switch (draw(4)) {
	case 0:
		done("pwrite", pwrite(rw, buf, 1 + draw(sizeof(buf)), at));
		break;
	case 1:
		done("pread", pread(rw, buf, sizeof(buf), at));
		printf("%d %d\n", buf[0], buf[sizeof(buf) - 1]);
		break;
	case 2:
		done("pread to", pread(rw, p, PAGE, at) > 0);
		break;
	default:
		done("pwrite from", pwrite(rw, p, PAGE, at) > 0);
	}
}

static void access_some(struct slot *s)
{
	size_t i, n = 1 + draw(64), at = draw(s->pages), step = 1 + draw(40);

	for (i = 0; i < n && at < s->pages; i++, at += step) {
		char *p = s->addr + at * PAGE + draw(PAGE);

		if (draw(2))
			printf("%d ", store(p, (char)draw(256)));
		else
			printf("%d ", load(p));
	}
	printf("\n");
}

static void step(void)
{
	size_t i = draw(SLOTS), at, n;
	struct slot *s = &slots[i];
	char *p;

	if (!s->pages) {
		do_map(i);
		return;
	}
	at = draw(s->pages);
	n = 1 + draw(s->pages - at);
	p = s->addr + at * PAGE;
	switch (draw(20)) {
	case 0:
		do_map(i);
		break;
	case 1:
		if (!s->loose)
			do_over(i, at, n);
		break;
	case 2:
		do_remap(i, at % 600);
		break;
	case 3:
		do_protect(p, n * PAGE);
		break;
	case 4:
	case 5:
		do_advise(p, n * PAGE);
		break;
	case 6:
		done("msync", msync(p, n * PAGE, draw(2) ? MS_SYNC : MS_ASYNC));
		break;
	case 7:
		if (draw(4) == 0)
			do_fork(p, n);
		break;
	case 8:
		do_file();
		break;
	case 9:
		if (io)
			do_io(p);
		break;
	case 10:
		done("fsync", draw(2) ? fsync(rw) : fdatasync(rw));
		break;
	default:
		access_some(s);
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	unsigned long i, steps;

	if (argc < 4)
		return 2;
	state = strtoul(argv[1], NULL, 0) * 0x9E3779B97F4A7C15u + 1;
	steps = strtoul(argv[2], NULL, 0);
	path = argv[3];
	io = argc < 5;
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	rw = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ro = open(path, O_RDONLY);
	if (rw < 0 || ro < 0 || ftruncate(rw, FILE_PAGES * PAGE))
		return 2;
	arena = mmap(NULL, SLOTS * SLOT_PAGES * PAGE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (i = 0; i < SLOTS; i++)
		slots[i].addr = home(i);
	for (i = 0; i < steps; i++) {
		printf("%lu: ", i);
		step();
		if (i % 16 == 15)
			printf("hash %016lx\n", (unsigned long)hash_slots());
	}
	return 0;
}
