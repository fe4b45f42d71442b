/* SPDX-License-Identifier: BSD-3-Clause */
#include "dax/table.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "dax/table_node.h"

/* The way from the root to a window; dirs[0] is the lowest. */
struct path {
	uint64_t window_nr;
	unsigned int height;
	struct dax_dir *dirs[DIR_LEVELS];
	struct dax_window *window;
};

void dax_table_init(struct dax_table *t, void *base, uint64_t size)
{
	memset(t, 0, sizeof(*t));
	dax_table_set_memory(t, base, size);
}

void dax_table_set_memory(struct dax_table *t, void *base, uint64_t size)
{
	t->base = base;
	t->size = size;
	/* Position 0 means "no node": the first one lies behind it. */
	if (!t->used && size >= NODE_ALIGN)
		t->used = NODE_ALIGN;
}

/* ------------------------------------------------------------------ nodes */

static dax_ref_t node_alloc(struct dax_table *t, enum dax_node_kind kind)
{
	dax_ref_t ref = t->free[kind];

	if (ref) {
		dax_ref_t *next = node_at(t, ref);

		t->free[kind] = *next;
		*next = 0;
		return ref;
	}
	if (!t->used || t->size - t->used < dax_node_size(kind) ||
	    t->used / NODE_ALIGN > UINT32_MAX)
		return 0;
	ref = t->used / NODE_ALIGN;
	t->used += dax_node_size(kind);
	return ref;
}

/* A free node is zeros but for the link: node_alloc() gives out zeros. */
static void node_free(struct dax_table *t, enum dax_node_kind kind, void *node)
{
	dax_ref_t ref = ((char *)node - (char *)t->base) / NODE_ALIGN;

	memset(node, 0, dax_node_size(kind));
	*(dax_ref_t *)node = t->free[kind];
	t->free[kind] = ref;
}

static void slot_store(struct dax_dir *dir, unsigned int slot, dax_ref_t ref)
{
	__atomic_store_n(&dir->slot[slot], ref, __ATOMIC_RELEASE);
}

static void root_store(struct dax_table *t, dax_ref_t ref, unsigned int height)
{
	__atomic_store_n(&t->root, (uint64_t)ref << 8 | height,
			 __ATOMIC_RELEASE);
}

/* ------------------------------------------------------------------ paths */

/* As window_find(), and keeps the dirs. False when the window has no node. */
static bool path_find(const struct dax_table *t, uint64_t nr, struct path *p)
{
	dax_ref_t ref = root_ref(t->root);

	p->window_nr = nr;
	p->height = root_height(t->root);
	if (!dir_covers(p->height, nr))
		return false;
	for (unsigned int level = p->height; level-- && ref;) {
		p->dirs[level] = node_at(t, ref);
		ref = slot_load(p->dirs[level], dir_slot(nr, level));
	}
	if (!ref)
		return false;
	p->window = node_at(t, ref);
	return true;
}

/* Takes the nodes of @p that have become empty out of the tree. */
static void path_prune(struct dax_table *t, struct path *p)
{
	unsigned int level, slot;

	for (unsigned int l = 0; p->window && l < LEAVES; l++)
		if (p->window->leaf[l])
			return;
	if (p->window) {
		if (p->window->pmd)
			return;
		node_free(t, DAX_NODE_WINDOW, p->window);
		slot = dir_slot(p->window_nr, 0);
		slot_store(p->dirs[0], slot, 0);
		p->dirs[0]->present &= ~(1UL << slot);
	}
	for (level = 0; level < p->height; level++) {
		if (!p->dirs[level])
			continue;
		if (p->dirs[level]->present)
			return;
		node_free(t, DAX_NODE_DIR, p->dirs[level]);
		if (level + 1 == p->height) {
			root_store(t, 0, 0);
			return;
		}
		slot = dir_slot(p->window_nr, level + 1);
		slot_store(p->dirs[level + 1], slot, 0);
		p->dirs[level + 1]->present &= ~(1UL << slot);
	}
}

/*
 * Makes the tree high enough for @nr: an empty one at once, another by new tops
 * whose slot 0 is the old tree.
 */
static bool root_grow(struct dax_table *t, uint64_t nr)
{
	unsigned int height = root_height(t->root);
	dax_ref_t old = root_ref(t->root), ref;

	if (!old) {
		while (!height || !dir_covers(height, nr))
			height++;
		ref = node_alloc(t, DAX_NODE_DIR);
		if (ref)
			root_store(t, ref, height);
		return ref;
	}
	while (!dir_covers(height, nr)) {
		const struct dax_dir *below = node_at(t, old);
		struct dax_dir *dir;

		ref = node_alloc(t, DAX_NODE_DIR);
		if (!ref)
			return false;
		dir = node_at(t, ref);
		dir->present = 1;
		for (int m = 0; m < DAX_MARKS; m++)
			dir->marked[m] = below->marked[m] != 0;
		slot_store(dir, 0, old);
		root_store(t, ref, ++height);
		old = ref;
	}
	return true;
}

/* The child of @dir at @slot, made if it is not there. */
static void *dir_child(struct dax_table *t, struct dax_dir *dir,
		       unsigned int slot, enum dax_node_kind kind)
{
	dax_ref_t ref = slot_load(dir, slot);

	if (!ref) {
		ref = node_alloc(t, kind);
		if (!ref)
			return NULL;
		slot_store(dir, slot, ref);
		dir->present |= 1UL << slot;
	}
	return node_at(t, ref);
}

/*
 * The way to window @nr, made where it is not there. False when memory is
 * short; the caller prunes then: what was made is empty.
 */
static bool path_make(struct dax_table *t, uint64_t nr, struct path *p)
{
	unsigned int level;

	memset(p, 0, sizeof(*p));
	p->window_nr = nr;
	if (!root_grow(t, nr))
		return false;
	p->height = root_height(t->root);
	level = p->height - 1;
	p->dirs[level] = node_at(t, root_ref(t->root));
	for (; level; level--) {
		p->dirs[level - 1] = dir_child(t, p->dirs[level],
					       dir_slot(nr, level),
					       DAX_NODE_DIR);
		if (!p->dirs[level - 1])
			return false;
	}
	p->window = dir_child(t, p->dirs[0], dir_slot(nr, 0), DAX_NODE_WINDOW);
	return p->window;
}

/* ------------------------------------------------------------ load, store */

static dax_entry_t leaf_first(const struct dax_table *t,
			      const struct dax_window *w, uint64_t first,
			      uint64_t *at)
{
	for (unsigned int l = 0; l < LEAVES; l++) {
		const struct dax_leaf *leaf;
		unsigned int slot;

		if (!w->leaf[l])
			continue;
		leaf = node_at(t, w->leaf[l]);
		slot = __builtin_ctzl(leaf->present);
		*at = first + (l << LEAF_BITS) + slot;
		return leaf->slot[slot];
	}
	return 0;
}

dax_entry_t dax_table_load(const struct dax_table *t, uint64_t index,
			   unsigned int order, uint64_t *at)
{
	const struct dax_window *w = window_find(t, window_nr(index));
	const struct dax_leaf *leaf;
	uint64_t dummy;
	dax_ref_t ref;

	if (!at)
		at = &dummy;
	*at = index;
	if (!w)
		return 0;
	if (w->pmd) {
		*at = index & ~PG_PMD_COLOUR;
		return w->pmd;
	}
	if (order)
		return leaf_first(t, w, index & ~PG_PMD_COLOUR, at);
	ref = w->leaf[leaf_nr(index)];
	if (!ref)
		return 0;
	leaf = node_at(t, ref);
	return leaf->slot[leaf_slot(index)];
}

int dax_table_insert(struct dax_table *t, uint64_t index, dax_entry_t entry)
{
	struct dax_leaf *leaf;
	struct path p;

	if (!path_make(t, window_nr(index), &p))
		goto no_memory;
	assert(!p.window->pmd);
	if (dax_is_pmd_entry(entry)) {
		for (unsigned int l = 0; l < LEAVES; l++)
			assert(!p.window->leaf[l]);
		p.window->pmd = entry;
	} else {
		dax_ref_t *ref = &p.window->leaf[leaf_nr(index)];

		if (!*ref)
			*ref = node_alloc(t, DAX_NODE_LEAF);
		if (!*ref)
			goto no_memory;
		leaf = node_at(t, *ref);
		assert(!leaf->slot[leaf_slot(index)]);
		leaf->slot[leaf_slot(index)] = entry;
		leaf->present |= 1UL << leaf_slot(index);
	}
	t->nr_entries++;
	t->nr_pages += 1UL << dax_entry_order(entry);
	return 0;

no_memory:
	path_prune(t, &p);
	return -ENOMEM;
}

static dax_entry_t *slot_of(const struct dax_table *t, struct dax_window *w,
			    uint64_t index)
{
	struct dax_leaf *leaf;

	if (!w)
		return NULL;
	if (w->pmd)
		return &w->pmd;
	if (!w->leaf[leaf_nr(index)])
		return NULL;
	leaf = node_at(t, w->leaf[leaf_nr(index)]);
	return leaf->slot[leaf_slot(index)] ? &leaf->slot[leaf_slot(index)] :
	       NULL;
}

dax_entry_t dax_table_replace(struct dax_table *t, uint64_t index,
			      dax_entry_t entry)
{
	dax_entry_t *slot = slot_of(t, window_find(t, window_nr(index)), index);
	dax_entry_t old;

	assert(slot && dax_entry_order(*slot) == dax_entry_order(entry));
	old = *slot;
	*slot = entry;
	return old;
}

dax_entry_t dax_table_erase(struct dax_table *t, uint64_t index)
{
	dax_entry_t *slot, old;
	struct path p;

	if (!path_find(t, window_nr(index), &p))
		return 0;
	slot = slot_of(t, p.window, index);
	if (!slot)
		return 0;
	for (int m = 0; m < DAX_MARKS; m++)
		dax_table_clear_mark(t, index, m);
	old = *slot;
	*slot = 0;
	if (dax_is_pte_entry(old)) {
		dax_ref_t *ref = &p.window->leaf[leaf_nr(index)];
		struct dax_leaf *leaf = node_at(t, *ref);

		leaf->present &= ~(1UL << leaf_slot(index));
		if (!leaf->present) {
			node_free(t, DAX_NODE_LEAF, leaf);
			*ref = 0;
		}
	}
	t->nr_entries--;
	t->nr_pages -= 1UL << dax_entry_order(old);
	path_prune(t, &p);
	return old;
}

uint8_t *dax_table_window_byte(struct dax_table *t, uint64_t index)
{
	struct dax_window *w = window_find(t, window_nr(index));

	return w ? &w->byte : NULL;
}

/* ------------------------------------------------------------------ marks */

/* A set bit has all bits above it set: the first one found set ends the way. */
void dax_table_set_mark(struct dax_table *t, uint64_t index, enum dax_mark mark)
{
	uint64_t bit = 1UL << leaf_slot(index);
	unsigned int l = leaf_nr(index);
	struct path p;
	bool found = path_find(t, window_nr(index), &p);

	assert(found && slot_of(t, p.window, index));
	(void)found;
	if (p.window->pmd) {
		l = 0;
	} else {
		struct dax_leaf *leaf = node_at(t, p.window->leaf[l]);

		if (leaf->marked[mark] & bit)
			return;
		leaf->marked[mark] |= bit;
	}
	if (p.window->marked[mark] & 1U << l)
		return;
	p.window->marked[mark] |= 1U << l;
	for (unsigned int level = 0; level < p.height; level++) {
		bit = 1UL << dir_slot(p.window_nr, level);
		if (p.dirs[level]->marked[mark] & bit)
			return;
		p.dirs[level]->marked[mark] |= bit;
	}
}

void dax_table_clear_mark(struct dax_table *t, uint64_t index, enum dax_mark mark)
{
	unsigned int l = leaf_nr(index);
	struct path p;
	bool found = path_find(t, window_nr(index), &p);

	assert(found && slot_of(t, p.window, index));
	(void)found;
	if (p.window->pmd) {
		l = 0;
	} else {
		struct dax_leaf *leaf = node_at(t, p.window->leaf[l]);

		leaf->marked[mark] &= ~(1UL << leaf_slot(index));
		if (leaf->marked[mark])
			return;
	}
	p.window->marked[mark] &= ~(1U << l);
	if (p.window->marked[mark])
		return;
	for (unsigned int level = 0; level < p.height; level++) {
		p.dirs[level]->marked[mark] &=
			~(1UL << dir_slot(p.window_nr, level));
		if (p.dirs[level]->marked[mark])
			return;
	}
}

bool dax_table_get_mark(const struct dax_table *t, uint64_t index,
			enum dax_mark mark)
{
	struct dax_window *w = window_find(t, window_nr(index));
	const struct dax_leaf *leaf;

	if (!slot_of(t, w, index))
		return false;
	if (w->pmd)
		return w->marked[mark] & 1;
	leaf = node_at(t, w->leaf[leaf_nr(index)]);
	return leaf->marked[mark] >> leaf_slot(index) & 1;
}
