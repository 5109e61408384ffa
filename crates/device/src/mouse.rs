//! Reports of a USB port as what a person does to a screen: for machines that are reached through a viewer rather than by a cable.

use crate::machine::Report;
use oriel_physical::key::KEYS;
use oriel_screen::InputEvent;

/// One notch of a wheel.
const NOTCH: i16 = 120;

/// Remembers what was down, as a machine's own driver does.
#[derive(Debug, Default)]
pub struct Inputs {
    keyboard: [u8; 8],
    at: (u16, u16),
    buttons: u8,
}

/// A key without a scan code has no way to a machine's screen; there is none in the table.
fn key(usage: u8, down: bool) -> Option<InputEvent> {
    let key = KEYS.iter().find(|key| key.usage == usage)?;
    Some(InputEvent::Key { down, code: key.code, keysym: keysym(key.name) })
}

/// Keysyms of keys that are no letters, digits or function keys (X11's keysymdef.h).
const OTHERS: &[(&str, u32)] = &[
    ("Escape", 0xff1b),
    ("Backspace", 0xff08),
    ("Tab", 0xff09),
    ("Enter", 0xff0d),
    ("Space", 0x20),
    ("Minus", 0x2d),
    ("Equal", 0x3d),
    ("BracketLeft", 0x5b),
    ("BracketRight", 0x5d),
    ("Backslash", 0x5c),
    ("Semicolon", 0x3b),
    ("Quote", 0x27),
    ("Backquote", 0x60),
    ("Comma", 0x2c),
    ("Period", 0x2e),
    ("Slash", 0x2f),
    ("CapsLock", 0xffe5),
    ("ShiftLeft", 0xffe1),
    ("ShiftRight", 0xffe2),
    ("ControlLeft", 0xffe3),
    ("ControlRight", 0xffe4),
    ("MetaLeft", 0xffeb),
    ("MetaRight", 0xffec),
    ("AltLeft", 0xffe9),
    ("AltRight", 0xfe03),
    ("Home", 0xff50),
    ("ArrowLeft", 0xff51),
    ("ArrowUp", 0xff52),
    ("ArrowRight", 0xff53),
    ("ArrowDown", 0xff54),
    ("PageUp", 0xff55),
    ("PageDown", 0xff56),
    ("End", 0xff57),
    ("PrintScreen", 0xff61),
    ("Insert", 0xff63),
    ("ContextMenu", 0xff67),
    ("NumLock", 0xff7f),
    ("ScrollLock", 0xff14),
    ("Pause", 0xff13),
    ("Delete", 0xffff),
    ("NumpadEnter", 0xff8d),
    ("NumpadMultiply", 0xffaa),
    ("NumpadAdd", 0xffab),
    ("NumpadSubtract", 0xffad),
    ("NumpadDecimal", 0xffae),
    ("NumpadDivide", 0xffaf),
];

/// For VNC servers that take no scan codes: what a key types in the United States.
fn keysym(name: &str) -> u32 {
    let latin = |name: &str| name.bytes().next_back().map_or(0, u32::from);
    if name.strip_prefix("Key").is_some_and(|rest| rest.len() == 1) {
        return latin(name) + 0x20;
    }
    if name.starts_with("Digit") {
        return latin(name);
    }
    if let Some(number) = name.strip_prefix('F').and_then(|number| number.parse::<u32>().ok()) {
        return 0xffbd + number;
    }
    if let Some(digit) = name.strip_prefix("Numpad").and_then(|digit| digit.parse::<u32>().ok()) {
        return 0xffb0 + digit;
    }
    OTHERS.iter().find(|(of, _)| *of == name).map_or(0, |(_, keysym)| *keysym)
}

/// HID's buttons are left, right, middle, and then as others have them.
fn buttons(report: u8) -> u16 {
    let bit = |from: u8, to: u16| if report & from == 0 { 0 } else { to };
    bit(1, 1) | bit(2, 4) | bit(4, 2) | bit(8, 8) | bit(16, 16)
}

/// A place of 0 to 32767 as a pixel.
fn pixel(at: u16, side: u16) -> u16 {
    let last = u32::from(side.saturating_sub(1));
    ((u32::from(at.min(32767)) * last + 16383) / 32767) as u16
}

impl Inputs {
    /// Adds what a report says anew, for a screen of this size.
    pub fn report(&mut self, report: &Report, size: (u16, u16), out: &mut Vec<InputEvent>) {
        match report {
            Report::Keyboard(new) => self.keys(*new, out),
            Report::Absolute([buttons, x0, x1, y0, y1, wheel, pan]) => {
                let to = (pixel(u16::from_le_bytes([*x0, *x1]), size.0), pixel(u16::from_le_bytes([*y0, *y1]), size.1));
                self.mouse(to, *buttons, out);
                self.turn(*wheel as i8, *pan as i8, out);
            }
            Report::Relative([buttons, dx, dy, wheel, pan]) => {
                let go = |at: u16, by: u8, side: u16| {
                    (i32::from(at) + i32::from(by as i8)).clamp(0, i32::from(side.saturating_sub(1))) as u16
                };
                let to = (go(self.at.0, *dx, size.0), go(self.at.1, *dy, size.1));
                self.mouse(to, *buttons, out);
                self.turn(*wheel as i8, *pan as i8, out);
            }
        }
    }

    fn keys(&mut self, new: [u8; 8], out: &mut Vec<InputEvent>) {
        let old = std::mem::replace(&mut self.keyboard, new);
        let held = |report: &[u8; 8]| -> Vec<u8> {
            let [modifiers, _, keys @ ..] = report;
            let modifiers = (0..8u8).filter(|bit| (modifiers >> bit) & 1 == 1).map(|bit| 0xe0 + bit);
            modifiers.chain(keys.iter().copied().filter(|key| *key >= 4)).collect()
        };
        let (before, after) = (held(&old), held(&new));
        // Up in the other order: modifiers last.
        out.extend(before.iter().rev().filter(|key| !after.contains(key)).filter_map(|usage| key(*usage, false)));
        out.extend(after.iter().filter(|key| !before.contains(key)).filter_map(|usage| key(*usage, true)));
    }

    fn mouse(&mut self, to: (u16, u16), down: u8, out: &mut Vec<InputEvent>) {
        if (to, down) != (self.at, self.buttons) {
            (self.at, self.buttons) = (to, down);
            out.push(InputEvent::Pointer { x: to.0, y: to.1, buttons: buttons(down) });
        }
    }

    fn turn(&self, wheel: i8, pan: i8, out: &mut Vec<InputEvent>) {
        if (wheel, pan) != (0, 0) {
            // Away from the person is positive in HID, and negative for viewers.
            let (dx, dy) = (i16::from(pan) * NOTCH, -i16::from(wheel) * NOTCH);
            out.push(InputEvent::Wheel { x: self.at.0, y: self.at.1, dx, dy });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(inputs: &mut Inputs, reports: &[Report]) -> Vec<InputEvent> {
        let mut out = Vec::new();
        reports.iter().for_each(|report| inputs.report(report, (800, 600), &mut out));
        out
    }

    #[test]
    fn reports_become_keys_that_go_down_and_up() {
        let mut inputs = Inputs::default();
        let keyboard = |modifiers, key| Report::Keyboard([modifiers, 0, key, 0, 0, 0, 0, 0]);
        let events =
            after(&mut inputs, &[keyboard(0, 4), keyboard(2, 4), keyboard(2, 5), keyboard(0, 0), keyboard(0, 0)]);
        let key = |down, code, keysym| InputEvent::Key { down, code, keysym };
        assert_eq!(
            events,
            [
                key(true, 0x1e, 0x61),
                key(true, 0x2a, 0xffe1),
                key(false, 0x1e, 0x61),
                key(true, 0x30, 0x62),
                key(false, 0x30, 0x62),
                key(false, 0x2a, 0xffe1),
            ]
        );
    }

    #[test]
    fn reports_become_a_pointer_and_a_wheel() {
        let mut inputs = Inputs::default();
        let absolute = |buttons, x: u16, y: u16, wheel| {
            let ([a, b], [c, d]) = (x.to_le_bytes(), y.to_le_bytes());
            Report::Absolute([buttons, a, b, c, d, wheel, 0])
        };
        let pointer = |x, y, buttons| InputEvent::Pointer { x, y, buttons };
        assert_eq!(
            after(&mut inputs, &[absolute(0, 32767, 32767, 0), absolute(2, 32767, 32767, 0), absolute(2, 0, 0, 1)]),
            [
                pointer(799, 599, 0),
                pointer(799, 599, 4),
                pointer(0, 0, 4),
                InputEvent::Wheel { x: 0, y: 0, dx: 0, dy: -120 },
            ]
        );
        assert_eq!(after(&mut inputs, &[absolute(0, 16383, 16383, 0)]), [pointer(399, 299, 0)]);
        let steps = Report::Relative([0, 5, 0xfa, 0, 0]);
        assert_eq!(after(&mut inputs, &[steps]), [pointer(404, 293, 0)]);
        // Nothing new.
        assert!(after(&mut inputs, &[Report::Relative([0; 5])]).is_empty());
    }

    #[test]
    fn keys_have_keysyms() {
        for (name, want) in
            [("KeyA", 0x61), ("Digit0", 0x30), ("F1", 0xffbe), ("F12", 0xffc9), ("Numpad7", 0xffb7), ("Slash", 0x2f)]
        {
            assert_eq!(keysym(name), want, "{name}");
        }
    }
}
