"""Reward callables as TRL and ms-swift call them."""

import asyncio


def matches_answer(completions, answer, **kwargs):
    pairs = zip(completions, answer, strict=True)
    return [float(given in text) if given != "no finding" else None for text, given in pairs]


def sees(prompts, completions, completion_ids, solution, images, patient_id, answer_set, acquisition, **kwargs):
    assert len(prompts) == len(completions) == len(completion_ids) == len(images)
    seen = (prompts[0], completion_ids[0], solution[0], images[0], patient_id[0], answer_set[0], acquisition[0])
    raise ValueError(repr(seen))


def takes_few(texts, kind):
    return [float(len(text)) if of_kind == "presence" else 0.0 for text, of_kind in zip(texts, kind, strict=True)]


def wants_missing_column(completions, severity, **kwargs):
    return [1.0 for _ in completions]


def scaled(completions, scale=1.0, **kwargs):
    return [scale * len(text) for text in completions]


async def waits(completions, **kwargs):
    async def one(text):
        await asyncio.sleep(0)
        return float(len(text))

    return await asyncio.gather(*(one(text) for text in completions))


class CountsWords:
    def __init__(self, at_most=10, tokenizer=None):
        self.at_most = at_most

    def __call__(self, completions, **kwargs):
        return [float(min(len(text.split()), self.at_most)) for text in completions]
