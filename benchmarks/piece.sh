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
results=$(sed -n 's/^results: *//p' "$config")
results=${results:-results}
grep -q '^keep_snapshots: 0' "$config" || { echo "error: '$config' must say keep_snapshots: 0" >&2; exit 1; }
if [ -f "$piece" ]; then tar -xzf "$piece"; fi
timeout --signal=INT --kill-after=20 "$seconds" python3 -m snakemake --cores all --configfile "$config" "$@" || echo "ended with $?"
tar -czf "$piece.new" --exclude='*.safetensors' --exclude='*/state' --exclude='*.lock' "$results"
mv "$piece.new" "$piece"
echo "$piece: $(du -h "$piece" | cut -f1), $(find "$results/runs" -name .kept_snapshots.json.record | wc -l) runs are whole"
