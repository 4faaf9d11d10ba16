// The head of the page: one sentence, the totals, what needs attention, and the table of all models.
"use strict";

(() => {
  const { isKnown, rate, count, usd, percent, promised, duration, shortName, el, byId, setText, refill, icon, NOTHING } = Page;
  const RANKS = { bad: 4, warn: 3, unknown: 2, busy: 1, ok: 0 };
  const MOST_PROBLEMS = 8;
  const sorting = { by: "state", isDown: true };
  const lines = new Map(); // key -> {tr, cells}

  const room = (row) => (isKnown(row.attained_frac) ? row.attained_frac - row.percentile_frac : 1);
  const COLUMNS = [
    { id: "model", head: "Model", of: (row, key) => key.toLowerCase(), isText: true },
    { id: "state", head: "State", of: (row) => RANKS[row.state] * 10 - room(row), inFirst: true },
    { id: "attained", head: "SLO attained", of: (row) => -room(row), cell: (row) => [percent(row.attained_frac), isKnown(row.attained_frac) ? `of ${promised(row.percentile_frac)} · ${row.attained_class}` : ""],
      state: (row) => (room(row) < 0 ? "bad" : null) },
    { id: "predicted", head: "Predicted", of: (row) => row.predicted_frac, cell: (row) => [percent(row.predicted_frac)], hide: "wide" },
    { id: "instances", head: "Instances", of: (row) => row.n_ready, cell: (row) => [`${count(row.n_ready)} / ${count(row.n_desired)}`, moving(row)] },
    { id: "load", head: "Load", of: (row) => row.load, cell: (row) => [rate(row.load)], hide: "wide" },
    { id: "qps", head: "Requests/s", of: (row) => row.qps, cell: (row) => [rate(row.qps)], hide: "middle" },
    { id: "cost", head: "$/h", of: (row) => row.usd_per_hour, cell: (row) => [usd(row.usd_per_hour)], hide: "middle" },
    { id: "tokens", head: "$/1M tokens", of: (row) => row.usd_per_million_tokens, cell: (row) => [usd(row.usd_per_million_tokens)], hide: "wide" },
    { id: "changed", head: "Last change", of: (row) => row.changed_at_s, cell: (row, now) => [isKnown(row.changed_at_s) ? `${duration(now - row.changed_at_s)} ago` : NOTHING], hide: "wide" },
  ];

  function moving(row) {
    return [[row.n_starting, "starting"], [row.n_draining, "draining"]].filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}`).join(" · ") || "ready / desired";
  }

  function drawHeadline(top) {
    const box = byId("headline");
    box.dataset.state = top.state;
    refill(box.querySelector(".icon"), top.state, () => [icon(top.state)]);
    setText(byId("sentence"), top.headline);
    document.title = `${top.state === "bad" ? "✕ " : top.state === "warn" ? "! " : ""}llmd-autoscaler`;
  }

  function tile(name, figure, unit, beside, state) {
    return el("div", null, el("dt", null, name),
      el("dd", { class: "figure", "data-state": state }, figure, unit ? el("span", { class: "unit" }, ` ${unit}`) : ""), el("dd", { class: "beside" }, beside || "\u00a0"));
  }

  function drawTiles(totals) {
    const moves = [[totals.n_starting, "starting"], [totals.n_draining, "draining"]].filter(([n]) => n).map(([n, what]) => `${n} ${what}`).join(", ");
    const isMissed = isKnown(totals.worst_attained_frac) && totals.worst_attained_frac < totals.worst_percentile_frac;
    refill(byId("tiles"), totals, () => [
      tile("SLO attained, tightest class", percent(totals.worst_attained_frac), "", isKnown(totals.worst_attained_frac) ? `${promised(totals.worst_percentile_frac)} promised · ${totals.worst_attained_of}` : "no request scored yet", isMissed ? "bad" : null),
      tile("Traffic", rate(totals.qps), "requests/s", totals.n_models === 1 ? "1 model" : `${count(totals.n_models)} models`),
      tile("Instances, ready / desired", `${count(totals.n_ready)} / ${count(totals.n_desired)}`, "", moves || "none starting or draining"),
      tile("Cost now", usd(totals.usd_per_hour), "an hour", `${count(totals.n_gpus)} GPUs in use`),
      tile("Price of tokens", usd(totals.usd_per_million_tokens), "per million", "prompt and output"),
    ]);
  }

  function drawHindsight(top) {
    const box = byId("hindsight");
    const hours = (top.now_s - top.used.since_s) / 3600;
    box.hidden = !top.bounds.length || hours <= 0;
    if (box.hidden) return;
    const mean = { name: "This fleet, so far", gpus: top.used.gpu_hours / hours, usd: top.used.cost_usd / hours };
    const all = [mean, ...top.bounds.map((bound) => ({ name: `${bound.name}${bound.detail ? ` (${bound.detail})` : ""}`, gpus: bound.mean_gpus, usd: bound.usd_per_hour }))];
    const most = Math.max(...all.map((each) => each.gpus), 1);
    refill(byId("hindsight-bars"), all.map((each) => [each.name, rate(each.gpus), usd(each.usd)]), () => all.map((each) => {
      const part = el("div", { class: "part" });
      part.style.transform = `scaleX(${each.gpus / most})`;
      return el("li", null, el("span", null, each.name), el("div", { class: "track", "aria-hidden": "true" }, part),
        el("span", { class: "value" }, `${rate(each.gpus)} GPUs` + (isKnown(each.usd) ? ` · ${usd(each.usd)}/h` : "")));
    }));
    setText(byId("hindsight-note"), `On average over ${duration(hours * 3600)} of this run, against the whole of the replay. Both bounds know the traffic beforehand: neither can be run, they show what is left to win.`);
  }

  function drawProblems(rows) {
    const all = [];
    for (const [key, row] of Object.entries(rows)) for (const problem of row.problems) if (RANKS[problem.state] > 1) all.push([key, problem]);
    all.sort((a, b) => RANKS[b[1].state] - RANKS[a[1].state] || a[0].localeCompare(b[0]));
    byId("attention").hidden = !all.length;
    refill(byId("problems"), all, () => {
      const items = all.slice(0, MOST_PROBLEMS).map(([key, problem]) => el("li", { "data-state": problem.state },
        el("span", { class: "icon" }, icon(problem.state)),
        el("span", { class: "what" }, el("a", { href: `#${encodeURIComponent(key)}` }, shortName(key)), ` · ${problem.what}`),
        el("p", null, problem.why), el("p", { class: "todo" }, problem.todo)));
      if (all.length > MOST_PROBLEMS) items.push(el("li", { "data-state": "unknown" }, el("span", { class: "icon" }, icon("unknown")), el("span", null, `and ${all.length - MOST_PROBLEMS} more: the table lists the worst first`)));
      return items;
    });
  }

  function drawHeads(redraw) {
    byId("heads").replaceChildren(...COLUMNS.filter((column) => !column.inFirst).map((column) => {
      const button = el("button", { type: "button" }, column.head);
      button.addEventListener("click", () => {
        const isSame = sorting.by === column.id;
        sorting.isDown = isSame ? !sorting.isDown : !column.isText;
        sorting.by = column.id;
        redraw();
      });
      return el("th", { scope: "col", "data-column": column.id, class: column.hide }, button);
    }));
    const state = el("button", { type: "button" }, "Worst first");
    state.addEventListener("click", () => { Object.assign(sorting, { by: "state", isDown: true }); redraw(); });
    state.className = "button";
    byId("search-label").after(state);
    state.id = "worst";
  }

  function ordered(rows, wanted) {
    const column = COLUMNS.find((each) => each.id === sorting.by);
    const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    const said = (key, row) => `${key} ${row.state} ${row.note}`.toLowerCase();
    const found = Object.entries(rows).filter(([key, row]) => words.every((word) => said(key, row).includes(word)));
    const sign = sorting.isDown ? -1 : 1;
    return found.sort(([a, rowA], [b, rowB]) => {
      const x = column.of(rowA, a), y = column.of(rowB, b);
      const isOdd = (value) => value === null || value === undefined;
      if (isOdd(x) || isOdd(y)) return isOdd(x) - isOdd(y) || a.localeCompare(b); // what is not known stands last
      return (x < y ? -1 : x > y ? 1 : 0) * sign || a.localeCompare(b);
    });
  }

  function lineOf(key, model) {
    if (lines.has(key)) return lines.get(key);
    const link = el("a", { href: `#${encodeURIComponent(key)}` }, model ? shortName(model.model) : key);
    const note = el("span", { class: "note" });
    const where = el("span", { class: "beside quiet" }, key);
    const cells = COLUMNS.slice(2).map((column) => ({ column, td: el("td", { class: column.hide }, el("span", { class: "main" }), el("span", { class: "beside" })) }));
    const made = { tr: el("tr", null, el("th", { scope: "row" }, link, note, where), ...cells.map((cell) => cell.td)), note, where, cells };
    lines.set(key, made);
    return made;
  }

  function drawTable(rows, models, wanted, open, now) {
    const found = ordered(rows, wanted);
    const body = byId("rows");
    const keep = new Set(found.map(([key]) => key));
    for (const [key, line] of lines) if (!keep.has(key)) { line.tr.remove(); if (!(key in rows)) lines.delete(key); }
    found.forEach(([key, row], i) => {
      const { tr, note, where, cells } = lineOf(key, models[key]);
      if (body.children[i] !== tr) body.insertBefore(tr, body.children[i] || null);
      tr.toggleAttribute("aria-current", key === open);
      if (key === open) tr.setAttribute("aria-current", "true");
      note.dataset.state = row.state;
      refill(note, [row.state, row.note], () => [el("span", { class: "icon" }, icon(row.state)), row.note]);
      where.hidden = found.length < 2;
      for (const { column, td } of cells) {
        const [main, beside] = column.cell(row, now);
        setText(td.firstChild, main);
        setText(td.lastChild, beside || "");
        const state = column.state && column.state(row);
        if (state) td.dataset.state = state; else delete td.dataset.state;
      }
    });
    for (const th of byId("heads").children) {
      const isBy = th.dataset.column === sorting.by;
      if (isBy) th.setAttribute("aria-sort", sorting.isDown ? "descending" : "ascending"); else th.removeAttribute("aria-sort");
    }
    const n = Object.keys(rows).length;
    byId("worst").hidden = byId("search-label").hidden = byId("n-shown").hidden = n < 2;
    byId("worst").setAttribute("aria-pressed", String(sorting.by === "state"));
    setText(byId("n-shown"), found.length === n ? `${n} models` : `${found.length} of ${n} models`);
    byId("nothing").hidden = found.length > 0;
    setText(byId("nothing"), n ? "No model is called so or is in such a state." : "No model is declared yet.");
  }

  Object.assign(Page, { drawHeadline, drawTiles, drawHindsight, drawProblems, drawHeads, drawTable });
})();
