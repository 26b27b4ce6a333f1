#!/usr/bin/env bash
# Installs requirements.lock, every file checked against its hash, into a virtual environment: `install.sh .venv`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv="${1:-.venv}"
python="${PYTHON:-python3}"
need_gb=8

fail() { echo "graftwork: $*" >&2; exit 2; }

command -v "$python" >/dev/null || fail "no '$python' here: install Python 3.11 or newer, or run: make PYTHON=/path/to/python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$("$python" --version 2>&1) is too old: Graftwork needs Python 3.11 or newer; run: make PYTHON=/path/to/python3.11"
free_gb=$(($(df -Pk . | awk 'NR==2 {print $4}') / 1024 / 1024))
[ -e "$venv/.installed" ] || [ "$free_gb" -ge "$need_gb" ] ||
  fail "$free_gb GB free on this disk: PyTorch and the rest need about $need_gb GB"

echo "graftwork: installing into $venv (once; about 5 GB, PyTorch brings CUDA with it on Linux) …"
if command -v uv >/dev/null; then
  [ -x "$venv/bin/python" ] || uv venv -q --python "$python" "$venv"
  uv pip install -q --python "$venv" --no-deps --require-hashes -r requirements.lock
  uv pip install -q --python "$venv" --no-deps --no-build-isolation -e .
else
  [ -x "$venv/bin/pip" ] || "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
  "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
fi
touch "$venv/.installed"
