"""Environment variables of the two recipes' scripts that say how to train."""

from collections.abc import Mapping

from radrl.config.seeds import Given, short

FREEZE = "FREEZE_NON_VISION_PARAMS"
VISION_LORA = (r"lora_A\.vision", r"lora_B\.vision")
"""Their patch lets parameters of these names learn, and no others."""
MODELSCOPE = "USE_MODELSCOPE_HUB"
"""CX-Mind's choice of the hub that names of models stand for."""
_BEFORE_ALL = -1
"""Position of what every argument stands over."""


def uses_modelscope(environment: Mapping[str, str]) -> bool:
    """Whether names of models are ModelScope's and not Hugging Face's.

    >>> uses_modelscope({"USE_MODELSCOPE_HUB": "1"})
    True
    """
    return environment.get(MODELSCOPE, "0").lower() in ("1", "true", "y", "yes")


def environment_settings(environment: Mapping[str, str]) -> tuple[list[Given], tuple[str, ...]]:
    """Settings that the environment asks for, with a warning each that names our key."""
    if environment.get(FREEZE, "0").lower() in ("", "0", "false"):
        return [], ()
    key = "worker.actor.model.trainable"
    given = Given(key=key, value=list(VISION_LORA), origin=f"environment, as {FREEZE}", position=_BEFORE_ALL)
    warning = (
        f"{FREEZE} (from environment) is read as {key}={short(given.value)}, where no argument says otherwise: only "
        "the vision LoRA learns. The seed's README also lets the head learn, its code does not; name "
        "embed_tokens, to which the head is tied, there too for that."
    )
    return [given], (warning,)
