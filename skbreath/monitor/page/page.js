"use strict";
const $ = (id) => document.getElementById(id);
const WORDS = { I: "Inhale", E: "Exhale", pause: "Pause" };
const PEAK_RATE = 50; // values of the waveform per second, as in sound.py
const KEPT_S = 300; // of sound that waits for a lost connection
const AHEAD_S = 0.4; // of sound that is sent before it is answered
const BEHIND_S = 3; // of sound that waits, from which it is shown
const LATENCY_S = Number(document.body.dataset.latency);

// What is on the page: a recording that grows, or has ended.
class Recording {
  constructor(name, isLive) {
    Object.assign(this, {
      name, isLive, peaks: [], phases: [], gaps: [], blobs: [], blocks: [], time: 0, at: 0,
      known: 0, statistics: null, longest: 0, longestBefore: 0, now: null, since: 0, pause: 0,
      note: "", done: false, saved: true, rate: 0, n: 0,
    });
  }

  // Take a block of 16-bit samples of the microphone.
  add(block) {
    for (let i = 0; i < block.length; i++) {
      const place = Math.floor((this.n + i) * PEAK_RATE / this.rate);
      this.peaks[place] = Math.max(this.peaks[place] || 0, Math.abs(block[i]) / 32768);
    }
    this.n += block.length;
    this.time = this.n / this.rate;
    this.at = performance.now();
    this.saved = false;
    this.blocks.push(block);
    if (this.blocks.length === 100) this.pack(); // blobs need not stay in memory
  }

  pack() {
    if (this.blocks.length) this.blobs.push(new Blob(this.blocks));
    this.blocks = [];
  }

  // Take an answer of the server.
  take(answer) {
    if (answer.peaks) {
      const [first, values] = answer.peaks;
      values.forEach((value, i) => { this.peaks[first + i] = Math.max(this.peaks[first + i] || 0, value); });
    }
    if (answer.unusable) this.phases = [];
    this.phases.push(...answer.phases);
    if (!this.isLive) this.time = answer.time;
    this.done = Boolean(answer.done);
    this.known = this.done ? answer.time : Math.max(this.known, answer.time - LATENCY_S);
    Object.assign(this, { now: answer.now, since: answer.since_s, pause: answer.pause_s, note: answer.note });
    this.longest = Math.max(this.longestBefore, answer.longest_pause_s);
    this.statistics = { rate: answer.rate_per_min, ratio: answer.ie_ratio, note: answer.rate_note };
  }
}

let shown = new Recording("", false);
let source = null; // the Microphone or UploadedFile that runs

// ---- problems and state

const problems = new Map();
function setProblem(kind, text) {
  if ((problems.get(kind) || "") === text) return;
  if (text) problems.set(kind, text); else problems.delete(kind);
  $("problem").textContent = [...problems.values()].join(" ");
  $("problem").hidden = problems.size === 0;
}
function setStatus(text) { $("status").textContent = text; }

function begin(recording) {
  shown = recording;
  view.follow = recording.isLive;
  view.end = 0;
  problems.clear();
  setProblem("", "");
  $("problem").hidden = true;
  $("player").hidden = true;
  $("player").pause();
  show();
}

function running(next) {
  source = next;
  $("start").hidden = next !== null;
  $("open").disabled = next !== null;
  $("stop").hidden = next === null;
  show();
}

function mayReplace() {
  return shown.saved || confirm("The recording was not downloaded. Replace it?");
}

// ---- the microphone

const DENIED = {
  NotAllowedError: "The browser does not allow the microphone. Allow it for this page, beside the address, and start again.",
  NotFoundError: "There is no microphone. Connect one, and start again.",
  NotReadableError: "The microphone cannot be opened, perhaps as another program uses it. Close that, and start again.",
};

class Microphone {
  static async open() {
    if (!mayReplace()) return;
    $("start").disabled = true;
    let stream = null;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      });
      const context = new AudioContext();
      await context.audioWorklet.addModule("microphone.js");
      begin(new Recording(`breath-${timestamp()}`, true));
      running(new Microphone(stream, context));
      $("stop").focus();
    } catch (error) {
      stream?.getTracks().forEach((track) => track.stop());
      setProblem("microphone", DENIED[error.name] || `The microphone cannot be used: ${error.message}.`);
    } finally {
      $("start").disabled = false;
    }
  }

  constructor(stream, context) {
    Object.assign(this, { stream, context, waiting: [], delay: 500, ending: false, ready: false });
    shown.rate = this.rate = context.sampleRate;
    const node = new AudioWorkletNode(context, "microphone");
    this.port = node.port;
    node.port.onmessage = ({ data }) => { if (data === null) this.close(); else this.add(data); };
    context.createMediaStreamSource(stream).connect(node).connect(context.destination); // silent
    const [track] = stream.getTracks();
    track.onended = () => {
      setProblem("microphone", "The microphone was disconnected, or is no longer allowed.");
      this.stop();
    };
    track.onmute = () => setProblem("muted", "The microphone is muted.");
    track.onunmute = () => setProblem("muted", "");
    navigator.wakeLock?.request("screen").then((lock) => { this.lock = lock; }, () => {});
    this.connect();
  }

  connect() {
    const socket = this.socket = open("stream");
    socket.onopen = () => {
      this.ready = true;
      const first = this.waiting.length ? this.waiting[0].at : shown.n;
      this.acknowledged = this.sent = first;
      shown.longestBefore = shown.longest;
      socket.send(JSON.stringify({ rate: this.rate, start: first / this.rate }));
      this.send();
      setStatus("Listening.");
    };
    socket.onmessage = ({ data }) => {
      const answer = JSON.parse(data);
      if (answer.error) { this.error = answer.error; return; }
      this.delay = 500;
      setProblem("server", "");
      shown.take(answer);
      this.acknowledged = Math.round(answer.time * this.rate);
      while (this.waiting.length && this.waiting[0].at + this.waiting[0].block.length <= this.acknowledged) this.waiting.shift();
      this.send();
      this.watch();
      alarm.update(shown.pause);
      if (answer.done) this.end("Ended.");
      show();
    };
    socket.onclose = ({ code }) => this.lose(code);
  }

  lose(code) {
    this.ready = false;
    if (shown.done || this.ended) return;
    if (this.error && code === 1008) {
      setProblem("server", this.error);
      this.stop();
      return;
    }
    if (this.ending) { this.giveUp(); return; }
    const what = shown.known > 0 || this.delay > 500 ? "The connection to skbreath is lost" : "skbreath does not answer";
    setProblem("server", `${what}: check that \`skbreath monitor\` runs. The recording goes on, and phases do when it is back.`);
    setStatus("Trying to connect again.");
    setProblem("behind", "");
    Object.assign(shown, { now: null, pause: 0 });
    alarm.update(0);
    setTimeout(() => { if (!this.ending) this.connect(); }, this.delay);
    this.delay = Math.min(4000, 2 * this.delay);
    show();
  }

  add(block) {
    if (!block.length) return;
    this.waiting.push({ at: shown.n, block });
    shown.add(block);
    if (this.ready) this.send();
    else this.forget();
    this.watch();
  }

  // Send what was not sent yet. If answers are late, the blocks become longer, as these
  // take less time, up to 2 s.
  send(all = false) {
    while (this.sent < shown.n && (all || this.sent - this.acknowledged < AHEAD_S * this.rate)) {
      const blocks = this.waiting.filter(({ at }) => at >= this.sent && at < this.sent + 2 * this.rate).map(({ block }) => block);
      this.socket.send(new Blob(blocks));
      this.sent += blocks.reduce((sum, block) => sum + block.length, 0);
    }
  }

  // Drop what waits too long for a lost connection, and show that as a gap.
  forget() {
    while (this.waiting.length && (shown.n - this.waiting[0].at) / this.rate > KEPT_S) {
      const { at, block } = this.waiting.shift();
      const [from, to] = [at / this.rate, (at + block.length) / this.rate];
      const last = shown.gaps.at(-1);
      if (last && from - last[1] < 0.001) last[1] = to; else shown.gaps.push([from, to]);
    }
  }

  watch() {
    const behind = this.ready ? (shown.n - this.acknowledged) / this.rate : 0;
    if (behind > BEHIND_S) setProblem("behind", `This computer is too slow: the phases are ${behind.toFixed(0)} s behind. No sound is lost; close other programs.`);
    else if (behind < BEHIND_S / 2) setProblem("behind", "");
  }

  stop() {
    if (this.ending) return;
    this.ending = true;
    setStatus("Ending.");
    this.port.postMessage("end"); // it answers with the last block, and null
  }

  close() {
    this.stream.getTracks().forEach((track) => { track.onended = null; track.stop(); });
    this.context.close();
    if (!this.ready) { this.giveUp(); return; }
    this.send(true);
    this.socket.send(JSON.stringify({ finish: true }));
  }

  giveUp() {
    const from = this.waiting.length ? this.waiting[0].at / this.rate : shown.time;
    if (from < shown.time) {
      shown.gaps.push([from, shown.time]);
      setProblem("server", `The connection to skbreath is lost: the last ${(shown.time - from).toFixed(1)} s have no phases. The downloaded recording has them; open it here later.`);
    }
    shown.done = true;
    this.end("Ended.");
  }

  end(text) {
    if (this.ended) return;
    this.ended = true;
    this.socket.onclose = null;
    this.socket.close();
    this.lock?.release();
    shown.pack();
    shown.now = null;
    play(wav(shown));
    setProblem("behind", "");
    alarm.update(0);
    setStatus(text);
    running(null);
    save();
    $("start").focus();
  }
}

// ---- a file

class UploadedFile {
  static open(file) {
    if (source) { setProblem("file", "Press Stop before you open a recording."); return; }
    if (!file || !mayReplace()) return;
    begin(new Recording(file.name, false));
    running(new UploadedFile(file));
    play(file);
    setStatus(`Reading ${file.name}.`);
  }

  constructor(file) {
    const socket = this.socket = open("stream");
    let error = "skbreath does not answer: check that `skbreath monitor` runs.";
    socket.onopen = async () => {
      error = "The connection to skbreath is lost: check that `skbreath monitor` runs, and open the recording again.";
      socket.send(JSON.stringify({ file: file.name, size: file.size }));
      try {
        for (let at = 0; at < file.size; at += 2 ** 19) {
          const part = await file.slice(at, at + 2 ** 19).arrayBuffer();
          while (socket.bufferedAmount > 2 ** 22) await new Promise((go) => setTimeout(go, 10));
          if (socket.readyState !== WebSocket.OPEN) return;
          socket.send(part);
        }
      } catch (problem) {
        error = `${file.name} cannot be read: ${problem.message}`;
        socket.close();
      }
    };
    socket.onmessage = ({ data }) => {
      const answer = JSON.parse(data);
      if (answer.error) { error = answer.error; return; }
      shown.take(answer);
      if (answer.done) setStatus(`${file.name}: ${shown.phases.length} phases in ${clock(shown.time)}.`);
      show();
    };
    socket.onclose = () => {
      if (!shown.done && !this.stopped) setProblem("file", error);
      if (!shown.done) setStatus(this.stopped ? `Stopped reading ${file.name}.` : "Ready.");
      shown.done = true;
      shown.now = null;
      running(null);
      save();
    };
  }

  stop() {
    this.stopped = true;
    this.socket.close();
  }
}

function open(path) {
  const socket = new WebSocket(`ws://${location.host}/${path}`);
  socket.binaryType = "arraybuffer";
  return socket;
}

function play(sound) {
  URL.revokeObjectURL($("player").src);
  $("player").src = URL.createObjectURL(sound);
  $("player").hidden = false;
}

// ---- the alarm

const alarm = {
  on: false, quiet: false, last: 0, context: null,
  update(pause) {
    const limit = Number($("limit").value) || 10;
    const on = $("alarm-on").checked && pause >= limit;
    if (on && !this.on) $("alarm-text").textContent = `No breath for ${limit} s`;
    if (on !== this.on) {
      this.on = on;
      this.quiet = false;
      $("alarm").hidden = !on;
      document.title = on ? "⚠ No breath" : "Breath monitor";
    }
    if (on && !this.quiet && $("beep").checked && performance.now() - this.last > 1500) this.beep();
  },
  beep() {
    this.last = performance.now();
    const context = this.context ??= new AudioContext();
    context.resume();
    const [tone, level] = [context.createOscillator(), context.createGain()];
    tone.frequency.value = 880;
    level.gain.setValueAtTime(0.25, context.currentTime);
    level.gain.linearRampToValueAtTime(0, context.currentTime + 0.25);
    tone.connect(level).connect(context.destination);
    tone.start();
    tone.stop(context.currentTime + 0.25);
  },
};

// ---- numbers

function clock(seconds) {
  const s = Math.floor(seconds), two = (n) => String(n).padStart(2, "0");
  return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}
function timestamp() {
  const now = new Date(), two = (n) => String(n).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}

function show() {
  const { statistics, time, done } = shown;
  const tile = (id, value, note) => {
    if ($(id).textContent !== value) $(id).textContent = value;
    if ($(`${id}-note`).textContent !== note) $(`${id}-note`).textContent = note;
  };
  const none = time > 0 ? "no breath yet" : "no sound yet";
  const scope = done ? "whole recording" : shown.isLive ? "last minute" : "so far";
  $("now-tile").className = !done && shown.now ? `state-${shown.now}` : "";
  $("now-name").textContent = done ? "Length" : "Now";
  if (done) tile("now", clock(time), `${shown.phases.length} phases`);
  else tile("now", WORDS[shown.now] || "–", shown.now === "pause" ? `for ${shown.pause.toFixed(1)} s` : shown.now ? `since ${clock(shown.since)}` : none);
  const rate = statistics?.rate, ratio = statistics?.ratio;
  const doubt = !statistics?.note ? "" : statistics.note.startsWith("too few") ? "too few breaths" : "not certain enough";
  tile("rate", rate ? rate.toFixed(1) : "–", statistics ? doubt || scope : none);
  tile("ratio", ratio ? `1 : ${(1 / ratio).toFixed(1)}` : "–", statistics ? scope : none);
  tile("longest", time > 0 ? `${shown.longest.toFixed(1)} s` : "–", time > 0 ? done ? "whole recording" : "so far" : none);
  const why = doubt === "not certain enough" ? statistics.note : "";
  const note = [shown.note && `The sound ${shown.note}.`, why && `${why[0].toUpperCase()}${why.slice(1)}.`].filter(Boolean).join(" ");
  if ($("note").textContent !== note) $("note").textContent = note;
  $("note").hidden = !note;
  $("labels").disabled = shown.phases.length === 0;
  $("recording").disabled = !(shown.isLive && shown.n > 0);
  $("view").setAttribute("aria-label", `Waveform and phases: ${shown.phases.length} phases in ${clock(time)}`);
  showRows();
  redraw();
  if (performance.now() - saved > 5000) save();
}

let rows = null;
function showRows() {
  const last = shown.phases.at(-1);
  if (rows === last) return;
  rows = last;
  $("rows").replaceChildren(...shown.phases.slice(-50).reverse().map(([start, end, label]) => {
    const row = document.createElement("tr");
    for (const text of [WORDS[label] || label, start.toFixed(2), end.toFixed(2)]) row.appendChild(document.createElement("td")).textContent = text;
    return row;
  }));
}

// ---- the picture

const view = { span: innerWidth < 640 ? 10 : 20, end: 0, follow: true };
let colours = null, asked = false, drawn = 0;
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { colours = null; redraw(); });
addEventListener("resize", () => redraw());

function redraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame((now) => {
    asked = false;
    if (now - drawn > 30) { drawn = now; draw(); } else { redraw(); return; }
    if (source instanceof Microphone) redraw();
  });
}

function theme() {
  const style = getComputedStyle(document.documentElement);
  const names = ["ink", "soft", "line", "inhale", "exhale", "quiet", "card", "paper"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

function draw() {
  colours ??= theme();
  const canvas = $("view"), scale = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  // Blocks arrive every 0.1 s; between them the picture moves on.
  const lead = source instanceof Microphone ? Math.min(0, (performance.now() - shown.at) / 1000 - 0.1) : 0;
  if (view.follow) view.end = Math.max(view.span, shown.time + lead);
  view.end = Math.max(view.span, view.end);
  const from = view.end - view.span, x = (s) => (s - from) / view.span * width;
  const floor = height - 24, strip = floor - 22, middle = (strip + 6) / 2;
  const phases = phasesInView(from, view.end);
  const tone = (label) => (label === "I" ? colours.inhale : colours.exhale);
  for (const [start, end, label] of phases) {
    const left = x(start), wide = Math.max(1, x(end) - left - 1);
    pen.fillStyle = tone(label);
    pen.globalAlpha = 0.14;
    pen.fillRect(left, 0, wide, strip);
    pen.globalAlpha = 1;
    pen.fillRect(left, strip, wide, 20);
    if (wide > 16) text(pen, wide > 50 ? WORDS[label] || label : label, left + wide / 2, strip + 14, colours.paper, "center", "600 12px");
  }
  if (shown.known < shown.time) shade(pen, x(shown.known), x(shown.time), strip);
  for (const [start, end] of shown.gaps) shade(pen, x(start), x(end), strip, "no phases");
  wave(pen, from, width, phases, tone, middle);
  axis(pen, from, x, width, floor);
  if (!$("player").hidden && $("player").currentTime > 0) {
    pen.fillStyle = colours.ink;
    pen.fillRect(x($("player").currentTime), 0, 2, floor);
  }
  if (!shown.time && !source) text(pen, width < 480 ? "Start the microphone, or open a recording" : "Start the microphone, or drop a recording here", width / 2, height / 2 - 10, colours.soft, "center", width < 480 ? "14px" : "16px");
  const most = Math.max(0, shown.time - view.span);
  $("scroll-label").hidden = most === 0;
  Object.assign($("scroll"), { max: most, value: view.follow ? most : from });
  $("scroll").setAttribute("aria-valuetext", `from ${clock(from)} to ${clock(view.end)}`);
}

function phasesInView(from, to) {
  let [low, high] = [0, shown.phases.length];
  while (low < high) {
    const half = (low + high) >> 1;
    if (shown.phases[half][1] < from) low = half + 1; else high = half;
  }
  const found = [];
  while (low < shown.phases.length && shown.phases[low][0] < to) found.push(shown.phases[low++]);
  // The phase that has begun, but not ended.
  if (!shown.done && shown.now && shown.now !== "pause" && shown.known > shown.since) found.push([shown.since, shown.known, shown.now]);
  return found;
}

function wave(pen, from, width, phases, tone, middle) {
  const step = 2;
  let loudest = 0.003;
  const values = [];
  for (let px = 0; px < width; px += step) {
    const first = Math.floor((from + px / width * view.span) * PEAK_RATE);
    const last = Math.max(first + 1, Math.floor((from + (px + step) / width * view.span) * PEAK_RATE));
    let value = 0;
    for (let i = Math.max(0, first); i < last && i < shown.peaks.length; i++) value = Math.max(value, shown.peaks[i] || 0);
    values.push(value);
    loudest = Math.max(loudest, value);
  }
  let number = 0;
  values.forEach((value, i) => {
    const time = from + i * step / width * view.span;
    while (number < phases.length && phases[number][1] <= time) number++;
    const inside = number < phases.length && phases[number][0] <= time;
    pen.fillStyle = inside ? tone(phases[number][2]) : colours.quiet;
    const size = value === 0 ? 0 : Math.max(1, value / loudest * (middle - 6));
    pen.fillRect(i * step, middle - size, step - 0.5, 2 * size);
  });
}

function shade(pen, left, right, height, words) {
  pen.fillStyle = colours.quiet;
  pen.globalAlpha = 0.22;
  pen.fillRect(left, 0, right - left, height + 20);
  pen.globalAlpha = 1;
  if (words && right - left > 80) text(pen, words, (left + right) / 2, height + 14, colours.ink, "center");
}

function axis(pen, from, x, width, floor) {
  const every = [1, 2, 5, 10, 30, 60, 120, 300].find((s) => s / view.span * width >= 64) || 600;
  pen.fillStyle = colours.line;
  pen.fillRect(0, floor, width, 1);
  for (let s = Math.ceil(from / every) * every; s <= view.end; s += every) {
    pen.fillStyle = colours.soft;
    pen.fillRect(x(s), floor, 1, 5);
    if (s === 0) text(pen, clock(s), x(s) + 4, floor + 18, colours.soft, "left");
    else if (x(s) > 16 && x(s) < width - 16) text(pen, clock(s), x(s), floor + 18, colours.soft, "center");
  }
}

function text(pen, words, left, top, colour, align, font = "12px") {
  pen.font = `${font} system-ui, "DejaVu Sans", sans-serif`;
  pen.textAlign = align;
  pen.fillStyle = colour;
  pen.fillText(words, left, top);
}

function moveTo(end) {
  view.end = Math.max(view.span, Math.min(end, shown.time));
  view.follow = source instanceof Microphone && view.end >= shown.time - 0.2;
  redraw();
}

// ---- downloads, and what outlives a reload

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function wav(recording) {
  const sound = [...recording.blobs, ...recording.blocks], size = 2 * recording.n;
  const header = new DataView(new ArrayBuffer(44));
  const write = (at, word) => [...word].forEach((letter, i) => header.setUint8(at + i, letter.charCodeAt(0)));
  write(0, "RIFF"); header.setUint32(4, 36 + size, true); write(8, "WAVEfmt ");
  header.setUint32(16, 16, true); header.setUint16(20, 1, true); header.setUint16(22, 1, true);
  header.setUint32(24, recording.rate, true); header.setUint32(28, 2 * recording.rate, true);
  header.setUint16(32, 2, true); header.setUint16(34, 16, true);
  write(36, "data"); header.setUint32(40, size, true);
  return new Blob([header, ...sound], { type: "audio/wav" });
}

let saved = 0;
function save() {
  saved = performance.now();
  const { name, isLive, phases, gaps, time, statistics, longest, done } = shown;
  try {
    sessionStorage.setItem("recording", JSON.stringify({ name, isLive, phases, gaps, time, statistics, longest, done }));
  } catch { /* full, or forbidden: labels do not outlive a reload then */ }
}

function restore() {
  let kept = null;
  try { kept = JSON.parse(sessionStorage.getItem("recording")); } catch { /* forbidden */ }
  if (!kept || !kept.time) return;
  shown = Object.assign(new Recording("", false), kept, { known: kept.time, done: true });
  view.follow = false;
  setStatus(`The page was loaded again: the labels until ${clock(kept.time)} are kept.`);
  if (!kept.done) setProblem("reload", "The page was loaded again while it ran. Its labels are kept, its sound is not.");
}

addEventListener("pagehide", save);
addEventListener("beforeunload", (event) => { if (source || !shown.saved) event.preventDefault(); });

// ---- controls

$("start").onclick = () => Microphone.open();
$("stop").onclick = () => source?.stop();
$("open").onclick = () => $("file").click();
$("file").onchange = () => { UploadedFile.open($("file").files[0]); $("file").value = ""; };
$("quiet").onclick = () => { alarm.quiet = true; $("view").focus(); };
$("test").onclick = () => alarm.beep();
$("limit").onchange = () => { $("limit").value = Math.max(2, Math.min(120, Math.round(Number($("limit").value)) || 10)); };
$("labels").onclick = () => {
  const lines = shown.phases.map(([start, end, label]) => `${start.toFixed(6)}\t${end.toFixed(6)}\t${label}\n`);
  download(new Blob(lines, { type: "text/plain" }), `${shown.name.replace(/\.\w+$/, "")}.txt`);
};
$("recording").onclick = () => {
  download(wav(shown), `${shown.name}.wav`);
  if (shown.done) shown.saved = true;
};
$("scroll").oninput = () => moveTo(Number($("scroll").value) + view.span);
$("view").onkeydown = (event) => {
  const zoom = (factor) => { view.span = Math.max(5, Math.min(600, view.span * factor)); moveTo(view.end); };
  const actions = {
    ArrowLeft: () => moveTo(view.end - view.span / 4),
    ArrowRight: () => moveTo(view.end + view.span / 4),
    Home: () => moveTo(0),
    End: () => moveTo(shown.time),
    "+": () => zoom(0.5),
    "-": () => zoom(2),
  };
  if (event.ctrlKey || event.metaKey || event.altKey || !actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
};
$("player").onerror = () => { $("player").hidden = true; };
$("player").ontimeupdate = () => {
  const now = $("player").currentTime;
  if (now < view.end - view.span || now > view.end) moveTo(now + view.span * 0.9);
  redraw();
};
addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  UploadedFile.open(event.dataTransfer.files[0]);
});

restore();
show();
