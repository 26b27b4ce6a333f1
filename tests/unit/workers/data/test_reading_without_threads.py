"""A process that reads rows starts no thread of Arrow's: one still starting while a short process ends aborts it."""

import subprocess
import sys

import pytest

from schemas.data.rows import ROW_SCHEMAS
from tests.support.curation import a_row
from tests.support.processes import ROOT
from tests.support.workbench import Workbench
from workers.data.parts import write_parts

BEGIN = """
import sys
from pathlib import Path
import pyarrow.parquet
from controlplane.cli.verbs.stored_rows import StoredRows
from schemas.artifacts import ArtifactRef
from schemas.data.manifest import DatasetPart
from workers.data.parts import read_part
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.linux import thread_count
part, url, cache = DatasetPart.model_validate_json(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
before = thread_count()
"""
END = """
print(thread_count() - before, table.num_rows)
"""
READERS = {
    "a worker": "table = read_part(part, ArtifactStore(url, cache), ['text', 'label'], 'mood/1')",
    "the command line": "table = StoredRows(url)._table(part.artifact, ['text', 'label'])",
    "pyarrow as it comes": "table = pyarrow.parquet.read_table(ArtifactStore(url, cache).fetch(part.artifact))",
}


@pytest.mark.parametrize("reader", READERS)
def test_threads_that_reading_a_part_starts(reader: str, bench: Workbench) -> None:
    rows = [a_row(str(number), "a", None, str(number)) for number in range(120)]
    (part,) = write_parts(
        {"train": rows, "validation": [], "test": []}, ROW_SCHEMAS["text_label"], bench.artifacts, bench.root
    )
    told = [part.model_dump_json(), (bench.root / "artifacts").as_uri(), str(bench.root / "cache")]
    script = BEGIN + READERS[reader] + END
    done = subprocess.run([sys.executable, "-c", script, *told], cwd=ROOT, capture_output=True, text=True, check=True)
    threads, read = map(int, done.stdout.split())
    assert read == 120
    assert (threads > 0) == (reader == "pyarrow as it comes"), "the last shows that threads would be seen"
