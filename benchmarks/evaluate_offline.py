"""How long it takes to evaluate 10,000 predictions that some other program made, phase by phase, beside a naive peer.

OMP_NUM_THREADS=1 python benchmarks/evaluate_offline.py [--commit NAME] [--profile]
"""

import argparse
import cProfile
import json
import pstats
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from record import facts, facts_line, save
from rich.console import Console
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, jaccard_score, recall_score
from sklearn.preprocessing import MultiLabelBinarizer

from radrl.asking.opening import open_respondent
from radrl.asking.questions import load_questions
from radrl.config.evaluation import EvaluateConfig
from radrl.data.sources import read_rows
from radrl.evaluate import Evaluation, write_evaluation
from radrl.evaluation.families.answers import ANSWERS, label_rows
from radrl.evaluation.intervals import Bootstrap
from radrl.evaluation.records import Judged, judge
from radrl.evaluation.subgroups import groups_in, subgroupings
from radrl.evaluation.summary import Settings, make_blind, summarise
from radrl.phantom.command import phantom
from radrl.report.evaluation_page import build_evaluation_page
from radrl.types import AnswerKind

NUM_SMALL, NUM_PREDICTIONS = 1_000, 10_000
RESAMPLES = 1_000
PEER_RESAMPLES = 20
"""Resamples that the peer computes; its time for all of them follows by proportion."""
PEER_METRICS = (
    "accuracy", "sample_f1", "jaccard", "micro_f1", "macro_f1", "balanced_accuracy", "sensitivity", "specificity",
)  # fmt: skip
CORRUPTED = {"as it is": 0.7, "another's answer": 0.15, "cut in half": 0.05, "no tags": 0.05, "no finding": 0.05}
"""What becomes of the references, and of which share of them."""
SIDE_PX = 32
QUESTIONS_PER_STUDY = 4

PAGE = """\
# Evaluating predictions offline

`OMP_NUM_THREADS=1 python benchmarks/evaluate_offline.py`: processor time of one core to evaluate texts that some other
program wrote (`backend=predictions`), with every default metric, subgroups, calibration and {resamples:,} resamples of
the patients. Questions are the phantom's, {questions_per_study} a study, with traces of steps; a prediction is its
reference, of which a seeded {share:.0%} are corrupted (another's answer, cut in half, no tags, "no finding"), each with
a probability for every word. No model takes part. Memory is the most that was resident during the phase, Python and its
libraries included.

{facts}

| phase | {small:,} predictions, s | {many:,} predictions, s | growth | peak at {many:,}, MiB |
| --- | --- | --- | --- | --- |
{phases}

*read*: rows, hashes of {num_films:,} films of {side} x {side} pixels, predictions. *judge*: tags, answers and graph of
every text, against the reference's. *metrics*: every metric of the whole and of each kind, file, task and subgroup.
*intervals*: their resamples. *write*: `samples.jsonl` and `summary.json`. *page*: `report.html`. A
growth of 10 is linear.

## Beside a naive bootstrap

The peer draws patients, gathers their rows and calls scikit-learn anew for each of {num_metrics} metrics in every
resample ({peer_metrics}). It computed {peer_resamples} of {resamples:,} resamples; the rest is by proportion. radrl's
time is for the same metrics of the same predictions, the sums that they need included. The values agree to
{difference:.0e}.

| | s for {resamples:,} resamples of {many:,} predictions |
| --- | --- |
| scikit-learn, each resample anew | {peer:,.0f} |
| radrl, sums that are added again | {ours:.2f} |
| ratio | {ratio:,.0f} |
"""


def write_questions(folder: Path, *, num: int) -> Path:
    phantom(
        folder, train=0, val=0, test=num, ood=0, seed=7, size_px=SIDE_PX,
        more_knobs=(f"questions_per_study={QUESTIONS_PER_STUDY}",), console=Console(quiet=True),
    )  # fmt: skip
    return folder / "test.jsonl"


def write_predictions(rows: Path, path: Path) -> None:
    """References, some of them corrupted, with a probability for each word."""
    rng = random.Random(11)
    references = [(str(row.fields["id"]), str(row.fields["answer"])) for row in read_rows(rows)]
    with path.open("w", encoding="utf-8") as file:
        for id_, reference in references:
            text = corrupted(reference, other=rng.choice(references)[1], rng=rng)
            words = [f"{word} " for word in text.split(" ")]
            words[-1] = words[-1].rstrip(" ")
            logprobs = [-rng.expovariate(4.0) for _ in words]
            file.write(json.dumps({"id": id_, "text": text, "token_texts": words, "token_logprobs": logprobs}) + "\n")


def corrupted(reference: str, *, other: str, rng: random.Random) -> str:
    match rng.choices(list(CORRUPTED), weights=list(CORRUPTED.values()))[0]:
        case "another's answer":
            return reference.rpartition("<answer>")[0] + "<answer>" + other.rpartition("<answer>")[2]
        case "cut in half":
            return reference[: len(reference) // 2].rstrip()
        case "no tags":
            return (
                reference.replace("<think>", "")
                .replace("<answer>", " ")
                .replace("</think>", "")
                .replace("</answer>", "")
            )
        case "no finding":
            return "<think>Nothing stands out.</think><answer>no finding</answer>"
        case _:
            return reference


class Clock:
    """Processor seconds and peak memory of phases."""

    def __init__(self) -> None:
        self.phases: dict[str, dict[str, float]] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        # Linux forgets the peak of a process when it is told 5.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        start = time.process_time()
        yield
        self.phases[name] = {"seconds": time.process_time() - start, "peak_mib": peak_mib()}


def peak_mib() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def measure(folder: Path) -> dict[str, Any]:
    """One evaluation in the steps that `radrl evaluate` takes."""
    config = EvaluateConfig(
        data=(str(folder / "data" / "test.jsonl"),), out=str(folder / "out"), backend="predictions",
        predictions=str(folder / "predictions.jsonl"), resamples=RESAMPLES,
    )  # fmt: skip
    clock = Clock()
    with clock.phase("read"):
        samples = load_questions(config)
        responses = list(open_respondent(config).respond(samples, range(len(samples))))
    with clock.phase("judge"):
        judged = [judge(response) for response in responses]
    with clock.phase("metrics"):
        summarised(judged, config, resamples=1)
    with clock.phase("metrics and intervals"):
        summary = summarised(judged, config, resamples=RESAMPLES)
    subgroups = subgroupings(samples)
    with clock.phase("write"):
        records = tuple(one.row(groups=groups_in(one.sample, subgroups)) for one in judged)
        write_evaluation(Evaluation(summary=summary, records=records), Path(config.out))
    with clock.phase("page"):
        build_evaluation_page(Path(config.out))
    both = clock.phases.pop("metrics and intervals")
    clock.phases["intervals"] = {**both, "seconds": both["seconds"] - clock.phases["metrics"]["seconds"]}
    found: dict[str, Any] = {
        "phases": {name: clock.phases[name] for name in ("read", "judge", "metrics", "intervals", "write", "page")},
        "accuracy": summary.accuracy.to_json(),
        "parse_failures": summary.overall.counts.parse_failures,
        "patients": summary.overall.counts.patients,
        "films": len({image.path for sample in samples for image in sample.images}),
    }
    return found | ({"peer": beside_peer(judged)} if len(judged) == NUM_PREDICTIONS else {})


def summarised(judged: Sequence[Judged], config: EvaluateConfig, *, resamples: int):
    bootstrap = Bootstrap(resamples=resamples, seed=config.seed)
    settings = Settings(
        model="predictions", data=config.data, n=1, temperature=0.0, max_response_length=512, seed=config.seed
    )
    blind = make_blind(judged, shuffled=[], train_samples=[], bootstrap=bootstrap, can_ask_anew=False)
    subgroups = subgroupings([one.sample for one in judged])
    return summarise(judged, settings=settings, bootstrap=bootstrap, blind=blind, subgroups=subgroups)


def beside_peer(judged: Sequence[Judged]) -> dict[str, Any]:
    """Seconds of both, and how far their values are apart."""
    start = time.process_time()
    statistics = [one for one in ANSWERS.statistics(judged) if one.name in PEER_METRICS]
    ours = Bootstrap(resamples=RESAMPLES, seed=1).estimate(
        statistics, patients=[one.sample.patient_id for one in judged]
    )
    seconds = time.process_time() - start

    # A resample without a class, which scikit-learn warns of, is as both sides mean it.
    warnings.filterwarnings("ignore", module="sklearn")
    peer = Peer(judged)
    whole = peer.values(np.arange(len(judged)))
    difference = max(abs(whole[name] - (ours[name].value or 0.0)) for name in PEER_METRICS)
    start = time.process_time()
    rng = np.random.default_rng(1)
    for _ in range(PEER_RESAMPLES):
        peer.values(peer.rows(rng))
    peer_seconds = (time.process_time() - start) * RESAMPLES / PEER_RESAMPLES
    return {"seconds": seconds, "peer_seconds": peer_seconds, "difference": difference, "metrics": list(PEER_METRICS)}


class Peer:
    """Metrics as scikit-learn computes them from the items, every time anew."""

    def __init__(self, judged: Sequence[Judged]) -> None:
        golds = [one.gold for one in judged]
        predictions = [frozenset({"unreadable"}) if one.prediction is None else one.prediction for one in judged]
        binarizer = MultiLabelBinarizer().fit([*golds, *predictions])
        self.golds, self.predictions = binarizer.transform(golds), binarizer.transform(predictions)
        self.corrects = np.asarray([one.record.correct for one in judged])
        self.labelled = np.zeros(len(judged), dtype=bool)
        self.labelled[label_rows(judged)] = True
        self.unreadable = list(binarizer.classes_).index("unreadable")
        self.readable = np.asarray([one.prediction is not None for one in judged])
        single = (AnswerKind.CHOICE, AnswerKind.YES_NO)
        self.single = np.asarray([one.sample.answer_kind in single for one in judged])
        self.yes_no = np.asarray([one.sample.answer_kind is AnswerKind.YES_NO for one in judged])
        self.gold_names = np.asarray([", ".join(sorted(gold)) for gold in golds])
        self.names = np.asarray([", ".join(sorted(said)) for said in predictions])
        patients = [one.sample.patient_id for one in judged]
        self.patients = {name: np.flatnonzero(np.asarray(patients) == name) for name in dict.fromkeys(patients)}

    def rows(self, rng: np.random.Generator) -> np.ndarray:
        names = list(self.patients)
        return np.concatenate([self.patients[names[place]] for place in rng.integers(len(names), size=len(names))])

    def values(self, rows: np.ndarray) -> dict[str, float]:
        golds, said = self.golds[rows], self.predictions[rows]
        labelled = self.labelled[rows]
        pooled = np.delete(golds[labelled], self.unreadable, axis=1), np.delete(said[labelled], self.unreadable, axis=1)
        supported = np.flatnonzero(pooled[0].sum(axis=0))
        single, yes_no = self.single[rows], self.yes_no[rows]
        gold_names, names = self.gold_names[rows], self.names[rows]
        is_yes = gold_names[yes_no] == "yes"
        recall: Callable[..., Any] = recall_score
        return {
            "accuracy": float(accuracy_score(np.ones(len(rows)), self.corrects[rows])),
            "sample_f1": float(f1_score(golds, said, average="samples", zero_division=1)),
            "jaccard": float(jaccard_score(golds, said, average="samples", zero_division=1)),
            "micro_f1": float(f1_score(*pooled, average="micro")),
            "macro_f1": float(f1_score(*pooled, average="macro", labels=supported, zero_division=0)),
            "balanced_accuracy": float(balanced_accuracy_score(gold_names[single], names[single])),
            "sensitivity": float(recall(is_yes, names[yes_no] == "yes")),
            "specificity": float(recall(~is_yes, names[yes_no] == "no")),
        }


def once(folder: Path) -> None:
    print(json.dumps(measure(folder)))


def in_process(num: int) -> dict[str, Any]:
    """In a process of its own, whose caches are cold and whose memory nothing else has filled."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write_questions(folder / "data", num=num)
        write_predictions(rows, folder / "predictions.jsonl")
        output = subprocess.check_output([sys.executable, __file__, "--once", str(folder)], text=True)
        return json.loads(output.splitlines()[-1])


def profile() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write_questions(folder / "data", num=NUM_SMALL)
        write_predictions(rows, folder / "predictions.jsonl")
        with cProfile.Profile() as profiled:
            measure(folder)
    pstats.Stats(profiled).sort_stats("tottime").print_stats(40)


def page(results: dict[str, Any]) -> str:
    small, many = results["small"], results["many"]
    names = list(many["phases"])
    totals = [sum(found["phases"][name]["seconds"] for name in names) for found in (small, many)]
    peak = max(many["phases"][name]["peak_mib"] for name in names)
    lines = [phase_row(name, small["phases"][name], many["phases"][name]) for name in names]
    lines.append(f"| together | {totals[0]:.2f} | {totals[1]:.2f} | {totals[1] / totals[0]:.1f} | {peak:,.0f} |")
    peer = many["peer"]
    return PAGE.format(
        resamples=RESAMPLES,
        questions_per_study=QUESTIONS_PER_STUDY,
        share=1 - CORRUPTED["as it is"],
        facts=facts_line(results),
        small=NUM_SMALL,
        many=NUM_PREDICTIONS,
        phases="\n".join(lines),
        num_films=many["films"],
        side=SIDE_PX,
        num_metrics=len(PEER_METRICS),
        peer_metrics=", ".join(f"`{name}`" for name in PEER_METRICS),
        peer_resamples=PEER_RESAMPLES,
        difference=max(peer["difference"], 1e-15),
        peer=peer["peer_seconds"],
        ours=peer["seconds"],
        ratio=peer["peer_seconds"] / peer["seconds"],
    )


def phase_row(name: str, small: dict[str, float], many: dict[str, float]) -> str:
    growth = many["seconds"] / small["seconds"]
    return f"| {name} | {small['seconds']:.2f} | {many['seconds']:.2f} | {growth:.1f} | {many['peak_mib']:,.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commit", help="commit that a copy of the tree is of")
    parser.add_argument("--profile", action="store_true", help="show where the time goes instead")
    parser.add_argument("--once", type=Path, help="measure the evaluation that lies in a folder")
    arguments = parser.parse_args()
    if arguments.once:
        once(arguments.once)
    elif arguments.profile:
        profile()
    else:
        results = {
            **facts(commit=arguments.commit), "small": in_process(NUM_SMALL), "many": in_process(NUM_PREDICTIONS)
        }  # fmt: skip
        save("evaluate_offline", results, page(results))
        print(page(results))


if __name__ == "__main__":
    main()
