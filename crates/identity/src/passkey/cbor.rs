//! As much of CBOR (RFC 8949) as authenticators write (CTAP 2.1, section 8): integers, byte and text strings, arrays and maps of
//! known length, and simple values. Whatever else comes is an error, never a panic, a deep recursion or a large buffer.

/// Arrays and maps within each other.
const DEPTH_MAX: u8 = 4;
/// Items in one message, those in maps and arrays included.
const ITEMS_MAX: u16 = 128;

/// A value; strings stay where they are.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Int(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    Array(Vec<Self>),
    /// In the order of the message; no key is there twice.
    Map(Vec<(Self, Self)>),
    /// `true`, `null`, a float: nothing of ours says one.
    Simple,
}

impl<'a> Value<'a> {
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            _ => None,
        }
    }

    pub fn is_map(&self) -> bool {
        matches!(self, Self::Map(_))
    }

    pub fn is_empty_map(&self) -> bool {
        matches!(self, Self::Map(pairs) if pairs.is_empty())
    }

    /// What a map says under this name.
    pub fn named(&self, name: &str) -> Option<&Self> {
        self.find(|key| key.text() == Some(name))
    }

    /// What a map says under this number.
    pub fn numbered(&self, number: i64) -> Option<&Self> {
        self.find(|key| key.int() == Some(number))
    }

    fn find(&self, fits: impl Fn(&Self) -> bool) -> Option<&Self> {
        match self {
            Self::Map(pairs) => pairs.iter().find(|(key, _)| fits(key)).map(|(_, value)| value),
            _ => None,
        }
    }
}

/// The first value of these bytes, and what is behind it. `None`: it is cut off, too deep, too large, or of a kind that nobody sends.
pub(super) fn first(bytes: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let mut reader = Reader { rest: bytes, items: ITEMS_MAX };
    let value = reader.value(DEPTH_MAX)?;
    Some((value, reader.rest))
}

/// The one value that these bytes are.
pub(super) fn whole(bytes: &[u8]) -> Option<Value<'_>> {
    first(bytes).filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value)
}

struct Reader<'a> {
    rest: &'a [u8],
    items: u16,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn value(&mut self, depth: u8) -> Option<Value<'a>> {
        self.items = self.items.checked_sub(1)?;
        let [head] = *self.take(1)?.first_chunk()?;
        let (major, info) = (head >> 5, head & 0x1f);
        let argument = match info {
            0..=23 => u64::from(info),
            24 => u64::from(u8::from_be_bytes(*self.take(1)?.first_chunk()?)),
            25 => u64::from(u16::from_be_bytes(*self.take(2)?.first_chunk()?)),
            26 => u64::from(u32::from_be_bytes(*self.take(4)?.first_chunk()?)),
            27 => u64::from_be_bytes(*self.take(8)?.first_chunk()?),
            // Of no known length, or reserved.
            _ => return None,
        };
        let count = usize::try_from(argument).ok();
        Some(match major {
            0 => Value::Int(i64::try_from(argument).ok()?),
            1 => Value::Int(-1 - i64::try_from(argument).ok()?),
            2 => Value::Bytes(self.take(count?)?),
            3 => Value::Text(std::str::from_utf8(self.take(count?)?).ok()?),
            4 => {
                let depth = depth.checked_sub(1)?;
                // Grows with what is really there.
                let mut array = Vec::new();
                for _ in 0..argument {
                    array.push(self.value(depth)?);
                }
                Value::Array(array)
            }
            5 => {
                let depth = depth.checked_sub(1)?;
                let mut pairs: Vec<(Value<'a>, Value<'a>)> = Vec::new();
                for _ in 0..argument {
                    let key = self.value(depth)?;
                    if pairs.iter().any(|(known, _)| *known == key) {
                        return None;
                    }
                    pairs.push((key, self.value(depth)?));
                }
                Value::Map(pairs)
            }
            7 => Value::Simple,
            // Tags: CTAP has none.
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 8949, appendix A.
    #[test]
    fn values_are_those_of_the_rfc() {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        for (text, value) in [
            ("00", Value::Int(0)),
            ("17", Value::Int(23)),
            ("1818", Value::Int(24)),
            ("1903e8", Value::Int(1000)),
            ("1a000f4240", Value::Int(1_000_000)),
            ("1b000000e8d4a51000", Value::Int(1_000_000_000_000)),
            ("20", Value::Int(-1)),
            ("3903e7", Value::Int(-1000)),
            ("60", Value::Text("")),
            ("6449455446", Value::Text("IETF")),
            ("62c3bc", Value::Text("ü")),
            ("80", Value::Array(vec![])),
            ("83010203", Value::Array(vec![Value::Int(1), Value::Int(2), Value::Int(3)])),
            ("a0", Value::Map(vec![])),
            ("f5", Value::Simple),
            ("fb3ff199999999999a", Value::Simple),
        ] {
            assert_eq!(whole(&hex(text)), Some(value), "{text}");
        }
        let map = hex("a26161016162820203");
        let map = whole(&map).unwrap();
        assert_eq!(map.named("a"), Some(&Value::Int(1)));
        assert_eq!(map.numbered(1), None);
        assert_eq!(whole(&hex("4401020304")).unwrap().bytes(), Some(&[1, 2, 3, 4][..]));
    }

    #[test]
    fn what_nobody_sends_is_refused() {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        for bad in [
            "",
            "18",
            "5f42010243030405ff",   // of no known length
            "9fff",                 // as is this
            "c074",                 // a tag
            "1c",                   // reserved
            "1bffffffffffffffff",   // larger than any number of ours
            "3bffffffffffffffff",   // as is this
            "5affffffff",           // longer than the message
            "9bffffffffffffffff00", // as is this
            "bbffffffffffffffff00",
            "a201020103",   // a key twice
            "61ff",         // no UTF-8
            "818181818100", // too deep
            "0000",         // something behind it
        ] {
            assert_eq!(whole(&hex(bad)), None, "{bad}");
        }
        let many = [&[0x98, 0xff][..], &[0; 255]].concat();
        assert_eq!(whole(&many), None, "more items than anybody has");
        assert_eq!(first(&hex("0001")), Some((Value::Int(0), &[1][..])));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_value_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some((_, rest)) = first(&bytes) {
                prop_assert!(rest.len() < bytes.len());
            }
        }
    }
}
