// Shows what a link leads to, a term, a formula, a figure or a work, before it is followed: under the
// pointer, with the focus, or at the first tap. It stays while pointer or focus do, the pointer may
// move into it, and Escape takes it away (WCAG 2.2, 1.4.13). What it shows lies in _tips/PAGE.js,
// which lecture_tips.py writes. Without this script the links are links.
(() => {
  const KINDS = ["#term-", "#fig-", "#equation-"].map((kind) => `article a[href*="${kind}"]`);
  const LINKS = `:is(${KINDS}, article a[href*="references.html#"]):not(.headerlink, :has(img))`;
  const SLOW = 300; // milliseconds before a tip comes or goes under a moving pointer
  const GAP = 4; // pixels between a link and its tip
  const root = new URL(document.documentElement.dataset.content_root || "./", location.href);

  const tip = document.createElement("div");
  tip.id = "lecture-tip";
  tip.className = "tip";
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;

  // What a page shows of itself, by its name; a promise, since it comes as a script.
  const shown = new Map();
  const arrived = new Map();
  window.lectureTips = (page, tips) => arrived.get(page)?.(tips);
  const pageOf = (link) => {
    const path = new URL(link.href).pathname.slice(root.pathname.length);
    return decodeURIComponent(path.replace(/\.html$/, ""));
  };
  const load = (page) => {
    if (!shown.has(page)) {
      const tips = new Promise((resolve) => {
        arrived.set(page, resolve);
        const script = document.createElement("script");
        script.src = new URL(`_tips/${page}.js`, root);
        script.onerror = () => resolve({});
        document.head.append(script);
      });
      shown.set(page, tips);
    }
    return shown.get(page);
  };

  // A page without formulas has not loaded MathJax; the tip may need it.
  const drawFormulas = async () => {
    if (!tip.querySelector(".math")) return;
    if (!window.MathJax?.startup) {
      let script = document.querySelector("script[src*='mathjax/tex-svg.js']");
      if (!script) {
        script = document.createElement("script");
        script.src = new URL("vendor/mathjax/tex-svg.js", root);
        document.head.append(script);
      }
      await new Promise((done) => (script.onload = script.onerror = done));
    }
    await window.MathJax?.startup?.promise;
    await window.MathJax?.typesetPromise?.([tip]);
    // For MathJax's menu, which a tip cannot offer: no key leads into it.
    for (const formula of tip.querySelectorAll("[tabindex]")) formula.removeAttribute("tabindex");
  };

  let wanted; // the link whose tip is to be shown
  let link; // the link whose tip is shown
  let pointer; // where the pointer met it, in pixels from the left; undefined for the keyboard
  let timer;
  const later = (action) => {
    clearTimeout(timer);
    timer = setTimeout(action, SLOW);
  };

  const place = () => {
    const lines = [...link.getClientRects()];
    const box = lines.find((line) => line.left <= pointer && pointer <= line.right) ?? lines[0];
    const { width, height } = tip.getBoundingClientRect();
    const page = document.documentElement;
    const left = Math.max(Math.min(box.left, page.clientWidth - width - 2 * GAP), 2 * GAP);
    const fits = box.bottom + GAP + height <= page.clientHeight || box.top < height + GAP;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${scrollY + (fits ? box.bottom + GAP : box.top - GAP - height)}px`;
  };

  const hide = () => {
    clearTimeout(timer);
    wanted = undefined;
    if (!link) return;
    link.removeAttribute("aria-describedby");
    link = undefined;
    tip.hidden = true;
    window.MathJax?.typesetClear?.([tip]);
    tip.replaceChildren();
  };

  // Resolves to whether there is something to show.
  const show = async (to, hint) => {
    if (link === to) return true;
    hide();
    wanted = to;
    const html = (await load(pageOf(to)))[decodeURIComponent(to.hash.slice(1))];
    if (!html) return false;
    if (wanted !== to) return true; // the reader is elsewhere by now
    const content = document.createElement("template");
    content.innerHTML = html;
    const pictures = [...content.content.querySelectorAll("img")];
    for (const picture of pictures) picture.src = new URL(picture.dataset.src, root);
    tip.replaceChildren(content.content);
    if (hint) {
      const said = document.createElement("p");
      said.className = "tip-hint";
      said.textContent = hint;
      tip.append(said);
    }
    link = to;
    link.setAttribute("aria-describedby", tip.id);
    tip.style.left = tip.style.top = "0";
    tip.hidden = false;
    place();
    // Both change the size; a picture that cannot be read shows its alternative.
    await Promise.all([drawFormulas(), ...pictures.map((p) => p.decode().catch(() => {}))]);
    if (link === to) place();
    return true;
  };

  const linkOf = (event) => event.target.closest?.(LINKS);
  const isOver = (element) =>
    element instanceof Node && (tip.contains(element) || link?.contains(element));

  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const to = linkOf(event);
    if (isOver(event.target)) clearTimeout(timer);
    else if (to) {
      pointer = event.clientX;
      later(() => show(to));
    }
  });
  document.addEventListener("pointerout", (event) => {
    if (event.pointerType === "touch" || isOver(event.relatedTarget)) return;
    if (!linkOf(event) && !isOver(event.target)) return;
    later(() => link?.matches(":focus-visible") || hide());
  });

  document.addEventListener("focusin", (event) => {
    const to = linkOf(event);
    if (!to?.matches(":focus-visible")) return;
    clearTimeout(timer);
    pointer = undefined;
    show(to);
  });
  document.addEventListener("focusout", (event) => {
    if (linkOf(event) === link && !tip.matches(":hover")) hide();
  });

  // The first tap shows the tip, the second follows the link.
  let touched = false;
  document.addEventListener("pointerdown", (event) => {
    touched = event.pointerType === "touch";
    if (!isOver(event.target)) hide();
  });
  document.addEventListener("click", (event) => {
    const to = linkOf(event);
    if (!to || event.defaultPrevented) return;
    if (!touched || to === link) return hide();
    event.preventDefault();
    pointer = event.clientX;
    show(to, "Tap the link again to go there.").then((something) => {
      if (!something) location.assign(to.href);
    });
  });

  document.addEventListener("keydown", (event) => {
    touched = false;
    // So that a screen reader finds the description when the focus comes.
    if (event.key === "Tab") for (const to of document.querySelectorAll(LINKS)) load(pageOf(to));
    if (event.key === "Escape") hide();
  });

  addEventListener("DOMContentLoaded", () => {
    document.body.append(tip);
    // The browser would show it, too, beside the tip.
    for (const cited of document.querySelectorAll(LINKS)) cited.removeAttribute("title");
  });
})();
