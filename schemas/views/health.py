"""What an API says of itself."""

from schemas.base import View


class Info(View):
    version: str
    schema_version: int
    source: str
    mode: str
    artifacts_url: str
