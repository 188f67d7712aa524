#!/bin/sh
# Install uv for this project, from Python alone, when the machine has none. Prints where it is.
set -eu
if uv --version >/dev/null 2>&1; then
    command -v uv
    exit 0
fi
tools="$(dirname "$0")/../.tools"
if [ ! -x "$tools/bin/uv" ]; then
    if ! python3 -m venv "$tools" >/dev/null 2>&1; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
            { apt-get update -qq && apt-get install -y -qq python3-venv; } >&2
            python3 -m venv "$tools"
        else
            echo "Python has no venv here: apt-get install python3-venv" >&2
            exit 1
        fi
    fi
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check "uv>=0.8" >&2
fi
echo "$tools/bin/uv"
