// What is kept out and what is let in: limits, their hottest keys, blocks, gates.

import { bytes, count, rate, span } from "./format.js";
import { Table, element, write } from "./table.js";

/** Keys that are shown, over all limits. */
const HOTTEST = 12;

const NONE = "\u2013";

const optional = (value, show = count) => (value === null || value === undefined ? NONE : show(value));

/** A column of a number that the document has under this name. */
export function counter(title, name) {
  return { title, number: true, show: (row) => count(row[name]), sort: (row) => row[name], at: (row) => `${row.at}/${name}` };
}

/** A column of how fast one grows. */
export function speed(title, of) {
  return { title, number: true, show: (row) => rate(of(row)), sort: (row) => of(row) ?? 0 };
}

/** The rows of a list of the document, each with its place and its id. */
export function rowsOf(list, at, id) {
  return list.map((each, index) => ({ ...each, at: `${at}/${index}`, id: id(each, index) }));
}

export function limits(host) {
  const table = new Table(host, "What they did so far, and in the last second", [
    { title: "Limit", show: ({ name }) => name, at: ({ at }) => `${at}/name` },
    { title: "Key", show: ({ key }) => key.join(", ") },
    { title: "Rate", show: (row) => row.rate, at: ({ at }) => `${at}/rate` },
    { title: "Left", number: true, show: (row) => left(row), sort: (row) => row.left ?? -1 },
    speed("Admitted/s", ({ admittedSpeed }) => admittedSpeed),
    { ...speed("Refused/s", ({ refusedSpeed }) => refusedSpeed), mark: ({ refusedSpeed }) => (refusedSpeed > 0 ? "refused" : "") },
    counter("Admitted", "admitted"),
    counter("Refused", "refused"),
    { title: "Waiting", number: true, show: ({ waiting }) => count(waiting), at: ({ at }) => `${at}/waiting` },
    counter("In flight", "in_flight"),
    counter("Blocks", "blocks"),
    { title: "Mode", show: ({ shadow }) => (shadow ? "shadow" : "enforced") },
  ]);
  return ({ status, deltas }) => {
    const rows = rowsOf(status.limits, "/status/limits", ({ name }) => name);
    table.update(rows.map((row) => ({
      ...row,
      admittedSpeed: deltas.of(`admitted ${row.name}`, row.admitted, 0),
      refusedSpeed: deltas.of(`refused ${row.name}`, row.refused + row.shadowed, 0),
    })));
    return rows.length > 0;
  };
}

/** One budget has something left; of many, each key has its own. */
function left(limit) {
  return limit.left === null ? "by key" : `${count(limit.left)} of ${count(limit.burst)}`;
}

export function hottest(host) {
  const table = new Table(host, "The keys that limits were asked for most in the last minutes", [
    { title: "Key", show: ({ key }) => key, at: ({ at }) => `${at}/key` },
    { title: "Limit", show: ({ limit }) => limit },
    { title: "Requests", number: true, show: (row) => estimate(row), sort: ({ requests }) => requests },
    { ...counter("Refused", "refused"), mark: ({ refused }) => (refused > 0 ? "refused" : "") },
    { title: "Left", number: true, show: (row) => optional(row.left), sort: (row) => row.left ?? -1 },
  ]);
  return ({ status }) => {
    // One key for all is no hotter than its limit.
    const rows = status.limits.flatMap(({ name, key, hottest }, index) =>
      key[0] === "none" ? [] : rowsOf(hottest, `/status/limits/${index}/hottest`, (each) => `${name} ${each.key}`)
        .map((row) => ({ ...row, limit: name })));
    rows.sort((a, b) => b.requests - a.requests);
    table.update(rows.slice(0, HOTTEST));
    return rows.length > 0;
  };
}

function estimate({ requests, error }) {
  return error > 0 ? `${count(requests - error)}\u2013${count(requests)}` : count(requests);
}

export function blocks(host) {
  const table = new Table(host, "Sources that are kept out, the one that ends last first", [
    { title: "Source", show: ({ source }) => source, at: ({ at }) => `${at}/source` },
    { title: "Ends in", number: true, show: (row) => span(row.ends_in_seconds), sort: (row) => row.ends_in_seconds },
    { title: "Reason", show: ({ reason }) => reason, at: ({ at }) => `${at}/reason` },
    { title: "By", show: ({ by, uid }) => (uid === null ? by : `${by}, user ${uid}`) },
    { title: "From", show: ({ scope }) => (scope === "host" ? "the whole host" : "the listeners") },
    { title: "Since", number: true, show: (row) => span(row.since_seconds_ago), sort: (row) => row.since_seconds_ago },
    counter("Packets dropped", "dropped_packets"),
    { title: "Bytes", number: true, show: (row) => bytes(row.dropped_bytes), sort: (row) => row.dropped_bytes },
  ]);
  const nobody = host.appendChild(element("p", "Nobody is blocked.", "quiet"));
  const budget = host.appendChild(element("p", "", "quiet"));
  return ({ status, blocks: list }) => {
    table.update(rowsOf(list, "/blocks", ({ source, scope }) => `${source} ${scope}`));
    table.hide(list.length === 0);
    nobody.hidden = list.length > 0;
    const { standing, max, refused_full, refused_rate } = status.blocks_budget;
    const missed = refused_full + refused_rate;
    const rest = status.blocks > list.length ? `${count(status.blocks - list.length)} more are not shown. ` : "";
    write(budget, `${rest}Limits hold ${count(standing)} of ${count(max)} blocks${missed > 0 ? `; ${count(missed)} were not made for want of room` : ""}.`);
    return true;
  };
}

export function gates(host) {
  const list = host.appendChild(element("ul", "", "gates"));
  const shown = new Map();
  return ({ status }) => {
    const names = new Set(status.gates.map(({ name }) => name));
    for (const [name, gate] of shown) {
      if (!names.has(name)) {
        gate.item.remove();
        shown.delete(name);
      }
    }
    status.gates.forEach((gate, index) => {
      if (!shown.has(gate.name)) shown.set(gate.name, gateItem(list, gate.name));
      fillGate(shown.get(gate.name), gate, `/status/gates/${index}`);
    });
    return status.gates.length > 0;
  };
}

function gateItem(list, name) {
  const item = list.appendChild(element("li"));
  const head = item.appendChild(element("h3", name));
  const phase = head.appendChild(element("span", "", "chip"));
  const fill = item.appendChild(document.createElement("progress"));
  fill.setAttribute("aria-label", `places of ${name} that are taken`);
  const places = item.appendChild(element("p", "", "places"));
  const admitted = places.appendChild(element("b"));
  const of = places.appendChild(element("span"));
  const rest = item.appendChild(element("p", "", "quiet"));
  return { item, phase, fill, admitted, of, rest };
}

function fillGate(shown, gate, at) {
  write(shown.phase, gate.phase);
  shown.phase.dataset.at = `${at}/phase`;
  shown.phase.dataset.state = gate.phase === "open" ? "good" : "quiet";
  shown.fill.hidden = gate.max_admitted === null;
  shown.fill.max = gate.max_admitted ?? 1;
  shown.fill.value = gate.admitted;
  write(shown.admitted, count(gate.admitted));
  shown.admitted.dataset.at = `${at}/admitted`;
  write(shown.of, gate.max_admitted === null ? " admitted, without a bound" : ` of ${count(gate.max_admitted)} places taken`);
  const refused = Object.entries(gate.refused).filter(([, number]) => number > 0);
  const why = refused.map(([reason, number]) => `${reason.replaceAll("_", " ")} ${count(number)}`).join(", ");
  const kept = gate.kept ? "" : ` Not kept: ${gate.not_kept_because}.`;
  write(shown.rest, `Draws ${gate.admit}, ${gate.draw}. Let in ${count(gate.let_in)}; refused: ${why || "nobody"}.${kept}`);
}
