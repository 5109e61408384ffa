//! The HTTP in front of a gateway's packets: who we are, and the upgrade to a WebSocket or the two channels (MS-TSGU 2.2.3 and 3.3.5.1,
//! RFC 6455 §4.1).

use super::GatewayOptions;
use super::channels::Body;
use super::ntlm::Exchange;
use crate::error::ConnectError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oriel_pin::HostPin;
use secrecy::ExposeSecret as _;
use std::fmt::Write as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Largest head of an answer in bytes; a challenge of NTLM has some hundred.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Largest page that a refusal brings.
const BODY_BYTES_MAX: u64 = 256 << 10;
/// Answers until a request is taken: NTLM needs two before it, a change of the way to sign in one more.
const ANSWERS_MAX: usize = 5;

/// The methods of both directions (MS-TSGU 2.2.3.1).
const OUT: &str = "RDG_OUT_DATA";
const IN: &str = "RDG_IN_DATA";
/// A request that brings nothing, and is not the connection's last.
const EMPTY: &str = "Connection: Keep-Alive\r\nContent-Length: 0\r\n";
/// One that goes on for as long as the session.
const ENDLESS: &str = "Connection: Keep-Alive\r\nTransfer-Encoding: chunked\r\n";
/// How what stands in front of a gateway, and does not pass WebSockets on, may answer the upgrade.
const NOT_UPGRADED: [u16; 4] = [400, 426, 501, 502];

/// What became of an upgrade.
pub(super) enum Upgraded {
    /// What follows on the stream is the WebSocket's first byte.
    WebSocket,
    /// Whoever answers knows no WebSockets, and took the request for that of the OUT channel, whose first byte follows.
    Out(Body),
    /// It is refused with this status, and the gateway may have the two channels.
    Not(u16),
}

/// Signs in and asks for a WebSocket. Other answers lead on only where the gateway can be dialled again.
pub(super) async fn upgrade<S>(
    stream: &mut S,
    options: &GatewayOptions,
    connection: &str,
) -> Result<Upgraded, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // What a WebSocket's key proves, that no cache answers, TLS to a pinned gateway has proven: the answer to it is not looked at.
    let key = STANDARD.encode(rand::random::<[u8; 16]>());
    let headers = format!(
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
    );
    let (answer, _) = ask(stream, options, &Request { method: OUT, connection, headers: &headers }).await?;
    match answer.status {
        101 if answer.is_websocket() => Ok(Upgraded::WebSocket),
        200 if options.way.is_some() => Ok(Upgraded::Out(answer.body()?)),
        status if options.way.is_some() && NOT_UPGRADED.contains(&status) => Ok(Upgraded::Not(status)),
        status => Err(unexpected(status)),
    }
}

/// Signs in and opens the OUT channel, whose first byte follows on the stream.
pub(super) async fn out_channel<S>(
    stream: &mut S,
    options: &GatewayOptions,
    connection: &str,
) -> Result<Body, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (answer, _) = ask(stream, options, &Request { method: OUT, connection, headers: EMPTY }).await?;
    match answer.status {
        200 => answer.body(),
        status => Err(unexpected(status)),
    }
}

/// Signs in and opens the IN channel: chunks may be sent.
pub(super) async fn in_channel<S>(
    stream: &mut S,
    options: &GatewayOptions,
    connection: &str,
) -> Result<(), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (answer, authorization) = ask(stream, options, &Request { method: IN, connection, headers: EMPTY }).await?;
    if answer.status != 200 {
        return Err(ConnectError::Gateway(format!(
            "it does not take the IN channel beside the OUT channel (HTTP status {}); where several gateways share an address, both \
             connections must reach the same one",
            answer.status
        )));
    }
    if answer.closes {
        return Err(ConnectError::Gateway("it closed the connection of the IN channel".to_owned()));
    }
    answer.skip(stream).await?;
    // By NTLM the connection is signed in, by Basic each request.
    let endless = Request { method: IN, connection, headers: ENDLESS };
    send(stream, &endless.head(options, authorization.as_deref())).await
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, head: &str) -> Result<(), ConnectError> {
    let broken = |error: std::io::Error| ConnectError::Gateway(format!("the connection broke ({error})"));
    stream.write_all(head.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)
}

/// Signs in with a request. Returns what is answered to who is known, and what the next request on the connection must say of it.
async fn ask<S>(
    stream: &mut S,
    options: &GatewayOptions,
    request: &Request<'_>,
) -> Result<(Answer, Option<String>), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if options.user.is_empty() {
        let what = "it wants an account, and none is kept for it: enter gateway_user and its password, or the machine's account";
        return Err(ConnectError::GatewayRefused(what.to_owned()));
    }
    let mut exchange = Exchange::new(&options.user, options.domain.as_deref(), &options.password)?;
    // Without being asked: gateways of Windows know NTLM, and it tells nobody the password.
    let (mut scheme, mut authorization) = ("NTLM", format!("NTLM {}", STANDARD.encode(exchange.message(&[])?)));
    let mut has_answered = false;
    for _ in 0..ANSWERS_MAX {
        send(stream, &request.head(options, Some(&authorization))).await?;
        let answer = Answer::read(stream).await?;
        if answer.status != 401 {
            return Ok((answer, (scheme == "Basic").then_some(authorization)));
        }
        let refused = || ConnectError::GatewayRefused("user name or password are wrong".to_owned());
        let challenge = answer.challenge(scheme).filter(|token| !token.is_empty());
        authorization = match challenge {
            _ if scheme == "Basic" => return Err(refused()),
            Some(token) if !has_answered => {
                let token = STANDARD
                    .decode(token)
                    .map_err(|_| ConnectError::Gateway("its challenge of NTLM cannot be read".to_owned()))?;
                has_answered = true;
                format!("{scheme} {}", STANDARD.encode(exchange.message(&token)?))
            }
            Some(_) => return Err(refused()),
            None if has_answered => return Err(refused()),
            // Windows takes NTLM under this name, too, where it has no other.
            None if scheme == "NTLM" && answer.offers("Negotiate") && !answer.offers("NTLM") => {
                scheme = "Negotiate";
                exchange = Exchange::new(&options.user, options.domain.as_deref(), &options.password)?;
                format!("{scheme} {}", STANDARD.encode(exchange.message(&[])?))
            }
            None if answer.offers("Basic") && options.certificate == HostPin::FirstUse => {
                return Err(ConnectError::GatewayRefused(
                    "it wants the password itself (Basic), which nobody gets on first use: compare the certificate that is kept now with \
                     the gateway's own, then connect again"
                        .to_owned(),
                ));
            }
            None if answer.offers("Basic") => {
                scheme = "Basic";
                format!("Basic {}", STANDARD.encode(plain(options)))
            }
            None => {
                return Err(ConnectError::Gateway(
                    "it offers no way to sign in that Oriel knows (NTLM, Basic)".to_owned(),
                ));
            }
        };
        // Every gateway knows how long its refusals are.
        if answer.closes || !answer.coding.is_empty() {
            return Err(ConnectError::Gateway("it closed the connection instead of letting us sign in".to_owned()));
        }
        answer.skip(stream).await?;
    }
    Err(ConnectError::Gateway("it asks for more and more to sign in".to_owned()))
}

fn unexpected(status: u16) -> ConnectError {
    let what = match status {
        200 | 426 => {
            "it has neither WebSockets (current RD Gateways have, where the WebSocket Protocol of IIS is installed) nor the two channels \
             of older ones"
        }
        403 => "it forbids the connection",
        404 | 405 | 501 => "what answers there is no RD Gateway",
        407 => "a proxy is in between and wants an account of its own",
        502..=504 => "what is in front of it does not reach it",
        _ => return ConnectError::Gateway(format!("it answers with HTTP status {status}")),
    };
    ConnectError::Gateway(format!("{what} (HTTP status {status})"))
}

/// As Basic wants it (RFC 7617).
fn plain(options: &GatewayOptions) -> String {
    let password = options.password.expose_secret();
    match &options.domain {
        Some(domain) => format!("{domain}\\{}:{password}", options.user),
        None => format!("{}:{password}", options.user),
    }
}

/// Where it cannot be one, a letter is no part of a header.
fn word(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).collect()
}

/// The number that both channels of a connection have in common (MS-TSGU 2.2.3.2.1).
pub(super) fn connection_id() -> String {
    let id: [u8; 16] = rand::random();
    let mut connection = "{".to_owned();
    for (at, byte) in id.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            connection.push('-');
        }
        write!(connection, "{byte:02x}").ok();
    }
    connection.push('}');
    connection
}

/// What is asked, apart from who asks.
struct Request<'a> {
    method: &'static str,
    /// As [`connection_id`] says it.
    connection: &'a str,
    /// Further lines, each with its end.
    headers: &'a str,
}

impl Request<'_> {
    fn head(&self, options: &GatewayOptions, authorization: Option<&str>) -> String {
        let authorization = authorization.map_or_else(String::new, |said| format!("Authorization: {said}\r\n"));
        format!(
            "{} /remoteDesktopGateway/ HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\nCache-Control: no-cache\r\nPragma: no-cache\r\n\
             User-Agent: MS-RDGateway/1.0\r\nRDG-Connection-Id: {}\r\n{}{authorization}\r\n",
            self.method,
            word(&options.name),
            self.connection,
            self.headers
        )
    }
}

/// The head of an answer.
#[derive(Debug, Default)]
struct Answer {
    status: u16,
    /// `WWW-Authenticate`, each offer for itself.
    offers: Vec<String>,
    upgrade: String,
    body_bytes: Option<u64>,
    /// How the body travels, where its length does not say it.
    coding: String,
    closes: bool,
}

impl Answer {
    async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Self, ConnectError> {
        let broken = ConnectError::Gateway;
        let mut head = Vec::new();
        // Byte by byte: what follows is another's.
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= HEAD_BYTES_MAX {
                return Err(broken("its answer has an endless head".to_owned()));
            }
            head.push(stream.read_u8().await.map_err(|error| broken(format!("the connection broke ({error})")))?);
        }
        Self::parse(&head).map_err(|what| broken(what.to_owned()))
    }

    fn parse(head: &[u8]) -> Result<Self, &'static str> {
        let head = String::from_utf8_lossy(head);
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap_or_default();
        let status = status.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
        let status = status.and_then(|status| status.parse().ok()).ok_or("what answers there does not speak HTTP")?;
        let mut answer = Self { status, ..Self::default() };
        for line in lines {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "www-authenticate" => answer.offers.push(value.to_owned()),
                "upgrade" => answer.upgrade = value.to_ascii_lowercase(),
                "connection" => answer.closes |= value.eq_ignore_ascii_case("close"),
                "content-length" => {
                    let bytes = value.parse::<u64>().map_err(|_| "its answer has no length that can be read")?;
                    answer.body_bytes = Some(bytes);
                }
                "transfer-encoding" => answer.coding = value.to_ascii_lowercase(),
                _ => {}
            }
        }
        Ok(answer)
    }

    fn is_websocket(&self) -> bool {
        self.upgrade == "websocket"
    }

    /// What it says to this way of signing in; empty where it only offers it.
    fn challenge(&self, scheme: &str) -> Option<&str> {
        // One header may hold several offers (RFC 9110 §11.6.1); challenges of NTLM have no comma.
        self.offers.iter().flat_map(|offers| offers.split(',')).find_map(|offer| {
            let (name, token) = offer.trim().split_once(' ').unwrap_or((offer.trim(), ""));
            name.eq_ignore_ascii_case(scheme).then_some(token.trim())
        })
    }

    fn offers(&self, scheme: &str) -> bool {
        self.challenge(scheme).is_some()
    }

    /// The OUT channel, where this is the answer that opens it.
    fn body(&self) -> Result<Body, ConnectError> {
        match (self.coding.as_str(), self.body_bytes) {
            ("chunked", _) => Ok(Body::chunked()),
            ("" | "identity", None) => Ok(Body::to_the_end()),
            // A page, and an empty one.
            ("" | "identity", Some(0)) => Err(unexpected(self.status)),
            ("" | "identity", Some(bytes)) => Ok(Body::counted(bytes)),
            _ => Err(ConnectError::Gateway("its OUT channel comes in a coding that Oriel does not know".to_owned())),
        }
    }

    /// Reads what is behind the head.
    async fn skip<S: AsyncRead + Unpin>(&self, stream: &mut S) -> Result<(), ConnectError> {
        let bytes = self.body_bytes.unwrap_or_default();
        if bytes > BODY_BYTES_MAX {
            return Err(ConnectError::Gateway("its answer is too long".to_owned()));
        }
        let mut page = vec![0; usize::try_from(bytes).unwrap_or_default()];
        match stream.read_exact(&mut page).await {
            Ok(_) => Ok(()),
            Err(error) => Err(ConnectError::Gateway(format!("the connection broke ({error})"))),
        }
    }
}
