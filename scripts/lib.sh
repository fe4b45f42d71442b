# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
#
# What scripts/quickstart and scripts/check share. Sourced by them with $top
# set to the top source directory; POSIX sh, no reading of stdin.

: "${top:?}"
start_time=$(date +%s)

# "[ 12s] words": a progress line, on stdout, with the seconds since the start.
say () {
	printf '[%4ds] %s\n' "$(($(date +%s) - start_time))" "$*"
}

die () {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# packages KIND...: the names of packages.txt that any of the kinds needs.
packages () {
	for kind in "$@"; do
		sed -n "s/^\([a-z0-9][^ 	]*\)[ 	]*$kind\$/\1/p" \
			"$top/scripts/packages.txt"
	done
}

# Those of the arguments that are not installed.
missing_packages () {
	for package in "$@"; do
		status=$(dpkg-query -W -f='${db:Status-Status}' "$package" \
			2>/dev/null) || status=
		test "$status" = installed || echo "$package"
	done
}

apt_install () {
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
		--no-install-recommends "$@" </dev/null
}

# install_packages KIND...: as root on Debian installs what is missing, else
# says what is. Only missing packages to build with are fatal.
install_packages () {
	if ! command -v dpkg-query >/dev/null; then
		say "not Debian: install what scripts/packages.txt names" \
			"if configure asks for it"
		return 0
	fi
	# shellcheck disable=SC2046 # names have no spaces
	missing=$(missing_packages $(packages "$@") | tr '\n' ' ')
	test -n "$missing" || return 0
	if test "$(id -u)" = 0 && command -v apt-get >/dev/null; then
		say "installing: $missing"
		mkdir -p "$top/build"
		# The lists of a fresh machine are empty or old.
		# shellcheck disable=SC2086
		apt_install $missing >/dev/null 2>&1 || {
			quietly "$top/build/apt.out" apt-get update -q &&
			quietly "$top/build/apt.out" apt_install $missing
		} || die "apt-get cannot install: $missing"
		return 0
	fi
	say "not installed (as root: apt-get install $missing)"
	# shellcheck disable=SC2046
	missing=$(missing_packages $(packages build) | tr '\n' ' ')
	test -z "$missing" || die "these are needed to build: $missing"
}

jobs () {
	nproc 2>/dev/null || echo 1
}

# quietly LOG CMD...: output goes to LOG, of which the end is shown on failure.
quietly () {
	log=$1
	shift
	"$@" >"$log" 2>&1 </dev/null && return 0
	status=$?
	echo "--- the end of $log:" >&2
	tail -n 40 "$log" >&2
	return $status
}

# The build system's generated part, where a clone has none yet.
bootstrap () {
	test -x "$top/configure" && test -f "$top/Makefile.in" && return 0
	say "autoreconf"
	mkdir -p "$top/build"
	(cd "$top" && quietly "$top/build/autoreconf.out" autoreconf -fi) ||
		die "autoreconf failed"
}

# configure_and_make DIR OPTION...: an out-of-tree build in $top/DIR. (A subshell:
# its variables are its own.)
configure_and_make () (
	dir=$top/$1
	name=$1
	shift
	mkdir -p "$dir" || die "cannot make $dir"
	if ! test -f "$dir/Makefile" || test "$(cat "$dir/.options" 2>/dev/null)" != "$*"; then
		say "$name: configure $*"
		(cd "$dir" && quietly configure.out ../configure "$@") || return 1
		echo "$*" >"$dir/.options"
	fi
	say "$name: make"
	quietly "$dir/make.out" make -C "$dir" -j"$(jobs)"
)
