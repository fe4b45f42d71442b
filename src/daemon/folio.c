/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/folio.h"
#include "daemon/session.h"

/*
 * Once looked up it is not looked up again: who holds the window's entry is the
 * only one to change it, and for a refill, which holds none, it is a hint. i_pages
 * held.
 */
static enum window_folio folio_held(struct task *t)
{
	uint64_t pgoff = (t->region->offset + t->addr - t->region->start) >>
		PAGE_SHIFT;
	uint8_t *byte;

	if (t->folio < 0) {
		byte = dax_table_window_byte(&t->file->mapping.table, pgoff);
		t->folio = byte ? *byte : FOLIO_UNKNOWN;
	}
	return t->folio;
}

enum window_folio folio_get(struct task *t)
{
	struct dax_mapping *mapping = &t->file->mapping;

	if (t->folio < 0) {
		lock_take(&mapping->i_pages);
		folio_held(t);
		lock_release(&mapping->i_pages);
	}
	return t->folio;
}

void folio_set(struct task *t, enum window_folio folio)
{
	struct dax_mapping *mapping = &t->file->mapping;
	uint8_t *byte;

	if (t->folio == (int8_t)folio)
		return;
	lock_take(&mapping->i_pages);
	byte = dax_table_window_byte(&mapping->table, t->op.pgoff);
	if (byte)
		*byte = folio;
	lock_release(&mapping->i_pages);
	t->folio = folio;
}

bool folio_seen_for_2m(enum window_folio folio)
{
	return folio == FOLIO_HUGE || folio == FOLIO_NOHUGE;
}

uint64_t folio_pos(const struct task *t)
{
	return (t->op.pgoff & ~PG_PMD_COLOUR) << PAGE_SHIFT;
}

bool folio_seen(struct task *t)
{
	return folio_get(t) != FOLIO_UNKNOWN;
}

void folio_filled(struct task *t)
{
	if (folio_get(t) == FOLIO_UNKNOWN)
		folio_set(t, FOLIO_FULL);
}

void folio_doubt(struct task *t)
{
	folio_set(t, FOLIO_UNKNOWN);
}

/* The medium may remember what was known when the file was mapped before. */
bool folio_full(struct task *t)
{
	struct media *m = t->file->media;

	if (folio_get(t) == FOLIO_UNKNOWN && m->ops->is_huge &&
	    m->ops->is_huge(m, folio_pos(t)))
		folio_set(t, FOLIO_HUGE);
	return folio_seen_for_2m(folio_get(t));
}

/* The message says so for a page, what was seen of the window for 2M. */
bool folio_known_present(struct task *t)
{
	if (t->file->media->kind != MEDIA_DIRECT)
		return false;
	if (!t->op.order)
		return t->minor && !t->waited;
	return !dax_is_zero_entry(t->op.entry) &&
	       folio_seen_for_2m(folio_held(t));
}
