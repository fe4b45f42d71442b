#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# rrdtool: mapped round-robin files, updated by one process after the other. The
# file holds the time of day in places, so what it answers is compared.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd rrdtool
requires_uffd

ignore=r.rrd
native_and_udax "$scratch" 'rrdtool create r.rrd --start 1000000000 --step 60 \
		DS:a:GAUGE:120:U:U RRA:AVERAGE:0.5:1:1000 RRA:MAX:0.5:10:1000 &&
	i=1 && while test $i -le 50; do
		rrdtool update r.rrd $((1000000000 + i * 60)):$((i * 7919 % 101)) ||
			exit 1
		i=$((i + 1))
	done &&
	rrdtool fetch r.rrd AVERAGE -s 1000000000 -e 1000003000 | tee fetched &&
	rrdtool fetch r.rrd MAX -s 1000000000 -e 1000003000 | tee -a fetched'
expect_status "$status" 0
expect_faults
