# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
#
# What the shell tests share: `. "${top_srcdir:-.}/tests/functions.sh"`.
# make check sets top_srcdir and top_builddir; run one test by
# `make check TESTS=tests/e2e/fio.sh`, or by hand from the top of the build
# directory with top_srcdir in the environment.
#
# A test ends with 0, with 77 if the machine lacks something (the reason is the
# last line it prints), else it failed. Whatever it made is removed at the end,
# whichever way it ends:
#	$scratch	a directory in a tmpfs ($UDAX_TEST_TMPFS, /dev/shm)
#	$disk		after image_scratch: one on a file system that keeps data
#			($UDAX_TEST_DISK, /var/tmp)
#	cleanup_fn F	F runs first

set -u

top_builddir=${top_builddir:-$PWD}
top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
python=/usr/bin/python3

# Nothing of the caller's may change what the programs under test do.
unset LD_PRELOAD UDAX_SOCKET UDAX_PMEM UDAX_TOKEN UDAX_REQUIRE UDAX_VERBOSE \
	UDAX_MMAP_LOCK UDAX_EXACT
PATH=$PATH:/usr/sbin:/sbin
LC_ALL=C
export LC_ALL PATH

skip () {
	echo "SKIP: $*"
	exit 77
}

fail () {
	echo "FAIL: $*"
	exit 1
}

requires_cmd () {
	for cmd in "$@"; do
		command -v "$cmd" >/dev/null || skip "$cmd is not installed"
	done
}

requires_root () {
	test "$(id -u)" = 0 || skip "needs root"
}

# The daemon can get a userfaultfd that sees the kernel's faults too.
requires_uffd () {
	test -w /dev/userfaultfd && return 0
	test "$(id -u)" = 0 && return 0
	test "$(cat /proc/sys/vm/unprivileged_userfaultfd 2>/dev/null)" = 1 ||
		skip "needs root, a writable /dev/userfaultfd or" \
			"vm.unprivileged_userfaultfd=1"
}

scratch=
disk=
cleanup_fns=

cleanup_fn () {
	cleanup_fns="$1 $cleanup_fns"
}

at_exit () {
	cd /
	for fn in $cleanup_fns; do
		$fn
	done
	rm -rf ${scratch:+"$scratch"} ${disk:+"$disk"}
}
trap at_exit EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

tmpfs=${UDAX_TEST_TMPFS:-/dev/shm}
test "$(stat -f -c %T "$tmpfs" 2>/dev/null)" = tmpfs ||
	skip "$tmpfs is not a tmpfs (set UDAX_TEST_TMPFS)"
scratch=$(mktemp -d "$tmpfs/udax-test.XXXXXX") || exit 1

image_scratch () {
	on=${UDAX_TEST_DISK:-/var/tmp}
	case $(stat -f -c %T "$on" 2>/dev/null) in
	'')
		skip "there is no $on (set UDAX_TEST_DISK)";;
	tmpfs|ramfs|hugetlbfs)
		skip "$on is memory, not a disk (set UDAX_TEST_DISK)";;
	esac
	disk=$(mktemp -d "$on/udax-test.XXXXXX") || exit 1
}

# tmpfs_mount DIR OPTIONS: a tmpfs of the test's own, unmounted at its end.
tmpfs_mounts=
tmpfs_mount () {
	mkdir -p "$1"
	mount -t tmpfs -o "$2" udax-test "$1" || skip "cannot mount a tmpfs"
	test -n "$tmpfs_mounts" || cleanup_fn tmpfs_umount
	tmpfs_mounts="$tmpfs_mounts $1"
}
tmpfs_umount () {
	for mnt in $tmpfs_mounts; do
		umount "$mnt" || umount -l "$mnt"
	done
}

# The program under test, under a guard against hanging for ever: 124 then.
udax () {
	timeout -k 10 "${UDAX_TEST_TIMEOUT:-180}" "$top_builddir/udax" "$@"
}

# udax_run DIR OPTION... -- CMD...: the summary goes to $scratch/summary.json.
# $mmap_lock: its --mmap-lock; $track: its --track, of the test or its caller.
track=${track:-${UDAX_TEST_TRACK:-}}
udax_run () {
	pmem=$1
	shift
	rm -f "$scratch/summary.json"
	how=$track
	case " $* " in
	*' --daemon '*) how=;;	# its own
	esac
	udax run --pmem "$pmem" -q --json "$scratch/summary.json" \
		${mmap_lock:+--mmap-lock "$mmap_lock"} ${how:+--track "$how"} "$@"
}

# field FILE NAME: of a JSON object, as in `field status.json counters.faults.pmd`.
# Prints nothing if there is no such field.
field () {
	"$python" - "$1" "$2" <<-'EOF'
	import json, sys
	value = json.load(open(sys.argv[1]))
	for name in sys.argv[2].split("."):
	    value = value.get(name) if isinstance(value, dict) else None
	if value is not None:
	    print(json.dumps(value) if isinstance(value, (dict, list, bool))
	          else value)
	EOF
}

# summary FIELD: of the last run.
summary () {
	field "$scratch/summary.json" "$1"
}

# expect FIELD OP NUMBER...: `expect faults.total -gt 0`.
expect () {
	value=$(summary "$1")
	test -n "$value" || fail "the summary has no $1"
	test "$value" "$2" "$3" ||
		fail "$1 is $value, wanted $2 $3: $(cat "$scratch/summary.json")"
}

# Programs ran on emulated DAX, every message was for a mapping that is known, and
# no sleeper was stranded.
expect_faults () {
	expect faults.total -gt 0
	expect unknown -eq 0
	expect lost_wakeups -eq 0
}

expect_pmd () {
	expect_faults
	expect faults.pmd -gt 0
}

expect_status () {
	test "$1" = "$2" || fail "exit status $1, wanted $2${3:+ ($3)}"
}

# hashes DIR [FIND-EXPRESSION]: name, size and sha256 of each file under it.
hashes () {
	where=$1
	shift
	(cd "$where" && find . -type f "$@" -printf '%p %s ' \
		-exec sh -c 'sha256sum <"$1"' - {} \; | sort)
}

# native_and_udax DIR CMD...: runs `sh -c CMD` natively in DIR/native and under
# udax in DIR/udax, with these as working directory and as $W; then what it
# printed on stdout and stderr (edited by the sed script $filter), its exit status
# and its files (less those of the names in $ignore) must be the same in both.
# Sets $status.
ignore=
filter=
native_and_udax () {
	base=$1
	mkdir -p "$base/native" "$base/udax"
	(cd "$base/native" && W=$PWD && export W &&
		exec sh -c "$2") \
		>"$scratch/native.out" 2>"$scratch/native.err" </dev/null
	status=$?
	(cd "$base/udax" && W=$PWD && export W &&
		udax_run "$W" -- sh -c "$2") \
		>"$scratch/udax.out" 2>"$scratch/udax.err" </dev/null
	under=$?
	same_output out
	same_output err
	expect_status $under $status "native"
	set --
	for name in $ignore; do
		set -- "$@" ! -name "$name"
	done
	hashes "$base/native" "$@" >"$scratch/native.files"
	hashes "$base/udax" "$@" >"$scratch/udax.files"
	diff -u "$scratch/native.files" "$scratch/udax.files" ||
		fail "the files differ from a native run's"
	test -s "$scratch/native.files" || fail "the command made no file"
}

same_output () {
	sed "${filter:-}" "$scratch/native.$1" >"$scratch/native.cmp"
	sed "${filter:-}" "$scratch/udax.$1" >"$scratch/udax.cmp"
	diff -u "$scratch/native.cmp" "$scratch/udax.cmp" && return 0
	test "$1" = err || tail -n 20 "$scratch/udax.err" 2>/dev/null
	fail "std$1 differs from a native run's"
}

# told FD LINE: the next line that a program writes to that end of a fifo.
told () {
	read -r line <&"$1" || fail "it ended, and never said: $2"
	test "$line" = "$2" || fail "it said $line, not $2"
}

# wait_line FILE REGEX [GREP-OPTION]: until a line of the file, which is being
# written, matches. tail waits for events of the file; the bound of two minutes is
# only there to end a test that failed.
wait_line () {
	timeout 120 tail -n +1 -F "$1" 2>/dev/null | grep -q -m 1 ${3:+"$3"} -e "$2" ||
		fail "$1 never said: $2"
}

# wait_end PID: until the process has ended, be it waited for or not; as above.
wait_end () {
	"$python" - "$1" <<-'EOF' || fail "process $1 does not end"
	import os, select, sys
	try:
	    fd = os.pidfd_open(int(sys.argv[1]))
	except ProcessLookupError:
	    sys.exit(0)
	sys.exit(not select.select([fd], [], [], 120)[0])
	EOF
}

# wait_for CMD...: until it succeeds, where what CMD looks at has no event. It must
# be sure to come; the bound of a minute is only there to end a test that failed.
wait_for () {
	tries=600
	until "$@"; do
		tries=$((tries - 1))
		test $tries -gt 0 || fail "waited in vain for: $*"
		sleep 0.1
	done
}
