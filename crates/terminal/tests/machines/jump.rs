//! Machines behind machines.

use crate::server::{Server, error, running};
use oriel_terminal::{Connection, HostKeyPin, Jump, SshOptions, TerminalError};

/// The way over `servers` to the last of them, each with its own credentials and pin.
fn over(servers: &[&Server]) -> SshOptions {
    let (last, before) = servers.split_last().unwrap();
    let leads = before.iter().zip(servers.iter().skip(1));
    let jumps = leads.map(|(from, to)| Jump {
        credentials: from.credentials(),
        host_key: HostKeyPin::Known(from.host_key.clone()),
        to_host: "127.0.0.1".into(),
        to_port: to.port,
    });
    SshOptions { jumps: jumps.collect(), ..last.ssh() }
}

#[tokio::test]
async fn over_two_machines_to_a_third() {
    let (a, b, c) = (Server::start(), Server::start(), Server::start());
    let ssh = over(&[&a, &b, &c]);
    let connection = a.connect(&ssh).await.unwrap_or_else(|error| panic!("{error}"));
    let seen: Vec<&str> = connection.host_keys().iter().map(|key| key.fingerprint.as_str()).collect();
    assert_eq!(seen, [a.fingerprint("host"), b.fingerprint("host"), c.fingerprint("host")]);
    let mut shell = connection.shell(&running("echo port ${SSH_CONNECTION##* }")).await.unwrap();
    crate::server::read_until(&mut shell, &format!("port {}", c.port)).await;
    assert_eq!(shell.host_keys().len(), 3);

    // Each is the one that is known, or nothing is said to it.
    for broken in 0..3 {
        let mut ssh = over(&[&a, &b, &c]);
        let wrong = HostKeyPin::Known([&b, &c, &a][broken].host_key.clone());
        match ssh.jumps.get_mut(broken) {
            Some(jump) => jump.host_key = wrong,
            None => ssh.host_key = wrong,
        }
        let refused = error(a.connect(&ssh).await);
        let (number, cause) = match &refused {
            TerminalError::Jump { number, error } => (*number, &**error),
            other => (3, other),
        };
        assert_eq!(number, broken + 1, "{refused}");
        assert!(matches!(cause, TerminalError::HostKeyChanged { .. }), "{refused}");
    }
    // The first machine's key does not open the second.
    let mut ssh = over(&[&a, &b, &c]);
    ssh.jumps[1].credentials = a.credentials();
    let refused = error(a.connect(&ssh).await);
    assert!(refused.to_string().starts_with("jump host 2: the machine refused to let "), "{refused}");
}

#[tokio::test]
async fn a_way_that_leads_nowhere_says_so() {
    let closed = Server::start_with(|_| "AllowTcpForwarding no".into());
    let (open, goal) = (Server::start(), Server::start());
    let refused = error(closed.connect(&over(&[&closed, &goal])).await);
    assert!(
        matches!(&refused, TerminalError::Jump { number: 1, error } if matches!(**error, TerminalError::NoWayOn { .. }))
    );
    let mut ssh = over(&[&open, &goal]);
    ssh.jumps[0].to_port = 1;
    let nowhere = error(open.connect(&ssh).await);
    assert!(nowhere.to_string().contains("jump host 1: the jump host cannot reach"), "{nowhere}");
    let jump = over(&[&open, &goal]).jumps[0].clone();
    let endless = SshOptions { jumps: vec![jump; 9], ..goal.ssh() };
    assert!(matches!(error(open.connect(&endless).await), TerminalError::TooMany { .. }));
}

#[tokio::test]
async fn a_port_that_a_machine_reaches() {
    let (gate, behind) = (Server::start(), Server::start());
    let connection = gate.connect(&gate.ssh()).await.unwrap_or_else(|error| panic!("{error}"));
    let stream = connection.forward("127.0.0.1", behind.port).await.unwrap_or_else(|error| panic!("{error}"));
    let seen = Connection::look(stream, &behind.ssh()).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(seen.fingerprint, behind.fingerprint("host"));
    let nowhere = connection.forward("127.0.0.1", 1).await.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(nowhere.contains("cannot reach the machine behind it"), "{nowhere}");
}
