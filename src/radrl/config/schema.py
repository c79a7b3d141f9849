"""Every knob of training, once: its type, unit, default and one sentence.

The tree is CX-Mind's (`data`, `algorithm`, `worker`, `trainer`) plus `rewards` and `curriculum`; the defaults are ours
and run on one machine. Sections are frozen and never write into each other.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from radrl.config.critic import CriticConfig
from radrl.config.data import DataConfig as DataConfig
from radrl.config.learning import ActorConfig, AlgorithmConfig, RefConfig
from radrl.config.rollouts import RolloutConfig
from radrl.config.rubrics import expand
from radrl.config.section import Fraction, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Section

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
    kwargs: dict[str, float | int | bool | str] = Field(default={})
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
    """Processes that score, spread over the machines of a cluster; 0 scores in the run's own, but for rewards from
    files and of mathematics, which always have one or more."""
    timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 30.0
    """Seconds that such a process has for one completion; then it is killed and the reward counts as failed there."""


class WorkerConfig(Section):
    """The roles."""

    actor: ActorConfig = ActorConfig()
    critic: CriticConfig = CriticConfig()
    ref: RefConfig = RefConfig()
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
    kinds: dict[str, PositiveFloat] = Field(default={})
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
    """GPUs a machine; with `device: cpu` the processes a machine."""
    ray_address: str | None = None
    """Ray cluster to join, `host:port`; auto: the one this machine is part of; local: start one here, even for a single
    process. When not given, several processes join what RAY_ADDRESS names, or else start one here."""
    phase_timeout_s: PositiveFloat = 3600.0
    """Seconds a call to the workers of a cluster may take; then the stacks of all are written down and the run ends."""
    heartbeat_s: PositiveFloat = 10.0
    """Seconds between signs of life from the run's process to its workers, which end themselves when four in a row
    stay out."""
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
    logger: tuple[Literal["auto", "console", "tensorboard", "wandb", "mlflow", "swanlab"], ...] = ("auto",)
    """Trackers besides metrics.jsonl, which is always written; auto is tensorboard where it is installed."""
    log_text: bool = False
    """Whether wandb, mlflow and swanlab get the questions, references and completions of `val_generations_to_log`,
    which may hold patient text; without it they get numbers and the configuration alone."""
    log_images: bool = False
    """Whether trackers get the radiographs of those questions too; wandb, mlflow and swanlab only with `log_text`."""
    critic_warmup: NonNegativeInt = 0
    """First training steps in which the critic alone learns; the policy and an adaptive KL coefficient wait for it."""
    one_step_off: bool = False
    """Whether a step's rollouts are written while the step before is learnt from, by weights one step older; at the
    same time where sampling has GPUs of its own (`worker.rollout.placement: apart`)."""
    max_try_make_batch: int = 20
    """Sampling rounds a step may take to fill its batch when groups are filtered; -1 means no limit."""
    val_freq: int = -1
    """Steps between validations; -1 means only at the end. There are none without `data.val_files`."""
    val_before_train: bool = False
    """Whether the starting weights are validated."""
    val_only: bool = False
    """Whether the run validates the weights that it would start or go on from, and stops."""
    val_generations_to_log: NonNegativeInt = 0
    """Completions of each validation that are shown, always to the same questions: in `generation_samples_file` and by
    the trackers."""
    generation_samples_file: str = "generation_samples.txt"
    """Where they are appended; a relative path starts from the run folder."""
    save_freq: int = -1
    """Steps between checkpoints; -1 means only at the end."""
    save_limit: int = -1
    """Newest checkpoints kept, besides the best; -1 keeps all."""
    async_save: bool = True
    """Whether a checkpoint is written while the next step runs. It takes host memory for a copy of what learns and its
    moments, and a step never waits for the disk."""
    save_model_only: bool = False
    """Whether checkpoints hold the model and no optimizer: a quarter or less of the space, and no run can resume."""
    profile_steps: tuple[PositiveInt, ...] = ()
    """Steps of which a torch profiler trace is written to `logs/profile/` of the run folder."""
    debug: Literal["rollout_only", "replay", "overfit_one_batch"] | None = None
    """rollout_only: sample, score and log, never update; replay: update on the rollouts of `replay_file` instead of
    sampling; overfit_one_batch: the first batch's prompts in every step."""
    replay_file: str | None = None
    """completions.jsonl of an earlier run, for `debug: replay`."""
    hardware: str | None = None
    """GPU that `radrl train --plan` reckons with, such as H200; the one at hand when not given."""

    @property
    def needs_cluster(self) -> bool:
        """Whether a run has several processes, or is to be on a cluster in any case."""
        return self.nnodes * self.n_gpus_per_node > 1 or self.ray_address is not None


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
