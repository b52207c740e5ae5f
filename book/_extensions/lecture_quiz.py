"""Quizzes as plain HTML forms.

In a notebook `show.quiz` shows them with jupyterquiz. What that shows relies on MathJax 2, cannot be
named by a screen reader, and writes to the console; so in the book its questions become native form
elements, which `_static/quiz.js` checks. Formulas are part of the page and drawn with it.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from lecture_figures import inline
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

LOGGER = logging.getLogger(__name__)
QUESTIONS = re.compile(
    r"var questions\w+=(?P<json>.*?);\n\nif \(typeof Question", re.DOTALL
)
KINDS = ("multiple_choice", "many_choice", "numeric")
LETTERS = "abcdefghij"
DEFAULT_COMMENT = {True: "Correct.", False: "Not correct; try again."}


class WriteQuizzes(SphinxTransform):
    """Replace the two outputs of jupyterquiz, an empty box and a script, by a form."""

    default_priority = 310

    def apply(self, **kwargs: Any) -> None:
        """Go through the outputs of a page."""
        number = 0
        for bundle in list(self.document.findall(nodes.container)):
            if bundle.get("nb_element") != "mime_bundle":
                continue
            markup = "".join(raw.astext() for raw in bundle.findall(nodes.raw))
            if "data-shufflequestions" in markup:
                bundle.parent.remove(bundle)
                continue
            found = QUESTIONS.search(markup)
            if found:
                number += 1
                self.replace(bundle, found["json"], f"quiz-{number}")

    def replace(self, bundle: nodes.container, text: str, name: str) -> None:
        """Put the form where the script stands; say what is wrong with the questions if it is."""
        form: list[nodes.Node] = []
        try:
            for index, question in enumerate(json.loads(text), start=1):
                form += fieldset(question, f"{name}-{index}", index)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            problem = (
                f"question {index} lacks {error}"
                if isinstance(error, KeyError)
                else error
            )
            LOGGER.warning(
                "a quiz cannot be shown: %s",
                problem,
                location=bundle,
                type="quiz",
            )
            return
        wrapped = [html('<form class="quiz">'), *form, html("</form>")]
        bundle.replace_self(
            nodes.container("", *wrapped, classes=["quiz-output"])
        )


def html(text: str) -> nodes.raw:
    """Return a piece of HTML."""
    return nodes.raw("", text, format="html")


def fieldset(
    question: dict[str, Any], name: str, index: int
) -> Iterator[nodes.Node]:
    """Yield one question: its text, what can be answered, and what is said to each answer."""
    kind, answers = question["type"], question["answers"]
    if kind not in KINDS:
        raise ValueError(
            f"question {index} is of type {kind!r}; the book shows {', '.join(KINDS)}"
        )
    if not any(answer.get("correct") for answer in answers):
        raise ValueError(f"question {index} has no correct answer")
    if len(answers) > len(LETTERS):
        raise ValueError(
            f"question {index} has more than {len(LETTERS)} answers"
        )
    # By this an answer that a browser keeps is found again; another question has another.
    text = json.dumps(question, sort_keys=True).encode()
    key = hashlib.sha256(text).hexdigest()[:12]
    yield html(
        f'<fieldset class="quiz-question" data-kind="{kind}" data-question="{key}"><legend>'
    )
    yield nodes.inline("", f"{index}. ")
    yield from inline(question["question"])
    yield html("</legend>")
    if question.get("code"):
        yield nodes.literal_block(
            question["code"], question["code"], language="python"
        )
    if kind == "numeric":
        yield html(
            f'<label class="quiz-option">Your answer: <input type="text" inputmode="decimal" '
            f'autocomplete="off" name="{name}"></label>'
        )
        for answer in answers:
            low, high = bounds(answer)
            limits = (
                f' data-low="{low}" data-high="{high}"'
                if low is not None
                else ""
            )
            yield from comment(answer, limits)
    else:
        several = sum(bool(answer.get("correct")) for answer in answers) > 1
        control = "checkbox" if kind == "many_choice" and several else "radio"
        # jupyterquiz shuffles them as well; here the order is the same in every build.
        answers = random.Random(question["question"]).sample(
            answers, len(answers)
        )
        for letter, answer in zip(LETTERS, answers, strict=False):
            yield html(
                f'<div class="quiz-option"><label><input type="{control}" name="{name}"> '
                f"<span>{letter}) "
            )
            yield from inline(answer.get("answer", ""))
            if answer.get("code"):
                yield nodes.literal(answer["code"], answer["code"])
            yield html("</span></label>")
            yield from comment(answer, "")
            yield html("</div>")
    yield html(
        '<button type="submit" class="quiz-check">Check</button>'
        '<p class="quiz-verdict" role="status"></p></fieldset>'
    )


def bounds(answer: dict[str, Any]) -> tuple[float, float] | tuple[None, None]:
    """Return the interval of numbers that an answer stands for; None for "any other"."""
    if answer["type"] == "value":
        # As many digits as the answer is given with are asked of the reader.
        digits = len(str(answer["value"]).partition(".")[2])
        half = 0.5 * 10.0**-digits if digits else 1e-9
        return answer["value"] - half, answer["value"] + half
    if answer["type"] == "range":
        low, high = answer["range"]
        return low, high
    return None, None


def comment(answer: dict[str, Any], limits: str) -> Iterator[nodes.Node]:
    """Yield what is said to an answer, hidden until it is given."""
    correct = bool(answer.get("correct"))
    yield html(
        f'<span class="quiz-comment" data-correct="{str(correct).lower()}"{limits} hidden>'
    )
    yield from inline(answer.get("feedback") or DEFAULT_COMMENT[correct])
    yield html("</span>")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_transform(WriteQuizzes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
