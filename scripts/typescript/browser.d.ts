// What browsers have and TypeScript's own list of them has not.

interface VideoFrame {
  /** https://w3c.github.io/webcodecs/video_frame_metadata_registry.html */
  metadata(): { rtpTimestamp?: number };
}

/** https://w3c.github.io/mediacapture-transform/ */
declare class MediaStreamTrackProcessor {
  constructor(init: { track: MediaStreamTrack; maxBufferSize?: number });
  readonly readable: ReadableStream<VideoFrame>;
}
