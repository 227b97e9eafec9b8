"""The plan of the house, checked: who may import whom, and what stays out of light processes.

The contracts themselves are in `pyproject.toml`; `docs/explanation/architecture.md` explains them.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("access", "registry", "inference", "monitoring", "config", "starter")
LINT = Path(sys.executable).with_name("lint-imports")

# One forbidden import for each contract: the module that has it, the import, how its name begins.
OFFENCES = (
    ("registry/names.py", "import inference.records", "C1: config >"),
    ("starter/train.py", "import registry.names", "C1: the starter's"),
    ("config/worker.py", "import starter.train", "C1: no app imports"),
    ("inference/engine/cost.py", "import django.db", "C2:"),
    ("monitoring/services.py", "def lazy():\n    import torch", "C3: model libraries"),
    ("inference/engine/lane.py", "import inference.metrics", "C3: the engine"),
    ("monitoring/recorder.py", "import inference.service", "C4:"),
    ("registry/admin/acts.py", "import registry.api.views", "C5: views"),
    ("config/startup.py", "import access.models", "C5: rows of access"),
    ("inference/reconciler.py", "import registry.models", "C5: rows of the registry"),
    ("config/planes.py", "import inference.jobs.models", "C5: rows of inference"),
    ("config/schema.py", "import monitoring.models", "C5: rows of monitoring"),
)

LIGHT = """
import sys
import django
django.setup()
from django.core.management import call_command
call_command("check")
import config.urls, config.worker, config.management.commands.serve
heavy = ("torch", "transformers", "onnxruntime", "openvino", "ray")
print("loaded:", [name for name in heavy if name in sys.modules])
"""


def test_every_contract_is_kept() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_contract_can_break(tmp_path: Path) -> None:
    copy_skeleton(tmp_path)
    for module, line, _ in OFFENCES:
        with (tmp_path / module).open("a") as file:
            file.write(f"{line}\n")
    broken = [line for line in lint(tmp_path).stdout.splitlines() if " BROKEN" in line]
    for _, _, name in OFFENCES:
        assert any(line.startswith(name) for line in broken), f"{name} did not see its offence"


def test_each_offence_breaks_a_contract_of_its_own() -> None:
    n_contracts = (ROOT / "pyproject.toml").read_text().count("[[tool.importlinter.contracts]]")
    assert n_contracts == len(OFFENCES)


def test_checks_admin_worker_and_set_up_load_no_model_library(tmp_path: Path) -> None:
    environ = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "BELLWETHER_HOME": str(tmp_path / "home"),
    }
    result = subprocess.run(
        [sys.executable, "-c", LIGHT],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "loaded: []"


def copy_skeleton(target: Path) -> None:
    """Write every module of ours as an empty file, with the one import that a contract excuses."""
    for package in PACKAGES:
        for source in (ROOT / package).rglob("*.py"):
            module = target / source.relative_to(ROOT)
            module.parent.mkdir(parents=True, exist_ok=True)
            module.touch()
    (target / "monitoring/api/classic.py").write_text("import monitoring.api.views.quality\n")
    shutil.copy(ROOT / "pyproject.toml", target)


def lint(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(LINT), "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=60
    )
