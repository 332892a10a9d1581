"""Variables of the environment that change a run's numbers: the one list of them.

torch, MKL, oneDNN, FBGEMM, OpenBLAS, numpy, cuBLAS, cuDNN and the C library choose kernels by the processor, and by
these. Those that ask for threads are taken from processes that train (`SHARED_OUT`), which have one thread; what else
all of these are given is `starting.TRAINING`. All others are left to whoever sets them: a record names them, `bench
diff` shows them, and they make another platform class.
Found in the strings of torch 2.13's libraries, and in the manuals of those that build their names at run time.
"""

from __future__ import annotations

import os

CHANGES = (  # a name, or with a star what names begin with
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
SHARED_OUT = (  # over several threads a sum depends on how many there are
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
    """Whether a variable is one of a list's."""
    return any(name.startswith(own[:-1]) if own.endswith("*") else name == own for own in listed)


def numerical() -> dict[str, str]:
    """The variables of this process that change numbers, by name."""
    return {name: os.environ[name] for name in sorted(os.environ) if os.environ[name] and among(name, CHANGES)}
