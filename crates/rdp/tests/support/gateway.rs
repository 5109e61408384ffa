//! An RD Gateway in front of a machine of the loopback: TLS, HTTP with NTLM or Basic, a WebSocket, and one channel (MS-TSGU). Debian has
//! none to test against.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oriel_pin::Fingerprint;
use rustls::pki_types::PrivateKeyDer;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What the gateway is like.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// It knows HTTP's Basic, with this account and password, and else NTLM with any.
    pub basic: Option<String>,
    /// Where it refuses, and with which code: 2, 5, 7 or 9, the answers of the set-up.
    pub refuses: Option<(u16, u32)>,
    /// Answers every request so, instead of asking who is there.
    pub status: Option<&'static str>,
}

pub struct Gateway {
    pub port: u16,
    pub pin: [u8; 32],
    /// What clients said: heads of requests, the client's name and the machine that was asked for.
    said: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Gateway {
    /// In front of what listens at `machine` of the loopback.
    pub async fn start(machine: u16, manner: Manner) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["gateway".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        let task = tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, heard, manner) = (acceptor.clone(), Arc::clone(&heard), manner.clone());
                tokio::spawn(async move {
                    let served = async {
                        let client = acceptor.accept(client).await?;
                        serve(client, machine, &manner, &heard).await
                    };
                    if let Err(error) = served.await {
                        eprintln!("gateway: {error}");
                    }
                });
            }
        });
        Self { port, pin: Fingerprint::of(made.cert.der()).0, said, task }
    }

    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }
}

async fn head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// The challenge of MS-NLMP §4.2.4.3.
const CHALLENGE: &[u8] = b"NTLMSSP\0\x02\0\0\0\x0c\0\x0c\0\x38\0\0\0\x33\x82\x8a\xe2\x01\x23\x45\x67\x89\xab\xcd\xef\0\0\0\0\0\0\0\0\
\x24\0\x24\0\x44\0\0\0\x06\0\x70\x17\0\0\0\x0fS\0e\0r\0v\0e\0r\0\x02\0\x0c\0D\0o\0m\0a\0i\0n\0\x01\0\x0c\0S\0e\0r\0v\0e\0r\0\0\0\0\0";

async fn sign_in(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    manner: &Manner,
    said: &Mutex<Vec<String>>,
) -> io::Result<()> {
    loop {
        let head = head(stream).await?;
        said.lock().unwrap().push(head.clone());
        let authorization = head.lines().find_map(|line| line.strip_prefix("Authorization: ")).unwrap_or_default();
        let answer = match (&manner.basic, manner.status) {
            (_, Some(status)) => format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"),
            (Some(account), _) if authorization == format!("Basic {}", STANDARD.encode(account)) => String::new(),
            (Some(_), _) => "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"gateway\"\r\nContent-Length: 4\r\n\r\nnope".to_owned(),
            (None, _) => {
                let message = authorization.strip_prefix("NTLM ").and_then(|token| STANDARD.decode(token).ok());
                let message = message.unwrap_or_default();
                match message.get(8).copied() {
                    Some(1) => format!(
                        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate, NTLM {}\r\ncontent-length: 4\r\n\r\nwait",
                        STANDARD.encode(CHALLENGE)
                    ),
                    Some(3) => {
                        // Names are readable in it.
                        let units: Vec<u8> = message.into_iter().filter(|byte| *byte != 0).collect();
                        said.lock().unwrap().push(String::from_utf8_lossy(&units).into_owned());
                        String::new()
                    }
                    _ => "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n".to_owned(),
                }
            }
        };
        if answer.is_empty() {
            let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
            return stream.write_all(answer.as_bytes()).await;
        }
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
    }
}

/// What one frame says, which a client has masked.
async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await?;
    let length = match head[1] & 0x7f {
        126 => usize::from(stream.read_u16().await?),
        127 => stream.read_u64().await? as usize,
        length => usize::from(length),
    };
    assert_eq!(head[1] & 0x80, 0x80, "what clients say is masked");
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).await?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Ok(if head[0] & 0xf == 8 { Vec::new() } else { payload })
}

async fn put(stream: &mut (impl AsyncWrite + Unpin), kind: u16, body: &[u8]) -> io::Result<()> {
    let length = 8 + body.len();
    let mut bytes = vec![0x82, 0x7f];
    bytes.extend((length as u64).to_be_bytes());
    bytes.extend(kind.to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend((length as u32).to_le_bytes());
    bytes.extend_from_slice(body);
    stream.write_all(&bytes).await?;
    stream.flush().await
}

fn words(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    String::from_utf16_lossy(&units).trim_end_matches('\0').to_owned()
}

async fn serve(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    machine: u16,
    manner: &Manner,
    said: &Mutex<Vec<String>>,
) -> io::Result<()> {
    sign_in(&mut client, manner, said).await?;
    loop {
        let packet = frame(&mut client).await?;
        let (answer, body) = match packet.first() {
            Some(1) => (2, vec![0; 10]),
            Some(4) => (5, vec![0; 10]),
            Some(6) => {
                said.lock().unwrap().push(words(&packet[12..]));
                (7, vec![0; 8])
            }
            Some(8) => {
                let port = u16::from_le_bytes([packet[10], packet[11]]);
                said.lock().unwrap().push(format!("{}:{port}", words(&packet[16..])));
                (9, vec![0; 8])
            }
            _ => return Ok(()),
        };
        let code = manner.refuses.filter(|(refused, _)| *refused == answer).map_or(0, |(_, code)| code);
        let mut body = body;
        // Behind the gateway's version, in the one that has it.
        let at = if answer == 5 { 2 } else { 0 };
        body[at..at + 4].copy_from_slice(&code.to_le_bytes());
        put(&mut client, answer, &body).await?;
        if answer == 9 && code == 0 {
            break;
        }
    }
    let machine = TcpStream::connect(("127.0.0.1", machine)).await?;
    let (mut from_machine, mut to_machine) = machine.into_split();
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let down = async {
        let mut buffer = vec![0; 16384];
        loop {
            let count = from_machine.read(&mut buffer).await?;
            if count == 0 {
                return put(&mut to_client, 0x10, &[0; 4]).await;
            }
            let body = [&(count as u16).to_le_bytes()[..], &buffer[..count]].concat();
            put(&mut to_client, 10, &body).await?;
        }
    };
    let up = async {
        loop {
            let packet = frame(&mut from_client).await?;
            match packet.first() {
                Some(10) => to_machine.write_all(&packet[10..]).await?,
                Some(13) => {}
                _ => return Ok::<(), io::Error>(()),
            }
        }
    };
    tokio::select! { ended = down => ended, ended = up => ended }
}
