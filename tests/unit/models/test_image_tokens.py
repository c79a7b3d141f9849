"""Row 11: how many tokens a prompt has is known from its text and its images' headers, before a pixel is decoded."""

import copy
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image
from plain_calls import FAMILIES, SEEING, processed, samples_for

from radrl.data.images import image_ref, open_image
from radrl.models.adapter import ModelAdapter
from radrl.models.families.phi4_images import Crops
from radrl.models.images import ImageSize
from radrl.models.load import load_adapter
from radrl.models.tiny import build_tiny
from radrl.types import ImageRef, Sample

SIDEWAYS = (5, 6, 7, 8)


@pytest.fixture(scope="module")
def qwens(folder_of: Callable[[str], Path]) -> list[ModelAdapter]:
    return [load_adapter(folder_of(family), device="cpu") for family in ("qwen2_5_vl", "qwen3_vl")]


@pytest.fixture(scope="module")
def gemma(folder_of: Callable[[str], Path]) -> ModelAdapter:
    return load_adapter(folder_of("gemma3"), device="cpu")


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(4, 500),
    height=st.integers(4, 500),
    own=st.tuples(st.integers(1, 120), st.integers(0, 200)),
    least=st.sampled_from([0, 1, 5_000, 60_000]),
    most=st.sampled_from([None, 1_024, 9_000, 120_000]),
)
def test_row_11_qwens_tokens_of_a_size_are_those_its_processor_yields(
    qwens: list[ModelAdapter], width: int, height: int, own: tuple[int, int], least: int, most: int | None
) -> None:
    """`own` are the processor's bounds in tokens, lower and how much more; `least` and `most` narrow them."""
    for qwen in qwens:
        check_qwen(qwen, ImageSize(width=width, height=height), own=own, least=least, most=most)


def check_qwen(qwen: ModelAdapter, size: ImageSize, *, own: tuple[int, int], least: int, most: int | None) -> None:
    processor = copy.deepcopy(qwen.processor.image_processor)
    processor.size = {"shortest_edge": own[0] * 32**2, "longest_edge": (own[0] + own[1]) * 32**2}
    family = type(qwen.family)(
        qwen.model, tokenizer=qwen.tokenizer, image_processor=processor, device=torch.device("cpu")
    )
    family.bound_pixels(least=least, most=most)
    film = Image.new("RGB", (size.width, size.height))
    grid = processor(images=[film], return_tensors="pt")["image_grid_thw"]
    assert family.num_image_tokens(family.target_size(size)) == int(grid.prod()) // 4


@pytest.mark.parametrize("family", SEEING)
def test_row_11_the_tokens_of_a_size_are_as_many_as_processor_and_tower_make(
    open_family: Callable[..., ModelAdapter], ask: Callable[..., Sample], images: list[ImageRef], family: str
) -> None:
    adapter = open_family(family)
    for ref, features in zip(images, adapter.encode_images(images), strict=True):
        with Image.open(ref.path) as image:
            counted = adapter.image_tokens(ImageSize(width=image.width, height=image.height))
        assert counted == len(features)
        sample = ask("<image>What is there?", num_images=1)
        one = Sample(**{**{name: getattr(sample, name) for name in sample.__slots__}, "images": (ref,)})
        ids = processed(adapter, one)["input_ids"][0].tolist()
        assert counted == ids.count(adapter.family.image_token_id)


def test_row_11_the_tokens_of_a_size_are_as_many_as_phis_tower_makes(tmp_path: Path) -> None:
    folder = build_tiny(
        tmp_path / "phi4",
        corpus=["What is there?"],
        family="phi4_multimodal",
        hidden_size=64,
        vision_hidden_size=32,
        vision_layers=1,
        vocab_size=400,
    )
    adapter = load_adapter(folder, device="cpu")
    for number, (width, height) in enumerate(((500, 300), (40, 150))):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (width, height)).save(path)
        (features,) = adapter.encode_images([image_ref(path)])
        assert adapter.image_tokens(ImageSize(width=width, height=height)) == len(features)


@settings(max_examples=150, deadline=None)
@given(width=st.integers(30, 3000), height=st.integers(30, 3000), most=st.integers(1, 36))
def test_row_11_phis_tokens_of_a_size_are_its_processors_count_by_mask(width: int, height: int, most: int) -> None:
    """The processor masks whole patches of padding, keeps every other row and column, and counts: 256 + 1 + 16 for the
    view of the whole, and for the crops what is left and a line end for each row that is left."""
    crops = Crops(crop_px=448, patch_px=14, max_crops=most)
    if max(width, height) > 20 * min(width, height):
        return
    size = crops.target_size(ImageSize(width=width, height=height))
    columns, rows = -(-size.width // 448), -(-size.height // 448)
    assert columns * rows <= most
    assert size.width == columns * 448 or size.height == rows * 448
    mask = np.ones((rows * 32, columns * 32), dtype=int)
    for axis, padding in ((1, columns * 448 - size.width), (0, rows * 448 - size.height)):
        if padding >= 14:
            masked = [slice(None), slice(None)]
            masked[axis] = slice(-(padding // 14), None)
            mask[tuple(masked)] = 0
    kept = mask[::2, ::2]
    assert crops.num_tokens(size) == 256 + 1 + 16 + kept.sum() + kept[:, 0].sum()


@given(width=st.integers(1, 5000), height=st.integers(1, 5000))
def test_row_11_gemma_sees_every_size_with_as_many_tokens(gemma: ModelAdapter, width: int, height: int) -> None:
    assert gemma.image_tokens(ImageSize(width=width, height=height)) == gemma.model.config.mm_tokens_per_image


@pytest.mark.parametrize("family", FAMILIES)
def test_the_length_of_a_prompt_is_that_of_its_tokens(
    open_family: Callable[..., ModelAdapter], ask: Callable[..., Sample], family: str
) -> None:
    """Gemma's newlines, which become one token with those around an image, included."""
    adapter = open_family(family)
    samples = samples_for(adapter, ask)
    if samples[1].images:
        samples.append(ask("<image>\n\nWhat is there?\n", num_images=1))
    prompts = adapter.render_batch(samples)
    assert adapter.prompt_lengths(samples) == [len(prompt.token_ids) for prompt in prompts]
    assert prompts == [adapter.render(sample) for sample in samples]


def oriented(path: Path, way: int, *, size: tuple[int, int] = (96, 40)) -> Path:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = way
    values = np.arange(size[0] * size[1], dtype=np.uint8).reshape(size[1], size[0])
    Image.fromarray(values).save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_an_image_on_its_side_is_measured_and_decoded_upright(
    open_family: Callable[..., ModelAdapter], tmp_path: Path, suffix: str
) -> None:
    """Pillow's size of such a file is that of the stored rows and columns, and its pixels are those too."""
    adapter = open_family("qwen2_5_vl", min_pixels=0, max_pixels=10**6)
    adapter.images._target_size = lambda size: size
    for way in range(1, 9):
        ref = image_ref(oriented(tmp_path / f"{way}.{suffix}", way))
        expected = (40, 96) if way in SIDEWAYS else (96, 40)
        size = adapter.images.size(ref)
        assert (size.width, size.height) == expected == open_image(ref).size
        assert tuple(adapter.images.pixels(ref).shape) == (expected[1], expected[0], 3)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_orientation_6_turns_the_stored_left_edge_to_the_top(tmp_path: Path, suffix: str) -> None:
    """Stored rows [1 2 3] and [4 5 6], with the scene's top at the right: seen upright they are [4 1], [5 2], [6 3]."""
    film = tmp_path / f"film.{suffix}"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(np.array([[1, 2, 3], [4, 5, 6]], np.uint8)).save(film, exif=exif)
    upright = np.asarray(open_image(image_ref(film)))[..., 0]
    assert upright.tolist() == [[4, 1], [5, 2], [6, 3]]


def test_a_broken_exif_block_leaves_an_image_as_it_is(tmp_path: Path) -> None:
    Image.new("L", (96, 40)).save(tmp_path / "film.png", exif=b"Exif\0\0no such thing")
    assert open_image(image_ref(tmp_path / "film.png")).size == (96, 40)


def test_row_11_no_pixel_is_read_to_measure_a_prompt(
    open_family: Callable[..., ModelAdapter], ask: Callable[..., Sample], tmp_path: Path
) -> None:
    """The pixels of this file are gone, which decoding would find out."""
    whole = io.BytesIO()
    Image.new("L", (100, 80)).save(whole, "JPEG")
    film = tmp_path / "film.jpg"
    film.write_bytes(whole.getvalue()[: whole.getvalue().index(b"\xff\xda")])
    adapter = open_family("qwen2_5_vl")
    sample = ask("<image>What is there?", num_images=1)
    cut = Sample(
        **{
            **{name: getattr(sample, name) for name in sample.__slots__},
            "images": (ImageRef(path=str(film), sha256="cut"),),
        }
    )
    assert adapter.prompt_lengths([cut]) == [len(adapter.render(cut).token_ids)]
    with pytest.raises(ValueError, match=r"film\.jpg"):
        adapter.images.pixels(cut.images[0])


def test_models_that_write_prompts_alike_share_a_fingerprint_and_others_do_not(
    folder_of: Callable[[str], Path],
) -> None:
    folder = folder_of("qwen2_5_vl")
    same = [load_adapter(folder, device="cpu").fingerprint for _ in range(2)]
    smaller = load_adapter(folder, device="cpu", max_pixels=32 * 32).fingerprint
    other_template = load_adapter(folder, device="cpu", chat_template="{{ messages }}").fingerprint
    assert same[0] == same[1]
    assert len({same[0], smaller, other_template, load_adapter(folder_of("gemma3"), device="cpu").fingerprint}) == 4
