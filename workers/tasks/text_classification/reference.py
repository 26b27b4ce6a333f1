"""A classifier in PyTorch, its change folded into its base: what a served graph has to answer alike."""

from workers.adapters.files import Adapter
from workers.adapters.reference import check_fits, fold
from workers.base.loading import Base
from workers.tasks.text_classification.classifier import Classifier


def reference_classifier(base: Base, adapter: Adapter) -> Classifier:
    """`base`'s network belongs to the answer from now on."""
    check_fits(base, adapter)
    classifier = Classifier(fold(base, adapter), base.feature_size, len(adapter.identity.classification.labels))
    classifier.head.load(adapter.linear_head)
    return classifier.eval()
