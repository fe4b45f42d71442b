#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# LMDB with MDB_WRITEMAP: a sparse mapping of 256M that is stored to, synced by
# msync, read by a forked child, with a nested transaction that is aborted.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
test -x "$python" || skip "$python is not installed"
"$python" -c 'import lmdb' 2>/dev/null || skip "python3-lmdb is not installed"
base=$scratch
if test "${medium:-direct}" = image; then
	image_scratch
	base=$disk
fi

cat >"$scratch/writemap.py" <<'EOF'
import hashlib, lmdb, os
env = lmdb.open("db", map_size=256 << 20, writemap=True, subdir=True)
value = b"value" * 200
for round in range(20):
    with env.begin(write=True) as txn:
        for i in range(500):
            key = b"%08d" % ((round * 500 + i) * 7919 % 100003)
            txn.put(key, value + key)
with env.begin(write=True) as txn:
    for i in range(0, 10000, 7):
        txn.delete(b"%08d" % (i * 7919 % 100003))
txn = env.begin(write=True)
txn.put(b"never", b"seen")
txn.abort()
env.sync(True)

def digest(env):
    h = hashlib.sha256()
    with env.begin() as txn:
        for key, val in txn.cursor():
            h.update(key + val)
        return txn.stat()["entries"], h.hexdigest()
print(*digest(env))
print(env.info()["last_txnid"])
env.close()
pid = os.fork()
if pid == 0:
    child = lmdb.open("db", map_size=256 << 20, readonly=True)
    print("child", *digest(child), flush=True)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
EOF
ignore=lock.mdb
native_and_udax "$base" "$python -B '$scratch/writemap.py'"
cat "$scratch/udax.out"
expect_status "$status" 0
expect_faults
