#!/bin/bash
# The demo: reads the HTML of Debian's git-doc package into a database and asks it three questions.
#
#   tools/demo.sh [PROGRAM]     PROGRAM: build/release/bin/vecstore unless given
#
# Everything is made in build/demo. A second run finds the documents unpacked and the passages stored, and takes seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-build/release/bin/vecstore}")
export VECSTORE_MODELS=${VECSTORE_MODELS:-$PWD/build/models}
demo=$PWD/build/demo

fetch_documents() {
  local work=$demo/fetch
  rm -rf "$work" && mkdir -p "$work"
  # apt's sandbox user may not be able to write here; it is told to stay the user that runs this.
  local apt=(apt-get -q -o APT::Sandbox::User="$(id -un)")
  if ! (cd "$work" && "${apt[@]}" download git-doc) >"$work/log" 2>&1; then
    # The package lists may be missing or old: get them, into a folder of our own where we may not touch the system's.
    mkdir -p "$work/lists/partial"
    local own=(-o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache")
    mkdir -p "$work/cache/archives/partial"
    (cd "$work" && "${apt[@]}" "${own[@]}" update && "${apt[@]}" "${own[@]}" download git-doc) >>"$work/log" 2>&1 ||
      { echo "demo: the package git-doc could not be fetched:" >&2; tail -n 5 "$work/log" >&2; exit 1; }
  fi
  dpkg-deb -x "$work"/git-doc_*.deb "$work/root"
  rm -rf "$demo/git-doc.new"
  # The same pages are in the package as text too; one of each is enough.
  local file
  (cd "$work/root/usr/share/doc/git/html" && find . -type f -name '*.html' -print0) | while IFS= read -r -d '' file; do
    mkdir -p "$demo/git-doc.new/$(dirname "$file")"
    cp "$work/root/usr/share/doc/git/html/$file" "$demo/git-doc.new/$file"
  done
  rm -rf "$work" "$demo/git-doc"
  mv "$demo/git-doc.new" "$demo/git-doc"
}

mkdir -p "$demo"
if [ ! -d "$demo/git-doc" ]; then
  echo "Fetching Debian's git-doc ..."
  fetch_documents
fi

# From here, so that citations read git-doc/git-stash.html.
cd "$demo"
echo "Ingesting git-doc into build/demo/git.vdb ..."
"$program" ingest git.vdb git-doc

for question in "How do I undo the last commit but keep my changes?" \
                "Save my work for later without committing it" \
                "Which commit introduced the bug?"; do
  printf '\n$ vecstore query build/demo/git.vdb "%s"\n' "$question"
  "$program" query git.vdb "$question" -k 3 --mode hybrid
done
printf '\nAsk your own: %s query build/demo/git.vdb "..."\n' "${program#"${demo%/build/demo}"/}"
