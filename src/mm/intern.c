/* SPDX-License-Identifier: BSD-3-Clause */
#include "mm/intern.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash_of(const char *data, size_t len)
{
	uint64_t hash = len, word;

	for (; len >= sizeof(word); data += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15UL;
		hash ^= hash >> 29;
	}
	for (word = 0; len; len--)
		word = word << 8 | (uint8_t)*data++;
	hash = (hash ^ word) * 0x9e3779b97f4a7c15UL;
	return hash >> 32;
}

static bool grow_table(struct intern *in)
{
	uint32_t size = in->size ? 2 * in->size : 256, i, k;
	uint32_t *table = calloc(size, sizeof(*table));

	if (!table)
		return false;
	for (i = 0; i < in->nr; i++) {
		for (k = in->item[i].hash & (size - 1); table[k];
		     k = (k + 1) & (size - 1))
			;
		table[k] = i + 1;
	}
	free(in->table);
	in->table = table;
	in->size = size;
	return true;
}

static bool grow_items(struct intern *in)
{
	uint32_t max = in->max ? 2 * in->max : 128;
	struct intern_item *item = reallocarray(in->item, max, sizeof(*item));

	if (!item)
		return false;
	in->item = item;
	in->max = max;
	return true;
}

static bool grow_mem(struct intern *in, size_t len)
{
	size_t room = 2 * (in->room + len) + 1024;
	char *mem = realloc(in->mem, room);

	if (!mem)
		return false;
	in->mem = mem;
	in->room = room;
	return true;
}

static bool make_room(struct intern *in, size_t len)
{
	return in->nr < UINT32_MAX / 4 &&
	       (2 * in->nr < in->size || grow_table(in)) &&
	       (in->nr < in->max || grow_items(in)) &&
	       (len < in->room - in->used || grow_mem(in, len));
}

/* Its place in the table, or a free one. */
static uint32_t *find(const struct intern *in, const void *data, size_t len,
		      uint32_t hash)
{
	uint32_t k;

	for (k = hash & (in->size - 1); in->table[k];
	     k = (k + 1) & (in->size - 1)) {
		const struct intern_item *i = &in->item[in->table[k] - 1];

		if (i->hash == hash && i->len == len &&
		    !memcmp(in->mem + i->at, data, len))
			break;
	}
	return &in->table[k];
}

uint32_t intern_add(struct intern *in, const void *data, size_t len)
{
	uint32_t hash = hash_of(data, len), *place;

	if (in->nomem || !make_room(in, len)) {
		in->nomem = true;
		return 0;
	}
	place = find(in, data, len, hash);
	if (*place)
		return *place - 1;
	memcpy(in->mem + in->used, data, len);
	in->item[in->nr] = (struct intern_item){ in->used, len, hash };
	in->used += len;
	*place = ++in->nr;
	return in->nr - 1;
}

void intern_init(struct intern *in)
{
	memset(in, 0, sizeof(*in));
	intern_add(in, "", 0);
}

void intern_exit(struct intern *in)
{
	free(in->mem);
	free(in->item);
	free(in->table);
	memset(in, 0, sizeof(*in));
}
