"""What is asked of datasets and their versions."""

from collections.abc import Iterator
from uuid import UUID

from controlplane.client.part import Part
from schemas.views.datasets import DatasetVersionView, DatasetView


class Datasets(Part):
    def list_datasets(self) -> Iterator[DatasetView]:
        return self._api.pages(DatasetView, "/v1/datasets")

    def list_dataset_versions(self, name: str) -> Iterator[DatasetVersionView]:
        return self._api.pages(DatasetVersionView, f"/v1/datasets/{name}/versions")

    def get_dataset_version(self, reference: UUID | str) -> DatasetVersionView:
        """By id, `reviews/3` or `reviews@latest`."""
        return self._api.get(DatasetVersionView, f"/v1/dataset-versions/{reference}")
