// Mouse, pen and fingers on the stage move the head. One finger or the left button grabs the scene and leans;
// Shift, another button or two fingers turn the head; wheel and pinch come closer; a twist tilts.

const TURN_PER_WIDTH = 0.9; // radians for a drag across the whole stage
const REACHES_PER_WIDTH = 2.4; // the same, in reaches of the head
const WHEEL_STEP = 1 / 1200; // reaches per CSS pixel of wheel
const PINCH_REACHES = 1.2; // for fingers at e times their distance
const TAP_MS = 250; // from down to up, and between the taps of a double one
const TAP_PIXELS = 12;

/** @typedef {[x: number, y: number]} Point CSS pixels */

/**
 * @param {HTMLElement} element
 * @param {import("./head.js").Head} head
 */
export function bindPointer(element, head) {
  /** @type {Map<number, Point>} */
  const fingers = new Map(); // by pointerId

  const move = (/** @type {PointerEvent} */ event) => {
    if (!fingers.has(event.pointerId)) return;
    const before = [...fingers.values()];
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    const after = [...fingers.values()];
    const width = element.clientWidth;
    if (fingers.size >= 2) head.move(twoFingers(before, after, width, head.reach));
    else head.move(oneFinger(before[0], after[0], isTurning(event), width, head.reach));
  };

  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    head.stopSway();
  });
  element.addEventListener("pointermove", move);
  for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) {
    element.addEventListener(end, (event) => fingers.delete(event.pointerId));
  }
  bindDoubleTap(element, () => head.recentre());
  element.addEventListener("dblclick", () => head.recentre());
  element.addEventListener("contextmenu", (event) => event.preventDefault());
  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault(); // neither scroll nor zoom the page
      head.move({ z: wheelPixels(event) * WHEEL_STEP * head.reach });
    },
    { passive: false },
  );
}

/**
 * Safari on phones sends no dblclick where gestures are the page's own.
 * @param {HTMLElement} element
 * @param {() => void} onDoubleTap
 */
function bindDoubleTap(element, onDoubleTap) {
  /** @type {PointerEvent | null} */
  let down = null;
  let lastTap = -Infinity;
  element.addEventListener("pointerdown", (event) => {
    down = event.isPrimary && event.pointerType === "touch" ? event : null; // a second finger: no tap
  });
  element.addEventListener("pointerup", (event) => {
    if (down === null) return;
    const way = Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY);
    if (way > TAP_PIXELS || event.timeStamp - down.timeStamp > TAP_MS) return;
    if (down.timeStamp - lastTap < TAP_MS) onDoubleTap();
    lastTap = event.timeStamp;
  });
}

/** @param {PointerEvent} event */
function isTurning(event) {
  return event.shiftKey || (event.buttons & ~1) !== 0;
}

/**
 * The near part of the scene follows the finger: dragging it to the right takes the head to the left.
 * @param {Point} before
 * @param {Point} after
 * @param {boolean} turning
 * @param {number} width of the stage
 * @param {number} reach of the head
 * @returns {import("./head.js").Move}
 */
export function oneFinger(before, after, turning, width, reach) {
  const right = (after[0] - before[0]) / width;
  const down = (after[1] - before[1]) / width;
  if (turning) return { yaw: right * TURN_PER_WIDTH, pitch: down * TURN_PER_WIDTH };
  return { x: -right * reach * REACHES_PER_WIDTH, y: down * reach * REACHES_PER_WIDTH };
}

/**
 * @param {Point[]} before two
 * @param {Point[]} after
 * @param {number} width
 * @param {number} reach
 * @returns {import("./head.js").Move}
 */
export function twoFingers(before, after, width, reach) {
  const [was, is] = [spread(before), spread(after)];
  const closer = Math.log(Math.max(is.distance, 1) / Math.max(was.distance, 1));
  const twist = Math.atan2(Math.sin(is.angle - was.angle), Math.cos(is.angle - was.angle));
  return {
    ...oneFinger(was.middle, is.middle, true, width, reach),
    z: -closer * reach * PINCH_REACHES,
    roll: twist, // the screen's y points down: fingers turn clockwise, the head to the left
  };
}

/**
 * @param {Point[]} fingers
 * @returns {{middle: Point, distance: number, angle: number}}
 */
function spread([[ax, ay], [bx, by]]) {
  return {
    middle: [(ax + bx) / 2, (ay + by) / 2],
    distance: Math.hypot(bx - ax, by - ay),
    angle: Math.atan2(by - ay, bx - ax),
  };
}

/**
 * A wheel may count in lines; a pinch on a touch pad comes as a wheel with Ctrl and small steps.
 * @param {WheelEvent} event
 */
function wheelPixels(event) {
  const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 32 : 1);
  return event.ctrlKey ? pixels * 6 : pixels;
}
