/* Notes every write a page makes into its messages, at the call itself: what the observer's stamps are held against.
 *
 * Called as control(list) before any other script; list is the selector of the messages. window.__writes() returns
 * [[page milliseconds, words written there], ...].
 */
(list) => {
  "use strict";
  const MAX_TEXT = 1000;
  const clock = performance;
  const writes = [];
  const inside = (node) => {
    for (let place = node; place; place = place.parentNode ?? place.host) {
      if (place.nodeType === Node.ELEMENT_NODE && place.matches(list)) return true;
    }
    return false;
  };
  const note = (node) => {
    const t = clock.timeOrigin + clock.now();
    const place = node instanceof Node && node.isConnected ? node : null;
    if (place && inside(place)) writes.push([t, (place.textContent ?? "").slice(-MAX_TEXT)]);
  };
  const method = (type, name, written) => {
    const native = type.prototype[name];
    type.prototype[name] = function (...args) {
      const returned = native.apply(this, args);
      note(written(this, args));
      return returned;
    };
  };
  const attribute = (type, name) => {
    const native = Object.getOwnPropertyDescriptor(type.prototype, name);
    Object.defineProperty(type.prototype, name, { ...native, set(value) {
      native.set.call(this, value);
      note(this);
    } });
  };
  const given = (place, [node]) => (node?.nodeType === Node.ELEMENT_NODE ? node : place); // a fragment is empty by then
  for (const name of ["appendChild", "insertBefore", "replaceChild"]) method(Node, name, given);
  for (const name of ["append", "prepend", "replaceChildren", "insertAdjacentElement", "insertAdjacentHTML"]) {
    method(Element, name, (place) => place);
  }
  for (const name of ["before", "after", "replaceWith"]) method(Element, name, given);
  for (const name of ["textContent", "nodeValue"]) attribute(Node, name);
  attribute(Element, "innerHTML");
  attribute(HTMLElement, "innerText");
  attribute(CharacterData, "data");
  Object.defineProperty(window, "__writes", { value: () => writes, enumerable: false });
}
