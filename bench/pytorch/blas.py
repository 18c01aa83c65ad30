"""Which matrix library this PyTorch multiplies with."""

import torch


def loaded_blas():
    """MKL where torch was built with it; else what is mapped into this process."""
    if torch.backends.mkl.is_available():
        return "MKL"
    with open("/proc/self/maps", encoding="utf-8") as maps:
        mapped = maps.read().lower()
    known = [name for name in ("openblas", "blis") if name in mapped]
    return known[0] if known else "reference BLAS" if "libblas" in mapped else "built-in"
