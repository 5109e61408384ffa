//! Receivers of syslog, and rows of the audit as their messages (RFC 5424).

use crate::{AuditEntry, Micros, Subscription, SyslogId, check_host};
use std::fmt::{self, Write as _};
use std::str::FromStr;

pub const SYSLOGS_MAX: usize = 20;
/// Longest certificates of a receiver's CA, in bytes of PEM.
pub const SYSLOG_CA_BYTES_MAX: usize = 64 << 10;
/// The enterprise number that IANA keeps for examples (RFC 5612): Oriel has none of its own.
pub const SYSLOG_ENTERPRISE: u32 = 32473;
/// Longest APP-NAME, HOSTNAME and MSGID, in bytes (RFC 5424 §6.1).
const APP_NAME_BYTES_MAX: usize = 48;
const HOST_BYTES_MAX: usize = 255;
const MSGID_BYTES_MAX: usize = 32;

/// Facilities by their numbers (RFC 5424 §6.2.1), with the names that syslog daemons' configurations have for them.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// What messages are filed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyslogFacility(u8);

impl SyslogFacility {
    /// Where daemons that know who signed in file it.
    pub const AUTHPRIV: Self = Self(10);
}

impl FromStr for SyslogFacility {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        let at = FACILITIES.iter().position(|name| *name == word).and_then(|at| u8::try_from(at).ok());
        at.map(Self).ok_or_else(|| {
            let shown: String = word.chars().take(40).collect();
            format!("{shown:?} is no facility of syslog: use one of {}", FACILITIES.join(", "))
        })
    }
}

impl fmt::Display for SyslogFacility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FACILITIES.get(usize::from(self.0)).copied().unwrap_or("authpriv"))
    }
}

/// Where messages go, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyslogTarget {
    /// RFC 5425; `tls://HOST[:6514]`.
    Tls { host: String, port: u16 },
    /// RFC 6587 §3.4.1, with counted octets; `tcp://HOST[:601]`.
    Tcp { host: String, port: u16 },
    /// RFC 5426; `udp://HOST[:514]`.
    Udp { host: String, port: u16 },
    /// This machine's own, by `/dev/log`; `local`.
    Local,
}

impl FromStr for SyslogTarget {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "local" {
            return Ok(Self::Local);
        }
        let fits = "use tls://HOST:6514, tcp://HOST:601, udp://HOST:514 or local";
        let shown = || text.chars().take(80).collect::<String>();
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| format!("{:?} is no receiver of syslog: {fits}", shown()))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let usual = match scheme {
            "tls" => 6514,
            "tcp" => 601,
            "udp" => 514,
            _ => return Err(format!("{:?} is no way to a receiver of syslog: {fits}", shown())),
        };
        let (host, port) = match rest.strip_prefix('[') {
            Some(six) => {
                let (host, after) =
                    six.split_once(']').ok_or_else(|| format!("{:?} has no end of its address: {fits}", shown()))?;
                (host, after.strip_prefix(':').or((!after.is_empty()).then_some("")))
            }
            // An IPv6 address without brackets has several.
            None => match rest.split_once(':') {
                Some((host, port)) if !port.contains(':') => (host, Some(port)),
                _ => (rest, None),
            },
        };
        let port = match port {
            Some(port) => port
                .parse::<u16>()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| format!("{:?} names a port that is none: {fits}", shown()))?,
            None => usual,
        };
        check_host(host)?;
        let host = host.to_owned();
        Ok(match scheme {
            "tls" => Self::Tls { host, port },
            "tcp" => Self::Tcp { host, port },
            _ => Self::Udp { host, port },
        })
    }
}

impl fmt::Display for SyslogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Tls { host, port } => ("tls", host, port),
            Self::Tcp { host, port } => ("tcp", host, port),
            Self::Udp { host, port } => ("udp", host, port),
            Self::Local => return f.write_str("local"),
        };
        if host.contains(':') { write!(f, "{scheme}://[{host}]:{port}") } else { write!(f, "{scheme}://{host}:{port}") }
    }
}

/// One receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syslog {
    pub id: SyslogId,
    pub target: SyslogTarget,
    pub facility: SyslogFacility,
    pub app_name: String,
    /// Whose names the structured data has: `oriel@NUMBER`.
    pub enterprise: u32,
    /// PEM of whom a receiver's certificate must be signed by; by whom this machine trusts when there is none.
    pub ca: Option<String>,
    pub subscription: Subscription,
    pub created: Micros,
}

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub struct SyslogSender<'a> {
    /// This machine's name.
    pub host: &'a str,
    /// This program's process.
    pub process: u32,
}

/// Severities (RFC 5424 §6.2.1).
const ERROR: u8 = 3;
const WARNING: u8 = 4;
const NOTICE: u8 = 5;

impl Syslog {
    /// Whether it may be a name of a program. The error is a sentence.
    pub fn check_app_name(name: &str) -> Result<(), String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
        if !name.is_empty() && name.len() <= APP_NAME_BYTES_MAX && name.bytes().all(plain) {
            return Ok(());
        }
        let shown: String = name.chars().take(60).collect();
        Err(format!(
            "{shown:?} is no name of a program: use 1 to {APP_NAME_BYTES_MAX} letters, digits, hyphens, underscores, dots and slashes"
        ))
    }

    fn priority(&self, severity: u8) -> u16 {
        u16::from(self.facility.0) * 8 + u16::from(severity)
    }

    /// A row as RFC 5424 has it.
    pub fn message(&self, row: &AuditEntry, sender: SyslogSender<'_>) -> String {
        let mut message = self.header(severity(row.what.outcome), row.at, &row.what.action, sender);
        self.data(row, &mut message);
        message.push(' ');
        let text = text(row);
        if !text.is_ascii() {
            // It says that what follows is UTF-8 (§6.4).
            message.push('\u{feff}');
        }
        message + &text
    }

    /// A message that tells of nothing.
    pub fn test_message(&self, at: Micros, sender: SyslogSender<'_>) -> String {
        self.header(NOTICE, at, "test", sender) + "- a test of Oriel's audit"
    }

    /// A row as the C library writes it, for the receiver of this machine. `stamp`: the local time, `Nov 30 01:02:03`.
    pub fn local_message(&self, row: &AuditEntry, stamp: &str, process: u32) -> String {
        let mut message = self.local_header(severity(row.what.outcome), stamp, process);
        message.push_str(&text(row));
        message.push(' ');
        self.data(row, &mut message);
        message
    }

    pub fn local_test_message(&self, stamp: &str, process: u32) -> String {
        self.local_header(NOTICE, stamp, process) + "a test of Oriel's audit"
    }

    fn local_header(&self, severity: u8, stamp: &str, process: u32) -> String {
        format!("<{}>{stamp} {}[{process}]: ", self.priority(severity), self.app_name)
    }

    /// Up to the structured data.
    fn header(&self, severity: u8, at: Micros, action: &str, sender: SyslogSender<'_>) -> String {
        let at = jiff::Timestamp::from_microsecond(at.0).map_or_else(|_| "-".to_owned(), |at| at.to_string());
        format!(
            "<{}>1 {at} {} {} {} {} ",
            self.priority(severity),
            printable(sender.host, HOST_BYTES_MAX),
            self.app_name,
            sender.process,
            printable(action, MSGID_BYTES_MAX)
        )
    }

    /// `[oriel@32473 seq="7" …]`, without what is empty.
    fn data(&self, row: &AuditEntry, message: &mut String) {
        let what = &row.what;
        let (seq, outcome) = (row.seq.to_string(), what.outcome.to_string());
        let actor = what.actor.map(|id| id.to_string()).unwrap_or_default();
        // Writing into a String does not fail.
        write!(message, "[oriel@{}", self.enterprise).ok();
        for (name, value) in [
            ("seq", seq.as_str()),
            ("actor", actor.as_str()),
            ("actorName", what.actor_name.as_str()),
            ("via", what.via.as_str()),
            ("action", what.action.as_str()),
            ("target", what.target.as_str()),
            ("address", what.address.as_str()),
            ("outcome", outcome.as_str()),
            ("code", what.code.as_str()),
            ("previous", row.previous.as_str()),
            ("hash", row.hash.as_str()),
        ] {
            if value.is_empty() {
                continue;
            }
            message.push(' ');
            message.push_str(name);
            message.push_str("=\"");
            for c in value.chars() {
                if matches!(c, '"' | '\\' | ']') {
                    message.push('\\');
                }
                message.push(c);
            }
            message.push('"');
        }
        message.push(']');
    }
}

/// What was done is worth a note, what was refused a warning, what failed here is an error.
const fn severity(outcome: u16) -> u8 {
    match outcome {
        500.. => ERROR,
        400..500 => WARNING,
        _ => NOTICE,
    }
}

/// One line for people.
fn text(row: &AuditEntry) -> String {
    let what = &row.what;
    let who = if what.actor_name.is_empty() { "nobody" } else { &what.actor_name };
    let mut text = format!("{who} ({}): {} {}: {}", what.via, what.action, what.target, what.outcome);
    for (word, value) in [(" ", &what.code), (" from ", &what.address)] {
        if !value.is_empty() {
            text.push_str(word);
            text.push_str(value);
        }
    }
    text
}

/// A field of the header: visible ASCII without blanks, `-` for nothing.
fn printable(text: &str, bytes_max: usize) -> String {
    let plain: String =
        text.trim().chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).take(bytes_max).collect();
    if plain.is_empty() { "-".to_owned() } else { plain }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::AuditDeed;

    fn receiver() -> Syslog {
        Syslog {
            id: SyslogId::new(),
            target: SyslogTarget::Local,
            facility: SyslogFacility::AUTHPRIV,
            app_name: "oriel".to_owned(),
            enterprise: SYSLOG_ENTERPRISE,
            ca: None,
            subscription: Subscription::default(),
            created: Micros(0),
        }
    }

    fn row(actor_name: &str, outcome: u16) -> AuditEntry {
        AuditEntry {
            seq: 7,
            at: Micros(1_700_000_000_123_456),
            what: AuditDeed {
                actor_name: actor_name.to_owned(),
                via: "browser".to_owned(),
                action: "change_pool".to_owned(),
                target: "/pools/a\"b]\\".to_owned(),
                address: "192.0.2.9".to_owned(),
                outcome,
                ..AuditDeed::default()
            },
            previous: "aa".to_owned(),
            hash: "bb".to_owned(),
        }
    }

    const SENDER: SyslogSender<'_> = SyslogSender { host: "oak.example", process: 42 };

    #[test]
    fn a_row_is_a_message() {
        let message = receiver().message(&row("ada", 200), SENDER);
        assert_eq!(
            message,
            "<85>1 2023-11-14T22:13:20.123456Z oak.example oriel 42 change_pool [oriel@32473 seq=\"7\" actorName=\"ada\" \
             via=\"browser\" action=\"change_pool\" target=\"/pools/a\\\"b\\]\\\\\" address=\"192.0.2.9\" outcome=\"200\" \
             previous=\"aa\" hash=\"bb\"] ada (browser): change_pool /pools/a\"b]\\: 200 from 192.0.2.9"
        );
        let refused = Syslog { facility: "local3".parse().unwrap(), enterprise: 1, ..receiver() }
            .message(&row("Žana", 403), SENDER);
        assert!(refused.starts_with("<156>1 ") && refused.contains("[oriel@1 "), "{refused}");
        assert!(refused.contains("] \u{feff}Žana (browser)"), "{refused}");
        assert!(receiver().message(&row("", 500), SENDER).starts_with("<83>1 "));
        let nobody = SyslogSender { host: " \n", process: 1 };
        assert!(
            receiver()
                .test_message(Micros(0), nobody)
                .starts_with("<85>1 1970-01-01T00:00:00Z - oriel 1 test - a test")
        );
        let local = receiver().local_message(&row("ada", 200), "Nov  3 01:02:03", 42);
        assert!(local.starts_with("<85>Nov  3 01:02:03 oriel[42]: ada (browser): change_pool "), "{local}");
        assert!(local.ends_with(" hash=\"bb\"]"), "{local}");
    }

    #[test]
    fn receivers_are_named() {
        for (text, said) in [
            ("tls://log.example", "tls://log.example:6514"),
            ("tcp://192.0.2.7:514", "tcp://192.0.2.7:514"),
            ("tcp://log.example/", "tcp://log.example:601"),
            ("udp://[2001:db8::7]:10514", "udp://[2001:db8::7]:10514"),
            ("udp://2001:db8::7", "udp://[2001:db8::7]:514"),
            ("local", "local"),
        ] {
            let target: SyslogTarget = text.parse().unwrap();
            assert_eq!(target.to_string(), said);
            assert_eq!(said.parse(), Ok(target));
        }
        for wrong in [
            "",
            "log.example",
            "http://log.example",
            "tcp://",
            "tcp://log:0",
            "tcp://log:65536",
            "udp://[::1",
            "udp://[::1]9",
            "tls://a b",
            "unix:///dev/log",
        ] {
            assert!(wrong.parse::<SyslogTarget>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn facilities_and_names_of_programs() {
        for (word, number) in [("kern", 0), ("authpriv", 10), ("audit", 13), ("local7", 23)] {
            let facility: SyslogFacility = word.parse().unwrap();
            assert_eq!((facility.0, facility.to_string().as_str()), (number, word));
        }
        assert!("local8".parse::<SyslogFacility>().unwrap_err().contains("authpriv"));
        assert!(Syslog::check_app_name("oriel/lab-1").is_ok());
        for wrong in ["", "a b", "a:b", "a[b", "ä", &"x".repeat(49)] {
            assert!(Syslog::check_app_name(wrong).is_err(), "{wrong:?}");
        }
    }
}
