// What was changed when: the last reloads, each with what it changed or why it was refused.

import { moment } from "./format.js";
import { element } from "./table.js";

/** Changes that are shown before somebody asks for the rest. */
const SHOWN = 6;

const TITLES = { started: "started", taken: "taken", refused: "went on, the reload was refused" };

export function generations(host) {
  const list = host.appendChild(element("ol", "", "history"));
  let known = "";
  return ({ status: { history } }) => {
    // It changes with a reload only, and what people have opened stays open meanwhile.
    const now = history.map(({ at, outcome }) => at + outcome).join();
    if (now !== known) {
      known = now;
      list.replaceChildren(...history.map(passage));
    }
    return true;
  };
}

function passage({ at, generation, outcome, changes, problems, left_out }, index) {
  const item = element("li");
  item.dataset.outcome = outcome;
  const head = item.appendChild(element("h3"));
  const number = head.appendChild(element("b", String(generation)));
  number.dataset.at = `/status/history/${index}/generation`;
  head.append(element("span", TITLES[outcome] ?? outcome, "chip"));
  const time = head.appendChild(element("time", moment(at)));
  time.dateTime = at;
  const lines = outcome === "refused" ? problems : changes;
  if (lines.length === 0) {
    item.append(element("p", outcome === "taken" ? "Nothing changed." : "The process began.", "quiet"));
    return item;
  }
  item.append(diff(lines.slice(0, SHOWN)));
  const rest = lines.length - SHOWN + left_out;
  if (rest > 0) item.append(more(lines.slice(SHOWN), rest, left_out));
  return item;
}

function more(lines, rest, left_out) {
  const details = element("details");
  details.append(element("summary", `${rest} more`), diff(lines));
  if (left_out > 0) details.append(element("p", `${left_out} of them are not kept; the log may have them.`, "quiet"));
  return details;
}

function diff(lines) {
  const list = element("ul", "", "diff");
  list.append(...lines.map(line));
  return list;
}

/** A change, as `PATH: OLD -> NEW` or `PATH: what happened`. */
function line(text) {
  const item = element("li");
  const cut = text.indexOf(": ");
  const arrow = text.indexOf(" -> ", cut);
  if (cut < 0) {
    item.textContent = text;
  } else if (arrow < 0) {
    item.append(element("code", text.slice(0, cut)), element("span", `: ${text.slice(cut + 2)}`));
  } else {
    item.append(element("code", text.slice(0, cut)), element("span", ": "),
      element("del", text.slice(cut + 2, arrow)), element("span", " \u2192 "), element("ins", text.slice(arrow + 4)));
  }
  return item;
}
