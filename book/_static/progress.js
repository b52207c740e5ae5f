// Keeps which sections were read and which questions answered, in this browser and nowhere else. The
// front page shows it, saves it to a file, loads it from one, and deletes it.
(() => {
  const KEY = "lecture-progress"; // of every copy of the book that a browser opens at one address
  const nothing = () => ({ version: 1, read: {}, answers: {} });
  const root = new URL(document.documentElement.dataset.content_root || "./", location.href);

  const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  const isProgress = (value) =>
    isRecord(value) &&
    value.version === 1 &&
    isRecord(value.read) &&
    isRecord(value.answers) &&
    Object.values(value.answers).every(isRecord);
  const load = () => {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY));
      return isProgress(kept) ? kept : nothing();
    } catch {
      return nothing(); // storage is switched off, or holds something else
    }
  };
  // Returns whether it is kept.
  const save = (progress) => {
    try {
      localStorage.setItem(KEY, JSON.stringify(progress));
      return true;
    } catch {
      return false;
    }
  };
  const NOT_KEPT = "This browser does not keep it: its storage is switched off or full.";

  const make = (name, properties, ...content) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...content);
    return element;
  };
  const counted = (n, one, several) => `${n} ${n === 1 ? one : several}`;

  // A section is a page in a folder, such as generation/gaussian_model.
  const pageOf = (link) => {
    const { pathname, hash } = new URL(link.href);
    if (hash || !pathname.startsWith(root.pathname)) return "";
    return decodeURIComponent(pathname.slice(root.pathname.length).replace(/\.html$/, ""));
  };
  const sectionLinks = () =>
    [...document.querySelectorAll(".bd-links a.reference.internal")].filter((link) =>
      pageOf(link).includes("/"),
    );

  // Ticks behind the links to sections that were read, at the side and in the front page's table.
  const tick = () => {
    const { read } = load();
    for (const old of document.querySelectorAll(".progress-tick")) old.remove();
    const listed = [...document.querySelectorAll("article table a.reference.internal")];
    for (const link of [...sectionLinks(), ...listed]) {
      if (!(pageOf(link) in read)) continue;
      const words = make("span", { className: "visually-hidden" }, " read");
      link.append(make("span", { className: "progress-tick" }, "\u00a0✓", words));
    }
  };

  // On a section's page: a box to tick, and the answers.
  const markOf = (page) => {
    const box = make("input", { type: "checkbox", checked: page in load().read });
    const said = make("span", { className: "progress-said" });
    said.setAttribute("role", "status");
    box.addEventListener("change", () => {
      const progress = load();
      if (box.checked) progress.read[page] = new Date().toISOString().slice(0, 10);
      else delete progress.read[page];
      said.textContent = save(progress) ? "" : NOT_KEPT;
      tick();
    });
    const label = make("label", {}, box, " I have read this section");
    return make("div", { className: "progress-mark" }, label, said);
  };

  const inputs = (question) => [...question.querySelectorAll("input")];
  const answerOf = (question) =>
    question.dataset.kind === "numeric"
      ? inputs(question)[0].value
      : inputs(question).flatMap((input, index) => (input.checked ? [index] : []));
  const answerAgain = (question, answer) => {
    if (question.dataset.kind === "numeric") inputs(question)[0].value = String(answer);
    else for (const index of [].concat(answer)) if (inputs(question)[index]) inputs(question)[index].checked = true;
    // Nobody asked for these verdicts now: a screen reader does not speak them.
    const verdict = question.querySelector(".quiz-verdict");
    verdict.setAttribute("aria-live", "off");
    question.querySelector(".quiz-check").click();
    setTimeout(() => verdict.removeAttribute("aria-live"), 1000);
  };
  const keepAnswers = (page) => {
    const { answers } = load();
    for (const question of document.querySelectorAll(".quiz-question[data-question]")) {
      const kept = answers[question.dataset.question];
      if (kept) answerAgain(question, kept.answer);
      question.addEventListener("quiz:checked", (event) => {
        const progress = load();
        const { right } = event.detail;
        progress.answers[question.dataset.question] = { page, answer: answerOf(question), right };
        save(progress);
      });
    }
  };

  // On the front page: what was done, and what can be done with it.
  const panel = (place) => {
    const summary = make("p", {});
    const said = make("p", { className: "progress-said" });
    said.setAttribute("role", "status");
    const refresh = () => {
      const { read, answers } = load();
      const sections = new Map(sectionLinks().map((link) => [pageOf(link), link]));
      const done = [...sections.keys()].filter((page) => page in read);
      const given = Object.values(answers);
      const right = given.filter((answer) => answer.right).length;
      summary.textContent =
        `You have read ${done.length} of ${counted(sections.size, "section", "sections")} and ` +
        `answered ${counted(given.length, "question", "questions")}` +
        (given.length ? `, ${right} of them right. ` : ". ");
      const next = [...sections].find(([page]) => !(page in read));
      if (next && done.length) {
        const title = next[1].textContent.trim();
        summary.append("Go on with ", make("a", { href: next[1].href }, title), ".");
      }
      tick();
    };
    const button = (text, action) => {
      const made = make("button", { type: "button" }, text);
      made.addEventListener("click", action);
      return made;
    };
    const toFile = button("Save to a file", () => {
      const text = JSON.stringify(load(), null, 2);
      const href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
      make("a", { href, download: "progress.json" }).click();
      setTimeout(() => URL.revokeObjectURL(href), 1000);
      said.textContent = "Saved as progress.json.";
    });
    const file = make("input", { type: "file", accept: ".json,application/json" });
    file.addEventListener("change", async () => {
      let found;
      try {
        found = JSON.parse(await file.files[0].text());
      } catch {
        found = undefined;
      }
      file.value = "";
      if (!isProgress(found)) {
        said.textContent = "This file holds no progress: choose one that was saved here.";
        return;
      }
      const now = load();
      const read = { ...now.read, ...found.read };
      const answers = { ...now.answers, ...found.answers };
      said.textContent = save({ ...now, read, answers }) ? "Added to what was here." : NOT_KEPT;
      refresh();
    });
    const forget = button("Delete", () => {
      try {
        localStorage.removeItem(KEY);
        said.textContent = "Deleted. This browser keeps nothing of it.";
      } catch {
        said.textContent = NOT_KEPT;
      }
      refresh();
    });
    const from = make("label", {}, "Load from a file: ", file);
    place.replaceChildren(
      summary,
      make("div", { className: "progress-actions" }, toFile, forget, from),
      said,
    );
    refresh();
    return refresh;
  };

  // When the other scripts have set up what they do.
  addEventListener("load", () => {
    const page = DOCUMENTATION_OPTIONS.pagename ?? "";
    const article = document.querySelector("article");
    const place = document.querySelector(".progress-panel");
    const refresh = place ? panel(place) : tick;
    if (page.includes("/")) {
      article.append(markOf(page));
      keepAnswers(page);
    }
    tick();
    addEventListener("storage", refresh); // another tab has changed it
    addEventListener("pageshow", (event) => event.persisted && refresh()); // the way back
  });
})();
