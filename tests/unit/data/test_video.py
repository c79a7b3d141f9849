"""Rows 5 and 94: videos become frames by a rate, their marks are counted, and they stand among images in order."""

import json

import numpy as np
import pytest
from PIL import Image

from radrl.config.data import DataConfig
from radrl.data.images import open_image
from radrl.data.load import load_samples
from radrl.data.video import Clip, choose_frames
from radrl.errors import DataError


def grey(ref):
    """The grey level of a film that is of one level."""
    (level,) = np.unique(np.asarray(open_image(ref)))
    return int(level)


def frame(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 6), level).save(path)
    return str(path.name)


def animation(path, levels, *, ms):
    frames = [Image.new("L", (8, 6), level) for level in levels]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=ms)
    return path.name


def read(folder, *, prompt="<video>What moves?", videos, images=(), **settings):
    row = {"id": "q", "prompt": prompt, "answer": "<answer>yes</answer>", "images": list(images), "videos": videos}
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (sample,) = load_samples([str(folder / "rows.jsonl")], DataConfig(**settings))
    return sample.question, [grey(ref) for ref in sample.images]


def seconds(num_frames, *, rate):
    return Clip(starts=[at / rate for at in range(num_frames)], num_frames=num_frames, pick=lambda places: [])


@pytest.mark.parametrize(
    ("num_frames", "rate", "fps", "most", "expected"),
    [
        (30, 10, 2, 99, [0, 5, 10, 15, 20, 25]),
        (30, 10, 2, 3, [0, 10, 25]),
        (30, 10, 2, 1, [0]),
        (30, 10, 4, 99, [0, 2, 5, 7, 10, 12, 15, 17, 20, 22, 25, 27]),
        (3, 1, 2, 99, [0, 1, 2]),
        (1, 25, 2, 99, [0]),
        (10, 3, 1, 99, [0, 3, 6, 9]),
    ],
)
def test_row_94_frames_are_those_on_show_at_the_rate(num_frames, rate, fps, most, expected):
    assert choose_frames(seconds(num_frames, rate=rate), fps=fps, most=most) == expected


def test_frames_without_times_all_count_up_to_the_most():
    clip = Clip(starts=None, num_frames=9, pick=lambda places: [])
    assert choose_frames(clip, fps=2.0, most=99) == list(range(9))
    assert choose_frames(clip, fps=2.0, most=4) == [0, 2, 5, 8]


def test_row_5_a_folder_of_frames_is_shown_in_the_order_of_its_numbers(tmp_path):
    for number in (10, 2, 1):
        frame(tmp_path / "clip" / f"frame{number}.png", 10 * number)
    (tmp_path / "clip" / "notes.txt").write_text("no frame", encoding="utf-8")
    assert read(tmp_path, videos=["clip"]) == ("<image><image><image>What moves?", [10, 20, 100])


def test_row_5_videos_and_images_stand_where_their_marks_do(tmp_path):
    film = frame(tmp_path / "film.png", 1)
    clips = [[frame(tmp_path / f"{number}.png", number) for number in numbers] for numbers in ((2, 3), (4,))]
    question, levels = read(
        tmp_path, prompt="First <video>, then <image>, then <video>: what is new?", videos=clips, images=[film]
    )
    assert question == "First <image><image>, then <image>, then <image>: what is new?"
    assert levels == [2, 3, 1, 4]


def test_row_5_a_question_without_marks_gets_its_videos_in_front(tmp_path):
    frames = [frame(tmp_path / f"{number}.png", number) for number in (2, 3)]
    assert read(tmp_path, prompt="What moves?", videos=[frames]) == ("<image><image>What moves?", [2, 3])


@pytest.mark.parametrize(("prompt", "num"), [("<video>?", 2), ("<video><video>?", 1), ("<video>?", 0)])
def test_row_5_marks_are_counted_against_videos(tmp_path, prompt, num):
    videos = [[frame(tmp_path / "1.png", 1)]] * num
    marks = prompt.count("<video>")
    with pytest.raises(
        DataError, match=rf"rows.jsonl:1: the question has {marks} <video> marks, but the row has {num}"
    ):
        read(tmp_path, prompt=prompt, videos=videos)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_row_94_an_animation_is_taken_by_the_times_of_its_frames(tmp_path, suffix):
    """Frames of half a second, one a second: every other one."""
    name = animation(tmp_path / f"clip.{suffix}", [0, 60, 120, 180, 240], ms=500)
    _, levels = read(tmp_path, videos=[name], video_fps=1.0)
    assert levels == pytest.approx([0, 120, 240], abs=2)


def test_row_94_the_rate_of_frames_may_be_said(tmp_path):
    frames = [frame(tmp_path / f"{number}.png", number) for number in range(8)]
    _, levels = read(tmp_path, videos=[{"frames": frames, "fps": 4}], video_fps=2.0)
    assert levels == [0, 2, 4, 6]
    _, levels = read(tmp_path, videos=[{"frames": frames, "fps": 4}], video_fps=2.0, max_video_frames=2)
    assert levels == [0, 6]


def test_row_94_a_video_file_is_decoded_by_pyav(tmp_path):
    """Half-second frames at 2 a second, one a second."""
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "clip.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=2)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for level in (0, 50, 100, 150, 200, 250):
            picture = av.VideoFrame.from_image(Image.new("RGB", (32, 32), (level,) * 3))
            for packet in stream.encode(picture):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    row = {"prompt": "?", "answer": "<answer>yes</answer>", "images": [], "videos": ["clip.mp4"]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (sample,) = load_samples([str(tmp_path / "rows.jsonl")], DataConfig(video_fps=1.0))
    means = [np.asarray(open_image(ref)).mean() for ref in sample.images]
    assert means == pytest.approx([0, 100, 200], abs=6)


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        (["gone"], r"field 'videos': .*gone does not exist"),
        ([7], r"field 'videos' is 7, which is not a folder of frames"),
        ([[]], r"field 'videos': a video without a frame"),
        (["empty"], r"field 'videos': folder .*empty holds no frame"),
        ([{"frames": ["1.png"], "fps": 0}], r"whose `fps` is a number over 0"),
        (["broken.gif"], r"broken.gif cannot be read as frames"),
        ([["1.png", "gone.png"]], r"field 'videos': image .*gone.png does not exist"),
    ],
)
def test_a_video_that_cannot_be_read_is_named_with_its_row(tmp_path, videos, message):
    frame(tmp_path / "1.png", 1)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.gif").write_bytes(b"GIF89a and no more")
    with pytest.raises(DataError, match=rf"rows.jsonl:1: {message}|{message}"):
        read(tmp_path, videos=videos)


def test_a_video_file_without_a_decoder_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr("radrl.data.video.find_spec", lambda name: None)
    (tmp_path / "clip.mp4").write_bytes(b"some video")
    with pytest.raises(
        DataError, match=r"clip.mp4 is a video file, .*pip install av, or write the frames into a folder"
    ):
        read(tmp_path, videos=["clip.mp4"])
