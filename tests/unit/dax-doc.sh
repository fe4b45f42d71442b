#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The documents name every step, invariant, verb, protocol and function of the
# model.
set -eu
cd "${top_srcdir:-.}"

missing=0
need() {	# file word
	grep -qwF -- "$2" "doc/$1" || {
		echo "doc/$1 does not name $2" >&2
		missing=1
	}
}

for step in $(sed -n 's/^STEP(\([A-Z_]*\),.*/\1/p' src/dax/tbl/steps.h); do
	need fault.md "$step"
done
for verb in $(sed -n 's/^	DAX_\([A-Z_]*\),.*/\1/p' src/dax/dax.h | head -16); do
	need fault.md "$verb"
done
for name in $(sed -n 's/.*\.name = "\(.*\)",/\1/p' src/dax/protocol.c); do
	need protocols.md "\`$name\`"
done
for field in $(sed -n '/^struct dax_protocol {/,/^}/s/^	.*[ *]\([a-z_0-9]*\);.*/\1/p' \
		src/dax/protocol.h | grep -vwE 'name|kernels'); do
	need protocols.md "$field"
done
for f in $(sed -nE 's/^[a-z].*[ *]((dax|grab|get|put)_[a-z_]+)\(.*/\1/p' \
		src/dax/dax.h src/dax/table.h src/dax/wait.h src/dax/protocol.h \
		src/dax/dax_int.h | grep -vE 'dax_(ask|ask_pages|fault_write|step_fn|stranded_fn)$'); do
	need locking.md "$f()"
done
n=$(sed -n '/^enum {/,/^}/p' src/dax/verify.c | grep -c 'INV_')
grep -q "^$n\\. " doc/fault.md || {
	echo "doc/fault.md does not have $n invariants" >&2
	missing=1
}
exit $missing
