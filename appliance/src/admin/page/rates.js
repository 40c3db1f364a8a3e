// From counters that only grow to what happened in a second.

/** What requests came to, and which verdicts of the status each of it is made of. */
export const REQUESTS = [
  { id: "served", name: "served", verdicts: ["admitted"] },
  { id: "refused", name: "over a limit", verdicts: ["refused"] },
  { id: "blocked", name: "blocked", verdicts: ["blocked"] },
  { id: "gate", name: "at a gate", verdicts: ["gate"] },
  { id: "shed", name: "shed", verdicts: ["shed"] },
  { id: "failed", name: "upstream failed", verdicts: ["failed", "unavailable"] },
  { id: "other", name: "malformed, unrouted", verdicts: ["malformed", "unrouted"] },
];

/** What packets came to. What is dropped for any other reason is "other". */
export const PACKETS = [
  { id: "served", name: "passed" },
  { id: "refused", name: "over a limit" },
  { id: "blocked", name: "blocked, denied" },
  { id: "answered", name: "answered by a cookie" },
  { id: "other", name: "malformed" },
];

/** The shares of requests whose times are shown. */
export const QUANTILES = [
  { id: "p50", name: "p50", share: 0.5 },
  { id: "p90", name: "p90", share: 0.9 },
  { id: "p99", name: "p99", share: 0.99 },
];

/** Seconds of the past that are kept. */
export const WINDOW = 300;

/** Looks that quantiles are taken over. */
const INTERVAL = 10;

function packetClass(count) {
  if (count.answered) return "answered";
  if (!count.dropped) return "served";
  if (count.reason === "limited") return "refused";
  return ["blocked", "blocked-host", "denied"].includes(count.reason) ? "blocked" : "other";
}

/** Histograms of the last seconds, each under a name of the caller's. */
export class Recent {
  #looks = new Map();
  #first = true;

  /** Begins a look; the first one at a process forgets all that was seen of another. */
  begin(first) {
    this.#first = first;
    if (first) this.#looks.clear();
  }

  /** What a histogram took in since the first of the last looks at it. One that was not there was empty. */
  of(name, buckets) {
    const looks = this.#looks.get(name) ?? (this.#first ? [] : [[]]);
    looks.push(buckets);
    if (looks.length > INTERVAL + 1) looks.shift();
    this.#looks.set(name, looks);
    const counts = new Map(looks[0].map(({ most_seconds, count }) => [most_seconds, count]));
    return buckets.map(({ most_seconds, count }) => ({ most_seconds, count: count - (counts.get(most_seconds) ?? 0) }));
  }
}

/** The rates of change of counters between two looks, each under a name of the caller's. */
export class Deltas {
  #before = new Map();
  #now = new Map();
  #seconds = 0;

  /** Begins a look, so many seconds after the one before; 0 when there was none. */
  begin(seconds) {
    this.#before = seconds > 0 ? this.#now : new Map();
    this.#now = new Map();
    this.#seconds = seconds;
  }

  /** How fast a counter grows; null when nobody knows yet. One that was not there had what is `absent`. */
  of(name, value, absent = null) {
    this.#now.set(name, value);
    const before = this.#before.get(name) ?? absent;
    if (this.#seconds === 0 || before === null || value < before) return null;
    return (value - before) / this.#seconds;
  }
}

/** The last minutes, a point for each look. */
export class History {
  points = [];
  deltas = new Deltas();
  recent = new Recent();
  #last = null;

  /** Takes a status in, and returns its point. */
  take(status) {
    const process = `${status.pid} ${status.since}`;
    const same = this.#last && this.#last.process === process && this.#last.uptime < status.uptime_seconds;
    this.recent.begin(!same);
    this.deltas.begin(same ? status.uptime_seconds - this.#last.uptime : 0);
    this.#last = { process, uptime: status.uptime_seconds };
    const point = {
      at: Date.parse(status.since) / 1000 + status.uptime_seconds,
      requests: this.#requests(status),
      packets: this.#packets(status),
      times: this.#quantiles(status),
    };
    this.points.push(point);
    const oldest = point.at - WINDOW - 5;
    this.points.splice(0, this.points.findIndex(({ at }) => at >= oldest));
    return point;
  }

  #requests(status) {
    const counts = new Map(status.requests.verdicts.map(({ verdict, count }) => [verdict, count]));
    return this.#classes(REQUESTS, "request", ({ verdicts }) =>
      verdicts.reduce((sum, verdict) => sum + (counts.get(verdict) ?? 0), 0));
  }

  #packets(status) {
    const { on, packets } = status.prefilter;
    if (!on) return null;
    return this.#classes(PACKETS, "packet", ({ id }) =>
      packets.reduce((sum, count) => sum + (packetClass(count) === id ? count.packets : 0), 0));
  }

  #classes(classes, kind, total) {
    const rates = classes.map((each) => [each.id, this.deltas.of(`${kind} ${each.id}`, total(each))]);
    return rates.some(([, rate]) => rate === null) ? null : Object.fromEntries(rates);
  }

  #quantiles(status) {
    const buckets = this.recent.of("all", sum(status.routes.map(({ duration }) => duration.buckets)));
    return Object.fromEntries(QUANTILES.map(({ id, share }) => [id, quantile(buckets, share)]));
  }
}

/** Several histograms as one. */
function sum([first, ...rest]) {
  return (first ?? []).map(({ most_seconds, count }, at) => ({
    most_seconds,
    count: rest.reduce((all, buckets) => all + buckets[at].count, count),
  }));
}

/** The end of the bucket that holds the time which this share of all does not exceed; null without any. */
export function quantile(buckets, share) {
  const all = buckets.reduce((sum, { count }) => sum + count, 0);
  let counted = 0;
  const holder = buckets.find(({ count }) => (counted += count) >= all * share && count > 0);
  return all > 0 ? holder.most_seconds ?? Infinity : null;
}

/** All rates of a point together; null when there is none. */
export function total(rates) {
  return rates && Object.values(rates).reduce((sum, rate) => sum + rate, 0);
}
