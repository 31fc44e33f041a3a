"use strict";
(() => {
  const at = (id) => document.getElementById(`chat-${id}`);
  const [launcher, panel, list, typing, form, input, send, state] =
    ["launcher", "panel", "messages", "typing", "form", "input", "send", "state"].map(at);
  const clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
  clock.format(); // the first use loads its data, which takes 100 ms: not while a message waits to be shown
  const streaming = new Map();
  let socket = null;
  let over = false;

  const element = (tag, className, text = "") => {
    const made = document.createElement(tag);
    made.className = className;
    made.textContent = text;
    return made;
  };

  const show = (author, text) => {
    const item = element("li", "message");
    item.dataset.author = author;
    const name = panel.dataset[author] || "";
    const who = element("span", "who", name);
    who.append(element("time", "", clock.format()));
    const bubble = element("div", "text", text);
    const avatar = element("span", "avatar", name.slice(0, 1));
    avatar.setAttribute("aria-hidden", "true");
    item.append(avatar, who, bubble);
    list.append(item);
    list.scrollTop = list.scrollHeight;
    return bubble;
  };

  const become = (name) => {
    state.textContent = panel.dataset[`state${name[0].toUpperCase()}${name.slice(1)}`];
    over = over || name === "over" || name === "lost";
    input.disabled = send.disabled = over;
    if (over) typing.hidden = true;
  };

  const receive = (frame) => {
    if (frame.type === "message") show(frame.author, frame.text);
    if (frame.type === "token") {
      if (!streaming.has(frame.id)) streaming.set(frame.id, show("bot", ""));
      streaming.get(frame.id).append(frame.text);
      list.scrollTop = list.scrollHeight;
    }
    if (frame.type === "done") streaming.delete(frame.id);
    if (frame.type === "typing") typing.hidden = !frame.on;
    if (frame.type === "state") become(frame.name);
  };

  const connect = () => {
    const url = new URL("chat", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.search = location.search;
    socket = new WebSocket(url);
    socket.addEventListener("message", (event) => receive(JSON.parse(event.data)));
    socket.addEventListener("close", () => over || become("lost"));
  };

  launcher.addEventListener("click", () => {
    panel.hidden = false;
    launcher.hidden = true;
    if (!socket) connect();
  });
  at("close").addEventListener("click", () => {
    panel.hidden = true;
    launcher.hidden = false;
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text || over) return;
    socket.send(JSON.stringify({ type: "say", text }));
    input.value = "";
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
})();
