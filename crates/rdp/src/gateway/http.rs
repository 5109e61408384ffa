//! The HTTP in front of a gateway's WebSocket: who we are, and the upgrade (MS-TSGU 2.2.3, RFC 6455 §4.1).

use super::GatewayOptions;
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
const BODY_BYTES_MAX: usize = 256 << 10;
/// Answers until the upgrade: NTLM needs two before it, a change of the way to sign in one more.
const ANSWERS_MAX: usize = 5;

/// Signs in and upgrades. What follows on the stream is the WebSocket's first byte.
pub(super) async fn upgrade<S>(stream: &mut S, options: &GatewayOptions) -> Result<(), ConnectError>
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
        let request = request(options, &authorization);
        let broken = |error: std::io::Error| ConnectError::Gateway(format!("the connection broke ({error})"));
        stream.write_all(request.as_bytes()).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        let answer = Answer::read(stream).await?;
        match answer.status {
            101 if answer.is_websocket() => return Ok(()),
            401 => {}
            status => return Err(unexpected(status)),
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
        if answer.closes {
            return Err(ConnectError::Gateway("it closed the connection instead of letting us sign in".to_owned()));
        }
        answer.skip(stream).await?;
    }
    Err(ConnectError::Gateway("it asks for more and more to sign in".to_owned()))
}

fn unexpected(status: u16) -> ConnectError {
    let what = match status {
        200 | 426 => {
            "it has no WebSockets, which Oriel needs: current RD Gateways have, where the WebSocket Protocol of IIS is installed"
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

fn request(options: &GatewayOptions, authorization: &str) -> String {
    let id: [u8; 16] = rand::random();
    let mut connection = String::new();
    for (at, byte) in id.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            connection.push('-');
        }
        write!(connection, "{byte:02x}").ok();
    }
    let key = STANDARD.encode(rand::random::<[u8; 16]>());
    // What a WebSocket's key proves, that no cache answers, TLS to a pinned gateway has proven: the answer to it is not looked at.
    format!(
        "RDG_OUT_DATA /remoteDesktopGateway/ HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\nCache-Control: no-cache\r\nPragma: no-cache\r\n\
         User-Agent: MS-RDGateway/1.0\r\nRDG-Connection-Id: {{{connection}}}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nAuthorization: {authorization}\r\n\r\n",
        word(&options.name)
    )
}

/// The head of an answer.
#[derive(Debug, Default)]
struct Answer {
    status: u16,
    /// `WWW-Authenticate`, each offer for itself.
    offers: Vec<String>,
    upgrade: String,
    body_bytes: usize,
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
                    answer.body_bytes = value.parse().map_err(|_| "its answer has no length that can be read")?;
                }
                // None was asked for, and every gateway knows how long its refusals are.
                "transfer-encoding" => answer.closes = true,
                _ => {}
            }
        }
        if answer.body_bytes > BODY_BYTES_MAX {
            return Err("its answer is too long");
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

    /// Reads what is behind the head.
    async fn skip<S: AsyncRead + Unpin>(&self, stream: &mut S) -> Result<(), ConnectError> {
        let mut page = vec![0; self.body_bytes];
        match stream.read_exact(&mut page).await {
            Ok(_) => Ok(()),
            Err(error) => Err(ConnectError::Gateway(format!("the connection broke ({error})"))),
        }
    }
}
