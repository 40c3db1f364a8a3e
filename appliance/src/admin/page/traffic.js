// The figures at the top: what happens at this moment, in one line.

import { count, rate, took } from "./format.js";
import { total } from "./rates.js";
import { write } from "./table.js";

const FIGURES = {
  requests: ({ point }) => rate(total(point.requests)),
  refused: ({ point }) => rate(point.requests && total(point.requests) - point.requests.served - point.requests.failed),
  failed: ({ point }) => rate(point.requests?.failed),
  p99: ({ point }) => took(point.times.p99),
  packets: ({ point, status }) => (status.prefilter.on ? rate(total(point.packets)) : "off"),
  dropped: ({ point, status }) => (status.prefilter.on ? rate(point.packets && dropped(point.packets)) : "off"),
  blocks: ({ status }) => count(status.blocks),
  flight: ({ status }) => count(status.requests.in_flight),
  connections: ({ status }) => count(status.connections.open),
};

function dropped({ refused, blocked, other }) {
  return refused + blocked + other;
}

/** Writes what is happening. */
export function showFigures(host, look) {
  for (const [name, text] of Object.entries(FIGURES)) {
    write(host.querySelector(`[data-figure="${name}"]`), text(look));
  }
}
