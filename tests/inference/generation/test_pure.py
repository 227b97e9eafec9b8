"""The generation package is light: whoever imports it loads no model library."""

import subprocess
import sys
from pathlib import Path

import inference.generation

MODULES = sorted(
    f"inference.generation.{file.stem}"
    for file in Path(inference.generation.__file__).parent.glob("*.py")
    if file.stem != "__init__"
)


def test_importing_it_loads_neither_torch_nor_transformers_nor_django() -> None:
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "print(sorted({'torch', 'transformers', 'tokenizers', 'django'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *MODULES], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
