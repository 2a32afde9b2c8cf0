#!/usr/bin/env bash
# Install PyTorch: usage install_torch.sh PYTHON REQUIREMENT CPU_INDEX
# With an NVIDIA GPU the package index's default build is taken. Without one a CPU build is, since the default brings
# gigabytes of CUDA libraries: from wherever pip is set up to look, else from PyTorch's own CPU index.
set -euo pipefail
python=$1 requirement=$2 cpu_index=$3

if "$python" -c "import torch" 2>/dev/null; then
    exit 0
fi
if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi >/dev/null 2>&1; then
    "$python" -m pip install --quiet "$requirement"
elif ! "$python" -m pip install --quiet "$requirement+cpu" 2>/dev/null; then
    "$python" -m pip install --quiet "$requirement" --index-url "$cpu_index" || {
        echo "No CPU build of $requirement was found. Set TORCH or TORCH_CPU_INDEX, see the Makefile." >&2
        exit 1
    }
fi
