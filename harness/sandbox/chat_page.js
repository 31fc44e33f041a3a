"use strict";
(() => {
  const at = (id) => document.getElementById(`chat-${id}`);
  const [launcher, panel, list, typing, form, input, send, state] =
    ["launcher", "panel", "messages", "typing", "form", "input", "send", "state"].map(at);
  const [choices, attach, file] = ["choices", "attach", "file"].map(at);
  const clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
  clock.format(); // the first use loads its data, which takes 100 ms: not while a message waits to be shown
  const streaming = new Map();
  const sent = new Map(); // our own files by name
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

  const draw = { // what a message shows besides words
    link: ({ text, url }) => Object.assign(element("a", "", text), { href: url, target: "_blank", rel: "noopener" }),
    image: ({ text, url }) => Object.assign(element("img", ""), { alt: text, src: url }),
    card: ({ text, url }) => {
      const card = element("section", "offer", text);
      if (url) card.append(draw.link({ text: "›", url }));
      return card;
    },
  };
  const add = (bubble, shows = []) => {
    if (!shows.length) return;
    const place = element("div", "shows");
    place.append(...shows.map((each) => draw[each.kind](each)));
    bubble.after(place);
    list.scrollTop = list.scrollHeight;
  };
  const showFile = (author, name) => {
    const url = sent.get(name);
    const picture = /\.(png|jpe?g|gif|webp)$/i.test(name);
    const shown = picture ? draw.image({ text: name, url }) : Object.assign(draw.link({ text: name, url }), { download: name });
    const bubble = show(author, "");
    bubble.append(shown);
  };
  const offer = (texts) => {
    choices.replaceChildren(...texts.map((text) => {
      const choice = Object.assign(element("button", "choice", text), { type: "button" });
      choice.addEventListener("click", () => say(text));
      return choice;
    }));
    choices.hidden = !texts.length;
  };

  const become = (name) => {
    state.textContent = panel.dataset[`state${name[0].toUpperCase()}${name.slice(1)}`];
    over = over || name === "over" || name === "lost";
    input.disabled = send.disabled = attach.disabled = over;
    if (over) typing.hidden = true;
    if (over) offer([]);
  };

  const receive = (frame) => {
    if (frame.type === "message" && frame.author === "user") offer([]); // too late for what was offered before
    if (frame.type === "message" && frame.file) showFile(frame.author, frame.file);
    else if (frame.type === "message") add(show(frame.author, frame.text), frame.shows);
    if (frame.type === "token") {
      if (!streaming.has(frame.id)) streaming.set(frame.id, show("bot", ""));
      streaming.get(frame.id).append(frame.text);
      list.scrollTop = list.scrollHeight;
    }
    if (frame.type === "done") {
      add(streaming.get(frame.id), frame.shows);
      streaming.delete(frame.id);
    }
    if (frame.type === "choices") offer(frame.texts);
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
  const say = (text) => {
    if (text && !over) socket.send(JSON.stringify({ type: "say", text }));
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    say(input.value.trim());
    input.value = "";
  });
  attach.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    const [chosen] = file.files;
    if (!chosen || over) return;
    const reader = new FileReader();
    reader.addEventListener("load", () => {
      sent.set(chosen.name, URL.createObjectURL(chosen));
      const data = reader.result.slice(reader.result.indexOf(",") + 1);
      socket.send(JSON.stringify({ type: "file", name: chosen.name, media: chosen.type, data }));
    });
    reader.readAsDataURL(chosen);
    file.value = "";
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
})();
