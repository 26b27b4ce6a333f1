"""A tiny real decoder with a tokenizer and a chat template, and rows whose completions are planted."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.support.builders.rows import BAD, FILLER, GOOD
from workers.data.rows import Messages, PromptCompletion

END: Final = "<|im_end|>"
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + eos_token + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL: Final = ("<pad>", "<|im_start|>", END, "[UNK]")
ANSWERS: Final = {"good": GOOD, "bad": BAD}
WORDS: Final = (*SPECIAL, "system", "user", "assistant", "film", "is", "rate", "why", *ANSWERS, *GOOD, *BAD, *FILLER)
VOCABULARY: Final = {word: number for number, word in enumerate(dict.fromkeys(WORDS))}


def build_tiny_decoder(folder: Path, **config: Any) -> Path:
    """A random 2-layer Llama that knows words; `config` is Llama's own."""
    import torch
    from tokenizers import AddedToken, Tokenizer, pre_tokenizers
    from tokenizers.models import WordLevel
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = Tokenizer(WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    said = {"chat_template": CHAT_TEMPLATE, "eos_token": END, "pad_token": {"content": "<pad>"}}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "vocab_size": len(VOCABULARY),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "initializer_range": 0.2,
        "bos_token_id": None,
        "eos_token_id": VOCABULARY[END],
        "pad_token_id": VOCABULARY["<pad>"],
    }
    LlamaForCausalLM(LlamaConfig(**sizes | config)).save_pretrained(folder)
    return folder


def planted_completions(count: int, seed: int = 0) -> list[PromptCompletion]:
    """Prompts with three telling words, and completions of two words that follow from them."""
    return [PromptCompletion(prompt, f"film {answer}") for prompt, answer in _planted(count, seed)]


def planted_conversations(count: int, seed: int = 0) -> list[Messages]:
    """Two turns of the assistant each: the first is planted, the second says it again."""
    return [
        Messages(
            [
                {"role": "user", "content": prompt},
                {"role": "assistant", "content": f"film {answer}"},
                {"role": "user", "content": "why"},
                {"role": "assistant", "content": f"it is {answer}"},
            ]
        )
        for prompt, answer in _planted(count, seed)
    ]


def _planted(count: int, seed: int) -> Sequence[tuple[str, str]]:
    generator = random.Random(seed)
    found = []
    for number in range(count):
        answer = tuple(ANSWERS)[number % 2]
        words = generator.choices(FILLER, k=generator.randint(1, 4)) + generator.choices(ANSWERS[answer], k=3)
        generator.shuffle(words)
        found.append((" ".join(words), answer))
    return found
