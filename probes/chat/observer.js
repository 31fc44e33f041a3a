/* Watches one frame of a chat page from inside, and stamps what it shows.
 *
 * Called as observe(config, wire) before any script of the page; wire is wire.js. Stamps are performance.timeOrigin + performance.now(),
 * in milliseconds. Records are buffered here; config.wake (a binding) is called with a batch of them as JSON at once
 * when something new begins and at most every 100 ms after that. The stamps travel in the batch, so nobody's waking
 * up late can move them.
 *
 * Records: {k: "document", t, web}, {k: "load", t, response, dom}, {k: "paint", t, size}, {k: "click"|"ready", t},
 *          {k: "item", t, id, author, text, parts, wire?, wireEnd?, old?}, {k: "typing", t, on},
 *          {k: "seen", t, what: "end"|"survey"|"choices", texts}, {k: "socket", t, open, clean?, code?},
 *          {k: "frame", t, out, size, via}, {k: "stall", t, ms}
 */
(config, watchWire) => {
  "use strict";
  const MIN_GAP_MS = 100;
  const BEAT_MS = 100;
  const STALL_MS = 300;
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
  /** Runs what makes JSON while arrays and texts become what they are, not what the page has taught them (Prototype.js). */
  const untaught = (run) => {
    const taught = [Object, Array, String, Number].map((kind) => kind.prototype)
      .filter((prototype) => Object.hasOwn(prototype, "toJSON")).map((prototype) => [prototype, prototype.toJSON]);
    for (const [prototype] of taught) prototype.toJSON = undefined;
    try { return run(); } finally { for (const [prototype, toJSON] of taught) prototype.toJSON = toJSON; }
  };
  const encode = (value) => untaught(() => JSON.stringify(value));
  const flush = () => {
    scheduled = false;
    lastFlush = clock.now();
    if (!records.length) return;
    const batch = { origin: clock.timeOrigin, records };
    records = [];
    try { untaught(() => wake(JSON.stringify(batch))).catch(() => {}); } catch { /* the probe has gone */ }
  };
  const record = (entry, { quiet = false } = {}) => {
    records.push(entry);
    if (scheduled || (quiet && records.length < 1000)) return;
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
  const GONE_MS = 2000;
  const GONE_KEPT = 500;
  const MAX_PARTS = 20;
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
  const FILE = /\.(pdf|docx?|xlsx?|pptx?|csv|txt|zip|rar|7z)([?#]|$)/i;
  /** What a message holds besides words: buttons, links, files, images, cards. */
  const partsOf = (item) => {
    const places = "a[href], button, [role=button], img, video, audio" + (config.card ? `, ${config.card}` : "");
    return [...item.querySelectorAll(places)].slice(0, MAX_PARTS).flatMap((place) => {
      if (config.drop && place.closest(config.drop)) return [];
      const label = (place.alt ?? (tidy(words(place, [])) || place.getAttribute("aria-label") || "")).slice(0, 200);
      const url = (place.href || place.currentSrc || place.src || "").slice(0, 500);
      if (config.card && place.matches(config.card)) return [{ kind: "card", text: label }];
      if (place.matches("a[href]")) return [{ kind: place.download || FILE.test(url) ? "file" : "link", text: label, url }];
      if (place.matches("button, [role=button]")) return [{ kind: "button", text: label }];
      return [{ kind: place.tagName === "IMG" ? "image" : place.tagName.toLowerCase(), text: label, url }];
    });
  };
  const like = (entry, author, text) => entry.author === author && entry.text === text;
  const kin = (entry, author, text) =>
    entry.author === author && entry.text && (text.startsWith(entry.text) || entry.text.startsWith(text));
  const keyOf = (item) => (config.key ? item.getAttribute(config.key) : null);
  /** Whether an item is there to be seen: copies for screen readers and hidden ones are not. */
  const drawn = (item) => {
    if (!item.checkVisibility()) return false;
    for (let place = item; place && place !== document.body; place = place.parentElement) {
      const box = place.getBoundingClientRect();
      const overflowing = getComputedStyle(place).overflow === "visible";
      if (place.getClientRects().length && ((place.offsetWidth ?? box.width) <= 1 || box.right < -1000) && (place === item || !overflowing)) return false;
      if (containers.includes(place)) break;
    }
    return true;
  };
  const turned = new WeakMap();
  /** Whether a list stands upside down in the document: the newest message first. */
  const backwards = (list) => {
    if (!turned.has(list)) turned.set(list, getComputedStyle(list).flexDirection === "column-reverse");
    return turned.get(list);
  };

  /** Rows that a virtual list uses again for other messages: each message keeps its identity, not its row. */
  const recycle = (items) => {
    const changed = items.filter(({ entry, author, text, key }) =>
      entry && entry.text && !like(entry, author, text) && !(kin(entry, author, text) && entry.key === key));
    if (!changed.length) return;
    const left = changed.map(({ entry }) => entry);
    const moved = new Map();
    let last = 0; // messages keep their order
    for (const each of items) {
      if (changed.includes(each)) {
        const from = [...left, ...gone].sort((a, b) => a.id - b.id).find((e) =>
          e.key ? e.key === each.key : e.id > last && like(e, each.author, each.text));
        if (from) moved.set(each, from);
        if (left.includes(from)) left.splice(left.indexOf(from), 1);
        gone = gone.filter((entry) => entry !== from);
      }
      const entry = changed.includes(each) ? moved.get(each) : each.entry;
      if (entry && !entry.old) last = Math.max(last, entry.id);
    }
    for (const each of changed) {
      const other = each.key !== each.entry.key || (each.author !== each.entry.author && each.entry.author !== "unknown");
      if (!moved.size && !other) continue; // it changed where it stands
      each.entry = moved.get(each) ?? null;
      if (each.entry) each.entry.item = each.item;
      if (each.entry) byElement.set(each.item, each.entry); else byElement.delete(each.item);
    }
  };

  let hidden = false; // items wait to be drawn
  /** Compares what is in the containers with what was there, and reports new and changed messages. */
  const scan = (t) => {
    const items = containers.flatMap((container) => [...container.querySelectorAll(config.item)]).map((item) =>
      ({ item, text: textOf(item), author: authorOf(item), parts: partsOf(item), key: keyOf(item), entry: byElement.get(item) }));
    if (items.length && backwards(items[0].item.parentElement)) items.reverse();
    recycle(items);
    const present = new Set(items.map(({ entry }) => entry));
    const cleared = !shown.some((entry) => present.has(entry));
    for (const entry of shown) if (!present.has(entry)) gone.push(Object.assign(entry, { left: t, cleared }));
    gone = gone.filter((entry) => !present.has(entry)).slice(-GONE_KEPT);
    let after = items.filter(({ entry }) => entry).length; // known ones from here on
    let last = 0; // messages keep their order
    hidden = false;
    shown = [];
    for (const { item, text, author, parts, key, entry: known } of items) {
      let entry = known;
      if (known) after--;
      if (!entry) {
        if (!text && !parts.length) continue; // an empty bubble has said nothing yet
        if (!drawn(item)) { hidden = true; continue; }
        const heir = gone.findIndex((e) => (e.key ? e.key === key : e.id > last
          && ((like(e, author, text) && (e.cleared || after)) || (kin(e, author, text) && t - e.left < GONE_MS))));
        entry = heir >= 0 ? gone.splice(heir, 1)[0] : { id: ++count, author: null, text: "", parts: "[]" };
        entry.old = heir < 0 && after > 1 && !last; // put on top of a talk: its history
        entry.item = item;
        entry.key = key;
        byElement.set(item, entry);
      }
      shown.push(entry);
      last = Math.max(last, entry.old ? 0 : entry.id);
      const held = encode(parts);
      if ((text || parts.length) && (text !== entry.text || author !== entry.author || held !== entry.parts)) {
        const begun = entry.author ? undefined : wire.first(text);
        Object.assign(entry, { text, author, parts: held });
        const old = entry.old || undefined;
        record({ k: "item", t, id: entry.id, author, text, wire: begun, wireEnd: wire.last(text), parts, old });
      }
    }
  };

  // --- readiness and typing -------------------------------------------------------------------------------------------
  const visible = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && getComputedStyle(element).visibility !== "hidden";
  };
  // While the page's thread stands still, nothing is shown and nothing is stamped: a reply of then comes late.
  const beat = (since) => {
    const t = now();
    if (t - since > BEAT_MS + STALL_MS) record({ k: "stall", t: since, ms: t - since });
    setTimer(beat, BEAT_MS, t);
  };
  let ready = false;
  let sockets = 0; // open ones
  let dialling = 0; // begun and not open yet
  const wire = watchWire({ now, record, hosts: config.sockets, dialled: (change) => { dialling += change; }, opened: (change) => {
    sockets += change;
    queueMicrotask(() => look(now())); // the page's own listeners may still enable its input
  } });
  const unseen = new IntersectionObserver(() => look(now()));
  const look = (t) => {
    if (!ready) {
      const candidates = everywhere(config.ready);
      const open = sockets > 0 || !config.readySocket || (config.readySocket === "if_any" && !dialling);
      ready = open && candidates.some(visible);
      if (ready) {
        record({ k: "ready", t });
        unseen.disconnect();
        setTimer(beat, BEAT_MS, now());
      } else for (const candidate of candidates) unseen.observe(candidate);
    }
  };
  let typing = false;
  const lookTyping = (t) => {
    if (!config.typing) return;
    const on = everywhere(config.typing).some((element) => element.checkVisibility({ visibilityProperty: true }));
    if (on !== typing) record({ k: "typing", t, on: (typing = on) });
  };
  const seen = {}; // what of these is to be seen, by its words
  const lookAround = (t) => {
    for (const what of ["end", "survey", "choices"]) {
      if (!config[what]) continue;
      const places = everywhere(config[what]).filter(visible);
      const texts = places.map((place) => tidy(words(place, [])).slice(0, 500));
      const now = places.length ? encode(texts) : "";
      if (now !== (seen[what] ?? "")) record({ k: "seen", t, what, texts });
      seen[what] = now;
    }
  };

  // --- watching -------------------------------------------------------------------------------------------------------
  const changed = (mutations) => {
    const t = now();
    if (!containers.length || containers.some((container) => !container.isConnected)) {
      containers = everywhere(config.list);
      if (containers.length) scan(t);
    } else if (hidden || mutations.some((m) => containers.some((container) => container.contains(hostIn(m.target, container))))) {
      scan(t);
    }
    look(t);
    lookTyping(t);
    lookAround(t);
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
  record({ k: "document", t: clock.timeOrigin, web: location.protocol.startsWith("http") });
  watch(document);
  document.addEventListener("DOMContentLoaded", () => {
    for (const element of document.querySelectorAll("*")) if (element.shadowRoot) watch(element.shadowRoot);
    changed([]);
  });
  for (const name of ["transitionend", "animationend", "load"]) {
    document.addEventListener(name, () => changed([]), { capture: true, passive: true });
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
