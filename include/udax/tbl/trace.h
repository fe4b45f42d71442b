/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The records of a trace: X(ID, struct udax_trace_..., "event"). Their order is
 * the file format: new ones go to the end. No include guard: define X, include,
 * undefine it.
 */
/* who and what: no events of their own, the others name them by number */
X(SESSION,	session,	"udax_session")
X(FILE,		file_known,	"udax_file")
X(REGION,	region,		"udax_region")
/* messages of a userfaultfd */
X(PAGE_FAULT,	page_fault,	"udax_page_fault")
X(DROP,		drop,		"udax_page_fault_drop")
X(REFILL,	refill,		"udax_refill")
/* one attempt of the fault handler */
X(FAULT,	fault,		"dax_fault")
X(FAULT_DONE,	fault_done,	"dax_fault_done")
X(INSTALL,	install,	"udax_install")
X(SPLIT_PMD,	split,		"udax_split_pmd")
/* entries, their lock and their waits */
X(LOCK,		entry,		"dax_entry_lock")
X(UNLOCK,	entry,		"dax_entry_unlock")
X(WAIT_BEGIN,	wait_begin,	"dax_entry_wait_begin")
X(WAIT_END,	wait_end,	"dax_entry_wait_end")
X(WAKE,		wake,		"dax_entry_wake")
X(CONFLICT,	conflict,	"dax_entry_conflict")
X(REMOVE,	entry,		"dax_entry_remove")
/* ranges of a file */
X(UNMAP,	pages,		"udax_unmap")
X(WRPROTECT,	pages,		"udax_wrprotect")
X(RANGE,	range,		"dax_range")
X(RANGE_DONE,	range,		"dax_range_done")
X(WRITEBACK_ONE, pages,		"dax_writeback_one")
X(FSYNC,	pages,		"udax_finish_sync")
/* a sleep that nobody is left to end */
X(STRANDED,	wait_begin,	"dax_entry_stranded")
