/* All methods of an experiment on one axis: means with their intervals. Seeds come from a file of their own when asked for. */
"use strict";
(() => {
  const { colour, written, levels, ends, AXES, HEIGHT } = window.curves;
  const COLOURS = 8; // --m0 to --m7
  const DASHES = [[], [8, 4], [2, 3]]; // once the colours are used up
  const charts = new Map();

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  class Joint {
    constructor(box, data) {
      this.box = box;
      this.data = data;
      for (const lines of Object.values(data.curves)) {
        for (const line of lines) {
          line.at ??= lines[0].at; // said once where it is the same
          ends(line);
        }
      }
      this.name = Object.keys(data.curves)[0];
      this.hidden = new Set();
      this.plot = element("div", { class: "plot", tabindex: "0", role: "group", "aria-roledescription": "chart" });
      this.readout = element("output", { class: "readout" });
      box.querySelector(".tools").prepend(this.picker(), this.boxes());
      box.querySelector(".canvas").replaceChildren(this.plot, this.readout);
      const ask = box.querySelector("input.seeds");
      ask.closest("label").hidden = false;
      ask.addEventListener("change", () => this.toggle(ask.checked));
      this.plot.addEventListener("keydown", (event) => this.step(event));
      this.draw();
    }

    picker() {
      const pick = element("select", {});
      for (const name of Object.keys(this.data.curves)) pick.append(new Option(name, name));
      pick.addEventListener("change", () => {
        this.name = pick.value;
        this.draw();
      });
      return element("label", {}, "Curve", pick);
    }

    boxes() {
      const legend = element("fieldset", { class: "methods" }, element("legend", {}, "Methods"));
      this.data.methods.forEach((method, index) => {
        const box = element("input", { type: "checkbox" });
        box.checked = true;
        box.addEventListener("change", () => {
          this.hidden[box.checked ? "delete" : "add"](method);
          this.draw();
        });
        const key = element("span", { class: `key m${index % COLOURS} d${Math.floor(index / COLOURS) % DASHES.length}`, "aria-hidden": "true" });
        legend.append(element("label", {}, box, key, method));
      });
      return legend;
    }

    toggle(on) {
      this.withSeeds = on;
      if (!on || this.seeds) return this.draw();
      document.head.append(element("script", { src: this.box.dataset.seeds }));
    }

    look(method) {
      const index = this.data.methods.indexOf(method);
      return { stroke: colour(`m${index % COLOURS}`), dash: DASHES[Math.floor(index / COLOURS) % DASHES.length], spanGaps: true, points: { show: false } };
    }

    draw() {
      if (this.chart) this.chart.destroy();
      const lines = this.data.curves[this.name].filter((line) => !this.hidden.has(line.method));
      const tables = [];
      const series = [{}];
      const bands = [];
      for (const line of lines) {
        const look = this.look(line.method);
        const own = this.withSeeds && this.seeds?.[this.name]?.[line.method];
        if (own?.values.length) {
          tables.push([line.at, ...own.values]);
          series.push(...own.seeds.map(() => ({ ...look, width: 0.7, alpha: 0.55 })));
        }
        tables.push(line.low ? [line.at, line.mean, line.low, line.high] : [line.at, line.mean]);
        series.push({ ...look, width: 2.2, mean: line });
        if (line.low) {
          series.push({ width: 0, points: { show: false } }, { width: 0, points: { show: false } });
          bands.push({ series: [series.length - 1, series.length - 2], fill: `${look.stroke}26` });
        }
      }
      const text = colour("soft");
      const axis = { stroke: text, grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid"), width: 1 } };
      const drawn = {
        width: this.width(),
        height: HEIGHT,
        legend: { show: false },
        scales: { x: { time: false } },
        cursor: { y: false, points: { show: false }, drag: { x: true, y: false } },
        axes: [
          { ...axis, label: AXES[this.data.unit], labelSize: 24, size: 40 },
          { ...axis, label: `${this.data.metric} (${this.name})`, labelSize: 24, size: 56 },
        ],
        series,
        bands,
        hooks: { setCursor: [(u) => this.say(u.cursor.idx)], draw: [(u) => levels(u, this.data)] },
      };
      this.table = tables.length ? uPlot.join(tables) : [[], []];
      if (!tables.length) drawn.series = [{}, {}];
      this.series = drawn.series;
      this.chart = new uPlot(drawn, this.table, this.plot);
      this.plot.setAttribute("aria-label", `${this.name} on ${this.data.title}: ${lines.map((line) => line.method).join(", ") || "no method chosen"}`);
      this.say(this.table[0].length - 1);
    }

    say(index) {
      if (index === null || index === undefined || index < 0) return;
      const parts = [`${this.data.unit.slice(0, -1)} ${written(this.table[0][index])}`];
      this.series.forEach((own, place) => {
        if (!own.mean || this.table[place][index] == null) return;
        const ends = own.mean.low ? ` [${written(this.table[place + 1][index])}, ${written(this.table[place + 2][index])}]` : "";
        parts.push(`${own.mean.method} ${written(this.table[place][index])}${ends}`);
      });
      this.readout.textContent = parts.join("; ");
    }

    step(event) {
      const last = this.table[0].length - 1;
      const now = this.chart.cursor.idx ?? last;
      const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.chart.setCursor({ left: this.chart.valToPos(this.table[0][Math.min(last, Math.max(0, to))], "x"), top: 0 });
    }

    width() {
      return Math.max(200, this.plot.clientWidth - 10);
    }
  }

  window.jointSeeds = (name, seeds) => {
    const own = charts.get(name);
    own.seeds = seeds;
    own.draw();
  };

  function show(box) {
    if (!charts.has(box.id)) charts.set(box.id, new Joint(box, JSON.parse(box.querySelector("script").textContent)));
  }

  /* A chart is drawn when it is first seen, or when the page is printed: a paper has many. */
  const boxes = document.querySelectorAll(".joint");
  const seen = new IntersectionObserver((entries) => entries.filter((own) => own.isIntersecting).forEach((own) => show(own.target)), { rootMargin: "200px" });
  boxes.forEach((box) => seen.observe(box));
  window.addEventListener("beforeprint", () => boxes.forEach(show));
  window.addEventListener("resize", () => charts.forEach((own) => own.chart.setSize({ width: own.width(), height: HEIGHT })));
  document.addEventListener("theme", () => charts.forEach((own) => own.draw()));
})();
