//! Where packages come from: the mirror that this host itself uses, so that no mirror's name is written down here and
//! a local one, or one that a company prescribes, is honoured.
//!
//! Reads both formats of apt: one-line (`*.list`) and deb822 (`*.sources`), see sources.list(5).

use std::path::Path;

const SOURCE_FILES_MAX: usize = 64;
const SOURCE_BYTES_MAX: u64 = 256 * 1024;

/// One enabled source of binary packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub uri: String,
    pub suite: String,
    pub components: Vec<String>,
    /// Path of a keyring, if one is named.
    pub signed_by: Option<String>,
}

/// Every enabled source under `root` (normally `/`).
pub fn sources(root: &Path) -> Vec<Source> {
    let folder = root.join("etc/apt");
    let mut files = vec![folder.join("sources.list")];
    if let Ok(entries) = std::fs::read_dir(folder.join("sources.list.d")) {
        files.extend(entries.flatten().map(|entry| entry.path()).take(SOURCE_FILES_MAX));
    }
    files.sort();
    let mut found = Vec::new();
    for path in files {
        if std::fs::metadata(&path).map_or(true, |meta| meta.len() > SOURCE_BYTES_MAX) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        match path.extension().and_then(|e| e.to_str()) {
            Some("list") => found.extend(text.lines().filter_map(one_line)),
            Some("sources") => found.extend(deb822(&text)),
            _ => {}
        }
    }
    found
}

/// `deb [signed-by=/k.gpg arch=amd64] http://mirror/debian bookworm main contrib`
fn one_line(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let mut rest = line.strip_prefix("deb")?.strip_prefix(|c: char| c.is_whitespace())?.trim_start();
    let mut signed_by = None;
    if let Some(options) = rest.strip_prefix('[') {
        let (options, after) = options.split_once(']')?;
        signed_by = options.split_whitespace().find_map(|o| o.strip_prefix("signed-by=")).map(str::to_owned);
        rest = after.trim_start();
    }
    let mut words = rest.split_whitespace().map(str::to_owned);
    let source = Source { uri: words.next()?, suite: words.next()?, components: words.collect(), signed_by };
    (!source.components.is_empty()).then_some(source)
}

fn deb822(text: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let text = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    for stanza in text.split("\n\n") {
        let field = |name: &str| -> Option<String> {
            let mut lines = stanza
                .lines()
                .skip_while(|line| line.split_once(':').is_none_or(|(key, _)| !key.eq_ignore_ascii_case(name)));
            let mut value = lines.next()?.split_once(':')?.1.trim().to_owned();
            for line in lines.take_while(|line| line.starts_with([' ', '\t'])) {
                value.push(' ');
                value.push_str(line.trim());
            }
            Some(value)
        };
        let disabled = field("Enabled")
            .is_some_and(|v| matches!(v.to_ascii_lowercase().as_str(), "no" | "false" | "off" | "0" | "without"));
        let binary = field("Types").is_some_and(|types| types.split_whitespace().any(|t| t == "deb"));
        if disabled || !binary {
            continue;
        }
        let words =
            |name: &str| field(name).unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        // A key may also stand in the file itself; such a source is somebody else's, not the distribution's.
        let signed_by = field("Signed-By").filter(|v| !v.is_empty());
        for uri in words("URIs") {
            for suite in words("Suites") {
                found.push(Source {
                    uri: uri.clone(),
                    suite,
                    components: words("Components"),
                    signed_by: signed_by.clone(),
                });
            }
        }
    }
    found.retain(|source| !source.components.is_empty());
    found
}

/// The sources that hold the Debian release `suite`, as one-line entries. Empty when this host is no Debian: then the
/// build tool's own default applies.
///
/// `host_suite` is the host's own release (`VERSION_CODENAME`); a host of another Debian release has the wanted one on
/// the same mirrors under another name.
pub fn debian_lines(sources: &[Source], host_suite: &str, suite: &str, components: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for source in sources {
        let ours = source.signed_by.as_deref().is_none_or(|key| key.starts_with('/') && key.contains("debian-archive"));
        let Some(pocket) = source.suite.strip_prefix(host_suite) else { continue };
        if !ours || !matches!(pocket, "" | "-updates" | "-security") || !source.components.iter().any(|c| c == "main") {
            continue;
        }
        let key = source.signed_by.as_deref().map_or_else(String::new, |key| format!("[signed-by={key}] "));
        let line = format!("deb {key}{} {suite}{pocket} {}", source.uri, components.join(" "));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    // The release itself first, and not only its updates.
    lines.sort_by_key(|line| !line.contains(&format!(" {suite} ")));
    if lines.first().is_some_and(|line| line.contains(&format!(" {suite} "))) { lines } else { Vec::new() }
}

/// `(ID, VERSION_CODENAME)` of os-release(5) under `root`.
pub fn release(root: &Path) -> (String, String) {
    let text = std::fs::read_to_string(root.join("etc/os-release")).unwrap_or_default();
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
    };
    (field("ID"), field("VERSION_CODENAME"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEB822: &str = "# comment\nTypes: deb\n# http://old/\nURIs: http://mirror.test/debian\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n\
        Types: deb\nURIs: http://mirror.test/debian-security\nSuites: bookworm-security\nComponents: main\n\n\
        Types: deb\nURIs: http://other.test/\nSuites: bookworm\nComponents: main\nSigned-By: /etc/apt/keyrings/other.gpg\n\n\
        Types: deb\nEnabled: no\nURIs: http://off.test/\nSuites: bookworm\nComponents: main\n\n\
        Types: deb-src\nURIs: http://src.test/\nSuites: bookworm\nComponents: main\n";

    #[test]
    fn both_formats() {
        let dir = tempfile::tempdir().unwrap();
        let apt = dir.path().join("etc/apt/sources.list.d");
        std::fs::create_dir_all(&apt).unwrap();
        std::fs::write(apt.join("debian.sources"), DEB822).unwrap();
        std::fs::write(apt.join("x.list.disabled"), "deb http://no.test/ bookworm main\n").unwrap();
        std::fs::write(dir.path().join("etc/apt/sources.list"), "deb [arch=amd64 signed-by=/k/debian-archive.gpg] http://a.test/d bookworm main # x\ndeb-src http://b bookworm main\ndebris\ndeb\ndeb [\n").unwrap();
        let found = sources(dir.path());
        assert_eq!(found.len(), 5, "{found:#?}");
        let lines = debian_lines(&found, "bookworm", "bookworm", &["main".to_owned()]);
        assert_eq!(lines.len(), 4, "{lines:#?}");
        assert!(lines.iter().all(|l| !l.contains("other.test") && !l.contains("off.test") && !l.contains("src.test")));
        assert!(lines.iter().any(|l| l == "deb http://mirror.test/debian-security bookworm-security main"));
    }

    #[test]
    fn another_debian_release_has_the_suite_on_the_same_mirror() {
        let found = vec![Source {
            uri: "http://m.test/debian".into(),
            suite: "trixie".into(),
            components: vec!["main".into()],
            signed_by: None,
        }];
        assert_eq!(
            debian_lines(&found, "trixie", "bookworm", &["main".to_owned()]),
            ["deb http://m.test/debian bookworm main"]
        );
    }

    #[test]
    fn no_debian_no_lines() {
        let found = vec![Source {
            uri: "http://m.test/ubuntu".into(),
            suite: "noble".into(),
            components: vec!["main".into()],
            signed_by: None,
        }];
        assert!(debian_lines(&found, "bookworm", "bookworm", &["main".to_owned()]).is_empty());
    }
}
