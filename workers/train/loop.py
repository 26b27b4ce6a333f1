"""The training loop: seeded, checkpointed, and the same whether or not it was interrupted."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from schemas.jobs.train import TrainSpec
from workers.runtime.context import Context
from workers.runtime.errors import JobError
from workers.tasks.learner import Loss
from workers.train.checkpoint import TrainingState, restore_state, save_state
from workers.train.order import epoch_batches
from workers.train.record import TrainingRecord


def fit(model: nn.Module, loss: Loss, lengths: Sequence[int], spec: TrainSpec, context: Context) -> int:
    """Train the parameters of `model` that require gradients, on rows of these lengths.

    The answer is the number of steps.
    """
    state = _start(model, spec, context)
    steps_per_epoch = len(epoch_batches(lengths, spec.batch_size, spec.seed, 0))
    total = spec.epochs * steps_per_epoch
    record = TrainingRecord(context, total, spec.epochs)
    for epoch in range(state.step // steps_per_epoch, spec.epochs):
        batches = epoch_batches(lengths, spec.batch_size, spec.seed, epoch)
        for batch in batches[state.step - epoch * steps_per_epoch :]:
            value = _step(state, loss, batch, spec, total)
            if not math.isfinite(value):
                raise JobError(
                    f"the loss is {value} at step {state.step}: learning_rate {spec.peak_learning_rate} is too high"
                )
            record.hear(state.step, value, learning_rate(state.step - 1, total, spec))
            if state.step % spec.checkpoint_steps == 0 and state.step < total:
                _save(state, context)
    return total


def learning_rate(step: int, total: int, spec: TrainSpec) -> float:
    """Linear warm-up, then linear decay to zero; `step` counts from 0."""
    warmup = max(1, round(spec.warmup_ratio * total))
    if step < warmup:
        return spec.peak_learning_rate * (step + 1) / warmup
    return spec.peak_learning_rate * (total - step) / max(1, total - warmup)


def _start(model: nn.Module, spec: TrainSpec, context: Context) -> TrainingState:
    parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    optimizer = torch.optim.AdamW(parameters.values(), lr=spec.peak_learning_rate, weight_decay=spec.weight_decay)
    state = TrainingState(parameters, optimizer)
    if context.checkpoint:
        restore_state(state, context.artifacts.fetch(context.checkpoint.artifact))
        context.log(f"resumed at step {state.step}")
    return state


def _step(state: TrainingState, loss: Loss, batch: Sequence[int], spec: TrainSpec, total: int) -> float:
    # LoRA's dropout draws from the global generator: seeded by the step, a resumed run draws the same.
    torch.manual_seed((spec.seed << 24) + state.step)
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(state.step, total, spec)
    state.optimizer.zero_grad(set_to_none=True)
    value = loss(batch)
    value.backward()  # type: ignore[no-untyped-call]
    state.optimizer.step()
    state.step += 1
    return float(value.detach())


def _save(state: TrainingState, context: Context) -> None:
    path: Path = context.workdir / "checkpoint.safetensors"
    save_state(state, path)
    context.save_checkpoint(path, state.step)
    context.log(f"checkpoint at step {state.step}")
