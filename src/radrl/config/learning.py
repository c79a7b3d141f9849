"""Knobs of what is learnt: the algorithm, the policy's weights, and how they are updated."""

from typing import Annotated, Literal

from pydantic import Field

from radrl.config.section import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Section,
    named_or_own,
)

Algorithm = Literal["ppo", "grpo", "dr_grpo", "dapo", "rloo", "reinforce_plus_plus", "remax", "gspo", "cispo"]
"""Named settings of `radrl.config.presets`."""
AdvantageEstimator = Literal["grpo", "rloo", "reinforce_plus_plus", "remax", "gae"]
PolicyLoss = Literal["clip", "gspo", "gspo_token", "cispo", "policy_gradient"]
Strategy = Literal["adamw", "adamw_bf16", "sgd"]
"""Optimizers."""
KlEstimator = Literal["kl", "abs", "mse", "low_var_kl", "full"]
Correction = Literal["none", "truncate", "mask", "reject"]


class AlgorithmConfig(Section):
    """How rewards become advantages, advantages a loss, and what keeps the policy near its reference."""

    preset: Algorithm | None = None
    """Algorithm whose settings stand wherever a configuration file or the command line says nothing."""
    adv_estimator: AdvantageEstimator = "grpo"
    """grpo: less the group's mean; rloo: less the mean of the others; remax: less a greedy answer's reward;
    reinforce_plus_plus: discounted return over the batch's spread; gae: by a critic."""
    scale_advantages: bool = True
    """Whether the group's standard deviation divides (GRPO) or not (Dr. GRPO)."""
    advantage_eps: PositiveFloat = 1e-6
    """Added to the standard deviation that divides; CX-Mind 1e-6, CheX-Phi4MM 1e-4."""
    gamma: Fraction = 1.0
    """Discount a token, of reinforce_plus_plus and gae."""
    lam: Fraction = 1.0
    """Decay of gae's sum of errors; 1 takes the whole return, 0 trusts the critic."""
    policy_loss: PolicyLoss = "clip"
    """clip: PPO's clipped token ratio; gspo, gspo_token: the sequence's ratio; cispo: log-probability under a capped
    weight; policy_gradient: no ratio at all."""
    ratio_mode: Literal["auto", "bypass", "decoupled"] = "auto"
    """What the ratio divides by. bypass: the sampler's log-probabilities, as they came; decoupled: the trainer's own,
    from one more pass before the first update; auto: bypass, but the policy itself where a batch has one update and
    is not a step old."""
    correction: Correction = "reject"
    """What the trainer's disagreement with the sampler does to a loss. truncate: weights it, up to the cap; mask: the
    same within 1 / cap to cap, drops it outside; reject: only drops. In bypass the ratio's clip bounds it instead."""
    correction_level: Literal["token", "sequence"] = "token"
    """Whether that weight is a token's or a sequence's, the product of its tokens'."""
    correction_cap: float = Field(default=3.0, gt=1)
    """Largest weight: a factor between the probabilities of trainer and sampler."""
    kl_coef: NonNegativeFloat = 0.0
    """Weight of the KL term; at 0 no reference pass is made and no reference model held."""
    kl_penalty: KlEstimator = "low_var_kl"
    """Estimator, of d = policy - reference log-probability: kl is d, abs |d|, mse d^2 / 2, low_var_kl exp(-d) + d - 1;
    full needs whole distributions, which training does not hold."""
    use_kl_loss: bool = True
    """Whether the KL term is in the loss; otherwise each token's reward is less by it, before advantages."""
    kl_type: Literal["fixed", "adaptive"] = "fixed"
    """Whether the coefficient stays, or is steered so that the KL comes to `kl_target`."""
    kl_horizon: PositiveFloat = 10_000.0
    """Completions over which an adaptive coefficient may change by a fifth of itself."""
    kl_target: PositiveFloat = 0.1
    """Nats a token that an adaptive coefficient aims at."""
    mask_truncated: bool = False
    """Whether completions cut at their limit are left out of the loss; their rewards still count in their group."""
    online_filtering: bool = False
    """Whether groups outside the outcome bounds are dropped and replaced by fresh prompts."""
    filter_low: float = 0.01
    """A group is kept when its mean outcome is above this ..."""
    filter_high: float = 0.99
    """... and below this."""
    filter_min_std: NonNegativeFloat = 0.0
    """A group is kept when the standard deviation of its outcome is above this; 0.06 is CheX-Phi4MM's threshold."""
    filter_when_short: Literal["shorter", "original", "error"] = "shorter"
    """When the tries end before the batch is full: train on what was kept, on the first try's groups as they are, or
    stop. Without any group at all, only `original` goes on."""

    def ratio_for(self, *, num_updates: int, one_step_off: bool = False) -> Literal["on_policy", "bypass", "decoupled"]:
        """What the ratio divides by, for a rollout batch of so many optimizer steps.

        In a single update the policy that is updated is the one that sampled, so its own detached log-probabilities
        stand for the old ones: the ratio is 1 and no pass is spent on it. Not where another step came in between.
        """
        if self.ratio_mode != "auto":
            return self.ratio_mode
        return "on_policy" if num_updates == 1 and not one_step_off else "bypass"


class LoraConfig(Section):
    """Low-rank adapters beside frozen weights."""

    rank: NonNegativeInt = 0
    """Rank of a new adapter; 0 attaches none."""
    alpha: PositiveFloat = 32.0
    """The adapter's product is scaled by alpha / rank."""
    dropout: Fraction = 0.0
    """Must be 0: with dropout the trainer's probabilities would not be the sampler's."""
    targets: str | None = None
    """Regular expression that the whole names of adapted linear layers match; all of the language model's when not
    given."""
    path: str | None = None
    """Folder of an adapter in PEFT's format to start from; it brings its own rank, alpha and targets."""
    name: str = Field(default="default", pattern=r"^\w+$")
    """What the adapter is called, where a model has several."""


class ModelConfig(Section):
    """The policy's starting weights, and which of them learn."""

    model_path: str = ""
    """Hugging Face folder (or hub name) of the vision-language model."""
    tokenizer_path: str | None = None
    """Folder of tokenizer and processor when it is not the model's own."""
    lora: LoraConfig = LoraConfig()
    freeze_vision_tower: bool = False
    """Whether the image encoder keeps its weights."""
    trainable: tuple[str, ...] = ()
    """Regular expressions of parameter names: only what one of them matches learns. When empty the adapters do, and
    without adapters everything."""
    frozen: tuple[str, ...] = ()
    """Regular expressions of parameter names that do not learn after all."""
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
    strategy: Strategy = "adamw"
    """adamw: in float32, on copies where the weights are bfloat16 (18 bytes a weight, gradient included); adamw_bf16:
    on bfloat16 weights, with Kahan's compensation (12 bytes); sgd: the rate times the gradient, in float32, without
    momentum or decay."""
    offload: bool = False
    """Whether the moments wait on the CPU between steps."""


Sharding = Literal["replicate", "full", "zero2", "zero1"]
"""How ranks hold the weights that learn."""


class FsdpConfig(Section):
    """How weights are held by the ranks that train one model. With a single rank it holds all, and none of this acts
    but `offload_params`."""

    mode: Sharding | Literal["auto"] = "auto"
    """replicate: every rank holds all weights and gradients are summed once a step; full: ranks hold shards of weights,
    gradients and moments (FSDP2) and gather a layer's weights for each pass; zero2: the same, but weights gathered in
    the forward pass stay until the backward pass; zero1: weights are gathered once a step, and gradients stay whole
    until its last pass; auto: replicate where adapters alone learn, else full."""
    fsdp_size: Literal[-1] | PositiveInt = -1
    """Ranks that hold one copy between them, of which there are as many as fit (hybrid sharding); -1 is all ranks."""
    offload_params: bool = False
    """Whether weights wait on the CPU while a sampler with weights of its own is at work."""
    reduce_dtype: Literal["float32", "bfloat16"] = "float32"
    """Type in which gradients of shards are summed over ranks."""
    prefetch: PositiveInt = 1
    """Layers whose weights are gathered ahead of the one that computes."""


class ActorConfig(Section):
    """The policy and its update."""

    name: Annotated[str, named_or_own("packed")] = "packed"
    """What trains it. packed: passes over packed rows whose completions share their prompt; or where a class of your
    own stands: path/to/file.py:Class, package.module:Class."""
    model: ModelConfig = ModelConfig()
    optim: OptimConfig = OptimConfig()
    fsdp: FsdpConfig = FsdpConfig()
    global_batch_size: PositiveInt = 16
    """Prompts an optimizer step (samples, in supervised training); must divide the rollout batch."""
    attention: Literal["auto", "dense", "varlen"] = "auto"
    """How packed rows attend in training: by a mask, or over segments (torch's variable-length kernel), which auto
    takes on a GPU where the model allows it."""
    use_torch_compile: Literal["auto"] | bool = "auto"
    """Whether the decoder's layers are compiled for training; auto does so on a GPU for layers that are all alike. The
    first step then takes a minute longer."""
    activations: Literal["auto", "keep", "recompute", "offload"] = "auto"
    """What becomes of activations until the backward pass: kept, computed again from each layer's input (activation
    checkpointing), or kept in the host's memory; auto keeps them where an estimate says that they fit."""
    micro_batch_tokens: PositiveInt = 16_384
    """Tokens one forward and backward pass may hold, over all of its rows."""
    row_tokens: PositiveInt = 4096
    """Tokens one packed row may hold; a longer group is split, each part with its own copy of the prompt. Attention
    over segments has one row a pass, of up to `micro_batch_tokens`."""
    ulysses_size: PositiveInt = 1
    """Ranks that share the rows of a pass, each with its part of every row (Ulysses sequence parallelism). For rows too
    long for one; `micro_batch_tokens` and `row_tokens` are those of all of them together."""
    max_grad_norm: PositiveFloat = 1.0
    """Gradients are scaled down to this norm."""
    clip_ratio_low: Fraction = 0.2
    """Lower clip: the ratio is held above 1 - this."""
    clip_ratio_high: NonNegativeFloat = 0.28
    """Upper clip: the ratio is held below 1 + this."""
    clip_ratio_dual: float = Field(default=3.0, gt=1)
    """Dual clip: bound on ratio x advantage when the advantage is negative."""
    loss_avg_mode: Literal["token", "seq", "fixed"] = "token"
    """Mean over all completion tokens of the optimizer step, over the means of its sequences, or over the sums of its
    sequences with each divided by `loss_length`."""
    loss_length: PositiveInt = 512
    """Tokens that `loss_avg_mode: fixed` divides every sequence's sum by, whatever its own: those of the longest."""
    entropy_coef: NonNegativeFloat = 0.0
    """Weight of the entropy bonus, which keeps the policy from becoming sure too early."""
    ppo_epochs: PositiveInt = 1
    """Passes over a rollout batch."""


class RefConfig(Section):
    """The policy that a KL term holds on to: the one that the run starts from."""

    name: Annotated[str, named_or_own("start")] = "start"
    """start: the policy as it is when the run starts; or where a class of your own stands, such as one with another
    model: path/to/file.py:Class, package.module:Class."""
    mode: Literal["auto", "adapter_off", "copy"] = "auto"
    """adapter_off: the same weights without the adapter; copy: starting values of the weights that learn, put in their
    place for the pass; auto takes the first where the adapter is a new one and nothing else learns."""
    offload: bool = False
    """Whether a copy waits on the CPU."""
