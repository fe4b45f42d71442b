/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What udaxd has learnt of the folio behind each 2M window of a file on tmpfs: a byte
 * beside the table's node, so that a 2M fault need not ask the kernel again.
 */
#ifndef UDAX_DAEMON_FOLIO_H
#define UDAX_DAEMON_FOLIO_H

#include "daemon/exec.h"

/*
 * What is known of a window; dax_table_window_byte(). Known means that it was
 * seen full: every page is in the memory.
 */
enum window_folio {
	FOLIO_UNKNOWN,
	FOLIO_HUGE,
	FOLIO_NOHUGE,
	FOLIO_FULL,	/* seen full, perhaps not cleared; for 2M it is unknown */
};

/* Of @t's window. Takes i_pages; looked up once a task. */
enum window_folio folio_get(struct task *t);
void folio_set(struct task *t, enum window_folio folio);
bool folio_seen_for_2m(enum window_folio folio);
/* The window's place in the file, bytes. */
uint64_t folio_pos(const struct task *t);
/* Has the window of this 2M fault been mapped as a whole before? */
bool folio_full(struct task *t);
/* Every page of the window was seen in the memory; it is now; one was not. */
bool folio_seen(struct task *t);
void folio_filled(struct task *t);
void folio_doubt(struct task *t);
/* Is what this fault asks for known to be in the file's memory? i_pages held. */
bool folio_known_present(struct task *t);

#endif
