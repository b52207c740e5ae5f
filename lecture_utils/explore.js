// Moves the explorers that lecture_utils.explore writes. It comes with every explorer, since each must
// work alone; the first one that a page meets defines the element, the others find it defined.
// Without this script the first picture stays, and the controls stay hidden.
(() => {
  const minus = (text) => text.replace("-", "\u2212");

  class Explorer extends HTMLElement {
    connectedCallback() {
      this.start();
      // A page that is still being read has the element before it has the element's contents.
      if (!this.started) document.addEventListener("DOMContentLoaded", () => this.start());
    }

    // Called when the element enters a page, and again by the script behind it: whichever comes
    // first with the contents complete does the work.
    start() {
      if (this.started || !this.querySelector(".lecture-explorer-end")) return;
      this.started = true;
      this.inputs = [...this.querySelectorAll("input[type=range]")];
      this.update = this.dataset.kind === "sum" ? this.startSum() : this.startStack();
      for (const input of this.inputs) {
        input.value = input.defaultValue; // some browsers restore the position before a reload
        input.addEventListener("input", () => this.update(input));
        input.dataset.lmSuppressShortcuts = "true"; // else JupyterLab takes the arrows up and down
      }
      this.querySelector(".lecture-explorer-controls").hidden = false;
      this.update();
    }

    // Ready-made pictures, one for each combination of positions, the last slider running fastest.
    startStack() {
      const images = [...this.querySelectorAll("img")];
      const note = this.querySelector(".lecture-explorer-note");
      const labels = this.inputs.map((input) => JSON.parse(input.dataset.labels));
      return () => {
        let index = 0;
        this.inputs.forEach((input, axis) => {
          const label = labels[axis][input.valueAsNumber];
          index = index * labels[axis].length + input.valueAsNumber;
          input.setAttribute("aria-valuetext", label);
          this.write(input, label);
        });
        images.forEach((image, i) => (image.hidden = i !== index));
        if (note) note.textContent = images[index].dataset.caption;
      };
    }

    // The picture mean + sum_k a_k component_k, computed from 8-bit numbers at each move.
    startSum() {
      const { width, height, channels, alt } = this.dataset;
      const bytes = (name) => Uint8Array.from(atob(this.dataset[name]), (c) => c.charCodeAt(0));
      const mean = bytes("mean");
      const components = new Int8Array(bytes("components").buffer);
      const scales = JSON.parse(this.dataset.scales);
      const canvas = document.createElement("canvas");
      const first = this.querySelector("img");
      canvas.width = Number(width);
      canvas.height = Number(height);
      canvas.className = first.className;
      canvas.style.cssText = first.style.cssText;
      canvas.setAttribute("role", "img");
      first.replaceWith(canvas);
      const context = canvas.getContext("2d");
      const picture = context.createImageData(canvas.width, canvas.height);
      const depth = Number(channels);

      const draw = () => {
        const weights = this.inputs.map((input, k) => input.valueAsNumber * scales[k]);
        for (let i = 0; i < mean.length; i++) {
          let value = mean[i];
          for (let k = 0; k < weights.length; k++) value += weights[k] * components[k * mean.length + i];
          // A grey image has one number a pixel for red, green and blue; the array clips by itself.
          if (depth === 1) picture.data.fill(value, 4 * i, 4 * i + 3);
          else picture.data[4 * Math.floor(i / 3) + (i % 3)] = value;
        }
        for (let i = 3; i < picture.data.length; i += 4) picture.data[i] = 255;
        context.putImageData(picture, 0, 0);
        const state = this.inputs.map((input) => {
          const value = minus(input.valueAsNumber.toFixed(1));
          input.setAttribute("aria-valuetext", `${value} standard deviations`);
          this.write(input, `${value} σ`);
          return `${input.dataset.name} ${value}`;
        });
        canvas.setAttribute("aria-label", `${alt} (${state.join(", ")})`);
      };

      const set = (values) => {
        this.inputs.forEach((input) => (input.value = values(input)));
        draw();
      };
      this.querySelector("[data-action=reset]").addEventListener("click", () => set(() => 0));
      this.querySelector("[data-action=random]").addEventListener("click", () =>
        // Box and Muller: two uniform numbers make a normal one. The slider's ends clip it.
        set(() => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())),
      );
      return draw;
    }

    write(input, text) {
      const output = input.parentElement.querySelector("output");
      if (output.textContent !== text) output.textContent = text;
    }
  }

  if (!customElements.get("lecture-explorer")) customElements.define("lecture-explorer", Explorer);
  for (const element of document.querySelectorAll("lecture-explorer")) element.start?.();
})();
