#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every verb has help on stdout, and refuses what it does not know with 2 and a
# line on stderr.

. "${top_srcdir:-.}/tests/functions.sh"

# says STATUS WHERE WORD CMD...: exit status, text on stdout or stderr alone.
says () {
	want=$1
	where=$2
	word=$3
	shift 3
	"$@" >"$scratch/out" 2>"$scratch/err" </dev/null
	expect_status $? "$want" "$*"
	case $where in
	out)
		silent=err;;
	err)
		silent=out;;
	esac
	test ! -s "$scratch/$silent" ||
		fail "$*: std$silent: $(cat "$scratch/$silent")"
	grep -q -e "$word" "$scratch/$where" ||
		fail "$*: no '$word' in: $(cat "$scratch/$where")"
}

says 0 out '^udax [0-9]' udax --version
says 0 out '^Usage: udax VERB' udax --help
says 0 out '^Usage: udax VERB' udax help
says 2 err '^Usage: udax VERB' udax
says 2 err 'unknown verb' udax frobnicate
says 2 err 'unknown verb' udax help frobnicate
says 2 err 'unknown verb' udax --frobnicate

# What cannot be written is not a success; nor does a file that is opened take the
# place of a stream that is closed.
lost () {
	want=$1
	shift
	"$@" >/dev/full 2>"$scratch/err"
	expect_status $? "$want" "$* >/dev/full"
	grep -q 'cannot write' "$scratch/err" || fail "$*: $(cat "$scratch/err")"
	"$@" 2>"$scratch/err" >&-
	expect_status $? "$want" "$* >&-"
}
lost 125 udax --help
lost 125 udax --list-protocols
lost 1 "$top_builddir/udaxd" --help
lost 1 "$top_builddir/udaxd" --dump-config
lost 1 "$top_builddir/udax-bench" list
cat >"$scratch/script" <<'EOF'
create A 4M
map M A shared rw 0 4M
touch 0 M 0 w 1
EOF
if test -w /dev/userfaultfd; then
	udax replay --driver live "$scratch/script" 2>"$scratch/err" >&-
	expect_status $? 125 "replay --driver live >&-"
fi

udax --list-cmds >"$scratch/verbs" || fail "--list-cmds"
for verb in run status list set shutdown doctor help; do
	grep -q -x "$verb" "$scratch/verbs" || fail "--list-cmds: no $verb"
done
udax --list-protocols >"$scratch/protocols" || fail "--list-protocols"
for protocol in radix 6370 616 dan-all; do
	grep -q -x "$protocol" "$scratch/protocols" ||
		fail "--list-protocols: no $protocol"
done
while read -r verb; do
	test "$verb" != help || continue
	udax --help | grep -q "^  $verb " || fail "--help: no $verb"
	says 0 out "^Usage: udax $verb" udax help "$verb"
	says 0 out "^Usage: udax $verb" udax "$verb" --help
	says 2 err . udax "$verb" --no-such-option
done <"$scratch/verbs"

for verb in status list 'set --no-hold' shutdown; do
	# shellcheck disable=SC2086 # a verb and its options
	set -- $verb
	says 2 err UDAX_SOCKET udax "$@"
	says 2 err 'no arguments' udax "$@" word
	says 2 err . udax "$@" --socket
done
says 2 err 'nothing to set' udax set
says 2 err 'no arguments' udax doctor word

mkdir "$scratch/p" "$scratch/a:b"
: >"$scratch/file"
says 2 err 'no program' udax run --pmem "$scratch/p"
says 2 err 'no program' udax run --pmem "$scratch/p" --
says 2 err 'no --pmem' udax run -- true
says 2 err "$scratch/none: No such" udax run --pmem "$scratch/none" -- true
says 2 err "$scratch/file: Not a dir" udax run --pmem "$scratch/file" -- true
says 2 err "$scratch/a:b" udax run --pmem "$scratch/a:b" -- true
says 2 err "$scratch/none" env UDAX_PMEM="$scratch/none" \
	"$top_builddir/udax" run -- true
says 2 err 'not with --daemon' udax run --pmem "$scratch/p" --daemon x \
	--track fast -- true
says 125 err "$scratch/none" udax run --pmem "$scratch/p" \
	--daemon "$scratch/none" -- true
says 125 err "$scratch/none/j" udax run --pmem "$scratch/p" \
	--json "$scratch/none/j" -- true
says 77 err 'proc.*cannot be served' udax run --pmem /proc/self -- true
says 77 err 'image is not for' udax run --pmem "$scratch/p" --media image -- true
says 77 err 'direct needs' udax run --pmem /sys/../ --media direct -- true
