"""A decoder graph writes as PyTorch and its adapters do: many versions in one batch, texts that join and leave it."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from pydantic import ValidationError

from schemas.model.forms import Dense
from tests.support.builders.decoder_adapters import decoder_adapter
from tests.support.builders.decoder_exports import MLP, NEW_TOKENS, PROMPTS, WIDE, Exported
from tests.support.builders.decoders import VOCABULARY, build_tiny_decoder
from tests.support.builders.models import GENERATOR, model_ref, varied
from tests.support.builders.specs import export_spec
from tests.support.workbench import Workbench
from workers.adapters.files import Adapter
from workers.adapters.forms.low_rank.change import LowRankChange
from workers.base.chat import open_chat_template
from workers.base.loading import load_causal_lm
from workers.export.decoder.builder import build_graph
from workers.export.decoder.graph_rewrite import choose_places
from workers.export.decoder.parity import measure_parity
from workers.export.handler import handle
from workers.export.parity import ServedGraph
from workers.graph.decoder.decoding import Decoding
from workers.graph.decoder.offline import MAX_TEXTS, OfflineDecoder
from workers.graph.decoder.reading import Text
from workers.graph.decoder.session import DecoderSession
from workers.runtime.errors import JobError
from workers.tasks.text_generation.examples import Example
from workers.tasks.text_generation.reference import ReferenceDecoder

TOLERANCE: Final = 1e-4
"""float32 log-probabilities, summed in another order."""


def tokens(vocabulary: int, count: int) -> list[list[int]]:
    generator = np.random.default_rng(7)
    return [generator.integers(vocabulary, size=1 + number % 11).tolist() for number in range(count)]


class Writing:
    """Greedy texts of one batch."""

    def __init__(self, session: DecoderSession) -> None:
        self.decoding = Decoding(session)
        self.written: dict[Text, list[int]] = {}

    def join(self, prompts: Sequence[Sequence[int]], versions: Sequence[str | None]) -> list[Text]:
        texts, logits = self.decoding.join(prompts, versions)
        self.written |= {text: [int(row.argmax())] for text, row in zip(texts, logits, strict=True)}
        return texts

    def step(self, times: int) -> None:
        for _ in range(times):
            texts = self.decoding.texts
            logits = self.decoding.step([self.written[text][-1] for text in texts])
            for text, row in zip(texts, logits, strict=True):
                self.written[text].append(int(row.argmax()))


def test_versions_of_one_batch_write_as_pytorch_does_whoever_joins_and_leaves(exported: Exported) -> None:
    writing = Writing(exported.session())
    asked = [(name, number) for number in range(len(PROMPTS)) for name in (*exported.adapters, None)]
    waves = [asked[0::3], asked[1::3], asked[2::3]]
    texts: dict[Text, tuple[str | None, int]] = {}
    for wave in waves:
        joined = writing.join([PROMPTS[number] for _, number in wave], [name for name, _ in wave])
        texts |= dict(zip(joined, wave, strict=True))
        writing.step(3)
    while writing.decoding.texts:
        ended = [text for text in writing.decoding.texts if len(writing.written[text]) >= NEW_TOKENS]
        writing.decoding.leave(ended)
        if writing.decoding.texts:
            writing.step(1)
    assert len(texts) == len(asked)
    for text, (name, number) in texts.items():
        assert writing.written[text][:NEW_TOKENS] == exported.greedy[name][number], (name, number)


def test_the_comparison_has_teeth(exported: Exported) -> None:
    first_prompt = [tuple(exported.greedy[name][0]) for name in (*exported.adapters, None)]
    assert len(set(first_prompt)) == len(first_prompt)


def test_more_texts_than_fit_are_answered_up_to_their_stop_as_pytorch_answers_them(exported: Exported) -> None:
    prompts, stop_ids = tokens(len(VOCABULARY), MAX_TEXTS + 5), (6, 12, 30)
    decoder = OfflineDecoder(exported.session("all"))
    reference = ReferenceDecoder(load_causal_lm(exported.base), exported.adapters["all"], "all")
    found = decoder.generate(prompts, "all", NEW_TOKENS, stop_ids)
    assert found == reference.generate(prompts, "all", NEW_TOKENS, stop_ids)
    assert {len(answer) for answer in found} != {NEW_TOKENS}


def test_a_text_ends_where_its_base_takes_no_more(exported: Exported) -> None:
    [answer] = OfflineDecoder(exported.session("mlp")).generate([[5] * 60], "mlp", 50, ())
    assert len(answer) == 5
    with pytest.raises(JobError, match="a prompt has 65 tokens, expected 1 to 64"):
        OfflineDecoder(exported.session("mlp")).generate([[5] * 65], "mlp", 1, ())


def test_given_answers_are_as_likely_as_pytorch_says(exported: Exported) -> None:
    rows = tokens(len(VOCABULARY), MAX_TEXTS + 3)
    examples = [Example(ids, [column % 3 != 1 for column in range(len(ids))]) for ids in rows]
    for name, adapter in exported.adapters.items():
        reference = ReferenceDecoder(load_causal_lm(exported.base), adapter, name)
        expected = reference.log_likelihoods(examples, name)
        found = OfflineDecoder(exported.session(name)).log_likelihoods(examples, name)
        assert [len(row) for row in found] == [len(row) for row in expected]
        np.testing.assert_allclose(np.concatenate(found), np.concatenate(expected), atol=TOLERANCE)


def test_the_row_of_zeros_is_the_base_graph_to_the_bit(exported: Exported, tmp_path: Path) -> None:
    plain = build_graph(exported.base, "LlamaForCausalLM", "fp32", tmp_path)
    choose_places(plain, len(VOCABULARY))
    onnx.save(plain, str(tmp_path / "plain.onnx"))
    session = exported.session()
    ids, mask = np.array([[5, 9, 11, 0], [7, 8, 9, 10]]), np.array([[1, 1, 1, 0], [1, 1, 1, 1]])
    places, past = np.array([[0, 2], [1, 3]]), session.no_past(2)
    fed: Mapping[str, object] = {"input_ids": ids, "attention_mask": mask, "places": places}
    fed |= {name: value.numpy() for name, value in zip(session.form.past(), past, strict=True)}
    base = ort.InferenceSession(str(tmp_path / "plain.onnx"), providers=["CPUExecutionProvider"])
    [expected] = base.run(["logits"], fed)
    logits, _ = session.run(ids, mask, [0, 0], places, past)
    assert np.array_equal(logits, expected)


def test_a_version_comes_and_goes_while_others_write(exported: Exported) -> None:
    session = exported.session("mlp")
    writing = Writing(session)
    [first] = writing.join([PROMPTS[0]], ["mlp"])
    writing.step(2)
    session.unload("mlp")
    with pytest.raises(KeyError):
        writing.join([PROMPTS[1]], ["mlp"])
    session.load("query and value", exported.file("query and value"))  # of a larger rank
    session.load("all", exported.file("all"))
    second, third = writing.join([PROMPTS[1], PROMPTS[2]], ["query and value", "all"])
    writing.step(NEW_TOKENS - 1)
    assert writing.written[first][:NEW_TOKENS] == exported.greedy["mlp"][0]
    assert writing.written[second] == exported.greedy["query and value"][1]
    assert writing.written[third] == exported.greedy["all"][2]
    assert session.versions == ("query and value", "all")
    writing.decoding.close()
    session.load("mlp", exported.file("mlp"))
    assert OfflineDecoder(session).generate(PROMPTS, "mlp", NEW_TOKENS, ()) == exported.greedy["mlp"]
    assert OfflineDecoder(session).generate(PROMPTS, None, NEW_TOKENS, ()) == exported.greedy[None]


def test_an_adapter_of_another_graph_is_refused_with_the_input_that_it_lacks(
    exported: Exported, tmp_path: Path
) -> None:
    session = exported.session("all")
    other = tmp_path / "other.onnx_adapter"
    value = np.zeros((3, 2), np.float32)
    adapter = ort.AdapterFormat()
    adapter.set_parameters({"head.weight": ort.OrtValue.ortvalue_from_numpy(value)})
    adapter.export_adapter(str(other))
    with pytest.raises(JobError, match=r"head\.weight is no input of this graph"):
        session.load("other", other)
    other.write_bytes(b"no adapter")
    with pytest.raises(JobError, match="is no adapter file"):
        session.load("other", other)
    assert session.versions == ("all",)


def test_one_graph_serves_every_version_of_its_base_and_parity_says_how_near_it_is(exported: Exported) -> None:
    results = exported.exports.values()
    assert len({result.graph.base_graph for result in results}) == 1
    assert len({result.graph.adapter for result in results}) == 3
    for result in results:
        assert 0 < result.max_abs_diff < TOLERANCE
        assert (result.agreement, result.rows) == (1.0, 16)
    assert exported.export("mlp").graph == exported.exports["mlp"].graph  # its own build has the same bytes


def test_the_template_that_made_the_prompts_goes_with_the_graph(exported: Exported, tmp_path: Path) -> None:
    stored = exported.exports["all"].graph.chat_template
    assert stored is not None
    template = open_chat_template(exported.workbench.artifacts.fetch(stored))
    assert template.digest == stored.digest == exported.adapters["all"].identity.generation.chat_template_digest
    edited = tmp_path / "wide"
    shutil.copytree(exported.base, edited)
    (edited / "chat_template.jinja").write_text("{{ messages[0].content }}")
    workbench = replace(exported.workbench, base=edited)
    with pytest.raises(JobError, match=r"chat template has digest sha256:.* was trained with sha256:"):
        handle(export_spec(workbench.store(exported.adapters["all"])), workbench.context())


def test_parity_sees_another_versions_updates(exported: Exported) -> None:
    served = ServedGraph(exported.graph, exported.file("mlp"))
    parity = measure_parity(served, load_causal_lm(exported.base), exported.adapters["all"], 4)
    assert parity.max_abs_diff > 0.1
    assert parity.agreement < 1


def test_a_graph_that_answers_differently_is_refused(exported: Exported) -> None:
    with pytest.raises(JobError, match="logits differ from PyTorch's by"):
        exported.export("all", max_abs_diff=1e-12)


def test_a_graph_of_another_base_is_refused(exported: Exported, tmp_path: Path) -> None:
    other = build_tiny_decoder(tmp_path / "other", **WIDE, num_hidden_layers=1)
    workbench = replace(exported.workbench, base=other)
    ref = workbench.store(decoder_adapter(other, 2, 1, MLP))
    spec = export_spec(ref, base_graph=exported.exports["all"].graph.base_graph)
    with pytest.raises(JobError, match="base_graph was exported for base_digest"):
        handle(spec, workbench.context())


def refusal(folder: Path, tmp_path: Path) -> str:
    workbench = Workbench(tmp_path / "workbench", folder)
    ref = workbench.store(Adapter(decoder_adapter(folder, 2, 1, MLP).identity, LowRankChange({})))
    with pytest.raises(JobError) as refused:
        handle(export_spec(ref), workbench.context())
    return str(refused.value)


def test_heads_that_cannot_be_served_are_refused_before_a_graph_is_built(tiny_decoder: Path, tmp_path: Path) -> None:
    assert "attention heads have size 8, expected a multiple of 16" in refusal(tiny_decoder, tmp_path)


def test_a_layer_that_the_builder_would_take_for_the_output_layer_is_refused(tmp_path: Path) -> None:
    folder = build_tiny_decoder(tmp_path / "alike", **WIDE | {"num_key_value_heads": len(VOCABULARY) // 16})
    assert "self_attn.k_proj has 32 outputs, as many as its vocabulary" in refusal(folder, tmp_path)


def test_an_architecture_that_the_builder_does_not_know_is_refused_by_name(wide_decoder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unknown"
    shutil.copytree(wide_decoder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["MysteryForCausalLM"]}))
    assert "does not know MysteryForCausalLM" in refusal(folder, tmp_path)


def test_a_generator_of_another_form_is_refused_at_the_request() -> None:
    ref = model_ref(identity=varied(GENERATOR, form=Dense()))
    with pytest.raises(ValidationError, match="has form `dense`: expected `low_rank`"):
        export_spec(ref)
