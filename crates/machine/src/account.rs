//! Accounts of people on a host that several of them share, made when they come and closed when they leave.
//!
//! What the host is told is one command that is always the same, run by its administrator, and lines for its input: nothing that a person
//! chose is ever part of a command.

use crate::IdentityError;
use crate::identity::{account_of, password};
use crate::seed::hash_of;
use secrecy::SecretString;

/// What the host runs: `sh`, reading an [`AccountOrder`].
const SCRIPT: &str = include_str!("host-account.sh");

/// What the account of somebody on a shared host is called; `None` where their name leaves nothing that Linux takes, or is the name of an
/// account that every Linux has.
pub fn host_account_name(person: &str) -> Option<String> {
    account_of(person)
}

/// A password that nobody is told, for one stay on a shared host.
pub fn one_stay_password() -> SecretString {
    password()
}

/// The command that carries an order out, for the account that a host's seed made.
pub fn account_command() -> String {
    format!("sudo -n /bin/sh -c '{SCRIPT}'")
}

/// What is to become of one account.
pub struct AccountOrder<'a> {
    /// Counts up with every order for an account: an older one that comes late changes nothing.
    pub number: i64,
    pub name: &'a str,
    /// Whose it is. An account that is somebody else's is never touched.
    pub person: String,
    /// It can be signed in to with this one; `None`: by nobody any more, and what runs in it ends.
    pub password: Option<&'a SecretString>,
}

impl AccountOrder<'_> {
    /// What [`account_command`] reads. Errors: `Hash`.
    pub fn input(&self) -> Result<SecretString, IdentityError> {
        let Self { number, name, person, password } = self;
        let lines = match password {
            Some(password) => format!("open\n{number}\n{name}\n{person}\n{}\n", hash_of(password)?),
            None => format!("close\n{number}\n{name}\n{person}\n"),
        };
        Ok(lines.into())
    }
}

/// What came of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountAnswer {
    Ready,
    Closed,
    /// The machine's image or its directory of people has an account of that name: the machine asks for its password itself.
    Theirs,
    /// An account of the system is called so.
    System,
    /// The account is another person's.
    Others,
    /// A later order was carried out already.
    Older,
}

impl AccountAnswer {
    /// Of what the command wrote to its output; `None` for anything that it does not say.
    pub fn read(output: &[u8]) -> Option<Self> {
        Some(match output.trim_ascii() {
            b"ready" => Self::Ready,
            b"closed" => Self::Closed,
            b"theirs" => Self::Theirs,
            b"system" => Self::System,
            b"others" => Self::Others,
            b"older" => Self::Older,
            _ => return None,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;
    use std::{
        fs,
        io::Write as _,
        os::unix::fs::PermissionsExt as _,
        path::Path,
        process::{Command, Stdio},
    };
    use tempfile::TempDir;

    /// A machine whose accounts are lines of a file, `name:uid`, and which writes down what is done to them.
    struct Host(TempDir);

    impl Host {
        fn new() -> Self {
            let folder = TempDir::new().unwrap();
            let host = Self(folder);
            let path = host.path().display().to_string();
            fs::create_dir(host.path().join("bin")).unwrap();
            host.tool(
                "getent",
                &format!("[ \"$1\" = group ] && exit 0\ngrep \"^$2:\" {path}/passwd | sed s,$,::::{path}/home:,"),
            );
            host.tool("id", &format!("grep \"^$2:\" {path}/passwd | cut -d: -f2"));
            host.tool("useradd", &format!("for name; do :; done\necho \"$name:1001\" >>{path}/passwd"));
            host.tool("usermod", &format!("echo \"usermod $*\" >>{path}/log"));
            host.tool("chpasswd", &format!("read -r line; echo \"chpasswd $line\" >>{path}/log"));
            host.tool("pkill", &format!("echo \"pkill $*\" >>{path}/log; exit 1"));
            host.tool("loginctl", "exit 0");
            fs::create_dir(host.path().join("home")).unwrap();
            fs::write(host.path().join("passwd"), "root:0\ndebian:1000\n").unwrap();
            host
        }

        fn path(&self) -> &Path {
            self.0.path()
        }

        fn tool(&self, name: &str, text: &str) {
            let file = self.path().join("bin").join(name);
            fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }

        fn log(&self) -> String {
            fs::read_to_string(self.path().join("log")).unwrap_or_default()
        }

        fn says(&self, order: &AccountOrder<'_>) -> AccountAnswer {
            let script = SCRIPT.replace("/var/lib/oriel/accounts", self.path().join("ours").to_str().unwrap());
            let path = format!("{}:{}", self.path().join("bin").display(), std::env::var("PATH").unwrap());
            let mut run = Command::new("/bin/sh")
                .args(["-c", &script])
                .env("PATH", path)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            run.stdin.take().unwrap().write_all(order.input().unwrap().expose_secret().as_bytes()).unwrap();
            let output = run.wait_with_output().unwrap();
            AccountAnswer::read(&output.stdout).unwrap()
        }
    }

    #[test]
    fn the_command_is_one_argument_in_quotes() {
        assert!(!SCRIPT.contains('\''));
        assert!(account_command().starts_with("sudo -n /bin/sh -c '"));
        assert_eq!(AccountAnswer::read(b"ready\n"), Some(AccountAnswer::Ready));
        assert_eq!(AccountAnswer::read(b"sudo: a password is required"), None);
    }

    #[test]
    fn an_account_is_its_persons_and_the_last_order_holds() {
        let (host, password) = (Host::new(), one_stay_password());
        let order = |number, name: &'static str, person: &str, open: bool| {
            let password = open.then_some(&password);
            host.says(&AccountOrder { number, name, person: person.to_owned(), password })
        };
        assert_eq!(order(7, "anna", "one", true), AccountAnswer::Ready);
        assert!(host.log().contains("chpasswd anna:$6$"), "{}", host.log());
        assert!(!host.log().contains(password.expose_secret()), "only its hash leaves us");
        assert_eq!(order(8, "anna", "two", true), AccountAnswer::Others, "a namesake gets nothing of hers");
        assert_eq!(order(9, "anna", "two", false), AccountAnswer::Others);
        assert_eq!(order(6, "anna", "one", false), AccountAnswer::Older, "she has come back since");
        assert!(!host.log().contains("--lock"));
        assert_eq!(order(8, "anna", "one", false), AccountAnswer::Closed);
        assert!(host.log().contains("usermod --lock --expiredate 1 anna\npkill -KILL -U 1001"), "{}", host.log());
        assert_eq!(order(9, "anna", "one", true), AccountAnswer::Ready);
        // What the machine brought with it is never ours.
        assert_eq!(order(1, "root", "one", true), AccountAnswer::System);
        assert_eq!(order(1, "debian", "one", true), AccountAnswer::Theirs);
        assert_eq!(order(1, "debian", "one", false), AccountAnswer::Theirs);
        assert_eq!(order(1, "zoe", "three", false), AccountAnswer::Closed, "there never was one");
    }

    #[test]
    fn names_that_no_account_may_have_are_not_bent() {
        assert_eq!(host_account_name("Zoë.Müller").as_deref(), Some("zo.mller"));
        for reserved in ["root", "Root", "sshd", "systemd-network", "", "1234", "user"] {
            assert_eq!(host_account_name(reserved), None, "{reserved}");
        }
    }
}
