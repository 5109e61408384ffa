//! A shell in a container of a Kubernetes cluster: `exec`, or `attach` where no command is given (Kubernetes API, the
//! subresources of pods; streams over WebSocket as KEP-4006 has them).
//!
//! ```text
//!  stream ─▶ TLS to the pinned API server ─▶ WebSocket, v5.channel.k8s.io or v4 ─▶ channels: 0 in, 1 out, 2 err, 3 how it ended, 4 size
//! ```

mod channel;
mod reader;

pub(crate) use reader::Reader;

use crate::shell::Write;
use crate::ssh::question::shown;
use crate::{Backspace, Shell, Stream, TerminalError};
use channel::{input, resized};
use futures::stream::SplitSink;
use futures::{SinkExt as _, StreamExt as _};
use oriel_pin::tls::{Proof, TlsError, begin_as};
use oriel_pin::{Fingerprint, HostPin, Keeper};
use secrecy::{ExposeSecret as _, SecretString};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

/// Largest message that is taken. Clusters send what a program wrote at once, some 32 KiB.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Most words of a command.
const WORDS_MAX: usize = 256;
/// How often the cluster is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Why we were refused, as much as is read of it.
const REFUSAL_CHARS_MAX: usize = 300;
/// The API server's name inside its own cluster, which every certificate of one has. The address is the dialler's affair.
const HOST: &str = "kubernetes.default.svc";

/// How to open a shell in a container.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct KubernetesOptions {
    pub namespace: String,
    pub pod: String,
    /// The pod's default one when unset.
    pub container: Option<String>,
    /// Run in the container, in words as a shell separates them, without one; what runs there already is attached to when unset.
    pub command: Option<String>,
    /// A bearer token: of a service account, for instance.
    #[serde(with = "oriel_model::carried::option")]
    pub token: Option<SecretString>,
    /// A client certificate's chain as PEM, and its key below.
    pub certificate: Option<String>,
    #[serde(with = "oriel_model::carried::option")]
    pub private_key: Option<SecretString>,
    /// The API server.
    pub pin: HostPin,
    /// Told the certificate that is met for the first time.
    #[serde(skip)]
    pub keeper: Option<Arc<dyn Keeper>>,
    pub columns: u16,
    pub rows: u16,
    pub backspace: Backspace,
}

impl KubernetesOptions {
    pub fn new(namespace: impl Into<String>, pod: impl Into<String>, pin: HostPin) -> Self {
        Self {
            namespace: namespace.into(),
            pod: pod.into(),
            container: None,
            command: None,
            token: None,
            certificate: None,
            private_key: None,
            pin,
            keeper: None,
            columns: 80,
            rows: 24,
            backspace: Backspace::default(),
        }
    }

    /// What is asked for, from the path on.
    fn question(&self) -> Result<String, TerminalError> {
        let bad = |why: &str| TerminalError::BadCommand(why.to_owned());
        let words = match &self.command {
            Some(command) => shlex::split(command).ok_or_else(|| bad("a quotation mark is not closed"))?,
            None => Vec::new(),
        };
        if self.command.is_some() && (words.is_empty() || words.len() > WORDS_MAX) {
            return Err(bad("it must have 1 to 256 words"));
        }
        let verb = if words.is_empty() { "attach" } else { "exec" };
        let (namespace, pod) = (encoded(&self.namespace), encoded(&self.pod));
        let mut text =
            format!("/api/v1/namespaces/{namespace}/pods/{pod}/{verb}?stdin=true&stdout=true&stderr=false&tty=true");
        let fields = self.container.iter().map(|name| ("container", name));
        for (name, value) in fields.chain(words.iter().map(|word| ("command", word))) {
            // Writing to a string cannot fail.
            write!(text, "&{name}={}", encoded(value)).ok();
        }
        Ok(text)
    }
}

/// Percent-encoded but for unreserved characters (RFC 3986 section 2.3).
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").ok();
        }
    }
    out
}

type Socket<S> = WebSocketStream<TlsStream<S>>;

/// Opens a shell. The caller bounds the time.
///
/// # Errors
/// It is not the pinned API server, or that refuses.
pub async fn connect<S>(stream: S, options: KubernetesOptions) -> Result<Shell, TerminalError>
where
    S: Stream + 'static,
{
    let proof = match (&options.certificate, &options.private_key) {
        (Some(chain), Some(key)) => Some(
            Proof::from_pem(chain, key.expose_secret())
                .map_err(|(what, why)| TerminalError::BadCredentials { what, why })?,
        ),
        _ => None,
    };
    let question = options.question()?;
    let (tls, seen) = begin_as(stream, options.pin, proof).await.map_err(not_it)?;
    if let (HostPin::FirstUse, Some(keeper)) = (options.pin, &options.keeper) {
        keeper.met(0, &seen.to_string()).await.map_err(TerminalError::HostKeyNotKept)?;
    }
    let address: Uri = format!("wss://{HOST}{question}")
        .parse()
        .map_err(|_| TerminalError::BadCommand("it is too long".to_owned()))?;
    let mut request = ClientRequestBuilder::new(address)
        .with_sub_protocol("v5.channel.k8s.io")
        .with_sub_protocol("v4.channel.k8s.io");
    if let Some(token) = &options.token {
        request = request.with_header("Authorization", format!("Bearer {}", token.expose_secret().trim()));
    }
    let config =
        WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX)).max_frame_size(Some(MESSAGE_BYTES_MAX));
    let (socket, _) = tokio_tungstenite::client_async_with_config(request, tls, Some(config)).await.map_err(refused)?;
    let (output, input) = socket.split();
    let (writes, queue) = crate::shell::queue();
    tokio::spawn(write(queue, output, (options.columns, options.rows)));
    Ok(Shell::kubernetes(Reader::new(Box::new(input)), writes, options.backspace))
}

/// The certificate that the API server shows, asked for before anything is told to it. The caller bounds the time.
///
/// # Errors
/// It does not speak TLS.
pub async fn look<S: Stream>(stream: S) -> Result<Fingerprint, TerminalError> {
    begin_as(stream, HostPin::FirstUse, None).await.map(|(_, seen)| seen).map_err(not_it)
}

fn not_it(error: TlsError) -> TerminalError {
    match error {
        TlsError::Changed { expected, seen } => {
            TerminalError::CertificateChanged { expected: expected.to_string(), seen: seen.to_string() }
        }
        TlsError::Failed(why) => TerminalError::ClusterUnreachable(why),
    }
}

/// Why the API server opened no stream: its answer is a `Status` of the API (meta/v1).
fn refused(error: WsError) -> TerminalError {
    let WsError::Http(response) = error else {
        return TerminalError::ClusterUnreachable(error.to_string());
    };
    let status = response.status().as_u16();
    let said = response.body().as_deref().and_then(channel::message).unwrap_or_default();
    let said: String = shown(&said).chars().take(REFUSAL_CHARS_MAX).collect();
    let said = if said.is_empty() { format!("HTTP status {status}") } else { said };
    match status {
        401 => TerminalError::ClusterUnknown(said),
        403 => TerminalError::ClusterForbids(said),
        _ => TerminalError::ClusterRefused(said),
    }
}

/// Writes in order, apart from reading, and asks now and then whether anybody is there.
async fn write<S: Stream>(
    mut queue: mpsc::Receiver<Write>,
    mut output: SplitSink<Socket<S>, Message>,
    (columns, rows): (u16, u16),
) {
    let mut message = resized(columns, rows);
    let mut pulse = tokio::time::interval(KEEPALIVE);
    loop {
        if output.send(message).await.is_err() {
            return;
        }
        message = tokio::select! {
            write = queue.recv() => match write {
                Some(Write::Data(bytes) | Write::Reply(bytes)) => input(&bytes),
                Some(Write::Resize { columns, rows }) => resized(columns, rows),
                None => break,
            },
            _ = pulse.tick() => Message::Ping(bytes::Bytes::new()),
        };
    }
    output.close().await.ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for() {
        let mut options = KubernetesOptions::new("default", "web-0", HostPin::FirstUse);
        let asked = |options: &KubernetesOptions| options.question().unwrap();
        const TTY: &str = "stdin=true&stdout=true&stderr=false&tty=true";
        assert_eq!(asked(&options), format!("/api/v1/namespaces/default/pods/web-0/attach?{TTY}"));
        options.container = Some("app".into());
        options.command = Some("sh -c 'echo \"a&b\" ä'".into());
        assert_eq!(
            asked(&options),
            format!(
                "/api/v1/namespaces/default/pods/web-0/exec?{TTY}&container=app&command=sh&command=-c\
                 &command=echo%20%22a%26b%22%20%C3%A4"
            )
        );
        options.pod = "../../x?y".into();
        assert!(asked(&options).starts_with("/api/v1/namespaces/default/pods/..%2F..%2Fx%3Fy/exec?"));
        for bad in ["sh -c 'x", "", "  "] {
            options.command = Some(bad.into());
            assert!(matches!(options.question(), Err(TerminalError::BadCommand(_))), "{bad:?}");
        }
    }
}
