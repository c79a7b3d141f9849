"""Composes `radrl graph-compare A B`: what predicted texts claim against what reference texts claim."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from radrl.errors import DataError
from radrl.evaluation.graph_pairs import Pairs, read_pairs
from radrl.evaluation.intervals import Bootstrap, Estimate, mean_of
from radrl.evaluation.metrics.graph import GraphMatch, comparison_statistics, match_graphs
from radrl.evaluation.metrics.graph_population import PopulationScores, population_scores
from radrl.evaluation.metrics.graph_rates import Share
from radrl.evaluation.metrics.legacy import surface_entity_scores
from radrl.report.graphs import DrawnPair, write_graph_page

CONVENTIONS: Mapping[str, str] = {
    "text": "Of a trace the thoughts are read, of any other text all of it. Certainty is part of every key.",
    "entity": "Canonical names at either end of a fact. relation: facts of every kind. triplet: where findings are and "
    "what they suggest.",
    "micro": "Names without a suffix pool counts over pairs; _macro is the mean over pairs, where a pair counts 0 if "
    "one side is empty and nothing if both are. graph_f1 is the mean over pairs of (entity F1 + relation F1) / 2, 0 "
    "for two empty graphs.",
    "rates": "A finding is claimed when present or uncertain. hallucination_rate: claimed findings that the reference "
    "does not claim, of those claimed; omission_rate: the reverse; contradiction_rate: findings present on one side "
    "and absent on the other, of those that both speak of; laterality_error_rate: findings on a side where the "
    "reference does not have them, of those that both claim and put on a side; severity_error: mean distance in steps "
    "(mild, moderate, severe), of those that both grade.",
    "population": "kg_*: of all predictions together against all references; our own definitions, not ReXKG's scores.",
    "legacy": "legacy_entity_*: CheX-Phi4MM's hallucination metric: means over pairs of precision, recall and F1 of "
    "(surface text, type with polarity), 0 for an empty side. They say how alike the wording is.",
    "intervals": "95 % percentile bootstrap; null where undefined or where there is one patient only.",
}
"""What every number means, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the numbers are about."""

    pairs: int
    patients: int
    """Patients named by the files; the number of pairs where some name none."""
    empty_predictions: int
    """Pairs whose prediction states no fact."""
    empty_references: int
    both_empty: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a comparison found."""

    pairs: Pairs
    matches: tuple[GraphMatch, ...]
    """One a pair, in order."""
    counts: Counts
    unit: str
    """What intervals resample: `patients`, or `pairs` where the files do not name the patient of each."""
    metrics: Mapping[str, Estimate]
    population: PopulationScores


def graph_compare(
    predictions: Path,
    references: Path,
    *,
    field: str | None = None,
    reference_field: str | None = None,
    extractor: str = "rules",
    out: Path | None = None,
    html: Path | None = None,
    samples: int = 6,
    resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare the graphs of two files, print the result, and write it as JSON (`out`) and as drawings (`html`).

    The page draws the `samples` pairs that differ most. Raises `DataError` for files that cannot be read or do not
    match, and `PluginError` for an extractor that cannot be opened.
    """
    for path in (out, html):
        if path is not None and path.is_dir():
            raise DataError(f"{path} is a folder, where a file is to be written. Name a file.")
    with Console(stderr=True).status("reading graphs"):
        pairs = read_pairs(
            predictions, references, field=field, reference_field=reference_field or field, extractor=extractor
        )
        comparison = compare_pairs(pairs, bootstrap=Bootstrap(resamples=resamples, seed=seed))
    sources = {"predictions": str(predictions), "references": str(references), "extractor": extractor}
    console = Console()
    console.print(result_table(comparison))
    if out is not None:
        summary = {**sources, **_describe(comparison, resamples=resamples, seed=seed)}
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        console.print(f"wrote {out}", highlight=False, soft_wrap=True)
    if html is not None:
        drawn = [_drawn(comparison, place) for place in _most_different(comparison)[:samples]]
        write_graph_page(html, drawn, sources, num_all=len(pairs.pairs))
        console.print(f"wrote {html}", highlight=False, soft_wrap=True)
    return comparison


def compare_pairs(pairs: Pairs, *, bootstrap: Bootstrap) -> Comparison:
    """Match every pair and measure all of them."""
    matches = [match_graphs(pair.predicted, pair.reference) for pair in pairs.pairs]
    surface = [surface_entity_scores(pair.predicted, pair.reference) for pair in pairs.pairs]
    statistics = [
        *comparison_statistics(matches),
        mean_of("legacy_entity_precision", [score.precision for score in surface]),
        mean_of("legacy_entity_recall", [score.recall for score in surface]),
        mean_of("legacy_entity_f1", [score.f1 for score in surface]),
    ]
    named = [pair.patient_id for pair in pairs.pairs if pair.patient_id is not None]
    has_patients = len(named) == len(pairs.pairs)
    patients = named if has_patients else [str(place) for place in range(len(pairs.pairs))]
    silent = [(not pair.predicted.triplets, not pair.reference.triplets) for pair in pairs.pairs]
    return Comparison(
        pairs=pairs,
        matches=tuple(matches),
        counts=Counts(
            pairs=len(pairs.pairs),
            patients=len(set(patients)),
            empty_predictions=sum(predicted for predicted, _ in silent),
            empty_references=sum(reference for _, reference in silent),
            both_empty=sum(predicted and reference for predicted, reference in silent),
        ),
        unit="patients" if has_patients else "pairs",
        metrics=bootstrap.estimate(statistics, patients=patients),
        population=population_scores(
            [pair.predicted for pair in pairs.pairs], [pair.reference for pair in pairs.pairs]
        ),
    )


def result_table(comparison: Comparison) -> Table:
    """Every number with its interval, in groups; beside a share that pools counts stands its mean over pairs."""
    counts, metrics = comparison.counts, comparison.metrics
    title = f"Graphs of {counts.pairs} pairs, aligned by {comparison.pairs.alignment}"
    table = Table("", "value (95 % interval)", "mean over pairs", title=title)
    for group, names in _GROUPS.items():
        table.add_row(group, style="bold")
        for name in names:
            macro = metrics.get(f"{name}_macro")
            cells = (_cell(metrics[name]), _cell(macro) if macro else "")
            table.add_row(f"  {name}", *cells, end_section=name == names[-1])
    table.add_row("both files as a whole", style="bold")
    for name, value in asdict(comparison.population).items():
        table.add_row(f"  {name}", _number(value))
    table.caption = (
        f"Intervals over {counts.patients} {comparison.unit}. Pairs whose prediction states no fact: "
        f"{counts.empty_predictions}; whose reference states none: {counts.empty_references}; both: "
        f"{counts.both_empty}. Research software, not for clinical use."
    )
    return table


_SHARES = ("precision", "recall", "f1", "jaccard")
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "what goes wrong": (
        "hallucination_rate",
        "omission_rate",
        "contradiction_rate",
        "laterality_error_rate",
        "severity_error",
    ),
    "agreement": ("graph_f1", *(f"{kind}_{share}" for kind in ("entity", "relation", "triplet") for share in _SHARES)),
    "CheX-Phi4MM's metric": ("legacy_entity_precision", "legacy_entity_recall", "legacy_entity_f1"),
}
"""Rows of the table."""


def _cell(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return _number(estimate.value)
    return f"{_number(estimate.value)} ({estimate.low:.2f} to {estimate.high:.2f})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _describe(comparison: Comparison, *, resamples: int, seed: int) -> dict[str, object]:
    """What the JSON file says."""
    return {
        "alignment": comparison.pairs.alignment,
        "counts": asdict(comparison.counts),
        "intervals": {"unit": comparison.unit, "resamples": resamples, "level": 0.95, "seed": seed},
        "conventions": dict(CONVENTIONS),
        "metrics": {name: estimate.to_json() for name, estimate in comparison.metrics.items()},
        "population": asdict(comparison.population),
    }


def _most_different(comparison: Comparison) -> list[int]:
    """Pairs by contradictions and wrong sides, then by disagreement."""

    def order(place: int) -> tuple[float, float, int]:
        match = comparison.matches[place]
        return (-(match.rates.contradiction.part + match.rates.laterality.part), match.f1, place)

    return sorted(range(len(comparison.matches)), key=order)


def _drawn(comparison: Comparison, place: int) -> DrawnPair:
    pair, match = comparison.pairs.pairs[place], comparison.matches[place]
    rates = match.rates
    return DrawnPair(
        id=pair.id,
        note=f"Graph F1 {match.f1:.2f}. Findings: {_part(rates.hallucination)} claimed are not in the reference, "
        f"{_part(rates.omission)} of the reference are left out, {_part(rates.contradiction)} in common are "
        f"contradicted, {_part(rates.laterality)} with a side are on the wrong one.",
        predicted=pair.predicted,
        reference=pair.reference,
        predicted_text=pair.predicted_text,
        reference_text=pair.reference_text,
    )


def _part(share: Share) -> str:
    return f"{share.part:g} of {share.whole:g}"
