// The last minutes of both layers on one axis of time: requests, packets, and how long answers took.

import { count, rate, took } from "./format.js";
import { PACKETS, QUANTILES, REQUESTS, WINDOW, total } from "./rates.js";
import { element, write } from "./table.js";

const SVG = "http://www.w3.org/2000/svg";

/** How large the reader has his letters, beside the 15 pixels that sizes here are made for. */
const scale = () => parseFloat(getComputedStyle(document.documentElement).fontSize) / 15;

/** Beside and above what is drawn, for the words of the axes. */
const MARGIN = { right: 52.5, top: 8 };

/** Seconds between two points that are not joined: nothing was seen between them. */
const GAP = 3.5;

const LOW = 0.0005;
const HIGH = 30;

/** Seconds that are shown: as few as hold all that was seen. */
const SPANS = [60, 120, WINDOW];

/** What is drawn, from above to below. */
const STRIPS = [
  { id: "requests", title: "Requests per second", series: REQUESTS, height: 132, stacked: true, show: rate },
  { id: "packets", title: "Packets per second", series: PACKETS, height: 132, stacked: true, show: rate },
  { id: "times", title: "Time to answer, of the last 10 seconds", series: QUANTILES, height: 92, stacked: false, show: took },
];

function svg(name, attributes = {}) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function label(x, y, anchor, text) {
  const made = svg("text", { x, y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}

/** The next round number: a digit and zeros. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 3, 4, 6, 8, 10].map((step) => step * power).find((step) => step >= value) ?? 10 * power;
}

/** Runs of points that have what `of` looks for, each without a gap. */
function runs(points, of) {
  const found = [];
  let run = [];
  for (const point of points) {
    const broken = run.length > 0 && point.at - run.at(-1).at > GAP;
    if (broken || of(point) === null) {
      if (run.length > 0) found.push(run);
      run = [];
    }
    if (of(point) !== null) run.push(point);
  }
  const all = run.length > 0 ? [...found, run] : found;
  // A point tells of the second before it.
  return all.map((each) => [{ ...each[0], at: each[0].at - 1 }, ...each]);
}

class Strip {
  constructor(host, { id, title, series, height, stacked, show }) {
    Object.assign(this, { id, series, height, stacked, show });
    const head = element("div", "", "strip-head");
    head.append(element("h3", title));
    const legend = element("ul", "", "legend");
    this.values = new Map(series.map((each) => [each.id, this.#entry(legend, each)]));
    head.append(legend);
    this.why = element("p", "", "quiet", "strip-why");
    this.svg = svg("svg", { "aria-hidden": "true", focusable: "false" });
    this.grid = svg("g", { class: "grid" });
    this.areas = new Map(series.map((each) => [each.id, svg("path", { class: `${stacked ? "area" : "line"} ${each.id}` })]));
    this.cursor = svg("line", { class: "cursor", y1: 0 });
    // What matters most lies at the bottom of the stack, and is drawn last where lines cross.
    this.marks = svg("g", { class: "marks" });
    this.svg.append(this.grid, ...[...this.areas.values()].reverse(), this.marks, this.cursor);
    this.legend = legend;
    host.append(head, this.why, this.svg);
  }

  #entry(legend, { id, name }) {
    const entry = element("li");
    const value = element("b", "\u2013");
    entry.append(element("i", "", "swatch", id), element("span", name), value);
    legend.append(entry);
    return { entry, value };
  }

  draw(points, width, x) {
    const of = (point) => point[this.id];
    const seen = points.some((point) => of(point) !== null);
    this.tall = this.height * scale();
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", this.tall);
    this.cursor.setAttribute("y2", this.tall);
    const most = seen ? this.#most(points) : 1;
    const y = this.stacked ? this.#linear(most) : this.#logarithmic();
    this.#rules(width, most, y);
    const all = runs(points, of);
    this.stacked ? this.#stack(all, x, y) : this.#lines(all, x, y);
  }

  #most(points) {
    return this.stacked ? ceiling(Math.max(...points.map((point) => total(point[this.id]) ?? 0))) : 1;
  }

  #linear(most) {
    return (value) => this.tall - (value / most) * (this.tall - MARGIN.top);
  }

  #logarithmic() {
    const range = Math.log(HIGH * 2 / LOW);
    return (seconds) => {
      const clamped = Math.min(Math.max(seconds, LOW), HIGH * 2);
      return this.tall - 2 - (Math.log(clamped / LOW) / range) * (this.tall - MARGIN.top - 2);
    };
  }

  #rules(width, most, y) {
    const inner = width - MARGIN.right * scale();
    const marks = this.stacked
      ? [[most / 2, rate(most / 2)], [most, rate(most)]]
      : [[0.001, "1\u202fms"], [0.03, "30\u202fms"], [1, "1\u202fs"], [HIGH, "30\u202fs"]];
    this.grid.replaceChildren(...marks.flatMap(([value, text]) => {
      const line = svg("line", { x1: 0, x2: inner, y1: y(value), y2: y(value) });
      return [line, label(width, y(value) + 4, "end", text)];
    }), svg("line", { class: "floor", x1: 0, x2: inner, y1: this.tall - 0.5, y2: this.tall - 0.5 }));
  }

  #stack(all, x, y) {
    const floors = all.map((run) => run.map(() => 0));
    for (const { id } of this.series) {
      const shapes = all.map((run, index) => {
        const floor = floors[index];
        const roof = run.map((point, at) => floor[at] + point[this.id][id]);
        floors[index] = roof;
        if (roof.every((value, at) => value === floor[at])) return "";
        const above = run.map((point, at) => `${x(point.at).toFixed(1)},${y(roof[at]).toFixed(1)}`);
        const below = run.map((point, at) => `${x(point.at).toFixed(1)},${y(floor[at]).toFixed(1)}`).reverse();
        return `M${above.join("L")}L${below.join("L")}Z`;
      });
      this.areas.get(id).setAttribute("d", shapes.join(""));
    }
  }

  #lines(all, x, y) {
    for (const { id } of this.series) {
      const lines = all.flatMap((run) => runs(run, (point) => point[this.id][id]));
      const drawn = lines.map((run) =>
        "M" + run.map((point) => `${x(point.at).toFixed(1)},${y(point[this.id][id]).toFixed(1)}`).join("L"));
      this.areas.get(id).setAttribute("d", drawn.join(""));
    }
  }

  /** Writes the values of a point beside their names, and hides what there never was. */
  tell(point, ever) {
    const rates = point?.[this.id] ?? {};
    this.series.forEach(({ id }, index) => {
      const { entry, value } = this.values.get(id);
      write(value, this.show(rates[id]));
      entry.hidden = this.stacked && index > 0 && !ever.has(id);
    });
  }

  /** Says why there is nothing to draw; an empty reason draws. */
  explain(why) {
    write(this.why, why);
    this.legend.hidden = why !== "";
    this.svg.style.display = why === "" ? "" : "none";
  }

  /** Draws where a generation began. */
  place(marks) {
    this.marks.replaceChildren(...marks.map((x) => svg("line", { x1: x, x2: x, y1: 0, y2: this.tall })));
  }

  mark(x) {
    this.cursor.style.display = x === null ? "none" : "";
    if (x !== null) {
      this.cursor.setAttribute("x1", x);
      this.cursor.setAttribute("x2", x);
    }
  }
}

/** The figure: it is drawn anew with each point, and read at any of them. */
export class Plot {
  #points = [];
  #passages = [];
  #span = SPANS[0];
  #ever = new Map(STRIPS.map(({ id }) => [id, new Set()]));

  constructor(host, scrubber, time) {
    this.host = host;
    this.scrubber = scrubber;
    this.time = time;
    this.strips = STRIPS.map((strip) => new Strip(host, strip));
    this.axis = svg("svg", { height: 20, class: "axis", "aria-hidden": "true", focusable: "false" });
    host.append(this.axis);
    scrubber.max = 0;
    scrubber.value = 0;
    scrubber.addEventListener("input", () => this.#read());
    host.addEventListener("pointermove", (event) => this.#point(event));
    host.addEventListener("pointerleave", () => this.#let());
    new ResizeObserver(() => this.#draw()).observe(host);
  }

  /** Shows the points, the newest last, and where generations began; and why there are no packets, if so. */
  update(points, passages, packetsOff) {
    this.#points = points;
    this.#passages = passages;
    const age = points.at(-1).at - points[0].at;
    this.#span = SPANS.find((span) => age <= span) ?? WINDOW;
    this.scrubber.min = -this.#span;
    for (const { id, series } of STRIPS) {
      const rates = points.at(-1)[id] ?? {};
      series.forEach((each) => rates[each.id] > 0 && this.#ever.get(id).add(each.id));
    }
    this.strips[1].explain(packetsOff);
    this.#draw();
  }

  #draw() {
    if (this.#points.length === 0) return;
    const width = Math.max(this.host.clientWidth, 200);
    const end = this.#points.at(-1).at;
    const inner = width - MARGIN.right * scale();
    this.x = (at) => inner - ((end - at) / this.#span) * inner;
    const begin = end - this.#span;
    const shown = this.#points.filter(({ at }) => at >= begin);
    const passages = this.#passages.filter(({ at }) => at >= begin && at <= end);
    for (const strip of this.strips) {
      strip.draw(shown, width, this.x);
      strip.place(passages.map(({ at }) => this.x(at)));
    }
    this.#times(width, inner, passages);
    this.#read();
  }

  #times(width, inner, passages) {
    this.axis.setAttribute("width", width);
    const step = this.#span === WINDOW ? 60 : this.#span / 4;
    const ticks = [...Array(this.#span / step + 1).keys()].map((tick) => tick * step);
    const labels = ticks.filter((_, index) => inner > 420 || index % 2 === 0).map((back) => {
      const x = inner - (back / this.#span) * inner;
      const anchor = back === 0 ? "end" : back === this.#span ? "start" : "middle";
      return label(x, 14 * scale(), anchor, back === 0 ? "now" : `\u2212${step < 60 ? `${back}\u202fs` : `${back / 60}\u202fmin`}`);
    });
    const marks = passages.map(({ at, generation }) => label(this.x(at), 28 * scale(), "middle", `gen ${generation}`));
    this.axis.replaceChildren(...labels, ...marks);
    this.axis.setAttribute("height", (marks.length > 0 ? 34 : 20) * scale());
  }

  #point(event) {
    const { left } = this.host.getBoundingClientRect();
    const inner = this.host.clientWidth - MARGIN.right * scale();
    const part = Math.min(Math.max((event.clientX - left) / inner, 0), 1);
    this.scrubber.value = Math.round((part - 1) * this.#span);
    this.#read();
  }

  #let() {
    this.scrubber.value = 0;
    this.#read();
  }

  /** Tells the values of the moment that is chosen. */
  #read() {
    const back = Number(this.scrubber.value);
    const newest = this.#points.at(-1);
    if (!newest) return;
    const wanted = newest.at + back;
    const near = this.#points.reduce((a, b) => (Math.abs(b.at - wanted) < Math.abs(a.at - wanted) ? b : a));
    const point = Math.abs(near.at - wanted) <= GAP ? near : null;
    for (const strip of this.strips) {
      strip.tell(point, this.#ever.get(strip.id));
      strip.mark(back === 0 ? null : this.x(wanted));
    }
    const when = back === 0 ? "now" : `${count(-back)}\u202fs ago`;
    write(this.time, when);
    this.scrubber.setAttribute("aria-valuetext", `${when}: ${words(point)}`);
  }
}

/** A point as a sentence. */
export function words(point) {
  if (!point) return "nothing was seen";
  const requests = `${rate(total(point.requests))} requests a second, ${rate(point.requests?.refused)} over a limit`;
  const packets = point.packets ? `; ${rate(total(point.packets))} packets a second, ${rate(point.packets.blocked)} blocked` : "";
  return `${requests}${packets}; 99 of 100 answered within ${took(point.times.p99)}`;
}
