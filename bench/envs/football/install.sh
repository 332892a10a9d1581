#!/bin/sh
# Builds gfootball 2.10.2 into a Python environment of its own:
#
#     install.sh FOLDER [PYTHON]       PYTHON: of which the environment is made; default: python3
#
# It compiles a game of C++, some minutes of one core. The Debian packages must be there before: it says which are not,
# and installs none. Boost.Python must be of the same Python, so PYTHON has to be of the distribution's version (3.11 in
# Debian 12, 3.13 in Debian 13).
set -eu

if [ $# -lt 1 ]; then
    echo "usage: install.sh FOLDER [PYTHON]" >&2
    exit 2
fi
folder=$1
python=${2:-python3}
here=$(dirname "$0")
constraints=$here/constraints.txt

missing=""
for package in $(cat "$here/debian.txt"); do
    case $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true) in
        installed) ;;
        *) missing="$missing $package" ;;
    esac
done
if [ -n "$missing" ]; then
    echo "Debian packages are missing: install them, then run this again:" >&2
    echo "    apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

"$python" -m venv "$folder"
folder=$(cd "$folder" && pwd)
# gfootball's build asks `python3` for psutil; it has to be this environment's.
PATH="$folder/bin:$PATH"
export PATH
python -I -m pip install -c "$constraints" psutil setuptools wheel
python -I -m pip install --no-deps --no-build-isolation gfootball==2.10.2
python -I -m pip install -c "$constraints" gymnasium absl-py six opencv-python-headless numpy pydantic
python -I -c "import gfootball_engine"
echo "done; now: export BENCH_FOOTBALL_PYTHON=$folder/bin/python"
