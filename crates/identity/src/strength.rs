//! Which passwords are good enough: length counts, rules about signs do not (NIST SP 800-63B, 3.1.1.2).

use secrecy::{ExposeSecret, SecretString};

/// Shortest password, in characters.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// Longest password, in characters.
pub const PASSWORD_CHARS_MAX: usize = 200;
/// A password is not made of fewer different characters than this.
const DIFFERENT_CHARS_MIN: usize = 4;
/// So many characters must remain when the user's name is taken out.
const CHARS_BESIDE_NAME_MIN: usize = 6;
/// Digits and signs around a common word that do not make it a password of its own.
const ORNAMENT_CHARS_MAX: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    #[error("a password needs at least {PASSWORD_CHARS_MIN} characters")]
    Short,
    #[error("a password may have at most {PASSWORD_CHARS_MAX} characters")]
    Long,
    #[error("the password is little more than the user's name")]
    UserName,
    #[error("the password is one of the first that anybody would try")]
    Common,
}

/// Says what is wrong with a new password of that user, if anything is.
pub fn check_strength(password: &SecretString, user_name: &str) -> Result<(), Weakness> {
    let password = password.expose_secret();
    let chars = password.chars().take(PASSWORD_CHARS_MAX + 1).count();
    if chars < PASSWORD_CHARS_MIN {
        return Err(Weakness::Short);
    }
    if chars > PASSWORD_CHARS_MAX {
        return Err(Weakness::Long);
    }
    let folded = password.to_lowercase();
    let name = user_name.to_lowercase();
    if !name.is_empty() && folded.contains(&name) && folded.replace(&name, "").chars().count() < CHARS_BESIDE_NAME_MIN {
        return Err(Weakness::UserName);
    }
    let different: std::collections::HashSet<char> = folded.chars().collect();
    if different.len() < DIFFERENT_CHARS_MIN || is_run(&folded) || is_common(&folded) {
        return Err(Weakness::Common);
    }
    Ok(())
}

/// Keys in a row: `1234567890`, `qwertyuiop`, `zyxwvutsrq`, also when they begin again.
fn is_run(folded: &str) -> bool {
    const ROWS: [&str; 7] = [
        "01234567890123456789",
        "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
        "qwertyuiopqwertyuiop",
        "qwertzuiopqwertzuiop",
        "azertyuiopazertyuiop",
        "asdfghjklasdfghjkl",
        "qwertyuiopasdfghjklzxcvbnm",
    ];
    let backwards: String = folded.chars().rev().collect();
    ROWS.iter().any(|row| row.contains(folded) || row.contains(&backwards))
}

/// A word that everybody uses, alone or with the ornaments that everybody adds: `Password123!`, `P@ssw0rd`.
fn is_common(folded: &str) -> bool {
    let trimmed = folded.trim_matches(|c: char| !c.is_alphabetic());
    let plain: String = trimmed
        .chars()
        .map(|c| match c {
            '0' => 'o',
            '1' | '!' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            other => other,
        })
        .collect();
    let ornaments = folded.chars().count().saturating_sub(trimmed.chars().count());
    ornaments <= ORNAMENT_CHARS_MAX && COMMON.iter().any(|word| trimmed == *word || plain == *word)
}

/// The words and phrases at the top of published lists, and those of this trade.
const COMMON: [&str; 60] = [
    "password",
    "passwort",
    "passw",
    "motdepasse",
    "contrasena",
    "passwordpassword",
    "mypassword",
    "admin",
    "administrator",
    "adminadmin",
    "root",
    "rootroot",
    "toor",
    "oriel",
    "letmein",
    "letmeinplease",
    "welcome",
    "welcometo",
    "willkommen",
    "changeme",
    "changemenow",
    "changeit",
    "default",
    "secret",
    "topsecret",
    "supersecret",
    "qwerty",
    "qwertz",
    "azerty",
    "qwertyuiop",
    "qwertzuiop",
    "asdfgh",
    "asdfghjkl",
    "zxcvbn",
    "zxcvbnm",
    "qazwsx",
    "qazwsxedc",
    "qwertyqwerty",
    "abc",
    "abcd",
    "abcdef",
    "abcdefg",
    "iloveyou",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "basketball",
    "superman",
    "batman",
    "starwars",
    "dragon",
    "monkey",
    "master",
    "shadow",
    "michael",
    "computer",
    "internet",
    "desktop",
    "trustno",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(password: &str, name: &str) -> Result<(), Weakness> {
        check_strength(&password.to_owned().into(), name)
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(check("häßliché", "ada"), Err(Weakness::Short));
        assert_eq!(check("", "ada"), Err(Weakness::Short));
        assert_eq!(check("zwölf Äxte", "ada"), Ok(()));
        let longest: String = "a longer sentence of my own ".chars().cycle().take(PASSWORD_CHARS_MAX).collect();
        assert_eq!(check(&longest, "ada"), Ok(()));
        assert_eq!(check(&format!("{longest}x"), "ada"), Err(Weakness::Long));
    }

    #[test]
    fn the_name_is_no_password() {
        for password in ["ada.lovelace", "ADA.LOVELACE", "ada.lovelace1", "1ada.lovelace!", "ada.lovelaceada.lovelace"]
        {
            assert_eq!(check(password, "Ada.Lovelace"), Err(Weakness::UserName), "{password}");
        }
        assert_eq!(check("ada.lovelace counts to nine", "Ada.Lovelace"), Ok(()));
        assert_eq!(check("ada.lovelace", ""), Ok(()));
    }

    #[test]
    fn what_anybody_would_try_is_refused() {
        for password in [
            "1234567890",
            "0987654321",
            "9876543210",
            "qwertyuiop",
            "aaaaaaaaaa",
            "ababababab",
            "password123",
            "Password123!",
            "P@ssw0rd2026",
            "!!admin!!2026",
            "letmein12345",
            "Welcome2026!",
            "adminadmin1",
            "changeme2026",
            "abc1234567890",
            "qwerty123456",
            "trustno1!!!",
            "abcdefghij",
        ] {
            assert_eq!(check(password, "ada"), Err(Weakness::Common), "{password}");
        }
        for password in ["correct horse battery", "Weiß nicht, 7 Uhr", "kR9 pX2 vQ7", "master of my own house"] {
            assert_eq!(check(password, "ada"), Ok(()), "{password}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged(password in "\\PC{0,300}", name in "\\PC{0,80}") {
            let _ = check(&password, &name);
        }

        /// Our own suggestions are never refused.
        #[test]
        fn one_time_passwords_are_strong(_ in 0..200_u8) {
            prop_assert_eq!(check_strength(&crate::one_time_password(), "admin"), Ok(()));
        }
    }
}
