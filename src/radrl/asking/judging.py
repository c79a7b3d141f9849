"""Opens the judge that a configuration names; a model behind an endpoint is asked as the evaluated ones are."""

from collections.abc import Iterator, Sequence

from radrl.asking.endpoint import EndpointRespondent
from radrl.config.evaluation import EvaluateConfig, JudgeConfig
from radrl.errors import ConfigError
from radrl.evaluation.judges.lexical import MEASURES, LexicalJudge
from radrl.evaluation.judges.plugged import open_plugged
from radrl.evaluation.judges.prompted import MAX_TOKENS, AskText, PromptedJudge
from radrl.evaluation.judges.verdicts import Failure, Judge
from radrl.plugins import is_reference
from radrl.types import AnswerKind, Sample

BUILT_IN = ("lexical", "endpoint")


def open_judge(config: JudgeConfig) -> Judge:
    """Open a judge. Raises ConfigError for a name, key or address that is none, PluginError for a missing function."""
    if is_reference(config.name):
        return open_plugged(config.name, config.kwargs)
    match config.name:
        case "lexical":
            return _open_lexical(config)
        case "endpoint":
            if config.kwargs:
                raise ConfigError(
                    f"judge.kwargs has {', '.join(config.kwargs)}, but the judge is an endpoint, whose keys are in "
                    "judge.endpoint. Write them there."
                )
            return PromptedJudge(model=config.endpoint.model, url=config.endpoint.url, ask=_asking(config))
        case _:
            raise ConfigError(
                f"judge.name is {config.name!r}. Choose {', '.join(BUILT_IN)}, or name a function of your own: "
                "path/to/file.py:name or package.module:name."
            )


def _open_lexical(config: JudgeConfig) -> LexicalJudge:
    measure = config.kwargs.get("measure", LexicalJudge().measure)
    threshold = config.kwargs.get("threshold", LexicalJudge().threshold)
    unknown = sorted(config.kwargs.keys() - {"measure", "threshold"})
    if unknown or measure not in MEASURES or isinstance(threshold, (str, bool)) or not 0 <= threshold < 1:
        raise ConfigError(
            f"judge.kwargs is {config.kwargs}, which the lexical judge does not take. Give measure "
            f"({', '.join(MEASURES)}) and threshold (0 to below 1), or neither."
        )
    return LexicalJudge(measure=str(measure), threshold=float(threshold))


def _asking(config: JudgeConfig) -> AskText:
    """The endpoint's own respondent, asked texts without films."""
    settings = EvaluateConfig(out="", backend="endpoint", endpoint=config.endpoint, max_response_length=MAX_TOKENS)
    try:
        respondent = EndpointRespondent(settings)
    except ConfigError as error:
        raise ConfigError(f"the judge cannot be asked (its keys begin with judge.endpoint): {error}") from error

    def ask(prompts: Sequence[str]) -> Iterator[str | Failure]:
        samples = [_question(place, prompt) for place, prompt in enumerate(prompts)]
        for response in respondent.respond(samples, range(len(samples))) if samples else ():
            yield response.text if response.failure is None else Failure(reason=response.failure)

    return ask


def _question(place: int, prompt: str) -> Sample:
    name = f"judged-{place}"
    return Sample(
        id=name,
        patient_id=name,
        kind="judge",
        question=prompt,
        answer=frozenset(),
        answer_kind=AnswerKind.TEXT,
        reference="",
    )
