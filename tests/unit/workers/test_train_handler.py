"""Training learns, is reproducible, survives interruption unchanged, and refuses what it cannot do."""

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from schemas.claims import Checkpoint
from schemas.jobs.train import TrainResult
from schemas.model.methods import Lora
from tests.support.builders.adapters import low_rank_identity
from tests.support.builders.models import model_ref, registered
from tests.support.builders.rows import Row, planted_rows
from tests.support.builders.specs import HEAD, frozen_head, lora
from tests.support.workbench import Workbench
from workers.adapters.files import Adapter, read_adapter
from workers.adapters.methods import lora as lora_method
from workers.base.loading import load_base
from workers.base.tokenizer import TextTokenizer
from workers.runtime.context import Report
from workers.runtime.errors import JobError
from workers.tasks.text_classification.classifier import Classifier
from workers.tasks.text_classification.reference import reference_classifier
from workers.train.handler import handle
from workers.train.loop import learning_rate

SMALL = {"method": lora(r=2, lora_alpha=4), "batch_size": 8, "learning_rate": 1e-2}


def accuracy(workbench: Workbench, result: TrainResult, rows: list[Row]) -> float:
    base = load_base(workbench.base)
    classifier = reference_classifier(base, read_adapter(workbench.artifacts.fetch(result.adapter)))
    tokenizer = TextTokenizer(base.tokenizer_file, result.identity.max_length)
    batch = tokenizer.pad(tokenizer.encode([text for text, _ in rows]))
    with torch.no_grad():
        answers = classifier(torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask)).argmax(dim=1)
    found = [
        result.identity.task.labels[answer] == label for answer, (_, label) in zip(answers.tolist(), rows, strict=True)
    ]
    return float(sum(found) / len(found))


@pytest.mark.parametrize("r", [0, 2])
def test_it_learns_what_was_planted(workbench: Workbench, r: int) -> None:
    dataset = workbench.dataset(train=planted_rows(240), validation=planted_rows(60, seed=1))
    spec = workbench.train_spec(dataset, **SMALL | {"method": lora(r=r) if r else HEAD, "epochs": 2})
    result = handle(spec, workbench.context())
    # A constant answer is right on half of them.
    assert accuracy(workbench, result, planted_rows(100, seed=2)) > 0.85
    assert result.validation_accuracy is not None
    assert result.validation_accuracy > 0.85
    assert (result.rows, result.steps) == (240, 60)
    assert workbench.progress[-1].step == workbench.progress[-1].total == 60


def test_the_same_spec_gives_the_same_adapter_and_another_seed_another(workbench: Workbench) -> None:
    dataset = workbench.dataset(train=planted_rows(40))
    digests = [
        handle(workbench.train_spec(dataset, **SMALL, seed=seed), workbench.context()).adapter.digest
        for seed in (1, 1, 2)
    ]
    assert digests[0] == digests[1] != digests[2]


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("method", [lora(r=2, lora_dropout=0.2), HEAD], ids=["lora", "head"])
@pytest.mark.parametrize("at_step", [3, 6])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    workbench: Workbench, method: dict[str, object], at_step: int
) -> None:
    dataset = workbench.dataset(train=planted_rows(40))
    spec = workbench.train_spec(dataset, **SMALL | {"method": method}, epochs=2, checkpoint_steps=3)
    whole = handle(spec, workbench.context())

    found: list[Checkpoint] = []

    def stop(report: Report) -> None:
        if isinstance(report, Checkpoint) and report.step == at_step:
            found.append(report)
            raise Interrupted

    with pytest.raises(Interrupted):
        handle(spec, workbench.context(report=stop))
    workbench.reports.clear()
    resumed = handle(spec, workbench.context(checkpoint=found[0]))
    assert resumed.adapter.digest == whole.adapter.digest
    assert workbench.progress[0].step == at_step + 1


def test_a_checkpoint_of_another_job_is_refused(workbench: Workbench) -> None:
    dataset = workbench.dataset(train=planted_rows(40))
    handle(workbench.train_spec(dataset, **SMALL, checkpoint_steps=3), workbench.context())
    other = workbench.train_spec(dataset, **SMALL | {"method": lora(r=3)})
    with pytest.raises(JobError, match="checkpoint does not fit"):
        handle(other, workbench.context(checkpoint=workbench.checkpoints[0]))


def test_a_frozen_head_stays_as_it_is(workbench: Workbench) -> None:
    dataset = workbench.dataset(train=planted_rows(40))
    first = handle(workbench.train_spec(dataset, **SMALL | {"method": HEAD}), workbench.context())
    task = frozen_head(registered(first))
    second = handle(workbench.train_spec(dataset, **SMALL, task=task), workbench.context())
    assert second.identity.task == first.identity.task
    assert second.adapter.digest != first.adapter.digest


def test_max_rows_bounds_the_rows(workbench: Workbench) -> None:
    dataset = workbench.dataset(train=planted_rows(40))
    assert handle(workbench.train_spec(dataset, **SMALL, max_rows=10), workbench.context()).rows == 10


@pytest.mark.parametrize("use_rslora", [False, True])
def test_our_factors_say_what_peft_computes(tiny_base: Path, use_rslora: bool) -> None:
    base = load_base(tiny_base)
    torch.manual_seed(0)
    lora_method.inject(base.encoder, Lora(r=3, lora_alpha=5, use_rslora=use_rslora))
    with torch.no_grad():
        for name, parameter in base.encoder.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    trained = Classifier(base.encoder, base.feature_size, 2).eval()
    with torch.no_grad():
        trained.head.weight.normal_()
    change = lora_method.change_of(base.encoder)
    adapter = Adapter(low_rank_identity(base.digest, r=3), change, trained.head.dump())
    merged = reference_classifier(load_base(tiny_base), adapter)
    ids, mask = torch.randint(4, 20, (4, 9)), torch.ones(4, 9, dtype=torch.int64)
    with torch.no_grad():
        torch.testing.assert_close(merged(ids, mask), trained(ids, mask), atol=1e-4, rtol=1e-4)


def test_the_learning_rate_warms_up_and_decays_to_nothing(workbench: Workbench) -> None:
    spec = workbench.train_spec(workbench.dataset(), learning_rate=1.0, warmup_ratio=0.2)
    rates = [learning_rate(step, 10, spec) for step in range(10)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert 0 < rates[-1] < 0.2


def test_a_label_outside_the_manifest_is_named(workbench: Workbench) -> None:
    dataset = workbench.dataset(train=[*planted_rows(10), ("film", "neutral")])
    with pytest.raises(JobError, match=r"'neutral'.*expected one of.*negative"):
        handle(workbench.train_spec(dataset), workbench.context())


def test_a_dataset_without_train_rows_is_refused(workbench: Workbench) -> None:
    with pytest.raises(JobError, match="reviews/1 has no train rows"):
        handle(workbench.train_spec(workbench.dataset(test=planted_rows(4))), workbench.context())


def test_one_label_is_refused(workbench: Workbench) -> None:
    dataset = workbench.dataset(labels=("positive",), train=[("film", "positive")])
    with pytest.raises(JobError, match="two are needed"):
        handle(workbench.train_spec(dataset), workbench.context())


def test_an_unknown_target_module_is_named_with_what_there_is(workbench: Workbench) -> None:
    spec = workbench.train_spec(workbench.dataset(train=planted_rows(4)), method=lora(target_modules=["q_proj"]))
    with pytest.raises(JobError, match=r"q_proj.*query"):
        handle(spec, workbench.context())


def test_more_tokens_than_the_base_takes_are_refused(workbench: Workbench) -> None:
    spec = workbench.train_spec(workbench.dataset(train=planted_rows(4)), max_length=65)
    with pytest.raises(JobError, match="max_length is 65, this base takes at most 64"):
        handle(spec, workbench.context())


def test_a_diverging_run_fails_with_its_reason(workbench: Workbench) -> None:
    spec = workbench.train_spec(workbench.dataset(train=planted_rows(40)), learning_rate=1e30)
    with pytest.raises(JobError, match=r"learning_rate 1e\+30 is too high"):
        handle(spec, workbench.context())


def test_nothing_to_train_is_refused(workbench: Workbench) -> None:
    dataset = workbench.dataset(train=planted_rows(8))
    with pytest.raises(ValidationError, match="nothing is left to train"):
        workbench.train_spec(dataset, method=HEAD, task=frozen_head(model_ref()))
