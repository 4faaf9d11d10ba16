// Numbers and times as people read them, and the few functions that make elements. Text is never read as HTML.
"use strict";
const Page = {};

(() => {
  const NOTHING = "–";
  const isKnown = (value) => typeof value === "number" && Number.isFinite(value);
  const grouped = (value, digits) => value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const or = (form) => (value) => (isKnown(value) ? form(value) : NOTHING);

  const number = or((value) => grouped(value, value !== 0 && Math.abs(value) < 9.95 ? 1 : 0));
  const rate = or((value) => grouped(value, Math.abs(value) < 9.995 ? 2 : Math.abs(value) < 99.95 ? 1 : 0));
  const count = or((value) => grouped(value, 0));
  const usd = or((value) => "$" + grouped(value, Math.abs(value) < 999.5 ? 2 : 0));
  // never rounded up to a promise that was not kept
  const percent = or((frac) => grouped(Math.floor(frac * 1000 + 1e-6) / 10, 1) + " %");
  const promised = or((frac) => String(Math.round(frac * 100000) / 1000) + " %");
  const seconds = or((value) => (value < 0.9995 ? grouped(value * 1000, 0) + " ms" : String(Number(value.toFixed(value < 9.95 ? 2 : 0))) + " s"));

  const duration = or((value) => {
    const s = Math.max(0, Math.round(value));
    if (s < 120) return s + " s";
    if (s < 7200) return Math.round(s / 60) + " min";
    return s < 172800 ? Math.round(s / 3600) + " h" : Math.round(s / 86400) + " days";
  });
  const clock = or((unixS) => new Date(unixS * 1000).toLocaleTimeString("en-GB"));
  const shortName = (model) => model.slice(model.lastIndexOf("/") + 1);

  function put(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
    return element;
  }
  const el = (tag, attributes, ...children) => put(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) => put(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
  const byId = (id) => document.getElementById(id);

  /** Writes a text only where it changed: an untouched node is not announced, and keeps what is selected in it. */
  function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  /** Replaces the children of an element where what they are made from has changed, but not under a reader's focus. */
  function refill(element, data, make) {
    const made = JSON.stringify(data);
    if (element.madeFrom === made || element.contains(document.activeElement)) return;
    element.madeFrom = made;
    element.replaceChildren(...make().flat());
  }

  const SHAPES = {
    ok: "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm3.6 4.6L7 10.2 4.8 8 3.7 9.1 7 12.4l5.7-5.7Z",
    warn: "M8 1.2 15.4 14.5H.6Zm-.9 4.6v4.3h1.8V5.8Zm0 5.5v1.8h1.8v-1.8Z",
    bad: "M5 1h6l4 4v6l-4 4H5l-4-4V5Zm2.1 3v5h1.8V4Zm0 6.2V12h1.8v-1.8Z",
    busy: "M8 1a7 7 0 0 1 6.6 4.7L16 5.2 15 9.4 11.3 7.200 12.7 6.500A5 5 0 0 0 3.400 6.100L1.500 5.500A7 7 0 0 1 8 1ZM1 6.600 4.700 8.800 3.300 9.500A5 5 0 0 0 12.600 9.900L14.500 10.500A7 7 0 0 1 1.400 10.300L0 10.800Z",
    unknown: "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm0 2a5 5 0 1 0 0 10A5 5 0 0 0 8 3ZM5 7.200h6v1.700H5Z",
  };
  const icon = (state) => svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: SHAPES[state] || SHAPES.unknown, fill: "currentColor", "fill-rule": "evenodd" }));

  Object.assign(Page, { isKnown, number, rate, count, usd, percent, promised, seconds, duration, clock, shortName, el, svg, byId, setText, refill, icon, NOTHING });
})();
