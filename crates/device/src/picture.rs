//! Pictures: one at a time, small ones, and a stream of them over HTTP as uStreamer sends it.

use crate::answer::{Answer, Answered, Refusal, streamed, typed, typed_body, with_header};
use crate::inner::{Inner, Watches, Watching};
use crate::machine::Picture;
use crate::query::Query;
use bytes::Bytes;
use oriel_screen::{Rect, Surface};
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// A picture that does not change is sent again after so long, so that whoever reads sees that somebody is there.
const STILL: Duration = Duration::from_secs(1);
/// Small pictures that are made at a time: each takes the memory of a whole screen.
static SMALL: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(2);

/// What is shown where nothing is.
fn blank() -> Picture {
    let jpeg = Surface::new(640, 480).ok().and_then(|black| oriel_screen::encode::jpeg(&black, (640, 480), 80));
    Picture { jpeg: Bytes::from(jpeg.unwrap_or_default()), width: 640, height: 480, taken: 0 }
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// No larger than that, in whole steps, and of another quality.
fn small(picture: &Picture, most: (u16, u16), quality: u8) -> Option<Picture> {
    let mut surface = Surface::new(picture.width, picture.height).ok()?;
    let rect = Rect::new(0, 0, picture.width, picture.height);
    oriel_physical::jpeg::paint(&mut surface, rect, &picture.jpeg).ok()?;
    let jpeg = Bytes::from(oriel_screen::encode::jpeg(&surface, most, quality)?);
    let (width, height) = oriel_physical::jpeg::size(&jpeg)?;
    Some(Picture { jpeg, width, height, taken: picture.taken })
}

pub(crate) async fn snapshot(inner: &Inner, query: &Query) -> Answered {
    let (save, load, offline) = (query.on("save")?, query.on("load")?, query.on("allow_offline")?);
    let (preview, ocr) = (query.on("preview")?, query.on("ocr")?);
    let side = |name| query.within(name, 0, i64::from(u16::MAX), "preview size").map(|side| side.unwrap_or(0) as u16);
    let most = (side("preview_max_width")?, side("preview_max_height")?);
    let quality = query.within("preview_quality", 1, 100, "preview quality")?.unwrap_or(80) as u8;
    if ocr {
        return Err(Refusal::bad("OcrError", "OCR is disabled"));
    }
    let taken = if load { inner.now().saved.clone() } else { inner.picture() };
    let online = taken.is_some();
    let picture = match taken {
        Some(picture) => picture,
        // The streamer runs and has no signal.
        None if offline && !load && inner.is_streaming() => blank(),
        None => {
            if !load {
                inner.wake();
            }
            return Err(Refusal::unavailable());
        }
    };
    if save && online {
        inner.now().saved = Some(picture.clone());
        inner.change();
    }
    let picture = if preview {
        let _turn = SMALL.acquire().await;
        let most = (if most.0 == 0 { u16::MAX } else { most.0 }, if most.1 == 0 { u16::MAX } else { most.1 });
        let made = tokio::task::spawn_blocking(move || small(&picture, most, quality)).await;
        made.ok().flatten().ok_or_else(Refusal::unavailable)?
    } else {
        picture
    };
    Ok(with_headers(typed("image/jpeg", picture.jpeg.clone()), &picture, online))
}

fn with_headers(mut answer: Answer, picture: &Picture, online: bool) -> Answer {
    let (taken, sent) = (seconds(picture.taken), seconds(now()));
    let (width, height) = (picture.width.to_string(), picture.height.to_string());
    for (name, value) in [
        ("X-UStreamer-Online", if online { "true" } else { "false" }),
        ("X-UStreamer-Width", width.as_str()),
        ("X-UStreamer-Height", height.as_str()),
        ("X-UStreamer-Grab-Timestamp", taken.as_str()),
        ("X-UStreamer-Encode-Begin-Timestamp", taken.as_str()),
        ("X-UStreamer-Encode-End-Timestamp", taken.as_str()),
        ("X-UStreamer-Send-Timestamp", sent.as_str()),
        ("X-Timestamp", sent.as_str()),
        ("Cache-Control", "no-store, no-cache, must-revalidate"),
    ] {
        answer = with_header(answer, name, value);
    }
    answer
}

/// The machine is no more.
pub(crate) struct Gone;

/// Pictures at the pace of whoever takes them: only the newest waits.
pub(crate) struct Pace {
    inner: Arc<Inner>,
    pictures: watch::Receiver<Option<Picture>>,
    next: Instant,
    _watching: Watching,
}

impl Pace {
    pub fn new(inner: &Arc<Inner>) -> Self {
        let mut pictures = inner.machine.pictures();
        // What there is already is new to this one.
        pictures.mark_changed();
        Self { inner: Arc::clone(inner), pictures, next: Instant::now(), _watching: inner.watch(Watches::Jpeg) }
    }

    /// The next picture; `None`: there is none now.
    pub async fn next(&mut self) -> Result<Option<Picture>, Gone> {
        sleep_until(self.next).await;
        self.pictures.changed().await.map_err(|_| Gone)?;
        let picture = self.pictures.borrow_and_update().clone();
        let rate = u32::from(self.inner.now().rate());
        self.next = Instant::now() + Duration::from_secs(1) / rate;
        Ok(picture)
    }
}

/// `/streamer/stream`: parts with their lengths, without an end.
pub(crate) fn stream(inner: &Arc<Inner>, query: &Query) -> Answered {
    let extra = query.on("extra_headers")?;
    let key: String = query.text("key").chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    let state = (Pace::new(inner), blank(), false, true);
    let parts = futures::stream::unfold(state, move |(mut pace, last, online, first)| async move {
        let (picture, online) = if first {
            // At once, whatever there is.
            let there = pace.pictures.borrow_and_update().clone();
            there.map_or((last, false), |picture| (picture, true))
        } else {
            match timeout(STILL, pace.next()).await {
                Ok(Ok(Some(picture))) => (picture, true),
                Ok(Ok(None)) => (blank(), false),
                Ok(Err(Gone)) => return None,
                Err(_) => (last, online),
            }
        };
        let part = part(&picture, online, extra);
        Some((Ok::<_, io::Error>(part), (pace, picture, online, false)))
    });
    let answer = typed_body("multipart/x-mixed-replace;boundary=boundarydonotcross", streamed(parts));
    let answer = with_header(answer, "Cache-Control", "no-store, no-cache, must-revalidate");
    Ok(with_header(answer, "Set-Cookie", &format!("stream_client={key}/{:016x}; path=/; max-age=30", now())))
}

fn part(picture: &Picture, online: bool, extra: bool) -> Bytes {
    let extra = if extra {
        format!(
            "X-UStreamer-Online: {online}\r\nX-UStreamer-Dropped: 0\r\nX-UStreamer-Width: {}\r\nX-UStreamer-Height: {}\r\n\
             X-UStreamer-Grab-Begin-Time: {}\r\n",
            picture.width,
            picture.height,
            seconds(picture.taken),
        )
    } else {
        String::new()
    };
    let head = format!(
        "--boundarydonotcross\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {}\r\n{extra}\r\n",
        picture.jpeg.len(),
        seconds(now()),
    );
    Bytes::from([head.as_bytes(), picture.jpeg.as_ref(), b"\r\n"].concat())
}
