// What the stream is shown on, as Hello tells it: the page, or a headset that somebody has put on.

/** @typedef {Extract<import("./wire.js").FromClient, {type: "hello"}>["display"]} Display */

const LEAST_PIXELS = 256; // per side of an eye
const MOST_PIXELS = 1024; // ... on the page, whatever the screen has
const MOST_WORN = 1536; // ... in a headset: both eyes and their depth still fit a level 5 decoder
const USUAL_HZ = 60;
const OTHER = 0.1; // a session that begins anew is worth no less of a change

/**
 * Square, though the picture is not: the fields of view take the photo's shape, so that no pixel of the video is spent
 * on bars.
 * @param {Pick<HTMLElement, "clientWidth" | "clientHeight">} area
 * @param {number} pixelRatio
 * @returns {Display}
 */
export function displayOf({ clientWidth, clientHeight }, pixelRatio) {
  const pixels = Math.round(Math.max(clientWidth, clientHeight) * pixelRatio);
  const side = Math.min(Math.max(pixels, LEAST_PIXELS), MOST_PIXELS);
  return { eye_width: side, eye_height: side, refresh_hz: USUAL_HZ };
}

/**
 * @param {Pick<XRViewport, "width" | "height">} viewport of one eye
 * @param {number | undefined} frameRate undefined: the headset does not tell
 * @returns {Display}
 */
export function displayWorn({ width, height }, frameRate) {
  const scale = Math.min(1, MOST_WORN / Math.max(width, height));
  const side = (/** @type {number} */ pixels) => Math.max(16, Math.round(pixels * scale));
  const refresh_hz = frameRate && frameRate >= 1 && frameRate <= 1000 ? frameRate : USUAL_HZ;
  return { eye_width: side(width), eye_height: side(height), refresh_hz };
}

/**
 * Whether the server would send something else to that display than it does.
 * @param {Display} told the display that it was told of
 * @param {{eye_width: number, eye_height: number, max_hz: number}} video what it has made of that
 * @param {Display} wanted
 */
export function isWorthAsking(told, video, wanted) {
  const isCapped = longer(video) < longer(told); // all that it gives
  const gains = longer(wanted) > longer(told) && !isCapped;
  const saves = longer(wanted) < Math.min(longer(told), longer(video));
  if ((gains || saves) && isOther(longer(wanted), longer(told))) return true;
  if (isOther(wanted.eye_width / wanted.eye_height, told.eye_width / told.eye_height)) return true;
  const isSlow = video.max_hz < told.refresh_hz && wanted.refresh_hz > video.max_hz;
  return !isSlow && isOther(wanted.refresh_hz, told.refresh_hz);
}

const longer = (/** @type {{eye_width: number, eye_height: number}} */ eye) => Math.max(eye.eye_width, eye.eye_height);
const isOther = (/** @type {number} */ a, /** @type {number} */ b) => Math.abs(a / b - 1) > OTHER;
