//! The program `ffmpeg`: encodes, decodes H.264 and draws words. It gets bytes on its standard input and files of the film's own folder,
//! no shell ever sees its arguments, and it may use no network.

use crate::{FRAMES_A_SECOND, FilmError, FilmFormat};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const PROGRAM: &str = "ffmpeg";
/// What it said last, in bytes of its log.
const LOG_BYTES_MAX: usize = 2000;
const THREADS_MAX: usize = 4;
/// A picture that stands alone comes at least so often, in seconds: players jump there.
const KEY_SECONDS: u32 = 10;

/// Why films cannot be made on this machine: `None` when ffmpeg is there.
pub fn missing() -> Option<FilmError> {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(PROGRAM).is_file()));
    (!found).then_some(FilmError::NoFfmpeg)
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.current_dir(folder).args(["-hide_banner", "-nostdin", "-loglevel", "error"]);
    command
}

fn start(command: &mut Command) -> Result<Child, FilmError> {
    command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => FilmError::NoFfmpeg,
        _ => FilmError::Failed(format!("ffmpeg cannot be started: {error}")),
    })
}

/// The end of what it logged.
fn last_words(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = text.get(text.len().saturating_sub(LOG_BYTES_MAX)..).unwrap_or_default();
    String::from_utf8_lossy(text).trim().replace('\n', "; ")
}

/// Makes the film of pictures.
pub(crate) struct Encoder {
    child: Child,
    pictures: Option<ChildStdin>,
    log: PathBuf,
}

impl Encoder {
    /// Into `folder`, for pictures of `size` in YUV 4:2:0.
    pub fn start(folder: &Path, format: FilmFormat, (width, height): (u16, u16)) -> Result<Self, FilmError> {
        let log = folder.join("ffmpeg.log");
        let threads = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, THREADS_MAX).to_string();
        let (size, rate) = (format!("{width}x{height}"), FRAMES_A_SECOND.to_string());
        let keys = (FRAMES_A_SECOND * KEY_SECONDS).to_string();
        let mut command = command(folder);
        command.args(["-protocol_whitelist", "pipe,file", "-f", "rawvideo", "-pixel_format", "yuv420p"]).args([
            "-video_size",
            &size,
            "-framerate",
            &rate,
            "-i",
            "pipe:0",
        ]);
        match format {
            FilmFormat::Mp4 => {
                command.args(["-c:v", "libx264", "-preset", "veryfast", "-crf", "22", "-movflags", "+faststart"])
            }
            FilmFormat::Webm => command
                .args(["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "7", "-row-mt", "1"])
                .args(["-crf", "30", "-b:v", "0"]),
        };
        command
            .args(["-pix_fmt", "yuv420p", "-color_range", "tv", "-colorspace", "bt709"])
            .args(["-color_primaries", "bt709", "-color_trc", "bt709", "-g", &keys, "-threads", &threads])
            .args(["-y", format.file()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(&log).map_err(FilmError::Folder)?);
        let mut child = start(&mut command)?;
        let pictures = child.stdin.take();
        Ok(Self { child, pictures, log })
    }

    pub fn picture(&mut self, yuv: &[u8]) -> Result<(), FilmError> {
        let written = self.pictures.as_mut().map_or(Err(io::ErrorKind::BrokenPipe.into()), |out| out.write_all(yuv));
        written.or_else(|error| self.ended(&error.to_string()))
    }

    /// Waits until the film is whole.
    pub fn finish(mut self) -> Result<(), FilmError> {
        self.ended("it ended without a film")
    }

    fn ended(&mut self, otherwise: &str) -> Result<(), FilmError> {
        drop(self.pictures.take());
        let status = self.child.wait().map_err(|error| FilmError::Failed(format!("ffmpeg was lost: {error}")))?;
        if status.success() {
            return Ok(());
        }
        let said = last_words(&self.log);
        let said = if said.is_empty() { otherwise } else { &said };
        Err(FilmError::Failed(format!(
            "ffmpeg failed ({status}): {said}; look for a full disk, or try the other format"
        )))
    }
}

/// Turns access units of one H.264 stream into pictures, each at once.
pub(crate) struct Decoder {
    child: Child,
    units: Option<ChildStdin>,
    /// Taken by whoever reads them.
    pub pictures: Option<ChildStdout>,
    count: u64,
}

impl Decoder {
    pub fn start() -> Result<Self, FilmError> {
        let mut command = command(Path::new("/"));
        // Units come in IVF, which says where each ends: a bare stream's last one is known only when the next begins.
        command
            .args(["-protocol_whitelist", "pipe", "-threads", "1", "-flags", "low_delay"])
            .args(["-probesize", "32", "-analyzeduration", "0", "-fpsprobesize", "0"])
            .args(["-f", "ivf", "-i", "pipe:0", "-fps_mode", "passthrough", "-flush_packets", "1"])
            .args(["-c:v", "ppm", "-pix_fmt", "rgb24", "-f", "image2pipe", "pipe:1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = start(&mut command)?;
        let pictures = child.stdout.take();
        let mut units = child.stdin.take();
        // IVF (wiki.multimedia.cx/index.php/IVF): the size is the stream's own, whatever is said here.
        let mut head = b"DKIF\0\0\x20\0H264\x10\0\x10\0".to_vec();
        for number in [1000u32, 1, 0, 0] {
            head.extend_from_slice(&number.to_le_bytes());
        }
        if let Some(units) = &mut units {
            units.write_all(&head).ok();
        }
        Ok(Self { child, units, pictures, count: 0 })
    }

    pub fn unit(&mut self, bytes: &[u8]) -> io::Result<()> {
        let units = self.units.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        units.write_all(&(bytes.len() as u32).to_le_bytes())?;
        units.write_all(&self.count.to_le_bytes())?;
        self.count += 1;
        units.write_all(bytes)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// White words with a dark edge on grey, `width * height` bytes.
pub(crate) fn words(words: &str, width: usize, height: u16, folder: &Path) -> Result<Vec<u8>, FilmError> {
    // By a file: no letter of a name can mean anything to a filter.
    std::fs::write(folder.join("words.txt"), words).map_err(FilmError::Folder)?;
    let log = folder.join("words.log");
    let filter = format!(
        "color=c=0x808080:s={width}x{height}:d=1:r=1,format=rgb24,drawtext=textfile=words.txt:expansion=none:font=Sans:\
         fontsize=17:fontcolor=white:borderw=1:bordercolor=black:x=12:y=(h-text_h)/2"
    );
    let mut command = command(folder);
    command
        .args(["-protocol_whitelist", "pipe,file", "-f", "lavfi", "-i", &filter, "-frames:v", "1"])
        .args(["-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(&log).map_err(FilmError::Folder)?);
    let mut child = start(&mut command)?;
    let mut rgb = Vec::new();
    let pixels = width * usize::from(height);
    if let Some(out) = child.stdout.take() {
        out.take(pixels as u64 * 3).read_to_end(&mut rgb).ok();
    }
    let whole = child.wait().is_ok_and(|status| status.success()) && rgb.len() == pixels * 3;
    if !whole {
        let said = last_words(&log);
        return Err(FilmError::Failed(format!(
            "ffmpeg cannot draw the watermark: {said}; install fonts: apt-get install fonts-dejavu-core"
        )));
    }
    Ok(rgb.as_chunks::<3>().0.iter().map(|[_, green, _]| *green).collect())
}
