// Numbers and times as people read them. Spaces inside of them do not break.

const THIN = "\u202f";
const digits = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** Every digit, in groups of three. */
export function count(value) {
  return digits.format(value).replaceAll(",", THIN);
}

/** How many in a second, in three digits or so. */
export function rate(value) {
  if (value === null || value === undefined) return "\u2013";
  if (value === 0) return "0";
  if (value < 10) return value.toFixed(1);
  return short(value);
}

/** A large number in three digits and a letter. */
function short(value) {
  for (const [unit, letter] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (value >= unit) {
      const scaled = value / (letter === "k" ? 1e3 : unit);
      return scaled.toFixed(scaled < 100 ? 1 : 0) + THIN + letter;
    }
  }
  return count(value);
}

export function bytes(value) {
  for (const [unit, name] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (value >= unit) return (value / unit).toFixed(1) + THIN + name;
  }
  return value + THIN + "B";
}

/** How long something lasts, in its two largest units. */
export function span(seconds) {
  if (seconds < 10) return seconds.toFixed(1) + THIN + "s";
  const whole = Math.floor(seconds);
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, length]) => whole >= length);
  const [name, length] = units[first];
  const rest = whole % length;
  const next = units[first + 1];
  const words = [Math.floor(whole / length) + THIN + name];
  if (next && rest >= next[1]) words.push(Math.floor(rest / next[1]) + THIN + next[0]);
  return words.join(" ");
}

/** A time that an answer took: the end of a bucket, or nothing. */
export function took(seconds) {
  if (seconds === null || seconds === undefined) return "\u2013";
  if (seconds === Infinity) return `> 30${THIN}s`;
  const millis = seconds * 1e3;
  return "\u2264" + THIN + (millis < 1000 ? millis + THIN + "ms" : seconds + THIN + "s");
}

/** A part of a whole. */
export function share(value) {
  return (value * 100).toFixed(value < 0.1 ? 1 : 0) + THIN + "%";
}

/** The time of day of an RFC 3339 moment in the reader's zone, with the date when it is another day. */
export function moment(text) {
  const at = new Date(text);
  const time = at.toLocaleTimeString("en-GB");
  const today = at.toDateString() === new Date().toDateString();
  return today ? time : `${at.toLocaleDateString("en-CA")} ${time}`;
}
