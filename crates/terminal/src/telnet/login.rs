//! Signing in where only text asks: prompts are recognised by patterns, and names and passwords typed into them.

use super::TelnetOptions;
use crate::TerminalError;
use regex::bytes::{Regex, RegexBuilder};
use secrecy::{ExposeSecret, SecretString};

/// Longest pattern, and the memory that its program may take.
const PATTERN_CHARS_MAX: usize = 500;
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// Text that is looked at: the last lines.
const WINDOW_BYTES_MAX: usize = 4096;
/// Longest text of a refusal that is shown.
const SAID_CHARS_MAX: usize = 200;

/// Regular expressions (of the `regex` crate) for what the machine says. They are searched for in the text since the last
/// answer.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct LoginPatterns {
    pub user: String,
    pub password: String,
    /// Where both are left out, the person sees what became of it.
    pub success: Option<String>,
    pub failure: Option<String>,
}

impl Default for LoginPatterns {
    fn default() -> Self {
        Self {
            user: "(?i)(login|user(name)?) ?: *$".into(),
            password: "(?i)password ?: *$".into(),
            success: None,
            failure: None,
        }
    }
}

impl LoginPatterns {
    /// Whether they can be used, before they are.
    pub fn check(&self) -> Result<(), TerminalError> {
        Login::new(&TelnetOptions { patterns: self.clone(), ..TelnetOptions::default() }).map(drop)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    User,
    Password,
    Outcome,
    Done,
}

pub(crate) struct Login {
    stage: Stage,
    name: String,
    password: Option<SecretString>,
    user: Regex,
    prompt: Regex,
    success: Option<Regex>,
    failure: Option<Regex>,
    seen: Vec<u8>,
}

fn pattern(what: &'static str, text: &str) -> Result<Regex, TerminalError> {
    let bad = |why| TerminalError::BadPattern { what, why };
    if text.chars().count() > PATTERN_CHARS_MAX {
        return Err(bad(format!("it is longer than {PATTERN_CHARS_MAX} characters")));
    }
    RegexBuilder::new(text)
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX)
        .build()
        .map_err(|error| bad(error.to_string()))
}

impl Login {
    pub fn new(options: &TelnetOptions) -> Result<Self, TerminalError> {
        let patterns = &options.patterns;
        let optional = |what, text: &Option<String>| text.as_deref().map(|text| pattern(what, text)).transpose();
        let stage = match (&options.user, &options.password) {
            (Some(_), _) => Stage::User,
            (None, Some(_)) => Stage::Password,
            (None, None) => Stage::Done,
        };
        Ok(Self {
            stage,
            name: options.user.clone().unwrap_or_default(),
            password: options.password.clone(),
            user: pattern("the name's prompt", &patterns.user)?,
            prompt: pattern("the password's prompt", &patterns.password)?,
            success: optional("success", &patterns.success)?,
            failure: optional("failure", &patterns.failure)?,
            seen: Vec::new(),
        })
    }

    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    pub fn stop(&mut self) {
        self.stage = Stage::Done;
        self.seen = Vec::new();
    }

    /// What the machine said; answers what to type.
    pub fn take(&mut self, data: &[u8]) -> Result<Option<String>, TerminalError> {
        if self.is_done() {
            return Ok(None);
        }
        self.seen.extend(data.iter().filter(|byte| **byte >= b' ' || **byte == b'\n'));
        let excess = self.seen.len().saturating_sub(WINDOW_BYTES_MAX);
        self.seen.drain(..excess);
        if self.failure.as_ref().is_some_and(|failure| failure.is_match(&self.seen)) {
            return Err(self.refused());
        }
        if self.success.as_ref().is_some_and(|success| success.is_match(&self.seen)) {
            self.stop();
            return Ok(None);
        }
        // Asked for the password at once: the machine knows the name, or does not want one.
        let asks_password = self.stage != Stage::Outcome && self.prompt.is_match(&self.seen);
        if asks_password {
            let Some(password) = self.password.take() else {
                self.stop();
                return Ok(None);
            };
            self.answered(if self.tells_outcome() { Stage::Outcome } else { Stage::Done });
            return Ok(Some(password.expose_secret().to_owned()));
        }
        if self.stage == Stage::User && self.user.is_match(&self.seen) {
            let next = if self.password.is_some() {
                Stage::Password
            } else if self.tells_outcome() {
                Stage::Outcome
            } else {
                Stage::Done
            };
            self.answered(next);
            return Ok(Some(self.name.clone()));
        }
        Ok(None)
    }

    const fn tells_outcome(&self) -> bool {
        self.success.is_some() || self.failure.is_some()
    }

    fn answered(&mut self, next: Stage) {
        self.seen.clear();
        self.stage = next;
    }

    fn refused(&self) -> TerminalError {
        let said = String::from_utf8_lossy(&self.seen);
        let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let said = line.chars().filter(|letter| !letter.is_control()).take(SAID_CHARS_MAX).collect::<String>();
        TerminalError::LoginRefused { user: self.name.clone(), said: said.trim().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(user: Option<&str>, password: Option<&str>, success: Option<&str>, failure: Option<&str>) -> Login {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let patterns = LoginPatterns { success: text(success), failure: text(failure), ..LoginPatterns::default() };
        let options = TelnetOptions {
            user: text(user),
            password: text(password).map(Into::into),
            patterns,
            ..TelnetOptions::default()
        };
        Login::new(&options).unwrap()
    }

    #[test]
    fn answers_prompts_in_order() {
        let mut login = login(Some("me"), Some("secret"), Some(r"\$ $"), Some("(?i)incorrect"));
        assert_eq!(login.take(b"Welcome\r\nhost lo").unwrap(), None);
        assert_eq!(login.take(b"gin: ").unwrap().as_deref(), Some("me"));
        assert_eq!(login.take(b"me\r\nPassword: ").unwrap().as_deref(), Some("secret"));
        // The password is typed once, whatever asks.
        assert_eq!(login.take(b"\r\nPassword: ").unwrap(), None);
        assert!(!login.is_done());
        assert_eq!(login.take(b"\r\n\x1b[32m$ ").unwrap(), None);
        assert!(login.is_done());
    }

    #[test]
    fn refusals_are_told() {
        let mut login = login(Some("me"), Some("secret"), None, Some("(?i)incorrect"));
        login.take(b"login: ").unwrap();
        login.take(b"Password: ").unwrap();
        let error = login.take(b"\r\nLogin incorrect\x1b[1m\r\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the machine refused to let me in: it says \"Login incorrect[1m\"; check the name and the password"
        );
    }

    #[test]
    fn what_is_not_configured_is_the_person_s() {
        assert!(login(None, None, None, None).is_done());
        let mut only_name = login(Some("me"), None, None, None);
        assert_eq!(only_name.take(b"login: ").unwrap().as_deref(), Some("me"));
        assert!(only_name.is_done());
        let mut long = login(Some("me"), None, None, None);
        long.take(&vec![b'x'; 1 << 20]).unwrap();
        assert_eq!(long.seen.len(), WINDOW_BYTES_MAX);
    }

    #[test]
    fn patterns_are_bounded() {
        for bad in ["(", &"x".repeat(PATTERN_CHARS_MAX + 1), "((a{100}){100}){100}"] {
            assert!(matches!(pattern("success", bad), Err(TerminalError::BadPattern { .. })), "{bad}");
        }
    }
}
