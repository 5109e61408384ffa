//! The only part that does network: the connections of a session, and the task that holds them.
//!
//! ```text
//!  main ⇄ ┐                       ┌ frames of all channels ─▶
//!  …    ⇄ ┼─ listen … tell/speak ─┤ stream of the session ⇄ SpiceSource
//!  sound ⇄┘                       └ ◀─ frames of all channels
//! ```

use crate::{
    Capabilities, ConnectError, Link, SpiceOptions, SpiceSource, display,
    link::{self, DISPLAY_PREF_COMPRESSION},
    mux::{self, CHUNK_BYTES_MAX, Channel, Demux, Piece},
};
use oriel_pin::{Fingerprint, HostPin, tls};
use oriel_screen::SourceError;
use oriel_stream::{BoxStream, Way};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};

/// What lies between the connections and the session, in bytes each way.
const STREAM_BYTES: usize = 256 << 10;
/// Pieces that wait for the stream.
const PIECES_MAX: usize = 8;
const READ_BYTES: usize = 16 << 10;
/// What the main channel may say before the others are there: a few pings of a quarter of a megabyte.
const OPENING_BYTES_MAX: usize = 4 << 20;
/// A server that takes nothing for so long is gone.
const WRITE_TIME_MAX: Duration = Duration::from_secs(30);

/// An open session.
pub struct Session {
    pub stream: DuplexStream,
    pub source: SpiceSource,
    /// The server's certificate; none without TLS.
    pub identity: Option<Fingerprint>,
}

/// Opens a SPICE session: the main channel over `stream`, the others over streams of `way`. The caller bounds the time.
///
/// # Errors
/// [`ConnectError`] tells an unreachable server from refused credentials, from another server than the pinned one and from a broken
/// protocol.
pub async fn connect(stream: BoxStream, options: SpiceOptions, way: Arc<dyn Way>) -> Result<Session, ConnectError> {
    let mut options = options;
    if !options.tls && matches!(options.pin, HostPin::Sha256(_)) {
        return Err(ConnectError::IdentityMissing);
    }
    let (mut main, identity) = secure(stream, &options).await?;
    if let Some(identity) = identity {
        if let (HostPin::FirstUse, Some(keeper)) = (options.pin, &options.keeper) {
            keeper.met(0, &identity.to_string()).await.map_err(ConnectError::IdentityNotKept)?;
        }
        // Who was met is who must answer on the other channels.
        options.pin = HostPin::Sha256(identity.0);
    }
    begin(&mut main, Channel::Main, 0, &options).await?;
    let mut source = SpiceSource::for_window(options.size);
    let session = open(&mut main, &mut source).await?;
    let offered: Vec<Channel> = source.channels().unwrap_or_default().to_vec();
    if !offered.contains(&Channel::Display) {
        return Err(ConnectError::NoDisplay);
    }
    let mut streams = vec![(Channel::Main, main)];
    for channel in offered {
        if channel == Channel::Main || (channel == Channel::Playback && !options.audio) {
            continue;
        }
        let no_way = |why| ConnectError::NoWay { channel: link::name(channel), why };
        let (mut stream, _) = secure(way.open().await.map_err(no_way)?, &options).await?;
        let capabilities = begin(&mut stream, channel, session, &options).await?;
        if channel == Channel::Display {
            let greeting = display::greeting(capabilities.has(DISPLAY_PREF_COMPRESSION));
            send(&mut stream, &greeting).await?;
        }
        streams.push((channel, stream));
    }
    tracing::debug!(channels = streams.len(), identity = ?identity, "Signed in to a SPICE server");
    let (stream, far) = duplex(STREAM_BYTES);
    tokio::spawn(carry(streams, far));
    Ok(Session { stream, source, identity })
}

/// Which certificate the server has, asked before anything is told to it; none without TLS. The stream is used up.
///
/// # Errors
/// TLS fails.
pub async fn identity(stream: BoxStream, options: &SpiceOptions) -> Result<Option<Fingerprint>, ConnectError> {
    let options = SpiceOptions { tls: options.tls, ..SpiceOptions::default() };
    secure(stream, &options).await.map(|(_, seen)| seen)
}

async fn secure(stream: BoxStream, options: &SpiceOptions) -> Result<(BoxStream, Option<Fingerprint>), ConnectError> {
    if !options.tls {
        return Ok((stream, None));
    }
    let (stream, seen) = tls::begin(stream, options.pin).await.map_err(|error| match error {
        tls::TlsError::Changed { expected, seen } => ConnectError::IdentityChanged { expected, seen },
        tls::TlsError::Failed(what) => ConnectError::Tls { what },
    })?;
    Ok((Box::new(stream), Some(seen)))
}

async fn send(stream: &mut BoxStream, bytes: &[u8]) -> Result<(), ConnectError> {
    stream.write_all(bytes).await.map_err(ConnectError::Lost)?;
    stream.flush().await.map_err(ConnectError::Lost)
}

/// The beginning of a channel. Takes no byte that comes after it.
async fn begin(
    stream: &mut BoxStream,
    channel: Channel,
    session: u32,
    options: &SpiceOptions,
) -> Result<Capabilities, ConnectError> {
    let (mut out, mut buffer) = (Vec::new(), Vec::new());
    let mut link = Link::new(channel, session, options.password.clone(), &mut out);
    loop {
        send(stream, &out).await?;
        out.clear();
        buffer.resize(link.need(), 0);
        stream.read_exact(&mut buffer).await.map_err(ConnectError::Lost)?;
        if let Some(capabilities) = link.feed(&buffer, &mut out)? {
            return Ok(capabilities);
        }
    }
}

/// Listens to the main channel until the session has a number and its channels are known.
async fn open(main: &mut BoxStream, source: &mut SpiceSource) -> Result<u32, ConnectError> {
    let mut buffer = vec![0; READ_BYTES];
    let mut all = 0;
    loop {
        let length = main.read(&mut buffer).await.map_err(ConnectError::Lost)?;
        if length == 0 {
            return Err(ConnectError::Lost(std::io::ErrorKind::UnexpectedEof.into()));
        }
        all += length;
        let mut frames = Vec::new();
        source.begin(buffer.get(..length).unwrap_or_default(), &mut frames).map_err(|error| match error {
            SourceError::Protocol { what, .. } => ConnectError::Protocol { what },
            SourceError::Ended(why) | SourceError::Refused(why) => ConnectError::Ended(why),
        })?;
        let (mut demux, mut rest) = (Demux::default(), frames.as_slice());
        // All of it is for the main channel: nothing is known yet of others.
        while let Ok(Some(Piece::Bytes(_, bytes))) = demux.next(&mut rest) {
            send(main, bytes).await?;
        }
        if let (Some(session), Some(_)) = (source.session(), source.channels()) {
            return Ok(session);
        }
        if all > OPENING_BYTES_MAX {
            return Err(ConnectError::Protocol { what: "it does not say which channels there are".to_owned() });
        }
    }
}

/// To the session's end.
async fn carry(streams: Vec<(Channel, BoxStream)>, far: DuplexStream) {
    let (from_session, to_session) = split(far);
    let (pieces, queue) = mpsc::channel(PIECES_MAX);
    let mut tasks = JoinSet::new();
    let mut writers = Vec::new();
    for (channel, stream) in streams {
        let (reader, writer) = split(stream);
        tasks.spawn(listen(channel, reader, pieces.clone()));
        writers.push((channel, writer));
    }
    drop(pieces);
    tasks.spawn(tell(to_session, queue));
    // Who reads the stream is who watches: with its end everything ends.
    speak(from_session, writers).await;
    tasks.shutdown().await;
}

async fn listen(channel: Channel, mut reader: ReadHalf<BoxStream>, pieces: mpsc::Sender<Vec<u8>>) {
    let mut buffer = vec![0; READ_BYTES.min(CHUNK_BYTES_MAX)];
    let why = loop {
        match reader.read(&mut buffer).await {
            Ok(0) => break "the machine's screen was shut".to_owned(),
            Ok(length) => {
                let mut piece = Vec::new();
                mux::bytes(&mut piece, channel, buffer.get(..length).unwrap_or_default());
                if pieces.send(piece).await.is_err() {
                    return;
                }
            }
            Err(error) => break format!("the connection to the SPICE server was lost: {error}"),
        }
    };
    // Without its pointer or its sound a screen is still one.
    if matches!(channel, Channel::Main | Channel::Display | Channel::Inputs) {
        let mut piece = Vec::new();
        mux::ended(&mut piece, channel, &why);
        pieces.send(piece).await.ok();
    } else {
        tracing::info!(?channel, why, "A channel of a SPICE server ended");
    }
}

async fn tell(mut session: WriteHalf<DuplexStream>, mut queue: mpsc::Receiver<Vec<u8>>) {
    while let Some(piece) = queue.recv().await {
        if session.write_all(&piece).await.is_err() {
            return;
        }
    }
}

async fn speak(mut session: ReadHalf<DuplexStream>, mut writers: Vec<(Channel, WriteHalf<BoxStream>)>) {
    let mut demux = Demux::default();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let mut rest = match session.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => buffer.get(..length).unwrap_or_default(),
        };
        let mut written = Vec::new();
        loop {
            match demux.next(&mut rest) {
                Ok(Some(Piece::Bytes(channel, bytes))) => {
                    let Some((_, writer)) = writers.iter_mut().find(|(known, _)| *known == channel) else { continue };
                    match timeout(WRITE_TIME_MAX, writer.write_all(bytes)).await {
                        Ok(Ok(())) if !written.contains(&channel) => written.push(channel),
                        // A channel that is at its end is told of by who listens.
                        Ok(_) => {}
                        Err(_) => return,
                    }
                }
                Ok(Some(Piece::Ended(..))) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
        // TLS may keep what was written.
        for (_, writer) in writers.iter_mut().filter(|(channel, _)| written.contains(channel)) {
            match timeout(WRITE_TIME_MAX, writer.flush()).await {
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}
