// Puts the page together: who hears whom. What each part does is in its own file.

import {
  asSentence,
  refocusScene,
  renameScene,
  sentenceFor,
  sessionUrl,
  thumbnailUrl,
  whyKeptOut,
} from "./api.js";
import { Arrivals } from "./arrivals.js";
import { Card } from "./card.js";
import { Connection } from "./connection.js";
import { bindDoorway } from "./doorway.js";
import { Flash } from "./flash.js";
import { Gallery } from "./gallery.js";
import { Gamepads } from "./gamepad.js";
import { Glow } from "./glow.js";
import { Head } from "./head.js";
import { Hint } from "./hint.js";
import { PoseHistory } from "./history.js";
import { watchIdle } from "./idle.js";
import { Keyboard } from "./keyboard.js";
import { Lens } from "./lens.js";
import { viewOf } from "./optics.js";
import { Panel } from "./panel.js";
import { byId } from "./parts.js";
import { bindPointer } from "./pointer.js";
import { Quality } from "./quality.js";
import { Receiver } from "./receiver.js";
import { Removal } from "./removal.js";
import { RoundTrip } from "./roundtrip.js";
import { Showing } from "./showing.js";
import { Stage } from "./stage.js";
import { Stages } from "./stages.js";
import { DecodeMeter, FrameStatistics } from "./statistics.js";
import { Tilt } from "./tilt.js";
import { Toast } from "./toast.js";
import { Tracker } from "./tracker.js";
import { ViewPicker } from "./viewpicker.js";
import { Door } from "./xrdoor.js";

const MOST_PIXELS = 1024; // per side of an eye, whatever the screen has
const STILL_AFTER_S = 1;
const TROUBLE_S = 20; // how long a sentence is shown that asks for more than a click
const FRAMES_REMEMBERED = 600; // for the debug object

/** @typedef {import("./wire.js").Scene} Scene */

const $ = (/** @type {string} */ id) => byId(id, HTMLElement);
const canvas = byId("canvas", HTMLCanvasElement);
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** @type {import("./wire.js").Told<"welcome"> | null} */
let welcome = null; // the server's, of this session
let trouble = ""; // why there is no connection
let isListed = false; // whether the server's list has come
/** @type {{key: number | null, head: object | null, latency: number | null, shownAt: number}[]} */
const frames = []; // the last ones shown

const toast = new Toast($("toast"));
const glow = new Glow(byId("glow", HTMLCanvasElement));
const head = new Head();
/** @type {PoseHistory<import("./frame.js").Sent>} */
const history = new PoseHistory();
/** @type {PoseHistory<import("./frame.js").Header>} */
const headers = new PoseHistory(); // of frames, by the same keys
const statistics = new FrameStatistics();
const stages = new Stages();
const roundTrip = new RoundTrip();
const decoding = new DecodeMeter();
const stage = makeStage();
const connection = new Connection({
  url: sessionUrl(),
  hello,
  onState: connectionChanged,
  onMessage: hear,
  whyKeptOut,
});
const receiver = new Receiver({
  send: (message) => connection.send(message),
  onTrack: (track) => stage.attach(track),
  onTrouble: (sentence) => toast.show(sentence, { seconds: TROUBLE_S }),
});
const tracker = new Tracker({ head, history, connection });
const showing = new Showing({
  favourite: decodeURIComponent(location.hash.slice(1)),
  select: (scene) => connection.send({ type: "scene_select", scene }),
  onEnter: enter,
  onLeave: leave,
});
const arrivals = new Arrivals({ card: new Card($("card")), onScene: show });
const gallery = new Gallery({
  list: $("scenes"),
  template: byId("tile", HTMLTemplateElement),
  handlers: { show: (scene) => show(scene.id), rename, remove: (scene) => removal.begin(scene) },
});
const door = new Door({
  buttons: { "immersive-vr": $("vr-button"), "immersive-ar": $("ar-button") },
  stage,
  thumbnailUrl,
  onPose: (now, viewer) => tracker.send(now, viewer),
  show,
  onEnd: update,
  onTrouble: (sentence) => toast.show(asSentence(sentence)),
});
const removal = new Removal({ toast, gallery, onAway: showAnother, onBack: showAgain });
const panel = new Panel({ element: $("panel"), button: $("panel-button"), read: readFigures, stages });
const flash = new Flash({ head, stage, tell: (sentence) => panel.say(sentence, flash.isRunning) });
const quality = new Quality({
  element: $("quality"),
  storage: () => localStorage,
  send: (message) => connection.send(message),
});
const lens = new Lens({ element: $("lens"), button: $("lens-button"), refocus: refocusScene });
const views = new ViewPicker({ element: $("controls"), swapButton: $("swap-button"), stage });
const keyboard = new Keyboard(window, head, {
  ...views.keys,
  r: () => head.recentre(),
  i: () => panel.toggle(),
  m: measure,
  l: () => $("controls").hidden || lens.toggle(),
  f: toggleFullScreen,
});
const gamepads = new Gamepads({ head, onStep: (way) => door.step(way) });
const hint = new Hint({
  element: $("hint"),
  storage: () => localStorage,
  words: matchMedia("(hover: none)").matches
    ? "Drag to lean · pinch to come closer"
    : "Drag to lean · scroll to come closer · Shift-drag to look around",
});
const tilt = new Tilt({ head, focus: () => showing.current?.focus_m ?? 1 });

bindPointer(canvas, head);
watchIdle($("stage"));
bindDoorway({
  input: byId("file", HTMLInputElement),
  buttons: [$("add-button"), $("choose-button")],
  veil: $("veil"),
  onFiles: (files) => arrivals.add(files),
});
$("centre-button").addEventListener("click", () => head.recentre());
$("tilt-button").addEventListener("click", toggleTilt);
$("tilt-button").hidden = !Tilt.isOffered;
$("flash-button").addEventListener("click", measure);
$("full-button").addEventListener("click", toggleFullScreen);
$("full-button").hidden = !document.fullscreenEnabled;
connection.start();
tick(performance.now());

function makeStage() {
  try {
    return new Stage({
      area: $("frame"),
      canvas,
      video: byId("video", HTMLVideoElement),
      history,
      headers,
      viewOf: (scene) => viewOf(scene, head.pose.head),
      onFrame: frameShown,
      onDecoded: (key) => tracker.acknowledge(key),
    });
  } catch (error) {
    // Nothing works without: said where else it would say "Connecting…" for ever.
    $("status").textContent = "This browser cannot show it";
    $("waiting-words").textContent = sentenceFor(error);
    $("waiting").hidden = false;
    throw error;
  }
}

// --- the session -------------------------------------------------------------------------------

/** @returns {ReturnType<ConstructorParameters<typeof Connection>[0]["hello"]>} */
function hello() {
  const pixels = Math.max($("frame").clientWidth, $("frame").clientHeight) * devicePixelRatio;
  const side = Math.min(Math.max(Math.round(pixels), 256), MOST_PIXELS);
  // Square, though the picture is not: the fields of view take the photo's shape, so that no pixel of the
  // video is spent on bars.
  return {
    agent: `page (${navigator.userAgent})`,
    kind: "browser",
    capabilities: ["depth", "overscan", "quality"],
    display: { eye_width: side, eye_height: side, refresh_hz: 60 },
  };
}

/** @param {import("./wire.js").FromServer} message */
function hear(message) {
  switch (message.type) {
    case "welcome":
      welcome = message;
      quality.welcomed(message);
      showing.welcomed();
      return receiver.start();
    case "answer":
      return receiver.answer(message.sdp);
    case "candidate":
      return receiver.addCandidate(message);
    case "ice_restart":
      return receiver.start();
    case "scene_list":
      isListed = true;
      gallery.setScenes(message.scenes);
      showing.listed(gallery.scenes); // without what was deleted here and may come back
      lens.show(showing.current);
      return update();
    case "scene_ready":
      return showing.ready(message.scene);
    case "progress":
      return arrivals.hear(message);
    case "frame_header":
      stages.hear(message.times);
      headers.remember(message.key, message);
      return undefined;
    case "pong":
      return roundTrip.hear(message, performance.now());
    case "stream_quality":
      quality.told = message;
      return undefined;
    case "problem":
      showing.refused();
      gallery.setCurrent(showing.current?.id ?? null);
      return toast.show(asSentence(message.message));
    default:
      throw new Error(`${message.type} is of the protocol, but not for a page`);
  }
}

/**
 * @param {import("./connection.js").State} state
 * @param {string} sentence
 */
function connectionChanged(state, sentence) {
  trouble = sentence && asSentence(sentence);
  if (state === "away" || state === "outdated") receiver.stop();
  update();
}

// --- scenes ------------------------------------------------------------------------------------

/** @param {string} id */
function show(id) {
  showing.ask(id);
  gallery.setCurrent(id);
}

/**
 * @param {Scene} scene
 * @param {boolean} isOther unless it was on the stage already: its field of view is another, or the connection is
 */
function enter(scene, isOther) {
  if (isOther) {
    head.enter(scene.focus_m, !reducedMotion.matches);
    door.arrive();
    glow.show(thumbnailUrl(scene.id));
    window.history.replaceState(null, "", `#${encodeURIComponent(scene.id)}`);
  } else head.refocus(scene.focus_m);
  tracker.enter(scene);
  stage.enter(scene);
  lens.show(scene);
  gallery.setCurrent(scene.id);
  update();
}

function leave() {
  tracker.enter(null);
  stage.enter(null);
  canvas.hidden = true;
  update();
}

/**
 * @param {Scene} scene
 * @param {string} name
 */
async function rename(scene, name) {
  try {
    await renameScene(scene.id, name); // the server sends everyone the new list
  } catch (error) {
    toast.show(sentenceFor(error));
  }
}

/** @param {Scene} deleted */
function showAnother(deleted) {
  const next = gallery.scenes[0];
  if (deleted.id === showing.current?.id) {
    if (next) show(next.id);
    else showing.leave();
  }
  update();
}

/** @param {Scene} scene */
function showAgain(scene) {
  if (!showing.current) show(scene.id); // it was the only one
  update();
}

// --- frames ------------------------------------------------------------------------------------

/** @param {number} before when the last turn was */
function tick(before) {
  requestAnimationFrame(() => {
    const now = performance.now();
    const seconds = Math.min((now - before) / 1000, 0.1); // a tab in the background stands still
    if (!door.isOpen) {
      keyboard.advance(seconds);
      gamepads.advance(seconds);
      tilt.advance(seconds);
      head.advance(seconds);
      flash.move();
      tracker.advance(now);
      if (flash.isRunning) flash.look();
      else stage.turn(now);
    }
    hint.update(!canvas.hidden, head.isTouched);
    tick(now);
  });
}

/** @param {import("./stage.js").Shown} shown */
function frameShown({ key, sent, at, shownAt }) {
  const latency = sent ? at - sent.at : null;
  statistics.add(at, latency, sent ? shownAt - sent.at : null);
  frames.push({ key, head: sent?.head ?? null, latency, shownAt });
  if (frames.length > FRAMES_REMEMBERED) frames.shift();
  if (key === null) return;
  if (sent) {
    const times = headers.find(key)?.times;
    if (times) stages.add({ key, sentAt: sent.at, at, shownAt, times });
    connection.send({ type: "report", key, decoded_ms: at - sent.at, shown_ms: shownAt - sent.at });
  }
  if (showing.current && canvas.hidden) {
    canvas.hidden = false;
    update();
  }
}

async function readFigures() {
  connection.send(roundTrip.ping(performance.now()));
  const inbound = await receiver.statistics();
  if (inbound) decoding.read(inbound);
  Object.assign(stages, { upMs: roundTrip.wayMs, decodeMs: decoding.ms });
  return {
    summary: statistics.summary(performance.now()),
    isStill: head.restedS > STILL_AFTER_S,
    inbound,
    eyeSize: stage.eyeSize,
    welcome,
    scene: showing.current,
    quality: quality.told,
  };
}

async function toggleTilt() {
  try {
    $("tilt-button").setAttribute("aria-pressed", String(!tilt.isOn));
    await tilt.toggle();
  } catch (error) {
    toast.show(sentenceFor(error));
  }
  $("tilt-button").setAttribute("aria-pressed", String(tilt.isOn));
}

// --- what stands around the picture --------------------------------------------------------------

// Everything that depends on connection, list and scene, in one place.
function update() {
  const { state } = connection;
  const { current } = showing;
  const isEmpty = isListed && gallery.scenes.length === 0;
  const isLive = state === "live";
  const hasPicture = !canvas.hidden;
  door.update(gallery.scenes, current?.id ?? null, isLive ? "" : trouble);
  document.body.dataset.connection = state;
  document.title = current ? `${current.name} – sharp-xr` : "sharp-xr";
  $("status").textContent = isLive ? (current?.name ?? "Ready") : trouble || "Connecting…";
  $("status").title = $("status").textContent; // a narrow page shows only its beginning
  $("welcome").hidden = !isEmpty || hasPicture;
  $("add-button").hidden = isEmpty;
  $("waiting").hidden = isEmpty || (hasPicture && isLive);
  $("waiting-words").textContent = isLive ? "Opening the scene…" : trouble || "Connecting…";
  $("gallery").hidden = gallery.scenes.length === 0;
  $("controls").hidden = !hasPicture;
  if (!hasPicture && !$("lens").hidden) lens.toggle();
  $("glow").hidden = !hasPicture;
}

// How long a motion takes to the picture; the panel says it.
function measure() {
  panel.open();
  if (canvas.hidden) panel.say("There is no picture to measure with. Open a scene first.", false);
  else flash.toggle();
}

function toggleFullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else $("stage").requestFullscreen?.();
}

// For tests and curious people at the console.
const debug = {
  frames,
  get state() {
    const { fps, median, p95, matchedShare } = statistics.summary(performance.now());
    const { shown, matched } = statistics;
    const scene = showing.current?.id ?? null;
    return { connection: connection.state, scene, fps, median, p95, matchedShare, shown, matched };
  },
  get head() {
    return head.pose.head;
  },
  door,
  flash,
  /** @param {import("./head.js").Move} place */
  setHead(place) {
    head.stopSway();
    head.place(place);
  },
};
Object.assign(window, { sharpXr: debug });
