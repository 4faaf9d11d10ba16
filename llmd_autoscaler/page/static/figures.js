// What each chart shows: traces and sentences from one model and its history. Nothing here touches the page.
"use strict";

(() => {
  const { isKnown, rate, count, usd, percent, promised, seconds, number } = Page;
  const CLASS_COLOURS = ["blue", "orange", "teal", "violet", "grey"];
  const last = (values) => (values || []).findLast(isKnown);
  const highest = (values) => (values || []).reduce((most, value) => (isKnown(value) && value > most ? value : most), 0);
  const has = (values) => Boolean(values) && values.some(isKnown);

  const line = (name, values, colour, more) => ({ name, values, colour, width: 2, ...more });

  /** The percentile that a promise speaks of, as far as the router's quantiles have it. */
  const tail = (qos) => (qos.percentile_frac >= 0.975 ? "p99" : "p95");

  function traffic(model, series) {
    const lines = [];
    const said = [];
    model.classes.forEach((qos, i) => {
      const colour = CLASS_COLOURS[i % CLASS_COLOURS.length];
      const values = series[`class/${qos.name}/qps`];
      if (!has(values)) return;
      lines.push(line(qos.name, values, colour));
      lines.push(line(`${qos.name}, expected p90`, series[`class/${qos.name}/expected`], colour, { width: 1.3, dash: "dot" }));
      said.push(`${qos.name} ${rate(last(values))}`);
    });
    return { id: "traffic", title: "Traffic by class", unit: "requests/s", lines, from: 0, hover: "%{y:.2f}",
      sum: said.length ? `${said.join(" · ")} requests/s now` : "No traffic has been counted" };
  }

  function instances(target, series) {
    const of = (name) => series[`target/${target.name}/${name}`];
    const lines = [
      line("ready", of("ready"), "blue", { area: 0.30, step: true, stack: true, width: 0 }),
      line("starting", of("starting"), "orange", { area: 0.45, step: true, stack: true, width: 0 }),
      line("draining", of("draining"), "grey", { area: 0.45, step: true, stack: true, width: 0 }),
      line("desired", of("desired"), "ink", { step: true, width: 1.6, dash: "dash" }),
      line("load", of("load"), "violet"),
    ].filter((each) => has(each.values) && (each.name !== "starting" && each.name !== "draining" || highest(each.values) > 0));
    const moves = [["starting", last(of("starting"))], ["draining", last(of("draining"))]].filter(([, n]) => n > 0).map(([name, n]) => `, ${count(n)} ${name}`);
    const load = last(of("load"));
    return { id: `instances-${target.name}`, title: `Load and instances of ${target.name}`, unit: "instances", lines, range: [0, Math.max(...lines.map((each) => highest(each.values)), highest(of("ready")) + highest(of("starting")), 1) * 1.12], hover: "%{y:.3~f}",
      sum: lines.length ? `${count(last(of("ready")))} ready, ${count(last(of("desired")))} desired${moves.join("")}` + (isKnown(load) ? `; the work is worth ${number(load)}` : "") : "No instance has been seen" };
  }

  function latency(model, series, what) {
    const isTtft = what === "ttft";
    const lines = [];
    const said = [];
    model.classes.forEach((qos, i) => {
      const colour = CLASS_COLOURS[i % CLASS_COLOURS.length];
      const name = `class/${qos.name}`;
      const q = tail(qos);
      const values = series[`${name}/${what}_${q}`];
      if (has(values)) {
        lines.push(line(`${qos.name} ${q}`, values, colour));
        lines.push(line(`${qos.name} p50`, series[`${name}/${what}_p50`], colour, { width: 1.2, faint: true }));
        said.push(`${qos.name} ${q} ${seconds(last(values))}`);
      }
      const most = isTtft ? qos.ttft_max_s : qos.tpot_max_s;
      if (!isKnown(most)) return;
      const isl = series[`${name}/isl`] || [];
      const perToken = isTtft ? qos.ttft_per_prompt_token_s : 0;
      const bound = (isl.length ? isl : values || []).map((tokens) => most + perToken * (isKnown(tokens) && perToken ? tokens : perToken ? NaN : 0));
      if (has(bound)) lines.push(line(`bound of ${qos.name}`, bound, "ink", { width: 1.6, dash: "dash", isBound: true }));
      if (has(bound)) said.push(`bound ${seconds(last(bound))}` + (perToken ? " at the mean prompt" : ""));
    });
    return { id: what, title: isTtft ? "TTFT against its bound" : "TPOT against its bound", unit: "", lines, from: 0, hover: "%{y:.3~s}s", isTime: true,
      sum: lines.some((each) => !each.isBound) ? said.join(" · ") : "No router that measures it is named or has answered requests yet" };
  }

  function attainment(model, series) {
    const lines = [];
    const said = [];
    let least = 1;
    const asked = new Set();
    model.classes.forEach((qos, i) => {
      const colour = CLASS_COLOURS[i % CLASS_COLOURS.length];
      const name = `class/${qos.name}`;
      const realised = series[`${name}/realised`];
      const predicted = series[`${name}/predicted`];
      if (has(realised)) lines.push(line(`${qos.name}, realised`, realised, colour));
      if (has(predicted)) lines.push(line(`${qos.name}, predicted`, predicted, colour, { width: 1.5, dash: "dot" }));
      if (has(realised)) said.push(`${qos.name} ${percent(last(realised))} realised, ${percent(last(predicted))} predicted`);
      for (const values of [realised, predicted]) for (const value of values || []) if (isKnown(value) && value < least) least = value;
      least = Math.min(least, qos.percentile_frac);
      asked.add(qos.percentile_frac);
    });
    const t = (series["cost"] || []).length;
    if (lines.length) for (const frac of asked) lines.push(line(`promised ${promised(frac)}`, new Array(t).fill(frac), "ink", { width: 1.2, dash: "dash", isBound: true }));
    return { id: "attainment", title: "Attainment, predicted beside realised", unit: "", lines, range: [Math.max(0, least - (1 - least) * 0.15 - 0.002), 1 + (1 - least) * 0.06 + 0.0005], hover: "%{y:.2~%}", isShare: true,
      sum: said.length ? said.join(" · ") : "No request has been scored yet" };
  }

  function cost(series, bounds) {
    const t = (series["cost"] || []).length;
    const lines = has(series["cost"]) ? [line("this fleet", series["cost"], "blue", { step: true, area: 0.12 })] : [];
    if (lines.length) bounds.forEach((bound, i) => {
      if (isKnown(bound.usd_per_hour)) lines.push(line(bound.name, new Array(t).fill(bound.usd_per_hour), i ? "teal" : "ink", { width: 1.5, dash: i ? "dot" : "dash", isBound: true }));
    });
    const perMillion = last(series["per_million"]);
    return { id: "cost", title: "Cost", unit: "$/h", lines, from: 0, hover: "$%{y:,.2f}",
      sum: lines.length ? `${usd(last(series["cost"]))} an hour now` + (isKnown(perMillion) ? ` · ${usd(perMillion)} per million tokens` : "") : "The price is not known yet" };
  }

  /** Every chart of a model, in the order of the page. */
  function figures(model, series, bounds) {
    return [
      ...model.targets.map((target) => instances(target, series)),
      traffic(model, series),
      latency(model, series, "ttft"),
      latency(model, series, "tpot"),
      attainment(model, series),
      cost(series, bounds),
    ];
  }

  Object.assign(Page, { figures, last, highest, tail });
})();
