//! What a person does, as binary messages of `/api/ws` (big endian), in both directions: the client writes them, devices
//! (ours and the one for tests) read them.
//!
//! ```text
//! 00                        ping, answered by ff
//! 01 flags name | code      key: bit 0 down, bit 1 release at once, bit 7 a Linux code (u16) instead of the name
//! 02 flags name | code      mouse button, alike
//! 03 x y                    absolute position, -32768 to 32767 each (i16)
//! 04 flags (dx dy)…         relative (i8): bit 0 may be joined
//! 05 flags (dx dy)…         wheel, alike: positive dy is away from the person
//! ```

/// Longest name of a key or button, in bytes.
pub const NAME_BYTES_MAX: usize = 32;
/// Most steps of one relative message.
pub const STEPS_MAX: usize = 64;

pub const PING: [u8; 1] = [0];
pub const PONG: u8 = 0xff;

const DOWN: u8 = 1;
const FINISH: u8 = 2;
const LINUX: u8 = 0x80;
const SQUASH: u8 = 1;

/// Buttons of a mouse, by the names that kvmd gives them: `up` is the one to go back, `down` the one to go forward.
pub const BUTTONS: [&str; 5] = ["left", "middle", "right", "up", "down"];

/// A key or a button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    Named(String),
    /// `KEY_…` or `BTN_…` of Linux.
    Linux(u16),
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hid {
    Ping,
    Key { name: Name, down: bool, finish: bool },
    Button { name: Name, down: bool },
    Absolute { x: i16, y: i16 },
    Relative { steps: Vec<(i8, i8)>, squash: bool },
    Wheel { steps: Vec<(i8, i8)>, squash: bool },
}

impl Hid {
    pub fn key(name: &str, down: bool) -> Self {
        Self::Key { name: Name::Named(name.to_owned()), down, finish: false }
    }

    pub fn button(name: &str, down: bool) -> Self {
        Self::Button { name: Name::Named(name.to_owned()), down }
    }

    pub fn encode(&self) -> Vec<u8> {
        let named = |op: u8, flags: u8, name: &Name| match name {
            Name::Named(name) => [&[op, flags], name.as_bytes()].concat(),
            Name::Linux(code) => [&[op, flags | LINUX] as &[u8], &code.to_be_bytes()].concat(),
        };
        let moved = |op: u8, steps: &[(i8, i8)], squash: bool| {
            let mut out = vec![op, u8::from(squash) * SQUASH];
            out.extend(steps.iter().flat_map(|(x, y)| [*x as u8, *y as u8]));
            out
        };
        match self {
            Self::Ping => PING.to_vec(),
            Self::Key { name, down, finish } => named(1, (u8::from(*down) * DOWN) | (u8::from(*finish) * FINISH), name),
            Self::Button { name, down } => named(2, u8::from(*down) * DOWN, name),
            Self::Absolute { x, y } => [&[3][..], &x.to_be_bytes(), &y.to_be_bytes()].concat(),
            Self::Relative { steps, squash } => moved(4, steps, *squash),
            Self::Wheel { steps, squash } => moved(5, steps, *squash),
        }
    }

    /// `None` for what is no message: devices ignore it.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let named = |flags: u8, rest: &[u8]| {
            if flags & LINUX != 0 {
                return Some(Name::Linux(u16::from_be_bytes(rest.try_into().ok()?)));
            }
            let name = std::str::from_utf8(rest).ok().filter(|name| (1..=NAME_BYTES_MAX).contains(&name.len()))?;
            Some(Name::Named(name.to_owned()))
        };
        let steps = |rest: &[u8]| {
            let (pairs, odd) = rest.as_chunks::<2>();
            let fits = odd.is_empty() && (1..=STEPS_MAX).contains(&pairs.len());
            fits.then(|| pairs.iter().map(|[x, y]| (*x as i8, *y as i8)).collect())
        };
        Some(match bytes {
            [0] => Self::Ping,
            [1, flags, rest @ ..] => {
                Self::Key { name: named(*flags, rest)?, down: flags & DOWN != 0, finish: flags & FINISH != 0 }
            }
            [2, flags, rest @ ..] => Self::Button { name: named(*flags, rest)?, down: flags & DOWN != 0 },
            [3, a, b, c, d] => Self::Absolute { x: i16::from_be_bytes([*a, *b]), y: i16::from_be_bytes([*c, *d]) },
            [4, flags, rest @ ..] => Self::Relative { steps: steps(rest)?, squash: flags & SQUASH != 0 },
            [5, flags, rest @ ..] => Self::Wheel { steps: steps(rest)?, squash: flags & SQUASH != 0 },
            _ => return None,
        })
    }
}

/// A pixel's place on the device's scale: 0 is the left or upper edge, `side - 1` the other one.
pub fn place(at: u16, side: u16) -> i16 {
    let last = i64::from(side.max(2)) - 1;
    let at = i64::from(at).min(last);
    // Rounded to the nearest, and both edges exact.
    ((at * 65535 + last / 2) / last - 32768) as i16
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_are_those_of_kvmd() {
        let named = |name: &str| Name::Named(name.to_owned());
        for (message, bytes) in [
            (Hid::Ping, vec![0]),
            (Hid::key("KeyA", true), b"\x01\x01KeyA".to_vec()),
            (Hid::key("KeyA", false), b"\x01\x00KeyA".to_vec()),
            (Hid::Key { name: named("KeyA"), down: true, finish: true }, b"\x01\x03KeyA".to_vec()),
            (Hid::key("ShiftLeft", true), b"\x01\x01ShiftLeft".to_vec()),
            (Hid::Key { name: Name::Linux(0x1e), down: true, finish: false }, vec![1, 0x81, 0, 0x1e]),
            (Hid::button("left", true), b"\x02\x01left".to_vec()),
            (Hid::Button { name: Name::Linux(0x111), down: true }, vec![2, 0x81, 1, 0x11]),
            (Hid::Absolute { x: 0, y: 0 }, vec![3, 0, 0, 0, 0]),
            (Hid::Absolute { x: i16::MIN, y: i16::MIN }, vec![3, 0x80, 0, 0x80, 0]),
            (Hid::Absolute { x: i16::MAX, y: i16::MAX }, vec![3, 0x7f, 0xff, 0x7f, 0xff]),
            (Hid::Wheel { steps: vec![(0, -5)], squash: false }, vec![5, 0, 0, 0xfb]),
            (Hid::Wheel { steps: vec![(3, 0)], squash: false }, vec![5, 0, 3, 0]),
            (Hid::Relative { steps: vec![(5, -6)], squash: false }, vec![4, 0, 5, 0xfa]),
            (Hid::Relative { steps: vec![(100, 0), (100, 0)], squash: true }, vec![4, 1, 0x64, 0, 0x64, 0]),
            (Hid::Relative { steps: vec![(10, 10), (20, 20)], squash: true }, vec![4, 1, 10, 10, 20, 20]),
        ] {
            assert_eq!(message.encode(), bytes, "{message:?}");
            assert_eq!(Hid::decode(&bytes), Some(message));
        }
    }

    #[test]
    fn what_is_no_message_is_none() {
        for bytes in [&[][..], &[0, 0], &[1], &[1, 1], &[1, 0x81, 0], &[2, 1], &[3, 0, 0, 0], &[4, 0], &[4, 0, 1], &[6]]
        {
            assert_eq!(Hid::decode(bytes), None, "{bytes:?}");
        }
        assert_eq!(Hid::decode(&[&[1, 1][..], &[b'x'; 33]].concat()), None);
        assert_eq!(Hid::decode(&[&[5, 0][..], &[0; 130]].concat()), None);
    }

    #[test]
    fn edges_are_exact() {
        for side in [2, 640, 1080, 1920, 8192] {
            assert_eq!((place(0, side), place(side - 1, side), place(u16::MAX, side)), (i16::MIN, i16::MAX, i16::MAX));
        }
        assert_eq!((place(0, 0), place(9, 1)), (i16::MIN, i16::MAX));
    }

    proptest! {
        #[test]
        fn every_pixel_is_told_from_its_neighbours(side in 3u16..=8192, at in 0u16..8191) {
            prop_assume!(at + 1 < side);
            prop_assert!(place(at, side) < place(at + 1, side));
        }

        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            if let Some(message) = Hid::decode(&bytes) {
                prop_assert_eq!(Hid::decode(&message.encode()), Some(message));
            }
        }
    }
}
