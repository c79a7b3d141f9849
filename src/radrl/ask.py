"""Composes `radrl ask`: one model, one film, one question, and everything there is to doubt the answer by."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.text import Text

from radrl.compat import quiet_transformers
from radrl.config.data import DataConfig, DicomPreset
from radrl.data.images import image_ref
from radrl.data.load import question_wrapper
from radrl.engines.checkpoint import HUGGINGFACE, STATE
from radrl.engines.native import NativeSampler
from radrl.errors import ConfigError, DataError
from radrl.evaluation.responses import Response
from radrl.evaluation.single import UNLIKELY, SingleAnswer, Token, read_single
from radrl.export.source import ACTOR, Source, find_source, open_source
from radrl.models.adapter import ModelAdapter
from radrl.models.load import load_adapter
from radrl.report.asked_page import AskedQuestion, write_asked_page
from radrl.report.shell import NOT_CLINICAL
from radrl.roles import Sampling
from radrl.types import IMAGE_MARK, AnswerKind, Sample

MOST_SHOWN = 6
"""Unlikely tokens that the terminal lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A model, and how the run that it is of read its data."""

    adapter: ModelAdapter
    rows: DataConfig


def ask(
    model: Path,
    image: Path,
    question: str,
    *,
    also: Sequence[Path] = (),
    kind: str = "text",
    options: Sequence[str] = (),
    temperature: float = 0.0,
    n: int = 1,
    max_tokens: int = 512,
    seed: int = 1,
    page: Path | None = None,
    as_json: bool = False,
) -> Path | None:
    """Ask, print the answer step by step, and return the path of the page where one is to be told of.

    Raises ConfigError for a folder that is no model, a kind that there is not, and several answers without a
    temperature; DataError for a film or a question that cannot be read.
    """
    _check(question, kind=kind, options=options, temperature=temperature, n=n, max_tokens=max_tokens, page=page)
    opened = open_asked(model)
    sample = asked_sample([image, *also], question, kind=kind, options=options, rows=opened.rows)
    sampling = Sampling(n=n, temperature=temperature, max_tokens=max_tokens, seed=seed)
    with Console(stderr=True).status("reading the film"):
        answer = ask_loaded(opened, sample, sampling)
    asked = AskedQuestion(
        model=str(model), question=question, images=(image, *also), answer=answer, n=n, temperature=temperature
    )
    if as_json:
        sys.stdout.write(json.dumps(asked.to_json(), ensure_ascii=False, indent=1) + "\n")
    else:
        show(asked, Console())
    written = None if page is None else write_asked_page(page, asked)
    # Standard output holds the JSON and nothing else.
    return None if as_json else written


def open_asked(model: Path) -> Opened:
    """Open a Hugging Face folder, or the last checkpoint of a run; images, template and prompt are the run's."""
    quiet_transformers()
    source = _source_of(model)
    config = source.config()
    rows = config.data if config else DataConfig()
    own = source.folder / HUGGINGFACE
    if (source.folder / STATE).is_dir() and not own.is_dir():
        adapter = open_source(source)
        adapter.family.bound_pixels(least=rows.min_pixels, most=rows.max_pixels)
        return Opened(adapter=adapter, rows=rows)
    adapter = load_adapter(
        own if own.is_dir() else source.folder,
        min_pixels=rows.min_pixels,
        max_pixels=rows.max_pixels,
        chat_template=rows.override_chat_template,
        trust_remote_code=config.worker.actor.model.trust_remote_code if config else False,
    )
    return Opened(adapter=adapter, rows=rows)


def asked_sample(
    images: Sequence[Path], question: str, *, kind: str, options: Sequence[str], rows: DataConfig
) -> Sample:
    """The question as a row of a data file would ask it, the films in front of it."""
    marks = "" if IMAGE_MARK in question else IMAGE_MARK * len(images)
    if not marks and question.count(IMAGE_MARK) != len(images):
        raise DataError(
            f"the question has {question.count(IMAGE_MARK)} {IMAGE_MARK} marks for {len(images)} films. Write one for "
            "each film, or none, to have them stand in front."
        )
    sample = Sample(
        id="asked",
        patient_id="asked",
        kind=kind,
        question=f"{marks}{question}",
        images=tuple(image_ref(path, preset=cast("DicomPreset", rows.dicom_preset)) for path in images),
        answer=frozenset(),
        answer_kind=AnswerKind(kind),
        reference="",
        options=tuple(options),
        origin="the command line",
    )
    return question_wrapper(rows.format_prompt)(sample)


def ask_loaded(opened: Opened, sample: Sample, sampling: Sampling) -> SingleAnswer:
    """Ask a model that is open."""
    prompt = opened.adapter.render(sample)
    sampler = NativeSampler(opened.adapter, max_sequences=sampling.n)
    (group,) = sampler.generate([prompt], sampling)
    return read_single([Response.of(completion) for completion in group])


def show(asked: AskedQuestion, console: Console) -> None:
    """Print steps, answer, facts and doubts. Text of the model is never read as markup."""
    answer = asked.answer
    console.print(Text(asked.question, style="bold"))
    for number, step in enumerate(answer.steps, start=1):
        mark = {True: "holds", False: "does not hold", None: ""}[step.holds]
        console.print(Text(f"{number:>3}  ").append(_marked(step.think, step.think_start, answer.tokens)))
        said = Text("     -> ").append(_marked(step.answer, step.answer_start, answer.tokens))
        console.print(said.append(f"  ({mark})" if mark else "", style="dim"))
    if not answer.steps:
        console.print(_marked(answer.text, 0, answer.tokens))
    for line in (*asked.summary, *_facts(answer), *_doubts(answer)):
        console.print(Text(line))
    console.print(Text(f"{NOT_CLINICAL}.", style="bold"))


def _facts(answer: SingleAnswer) -> list[str]:
    """Every triplet of the reasoning, in order."""
    facts = sorted(answer.graph.triplets, key=lambda fact: (fact.head, fact.relation, fact.tail))
    if not facts:
        return ["Facts in the reasoning: none that the rules can read."]
    rows = [f"  ({fact.head}, {fact.relation}, {fact.tail}): {fact.certainty}" for fact in facts]
    return ["Facts in the reasoning:", *rows]


def _doubts(answer: SingleAnswer) -> list[str]:
    """The least likely tokens."""
    if not answer.unlikely:
        return []
    shown = ", ".join(f"{token.text.strip()!r} {token.probability:.0%}" for token in answer.unlikely[:MOST_SHOWN])
    return [f"Tokens below {UNLIKELY:.0%} (underlined above): {len(answer.unlikely)}, the least likely {shown}."]


def _marked(text: str, start: int, tokens: Sequence[Token]) -> Text:
    """A part of the completion with its unlikely tokens underlined."""
    shown = Text(text)
    for token in tokens:
        first, last = max(token.start, start) - start, token.start + len(token.text) - start
        if token.is_unlikely and first < len(text) and last > first:
            shown.stylize("underline yellow", first, last)
    return shown


def _source_of(model: Path) -> Source:
    """A checkpoint's own Hugging Face folder stands for its checkpoint, whose run says how films are read."""
    folder = model.resolve()
    if folder.name == HUGGINGFACE and folder.parent.name == ACTOR:
        return find_source(folder.parent)
    return find_source(model)


def _check(
    question: str, *, kind: str, options: Sequence[str], temperature: float, n: int, max_tokens: int, page: Path | None
) -> None:
    if not question.strip():
        raise DataError("the question is empty. Write it in quotes behind the film.")
    if kind not in {known.value for known in AnswerKind}:
        known = ", ".join(known.value for known in AnswerKind)
        raise ConfigError(f"--kind is {kind}, which is no kind of answer. Give one of {known}.")
    if options and kind != AnswerKind.CHOICE:
        raise ConfigError(f"--options are given, but --kind is {kind}. Set --kind choice.")
    if n < 1 or max_tokens < 1 or temperature < 0:
        raise ConfigError(
            f"--n is {n}, --max-tokens {max_tokens} and --temperature {temperature}. The first two are 1 or more, the "
            "last 0 or more."
        )
    if n > 1 and temperature == 0:
        raise ConfigError(
            f"--n is {n} and --temperature is 0: greedy answers are all the same, so that their agreement says "
            "nothing. Set --temperature 1, or leave --n out."
        )
    if page is not None and page.is_dir():
        raise ConfigError(f"--page is {page}, which is a folder. Name a file.")
