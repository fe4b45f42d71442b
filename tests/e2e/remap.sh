#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Files that are mapped again soon after their last munmap, while udaxd still has
# what is behind them: the mapping shows the file as it is now, whatever happened to
# it; a run counts the same faults however fast it is; nothing stays, in whatever
# way the program ends, and a tmpfs is never full of what was unlinked.

. "${top_srcdir:-.}/tests/functions.sh"
. "${top_srcdir:-.}/tests/daemon.sh"
test -x "$python" || skip "$python is not installed"
requires_uffd
mapper=$top_builddir/mapper
remap=$(cd "$top_srcdir" && pwd)/tests/e2e/remap.py

# Two programs, in directories of their own.
changes () {
	mkdir -p "$1/1" "$1/2"
	udax_run "$1" -- sh -c 'W=$1
		(cd "$W/1" && exec "$2" -B "$3") & (cd "$W/2" && "$2" -B "$3") &&
			wait $!' sh "$1" "$python" "$remap" </dev/null ||
		fail "remap.py in $1"
	expect_pmd
	expect mappings -ge 300
	rm -r "$1"
}

changes "$scratch/p"
if test "$(id -u)" = 0; then
	tmpfs_mount "$scratch/always" size=64m,huge=always
	changes "$scratch/always/p"
fi

# lingers N: so many files do, says udaxd.
lingers () {
	test "$(daemon_status lingering)" = "$1"
}

# counts OUT [OP...]: the same with and without a pause in which udaxd forgets the
# file. Each pause by itself changes nothing: the 4K entries that the small mapping
# makes if the file was forgotten are in a window that is not touched again. An answer
# to `wait` is a line from $scratch/in.
counts () {
	out=$1
	shift
	rm -f "$pmem/f"
	daemon_run -- "$mapper" "$pmem/f" size 6m \
		map 0 6m rw fill 0 5m 1 unmap "$@" \
		map 0 6m rw check 0 5m 1 put 5m 7 unmap "$@" \
		map 0 1m r check 0 1m 1 unmap "$@" \
		map 0 6m rw check 2m 3m 1 zero 5200k 8k unmap \
		<"$scratch/in" >"$out" || fail "mapper"
	for name in faults.total faults.pte faults.pmd mappings \
		fallback.conflict fallback.eof; do
		echo "$name $(summary $name)"
	done
}

pmem=$scratch/p		# udax_run sets it
daemon_start
daemon_warm
mkfifo "$scratch/in" "$scratch/out"
exec 3<>"$scratch/in"
counts /dev/null >"$scratch/fast"
grep -q 'pmd 0' "$scratch/fast" && fail "no 2M fault: $(cat "$scratch/fast")"
counts "$scratch/out" wait pause >"$scratch/slow" &
slow=$!
exec 4<"$scratch/out"
for n in 1 2 3; do
	told 4 pause
	wait_for lingers 0
	echo go >&3
done
wait $slow || fail "with pauses"
grep -q -v ' 0$' "$scratch/slow" || fail "nothing was counted"
diff "$scratch/fast" "$scratch/slow" || fail "a pause changes what is counted"
daemon_idle

# Killed with files that linger, and with a mapping.
for n in 1 2 3 4 5; do
	daemon_run -- "$mapper" "$pmem/f" size 6m \
		map 0 6m rw fill 0 6m $n unmap map 0 6m rw put 0 1 unmap kill 9 \
		</dev/null
	expect_status $? 137
	daemon_run -- "$mapper" "$pmem/f" \
		map 0 6m rw put 8 1 kill 9 </dev/null
	expect_status $? 137
	daemon_idle
	lingers 0 || fail "a run is over, and a file of it lingers"
done

daemon_stop_quiet

# An image does not linger: it is written back, and has ended, when munmap() returns,
# and the next mapping is loaded from what the file holds then.
if test "$(stat -f -c %T "${UDAX_TEST_DISK:-/var/tmp}")" != tmpfs; then
	image_scratch
	changes "$disk/p"
	# munmap() does not wait for a mapping that was opened and then refused.
	cat >"$scratch/refused.py" <<-'EOP'
		import ctypes, os, sys
		libc = ctypes.CDLL(None, use_errno=True)
		SIZE, RW, SHARED, NOREPLACE = 1 << 20, 3, 1, 0x100000
		libc.mmap.restype = ctypes.c_void_p
		libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int,
		                      ctypes.c_int, ctypes.c_int, ctypes.c_long)
		libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
		f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		os.ftruncate(f, SIZE)
		at = libc.mmap(None, SIZE, RW, SHARED, f, 0)
		ctypes.memset(at, 1, SIZE)
		again = libc.mmap(at, SIZE, RW, SHARED | NOREPLACE, f, 0)
		assert again == ctypes.c_void_p(-1).value, hex(again)
		assert libc.munmap(at, SIZE) == 0
		assert os.pread(f, SIZE, 0) == b"\1" * SIZE
	EOP
	udax_run "$disk" -- "$python" "$scratch/refused.py" "$disk/refused" \
		</dev/null || fail "after a mapping that was refused"
	udax_run "$disk" -- "$mapper" "$disk/f" size 6m map 0 6m rw \
		fill 0 6m 1 unmap wait pause map 0 6m rw check 0 3m 1 \
		check 3m 3m 2 put 0 9 unmap wait pause <"$scratch/in" >"$scratch/out" &
	run=$!
	exec 4<"$scratch/out"
	told 4 pause
	"$mapper" "$disk/f" map 0 6m rw check 0 6m 1 fill 3m 3m 2 ||
		fail "an image was not written back by munmap()"
	echo go >&3
	told 4 pause
	test "$("$mapper" "$disk/f" map 0 6m r get 0)" = 9 ||
		fail "nor by the second munmap()"
	echo go >&3
	wait $run || fail "an image that was mapped again"
fi

# One file after the other in a tmpfs that has room for one.
test "$(id -u)" = 0 || exit 0
tmpfs_mount "$scratch/small" size=6m,huge=never
cat >"$scratch/rooms.py" <<'EOP'
import mmap, os
for i in range(50):
    name = "f%d" % i
    f = os.open(name, os.O_RDWR | os.O_CREAT)
    os.ftruncate(f, 4 << 20)
    with mmap.mmap(f, 4 << 20) as m:
        for at in range(0, 4 << 20, 4096):
            m[at] = 1
    os.close(f)
    os.unlink(name)
EOP
cd "$scratch/small" || exit 1
for track in fast exact; do
	udax_run "$scratch/small" -- "$python" "$scratch/rooms.py" </dev/null ||
		fail "no room for a file in the place of another, --track $track"
	expect_faults
	expect result.sigbus -eq 0
done
