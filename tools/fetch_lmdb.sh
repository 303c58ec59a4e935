#!/usr/bin/env bash
# LMDB 0.9.36 with hardening patches, from the pinned source distribution of the Python package lmdb, into
# build/deps/lmdb. Called by tools/setup.sh, which provides the Python environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=3.0.0
sha256=06dda0723545e14d56ac7dcd6f582d9922c2ed5e16f1c3f8d0e670a96ec2ee65
target=build/deps/lmdb
stamp=$(sha256sum <tools/fetch_lmdb.sh)

if [ -f $target/mdb.c ] && [ "$(cat $target/.stamp 2>/dev/null)" = "$stamp" ]; then exit 0; fi

# In the order in which the distribution's own build applies them to this tree.
patches=(
  env-copy-txn
  cursor-next-prev-uninitialized
  cve-2019-16224-validate-db-flags
  cve-2019-16225-reject-dirty-pages
  cve-2019-16226-validate-node-del-size
  cve-2019-16227-guard-xcursor-null
  cve-2019-16228-validate-psize
  validate-page-bounds
  validate-node-read-size
  validate-subpage-bounds
  validate-xcursor-nodedsz
  validate-leaf2-keysize
  guard-xcursor-null-d3d4
  validate-nodedsz-page-split
  validate-node-shrink-delta
  validate-overflow-pages
  validate-nodedsz-cursor-put
  validate-md-depth
  validate-md-root
  win32-sparse-file
  fix-large-write
  fix-overflow-page-size-mul
  validate-md-pad
  validate-ovpage-free
  validate-freedb-record
)

work=build/deps/lmdb.tmp
rm -rf $work
mkdir -p $work
trap 'rm -rf build/deps/lmdb.tmp' EXIT
# pip looks at a source distribution's metadata by running its build script: the hash is checked before that.
printf 'lmdb==%s --hash=sha256:%s\n' "$version" "$sha256" >$work/requirements.txt
echo "setup: fetching the sources of LMDB"
build/venv/bin/python -m pip download -q --disable-pip-version-check --no-deps --no-binary lmdb --require-hashes \
  -r $work/requirements.txt -d $work
echo "$sha256  $work/lmdb-$version.tar.gz" | sha256sum -c --quiet
tar -xzf "$work/lmdb-$version.tar.gz" -C $work
for name in "${patches[@]}"; do
  patch -s -N -p3 -d "$work/lmdb-$version/lib" <"$work/lmdb-$version/lib/py-lmdb/$name.patch"
done
rm -rf $target
mkdir -p $target
cp "$work/lmdb-$version/lib"/{mdb.c,midl.c,lmdb.h,midl.h} $target/
printf '%s\n' "$stamp" >$target/.stamp
