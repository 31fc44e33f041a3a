/* Watches one frame of a chat page from inside, and stamps what it shows.
 *
 * Called as observe(config, wire) before any script of the page; wire is wire.js. Stamps are performance.timeOrigin + performance.now(),
 * in milliseconds. Records are buffered here; config.wake (a binding) is called with a batch of them as JSON at once
 * when something new begins and at most every 100 ms after that. The stamps travel in the batch, so nobody's waking
 * up late can move them.
 *
 * Records: {k: "load", t, response, dom}, {k: "paint", t, size}, {k: "click"|"ready", t}, {k: "typing", t, on},
 *          {k: "item", t, id, author, text, wire?, wireEnd?}, {k: "socket", t, open, clean?, code?},
 *          {k: "frame", t, out, size, via}
 */
(config, watchWire) => {
  "use strict";
  const MIN_GAP_MS = 100;
  const MAX_TEXT = 8000;
  const SKIP = /^(SCRIPT|STYLE|LINK|META|NOSCRIPT|TEMPLATE)$/;
  const BLOCK = /^(P|DIV|LI|BR|TR|UL|OL|SECTION|ARTICLE|H[1-6]|BLOCKQUOTE|PRE)$/;
  const clock = performance;
  const now = () => clock.timeOrigin + clock.now();
  const setTimer = window.setTimeout.bind(window);
  const wake = window[config.wake];

  // --- the buffer -------------------------------------------------------------------------------------------------
  let records = [];
  let scheduled = false;
  let lastFlush = -Infinity;
  const flush = () => {
    scheduled = false;
    lastFlush = clock.now();
    if (!records.length) return;
    const batch = JSON.stringify({ origin: clock.timeOrigin, records });
    records = [];
    try { Promise.resolve(wake(batch)).catch(() => {}); } catch { /* the probe has gone */ }
  };
  const record = (entry, { quiet = false } = {}) => {
    records.push(entry);
    if (quiet || scheduled) return;
    scheduled = true;
    const wait = lastFlush + MIN_GAP_MS - clock.now();
    if (wait > 0) setTimer(flush, wait);
    else queueMicrotask(flush);
  };

  // --- roots: the document and every open shadow root ----------------------------------------------------------------
  const roots = new Set();
  const everywhere = (selector) => {
    const found = [];
    for (const root of roots) {
      if (root === document || root.host.isConnected) found.push(...root.querySelectorAll(selector));
    }
    return found;
  };
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function attachShadow(options) {
    const root = attach.call(this, options);
    if (root.mode === "open") watch(root);
    return root;
  };

  // --- messages -----------------------------------------------------------------------------------------------------
  const GONE_KEPT_MS = 2000;
  const byElement = new WeakMap();
  let shown = [];
  let gone = [];
  let count = 0;
  let containers = [];

  const words = (node, out) => {
    for (const child of (node.shadowRoot || node).childNodes) {
      if (child.nodeType === Node.TEXT_NODE) out.push(child.data);
      if (child.nodeType !== Node.ELEMENT_NODE || SKIP.test(child.tagName)) continue;
      if (config.drop && child.matches(config.drop)) continue;
      const block = BLOCK.test(child.tagName);
      if (block) out.push("\n");
      words(child, out);
      if (block) out.push("\n");
    }
    return out;
  };
  const tidy = (parts) => parts.join("").replace(/[^\S\n]+/g, " ").replace(/ ?\n[\n ]*/g, "\n").trim().slice(0, MAX_TEXT);
  const textOf = (item) => {
    if (!config.text) return tidy(words(item, []));
    const places = [...item.querySelectorAll(config.text)].filter((p) => !p.parentElement.closest(config.text));
    return tidy(places.flatMap((place) => [...words(place, []), "\n"]));
  };
  const authorOf = (item) => {
    for (const rule of config.authors) {
      if (rule.css && (item.matches(rule.css) || item.querySelector(rule.css))) return rule.who;
      if (rule.starts && item.textContent.trimStart().startsWith(rule.starts)) return rule.who;
    }
    return "unknown";
  };
  const kin = (entry, author, text) =>
    entry.author === author && entry.text && (text.startsWith(entry.text) || entry.text.startsWith(text));

  /** Compares what is in the containers with what was there, and reports new and changed messages. */
  const scan = (t) => {
    const items = containers.flatMap((container) => [...container.querySelectorAll(config.item)]);
    const present = new Set(items);
    const key = (item) => (config.key ? item.getAttribute(config.key) : null);
    for (const entry of shown) if (!present.has(entry.item)) gone.push(Object.assign(entry, { left: t }));
    gone = gone.filter((entry) => !present.has(entry.item) && (entry.key || t - entry.left < GONE_KEPT_MS));
    shown = [];
    for (const item of items) {
      const text = textOf(item);
      const author = authorOf(item);
      let entry = byElement.get(item);
      if (!entry) {
        if (!text) continue; // an empty bubble has said nothing yet
        const heir = gone.findIndex((e) => (e.key ? e.key === key(item) : kin(e, author, text)));
        entry = heir >= 0 ? gone.splice(heir, 1)[0] : { id: ++count, author: null, text: "" };
        entry.item = item;
        entry.key = key(item);
        byElement.set(item, entry);
      }
      shown.push(entry);
      if (text && (text !== entry.text || author !== entry.author)) {
        const begun = entry.text ? undefined : wire.first(text);
        entry.text = text;
        entry.author = author;
        record({ k: "item", t, id: entry.id, author, text, wire: begun, wireEnd: wire.last(text) });
      }
    }
  };

  // --- readiness and typing -------------------------------------------------------------------------------------------
  const visible = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && getComputedStyle(element).visibility !== "hidden";
  };
  let ready = false;
  let sockets = 0; // open ones
  const wire = watchWire({ now, record, opened: (change) => {
    sockets += change;
    queueMicrotask(() => look(now())); // the page's own listeners may still enable its input
  } });
  const unseen = new IntersectionObserver(() => look(now()));
  const look = (t) => {
    if (!ready) {
      const candidates = everywhere(config.ready);
      ready = (sockets > 0 || !config.readySocket) && candidates.some(visible);
      if (ready) {
        record({ k: "ready", t });
        unseen.disconnect();
      } else for (const candidate of candidates) unseen.observe(candidate);
    }
  };
  let typing = false;
  const lookTyping = (t) => {
    if (!config.typing) return;
    const on = everywhere(config.typing).some((element) => element.checkVisibility({ visibilityProperty: true }));
    if (on !== typing) record({ k: "typing", t, on: (typing = on) });
  };

  // --- watching -------------------------------------------------------------------------------------------------------
  const changed = (mutations) => {
    const t = now();
    if (!containers.length || containers.some((container) => !container.isConnected)) {
      containers = everywhere(config.list);
      if (containers.length) scan(t);
    } else if (mutations.some((m) => containers.some((container) => container.contains(hostIn(m.target, container))))) {
      scan(t);
    }
    look(t);
    lookTyping(t);
  };
  /** The node, or the host through which its shadow tree hangs in the container's tree. */
  const hostIn = (node, container) => {
    let root = node.getRootNode();
    while (root !== container.getRootNode() && root.host) {
      node = root.host;
      root = node.getRootNode();
    }
    return node;
  };
  const watch = (root) => {
    if (roots.has(root)) return;
    roots.add(root);
    new MutationObserver(changed).observe(root, {
      childList: true, subtree: true, characterData: true, attributes: true,
      attributeFilter: ["class", "style", "hidden", "disabled", "role", "aria-disabled", "aria-hidden", "contenteditable"],
    });
  };
  watch(document);
  document.addEventListener("DOMContentLoaded", () => {
    for (const element of document.querySelectorAll("*")) if (element.shadowRoot) watch(element.shadowRoot);
    changed([]);
  });
  for (const name of ["transitionend", "animationend", "load"]) {
    document.addEventListener(name, () => { look(now()); lookTyping(now()); }, { capture: true, passive: true });
  }
  window.addEventListener("load", () => setTimer(() => {
    const [page] = clock.getEntriesByType("navigation");
    const at = (ms) => (ms > 0 ? clock.timeOrigin + ms : null);
    const t = clock.timeOrigin + (page?.loadEventStart || clock.now());
    record({ k: "load", t, response: at(page?.responseStart), dom: at(page?.domContentLoadedEventEnd) });
  }, 0));
  try {
    new PerformanceObserver((list) => {
      const largest = list.getEntries().at(-1);
      record({ k: "paint", t: clock.timeOrigin + largest.startTime, size: Math.round(largest.size) }, { quiet: true });
    }).observe({ type: "largest-contentful-paint", buffered: true });
  } catch { /* a browser without it */ }
  window.addEventListener("click", (event) => {
    record({ k: "click", t: clock.timeOrigin + event.timeStamp }, { quiet: true });
  }, true);
  window.addEventListener("pagehide", flush);

  Object.defineProperty(window, config.flush, { value: flush, enumerable: false });
}
