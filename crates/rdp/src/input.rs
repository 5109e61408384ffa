//! Everything a person does, as RDP input events.

use crate::keyboard::Keyboard;
use ironrdp_pdu::input::fast_path::{FastPathInputEvent, KeyboardFlags, SynchronizeFlags};
use ironrdp_pdu::input::mouse::PointerFlags;
use ironrdp_pdu::input::mouse_x::PointerXFlags;
use ironrdp_pdu::input::sync::SyncToggleFlags;
use ironrdp_pdu::input::{
    InputEvent as SlowEvent, MousePdu, MouseXPdu, ScanCodePdu, SyncPdu, UnicodePdu, scan_code, unicode,
};
use oriel_screen::{InputEvent, TEXT_BYTES_MAX, TouchPhase};

/// One notch of a wheel.
const NOTCH: i32 = 120;
/// Notches that one event may turn; a fling turns many.
const NOTCHES_MAX: i32 = 10;
/// The five buttons we know.
const BUTTONS: u16 = 0x1f;

#[derive(Debug, Default)]
pub(crate) struct Input {
    pub(crate) keyboard: Keyboard,
    x: u16,
    y: u16,
    buttons: u16,
    /// The finger that moves the pointer.
    finger: Option<u8>,
    /// Turned but less than a notch: xrdp takes every event for a whole one.
    wheel_x: i32,
    wheel_y: i32,
}

impl Input {
    /// Turns what a person did on a screen of `width` x `height` into events; clipboard and size are not ours.
    pub(crate) fn apply(&mut self, input: &InputEvent, width: u16, height: u16, events: &mut Vec<FastPathInputEvent>) {
        let inside = |x: u16, y: u16| (x.min(width.saturating_sub(1)), y.min(height.saturating_sub(1)));
        match input {
            InputEvent::Key { down, code, keysym } => self.keyboard.key(*down, *code, *keysym, events),
            InputEvent::Pointer { x, y, buttons } => {
                let (x, y) = inside(*x, *y);
                self.pointer(x, y, *buttons & BUTTONS, events);
            }
            InputEvent::Wheel { x, y, dx, dy } => {
                let (x, y) = inside(*x, *y);
                self.pointer(x, y, self.buttons, events);
                // RDP's wheel turns up and right when positive.
                let turned = turn(&mut self.wheel_y, -i32::from(*dy));
                self.wheel(turned, PointerFlags::VERTICAL_WHEEL, events);
                let turned = turn(&mut self.wheel_x, i32::from(*dx));
                self.wheel(turned, PointerFlags::HORIZONTAL_WHEEL, events);
            }
            InputEvent::Touch { id, phase, x, y } => {
                let (x, y) = inside(*x, *y);
                self.touch(*id, *phase, x, y, events);
            }
            InputEvent::Text(text) => {
                let normal = text.replace("\r\n", "\n").replace('\r', "\n");
                let mut left = TEXT_BYTES_MAX;
                for character in normal.chars() {
                    left = left.saturating_sub(character.len_utf8());
                    if left == 0 {
                        break;
                    }
                    Keyboard::character(character, events);
                }
            }
            InputEvent::ReleaseAll => {
                self.keyboard.release_all(events);
                self.pointer(self.x, self.y, 0, events);
                self.finger = None;
                (self.wheel_x, self.wheel_y) = (0, 0);
            }
            InputEvent::Rich(_)
            | InputEvent::Contacts(_)
            | InputEvent::Clipboard(_)
            | InputEvent::Microphone { .. }
            | InputEvent::Resize { .. }
            | InputEvent::Monitors(_) => {}
        }
    }

    fn pointer(&mut self, x: u16, y: u16, buttons: u16, events: &mut Vec<FastPathInputEvent>) {
        let mouse = |flags| {
            FastPathInputEvent::MouseEvent(MousePdu {
                flags,
                number_of_wheel_rotation_units: 0,
                x_position: x,
                y_position: y,
            })
        };
        if (x, y) != (self.x, self.y) {
            (self.x, self.y) = (x, y);
            events.push(mouse(PointerFlags::MOVE));
        }
        let changed = self.buttons ^ buttons;
        self.buttons = buttons;
        let plain = [PointerFlags::LEFT_BUTTON, PointerFlags::MIDDLE_BUTTON_OR_WHEEL, PointerFlags::RIGHT_BUTTON];
        for (bit, flag) in plain.into_iter().enumerate().filter(|(bit, _)| changed >> bit & 1 != 0) {
            let down = if buttons >> bit & 1 != 0 { PointerFlags::DOWN } else { PointerFlags::empty() };
            events.push(mouse(flag | down));
        }
        let extended = [PointerXFlags::BUTTON1, PointerXFlags::BUTTON2];
        for (bit, flag) in (3..).zip(extended).filter(|(bit, _)| changed >> bit & 1 != 0) {
            let down = if buttons >> bit & 1 != 0 { PointerXFlags::DOWN } else { PointerXFlags::empty() };
            events.push(FastPathInputEvent::MouseEventEx(MouseXPdu {
                flags: flag | down,
                x_position: x,
                y_position: y,
            }));
        }
    }

    fn wheel(&self, notches: i32, flags: PointerFlags, events: &mut Vec<FastPathInputEvent>) {
        for _ in 0..notches.abs() {
            events.push(FastPathInputEvent::MouseEvent(MousePdu {
                flags,
                number_of_wheel_rotation_units: (notches.signum() * NOTCH) as i16,
                x_position: self.x,
                y_position: self.y,
            }));
        }
    }

    /// The first finger is the left button; others do nothing.
    fn touch(&mut self, id: u8, phase: TouchPhase, x: u16, y: u16, events: &mut Vec<FastPathInputEvent>) {
        match (phase, self.finger) {
            (TouchPhase::Start, None) => {
                self.finger = Some(id);
                // The pointer arrives before the button goes down, or the press lands where it was.
                self.pointer(x, y, self.buttons, events);
                self.pointer(x, y, self.buttons | 1, events);
            }
            (TouchPhase::Move, Some(finger)) if finger == id => self.pointer(x, y, self.buttons, events),
            (TouchPhase::End | TouchPhase::Cancel, Some(finger)) if finger == id => {
                self.finger = None;
                self.pointer(x, y, self.buttons & !1, events);
            }
            _ => {}
        }
    }
}

/// Adds to what a wheel has turned and takes whole notches out of it.
fn turn(kept: &mut i32, by: i32) -> i32 {
    if kept.signum() * by.signum() < 0 {
        *kept = 0;
    }
    *kept = kept.saturating_add(by);
    let notches = *kept / NOTCH;
    *kept %= NOTCH;
    notches.clamp(-NOTCHES_MAX, NOTCHES_MAX)
}

/// The same event for a server without fast-path input (MS-RDPBCGR 2.2.8.1.1.3.1).
pub(crate) fn slow_path(event: FastPathInputEvent) -> Option<SlowEvent> {
    let released = |flags: KeyboardFlags| flags.contains(KeyboardFlags::RELEASE);
    Some(match event {
        FastPathInputEvent::KeyboardEvent(flags, code) => {
            let mut slow = scan_code::KeyboardFlags::empty();
            slow.set(scan_code::KeyboardFlags::EXTENDED, flags.contains(KeyboardFlags::EXTENDED));
            slow.set(scan_code::KeyboardFlags::EXTENDED_1, flags.contains(KeyboardFlags::EXTENDED1));
            slow.set(scan_code::KeyboardFlags::RELEASE, released(flags));
            SlowEvent::ScanCode(ScanCodePdu { flags: slow, key_code: u16::from(code) })
        }
        FastPathInputEvent::UnicodeKeyboardEvent(flags, unit) => {
            let mut slow = unicode::KeyboardFlags::empty();
            slow.set(unicode::KeyboardFlags::RELEASE, released(flags));
            SlowEvent::Unicode(UnicodePdu { flags: slow, unicode_code: unit })
        }
        FastPathInputEvent::MouseEvent(mouse) => SlowEvent::Mouse(mouse),
        FastPathInputEvent::MouseEventEx(mouse) => SlowEvent::MouseX(mouse),
        FastPathInputEvent::SyncEvent(flags) => {
            let mut slow = SyncToggleFlags::empty();
            slow.set(SyncToggleFlags::SCROLL_LOCK, flags.contains(SynchronizeFlags::SCROLL_LOCK));
            slow.set(SyncToggleFlags::NUM_LOCK, flags.contains(SynchronizeFlags::NUM_LOCK));
            slow.set(SyncToggleFlags::CAPS_LOCK, flags.contains(SynchronizeFlags::CAPS_LOCK));
            SlowEvent::Sync(SyncPdu { flags: slow })
        }
        FastPathInputEvent::MouseEventRel(_) | FastPathInputEvent::QoeEvent(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(input: &mut Input, event: &InputEvent) -> Vec<FastPathInputEvent> {
        let mut events = Vec::new();
        input.apply(event, 800, 600, &mut events);
        events
    }

    fn mouse(flags: PointerFlags, x: u16, y: u16, units: i16) -> FastPathInputEvent {
        FastPathInputEvent::MouseEvent(MousePdu {
            flags,
            number_of_wheel_rotation_units: units,
            x_position: x,
            y_position: y,
        })
    }

    #[test]
    fn buttons_moves_and_release() {
        let mut input = Input::default();
        let events = apply(&mut input, &InputEvent::Pointer { x: 10, y: 9000, buttons: 0b1001 });
        assert_eq!(
            events,
            [
                mouse(PointerFlags::MOVE, 10, 599, 0),
                mouse(PointerFlags::LEFT_BUTTON | PointerFlags::DOWN, 10, 599, 0),
                FastPathInputEvent::MouseEventEx(MouseXPdu {
                    flags: PointerXFlags::BUTTON1 | PointerXFlags::DOWN,
                    x_position: 10,
                    y_position: 599
                }),
            ]
        );
        assert_eq!(apply(&mut input, &InputEvent::ReleaseAll).len(), 2);
        assert!(apply(&mut input, &InputEvent::ReleaseAll).is_empty());
    }

    #[test]
    fn wheels_turn_whole_notches_in_the_right_direction() {
        let mut input = Input::default();
        let wheel = |dx, dy| InputEvent::Wheel { x: 0, y: 0, dx, dy };
        assert_eq!(apply(&mut input, &wheel(0, 120)), [mouse(PointerFlags::VERTICAL_WHEEL, 0, 0, -120)]);
        assert!(apply(&mut input, &wheel(0, -50)).is_empty());
        assert!(apply(&mut input, &wheel(0, -60)).is_empty());
        assert_eq!(apply(&mut input, &wheel(0, -10)), [mouse(PointerFlags::VERTICAL_WHEEL, 0, 0, 120)]);
        assert_eq!(apply(&mut input, &wheel(120, 0)), [mouse(PointerFlags::HORIZONTAL_WHEEL, 0, 0, 120)]);
        assert_eq!(apply(&mut input, &wheel(0, i16::MIN)).len(), NOTCHES_MAX as usize);
    }

    #[test]
    fn one_finger_is_the_left_button() {
        let mut input = Input::default();
        let touch = |id, phase, x| InputEvent::Touch { id, phase, x, y: 5 };
        assert_eq!(apply(&mut input, &touch(3, TouchPhase::Start, 7)).len(), 2);
        assert!(apply(&mut input, &touch(4, TouchPhase::Start, 70)).is_empty());
        assert_eq!(apply(&mut input, &touch(3, TouchPhase::Move, 8)), [mouse(PointerFlags::MOVE, 8, 5, 0)]);
        assert_eq!(apply(&mut input, &touch(3, TouchPhase::End, 8)), [mouse(PointerFlags::LEFT_BUTTON, 8, 5, 0)]);
    }

    #[test]
    fn text_is_bounded() {
        let mut input = Input::default();
        let events = apply(&mut input, &InputEvent::Text("x".repeat(1 << 16)));
        assert!(events.len() <= 2 * TEXT_BYTES_MAX);
        assert_eq!(apply(&mut input, &InputEvent::Text("\r\n".to_owned())).len(), 2);
    }
}
