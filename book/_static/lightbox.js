// Opens a figure, or the picture that an explorer shows, at full size. A figure is a link to its
// picture, so without this script the browser opens the picture alone.
(() => {
  const LINK = "figure.lecture-figure a.image-reference";
  const STEP = 1.5;
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  const dialog = document.createElement("dialog");
  dialog.className = "lightbox";
  dialog.innerHTML = `
    <div class="lightbox-bar">
      <span class="lightbox-name"></span>
      <button type="button" data-action="smaller" aria-label="Smaller">\u2212</button>
      <button type="button" data-action="larger" aria-label="Larger">+</button>
      <button type="button" data-action="close" autofocus>Close</button>
    </div>
    <div class="lightbox-view" tabindex="0" role="group"
      aria-label="Picture. Arrow keys move it, plus and minus change its size."><img></div>`;
  const view = dialog.querySelector(".lightbox-view");
  const picture = dialog.querySelector("img");
  let opener; // what has the focus again when the picture is closed
  let page; // the picture's width on a page, in CSS pixels: there its text is large enough
  let width; // its width now

  // All of the picture, but not more than its dots give and not less than on a page: on a phone
  // only a part of it fits then, and moves under the finger.
  const start = () => {
    const ratio = picture.naturalHeight / picture.naturalWidth;
    const fit = Math.min(view.clientWidth, view.clientHeight / ratio);
    return Math.max(page, Math.min(fit, 2 * page));
  };

  // Sets the width; what was in the middle of the view stays there.
  const resize = (wanted) => {
    const middle = (scroll, size) => scroll + size / 2;
    const x = middle(view.scrollLeft, view.clientWidth) / (width || wanted);
    const y = middle(view.scrollTop, view.clientHeight) / (width || wanted);
    width = Math.min(Math.max(wanted, page / 2), 6 * page);
    picture.style.width = `${width}px`;
    view.scrollLeft = x * width - view.clientWidth / 2;
    view.scrollTop = y * width - view.clientHeight / 2;
  };

  const open = async (from, shown, name) => {
    opener = from;
    const drawn = shown.tagName === "CANVAS";
    const alt = shown.alt ?? shown.getAttribute("aria-label");
    picture.src = drawn ? shown.toDataURL() : shown.src;
    picture.alt = alt;
    picture.className = shown.classList.contains("pixelated") ? "pixelated" : "";
    page = parseFloat(shown.style.width) || (shown.naturalWidth || shown.width) / 2;
    dialog.setAttribute("aria-label", alt);
    dialog.querySelector(".lightbox-name").textContent = name;
    dialog.showModal();
    await picture.decode().catch(() => {}); // a picture that cannot be read shows its alternative
    width = 0;
    resize(start());
    view.scrollTo(0, 0);
  };

  const act = {
    smaller: () => resize(width / STEP),
    larger: () => resize(width * STEP),
    close: () => dialog.close(),
  };

  dialog.addEventListener("close", () => opener?.focus({ preventScroll: true }));
  // From the last element Tab leads to the first and back, not to the browser's buttons: there no
  // key would close the picture.
  const stops = [...dialog.querySelectorAll("button"), view];
  const wrap = (event) => {
    const [first, last] = [stops[0], stops.at(-1)];
    if (event.target !== (event.shiftKey ? first : last)) return;
    (event.shiftKey ? last : first).focus();
    event.preventDefault();
  };

  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Tab") wrap(event);
    const arrow = event.target !== view && ARROWS[event.key];
    // Chromium does not close a dialog by Escape while a part of it that scrolls has the focus.
    const action = { "+": "larger", "=": "larger", "-": "smaller", Escape: "close" }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (action) act[action]();
    else if (event.key === "0") resize(start());
    else if (arrow) view.scrollBy(80 * arrow[0], 80 * arrow[1]);
    else return;
    event.preventDefault();
  });

  // A finger moves the picture by itself; a mouse is helped.
  let grip;
  let moved = false;
  view.addEventListener("pointerdown", (event) => {
    moved = false;
    if (event.pointerType !== "mouse" || event.button !== 0 || event.target !== picture) return;
    event.preventDefault(); // the picture is not to be dragged out of the page
    grip = { x: event.clientX + view.scrollLeft, y: event.clientY + view.scrollTop };
  });
  addEventListener("pointermove", (event) => {
    if (!grip) return;
    moved = true;
    view.scrollTo(grip.x - event.clientX, grip.y - event.clientY);
  });
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => (grip = undefined));

  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) act[button.dataset.action]();
    else if (event.target !== picture && !event.target.closest(".lightbox-bar") && !moved) act.close();
    moved = false;
  });
  addEventListener("resize", () => dialog.open && resize(start()));

  document.addEventListener("click", (event) => {
    // With these keys a browser opens a link elsewhere, as asked.
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest(LINK);
    const explorer = event.target.closest("lecture-explorer");
    if (link) {
      event.preventDefault();
      const number = link.closest("figure").querySelector(".caption-number");
      open(link, link.querySelector("img"), number?.textContent.trim() ?? "");
    } else if (explorer && event.target.closest(".lecture-explorer-picture, .lightbox-open")) {
      const shown = explorer.querySelector(".lecture-explorer-picture:not([hidden])");
      open(explorer.querySelector(".lightbox-open"), shown, "");
    }
  });

  addEventListener("DOMContentLoaded", () => {
    document.body.append(dialog);
    for (const link of document.querySelectorAll(LINK)) {
      link.setAttribute("aria-haspopup", "dialog");
      const hint = document.createElement("span");
      hint.className = "lightbox-hint";
      hint.textContent = "Open at full size";
      link.append(hint);
    }
    for (const controls of document.querySelectorAll(".lecture-explorer-controls")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "lightbox-open";
      button.textContent = "Full size";
      button.setAttribute("aria-haspopup", "dialog");
      controls.append(button);
    }
  });
})();
