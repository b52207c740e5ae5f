// Checks the questions that lecture_quiz.py writes. What is said to each answer is in the page.
"use strict";

function verdictOf(question) {
  const comments = [...question.querySelectorAll(".quiz-comment")];
  const shown = (comment) => ({
    correct: comment.dataset.correct === "true",
    comments: [comment],
  });
  if (question.dataset.kind === "numeric") {
    const text = question.querySelector("input").value.trim().replace(",", ".");
    const number = Number(text);
    if (text === "" || Number.isNaN(number)) return null;
    const inside = (c) => "low" in c.dataset && c.dataset.low <= number && number <= c.dataset.high;
    const other = comments.find((comment) => !("low" in comment.dataset));
    const found = comments.find(inside) || other;
    return found ? shown(found) : { correct: false, comments: [] };
  }
  const options = [...question.querySelectorAll(".quiz-option")];
  const chosen = options.filter((option) => option.querySelector("input").checked);
  if (chosen.length === 0) return null;
  const comment = (option) => option.querySelector(".quiz-comment");
  const right = (option) => comment(option).dataset.correct === "true";
  const several = question.querySelector("input[type=checkbox]") !== null;
  if (!several) return shown(comment(chosen[0]));
  const missing = options.some((option) => right(option) && !chosen.includes(option));
  return {
    correct: chosen.every(right) && !missing,
    missing: chosen.every(right) && missing,
    comments: chosen.map(comment),
  };
}

function check(question) {
  for (const comment of question.querySelectorAll(".quiz-comment")) comment.hidden = true;
  const place = question.querySelector(".quiz-verdict");
  const verdict = verdictOf(question);
  question.classList.remove("quiz-right", "quiz-wrong");
  if (verdict === null) {
    place.textContent =
      question.dataset.kind === "numeric" ? "Type a number first." : "Choose an answer first.";
    return;
  }
  question.classList.add(verdict.correct ? "quiz-right" : "quiz-wrong");
  place.textContent = verdict.correct ? "✓ " : "✗ ";
  if (verdict.missing) place.append("Not all of the correct answers yet. ");
  if (verdict.comments.length === 0) place.append("Not correct; try again.");
  for (const comment of verdict.comments) {
    const copy = comment.cloneNode(true);
    copy.hidden = false;
    copy.removeAttribute("class");
    place.append(copy, " ");
  }
  // progress.js keeps the answer.
  const detail = { right: verdict.correct };
  question.dispatchEvent(new CustomEvent("quiz:checked", { detail }));
}

document.addEventListener("DOMContentLoaded", () => {
  for (const form of document.querySelectorAll("form.quiz")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      // Enter in a field submits the form without a button of its own: check that field's question.
      const within = event.submitter || document.activeElement;
      check(within.closest(".quiz-question"));
    });
    for (const input of form.querySelectorAll("input[type=text]")) {
      input.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        check(input.closest(".quiz-question"));
      });
    }
  }
});
