"""Environment variables of CheX-Phi4MM's scripts that say how to train."""

from collections.abc import Mapping

from radrl.config.seeds import Given, short

FREEZE = "FREEZE_NON_VISION_PARAMS"
VISION_LORA = (r"lora_A\.vision", r"lora_B\.vision")
"""Their patch lets parameters of these names learn, and no others."""
_BEFORE_ALL = -1
"""Position of what every argument stands over."""


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
