//! Keys of every kind and format, certificates, host keys, the agent.

use crate::server::{Server, error, key, key_of, run, user};
use oriel_terminal::{Credentials, HostKeyPin, Key, SshOptions, TerminalError};
use std::{fs, io::Write as _, path::Path};

fn plain(private: String) -> Key {
    Key { private: private.into(), passphrase: None, certificate: None }
}

fn locked(private: String, passphrase: &str) -> Key {
    Key { private: private.into(), passphrase: Some(passphrase.to_owned().into()), certificate: None }
}

fn allow(server: &Server, public: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(server.folder.path().join("authorized")).unwrap();
    writeln!(file, "{}", public.trim()).unwrap();
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

const KINDS: [(&str, &[&str]); 5] = [
    ("ed", &["ed25519"]),
    ("ec256", &["ecdsa", "-b", "256"]),
    ("ec384", &["ecdsa", "-b", "384"]),
    ("ec521", &["ecdsa", "-b", "521"]),
    ("rsa", &["rsa", "-b", "3072"]),
];

#[tokio::test]
async fn keys_of_every_kind_and_format() {
    let server = Server::start();
    let folder = server.folder.path();
    let mut tried = 0;
    let mut opens = async |what: &str, key: Key| {
        let says = server.says(&server.ssh_with(key), "echo in").await;
        assert!(says.as_ref().is_ok_and(|says| says.contains("in")), "{what}: {says:?}\n{}", server.log());
        tried += 1;
    };
    for (name, kind) in KINDS {
        let (private, public) = key_of(folder, name, kind, "");
        allow(&server, &public);
        opens(name, plain(private)).await;
        // The same key, encrypted, in each format.
        let copy = |to: &str| {
            fs::copy(folder.join(name), folder.join(to)).unwrap();
            fs::set_permissions(folder.join(to), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            path(folder, to)
        };
        let file = copy(&format!("{name}.locked"));
        run("ssh-keygen", &["-q", "-p", "-P", "", "-N", "sesame", "-f", &file]);
        opens(&format!("{name} locked"), locked(fs::read_to_string(&file).unwrap(), "sesame")).await;
        if name != "ed" {
            let file = copy(&format!("{name}.pkcs8"));
            run("ssh-keygen", &["-q", "-p", "-P", "", "-N", "", "-m", "PKCS8", "-f", &file]);
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.starts_with("-----BEGIN PRIVATE KEY"), "{text}");
            opens(&format!("{name} PKCS8"), plain(text)).await;
            let to = path(folder, &format!("{name}.pkcs8e"));
            run("openssl", &["pkcs8", "-topk8", "-in", &file, "-passout", "pass:sesame", "-out", &to]);
            opens(&format!("{name} PKCS8 locked"), locked(fs::read_to_string(&to).unwrap(), "sesame")).await;
        }
        for (format, passphrase) in [("ppk", ""), ("ppke", "sesame")] {
            let to = path(folder, &format!("{name}.{format}"));
            let secret = path(folder, "secret");
            fs::write(&secret, passphrase).unwrap();
            let from = path(folder, name);
            run("puttygen", &[&from, "-O", "private", "-o", &to, "--new-passphrase", &secret]);
            let text = fs::read_to_string(&to).unwrap();
            let key = if passphrase.is_empty() { plain(text) } else { locked(text, passphrase) };
            opens(&format!("{name} {format}"), key).await;
        }
    }
    // RSA as OpenSSL's PKCS#1.
    let to = path(folder, "rsa.pkcs1");
    run("openssl", &["rsa", "-in", &path(folder, "rsa.pkcs8"), "-traditional", "-out", &to]);
    opens("rsa PKCS1", plain(fs::read_to_string(&to).unwrap())).await;
    println!("{tried} keys");
}

/// Signs `NAME.pub` with the authority; answers the certificate.
fn sign(folder: &Path, authority: &str, name: &str, principal: &str, more: &[&str]) -> String {
    let (authority, public) = (path(folder, authority), path(folder, &format!("{name}.pub")));
    let mut arguments = vec!["-q", "-s", &authority, "-I", name, "-n", principal];
    arguments.extend(more);
    arguments.push(&public);
    run("ssh-keygen", &arguments);
    fs::read_to_string(folder.join(format!("{name}-cert.pub"))).unwrap()
}

#[tokio::test]
async fn certificates_of_users() {
    let server = Server::start_with(|folder| {
        key(folder, "authority", "");
        key(folder, "impostor", "");
        format!("TrustedUserCAKeys {}", folder.join("authority.pub").display())
    });
    let folder = server.folder.path();
    let me = user();
    let with = |private: &str, certificate: String| {
        server.ssh_with(Key { certificate: Some(certificate), ..plain(private.to_owned()) })
    };
    for (name, kind) in KINDS {
        let (private, _) = key_of(folder, name, kind, "");
        let certificate = sign(folder, "authority", name, &me, &["-V", "+1h"]);
        let says = server.says(&with(&private, certificate), "echo in").await;
        assert!(says.as_ref().is_ok_and(|says| says.contains("in")), "{name}: {says:?}\n{}", server.log());
        let without = error(server.connect(&server.ssh_with(plain(private))).await);
        assert!(matches!(without, TerminalError::CredentialsRefused { .. }), "{without}");
    }
    // Not by anybody, not for anybody, not for ever, and not as an authority.
    let (private, _) = key(folder, "mine", "");
    for (authority, principal, more) in [
        ("impostor", me.as_str(), &["-V", "+1h"][..]),
        ("authority", "somebody-else", &["-V", "+1h"]),
        ("authority", me.as_str(), &["-V", "20200101:20200102"]),
    ] {
        let refused = error(server.connect(&with(&private, sign(folder, authority, "mine", principal, more))).await);
        assert!(matches!(refused, TerminalError::CredentialsRefused { .. }), "{refused}");
    }
    let (nested, _) = key(folder, "nested", "");
    let nested_certificate = sign(folder, "authority", "nested", &me, &[]);
    key(folder, "below", "");
    let below = sign(folder, "nested", "below", &me, &[]);
    let below_key = fs::read_to_string(folder.join("below")).unwrap();
    for (private, certificate) in [(&below_key, below), (&below_key, nested_certificate), (&nested, "junk".to_owned())]
    {
        let refused = error(server.connect(&with(private, certificate)).await);
        let told = matches!(
            refused,
            TerminalError::CredentialsRefused { .. } | TerminalError::BadCredentials { what: "certificate", .. }
        );
        assert!(told, "{refused}");
    }
    let of_host = sign(folder, "authority", "mine", "localhost", &["-h"]);
    let refused = error(server.connect(&with(&private, of_host)).await);
    assert!(refused.to_string().contains("a host's certificate"), "{refused}");
}

#[tokio::test]
async fn host_keys_are_pinned_and_learned() {
    let server = Server::start_with(|folder| {
        key_of(folder, "host-rsa", &["rsa", "-b", "3072"], "");
        key(folder, "authority", "");
        let certificate = sign(folder, "authority", "host", "localhost,127.0.0.1", &["-h"]);
        assert!(certificate.contains("cert-v01"));
        format!("HostKey {0}/host-rsa\nHostCertificate {0}/host-cert.pub", folder.display())
    });
    let folder = server.folder.path();
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let pinned = async |pin: HostKeyPin| server.connect(&SshOptions { host_key: pin, ..server.ssh() }).await;

    let first = pinned(HostKeyPin::FirstUse).await.unwrap();
    let seen = first.host_keys()[0].clone();
    assert_eq!(seen.fingerprint, server.fingerprint("host"));
    // What was learned is a pin; the kind that is known is asked for, whatever the server likes best.
    for known in [seen.openssh, text("host.pub"), text("host-rsa.pub"), text("host-rsa.pub") + &text("host.pub")] {
        assert!(pinned(HostKeyPin::Known(known.clone())).await.is_ok(), "{known}");
    }
    // Whoever signed the server's certificate is nobody to us.
    let changed = error(pinned(HostKeyPin::Known(text("authority.pub"))).await);
    assert!(matches!(&changed, TerminalError::HostKeyChanged { seen, .. } if *seen == server.fingerprint("host")));
    for no_key in [text("host-cert.pub"), format!("@cert-authority * {}", text("authority.pub")), String::new()] {
        let refused = error(pinned(HostKeyPin::Known(no_key)).await);
        assert!(matches!(refused, TerminalError::BadCredentials { what: "host key", .. }), "{refused}");
    }
    // A kind that the server does not have is a change too.
    key_of(folder, "ec", &["ecdsa"], "");
    let changed = error(pinned(HostKeyPin::Known(text("ec.pub"))).await);
    assert!(matches!(&changed, TerminalError::HostKeyChanged { seen, .. } if seen.contains("rsa")), "{changed}");
}

#[tokio::test]
async fn the_agent_holds_one_key_while_asked_to() {
    let server = Server::start();
    let fingerprint = server.fingerprint("user");
    let without = server.says(&server.ssh(), "echo agent=$SSH_AUTH_SOCK.").await.unwrap();
    assert!(without.contains("agent=."), "{without}");

    let ssh = SshOptions { forward_agent: true, ..server.ssh() };
    let script = format!(
        "ssh-add -l; ssh-add -D; ssh-add {}/host; echo now; ssh-add -l; \
         ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -p {} 127.0.0.1 'echo further in'",
        server.folder.path().display(),
        server.port
    );
    let says = server.says(&ssh, &script).await.unwrap();
    let after = says.split("now").nth(1).unwrap_or_default();
    assert_eq!(after.matches("SHA256:").count(), 1, "{says}");
    assert!(after.contains(&fingerprint) && says.contains("further in"), "{says}");

    // An RSA key signs with SHA-2 there too.
    let rsa = key_of(server.folder.path(), "rsa", &["rsa", "-b", "3072"], "");
    allow(&server, &rsa.1);
    let ssh = SshOptions { credentials: Credentials::key(user(), rsa.0.into()), ..ssh };
    let script = format!(
        "ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -p {} 127.0.0.1 'echo further in'",
        server.port
    );
    let says = server.says(&ssh, &script).await.unwrap();
    assert!(says.contains("further in"), "{says}");
}
