# Sourced by the scripts beside it: one virtual environment per lock file, made when it is missing or out of date.
# Needs LOCK (runtime or dev). Leaves VENV set. Takes no time when nothing has changed.
set -eu
cd "$(dirname "$0")/.."
PY="${PYTHON:-python3}"
VENV=".venv-$LOCK"
want="$(cat "requirements/$LOCK.lock" requirements/bootstrap.lock pyproject.toml | cksum) $("$PY" -V) $(pwd)"
if [ "$(cat "$VENV/.stamp" 2>/dev/null || true)" != "$want" ]; then
  "$PY" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Keystead needs Python 3.11 or newer." >&2; exit 1; }
  if ! "$PY" -c 'import ensurepip' 2>/dev/null; then
    [ "$(id -u)" = 0 ] || { echo "Python's venv is missing: apt-get install python3-venv" >&2; exit 1; }
    apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
  fi
  echo "Setting up $VENV (this is done once)..." >&2
  "$PY" -m venv --clear "$VENV"
  "$VENV/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock
  "$VENV/bin/uv" pip sync -q --compile-bytecode --python "$VENV/bin/python" --require-hashes "requirements/$LOCK.lock"
  "$VENV/bin/uv" pip install -q --python "$VENV/bin/python" --no-deps --no-build-isolation -e .
  "$VENV/bin/python" -m compileall -q src/keystead  # here, for whoever forbids Python to write it later
  echo "$want" > "$VENV/.stamp"
fi
