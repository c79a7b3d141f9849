"""Every knob of `radrl evaluate`, once."""

from typing import Literal, get_args

from pydantic import Field

from radrl.config.schema import DataConfig
from radrl.config.section import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Section

PerturbationName = Literal["brightness", "contrast", "noise", "crop", "jpeg", "blur", "rotate", "flip"]
"""Something that is done to every film before the same questions are asked again."""


class EndpointConfig(Section):
    """A server that answers chat completions as OpenAI's does. Questions and images are sent to it."""

    url: str = ""
    """Base of its address, such as http://localhost:8000/v1."""
    model: str = ""
    """What the server calls the model."""
    key_variable: str | None = None
    """Variable of the environment that holds the key, never the key itself; none is sent when not given."""
    send_images_to_remote: bool = False
    """Whether questions and images may go to another machine than this one. Ask who owns the data first."""
    concurrency: PositiveInt = 8
    """Requests that are under way at the same time."""
    timeout_s: PositiveFloat = 120.0
    """Seconds that a request may take."""
    max_retries: NonNegativeInt = 3
    """Times that a request is sent again when the server is busy, fails or is silent; then it counts as unreadable."""
    max_tokens: PositiveInt | None = None
    """Longest completion in the server's tokens; `max_response_length` when not given."""
    image_format: Literal["png", "jpeg"] = "png"
    """How images are packed; png keeps every pixel."""
    image_detail: Literal["auto", "low", "high"] = "auto"
    """How closely the server is told to look, where it knows the difference."""


class JudgeConfig(Section):
    """A second opinion on whether answers are right, beside the strict rule."""

    name: str
    """lexical (CX-Mind's likeness of words, legacy), endpoint (a language model), or a function of your own:
    `path/to/file.py:name` or `package.module:name`."""
    kwargs: dict[str, float | int | bool | str] = Field(default={})
    """Arguments of a function, or `measure` and `threshold` of lexical."""
    endpoint: EndpointConfig = EndpointConfig()
    """The server of the language model. It is sent questions, gold answers and final answers, and no image."""


class ScorerConfig(Section):
    """A metric of reports that needs a model's weights, or one of your own."""

    name: str
    """chexbert, radgraph, bertscore, ratescore or radeval; or a function of yours, path/to/file.py:function."""
    path: str | None = None
    """Folder of its weights; nothing is downloaded. A function of yours gets it as `path` where it is given."""
    kwargs: dict[str, float | int | bool | str | list[str]] = Field(default={})
    """Further arguments, such as `layer` and `idf` of bertscore or `metrics` of radeval."""


class EvaluateConfig(Section):
    """Which model is asked which questions, how it is sampled, and what is written."""

    model: str = ""
    """Hugging Face folder of the vision-language model; only a name in the report with endpoint and predictions."""
    backend: Literal["native", "vllm", "endpoint", "predictions"] = "native"
    """What is asked: native, the model's own decoding loop; vllm (extra `radrl[vllm]`); endpoint, a server; or
    predictions, a file of texts that some other program got from a model."""
    data: tuple[str, ...] = ()
    """Files of questions (.jsonl or .json); several are reported one by one and together."""
    out: str
    """Folder that receives summary.json, samples.jsonl and responses.jsonl. The same command goes on from the last."""
    fresh: bool = False
    """Whether an earlier evaluation in `out` is moved aside and every question asked anew."""
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
    endpoint: EndpointConfig = EndpointConfig()
    predictions: str | None = None
    """File of texts with the ids of their questions, or a folder of `radrl evaluate`; of `backend: predictions`."""
    predictions_missing: Literal["error", "wrong"] = "error"
    """What a question without a prediction is: an error, or an unreadable answer that is counted."""
    workers: PositiveInt = 1
    """Processes that share the questions, each with a GPU of its own where there are any; native and vllm alone."""
    max_samples: PositiveInt | None = None
    """Questions that are asked, the first so many of each file; all when not given."""
    annotation_file: str | None = None
    """One evaluation list of CheX-Phi4MM's, in place of `data`."""
    img_root: str | None = None
    """Folder that relative image paths start from, as `rows.image_dir`."""
    dynamic_hd: PositiveInt | None = None
    """Most crops of an image, for Phi-4-multimodal alone, in place of its own setting and of `rows.max_pixels`."""
    subgroups: bool = True
    """Whether metrics stand by sex, age band, view and presence of devices too, where the data tell them."""
    by: tuple[str, ...] = ()
    """Columns of the data, in whose groups everything is measured once more; `a+b` groups by both together, such as
    `semantic_type+content_type`."""
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = "auto"
    """How the native back end's decoder attends. auto is sdpa; eager multiplies matrices one by one; flash_attention_2
    is that kernel as torch has it, over rows without their padding, and needs a GPU and bfloat16."""
    judge: JudgeConfig | None = None
    """Who else says whether answers are right; null leaves it to the strict rule, which is what `accuracy` goes by."""

    robustness: tuple[PerturbationName | Literal["all"], ...] = ()
    """Perturbations of the films under which every question is asked again; all is each of them, empty is none."""
    robustness_level: Literal[1, 2, 3] = 1
    """How strong they are: 1 is what another machine or export would do, 3 is plainly visible."""
    closed_probs: bool = False
    """Whether the probability of every answer that a closed question admits is computed too; native back end alone."""
    section: Literal["findings", "impression", "both"] = "both"
    """The part of predicted and gold report that text metrics compare, where they have headings."""
    uncertain: Literal["as_positive", "as_negative", "ignore"] = "as_positive"
    """What a finding that a report calls possible counts as in label metrics; ignore leaves out those of the gold."""
    scorers: tuple[ScorerConfig, ...] = ()
    """Metrics of reports that need a model's weights, each by its local path."""

    @property
    def files(self) -> tuple[str, ...]:
        """Sources of questions, however they were given."""
        return self.data or ((self.annotation_file,) if self.annotation_file else ())

    @property
    def model_name(self) -> str:
        """What reports call the model."""
        return self.model or self.endpoint.model or self.predictions or ""

    @property
    def perturbations(self) -> tuple[PerturbationName, ...]:
        """The perturbations that are asked for, each once."""
        if "all" in self.robustness:
            return get_args(PerturbationName)
        return tuple(dict.fromkeys(name for name in self.robustness if name != "all"))

    @property
    def can_ask_anew(self) -> bool:
        """Whether other images can be put before the model: a file of predictions answers its own questions alone."""
        return self.backend != "predictions"
