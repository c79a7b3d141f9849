"""An evaluation folder as `radrl evaluate` writes it, made up, with every part that a summary may have."""

from collections.abc import Mapping
from pathlib import Path

from made_up_run import write_image, write_json, write_jsonl

TRACE = (
    "<think>The left base is blunt.</think><answer>left pleural effusion ✅</answer>"
    "<think>So it is there.</think><answer>{answer}</answer>"
)
VERDICT = (
    "The final answer is exactly right in 60.0% of 40 questions (95% interval 50.0 to 70.0, over 40 patients).",
    "It is better than answering without looking at the patient's radiograph.",
    "It is overconfident by 21.0 points.",
)


def made_up(value: float, *, half: float = 0.05) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def block(accuracy: float, *, num: int = 40, **metrics: float) -> dict[str, object]:
    return {
        "counts": {"questions": num, "completions": num, "patients": num, "parse_failures": 2, "truncated": 1},
        "metrics": {"accuracy": made_up(accuracy), **{name: made_up(value) for name, value in metrics.items()}},
        "labels": {},
    }


def calibration(*, by_source: bool = True) -> dict[str, object]:
    bins = [
        {"low": at / 5, "high": (at + 1) / 5, "num": 8, "confidence": at / 5, "accuracy": at / 7} for at in range(5)
    ]
    curve = [{"coverage": at / 10, "risk": at / 25, "threshold": 1 - at / 10} for at in range(1, 11)]
    span = {
        "num_completions": 40,
        "num_without_confidence": 3,
        "brier": 0.2,
        "ece": 0.21,
        "auroc": None,
        "bins": bins,
        "risk_coverage": curve,
        "intervals": {"ece": made_up(0.21), "aurc": made_up(0.18), "accuracy_at_80_coverage": made_up(0.68)},
    }
    return {**span, "by_source": {"span": span, "stated": span}} if by_source else span


def summary() -> dict[str, object]:
    """Everything that summary.json may hold."""
    blind = {
        "accuracy": made_up(0.4),
        "minus": made_up(0.2),
        "per_kind": {"presence": made_up(0.45)},
        "num_questions": 40,
    }
    disease = {"support": 12, "verified": {"yes": 5, "no": 7}, "precision": made_up(0.75), "f1": made_up(0.66)}
    silent = {"support": 0, "verified": {"yes": 0, "no": 0}, "precision": None, "f1": {"value": None}}
    perturbed = {
        "num_questions": 40,
        "accuracy": made_up(0.55),
        "minus": made_up(0.05),
        "changed": made_up(0.12),
        "meaning": "The film is packed as JPEG of quality 50 and unpacked.",
    }
    gap = {**made_up(0.1), "best": "F", "worst": "M", "notes": ["X: 3 patients, too few to say anything."]}
    return {
        "model": "runs/tiny/model",
        "data": ["test.jsonl", "ood.jsonl"],
        "sampling": {"n": 1, "temperature": 0.0},
        "asked": {"backend": "native", "failed": 0, "notes": ["one note."]},
        "conventions": {"accuracy": "The final answer is the gold one.", "legacy_any_overlap": "One item is enough."},
        "intervals": {"unit": "patients", "resamples": 1000, "level": 0.95, "seed": 1},
        "overall": block(
            0.6, sample_f1=0.7, graph_f1=0.5, legacy_any_overlap=0.85, legacy_substring_accuracy=0.9, rouge_l=0.4
        ),
        "per_kind": {"presence": block(0.7), "open": block(0.4)},
        "per_file": {"/data/test.jsonl": block(0.6), "/data/ood.jsonl": block(0.5)},
        "per_task": {"closed": block(0.7), "report": block(0.2)},
        "per_group": {"sex": {"F": block(0.65), "M": block(0.55), "X": {"counts": {"patients": 3}}}},
        "gaps": {"sex": gap},
        "diseases": {"edema": disease, "pneumothorax": silent},
        "positions": {
            "num_completions": 40,
            "unreadable": 0.05,
            "by_letter": {
                "A": {"support": 20, "gold": 0.5, "predicted": 0.8, "accuracy": 0.9},
                "B": {"support": 20, "gold": 0.5, "predicted": 0.15, "accuracy": None},
            },
        },
        "calibration": calibration(),
        "robustness": {"jpeg": perturbed, "twins": {"num_pairs": 9, "both_right": made_up(0.4), "kept": None}},
        "blind": {"majority": blind, "question_only": None, "shuffled_image": blind, "notes": ["a row is missing."]},
        "scorers": {"radgraph": {**made_up(0.31), "path": "/models/radgraph", "version": "1.2", "num_texts": 7}},
        "judge": {
            "identity": {"name": "llm", "model": "judge-7b"},
            "accuracy": made_up(0.66),
            "agreement": made_up(0.9),
            "kappa": made_up(0.77),
            "counts": {"asked": 38, "failures": 2, "only_judge_right": 4, "only_strict_right": 1},
            "failure_reasons": {"no verdict in the reply": 2},
        },
        "verdict": list(VERDICT),
    }


def write_made_up_evaluation(folder: Path, *, without: tuple[str, ...] = (), **changes: object) -> Path:
    """The folder; `without` leaves fields of the summary out."""
    film = write_image(folder / "films" / "film.png", seed=1)
    kept: Mapping[str, object] = {name: value for name, value in summary().items() if name not in without}
    write_json(folder / "summary.json", {**kept, **changes})
    write_jsonl(folder / "samples.jsonl", [sample(number, str(film)) for number in range(40)])
    return folder


def sample(number: int, film: str) -> dict[str, object]:
    """Two of forty are unreadable, every third of the others is wrong."""
    is_readable, is_right = number > 1, number % 3 > 0
    answer = "yes" if is_right else "no"
    return {
        "id": f"q{number}",
        "index": 0,
        "patient_id": f"p{number}",
        "kind": ("presence", "open")[number % 2],
        "question": "<image>Is there a left pleural effusion?",
        "answer": ["yes"],
        "prediction": [answer] if is_readable else None,
        "generated_text": TRACE.format(answer=answer) if is_readable else "<think><script>alert(1)</script> and so",
        "correct": is_readable and is_right,
        "parse_ok": is_readable,
        "images": [film],
    }
