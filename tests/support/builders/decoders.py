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


def round_to_int4(folder: Path) -> Path:
    """The decoder in `folder`, with linear layers that int4 holds as they are: in every 32 weights that share a scale,
    multiples of it from -8 to 7."""
    import torch
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(folder)
    for layer in model.modules():
        if isinstance(layer, torch.nn.Linear):
            weights = layer.weight.data
            blocks = weights.reshape(weights.shape[0], -1, 32)
            rounded = (blocks * 16).round().clamp(-8, 7)
            rounded[..., 0] = -8
            layer.weight.data = rounded.reshape(weights.shape) / 16
    model.save_pretrained(folder)
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


def planted_by_a_word(word: str, count: int, seed: int = 0) -> list[PromptCompletion]:
    """Prompts of filler and unknown words: their completions say whether `word` is among them, too."""
    generator = random.Random(seed)
    found = []
    for number in range(count):
        words = generator.sample(("rate", "movie", "plot", "scene", "unheard", "unseen"), k=2 + number % 3)
        answer = tuple(ANSWERS)[number % 2]
        if answer == "good":
            words.insert(generator.randrange(len(words) + 1), word)
        found.append(PromptCompletion(" ".join(words), f"it is {answer}"))
    return found


def teach(base: Path, rows: Sequence[PromptCompletion]) -> None:
    """Every weight of a base learns the rows by heart."""
    import torch
    from transformers import LlamaForCausalLM

    from workers.tasks.text_generation.examples import Format
    from workers.tasks.text_generation.likelihood import negative_log_likelihoods

    network, asked = LlamaForCausalLM.from_pretrained(base), Format(base)
    examples = [asked.example(row) for row in rows]
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(120):
        optimizer.zero_grad()
        torch.cat(negative_log_likelihoods(network, examples, asked.tokenizer)).mean().backward()
        optimizer.step()
    network.save_pretrained(base)


def _planted(count: int, seed: int) -> Sequence[tuple[str, str]]:
    generator = random.Random(seed)
    found = []
    for number in range(count):
        answer = tuple(ANSWERS)[number % 2]
        words = generator.choices(FILLER, k=generator.randint(1, 4)) + generator.choices(ANSWERS[answer], k=3)
        generator.shuffle(words)
        found.append((" ".join(words), answer))
    return found


def build_tiny_gguf(file: Path, folder: Path) -> Path:
    """The random Llama that is saved in `folder` as llama.cpp's converter writes one, with a byte-level tokenizer."""
    import gguf
    import torch
    from tokenizers import pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM

    tokens = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), "th"]
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(tokens),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    writer = gguf.GGUFWriter(str(file), "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_block_count(2)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_rope_dimension_count(8)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(CHAT_TEMPLATE)
    for name, weight in model.state_dict().items():
        writer.add_tensor(_gguf_name(name), _as_llama_cpp_has_it(name, weight.numpy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _gguf_name(name: str) -> str:
    for theirs, ours in (
        ("model.embed_tokens", "token_embd"), ("model.layers", "blk"), ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"), ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"), ("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm"),
    ):  # fmt: skip
        name = name.replace(theirs, ours)
    return name


def _as_llama_cpp_has_it(name: str, weight: Any) -> Any:
    """Its rotary embedding turns neighbours, so rows of queries and keys lie in another order."""
    heads = 4 if "q_proj" in name else 2 if "k_proj" in name else None
    if heads is None:
        return weight
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)
