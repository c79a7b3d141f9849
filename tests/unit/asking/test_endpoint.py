"""A server in this process that speaks as OpenAI's does."""

import base64
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from asking_builders import question, settings
from PIL import Image

from radrl.asking.endpoint import EndpointRespondent, check_endpoint
from radrl.asking.pictures import bounded
from radrl.config.evaluation import EndpointConfig, EvaluateConfig
from radrl.data.images import image_ref
from radrl.errors import ConfigError
from radrl.evaluate import evaluate
from radrl.types import Sample

Answer = Callable[[dict], tuple[int, object]]


class Server:
    """Answers what a function of the request says, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Answer = lambda request: (200, completion("yes"))
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(request)
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                status, body = outer.answer(request)
                content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def completion(text: str, *, finish: str = "stop", logprobs: object = None) -> dict:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": logprobs}
    return {"id": "c1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}


def refusal(message: str) -> dict:
    return {"error": {"message": message, "type": "some", "code": None}}


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def films(tmp_path) -> list:
    generator = np.random.default_rng(0)
    refs = []
    for number in range(2):
        path = tmp_path / f"film{number}.png"
        Image.fromarray(generator.integers(0, 255, size=(40, 80), dtype=np.uint8)).save(path)
        refs.append(image_ref(path))
    return refs


def shown(sample: Sample, *refs, text: str) -> Sample:
    return replace(sample, question=text, images=refs)


def ask(server: Server, samples, tmp_path, *, endpoint=None, **changes):
    keys = {"url": server.url, "model": "m", "max_retries": 0, **(endpoint or {})}
    config = settings(tmp_path, backend="endpoint", endpoint=keys, **changes)
    return list(EndpointRespondent(config).respond(samples, range(len(samples))))


def pixels(part: dict) -> np.ndarray:
    packed = part["image_url"]["url"].removeprefix("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(packed))))


def test_films_stand_where_their_marks_do_with_every_pixel_as_it_is(server, films, tmp_path):
    sample = shown(question(0), *films, text="Before: <image> after: <image> Is it worse?")
    ask(server, [sample], tmp_path, max_response_length=77)
    (request,) = server.requests
    parts = request["messages"][0]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "text", "image_url", "text"]
    assert [part["text"] for part in parts if part["type"] == "text"] == ["Before: ", " after: ", " Is it worse?"]
    for part, ref in zip(parts[1::2], films, strict=False):
        assert (pixels(part) == np.asarray(Image.open(ref.path).convert("RGB"))).all()
        assert part["image_url"]["detail"] == "auto"
    assert (request["model"], request["max_tokens"], request["temperature"]) == ("m", 77, 0.0)
    assert "logprobs" not in request
    assert "seed" not in request


def test_films_keep_to_the_bounds_in_pixels_of_local_models(server, films, tmp_path):
    sample = shown(question(0), films[0], text="<image>?")
    ask(server, [sample], tmp_path, rows={"max_pixels": 800})
    assert pixels(server.requests[0]["messages"][0]["content"][0]).shape == (20, 40, 3)
    assert bounded(80, 40, least=0, most=800) == (40, 20)
    assert bounded(80, 40, least=12_800, most=100_000) == (160, 80)


def test_a_dicom_film_is_sent_as_its_preset_shows_it(server, tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    from radrl.data.images import open_image

    film = pydicom.Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    film.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    film.SOPClassUID = film.file_meta.MediaStorageSOPClassUID
    film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID
    film.Modality, film.PhotometricInterpretation = "DX", "MONOCHROME1"
    film.Rows, film.Columns, film.SamplesPerPixel = 20, 30, 1
    film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = 16, 12, 11, 0
    film.PixelData = (np.arange(600, dtype=np.uint16) * 6).tobytes()
    film.save_as(tmp_path / "film.dcm", enforce_file_format=True)
    ref = image_ref(tmp_path / "film.dcm", preset="minmax")
    ask(server, [shown(question(0), ref, text="<image>?")], tmp_path)
    sent = pixels(server.requests[0]["messages"][0]["content"][0])
    assert (sent == np.asarray(open_image(ref))).all()
    assert sent[0, 0, 0] > sent[-1, -1, 0], "the least stored value of this film is its brightest"


def test_answers_come_in_order_however_the_server_takes_its_time(server, tmp_path):
    released = threading.Event()

    def answer(request):
        name = request["messages"][0]["content"]
        if name == "question 0":
            released.wait(5)
        elif name == "question 3":
            released.set()
        return 200, completion(f"answer to {name}", finish="length" if name == "question 2" else "stop")

    server.answer = answer
    samples = [shown(question(number), text=f"question {number}") for number in range(9)]
    found = ask(server, samples, tmp_path, endpoint={"concurrency": 4})
    assert [response.text for response in found] == [f"answer to question {number}" for number in range(9)]
    assert [response.stop for response in found][:4] == ["eos", "eos", "length", "eos"]


def test_token_probabilities_are_asked_for_and_spell_the_text(server, tmp_path):
    """Spec row 79: an accent whose bytes are spread over two tokens sits on the second; the end has no text."""
    tokens = [("caf", None), ("\\xc3", [0xC3]), ("\\xa9", [0xA9]), ("<|end|>", None)]
    listed = [
        {"token": token, "bytes": given, "logprob": -0.5 * place, "top_logprobs": []}
        for place, (token, given) in enumerate(tokens)
    ]
    server.answer = lambda request: (200, completion("café", logprobs={"content": listed}))
    (response,) = ask(server, [shown(question(0), text="?")], tmp_path, token_probs=True)
    assert server.requests[0]["logprobs"] is True
    assert response.token_texts == ("caf", "", "é", "")
    assert response.token_logprobs == (0.0, -0.5, -1.0, -1.5)
    assert response.token_ids == ()


def test_tokens_that_do_not_spell_the_text_are_left_out_and_that_is_said_once(server, tmp_path, caplog):
    listed = [{"token": "other", "bytes": None, "logprob": -1.0, "top_logprobs": []}]
    server.answer = lambda request: (200, completion("yes", logprobs={"content": listed}))
    found = ask(server, [shown(question(number), text="?") for number in range(2)], tmp_path, token_probs=True)
    assert [(response.token_texts, response.token_logprobs) for response in found] == [((), ())] * 2
    assert caplog.text.count("gives no log-probabilities that spell its text, at question q0") == 1


def test_draws_follow_from_seed_place_and_index_alone(server, tmp_path):
    samples = [shown(question(number), text="?") for number in range(2)]
    ask(server, samples, tmp_path, n=2, temperature=0.7, endpoint={"concurrency": 1})
    ask(server, samples, tmp_path, n=2, temperature=0.7, endpoint={"concurrency": 1})
    seeds = [request["seed"] for request in server.requests]
    assert seeds[:4] == seeds[4:]
    assert len(set(seeds[:4])) == 4
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_a_busy_server_is_asked_again_and_one_that_stays_so_is_recorded(server, tmp_path, caplog):
    tries: dict[str, int] = {}

    def answer(request):
        name = request["messages"][0]["content"]
        tries[name] = tries.get(name, 0) + 1
        if name == "bad" or (name == "slow" and tries[name] == 1):
            return 503, refusal("overloaded")
        return 200, completion("yes")

    server.answer = answer
    samples = [shown(question(number), text=name) for number, name in enumerate(("good", "slow", "bad", "also good"))]
    found = ask(server, samples, tmp_path, endpoint={"max_retries": 1})
    assert tries == {"good": 1, "slow": 2, "bad": 2, "also good": 1}
    assert [response.text for response in found] == ["yes", "yes", "", "yes"]
    assert "overloaded" in found[2].failure
    assert "question q2 has no answer and counts as unreadable" in caplog.text


@pytest.mark.parametrize("body", ["<html>a page</html>", {"choices": []}, {"choices": [{"index": 0}]}])
def test_what_is_no_completion_is_a_failure_and_not_a_crash(server, tmp_path, body):
    server.answer = lambda request: (200, body)
    (response,) = ask(server, [shown(question(0), text="?")], tmp_path)
    assert response.failure == "the server's answer holds no completion"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_everything_ends_the_run_at_once(server, tmp_path, status):
    server.answer = lambda request: (status, refusal("no such model"))
    with pytest.raises(ConfigError, match=r"refuses every request.*no such model"):
        ask(server, [shown(question(number), text="?") for number in range(50)], tmp_path)


def test_a_server_that_never_answers_is_given_up(server, tmp_path):
    server.answer = lambda request: (500, refusal("broken"))
    with pytest.raises(ConfigError, match=r"answered none of the first 20 requests.*broken"):
        ask(server, [shown(question(number), text="?") for number in range(300)], tmp_path)
    assert len(server.requests) < 100


def test_that_images_are_sent_is_said_before_the_first_request(server, tmp_path, caplog):
    server.answer = lambda request: (200, completion(caplog.text))
    with caplog.at_level(logging.WARNING):
        (response,) = ask(server, [shown(question(0), text="?")], tmp_path)
    assert f"every question and its images are sent to {server.url}" in response.text


def test_the_key_comes_from_the_named_variable_and_from_nowhere_else(server, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "of another server")
    monkeypatch.setenv("SERVER_KEY", "abc")
    sample = [shown(question(0), text="?")]
    ask(server, sample, tmp_path)
    ask(server, sample, tmp_path, endpoint={"key_variable": "SERVER_KEY"})
    assert [headers["authorization"] for headers in server.headers] == ["Bearer none", "Bearer abc"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "http://10.0.0.7:8000/v1"}, "another machine"),
        ({"url": "https://api.example.com/v1"}, "endpoint.send_images_to_remote=true"),
        ({"url": "http://localhost.example.com/v1"}, "another machine"),
        ({"url": "localhost:8000"}, "which is no address"),
        ({"url": "http://127.0.0.1:8000/v1", "model": ""}, "endpoint.model is missing"),
        ({"url": "http://localhost/v1", "key_variable": "NO_SUCH"}, "NO_SUCH .* is not set"),
    ],
)
def test_an_endpoint_that_may_not_or_cannot_be_asked_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        check_endpoint(EndpointConfig(**{"model": "m", **changes}), environment={})


def test_another_machine_is_asked_where_that_is_allowed():
    check_endpoint(EndpointConfig(url="https://api.example.com/v1", model="m", send_images_to_remote=True))
    check_endpoint(EndpointConfig(url="http://[::1]:8000/v1", model="m"))


def test_an_evaluation_counts_what_failed_and_asks_it_again_next_time(server, tmp_path):
    rows = [
        {"id": f"q{number}", "kind": "presence", "prompt": f"Fluid in {number}?", "answer": "<answer>yes</answer>"}
        for number in range(4)
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    is_broken = True

    def answer(request):
        if is_broken and request["messages"][0]["content"] == "Fluid in 2?":
            return 500, refusal("broken")
        return 200, completion("<answer>yes</answer>")

    server.answer = answer
    config = EvaluateConfig(
        backend="endpoint",
        endpoint=EndpointConfig(url=server.url, model="served", max_retries=0),
        data=(str(tmp_path / "data.jsonl"),),
        out=str(tmp_path / "out"),
        resamples=20,
    )
    first = evaluate(config, progress=False)
    assert first.accuracy.value == 0.75
    assert first.overall.counts.parse_failures == 1
    assert first.to_json()["asked"] == {
        "backend": "endpoint",
        "failed": 1,
        "notes": [
            "1 of 4 completions are missing and count as unreadable.",
            f"Questions and images were sent to {server.url}.",
        ],
    }
    is_broken = False
    assert evaluate(config, progress=False).accuracy.value == 1
    assert [request["messages"][0]["content"] for request in server.requests[4:]] == ["Fluid in 2?"]
