// Who answers, and how fast: routes, upstreams with their servers and breakers, overload protection, listeners.

import { count, moment, rate, share, span, took } from "./format.js";
import { counter, rowsOf, speed } from "./limits.js";
import { quantile } from "./rates.js";
import { Table, element, write } from "./table.js";

/** A column of the time that this share of the last answers stayed under. */
const within = (title, share) => ({
  title,
  number: true,
  show: ({ recent }) => took(quantile(recent, share)),
  sort: ({ recent }) => quantile(recent, share) ?? 0,
});

const ofClass = (list, name) => list.find((each) => each.class === name)?.count ?? 0;

const answers = (title, name, mark) => ({
  title,
  number: true,
  show: (row) => count(ofClass(row.finished, name)),
  sort: (row) => ofClass(row.finished, name),
  at: (row) => `${row.at}/finished/${row.finished.findIndex((each) => each.class === name)}/count`,
  mark: (row) => (mark && ofClass(row.finished, name) > 0 ? mark : ""),
});

export function routes(host) {
  const table = new Table(host, "Counts since the start; times of the last 10 seconds", [
    { title: "Route", show: ({ name }) => name, at: ({ at }) => `${at}/name` },
    speed("Requests/s", (row) => row.speed),
    { title: "Requests", number: true, show: (row) => count(row.duration.count), sort: (row) => row.duration.count, at: ({ at }) => `${at}/duration/count` },
    answers("2xx", "2xx"),
    answers("3xx", "3xx"),
    answers("4xx", "4xx"),
    answers("5xx", "5xx", "failed"),
    within("p50", 0.5),
    within("p90", 0.9),
    within("p99", 0.99),
  ]);
  return ({ status, deltas, recent }) => {
    const rows = rowsOf(status.routes, "/status/routes", ({ name }) => name);
    table.update(rows.map((row) => ({
      ...row,
      speed: deltas.of(`route ${row.name}`, row.duration.count, 0),
      recent: recent.of(`route ${row.name}`, row.duration.buckets),
    })));
    return rows.length > 0;
  };
}

export function upstreams(host) {
  const table = new Table(host, "Each server as it was last seen", [
    { title: "Server", show: ({ address }) => address, at: ({ at }) => `${at}/address` },
    { title: "Upstream", show: ({ upstream }) => upstream.name },
    { title: "Health", show: (row) => health(row), mark: (row) => (isWell(row) ? "" : "failed") },
    { title: "Breaker", show: (row) => breaker(row), mark: (row) => (stateOf(row) === "closed" ? "" : "failed") },
    speed("Requests/s", (row) => row.speed),
    counter("Requests", "requests"),
    counter("In flight", "in_flight"),
    within("p99 of all", 0.99),
    { title: "Weight", number: true, show: ({ weight, share: part }) => (part < 1 ? `${share(part)} of ${weight}` : String(weight)), sort: ({ weight }) => weight },
    { title: "Last error", long: true, show: ({ last_error: error }) => (error ? `${error.what}, ${span(error.seconds_ago)} ago` : "none") },
  ]);
  const notes = host.appendChild(element("p", "", "quiet"));
  return ({ status, deltas, recent }) => {
    const rows = status.upstreams.flatMap((upstream, index) => {
      const times = recent.of(`upstream ${upstream.name}`, upstream.response_time.buckets);
      return rowsOf(upstream.servers, `/status/upstreams/${index}/servers`, ({ address }, at) => `${upstream.name} ${address} ${at}`)
        .map((row) => ({ ...row, upstream, recent: times, speed: deltas.of(`server ${row.id}`, row.requests, 0) }));
    });
    table.update(rows);
    write(notes, status.upstreams.map(note).filter(Boolean).join(" "));
    return rows.length > 0 || status.upstreams.length > 0;
  };
}

const isWell = ({ health: checks, out_for_seconds: out }) => (checks?.healthy ?? true) && out === null;

function health({ health: checks, out_for_seconds: out }) {
  if (out !== null) return `left out for ${span(out)}`;
  if (checks === null) return "not checked";
  const since = checks.since_seconds === null ? "" : ` for ${span(checks.since_seconds)}`;
  return (checks.healthy ? "healthy" : "unhealthy") + since;
}

/** A server's own breaker, or the one that it shares. */
const breakerOf = ({ breaker: own, upstream }) => own ?? upstream.breaker;

const stateOf = (row) => breakerOf(row)?.state ?? "closed";

function breaker(row) {
  const found = breakerOf(row);
  if (!found) return "none";
  const counted = found.answers > 0 ? `, ${count(found.bad)} of ${count(found.answers)} bad` : "";
  if (found.state === "open") return `open for ${span(found.open_for_seconds)} more`;
  if (found.state === "half_open") return `half-open, ${found.probes_in_flight} probes`;
  return "closed" + counted;
}

function note(upstream) {
  const words = [];
  if (upstream.panicking) words.push("so few servers are well that all are asked");
  if (upstream.max_in_flight !== null) words.push(`${count(upstream.in_flight)} of ${count(upstream.max_in_flight)} in flight`);
  if (upstream.servers.length === 0) words.push("no server is known");
  const refused = upstream.refused_full + upstream.refused_unknown + upstream.refused_open;
  if (refused > 0) words.push(`${count(refused)} refused`);
  if (upstream.retries > 0) words.push(`${count(upstream.retries)} retries`);
  const lost = upstream.names.filter(({ error }) => error);
  words.push(...lost.map(({ name, error }) => `${name}: ${error}`));
  return words.length > 0 ? `${upstream.name}: ${words.join(", ")}.` : "";
}

const UNITS = {
  share,
  load: (value) => value.toFixed(2),
  requests: count,
  burst: (value) => `${count(Math.round(value))} of the burst`,
  seconds: span,
};

export function protection(host) {
  const table = new Table(host, "What is measured, and above what requests are shed", [
    { title: "Measure", show: ({ measure }) => measure, at: ({ at }) => `${at}/measure` },
    { title: "Now", number: true, show: (row) => (row.value === null ? "not told here" : UNITS[row.unit](row.value)) },
    { title: "Sheds above", number: true, show: (row) => UNITS[row.unit](row.trigger) },
    { title: "Strategy", show: ({ strategy }) => strategy },
    { title: "Sheds now", show: (row) => words(row, "sheds", ({ sheds }) => sheds && ""), mark: (row) => (row.priorities.some(({ sheds }) => sheds) ? "failed" : "") },
    { title: "Shed", show: (row) => words(row, "shed", ({ shed }) => shed > 0 && ` ${count(shed)}`) },
  ]);
  return ({ status }) => {
    const measures = status.protection?.measures ?? [];
    table.update(rowsOf(measures, "/status/protection/measures", ({ measure }) => measure));
    return measures.length > 0;
  };
}

function words({ priorities }, what, of) {
  const named = priorities.map((each) => [each.priority, of(each)]).filter(([, text]) => text !== false);
  return named.map(([priority, text]) => priority + text).join(", ") || "nothing";
}

export function listeners(host) {
  const table = new Table(host, "Where connections come in", [
    { title: "Listener", show: ({ name }) => name, at: ({ at }) => `${at}/name` },
    { title: "Address", show: ({ address }) => address, at: ({ at }) => `${at}/address` },
    counter("Connections open", "connections_open"),
  ]);
  const notes = host.appendChild(element("p", "", "quiet"));
  return ({ status, deltas }) => {
    table.update(rowsOf(status.listeners, "/status/listeners", ({ name }) => name));
    const { accepted, refused_blocked, refused_full, cut } = status.connections;
    write(notes, `${count(accepted)} connections were accepted, ${rate(deltas.of("accepted", accepted))} a second now; `
      + `closed at once: ${count(refused_blocked)} of blocked sources, ${count(refused_full)} for want of room; ended by a block: ${count(cut)}. `
      + `Since ${moment(status.since)}.`);
    return true;
  };
}
