"""What TextAttack expects around it, offline: a marker file, NLTK's stopwords, and modules that it never calls."""

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from workers.attack.stopwords import STOPWORDS

# Imported by TextAttack's modules, used by no recipe of ours; their real packages do not resolve beside transformers 5.
STUBS: Final[Mapping[str, tuple[str, ...]]] = {
    "flair": ("device",),
    "flair.data": ("Sentence", "Tokenizer"),
    "flair.models": ("SequenceTagger",),
    "language_tool_python": ("LanguageTool",),
    "jieba": (),
    "pinyin": (),
    "OpenHowNet": (),
    "bert_score": ("BERTScorer",),
}
KEPT_VARIABLES: Final = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "SYSTEMROOT", "TMPDIR")


def prepare(folder: Path) -> dict[str, str]:
    """Lay out `folder` and return the whole environment of the attack's process: it inherits no token of ours."""
    stopwords = folder / "nltk_data" / "corpora" / "stopwords"
    stopwords.mkdir(parents=True, exist_ok=True)
    (stopwords / "english").write_text("\n".join(STOPWORDS.split()) + "\n", encoding="utf-8")
    cache = folder / "textattack"
    cache.mkdir(exist_ok=True)
    # Without this marker the import downloads six NLTK packages.
    (cache / "post_install_check_3").touch()
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return kept | {
        "HOME": str(folder),
        "NLTK_DATA": str(folder / "nltk_data"),
        "TA_CACHE_DIR": str(cache),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        # TextAttack iterates over sets of strings: their order decides which random number meets which word.
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path if path),
    }


def install_stubs() -> None:
    """In the attack's process, before `import textattack`."""
    for name, attributes in STUBS.items():
        if name.partition(".")[0] in _absent():
            stub: Any = ModuleType(name)
            for attribute in attributes:
                # A class, since TextAttack derives one of its own from some of them.
                setattr(stub, attribute, type(attribute, (), {}))
            sys.modules[name] = stub
            parent, _, child = name.rpartition(".")
            if parent:
                setattr(sys.modules[parent], child, stub)
    import nltk

    nltk.download = _download_nothing


def _absent() -> set[str]:
    """Which of the stubbed packages are not installed; a stub of our own counts as absent."""
    roots = {name.partition(".")[0] for name in STUBS}
    return {root for root in roots if root in sys.modules or importlib.util.find_spec(root) is None}


def _download_nothing(*_: object, **__: object) -> bool:
    return False
