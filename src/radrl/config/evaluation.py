"""Every knob of `radrl evaluate`, once."""

from typing import Literal

from pydantic import Field

from radrl.config.schema import DataConfig
from radrl.config.section import NonNegativeFloat, PositiveInt, Section


class EvaluateConfig(Section):
    """Which model is asked which questions, how it is sampled, and what is written."""

    model: str
    """Hugging Face folder of the vision-language model."""
    data: tuple[str, ...] = Field(min_length=1)
    """Files of questions (.jsonl or .json); several are reported one by one and together."""
    out: str
    """Folder that receives summary.json and samples.jsonl; files of that name are replaced."""
    train_data: tuple[str, ...] = ()
    """Files the model was trained on: what the blind rows count their most frequent answers in."""
    rows: DataConfig = DataConfig()
    """How rows are read and rendered: layout, keys, image folder, prompt and pixel limits. Other keys do nothing."""
    n: PositiveInt = 1
    """Completions a question; every one of them counts in the metrics."""
    temperature: NonNegativeFloat = 0.0
    """Sampling temperature; 0 is greedy."""
    max_response_length: PositiveInt = 512
    """Longest completion in tokens; one that reaches it is counted as truncated."""
    batch_size: PositiveInt = 64
    """Questions decoded at the same time; changes speed and memory, not results."""
    token_probs: bool = False
    """Whether samples.jsonl also holds the text and the probability of every token."""
    blind: bool = True
    """Whether the blind rows are made: majority, question only, and a second pass over another patient's images."""
    seed: int = 1
    """Sampling, image shuffling and resampling follow from it."""
    resamples: PositiveInt = 1000
    """Bootstrap resamples of the patients behind every interval."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the tensors are; auto takes the GPU when there is one."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the weights; auto is float32 on a CPU and bfloat16 on a GPU."""
    trust_remote_code: bool = False
    """Whether code shipped with the model may run. Only for folders you have read."""
