"""How Phi-4-multimodal sees an image: one square view of the whole, and crops of it as it is (dynamic HD)."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional
from transformers.image_processing_utils import BaseImageProcessor

from radrl.errors import DataError
from radrl.models.images import ImageSize

MERGE = 2
"""Patches that become one token, along each side: the model pools two by two."""
WHITE = 255
"""What fills the canvas right of an image and below it."""
SHORTEST_SIDE = 10
"""Pixels. The Hugging Face processor refuses what would be resized to less."""


class Phi4ImageProcessorPil(BaseImageProcessor):
    """Settings of Phi-4's image processor, which transformers has on torchvision only.

    It is saved under that one's name, so other tools read the folder; `Crops` does the work.
    """

    def __init__(
        self,
        *,
        size: dict[str, int] | None = None,
        patch_size: int = 14,
        dynamic_hd: int = 36,
        rescale_factor: float = 1 / 255,
        image_mean: list[float] | None = None,
        image_std: list[float] | None = None,
        **kwargs: Any,
    ) -> None:
        """`size` is a crop's, `dynamic_hd` the most crops of an image; other keys are kept as they are."""
        super().__init__(**kwargs)
        self.size = size or {"height": 448, "width": 448}
        self.patch_size = patch_size
        self.dynamic_hd = dynamic_hd
        self.rescale_factor = rescale_factor
        self.image_mean = image_mean or [0.5, 0.5, 0.5]
        self.image_std = image_std or [0.5, 0.5, 0.5]

    def to_dict(self) -> dict[str, Any]:
        """Settings under the name of the class that other tools know."""
        return super().to_dict() | {"image_processor_type": "Phi4MultimodalImageProcessor"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where an image lies on its canvas of crops: in the upper left corner, the rest white and masked.

    Example: 600 x 448 pixels on crops of 448 with patches of 14 are 2 x 1 crops, of which 43 x 32 patches are seen and
    22 x 16 tokens come.
    """

    columns: int
    """Crops side by side."""
    rows: int
    """Crops one above the other."""
    seen_columns: int
    """Patches that are not masked; a patch that the image only touches is not masked."""
    seen_rows: int

    @property
    def token_columns(self) -> int:
        """Tokens of a line, its end apart."""
        return math.ceil(self.seen_columns / MERGE)

    @property
    def token_rows(self) -> int:
        """Lines of tokens."""
        return math.ceil(self.seen_rows / MERGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crops:
    """Sizes and pixels of crops."""

    crop_px: int
    """Side of a crop."""
    patch_px: int
    max_crops: int
    """Most crops of an image, the view of the whole not counted (`dynamic_hd`)."""

    @property
    def patches(self) -> int:
        """Patches along a side of a crop."""
        return self.crop_px // self.patch_px

    @property
    def tokens(self) -> int:
        """Tokens along a side of a crop."""
        return math.ceil(self.patches / MERGE)

    def target_size(self, size: ImageSize) -> ImageSize:
        """Size within the canvas: as many crops as cover the image, or the nearest shape that `max_crops` allow.

        The image is enlarged until it fills the canvas one way, so a small one is as large as a crop.
        """
        columns, rows = math.ceil(size.width / self.crop_px), math.ceil(size.height / self.crop_px)
        if columns * rows > self.max_crops:
            columns, rows = self._nearest_shape(size)
        by_width, by_height = columns * self.crop_px / size.width, rows * self.crop_px / size.height
        if by_width < by_height:
            target = ImageSize(width=columns * self.crop_px, height=int(size.height * by_width))
        else:
            target = ImageSize(width=int(size.width * by_height), height=rows * self.crop_px)
        if min(target.width, target.height) < SHORTEST_SIDE:
            raise DataError(
                f"an image is {size.width} x {size.height} pixels, which the model would see {target.width} x "
                f"{target.height}, and it takes none with a side under {SHORTEST_SIDE}. Crop it."
            )
        return target

    def layout(self, size: ImageSize) -> Layout:
        """Lay an image of this target size on its canvas."""
        columns, rows = math.ceil(size.width / self.crop_px), math.ceil(size.height / self.crop_px)
        return Layout(
            columns=columns,
            rows=rows,
            seen_columns=columns * self.patches - (columns * self.crop_px - size.width) // self.patch_px,
            seen_rows=rows * self.patches - (rows * self.crop_px - size.height) // self.patch_px,
        )

    def num_tokens(self, size: ImageSize) -> int:
        """Lines of the crops with their ends, a separator, and lines of the whole with theirs: 545 for one crop."""
        layout = self.layout(size)
        return layout.token_rows * (layout.token_columns + 1) + 1 + self.tokens * (self.tokens + 1)

    def pixels(self, image: Float[Tensor, "3 H W"], *, white: Float[Tensor, "3"]) -> Float[Tensor, "K 3 S S"]:
        """The whole canvas as one view, then its crops line by line; `image` and `white` are normalised alike."""
        layout = self.layout(ImageSize(width=image.shape[2], height=image.shape[1]))
        canvas = white[:, None, None].repeat(1, layout.rows * self.crop_px, layout.columns * self.crop_px)
        canvas[:, : image.shape[1], : image.shape[2]] = image
        side = (self.crop_px, self.crop_px)
        whole = functional.interpolate(canvas[None], side, mode="bicubic", align_corners=False)
        grid = canvas.view(3, layout.rows, self.crop_px, layout.columns, self.crop_px)
        return torch.cat([whole, grid.permute(1, 3, 0, 2, 4).reshape(-1, 3, *side)])

    def masks(self, size: ImageSize, *, device: torch.device) -> Bool[Tensor, "K Q Q"]:
        """Which patches of each of these views are seen; of the whole all are, white ones too."""
        layout = self.layout(size)
        canvas = torch.zeros(layout.rows * self.patches, layout.columns * self.patches, dtype=torch.bool, device=device)
        canvas[: layout.seen_rows, : layout.seen_columns] = True
        grid = canvas.view(layout.rows, self.patches, layout.columns, self.patches)
        crops = grid.transpose(1, 2).reshape(-1, self.patches, self.patches)
        return torch.cat([torch.ones_like(crops[:1]), crops])

    def _nearest_shape(self, size: ImageSize) -> tuple[int, int]:
        """Columns and rows whose ratio is nearest to the image's; of equally near ones the last that it half fills."""
        ratio, area = size.width / size.height, size.width * size.height
        best, least = (1, 1), math.inf
        for columns, rows in _shapes(self.max_crops):
            difference = abs(ratio - columns / rows)
            half_filled = area > 0.5 * self.crop_px**2 * columns * rows
            if difference < least or (difference == least and half_filled):
                best, least = (columns, rows), difference
        return best


def normal(
    image: UInt8[Tensor, "H W 3"], *, mean: Float[Tensor, "3"], spread: Float[Tensor, "3"]
) -> Float[Tensor, "3 H W"]:
    """Pixels less `mean` over `spread`, both in the pixels' own unit."""
    return ((image.to(mean.device).float() - mean) / spread).permute(2, 0, 1)


@cache
def _shapes(max_crops: int) -> list[tuple[int, int]]:
    """Columns and rows of at most so many crops, smaller areas first.

    Within an area the order is that of the Hugging Face processor, which sorts a set: it decides between two shapes
    that are equally near, one wider and one higher than the image.
    """
    sides = range(1, max_crops + 1)
    pairs = ((columns, rows) for n in sides for columns in range(1, n + 1) for rows in range(1, n + 1))
    found = {(columns, rows) for columns, rows in pairs if columns * rows <= max_crops}
    return sorted(found, key=lambda shape: shape[0] * shape[1])
