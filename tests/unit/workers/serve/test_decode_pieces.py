"""Tokens become pieces of text: whole characters, spaces in place, nothing of a stop string, draws that repeat."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE, WordLevel

from workers.base.tokenizer import TextTokenizer
from workers.serve.engines.decode.detokeniser import Detokeniser
from workers.serve.engines.decode.output import Output
from workers.serve.engines.decode.sampling import Sampler
from workers.serve.engines.decode.stops import StopStrings

TEXTS = (
    "an 😀 in é, ﷺ and 漢字",
    " two  spaces ",
    "ends in half",
    "\N{REPLACEMENT CHARACTER} is a character too",
    "a\nb",
)
BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())


def byte_level(folder: Path) -> Tokenizer:
    """A token for each byte, as GPT-2's and Llama 3's begin."""
    tokenizer = Tokenizer(BPE({byte: number for number, byte in enumerate(BYTES)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def metaspace(folder: Path) -> Tokenizer:
    """A word's own space in its token, and one cut off at the beginning: as Llama 2's."""
    words = ("▁", "▁a", "b", "▁😀", *(f"<0x{byte:02X}>" for byte in range(256)), "<unk>")
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, "<unk>"))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def words(folder: Path) -> Tokenizer:
    """Tokens that say nothing of spaces: the decoder puts them between."""
    tokenizer = Tokenizer(WordLevel({"<s>": 0, "one": 1, "two": 2}, "<s>"))
    tokenizer.add_special_tokens(["<s>"])
    return tokenizer


def opened(tokenizer: Tokenizer, folder: Path) -> TextTokenizer:
    tokenizer.save(str(folder / "tokenizer.json"))
    return TextTokenizer(folder / "tokenizer.json", max_length=None)


def pieces(tokenizer: TextTokenizer, ids: Sequence[int]) -> list[str]:
    detokeniser = Detokeniser(tokenizer)
    return [*(detokeniser.add(token) for token in ids), detokeniser.rest()]


@pytest.mark.parametrize("text", TEXTS)
def test_pieces_of_bytes_are_the_text_and_hold_whole_characters(text: str, tmp_path: Path) -> None:
    tokenizer = opened(byte_level(tmp_path), tmp_path)
    [ids] = tokenizer.encode([text])
    found = pieces(tokenizer, ids)
    assert "".join(found) == tokenizer.decode(ids) == text
    assert all(piece == "" or piece in text for piece in found)
    cut = pieces(tokenizer, ids[:-1])
    assert "".join(cut) == tokenizer.decode(ids[:-1])


def test_half_a_character_is_held_back_until_it_is_whole_or_the_text_ends(tmp_path: Path) -> None:
    tokenizer = opened(byte_level(tmp_path), tmp_path)
    [ids] = tokenizer.encode(["x😀"])
    assert pieces(tokenizer, ids) == ["x", "", "", "", "😀", ""]
    assert pieces(tokenizer, ids[:3])[:3] == ["x", "", ""]
    assert pieces(tokenizer, ids[:3])[3] == tokenizer.decode(ids[:3])[1:] != ""


@pytest.mark.parametrize("make", [byte_level, metaspace, words])
def test_any_tokens_have_pieces_that_are_their_text(make: type, tmp_path: Path) -> None:
    tokenizer = opened(make(tmp_path), tmp_path)
    generator = np.random.default_rng(5)
    vocabulary = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).get_vocab()
    units = [[number] for token, number in vocabulary.items() if not token.startswith("<0x")]
    if "<0x00>" in vocabulary:  # a decoder of such tokens makes one of neighbours that are no character together
        units += [[vocabulary[f"<0x{byte:02X}>"] for byte in character.encode()] for character in "zé漢😀"]
    for length in range(40):
        ids = [token for unit in generator.integers(len(units), size=length) for token in units[unit]]
        assert "".join(pieces(tokenizer, ids)) == tokenizer.decode(ids), ids


@pytest.mark.parametrize(
    ("stops", "text", "expected"),
    [
        (("END",), "before END after", "before "),
        (("END",), "never EN", None),
        (("aab",), "aaab", "a"),
        (("abcd", "bc"), "xabcd", "xa"),
        (("bcd", "abc"), "xabcd", "x"),
        (("\n\n",), "one\ntwo\n\nthree", "one\ntwo"),
        ((), "as it is", None),
    ],
)
@pytest.mark.parametrize("width", [1, 2, 3, 100])
def test_nothing_of_a_stop_string_is_told_however_it_is_split(
    stops: Sequence[str], text: str, expected: str | None, width: int
) -> None:
    holding, told = StopStrings(stops), ""
    for start in range(0, len(text), width):
        piece, ended = holding.add(text[start : start + width])
        told += piece
        assert (expected or text).startswith(told)
        if ended:
            break
    else:
        assert expected is None
        told += holding.rest()
    assert told == (text if expected is None else expected)


def test_an_answer_says_how_it_ended_and_how_many_tokens_it_has(tmp_path: Path) -> None:
    tokenizer = opened(words(tmp_path), tmp_path)

    def answer(ids: Sequence[int], stop: Sequence[str] = (), limit: int = 9) -> tuple[str, str | None, int]:
        output = Output(tokenizer, 7, (0,), stop, limit)
        told = [written for token in ids if (written := output.add(token)) is not None]
        assert {written.prompt_tokens for written in told} == {7}
        last = told[-1]
        assert [written.finish_reason for written in told[:-1]] == [None] * (len(told) - 1)
        return "".join(written.text for written in told), last.finish_reason, last.completion_tokens

    assert answer([1, 2, 1, 0]) == ("one two one", "stop", 3)
    assert answer([1, 2], limit=2) == ("one two", "length", 2)
    assert answer([1, 2], stop=["e two"]) == ("on", "stop", 2)
    assert answer([1, 2, 0], stop=["two on"]) == ("one two", "stop", 2)
    assert answer([1, 2, 1], stop=["two one"], limit=3) == ("one ", "stop", 3)
    assert answer([0]) == ("", "stop", 0)


def test_the_first_token_is_told_of_where_its_text_is_held_back(tmp_path: Path) -> None:
    output = Output(opened(words(tmp_path), tmp_path), 1, (0,), ("one two one",), 9)
    first, second = output.add(1), output.add(2)
    assert (first and first.text, second) == ("", None)


LOGITS = np.log(np.array([0.1, 0.5, 0.15, 0.25], np.float32))


def draws(sampler: Sampler, count: int = 4000) -> list[float]:
    drawn = [sampler.choose(LOGITS) for _ in range(count)]
    return [drawn.count(token) / count for token in range(len(LOGITS))]


def test_tokens_are_drawn_as_they_are_probable() -> None:
    """Four standard errors of a share of 4000 draws are 0.032."""
    assert Sampler(0, 1.0, None).choose(LOGITS) == 1
    np.testing.assert_allclose(draws(Sampler(1.0, 1.0, 3)), [0.1, 0.5, 0.15, 0.25], atol=0.032)
    np.testing.assert_allclose(draws(Sampler(1.0, 0.7, 3)), [0, 2 / 3, 0, 1 / 3], atol=0.032)
    np.testing.assert_allclose(draws(Sampler(1.0, 0.8, 3)), [0, 5 / 9, 1.5 / 9, 2.5 / 9], atol=0.032)
    squared = np.array([0.1, 0.5, 0.15, 0.25]) ** 2
    np.testing.assert_allclose(draws(Sampler(0.5, 1.0, 3)), squared / squared.sum(), atol=0.032)
    assert draws(Sampler(1e-9, 1.0, 3)) == draws(Sampler(1.0, 0.0, 3)) == [0, 1, 0, 0]


def test_a_seed_repeats_its_draws_and_no_seed_does_not() -> None:
    first, again, other = ([Sampler(1.0, 1.0, seed).choose(LOGITS) for seed in range(at, at + 50)] for at in (0, 0, 50))
    assert first == again != other
    assert Sampler(1.0, 1.0, -1).choose(LOGITS) in range(4)
    free = [
        [sampler.choose(LOGITS) for _ in range(60)] for sampler in (Sampler(1.0, 1.0, None), Sampler(1.0, 1.0, None))
    ]
    assert free[0] != free[1]
