// Devices of machines, for the mock: one that is on, one that is off, one that does not answer, and a BMC.

const channel = (name, on) => ({ name, on, online: true, busy: false, switches: true, pulses: true });

function device(on) {
  return {
    kind: "pikvm",
    actions: ["on", "off", "off_hard", "reset_hard", "press", "press_long", "press_reset"],
    board: null,
    name: "pikvm.example",
    version: "4.197",
    platform: "rpi4",
    keyboard: true,
    jiggler: false,
    leds: { caps: false, num: true, scroll: false },
    power: { enabled: true, busy: false, on, disk: on },
    video: { running: true, signal: on, width: 1920, height: 1080, frames_per_second: 30 },
    storage: {
      enabled: true,
      online: true,
      busy: false,
      connected: false,
      cdrom: true,
      writable: false,
      image: null,
      images: [
        { name: "debian-13.iso", size: 700_000_000, complete: true },
        { name: "half.iso", size: 9_000_000, complete: false },
      ],
      size: 32_000_000_000,
      free: 20_000_000_000,
    },
    switch: null,
    gpio: [
      [
        { kind: "label", text: "Rack door" },
        {
          kind: "input",
          channel: { ...channel("door", false), switches: false, pulses: false },
          color: "green",
        },
      ],
      [],
      [
        { kind: "label", text: "Fan" },
        { kind: "output", channel: channel("fan", false), text: "Fan", confirm: true },
      ],
    ],
  };
}

function bmc() {
  return {
    kind: "redfish",
    actions: ["on", "off", "off_hard", "reset_hard", "press_long", "press_reset"],
    board: {
      system: "System.Embedded.1",
      serial: "CN7016",
      bios: "2.8.1",
      health: "OK",
      power_state: "On",
      consoles: [{ kind: "graphical", ways: ["KVMIP"], enabled: true }],
      media: [
        { id: "CD", kinds: ["CD", "DVD"], image: null, inserted: false },
        { id: "RemovableDisk", kinds: ["USBStick"], image: null, inserted: false },
      ],
      boot: { target: null, once: false, sources: ["cd", "pxe", "disk", "setup", "normal"] },
    },
    name: "node-7",
    version: "4.22.00.00",
    platform: "Example R640",
    keyboard: null,
    jiggler: null,
    leds: null,
    power: { enabled: true, busy: false, on: true, disk: false },
    video: null,
    storage: null,
    gpio: [],
    switch: null,
  };
}

/** A Switch of one unit, whose second port has the screen. */
function ports() {
  return {
    active: "1.2",
    synced: true,
    ports: ["mail", "build", "", ""].map((name, at) => ({
      port: `1.${at + 1}`,
      name,
      active: at === 1,
      video: at < 2,
      usb: at < 2,
      power: { enabled: true, busy: false, on: at < 2, disk: false },
    })),
  };
}

/** What of a device is a port's. */
function atPort(at) {
  const all = ports();
  const here = all.ports[at];
  return {
    ...device(here.power.on),
    name: here.name || null,
    power: here.power,
    video: null,
    storage: null,
    gpio: [],
    switch: { ...all, ports: [here] },
  };
}

/** Each beside what its device says; none: it does not answer. */
export function devices(id) {
  const pool = { id: id(), name: "rack" };
  const one = (name, of, more = {}) => ({
    tile: {
      id: id(),
      name,
      pool,
      kind: of?.kind ?? "pikvm",
      connections: 0,
      failure: null,
      inside: null,
      port: null,
      ...more,
    },
    device: of,
    transfer: null,
    sent: 0,
  });
  return [
    one("rack-1", device(true), { connections: 1 }),
    one("rack-2", device(false)),
    one("rack-3", null, { failure: "rack-3: the device does not answer: connection refused" }),
    one("kvm", { ...device(true), switch: ports() }),
    one("build", atPort(1), { port: { device: "kvm", port: "1.2" } }),
    one("node-7", bmc(), { inside: { id: id(), name: "node-7-rdp", kind: "rdp" } }),
  ];
}

/** A port of a Switch that was given to a pool, as a device among the others. */
export function portOf(made, pool, [like]) {
  const { behind, switch_port: port } = made.parameters;
  const tile = {
    ...like.tile,
    id: made.id,
    name: made.name,
    pool: { id: pool.id, name: pool.name },
    connections: 0,
    port: { device: behind, port },
  };
  return { tile, device: atPort(Number(port.split(".")[1]) - 1), transfer: null, sent: 0 };
}

export const asTile = ({ tile, device: of }) => ({
  ...tile,
  power: of?.power ?? null,
  video: of?.video ?? null,
});

/** What a device answers, or nothing where there is no such address. `refuse` makes a refusal of status, code, words and what to do. */
export function answer(of, request, [, , , , what, sub], { url, body, refuse }) {
  const { tile, device: it } = of;
  if (!it) throw refuse(409, "device_failed", tile.failure, "check the device");
  const q = url.searchParams;
  const storage = it.storage;
  const doing = `${request.method} ${what}`;
  // A light follows its button a moment later.
  if (doing === "POST power") {
    const on = sub === "on" || sub === "reset_hard";
    setTimeout(() => {
      it.power.on = on;
      if (it.video) it.video.signal = on;
    }, 1200);
    return [204];
  }
  if (doing === "GET live") {
    const transfer = of.transfer;
    if (transfer?.kind === "fetch" && !transfer.over) {
      transfer.done = Math.min(transfer.size, transfer.done + transfer.size / 3);
      transfer.over = transfer.done >= transfer.size;
      if (transfer.over) storage.images.push({ name: transfer.name, size: transfer.size, complete: true });
    }
    return [200, { device: it, age_ms: 120, transfer }];
  }
  if (doing === "GET log") return [200, { lines: ["[2026-11-29 20:00:00 kvmd] --- Ready"] }];
  if (doing === "POST switches") {
    for (const item of it.gpio.flat())
      if (item.kind === "output" && item.channel.name === sub) item.channel.on = body.on ?? item.channel.on;
    return [204];
  }
  if (doing === "POST boot") {
    const target = { cd: "Cd", pxe: "Pxe", disk: "Hdd", setup: "BiosSetup" }[sub] ?? null;
    Object.assign(it.board.boot, { target, once: target !== null });
    return [204];
  }
  if (doing === "POST drive" && it.board) {
    const medium = it.board.media[body.cdrom || !body.image ? 0 : 1];
    Object.assign(medium, { image: body.image ?? null, inserted: body.connected });
    return [200, it];
  }
  if (doing === "POST drive") {
    Object.assign(storage, { ...body, image: body.image ?? null });
    return [200, it];
  }
  if (doing === "DELETE images") {
    storage.images = storage.images.filter((image) => image.name !== q.get("name"));
    return [204];
  }
  if (doing === "POST fetch") {
    const name = body.url.split("/").at(-1);
    of.transfer = { kind: "fetch", name, size: 300_000_000, done: 0, over: false, failed: null };
    return [202, of.transfer];
  }
  if (doing === "GET upload") return [200, { offset: of.sent, complete: false }];
  if (doing === "PUT upload") {
    of.sent = Number(q.get("offset")) + body.bytes;
    const size = Number(q.get("size"));
    const complete = of.sent >= size;
    of.transfer = { kind: "upload", name: q.get("name"), size, done: of.sent, over: complete, failed: null };
    if (complete) {
      of.sent = 0;
      storage.images.push({ name: q.get("name"), size, complete: true });
    }
    return [200, { offset: complete ? size : of.sent, complete }];
  }
  if (doing === "DELETE upload") {
    Object.assign(of, { transfer: null, sent: 0 });
    return [204];
  }
  return undefined;
}
