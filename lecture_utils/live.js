// Comes with every live explorer, into the notebook. ipywidgets gives a slider's handle no name that a
// screen reader could say; and JupyterLab takes keys from whatever is not a text field: an arrow leaves
// the cell, and an r makes it raw text, where a list of choices has the focus.
(() => {
  if (window.lectureLive) return;
  const ready = "data-lm-suppress-shortcuts"; // JupyterLab leaves the keys to an element with this
  const controls = `.lecture-live :is(select, button, [role=slider]):not([${ready}])`;
  const dress = () => {
    for (const control of document.querySelectorAll(controls)) {
      control.setAttribute(ready, "true");
      const label = control.closest(".widget-hbox")?.querySelector("label[for]");
      if (label && control.getAttribute("role") === "slider")
        control.setAttribute("aria-label", label.textContent);
    }
  };
  window.lectureLive = new MutationObserver(dress);
  window.lectureLive.observe(document.body, { childList: true, subtree: true });
  dress();
})();
