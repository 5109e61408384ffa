//! How a command fails: what happened, why, what to do next; and with which exit code.
//!
//! | code | means |
//! |---|---|
//! | 0 | done |
//! | 1 | the server refused or something failed; for `doctor`: there are errors |
//! | 2 | the command line or the configuration is wrong; for `apply --dry-run`: there is something to change |
//! | 3 | no server answers |
//! | 130 | interrupted |

use std::fmt;

pub const FAILED: u8 = 1;
pub const USAGE: u8 = 2;
pub const NO_SERVER: u8 = 3;
pub const INTERRUPTED: u8 = 130;

pub type Done = Result<(), Failure>;

/// Why a command ends without having done what it was asked.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    /// What happened.
    pub what: String,
    /// Its causes, outermost first.
    pub why: Vec<String>,
    pub next_step: Option<String>,
    /// The server's own stable word for it, when it was the server that refused.
    pub problem: Option<String>,
}

impl Failure {
    pub fn new(what: impl Into<String>) -> Self {
        Self { code: FAILED, what: what.into(), why: Vec::new(), next_step: None, problem: None }
    }

    pub fn usage(what: impl Into<String>) -> Self {
        Self { code: USAGE, ..Self::new(what) }
    }

    /// A failure with an error and all its causes.
    pub fn because(what: impl Into<String>, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut why = vec![error.to_string()];
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if why.last() != Some(&text) {
                why.push(text);
            }
            cause = error.source();
        }
        Self { why, ..Self::new(what) }
    }

    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Self {
        self.next_step = Some(step.into());
        self
    }

    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// The server answered, and would not: the next thing may still go well.
    pub const fn is_refusal(&self) -> bool {
        self.code == FAILED
    }

    /// Ends with this code and says nothing more.
    pub fn silent(code: u8) -> Self {
        Self { code, ..Self::new("") }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        for why in &self.why {
            write!(f, "\n  because {why}")?;
        }
        if let Some(step) = &self.next_step {
            write!(f, "\n  try: {step}")?;
        }
        Ok(())
    }
}
