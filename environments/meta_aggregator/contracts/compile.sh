#!/bin/sh
# Compile the contracts: compile.sh [OUTPUT_FOLDER], by default artifacts/ beside this file.
# DRILLBOOK_SOLC may name a folder node_modules/solc of the version below; else npm fetches it into a throw-away folder.
set -eu
version=0.8.37
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
output=${1:-$here/artifacts}

solc=${DRILLBOOK_SOLC:-}
if [ -z "$solc" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    npm install --prefix "$work" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "solc@$version" >&2
    solc=$work/node_modules/solc
fi
found=$(node -p "require('$solc/package.json').version")
if [ "$found" != "$version" ]; then
    echo "compile.sh: needs solc $version, $solc is $found" >&2
    exit 1
fi
node "$here/compile.js" "$solc" "$output"
