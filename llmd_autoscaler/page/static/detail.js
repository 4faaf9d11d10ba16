// One model: its classes, charts, reasons, mix, routes and conditions.
"use strict";

(() => {
  const { isKnown, rate, count, usd, percent, promised, seconds, number, duration, clock, shortName, el, byId, setText, refill, figures, drawFigures, last, tail, NOTHING } = Page;
  const list = (parts) => (parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`);

  /** What a class is promised, in words. */
  function promise(qos) {
    const bounds = [];
    if (isKnown(qos.ttft_max_s)) bounds.push(`TTFT within ${seconds(qos.ttft_max_s)}` + (qos.ttft_per_prompt_token_s ? ` + ${seconds(qos.ttft_per_prompt_token_s * 1000)} per 1,000 prompt tokens` : ""));
    if (isKnown(qos.tpot_max_s)) bounds.push(`TPOT within ${seconds(qos.tpot_max_s)}`);
    if (isKnown(qos.e2e_max_s)) bounds.push(`answered within ${seconds(qos.e2e_max_s)}`);
    if (isKnown(qos.deadline_s)) bounds.push(`finished within ${duration(qos.deadline_s)}`);
    return `${promised(qos.percentile_frac)} of requests: ${list(bounds) || "no bound"}`;
  }

  function fact(name, value, beside, state) {
    return el("div", null, el("dt", null, name), el("dd", { "data-state": state }, value), beside ? el("dd", { class: "beside" }, beside) : "");
  }

  function classCard(qos, series) {
    const of = (name, stored) => { const live = last((series[`class/${qos.name}/${name}`] || []).slice(-1)); return isKnown(live) ? live : stored; };
    const realised = of("realised", qos.realised_frac), q = tail(qos);
    const isMissed = isKnown(realised) && realised < qos.percentile_frac;
    return el("article", { class: "card" },
      el("h3", null, qos.name), el("p", { class: "promise" }, promise(qos)),
      el("dl", { class: "facts" },
        fact("Attained", percent(realised), `${promised(qos.percentile_frac)} promised` + (qos.window ? `, last ${qos.window}` : ""), isMissed ? "bad" : null),
        fact("Predicted", percent(of("predicted", qos.predicted_frac)), "by the engine model"),
        fact("Traffic", `${rate(of("qps", qos.qps))}/s`, isKnown(qos.expected_p90_qps) ? `up to ${rate(qos.expected_p90_qps)}/s in ${qos.horizon}` : "no forecast yet"),
        fact("Prompt, mean ISL", `${count(of("isl", qos.isl_mean_tokens))} tokens`, isKnown(qos.hit_frac) && qos.hit_frac > 0 ? `${percent(qos.hit_frac)} cached` : ""),
        fact("Answer, mean OSL", `${count(of("osl", qos.osl_mean_tokens))} tokens`),
        fact(`TTFT ${q}`, seconds(of(`ttft_${q}`)), "last minute"),
        fact(`TPOT ${q}`, seconds(of(`tpot_${q}`)), "last minute"),
        qos.worst_bound ? fact("Missed most", qos.worst_bound.toUpperCase(), "of the misses") : ""));
  }

  function reasonBox(target) {
    return el("div", { class: "reason" },
      el("p", { class: "words" }, `${target.name}: ${target.words || "No decision yet"}`),
      el("p", { class: "quiet" }, target.message));
  }

  function changeLine(change, isAlone) {
    const what = change.after > change.before ? "Up" : "Down";
    return el("li", null, el("time", { datetime: new Date(change.at_s * 1000).toISOString() }, clock(change.at_s)),
      el("span", null, el("span", { class: "step" }, `${what} ${change.before} → ${change.after}`), isAlone ? "" : ` ${change.target}`, ` · ${change.words}`),
      change.message ? el("p", { class: "quiet" }, change.message) : "");
  }

  function mixTable(model, series) {
    const of = (target, name, stored) => { const live = last((series[`target/${target.name}/${name}`] || []).slice(-1)); return isKnown(live) ? live : stored; };
    const head = ["Variant", "Ready / desired", "Load", "Start takes", "$/h each"];
    const hide = [null, null, null, "middle", null];
    return el("table", null, el("caption", { class: "hidden" }, "Instances of each variant"),
      el("thead", null, el("tr", null, ...head.map((name, i) => el("th", { scope: "col", class: hide[i] }, name)))),
      el("tbody", null, ...model.targets.map((target) => el("tr", null,
        el("th", { scope: "row" }, target.name, el("span", { class: "beside quiet" }, `${target.n_accelerators} × ${target.accelerator}, ${target.group}${target.is_paused ? ", paused" : ""}`)),
        el("td", null, `${count(of(target, "ready", target.n_ready))} / ${count(of(target, "desired", target.n_desired))}`, el("span", { class: "beside" }, `${target.min_instances} to ${target.max_instances} allowed`)),
        el("td", null, rate(of(target, "load", target.load))),
        el("td", { class: "middle" }, target.lead_p50 || NOTHING, target.lead_p90 ? el("span", { class: "beside" }, `p90 ${target.lead_p90}`) : ""),
        el("td", null, usd(target.usd_per_hour))))));
  }

  function routeRule(route) {
    const upTo = isKnown(route.isl_up_to_tokens) ? `prompts up to ${count(route.isl_up_to_tokens)} tokens` : "all prompts";
    const shares = route.shares.filter((share) => share.fraction > 0);
    const said = shares.map((share) => `${Math.round(share.fraction * 1000) / 10} % to ${share.target}`);
    return el("div", { class: "route" }, el("span", null, el("strong", null, route.class_name), `, ${upTo}: ${list(said)}`),
      el("div", { class: "shares", "aria-hidden": "true" }, ...shares.map((share) => { const part = el("span"); part.style.flexGrow = share.fraction; return part; })));
  }

  function meta(model, top) {
    const parts = [`${model.model} in namespace ${model.namespace}`];
    if (model.decision_id) parts.push(`decision ${model.decision_id} of ${clock(model.decided_at_s)}`);
    if (model.source) parts.push(`traffic counted by ${model.source}`);
    if (model.limit) parts.push(`limited by ${model.limit}`);
    if (isKnown(model.valid_until_s)) parts.push(model.valid_until_s > top.now_s ? `valid until ${clock(model.valid_until_s)}` : `RAN OUT at ${clock(model.valid_until_s)}`);
    return parts.join(" · ");
  }

  /** All of one model. */
  function drawDetail(model, history, top, span) {
    const series = history.series;
    byId("detail").hidden = false;
    setText(byId("detail-title"), shortName(model.model));
    setText(byId("detail-meta"), meta(model, top));
    refill(byId("classes"), [model.classes, history.t.at(-1)], () => model.classes.map((qos) => classCard(qos, series)));
    drawFigures(byId("charts"), figures(model, series, top.totals.n_models === 1 ? top.bounds : []), history.t, span);
    refill(byId("reasons"), model.targets.map((target) => [target.name, target.words, target.message]), () => model.targets.map(reasonBox));
    refill(byId("changes"), model.changes, () => (model.changes.length ? model.changes.map((change) => changeLine(change, model.targets.length === 1)) : [el("li", null, el("span"), "No number has changed yet.")]));
    refill(byId("mix"), [model.targets, history.t.at(-1)], () => [mixTable(model, series)]);
    refill(byId("routes"), model.routes, () => (model.routes.length ? model.routes.map(routeRule) : [el("p", { class: "quiet" }, "No routes: requests go where the least work is expected.")]));
    refill(byId("conditions"), model.conditions, () => model.conditions.map((condition) => el("li", null,
      el("strong", null, `${condition.type} is ${condition.status}`), ` (${condition.reason}) ${condition.message} `, el("span", { class: "quiet" }, `${condition.of}, since ${clock(condition.since_s)}`))));
  }

  Object.assign(Page, { drawDetail });
})();
