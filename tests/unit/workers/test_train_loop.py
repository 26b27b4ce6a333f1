"""The training loop against PyTorch's own, the rows and the order that it meets, and what its settings change."""

from collections.abc import Sequence

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from schemas.claims import Checkpoint, Progress
from schemas.jobs.train import TrainResult, TrainSpec
from tests.support.builders.rows import Row, planted_rows
from tests.support.builders.specs import HEAD, lora
from tests.support.workbench import Workbench
from tests.unit.workers.test_train_handler import accuracy
from workers.adapters.files import read_adapter
from workers.base.arrays import Floats
from workers.data.draw import draw
from workers.train.handler import handle
from workers.train.loop import fit, learning_rate
from workers.train.order import epoch_batches

INPUTS = torch.randn(23, 4, generator=torch.Generator().manual_seed(5))
TARGETS = torch.randn(23, 2, generator=torch.Generator().manual_seed(6))
LENGTHS = [1 + row % 5 for row in range(23)]


def toy() -> nn.Linear:
    torch.manual_seed(1)
    return nn.Linear(4, 2)


def toy_spec(workbench: Workbench, **fields: object) -> TrainSpec:
    defaults = {"batch_size": 4, "epochs": 2, "learning_rate": 0.1, "warmup_ratio": 0.25}
    return workbench.train_spec(workbench.dataset(), **defaults | fields)


def run(workbench: Workbench, **fields: object) -> nn.Linear:
    model, spec = toy(), toy_spec(workbench, **fields)
    steps = fit(model, lambda rows: mse_loss(model(INPUTS[list(rows)]), TARGETS[list(rows)]), LENGTHS, spec,
                workbench.context())  # fmt: skip
    assert steps == spec.epochs * 6
    return model


@pytest.mark.parametrize(
    "fields", [{}, {"weight_decay": 0.3}, {"warmup_ratio": 0.0}, {"warmup_ratio": 1.0}, {"epochs": 3, "seed": 4}]
)
def test_it_ends_where_pytorchs_own_schedule_ends(workbench: Workbench, fields: dict[str, object]) -> None:
    spec, model = toy_spec(workbench, **fields), toy()
    optimizer = torch.optim.AdamW(model.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay)
    total = spec.epochs * 6
    warmup = max(1, round(spec.warmup_ratio * total))

    def factor(step: int) -> float:
        return (step + 1) / warmup if step < warmup else (total - step) / max(1, total - warmup)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    losses = []
    for epoch in range(spec.epochs):
        for rows in epoch_batches(LENGTHS, spec.batch_size, spec.seed, epoch):
            optimizer.zero_grad()
            loss = mse_loss(model(INPUTS[rows]), TARGETS[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
    found = run(workbench, **fields)
    torch.testing.assert_close(found.weight, model.weight, rtol=1e-6, atol=1e-7)
    assert [report.metrics["loss"] for report in workbench.progress] == pytest.approx(losses)
    assert [report.step for report in workbench.progress] == list(range(1, total + 1))


def test_a_parameter_that_is_frozen_stays(workbench: Workbench) -> None:
    model = toy()
    model.bias.requires_grad_(False)
    before = model.bias.clone()
    spec = toy_spec(workbench, weight_decay=0.5)
    fit(model, lambda rows: mse_loss(model(INPUTS[list(rows)]), TARGETS[list(rows)]), LENGTHS, spec,
        workbench.context())  # fmt: skip
    assert torch.equal(model.bias, before)


def test_what_a_loss_draws_is_new_in_every_step_and_for_every_seed(workbench: Workbench) -> None:
    def drawn(seed: int) -> list[float]:
        model, found = toy(), list[float]()

        def loss(rows: Sequence[int]) -> Tensor:
            found.append(float(torch.rand(1)))
            return mse_loss(model(INPUTS[list(rows)]), TARGETS[list(rows)])

        fit(model, loss, LENGTHS, toy_spec(workbench, seed=seed), workbench.context())
        return found

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert first == again
    assert len({*first, *other}) == len(first) + len(other) == 24


def test_every_row_is_met_once_an_epoch_and_in_another_order_each_time() -> None:
    orders = []
    for seed in (1, 2):
        for epoch in range(3):
            batches = epoch_batches(LENGTHS, 4, seed, epoch)
            assert sorted(len(batch) for batch in batches) == [3, 4, 4, 4, 4, 4]
            assert sorted(row for batch in batches for row in batch) == list(range(23))
            orders.append(tuple(map(tuple, batches)))
    assert len(set(orders)) == len(orders)
    assert epoch_batches(LENGTHS, 4, 1, 0) == epoch_batches(LENGTHS, 4, 1, 0)


def test_rows_of_like_length_share_a_batch_and_batches_come_in_no_order_of_length() -> None:
    of_rows = [1 + row % 40 for row in range(400)]
    batches = epoch_batches(of_rows, 8, 0, 0)
    lengths = [[of_rows[row] for row in batch] for batch in batches]
    padding = sum(max(batch) * len(batch) - sum(batch) for batch in lengths)
    assert padding < 0.1 * sum(map(sum, lengths))
    longest = [max(batch) for batch in lengths]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))


def test_rows_are_drawn_by_the_seed_each_as_often_as_another() -> None:
    examples = list(range(20))
    times = [0] * 20
    draws = set()
    for seed in range(400):
        chosen = draw(examples, 5, seed)
        assert len(set(chosen)) == 5
        draws.add(frozenset(chosen))
        for row in chosen:
            times[row] += 1
    # 100 expected of each, standard deviation 8.7.
    assert all(57 < count < 143 for count in times)
    assert len(draws) > 380
    assert draw(examples, 5, 3) == draw(examples, 5, 3)
    assert draw(examples, 20, 3) is draw(examples, None, 3) is examples


def head_of(workbench: Workbench, result: TrainResult) -> Floats:
    return read_adapter(workbench.artifacts.fetch(result.adapter)).head.weight


def first_gradient(workbench: Workbench, rows: int = 24, **fields: object) -> Tensor:
    """The head's gradient in a first step that meets all rows, of which Adam's first moment keeps a tenth."""
    workbench.reports.clear()
    dataset = workbench.dataset(train=planted_rows(rows))
    spec = workbench.train_spec(dataset, batch_size=rows, epochs=2, checkpoint_steps=1, **fields)
    handle(spec, workbench.context())
    assert [checkpoint.step for checkpoint in workbench.checkpoints] == [1]
    tensors = load_file(workbench.artifacts.fetch(workbench.checkpoints[0].artifact))
    return tensors["exp_avg/head.weight"] * 10


def test_a_jobs_seed_chooses_its_rows(workbench: Workbench) -> None:
    """In one batch the order of rows is nothing, so what differs is which they are."""

    def gradient(seed: int, max_rows: int) -> Tensor:
        return first_gradient(workbench, 40, method=HEAD, max_rows=max_rows, seed=seed)

    torch.testing.assert_close(gradient(1, 40), gradient(2, 40), rtol=1e-3, atol=1e-6)
    assert float((gradient(1, 6) - gradient(2, 6)).abs().max()) > 1e-2
    assert torch.equal(gradient(1, 6), gradient(1, 6))


def flipped(rows: list[Row]) -> list[Row]:
    other = {"negative": "positive", "positive": "negative"}
    return [(text, other[label]) for text, label in rows]


def test_validation_rows_are_measured_and_never_trained_on(workbench: Workbench) -> None:
    """Their labels are all wrong: had the model learnt them, or been asked about train rows, it would seem right."""
    spec = {"method": HEAD, "batch_size": 8, "learning_rate": 1e-2, "epochs": 2}
    alone = workbench.dataset(train=planted_rows(240))
    beside = workbench.dataset(
        train=planted_rows(240), validation=flipped(planted_rows(80, seed=1)), test=flipped(planted_rows(80, seed=2))
    )
    first, second = (handle(workbench.train_spec(one, **spec), workbench.context()) for one in (alone, beside))
    assert first.adapter.digest == second.adapter.digest
    assert (first.rows, second.rows) == (240, 240)
    assert first.validation_accuracy is None
    assert second.validation_accuracy is not None
    assert second.validation_accuracy == pytest.approx(1 - accuracy(workbench, second, planted_rows(80, seed=1)))
    assert second.validation_accuracy < 0.2


@pytest.mark.parametrize("use_rslora", [False, True])
def test_the_published_adapter_answers_as_the_model_that_was_trained(workbench: Workbench, use_rslora: bool) -> None:
    rows = planted_rows(60, seed=3)
    dataset = workbench.dataset(train=planted_rows(120), validation=rows)
    method = lora(r=4, lora_alpha=16, use_rslora=use_rslora, target_modules=["query", "value", "dense"])
    spec = workbench.train_spec(dataset, method=method, batch_size=8, learning_rate=5e-3, epochs=4)
    result = handle(spec, workbench.context())
    identity = read_adapter(workbench.artifacts.fetch(result.adapter)).identity
    assert identity == result.identity
    assert identity.method.model_dump(mode="json") == method | {"lora_dropout": 0}
    assert (identity.form.r, identity.form.target_modules) == (4, ("query", "value", "dense"))
    assert result.validation_accuracy == pytest.approx(accuracy(workbench, result, rows), abs=0.02)
    assert result.validation_accuracy > 0.7


def test_the_bases_own_dropout_is_off_while_loras_is_on(workbench: Workbench) -> None:
    """LoRA adds nothing before its first step, so the head's first gradient is that of the bare base."""
    bare = first_gradient(workbench, method=HEAD)
    for dropout, seed in ((0.0, 1), (0.5, 2)):
        method = lora(r=2, lora_dropout=dropout)
        torch.testing.assert_close(first_gradient(workbench, method=method, seed=seed), bare, rtol=1e-3, atol=1e-6)


def test_loras_first_weights_are_the_seeds(workbench: Workbench) -> None:
    """At next to no learning rate the first checkpoint is the beginning."""
    starts = []
    for seed in (1, 1, 2):
        workbench.reports.clear()
        fields = {"method": lora(r=2), "batch_size": 2, "checkpoint_steps": 1, "learning_rate": 1e-12, "seed": seed}
        handle(workbench.train_spec(workbench.dataset(train=planted_rows(6)), **fields), workbench.context())
        tensors = load_file(workbench.artifacts.fetch(workbench.checkpoints[0].artifact))
        names = [name for name in sorted(tensors) if name.startswith("parameter/") and "lora_A" in name]
        starts.append(torch.cat([tensors[name].flatten() for name in names]))
    assert torch.equal(starts[0], starts[1])
    assert abs(float(torch.corrcoef(torch.stack([starts[0], starts[2]]))[0, 1])) < 0.3


def test_lora_dropout_changes_what_is_learnt(workbench: Workbench) -> None:
    dataset = workbench.dataset(train=planted_rows(24))
    losses: list[list[float]] = []
    for dropout in (0.0, 0.9):
        workbench.reports.clear()
        spec = workbench.train_spec(dataset, method=lora(r=2, lora_dropout=dropout), learning_rate=1e-2, batch_size=8)
        handle(spec, workbench.context())
        losses.append([point.values["loss"] for point in workbench.curve if "loss" in point.values])
    assert losses[0][0] == pytest.approx(losses[1][0])
    assert losses[0][1:] != pytest.approx(losses[1][1:], rel=1e-4)


@pytest.mark.parametrize("method", [HEAD, lora(r=2)], ids=["head", "lora"])
def test_a_jobs_weight_decay_shrinks_its_weights(workbench: Workbench, method: dict[str, object]) -> None:
    dataset = workbench.dataset(train=planted_rows(40))

    def size(decay: float) -> float:
        spec = workbench.train_spec(
            dataset, method=method, batch_size=8, learning_rate=1e-2, epochs=4, weight_decay=decay
        )
        return float((head_of(workbench, handle(spec, workbench.context())) ** 2).sum())

    assert size(20.0) < 0.8 * size(0.0)


def test_a_jobs_first_step_is_as_small_as_its_warm_up_says(workbench: Workbench) -> None:
    """Adam's first step moves each weight by the learning rate of that step."""
    dataset = workbench.dataset(train=planted_rows(40))
    spec = workbench.train_spec(
        dataset, method=HEAD, batch_size=4, learning_rate=1e-2, warmup_ratio=0.5, checkpoint_steps=1
    )
    handle(spec, workbench.context())
    tensors = load_file(workbench.artifacts.fetch(workbench.checkpoints[0].artifact))
    assert learning_rate(0, 10, spec) == pytest.approx(2e-3)
    assert float(tensors["parameter/head.weight"].abs().max()) == pytest.approx(2e-3, rel=1e-3)


def test_progress_counts_what_a_checkpoint_counts(workbench: Workbench) -> None:
    run(workbench, checkpoint_steps=5)
    assert [checkpoint.step for checkpoint in workbench.checkpoints] == [5, 10]
    letters = {Progress: "p", Checkpoint: "c"}
    order = [f"{letters[type(one)]}{one.step}" for one in workbench.reports if isinstance(one, Progress | Checkpoint)]
    assert order[4:6] == ["p5", "c5"]
    assert all(report.total == 12 for report in workbench.progress)
