//! What happens to one session's process happens to that session alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use async_trait::async_trait;
use bytes::Bytes;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{SinkExt, StreamExt};
use oriel_gateway::worker::WorkerProgram;
use oriel_gateway::{DialError, Dialler, Gateway, HostPin, Protocol, RdpKerberos, RdpTarget, Target, ViewerRequest};
use oriel_kerberos::{Envelope, is_question_of};
use oriel_model::{DesktopId, GuestPort, UserId};
use oriel_screen::ByeCode;
use oriel_screen::wire::{PROTOCOL_VERSION, ServerRecord, ViewerHello, ViewerRecord};
use rustls::pki_types::PrivateKeyDer;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

const PATIENCE: Duration = Duration::from_mins(1);

/// A VNC server (RFC 6143) that shows nothing.
async fn machine(mut stream: DuplexStream, side: u16) -> std::io::Result<()> {
    stream.write_all(b"RFB 003.008\n").await?;
    stream.read_exact(&mut [0; 12]).await?;
    stream.write_all(&[1, 1]).await?;
    stream.read_u8().await?;
    stream.write_all(&[0, 0, 0, 0]).await?;
    stream.read_u8().await?;
    stream.write_u16(side).await?;
    stream.write_u16(side).await?;
    stream.write_all(&[32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16, 0, 0, 0, 0, 0, 0, 4]).await?;
    stream.write_all(b"test").await?;
    loop {
        stream.read_u8().await?;
    }
}

/// Every desktop is such a server; its side in pixels.
struct Machines(u16);

#[async_trait]
impl Dialler for Machines {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        tokio::spawn(machine(theirs, self.0));
        let protocol = Protocol::console();
        Ok(Target {
            title: "machine".into(),
            stream: Box::new(ours),
            protocol,
            policy: oriel_model::SessionPolicy::default(),
        })
    }
}

fn gateway(side: u16, environment: &[(&str, &str)]) -> Gateway {
    gateway_of(Arc::new(Machines(side)), environment)
}

fn gateway_of(dialler: Arc<dyn Dialler>, environment: &[(&str, &str)]) -> Gateway {
    let program = WorkerProgram {
        program: env!("CARGO_BIN_EXE_oriel-session-worker").into(),
        arguments: Vec::new(),
        environment: environment.iter().map(|(name, value)| (name.into(), value.into())).collect(),
    };
    Gateway::with_workers(dialler, program)
}

/// DER, of few bytes.
fn element(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let mut bytes = vec![tag, content.len() as u8];
    bytes.extend(content);
    bytes
}

/// A machine of a domain, as far as to say that it takes Kerberos: X.224 and TLS, then a token (RFC 4178 4.2.2, krb5) in a `TSRequest`
/// (MS-CSSP 2.2.1).
async fn of_domain(mut stream: DuplexStream) -> std::io::Result<()> {
    let made = rcgen::generate_simple_self_signed(vec!["desk".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let mut request = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]])) - 4];
    stream.read_exact(&mut request).await?;
    stream.write_all(&[3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0x1f, 8, 0, 2, 0, 0, 0]).await?;
    let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await?;
    stream.read_u8().await?;
    let krb5 = element(0x06, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2]]);
    let chosen = element(0x30, &[&element(0xa0, &[&[0x0a, 1, 1]]), &element(0xa1, &[&krb5])]);
    let token = element(0x04, &[&element(0xa1, &[&chosen])]);
    let tokens = element(0x30, &[&element(0x30, &[&element(0xa0, &[&token])])]);
    let version = element(0xa0, &[&[0x02, 1, 6]]);
    stream.write_all(&element(0x30, &[&version, &element(0xa1, &[&tokens])])).await?;
    loop {
        stream.read_u8().await?;
    }
}

/// Every desktop is such a machine, and the KDC knows nobody; how often it was asked.
#[derive(Default)]
struct Domain(AtomicUsize);

#[async_trait]
impl Dialler for Domain {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        tokio::spawn(of_domain(theirs));
        let kerberos = RdpKerberos {
            realm: "ORIEL.TEST".into(),
            user: "anna".into(),
            host: "desk.oriel.test".into(),
            or_ntlm: false,
        };
        let target = RdpTarget::new("anna", "geheim".to_owned().into(), HostPin::FirstUse);
        let protocol = Protocol::Rdp(Box::new(RdpTarget { kerberos: Some(kerberos), ..target }));
        let policy = oriel_model::SessionPolicy::default();
        Ok(Target { title: "desk".into(), stream: Box::new(ours), protocol, policy })
    }

    async fn ask_kdc(&self, _: DesktopId, question: &[u8]) -> Result<Vec<u8>, DialError> {
        let asked = Envelope::read(question).unwrap();
        assert_eq!(asked.realm.as_deref(), Some("ORIEL.TEST"));
        assert!(is_question_of(&asked.message, "ORIEL.TEST", "anna"));
        assert!(!is_question_of(&asked.message, "ORIEL.TEST", "bert"));
        self.0.fetch_add(1, Ordering::Relaxed);
        // KRB-ERROR (RFC 4120 5.9.1): KDC_ERR_C_PRINCIPAL_UNKNOWN.
        let number = |tag: u8, value: u8| element(tag, &[&[0x02, 1, value]]);
        let service = [element(0x1b, &[b"krbtgt"]), element(0x1b, &[b"ORIEL.TEST"])];
        let service = element(0xa1, &[&element(0x30, &[&service[0], &service[1]])]);
        let fields = [
            number(0xa0, 5),
            number(0xa1, 30),
            element(0xa4, &[&element(0x18, &[b"20261130095841Z"])]),
            number(0xa5, 1),
            number(0xa6, 6),
            element(0xa9, &[&element(0x1b, &[b"ORIEL.TEST"])]),
            element(0xaa, &[&element(0x30, &[&number(0xa0, 2), &service])]),
        ];
        let message = element(0x7e, &[&element(0x30, &[&fields.concat()])]);
        Ok(Envelope { realm: None, message }.write())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_network_asks_the_kdc() {
    let domain = Arc::new(Domain::default());
    let gateway = gateway_of(Arc::clone(&domain) as Arc<dyn Dialler>, &[]);
    let (code, text) = Viewer::at(&gateway, GuestPort::Rdp).bye().await;
    assert!(text.contains("ORIEL.TEST knows no account anna"), "{text}");
    assert_eq!(code, ByeCode::CredentialsRefused);
    assert!(domain.0.load(Ordering::Relaxed) > 0);
}

struct Viewer {
    said: UnboundedReceiver<Bytes>,
    _open: UnboundedSender<Bytes>,
}

impl Viewer {
    fn open(gateway: &Gateway) -> Self {
        Self::at(gateway, GuestPort::Console)
    }

    fn at(gateway: &Gateway, port: GuestPort) -> Self {
        let (typed, incoming) = unbounded();
        let (outgoing, said) = unbounded();
        let gateway = gateway.clone();
        let request = ViewerRequest {
            user: UserId::new(),
            desktop: DesktopId::new(),
            port,
            person: "ada".into(),
            resume: None,
            guest: None,
            seat: None,
            app: None,
        };
        let viewing = async move { gateway.attach(request, incoming, outgoing.sink_map_err(|_| ())).await };
        tokio::spawn(viewing);
        let mut hello = Vec::new();
        let words =
            ViewerHello { version: PROTOCOL_VERSION, width: 800, height: 600, scale: 100, ..ViewerHello::default() };
        ViewerRecord::Hello(words).encode(&mut hello);
        typed.unbounded_send(hello.into()).unwrap();
        Self { said, _open: typed }
    }

    /// The record that is looked for, or the end.
    async fn until<T>(&mut self, wanted: impl Fn(&ServerRecord) -> Option<T>) -> Option<T> {
        while let Some(message) = timeout(PATIENCE, self.said.next()).await.expect("nothing came") {
            for record in ServerRecord::decode_all(&message).unwrap() {
                if let Some(found) = wanted(&record) {
                    return Some(found);
                }
            }
        }
        None
    }

    async fn size(&mut self) -> (u16, u16) {
        let size = |record: &ServerRecord| match record {
            ServerRecord::Resize { width, height } => Some((*width, *height)),
            _ => None,
        };
        self.until(size).await.expect("no picture")
    }

    async fn bye(&mut self) -> (ByeCode, String) {
        let bye = |record: &ServerRecord| match record {
            ServerRecord::Bye { code, text } => Some((*code, text.clone())),
            _ => None,
        };
        self.until(bye).await.expect("the gateway hung up without a word")
    }
}

/// Our own processes, oldest first.
fn workers() -> Vec<u32> {
    let own = std::process::id().to_string();
    let mut found: Vec<u32> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .filter(|id| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            fields.get(1) == Some(&own.as_str()) && fields.first() != Some(&"Z")
        })
        .collect();
    found.sort_unstable();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn each_session_has_a_process_that_holds_nothing_of_others_and_ends_with_it() {
    // What the server has open: its database.
    let secret = tempfile::NamedTempFile::new().unwrap();
    let gateway = gateway(64, &[]);
    let (mut one, mut two) = (Viewer::open(&gateway), Viewer::open(&gateway));
    assert_eq!((one.size().await, two.size().await), ((64, 64), (64, 64)));
    let running = workers();
    assert_eq!(running.len(), 2);
    for id in &running {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        assert!(status.contains("\nSeccomp:\t2\n") && status.contains("\nNoNewPrivs:\t1\n"), "{status}");
        // Only root may look further: it says that it is nobody's to look into.
        let Ok(environment) = std::fs::read(format!("/proc/{id}/environ")) else { continue };
        // It keeps a library from looking for KDCs in files and in DNS, and leads nowhere.
        assert_eq!(String::from_utf8_lossy(&environment), "SSPI_KDC_URL=https://kdc.invalid/KdcProxy\0");
        let open = std::fs::read_dir(format!("/proc/{id}/fd")).unwrap();
        let open: Vec<String> = open
            .filter_map(|entry| Some(std::fs::read_link(entry.unwrap().path()).ok()?.to_str()?.to_owned()))
            .collect();
        // Its log is ours, and what this test was started with open is nobody's secret.
        assert!(!open.contains(&secret.path().to_str().unwrap().to_owned()), "{open:?}");
        assert!(open.iter().filter(|target| target.starts_with("socket:")).count() >= 2, "{open:?}");
    }
    gateway.end_where(|_, _| true, ByeCode::EndedByAdmin, "enough").await;
    assert_eq!(one.bye().await, (ByeCode::EndedByAdmin, "enough".into()));
    timeout(PATIENCE, async {
        while !workers().is_empty() {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("they stayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_takes_its_own_session_along_and_says_so() {
    let gateway = gateway(64, &[]);
    let mut first = Viewer::open(&gateway);
    first.size().await;
    let victim = workers()[0];
    let mut second = Viewer::open(&gateway);
    second.size().await;
    let victim = rustix::process::Pid::from_raw(victim as i32).unwrap();
    rustix::process::kill_process(victim, rustix::process::Signal::KILL).unwrap();
    let (code, text) = first.bye().await;
    assert_eq!(code, ByeCode::Internal);
    assert!(text.contains("ended unexpectedly") && text.contains("SIGKILL"), "{text}");
    assert_eq!(gateway.connections().len(), 1, "the other goes on");
    let mut again = Viewer::open(&gateway);
    again.size().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_beyond_the_memory_of_a_session_ends_that_session() {
    // 4 bytes a pixel: 256 MiB.
    let greedy = gateway(8192, &[("ORIEL_WORKER_MEMORY_MIB", "64"), ("ORIEL_WORKER_LOG", "error")]);
    let (code, text) = Viewer::open(&greedy).bye().await;
    assert!(matches!(code, ByeCode::Internal | ByeCode::Protocol), "{code:?} {text}");
    let modest = gateway(64, &[("ORIEL_WORKER_MEMORY_MIB", "64")]);
    assert_eq!(Viewer::open(&modest).size().await, (64, 64));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_is_said_to_be_missing() {
    let program = WorkerProgram { program: "/nowhere/worker".into(), arguments: Vec::new(), environment: Vec::new() };
    let gateway = Gateway::with_workers(Arc::new(Machines(64)), program);
    let (code, text) = Viewer::open(&gateway).bye().await;
    assert_eq!(code, ByeCode::Internal);
    assert!(text.contains("cannot be started") && text.contains("No such file"), "{text}");
}
