"""Spec row 87: model-based report metrics by local path, on tiny checkpoints in their published layouts."""

import json
import sys
import types

import numpy as np
import pytest
import torch
from evaluation_builders import answering, judged, listing, presence
from text_builders import report, reported
from transformers import BertConfig, BertModel, BertTokenizer

from radrl.config.evaluation import EvaluateConfig, ScorerConfig
from radrl.errors import ConfigError, PluginError
from radrl.evaluate import evaluate_asking
from radrl.evaluation.intervals import Bootstrap
from radrl.evaluation.metrics.chexpert import label_statistics
from radrl.evaluation.responses import Response
from radrl.evaluation.scorers.api import score_texts
from radrl.evaluation.scorers.bertscore import BertScore
from radrl.evaluation.scorers.chexbert import CheXbert
from radrl.evaluation.scorers.opening import open_scorers
from radrl.evaluation.scorers.radgraph import facts_of
from radrl.evaluation.written import TextPair
from radrl.graph.lexicon.findings import FINDINGS

WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "edema", "effusion", "left", "right", "clear",
    "lungs", ".", ",", "small"]  # fmt: skip
TINY = {
    "vocab_size": len(WORDS), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 32, "max_position_embeddings": 64,
}  # fmt: skip
PAIRS = [
    TextPair(predicted="No edema .", gold="small  left effusion,\n right effusion."),
    TextPair(predicted="clear lungs", gold="clear lungs"),
    TextPair(predicted="", gold="no left effusion"),
    TextPair(predicted="edema effusion left right", gold="edema, no effusion"),
]
BOOTSTRAP = Bootstrap(resamples=20, seed=1)


def in_order(pairs):
    return [reported(number, pair.predicted, gold=pair.gold) for number, pair in enumerate(pairs)]


def means(scorer, pairs=PAIRS):
    found = BOOTSTRAP.estimate(scorer(pairs), patients=[str(place) for place in range(len(pairs))])
    return {name: estimate.value for name, estimate in found.items()}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(1)
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    BertModel(BertConfig(**TINY)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def chexbert(tmp_path_factory):
    """As the authors publish it: a data-parallel state dictionary with a buffer of old versions of transformers."""
    folder = tmp_path_factory.mktemp("chexbert")
    torch.manual_seed(2)
    config = BertConfig(**TINY)
    bert = BertModel(config)
    state = {f"module.bert.{name}": tensor for name, tensor in bert.state_dict().items()}
    state["module.bert.embeddings.position_ids"] = torch.arange(64)[None]
    for head in range(14):
        state[f"module.linear_heads.{head}.weight"] = torch.randn(2 if head == 13 else 4, 16)
        state[f"module.linear_heads.{head}.bias"] = torch.randn(2 if head == 13 else 4)
    torch.save({"model_state_dict": state, "epoch": 3}, folder / "chexbert.pth")
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    config.save_pretrained(folder)
    return folder, bert.eval(), state


def plain_chexbert(bert, state, words):
    """Classes in the checkpoint's own order and the embedding of the first token, one text at a time."""
    ids = torch.tensor([[WORDS.index(word) for word in ("[CLS]", *words.split(), "[SEP]")]])
    with torch.inference_mode():
        first = bert(input_ids=ids).last_hidden_state[0, 0]
    heads = [(state[f"module.linear_heads.{i}.weight"], state[f"module.linear_heads.{i}.bias"]) for i in range(14)]
    return [int((weight @ first + bias).argmax()) for weight, bias in heads], first


def test_row_87_chexbert_scores_are_those_of_a_plain_computation(chexbert):
    folder, bert, state = chexbert
    said = ["no edema .", "clear lungs", "", "edema effusion left right"]
    gold = ["small left effusion , right effusion .", "clear lungs", "no left effusion", "edema , no effusion"]
    read = {text: plain_chexbert(bert, state, text) for text in {*said, *gold}}
    # The checkpoint has No Finding last, the label space has it first.
    of = {text: [classes[-1], *classes[:-1]] if text else [0] * 14 for text, (classes, _) in read.items()}
    labels = [np.array([of[text] for text in texts], dtype=np.int8) for texts in (said, gold)]
    expected = BOOTSTRAP.estimate(
        label_statistics(*labels, prefix="chexbert", uncertain="as_positive"), patients=list("abcd")
    )
    found = means(CheXbert(folder, device="cpu"))
    assert {name: found[name] for name in expected} == {name: one.value for name, one in expected.items()}
    assert 0 < found["chexbert14_micro_f1"] < 1
    cosines = [
        float(torch.nn.functional.cosine_similarity(read[s][1], read[g][1], dim=0)) if s else 0.0
        for s, g in zip(said, gold, strict=True)
    ]
    assert found["chexbert_cosine"] == pytest.approx(sum(cosines) / 4, abs=1e-5)


def test_chexbert_does_not_depend_on_the_batch_and_means_everything_it_gives(chexbert):
    scorer = CheXbert(chexbert[0], device="cpu")
    assert means(scorer) == pytest.approx(means(CheXbert(chexbert[0], device="cpu", batch_size=1)), abs=1e-5)
    assert set(means(scorer)) == set(scorer.meanings)
    assert len(FINDINGS) == 14


@pytest.mark.parametrize("idf", [False, True])
def test_row_87_bertscore_is_that_of_a_plain_computation(encoder, idf):
    bert = BertModel.from_pretrained(encoder).eval()

    def ids_of(text):
        return [2, *(WORDS.index(w) for w in text.lower().replace(",", " ,").replace(".", " .").split()), 3]

    golds = [set(ids_of(pair.gold)) for pair in PAIRS]

    def weight(token):
        if token in (2, 3):
            return 0.0
        return float(np.log(5 / (1 + sum(token in gold for gold in golds)))) if idf else 1.0

    def vectors(text):
        with torch.inference_mode():
            states = bert(input_ids=torch.tensor([ids_of(text)]), output_hidden_states=True).hidden_states[1][0].numpy()
        return [state / np.linalg.norm(state) for state in states]

    expected = []
    for pair in PAIRS:
        sides = (pair.predicted, pair.gold)
        left, right = map(vectors, sides)
        best = [[max(float(a @ b) for b in other) for a in own] for own, other in ((left, right), (right, left))]
        weights = [[weight(token) for token in ids_of(text)] for text in sides]
        if not pair.predicted:
            expected.append((0.0, 0.0, 0.0))
            continue
        p, r = (sum(b * w for b, w in zip(bs, ws, strict=True)) / sum(ws) for bs, ws in zip(best, weights, strict=True))
        expected.append((p, r, 2 * p * r / (p + r)))
    found = means(BertScore(encoder, device="cpu", layer=1, idf=idf))
    assert list(found.values()) == pytest.approx(np.mean(expected, axis=0).tolist(), abs=1e-5)
    assert means(BertScore(encoder, device="cpu"), [PAIRS[1]])["bertscore_f1"] == pytest.approx(1)


def test_bertscore_refuses_a_layer_that_the_encoder_does_not_have(encoder):
    with pytest.raises(ConfigError, match="layer 3 of the scorer bertscore is not one of the 2"):
        BertScore(encoder, device="cpu", layer=3)


RECORDS = {
    "left effusion": {
        "1": {"tokens": "left", "label": "ANAT-DP", "relations": []},
        "2": {"tokens": "Effusion", "label": "OBS-DP", "relations": [["located_at", "1"]]},
    },
    "right effusion": {
        "1": {"tokens": "right", "label": "ANAT-DP", "relations": []},
        "2": {"tokens": "effusion", "label": "OBS-DP", "relations": [["located_at", "1"]]},
    },
    "effusion": {"1": {"tokens": "effusion", "label": "OBS-DP", "relations": []}},
}


@pytest.mark.parametrize(
    ("level", "against_right", "alone"), [("simple", 2 / 4, 2 / 3), ("partial", 2 / 4, 0.0), ("complete", 0.0, 0.0)]
)
def test_row_87_radgraph_levels_by_hand(monkeypatch, tmp_path, level, against_right, alone):
    model = tmp_path / "modern-radgraph-xl"
    model.mkdir()
    for part in ("config.json", "weights.th", "vocabulary"):
        (model / part).write_text("{}", encoding="utf-8")

    class RadGraph:
        def __init__(self, **_):
            pass

        def __call__(self, texts):
            return {str(place): {"text": text, "entities": RECORDS[text]} for place, text in enumerate(texts)}

    monkeypatch.setitem(sys.modules, "radgraph", types.SimpleNamespace(RadGraph=RadGraph))
    (opened,) = open_scorers([ScorerConfig(name="radgraph", path=str(model))], device="cpu")

    def of(said):
        return means(opened.scorer, [TextPair(predicted=said, gold="left effusion")])[f"radgraph_{level}"]

    assert of("left effusion") == 1
    assert of("right effusion") == pytest.approx(against_right)
    assert of("effusion") == pytest.approx(alone)
    assert of("") == 0
    assert set(opened.scorer.meanings) == {f"radgraph_{name}" for name in ("simple", "partial", "complete")}


def test_radgraph_facts_at_the_complete_level_are_relations_and_entities_without_any():
    facts = facts_of({"entities": RECORDS["left effusion"]}, "complete")
    assert facts == {("left", "ANAT-DP"), ("effusion", "OBS-DP", "located_at", "left")}


def test_ratescore_and_radeval_are_asked_through_their_packages(monkeypatch, tmp_path):
    seen = {}

    class RaTEScore:
        def __init__(self, **given):
            seen["ratescore"] = given

        def compute_score(self, candidates, references):
            return [float(candidate == reference) for candidate, reference in zip(candidates, references, strict=True)]

    class RadEval:
        def __init__(self, **given):
            from huggingface_hub import constants

            seen["radeval"] = {**given, "hub": constants.HF_HUB_CACHE, "offline": constants.HF_HUB_OFFLINE}

        def __call__(self, *, refs, hyps):
            return {"bleu": [0.5] * len(refs), "radcliq": [float(len(text)) for text in hyps]}

    monkeypatch.setitem(sys.modules, "RaTEScore", types.SimpleNamespace(RaTEScore=RaTEScore))
    monkeypatch.setitem(sys.modules, "radeval", types.SimpleNamespace(RadEval=RadEval))
    for part in ("ner", "embedding"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "config.json").write_text("{}", encoding="utf-8")
    configured = [
        ScorerConfig(name="ratescore", path=str(tmp_path)),
        ScorerConfig(name="radeval", path=str(tmp_path), kwargs={"metrics": ["bleu", "radcliq"]}),
    ]
    rate, rad = open_scorers(configured, device="cpu")
    assert seen["ratescore"] == {
        "bert_model": str(tmp_path / "ner"), "eval_model": str(tmp_path / "embedding"), "batch_size": 1,
        "use_gpu": False,
    }  # fmt: skip
    assert seen["radeval"] == {
        "metrics": ["bleu", "radcliq"], "per_sample": True, "show_progress": False, "hub": str(tmp_path),
        "offline": True,
    }  # fmt: skip
    assert means(rate.scorer) == {"ratescore": 0.25}
    assert means(rad.scorer) == {"radeval_bleu": 0.5, "radeval_radcliq": pytest.approx((10 + 11 + 0 + 25) / 4)}
    with pytest.raises(ConfigError, match=r"'crimson'.*would use the network"):
        open_scorers([ScorerConfig(name="radeval", path=str(tmp_path), kwargs={"metrics": ["crimson"]})], device="cpu")


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        ("ratescore", {}, "needs the package RaTEScore, which cannot be imported.*pip install RaTEScore"),
        ("radeval", {"metrics": ["bleu"]}, "needs the package radeval, .*pip install radeval"),
        ("radeval", {}, "the scorer radeval has no metrics.*of bleu"),
        ("radgraph", {}, "cannot be opened: .* holds no RadGraph model"),
        ("chexbert", {}, "has no chexbert.pth, which the scorer chexbert needs"),
        ("bertscore", {}, "holds no encoder that can be opened"),
        ("bertscore", {"layers": 2}, "takes no 'layers'.*layer, idf, batch_size"),
        ("bertscor", {}, "there is no scorer 'bertscor'.*Did you mean bertscore"),
    ],
)
def test_what_a_scorer_lacks_is_an_error_when_it_is_opened(monkeypatch, tmp_path, name, kwargs, message):
    for package in ("RaTEScore", "radeval"):
        monkeypatch.setitem(sys.modules, package, None)
    for part in ("ner", "embedding"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        open_scorers([ScorerConfig(name=name, path=str(tmp_path), kwargs=kwargs)], device="cpu")


def test_a_scorer_needs_a_path_that_is_there_and_stands_once(tmp_path):
    with pytest.raises(ConfigError, match=r"chexbert has no path.*nothing is downloaded"):
        open_scorers([ScorerConfig(name="chexbert")], device="cpu")
    with pytest.raises(ConfigError, match=r"there is no .*nowhere, the path of the scorer chexbert"):
        open_scorers([ScorerConfig(name="chexbert", path=str(tmp_path / "nowhere"))], device="cpu")
    with pytest.raises(ConfigError, match="'chexbert' stands twice"):
        open_scorers([ScorerConfig(name="chexbert"), ScorerConfig(name="chexbert")], device="cpu")


def test_a_damaged_checkpoint_is_an_error_that_says_what_it_should_hold(tmp_path, chexbert):
    for name in ("vocab.txt", "config.json"):
        (tmp_path / name).write_bytes((chexbert[0] / name).read_bytes())
    torch.save({"model_state_dict": {"module.bert.x": torch.zeros(1)}}, tmp_path / "chexbert.pth")
    with pytest.raises(ConfigError, match=r"(?s)no CheXbert checkpoint.*14 module.linear_heads"):
        open_scorers([ScorerConfig(name="chexbert", path=str(tmp_path))], device="cpu")


PLUGIN = '''
def lengths(predicted, gold, *, scale=1.0, path=None):
    """Mean length."""
    return {"words": [scale * len(text.split()) for text in predicted], "seen": [None if not t else 1 for t in gold]}

def same(predicted, gold):
    return [float(p == g) for p, g in zip(predicted, gold)]

def short(predicted, gold):
    return [1.0]

def broken(predicted, gold):
    raise KeyError("vocabulary")
'''


def test_a_function_of_the_users_own_is_a_scorer(tmp_path):
    file = tmp_path / "own_scores.py"
    file.write_text(PLUGIN, encoding="utf-8")
    configured = [
        ScorerConfig(name=f"{file}:lengths", path="/weights", kwargs={"scale": 2.0}),
        ScorerConfig(name=f"{file}:same"),
    ]
    lengths, same = open_scorers(configured, device="cpu")
    assert means(lengths.scorer) == {"words": pytest.approx(2 * (3 + 2 + 0 + 4) / 4), "seen": 1}
    assert means(same.scorer) == {"same": 0.25}
    with pytest.raises(PluginError, match="defines no 'lengthss'"):
        open_scorers([ScorerConfig(name=f"{file}:lengthss")], device="cpu")
    with pytest.raises(PluginError, match="has 1 scores for 4 texts"):
        means(open_scorers([ScorerConfig(name=f"{file}:short")], device="cpu")[0].scorer)
    with pytest.raises(PluginError, match="raised KeyError: 'vocabulary'"):
        means(open_scorers([ScorerConfig(name=f"{file}:broken")], device="cpu")[0].scorer)


def test_results_hold_path_version_settings_meanings_and_intervals_over_patients(encoder):
    configured = [ScorerConfig(name="bertscore", path=str(encoder), kwargs={"layer": 1})]
    opened = open_scorers(configured, device="cpu")
    found = score_texts(
        [*in_order(PAIRS), judged(listing(9, gold=["edema"]), answering("edema"))], opened, bootstrap=BOOTSTRAP
    )
    assert set(found) == {"bertscore_precision", "bertscore_recall", "bertscore_f1"}
    row = json.loads(json.dumps(found["bertscore_f1"].to_json()))
    assert row["low"] < row["value"] < row["high"]
    assert (row["scorer"], row["path"], row["num_texts"]) == ("bertscore", str(encoder), 4)
    assert row["settings"] == {"layer": 1}
    assert len(row["version"]) == 16
    assert "layer 1" in found["bertscore_f1"].meaning


def test_two_scorers_may_not_give_a_metric_of_the_same_name(tmp_path):
    for name in ("one.py", "other.py"):
        (tmp_path / name).write_text(PLUGIN, encoding="utf-8")
    opened = open_scorers(
        [ScorerConfig(name=f"{tmp_path / name}:same") for name in ("one.py", "other.py")], device="cpu"
    )
    with pytest.raises(PluginError, match="'same' is a metric of the scorers"):
        score_texts(in_order(PAIRS), opened, bootstrap=BOOTSTRAP)


def test_without_free_text_a_scorer_has_no_values(encoder):
    opened = open_scorers([ScorerConfig(name="bertscore", path=str(encoder))], device="cpu")
    found = score_texts([judged(presence(0, gold="yes"), answering("yes"))], opened, bootstrap=BOOTSTRAP)
    assert (found["bertscore_f1"].num_texts, found["bertscore_f1"].estimate.value) == (0, None)


def test_scorers_are_a_key_of_the_configuration():
    config = EvaluateConfig(
        out="x", data=("a.jsonl",), scorers=({"name": "radeval", "path": "hub", "kwargs": {"metrics": ["bleu"]}},)
    )
    assert config.scorers == (ScorerConfig(name="radeval", path="hub", kwargs={"metrics": ["bleu"]}),)


def said_of(samples, text):
    return [Response(sample=sample, index=0, text=text) for sample in samples]


def test_an_evaluation_asks_its_scorers_and_says_how_reports_were_read(tmp_path):
    file = tmp_path / "in_evaluation.py"
    file.write_text(PLUGIN, encoding="utf-8")
    samples = [report(number, gold="FINDINGS: Clear lungs. IMPRESSION: Normal.") for number in range(2)]
    config = EvaluateConfig(
        out="x", blind=False, resamples=10, section="impression", uncertain="ignore",
        scorers=({"name": f"{file}:same"},),
    )  # fmt: skip
    answer = answering("FINDINGS: Edema. IMPRESSION: Normal.")
    summary = evaluate_asking(lambda asked, _: said_of(asked, answer), samples, config=config).summary
    found = summary.to_json()
    assert found["reports"] == {"section": "impression", "uncertain": "ignore"}
    assert found["scorers"]["same"]["value"] == 1
    assert found["scorers"]["same"]["scorer"] == f"{file}:same"
    assert found["overall"]["metrics"]["rouge_l"]["value"] == 1
    assert {"rouge_l", "chexpert5_macro_f1", "same"} < set(found["conventions"])


def test_a_scorer_that_cannot_be_opened_ends_an_evaluation_before_the_first_question():
    config = EvaluateConfig(out="x", blind=False, scorers=({"name": "chexbert"},))
    with pytest.raises(ConfigError, match="chexbert has no path"):
        evaluate_asking(lambda *_: pytest.fail("a question was asked"), [report(0, gold="Clear.")], config=config)
