#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The shell scripts have nothing that shellcheck warns of.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd shellcheck

# Variables that come from the sourced functions.sh or go to it: SC2034, SC2154.
# It cannot be followed by the name that it is sourced by: SC1091.
cd "$top_srcdir" || exit 1
found=0
for file in $(find scripts .ci tests bench -type f ! -name '*.[cho]' | sort); do
	case $(head -n 1 "$file") in
	'#!/bin/sh'*|'#!/bin/bash'*|'#!/usr/bin/env bash'*) ;;
	*)
		case $file in
		*.sh) ;;
		*) continue;;
		esac;;
	esac
	shellcheck -x -S warning -e SC1091,SC2034,SC2154 "$file" || fail "$file"
	found=$((found + 1))
done
test $found -gt 10 || fail "only $found scripts found"
echo "$found scripts"
