"""Tiny real base models."""

from pathlib import Path
from typing import Final

from tests.support.builders.rows import BAD, FILLER, GOOD

TINY_HIDDEN: Final = 32
"""Width of its states."""
TINY_LAYERS: Final = 2


def build_tiny_base(folder: Path) -> Path:
    """A random 2-layer BERT with a tokenizer of its own."""
    import torch
    from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import WordPiece
    from transformers import BertConfig, BertModel

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *GOOD, *BAD, *FILLER]
    words += [piece for letter in letters for piece in (letter, f"##{letter}") if piece not in words]
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    # As MiniLM's file: it brings truncation and padding of its own, which must not be used.
    tokenizer.enable_truncation(12)
    tokenizer.enable_padding(length=12)
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=TINY_HIDDEN,
        num_hidden_layers=TINY_LAYERS,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.3,  # far from the identity, so that a wrong layer or a lost update shows in the logits
    )
    BertModel(config).save_pretrained(folder)
    return folder


def build_tiny_roberta(folder: Path, like: Path) -> Path:
    """A random RoBERTa with the tokenizer of another base: of its 66 positions padding takes two."""
    from transformers import RobertaConfig, RobertaModel

    config = RobertaConfig(
        vocab_size=100,
        hidden_size=TINY_HIDDEN,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=66,
    )
    RobertaModel(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes((like / "tokenizer.json").read_bytes())
    return folder
