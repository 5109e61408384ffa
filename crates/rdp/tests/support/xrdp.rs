//! Debian's xrdp with Xorg, in mount and process namespaces of its own: its configuration, sockets and sessions are
//! the test's, and all of it dies with one process.

use super::{Running, free_display, free_port, need, run, wait_until};
use oriel_rdp::RdpOptions;
use rand::distr::{Alphanumeric, SampleString as _};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub struct Account {
    pub name: String,
    pub password: String,
    pub home: PathBuf,
}

impl Account {
    fn create() -> Self {
        let tail = Alphanumeric.sample_string(&mut rand::rng(), 8).to_lowercase();
        let name = format!("orielt{tail}");
        let password = Alphanumeric.sample_string(&mut rand::rng(), 16);
        run(Command::new(need("useradd")).args(["--create-home", "--shell", "/bin/sh", &name]));
        let home = PathBuf::from("/home").join(&name);
        let mut child = Command::new(need("chpasswd")).stdin(Stdio::piped()).spawn().unwrap();
        use std::io::Write as _;
        writeln!(child.stdin.take().unwrap(), "{name}:{password}").unwrap();
        assert!(child.wait().unwrap().success());
        Self { name, password, home }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ =
            Command::new("/usr/sbin/userdel").args(["--remove", "--force", &self.name]).stderr(Stdio::null()).status();
    }
}

pub struct Xrdp {
    running: Option<Running>,
    pub port: u16,
    pub display: u32,
    pub pin: [u8; 32],
    pub folder: tempfile::TempDir,
    pub account: Account,
}

/// A certificate and key in PEM for a server, and the pin.
pub fn certificate(folder: &Path) -> [u8; 32] {
    let made = rcgen::generate_simple_self_signed(vec!["desktop".to_owned()]).unwrap();
    fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    Sha256::digest(made.cert.der()).into()
}

impl Xrdp {
    /// Starts xrdp; `session` is the shell script that is the desktop.
    pub fn start(session: &str) -> Self {
        for program in ["xrdp", "xrdp-sesman", "xwd", "xterm", "openbox", "xclip", "xsetroot", "unshare"] {
            need(program);
        }
        assert!(
            Path::new("/usr/lib/xorg/modules/libxorgxrdp.so").exists(),
            "xorgxrdp is missing; apt-get install --no-install-recommends xorgxrdp"
        );
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let etc = folder.path().join("etc");
        run(Command::new("cp").arg("-rL").arg("/etc/xrdp").arg(&etc));
        fs::create_dir_all(folder.path().join("run/sockdir")).unwrap();
        fs::set_permissions(folder.path().join("run/sockdir"), fs::Permissions::from_mode(0o1777)).unwrap();
        let pin = certificate(&etc);
        let (port, sesman, display) = (free_port(), free_port(), free_display());
        fs::write(
            etc.join("xrdp.ini"),
            format!(
                "[Globals]\nini_version=1\nfork=true\nport=tcp://127.0.0.1:{port}\nuse_vsock=false\ntcp_nodelay=true\nsecurity_layer=negotiate\ncrypt_level=high\n\
                 certificate=/etc/xrdp/cert.pem\nkey_file=/etc/xrdp/key.pem\nssl_protocols=TLSv1.2, TLSv1.3\nautorun=Xorg\nallow_channels=true\nallow_multimon=true\n\
                 bitmap_cache=true\nbitmap_compression=true\nbulk_compression=true\nmax_bpp=32\nnew_cursors=true\nuse_fastpath=both\n\
                 [Logging]\nLogFile={folder}/xrdp.log\nLogLevel=DEBUG\nEnableSyslog=false\n[Channels]\nrdpdr=true\nrdpsnd=true\ndrdynvc=true\ncliprdr=true\nrail=false\nxrdpvr=false\ntcutils=false\n\
                 [Xorg]\nname=Xorg\nlib=libxup.so\nusername=ask\npassword=ask\nip=127.0.0.1\nport=-1\ncode=20\n",
                folder = folder.path().display(),
            ),
        )
        .unwrap();
        fs::write(
            etc.join("sesman.ini"),
            format!(
                "[Globals]\nListenAddress=127.0.0.1\nListenPort={sesman}\nEnableUserWindowManager=false\nUserWindowManager=startwm.sh\nDefaultWindowManager=startwm.sh\n\
                 [Security]\nAllowRootLogin=false\nMaxLoginRetry=4\nAlwaysGroupCheck=false\n[Sessions]\nX11DisplayOffset={display}\nMaxSessions=5\nKillDisconnected=false\nPolicy=Default\n\
                 [Logging]\nLogFile={folder}/sesman.log\nLogLevel=DEBUG\nEnableSyslog=false\n\
                 [Xorg]\nparam=/usr/lib/xorg/Xorg\nparam=-config\nparam=xrdp/xorg.conf\nparam=-noreset\nparam=-nolisten\nparam=tcp\nparam=-logfile\nparam=.xorgxrdp.%s.log\n\
                 [Chansrv]\nFuseMountName=thinclient_drives\n[ChansrvLogging]\nLogLevel=INFO\nEnableSyslog=false\n[SessionVariables]\nLANG=C.UTF-8\n",
                folder = folder.path().display(),
            ),
        )
        .unwrap();
        let script = etc.join("startwm.sh");
        fs::write(&script, format!("#!/bin/sh\nexport LANG=C.UTF-8\n{session}\n")).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&etc, fs::Permissions::from_mode(0o755)).unwrap();
        let account = Account::create();
        let boot = folder.path().join("boot.sh");
        fs::write(
            &boot,
            "#!/bin/sh\nset -e\nmkdir -p /run/xrdp\nmount --bind \"$1/etc\" /etc/xrdp\nmount --bind \"$1/run\" /run/xrdp\n/usr/sbin/xrdp-sesman -n &\nexec /usr/sbin/xrdp -n\n",
        )
        .unwrap();
        let log = fs::File::create(folder.path().join("boot.log")).unwrap();
        let child = Command::new(need("unshare"))
            .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "/bin/sh"])
            .arg(&boot)
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Self { running: Some(Running(child)), port, display, pin, folder, account };
        wait_until("xrdp listening", Duration::from_secs(10), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        wait_until("sesman listening", Duration::from_secs(10), || {
            // sesman takes 127.0.0.1 for the IPv6 loopback where there is one.
            ["::1", "127.0.0.1"].iter().any(|address| std::net::TcpStream::connect((*address, sesman)).is_ok())
        });
        server
    }

    pub fn options(&self, width: u16, height: u16, keyboard: &str) -> RdpOptions {
        RdpOptions {
            user: self.account.name.clone(),
            password: SecretString::from(self.account.password.clone()),
            domain: None,
            width,
            height,
            scale: 100,
            monitors: None,
            keyboard: keyboard.to_owned(),
            certificate: oriel_pin::HostPin::Sha256(self.pin),
            keeper: None,
            security: oriel_rdp::Security::Any,
            kerberos: None,
            client_name: "oriel-test".to_owned(),
            pipeline: oriel_rdp::Pipeline::Video,
            devices: oriel_rdp::Devices::default(),
            drive: None,
            session: oriel_rdp::SessionOptions::default(),
            gateway: None,
            continuation: oriel_rdp::Continuation::default(),
        }
    }

    pub fn authority(&self) -> String {
        self.account.home.join(".Xauthority").display().to_string()
    }

    /// A program as the desktop's user, on its display.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(need(program));
        command.env("DISPLAY", format!(":{}", self.display)).env("XAUTHORITY", self.authority()).env("LANG", "C.UTF-8");
        command
    }

    pub fn logs(&self) -> String {
        ["boot.log", "xrdp.log", "sesman.log"]
            .iter()
            .map(|name| {
                format!("== {name}\n{}\n", fs::read_to_string(self.folder.path().join(name)).unwrap_or_default())
            })
            .collect()
    }
}

impl Drop for Xrdp {
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os("ORIEL_TEST_LOGS").is_some() {
            eprintln!("{}", self.logs());
        }
        // The servers and their sessions first, or the account is still in use.
        drop(self.running.take());
        let _ = fs::remove_file(format!("/tmp/.X11-unix/X{}", self.display));
        let _ = fs::remove_file(format!("/tmp/.X{}-lock", self.display));
    }
}
