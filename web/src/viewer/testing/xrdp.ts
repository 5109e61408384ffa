/** Debian's xrdp for tests in a browser, in namespaces of its own: its account, configuration and sessions go with it. Needs root. */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { freePort, listens, start, until } from "./servers";

/** Runs what it is given, as the desktop's user, where the session's drive is. */
const SESSION = `#!/bin/sh
export LANG=C.UTF-8
cd $HOME
xsetroot -solid '#336699'
while sleep 0.1; do
  if [ -f do.sh ]; then
    ( cd thinclient_drives/Oriel && sh $HOME/do.sh ) > out.tmp 2>&1
    rm do.sh; mv out.tmp out
  fi
done
`;

const BOOT = `#!/bin/sh
set -e
mkdir -p /run/xrdp
mount --bind "$1/etc" /etc/xrdp
mount --bind "$1/run" /run/xrdp
/usr/sbin/xrdp-sesman -n &
exec /usr/sbin/xrdp -n
`;

export type Xrdp = {
  port: number;
  /** SHA-256 of its certificate, in hexadecimal. */
  pin: string;
  user: string;
  password: string;
  /** What a script says that the machine runs on the drive. */
  run(script: string): Promise<string>;
  remove(): void;
};

export const missing = [
  "/usr/sbin/xrdp",
  "/usr/lib/xorg/modules/libxorgxrdp.so",
  "/usr/bin/fusermount",
].filter((path) => !existsSync(path));

/** `folder`: an empty one. */
export async function xrdp(folder: string): Promise<Xrdp> {
  const user = `orielw${randomBytes(4).toString("hex")}`;
  const password = randomBytes(12).toString("hex");
  const home = `/home/${user}`;
  execFileSync("/usr/sbin/useradd", ["--create-home", "--shell", "/bin/sh", user]);
  execFileSync("/usr/sbin/chpasswd", { input: `${user}:${password}\n` });
  const etc = join(folder, "etc");
  cpSync("/etc/xrdp", etc, { recursive: true, dereference: true });
  mkdirSync(join(folder, "run", "sockdir"), { recursive: true });
  chmodSync(join(folder, "run", "sockdir"), 0o1777);
  for (const path of [folder, etc]) chmodSync(path, 0o755);
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=desktop"],
      ...["-keyout", join(etc, "key.pem"), "-out", join(etc, "cert.pem")],
    ],
    { stdio: "ignore" },
  );
  const der = execFileSync("openssl", ["x509", "-outform", "der", "-in", join(etc, "cert.pem")]);
  const [port, sesman] = [await freePort(), await freePort()];
  const display = 200 + Math.floor(Math.random() * 8000);
  writeFileSync(
    join(etc, "xrdp.ini"),
    `[Globals]
ini_version=1
fork=true
port=tcp://127.0.0.1:${port}
use_vsock=false
tcp_nodelay=true
security_layer=negotiate
crypt_level=high
certificate=/etc/xrdp/cert.pem
key_file=/etc/xrdp/key.pem
ssl_protocols=TLSv1.2, TLSv1.3
autorun=Xorg
allow_channels=true
max_bpp=32
new_cursors=true
use_fastpath=both
[Logging]
LogFile=${folder}/xrdp.log
LogLevel=INFO
EnableSyslog=false
[Channels]
rdpdr=true
rdpsnd=true
drdynvc=true
cliprdr=true
[Xorg]
name=Xorg
lib=libxup.so
username=ask
password=ask
ip=127.0.0.1
port=-1
code=20
`,
  );
  writeFileSync(
    join(etc, "sesman.ini"),
    `[Globals]
ListenAddress=127.0.0.1
ListenPort=${sesman}
EnableUserWindowManager=false
UserWindowManager=startwm.sh
DefaultWindowManager=startwm.sh
[Security]
AllowRootLogin=false
[Sessions]
X11DisplayOffset=${display}
MaxSessions=5
KillDisconnected=false
Policy=Default
[Logging]
LogFile=${folder}/sesman.log
LogLevel=INFO
EnableSyslog=false
[Xorg]
param=/usr/lib/xorg/Xorg
param=-config
param=xrdp/xorg.conf
param=-noreset
param=-nolisten
param=tcp
param=-logfile
param=.xorgxrdp.%s.log
[Chansrv]
FuseMountName=thinclient_drives
[ChansrvLogging]
LogLevel=INFO
EnableSyslog=false
[SessionVariables]
LANG=C.UTF-8
`,
  );
  for (const [name, text] of [
    ["etc/startwm.sh", SESSION],
    ["boot.sh", BOOT],
  ] as const) {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o755);
  }
  const server = start("unshare", [
    ...["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"],
    ...["/bin/sh", join(folder, "boot.sh"), folder],
  ]);
  await until("xrdp", () => listens(port));
  return {
    port,
    pin: createHash("sha256").update(der).digest("hex"),
    user,
    password,
    async run(script) {
      rmSync(join(home, "out"), { force: true });
      writeFileSync(join(home, "do.tmp"), script);
      renameSync(join(home, "do.tmp"), join(home, "do.sh"));
      await until(script, () => existsSync(join(home, "out")));
      return readFileSync(join(home, "out"), "utf8");
    },
    remove() {
      // Its sessions first, or the account is still in use. Another signal would end the outer process alone.
      server.kill("SIGKILL");
      for (let tries = 0; tries < 20; tries += 1) {
        try {
          execFileSync("/usr/sbin/userdel", ["--remove", "--force", user], { stdio: "ignore" });
          break;
        } catch {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
        }
      }
      for (const path of [`/tmp/.X11-unix/X${display}`, `/tmp/.X${display}-lock`])
        rmSync(path, { force: true });
    },
  };
}
