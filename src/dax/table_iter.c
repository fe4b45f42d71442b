/* SPDX-License-Identifier: BSD-3-Clause */
/* In order of the pages: the next entry, the next marked entry. See table.h. */
#include "dax/table.h"

#include "dax/table_node.h"

#define ANY_ENTRY DAX_MARKS

static uint64_t dir_bits(const struct dax_dir *dir, unsigned int mark)
{
	return mark == ANY_ENTRY ? dir->present : dir->marked[mark];
}

/*
 * The first window at or after *@nr under which the mark is; *@nr becomes its
 * number. At a level that has nothing more the search starts again from the
 * root behind it: at most once a level.
 */
static struct dax_window *window_next(const struct dax_table *t, uint64_t *nr,
				      unsigned int mark)
{
	unsigned int height = root_height(t->root), level = height;
	dax_ref_t ref = root_ref(t->root);

	while (height && dir_covers(height, *nr)) {
		const struct dax_dir *dir = node_at(t, ref);
		unsigned int slot = dir_slot(*nr, --level), shift = level * DIR_BITS;
		uint64_t bits = dir_bits(dir, mark) & ~0UL << slot;

		if (!bits) {
			*nr = ((*nr >> shift >> DIR_BITS) + 1) << shift << DIR_BITS;
			level = height;
			ref = root_ref(t->root);
			continue;
		}
		if ((unsigned int)__builtin_ctzl(bits) != slot) {
			*nr = *nr >> shift >> DIR_BITS << DIR_BITS;
			*nr = (*nr | __builtin_ctzl(bits)) << shift;
		}
		ref = slot_load(dir, dir_slot(*nr, level));
		if (!level)
			return node_at(t, ref);
	}
	return NULL;
}

/* The first entry of window @w at or after *@index. */
static dax_entry_t window_entry(const struct dax_table *t,
				const struct dax_window *w, uint64_t *index,
				unsigned int mark)
{
	uint64_t first = *index & ~PG_PMD_COLOUR;

	if (w->pmd)
		return mark == ANY_ENTRY || w->marked[mark] ? w->pmd : 0;
	for (unsigned int l = leaf_nr(*index); l < LEAVES; l++) {
		const struct dax_leaf *leaf;
		uint64_t bits;

		if (!w->leaf[l])
			continue;
		leaf = node_at(t, w->leaf[l]);
		bits = mark == ANY_ENTRY ? leaf->present : leaf->marked[mark];
		if (l == leaf_nr(*index))
			bits &= ~0UL << leaf_slot(*index);
		if (!bits)
			continue;
		*index = first + (l << LEAF_BITS) + __builtin_ctzl(bits);
		return leaf->slot[__builtin_ctzl(bits)];
	}
	return 0;
}

static dax_entry_t table_next(const struct dax_table *t, uint64_t *index,
			      uint64_t end, unsigned int mark)
{
	uint64_t nr = window_nr(*index), i = *index;

	for (; i <= end; i = ++nr << PMD_ORDER) {
		const struct dax_window *w = window_next(t, &nr, mark);
		dax_entry_t entry;

		if (!w || nr > window_nr(end))
			return 0;
		if (nr != window_nr(i))
			i = nr << PMD_ORDER;
		entry = window_entry(t, w, &i, mark);
		if (!entry)
			continue;
		if (i > end)
			return 0;
		*index = i;
		return entry;
	}
	return 0;
}

dax_entry_t dax_table_next(const struct dax_table *t, uint64_t *index,
			   uint64_t end)
{
	return table_next(t, index, end, ANY_ENTRY);
}

dax_entry_t dax_table_next_marked(const struct dax_table *t, uint64_t *index,
				  uint64_t end, enum dax_mark mark)
{
	return table_next(t, index, end, mark);
}

uint64_t dax_table_tag(struct dax_table *t, uint64_t index, uint64_t end,
		       enum dax_mark from, enum dax_mark to)
{
	dax_entry_t entry;
	uint64_t n = 0;

	while (index <= end &&
	       (entry = dax_table_next_marked(t, &index, end, from))) {
		dax_table_set_mark(t, index, to);
		n++;
		index = dax_entry_last(entry, index) + 1;
	}
	return n;
}
