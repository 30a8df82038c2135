// What the panel shows about the stream, from the frames that were shown in the last seconds.

const WINDOW_MS = 3000;

export class FrameStatistics {
  #frames = []; // {at, latency}: milliseconds; latency null for a frame that matched no pose
  shown = 0;
  matched = 0;

  add(at, latency) {
    this.shown += 1;
    if (latency !== null) this.matched += 1;
    this.#frames.push({ at, latency });
    while (this.#frames[0].at < at - WINDOW_MS) this.#frames.shift();
  }

  // {fps, median, p95, matchedShare}; null where nothing was measured.
  summary(now) {
    const recent = this.#frames.filter((frame) => frame.at >= now - WINDOW_MS);
    const latencies = recent.map((frame) => frame.latency).filter((latency) => latency !== null);
    const span = recent.length > 1 ? recent.at(-1).at - recent[0].at : 0;
    return {
      fps: span > 0 ? ((recent.length - 1) * 1000) / span : null,
      median: percentile(latencies, 0.5),
      p95: percentile(latencies, 0.95),
      matchedShare: this.shown ? this.matched / this.shown : null,
    };
  }
}

// Nearest rank; null of nothing.
export function percentile(values, share) {
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(Math.ceil(share * sorted.length) - 1, 0)];
}

// Bits per second over the same seconds as the frames, from counts of bytes.
export class BitrateMeter {
  #reads = []; // {bytes, at}

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
