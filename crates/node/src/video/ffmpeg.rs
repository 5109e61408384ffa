//! The program `ffmpeg`, which encodes: pictures go into it one by one, and access units of H.264 come out of it, each as soon as it is made. No shell sees its
//! arguments, it is told to open nothing but its pipes, and it ends with whoever started it: when its pictures end, and when this is dropped. What it reads is a stranger's:
//! it gains no rights by programs that it runs, and has limits of its own.
//!
//! What comes out is H.264 as in Annex B, each unit behind a line with its length: of a bare stream one only knows that a unit has ended when the next one begins, which
//! would show every picture one picture late.

use super::encode::Pixels;
use super::feed::Shape;
use super::h264::H264Mode;
use oriel_device::VideoWanted;
use oriel_physical::Multipart;
use oriel_screen::h264::{Colour, Rewriter, Unit};
use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::io;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const PROGRAM: &str = "ffmpeg";
/// What it said last, in bytes of its log.
const LOG_BYTES_MAX: usize = 1000;
const READ_BYTES: usize = 64 << 10;
const THREADS_MAX: usize = 4;
/// How long trying an encoder may take, on a slow board as well, and how many pictures it gets and units it must give.
const TRY_TIME_MAX: Duration = Duration::from_secs(15);
const TRY_FRAMES: usize = 12;
const TRY_UNITS: usize = 3;
/// How long one that ended may take to say why.
const END_TIME_MAX: Duration = Duration::from_secs(1);
/// Its own memory and its addresses, in MiB: of the largest pictures it needs a few hundred, and its libraries as much again.
const MEMORY_MIB_MAX: u64 = 2 << 10;
const ADDRESSES_MIB_MAX: u64 = 4 << 10;
/// Open files: pipes, the encoder's device, and libraries while it starts.
const FILES_MAX: u64 = 64;
/// A stream whose key frames come when they are asked for, by a new encoder.
const NO_GOP: &str = "1000000";

/// Something that encodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coder {
    /// As ffmpeg calls it.
    pub name: &'static str,
    pub hardware: bool,
    /// Of the pixels that it takes.
    layout: &'static str,
    /// Baseline, so that every browser decodes it, and nothing that holds pictures back.
    options: &'static [&'static str],
}

/// In the order in which they are wished for, within hardware and software. Drivers of Video4Linux name profiles by their numbers.
const CODERS: [Coder; 4] = [
    Coder { name: "h264_v4l2m2m", hardware: true, layout: "yuv420p", options: &["-profile:v", "66"] },
    Coder { name: "h264_v4l2m2m", hardware: true, layout: "nv12", options: &["-profile:v", "66"] },
    Coder {
        name: "libx264",
        hardware: false,
        layout: "yuv420p",
        options: &["-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline"],
    },
    Coder { name: "libopenh264", hardware: false, layout: "yuv420p", options: &["-profile:v", "constrained_baseline"] },
];

/// What there is to encode with.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The best first: at most one of the hardware's and one that is software.
    pub coders: Vec<Coder>,
    /// Those that do not work, and why.
    pub failed: Vec<(Coder, String)>,
}

/// Tries what the mode allows, by encoding some pictures.
pub async fn find(mode: H264Mode) -> Found {
    let mut found = Found::default();
    for coder in CODERS {
        let allowed = match mode {
            H264Mode::Auto => true,
            H264Mode::Hardware => coder.hardware,
            H264Mode::Software => !coder.hardware,
            H264Mode::Off => false,
        };
        if !allowed || found.coders.iter().any(|other| other.hardware == coder.hardware) {
            continue;
        }
        match try_out(coder).await {
            Ok(()) => found.coders.push(coder),
            Err(why) => found.failed.push((coder, why)),
        }
    }
    found
}

async fn try_out(coder: Coder) -> Result<(), String> {
    let seconds = TRY_TIME_MAX.as_secs();
    timeout(TRY_TIME_MAX, tried(coder)).await.unwrap_or_else(|_| Err(format!("it encoded nothing within {seconds} s")))
}

async fn tried(coder: Coder) -> Result<(), String> {
    let frame = super::h264::blank();
    let wanted = VideoWanted { watching: true, frames_per_second: 30, kilobits: 1000, gop: 30 };
    let Running { end, mut frames, mut units } = Running::start(coder, frame.shape, &wanted)?;
    let give = async move {
        for _ in 0..TRY_FRAMES {
            if frames.write(&frame.bytes).await.is_err() {
                break;
            }
        }
        // No more come: whatever it holds back it gives.
        drop(frames);
        std::future::pending::<()>().await;
    };
    let take = async move {
        for count in 0..TRY_UNITS {
            match units.next().await? {
                Some(unit) if unit.key || count > 0 => {}
                Some(_) => return Err("its first picture is no key frame".to_owned()),
                None => return Ok(false),
            }
        }
        Ok::<_, String>(true)
    };
    let taken = tokio::select! {
        taken = take => taken?,
        () = give => false,
    };
    if taken { Ok(()) } else { Err(end.why().await) }
}

/// Where the process ends; with it, it does.
pub struct End {
    child: Child,
    log: JoinHandle<String>,
}

impl End {
    /// Why it ended.
    pub async fn why(mut self) -> String {
        let status = timeout(END_TIME_MAX, self.child.wait()).await;
        self.child.start_kill().ok();
        let said = timeout(END_TIME_MAX, &mut self.log).await.ok().and_then(Result::ok).unwrap_or_default();
        match status {
            _ if !said.is_empty() => format!("ffmpeg says: {said}"),
            Ok(Ok(status)) => format!("ffmpeg ended ({status}) and said nothing"),
            _ => "ffmpeg gave nothing more".to_owned(),
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.log.abort();
    }
}

/// A line without what part of ffmpeg says it, and where that lies in memory.
fn said(line: &str) -> &str {
    line.split_once(" @ 0x").and_then(|(_, rest)| rest.split_once("] ")).map_or(line, |(_, said)| said)
}

/// The end of what it logged.
async fn last_words(mut log: ChildStderr) -> String {
    let (mut kept, mut buffer) = (Vec::new(), vec![0; LOG_BYTES_MAX]);
    while let Ok(length @ 1..) = log.read(&mut buffer).await {
        kept.extend_from_slice(buffer.get(..length).unwrap_or_default());
        let old = kept.len().saturating_sub(LOG_BYTES_MAX);
        kept.drain(..old);
    }
    let text = String::from_utf8_lossy(&kept);
    text.trim().lines().map(said).collect::<Vec<_>>().join("; ")
}

/// An encoder that runs.
pub struct Running {
    pub end: End,
    pub frames: Frames,
    pub units: Units,
}

impl Running {
    /// Starts one for pictures that are all of one shape.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(coder: Coder, shape: Shape, wanted: &VideoWanted) -> Result<Self, String> {
        // Of this thread, which starts nothing else, and of what it starts: no program gets more rights by its file's.
        rustix::thread::set_no_new_privs(true).map_err(|error| format!("ffmpeg cannot be locked up: {error}"))?;
        let mut child = command(coder, shape, wanted).spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "ffmpeg is not installed".to_owned(),
            _ => format!("ffmpeg cannot be started: {error}"),
        })?;
        // It has read nothing yet. Dropped, it is killed.
        limit(&child).map_err(|error| format!("ffmpeg cannot be held within limits: {error}"))?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err("ffmpeg has no pipes".to_owned());
        };
        let log = tokio::spawn(last_words(stderr));
        let frames = Frames { stdin, jpeg: shape.pixels == Pixels::Jpeg, count: 0 };
        let rewriter = Rewriter::new(Colour::Limited(shape.colours.matrix));
        let units = Units { stdout, parts: Multipart::default(), rewriter, buffer: vec![0; READ_BYTES] };
        Ok(Self { end: End { child, log }, frames, units })
    }
}

/// Holds it within limits that it cannot raise: memory, files, none of them written, and no core, in which the picture would be.
fn limit(child: &Child) -> io::Result<()> {
    // Without an id it has ended; and the limits would be our own.
    let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) else { return Ok(()) };
    for (resource, most) in [
        (Resource::Data, MEMORY_MIB_MAX << 20),
        (Resource::As, ADDRESSES_MIB_MAX << 20),
        (Resource::Nofile, FILES_MAX),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ] {
        match prlimit(Some(id), resource, Rlimit { current: Some(most), maximum: Some(most) }) {
            // It may have ended already, and says why.
            Ok(_) | Err(Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn command(coder: Coder, shape: Shape, wanted: &VideoWanted) -> Command {
    let mut command = Command::new(PROGRAM);
    // Nothing of ours is its affair, a password in the environment least of all.
    command.env_clear().current_dir("/").kill_on_drop(true);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.args(arguments(coder, shape, wanted));
    command
}

fn arguments(coder: Coder, shape: Shape, wanted: &VideoWanted) -> Vec<String> {
    let rate = wanted.frames_per_second.max(1).to_string();
    let size = format!("{}x{}", shape.width, shape.height);
    // What it is told of a stream is enough: it looks for nothing itself, which would take time.
    let mut all: Vec<&str> = "-hide_banner -nostdin -loglevel error -protocol_whitelist pipe -probesize 32 \
         -analyzeduration 0 -fpsprobesize 0 -threads 1"
        .split_ascii_whitespace()
        .collect();
    match shape.pixels {
        // In a container that says how long each is: else one ends where the next begins.
        Pixels::Jpeg => all.extend(["-f", "ivf", "-r", &rate]),
        Pixels::Yuyv => all.extend(["-f", "rawvideo", "-pixel_format", "yuyv422"]),
        Pixels::Uyvy => all.extend(["-f", "rawvideo", "-pixel_format", "uyvy422"]),
        Pixels::Rgb => all.extend(["-f", "rawvideo", "-pixel_format", "rgb24"]),
        Pixels::Bgr => all.extend(["-f", "rawvideo", "-pixel_format", "bgr24"]),
    }
    if shape.pixels != Pixels::Jpeg {
        all.extend(["-video_size", &size, "-framerate", &rate]);
    }
    all.extend(["-i", "pipe:0", "-an", "-sn", "-dn", "-fps_mode", "passthrough"]);
    // Two by two pixels share their colours. Only what has no matrix yet gets one: the others are told of in the stream.
    let even = if shape.width % 2 + shape.height % 2 > 0 { "crop=trunc(iw/2)*2:trunc(ih/2)*2," } else { "" };
    let scale = match shape.pixels {
        Pixels::Rgb | Pixels::Bgr => "out_color_matrix=bt709:out_range=tv",
        _ if shape.colours.full => "in_range=pc:out_range=tv",
        _ => "in_range=tv:out_range=tv",
    };
    let filter = format!("{even}scale={scale},format={}", coder.layout);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX).to_string();
    let bits = format!("{}k", wanted.kilobits);
    // No more than half a second's at once.
    let burst = format!("{}k", wanted.kilobits / 2 + 1);
    let gop = if wanted.gop == 0 { NO_GOP.to_owned() } else { wanted.gop.to_string() };
    all.extend(["-vf", &filter, "-c:v", coder.name]);
    all.extend(coder.options);
    all.extend(["-threads", &threads, "-b:v", &bits, "-maxrate", &bits, "-bufsize", &burst]);
    all.extend(["-g", &gop, "-bf", "0", "-flush_packets", "1", "-f", "mpjpeg", "pipe:1"]);
    all.into_iter().map(str::to_owned).collect()
}

/// Where pictures go in.
pub struct Frames {
    stdin: ChildStdin,
    jpeg: bool,
    count: u64,
}

impl Frames {
    /// Gives one; returns when the pipe has it, so that of a raw one the encoder has nearly all. What is given half is the encoder's end.
    ///
    /// # Errors
    /// The encoder has ended.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.jpeg {
            if self.count == 0 {
                // IVF (wiki.multimedia.cx/index.php/IVF): the size is the pictures' own, whatever is said here.
                self.stdin.write_all(b"DKIF\0\0\x20\0MJPG\x10\0\x10\0\xe8\x03\0\0\x01\0\0\0\0\0\0\0\0\0\0\0").await?;
            }
            self.stdin.write_all(&(bytes.len() as u32).to_le_bytes()).await?;
            self.stdin.write_all(&self.count.to_le_bytes()).await?;
        }
        self.count += 1;
        self.stdin.write_all(bytes).await?;
        self.stdin.flush().await
    }
}

/// Where units come out.
pub struct Units {
    stdout: ChildStdout,
    parts: Multipart,
    rewriter: Rewriter,
    buffer: Vec<u8>,
}

impl Units {
    /// The next one; `None`: no more come.
    ///
    /// # Errors
    /// What comes is no H.264.
    pub async fn next(&mut self) -> Result<Option<Unit>, String> {
        loop {
            while let Some(part) = self.parts.next_picture()? {
                if let Some(unit) = self.rewriter.unit(part).map_err(|error| error.to_string())? {
                    return Ok(Some(unit));
                }
            }
            match self.stdout.read(&mut self.buffer).await {
                Ok(0) => return Ok(None),
                Ok(length) => self.parts.feed(self.buffer.get(..length).unwrap_or_default()),
                Err(error) => return Err(format!("ffmpeg's pipe: {error}")),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::video::colour::Colours;
    use crate::video::raw::PixFormat;

    #[test]
    fn an_encoder_is_told_all_that_it_needs() {
        let wanted = VideoWanted { watching: true, frames_per_second: 25, kilobits: 2000, gop: 0 };
        let of = |pixels, width| {
            let colours = Colours::of(&PixFormat::default(), pixels);
            let shape = Shape { pixels, width, height: 480, colours };
            CODERS.map(|coder| arguments(coder, shape, &wanted).join(" "))
        };
        for (pixels, words) in [
            (Pixels::Jpeg, &["-f ivf -r 25 -i pipe:0", "scale=in_range=pc:out_range=tv,format=yuv420p"][..]),
            (
                Pixels::Yuyv,
                &["-pixel_format yuyv422 -video_size 640x480 -framerate 25", "-vf scale=in_range=tv:out_range=tv,"][..],
            ),
            (Pixels::Uyvy, &["-pixel_format uyvy422"][..]),
            (Pixels::Rgb, &["-pixel_format rgb24", "out_color_matrix=bt709"][..]),
            (Pixels::Bgr, &["-pixel_format bgr24"][..]),
        ] {
            let [hardware, other, x264, _] = of(pixels, 640);
            for word in words.iter().chain(&["-b:v 2000k", "-bufsize 1001k", "-g 1000000", "-bf 0"]) {
                assert!(x264.contains(word), "{x264} lacks {word}");
            }
            assert!(x264.contains("-tune zerolatency") && !hardware.contains("zerolatency"));
            assert!(hardware.contains("format=yuv420p") && other.contains("format=nv12"));
        }
        assert!(of(Pixels::Rgb, 641).iter().all(|line| line.contains("-vf crop=")));
    }

    #[tokio::test]
    async fn an_encoder_is_locked_up() {
        let wanted = VideoWanted { watching: true, frames_per_second: 30, kilobits: 1000, gop: 30 };
        // It waits for its first picture, which does not come.
        let running = Running::start(CODERS[2], crate::video::h264::blank().shape, &wanted).unwrap();
        let id = running.end.child.id().unwrap();
        let of = |file: &str| std::fs::read_to_string(format!("/proc/{id}/{file}")).unwrap();
        assert!(of("status").lines().any(|line| line == "NoNewPrivs:\t1"));
        let limits = of("limits");
        for (what, most) in [
            ("Max data size", (MEMORY_MIB_MAX << 20).to_string()),
            ("Max address space", (ADDRESSES_MIB_MAX << 20).to_string()),
            ("Max open files", FILES_MAX.to_string()),
            ("Max file size", "0".to_owned()),
            ("Max core file size", "0".to_owned()),
        ] {
            let line = limits.lines().find_map(|line| line.strip_prefix(what)).unwrap();
            let both: Vec<&str> = line.split_whitespace().take(2).collect();
            assert_eq!(both, [most.as_str(); 2], "{what}");
        }
        assert!(of("environ").split('\0').all(|one| one.is_empty() || one.starts_with("PATH=")));
    }

    #[tokio::test]
    async fn ffmpeg_is_tried_and_says_why_not() {
        let found = find(H264Mode::Software).await;
        let names: Vec<&str> = found.coders.iter().map(|coder| coder.name).collect();
        assert_eq!(names, ["libx264"], "{found:?}; is the package ffmpeg installed?");
        let none = Coder { name: "none_at_all", ..CODERS[2] };
        let why = try_out(none).await.unwrap_err();
        assert!(why.contains("none_at_all"), "{why}");
        assert_eq!(
            said("[h264_v4l2m2m @ 0x55afc9ad0300] Could not find a valid device"),
            "Could not find a valid device"
        );
        assert!(find(H264Mode::Off).await.coders.is_empty());
    }
}
