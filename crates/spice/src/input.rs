//! What a person does, as messages of the inputs channel (SPICE protocol, "Inputs channel"). Remembers what is down, so that nothing
//! stays down.

use crate::{
    channel, keys,
    mux::Channel,
    reader::{Broken, Reader},
};
use oriel_screen::{InputEvent, ScreenEvent, TEXT_BYTES_MAX, TouchPhase};

/// Keys that may be down at a time; with more, the oldest is let go.
const KEYS_DOWN_MAX: usize = 32;
/// Wheel notches of one event.
const NOTCHES_MAX: i32 = 20;
/// One notch of a wheel.
const NOTCH: i32 = 120;
/// Motions that are on their way at most: servers acknowledge four at a time.
const MOTIONS_MAX: u32 = 8;
const MOTIONS_ACKNOWLEDGED: u32 = 4;

const KEY_DOWN: u16 = 101;
const KEY_UP: u16 = 102;
const MOUSE_MOTION: u16 = 111;
const MOUSE_POSITION: u16 = 112;
const MOUSE_PRESS: u16 = 113;
const MOUSE_RELEASE: u16 = 114;

/// A button's number and its bit among those that are down, in the order of our own bits.
const BUTTONS: [(u8, u16); 5] = [(1, 1), (2, 2), (3, 4), (6, 32), (7, 64)];
const WHEEL_UP: (u8, u16) = (4, 8);
const WHEEL_DOWN: (u8, u16) = (5, 16);
const LEFT: u16 = 1;

#[derive(Debug, Default)]
pub(crate) struct Input {
    /// The server takes places on the screen; otherwise, how far the pointer went.
    pub(crate) absolute: bool,
    down: Vec<u16>,
    /// Our own bits.
    buttons: u16,
    at: (u16, u16),
    /// Where the server knows the pointer to be.
    told: (u16, u16),
    /// A place that waits for an acknowledgement.
    waits: bool,
    motions: u32,
    wheel: i32,
    touch: Option<u8>,
}

/// A scan code as it travels: byte after byte, lowest first.
const fn travelling(code: u16, down: bool) -> u32 {
    let low = (code & 0x7f) as u32 | if down { 0 } else { 0x80 };
    if code >> 8 == 0xe0 { 0xe0 | low << 8 } else { low }
}

impl Input {
    /// What the server says on the channel.
    pub(crate) fn message(
        &mut self,
        kind: u16,
        body: &[u8],
        out: &mut Vec<u8>,
        events: &mut Vec<ScreenEvent>,
    ) -> Result<(), Broken> {
        match kind {
            // INIT, KEY_MODIFIERS: scroll, num and caps lock, in our own order.
            101 | 102 => events.push(ScreenEvent::Leds((Reader::new(body).u16()? & 0b111) as u8)),
            // MOUSE_MOTION_ACK
            111 => {
                self.motions = self.motions.saturating_sub(MOTIONS_ACKNOWLEDGED);
                if self.waits {
                    self.go(out);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Keys, pointer, wheel, touch, text and release; sizes and clipboard are the agent's. `limit` is the surface's size.
    pub(crate) fn event(&mut self, event: &InputEvent, limit: (u16, u16), out: &mut Vec<u8>) {
        let inside = |x: u16, y: u16| (x.min(limit.0.saturating_sub(1)), y.min(limit.1.saturating_sub(1)));
        match event {
            InputEvent::Key { down, code: 0, keysym } => {
                if let Some(code) = keys::of_keysym(*keysym) {
                    self.key(*down, code, out);
                }
            }
            InputEvent::Key { down, code, .. } => self.key(*down, *code, out),
            InputEvent::Pointer { x, y, buttons } => {
                self.at = inside(*x, *y);
                self.press(*buttons, out);
            }
            InputEvent::Wheel { x, y, dy, .. } => {
                self.at = inside(*x, *y);
                self.turn(i32::from(*dy), out);
            }
            InputEvent::Touch { id, phase, x, y } => self.touch(*id, *phase, inside(*x, *y), out),
            InputEvent::Text(text) => type_text(text, out),
            InputEvent::ReleaseAll => self.release_all(out),
            InputEvent::Resize { .. }
            | InputEvent::Contacts(_)
            | InputEvent::Monitors(_)
            | InputEvent::Rich(_)
            | InputEvent::Clipboard(_)
            | InputEvent::Microphone { .. } => {}
        }
    }

    fn key(&mut self, down: bool, code: u16, out: &mut Vec<u8>) {
        let known = self.down.iter().position(|held| *held == code);
        match (down, known) {
            (true, None) => {
                if self.down.len() >= KEYS_DOWN_MAX {
                    send_key(out, false, self.down.remove(0));
                }
                self.down.push(code);
            }
            (false, Some(at)) => {
                self.down.remove(at);
            }
            // The keyboard repeats the key, or lets go of one that we did not see.
            (true, Some(_)) | (false, None) => {}
        }
        send_key(out, down, code);
    }

    fn state(&self) -> u16 {
        (0..).zip(BUTTONS).filter(|(bit, _)| self.buttons & 1 << bit != 0).fold(0, |state, (_, (_, mask))| state | mask)
    }

    /// Tells where the pointer is.
    fn go(&mut self, out: &mut Vec<u8>) {
        self.waits = false;
        if self.told == self.at {
            return;
        }
        let state = self.state().to_le_bytes();
        let mut body = Vec::with_capacity(11);
        let ((x, y), (was_x, was_y)) = (self.at, self.told);
        if self.absolute {
            body.extend_from_slice(&u32::from(x).to_le_bytes());
            body.extend_from_slice(&u32::from(y).to_le_bytes());
            body.extend_from_slice(&state);
            // The first display.
            body.push(0);
        } else {
            body.extend_from_slice(&(i32::from(x) - i32::from(was_x)).to_le_bytes());
            body.extend_from_slice(&(i32::from(y) - i32::from(was_y)).to_le_bytes());
            body.extend_from_slice(&state);
        }
        channel::send(out, Channel::Inputs, if self.absolute { MOUSE_POSITION } else { MOUSE_MOTION }, &body);
        self.told = self.at;
        self.motions += 1;
    }

    /// The pointer is at its place, and so many buttons are down.
    fn press(&mut self, buttons: u16, out: &mut Vec<u8>) {
        let changed = (0..).zip(BUTTONS).filter(|(bit, _)| (self.buttons ^ buttons) & 1 << bit != 0);
        let changed: Vec<(u16, (u8, u16))> = changed.collect();
        // A button goes down where it does, whoever is behind.
        if !changed.is_empty() || self.motions < MOTIONS_MAX {
            self.go(out);
        } else {
            self.waits = true;
        }
        for (bit, button) in changed {
            let down = buttons & 1 << bit != 0;
            self.buttons ^= 1 << bit;
            self.button(button, down, out);
        }
    }

    fn button(&self, (number, bit): (u8, u16), down: bool, out: &mut Vec<u8>) {
        let state = if down { self.state() | bit } else { self.state() & !bit };
        let mut body = vec![number];
        body.extend_from_slice(&state.to_le_bytes());
        channel::send(out, Channel::Inputs, if down { MOUSE_PRESS } else { MOUSE_RELEASE }, &body);
    }

    fn turn(&mut self, delta: i32, out: &mut Vec<u8>) {
        self.go(out);
        // A turn the other way starts afresh.
        self.wheel = if self.wheel != 0 && delta.signum() == -self.wheel.signum() { delta } else { self.wheel + delta };
        let notches = (self.wheel / NOTCH).clamp(-NOTCHES_MAX, NOTCHES_MAX);
        self.wheel %= NOTCH;
        let button = if notches < 0 { WHEEL_UP } else { WHEEL_DOWN };
        for _ in 0..notches.abs() {
            self.button(button, true, out);
            self.button(button, false, out);
        }
    }

    /// The first finger is the left button; others do nothing until it is up.
    fn touch(&mut self, id: u8, phase: TouchPhase, at: (u16, u16), out: &mut Vec<u8>) {
        match (phase, self.touch) {
            (TouchPhase::Start, None) => {
                self.touch = Some(id);
                self.at = at;
                self.press(self.buttons | LEFT, out);
            }
            (TouchPhase::Move, Some(held)) if held == id => {
                self.at = at;
                self.press(self.buttons, out);
            }
            (TouchPhase::End | TouchPhase::Cancel, Some(held)) if held == id => {
                self.touch = None;
                if phase == TouchPhase::End {
                    self.at = at;
                }
                self.press(self.buttons & !LEFT, out);
            }
            _ => {}
        }
    }

    fn release_all(&mut self, out: &mut Vec<u8>) {
        for code in std::mem::take(&mut self.down).into_iter().rev() {
            send_key(out, false, code);
        }
        self.touch = None;
        self.wheel = 0;
        self.press(0, out);
    }
}

fn send_key(out: &mut Vec<u8>, down: bool, code: u16) {
    channel::send(out, Channel::Inputs, if down { KEY_DOWN } else { KEY_UP }, &travelling(code, down).to_le_bytes());
}

/// Characters that a US keyboard lacks are left out: the protocol has only keys.
fn type_text(text: &str, out: &mut Vec<u8>) {
    let text = text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or(text);
    for (code, shifted) in text.chars().filter_map(keys::of_character) {
        if shifted {
            send_key(out, true, keys::SHIFT_LEFT);
        }
        send_key(out, true, code);
        send_key(out, false, code);
        if shifted {
            send_key(out, false, keys::SHIFT_LEFT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Input;
    use oriel_screen::InputEvent;

    /// Types and bodies of what was sent.
    fn sent(input: &mut Input, events: &[InputEvent]) -> Vec<(u16, Vec<u8>)> {
        let mut out = Vec::new();
        for event in events {
            input.event(event, (100, 50), &mut out);
        }
        let mut rest = out.as_slice();
        let mut list = Vec::new();
        while let [3, low, high, message @ ..] = rest {
            let (message, later) = message.split_at(usize::from(u16::from_le_bytes([*low, *high])));
            list.push((u16::from_le_bytes([message[0], message[1]]), message[6..].to_vec()));
            rest = later;
        }
        list
    }

    fn key(down: bool, code: u16) -> InputEvent {
        InputEvent::Key { down, code, keysym: 0 }
    }

    #[test]
    fn keys_travel_as_scan_codes_and_come_up() {
        let mut input = Input::default();
        let list = sent(&mut input, &[key(true, 0x1e), key(false, 0x1e), key(true, 0xe04b)]);
        assert_eq!(list, [(101, vec![0x1e, 0, 0, 0]), (102, vec![0x9e, 0, 0, 0]), (101, vec![0xe0, 0x4b, 0, 0])]);
        assert_eq!(sent(&mut input, &[InputEvent::ReleaseAll]), [(102, vec![0xe0, 0xcb, 0, 0])]);
        let text = sent(&mut input, &[InputEvent::Text("Aä".into())]);
        assert_eq!(
            text.iter().map(|(kind, body)| (*kind, body[0])).collect::<Vec<_>>(),
            [(101, 0x2a), (101, 0x1e), (102, 0x9e), (102, 0xaa)]
        );
    }

    #[test]
    fn places_buttons_and_wheel() {
        let mut input = Input { absolute: true, ..Input::default() };
        let pointer = |x, y, buttons| InputEvent::Pointer { x, y, buttons };
        let list = sent(&mut input, &[pointer(5, 999, 0), pointer(5, 999, 0b1001), pointer(5, 999, 0)]);
        assert_eq!(
            list,
            [
                (112, vec![5, 0, 0, 0, 49, 0, 0, 0, 0, 0, 0]),
                (113, vec![1, 1, 0]),
                (113, vec![6, 33, 0]),
                (114, vec![1, 32, 0]),
                (114, vec![6, 0, 0]),
            ]
        );
        let wheel = InputEvent::Wheel { x: 5, y: 49, dx: 0, dy: -120 };
        assert_eq!(sent(&mut input, &[wheel]), [(113, vec![4, 8, 0]), (114, vec![4, 0, 0])]);
    }

    #[test]
    fn distances_where_the_machine_moves_the_pointer() {
        let mut input = Input::default();
        let pointer = |x, y| InputEvent::Pointer { x, y, buttons: 0 };
        let list = sent(&mut input, &[pointer(5, 6), pointer(3, 6)]);
        assert_eq!(list[1], (111, vec![0xfe, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn motions_wait_for_the_server() {
        let mut input = Input { absolute: true, ..Input::default() };
        let moves: Vec<_> = (1..50).map(|x| InputEvent::Pointer { x, y: 0, buttons: 0 }).collect();
        assert_eq!(sent(&mut input, &moves).len(), 8);
        let (mut out, mut events) = (Vec::new(), Vec::new());
        input.message(111, &[], &mut out, &mut events).unwrap();
        assert_eq!(out[9], 49, "the last place, and only that");
        assert!(!sent(&mut input, &[InputEvent::Pointer { x: 9, y: 9, buttons: 1 }]).is_empty());
    }
}
