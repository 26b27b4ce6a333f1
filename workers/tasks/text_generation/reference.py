"""A decoder in PyTorch, its change folded into its base: what an engine has to answer alike."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from workers.adapters.files import Adapter
from workers.adapters.reference import check_fits, fold
from workers.base.loading import Base
from workers.base.tokenizer import TextTokenizer
from workers.tasks.text_generation.examples import Example
from workers.tasks.text_generation.likelihood import negative_log_likelihoods


class ReferenceDecoder:
    """One version, which is the only one that it knows by name. `base`'s network belongs to it from now on."""

    def __init__(self, base: Base, adapter: Adapter, version: str) -> None:
        check_fits(base, adapter)
        network = fold(base, adapter).eval()
        assert isinstance(network, PreTrainedModel)
        self._network, self._version = network, version
        self._tokenizer = TextTokenizer(base.tokenizer_file, max_length=None)

    def generate(
        self, prompts: Sequence[Sequence[int]], version: str, max_new_tokens: int, stop_ids: Sequence[int]
    ) -> list[list[int]]:
        """One batch, padded on its left. KeyError: it is another version."""
        self._check(version)
        batch = self._tokenizer.pad(prompts, left=True)
        with torch.no_grad():
            found = self._network.generate(  # type: ignore[operator]
                input_ids=torch.from_numpy(batch.input_ids),
                attention_mask=torch.from_numpy(batch.attention_mask),
                max_new_tokens=max_new_tokens,
                eos_token_id=list(stop_ids),
                pad_token_id=stop_ids[0],  # what comes behind an end is cut off with it
                do_sample=False,
                num_beams=1,
                use_cache=True,
            )
        return [_before_its_end(row, stop_ids) for row in found[:, batch.input_ids.shape[1] :].tolist()]

    def log_likelihoods(self, examples: Sequence[Example], version: str) -> list[list[float]]:
        """One batch. KeyError: it is another version."""
        self._check(version)
        with torch.no_grad():
            found = negative_log_likelihoods(self._network, examples, self._tokenizer)
        return [(-row).tolist() for row in found]

    def _check(self, version: str) -> None:
        if version != self._version:
            raise KeyError(version)


def _before_its_end(ids: Sequence[int], stop_ids: Sequence[int]) -> list[int]:
    return list(ids[: next((place for place, token in enumerate(ids) if token in stop_ids), len(ids))])
