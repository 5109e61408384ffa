//! What a person does, as messages for the device. Remembers what is down, so that nothing stays down.

use crate::frame::ToDevice;
use crate::hid::{BUTTONS, Hid, STEPS_MAX, place};
use crate::key::{self, Key};
use oriel_screen::{InputEvent, TouchPhase};

/// Keys that may be down at a time; with more, the oldest is let go.
const KEYS_DOWN_MAX: usize = 32;
/// One notch of a wheel.
const NOTCH: i32 = 120;
/// Notches of one event.
const NOTCHES_MAX: i32 = 20;

const LEFT: u16 = 1;

#[derive(Debug, Default)]
pub(crate) struct Input {
    /// The device takes steps instead of positions.
    pub relative: bool,
    down: Vec<&'static Key>,
    buttons: u16,
    at: (u16, u16),
    /// What the device was last told.
    told: Option<(u16, u16)>,
    /// Parts of notches that have not been sent.
    wheel: (i32, i32),
    touch: Option<u8>,
}

fn send(message: &Hid, out: &mut Vec<u8>) {
    ToDevice::Hid(message.encode()).encode(out);
}

impl Input {
    /// `size` is the picture's.
    pub fn event(&mut self, event: &InputEvent, size: (u16, u16), out: &mut Vec<u8>) {
        let inside = |x: u16, y: u16| (x.min(size.0.saturating_sub(1)), y.min(size.1.saturating_sub(1)));
        match event {
            InputEvent::Key { down, code, keysym } => self.key(*down, *code, *keysym, out),
            InputEvent::Pointer { x, y, buttons } => {
                self.go(inside(*x, *y), size, out);
                self.press(*buttons & 0b1_1111, out);
            }
            InputEvent::Wheel { x, y, dx, dy } => {
                self.go(inside(*x, *y), size, out);
                self.turn(i32::from(*dx), i32::from(*dy), out);
            }
            InputEvent::Touch { id, phase, x, y } => self.finger(*id, *phase, inside(*x, *y), size, out),
            InputEvent::Text(text) => ToDevice::Print(text.clone()).encode(out),
            InputEvent::ReleaseAll => self.release_all(out),
            // The machine's screen has its own size, and there is no clipboard behind a keyboard.
            InputEvent::Resize { .. }
            | InputEvent::Contacts(_)
            | InputEvent::Monitors(_)
            | InputEvent::Clipboard(_)
            | InputEvent::Rich(_)
            | InputEvent::Microphone { .. } => {}
        }
    }

    /// The connection was lost: the device has let everything go, and knows no position.
    pub fn forget(&mut self) {
        self.down.clear();
        (self.buttons, self.told, self.touch) = (0, None, None);
    }

    fn key(&mut self, down: bool, code: u16, keysym: u32, out: &mut Vec<u8>) {
        let known = key::by_code(code).or_else(|| key::by_keysym(keysym).filter(|_| code == 0));
        let Some(key) = known else {
            // A touch keyboard has characters without keys: they are typed.
            if let Some(character) = key::character(keysym).filter(|_| down && code == 0) {
                ToDevice::Print(character.to_string()).encode(out);
            }
            return;
        };
        let held = self.down.iter().position(|held| *held == key);
        match (down, held) {
            // The machine repeats keys itself.
            (true, Some(_)) | (false, None) => {}
            (true, None) => {
                if self.down.len() >= KEYS_DOWN_MAX {
                    let oldest = self.down.remove(0);
                    send(&Hid::key(oldest.name, false), out);
                }
                self.down.push(key);
                send(&Hid::key(key.name, true), out);
            }
            (false, Some(at)) => {
                self.down.remove(at);
                send(&Hid::key(key.name, false), out);
            }
        }
    }

    fn go(&mut self, to: (u16, u16), size: (u16, u16), out: &mut Vec<u8>) {
        let from = std::mem::replace(&mut self.at, to);
        if !self.relative {
            if self.told != Some(to) {
                self.told = Some(to);
                send(&Hid::Absolute { x: place(to.0, size.0), y: place(to.1, size.1) }, out);
            }
            return;
        }
        self.told = None;
        let mut left = (i32::from(to.0) - i32::from(from.0), i32::from(to.1) - i32::from(from.1));
        let mut steps = Vec::new();
        while left != (0, 0) && steps.len() < STEPS_MAX {
            let step = (left.0.clamp(-127, 127), left.1.clamp(-127, 127));
            left = (left.0 - step.0, left.1 - step.1);
            steps.push((step.0 as i8, step.1 as i8));
        }
        if !steps.is_empty() {
            send(&Hid::Relative { steps, squash: true }, out);
        }
    }

    fn press(&mut self, buttons: u16, out: &mut Vec<u8>) {
        let changed = self.buttons ^ buttons;
        self.buttons = buttons;
        for (bit, name) in BUTTONS.iter().enumerate().filter(|(bit, _)| (changed >> bit) & 1 == 1) {
            send(&Hid::button(name, (buttons >> bit) & 1 == 1), out);
        }
    }

    fn turn(&mut self, dx: i32, dy: i32, out: &mut Vec<u8>) {
        let notches = |left: &mut i32, delta: i32| {
            // A turn the other way starts afresh.
            *left = if *left != 0 && delta.signum() == -left.signum() { delta } else { *left + delta };
            let whole = (*left / NOTCH).clamp(-NOTCHES_MAX, NOTCHES_MAX);
            *left %= NOTCH;
            whole
        };
        let x = notches(&mut self.wheel.0, dx);
        // Away from the person is positive there.
        let y = -notches(&mut self.wheel.1, dy);
        if (x, y) != (0, 0) {
            send(&Hid::Wheel { steps: vec![(x as i8, y as i8)], squash: false }, out);
        }
    }

    /// The first finger is the left button; others do nothing until it is up.
    fn finger(&mut self, id: u8, phase: TouchPhase, at: (u16, u16), size: (u16, u16), out: &mut Vec<u8>) {
        match (phase, self.touch) {
            (TouchPhase::Start, None) => {
                self.touch = Some(id);
                self.go(at, size, out);
                self.press(self.buttons | LEFT, out);
            }
            (TouchPhase::Move, Some(held)) if held == id => self.go(at, size, out),
            (TouchPhase::End | TouchPhase::Cancel, Some(held)) if held == id => {
                self.touch = None;
                self.go(at, size, out);
                self.press(self.buttons & !LEFT, out);
            }
            _ => {}
        }
    }

    fn release_all(&mut self, out: &mut Vec<u8>) {
        self.touch = None;
        while let Some(key) = self.down.pop() {
            send(&Hid::key(key.name, false), out);
        }
        self.press(0, out);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test")]
mod tests {
    use super::*;
    use crate::frame::Frames;

    const SIZE: (u16, u16) = (1920, 1080);

    fn after(input: &mut Input, events: &[InputEvent]) -> Vec<Hid> {
        let mut out = Vec::new();
        events.iter().for_each(|event| input.event(event, SIZE, &mut out));
        let mut frames = Frames::default();
        frames.feed(&out);
        let mut all = Vec::new();
        while let Some(frame) = frames.next_for_device().unwrap() {
            let ToDevice::Hid(message) = frame else { panic!("{frame:?}") };
            all.push(Hid::decode(&message).unwrap());
        }
        all
    }

    fn key(down: bool, code: u16) -> InputEvent {
        InputEvent::Key { down, code, keysym: 0 }
    }

    #[test]
    fn keys_go_down_once_and_all_come_up() {
        let mut input = Input::default();
        let messages = after(&mut input, &[key(true, 0x1e), key(true, 0x1e), key(true, 0x2a), key(false, 0x30)]);
        assert_eq!(messages, [Hid::key("KeyA", true), Hid::key("ShiftLeft", true)]);
        let press = InputEvent::Pointer { x: 0, y: 0, buttons: 0b11 };
        let messages = after(&mut input, &[press, InputEvent::ReleaseAll, InputEvent::ReleaseAll]);
        assert_eq!(
            messages,
            [
                Hid::Absolute { x: i16::MIN, y: i16::MIN },
                Hid::button("left", true),
                Hid::button("middle", true),
                Hid::key("ShiftLeft", false),
                Hid::key("KeyA", false),
                Hid::button("left", false),
                Hid::button("middle", false),
            ]
        );
    }

    #[test]
    fn positions_become_steps_where_the_device_takes_steps() {
        let mut input = Input { relative: true, ..Input::default() };
        let to = |x, y| InputEvent::Pointer { x, y, buttons: 0 };
        let messages = after(&mut input, &[to(200, 10), to(190, 10), to(190, 10)]);
        assert_eq!(
            messages,
            [
                Hid::Relative { steps: vec![(127, 10), (73, 0)], squash: true },
                Hid::Relative { steps: vec![(-10, 0)], squash: true },
            ]
        );
    }

    #[test]
    fn a_wheel_turns_by_notches() {
        let mut input = Input::default();
        let wheel = |dy| InputEvent::Wheel { x: 5, y: 5, dx: 0, dy };
        let messages = after(&mut input, &[wheel(60), wheel(60), wheel(-240)]);
        let turned = |y| Hid::Wheel { steps: vec![(0, y)], squash: false };
        assert_eq!(messages.get(1..), Some(&[turned(-1), turned(2)][..]));
    }

    #[test]
    fn characters_without_keys_are_typed() {
        let mut out = Vec::new();
        let mut input = Input::default();
        for (down, keysym) in [(true, 0x61), (false, 0x61), (true, 0x0100_20ac)] {
            input.event(&InputEvent::Key { down, code: 0, keysym }, SIZE, &mut out);
        }
        input.event(&InputEvent::Text("Grüße".to_owned()), SIZE, &mut out);
        input.event(&InputEvent::Key { down: true, code: 0, keysym: 0xff0d }, SIZE, &mut out);
        let mut frames = Frames::default();
        frames.feed(&out);
        let mut all = Vec::new();
        while let Some(frame) = frames.next_for_device().unwrap() {
            all.push(frame);
        }
        let print = |text: &str| ToDevice::Print(text.to_owned());
        assert_eq!(all, [print("a"), print("€"), print("Grüße"), ToDevice::Hid(Hid::key("Enter", true).encode())]);
    }
}
