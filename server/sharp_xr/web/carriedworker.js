// A worker: coded frames of a video pass, and their RTP timestamps are told. See carried.js.

/**
 * @typedef {{timestamp?: number, getMetadata: () => {rtpTimestamp?: number}}} Coded
 * @typedef {Event & {transformer: {readable: ReadableStream<Coded>, writable: WritableStream<Coded>}}} Begun
 */

addEventListener("rtctransform", (event) => {
  const { readable, writable } = /** @type {Begun} */ (event).transformer;
  const reading = new TransformStream({
    /** @param {Coded} frame @param {TransformStreamDefaultController<Coded>} controller */
    transform(frame, controller) {
      postMessage(frame.getMetadata().rtpTimestamp ?? frame.timestamp);
      controller.enqueue(frame);
    },
  });
  readable.pipeThrough(reading).pipeTo(writable).catch(() => {}); // the track has ended
});
