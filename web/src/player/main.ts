/** The player page: `/player/?recording=ID`. Shows what was recorded with the same parts that show a live desktop. */
import "../viewer/style.css";
import "./style.css";
import { el, store, stored } from "../viewer/ui/dom";
import { clock, SeekBar } from "./bar";
import { Playback, SPEEDS } from "./playback";
import { Search } from "./search";
import { type Index, Source, SourceError } from "./source";
import { type Moment, ScreenStage, type Stage } from "./stage";
import { Typed } from "./typed";

const id = new URLSearchParams(location.search).get("recording") ?? "";
const source = new Source(id);
const notice = el("p", { class: "notice gone", role: "status" });

function say(text: string): void {
  notice.textContent = text;
  notice.classList.toggle("gone", text === "");
}

function sorry(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  const buttons = el("div", { class: "buttons" });
  if (error instanceof SourceError && error.signedOut) {
    const href = `/?next=${encodeURIComponent(location.pathname + location.search)}`;
    buttons.append(el("a", { class: "button primary", href }, "Sign in"));
  }
  buttons.append(el("a", { class: "button", href: "/recordings" }, "Recordings"));
  const words = text.charAt(0).toUpperCase() + text.slice(1);
  document.body.replaceChildren(
    el(
      "div",
      { class: "waiting failed" },
      el(
        "section",
        { class: "card" },
        el("h1", {}, "This recording cannot be played"),
        el("p", { class: "text" }, words),
        buttons,
      ),
    ),
  );
}

const ICONS = { play: "M8 5v14l11-7z", pause: "M7 5h4v14H7zM13 5h4v14h-4z" };

function playIcon(): { element: SVGElement; set(playing: boolean): void } {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.append(path);
  return { element: svg, set: (playing) => path.setAttribute("d", playing ? ICONS.pause : ICONS.play) };
}

function describe({ recording }: Index): string {
  const when = new Date(recording.started_at).toLocaleString();
  const what = { rdp: "Desktop", vnc: "Console", ssh: "Shell" }[recording.kind];
  return `${what} · ${recording.user.name} · ${when}`;
}

// biome-ignore lint/suspicious/noExplicitAny: screens and terminals are played alike
async function stageFor(index: Index): Promise<{ stage: Stage<any>; opened(): void; hooks: object }> {
  if (index.recording.kind === "ssh") {
    const { TerminalStage } = await import("./terminal");
    const stage = new TerminalStage();
    return { stage, opened: () => stage.open(), hooks: { text: () => stage.text() } };
  }
  const stage = new ScreenStage((text) => say(`Part of the picture is missing: ${text}.`));
  const hooks = {
    pixel: (x: number, y: number) => stage.remote.pixel(x, y),
    snapshot: () => stage.remote.snapshot(),
  };
  return { stage, opened: () => undefined, hooks };
}

async function start(): Promise<void> {
  const index = await source.index();
  const { stage, opened, hooks } = await stageFor(index);
  const title = `${index.recording.desktop.name} – recording`;
  document.title = `${title} – Oriel`;

  const icon = playIcon();
  const button = el("button", { type: "button", class: "play" });
  button.append(icon.element);
  const time = el("span", { class: "time" });
  const state = el("span", { class: "state" });
  const playback: Playback<Moment> = new Playback<Moment>(source, stage, index, {
    moved: () => show(),
    grew: (now) => {
      bar.describe(now.chunks, now.duration_ms);
      show();
    },
    problem: (error) => say(error instanceof Error ? error.message : String(error)),
  });
  const bar = new SeekBar((ms) => {
    say("");
    void playback.seek(ms);
  });
  const toggle = () => {
    say("");
    if (playback.playing) playback.pause();
    else playback.play();
  };
  button.addEventListener("click", toggle);

  const speed = el("select", { "aria-label": "Speed" });
  for (const factor of SPEEDS) speed.append(el("option", { value: factor }, `${factor}×`));
  speed.value = stored("player-speed", "1");
  if (!speed.value) speed.value = "1";
  playback.speed = Number(speed.value);
  speed.addEventListener("change", () => {
    playback.speed = Number(speed.value);
    store("player-speed", speed.value);
  });
  const skip = el("input", { type: "checkbox" });
  skip.checked = stored("player-skip", "yes") === "yes";
  playback.skipIdle = skip.checked;
  skip.addEventListener("change", () => {
    playback.skipIdle = skip.checked;
    store("player-skip", skip.checked ? "yes" : "no");
  });

  const tools = el(
    "div",
    { class: "controls", role: "toolbar", "aria-label": "Playing" },
    button,
    time,
    bar.element,
    state,
    speed,
    el("label", { class: "skip" }, skip, "Skip pauses"),
  );
  const parts: Element[] = [stage.element, stage.watermark.element, stage.keys.element];
  // What lies beside the picture: one at a time.
  const panels: { button: HTMLElement; panel: { element: HTMLElement; toggle(): boolean } }[] = [];
  const beside = (label: string, panel: { element: HTMLElement; toggle(): boolean }) => {
    const button = el("button", { type: "button", class: "button", "aria-pressed": "false" }, label);
    button.addEventListener("click", () => {
      for (const other of panels) {
        if (other.button === button || !other.panel.element.hidden)
          other.button.setAttribute("aria-pressed", String(other.panel.toggle()));
      }
    });
    panels.push({ button, panel });
    parts.push(panel.element);
    return button;
  };
  const began = Date.parse(index.recording.started_at);
  if (index.recording.kind === "ssh") {
    tools.append(beside("Find", new Search(source, playback)));
  }
  if (index.typed) {
    const list = beside("Typed", new Typed(source, playback, index.recording.kind === "ssh"));
    list.title = "What was typed and copied, where the rules of the connection kept it";
    const over = el("input", { type: "checkbox" });
    over.checked = stored("player-keys", "yes") === "yes";
    stage.keys.on = over.checked;
    over.addEventListener("change", () => {
      stage.keys.on = over.checked;
      stage.keys.at(playback.position);
      store("player-keys", over.checked ? "yes" : "no");
    });
    tools.append(el("label", { class: "skip" }, over, "Show keys"), list);
  }
  tools.append(
    el("a", { class: "button", href: `/recordings?export=${encodeURIComponent(id)}` }, "Export"),
    el("a", { class: "button", href: source.content, download: "" }, "Download"),
  );

  let shown = "";
  function show(): void {
    icon.set(playback.playing);
    const label = playback.playing ? "Pause" : "Play";
    if (button.title !== label) {
      button.title = label;
      button.setAttribute("aria-label", label);
    }
    bar.move(playback.position);
    stage.watermark.at(new Date(began + playback.position));
    stage.keys.at(playback.position);
    time.textContent = `${clock(playback.position)} / ${clock(playback.duration)}`;
    const words = playback.loading
      ? "Loading…"
      : playback.live
        ? playback.atEnd
          ? "Live"
          : "Still running"
        : playback.index.recording.state === "cut"
          ? "Cut off"
          : "";
    if (words !== shown) {
      shown = words;
      state.textContent = words;
      state.classList.toggle("live", playback.live);
      state.title =
        playback.index.recording.state === "cut"
          ? "The server or its storage failed here; nothing later was kept."
          : "";
    }
  }

  document.body.classList.add("player");
  document.body.append(
    el("header", { class: "head" }, el("h1", {}, index.recording.desktop.name), el("p", {}, describe(index))),
    ...parts,
    notice,
    tools,
  );
  opened();
  window.addEventListener("keydown", (event) => {
    if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
    if (event.key === " " && !(event.target instanceof HTMLButtonElement)) {
      event.preventDefault();
      toggle();
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.preventDefault();
      void playback.seek(playback.position + (event.key === "ArrowLeft" ? -5000 : 5000));
    }
  });
  Object.defineProperty(window, "oriel", {
    value: Object.freeze({
      ...hooks,
      get position() {
        return playback.position;
      },
      get duration() {
        return playback.duration;
      },
      get playing() {
        return playback.playing;
      },
      get atEnd() {
        return playback.atEnd;
      },
      seek: (ms: number) => playback.seek(ms),
    }),
  });
  bar.describe(index.chunks, index.duration_ms);
  if (index.chunks.length === 0 && !playback.live)
    say("Nothing was recorded: the connection ended before there was a picture.");
  await playback.seek(0);
  playback.play();
}

start().catch(sorry);
