//! Keys by their three names: PC scan code (set 1, `0xe0xx` extended), kvmd's (W3C UI Events `code`), and USB usage (HID Usage Tables,
//! page 7).

/// A key that kvmd knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// PC scan code set 1.
    pub code: u16,
    pub name: &'static str,
    /// Usage on page 7; modifiers are `0xe0..=0xe7`.
    pub usage: u8,
}

const fn key(code: u16, name: &'static str, usage: u8) -> Key {
    Key { code, name, usage }
}

/// All of them.
pub const KEYS: &[Key] = &[
    key(0x01, "Escape", 0x29),
    key(0x02, "Digit1", 0x1e),
    key(0x03, "Digit2", 0x1f),
    key(0x04, "Digit3", 0x20),
    key(0x05, "Digit4", 0x21),
    key(0x06, "Digit5", 0x22),
    key(0x07, "Digit6", 0x23),
    key(0x08, "Digit7", 0x24),
    key(0x09, "Digit8", 0x25),
    key(0x0a, "Digit9", 0x26),
    key(0x0b, "Digit0", 0x27),
    key(0x0c, "Minus", 0x2d),
    key(0x0d, "Equal", 0x2e),
    key(0x0e, "Backspace", 0x2a),
    key(0x0f, "Tab", 0x2b),
    key(0x10, "KeyQ", 0x14),
    key(0x11, "KeyW", 0x1a),
    key(0x12, "KeyE", 0x08),
    key(0x13, "KeyR", 0x15),
    key(0x14, "KeyT", 0x17),
    key(0x15, "KeyY", 0x1c),
    key(0x16, "KeyU", 0x18),
    key(0x17, "KeyI", 0x0c),
    key(0x18, "KeyO", 0x12),
    key(0x19, "KeyP", 0x13),
    key(0x1a, "BracketLeft", 0x2f),
    key(0x1b, "BracketRight", 0x30),
    key(0x1c, "Enter", 0x28),
    key(0x1d, "ControlLeft", 0xe0),
    key(0x1e, "KeyA", 0x04),
    key(0x1f, "KeyS", 0x16),
    key(0x20, "KeyD", 0x07),
    key(0x21, "KeyF", 0x09),
    key(0x22, "KeyG", 0x0a),
    key(0x23, "KeyH", 0x0b),
    key(0x24, "KeyJ", 0x0d),
    key(0x25, "KeyK", 0x0e),
    key(0x26, "KeyL", 0x0f),
    key(0x27, "Semicolon", 0x33),
    key(0x28, "Quote", 0x34),
    key(0x29, "Backquote", 0x35),
    key(0x2a, "ShiftLeft", 0xe1),
    key(0x2b, "Backslash", 0x31),
    key(0x2c, "KeyZ", 0x1d),
    key(0x2d, "KeyX", 0x1b),
    key(0x2e, "KeyC", 0x06),
    key(0x2f, "KeyV", 0x19),
    key(0x30, "KeyB", 0x05),
    key(0x31, "KeyN", 0x11),
    key(0x32, "KeyM", 0x10),
    key(0x33, "Comma", 0x36),
    key(0x34, "Period", 0x37),
    key(0x35, "Slash", 0x38),
    key(0x36, "ShiftRight", 0xe5),
    key(0x37, "NumpadMultiply", 0x55),
    key(0x38, "AltLeft", 0xe2),
    key(0x39, "Space", 0x2c),
    key(0x3a, "CapsLock", 0x39),
    key(0x3b, "F1", 0x3a),
    key(0x3c, "F2", 0x3b),
    key(0x3d, "F3", 0x3c),
    key(0x3e, "F4", 0x3d),
    key(0x3f, "F5", 0x3e),
    key(0x40, "F6", 0x3f),
    key(0x41, "F7", 0x40),
    key(0x42, "F8", 0x41),
    key(0x43, "F9", 0x42),
    key(0x44, "F10", 0x43),
    key(0x45, "NumLock", 0x53),
    key(0x46, "ScrollLock", 0x47),
    key(0x47, "Numpad7", 0x5f),
    key(0x48, "Numpad8", 0x60),
    key(0x49, "Numpad9", 0x61),
    key(0x4a, "NumpadSubtract", 0x56),
    key(0x4b, "Numpad4", 0x5c),
    key(0x4c, "Numpad5", 0x5d),
    key(0x4d, "Numpad6", 0x5e),
    key(0x4e, "NumpadAdd", 0x57),
    key(0x4f, "Numpad1", 0x59),
    key(0x50, "Numpad2", 0x5a),
    key(0x51, "Numpad3", 0x5b),
    key(0x52, "Numpad0", 0x62),
    key(0x53, "NumpadDecimal", 0x63),
    key(0x56, "IntlBackslash", 0x64),
    key(0x57, "F11", 0x44),
    key(0x58, "F12", 0x45),
    key(0x64, "F13", 0x68),
    key(0x65, "F14", 0x69),
    key(0x66, "F15", 0x6a),
    key(0x67, "F16", 0x6b),
    key(0x68, "F17", 0x6c),
    key(0x69, "F18", 0x6d),
    key(0x6a, "F19", 0x6e),
    key(0x6b, "F20", 0x6f),
    key(0x6c, "F21", 0x70),
    key(0x6d, "F22", 0x71),
    key(0x6e, "F23", 0x72),
    key(0x76, "F24", 0x73),
    key(0x70, "KanaMode", 0x88),
    key(0x73, "IntlRo", 0x87),
    key(0x79, "Convert", 0x8a),
    key(0x7b, "NonConvert", 0x8b),
    key(0x7d, "IntlYen", 0x89),
    key(0xe01c, "NumpadEnter", 0x58),
    key(0xe01d, "ControlRight", 0xe4),
    key(0xe020, "AudioVolumeMute", 0x7f),
    key(0xe02e, "AudioVolumeDown", 0x81),
    key(0xe030, "AudioVolumeUp", 0x80),
    key(0xe035, "NumpadDivide", 0x54),
    key(0xe037, "PrintScreen", 0x46),
    key(0xe038, "AltRight", 0xe6),
    key(0xe046, "Pause", 0x48),
    key(0xe047, "Home", 0x4a),
    key(0xe048, "ArrowUp", 0x52),
    key(0xe049, "PageUp", 0x4b),
    key(0xe04b, "ArrowLeft", 0x50),
    key(0xe04d, "ArrowRight", 0x4f),
    key(0xe04f, "End", 0x4d),
    key(0xe050, "ArrowDown", 0x51),
    key(0xe051, "PageDown", 0x4e),
    key(0xe052, "Insert", 0x49),
    key(0xe053, "Delete", 0x4c),
    key(0xe05b, "MetaLeft", 0xe3),
    key(0xe05c, "MetaRight", 0xe7),
    key(0xe05d, "ContextMenu", 0x65),
    key(0xe05e, "Power", 0x66),
];

/// By PC scan code.
pub fn by_code(code: u16) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.code == code)
}

/// By kvmd's name.
pub fn by_name(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// By X11 keysym, for keys that viewers without scan codes have (touch keyboards).
pub fn by_keysym(keysym: u32) -> Option<&'static Key> {
    let name = match keysym {
        0xff08 => "Backspace",
        0xff09 => "Tab",
        0xff0d => "Enter",
        0xff1b => "Escape",
        0xff50 => "Home",
        0xff51 => "ArrowLeft",
        0xff52 => "ArrowUp",
        0xff53 => "ArrowRight",
        0xff54 => "ArrowDown",
        0xff55 => "PageUp",
        0xff56 => "PageDown",
        0xff57 => "End",
        0xffff => "Delete",
        0xffe1 => "ShiftLeft",
        0xffe3 => "ControlLeft",
        0xffe9 => "AltLeft",
        0xffeb => "MetaLeft",
        _ => return None,
    };
    by_name(name)
}

/// The character of an X11 keysym (Latin-1, and Unicode from `0x0100_0000` on).
pub fn character(keysym: u32) -> Option<char> {
    match keysym {
        0x20..=0x7e | 0xa0..=0xff => char::from_u32(keysym),
        0x0100_0100..=0x0110_ffff => char::from_u32(keysym - 0x0100_0000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_key_has_names_of_its_own() {
        let codes: BTreeSet<u16> = KEYS.iter().map(|key| key.code).collect();
        let names: BTreeSet<&str> = KEYS.iter().map(|key| key.name).collect();
        let usages: BTreeSet<u8> = KEYS.iter().map(|key| key.usage).collect();
        assert_eq!((codes.len(), names.len(), usages.len()), (KEYS.len(), KEYS.len(), KEYS.len()));
        // As many as kvmd 4.197 knows.
        assert_eq!(KEYS.len(), 126);
    }
}
