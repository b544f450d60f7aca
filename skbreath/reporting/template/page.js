"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { positives, negatives, low, high } = data; // scores of each class, ascending
  const $ = (id) => document.getElementById(id);

  // How many of an ascending array are below a value.
  const below = (sorted, value) => {
    let from = 0, to = sorted.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (sorted[middle] < value) from = middle + 1; else to = middle;
    }
    return from;
  };
  const counts = (t) => {
    const fn = below(positives, t), tn = below(negatives, t);
    return { tp: positives.length - fn, fn, fp: negatives.length - tn, tn };
  };
  const ratio = (part, whole) => (whole ? part / whole : NaN);
  const metrics = ({ tp, fn, fp, tn }) => {
    const recall = ratio(tp, tp + fn), specificity = ratio(tn, tn + fp);
    return {
      accuracy: ratio(tp + tn, tp + fn + fp + tn),
      balanced_accuracy: (recall + specificity) / 2,
      f1: ratio(2 * tp, 2 * tp + fp + fn),
      precision: ratio(tp, tp + fp),
      recall, specificity,
      called: ratio(tp + fp, tp + fn + fp + tn),
    };
  };
  const text = (value) => (Number.isNaN(value) ? "–" : value.toFixed(3));

  // ---- Charts -----------------------------------------------------------------
  const NS = "http://www.w3.org/2000/svg";
  const add = (parent, tag, attributes, content) => {
    const node = document.createElementNS(NS, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    if (content !== undefined) node.textContent = content;
    parent.append(node);
    return node;
  };
  const ticks = (from, to, whole) => {
    const rough = Math.max((to - from) / 4, whole ? 1 : 0), power = 10 ** Math.floor(Math.log10(rough));
    const step = power * (whole ? [1, 2, 5, 10] : [1, 2, 2.5, 5, 10]).find((m) => power * m >= rough * 0.999);
    const all = [];
    for (let i = Math.ceil(from / step - 1e-9); i * step <= to + 1e-9; i++) all.push(i * step);
    return all;
  };
  const short = (value) => String(+value.toFixed(4));
  const chart = (id, { x = [0, 1], y = [0, 1], xLabel, yLabel, label, yText = short, whole = false }) => {
    const svg = add($(id), "svg", { viewBox: "0 0 380 290", role: "img", "aria-label": label });
    const X = (v) => 52 + (316 * (v - x[0])) / (x[1] - x[0]);
    const Y = (v) => 240 - (228 * (v - y[0])) / (y[1] - y[0]);
    for (const v of ticks(...x, whole)) {
      add(svg, "line", { class: "grid", x1: X(v), x2: X(v), y1: 12, y2: 240 });
      add(svg, "text", { x: X(v), y: 258, "text-anchor": "middle" }, short(v));
    }
    for (const v of ticks(...y)) {
      add(svg, "line", { class: "grid", x1: 52, x2: 368, y1: Y(v), y2: Y(v) });
      add(svg, "text", { x: 46, y: Y(v) + 4, "text-anchor": "end" }, yText(v));
    }
    add(svg, "text", { x: 210, y: 282, "text-anchor": "middle" }, xLabel);
    add(svg, "text", { x: 12, y: 126, "text-anchor": "middle", transform: "rotate(-90 12 126)" }, yLabel);
    return {
      svg, X, Y,
      line: (points, cls) => add(svg, "path", {
        class: "path " + cls,
        d: points.map(([a, b], i) => (i ? "L" : "M") + X(a).toFixed(1) + " " + Y(b).toFixed(1)).join(""),
      }),
      straight: (a, b, cls) => add(svg, "line", { class: cls, x1: X(a[0]), y1: Y(a[1]), x2: X(b[0]), y2: Y(b[1]) }),
      dot: (a, b, cls = "dot", r = 6) => add(svg, "circle", { class: cls, cx: X(a), cy: Y(b), r }),
      rect: (a, b, c, d, cls) => add(svg, "rect", { class: cls, x: X(a), width: Math.max(0, X(c) - X(a)), y: Y(d), height: Math.max(0, Y(b) - Y(d)) }),
    };
  };
  const moveTo = (dot, c, [a, b]) => {
    const shown = !(Number.isNaN(a) || Number.isNaN(b));
    dot.setAttribute("visibility", shown ? "visible" : "hidden");
    if (shown) { dot.setAttribute("cx", c.X(a)); dot.setAttribute("cy", c.Y(b)); }
  };

  // Thresholds at which the scores change, at most 2,000.
  const distinct = [...new Set([...positives, ...negatives])].sort((a, b) => a - b);
  const every = Math.max(1, Math.ceil(distinct.length / 2000));
  const steps = distinct.filter((_, i) => i % every === 0).concat(Infinity);
  const sweep = steps.map((t) => [t, metrics(counts(t))]);

  const drawHistogram = () => {
    const n = 40, width = (high - low) / n;
    const fill = (scores) => {
      const bins = new Array(n).fill(0);
      for (const s of scores) bins[Math.min(n - 1, Math.floor((s - low) / width))]++;
      return bins;
    };
    const up = fill(positives), down = fill(negatives);
    const most = Math.max(1, ...up, ...down);
    const c = chart("histogram", {
      x: [low, high], y: [-most, most], xLabel: "probability of " + data.pos, yLabel: "clips",
      label: "Histogram of the probabilities by true class", yText: (v) => short(Math.abs(v)),
    });
    for (let i = 0; i < n; i++) {
      const from = low + (i + 0.08) * width, to = low + (i + 0.92) * width;
      c.rect(from, 0, to, up[i], "pos-fill");
      c.rect(from, -down[i], to, 0, "neg-fill");
    }
    c.straight([low, 0], [high, 0], "axis");
    const here = c.straight([low, -most], [low, most], "here");
    return (t) => { here.setAttribute("x1", c.X(t)); here.setAttribute("x2", c.X(t)); };
  };
  const drawCurve = () => {
    const grid = Array.from({ length: 401 }, (_, i) => low + ((high - low) * i) / 400);
    const values = grid.map((t) => [t, metrics(counts(t))]);
    const c = chart("curve", {
      x: [low, high], xLabel: "threshold", yLabel: "score", label: "Accuracy and F1 against the threshold",
    });
    c.line(values.map(([t, m]) => [t, m.accuracy]), "pos-line");
    c.line(values.map(([t, m]) => [t, m.f1]), "neg-line dashed-line");
    const here = c.straight([low, 0], [low, 1], "here");
    const dots = ["accuracy", "f1"].map((name) => [name, c.dot(0, 0)]);
    return (t, m) => {
      here.setAttribute("x1", c.X(t)); here.setAttribute("x2", c.X(t));
      for (const [name, dot] of dots) moveTo(dot, c, [t, m[name]]);
    };
  };
  const drawRoc = () => {
    const c = chart("roc", {
      xLabel: "false alarms (1 − specificity)", yLabel: "recall", label: "ROC curve",
    });
    c.straight([0, 0], [1, 1], "chance");
    c.line(sweep.map(([, m]) => [1 - m.specificity, m.recall]), "pos-line");
    const dot = c.dot(0, 0);
    return (t, m) => moveTo(dot, c, [1 - m.specificity, m.recall]);
  };
  const drawPr = () => {
    const c = chart("pr", { xLabel: "recall", yLabel: "precision", label: "Precision against recall" });
    const share = ratio(positives.length, positives.length + negatives.length);
    c.straight([0, share], [1, share], "chance");
    c.line(sweep.filter(([, m]) => !Number.isNaN(m.precision)).map(([, m]) => [m.recall, m.precision]), "pos-line");
    const dot = c.dot(0, 0);
    return (t, m) => moveTo(dot, c, [m.recall, m.precision]);
  };
  const drawReliability = () => {
    const c = chart("reliability", {
      xLabel: "mean probability of " + data.pos, yLabel: "share of " + data.pos, label: "Reliability curve",
    });
    c.straight([0, 0], [1, 1], "chance");
    for (const bin of data.reliability) {
      const error = 2 * Math.sqrt((bin.share * (1 - bin.share)) / bin.n);
      c.straight([bin.mean, Math.max(0, bin.share - error)], [bin.mean, Math.min(1, bin.share + error)], "axis");
    }
    c.line(data.reliability.map((bin) => [bin.mean, bin.share]), "pos-line");
    for (const bin of data.reliability) c.dot(bin.mean, bin.share, "pos-fill", 4.5);
  };
  // A funnel: by chance, 95 % of groups of a size lie within.
  const drawBreakdown = ({ id, overall, points }) => {
    const most = Math.max(...points.map(([n]) => n));
    const c = chart(id + "-chart", {
      x: [0, most * 1.04], xLabel: "clips", yLabel: "accuracy", whole: true, label: "Accuracy against the number of clips",
    });
    const limit = (sign) => Array.from({ length: 120 }, (_, i) => {
      const n = 1 + ((most * 1.04 - 1) * i) / 119;
      const value = overall + sign * 1.96 * Math.sqrt((overall * (1 - overall)) / n);
      return [n, Math.min(1, Math.max(0, value))];
    });
    c.straight([0, overall], [most * 1.04, overall], "chance");
    for (const sign of [-1, 1]) c.line(limit(sign), "neg-line dashed-line");
    for (const [n, accuracy] of points) c.dot(n, accuracy, "pos-fill see-through", 4);
  };
  const drawTrials = () => {
    const scored = data.trials.filter((trial) => trial.value !== null);
    if (!scored.length) return;
    const complete = scored.filter((trial) => trial.complete);
    const values = scored.map((trial) => trial.value);
    const from = Math.min(...values), to = Math.max(...values), room = (to - from || 0.1) * 0.08;
    const last = Math.max(1, ...scored.map((trial) => trial.number));
    const c = chart("trial-chart", {
      x: [-0.5, last + 0.5], y: [from - room, to + room], whole: true, xLabel: "trial", yLabel: data.metric, label: "Score of each trial",
    });
    let best = -Infinity;
    const points = [];
    for (const trial of complete) {
      if (points.length) points.push([trial.number, best]);
      best = Math.max(best, trial.value);
      points.push([trial.number, best]);
    }
    if (points.length) c.line([...points, [last, best]], "neg-line");
    for (const trial of scored) c.dot(trial.number, trial.value, trial.complete ? "pos-fill" : "faded", trial.complete ? 4.5 : 3.5);
  };

  const drawTraining = ({ id, name, train, valid }) => {
    const lines = [...train.each, ...valid.each];
    const values = lines.flat().filter((loss) => loss !== null);
    if (!values.length) return;
    const last = Math.max(...lines.map((losses) => losses.length));
    const from = Math.min(...values), to = Math.max(...values), room = (to - from || 0.1) * 0.08;
    const c = chart(id, {
      x: [0.5, last + 0.5], y: [Math.max(0, from - room), to + room], whole: true, xLabel: "epoch", yLabel: "loss",
      label: "Losses of " + name + " by epoch",
    });
    const draw = (losses, cls) => {
      const points = losses.map((loss, i) => [i + 1, loss]).filter(([, loss]) => loss !== null);
      if (points.length > 1) c.line(points, cls);
      // A line of one point cannot be seen.
      else for (const [epoch, loss] of points) c.dot(epoch, loss, cls.replace("-line", "-fill"), 4.5);
    };
    const both = [[train, "pos-line"], [valid, "neg-line dashed-line"]];
    for (const [kind, cls] of both) for (const losses of kind.each) draw(losses, cls + " faint");
    for (const [kind, cls] of both) draw(kind.mean, cls);
    for (const losses of valid.each) {
      const known = losses.filter((loss) => loss !== null);
      if (!known.length) continue;
      const lowest = Math.min(...known);
      c.dot(losses.indexOf(lowest) + 1, lowest, "dot", 4.5);
    }
  };

  const movers = [drawHistogram(), drawCurve(), drawRoc(), drawPr()];
  if (data.reliability) drawReliability();
  data.breakdowns.forEach(drawBreakdown);
  data.training.forEach(drawTraining);
  if (data.trials) drawTrials();

  // ---- The threshold ----------------------------------------------------------
  const total = positives.length + negatives.length;
  const show = (t) => {
    const c = counts(t), m = metrics(c);
    for (const [id, whole] of [["tp", positives], ["fn", positives], ["fp", negatives], ["tn", negatives]]) {
      const cell = $(id), share = ratio(c[id], whole.length);
      cell.querySelector("b").textContent = c[id].toLocaleString("en");
      cell.querySelector("span").textContent = (100 * share).toFixed(1) + " %";
      cell.style.setProperty("--share", share);
    }
    for (const [name, value] of Object.entries(m)) $("m-" + name).textContent = text(value);
    for (const move of movers) move(t, m);
    $("slider").setAttribute("aria-valuetext", t.toFixed(3) + ", accuracy " + text(m.accuracy));
    $("spoken").textContent =
      "At " + t.toFixed(3) + ", " + (c.tp + c.tn).toLocaleString("en") + " of " + total.toLocaleString("en") +
      " clips are correct; " + c.fn.toLocaleString("en") + " of " + data.pos + " are missed, " +
      c.fp.toLocaleString("en") + " of " + data.neg + " are false alarms.";
  };
  const choose = (t) => {
    $("slider").value = t;
    $("exact").value = t.toFixed(3);
    show(t);
  };
  const best = (name) => {
    let at = data.start, most = -Infinity;
    for (const [t, m] of sweep) {
      if (t <= high && m[name] > most) { most = m[name]; at = t; }
    }
    return at;
  };
  $("slider").addEventListener("input", (event) => {
    $("exact").value = Number(event.target.value).toFixed(3);
    show(Number(event.target.value));
  });
  $("exact").addEventListener("input", (event) => {
    const t = event.target.valueAsNumber;
    if (t >= low && t <= high) { $("slider").value = t; show(t); }
  });
  $("as-trained").addEventListener("click", () => choose(data.start));
  $("best-accuracy").addEventListener("click", () => choose(best("accuracy")));
  $("best-f1").addEventListener("click", () => choose(best("f1")));
  choose(data.start);

  // ---- Tables that sort ---------------------------------------------------------
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const key = (row) => {
        const cell = row.cells[column];
        return cell.dataset.value === undefined ? cell.textContent : cell.dataset.value;
      };
      const numeric = [...body.rows].every((row) => key(row) === "" || !Number.isNaN(Number(key(row))));
      const order = (a, b) => {
        const [p, q] = [key(a), key(b)];
        if (p === "" || q === "") return (p === "") - (q === ""); // unknown ones last
        return way * (numeric ? p - q : p.localeCompare(q, undefined, { numeric: true }));
      };
      body.append(...[...body.rows].sort(order));
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
    }));
  }

  // ---- Players: one at a time, with a line that runs over the spectrogram ---------
  const players = [...document.querySelectorAll("audio")];
  for (const player of players) {
    const card = player.closest(".card"), line = card.querySelector(".playhead");
    const follow = () => {
      const x = Number(line.dataset.start) + (Number(line.dataset.width) * player.currentTime) / (player.duration || 1);
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      if (!player.paused) requestAnimationFrame(follow);
    };
    player.addEventListener("play", () => {
      for (const other of players) if (other !== player) other.pause();
      card.classList.add("playing");
      follow();
    });
    player.addEventListener("seeked", follow);
    player.addEventListener("ended", () => card.classList.remove("playing"));
  }
})();
