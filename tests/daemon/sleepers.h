/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads of the test itself that sleep in page faults on armed memory, and the faults
 * that they come with. Nobody serves them but the test.
 */
#ifndef UDAX_TESTS_SLEEPERS_H
#define UDAX_TESTS_SLEEPERS_H

#include <pthread.h>
#include <stdint.h>

#define SLEEPERS_MAX 128

struct sleepers {
	int uffd;
	char *map;			/* @pages pages, none of them there */
	unsigned int pages;
	pthread_t thread[SLEEPERS_MAX];
	unsigned int nr;
};

/* Ends the test program with 77 where there is no userfaultfd. */
void sleepers_required(void);
void sleepers_init(struct sleepers *s, unsigned int pages);
/* Every page is there now: joins the threads, and gives all back. */
void sleepers_exit(struct sleepers *s);

/* The address of page @nr. */
uint64_t sleepers_page(const struct sleepers *s, unsigned int nr);
/* A thread that sleeps in its fault on page @nr, whose message was read. */
void sleepers_add(struct sleepers *s, unsigned int nr);
/* The page of the next fault, by its number; -1: there is none in @patience_ms. */
int sleepers_next(const struct sleepers *s, int patience_ms);

#endif
