/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * With exact tracking a thread has one fault at a time: a message that comes while it is
 * in service waits for its end, and then the thread tries again. The program is this one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/session.h"
#include "sleepers.h"

#define PAGES 3u

struct world {
	struct exec x;
	struct udaxd d;
	struct session s;
	struct file file;
	struct region region;
	struct task task[3];
	struct sleepers sl;
};

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	sleepers_init(&w->sl, PAGES);
	w->s.uffd = w->sl.uffd;
	lock_init(&w->s.lock, LOCK_RANK_SESSION, "session");
	list_init(&w->s.serving);
	w->s.d = w->x.d = &w->d;
	w->file.exact = true;
	w->region.session = &w->s;
	w->region.file = &w->file;
	return w;
}

static bool begin(struct world *w, unsigned int i, uint32_t tid, unsigned int nr)
{
	struct task *t = &w->task[i];

	t->region = &w->region;
	t->file = &w->file;
	t->tid = tid;
	t->addr = sleepers_page(&w->sl, nr);
	return turn_begin(t);
}

static void world_end(struct world *w)
{
	sleepers_exit(&w->sl);
	free(w);
}

static void test_keeps_back(void **state)
{
	struct world *w = world_new();

	assert_true(begin(w, 0, 7, 0));
	sleepers_add(&w->sl, 1);
	assert_false(begin(w, 1, 7, 1));
	assert_int_equal(sleepers_next(&w->sl, 0), -1);
	turn_end(&w->task[0]);
	assert_int_equal(sleepers_next(&w->sl, -1), 1);
	/* That is a fault of its own. */
	assert_true(begin(w, 1, 7, 1));
	turn_end(&w->task[1]);
	assert_int_equal(sleepers_next(&w->sl, 0), -1);
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
	sleepers_add(&w->sl, 1);
	m.arg.pagefault.address = sleepers_page(&w->sl, 1);
	assert_true(turn_kept_back(&w->x, &w->s, &m));
	assert_int_equal(sleepers_next(&w->sl, 0), -1);
	m.arg.pagefault.address = sleepers_page(&w->sl, 2);
	assert_true(turn_kept_back(&w->x, &w->s, &m));
	assert_int_equal(sleepers_next(&w->sl, -1), 1);
	m.arg.pagefault.feat.ptid = 8;
	assert_false(turn_kept_back(&w->x, &w->s, &m));
	turn_end(&w->task[0]);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeps_back),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_stale),
	};

	sleepers_required();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
