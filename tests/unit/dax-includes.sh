#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The model does no I/O and knows no kernel: its sources include their own
# headers, src/lib's, and plain C ones.
set -eu
cd "${top_srcdir:-.}/src/dax"

plain='assert|errno|limits|stdarg|stdbool|stddef|stdint|stdio|stdlib|string'
if grep -nE '^[[:space:]]*#[[:space:]]*include' ./*.[ch] tbl/*.h |
   grep -vE '#include ("(dax|lib)/[a-z_/]+\.h"|<('"$plain"')\.h>)$'; then
	echo 'src/dax may not include what is listed above' >&2
	exit 1
fi
test "$(grep -cE '^#include' dax.c)" -gt 0
