//! Numbers of a variable number of bytes and the messages that are made of them (MS-RDPEI 2.2.2 and 2.2.3). A number that is beyond what its
//! kind can say is said as the largest that it can.

use oriel_screen::{Contact, PEN_BARREL, PEN_ERASER, PEN_INVERTED};

/// Messages (2.2.2.6).
pub(super) const SC_READY: u16 = 1;
const CS_READY: u16 = 2;
const TOUCH: u16 = 3;
pub(super) const SUSPEND: u16 = 4;
pub(super) const RESUME: u16 = 5;
const DISMISS_HOVERING: u16 = 6;
const PEN: u16 = 8;
/// Bytes before every message's fields: what it is, and its length with them.
pub(super) const HEADER_BYTES: usize = 6;

/// Versions (2.2.3.1).
pub(super) const V100: u32 = 0x0001_0000;
pub(super) const V200: u32 = 0x0002_0000;
pub(super) const V300: u32 = 0x0003_0000;
/// The server makes up the times of frames: those of a browser have crossed a network.
const DISABLE_TIMESTAMP_INJECTION: u32 = 2;

/// How a contact is (2.2.3.3.1.1).
pub(super) const DOWN: u32 = 0x01;
pub(super) const UPDATE: u32 = 0x02;
pub(super) const UP: u32 = 0x04;
pub(super) const IN_RANGE: u32 = 0x08;
pub(super) const IN_CONTACT: u32 = 0x10;
pub(super) const CANCELLED: u32 = 0x20;

/// Fields of a finger that may be left out.
const FINGER_RECT: u16 = 1;
const FINGER_ORIENTATION: u16 = 2;
const FINGER_PRESSURE: u16 = 4;
/// And of a pen (2.2.3.7.1.1).
const PEN_FLAGS: u16 = 0x01;
const PEN_PRESSURE: u16 = 0x02;
const PEN_ROTATION: u16 = 0x04;
const PEN_TILT_X: u16 = 0x08;
const PEN_TILT_Y: u16 = 0x10;

/// `head`: bits of the first byte that say how many bytes follow; one more says the sign, where the kind has one.
fn number(out: &mut Vec<u8>, magnitude: u64, head: u32, negative: Option<bool>) {
    let first = 8 - head - u32::from(negative.is_some());
    let more_max = (1u32 << head) - 1;
    let magnitude = magnitude.min((1 << (first + 8 * more_max)) - 1);
    let more = (0..more_max).find(|more| magnitude >> (first + 8 * more) == 0).unwrap_or(more_max);
    let sign = if negative == Some(true) { 1u8 << first } else { 0 };
    out.push(((more as u8) << (8 - head)) | sign | (magnitude >> (8 * more)) as u8);
    out.extend((0..more).rev().map(|byte| (magnitude >> (8 * byte)) as u8));
}

/// 2.2.2.1: below 2^15.
pub(super) fn two(out: &mut Vec<u8>, value: u16) {
    number(out, u64::from(value), 1, None);
}

/// 2.2.2.2: within 2^14.
pub(super) fn two_signed(out: &mut Vec<u8>, value: i16) {
    number(out, u64::from(value.unsigned_abs()), 1, Some(value < 0));
}

/// 2.2.2.3: below 2^30.
pub(super) fn four(out: &mut Vec<u8>, value: u32) {
    number(out, u64::from(value), 2, None);
}

/// 2.2.2.4: within 2^29.
pub(super) fn four_signed(out: &mut Vec<u8>, value: i32) {
    number(out, u64::from(value.unsigned_abs()), 2, Some(value < 0));
}

/// 2.2.2.5: below 2^61.
pub(super) fn eight(out: &mut Vec<u8>, value: u64) {
    number(out, value, 3, None);
}

fn message(id: u16, body: &[u8]) -> Vec<u8> {
    let mut message = id.to_le_bytes().to_vec();
    message.extend(((HEADER_BYTES + body.len()) as u32).to_le_bytes());
    message.extend_from_slice(body);
    message
}

/// 2.2.3.2, in answer to a server of that version.
pub(super) fn ready(version: u32, fingers: u16) -> Vec<u8> {
    // Version 1.0.0 knows no flag but one (2.2.3.2).
    let flags = if version > V100 { DISABLE_TIMESTAMP_INJECTION } else { 0 };
    let mut body = flags.to_le_bytes().to_vec();
    body.extend(version.to_le_bytes());
    body.extend(fingers.to_le_bytes());
    message(CS_READY, &body)
}

/// 2.2.3.6.
pub(super) fn dismiss_hovering(contact: u8) -> Vec<u8> {
    message(DISMISS_HOVERING, &[contact])
}

/// A message of one frame (2.2.3.3 and 2.2.3.7), whose contacts say how they are beside what the viewer said. It is sent at once, so that
/// no time has passed.
pub(super) fn event(pen: bool, offset_us: u64, contacts: &[(u32, Contact)]) -> Vec<u8> {
    let mut body = Vec::new();
    four(&mut body, 0);
    two(&mut body, 1);
    two(&mut body, contacts.len() as u16);
    eight(&mut body, offset_us);
    for (flags, contact) in contacts {
        if pen { pen_contact(&mut body, *flags, contact) } else { finger(&mut body, *flags, contact) }
    }
    message(if pen { PEN } else { TOUCH }, &body)
}

fn finger(out: &mut Vec<u8>, flags: u32, contact: &Contact) {
    let covers = contact.width > 0 && contact.height > 0;
    let mut present = 0;
    if covers {
        present |= FINGER_RECT | FINGER_ORIENTATION;
    }
    if contact.pressure > 0 {
        present |= FINGER_PRESSURE;
    }
    out.push(contact.id);
    two(out, present);
    four_signed(out, i32::from(contact.x));
    four_signed(out, i32::from(contact.y));
    four(out, flags);
    if covers {
        // Around the contact; right and bottom are the first pixels that it does not cover.
        let half = |side: u16| (side / 2).min(i16::MAX as u16) as i16;
        let rest = |side: u16| (side - side / 2).min(i16::MAX as u16) as i16;
        two_signed(out, -half(contact.width));
        two_signed(out, -half(contact.height));
        two_signed(out, rest(contact.width));
        two_signed(out, rest(contact.height));
        four(out, u32::from(contact.rotation));
    }
    if contact.pressure > 0 {
        four(out, u32::from(contact.pressure));
    }
}

fn pen_contact(out: &mut Vec<u8>, flags: u32, contact: &Contact) {
    let mut present = PEN_FLAGS | PEN_ROTATION | PEN_TILT_X | PEN_TILT_Y;
    if contact.pressure > 0 {
        present |= PEN_PRESSURE;
    }
    // The only pen: more than one would have to be agreed on (2.2.3.7.1.1).
    out.push(0);
    two(out, present);
    four_signed(out, i32::from(contact.x));
    four_signed(out, i32::from(contact.y));
    four(out, flags);
    // The numbers of the viewer's flags are those of the protocol.
    four(out, u32::from(contact.flags & (PEN_BARREL | PEN_ERASER | PEN_INVERTED)));
    if contact.pressure > 0 {
        four(out, u32::from(contact.pressure));
    }
    two(out, contact.rotation);
    two_signed(out, i16::from(contact.tilt_x));
    two_signed(out, i16::from(contact.tilt_y));
}
