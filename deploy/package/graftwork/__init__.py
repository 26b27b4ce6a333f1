"""Graftwork from Python: `from graftwork import Client`.

>>> with Client("http://127.0.0.1:8700", token) as client:
...     job = client.request_job("evaluate", {"model_version": "sentiment@champion", "dataset": "reviews@latest"})
...     print(client.wait_for_job(job.id).result)

Everything else that an installation brings (`controlplane`, `workers`, `processes`, `schemas`) may change without
notice.
"""

from controlplane.client import ApiError, Client, Gateway, Unreachable

__all__ = ["ApiError", "Client", "Gateway", "Unreachable"]
