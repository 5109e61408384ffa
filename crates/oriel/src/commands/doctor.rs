//! `oriel doctor`: what works on this machine and what does not. Runs here, without a server.

use super::gpu::paint::Paint;
use crate::{
    cli::{Global, Json},
    failure::{Done, FAILED, Failure},
    output,
};
use clap::Args;
use oriel_model::{Finding, FindingEvidence, Severity, finding};
use oriel_recording::{Bucket, BucketOptions};
use serde_json::json;
use std::{fmt::Write as _, path::Path, time::Duration};

#[derive(Args)]
pub struct Doctor {
    #[command(flatten)]
    json: Json,
}

impl Doctor {
    pub async fn run(self, global: &Global) -> Done {
        let config = global.config(None)?;
        let mut findings = host(&config.data(), config.get("libvirt_uri")).await;
        findings.extend(gpus());
        match config.bucket() {
            Ok(options) => findings.extend(bucket(options.as_ref()).await),
            Err(failure) => findings.push(bucket_unknown(config.get("recording.store"), failure)),
        }
        if self.json.json {
            output::print_json(&json!({"findings": findings}))?;
        } else {
            output::print(report(&findings, Paint::of_stdout()).trim_end())?;
        }
        // Warnings are for people to weigh; only errors keep desktops from working.
        if findings.iter().any(|finding| finding.severity == Severity::Error) {
            return Err(Failure::silent(FAILED));
        }
        Ok(())
    }
}

/// What keeps desktops from this machine: `data` is the data folder, which need not exist, and `uri` libvirt's address.
pub async fn host(data: &Path, uri: &str) -> Vec<Finding> {
    oriel_compute::doctor(data, libvirt(data, uri).await).await
}

#[cfg(feature = "libvirt")]
async fn libvirt(data: &Path, uri: &str) -> Vec<Finding> {
    oriel_libvirt::findings(uri, data).await
}

#[cfg(not(feature = "libvirt"))]
#[expect(clippy::unused_async, reason = "the same shape as with libvirt")]
async fn libvirt(_: &Path, uri: &str) -> Vec<Finding> {
    vec![finding(
        "libvirt",
        Severity::Warning,
        uri,
        &[],
        String::from("this program was built without libvirt, so it can hold no desktops on this machine"),
        "cargo build --release --features libvirt",
        "https://libvirt.org/",
    )]
}

/// How long a bucket may take to answer.
const BUCKET_TIME_MAX: Duration = Duration::from_secs(30);

/// Whether the bucket of recordings takes an object, gives it back and lets it go.
pub async fn bucket(options: Option<&BucketOptions>) -> Option<Finding> {
    let options = options?;
    let asked = async {
        let bucket = Bucket::new(options).map_err(|error| error.to_string())?;
        let answer = tokio::time::timeout(BUCKET_TIME_MAX, bucket.check()).await;
        let late = || format!("it did not answer within {} s", BUCKET_TIME_MAX.as_secs());
        answer.map_err(|_| late())?.map_err(|error| error.to_string())
    };
    let place = &options.place;
    let (severity, reason, content) = match asked.await {
        Ok(()) => (Severity::Ok, format!("{place} takes recordings and gives them back"), String::new()),
        Err(error) => {
            let reason = format!("{place} does not take recordings: they stay in this machine's folder until it does");
            (Severity::Error, reason, error)
        }
    };
    let fix = "look at recording.store, recording.endpoint, recording.region and the keys in `oriel config show`; the keys must be allowed to list the bucket, and to put, get and delete objects in it";
    let path = options.endpoint.as_ref().unwrap_or(place);
    Some(bucket_finding(severity, path, content, reason, fix))
}

/// The keys may be for the server's account alone: that says nothing of the bucket, and the other findings are still worth reading.
fn bucket_unknown(place: &str, failure: Failure) -> Finding {
    let reason = format!("whether {place} takes recordings is not known here: its keys cannot be had");
    let said = [vec![failure.what], failure.why].concat().join(": ");
    let fix = "run this as the account that the server has, or look at Host in the console; without keys the server does not start";
    bucket_finding(Severity::Warning, place, said, reason, fix)
}

fn bucket_finding(severity: Severity, path: &str, content: String, reason: String, fix: &str) -> Finding {
    finding("recordings", severity, "recordings", &[(path, content)], reason, fix, "docs/recording-format.md")
}

/// The GPUs in one line; all about them is said by `oriel gpu doctor`.
fn gpus() -> Option<Finding> {
    let host = oriel_gpu::sysfs::Folder::host();
    let options = oriel_gpu::inventory::Options { commands: false, ..super::gpu::options() };
    let inventory = oriel_gpu::inventory(&host, &options).ok().filter(|inventory| !inventory.gpus.is_empty())?;
    let found = oriel_gpu::doctor::doctor(&host, &inventory, &oriel_gpu::doctor::Options::default());
    let names: Vec<String> = inventory.gpus.iter().map(|gpu| format!("{} {}", gpu.address, gpu.name)).collect();
    let bad = found.iter().any(|finding| finding.severity == Severity::Error);
    Some(Finding {
        id: "gpus".to_owned(),
        // What keeps a GPU from desktops keeps no desktop from running.
        severity: if bad { Severity::Warning } else { Severity::Ok },
        subject: "host".to_owned(),
        evidence: vec![FindingEvidence { path: "/sys/bus/pci/devices".to_owned(), content: names.join("\n") }],
        reason: format!(
            "{} GPU{}: {}",
            names.len(),
            if names.len() == 1 { "" } else { "s" },
            if bad { summary(&found) } else { "nothing keeps them from desktops".to_owned() }
        ),
        fix: if bad { "oriel gpu doctor".to_owned() } else { String::new() },
        source: "https://docs.kernel.org/driver-api/vfio.html".to_owned(),
    })
}

/// Widest line of the report, in characters, where words allow it.
const LINE_MAX: usize = 110;

/// All findings, and how many are bad.
pub fn report(findings: &[Finding], paint: Paint) -> String {
    format!("{}\n{}\n", entries(findings, paint), summary(findings))
}

/// Most pieces of evidence that are shown; all are in the JSON.
const EVIDENCE_MAX: usize = 6;

/// Good news in one line, bad news with what was seen, what to do and where it is written.
pub fn entries(findings: &[Finding], paint: Paint) -> String {
    let mut text = String::new();
    let widest = findings.iter().map(|finding| finding.id.chars().count()).max().unwrap_or(0);
    for finding in findings {
        let (word, painted) = match finding.severity {
            Severity::Ok => ("ok", paint.good("ok")),
            Severity::Note => ("note", "note".to_owned()),
            Severity::Warning => ("warning", paint.bold("warning")),
            Severity::Error => ("ERROR", paint.bad("ERROR")),
        };
        let start = format!("{word:8} {:widest$}  ", finding.id);
        let indent = " ".repeat(start.chars().count());
        // What is painted has no width.
        wrap(&mut text, &start, &indent, &finding.reason, |line| line.replacen(word, &painted, 1));
        if finding.severity == Severity::Ok {
            continue;
        }
        for evidence in finding.evidence.iter().take(EVIDENCE_MAX) {
            let content = first_line(&evidence.content);
            let colon = if content.is_empty() { "" } else { ": " };
            writeln!(text, "{indent}saw   {}{colon}{content}", evidence.path).ok();
        }
        if finding.evidence.len() > EVIDENCE_MAX {
            writeln!(text, "{indent}      and {} more", finding.evidence.len() - EVIDENCE_MAX).ok();
        }
        for line in finding.fix.lines() {
            writeln!(text, "{indent}fix   {line}").ok();
        }
        if !finding.source.is_empty() {
            writeln!(text, "{indent}see   {}", finding.source).ok();
        }
    }
    text
}

/// `2 errors, 1 warning`.
pub fn summary(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"))
}

/// Lines of at most [`LINE_MAX`] characters, the first behind `start` and painted, the others behind `indent`.
fn wrap(text: &mut String, start: &str, indent: &str, words: &str, paint: impl Fn(&str) -> String) {
    let mut line = start.to_owned();
    let mut fresh = true;
    let mut first = true;
    let mut put = |line: &str| {
        let line = line.trim_end();
        writeln!(text, "{}", if std::mem::take(&mut first) { paint(line) } else { line.to_owned() }).ok();
    };
    for word in words.split_whitespace() {
        if !fresh && line.chars().count() + 1 + word.chars().count() > LINE_MAX {
            put(&line);
            indent.clone_into(&mut line);
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(word);
        fresh = false;
    }
    put(&line);
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let text = report(
            &[finding("qemu-img", Severity::Ok, ""), finding("kvm", Severity::Warning, "modprobe kvm\nreboot")],
            Paint::off(),
        );
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
        let text = report(&[long], Paint::off());
        assert!(text.lines().all(|line| line.chars().count() <= LINE_MAX) && text.lines().count() > 3, "{text}");
    }
}
