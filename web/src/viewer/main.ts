/** The viewer page: `/viewer/?desktop=ID&kind=rdp|vnc|ssh`, with `&app=ID` for one program. Puts the parts together; each part has a file of its own. */
import "./style.css";
import type { ConnectionKind, Way } from "./api";
import { Clipboard } from "./clipboard";
import { filesOf } from "./copied";
import { type FilePlace, FilesClient } from "./files/client";
import { DropZone } from "./files/drop";
import { FilesPanel } from "./files/panel";
import { openPrint, printPath } from "./files/print";
import { Delays, type Marks, type OrielHooks } from "./hooks";
import { detectPlatform, Keyboard } from "./input/keyboard";
import { chooseLayout, chosenLayout, guessLayout, readCaps } from "./input/layout";
import { listenToText } from "./input/textarea";
import { capture } from "./microphone/capture";
import { Microphone } from "./microphone/microphone";
import { Monitors } from "./monitors/monitors";
import { People } from "./people";
import { Pane } from "./screen/pane";
import { RemoteScreen } from "./screen/remote";
import { decodesH264 } from "./screen/video";
import type { ScaleMode } from "./screen/view";
import { combinesViews } from "./screen/views";
import { type Phase, Session } from "./session";
import { Sound } from "./sound";
import type { TerminalView } from "./terminal";
import { Banner } from "./ui/banner";
import { el, icon, store, stored } from "./ui/dom";
import { FindPanel } from "./ui/find";
import { canFullscreen, isFullscreen, toggleFullscreen } from "./ui/fullscreen";
import { askName } from "./ui/guest";
import { keysPanel, terminalKeys } from "./ui/keys";
import { MicrophoneSigns } from "./ui/microphone";
import { Presence } from "./ui/presence";
import { Prints } from "./ui/prints";
import { Questions } from "./ui/question";
import { layoutMenu, radios, toggle } from "./ui/settings";
import { SharePanel } from "./ui/share";
import { Meter, StatsOverlay } from "./ui/stats";
import { Toolbar } from "./ui/toolbar";
import { Waiting } from "./ui/waiting";
import { Watermark } from "./ui/watermark";
import {
  ABILITY_H264,
  ABILITY_H264_FULL,
  type Contact,
  encodeText,
  type Notice,
  type RecordingSign,
  Rule,
  type ServerRecord,
  TEXT_BYTES_MAX,
} from "./wire";

const query = new URLSearchParams(location.search);
const desktop = query.get("desktop") ?? "";
/**
 * `/join/TOKEN?kind=` is an invitation, `/join/guest?kind=#SECRET` one for people without an account; `/viewer/?shadow=SESSION&kind=&control=` an administrator looking on.
 */
const way: Way = ((): Way => {
  const invited = /^\/join\/([^/]+)$/.exec(location.pathname)?.[1];
  if (invited === "guest") return { by: "guest", secret: location.hash.slice(1), name: "" };
  if (invited) return { by: "invite", token: invited };
  const shadowed = query.get("shadow");
  if (shadowed) return { by: "shadow", session: shadowed, control: query.has("control") };
  const app = query.get("app");
  return app ? { by: "own", app } : { by: "own" };
})();
const asked = query.get("kind");
const kind: ConnectionKind = asked === "vnc" || asked === "ssh" ? asked : "rdp";
const isTerminal = kind === "ssh";
const KIND_NAMES: Readonly<Record<ConnectionKind, string>> = { rdp: "Desktop", vnc: "Console", ssh: "Shell" };

const platform = detectPlatform(navigator.userAgent);
const epoch = () => performance.timeOrigin + performance.now();
const marks: Marks = {
  started: epoch(),
  first_picture: null,
  last_frame: null,
  last_sequence: null,
  last_key: null,
};
const keyDelays = new Delays();
const meter = new Meter();
/** Longest wait for something to see from a machine that has drawn nothing yet, in milliseconds. */
const BLANK_MS_MAX = 5000;
let blankTimer: ReturnType<typeof setTimeout> | undefined;
/** Frames whose end has arrived and which are not acknowledged yet. */
const inFlight = new Set<number>();

// ---- The page's parts ----

const canvas = el("canvas", { class: "screen" });
const stage = el("main", { class: isTerminal ? "stage terminal" : "stage", "aria-label": KIND_NAMES[kind] });
const area = el("textarea", {
  class: "typing",
  "aria-label": "Keyboard input for the desktop",
  autocapitalize: "off",
  autocomplete: "off",
  autocorrect: "off",
  spellcheck: "false",
  rows: 1,
});
if (!isTerminal) stage.append(canvas, area);

let terminal: TerminalView | null = null;
let layout = chosenLayout();
let guessed = "";

/** False once this browser's decoder has failed at what the machine sends. */
let videoWorks = true;

const session = new Session(desktop, kind, way, {
  phase: onPhase,
  hello: () => {
    const common = { layout: layout || guessed };
    if (terminal) {
      const { columns: width, rows: height, received } = terminal;
      return { width, height, scale: Math.round(devicePixelRatio * 100), received, ...common };
    }
    pane?.view.forget();
    const all = monitors?.greeting();
    const size = all ?? pane?.view.wanted() ?? { width: 80, height: 24, scale: 100 };
    const { width, height, scale } = size;
    return { width, height, scale, received: 0n, ...common };
  },
  early: () => {
    const all = monitors?.greeting();
    return all ? [all.record] : [];
  },
  abilities: async () => {
    if (isTerminal || !videoWorks || !(await decodesH264())) return 0;
    return ABILITY_H264 | (combinesViews() ? ABILITY_H264_FULL : 0);
  },
  named: onNamed,
  record: onRecord,
  screen: (message) => {
    remote?.message(message);
  },
  opened: () => {
    waiting.unask();
    inFlight.clear();
    clearTimeout(blankTimer);
    blankTimer = undefined;
    remote?.reset();
    terminal?.opened();
    people.clear();
    questions.clear();
    onPeople();
  },
});

// ---- Others in front of the same machine ----

const people = new People();
const questions = new Questions((seat, yes) => {
  session.send({ type: "answer", seat, yes });
  focusScreen();
});
/** What the machine prints lies on the session's drive. */
const drive = new FilesClient(desktop, "drive");
const prints = new Prints({
  open: (name) => openPrint(drive, name),
  address: (name) => drive.address(printPath(name)),
});
const share = new SharePanel(session.api, () => session.connection, kind, session.isGuest, {
  control: (seat, on) => session.send({ type: "control", seat, on }),
  remove: (seat) => session.send({ type: "remove", seat }),
});
const presence = new Presence(session.isGuest, {
  open: () => shareButton && toolbar.reveal(shareButton),
  askControl: () => {
    session.send({ type: "ask_control" });
    focusScreen();
  },
  giveBack: () => session.send({ type: "control", seat: people.own, on: false }),
  leave: () => session.disconnect(),
});
let shareButton: HTMLButtonElement | null = null;

/** A guest without control can point, and nothing else. */
const mayType = () => !session.isGuest || people.me?.control === true;

function onPeople(): void {
  presence.show(people);
  share.people(people);
  for (const one of panes()) one.others.keep(people.others.map(({ seat }) => seat));
  stage.classList.toggle("view-only", !mayType());
  mirror();
}

const banner = new Banner(() => session.reconnect());
const waiting = new Waiting({
  retry: () => session.start(),
  signIn: `/?next=${encodeURIComponent(location.pathname + location.search)}`,
  home: way.by === "guest" ? "" : "/",
});

const keyboard = new Keyboard(
  {
    key: (down, code, keysym) => {
      if (!mayType()) return;
      session.send({ type: "key", down, code, keysym });
      marks.last_key = epoch();
    },
    text: (text) => {
      if (!mayType()) return;
      for (let rest = text; rest; ) {
        const piece = new TextDecoder().decode(encodeText(rest, TEXT_BYTES_MAX));
        if (!piece) break;
        session.send({ type: "text", text: piece });
        rest = rest.slice(piece.length);
      }
    },
    release: () => mayType() && session.send({ type: "release" }),
    menu: () => {
      // The keys may have been pressed in the window of another monitor.
      if (!document.hasFocus()) window.focus();
      toolbar.show(true);
    },
  },
  platform,
);

const clipboard = new Clipboard(
  {
    clipboard: (format, bytes) => mayType() && session.send({ type: "clipboard", format, bytes }),
    type: (text) => (terminal ? terminal.paste(text) : session.send({ type: "text", text })),
  },
  (text) => banner.notice(text),
  // Other machines take text alone.
  kind === "rdp",
);

/** QEMU's sound is what was asked for, xrdp's and that of Windows a CD's. */
const sound = new Sound(kind === "vnc" ? 48_000 : 44_100, {
  listen: (on) => session.send({ type: "listen", on }),
});

/** Of the owner alone; guests are not told that the machine listens. */
const microphone = new Microphone(
  {
    samples: (format, bytes) => session.live && session.send({ type: "microphone", ...format, bytes }),
    waiting: () => session.waiting,
    changed: () => microphoneSigns?.show(),
    say: (text) => banner.notice(text),
  },
  capture,
);
let microphoneSigns: MicrophoneSigns | null = null;

// ---- The screen ----

let pane: Pane | null = null;
let monitors: Monitors | null = null;
let remote: RemoteScreen | null = null;
/** The pointer as the machine drew it last. */
let pointer: Extract<ServerRecord, { type: "cursor" | "cursor_default" }> | null = null;
const toldProblems = new Set<string>();

/** The scale that was chosen here; on phones, whose pixels are tiny, enlarged unless chosen otherwise. */
function scaleMode(): ScaleMode {
  const sharpAndSmall = devicePixelRatio >= 1.5 && matchMedia("(pointer: coarse)").matches;
  const mode = stored("scale", sharpAndSmall ? "large" : "match");
  return mode === "fit" || mode === "actual" || mode === "large" ? mode : "match";
}

/** What fingers do: touch as on the machine's own screen where it takes that, or move its pointer in one of two manners. */
function setTouch(one: Pane): void {
  const chosen = stored("touch", "auto");
  one.touch.manner = chosen === "trackpad" ? "trackpad" : "direct";
  one.contacts.touches = chosen === "auto";
  one.contacts.takes(touchable.fingers, touchable.pens);
}

/** What the machine takes of fingers and pens themselves. */
let touchable = { fingers: 0, pens: 0 };

/** Those of all windows; the first is this one's. */
const panes = (): Pane[] => (pane ? [pane, ...(monitors?.windows.map((one) => one.pane) ?? [])] : []);

/** What every window says and looks like, in those of further monitors too. */
function mirror(): void {
  if (!monitors) return;
  const { phase } = session;
  if (phase.name === "ended") monitors.close(phase.ending.title);
  else monitors.close(phase.name === "live" || phase.name === "cut" ? "" : "Connecting…");
  for (const one of monitors.windows) {
    one.title = document.title;
    one.state(phase.name === "cut", !mayType());
    one.signs(recorded, viewOnly);
    one.watermark.person = watermark.name;
    one.watermark.at(new Date());
    one.pane.view.mode = scaleMode();
    setTouch(one.pane);
    if (phase.name === "cut") one.banner.cut(phase.next);
    else one.banner.back();
    if (pointer?.type === "cursor") one.pane.cursor.set(pointer);
    else one.pane.cursor.standard();
  }
}

function focusScreen(): void {
  if (terminal) terminal.focus();
  else area.focus({ preventScroll: true });
}

/**
 * A frame was shown. While it is blank, the page goes on waiting for the machine's first picture, but not for long: some
 * screens are black. One that was seen before the connection was cut stays in view and needs no second wait.
 */
function arrived(shown: number, blank: boolean): void {
  if (blank && session.phase.name === "opening") {
    blankTimer ??= setTimeout(() => arrived(epoch(), false), BLANK_MS_MAX);
    return;
  }
  clearTimeout(blankTimer);
  if (session.phase.name === "ended") return;
  marks.first_picture ??= shown;
  session.arrived();
}

function startScreen(): void {
  const pointers = {
    pointer: (x: number, y: number, buttons: number) => session.send({ type: "pointer", x, y, buttons }),
    wheel: (x: number, y: number, dx: number, dy: number) => session.send({ type: "wheel", x, y, dx, dy }),
    contacts: (pen: boolean, after_ms: number, contacts: Contact[]) =>
      session.send({ type: "contacts", pen, after_ms, contacts }),
  };
  const first = new Pane(stage, canvas, true, pointers, {
    wanted: (width, height, scale) => {
      if (session.isGuest || monitors?.resized()) return;
      session.send({ type: "resize", width, height, scale });
    },
    focus: focusScreen,
  });
  pane = first;
  // The size is the owner's: a guest's window shows all of it.
  first.view.mode = session.isGuest ? "fit" : scaleMode();
  setTouch(first);
  const drawing = new RemoteScreen(canvas, {
    size: (width, height) => {
      first.view.resized(width, height);
      monitors?.surface(width, height);
      first.others.layout();
    },
    part: (id, bitmap) => (monitors ? monitors.part(id, bitmap) : bitmap.close()),
    shown: (sequence, shown, blank) => {
      session.send({ type: "ack", sequence });
      inFlight.delete(sequence);
      marks.last_frame = shown;
      marks.last_sequence = sequence;
      arrived(shown, blank);
    },
    videoTrouble: (trouble) => {
      console.warn("screen: video", trouble);
      if (trouble === "undecodable") videoWorks = false;
      session.send({ type: "video_trouble", trouble });
    },
    problem: (text) => {
      console.warn("screen:", text);
      if (toldProblems.has(text)) return;
      toldProblems.add(text);
      banner.notice(`Part of the picture is missing: ${text}.`);
    },
  });
  remote = drawing;
  monitors = new Monitors(first.view, {
    keyboard,
    pointers,
    down: (event) => {
      keyDelays.add(performance.now() - event.timeStamp);
      keys.refresh();
    },
    paste: onPaste,
    reconnect: () => session.reconnect(),
    anew: () => session.start(),
    send: (record) => session.send(record),
    parts: (parts) => drawing.parts(parts),
    watched: (on) => drawing.watched(on),
    say: (text) => banner.notice(text),
    opened: (own) => clipboard.attend(own),
    changed: mirror,
  });

  const onDown = (event: KeyboardEvent) => {
    if (keyboard.down(event)) event.preventDefault();
    keyDelays.add(performance.now() - event.timeStamp);
    keys.refresh();
  };
  area.addEventListener("keydown", onDown);
  window.addEventListener("keydown", (event) => {
    // Nothing has the focus (a button went away under it): the screen has.
    if (event.target !== document.body || !session.live) return;
    focusScreen();
    onDown(event);
  });
  area.addEventListener("keyup", (event) => {
    if (keyboard.up(event)) event.preventDefault();
    keys.refresh();
  });
  area.addEventListener("paste", onPaste);
  area.addEventListener("blur", () => keyboard.releaseAll());
  window.addEventListener("blur", () => keyboard.releaseAll());
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) keyboard.releaseAll();
  });
  listenToText(area, keyboard, platform);
  if (navigator.userActivation?.hasBeenActive) sound.unlock();
  for (const gesture of ["pointerdown", "keydown"])
    window.addEventListener(gesture, () => sound.unlock(), { capture: true, passive: true });
}

function onPaste(event: ClipboardEvent): void {
  event.preventDefault();
  const files = event.clipboardData && mayUpload && takeFiles ? filesOf(event.clipboardData) : [];
  if (files.length > 0) {
    keyboard.unpaste();
    takeFiles?.(files);
    return;
  }
  const reading = event.clipboardData ? clipboard.pasted(event.clipboardData) : null;
  if (!reading) {
    keyboard.pasted();
    return;
  }
  keyboard.pasting();
  void reading.finally(() => keyboard.pasted());
}

async function startTerminal(): Promise<void> {
  const { TerminalView, themeName } = await import("./terminal");
  terminal = new TerminalView(
    stage,
    {
      input: (bytes) => mayType() && session.send({ type: "terminal_input", bytes }),
      resize: (columns, rows) => !session.isGuest && session.send({ type: "terminal_resize", columns, rows }),
      ack: (offset) => {
        marks.last_frame = epoch();
        marks.first_picture ??= marks.last_frame;
        session.send({ type: "terminal_ack", offset });
      },
    },
    (text) => void navigator.clipboard?.writeText(text).catch(() => undefined),
    () => findButton && toolbar.reveal(findButton),
  );
  setTheme = (name) => {
    if (terminal) terminal.theme = themeName(name);
  };
  setTheme(stored("terminal-theme", "system"));
  const letters = Number(stored("font", "14"));
  if (letters !== 14) terminal.fontSize(letters);
  terminal.copyOnSelect = stored("copy-on-select", "no") === "yes";
  stage.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey && event.altKey && event.shiftKey && /^(Control|Alt|Shift)/.test(event.code)) {
        event.stopPropagation();
        toolbar.show(true);
      }
    },
    { capture: true },
  );
}

// ---- What the server says ----

let lastConnection = "";
/** Of the window in front, where the session is one program. */
let windowTitle = "";

function onNamed(): void {
  const names = [windowTitle, session.title || KIND_NAMES[kind], "Oriel"];
  document.title = names.filter((name) => name !== "").join(" – ");
  toolbar.title(session.title);
  mirror();
}

function onRecord(record: ServerRecord): void {
  switch (record.type) {
    case "hello":
      windowTitle = "";
      onNamed();
      // A guest is shown the whole terminal each time.
      terminal?.greeted(record.connection === lastConnection && !session.isGuest, record.received);
      lastConnection = record.connection;
      sound.opened();
      break;
    case "status":
      if (terminal && record.code === "connected") session.arrived();
      break;
    case "people":
      people.set(record.own, record.people);
      onPeople();
      break;
    case "pointing":
      for (const one of panes()) one.others.point(record.seat, people.named(record.seat), record.x, record.y);
      break;
    case "question":
      questions.ask(record.seat, record.kind, record.seconds, record.name);
      break;
    case "words":
      banner.notice(record.text);
      break;
    case "message":
      banner.message(record.text);
      break;
    case "printed":
      prints.offer(record.name, record.size);
      break;
    case "title":
      windowTitle = record.text;
      onNamed();
      break;
    case "resize":
      if (session.isGuest) terminal?.size(record.width, record.height);
      break;
    case "recording":
      if (session.isGuest && record.sign === "asked") break;
      onRecording(record.sign, record.text);
      break;
    case "rules":
      onRules(record.bits, record.clipboard_kib);
      break;
    case "watermark":
      watermark.person = record.text;
      watermark.at(new Date());
      mirror();
      break;
    case "notice":
      onNotice(record.notice, record.seconds);
      break;
    case "frame_end":
      inFlight.add(record.sequence);
      break;
    case "cursor":
      pointer = record;
      for (const one of panes()) one.cursor.set(record);
      break;
    case "cursor_default":
      pointer = record;
      for (const one of panes()) one.cursor.standard();
      break;
    case "cursor_move":
      if (!matchMedia("(pointer: coarse)").matches) break;
      for (const { view, cursor, touch } of panes()) {
        const point = view.toWindow(record.x, record.y);
        if (touch.manner === "trackpad") cursor.pin(point.x, point.y);
      }
      break;
    case "clipboard":
      void clipboard.received(record.format, record.bytes);
      break;
    case "audio":
      sound.play(record);
      break;
    case "microphone":
      microphone.want(record.channels === 0 ? null : { channels: record.channels, rate: record.rate });
      break;
    case "touch":
      touchable = record;
      panes().forEach(setTouch);
      break;
    case "bell":
      if (!matchMedia("(prefers-reduced-motion: reduce)").matches) {
        stage.classList.remove("bell");
        requestAnimationFrame(() => stage.classList.add("bell"));
      }
      break;
    case "terminal_start":
      terminal?.start(record.offset);
      session.arrived();
      break;
    case "terminal_repaint":
      terminal?.repaint(record.bytes);
      break;
    case "terminal_data":
      terminal?.data(record.bytes);
      session.arrived();
      break;
    default:
      // Keyboard lights have no home in this page yet.
      break;
  }
}

const recorded = el("p", { class: "recorded gone", role: "status" });
const recordedWords = el("span", {}, "Recorded");
recorded.append(el("span", { class: "dot", "aria-hidden": "true" }), recordedWords);

/** The sign stays in view while anything is kept; the question comes before the connection opens. */
function onRecording(sign: RecordingSign, text: string): void {
  const words = text && `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?!]$/.test(text) ? "" : "."}`;
  if (sign === "asked") {
    waiting.ask(words, (yes) => {
      session.send({ type: "consent", yes });
      onPhase(session.phase);
    });
    // A terminal may seem open by now.
    onPhase(session.phase);
    return;
  }
  if (sign === "off" && !recorded.classList.contains("gone") && session.live)
    banner.notice("Recording has stopped; the connection goes on without it.");
  recorded.classList.toggle("gone", sign !== "on");
  recorded.title = words;
  // What is kept beside the picture is said in full.
  const more = text.indexOf(",");
  recordedWords.textContent = more < 0 ? "Recorded" : `Recorded${text.slice(more)}`;
  mirror();
}

const watermark = new Watermark();
const viewOnly = el("p", { class: "recorded view-only gone", role: "status" }, "View only");
viewOnly.title = "The rules of this desktop let you watch, and nothing else.";

/** The server keeps the rules; here the page only says them, and offers nothing that leads nowhere. */
function onRules(bits: number, clipboardKib: number): void {
  const may = (rule: number) => (bits & rule) !== 0;
  viewOnly.classList.toggle("gone", !may(Rule.viewOnly));
  mirror();
  clipboard.rules = {
    toMachine: may(Rule.clipboardToMachine),
    toPerson: may(Rule.clipboardToPerson),
    bytesMax: clipboardKib * 1024,
  };
  const clipboards = may(Rule.clipboardToMachine) || may(Rule.clipboardToPerson);
  if (tools.clipboard) tools.clipboard.hidden = !clipboards;
  share.mayInvite = may(Rule.share);
  share.mayInviteGuests = may(Rule.shareGuests);
  if (tools.keys) tools.keys.hidden = may(Rule.viewOnly);
  if (tools.sound) tools.sound.hidden = !may(Rule.sound);
  microphone.allowed = may(Rule.microphone) && !session.isGuest;
  mayUpload = may(Rule.upload);
  if (tools.files) tools.files.hidden = !mayUpload && !may(Rule.download);
}

function onNotice(notice: Notice, seconds: number): void {
  for (const one of banners()) one.announce(notice, seconds);
}

/** That of each window. */
const banners = (): Banner[] => [banner, ...(monitors?.windows.map((one) => one.banner) ?? [])];

function onPhase(phase: Phase): void {
  if (phase.name === "ended" || phase.name === "asking") for (const one of banners()) one.calm();
  waiting.show(phase, session.title, isTerminal, marks.first_picture !== null);
  const usable = (phase.name === "live" || phase.name === "cut") && !waiting.asks;
  if (!usable) toolbar.close();
  presence.element.inert = !usable;
  if (phase.name === "ended") {
    // They are gone with the session's drive.
    prints.clear();
    microphone.want(null);
    people.clear();
    questions.clear();
    onPeople();
  }
  toolbar.element.classList.toggle("gone", !usable);
  stage.classList.toggle("stale", phase.name === "cut");
  stage.inert = !usable;
  if (phase.name === "cut") {
    terminal?.cut();
    banner.cut(phase.next);
  } else banner.back();
  mirror();
  if (phase.name === "live" && !waiting.asks) {
    if (!toolbar.element.contains(document.activeElement)) focusScreen();
    void clipboard.read();
  }
}

// ---- Tools ----

const overlay = new StatsOverlay();
const toolbar = new Toolbar(`Tools for this ${KIND_NAMES[kind].toLowerCase()}`, { left: focusScreen });
const keys = keysPanel(keyboard);
const find = new FindPanel((text, down) => terminal?.find(text, down) ?? false);
let findButton: HTMLButtonElement | null = null;
/** Those that the rules may take away. */
const tools: Partial<Record<"keys" | "clipboard" | "sound" | "files", HTMLButtonElement>> = {};
/** Until the rules are known. */
let mayUpload = true;
/** Where files go that are pasted. */
let takeFiles: ((files: File[]) => void) | null = null;
/** Known once the terminal is loaded. */
let setTheme: (name: string) => void = () => undefined;

const layouts = layoutMenu(layout, (chosen) => {
  layout = chosen;
  chooseLayout(chosen);
  // Machines learn the layout when a connection begins.
  if (session.live) session.start();
});

function settings(): HTMLElement {
  const groups: HTMLElement[] = [];
  if (isTerminal) {
    groups.push(
      toggle("Copy what is selected at once", stored("copy-on-select", "no") === "yes", (on) => {
        store("copy-on-select", on ? "yes" : "no");
        if (terminal) terminal.copyOnSelect = on;
      }),
      radios(
        "Colours",
        "theme",
        [
          ["system", "As the system"],
          ["dark", "Dark"],
          ["light", "Light"],
          ["contrast", "High contrast"],
        ],
        stored("terminal-theme", "system"),
        (value) => {
          store("terminal-theme", value);
          setTheme(value);
        },
      ),
      radios(
        "Letters",
        "font",
        [
          ["12", "Small"],
          ["14", "Medium"],
          ["18", "Large"],
        ],
        stored("font", "14"),
        (value) => {
          store("font", value);
          terminal?.fontSize(Number(value));
        },
      ),
    );
  } else {
    if (!session.isGuest)
      groups.push(
        radios(
          "Size",
          "scale",
          [
            ["match", "Match the window", "The desktop takes the window's size"],
            ...(devicePixelRatio > 1
              ? [
                  [
                    "large",
                    "Match, enlarged",
                    "For desktops that draw too small on this sharp screen",
                  ] as const,
                ]
              : []),
            ["fit", "Fit", "Scale the picture into the window"],
            ["actual", "Actual pixels", "Scroll where it is larger"],
          ],
          scaleMode(),
          (mode) => {
            store("scale", mode);
            for (const one of panes()) one.view.setMode(mode as ScaleMode);
          },
        ),
        layouts.element,
      );
    if (navigator.maxTouchPoints > 0) {
      groups.push(
        radios(
          "Fingers",
          "touch",
          [
            ["auto", "Touch the desktop", "As on its own screen; on one without touch, a tap clicks"],
            ["direct", "Click", "A tap clicks where it is, two fingers scroll and zoom"],
            ["trackpad", "Trackpad", "A finger moves the pointer"],
          ],
          stored("touch", "auto"),
          (manner) => {
            store("touch", manner);
            panes().forEach(setTouch);
          },
        ),
      );
    }
  }
  return el("div", {}, ...groups);
}

/** Files go the way of shells, or lie on the session's drive where that is a screen of Windows or xrdp. */
function filesTools(place: FilePlace): void {
  const files = new FilesPanel(new FilesClient(desktop, place), (done, failed, asking) => {
    if (!files.element.hidden) return;
    // Whoever works in the machine is told, too.
    if (failed > 0) banner.notice("An upload failed: look at the files.");
    else if (asking > 0) banner.notice("A file of that name is there already: look at the files.");
    else if (done > 0) banner.notice(done === 1 ? "The file is uploaded." : `${done} files are uploaded.`);
  });
  const button = toolbar.panel("files", "Files", files.element, () => void files.show());
  tools.files = button;
  const take = (taken: File[]) => {
    toolbar.reveal(button);
    void files.take(taken);
  };
  if (kind === "rdp") takeFiles = take;
  const zone = new DropZone({
    invitation: () => {
      if (!session.live || waiting.asks || !mayUpload || !files.open) return "";
      return files.place ? `Drop to upload to ${files.place}` : "Drop to upload to this machine";
    },
    dropped: take,
    folders: () => banner.notice("Folders cannot be uploaded: pack them into one file first."),
  });
  document.body.append(zone.element);
}

function buildTools(): void {
  if (canFullscreen()) {
    const button = toolbar.button("fullscreen", "Full screen", () => {
      void toggleFullscreen();
      toolbar.close();
    });
    document.addEventListener("fullscreenchange", () => {
      const label = isFullscreen() ? "Leave full screen" : "Full screen";
      button.title = label;
      button.setAttribute("aria-label", label);
    });
  }
  if (navigator.maxTouchPoints > 0) {
    toolbar.button("typing", "On-screen keyboard", () => {
      toolbar.close();
      focusScreen();
    });
  }
  if (isTerminal) {
    tools.keys = toolbar.panel(
      "keys",
      "Special keys",
      terminalKeys((text) => terminal?.send(text)),
    );
    findButton = toolbar.panel("find", "Find", find.element, () => find.shown());
    if (!session.isGuest) filesTools("machine");
  } else {
    if (!session.isGuest) {
      toolbar.button("monitor", "Add a monitor", () => {
        toolbar.close();
        void monitors?.add();
      });
    }
    if (kind === "rdp" && !session.isGuest) filesTools("drive");
    tools.keys = toolbar.panel("keys", "Special keys", keys.element, keys.refresh);
    tools.clipboard = toolbar.panel(
      "clipboard",
      "Clipboard",
      clipboard.element,
      () => void clipboard.refresh(),
    );
    const speaker = toolbar.button("sound", "Sound", () => {
      sound.on = !sound.on;
      showSound();
    });
    const showSound = () => {
      speaker.setAttribute("aria-pressed", String(sound.on));
      speaker.replaceChildren(icon(sound.on ? "sound" : "silence"));
    };
    showSound();
    tools.sound = speaker;
    if (kind === "rdp" && !session.isGuest) {
      const signs = new MicrophoneSigns(
        microphone,
        toolbar.button("deaf", "Microphone", () => signs.press()),
        focusScreen,
      );
      microphoneSigns = signs;
      questions.element.append(signs.question);
      document.body.append(signs.sign);
    }
  }
  const label = session.isGuest ? "Who is here" : "Share";
  shareButton = toolbar.panel("people", label, share.element, () => share.shown());
  onPeople();
  toolbar.panel("settings", "Settings", settings());
  const stats = toolbar.button("stats", "Statistics", () => {
    stats.setAttribute("aria-pressed", String(overlay.toggle()));
    sample();
  });
  stats.setAttribute("aria-pressed", "false");
  toolbar.button("reconnect", "Reconnect", () => session.reconnect());
  toolbar.button("disconnect", session.isGuest ? "Leave" : "Disconnect", () => {
    toolbar.close();
    session.disconnect();
  });
}

// ---- Figures and hooks ----

function figures() {
  return {
    fps: meter.fps,
    mbit_s_in: meter.mbit_s_in,
    rtt_ms: session.rtt,
    frames_in_flight: inFlight.size,
    width: terminal?.columns ?? pane?.view.surface.width ?? 0,
    height: terminal?.rows ?? pane?.view.surface.height ?? 0,
    decode_ms: remote?.stats.decode_ms ?? 0,
    mix: meter.mix,
  };
}

function sample(): void {
  const none = { frames: 0, tiles: { raw: 0, png: 0, jpeg: 0, webp: 0, video: 0, copy: 0, fill: 0 } };
  meter.sample(performance.now(), remote?.stats ?? { ...none, decode_ms: 0, broken: 0 }, session.bytesIn);
  if (overlay.open) {
    if (session.live) session.ping();
    overlay.show(figures(), isTerminal);
  }
}

const hooks: OrielHooks = {
  kind,
  get phase() {
    return session.phase.name;
  },
  get connection() {
    return session.connection;
  },
  get layout() {
    return layout || guessed;
  },
  get marks() {
    return { ...marks };
  },
  stats: () => ({
    ...figures(),
    bytes_in: session.bytesIn,
    bytes_out: session.bytesOut,
    resumed: session.resumed,
    frames: remote?.stats.frames ?? 0,
    tiles: { ...remote?.stats.tiles },
    broken: remote?.stats.broken ?? 0,
    key_delay_ms: keyDelays.summary(),
    sound: { ...sound.figures, listening: sound.listening },
    microphone: { ...microphone.figures, state: microphone.state },
    worker_delay_ms: remote?.workerDelay ?? 0,
  }),
  pixel: (x, y) => remote?.pixel(x, y) ?? Promise.resolve([0, 0, 0]),
  snapshot: () => remote?.snapshot() ?? Promise.resolve(null),
  terminalText: () => terminal?.text() ?? "",
  cut: () => session.reconnect(),
};
Object.defineProperty(window, "oriel", { value: Object.freeze(hooks) });

async function start(): Promise<void> {
  document.title = `${KIND_NAMES[kind]} – Oriel`;
  document.body.append(
    stage,
    watermark.element,
    overlay.element,
    recorded,
    viewOnly,
    presence.element,
    banner.element,
    questions.element,
    prints.element,
    toolbar.element,
    waiting.element,
  );
  buildTools();
  // Rates have a beginning: without it the first would be known after two seconds.
  sample();
  setInterval(() => {
    remote?.probe();
    monitors?.sweep();
    for (const one of [watermark, ...(monitors?.windows.map((one) => one.watermark) ?? [])])
      one.at(new Date());
    sample();
  }, 1000);
  const caps = await readCaps();
  keyboard.caps = caps;
  guessed = guessLayout(caps, navigator.language);
  layouts.guess(guessed);
  try {
    if (isTerminal) await startTerminal();
    else startScreen();
  } catch (error) {
    console.error(error);
    const text = isTerminal
      ? "A part of this page could not be loaded. Reload the page; if that does not help, the server may have been updated just now."
      : "It cannot draw beside the page (OffscreenCanvas). Use a current Chrome, Edge or Firefox, or Safari from 16.4 on.";
    const title = isTerminal ? "The terminal could not be loaded" : "This browser cannot show the desktop";
    onPhase({ name: "ended", ending: { title, text, action: "none" } });
    return;
  }
  if (way.by === "guest") {
    onPhase(session.phase);
    way.name = await askName();
  }
  marks.started = epoch();
  session.start();
}

void start();
