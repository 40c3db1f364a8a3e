// Where the page gets what it shows: one document a second, for as long as the service tells.

/** Milliseconds without a word after which what is shown is called old. */
const SILENCE = 8000;

/** Milliseconds before a refused stream is asked for again. */
const AGAIN = 3000;

/**
 * Watches the events. `show` is given each document, and `tell` a state: "live", "silent", "lost", "leaving" or
 * "refused".
 */
export function watch({ show, tell }) {
  let timer = 0;
  let state = "";
  const become = (next) => {
    if (next !== state) tell((state = next));
  };
  const listenFor = (milliseconds, then) => {
    clearTimeout(timer);
    timer = setTimeout(then, milliseconds);
  };
  const open = () => {
    const events = new EventSource("/events");
    events.addEventListener("status", (event) => {
      listenFor(SILENCE, () => become("silent"));
      become("live");
      show(JSON.parse(event.data));
    });
    events.addEventListener("leaving", () => become("leaving"));
    events.addEventListener("error", () => {
      // A connection that broke off is opened again by the browser; one that was answered otherwise is not.
      const refused = events.readyState === EventSource.CLOSED;
      if (state !== "leaving" || refused) become(refused ? "refused" : "lost");
      clearTimeout(timer);
      if (refused) listenFor(AGAIN, open);
    });
  };
  open();
}
