// One strip of the plot: what came to what in each second, as areas on each other or as lines.

import { rate } from "./format.js";
import { total } from "./rates.js";
import { element, write } from "./table.js";

const SVG = "http://www.w3.org/2000/svg";

/** How large the reader has his letters, beside the 15 pixels that sizes here are made for. */
export const scale = () => parseFloat(getComputedStyle(document.documentElement).fontSize) / 15;

/** Beside and above what is drawn, for the words of the axes. */
export const MARGIN = { right: 52.5, top: 8 };

/** Seconds between two points that are not joined: nothing was seen between them. */
export const GAP = 6;

const LOW = 0.0005;
const HIGH = 30;

/** An element of a drawing. */
export function svg(name, attributes = {}) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** A word at an axis. */
export function label(x, y, anchor, text) {
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

/**
 * A strip of these `series`, `height` pixels high: `stacked` counts from nothing up, or times on a scale of powers. `show`
 * makes a text of a value.
 */
export class Strip {
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
