//! The clipboard channel (MS-RDPECLIP): text, HTML and pictures. On the machine's side text is UTF-16 with CRLF, HTML has a description
//! before it ([`html`]), and pictures are bitmaps without a file header ([`dib`]) or PNG; on ours they are UTF-8 with LF, UTF-8, and PNG.
//!
//! What is copied here is announced, and handed out when the machine's programs paste it. What is copied there is asked for at once: a browser
//! cannot ask for it later. Of its pictures only where there is no text: programs that copy text add a picture of it, which is large.
//!
//! Files are in [`files`].
//!
//! IronRDP calls the backend while it decodes; what is to be done about it waits in a queue until the source has the
//! channel in its hands again.

mod dib;
mod files;
mod html;

pub use files::ClipboardFiles;

use crate::drive::Drive;
use bytes::Bytes;
use files::Files;
use ironrdp_cliprdr::CliprdrClient;
use ironrdp_cliprdr::backend::CliprdrBackend;
use ironrdp_cliprdr::pdu::{
    ClipboardFormat, ClipboardFormatId, ClipboardFormatName, ClipboardGeneralCapabilityFlags, FileContentsRequest,
    FileContentsResponse, FileDescriptor, FormatDataRequest, FormatDataResponse, LockDataId, OwnedFormatDataResponse,
};
use ironrdp_core::impl_as_any;
use ironrdp_pdu::PduResult;
use ironrdp_svc::SvcProcessor as _;
use oriel_screen::{CLIPBOARD_BYTES_MAX, Pixels, Rich, png_size, with_lf};
use std::collections::VecDeque;

/// Things to do that may wait: one frame of the server causes a handful at most.
const TASKS_MAX: usize = 64;
/// Questions to the machine that may be without an answer. Not every server answers each: xrdp does not where a program that copied is gone.
const ASKED_MAX: usize = 32;

/// CLIPRDR_HEADER (MS-RDPECLIP 2.2.1), and what of it an answer has.
const ANSWER_HEAD_BYTES: usize = 8;
const FORMAT_DATA_RESPONSE: u16 = 5;
const RESPONSE_OK: u8 = 1;
const RESPONSE_FAIL: u8 = 2;

/// Our names for formats that have no number of their own (MS-RDPECLIP 1.3.1.2: the other side knows them by the name).
const HTML: ClipboardFormatId = ClipboardFormatId(0xc101);
const PNG: ClipboardFormatId = ClipboardFormatId(0xc102);
/// xrdp 0.9 puts a file header before a bitmap, and hands out no more bytes than came: the last rows' end is missing.
const XRDP_CUTS_BYTES: usize = 14;
const HTML_NAME: &str = "HTML Format";
const FILES_NAME: &str = "FileGroupDescriptorW";
/// As Office and browsers name it on Windows, and GNOME's server of remote desktops.
const PNG_NAMES: [&str; 2] = ["PNG", "image/png"];

/// What a format carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Html,
    Png,
    Dib,
    Files,
}

impl Kind {
    /// Whether data of so many bytes, of which these are the first, may be of this kind: servers that leave a question without an answer
    /// leave answers without a known question.
    fn takes(self, data: &[u8], length: usize) -> bool {
        match self {
            Self::Html => data.starts_with(html::BEGIN),
            Self::Png => data.starts_with(b"\x89PNG"),
            Self::Dib => dib::begins(data),
            Self::Files => files::begins(data, length),
            Self::Text => ![Self::Html, Self::Png, Self::Dib, Self::Files].iter().any(|kind| kind.takes(data, length)),
        }
    }
}

/// A question to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    kind: Kind,
    pub(crate) format: ClipboardFormatId,
    /// Which of the machine's copies it is about.
    pub(crate) copy: u64,
}

/// Everything of one copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Copied {
    pub(crate) html: Option<String>,
    pub(crate) png: Option<Bytes>,
    pub(crate) text: Option<String>,
}

/// What the channel wants done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Tell the machine which formats we have.
    Announce,
    /// Ask the machine for what it copied.
    Fetch(Ask),
    /// The machine asks for our clipboard in this format.
    Answer(ClipboardFormatId),
    /// Ask the machine for bytes of a file that it copied.
    Read(FileContentsRequest),
    /// All that the machine gave of a copy is here.
    Arrived(Copied),
}

#[derive(Debug, Default)]
pub(crate) struct Clipboard {
    tasks: VecDeque<Task>,
    /// What was copied here, its text as the machine will get it.
    ours: Copied,
    /// Parts of the next, whose text has not come.
    next: Copied,
    /// The machine wants LF at the end of a line, as its own programs do: it is xrdp, or one like it.
    lf: bool,
    /// Which of the machine's copies is the newest.
    copy: u64,
    /// What has come of it, and how many answers have not.
    theirs: Copied,
    waiting: usize,
    asked: VecDeque<Ask>,
    /// `None` where the session has no folder.
    files: Option<Files>,
}

impl Clipboard {
    /// With files of the session's folder.
    pub(crate) fn with_files(drive: Drive, ways: ClipboardFiles) -> Self {
        let any = ways.to_machine || ways.to_person;
        Self { files: any.then(|| Files::new(drive, ways)), ..Self::default() }
    }

    /// What the machine is to be offered, where the person has put files into the folder. They take the place of what was copied here.
    pub(crate) fn offer(&mut self) -> Option<Vec<FileDescriptor>> {
        let offered = self.files.as_mut()?.offer()?;
        (self.ours, self.next) = (Copied::default(), Copied::default());
        Some(offered)
    }

    /// The answer to the machine's oldest question for bytes of a file, of at most 1 MiB.
    pub(crate) fn next_read(&mut self) -> Option<FileContentsResponse<'static>> {
        self.files.as_mut()?.next_read()
    }

    /// The protocol's line end is CRLF (MS-RDPECLIP 2.2.5.2), but xrdp 0.9 hands it on to X programs as it is.
    pub(crate) fn use_lf(&mut self, lf: bool) {
        self.lf = lf;
    }

    fn push(&mut self, task: Task) {
        if self.tasks.len() < TASKS_MAX {
            self.tasks.push_back(task);
        } else {
            tracing::debug!("Clipboard messages come faster than they can be handled, one is dropped");
        }
    }

    pub(crate) fn take(&mut self) -> Option<Task> {
        let next = self.tasks.pop_front();
        next.or_else(|| self.files.as_mut()?.ask().map(Task::Read))
    }

    /// A part of what was copied here; its text follows.
    pub(crate) fn add(&mut self, rich: &Rich) {
        match rich {
            Rich::Html(html) => self.next.html = Some(html.clone()),
            // Bytes of its own: those of a message would keep all of it.
            Rich::Png(png) => self.next.png = Some(Bytes::copy_from_slice(png)),
        }
    }

    /// Our clipboard changed: this is its text, which ends the copy. False when the text is longer than `CLIPBOARD_BYTES_MAX` and all was
    /// left out.
    pub(crate) fn set(&mut self, text: &str) -> bool {
        let mut copied = std::mem::take(&mut self.next);
        if text.len() > CLIPBOARD_BYTES_MAX {
            return false;
        }
        let rich = copied.html.is_some() || copied.png.is_some();
        if !text.is_empty() || !rich {
            let text = with_lf(text);
            copied.text = Some(if self.lf { text } else { text.replace('\n', "\r\n") });
        }
        self.ours = copied;
        if let Some(files) = &mut self.files {
            files.withdraw();
        }
        true
    }

    pub(crate) fn formats(&self) -> Vec<ClipboardFormat> {
        let named = |id, name| ClipboardFormat::new(id).with_name(ClipboardFormatName::new_static(name));
        let mut formats = Vec::new();
        if self.ours.text.is_some() {
            formats.push(ClipboardFormat::new(ClipboardFormatId::CF_UNICODETEXT));
        }
        if self.ours.html.is_some() {
            formats.push(named(HTML, HTML_NAME));
        }
        if self.ours.png.is_some() {
            let [name, _] = PNG_NAMES;
            formats.push(named(PNG, name));
            formats.push(ClipboardFormat::new(ClipboardFormatId::CF_DIBV5));
            formats.push(ClipboardFormat::new(ClipboardFormatId::CF_DIB));
        }
        formats
    }

    pub(crate) fn answer(&self, format: ClipboardFormatId) -> OwnedFormatDataResponse {
        let pixels = || self.ours.png.as_deref().and_then(Pixels::from_png);
        let data = match format {
            ClipboardFormatId::CF_UNICODETEXT => {
                let text = self.ours.text.as_deref();
                return text
                    .map_or_else(OwnedFormatDataResponse::new_error, OwnedFormatDataResponse::new_unicode_string);
            }
            HTML => self.ours.html.as_deref().map(html::write),
            PNG => self.ours.png.as_ref().map(|png| png.to_vec()),
            ClipboardFormatId::CF_DIB => pixels().map(|pixels| {
                let mut data = dib::write(&pixels);
                // What a machine of that kind leaves off.
                data.resize(data.len() + if self.lf { XRDP_CUTS_BYTES } else { 0 }, 0);
                data
            }),
            ClipboardFormatId::CF_DIBV5 => pixels().map(|pixels| dib::write_v5(&pixels)),
            _ => None,
        };
        data.map_or_else(OwnedFormatDataResponse::new_error, OwnedFormatDataResponse::new_data)
    }

    /// A question is about to be asked; false where too many have no answer.
    pub(crate) fn asks(&mut self, ask: Ask) -> bool {
        let may = self.asked.len() < ASKED_MAX;
        if may {
            self.asked.push_back(ask);
        } else {
            self.settle(ask.copy);
        }
        may
    }

    /// One answer less to wait for.
    pub(crate) fn settle(&mut self, copy: u64) {
        if copy != self.copy {
            return;
        }
        self.waiting = self.waiting.saturating_sub(1);
        if self.waiting == 0 {
            let copied = std::mem::take(&mut self.theirs);
            if copied != Copied::default() {
                self.push(Task::Arrived(copied));
            }
        }
    }

    /// xrdp does not answer where a program cannot hand out what it copied. Its copies have one part each, so that an answer is a whole copy.
    const fn loses_answers(&self) -> bool {
        self.lf
    }

    /// The first question that data can answer.
    fn question(&self, data: &[u8], length: usize) -> Option<usize> {
        self.asked.iter().position(|ask| ask.kind.takes(data, length))
    }

    /// How many of the oldest questions will never have an answer, as the beginning of a message shows: it answers a later one.
    fn lost_before(&self, message: &[u8]) -> usize {
        let Some((head, data)) = message.split_first_chunk::<ANSWER_HEAD_BYTES>() else { return 0 };
        let [kind_low, kind_high, flags, _, length @ ..] = *head;
        let answers = u16::from_le_bytes([kind_low, kind_high]) == FORMAT_DATA_RESPONSE && flags & RESPONSE_OK != 0;
        if !answers || !self.loses_answers() {
            return 0;
        }
        self.question(data, u32::from_le_bytes(length) as usize).unwrap_or(0)
    }

    /// So many questions have no answer that a new one would not be asked.
    fn is_full(&self) -> bool {
        self.asked.len() >= ASKED_MAX && self.loses_answers()
    }

    /// An answer to a question of an older copy, where that may be one that stays without: then it is to the newest. If it is not, the newest
    /// one's follows, and takes its place.
    fn as_of_newest(&self, ask: Ask) -> Option<Ask> {
        if ask.copy == self.copy {
            return Some(ask);
        }
        let newer = self.asked.iter().any(|other| other.kind == ask.kind && other.copy == self.copy);
        (newer && self.loses_answers()).then_some(Ask { copy: self.copy, ..ask })
    }

    /// What an answer is to: the oldest question, or the first one that it can be to.
    fn answered(&mut self, data: &[u8]) -> Option<Ask> {
        let at = self.question(data, data.len()).unwrap_or(0);
        self.answered_at(at)
    }

    fn answered_at(&mut self, at: usize) -> Option<Ask> {
        let lost: Vec<Ask> = self.asked.drain(..at.min(self.asked.len())).collect();
        lost.into_iter().for_each(|ask| self.settle(ask.copy));
        self.asked.pop_front()
    }
}

impl Clipboard {
    fn listed(&mut self, list: &[FileDescriptor]) {
        if let Some(files) = &mut self.files {
            files.listed(list);
        }
    }
}

/// IronRDP counts answers against questions, oldest first, and takes a list of files for one only where its own question is the oldest: without the
/// list it refuses to ask for the files. Where a machine left questions without an answer, this answers them with a failure, before the message
/// whose beginning is `begin` reaches the channel: both queues are then about the same question.
pub(crate) fn fail_lost(channel: &mut CliprdrClient, begin: &[u8]) -> PduResult<()> {
    let lost = channel.downcast_backend::<Clipboard>().map_or(0, |backend| backend.lost_before(begin));
    for _ in 0..lost {
        fail_oldest(channel)?;
    }
    Ok(())
}

/// The same where too many have no answer, to make room for a new one.
pub(crate) fn make_room(channel: &mut CliprdrClient) -> PduResult<()> {
    while channel.downcast_backend::<Clipboard>().is_some_and(Clipboard::is_full) {
        fail_oldest(channel)?;
    }
    Ok(())
}

fn fail_oldest(channel: &mut CliprdrClient) -> PduResult<()> {
    let [low, high] = FORMAT_DATA_RESPONSE.to_le_bytes();
    // Nothing is to be said about it.
    channel.process(&[low, high, RESPONSE_FAIL, 0, 0, 0, 0, 0]).map(drop)
}

/// What of a machine's copy is asked for.
fn wanted(formats: &[ClipboardFormat], files: bool) -> Vec<(Kind, ClipboardFormatId)> {
    let has = |id: ClipboardFormatId| formats.iter().any(|format| format.id() == id).then_some(id);
    let named = |names: &[&str]| {
        let is = |name: &str| names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
        formats.iter().find(|format| format.name().is_some_and(|name| is(name.value()))).map(ClipboardFormat::id)
    };
    let mut wanted = Vec::new();
    wanted.extend(named(&[FILES_NAME]).filter(|_| files).map(|id| (Kind::Files, id)));
    wanted.extend(named(&[HTML_NAME]).map(|id| (Kind::Html, id)));
    match has(ClipboardFormatId::CF_UNICODETEXT) {
        Some(id) => wanted.push((Kind::Text, id)),
        None => {
            let dib = || has(ClipboardFormatId::CF_DIB).or_else(|| has(ClipboardFormatId::CF_DIBV5));
            let png = named(&PNG_NAMES).map(|id| (Kind::Png, id));
            wanted.extend(png.or_else(|| dib().map(|id| (Kind::Dib, id))));
        }
    }
    wanted
}

impl_as_any!(Clipboard);

impl CliprdrBackend for Clipboard {
    fn temporary_directory(&self) -> &'static str {
        ""
    }
    fn client_capabilities(&self) -> ClipboardGeneralCapabilityFlags {
        let files = ClipboardGeneralCapabilityFlags::STREAM_FILECLIP_ENABLED
            | ClipboardGeneralCapabilityFlags::FILECLIP_NO_FILE_PATHS;
        if self.files.is_some() { files } else { ClipboardGeneralCapabilityFlags::empty() }
    }
    fn on_ready(&mut self) {}
    fn on_request_format_list(&mut self) {
        self.push(Task::Announce);
    }
    fn on_process_negotiated_capabilities(&mut self, capabilities: ClipboardGeneralCapabilityFlags) {
        if let Some(files) = &mut self.files {
            files.agree(capabilities.contains(ClipboardGeneralCapabilityFlags::STREAM_FILECLIP_ENABLED));
        }
    }
    fn on_remote_copy(&mut self, available_formats: &[ClipboardFormat]) {
        self.copy += 1;
        self.theirs = Copied::default();
        if let Some(files) = &mut self.files {
            files.stop();
        }
        let wanted = wanted(available_formats, self.files.as_ref().is_some_and(Files::takes));
        self.waiting = wanted.len();
        for (kind, format) in wanted {
            let ask = Ask { kind, format, copy: self.copy };
            if self.tasks.len() < TASKS_MAX {
                self.tasks.push_back(Task::Fetch(ask));
            } else {
                self.waiting -= 1;
            }
        }
    }
    fn on_format_data_request(&mut self, request: FormatDataRequest) {
        self.push(Task::Answer(request.format));
    }
    fn on_format_data_response(&mut self, response: FormatDataResponse<'_>) {
        if response.is_error() {
            if let Some(ask) = self.asked.pop_front() {
                self.settle(ask.copy);
            }
            return;
        }
        let data = response.data();
        let Some(ask) = self.answered(data).and_then(|ask| self.as_of_newest(ask)) else { return };
        let taken = match ask.kind {
            Kind::Files => response.to_file_list().ok().map(|list| self.listed(&list.files)),
            Kind::Text => from_utf16(data).map(|text| self.theirs.text = Some(text)),
            Kind::Html => html::read(data).map(|html| self.theirs.html = Some(html)),
            Kind::Png => png_size(data).map(|_| self.theirs.png = Some(Bytes::copy_from_slice(data))),
            Kind::Dib => dib::read(data).and_then(|pixels| pixels.to_png()).map(|png| self.theirs.png = Some(png)),
        };
        if taken.is_none() {
            tracing::info!(kind = ?ask.kind, bytes = data.len(), "Clipboard of the machine is too large or broken, left out");
        }
        self.settle(ask.copy);
    }
    fn on_remote_file_list(&mut self, files: &[FileDescriptor], _clip_data_id: Option<u32>) {
        let Some(at) = self.asked.iter().position(|ask| ask.kind == Kind::Files) else { return };
        let Some(ask) = self.answered_at(at).and_then(|ask| self.as_of_newest(ask)) else { return };
        self.listed(files);
        self.settle(ask.copy);
    }
    fn on_file_contents_request(&mut self, request: FileContentsRequest) {
        if let Some(files) = &mut self.files {
            files.read(request);
        }
    }
    fn on_file_contents_response(&mut self, response: FileContentsResponse<'_>) {
        if let Some(files) = &mut self.files {
            files.answered(&response);
        }
    }
    fn on_lock(&mut self, _data_id: LockDataId) {}
    fn on_unlock(&mut self, _data_id: LockDataId) {}
    fn now_ms(&self) -> u64 {
        // Only what waits for an answer too long, and we leave that to the next copy.
        0
    }
}

/// UTF-16 little endian up to the first NUL; `None` when it is longer than we hold.
fn from_utf16(data: &[u8]) -> Option<String> {
    let units = data
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair.first().copied().unwrap_or(0), pair.last().copied().unwrap_or(0)]));
    let mut text = String::new();
    for character in char::decode_utf16(units.take_while(|unit| *unit != 0)) {
        text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
        if text.len() > CLIPBOARD_BYTES_MAX {
            return None;
        }
    }
    Some(with_lf(&text))
}

#[cfg(test)]
#[path = "lost_tests.rs"]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
mod lost_tests;

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn line_ends_are_normalised_both_ways() {
        let mut clipboard = Clipboard::default();
        assert!(clipboard.set("a\nb\r\nc"));
        assert_eq!(clipboard.ours.text.as_deref(), Some("a\r\nb\r\nc"));
        clipboard.use_lf(true);
        assert!(clipboard.set("a\nb\r\nc"));
        assert_eq!(clipboard.ours.text.as_deref(), Some("a\nb\nc"));
        assert_eq!(from_utf16(&utf16("ä\r\n€\n")).unwrap(), "ä\n€\n");
    }

    #[test]
    fn oversized_text_is_left_out() {
        let long = "x".repeat(CLIPBOARD_BYTES_MAX + 1);
        assert_eq!(from_utf16(&utf16(&long)), None);
        assert!(!Clipboard::default().set(&long));
    }

    #[test]
    fn half_a_surrogate_and_an_odd_byte_do_no_harm() {
        assert_eq!(from_utf16(&[0x00, 0xd8, b'a', 0, 7]).unwrap(), "\u{fffd}a");
    }

    fn list(ids: &[(u32, &'static str)]) -> Vec<ClipboardFormat> {
        let format = |(id, name): &(u32, &'static str)| {
            ClipboardFormat::new(ClipboardFormatId(*id)).with_name(ClipboardFormatName::new_static(name))
        };
        ids.iter().map(format).collect()
    }

    /// What is asked for, as the source asks it.
    fn asked(clipboard: &mut Clipboard) -> Vec<u32> {
        let mut ids = Vec::new();
        while let Some(task) = clipboard.take() {
            let Task::Fetch(ask) = task else { panic!("{task:?}") };
            assert!(clipboard.asks(ask));
            ids.push(ask.format.0);
        }
        ids
    }

    fn gives(clipboard: &mut Clipboard, data: &[u8]) {
        clipboard.on_format_data_response(FormatDataResponse::new_data(data.to_vec()));
    }

    fn picture() -> Pixels {
        Pixels { width: 2, height: 1, rgba: vec![255, 0, 0, 255, 0, 0, 255, 255] }
    }

    #[test]
    fn a_copy_of_the_machine_comes_whole() {
        let mut clipboard = Clipboard::default();
        // As Word copies: many formats, of which text and HTML are asked for.
        clipboard.on_remote_copy(&list(&[
            (0xc0f0, "Object Descriptor"),
            (0xc0a1, "Rich Text Format"),
            (0xc0a2, "HTML Format"),
            (13, ""),
            (8, ""),
            (0xc0a3, "PNG"),
        ]));
        assert_eq!(asked(&mut clipboard), [0xc0a2, 13]);
        gives(&mut clipboard, &html::write("<b>x</b>"));
        assert_eq!(clipboard.take(), None, "one answer is missing");
        gives(&mut clipboard, &utf16("x"));
        let Some(Task::Arrived(copied)) = clipboard.take() else { panic!("nothing came") };
        assert_eq!((copied.text.as_deref(), copied.png), (Some("x"), None));
        assert!(copied.html.unwrap().contains("<b>x</b>"));

        // A picture, best as PNG.
        let png = picture().to_png().unwrap();
        for (formats, data) in [
            (vec![(8, ""), (17, ""), (0xc0a3, "png")], png.to_vec()),
            (vec![(17, ""), (8, "")], dib::write(&picture())),
            (vec![(17, "")], dib::write_v5(&picture())),
        ] {
            clipboard.on_remote_copy(&list(&formats));
            assert_eq!(asked(&mut clipboard).len(), 1);
            gives(&mut clipboard, &data);
            let Some(Task::Arrived(Copied { png: Some(png), .. })) = clipboard.take() else { panic!("no picture") };
            assert_eq!(Pixels::from_png(&png), Some(picture()));
        }
        // Nothing that we know.
        clipboard.on_remote_copy(&list(&[(0xc0f0, "Object Descriptor")]));
        assert_eq!(clipboard.take(), None);
    }

    #[test]
    fn answers_that_fail_come_late_or_never_do_no_harm() {
        let mut clipboard = Clipboard::default();
        let both = list(&[(0xc0a2, "HTML Format"), (13, "")]);
        clipboard.on_remote_copy(&both);
        asked(&mut clipboard);
        clipboard.on_format_data_response(FormatDataResponse::new_error());
        gives(&mut clipboard, &utf16("alone"));
        let alone = |text: &str| Some(Task::Arrived(Copied { text: Some(text.into()), ..Copied::default() }));
        assert_eq!(clipboard.take(), alone("alone"));
        // The first one's answers come when there is a second copy.
        clipboard.on_remote_copy(&both);
        asked(&mut clipboard);
        clipboard.on_remote_copy(&list(&[(13, "")]));
        asked(&mut clipboard);
        gives(&mut clipboard, &html::write("old"));
        gives(&mut clipboard, &utf16("old"));
        assert_eq!(clipboard.take(), None);
        gives(&mut clipboard, &utf16("new"));
        assert_eq!(clipboard.take(), alone("new"));
        // One is never answered: what comes is to the next question.
        clipboard.on_remote_copy(&list(&[(8, "")]));
        asked(&mut clipboard);
        clipboard.on_remote_copy(&list(&[(13, "")]));
        asked(&mut clipboard);
        gives(&mut clipboard, &utf16("text"));
        assert_eq!(clipboard.take(), alone("text"));
        // Nobody asked.
        gives(&mut clipboard, &utf16("more"));
        assert_eq!(clipboard.take(), None);
        for _ in 0..3 * ASKED_MAX {
            clipboard.on_remote_copy(&list(&[(13, "")]));
            while let Some(Task::Fetch(ask)) = clipboard.take() {
                clipboard.asks(ask);
            }
        }
        assert_eq!(clipboard.asked.len(), ASKED_MAX);
    }

    #[test]
    fn what_was_copied_here_is_had_in_every_format_of_it() {
        let mut clipboard = Clipboard::default();
        clipboard.add(&Rich::Html("<i>y</i>".into()));
        clipboard.add(&Rich::Png(picture().to_png().unwrap()));
        assert!(clipboard.formats().is_empty(), "its text has not come");
        assert!(clipboard.set("y"));
        let names: Vec<_> = clipboard.formats().iter().map(|format| format.id().0).collect();
        assert_eq!(names, [13, HTML.0, PNG.0, 17, 8]);
        let data = |clipboard: &Clipboard, id| clipboard.answer(id).data().to_vec();
        assert!(html::read(&data(&clipboard, HTML)).unwrap().contains("<i>y</i>"));
        for id in [ClipboardFormatId::CF_DIB, ClipboardFormatId::CF_DIBV5] {
            assert_eq!(dib::read(&data(&clipboard, id)), Some(picture()));
        }
        assert_eq!(Pixels::from_png(&data(&clipboard, PNG)), Some(picture()));
        // A picture alone has no text, and the next copy nothing of this one.
        clipboard.add(&Rich::Png(picture().to_png().unwrap()));
        assert!(clipboard.set(""));
        assert!(clipboard.answer(ClipboardFormatId::CF_UNICODETEXT).is_error());
        assert!(clipboard.set("z"));
        assert_eq!(clipboard.formats().len(), 1);
        assert!(clipboard.answer(PNG).is_error() && clipboard.answer(ClipboardFormatId::CF_DIB).is_error());
    }
}
