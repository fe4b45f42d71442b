/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every step of every machine: STEP(name, function, entry). Between two steps
 * the operation's driver does what the verb asked. @entry says whether the step
 * begins with an entry locked by this operation. No include guard: define STEP
 * and include.
 */
/* faults: fault.c */
STEP(FAULT_START,	step_fault_start,	0)
STEP(FAULT_BEGIN,	step_fault_begin,	0)
STEP(GRAB,		step_grab,		0)
STEP(GRAB_NOMEM,	step_grab_nomem,	0)
STEP(GRAB_DOWNGRADE,	step_grab_downgrade,	1)
STEP(PT_CHECKED,	step_pt_checked,	1)
STEP(IOMAPPED,		step_iomapped,		1)
STEP(COPIED,		step_copied,		1)
STEP(INSERT,		step_insert,		1)
STEP(MAPPED,		step_mapped,		1)
STEP(UNLOCK,		step_unlock,		1)
STEP(UNLOCK_WAKE,	step_unlock_wake,	0)
STEP(FAULT_END,		step_fault_end,		0)
/* completion of a MAP_SYNC fault: fault.c */
STEP(MKWRITE_START,	step_mkwrite_start,	0)
STEP(MKWRITE_SYNC,	step_mkwrite_sync,	0)
STEP(MKWRITE_SYNCED,	step_mkwrite_synced,	0)
STEP(MKWRITE_LOOKUP,	step_mkwrite_lookup,	0)
STEP(MKWRITE_MAPPED,	step_mkwrite_mapped,	1)
/* range operations: range.c */
STEP(WB_START,		step_wb_start,		0)
STEP(WB_ENTRY,		step_wb_entry,		0)
STEP(WB_WAITED,		step_wb_waited,		0)
STEP(WB_PROTECTED,	step_wb_protected,	1)
STEP(WB_FLUSHED,	step_wb_flushed,	1)
STEP(INVALIDATE,	step_invalidate,	0)
STEP(SCAN_START,	step_scan_start,	0)
STEP(SCAN_LOCKED,	step_scan_locked,	0)
STEP(DELETE_RANGE,	step_delete_range,	0)
STEP(BUSY_ENTRY,	step_busy_entry,	0)
STEP(BUSY_ANSWERED,	step_busy_answered,	0)
STEP(LOCK_ENTRY,	step_lock_entry,	0)
/* op.c */
STEP(CANCELLED,		step_cancelled,		0)
STEP(DONE,		step_done,		0)
