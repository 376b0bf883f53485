#!/usr/bin/env bash
# Run once by Gradescope, as root, when it builds the image: puts the grader, at the versions that it was tested with,
# into a virtual environment of its own. The system's Python stays as it is.
#
# AUTOGRADER_ROOT is only set by whoever tries this out elsewhere. Any POSIX shell can run it.
set -eu

root="${AUTOGRADER_ROOT:-/autograder}"
venv="$root/venv"
python=@PYTHON@

export DEBIAN_FRONTEND=noninteractive PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore

if [ ! -x "$venv/bin/python" ]; then
    # The libraries' versions are those of one Python. Ubuntu has it itself, or the well-known archive of all versions.
    if ! "$python" -c "import ensurepip, venv" 2> /dev/null; then
        apt-get update
        apt-get install -y --no-install-recommends software-properties-common gpg-agent
        add-apt-repository -y ppa:deadsnakes/ppa
        apt-get install -y --no-install-recommends "$python" "$python-venv"
    fi
    "$python" -m venv "$venv"
fi

# PyTorch's own index has the build without CUDA, which is gigabytes smaller.
"$venv/bin/python" -m pip install --no-cache-dir --index-url "@TORCH_INDEX@" "@TORCH@"
"$venv/bin/python" -m pip install --no-cache-dir --requirement "$root/source/requirements.txt" "$root/source/@WHEEL@"

# An image in which the grader does not start should not come about.
"$venv/bin/python" -I -c "import torch, sympy, flint, numpy; print('torch', torch.__version__)"
"$venv/bin/python" -I -m gradcheck --version
