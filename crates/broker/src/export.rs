//! Recordings in other forms: an operation makes them, the storage of recordings keeps them for some days.
//!
//! The row comes first, with the operation's id. What is made is made in a folder of its own in the clear, kept encrypted, and
//! deleted there. A program that was killed finds its operation in the queue again and begins anew, with another key.

use crate::clock::now;
use crate::{Broker, BrokerError, fault};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use oriel_film::{FilmError, FilmFormat, FilmProgram, Order};
use oriel_image::Job;
use oriel_model::{
    Export, ExportFormat, GuestPort, Micros, Operation, OperationId, OperationKind, OperationState, Recording,
    RecordingId, UserId,
};
use oriel_recording::{DataKey, PartKind, RecordingError, RecordingStore};
use oriel_screen::recording::cast::{Plain, plain_text};
use oriel_screen::recording::chunk_lines;
use secrecy::ExposeSecret;
use std::fmt::Write as _;
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use tokio::io::AsyncReadExt as _;

/// Days for which what was made is kept.
pub const EXPORT_DAYS: i64 = 7;
/// Exports of one recording that are there or being made.
const EXPORTS_MAX: usize = 8;
/// Exports deleted at once because they are old.
const EXPIRED_MAX: u64 = 100;
/// Of making a film, the rest being its keeping.
const MAKING: f64 = 0.95;

/// What makes films, and where.
#[derive(Clone, Debug)]
pub struct Films {
    pub program: FilmProgram,
    /// A folder that nobody else reads: films are in there in the clear while they are made.
    pub folder: PathBuf,
}

/// What is to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewExport {
    pub format: ExportFormat,
    /// Pauses become short; films only.
    pub skip_idle: bool,
}

/// What can be had of an export.
pub struct ExportContent {
    pub export: Export,
    key: DataKey,
    store: RecordingStore,
}

impl ExportContent {
    pub fn read(self, range: Range<u64>) -> impl Stream<Item = Result<Bytes, RecordingError>> + Send + use<> {
        self.store.export_range(self.export.id, self.key, range)
    }
}

/// Binds a sealed key to its row.
pub(crate) fn sealing_context(id: OperationId) -> String {
    format!("export:{id}")
}

impl Broker {
    /// Says what makes films, once; without it there are none. What an earlier run of the program left in the folder is deleted.
    pub fn set_films(&self, films: Films) {
        std::fs::remove_dir_all(&films.folder).ok();
        self.inner.films.set(films).ok();
    }

    /// Begins to make one. A recording that is still being written is exported as far as it is.
    pub async fn start_export(
        &self,
        recording: &Recording,
        new: NewExport,
        by: Option<UserId>,
    ) -> Result<Operation, BrokerError> {
        let is_shell = recording.port == GuestPort::Ssh;
        if new.format.is_film() == is_shell {
            let (is, not, next) = if is_shell {
                ("a shell", "a film", "export it as cast or text")
            } else {
                ("a screen", "text", "export it as mp4 or webm")
            };
            return Err(BrokerError::invalid(
                "wrong_format",
                format!("this recording is of {is} and cannot become {not}"),
                next,
            ));
        }
        self.recording_store()?;
        if new.format.is_film() {
            self.films()?;
            if let Some(error) = oriel_film::ffmpeg_missing() {
                return Err(error.into());
            }
        }
        if self.inner.store.exports(recording.id).await?.len() >= EXPORTS_MAX {
            return Err(BrokerError::conflict(
                "too_many_exports",
                format!("this recording has {EXPORTS_MAX} exports already"),
                "delete some of them first",
            ));
        }
        let kind = OperationKind::RecordingExport {
            recording: recording.id,
            desktop: recording.desktop_name.clone(),
            format: new.format,
            skip_idle: new.skip_idle,
        };
        let operation = self.queue_operation(kind, by).await?;
        let export = Export {
            id: operation.id,
            recording: recording.id,
            format: new.format,
            skip_idle: new.skip_idle,
            ready: false,
            bytes: 0,
            since: operation.created,
        };
        self.inner.store.create_export(&export).await?;
        Ok(operation)
    }

    /// Of one recording, newest first, each with the operation that makes or made it.
    pub async fn exports(&self, recording: RecordingId) -> Result<Vec<(Export, Option<Operation>)>, BrokerError> {
        let mut all = Vec::new();
        for export in self.inner.store.exports(recording).await? {
            let operation = self.inner.store.operation(export.id).await?;
            all.push((export, operation));
        }
        Ok(all)
    }

    pub async fn find_export(&self, recording: RecordingId, key: &str) -> Result<Export, BrokerError> {
        let missing = || BrokerError::missing("export", key);
        let id: OperationId = key.parse().map_err(|_| missing())?;
        self.inner.store.export(id).await?.filter(|export| export.recording == recording).ok_or_else(missing)
    }

    /// Errors: `Conflict` until it is ready.
    pub async fn export_content(&self, export: Export) -> Result<ExportContent, BrokerError> {
        let store = self.recording_store()?.clone();
        let sealed = self.inner.store.export_key(export.id).await?.filter(|_| export.ready);
        let sealed = sealed.ok_or_else(|| {
            BrokerError::conflict(
                "export_not_ready",
                "this export is not ready",
                "watch its operation: `oriel operation watch`",
            )
        })?;
        let text = self
            .inner
            .vault
            .open(&sealed, &sealing_context(export.id))
            .map_err(|error| BrokerError::internal("unsealing an export's key", error))?;
        Ok(ExportContent { key: DataKey::from_text(&text)?, export, store })
    }

    /// Deletes what was made; what is being made is cancelled.
    pub async fn delete_export(&self, export: &Export) -> Result<(), BrokerError> {
        if self.inner.store.operation(export.id).await?.is_some() {
            self.cancel_operation(export.id).await?;
        }
        // The row first: whoever makes it sees that nobody wants it any more, and takes along what it kept.
        self.inner.store.delete_export(export.id).await?;
        Ok(self.recording_store()?.delete_export(export.id).await?)
    }

    /// Those of a recording that goes.
    pub(crate) async fn delete_exports(&self, recording: RecordingId) -> Result<(), BrokerError> {
        for export in self.inner.store.exports(recording).await? {
            self.delete_export(&export).await?;
        }
        Ok(())
    }

    /// Deletes exports that were kept long enough; answers how many.
    pub(crate) async fn expire_exports(&self) -> Result<usize, BrokerError> {
        let before = Micros(now().0.saturating_sub(EXPORT_DAYS * 24 * 60 * 60 * 1_000_000));
        let mut count = 0;
        for export in self.inner.store.exports_before(before, EXPIRED_MAX).await? {
            let operation = self.inner.store.operation(export.id).await?;
            let at_work = |op: &Operation| matches!(op.state, OperationState::Queued | OperationState::Running);
            if operation.as_ref().is_some_and(at_work) {
                continue;
            }
            match self.delete_export(&export).await {
                Ok(()) => count += 1,
                Err(error) => tracing::warn!(export = %export.id, %error, "An old export could not be deleted"),
            }
        }
        Ok(count)
    }

    fn films(&self) -> Result<&Films, BrokerError> {
        self.inner
            .films
            .get()
            .ok_or_else(|| BrokerError::conflict("no_films", "this server makes no films", "start it as `oriel serve`"))
    }

    /// The operation's work. Answers one line for people.
    pub(crate) async fn perform_export(&self, id: OperationId, job: &impl Job) -> Result<String, BrokerError> {
        let gone = || {
            BrokerError::conflict(
                "export_gone",
                "the export was deleted, or its recording was",
                "export the recording again",
            )
        };
        let export = self.inner.store.export(id).await?.ok_or_else(gone)?;
        if export.ready {
            return Ok("it was ready".to_owned());
        }
        let recording = self.inner.store.recording(export.recording).await?.ok_or_else(gone)?;
        let store = self.recording_store()?.clone();
        store.delete_export(id).await?;
        let (key, text) = DataKey::random()?;
        let sealed = self
            .inner
            .vault
            .seal(text.expose_secret(), &sealing_context(id))
            .map_err(|error| BrokerError::internal("sealing an export's key", error))?;
        let work = async {
            if !self.inner.store.begin_export(id, &sealed).await? {
                return Err(gone());
            }
            let mut writer = store.export_writer(id, key);
            let mut said = String::new();
            if export.format.is_film() {
                let folder = Scratch::new(&self.films()?.folder, id)?;
                let (file, words) = self.make_film(&recording, &export, &folder.0, job).await?;
                said = words;
                fault::point("export.film_made");
                let failed = |error| BrokerError::from(FilmError::Folder(error));
                let size = tokio::fs::metadata(&file).await.map_err(failed)?.len().max(1);
                let mut file = tokio::fs::File::open(&file).await.map_err(failed)?;
                let (mut buffer, mut kept) = (vec![0; 1 << 20], 0);
                loop {
                    let count = file.read(&mut buffer).await.map_err(failed)?;
                    let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else { break };
                    writer.write(read).await?;
                    kept += count as u64;
                    job.progress(MAKING + (1.0 - MAKING) * (kept as f64 / size as f64), "keeping it, encrypted");
                }
            } else {
                self.write_text(&recording, &export, &mut writer, job).await?;
            }
            let bytes = writer.finish().await?;
            fault::point("export.kept");
            if !self.inner.store.finish_export(id, bytes, now()).await? {
                return Err(gone());
            }
            Ok(format!("made {}{said}", export.format.word()))
        };
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = job.cancelled() => Err(FilmError::Cancelled.into()),
        };
        if outcome.is_err() {
            store.delete_export(id).await.ok();
        }
        outcome
    }

    /// The file that was made, and what is to be said of it.
    async fn make_film(
        &self,
        recording: &Recording,
        export: &Export,
        folder: &Path,
        job: &impl Job,
    ) -> Result<(PathBuf, String), BrokerError> {
        let format = if export.format == ExportFormat::Webm { FilmFormat::Webm } else { FilmFormat::Mp4 };
        let content = self.recording_content(recording.clone()).await?;
        let duration_ms = u32::try_from(content.duration_ms()).unwrap_or(u32::MAX);
        let order = Order { format, skip_idle: export.skip_idle, folder: folder.to_owned(), duration_ms };
        let keys = |kind| matches!(kind, PartKind::Header | PartKind::Key);
        let all = |kind| matches!(kind, PartKind::Header | PartKind::Key | PartKind::Chunk);
        job.progress(0.0, "looking at its sizes");
        let at = |ms: u32| {
            let part = f64::from(ms) / f64::from(duration_ms.max(1));
            job.progress(part.min(1.0) * MAKING, "making the film");
        };
        let made =
            oriel_film::make(&self.films()?.program, &order, content.blocks(keys), content.blocks(all), at).await?;
        let mut said = format!(", {}x{}, {} s", made.width, made.height, made.duration_ms / 1000);
        if made.broken > 0 {
            // Writing to a string cannot fail.
            write!(said, "; {} pictures could not be decoded", made.broken).ok();
        }
        if made.sound_left_out {
            said.push_str("; its sound is left out");
        }
        Ok((folder.join(format.file()), said))
    }

    async fn write_text(
        &self,
        recording: &Recording,
        export: &Export,
        writer: &mut oriel_recording::ExportWriter,
        job: &impl Job,
    ) -> Result<(), BrokerError> {
        let content = self.recording_content(recording.clone()).await?;
        let (size, mut read) = (content.size().max(1), 0);
        let mut blocks = std::pin::pin!(content.blocks(|kind| matches!(kind, PartKind::Key | PartKind::Chunk)));
        let (mut plain, mut out) = (Plain::default(), String::new());
        while let Some(block) = blocks.next().await {
            let block = block?;
            read += block.len() as u64;
            let lines = chunk_lines(&block).map_err(FilmError::from)?;
            if export.format == ExportFormat::Cast {
                // Blanks are where something was typed.
                let lines = lines.split_inclusive('\n').filter(|line| !line.trim().is_empty());
                writer.write(lines.collect::<String>().as_bytes()).await?;
            } else {
                plain_text(&lines, &mut plain, &mut out);
                // A backspace takes back what is in the same line.
                let whole = out.rfind('\n').map_or(0, |at| at + 1);
                writer.write(out.drain(..whole).as_str().as_bytes()).await?;
            }
            job.progress((read as f64 / size as f64).min(1.0), "writing the text");
        }
        writer.write(out.as_bytes()).await?;
        Ok(())
    }
}

/// A folder that is gone when this is.
struct Scratch(PathBuf);

impl Scratch {
    fn new(folder: &Path, id: OperationId) -> Result<Self, BrokerError> {
        let folder = folder.join(id.to_string());
        std::fs::remove_dir_all(&folder).ok();
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| BrokerError::from(FilmError::Folder(error)))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
