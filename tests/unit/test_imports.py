"""The package mirrors the book: three parts on one ground floor, and no import against that order."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import lecture_utils

ROOT = Path(lecture_utils.__file__).parent
PARTS = ("generation", "super_resolution", "style_transfer")


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(file): file for file in sorted(ROOT.rglob("*.py"))}


def imports(source: str) -> set[str]:
    """Return the package's modules that this source imports, wherever in it, without the prefix."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute in this package"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [
                n if n.removeprefix("lecture_utils.") in MODULES else node.module for n in whole
            ]
        else:
            continue
        found |= {n.partition(".")[2] for n in names if n.partition(".")[0] == "lecture_utils"}
    return found


def home(module: str) -> tuple[str, str]:
    """Return the storey of a module (ground, part, recipes, top) and the part that it belongs to."""
    words = module.split(".")
    if words[0] in PARTS:
        return "part", words[0]
    if words[0] == "recipes":
        return "recipes", words[1] if len(words) > 1 else ""
    return ("top" if words[0] in {"assignments", "cli", "__main__"} else "ground"), ""


def offence(importer: str, imported: str) -> str:
    """Say what is wrong with an import; nothing where it is allowed."""
    (storey, part), (other_storey, other_part) = home(importer), home(imported)
    heights = {"ground": 0, "part": 1, "recipes": 2, "top": 3}
    if heights[other_storey] > heights[storey]:
        return f"lecture_utils.{importer} imports {imported}, which stands above it"
    if part and other_part and part != other_part:
        return f"lecture_utils.{importer} imports {imported}, of another part: move it down"
    if ".plots" in imported and ".plots" not in importer:
        return f"lecture_utils.{importer} imports the drawing {imported}, which is for pages only"
    return ""


def test_no_import_goes_upward_or_into_another_part():
    edges = [(a, b) for a, file in MODULES.items() for b in imports(file.read_text())]
    assert len(edges) > 50
    assert not [text for edge in edges if (text := offence(*edge))]


def test_no_module_imports_itself_through_others():
    graph = {
        name: imports(file.read_text()) & set(MODULES) - {name} for name, file in MODULES.items()
    }
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for other in graph[name]:
                walk(other, (*path, name))
            done.add(name)

    for name in graph:
        walk(name, ())


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("training", "super_resolution.srcnn"),
        ("super_resolution.training", "recipes"),
        ("generation.gaussian", "super_resolution.degrade"),
        ("recipes.generation.gaussian_celeba64", "super_resolution.training"),
        ("super_resolution.srcnn", "super_resolution.plots.srcnn"),
        ("data.loaders", "cli"),
    ],
)
def test_the_rules_notice_an_offence(importer, imported):
    assert offence(importer, imported)


def test_every_module_of_the_parts_is_in_a_known_place():
    assert {name.split(".")[0] for name in MODULES if (ROOT / name.split(".")[0]).is_dir()} <= {
        "", "assignments", "checkpoints", "data", "recipes", *PARTS,
    }  # fmt: skip
