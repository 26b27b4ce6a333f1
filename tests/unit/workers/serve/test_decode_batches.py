"""Texts of many versions are written together, and each is what it is alone, whatever happens beside it."""

import asyncio
import math
import random
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import pytest

from schemas.outcomes import outcome_of
from tests.support.builders.decoder_exports import PROMPTS, Exported
from tests.support.worlds.decoding import GREEDY, NAMES, PROMPT_WORDS, DecodeBench, greedy, run, whole
from workers.base.tokenizer import TextTokenizer
from workers.serve.engines.decode import batch
from workers.serve.engines.decode.forecast import PROMPT_TOKENS, RUN_TOKENS
from workers.serve.engines.decode.lanes import MAX_TEXTS_OF_ONE
from workers.tasks.text_generation.writing import Asked, Written


def test_versions_of_one_batch_write_as_pytorch_does_whenever_they_come(exported: Exported) -> None:
    async def use(bench: DecodeBench) -> None:
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
    async def use(bench: DecodeBench) -> None:
        assert len({bench.expected(name, prompt).text for name in NAMES for prompt in range(4)}) == 12

    run(exported, use)


def test_all_requests_of_a_unit_are_answered_whole_and_in_their_order(exported: Exported) -> None:
    async def use(bench: DecodeBench) -> None:
        questions = bench.engine.admit([greedy(number) for number in range(4)], [bench.canary], math.inf)
        answers = await bench.engine.answer(questions, bench.canary)
        expected = [bench.expected("query and value", number) for number in range(4)]
        assert [answer.payload for answer in answers] == expected
        assert [answer.outcome for answer in answers] == [outcome_of(written.text) for written in expected]

    run(exported, use)


def test_who_joins_late_and_who_hangs_up_changes_nobody_else(exported: Exported) -> None:
    async def use(bench: DecodeBench) -> None:
        first = asyncio.create_task(bench.written(greedy(0), bench.stable))
        bench.session.gate.clear()
        leaving = asyncio.create_task(bench.started(greedy(1, max_tokens=50), bench.canary))
        late = asyncio.create_task(bench.written(greedy(2), bench.third))
        await asyncio.sleep(0.05)
        bench.session.pauses_at = len(bench.session.runs) + 5
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
    async def use(bench: DecodeBench) -> None:
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
    async def use(bench: DecodeBench) -> None:
        full = bench.expected("mlp", 0).text
        middle = full.index(" ", len(full) // 2)
        stop = full[middle - 2 : middle + 2]
        found = await bench.written(greedy(0, stop=("never there", stop)), bench.third)
        assert (found.text, found.finish_reason) == (full[: full.index(stop)], "stop")

    run(exported, use)


def test_a_text_ends_where_the_context_does_and_a_long_prompt_is_read_in_parts(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(bench: DecodeBench) -> None:
        words = " ".join(["film"] * 60)
        beside = asyncio.create_task(bench.written(greedy(0), bench.canary))
        found = await bench.written(Asked(prompt=words, temperature=0), bench.stable)
        assert found.prompt_tokens == 60
        assert found.finish_reason == "stop" or found.completion_tokens == 5
        assert await beside == bench.expected("query and value", 0)
        assert max(width for _, width in bench.session.runs) <= 7
        alone = await bench.written(Asked(prompt=words, temperature=0), bench.stable)
        assert alone == found

    monkeypatch.setattr("workers.serve.engines.decode.prefill.PROMPT_TOKENS", 7)
    run(exported, use)


def test_a_seed_repeats_a_text_whatever_is_beside_it(exported: Exported) -> None:
    async def use(bench: DecodeBench) -> None:
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
    async def use(bench: DecodeBench) -> None:
        order: list[str] = []

        async def first(name: str) -> None:
            async with aclosing(bench.stream(greedy(0, max_tokens=50), bench.versions[name])) as stream:
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


def test_a_text_that_outgrows_the_memory_makes_way_and_is_written_all_the_same(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(bench: DecodeBench) -> None:
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
    async def use(bench: DecodeBench) -> None:
        slow = bench.stream(greedy(0), bench.stable)
        pieces = [await anext(slow)]
        assert await bench.written(greedy(1), bench.canary) == bench.expected("query and value", 1)
        await bench.idle()
        pieces += [piece async for piece in slow]
        assert whole(pieces) == bench.expected("all", 0)
        assert len(pieces) <= 3

    run(exported, use)


def test_prompts_that_come_together_are_read_in_one_run(exported: Exported) -> None:
    async def use(bench: DecodeBench) -> None:
        loaded = len(bench.session.runs)
        asked = [(name, 0) for name in NAMES] * 3
        found = await asyncio.gather(*(bench.written(greedy(prompt), bench.versions[name]) for name, prompt in asked))
        assert found == [bench.expected(*one) for one in asked]
        read, stepped = bench.session.runs[loaded : loaded + 2]
        assert (read, stepped) == ((9, len(PROMPTS[0])), (9, 1))

    run(exported, use)


def test_between_two_steps_no_more_is_read_than_a_round_has_for_each_version(exported: Exported) -> None:
    async def use(bench: DecodeBench) -> None:
        running = asyncio.create_task(bench.written(greedy(0), bench.stable))
        bench.session.pauses_at = len(bench.session.runs) + 4
        assert await asyncio.to_thread(bench.session.paused.wait, 60)
        late = [asyncio.create_task(bench.written(greedy(2), bench.canary)) for _ in range(10)]
        await asyncio.sleep(0.05)
        began = len(bench.session.runs)
        bench.session.gate.set()
        assert await running == bench.expected("all", 0)
        assert await asyncio.gather(*late) == [bench.expected("query and value", 2)] * 10
        tokens = 0
        for texts, width in bench.session.runs[began:]:
            tokens = 0 if width == 1 else tokens + texts * width
            assert tokens <= PROMPT_TOKENS + RUN_TOKENS  # what is left for the last prompt is padded by as much at most
        assert max(texts * width for texts, width in bench.session.runs[began:] if width > 1) > 4 * len(PROMPTS[2])

    run(exported, use)


def test_a_prompt_is_tokenised_once_for_all_versions_that_read_alike(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(bench: DecodeBench) -> None:
        encoded: list[str] = []
        encode = TextTokenizer.encode

        def counted(tokenizer: TextTokenizer, texts: Sequence[str], *, special: bool = True) -> list[list[int]]:
            encoded.extend(texts)
            return encode(tokenizer, texts, special=special)

        monkeypatch.setattr(TextTokenizer, "encode", counted)
        [question] = bench.engine.admit([greedy(0)], list(bench.versions.values()), math.inf)
        await bench.engine.answer([question], bench.canary)
        assert encoded == [PROMPT_WORDS[0]]
        [answer] = await bench.engine.answer([question], bench.third)
        assert answer.payload == bench.expected("mlp", 0)
        assert encoded == [PROMPT_WORDS[0]]

    run(exported, use)
