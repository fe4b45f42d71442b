/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whom the end of a bracket wakes: the threads whose faults it dropped, and not who
 * sleeps between them, whose fault may be in service; with exact tracking a fault that
 * was to install is not dropped, but over, and one that waited for the mmap_lock is
 * looked at anew. The program is this one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/session.h"
#include "sleepers.h"

#define PAGES (DROPPED_MAX + 3u)

struct world {
	struct exec x, *execs[1];
	struct udaxd d;
	struct worker home;
	struct session s;
	struct file file;
	struct region region;
	struct fault_stats stats, *per_exec[1];
	struct sleepers sl;
};

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	sleepers_init(&w->sl, PAGES);
	w->s.uffd = w->sl.uffd;
	w->execs[0] = &w->x;
	w->d.execs = w->execs;
	w->d.nr_execs = 1;
	w->home.x = &w->x;
	w->s.home = &w->home;
	w->per_exec[0] = &w->stats;
	w->s.stats = w->per_exec;
	w->s.d = w->x.d = &w->d;
	lock_init(&w->s.lock, LOCK_RANK_SESSION, "session");
	mmap_lock_init(&w->s.mmap_lock);
	zap_init(&w->s);
	list_init(&w->s.serving);
	list_init(&w->x.free);
	w->file.exact = true;
	w->region.session = &w->s;
	w->region.file = &w->file;
	assert_int_equal(pgtable_init(&w->region.pt, sleepers_page(&w->sl, 0),
				      sleepers_page(&w->sl, PAGES)), 0);
	return w;
}

static void drop(struct world *w, unsigned int nr)
{
	sleepers_add(&w->sl, nr);
	bracket_drop(&w->x, &w->s, sleepers_page(&w->sl, nr));
}

/* How often each of the pages faults until @total have. */
static void faults_again(struct world *w, unsigned int total, unsigned int *n)
{
	for (unsigned int i = 0; i < total; i++)
		n[sleepers_next(&w->sl, -1)]++;
	/* Were there another, it would have come with them. */
	assert_int_equal(sleepers_next(&w->sl, 0), -1);
}

static void world_end(struct world *w)
{
	struct task *t, *next;

	sleepers_exit(&w->sl);
	list_for_each_safe(t, next, &w->x.free, link)
		free(t);
	pgtable_exit(&w->region.pt);
	free(w);
}

static void test_wakes_the_dropped(void **state)
{
	struct world *w = world_new();
	unsigned int n[PAGES] = { 0 };

	sleepers_add(&w->sl, 1);		/* in service when the bracket begins */
	bracket_block(&w->s, false);
	drop(w, 0);
	drop(w, 2);
	bracket_release(&w->s);
	faults_again(w, 2, n);
	assert_int_equal(n[0], 1);
	assert_int_equal(n[1], 0);
	assert_int_equal(n[2], 1);
	assert_int_equal(w->stats.dropped, 2);
	world_end(w);
}

/* The next bracket has none of the last one's. */
static void test_forgets(void **state)
{
	struct world *w = world_new();
	unsigned int n[PAGES] = { 0 };

	bracket_block(&w->s, false);
	drop(w, 0);
	bracket_release(&w->s);
	faults_again(w, 1, n);
	bracket_block(&w->s, false);
	drop(w, 3);
	bracket_release(&w->s);
	faults_again(w, 1, n);
	assert_int_equal(n[0], 1);
	assert_int_equal(n[3], 1);
	world_end(w);
}

/* More than it remembers: nobody of them is left asleep. */
static void test_too_many(void **state)
{
	struct world *w = world_new();
	unsigned int n[PAGES] = { 0 };

	bracket_block(&w->s, false);
	for (unsigned int i = PAGES; i--; )
		drop(w, i);
	bracket_release(&w->s);
	faults_again(w, PAGES, n);
	for (unsigned int i = 0; i < PAGES; i++)
		assert_int_equal(n[i], 1);
	world_end(w);
}

/* A fault that was dropped when the bracket had just ended. */
static void test_late(void **state)
{
	struct world *w = world_new();
	unsigned int n[PAGES] = { 0 };

	bracket_block(&w->s, false);
	bracket_release(&w->s);
	drop(w, 4);
	faults_again(w, 1, n);
	assert_int_equal(n[4], 1);
	world_end(w);
}

static int install(struct world *w, unsigned int nr)
{
	return install_begin_or_defer(&w->x, &w->region, sleepers_page(&w->sl, nr), false,
				      false);
}

/* The emulated table has it, and the thread faults again when the bracket is over. */
static void test_defers(void **state)
{
	struct world *w = world_new();
	unsigned int n[PAGES] = { 0 };

	sleepers_add(&w->sl, 2);
	bracket_block(&w->s, false);
	assert_int_equal(install(w, 2), -EINPROGRESS);
	assert_true(pgtable_has(&w->region.pt, sleepers_page(&w->sl, 2), false));
	assert_false(pgtable_has(&w->region.pt, sleepers_page(&w->sl, 2), true));
	assert_int_equal(sleepers_next(&w->sl, 0), -1);
	bracket_release(&w->s);
	faults_again(w, 1, n);
	assert_int_equal(n[2], 1);
	assert_int_equal(install(w, 2), 0);
	install_end(&w->x, &w->s);
	world_end(w);
}

/* Nothing is deferred for what is gone, or without exact tracking. */
static void test_drops(void **state)
{
	struct world *w = world_new();
	unsigned int n[PAGES] = { 0 };

	sleepers_add(&w->sl, 0);
	sleepers_add(&w->sl, 1);
	bracket_block(&w->s, false);
	w->file.exact = false;
	assert_int_equal(install(w, 0), -EAGAIN);
	w->file.exact = true;
	atomic_store(&w->region.dead, true);
	assert_int_equal(install(w, 1), -EAGAIN);
	assert_false(pgtable_has(&w->region.pt, sleepers_page(&w->sl, 0), false));
	assert_false(pgtable_has(&w->region.pt, sleepers_page(&w->sl, 1), false));
	bracket_release(&w->s);
	faults_again(w, 2, n);
	assert_int_equal(n[0], 1);
	assert_int_equal(n[1], 1);
	world_end(w);
}

/* No fault of it is served as it was before the writer; for a silence it counts. */
static void test_mmap_lock(void **state)
{
	struct world *w = world_new();
	struct uffd_msg m = { .event = UFFD_EVENT_PAGEFAULT };
	struct udax_msg begin = { .begin.what = UDAX_CHANGE_MREMAP };
	unsigned int n[PAGES] = { 0 };

	w->d.opt.track = TRACK_EXACT;
	w->s.mmap_lock.on = true;
	assert_true(mmap_lock_write(&w->x, &w->s, &begin));
	bracket_block(&w->s, false);
	sleepers_add(&w->sl, 3);
	m.arg.pagefault.address = sleepers_page(&w->sl, 3);
	mmap_lock_fault(&w->x, &w->s, &m, 0);
	assert_false(exec_none_served(&w->d));
	assert_int_equal(sleepers_next(&w->sl, 0), -1);
	bracket_release(&w->s);
	mmap_lock_let_in(&w->x, &w->s);
	faults_again(w, 1, n);
	assert_int_equal(n[3], 1);
	assert_true(exec_none_served(&w->d));
	assert_int_equal(w->s.mmap_lock.readers, 0);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wakes_the_dropped),
		cmocka_unit_test(test_forgets),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_defers),
		cmocka_unit_test(test_drops),
		cmocka_unit_test(test_mmap_lock),
	};

	sleepers_required();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
