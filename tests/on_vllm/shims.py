"""Lets torchvision's CUDA wheel be imported beside a CPU build of torch; `make test-vllm` installs it.

The wheel cannot load its operators there and then fails to describe two of them. Declaring the two first is enough.
vLLM looks at models in processes of its own, so every interpreter of the environment has to do it: a .pth file does.

    python tests/on_vllm/shims.py      writes the two files into the site-packages of this interpreter
"""

import sysconfig
from pathlib import Path

NAME = "radrl_torchvision_on_cpu"
HOOK = '''"""Declares torchvision's operators before its first import. Written by radrl's tests/on_vllm/shims.py."""

import sys
from importlib.abc import MetaPathFinder


class DeclareOperators(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "torchvision":
            return None
        sys.meta_path.remove(self)
        import torch

        if not torch.cuda.is_available():
            library = torch.library.Library("torchvision", "DEF")
            for operator in ("nms", "qnms"):
                library.define(operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            self.library = library
            declared.append(self)
        return None


declared = []
sys.meta_path.insert(0, DeclareOperators())
'''


def main() -> None:
    site = Path(sysconfig.get_paths()["purelib"])
    (site / f"{NAME}.py").write_text(HOOK, encoding="utf-8")
    (site / f"{NAME}.pth").write_text(f"import {NAME}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
