//! Ways to sign in, against real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]
#![allow(clippy::panic, reason = "a missing program must be noticed, not skipped")]

mod common;

use common::real::{Live, Qemu, Tiger, certificates, shown};
use oriel_pin::{Fingerprint, HostPin};
use oriel_vnc::{ConnectError, Security, SecurityPolicy, VncOptions, connect, identity};
use std::path::Path;

fn with(user: Option<&str>, password: Option<&str>) -> VncOptions {
    VncOptions { user: user.map(Into::into), password: password.map(Into::into), ..VncOptions::default() }
}

/// What vncpasswd(1) writes for "s3cret!".
const PASSWORD_FILE: [u8; 8] = [0xff, 0x99, 0xc2, 0xcc, 0x4f, 0x80, 0xab, 0xab];

fn tiger(folder: &Path, types: &str, more: &[&str]) -> (Tiger, [u8; 32]) {
    let pin = certificates(folder);
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(path("password"), PASSWORD_FILE).unwrap();
    let (cert, key, password) = (path("server-cert.pem"), path("server-key.pem"), path("password"));
    let mut all = vec!["-SecurityTypes", types, "-X509Cert", &cert, "-X509Key", &key, "-PasswordFile", &password];
    all.extend(more);
    (Tiger::start(&all), pin)
}

#[tokio::test]
async fn tigervnc_with_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (tiger, pin) = tiger(folder.path(), "X509Vnc,X509None,VncAuth", &[]);
    // First use: whoever answers, and what it is comes back.
    let mut session = tiger.open(&with(None, Some("s3cret!"))).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((session.security, session.identity), (Security::X509Vnc, Some(Fingerprint(pin))));
    tiger.same("the picture through TLS", &mut session).await;
    // The same without a word about ourselves.
    assert_eq!(identity(tiger.stream().await, &VncOptions::default()).await.unwrap(), Some(Fingerprint(pin)));
    // Pinned.
    let pinned = VncOptions { pin: HostPin::Sha256(pin), ..with(None, Some("s3cret!")) };
    assert!(tiger.open(&pinned).await.is_ok());
    let other = VncOptions { pin: HostPin::Sha256([7; 32]), ..pinned.clone() };
    let Err(changed) = tiger.open(&other).await else { panic!("another certificate was taken") };
    assert!(matches!(changed, ConnectError::IdentityChanged { seen, .. } if seen.0 == pin), "{changed}");
    // Without a password, and with a wrong one.
    assert_eq!(tiger.open(&with(None, None)).await.map(|session| session.security).ok(), Some(Security::X509None));
    let only = SecurityPolicy::Only(vec![Security::X509Vnc]);
    let wrong = VncOptions { security: only, ..with(None, Some("wrong")) };
    let Err(wrong) = tiger.open(&wrong).await else { panic!("a wrong password was taken") };
    assert!(matches!(wrong, ConnectError::CredentialsRefused { .. }), "{wrong}");
    // A certificate may be refused by policy.
    let plain = VncOptions { security: SecurityPolicy::Only(vec![Security::VncAuth]), ..with(None, Some("s3cret!")) };
    assert_eq!(tiger.open(&plain).await.map(|session| session.security).ok(), Some(Security::VncAuth));
}

#[tokio::test]
async fn tigervnc_with_user_and_password() {
    let folder = tempfile::tempdir().unwrap();
    // PAM's service of su(1) lets root in with any password, so the whole conversation is seen to work where tests are root.
    let (tiger, pin) = tiger(folder.path(), "X509Plain", &["-PlainUsers", "root", "-PAMService", "su"]);
    assert!(matches!(tiger.open(&with(None, Some("x"))).await, Err(ConnectError::UserRequired)));
    let Err(refused) = tiger.open(&with(Some("nobody"), Some("x"))).await else { panic!("a stranger was let in") };
    assert!(matches!(refused, ConnectError::CredentialsRefused { .. }), "{refused}");
    match tiger.open(&with(Some("root"), Some("x"))).await {
        Ok(mut session) => {
            assert_eq!((session.security, session.identity), (Security::X509Plain, Some(Fingerprint(pin))));
            tiger.same("the picture", &mut session).await;
        }
        Err(ConnectError::CredentialsRefused { .. }) => println!("not root: only the refusal was seen"),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn tigervnc_as_it_comes_offers_anonymous_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (tiger, pin) = tiger(folder.path(), "TLSVnc,VncAuth", &[]);
    let options = with(None, Some("s3cret!"));
    let Err(error) = tiger.open(&options).await else { panic!("anonymous TLS cannot be had") };
    assert!(matches!(error, ConnectError::VeNCryptUnusable { others: true, .. }), "{error}");
    // The second try leaves it out.
    let again = VncOptions { without_vencrypt: true, ..options.clone() };
    let mut session = tiger.open(&again).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((session.security, session.identity), (Security::VncAuth, None));
    tiger.same("the picture", &mut session).await;
    assert_eq!(identity(tiger.stream().await, &VncOptions::default()).await.unwrap(), None);
    // With a pin there is no second way.
    let Err(error) = tiger.open(&VncOptions { pin: HostPin::Sha256(pin), ..options }).await else {
        panic!("a server without identity was taken for the pinned one")
    };
    assert!(matches!(error, ConnectError::VeNCryptUnusable { others: false, .. }), "{error}");
    assert!(error.to_string().contains("X509"), "{error}");
}

#[tokio::test]
async fn qemu_with_a_certificate_and_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let pin = certificates(folder.path());
    let tls = format!("tls-creds-x509,id=tls,dir={},endpoint=server,verify-peer=off", folder.path().display());
    let arguments = ["-object", &tls, "-object", "secret,id=word,data=letmein", "-boot", "menu=on,splash-time=60000"];
    let mut qemu = Qemu::start(folder, ",tls-creds=tls,password-secret=word", &arguments);
    let mut options = VncOptions { pin: HostPin::Sha256(pin), ..with(None, Some("letmein")) };
    let mut session = Live::new(connect(qemu.stream().await, &options).await.unwrap());
    assert_eq!((session.security, session.identity), (Security::X509Vnc, Some(Fingerprint(pin))));
    session.until("the picture through TLS", |session| shown(&mut session.source) == qemu.dump()).await;
    options.password = Some("wrong".into());
    let Err(refused) = connect(qemu.stream().await, &options).await else { panic!("a wrong password was taken") };
    assert!(matches!(refused, ConnectError::CredentialsRefused { .. }), "{refused}");
    options.password = None;
    assert!(matches!(connect(qemu.stream().await, &options).await, Err(ConnectError::PasswordRequired)));
}
