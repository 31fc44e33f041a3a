/* Stamps what comes down the wire to one frame of a chat page: WebSocket frames, server-sent events, fetch and
 * XMLHttpRequest responses, whole or chunk by chunk.
 *
 * Called by the observer as wire({now, record, opened, hosts, dialled?}) before any script of the page. The page's own calls go through
 * unchanged: nothing is copied, held back or kept open. Returns {first, last}: when the beginning, and when the end, of
 * some shown words arrived, or undefined.
 */
(observer) => {
  "use strict";
  const { now, record, opened, hosts, dialled = () => {} } = observer;
  const KEPT = 200;
  const KEPT_MS = 30000;
  const STREAM_MS = 5000;
  const MAX_DATA = 20000;
  const clock = performance;
  let kept = [];

  const size = (data) => (typeof data === "string" ? data.length : data?.byteLength ?? data?.size ?? 0);
  const sent = (t, via, data) => record({ k: "frame", t, out: true, size: size(data), via }, { quiet: true });
  const arrived = (t, via, data) => {
    record({ k: "frame", t, out: false, size: size(data), via }, { quiet: true });
    if (typeof data !== "string" || !data) return;
    kept.push({ t, data: data.slice(0, MAX_DATA) });
    if (kept.length > KEPT) kept = kept.slice(-KEPT / 2);
  };

  // --- which of it became the words on the page -----------------------------------------------------------------------
  const bare = (text) => text.replace(/\s+/g, "");
  const plain = (frame) => (frame.plain ??= bare(frame.data
    .replace(/\\u([0-9a-fA-F]{4})/g, (_, code) => String.fromCharCode(parseInt(code, 16)))
    .replace(/\\[nrt]/g, " ").replace(/\\(["\\/])/g, "$1")));
  const strings = (value, out, depth = 0) => {
    if (typeof value === "string") out.push(bare(value));
    else if (value && typeof value === "object" && depth < 8) for (const v of Object.values(value)) strings(v, out, depth + 1);
    return out;
  };
  const parts = (frame) => (frame.parts ??= frame.data.split("\n").flatMap((line) => {
    const body = line.replace(/^data: ?/, "").replace(/^\d+(?=[[{])/, "");
    try { return strings(JSON.parse(body), []); } catch { return [bare(body)]; }
  }).filter(Boolean));
  /** The newest frame that holds the edge of the words; for a stream, the newest that holds its longest such part. */
  const find = (text, atEdge, edge) => {
    const since = now() - KEPT_MS;
    for (let i = kept.length - 1; i >= 0 && kept[i].t >= since; i--) if (plain(kept[i]).includes(edge)) return kept[i].t;
    let found, longest = 0;
    for (let i = kept.length - 1; i >= 0 && kept[i].t >= now() - STREAM_MS; i--) {
      for (const part of parts(kept[i])) {
        if (part.length > longest && atEdge(text, part)) [found, longest] = [kept[i].t, part.length];
      }
    }
    return found;
  };
  const first = (text) => ((b) => b && find(b, (all, part) => all.startsWith(part), b.slice(0, 8)))(bare(text)) || undefined;
  const last = (text) => ((b) => b && find(b, (all, part) => all.endsWith(part), b.slice(-8)))(bare(text)) || undefined;

  // --- WebSocket ------------------------------------------------------------------------------------------------------
  const NativeSocket = window.WebSocket;
  const hostOf = (url) => { try { return new URL(url, location.href).hostname; } catch { return ""; } };
  const nativeSend = NativeSocket.prototype.send;
  NativeSocket.prototype.send = function send(data) {
    sent(now(), "socket", data);
    return nativeSend.call(this, data);
  };
  window.WebSocket = new Proxy(NativeSocket, {
    construct(target, args, newTarget) {
      const host = hosts && hostOf(args[0]);
      if (host && !hosts.includes(host)) {
        record({ k: "refused", t: now(), host });
        throw new DOMException("blocked", "SecurityError");
      }
      const socket = Reflect.construct(target, args, newTarget);
      let open = false;
      dialled(1);
      socket.addEventListener("open", () => {
        open = true;
        dialled(-1);
        record({ k: "socket", t: now(), open });
        opened(1);
      });
      socket.addEventListener("close", (event) => {
        if (!open) return dialled(-1); // it never came about
        opened(-1);
        record({ k: "socket", t: now(), open: false, clean: event.wasClean, code: event.code });
      });
      socket.addEventListener("message", (event) => arrived(clock.timeOrigin + event.timeStamp, "socket", event.data));
      return socket;
    },
  });

  // --- server-sent events: a listener of ours for each type the page listens to, ahead of its own ----------------------
  const NativeSource = window.EventSource;
  if (NativeSource) {
    const heard = new WeakMap(); // source -> types
    const listen = EventTarget.prototype.addEventListener;
    const hear = (source, type) => {
      const types = heard.get(source);
      if (!types || types.has(type) || type === "open" || type === "error") return;
      types.add(type);
      listen.call(source, type, (event) => arrived(clock.timeOrigin + event.timeStamp, "sse", event.data));
    };
    NativeSource.prototype.addEventListener = function addEventListener(type, ...rest) {
      hear(this, String(type));
      return listen.call(this, type, ...rest);
    };
    window.EventSource = new Proxy(NativeSource, {
      construct(target, args, newTarget) {
        const source = Reflect.construct(target, args, newTarget);
        let open = false;
        heard.set(source, new Set());
        hear(source, "message");
        listen.call(source, "open", () => { if (!open) opened(+(open = true)); });
        listen.call(source, "error", () => { if (open) opened(-1); open = false; });
        return source;
      },
    });
  }

  // --- fetch: the page's own reads are stamped as they are fulfilled ---------------------------------------------------
  const nativeFetch = window.fetch;
  if (nativeFetch) {
    window.fetch = function fetch(resource, options) {
      if (options?.body != null) sent(now(), "fetch", options.body);
      return nativeFetch.call(this, resource, options);
    };
    for (const name of ["text", "json"]) {
      const read = Response.prototype[name];
      Response.prototype[name] = function () {
        const reading = read.call(this);
        reading.then((value) => arrived(now(), "fetch", typeof value === "string" ? value : JSON.stringify(value)), () => {});
        return reading;
      };
    }
    const bodies = new WeakSet();
    const readers = new WeakMap(); // reader -> decoder
    const body = Object.getOwnPropertyDescriptor(Response.prototype, "body");
    Object.defineProperty(Response.prototype, "body", { ...body, get() {
      const stream = body.get.call(this);
      if (stream) bodies.add(stream);
      return stream;
    } });
    const Stream = ReadableStream.prototype;
    const pass = (name, outs) => {
      const native = Stream[name];
      Stream[name] = function (...args) {
        const ours = bodies.has(this);
        const made = native.apply(this, args);
        if (ours) for (const stream of outs(made)) bodies.add(stream);
        return made;
      };
    };
    pass("pipeThrough", (stream) => [stream]);
    pass("tee", (streams) => streams);
    const chunk = (decoder, result) => {
      const value = result?.value;
      if (value == null) return;
      if (ArrayBuffer.isView(value)) arrived(now(), "chunk", decoder.decode(value, { stream: true }));
      else arrived(now(), "chunk", typeof value === "string" ? value : JSON.stringify(value));
    };
    const getReader = Stream.getReader;
    Stream.getReader = function (...args) {
      const reader = getReader.apply(this, args);
      if (bodies.has(this)) readers.set(reader, new TextDecoder());
      return reader;
    };
    const read = ReadableStreamDefaultReader.prototype.read;
    ReadableStreamDefaultReader.prototype.read = function () {
      const reading = read.call(this);
      const decoder = readers.get(this);
      if (decoder) reading.then((result) => chunk(decoder, result), () => {});
      return reading;
    };
    const values = Stream.values;
    Stream.values = Stream[Symbol.asyncIterator] = function (...args) {
      const iterator = values.apply(this, args);
      if (!bodies.has(this)) return iterator;
      const decoder = new TextDecoder();
      const next = iterator.next.bind(iterator);
      iterator.next = () => {
        const reading = next();
        reading.then((result) => chunk(decoder, result), () => {});
        return reading;
      };
      return iterator;
    };
  }

  // --- XMLHttpRequest --------------------------------------------------------------------------------------------------
  const NativeRequest = window.XMLHttpRequest;
  const requestSend = NativeRequest.prototype.send;
  NativeRequest.prototype.send = function send(data) {
    if (data != null) sent(now(), "xhr", data);
    return requestSend.call(this, data);
  };
  window.XMLHttpRequest = new Proxy(NativeRequest, {
    construct(target, args, newTarget) {
      const request = Reflect.construct(target, args, newTarget);
      let seen = 0;
      request.addEventListener("readystatechange", (event) => {
        const t = clock.timeOrigin + event.timeStamp;
        if (request.readyState < 2) seen = 0;
        if (request.readyState < 3) return;
        if (request.responseType === "json") {
          if (request.readyState === 4 && request.response) arrived(t, "xhr", JSON.stringify(request.response));
        } else if (request.responseType === "" || request.responseType === "text") {
          const more = request.responseText.slice(seen);
          seen += more.length;
          if (more) arrived(t, "xhr", more);
        }
      });
      return request;
    },
  });

  return { first, last };
}
