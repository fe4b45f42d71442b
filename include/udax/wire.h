/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data-plane protocol between a program (libudax-preload.so) and udaxd, on
 * a SOCK_SEQPACKET socket. One packet is one struct udax_msg of fixed size, plus
 * at most UDAX_WIRE_MAX_FDS descriptors by SCM_RIGHTS. Host byte order: both
 * ends are on one machine.
 *
 * A request with UDAX_F_REPLY set gets exactly one reply, with the same op and
 * seq, op | UDAX_OP_REPLY, and error 0 or a positive errno. Requests of one
 * socket are handled in order. A packet that is too short or too long, has a
 * wrong magic, version, op or descriptor count gets a reply with EPROTO (or
 * EINVAL for a bad field), and changes nothing.
 *
 * Life of a session
 *	HELLO		who we are; the reply may carry an open /dev/userfaultfd
 *			(one descriptor) to make the userfaultfd with
 *	UFFD		+ the program's userfaultfd, on which no UFFDIO_API was done:
 *			udaxd does API and REGISTER. Sent before the first MAP.
 *	OPEN		+ the program's descriptor: how is this file to be mapped?
 *	BEGIN, raw mmap/munmap/mremap/mprotect/madvise, MAP or END
 *	FILEOP		after a size change, punch or zero of a managed file; with
 *			UDAX_HELLO_EXACT also after a write(2) to one
 *	SYNC		msync, fsync, fdatasync of an image file; with
 *			UDAX_HELLO_EXACT of any managed file
 *	FS		of clients that are a file's file system
 *	HELLO AGENT, ZAP	see struct udax_zap
 * The session ends when the process does (pidfd) or its memory is gone (exec);
 * a socket that hangs up while both live may be replaced by a new one: HELLO
 * with UDAX_HELLO_AGAIN and the session's id.
 */
#ifndef UDAX_WIRE_H
#define UDAX_WIRE_H

#include <stdint.h>

#define UDAX_WIRE_MAGIC		0x58414455u	/* "UDAX" */
#define UDAX_WIRE_VERSION	1
#define UDAX_WIRE_MAX_FDS	2

enum udax_op {
	UDAX_OP_HELLO = 1,
	UDAX_OP_UFFD,
	UDAX_OP_OPEN,
	UDAX_OP_BEGIN,
	UDAX_OP_END,
	UDAX_OP_MAP,
	UDAX_OP_FILEOP,
	UDAX_OP_SYNC,
	UDAX_OP_KEEP,		/* udaxd to the keeper: hold these descriptors */
	UDAX_OP_FS,
	UDAX_OP_ZAP,		/* udaxd to the agent: take these translations away */
	UDAX_OP_NR,
	UDAX_OP_REPLY = 0x8000,
};

/* udax_msg.flags */
#define UDAX_F_REPLY	0x1u	/* the sender waits for a reply */

struct udax_hdr {
	uint32_t magic;
	uint16_t version;
	uint16_t op;
	uint32_t seq;		/* the sender's choice, echoed */
	uint32_t flags;
	int32_t error;		/* replies: 0 or a positive errno */
	uint32_t nfds;		/* descriptors that come with the packet */
};

/* hello.kind */
enum udax_hello_kind {
	UDAX_HELLO_NEW = 1,	/* a program's first contact, or after exec */
	UDAX_HELLO_FORKED,	/* in a forked child, see probe */
	UDAX_HELLO_AGAIN,	/* the socket was lost, the memory was not */
	UDAX_HELLO_KEEPER,	/* udax run: holds descriptors of image sessions */
	UDAX_HELLO_AGENT,	/* a thread of the session's process that serves ZAP */
};

/* hello reply, udax_hello.flags */
#define UDAX_HELLO_CLAIMED	0x1u	/* FORKED: the fork event was seen, the child's
					 * regions are served; else send UFFD and MAPs */
#define UDAX_HELLO_EXACT	0x4u	/* --track exact: files in memory are followed as
					 * the kernel does it. The program starts an
					 * agent before its first MAP, tells of syncs and
					 * writes, grants MAP_SYNC, waits for each END */

/* hello request, udax_hello.flags */
#define UDAX_HELLO_MMAP_LOCK	0x2u	/* every change of the address space is
					 * bracketed: BEGIN takes the emulated
					 * mmap_lock for write, faults for read */

struct udax_hello {
	uint32_t kind;		/* enum udax_hello_kind */
	uint32_t flags;		/* UDAX_HELLO_*, each way its own */
	uint64_t token;		/* UDAX_TOKEN: the run that it belongs to; 0: none */
	uint64_t session;	/* reply: the id. FORKED: the parent's, AGAIN, AGENT: its own */
	uint64_t probe;		/* FORKED: a fresh private anonymous page of the child,
				 * never touched; udaxd finds the child's userfaultfd
				 * by it (it writes a nonce there through it) */
};

/* How a file is to be mapped: reply to OPEN. */
enum udax_media {
	UDAX_MEDIA_NONE,	/* not served: map it as if there were no udax */
	UDAX_MEDIA_DIRECT,	/* the program's own descriptor */
	UDAX_MEDIA_IMAGE,	/* the memfd that comes with the reply, same offsets */
};

struct udax_open {
	uint32_t media;		/* reply: enum udax_media */
	uint32_t page_size;	/* reply: 4096, or 2M on hugetlbfs */
	uint64_t file;		/* reply: id, good in MAP while the session lives */
	uint64_t dev, ino;	/* reply */
};

/* What the program is about to do to the range; begin.what. */
enum udax_change {
	UDAX_CHANGE_MMAP = 1,	/* a new mapping, at an address that may be in use */
	UDAX_CHANGE_MUNMAP,
	UDAX_CHANGE_MREMAP,
	UDAX_CHANGE_MPROTECT,	/* prot: the new protection */
	UDAX_CHANGE_MADVISE,	/* advice */
	UDAX_CHANGE_OTHER,	/* of what udaxd does not serve: UDAX_HELLO_MMAP_LOCK */
};

/*
 * BEGIN: from its reply on udaxd installs nothing in the session (the program
 * holds its own lock: one change at a time). Faults meanwhile stay asleep.
 * END: what came of it. Then the sleepers are woken and fault again. A BEGIN
 * for UDAX_CHANGE_MMAP may be ended by MAP instead.
 *
 * With UDAX_HELLO_MMAP_LOCK the reply to BEGIN also waits for the faults that are
 * being served, and faults that come after BEGIN wait for END; but for the advice
 * that the kernel gives with its lock held shared (UDAX_CHANGE_MADVISE).
 */
struct udax_begin {
	uint32_t what;		/* enum udax_change */
	uint32_t prot;
	int32_t advice;
	uint32_t waiting;	/* threads of the program behind this one */
	uint64_t addr, len;	/* MREMAP: the old range */
	uint64_t new_addr, new_len;	/* MREMAP: new_addr 0 = not known yet */
};

struct udax_end {
	uint32_t what;		/* as in BEGIN */
	int32_t error;		/* 0, or the errno of the change: nothing happened */
	uint32_t prot;
	int32_t advice;
	uint64_t addr, len;
	uint64_t new_addr, new_len;	/* MREMAP: where it is now */
	uint32_t waiting;	/* as in BEGIN, now */
	uint32_t pad;
};

/* map.flags */
#define UDAX_MAP_PRIVATE	0x1u	/* the program asked for MAP_PRIVATE */
#define UDAX_MAP_RDONLY_FD	0x2u	/* MAP_SHARED of an O_RDONLY descriptor, made
					 * MAP_PRIVATE|PROT_READ by the shim */
#define UDAX_MAP_SYNC		0x4u
#define UDAX_MAP_NOHUGE		0x8u	/* no 2M attempts (MADV_NOHUGEPAGE) */
#define UDAX_MAP_HUGE		0x10u	/* MADV_HUGEPAGE: not one with neighbours */

/*
 * MAP: the range is mapped; register and serve it. With the program's descriptor
 * (direct) or with file = the id from OPEN (image; no descriptor). Ends the
 * bracket if one is open. Errors: the mapping stays, un-emulated.
 */
struct udax_map {
	uint64_t addr, len;	/* len rounded up to pages (2M on hugetlbfs) */
	uint64_t offset;	/* bytes in the file */
	uint64_t file;		/* id from OPEN, or 0: a descriptor comes along */
	uint32_t prot;
	uint32_t flags;		/* UDAX_MAP_* */
	uint64_t region;	/* reply: id, for logs */
	uint32_t media;		/* reply: enum udax_media */
	uint32_t pad;
};

enum udax_fileop {
	UDAX_FILEOP_TRUNCATE = 1,	/* len: the new size */
	UDAX_FILEOP_PUNCH,		/* also MADV_REMOVE: offset, len */
	UDAX_FILEOP_ZERO,
	UDAX_FILEOP_COLLAPSE,		/* also INSERT: everything from offset on moves */
	UDAX_FILEOP_ALLOCATE,		/* plain fallocate: the size may have grown */
	UDAX_FILEOP_WRITE,		/* write(2) stored len bytes at offset */
};

/* Always comes with the program's descriptor. Sent after the raw call succeeded. */
struct udax_fileop_msg {
	uint32_t what;		/* enum udax_fileop */
	uint32_t pad;
	uint64_t offset, len;
};

enum udax_sync {
	UDAX_SYNC_RANGE = 1,	/* msync: addr, len in the program */
	UDAX_SYNC_FILE,		/* fsync, fdatasync: comes with the descriptor */
	UDAX_SYNC_ALL,		/* sync, syncfs: every file of the session */
};

struct udax_sync_msg {
	uint32_t what;		/* enum udax_sync */
	uint32_t pad;
	uint64_t addr, len;
};

/*
 * KEEP: udaxd to the keeper, with a userfaultfd and a memfd (two descriptors),
 * answered by a reply once they are held. session + nfds = 0: that session is
 * over, drop them (no reply).
 */
struct udax_keep {
	uint64_t session;
	uint64_t pid;
};

/*
 * FS: the client is the file system of a file. The medium holds the bytes only;
 * where they are, and what an operation does to entries and mappings, the client
 * says. Its main thread touches mappings by system calls only. `udax replay` does
 * it for file systems that it simulates.
 */
enum udax_fs {
	/*
	 * + the file's descriptor and a SOCK_SEQPACKET socket: udaxd asks there for
	 * extents, one struct udax_extent at a time, until it is closed. The
	 * file is held until the session ends. Before its first MAP.
	 */
	UDAX_FS_EXTENTS = 1,
	/* + the file's descriptor; the invalidate lock, exclusive */
	UDAX_FS_LOCK,
	UDAX_FS_UNLOCK,
	/* + the file's descriptor: an operation of the model on [first, last] */
	UDAX_FS_RANGE,
	/* + the file's descriptor: zap [first, last] in every mapping */
	UDAX_FS_UNMAP,
	/* + the file's descriptor: its size is another now */
	UDAX_FS_RESIZED,
	/*
	 * A fault at addr that the kernel ended without a message. The reply comes
	 * when the child is known. ESRCH: it is gone; EBUSY: another PROBE or LOOK
	 * waits for a child.
	 */
	UDAX_FS_PROBE,
	/* EEXIST: an access hits, by the emulated page table; else ENOENT; or as PROBE */
	UDAX_FS_LOOK,
	/* The reply comes when no fault is being served. */
	UDAX_FS_QUIET,
};

struct udax_fs_msg {
	uint32_t what;		/* enum udax_fs */
	uint32_t kind;		/* RANGE: enum dax_op_kind, range operations */
	uint64_t first, last;	/* pages, inclusive */
	uint64_t addr;		/* PROBE, LOOK */
	uint32_t child;		/* the same: 0, or n: in the n-th forked child */
	uint32_t tid;		/* PROBE: of the thread that faulted */
	uint32_t write;		/* PROBE, LOOK */
	uint32_t pad;
};

/*
 * Question and answer on the socket of UDAX_FS_EXTENTS. len 0 asks for nothing:
 * a fault needs the file's metadata durable.
 */
struct udax_extent {
	uint64_t pos, len;	/* bytes; len: asked for, then from pos on */
	uint64_t pfn;		/* answer: page in the medium of pos */
	uint32_t write;		/* allocate */
	int32_t error;		/* answer: 0 or -errno */
	uint32_t type;		/* answer: enum dax_iomap_type */
	uint32_t flags;		/* answer: enum dax_iomap_flags */
};

/*
 * ZAP: udaxd to the agent, one at a time, answered by a reply once it is done:
 * the translations of the ranges are to go, as by the kernel's
 * unmap_mapping_range(..., even_cows = 0). MADV_DONTNEED does it; the pages are
 * the file's and stay. Private copies, and whatever is anonymous, must not go:
 * /proc/self/pagemap tells them (bit 63, present, and bit 61, of a file).
 *
 * While a ZAP is unanswered udaxd answers no BEGIN, and from a BEGIN to its END
 * it sends none: the ranges are what udaxd thinks they are. The agent takes no
 * lock and calls nothing that waits for udaxd.
 */
#define UDAX_ZAP_RANGES	6

struct udax_zap {
	uint32_t nr;
	uint32_t pad;
	struct {
		uint64_t addr, len;
	} range[UDAX_ZAP_RANGES];
};

struct udax_msg {
	struct udax_hdr hdr;
	union {
		struct udax_hello hello;
		struct udax_open open;
		struct udax_begin begin;
		struct udax_end end;
		struct udax_map map;
		struct udax_fileop_msg fileop;
		struct udax_sync_msg sync;
		struct udax_keep keep;
		struct udax_fs_msg fs;
		struct udax_zap zap;
		uint8_t size[104];
	};
};

_Static_assert(sizeof(struct udax_hdr) == 24, "wire format");
_Static_assert(sizeof(struct udax_msg) == 128, "wire format");
_Static_assert(sizeof(struct udax_extent) == 40, "wire format");

/*
 * Environment of a program under udax. The shim reads them once, in its
 * constructor, and leaves them for children.
 */
#define UDAX_ENV_SOCKET		"UDAX_SOCKET"	/* udaxd's data socket */
#define UDAX_ENV_PMEM		"UDAX_PMEM"	/* canonical directories, ':' between */
#define UDAX_ENV_TOKEN		"UDAX_TOKEN"	/* hexadecimal run token */
#define UDAX_ENV_REQUIRE	"UDAX_REQUIRE"	/* 1: no daemon is fatal (exit 125) */
#define UDAX_ENV_MMAP_LOCK	"UDAX_MMAP_LOCK"	/* "kernel": UDAX_HELLO_MMAP_LOCK */
#define UDAX_ENV_EXACT		"UDAX_EXACT"	/* 1: udaxd runs with --track exact, says
						 * udax run; programs that only write(2)
						 * must know it before they say hello */
#define UDAX_ENV_VERBOSE	"UDAX_VERBOSE"	/* 1: the shim says what it does */

/* The control socket's path is the data socket's with this appended. */
#define UDAX_CONTROL_SUFFIX	".ctl"

#endif
