//! A finding while it is written.

use oriel_model::{Finding, FindingEvidence, Severity};

/// The subject of what concerns no single card.
pub(super) const HOST: &str = "host";
/// Most characters of one piece of evidence; the rest is left out.
const EVIDENCE_MAX: usize = 2_000;
/// Most pieces of evidence.
const EVIDENCE_COUNT_MAX: usize = 32;

pub(super) struct Draft(Finding);

fn draft(id: &'static str, severity: Severity, subject: impl ToString) -> Draft {
    Draft(Finding {
        id: id.to_owned(),
        severity,
        subject: subject.to_string(),
        evidence: Vec::new(),
        reason: String::new(),
        fix: String::new(),
        source: String::new(),
    })
}

pub(super) fn error(id: &'static str, subject: impl ToString) -> Draft {
    draft(id, Severity::Error, subject)
}

pub(super) fn warning(id: &'static str, subject: impl ToString) -> Draft {
    draft(id, Severity::Warning, subject)
}

pub(super) fn note(id: &'static str, subject: impl ToString) -> Draft {
    draft(id, Severity::Note, subject)
}

pub(super) fn ok(id: &'static str, subject: impl ToString) -> Draft {
    draft(id, Severity::Ok, subject)
}

/// As `warning` if it is so, else as `note`.
pub(super) fn warning_if(so: bool, id: &'static str, subject: impl ToString) -> Draft {
    draft(id, if so { Severity::Warning } else { Severity::Note }, subject)
}

impl Draft {
    /// A file and what it says; `content` may be empty for a folder or a link that is (not) there.
    pub fn saw(mut self, path: impl Into<String>, content: impl Into<String>) -> Self {
        if self.0.evidence.len() < EVIDENCE_COUNT_MAX {
            let content: String = content.into().trim().chars().take(EVIDENCE_MAX).collect();
            self.0.evidence.push(FindingEvidence { path: path.into(), content });
        }
        self
    }

    pub fn saw_all(mut self, evidence: impl IntoIterator<Item = (String, String)>) -> Self {
        for (path, content) in evidence {
            self = self.saw(path, content);
        }
        self
    }

    /// Why it matters, and for whom.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.0.reason = reason.into();
        self
    }

    /// Lines of commands, edits, BIOS words; lines that begin with `#` are talk.
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.0.fix = fix.into();
        self
    }

    /// The documentation that backs it.
    pub fn see(mut self, source: impl Into<String>) -> Finding {
        self.0.source = source.into();
        self.0
    }
}
