"""A gateway that writes with a real decoder graph, asked by OpenAI's client: what it writes is what PyTorch writes."""

from collections.abc import Iterator
from typing import Any, Final

import openai
import pytest

from schemas.outcomes import outcome_of
from schemas.prediction_id import verify_prediction_id
from tests.support.builders.decoder_exports import NEW_TOKENS, PROMPTS, Exported
from tests.support.builders.decoders import END, SPECIAL, VOCABULARY
from tests.support.builders.models import served_version
from tests.support.scripted_engine import SIGNING_KEY
from tests.support.waiting import wait_for
from tests.support.worlds.gateway import GatewayInProcess
from workers.serve.engines.by_task import by_task

NAMES: Final = tuple(VOCABULARY)
VERSIONS: Final = ("all", "mlp")
ASKED: Final[list[Any]] = [{"role": "user", "content": "film is film"}]


@pytest.fixture(scope="module")
def client(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    """Both versions are served; the canary has a weight of 0.5."""
    site = GatewayInProcess(tmp_path_factory.mktemp("site"))
    site.stable, site.canary = (
        served_version(number, exported.exports[name].graph, model="movies")
        for number, name in enumerate(VERSIONS, start=1)
    )
    site.start_control_plane()
    site.roll_out(1, weight=0.5, deadline_seconds=30.0)
    with site.gateway(by_task(exported.workbench.artifacts)) as http:
        wait_for(lambda: "graftwork_gateway_applied_weight 0.5" in http.get("/metrics").text, "weight applied")
        with openai.OpenAI(base_url=f"{http.base_url}/v1", api_key="none", max_retries=0, timeout=30) as client:
            yield client
    site.stop_control_plane()


def words(tokens: list[int]) -> str:
    """As the tokenizer writes them: special tokens are no text."""
    return " ".join(word for word in (NAMES[token] for token in tokens) if word not in SPECIAL)


@pytest.mark.parametrize("number", range(len(PROMPTS)))
@pytest.mark.parametrize("version", [1, 2])
def test_a_version_writes_what_pytorch_writes(
    exported: Exported, client: openai.OpenAI, version: int, number: int
) -> None:
    expected = exported.greedy[VERSIONS[version - 1]][number]
    stops = VOCABULARY[END] in expected
    expected = expected[: expected.index(VOCABULARY[END])] if stops else expected
    asked: dict[str, Any] = {
        "model": f"movies/{version}",
        "prompt": " ".join(NAMES[token] for token in PROMPTS[number]),
        "max_tokens": NEW_TOKENS,
        "temperature": 0,
    }
    answer = client.completions.create(**asked)
    [choice] = answer.choices
    assert choice.text.strip() == words(expected)
    assert choice.finish_reason == ("stop" if stops else "length")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (len(PROMPTS[number]), len(expected))
    streamed = list(client.completions.create(**asked, stream=True))
    assert "".join(chunk.choices[0].text for chunk in streamed) == choice.text
    for signed in (choice, streamed[-1].choices[0]):
        claims = verify_prediction_id(signed.prediction_id, lambda _: SIGNING_KEY)  # type: ignore[attr-defined]
        assert claims.c == outcome_of(choice.text)


def test_a_conversation_is_made_a_prompt_by_the_bases_template(client: openai.OpenAI) -> None:
    how: dict[str, Any] = {"temperature": 0, "max_tokens": 5}
    told = client.chat.completions.create(model="movies/1", messages=ASKED, **how)
    written = f"<|im_start|>user\n{ASKED[0]['content']}{END}\n<|im_start|>assistant\n"
    by_hand = client.completions.create(model="movies/1", prompt=written, **how)
    assert told.choices[0].message.content == by_hand.choices[0].text
    assert told.usage == by_hand.usage


def test_a_session_that_is_drawn_is_answered_by_its_version(client: openai.OpenAI) -> None:
    how: dict[str, Any] = {"messages": ASKED, "temperature": 0, "max_tokens": 5}
    for _ in range(8):
        drawn = client.chat.completions.create(model="movies", **how)
        named = client.chat.completions.create(model=drawn.model, **how)
        assert drawn.choices[0].message.content == named.choices[0].message.content


def test_a_prompt_that_the_context_does_not_hold_is_refused_by_name(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="tokens, expected 1 to") as refused:
        client.completions.create(model="movies", prompt="film " * 100)
    assert (refused.value.param, refused.value.code) == ("prompt", "invalid")
