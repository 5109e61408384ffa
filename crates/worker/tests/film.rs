//! Films of recordings, made by the real process in its cage with the real ffmpeg, and looked at with ffprobe.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it did not expect fails, loudly"
)]

use bytes::Bytes;
use futures::stream;
use oriel_film::{FilmError, FilmFormat, FilmProgram, Made, Order, make};
use oriel_screen::recording::{BlockKind, Chunk, Header, RecordingKind, Writer};
use oriel_screen::wire::ServerRecord;
use oriel_screen::{Rect, TileCodec, VideoCodec};
use std::convert::Infallible;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// A recording being written.
struct Tape {
    writer: Writer,
    chunks: Vec<Chunk>,
}

impl Tape {
    /// Began at 2023-11-14 22:13:20 UTC.
    fn new() -> Self {
        let header = Header {
            kind: RecordingKind::Screen,
            recording: [1; 16],
            connection: [2; 16],
            started: 1_700_000_000_000_000,
            title: "studio-1".into(),
        };
        let (writer, header) = Writer::new(&header);
        Self { writer, chunks: vec![header] }
    }

    /// One message, and the chunk before it where it begins anew.
    fn say(&mut self, ms: u32, key: bool, records: &[ServerRecord]) {
        if key {
            self.chunks.extend(self.writer.cut());
        }
        let mut message = Vec::new();
        records.iter().for_each(|record| record.encode(&mut message));
        self.writer.push(ms, key, &message);
    }

    fn finish(self) -> (Vec<Chunk>, u32) {
        let Self { writer, mut chunks } = self;
        let (last, index) = writer.finish();
        chunks.extend(last);
        let end = chunks.last().unwrap().last_ms;
        chunks.push(index);
        (chunks, end)
    }
}

const END: ServerRecord = ServerRecord::FrameEnd { sequence: 1 };

const fn size(width: u16, height: u16) -> ServerRecord {
    ServerRecord::Resize { width, height }
}

const fn fill(x: u16, y: u16, w: u16, h: u16, rgb: [u8; 3]) -> ServerRecord {
    ServerRecord::Fill { rect: Rect::new(x, y, w, h), rgb }
}

fn program() -> FilmProgram {
    FilmProgram { program: env!("CARGO_BIN_EXE_oriel-session-worker").into(), arguments: vec!["film".into()] }
}

async fn film(tape: Tape, folder: &Path, format: FilmFormat, skip_idle: bool) -> Result<(Made, Vec<u32>), FilmError> {
    let (chunks, duration_ms) = tape.finish();
    let order = Order { format, skip_idle, folder: folder.to_owned(), duration_ms };
    let blocks = |wanted: fn(&Chunk) -> bool| {
        let blocks: Vec<_> = chunks
            .iter()
            .filter(|chunk| wanted(chunk))
            .map(|chunk| Ok::<_, Infallible>(Bytes::from(chunk.bytes.clone())))
            .collect();
        stream::iter(blocks)
    };
    let at = Mutex::new(Vec::new());
    let made = make(
        &program(),
        &order,
        blocks(|chunk| chunk.kind == BlockKind::Header || chunk.key),
        blocks(|chunk| chunk.kind != BlockKind::Index),
        |ms| at.lock().unwrap().push(ms),
    )
    .await?;
    Ok((made, at.into_inner().unwrap()))
}

fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let out =
        Command::new(program).args(arguments).stderr(Stdio::inherit()).output().expect("install the package ffmpeg");
    assert!(out.status.success(), "{program} {arguments:?}");
    out.stdout
}

/// Codec, width, height, rate, and seconds of the only stream.
fn probe(file: &Path) -> (String, f64) {
    let file = file.to_str().unwrap();
    let entries = "stream=codec_name,width,height,r_frame_rate,pix_fmt:format=duration";
    let said = run("ffprobe", &["-v", "error", "-show_entries", entries, "-of", "default=nw=1:nk=1", file]);
    let said = String::from_utf8(said).unwrap();
    let mut lines: Vec<&str> = said.lines().collect();
    let seconds = lines.pop().unwrap().parse().unwrap();
    (lines.join(" "), seconds)
}

/// The picture at a second, decoded by ffmpeg: RGB of pixels.
fn picture(file: &Path, second: &str, width: usize) -> impl Fn(usize, usize) -> [u8; 3] {
    let arguments = ["-v", "error", "-i", file.to_str().unwrap(), "-ss", second, "-frames:v", "1", "-f", "rawvideo"];
    let rgb = run("ffmpeg", &[&arguments[..], &["-pix_fmt", "rgb24", "pipe:1"]].concat());
    move |x, y| rgb[(y * width + x) * 3..][..3].try_into().unwrap()
}

#[track_caller]
fn near(got: [u8; 3], want: [u8; 3]) {
    assert!(got.iter().zip(want).all(|(got, want)| got.abs_diff(want) <= 14), "{got:?} where {want:?} should be");
}

fn raw(rect: Rect, rgb: [u8; 3]) -> ServerRecord {
    ServerRecord::Tile { rect, codec: TileCodec::Raw, bytes: rgb.repeat(rect.area() as usize).into() }
}

fn jpeg(rect: Rect, rgb: [u8; 3]) -> ServerRecord {
    let mut bytes = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    encoder.encode(&rgb.repeat(rect.area() as usize), rect.w, rect.h, jpeg_encoder::ColorType::Rgb).unwrap();
    ServerRecord::Tile { rect, codec: TileCodec::Jpeg, bytes: bytes.into() }
}

const RED: [u8; 3] = [220, 20, 20];
const GREEN: [u8; 3] = [20, 200, 40];
const BLUE: [u8; 3] = [30, 40, 210];
const BLACK: [u8; 3] = [0, 0, 0];

/// Red for two seconds, then tiles of every kind, then a smaller screen that is blue, from second 4 to 10.
fn story() -> Tape {
    let mut tape = Tape::new();
    tape.say(0, true, &[size(320, 200), fill(0, 0, 320, 200, RED), END]);
    let tiles = [
        raw(Rect::new(0, 0, 64, 64), GREEN),
        jpeg(Rect::new(128, 0, 64, 64), BLUE),
        ServerRecord::Copy { from_x: 0, from_y: 0, to: Rect::new(200, 100, 64, 64) },
    ];
    // A picture that comes in pieces is seen when it is whole.
    tape.say(1000, false, &tiles[..1]);
    tape.say(2000, false, &[&tiles[1..], &[END]].concat());
    tape.say(4000, true, &[size(160, 100), fill(0, 0, 160, 100, BLUE), END]);
    let arrow = [255, 255, 255, 255].repeat(16 * 16);
    tape.say(6000, false, &[ServerRecord::Cursor { hot_x: 0, hot_y: 0, width: 16, height: 16, rgba: arrow.into() }]);
    tape.say(6000, false, &[ServerRecord::CursorMove { x: 100, y: 40 }]);
    tape.say(10_000, false, &[fill(0, 0, 8, 8, BLUE), END]);
    tape
}

#[tokio::test]
async fn screens_become_films_with_their_colours_at_their_times() {
    for (format, codec) in [(FilmFormat::Mp4, "h264"), (FilmFormat::Webm, "vp9")] {
        let folder = tempfile::tempdir().unwrap();
        let (made, _) = film(story(), folder.path(), format, false).await.unwrap();
        assert_eq!((made.width, made.height, made.broken, made.sound_left_out), (320, 200, 0, false));
        let file = folder.path().join(format.file());
        let (stream, seconds) = probe(&file);
        assert_eq!(stream, format!("{codec} 320 200 yuv420p 15/1"));
        assert!((seconds - 10.0).abs() < 0.2, "{seconds}");
        let first = picture(&file, "1.5", 320);
        near(first(30, 30), RED);
        near(first(300, 180), RED);
        let second = picture(&file, "3", 320);
        near(second(30, 30), GREEN);
        near(second(160, 30), BLUE);
        near(second(230, 130), GREEN);
        near(second(100, 150), RED);
        // Smaller: in the middle, black around.
        let third = picture(&file, "5", 320);
        near(third(160, 100), BLUE);
        near(third(20, 100), BLACK);
        near(third(160, 20), BLACK);
        // The pointer, at its place on the smaller screen.
        let fourth = picture(&file, "8", 320);
        near(fourth(80 + 108, 50 + 48), [255, 255, 255]);
        near(fourth(80 + 92, 50 + 48), BLUE);
    }
}

#[tokio::test]
async fn pauses_are_left_out_and_watermarks_burned_in() {
    let folder = tempfile::tempdir().unwrap();
    let mut tape = Tape::new();
    let grey = [128, 128, 128];
    let mark = ServerRecord::Watermark("Ada Lövelace 山田".into());
    tape.say(0, true, &[size(640, 360), mark, fill(0, 0, 640, 360, grey), END]);
    tape.say(1000, false, &[fill(0, 0, 16, 16, grey), END]);
    // An hour of nothing, and a second more.
    tape.say(3_600_000, false, &[fill(0, 0, 16, 16, grey), END]);
    tape.say(3_601_000, false, &[fill(0, 0, 16, 16, grey), END]);
    film(tape, folder.path(), FilmFormat::Mp4, true).await.unwrap();
    let file = folder.path().join("film.mp4");
    let (_, seconds) = probe(&file);
    assert!((2.2..2.7).contains(&seconds), "{seconds}");
    let shown = picture(&file, "0.1", 640);
    let all = || (0..360).flat_map(|y| (0..640).map(move |x| (x, y)));
    let (light, dark) = (all().filter(|(x, y)| shown(*x, *y)[0] > 150), all().filter(|(x, y)| shown(*x, *y)[0] < 106));
    let (light, dark) = (light.count(), dark.count());
    assert!(light > 400 && dark > 400, "{light} light and {dark} dark of its letters");
    // The minute is another one at its end.
    let later = picture(&file, "2.1", 640);
    assert!(all().filter(|(x, y)| shown(*x, *y)[0].abs_diff(later(*x, *y)[0]) > 25).count() > 20);
}

/// Access units of H.264, as forwarded: red, then blue.
fn units() -> Vec<Vec<u8>> {
    let source = "color=c=0xdc1414:s=64x64:r=10:d=1[a];color=c=0x1e28d2:s=64x64:r=10:d=1[b];[a][b]concat,scale=out_color_matrix=bt709:out_range=pc";
    let encode =
        ["-c:v", "libx264", "-profile:v", "high", "-pix_fmt", "yuv420p", "-bf", "0", "-g", "100", "-x264-params"];
    let encode = [
        &encode[..],
        &["aud=1:sliced-threads=0", "-color_range", "pc", "-colorspace", "bt709", "-f", "h264", "pipe:1"],
    ]
    .concat();
    let stream = run("ffmpeg", &[&["-v", "error", "-filter_complex", source][..], &encode].concat());
    // Each begins with its delimiter (NAL type 9).
    let begins: Vec<usize> =
        (0..stream.len() - 5).filter(|at| stream[*at..].starts_with(&[0, 0, 0, 1, 9])).chain([stream.len()]).collect();
    begins.windows(2).map(|ends| stream[ends[0]..ends[1]].to_vec()).collect()
}

#[tokio::test]
async fn forwarded_video_is_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let mut tape = Tape::new();
    let units = units();
    assert_eq!(units.len(), 20);
    tape.say(0, true, &[size(128, 128), fill(0, 0, 128, 128, GREEN), END]);
    let rect = Rect::new(32, 32, 64, 64);
    let video = |at: usize, regions: Option<Vec<Rect>>| ServerRecord::Video {
        rect,
        regions,
        codec: VideoCodec::H264,
        key: at == 0,
        bytes: units[at].clone().into(),
    };
    for at in 0..10 {
        // Only the upper half of it is seen.
        tape.say(1000 + at as u32 * 100, false, &[video(at, Some(vec![Rect::new(32, 32, 64, 32)])), END]);
    }
    // A key: what led here is decoded again, and not drawn.
    tape.say(2000, true, &[size(128, 128), fill(0, 0, 128, 128, GREEN), END]);
    let again: Vec<ServerRecord> = (0..12).map(|at| video(at, Some(Vec::new()))).collect();
    tape.say(2000, false, &[again, vec![END]].concat());
    for at in 12..20 {
        tape.say(2000 + at as u32 * 100, false, &[video(at, None), END]);
    }
    // What is broken takes nothing along.
    let broken = ServerRecord::Video {
        rect: Rect::new(0, 0, 16, 16),
        regions: None,
        codec: VideoCodec::H264,
        key: true,
        bytes: Bytes::from_static(b"no video"),
    };
    tape.say(5000, false, &[broken, fill(0, 100, 16, 16, RED), END]);
    tape.say(6000, false, &[END]);
    let (made, _) = film(tape, folder.path(), FilmFormat::Mp4, false).await.unwrap();
    assert_eq!(made.broken, 1);
    let file = folder.path().join("film.mp4");
    let first = picture(&file, "1.9", 128);
    near(first(64, 48), RED);
    near(first(64, 80), GREEN);
    let second = picture(&file, "4.5", 128);
    near(second(64, 48), BLUE);
    near(second(64, 80), BLUE);
    near(second(16, 16), GREEN);
    near(picture(&file, "5.5", 128)(8, 108), RED);
}

#[tokio::test]
async fn what_is_no_screen_and_what_cannot_be_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let error = film(Tape::new(), folder.path(), FilmFormat::Mp4, false).await.unwrap_err();
    assert!(error.to_string().starts_with("nothing was seen in this recording"), "{error}");

    let order = Order { format: FilmFormat::Mp4, skip_idle: false, folder: folder.path().to_owned(), duration_ms: 9 };
    let lost = || stream::iter([Err::<Bytes, _>("its storage is gone")]);
    let error = make(&program(), &order, lost(), lost(), |_| ()).await.unwrap_err();
    assert_eq!(error.to_string(), "the recording cannot be read: its storage is gone");

    let nonsense =
        || stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"this is not a recording, and never was one"))]);
    let error = make(&program(), &order, nonsense(), nonsense(), |_| ()).await.unwrap_err();
    assert!(error.to_string().contains("block"), "{error}");
}
