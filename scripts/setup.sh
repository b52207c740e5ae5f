#!/bin/sh
# Find a Python that the book supports, and set up with it: the newest on the path, or $PYTHON.
# In sh, since the machine may have no Python, or one that can't even read scripts/setup.py.
CDPATH='' cd -- "$(dirname -- "$0")/.." || exit 1

fail() {
    printf '\nThe step '\''Python'\'' failed: %s\n' "$1" >&2
    exit 1
}

supported() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "$PYTHON" ]; then
    supported "$PYTHON" && exec "$PYTHON" scripts/setup.py
    version=$("$PYTHON" --version 2>&1) || fail "PYTHON is '$PYTHON', which does not run here. \
Give the path of a Python 3.11 or newer, or leave PYTHON away."
    fail "PYTHON is '$PYTHON', which is $version; Python 3.11 or newer is needed. \
Give the path of one, or leave PYTHON away."
fi

found=
looked=
for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
    if supported "$name"; then
        # Debian's Pythons can't make an environment until their package python3.x-venv is there.
        "$name" -c 'import ensurepip, venv' >/dev/null 2>&1 && exec "$name" scripts/setup.py
        found=${found:-$name}
    elif version=$("$name" --version 2>&1); then
        looked="$looked, $name (which is $version)"
    else
        looked="$looked, $name"
    fi
done
[ -n "$found" ] && exec "$found" scripts/setup.py
fail "no Python 3.11 or newer was found on the path. Looked for: ${looked#, }. \
Install one (Debian and Ubuntu: apt-get install python3 python3-venv; macOS: brew install python), \
or say where it is: make PYTHON=/path/to/python3 book"
