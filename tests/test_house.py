"""The rules of the house that no type checker sees."""

import ast
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
APPS = ("catalog", "collectivities", "grouped_orders", "librisoft_bridge", "libriweb")
MONEY = {"Payment", "Capture", "Refund", "ProviderEvent"}


def sources() -> list[tuple[str, ast.Module]]:
    files = [path for app in APPS for path in sorted((ROOT / app).rglob("*.py")) if "migrations" not in path.parts]
    return [(str(path.relative_to(ROOT)), ast.parse(path.read_text())) for path in files]


def test_only_lifecycle_assigns_a_status() -> None:
    writers = set()
    for name, tree in sources():
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            if any(isinstance(target, ast.Attribute) and target.attr == "status" for target in targets):
                writers.add(name)
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("update", "bulk_update"):
                writers |= {name for keyword in node.keywords if keyword.arg == "status"}
    assert writers == {"grouped_orders/lifecycle/moving.py"}


def test_only_checkout_creates_money() -> None:
    writers = set()
    for name, tree in sources():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            manager = node.func.value
            creates = node.func.attr in ("create", "get_or_create", "update_or_create", "bulk_create")
            if creates and isinstance(manager, ast.Attribute) and getattr(manager.value, "id", "") in MONEY:
                writers.add(name.rsplit("/", 1)[0])
    assert writers == {"grouped_orders/checkout"}


@pytest.mark.parametrize(
    ("file", "wanted"), [("requirements.txt", ["project"]), ("requirements-dev.txt", ["project", "dev"])]
)
def test_exact_versions_are_those_that_pyproject_allows(file: str, wanted: list[str]) -> None:
    """`make lock` was run after the last change of the dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = {"project": project["project"]["dependencies"], **project["dependency-groups"]}
    pins = [line.split(" ;")[0].rstrip("\\ ") for line in (ROOT / file).read_text().splitlines() if line[:1].isalpha()]
    exact = {canonicalize_name(name): version for name, _, version in (pin.partition("==") for pin in pins)}
    asked = [Requirement(line) for group in wanted for line in groups[group]]
    known = {str(one): exact.get(canonicalize_name(one.name)) for one in asked}
    assert [str(one) for one in asked if (pin := known[str(one)]) is None or pin not in one.specifier] == []


def test_no_file_grows_beyond_400_lines() -> None:
    folders = (*APPS, "dev", "simulators", "templates", "static")
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".html", ".css", ".js") and "migrations" not in path.parts
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}
