//! An RD Gateway in front of a machine of the loopback: TLS, HTTP with NTLM or Basic, a WebSocket or two channels, and one channel in them
//! (MS-TSGU). Debian has none to test against.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oriel_pin::Fingerprint;
use oriel_stream::{BoxStream, Way};
use rustls::pki_types::PrivateKeyDer;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

type Client = TlsStream<TcpStream>;

/// OUT channels that wait for the IN channel of their connection.
type Waiting = Mutex<HashMap<String, oneshot::Sender<Client>>>;

/// What the gateway is like.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// It knows HTTP's Basic, with this account and password, and else NTLM with any.
    pub basic: Option<String>,
    /// Where it refuses, and with which code: 2, 5, 7 or 9, the answers of the set-up.
    pub refuses: Option<(u16, u32)>,
    /// Answers every request so, instead of asking who is there.
    pub status: Option<&'static str>,
    /// It has no WebSockets.
    pub channels: Option<TwoChannels>,
}

/// What the two channels of a gateway are like.
#[derive(Clone, Copy, Debug, Default)]
pub struct TwoChannels {
    /// How an upgrade is refused, by something in front of it; else it is not looked at, and the request is that of the OUT channel.
    pub upgrade: Option<&'static str>,
    /// Bytes before its first packet.
    pub seed: usize,
    /// Its OUT channel is in chunks.
    pub chunked: bool,
    /// The IN channel reaches another gateway than the OUT channel did, which does not know the connection.
    pub astray: bool,
}

/// How packets are carried in one direction.
#[derive(Clone, Copy, PartialEq)]
enum Cut {
    WebSocket,
    Chunks,
    /// They are not.
    Plain,
}

/// To a gateway of the loopback, once more.
#[derive(Debug)]
struct Loopback(u16);

#[async_trait]
impl Way for Loopback {
    async fn open(&self) -> Result<BoxStream, String> {
        let stream = TcpStream::connect(("127.0.0.1", self.0)).await.map_err(|error| error.to_string())?;
        Ok(Box::new(stream))
    }
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
        let waiting = Arc::new(Waiting::default());
        let task = tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, heard, manner) = (acceptor.clone(), Arc::clone(&heard), manner.clone());
                let waiting = Arc::clone(&waiting);
                tokio::spawn(async move {
                    let served = async {
                        let client = acceptor.accept(client).await?;
                        serve(client, machine, &manner, (&heard, &waiting)).await
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

    pub fn way(&self) -> Arc<dyn Way> {
        Arc::new(Loopback(self.port))
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

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

/// The request of somebody who is known, which is to be answered.
async fn sign_in(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    manner: &Manner,
    said: &Mutex<Vec<String>>,
) -> io::Result<String> {
    loop {
        let head = head(stream).await?;
        said.lock().unwrap().push(head.clone());
        let authorization = header(&head, "Authorization");
        let upgrade = manner.channels.and_then(|channels| channels.upgrade);
        let status = manner.status.or(upgrade.filter(|_| header(&head, "Upgrade") == "websocket"));
        let answer = match (&manner.basic, status) {
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
            return Ok(head);
        }
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
    }
}

/// What one frame or chunk says; a client masks its frames.
async fn frame(stream: &mut (impl AsyncRead + Unpin), cut: Cut) -> io::Result<Vec<u8>> {
    if cut == Cut::Chunks {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(stream.read_u8().await?);
        }
        let length = usize::from_str_radix(String::from_utf8_lossy(&line).trim_end(), 16).map_err(io::Error::other)?;
        let mut payload = vec![0; length + 2];
        stream.read_exact(&mut payload).await?;
        assert!(payload.ends_with(b"\r\n"), "a chunk is as long as it says");
        payload.truncate(length);
        return Ok(payload);
    }
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

/// In two chunks, of which the first has no more of a packet than a part of its length.
fn chunks(bytes: &[u8]) -> Vec<u8> {
    let (first, rest) = bytes.split_at(bytes.len().min(5));
    let mut chunks = Vec::new();
    for (part, extension) in [(first, ";part=first"), (rest, "")] {
        if !part.is_empty() {
            chunks.extend(format!("{:X}{extension}\r\n", part.len()).into_bytes());
            chunks.extend_from_slice(part);
            chunks.extend(b"\r\n");
        }
    }
    chunks
}

async fn put(stream: &mut (impl AsyncWrite + Unpin), cut: Cut, kind: u16, body: &[u8]) -> io::Result<()> {
    let mut packet = kind.to_le_bytes().to_vec();
    packet.extend([0, 0]);
    packet.extend((8 + body.len() as u32).to_le_bytes());
    packet.extend_from_slice(body);
    let bytes = match cut {
        Cut::WebSocket => [&[0x82, 0x7f][..], &(packet.len() as u64).to_be_bytes(), &packet].concat(),
        Cut::Chunks => chunks(&packet),
        Cut::Plain => packet,
    };
    // The first byte comes alone, and so does what is no whole head of a packet.
    let (first, rest) = bytes.split_at(if cut == Cut::WebSocket { 0 } else { 1 });
    let (second, rest) = rest.split_at(if cut == Cut::WebSocket { 0 } else { 5 });
    for part in [first, second, rest] {
        stream.write_all(part).await?;
        stream.flush().await?;
    }
    Ok(())
}

fn words(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    String::from_utf16_lossy(&units).trim_end_matches('\0').to_owned()
}

async fn serve(
    mut client: Client,
    machine: u16,
    manner: &Manner,
    (said, waiting): (&Mutex<Vec<String>>, &Waiting),
) -> io::Result<()> {
    let request = sign_in(&mut client, manner, said).await?;
    let connection = header(&request, "RDG-Connection-Id").to_owned();
    let Some(channels) = manner.channels else {
        let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
        client.write_all(answer.as_bytes()).await?;
        let (from_client, to_client) = tokio::io::split(client);
        return lead((from_client, Cut::WebSocket), (to_client, Cut::WebSocket), machine, manner, said).await;
    };
    if request.starts_with("RDG_IN_DATA ") {
        let known = waiting.lock().unwrap().remove(&connection).filter(|_| !channels.astray);
        let Some(out) = known else {
            client.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await?;
            return client.shutdown().await;
        };
        client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?;
        client.flush().await?;
        let endless = head(&mut client).await?;
        assert_eq!(header(&endless, "RDG-Connection-Id"), connection);
        assert_eq!(header(&endless, "Transfer-Encoding"), "chunked");
        // NTLM is the connection's.
        let expected = if manner.basic.is_some() { header(&request, "Authorization") } else { "" };
        assert_eq!(header(&endless, "Authorization"), expected);
        out.send(client).ok();
        return Ok(());
    }
    let (to, from_in) = oneshot::channel();
    waiting.lock().unwrap().insert(connection, to);
    let coding = if channels.chunked { "Transfer-Encoding: chunked\r\n" } else { "" };
    client.write_all(format!("HTTP/1.1 200 OK\r\n{coding}\r\n").as_bytes()).await?;
    // Its end looks as if the first packet began there.
    let seed: Vec<u8> = (0..channels.seed).map(|at| if at + 4 == channels.seed { 2 } else { 0 }).collect();
    client.write_all(&if channels.chunked { chunks(&seed) } else { seed }).await?;
    client.flush().await?;
    let Ok(up) = from_in.await else { return Ok(()) };
    let (from_client, _answers) = tokio::io::split(up);
    let (_nothing, to_client) = tokio::io::split(client);
    let down = if channels.chunked { Cut::Chunks } else { Cut::Plain };
    lead((from_client, Cut::Chunks), (to_client, down), machine, manner, said).await
}

/// The protocol over what carries it.
async fn lead(
    (mut from_client, up): (impl AsyncRead + Unpin, Cut),
    (mut to_client, down): (impl AsyncWrite + Unpin, Cut),
    machine: u16,
    manner: &Manner,
    said: &Mutex<Vec<String>>,
) -> io::Result<()> {
    loop {
        let packet = frame(&mut from_client, up).await?;
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
        put(&mut to_client, down, answer, &body).await?;
        if answer == 9 && code == 0 {
            break;
        }
    }
    let machine = TcpStream::connect(("127.0.0.1", machine)).await?;
    let (mut from_machine, mut to_machine) = machine.into_split();
    let downwards = async {
        let mut buffer = vec![0; 16384];
        loop {
            let count = from_machine.read(&mut buffer).await?;
            if count == 0 {
                return put(&mut to_client, down, 0x10, &[0; 4]).await;
            }
            let body = [&(count as u16).to_le_bytes()[..], &buffer[..count]].concat();
            put(&mut to_client, down, 10, &body).await?;
        }
    };
    let upwards = async {
        loop {
            let packet = frame(&mut from_client, up).await?;
            match packet.first() {
                Some(10) => to_machine.write_all(&packet[10..]).await?,
                Some(13) => {}
                _ => return Ok::<(), io::Error>(()),
            }
        }
    };
    tokio::select! { ended = downwards => ended, ended = upwards => ended }
}
