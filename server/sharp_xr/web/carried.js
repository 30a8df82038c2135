// Keys of pictures, for browsers that tell none with a decoded one: a worker reads them from the coded frames on their
// way to the decoder (RTCRtpScriptTransform). Which of them a picture is, its number says: browsers count the pictures
// that they present. Not its time: Chromium smooths that by up to 200 ms on a busy machine.
//
// A decoder that leaves frames out, as after a loss, makes the count fall behind. Then more keys than ever have come
// beyond the picture's own, with each picture for seconds; until that is noticed, a picture's key is of one before.

const KEPT = 256; // keys; more than a decoder has under way
const WATCHED = 120; // pictures

export class CarriedKeys {
  #onNeeded;
  /** @type {Worker | null} */
  #worker = null;
  #isNeeded = false;
  /** @type {number[]} */
  #keys = []; // the newest, in the order of decoding
  #came = 0; // of this track, with those that were forgotten
  /** @type {number | null} */
  #before = null; // pictures that were counted before this track's first
  #watched = { pictures: 0, beyond: Infinity }; // keys that had come beyond a picture's own, at least
  /** @type {number | null} */
  #usual = null; // of these, where nothing is left out

  /** @param {() => void} onNeeded the video has to come anew, past the worker */
  constructor(onNeeded) {
    this.#onNeeded = onNeeded;
  }

  /** A picture came without a key, and this browser tells none. */
  missed() {
    if (this.#isNeeded || !("RTCRtpScriptTransform" in globalThis)) return;
    this.#isNeeded = true;
    this.#onNeeded();
  }

  /**
   * From now on the keys of what this receiver gets, if anybody needs them.
   * @param {RTCRtpReceiver} receiver
   */
  read(receiver) {
    this.#worker?.terminate();
    this.#worker = null;
    this.#begin();
    if (!this.#isNeeded) return;
    const worker = new Worker(new URL("carriedworker.js", import.meta.url));
    worker.onmessage = ({ data }) => this.came(data);
    this.#worker = worker;
    receiver.transform = new RTCRtpScriptTransform(worker);
  }

  /** @param {number} key */
  came(key) {
    this.#keys.push(key);
    this.#came += 1;
    if (this.#keys.length > KEPT) this.#keys.shift();
  }

  /**
   * Of a picture that is shown; null where it is not known.
   * @param {Pick<VideoFrameCallbackMetadata, "presentedFrames">} picture
   */
  find({ presentedFrames }) {
    if (!this.#came) return null;
    // The count began with this track, or goes on from another's: then this is taken to be the newest.
    this.#before ??= presentedFrames <= this.#came ? 0 : presentedFrames - this.#came;
    const beyond = this.#came - (presentedFrames - this.#before);
    if (beyond < 0) return null; // the worker's message is still on its way
    this.#watch(beyond);
    return this.#keys.at(-1 - beyond) ?? null;
  }

  /** @param {number} beyond */
  #watch(beyond) {
    const watched = this.#watched;
    watched.beyond = Math.min(watched.beyond, beyond);
    watched.pictures += 1;
    if (watched.pictures < WATCHED) return;
    if (this.#before !== null && this.#usual !== null && watched.beyond > this.#usual) {
      this.#before -= watched.beyond - this.#usual;
    } else this.#usual = watched.beyond;
    this.#watched = { pictures: 0, beyond: Infinity };
  }

  #begin() {
    this.#keys = [];
    this.#came = 0;
    [this.#before, this.#usual] = [null, null];
    this.#watched = { pictures: 0, beyond: Infinity };
  }
}
