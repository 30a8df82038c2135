// Every message of the wire, as in protocol/sharp_xr_protocol/messages.py, which explains the fields.
// One msgpack map is one WebSocket message; `type` names it. Both sides are tested against the same
// bytes (tests/protocol/golden.json).

import { decode, encode } from "./vendor/msgpack.js";
import {
  ProtocolError,
  list,
  nanoseconds,
  nullable,
  oneOf,
  real,
  record,
  text,
  uint32,
  whole,
  withDefault,
} from "./shapes.js";

export { ProtocolError };

export const VERSION = 2;
const MAX_MESSAGE_BYTES = 1 << 20;

/**
 * @template {Record<string, import("./shapes.js").Shape<object>>} D
 * @typedef {{[Type in keyof D]: {type: Type} & ReturnType<D[Type]>}[keyof D]} Message
 */
/**
 * @template {Record<string, {fields: import("./shapes.js").Fields}>} D
 * @typedef {{[Type in keyof D]: {type: Type} & import("./shapes.js").Given<D[Type]["fields"]>}[keyof D]} Writable
 */
/** @typedef {Message<typeof FROM_SERVER>} FromServer */
/** @typedef {Writable<typeof FROM_CLIENT>} FromClient As it may be written: with defaults left out. */
/**
 * @template {FromServer["type"]} Type
 * @typedef {Extract<FromServer, {type: Type}>} Told A message of the server.
 */
/** @typedef {ReturnType<typeof scene>} Scene */
/** @typedef {ReturnType<typeof eyes>} Eyes Left, right. */
/** @typedef {ReturnType<typeof layout>} Layout */
/** @typedef {ReturnType<typeof velocity>} Velocity */
/** @typedef {ReturnType<typeof times>} Times */

export class VersionError extends ProtocolError {}

const vector3 = list(real, 3);
const ZERO = frozen([0, 0, 0]);

const pose = record({ position: vector3, orientation: list(real, 4) });
const fov = record({ left: real, right: real, up: real, down: real });
const eyes = list(record({ pose, fov }), 2);
const display = record({ eye_width: whole, eye_height: whole, refresh_hz: real });
const video = record({
  eye_width: whole,
  eye_height: whole,
  max_hz: real,
  layout: withDefault(oneOf("side-by-side"), "side-by-side"),
});
const layout = record({
  eye_width: whole,
  eye_height: whole,
  depth_width: withDefault(whole, 0),
  depth_height: withDefault(whole, 0),
});
const velocity = record({
  linear: withDefault(vector3, ZERO),
  angular: withDefault(vector3, ZERO),
});

// What the server tells of a scene, here and in the answers to HTTP requests.
export const scene = record({
  id: text,
  name: text,
  created: real,
  gaussians: whole,
  model: text,
  photo_fov: fov,
  focus_m: real,
});

const times = record({
  pose_wait_ms: withDefault(real, 0),
  render_ms: withDefault(real, 0),
  encode_ms: withDefault(real, 0),
  encode_wait_ms: withDefault(real, 0),
  encoded: nullable(uint32),
});
const goal = oneOf("auto", "sharper", "smoother");
const STILL = frozen({ linear: ZERO, angular: ZERO });
const NO_TIMES = frozen({
  pose_wait_ms: 0,
  render_ms: 0,
  encode_ms: 0,
  encode_wait_ms: 0,
  encoded: null,
});

const BOTH = {
  offer: record({ sdp: text }),
  answer: record({ sdp: text }),
  candidate: record({
    candidate: text,
    sdp_mid: nullable(text),
    sdp_m_line_index: nullable(whole),
  }),
  ice_restart: record({}),
  ping: record({ sent_ns: nanoseconds }),
  pong: record({ sent_ns: nanoseconds, clock_ns: nanoseconds }),
  bye: record({ reason: text }),
};

export const FROM_CLIENT = {
  ...BOTH,
  hello: record({
    agent: text,
    kind: oneOf("browser", "headset", "simulated"),
    display,
    version: withDefault(whole, VERSION),
    capabilities: withDefault(list(text), []),
  }),
  tracking: record({
    key: uint32,
    time_ns: nanoseconds,
    head: pose,
    eyes,
    velocity: withDefault(velocity, STILL),
    ack: nullable(uint32),
  }),
  scene_select: record({ scene: text }),
  quality_choice: record({ goal }),
  report: record({ key: uint32, decoded_ms: real, shown_ms: nullable(real) }),
  display_times: record({
    frames_hz: real,
    fresh_hz: real,
    reused_hz: real,
    pose_age_ms: real,
    wait_ms: real,
    locate_ms: real,
    upload_ms: real,
    paint_ms: real,
    end_ms: real,
    undecodable: uint32,
  }),
};

export const FROM_SERVER = {
  ...BOTH,
  welcome: record({
    server: text,
    session: text,
    renderer: text,
    model: text,
    video,
    version: withDefault(whole, VERSION),
    capabilities: withDefault(list(text), []),
  }),
  scene_list: record({ scenes: list(scene) }),
  scene_ready: record({ scene }),
  progress: record({
    job: text,
    stage: oneOf("decode", "predict", "store", "done", "failed"),
    fraction: real,
    message: withDefault(text, ""),
  }),
  frame_header: record({
    key: uint32,
    head: pose,
    eyes,
    scene: text,
    layout,
    near_m: withDefault(real, 0),
    times: withDefault(times, NO_TIMES),
  }),
  stream_quality: record({
    goal,
    eye_width: whole,
    eye_height: whole,
    max_hz: real,
    detail: real,
    bitrate_bps: whole,
    limit: oneOf("display", "machine", "client", "link"),
  }),
  problem: record({ message: text }),
};

/**
 * Throws ProtocolError for a message that no server would take, so that a mistake of the page shows where it is
 * made.
 * @param {FromClient} message
 */
export function encodeMessage(message) {
  const { type, ...fields } = checked(message, FROM_CLIENT);
  return encode({ type, ...fields }, { useBigInt64: true });
}

/**
 * Throws VersionError for a Welcome of another version, ProtocolError for anything else that is not of the
 * protocol.
 * @param {Uint8Array} bytes from the server
 */
export function decodeMessage(bytes) {
  if (bytes.byteLength > MAX_MESSAGE_BYTES) {
    throw new ProtocolError(
      `a message of ${bytes.byteLength} bytes, wanted at most ${MAX_MESSAGE_BYTES}`,
    );
  }
  let raw;
  try {
    const limits = { useBigInt64: true, maxBinLength: 0, maxExtLength: 0 };
    raw = /** @type {{type?: unknown, version?: unknown} | null} */ (decode(bytes, limits));
  } catch (error) {
    throw new ProtocolError(`a message is not msgpack: ${reasonOf(error)}`);
  }
  if (raw?.type === "welcome" && (raw.version ?? VERSION) !== VERSION) {
    throw new VersionError(
      `The server speaks protocol version ${raw.version}, this page speaks ${VERSION}: reload the page.`,
    );
  }
  return checked(raw, FROM_SERVER);
}

/**
 * @template {Record<string, import("./shapes.js").Shape<object>>} D
 * @param {{type?: unknown} | null} message
 * @param {D} direction
 * @returns {Message<D>}
 */
function checked(message, direction) {
  const type = message?.type;
  if (typeof type !== "string" || !Object.hasOwn(direction, type)) {
    throw new ProtocolError(`a message has the type ${String(type)}, which is not of the protocol`);
  }
  return /** @type {Message<D>} */ ({ type, ...direction[type](message, type) });
}

/** @param {unknown} error */
function reasonOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * @template T
 * @param {T} value
 */
function frozen(value) {
  Object.freeze(value);
  return value;
}
