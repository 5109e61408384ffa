//! Takes out of texts what is nobody's business: secrets, serial numbers, addresses of network cards.

/// What stands in place of something taken out.
pub(crate) const REDACTED: &str = "redacted";

/// Parts of a parameter's name (split at `.`, `-`, `_`) behind which a secret stands.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pw",
    "pwd",
    "secret",
    "token",
    "key",
    "psk",
    "credential",
    "credentials",
    "auth",
    "apikey",
    "serial",
    "sn",
    "uuid",
    "user",
    "username",
    "login",
    "chap",
    "initiator",
    "hostname",
    "mac",
    "bootif",
];

/// A kernel command line without values that look like secrets, without UUIDs and without hardware addresses.
pub(crate) fn command_line(line: &str) -> String {
    let words: Vec<String> = line.split_whitespace().map(parameter).collect();
    words.join(" ")
}

fn parameter(word: &str) -> String {
    let Some((name, value)) = word.split_once('=') else { return text(word) };
    let lower = name.to_lowercase();
    let secret =
        lower.split(['.', '-', '_']).any(|part| SECRET_WORDS.contains(&part)) || lower.contains("set_credential");
    if secret && !value.is_empty() {
        return format!("{name}={REDACTED}");
    }
    format!("{name}={}", text(value))
}

/// Any text without UUIDs, hardware addresses, and what stands before an `@` in a URL.
pub(crate) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|one: char| !word_char(one)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if is_uuid(word) || is_mac(word) || is_gpu_uuid(word) {
            out.push_str(REDACTED);
        } else {
            out.push_str(word);
        }
        let next = after.chars().next().map_or(0, char::len_utf8);
        let (mark, after) = after.split_at(next);
        out.push_str(mark);
        rest = after;
    }
    without_userinfo(&out)
}

fn word_char(one: char) -> bool {
    one.is_ascii_alphanumeric() || one == '-' || one == ':'
}

/// `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
pub(crate) fn is_uuid(word: &str) -> bool {
    let mut lengths = word.split('-').map(|part| (part.len(), part.bytes().all(|byte| byte.is_ascii_hexdigit())));
    word.len() == 36 && [8, 4, 4, 4, 12].iter().all(|wanted| lengths.next() == Some((*wanted, true)))
}

/// `GPU-` or `MIG-` and a UUID, as NVIDIA's tools print.
fn is_gpu_uuid(word: &str) -> bool {
    word.split_once('-').is_some_and(|(kind, uuid)| matches!(kind, "GPU" | "MIG") && is_uuid(uuid))
}

/// Six pairs of hexadecimal digits; `01-` before them is how boot loaders write the kind of network.
fn is_mac(word: &str) -> bool {
    let pairs = |mark: char| {
        let parts: Vec<&str> = word.split(mark).collect();
        matches!(parts.len(), 6 | 7)
            && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    pairs(':') || pairs('-')
}

fn without_userinfo(text: &str) -> String {
    let Some(scheme) = text.find("://") else { return text.to_owned() };
    let (before, after) = text.split_at(scheme + 3);
    let end = after.find(['/', ' ', '\n', '"']).unwrap_or(after.len());
    let (authority, path) = after.split_at(end);
    let host =
        authority.rsplit_once('@').map_or_else(|| authority.to_owned(), |(_, host)| format!("{REDACTED}@{host}"));
    format!("{before}{host}{}", without_userinfo(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_leave_the_command_line_and_options_stay() {
        let line = "BOOT_IMAGE=/vmlinuz-6.1 root=UUID=3f2b6f0e-9f0c-4a53-9f0e-0a1b2c3d4e5f ro intel_iommu=on rd.luks.key=/k \
                    iscsi_password=hunter2 vfio-pci.ids=10de:13f2,10de:0fbb BOOTIF=01-52-54-00-12-34-56 url=https://u:p@host/x \
                    systemd.set_credential=a:b keyboard=de ip=52:54:00:12:34:56";
        assert_eq!(
            command_line(line),
            "BOOT_IMAGE=/vmlinuz-6.1 root=UUID=redacted ro intel_iommu=on rd.luks.key=redacted iscsi_password=redacted \
             vfio-pci.ids=10de:13f2,10de:0fbb BOOTIF=redacted url=https://redacted@host/x systemd.set_credential=redacted \
             keyboard=de ip=redacted"
        );
        assert_eq!(text("GPU-3f2b6f0e-9f0c-4a53-9f0e-0a1b2c3d4e5f 00000000:41:00.0"), "redacted 00000000:41:00.0");
    }
}
