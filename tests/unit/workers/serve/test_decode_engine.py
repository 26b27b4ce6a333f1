"""Texts of many versions are written together, and each is what it is alone, whatever happens beside it."""

import asyncio
import math
import random
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.outcomes import outcome_of
from schemas.serving import ServedVersion
from tests.support.builders.decoder_exports import NEW_TOKENS, PROMPTS, Exported
from tests.support.builders.decoders import END, VOCABULARY
from tests.support.builders.models import served_version
from tests.support.waiting import wait_for
from workers.base.tokenizer import TextTokenizer
from workers.graph.decoder.offline import OfflineDecoder
from workers.graph.decoder.session import DecoderSession
from workers.runtime.errors import JobError
from workers.serve.counting.metrics import Metrics
from workers.serve.engines.decode import batch, forecast
from workers.serve.engines.decode.engine import DecodeEngine
from workers.serve.engines.decode.lanes import MAX_TEXTS_OF_ONE, MAX_WAITING
from workers.serve.engines.decode.output import Output
from workers.serve.engines.decode.request import Request
from workers.serve.engines.decode.sampling import Sampler
from workers.serve.engines.decode.scheduler import STALE_SECONDS, Scheduler
from workers.serve.engines.port import Piece, Unanswerable
from workers.serve.problems import Problem
from workers.tasks.text_generation.writing import Asked, Written

NAMES = ("all", "query and value", "mlp")
PROMPT_WORDS = [" ".join(list(VOCABULARY)[token] for token in prompt) for prompt in PROMPTS]
GREEDY = Asked(prompt=PROMPT_WORDS[0], temperature=0, max_tokens=NEW_TOKENS)


class Gated(DecoderSession):
    """Computes while its gate is open; a poisoned version's logits are not finite."""

    def __init__(self, graph: Path) -> None:
        super().__init__(graph)
        self.gate = threading.Event()
        self.gate.set()
        self.poisoned: set[int] = set()
        self.paused = threading.Event()
        self.runs = 0
        self.pauses_at: float = math.inf
        """The run before which its gate closes."""
        self.breaks_at: float = math.inf
        """The first run that fails."""
        self.longest_run = 0
        """Tokens that were read at once, at most."""

    def slot(self, version: ServedVersion) -> int:
        slot = self.tables.take(str(version.id))
        self.tables.give_back(slot)
        return slot

    def run(self, ids: Any, mask: Any, slots: Sequence[int], places: Any, past: Any) -> Any:
        self.runs += 1
        if self.runs == self.pauses_at:
            self.gate.clear()
            self.paused.set()
        assert self.gate.wait(60)
        if self.runs >= self.breaks_at:
            raise JobError("the graph cannot answer: a planted fault")
        self.longest_run = max(self.longest_run, ids.shape[1])
        logits, present = super().run(ids, mask, slots, places, past)
        logits = logits.copy()
        logits[[slot in self.poisoned for slot in slots]] = np.nan
        return logits, present


class SideBySide:
    """One version, exported in each precision."""

    def __init__(self, exported: Exported) -> None:
        self.exports = {
            "fp32": exported.exports["all"],
            "int4": exported.export("all", precision="int4", min_agreement=0.0),  # of weights that nobody trained
        }
        self.versions = {
            name: served_version(number, result.graph) for number, (name, result) in enumerate(self.exports.items(), 1)
        }
        self.opened: list[Path] = []
        self.engine = DecodeEngine(exported.workbench.artifacts, self._open, Metrics())
        self.fetch = exported.workbench.artifacts.fetch
        for version in self.versions.values():
            self.engine.load(version)

    def _open(self, graph: Path) -> DecoderSession:
        self.opened.append(graph)
        return DecoderSession(graph)

    def alone(self, precision: str, prompt: int) -> list[int]:
        """Greedy tokens of the precision's own graph."""
        graph = self.versions[precision].graph
        session = DecoderSession(self.fetch(graph.base_graph))
        session.load("alone", self.fetch(graph.adapter))
        [tokens] = OfflineDecoder(session).generate([PROMPTS[prompt]], "alone", NEW_TOKENS, (VOCABULARY[END],))
        return tokens

    async def written(self, precision: str, prompt: int) -> str:
        asked = greedy(prompt)
        return whole([piece async for piece in self.engine.stream(asked, self.versions[precision])]).text


class Bench:
    def __init__(self, exported: Exported) -> None:
        self.exported = exported
        self.sessions: list[Gated] = []
        self.metrics = Metrics()
        self.engine = DecodeEngine(exported.workbench.artifacts, self._open, self.metrics)
        self.versions = {
            name: served_version(number, exported.exports[name].graph) for number, name in enumerate(NAMES, 1)
        }
        for version in self.versions.values():
            self.engine.load(version)
        self.stable, self.canary, self.third = self.versions.values()

    def _open(self, graph: Path) -> Gated:
        self.sessions.append(Gated(graph))
        return self.sessions[-1]

    @property
    def session(self) -> Gated:
        return self.sessions[0]

    def expected(self, name: str, prompt: int) -> Written:
        """What PyTorch writes."""
        tokens = self.exported.greedy[name][prompt]
        ended = VOCABULARY[END] in tokens
        tokens = tokens[: tokens.index(VOCABULARY[END])] if ended else tokens
        base = self.engine._bases.find(self.stable)
        assert base is not None
        text = base.base.tokenizer.decode(tokens)
        return Written(text, "stop" if ended else "length", len(PROMPTS[prompt]), len(tokens))

    async def written(self, asked: Asked, version: ServedVersion) -> Written:
        return whole([piece async for piece in self.engine.stream(asked, version)])

    async def started(self, asked: Asked, version: ServedVersion) -> AsyncGenerator[Piece, None]:
        """A stream whose first piece has come."""
        stream = self.engine.stream(asked, version)
        await anext(stream)
        return stream

    def refusal(self, asked: Asked, seconds: float = 60.0) -> Problem:
        with pytest.raises(Problem) as caught:
            self.engine.check_deadline([asked], [self.stable, self.canary], seconds)
        return caught.value

    def refused(self, reason: str) -> float:
        value = self.metrics.registry.get_sample_value("graftwork_gateway_refused_total", {"reason": reason})
        return value or 0.0

    async def idle(self) -> None:
        """Every text has left, and none is kept in the tables or in memory."""
        found = self.engine._bases.find(self.stable)
        assert found is not None
        while found.base.scheduler._lanes.busy:
            await asyncio.sleep(0.001)
        assert found.base.scheduler._batch.requests == []
        assert not any(self.session.tables._users.values())


def whole(pieces: Sequence[Piece]) -> Written:
    """Exactly the last piece says how it ended, and what is counted of it."""
    text = "".join(piece.payload.text for piece in pieces)
    assert [piece.outcome for piece in pieces] == [None] * (len(pieces) - 1) + [outcome_of(text)]
    assert [piece.payload.finish_reason is None for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    return replace(pieces[-1].payload, text=text)


def greedy(prompt: int, **fields: Any) -> Asked:
    return replace(GREEDY, prompt=PROMPT_WORDS[prompt], **fields)


def run(exported: Exported, use: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        bench = Bench(exported)
        try:
            await use(bench)
            await bench.idle()
        finally:
            for session in bench.sessions:
                session.gate.set()
            bench.engine.close()

    asyncio.run(asyncio.wait_for(main(), 120))


def test_a_base_in_two_precisions_is_served_side_by_side(exported: Exported) -> None:
    """By two sessions, each of which writes what its own graph says: of random weights the two say different things."""

    async def write() -> None:
        both = SideBySide(exported)
        try:
            assert len(set(both.opened)) == 2
            tokenizer = TextTokenizer(both.fetch(both.versions["fp32"].graph.tokenizer), max_length=None)
            asked = [(precision, prompt) for prompt in range(len(PROMPTS)) for precision in ("fp32", "int4")]
            found = await asyncio.gather(*(both.written(*one) for one in asked))
            expected = [tokenizer.decode(both.alone(*one)) for one in asked]
            assert found == expected
            assert found[0::2] != found[1::2]
            both.engine.unload(both.versions["int4"].id)
            assert await both.written("fp32", 0) == expected[0]
        finally:
            both.engine.close()

    asyncio.run(write())


def test_versions_of_one_batch_write_as_pytorch_does_whenever_they_come(exported: Exported) -> None:
    async def use(bench: Bench) -> None:
        generator = random.Random(3)

        async def later(name: str, prompt: int) -> Written:
            await asyncio.sleep(generator.random() * 0.05)
            return await bench.written(greedy(prompt), bench.versions[name])

        asked = [(name, prompt) for prompt in range(len(PROMPTS)) for name in NAMES] * 2
        generator.shuffle(asked)
        found = await asyncio.gather(*(later(*one) for one in asked))
        assert found == [bench.expected(*one) for one in asked]
        together = bench.metrics.registry.get_sample_value("graftwork_gateway_batch_rows_bucket", {"le": "1.0"})
        steps = bench.metrics.registry.get_sample_value("graftwork_gateway_batch_rows_count")
        assert together is not None
        assert steps is not None
        assert together < steps

    run(exported, use)


def test_the_comparison_has_teeth(exported: Exported) -> None:
    async def use(bench: Bench) -> None:
        assert len({bench.expected(name, prompt).text for name in NAMES for prompt in range(4)}) == 12

    run(exported, use)


def test_all_requests_of_a_unit_are_answered_whole_and_in_their_order(exported: Exported) -> None:
    async def use(bench: Bench) -> None:
        answers = await bench.engine.answer([greedy(number) for number in range(4)], bench.canary)
        expected = [bench.expected("query and value", number) for number in range(4)]
        assert [answer.payload for answer in answers] == expected
        assert [answer.outcome for answer in answers] == [outcome_of(written.text) for written in expected]

    run(exported, use)


def test_who_joins_late_and_who_hangs_up_changes_nobody_else(exported: Exported) -> None:
    async def use(bench: Bench) -> None:
        first = asyncio.create_task(bench.written(greedy(0), bench.stable))
        bench.session.gate.clear()
        leaving = asyncio.create_task(bench.started(greedy(1, max_tokens=50), bench.canary))
        late = asyncio.create_task(bench.written(greedy(2), bench.third))
        await asyncio.sleep(0.05)
        bench.session.pauses_at = bench.session.runs + 5
        bench.session.gate.set()
        stream = await leaving
        assert await asyncio.to_thread(bench.session.paused.wait, 60)
        await stream.aclose()
        bench.session.gate.set()
        second = await bench.written(greedy(3), bench.canary)
        assert (await first, await late, second) == (
            bench.expected("all", 0),
            bench.expected("mlp", 2),
            bench.expected("query and value", 3),
        )

    run(exported, use)


def test_who_hangs_up_before_anything_is_computed_is_not_computed(exported: Exported) -> None:
    async def use(bench: Bench) -> None:
        bench.session.gate.clear()
        running = asyncio.create_task(bench.written(greedy(0), bench.stable))
        waiting = [asyncio.create_task(bench.written(greedy(1), bench.stable)) for _ in range(MAX_TEXTS_OF_ONE + 5)]
        await asyncio.sleep(0.01)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        bench.session.gate.set()
        assert await running == bench.expected("all", 0)

    run(exported, use)


def test_a_stop_string_that_tokens_split_ends_the_text_before_it(exported: Exported) -> None:
    async def use(bench: Bench) -> None:
        full = bench.expected("mlp", 0).text
        middle = full.index(" ", len(full) // 2)
        stop = full[middle - 2 : middle + 2]
        found = await bench.written(greedy(0, stop=("never there", stop)), bench.third)
        assert (found.text, found.finish_reason) == (full[: full.index(stop)], "stop")

    run(exported, use)


def test_a_text_ends_where_the_context_does_and_a_long_prompt_is_read_in_parts(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(bench: Bench) -> None:
        words = " ".join(["film"] * 60)
        beside = asyncio.create_task(bench.written(greedy(0), bench.canary))
        found = await bench.written(Asked(prompt=words, temperature=0), bench.stable)
        assert found.prompt_tokens == 60
        assert found.finish_reason == "stop" or found.completion_tokens == 5
        assert await beside == bench.expected("query and value", 0)
        assert bench.session.longest_run <= 7
        alone = await bench.written(Asked(prompt=words, temperature=0), bench.stable)
        assert alone == found

    monkeypatch.setattr("workers.serve.engines.decode.scheduler.PROMPT_TOKENS", 7)
    run(exported, use)


def test_a_seed_repeats_a_text_whatever_is_beside_it(exported: Exported) -> None:
    async def use(bench: Bench) -> None:
        drawn = replace(GREEDY, temperature=1.5, top_p=0.9, seed=11)
        alone = await bench.written(drawn, bench.stable)
        beside = [replace(drawn, seed=number, prompt=PROMPT_WORDS[number % 4]) for number in range(6)]
        again, other, *_ = await asyncio.gather(
            bench.written(drawn, bench.stable),
            bench.written(replace(drawn, seed=12), bench.stable),
            *(bench.written(asked, version) for asked in beside for version in (bench.canary, bench.third)),
        )
        assert again == alone
        assert other != alone

    run(exported, use)


def test_a_version_that_is_flooded_keeps_no_other_one_waiting(exported: Exported) -> None:
    async def use(bench: Bench) -> None:
        order: list[str] = []

        async def first(name: str) -> None:
            async with aclosing(bench.engine.stream(greedy(0, max_tokens=50), bench.versions[name])) as stream:
                await anext(stream)
                order.append(name)
                async for _ in stream:
                    pass

        bench.session.gate.clear()
        flood = [asyncio.create_task(first("all")) for _ in range(60)]
        await asyncio.sleep(0.02)
        other = asyncio.create_task(first("mlp"))
        await asyncio.sleep(0.02)
        bench.session.gate.set()
        await asyncio.gather(*flood, other)
        assert order.index("mlp") <= MAX_TEXTS_OF_ONE

    run(exported, use)


def test_a_version_whose_logits_are_not_finite_fails_alone(exported: Exported) -> None:
    async def use(bench: Bench) -> None:
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
    async def use(bench: Bench) -> None:
        bench.session.breaks_at = 0
        found = await asyncio.gather(
            *(bench.written(greedy(prompt), bench.stable) for prompt in range(4)), return_exceptions=True
        )
        assert {str(error) for error in found} == {"the graph cannot answer"}
        bench.session.breaks_at = bench.session.runs + 4
        with pytest.raises(Unanswerable, match="the graph cannot answer"):
            await bench.written(greedy(0), bench.third)
        bench.session.breaks_at = math.inf
        assert await bench.written(greedy(1), bench.stable) == bench.expected("all", 1)

    run(exported, use)


def test_a_version_that_is_unloaded_finishes_what_it_writes_and_fails_what_waits(exported: Exported) -> None:
    async def use(bench: Bench) -> None:
        bench.session.pauses_at = bench.session.runs + 4
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


def test_a_text_that_outgrows_the_memory_makes_way_and_is_written_all_the_same(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(bench: Bench) -> None:
        together = [(name, prompt) for prompt in range(4) for name in NAMES]
        found = await asyncio.gather(
            *(bench.written(greedy(prompt), bench.versions[name]) for name, prompt in together)
        )
        assert found == [bench.expected(*one) for one in together]

    tokens = 3 * 8  # three texts of eight tokens, and each grows to more
    size = batch.bytes_of_a_token(exported.session("all").form)
    monkeypatch.setattr(batch, "MAX_SEEN_BYTES", tokens * size)
    monkeypatch.setattr(batch, "_ROOM_TO_GROW", 1)
    run(exported, use)


def test_a_slow_reader_holds_up_nobody_and_gets_the_whole_text(exported: Exported) -> None:
    async def use(bench: Bench) -> None:
        slow = bench.engine.stream(greedy(0), bench.stable)
        pieces = [await anext(slow)]
        assert await bench.written(greedy(1), bench.canary) == bench.expected("query and value", 1)
        await bench.idle()
        pieces += [piece async for piece in slow]
        assert whole(pieces) == bench.expected("all", 0)
        assert len(pieces) <= 3

    run(exported, use)


def test_a_full_queue_takes_nothing_more_and_another_versions_does(exported: Exported) -> None:
    async def use(bench: Bench) -> None:
        bench.session.gate.clear()
        asked = greedy(0, max_tokens=1)
        bench.engine.check_room([asked] * MAX_WAITING, bench.stable)
        tasks = [asyncio.create_task(bench.written(asked, bench.stable)) for _ in range(MAX_WAITING + 2)]
        await asyncio.sleep(0.1)
        with pytest.raises(Problem) as caught:
            bench.engine.check_room([asked] * 2, bench.stable)
        assert (caught.value.status, caught.value.slug) == (503, "overloaded")
        assert "256 texts wait already" in caught.value.detail
        assert bench.refused("queue") == 1
        bench.engine.check_room([asked] * MAX_WAITING, bench.canary)
        bench.session.gate.set()
        await asyncio.gather(*tasks)

    run(exported, use)


def test_what_would_not_begin_in_time_is_refused_before_an_arm_is_drawn(exported: Exported) -> None:
    async def use(bench: Bench) -> None:
        asked = greedy(2)
        bench.engine.check_deadline([asked], [bench.stable, bench.canary], 1e-12)  # nothing is known yet
        await bench.written(asked, bench.stable)
        bench.engine.check_deadline([asked], [bench.stable, bench.canary], 60.0)
        problem = bench.refusal(asked, 1e-9)
        assert (problem.status, problem.slug) == (503, "too-large-for-deadline")
        assert "to read 9 tokens takes about" in problem.detail
        loaded = bench.engine._bases.find(bench.stable)
        assert loaded is not None
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
    async def use(bench: Bench) -> None:
        problem = bench.refusal(asked)
        assert (problem.status, problem.slug) == (422, "invalid")
        assert problem.detail.startswith(detail)

    run(exported, use)


def test_messages_become_a_prompt_by_the_stored_template_and_are_refused_where_there_is_none(
    exported: Exported,
) -> None:
    async def use(bench: Bench) -> None:
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


def test_a_version_with_another_template_or_broken_numbers_is_not_loaded(exported: Exported) -> None:
    async def use(bench: Bench) -> None:
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
