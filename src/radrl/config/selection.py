"""Every knob of `radrl select`, once."""

from typing import Literal

from pydantic import Field

from radrl.config.data import DataConfig
from radrl.config.section import Fraction, NonNegativeInt, PositiveFloat, PositiveInt, Section

Policy = Literal["uniform", "random", "hard_uniform", "hard_random", "hardest"]
"""How questions are drawn."""

Form = Literal["think_first", "answer_first"]
"""Whether a reference reasons in tags before it answers, or answers in its first sentence."""

HardPool = Literal["wrong", "confident_wrong", "unsure", "in_band"]
"""Why a question is hard for the model that answered it."""

Measure = Literal["answer_mean", "answer_min", "answer_geometric", "entity_mean", "entity_min", "entity_geometric"]
"""How sure a model is: over the tokens of its last answer, or of every finding and place that it names."""


class MiningConfig(Section):
    """Which questions are hard, by what a model answered to them."""

    pools: tuple[HardPool, ...] = Field(default=("wrong",), min_length=1)
    """A question that is in any of these is hard. wrong: fewer than half of its answers are right; confident_wrong: and
    the model is sure of them; unsure: it is not, whether right or wrong; in_band: its share of right answers is in the
    band."""
    confidence: Measure = "answer_geometric"
    """Which probability says how sure. All but answer_geometric need the text of every token: `radrl evaluate` with
    `token_probs=true`."""
    sure_at: Fraction = 0.9
    """confident_wrong from this confidence on."""
    unsure_below: Fraction = 0.5
    """unsure under this confidence."""
    band_low: Fraction = 0.1
    """in_band from this share of right answers ..."""
    band_high: Fraction = 0.9
    """... to this one."""
    right_at: Fraction = 1.0
    """Outcome from which a completion of a training run is right."""


class WeightsConfig(Section):
    """What each difference between two questions counts. 0 leaves it out; below 0 what differs is preferred."""

    question: float = 1.0
    """Cosine distance of the questions."""
    answer: float = 0.0
    """Cosine distance of the gold answers."""
    explanation: float = 1.0
    """Cosine distance of the reference reasoning."""
    image: float = 0.0
    """Cosine distance of the radiographs; needs `encoders.image`."""
    findings: float = 1.0
    """Share of the CheXpert findings in which the references differ."""


class EncodersConfig(Section):
    """What turns each part of a question into numbers: our own, or a function path/to/file.py:name of your own, which
    gets a list of texts (of paths for images) and returns an array with a row for each."""

    question: str = "words"
    """words: which words occur."""
    answer: str = "words"
    """Likewise."""
    explanation: str = "words"
    """Likewise."""
    image: str | None = None
    """Folder of a vision-language model, of whose image tower the mean feature is taken."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where that tower is; auto takes the GPU when there is one."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of its weights; auto is float32 on a CPU and bfloat16 on a GPU."""
    trust_remote_code: bool = False
    """Whether code shipped with that model may run. Only for folders you have read."""


class RetrievalConfig(Section):
    """Adds to the hard questions those that are most like them."""

    neighbours: NonNegativeInt = 0
    """Nearest questions added for each hard one; 0 adds none."""
    gallery: tuple[str, ...] = ()
    """Files that neighbours come from; the pool itself when empty."""
    keep_queries: bool = True
    """Whether the hard questions themselves may be drawn; false where they are of a validation split."""
    weights: WeightsConfig = WeightsConfig()
    encoders: EncodersConfig = EncodersConfig()
    curve: PositiveInt = 100
    """Most neighbours a question in the curve of how many of them the model gets wrong too."""


class SelectConfig(Section):
    """Which questions to train on, out of which, and how they are drawn."""

    pool: tuple[str, ...] = Field(min_length=1)
    """Files of rows to select from."""
    out: str
    """File to write (.jsonl or .json): the rows chosen, as they were. Beside it come `.why.jsonl`, `.selection.json`
    and `.html`."""
    policy: Policy = "hard_uniform"
    """uniform: every stratum keeps its share; random: without strata; hard_*: the same among the hard questions;
    hardest: no chance, failures first, then the least sure, with the pool's own shares of answers."""
    size: PositiveInt | None = None
    """Questions to draw; all that the policy allows when not given."""
    seed: NonNegativeInt = 0
    """The draw follows from it and the questions' ids. With the same seed a smaller random draw is part of a larger."""
    results: tuple[str, ...] = ()
    """What a model answered to them: folder or samples.jsonl of `radrl evaluate`, or completions.jsonl of a run.
    Without any, the field `is_correct` of the rows counts."""
    strata: tuple[str, ...] = ()
    """Fields whose values make a stratum. When empty: semantic_type, question_type and answer_type where a row has the
    last two, else the kind of question and the form of its answer."""
    mix: dict[Form, PositiveFloat] = Field(default={})
    """Form of the reference -> share of the draw; empty draws from all. A question that is there in both forms is taken
    once."""
    extractor: str = "rules"
    """What finds the findings and places of a text, as in `radrl graph --extractor`."""
    mining: MiningConfig = MiningConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    rows: DataConfig = DataConfig()
    """How rows are read: layout, keys, image folder. Other keys do nothing."""
