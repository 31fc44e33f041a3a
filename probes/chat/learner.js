/* Looks at one frame of a page for what a chat is made of, and says it as plain data.
 *
 * Called as learner() in a frame; returns functions, and leaves nothing on the page:
 *   look()          {view, elements}: all that can be written into, clicked, scrolled, and all iframes, as it is drawn now
 *   tree(id)        what is drawn around an element, all of the document unless that is too large, as nested
 *                   {id, tag, attrs, box, kids}; a kid is a node or a string; clipped: it lies in a box too small to show it
 *   watch(id), collect(id)   such trees at every change from now on; those since the last collection, and one of now
 *   counts(list)    how many elements each selector finds, the way the observer looks: in the document and in each open
 *                   shadow tree by itself; and the first of them
 *   id(element), element(id), way(id)
 * An id stands for the same element as long as this object lives. Boxes are [x, y, width, height] in the frame's window.
 */
() => {
  "use strict";
  const MAX_EACH = 300; // of plain links and lists; what is fixed, editable or speaks of a chat is always told
  const MAX_NODES = 5000;
  const MAX_DEPTH = 200;
  const MAX_VALUE = 160;
  const MAX_TEXT = 120;
  const PATH = 14;
  const SKIP = /^(script|style|link|meta|noscript|template|head|br|hr)$/;
  const TEXT_TYPES = /^(text|search|email|tel|url|password|number|date|)$/;
  const NOISE = /^(style|d|src|srcset|srcdoc|points|viewbox|fill|stroke|transform|xmlns|onclick|on\w+|width|height)$/;
  const CALLS = /客服|咨询|聊天|帮助|chat|help|support|contact/i;
  const WORDS = /message|msg|log\b|history|transcript|conversation|dialog|feed|bubble|chat/i;
  const numbers = new WeakMap();
  const known = [];
  const first = Math.floor(Math.random() * 1e9) * 1e4; // another document of the frame has other ids
  const id = (element) => {
    if (!numbers.has(element)) {
      numbers.set(element, first + known.length);
      known.push(element);
    }
    return numbers.get(element);
  };
  const roots = () => {
    const found = [document];
    for (const root of found) {
      for (const element of root.querySelectorAll("*")) if (element.shadowRoot) found.push(element.shadowRoot);
    }
    return found;
  };
  const attrs = (element) => {
    const found = {};
    for (const { name, value } of element.attributes) if (!NOISE.test(name)) found[name] = value.slice(0, MAX_VALUE);
    return found;
  };
  const box = (element) => {
    const { x, y, width, height } = element.getBoundingClientRect();
    return [x, y, width, height].map(Math.round);
  };
  const shown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const up = (element) => element.assignedSlot ?? element.parentElement ?? element.getRootNode().host ?? null;
  const tidy = (text) => text.replace(/\s+/g, " ").trim();
  const words = (node, out) => {
    for (const child of (node.shadowRoot ?? node).childNodes) {
      if (child.nodeType === Node.TEXT_NODE) out.push(child.data);
      else if (child.nodeType === Node.ELEMENT_NODE && !SKIP.test(child.localName)) words(child, out);
      if (out.length > 200) break;
    }
    return out;
  };
  const sameTag = (element) => [...(element.parentNode?.children ?? [])].filter((e) => e.localName === element.localName);
  /** From an element up to its document or shadow tree. */
  const path = (element) => {
    const found = [];
    for (let place = element; place && found.length < PATH; place = place.parentElement) {
      found.push({ tag: place.localName, attrs: attrs(place), nth: sameTag(place).indexOf(place) + 1 });
    }
    return found;
  };

  const sortOf = (element, style) => {
    const tag = element.localName;
    if (tag === "iframe") return "frame";
    if (tag === "textarea" || (tag === "input" && TEXT_TYPES.test(element.type)) ||
      (element.isContentEditable && !element.parentElement?.isContentEditable)) return "editable";
    const button = /^(button|summary)$/.test(tag) || (tag === "input" && /^(button|submit|image)$/.test(element.type)) ||
      (tag === "a" && element.hasAttribute("href")) || /^(button|link|menuitem)$/.test(element.getAttribute("role")) ||
      element.onclick || element.hasAttribute("onclick");
    if (button) return "clickable";
    const parent = up(element);
    if (style.cursor === "pointer" && parent && getComputedStyle(parent).cursor !== "pointer") return "clickable";
    const role = element.getAttribute("role");
    const names = `${element.id} ${element.getAttribute("class") ?? ""}`;
    if (/^(log|feed|list)$/.test(role) || element.ariaLive || /auto|scroll/.test(style.overflowY) ||
      (/^(div|ul|ol|section|main|article)$/.test(tag) && WORDS.test(names))) return "list";
    return null;
  };
  const fixed = (element) => {
    for (let place = element; place; place = up(place)) {
      if (/^(fixed|sticky)$/.test(getComputedStyle(place).position)) return true;
    }
    return false;
  };
  /** Whether nothing lies over its middle. */
  const onTop = (element) => {
    const { x, y, width, height } = element.getBoundingClientRect();
    const hit = element.getRootNode().elementFromPoint?.(x + width / 2, y + height / 2);
    return !hit || hit === element || element.contains(hit) || hit.contains(element);
  };
  const describe = (element, sort, style) => {
    const form = element.closest("form");
    return {
      id: id(element), sort, tag: element.localName, type: element.type ?? "", path: path(element), box: box(element),
      text: sort === "list" ? "" : tidy((element.value && sort !== "editable" ? element.value : words(element, []).join(" ")).slice(0, 600)).slice(0, MAX_TEXT),
      shown: shown(element), top: onTop(element), fixed: fixed(element), form: form ? id(form) : null,
      enabled: !element.matches(":disabled") && element.ariaDisabled !== "true" && !element.readOnly,
      scrolls: /auto|scroll/.test(style.overflowY), within: ancestors(element),
      link: element.localName === "a" ? element.href : "",
    };
  };
  const ancestors = (element) => {
    const found = [];
    for (let place = up(element); place; place = up(place)) found.push(id(place));
    return found;
  };
  const look = () => {
    const elements = [];
    const told = { clickable: 0, list: 0 };
    for (const root of roots()) {
      for (const element of root.querySelectorAll("*")) {
        if (SKIP.test(element.localName) || !element.checkVisibility({ visibilityProperty: true })) continue;
        const style = getComputedStyle(element);
        const sort = sortOf(element, style);
        if (!sort || elements.length > 10 * MAX_EACH) continue;
        const plain = sort in told && !fixed(element) && !(sort === "clickable" && CALLS.test(element.textContent.slice(0, 200)));
        if (plain && ++told[sort] > MAX_EACH) continue;
        elements.push(describe(element, sort, style));
      }
    }
    return { view: [window.innerWidth, window.innerHeight], elements };
  };

  const tree = (number) => {
    let top = known[number - first];
    if (!top?.isConnected) top = document.body;
    for (let next = up(top); next && next !== document.documentElement; next = up(next)) {
      if (next.querySelectorAll("*").length > MAX_NODES) break;
      top = next;
    }
    let left = 2 * MAX_NODES;
    const grow = (element, within, depth) => {
      const style = getComputedStyle(element);
      const place = box(element);
      const clipped = within || (style.overflow !== "visible" && style.display !== "contents" && (place[2] <= 1 || place[3] <= 1));
      const kids = [];
      const take = (parent) => {
        for (const child of parent.childNodes) {
          if (child.nodeType === Node.TEXT_NODE && tidy(child.data)) kids.push(child.data.slice(0, 4000));
          if (child.nodeType !== Node.ELEMENT_NODE || SKIP.test(child.localName) || left <= 0 || depth > MAX_DEPTH) continue;
          const contents = getComputedStyle(child).display === "contents";
          if (!contents && !child.checkVisibility({ visibilityProperty: true })) continue;
          left--;
          kids.push(grow(child, clipped, depth + 1));
        }
      };
      if (element.shadowRoot) take(element.shadowRoot);
      const shadowed = element.shadowRoot ? kids.length : 0;
      take(element);
      const scrolls = /auto|scroll/.test(style.overflowY);
      return { id: id(element), tag: element.localName, attrs: attrs(element), box: place, kids, shadowed, scrolls, clipped };
    };
    return grow(top, false, 0);
  };

  // A tree at every change, as far as that keeps the page free: what is shown for a moment only is not missed.
  const GAP_MS = 40;
  const MAX_SHOTS = 100; // kept until they are collected
  const setTimer = window.setTimeout.bind(window);
  let shots = [];
  const watch = (number) => {
    const watched = new Set();
    let next = 0, waiting = false;
    const take = () => {
      waiting = false;
      const start = performance.now();
      for (const root of roots()) {
        if (watched.has(root)) continue;
        watched.add(root);
        new MutationObserver(changed).observe(root, { childList: true, subtree: true, characterData: true, attributes: true });
      }
      if (shots.length < MAX_SHOTS) shots.push(tree(number));
      next = performance.now() + Math.max(GAP_MS, 4 * (performance.now() - start));
    };
    const changed = () => {
      if (waiting) return;
      waiting = true;
      setTimer(take, Math.max(0, next - performance.now()));
    };
    take();
  };
  const collect = (number) => [...shots.splice(0), tree(number)];

  const counts = (selectors) => {
    const places = roots();
    return selectors.map((selector) => {
      try {
        const found = places.flatMap((root) => [...root.querySelectorAll(selector)]);
        return [found.length, found.length ? id(found[0]) : -1];
      } catch {
        return [0, -1]; // no selector
      }
    });
  };
  /** From an element up to its document or shadow tree, and the hosts of the shadow trees around it from the inside. */
  const way = (number) => {
    const hosts = [];
    const element = known[number - first];
    for (let host = element.getRootNode().host; host; host = host.getRootNode().host) {
      hosts.push({ tag: host.localName, attrs: attrs(host), nth: sameTag(host).indexOf(host) + 1 });
    }
    return { steps: path(element), hosts, text: tidy(words(element, []).join(" ").slice(0, 600)) };
  };
  return { look, tree, watch, collect, counts, id, way, element: (number) => known[number - first] };
}
