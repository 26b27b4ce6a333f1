"""A classifier under attack: the less its row's label scores, the nearer it is to a wrong answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.jobs.attack import AttackSpec
from schemas.model.identity import ModelIdentity
from workers.base.arrays import Logits
from workers.base.tokenizer import TextTokenizer
from workers.data.rows import Row, TextLabel
from workers.graph.files import GraphFiles
from workers.graph.session import GraphSession
from workers.tasks.target import Operator, Reply
from workers.tasks.text_classification.answer import answer_of
from workers.tasks.text_classification.rows import check_labels

_VERSION: Final = "attacked"


def check(rows: Sequence[Row], spec: AttackSpec, where: str) -> None:
    check_labels(_labelled(rows), spec.model_version.identity.classification.labels, where)


def is_answerable(row: Row, identity: ModelIdentity) -> bool:
    """A label that the version does not know it cannot answer."""
    return row.label in identity.classification.labels


@dataclass(frozen=True)
class ClassifierQuestion:
    target: "ClassifierTarget"
    text: str
    tail: str
    expected: str
    original: Reply

    def ask(self, texts: Sequence[str]) -> list[Reply]:
        logits = self.target.logits([text + self.tail for text in texts])
        return [self.target.reply(one, self.expected) for one in logits]


class ClassifierTarget:
    def __init__(self, graph: GraphFiles, identity: ModelIdentity) -> None:
        self._labels = identity.classification.labels
        self._tokenizer = TextTokenizer(graph.tokenizer, identity.max_length)
        self._session = GraphSession(graph.base_graph, graph.tokenizer, identity.max_length)
        self._session.load(_VERSION, graph.adapter)

    def questions(self, rows: Sequence[Row], operators: Sequence[Operator]) -> list[ClassifierQuestion]:
        labelled = _labelled(rows)
        parts = [divide(row.text, self._tokenizer.characters_read(row.text)) for row in labelled]
        logits = self.logits([row.text for row in labelled])
        return [
            ClassifierQuestion(self, read, tail, row.label, self.reply(one, row.label))
            for row, (read, tail), one in zip(labelled, parts, logits, strict=True)
        ]

    def logits(self, texts: Sequence[str]) -> Logits:
        return self._session.logits(texts, _VERSION)

    def reply(self, logits: Logits, label: str) -> Reply:
        found = answer_of(logits, self._labels)
        return Reply(found.label, found.label == label, damage=1 - found.scores[label])


def open_target(graph: GraphFiles, identity: ModelIdentity, spec: AttackSpec) -> ClassifierTarget:
    return ClassifierTarget(graph, identity)


def divide(text: str, characters_read: int) -> tuple[str, str]:
    """The words that the model reads, the last one whole though only its start may be read, and the rest."""
    end = characters_read
    while 0 < end < len(text) and not text[end].isspace():
        end += 1
    return text[:end], text[end:]


def _labelled(rows: Sequence[Row]) -> list[TextLabel]:
    return [row for row in rows if isinstance(row, TextLabel)]
