/* Learning curves by uPlot: a chart for each scenario, from the JSON that the page carries. */
"use strict";
(() => {
  const HEIGHT = 320; // px
  const LEVELS = { random: "random policy", no_information: "no-information script", good: "good script" };
  const AXES = { episodes: "training episodes of each task", steps: "environment steps", updates: "gradient updates" };
  const shown = [];

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  }

  function written(value) {
    return value === null || value === undefined ? "–" : Number(value.toPrecision(4)).toLocaleString("en");
  }

  /* A mean's interval from half its width, which is all that a page carries. */
  function ends(own) {
    if (!own.half || own.low) return own;
    const away = (sign) => own.mean.map((mean, i) => (mean === null || own.half[i] === null ? null : mean + sign * own.half[i]));
    return Object.assign(own, { low: away(-1), high: away(1) });
  }

  /* Columns as uPlot wants them: x, the seeds, then mean, low and high if they exist. */
  function columns(series) {
    const more = ["mean", "low", "high"].filter((name) => series[name]);
    return { data: [series.at, ...series.values, ...more.map((name) => series[name])], more };
  }

  function options(panel, series, more, width, onCursor) {
    const text = colour("soft");
    const axis = { stroke: text, grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid"), width: 1 } };
    const lines = series.seeds.map((seed) => ({ label: `seed ${seed}`, stroke: colour("seed"), width: 1, points: { show: false } }));
    const extra = { mean: { width: 2.5, stroke: colour("curve") }, low: { width: 0 }, high: { width: 0 } };
    lines.push(...more.map((name) => ({ label: name, points: { show: false }, ...extra[name] })));
    const at = 1 + series.seeds.length;
    const bands = more.includes("low") ? [{ series: [at + more.indexOf("high"), at + more.indexOf("low")], fill: colour("band") }] : [];
    return {
      width,
      height: HEIGHT,
      legend: { show: false },
      scales: { x: { time: false } },
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false } },
      axes: [
        { ...axis, label: AXES[panel.unit], labelSize: 24, size: 40 },
        { ...axis, label: series.name.startsWith("loss/") ? series.name : `${panel.metric} (${series.name})`, labelSize: 24, size: 56 },
      ],
      series: [{ label: panel.unit }, ...lines],
      bands,
      hooks: { setCursor: [onCursor], draw: [(u) => series.name.startsWith("loss/") || levels(u, panel)] },
    };
  }

  /* Scripted policies as dotted lines, where they lie within what is shown. */
  function levels(u, panel) {
    const { ctx, bbox } = u;
    const pixels = window.devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("level");
    ctx.setLineDash([2 * pixels, 4 * pixels]);
    ctx.lineWidth = pixels;
    ctx.font = `${11 * pixels}px system-ui, sans-serif`;
    ctx.textAlign = "right";
    for (const [name, level] of Object.entries(panel.levels)) {
      const y = u.valToPos(level, "y", true);
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      const at = [LEVELS[name] || name, bbox.left + bbox.width - 4 * pixels, y - 4 * pixels];
      ctx.save();
      ctx.setLineDash([]);
      ctx.strokeStyle = colour("page");
      ctx.lineWidth = 4 * pixels; // a halo, so that the words stand out from the curves
      ctx.strokeText(...at);
      ctx.restore();
      ctx.fillText(...at);
    }
    ctx.restore();
  }

  function said(series, unit, index) {
    if (index === null || index === undefined) return "";
    const parts = [`${unit.slice(0, -1)} ${written(series.at[index])}`];
    if (series.mean) {
      const ends = series.low ? ` [${written(series.low[index])}, ${written(series.high[index])}]` : "";
      parts.push(`mean ${written(series.mean[index])}${ends}`);
    }
    if (series.values.length) parts.push(`seeds ${series.values.map((own) => written(own[index])).join(", ")}`);
    return parts.join("; ");
  }

  class Chart {
    constructor(panel, place) {
      this.panel = panel;
      this.series = panel.series[0];
      this.box = document.createElement("div");
      this.box.className = "chart";
      this.plot = document.createElement("div");
      this.plot.className = "plot";
      this.plot.tabIndex = 0;
      this.plot.setAttribute("role", "group");
      this.plot.setAttribute("aria-roledescription", "chart");
      this.readout = document.createElement("output");
      this.readout.className = "readout";
      this.box.append(this.title(), this.tools(), this.plot, this.readout);
      place.append(this.box);
      this.plot.addEventListener("keydown", (event) => this.step(event));
      this.draw();
    }

    title() {
      const title = document.createElement("h3");
      title.textContent = this.panel.scenario;
      return title;
    }

    tools() {
      const tools = document.createElement("div");
      tools.className = "tools";
      const pick = document.createElement("select");
      for (const own of this.panel.series) pick.append(new Option(own.name, own.name));
      pick.addEventListener("change", () => {
        this.series = this.panel.series.find((own) => own.name === pick.value);
        this.draw();
      });
      const label = document.createElement("label");
      label.append("Curve", pick);
      this.choices = document.createElement("fieldset");
      tools.append(label, this.choices);
      return tools;
    }

    /* A box for each seed, to look at any of them alone. */
    boxes() {
      const legend = document.createElement("legend");
      legend.textContent = this.series.seeds.length ? "Seeds shown" : "";
      this.choices.replaceChildren(legend);
      this.series.seeds.forEach((seed, index) => {
        const box = document.createElement("input");
        box.type = "checkbox";
        box.checked = true;
        box.addEventListener("change", () => this.chart.setSeries(1 + index, { show: box.checked }));
        const label = document.createElement("label");
        label.append(box, String(seed));
        this.choices.append(label);
      });
    }

    draw() {
      if (this.chart) this.chart.destroy();
      this.boxes();
      const { data, more } = columns(this.series);
      const width = this.plot.clientWidth - 10;
      const onCursor = (u) => {
        if (u.cursor.idx !== null && u.cursor.idx !== undefined) this.readout.textContent = said(this.series, this.panel.unit, u.cursor.idx);
      };
      this.chart = new uPlot(options(this.panel, this.series, more, width, onCursor), data, this.plot);
      this.plot.setAttribute("aria-label", `Learning curves on ${this.panel.scenario}: ${this.series.name} of ${this.series.n} seeds`);
      this.readout.textContent = said(this.series, this.panel.unit, this.series.at.length - 1);
    }

    step(event) {
      const last = this.series.at.length - 1;
      const now = this.chart.cursor.idx ?? last;
      const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const index = Math.min(last, Math.max(0, to));
      this.chart.setCursor({ left: this.chart.valToPos(this.series.at[index], "x"), top: 0 });
    }

    resize() {
      this.chart.setSize({ width: this.plot.clientWidth - 10, height: HEIGHT });
    }
  }

  window.curves = { colour, written, levels, ends, AXES, HEIGHT }; // for joint.js
  const carried = document.getElementById("curve-data");
  const { panels } = carried ? JSON.parse(carried.textContent) : { panels: [] };
  panels.forEach((panel) => panel.series.forEach(ends));
  for (const panel of panels) if (panel.series.length) shown.push(new Chart(panel, document.getElementById("charts")));
  window.addEventListener("resize", () => shown.forEach((chart) => chart.resize()));
  document.addEventListener("theme", () => shown.forEach((chart) => chart.draw()));
})();
