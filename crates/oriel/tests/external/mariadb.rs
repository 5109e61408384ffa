//! A MariaDB for the tests, with its data in a temporary folder, stopped by its process id.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PROGRAM: &str = "/usr/sbin/mariadbd";
const PATIENCE: Duration = Duration::from_mins(1);

pub struct MariaDb {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl MariaDb {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        // Without its own tables it knows no accounts, and lets everybody in: it listens on loopback alone.
        let child = Command::new(PROGRAM)
            .args(["--no-defaults", "--skip-grant-tables", "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=16M"])
            .args(["--user=root", "--innodb-flush-log-at-trx-commit=0"])
            .arg(format!("--port={port}"))
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", folder.path().join("socket").display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {PROGRAM}: {error}; apt-get install mariadb-server-core"));
        let server = Self { folder, port, child };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < PATIENCE, "MariaDB does not listen on port {port}");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    pub fn url(&self, database: &str) -> String {
        format!("mysql://root@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        // The folder goes last.
        let _ = self.folder.path();
    }
}
