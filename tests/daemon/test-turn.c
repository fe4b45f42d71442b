/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * With exact tracking a thread has one fault at a time: a message that comes while it is
 * in service waits for its end, and then the thread tries again. The program is this one.
 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/session.h"
#include "io/uffd.h"

#define PAGES 3u

struct world {
	struct exec x;
	struct udaxd d;
	struct session s;
	struct file file;
	struct region region;
	struct task task[3];
	char *map;
	pthread_t threads[PAGES];
	unsigned int nr;
};

/* What main() has of udaxd; nobody here calls it. */
void logmsg(const char *fmt, ...)
{
}

void logv(const struct udaxd *d, const char *fmt, ...)
{
}

void udaxd_stop(struct udaxd *d)
{
	abort();
}

static uint64_t page(const struct world *w, unsigned int nr)
{
	return (uintptr_t)w->map + nr * DAX_PAGE_SIZE;
}

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));
	uint64_t granted;

	assert_non_null(w);
	w->map = mmap(NULL, PAGES * DAX_PAGE_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(w->map, MAP_FAILED);
	w->s.uffd = uffd_open(-1, true);
	assert_true(w->s.uffd >= 0);
	assert_int_equal(uffd_api(w->s.uffd, 0, 0, &granted), 0);
	assert_int_equal(uffd_register(w->s.uffd, page(w, 0),
				       PAGES * DAX_PAGE_SIZE, UFFD_MISSING), 0);
	lock_init(&w->s.lock, LOCK_RANK_SESSION, "session");
	list_init(&w->s.serving);
	w->s.d = w->x.d = &w->d;
	w->file.exact = true;
	w->region.session = &w->s;
	w->region.file = &w->file;
	return w;
}

static void *touch(void *at)
{
	(void)*(volatile char *)at;
	return NULL;
}

/* The page of the next fault, by its number; -1: there is none. */
static int next_fault(struct world *w, int patience_ms)
{
	struct pollfd p = { .fd = w->s.uffd, .events = POLLIN };
	struct uffd_msg msg;

	if (poll(&p, 1, patience_ms) != 1)
		return -1;
	assert_int_equal(uffd_read(w->s.uffd, &msg, 1), 1);
	return (int)((msg.arg.pagefault.address - page(w, 0)) / DAX_PAGE_SIZE);
}

/* A thread that sleeps in its fault on page @nr, whose message was read. */
static void sleeper(struct world *w, unsigned int nr)
{
	assert_int_equal(pthread_create(&w->threads[w->nr++], NULL, touch,
					(void *)(uintptr_t)page(w, nr)), 0);
	assert_int_equal(next_fault(w, -1), nr);
}

static bool begin(struct world *w, unsigned int i, uint32_t tid, unsigned int nr)
{
	struct task *t = &w->task[i];

	t->region = &w->region;
	t->file = &w->file;
	t->tid = tid;
	t->addr = page(w, nr);
	return turn_begin(t);
}

static void world_end(struct world *w)
{
	assert_int_equal(uffd_zeropage(w->s.uffd, page(w, 0),
				       PAGES * DAX_PAGE_SIZE, true), 0);
	for (unsigned int i = 0; i < w->nr; i++)
		assert_int_equal(pthread_join(w->threads[i], NULL), 0);
	munmap(w->map, PAGES * DAX_PAGE_SIZE);
	close(w->s.uffd);
	free(w);
}

static void test_keeps_back(void **state)
{
	struct world *w = world_new();

	assert_true(begin(w, 0, 7, 0));
	sleeper(w, 1);
	assert_false(begin(w, 1, 7, 1));
	assert_int_equal(next_fault(w, 0), -1);
	turn_end(&w->task[0]);
	assert_int_equal(next_fault(w, -1), 1);
	/* That is a fault of its own. */
	assert_true(begin(w, 1, 7, 1));
	turn_end(&w->task[1]);
	assert_int_equal(next_fault(w, 0), -1);
	world_end(w);
}

/* What is kept back of others, of nobody, and where nothing is told one by one. */
static void test_others(void **state)
{
	struct world *w = world_new();

	assert_true(begin(w, 0, 7, 0));
	assert_true(begin(w, 1, 8, 0));
	assert_true(begin(w, 2, 0, 0));
	turn_end(&w->task[2]);
	w->file.exact = false;
	assert_true(begin(w, 2, 7, 0));
	turn_end(&w->task[2]);
	w->file.exact = true;
	turn_end(&w->task[0]);
	assert_true(begin(w, 0, 7, 0));
	turn_end(&w->task[0]);
	turn_end(&w->task[1]);
	assert_true(list_empty(&w->s.serving));
	world_end(w);
}

/* Workers that come in the wrong order leave nobody asleep. */
static void test_stale(void **state)
{
	struct world *w = world_new();
	struct uffd_msg m = { .arg.pagefault.feat.ptid = 7 };

	assert_true(begin(w, 0, 7, 0));
	sleeper(w, 1);
	m.arg.pagefault.address = page(w, 1);
	assert_true(turn_kept_back(&w->x, &w->s, &m));
	assert_int_equal(next_fault(w, 0), -1);
	m.arg.pagefault.address = page(w, 2);
	assert_true(turn_kept_back(&w->x, &w->s, &m));
	assert_int_equal(next_fault(w, -1), 1);
	m.arg.pagefault.feat.ptid = 8;
	assert_false(turn_kept_back(&w->x, &w->s, &m));
	turn_end(&w->task[0]);
	world_end(w);
}

int main(void)
{
	int fd = uffd_open(-1, true);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeps_back),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_stale),
	};

	if (fd < 0) {
		print_message("no userfaultfd\n");
		return 77;
	}
	close(fd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
