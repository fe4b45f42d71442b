/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The process's own userfaultfd, for mappings that nobody but the media see: in
 * SIGBUS mode, so that nobody ever waits in it and no message comes out of it. One
 * for all of them, since each of their mappings is registered by itself and leaves
 * it when it is unmapped.
 */
#ifndef UDAX_IO_UFFD_OWN_H
#define UDAX_IO_UFFD_OWN_H

/*
 * Its descriptor, which is never closed, or -errno. Made at the first call; any
 * thread, any lock held. For missing and cached pages of shared memory.
 */
int uffd_own(void);

#endif
