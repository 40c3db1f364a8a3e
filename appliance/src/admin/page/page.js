// The page as a whole: each document that comes is shown in all parts, one after the other.

import { watch } from "./feed.js";
import { count, rate, span, took } from "./format.js";
import { generations } from "./generations.js";
import { prefilter } from "./kernel.js";
import { blocks, gates, hottest, limits } from "./limits.js";
import { Plot, words } from "./plot.js";
import { History, total } from "./rates.js";
import { listeners, protection, routes, upstreams } from "./serving.js";
import { Table, write } from "./table.js";
import { showFigures } from "./traffic.js";

const find = (id) => document.getElementById(id);

const history = new History();
const plot = new Plot(find("plot"), find("scrubber"), find("scrubbed"));
const log = plotTable(find("plot-table"));

/** Each part shows a look, and says whether there is anything of it. */
const parts = Object.entries({ limits, hottest, blocks, gates, routes, upstreams, protection, listeners, prefilter, generations })
  .map(([id, make]) => ({ section: find(id), show: make(find(id)) }));

watch({ show, tell });

/** The version that this page came with. */
let version = null;

function show({ status, blocks: list }) {
  version ??= status.version;
  if (status.version !== version) {
    // A successor of another version has a page of its own.
    location.reload();
    return;
  }
  const point = history.take(status);
  const look = { status, blocks: list, point, deltas: history.deltas, recent: history.recent };
  showHead(status);
  showFigures(find("figures"), look);
  const off = status.prefilter.on ? "" : `The pre-filter is off: ${status.prefilter.why ?? "the file has none"}.`;
  plot.update(history.points, status.history.filter(({ outcome }) => outcome === "taken").map(moment), off);
  log(history.points);
  for (const part of parts) part.section.hidden = !part.show(look);
  announceNews(status);
  document.body.dataset.seen = status.uptime_seconds;
}

/** When a generation began, in the seconds of the points. */
function moment({ at, generation }) {
  return { at: Date.parse(at) / 1000, generation };
}

function showHead(status) {
  const { proxy, kernel, file } = status.generation;
  const both = kernel === null ? "in the proxy" : kernel === proxy ? "in both layers" : `in the proxy, ${kernel} in the kernel`;
  const number = find("generation");
  write(number, String(proxy));
  number.dataset.at = "/status/generation/proxy";
  write(find("layers"), both);
  write(find("uptime"), span(status.uptime_seconds));
  write(find("process"), `floodwall ${status.version}, process ${status.pid}, ${file}`);
  const refused = status.last_reload && !status.last_reload.ok;
  find("refused").hidden = !refused;
  if (refused) write(find("refused"), `The last reload was refused: ${status.last_reload.problems[0] ?? ""}`);
}

/** What people are told who cannot see the page change, each once. */
let news = null;

function announceNews({ generation, blocks: blocked, upstreams: all }) {
  const open = all.flatMap(({ name, breaker, servers }) =>
    [breaker, ...servers.map((server) => server.breaker)].some((each) => each?.state === "open") ? [name] : []);
  const now = { generation: generation.proxy, blocked: blocked > 0, open: open.join(", ") };
  if (news?.generation < now.generation) announce(`Generation ${now.generation} was taken.`);
  else if (news && !news.blocked && now.blocked) announce("A source is blocked.");
  else if (news && now.open && news.open !== now.open) announce(`The breaker of ${now.open} is open.`);
  news = now;
}

function announce(text) {
  write(find("news"), text);
}

const STATES = {
  live: "live",
  silent: "no news for 8 s",
  lost: "connection lost; trying again",
  leaving: "this process is ending; looking for its successor",
  refused: "no events for this page now; trying again",
};

function tell(state) {
  document.body.dataset.state = state;
  write(find("state"), STATES[state]);
  announce(`Floodwall: ${STATES[state]}.`);
}

/** The figure in words, for whoever reads it rather than sees it: a line for each ten seconds, while it is open. */
function plotTable(details) {
  const table = new Table(details, "The last two minutes, in steps of ten seconds", [
    { title: "Seconds ago", number: true, show: ({ ago }) => count(ago) },
    { title: "Requests/s", number: true, show: ({ point }) => rate(total(point.requests)) },
    { title: "Served/s", number: true, show: ({ point }) => rate(point.requests?.served) },
    { title: "Over a limit/s", number: true, show: ({ point }) => rate(point.requests?.refused) },
    { title: "Packets/s", number: true, show: ({ point }) => rate(total(point.packets)) },
    { title: "Blocked/s", number: true, show: ({ point }) => rate(point.packets?.blocked) },
    { title: "p50", number: true, show: ({ point }) => took(point.times.p50) },
    { title: "p99", number: true, show: ({ point }) => took(point.times.p99) },
  ]);
  const fill = () => {
    const points = history.points.toReversed().filter((_, index) => index % 10 === 0).slice(0, 13);
    table.update(points.map((point, index) => ({ id: index, ago: index * 10, point })));
    details.setAttribute("aria-label", words(history.points.at(-1)));
  };
  let looks = 0;
  details.addEventListener("toggle", () => details.open && fill());
  return () => {
    looks += 1;
    if (details.open && looks % 10 === 0) fill();
  };
}
