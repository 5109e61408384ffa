//! Against a real OpenSSH server; passwords against a server made of russh, since OpenSSH's need an account.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic")]
#![allow(clippy::panic, reason = "a missing program must be noticed, not skipped")]

use oriel_terminal::{Auth, HostKeyPin, Shell, SshOptions, TerminalError, TerminalEvent, connect};
use russh::{Channel, ChannelId, Pty, keys::PrivateKey, server};
use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{net::TcpStream, time::timeout};

const APT: &str = "apt-get install openssh-server openssh-client";
const PATIENCE: Duration = Duration::from_secs(30);

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("cannot start {program}: {error}; install it: {APT}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn key(folder: &Path, name: &str, passphrase: &str) -> (String, String) {
    let file = folder.join(name);
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f", file.to_str().unwrap()]);
    (fs::read_to_string(&file).unwrap(), fs::read_to_string(file.with_extension("pub")).unwrap())
}

/// An OpenSSH server of the test's own, which lets in the test's own account by key.
struct Server {
    folder: TempDir,
    program: Child,
    port: u16,
    host_key: String,
    user_key: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (_, host_key) = key(folder.path(), "host", "");
        let (user_key, user_public) = key(folder.path(), "user", "");
        fs::write(folder.path().join("authorized"), user_public).unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        // OpenSSH's place for its unprivileged part; made by the service where there is one.
        let _ = fs::create_dir_all("/run/sshd");
        let path = folder.path().display();
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {path}/host\nAuthorizedKeysFile {path}/authorized\n\
             PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nAcceptEnv LANG\n"
        );
        let file = folder.path().join("config");
        fs::write(&file, config).unwrap();
        let program = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", file.to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start /usr/sbin/sshd: {error}; install it: {APT}"));
        let server = Self { folder, program, port, host_key, user_key };
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < PATIENCE, "sshd does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn options(&self, command: &str) -> SshOptions {
        SshOptions {
            user: run("id", &["-un"]),
            auth: Auth::Key { private_openssh: self.user_key.clone().into(), passphrase: None },
            host_key: HostKeyPin::Known(self.host_key.clone()),
            term: "xterm-256color".into(),
            columns: 80,
            rows: 24,
            locale: Some("C.UTF-8".into()),
            command: Some(command.to_owned()),
        }
    }

    async fn open(&self, options: SshOptions) -> Result<Shell, TerminalError> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        timeout(PATIENCE, connect(stream, options)).await.unwrap()
    }
}

/// All bytes until the text is among them.
async fn read_until(shell: &mut Shell, text: &str) -> String {
    let mut all = String::new();
    while !all.contains(text) {
        match timeout(PATIENCE, shell.next()).await.unwrap_or_else(|_| panic!("no {text:?} after {all:?}")) {
            Some(TerminalEvent::Data(data)) => all.push_str(&String::from_utf8_lossy(&data)),
            other => panic!("{other:?} instead of {text:?}, after {all:?}"),
        }
    }
    all
}

/// The end, leaving out what is printed before it.
async fn end(shell: &mut Shell) -> Option<TerminalEvent> {
    loop {
        match timeout(PATIENCE, shell.next()).await.unwrap() {
            Some(TerminalEvent::Data(_)) => {}
            other => return other,
        }
    }
}

#[tokio::test]
async fn a_terminal_with_its_type_size_locale_and_end() {
    let server = Server::start();
    let script = "echo $TERM $LANG; stty size; read line; stty size; echo \"got $line\"; exit 7";
    let mut shell = server.open(server.options(script)).await.unwrap();
    let text = read_until(&mut shell, "24 80").await;
    assert!(text.contains("xterm-256color C.UTF-8"), "{text:?}");
    shell.resize(132, 50).await.unwrap();
    shell.write("hällo €\n".as_bytes()).await.unwrap();
    let text = read_until(&mut shell, "got hällo €").await;
    assert!(text.contains("50 132"), "{text:?}");
    assert_eq!(end(&mut shell).await, Some(TerminalEvent::Exit { code: Some(7), signal: None }));
    assert_eq!(shell.next().await, None);
    let mut shell = server.open(server.options("kill -TERM $$")).await.unwrap();
    assert_eq!(end(&mut shell).await, Some(TerminalEvent::Exit { code: None, signal: Some("TERM".into()) }));
}

#[tokio::test]
async fn an_account_s_own_shell_without_a_command() {
    let server = Server::start();
    let mut shell = server.open(SshOptions { command: None, ..server.options("") }).await.unwrap();
    shell.write(b"echo sum $((40+2))\n").await.unwrap();
    read_until(&mut shell, "sum 42").await;
    shell.close().await;
}

#[tokio::test]
async fn bytes_go_through_untouched() {
    let server = Server::start();
    let mut shell = server.open(server.options("stty raw -echo -iexten; echo ready; exec cat")).await.unwrap();
    read_until(&mut shell, "ready\n").await;
    let every: Vec<u8> = (0..=255).collect();
    let sent = every.repeat(64);
    let mut got = Vec::new();
    for piece in sent.chunks(1000) {
        shell.write(piece).await.unwrap();
        if let Ok(Some(TerminalEvent::Data(data))) = timeout(Duration::from_millis(1), shell.next()).await {
            got.extend_from_slice(&data);
        }
    }
    while got.len() < sent.len() {
        let Some(TerminalEvent::Data(data)) = timeout(PATIENCE, shell.next()).await.unwrap() else { break };
        got.extend_from_slice(&data);
    }
    assert!(got == sent, "{} of {} bytes came back", got.len(), sent.len());
}

/// Nobody reads: the program that writes stands still, with little of its output on the way. Then all of it comes.
#[tokio::test]
async fn a_flood_stops_at_its_source() {
    const PIECE: usize = 64 << 10;
    const PIECES: usize = 800;
    let server = Server::start();
    let counter = server.folder.path().join("counter");
    let script = format!(
        "stty raw; i=0; while [ $i -lt {PIECES} ]; do head -c {PIECE} /dev/zero; i=$((i+1)); echo $i > {}; done",
        counter.display()
    );
    let mut shell = server.open(server.options(&script)).await.unwrap();
    let count = || fs::read_to_string(&counter).ok().and_then(|text| text.trim().parse::<usize>().ok()).unwrap_or(0);
    let mut before = 0;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = count();
        if now > 0 && now == before {
            break;
        }
        before = now;
    }
    let held = count() * PIECE;
    assert_eq!(count(), before, "the flood goes on while nobody reads");
    println!("{held} bytes were on the way");
    assert!(held > 0 && held < 6 << 20, "{held} bytes were on the way");
    let mut got = 0;
    while got < PIECE * PIECES {
        let Some(TerminalEvent::Data(data)) = timeout(PATIENCE, shell.next()).await.unwrap() else { break };
        assert!(data.iter().all(|byte| *byte == 0));
        got += data.len();
    }
    assert_eq!(got, PIECE * PIECES);
    assert_eq!(end(&mut shell).await, Some(TerminalEvent::Exit { code: Some(0), signal: None }));
}

fn error(result: Result<Shell, TerminalError>) -> TerminalError {
    result.err().expect("this must not open a shell")
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let server = Server::start();
    let (other_key, other_public) = key(server.folder.path(), "other", "");
    let options = || server.options("true");

    let stranger = SshOptions { host_key: HostKeyPin::Known(other_public.clone()), ..options() };
    let changed = error(server.open(stranger).await);
    let TerminalError::HostKeyChanged { expected, seen } = &changed else { panic!("{changed}") };
    let fingerprint = |name: &str| {
        let file = server.folder.path().join(name).with_extension("pub");
        run("ssh-keygen", &["-lf", file.to_str().unwrap()]).split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!((expected, seen), (&fingerprint("other"), &fingerprint("host")));

    let auth = Auth::Key { private_openssh: other_key.into(), passphrase: None };
    let refused = error(server.open(SshOptions { auth, ..options() }).await);
    let TerminalError::CredentialsRefused { offered, .. } = &refused else { panic!("{refused}") };
    assert!(offered.contains("publickey"), "{offered}");

    let auth = Auth::Password("no passwords here".to_owned().into());
    assert!(matches!(
        error(server.open(SshOptions { auth, ..options() }).await),
        TerminalError::CredentialsRefused { .. }
    ));

    let (locked, _) = key(server.folder.path(), "locked", "open sesame");
    for passphrase in [None, Some("wrong".to_owned().into())] {
        let auth = Auth::Key { private_openssh: locked.clone().into(), passphrase };
        let bad = error(server.open(SshOptions { auth, ..options() }).await);
        assert!(matches!(bad, TerminalError::BadCredentials { .. }), "{bad}");
    }
    let auth = Auth::Key { private_openssh: locked.into(), passphrase: Some("open sesame".to_owned().into()) };
    let refused = error(server.open(SshOptions { auth, ..options() }).await);
    assert!(matches!(refused, TerminalError::CredentialsRefused { .. }), "it was read, and is not known: {refused}");

    let (ours, theirs) = tokio::io::duplex(64);
    drop(theirs);
    let gone = error(connect(ours, options()).await);
    assert!(matches!(gone, TerminalError::Unreachable(_)), "{gone}");
}

/// Lets in one password and greets.
struct Guard;

impl server::Handler for Guard {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<server::Auth, Self::Error> {
        Ok(if (user, password) == ("me", "right") { server::Auth::Accept } else { server::Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<server::Msg>,
        reply: server::ChannelOpenHandle,
        _: &mut server::Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut server::Session) -> Result<(), Self::Error> {
        session.channel_success(channel)?;
        session.data(channel, &b"welcome"[..])
    }
}

#[tokio::test]
async fn passwords() {
    let folder = tempfile::tempdir().unwrap();
    let (private, public) = key(folder.path(), "host", "");
    let open = async |password: &str| {
        let config = server::Config {
            keys: vec![PrivateKey::from_openssh(&private).unwrap()],
            auth_rejection_time: Duration::ZERO,
            ..server::Config::default()
        };
        let (ours, theirs) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            if let Ok(session) = server::run_stream(Arc::new(config), theirs, Guard).await {
                let _ = session.await;
            }
        });
        let options = SshOptions {
            user: "me".into(),
            auth: Auth::Password(password.to_owned().into()),
            host_key: HostKeyPin::Known(public.clone()),
            term: "xterm-256color".into(),
            columns: 80,
            rows: 24,
            locale: None,
            command: None,
        };
        timeout(PATIENCE, connect(ours, options)).await.unwrap()
    };
    let mut shell = open("right").await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(shell.next().await, Some(TerminalEvent::Data("welcome".into())));
    let refused = error(open("wrong").await);
    let TerminalError::CredentialsRefused { user, offered } = &refused else { panic!("{refused}") };
    // This server does not offer the method again that was just tried.
    assert!(user == "me" && offered.contains("publickey"), "{refused}");
}
