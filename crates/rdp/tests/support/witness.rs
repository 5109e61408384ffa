//! Between a client and a real RDP server with TLS: hears what the client says, and says a word of its own where a farm or Windows
//! would. Also included by the tests of the whole program.

use ironrdp_core::{decode, encode_vec};
use ironrdp_pdu::mcs::{SendDataIndication, decode_send_data_indication};
use ironrdp_pdu::rdp::client_info::CompressionType;
use ironrdp_pdu::rdp::headers::{
    CompressionFlags, ShareControlHeader, ShareControlPdu, ShareDataHeader, ShareDataPdu, StreamPriority,
};
use ironrdp_pdu::rdp::server_redirection::ServerRedirectionPdu;
pub use ironrdp_pdu::rdp::session_info::ServerAutoReconnect;
use ironrdp_pdu::rdp::session_info::{InfoData, InfoType, LogonExFlags, LogonInfoExtended, SaveSessionInfoPdu};
use ironrdp_pdu::rdp::{ClientInfoPdu, client_info::ClientInfo};
use ironrdp_pdu::x224::X224;
use oriel_pin::{Fingerprint, HostPin};
use rustls::pki_types::PrivateKeyDer;
use std::borrow::Cow;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What is said beside what the server says.
#[derive(Clone, Default)]
pub struct Word {
    /// After the licence, instead of the session.
    pub redirect: Option<ServerRedirectionPdu>,
    /// When the session is active.
    pub cookie: Option<ServerAutoReconnect>,
    /// And then the connection breaks.
    pub breaks: bool,
    /// When it is active, instead of staying so.
    pub redirect_late: Option<ServerRedirectionPdu>,
}

/// What one client said.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub preconnection: Vec<u8>,
    /// The X.224 request, whole.
    pub request: Vec<u8>,
    pub info: Option<ClientInfo>,
    /// Every frame of the session's set-up, one after the other.
    pub frames: Vec<u8>,
}

impl Heard {
    pub fn contains(&self, bytes: &[u8]) -> bool {
        self.frames.windows(bytes.len()).any(|window| window == bytes)
    }
}

pub struct Witness {
    pub port: u16,
    pub certificate: Vec<u8>,
    heard: Arc<Mutex<Vec<Heard>>>,
    words: Arc<Mutex<Vec<Word>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Witness {
    /// In front of the server at `port` of the loopback, which has this certificate; `None`: any. `at`: where it listens.
    pub async fn start(at: &str, port: u16, pin: Option<[u8; 32]>) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["witness".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind(at).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (heard, words) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let pin = pin.map_or(HostPin::FirstUse, HostPin::Sha256);
        let shared = (Arc::clone(&heard), Arc::clone(&words));
        let task = tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, (heard, words)) = (acceptor.clone(), shared.clone());
                tokio::spawn(async move {
                    if let Err(error) = between(client, port, pin, acceptor, &heard, &words).await {
                        eprintln!("witness: {error}");
                    }
                });
            }
        });
        Self { port: own, certificate: made.cert.der().to_vec(), heard, words, task }
    }

    pub fn pin(&self) -> [u8; 32] {
        Fingerprint::of(&self.certificate).0
    }

    /// What is said in the sessions to come, one word a session; after the last nothing is.
    pub fn say(&self, words: impl IntoIterator<Item = Word>) {
        self.words.lock().unwrap().extend(words);
    }

    /// Of those who got as far as to say who they are, in order.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

async fn tpkt(stream: &mut (impl AsyncRead + Unpin), first: u8) -> io::Result<Vec<u8>> {
    let mut frame = vec![first, 0, 0, 0];
    stream.read_exact(&mut frame[1..]).await?;
    let length = usize::from(u16::from_be_bytes([frame[2], frame[3]]));
    frame.resize(length.max(4), 0);
    stream.read_exact(&mut frame[4..]).await?;
    Ok(frame)
}

/// A frame of a session: TPKT, or fast-path.
async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let first = stream.read_u8().await?;
    if first == 3 {
        return tpkt(stream, first).await;
    }
    let mut frame = vec![first, stream.read_u8().await?];
    let mut length = usize::from(frame[1]);
    if frame[1] & 0x80 != 0 {
        frame.push(stream.read_u8().await?);
        length = usize::from(u16::from_be_bytes([frame[1] & 0x7f, frame[2]]));
    }
    let have = frame.len();
    frame.resize(length.max(have), 0);
    stream.read_exact(&mut frame[have..]).await?;
    Ok(frame)
}

fn share(channel_id: u16, share_control_pdu: ShareControlPdu) -> Vec<u8> {
    let user_data = encode_vec(&ShareControlHeader { share_control_pdu, pdu_source: 1002, share_id: 66538 }).unwrap();
    encode_vec(&X224(SendDataIndication { initiator_id: 1002, channel_id, user_data: Cow::Owned(user_data) })).unwrap()
}

fn cookie_message(channel: u16, cookie: ServerAutoReconnect) -> Vec<u8> {
    let info = LogonInfoExtended {
        present_fields_flags: LogonExFlags::AUTO_RECONNECT_COOKIE,
        auto_reconnect: Some(cookie),
        errors_info: None,
    };
    let save = SaveSessionInfoPdu { info_type: InfoType::LogonExtended, info_data: InfoData::LogonExtended(info) };
    share(
        channel,
        ShareControlPdu::Data(ShareDataHeader {
            share_data_pdu: ShareDataPdu::SaveSessionInfo(save),
            stream_priority: StreamPriority::Low,
            compression_flags: CompressionFlags::empty(),
            compression_type: CompressionType::K8,
        }),
    )
}

async fn between(
    mut client: TcpStream,
    port: u16,
    pin: HostPin,
    acceptor: TlsAcceptor,
    heard: &Mutex<Vec<Heard>>,
    words: &Mutex<Vec<Word>>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut said = Heard::default();
    let mut first = client.read_u8().await?;
    if first != 3 {
        let mut size = [first, 0, 0, 0];
        client.read_exact(&mut size[1..]).await?;
        said.preconnection = size.to_vec();
        said.preconnection.resize(u32::from_le_bytes(size) as usize, 0);
        client.read_exact(&mut said.preconnection[4..]).await?;
        first = client.read_u8().await?;
    }
    said.request = tpkt(&mut client, first).await?;
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    server.set_nodelay(true)?;
    // FreeRDP's server takes no token but those of one kind: what is asked of it is the negotiation alone (MS-RDPBCGR 2.2.1.1).
    let mut plain = vec![3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0];
    plain.extend_from_slice(&said.request[said.request.len().saturating_sub(8)..]);
    server.write_all(&plain).await?;
    let begin = server.read_u8().await?;
    let confirm = tpkt(&mut server, begin).await?;
    client.write_all(&confirm).await?;
    let (client, (server, _)) =
        (acceptor.accept(client).await?, oriel_pin::tls::begin(server, pin).await.map_err(io::Error::other)?);
    let (mut from_client, to_client) = tokio::io::split(client);
    let (from_server, mut to_server) = tokio::io::split(server);
    // Those who only ask who the machine is end before this.
    let first = frame(&mut from_client).await?;
    listen(&mut said, &first);
    to_server.write_all(&first).await?;
    to_server.flush().await?;
    let at = {
        let mut heard = heard.lock().unwrap();
        heard.push(said);
        heard.len() - 1
    };
    let word = {
        let mut words = words.lock().unwrap();
        if words.is_empty() { Word::default() } else { words.remove(0) }
    };
    let down = down(from_server, to_client, word);
    let up = async {
        loop {
            let frame = frame(&mut from_client).await?;
            {
                let mut heard = heard.lock().unwrap();
                listen(&mut heard[at], &frame);
            }
            to_server.write_all(&frame).await?;
            to_server.flush().await?;
        }
    };
    tokio::select! { done = down => done, done = up => done }
}

fn listen(said: &mut Heard, frame: &[u8]) {
    // Security header with SEC_INFO_PKT (MS-RDPBCGR 2.2.8.1.1.2.1), after TPKT, X.224 and MCS.
    let info = [14, 15].into_iter().find(|at| frame.get(*at..at + 2) == Some(&[0x40, 0]));
    if let Some(at) = info
        && let Ok(info) = decode::<ClientInfoPdu>(&frame[at..])
    {
        said.info = Some(info.client_info);
    }
    if said.frames.len() < 64 << 10 {
        said.frames.extend_from_slice(frame);
    }
}

async fn down(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    Word { redirect, cookie, breaks, redirect_late }: Word,
) -> io::Result<()> {
    let (mut redirect, mut cookie, mut late) = (redirect, cookie, redirect_late);
    loop {
        let frame = frame(&mut from).await?;
        to.write_all(&frame).await?;
        to.flush().await?;
        let Ok(message) = decode_send_data_indication(&frame) else { continue };
        let data = message.user_data;
        // SEC_LICENSE_PKT; and Font Map, with which a session is active.
        let is_licence = data.get(..2) == Some(&[0x80, 0]);
        let is_active = data.get(2).is_some_and(|kind| kind & 0x0f == 7) && data.get(14) == Some(&40);
        let mut more = Vec::new();
        if let Some(word) = redirect.take_if(|_| is_licence) {
            more = share(message.channel_id, ShareControlPdu::ServerRedirect(word));
        }
        if let Some(word) = cookie.take_if(|_| is_active) {
            more = cookie_message(message.channel_id, word);
        }
        if let Some(word) = late.take_if(|_| is_active) {
            more.extend(share(message.channel_id, ShareControlPdu::ServerRedirect(word)));
        }
        to.write_all(&more).await?;
        to.flush().await?;
        if breaks && is_active {
            tokio::time::sleep(std::time::Duration::from_secs(7)).await;
            return Ok(());
        }
    }
}
