// Follows the server (or reads the data that a saved page holds) and draws. All state of the page is in `held`.
"use strict";

(() => {
  const { clock, el, byId, setText, drawHeadline, drawTiles, drawHindsight, drawProblems, drawHeads, drawTable, drawDetail, redraw } = Page;
  const SILENCE_MS = 30000; // three beats of the server
  const SPANS = [["15 min", 900], ["1 h", 3600], ["6 h", 21600]];
  const N_KEPT = 1440;
  const held = { models: {}, rows: {}, top: null, heardAt: 0, lostAt: 0, open: "", history: { key: "", t: [], series: {} }, span: 3600, saved: null };
  let isDue = false;

  function draw() {
    isDue = false;
    if (!held.top) return;
    const now = held.top.now_s;
    drawHeadline(held.top);
    drawTiles(held.top.totals);
    drawHindsight(held.top);
    drawProblems(held.rows);
    drawTable(held.rows, held.models, byId("search").value, held.open, now);
    drawLink();
    const model = held.models[held.open];
    byId("detail").hidden = !model;
    byId("close").hidden = Object.keys(held.rows).length < 2;
    if (model && held.history.key === held.open) drawDetail(model, held.history, held.top, held.span);
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    setText(byId("footer"), `Times are of ${zone}. Attained: answered in full within every latency bound of its class, over all that arrived. Numbers come from statuses and from our own metrics; – is not known.`);
  }

  function soon() {
    if (isDue) return;
    isDue = true;
    // a hidden tab draws nothing until somebody looks
    (document.hidden ? setTimeout : requestAnimationFrame)(draw);
  }

  function drawLink() {
    const link = byId("link");
    const away = held.top.sources.filter((source) => !source.is_connected);
    let state = "ok", text = "Connected";
    if (held.saved) [state, text] = ["unknown", `Saved at ${clock(held.top.now_s)}: this page does not change`];
    else if (held.lostAt) [state, text] = ["bad", `Not connected since ${new Date(held.lostAt).toLocaleTimeString("en-GB")}: what stands here is the last known`];
    else if (away.length) [state, text] = ["bad", away.map((source) => `${source.name} away since ${clock(source.since_s)}`).join(" · ")];
    link.dataset.state = state;
    setText(link, text);
    link.title = away.map((source) => `${source.name} ${source.url}: ${source.detail}`).join("\n");
    const rate = held.top.rate;
    setText(byId("clock"), `${rate === 1 ? "" : `simulated clock × ${rate}: `}${clock(held.top.now_s)}`);
  }

  function take(parts, isAll) {
    for (const kind of ["models", "rows"]) {
      if (isAll) held[kind] = {};
      for (const [key, value] of Object.entries(parts[kind] || {})) {
        if (value === null) delete held[kind][key]; else held[kind][key] = value;
      }
    }
    if (parts.top) held.top = parts.top.top;
    choose();
    follow();
    soon();
  }

  // -- which model is open

  function choose() {
    const keys = Object.keys(held.models);
    const asked = decodeURIComponent(location.hash.slice(1));
    held.open = asked in held.models ? asked : keys.length === 1 ? keys[0] : "";
  }

  addEventListener("hashchange", () => {
    choose();
    follow();
    draw();
    const asked = location.hash.length > 1;
    if (asked && !byId("detail").hidden) {
      byId("detail").focus({ preventScroll: true });
      byId("detail").scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    }
  });

  // -- its history

  let asking = null;

  async function follow() {
    const key = held.open;
    if (!key) return;
    if (held.saved) { held.history = { key, ...(held.saved.histories[key] || { t: [], series: {} }) }; return; }
    if (asking === key || (held.history.key === key && held.history.t.at(-1) >= held.top.sampled_s)) return;
    asking = key;
    try {
      const since = held.history.key === key ? held.history.t.at(-1) || 0 : 0;
      const answer = await fetch(`history?model=${encodeURIComponent(key)}&since=${since}`);
      if (answer.ok && held.open === key) extend(key, await answer.json());
    } catch {
      // the stream says that the server is away, and asks again when it is back
    } finally {
      asking = null;
    }
    if (held.open !== key) follow();
    soon();
  }

  function extend(key, more) {
    if (held.history.key !== key) held.history = { key, t: [], series: {} };
    const { t, series } = held.history;
    const before = t.length;
    t.push(...more.t);
    for (const [name, values] of Object.entries(more.series)) {
      const known = (series[name] ||= new Array(before).fill(null));
      known.push(...values);
    }
    for (const values of Object.values(series)) while (values.length < t.length) values.push(null);
    const extra = t.length - N_KEPT;
    if (extra > 0) for (const values of [t, ...Object.values(series)]) values.splice(0, extra);
  }

  // -- the server

  function connect() {
    const events = new EventSource("events");
    const heard = () => { held.heardAt = Date.now(); if (held.lostAt) { held.lostAt = 0; soon(); } };
    const lost = () => { if (!held.lostAt) { held.lostAt = Date.now(); soon(); } };
    events.addEventListener("all", (event) => { heard(); held.history = { key: "", t: [], series: {} }; take(JSON.parse(event.data), true); });
    events.addEventListener("some", (event) => { heard(); take(JSON.parse(event.data), false); });
    events.addEventListener("beat", heard);
    events.addEventListener("error", () => {
      lost();
      // the browser tries again by itself, unless the answer was no stream at all
      if (events.readyState === EventSource.CLOSED) setTimeout(() => { events.close(); connect(); }, 2000);
    });
    const watch = setInterval(() => {
      if (events.readyState === EventSource.CLOSED) { clearInterval(watch); return; }
      if (Date.now() - held.heardAt > SILENCE_MS && held.heardAt) lost();
    }, 5000);
  }

  function start() {
    const saved = byId("saved");
    drawHeads(draw);
    byId("search").addEventListener("input", draw);
    byId("search").addEventListener("keydown", (event) => { if (event.key === "Escape") { byId("search").value = ""; draw(); } });
    for (const [name, span] of SPANS) {
      const input = el("input", { type: "radio", name: "span", value: span, checked: span === held.span });
      input.addEventListener("change", () => { held.span = span; draw(); });
      byId("spans").append(el("label", null, input, name));
    }
    document.addEventListener("visibilitychange", () => { if (!document.hidden) draw(); });
    const library = byId("library");
    if (library) library.addEventListener("load", redraw);
    if (!saved) { connect(); return; }
    held.saved = JSON.parse(saved.textContent);
    byId("save").hidden = true;
    take(held.saved, true);
    draw();
  }

  start();
})();
