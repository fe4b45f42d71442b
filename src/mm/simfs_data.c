/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bytes of a simulated file: a hash of the pages that were ever stored. A
 * page of one and the same byte takes no more than its node.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/simfs.h"

#define FIRST_BUCKETS 256

struct simfs_data {
	struct simfs_data *next;
	uint64_t page;
	uint8_t fill;		/* every byte, while there is no @bytes */
	uint8_t *bytes;
	uint64_t hash;		/* its part of the file's digest */
};

/* Nodes are allocated many at a time: files of many pages are made often. */
#define CHUNK_NODES 128

struct simfs_chunk {
	struct simfs_chunk *next;
	struct simfs_data node[CHUNK_NODES];
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL + 1;
	return hash ^ hash >> 29;
}

static void set_hash(struct simfs_file *f, struct simfs_data *d, uint64_t hash)
{
	f->digest += hash - d->hash;
	d->hash = hash;
}

static struct simfs_data **bucket(const struct simfs_file *f, uint64_t page)
{
	uint64_t hash = page * 0x9e3779b97f4a7c15ULL;

	return &f->data[(hash >> 32) & (f->nr_buckets - 1)];
}

static struct simfs_data *find(const struct simfs_file *f, uint64_t page)
{
	struct simfs_data *d;

	if (!f->nr_buckets)
		return NULL;
	for (d = *bucket(f, page); d; d = d->next)
		if (d->page == page)
			return d;
	return NULL;
}

static void insert(struct simfs_file *f, struct simfs_data *d)
{
	struct simfs_data **head = bucket(f, d->page);

	d->next = *head;
	*head = d;
}

/* All pages, taken out of the table, as one list. */
static struct simfs_data *take_all(struct simfs_file *f)
{
	struct simfs_data *all = NULL, *d;
	uint64_t i;

	for (i = 0; i < f->nr_buckets; i++) {
		while ((d = f->data[i])) {
			f->data[i] = d->next;
			d->next = all;
			all = d;
		}
	}
	return all;
}

static int grow(struct simfs_file *f)
{
	uint64_t nr = f->nr_buckets ? 2 * f->nr_buckets : FIRST_BUCKETS;
	struct simfs_data **table = calloc(nr, sizeof(*table));
	struct simfs_data *all, *d;

	if (!table)
		return -ENOMEM;
	all = take_all(f);
	free(f->data);
	f->data = table;
	f->nr_buckets = nr;
	while ((d = all)) {
		all = d->next;
		insert(f, d);
	}
	return 0;
}

static struct simfs_data *new_node(struct simfs_file *f)
{
	struct simfs_data *d = f->free_data;

	if (d) {
		f->free_data = d->next;
		memset(d, 0, sizeof(*d));
		return d;
	}
	if (!f->chunks || f->chunk_used == CHUNK_NODES) {
		struct simfs_chunk *c = malloc(sizeof(*c));

		if (!c)
			return NULL;
		c->next = f->chunks;
		f->chunks = c;
		f->chunk_used = 0;
	}
	d = &f->chunks->node[f->chunk_used++];
	memset(d, 0, sizeof(*d));
	return d;
}

static struct simfs_data *get(struct simfs_file *f, uint64_t page)
{
	struct simfs_data *d = find(f, page);

	if (d)
		return d;
	if (f->nr_data >= f->nr_buckets && grow(f))
		return NULL;
	d = new_node(f);
	if (!d)
		return NULL;
	d->page = page;
	set_hash(f, d, mix(page, 0));
	insert(f, d);
	f->nr_data++;
	return d;
}

static void put(struct simfs_file *f, struct simfs_data *d)
{
	free(d->bytes);
	d->next = f->free_data;
	f->free_data = d;
}

/* The bytes of @d, to be changed. */
static uint8_t *bytes_of(struct simfs_data *d)
{
	if (!d->bytes) {
		d->bytes = malloc(DAX_PAGE_SIZE);
		if (d->bytes)
			memset(d->bytes, d->fill, DAX_PAGE_SIZE);
	}
	return d->bytes;
}

static int fill_part(struct simfs_file *f, struct simfs_data *d, uint64_t from,
		     uint8_t byte, uint64_t len)
{
	if (len == DAX_PAGE_SIZE) {
		set_hash(f, d, mix(d->page, byte));
		free(d->bytes);
		d->bytes = NULL;
		d->fill = byte;
		return 0;
	}
	if (!bytes_of(d))
		return -ENOMEM;
	set_hash(f, d, mix(mix(d->hash, from << 16 | len), byte));
	memset(d->bytes + from, byte, len);
	return 0;
}

/* How much of [off, off + len) lies in the page of @off. */
static uint64_t in_page(uint64_t off, uint64_t len)
{
	uint64_t room = DAX_PAGE_SIZE - (off & (DAX_PAGE_SIZE - 1));

	return len < room ? len : room;
}

void simfs_read(const struct simfs_file *f, uint64_t off, void *dst,
		uint64_t len)
{
	uint8_t *to = dst;

	while (len) {
		const struct simfs_data *d = find(f, off >> PAGE_SHIFT);
		uint64_t n = in_page(off, len);

		if (d && d->bytes)
			memcpy(to, d->bytes + (off & (DAX_PAGE_SIZE - 1)), n);
		else
			memset(to, d ? d->fill : 0, n);
		to += n;
		off += n;
		len -= n;
	}
}

int simfs_fill(struct simfs_file *f, uint64_t off, uint8_t byte, uint64_t len)
{
	while (len) {
		struct simfs_data *d = get(f, off >> PAGE_SHIFT);
		uint64_t n = in_page(off, len);

		if (!d || fill_part(f, d, off & (DAX_PAGE_SIZE - 1), byte, n))
			return -ENOMEM;
		off += n;
		len -= n;
	}
	return 0;
}

static uint64_t put_hash(uint64_t hash, uint64_t off, const uint8_t *from,
			 uint64_t len)
{
	hash = mix(hash, off << 16 | len);
	while (len--)
		hash = mix(hash, *from++);
	return hash;
}

int simfs_put(struct simfs_file *f, uint64_t off, const void *src,
	      uint64_t len)
{
	const uint8_t *from = src;

	while (len) {
		struct simfs_data *d = get(f, off >> PAGE_SHIFT);
		uint64_t n = in_page(off, len);

		if (!d || !bytes_of(d))
			return -ENOMEM;
		memcpy(d->bytes + (off & (DAX_PAGE_SIZE - 1)), from, n);
		set_hash(f, d, put_hash(d->hash, off, from, n));
		from += n;
		off += n;
		len -= n;
	}
	return 0;
}

/* Clears what [off, end) covers of @d; *@all when that is all of it. */
static int clear_page(struct simfs_file *f, struct simfs_data *d, uint64_t off,
		      uint64_t end, bool *all)
{
	uint64_t start = d->page << PAGE_SHIFT;
	uint64_t from = off > start ? off - start : 0;
	uint64_t to = end - start < DAX_PAGE_SIZE ? end - start : DAX_PAGE_SIZE;

	*all = to - from == DAX_PAGE_SIZE;
	return *all ? 0 : fill_part(f, d, from, 0, to - from);
}

int simfs_clear(struct simfs_file *f, uint64_t off, uint64_t len)
{
	uint64_t end = len < UINT64_MAX - off ? off + len : UINT64_MAX;
	struct simfs_data **pos, *d;
	uint64_t i;
	bool all;

	if (off == end)
		return 0;
	for (i = 0; i < f->nr_buckets; i++) {
		for (pos = &f->data[i]; (d = *pos);) {
			if (d->page < off >> PAGE_SHIFT ||
			    d->page > (end - 1) >> PAGE_SHIFT) {
				pos = &d->next;
				continue;
			}
			if (clear_page(f, d, off, end, &all))
				return -ENOMEM;
			if (!all) {
				pos = &d->next;
				continue;
			}
			*pos = d->next;
			set_hash(f, d, 0);
			put(f, d);
			f->nr_data--;
		}
	}
	return 0;
}

void simfs_shift(struct simfs_file *f, uint64_t from, uint64_t by)
{
	struct simfs_data *all = take_all(f), *d;

	while ((d = all)) {
		all = d->next;
		if (d->page >= from >> PAGE_SHIFT)
			d->page -= by >> PAGE_SHIFT;
		set_hash(f, d, mix(d->hash, d->page));
		insert(f, d);
	}
}

void simfs_data_exit(struct simfs_file *f)
{
	struct simfs_data *all = take_all(f);
	struct simfs_chunk *c;

	for (; all; all = all->next)
		free(all->bytes);
	while ((c = f->chunks)) {
		f->chunks = c->next;
		free(c);
	}
	f->free_data = NULL;
	free(f->data);
	f->data = NULL;
	f->nr_data = f->nr_buckets = 0;
}
