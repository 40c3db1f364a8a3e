// Tables whose rows come and go, which people sort by the buttons in their heads.
//
// What is put into a cell is text, whoever wrote it: nothing here makes markup of anything.

/** Rows that are shown; the caption says how many there are. */
const MOST = 100;

/** An element with this text and these classes. */
export function element(name, text = "", ...classes) {
  const made = document.createElement(name);
  made.textContent = text;
  made.classList.add(...classes);
  return made;
}

/** Changes a text only when it is another one, so that a selection in it stays. */
export function write(into, text) {
  if (into.textContent !== text) into.textContent = text;
}

/**
 * A table with these columns. A column has a `title`; `show(row)`, which gives its text; `sort(row)`, by which it is
 * sorted, its text without one; `number`, when it is one; `at(row)`, where the status says the same, as a JSON pointer;
 * `mark(row)`, a class for what needs to be seen;
 * and `long`, when its text may take several lines.
 */
export class Table {
  #columns;
  #body = document.createElement("tbody");
  #caption = document.createElement("caption");
  #rows = new Map();
  #last = [];
  #order = null;

  constructor(host, caption, columns) {
    this.#columns = columns;
    const table = document.createElement("table");
    this.#caption.textContent = caption;
    const head = table.createTHead().insertRow();
    columns.forEach((column, index) => head.append(this.#head(column, index)));
    table.prepend(this.#caption);
    table.append(this.#body);
    // Wider than a phone, it is scrolled by itself: by keys as well.
    const frame = element("div", "", "scroll");
    frame.tabIndex = 0;
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", caption);
    frame.append(table);
    this.frame = host.appendChild(frame);
    this.head = head;
    this.more = element("p", "", "quiet");
    host.append(this.more);
  }

  /** Hides the table where a sentence says more than its head alone. */
  hide(hidden) {
    this.frame.hidden = hidden;
  }

  #head(column, index) {
    const head = document.createElement("th");
    head.scope = "col";
    if (column.number) head.classList.add("number");
    const button = element("button", column.title);
    button.type = "button";
    button.addEventListener("click", () => this.#sortBy(index));
    head.append(button);
    return head;
  }

  /** First the way that shows the most of it, then the other way, then as the service has it. */
  #sortBy(index) {
    const down = Boolean(this.#columns[index].number);
    const again = this.#order?.index === index;
    if (!again) this.#order = { index, down, turned: false };
    else if (!this.#order.turned) this.#order = { index, down: !down, turned: true };
    else this.#order = null;
    [...this.head.cells].forEach((cell, at) => {
      if (this.#order?.index !== at) cell.removeAttribute("aria-sort");
      else cell.setAttribute("aria-sort", this.#order.down ? "descending" : "ascending");
    });
    this.update(this.#last);
  }

  #sorted(rows) {
    if (!this.#order) return rows;
    const column = this.#columns[this.#order.index];
    const key = column.sort ?? column.show;
    const sign = this.#order.down ? -1 : 1;
    const compare = (a, b) => (typeof a === "number" ? a - b : String(a).localeCompare(String(b)));
    return rows.toSorted((a, b) => sign * compare(key(a) ?? -1, key(b) ?? -1));
  }

  /** Shows these rows; each has an `id` of its own. */
  update(rows) {
    this.#last = rows;
    const shown = this.#sorted(rows).slice(0, MOST);
    const gone = new Set(this.#rows.keys());
    shown.forEach((row, place) => {
      gone.delete(row.id);
      const line = this.#rows.get(row.id) ?? this.#line(row.id);
      this.#fill(line, row);
      if (this.#body.rows[place] !== line) this.#body.insertBefore(line, this.#body.rows[place] ?? null);
    });
    for (const id of gone) {
      this.#rows.get(id).remove();
      this.#rows.delete(id);
    }
    const hidden = rows.length - shown.length;
    write(this.more, hidden > 0 ? `and ${hidden} more` : "");
  }

  #line(id) {
    const line = document.createElement("tr");
    this.#columns.forEach((column, index) => {
      const cell = document.createElement(index === 0 ? "th" : "td");
      if (index === 0) cell.scope = "row";
      if (column.number) cell.classList.add("number");
      if (column.long) cell.classList.add("long");
      line.append(cell);
    });
    this.#rows.set(id, line);
    return line;
  }

  #fill(line, row) {
    this.#columns.forEach((column, index) => {
      const cell = line.cells[index];
      write(cell, column.show(row));
      if (column.at) cell.dataset.at = column.at(row);
      if (column.mark) cell.dataset.mark = column.mark(row) ?? "";
    });
  }
}
