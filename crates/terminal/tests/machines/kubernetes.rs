//! Shells in containers, against an API server made for the tests: what clusters answer is written down in the API's reference,
//! and no cluster can be had here. Its containers are this machine's programs in a terminal of `script`.

use futures::{SinkExt as _, StreamExt as _};
use oriel_pin::{Fingerprint, HostPin, Keeper};
use oriel_terminal::kubernetes::{connect, look};
use oriel_terminal::{KubernetesOptions, Shell, TerminalError, TerminalEvent};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

const TOKEN: &str = "token-of-a-service-account";
const PATIENCE: Duration = Duration::from_secs(20);

/// What the server was asked and told.
#[derive(Default)]
struct Heard {
    questions: Vec<String>,
    sizes: Vec<String>,
}

struct Cluster {
    address: std::net::SocketAddr,
    its: Fingerprint,
    heard: Arc<Mutex<Heard>>,
    /// A certificate that it believes, and the key to it.
    client: (String, String),
}

/// With `wants_certificate`, whoever shows one needs no token.
async fn cluster(wants_certificate: bool) -> Cluster {
    let made = rcgen::generate_simple_self_signed(["kubernetes.default.svc".to_owned()]).unwrap();
    let client = rcgen::generate_simple_self_signed(["anna".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
    let config = if wants_certificate {
        let mut roots = RootCertStore::empty();
        roots.add(client.cert.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .allow_unauthenticated()
            .build()
            .unwrap();
        config.with_client_cert_verifier(verifier)
    } else {
        config.with_no_client_auth()
    };
    let der = made.cert.der().clone();
    let its = Fingerprint::of(&der);
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(vec![der], key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Heard::default()));
    let told = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, told) = (acceptor.clone(), Arc::clone(&told));
            tokio::spawn(async move { serve(stream, acceptor, told).await });
        }
    });
    Cluster { address, its, heard, client: (client.cert.pem(), client.signing_key.serialize_pem()) }
}

/// A `Status` of the API.
fn status(code: u16, reason: &str, message: &str) -> String {
    format!(
        "{{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{{}},\"status\":\"Failure\",\"message\":{},\
         \"reason\":\"{reason}\",\"code\":{code}}}",
        serde_json::to_string(message).unwrap()
    )
}

#[allow(clippy::result_large_err, reason = "the library's own type")]
fn admit(request: &Request, known: bool, told: &Mutex<Heard>) -> Result<Response, ErrorResponse> {
    let question = request.uri().to_string();
    told.lock().unwrap().questions.push(question.clone());
    let refuse = |code: u16, reason: &str, message: &str| {
        let response = Response::builder().status(code).header("Content-Type", "application/json");
        Err(response.body(Some(status(code, reason, message))).unwrap())
    };
    let token = request.headers().get("Authorization").is_some_and(|given| given == &format!("Bearer {TOKEN}"));
    if !known && !token {
        return refuse(401, "Unauthorized", "Unauthorized");
    }
    if question.contains("/namespaces/kube-system/") {
        return refuse(
            403,
            "Forbidden",
            "pods \"web-0\" is forbidden: User \"anna\" cannot create resource \"pods/exec\"",
        );
    }
    if !question.contains("/pods/web-0/") {
        return refuse(404, "NotFound", "pods \"nobody\" not found\u{1b}[2J");
    }
    let offered = request.headers().get("Sec-WebSocket-Protocol").and_then(|offered| offered.to_str().ok());
    assert_eq!(offered, Some("v5.channel.k8s.io, v4.channel.k8s.io"));
    let response = Response::builder().status(101).header("Sec-WebSocket-Protocol", "v5.channel.k8s.io");
    let key = request.headers().get("Sec-WebSocket-Key").unwrap().as_bytes();
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key);
    Ok(response
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Accept", accept)
        .body(())
        .unwrap())
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, told: Arc<Mutex<Heard>>) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let known = stream.get_ref().1.peer_certificates().is_some();
    let mut question = String::new();
    #[allow(clippy::result_large_err, reason = "the library's own type")]
    let callback = |request: &Request, _| {
        question = request.uri().to_string();
        admit(request, known, &told)
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, callback).await else { return };
    let words: Vec<String> = question
        .split('&')
        .filter_map(|field| field.strip_prefix("command="))
        .map(|word| format!("'{}'", word.replace("%20", " ").replace("%27", "'").replace("%3B", ";")))
        .collect();
    let command = if words.is_empty() { "exec cat".to_owned() } else { words.join(" ") };
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--echo", "always", "--command", &command, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut out, mut input) = socket.split();
    tokio::spawn(async move {
        while let Some(Ok(message)) = input.next().await {
            let data = message.into_data();
            match data.first() {
                Some(0) => stdin.write_all(&data[1..]).await.unwrap(),
                Some(4) => told.lock().unwrap().sizes.push(String::from_utf8(data[1..].to_vec()).unwrap()),
                _ => {}
            }
        }
    });
    let mut buffer = vec![0; 4096];
    while let Ok(length) = stdout.read(&mut buffer).await
        && length > 0
    {
        let mut message = vec![1];
        message.extend_from_slice(&buffer[..length]);
        out.send(Message::Binary(message.into())).await.unwrap();
    }
    let code = child.wait().await.unwrap().code().unwrap();
    let end = if code == 0 {
        "\u{3}{\"metadata\":{},\"status\":\"Success\"}".to_owned()
    } else {
        format!(
            "\u{3}{{\"metadata\":{{}},\"status\":\"Failure\",\"message\":\"command terminated with non-zero exit code\",\"reason\":\
             \"NonZeroExitCode\",\"details\":{{\"causes\":[{{\"reason\":\"ExitCode\",\"message\":\"{code}\"}}]}}}}"
        )
    };
    out.send(Message::Binary(end.into_bytes().into())).await.unwrap();
    out.close().await.ok();
}

#[derive(Debug, Default)]
struct Kept(Mutex<Vec<String>>);

#[async_trait::async_trait]
impl Keeper for Kept {
    async fn met(&self, hop: usize, identity: &str) -> Result<(), String> {
        assert_eq!(hop, 0);
        self.0.lock().unwrap().push(identity.to_owned());
        Ok(())
    }
}

fn options(pin: HostPin) -> KubernetesOptions {
    KubernetesOptions { token: Some(TOKEN.to_owned().into()), ..KubernetesOptions::new("default", "web-0", pin) }
}

async fn open(cluster: &Cluster, options: KubernetesOptions) -> Result<Shell, TerminalError> {
    let stream = TcpStream::connect(cluster.address).await.unwrap();
    timeout(PATIENCE, connect(stream, options)).await.unwrap()
}

/// What it says until it contains `text`.
async fn until(shell: &mut Shell, text: &str) -> String {
    let mut said = String::new();
    while !said.contains(text) {
        match timeout(PATIENCE, shell.next()).await.unwrap_or_else(|_| panic!("no {text:?} in {said:?}")) {
            Some(TerminalEvent::Data(bytes)) => said.push_str(&String::from_utf8_lossy(&bytes)),
            other => panic!("{other:?} after {said:?}"),
        }
    }
    said
}

#[tokio::test]
async fn a_shell_in_a_container() {
    let cluster = cluster(false).await;
    let kept = Arc::new(Kept::default());
    let first = KubernetesOptions {
        container: Some("app".into()),
        command: Some("sh".into()),
        keeper: Some(Arc::clone(&kept) as Arc<dyn Keeper>),
        ..options(HostPin::FirstUse)
    };
    let mut shell = open(&cluster, first).await.unwrap();
    assert_eq!(*kept.0.lock().unwrap(), [cluster.its.to_string()]);
    shell.resize(120, 40).await.unwrap();
    shell.write(b"echo $((6 * 7))-times\r").await.unwrap();
    until(&mut shell, "42-times").await;
    shell.write(b"exit 7\r").await.unwrap();
    let end = loop {
        match timeout(PATIENCE, shell.next()).await.unwrap() {
            Some(TerminalEvent::Data(_)) => {}
            other => break other,
        }
    };
    assert_eq!(end, Some(TerminalEvent::Exit { code: Some(7), signal: None }));
    assert_eq!(shell.next().await, None);
    let heard = cluster.heard.lock().unwrap();
    assert_eq!(
        heard.questions,
        [
            "/api/v1/namespaces/default/pods/web-0/exec?stdin=true&stdout=true&stderr=false&tty=true&container=app&command=sh"
        ]
    );
    assert_eq!(heard.sizes, ["{\"Width\":80,\"Height\":24}", "{\"Width\":120,\"Height\":40}"]);
}

#[tokio::test]
async fn what_runs_there_is_attached_to() {
    let cluster = cluster(false).await;
    let mut shell = open(&cluster, options(HostPin::Sha256(cluster.its.0))).await.unwrap();
    shell.write("gr\u{fc}n\r".as_bytes()).await.unwrap();
    until(&mut shell, "gr\u{fc}n\r\ngr\u{fc}n").await;
    assert!(cluster.heard.lock().unwrap().questions[0].contains("/pods/web-0/attach?"));
}

#[tokio::test]
async fn a_cluster_that_wants_a_certificate() {
    let cluster = cluster(true).await;
    let (certificate, key) = cluster.client.clone();
    let mut with = KubernetesOptions {
        token: None,
        certificate: Some(certificate),
        private_key: Some(key.into()),
        command: Some("sh -c 'echo in; exit'".into()),
        ..options(HostPin::Sha256(cluster.its.0))
    };
    until(&mut open(&cluster, with.clone()).await.unwrap(), "in\r\n").await;
    with.private_key = Some("no key".to_owned().into());
    let error = open(&cluster, with).await.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("private key") && !error.contains("no key"), "{error}");
}

#[tokio::test]
async fn clusters_that_refuse_say_why() {
    let cluster = cluster(false).await;
    let pin = HostPin::Sha256(cluster.its.0);
    let why = async |options| open(&cluster, options).await.map(|_| ()).unwrap_err();
    let stranger = KubernetesOptions { token: Some("wrong".to_owned().into()), ..options(pin) };
    let error = why(stranger).await;
    assert!(matches!(error, TerminalError::ClusterUnknown(_)) && !error.to_string().contains("wrong"), "{error}");
    let error = why(KubernetesOptions { namespace: "kube-system".into(), ..options(pin) }).await;
    assert!(error.to_string().contains("cannot create resource \"pods/exec\""), "{error}");
    let error = why(KubernetesOptions { pod: "nobody".into(), ..options(pin) }).await;
    assert_eq!(error.to_string(), "the cluster refused: pods \"nobody\" not found[2J");
    let error = why(options(HostPin::Sha256([7; 32]))).await.to_string();
    assert!(error.contains(&cluster.its.to_string()) && error.contains(&"07".repeat(32)), "{error}");
    assert_eq!(cluster.heard.lock().unwrap().questions.len(), 3, "a cluster that is another one is told nothing");
}

#[tokio::test]
async fn a_cluster_is_looked_at_before_anything_is_told_to_it() {
    let cluster = cluster(false).await;
    let stream = TcpStream::connect(cluster.address).await.unwrap();
    assert_eq!(look(stream).await.unwrap(), cluster.its);
    assert!(cluster.heard.lock().unwrap().questions.is_empty());
    // One that does not speak TLS.
    let (near, mut far) = tokio::io::duplex(1024);
    far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    assert!(matches!(look(near).await, Err(TerminalError::ClusterUnreachable(_))));
}
