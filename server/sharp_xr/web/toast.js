// One short sentence at the bottom of the page, with a button perhaps; the next one replaces it.

export class Toast {
  #timer = null;
  #onGone = null;

  constructor(element) {
    this.element = element;
    this.words = element.querySelector("[data-part=words]");
    this.button = element.querySelector("[data-part=button]");
  }

  // onGone() is called when the toast ends without its button having been pressed.
  show(words, { button = null, onPress = null, onGone = null, seconds = 6 } = {}) {
    this.end();
    this.words.textContent = words;
    this.button.hidden = !button;
    this.button.textContent = button ?? "";
    this.button.onclick = () => {
      this.#onGone = null;
      this.end();
      onPress?.();
    };
    this.#onGone = onGone;
    this.element.hidden = false;
    this.#timer = setTimeout(() => this.end(), seconds * 1000);
  }

  end() {
    clearTimeout(this.#timer);
    this.element.hidden = true;
    const gone = this.#onGone;
    this.#onGone = null;
    gone?.();
  }
}
