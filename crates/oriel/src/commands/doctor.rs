//! `oriel doctor`: what works on this machine and what does not. Runs here, without a server.

use crate::{
    cli::{Global, Json},
    failure::{Done, FAILED, Failure},
    output,
};
use clap::Args;
use oriel_compute::DoctorOptions;
use oriel_model::{Finding, Severity};
use serde_json::json;
use std::fmt::Write as _;

#[derive(Args)]
pub struct Doctor {
    #[command(flatten)]
    json: Json,
}

impl Doctor {
    pub async fn run(self, global: &Global) -> Done {
        let config = global.config(None)?;
        let options = DoctorOptions { data: config.data(), uri: config.get("libvirt_uri").to_owned() };
        let findings = oriel_compute::doctor(&options).await;
        if self.json.json {
            output::print_json(&json!({"findings": findings}))?;
        } else {
            output::print(report(&findings).trim_end())?;
        }
        // Warnings are for people to weigh; only errors keep desktops from working.
        if findings.iter().any(|finding| finding.severity == Severity::Error) {
            return Err(Failure::silent(FAILED));
        }
        Ok(())
    }
}

/// Widest line of the report, in characters, where words allow it.
const LINE_MAX: usize = 110;

fn report(findings: &[Finding]) -> String {
    let mut text = String::new();
    let widest = findings.iter().map(|finding| finding.id.chars().count()).max().unwrap_or(0);
    for finding in findings {
        let word = match finding.severity {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "ERROR",
        };
        let start = format!("{word:8} {:widest$}  ", finding.id);
        let indent = " ".repeat(start.chars().count());
        wrap(&mut text, &start, &indent, &finding.reason);
        if finding.severity == Severity::Ok {
            continue;
        }
        for evidence in &finding.evidence {
            writeln!(text, "{indent}saw   {}: {}", evidence.path, first_line(&evidence.content)).ok();
        }
        for line in finding.fix.lines() {
            writeln!(text, "{indent}fix   {line}").ok();
        }
        if !finding.source.is_empty() {
            writeln!(text, "{indent}see   {}", finding.source).ok();
        }
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    writeln!(text, "\n{}, {}", plural(errors, "error"), plural(warnings, "warning")).ok();
    text
}

/// Lines of at most [`LINE_MAX`] characters, the first behind `start`, the others behind `indent`.
fn wrap(text: &mut String, start: &str, indent: &str, words: &str) {
    let mut line = start.to_owned();
    let mut fresh = true;
    for word in words.split_whitespace() {
        if !fresh && line.chars().count() + 1 + word.chars().count() > LINE_MAX {
            writeln!(text, "{line}").ok();
            indent.clone_into(&mut line);
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(word);
        fresh = false;
    }
    writeln!(text, "{}", line.trim_end()).ok();
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_model::FindingEvidence;

    #[test]
    fn good_news_is_one_line_and_bad_news_says_what_to_do() {
        let finding = |id: &str, severity, fix: &str| Finding {
            id: id.into(),
            severity,
            subject: "host".into(),
            evidence: vec![FindingEvidence { path: "/dev/kvm".into(), content: "opens\nand more".into() }],
            reason: "it is so".into(),
            fix: fix.into(),
            source: "https://example.org".into(),
        };
        let text =
            report(&[finding("qemu-img", Severity::Ok, ""), finding("kvm", Severity::Warning, "modprobe kvm\nreboot")]);
        insta::assert_snapshot!(text, @r"
        ok       qemu-img  it is so
        warning  kvm       it is so
                           saw   /dev/kvm: opens
                           fix   modprobe kvm
                           fix   reboot
                           see   https://example.org

        0 errors, 1 warning
        ");
        let long = Finding { reason: "many words ".repeat(20), ..finding("kvm", Severity::Ok, "") };
        let text = report(&[long]);
        assert!(text.lines().all(|line| line.chars().count() <= LINE_MAX) && text.lines().count() > 3, "{text}");
    }
}
