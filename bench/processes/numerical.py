"""The list of environment variables that change a run's numbers.

torch, MKL, oneDNN, FBGEMM, OpenBLAS, numpy, cuBLAS, cuDNN and the C library choose kernels by the processor and by
these variables. Variables that ask for threads (`SHARED_OUT`) are removed from processes that train, since these have
one thread. `starting.TRAINING` has the variables that such processes get. All others are left as the user sets them: a
record names them, `bench diff` shows them, and they make another platform class.
The names are from the strings in torch 2.13's libraries, and from the manuals of those that build names at run time.
"""

from __future__ import annotations

import os

CHANGES = (  # a name, or the beginning of names before a star
    "ATEN_CPU_CAPABILITY",  # torch's own kernels
    "CUBLASLT_*",
    "CUDNN_*",
    "DNNL_CPU_ISA_HINTS",  # oneDNN reads each of its variables under both names
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "FBGEMM_*",
    "MKL_CBWR*",
    "MKL_DEBUG_CPU_TYPE",
    "MKL_DISABLE_FAST_MM",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_NUM_STRIPES",
    "MKL_VML_*",
    "NPY_DISABLE_CPU_FEATURES",
    "NPY_ENABLE_CPU_FEATURES",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_CPU_ISA_HINTS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "PYTORCH_TENSOREXPR*",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "TORCH_BLAS_PREFER_*",
    "TORCH_CUDNN_*",
    "TORCH_LINALG_PREFER_*",
    "TORCH_LINEAR_FLATTEN_3D",
    "TORCH_MKLDNN_*",
    "USE_NNPACK",
)
SHARED_OUT = (  # a sum over several threads depends on their number
    "BLIS_NUM_THREADS",
    "GOMP_*",
    "GOTO_NUM_THREADS",
    "KMP_*",
    "MKL_DOMAIN_NUM_THREADS",
    "MKL_DYNAMIC",
    "MKL_NUM_THREADS",
    "OMP_*",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def among(name: str, listed: tuple[str, ...]) -> bool:
    """Whether a variable is in a list."""
    return any(name.startswith(own[:-1]) if own.endswith("*") else name == own for own in listed)


def numerical() -> dict[str, str]:
    """The variables of this process that change numbers, by name."""
    return {name: os.environ[name] for name in sorted(os.environ) if os.environ[name] and among(name, CHANGES)}
