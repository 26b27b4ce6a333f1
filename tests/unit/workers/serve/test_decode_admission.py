"""What a version cannot take, or could not begin in time, is refused before anything of it is queued."""

import asyncio
import math

import pytest

from tests.support.builders.decoder_exports import Exported
from tests.support.waiting import wait_for
from tests.support.worlds.decoding import DecodeBench, greedy, run
from workers.base.tokenizer import TextTokenizer
from workers.serve.engines.decode import forecast
from workers.serve.engines.decode.lanes import MAX_TEXTS_OF_ONE, MAX_WAITING
from workers.serve.engines.decode.output import Output
from workers.serve.engines.decode.request import Request
from workers.serve.engines.decode.sampling import Sampler
from workers.serve.engines.decode.scheduler import STALE_SECONDS, Scheduler
from workers.serve.problems import Problem
from workers.tasks.text_generation.writing import Asked


def test_a_full_queue_takes_nothing_more_and_another_versions_does(exported: Exported) -> None:
    async def use(bench: DecodeBench) -> None:
        bench.session.gate.clear()
        asked = greedy(0, max_tokens=1)
        question = bench.admitted(asked, bench.stable)
        bench.engine.check_room([question] * MAX_WAITING, bench.stable)
        tasks = [asyncio.create_task(bench.written(asked, bench.stable)) for _ in range(MAX_WAITING + MAX_TEXTS_OF_ONE)]
        await asyncio.sleep(0.1)
        with pytest.raises(Problem) as caught:
            bench.engine.check_room([question] * 2, bench.stable)
        assert (caught.value.status, caught.value.slug) == (503, "overloaded")
        assert "256 texts wait already" in caught.value.detail
        assert bench.refused("queue") == 1
        bench.engine.check_room([question] * MAX_WAITING, bench.canary)
        bench.session.gate.set()
        await asyncio.gather(*tasks)

    run(exported, use)


def test_what_would_not_begin_in_time_is_refused_before_an_arm_is_drawn(exported: Exported) -> None:
    async def use(bench: DecodeBench) -> None:
        asked = greedy(2)
        bench.engine.admit([asked], [bench.stable, bench.canary], 1e-12)  # nothing is known yet
        await bench.written(asked, bench.stable)
        bench.engine.admit([asked], [bench.stable, bench.canary], 60.0)
        problem = bench.refusal(asked, 1e-9)
        assert (problem.status, problem.slug) == (503, "too-large-for-deadline")
        assert "to read 9 tokens takes about" in problem.detail
        loaded = bench.loaded
        pace = loaded.base.scheduler.measured(loaded.name)
        assert pace is not None
        alone = forecast.alone_seconds([9], pace)
        bench.session.gate.clear()
        tasks = [asyncio.create_task(bench.written(asked, bench.stable)) for _ in range(60)]
        await asyncio.sleep(0.05)
        problem = bench.refusal(asked, 10 * alone)
        assert (problem.status, problem.slug) == (503, "overloaded")
        assert "a first token would take about" in problem.detail
        assert (bench.refused("too-large"), bench.refused("deadline")) == (1, 1)
        bench.session.gate.set()
        await asyncio.gather(*tasks)

    run(exported, use)


@pytest.mark.parametrize(
    ("asked", "detail"),
    [
        (Asked(prompt="film " * 65), "prompt: 65 tokens, expected 1 to 64"),
        (Asked(prompt=""), "prompt: 0 tokens, expected 1 to 64"),
        (Asked(prompt="film", max_tokens=0), "max_tokens: 0, expected at least 1"),
        (Asked(prompt="film", temperature=-0.5), "temperature: -0.5, expected at least 0"),
        (Asked(prompt="film", temperature=math.nan), "temperature: nan, expected at least 0"),
        (Asked(prompt="film", top_p=1.5), "top_p: 1.5, expected 0 to 1"),
        (Asked(prompt="film" * 1000), "prompt: 4000 characters, expected at most 2048"),
        (Asked(messages=[{"role": "user", "content": "film " * 80}]), "messages: "),
    ],
)
def test_what_no_version_takes_is_refused_with_its_field(exported: Exported, asked: Asked, detail: str) -> None:
    async def use(bench: DecodeBench) -> None:
        problem = bench.refusal(asked)
        assert (problem.status, problem.slug) == (422, "invalid")
        assert problem.detail.startswith(detail)

    run(exported, use)


def test_messages_become_a_prompt_by_the_stored_template_and_are_refused_where_there_is_none(
    exported: Exported,
) -> None:
    async def use(bench: DecodeBench) -> None:
        asked = Asked(messages=[{"role": "user", "content": "film is"}], temperature=0, max_tokens=3)
        prompt = "<|im_start|>user\nfilm is<|im_end|>\n<|im_start|>assistant\n"
        found = await bench.written(asked, bench.stable)
        assert found == await bench.written(Asked(prompt=prompt, temperature=0, max_tokens=3), bench.stable)
        graph = bench.stable.graph
        task = graph.identity.generation.model_copy(update={"chat_template_digest": None})
        without = graph.model_copy(
            update={"chat_template": None, "identity": graph.identity.model_copy(update={"task": task})}
        )
        bench.engine.load(bench.stable.model_copy(update={"graph": without}))
        assert bench.refusal(asked).detail == "messages: the version's base has no chat template; expected prompt"

    run(exported, use)


def test_a_refusal_does_not_last_when_the_machine_has_recovered(exported: Exported) -> None:
    """Where nothing is written, and all that comes is refused by a pace that was measured in a bad moment."""
    now, tick = 0.0, 1.0

    def clock() -> float:
        nonlocal now
        now += tick
        return now

    tokenizer = TextTokenizer(exported.base / "tokenizer.json", max_length=None)
    scheduler = Scheduler(exported.session("all"), lambda texts: None, clock)

    def measure_again() -> None:
        request = Request("all", [5, 9], Sampler(0, 1.0, None), Output(tokenizer, 2, (), (), 1), reader=None)
        scheduler.measure_again(request)
        wait_for(lambda: not scheduler._lanes.busy, "it is read")

    try:
        measure_again()
        slow = scheduler.measured("all")
        assert slow is not None
        assert slow.seconds_per_prompt_token == pytest.approx(tick / forecast.weigh(2))
        tick = 0.001
        measure_again()  # at once: what is known is not old
        assert len(scheduler._prompts._measured) == 1
        for _ in range(2):
            now += STALE_SECONDS
            measure_again()
        recovered = scheduler.measured("all")
        assert recovered is not None
        assert recovered.seconds_per_prompt_token < slow.seconds_per_prompt_token / 100
    finally:
        scheduler.close()
