"""Write skbreath/__init__.pyi, after a change of `_PUBLIC`.

Names of ``skbreath`` are looked up when they are first used, which editors and type
checkers cannot follow; the stub tells them where each name comes from.
"""

from pathlib import Path

import skbreath

STUB = Path(skbreath.__file__).with_suffix(".pyi")


def stub():
    """Text of the stub."""
    lines = ["# Written by docs/write_stub.py.", ""]
    for module, names in sorted(skbreath._PUBLIC.items()):
        for name in sorted(names):
            lines.append(f"from .{module} import {name} as {name}")
    return "\n".join([*lines, "", "__version__: str", ""])


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
