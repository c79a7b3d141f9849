"""A plugin file as ms-swift loads it with --external_plugins."""

from swift.plugin import ORM, orms
from swift.utils import get_logger

logger = get_logger()


class AnswerFirst(ORM):
    def __call__(self, completions, solution, **kwargs) -> list[float]:
        logger.info("scoring %d completions", len(completions))
        return [float(text.startswith(gold[:3])) for text, gold in zip(completions, solution, strict=True)]


orms["external_answer_first"] = AnswerFirst
