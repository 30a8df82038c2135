// What the panel shows about the stream, from the frames that were shown in the last seconds.

const WINDOW_MS = 3000;

export class FrameStatistics {
  /** @type {{at: number, latency: number | null, age: number | null}[]} Milliseconds. */
  #frames = [];
  shown = 0;
  matched = 0;

  /**
   * A frame was shown: when it was decoded, how long after its pose was sent that was, and how old its pose was
   * when it was drawn. Null for a frame that matched no pose.
   * @param {number} at
   * @param {number | null} latency
   * @param {number | null} [age]
   */
  add(at, latency, age = latency) {
    this.shown += 1;
    if (latency !== null) this.matched += 1;
    this.#frames.push({ at, latency, age });
    while (this.#frames[0].at < at - WINDOW_MS) this.#frames.shift();
  }

  /**
   * Of the last seconds; null where nothing was measured.
   * @param {number} now
   */
  summary(now) {
    const recent = this.#frames.filter((frame) => frame.at >= now - WINDOW_MS);
    const latencies = numbersIn(recent.map((frame) => frame.latency));
    const ages = numbersIn(recent.map((frame) => frame.age));
    const span = recent.length > 1 ? recent[recent.length - 1].at - recent[0].at : 0;
    return {
      fps: span > 0 ? ((recent.length - 1) * 1000) / span : null,
      median: percentile(latencies, 0.5),
      p95: percentile(latencies, 0.95),
      age: percentile(ages, 0.5),
      ageP95: percentile(ages, 0.95),
      matchedShare: this.shown ? this.matched / this.shown : null,
    };
  }
}

/**
 * @param {(number | null)[]} values
 * @returns {number[]}
 */
function numbersIn(values) {
  return values.filter((value) => value !== null);
}

/**
 * Nearest rank; null of nothing.
 * @param {number[]} values
 * @param {number} share
 */
export function percentile(values, share) {
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(Math.ceil(share * sorted.length) - 1, 0)];
}

/** Bits per second over the same seconds as the frames, from counts of bytes. */
export class BitrateMeter {
  /** @type {{bytes: number, at: number}[]} */
  #reads = [];

  /**
   * @param {number} bytes
   * @param {number} at
   */
  read(bytes, at) {
    const last = this.#reads.at(-1);
    // The count starts anew with a new connection.
    if (last && (bytes < last.bytes || at <= last.at)) this.#reads = [];
    this.#reads.push({ bytes, at });
    while (this.#reads[0].at < at - WINDOW_MS) this.#reads.shift();
    const first = this.#reads[0];
    return first.at === at ? null : ((bytes - first.bytes) * 8000) / (at - first.at);
  }
}

/** Milliseconds that the browser decodes a frame for, from its two sums. */
export class DecodeMeter {
  #before = { frames: 0, seconds: 0 };
  ms = 0; // of the frames between the last two readings that had any between them

  /**
   * @param {{framesDecoded?: number, totalDecodeTime?: number}} inbound As RTCInboundRtpStreamStats.
   */
  read({ framesDecoded: frames = 0, totalDecodeTime: seconds = 0 }) {
    const { frames: framesBefore, seconds: secondsBefore } = this.#before;
    this.#before = { frames, seconds };
    // Fewer: the sums start anew with a new connection.
    if (frames > framesBefore) this.ms = (1000 * (seconds - secondsBefore)) / (frames - framesBefore);
  }
}
