/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hash of a state: of what is shared, as it is; of each task, what it has
 * seen and may still act by. A task is deterministic, so that tells where it is.
 */
#include <string.h>

#include "mm/race_int.h"

void race_mix(uint64_t hash[2], uint64_t value)
{
	uint64_t a = (hash[0] ^ value) * 0x9e3779b97f4a7c15UL + 1;
	uint64_t b = (hash[1] + value) * 0xc2b2ae3d27d4eb4fUL + 1;

	hash[0] = a ^ a >> 29;
	hash[1] = b ^ b >> 32 ^ hash[0];
}

void race_mix_bytes(uint64_t hash[2], const void *data, size_t len)
{
	const char *at = data;
	uint64_t word;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		race_mix(hash, word);
	}
	for (word = len; len; len--)
		word = word << 8 | (uint8_t)*at++;
	race_mix(hash, word);
}

/* One line without lk= and .offcolour; of ev= only whether it slept. */
static void mix_line(uint64_t hash[2], const char *line, const char *end)
{
	static const char offcolour[] = ".offcolour";
	const size_t n = sizeof(offcolour) - 1;

	while (line < end) {
		if ((size_t)(end - line) >= n && !memcmp(line, offcolour, n)) {
			line += n;
		} else if (end - line > 4 && !memcmp(line, " lk=", 4)) {
			for (line += 4; line < end && *line != ' '; line++)
				;
		} else if (end - line > 4 && !memcmp(line, " ev=", 4)) {
			race_mix(hash, memmem(line, end - line, "wait", 4) !=
				 NULL);
			return;
		} else {
			race_mix(hash, (uint8_t)*line++);
		}
	}
}

void race_mix_log(uint64_t hash[2], const char *text, size_t len)
{
	const char *end = text + len, *nl;

	for (; text < end; text = nl + 1) {
		nl = memchr(text, '\n', end - text);
		if (!nl)
			nl = end;
		if (nl - text > 4 && !memcmp(text, "  s ", 4))
			continue;
		mix_line(hash, text, nl);
		race_mix(hash, '\n');
	}
}

/* ------------------------------------------------------------ file system */

static void mix_extents(uint64_t hash[2], const struct simfs_file *f)
{
	unsigned int i;

	race_mix(hash, f->size);
	race_mix(hash, f->dirty);
	race_mix(hash, f->nr_ext);
	for (i = 0; i < f->nr_ext; i++) {
		race_mix(hash, f->ext[i].page);
		race_mix(hash, f->ext[i].nr);
		race_mix(hash, f->ext[i].state);
		race_mix(hash, f->ext[i].pfn);
	}
}

void race_hash_extents(struct race *x, uint64_t hash[2])
{
	const struct replay_file *file;

	for (file = x->r.files; file; file = file->next)
		mix_extents(hash, &file->fs);
	race_mix(hash, x->r.fs.used);
}

/* ------------------------------------------------------------------ model */

static void mix_lock(uint64_t hash[2], const struct model_lock *l)
{
	race_mix(hash, l->shared * 2UL + l->excl);
}

/* How many sleep on the key of @w, and fell asleep before. */
static unsigned int place(const struct dax_mapping *m, const struct dax_waiter *w)
{
	const struct dax_waiter *o;
	unsigned int n = 0;

	list_for_each(o, &m->sleepers, sleeper) {
		if (o == w)
			break;
		n += o->queued && o->key.entry_start == w->key.entry_start;
	}
	return n;
}

/* Of those who sleep only the order among those with one key matters. */
static void mix_sleepers(uint64_t hash[2], struct race *x,
			 const struct dax_mapping *m)
{
	struct dax_waiter *w;
	uint64_t sum[2] = { 0, 0 };

	list_for_each(w, &m->sleepers, sleeper) {
		const struct race_task *t = dax_waiter_op(w)->driver;
		uint64_t one[2] = { 0, 0 };

		if (!w->queued)
			continue;
		race_mix(one, t - x->task);
		race_mix(one, w->key.entry_start);
		race_mix(one, w->exclusive + 2UL * place(m, w));
		sum[0] += one[0];
		sum[1] += one[1];
	}
	race_mix(hash, sum[0]);
	race_mix(hash, sum[1]);
	race_mix(hash, m->wakes_pending);
}

/* The order in which they fell asleep is the order of their queues. */
static void mix_all_sleepers(uint64_t hash[2], struct race *x,
			     const struct dax_mapping *m)
{
	struct dax_waiter *w;

	list_for_each(w, &m->sleepers, sleeper) {
		const struct race_task *t = dax_waiter_op(w)->driver;

		race_mix(hash, t - x->task);
		race_mix(hash, w->key.entry_start);
		race_mix(hash, w->exclusive * 2UL + w->queued);
	}
	race_mix(hash, m->wakes_pending);
}

static void mix_table(uint64_t hash[2], const struct dax_table *t)
{
	dax_entry_t entry;
	uint64_t index = 0;
	unsigned int mark;

	while (index <= REPLAY_LAST &&
	       (entry = dax_table_next(t, &index, REPLAY_LAST))) {
		race_mix(hash, index);
		race_mix(hash, entry);
		for (mark = 0; mark < DAX_MARKS; mark++)
			race_mix(hash, dax_table_get_mark(t, index, mark));
		index = dax_entry_last(entry, index) + 1;
	}
	race_mix(hash, t->nr_entries);
}

static void mix_files(uint64_t hash[2], struct race *x)
{
	const struct replay_file *file;

	for (file = x->r.files; file; file = file->next) {
		const struct model_file *mf = model_file(file);

		mix_extents(hash, &file->fs);
		race_mix(hash, file->fs.digest);
		race_mix(hash, mf->mapping.i_size);
		mix_table(hash, &mf->mapping.table);
		if (x->race->por)
			mix_sleepers(hash, x, &mf->mapping);
		else
			mix_all_sleepers(hash, x, &mf->mapping);
		mix_lock(hash, &mf->inval);
	}
	race_mix(hash, x->r.fs.next_base);
	race_mix(hash, x->r.fs.used);
}

/* --------------------------------------------------------------------- mm */

static void mix_pte(uint64_t hash[2], const struct pte *pte, unsigned int i)
{
	if (pte->kind == PTE_NONE)
		return;
	race_mix(hash, i << 8 | (unsigned int)pte->kind << 4 |
		 pte->hidden << 3 | pte->exclusive << 2 | pte->write << 1 |
		 pte->dirty);
	if (pte->kind != PTE_ANON)
		return;
	race_mix(hash, pte->anon->refs);
	race_mix_bytes(hash, pte->anon->bytes, DAX_PAGE_SIZE);
}

static void mix_mm(uint64_t hash[2], const struct mm *mm)
{
	unsigned int i, k;

	for (i = 0; i < mm->nr_vmas; i++) {
		race_mix(hash, mm->vmas[i].start);
		race_mix(hash, mm->vmas[i].end);
		race_mix(hash, mm->vmas[i].pgoff);
		race_mix(hash, mm->vmas[i].flags);
	}
	for (i = 0; i < mm->nr_pmds; i++) {
		const struct pmd *pmd = &mm->pmds[i];

		race_mix(hash, pmd->addr | pmd->slot << 4 | pmd->hidden << 3 |
			 pmd->zero << 2 | pmd->write << 1 | pmd->dirty);
		for (k = 0; pmd->slot == DAX_PT_TABLE && k < PG_PMD_NR; k++)
			mix_pte(hash, &pmd->ptes[k], k);
	}
	race_mix(hash, mm->nr_vmas);
}

/* ------------------------------------------------------------------ tasks */

/* What it has said is of its past: outcomes have it from the graph. */
static void mix_task(uint64_t hash[2], const struct race *x,
		     const struct race_task *t)
{
	bool released = t->released && t->state != RACE_IDLE;

	race_mix(hash, (uint64_t)(t - x->task) << 8 | t->state << 4 |
		 t->solo << 3 | released << 2 | t->armed << 1 | t->finished);
	if (t->finished)
		race_mix(hash, (uint64_t)t->access.outcome << 8 |
			 t->access.value);
	if (t != x->task && (t->armed || t->finished || t->state != RACE_IDLE)) {
		race_mix(hash, t->op - x->script->ops);
		race_mix(hash, t->addr);
	}
	if (!x->race->por) {
		race_mix(hash, t->said[0]);
		race_mix(hash, t->said[1]);
	}
	race_mix(hash, t->seen[0]);
	race_mix(hash, t->seen[1]);
}

/* What names stand for: operations of the script may have failed. */
static void mix_names(uint64_t hash[2], const struct replay *r)
{
	unsigned int i;

	for (i = 0; i < REPLAY_NAMES; i++) {
		const struct replay_map *map = &r->map[i];

		if (map->known) {
			race_mix(hash, map->start + i);
			race_mix(hash, map->len);
		}
		if (r->name[i].open)
			race_mix(hash, i);
	}
}

void race_hash(struct race *x, uint64_t hash[2])
{
	unsigned int i;

	hash[0] = 1;
	hash[1] = 2;
	for (i = 0; i < RACE_TASKS; i++)
		if (x->task[i].stack)
			mix_task(hash, x, &x->task[i]);
	mix_names(hash, &x->r);
	mix_files(hash, x);
	mix_mm(hash, &x->r.mm);
	if (x->m.child)
		mix_mm(hash, x->m.child);
	mix_lock(hash, &x->m.mmap_lock);
	mix_lock(hash, &x->m.ptl);
}
