"""What results of several kinds have in common."""

from schemas.artifacts import ArtifactRef, Digest, FeatureRecipe, Name, SourceUri, TargetModule
from schemas.base import Tolerant


class VersionResult(Tolerant):
    """What every job that makes a model version answers."""

    model: Name
    adapter: ArtifactRef
    base_model: SourceUri
    base_digest: Digest
    feature_recipe: FeatureRecipe
    target_modules: tuple[TargetModule, ...]
    head_digest: Digest
    labels: tuple[str, ...]
    max_length: int
