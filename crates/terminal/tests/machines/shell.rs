//! Shells: terminals, bytes, floods, refusals.

use crate::server::{PATIENCE, Server, error, key, read_until, running};
use oriel_terminal::{
    Backspace, Connection, Credentials, HostKeyPin, Key, Question, Shell, ShellOptions, SshOptions, TerminalError,
    TerminalEvent, ssh::SHELL_WINDOW_BYTES,
};
use russh::{Channel, ChannelId, Pty, keys::PrivateKey, server};
use std::{borrow::Cow, fs, sync::Arc, time::Duration};
use tokio::time::timeout;

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
    let mut shell = server.open(&server.ssh(), &running(script)).await.unwrap();
    let text = read_until(&mut shell, "24 80").await;
    assert!(text.contains("xterm-256color C.UTF-8"), "{text:?}");
    shell.resize(132, 50).await.unwrap();
    shell.write("hällo €\n".as_bytes()).await.unwrap();
    let text = read_until(&mut shell, "got hällo €").await;
    assert!(text.contains("50 132"), "{text:?}");
    assert_eq!(end(&mut shell).await, Some(TerminalEvent::Exit { code: Some(7), signal: None }));
    assert_eq!(shell.next().await, None);
    let mut shell = server.open(&server.ssh(), &running("kill -TERM $$")).await.unwrap();
    assert_eq!(end(&mut shell).await, Some(TerminalEvent::Exit { code: None, signal: Some("TERM".into()) }));
}

#[tokio::test]
async fn an_account_s_own_shell_without_a_command() {
    let server = Server::start();
    let mut shell = server.open(&server.ssh(), &ShellOptions::default()).await.unwrap();
    shell.write(b"echo sum $((40+2))\n").await.unwrap();
    read_until(&mut shell, "sum 42").await;
    shell.close().await;

    // And a command without a terminal, which reads what it is given and nothing else.
    let connection = server.connect(&server.ssh()).await.unwrap();
    let ran = connection.run("cat; echo no >&2; exit 3", b"one\ntwo\n".to_vec(), 6);
    let ran = timeout(PATIENCE, ran).await.unwrap().unwrap();
    assert_eq!((ran.code, ran.output.as_slice(), ran.complaints.as_slice()), (Some(3), &b"one\ntw"[..], &b"no\n"[..]));
}

#[tokio::test]
async fn bytes_go_through_untouched() {
    let server = Server::start();
    let mut shell = server.open(&server.ssh(), &running("stty raw -echo -iexten; echo ready; exec cat")).await.unwrap();
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
    let mut shell = server.open(&server.ssh(), &running(&script)).await.unwrap();
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

#[tokio::test]
async fn the_terminal_s_settings_reach_the_machine() {
    let server = Server::start();
    let script =
        "echo $TERM $TZ; stty -a | tr ';' '\\n' | grep erase; read -r line; printf '%s' \"$line\" | od -c | head -1";
    let shell = ShellOptions {
        term: "vt220".into(),
        timezone: Some("Europe/Berlin".into()),
        backspace: Backspace::ControlH,
        ..running(script)
    };
    let mut shell = server.open(&server.ssh(), &shell).await.unwrap();
    let text = read_until(&mut shell, " erase = ^H").await;
    assert!(text.contains("vt220 Europe/Berlin"), "{text:?}");
    // The machine erases with what the key sends.
    shell.write(b"ax\x7fb\n").await.unwrap();
    read_until(&mut shell, "a   b").await;
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let server = Server::start();
    let (other_key, other_public) = key(server.folder.path(), "other", "");

    let stranger = SshOptions { host_key: HostKeyPin::Known(other_public.clone()), ..server.ssh() };
    let changed = error(server.connect(&stranger).await);
    let TerminalError::HostKeyChanged { expected, seen } = &changed else { panic!("{changed}") };
    assert_eq!((expected, seen), (&server.fingerprint("other"), &server.fingerprint("host")));

    let plain = |private: String, passphrase| Key { private: private.into(), passphrase, certificate: None };
    let refused = error(server.connect(&server.ssh_with(plain(other_key, None))).await);
    let TerminalError::CredentialsRefused { offered, .. } = &refused else { panic!("{refused}") };
    assert!(offered.contains("publickey"), "{offered}");

    let credentials = Credentials::password("root", "no passwords here".to_owned().into());
    let refused = error(server.connect(&SshOptions { credentials, ..server.ssh() }).await);
    assert!(matches!(refused, TerminalError::CredentialsRefused { .. }), "{refused}");

    let (locked, _) = key(server.folder.path(), "locked", "open sesame");
    for passphrase in [None, Some("wrong".to_owned().into())] {
        let bad = error(server.connect(&server.ssh_with(plain(locked.clone(), passphrase))).await);
        assert!(matches!(bad, TerminalError::BadCredentials { .. }), "{bad}");
    }
    let known = plain(locked, Some("open sesame".to_owned().into()));
    let refused = error(server.connect(&server.ssh_with(known)).await);
    assert!(matches!(refused, TerminalError::CredentialsRefused { .. }), "it was read, and is not known: {refused}");

    let (ours, theirs) = tokio::io::duplex(64);
    drop(theirs);
    let gone = error(Connection::open(ours, &server.ssh(), SHELL_WINDOW_BYTES).await);
    assert!(matches!(gone, TerminalError::Unreachable(_)), "{gone}");
}

/// Lets in one password and greets.
struct Guard;

impl server::Handler for Guard {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<server::Auth, Self::Error> {
        Ok(if (user, password) == ("me", "right") { server::Auth::Accept } else { server::Auth::reject() })
    }

    /// `two` is asked for a password and then for a code.
    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _: &str,
        response: Option<server::Response<'a>>,
    ) -> Result<server::Auth, Self::Error> {
        if user != "two" {
            return Ok(server::Auth::reject());
        }
        let ask = |prompt: &'static str, echo| server::Auth::Partial {
            name: Cow::Borrowed("Two things"),
            instructions: Cow::Borrowed("look at \x1b[31myour phone"),
            prompts: Cow::Owned(vec![(Cow::Borrowed(prompt), echo)]),
        };
        let Some(response) = response else { return Ok(ask("Password: ", false)) };
        let answers: Vec<Vec<u8>> = response.map(|answer| answer.to_vec()).collect();
        Ok(match answers.concat().as_slice() {
            b"right" => ask("Code: ", true),
            b"123" => server::Auth::Accept,
            _ => server::Auth::reject(),
        })
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

async fn open(credentials: Credentials, ask: Option<oriel_terminal::ssh::Ask>) -> Result<Shell, TerminalError> {
    let folder = tempfile::tempdir().unwrap();
    let (private, public) = key(folder.path(), "host", "");
    let config = server::Config {
        keys: vec![PrivateKey::from_openssh(&private).unwrap()],
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        ..server::Config::default()
    };
    let (ours, theirs) = tokio::io::duplex(4096);
    tokio::spawn(async move {
        if let Ok(session) = server::run_stream(Arc::new(config), theirs, Guard).await {
            let _ = session.await;
        }
    });
    let ssh = SshOptions { ask, ..SshOptions::new(credentials, HostKeyPin::Known(public)) };
    let connection = timeout(PATIENCE, Connection::open(ours, &ssh, SHELL_WINDOW_BYTES)).await.unwrap()?;
    connection.shell(&ShellOptions::default()).await
}

#[tokio::test]
async fn passwords() {
    let with = |password: &str| Credentials::password("me", password.to_owned().into());
    let mut shell = open(with("right"), None).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(shell.next().await, Some(TerminalEvent::Data("welcome".into())));
    let refused = error(open(with("wrong"), None).await);
    let TerminalError::CredentialsRefused { user, offered } = &refused else { panic!("{refused}") };
    // This server does not offer the method again that was just tried.
    assert!(user == "me" && offered.contains("publickey"), "{refused}");
}

#[tokio::test]
async fn questions_go_to_the_password_or_to_the_person() {
    // The password is known, the code is not, and nobody is there.
    let known = Credentials::password("two", "right".to_owned().into());
    let nobody = error(open(known.clone(), None).await);
    assert!(matches!(&nobody, TerminalError::Unanswered { prompt, .. } if prompt == "Code:"), "{nobody}");

    let person = |answers: &'static [&'static str]| {
        let (ask, mut questions) = tokio::sync::mpsc::channel::<Question>(1);
        let asked = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let Some(question) = questions.recv().await else { break };
                asked.push(format!("{}|{}|{}", question.name, question.instructions, question.prompts[0].text));
                question.answers.send(vec![(*answer).to_owned().into()]).unwrap();
            }
            asked
        });
        (ask, asked)
    };
    let (ask, asked) = person(&["123"]);
    let mut shell = open(known, Some(ask)).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(shell.next().await, Some(TerminalEvent::Data("welcome".into())));
    assert_eq!(asked.await.unwrap(), ["Two things|look at [31myour phone|Code:"]);

    // Nothing is known: both go to the person.
    let unknown = Credentials { user: "two".into(), ..Credentials::default() };
    let (ask, asked) = person(&["right", "123"]);
    open(unknown.clone(), Some(ask)).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(asked.await.unwrap().len(), 2);
    let (ask, _) = person(&["wrong"]);
    let refused = error(open(unknown, Some(ask)).await);
    assert!(!matches!(refused, TerminalError::Broken(_)), "{refused}");
}
