"""The notebook standard of CONTRIBUTING.md, as far as a program can check it.

Each check takes a section and returns a list of problems, each a sentence; an empty list is good.
"""

from __future__ import annotations

import ast
import csv
import difflib
import json
import re
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))

from set_repository import CONSTANT, setup_cell  # noqa: E402 - the folder above is named first

BOOK = ROOT / "book"
QUIZZES = ROOT / "lecture_utils" / "quizzes"

WORDS = (1500, 4500)
CODE_CELLS = (10, 34)
MEDIAN_LINES = 14
LONGEST_CELL = 40
WIDTH = 79  # characters that a page's column shows
CHECKED_TAG = "nbval-check-output"
EXPLORERS = {"slider", "slider_grid", "linear_combination"}

FENCE = re.compile(r"(?P<fence>`{3,}|:{3,}|~{3,})")
CITE = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")


@dataclass(frozen=True)
class Section:
    """A section of the book: its name (``generation/gaussian_model``) and its notebook."""

    name: str
    notebook: dict[str, Any]
    book: Path = BOOK
    quizzes: Path = QUIZZES

    @classmethod
    def read(cls, path: Path) -> Section:
        """Read a notebook below the book's folder."""
        name = path.relative_to(BOOK).with_suffix("").as_posix()
        return cls(name, json.loads(path.read_text("utf-8")))

    @cached_property
    def code(self) -> list[dict[str, Any]]:
        """The code cells."""
        return [c for c in self.notebook["cells"] if c["cell_type"] == "code"]

    @cached_property
    def markdown(self) -> str:
        """All Markdown cells, joined by empty lines."""
        cells = [c for c in self.notebook["cells"] if c["cell_type"] == "markdown"]
        return "\n\n".join(source(c) for c in cells)

    @cached_property
    def tree(self) -> ast.Module:
        """The code of all cells in order, as one module, without the lines of IPython magic."""
        lines = []
        for cell in self.code:
            for line in source(cell).splitlines():
                magic = line.lstrip().startswith(("%", "!"))
                lines.append(re.sub(r"\S.*", "pass", line) if magic else line)
        return ast.parse("\n".join(lines))

    @cached_property
    def names(self) -> dict[str, ast.expr]:
        """Names that are assigned once, with what is assigned."""
        found: dict[str, list[ast.expr]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found.setdefault(node.targets[0].id, []).append(node.value)
        return {name: values[0] for name, values in found.items() if len(values) == 1}

    def calls(self, *functions: str) -> Iterator[ast.Call]:
        """Yield calls of these functions of the package, by name or as ``show.name``."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func).removeprefix("lecture_utils.")
                if called.removeprefix("show.").removeprefix("explore.") in functions:
                    yield node

    def text(self, node: ast.expr | None) -> str | None:
        """Return the string that an expression writes, with {} for what is computed; else None."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        if isinstance(node, ast.JoinedStr):
            return "".join(self.text(part) or "{}" for part in node.values)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self.text(node.left), self.text(node.right)
            return None if left is None or right is None else left + right
        if isinstance(node, ast.Name) and node.id in self.names:
            value = self.names[node.id]
            return None if isinstance(value, ast.Name) else self.text(value)
        return None

    def argument(self, call: ast.Call, position: int | None, keyword: str) -> str | None:
        """Return the string given for an argument, or None if there is none to be read."""
        for given in call.keywords:
            if given.arg == keyword:
                return self.text(given.value)
        if position is not None and position < len(call.args):
            return self.text(call.args[position])
        return None


def source(cell: dict[str, Any]) -> str:
    """Return a cell's source as one string."""
    text: str | list[str] = cell["source"]
    return text if isinstance(text, str) else "".join(text)


def lines_of_code(cell: dict[str, Any]) -> int:
    """Return the number of lines that are not blank."""
    return sum(1 for line in source(cell).splitlines() if line.strip())


def prose(markdown: str) -> str:
    """Return the text without code, formulas, HTML, directives' options and addresses of links."""
    kept: list[str] = []
    code = ""  # the fence that ends the listing which this line is part of
    directives: list[str] = []  # the fences that end the directives which this line is part of
    for line in markdown.splitlines():
        fence = FENCE.match(line)
        if code:
            code = "" if line.strip() == code else code
        elif directives and line.strip() == directives[-1]:
            directives.pop()
        elif fence and _holds_prose(line):
            directives.append(fence["fence"])
        elif fence:
            code = fence["fence"]
        elif not re.match(r"\s*:[\w-]+:", line):
            kept.append(line)
    text = "\n".join(kept)
    text = re.sub(r"\$\$.*?\$\$", " ", text, flags=re.DOTALL)
    text = re.sub(r"\$[^$\n]+\$", " x ", text)
    text = re.sub(r"<[^>]+>|\]\([^)]*\)|^\([\w-]+\)=$", " ", text, flags=re.MULTILINE)
    return re.sub(r"[|#*>]|:?-{3,}:?", " ", text)


def _holds_prose(line: str) -> bool:
    """Tell whether a fence opens a directive whose content is read, such as an exercise."""
    return bool(re.match(r"[`:]{3,}\{(?!code|math|mermaid|bibliography)[\w:-]+\}", line))


def check_prose(section: Section) -> list[str]:
    """Enough to explain the method, and not more than one sitting."""
    words = len(prose(section.markdown).split())
    low, high = WORDS
    if low <= words <= high:
        return []
    return [f"The section has {words} words of prose; it needs {low} to {high}."]


def check_setup(section: Section) -> list[str]:
    """A title and an opening come first, then the common set-up cell, then ``run = start(...)``."""
    problems = []
    cells = section.notebook["cells"]
    if not cells or cells[0]["cell_type"] != "markdown" or not source(cells[0]).startswith("# "):
        problems.append("The first cell is not Markdown with the section's title ('# ...').")
    before = [c for c in cells[: _first_code(cells)] if c["cell_type"] == "markdown"]
    words = sum(len(prose(source(c)).split()) for c in before)
    if words < 100:
        problems.append(f"The opening before the first code has {words} words; it needs 100.")
    first = source(section.code[0]) if section.code else ""
    address = CONSTANT.search(first)
    if not address or first != setup_cell(address["address"]):
        problems.append(
            "The first code cell is not the common set-up cell. If it sets REPOSITORY, "
            "`make repository URL=...` with the same address writes it; else copy it from another "
            "notebook."
        )
    starts = [
        node
        for node in ast.walk(section.tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "start"
    ]
    if len(starts) != 1:
        problems.append(f"`run = start(...)` stands {len(starts)} times; it must stand once.")
    return problems


def _first_code(cells: list[dict[str, Any]]) -> int:
    """Return the index of the first code cell."""
    kinds = [c["cell_type"] for c in cells]
    return kinds.index("code") if "code" in kinds else len(kinds)


def check_equations(section: Section) -> list[str]:
    """Formulas that are used again are numbered, and referred to."""
    labels = re.findall(r"\$\$[ \t]*\(([\w:-]+)\)", section.markdown)
    directives = re.findall(r"^[`:]{3,}\{math\}\s*\n(?::.*\n)*", section.markdown, re.MULTILINE)
    labels += [m for d in directives for m in re.findall(r":label:\s*(\S+)", d)]
    problems = []
    if not labels:
        problems.append("No equation is numbered; write $$ ... $$ (eq-name).")
    if len(set(labels)) < len(labels):
        twice = sorted({label for label in labels if labels.count(label) > 1})
        problems.append(f"These equation labels stand twice: {', '.join(twice)}.")
    if labels and not re.search(r"\{(?:eq|math:numref)\}`", section.markdown):
        problems.append("No numbered equation is referred to; write {eq}`eq-name`.")
    return problems


def check_cells(section: Section) -> list[str]:
    """Code comes in small steps."""
    lengths = [lines_of_code(c) for c in section.code] or [0]
    problems = []
    low, high = CODE_CELLS
    if not low <= len(section.code) <= high:
        problems.append(f"There are {len(section.code)} code cells; {low} to {high} are allowed.")
    if statistics.median(lengths) > MEDIAN_LINES:
        median = statistics.median(lengths)
        problems.append(f"The median code cell has {median:g} lines; at most {MEDIAN_LINES}.")
    for cell in section.code:
        if lines_of_code(cell) > LONGEST_CELL:
            first = source(cell).strip().splitlines()[0]
            problems.append(
                f"The cell that starts with {first!r} has {lines_of_code(cell)} lines; "
                f"at most {LONGEST_CELL}. Divide it, or move a part to lecture_utils."
            )
    return problems


def check_width(section: Section) -> list[str]:
    """No line of code or of stored text is cut by the page's column."""
    problems = []
    for cell in section.code:
        stored = [str("".join(o.get("text", ""))) for o in cell.get("outputs", [])]
        for line in "\n".join([source(cell), *stored]).splitlines():
            if len(line) > WIDTH:
                problems.append(
                    f"A line has {len(line)} characters: {line.strip()!r}. At most {WIDTH} are "
                    "seen without scrolling; break it."
                )
    return problems


def check_portability(section: Section) -> list[str]:
    """No device by name and no path of one machine."""
    problems = []
    for node in ast.walk(section.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if re.fullmatch(r"cpu|mps|cuda(:\d+)?", node.value):
                problems.append(f"The device {node.value!r} is named; use run.device.")
            if re.match(r"/[A-Za-z]|~/|[A-Za-z]:[\\/]", node.value):
                problems.append(f"The absolute path {node.value!r} is in the code.")
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".cuda"):
            problems.append("`.cuda()` is called; use `.to(run.device)`.")
    for path in re.findall(r"(?<![\w.:/])/(?:home|root|Users|tmp|mnt|usr)/\S*", section.markdown):
        problems.append(f"The absolute path {path!r} is in the prose.")
    return problems


def figure_ids(book: Path = BOOK) -> dict[str, str]:
    """Return the lecture's figures: id to section."""
    with (book / "figures.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["section"] for row in csv.DictReader(file)}


def check_figures(section: Section) -> list[str]:
    """Every figure of the section is made, once, with a caption and a text alternative."""
    known = figure_ids(section.book)
    wanted = {key for key, owner in known.items() if owner == section.name}
    problems, made = [], []
    for call in section.calls("figure"):
        key = section.argument(call, 0, "id")
        if key is None:
            problems.append("A figure's id is not written as a string in the call of figure().")
            continue
        made.append(key)
        if key not in known:
            problems.append(f"The figure {key!r} is not in book/figures.csv.")
        elif key not in wanted:
            problems.append(f"The figure {key!r} belongs to {known[key]} (book/figures.csv).")
        caption = section.argument(call, 1, "caption")
        alt = section.argument(call, 2, "alt")
        problems += _described(f"figure {key!r}", caption, alt)
    problems += [f"The figure {key!r} is not made." for key in sorted(wanted - set(made))]
    twice = sorted({key for key in made if made.count(key) > 1})
    problems += [f"The figure {key!r} is made {made.count(key)} times." for key in twice]
    return problems


def _described(what: str, caption: str | None, alt: str | None) -> list[str]:
    """Caption and text alternative are there, say something, and differ."""
    problems = []
    for name, words in (("caption", caption), ("text alternative", alt)):
        if words is None:
            problems.append(f"The {name} of {what} is not a string in the call.")
        elif len(words.split()) < 6:
            problems.append(f"The {name} of {what} is too short to say anything: {words!r}.")
    if caption and alt:
        same = difflib.SequenceMatcher(None, caption.lower(), alt.lower(), autojunk=False).ratio()
        if same > 0.9:
            problems.append(f"The text alternative of {what} is its caption again.")
    return problems


def check_early_result(section: Section) -> list[str]:
    """The reader sees what the section arrives at before its theory."""
    shows = re.compile(rf"\b(?:figure|grid|comparison|{'|'.join(sorted(EXPLORERS))})\(")
    for cell in section.notebook["cells"]:
        text = source(cell)
        if cell["cell_type"] == "code" and shows.search(text):
            return []
        if cell["cell_type"] == "markdown" and re.search(r"^## ", text, re.MULTILINE):
            break
    return [
        "No figure and no explorer stands before the first heading below the title. Show there "
        "what the section arrives at, made with what is shipped."
    ]


def check_path(section: Section) -> list[str]:
    """Whoever has 40 minutes knows what to read and to skip, and a lecturer what to show."""
    opening = re.split(r"^## ", section.markdown, maxsplit=1, flags=re.MULTILINE)[0]
    paths = re.findall(r"^\*\*In 40 minutes\.\*\*(?:.+\n?)+", opening, re.MULTILINE)
    if len(paths) != 1:
        return [
            f"{len(paths)} paragraphs before the first heading below the title start with "
            "'**In 40 minutes.**'; there must be one."
        ]
    text = " ".join(paths[0].split())
    problems = [
        f"The path of 40 minutes has no sentence that starts with {start!r}."
        for start in ("Read ", "Skip ", "In a lecture, ")
        if f". {start}" not in text and f".** {start}" not in text
    ]
    headings = {h.strip() for h in re.findall(r"^#{2,} (.+)$", section.markdown, re.MULTILINE)}
    named = re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text)
    if len(named) < 2:
        problems.append(f"The path of 40 minutes names {len(named)} headings, as *Heading*.")
    problems += [
        f"The path of 40 minutes names {name!r}, which is no heading of the section."
        for name in named
        if name not in headings
    ]
    return problems


def check_explorers(section: Section) -> list[str]:
    """There is something to move, described like a figure."""
    calls = list(section.calls(*EXPLORERS))
    problems = []
    if not calls:
        problems.append(f"There is no explorer; call one of {', '.join(sorted(EXPLORERS))}.")
    for number, call in enumerate(calls, 1):
        caption = section.argument(call, None, "caption")
        alt = section.argument(call, None, "alt")
        problems += _described(f"explorer {number}", caption, alt)
    return problems


def check_quiz(section: Section) -> list[str]:
    """At least three questions, each wrong answer with its reason, shown by one call."""
    path = section.quizzes / f"{section.name}.json"
    shown = [section.argument(call, 0, "section") for call in section.calls("quiz")]
    problems = []
    if shown != [section.name]:
        problems.append(
            f"The calls of show.quiz() name {shown}; there must be one, of {section.name!r}."
        )
    if not path.is_file():
        return [*problems, f"The quiz lecture_utils/quizzes/{section.name}.json is missing."]
    questions = json.loads(path.read_text("utf-8"))
    if len(questions) < 3:
        problems.append(f"The quiz has {len(questions)} questions; it needs 3.")
    for question in questions:
        problems += _question(question)
    return problems


def _question(question: dict[str, Any]) -> list[str]:
    """Check one question of jupyterquiz."""
    asked = str(question.get("question", "")).strip()
    answers = question.get("answers") or []
    kind = question.get("type")
    right = [a for a in answers if a.get("correct")]
    problems = []
    if not asked:
        problems.append("A quiz question is empty.")
    if kind not in {"multiple_choice", "many_choice", "numeric"}:  # what the page can show
        problems.append(f"The quiz question {asked!r} has the unknown type {kind!r}.")
    if not right:
        problems.append(f"The quiz question {asked!r} has no right answer.")
    if kind == "multiple_choice" and len(right) > 1:
        problems.append(f"The quiz question {asked!r} has {len(right)} right answers; use one.")
    if kind in {"multiple_choice", "many_choice"} and len(answers) < 2:
        problems.append(f"The quiz question {asked!r} has {len(answers)} answers to choose from.")
    for answer in answers:
        if not answer.get("correct") and not str(answer.get("feedback", "")).strip():
            named = answer.get("answer", answer.get("value", answer.get("type")))
            problems.append(f"The wrong answer {named!r} to {asked!r} has no feedback.")
    return problems


def check_exercises(section: Section) -> list[str]:
    """At least two exercises, each with a solution that is folded away."""
    exercises = _directives(section.markdown, "exercise")
    solutions = _directives(section.markdown, "solution")
    labels = [options.get("label", "") for _, options in exercises]
    solved = dict(solutions)
    problems = []
    if len(exercises) < 2:
        problems.append(f"There are {len(exercises)} exercises; the section needs 2.")
    for label in labels:
        if not label:
            problems.append("An exercise has no label.")
        elif label not in solved:
            problems.append(f"The exercise {label!r} has no solution.")
        elif "dropdown" not in solved[label].get("class", "").split():
            problems.append(f"The solution of {label!r} is not folded (':class: dropdown').")
    return problems


def _directives(markdown: str, name: str) -> list[tuple[str, dict[str, str]]]:
    """Return argument and options of every directive of this name, gated (-start) or not."""
    opening = rf"^[ \t]*[`:]{{3,}}\{{{name}(?:-start)?\}}[ \t]*(?P<argument>.*)\n"
    pattern = re.compile(opening + r"(?P<options>(?:[ \t]*:[\w-]+:.*\n)*)", re.MULTILINE)
    found = []
    for match in pattern.finditer(markdown + "\n"):
        options = dict(re.findall(r":([\w-]+):[ \t]*(.*)", match["options"]))
        found.append((match["argument"].strip(), options))
    return found


def check_outputs(section: Section) -> list[str]:
    """Cells that are compared keep their text; all others keep nothing."""
    problems = []
    compared = 0
    for cell in section.code:
        first = (source(cell).strip().splitlines() or [""])[0]
        outputs = cell.get("outputs", [])
        if CHECKED_TAG not in cell.get("metadata", {}).get("tags", []):
            if outputs:
                problems.append(f"The cell that starts with {first!r} keeps its outputs.")
            if cell.get("execution_count") is not None:
                problems.append(f"The cell that starts with {first!r} keeps its execution count.")
            continue
        kinds = {key for output in outputs for key in output.get("data", {})}
        if any(output["output_type"] == "error" for output in outputs):
            problems.append(f"The cell that starts with {first!r} stores an error.")
        elif not _stored_text(outputs):
            problems.append(f"The compared cell that starts with {first!r} stores no text.")
        elif cell.get("execution_count") is None:
            problems.append(
                f"The compared cell that starts with {first!r} has no execution count; "
                "nbval takes it for a cell that was never run."
            )
        elif kinds - {"text/plain"}:
            problems.append(f"The compared cell that starts with {first!r} stores {sorted(kinds)}.")
        else:
            compared += 1
    if compared < 2:
        problems.append(f"{compared} cells tagged {CHECKED_TAG!r} store their text; 2 are needed.")
    return problems


def _stored_text(outputs: list[dict[str, Any]]) -> str:
    """Return the text of outputs."""
    texts = [o.get("text", o.get("data", {}).get("text/plain", "")) for o in outputs]
    return "".join(t if isinstance(t, str) else "".join(t) for t in texts).strip()


def check_metadata(section: Section) -> list[str]:
    """Nothing that depends on who ran the notebook last."""
    metadata = section.notebook["metadata"]
    problems = []
    kernel = metadata.get("kernelspec", {})
    if kernel.get("name") != "python3" or not str(kernel.get("display_name", "")).startswith(
        "Python 3"
    ):
        problems.append(f"The kernel is {kernel}; it must be 'python3', shown as 'Python 3 ...'.")
    extra = (set(metadata) - {"kernelspec", "language_info"}) | (
        set(metadata.get("language_info", {})) - {"name"}
    )
    if extra:
        problems.append(f"The notebook's metadata hold more than the kernel: {sorted(extra)}.")
    form = (section.notebook.get("nbformat"), section.notebook.get("nbformat_minor", 0))
    if form[0] != 4 or form[1] < 5:
        problems.append(f"The notebook's format is {form[0]}.{form[1]}; 4.5 or later is needed.")
    ids = [cell.get("id") for cell in section.notebook["cells"]]
    if None in ids or len(set(ids)) < len(ids):
        problems.append("Cells lack an id, or share one.")
    strange = {
        key
        for cell in section.notebook["cells"]
        for key in set(cell.get("metadata", {})) - {"tags", "mystnb"}
    }
    if strange:
        problems.append(f"Cells carry metadata besides tags and mystnb: {sorted(strange)}.")
    return problems


def bibliography(book: Path = BOOK) -> list[str]:
    """Return the keys of references.bib in their order."""
    text = (book / "references.bib").read_text("utf-8")
    return re.findall(r"^@\w+\{([^,\s]+),", text, re.MULTILINE)


def unknown_citations(text: str, book: Path = BOOK) -> list[str]:
    """Return a problem for each key that is cited and not in references.bib."""
    cited = {key.strip() for group in CITE.findall(text) for key in group.split(",")}
    missing = sorted(cited - set(bibliography(book)))
    return [f"The work {key!r} is cited and not in book/references.bib." for key in missing]


def check_citations(section: Section) -> list[str]:
    """Works are cited, and their entries are there."""
    problems = unknown_citations(section.markdown, section.book)
    if not CITE.search(section.markdown):
        problems.append("Nothing is cited; further reading needs citations.")
    return problems


CHECKS = [
    check_prose,
    check_setup,
    check_equations,
    check_cells,
    check_width,
    check_portability,
    check_figures,
    check_early_result,
    check_path,
    check_explorers,
    check_quiz,
    check_exercises,
    check_outputs,
    check_metadata,
    check_citations,
]
