// Puts the page together: who hears whom. What each part does is in its own file.

import { asSentence, newPairingCode, refocusScene, renameScene, sentenceFor, thumbnailUrl } from "./api.js";
import { Arrivals } from "./arrivals.js";
import { CarriedKeys } from "./carried.js";
import { Card } from "./card.js";
import { Controls } from "./controls.js";
import { bindDoorway } from "./doorway.js";
import { Flash } from "./flash.js";
import { Gallery } from "./gallery.js";
import { Glow } from "./glow.js";
import { Head } from "./head.js";
import { watchIdle } from "./idle.js";
import { Ledger } from "./ledger.js";
import { Lens } from "./lens.js";
import { viewOf } from "./optics.js";
import { Pairing } from "./pairing.js";
import { Panel } from "./panel.js";
import { byId } from "./parts.js";
import { Quality } from "./quality.js";
import { Removal } from "./removal.js";
import { Session } from "./session.js";
import { Showing } from "./showing.js";
import { Stage } from "./stage.js";
import { Toast } from "./toast.js";
import { Tracker } from "./tracker.js";
import { Door } from "./xrdoor.js";

const STILL_AFTER_S = 1;
const TROUBLE_S = 20; // how long a sentence is shown that asks for more than a click

/** @typedef {import("./wire.js").Scene} Scene */

const $ = (/** @type {string} */ id) => byId(id, HTMLElement);
const canvas = byId("canvas", HTMLCanvasElement);
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

let isListed = false; // whether the server's list has come

const toast = new Toast($("toast"));
const glow = new Glow(byId("glow", HTMLCanvasElement));
const head = new Head();
const ledger = new Ledger();
const carried = new CarriedKeys(() => session.receiver.start());
const stage = makeStage();
const session = new Session({
  area: $("frame"),
  hearers: {
    welcome(message) {
      quality.welcomed(message);
      showing.welcomed();
    },
    scene_list: listed,
    scene_ready: ({ scene }) => showing.ready(scene),
    progress: (message) => arrivals.hear(message),
    frame_header: (message) => ledger.heard(message),
    pong: (message) => ledger.answered(message),
    stream_quality: (message) => (quality.told = message),
    problem: refused,
  },
  onState: update,
  onTrack: (track) => stage.attach(track),
  onTrouble: (sentence) => toast.show(sentence, { seconds: TROUBLE_S }),
  carried,
});
const tracker = new Tracker({ head, history: ledger.history, connection: session.connection });
const showing = new Showing({
  favourite: decodeURIComponent(location.hash.slice(1)),
  select: (scene) => session.send({ type: "scene_select", scene }),
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
  onDisplay: (display) => session.wear(display),
  onPose: (now, viewer) => tracker.send(now, viewer),
  show,
  onEnd: update,
  onTrouble: (sentence) => toast.show(asSentence(sentence)),
});
const removal = new Removal({ toast, gallery, onAway: showAnother, onBack: showAgain });
const panel = new Panel({ element: $("panel"), button: $("panel-button"), read: readFigures, stages: ledger.stages });
const flash = new Flash({ head, stage, tell: (sentence) => panel.say(sentence, flash.isRunning) });
const quality = new Quality({
  element: $("quality"),
  storage: () => localStorage,
  send: (message) => session.send(message),
});
const lens = new Lens({ element: $("lens"), button: $("lens-button"), refocus: refocusScene });
const pairing = new Pairing({ dialog: byId("pair", HTMLDialogElement), button: $("pair-button"), ask: newPairingCode });
const controls = new Controls({
  head,
  stage,
  focus: () => showing.current?.focus_m ?? 1,
  onStep: (way) => door.step(way),
  onFigures: () => panel.toggle(),
  onMeasure: measure,
  onLens: () => $("controls").hidden || lens.toggle(),
  onPair: () => pairing.open(),
  tell: (sentence) => toast.show(sentence),
});

watchIdle($("stage"));
bindDoorway({
  input: byId("file", HTMLInputElement),
  buttons: [$("add-button"), $("choose-button")],
  veil: $("veil"),
  onFiles: (files) => arrivals.add(files),
});
session.start();
tick(performance.now());

function makeStage() {
  try {
    return new Stage({
      area: $("frame"),
      canvas,
      video: byId("video", HTMLVideoElement),
      history: ledger.history,
      headers: ledger.headers,
      viewOf: (scene) => viewOf(scene, head.pose.head),
      onFrame: frameShown,
      onDecoded: (key) => tracker.acknowledge(key),
      carried,
    });
  } catch (error) {
    // Nothing works without: said where else it would say "Connecting…" for ever.
    $("status").textContent = "This browser cannot show it";
    $("waiting-words").textContent = sentenceFor(error);
    $("waiting").hidden = false;
    throw error;
  }
}

// --- scenes ------------------------------------------------------------------------------------

/** @param {import("./wire.js").Told<"scene_list">} message */
function listed({ scenes }) {
  isListed = true;
  gallery.setScenes(scenes);
  showing.listed(gallery.scenes); // without what was deleted here and may come back
  lens.show(showing.current);
  update();
}

/** @param {import("./wire.js").Told<"problem">} problem */
function refused({ message }) {
  showing.refused();
  gallery.setCurrent(showing.current?.id ?? null);
  toast.show(asSentence(message));
}

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
      controls.advance(seconds);
      head.advance(seconds);
      flash.move();
      tracker.advance(now);
      if (flash.isRunning) flash.look();
      else stage.turn(now);
    }
    controls.remind(!canvas.hidden);
    tick(now);
  });
}

/** @param {import("./stage.js").Shown} shown */
function frameShown(shown) {
  const report = ledger.shown(shown);
  if (report) session.send(report);
  if (showing.current && canvas.hidden) {
    canvas.hidden = false;
    update();
  }
}

async function readFigures() {
  session.send(ledger.ping());
  const inbound = await session.receiver.statistics();
  ledger.measured(inbound);
  return {
    summary: ledger.summary(),
    isStill: head.restedS > STILL_AFTER_S,
    inbound,
    eyeSize: stage.eyeSize,
    isCoarse: stage.isCoarse,
    welcome: session.welcome,
    scene: showing.current,
    quality: quality.told,
  };
}

// --- what stands around the picture --------------------------------------------------------------

// Everything that depends on connection, list and scene, in one place.
function update() {
  const { state, trouble } = session;
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

// For tests and curious people at the console.
const debug = {
  frames: ledger.frames,
  get state() {
    const { fps, median, p95, matchedShare } = ledger.summary();
    const { shown, matched } = ledger.statistics;
    const scene = showing.current?.id ?? null;
    return { connection: session.state, scene, fps, median, p95, matchedShare, shown, matched };
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
