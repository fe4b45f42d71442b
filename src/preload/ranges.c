/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table lies in the middle of its memory, so that it can grow at both ends:
 * the kernel hands out addresses downwards, a program that makes thousands of
 * mappings inserts at the front each time.
 */
#include "preload/shim.h"

static struct range *room;	/* memory_get() */
static size_t capacity;		/* ranges that fit */
static size_t head, nr;		/* the table is room[head .. head + nr) */

static size_t images;		/* atomic: ranges on image media */
static bool had_image;		/* atomic, sticky */
static uint64_t lowest, highest;	/* atomic: everything lies between */

size_t ranges_nr(void)
{
	return nr;
}

struct range *ranges_get(size_t i)
{
	return room + head + i;
}

bool ranges_near(uint64_t start, uint64_t end)
{
	return start < __atomic_load_n(&highest, __ATOMIC_RELAXED) &&
	       end > __atomic_load_n(&lowest, __ATOMIC_RELAXED);
}

size_t ranges_images(void)
{
	return __atomic_load_n(&images, __ATOMIC_RELAXED);
}

bool ranges_had_image(void)
{
	return __atomic_load_n(&had_image, __ATOMIC_RELAXED);
}

static void publish_bounds(void)
{
	uint64_t lo = nr ? ranges_get(0)->start : 0;
	uint64_t hi = nr ? ranges_get(nr - 1)->end : 0;

	__atomic_store_n(&lowest, lo, __ATOMIC_RELAXED);
	__atomic_store_n(&highest, hi, __ATOMIC_RELAXED);
}

static void count(const struct range *r, long step)
{
	if (r->media != UDAX_MEDIA_IMAGE)
		return;
	__atomic_store_n(&images, images + (size_t)step, __ATOMIC_RELAXED);
	__atomic_store_n(&had_image, true, __ATOMIC_RELAXED);
}

size_t ranges_find(uint64_t addr)
{
	size_t lo = 0, hi = nr, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (ranges_get(mid)->end > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

bool ranges_overlap(uint64_t start, uint64_t end)
{
	size_t i = ranges_find(start);

	return i < nr && ranges_get(i)->start < end;
}

bool ranges_image(uint64_t start, uint64_t end)
{
	size_t i;

	for (i = ranges_find(start); i < nr && ranges_get(i)->start < end; i++)
		if (ranges_get(i)->media == UDAX_MEDIA_IMAGE)
			return true;
	return false;
}

/* memmove() of whole ranges; the library's own might be interposed. */
static void move(size_t to, size_t from, size_t n)
{
	size_t i;

	if (to < from)
		for (i = 0; i < n; i++)
			room[to + i] = room[from + i];
	else
		for (i = n; i-- > 0; )
			room[to + i] = room[from + i];
}

/* At least @n free places at each end. */
int ranges_reserve(size_t n)
{
	size_t want = capacity ? capacity : 128;
	struct range *mem;

	if (head >= n && capacity - head - nr >= n)
		return 0;
	/* Half empty is enough to centre the table, else it would move too often. */
	while (want < 2 * nr || want < nr + 2 * n + 2)
		want *= 2;
	if (want > capacity) {
		mem = room ? memory_grow(room, capacity * sizeof(*room),
					 want * sizeof(*room)) :
		      memory_get(want * sizeof(*room));
		if (!mem)
			return ENOMEM;
		room = mem;
		capacity = want;
	}
	want = (capacity - nr) / 2;
	move(want, head, nr);
	head = want;
	return 0;
}

/* Opens a place at @i, by moving the shorter side. */
static struct range *open_place(size_t i)
{
	if (i < nr / 2 || head + nr == capacity) {
		move(head - 1, head, i);
		head--;
	} else {
		move(head + i + 1, head + i, nr - i);
	}
	nr++;
	return ranges_get(i);
}

static void remove_places(size_t i, size_t n)
{
	size_t k;

	for (k = i; k < i + n; k++)
		count(ranges_get(k), -1);
	if (i < nr - i - n) {
		move(head + n, head, i);
		head += n;
	} else {
		move(head + i, head + i + n, nr - i - n);
	}
	nr -= n;
}

void ranges_split(uint64_t addr)
{
	size_t i = ranges_find(addr);
	struct range *r, old;

	if (i == nr || ranges_get(i)->start >= addr)
		return;
	old = *ranges_get(i);
	r = open_place(i);
	*r = old;
	r->end = addr;
	r = ranges_get(i + 1);
	r->start = addr;
	r->offset += addr - old.start;
	count(r, 1);
}

void ranges_cut(uint64_t start, uint64_t end)
{
	size_t i = ranges_find(start), n = 0;
	struct range *r;

	if (i == nr || ranges_get(i)->start >= end)
		return;
	if (ranges_get(i)->start < start && ranges_get(i)->end > end) {
		ranges_split(end);
		ranges_get(i)->end = start;
		return;
	}
	if (ranges_get(i)->start < start)
		ranges_get(i++)->end = start;
	while (i + n < nr && ranges_get(i + n)->end <= end)
		n++;
	if (n)
		remove_places(i, n);
	if (i < nr && ranges_get(i)->start < end) {
		r = ranges_get(i);
		r->offset += end - r->start;
		r->start = end;
	}
	publish_bounds();
}

void ranges_insert(const struct range *new)
{
	struct range r = *new;	/* @new may point into the table */

	ranges_cut(r.start, r.end);
	*open_place(ranges_find(r.start)) = r;
	count(&r, 1);
	publish_bounds();
}

void ranges_forget(void)
{
	room = NULL;
	capacity = head = nr = 0;
	__atomic_store_n(&images, 0, __ATOMIC_RELAXED);
	publish_bounds();
}
