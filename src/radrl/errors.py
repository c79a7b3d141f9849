"""Errors a user can meet. Each says what is wrong, the value, where it came from and what to do."""


class RadrlError(Exception):
    """Anything radrl reports to a user in one sentence, without a traceback."""


class ConfigError(RadrlError, ValueError):
    """A configuration that cannot run: unknown key, wrong type, or values that contradict each other."""


class DataError(RadrlError, ValueError):
    """A file, row or image that cannot be read; the message names file, line and field."""


class PluginError(RadrlError, ImportError):
    """A reward, extractor or role named by the user that cannot be found or loaded."""


class RewardError(RadrlError, RuntimeError):
    """A reward that failed on a rollout, or returned something that is not a score."""


class CheckpointError(RadrlError, RuntimeError):
    """A checkpoint that cannot be written or read."""


class SyncError(RadrlError, RuntimeError):
    """A sampler that does not have the weights it says it samples from."""


class ClusterError(RadrlError, RuntimeError):
    """A worker that died, hung or failed; the message names it, its machine and its log (exit code 4)."""


class NoSignal(RadrlError, RuntimeError):
    """Nothing left to learn from: no group of rollouts has any spread in its outcome (exit code 3)."""


class CheckFailed(RadrlError, RuntimeError):
    """A check that the user asked for did its work and says no (exit code 1)."""


class Interrupted(Exception):
    """The user or the scheduler asked a run to stop, and everything is saved. Not an error."""

    def __init__(self, signal_number: int, step: int) -> None:
        super().__init__(signal_number, step)
        self.signal_number = signal_number
        self.step = step
        """Last step that is saved."""
