#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What the shim shows to the programs it lives in: the calls that it stands for,
# nothing else. And what it needs of the C library: nothing that allocates, looks
# symbols up or is bound at its first call.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd nm
requires_cmd readelf
shim=$top_builddir/libudax-preload.so

sort >"$scratch/want" <<END
__open
__open64
__open64_2
__open_2
__openat64_2
__openat_2
__pread64_chk
__pread_chk
__read_chk
creat
creat64
fallocate
fallocate64
fdatasync
fopen
fopen64
fsync
ftruncate
ftruncate64
madvise
mmap
mmap64
mprotect
mremap
msync
munmap
open
open64
openat
openat64
pkey_mprotect
posix_fallocate
posix_fallocate64
pread
pread64
preadv
preadv2
preadv64
preadv64v2
pwrite
pwrite64
pwritev
pwritev2
pwritev64
pwritev64v2
read
readv
remap_file_pages
sync
sync_file_range
syncfs
truncate
truncate64
write
writev
END
nm -D --defined-only "$shim" | cut -d ' ' -f 3 | sort >"$scratch/have"
diff "$scratch/want" "$scratch/have" || fail "exported symbols"

# Less the compiler's own, and those of the C library's start files.
nm -D --undefined-only "$shim" | grep -v ' w ' | sed 's/.* U //; s/@.*//' |
	sort >"$scratch/needs"
sort >"$scratch/may" <<END
_IO_fopen
__chk_fail
__environ
__errno_location
__libc_single_threaded
__register_atfork
__stack_chk_fail
environ
fileno_unlocked
pthread_setcanceltype
strerrordesc_np
END
comm -23 "$scratch/needs" "$scratch/may" >"$scratch/more"
test ! -s "$scratch/more" || { cat "$scratch/more"; fail "symbols needed"; }

readelf -dW "$shim" >"$scratch/dynamic"
grep -q -E 'BIND_NOW|FLAGS_1.*NOW' "$scratch/dynamic" || fail "lazy binding"
grep -q SYMBOLIC "$scratch/dynamic" || fail "its own calls can be interposed"
libs=$(grep -c NEEDED "$scratch/dynamic")
test "$libs" = 1 || { cat "$scratch/dynamic"; fail "more than the C library"; }
# Thread-local storage of the static kind: no __tls_get_addr, and little of it.
bytes=$(readelf -lW "$shim" | sed -n 's/^ *TLS *[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .*/\1/p')
test $((bytes)) -le 16 || fail "thread-local storage: $bytes bytes"
