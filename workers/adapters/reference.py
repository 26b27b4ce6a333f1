"""A version in PyTorch, its change folded into its base: what a served graph has to answer alike."""

from workers.adapters.files import Adapter
from workers.adapters.forms.low_rank import modules as low_rank
from workers.base.loading import Base
from workers.runtime.errors import JobError
from workers.tasks.text_classification.classifier import Classifier


def reference_classifier(base: Base, adapter: Adapter) -> Classifier:
    """`base`'s encoder belongs to the answer from now on."""
    check_fits(base, adapter)
    encoder = low_rank.fold(base.encoder, adapter.change)
    classifier = Classifier(encoder, base.feature_size, len(adapter.identity.task.labels))
    classifier.head.load(adapter.head)
    return classifier.eval()


def check_fits(base: Base, adapter: Adapter) -> None:
    """An adapter of another base, or of other shapes, is refused with the difference."""
    if (made_for := adapter.identity.base.digest) != base.digest:
        raise JobError(f"the adapter was made for base {made_for}, this base is {base.digest}")
    if adapter.head.weight.shape[1] != base.feature_size:
        raise JobError(
            f"the adapter's head takes {adapter.head.weight.shape[1]} features, this base gives {base.feature_size}"
        )
    low_rank.check_fits(base, adapter.change)
