//! Names in the folder, and what searches ask for.

use super::DRIVE_NAME_BYTES_MAX;

/// Longest pattern of a search, in bytes; what is longer finds nothing.
const PATTERN_BYTES_MAX: usize = 4 * DRIVE_NAME_BYTES_MAX;

/// Whether a file or folder may be called so: what Windows takes for a name, because both kinds of machines see the folder.
pub fn is_name(name: &str) -> bool {
    let forbidden =
        |letter: char| letter.is_control() || matches!(letter, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    // That it ends with neither dot nor space excludes "." and ".." as well.
    !name.is_empty()
        && name.len() <= DRIVE_NAME_BYTES_MAX
        && !name.ends_with([' ', '.'])
        && !name.contains(forbidden)
        && !name.contains(char::REPLACEMENT_CHARACTER)
}

/// Upper and lower case are one name, as Windows has it.
pub(super) fn same(one: &str, other: &str) -> bool {
    one == other || one.to_lowercase() == other.to_lowercase()
}

/// Whether a name is what a search asks for (MS-FSA 2.1.4.4): `*` is any letters, `?` is one; `<` is any but the last dot, `>` one or
/// none in front of a dot or the end, `"` a dot or the end. Takes no longer than both lengths multiplied.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    // What Windows makes of `*.*`.
    if matches!(pattern, "*" | "*.*") {
        return true;
    }
    // Longer than whatever a program could ask of a name.
    if pattern.len() > PATTERN_BYTES_MAX {
        return false;
    }
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let name: Vec<char> = name.to_lowercase().chars().collect();
    let last_dot = name.iter().rposition(|letter| *letter == '.');
    // Which places of the pattern what was read of the name leads to.
    let mut places = vec![false; pattern.len() + 1];
    places.first_mut().into_iter().for_each(|first| *first = true);
    for (at, letter) in name.iter().enumerate() {
        skip(&pattern, &mut places, Some(*letter));
        let mut next = Vec::with_capacity(places.len());
        let mut steps = false;
        for (wanted, place) in pattern.iter().zip(&places) {
            let stays = *wanted == '*' || *wanted == '<' && last_dot != Some(at);
            next.push(steps || *place && stays);
            steps = *place
                && match wanted {
                    '*' | '<' => false,
                    '?' => true,
                    '>' => *letter != '.',
                    '"' => *letter == '.',
                    wanted => wanted == letter,
                };
        }
        next.push(steps);
        if !next.contains(&true) {
            return false;
        }
        places = next;
    }
    skip(&pattern, &mut places, None);
    places.last() == Some(&true)
}

/// Passes over what may stand for nothing in front of a letter, or of the end.
fn skip(pattern: &[char], places: &mut [bool], letter: Option<char>) {
    let mut passes = false;
    for (place, wanted) in places.iter_mut().zip(pattern.iter().map(Some).chain([None])) {
        *place |= passes;
        passes = *place
            && match wanted {
                Some('*' | '<') => true,
                Some('>') => matches!(letter, None | Some('.')),
                Some('"') => letter.is_none(),
                _ => false,
            };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names_and_no_ways() {
        for name in ["a", "über alles 1.txt", ".profile", "👨‍👩‍👧.png", "CON.txt", "a#%;'&b"] {
            assert!(is_name(name), "{name:?}");
        }
        for name in ["", ".", "..", "...", "a/b", "a\\b", "c:", "a*", "a\0b", "a\nb", "a ", "a.", &"x".repeat(256)] {
            assert!(!is_name(name), "{name:?}");
        }
    }

    #[test]
    fn searches_find_what_they_ask_for() {
        for (pattern, name, found) in [
            ("*", "anything", true),
            ("*.*", "no dot", true),
            ("*.txt", "A.TXT", true),
            ("*.txt", "a.txt.gz", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*b*c", "a--b--bc", true),
            ("Ärger", "ärger", true),
            ("", "a", false),
            ("a<\"txt", "a b.txt", true),
            // `dir foo.*`, `dir ????.txt`, `dir *.` and `dir *.txt` as Windows sends them.
            ("foo\"*", "foo", true),
            ("foo\"*", "foo.a", true),
            ("foo\"*", "food", false),
            (">>>>.txt", "ab.txt", true),
            (">>>>.txt", "abcde.txt", false),
            ("<", "none", true),
            ("<", "a.txt", false),
            ("<\"", "a.b.txt", false),
            ("<.txt", "a.b.txt", true),
            ("*<x", "a.x", true),
            ("a>>", "a", true),
        ] {
            assert_eq!(matches(pattern, name), found, "{pattern} {name}");
        }
    }
}
