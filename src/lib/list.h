/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Intrusive doubly linked lists, with the kernel's names. A node lies inside
 * the object that it links; nobody allocates. No function takes a lock.
 */
#ifndef UDAX_LIB_LIST_H
#define UDAX_LIB_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_head {
	struct list_head *next, *prev;
};

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#define LIST_HEAD_INIT(name) { &(name), &(name) }

static inline void list_init(struct list_head *h)
{
	h->next = h->prev = h;
}

static inline bool list_empty(const struct list_head *h)
{
	return h->next == h;
}

static inline void list_link(struct list_head *n, struct list_head *prev,
			     struct list_head *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

/* At the head: the next list_first() is @n. */
static inline void list_add(struct list_head *n, struct list_head *h)
{
	list_link(n, h, h->next);
}

/* At the tail. */
static inline void list_add_tail(struct list_head *n, struct list_head *h)
{
	list_link(n, h->prev, h);
}

/* Leaves @n initialised, so that list_empty(@n) says "not on a list". */
static inline void list_del(struct list_head *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

/* Moves all of @from to the tail of @to; @from is empty afterwards. */
static inline void list_splice_tail(struct list_head *from, struct list_head *to)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first(h, type, member) list_entry((h)->next, type, member)

#define list_for_each(pos, h, member) \
	for (pos = list_entry((h)->next, __typeof__(*pos), member); \
	     &pos->member != (h); \
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))

/* @pos may be deleted in the body. */
#define list_for_each_safe(pos, n, h, member) \
	for (pos = list_entry((h)->next, __typeof__(*pos), member), \
	     n = list_entry(pos->member.next, __typeof__(*pos), member); \
	     &pos->member != (h); \
	     pos = n, n = list_entry(n->member.next, __typeof__(*n), member))

#endif
