"""The cache of compiled kernels: a kernel edited in any room of the package is compiled anew."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

EDIT_EACH = """
import json, sys
from pathlib import Path
import heatpg.tools.kernels as kernels

package = Path(kernels.__file__).parents[1]
assert package == Path(sys.argv[1]) / "heatpg", package
before = kernels._source_digest()
named = kernels.cache_folder().name
changed = {}
for path in sorted([*package.rglob("*.py"), *(package / "solvers").glob("*.py")]):
    text = path.read_bytes()
    path.write_bytes(text + b"\\n# edited\\n")
    changed[path.relative_to(package).as_posix()] = kernels._source_digest() != before
    path.write_bytes(text)
print(json.dumps({"before": before, "named": named, "again": kernels._source_digest(), "changed": changed}))
"""


def test_the_cache_folder_is_named_by_the_kernels_of_every_room(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "heatpg", tmp_path / "heatpg", symlinks=True, ignore=ignored)
    shutil.copytree(ROOT / "solvers", tmp_path / "solvers", ignore=ignored)
    done = subprocess.run(
        [sys.executable, "-c", EDIT_EACH, str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "HEATPG_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["named"] == f"kernels-{found['before']}"
    assert found["again"] == found["before"]
    sources = {name: (tmp_path / "heatpg" / name).read_text(encoding="utf-8") for name in found["changed"]}
    holding = {name for name, text in sources.items() if "@kernel" in text}
    assert {name for name, changed in found["changed"].items() if changed} == holding
    assert {name.split("/")[0] for name in holding} >= {"core", "scalespace", "solvers", "store", "systems", "tools"}
