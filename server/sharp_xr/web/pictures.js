// Decoded pictures of a video track, each with its RTP timestamp. By MediaStreamTrackProcessor where it tells
// timestamps: its frames carry their own. Else from a <video>, whose picture may be one newer than
// requestVideoFrameCallback says (one in a hundred): where a VideoFrame can tell, it is asked itself.

const framesTell = "metadata" in (globalThis.VideoFrame?.prototype ?? {});
const processes = framesTell && "MediaStreamTrackProcessor" in globalThis;

/**
 * @typedef {object} Picture
 * @property {VideoFrame | HTMLVideoElement | Uint8Array} picture for texImage2D, and for this call only
 * @property {number} width
 * @property {number} height
 * @property {number | null} key RTP timestamp; null: this browser does not tell
 */
/** @typedef {ReadableStreamDefaultReader<VideoFrame>} Reader */

export class Pictures {
  #video;
  #onPicture;
  #carried;
  #pixels;
  /** @type {Reader | null} */
  #reader = null;
  #timesAgree = false; // of a VideoFrame of the video, and of what is told of it
  #hasKeys = false; // whether this browser tells RTP timestamps, which the standard leaves open

  /**
   * @param {object} parts
   * @param {HTMLVideoElement} parts.video
   * @param {(picture: Picture) => void} parts.onPicture hears of each
   * @param {import("./carried.js").CarriedKeys} [parts.carried] knows keys that the browser does not tell
   * @param {import("./pixels.js").Pixels | null} [parts.pixels] makes what is to be uploaded of a frame
   */
  constructor({ video, onPicture, carried, pixels = null }) {
    this.#pixels = pixels;
    this.#carried = carried;
    this.#video = video;
    this.#onPicture = onPicture;
    this.#wait();
  }

  /**
   * From now on those of this track.
   * @param {MediaStreamTrack} track
   */
  async attach(track) {
    this.#reader?.cancel();
    this.#reader = null;
    if (processes) await this.#read(track);
    else await this.#play(track);
  }

  /** @param {MediaStreamTrack} track */
  async #read(track) {
    const processor = new MediaStreamTrackProcessor({ track, maxBufferSize: 1 }); // newest wins
    const reader = processor.readable.getReader();
    this.#reader = reader;
    for (let isFirst = true; ; isFirst = false) {
      const { value: frame, done } = await reader.read();
      if (done || reader !== this.#reader) return frame?.close();
      const key = frame.metadata().rtpTimestamp ?? null;
      if (isFirst && key === null) {
        frame.close();
        reader.cancel();
        return this.#play(track);
      }
      const pixels = (await this.#pixels?.of(frame)) ?? null;
      if (reader === this.#reader) this.#take(pixels ?? frame, frame.displayWidth, frame.displayHeight, key);
      frame.close();
    }
  }

  /** @param {MediaStreamTrack} track */
  async #play(track) {
    this.#video.srcObject = new MediaStream([track]);
    try {
      await this.#video.play();
    } catch (error) {
      // A phone that saves power wants a touch first. A newer stream interrupts the older one (AbortError).
      const why = error instanceof DOMException ? error.name : "";
      if (why === "NotAllowedError") {
        addEventListener("pointerdown", () => this.#video.play(), { once: true });
      } else if (why !== "AbortError") throw error;
    }
  }

  #wait() {
    const video = this.#video;
    // Not the video's size: where that changes, it may be of another picture.
    video.requestVideoFrameCallback((_, metadata) => {
      const { rtpTimestamp, width, height } = metadata;
      this.#wait();
      const frame = "VideoFrame" in globalThis ? new VideoFrame(video) : null;
      const told = (framesTell ? frame?.metadata().rtpTimestamp : null) ?? rtpTimestamp;
      const key = told ?? (this.#isOfItsTime(frame, metadata) ? this.#carried?.find(metadata) : null) ?? null;
      this.#take(frame ?? video, frame?.displayWidth ?? width, frame?.displayHeight ?? height, key);
      frame?.close();
    });
  }

  /**
   * Whether the picture is the one that was told of, where that can be known.
   * @param {VideoFrame | null} frame
   * @param {VideoFrameCallbackMetadata} metadata
   */
  #isOfItsTime(frame, { mediaTime }) {
    const isSame = frame !== null && Math.abs(frame.timestamp - 1e6 * mediaTime) < 1;
    this.#timesAgree ||= isSame;
    return isSame || !this.#timesAgree;
  }

  /**
   * @param {Picture["picture"]} picture
   * @param {number} width
   * @param {number} height
   * @param {number | null} key
   */
  #take(picture, width, height, key) {
    this.#hasKeys ||= key !== null;
    if (!this.#hasKeys) this.#carried?.missed();
    // Chromium ends a track with a black frame of its own; the last picture stays instead.
    if (this.#hasKeys && key === null) return;
    this.#onPicture({ picture, width, height, key });
  }
}
