"""The feature recipe: what it averages, how it scales, and that neither padding nor company changes a text's answer."""

from pathlib import Path

import pytest
import torch

from tests.support.builders.bases import build_tiny_roberta
from tests.support.workbench import Workbench
from workers.base.loading import base_digest, load_base
from workers.base.tokenizer import TextTokenizer
from workers.data.manifest import read_split
from workers.runtime.errors import JobError
from workers.tasks.text_classification.classifier import Classifier
from workers.tasks.text_classification.features import SCALE, features


def test_features_are_the_normalised_means_of_middle_and_last_layer() -> None:
    generator = torch.Generator().manual_seed(0)
    states = [torch.randn(2, 3, 4, generator=generator) for _ in range(7)]  # embeddings and 6 layers
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    found = features(states, mask)
    middle = states[3][0, :2].mean(dim=0)
    last = states[6][0, :2].mean(dim=0)
    expected = torch.cat([middle / middle.norm(), last / last.norm()]) / 2**0.5 * SCALE
    torch.testing.assert_close(found[0], expected)
    torch.testing.assert_close(found.norm(dim=1), torch.full((2,), SCALE))


def test_padding_and_company_do_not_change_a_text(tiny_base: Path) -> None:
    base = load_base(tiny_base)
    tokenizer = TextTokenizer(base.tokenizer_file, 16)
    classifier = Classifier(base.encoder, base.feature_size, 2)

    def features_of(*texts: str) -> torch.Tensor:
        batch = tokenizer.pad(tokenizer.encode(texts))
        with torch.no_grad():
            return classifier.features(torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask))

    alone = features_of("superb film")
    together = features_of("superb film", "this movie was dull and the plot was weak and cold")
    torch.testing.assert_close(together[:1], alone, atol=1e-4, rtol=1e-4)  # float32 sums of another length


def test_max_length_and_no_setting_of_the_file_decides_where_a_text_is_cut(tiny_base: Path) -> None:
    text = "film " * 40
    assert [len(row) for row in TextTokenizer(tiny_base / "tokenizer.json", 16).encode([text, "film"])] == [16, 3]


def test_roberta_takes_two_positions_fewer_than_it_says(tiny_base: Path, tmp_path: Path) -> None:
    base = load_base(build_tiny_roberta(tmp_path / "roberta", tiny_base))
    assert (base.config.max_position_embeddings, base.max_length) == (66, 64)
    ids = torch.full((1, 64), 5)
    assert torch.isfinite(base.encoder(input_ids=ids).last_hidden_state).all()
    with pytest.raises((IndexError, RuntimeError), match=r"out of bounds|out of range"):
        base.encoder(input_ids=torch.full((1, 65), 5))
    assert load_base(tiny_base).max_length == 64


def test_half_a_surrogate_pair_is_tokenised(tiny_base: Path) -> None:
    assert len(TextTokenizer(tiny_base / "tokenizer.json", 16).encode(["film \ud800"])) == 1


def test_a_base_digest_covers_weights_and_tokenizer(tiny_base: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in tiny_base.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "README.md").write_text("not part of the model")
    assert base_digest(copy) == base_digest(tiny_base)
    (copy / "tokenizer.json").write_text((copy / "tokenizer.json").read_text() + "\n")
    assert base_digest(copy) != base_digest(tiny_base)


@pytest.mark.parametrize("lost", ["tokenizer.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_says_which(tiny_base: Path, tmp_path: Path, lost: str) -> None:
    for file in tiny_base.iterdir():
        if file.name != lost:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(JobError, match=lost.rpartition(".")[2]):
        load_base(tmp_path)


def test_a_split_is_read_in_order_and_a_missing_one_is_empty(workbench: Workbench) -> None:
    dataset = workbench.dataset(train=[("a", "positive"), ("b", "negative")])
    rows = read_split(workbench.artifacts, dataset, "train")
    assert (rows.texts, rows.labels) == (["a", "b"], ["positive", "negative"])
    assert len(read_split(workbench.artifacts, dataset, "test")) == 0


def test_a_row_without_label_is_refused(workbench: Workbench) -> None:
    dataset = workbench.dataset(train=[("a", "positive"), ("b", None)])  # type: ignore[list-item]
    with pytest.raises(JobError, match="without text or label"):
        read_split(workbench.artifacts, dataset, "train")
