"""What fails of a version fails for its own texts, and the versions beside it write on."""

import asyncio
import math
import re

import pytest

from schemas.outcomes import outcome_of
from tests.support.builders.decoder_exports import PROMPTS, Exported
from tests.support.builders.models import served_version
from tests.support.worlds.decoding import NAMES, DecodeBench, greedy, run
from workers.runtime.errors import JobError
from workers.serve.engines.decode.lanes import MAX_TEXTS_OF_ONE
from workers.serve.engines.port import Unanswerable


def test_a_version_whose_logits_are_not_finite_fails_alone(exported: Exported) -> None:
    async def use(bench: DecodeBench) -> None:
        bench.session.gate.clear()
        tasks = [
            asyncio.create_task(bench.written(greedy(prompt), version))
            for prompt in range(4)
            for version in (bench.stable, bench.canary)
        ]
        await asyncio.sleep(0.01)
        bench.session.poisoned.add(bench.session.slot(bench.canary))
        bench.session.gate.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert found[0::2] == [bench.expected("all", prompt) for prompt in range(4)]
        assert {(type(error), str(error)) for error in found[1::2]} == {(Unanswerable, "logits that are not finite")}

    run(exported, use)


def test_a_graph_that_breaks_fails_what_is_under_way_and_answers_again_when_it_can(exported: Exported) -> None:
    async def use(bench: DecodeBench) -> None:
        bench.session.breaks_at = 0
        found = await asyncio.gather(
            *(bench.written(greedy(prompt), bench.stable) for prompt in range(4)), return_exceptions=True
        )
        assert {str(error) for error in found} == {"the graph cannot answer"}
        bench.session.breaks_at = len(bench.session.runs) + 4
        with pytest.raises(Unanswerable, match="the graph cannot answer"):
            await bench.written(greedy(0), bench.third)
        bench.session.breaks_at = math.inf
        assert await bench.written(greedy(1), bench.stable) == bench.expected("all", 1)

    run(exported, use)


def test_a_version_that_is_unloaded_finishes_what_it_writes_and_fails_what_waits(exported: Exported) -> None:
    async def use(bench: DecodeBench) -> None:
        bench.session.pauses_at = len(bench.session.runs) + 4
        running = await bench.started(greedy(0), bench.canary)
        waiting = [asyncio.create_task(bench.written(greedy(1), bench.canary)) for _ in range(MAX_TEXTS_OF_ONE + 3)]
        assert await asyncio.to_thread(bench.session.paused.wait, 60)
        bench.engine.unload(bench.canary.id)
        assert bench.engine.loaded == (bench.stable.id, bench.third.id)
        bench.session.gate.set()
        rest = [piece async for piece in running]
        assert rest[-1].outcome == outcome_of(bench.expected("query and value", 0).text)
        failed = [one for one in await asyncio.gather(*waiting, return_exceptions=True) if isinstance(one, Exception)]
        assert len(failed) >= 3
        assert {str(error) for error in failed} == {"the version is not loaded any more"}
        with pytest.raises(Unanswerable, match="the version is not loaded"):
            await bench.written(greedy(1), bench.canary)
        assert await bench.written(greedy(0), bench.stable) == bench.expected("all", 0)

    run(exported, use)


def test_a_version_with_another_template_or_broken_numbers_is_not_loaded(exported: Exported) -> None:
    async def use(bench: DecodeBench) -> None:
        stripped = bench.stable.graph.model_copy(update={"chat_template": None})
        other = served_version(9, stripped)
        with pytest.raises(JobError, match="the graph has chat template None, the version was trained with sha256:"):
            bench.engine.load(other)
        bench.session.poisoned.add(bench.session.slot(bench.stable))
        with pytest.raises(JobError, match="logits are not finite"):
            bench.engine.smoke(bench.stable.id)
        bench.session.poisoned.clear()
        bench.engine.smoke(bench.stable.id)
        bench.session.breaks_at = 0
        with pytest.raises(JobError, match="a planted fault"):
            bench.engine.load(bench.third)
        bench.session.breaks_at = math.inf
        assert bench.engine.loaded == (bench.stable.id, bench.canary.id)
        assert bench.engine.holds(bench.stable)
        assert not bench.engine.holds(bench.third)

    run(exported, use)


def test_a_version_that_the_graph_fails_for_in_a_step_fails_alone(
    exported: Exported, caplog: pytest.LogCaptureFixture
) -> None:
    async def use(bench: DecodeBench) -> None:
        bench.session.gate.clear()
        names = [name for _ in range(4) for name in NAMES]
        tasks = [
            asyncio.create_task(bench.written(greedy(number // 3), bench.versions[name]))
            for number, name in enumerate(names)
        ]
        await asyncio.sleep(0.05)
        # after as many runs as read all prompts, and a step
        bench.session.pauses_at = len(bench.session.runs) + 8
        bench.session.gate.set()
        assert await asyncio.to_thread(bench.session.paused.wait, 60)
        bench.session.broken.add(bench.session.slot(bench.canary))
        bench.session.gate.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        for number, (name, one) in enumerate(zip(names, found, strict=True)):
            if name == "query and value":
                assert (type(one), str(one)) == (Unanswerable, "the graph cannot answer")
            else:
                assert one == bench.expected(name, number // 3)
        bench.session.broken.clear()
        assert await bench.written(greedy(0), bench.canary) == bench.expected("query and value", 0)

    run(exported, use)
    assert re.search(r"a step failed, and 4 of (\d+) texts with it", caplog.text)


def test_a_prompt_that_the_graph_cannot_read_fails_alone_among_those_it_is_read_with(exported: Exported) -> None:
    async def use(bench: DecodeBench) -> None:
        bench.session.broken.add(bench.session.slot(bench.canary))
        found = await asyncio.gather(
            *(bench.written(greedy(0), version) for version in bench.versions.values()), return_exceptions=True
        )
        assert found[0::2] == [bench.expected("all", 0), bench.expected("mlp", 0)]
        assert (type(found[1]), str(found[1])) == (Unanswerable, "the graph cannot answer")
        assert (3, len(PROMPTS[0])) in bench.session.runs

    run(exported, use)


def test_texts_that_cannot_join_leave_nothing_in_the_tables(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(bench: DecodeBench) -> None:
        def no_memory(*_: object) -> None:
            raise MemoryError

        with monkeypatch.context() as patch:
            patch.setattr("workers.graph.decoder.decoding.Decoding.join_read", no_memory)
            found = await asyncio.gather(
                *(bench.written(greedy(prompt), bench.stable) for prompt in range(4)), return_exceptions=True
            )
        assert {str(error) for error in found} == {"the graph cannot answer"}
        await bench.idle()
        assert await bench.written(greedy(1), bench.stable) == bench.expected("all", 1)

    run(exported, use)
