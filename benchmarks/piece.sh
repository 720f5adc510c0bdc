#!/bin/bash
# A piece of a study on a machine that is ours for some minutes only, such as one with a GPU:
#
#     bash benchmarks/piece.sh CONFIG SECONDS PIECE.tgz [OPTIONS OF SNAKEMAKE ...]
#
# goes on with what PIECE.tgz holds, if it is there, for so many seconds, and writes PIECE.tgz anew: the results folder without
# weights. Unpacked in another checkout of the same commit, the next piece or that machine's own snakemake goes on from there: which
# results are current is seen in their contents. The config must say `keep_snapshots: 0`; a run that was not measured to its end is
# trained again.
set -euo pipefail
config=$1 seconds=$2 piece=$3
shift 3
mapfile -t told < <(python3 - "$config" <<'END'
import sys
from pathlib import Path
from breakeven.config.plan import load_plan
from breakeven.store.errors import UserError
try:
    config = load_plan(Path(sys.argv[1])).config
except UserError as error:
    sys.exit(f"error: {error}")
results = Path(config.results)
if results.is_absolute() or ".." in results.parts:  # tar unpacks nothing there, and the piece would be lost with the next
    sys.exit(f"error: results: '{results}' must be a folder in the working folder, where the next piece unpacks it")
print(config.results, config.keep_snapshots, sep="\n")
END
)
[ ${#told[@]} = 2 ] || exit 1
results=${told[0]}
[ "${told[1]}" = 0 ] || { echo "error: '$config' must say keep_snapshots: 0" >&2; exit 1; }
if [ -f "$piece" ]; then tar -xzf "$piece"; fi
timeout --signal=INT --kill-after=20 "$seconds" python3 -m snakemake --cores all --configfile "$config" "$@" || echo "ended with $?"
[ -d "$results" ] || { echo "error: nothing was made; '$piece' is as it was" >&2; exit 1; }
# 1: a job that outlived the 20 s wrote a file meanwhile, which is no result before it is whole
tar -czf "$piece.new" --exclude='*.safetensors' --exclude='*/state' --exclude='*.lock' "$results" || [ $? = 1 ]
mv "$piece.new" "$piece"
echo "$piece: $(du -h "$piece" | cut -f1), $(find "$results/runs" -name .kept_snapshots.json.record | wc -l) runs are whole"
