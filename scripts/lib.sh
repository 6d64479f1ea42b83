# Sourced by the scripts beside it: makes .venv in the root of the checkout and installs the package into it.
# shellcheck shell=sh

cd "$(dirname "$0")/.." || exit 1
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

die() {
    printf '%s: %s\n' "$0" "$1" >&2
    exit 1
}

# The first Python for which the statement $1 succeeds, by name.
find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$name" -c "import sys; assert sys.version_info >= (3, 11); $1" 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

make_venv() {
    [ -x .venv/bin/python ] && .venv/bin/python -m pip --version >/dev/null 2>&1 && return
    python=$(find_python "import ensurepip, venv") || {
        python=$(find_python pass) ||
            die "no Python 3.11 or newer found: install one (Debian: apt-get install python3 python3-venv)"
        die "$python comes without venv: install the package python3-venv"
    }
    "$python" -m venv .venv || die "cannot make .venv: see above"
}

# ensure_venv [EXTRA]: an installation of this checkout, with the extra (dev); quick when nothing changed.
# Editable, so that a changed source file needs no new installation.
ensure_venv() {
    make_venv
    stamp=".venv/installed${1:+-$1}"
    cmp -s pyproject.toml "$stamp" && return
    echo "Installing clusterdns into .venv (once, and after changes of pyproject.toml) ..." >&2
    .venv/bin/python -m pip install --quiet --editable ".${1:+[$1]}" || die "the installation failed: see above"
    cp pyproject.toml "$stamp"
}
