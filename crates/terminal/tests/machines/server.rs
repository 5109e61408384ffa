//! An OpenSSH server of the test's own, which lets in the test's own account by key.

use oriel_terminal::{
    Connection, Credentials, HostKeyPin, Key, Shell, ShellOptions, SshOptions, TerminalError, TerminalEvent,
    ssh::SHELL_WINDOW_BYTES,
};
use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{net::TcpStream, time::timeout};

const APT: &str = "apt-get install openssh-server openssh-client putty-tools inetutils-telnetd";
pub const PATIENCE: Duration = Duration::from_mins(1);

pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("cannot start {program}: {error}; install it: {APT}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub fn user() -> String {
    run("id", &["-un"])
}

/// Makes a key: `kind` as `ssh-keygen -t … -b …` takes it. The private and the public text.
pub fn key_of(folder: &Path, name: &str, kind: &[&str], passphrase: &str) -> (String, String) {
    let file = folder.join(name);
    let mut arguments = vec!["-q", "-N", passphrase, "-C", name, "-f", file.to_str().unwrap(), "-t"];
    arguments.extend(kind);
    run("ssh-keygen", &arguments);
    (fs::read_to_string(&file).unwrap(), fs::read_to_string(folder.join(format!("{name}.pub"))).unwrap())
}

pub fn key(folder: &Path, name: &str, passphrase: &str) -> (String, String) {
    key_of(folder, name, &["ed25519"], passphrase)
}

pub struct Server {
    pub folder: TempDir,
    program: Child,
    pub port: u16,
    pub host_key: String,
    pub user_key: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Server {
    pub fn start() -> Self {
        Self::start_with(|_| String::new())
    }

    /// `more` makes what it needs in the server's folder and answers further lines of configuration.
    pub fn start_with(more: impl FnOnce(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (_, host_key) = key(folder.path(), "host", "");
        let (user_key, user_public) = key(folder.path(), "user", "");
        fs::write(folder.path().join("authorized"), user_public).unwrap();
        let more = more(folder.path());
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        // OpenSSH's place for its unprivileged part; made by the service where there is one.
        let _ = fs::create_dir_all("/run/sshd");
        let path = folder.path().display();
        let files = if more.contains("Subsystem") { "" } else { "Subsystem sftp internal-sftp" };
        let config = format!(
            "{more}\nListenAddress 127.0.0.1\nPort {port}\nHostKey {path}/host\nAuthorizedKeysFile {path}/authorized\n\
             PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nAcceptEnv LANG TZ\n\
             {files}\nMaxStartups 100\n"
        );
        let file = folder.path().join("config");
        fs::write(&file, config).unwrap();
        let program = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", file.to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start /usr/sbin/sshd: {error}; install it: {APT}"));
        let server = Self { folder, program, port, host_key, user_key };
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < PATIENCE, "sshd does not listen: {}", server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn fingerprint(&self, name: &str) -> String {
        let file = self.folder.path().join(format!("{name}.pub"));
        run("ssh-keygen", &["-lf", file.to_str().unwrap()]).split(' ').nth(1).unwrap().to_owned()
    }

    pub fn credentials(&self) -> Credentials {
        Credentials::key(user(), self.user_key.clone().into())
    }

    pub fn ssh(&self) -> SshOptions {
        SshOptions::new(self.credentials(), HostKeyPin::Known(self.host_key.clone()))
    }

    /// The server's options with another key.
    pub fn ssh_with(&self, key: Key) -> SshOptions {
        SshOptions { credentials: Credentials { user: user(), key: Some(key), password: None }, ..self.ssh() }
    }

    pub async fn stream(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    pub async fn connect(&self, ssh: &SshOptions) -> Result<Connection, TerminalError> {
        timeout(PATIENCE, Connection::open(self.stream().await, ssh, SHELL_WINDOW_BYTES)).await.unwrap()
    }

    pub async fn open(&self, ssh: &SshOptions, shell: &ShellOptions) -> Result<Shell, TerminalError> {
        let connection = self.connect(ssh).await?;
        timeout(PATIENCE, connection.shell(shell)).await.unwrap()
    }

    /// Runs a command and answers what it printed.
    pub async fn says(&self, ssh: &SshOptions, command: &str) -> Result<String, TerminalError> {
        let mut shell = self.open(ssh, &running(command)).await?;
        Ok(rest(&mut shell).await)
    }
}

pub fn running(command: &str) -> ShellOptions {
    ShellOptions { locale: Some("C.UTF-8".into()), command: Some(command.to_owned()), ..ShellOptions::default() }
}

/// All bytes until the text is among them.
pub async fn read_until(shell: &mut Shell, text: &str) -> String {
    let mut all = String::new();
    while !all.contains(text) {
        match timeout(PATIENCE, shell.next()).await.unwrap_or_else(|_| panic!("no {text:?} after {all:?}")) {
            Some(TerminalEvent::Data(data)) => all.push_str(&String::from_utf8_lossy(&data)),
            other => panic!("{other:?} instead of {text:?}, after {all:?}"),
        }
    }
    all
}

/// All bytes until the end.
pub async fn rest(shell: &mut Shell) -> String {
    let mut all = String::new();
    while let Some(TerminalEvent::Data(data)) = timeout(PATIENCE, shell.next()).await.unwrap() {
        all.push_str(&String::from_utf8_lossy(&data));
    }
    all
}

pub fn error<T>(result: Result<T, TerminalError>) -> TerminalError {
    result.err().expect("this must not open")
}
