"""Every knob of training, once: its type, unit, default and one sentence.

The tree is CX-Mind's (`data`, `algorithm`, `worker`, `trainer`) plus `rewards` and `curriculum`; the defaults are ours
and run on one machine. Sections are frozen and never write into each other.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from radrl.config.rubrics import expand

PositiveInt = Annotated[int, Field(gt=0)]
NonNegativeInt = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A frozen part of the configuration that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _read_one_text_as_one_entry(cls, values: Any) -> Any:
        """Let `train_files: a.jsonl` mean a list of one, and an empty text the empty list."""
        if not isinstance(values, Mapping):
            return values
        lists = {name for name, field in cls.model_fields.items() if get_origin(field.annotation) is tuple}
        given = cast("Mapping[str, Any]", values)
        return {
            name: ((value,) if value else ()) if name in lists and isinstance(value, str) else value
            for name, value in given.items()
        }


class DataConfig(Section):
    """Which questions to learn from, and how a row of a file is read."""

    train_files: tuple[str, ...] = ()
    """Files of training rows (.jsonl or .json); one path may be written without a list."""
    val_files: tuple[str, ...] = ()
    """Files of validation rows; empty means no validation."""
    layout: Literal["cx_mind", "chex_phi4mm"] = "cx_mind"
    """Which recipe's row form the files are in."""
    prompt_key: str = "prompt"
    """Field that holds the question."""
    answer_key: str = "answer"
    """Field that holds the reference trace."""
    image_key: str = "images"
    """Field that holds the list of image paths."""
    image_dir: str | None = None
    """Folder that relative image paths start from; the data file's own folder when not given."""
    max_prompt_length: PositiveInt = 2048
    """Longest prompt in tokens, images included."""
    max_response_length: PositiveInt = 512
    """Longest completion in tokens."""
    rollout_batch_size: PositiveInt = 16
    """Prompts a training step keeps."""
    val_batch_size: PositiveInt = 64
    """Prompts sampled together in validation."""
    val_max_samples: int = -1
    """Validation questions used, the first so many of the files; -1 means all."""
    format_prompt: str | None = None
    """Jinja file around the question, which it receives as `content`, beside its `kind`."""
    override_chat_template: str | None = None
    """Jinja text that replaces the tokenizer's chat template."""
    shuffle: bool = True
    """Whether each epoch draws the prompts in a new seeded order."""
    min_pixels: NonNegativeInt = 0
    """Images with fewer pixels are scaled up to it, keeping the aspect ratio."""
    max_pixels: PositiveInt = 1_003_520
    """Images with more pixels are scaled down to it, keeping the aspect ratio."""
    filter_overlong_prompts: bool = True
    """Whether prompts over `max_prompt_length` are dropped, and counted; otherwise the first one is an error."""


class AlgorithmConfig(Section):
    """How rewards become advantages and what keeps the policy near its reference."""

    adv_estimator: Literal["grpo"] = "grpo"
    """Advantage estimator: grpo is (reward - group mean) / (group std + advantage_eps)."""
    scale_advantages: bool = True
    """Whether the group's standard deviation divides (GRPO) or not (Dr. GRPO)."""
    advantage_eps: PositiveFloat = 1e-6
    """Added to the group's standard deviation; CX-Mind 1e-6, CheX-Phi4MM 1e-4."""
    kl_coef: NonNegativeFloat = 0.0
    """Weight of the KL term in the loss; at 0 no reference pass is made and no reference model held."""
    kl_penalty: Literal["low_var_kl"] = "low_var_kl"
    """KL estimator: low_var_kl is k3 = exp(d) - d - 1 with d = reference - policy log-probability."""
    online_filtering: bool = False
    """Whether groups outside the outcome bounds are dropped and replaced by fresh prompts."""
    filter_low: float = 0.01
    """A group is kept when its mean outcome is above this ..."""
    filter_high: float = 0.99
    """... and below this."""
    filter_min_std: NonNegativeFloat = 0.0
    """A group is kept when the standard deviation of its outcome is above this; 0.06 is CheX-Phi4MM's threshold."""


class ModelConfig(Section):
    """The policy's starting weights."""

    model_path: str = ""
    """Hugging Face folder (or hub name) of the vision-language model."""
    tokenizer_path: str | None = None
    """Folder of tokenizer and processor when it is not the model's own."""
    freeze_vision_tower: bool = False
    """Whether the image encoder keeps its weights."""
    trust_remote_code: bool = False
    """Whether code shipped with the model may run. Only for folders you have read."""


class OptimConfig(Section):
    """AdamW and its learning-rate schedule. The first step is never at rate 0."""

    lr: PositiveFloat = 1e-6
    """Peak learning rate."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    """Decay of the first and second moment."""
    weight_decay: NonNegativeFloat = 1e-2
    """Decoupled weight decay, on matrices only."""
    lr_warmup_ratio: Fraction = 0.0
    """Share of all optimizer steps over which the rate rises linearly."""
    lr_warmup_steps: NonNegativeInt | None = None
    """Optimizer steps over which the rate rises; stands over the ratio."""
    lr_schedule: Literal["constant", "linear", "cosine"] = "constant"
    """Shape after the warm-up."""
    min_lr_ratio: Fraction = 0.0
    """Where a decaying schedule ends, as a share of the peak."""


class ActorConfig(Section):
    """The policy and its update."""

    model: ModelConfig = ModelConfig()
    optim: OptimConfig = OptimConfig()
    global_batch_size: PositiveInt = 16
    """Prompts an optimizer step (samples, in supervised training); must divide the rollout batch."""
    micro_batch_tokens: PositiveInt = 16_384
    """Tokens one forward and backward pass may hold, over all of its rows."""
    row_tokens: PositiveInt = 4096
    """Tokens one packed row may hold; a longer group is split, each part with its own copy of the prompt."""
    max_grad_norm: PositiveFloat = 1.0
    """Gradients are scaled down to this norm."""
    clip_ratio_low: Fraction = 0.2
    """Lower clip: the ratio is held above 1 - this."""
    clip_ratio_high: NonNegativeFloat = 0.28
    """Upper clip: the ratio is held below 1 + this."""
    clip_ratio_dual: float = Field(default=3.0, gt=1)
    """Dual clip: bound on ratio x advantage when the advantage is negative."""
    loss_avg_mode: Literal["token", "seq"] = "token"
    """Mean over all completion tokens of the optimizer step, or over the means of its sequences."""
    ppo_epochs: PositiveInt = 1
    """Passes over a rollout batch."""


class ValidationSampling(Section):
    """Sampling in validation."""

    temperature: NonNegativeFloat = 0.0
    """0 is greedy."""
    n: PositiveInt = 1
    """Completions a question."""


class RolloutConfig(Section):
    """How completions are sampled."""

    name: Literal["native"] = "native"
    """Sampling engine."""
    n: PositiveInt = 8
    """Completions a prompt: the group."""
    temperature: PositiveFloat = 1.0
    """Logits are divided by it, in sampler and trainer alike."""
    top_p: Fraction = 1.0
    """Must be 1 in training: a truncated sampler biases the ratio."""
    top_k: int = -1
    """Must be off (-1) in training, for the same reason."""
    max_sequences: PositiveInt = 512
    """Completions decoded at the same time."""
    val_override_config: ValidationSampling = ValidationSampling()


GateCondition = Literal["always", "off", "per_sample", "format", "ema", "conditional"]
"""When a reward term counts."""


class RewardConfig(Section):
    """One term of the reward."""

    name: str
    """Registered name of a reward, or where a function stands: path/to/file.py:function, package.module:function."""
    interface: Literal["radrl", "easyr1_batch", "easyr1_sequential", "trl"] = "radrl"
    """How such a function is called: as our own, or as EasyR1 (a list or one at a time) or TRL and ms-swift call it."""
    label: Annotated[str, Field(pattern=r"^[\w.+-]+$")] | None = None
    """What metrics and records call the term; the name of the reward or function when not given."""
    weight: float = 1.0
    """Factor of the term in the total."""
    gate: tuple[GateCondition, ...] = ("always",)
    """When the term counts; of several conditions all must hold. per_sample: this rollout's outcome is right; format:
    it has the agreed form; ema: the batch's outcome holds its moving average; conditional: right, of that form, and the
    batch's outcome is above the one before less the tolerance. off: measured, never paid."""
    outcome: bool = False
    """Whether this term is the declared outcome; exactly one is."""
    outcome_key: str | None = None
    """Which of the term's further numbers is the outcome, such as `accuracy`; its value itself when not given."""
    kwargs: dict[str, float | int | bool | str] = {}
    """Arguments of the reward."""

    @field_validator("gate")
    @classmethod
    def _is_one_rule(cls, gate: tuple[GateCondition, ...]) -> tuple[GateCondition, ...]:
        lonely = [condition for condition in gate if condition in ("always", "off")]
        if not gate or (lonely and len(gate) > 1):
            raise ValueError("it should be `always`, `off`, or one or more of the other conditions")
        return gate

    @property
    def key(self) -> str:
        """What metrics and records call the term.

        >>> RewardConfig(name="rewards/heart.py:mentions").key
        'mentions'
        """
        return self.label or self.name.rpartition(":")[2]


Rewards = Annotated[tuple[RewardConfig, ...], BeforeValidator(expand)]
"""Terms of a rubric; a preset's name stands for all of its terms."""


class GateConfig(Section):
    """What the gates compare with: `ema` is CX-Mind's conditional process reward, `conditional` arXiv 2505.19640's."""

    alpha: Fraction = 0.2
    """Weight of the newest batch in the average."""
    margin: float = 0.0
    """The gate is open when the batch's mean outcome is at least average + margin."""
    right_at: Fraction = 1.0
    """Outcome from which `gate: per_sample` and `conditional` take an answer for right."""
    tolerance: NonNegativeFloat = 0.05
    """`gate: conditional` is open when the batch's mean outcome is above the previous batch's less this."""


class WorkerRewardConfig(Section):
    """How rewards are computed."""

    gate: GateConfig = GateConfig()
    num_workers: NonNegativeInt = 0
    """Processes that score; 0 scores in the run's own, but for rewards from files, which always have one or more."""
    timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 30.0
    """Seconds that such a process has for one completion; then it is killed and the reward counts as failed there."""


class WorkerConfig(Section):
    """The roles."""

    actor: ActorConfig = ActorConfig()
    rollout: RolloutConfig = RolloutConfig()
    reward: WorkerRewardConfig = WorkerRewardConfig()


class PassRateConfig(Section):
    """The band of difficulty a stage trains on, by what the policy that enters it can do."""

    low: Fraction = 0.1
    """A prompt stays when the mean outcome of its answers is at least this ..."""
    high: Fraction = 0.9
    """... and at most this."""
    n: PositiveInt = 8
    """Answers a prompt, sampled as in training; each costs as much as a rollout."""


class StageData(Section):
    """Which questions a stage draws, and which it is validated on."""

    train_files: tuple[str, ...] = ()
    """Files of this stage; the run's own when empty."""
    weights: tuple[PositiveFloat, ...] = ()
    """Shares of the stage's prompts, one a file in the files' order; empty takes the files as they are."""
    kinds: dict[str, PositiveFloat] = {}
    """Question kind -> share of the stage's prompts, within each file where `weights` are given; empty takes all."""
    val_files: tuple[str, ...] = ()
    """Files that the stage is validated on; the run's own when empty."""
    format_prompt: str | None = None
    """Jinja file around the stage's questions; the run's own when not given."""
    twins: bool = False
    """Whether a prompt is drawn together with its counterfactual twin, where the files hold it."""
    pass_rate: PassRateConfig | None = None
    """Leaves out prompts that are too easy or too hard for the policy that enters the stage."""


class AdvanceConfig(Section):
    """When a stage ends before its budget; looked at after each validation of the stage. Give one of the two rules."""

    outcome_at_least: Fraction | None = None
    """Ends the stage when the outcome of the last `validations` validations was at least this each time."""
    plateau: NonNegativeFloat | None = None
    """Ends the stage when none of the last `validations` validations gained more than this on the best one before."""
    validations: PositiveInt = 3
    """Validations in a row that a rule looks at."""


class StageConfig(Section):
    """One stage of the curriculum."""

    name: str
    """What logs and the report call it."""
    data: StageData = StageData()
    rewards: Rewards = ()
    """Reward terms of this stage, or names of presets such as `cx_mind_open`; the run's own when empty."""
    max_response_length: PositiveInt | None = None
    """Longest completion in tokens; the run's own when not given."""
    epochs: PositiveFloat | None = None
    """Passes over the stage's prompts."""
    steps: PositiveInt | None = None
    """Training steps; give either this or `epochs`."""
    advance: AdvanceConfig | None = None


class CurriculumConfig(Section):
    """Stages in order. Without any the run is one stage."""

    stages: tuple[StageConfig, ...] = ()


class TrainerConfig(Section):
    """How long, where, and what is written."""

    total_epochs: PositiveFloat = 1.0
    """Passes over the training prompts of a run without stages."""
    max_steps: PositiveInt | None = None
    """Training steps; stands over the epochs."""
    seed: NonNegativeInt = 1
    """Every random draw of the run follows from it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the tensors are; auto takes the GPU when there is one."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the policy's weights; auto is float32 on a CPU and bfloat16 on a GPU."""
    nnodes: PositiveInt = 1
    """Machines."""
    n_gpus_per_node: PositiveInt = 1
    """GPUs a machine."""
    project_name: str = "radrl"
    """First folder under `runs/`."""
    experiment_name: str = "default"
    """Second folder under `runs/`: the run."""
    save_checkpoint_path: str | None = None
    """Run folder, when it is not `runs/{project_name}/{experiment_name}`."""
    load_checkpoint_path: str | None = None
    """Checkpoint folder `.../global_step_k` of another run to start from."""
    fresh: bool = False
    """Whether an existing run folder is moved aside and the run starts anew."""
    logger: tuple[Literal["auto", "console", "tensorboard"], ...] = ("auto",)
    """Trackers besides metrics.jsonl, which is always written; auto is tensorboard where it is installed."""
    max_try_make_batch: int = 20
    """Sampling rounds a step may take to fill its batch when groups are filtered; -1 means no limit."""
    val_freq: int = -1
    """Steps between validations; -1 means only at the end. There are none without `data.val_files`."""
    val_before_train: bool = False
    """Whether the starting weights are validated."""
    val_only: bool = False
    """Whether the run stops after that validation."""
    save_freq: int = -1
    """Steps between checkpoints; -1 means only at the end."""
    save_limit: int = -1
    """Checkpoints kept, the best and the newest among them; -1 keeps all."""


class Config(Section):
    """A training run."""

    data: DataConfig = DataConfig()
    algorithm: AlgorithmConfig = AlgorithmConfig()
    worker: WorkerConfig = WorkerConfig()
    rewards: Rewards = (
        RewardConfig(name="format", weight=0.1),
        RewardConfig(name="answer_f1", weight=0.9, outcome=True),
    )
    """Terms of the reward, or names of presets such as `cx_mind_closed`, for stages that name none of their own."""
    curriculum: CurriculumConfig = CurriculumConfig()
    trainer: TrainerConfig = TrainerConfig()
