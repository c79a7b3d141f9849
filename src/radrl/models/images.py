"""Images and what is computed of them, each once: sizes, pixels, features."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from radrl.data.images import image_size, open_image
from radrl.types import ImageRef


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSize:
    """Width and height in pixels."""

    width: int
    height: int


class TensorCache:
    """Tensors by key; when they outgrow a number of bytes, those unused for longest are dropped."""

    def __init__(self, *, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self._tensors: OrderedDict[str, Tensor] = OrderedDict()

    def get(self, key: str) -> Tensor | None:
        """Return the tensor of this key, or None when it is not here (any more)."""
        if key in self._tensors:
            self._tensors.move_to_end(key)
        return self._tensors.get(key)

    def put(self, key: str, tensor: Tensor) -> None:
        """Keep a tensor under a key that is not here. One that is larger than the whole cache is not kept."""
        if tensor.nbytes > self.max_bytes:
            return
        self._tensors[key] = tensor
        self.num_bytes += tensor.nbytes
        while self.num_bytes > self.max_bytes:
            _, oldest = self._tensors.popitem(last=False)
            self.num_bytes -= oldest.nbytes


class ImageStore:
    """Sizes and resized pixels of radiographs, by content hash."""

    def __init__(self, *, target_size: Callable[[ImageSize], ImageSize], resample: int, max_bytes: int) -> None:
        """`target_size` says what an image is resized to, `resample` is Pillow's filter."""
        self._target_size = target_size
        self._resample = Image.Resampling(resample)
        self._sizes: dict[str, ImageSize] = {}
        self._pixels = TensorCache(max_bytes=max_bytes)

    def size(self, ref: ImageRef) -> ImageSize:
        """Size the model sees, from the file's header alone. Raises DataError when it is not an image."""
        if ref.sha256 not in self._sizes:
            width, height = image_size(ref)
            self._sizes[ref.sha256] = self._target_size(ImageSize(width=width, height=height))
        return self._sizes[ref.sha256]

    def pixels(self, ref: ImageRef) -> UInt8[Tensor, "H W 3"]:
        """Resized RGB pixels, kept as bytes: an eighth of what the model's float patches would take."""
        pixels = self._pixels.get(ref.sha256)
        if pixels is None:
            pixels = self._read(ref)
            self._pixels.put(ref.sha256, pixels)
        return pixels

    def _read(self, ref: ImageRef) -> UInt8[Tensor, "H W 3"]:
        size = self.size(ref)
        image = open_image(ref)
        if image.size != (size.width, size.height):
            image = image.resize((size.width, size.height), self._resample)
        return torch.from_numpy(np.array(image, dtype=np.uint8))
