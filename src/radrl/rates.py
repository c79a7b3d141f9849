"""Seconds of a step held against its tokens: what phases cost a token, and how many tokens a device gets through."""

from collections.abc import Mapping


class TokenRates:
    """Adds `timing_per_token_ms/*` and `perf/throughput` to the metrics of a step, as CX-Mind counts them."""

    OF_COMPLETIONS = ("gen",)
    """Phases whose seconds are divided by the completion tokens ..."""
    OF_ALL = ("ref", "old_log_prob", "values", "adv", "update_critic", "update_actor")
    """... and by those of prompts and completions."""

    def __init__(self, *, num_devices: int) -> None:
        self._num_devices = num_devices

    def take(self, metrics: Mapping[str, float]) -> Mapping[str, float]:
        """Rates of a step with these metrics; none where it counted no tokens.

        Example: 4 s of `gen` for 8 completions of 100 tokens: 5 ms a token.
        """
        tokens = metrics.get("perf/total_num_tokens", 0.0)
        seconds = metrics.get("timing_s/step", 0.0)
        if tokens <= 0 or seconds <= 0:
            return {}
        response, prompt = metrics["response_length/mean"], metrics["prompt_length/mean"]
        completion_tokens = tokens * response / (response + prompt)
        rates = {
            f"timing_per_token_ms/{phase}": 1000 * metrics[f"timing_s/{phase}"] / count
            for phases, count in ((self.OF_COMPLETIONS, completion_tokens), (self.OF_ALL, tokens))
            for phase in phases
            if f"timing_s/{phase}" in metrics and count > 0
        }
        return {**rates, "perf/time_per_step": seconds, "perf/throughput": tokens / seconds / self._num_devices}
