/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fault-around on real memory: which neighbours are mapped, which entries they
 * leave, and which are left alone. The program is this one; what it does not touch
 * does not fault.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/around.h"
#include "daemon/session.h"
#include "io/uffd.h"

#define PAGES 32u		/* of the file */
#define AROUND 16u

struct world {
	int fd;
	char *map;
	struct exec x;
	struct udaxd d;
	struct session s;
	struct file f;
	struct region r;
	struct task t;
	struct fault_stats stats, *per_exec[1];
	struct dax_wait_queue queues[2];
	struct dax_wait_table waits;
};

static bool have_wp;

/* A file of PAGES pages, mapped and armed, of which nothing is mapped yet. */
static struct world *world_new(bool wp)
{
	struct world *w = calloc(1, sizeof(*w));
	uint64_t granted, len = PAGES * DAX_PAGE_SIZE;
	char why[200];

	assert_non_null(w);
	w->fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(w->fd >= 0);
	assert_int_equal(ftruncate(w->fd, (off_t)len), 0);
	assert_int_equal(fallocate(w->fd, 0, 0, (off_t)len), 0);
	w->map = mmap(NULL, 2 * len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	w->map = (char *)(((uintptr_t)w->map + len - 1) & ~(len - 1));
	assert_ptr_equal(mmap(w->map, len, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED, w->fd, 0), w->map);
	w->s.uffd = uffd_open(-1, true);
	assert_true(w->s.uffd >= 0);
	assert_int_equal(uffd_api(w->s.uffd, UFFD_FEATURE_MINOR_SHMEM,
				  UFFD_FEATURE_PAGEFAULT_FLAG_WP |
				  UFFD_FEATURE_WP_HUGETLBFS_SHMEM, &granted), 0);
	assert_int_equal(uffd_register(w->s.uffd, (uintptr_t)w->map, len,
				       UFFD_MISSING | UFFD_MINOR |
				       (wp ? UFFD_WP : 0)), 0);
	assert_int_equal(media_open(&w->f.media, w->fd, why, sizeof(why)), 0);
	dax_wait_table_init(&w->waits, 1, w->queues);
	w->f.table_mem = aligned_alloc(64, 1 << 16);
	memset(w->f.table_mem, 0, 1 << 16);
	dax_mapping_init(&w->f.mapping, dax_protocol_find("616"), &w->waits,
			 w->f.table_mem, 1 << 16);
	w->f.mapping.i_size = len;
	w->per_exec[0] = &w->stats;
	w->s.stats = w->per_exec;
	w->s.d = w->x.d = &w->d;
	w->r = (struct region) {
		.session = &w->s, .file = &w->f, .wp = wp,
		.start = (uintptr_t)w->map, .end = (uintptr_t)w->map + len,
	};
	assert_int_equal(pgtable_init(&w->r.pt, w->r.start, w->r.end), 0);
	list_init(&w->x.ready);
	assert_int_equal(around_init(&w->x, AROUND), 0);
	return w;
}

static void world_free(struct world *w)
{
	around_exit(&w->x);
	dax_mapping_exit(&w->f.mapping);
	dax_wait_table_exit(&w->waits);
	free(w->f.table_mem);
	media_close(w->f.media);
	pgtable_exit(&w->r.pt);
	munmap(w->map, PAGES * DAX_PAGE_SIZE);
	close(w->s.uffd);
	close(w->fd);
	free(w);
}

static dax_entry_t entry_of(struct world *w, unsigned int page)
{
	return dax_table_load(&w->f.mapping.table, page, 0, NULL);
}

/* Is the page really mapped? */
static bool mapped(struct world *w, unsigned int page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t word = 0;
	off_t at = (off_t)(((uintptr_t)w->map >> PAGE_SHIFT) + page) * 8;

	assert_int_equal(pread(fd, &word, sizeof(word), at), sizeof(word));
	close(fd);
	return word >> 63;
}

/* Steps the fault's own operation until it says @verb. */
static void step_to(struct task *t, enum dax_verb verb)
{
	do {
		t->verb = dax_op_step(&t->op);
		if (t->verb == DAX_PT_CHECK)
			t->op.ans.slot = DAX_PT_TABLE;
		if (t->verb == DAX_IOMAP)
			t->op.ans.iomap = (struct dax_iomap) {
				.type = DAX_IOMAP_MAPPED,
				.length = t->op.ask.len,
				.pfn = t->op.ask.pos >> PAGE_SHIFT,
			};
	} while (t->verb != verb);
}

/* A fault on @page, as install.c does it; what around_map() said. */
static bool fault(struct world *w, unsigned int page, bool write)
{
	struct dax_vma vma = {
		.vm_start = w->r.start, .vm_end = w->r.end, .shared = true,
	};
	struct task *t = &w->t;
	bool own;

	t->kind = TASK_FAULT;
	t->region = &w->r;
	t->file = &w->f;
	t->stats = &w->stats;
	t->addr = w->r.start + page * DAX_PAGE_SIZE;
	t->minor = true;
	t->write = write;
	t->folio = -1;
	dax_op_init_fault(&t->op, &w->f.mapping, 0, &vma, t->addr,
			  DAX_FAULT_FLAG_USER |
			  (write ? DAX_FAULT_FLAG_WRITE : 0));
	t->op.stats = &w->stats.dax;
	step_to(t, DAX_MAP);
	pgtable_set_pte(&w->r.pt, t->addr, write);
	own = around_map(&w->x, t);
	if (!own)
		assert_int_equal(uffd_continue(w->s.uffd, t->addr, DAX_PAGE_SIZE,
					       w->r.wp && !write, true, NULL), 0);
	t->op.ans.error = 0;
	step_to(t, DAX_DONE);
	return own;
}

/* Pages [first, last] were mapped, with an entry each; and no others. */
static void expect_pages(struct world *w, unsigned int first, unsigned int last)
{
	for (unsigned int i = 0; i < PAGES; i++) {
		bool in = i >= first && i <= last;

		assert_int_equal(mapped(w, i), in);
		assert_int_equal(pgtable_has(&w->r.pt, w->r.start +
					     i * DAX_PAGE_SIZE, false), in);
		assert_true(entry_of(w, i) == (in ? dax_make_entry(i, 0) : 0));
	}
	assert_int_equal(w->stats.around, last - first);
}

static void all_of_the_window(void **state)
{
	struct world *w = world_new(false);

	assert_true(fault(w, AROUND + 3, true));
	expect_pages(w, AROUND, 2 * AROUND - 1);
	/* What was stored is dirty, what came along is not. */
	assert_true(dax_table_get_mark(&w->f.mapping.table, AROUND + 3,
				       DAX_MARK_DIRTY));
	assert_false(dax_table_get_mark(&w->f.mapping.table, AROUND + 4,
					DAX_MARK_DIRTY));
	w->map[(AROUND + 4) * DAX_PAGE_SIZE] = 1;
	world_free(w);
}

static void of_the_mapping_alone(void **state)
{
	struct world *w = world_new(false);

	w->r.start += 2 * DAX_PAGE_SIZE;
	w->r.offset = 2 * DAX_PAGE_SIZE;
	w->r.end -= 20 * DAX_PAGE_SIZE;
	pgtable_exit(&w->r.pt);
	pgtable_init(&w->r.pt, w->r.start, w->r.end);
	/* Pages 2 to 11 of the file; fault() counts from the mapping's start. */
	{
		struct dax_vma vma = {
			.vm_start = w->r.start, .vm_end = w->r.end,
			.vm_pgoff = 2, .shared = true,
		};
		struct task *t = &w->t;

		*t = (struct task) {
			.kind = TASK_FAULT, .region = &w->r, .file = &w->f,
			.stats = &w->stats, .minor = true, .folio = -1,
			.addr = w->r.start + DAX_PAGE_SIZE,
		};
		dax_op_init_fault(&t->op, &w->f.mapping, 0, &vma, t->addr, 0);
		t->op.stats = &w->stats.dax;
		step_to(t, DAX_MAP);
		assert_true(around_map(&w->x, t));
		step_to(t, DAX_DONE);
	}
	for (unsigned int i = 0; i < PAGES; i++) {
		assert_int_equal(mapped(w, i), i >= 2 && i < 12);
		assert_true(entry_of(w, i) ==
			    (i >= 2 && i < 12 ? dax_make_entry(i, 0) : 0));
	}
	w->r.start -= 2 * DAX_PAGE_SIZE;
	world_free(w);
}

static void not_past_the_end(void **state)
{
	struct world *w = world_new(false);

	w->f.mapping.i_size = 9 * DAX_PAGE_SIZE + 1;
	assert_true(fault(w, 0, false));
	expect_pages(w, 0, 9);
	world_free(w);
}

static void up_to_a_hole(void **state)
{
	struct world *w = world_new(false);

	for (unsigned int i = 3; i <= 12; i += 9)
		assert_int_equal(fallocate(w->fd, FALLOC_FL_PUNCH_HOLE |
					   FALLOC_FL_KEEP_SIZE,
					   i * DAX_PAGE_SIZE, DAX_PAGE_SIZE), 0);
	/* Pages that nobody wrote count as none where the window is not full. */
	for (unsigned int i = 4; i < 12; i++)
		assert_int_equal(pwrite(w->fd, "x", 1, i * DAX_PAGE_SIZE), 1);
	assert_true(fault(w, 7, false));
	expect_pages(w, 4, 11);
	world_free(w);
}

/* Neither waited for, nor touched, nor mapped. */
static void leaves_others_alone(void **state)
{
	struct dax_table *table;
	struct world *w = world_new(false);
	dax_entry_t locked = dax_make_entry(5, 0) | DAX_LOCKED;
	dax_entry_t zero = dax_make_entry(0, DAX_ZERO_PAGE);

	table = &w->f.mapping.table;
	assert_int_equal(dax_table_insert(table, 5, locked), 0);
	assert_int_equal(dax_table_insert(table, 9, zero), 0);
	assert_true(fault(w, 7, false));
	for (unsigned int i = 0; i < AROUND; i++) {
		assert_int_equal(mapped(w, i), i != 5 && i != 9);
		if (i != 5 && i != 9)
			assert_true(entry_of(w, i) == dax_make_entry(i, 0));
	}
	assert_true(entry_of(w, 5) == locked && entry_of(w, 9) == zero);
	assert_int_equal(w->stats.around, AROUND - 3);
	assert_int_equal(w->stats.dax.waits, 0);
	dax_table_erase(table, 5);
	world_free(w);
}

/* Mapped really, and not in the emulated table: after a refill's kind of zap. */
static void some_are_mapped(void **state)
{
	struct world *w = world_new(false);

	assert_int_equal(uffd_continue(w->s.uffd, w->r.start + 2 * DAX_PAGE_SIZE,
				       DAX_PAGE_SIZE, false, true, NULL), 0);
	assert_true(fault(w, 7, false));
	expect_pages(w, 0, AROUND - 1);
	world_free(w);
}

static bool protected_page(struct world *w, unsigned int page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t at = (off_t)(((uintptr_t)w->map >> PAGE_SHIFT) + page) * 8;
	uint64_t word = 0;

	assert_int_equal(pread(fd, &word, sizeof(word), at), sizeof(word));
	close(fd);
	return word >> 57 & 1;
}

static void protects_where_stores_are_tracked(void **state)
{
	struct world *w;

	if (!have_wp)
		skip();
	w = world_new(true);
	/* The page itself is to be writable: it is installed apart. */
	assert_false(fault(w, 3, true));
	expect_pages(w, 0, AROUND - 1);
	for (unsigned int i = 0; i < AROUND; i++)
		assert_int_equal(protected_page(w, i), i != 3);
	assert_true(fault(w, AROUND, false));
	assert_true(protected_page(w, AROUND));
	assert_true(protected_page(w, AROUND + 1));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_the_window),
		cmocka_unit_test(of_the_mapping_alone),
		cmocka_unit_test(not_past_the_end),
		cmocka_unit_test(up_to_a_hole),
		cmocka_unit_test(leaves_others_alone),
		cmocka_unit_test(some_are_mapped),
		cmocka_unit_test(protects_where_stores_are_tracked),
	};
	uint64_t features;

	if (uffd_probe(&features) || !(features & UFFD_FEATURE_MINOR_SHMEM)) {
		puts("skipped: no userfaultfd with minor faults");
		return 77;
	}
	have_wp = features & UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
