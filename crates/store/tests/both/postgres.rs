//! A PostgreSQL for the tests: the one that `ORIEL_TEST_POSTGRES` names (a URL of a server and a user who may create
//! databases), or one started here, in a folder of its own, on a unix socket of its own, and stopped at the end.

use std::{
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, Weak},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use url::Url;

const START_MAX: Duration = Duration::from_secs(30);

/// Where to connect; keeps the server running.
#[derive(Clone)]
pub struct Postgres {
    server: Url,
    own: Option<Arc<Own>>,
}

impl Postgres {
    /// The named server, or our own: one for all tests of this process that run together.
    pub fn get() -> Self {
        if let Ok(url) = std::env::var("ORIEL_TEST_POSTGRES") {
            return Self { server: url.parse().expect("ORIEL_TEST_POSTGRES is a URL"), own: None };
        }
        static OWN: Mutex<Weak<Own>> = Mutex::new(Weak::new());
        let mut shared = OWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let own = shared.upgrade().unwrap_or_else(|| Arc::new(Own::start()));
        *shared = Arc::downgrade(&own);
        let socket = own.folder.path().to_str().expect("a temporary folder's path is UTF-8");
        let server = Url::parse_with_params("postgres://oriel@localhost/postgres", [("host", socket)]).unwrap();
        Self { server, own: Some(own) }
    }

    /// Whether other processes have their databases on it too.
    pub const fn is_shared(&self) -> bool {
        self.own.is_none()
    }

    pub fn url(&self, database: &str) -> String {
        let mut url = self.server.clone();
        url.set_path(database);
        url.into()
    }

    pub fn admin_url(&self) -> String {
        self.server.clone().into()
    }
}

/// A server of ours.
struct Own {
    folder: TempDir,
    programs: PathBuf,
    user: Option<(u32, u32)>,
    server: Child,
}

impl Own {
    fn start() -> Self {
        let programs = programs().expect(
            "no PostgreSQL for the tests: install it with `apt-get install postgresql`, or set ORIEL_TEST_POSTGRES to the \
             URL of a server whose user may create databases",
        );
        let user = unprivileged();
        let folder = tempfile::Builder::new().prefix("oriel-pg-").tempdir().unwrap();
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let data = folder.path().join("data");
        let made = command(&programs, "initdb", user)
            .args(["--username=oriel", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        let log = folder.path().join("log");
        let server = command(&programs, "postgres", user)
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200", "-k"])
            .arg(folder.path())
            .arg("-D")
            .arg(&data)
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        // From here on, whatever happens stops the server.
        let own = Self { folder, programs, user, server };
        wait_until_ready(&log);
        own
    }
}

fn wait_until_ready(log: &Path) {
    let end = Instant::now() + START_MAX;
    loop {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        if said.contains("database system is ready to accept connections") {
            return;
        }
        assert!(Instant::now() < end, "PostgreSQL did not start within {START_MAX:?}; it said:\n{said}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let stopped = command(&self.programs, "pg_ctl", self.user)
            .args(["stop", "--mode=immediate", "--silent", "-D"])
            .arg(self.folder.path().join("data"))
            .status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
    }
}

fn command(programs: &Path, name: &str, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(programs.join(name));
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

/// The folder of the newest version that Debian has installed.
fn programs() -> Option<PathBuf> {
    std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
        .max_by_key(|bin| bin.to_str().and_then(|path| path.split('/').nth(4)?.parse::<u32>().ok()))
}

/// PostgreSQL does not run as root: then, somebody else's user and group.
fn unprivileged() -> Option<(u32, u32)> {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let ids = |name: &str| {
        let mut fields =
            passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|f| f[0] == name)?.into_iter();
        Some((fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let probe = tempfile::tempfile().unwrap();
    let me = std::os::unix::fs::MetadataExt::uid(&probe.metadata().unwrap());
    if me == 0 { Some(ids("postgres").or_else(|| ids("nobody")).expect("a user to run PostgreSQL as")) } else { None }
}
