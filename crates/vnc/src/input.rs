//! What a person does, as RFB messages. Remembers what is down, so that nothing stays down.

use crate::{keysym, write};
use oriel_screen::{InputEvent, TEXT_BYTES_MAX, TouchPhase};

/// Keys that may be down at a time; with more, the oldest is let go.
const KEYS_DOWN_MAX: usize = 32;
/// Wheel notches of one event.
const NOTCHES_MAX: i32 = 20;
/// One notch of a wheel.
const NOTCH: i32 = 120;

const LEFT: u16 = 1;
const WHEEL_UP: u16 = 1 << 3;
const WHEEL_DOWN: u16 = 1 << 4;
const WHEEL_LEFT: u16 = 1 << 5;
const WHEEL_RIGHT: u16 = 1 << 6;
const BACK: u16 = 1 << 7;
/// Only servers with extended mouse buttons know it.
const FORWARD: u16 = 1 << 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    code: u16,
    keysym: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Input {
    /// The server understands QEMU's key event.
    pub(crate) scan_codes: bool,
    /// The server understands more than eight buttons.
    pub(crate) many_buttons: bool,
    down: Vec<Key>,
    buttons: u16,
    at: (u16, u16),
    /// Parts of notches that have not been sent.
    wheel: (i32, i32),
    touch: Option<u8>,
}

impl Input {
    /// Keys, pointer, wheel, touch, text and release; sizes and clipboard are the source's. `limit` is the surface's size.
    pub(crate) fn event(&mut self, event: &InputEvent, limit: (u16, u16), out: &mut Vec<u8>) {
        let inside = |x: u16, y: u16| (x.min(limit.0.saturating_sub(1)), y.min(limit.1.saturating_sub(1)));
        match event {
            InputEvent::Key { down, code, keysym } => self.key(*down, Key { code: *code, keysym: *keysym }, out),
            InputEvent::Pointer { x, y, buttons } => {
                let back = if buttons & 8 == 0 { 0 } else { BACK };
                let forward = if buttons & 16 == 0 { 0 } else { FORWARD };
                self.at = inside(*x, *y);
                self.buttons = buttons & 7 | back | forward;
                self.point(self.buttons, out);
            }
            InputEvent::Wheel { x, y, dx, dy } => {
                self.at = inside(*x, *y);
                self.wheel(i32::from(*dx), i32::from(*dy), out);
            }
            InputEvent::Touch { id, phase, x, y } => self.touch(*id, *phase, inside(*x, *y), out),
            InputEvent::Text(text) => self.text(text, out),
            InputEvent::ReleaseAll => self.release_all(out),
            InputEvent::Resize { .. }
            | InputEvent::Contacts(_)
            | InputEvent::Monitors(_)
            | InputEvent::Rich(_)
            | InputEvent::Clipboard(_)
            | InputEvent::Microphone { .. } => {}
        }
    }

    fn send(&self, down: bool, key: Key, out: &mut Vec<u8>) {
        if self.scan_codes && key.code != 0 {
            write::qemu_key(out, down, key.keysym, key.code);
        } else if key.keysym != 0 {
            write::key(out, down, key.keysym);
        }
    }

    fn key(&mut self, down: bool, key: Key, out: &mut Vec<u8>) {
        // A key comes up as what it went down as: with Shift let go in between, its character is another by then.
        let known = self.down.iter().position(|held| {
            if key.code == 0 { held.code == 0 && held.keysym == key.keysym } else { held.code == key.code }
        });
        match (down, known) {
            (true, None) => {
                if self.down.len() >= KEYS_DOWN_MAX {
                    let oldest = self.down.remove(0);
                    self.send(false, oldest, out);
                }
                self.down.push(key);
                self.send(true, key, out);
            }
            // The keyboard repeats the key.
            (true, Some(at)) => {
                let held = self.down.get(at).copied().unwrap_or(key);
                self.send(true, held, out);
            }
            (false, Some(at)) => {
                let held = self.down.remove(at);
                self.send(false, held, out);
            }
            (false, None) => self.send(false, key, out),
        }
    }

    fn point(&self, buttons: u16, out: &mut Vec<u8>) {
        if self.many_buttons && buttons >= BACK {
            write::extended_pointer(out, buttons, self.at.0, self.at.1);
        } else {
            write::pointer(out, buttons as u8, self.at.0, self.at.1);
        }
    }

    fn wheel(&mut self, dx: i32, dy: i32, out: &mut Vec<u8>) {
        let (mut left_x, mut left_y) = self.wheel;
        let mut turn = |left: &mut i32, delta: i32, back: u16, forth: u16| {
            // A turn the other way starts afresh.
            *left = if *left != 0 && delta.signum() == -left.signum() { delta } else { *left + delta };
            let notches = (*left / NOTCH).clamp(-NOTCHES_MAX, NOTCHES_MAX);
            *left %= NOTCH;
            let button = if notches < 0 { back } else { forth };
            for _ in 0..notches.abs() {
                self.point(self.buttons | button, out);
                self.point(self.buttons, out);
            }
        };
        turn(&mut left_y, dy, WHEEL_UP, WHEEL_DOWN);
        turn(&mut left_x, dx, WHEEL_LEFT, WHEEL_RIGHT);
        self.wheel = (left_x, left_y);
    }

    /// The first finger is the left button; others do nothing until it is up.
    fn touch(&mut self, id: u8, phase: TouchPhase, at: (u16, u16), out: &mut Vec<u8>) {
        match (phase, self.touch) {
            (TouchPhase::Start, None) => {
                self.touch = Some(id);
                self.at = at;
                // Go there first: programs that react to the pointer coming in see it.
                self.point(self.buttons, out);
                self.buttons |= LEFT;
                self.point(self.buttons, out);
            }
            (TouchPhase::Move, Some(held)) if held == id => {
                self.at = at;
                self.point(self.buttons, out);
            }
            (TouchPhase::End | TouchPhase::Cancel, Some(held)) if held == id => {
                self.touch = None;
                if phase == TouchPhase::End {
                    self.at = at;
                }
                self.buttons &= !LEFT;
                self.point(self.buttons, out);
            }
            _ => {}
        }
    }

    fn text(&self, text: &str, out: &mut Vec<u8>) {
        let text = text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or(text);
        for character in text.chars() {
            let Some(keysym) = keysym::of(character) else { continue };
            // A server that works with scan codes (QEMU) looks up only the key and wants Shift said.
            let shift = self.scan_codes && keysym::shifted(character);
            if shift {
                write::key(out, true, keysym::SHIFT_LEFT);
            }
            write::key(out, true, keysym);
            write::key(out, false, keysym);
            if shift {
                write::key(out, false, keysym::SHIFT_LEFT);
            }
        }
    }

    fn release_all(&mut self, out: &mut Vec<u8>) {
        for key in std::mem::take(&mut self.down).into_iter().rev() {
            self.send(false, key, out);
        }
        self.touch = None;
        self.wheel = (0, 0);
        if self.buttons != 0 {
            self.buttons = 0;
            self.point(0, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Input;
    use oriel_screen::{InputEvent, TouchPhase};

    const LIMIT: (u16, u16) = (100, 50);

    fn sent(input: &mut Input, events: &[InputEvent]) -> Vec<u8> {
        let mut out = Vec::new();
        for event in events {
            input.event(event, LIMIT, &mut out);
        }
        out
    }

    fn key(down: bool, code: u16, keysym: u32) -> InputEvent {
        InputEvent::Key { down, code, keysym }
    }

    #[test]
    fn a_key_comes_up_as_it_went_down() {
        let out = sent(&mut Input::default(), &[key(true, 0x1e, 0x41), key(false, 0x1e, 0x61)]);
        assert_eq!(out, [4, 1, 0, 0, 0, 0, 0, 0x41, 4, 0, 0, 0, 0, 0, 0, 0x41]);
    }

    #[test]
    fn scan_codes_when_the_server_takes_them() {
        let mut input = Input { scan_codes: true, ..Input::default() };
        let out = sent(&mut input, &[key(true, 0xE038, 0xfe03)]);
        assert_eq!(out, [255, 0, 0, 1, 0, 0, 0xfe, 0x03, 0, 0, 0, 0xb8]);
        assert_eq!(sent(&mut input, &[InputEvent::ReleaseAll])[..4], [255, 0, 0, 0]);
    }

    #[test]
    fn back_and_forward() {
        let both = [InputEvent::Pointer { x: 1, y: 2, buttons: 0b11001 }];
        assert_eq!(sent(&mut Input::default(), &both), [5, 0x81, 0, 1, 0, 2], "back alone is known everywhere");
        let mut many = Input { many_buttons: true, ..Input::default() };
        assert_eq!(sent(&mut many, &both), [5, 0x81, 0, 1, 0, 2, 3]);
        let left = [InputEvent::Pointer { x: 1, y: 2, buttons: 1 }];
        assert_eq!(sent(&mut many, &left), [5, 1, 0, 1, 0, 2]);
    }

    #[test]
    fn everything_is_released_once() {
        let mut input = Input::default();
        let down = [key(true, 0x1d, 0xffe3), key(true, 0x38, 0xffe9), InputEvent::Pointer { x: 5, y: 6, buttons: 1 }];
        sent(&mut input, &down);
        let out = sent(&mut input, &[InputEvent::ReleaseAll]);
        assert_eq!(out, [4, 0, 0, 0, 0, 0, 0xff, 0xe9, 4, 0, 0, 0, 0, 0, 0xff, 0xe3, 5, 0, 0, 5, 0, 6]);
        assert!(sent(&mut input, &[InputEvent::ReleaseAll]).is_empty());
    }

    #[test]
    fn the_keys_that_are_down_are_bounded() {
        let mut input = Input::default();
        for code in 1..2000 {
            sent(&mut input, &[key(true, code, 0x61)]);
        }
        assert_eq!(input.down.len(), super::KEYS_DOWN_MAX);
    }

    #[test]
    fn half_notches_add_up_and_large_turns_are_cut() {
        let mut input = Input::default();
        let wheel = |dy| InputEvent::Wheel { x: 1, y: 2, dx: 0, dy };
        assert!(sent(&mut input, &[wheel(60)]).is_empty());
        assert_eq!(sent(&mut input, &[wheel(60)]), [5, 16, 0, 1, 0, 2, 5, 0, 0, 1, 0, 2]);
        assert_eq!(sent(&mut input, &[wheel(-120)]), [5, 8, 0, 1, 0, 2, 5, 0, 0, 1, 0, 2]);
        assert_eq!(sent(&mut input, &[wheel(i16::MAX)]).len(), 20 * 12);
    }

    #[test]
    fn one_finger_is_the_left_button_and_points_stay_inside() {
        let touch = |id, phase, x| InputEvent::Touch { id, phase, x, y: 999 };
        let out = sent(
            &mut Input::default(),
            &[
                touch(1, TouchPhase::Start, 3),
                touch(2, TouchPhase::Start, 9),
                touch(1, TouchPhase::Move, 500),
                touch(1, TouchPhase::End, 4),
            ],
        );
        let point = |buttons, x| [5, buttons, 0, x, 0, 49];
        assert_eq!(out, [point(0, 3), point(1, 3), point(1, 99), point(0, 4)].concat());
    }

    #[test]
    fn text_becomes_keysyms_with_shift_for_qemu() {
        let out = sent(&mut Input::default(), &[InputEvent::Text("ä€".into())]);
        assert_eq!(out.len(), 4 * 8);
        assert_eq!(out[4..8], 0xe4_u32.to_be_bytes());
        assert_eq!(out[20..24], 0x0100_20ac_u32.to_be_bytes());
        let mut qemu = Input { scan_codes: true, ..Input::default() };
        assert_eq!(sent(&mut qemu, &[InputEvent::Text("A".into())])[4..8], 0xffe1_u32.to_be_bytes());
    }
}
