// The house that the mock pretends to be. One fresh copy for each sign-in.
import { syslogs, webhooks } from "./dashboard.mjs";
import { devices } from "./devices.mjs";
import { gpus } from "./gpus.mjs";
import { recordings } from "./recordings.mjs";

/** What people may do on connections where nobody said anything else. */
export const POLICY = {
  clipboard: { to_machine: true, to_person: true, kib_max: 1024 },
  files: { upload: true, download: true },
  sound: true,
  printing: true,
  view_only: false,
  sharing: "off",
  share_guests: false,
  shadowing: "ask",
  watermark: false,
  recording_keys: false,
  recording_clipboard: false,
  idle_lock_minutes: null,
  session_minutes_max: null,
};

/** What a pool's machines are made of when nobody wishes anything. */
export const HARDWARE = {
  firmware: "auto",
  tpm: false,
  hide_hypervisor: false,
  console: "beside",
  igd: "universal",
  vulkan: false,
  hugepages_mib: null,
  lock_memory: false,
  numa: "beside_card",
};

let next = 1;
/** Looks like a UUID of version 7, sorts by birth. */
export const id = () => `01930000-0000-7000-8000-${(next++).toString(16).padStart(12, "0")}`;
const before = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString().replace(/\.\d+/, "");
const TCG =
  "KVM opens, but a guest made no progress within 5 s: nested virtualisation is broken on this machine";
export const STEPS = ["placing", "cloning", "booting", "waiting_for_rdp"];
const SUM = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

export function steps(now) {
  const at = now === "done" ? STEPS.length : STEPS.indexOf(now);
  return STEPS.map((step, n) => ({ step, state: n < at ? "done" : n === at ? "now" : "todo" }));
}

export function desktop(name, pool, owner, more = {}) {
  const state = more.state ?? "ready";
  return {
    id: id(),
    name,
    pool: { id: pool.id, name: pool.name },
    owner: owner ? { id: owner.id, name: owner.name } : null,
    user: owner?.name ?? null,
    state,
    intent: "running",
    failure: null,
    step: null,
    start_steps: steps(state === "ready" || state === "in_use" ? "done" : "placing"),
    host: "studio",
    facts: {
      accelerator: "tcg",
      accelerator_reason: TCG,
      image: pool.image ? `${pool.image.name}:${pool.image.version}` : "",
      memory_mib: pool.memory_mib,
      vcpus: pool.vcpus,
      rdp_certificate_sha256: SUM,
      ssh_host_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJr1",
      start_seconds: 27.4,
      started_at: before(42),
    },
    connections: 0,
    gpu: null,
    created_at: before(3000),
    changed_at: before(42),
    external: null,
    inside: null,
    kinds: ["rdp", "vnc", "ssh"],
    ...more,
  };
}

export function externalMachine(name, pool, protocol, host, more = {}) {
  return {
    id: id(),
    name,
    pool: { id: pool.id, name: pool.name },
    owner: null,
    protocol,
    host,
    port: {
      rdp: 3389,
      vnc: 5900,
      ssh: 22,
      telnet: 23,
      kubernetes: 6443,
      pikvm: 443,
      redfish: 443,
      ipmi: 623,
    }[protocol],
    user: null,
    has_password: false,
    has_private_key: false,
    identity: null,
    parameters: {},
    state: "ready",
    failure: null,
    connections: 0,
    created_at: before(900),
    changed_at: before(42),
    ...more,
  };
}

const DOORS = {
  rdp: ["rdp"],
  vnc: ["vnc"],
  pikvm: ["vnc"],
  ssh: ["ssh"],
  telnet: ["ssh"],
  kubernetes: ["ssh"],
  redfish: [],
  ipmi: ["ssh"],
};

/** What people see of a machine. */
export function asDesktop(of) {
  const pool = { ...of.pool, image: null, vcpus: 0, memory_mib: 0 };
  return desktop(of.name, pool, of.owner, {
    id: of.id,
    state: of.state,
    failure: of.failure,
    host: null,
    external: of.protocol,
    inside: of.parameters.inside ?? null,
    kinds: DOORS[of.protocol],
    facts: { ...desktop("x", pool, null).facts, accelerator: null, accelerator_reason: null },
  });
}

export function operation(kind, title, by, more = {}) {
  return {
    id: id(),
    kind,
    title,
    state: "queued",
    progress: 0,
    step: "",
    log: [],
    error: null,
    result: null,
    by,
    created_at: before(0),
    changed_at: before(0),
    ...more,
  };
}

/** One region of a project of an OpenStack. */
export const cloud = (name, more = {}) => ({
  id: id(),
  name,
  address: `https://${name}.example:5000/v3`,
  region: null,
  pools: [],
  desktops: 0,
  images: [],
  looked: null,
  reach: { gateways: [], shelve: false, jump: null },
  created_at: before(3000),
  changed_at: before(3000),
  ...more,
});

/** What pools may choose of any of them. */
export const CLOUD_OFFER = {
  flavors: [
    { id: "f-1", name: "m1.desktop", vcpus: 2, memory_mib: 4096, disk_gib: 30, gpu: null, gpus_free: null },
    {
      id: "f-2",
      name: "v1.quarter",
      vcpus: 4,
      memory_mib: 8192,
      disk_gib: 40,
      gpu: "VGPU × 1",
      gpus_free: 3,
    },
    {
      id: "f-3",
      name: "v1.whole",
      vcpus: 8,
      memory_mib: 32_768,
      disk_gib: 80,
      gpu: "a40 × 1",
      gpus_free: null,
    },
  ],
  networks: [
    { id: "n-1", name: "desktops", shared: false, external: false },
    { id: "n-2", name: "world", shared: true, external: true },
  ],
};

/** What the doctor finds on any of them. */
export const CLOUD_FINDINGS = [
  {
    id: "rights",
    severity: "warning",
    subject: "oak",
    reason: "the credential is not restricted: whoever has it may do all that its person may",
    evidence: [{ path: "GET /v3/auth/tokens", content: "application_credential.access_rules is absent" }],
    fix: "oriel cloud access-rules > rules.json",
    source: "https://docs.openstack.org/keystone/latest/user/application_credentials.html",
  },
  {
    id: "quota",
    severity: "ok",
    subject: "oak",
    reason: "40 more servers fit into the project's quota",
    evidence: [],
    fix: "",
    source: "",
  },
];

const user = (name, role, more = {}) => ({
  id: id(),
  name,
  role,
  disabled: false,
  must_change_password: false,
  second_factor: false,
  passkeys: 0,
  step: "done",
  locked: false,
  directory: null,
  provider: null,
  groups: [],
  pools: [],
  created_at: before(60_000),
  ...more,
});

/** What people did, the newest first. */
function audit(admin, mira) {
  const deeds = [
    [admin, "browser", "change_pool", "/pools/studio", 200, ""],
    [mira, "browser", "delete_user", "/users/admin", 403, "admin_only"],
    [mira, "nobody", "login", "/login", 401, "bad_credentials"],
    [admin, "token backup script on the file server", "stop_desktop", "/desktops/studio-3/stop", 202, ""],
    [
      admin,
      "browser",
      "recording_content",
      "/recordings/01930000-0000-7000-8000-000000000031/content",
      206,
      "",
    ],
    [mira, "browser", "download_file", "/desktops/studio-1/files/content /home/mira/plan.pdf", 200, ""],
  ];
  return Array.from({ length: 130 }, (_, n) => {
    const [who, via, action, target, outcome, code] = deeds[n % deeds.length];
    const seq = 130 - n;
    return {
      seq,
      at: before(n * 7),
      actor: via === "nobody" ? null : who.id,
      actor_name: who.name,
      via,
      action,
      target,
      address: "192.0.2.17",
      outcome,
      code,
      previous: SUM,
      hash: SUM,
    };
  });
}

/** `who` signs in; `empty` is a house where nothing was made yet. */
export function house(who) {
  const empty = who === "fresh-admin";
  const admin = user(who === "fresh-admin" ? who : "admin", "admin");
  const mira = user("mira", "user");
  const users = empty
    ? [admin]
    : [
        admin,
        mira,
        user("jonas", "user", { must_change_password: true, created_at: before(90) }),
        user("former-intern", "user", { disabled: true }),
        user("newcomer", "user", { must_change_password: true }),
        user("empty", "user"),
        user("locked", "user", { locked: true }),
        user("locked-elsewhere", "user", { locked: true, provider: "Studio ID" }),
        user("two-factor", "user", { second_factor: true, step: "factor" }),
        user("must-enrol", "user", { step: "enrol" }),
        user("auditor", "auditor"),
        user("helpdesk", "helpdesk"),
      ];
  const me = users.find((u) => u.name === who) ?? admin;
  const images = [];
  const pools = [];
  const desktops = [];
  const machines = [];
  const operations = [];
  const sessions = [];
  const tokens = [];
  const groups = [];
  const quotas = [];
  const disks = [];
  const bookings = [];
  const directories = [];
  const providers = [];
  const clouds = [];
  if (!empty) {
    const by = { id: admin.id, name: admin.name };
    const image = (name, version, source, more = {}) => ({
      id: id(),
      name,
      version,
      state: "ready",
      os: "linux",
      source,
      sha256: SUM.slice(version) + SUM.slice(0, version),
      virtual_bytes: 8 * 1024 ** 3,
      file_bytes: 1_478_000_000 + version * 9_000_000,
      created_at: before(5000 - version * 900),
      desktops: 0,
      pools: [],
      rollouts: [],
      ...more,
    });
    const built = { kind: "built", recipe: "debian-desktop", inputs: SUM, packages: 812 };
    images.push(
      image("debian-desktop", 1, built, { state: "retired", desktops: 1 }),
      image("debian-desktop", 2, built, { desktops: 5 }),
      image(
        "windows-lab",
        1,
        { kind: "imported", from: "https://images.example.org/lab/windows-lab-2026-10.qcow2" },
        {
          os: "windows",
          virtual_bytes: 64 * 1024 ** 3,
          file_bytes: 21_400_000_000,
        },
      ),
    );
    const size = () => ({
      min: 0,
      running_spares: 0,
      stopped_spares: 0,
      parallel: 4,
      per_minute: 20,
      percent: 100,
      settle_seconds: 0,
      return_minutes: 5,
    });
    const pool = (name, of, more = {}) => ({
      id: id(),
      name,
      kind: "dedicated",
      count: { used: 0, ready: 0, on_their_way: 0, stopped: 0, failed: 0 },
      rollout: null,
      size: size(),
      hours: {
        peaks: [],
        holidays: [],
        start_ahead_minutes: 15,
        off_peak: { min: null, running_spares: null, stopped_spares: null, return_minutes: null },
      },
      leaving: { idle_minutes: null, shut_down_minutes: null, warn_seconds: 60, off_peak: null },
      now: { is_peak: true, changes_at: null, size: size() },
      cloud: null,
      personal_disk: null,
      image: { id: of.id, name: of.name, version: of.version },
      vcpus: 2,
      memory_mib: 2048,
      disk_gib: 20,
      network: { kind: "user" },
      desktops_max: 10,
      keyboard: "de",
      recording: "off",
      policy: POLICY,
      gpu: null,
      hardware: HARDWARE,
      desktops: 0,
      users: [],
      groups: [],
      created_at: before(4000),
      ...more,
    });
    const named = (u) => ({ id: u.id, name: u.name });
    pools.push(
      pool("studio", images[1], {
        gpu: {
          mode: "vgpu",
          profile: "M60-2Q",
          min_framebuffer_mib: null,
          count: 1,
          vendor: null,
          placement: null,
          cards: [],
        },
        desktops: 5,
        users: [named(admin), named(mira)],
      }),
      pool("render", images[1], {
        vcpus: 8,
        memory_mib: 32768,
        disk_gib: 200,
        desktops: 1,
        desktops_max: 1,
        network: { kind: "nat", network: "default" },
      }),
      pool("lab", images[2], {
        kind: "floating",
        network: { kind: "bridge", bridge: "br0" },
        users: [named(mira)],
      }),
    );
    const group = (name, about, policy, of) => {
      const second_factor = name === "contractors" ? "required" : "optional";
      const members = of.map(named);
      const made = { id: id(), name, about, policy, second_factor, members, created_at: before(5000) };
      for (const one of of) one.groups.push({ id: made.id, name });
      groups.push(made);
      return { id: made.id, name };
    };
    group("artists", "Paint and render", { idle_lock_minutes: 0, sharing: "control" }, [mira, users[2]]);
    const outside = group(
      "contractors",
      "",
      { clipboard_to_person: false, download: false, watermark: true, session_minutes_max: 480 },
      [users[2]],
    );
    pools[2].groups.push(outside);
    quotas.push({
      of: "group",
      named: outside,
      limits: [
        { kind: "desktops", most: 2 },
        { kind: "gpus", most: 0 },
      ],
    });
    const disk = (person, more = {}) => ({
      id: id(),
      person: { id: person.id, name: person.name },
      name: "home",
      size_gib: 20,
      host: "studio",
      desktop: null,
      operation: null,
      orphaned: false,
      created_at: new Date(Date.now() - 86_400_000).toISOString(),
      ...more,
    });
    disks.push(disk(mira), disk({ id: id(), name: "gone" }, { orphaned: true, size_gib: 5 }));
    const lab = pools.find((one) => one.name === "lab");
    const ofLab = { id: lab.id, name: lab.name };
    quotas.push({ of: "pool", named: ofLab, limits: [{ kind: "bookings", most: 2 }] });
    const tomorrow = (hour) =>
      new Date((Math.floor(Date.now() / 86_400_000) + 1) * 86_400_000 + hour * 3_600_000).toISOString();
    bookings.push({
      id: id(),
      pool: ofLab,
      person: { id: mira.id, name: mira.name },
      from: tomorrow(9),
      to: tomorrow(11),
      priority: 0,
      firm_from: tomorrow(0),
      displaced: null,
    });
    bookings.push({
      id: id(),
      pool: ofLab,
      person: { id: mira.id, name: mira.name },
      from: tomorrow(14),
      to: tomorrow(16),
      priority: 0,
      firm_from: tomorrow(0),
      displaced: new Date().toISOString(),
    });
    directories.push({
      id: id(),
      name: "lab",
      enabled: true,
      settings: {
        kind: "active_directory",
        url: "ldaps://dc1.lab.example",
        start_tls: false,
        plain: false,
        pin: SUM,
        bind_dn: "cn=oriel,ou=services,dc=lab,dc=example",
        base: "dc=lab,dc=example",
        only_mapped: true,
        groups: [{ dn: "cn=contractors,ou=groups,dc=lab,dc=example", group: outside.id }],
        roles: [],
      },
      has_password: true,
      people: 1,
      created_at: before(3000),
    });
    users[2].directory = "lab";
    for (const kept of [pools[2].size, pools[2].now.size])
      Object.assign(kept, { min: 2, running_spares: 2, stopped_spares: 1, return_minutes: 10 });
    pools[2].hours.peaks = ["mon-fri 08:00-18:00 Europe/Berlin"];
    pools[2].hours.holidays = ["2026-12-25"];
    pools[2].hours.off_peak.running_spares = 0;
    Object.assign(pools[2].leaving, { idle_minutes: 30, shut_down_minutes: 60 });
    Object.assign(pools[2].count, { ready: 1, on_their_way: 1, stopped: 1 });
    const [first, second] = [images[0], images[1]].map(({ id, name, version }) => ({ id, name, version }));
    pools[2].rollout = rollout(first, second, {
      state: "rest",
      step: "2 of 5 desktops are of the new version",
    });
    providers.push({
      id: id(),
      name: "Studio ID",
      enabled: true,
      settings: {
        issuer: "https://id.studio.example/realms/studio",
        client_id: "oriel",
        scopes: ["profile", "groups"],
        only_mapped: false,
        groups: [{ value: "painters", group: groups[0].id }],
        roles: [],
        ask_again: false,
        factor_acr: [],
        factor_amr: ["otp"],
      },
      has_secret: true,
      people: 1,
      callback_path: "/api/v1/sign-in/oidc/7/callback",
      created_at: before(2000),
    });
    mira.provider = "Studio ID";
    const workshop = {
      ...pool("workshop", images[1], { desktops: 4, desktops_max: 100, users: [named(admin), named(mira)] }),
      kind: "external",
      image: null,
      vcpus: 0,
      memory_mib: 0,
      disk_gib: 0,
    };
    pools.push(workshop);
    machines.push(
      externalMachine("build-server", workshop, "ssh", "build.workshop.example", {
        user: "builder",
        has_private_key: true,
        identity: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPmjkzu0zq+Mh1GZjn0Yl0cO",
        parameters: { command: "tmux attach", locale: "en_GB.UTF-8" },
      }),
      externalMachine("front-desk", workshop, "rdp", "10.20.0.12", {
        user: "desk",
        has_password: true,
        identity: SUM,
        parameters: { domain: "WORKSHOP", keyboard: "de" },
      }),
      externalMachine("kiosk", workshop, "vnc", "2001:db8::13", {
        has_password: true,
        state: "unreachable",
        failure:
          "[2001:db8::13]:5900 does not answer: connection refused; check that the machine runs and that no firewall is between",
      }),
      externalMachine("old-switch", workshop, "telnet", "10.20.0.14", { owner: named(admin), user: "admin" }),
    );
    clouds.push(
      cloud("oak", {
        images: [
          {
            image: { ...pools[0].image },
            remote: "5b1f5a0c-6f0a-4d8e-8b1e-3a2f5d1c9e77",
            created_at: before(2000),
          },
        ],
        looked: { at: before(0), problem: null },
      }),
      cloud("elm", {
        region: "south",
        looked: {
          at: before(2),
          problem:
            "cannot reach Keystone at https://elm.example:5000/v3: connection refused; is the address in the cloud's catalog one that this machine can reach?",
        },
      }),
    );
    const [studio, render] = pools;
    desktops.push(
      desktop("studio-1", studio, me.name === "empty" ? admin : me, { connections: 1, state: "in_use" }),
      desktop("studio-2", studio, me.name === "empty" ? admin : me, {
        state: "starting",
        step: "booting",
        start_steps: steps("booting"),
        facts: { ...desktop("x", studio, me).facts, started_at: null, start_seconds: null },
      }),
      desktop("studio-3", studio, me.name === "empty" ? admin : me, { state: "stopped", intent: "stopped" }),
      desktop("render-1", render, me.name === "empty" ? admin : me, {
        state: "failed",
        failure:
          "the disk of render-1 could not be cloned: no space left on /var/lib/oriel; free some space or delete an image, then start it again",
      }),
      desktop("studio-4", studio, me.name === "mira" ? admin : mira, {
        facts: { ...desktop("x", studio, me).facts, accelerator: "kvm", accelerator_reason: null },
      }),
      desktop("studio-5", studio, null, { state: "stopping" }),
      ...machines.map(asDesktop),
    );
    const log = [
      "inputs 4f1c0e: 812 packages",
      "fetching 812 packages from the mirror",
      "unpacking the base system",
      "installing xrdp, xorgxrdp, openssh-server, qemu-guest-agent, cloud-init",
      "setting up the panel and the file manager",
    ];
    operations.push(
      operation("image_build", "Build image debian-desktop", by, {
        state: "running",
        progress: 0.42,
        step: "Installing packages (341 of 812)",
        log,
        created_at: before(3),
      }),
      operation("image_import", "Import image windows-lab", by, {
        state: "failed",
        progress: 0.97,
        log: ["downloading 21.4 GB", "checking the sum"],
        error:
          "the download of windows-lab has another SHA-256 than was given (9f86d081… instead of 2c26b46b…); compare the sum with its publisher's and import it again",
        created_at: before(200),
        changed_at: before(170),
      }),
      operation("image_build", "Build image debian-desktop", by, {
        state: "done",
        progress: 1,
        log: [...log, "checked with qemu-img", "done: version 2"],
        result: images[1].id,
        created_at: before(3200),
        changed_at: before(3190),
      }),
      operation("image_build", "Build image debian-minimal", by, {
        state: "cancelled",
        progress: 0.2,
        log: ["fetching packages", "cancelled by admin"],
        created_at: before(3300),
        changed_at: before(3299),
      }),
    );
    sessions.push(
      {
        id: id(),
        user: named(me),
        desktop: { id: desktops[0].id, name: "studio-1" },
        kind: "rdp",
        viewers: 2,
        guests: [{ user: named(mira), helper: false, unverified: false }],
        started_at: before(38),
        mbit_s: 3.42,
        fps: 24.1,
      },
      {
        id: id(),
        user: named(mira),
        desktop: { id: desktops[4].id, name: "studio-4" },
        kind: "ssh",
        viewers: 0,
        guests: [],
        started_at: before(4),
        mbit_s: 0,
        fps: 0,
      },
    );
    tokens.push(
      {
        id: id(),
        label: "laptop",
        created_at: before(9000),
        expires_at: before(-60 * 24 * 50),
        read_only: false,
        permissions: null,
      },
      {
        id: id(),
        label: "backup script on the file server",
        created_at: before(80_000),
        expires_at: null,
        read_only: false,
        permissions: null,
      },
    );
  }
  return {
    me,
    users,
    images,
    pools,
    machines,
    desktops,
    operations,
    sessions,
    recordings: empty ? [] : recordings({ id, before, me, mira, desktops }),
    tokens,
    groups,
    quotas,
    disks,
    bookings,
    directories,
    providers,
    clouds,
    devices: empty ? [] : devices(id),
    webhooks: empty ? [] : webhooks(id, before),
    syslogs: empty ? [] : syslogs(id, before),
    audit: audit(admin, mira),
    gpus: empty ? [] : gpus([desktops[0], desktops[4]]),
    ...machine(),
  };
}

function machine() {
  return {
    recipes: [
      {
        name: "debian-desktop",
        title: "Debian desktop",
        description: "Xfce with panel, file manager and terminal; RDP, SSH, guest agent. About 1.4 GiB.",
      },
      {
        name: "debian-minimal",
        title: "Debian minimal",
        description: "A window manager and a terminal, for small machines. About 0.7 GiB.",
      },
    ],
    drains: {},
    host: {
      name: "studio",
      uri: "qemu:///system",
      os: "Debian GNU/Linux 12 (bookworm)",
      kernel: "6.1.0-26-amd64",
      arch: "x86_64",
      cpus: 16,
      cpu_model: "AMD EPYC 9354P 32-Core Processor",
      memory_mib: 131072,
      free_disk_bytes: 412_000_000_000,
      libvirt_version: "9.0.0",
      qemu_version: "9.2.4",
      accelerator: { kind: "tcg", reason: TCG },
    },
    findings: [
      {
        id: "kvm",
        severity: "warning",
        subject: "/dev/kvm",
        evidence: [
          { path: "/dev/kvm", content: "opens, KVM_RUN does not return within 5 s" },
          { path: "/sys/module/kvm_amd/parameters/nested", content: "0" },
        ],
        reason: TCG,
        fix: "# on the machine that runs this one:\nmodprobe -r kvm_amd\nmodprobe kvm_amd nested=1",
        source: "https://docs.kernel.org/virt/kvm/x86/running-nested-guests.html",
      },
      {
        id: "disk-space",
        severity: "error",
        subject: "/var/lib/oriel",
        evidence: [{ path: "statfs /var/lib/oriel", content: "1.1 GiB free of 400 GiB" }],
        reason: "the data folder has 1.1 GiB left; a new desktop needs about 2 GiB",
        fix: "oriel image list --json",
        source: "docs/running.md",
      },
      {
        id: "huge-pages",
        severity: "note",
        subject: "host",
        evidence: [{ path: "/proc/sys/vm/nr_hugepages", content: "0" }],
        reason: "no huge pages are reserved; desktops with much memory are a little slower",
        fix: "",
        source: "https://docs.kernel.org/admin-guide/mm/hugetlbpage.html",
      },
      {
        id: "libvirt",
        severity: "ok",
        subject: "qemu:///system",
        evidence: [{ path: "qemu:///system", content: "libvirt 9.0.0" }],
        reason: "libvirt answers",
        fix: "",
        source: "",
      },
      {
        id: "qemu",
        severity: "ok",
        subject: "/usr/bin/qemu-system-x86_64",
        evidence: [{ path: "qemu-system-x86_64 --version", content: "QEMU emulator version 9.2.4" }],
        reason: "QEMU is new enough",
        fix: "",
        source: "",
      },
    ],
    secrets: {
      keys: [
        { key: "5b1f0c9e77d2a346", here: true, seals: true, count: 2, of: [{ what: "clouds", count: 2 }] },
        {
          key: "e09a4d1188c3b75f",
          here: true,
          seals: false,
          count: 41,
          of: [
            { what: "desktops and machines", count: 12 },
            { what: "recordings", count: 29 },
          ],
        },
      ],
      damaged: 0,
      programs: [
        {
          program: "oak:/var/lib/oriel",
          seals: "5b1f0c9e77d2a346",
          keys: ["5b1f0c9e77d2a346", "e09a4d1188c3b75f"],
          seen_at: before(0),
        },
      ],
      operation: null,
    },
    reconcilers: [
      {
        name: "desktops",
        period_seconds: 5,
        last_run_at: before(0),
        last_duration_ms: 12,
        last_error: null,
        runs: 40213,
        progress: "6 desktops, 2 on their way",
      },
      {
        name: "operations",
        period_seconds: 30,
        last_run_at: before(0),
        last_duration_ms: 3,
        last_error: null,
        runs: 9812,
        progress: null,
      },
      {
        name: "leftovers",
        period_seconds: 300,
        last_run_at: before(3),
        last_duration_ms: 420,
        last_error:
          "could not delete the disk render-1.3.qcow2: it is in use by a domain; stop the domain or wait",
        runs: 512,
        progress: null,
      },
    ],
  };
}

/** A pool's way from one version to another. */
export const rollout = (from, to, more = {}) => ({
  from,
  to,
  state: "canary",
  is_open: true,
  is_paused: false,
  is_rollback: false,
  canary: "10%",
  watch_minutes: 30,
  replace: "on_log_off",
  not_before: null,
  stop_after: "0",
  wipe_dedicated: false,
  step: "trying it on the first 1: 0 came up, 1 on their way",
  reason: null,
  progress: 0.5,
  count: { new: 2, on_their_way: 1, failed: 0, old: 1, waiting: 1, kept: 0 },
  failures: [],
  created_at: new Date().toISOString(),
  changed_at: new Date().toISOString(),
  ...more,
});
