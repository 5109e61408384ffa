//! The little of DER (X.690) that is looked at: tags of one byte, and definite lengths.

/// One element: its tag, what is in it, and what comes after.
pub(crate) struct Element<'b> {
    pub tag: u8,
    pub content: &'b [u8],
    pub rest: &'b [u8],
}

/// `None` where no whole element stands.
pub(crate) fn read(bytes: &[u8]) -> Option<Element<'_>> {
    let (&tag, rest) = bytes.split_first()?;
    // Tags of several bytes are nowhere in these messages.
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some(Element { tag, content, rest })
}

/// The content of an element that must have this tag, where nothing comes after it.
pub(crate) fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    read(bytes).filter(|element| element.tag == tag && element.rest.is_empty()).map(|element| element.content)
}

/// The content of the field with this tag, in a sequence of fields whose tags ascend: none can hide behind another of its kind.
pub(crate) fn field(fields: &[u8], tag: u8) -> Option<&[u8]> {
    let (mut rest, mut last, mut found) = (fields, 0, None);
    while !rest.is_empty() {
        let element = read(rest)?;
        if element.tag <= last {
            return None;
        }
        if element.tag == tag {
            found = Some(element.content);
        }
        (last, rest) = (element.tag, element.rest);
    }
    found
}

pub(crate) fn write(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let mut bytes = vec![tag];
    let [.., last] = length;
    if content.len() < 0x80 {
        bytes.push(last);
    } else {
        let zeros = length.iter().take_while(|byte| **byte == 0).count();
        let short = length.get(zeros..).unwrap_or_default();
        // At most eight bytes.
        bytes.push(0x80 | short.len() as u8);
        bytes.extend_from_slice(short);
    }
    bytes.extend_from_slice(content);
    bytes
}
