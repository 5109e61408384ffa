//! Names in the folder, and what searches ask for.

use super::DRIVE_NAME_BYTES_MAX;

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

/// Whether a name is what a search asks for: `*` is any letters, `?` is one (MS-FSA 2.1.4.4). Takes no longer than both lengths multiplied.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    // What Windows makes of `*.*` and of a `?` or a dot in front of the end ('<', '>', '"').
    if matches!(pattern, "*" | "*.*") {
        return true;
    }
    let pattern: Vec<char> = pattern
        .to_lowercase()
        .chars()
        .map(|letter| match letter {
            '<' => '*',
            '>' => '?',
            '"' => '.',
            other => other,
        })
        .collect();
    let name: Vec<char> = name.to_lowercase().chars().collect();
    let (mut p, mut n, mut back) = (0, 0, None);
    while let Some(letter) = name.get(n) {
        match pattern.get(p) {
            Some('*') => {
                back = Some((p, n));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == letter => (p, n) = (p + 1, n + 1),
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    (p, n) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|left| *left == '*')
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
        ] {
            assert_eq!(matches(pattern, name), found, "{pattern} {name}");
        }
    }
}
