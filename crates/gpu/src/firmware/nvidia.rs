//! nouveau: signed files in a folder per chip, without which there is a picture but no acceleration. NVIDIA's own driver brings
//! its firmware along.

use super::{Card, firmware};
use crate::inventory::Firmware;

/// `GM204GL [Tesla M60]` is `gm204`: the letters behind the number tell the board, not the chip.
fn chip(name: &str) -> Option<String> {
    let word = name.split_whitespace().next()?.to_ascii_lowercase();
    let digits = word.find(|letter: char| letter.is_ascii_digit())?;
    let end = word.get(digits..)?.find(|letter: char| !letter.is_ascii_hexdigit()).map_or(word.len(), |at| digits + at);
    (digits == 2 && word.is_ascii()).then(|| word.get(..end).unwrap_or(&word).to_owned())
}

pub(super) fn nouveau(card: &Card<'_>, names: &[&str]) -> Vec<Firmware> {
    let Some(chip) = chip(card.name) else { return Vec::new() };
    let folder = format!("nvidia/{chip}/");
    let mut files: Vec<String> =
        names.iter().filter(|name| name.starts_with(&folder)).map(|name| (*name).to_owned()).collect();
    files.sort();
    files.dedup();
    files
        .into_iter()
        .map(|name| {
            // Video decoding and the scrubber come later; the rest makes the card draw at all.
            let optional = name.contains("/nvdec/") || name.contains("/sec2/");
            firmware("nouveau", vec![name], optional)
        })
        .collect()
}
