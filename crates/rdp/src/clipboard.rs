//! Text through the clipboard channel (MS-RDPECLIP): UTF-16 with CRLF on the machine's side, UTF-8 with LF on ours.
//!
//! IronRDP calls the backend while it decodes; what is to be done about it waits in a queue until the source has the
//! channel in its hands again.

use ironrdp_cliprdr::backend::CliprdrBackend;
use ironrdp_cliprdr::pdu::{
    ClipboardFormat, ClipboardFormatId, ClipboardGeneralCapabilityFlags, FileContentsRequest, FileContentsResponse,
    FormatDataRequest, FormatDataResponse, LockDataId, OwnedFormatDataResponse,
};
use ironrdp_core::impl_as_any;
use oriel_screen::{CLIPBOARD_BYTES_MAX, with_lf};
use std::collections::VecDeque;

/// Things to do that may wait: one frame of the server causes a handful at most.
const TASKS_MAX: usize = 64;

/// What the channel wants done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Tell the machine which formats we have.
    Announce,
    /// Ask the machine for its text.
    Fetch,
    /// The machine asks for our clipboard in this format.
    Answer(ClipboardFormatId),
    /// The machine's text came.
    Arrived(String),
}

#[derive(Debug, Default)]
pub(crate) struct Clipboard {
    tasks: VecDeque<Task>,
    /// Our text, as the machine will get it.
    text: Option<String>,
    /// The machine wants LF at the end of a line, as its own programs do.
    lf: bool,
}

impl Clipboard {
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
        self.tasks.pop_front()
    }

    /// Our clipboard changed. False when the text is longer than `CLIPBOARD_BYTES_MAX` and was left out.
    pub(crate) fn set(&mut self, text: &str) -> bool {
        if text.len() > CLIPBOARD_BYTES_MAX {
            return false;
        }
        let text = with_lf(text);
        self.text = Some(if self.lf { text } else { text.replace('\n', "\r\n") });
        true
    }

    pub(crate) fn formats(&self) -> Vec<ClipboardFormat> {
        match self.text {
            Some(_) => vec![ClipboardFormat::new(ClipboardFormatId::CF_UNICODETEXT)],
            None => Vec::new(),
        }
    }

    pub(crate) fn answer(&self, format: ClipboardFormatId) -> OwnedFormatDataResponse {
        match &self.text {
            Some(text) if format == ClipboardFormatId::CF_UNICODETEXT => {
                OwnedFormatDataResponse::new_unicode_string(text)
            }
            _ => OwnedFormatDataResponse::new_error(),
        }
    }
}

impl_as_any!(Clipboard);

impl CliprdrBackend for Clipboard {
    fn temporary_directory(&self) -> &'static str {
        ""
    }
    fn client_capabilities(&self) -> ClipboardGeneralCapabilityFlags {
        ClipboardGeneralCapabilityFlags::empty()
    }
    fn on_ready(&mut self) {}
    fn on_request_format_list(&mut self) {
        self.push(Task::Announce);
    }
    fn on_process_negotiated_capabilities(&mut self, _capabilities: ClipboardGeneralCapabilityFlags) {}
    fn on_remote_copy(&mut self, available_formats: &[ClipboardFormat]) {
        if available_formats.iter().any(|format| format.id() == ClipboardFormatId::CF_UNICODETEXT) {
            self.push(Task::Fetch);
        }
    }
    fn on_format_data_request(&mut self, request: FormatDataRequest) {
        self.push(Task::Answer(request.format));
    }
    fn on_format_data_response(&mut self, response: FormatDataResponse<'_>) {
        if response.is_error() {
            return;
        }
        match from_utf16(response.data()) {
            Some(text) => self.push(Task::Arrived(text)),
            None => tracing::info!(
                bytes = response.data().len(),
                limit = CLIPBOARD_BYTES_MAX,
                "Clipboard of the machine is too large, left out"
            ),
        }
    }
    fn on_file_contents_request(&mut self, _request: FileContentsRequest) {}
    fn on_file_contents_response(&mut self, _response: FileContentsResponse<'_>) {}
    fn on_lock(&mut self, _data_id: LockDataId) {}
    fn on_unlock(&mut self, _data_id: LockDataId) {}
    fn now_ms(&self) -> u64 {
        // Only file transfers look at the clock, and we have none.
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
mod tests {
    use super::*;

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn line_ends_are_normalised_both_ways() {
        let mut clipboard = Clipboard::default();
        assert!(clipboard.set("a\nb\r\nc"));
        assert_eq!(clipboard.text.as_deref(), Some("a\r\nb\r\nc"));
        clipboard.use_lf(true);
        assert!(clipboard.set("a\nb\r\nc"));
        assert_eq!(clipboard.text.as_deref(), Some("a\nb\nc"));
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
}
