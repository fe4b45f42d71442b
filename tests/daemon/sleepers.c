/* SPDX-License-Identifier: BSD-3-Clause */
#include "sleepers.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "dax/entry.h"
#include "io/uffd.h"

void sleepers_required(void)
{
	int fd = uffd_open(-1, true);

	if (fd < 0) {
		print_message("no userfaultfd\n");
		exit(77);
	}
	close(fd);
}

uint64_t sleepers_page(const struct sleepers *s, unsigned int nr)
{
	return (uintptr_t)s->map + nr * DAX_PAGE_SIZE;
}

void sleepers_init(struct sleepers *s, unsigned int pages)
{
	uint64_t granted;

	s->pages = pages;
	s->nr = 0;
	s->map = mmap(NULL, pages * DAX_PAGE_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(s->map, MAP_FAILED);
	s->uffd = uffd_open(-1, true);
	assert_true(s->uffd >= 0);
	assert_int_equal(uffd_api(s->uffd, 0, 0, &granted), 0);
	assert_int_equal(uffd_register(s->uffd, sleepers_page(s, 0),
				       pages * DAX_PAGE_SIZE, UFFD_MISSING), 0);
}

void sleepers_exit(struct sleepers *s)
{
	assert_int_equal(uffd_zeropage(s->uffd, sleepers_page(s, 0),
				       s->pages * DAX_PAGE_SIZE, true), 0);
	for (unsigned int i = 0; i < s->nr; i++)
		assert_int_equal(pthread_join(s->thread[i], NULL), 0);
	munmap(s->map, s->pages * DAX_PAGE_SIZE);
	close(s->uffd);
}

static void *touch(void *at)
{
	(void)*(volatile char *)at;
	return NULL;
}

void sleepers_add(struct sleepers *s, unsigned int nr)
{
	assert_true(s->nr < SLEEPERS_MAX);
	assert_int_equal(pthread_create(&s->thread[s->nr++], NULL, touch,
					(void *)(uintptr_t)sleepers_page(s, nr)), 0);
	assert_int_equal(sleepers_next(s, -1), nr);
}

int sleepers_next(const struct sleepers *s, int patience_ms)
{
	struct pollfd p = { .fd = s->uffd, .events = POLLIN };
	struct uffd_msg msg;

	if (poll(&p, 1, patience_ms) != 1)
		return -1;
	assert_int_equal(uffd_read(s->uffd, &msg, 1), 1);
	assert_int_equal(msg.event, UFFD_EVENT_PAGEFAULT);
	return (int)((msg.arg.pagefault.address - sleepers_page(s, 0)) /
		     DAX_PAGE_SIZE);
}
