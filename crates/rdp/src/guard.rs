//! Looks at each frame before IronRDP does and keeps what it may collect bounded: fragmented updates, channel
//! messages and bitmaps announce sizes that only their end would prove wrong. Also handles the few messages that
//! IronRDP takes for an error or says nothing about (the bell, the keyboard's lights).

use crate::{
    CHANNEL_MESSAGE_BYTES_MAX, CLIPBOARD_ANSWER_BYTES_MAX, DYNAMIC_MESSAGE_BYTES_MAX, GRAPHICS_MESSAGE_BYTES_MAX,
    UPDATE_BYTES_MAX,
};
use ironrdp_core::encode_vec;
use ironrdp_pdu::mcs::{SendDataIndication, decode_send_data_indication};
use ironrdp_pdu::x224::X224;
use std::borrow::Cow;

/// Bulk compression makes at most this much of one fragment (MS-RDPBCGR 3.1.8).
const BULK_BYTES_MAX: usize = 64 * 1024;
/// Servers pad bitmap rows: real ones to four pixels.
const BITMAP_PADDING_MAX: u16 = 64;

const CHANNEL_FLAG_FIRST: u32 = 0x01;
const CHANNEL_FLAG_LAST: u32 = 0x02;
const CHANNEL_PACKET_COMPRESSED: u32 = 0x0020_0000;
/// Bytes of a device's request before its own fields (MS-RDPEFS 2.2.1.4).
const DEVICE_REQUEST_HEAD_BYTES: usize = 24;
const CB_FORMAT_DATA_RESPONSE: u16 = 0x0005;
const CB_RESPONSE_FAIL: u16 = 0x0002;

/// The channels whose content has limits of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Channels {
    pub(crate) io: u16,
    pub(crate) message: Option<u16>,
    pub(crate) clipboard: Option<u16>,
    pub(crate) dynamic: Option<u16>,
    /// Devices: the session's drive.
    pub(crate) drive: Option<u16>,
    /// The dynamic channel of the graphics pipeline, once it is open.
    pub(crate) graphics: Option<u32>,
}

/// What to do with an X.224 frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The activation sequence's or the session's, on the I/O channel or about the whole connection.
    Pass,
    /// The session's even while it is being reactivated.
    Channel,
    /// Nothing that we need.
    Drop,
    /// The end of a clipboard answer or of a request to the drive that was too large to keep: pass this instead.
    Instead(Vec<u8>),
    Bell,
    Leds(u8),
}

#[derive(Debug, Default)]
pub(crate) struct Guard {
    /// Bytes of a fragmented update so far.
    update: usize,
    /// The clipboard message that is coming is a large answer.
    large_answer: bool,
    /// The clipboard message that is being skipped answers a request of ours.
    skipped_answer: bool,
    /// How the request to the drive begins that is being skipped.
    skipped_request: Vec<u8>,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at.checked_add(2)?)?.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

impl Channels {
    /// What an X.224 frame has for the I/O channel, where it is of that.
    pub(crate) fn io_data<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        let data = decode_send_data_indication(frame).ok().filter(|data| data.channel_id == self.io)?;
        Some(data.user_data)
    }

    /// Whether an X.224 frame is of the clipboard's channel.
    pub(crate) fn is_clipboard(&self, frame: &[u8]) -> bool {
        self.clipboard.is_some()
            && decode_send_data_indication(frame).is_ok_and(|data| Some(data.channel_id) == self.clipboard)
    }

    /// The beginning of a message of the clipboard's channel, where a frame has one.
    pub(crate) fn clipboard_begin<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        let id = self.clipboard?;
        let data = decode_send_data_indication(frame).ok().filter(|data| data.channel_id == id)?;
        let first = u32_at(data.user_data, 4)? & CHANNEL_FLAG_FIRST != 0;
        data.user_data.get(8..).filter(|_| first)
    }
}

impl Guard {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A fast-path frame (MS-RDPBCGR 2.2.9.1.2) for a screen that is `width` pixels wide.
    pub(crate) fn fast_path(&mut self, frame: &[u8], width: u16) -> Result<(), String> {
        let header = if frame.get(1).is_some_and(|length| length & 0x80 != 0) { 3 } else { 2 };
        let mut rest = frame.get(header..).unwrap_or_default();
        while let [head, after @ ..] = rest {
            let (code, fragment, compressed) = (head & 0x0f, (head >> 4) & 3, head >> 6 == 2);
            let (flags, after) = match after {
                [flags, after @ ..] if compressed => (*flags, after),
                _ => (0, after),
            };
            let Some(size) = u16_at(after, 0).map(usize::from) else { break };
            let Some((data, next)) = after.get(2..).and_then(|data| data.split_at_checked(size)) else { break };
            let packed = flags & 0x20 != 0;
            let weight = if packed { BULK_BYTES_MAX } else { size };
            match fragment {
                0 => self.update = 0,
                2 => self.update = weight,
                _ => self.update = self.update.saturating_add(weight),
            }
            if self.update > UPDATE_BYTES_MAX {
                return Err(format!("an update is larger than {UPDATE_BYTES_MAX} bytes"));
            }
            if code == 1 && !packed && (fragment == 0 || fragment == 2) {
                check_bitmaps(data, width)?;
            }
            rest = next;
        }
        Ok(())
    }

    /// An X.224 frame.
    pub(crate) fn x224(&mut self, frame: &[u8], channels: Channels) -> Result<Verdict, String> {
        let Ok(data) = decode_send_data_indication(frame) else {
            return Ok(Verdict::Pass);
        };
        if data.channel_id == channels.io {
            return Ok(io_channel(data.user_data));
        }
        if Some(data.channel_id) == channels.message {
            return Ok(Verdict::Channel);
        }
        let (Some(length), Some(flags)) = (u32_at(data.user_data, 0), u32_at(data.user_data, 4)) else {
            return Err("a channel message has no header".to_owned());
        };
        if flags & CHANNEL_PACKET_COMPRESSED != 0 {
            return Err("a channel message is compressed, which was not agreed".to_owned());
        }
        let first = flags & CHANNEL_FLAG_FIRST != 0;
        let body = data.user_data.get(8..).unwrap_or_default();
        if length as usize > CHANNEL_MESSAGE_BYTES_MAX {
            let last = flags & CHANNEL_FLAG_LAST != 0;
            if Some(data.channel_id) == channels.drive {
                if first {
                    let head = DEVICE_REQUEST_HEAD_BYTES.min(body.len());
                    self.skipped_request = body.get(..head).unwrap_or_default().to_vec();
                    tracing::debug!(
                        bytes = length,
                        limit = CHANNEL_MESSAGE_BYTES_MAX,
                        "Request to the drive is too large, refused"
                    );
                }
                if !last {
                    return Ok(Verdict::Drop);
                }
                // Its head alone is a request without its fields, which is answered as one that makes no sense.
                let head = std::mem::take(&mut self.skipped_request);
                return Ok(if head.is_empty() {
                    Verdict::Drop
                } else {
                    Verdict::Instead(whole(data.initiator_id, data.channel_id, &head)?)
                });
            }
            if Some(data.channel_id) != channels.clipboard {
                return Err(format!("a channel message announces {length} bytes"));
            }
            let answers = u16_at(body, 0) == Some(CB_FORMAT_DATA_RESPONSE);
            if first {
                // Pictures: of what else there is nothing is so large.
                self.large_answer = answers && length as usize <= CLIPBOARD_ANSWER_BYTES_MAX;
            }
            if self.large_answer {
                return Ok(Verdict::Channel);
            }
            if first {
                self.skipped_answer = answers;
                tracing::info!(
                    bytes = length,
                    limit = CLIPBOARD_ANSWER_BYTES_MAX,
                    "Clipboard of the machine is too large, left out"
                );
            }
            return Ok(if last && std::mem::take(&mut self.skipped_answer) {
                Verdict::Instead(failed_answer(data.initiator_id, data.channel_id)?)
            } else {
                Verdict::Drop
            });
        }
        if first && Some(data.channel_id) == channels.dynamic {
            check_dynamic(body, channels.graphics)?;
        }
        Ok(Verdict::Channel)
    }
}

/// TS_UPDATE_BITMAP_DATA (MS-RDPBCGR 2.2.9.1.1.3.1.2): decoders reserve what width and height say, so a bitmap wider
/// than the screen must not reach them. What lies in later fragments is bounded by the screen's height alone.
fn check_bitmaps(data: &[u8], width: u16) -> Result<(), String> {
    let mut rest = data.get(4..).unwrap_or_default();
    while let (Some(bitmap), Some(length)) = (u16_at(rest, 8), u16_at(rest, 16)) {
        if bitmap > width.saturating_add(BITMAP_PADDING_MAX) {
            return Err(format!("a bitmap is {bitmap} pixels wide on a screen of {width}"));
        }
        rest = rest.get(18 + usize::from(length)..).unwrap_or_default();
    }
    Ok(())
}

/// Share control and data headers (MS-RDPBCGR 2.2.8.1.1.1): only lone data PDUs are looked at.
fn io_channel(data: &[u8]) -> Verdict {
    let alone = u16_at(data, 0).map(usize::from) == Some(data.len());
    let is_data = u16_at(data, 2).is_some_and(|kind| kind & 0x0f == 7);
    if !alone || !is_data {
        return Verdict::Pass;
    }
    match data.get(14) {
        // Play Sound
        Some(0x22) => Verdict::Bell,
        // Set Keyboard Indicators: unit, lights
        Some(0x29) => u16_at(data, 20).map_or(Verdict::Drop, |bits| Verdict::Leds(bits as u8 & 7)),
        // Set Keyboard IME Status, Status Info
        Some(0x2d | 0x36) => Verdict::Drop,
        _ => Verdict::Pass,
    }
}

/// What an I/O channel frame means between a deactivation and the end of the activation that follows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Crossing {
    /// One of the activation's messages (MS-RDPBCGR 1.3.1.3), or one that ends the connection.
    Step,
    /// About the old screen, sent before the server knew: void.
    Void,
    /// The server deactivates once more: the activation begins anew.
    Again,
}

/// Servers send pictures and pointers of the old screen while a new activation is under way; xrdp does so when it is resized twice.
pub(crate) fn crossing(frame: &[u8], channels: Channels) -> Crossing {
    let Ok(message) = decode_send_data_indication(frame) else { return Crossing::Step };
    let data = message.user_data;
    if message.channel_id != channels.io || u16_at(data, 0).map(usize::from) != Some(data.len()) {
        return Crossing::Step;
    }
    match u16_at(data, 2).map(|kind| kind & 0x0f) {
        // Deactivate All
        Some(6) => Crossing::Again,
        // Data: Control, Synchronize, Font Map, Set Error Info, Monitor Layout are the activation's.
        Some(7) if !matches!(data.get(14), Some(20 | 31 | 40 | 47 | 55)) => Crossing::Void,
        _ => Crossing::Step,
    }
}

/// DYNVC_DATA_FIRST (MS-RDPEDYC 2.2.3.1, and 2.2.3.3 for the compressed one) announces the length of its message.
fn check_dynamic(body: &[u8], graphics: Option<u32>) -> Result<(), String> {
    let Some(head) = body.first() else { return Ok(()) };
    if !matches!(head >> 4, 2 | 6) {
        return Ok(());
    }
    let id_bytes = match head & 3 {
        0 => 1,
        1 => 2,
        _ => 4,
    };
    let at = 1 + id_bytes;
    let length = match (head >> 2) & 3 {
        0 => body.get(at).copied().map(u32::from),
        1 => u16_at(body, at).map(u32::from),
        _ => u32_at(body, at),
    };
    let id = match id_bytes {
        1 => body.get(1).copied().map(u32::from),
        2 => u16_at(body, 1).map(u32::from),
        _ => u32_at(body, 1),
    };
    let most =
        if graphics.is_some() && id == graphics { GRAPHICS_MESSAGE_BYTES_MAX } else { DYNAMIC_MESSAGE_BYTES_MAX };
    match length {
        Some(length) if length > most => Err(format!("a dynamic channel message announces {length} bytes")),
        _ => Ok(()),
    }
}

/// The frame of a clipboard answer that says "failed", so that requests and answers stay paired.
fn failed_answer(initiator_id: u16, channel_id: u16) -> Result<Vec<u8>, String> {
    let mut message = Vec::with_capacity(8);
    message.extend_from_slice(&CB_FORMAT_DATA_RESPONSE.to_le_bytes());
    message.extend_from_slice(&CB_RESPONSE_FAIL.to_le_bytes());
    message.extend_from_slice(&0u32.to_le_bytes());
    whole(initiator_id, channel_id, &message)
}

/// The frame of a channel message in one piece.
fn whole(initiator_id: u16, channel_id: u16, message: &[u8]) -> Result<Vec<u8>, String> {
    let length = u32::try_from(message.len()).map_err(|error| error.to_string())?;
    let mut data = Vec::with_capacity(8 + message.len());
    data.extend_from_slice(&length.to_le_bytes());
    data.extend_from_slice(&(CHANNEL_FLAG_FIRST | CHANNEL_FLAG_LAST).to_le_bytes());
    data.extend_from_slice(message);
    encode_vec(&X224(SendDataIndication { initiator_id, channel_id, user_data: Cow::Owned(data) }))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHANNELS: Channels = Channels {
        io: 1003,
        message: None,
        clipboard: Some(1004),
        dynamic: Some(1005),
        drive: Some(1006),
        graphics: Some(8),
    };

    fn indication(channel_id: u16, data: &[u8]) -> Vec<u8> {
        encode_vec(&X224(SendDataIndication { initiator_id: 1002, channel_id, user_data: Cow::Borrowed(data) }))
            .unwrap()
    }

    fn chunk(length: u32, flags: u32, body: &[u8]) -> Vec<u8> {
        [&length.to_le_bytes()[..], &flags.to_le_bytes(), body].concat()
    }

    #[test]
    fn endless_fragments_end_in_an_error() {
        let mut guard = Guard::new();
        let piece = |fragment: u8| {
            let size = 16_000u16;
            let length = 3 + 3 + usize::from(size);
            let mut frame = vec![0, 0x80 | (length >> 8) as u8, length as u8, 4 | fragment << 4];
            frame.extend_from_slice(&size.to_le_bytes());
            frame.resize(length, 0);
            frame
        };
        guard.fast_path(&piece(2), 800).unwrap();
        let passed = (0..10_000).take_while(|_| guard.fast_path(&piece(3), 800).is_ok()).count();
        assert!(passed <= UPDATE_BYTES_MAX / 16_000, "{passed} fragments passed");
    }

    #[test]
    fn bitmaps_wider_than_the_screen_are_refused() {
        let mut bitmap = vec![1, 0, 1, 0];
        for value in [0u16, 0, 0, 0, 60_000, 1, 32, 1, 0] {
            bitmap.extend_from_slice(&value.to_le_bytes());
        }
        let mut frame = vec![0, (2 + 3 + bitmap.len()) as u8, 1];
        frame.extend_from_slice(&(bitmap.len() as u16).to_le_bytes());
        frame.extend_from_slice(&bitmap);
        assert!(Guard::new().fast_path(&frame, 1920).unwrap_err().contains("60000"));
    }

    #[test]
    fn huge_channel_messages_are_refused_and_huge_clipboards_skipped() {
        let mut guard = Guard::new();
        assert!(guard.x224(&indication(1005, &chunk(u32::MAX, 1, &[0x20])), CHANNELS).is_err());
        let picture = 3 * CHANNEL_MESSAGE_BYTES_MAX as u32;
        for body in [&[5, 0, 1, 0][..], &[0; 8]] {
            let flags = u32::from(body.len() == 4);
            assert_eq!(guard.x224(&indication(1004, &chunk(picture, flags, body)), CHANNELS), Ok(Verdict::Channel));
        }
        // Only answers are so large.
        assert_eq!(guard.x224(&indication(1004, &chunk(picture, 1, &[2, 0, 0, 0])), CHANNELS), Ok(Verdict::Drop));
        let long = CLIPBOARD_ANSWER_BYTES_MAX as u32 + 1;
        assert_eq!(guard.x224(&indication(1004, &chunk(long, 1, &[5, 0, 1, 0])), CHANNELS), Ok(Verdict::Drop));
        assert_eq!(guard.x224(&indication(1004, &chunk(long, 0, &[0; 8])), CHANNELS), Ok(Verdict::Drop));
        let Ok(Verdict::Instead(frame)) = guard.x224(&indication(1004, &chunk(long, 2, &[0; 8])), CHANNELS) else {
            panic!("the end of the skipped answer must be replaced")
        };
        assert_eq!(guard.x224(&frame, CHANNELS), Ok(Verdict::Channel));
        assert_eq!(
            guard.x224(&indication(1005, &chunk(10, 3, &[0x28, 7, 0xff, 0xff, 0xff, 0x7f])), CHANNELS).unwrap_err(),
            "a dynamic channel message announces 2147483647 bytes"
        );
        // The graphics pipeline's may be larger, and no other's.
        let announce = |id: u8| indication(1005, &chunk(10, 3, &[0x28, id, 0, 0, 2, 0]));
        assert_eq!(guard.x224(&announce(8), CHANNELS), Ok(Verdict::Channel));
        assert!(guard.x224(&announce(7), CHANNELS).is_err());
        assert!(guard.x224(&indication(1005, &chunk(10, 3, &[0x28, 8, 0, 0, 0, 1])), CHANNELS).is_err());
    }

    #[test]
    fn a_huge_request_to_the_drive_becomes_its_head_alone() {
        let mut guard = Guard::new();
        let long = 4u32 << 20;
        let head: Vec<u8> = (0..24).collect();
        let begin = [&head[..], &[7; 400]].concat();
        assert_eq!(guard.x224(&indication(1006, &chunk(long, 1, &begin)), CHANNELS), Ok(Verdict::Drop));
        assert_eq!(guard.x224(&indication(1006, &chunk(long, 0, &[0; 8])), CHANNELS), Ok(Verdict::Drop));
        let end = indication(1006, &chunk(long, 2, &[0; 8]));
        assert_eq!(guard.x224(&end, CHANNELS), Ok(Verdict::Instead(indication(1006, &chunk(24, 3, &head)))));
        // An end without a beginning is nobody's request.
        assert_eq!(guard.x224(&end, CHANNELS), Ok(Verdict::Drop));
    }

    #[test]
    fn bell_and_lights() {
        let share = |kind: u8, body: &[u8]| {
            let mut data = vec![0u8; 18];
            data[0] = (18 + body.len()) as u8;
            data[2] = 0x17;
            data[14] = kind;
            data.extend_from_slice(body);
            indication(1003, &data)
        };
        assert_eq!(Guard::new().x224(&share(0x22, &[0; 8]), CHANNELS), Ok(Verdict::Bell));
        assert_eq!(Guard::new().x224(&share(0x29, &[0, 0, 6, 0]), CHANNELS), Ok(Verdict::Leds(6)));
        assert_eq!(Guard::new().x224(&share(0x02, &[0; 8]), CHANNELS), Ok(Verdict::Pass));
    }

    #[test]
    fn the_old_screens_messages_do_not_disturb_an_activation() {
        let share = |kind: u8, message: u8| {
            let mut data = vec![0u8; 18];
            (data[0], data[2], data[14]) = (18, 0x10 | kind, message);
            indication(1003, &data)
        };
        // Demand Active, Font Map, Set Error Info
        for (kind, message) in [(1, 0), (7, 40), (7, 47)] {
            assert_eq!(crossing(&share(kind, message), CHANNELS), Crossing::Step);
        }
        // Update, Pointer, Save Session Info
        for message in [2, 27, 38] {
            assert_eq!(crossing(&share(7, message), CHANNELS), Crossing::Void);
        }
        assert_eq!(crossing(&share(6, 0), CHANNELS), Crossing::Again);
        assert_eq!(crossing(&[3, 0, 0, 9, 2, 0xf0, 0x80, 0x21, 0x80], CHANNELS), Crossing::Step);
    }

    proptest! {
        #[test]
        fn total(frame in prop::collection::vec(any::<u8>(), 0..200), channel in 1003u16..1007, data in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut guard = Guard::new();
            let _ = guard.fast_path(&frame, 640);
            let _ = guard.x224(&frame, CHANNELS);
            let _ = crossing(&frame, CHANNELS);
            let _ = crossing(&indication(channel, &data), CHANNELS);
            let _ = guard.x224(&indication(channel, &data), CHANNELS);
        }
    }
}
