//! A KDC of MIT's own, and an RDP server of its realm as far as network level authentication goes.

use super::{Running, free_port, need, run, wait_until};
use async_trait::async_trait;
use ironrdp_connector::sspi::credssp::{CredSspServer, CredentialsProxy, ServerMode, ServerState, TsRequest};
use ironrdp_connector::sspi::generator::{GeneratorState, NetworkRequest};
use ironrdp_connector::sspi::kerberos::ServerProperties;
use ironrdp_connector::sspi::{
    AuthIdentity, AuthIdentityBuffers, CredentialsBuffers, KerberosConfig, KerberosServerConfig, NegotiateConfig,
    Username,
};
use oriel_kerberos::{Envelope, is_question_of};
use oriel_pin::HostPin;
use oriel_rdp::{AsExchange, ConnectError, Kdc, KerberosAccount, KerberosOptions, RdpOptions};
use rustls::pki_types::PrivateKeyDer;
use secrecy::SecretString;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub const REALM: &str = "ORIEL.TEST";
/// The machine that the realm knows, and its password there.
pub const HOST: &str = "desk.oriel.test";
const HOST_PASSWORD: &str = "dienst";

/// The realm, with `anna` and her password `geheim`.
pub struct Realm {
    kdc: Option<Running>,
    pub port: u16,
    folder: tempfile::TempDir,
}

impl Realm {
    pub fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let at = |name: &str| folder.path().join(name).display().to_string();
        let client = format!(
            "[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\nrdns = false\n\
             [realms]\n{REALM} = {{\n kdc = 127.0.0.1:{port}\n}}\n"
        );
        // TCP alone; an account's password is asked for before a ticket is given out, as in every Active Directory.
        let server = format!(
            "[kdcdefaults]\nkdc_listen = \"\"\nkdc_tcp_listen = 127.0.0.1:{port}\n\
             [realms]\n{REALM} = {{\n database_name = {}\n key_stash_file = {}\n acl_file = {}\n \
             supported_enctypes = aes256-cts:normal aes128-cts:normal\n default_principal_flags = +preauth\n}}\n\
             [logging]\nkdc = FILE:{}\n",
            at("principal"),
            at("stash"),
            at("acl"),
            at("kdc.log")
        );
        fs::write(at("krb5.conf"), client).unwrap();
        fs::write(at("kdc.conf"), server).unwrap();
        let program = |name: &str| {
            let mut command = Command::new(need(name));
            command.env("KRB5_CONFIG", at("krb5.conf")).env("KRB5_KDC_PROFILE", at("kdc.conf")).args(["-r", REALM]);
            command
        };
        run(program("kdb5_util").args(["create", "-s", "-P", "master"]));
        let service = format!("TERMSRV/{HOST}");
        for (name, password) in [("anna", "geheim"), (service.as_str(), HOST_PASSWORD)] {
            let said = run(program("kadmin.local").args(["-q", &format!("addprinc -pw {password} {name}")]));
            assert!(said.contains("created"), "{said}");
        }
        let log = fs::File::create(at("out")).unwrap();
        let kdc = program("krb5kdc")
            .arg("-n")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let realm = Self { kdc: Some(Running(kdc)), port, folder };
        wait_until("the KDC", Duration::from_secs(10), || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        realm
    }

    /// Connects somebody to a machine that calls itself `host`.
    pub async fn sign_in(&self, user: &str, password: &str, host: &str) -> (ConnectError, Option<AuthIdentity>) {
        attempt(self.port, self.port, user, password, host, true).await
    }

    /// The same, where nobody answers for the realm.
    pub async fn sign_in_alone(&self) -> ConnectError {
        attempt(free_port(), self.port, "anna", "geheim", HOST, true).await.0
    }

    /// At a machine that hangs up on Kerberos.
    pub async fn sign_in_elsewhere(&self) -> ConnectError {
        attempt(self.port, self.port, "anna", "geheim", HOST, false).await.0
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        drop(self.kdc.take());
        if std::thread::panicking() {
            for log in ["out", "kdc.log"] {
                eprintln!("{}", fs::read_to_string(self.folder.path().join(log)).unwrap_or_default());
            }
        }
    }
}

/// A message with the length that it has before it on TCP.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u32).to_be_bytes();
    [&length[..], message].concat()
}

/// One message with its length there, and one back.
async fn over_tcp(port: u16, framed: &[u8]) -> Result<Vec<u8>, std::io::Error> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(framed).await?;
    let mut answer = vec![0; 4];
    stream.read_exact(&mut answer).await?;
    let length = u32::from_be_bytes(answer[..4].try_into().unwrap()) as usize;
    answer.resize(4 + length, 0);
    stream.read_exact(&mut answer[4..]).await?;
    Ok(answer)
}

/// What the server's process is to a session's, whose account this is.
#[derive(Debug)]
struct Line(u16, String);

#[async_trait]
impl Kdc for Line {
    async fn ask(&self, question: Vec<u8>) -> Result<Vec<u8>, String> {
        let asked = Envelope::read(&question).map_err(|error| error.to_string())?;
        assert_eq!(asked.realm.as_deref(), Some(REALM));
        assert!(is_question_of(&asked.message, REALM, &self.1));
        let answer = over_tcp(self.0, &framed(&asked.message)).await.map_err(|error| error.to_string())?;
        Ok(Envelope { realm: None, message: answer[4..].to_vec() }.write())
    }
}

struct People;

impl CredentialsProxy for People {
    type AuthenticationData = AuthIdentity;

    fn auth_data_by_user(&mut self, username: &Username) -> std::io::Result<AuthIdentity> {
        assert_eq!(username.account_name(), "anna");
        Ok(AuthIdentity { username: username.clone(), password: String::new().into() })
    }

    fn auth_data(&mut self) -> std::io::Result<Vec<AuthIdentity>> {
        self.auth_data_by_user(&Username::new_upn("anna", &REALM.to_lowercase()).unwrap()).map(|anna| vec![anna])
    }
}

/// `kdc` is the client's, `machines_kdc` the machine's own.
async fn attempt(
    kdc: u16,
    machines_kdc: u16,
    user: &str,
    password: &str,
    host: &str,
    takes_kerberos: bool,
) -> (ConnectError, Option<AuthIdentity>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let made = rcgen::generate_simple_self_signed(vec![host.to_owned()]).unwrap();
    let pin = oriel_pin::Fingerprint::of(made.cert.der()).0;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let public = made.signing_key.public_key_raw().to_vec();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let account = AuthIdentityBuffers::from_utf8(&format!("TERMSRV/{HOST}"), REALM, HOST_PASSWORD);
    let properties = ServerProperties::new(
        &["TERMSRV", host],
        Some(CredentialsBuffers::AuthIdentity(account)),
        Duration::from_secs(300),
        None,
    )
    .unwrap();
    let machine = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 4];
        stream.read_exact(&mut head).await.unwrap();
        let mut request = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]])) - 4];
        stream.read_exact(&mut request).await.unwrap();
        // X.224 Connection Confirm: PROTOCOL_HYBRID.
        stream.write_all(&[3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0x1f, 8, 0, 2, 0, 0, 0]).await.unwrap();
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap();
        if !takes_kerberos {
            stream.read_u8().await.unwrap();
            return None;
        }
        let kerberos = KerberosServerConfig {
            kerberos_config: KerberosConfig::new("tcp://kdc.test:88", "desk".to_owned()),
            server_properties: properties,
        };
        let config = NegotiateConfig::new(Box::new(kerberos), Some("kerberos".to_owned()), "desk".to_owned());
        let mut credssp = CredSspServer::new(public, People, ServerMode::Negotiate(config)).unwrap();
        let mut have = Vec::new();
        // It asks for a ticket of its own account, which the client's is then made for.
        let own_password = SecretString::from(HOST_PASSWORD);
        let mut exchange = AsExchange::new(&own_password);
        loop {
            let request = loop {
                // Who is not let in leaves.
                have.push(stream.read_u8().await.ok()?);
                if let Ok(length) = TsRequest::read_length(&have[..])
                    && have.len() >= length
                {
                    break TsRequest::from_buffer(&std::mem::take(&mut have)).unwrap();
                }
            };
            let outcome = {
                let mut generator = credssp.process(request);
                let mut state = generator.start();
                loop {
                    match state {
                        GeneratorState::Completed(outcome) => break outcome,
                        GeneratorState::Suspended(NetworkRequest { data, .. }) => {
                            let answer = over_tcp(machines_kdc, &data).await.unwrap();
                            let other = exchange.take(&answer[4..]).map(|message| framed(&message));
                            state = generator.resume(Ok(other.unwrap_or(answer)));
                        }
                    }
                }
            };
            match outcome {
                Ok(ServerState::ReplyNeeded(reply)) => {
                    let mut bytes = Vec::new();
                    reply.encode_ts_request(&mut bytes).unwrap();
                    stream.write_all(&bytes).await.unwrap();
                }
                Ok(ServerState::Finished(identity)) => return Some(identity),
                Err(error) => {
                    eprintln!("the machine: {}", error.error);
                    return None;
                }
            }
        }
    });
    let account =
        KerberosAccount { realm: REALM.to_owned(), user: user.to_owned(), host: host.to_owned(), or_ntlm: false };
    let options = RdpOptions {
        user: user.to_owned(),
        password: password.to_owned().into(),
        domain: Some(REALM.to_owned()),
        width: 800,
        height: 600,
        scale: 100,
        monitors: None,
        keyboard: "us".to_owned(),
        certificate: HostPin::Sha256(pin),
        keeper: None,
        security: oriel_rdp::Security::Any,
        kerberos: Some(KerberosOptions { account, kdc: Arc::new(Line(kdc, user.to_owned())) }),
        client_name: "oriel-test".to_owned(),
        pipeline: oriel_rdp::Pipeline::Off,
        devices: oriel_rdp::Devices::default(),
        drive: None,
        session: oriel_rdp::SessionOptions::default(),
        gateway: None,
        continuation: oriel_rdp::Continuation::default(),
    };
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    // The machine has no session to give.
    let Err(error) = oriel_rdp::connect(stream, options).await else { panic!("no session was there") };
    (error, machine.await.unwrap())
}
