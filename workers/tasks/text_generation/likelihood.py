"""How likely a decoder takes each token of a completion to be, in PyTorch: what training makes greater."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from workers.base.tokenizer import TextTokenizer
from workers.tasks.text_generation.examples import Example


def negative_log_likelihoods(network: nn.Module, examples: Sequence[Example], tokenizer: TextTokenizer) -> list[Tensor]:
    """For each example those of its learnt tokens, in order. Unit: nats."""
    batch = tokenizer.pad([example.ids for example in examples])
    ids, mask = torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask)
    learnt = torch.zeros_like(ids, dtype=torch.bool)
    for row, example in enumerate(examples):
        learnt[row, : len(example)] = torch.tensor(example.learnt)
    learnt[:, 0] = False  # nothing stands before the first token that could foretell it
    foretelling = torch.zeros_like(learnt)
    foretelling[:, :-1] = learnt[:, 1:]
    logits = logits_at(network, ids, mask, foretelling)
    found = cross_entropy(logits, ids[learnt], reduction="none")
    return list(torch.split(found, learnt.sum(dim=1).tolist()))


def logits_at(network: Any, ids: Tensor, mask: Tensor, places: Tensor) -> Tensor:
    """Logits at the chosen places alone, [places, vocabulary]: all of them cost a fifth of a small decoder's step."""
    with _given_states_at(network.get_output_embeddings(), places):
        logits: Tensor = network(input_ids=ids, attention_mask=mask, use_cache=False).logits[0]
    return logits


@contextmanager
def _given_states_at(head: nn.Module, places: Tensor) -> Iterator[None]:
    """The network's own forward pass, so that whatever it does behind its head is done here too."""
    hook = head.register_forward_pre_hook(lambda module, inputs: (inputs[0][places].unsqueeze(0),))
    try:
        yield
    finally:
        hook.remove()
