// The page's own modules with a scripted head, and a reader of the barcodes that the bench's renderer paints.
//
//     ?callback         takes pictures as browsers without MediaStreamTrackProcessor do
//     ?blind            the same of browsers that tell no RTP timestamp with a decoded picture
//     ?capability=NAME  says so in the Hello
//     ?wrap             its keys begin anew after three seconds, as after 13 hours
//     ?lose             three of four headers of frames do not come

import { sessionUrl } from "/web/api.js";
import { CarriedKeys } from "/web/carried.js";
import { Connection } from "/web/connection.js";
import { Frames } from "/web/frame.js";
import { PoseHistory } from "/web/history.js";
import { Receiver } from "/web/receiver.js";
import { Tracker } from "/web/tracker.js";

const asked = new URLSearchParams(location.search);
if (asked.has("wrap")) {
  const now = performance.now.bind(performance);
  const ahead = 2 ** 32 / 90 - 3000 - now(); // 2^32 of a 90 kHz clock
  performance.now = () => now() + ahead;
}
// The module looks once, as it is loaded, how this browser can take pictures.
if (asked.has("callback") || asked.has("blind")) delete globalThis.MediaStreamTrackProcessor;
if (asked.has("blind")) {
  delete VideoFrame.prototype.metadata;
  const request = HTMLVideoElement.prototype.requestVideoFrameCallback;
  HTMLVideoElement.prototype.requestVideoFrameCallback = function (hear) {
    return request.call(this, (now, { rtpTimestamp, ...metadata }) => hear(now, metadata));
  };
}
const { Pictures } = await import("/web/pictures.js");

const [COLUMNS, ROWS, CELL] = [8, 4, 16];
const STEP_M = 1e-4;
const HALF = 1 << 11;
const WARM = 90; // frames by which a clock has been found

const samples = [];
const shown = new Map(); // key -> metadata of requestVideoFrameCallback
let offset = null; // {width, add}: performance.now() + add = the server's clock, milliseconds; known within width

const video = document.querySelector("video");
const corner = new OffscreenCanvas(COLUMNS * CELL, ROWS * CELL).getContext("2d", { willReadFrequently: true });
const history = new PoseHistory();
const told = new PoseHistory(); // headers
const headers = new PoseHistory(); // those of them that were not lost
const frames = new Frames({ history, headers });
let sessions = 0;
let count = 0; // headers
const connection = new Connection({
  url: sessionUrl(),
  hello: () => ({
    agent: "bench",
    kind: "browser",
    display: { eye_width: 512, eye_height: 512, refresh_hz: 60 },
    capabilities: asked.getAll("capability"),
  }),
  onState: () => {},
  onMessage: hear,
  whyKeptOut: async () => "",
});
const carried = new CarriedKeys(() => receiver.start());
const receiver = new Receiver({
  send: (message) => connection.send(message),
  onTrack: (track) => pictures.attach(track),
  onTrouble: (sentence) => console.error(sentence),
  carried,
});
const pictures = new Pictures({ video, onPicture: take, carried });
const head = {
  get pose() {
    const seconds = performance.now() / 1000;
    const turn = (hz) => 2 * Math.PI * hz * seconds;
    const position = [0.15 * Math.sin(turn(0.31)), 0.1 * Math.sin(turn(0.23)), 0];
    return {
      head: { position, orientation: [0, 0, 0, 1] },
      velocity: { linear: [0, 0, 0], angular: [0, 0, 0] },
    };
  },
};
const tracker = new Tracker({ head, history, connection });

function hear(message) {
  if (message.type === "welcome") {
    sessions += 1;
    return receiver.start();
  }
  if (message.type === "frame_header") return note(message);
  if (message.type === "answer") return receiver.answer(message.sdp);
  if (message.type === "candidate") return receiver.addCandidate(message);
  if (message.type === "scene_ready") return tracker.enter(message.scene);
  if (message.type === "pong") return meet(message);
  return undefined;
}

function note(header) {
  told.remember(header.key, header);
  if (!asked.has("lose") || count % 4 === 0) headers.remember(header.key, header);
  count += 1;
}

// The narrowest round trip says most about the two clocks.
function meet({ sent_ns, clock_ns }) {
  const now = performance.now();
  const sent = Number(sent_ns) / 1e6;
  const width = now - sent;
  if (offset === null || width < offset.width) offset = { width, add: Number(clock_ns) / 1e6 - (now + sent) / 2 };
}

function take({ picture, width, height, key }) {
  const decoded = performance.now();
  if (key === null) return;
  tracker.acknowledge(key);
  const sent = history.find(key);
  corner.drawImage(picture, 0, 0);
  const frame = frames.identify(key, width, height);
  const painted = read();
  const isTrue = isOf(painted, sent) && isAsTold(frame, told.find(key));
  const isRead = painted !== null;
  const isGuessed = frame !== null && headers.find(key) === null;
  samples.push({ key, width, height, sent: sent?.at ?? null, decoded, isTrue, isRead, isGuessed, session: sessions });
  if (sent) connection.send({ type: "report", key, decoded_ms: decoded - sent.at, shown_ms: null });
}

function read() {
  const { data, width } = corner.getImageData(0, 0, COLUMNS * CELL, ROWS * CELL);
  let [x, y, checksum] = [0, 0, 0];
  for (let i = 0; i < COLUMNS * ROWS; i += 1) {
    const bit = mean(data, width, (i % COLUMNS) * CELL, Math.floor(i / COLUMNS) * CELL) > 127 ? 1 : 0;
    if (i < 12) x |= bit << i;
    else if (i < 24) y |= bit << (i - 12);
    else checksum |= bit << (i - 24);
  }
  return checksum === (crc32([x & 255, (x >> 8) | ((y & 15) << 4), y >> 4]) & 255) ? [x - HALF, y - HALF] : null;
}

// Of a cell's green: a key frame of few bits has the cell's mean right, but not each of its pixels.
function mean(data, width, left, top) {
  let sum = 0;
  for (let down = top; down < top + CELL; down += 1) {
    for (let across = left; across < left + CELL; across += 1) sum += data[4 * (down * width + across) + 1];
  }
  return sum / (CELL * CELL);
}

function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc;
}

const isOf = (painted, sent) =>
  painted !== null &&
  sent !== null &&
  [0, 1].every((i) => Math.abs(painted[i] - sent.head.position[i] / STEP_M) <= 1.5);

// Whether what the page takes a frame for is what the server drew. A frame that it leaves out is no untruth, nor
// one whose header comes after it.
const isAsTold = (frame, header) =>
  frame === null || header === null || JSON.stringify(drawnOf(frame.drawn, frame.layout)) === JSON.stringify(drawnOf(header, header.layout));

// Rounded: a guess computes with tangents.
const drawnOf = ({ head, eyes }, layout) => [
  layout,
  head,
  eyes.map(({ pose, fov }) => [pose, ["left", "right", "up", "down"].map((side) => fov[side].toFixed(6))]),
];

function watchVideo() {
  video.requestVideoFrameCallback((at, metadata) => {
    shown.set(metadata.rtpTimestamp, metadata);
    watchVideo();
  });
}

function tick() {
  requestAnimationFrame(tick);
  const now = performance.now();
  tracker.advance(now);
  if (samples.length < WARM && connection.state === "live") {
    connection.send({ type: "ping", sent_ns: BigInt(Math.round(performance.now() * 1e6)) });
  }
}

// Times on the server's clock, milliseconds.
function taken() {
  const here = (time) => (time === null || time === undefined ? null : time + offset.add);
  return samples.map((sample) => ({
    ...sample,
    sent: here(sample.sent),
    decoded: here(sample.decoded),
    received: here(shown.get(sample.key)?.receiveTime),
    shown: here(shown.get(sample.key)?.expectedDisplayTime),
  }));
}

globalThis.bench = { samples, taken };
connection.start();
watchVideo();
tick();
