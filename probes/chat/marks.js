/* Draws labelled boxes over a page, above everything it shows: [{label, box: [x, y, width, height]}]. Returns what it
 * has put there; nothing of it can be clicked, and the page's style sheets do not reach it. */
(rows) => {
  "use strict";
  const COLOURS = ["#d00000", "#0057d8", "#008a2e", "#b45f00", "#7a1fa2", "#00838f"];
  const host = document.createElement("div");
  const style = (element, rules) => Object.assign(element.style, rules);
  style(host, {
    all: "initial", position: "fixed", inset: "0", width: "auto", height: "auto", margin: "0", padding: "0", border: "0",
    background: "none", overflow: "hidden", pointerEvents: "none", zIndex: "2147483647",
  });
  const root = host.attachShadow({ mode: "closed" });
  document.documentElement.append(host);
  try {
    host.popover = "manual";
    host.showPopover(); // above dialogs, too
  } catch { /* an older browser: above all but those */ }
  const colours = new Map();
  const taken = [];
  for (const { label, box: [x, y, width, height] } of rows) {
    const name = label.replace(/\d+$/, "");
    if (!colours.has(name)) colours.set(name, COLOURS[colours.size % COLOURS.length]);
    const colour = colours.get(name);
    const [left, top] = [Math.max(0, x), Math.max(0, y)];
    const right = Math.min(innerWidth, x + width), bottom = Math.min(innerHeight, y + height);
    if (right - left < 2 || bottom - top < 2) continue; // outside the window
    const frame = document.createElement("div");
    style(frame, {
      position: "fixed", left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px`,
      boxSizing: "border-box", border: `2px solid ${colour}`, borderRadius: "3px",
    });
    const tag = document.createElement("div");
    tag.textContent = label;
    style(tag, {
      position: "fixed", font: "bold 12px/16px sans-serif", color: "#fff", background: colour, padding: "0 4px",
      whiteSpace: "nowrap", borderRadius: "2px",
    });
    root.append(frame, tag);
    // Over its box, else beside or in it, wherever no other label stands.
    const size = [tag.offsetWidth, 16];
    const places = [[left, top - 16], [left - size[0], top], [right - size[0], bottom - 16], [right, top], [left, bottom]];
    const free = ([a, b]) => a >= 0 && b >= 0 && a + size[0] <= innerWidth && b + 16 <= innerHeight &&
      taken.every(([c, d, w]) => a + size[0] <= c || c + w <= a || b + 16 <= d || d + 16 <= b);
    const at = places.find(free) ?? [left, Math.max(0, Math.min(top, innerHeight - 16))];
    taken.push([...at, size[0]]);
    style(tag, { left: `${at[0]}px`, top: `${at[1]}px` });
  }
  return host;
}
