"""Wheels that weigh nothing, for tests of what is installed: each has a pinned library's name and version, and one of
them leads to where this Python has the libraries. So pip does all that it does elsewhere, without a network.
"""

from __future__ import annotations

import sysconfig
import zipfile


def wheelhouse(folder, requirements):
    """A folder with a wheel for each line `name==version`; pip's variables that make it the only place to look."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, line in enumerate(requirements.split()):
        name, version = line.split("==")
        stem = f"{name.replace('-', '_')}-{version}"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        files = {"METADATA": metadata, "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
        with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
            for file, content in files.items():
                wheel.writestr(f"{stem}.dist-info/{file}", content)
            record = [f"{stem}.dist-info/{file},," for file in (*files, "RECORD")]
            if number == 0:
                wheel.writestr("libraries.pth", sysconfig.get_path("purelib") + "\n")
                record.append("libraries.pth,,")
            wheel.writestr(f"{stem}.dist-info/RECORD", "\n".join(record) + "\n")
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": "/dev/null"}
