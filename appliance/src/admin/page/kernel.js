// The pre-filter: where it filters, and what became of packets.

import { bytes, count, moment } from "./format.js";
import { counter, rowsOf, speed } from "./limits.js";
import { Table, element, write } from "./table.js";

/** Dropped packets that are shown one by one. */
const SAMPLES = 8;

export function prefilter(host) {
  const state = host.appendChild(element("p", "", "lead"));
  const interfaces = host.appendChild(element("ul", "", "plain"));
  const reasons = new Table(host, "Packets by what decided over them", [
    { title: "Reason", show: ({ reason }) => reason, at: ({ at }) => `${at}/reason` },
    { title: "Verdict", show: (row) => verdict(row) },
    { ...speed("Packets/s", (row) => row.speed), mark: (row) => (row.dropped && row.speed > 0 ? "blocked" : "") },
    counter("Packets", "packets"),
    { title: "Bytes dropped", number: true, show: (row) => (row.dropped ? bytes(row.bytes) : "\u2013"), sort: (row) => row.bytes },
  ]);
  const limits = new Table(host, "Limits of packets", [
    { title: "Limit", show: ({ name }) => name, at: ({ at }) => `${at}/name` },
    counter("Admitted", "admitted"),
    { ...counter("Dropped", "dropped"), mark: ({ dropped }) => (dropped > 0 ? "refused" : "") },
    counter("Cookies", "cookies"),
    counter("Shadowed", "shadowed"),
  ]);
  const samples = new Table(host, "The last packets that were dropped and shown", [
    { title: "At", show: ({ at: when }) => moment(when) },
    { title: "Source", show: ({ source }) => source ?? "unreadable" },
    { title: "Port", number: true, show: ({ port }) => String(port ?? "\u2013") },
    { title: "Protocol", show: ({ protocol }) => protocol },
    { title: "Reason", show: ({ reason, limit }) => (limit ? `${reason}: ${limit}` : reason) },
    { title: "Interface", show: ({ interface: name }) => name },
  ]);
  return ({ status, deltas }) => {
    const filter = status.prefilter;
    write(state, filter.on ? on(filter, status) : `Off: ${filter.why ?? "the file has none"}.`);
    showInterfaces(interfaces, filter.interfaces);
    const counted = rowsOf(filter.packets, "/status/prefilter/packets", ({ reason }) => reason)
      .map((row) => ({ ...row, speed: deltas.of(`reason ${row.reason}`, row.packets) }))
      .filter(({ packets }) => packets > 0);
    reasons.update(counted);
    reasons.hide(counted.length === 0);
    limits.update(rowsOf(filter.limits, "/status/prefilter/limits", ({ name }) => name));
    limits.hide(filter.limits.length === 0);
    samples.update(filter.samples.slice(0, SAMPLES).map((sample, index) => ({ ...sample, id: `${sample.at} ${index}` })));
    samples.hide(filter.samples.length === 0);
    return true;
  };
}

const verdict = ({ dropped, answered }) => (dropped ? "dropped" : answered ? "answered" : "passed");

function on(filter, { generation, table }) {
  const shared = table.shared_with_kernel ? "in the table that both layers share" : "in a table of its own";
  const why = filter.why ? ` ${filter.why}.` : "";
  const cookies = filter.no_cookies ? ` No SYN cookies: ${filter.no_cookies}.` : "";
  return `On, generation ${generation.kernel}, ${shared} of ${count(table.cells)} cells.${why}${cookies}`;
}

function showInterfaces(list, interfaces) {
  const texts = interfaces.map(({ name, state, mode, why, fallback, adopted, replaced }) => [
    `${name}: ${state}${mode ? `, ${mode}` : ""}`,
    why,
    fallback && `generic because native was refused: ${fallback}`,
    adopted && "adopted from an earlier process",
    replaced && `took the place of ${replaced}`,
  ].filter(Boolean).join("; "));
  while (list.children.length > texts.length) list.lastChild.remove();
  texts.forEach((text, index) => write(list.children[index] ?? list.appendChild(element("li")), text));
}
