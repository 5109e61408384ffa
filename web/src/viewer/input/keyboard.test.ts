import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Keyboard, type KeyLike, type Platform } from "./keyboard";
import { compose, deadKeysym, keysym } from "./keysym";
import { guessLayout, layoutOfLanguage } from "./layout";
import { WheelSum, wireButtons } from "./pointer";
import { scancode } from "./scancodes";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function bench(platform: Platform = "other") {
  const log: string[] = [];
  const keyboard = new Keyboard(
    {
      key: (down, code, sym) => log.push(`${down ? "+" : "-"}${code.toString(16)}:${sym.toString(16)}`),
      text: (text) => log.push(`"${text}"`),
      release: () => log.push("release"),
      menu: () => log.push("menu"),
    },
    platform,
  );
  let clock = 0;
  const event = (code: string, key: string, more: Partial<KeyLike> = {}): KeyLike => ({
    key,
    code,
    location: code.startsWith("Numpad") ? 3 : code.endsWith("Right") ? 2 : 0,
    repeat: false,
    isComposing: false,
    keyCode: 0,
    shiftKey: false,
    ctrlKey: false,
    altKey: false,
    metaKey: false,
    timeStamp: clock,
    ...more,
  });
  return {
    log,
    keyboard,
    wait: (ms: number) => {
      clock += ms;
      vi.advanceTimersByTime(ms);
    },
    down: (code: string, key: string, more?: Partial<KeyLike>) => keyboard.down(event(code, key, more)),
    up: (code: string, key: string, more?: Partial<KeyLike>) => keyboard.up(event(code, key, more)),
    said: () => log.splice(0).join(" "),
  };
}

describe("keys", () => {
  it("sends scan code and keysym, and the same again on the way up", () => {
    const { down, up, said } = bench();
    expect(down("KeyZ", "y")).toBe(true);
    up("KeyZ", "Y");
    expect(said()).toBe("+2c:79 -2c:79");
  });

  it("types @ with AltGr on a German keyboard under Linux", () => {
    const { down, up, said } = bench();
    down("AltRight", "AltGraph");
    down("KeyQ", "@");
    up("KeyQ", "@");
    up("AltRight", "AltGraph");
    expect(said()).toBe("+e038:fe03 +10:40 -10:40 -e038:fe03");
  });

  it("leaves out the Control that Windows adds to AltGr", () => {
    const { down, up, said, wait } = bench("windows");
    down("ControlLeft", "Control", { ctrlKey: true });
    down("AltRight", "AltGraph", { ctrlKey: true, altKey: true });
    down("KeyQ", "@", { ctrlKey: true, altKey: true });
    up("KeyQ", "@", { ctrlKey: true, altKey: true });
    up("ControlLeft", "Control");
    up("AltRight", "AltGraph");
    wait(100);
    expect(said()).toBe("+e038:fe03 +10:40 -10:40 -e038:fe03");
  });

  it("keeps a real Control under Windows, alone and in a shortcut", () => {
    const { down, up, said, wait } = bench("windows");
    down("ControlLeft", "Control", { ctrlKey: true });
    wait(60);
    expect(said()).toBe("+1d:ffe3");
    up("ControlLeft", "Control");
    said();
    down("ControlLeft", "Control", { ctrlKey: true });
    down("KeyC", "c", { ctrlKey: true });
    expect(said()).toBe("+1d:ffe3 +2e:63");
    up("KeyC", "c", { ctrlKey: true });
    up("ControlLeft", "Control");
    said();
    down("ControlLeft", "Control", { ctrlKey: true });
    up("ControlLeft", "Control");
    expect(said()).toBe("+1d:ffe3 -1d:ffe3");
  });

  it("sends what Option makes on macOS as a character, and Alt only when there is none", () => {
    const { down, up, said } = bench("mac");
    down("AltLeft", "Alt", { altKey: true });
    down("KeyL", "@", { altKey: true });
    up("KeyL", "@", { altKey: true });
    up("AltLeft", "Alt");
    expect(said()).toBe("+0:40 -0:40");
    down("AltLeft", "Alt", { altKey: true });
    down("Tab", "Tab", { altKey: true });
    up("Tab", "Tab", { altKey: true });
    up("AltLeft", "Alt");
    expect(said()).toBe("+38:ffe9 +f:ff09 -f:ff09 -38:ffe9");
    down("AltLeft", "Alt", { altKey: true });
    up("AltLeft", "Alt");
    expect(said()).toBe("+38:ffe9 -38:ffe9");
  });

  it("lets keys under Command go, since macOS never says so", () => {
    const { down, up, said } = bench("mac");
    down("MetaLeft", "Meta", { metaKey: true });
    down("KeyC", "c", { metaKey: true });
    up("MetaLeft", "Meta");
    expect(said()).toBe("+e05b:ffeb +2e:63 -2e:63 -e05b:ffeb");
  });

  it("presses and lets go Caps Lock at each of its changes on macOS", () => {
    const { down, up, said } = bench("mac");
    down("CapsLock", "CapsLock");
    up("CapsLock", "CapsLock");
    expect(said()).toBe("+3a:ffe5 -3a:ffe5 +3a:ffe5 -3a:ffe5");
  });

  it("repeats while a key is held", () => {
    const { down, up, said } = bench();
    down("KeyA", "a");
    down("KeyA", "a", { repeat: true });
    up("KeyA", "a");
    expect(said()).toBe("+1e:61 +1e:61 -1e:61");
  });

  it("lets go a modifier whose key-up was lost", () => {
    const { down, said } = bench();
    down("ShiftLeft", "Shift", { shiftKey: true });
    down("KeyA", "a");
    expect(said()).toBe("+2a:ffe1 -2a:ffe1 +1e:61");
  });

  it("composes after a dead key where the browser has not", () => {
    const { keyboard, down, up, said } = bench();
    keyboard.caps = new Map([["Equal", "´"]]);
    down("Equal", "Dead");
    up("Equal", "Dead");
    down("KeyE", "e");
    up("KeyE", "e");
    down("KeyE", "e");
    expect(said()).toBe("+d:0 -d:0 +12:e9 -12:e9 +12:65");
  });

  it("leaves keys of an input method alone", () => {
    const { down, said } = bench();
    expect(down("KeyA", "a", { isComposing: true })).toBe(false);
    expect(down("KeyA", "Process", { keyCode: 229 })).toBe(false);
    expect(down("", "Unidentified", { keyCode: 229 })).toBe(false);
    expect(said()).toBe("");
  });

  it("lets the paste event go before Ctrl+V", () => {
    const { keyboard, down, up, said, wait } = bench();
    down("ControlLeft", "Control", { ctrlKey: true });
    expect(down("KeyV", "v", { ctrlKey: true })).toBe(false);
    expect(said()).toBe("+1d:ffe3");
    keyboard.pasted();
    expect(said()).toBe("+2f:76");
    up("KeyV", "v", { ctrlKey: true });
    expect(said()).toBe("-2f:76");
    down("KeyV", "v", { ctrlKey: true });
    wait(60);
    expect(said()).toBe("+2f:76");
  });

  it("does not paste what the machine has not got yet", () => {
    const { keyboard, down, up, said, wait } = bench();
    down("ControlLeft", "Control", { ctrlKey: true });
    expect(said()).toBe("+1d:ffe3");
    down("KeyV", "v", { ctrlKey: true });
    keyboard.unpaste();
    wait(60);
    up("KeyV", "v", { ctrlKey: true });
    expect(said()).toBe("");
    up("ControlLeft", "Control");
    expect(said()).toBe("-1d:ffe3");
  });

  it("opens the tools with Ctrl+Alt+Shift and leaves nothing pressed", () => {
    const { down, said } = bench();
    down("ControlLeft", "Control", { ctrlKey: true });
    down("AltLeft", "Alt", { ctrlKey: true, altKey: true });
    down("ShiftLeft", "Shift", { ctrlKey: true, altKey: true, shiftKey: true });
    expect(said()).toBe("+1d:ffe3 +38:ffe9 release menu");
  });

  it("presses Print Screen although Windows tells only its end", () => {
    const { up, said } = bench("windows");
    up("PrintScreen", "PrintScreen");
    expect(said()).toBe("+e037:ff61 -e037:ff61");
  });

  it("sends chords in order and back", () => {
    const { keyboard, said } = bench();
    keyboard.chord(["ControlLeft", "AltLeft", "Delete"]);
    expect(said()).toBe("+1d:ffe3 +38:ffe9 +e053:ffff -e053:ffff -38:ffe9 -1d:ffe3");
  });

  it("holds a sticky modifier for one key", () => {
    const { keyboard, down, up, said } = bench();
    expect(keyboard.toggleSticky("ControlLeft")).toBe(true);
    down("KeyC", "c");
    up("KeyC", "c");
    expect(said()).toBe("+1d:ffe3 +2e:63 -2e:63 -1d:ffe3");
    keyboard.toggleSticky("ControlLeft");
    keyboard.type("c");
    expect(said()).toBe("+1d:ffe3 +2e:63 -2e:63 -1d:ffe3");
    keyboard.type("日本");
    expect(said()).toBe('"日本"');
  });
});

describe("tables", () => {
  it("knows extended, Japanese, media and numeric keys", () => {
    expect(scancode("AltRight")).toBe(0xe038);
    expect(scancode("Pause")).toBe(0xe046);
    expect(scancode("PrintScreen")).toBe(0xe037);
    expect(scancode("IntlYen")).toBe(0x7d);
    expect(scancode("KanaMode")).toBe(0x70);
    expect(scancode("AudioVolumeUp")).toBe(0xe030);
    expect(scancode("NumpadEnter")).toBe(0xe01c);
    expect(scancode("Nonsense")).toBe(0);
    expect(scancode("constructor")).toBe(0);
  });

  it("makes keysyms", () => {
    expect(keysym("ä", "Quote", 0)).toBe(0xe4);
    expect(keysym("€", "KeyE", 0)).toBe(0x0100_20ac);
    expect(keysym("😀", "", 0)).toBe(0x0101_f600);
    expect(keysym("F12", "F12", 0)).toBe(0xffc9);
    expect(keysym("F24", "F24", 0)).toBe(0xffd5);
    expect(keysym("5", "Numpad5", 3)).toBe(0xffb5);
    expect(keysym("End", "Numpad1", 3)).toBe(0xff9c);
    expect(keysym("Shift", "ShiftRight", 2)).toBe(0xffe2);
    expect(keysym("Enter", "NumpadEnter", 3)).toBe(0xff8d);
    expect(keysym("Dead", "Equal", 0)).toBe(0);
    expect(keysym("\u0007", "", 0)).toBe(0);
    expect(deadKeysym("^")).toBe(0xfe52);
    expect(compose("^", "a")).toBe("â");
    expect(compose("´", "x")).toBe("x");
    expect(compose("~", " ")).toBe("~");
  });

  it("maps buttons and wheels", () => {
    expect(wireButtons(0b00010)).toBe(0b00100);
    expect(wireButtons(0b00100)).toBe(0b00010);
    expect(wireButtons(0b11001)).toBe(0b11001);
    const sum = new WheelSum();
    sum.add(0, 100, 0);
    expect(sum.take()).toEqual({ dx: 0, dy: 120 });
    sum.add(0, 3, 1);
    expect(sum.take()).toEqual({ dx: 0, dy: 120 });
    for (let step = 0; step < 4; step += 1) sum.add(0, -0.25, 0);
    expect(sum.take()).toEqual({ dx: 0, dy: -1 });
    expect(sum.take()).toEqual({ dx: 0, dy: 0 });
  });
});

describe("layouts", () => {
  const caps = (text: string) => {
    const codes = "KeyQ KeyY Semicolon Quote BracketLeft BracketRight Minus Equal Backquote Backslash".split(
      " ",
    );
    return new Map([...text].map((cap, index) => [codes[index] ?? "", cap]));
  };

  it("are guessed from caps, the language settling ties", () => {
    expect(guessLayout(caps("qzöäü+ß´^#"), "en-US")).toBe("de");
    expect(guessLayout(caps("qzöäü+ß´^#"), "de-AT")).toBe("at");
    expect(guessLayout(caps("aymù^$)=²*"), "fr-FR")).toBe("fr");
    expect(guessLayout(caps("qy;'[]-=`\\"), "en-US")).toBe("us");
    expect(guessLayout(caps("qy;'[]-=`\\"), "pl-PL")).toBe("pl");
    expect(guessLayout(caps("qy;'[]-=`#"), "en-GB")).toBe("gb");
    expect(guessLayout(caps("qyñ´`+'¡ºç"), "es-ES")).toBe("es");
    expect(guessLayout(caps("qyòàè+'ì\\ù"), "it")).toBe("it");
    expect(guessLayout(caps("qyöäå¨+´§'"), "fi-FI")).toBe("fi");
  });

  it("fall back to the language", () => {
    expect(guessLayout(null, "fr-CH")).toBe("ch(fr)");
    expect(guessLayout(new Map(), "en-GB")).toBe("gb");
    expect(guessLayout(null, "sv")).toBe("se");
    expect(layoutOfLanguage("zh-Hans-CN")).toBe("");
  });
});
