"""A server as the model: chat completions in the form of OpenAI's, which vLLM and most other servers speak too."""

import codecs
import functools
import importlib.util
import ipaddress
import itertools
import json
import logging
import os
import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from radrl.asking.pictures import data_url
from radrl.asking.spelling import spelt
from radrl.config.evaluation import EndpointConfig, EvaluateConfig
from radrl.errors import ConfigError
from radrl.evaluation.responses import Response
from radrl.types import IMAGE_MARK, ImageRef, Sample

log = logging.getLogger(__name__)

HOPELESS = 20
"""Failures one after the other, from the first request on, after which no further one is sent."""
AHEAD = 4
"""Requests that are handed out before their turn, times those under way."""
NUM_PICTURES = 64
"""Packed images that are kept, for questions about the same film."""


class EndpointRespondent:
    """Asks a server, several questions at a time. One that it fails to answer is a response that says why."""

    def __init__(self, config: EvaluateConfig) -> None:
        """Raises ConfigError for an address that may not be sent to, or a key that is not there."""
        check_endpoint(config.endpoint)
        self._config = config
        self._openai: Any = import_module("openai")
        self._client = self._open_client(config.endpoint)
        self._picture = functools.lru_cache(maxsize=NUM_PICTURES)(self._pack)
        self._num_silent: int | None = 0
        """Failures since the start; None once anything was answered."""
        self._has_warned = False

    def respond(self, samples: Sequence[Sample], places: Sequence[int]) -> Iterator[Response]:
        """Yield what the server writes. Raises ConfigError where it refuses everything, or never answers."""
        self._say_what_leaves()
        asked = zip(samples, places, strict=True)
        jobs = [(sample, place, index) for sample, place in asked for index in range(self._config.n)]
        concurrency = self._config.endpoint.concurrency
        pool = ThreadPoolExecutor(concurrency, thread_name_prefix="radrl-endpoint")
        try:
            waiting: deque[Future[Response]] = deque()
            for job in itertools.chain(jobs, itertools.repeat(None)):
                if job is not None:
                    waiting.append(pool.submit(self._respond_once, *job))
                    if len(waiting) < AHEAD * concurrency:
                        continue
                if not waiting:
                    break
                response = waiting.popleft().result()
                self._check_hope(response)
                self._check_tokens(response)
                yield response
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _respond_once(self, sample: Sample, place: int, index: int) -> Response:
        openai = self._openai
        try:
            answer = self._client.chat.completions.create(**self._request(sample, place, index))
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            raise ConfigError(
                f"the server at {self._config.endpoint.url} refuses every request: {_first_line(error)}. Correct "
                "endpoint.url, endpoint.model or the key in the variable that endpoint.key_variable names."
            ) from error
        except (openai.OpenAIError, json.JSONDecodeError) as error:
            return self._failed(sample, index, f"{type(error).__name__}: {_first_line(error)}")
        choices = getattr(answer, "choices", None)
        if not choices or getattr(choices[0], "message", None) is None:
            return self._failed(sample, index, "the server's answer holds no completion")
        return _response(sample, index, choices[0])

    def _request(self, sample: Sample, place: int, index: int) -> dict[str, Any]:
        config = self._config
        request: dict[str, Any] = {
            "model": config.endpoint.model,
            "messages": [{"role": "user", "content": self._content(sample)}],
            "max_tokens": config.endpoint.max_tokens or config.max_response_length,
            "temperature": config.temperature,
        }
        if config.temperature > 0:
            request["seed"] = random.Random(f"{config.seed}:{place}:{index}").getrandbits(31)
        return request | ({"logprobs": True} if config.token_probs else {})

    def _content(self, sample: Sample) -> str | list[dict[str, Any]]:
        """The question; a film is a part of its own where its mark stands."""
        if not sample.images:
            return sample.question
        parts: list[dict[str, Any]] = []
        for number, text in enumerate(sample.question.split(IMAGE_MARK)):
            if number:
                url = self._picture(sample.images[number - 1])
                picture = {"url": url, "detail": self._config.endpoint.image_detail}
                parts.append({"type": "image_url", "image_url": picture})
            if text.strip():
                parts.append({"type": "text", "text": text})
        return parts

    def _pack(self, ref: ImageRef) -> str:
        rows = self._config.rows
        image_format = self._config.endpoint.image_format
        return data_url(ref, least=rows.min_pixels, most=rows.max_pixels, image_format=image_format)

    def _failed(self, sample: Sample, index: int, reason: str) -> Response:
        log.warning("question %s has no answer and counts as unreadable: %s", sample.id, reason)
        return Response(sample=sample, index=index, text="", failure=reason)

    def _check_hope(self, response: Response) -> None:
        """Raise ConfigError when nothing has been answered for long enough."""
        if response.failure is None or self._num_silent is None:
            self._num_silent = None
            return
        self._num_silent += 1
        if self._num_silent >= HOPELESS:
            raise ConfigError(
                f"the server at {self._config.endpoint.url} answered none of the first {HOPELESS} requests, the last "
                f"because of {response.failure}. See that it runs, and that endpoint.url and endpoint.model are right."
            )

    def _check_tokens(self, response: Response) -> None:
        """Say once that confidence is missing where it was asked for; calibration counts how often."""
        if self._config.token_probs and not (response.token_texts or response.failure or self._has_warned):
            self._has_warned = True
            log.warning(
                "token_probs is true, but the server gives no log-probabilities that spell its text, at question %s "
                "first; such completions have no confidence",
                response.sample.id,
            )

    def _say_what_leaves(self) -> None:
        url = self._config.endpoint.url
        where = "in another process of this machine" if is_local(url) else "ON ANOTHER MACHINE"
        log.warning("every question and its images are sent to %s, %s", url, where)

    def _open_client(self, endpoint: EndpointConfig) -> Any:
        """A client that sends the named key and no other.

        What goes to this machine goes neither by a proxy nor where the server redirects it.
        """
        http = None
        if is_local(endpoint.url):
            http = self._openai.DefaultHttpxClient(trust_env=False, follow_redirects=False)
        return self._openai.OpenAI(
            base_url=endpoint.url,
            api_key=os.environ[endpoint.key_variable] if endpoint.key_variable else "none",
            timeout=endpoint.timeout_s,
            max_retries=endpoint.max_retries,
            http_client=http,
        )


def check_endpoint(endpoint: EndpointConfig, *, environment: Mapping[str, str] = os.environ) -> None:
    """Raise ConfigError where a server cannot be asked, or may not be."""
    if importlib.util.find_spec("openai") is None:
        raise ConfigError(
            "backend is endpoint, whose client is not installed. Install it with pip install 'radrl[endpoint]'."
        )
    if urlsplit(endpoint.url).scheme not in ("http", "https") or not urlsplit(endpoint.url).hostname:
        raise ConfigError(
            f"endpoint.url is {endpoint.url!r}, which is no address. Give the base of the server's, such as "
            "http://localhost:8000/v1."
        )
    if not endpoint.model:
        raise ConfigError("endpoint.model is missing. Give the name that the server has for the model.")
    if not is_local(endpoint.url) and not endpoint.send_images_to_remote:
        raise ConfigError(
            f"endpoint.url is {endpoint.url}, another machine, and every question and film would be sent there. If "
            "their owner allows that, set endpoint.send_images_to_remote=true."
        )
    if endpoint.key_variable and not environment.get(endpoint.key_variable):
        raise ConfigError(
            f"the variable {endpoint.key_variable} (from endpoint.key_variable) is not set in the environment. Put the "
            "key there, or leave endpoint.key_variable out for a server that asks for none."
        )


def is_local(url: str) -> bool:
    """Whether an address is this machine's own.

    >>> is_local("http://127.0.0.1:8000/v1"), is_local("https://api.example.com/v1")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _response(sample: Sample, index: int, choice: Any) -> Response:
    text = choice.message.content or ""
    listed = getattr(getattr(choice, "logprobs", None), "content", None) or []
    texts = spelt(_token_texts(listed), text) if listed else None
    return Response(
        sample=sample,
        index=index,
        text=text,
        token_texts=texts or (),
        token_logprobs=tuple(float(token.logprob) for token in listed) if texts else (),
        stop={"stop": "eos", "length": "length"}.get(choice.finish_reason),  # pyright: ignore[reportArgumentType]
    )


def _token_texts(listed: Sequence[Any]) -> list[str]:
    """Text of each token; a character whose bytes are spread over tokens sits on the last of them."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    pieces = [bytes(token.bytes) if token.bytes else str(token.token).encode() for token in listed]
    return [decoder.decode(piece) for piece in pieces]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no reason is given"])[0]
