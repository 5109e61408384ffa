//! What runs in the process that makes a film. It reads its order and blocks from one end and says at the other how far it is; whoever
//! starts it locks it up first.

use crate::canvas::Canvas;
use crate::ffmpeg::Encoder;
use crate::frame::Frame;
use crate::mark::{Mark, words};
use crate::order::Said;
use crate::timeline::Timeline;
use crate::{FRAMES_A_SECOND, FilmError, LINE_BYTES_MAX, Made, Order};
use bytes::Bytes;
use oriel_screen::recording::{
    BLOCK_HEAD_BYTES, BlockHead, BlockKind, Container, Header, RecordingError, RecordingKind, chunk_entries,
};
use oriel_screen::wire::ServerRecord;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

/// How far it is is said at most so often.
const SAY_TIME: Duration = Duration::from_millis(300);

/// The order, then `ready` (where the process locks itself up), then the film. What went wrong is said on `out` as well; true when there
/// is a film.
pub fn run(input: &mut dyn BufRead, out: &mut dyn Write, ready: impl FnOnce(&Order) -> Result<(), String>) -> bool {
    let outcome = order(input).and_then(|order| {
        ready(&order).map_err(|error| FilmError::Failed(format!("the process cannot lock itself up: {error}")))?;
        film(&order, input, out)
    });
    let done = outcome.is_ok();
    let said = match outcome {
        Ok(made) => Said::Done(made),
        Err(FilmError::NoFfmpeg) => Said::NoFfmpeg,
        Err(error) => Said::Failed(error.to_string()),
    };
    say(out, &said);
    done
}

fn say(out: &mut dyn Write, said: &Said) {
    if let Ok(mut line) = serde_json::to_string(said) {
        line.push('\n');
        // A server that went away needs no answer.
        out.write_all(line.as_bytes()).and_then(|()| out.flush()).ok();
    }
}

fn order(input: &mut dyn BufRead) -> Result<Order, FilmError> {
    let mut line = Vec::new();
    std::io::Read::take(input, LINE_BYTES_MAX as u64)
        .read_until(b'\n', &mut line)
        .map_err(|error| FilmError::Reading(error.to_string()))?;
    serde_json::from_slice(&line).map_err(|error| FilmError::Reading(format!("no order came: {error}")))
}

/// The next block with its head; `None` at an end.
fn block(input: &mut dyn BufRead) -> Result<Option<(BlockHead, Bytes)>, FilmError> {
    let short = |error: std::io::Error| FilmError::Reading(format!("the server sends no more of it: {error}"));
    let mut bytes = vec![0; BLOCK_HEAD_BYTES];
    input.read_exact(&mut bytes).map_err(short)?;
    let head = BlockHead::decode(&bytes)?;
    if head.kind == BlockKind::Index && head.length == 0 {
        return Ok(None);
    }
    bytes.resize(BLOCK_HEAD_BYTES + head.length, 0);
    input.read_exact(bytes.get_mut(BLOCK_HEAD_BYTES..).unwrap_or_default()).map_err(short)?;
    Ok(Some((head, bytes.into())))
}

/// The first time through: what the recording says of itself, and its largest screen.
fn look(input: &mut dyn BufRead) -> Result<(Header, (u16, u16)), FilmError> {
    let (_, first) = block(input)?.ok_or(RecordingError::NotARecording)?;
    let header = Container::read(&first)?.header;
    if header.kind != RecordingKind::Screen {
        return Err(FilmError::Failed("a shell's recording has no pictures: export it as text".into()));
    }
    let (mut width, mut height) = (0, 0);
    while let Some((head, block)) = block(input)? {
        if head.kind != BlockKind::Chunk {
            continue;
        }
        for entry in chunk_entries(&block)? {
            for record in ServerRecord::decode_all(&entry.message).unwrap_or_default() {
                if let ServerRecord::Resize { width: w, height: h } = record {
                    (width, height) = (width.max(w), height.max(h));
                }
            }
        }
    }
    if width == 0 || height == 0 {
        return Err(FilmError::Failed("nothing was seen in this recording: there is no film of it".into()));
    }
    Ok((header, (width, height)))
}

/// What is being made.
struct Film<'a> {
    order: &'a Order,
    began: i64,
    canvas: Canvas,
    frame: Frame,
    mark: Mark,
    encoder: Encoder,
    timeline: Timeline,
    pictures: u64,
}

fn film(order: &Order, input: &mut dyn BufRead, out: &mut dyn Write) -> Result<Made, FilmError> {
    let (header, (width, height)) = look(input)?;
    let frame = Frame::new(width, height);
    let encoder = Encoder::start(&order.folder, order.format, frame.size())?;
    let mut film = Film {
        order,
        began: header.started,
        canvas: Canvas::default(),
        frame,
        mark: Mark::default(),
        encoder,
        timeline: Timeline::new(order.skip_idle),
        pictures: 0,
    };
    let mut said = Instant::now();
    while let Some((head, block)) = block(input)? {
        if head.kind != BlockKind::Chunk {
            continue;
        }
        for entry in chunk_entries(&block)? {
            film.until(entry.ms)?;
            match ServerRecord::decode_all(&entry.message) {
                Ok(records) => records.into_iter().for_each(|record| film.canvas.apply(record)),
                Err(_) => film.canvas.broken += 1,
            }
            film.seen(entry.ms)?;
            if said.elapsed() >= SAY_TIME {
                said = Instant::now();
                say(out, &Said::At(entry.ms));
            }
        }
    }
    film.finish()
}

impl Film<'_> {
    /// Pictures of what was seen until this moment.
    fn until(&mut self, ms: u32) -> Result<(), FilmError> {
        let end = self.timeline.at(ms);
        while self.next() < end {
            self.picture()?;
        }
        Ok(())
    }

    /// The film's millisecond of its next picture.
    fn next(&self) -> u64 {
        self.pictures * 1000 / u64::from(FRAMES_A_SECOND)
    }

    fn picture(&mut self) -> Result<(), FilmError> {
        // A rest that is long has more than one minute.
        self.remark(self.timeline.back(self.next()))?;
        self.encoder.picture(self.frame.yuv())?;
        self.pictures += 1;
        Ok(())
    }

    /// What came belongs to one picture, which is seen from now on.
    fn seen(&mut self, ms: u32) -> Result<(), FilmError> {
        if self.canvas.whole && !self.remark(ms)? {
            self.frame.draw(&mut self.canvas, &self.mark, false);
        }
        Ok(())
    }

    fn remark(&mut self, ms: u32) -> Result<bool, FilmError> {
        let at = self.began.saturating_add(i64::from(ms) * 1000);
        let changed = self.mark.set(words(&self.canvas.watermark, at), &self.order.folder)?;
        if changed {
            self.frame.draw(&mut self.canvas, &self.mark, true);
        }
        Ok(changed)
    }

    fn finish(mut self) -> Result<Made, FilmError> {
        // What came last was never the beginning of a whole picture's rest: it is shown as it is.
        self.canvas.whole = true;
        let end = self.order.duration_ms;
        self.seen(end)?;
        self.until(end)?;
        // Also of what lasted no time there is a picture, and the last one is seen.
        self.picture()?;
        self.encoder.finish()?;
        let (width, height) = self.frame.size();
        Ok(Made {
            width,
            height,
            duration_ms: self.pictures * 1000 / u64::from(FRAMES_A_SECOND),
            broken: self.canvas.broken,
            sound_left_out: self.canvas.sound,
        })
    }
}
