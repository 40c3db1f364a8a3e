// The last minutes of both layers on one axis of time: requests, packets, and how long answers took.

import { count, rate, took } from "./format.js";
import { PACKETS, QUANTILES, REQUESTS, WINDOW, total } from "./rates.js";
import { GAP, MARGIN, Strip, label, scale, svg } from "./strip.js";
import { write } from "./table.js";

/** Seconds that are shown: as few as hold all that was seen. */
const SPANS = [60, 120, WINDOW];

/** What is drawn, from above to below. */
const STRIPS = [
  { id: "requests", title: "Requests per second", series: REQUESTS, height: 132, stacked: true, show: rate },
  { id: "packets", title: "Packets per second", series: PACKETS, height: 132, stacked: true, show: rate },
  { id: "times", title: "Time to answer, of the last 10 seconds", series: QUANTILES, height: 92, stacked: false, show: took },
];

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
