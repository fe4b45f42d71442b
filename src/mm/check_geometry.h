/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The checker has a model of its own: the sources of src/dax compiled a second
 * time with this file included first (-include), so small that everything
 * collides, and without the checks that debug builds run after each step, which
 * the checker runs itself, once a state. Windows have four pages, all operations
 * keep to the first three; there is one wait queue.
 *
 * Both models may be linked into one program: here every name that the linker
 * sees gets a prefix. tests/check/symbols.sh knows when one is missing.
 */
#ifndef UDAX_MM_CHECK_GEOMETRY_H
#define UDAX_MM_CHECK_GEOMETRY_H

#undef UDAX_DEBUG
#define PMD_ORDER 2
#define DAX_WAIT_TABLE_BITS 0
#define DAX_SLEEPER_BITS 0

#define  check_
#define dax_count_stranded check_dax_count_stranded
#define dax_fallback_name check_dax_fallback_name
#define dax_find_stranded check_dax_find_stranded
#define dax_finish check_dax_finish
#define dax_fs_lock check_dax_fs_lock
#define dax_insert_entry check_dax_insert_entry
#define dax_insert_unmaps check_dax_insert_unmaps
#define dax_invalidate_entry check_dax_invalidate_entry
#define dax_kind_name check_dax_kind_name
#define dax_lock_entry check_dax_lock_entry
#define dax_mapping_exit check_dax_mapping_exit
#define dax_mapping_init check_dax_mapping_init
#define dax_op_cancel check_dax_op_cancel
#define dax_op_init_fault check_dax_op_init_fault
#define dax_op_init_mkwrite check_dax_op_init_mkwrite
#define dax_op_init_range check_dax_op_init_range
#define dax_op_kick check_dax_op_kick
#define dax_op_step check_dax_op_step
#define dax_protocol_find check_dax_protocol_find
#define dax_protocol_nth check_dax_protocol_nth
#define dax_remove_entry check_dax_remove_entry
#define dax_scan_entry check_dax_scan_entry
#define dax_sleeper_lists_init check_dax_sleeper_lists_init
#define dax_step_name check_dax_step_name
#define dax_store_unlocked check_dax_store_unlocked
#define dax_table_clear_mark check_dax_table_clear_mark
#define dax_table_erase check_dax_table_erase
#define dax_table_get_mark check_dax_table_get_mark
#define dax_table_init check_dax_table_init
#define dax_table_insert check_dax_table_insert
#define dax_table_load check_dax_table_load
#define dax_table_next check_dax_table_next
#define dax_table_next_marked check_dax_table_next_marked
#define dax_table_replace check_dax_table_replace
#define dax_table_set_mark check_dax_table_set_mark
#define dax_table_set_memory check_dax_table_set_memory
#define dax_table_tag check_dax_table_tag
#define dax_table_verify check_dax_table_verify
#define dax_table_verify_at check_dax_table_verify_at
#define dax_table_window_byte check_dax_table_window_byte
#define dax_unlock_entry check_dax_unlock_entry
#define dax_unlock_key check_dax_unlock_key
#define dax_verb_name check_dax_verb_name
#define dax_verify check_dax_verify
#define dax_wait_cancel check_dax_wait_cancel
#define dax_wait_finish check_dax_wait_finish
#define dax_wait_has_picked check_dax_wait_has_picked
#define dax_wait_note_release check_dax_wait_note_release
#define dax_wait_queue check_dax_wait_queue
#define dax_wait_sleep check_dax_wait_sleep
#define dax_wait_table_exit check_dax_wait_table_exit
#define dax_wait_table_init check_dax_wait_table_init
#define dax_wait_table_size check_dax_wait_table_size
#define dax_wait_wake check_dax_wait_wake
#define dax_waiter_stranded check_dax_waiter_stranded
#define dax_wake_entry check_dax_wake_entry
#define dax_wake_spent check_dax_wake_spent
#define get_unlocked_entry check_get_unlocked_entry
#define grab_downgrade check_grab_downgrade
#define grab_downgrade_again check_grab_downgrade_again
#define grab_mapping_entry check_grab_mapping_entry
#define put_unlocked_entry check_put_unlocked_entry
#define step_busy_answered check_step_busy_answered
#define step_busy_entry check_step_busy_entry
#define step_cancelled check_step_cancelled
#define step_copied check_step_copied
#define step_delete_range check_step_delete_range
#define step_done check_step_done
#define step_fault_begin check_step_fault_begin
#define step_fault_end check_step_fault_end
#define step_fault_start check_step_fault_start
#define step_grab check_step_grab
#define step_grab_downgrade check_step_grab_downgrade
#define step_grab_nomem check_step_grab_nomem
#define step_insert check_step_insert
#define step_invalidate check_step_invalidate
#define step_iomapped check_step_iomapped
#define step_lock_entry check_step_lock_entry
#define step_mapped check_step_mapped
#define step_mkwrite_lookup check_step_mkwrite_lookup
#define step_mkwrite_mapped check_step_mkwrite_mapped
#define step_mkwrite_start check_step_mkwrite_start
#define step_mkwrite_sync check_step_mkwrite_sync
#define step_mkwrite_synced check_step_mkwrite_synced
#define step_pt_checked check_step_pt_checked
#define step_scan_locked check_step_scan_locked
#define step_scan_start check_step_scan_start
#define step_unlock check_step_unlock
#define step_unlock_wake check_step_unlock_wake
#define step_wb_entry check_step_wb_entry
#define step_wb_flushed check_step_wb_flushed
#define step_wb_protected check_step_wb_protected
#define step_wb_start check_step_wb_start
#define step_wb_waited check_step_wb_waited

#endif
