"""Every notebook against the standard, and the standard's checks against notebooks that break it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standard import BOOK, CHECKS, Section, bibliography, figure_ids, setup_cell, source

NOTEBOOKS = sorted(p for p in BOOK.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.relative_to(BOOK).as_posix())
def test_notebook_keeps_the_standard(path: Path, check: Callable[[Section], list[str]]):
    problems = check(Section.read(path))
    assert not problems, "\n" + "\n".join(problems)


def test_there_are_notebooks_and_each_has_its_place():
    assert NOTEBOOKS
    sections = set(figure_ids().values())
    strange = [
        p for p in NOTEBOOKS if p.relative_to(BOOK).with_suffix("").as_posix() not in sections
    ]
    assert not strange, f"book/figures.csv gives no figure to {strange}"


def test_all_notebooks_share_one_set_up_cell():
    cells = {p.name: source(Section.read(p).code[0]) for p in NOTEBOOKS}
    assert len(set(cells.values())) == 1, (
        "run scripts/set_repository.py, which writes the same cell"
    )


def test_figures_csv_has_each_id_once():
    lines = (BOOK / "figures.csv").read_text("utf-8").strip().splitlines()
    assert len(figure_ids()) == len(lines) - 1


def test_bibliography_is_sorted_and_has_each_key_once():
    keys = bibliography()
    assert keys == sorted(set(keys))


# A notebook that keeps the standard, in a book of its own, and ways to break it.

WORDS = "The mean of the training images is an image, and each word of this sentence counts. " * 110
SETUP = setup_cell("")


def _markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def _code(text: str, *, stored: str | None = None) -> dict[str, Any]:
    tags = {} if stored is None else {"tags": ["nbval-check-output"]}
    outputs = [{"output_type": "stream", "name": "stdout", "text": stored}] if stored else []
    cell = {"cell_type": "code", "metadata": tags, "source": text, "outputs": outputs}
    return {**cell, "execution_count": None if stored is None else 1}


PATH = "**In 40 minutes.** Read *Why*. Skip\n*How it is done*. In a lecture, show it."


@pytest.fixture
def good(tmp_path: Path) -> Section:
    (tmp_path / "figures.csv").write_text(
        "id,section,slide,shows\npart/one,part/name,s,w\npart/two,part/other,s,w\n"
    )
    (tmp_path / "references.bib").write_text("@article{known2000,\n}\n")
    (tmp_path / "quizzes" / "part").mkdir(parents=True)
    answers = [{"answer": "1", "correct": True}, {"answer": "2", "feedback": "That is the square."}]
    question = {"question": "How many?", "type": "multiple_choice", "answers": answers}
    (tmp_path / "quizzes" / "part" / "name.json").write_text(json.dumps([question] * 3))
    exercise = "```{{exercise}}\n:label: {0}\n\nShow it.\n```\n\n"
    solution = "```{{solution}} {0}\n:class: dropdown\n\nSo.\n```\n\n"
    caption, alt = "Mean face of the hundred training images.", "A grey oval with two dark eyes."
    cells = [
        _markdown(f"# Title\n\n{WORDS}"),
        _code(SETUP),
        _code("run = start(seed=1)"),
        _markdown("$$ a = b $$ (eq-a)\n\nBy {eq}`eq-a` and {cite}`known2000`."),
        _markdown(PATH),
        _code(f"figure(\n    'part/one',\n    {caption!r},\n    {alt!r},\n)"),
        _code(
            f"slider(images, labels, name='k',\n    caption={caption!r},\n"
            f"    alt=f'{alt}' + ' {{k}}')"
        ),
        _code("print(1)", stored="1\n"),
        _code("print(2)", stored="2\n"),
        _code("show.quiz('part/name')"),
        *[_code(f"value = {i}") for i in range(4)],
        _markdown("## How it is done\n\n## Why"),
        _markdown("".join(exercise.format(i) + solution.format(i) for i in "ab")),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return Section("part/name", notebook, tmp_path, tmp_path / "quizzes")


def _problems(section: Section) -> list[str]:
    return [problem for check in CHECKS for problem in check(section)]


def test_the_good_notebook_has_no_problem(good: Section):
    assert _problems(good) == []


def _replace(old: str, new: str) -> Callable[[Section], None]:
    """Return a change that replaces text in every cell that has it."""

    def change(section: Section) -> None:
        touched = [c for c in section.notebook["cells"] if old in c["source"]]
        assert touched, f"{old!r} is in no cell"
        for cell in touched:
            cell["source"] = cell["source"].replace(old, new)

    return change


def _cells(new: list[dict[str, Any]]) -> Callable[[Section], None]:
    return lambda section: section.notebook["cells"].extend(new)


def _store(text: str) -> Callable[[Section], None]:
    output = {"output_type": "stream", "name": "stdout", "text": text}
    return lambda section: section.code[-1]["outputs"].append(output)


def _unstore(section: Section) -> None:
    for cell in section.code:
        cell["outputs"] = []


def _store_picture(section: Section) -> None:
    data = {"text/plain": "a picture", "image/png": "iVBORw0KGgo="}
    section.code[4]["outputs"] = [{"output_type": "display_data", "data": data}]


def _quiz(change: Callable[[list[dict[str, Any]]], None]) -> Callable[[Section], None]:
    def apply(section: Section) -> None:
        path = section.quizzes / "part" / "name.json"
        questions = json.loads(path.read_text())
        change(questions)
        path.write_text(json.dumps(questions))

    return apply


BREAKS: dict[str, tuple[Callable[[Section], None], str]] = {
    "too little prose": (_replace(WORDS, "Short. " * 120), "words of prose"),
    "too much prose": (_replace(WORDS, WORDS * 4), "words of prose"),
    "code does not count as prose": (
        _replace(WORDS, "Few words. " * 60 + "\n```python\n" + WORDS + "\n```"),
        "words of prose",
    ),
    "formulas do not count as prose": (
        _replace(WORDS, "Few words. " * 60 + "$$\n" + WORDS + "\n$$"),
        "words of prose",
    ),
    "no title": (_replace("# Title", "Title"), "not Markdown with the section's title"),
    "no opening": (_replace(WORDS, ""), "opening before the first code"),
    "other set-up": (_replace("[notebooks]", ""), "common set-up cell"),
    "no repository": (_replace("REPOSITORY = ", "PLACE = "), "common set-up cell"),
    "no start": (_replace("run = start(seed=1)", "run = 1"), "stands 0 times"),
    "two starts": (_cells([_code("run = start()")]), "stands 2 times"),
    "no numbered equation": (_replace("(eq-a)", ""), "No equation is numbered"),
    "equation not used": (_replace("{eq}`eq-a`", "it"), "No numbered equation is referred to"),
    "label twice": (_cells([_markdown("$$ c = d $$ (eq-a)")]), "stand twice: eq-a"),
    "too few cells": (lambda s: s.notebook["cells"].__delitem__(slice(9, 13)), "7 code cells"),
    "too many cells": (_cells([_code("a = 1") for _ in range(30)]), "code cells"),
    "long cells": (_cells([_code("a = 1\n" * 15) for _ in range(16)]), "median code cell has 15"),
    "one endless cell": (_cells([_code("a = 1\n" * 41)]), "has 41 lines"),
    "long line": (_cells([_code("# " + "a" * 78)]), "A line has 80 characters"),
    "long output": (_store("b" * 80), "A line has 80 characters"),
    "device": (_cells([_code("x.to('cuda:0')")]), "'cuda:0' is named"),
    "cuda()": (_cells([_code("x = x.cuda()")]), "`.cuda()` is called"),
    "path in code": (_cells([_code("open('/data/x.png')")]), "'/data/x.png' is in the code"),
    "path in prose": (_cells([_markdown("In /home/me/x it is.")]), "'/home/me/x' is in the prose"),
    "figure not made": (_replace("'part/one',", "'part/three',"), "'part/one' is not made"),
    "figure not known": (_replace("'part/one',", "'part/three',"), "is not in book/figures.csv"),
    "figure of another": (_replace("'part/one',", "'part/two',"), "belongs to part/other"),
    "figure twice": (_cells([_code("figure('part/one', 'c', 'a')")]), "is made 2 times"),
    "figure by variable": (_replace("'part/one',", "key,"), "not written as a string"),
    "no caption": (_replace("'Mean face of the hundred training images.'", "''"), "too short"),
    "no alternative": (_replace("'A grey oval with two dark eyes.',", ""), "is not a string"),
    "alternative is caption": (
        _replace("A grey oval with two dark eyes.", "Mean face of the hundred training images"),
        "is its caption again",
    ),
    "theory before the result": (
        _replace("$$ a = b $$", "## Theory\n\n$$ a = b $$"),
        "No figure and no explorer stands before the first heading",
    ),
    "no path": (_replace("**In 40 minutes.**", "Soon."), "0 paragraphs before the first heading"),
    "path too late": (
        lambda s: s.notebook["cells"].append(s.notebook["cells"].pop(4)),
        "0 paragraphs before the first heading",
    ),
    "nothing to skip": (_replace("Skip", "Then"), "starts with 'Skip '"),
    "nothing for a lecture": (_replace("In a lecture, show", "Show"), "starts with 'In a lecture"),
    "path without headings": (_replace("*How it is done*", "the rest"), "names 1 headings"),
    "path to nowhere": (_replace("Read *Why*", "Read *When*"), "'When', which is no heading"),
    "no explorer": (_replace("slider(", "other("), "There is no explorer"),
    "mute explorer": (_replace("caption='Mean", "title='Mean"), "explorer 1 is not a string"),
    "no quiz": (_replace("show.quiz('part/name')", "pass"), "show.quiz() name []"),
    "quiz of another": (_replace("quiz('part/name", "quiz('part/other"), "name ['part/other']"),
    "quiz twice": (_cells([_code("show.quiz('part/name')")]), "there must be one"),
    "quiz file gone": (
        lambda s: (s.quizzes / "part" / "name.json").unlink(),
        "name.json is missing",
    ),
    "two questions": (_quiz(lambda q: q.pop()), "has 2 questions"),
    "empty question": (_quiz(lambda q: q[0].update(question=" ")), "question is empty"),
    "strange question": (_quiz(lambda q: q[0].update(type="essay")), "unknown type 'essay'"),
    "no right answer": (_quiz(lambda q: q[0]["answers"].pop(0)), "has no right answer"),
    "two right answers": (
        _quiz(lambda q: q[0]["answers"][1].update(correct=True)),
        "has 2 right answers",
    ),
    "one answer": (_quiz(lambda q: q[0]["answers"].pop(1)), "has 1 answers"),
    "no feedback": (_quiz(lambda q: q[0]["answers"][1].pop("feedback")), "has no feedback"),
    "one exercise": (
        _replace("{exercise}\n:label: a", "{note}\n:name: a"),
        "There are 1 exercises",
    ),
    "exercise unlabelled": (_replace(":label: a", ":name: a"), "An exercise has no label"),
    "no solution": (_replace("{solution} a", "{note} a"), "'a' has no solution"),
    "solution open": (_replace(":class: dropdown", ""), "is not folded"),
    "outputs kept": (_store("text"), "keeps its outputs"),
    "counts kept": (lambda s: s.code[0].update(execution_count=3), "keeps its execution count"),
    "compared but never run": (
        lambda s: s.code[4].update(execution_count=None),
        "has no execution count",
    ),
    "nothing to compare": (_unstore, "stores no text"),
    "one cell compared": (lambda s: s.code[4]["metadata"].clear(), "1 cells tagged"),
    "picture compared": (_store_picture, "stores ['image/png', 'text/plain']"),
    "error stored": (
        lambda s: s.code[4]["outputs"].append({"output_type": "error"}),
        "stores an error",
    ),
    "kernel of one machine": (
        lambda s: s.notebook["metadata"]["kernelspec"].update(name="my-env"),
        "The kernel is",
    ),
    "version of Python": (
        lambda s: s.notebook["metadata"]["language_info"].update(version="3.11.4"),
        "more than the kernel: ['version']",
    ),
    "old format": (lambda s: s.notebook.update(nbformat_minor=4), "format is 4.4"),
    "no ids": (lambda s: s.notebook["cells"][0].pop("id"), "lack an id"),
    "times of execution": (
        lambda s: s.code[0]["metadata"].update(execution={"begin": "now"}),
        "besides tags and mystnb: ['execution']",
    ),
    "unknown work": (_replace("known2000", "unknown1999"), "'unknown1999' is cited"),
    "no work": (_replace("{cite}`known2000`", "nothing"), "Nothing is cited"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_notebook_is_noticed(good: Section, name: str):
    change, sentence = BREAKS[name]
    broken = Section(good.name, copy.deepcopy(good.notebook), good.book, good.quizzes)
    change(broken)
    # Read again, since a section keeps what it has computed.
    problems = _problems(Section(broken.name, broken.notebook, broken.book, broken.quizzes))
    assert any(sentence in problem for problem in problems), problems


def test_each_check_has_a_notebook_that_breaks_it(good: Section):
    caught = set()
    for change, _ in BREAKS.values():
        broken = Section(good.name, copy.deepcopy(good.notebook), good.book, good.quizzes)
        quiz = good.quizzes / "part" / "name.json"
        before = quiz.read_text()
        change(broken)
        fresh = Section(broken.name, broken.notebook, broken.book, broken.quizzes)
        caught |= {check.__name__ for check in CHECKS if check(fresh)}
        quiz.write_text(before)
    assert caught == {check.__name__ for check in CHECKS}
