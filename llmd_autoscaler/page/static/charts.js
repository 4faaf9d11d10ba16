// Draws figures by plotly: only what is in sight, only when it changed, in the colours of the style sheet.
"use strict";

(() => {
  const { el, svg, setText, refill } = Page;
  const MS = 1000;
  const DASHES = { dash: "5 3", dot: "1.5 3" };
  const shown = new Map(); // id -> what is drawn of a figure, and where
  const config = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false, showTips: false };

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  /** The times in sight as the charts take them: they write UTC, so the axis is moved by the reader's zone. */
  function inSight(t, span) {
    const end = t.length ? t[t.length - 1] : 0;
    const first = Math.max(0, t.findIndex((unixS) => unixS >= end - span));
    const zoneS = new Date(end * MS).getTimezoneOffset() * 60;
    return { first, times: t.slice(first).map((unixS) => (unixS - zoneS) * MS) };
  }

  function faded(hex, opacity) {
    const n = parseInt(hex.slice(1), 16);
    return `rgba(${n >> 16}, ${(n >> 8) & 255}, ${n & 255}, ${opacity})`;
  }

  // a copy of the values: plotly looks again only at arrays that are not the ones it has
  function trace(line, t, first, hover) {
    const hex = colour(line.colour);
    return {
      x: t, y: line.values.slice(first), name: line.name,
      type: "scatter", mode: "lines", connectgaps: false, showlegend: false,
      line: { color: line.faint ? faded(hex, 0.55) : hex, width: line.width, dash: line.dash || "solid", shape: line.step ? "hv" : "linear" },
      fill: line.area ? (line.stack ? "tonexty" : "tozeroy") : "none",
      fillcolor: line.area ? faded(hex, line.area) : undefined,
      stackgroup: line.stack ? "instances" : undefined,
      hovertemplate: hover,
    };
  }

  function layout(data, span) {
    const ink = colour("soft"), grid = colour("grid");
    const end = data.t.length ? data.t[data.t.length - 1] : 0;
    const begin = data.t.length ? Math.max(data.t[0], end - span * MS) : 0;
    return {
      margin: { l: 52, r: 12, t: 8, b: 26 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: ink },
      hovermode: "x unified", hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink"), size: 12 } },
      dragmode: false, showlegend: false, uirevision: "same",
      xaxis: { type: "date", range: end > begin ? [begin, end] : undefined, gridcolor: grid, zeroline: false, fixedrange: true, nticks: 6, tickformat: "%H:%M", hoverformat: "%H:%M:%S", showspikes: false },
      yaxis: {
        gridcolor: grid, zeroline: false, fixedrange: true, nticks: 5, rangemode: data.from === 0 ? "tozero" : "normal", range: data.range,
        tickformat: data.isShare ? ".2~%" : undefined, ticksuffix: data.isTime ? " s" : "", tickprefix: data.unit === "$/h" ? "$" : "",
      },
    };
  }

  function key(line) {
    const stroke = colour(line.colour);
    const mark = line.stack
      ? svg("rect", { x: 4, width: 14, height: 10, rx: 2, fill: faded(stroke, line.area) })
      : svg("line", { x1: 0, x2: 22, y1: 5, y2: 5, stroke, "stroke-width": Math.max(line.width, 1.4), "stroke-dasharray": DASHES[line.dash], opacity: line.faint ? 0.6 : 1 });
    return el("li", null, svg("svg", { viewBox: "0 0 22 10", "aria-hidden": "true" }, mark), line.name);
  }

  function draw(entry) {
    if (!window.Plotly || !entry.isInSight || !entry.stale || !entry.data) return;
    entry.stale = false;
    const { data, span, axis: { first, times } } = entry;
    const traces = data.lines.map((line) => trace(line, times, first, data.hover));
    window.Plotly.react(entry.plot, traces, layout({ ...data, t: times }, span), config);
  }

  const sight = new IntersectionObserver((seen) => {
    for (const each of seen) {
      const entry = shown.get(each.target.dataset.figure);
      if (!entry) continue;
      entry.isInSight = each.isIntersecting;
      draw(entry);
    }
  }, { rootMargin: "200px" });

  function made(data) {
    const sum = el("span", { class: "sum" });
    const plot = el("div", { class: "plot", role: "img" });
    const keys = el("ul", { class: "keys", "aria-hidden": "true" });
    const figure = el("figure", { class: "card", "data-figure": data.id }, el("figcaption", null, data.title + (data.unit ? `, ${data.unit}` : ""), sum), keys, plot);
    const entry = { figure, plot, sum, keys, data: null, axis: null, span: 0, isInSight: false, stale: true };
    shown.set(data.id, entry);
    sight.observe(figure);
    return entry;
  }

  /** Shows these figures and no others. */
  function drawFigures(into, list, t, span) {
    const axis = inSight(t, span);
    const wanted = new Set(list.map((data) => data.id));
    for (const [id, entry] of shown) {
      if (wanted.has(id)) continue;
      sight.unobserve(entry.figure);
      if (window.Plotly) window.Plotly.purge(entry.plot);
      entry.figure.remove();
      shown.delete(id);
    }
    list.forEach((data, i) => {
      const entry = shown.get(data.id) || made(data);
      if (into.children[i] !== entry.figure) into.insertBefore(entry.figure, into.children[i] || null);
      Object.assign(entry, { data, axis, span, stale: true });
      setText(entry.sum, data.sum);
      entry.plot.setAttribute("aria-label", `Chart of ${data.title}. ${data.sum}.`);
      refill(entry.keys, [data.lines.map((line) => [line.name, line.colour, line.dash]), colour("ink")], () => data.lines.map(key));
      draw(entry);
    });
  }

  function redraw() {
    for (const entry of shown.values()) {
      entry.stale = true;
      entry.keys.madeFrom = "";
      if (entry.data) refill(entry.keys, [entry.data.lines.map((line) => [line.name, line.colour, line.dash]), colour("ink")], () => entry.data.lines.map(key));
      draw(entry);
    }
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  Object.assign(Page, { drawFigures, redraw });
})();
